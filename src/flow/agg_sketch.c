// agg_sketch.c - codes of the approximate aggregates; see agg_sketch.h. Delta rule: none, a value
// has one code. Entry points: agg_marks_of, agg_marks_estimate, agg_buckets_of, agg_bucket_value.
#include "flow/agg_sketch.h"

#include <float.h>
#include <math.h>

#include "base/hash.h"
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

static uint32_t check_of(uint32_t id) {
    return (uint32_t)(base_mix64(id + 1u) & 0xffff);
}

void agg_marks_of(base_arena *arena, const col_vec *values, col_vec *out, const uint32_t **prints) {
    uint32_t n = values->n, *own = base_arena_alloc(arena, sizeof(uint32_t) * (n + 1u));
    uint64_t *hashes = base_arena_alloc(arena, sizeof(uint64_t) * (n + 1u));
    col_hash(&(col_batch){1, n, (col_vec *)(uintptr_t)values, NULL}, 1, &(uint32_t){0}, hashes);
    col_vec_init(out, arena, col_type_of(COL_INT4), n);
    out->nulls = values->nulls;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t id = (uint32_t)(hashes[i] & 0xffff); // bits that ranks as high are rare for
        col_i32(out)[i] = mark_of(hashes[i]);
        own[i] = id << 16 | check_of(id);
    }
    *prints = own;
}

int agg_mark_level(int64_t count, int64_t prints) {
    if (count <= 0) return 0;
    if (prints % count != 0) return 2;
    int64_t print = prints / count;
    bool one = print >= 0 && print <= UINT32_MAX &&
               check_of((uint32_t)print >> 16) == ((uint32_t)print & 0xffff);
    return one ? 1 : 2;
}

// What sum of levels n values are expected to make, and how fast that grows with n. Of a mark of
// rank r the number of its values is nearly Poisson's, of mean n * 2^-(r + 1) / 2^14: with e^-mean
// there is none, with mean * e^-mean there is one.
static double expected_levels(double n, double *slope) {
    double sum = 0, q = 0.5 / REGISTERS;
    *slope = 0;
    for (int r = 0; r < RANKS; r++) {
        double mean = n * q, some = -expm1(-mean), none = 1 - some;
        // Of several: some - mean * none, which for small means is a difference of like numbers.
        double several = mean < 1e-4 ? mean * mean / 2 : some - mean * none;
        sum += some + several;
        *slope += q * (none + mean * none);
        if (r < RANKS - 2) q /= 2; // the last two are equally likely
    }
    sum *= REGISTERS;
    *slope *= REGISTERS;
    return sum;
}

// Newton's method for log n, in which the levels grow almost evenly.
int64_t agg_marks_estimate(int64_t levels) {
    double want = (double)levels;
    if (levels <= 1) return levels < 0 ? 0 : levels;
    double n = want < 2 * REGISTERS ? want : REGISTERS * exp2((want / REGISTERS - 1.22) / 2);
    for (int i = 0; i < 30; i++) {
        double slope, have = expected_levels(n, &slope);
        double step = (want - have) / (slope * n);
        if (step > 2) step = 2;
        if (step < -2) step = -2;
        n *= exp(step);
        if (fabs(step) < 1e-9 || n > 1e19) break;
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
