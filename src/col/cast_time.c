// cast_time.c - casts among the time kinds. A timestamptz is an instant: it meets local time
// through the session's fixed zone offset. Infinities stay infinite.
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

static int64_t zone_us(const col_func_ctx *ctx) {
    return ctx->zone_offset_seconds * BASE_US_PER_SECOND;
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
        if (rc == BASE_OK) rc = func_shift_us(us, -zone_us(ctx), &col_i64(out)[i], &e);
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

static base_rc shift_rows(col_func_ctx *ctx, uint32_t n, const col_vec *from, col_vec *out,
                          int64_t by_us) {
    base_error e;
    FUNC_EACH(i) FUNC_ROW_CALL(func_shift_us(col_i64(from)[i], by_us, &col_i64(out)[i], &e));
    return BASE_OK;
}

CAST_DECLARE(cast_timestamp_timestamptz) {
    FUNC_UNUSED;
    return shift_rows(ctx, n, args[0], out, -zone_us(ctx));
}

CAST_DECLARE(cast_timestamptz_timestamp) {
    FUNC_UNUSED;
    return shift_rows(ctx, n, args[0], out, zone_us(ctx));
}

CAST_DECLARE(cast_timestamptz_date) {
    FUNC_UNUSED;
    base_error e;
    FUNC_EACH(i) {
        int64_t us = 0;
        FUNC_ROW_CALL(func_shift_us(col_i64(args[0])[i], zone_us(ctx), &us, &e));
        col_i32(out)[i] = func_us_to_days(us);
    }
    return BASE_OK;
}

CAST_DECLARE(cast_timestamptz_time) {
    FUNC_UNUSED;
    base_error e;
    FUNC_EACH(i) {
        int64_t us = 0;
        FUNC_ROW_CALL(func_shift_us(col_i64(args[0])[i], zone_us(ctx), &us, &e));
        put_time(ctx, out, i, us);
    }
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
