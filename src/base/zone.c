// zone.c - time zones: finding them by name, and their offsets at an instant or a local time.
// Invariants: a zone never changes once it is in the list, and the list only grows (at its head, by
// compare and swap), so readers need no lock. Two threads may read one file at once; then both
// zones are in the list and say the same. Zones come from zone_file.c, abbreviations from
// zone_names.c. Entry points: base_zone_find(), base_zone_offset_at().
#include <stdatomic.h>
#include <stdlib.h>

#include "base/must.h"
#include "base/zone_int.h"

// There are about 600 names and 200 abbreviations. Rules that users and data spell out are limited.
#define RULES_MAX 1024

static _Atomic(const base_zone *) zones;
static atomic_uint rule_count;

// ---------------------------------------------------------------------------------------------------
// Asking

// Local seconds since 1970 of a change in a year.
static int64_t change_at(const zone_change *change, int32_t year) {
    int64_t day;
    if (change->kind == 'M') {
        int64_t first = base_days_from_civil(year, change->month, 1);
        int64_t weekday = (first + 6) - floor_div(first + 6, 7) * 7; // from Sunday; 2000-01-01: 6
        day = (change->day - weekday + 7) % 7 + (change->week - 1) * 7;
        if (day >= days_in_month(year, change->month)) day -= 7; // week 5: the last one
        day += first;
    } else {
        day = base_days_from_civil(year, 1, 1) + change->day;
        if (change->kind == 'J') day += -1 + (is_leap_year(year) && change->day >= 60);
    }
    return day * 86400 + UNIX_2000 + change->time_seconds;
}

static const zone_type *rule_type(const zone_rule *rule, int64_t unix_seconds) {
    if (!rule->has_saving) return &rule->standard;
    int64_t local = unix_seconds - UNIX_2000 + rule->standard.seconds;
    int32_t year, month, day;
    base_civil_from_days((int32_t)floor_div(local, 86400), &year, &month, &day);
    int64_t begin = change_at(&rule->begin, year) - rule->standard.seconds;
    int64_t end = change_at(&rule->end, year) - rule->saving.seconds;
    bool saving = begin < end ? unix_seconds >= begin && unix_seconds < end
                              : unix_seconds >= begin || unix_seconds < end;
    return saving ? &rule->saving : &rule->standard;
}

// How many changes are at or before an instant.
static size_t changes_until(const base_zone *zone, int64_t unix_seconds) {
    size_t low = 0, high = zone->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (zone->change_seconds[middle] <= unix_seconds) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static const zone_type *type_at(const base_zone *zone, int64_t unix_seconds) {
    size_t n = zone->count == 0 ? 0 : changes_until(zone, unix_seconds);
    if (n == zone->count && zone->rule.present) return rule_type(&zone->rule, unix_seconds);
    return n == 0 ? &zone->types[0] : &zone->types[zone->change_type[n - 1]];
}

// What an abbreviation meant in its zone at an instant: as it was last used until then, else as it
// was first used after; if never, what the zone's clocks showed.
static int32_t meaning_at(const base_zone *abbreviation, int64_t unix_seconds) {
    const base_zone *zone = abbreviation->of;
    size_t until = changes_until(zone, unix_seconds);
    for (size_t i = until; i-- > 0;) {
        const zone_type *type = &zone->types[zone->change_type[i]];
        if (strcmp(type->name, abbreviation->name) == 0) return type->seconds;
    }
    for (size_t i = until; i < zone->count; i++) {
        const zone_type *type = &zone->types[zone->change_type[i]];
        if (strcmp(type->name, abbreviation->name) == 0) return type->seconds;
    }
    return type_at(zone, unix_seconds)->seconds;
}

int32_t base_zone_offset_at(const base_zone *zone, int64_t utc_us) {
    if (zone == NULL) return 0;
    int64_t seconds = floor_div(utc_us, BASE_US_PER_SECOND) + UNIX_2000;
    return zone->of != NULL ? meaning_at(zone, seconds) : type_at(zone, seconds)->seconds;
}

int32_t base_zone_offset_local(const base_zone *zone, int64_t local_us) {
    if (zone == NULL) return 0;
    if (zone->of != NULL) {
        int64_t by = base_zone_offset_local(zone->of, local_us) * BASE_US_PER_SECOND, utc_us;
        return base_zone_offset_at(zone, __builtin_sub_overflow(local_us, by, &utc_us) ? local_us
                                                                                       : utc_us);
    }
    // The ends of time have no room for the day on either side, nor changes.
    if (local_us < INT64_MIN + 2 * BASE_US_PER_DAY || local_us > INT64_MAX - 2 * BASE_US_PER_DAY) {
        return base_zone_offset_at(zone, local_us);
    }
    int32_t before = base_zone_offset_at(zone, local_us - BASE_US_PER_DAY);
    int32_t after = base_zone_offset_at(zone, local_us + BASE_US_PER_DAY);
    if (before == after) return before;
    bool after_holds = base_zone_offset_at(zone, local_us - after * BASE_US_PER_SECOND) == after;
    return after_holds ? after : before;
}

const char *base_zone_abbreviation(const base_zone *zone, int64_t utc_us) {
    if (zone == NULL) return "UTC";
    if (zone->is_abbreviation) return zone->name;
    return type_at(zone, floor_div(utc_us, BASE_US_PER_SECOND) + UNIX_2000)->name;
}

const base_zone *base_zone_calendar(const base_zone *zone) {
    return zone != NULL && zone->of != NULL ? zone->of : zone;
}

const char *base_zone_name(const base_zone *zone) {
    return zone == NULL ? "UTC" : zone->name;
}

// ---------------------------------------------------------------------------------------------------
// Finding

static base_rc fail_zone(base_str name, base_error *err) {
    if (name.n > 64) name.n = base_utf8_valid_prefix((base_str){name.p, 64});
    return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER,
                     "time zone \"%.*s\" not recognized", BASE_STR_ARG(name));
}

static const base_zone *find_known(base_str name, bool is_abbreviation) {
    for (const base_zone *z = atomic_load_explicit(&zones, memory_order_acquire); z != NULL;
         z = z->next) {
        if (z->is_abbreviation == is_abbreviation && base_str_eq_nocase(base_str_of(z->name), name))
            return z;
    }
    return NULL;
}

static const base_zone *keep(base_zone *zone) {
    zone->next = atomic_load(&zones);
    while (!atomic_compare_exchange_weak(&zones, &zone->next, zone)) continue;
    return zone;
}

static base_zone *new_zone(base_str name) {
    base_zone *zone = calloc(1, sizeof *zone);
    must(zone != NULL && name.n <= ZONE_NAME_MAX);
    memcpy(zone->name, name.p, name.n);
    return zone;
}

static void give_types(base_zone *zone, const zone_type *type) {
    zone->types = malloc(sizeof *zone->types);
    must(zone->types != NULL);
    zone->types[0] = *type;
}

// Names that are there whether or not the system has zoneinfo files.
static bool is_utc(base_str name) {
    return base_str_eq_nocase(name, BASE_STR("UTC")) || base_str_eq_nocase(name, BASE_STR("GMT")) ||
           base_str_eq_nocase(name, BASE_STR("Etc/UTC"));
}

base_rc base_zone_find(base_str name, const base_zone **zone, base_error *err) {
    static zone_type utc_type = {0, "UTC"};
    static const base_zone utc = {.name = "UTC", .types = &utc_type};
    if (base_str_eq_nocase(name, BASE_STR("UTC"))) {
        *zone = &utc;
        return BASE_OK;
    }
    const base_zone *known = find_known(name, false);
    if (known != NULL) {
        *zone = known;
        return BASE_OK;
    }
    if (name.n == 0 || name.n > ZONE_NAME_MAX || memchr(name.p, '\0', name.n) != NULL)
        return fail_zone(name, err);
    base_zone *found = new_zone(name);
    if (zone_load_file(name, found)) {
        *zone = keep(found);
        return BASE_OK;
    }
    free(found->change_seconds);
    free(found->change_type);
    free(found->types);
    free(found);
    if (is_utc(name)) {
        *zone = &utc;
        return BASE_OK;
    }
    found = new_zone(name);
    if (!zone_parse_rule(found->name, true, &found->rule)) {
        free(found);
        return fail_zone(name, err);
    }
    if (atomic_fetch_add(&rule_count, 1) >= RULES_MAX) {
        atomic_fetch_sub(&rule_count, 1);
        free(found);
        return base_fail(err, BASE_E_LIMIT, NULL,
                         "more than %d time zones that are written as rules are in use", RULES_MAX);
    }
    give_types(found, &found->rule.standard);
    *zone = keep(found);
    return BASE_OK;
}

base_rc base_zone_find_any(base_str name, const base_zone **zone, base_error *err) {
    const char *canonical, *of;
    zone_type type = {0};
    if (!zone_abbreviation_find(name, &canonical, &type.seconds, &of))
        return base_zone_find(name, zone, err);
    const base_zone *known = find_known(name, true);
    if (known != NULL) {
        *zone = known;
        return BASE_OK;
    }
    const base_zone *history = NULL;
    if (of != NULL) {
        base_rc rc = base_zone_find(base_str_of(of), &history, err);
        if (rc != BASE_OK) return rc;
    }
    base_zone *found = new_zone(base_str_of(canonical));
    found->is_abbreviation = true;
    found->of = history;
    memcpy(type.name, found->name, sizeof type.name - 1);
    give_types(found, &type);
    *zone = keep(found);
    return BASE_OK;
}
