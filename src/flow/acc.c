// acc.c - accumulators of aggregates. Delta rule: acc(A + dA) = acc(A) + acc(dA), a weighted sum;
// an extreme takes the better of both, and is only ever fed values that are there.
//
// Results follow PostgreSQL 15: sum(smallint, integer) is bigint and fails beyond it; sum(bigint)
// and sum(numeric) are numeric; avg divides as numeric does; nothing but nulls gives null, count 0.
// Sum of floats: two doubles, the second the rounding error of the first (Knuth's two-sum), so that
// order hardly matters; NaN and infinities are counted beside and retract exactly.
// Entry points: acc_spec_init, acc_update, acc_merge, acc_result.
#include "flow/acc.h"

#include <math.h>
#include <stddef.h>

#include "base/must.h"
#include "col/func.h"
#include "col/kernel.h"
#include "flow/acc_int.h"
#include "flow/agg_sketch.h"

// ------------------------------------------------------------------------------------ specs

static bool is_integer(col_kind kind) {
    return kind == COL_INT2 || kind == COL_INT4 || kind == COL_INT8;
}
static bool is_float(col_kind kind) {
    return kind == COL_FLOAT4 || kind == COL_FLOAT8;
}

static base_rc unsupported(const plan_agg *agg, base_error *err) {
    return base_fail(err, BASE_E_UNSUPPORTED, NULL, "aggregate %s(%s) is not supported",
                     agg->def->name, agg->arg == NULL ? "*" : col_kind_name(agg->arg->type.kind));
}

static base_rc sum_kind(acc_spec *spec, const plan_agg *agg, bool append_only, base_error *err) {
    col_kind arg = spec->arg.kind;
    if (is_integer(arg)) {
        spec->kind = ACC_INT;
        spec->size = sizeof(acc_int);
    } else if (arg == COL_NUMERIC) {
        spec->kind = ACC_DEC;
        spec->scales = !append_only && spec->arg.precision == 0;
        spec->size = spec->scales ? sizeof(acc_dec) : ACC_DEC_SHORT;
    } else if (is_float(arg)) {
        spec->kind = ACC_FLOAT;
        spec->size = sizeof(acc_float);
    } else if (arg == COL_INTERVAL) {
        spec->kind = ACC_INTERVAL;
        spec->size = sizeof(acc_interval);
    } else {
        return unsupported(agg, err);
    }
    return BASE_OK;
}

static base_rc spread_kind(acc_spec *spec, const plan_agg *agg, bool append_only, base_error *err) {
    col_kind arg = spec->arg.kind;
    if (arg == COL_INT2 || arg == COL_INT4) {
        spec->kind = ACC_SPREAD_INT;
        spec->size = sizeof(acc_spread_int);
    } else if (arg == COL_INT8 || arg == COL_NUMERIC) {
        spec->kind = ACC_SPREAD_DEC;
        spec->scales = !append_only && arg == COL_NUMERIC && spec->arg.precision == 0;
        spec->size = spec->scales ? sizeof(acc_spread_dec) : ACC_SPREAD_DEC_SHORT;
    } else if (is_float(arg)) {
        spec->kind = ACC_SPREAD_FLOAT;
        spec->size = sizeof(acc_spread_float);
    } else {
        return unsupported(agg, err);
    }
    return BASE_OK;
}

static void bits_kind(acc_spec *spec, bool append_only) {
    bool counts = !append_only && spec->id != PLAN_AGG_BIT_XOR;
    spec->kind = counts ? ACC_BIT_COUNTS : ACC_BITS;
    spec->size = sizeof(acc_bits);
    if (!counts) return;
    uint32_t bits = 8u * (uint32_t)col_kind_width(spec->arg.kind);
    spec->size = (uint32_t)(sizeof(acc_bit_counts) + sizeof(int64_t) * bits);
}

static void held_kind(acc_spec *spec) {
    spec->kind = ACC_HELD;
    spec->feed = ACC_FEED_WHOLE;
    spec->size = sizeof(acc_extreme);
    spec->string = col_kind_is_string(spec->type.kind);
}

static base_rc kind_of(acc_spec *spec, const plan_agg *agg, bool append_only, base_error *err) {
    switch (spec->id) {
    case PLAN_AGG_COUNT_STAR:
        spec->kind = agg->filter == NULL ? ACC_WEIGHT : ACC_COUNT;
        spec->size = agg->filter == NULL ? 0 : sizeof(int64_t);
        return BASE_OK;
    case PLAN_AGG_COUNT:
    case PLAN_AGG_APPROX_COUNT_DISTINCT: // counts marks
        spec->kind = ACC_COUNT;
        spec->size = sizeof(int64_t);
        return BASE_OK;
    case PLAN_AGG_SUM:
    case PLAN_AGG_AVG:
        return sum_kind(spec, agg, append_only, err);
    case PLAN_AGG_BOOL_AND:
    case PLAN_AGG_BOOL_OR:
        spec->kind = ACC_BOOL;
        spec->size = sizeof(acc_bool);
        return BASE_OK;
    case PLAN_AGG_BIT_AND:
    case PLAN_AGG_BIT_OR:
    case PLAN_AGG_BIT_XOR:
        bits_kind(spec, append_only);
        return BASE_OK;
    case PLAN_AGG_VAR_POP:
    case PLAN_AGG_VAR_SAMP:
    case PLAN_AGG_STDDEV_POP:
    case PLAN_AGG_STDDEV_SAMP:
        return spread_kind(spec, agg, append_only, err);
    case PLAN_AGG_MIN:
    case PLAN_AGG_MAX:
        spec->kind = ACC_EXTREME;
        spec->size = sizeof(acc_extreme);
        spec->string = col_kind_is_string(spec->arg.kind);
        return spec->arg.kind == COL_STRUCT ? unsupported(agg, err) : BASE_OK;
    default:
        break;
    }
    if (spec->id >= PLAN_AGG_REGR_COUNT && spec->id <= PLAN_AGG_CORR) {
        spec->kind = ACC_PAIRS;
        spec->size = sizeof(acc_pairs);
        spec->nargs = 2;
        return BASE_OK;
    }
    held_kind(spec);
    return spec->type.kind == COL_STRUCT ? unsupported(agg, err) : BASE_OK;
}

base_rc acc_spec_init(acc_spec *spec, const plan_agg *agg, bool append_only, base_error *err) {
    *spec = (acc_spec){.id = agg->def->id, .type = agg->type, .nargs = 1};
    if (agg->arg != NULL) spec->arg = agg->arg->type;
    base_rc rc = kind_of(spec, agg, append_only, err);
    if (rc != BASE_OK || spec->kind == ACC_HELD) return rc;
    if (spec->id == PLAN_AGG_APPROX_COUNT_DISTINCT) {
        spec->feed = ACC_FEED_DISTINCT;
    } else if (spec->kind == ACC_EXTREME) {
        spec->feed = append_only ? ACC_FEED_ROWS : ACC_FEED_EXTREME;
    } else if (agg->distinct && agg->arg != NULL && !plan_agg_ignores_repeats(spec->id)) {
        spec->feed = ACC_FEED_DISTINCT;
        // Of equal values that look different one is shown; which one is known of all of them only.
        bool shown = spec->id != PLAN_AGG_COUNT && spec->id != PLAN_AGG_REGR_COUNT;
        if (shown && !col_one_spelling(&spec->arg)) held_kind(spec);
    }
    return BASE_OK;
}

// ------------------------------------------------------------------------------------ decimals

// v * 10^n; false if it does not fit.
static bool scale_up(acc_i128 *v, int32_t n) {
    base_i128 x = *v;
    for (; n > 0; n -= 18) {
        int64_t factor = 1;
        for (int32_t i = 0; i < n && i < 18; i++) factor *= 10;
        if (__builtin_mul_overflow(x, (base_i128)factor, &x)) return false;
    }
    *v = x;
    return true;
}

static void dec_add(acc_dec *acc, acc_i128 unscaled, int32_t scale) {
    if (scale > acc->scale) {
        if (!scale_up(&acc->sum, scale - acc->scale)) acc->overflowed = 1;
        acc->scale = scale;
    } else if (scale < acc->scale && !scale_up(&unscaled, acc->scale - scale)) {
        acc->overflowed = 1;
    }
    base_i128 sum;
    if (acc->overflowed || __builtin_add_overflow((base_i128)acc->sum, (base_i128)unscaled, &sum)) {
        acc->overflowed = 1;
    } else {
        acc->sum = sum;
    }
}

// Counts a scale; slots hold signed counts, so that partials of a step may be negative.
static void dec_count_scale(acc_dec *acc, int32_t scale, int64_t weight) {
    int free_slot = -1;
    for (int i = 0; i < ACC_SCALES; i++) {
        if (acc->scales[i] == 0) {
            if (free_slot < 0) free_slot = i;
        } else if ((int32_t)(acc->scales[i] & 63) == scale) {
            int64_t count = ((int64_t)acc->scales[i] >> 6) + weight;
            acc->scales[i] = count == 0 ? 0 : (uint64_t)count << 6 | (uint64_t)scale;
            return;
        }
    }
    if (weight == 0) return;
    if (free_slot < 0) {
        acc->sticky = 1;
    } else {
        acc->scales[free_slot] = (uint64_t)weight << 6 | (uint64_t)scale;
    }
}

void acc_dec_take(const acc_spec *spec, acc_dec *acc, base_decimal v, int64_t weight) {
    acc_i128 product;
    base_i128 wide;
    if (__builtin_mul_overflow(base_decimal_unscaled(v), (base_i128)weight, &wide)) {
        acc->overflowed = 1;
        wide = 0;
    }
    product = wide;
    acc->n += weight;
    dec_add(acc, product, v.scale);
    if (spec->scales) dec_count_scale(acc, v.scale, weight);
}

// Rows that come, none that goes, into accumulators that do not count scales: the usual case. at is
// the first block's accumulator.
static void dec_take_all(const acc_spec *spec, char *at, size_t stride, const uint32_t *group_of,
                         const col_vec *values) {
    const base_decimal *in = col_dec(values);
    for (uint32_t i = 0; i < values->n; i++) {
        if (values->nulls != NULL && values->nulls[i]) continue;
        acc_dec *acc = (acc_dec *)(void *)(at + stride * group_of[i]);
        base_i128 sum;
        if (__builtin_expect(
                in[i].scale != acc->scale || acc->overflowed ||
                    __builtin_add_overflow((base_i128)acc->sum, base_decimal_unscaled(in[i]), &sum),
                0)) {
            acc_dec_take(spec, acc, in[i], 1);
            continue;
        }
        acc->n++;
        acc->sum = sum;
    }
}

// The scale to show: the greatest among the values that are there.
int32_t acc_dec_scale(const acc_spec *spec, const acc_dec *acc) {
    if (!spec->scales || acc->sticky) return acc->scale;
    int32_t most = 0;
    for (int i = 0; i < ACC_SCALES; i++) {
        int32_t scale = (int32_t)(acc->scales[i] & 63);
        if ((int64_t)acc->scales[i] >> 6 > 0 && scale > most) most = scale;
    }
    return most;
}

static base_rc dec_sum(const acc_spec *spec, const acc_dec *acc, base_decimal *out,
                       base_error *err) {
    static const base_i128 ten19 = (base_i128)10000000000000000000ull;
    base_i128 limit = ten19 * ten19, sum = acc->sum;
    if (acc->overflowed || sum >= limit || sum <= -limit) {
        return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_NUMERIC_RANGE,
                         "value overflows numeric format");
    }
    int32_t scale = acc_dec_scale(spec, acc), cut = acc->scale - scale;
    for (; cut > 0 && sum % 10 == 0; cut--) sum /= 10; // those digits are zeros
    *out = base_decimal_make(sum, scale + cut);
    return BASE_OK;
}

// ------------------------------------------------------------------------------------ floats

void acc_two_add(acc_two *acc, double x, double error) {
    double sum = acc->hi + x, part = sum - acc->hi;
    double lost = (acc->hi - (sum - part)) + (x - part);
    double low = acc->lo + lost + error;
    acc->hi = sum + low;
    acc->lo = low - (acc->hi - sum);
}

static void float_add(acc_float *acc, double x, double error) {
    acc_two sum = {acc->hi, acc->lo};
    acc_two_add(&sum, x, error);
    acc->hi = sum.hi;
    acc->lo = sum.lo;
}

void acc_float_take(acc_float *acc, double x, int64_t weight) {
    acc->n += weight;
    if (isnan(x)) {
        acc->nan += weight;
    } else if (isinf(x)) {
        *(x > 0 ? &acc->plus : &acc->minus) += weight;
    } else {
        double product = x * (double)weight;
        float_add(acc, product, weight == 1 || weight == -1 ? 0 : fma(x, (double)weight, -product));
    }
}

void acc_float_merge(acc_float *into, const acc_float *from) {
    into->n += from->n;
    into->nan += from->nan;
    into->plus += from->plus;
    into->minus += from->minus;
    float_add(into, from->hi, from->lo);
    if (into->n == 0) into->hi = into->lo = 0; // rounding must not outlive the values
}

double acc_float_sum(const acc_float *acc) {
    if (acc->nan > 0 || (acc->plus > 0 && acc->minus > 0)) return NAN;
    if (acc->plus > 0) return INFINITY;
    if (acc->minus > 0) return -INFINITY;
    return acc->hi + acc->lo;
}

// ------------------------------------------------------------------------------------ extremes

// Of equal values that are written differently MIN takes the least spelling, MAX the greatest: the
// choice does not depend on the order of rows.
static bool better(const acc_spec *spec, const col_vec *a, uint32_t row, const col_vec *b) {
    int order = col_cells_compare(a, row, b, 0);
    if (order == 0) {
        int64_t x = (int64_t)col_spelling(a, row), y = (int64_t)col_spelling(b, 0);
        order = (x > y) - (x < y);
    }
    return spec->id == PLAN_AGG_MAX ? order > 0 : order < 0;
}

void acc_set_extreme(const acc_spec *spec, char *block, const col_vec *value, uint32_t row) {
    acc_extreme *acc = (acc_extreme *)(void *)(block + spec->offset);
    memset(acc, 0, sizeof *acc);
    if (value == NULL || col_is_null(value, row)) return;
    size_t width = col_kind_width(value->type.kind);
    must(width <= sizeof acc->cell);
    memcpy(acc->cell, (const char *)value->data + width * row, width);
    acc->has = 1;
}

void acc_set_failed(const acc_spec *spec, char *block, const char *sqlstate) {
    acc_extreme *acc = (acc_extreme *)(void *)(block + spec->offset);
    memset(acc, 0, sizeof *acc);
    memcpy(acc->cell, sqlstate, 5);
    acc->has = 2;
}

static base_rc held_failure(const acc_extreme *acc, base_error *err) {
    static const struct {
        const char *sqlstate, *message;
    } causes[] = {{BASE_SQLSTATE_NUMERIC_RANGE, "value overflows numeric format"},
                  {BASE_SQLSTATE_DATETIME_OVERFLOW, "interval out of range"},
                  {ACC_SQLSTATE_NULL_KEY, "field name must not be null"},
                  {BASE_SQLSTATE_LIMIT, "the result of an aggregate is too long"}};
    for (size_t i = 0; i < sizeof causes / sizeof causes[0]; i++) {
        if (memcmp(acc->cell, causes[i].sqlstate, 5) != 0) continue;
        return base_fail(err, BASE_E_INVALID, causes[i].sqlstate, "%s", causes[i].message);
    }
    char sqlstate[6] = {0};
    memcpy(sqlstate, acc->cell, 5);
    return base_fail(err, BASE_E_INVALID, sqlstate, "an aggregate of the group failed");
}

static void extreme_take(const acc_spec *spec, char *block, const col_vec *value, uint32_t row,
                         base_arena *strings) {
    acc_extreme *acc = (acc_extreme *)(void *)(block + spec->offset);
    col_vec mine = {.type = spec->arg, .n = 1, .data = acc->cell};
    if (acc->has && !better(spec, value, row, &mine)) return;
    acc_set_extreme(spec, block, value, row);
    if (!spec->string) return;
    base_str *s = acc_string(spec, block);
    s->p = base_arena_memdup(strings, s->p, s->n);
}

#define EXTREME_LOOP(cell_type)                                                                    \
    do {                                                                                           \
        const cell_type *in = values->data;                                                        \
        for (uint32_t i = 0; i < n; i++) {                                                         \
            if (nulls != NULL && nulls[i]) continue;                                               \
            acc_extreme *acc = (acc_extreme *)(void *)(blocks + stride * group_of[i]);             \
            cell_type mine, v = in[i];                                                             \
            memcpy(&mine, acc->cell, sizeof mine);                                                 \
            if (!acc->has || (max ? v > mine : v < mine)) {                                        \
                memcpy(acc->cell, &v, sizeof v);                                                   \
                acc->has = 1;                                                                      \
            }                                                                                      \
        }                                                                                          \
    } while (0)

// Decimals of a declared scale differ in their digits alone.
static void extreme_decimals(const acc_spec *spec, char *blocks, size_t stride,
                             const uint32_t *group_of, const col_vec *values) {
    const base_decimal *in = col_dec(values);
    bool max = spec->id == PLAN_AGG_MAX;
    blocks += spec->offset;
    for (uint32_t i = 0; i < values->n; i++) {
        if (values->nulls != NULL && values->nulls[i]) continue;
        acc_extreme *acc = (acc_extreme *)(void *)(blocks + stride * group_of[i]);
        base_decimal mine;
        memcpy(&mine, acc->cell, sizeof mine);
        bool takes = !acc->has;
        if (!takes && mine.scale == in[i].scale) {
            base_i128 a = base_decimal_unscaled(in[i]), b = base_decimal_unscaled(mine);
            takes = max ? a > b : a < b;
        } else if (!takes) {
            takes = better(spec, values, i,
                           &(col_vec){.type = values->type, .n = 1, .data = acc->cell});
        }
        if (!takes) continue;
        memcpy(acc->cell, &in[i], sizeof in[i]);
        acc->has = 1;
    }
}

static base_rc update_extreme(const acc_spec *spec, char *blocks, size_t stride,
                              const uint32_t *group_of, const col_vec *values,
                              const int64_t *weights, base_arena *strings, base_error *err) {
    uint32_t n = values->n;
    const uint8_t *nulls = values->nulls;
    bool max = spec->id == PLAN_AGG_MAX;
    for (uint32_t i = 0; weights != NULL && i < n; i++) {
        if (weights[i] < 0 && !(nulls != NULL && nulls[i])) {
            return base_fail(err, BASE_E_INTERNAL, NULL,
                             "a row was retracted from an input that only grows");
        }
    }
    switch (spec->arg.kind) {
    case COL_INT8:
    case COL_TIME:
    case COL_TIMESTAMP:
    case COL_TIMESTAMPTZ:
        blocks += spec->offset;
        EXTREME_LOOP(int64_t);
        return BASE_OK;
    case COL_INT4:
    case COL_DATE:
        blocks += spec->offset;
        EXTREME_LOOP(int32_t);
        return BASE_OK;
    case COL_NUMERIC:
        extreme_decimals(spec, blocks, stride, group_of, values);
        return BASE_OK;
    default:
        for (uint32_t i = 0; i < n; i++) {
            if (nulls != NULL && nulls[i]) continue;
            extreme_take(spec, blocks + stride * group_of[i], values, i, strings);
        }
        return BASE_OK;
    }
}

// ------------------------------------------------------------------------------------ update

void acc_update_weights(char *blocks, size_t stride, const uint32_t *group_of, uint32_t n,
                        const int64_t *weights) {
    if (weights == NULL) {
        for (uint32_t i = 0; i < n; i++) (*acc_weight(blocks + stride * group_of[i]))++;
        return;
    }
    for (uint32_t i = 0; i < n; i++) *acc_weight(blocks + stride * group_of[i]) += weights[i];
}

static uint64_t bits_at(const col_vec *values, uint32_t row) {
    switch (values->type.kind) {
    case COL_INT2:
        return (uint16_t)col_i16(values)[row];
    case COL_INT4:
        return (uint32_t)col_i32(values)[row];
    default:
        return (uint64_t)col_i64(values)[row];
    }
}

static void bits_take(const acc_spec *spec, acc_bits *acc, uint64_t bits, int64_t weight) {
    if (spec->id == PLAN_AGG_BIT_XOR) {
        acc->bits ^= weight % 2 == 0 ? 0 : bits;
    } else if (spec->id == PLAN_AGG_BIT_OR) {
        acc->bits |= bits;
    } else {
        acc->bits |= ~bits; // the complement is kept, so that zeros are the empty group
    }
    acc->n += weight;
}

static void bit_counts_take(acc_bit_counts *acc, uint64_t bits, int64_t weight) {
    acc->n += weight;
    for (; bits != 0; bits &= bits - 1) acc->ones[__builtin_ctzll(bits)] += weight;
}

static void interval_take(acc_interval *acc, base_interval v, int64_t weight) {
    acc->n += weight;
    acc->us += (base_i128)v.us * weight;
    acc->days += v.days * weight;
    acc->months += v.months * weight;
}

#define INT_LOOP(cell_type)                                                                        \
    do {                                                                                           \
        const cell_type *in = values->data;                                                        \
        ACC_FOR_VALUES(acc_int, acc->n += w; acc->sum += (base_i128)w * in[i])                     \
    } while (0)

base_rc acc_update(const acc_spec *spec, char *blocks, size_t stride, const uint32_t *group_of,
                   const col_vec *values, const int64_t *weights, base_arena *strings,
                   base_error *err) {
    char *at = blocks + spec->offset;
    uint32_t n = values == NULL ? 0 : values->n;
    const uint8_t *nulls = values == NULL ? NULL : values->nulls;
    switch (spec->kind) {
    case ACC_WEIGHT:
        break;
    case ACC_COUNT:
        for (uint32_t i = 0; i < n; i++) { // no branch: filters are hard to foretell
            int64_t w = weights == NULL ? 1 : weights[i];
            *(int64_t *)(void *)(at + stride * group_of[i]) += nulls != NULL && nulls[i] ? 0 : w;
        }
        break;
    case ACC_INT:
        if (values->type.kind == COL_INT4) {
            INT_LOOP(int32_t);
        } else if (values->type.kind == COL_INT8) {
            INT_LOOP(int64_t);
        } else {
            must(values->type.kind == COL_INT2);
            INT_LOOP(int16_t);
        }
        break;
    case ACC_DEC:
        if (weights == NULL && !spec->scales) {
            dec_take_all(spec, at, stride, group_of, values);
        } else {
            ACC_FOR_VALUES(acc_dec, acc_dec_take(spec, acc, col_dec(values)[i], w))
        }
        break;
    case ACC_FLOAT:
        if (values->type.kind == COL_FLOAT4) {
            ACC_FOR_VALUES(acc_float, acc_float_take(acc, (double)col_f32(values)[i], w))
        } else {
            ACC_FOR_VALUES(acc_float, acc_float_take(acc, col_f64(values)[i], w))
        }
        break;
    case ACC_BOOL:
        ACC_FOR_VALUES(acc_bool, acc->n += w; acc->yes += col_u8(values)[i] ? w : 0)
        break;
    case ACC_INTERVAL:
        ACC_FOR_VALUES(acc_interval, interval_take(acc, col_interval(values)[i], w))
        break;
    case ACC_BITS:
        ACC_FOR_VALUES(acc_bits, bits_take(spec, acc, bits_at(values, i), w))
        break;
    case ACC_BIT_COUNTS:
        ACC_FOR_VALUES(acc_bit_counts, bit_counts_take(acc, bits_at(values, i), w))
        break;
    case ACC_SPREAD_INT:
    case ACC_SPREAD_DEC:
    case ACC_SPREAD_FLOAT:
    case ACC_PAIRS:
        acc_spread_update(spec, at, stride, group_of, values, weights);
        break;
    case ACC_EXTREME:
        return update_extreme(spec, blocks, stride, group_of, values, weights, strings, err);
    case ACC_HELD:
        must(false); // is set, not fed
    }
    return BASE_OK;
}

// ------------------------------------------------------------------------------------ merge

void acc_dec_merge(const acc_spec *spec, acc_dec *into, const acc_dec *from) {
    into->n += from->n;
    into->overflowed |= from->overflowed;
    if (from->n != 0 || from->sum != 0 || from->scale != 0) dec_add(into, from->sum, from->scale);
    if (!spec->scales) {
        if (into->n == 0 && into->sum == 0) into->scale = 0; // as if there had been nothing
        return;
    }
    into->sticky |= from->sticky;
    for (int i = 0; i < ACC_SCALES; i++) {
        if (from->scales[i] == 0) continue;
        dec_count_scale(into, (int32_t)(from->scales[i] & 63), (int64_t)from->scales[i] >> 6);
    }
}

bool acc_merge(const acc_spec *spec, char *into, const char *from) {
    void *to = into + spec->offset;
    const void *more = from + spec->offset;
    switch (spec->kind) {
    case ACC_WEIGHT:
        return false;
    case ACC_COUNT:
        *(int64_t *)to += *(const int64_t *)more;
        return false;
    case ACC_INT: {
        acc_int *a = to;
        const acc_int *b = more;
        a->n += b->n;
        a->sum += b->sum;
        return false;
    }
    case ACC_DEC:
        acc_dec_merge(spec, to, more);
        return false;
    case ACC_FLOAT:
        acc_float_merge(to, more);
        return false;
    case ACC_INTERVAL: {
        acc_interval *a = to;
        const acc_interval *b = more;
        a->n += b->n;
        a->us += b->us;
        a->days += b->days;
        a->months += b->months;
        return false;
    }
    case ACC_BITS: {
        acc_bits *a = to;
        const acc_bits *b = more;
        a->n += b->n;
        a->bits = spec->id == PLAN_AGG_BIT_XOR ? a->bits ^ b->bits : a->bits | b->bits;
        return false;
    }
    case ACC_BIT_COUNTS: {
        acc_bit_counts *a = to;
        const acc_bit_counts *b = more;
        a->n += b->n;
        size_t bits = 8 * col_kind_width(spec->arg.kind);
        for (size_t i = 0; i < bits; i++) a->ones[i] += b->ones[i];
        return false;
    }
    case ACC_SPREAD_INT:
    case ACC_SPREAD_DEC:
    case ACC_SPREAD_FLOAT:
    case ACC_PAIRS:
        acc_spread_merge(spec, to, more);
        return false;
    case ACC_HELD:
        return false; // what is held is worked out anew
    case ACC_BOOL: {
        acc_bool *a = to;
        const acc_bool *b = more;
        a->n += b->n;
        a->yes += b->yes;
        return false;
    }
    case ACC_EXTREME: {
        const acc_extreme *b = more;
        if (!b->has) return false;
        acc_extreme *a = to;
        col_vec theirs = {.type = spec->arg, .n = 1, .data = (void *)(uintptr_t)b->cell};
        col_vec mine = {.type = spec->arg, .n = 1, .data = a->cell};
        if (a->has && !better(spec, &theirs, 0, &mine)) return false;
        *a = *b;
        return true;
    }
    }
    return false;
}

// ------------------------------------------------------------------------------------ results

static void set_int(col_vec *out, uint32_t row, int64_t v) {
    col_i64(out)[row] = v;
}

static base_rc int_result(const acc_spec *spec, const acc_int *acc, col_vec *out, uint32_t row,
                          base_error *err) {
    base_i128 sum = acc->sum;
    if (spec->id == PLAN_AGG_SUM && out->type.kind == COL_INT8) {
        if (sum > INT64_MAX || sum < INT64_MIN) {
            return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_NUMERIC_RANGE,
                             "bigint out of range");
        }
        set_int(out, row, (int64_t)sum);
        return BASE_OK;
    }
    base_decimal total = base_decimal_make(sum, 0);
    if (spec->id == PLAN_AGG_SUM) {
        col_dec(out)[row] = total;
        return BASE_OK;
    }
    return base_decimal_div(total, base_decimal_from_i64(acc->n), &col_dec(out)[row], err);
}

static base_rc dec_result(const acc_spec *spec, const acc_dec *acc, col_vec *out, uint32_t row,
                          base_error *err) {
    base_decimal sum;
    base_rc rc = dec_sum(spec, acc, &sum, err);
    if (rc != BASE_OK) return rc;
    if (spec->id == PLAN_AGG_SUM) {
        col_dec(out)[row] = sum;
        return BASE_OK;
    }
    return base_decimal_div(sum, base_decimal_from_i64(acc->n), &col_dec(out)[row], err);
}

static base_rc float_result(const acc_spec *spec, const acc_float *acc, col_vec *out, uint32_t row,
                            base_error *err) {
    double v = acc_float_sum(acc);
    bool special = acc->nan > 0 || acc->plus > 0 || acc->minus > 0;
    if (spec->id == PLAN_AGG_AVG) v /= (double)acc->n;
    bool narrow = out->type.kind == COL_FLOAT4;
    if (!special && (!isfinite(v) || (narrow && !isfinite((float)v)))) {
        return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_NUMERIC_RANGE,
                         "value out of range: overflow");
    }
    if (narrow) {
        col_f32(out)[row] = (float)v;
    } else {
        col_f64(out)[row] = v;
    }
    return BASE_OK;
}

static void bits_result(const acc_spec *spec, const void *at, col_vec *out, uint32_t row) {
    uint64_t bits = 0;
    if (spec->kind == ACC_BITS) {
        bits = ((const acc_bits *)at)->bits;
        if (spec->id == PLAN_AGG_BIT_AND) bits = ~bits;
    } else {
        const acc_bit_counts *acc = at;
        size_t n = 8 * col_kind_width(spec->arg.kind);
        for (size_t i = 0; i < n; i++) {
            bool one = spec->id == PLAN_AGG_BIT_AND ? acc->ones[i] >= acc->n : acc->ones[i] > 0;
            bits |= (uint64_t)one << i;
        }
    }
    if (out->type.kind == COL_INT2) {
        col_i16(out)[row] = (int16_t)(uint16_t)bits;
    } else if (out->type.kind == COL_INT4) {
        col_i32(out)[row] = (int32_t)(uint32_t)bits;
    } else {
        col_i64(out)[row] = (int64_t)bits;
    }
}

static base_rc interval_result(const acc_spec *spec, const acc_interval *acc, col_vec *out,
                               uint32_t row, base_error *err) {
    if (acc->us > INT64_MAX || acc->us < INT64_MIN || acc->days > INT32_MAX ||
        acc->days < INT32_MIN || acc->months > INT32_MAX || acc->months < INT32_MIN) {
        return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_DATETIME_OVERFLOW,
                         "interval out of range");
    }
    base_interval sum = {(int64_t)acc->us, (int32_t)acc->days, (int32_t)acc->months};
    if (spec->id == PLAN_AGG_AVG) {
        return col_interval_scale(sum, (double)acc->n, true, &col_interval(out)[row], err);
    }
    col_interval(out)[row] = sum;
    return BASE_OK;
}

// How many values are in; 0 or less gives null for all but counts.
static int64_t values_in(const acc_spec *spec, const void *at) {
    switch (spec->kind) {
    case ACC_WEIGHT:
    case ACC_COUNT:
    case ACC_SPREAD_INT: // these see to it themselves
    case ACC_SPREAD_DEC:
    case ACC_SPREAD_FLOAT:
    case ACC_PAIRS:
        return 1;
    case ACC_EXTREME:
    case ACC_HELD:
        return ((const acc_extreme *)at)->has != 0;
    default:
        return *(const int64_t *)at; // n is the first member of all the others
    }
}

base_rc acc_result(const acc_spec *spec, const char *block, col_vec *out, uint32_t row,
                   base_arena *arena, base_error *err) {
    const void *at = block + spec->offset;
    if (values_in(spec, at) <= 0) {
        col_vec_set_null(out, arena, row);
        return BASE_OK;
    }
    switch (spec->kind) {
    case ACC_WEIGHT:
        set_int(out, row, *(const int64_t *)(const void *)block);
        return BASE_OK;
    case ACC_COUNT: {
        int64_t n = *(const int64_t *)at;
        bool marks = spec->id == PLAN_AGG_APPROX_COUNT_DISTINCT;
        set_int(out, row, marks ? agg_marks_estimate(n) : n);
        return BASE_OK;
    }
    case ACC_INT:
        return int_result(spec, at, out, row, err);
    case ACC_DEC:
        return dec_result(spec, at, out, row, err);
    case ACC_FLOAT:
        return float_result(spec, at, out, row, err);
    case ACC_BOOL: {
        const acc_bool *acc = at;
        col_u8(out)[row] = spec->id == PLAN_AGG_BOOL_AND ? acc->yes >= acc->n : acc->yes > 0;
        return BASE_OK;
    }
    case ACC_INTERVAL:
        return interval_result(spec, at, out, row, err);
    case ACC_BITS:
    case ACC_BIT_COUNTS:
        bits_result(spec, at, out, row);
        return BASE_OK;
    case ACC_SPREAD_INT:
    case ACC_SPREAD_DEC:
    case ACC_SPREAD_FLOAT:
    case ACC_PAIRS:
        return acc_spread_result(spec, at, out, row, arena, err);
    case ACC_EXTREME:
    case ACC_HELD: {
        if (((const acc_extreme *)at)->has == 2) return held_failure(at, err);
        size_t width = col_kind_width(out->type.kind);
        must(width <= sizeof((const acc_extreme *)at)->cell);
        memcpy((char *)out->data + width * row, ((const acc_extreme *)at)->cell, width);
        return BASE_OK;
    }
    }
    return BASE_OK;
}
