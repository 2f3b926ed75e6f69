// func_field.c - fields of times: extract and date_part, date_trunc, date_bin, age.
// Source: PostgreSQL 15. A field's name is looked up once for each run of rows that have the same.
// extract gives NUMERIC with PostgreSQL's scales, date_part the same values as FLOAT8.
#include <math.h>
#include <stdlib.h>

#include "base/must.h"
#include "col/cast_int.h"
#include "col/func_time_int.h"

// Fields that base_time_field does not have.
enum {
    FIELD_TIMEZONE = 100,
    FIELD_TIMEZONE_HOUR,
    FIELD_TIMEZONE_MINUTE,
    FIELD_JULIAN,
};

#define JULIAN_2000 2451545 // the Julian day of 2000-01-01

typedef struct field_cache {
    base_str name;
    int field;
    bool found;
} field_cache;

// Names of fields are shown in lower case.
static base_rc field_error(base_str name, col_kind kind, const char *sqlstate, const char *what,
                           base_error *err) {
    char lower[64];
    size_t n = name.n < sizeof lower ? name.n : sizeof lower;
    for (size_t i = 0; i < n; i++) {
        char c = name.p[i];
        lower[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
    }
    n = base_utf8_valid_prefix((base_str){lower, n});
    return base_fail(err, BASE_E_INVALID, sqlstate, "unit \"%.*s\" not %s for type %s", (int)n,
                     lower, what, col_kind_name(kind));
}

static base_rc unknown_field(base_str name, col_kind kind, base_error *err) {
    return field_error(name, kind, BASE_SQLSTATE_INVALID_PARAMETER, "recognized", err);
}

static base_rc unsupported_field(base_str name, col_kind kind, base_error *err) {
    return field_error(name, kind, BASE_SQLSTATE_UNSUPPORTED, "supported", err);
}

static base_rc find_field(field_cache *cache, base_str name, col_kind kind, base_error *err) {
    if (cache->found && base_str_eq(cache->name, name)) return BASE_OK;
    static const struct {
        const char *name;
        int field;
    } more[] = {
        {"timezone", FIELD_TIMEZONE},          {"timezone_hour", FIELD_TIMEZONE_HOUR},
        {"timezone_h", FIELD_TIMEZONE_HOUR},   {"timezone_minute", FIELD_TIMEZONE_MINUTE},
        {"timezone_m", FIELD_TIMEZONE_MINUTE}, {"julian", FIELD_JULIAN},
    };
    cache->name = name;
    cache->found = true;
    for (size_t i = 0; i < sizeof more / sizeof more[0]; i++) {
        if (!base_str_eq_nocase(name, base_str_of(more[i].name))) continue;
        cache->field = more[i].field;
        return BASE_OK;
    }
    base_time_field field;
    base_error ignored;
    cache->found = base_time_field_find(name, &field, &ignored) == BASE_OK;
    cache->field = (int)field;
    return cache->found ? BASE_OK : unknown_field(name, kind, err);
}

// value / 10^scale, or infinite (for monotonic fields of infinity), or null. Of a timestamp's
// Julian day: value + day_us / a day.
typedef struct field_value {
    base_i128 value;
    int scale;
    bool has_day_us;
    int64_t day_us;
    int infinite; // -1, 0, 1
    bool null;
} field_value;

static bool is_monotonic(int field) {
    switch (field) {
    case BASE_FIELD_YEAR:
    case BASE_FIELD_DECADE:
    case BASE_FIELD_CENTURY:
    case BASE_FIELD_MILLENNIUM:
    case BASE_FIELD_ISOYEAR:
    case BASE_FIELD_EPOCH:
    case FIELD_JULIAN:
        return true;
    default:
        return false;
    }
}

static void infinite_value(int field, bool negative, field_value *v) {
    *v = (field_value){0};
    if (is_monotonic(field)) {
        v->infinite = negative ? -1 : 1;
    } else {
        v->null = true;
    }
}

static base_rc extract_timestamp(int field, base_str name, int64_t us, col_kind kind,
                                 int32_t offset, field_value *v, base_error *err) {
    if (us == INT64_MIN || us == INT64_MAX) {
        infinite_value(field, us < 0, v);
        return BASE_OK;
    }
    if (field >= FIELD_TIMEZONE && field != FIELD_JULIAN && kind != COL_TIMESTAMPTZ) {
        return unsupported_field(name, kind, err);
    }
    *v = (field_value){0};
    switch (field) {
    case FIELD_TIMEZONE:
        v->value = offset;
        return BASE_OK;
    case FIELD_TIMEZONE_HOUR:
        v->value = offset / 3600;
        return BASE_OK;
    case FIELD_TIMEZONE_MINUTE:
        v->value = offset / 60 % 60;
        return BASE_OK;
    default:
        break;
    }
    if (field == BASE_FIELD_EPOCH) {
        v->value = (base_i128)us + BASE_UNIX_EPOCH_US;
        v->scale = 6;
        // Beyond 64 bits PostgreSQL divides decimals, and keeps four digits of the fraction.
        if (v->value > INT64_MAX) v->value = (v->value + 50) / 100 * 100;
        return BASE_OK;
    }
    us += offset * BASE_US_PER_SECOND;
    if (field == FIELD_JULIAN) {
        v->day_us = us % BASE_US_PER_DAY + (us % BASE_US_PER_DAY < 0 ? BASE_US_PER_DAY : 0);
        v->has_day_us = true;
        v->value = (us - v->day_us) / BASE_US_PER_DAY + JULIAN_2000;
        return BASE_OK;
    }
    int64_t unscaled = 0;
    base_rc rc =
        base_timestamp_extract_field((base_time_field)field, us, &unscaled, &v->scale, err);
    v->value = unscaled;
    return rc;
}

static base_rc extract_date(int field, base_str name, int32_t days, field_value *v,
                            base_error *err) {
    if (field <= BASE_FIELD_HOUR || (field >= FIELD_TIMEZONE && field != FIELD_JULIAN)) {
        return unsupported_field(name, COL_DATE, err);
    }
    if (days == INT32_MIN || days == INT32_MAX) {
        infinite_value(field, days < 0, v);
        return BASE_OK;
    }
    *v = (field_value){0};
    if (field == FIELD_JULIAN) {
        v->value = (int64_t)days + JULIAN_2000;
        return BASE_OK;
    }
    if (field == BASE_FIELD_EPOCH) {
        v->value = days * (int64_t)86400 + BASE_UNIX_EPOCH_US / BASE_US_PER_SECOND;
        return BASE_OK;
    }
    v->value = base_date_extract_field((base_time_field)field, days);
    return BASE_OK;
}

// Seconds and finer of a time part.
static bool extract_clock(int field, int64_t us, field_value *v) {
    *v = (field_value){0};
    switch (field) {
    case BASE_FIELD_MICROSECONDS:
        v->value = us % BASE_US_PER_MINUTE;
        return true;
    case BASE_FIELD_MILLISECONDS:
        v->value = us % BASE_US_PER_MINUTE;
        v->scale = 3;
        return true;
    case BASE_FIELD_SECOND:
        v->value = us % BASE_US_PER_MINUTE;
        v->scale = 6;
        return true;
    case BASE_FIELD_MINUTE:
        v->value = us / BASE_US_PER_MINUTE % 60;
        return true;
    case BASE_FIELD_HOUR:
        v->value = us / BASE_US_PER_HOUR;
        return true;
    default:
        return false;
    }
}

static base_rc extract_time(int field, base_str name, int64_t us, field_value *v, base_error *err) {
    if (extract_clock(field, us, v)) return BASE_OK;
    if (field != BASE_FIELD_EPOCH) return unsupported_field(name, COL_TIME, err);
    v->value = us;
    v->scale = 6;
    return BASE_OK;
}

static base_rc extract_interval(int field, base_str name, const base_interval *interval,
                                field_value *v, base_error *err) {
    if (extract_clock(field, interval->us, v)) return BASE_OK;
    int32_t years = interval->months / 12;
    switch (field) {
    case BASE_FIELD_DAY:
        v->value = interval->days;
        return BASE_OK;
    case BASE_FIELD_MONTH:
        v->value = interval->months % 12;
        return BASE_OK;
    case BASE_FIELD_QUARTER:
        v->value = interval->months % 12 / 3 + 1;
        return BASE_OK;
    case BASE_FIELD_YEAR:
        v->value = years;
        return BASE_OK;
    case BASE_FIELD_DECADE:
        v->value = years / 10;
        return BASE_OK;
    case BASE_FIELD_CENTURY:
        v->value = years / 100;
        return BASE_OK;
    case BASE_FIELD_MILLENNIUM:
        v->value = years / 1000;
        return BASE_OK;
    case BASE_FIELD_EPOCH: { // a year is 365.25 days here, a month 30
        base_i128 quarter_days =
            (base_i128)years * 1461 + (interval->months % 12) * 120 + (base_i128)interval->days * 4;
        v->value = quarter_days * (BASE_US_PER_DAY / 4) + interval->us;
        v->scale = 6;
        return BASE_OK;
    }
    default:
        return unsupported_field(name, COL_INTERVAL, err);
    }
}

static base_rc extract_cell(const col_func_ctx *ctx, field_cache *cache, base_str name,
                            const col_vec *from, uint32_t row, bool date_part, field_value *v,
                            base_error *err) {
    col_kind kind = from->type.kind;
    bool as_midnight = date_part && kind == COL_DATE; // date_part of a date is of its midnight
    int64_t midnight = 0;
    base_rc rc = as_midnight ? func_date_to_us(col_i32(from)[row], &midnight, err) : BASE_OK;
    if (rc == BASE_OK) rc = find_field(cache, name, as_midnight ? COL_TIMESTAMP : kind, err);
    if (rc != BASE_OK) return rc;
    switch (kind) {
    case COL_TIMESTAMP:
        return extract_timestamp(cache->field, name, col_i64(from)[row], kind, 0, v, err);
    case COL_TIMESTAMPTZ:
        return extract_timestamp(cache->field, name, col_i64(from)[row], kind,
                                 base_zone_offset_at(ctx->zone, col_i64(from)[row]), v, err);
    case COL_DATE:
        if (as_midnight)
            return extract_timestamp(cache->field, name, midnight, COL_TIMESTAMP, 0, v, err);
        return extract_date(cache->field, name, col_i32(from)[row], v, err);
    case COL_TIME:
        return extract_time(cache->field, name, col_i64(from)[row], v, err);
    default:
        must(kind == COL_INTERVAL);
        return extract_interval(cache->field, name, &col_interval(from)[row], v, err);
    }
}

static base_rc field_decimal(const field_value *v, base_decimal *out, base_error *err) {
    *out = base_decimal_make(v->value, v->scale);
    if (!v->has_day_us) return BASE_OK;
    base_decimal part;
    base_rc rc = base_decimal_div(base_decimal_from_i64(v->day_us),
                                  base_decimal_from_i64(BASE_US_PER_DAY), &part, err);
    return rc == BASE_OK ? base_decimal_add(*out, part, out, err) : rc;
}

FUNC_KERNEL(extract_numeric) {
    FUNC_UNUSED;
    field_cache cache = {0};
    base_error e;
    FUNC_EACH(i) {
        field_value v = {0};
        base_rc rc = extract_cell(ctx, &cache, col_str(args[0])[i], args[1], i, false, &v, &e);
        if (rc == BASE_OK && v.infinite != 0) {
            rc = base_fail(&e, BASE_E_UNSUPPORTED, NULL, "numeric infinity is not supported");
        }
        if (rc == BASE_OK && v.null) {
            col_vec_set_null(out, ctx->arena, i);
        } else if (rc == BASE_OK) {
            rc = field_decimal(&v, &col_dec(out)[i], &e);
        }
        FUNC_ROW_CALL(rc);
    }
    return BASE_OK;
}

FUNC_KERNEL(date_part_float) {
    FUNC_UNUSED;
    static const double powers[] = {1, 10, 100, 1e3, 1e4, 1e5, 1e6};
    field_cache cache = {0};
    base_error e;
    FUNC_EACH(i) {
        field_value v = {0};
        FUNC_ROW_CALL(extract_cell(ctx, &cache, col_str(args[0])[i], args[1], i, true, &v, &e));
        if (v.null) {
            col_vec_set_null(out, ctx->arena, i);
        } else if (v.infinite != 0) {
            col_f64(out)[i] = v.infinite * (double)INFINITY;
        } else {
            col_f64(out)[i] =
                (double)v.value / powers[v.scale] + (double)v.day_us / (double)BASE_US_PER_DAY;
        }
    }
    return BASE_OK;
}

// ---- date_trunc ----

// An infinity is what it is, whatever the field.
static bool trunc_infinite(int64_t us, int64_t *to) {
    *to = us;
    return us == INT64_MIN || us == INT64_MAX;
}

static base_rc trunc_field(field_cache *cache, base_str name, col_kind kind, base_error *err) {
    base_rc rc = find_field(cache, name, kind, err);
    if (rc != BASE_OK) return rc;
    if (cache->field == FIELD_JULIAN) return unknown_field(name, kind, err);
    if (cache->field >= FIELD_TIMEZONE) return unsupported_field(name, kind, err);
    return cache->field > BASE_FIELD_MILLENNIUM ? unknown_field(name, kind, err) : BASE_OK;
}

FUNC_KERNEL(trunc_timestamp) {
    FUNC_UNUSED;
    field_cache cache = {0};
    base_error e;
    FUNC_EACH(i) {
        if (trunc_infinite(col_i64(args[1])[i], &col_i64(out)[i])) continue;
        base_rc rc = trunc_field(&cache, col_str(args[0])[i], COL_TIMESTAMP, &e);
        if (rc == BASE_OK) {
            rc = base_timestamp_trunc_field((base_time_field)cache.field, col_i64(args[1])[i],
                                            &col_i64(out)[i], &e);
        }
        FUNC_ROW_CALL(rc);
    }
    return BASE_OK;
}

static base_rc trunc_in_zone(int field, int64_t us, const base_zone *zone, int64_t *to,
                             base_error *err) {
    int64_t local = func_local_us(zone, us);
    base_rc rc = base_timestamp_trunc_field((base_time_field)field, local, &local, err);
    if (rc != BASE_OK) return rc;
    // Below a day a local time that comes twice stays in its own round: the offset is kept.
    if (field <= BASE_FIELD_HOUR) {
        return func_shift_us(local, -base_zone_offset_at(zone, us) * BASE_US_PER_SECOND, to, err);
    }
    return func_from_local(zone, local, to, err);
}

FUNC_KERNEL(trunc_timestamptz) {
    FUNC_UNUSED;
    field_cache cache = {0};
    base_error e;
    FUNC_EACH(i) {
        if (trunc_infinite(col_i64(args[1])[i], &col_i64(out)[i])) continue;
        base_rc rc = trunc_field(&cache, col_str(args[0])[i], COL_TIMESTAMPTZ, &e);
        if (rc == BASE_OK) {
            rc = trunc_in_zone(cache.field, col_i64(args[1])[i], ctx->zone, &col_i64(out)[i], &e);
        }
        FUNC_ROW_CALL(rc);
    }
    return BASE_OK;
}

// date_trunc(field, timestamptz, zone)
FUNC_KERNEL(trunc_timestamptz_zone) {
    FUNC_UNUSED;
    field_cache cache = {0};
    const base_zone *zone = NULL;
    base_str zone_name = {0};
    base_error e;
    FUNC_EACH(i) {
        if (trunc_infinite(col_i64(args[1])[i], &col_i64(out)[i])) continue;
        base_rc rc = BASE_OK;
        base_str name = col_str(args[2])[i];
        if (zone == NULL || !base_str_eq(name, zone_name)) {
            rc = base_zone_find_any(name, &zone, &e);
            zone = rc == BASE_OK ? base_zone_calendar(zone) : NULL;
            zone_name = name;
        }
        int64_t us = col_i64(args[1])[i];
        if (rc == BASE_OK && trunc_infinite(us, &col_i64(out)[i])) continue;
        if (rc == BASE_OK) rc = trunc_field(&cache, col_str(args[0])[i], COL_TIMESTAMPTZ, &e);
        if (rc == BASE_OK) {
            rc = trunc_in_zone(cache.field, col_i64(args[1])[i], zone, &col_i64(out)[i], &e);
        }
        FUNC_ROW_CALL(rc);
    }
    return BASE_OK;
}

// Towards zero, each of the three parts by itself.
static base_rc interval_trunc(int field, base_str name, base_interval v, base_interval *to,
                              base_error *err) {
    static const int64_t fixed_us[] = {1, 1000, BASE_US_PER_SECOND, BASE_US_PER_MINUTE,
                                       BASE_US_PER_HOUR};
    int32_t months = 0;
    if (field <= BASE_FIELD_HOUR) {
        v.us = v.us / fixed_us[field] * fixed_us[field];
        *to = v;
        return BASE_OK;
    }
    v.us = 0;
    switch (field) {
    case BASE_FIELD_DAY:
        *to = v;
        return BASE_OK;
    case BASE_FIELD_MONTH:
        months = 1;
        break;
    case BASE_FIELD_QUARTER:
        months = 3;
        break;
    case BASE_FIELD_YEAR:
        months = 12;
        break;
    case BASE_FIELD_DECADE:
        months = 120;
        break;
    case BASE_FIELD_CENTURY:
        months = 1200;
        break;
    case BASE_FIELD_MILLENNIUM:
        months = 12000;
        break;
    default: {
        base_rc rc = unsupported_field(name, COL_INTERVAL, err);
        if (field == BASE_FIELD_WEEK) {
            base_error_detail(err, "Months usually have fractional weeks.");
        }
        return rc;
    }
    }
    *to = (base_interval){0, 0, v.months / months * months};
    return BASE_OK;
}

FUNC_KERNEL(trunc_interval) {
    FUNC_UNUSED;
    field_cache cache = {0};
    base_error e;
    FUNC_EACH(i) {
        base_str name = col_str(args[0])[i];
        base_rc rc = trunc_field(&cache, name, COL_INTERVAL, &e);
        if (rc == BASE_OK) {
            rc = interval_trunc(cache.field, name, col_interval(args[1])[i], &col_interval(out)[i],
                                &e);
        }
        FUNC_ROW_CALL(rc);
    }
    return BASE_OK;
}

// ---- date_bin ----

static base_rc bin(base_interval stride, int64_t us, int64_t origin, int64_t *to, base_error *err) {
    *to = us;
    if (us == INT64_MIN || us == INT64_MAX) return BASE_OK;
    if (origin == INT64_MIN || origin == INT64_MAX) {
        return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_DATETIME_OVERFLOW,
                         "origin out of range");
    }
    if (stride.months != 0) {
        return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_UNSUPPORTED,
                         "timestamps cannot be binned into intervals containing months or years");
    }
    int64_t width, apart;
    if (__builtin_add_overflow(stride.days * BASE_US_PER_DAY, stride.us, &width) ||
        __builtin_sub_overflow(us, origin, &apart)) {
        return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_DATETIME_OVERFLOW,
                         "interval out of range");
    }
    if (width <= 0) {
        return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_DATETIME_OVERFLOW,
                         "stride must be greater than zero");
    }
    int64_t rest = apart % width;
    return func_shift_us(us, rest < 0 ? -rest - width : -rest, to, err);
}

FUNC_KERNEL(bin_timestamp) {
    FUNC_UNUSED;
    base_error e;
    FUNC_EACH(i) {
        FUNC_ROW_CALL(bin(col_interval(args[0])[i], col_i64(args[1])[i], col_i64(args[2])[i],
                          &col_i64(out)[i], &e));
    }
    return BASE_OK;
}

// ---- age ----

static int32_t month_length(int32_t year, int32_t month) {
    static const int8_t lengths[] = {0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return lengths[month] + (month == 2 && leap);
}

// Calendar fields in a zone. Infinity counts as the number that it is kept as, as in
// PostgreSQL 15; so the local time of one may not fit and is put together from day and time.
static base_civil local_civil(int64_t us, const base_zone *zone) {
    int64_t time = us % BASE_US_PER_DAY, day_us;
    if (time < 0) time += BASE_US_PER_DAY;
    int64_t days = us / BASE_US_PER_DAY - (us % BASE_US_PER_DAY < 0);
    time += base_zone_offset_at(zone, us) * BASE_US_PER_SECOND;
    day_us = time < 0 ? -1 : time >= BASE_US_PER_DAY ? 1 : 0;
    days += day_us;
    time -= day_us * BASE_US_PER_DAY;
    base_civil civil = base_civil_from_us(time);
    base_civil_from_days((int32_t)days, &civil.year, &civil.month, &civil.day);
    return civil;
}

// A difference by calendar fields: years, months and days as one would count them.
static base_interval age_of(int64_t a, const base_zone *a_zone, int64_t b,
                            const base_zone *b_zone) {
    bool negative = a < b;
    base_civil x = local_civil(a, a_zone), y = local_civil(b, b_zone);
    base_civil later = negative ? y : x, earlier = negative ? x : y;
    int64_t us = ((later.hour - earlier.hour) * 60ll + (later.minute - earlier.minute)) *
                     BASE_US_PER_MINUTE +
                 (later.second - earlier.second) * BASE_US_PER_SECOND + (later.us - earlier.us);
    int32_t days = later.day - earlier.day;
    int32_t months = (later.year - earlier.year) * 12 + (later.month - earlier.month);
    if (us < 0) {
        us += BASE_US_PER_DAY;
        days--;
    }
    while (days < 0) { // the days of the earlier date's month
        days += month_length(earlier.year, earlier.month);
        months--;
    }
    return negative ? (base_interval){-us, -days, -months} : (base_interval){us, days, months};
}

static base_rc age_rows(col_func_ctx *ctx, uint32_t n, uint32_t nargs, const col_vec *const *args,
                        col_vec *out, const base_zone *zone) {
    // age(x) counts from midnight of today.
    int64_t today = func_us_to_days(func_local_now_us(ctx)) * BASE_US_PER_DAY;
    FUNC_EACH(i) {
        int64_t a = nargs == 2 ? col_i64(args[0])[i] : today, b = col_i64(args[nargs - 1])[i];
        if (a == INT64_MIN || b == INT64_MIN) {
            FUNC_TOLERATE(func_row_fail(ctx, out, i, BASE_E_INVALID,
                                        BASE_SQLSTATE_DATETIME_OVERFLOW, "timestamp out of range"));
            continue;
        }
        col_interval(out)[i] = age_of(a, nargs == 2 ? zone : NULL, b, zone);
    }
    return BASE_OK;
}

FUNC_KERNEL(age_timestamp) {
    return age_rows(ctx, n, nargs, args, out, NULL);
}

FUNC_KERNEL(age_timestamptz) {
    return age_rows(ctx, n, nargs, args, out, ctx->zone);
}

#define S      COL_FUNC_STRICT
#define STABLE (COL_FUNC_STRICT | COL_FUNC_STABLE)
#define T      COL_TEXT
#define TS     COL_TIMESTAMP
#define TZ     COL_TIMESTAMPTZ
#define IV     COL_INTERVAL

static const col_func rows[] = {
    {"extract", 2, {T, TS}, COL_NUMERIC, S, extract_numeric, NULL},
    {"extract", 2, {T, TZ}, COL_NUMERIC, STABLE, extract_numeric, NULL},
    {"extract", 2, {T, COL_DATE}, COL_NUMERIC, S, extract_numeric, NULL},
    {"extract", 2, {T, COL_TIME}, COL_NUMERIC, S, extract_numeric, NULL},
    {"extract", 2, {T, IV}, COL_NUMERIC, S, extract_numeric, NULL},
    {"date_part", 2, {T, TS}, COL_FLOAT8, S, date_part_float, NULL},
    {"date_part", 2, {T, TZ}, COL_FLOAT8, STABLE, date_part_float, NULL},
    {"date_part", 2, {T, COL_DATE}, COL_FLOAT8, S, date_part_float, NULL},
    {"date_part", 2, {T, COL_TIME}, COL_FLOAT8, S, date_part_float, NULL},
    {"date_part", 2, {T, IV}, COL_FLOAT8, S, date_part_float, NULL},
    {"date_trunc", 2, {T, TS}, TS, S, trunc_timestamp, NULL},
    {"date_trunc", 2, {T, TZ}, TZ, STABLE, trunc_timestamptz, NULL},
    {"date_trunc", 3, {T, TZ, T}, TZ, S, trunc_timestamptz_zone, NULL},
    {"date_trunc", 2, {T, IV}, IV, S, trunc_interval, NULL},
    {"date_bin", 3, {IV, TS, TS}, TS, S, bin_timestamp, NULL},
    {"date_bin", 3, {IV, TZ, TZ}, TZ, S, bin_timestamp, NULL},
    {"age", 2, {TS, TS}, IV, S, age_timestamp, NULL},
    {"age", 2, {TZ, TZ}, IV, STABLE, age_timestamptz, NULL},
    {"age", 1, {TS}, IV, STABLE, age_timestamp, NULL},
    {"age", 1, {TZ}, IV, STABLE, age_timestamptz, NULL},
};
FUNC_TABLE(func_field_table, rows);
