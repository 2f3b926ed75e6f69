// agg_sketch.c - codes of the approximate aggregates; see agg_sketch.h. Delta rule: none, a value
// has one code. Entry points: agg_marks_of, agg_marks_estimate, agg_buckets_of, agg_bucket_value.
#include "flow/agg_sketch.h"

#include <float.h>
#include <math.h>

#include "base/must.h"
#include "col/kernel.h"
#include "plan/agg.h"

// ------------------------------------------------------------------------------------ marks

#define REGISTERS (1 << AGG_MARK_BITS)
#define RANKS     (65 - AGG_MARK_BITS) // the last one: all bits are 0

static int32_t mark_of(uint64_t hash) {
    uint64_t rest = hash << AGG_MARK_BITS;
    uint32_t rank = rest == 0 ? RANKS - 1u : (uint32_t)__builtin_clzll(rest);
    return (int32_t)(rank << AGG_MARK_BITS | (uint32_t)(hash >> (64 - AGG_MARK_BITS)));
}

void agg_marks_of(base_arena *arena, const col_vec *values, col_vec *out) {
    uint32_t n = values->n;
    uint64_t *hashes = base_arena_alloc(arena, sizeof(uint64_t) * (n + 1u));
    col_hash(&(col_batch){1, n, (col_vec *)(uintptr_t)values, NULL}, 1, &(uint32_t){0}, hashes);
    col_vec_init(out, arena, col_type_of(COL_INT4), n);
    out->nulls = values->nulls;
    for (uint32_t i = 0; i < n; i++) col_i32(out)[i] = mark_of(hashes[i]);
}

// How many marks n values are expected to make, and how fast that grows with n. A mark of rank r is
// there unless all n values miss it, each with probability 1 - q, q = 2^-(r + 1) / 2^14.
static double expected_marks(double n, double *slope) {
    double sum = 0;
    *slope = 0;
    double q = 0.5 / REGISTERS;
    for (int r = 0; r < RANKS; r++) {
        double log_miss = -q * (1 + q / 2), x = n * log_miss; // log(1 - q), which is small
        double there = x > -40 ? -expm1(x) : 1;
        sum += there;
        *slope -= log_miss * (1 - there);
        if (r < RANKS - 2) q /= 2; // the last two are equally likely
    }
    sum *= REGISTERS;
    *slope *= REGISTERS;
    return sum;
}

// Newton's method for log n, in which the marks grow almost evenly. All marks at once are beyond
// any number of rows, so there is always an n.
int64_t agg_marks_estimate(int64_t marks) {
    double want = (double)marks;
    if (marks <= 1) return marks < 0 ? 0 : marks;
    // Where marks begin to be shared, they are n - n^2 / (6 * 2^14) and so on.
    double n = want < REGISTERS ? want * (1 + want / (6.0 * REGISTERS))
                                : REGISTERS * exp2(want / REGISTERS - 1.33);
    for (int i = 0; i < 20; i++) {
        double slope, have = expected_marks(n, &slope);
        double step = (want - have) / (slope * n);
        if (step > 2) step = 2;
        if (step < -2) step = -2;
        n *= exp(step);
        if (fabs(step) < 1e-9) break;
    }
    return n > 9e18 ? INT64_MAX : (int64_t)(n + 0.5);
}

// ------------------------------------------------------------------------------------ buckets

// Exponents of doubles reach down to that of the least one, 2^-1074.
#define EXPONENT_LEAST (-1074)
#define CODE_INFINITE  (INT32_MAX - 1)
#define CODE_NAN       INT32_MAX

// Buckets a doubling of values takes, by which the cubic is multiplied: with gamma = (1 + error) /
// (1
// - error), 0.7 / ln gamma. The cubic rises by at least 10 / 7 while the logarithm rises by 1.
static double buckets_by(double error) {
    double square = error * error, power = error, half = 0;
    for (int k = 1; power > DBL_EPSILON * half / 4; k += 2) { // ln gamma = 2 artanh(error)
        half += power / k;
        power *= square;
    }
    return 0.35 / half;
}

static double cubic(double s) {
    return ((6.0 / 35 * s - 3.0 / 5) * s + 10.0 / 7) * s;
}

// log2 of a positive number, nearly: exact at powers of two, rising in between.
static double log_of(double x) {
    int exponent;
    double mantissa = frexp(x, &exponent); // in [0.5, 1)
    return exponent - 1 + cubic(2 * mantissa - 1);
}

static double power_of(double log) {
    double whole = floor(log), low = 0, high = 1, part = log - whole;
    for (int i = 0; i < 54; i++) {
        double middle = (low + high) / 2;
        if (cubic(middle) < part) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return ldexp(1 + low, (int)whole);
}

static int32_t code_of(double x, double by) {
    if (x != x) return CODE_NAN;
    if (x == 0) return 0;
    double size = fabs(x);
    int32_t code = isinf(x) ? CODE_INFINITE
                            : 1 + (int32_t)(floor(log_of(size) * by) - floor(EXPONENT_LEAST * by));
    return x < 0 ? -code : code;
}

void agg_buckets_of(base_arena *arena, const col_vec *values, double error, col_vec *out) {
    must(values->type.kind == COL_FLOAT8 && error >= PLAN_APPROX_ERROR_LEAST);
    double by = buckets_by(error);
    uint32_t n = values->n;
    col_vec_init(out, arena, col_type_of(COL_INT4), n);
    out->nulls = values->nulls;
    for (uint32_t i = 0; i < n; i++) {
        bool null = values->nulls != NULL && values->nulls[i];
        col_i32(out)[i] = null ? 0 : code_of(col_f64(values)[i], by);
    }
}

double agg_bucket_value(int32_t code, double error) {
    if (code == CODE_NAN) return NAN;
    if (code == 0) return 0;
    double sign = code < 0 ? -1 : 1;
    if (code == CODE_INFINITE || code == -CODE_INFINITE) return sign * INFINITY;
    double by = buckets_by(error);
    double index = (code < 0 ? -(double)code : code) - 1 + floor(EXPONENT_LEAST * by);
    if (index / by < DBL_MIN_EXP) return sign * power_of((index + 0.5) / by);     // no room below
    double low = power_of(index / by - 2), high = power_of((index + 1) / by - 2); // room above
    double middle = 4 * (high / (low + high) * 2 * low);
    return sign * (isinf(middle) ? DBL_MAX : middle);
}
