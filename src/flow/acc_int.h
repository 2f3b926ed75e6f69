// acc_int.h - what acc.c and acc_spread.c share. Internal to the accumulators.
#ifndef WEIR_FLOW_ACC_INT_H
#define WEIR_FLOW_ACC_INT_H

#include "flow/acc.h"

// acc.c: sums of decimals and floats, which the spreads are built on.
void acc_dec_take(const acc_spec *spec, acc_dec *acc, base_decimal v, int64_t weight);
void acc_dec_merge(const acc_spec *spec, acc_dec *into, const acc_dec *from);
int32_t acc_dec_scale(const acc_spec *spec, const acc_dec *acc); // to show
void acc_float_take(acc_float *acc, double x, int64_t weight);
void acc_float_merge(acc_float *into, const acc_float *from);
double acc_float_sum(const acc_float *acc);
void acc_two_add(acc_two *sum, double x, double error);

// acc_spread.c: variance, standard deviation, regression.
void acc_spread_update(const acc_spec *spec, char *at, size_t stride, const uint32_t *group_of,
                       const col_vec *values, const int64_t *weights);
void acc_spread_merge(const acc_spec *spec, void *into, const void *from);
BASE_MUST_USE base_rc acc_spread_result(const acc_spec *spec, const void *at, col_vec *out,
                                        uint32_t row, base_arena *arena, base_error *err);

#define ACC_FOR_VALUES(acc_type, body)                                                             \
    for (uint32_t i = 0; i < n; i++) {                                                             \
        if (nulls != NULL && nulls[i]) continue;                                                   \
        int64_t w = weights == NULL ? 1 : weights[i];                                              \
        acc_type *acc = (acc_type *)(void *)(at + stride * group_of[i]);                           \
        body;                                                                                      \
    }

#endif
