// func_time.c - arithmetic of dates, times and intervals, readings of the fixed clock and
// time zones. Fields (extract, date_trunc, age): func_field.c; constructors: func_time_make.c.
// Source: PostgreSQL 15.
// A timestamptz meets months and days in the session's time zone.
#include <math.h>

#include "base/must.h"
#include "col/cast_int.h"
#include "col/func_time_int.h"

static base_rc out_of_range(const char *what, base_error *err) {
    return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_DATETIME_OVERFLOW, "%s out of range", what);
}

static bool date_infinite(int32_t days) {
    return days == INT32_MIN || days == INT32_MAX;
}

static bool us_infinite(int64_t us) {
    return us == INT64_MIN || us == INT64_MAX;
}

// ---- dates ----

static base_rc date_shift(int32_t days, int64_t by, int32_t *to, base_error *err) {
    *to = days;
    if (date_infinite(days)) return BASE_OK;
    int64_t sum = days + by;
    if (sum < BASE_DATE_MIN || sum >= BASE_DATE_END) return out_of_range("date", err);
    *to = (int32_t)sum;
    return BASE_OK;
}

#define DATE_SHIFT(name, date_at, by)                                                              \
    FUNC_KERNEL(name) {                                                                            \
        FUNC_UNUSED;                                                                               \
        base_error e;                                                                              \
        FUNC_EACH(i)                                                                               \
        FUNC_ROW_CALL(date_shift(col_i32(args[date_at])[i], (by), &col_i32(out)[i], &e));          \
        return BASE_OK;                                                                            \
    }
DATE_SHIFT(date_plus_int, 0, (int64_t)col_i32(args[1])[i])
DATE_SHIFT(int_plus_date, 1, (int64_t)col_i32(args[0])[i])
DATE_SHIFT(date_minus_int, 0, -(int64_t)col_i32(args[1])[i])

FUNC_KERNEL(date_minus_date) {
    FUNC_UNUSED;
    FUNC_EACH(i) {
        int32_t a = col_i32(args[0])[i], b = col_i32(args[1])[i];
        if (date_infinite(a) || date_infinite(b)) {
            FUNC_TOLERATE(func_row_fail(ctx, out, i, BASE_E_INVALID,
                                        BASE_SQLSTATE_DATETIME_OVERFLOW,
                                        "cannot subtract infinite dates"));
        } else {
            col_i32(out)[i] = (int32_t)((int64_t)a - b);
        }
    }
    return BASE_OK;
}

base_rc func_date_and_time(int32_t days, int64_t time, int64_t *to, base_error *err) {
    base_rc rc = func_date_to_us(days, to, err);
    return rc == BASE_OK ? func_shift_us(*to, time, to, err) : rc;
}

FUNC_KERNEL(date_plus_time) {
    FUNC_UNUSED;
    base_error e;
    FUNC_EACH(i) {
        FUNC_ROW_CALL(
            func_date_and_time(col_i32(args[0])[i], col_i64(args[1])[i], &col_i64(out)[i], &e));
    }
    return BASE_OK;
}

FUNC_KERNEL(time_plus_date) {
    const col_vec *swapped[] = {args[1], args[0]};
    return date_plus_time(ctx, n, nargs, swapped, out);
}

// ---- timestamps and intervals ----

static base_interval negated(base_interval v, bool *overflow) {
    base_interval r;
    *overflow = __builtin_sub_overflow((int64_t)0, v.us, &r.us);
    *overflow |= __builtin_sub_overflow(0, v.days, &r.days);
    *overflow |= __builtin_sub_overflow(0, v.months, &r.months);
    return r;
}

static base_rc interval_negate(base_interval v, base_interval *to, base_error *err) {
    bool overflow;
    *to = negated(v, &overflow);
    return overflow ? out_of_range("interval", err) : BASE_OK;
}

// Months are added by the local clock, then days, then the time as time that passes.
base_rc func_add_interval(const base_zone *zone, int64_t us, const base_interval *by, int64_t *to,
                          base_error *err) {
    if (zone == NULL || (by->months | by->days) == 0) return base_timestamp_add(us, by, to, err);
    base_interval part = {0, 0, by->months};
    base_rc rc = BASE_OK;
    for (int pass = 0; pass < 2 && rc == BASE_OK; pass++) {
        int64_t local = us;
        if (part.months != 0 || part.days != 0) {
            rc = base_timestamp_add(func_local_us(zone, us), &part, &local, err);
            if (rc == BASE_OK) rc = func_from_local(zone, local, &us, err);
        }
        part = (base_interval){0, by->days, 0};
    }
    part = (base_interval){by->us, 0, 0};
    return rc == BASE_OK ? base_timestamp_add(us, &part, to, err) : rc;
}

static base_rc timestamp_shift(int64_t us, base_interval by, bool minus, const base_zone *zone,
                               int64_t *to, base_error *err) {
    *to = us;
    if (us_infinite(us)) return BASE_OK;
    base_rc rc = BASE_OK;
    if (minus) rc = interval_negate(by, &by, err);
    return rc == BASE_OK ? func_add_interval(zone, us, &by, to, err) : rc;
}

static inline bool is_finite(int64_t us) {
    return us >= BASE_TIMESTAMP_MIN && us < BASE_TIMESTAMP_END;
}

static base_rc shift_rows(col_func_ctx *ctx, uint32_t n, const col_vec *times,
                          const col_vec *intervals, col_vec *out, bool minus, bool zoned) {
    const base_zone *zone = zoned ? ctx->zone : NULL;
    base_error e;
    FUNC_EACH(i) {
        int64_t us = col_i64(times)[i], sum;
        base_interval by = col_interval(intervals)[i];
        // Without months and days neither calendar nor zone matter: a plain sum.
        bool apart = minus ? __builtin_sub_overflow(us, by.us, &sum)
                           : __builtin_add_overflow(us, by.us, &sum);
        if (__builtin_expect(
                (by.months | by.days) == 0 && !apart && is_finite(us) && is_finite(sum), 1)) {
            col_i64(out)[i] = sum;
            continue;
        }
        FUNC_ROW_CALL(timestamp_shift(us, by, minus, zone, &col_i64(out)[i], &e));
    }
    return BASE_OK;
}

#define TIMESTAMP_SHIFT(name, time_at, interval_at, minus, zoned)                                  \
    FUNC_KERNEL(name) {                                                                            \
        FUNC_UNUSED;                                                                               \
        return shift_rows(ctx, n, args[time_at], args[interval_at], out, minus, zoned);            \
    }
TIMESTAMP_SHIFT(timestamp_plus_interval, 0, 1, false, false)
TIMESTAMP_SHIFT(timestamp_minus_interval, 0, 1, true, false)
TIMESTAMP_SHIFT(interval_plus_timestamp, 1, 0, false, false)
TIMESTAMP_SHIFT(timestamptz_plus_interval, 0, 1, false, true)
TIMESTAMP_SHIFT(timestamptz_minus_interval, 0, 1, true, true)
TIMESTAMP_SHIFT(interval_plus_timestamptz, 1, 0, false, true)

static base_rc date_shift_rows(col_func_ctx *ctx, uint32_t n, const col_vec *dates,
                               const col_vec *intervals, col_vec *out, bool minus) {
    base_error e;
    FUNC_EACH(i) {
        int64_t us = 0;
        base_rc rc = func_date_to_us(col_i32(dates)[i], &us, &e);
        if (rc == BASE_OK) {
            rc = timestamp_shift(us, col_interval(intervals)[i], minus, NULL, &col_i64(out)[i], &e);
        }
        FUNC_ROW_CALL(rc);
    }
    return BASE_OK;
}

FUNC_KERNEL(date_plus_interval) {
    FUNC_UNUSED;
    return date_shift_rows(ctx, n, args[0], args[1], out, false);
}

FUNC_KERNEL(date_minus_interval) {
    FUNC_UNUSED;
    return date_shift_rows(ctx, n, args[0], args[1], out, true);
}

FUNC_KERNEL(interval_plus_date) {
    FUNC_UNUSED;
    return date_shift_rows(ctx, n, args[1], args[0], out, false);
}

// Whole days out of the time part; days and time get one sign.
static base_rc justify_hours(base_interval v, base_interval *to, base_error *err) {
    int64_t whole = v.us / BASE_US_PER_DAY;
    v.us -= whole * BASE_US_PER_DAY;
    if (__builtin_add_overflow(v.days, whole, &v.days)) return out_of_range("interval", err);
    if (v.days > 0 && v.us < 0) {
        v.us += BASE_US_PER_DAY;
        v.days--;
    } else if (v.days < 0 && v.us > 0) {
        v.us -= BASE_US_PER_DAY;
        v.days++;
    }
    *to = v;
    return BASE_OK;
}

static base_rc justify_days(base_interval v, base_interval *to, base_error *err) {
    int32_t whole = v.days / 30;
    v.days -= whole * 30;
    if (__builtin_add_overflow(v.months, whole, &v.months)) return out_of_range("interval", err);
    if (v.months > 0 && v.days < 0) {
        v.days += 30;
        v.months--;
    } else if (v.months < 0 && v.days > 0) {
        v.days -= 30;
        v.months++;
    }
    *to = v;
    return BASE_OK;
}

static base_rc justify_interval(base_interval v, base_interval *to, base_error *err) {
    int64_t days = v.days + v.us / BASE_US_PER_DAY, months = v.months;
    int64_t us = v.us % BASE_US_PER_DAY;
    months += days / 30;
    days %= 30;
    if (months > 0 && (days < 0 || (days == 0 && us < 0))) {
        days += 30;
        months--;
    } else if (months < 0 && (days > 0 || (days == 0 && us > 0))) {
        days -= 30;
        months++;
    }
    if (days > 0 && us < 0) {
        us += BASE_US_PER_DAY;
        days--;
    } else if (days < 0 && us > 0) {
        us -= BASE_US_PER_DAY;
        days++;
    }
    if (months < INT32_MIN || months > INT32_MAX) return out_of_range("interval", err);
    *to = (base_interval){us, (int32_t)days, (int32_t)months};
    return BASE_OK;
}

static base_rc timestamp_difference(int64_t a, int64_t b, base_interval *to, base_error *err) {
    if (us_infinite(a) || us_infinite(b)) {
        return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_DATETIME_OVERFLOW,
                         "cannot subtract infinite timestamps");
    }
    base_interval v = {0};
    if (__builtin_sub_overflow(a, b, &v.us)) return out_of_range("interval", err);
    return justify_hours(v, to, err);
}

FUNC_KERNEL(timestamp_minus_timestamp) {
    FUNC_UNUSED;
    base_error e;
    FUNC_EACH(i) {
        FUNC_ROW_CALL(timestamp_difference(col_i64(args[0])[i], col_i64(args[1])[i],
                                           &col_interval(out)[i], &e));
    }
    return BASE_OK;
}

static base_rc interval_sum(base_interval a, base_interval b, base_interval *to, base_error *err) {
    bool overflow = __builtin_add_overflow(a.us, b.us, &to->us);
    overflow |= __builtin_add_overflow(a.days, b.days, &to->days);
    overflow |= __builtin_add_overflow(a.months, b.months, &to->months);
    return overflow ? out_of_range("interval", err) : BASE_OK;
}

static base_rc interval_difference(base_interval a, base_interval b, base_interval *to,
                                   base_error *err) {
    bool overflow = __builtin_sub_overflow(a.us, b.us, &to->us);
    overflow |= __builtin_sub_overflow(a.days, b.days, &to->days);
    overflow |= __builtin_sub_overflow(a.months, b.months, &to->months);
    return overflow ? out_of_range("interval", err) : BASE_OK;
}

static double scaled(double v, double factor, bool divide) {
    return divide ? v / factor : v * factor;
}

static double to_microseconds(double seconds) {
    return rint(seconds * 1e6) / 1e6;
}

// Parts of months become days and parts of days become time, never upwards.
base_rc col_interval_scale(base_interval v, double factor, bool divide, base_interval *to,
                           base_error *err) {
    if (divide && factor == 0) {
        return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_DIVISION_BY_ZERO, "division by zero");
    }
    double months = scaled(v.months, factor, divide), days = scaled(v.days, factor, divide);
    if (!(fabs(months) < 2147483648.0) || !(fabs(days) < 2147483648.0)) {
        return out_of_range("interval", err);
    }
    to->months = (int32_t)months;
    to->days = (int32_t)days;
    double month_days = to_microseconds((months - to->months) * 30);
    double seconds = (days - to->days + month_days - (int)month_days) * 86400;
    seconds = to_microseconds(seconds);
    int64_t carried = 0;
    if (fabs(seconds) >= 86400) {
        carried = (int64_t)(seconds / 86400);
        seconds -= (double)carried * 86400;
    }
    double us = rint(scaled((double)v.us, factor, divide) + seconds * 1e6);
    if (__builtin_add_overflow(to->days, carried + (int64_t)month_days, &to->days) ||
        !(fabs(us) < 9223372036854775807.0)) {
        return out_of_range("interval", err);
    }
    to->us = (int64_t)us;
    return BASE_OK;
}

#define INTERVAL_TWO(name, call)                                                                   \
    FUNC_KERNEL(name) {                                                                            \
        FUNC_UNUSED;                                                                               \
        base_error e;                                                                              \
        FUNC_EACH(i)                                                                               \
        FUNC_ROW_CALL(                                                                             \
            call(col_interval(args[0])[i], col_interval(args[1])[i], &col_interval(out)[i], &e));  \
        return BASE_OK;                                                                            \
    }
#define INTERVAL_ONE(name, call)                                                                   \
    FUNC_KERNEL(name) {                                                                            \
        FUNC_UNUSED;                                                                               \
        base_error e;                                                                              \
        FUNC_EACH(i) FUNC_ROW_CALL(call(col_interval(args[0])[i], &col_interval(out)[i], &e));     \
        return BASE_OK;                                                                            \
    }
#define INTERVAL_SCALE(name, interval_at, factor_at, divide)                                       \
    FUNC_KERNEL(name) {                                                                            \
        FUNC_UNUSED;                                                                               \
        base_error e;                                                                              \
        FUNC_EACH(i)                                                                               \
        FUNC_ROW_CALL(col_interval_scale(col_interval(args[interval_at])[i],                       \
                                         col_f64(args[factor_at])[i], divide,                      \
                                         &col_interval(out)[i], &e));                              \
        return BASE_OK;                                                                            \
    }
INTERVAL_TWO(interval_plus_interval, interval_sum)
INTERVAL_TWO(interval_minus_interval, interval_difference)
INTERVAL_ONE(interval_neg, interval_negate)
INTERVAL_ONE(justify_hours_interval, justify_hours)
INTERVAL_ONE(justify_days_interval, justify_days)
INTERVAL_ONE(justify_both_interval, justify_interval)
INTERVAL_SCALE(interval_times_float, 0, 1, false)
INTERVAL_SCALE(float_times_interval, 1, 0, false)
INTERVAL_SCALE(interval_over_float, 0, 1, true)

// ---- time of day ----

static int64_t day_modulo(int64_t us) {
    int64_t rest = us % BASE_US_PER_DAY;
    return rest < 0 ? rest + BASE_US_PER_DAY : rest;
}

#define TIME_SHIFT(name, time_at, interval_at, op)                                                 \
    FUNC_KERNEL(name) {                                                                            \
        FUNC_UNUSED;                                                                               \
        FUNC_EACH(i) {                                                                             \
            int64_t by = col_interval(args[interval_at])[i].us % BASE_US_PER_DAY;                  \
            col_i64(out)[i] = day_modulo(col_i64(args[time_at])[i] op by);                         \
        }                                                                                          \
        return BASE_OK;                                                                            \
    }
TIME_SHIFT(time_plus_interval, 0, 1, +)
TIME_SHIFT(time_minus_interval, 0, 1, -)
TIME_SHIFT(interval_plus_time, 1, 0, +)

FUNC_KERNEL(time_minus_time) {
    FUNC_UNUSED;
    FUNC_EACH(i) {
        int64_t us = col_i64(args[0])[i] - col_i64(args[1])[i];
        col_interval(out)[i] = (base_interval){us, 0, 0};
    }
    return BASE_OK;
}

// ---- the fixed clock ----

FUNC_KERNEL(now_timestamptz) {
    FUNC_UNUSED;
    for (uint32_t i = 0; i < n; i++) col_i64(out)[i] = ctx->now_us;
    return BASE_OK;
}

int64_t func_local_now_us(const col_func_ctx *ctx) {
    return ctx->now_us + base_zone_offset_at(ctx->zone, ctx->now_us) * BASE_US_PER_SECOND;
}

FUNC_KERNEL(now_timestamp) {
    FUNC_UNUSED;
    for (uint32_t i = 0; i < n; i++) col_i64(out)[i] = func_local_now_us(ctx);
    return BASE_OK;
}

FUNC_KERNEL(now_date) {
    FUNC_UNUSED;
    for (uint32_t i = 0; i < n; i++) col_i32(out)[i] = func_us_to_days(func_local_now_us(ctx));
    return BASE_OK;
}

FUNC_KERNEL(now_time) {
    FUNC_UNUSED;
    for (uint32_t i = 0; i < n; i++) col_i64(out)[i] = day_modulo(func_local_now_us(ctx));
    return BASE_OK;
}

FUNC_KERNEL(isfinite_date) {
    FUNC_UNUSED;
    FUNC_EACH(i) col_u8(out)[i] = !date_infinite(col_i32(args[0])[i]);
    return BASE_OK;
}

FUNC_KERNEL(isfinite_timestamp) {
    FUNC_UNUSED;
    FUNC_EACH(i) col_u8(out)[i] = !us_infinite(col_i64(args[0])[i]);
    return BASE_OK;
}

FUNC_KERNEL(isfinite_interval) {
    FUNC_UNUSED;
    FUNC_EACH(i) col_u8(out)[i] = 1;
    return BASE_OK;
}

// ---- zones ----

static base_rc zone_rows(col_func_ctx *ctx, uint32_t n, const col_vec *const *args, col_vec *out,
                         bool to_utc) {
    const base_zone *zone = NULL;
    base_str name = {0};
    base_error e;
    FUNC_EACH(i) {
        base_str wanted = col_str(args[0])[i];
        int64_t us = col_i64(args[1])[i];
        if (us_infinite(us)) {
            col_i64(out)[i] = us;
            continue;
        }
        if (zone == NULL || !base_str_eq(wanted, name)) {
            zone = NULL;
            if (base_zone_find_any(wanted, &zone, &e) != BASE_OK) {
                zone = NULL;
                FUNC_TOLERATE(func_row_error(ctx, out, i, &e));
                continue;
            }
            name = wanted;
        }
        int32_t offset = to_utc ? base_zone_offset_local(zone, us) : base_zone_offset_at(zone, us);
        int64_t by = (to_utc ? -offset : offset) * BASE_US_PER_SECOND;
        FUNC_ROW_CALL(func_shift_us(us, by, &col_i64(out)[i], &e));
    }
    return BASE_OK;
}

FUNC_KERNEL(timezone_timestamp) {
    FUNC_UNUSED;
    return zone_rows(ctx, n, args, out, true);
}

FUNC_KERNEL(timezone_timestamptz) {
    FUNC_UNUSED;
    return zone_rows(ctx, n, args, out, false);
}

static base_rc interval_zone_rows(col_func_ctx *ctx, uint32_t n, const col_vec *const *args,
                                  col_vec *out, int sign) {
    base_error e;
    FUNC_EACH(i) {
        base_interval by = col_interval(args[0])[i];
        int64_t us = col_i64(args[1])[i];
        base_rc rc = BASE_OK;
        if (us_infinite(us)) {
            col_i64(out)[i] = us;
        } else if (by.months != 0 || by.days != 0) {
            char text[BASE_INTERVAL_TEXT_MAX];
            base_interval_format(&by, text);
            rc = base_fail(&e, BASE_E_INVALID, NULL,
                           "interval time zone \"%s\" must not include months or days", text);
        } else {
            // An offset is a number of seconds, as in PostgreSQL of 32 bits.
            int64_t offset = (int32_t)(by.us / BASE_US_PER_SECOND);
            rc = func_shift_us(us, sign * offset * BASE_US_PER_SECOND, &col_i64(out)[i], &e);
        }
        FUNC_ROW_CALL(rc);
    }
    return BASE_OK;
}

FUNC_KERNEL(interval_zone_timestamp) {
    FUNC_UNUSED;
    return interval_zone_rows(ctx, n, args, out, -1);
}

FUNC_KERNEL(interval_zone_timestamptz) {
    FUNC_UNUSED;
    return interval_zone_rows(ctx, n, args, out, 1);
}

#define S      COL_FUNC_STRICT
#define STABLE (COL_FUNC_STRICT | COL_FUNC_STABLE)
#define DATE   COL_DATE
#define TIME   COL_TIME
#define TS     COL_TIMESTAMP
#define TZ     COL_TIMESTAMPTZ
#define IV     COL_INTERVAL
#define I4     COL_INT4
#define F8     COL_FLOAT8

static const col_func rows[] = {
    {"+", 2, {DATE, I4}, DATE, S, date_plus_int, NULL},
    {"+", 2, {I4, DATE}, DATE, S, int_plus_date, NULL},
    {"-", 2, {DATE, I4}, DATE, S, date_minus_int, NULL},
    {"-", 2, {DATE, DATE}, I4, S, date_minus_date, NULL},
    {"+", 2, {DATE, TIME}, TS, S, date_plus_time, NULL},
    {"+", 2, {TIME, DATE}, TS, S, time_plus_date, NULL},
    {"+", 2, {DATE, IV}, TS, S, date_plus_interval, NULL},
    {"+", 2, {IV, DATE}, TS, S, interval_plus_date, NULL},
    {"-", 2, {DATE, IV}, TS, S, date_minus_interval, NULL},
    {"+", 2, {TS, IV}, TS, S, timestamp_plus_interval, NULL},
    {"+", 2, {IV, TS}, TS, S, interval_plus_timestamp, NULL},
    {"-", 2, {TS, IV}, TS, S, timestamp_minus_interval, NULL},
    {"+", 2, {TZ, IV}, TZ, STABLE, timestamptz_plus_interval, NULL},
    {"+", 2, {IV, TZ}, TZ, STABLE, interval_plus_timestamptz, NULL},
    {"-", 2, {TZ, IV}, TZ, STABLE, timestamptz_minus_interval, NULL},
    {"-", 2, {TS, TS}, IV, S, timestamp_minus_timestamp, NULL},
    {"-", 2, {TZ, TZ}, IV, S, timestamp_minus_timestamp, NULL},
    {"+", 2, {IV, IV}, IV, S, interval_plus_interval, NULL},
    {"-", 2, {IV, IV}, IV, S, interval_minus_interval, NULL},
    {"-", 1, {IV}, IV, S, interval_neg, NULL},
    {"*", 2, {IV, F8}, IV, S, interval_times_float, NULL},
    {"*", 2, {F8, IV}, IV, S, float_times_interval, NULL},
    {"/", 2, {IV, F8}, IV, S, interval_over_float, NULL},
    {"+", 2, {TIME, IV}, TIME, S, time_plus_interval, NULL},
    {"+", 2, {IV, TIME}, TIME, S, interval_plus_time, NULL},
    {"-", 2, {TIME, IV}, TIME, S, time_minus_interval, NULL},
    {"-", 2, {TIME, TIME}, IV, S, time_minus_time, NULL},
    {"justify_hours", 1, {IV}, IV, S, justify_hours_interval, NULL},
    {"justify_days", 1, {IV}, IV, S, justify_days_interval, NULL},
    {"justify_interval", 1, {IV}, IV, S, justify_both_interval, NULL},
    {"now", 0, {0}, TZ, STABLE, now_timestamptz, NULL},
    {"current_timestamp", 0, {0}, TZ, STABLE, now_timestamptz, NULL},
    {"transaction_timestamp", 0, {0}, TZ, STABLE, now_timestamptz, NULL},
    {"statement_timestamp", 0, {0}, TZ, STABLE, now_timestamptz, NULL},
    {"clock_timestamp", 0, {0}, TZ, STABLE, now_timestamptz, NULL},
    {"localtimestamp", 0, {0}, TS, STABLE, now_timestamp, NULL},
    {"current_date", 0, {0}, DATE, STABLE, now_date, NULL},
    {"localtime", 0, {0}, TIME, STABLE, now_time, NULL},
    {"date", 1, {TS}, DATE, S, cast_timestamp_date, NULL},
    {"date", 1, {TZ}, DATE, STABLE, cast_timestamptz_date, NULL},
    {"isfinite", 1, {DATE}, COL_BOOL, S, isfinite_date, NULL},
    {"isfinite", 1, {TS}, COL_BOOL, S, isfinite_timestamp, NULL},
    {"isfinite", 1, {TZ}, COL_BOOL, S, isfinite_timestamp, NULL},
    {"isfinite", 1, {IV}, COL_BOOL, S, isfinite_interval, NULL},
    {"timezone", 2, {COL_TEXT, TS}, TZ, S, timezone_timestamp, NULL},
    {"timezone", 2, {COL_TEXT, TZ}, TS, S, timezone_timestamptz, NULL},
    {"timezone", 2, {IV, TS}, TZ, S, interval_zone_timestamp, NULL},
    {"timezone", 2, {IV, TZ}, TS, S, interval_zone_timestamptz, NULL},
};
FUNC_TABLE(func_time_table, rows);
