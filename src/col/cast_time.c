// cast_time.c - casts among the time kinds. A timestamptz is an instant: it meets local time
// through the session's time zone. Infinities stay infinite.
#include "col/cast_int.h"

#define TIMESTAMP_MIN_US (-211813488000000000ll) // 4714-11-24 BC, PostgreSQL's first
#define TIMESTAMP_END_US 9223371331200000000ll   // 294277-01-01

static base_rc out_of_range(base_error *err, const char *type_name) {
    return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_DATETIME_OVERFLOW, "%s out of range",
                     type_name);
}

base_rc func_shift_us(int64_t us, int64_t by_us, int64_t *out, base_error *err) {
    *out = us;
    if (us == INT64_MIN || us == INT64_MAX) return BASE_OK;
    if (__builtin_add_overflow(us, by_us, out) || *out < TIMESTAMP_MIN_US ||
        *out >= TIMESTAMP_END_US) {
        return out_of_range(err, "timestamp");
    }
    return BASE_OK;
}

base_rc func_date_to_us(int32_t days, int64_t *out, base_error *err) {
    if (days == INT32_MIN || days == INT32_MAX) {
        *out = days < 0 ? INT64_MIN : INT64_MAX;
        return BASE_OK;
    }
    if (days >= TIMESTAMP_END_US / BASE_US_PER_DAY) {
        base_rc rc = base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_DATETIME_OVERFLOW,
                               "date out of range for timestamp");
        return rc;
    }
    *out = days * BASE_US_PER_DAY;
    return BASE_OK;
}

int32_t func_us_to_days(int64_t us) {
    if (us == INT64_MIN) return INT32_MIN;
    if (us == INT64_MAX) return INT32_MAX;
    int64_t days = us / BASE_US_PER_DAY;
    return (int32_t)(us % BASE_US_PER_DAY < 0 ? days - 1 : days);
}

static int64_t time_of_day(int64_t us) {
    int64_t rest = us % BASE_US_PER_DAY;
    return rest < 0 ? rest + BASE_US_PER_DAY : rest;
}

base_rc func_to_local(const base_zone *zone, int64_t us, int64_t *local, base_error *err) {
    return func_shift_us(us, base_zone_offset_at(zone, us) * BASE_US_PER_SECOND, local, err);
}

int64_t func_local_us(const base_zone *zone, int64_t us) {
    if (us == INT64_MIN || us == INT64_MAX) return us;
    return us + base_zone_offset_at(zone, us) * BASE_US_PER_SECOND;
}

base_rc func_from_local(const base_zone *zone, int64_t local, int64_t *us, base_error *err) {
    return func_shift_us(local, -base_zone_offset_local(zone, local) * BASE_US_PER_SECOND, us, err);
}

CAST_DECLARE(cast_date_timestamp) {
    FUNC_UNUSED;
    base_error e;
    FUNC_EACH(i) FUNC_ROW_CALL(func_date_to_us(col_i32(args[0])[i], &col_i64(out)[i], &e));
    return BASE_OK;
}

CAST_DECLARE(cast_date_timestamptz) {
    FUNC_UNUSED;
    base_error e;
    FUNC_EACH(i) {
        int64_t us = 0;
        base_rc rc = func_date_to_us(col_i32(args[0])[i], &us, &e);
        if (rc == BASE_OK) rc = func_from_local(ctx->zone, us, &col_i64(out)[i], &e);
        FUNC_ROW_CALL(rc);
    }
    return BASE_OK;
}

CAST_DECLARE(cast_timestamp_date) {
    FUNC_UNUSED;
    FUNC_EACH(i) col_i32(out)[i] = func_us_to_days(col_i64(args[0])[i]);
    return BASE_OK;
}

// The time of day of an infinite timestamp is null, as in PostgreSQL.
static void put_time(col_func_ctx *ctx, col_vec *out, uint32_t row, int64_t us) {
    if (us == INT64_MIN || us == INT64_MAX) {
        col_vec_set_null(out, ctx->arena, row);
    } else {
        col_i64(out)[row] = time_of_day(us);
    }
}

CAST_DECLARE(cast_timestamp_time) {
    FUNC_UNUSED;
    FUNC_EACH(i) put_time(ctx, out, i, col_i64(args[0])[i]);
    return BASE_OK;
}

CAST_DECLARE(cast_timestamp_timestamptz) {
    FUNC_UNUSED;
    base_error e;
    FUNC_EACH(i)
    FUNC_ROW_CALL(func_from_local(ctx->zone, col_i64(args[0])[i], &col_i64(out)[i], &e));
    return BASE_OK;
}

CAST_DECLARE(cast_timestamptz_timestamp) {
    FUNC_UNUSED;
    base_error e;
    FUNC_EACH(i)
    FUNC_ROW_CALL(func_to_local(ctx->zone, col_i64(args[0])[i], &col_i64(out)[i], &e));
    return BASE_OK;
}

CAST_DECLARE(cast_timestamptz_date) {
    FUNC_UNUSED;
    FUNC_EACH(i)
    col_i32(out)[i] = func_us_to_days(func_local_us(ctx->zone, col_i64(args[0])[i]));
    return BASE_OK;
}

CAST_DECLARE(cast_timestamptz_time) {
    FUNC_UNUSED;
    FUNC_EACH(i) put_time(ctx, out, i, func_local_us(ctx->zone, col_i64(args[0])[i]));
    return BASE_OK;
}

CAST_DECLARE(cast_time_interval) {
    FUNC_UNUSED;
    FUNC_EACH(i) col_interval(out)[i] = (base_interval){col_i64(args[0])[i], 0, 0};
    return BASE_OK;
}

// Days and months are dropped; a negative rest counts back from midnight.
CAST_DECLARE(cast_interval_time) {
    FUNC_UNUSED;
    FUNC_EACH(i) col_i64(out)[i] = time_of_day(col_interval(args[0])[i].us);
    return BASE_OK;
}
