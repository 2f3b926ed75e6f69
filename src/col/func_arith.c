// func_arith.c - + - * / % and sign, absolute value, rounding and bits of the number kinds, with
// PostgreSQL 15's overflow rules. Integer loops compute all rows without a branch and look for the
// failing row only if some row overflowed. Transcendental functions: func_math.c.
#include <float.h>
#include <math.h>

#include "base/must.h"
#include "col/func_int.h"

#define DIVIDE_BY_ZERO(row)                                                                        \
    func_row_fail(ctx, out, (row), BASE_E_INVALID, BASE_SQLSTATE_DIVISION_BY_ZERO,                 \
                  "division by zero")
#define OUT_OF_RANGE(row, type_name)                                                               \
    func_row_fail(ctx, out, (row), BASE_E_INVALID, BASE_SQLSTATE_NUMERIC_RANGE,                    \
                  type_name " out of range")

// ---- integers ----

#define INT_CHECKED(name, a_type, b_type, r_type, builtin, type_name)                              \
    FUNC_KERNEL(name) {                                                                            \
        FUNC_UNUSED;                                                                               \
        const a_type *a = args[0]->data;                                                           \
        const b_type *b = args[1]->data;                                                           \
        r_type *to = out->data, scratch;                                                           \
        bool overflow = false;                                                                     \
        for (uint32_t i = 0; i < n; i++) {                                                         \
            overflow |= builtin((r_type)a[i], (r_type)b[i], &to[i]);                               \
        }                                                                                          \
        if (!overflow) return BASE_OK;                                                             \
        FUNC_EACH(i) {                                                                             \
            if (builtin((r_type)a[i], (r_type)b[i], &scratch)) {                                   \
                FUNC_TOLERATE(OUT_OF_RANGE(i, type_name));                                         \
            }                                                                                      \
        }                                                                                          \
        return BASE_OK;                                                                            \
    }
// min / -1 is negation, which may overflow; min % -1 is 0 but traps on the processor.
#define INT_DIVIDE(name, a_type, b_type, r_type, type_name)                                        \
    FUNC_KERNEL(name) {                                                                            \
        FUNC_UNUSED;                                                                               \
        const a_type *a = args[0]->data;                                                           \
        const b_type *b = args[1]->data;                                                           \
        r_type *to = out->data;                                                                    \
        FUNC_EACH(i) {                                                                             \
            if (b[i] == 0) {                                                                       \
                FUNC_TOLERATE(DIVIDE_BY_ZERO(i));                                                  \
            } else if (b[i] == -1) {                                                               \
                if (__builtin_sub_overflow((r_type)0, (r_type)a[i], &to[i])) {                     \
                    FUNC_TOLERATE(OUT_OF_RANGE(i, type_name));                                     \
                }                                                                                  \
            } else {                                                                               \
                to[i] = (r_type)((r_type)a[i] / (r_type)b[i]);                                     \
            }                                                                                      \
        }                                                                                          \
        return BASE_OK;                                                                            \
    }
#define INT_FOUR(suffix, a_type, b_type, r_type, type_name)                                        \
    INT_CHECKED(add_##suffix, a_type, b_type, r_type, __builtin_add_overflow, type_name)           \
    INT_CHECKED(sub_##suffix, a_type, b_type, r_type, __builtin_sub_overflow, type_name)           \
    INT_CHECKED(mul_##suffix, a_type, b_type, r_type, __builtin_mul_overflow, type_name)           \
    INT_DIVIDE(div_##suffix, a_type, b_type, r_type, type_name)

INT_FOUR(int2, int16_t, int16_t, int16_t, "smallint")
INT_FOUR(int4, int32_t, int32_t, int32_t, "integer")
INT_FOUR(int8, int64_t, int64_t, int64_t, "bigint")
INT_FOUR(int24, int16_t, int32_t, int32_t, "integer")
INT_FOUR(int42, int32_t, int16_t, int32_t, "integer")
INT_FOUR(int28, int16_t, int64_t, int64_t, "bigint")
INT_FOUR(int82, int64_t, int16_t, int64_t, "bigint")
INT_FOUR(int48, int32_t, int64_t, int64_t, "bigint")
INT_FOUR(int84, int64_t, int32_t, int64_t, "bigint")

#define INT_UNARY_AND_BITS(suffix, type, utype, bits, type_name)                                   \
    FUNC_KERNEL(mod_##suffix) {                                                                    \
        FUNC_UNUSED;                                                                               \
        const type *a = args[0]->data, *b = args[1]->data;                                         \
        type *to = out->data;                                                                      \
        FUNC_EACH(i) {                                                                             \
            if (b[i] == 0) {                                                                       \
                FUNC_TOLERATE(DIVIDE_BY_ZERO(i));                                                  \
            } else {                                                                               \
                to[i] = b[i] == -1 ? 0 : (type)(a[i] % b[i]);                                      \
            }                                                                                      \
        }                                                                                          \
        return BASE_OK;                                                                            \
    }                                                                                              \
    FUNC_KERNEL(neg_##suffix) {                                                                    \
        FUNC_UNUSED;                                                                               \
        const type *a = args[0]->data;                                                             \
        type *to = out->data;                                                                      \
        FUNC_EACH(i) {                                                                             \
            if (__builtin_sub_overflow((type)0, a[i], &to[i])) {                                   \
                FUNC_TOLERATE(OUT_OF_RANGE(i, type_name));                                         \
            }                                                                                      \
        }                                                                                          \
        return BASE_OK;                                                                            \
    }                                                                                              \
    FUNC_KERNEL(abs_##suffix) {                                                                    \
        FUNC_UNUSED;                                                                               \
        const type *a = args[0]->data;                                                             \
        type *to = out->data;                                                                      \
        FUNC_EACH(i) {                                                                             \
            to[i] = a[i];                                                                          \
            if (a[i] < 0 && __builtin_sub_overflow((type)0, a[i], &to[i])) {                       \
                FUNC_TOLERATE(OUT_OF_RANGE(i, type_name));                                         \
            }                                                                                      \
        }                                                                                          \
        return BASE_OK;                                                                            \
    }                                                                                              \
    FUNC_KERNEL(bit_and_##suffix) {                                                                \
        FUNC_UNUSED;                                                                               \
        const type *a = args[0]->data, *b = args[1]->data;                                         \
        type *to = out->data;                                                                      \
        for (uint32_t i = 0; i < n; i++) to[i] = a[i] & b[i];                                      \
        return BASE_OK;                                                                            \
    }                                                                                              \
    FUNC_KERNEL(bit_or_##suffix) {                                                                 \
        FUNC_UNUSED;                                                                               \
        const type *a = args[0]->data, *b = args[1]->data;                                         \
        type *to = out->data;                                                                      \
        for (uint32_t i = 0; i < n; i++) to[i] = a[i] | b[i];                                      \
        return BASE_OK;                                                                            \
    }                                                                                              \
    FUNC_KERNEL(bit_xor_##suffix) {                                                                \
        FUNC_UNUSED;                                                                               \
        const type *a = args[0]->data, *b = args[1]->data;                                         \
        type *to = out->data;                                                                      \
        for (uint32_t i = 0; i < n; i++) to[i] = a[i] ^ b[i];                                      \
        return BASE_OK;                                                                            \
    }                                                                                              \
    FUNC_KERNEL(bit_not_##suffix) {                                                                \
        FUNC_UNUSED;                                                                               \
        const type *a = args[0]->data;                                                             \
        type *to = out->data;                                                                      \
        for (uint32_t i = 0; i < n; i++) to[i] = (type)~a[i];                                      \
        return BASE_OK;                                                                            \
    }                                                                                              \
    FUNC_KERNEL(shift_left_##suffix) {                                                             \
        FUNC_UNUSED;                                                                               \
        const type *a = args[0]->data;                                                             \
        const int32_t *b = args[1]->data;                                                          \
        type *to = out->data;                                                                      \
        for (uint32_t i = 0; i < n; i++) {                                                         \
            uint32_t by = (uint32_t)b[i] & ((bits) == 64 ? 63u : 31u);                             \
            to[i] = by >= (bits) ? 0 : (type)((utype)a[i] << by);                                  \
        }                                                                                          \
        return BASE_OK;                                                                            \
    }                                                                                              \
    FUNC_KERNEL(shift_right_##suffix) {                                                            \
        FUNC_UNUSED;                                                                               \
        const type *a = args[0]->data;                                                             \
        const int32_t *b = args[1]->data;                                                          \
        type *to = out->data;                                                                      \
        for (uint32_t i = 0; i < n; i++) {                                                         \
            uint32_t by = (uint32_t)b[i] & ((bits) == 64 ? 63u : 31u);                             \
            to[i] = (type)(a[i] >> by);                                                            \
        }                                                                                          \
        return BASE_OK;                                                                            \
    }

INT_UNARY_AND_BITS(int2, int16_t, uint16_t, 16, "smallint")
INT_UNARY_AND_BITS(int4, int32_t, uint32_t, 32, "integer")
INT_UNARY_AND_BITS(int8, int64_t, uint64_t, 64, "bigint")

// ---- floats ----

static base_rc float_overflow(col_func_ctx *ctx, col_vec *out, uint32_t row, bool underflow) {
    return func_row_fail(ctx, out, row, BASE_E_INVALID, BASE_SQLSTATE_NUMERIC_RANGE,
                         "value out of range: %s", underflow ? "underflow" : "overflow");
}

// The result of a finite operation may not become infinite, nor (for * and /) vanish.
#define FLOAT_BINARY(name, a_type, b_type, r_type, op, vanishes)                                   \
    FUNC_KERNEL(name) {                                                                            \
        FUNC_UNUSED;                                                                               \
        const a_type *a = args[0]->data;                                                           \
        const b_type *b = args[1]->data;                                                           \
        r_type *to = out->data;                                                                    \
        FUNC_EACH(i) {                                                                             \
            r_type x = a[i], y = b[i], r = x op y;                                                 \
            to[i] = r;                                                                             \
            if (isinf(r) && !isinf(x) && !isinf(y)) {                                              \
                FUNC_TOLERATE(float_overflow(ctx, out, i, false));                                 \
            } else if ((vanishes) && r == 0 && x != 0 && y != 0) {                                 \
                FUNC_TOLERATE(float_overflow(ctx, out, i, true));                                  \
            }                                                                                      \
        }                                                                                          \
        return BASE_OK;                                                                            \
    }
#define FLOAT_DIVIDE(name, a_type, b_type, r_type)                                                 \
    FUNC_KERNEL(name) {                                                                            \
        FUNC_UNUSED;                                                                               \
        const a_type *a = args[0]->data;                                                           \
        const b_type *b = args[1]->data;                                                           \
        r_type *to = out->data;                                                                    \
        FUNC_EACH(i) {                                                                             \
            r_type x = a[i], y = b[i];                                                             \
            if (y == 0 && !isnan(x)) {                                                             \
                FUNC_TOLERATE(DIVIDE_BY_ZERO(i));                                                  \
                continue;                                                                          \
            }                                                                                      \
            to[i] = y == 0 ? x : x / y;                                                            \
            if (isinf(to[i]) && !isinf(x)) {                                                       \
                FUNC_TOLERATE(float_overflow(ctx, out, i, false));                                 \
            } else if (to[i] == 0 && x != 0 && !isinf(y)) {                                        \
                FUNC_TOLERATE(float_overflow(ctx, out, i, true));                                  \
            }                                                                                      \
        }                                                                                          \
        return BASE_OK;                                                                            \
    }
#define FLOAT_FOUR(suffix, a_type, b_type, r_type)                                                 \
    FLOAT_BINARY(add_##suffix, a_type, b_type, r_type, +, false)                                   \
    FLOAT_BINARY(sub_##suffix, a_type, b_type, r_type, -, false)                                   \
    FLOAT_BINARY(mul_##suffix, a_type, b_type, r_type, *, true)                                    \
    FLOAT_DIVIDE(div_##suffix, a_type, b_type, r_type)

FLOAT_FOUR(float4, float, float, float)
FLOAT_FOUR(float8, double, double, double)
FLOAT_FOUR(float48, float, double, double)
FLOAT_FOUR(float84, double, float, double)

#define FLOAT_UNARY(name, type, expression)                                                        \
    FUNC_KERNEL(name) {                                                                            \
        FUNC_UNUSED;                                                                               \
        const type *a = args[0]->data;                                                             \
        type *to = out->data;                                                                      \
        for (uint32_t i = 0; i < n; i++) {                                                         \
            type x = a[i];                                                                         \
            to[i] = (expression);                                                                  \
        }                                                                                          \
        return BASE_OK;                                                                            \
    }
FLOAT_UNARY(neg_float4, float, -x)
FLOAT_UNARY(neg_float8, double, -x)
FLOAT_UNARY(abs_float4, float, fabsf(x))
FLOAT_UNARY(abs_float8, double, fabs(x))
FLOAT_UNARY(ceil_float8, double, ceil(x))
FLOAT_UNARY(floor_float8, double, floor(x))
FLOAT_UNARY(round_float8, double, rint(x)) // half to even, as the processor's default mode
FLOAT_UNARY(trunc_float8, double, trunc(x))
FLOAT_UNARY(sign_float8, double, x > 0 ? 1.0 : x < 0 ? -1.0 : 0.0) // of NaN, too

// ---- NUMERIC ----

// Both 64-bit values of one scale: the sum cannot pass 38 digits. Most money is here.
static inline bool is_narrow(base_decimal a, base_decimal b) {
    return a.scale == b.scale && a.hi == ((int64_t)a.lo >> 63) && b.hi == ((int64_t)b.lo >> 63);
}

FUNC_KERNEL(add_numeric) {
    FUNC_UNUSED;
    const base_decimal *a = col_dec(args[0]), *b = col_dec(args[1]);
    base_decimal *to = col_dec(out);
    base_error e;
    FUNC_EACH(i) {
        if (is_narrow(a[i], b[i])) {
            to[i] = base_decimal_make((base_i128)(int64_t)a[i].lo + (int64_t)b[i].lo, a[i].scale);
        } else {
            FUNC_ROW_CALL(base_decimal_add(a[i], b[i], &to[i], &e));
        }
    }
    return BASE_OK;
}

FUNC_KERNEL(sub_numeric) {
    FUNC_UNUSED;
    const base_decimal *a = col_dec(args[0]), *b = col_dec(args[1]);
    base_decimal *to = col_dec(out);
    base_error e;
    FUNC_EACH(i) {
        if (is_narrow(a[i], b[i])) {
            to[i] = base_decimal_make((base_i128)(int64_t)a[i].lo - (int64_t)b[i].lo, a[i].scale);
        } else {
            FUNC_ROW_CALL(base_decimal_sub(a[i], b[i], &to[i], &e));
        }
    }
    return BASE_OK;
}

#define NUMERIC_BINARY(name, call)                                                                 \
    FUNC_KERNEL(name) {                                                                            \
        FUNC_UNUSED;                                                                               \
        const base_decimal *a = col_dec(args[0]), *b = col_dec(args[1]);                           \
        base_decimal *to = col_dec(out);                                                           \
        base_error e;                                                                              \
        FUNC_EACH(i) FUNC_ROW_CALL(call(a[i], b[i], &to[i], &e));                                  \
        return BASE_OK;                                                                            \
    }
NUMERIC_BINARY(mul_numeric, base_decimal_mul)
NUMERIC_BINARY(div_numeric, base_decimal_div)
NUMERIC_BINARY(mod_numeric, base_decimal_mod)

// div(): the integer quotient, truncated.
FUNC_KERNEL(quotient_numeric) {
    FUNC_UNUSED;
    const base_decimal *a = col_dec(args[0]), *b = col_dec(args[1]);
    base_decimal *to = col_dec(out);
    base_error e;
    FUNC_EACH(i) {
        // (a - a % b) divides exactly, so rounding of the quotient cannot show.
        base_decimal rest, whole = {0}, quotient = {0};
        base_rc rc = base_decimal_mod(a[i], b[i], &rest, &e);
        if (rc == BASE_OK) rc = base_decimal_sub(a[i], rest, &whole, &e);
        if (rc == BASE_OK) rc = base_decimal_div(whole, b[i], &quotient, &e);
        if (rc == BASE_OK) rc = base_decimal_round(quotient, 0, &to[i], &e);
        FUNC_ROW_CALL(rc);
    }
    return BASE_OK;
}

#define NUMERIC_UNARY(name, call)                                                                  \
    FUNC_KERNEL(name) {                                                                            \
        FUNC_UNUSED;                                                                               \
        const base_decimal *a = col_dec(args[0]);                                                  \
        base_decimal *to = col_dec(out);                                                           \
        FUNC_EACH(i) to[i] = call(a[i]);                                                           \
        return BASE_OK;                                                                            \
    }
static inline base_decimal sign_of(base_decimal a) {
    return base_decimal_from_i64(base_decimal_sign(a));
}
NUMERIC_UNARY(neg_numeric, base_decimal_neg)
NUMERIC_UNARY(abs_numeric, base_decimal_abs)
NUMERIC_UNARY(floor_numeric, base_decimal_floor)
NUMERIC_UNARY(ceil_numeric, base_decimal_ceil)
NUMERIC_UNARY(sign_numeric, sign_of)
NUMERIC_UNARY(trim_scale_numeric, base_decimal_normalize)

#define NUMERIC_ROUND(name, call, digits)                                                          \
    FUNC_KERNEL(name) {                                                                            \
        FUNC_UNUSED;                                                                               \
        const base_decimal *a = col_dec(args[0]);                                                  \
        base_decimal *to = col_dec(out);                                                           \
        base_error e;                                                                              \
        FUNC_EACH(i) FUNC_ROW_CALL(call(a[i], (digits), &to[i], &e));                              \
        return BASE_OK;                                                                            \
    }
static inline int clamp_scale(int32_t digits) {
    return digits < -BASE_DECIMAL_DIGITS_MAX - 1  ? -BASE_DECIMAL_DIGITS_MAX - 1
           : digits > BASE_DECIMAL_DIGITS_MAX + 1 ? BASE_DECIMAL_DIGITS_MAX + 1
                                                  : digits;
}
NUMERIC_ROUND(round_numeric, base_decimal_round, 0)
NUMERIC_ROUND(trunc_numeric, base_decimal_trunc, 0)
NUMERIC_ROUND(round_numeric_to, base_decimal_round, clamp_scale(col_i32(args[1])[i]))
NUMERIC_ROUND(trunc_numeric_to, base_decimal_trunc, clamp_scale(col_i32(args[1])[i]))

FUNC_KERNEL(scale_numeric) {
    FUNC_UNUSED;
    FUNC_EACH(i) col_i32(out)[i] = col_dec(args[0])[i].scale;
    return BASE_OK;
}

// Unary plus of any number kind.
FUNC_KERNEL(plus_any) {
    FUNC_UNUSED;
    memcpy(out->data, args[0]->data, n * col_kind_width(out->type.kind));
    return BASE_OK;
}

#define FOUR(suffix, a, b, r)                                                                      \
    {"+", 2, {a, b}, r, COL_FUNC_STRICT, add_##suffix, NULL},                                      \
        {"-", 2, {a, b}, r, COL_FUNC_STRICT, sub_##suffix, NULL},                                  \
        {"*", 2, {a, b}, r, COL_FUNC_STRICT, mul_##suffix, NULL}, {                                \
        "/", 2, {a, b}, r, COL_FUNC_STRICT, div_##suffix, NULL                                     \
    }
#define TWO(name, kind, kernel)                                                                    \
    { name, 2, {kind, kind}, kind, COL_FUNC_STRICT, kernel, NULL }
#define ONE(name, kind, kernel)                                                                    \
    { name, 1, {kind}, kind, COL_FUNC_STRICT, kernel, NULL }
#define INT_ROWS(kind, suffix)                                                                     \
    TWO("%", kind, mod_##suffix), TWO("mod", kind, mod_##suffix), ONE("-", kind, neg_##suffix),    \
        ONE("+", kind, plus_any), ONE("abs", kind, abs_##suffix), ONE("@", kind, abs_##suffix),    \
        TWO("&", kind, bit_and_##suffix), TWO("|", kind, bit_or_##suffix),                         \
        TWO("#", kind, bit_xor_##suffix), ONE("~", kind, bit_not_##suffix),                        \
        {"<<", 2, {kind, COL_INT4}, kind, COL_FUNC_STRICT, shift_left_##suffix, NULL}, {           \
        ">>", 2, {kind, COL_INT4}, kind, COL_FUNC_STRICT, shift_right_##suffix, NULL               \
    }
#define STRICT COL_FUNC_STRICT

static const col_func rows[] = {
    FOUR(int2, COL_INT2, COL_INT2, COL_INT2),
    FOUR(int4, COL_INT4, COL_INT4, COL_INT4),
    FOUR(int8, COL_INT8, COL_INT8, COL_INT8),
    FOUR(int24, COL_INT2, COL_INT4, COL_INT4),
    FOUR(int42, COL_INT4, COL_INT2, COL_INT4),
    FOUR(int28, COL_INT2, COL_INT8, COL_INT8),
    FOUR(int82, COL_INT8, COL_INT2, COL_INT8),
    FOUR(int48, COL_INT4, COL_INT8, COL_INT8),
    FOUR(int84, COL_INT8, COL_INT4, COL_INT8),
    FOUR(float4, COL_FLOAT4, COL_FLOAT4, COL_FLOAT4),
    FOUR(float8, COL_FLOAT8, COL_FLOAT8, COL_FLOAT8),
    FOUR(float48, COL_FLOAT4, COL_FLOAT8, COL_FLOAT8),
    FOUR(float84, COL_FLOAT8, COL_FLOAT4, COL_FLOAT8),
    FOUR(numeric, COL_NUMERIC, COL_NUMERIC, COL_NUMERIC),
    INT_ROWS(COL_INT2, int2),
    INT_ROWS(COL_INT4, int4),
    INT_ROWS(COL_INT8, int8),
    TWO("%", COL_NUMERIC, mod_numeric),
    TWO("mod", COL_NUMERIC, mod_numeric),
    TWO("div", COL_NUMERIC, quotient_numeric),
    ONE("-", COL_FLOAT4, neg_float4),
    ONE("-", COL_FLOAT8, neg_float8),
    ONE("-", COL_NUMERIC, neg_numeric),
    ONE("+", COL_FLOAT4, plus_any),
    ONE("+", COL_FLOAT8, plus_any),
    ONE("+", COL_NUMERIC, plus_any),
    ONE("abs", COL_FLOAT4, abs_float4),
    ONE("abs", COL_FLOAT8, abs_float8),
    ONE("abs", COL_NUMERIC, abs_numeric),
    ONE("@", COL_FLOAT4, abs_float4),
    ONE("@", COL_FLOAT8, abs_float8),
    ONE("@", COL_NUMERIC, abs_numeric),
    ONE("ceil", COL_FLOAT8, ceil_float8),
    ONE("ceil", COL_NUMERIC, ceil_numeric),
    ONE("ceiling", COL_FLOAT8, ceil_float8),
    ONE("ceiling", COL_NUMERIC, ceil_numeric),
    ONE("floor", COL_FLOAT8, floor_float8),
    ONE("floor", COL_NUMERIC, floor_numeric),
    ONE("round", COL_FLOAT8, round_float8),
    ONE("round", COL_NUMERIC, round_numeric),
    {"round", 2, {COL_NUMERIC, COL_INT4}, COL_NUMERIC, STRICT, round_numeric_to, NULL},
    ONE("trunc", COL_FLOAT8, trunc_float8),
    ONE("trunc", COL_NUMERIC, trunc_numeric),
    {"trunc", 2, {COL_NUMERIC, COL_INT4}, COL_NUMERIC, STRICT, trunc_numeric_to, NULL},
    ONE("sign", COL_FLOAT8, sign_float8),
    ONE("sign", COL_NUMERIC, sign_numeric),
    ONE("trim_scale", COL_NUMERIC, trim_scale_numeric),
    {"scale", 1, {COL_NUMERIC}, COL_INT4, STRICT, scale_numeric, NULL},
};
FUNC_TABLE(func_arith_table, rows);
