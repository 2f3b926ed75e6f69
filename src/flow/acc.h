// acc.h - accumulators of aggregates: small fixed-size blocks that take in weighted values, merge,
// and give results. A group's block is its weight followed by an accumulator per aggregate; all
// zeros is the empty group. The same layout serves the step's partials, the cache and the store.
//
// Everything but extremes and what is held is linear: a value of weight -1 undoes one of weight +1
// exactly (floats: up to the rounding of a sum kept in two doubles). Internal to src/flow.
#ifndef WEIR_FLOW_ACC_H
#define WEIR_FLOW_ACC_H

#include "col/batch.h"
#include "plan/agg.h"
#include "plan/node.h"

#include <stddef.h>

typedef __int128 acc_i128 __attribute__((aligned(8)));

typedef enum acc_kind {
    ACC_WEIGHT,       // count(*): the group's weight; takes no room
    ACC_COUNT,        // count(x)
    ACC_INT,          // sum and avg of integers
    ACC_DEC,          // of NUMERIC
    ACC_FLOAT,        // of floats
    ACC_INTERVAL,     // of intervals
    ACC_BOOL,         // bool_and, bool_or
    ACC_BITS,         // bit_xor; bit_and and bit_or of an input that only grows
    ACC_BIT_COUNTS,   // bit_and, bit_or: how many values have each bit
    ACC_SPREAD_INT,   // variance, stddev of smallint and integer
    ACC_SPREAD_DEC,   // of bigint and NUMERIC
    ACC_SPREAD_FLOAT, // of floats
    ACC_PAIRS,        // regr_*, covar_*, corr
    ACC_EXTREME,      // min, max: the present extreme value
    ACC_HELD,         // the present result, worked out from all values of the group
} acc_kind;

typedef enum acc_feed {
    ACC_FEED_ROWS,     // every row with its weight
    ACC_FEED_DISTINCT, // a value when the first of its rows comes, and when the last goes
    ACC_FEED_EXTREME,  // likewise, but the next extreme is read from the set when a value went
    ACC_FEED_WHOLE,    // the whole set of values, in order
} acc_feed;

typedef struct acc_spec {
    acc_kind kind;
    plan_agg_id id;
    acc_feed feed;
    col_type arg;    // of the (first) argument
    col_type type;   // of the result
    uint32_t nargs;  // that rows are fed with
    uint32_t offset; // in the block
    uint32_t size;
    bool scales; // ACC_DEC, ACC_SPREAD_DEC: counts display scales, so that they retract
    bool string; // ACC_EXTREME, ACC_HELD of a string kind: the cell points at bytes
} acc_spec;

typedef struct acc_int {
    int64_t n;
    acc_i128 sum;
} acc_int;

#define ACC_SQLSTATE_NULL_KEY "22023"

#define ACC_SCALES 4
typedef struct acc_dec {
    int64_t n;
    acc_i128 sum; // unscaled
    int32_t scale;
    uint8_t overflowed; // beyond 128 bits: stays so until the group is gone
    uint8_t sticky;     // more scales than slots were seen: the scale shown no longer falls
    uint8_t reserved[2];
    uint64_t scales[ACC_SCALES]; // with spec->scales: count << 6 | scale; 0: free
} acc_dec;
#define ACC_DEC_SHORT offsetof(acc_dec, scales)

typedef struct acc_float {
    int64_t n;
    double hi, lo; // their sum is that of the finite values
    int64_t nan, plus, minus;
} acc_float;

typedef struct acc_bool {
    int64_t n, yes;
} acc_bool;

typedef struct acc_interval {
    int64_t n;
    acc_i128 us;
    int64_t days, months;
} acc_interval;

typedef struct acc_bits {
    int64_t n;
    uint64_t bits;
} acc_bits;

typedef struct acc_bit_counts { // as many of ones as the type has bits
    int64_t n;
    int64_t ones[];
} acc_bit_counts;

typedef struct acc_spread_int {
    int64_t n;
    acc_i128 sum, squares;
} acc_spread_int;

typedef struct acc_spread_dec { // squares: two's complement, of scale 2 * dec.scale
    uint64_t squares[4];
    acc_dec dec;
} acc_spread_dec;
#define ACC_SPREAD_DEC_SHORT offsetof(acc_spread_dec, dec.scales)

typedef struct acc_two { // a sum in two doubles
    double hi, lo;
} acc_two;

typedef struct acc_spread_float {
    acc_float x;
    acc_two xx;
} acc_spread_float;

typedef struct acc_pairs {
    acc_float x, y;
    acc_two xx, yy, xy; // of pairs of finite values
    int64_t odd;        // pairs of which one is not finite
} acc_pairs;

typedef struct acc_extreme { // also of ACC_HELD
    char cell[24];
    uint64_t has; // 1: a value; 2: what is held could not be worked out, and the cell says why
} acc_extreme;

_Static_assert(sizeof(acc_int) == 24 && sizeof(acc_dec) == 64 && sizeof(acc_float) == 48 &&
                   sizeof(acc_interval) == 40 && sizeof(acc_spread_int) == 40 &&
                   sizeof(acc_spread_dec) == 96 && sizeof(acc_spread_float) == 64 &&
                   sizeof(acc_pairs) == 152 && sizeof(acc_extreme) == 32,
               "accumulators are a disk format");

static inline int64_t *acc_weight(char *block) {
    return (int64_t *)(void *)block;
}

// Fills spec from the plan's aggregate; append_only: no value is ever retracted.
BASE_MUST_USE base_rc acc_spec_init(acc_spec *spec, const plan_agg *agg, bool append_only,
                                    base_error *err);
// Row i's value goes into blocks + group_of[i] * stride; rows in which the first value is null are
// passed over (of two arguments the caller has made both null). values: spec->nargs vectors. A
// string that becomes an extreme is copied to `strings`.
BASE_MUST_USE base_rc acc_update(const acc_spec *spec, char *blocks, size_t stride,
                                 const uint32_t *group_of, const col_vec *values,
                                 const int64_t *weights, base_arena *strings, base_error *err);
// Adds the weight alone.
void acc_update_weights(char *blocks, size_t stride, const uint32_t *group_of, uint32_t n,
                        const int64_t *weights);
// into += from. Strings of an extreme that into takes are borrowed from `from`; the return value
// says whether it took one.
bool acc_merge(const acc_spec *spec, char *into, const char *from);
// The result into out[row]; 22003 if it does not fit. Strings are borrowed from the block.
BASE_MUST_USE base_rc acc_result(const acc_spec *spec, const char *block, col_vec *out,
                                 uint32_t row, base_arena *arena, base_error *err);
static inline base_str *acc_string(const acc_spec *spec, char *block) {
    return (base_str *)(void *)((acc_extreme *)(void *)(block + spec->offset))->cell;
}
static inline bool acc_has(const acc_spec *spec, const char *block) {
    return ((const acc_extreme *)(const void *)(block + spec->offset))->has == 1;
}
// What is held could not be worked out: acc_result fails with this SQLSTATE.
void acc_set_failed(const acc_spec *spec, char *block, const char *sqlstate);
// Sets (value != NULL) or clears an extreme, or what is held.
void acc_set_extreme(const acc_spec *spec, char *block, const col_vec *value, uint32_t row);

#endif
