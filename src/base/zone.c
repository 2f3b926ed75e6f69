// zone.c - time zones: fixed offsets, and named ones read from the system's zoneinfo files (TZif,
// RFC 8536) with the rule in their last line for the time after their table. Invariants: a zone
// never changes once it is in the list, and the list only grows (at its head, by compare and swap),
// so readers need no lock. Two threads may read one file at once; then both zones are in the list
// and say the same. The files are read with stdio here, below plat: they are a constant of the
// system, like its C library, and not a part of what a simulation varies. Entry points:
// base_zone_find(), base_zone_offset_at().
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/calendar_int.h"
#include "base/must.h"

#define ZONE_NAME_MAX  63
#define ZONES_MAX      1024      // there are about 600 names
#define FILE_BYTES_MAX (1 << 18) // the largest of Debian 12's has 4 KB
#define UNIX_2000      (BASE_UNIX_EPOCH_US / BASE_US_PER_SECOND)

// When daylight saving time begins or ends: a day of the year and a time on it.
typedef struct zone_change {
    char kind;                // 'M': month, week, weekday; 'J': 1..365, no leap days; '0': 0..365
    int32_t month, week, day; // day: of the week from Sunday for 'M', else of the year
    int32_t time_seconds;     // local, may be negative or over a day
} zone_change;

typedef struct zone_rule {
    bool present, has_saving;
    int32_t standard_seconds, saving_seconds; // east
    zone_change begin, end;
} zone_rule;

struct base_zone {
    const base_zone *next;
    char name[ZONE_NAME_MAX + 1];
    size_t count;            // of changes
    int64_t *change_seconds; // since 1970, ascending
    int32_t *offset_seconds; // from that change on
    int32_t first_seconds;   // before all changes
    zone_rule rule;          // from the last change on
};

static _Atomic(const base_zone *) zones;
static atomic_uint zone_count;

// ---------------------------------------------------------------------------------------------------
// Rules ("CET-1CEST,M3.5.0,M10.5.0/3")

static bool rule_name(const char **p) {
    const char *from = *p;
    if (**p == '<') {
        while (**p != '\0' && **p != '>') (*p)++;
        return *(*p)++ == '>';
    }
    while (is_letter(**p)) (*p)++;
    return *p - from >= 3;
}

static bool rule_number(const char **p, int32_t max, int32_t *out) {
    if (!is_digit(**p)) return false;
    int32_t v = 0;
    while (is_digit(**p) && v <= max) v = v * 10 + (*(*p)++ - '0');
    *out = v;
    return v <= max;
}

// [+-]hh[:mm[:ss]]
static bool rule_time(const char **p, int32_t *seconds) {
    bool negative = **p == '-';
    if (**p == '-' || **p == '+') (*p)++;
    int32_t part, total;
    if (!rule_number(p, 167, &part)) return false;
    total = part * 3600;
    for (int32_t unit = 60; unit >= 1 && **p == ':'; unit /= 60) {
        (*p)++;
        if (!rule_number(p, 59, &part)) return false;
        total += part * unit;
    }
    *seconds = negative ? -total : total;
    return true;
}

static bool rule_change(const char **p, zone_change *change) {
    if (*(*p)++ != ',') return false;
    change->kind = '0';
    if (**p == 'M') {
        change->kind = *(*p)++;
        if (!rule_number(p, 12, &change->month) || change->month < 1 || *(*p)++ != '.' ||
            !rule_number(p, 5, &change->week) || change->week < 1 || *(*p)++ != '.' ||
            !rule_number(p, 6, &change->day)) {
            return false;
        }
    } else {
        if (**p == 'J') change->kind = *(*p)++;
        if (!rule_number(p, 365, &change->day)) return false;
    }
    change->time_seconds = 2 * 3600;
    if (**p != '/') return true;
    (*p)++;
    return rule_time(p, &change->time_seconds);
}

// Each step stops at the NUL at the latest, because a NUL matches nothing that is looked for.
static bool parse_rule(const char *p, zone_rule *rule) {
    int32_t west;
    if (!rule_name(&p) || !rule_time(&p, &west)) return false;
    rule->standard_seconds = -west;
    rule->present = true;
    if (*p == '\0') return true;
    if (!rule_name(&p)) return false;
    rule->has_saving = true;
    rule->saving_seconds = rule->standard_seconds + 3600;
    if (*p != ',') {
        if (!rule_time(&p, &west)) return false;
        rule->saving_seconds = -west;
    }
    return rule_change(&p, &rule->begin) && rule_change(&p, &rule->end) && *p == '\0';
}

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

static int32_t rule_offset(const zone_rule *rule, int64_t unix_seconds) {
    if (!rule->has_saving) return rule->standard_seconds;
    int64_t local = unix_seconds - UNIX_2000 + rule->standard_seconds;
    int32_t year, month, day;
    base_civil_from_days((int32_t)floor_div(local, 86400), &year, &month, &day);
    int64_t begin = change_at(&rule->begin, year) - rule->standard_seconds;
    int64_t end = change_at(&rule->end, year) - rule->saving_seconds;
    bool saving = begin < end ? unix_seconds >= begin && unix_seconds < end
                              : unix_seconds >= begin || unix_seconds < end;
    return saving ? rule->saving_seconds : rule->standard_seconds;
}

// ---------------------------------------------------------------------------------------------------
// Files

static int64_t read_be(const uint8_t *p, size_t bytes) {
    uint64_t v = (p[0] & 0x80) != 0 ? UINT64_MAX : 0;
    for (size_t i = 0; i < bytes; i++) v = v << 8 | p[i];
    return (int64_t)v;
}

typedef struct tzif_header {
    char version;
    int64_t utc_count, standard_count, leap_count, time_count, type_count, char_count;
} tzif_header;

#define TZIF_HEADER_BYTES 44

static bool tzif_read_header(const uint8_t *p, size_t n, tzif_header *h) {
    if (n < TZIF_HEADER_BYTES || memcmp(p, "TZif", 4) != 0) return false;
    h->version = (char)p[4];
    int64_t *counts[] = {&h->utc_count,  &h->standard_count, &h->leap_count,
                         &h->time_count, &h->type_count,     &h->char_count};
    for (int i = 0; i < 6; i++) {
        *counts[i] = read_be(p + 20 + 4 * i, 4);
        if (*counts[i] < 0 || *counts[i] > FILE_BYTES_MAX) return false;
    }
    return h->type_count > 0;
}

static size_t tzif_body_bytes(const tzif_header *h, size_t time_bytes) {
    return (size_t)h->time_count * (time_bytes + 1) + (size_t)h->type_count * 6 +
           (size_t)h->char_count + (size_t)h->leap_count * (time_bytes + 4) +
           (size_t)h->standard_count + (size_t)h->utc_count;
}

static bool tzif_load(const uint8_t *p, size_t n, base_zone *zone) {
    tzif_header h;
    // Version 1 has 32-bit times only; every file of this century has a second part with 64 bits.
    if (!tzif_read_header(p, n, &h) || h.version < '2') return false;
    size_t skip = TZIF_HEADER_BYTES + tzif_body_bytes(&h, 4);
    if (skip > n || !tzif_read_header(p + skip, n - skip, &h)) return false;
    p += skip + TZIF_HEADER_BYTES;
    n -= skip + TZIF_HEADER_BYTES;
    size_t body = tzif_body_bytes(&h, 8), count = (size_t)h.time_count;
    if (body > n) return false;
    const uint8_t *types = p + count * 8, *type_table = types + count;
    zone->change_seconds = malloc((count + 1) * sizeof *zone->change_seconds);
    zone->offset_seconds = malloc((count + 1) * sizeof *zone->offset_seconds);
    must(zone->change_seconds != NULL && zone->offset_seconds != NULL);
    for (size_t i = 0; i < count; i++) {
        if (types[i] >= h.type_count) return false;
        zone->change_seconds[i] = read_be(p + i * 8, 8);
        zone->offset_seconds[i] = (int32_t)read_be(type_table + types[i] * 6, 4);
        if (i > 0 && zone->change_seconds[i] <= zone->change_seconds[i - 1]) return false;
        if (zone->offset_seconds[i] <= -86400 || zone->offset_seconds[i] >= 86400) return false;
    }
    zone->count = count;
    zone->first_seconds = (int32_t)read_be(type_table, 4);
    if (zone->first_seconds <= -86400 || zone->first_seconds >= 86400) return false;
    // The last line: newline, rule, newline.
    char rule[128];
    const char *line = (const char *)p + body;
    size_t line_n = n - body;
    if (line_n < 2 || line_n - 2 >= sizeof rule || line[0] != '\n' || line[line_n - 1] != '\n') {
        return false;
    }
    memcpy(rule, line + 1, line_n - 2);
    rule[line_n - 2] = '\0';
    return rule[0] == '\0' || parse_rule(rule, &zone->rule);
}

static bool name_is_safe(base_str name) {
    if (name.n == 0 || name.n > ZONE_NAME_MAX || !is_letter(name.p[0])) return false;
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        // No dots: no way out of the directory.
        if (!is_letter(c) && !is_digit(c) && c != '_' && c != '+' && c != '-' && c != '/')
            return false;
    }
    return true;
}

static bool load_file(base_str name, base_zone *zone) {
    char path[128];
    snprintf(path, sizeof path, "/usr/share/zoneinfo/%.*s", BASE_STR_ARG(name));
    FILE *file = fopen(path, "rbe");
    if (file == NULL) return false;
    uint8_t *bytes = malloc(FILE_BYTES_MAX);
    must(bytes != NULL);
    size_t n = fread(bytes, 1, FILE_BYTES_MAX, file);
    bool ok = !ferror(file) && n < FILE_BYTES_MAX && tzif_load(bytes, n, zone);
    fclose(file);
    free(bytes);
    return ok;
}

// ---------------------------------------------------------------------------------------------------
// Finding and asking

static bool is_utc(base_str name) {
    static const base_str names[] = {{"UTC", 3}, {"GMT", 3}, {"Z", 1}, {"zulu", 4}, {"Etc/UTC", 7}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (base_str_eq_nocase(name, names[i])) return true;
    }
    return false;
}

// "+02", "-05:30": all of the text.
static bool is_displacement(base_str name, int32_t *offset_seconds) {
    if (name.n < 2 || (name.p[0] != '+' && name.p[0] != '-')) return false;
    const char *p = name.p, *end = name.p + name.n;
    return base_scan_displacement(&p, end, offset_seconds) > 0 && p == end;
}

static base_rc fail_zone(base_str name, base_error *err) {
    return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER,
                     "time zone \"%.*s\" not recognized", name.n > 64 ? 64 : (int)name.n, name.p);
}

base_rc base_zone_find(base_str name, const base_zone **zone, base_error *err) {
    static const base_zone utc = {.name = "UTC"};
    if (is_utc(name)) {
        *zone = &utc;
        return BASE_OK;
    }
    for (const base_zone *z = atomic_load_explicit(&zones, memory_order_acquire); z != NULL;
         z = z->next) {
        if (base_str_eq(base_str_of(z->name), name)) {
            *zone = z;
            return BASE_OK;
        }
    }
    int32_t fixed;
    bool is_fixed = is_displacement(name, &fixed);
    if (!is_fixed && !name_is_safe(name)) return fail_zone(name, err);
    if (atomic_load(&zone_count) >= ZONES_MAX) {
        return base_fail(err, BASE_E_LIMIT, NULL, "more than %d time zones are in use", ZONES_MAX);
    }
    base_zone *found = calloc(1, sizeof *found);
    must(found != NULL);
    memcpy(found->name, name.p, name.n);
    if (is_fixed) {
        found->first_seconds = fixed;
    } else if (!load_file(name, found)) {
        free(found->change_seconds);
        free(found->offset_seconds);
        free(found);
        return fail_zone(name, err);
    }
    found->next = atomic_load(&zones);
    while (!atomic_compare_exchange_weak(&zones, &found->next, found)) continue;
    atomic_fetch_add(&zone_count, 1);
    *zone = found;
    return BASE_OK;
}

int32_t base_zone_offset_at(const base_zone *zone, int64_t utc_us) {
    int64_t seconds = floor_div(utc_us, BASE_US_PER_SECOND) + UNIX_2000;
    if (zone->count == 0) {
        return zone->rule.present ? rule_offset(&zone->rule, seconds) : zone->first_seconds;
    }
    if (seconds < zone->change_seconds[0]) return zone->first_seconds;
    size_t low = 0, high = zone->count; // change low is at or before seconds, high is after
    if (seconds >= zone->change_seconds[high - 1]) {
        return zone->rule.present ? rule_offset(&zone->rule, seconds)
                                  : zone->offset_seconds[high - 1];
    }
    while (high - low > 1) {
        size_t middle = (low + high) / 2;
        if (zone->change_seconds[middle] <= seconds) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return zone->offset_seconds[low];
}

int32_t base_zone_offset_local(const base_zone *zone, int64_t local_us) {
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

base_rc base_zone_offset(base_str zone, int64_t utc_us, int32_t *offset_seconds, base_error *err) {
    if (is_displacement(zone, offset_seconds)) return BASE_OK;
    const base_zone *found;
    base_rc rc = base_zone_find(zone, &found, err);
    if (rc != BASE_OK) return rc;
    *offset_seconds = base_zone_offset_at(found, utc_us);
    return BASE_OK;
}
