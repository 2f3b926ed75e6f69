// zone_int.h - a time zone's inside, for zone.c (asking and finding), zone_file.c (where zones come
// from) and zone_names.c (abbreviations).
#ifndef WEIR_BASE_ZONE_INT_H
#define WEIR_BASE_ZONE_INT_H

#include "base/calendar_int.h"

#define ZONE_NAME_MAX         63
#define ZONE_ABBREVIATION_MAX 15
#define UNIX_2000             (BASE_UNIX_EPOCH_US / BASE_US_PER_SECOND)

// An offset and what people call it ("CET", "-03").
typedef struct zone_type {
    int32_t seconds; // east, less than a day either way
    char name[ZONE_ABBREVIATION_MAX + 1];
} zone_type;

// When daylight saving time begins or ends: a day of the year and a time on it.
typedef struct zone_change {
    char kind;                // 'M': month, week, weekday; 'J': 1..365, no leap days; '0': 0..365
    int32_t month, week, day; // day: of the week from Sunday for 'M', else of the year
    int32_t time_seconds;     // local, may be negative or over a day
} zone_change;

typedef struct zone_rule {
    bool present, has_saving;
    zone_type standard, saving;
    zone_change begin, end;
} zone_rule;

struct base_zone {
    const base_zone *next;
    char name[ZONE_NAME_MAX + 1]; // canonical; of an abbreviation in upper case
    bool is_abbreviation;
    const base_zone *of;     // an abbreviation that has meant several offsets there; or NULL
    size_t count;            // of changes
    int64_t *change_seconds; // since 1970, ascending
    uint8_t *change_type;    // from that change on
    zone_type *types;        // types[0]: before all changes
    zone_rule rule;          // from the last change on
};

// From the system's file of that name in any case; the canonical name goes to zone->name.
bool zone_load_file(base_str name, base_zone *zone);
// "CET-1CEST,M3.5.0,M10.5.0/3": the last line of a file. posix: as users may write it, with short
// names, and with the rules of the United States where it says none.
bool zone_parse_rule(const char *p, bool posix, zone_rule *rule);

// The offset that an abbreviation (any case) stands for, or the name of the zone whose history says
// it (then *of != NULL). canonical is the abbreviation in upper case.
bool zone_abbreviation_find(base_str name, const char **canonical, int32_t *seconds,
                            const char **of);

#endif
