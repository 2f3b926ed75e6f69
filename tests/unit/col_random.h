// col_random.h - random columns of every kind for the tests of src/col: few distinct values, so
// that equal ones meet, and the awkward ones among them.
#ifndef WEIR_TESTS_COL_RANDOM_H
#define WEIR_TESTS_COL_RANDOM_H

#include <math.h>

#include "base/must.h"
#include "base/random.h"
#include "col/array.h"
#include "col/batch.h"
#include "col/codec.h"

static const col_field col_random_inner[] = {
    {"x", {COL_INT4, 0, 0, 0, NULL}},
    {"y", {COL_TEXT, 0, 0, 0, NULL}},
};
static const col_field col_random_fields[] = {
    {"a", {COL_NUMERIC, 0, 0, 0, NULL}},
    {"b", {COL_STRUCT, 0, 0, 2, col_random_inner}},
};

// Every kind that has values; the last is a struct within a struct.
static const col_type col_random_types[] = {
    {COL_BOOL, 0, 0, 0, NULL},
    {COL_INT2, 0, 0, 0, NULL},
    {COL_INT4, 0, 0, 0, NULL},
    {COL_INT8, 0, 0, 0, NULL},
    {COL_FLOAT4, 0, 0, 0, NULL},
    {COL_FLOAT8, 0, 0, 0, NULL},
    {COL_NUMERIC, 0, 0, 0, NULL},
    {COL_TEXT, 0, 0, 0, NULL},
    {COL_VARCHAR, 0, 0, 0, NULL},
    {COL_BYTEA, 0, 0, 0, NULL},
    {COL_DATE, 0, 0, 0, NULL},
    {COL_TIME, 0, 0, 0, NULL},
    {COL_TIMESTAMP, 0, 0, 0, NULL},
    {COL_TIMESTAMPTZ, 0, 0, 0, NULL},
    {COL_INTERVAL, 0, 0, 0, NULL},
    {COL_UUID, 0, 0, 0, NULL},
    {COL_JSONB, 0, 0, 0, NULL},
    {COL_OID, 0, 0, 0, NULL},
    {COL_NAME, 0, 0, 0, NULL},
    {COL_CHAR, 0, 0, 0, NULL},
    {COL_REGCLASS, 0, 0, 0, NULL},
    {COL_ARRAY | COL_BOOL, 0, 0, 0, NULL},
    {COL_ARRAY | COL_INT2, 0, 0, 0, NULL},
    {COL_ARRAY | COL_INT4, 0, 0, 0, NULL},
    {COL_ARRAY | COL_INT8, 0, 0, 0, NULL},
    {COL_ARRAY | COL_FLOAT4, 0, 0, 0, NULL},
    {COL_ARRAY | COL_FLOAT8, 0, 0, 0, NULL},
    {COL_ARRAY | COL_NUMERIC, 0, 0, 0, NULL},
    {COL_ARRAY | COL_TEXT, 0, 0, 0, NULL},
    {COL_ARRAY | COL_BYTEA, 0, 0, 0, NULL},
    {COL_ARRAY | COL_TIMESTAMPTZ, 0, 0, 0, NULL},
    {COL_ARRAY | COL_INTERVAL, 0, 0, 0, NULL},
    {COL_ARRAY | COL_UUID, 0, 0, 0, NULL},
    {COL_ARRAY | COL_JSONB, 0, 0, 0, NULL},
    {COL_ARRAY | COL_OID, 0, 0, 0, NULL},
    {COL_STRUCT, 0, 0, 2, col_random_fields},
};
#define COL_RANDOM_TYPES (sizeof col_random_types / sizeof col_random_types[0])

static int64_t col_random_i64(base_random *random) {
    static const int64_t edges[] = {INT64_MIN, INT64_MAX, 0, 1, -1, 255, 256, -256, 1000000};
    switch (base_random_below(random, 3)) {
    case 0:
        return edges[base_random_below(random, sizeof edges / sizeof edges[0])];
    case 1:
        return (int64_t)base_random_below(random, 20) - 10;
    default:
        return (int64_t)base_random_u64(random) >> base_random_below(random, 64);
    }
}

static double col_random_f64(base_random *random) {
    static const double edges[] = {0.0,       -0.0,  1.0,     -1.0,   1.5, INFINITY,
                                   -INFINITY, 1e300, -1e-300, 5e-324, NAN, -2.25};
    if (base_random_below(random, 2) == 0) {
        return edges[base_random_below(random, sizeof edges / sizeof edges[0])];
    }
    return (base_random_unit(random) - 0.5) * 1000;
}

static base_decimal col_random_decimal(base_random *random) {
    int scale = (int)base_random_below(random, 39);
    base_i128 v;
    switch (base_random_below(random, 4)) {
    case 0:
        // One value at several scales.
        scale = (int)base_random_below(random, 4);
        v = (base_i128)base_random_below(random, 5) - 2;
        for (int i = 0; i < scale; i++) v *= 10;
        break;
    case 1:
        v = (base_i128)base_random_below(random, 2001) - 1000;
        break;
    case 2:
        v = col_random_i64(random);
        break;
    default:
        v = (base_i128)((base_u128)base_random_u64(random) << 62 | base_random_u64(random));
        if (base_random_below(random, 2) == 0) v = -v;
        break;
    }
    return base_decimal_make(v, scale);
}

static base_str col_random_str(base_random *random, base_arena *arena, bool zeros) {
    size_t n = base_random_below(random, 4) == 0 ? base_random_below(random, 40)
                                                 : base_random_below(random, 4);
    char *p = base_arena_alloc(arena, n + 1);
    for (size_t i = 0; i < n; i++) {
        static const char letters[] = "ab\x7f ";
        p[i] = letters[base_random_below(random, 4)];
        if (zeros && base_random_below(random, 2) == 0) {
            p[i] = base_random_below(random, 2) == 0 ? 0 : (char)0xff;
        }
    }
    return (base_str){p, n};
}

static void col_random_json(base_random *random, base_buf *buf, int depth) {
    static const char *const scalars[] = {"null",
                                          "true",
                                          "false",
                                          "0",
                                          "1",
                                          "1.0",
                                          "1.00",
                                          "-1",
                                          "-1.0",
                                          "9",
                                          "10",
                                          "10.0",
                                          "100",
                                          "0.5",
                                          "0.50",
                                          "-0.001",
                                          "1.50",
                                          "1e70",
                                          "1e-70",
                                          "-10",
                                          "-100.0",
                                          "-1e70",
                                          "1e-61",
                                          "\"\"",
                                          "\"a\"",
                                          "\"b\"",
                                          "\"aa\"",
                                          "\"a\\n\"",
                                          "\"\\\"\"",
                                          "\"\\u0001\"",
                                          "12345678901234567890.120"};
    static const char *const keys[] = {"a", "b", "aa", "", "z"};
    uint64_t choice = base_random_below(random, depth > 0 ? 4 : 2);
    if (choice < 2) {
        base_buf_add_cstr(buf,
                          scalars[base_random_below(random, sizeof scalars / sizeof scalars[0])]);
        return;
    }
    uint64_t n = base_random_below(random, 4);
    base_buf_add_byte(buf, choice == 2 ? '[' : '{');
    for (uint64_t i = 0; i < n; i++) {
        if (i > 0) base_buf_add_byte(buf, ',');
        if (choice == 3) base_buf_printf(buf, "\"%s\":", keys[base_random_below(random, 5)]);
        col_random_json(random, buf, depth - 1);
    }
    base_buf_add_byte(buf, choice == 2 ? ']' : '}');
}

static base_str col_random_jsonb(base_random *random, base_arena *arena) {
    base_buf buf = {0};
    base_str text;
    base_error err;
    col_random_json(random, &buf, 3);
    must(col_jsonb_canonical(base_buf_str(&buf), arena, &text, &err) == BASE_OK);
    base_buf_deinit(&buf);
    return text;
}

static base_interval col_random_interval(base_random *random) {
    switch (base_random_below(random, 3)) {
    case 0: {
        // 1 month, 30 days, 720 hours: one length.
        int64_t n = (int64_t)base_random_below(random, 3) - 1;
        switch (base_random_below(random, 3)) {
        case 0:
            return (base_interval){0, 0, (int32_t)n};
        case 1:
            return (base_interval){0, (int32_t)(30 * n), 0};
        default:
            return (base_interval){720 * BASE_US_PER_HOUR * n, 0, 0};
        }
    }
    case 1:
        return (base_interval){col_random_i64(random), (int32_t)base_random_u64(random),
                               (int32_t)base_random_u64(random)};
    default:
        return (base_interval){(int64_t)base_random_below(random, 3), 0, 0};
    }
}

static void col_random_cell(base_random *random, base_arena *arena, col_vec *vec, uint32_t row);

static base_str col_random_array(base_random *random, base_arena *arena, const col_type *type) {
    col_vec elements;
    uint32_t n = (uint32_t)base_random_below(random, 4);
    col_vec_init(&elements, arena, col_type_element(type), n);
    for (uint32_t i = 0; i < n; i++) col_random_cell(random, arena, &elements, i);
    return col_array_make(arena, &elements, 0, n);
}

__attribute__((unused)) static void col_random_cell(base_random *random, base_arena *arena,
                                                    col_vec *vec, uint32_t row) {
    int64_t v = col_random_i64(random);
    switch (vec->type.kind) {
    case COL_BOOL:
        col_u8(vec)[row] = v & 1;
        break;
    case COL_CHAR:
        col_u8(vec)[row] = (uint8_t)v;
        break;
    case COL_INT2:
        col_i16(vec)[row] = (int16_t)v;
        break;
    case COL_INT4:
    case COL_DATE:
        col_i32(vec)[row] = (int32_t)v;
        break;
    case COL_OID:
    case COL_REGCLASS:
        col_u32(vec)[row] = (uint32_t)v;
        break;
    case COL_INT8:
    case COL_TIME:
    case COL_TIMESTAMP:
    case COL_TIMESTAMPTZ:
        col_i64(vec)[row] = v;
        break;
    case COL_FLOAT4:
        col_f32(vec)[row] = (float)col_random_f64(random);
        break;
    case COL_FLOAT8:
        col_f64(vec)[row] = col_random_f64(random);
        break;
    case COL_NUMERIC:
        col_dec(vec)[row] = col_random_decimal(random);
        break;
    case COL_INTERVAL:
        col_interval(vec)[row] = col_random_interval(random);
        break;
    case COL_UUID:
        for (int i = 0; i < 16; i++) {
            col_uuid(vec, row)[i] = i % 7 == 0 ? (uint8_t)base_random_below(random, 3) * 100 : 0;
        }
        break;
    case COL_STRUCT:
        break;
    case COL_JSONB:
        col_str(vec)[row] = col_random_jsonb(random, arena);
        break;
    default:
        if (col_kind_is_array(vec->type.kind)) {
            col_str(vec)[row] = col_random_array(random, arena, &vec->type);
            break;
        }
        col_str(vec)[row] = col_random_str(random, arena, vec->type.kind == COL_BYTEA);
        break;
    }
    for (uint16_t i = 0; i < vec->type.nfields; i++) {
        col_random_cell(random, arena, &vec->children[i], row);
    }
    if (base_random_below(random, 6) == 0) col_vec_set_null(vec, arena, row);
}

__attribute__((unused)) static col_batch *col_random_batch(base_random *random, base_arena *arena,
                                                           uint32_t ncols, const col_type *types,
                                                           uint32_t nrows) {
    col_batch *batch = col_batch_create(arena, ncols, types, nrows);
    for (uint32_t c = 0; c < ncols; c++) {
        for (uint32_t r = 0; r < nrows; r++) col_random_cell(random, arena, &batch->cols[c], r);
    }
    return batch;
}

// Whether two cells are the same to the last bit, nulls and scales included.
__attribute__((unused)) static bool col_same_cell(const col_vec *a, uint32_t i, const col_vec *b,
                                                  uint32_t j) {
    if (col_is_null(a, i) || col_is_null(b, j)) return col_is_null(a, i) && col_is_null(b, j);
    if (a->type.kind == COL_STRUCT) {
        for (uint16_t f = 0; f < a->type.nfields; f++) {
            if (!col_same_cell(&a->children[f], i, &b->children[f], j)) return false;
        }
        return true;
    }
    if (col_kind_is_string(a->type.kind)) return base_str_eq(col_str(a)[i], col_str(b)[j]);
    size_t width = col_kind_width(a->type.kind);
    return memcmp((char *)a->data + width * i, (char *)b->data + width * j, width) == 0;
}

#endif
