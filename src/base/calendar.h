// calendar.h - dates and times as PostgreSQL keeps them: proleptic Gregorian, 64-bit microseconds.
// Units: a date is int32 days since 2000-01-01; time of day is int64 microseconds; timestamp and
// timestamptz are int64 microseconds since 2000-01-01 00:00:00 (UTC for timestamptz).
// INT64_MIN / INT64_MAX (INT32 for dates) are '-infinity' / 'infinity'.
// The session time zone is UTC unless a fixed offset is given; named zones other than UTC/GMT/Z are
// read from the system's zoneinfo (see base_zone_find). Source: PostgreSQL 15, "Date/Time Types".
#ifndef WEIR_BASE_CALENDAR_H
#define WEIR_BASE_CALENDAR_H

#include "base/error.h"
#include "base/str.h"

#define BASE_US_PER_SECOND 1000000ll
#define BASE_US_PER_MINUTE 60000000ll
#define BASE_US_PER_HOUR   3600000000ll
#define BASE_US_PER_DAY    86400000000ll
#define BASE_UNIX_EPOCH_US 946684800000000ll // 2000-01-01 minus 1970-01-01, in microseconds

// As PostgreSQL's Interval: the three fields are kept apart.
typedef struct base_interval {
    int64_t us;
    int32_t days;
    int32_t months;
} base_interval;
_Static_assert(sizeof(base_interval) == 16, "base_interval is part of disk formats");

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

// Parsers accept ISO 8601 and PostgreSQL's usual ISO forms ("2011-12-09 12:50:00.123+01:30",
// "2011-12-09T12:50:00Z", "infinity"); errors are 22007 / 22008. A fast path serves the fixed ISO
// layout. timestamptz text without zone takes zone_offset_seconds (east positive).
BASE_MUST_USE base_rc base_date_parse(base_str text, int32_t *days, base_error *err);
BASE_MUST_USE base_rc base_time_parse(base_str text, int64_t *us, base_error *err);
BASE_MUST_USE base_rc base_timestamp_parse(base_str text, int64_t *us, base_error *err);
BASE_MUST_USE base_rc base_timestamptz_parse(base_str text, int32_t zone_offset_seconds, int64_t *us,
                                             base_error *err);
// PostgreSQL's verbose style and ISO 8601 durations: '1 day 02:03:04', '5 seconds', 'P1DT2H', '-1 mon'.
BASE_MUST_USE base_rc base_interval_parse(base_str text, base_interval *out, base_error *err);

// PostgreSQL's ISO output; each returns the length. BC years as PostgreSQL ("0044-03-15 BC").
int base_date_format(int32_t days, char out[BASE_TIME_TEXT_MAX]);
int base_time_format(int64_t us, char out[BASE_TIME_TEXT_MAX]);
int base_timestamp_format(int64_t us, char out[BASE_TIME_TEXT_MAX]);
int base_timestamptz_format(int64_t us, int32_t zone_offset_seconds, char out[BASE_TIME_TEXT_MAX]);
int base_interval_format(const base_interval *interval, char out[BASE_INTERVAL_TEXT_MAX]);
// RFC 3339 in UTC with 'T' and 'Z', for JSON and logs.
int base_rfc3339_format(int64_t us, char out[BASE_TIME_TEXT_MAX]);

// Order of intervals as PostgreSQL: a month counts 30 days, a day 24 hours.
int base_interval_cmp(const base_interval *a, const base_interval *b);
BASE_MUST_USE base_rc base_interval_total_us(const base_interval *a, int64_t *us, base_error *err);
// timestamp + interval, month arithmetic clamped to the month's end; 22008 on overflow.
BASE_MUST_USE base_rc base_timestamp_add(int64_t us, const base_interval *interval, int64_t *out,
                                         base_error *err);
// field: "microseconds".."millennium", as date_trunc; weeks start on Monday.
BASE_MUST_USE base_rc base_timestamp_trunc(base_str field, int64_t us, int64_t *out, base_error *err);
// extract(field from timestamp) as an exact decimal would have it: value = *unscaled / 10^*scale.
BASE_MUST_USE base_rc base_timestamp_extract(base_str field, int64_t us, int64_t *unscaled, int *scale,
                                             base_error *err);
// Offset of a zone in seconds east at a UTC instant: 'UTC', '+02:00' or an IANA name from zoneinfo.
BASE_MUST_USE base_rc base_zone_offset(base_str zone, int64_t utc_us, int32_t *offset_seconds,
                                       base_error *err);

#endif
