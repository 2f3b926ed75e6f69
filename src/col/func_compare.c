// func_compare.c - = <> < <= > >= of every comparable kind. Kinds on hot paths have their own
// loops; the rest share one kernel over col_cells_compare(), whose rules these loops follow
// (kernel.h). Invariant: a loop over plain numbers reads null rows too (they are initialised) and
// never fails.
#include <math.h>

#include "base/must.h"
#include "col/func_int.h"
#include "col/kernel.h"

// A loop of an operator over two C types; the compiler makes vector code of it.
#define COMPARE_PLAIN(name, a_type, b_type, common, op)                                            \
    FUNC_KERNEL(name) {                                                                            \
        FUNC_UNUSED;                                                                               \
        const a_type *a = args[0]->data;                                                           \
        const b_type *b = args[1]->data;                                                           \
        uint8_t *to = col_u8(out);                                                                 \
        for (uint32_t i = 0; i < n; i++) to[i] = (common)a[i] op(common) b[i];                     \
        return BASE_OK;                                                                            \
    }
#define COMPARE_PLAIN_ALL(suffix, a_type, b_type, common)                                          \
    COMPARE_PLAIN(eq_##suffix, a_type, b_type, common, ==)                                         \
    COMPARE_PLAIN(ne_##suffix, a_type, b_type, common, !=)                                         \
    COMPARE_PLAIN(lt_##suffix, a_type, b_type, common, <)                                          \
    COMPARE_PLAIN(le_##suffix, a_type, b_type, common, <=)                                         \
    COMPARE_PLAIN(gt_##suffix, a_type, b_type, common, >)                                          \
    COMPARE_PLAIN(ge_##suffix, a_type, b_type, common, >=)

COMPARE_PLAIN_ALL(u8, uint8_t, uint8_t, uint8_t)
COMPARE_PLAIN_ALL(int2, int16_t, int16_t, int16_t)
COMPARE_PLAIN_ALL(int4, int32_t, int32_t, int32_t)
COMPARE_PLAIN_ALL(int8, int64_t, int64_t, int64_t)
COMPARE_PLAIN_ALL(oid, uint32_t, uint32_t, uint32_t)
COMPARE_PLAIN_ALL(int24, int16_t, int32_t, int32_t)
COMPARE_PLAIN_ALL(int28, int16_t, int64_t, int64_t)
COMPARE_PLAIN_ALL(int42, int32_t, int16_t, int32_t)
COMPARE_PLAIN_ALL(int48, int32_t, int64_t, int64_t)
COMPARE_PLAIN_ALL(int82, int64_t, int16_t, int64_t)
COMPARE_PLAIN_ALL(int84, int64_t, int32_t, int64_t)

// Floats: NaN equals NaN and is greater than all else.
static inline bool float_lt(double a, double b) {
    return a < b || (b != b && a == a);
}
static inline bool float_eq(double a, double b) {
    return a == b || (a != a && b != b);
}

#define COMPARE_FLOAT(name, a_type, b_type, expression)                                            \
    FUNC_KERNEL(name) {                                                                            \
        FUNC_UNUSED;                                                                               \
        const a_type *a = args[0]->data;                                                           \
        const b_type *b = args[1]->data;                                                           \
        uint8_t *to = col_u8(out);                                                                 \
        for (uint32_t i = 0; i < n; i++) {                                                         \
            double x = a[i], y = b[i];                                                             \
            to[i] = (expression);                                                                  \
        }                                                                                          \
        return BASE_OK;                                                                            \
    }
#define COMPARE_FLOAT_ALL(suffix, a_type, b_type)                                                  \
    COMPARE_FLOAT(eq_##suffix, a_type, b_type, float_eq(x, y))                                     \
    COMPARE_FLOAT(ne_##suffix, a_type, b_type, !float_eq(x, y))                                    \
    COMPARE_FLOAT(lt_##suffix, a_type, b_type, float_lt(x, y))                                     \
    COMPARE_FLOAT(le_##suffix, a_type, b_type, !float_lt(y, x))                                    \
    COMPARE_FLOAT(gt_##suffix, a_type, b_type, float_lt(y, x))                                     \
    COMPARE_FLOAT(ge_##suffix, a_type, b_type, !float_lt(x, y))

COMPARE_FLOAT_ALL(float4, float, float)
COMPARE_FLOAT_ALL(float8, double, double)
COMPARE_FLOAT_ALL(float48, float, double)
COMPARE_FLOAT_ALL(float84, double, float)

// Kinds with a comparison function of their own; null rows are not read.
#define COMPARE_CALL(name, cell, compare, op)                                                      \
    FUNC_KERNEL(name) {                                                                            \
        FUNC_UNUSED;                                                                               \
        const cell *a = args[0]->data, *b = args[1]->data;                                         \
        uint8_t *to = col_u8(out);                                                                 \
        FUNC_EACH(i) to[i] = compare(a[i], b[i]) op 0;                                             \
        return BASE_OK;                                                                            \
    }

static inline int numeric_cmp(base_decimal a, base_decimal b) {
    if (a.scale == b.scale) {
        base_i128 x = base_decimal_unscaled(a), y = base_decimal_unscaled(b);
        return (x > y) - (x < y);
    }
    return base_decimal_cmp(a, b);
}

COMPARE_CALL(eq_numeric, base_decimal, numeric_cmp, ==)
COMPARE_CALL(ne_numeric, base_decimal, numeric_cmp, !=)
COMPARE_CALL(lt_numeric, base_decimal, numeric_cmp, <)
COMPARE_CALL(le_numeric, base_decimal, numeric_cmp, <=)
COMPARE_CALL(gt_numeric, base_decimal, numeric_cmp, >)
COMPARE_CALL(ge_numeric, base_decimal, numeric_cmp, >=)
COMPARE_CALL(lt_text, base_str, base_str_cmp, <)
COMPARE_CALL(le_text, base_str, base_str_cmp, <=)
COMPARE_CALL(gt_text, base_str, base_str_cmp, >)
COMPARE_CALL(ge_text, base_str, base_str_cmp, >=)

// Equality of text need not find the order: unequal lengths settle most rows.
FUNC_KERNEL(eq_text) {
    FUNC_UNUSED;
    const base_str *a = col_str(args[0]), *b = col_str(args[1]);
    uint8_t *to = col_u8(out);
    FUNC_EACH(i) to[i] = base_str_eq(a[i], b[i]);
    return BASE_OK;
}

FUNC_KERNEL(ne_text) {
    FUNC_UNUSED;
    const base_str *a = col_str(args[0]), *b = col_str(args[1]);
    uint8_t *to = col_u8(out);
    FUNC_EACH(i) to[i] = !base_str_eq(a[i], b[i]);
    return BASE_OK;
}

#define COMPARE_ANY(name, expression)                                                              \
    FUNC_KERNEL(name) {                                                                            \
        FUNC_UNUSED;                                                                               \
        const col_vec *a = args[0], *b = args[1];                                                  \
        uint8_t *to = col_u8(out);                                                                 \
        FUNC_EACH(i) to[i] = (expression);                                                         \
        return BASE_OK;                                                                            \
    }

COMPARE_ANY(eq_any, col_cells_equal(a, i, b, i))
COMPARE_ANY(ne_any, !col_cells_equal(a, i, b, i))
COMPARE_ANY(lt_any, col_cells_compare(a, i, b, i) < 0)
COMPARE_ANY(le_any, col_cells_compare(a, i, b, i) <= 0)
COMPARE_ANY(gt_any, col_cells_compare(a, i, b, i) > 0)
COMPARE_ANY(ge_any, col_cells_compare(a, i, b, i) >= 0)

// IS [NOT] DISTINCT FROM: not strict; nulls are equal to each other.
FUNC_KERNEL(is_distinct) {
    FUNC_UNUSED;
    uint8_t *to = col_u8(out);
    for (uint32_t i = 0; i < n; i++) to[i] = !col_cells_equal(args[0], i, args[1], i);
    return BASE_OK;
}

FUNC_KERNEL(is_not_distinct) {
    FUNC_UNUSED;
    uint8_t *to = col_u8(out);
    for (uint32_t i = 0; i < n; i++) to[i] = col_cells_equal(args[0], i, args[1], i);
    return BASE_OK;
}

// NULLIF(a, b) is a, or null where a = b.
FUNC_KERNEL(nullif_any) {
    FUNC_UNUSED;
    for (uint32_t i = 0; i < n; i++) {
        bool equal = !col_is_null(args[0], i) && !col_is_null(args[1], i) &&
                     col_cells_equal(args[0], i, args[1], i);
        if (equal || col_is_null(args[0], i)) {
            col_vec_set_null(out, ctx->arena, i);
        } else {
            col_vec_copy_cell(out, i, args[0], i, ctx->arena);
        }
    }
    return BASE_OK;
}

// One of the two ends of a period as they were given: the earlier, and the later if both are known.
typedef struct period {
    const col_vec *start, *end; // NULL: null
} period;

static period period_of(const col_vec *a, const col_vec *b, uint32_t i) {
    if (col_is_null(a, i) || col_is_null(b, i))
        return (period){!col_is_null(a, i) ? a : !col_is_null(b, i) ? b : NULL, NULL};
    return col_cells_compare(a, i, b, i) > 0 ? (period){b, a} : (period){a, b};
}

// Whether the period that begins first ends after the other one begins: 1, 0, -1 unknown. Two that
// begin together overlap, also where one of them is a moment.
static int periods_overlap(period a, period b, uint32_t i) {
    if (a.start == NULL || b.start == NULL) return -1;
    int order = col_cells_compare(a.start, i, b.start, i);
    if (order == 0) return a.end == NULL || b.end == NULL ? -1 : 1;
    const period *first = order < 0 ? &a : &b, *second = order < 0 ? &b : &a;
    if (first->end == NULL) return -1;
    if (col_cells_compare(second->start, i, first->end, i) < 0) return 1;
    return second->end == NULL ? -1 : 0;
}

// (start, end) OVERLAPS (start, end).
FUNC_KERNEL(overlaps) {
    FUNC_UNUSED;
    for (uint32_t i = 0; i < n; i++) {
        int answer =
            periods_overlap(period_of(args[0], args[1], i), period_of(args[2], args[3], i), i);
        if (answer < 0) {
            col_vec_set_null(out, ctx->arena, i);
        } else {
            col_u8(out)[i] = (uint8_t)answer;
        }
    }
    return BASE_OK;
}

// The value of a scalar sub-query, and how many rows it had; null if it was none.
FUNC_KERNEL(single_row) {
    FUNC_UNUSED;
    for (uint32_t i = 0; i < n; i++) {
        if (!col_is_null(args[1], i) && col_i64(args[1])[i] > 1) {
            FUNC_TOLERATE(
                func_row_fail(ctx, out, i, BASE_E_INVALID, "21000",
                              "more than one row returned by a subquery used as an expression"));
        } else if (col_is_null(args[0], i)) {
            col_vec_set_null(out, ctx->arena, i);
        } else {
            col_vec_copy_cell(out, i, args[0], i, ctx->arena);
        }
    }
    return BASE_OK;
}

#define ROWS(suffix, a, b)                                                                         \
    {"=", 2, {a, b}, COL_BOOL, COL_FUNC_STRICT, eq_##suffix, NULL},                                \
        {"<>", 2, {a, b}, COL_BOOL, COL_FUNC_STRICT, ne_##suffix, NULL},                           \
        {"<", 2, {a, b}, COL_BOOL, COL_FUNC_STRICT, lt_##suffix, NULL},                            \
        {"<=", 2, {a, b}, COL_BOOL, COL_FUNC_STRICT, le_##suffix, NULL},                           \
        {">", 2, {a, b}, COL_BOOL, COL_FUNC_STRICT, gt_##suffix, NULL}, {                          \
        ">=", 2, {a, b}, COL_BOOL, COL_FUNC_STRICT, ge_##suffix, NULL                              \
    }
#define ANY_SAME (COL_FUNC_STRICT | COL_FUNC_ANY_SAME)

static const col_func rows[] = {
    ROWS(u8, COL_BOOL, COL_BOOL),
    ROWS(u8, COL_CHAR, COL_CHAR),
    ROWS(int2, COL_INT2, COL_INT2),
    ROWS(int4, COL_INT4, COL_INT4),
    ROWS(int8, COL_INT8, COL_INT8),
    ROWS(int24, COL_INT2, COL_INT4),
    ROWS(int28, COL_INT2, COL_INT8),
    ROWS(int42, COL_INT4, COL_INT2),
    ROWS(int48, COL_INT4, COL_INT8),
    ROWS(int82, COL_INT8, COL_INT2),
    ROWS(int84, COL_INT8, COL_INT4),
    ROWS(float4, COL_FLOAT4, COL_FLOAT4),
    ROWS(float8, COL_FLOAT8, COL_FLOAT8),
    ROWS(float48, COL_FLOAT4, COL_FLOAT8),
    ROWS(float84, COL_FLOAT8, COL_FLOAT4),
    ROWS(numeric, COL_NUMERIC, COL_NUMERIC),
    ROWS(text, COL_TEXT, COL_TEXT),
    ROWS(text, COL_NAME, COL_NAME),
    ROWS(text, COL_NAME, COL_TEXT),
    ROWS(text, COL_TEXT, COL_NAME),
    ROWS(text, COL_BYTEA, COL_BYTEA),
    ROWS(int4, COL_DATE, COL_DATE),
    ROWS(int8, COL_TIME, COL_TIME),
    ROWS(int8, COL_TIMESTAMP, COL_TIMESTAMP),
    ROWS(int8, COL_TIMESTAMPTZ, COL_TIMESTAMPTZ),
    ROWS(oid, COL_OID, COL_OID),
    {"=", 2, {COL_UNKNOWN, COL_UNKNOWN}, COL_BOOL, ANY_SAME, eq_any, NULL},
    {"<>", 2, {COL_UNKNOWN, COL_UNKNOWN}, COL_BOOL, ANY_SAME, ne_any, NULL},
    {"<", 2, {COL_UNKNOWN, COL_UNKNOWN}, COL_BOOL, ANY_SAME, lt_any, NULL},
    {"<=", 2, {COL_UNKNOWN, COL_UNKNOWN}, COL_BOOL, ANY_SAME, le_any, NULL},
    {">", 2, {COL_UNKNOWN, COL_UNKNOWN}, COL_BOOL, ANY_SAME, gt_any, NULL},
    {">=", 2, {COL_UNKNOWN, COL_UNKNOWN}, COL_BOOL, ANY_SAME, ge_any, NULL},
    {"is distinct from",
     2,
     {COL_UNKNOWN, COL_UNKNOWN},
     COL_BOOL,
     COL_FUNC_ANY_SAME,
     is_distinct,
     NULL},
    {"is not distinct from",
     2,
     {COL_UNKNOWN, COL_UNKNOWN},
     COL_BOOL,
     COL_FUNC_ANY_SAME,
     is_not_distinct,
     NULL},
#define OVERLAPS(kind)                                                                             \
    { "overlaps", 4, {kind, kind, kind, kind}, COL_BOOL, 0, overlaps, NULL }
    OVERLAPS(COL_TIMESTAMPTZ),
    OVERLAPS(COL_TIMESTAMP),
    OVERLAPS(COL_TIME),
    // A name that nobody can write: what the binder puts around a sub-query's value.
    {"single row", 2, {COL_UNKNOWN, COL_INT8}, COL_UNKNOWN, COL_FUNC_ANY_SAME, single_row, NULL},
    {"nullif", 2, {COL_UNKNOWN, COL_UNKNOWN}, COL_UNKNOWN, COL_FUNC_ANY_SAME, nullif_any, NULL},
};
FUNC_TABLE(func_compare_table, rows);
