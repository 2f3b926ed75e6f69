// calendar.h - dates and times as PostgreSQL keeps them: proleptic Gregorian, 64-bit microseconds.
// Units: a date is int32 days since 2000-01-01; time of day is int64 microseconds; timestamp and
// timestamptz are int64 microseconds since 2000-01-01 00:00:00 (UTC for timestamptz).
// INT64_MIN / INT64_MAX (INT32 for dates) are '-infinity' / 'infinity'.
// Time zones are read from the system's zoneinfo (see base_zone_find). Source: PostgreSQL 15,
// "Date/Time Types". Timestamps lie from 4714-11-24 BC to 294276 AD, dates to 5874897 AD, as
// PostgreSQL's. Threads: all functions may be called by any thread.
#ifndef WEIR_BASE_CALENDAR_H
#define WEIR_BASE_CALENDAR_H

#include "base/error.h"
#include "base/str.h"

#define BASE_US_PER_SECOND 1000000ll
#define BASE_US_PER_MINUTE 60000000ll
#define BASE_US_PER_HOUR   3600000000ll
#define BASE_US_PER_DAY    86400000000ll
#define BASE_UNIX_EPOCH_US 946684800000000ll // 2000-01-01 minus 1970-01-01, in microseconds

#define BASE_TIMESTAMP_MIN (-211813488000000000ll) // 4714-11-24 00:00:00 BC, the first valid one
#define BASE_TIMESTAMP_END 9223371331200000000ll   // 294277-01-01 00:00:00, the first invalid one
#define BASE_DATE_MIN      (-2451545)
#define BASE_DATE_END      2145031949

// As PostgreSQL's Interval: the three fields are kept apart.
typedef struct base_interval {
    int64_t us;
    int32_t days;
    int32_t months;
} base_interval;
_Static_assert(sizeof(base_interval) == 16, "base_interval is part of disk formats");

typedef struct base_zone base_zone;

#define BASE_TIME_TEXT_MAX     48
#define BASE_INTERVAL_TEXT_MAX 96

typedef struct base_civil {
    int32_t year; // astronomical: 0 is 1 BC
    int32_t month, day, hour, minute, second, us;
} base_civil;

int32_t base_days_from_civil(int32_t year, int32_t month, int32_t day); // since 2000-01-01
void base_civil_from_days(int32_t days, int32_t *year, int32_t *month, int32_t *day);
base_civil base_civil_from_us(int64_t us);
int64_t base_us_from_civil(const base_civil *civil);
static inline bool base_timestamp_valid(int64_t us) { // infinities are
    return (us >= BASE_TIMESTAMP_MIN && us < BASE_TIMESTAMP_END) || us == INT64_MIN ||
           us == INT64_MAX;
}

// Parsers accept ISO 8601 and PostgreSQL's usual ISO forms ("2011-12-09 12:50:00.123+01:30",
// "2011-12-09T12:50:00Z", "infinity"); errors are 22007 / 22008. A fast path serves the fixed ISO
// layout. timestamptz text without zone takes the zone given. The order of a
// date is year, month, day; names of months and two-digit years are not read. Words that would read
// the clock ('now', 'today') are BASE_E_UNSUPPORTED: a value may not depend on when it is parsed.
BASE_MUST_USE base_rc base_date_parse(base_str text, int32_t *days, base_error *err);
BASE_MUST_USE base_rc base_time_parse(base_str text, int64_t *us, base_error *err);
BASE_MUST_USE base_rc base_timestamp_parse(base_str text, int64_t *us, base_error *err);
BASE_MUST_USE base_rc base_timestamptz_parse(base_str text, const base_zone *zone, int64_t *us,
                                             base_error *err);
// The same, but a day alone, without a time and a zone, means its last microsecond in the zone.
BASE_MUST_USE base_rc base_until_parse(base_str text, const base_zone *zone, int64_t *us,
                                       base_error *err);
// PostgreSQL's verbose style and ISO 8601 durations: '1 day 02:03:04', '5 seconds', 'P1DT2H', '-1
// mon'.
BASE_MUST_USE base_rc base_interval_parse(base_str text, base_interval *out, base_error *err);

// PostgreSQL's ISO output; each returns the length. BC years as PostgreSQL ("0044-03-15 BC").
int base_date_format(int32_t days, char out[BASE_TIME_TEXT_MAX]);
int base_time_format(int64_t us, char out[BASE_TIME_TEXT_MAX]);
int base_timestamp_format(int64_t us, char out[BASE_TIME_TEXT_MAX]);
int base_timestamptz_format(int64_t us, const base_zone *zone, char out[BASE_TIME_TEXT_MAX]);
int base_interval_format(const base_interval *interval, char out[BASE_INTERVAL_TEXT_MAX]);
// RFC 3339 in UTC with 'T' and 'Z', for JSON and logs.
int base_rfc3339_format(int64_t us, char out[BASE_TIME_TEXT_MAX]);

// Order of intervals as PostgreSQL: a month counts 30 days, a day 24 hours.
int base_interval_cmp(const base_interval *a, const base_interval *b);
BASE_MUST_USE base_rc base_interval_total_us(const base_interval *a, int64_t *us, base_error *err);
// timestamp + interval, month arithmetic clamped to the month's end; 22008 on overflow.
BASE_MUST_USE base_rc base_timestamp_add(int64_t us, const base_interval *interval, int64_t *out,
                                         base_error *err);

// The fields of date_trunc and extract, so that a name is looked up once and not per row.
typedef enum base_time_field {
    BASE_FIELD_MICROSECONDS,
    BASE_FIELD_MILLISECONDS,
    BASE_FIELD_SECOND,
    BASE_FIELD_MINUTE,
    BASE_FIELD_HOUR,
    BASE_FIELD_DAY,
    BASE_FIELD_WEEK,
    BASE_FIELD_MONTH,
    BASE_FIELD_QUARTER,
    BASE_FIELD_YEAR,
    BASE_FIELD_DECADE,
    BASE_FIELD_CENTURY,
    BASE_FIELD_MILLENNIUM, // the fields of date_trunc end here
    BASE_FIELD_ISOYEAR,
    BASE_FIELD_DOW,
    BASE_FIELD_ISODOW,
    BASE_FIELD_DOY,
    BASE_FIELD_EPOCH,
} base_time_field;
// Names and abbreviations as PostgreSQL's; 22023 for an unknown one.
BASE_MUST_USE base_rc base_time_field_find(base_str name, base_time_field *field, base_error *err);

// field: "microseconds".."millennium", as date_trunc; weeks start on Monday.
BASE_MUST_USE base_rc base_timestamp_trunc(base_str field, int64_t us, int64_t *out,
                                           base_error *err);
BASE_MUST_USE base_rc base_timestamp_trunc_field(base_time_field field, int64_t us, int64_t *out,
                                                 base_error *err);
// extract(field from timestamp) as an exact decimal would have it: value = *unscaled / 10^*scale.
// BASE_E_UNSUPPORTED for infinities.
BASE_MUST_USE base_rc base_timestamp_extract(base_str field, int64_t us, int64_t *unscaled,
                                             int *scale, base_error *err);
BASE_MUST_USE base_rc base_timestamp_extract_field(base_time_field field, int64_t us,
                                                   int64_t *unscaled, int *scale, base_error *err);

// The same of a date, for days and longer fields.
int64_t base_date_extract_field(base_time_field field, int32_t days);

// A time zone. Names are PostgreSQL's: an IANA name in any case, or POSIX's form, where west is
// positive ("UTC+3", "<+02>-2", "EST5EDT,M3.2.0,M11.1.0", "+02:00"). Found zones live as long as
// the process. Wherever a zone is taken, NULL stands for UTC.
BASE_MUST_USE base_rc base_zone_find(base_str name, const base_zone **zone, base_error *err);
// The same, and abbreviations ("CEST", "MSK") before other names, as AT TIME ZONE and the text of a
// timestamptz take them.
BASE_MUST_USE base_rc base_zone_find_any(base_str name, const base_zone **zone, base_error *err);
// "+hh", "+hhmm", "+hh:mm", "+hh:mm:ss" as the whole text, east positive: 1 if it is one, 0 if not,
// -1 if it is out of range (16 hours and more).
int base_displacement_parse(base_str text, int32_t *offset_seconds);
const char *base_zone_name(const base_zone *zone); // canonical
// The zone itself; of an abbreviation that has meant several offsets the zone whose history says
// so. date_trunc and windows go by that zone's calendar.
const base_zone *base_zone_calendar(const base_zone *zone);
// Offset in seconds east at a UTC instant, and at a local time: a time that a change skips counts
// by the offset before it, one that it repeats by the offset after it, as in PostgreSQL.
int32_t base_zone_offset_at(const base_zone *zone, int64_t utc_us);
int32_t base_zone_offset_local(const base_zone *zone, int64_t local_us);
const char *base_zone_abbreviation(const base_zone *zone, int64_t utc_us); // "CET"

#endif
