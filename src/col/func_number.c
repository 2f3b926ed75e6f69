// func_number.c - numbers beyond arithmetic: divisors, factorials, buckets, digits of NUMERIC,
// angles in degrees and hyperbolic functions.
// Source: PostgreSQL 15 documentation, 9.3. Functions of degrees divide by their own value at 30,
// 45 or 60 degrees, as PostgreSQL's do, so that they are exact where a table of angles is.
#include <math.h>
#include <pthread.h>

#include "base/must.h"
#include "col/func_int.h"
#include "col/kernel.h"

#define SQLSTATE_BUCKET "2201G"

static base_rc out_of_range(const char *type_name, base_error *err) {
    return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_NUMERIC_RANGE, "%s out of range",
                     type_name);
}

// ---- divisors ----

static base_rc gcd_of(int64_t a, int64_t b, int64_t least, const char *type_name, int64_t *to,
                      base_error *err) {
    uint64_t x = a < 0 ? -(uint64_t)a : (uint64_t)a, y = b < 0 ? -(uint64_t)b : (uint64_t)b;
    while (y != 0) {
        uint64_t rest = x % y;
        x = y;
        y = rest;
    }
    if (x == -(uint64_t)least) return out_of_range(type_name, err);
    *to = (int64_t)x;
    return BASE_OK;
}

static base_rc lcm_of(int64_t a, int64_t b, int64_t least, const char *type_name, int64_t *to,
                      base_error *err) {
    *to = 0;
    if (a == 0 || b == 0) return BASE_OK;
    int64_t divisor, product;
    base_rc rc = gcd_of(a, b, least, type_name, &divisor, err);
    if (rc != BASE_OK) return rc;
    if (__builtin_mul_overflow(a / divisor, b, &product) || product == INT64_MIN) {
        return out_of_range(type_name, err);
    }
    *to = product < 0 ? -product : product;
    return *to > -(least + 1) ? out_of_range(type_name, err) : BASE_OK;
}

#define DIVISOR_KERNELS(name, call)                                                                \
    FUNC_KERNEL(name##_int4) {                                                                     \
        FUNC_UNUSED;                                                                               \
        base_error e;                                                                              \
        FUNC_EACH(i) {                                                                             \
            int64_t v = 0;                                                                         \
            FUNC_ROW_CALL(                                                                         \
                call(col_i32(args[0])[i], col_i32(args[1])[i], INT32_MIN, "integer", &v, &e));     \
            col_i32(out)[i] = (int32_t)v;                                                          \
        }                                                                                          \
        return BASE_OK;                                                                            \
    }                                                                                              \
    FUNC_KERNEL(name##_int8) {                                                                     \
        FUNC_UNUSED;                                                                               \
        base_error e;                                                                              \
        FUNC_EACH(i) {                                                                             \
            FUNC_ROW_CALL(call(col_i64(args[0])[i], col_i64(args[1])[i], INT64_MIN, "bigint",      \
                               &col_i64(out)[i], &e));                                             \
        }                                                                                          \
        return BASE_OK;                                                                            \
    }
DIVISOR_KERNELS(gcd, gcd_of)
DIVISOR_KERNELS(lcm, lcm_of)

static int wider_scale(base_decimal a, base_decimal b) {
    return a.scale > b.scale ? a.scale : b.scale;
}

static base_rc gcd_decimal(base_decimal a, base_decimal b, base_decimal *to, base_error *err) {
    int scale = wider_scale(a, b);
    base_decimal x = base_decimal_abs(a), y = base_decimal_abs(b);
    while (base_decimal_sign(y) != 0) {
        base_decimal rest;
        base_rc rc = base_decimal_mod(x, y, &rest, err);
        if (rc != BASE_OK) return rc;
        x = y;
        y = rest;
    }
    return base_decimal_round(x, scale, to, err);
}

static base_rc lcm_decimal(base_decimal a, base_decimal b, base_decimal *to, base_error *err) {
    int scale = wider_scale(a, b);
    if (base_decimal_sign(a) == 0 || base_decimal_sign(b) == 0) {
        *to = base_decimal_make(0, scale);
        return BASE_OK;
    }
    base_decimal divisor, times;
    base_rc rc = gcd_decimal(a, b, &divisor, err);
    if (rc == BASE_OK) rc = base_decimal_div(a, divisor, &times, err);
    if (rc == BASE_OK) rc = base_decimal_round(times, 0, &times, err);
    if (rc == BASE_OK) rc = base_decimal_mul(times, b, to, err);
    if (rc == BASE_OK) rc = base_decimal_round(base_decimal_abs(*to), scale, to, err);
    return rc;
}

FUNC_KERNEL(gcd_numeric) {
    FUNC_UNUSED;
    base_error e;
    FUNC_EACH(i) {
        FUNC_ROW_CALL(gcd_decimal(col_dec(args[0])[i], col_dec(args[1])[i], &col_dec(out)[i], &e));
    }
    return BASE_OK;
}

FUNC_KERNEL(lcm_numeric) {
    FUNC_UNUSED;
    base_error e;
    FUNC_EACH(i) {
        FUNC_ROW_CALL(lcm_decimal(col_dec(args[0])[i], col_dec(args[1])[i], &col_dec(out)[i], &e));
    }
    return BASE_OK;
}

static base_rc factorial_of(int64_t n, base_decimal *to, base_error *err) {
    if (n < 0) {
        return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_NUMERIC_RANGE,
                         "factorial of a negative number is undefined");
    }
    if (n > 33) { // 34! has 39 digits
        return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_NUMERIC_RANGE,
                         "value overflows numeric format");
    }
    base_i128 product = 1;
    for (int64_t k = 2; k <= n; k++) product *= k;
    *to = base_decimal_make(product, 0);
    return BASE_OK;
}

FUNC_KERNEL(factorial_int8) {
    FUNC_UNUSED;
    base_error e;
    FUNC_EACH(i) FUNC_ROW_CALL(factorial_of(col_i64(args[0])[i], &col_dec(out)[i], &e));
    return BASE_OK;
}

FUNC_KERNEL(min_scale_numeric) {
    FUNC_UNUSED;
    FUNC_EACH(i) col_i32(out)[i] = base_decimal_normalize(col_dec(args[0])[i]).scale;
    return BASE_OK;
}

FUNC_KERNEL(increment_numeric) {
    FUNC_UNUSED;
    base_error e;
    FUNC_EACH(i) {
        FUNC_ROW_CALL(
            base_decimal_add(col_dec(args[0])[i], base_decimal_from_i64(1), &col_dec(out)[i], &e));
    }
    return BASE_OK;
}

// ---- width_bucket ----

static base_rc bucket_fail(const char *text, base_error *err) {
    return base_fail(err, BASE_E_INVALID, SQLSTATE_BUCKET, "%s", text);
}

static base_rc bucket_after(int32_t count, int32_t *to, base_error *err) {
    if (__builtin_add_overflow(count, 1, to)) return out_of_range("integer", err);
    return BASE_OK;
}

static base_rc bucket_float(double v, double low, double high, int32_t count, int32_t *to,
                            base_error *err) {
    if (count <= 0) return bucket_fail("count must be greater than zero", err);
    if (isnan(v) || isnan(low) || isnan(high)) {
        return bucket_fail("operand, lower bound, and upper bound cannot be NaN", err);
    }
    if (isinf(low) || isinf(high)) {
        return bucket_fail("lower and upper bounds must be finite", err);
    }
    if (low == high) return bucket_fail("lower bound cannot equal upper bound", err);
    if (low > high) { // counted downwards
        v = -v;
        low = -low;
        high = -high;
    }
    *to = 0;
    if (v < low) return BASE_OK;
    if (v >= high) return bucket_after(count, to, err);
    double part =
        isinf(high - low) ? (v / 2 - low / 2) / (high / 2 - low / 2) : (v - low) / (high - low);
    double bucket = count * part;
    int32_t whole = bucket >= count ? count : (int32_t)bucket; // rounding may reach the end
    *to = whole + 1;
    return BASE_OK;
}

static base_rc bucket_numeric(base_decimal v, base_decimal low, base_decimal high, int32_t count,
                              int32_t *to, base_error *err) {
    if (count <= 0) return bucket_fail("count must be greater than zero", err);
    int order = base_decimal_cmp(low, high);
    if (order == 0) return bucket_fail("lower bound cannot equal upper bound", err);
    if (order > 0) {
        v = base_decimal_neg(v);
        low = base_decimal_neg(low);
        high = base_decimal_neg(high);
    }
    *to = 0;
    if (base_decimal_cmp(v, low) < 0) return BASE_OK;
    if (base_decimal_cmp(v, high) >= 0) return bucket_after(count, to, err);
    base_decimal above, width, times, part, bucket;
    base_rc rc = base_decimal_sub(v, low, &above, err);
    if (rc == BASE_OK) rc = base_decimal_sub(high, low, &width, err);
    if (rc == BASE_OK) rc = base_decimal_mul(above, base_decimal_from_i64(count), &times, err);
    if (rc == BASE_OK) rc = base_decimal_div(times, width, &part, err);
    if (rc == BASE_OK) rc = base_decimal_trunc(part, 0, &bucket, err);
    int64_t whole = 0;
    if (rc == BASE_OK) rc = base_decimal_to_i64(bucket, &whole, err);
    if (rc != BASE_OK) return rc;
    return bucket_after(whole > count ? count : (int32_t)whole, to, err); // rounded, as PostgreSQL
}

FUNC_KERNEL(width_bucket_float8) {
    FUNC_UNUSED;
    base_error e;
    FUNC_EACH(i) {
        FUNC_ROW_CALL(bucket_float(col_f64(args[0])[i], col_f64(args[1])[i], col_f64(args[2])[i],
                                   col_i32(args[3])[i], &col_i32(out)[i], &e));
    }
    return BASE_OK;
}

FUNC_KERNEL(width_bucket_numeric) {
    FUNC_UNUSED;
    base_error e;
    FUNC_EACH(i) {
        FUNC_ROW_CALL(bucket_numeric(col_dec(args[0])[i], col_dec(args[1])[i], col_dec(args[2])[i],
                                     col_i32(args[3])[i], &col_i32(out)[i], &e));
    }
    return BASE_OK;
}

// width_bucket(any, sorted array of lower bounds): how many of them are at most the operand.
FUNC_KERNEL(width_bucket_array) {
    FUNC_UNUSED;
    col_lists lists;
    col_array_flatten(ctx->arena, args[1], &lists);
    FUNC_EACH(i) {
        uint32_t begin = lists.offsets[i], end = lists.offsets[i + 1];
        bool has_null = false;
        for (uint32_t k = begin; k < end; k++) has_null |= col_is_null(&lists.elements, k);
        if (has_null) {
            FUNC_TOLERATE(func_row_fail(ctx, out, i, BASE_E_INVALID, "22004",
                                        "thresholds array must not contain NULLs"));
            continue;
        }
        uint32_t low = begin, high = end;
        while (low < high) {
            uint32_t middle = low + (high - low) / 2;
            if (col_cells_compare(args[0], i, &lists.elements, middle) < 0) {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        col_i32(out)[i] = (int32_t)(low - begin);
    }
    return BASE_OK;
}

// ---- degrees ----

static pthread_once_t degree_once = PTHREAD_ONCE_INIT;
static struct {
    double sin_30, one_less_cos_60, asin_half, acos_half, atan_one, tan_45, cot_45;
} degree;

static double radians_of(double degrees) {
    return degrees * (M_PI / 180.0);
}

static double sin_to_30(double x) {
    return sin(radians_of(x)) / degree.sin_30 / 2.0;
}
static double cos_to_60(double x) {
    return 1.0 - (1.0 - cos(radians_of(x))) / degree.one_less_cos_60 / 2.0;
}
static double sin_quarter(double x) {
    return x <= 30.0 ? sin_to_30(x) : cos_to_60(90.0 - x);
}
static double cos_quarter(double x) {
    return x <= 60.0 ? cos_to_60(x) : sin_to_30(90.0 - x);
}

static void degree_make(void) {
    // Through volatile, so that the compiler does not compute them to other last places.
    volatile double half = 0.5, one = 1.0, thirty = 30.0, sixty = 60.0;
    degree.sin_30 = sin(radians_of(thirty));
    degree.one_less_cos_60 = 1.0 - cos(radians_of(sixty));
    degree.asin_half = asin(half);
    degree.acos_half = acos(half);
    degree.atan_one = atan(one);
    degree.tan_45 = sin_quarter(45.0) / cos_quarter(45.0);
    degree.cot_45 = cos_quarter(45.0) / sin_quarter(45.0);
}

// An angle as one of the first quarter, and the signs that it takes with it.
typedef struct quarter {
    double x;
    double sin_sign, cos_sign;
} quarter;

static quarter quarter_of(double x) {
    quarter q = {fmod(x, 360.0), 1, 1};
    if (q.x < 0) {
        q.x = -q.x;
        q.sin_sign = -1;
    }
    if (q.x > 180) {
        q.x = 360 - q.x;
        q.sin_sign = -q.sin_sign;
    }
    if (q.x > 90) {
        q.x = 180 - q.x;
        q.cos_sign = -1;
    }
    return q;
}

static double asin_quarter(double x) {
    return x <= 0.5 ? asin(x) / degree.asin_half * 30.0 : 90.0 - acos(x) / degree.acos_half * 60.0;
}
static double acos_quarter(double x) {
    return x <= 0.5 ? 90.0 - asin(x) / degree.asin_half * 30.0 : acos(x) / degree.acos_half * 60.0;
}

static double sine(double x) {
    quarter q = quarter_of(x);
    return q.sin_sign * sin_quarter(q.x);
}
static double cosine(double x) {
    quarter q = quarter_of(x);
    return q.cos_sign * cos_quarter(q.x);
}
static double tangent(double x) {
    quarter q = quarter_of(x);
    double r = q.sin_sign * q.cos_sign * (sin_quarter(q.x) / cos_quarter(q.x) / degree.tan_45);
    return r == 0 ? 0 : r;
}
static double cotangent(double x) {
    quarter q = quarter_of(x);
    double r = q.sin_sign * q.cos_sign * (cos_quarter(q.x) / sin_quarter(q.x) / degree.cot_45);
    return r == 0 ? 0 : r;
}
static double arc_sine(double x) {
    return x >= 0 ? asin_quarter(x) : -asin_quarter(-x);
}
static double arc_cosine(double x) {
    return x >= 0 ? acos_quarter(x) : 90.0 + asin_quarter(-x);
}
static double arc_tangent(double x) {
    return atan(x) / degree.atan_one * 45.0;
}
static double cot_radians(double x) {
    return 1.0 / tan(x);
}

// fails: what of the arguments is out of range.
#define FLOAT_KERNEL(name, call, fails)                                                            \
    FUNC_KERNEL(name) {                                                                            \
        FUNC_UNUSED;                                                                               \
        pthread_once(&degree_once, degree_make);                                                   \
        base_error e;                                                                              \
        FUNC_EACH(i) {                                                                             \
            double x = col_f64(args[0])[i];                                                        \
            base_rc rc = BASE_OK;                                                                  \
            if (!isnan(x) && (fails)) rc = out_of_range("input is", &e);                           \
            col_f64(out)[i] = isnan(x) ? x : call(x);                                              \
            FUNC_ROW_CALL(rc);                                                                     \
        }                                                                                          \
        return BASE_OK;                                                                            \
    }
FLOAT_KERNEL(sind_float8, sine, isinf(x))
FLOAT_KERNEL(cosd_float8, cosine, isinf(x))
FLOAT_KERNEL(tand_float8, tangent, isinf(x))
FLOAT_KERNEL(cotd_float8, cotangent, isinf(x))
FLOAT_KERNEL(asind_float8, arc_sine, x<-1 || x> 1)
FLOAT_KERNEL(acosd_float8, arc_cosine, x<-1 || x> 1)
FLOAT_KERNEL(atand_float8, arc_tangent, false)
FLOAT_KERNEL(cot_float8, cot_radians, isinf(x))
FLOAT_KERNEL(sinh_float8, sinh, false)
FLOAT_KERNEL(cosh_float8, cosh, false)
FLOAT_KERNEL(tanh_float8, tanh, false)
FLOAT_KERNEL(asinh_float8, asinh, false)
FLOAT_KERNEL(acosh_float8, acosh, x < 1)
FLOAT_KERNEL(atanh_float8, atanh, x<-1 || x> 1)

FUNC_KERNEL(atan2d_float8) {
    FUNC_UNUSED;
    pthread_once(&degree_once, degree_make);
    FUNC_EACH(i) {
        double y = col_f64(args[0])[i], x = col_f64(args[1])[i];
        col_f64(out)[i] = atan2(y, x) / degree.atan_one * 45.0;
    }
    return BASE_OK;
}

#define S COL_FUNC_STRICT
#define F COL_FLOAT8
#define N COL_NUMERIC
#define ONE(name, kernel)                                                                          \
    { name, 1, {F}, F, S, kernel, NULL }

static const col_func rows[] = {
    {"gcd", 2, {COL_INT4, COL_INT4}, COL_INT4, S, gcd_int4, NULL},
    {"gcd", 2, {COL_INT8, COL_INT8}, COL_INT8, S, gcd_int8, NULL},
    {"gcd", 2, {N, N}, N, S, gcd_numeric, NULL},
    {"lcm", 2, {COL_INT4, COL_INT4}, COL_INT4, S, lcm_int4, NULL},
    {"lcm", 2, {COL_INT8, COL_INT8}, COL_INT8, S, lcm_int8, NULL},
    {"lcm", 2, {N, N}, N, S, lcm_numeric, NULL},
    {"factorial", 1, {COL_INT8}, N, S, factorial_int8, NULL},
    {"min_scale", 1, {N}, COL_INT4, S, min_scale_numeric, NULL},
    {"numeric_inc", 1, {N}, N, S, increment_numeric, NULL},
    {"width_bucket", 4, {F, F, F, COL_INT4}, COL_INT4, S, width_bucket_float8, NULL},
    {"width_bucket", 4, {N, N, N, COL_INT4}, COL_INT4, S, width_bucket_numeric, NULL},
    {"width_bucket",
     2,
     {COL_UNKNOWN, COL_ARRAY},
     COL_INT4,
     S | COL_FUNC_ANY_SAME,
     width_bucket_array,
     NULL},
    ONE("sind", sind_float8),
    ONE("cosd", cosd_float8),
    ONE("tand", tand_float8),
    ONE("cotd", cotd_float8),
    ONE("asind", asind_float8),
    ONE("acosd", acosd_float8),
    ONE("atand", atand_float8),
    {"atan2d", 2, {F, F}, F, S, atan2d_float8, NULL},
    ONE("cot", cot_float8),
    ONE("sinh", sinh_float8),
    ONE("cosh", cosh_float8),
    ONE("tanh", tanh_float8),
    ONE("asinh", asinh_float8),
    ONE("acosh", acosh_float8),
    ONE("atanh", atanh_float8),
};
FUNC_TABLE(func_number_table, rows);
