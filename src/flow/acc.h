// acc.h - accumulators of aggregates: small fixed-size blocks that take in weighted values, merge,
// and give results. A group's block is its weight followed by an accumulator per aggregate; all
// zeros is the empty group. The same layout serves the step's partials, the cache and the store.
//
// Everything but MIN and MAX is linear: a value of weight -1 undoes one of weight +1 exactly
// (floats: up to the rounding of a sum kept in two doubles). Internal to src/flow.
#ifndef WEIR_FLOW_ACC_H
#define WEIR_FLOW_ACC_H

#include "col/batch.h"
#include "plan/agg.h"
#include "plan/node.h"

typedef __int128 acc_i128 __attribute__((aligned(8)));

typedef enum acc_kind {
    ACC_WEIGHT,  // count(*): the group's weight; takes no room
    ACC_COUNT,   // count(x)
    ACC_INT,     // sum and avg of integers
    ACC_DEC,     // of NUMERIC
    ACC_FLOAT,   // of floats
    ACC_BOOL,    // bool_and, bool_or
    ACC_EXTREME, // min, max: the present extreme value
} acc_kind;

typedef struct acc_spec {
    acc_kind kind;
    plan_agg_id id;
    col_type arg;    // of the argument
    col_type type;   // of the result
    uint32_t offset; // in the block
    uint32_t size;
    bool scales; // ACC_DEC: counts display scales, so that they retract
    bool values; // fed by a set of distinct values (DISTINCT, or an extreme under retraction)
    bool string; // ACC_EXTREME of a string kind: the cell points at bytes
} acc_spec;

typedef struct acc_int {
    int64_t n;
    acc_i128 sum;
} acc_int;

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

typedef struct acc_extreme {
    char cell[24];
    uint64_t has;
} acc_extreme;

_Static_assert(sizeof(acc_int) == 24 && sizeof(acc_dec) == 64 && sizeof(acc_float) == 48 &&
                   sizeof(acc_extreme) == 32,
               "accumulators are a disk format");

static inline int64_t *acc_weight(char *block) {
    return (int64_t *)(void *)block;
}

// Fills spec from the plan's aggregate; append_only: no value is ever retracted.
BASE_MUST_USE base_rc acc_spec_init(acc_spec *spec, const plan_agg *agg, bool append_only,
                                    base_error *err);
// Row i's value goes into blocks + group_of[i] * stride; null values are passed over. A string that
// becomes an extreme is copied to `strings`.
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
    return ((const acc_extreme *)(const void *)(block + spec->offset))->has != 0;
}
// Sets (value != NULL) or clears an extreme.
void acc_set_extreme(const acc_spec *spec, char *block, const col_vec *value, uint32_t row);

#endif
