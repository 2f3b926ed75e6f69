// cast.c - casts between kinds: the table of PostgreSQL 15's pg_cast restricted to our kinds, and
// the rule that everything converts to and from text through its text form. Casts to a time kind or
// from JSON are in cast_time.c and cast_json.c. Invariant: the table is built once and read-only
// after. Entry point: col_cast_find().
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/must.h"
#include "col/cast_int.h"
#include "col/codec.h"
#include "col/func_host.h"

// ---- numbers ----

#define CAST_PLAIN(name, from_type, to_type)                                                       \
    FUNC_KERNEL(name) {                                                                            \
        FUNC_UNUSED;                                                                               \
        const from_type *from = args[0]->data;                                                     \
        to_type *to = out->data;                                                                   \
        for (uint32_t i = 0; i < n; i++) to[i] = (to_type)from[i];                                 \
        return BASE_OK;                                                                            \
    }
// Range-checked integer to integer.
#define CAST_NARROW(name, from_type, to_type, lo, hi, type_name)                                   \
    FUNC_KERNEL(name) {                                                                            \
        FUNC_UNUSED;                                                                               \
        const from_type *from = args[0]->data;                                                     \
        to_type *to = out->data;                                                                   \
        FUNC_EACH(i) {                                                                             \
            to[i] = (to_type)from[i];                                                              \
            if ((int64_t)from[i] < (lo) || (int64_t)from[i] > (hi)) {                              \
                FUNC_TOLERATE(func_row_fail(ctx, out, i, BASE_E_INVALID,                           \
                                            BASE_SQLSTATE_NUMERIC_RANGE,                           \
                                            type_name " out of range"));                           \
            }                                                                                      \
        }                                                                                          \
        return BASE_OK;                                                                            \
    }

CAST_PLAIN(int2_int4, int16_t, int32_t)
CAST_PLAIN(int2_int8, int16_t, int64_t)
CAST_PLAIN(int4_int8, int32_t, int64_t)
CAST_NARROW(int4_int2, int32_t, int16_t, INT16_MIN, INT16_MAX, "smallint")
CAST_NARROW(int8_int2, int64_t, int16_t, INT16_MIN, INT16_MAX, "smallint")
CAST_NARROW(int8_int4, int64_t, int32_t, INT32_MIN, INT32_MAX, "integer")
CAST_PLAIN(int2_float4, int16_t, float)
CAST_PLAIN(int2_float8, int16_t, double)
CAST_PLAIN(int4_float4, int32_t, float)
CAST_PLAIN(int4_float8, int32_t, double)
CAST_PLAIN(int8_float4, int64_t, float)
CAST_PLAIN(int8_float8, int64_t, double)
CAST_PLAIN(float4_float8, float, double)
CAST_PLAIN(int2_oid, int16_t, uint32_t)
CAST_PLAIN(int4_oid, int32_t, uint32_t)
CAST_NARROW(int8_oid, int64_t, uint32_t, 0, UINT32_MAX, "OID")
CAST_PLAIN(oid_int4, uint32_t, int32_t)
CAST_PLAIN(oid_int8, uint32_t, int64_t)
CAST_PLAIN(oid_oid, uint32_t, uint32_t)
CAST_PLAIN(bool_int4, uint8_t, int32_t)

FUNC_KERNEL(int4_bool) {
    FUNC_UNUSED;
    for (uint32_t i = 0; i < n; i++) col_u8(out)[i] = col_i32(args[0])[i] != 0;
    return BASE_OK;
}

FUNC_KERNEL(char_int4) {
    FUNC_UNUSED;
    for (uint32_t i = 0; i < n; i++) col_i32(out)[i] = (int8_t)col_u8(args[0])[i];
    return BASE_OK;
}
CAST_NARROW(int4_char, int32_t, uint8_t, INT8_MIN, INT8_MAX, "\"char\"")

// Rounds half to even. The limits are exact in floating point: lo <= x < -lo.
#define CAST_FLOAT_INT(name, from_type, to_type, lo, type_name)                                    \
    FUNC_KERNEL(name) {                                                                            \
        FUNC_UNUSED;                                                                               \
        const from_type *from = args[0]->data;                                                     \
        to_type *to = out->data;                                                                   \
        FUNC_EACH(i) {                                                                             \
            double x = rint((double)from[i]);                                                      \
            if (x >= (lo) && x < -(lo)) {                                                          \
                to[i] = (to_type)x;                                                                \
            } else {                                                                               \
                FUNC_TOLERATE(func_row_fail(ctx, out, i, BASE_E_INVALID,                           \
                                            BASE_SQLSTATE_NUMERIC_RANGE,                           \
                                            type_name " out of range"));                           \
            }                                                                                      \
        }                                                                                          \
        return BASE_OK;                                                                            \
    }
CAST_FLOAT_INT(float4_int2, float, int16_t, -32768.0, "smallint")
CAST_FLOAT_INT(float4_int4, float, int32_t, -2147483648.0, "integer")
CAST_FLOAT_INT(float4_int8, float, int64_t, -9223372036854775808.0, "bigint")
CAST_FLOAT_INT(float8_int2, double, int16_t, -32768.0, "smallint")
CAST_FLOAT_INT(float8_int4, double, int32_t, -2147483648.0, "integer")
CAST_FLOAT_INT(float8_int8, double, int64_t, -9223372036854775808.0, "bigint")

static base_rc narrow_float(double from, float *to, base_error *err) {
    *to = (float)from;
    if (isinf(*to) && !isinf(from)) {
        return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_NUMERIC_RANGE,
                         "value out of range: overflow");
    }
    if (*to == 0 && from != 0) {
        return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_NUMERIC_RANGE,
                         "value out of range: underflow");
    }
    return BASE_OK;
}

FUNC_KERNEL(float8_float4) {
    FUNC_UNUSED;
    base_error e;
    FUNC_EACH(i) FUNC_ROW_CALL(narrow_float(col_f64(args[0])[i], &col_f32(out)[i], &e));
    return BASE_OK;
}

FUNC_KERNEL(numeric_float4) {
    FUNC_UNUSED;
    base_error e;
    FUNC_EACH(i) {
        double v = base_decimal_to_double(col_dec(args[0])[i]);
        FUNC_ROW_CALL(narrow_float(v, &col_f32(out)[i], &e));
    }
    return BASE_OK;
}

FUNC_KERNEL(numeric_float8) {
    FUNC_UNUSED;
    FUNC_EACH(i) col_f64(out)[i] = base_decimal_to_double(col_dec(args[0])[i]);
    return BASE_OK;
}

base_rc func_numeric_to_int(base_decimal v, int64_t lo, int64_t hi, const char *type_name,
                            int64_t *out, base_error *err) {
    if (base_decimal_to_i64(v, out, err) != BASE_OK || *out < lo || *out > hi) {
        return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_NUMERIC_RANGE, "%s out of range",
                         type_name);
    }
    return BASE_OK;
}

#define CAST_NUMERIC_INT(name, to_type, lo, hi, type_name)                                         \
    FUNC_KERNEL(name) {                                                                            \
        FUNC_UNUSED;                                                                               \
        base_error e;                                                                              \
        FUNC_EACH(i) {                                                                             \
            int64_t v = 0;                                                                         \
            FUNC_ROW_CALL(                                                                         \
                func_numeric_to_int(col_dec(args[0])[i], (lo), (hi), type_name, &v, &e));          \
            ((to_type *)out->data)[i] = (to_type)v;                                                \
        }                                                                                          \
        return BASE_OK;                                                                            \
    }
CAST_NUMERIC_INT(numeric_int2, int16_t, INT16_MIN, INT16_MAX, "smallint")
CAST_NUMERIC_INT(numeric_int4, int32_t, INT32_MIN, INT32_MAX, "integer")
CAST_NUMERIC_INT(numeric_int8, int64_t, INT64_MIN, INT64_MAX, "bigint")

// NUMERIC(p, s) of the target; p = 0 is unconstrained.
static base_rc numeric_fit(const col_type *type, base_decimal v, base_decimal *to,
                           base_error *err) {
    if (type->precision == 0) {
        *to = v;
        return BASE_OK;
    }
    return base_decimal_coerce(v, type->precision, type->scale, to, err);
}

#define CAST_INT_NUMERIC(name, from_type)                                                          \
    FUNC_KERNEL(name) {                                                                            \
        FUNC_UNUSED;                                                                               \
        const from_type *from = args[0]->data;                                                     \
        base_error e;                                                                              \
        FUNC_EACH(i) {                                                                             \
            base_decimal v = base_decimal_from_i64(from[i]);                                       \
            FUNC_ROW_CALL(numeric_fit(&out->type, v, &col_dec(out)[i], &e));                       \
        }                                                                                          \
        return BASE_OK;                                                                            \
    }
CAST_INT_NUMERIC(int2_numeric, int16_t)
CAST_INT_NUMERIC(int4_numeric, int32_t)
CAST_INT_NUMERIC(int8_numeric, int64_t)

FUNC_KERNEL(numeric_numeric) {
    FUNC_UNUSED;
    base_error e;
    FUNC_EACH(i) FUNC_ROW_CALL(numeric_fit(&out->type, col_dec(args[0])[i], &col_dec(out)[i], &e));
    return BASE_OK;
}

FUNC_KERNEL(float8_numeric) {
    FUNC_UNUSED;
    base_error e;
    FUNC_EACH(i) {
        base_decimal v = {0};
        base_rc rc = base_decimal_from_double(col_f64(args[0])[i], &v, &e);
        if (rc == BASE_OK) rc = numeric_fit(&out->type, v, &col_dec(out)[i], &e);
        FUNC_ROW_CALL(rc);
    }
    return BASE_OK;
}

// Six significant digits, as PostgreSQL (FLT_DIG).
static base_rc float4_to_decimal(float from, base_decimal *to, base_error *err) {
    if (!isfinite(from)) return base_decimal_from_double((double)from, to, err);
    char text[32];
    int length = snprintf(text, sizeof text, "%.*g", FLT_DIG, (double)from);
    return base_decimal_parse((base_str){text, (size_t)length}, to, err);
}

FUNC_KERNEL(float4_numeric) {
    FUNC_UNUSED;
    base_error e;
    FUNC_EACH(i) {
        base_decimal v = {0};
        base_rc rc = float4_to_decimal(col_f32(args[0])[i], &v, &e);
        if (rc == BASE_OK) rc = numeric_fit(&out->type, v, &col_dec(out)[i], &e);
        FUNC_ROW_CALL(rc);
    }
    return BASE_OK;
}

// ---- strings ----

base_rc func_varchar_fit(base_str s, int16_t limit, bool explicit_cast, base_str *out,
                         base_error *err) {
    *out = s;
    if (limit <= 0 || s.n <= (size_t)limit) return BASE_OK;
    size_t fits = func_utf8_offset(s, limit);
    if (!explicit_cast) {
        for (size_t i = fits; i < s.n; i++) {
            if (s.p[i] == ' ') continue;
            return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_STRING_TRUNCATION,
                             "value too long for type character varying(%d)", limit);
        }
    }
    out->n = fits;
    return BASE_OK;
}

// What a string becomes in a string kind.
static base_rc string_fit(const col_type *type, bool explicit_cast, base_str s, base_str *out,
                          base_error *err) {
    if (type->kind == COL_VARCHAR) {
        return func_varchar_fit(s, type->precision, explicit_cast, out, err);
    }
    *out = s;
    if (type->kind == COL_NAME && s.n > 63) { // NAMEDATALEN - 1, at a character's border
        out->n = 63;
        out->n = base_utf8_valid_prefix(*out);
    }
    return BASE_OK;
}

static base_rc string_string(col_func_ctx *ctx, uint32_t n, const col_vec *from, col_vec *out,
                             bool explicit_cast) {
    base_error e;
    FUNC_EACH(i) {
        FUNC_ROW_CALL(
            string_fit(&out->type, explicit_cast, col_str(from)[i], &col_str(out)[i], &e));
    }
    return BASE_OK;
}

FUNC_KERNEL(string_string_explicit) {
    FUNC_UNUSED;
    return string_string(ctx, n, args[0], out, true);
}

FUNC_KERNEL(string_string_assign) {
    FUNC_UNUSED;
    return string_string(ctx, n, args[0], out, false);
}

FUNC_KERNEL(string_char) {
    FUNC_UNUSED;
    FUNC_EACH(i) {
        base_str s = col_str(args[0])[i];
        col_u8(out)[i] = s.n == 0 ? 0 : (uint8_t)s.p[0];
    }
    return BASE_OK;
}

// A kind to itself where nothing can change.
FUNC_KERNEL(identity) {
    FUNC_UNUSED;
    for (uint32_t i = 0; i < n; i++) {
        if (!col_is_null(args[0], i)) col_vec_copy_cell(out, i, args[0], i, ctx->arena);
    }
    return BASE_OK;
}

// text, name, varchar or an untyped literal to anything, by its text form.
FUNC_KERNEL(string_any) {
    FUNC_UNUSED;
    base_error e;
    FUNC_EACH(i) {
        FUNC_ROW_CALL(col_text_parse(col_str(args[0])[i], ctx->zone, out, i, ctx->arena, &e));
    }
    return BASE_OK;
}

static base_rc any_string(col_func_ctx *ctx, uint32_t n, const col_vec *from, col_vec *out,
                          bool explicit_cast) {
    base_buf buf = {0};
    base_error e;
    base_rc rc = BASE_OK;
    for (uint32_t i = 0; i < n && rc == BASE_OK; i++) {
        if (col_is_null(out, i)) continue;
        base_buf_clear(&buf);
        col_text_format(from, i, ctx->zone, &buf);
        base_str text = {base_arena_memdup(ctx->arena, buf.p, buf.n), buf.n};
        rc = string_fit(&out->type, explicit_cast, text, &col_str(out)[i], &e);
        if (rc != BASE_OK) rc = func_row_error(ctx, out, i, &e);
    }
    base_buf_deinit(&buf);
    return rc;
}

FUNC_KERNEL(any_string_explicit) {
    FUNC_UNUSED;
    return any_string(ctx, n, args[0], out, true);
}

FUNC_KERNEL(any_string_assign) {
    FUNC_UNUSED;
    return any_string(ctx, n, args[0], out, false);
}

// boolean to text is 'true' or 'false', though its text form is 't' or 'f'.
static base_rc bool_string(col_func_ctx *ctx, uint32_t n, const col_vec *from, col_vec *out,
                           bool explicit_cast) {
    base_error e;
    FUNC_EACH(i) {
        base_str text = col_u8(from)[i] ? BASE_STR("true") : BASE_STR("false");
        FUNC_ROW_CALL(string_fit(&out->type, explicit_cast, text, &col_str(out)[i], &e));
    }
    return BASE_OK;
}

FUNC_KERNEL(bool_string_explicit) {
    FUNC_UNUSED;
    return bool_string(ctx, n, args[0], out, true);
}

FUNC_KERNEL(bool_string_assign) {
    FUNC_UNUSED;
    return bool_string(ctx, n, args[0], out, false);
}

// ---- table ----

typedef struct cast_row {
    col_kind from, to;
    col_cast_context context;
    col_kernel kernel;
} cast_row;

#define I COL_CAST_IMPLICIT
#define A COL_CAST_ASSIGNMENT
#define E COL_CAST_EXPLICIT

static const cast_row cast_rows[] = {
    {COL_INT2, COL_INT4, I, int2_int4},
    {COL_INT2, COL_INT8, I, int2_int8},
    {COL_INT2, COL_FLOAT4, I, int2_float4},
    {COL_INT2, COL_FLOAT8, I, int2_float8},
    {COL_INT2, COL_NUMERIC, I, int2_numeric},
    {COL_INT2, COL_OID, I, int2_oid},
    {COL_INT2, COL_REGCLASS, I, int2_oid},
    {COL_INT4, COL_INT2, A, int4_int2},
    {COL_INT4, COL_INT8, I, int4_int8},
    {COL_INT4, COL_FLOAT4, I, int4_float4},
    {COL_INT4, COL_FLOAT8, I, int4_float8},
    {COL_INT4, COL_NUMERIC, I, int4_numeric},
    {COL_INT4, COL_OID, I, int4_oid},
    {COL_INT4, COL_REGCLASS, I, int4_oid},
    {COL_INT4, COL_BOOL, E, int4_bool},
    {COL_INT4, COL_CHAR, E, int4_char},
    {COL_INT8, COL_INT2, A, int8_int2},
    {COL_INT8, COL_INT4, A, int8_int4},
    {COL_INT8, COL_FLOAT4, I, int8_float4},
    {COL_INT8, COL_FLOAT8, I, int8_float8},
    {COL_INT8, COL_NUMERIC, I, int8_numeric},
    {COL_INT8, COL_OID, I, int8_oid},
    {COL_INT8, COL_REGCLASS, I, int8_oid},
    {COL_FLOAT4, COL_INT2, A, float4_int2},
    {COL_FLOAT4, COL_INT4, A, float4_int4},
    {COL_FLOAT4, COL_INT8, A, float4_int8},
    {COL_FLOAT4, COL_FLOAT8, I, float4_float8},
    {COL_FLOAT4, COL_NUMERIC, A, float4_numeric},
    {COL_FLOAT8, COL_INT2, A, float8_int2},
    {COL_FLOAT8, COL_INT4, A, float8_int4},
    {COL_FLOAT8, COL_INT8, A, float8_int8},
    {COL_FLOAT8, COL_FLOAT4, A, float8_float4},
    {COL_FLOAT8, COL_NUMERIC, A, float8_numeric},
    {COL_NUMERIC, COL_INT2, A, numeric_int2},
    {COL_NUMERIC, COL_INT4, A, numeric_int4},
    {COL_NUMERIC, COL_INT8, A, numeric_int8},
    {COL_NUMERIC, COL_FLOAT4, I, numeric_float4},
    {COL_NUMERIC, COL_FLOAT8, I, numeric_float8},
    {COL_NUMERIC, COL_NUMERIC, I, numeric_numeric},
    {COL_BOOL, COL_INT4, E, bool_int4},
    {COL_OID, COL_INT4, A, oid_int4},
    {COL_OID, COL_INT8, A, oid_int8},
    {COL_OID, COL_REGCLASS, I, oid_oid},
    {COL_REGCLASS, COL_OID, I, oid_oid},
    {COL_REGCLASS, COL_INT4, A, oid_int4},
    {COL_REGCLASS, COL_INT8, A, oid_int8},
    {COL_CHAR, COL_INT4, E, char_int4},
    {COL_TEXT, COL_CHAR, A, string_char},
    {COL_VARCHAR, COL_CHAR, A, string_char},
    {COL_UNKNOWN, COL_CHAR, I, string_char},
    {COL_CHAR, COL_TEXT, I, any_string_assign},
    {COL_TEXT, COL_REGCLASS, I, cast_text_regclass},
    {COL_VARCHAR, COL_REGCLASS, I, cast_text_regclass},
    {COL_NAME, COL_REGCLASS, E, cast_text_regclass},
    {COL_UNKNOWN, COL_REGCLASS, I, cast_text_regclass},
    {COL_REGCLASS, COL_TEXT, A, cast_regclass_text},
    {COL_REGCLASS, COL_VARCHAR, A, cast_regclass_text},
    {COL_REGCLASS, COL_NAME, A, cast_regclass_text},
    {COL_DATE, COL_TIMESTAMP, I, cast_date_timestamp},
    {COL_DATE, COL_TIMESTAMPTZ, I, cast_date_timestamptz},
    {COL_TIMESTAMP, COL_DATE, A, cast_timestamp_date},
    {COL_TIMESTAMP, COL_TIME, A, cast_timestamp_time},
    {COL_TIMESTAMP, COL_TIMESTAMPTZ, I, cast_timestamp_timestamptz},
    {COL_TIMESTAMPTZ, COL_DATE, A, cast_timestamptz_date},
    {COL_TIMESTAMPTZ, COL_TIME, A, cast_timestamptz_time},
    {COL_TIMESTAMPTZ, COL_TIMESTAMP, A, cast_timestamptz_timestamp},
    {COL_TIME, COL_INTERVAL, I, cast_time_interval},
    {COL_INTERVAL, COL_TIME, A, cast_interval_time},
    {COL_JSONB, COL_BOOL, E, cast_jsonb_bool},
    {COL_JSONB, COL_INT2, E, cast_jsonb_number},
    {COL_JSONB, COL_INT4, E, cast_jsonb_number},
    {COL_JSONB, COL_INT8, E, cast_jsonb_number},
    {COL_JSONB, COL_FLOAT4, E, cast_jsonb_number},
    {COL_JSONB, COL_FLOAT8, E, cast_jsonb_number},
    {COL_JSONB, COL_NUMERIC, E, cast_jsonb_number},
    {COL_STRUCT, COL_JSONB, A, cast_struct_jsonb},
};

static pthread_once_t casts_once = PTHREAD_ONCE_INIT;
// [1]: for explicit casts, where that differs (VARCHAR(n) cuts).
static col_func casts[COL_KIND_COUNT][COL_KIND_COUNT][2];
static col_cast_context contexts[COL_KIND_COUNT][COL_KIND_COUNT];

static bool is_stringlike(col_kind kind) {
    return kind == COL_TEXT || kind == COL_VARCHAR || kind == COL_NAME;
}

static void cast_put(col_kind from, col_kind to, col_cast_context context, col_kernel assign,
                     col_kernel explicit_kernel) {
    uint32_t flags = COL_FUNC_STRICT;
    bool by_zone = from == COL_TIMESTAMPTZ || to == COL_TIMESTAMPTZ;
    if (by_zone && from != to) flags |= COL_FUNC_STABLE;
    if ((from == COL_REGCLASS && is_stringlike(to)) ||
        (to == COL_REGCLASS && is_stringlike(from))) {
        flags |= COL_FUNC_HOST | COL_FUNC_STABLE;
    }
    col_func cast = {"cast", 1, {from}, to, flags, assign, NULL};
    casts[from][to][0] = cast;
    cast.kernel = explicit_kernel;
    casts[from][to][1] = cast;
    contexts[from][to] = context;
}

// An array becomes another as its elements do.
static void casts_build_arrays(void) {
    for (int f = 0; f < COL_SCALAR_COUNT; f++) {
        for (int t = 0; t < COL_SCALAR_COUNT; t++) {
            col_kind from = (col_kind)f, to = (col_kind)t;
            const col_func *element = &casts[from][to][0];
            if (!col_kind_has_array(from) || !col_kind_has_array(to) || element->kernel == NULL) {
                continue;
            }
            from = col_kind_array_of(from);
            to = col_kind_array_of(to);
            cast_put(from, to, contexts[f][t], cast_array_array, cast_array_array_explicit);
            casts[from][to][0].flags = casts[from][to][1].flags = element->flags;
        }
    }
}

static void casts_build(void) {
    for (int k = 0; k < COL_KIND_COUNT; k++) {
        col_kind kind = (col_kind)k;
        if (kind != COL_UNKNOWN && col_kind_exists(kind)) {
            // A literal takes the type its place asks for. Text converts explicitly, and a value
            // becomes text when it is stored in text.
            cast_put(COL_UNKNOWN, kind, I, string_any, string_any);
            for (int s = 0; s < COL_KIND_COUNT; s++) {
                if (!is_stringlike((col_kind)s)) continue;
                cast_put((col_kind)s, kind, E, string_any, string_any);
                cast_put(kind, (col_kind)s, A, any_string_assign, any_string_explicit);
            }
        }
    }
    for (int k = 0; k < COL_KIND_COUNT; k++) {
        if (col_kind_exists((col_kind)k)) {
            cast_put((col_kind)k, (col_kind)k, I, identity, identity);
        }
    }
    static const col_kind strings[] = {COL_UNKNOWN, COL_TEXT, COL_VARCHAR, COL_NAME};
    for (size_t f = 0; f < 4; f++) {
        for (size_t t = 1; t < 4; t++) {
            bool assign_only = strings[f] == COL_NAME && strings[t] == COL_VARCHAR;
            cast_put(strings[f], strings[t], assign_only ? A : I, string_string_assign,
                     string_string_explicit);
        }
    }
    for (size_t t = 1; t < 4; t++) {
        cast_put(COL_BOOL, strings[t], A, bool_string_assign, bool_string_explicit);
    }
    for (size_t i = 0; i < sizeof cast_rows / sizeof cast_rows[0]; i++) {
        const cast_row *row = &cast_rows[i];
        cast_put(row->from, row->to, row->context, row->kernel, row->kernel);
    }
    casts_build_arrays();
}

const col_func *col_cast_find(col_kind from, col_kind to, col_cast_context context) {
    must(from < COL_KIND_COUNT && to < COL_KIND_COUNT);
    pthread_once(&casts_once, casts_build);
    const col_func *cast = &casts[from][to][context == COL_CAST_EXPLICIT];
    if (cast->kernel == NULL || contexts[from][to] > context) return NULL;
    return cast;
}
