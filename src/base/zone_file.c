// zone_file.c - where time zones come from: the system's zoneinfo files (TZif, RFC 8536) with the
// rule in their last line for the time after their table, and rules that users write. The files are
// read with stdio here, below plat: they are a constant of the system, like its C library, and not
// a part of what a simulation varies. Entry points: zone_load_file(), zone_parse_rule().
#include <stdio.h>
#include <stdlib.h>

#include "base/must.h"
#include "base/zone_int.h"

#define ZONEINFO       "/usr/share/zoneinfo"
#define FILE_BYTES_MAX (1 << 18) // the largest of Debian 12's has 4 KB

// ---------------------------------------------------------------------------------------------------
// Rules ("CET-1CEST,M3.5.0,M10.5.0/3")

// A name of letters, or of anything between < and >. A user's may be of other characters too, and
// empty ("+02:00").
static bool rule_name(const char **p, bool posix, char name[ZONE_ABBREVIATION_MAX + 1]) {
    bool quoted = **p == '<';
    if (quoted) (*p)++;
    const char *from = *p;
    if (quoted) {
        while (**p != '\0' && **p != '>') (*p)++;
    } else if (posix) {
        while ((**p < 0 || **p > ' ') && !is_digit(**p) && **p != ',' && **p != '+' && **p != '-')
            (*p)++;
    } else {
        while (is_letter(**p)) (*p)++;
    }
    size_t n = (size_t)(*p - from), kept = n < ZONE_ABBREVIATION_MAX ? n : ZONE_ABBREVIATION_MAX;
    memcpy(name, from, kept);
    name[kept] = '\0';
    if (quoted) return *(*p)++ == '>';
    return posix || n >= 3;
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

static bool within_a_day(int32_t seconds) {
    return seconds > -86400 && seconds < 86400;
}

// Each step stops at the NUL at the latest, because a NUL matches nothing that is looked for.
bool zone_parse_rule(const char *p, bool posix, zone_rule *rule) {
    static const char common[] = ",M3.2.0,M11.1.0";
    int32_t west;
    if (!rule_name(&p, posix, rule->standard.name) || !rule_time(&p, &west)) return false;
    rule->standard.seconds = -west;
    rule->present = true;
    if (!within_a_day(west)) return false;
    if (*p == '\0') return true;
    if (!rule_name(&p, posix, rule->saving.name) || rule->saving.name[0] == '\0') return false;
    rule->has_saving = true;
    rule->saving.seconds = rule->standard.seconds + 3600;
    if (*p != ',' && *p != '\0') {
        if (!rule_time(&p, &west)) return false;
        rule->saving.seconds = -west;
    }
    if (!within_a_day(rule->saving.seconds)) return false;
    if (*p == '\0' && posix) p = common;
    return rule_change(&p, &rule->begin) && rule_change(&p, &rule->end) && *p == '\0';
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

static bool load_types(const uint8_t *table, const tzif_header *h, base_zone *zone) {
    const char *chars = (const char *)(table + h->type_count * 6);
    zone->types = calloc((size_t)h->type_count, sizeof *zone->types);
    must(zone->types != NULL);
    for (int64_t i = 0; i < h->type_count; i++) {
        zone_type *type = &zone->types[i];
        type->seconds = (int32_t)read_be(table + i * 6, 4);
        if (!within_a_day(type->seconds)) return false;
        int64_t at = table[i * 6 + 5];
        for (size_t n = 0; at < h->char_count && chars[at] != '\0' && n < ZONE_ABBREVIATION_MAX;
             n++)
            type->name[n] = chars[at++];
    }
    return true;
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
    // Days have 86,400 seconds here: no zone that counts leap seconds ("right/...").
    if (body > n || h.leap_count != 0 || h.type_count > 256) return false;
    const uint8_t *types = p + count * 8;
    if (!load_types(types + count, &h, zone)) return false;
    zone->change_seconds = malloc((count + 1) * sizeof *zone->change_seconds);
    zone->change_type = malloc(count + 1);
    must(zone->change_seconds != NULL && zone->change_type != NULL);
    for (size_t i = 0; i < count; i++) {
        if (types[i] >= h.type_count) return false;
        zone->change_seconds[i] = read_be(p + i * 8, 8);
        zone->change_type[i] = types[i];
        if (i > 0 && zone->change_seconds[i] <= zone->change_seconds[i - 1]) return false;
    }
    zone->count = count;
    // The last line: newline, rule, newline.
    char rule[128];
    const char *line = (const char *)p + body;
    size_t line_n = n - body;
    if (line_n < 2 || line_n - 2 >= sizeof rule || line[0] != '\n' || line[line_n - 1] != '\n') {
        return false;
    }
    memcpy(rule, line + 1, line_n - 2);
    rule[line_n - 2] = '\0';
    return rule[0] == '\0' || zone_parse_rule(rule, false, &zone->rule);
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

static bool load_path(const char *path, base_zone *zone) {
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

// The next word of a line; n == 0: there is none.
static base_str next_word(const char **p) {
    while (**p == ' ' || **p == '\t') (*p)++;
    const char *from = *p;
    while (**p != '\0' && !is_blank(**p)) (*p)++;
    return (base_str){from, (size_t)(*p - from)};
}

// Writes the name as the list of all zones spells it; false if it is not in the list. The list is
// zoneinfo's source: lines "Z name ..." and "L target name".
static bool spell(base_str name, char canonical[ZONE_NAME_MAX + 1]) {
    FILE *file = fopen(ZONEINFO "/tzdata.zi", "re");
    if (file == NULL) return false;
    char line[512];
    bool found = false;
    while (!found && fgets(line, sizeof line, file) != NULL) {
        if (line[0] != 'Z' && line[0] != 'L') continue;
        const char *p = line + 1;
        base_str word = next_word(&p);
        if (line[0] == 'L') word = next_word(&p);
        found = base_str_eq_nocase(word, name);
        if (found) memcpy(canonical, word.p, word.n);
    }
    fclose(file);
    return found;
}

bool zone_load_file(base_str name, base_zone *zone) {
    if (!name_is_safe(name)) return false;
    char path[sizeof ZONEINFO + ZONE_NAME_MAX + 1];
    memcpy(zone->name, name.p, name.n);
    snprintf(path, sizeof path, ZONEINFO "/%s", zone->name);
    if (load_path(path, zone)) return true;
    if (!spell(name, zone->name)) return false;
    snprintf(path, sizeof path, ZONEINFO "/%s", zone->name);
    return load_path(path, zone);
}
