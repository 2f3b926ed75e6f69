// func_math.c - roots, powers, logarithms, exponentials and trigonometry of FLOAT8 and NUMERIC.
// Source: PostgreSQL 15's rules for result scales (at least 16 significant digits). NUMERIC results
// are right to their last digit (wide_real.h; square roots by a refined floating-point root); where
// PostgreSQL's scale needs more than 38 digits, the scale is less here.
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "base/must.h"
#include "col/func_int.h"
#include "col/wide_real.h"

#define SQLSTATE_BAD_LOG   "2201E"
#define SQLSTATE_BAD_POWER "2201F"

static base_rc range_error(bool underflow, base_error *err) {
    return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_NUMERIC_RANGE, "value out of range: %s",
                     underflow ? "underflow" : "overflow");
}

// ---- FLOAT8 ----

static base_rc f_sqrt(double x, double *r, base_error *err) {
    if (x < 0) {
        return base_fail(err, BASE_E_INVALID, SQLSTATE_BAD_POWER,
                         "cannot take square root of a negative number");
    }
    *r = sqrt(x);
    return BASE_OK;
}

static base_rc f_cbrt(double x, double *r, base_error *err) {
    (void)err;
    *r = cbrt(x);
    return BASE_OK;
}

static base_rc f_exp(double x, double *r, base_error *err) {
    *r = exp(x);
    if (isinf(*r) && !isinf(x)) return range_error(false, err);
    if (*r == 0 && !isinf(x)) return range_error(true, err);
    return BASE_OK;
}

static base_rc log_domain(int sign, base_error *err) {
    if (sign > 0) return BASE_OK;
    return base_fail(err, BASE_E_INVALID, SQLSTATE_BAD_LOG, "cannot take logarithm of %s",
                     sign == 0 ? "zero" : "a negative number");
}

static base_rc f_ln(double x, double *r, base_error *err) {
    base_rc rc = log_domain(x == 0 ? 0 : x < 0 ? -1 : 1, err);
    if (rc == BASE_OK) *r = log(x);
    return rc;
}

static base_rc f_log10(double x, double *r, base_error *err) {
    base_rc rc = log_domain(x == 0 ? 0 : x < 0 ? -1 : 1, err);
    if (rc == BASE_OK) *r = log10(x);
    return rc;
}

static base_rc power_domain(bool base_zero, bool base_negative, bool exp_negative, bool exp_whole,
                            base_error *err) {
    if (base_zero && exp_negative) {
        return base_fail(err, BASE_E_INVALID, SQLSTATE_BAD_POWER,
                         "zero raised to a negative power is undefined");
    }
    if (base_negative && !exp_whole) {
        return base_fail(err, BASE_E_INVALID, SQLSTATE_BAD_POWER,
                         "a negative number raised to a non-integer power yields a complex result");
    }
    return BASE_OK;
}

static base_rc f_power(double x, double y, double *r, base_error *err) {
    if (!isnan(x) && !isnan(y)) {
        base_rc rc = power_domain(x == 0, x < 0, y < 0, isinf(y) || floor(y) == y, err);
        if (rc != BASE_OK) return rc;
    }
    *r = pow(x, y);
    if (isinf(*r) && !isinf(x) && !isinf(y)) return range_error(false, err);
    if (*r == 0 && x != 0 && !isinf(x) && !isinf(y)) return range_error(true, err);
    return BASE_OK;
}

#define TRIGONOMETRY(name, call)                                                                   \
    static base_rc name(double x, double *r, base_error *err) {                                    \
        *r = call(x);                                                                              \
        if (!isnan(*r) || isnan(x)) return BASE_OK;                                                \
        return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_NUMERIC_RANGE,                         \
                         "input is out of range");                                                 \
    }
TRIGONOMETRY(f_sin, sin)
TRIGONOMETRY(f_cos, cos)
TRIGONOMETRY(f_tan, tan)
TRIGONOMETRY(f_asin, asin)
TRIGONOMETRY(f_acos, acos)
TRIGONOMETRY(f_atan, atan)

static base_rc f_degrees(double x, double *r, base_error *err) {
    *r = x / (M_PI / 180.0);
    return isinf(*r) && !isinf(x) ? range_error(false, err) : BASE_OK;
}

static base_rc f_radians(double x, double *r, base_error *err) {
    (void)err;
    *r = x * (M_PI / 180.0);
    return BASE_OK;
}

static base_rc f_atan2(double y, double x, double *r, base_error *err) {
    (void)err;
    *r = atan2(y, x);
    return BASE_OK;
}

#define FLOAT_ONE(name, call)                                                                      \
    FUNC_KERNEL(name) {                                                                            \
        FUNC_UNUSED;                                                                               \
        base_error e;                                                                              \
        FUNC_EACH(i) FUNC_ROW_CALL(call(col_f64(args[0])[i], &col_f64(out)[i], &e));               \
        return BASE_OK;                                                                            \
    }
#define FLOAT_TWO(name, call)                                                                      \
    FUNC_KERNEL(name) {                                                                            \
        FUNC_UNUSED;                                                                               \
        base_error e;                                                                              \
        FUNC_EACH(i)                                                                               \
        FUNC_ROW_CALL(call(col_f64(args[0])[i], col_f64(args[1])[i], &col_f64(out)[i], &e));       \
        return BASE_OK;                                                                            \
    }
FLOAT_ONE(sqrt_float8, f_sqrt)
FLOAT_ONE(cbrt_float8, f_cbrt)
FLOAT_ONE(exp_float8, f_exp)
FLOAT_ONE(ln_float8, f_ln)
FLOAT_ONE(log_float8, f_log10)
FLOAT_ONE(sin_float8, f_sin)
FLOAT_ONE(cos_float8, f_cos)
FLOAT_ONE(tan_float8, f_tan)
FLOAT_ONE(asin_float8, f_asin)
FLOAT_ONE(acos_float8, f_acos)
FLOAT_ONE(atan_float8, f_atan)
FLOAT_ONE(degrees_float8, f_degrees)
FLOAT_ONE(radians_float8, f_radians)
FLOAT_TWO(power_float8, f_power)
FLOAT_TWO(atan2_float8, f_atan2)

FUNC_KERNEL(pi_float8) {
    FUNC_UNUSED;
    for (uint32_t i = 0; i < n; i++) col_f64(out)[i] = M_PI;
    return BASE_OK;
}

// ---- NUMERIC ----

static long double to_long(base_decimal d) {
    return (long double)base_decimal_unscaled(d) / powl(10.0L, d.scale);
}

// The position of the first digit of a value: 0 for 1..9, -1 for 0.1..; PostgreSQL's weights count
// base-10000 digits, hence weight_of.
static int decimal_weight(base_decimal d) {
    base_i128 u = base_decimal_unscaled(base_decimal_abs(d));
    int digits = 0;
    for (; u != 0; u /= 10) digits++;
    return digits - 1 - d.scale;
}

static int weight_of(base_decimal d) {
    int w = decimal_weight(d);
    return w >= 0 ? w / 4 : -((-w + 3) / 4);
}

// At most 38 digits in all: the scale gives way to the digits before the point.
static base_rc from_long(long double v, int scale, base_decimal *out, base_error *err) {
    if (!isfinite(v) || fabsl(v) >= 1e38L) {
        return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_NUMERIC_RANGE,
                         "value overflows numeric format");
    }
    int whole = fabsl(v) < 1 ? 0 : (int)floorl(log10l(fabsl(v))) + 1;
    int most = BASE_DECIMAL_DIGITS_MAX - whole;
    char text[128];
    int length = snprintf(text, sizeof text, "%.*Lf", scale < most ? scale : most, v);
    must(length > 0 && (size_t)length < sizeof text);
    return base_decimal_parse((base_str){text, (size_t)length}, out, err);
}

static base_rc overflow_error(base_error *err) {
    return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_NUMERIC_RANGE,
                     "value overflows numeric format");
}

static int clamp_scale(int scale, int at_least) {
    if (scale < at_least) scale = at_least;
    if (scale < 0) scale = 0;
    return scale > BASE_DECIMAL_DIGITS_MAX ? BASE_DECIMAL_DIGITS_MAX : scale;
}

// One Newton step in decimals doubles the digits of a floating-point root.
static void refine_root(base_decimal x, base_decimal *root) {
    base_error e;
    base_decimal r, square, rest, twice, step;
    if (base_decimal_round(*root, 17 - decimal_weight(*root), &r, &e) != BASE_OK) return;
    if (base_decimal_mul(r, r, &square, &e) != BASE_OK) return;
    if (base_decimal_sub(x, square, &rest, &e) != BASE_OK) return;
    if (base_decimal_add(r, r, &twice, &e) != BASE_OK) return;
    if (base_decimal_sign(twice) == 0) return;
    if (base_decimal_div(rest, twice, &step, &e) != BASE_OK) return;
    if (base_decimal_add(r, step, &r, &e) != BASE_OK) return;
    if (base_decimal_round(r, root->scale, &r, &e) == BASE_OK) *root = r;
}

static base_rc d_sqrt(base_decimal x, base_decimal *r, base_error *err) {
    if (base_decimal_sign(x) < 0) {
        return base_fail(err, BASE_E_INVALID, SQLSTATE_BAD_POWER,
                         "cannot take square root of a negative number");
    }
    bool zero = base_decimal_sign(x) == 0;
    int weight = ((zero ? 0 : weight_of(x)) + 1) * 4 / 2 - 1;
    int scale = clamp_scale(16 - weight, x.scale);
    base_rc rc = from_long(sqrtl(to_long(x)), scale, r, err);
    if (rc == BASE_OK && !zero) refine_root(x, r);
    return rc;
}

static base_rc d_exp(base_decimal x, base_decimal *r, base_error *err) {
    double weight = base_decimal_to_double(x) * 0.434294481903252;
    if (weight < -1000) weight = -1000;
    if (weight > 1000) weight = 1000;
    bool fits = wide_exp_round(wide_from_decimal(x), clamp_scale(16 - (int)weight, x.scale), r);
    return fits ? BASE_OK : overflow_error(err);
}

// PostgreSQL's estimate of the decimal weight of ln(x).
static int ln_weight(base_decimal x) {
    long double v = to_long(x);
    if (v >= 0.9L && v <= 1.1L) {
        long double apart = fabsl(v - 1);
        return apart == 0 ? 0 : (int)floorl(log10l(apart) + 1e-12L);
    }
    return (int)log10l(fabsl(logl(v)));
}

static base_rc d_ln(base_decimal x, base_decimal *r, base_error *err) {
    base_rc rc = log_domain(base_decimal_sign(x), err);
    if (rc != BASE_OK) return rc;
    bool fits = wide_round(wide_ln(x), clamp_scale(16 - ln_weight(x), x.scale), r);
    must(fits); // a logarithm is below 100
    return BASE_OK;
}

static base_rc d_log(base_decimal base, base_decimal x, base_decimal *r, base_error *err) {
    base_rc rc = log_domain(base_decimal_sign(base), err);
    if (rc == BASE_OK) rc = log_domain(base_decimal_sign(x), err);
    if (rc != BASE_OK) return rc;
    if (base_decimal_cmp(base, base_decimal_from_i64(1)) == 0) {
        return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_DIVISION_BY_ZERO, "division by zero");
    }
    int scale = 16 - (ln_weight(x) - ln_weight(base));
    scale = clamp_scale(scale, x.scale > base.scale ? x.scale : base.scale);
    bool fits = wide_round(wide_div(wide_ln(x), wide_ln(base)), scale, r);
    return fits ? BASE_OK : overflow_error(err);
}

static base_rc d_log10(base_decimal x, base_decimal *r, base_error *err) {
    return d_log(base_decimal_from_i64(10), x, r, err);
}

// Exact power by squaring as long as it fits 38 digits.
static bool whole_power(base_decimal x, int64_t exponent, base_decimal *r) {
    base_error e;
    base_decimal result = base_decimal_from_i64(1), square = base_decimal_normalize(x);
    uint64_t left = (uint64_t)exponent;
    while (left != 0) {
        if ((left & 1) != 0) {
            if (result.scale + square.scale > BASE_DECIMAL_DIGITS_MAX ||
                base_decimal_mul(result, square, &result, &e) != BASE_OK) {
                return false;
            }
        }
        left >>= 1;
        if (left == 0) break;
        if (2 * square.scale > BASE_DECIMAL_DIGITS_MAX ||
            base_decimal_mul(square, square, &square, &e) != BASE_OK) {
            return false;
        }
    }
    *r = result;
    return true;
}

static bool is_odd(base_decimal whole) {
    base_error ignored;
    base_decimal rest;
    return base_decimal_mod(whole, base_decimal_from_i64(2), &rest, &ignored) == BASE_OK &&
           base_decimal_sign(rest) != 0;
}

static base_rc d_power(base_decimal x, base_decimal y, base_decimal *r, base_error *err) {
    base_decimal floor_y = base_decimal_floor(y);
    bool whole = base_decimal_cmp(floor_y, y) == 0;
    int sign = base_decimal_sign(x);
    base_rc rc = power_domain(sign == 0, sign < 0, base_decimal_sign(y) < 0, whole, err);
    if (rc != BASE_OK) return rc;
    int scale = x.scale > y.scale ? x.scale : y.scale;
    int64_t exponent = 0;
    base_error ignored;
    if (whole && base_decimal_to_i64(y, &exponent, &ignored) == BASE_OK) {
        scale = clamp_scale(16, x.scale);
        base_decimal exact;
        if (exponent >= 0 && exponent < 1000000 && whole_power(x, exponent, &exact)) {
            int digits = decimal_weight(exact) + 1;
            if (digits > 0 && digits + scale > BASE_DECIMAL_DIGITS_MAX) {
                scale = BASE_DECIMAL_DIGITS_MAX - digits;
            }
            return base_decimal_round(exact, scale, r, err);
        }
    } else if (sign != 0) {
        long double weight = to_long(y) * log10l(fabsl(to_long(x)));
        if (weight > -1000 && weight < 1000) scale = clamp_scale(16 - (int)weight, scale);
    } else {
        scale = clamp_scale(16, scale);
    }
    if (sign == 0) return from_long(base_decimal_sign(y) == 0 ? 1.0L : 0.0L, scale, r, err);
    wide_real times = wide_from_decimal(y), log = wide_ln(base_decimal_abs(x));
    double near = wide_to_double(times) * wide_to_double(log);
    if (near > 100) return overflow_error(err); // before the product is out of range
    if (near < -1000) {
        times = wide_from_decimal(base_decimal_from_i64(-1000));
        log = wide_from_decimal(base_decimal_from_i64(1));
    }
    if (!wide_exp_round(wide_mul(times, log), scale, r)) return overflow_error(err);
    if (whole && sign < 0 && is_odd(y)) *r = base_decimal_neg(*r);
    return BASE_OK;
}

#define NUMERIC_ONE(name, call)                                                                    \
    FUNC_KERNEL(name) {                                                                            \
        FUNC_UNUSED;                                                                               \
        base_error e;                                                                              \
        FUNC_EACH(i) FUNC_ROW_CALL(call(col_dec(args[0])[i], &col_dec(out)[i], &e));               \
        return BASE_OK;                                                                            \
    }
#define NUMERIC_TWO(name, call)                                                                    \
    FUNC_KERNEL(name) {                                                                            \
        FUNC_UNUSED;                                                                               \
        base_error e;                                                                              \
        FUNC_EACH(i)                                                                               \
        FUNC_ROW_CALL(call(col_dec(args[0])[i], col_dec(args[1])[i], &col_dec(out)[i], &e));       \
        return BASE_OK;                                                                            \
    }
NUMERIC_ONE(sqrt_numeric, d_sqrt)
NUMERIC_ONE(exp_numeric, d_exp)
NUMERIC_ONE(ln_numeric, d_ln)
NUMERIC_ONE(log_numeric, d_log10)
NUMERIC_TWO(log_numeric_base, d_log)
NUMERIC_TWO(power_numeric, d_power)

#define F1(name, kernel)                                                                           \
    { name, 1, {COL_FLOAT8}, COL_FLOAT8, COL_FUNC_STRICT, kernel, NULL }
#define F2(name, kernel)                                                                           \
    { name, 2, {COL_FLOAT8, COL_FLOAT8}, COL_FLOAT8, COL_FUNC_STRICT, kernel, NULL }
#define N1(name, kernel)                                                                           \
    { name, 1, {COL_NUMERIC}, COL_NUMERIC, COL_FUNC_STRICT, kernel, NULL }
#define N2(name, kernel)                                                                           \
    { name, 2, {COL_NUMERIC, COL_NUMERIC}, COL_NUMERIC, COL_FUNC_STRICT, kernel, NULL }

static const col_func rows[] = {
    F1("sqrt", sqrt_float8),       N1("sqrt", sqrt_numeric),
    F1("|/", sqrt_float8),         F1("cbrt", cbrt_float8),
    F1("||/", cbrt_float8),        F1("exp", exp_float8),
    N1("exp", exp_numeric),        F1("ln", ln_float8),
    N1("ln", ln_numeric),          F1("log", log_float8),
    N1("log", log_numeric),        N2("log", log_numeric_base),
    F1("log10", log_float8),       N1("log10", log_numeric),
    F2("power", power_float8),     N2("power", power_numeric),
    F2("pow", power_float8),       N2("pow", power_numeric),
    F2("^", power_float8),         N2("^", power_numeric),
    F1("sin", sin_float8),         F1("cos", cos_float8),
    F1("tan", tan_float8),         F1("asin", asin_float8),
    F1("acos", acos_float8),       F1("atan", atan_float8),
    F2("atan2", atan2_float8),     F1("degrees", degrees_float8),
    F1("radians", radians_float8), {"pi", 0, {0}, COL_FLOAT8, COL_FUNC_STRICT, pi_float8, NULL},
};
FUNC_TABLE(func_math_table, rows);
