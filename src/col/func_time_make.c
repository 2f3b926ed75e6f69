// func_time_make.c - times made of numbers: make_date, make_time, make_timestamp, make_timestamptz,
// make_interval, to_timestamp of seconds. Source: PostgreSQL 15.
#include <math.h>

#include "base/must.h"
#include "col/cast_int.h"
#include "col/func_time_int.h"

static base_rc make_date(int32_t year, int32_t month, int32_t day, int32_t *days, base_error *err) {
    static const int8_t lengths[] = {0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int32_t astronomical = year < 0 ? year + 1 : year;
    if (year != 0 && year >= -4713 && year <= 5874897 && month >= 1 && month <= 12 && day >= 1 &&
        day <= lengths[month]) {
        *days = base_days_from_civil(astronomical, month, day);
        int32_t y, m, d;
        base_civil_from_days(*days, &y, &m, &d);
        if (m == month && *days >= BASE_DATE_MIN && *days < BASE_DATE_END) return BASE_OK;
    }
    return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_DATETIME_OVERFLOW,
                     "date field value out of range: %d-%02d-%02d", year, month, day);
}

static base_rc make_time(int32_t hour, int32_t minute, double second, int64_t *us,
                         base_error *err) {
    double rest = rint(second * 1e6);
    bool good = hour >= 0 && minute >= 0 && minute < 60 && second >= 0 && second <= 60 &&
                (hour < 24 || (hour == 24 && minute == 0 && second == 0));
    if (good) {
        *us = hour * BASE_US_PER_HOUR + minute * BASE_US_PER_MINUTE + (int64_t)rest;
        if (*us <= BASE_US_PER_DAY) return BASE_OK;
    }
    return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_DATETIME_OVERFLOW,
                     "time field value out of range: %d:%02d:%02g", hour, minute, second);
}

FUNC_KERNEL(make_date_int) {
    FUNC_UNUSED;
    base_error e;
    FUNC_EACH(i) {
        FUNC_ROW_CALL(make_date(col_i32(args[0])[i], col_i32(args[1])[i], col_i32(args[2])[i],
                                &col_i32(out)[i], &e));
    }
    return BASE_OK;
}

FUNC_KERNEL(make_time_int) {
    FUNC_UNUSED;
    base_error e;
    FUNC_EACH(i) {
        FUNC_ROW_CALL(make_time(col_i32(args[0])[i], col_i32(args[1])[i], col_f64(args[2])[i],
                                &col_i64(out)[i], &e));
    }
    return BASE_OK;
}

static base_rc bad_zone(base_str name, const char *what, base_error *err) {
    if (name.n > 64) name.n = base_utf8_valid_prefix((base_str){name.p, 64});
    return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER, what,
                     BASE_STR_ARG(name));
}

// Here a numeric zone has ISO's sign: "+02" is east.
static base_rc in_named_zone(int64_t local, base_str name, int64_t *us, base_error *err) {
    if (name.n > 0 && name.p[0] >= '0' && name.p[0] <= '9')
        return bad_zone(name, "invalid input syntax for type numeric time zone: \"%.*s\"", err);
    if (name.n > 0 && (name.p[0] == '+' || name.p[0] == '-')) {
        int32_t offset;
        int found = base_displacement_parse(name, &offset);
        if (found < 0) return bad_zone(name, "numeric time zone \"%.*s\" out of range", err);
        if (found > 0) return func_shift_us(local, -offset * BASE_US_PER_SECOND, us, err);
    }
    const base_zone *zone;
    base_rc rc = base_zone_find_any(name, &zone, err);
    return rc == BASE_OK ? func_from_local(zone, local, us, err) : rc;
}

static base_rc make_timestamps(col_func_ctx *ctx, uint32_t n, uint32_t nargs,
                               const col_vec *const *args, col_vec *out, bool zoned) {
    base_error e;
    FUNC_EACH(i) {
        int32_t days = 0;
        int64_t time = 0, us = 0;
        base_rc rc =
            make_date(col_i32(args[0])[i], col_i32(args[1])[i], col_i32(args[2])[i], &days, &e);
        if (rc == BASE_OK) {
            rc =
                make_time(col_i32(args[3])[i], col_i32(args[4])[i], col_f64(args[5])[i], &time, &e);
        }
        if (rc == BASE_OK) rc = func_date_and_time(days, time, &us, &e);
        int64_t *to = &col_i64(out)[i];
        if (rc == BASE_OK) {
            rc = nargs == 7 ? in_named_zone(us, col_str(args[6])[i], to, &e)
                            : func_from_local(zoned ? ctx->zone : NULL, us, to, &e);
        }
        FUNC_ROW_CALL(rc);
    }
    return BASE_OK;
}

FUNC_KERNEL(make_timestamp_int) {
    FUNC_UNUSED;
    return make_timestamps(ctx, n, nargs, args, out, false);
}

FUNC_KERNEL(make_timestamptz_int) {
    FUNC_UNUSED;
    return make_timestamps(ctx, n, nargs, args, out, true);
}

static base_rc from_epoch(double seconds, int64_t *us, base_error *err) {
    if (isnan(seconds)) {
        return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_DATETIME_OVERFLOW,
                         "timestamp cannot be NaN");
    }
    if (isinf(seconds)) {
        *us = seconds < 0 ? INT64_MIN : INT64_MAX;
        return BASE_OK;
    }
    double v = rint((seconds - BASE_UNIX_EPOCH_US / 1e6) * 1e6);
    if (v < (double)BASE_TIMESTAMP_MIN || v >= (double)BASE_TIMESTAMP_END) {
        return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_DATETIME_OVERFLOW,
                         "timestamp out of range: \"%g\"", seconds);
    }
    *us = (int64_t)v;
    return BASE_OK;
}

FUNC_KERNEL(to_timestamp_float) {
    FUNC_UNUSED;
    base_error e;
    FUNC_EACH(i) FUNC_ROW_CALL(from_epoch(col_f64(args[0])[i], &col_i64(out)[i], &e));
    return BASE_OK;
}

// years, months, weeks, days, hours, minutes, seconds; what is not given is 0.
static base_rc make_interval(uint32_t nargs, const col_vec *const *args, uint32_t row,
                             base_interval *to, base_error *err) {
    static const int64_t units_us[] = {BASE_US_PER_HOUR, BASE_US_PER_MINUTE};
    int64_t given[6] = {0};
    for (uint32_t a = 0; a < nargs && a < 6; a++) given[a] = col_i32(args[a])[row];
    double seconds = nargs == 7 ? rint(col_f64(args[6])[row] * 1e6) : 0;
    int64_t months = given[0] * 12 + given[1], days = given[2] * 7 + given[3], us, more;
    if (!(fabs(seconds) < 9.2e18) || months < INT32_MIN || months > INT32_MAX || days < INT32_MIN ||
        days > INT32_MAX || __builtin_mul_overflow(given[4], units_us[0], &us) ||
        __builtin_mul_overflow(given[5], units_us[1], &more) ||
        __builtin_add_overflow(us, more, &us) ||
        __builtin_add_overflow(us, (int64_t)seconds, &us)) {
        return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_DATETIME_OVERFLOW,
                         "interval out of range");
    }
    *to = (base_interval){us, (int32_t)days, (int32_t)months};
    return BASE_OK;
}

FUNC_KERNEL(make_interval_int) {
    FUNC_UNUSED;
    base_error e;
    FUNC_EACH(i) FUNC_ROW_CALL(make_interval(nargs, args, i, &col_interval(out)[i], &e));
    return BASE_OK;
}

#define S      COL_FUNC_STRICT
#define STABLE (COL_FUNC_STRICT | COL_FUNC_STABLE)
#define I4     COL_INT4
#define F8     COL_FLOAT8
#define TZ     COL_TIMESTAMPTZ

static const col_func rows[] = {
    {"make_date", 3, {I4, I4, I4}, COL_DATE, S, make_date_int, NULL},
    {"make_time", 3, {I4, I4, F8}, COL_TIME, S, make_time_int, NULL},
    {"make_timestamp", 6, {I4, I4, I4, I4, I4, F8}, COL_TIMESTAMP, S, make_timestamp_int, NULL},
    {"make_timestamptz", 6, {I4, I4, I4, I4, I4, F8}, TZ, STABLE, make_timestamptz_int, NULL},
    {"make_timestamptz",
     7,
     {I4, I4, I4, I4, I4, F8, COL_TEXT},
     TZ,
     STABLE,
     make_timestamptz_int,
     NULL},
    {"to_timestamp", 1, {F8}, TZ, S, to_timestamp_float, NULL},
    {"make_interval", 0, {0}, COL_INTERVAL, S, make_interval_int, NULL},
    {"make_interval", 1, {I4}, COL_INTERVAL, S, make_interval_int, NULL},
    {"make_interval", 2, {I4, I4}, COL_INTERVAL, S, make_interval_int, NULL},
    {"make_interval", 3, {I4, I4, I4}, COL_INTERVAL, S, make_interval_int, NULL},
    {"make_interval", 4, {I4, I4, I4, I4}, COL_INTERVAL, S, make_interval_int, NULL},
    {"make_interval", 5, {I4, I4, I4, I4, I4}, COL_INTERVAL, S, make_interval_int, NULL},
    {"make_interval", 6, {I4, I4, I4, I4, I4, I4}, COL_INTERVAL, S, make_interval_int, NULL},
    {"make_interval", 7, {I4, I4, I4, I4, I4, I4, F8}, COL_INTERVAL, S, make_interval_int, NULL},
};
FUNC_TABLE(func_time_make_table, rows);
