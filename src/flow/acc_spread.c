// acc_spread.c - accumulators of variance, standard deviation and regression.
//
// Integers and NUMERIC: the sum and the sum of squares are kept exactly, so the results are those
// of PostgreSQL to the last digit: (N * sum(x^2) - sum(x)^2) / (N * (N - 1)) divided as numeric
// does, and its root to the same scale. Floats: sums of x, x^2 and x * y in two doubles each.
// PostgreSQL updates a mean row by row, so that its last digits depend on the order of the rows;
// ours do not, and differ from any of its orders by no more than that. What is within the rounding
// of the two doubles is 0. A value that is not finite makes NaN, as there, until it is retracted.
// Delta rule: all sums are linear. Entry points: acc_spread_update, _merge, _result.
#include <math.h>
#include <string.h>

#include "base/big.h"
#include "base/must.h"
#include "flow/acc_int.h"

// ------------------------------------------------------------------------------------ squares

// w * b; false if it does not fit in 254 bits.
static bool times_small(uint64_t w[4], uint64_t b) {
    base_u128 carry = 0;
    for (int i = 0; i < 4; i++) {
        carry += (base_u128)w[i] * b;
        w[i] = (uint64_t)carry;
        carry >>= 64;
    }
    return carry == 0 && w[3] >> 62 == 0;
}

// w * 10^n
static bool scale_square(uint64_t w[4], int32_t n) {
    for (; n > 0; n -= 19) {
        uint64_t factor = 1;
        for (int32_t i = 0; i < n && i < 19; i++) factor *= 10;
        if (!times_small(w, factor)) return false;
    }
    return true;
}

static void square_of(base_u128 v, uint64_t w[4]) {
    uint64_t low = (uint64_t)v, high = (uint64_t)(v >> 64);
    base_u128 ll = (base_u128)low * low, lh = (base_u128)low * high, hh = (base_u128)high * high;
    base_u128 middle = (ll >> 64) + (uint64_t)lh;
    middle += (uint64_t)lh;
    base_u128 above = hh + (lh >> 64) + (lh >> 64) + (middle >> 64);
    w[0] = (uint64_t)ll;
    w[1] = (uint64_t)middle;
    w[2] = (uint64_t)above;
    w[3] = (uint64_t)(above >> 64);
}

static void negate(uint64_t w[4]) {
    uint64_t carry = 1;
    for (int i = 0; i < 4; i++) {
        w[i] = ~w[i] + carry;
        carry = carry != 0 && w[i] == 0;
    }
}

static bool is_negative(const uint64_t w[4]) {
    return w[3] >> 63 != 0;
}

// into += from; false if 255 bits do not hold it.
static bool add_squares(uint64_t into[4], const uint64_t from[4]) {
    bool a = is_negative(into), b = is_negative(from);
    base_u128 carry = 0;
    for (int i = 0; i < 4; i++) {
        carry += (base_u128)into[i] + from[i];
        into[i] = (uint64_t)carry;
        carry >>= 64;
    }
    return a != b || is_negative(into) == a;
}

// Sums of squares follow the scale of the sum.
static bool rescale_squares(uint64_t squares[4], int32_t by) {
    if (by == 0) return true;
    bool negative = is_negative(squares);
    if (negative) negate(squares);
    bool fits = scale_square(squares, 2 * by);
    if (negative) negate(squares);
    return fits;
}

static void take_dec(const acc_spec *spec, acc_spread_dec *acc, base_decimal v, int64_t weight) {
    int32_t before = acc->dec.scale;
    acc_dec_take(spec, &acc->dec, v, weight);
    bool fits = rescale_squares(acc->squares, acc->dec.scale - before);
    base_i128 unscaled = base_decimal_unscaled(v);
    base_u128 magnitude = unscaled < 0 ? -(base_u128)unscaled : (base_u128)unscaled;
    uint64_t square[4];
    square_of(magnitude, square);
    fits = fits && square[3] >> 62 == 0 && scale_square(square, 2 * (acc->dec.scale - v.scale));
    fits = fits && times_small(square, weight < 0 ? -(uint64_t)weight : (uint64_t)weight);
    if (fits && weight < 0) negate(square);
    if (!fits || !add_squares(acc->squares, square)) acc->dec.overflowed = 1;
}

static void merge_dec(const acc_spec *spec, acc_spread_dec *into, const acc_spread_dec *from) {
    uint64_t more[4];
    memcpy(more, from->squares, sizeof more);
    int32_t before = into->dec.scale, theirs = from->dec.scale;
    acc_dec_merge(spec, &into->dec, &from->dec);
    int32_t scale = into->dec.scale < before || into->dec.scale < theirs
                        ? (before > theirs ? before : theirs) // it fell to 0: nothing is left
                        : into->dec.scale;
    if (!rescale_squares(into->squares, scale - before) || !rescale_squares(more, scale - theirs) ||
        !add_squares(into->squares, more)) {
        into->dec.overflowed = 1;
    }
}

// ------------------------------------------------------------------------------------ update

static void two_take(acc_two *sum, double x, double y, int64_t weight) {
    double product = x * y, error = fma(x, y, -product);
    if (weight == 1 || weight == -1) {
        acc_two_add(sum, weight * product, weight * error);
        return;
    }
    double w = (double)weight, times = product * w;
    acc_two_add(sum, times, fma(product, w, -times) + error * w);
}

static void take_float(acc_spread_float *acc, double x, int64_t weight) {
    acc_float_take(&acc->x, x, weight);
    if (isfinite(x)) two_take(&acc->xx, x, x, weight);
}

// The first argument of these functions is Y, the second X.
static void take_pair(acc_pairs *acc, double y, double x, int64_t weight) {
    acc_float_take(&acc->x, x, weight);
    acc_float_take(&acc->y, y, weight);
    if (isfinite(x)) two_take(&acc->xx, x, x, weight);
    if (isfinite(y)) two_take(&acc->yy, y, y, weight);
    if (isfinite(x) && isfinite(y)) {
        two_take(&acc->xy, x, y, weight);
    } else {
        acc->odd += weight;
    }
}

#define INT_LOOP(cell_type)                                                                        \
    do {                                                                                           \
        const cell_type *in = values->data;                                                        \
        ACC_FOR_VALUES(acc_spread_int, base_i128 v = in[i]; acc->n += w; acc->sum += v * w;        \
                       acc->squares += v * v * w)                                                  \
    } while (0)

void acc_spread_update(const acc_spec *spec, char *at, size_t stride, const uint32_t *group_of,
                       const col_vec *values, const int64_t *weights) {
    uint32_t n = values->n;
    const uint8_t *nulls = values->nulls;
    switch (values->type.kind) {
    case COL_INT2:
        INT_LOOP(int16_t);
        return;
    case COL_INT4:
        INT_LOOP(int32_t);
        return;
    case COL_INT8:
        ACC_FOR_VALUES(acc_spread_dec,
                       take_dec(spec, acc, base_decimal_from_i64(col_i64(values)[i]), w))
        return;
    case COL_NUMERIC:
        ACC_FOR_VALUES(acc_spread_dec, take_dec(spec, acc, col_dec(values)[i], w))
        return;
    case COL_FLOAT4:
        ACC_FOR_VALUES(acc_spread_float, take_float(acc, (double)col_f32(values)[i], w))
        return;
    default:
        must(values->type.kind == COL_FLOAT8);
        if (spec->kind == ACC_PAIRS) {
            ACC_FOR_VALUES(acc_pairs,
                           take_pair(acc, col_f64(&values[0])[i], col_f64(&values[1])[i], w))
        } else {
            ACC_FOR_VALUES(acc_spread_float, take_float(acc, col_f64(values)[i], w))
        }
    }
}

static void merge_two(acc_two *into, const acc_two *from) {
    acc_two_add(into, from->hi, from->lo);
}

void acc_spread_merge(const acc_spec *spec, void *into, const void *from) {
    if (spec->kind == ACC_SPREAD_INT) {
        acc_spread_int *a = into;
        const acc_spread_int *b = from;
        a->n += b->n;
        a->sum += b->sum;
        a->squares += b->squares;
    } else if (spec->kind == ACC_SPREAD_DEC) {
        merge_dec(spec, into, from);
    } else if (spec->kind == ACC_SPREAD_FLOAT) {
        acc_spread_float *a = into;
        const acc_spread_float *b = from;
        acc_float_merge(&a->x, &b->x);
        merge_two(&a->xx, &b->xx);
        if (a->x.n == 0) a->xx = (acc_two){0, 0}; // rounding must not outlive the values
    } else {
        acc_pairs *a = into;
        const acc_pairs *b = from;
        acc_float_merge(&a->x, &b->x);
        acc_float_merge(&a->y, &b->y);
        merge_two(&a->xx, &b->xx);
        merge_two(&a->yy, &b->yy);
        merge_two(&a->xy, &b->xy);
        a->odd += b->odd;
        if (a->x.n == 0) a->xx = a->yy = a->xy = (acc_two){0, 0};
    }
}

// ------------------------------------------------------------------------------------ exact
// results

// Weight and value of the first group of four digits of a / 10^scale, as PostgreSQL's numeric keeps
// it.
static void first_group(const base_big *a, int32_t scale, int *weight, int *value) {
    uint8_t digits[BASE_BIG_DIGITS];
    int n = (int)base_big_digits(a, digits), before = n - scale;
    *weight = before > 0 ? (before - 1) / 4 : -((-before) / 4) - 1;
    int length = before - *weight * 4;
    *value = 0;
    for (int i = 0; i < length; i++) *value = *value * 10 + (i < n ? digits[i] : 0);
}

static base_rc overflow(base_error *err) {
    return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_NUMERIC_RANGE,
                     "value overflows numeric format");
}

// a to a scale of `to`, half up.
static base_big round_to(const base_big *a, int32_t scale, int32_t to) {
    base_big left = *a;
    uint64_t last = 0;
    for (; scale > to; scale--) left = base_big_div_small(&left, 10, &last);
    base_big one = base_big_of(1);
    return last >= 5 ? base_big_add(&left, &one) : left;
}

static base_rc make_decimal(const base_big *a, int32_t scale, base_decimal *out, base_error *err) {
    uint8_t digits[BASE_BIG_DIGITS];
    int32_t most = BASE_DECIMAL_DIGITS_MAX, to = scale < most ? scale : most;
    base_big shown = round_to(a, scale, to);
    int32_t excess = (int32_t)base_big_digits(&shown, digits) - most;
    if (excess > 0) { // fewer digits after the point than PostgreSQL would show
        to -= excess;
        shown = round_to(a, scale, to);
        if (to > 0 && (int32_t)base_big_digits(&shown, digits) > most) {
            to--;
            shown = round_to(a, scale, to);
        }
    }
    if (to < 0 || (int32_t)base_big_digits(&shown, digits) > most) return overflow(err);
    *out = base_decimal_make((base_i128)base_big_low(&shown), to);
    return BASE_OK;
}

// n * squares - sum^2, of scale 2 * scale; shown: the display scale of sum.
static base_rc exact_result(const acc_spec *spec, int64_t n, base_u128 sum, const base_big *squares,
                            int32_t scale, int32_t shown, base_decimal *out, base_error *err) {
    bool sample = spec->id == PLAN_AGG_VAR_SAMP || spec->id == PLAN_AGG_STDDEV_SAMP;
    bool root = spec->id == PLAN_AGG_STDDEV_POP || spec->id == PLAN_AGG_STDDEV_SAMP;
    base_big above = base_big_mul_small(squares, (uint64_t)n), total = base_big_of(sum);
    base_big square = base_big_mul(&total, &total);
    if (base_big_cmp(&above, &square) <= 0) {
        *out = base_decimal_from_i64(0);
        return BASE_OK;
    }
    above = base_big_sub(&above, &square);
    uint64_t other = (uint64_t)(sample ? n - 1 : n);
    base_big below = base_big_of((base_u128)(uint64_t)n * other);
    int weight_a, weight_b, group_a, group_b;
    first_group(&above, 2 * scale, &weight_a, &group_a);
    first_group(&below, 0, &weight_b, &group_b);
    int32_t digits = 16 - (weight_a - weight_b - (group_a <= group_b)) * 4;
    if (digits < 2 * shown) digits = 2 * shown;
    if (digits < 0) digits = 0;
    // 2 * above * 10^(digits - 2 * scale) / below, plus one, halved: rounded half up.
    int32_t up = digits - 2 * scale;
    base_big quotient = base_big_mul_small(&above, 2);
    if (up >= 0) {
        if (base_big_bits(&quotient) + (uint32_t)up * 4u > 600) return overflow(err);
        quotient = base_big_pow10(&quotient, (uint32_t)up);
    }
    for (; up < 0; up++) quotient = base_big_div_small(&quotient, 10, NULL);
    quotient = base_big_div_small(&quotient, (uint64_t)n, NULL);
    quotient = base_big_div_small(&quotient, other, NULL);
    base_big one = base_big_of(1);
    quotient = base_big_add(&quotient, &one);
    quotient = base_big_div_small(&quotient, 2, NULL);
    if (root) {
        if (base_big_bits(&quotient) + (uint32_t)digits * 4u > 600) return overflow(err);
        quotient = base_big_pow10(&quotient, (uint32_t)digits);
        quotient = base_big_mul_small(&quotient, 4);
        quotient = base_big_sqrt(&quotient);
        quotient = base_big_add(&quotient, &one);
        quotient = base_big_div_small(&quotient, 2, NULL);
    }
    return make_decimal(&quotient, digits, out, err);
}

static base_u128 magnitude_of(acc_i128 v) {
    return v < 0 ? -(base_u128)v : (base_u128)v;
}

static base_rc int_result(const acc_spec *spec, const acc_spread_int *acc, col_vec *out,
                          uint32_t row, base_error *err) {
    base_big squares = base_big_of((base_u128)acc->squares);
    return exact_result(spec, acc->n, magnitude_of(acc->sum), &squares, 0, 0, &col_dec(out)[row],
                        err);
}

static base_rc dec_result(const acc_spec *spec, const acc_spread_dec *acc, col_vec *out,
                          uint32_t row, base_error *err) {
    if (acc->dec.overflowed || is_negative(acc->squares)) return overflow(err);
    base_big squares = {{0}};
    memcpy(squares.w, acc->squares, sizeof acc->squares);
    return exact_result(spec, acc->dec.n, magnitude_of(acc->dec.sum), &squares, acc->dec.scale,
                        acc_dec_scale(spec, &acc->dec), &col_dec(out)[row], err);
}

// ------------------------------------------------------------------------------------ float
// results

static acc_two two_of(const acc_float *x) {
    return (acc_two){x->hi, x->lo};
}

static acc_two two_product(acc_two a, acc_two b) {
    double p = a.hi * b.hi;
    acc_two out = {p, fma(a.hi, b.hi, -p)};
    acc_two_add(&out, a.hi * b.lo + a.lo * b.hi, 0);
    return out;
}

// sum(x * y) - sum(x) * sum(y) / n, and 0 where only rounding is left of it.
static double centred(int64_t n, acc_two xy, acc_two x, acc_two y, double noise) {
    acc_two count = {(double)n, (double)(n - (int64_t)(double)n)};
    acc_two product = two_product(x, y), all = two_product(xy, count);
    acc_two_add(&all, -product.hi, -product.lo);
    double out = (all.hi + all.lo) / (double)n;
    return fabs(out) <= noise ? 0 : out;
}

static double spread_of(const acc_float *x, const acc_two *xx) {
    if (x->nan > 0 || x->plus > 0 || x->minus > 0) return NAN;
    double out = centred(x->n, *xx, two_of(x), two_of(x), ldexp(xx->hi, -96));
    return out < 0 ? 0 : out;
}

// The value of a function, or *null; of N = n pairs of which none is null.
static double pairs_value(const acc_spec *spec, const acc_pairs *acc, bool *null) {
    double n = (double)acc->x.n, sxx = spread_of(&acc->x, &acc->xx);
    double syy = spread_of(&acc->y, &acc->yy), sxy = NAN;
    double sx = acc_float_sum(&acc->x), sy = acc_float_sum(&acc->y);
    if (acc->odd <= 0) {
        sxy = centred(acc->x.n, acc->xy, two_of(&acc->x), two_of(&acc->y),
                      ldexp(sqrt(acc->xx.hi) * sqrt(acc->yy.hi), -96));
    }
    switch (spec->id) {
    case PLAN_AGG_REGR_SXX:
        return sxx;
    case PLAN_AGG_REGR_SYY:
        return syy;
    case PLAN_AGG_REGR_SXY:
        return sxy;
    case PLAN_AGG_REGR_AVGX:
        return sx / n;
    case PLAN_AGG_REGR_AVGY:
        return sy / n;
    case PLAN_AGG_COVAR_POP:
        return sxy / n;
    case PLAN_AGG_COVAR_SAMP:
        *null = acc->x.n < 2;
        return *null ? 0 : sxy / (n - 1);
    case PLAN_AGG_CORR:
        *null = sxx == 0 || syy == 0;
        return *null ? 0 : sxy / sqrt(sxx * syy);
    case PLAN_AGG_REGR_R2:
        *null = sxx == 0;
        return *null ? 0 : syy == 0 ? 1 : (sxy * sxy) / (sxx * syy);
    case PLAN_AGG_REGR_SLOPE:
        *null = sxx == 0;
        return *null ? 0 : sxy / sxx;
    default:
        *null = sxx == 0;
        return *null ? 0 : (sy - sx * sxy / sxx) / n;
    }
}

static double float_value(const acc_spec *spec, const acc_spread_float *acc) {
    bool sample = spec->id == PLAN_AGG_VAR_SAMP || spec->id == PLAN_AGG_STDDEV_SAMP;
    bool root = spec->id == PLAN_AGG_STDDEV_POP || spec->id == PLAN_AGG_STDDEV_SAMP;
    double variance = spread_of(&acc->x, &acc->xx) / (double)(sample ? acc->x.n - 1 : acc->x.n);
    return root ? sqrt(variance) : variance;
}

// Whether finite values alone made what is not finite.
static bool overflowed(const acc_spec *spec, const void *at) {
    const acc_float *x = at;
    bool odd = x->nan > 0 || x->plus > 0 || x->minus > 0;
    if (spec->kind == ACC_PAIRS) odd = odd || ((const acc_pairs *)at)->odd > 0;
    if (odd) return false;
    if (spec->kind == ACC_SPREAD_FLOAT) return !isfinite(((const acc_spread_float *)at)->xx.hi);
    const acc_pairs *pairs = at;
    return !isfinite(pairs->xx.hi) || !isfinite(pairs->yy.hi) || !isfinite(pairs->xy.hi);
}

base_rc acc_spread_result(const acc_spec *spec, const void *at, col_vec *out, uint32_t row,
                          base_arena *arena, base_error *err) {
    bool sample = spec->id == PLAN_AGG_VAR_SAMP || spec->id == PLAN_AGG_STDDEV_SAMP;
    int64_t n =
        spec->kind == ACC_SPREAD_DEC ? ((const acc_spread_dec *)at)->dec.n : *(const int64_t *)at;
    if (spec->id == PLAN_AGG_REGR_COUNT) {
        col_i64(out)[row] = n;
        return BASE_OK;
    }
    if (n <= 0 || (sample && n == 1)) {
        col_vec_set_null(out, arena, row);
        return BASE_OK;
    }
    if (spec->kind == ACC_SPREAD_INT) return int_result(spec, at, out, row, err);
    if (spec->kind == ACC_SPREAD_DEC) return dec_result(spec, at, out, row, err);
    if (overflowed(spec, at)) {
        return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_NUMERIC_RANGE,
                         "value out of range: overflow");
    }
    bool null = false;
    double v = spec->kind == ACC_PAIRS ? pairs_value(spec, at, &null) : float_value(spec, at);
    if (null) col_vec_set_null(out, arena, row);
    col_f64(out)[row] = v;
    return BASE_OK;
}
