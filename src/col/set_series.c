// set_series.c - unnest, generate_series and generate_subscripts. Entry point: set_series_table.
#include "base/must.h"
#include "col/cast_int.h"
#include "col/col_int.h"
#include "col/set_int.h"

SET_GIVE(unnest) {
    SET_UNUSED;
    col_array_reader reader;
    col_array_reader_init(&reader, args[0], row, set->arena);
    while (col_array_reader_next(&reader)) {
        SET_TRY(col_set_add(set, err));
        col_vec_copy_cell(&set->cols[0], set->n - 1, &reader.cell, 0, set->arena);
    }
    return BASE_OK;
}

static base_rc no_step(base_error *err) {
    return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER,
                     "step size cannot equal zero");
}

static int64_t integer_at(const col_vec *vec, uint32_t row) {
    return vec->type.kind == COL_INT4 ? col_i32(vec)[row] : col_i64(vec)[row];
}

SET_GIVE(series_of_integers) {
    SET_UNUSED;
    int64_t v = integer_at(args[0], row), stop = integer_at(args[1], row);
    int64_t step = nargs == 3 ? integer_at(args[2], row) : 1;
    if (step == 0) return no_step(err);
    while (step > 0 ? v <= stop : v >= stop) {
        SET_TRY(col_set_add(set, err));
        if (set->cols[0].type.kind == COL_INT4) {
            col_i32(&set->cols[0])[set->n - 1] = (int32_t)v;
        } else {
            col_i64(&set->cols[0])[set->n - 1] = v;
        }
        if (__builtin_add_overflow(v, step, &v)) break;
    }
    return BASE_OK;
}

SET_GIVE(series_of_numerics) {
    SET_UNUSED;
    base_decimal v = col_dec(args[0])[row], stop = col_dec(args[1])[row];
    base_decimal step = nargs == 3 ? col_dec(args[2])[row] : base_decimal_make(1, 0);
    int sign = base_decimal_sign(step);
    if (sign == 0) return no_step(err);
    while (base_decimal_cmp(v, stop) * sign <= 0) {
        SET_TRY(col_set_add(set, err));
        col_dec(&set->cols[0])[set->n - 1] = v;
        SET_TRY(base_decimal_add(v, step, &v, err));
    }
    return BASE_OK;
}

SET_GIVE(series_of_times) {
    SET_UNUSED;
    int64_t v = col_i64(args[0])[row], stop = col_i64(args[1])[row];
    base_interval step = col_interval(args[2])[row];
    __int128 length = col_interval_total(&step);
    bool zoned = args[0]->type.kind == COL_TIMESTAMPTZ;
    // Days and months are counted by the clock of the session's zone.
    const base_zone *zone = zoned ? ctx->zone : NULL;
    if (length == 0) return no_step(err);
    while (length > 0 ? v <= stop : v >= stop) {
        SET_TRY(col_set_add(set, err));
        col_i64(&set->cols[0])[set->n - 1] = v;
        if (v == INT64_MIN || v == INT64_MAX) break; // an infinity is followed by itself
        SET_TRY(func_add_interval(zone, v, &step, &v, err));
    }
    return BASE_OK;
}

SET_GIVE(subscripts) {
    SET_UNUSED;
    if (col_i32(args[1])[row] != 1) return BASE_OK;
    uint32_t n = col_array_length(args[0], row);
    bool reverse = nargs == 3 && col_u8(args[2])[row] != 0;
    for (uint32_t i = 0; i < n; i++) {
        SET_TRY(col_set_add(set, err));
        col_i32(&set->cols[0])[set->n - 1] = (int32_t)(reverse ? n - i : i + 1);
    }
    return BASE_OK;
}

#define S    COL_FUNC_STRICT
#define I4   COL_INT4
#define I8   COL_INT8
#define NUM  COL_NUMERIC
#define TS   COL_TIMESTAMP
#define TSTZ COL_TIMESTAMPTZ
#define IV   COL_INTERVAL

static const col_set_func rows[] = {
    SET_ONE("unnest", 1, COL_UNKNOWN, S, unnest, COL_ARRAY),
    SET_ONE("generate_series", 2, I4, S, series_of_integers, I4, I4),
    SET_ONE("generate_series", 3, I4, S, series_of_integers, I4, I4, I4),
    SET_ONE("generate_series", 2, I8, S, series_of_integers, I8, I8),
    SET_ONE("generate_series", 3, I8, S, series_of_integers, I8, I8, I8),
    SET_ONE("generate_series", 2, NUM, S, series_of_numerics, NUM, NUM),
    SET_ONE("generate_series", 3, NUM, S, series_of_numerics, NUM, NUM, NUM),
    SET_ONE("generate_series", 3, TS, S, series_of_times, TS, TS, IV),
    SET_ONE("generate_series", 3, TSTZ, S | COL_FUNC_STABLE, series_of_times, TSTZ, TSTZ, IV),
    SET_ONE("generate_subscripts", 2, I4, S, subscripts, COL_ARRAY, I4),
    SET_ONE("generate_subscripts", 3, I4, S, subscripts, COL_ARRAY, I4, COL_BOOL),
};
SET_TABLE(set_series_table, rows);
