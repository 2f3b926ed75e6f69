// delta.h - a step's rows of one input, summed: in order of a place that each row has, rows of one
// place being equal. For operators that keep rows by place. Internal to src/flow.
#ifndef WEIR_FLOW_DELTA_H
#define WEIR_FLOW_DELTA_H

#include "flow/flow_int.h"

typedef struct flow_delta {
    const col_batch *batch;
    uint32_t n;
    uint32_t *rows;
    base_str *places; // ascending, each once
    uint32_t *key_n;  // bytes of the place that are the key's
    int64_t *weights; // not 0
    uint32_t nnull;   // rows without a place
    uint32_t *nulls;
    // flow_delta_read: what stands there, and what is to stand there (p NULL: nothing): the weight,
    // FLOW_DELTA_HEAD bytes, and the row.
    base_str *stored, *values;
} flow_delta;

#define FLOW_DELTA_HEAD 8u

// places[i].p NULL: row i has none; key_n[i]: of row i.
void flow_delta_make(flow_delta *d, base_arena *arena, const col_batch *batch,
                     const base_str *places, const uint32_t *key_n);
static inline base_str flow_delta_key(const flow_delta *d, uint32_t i) {
    return (base_str){d->places[i].p, d->key_n[i]};
}
// Reads what is stored at the places and works out what will be.
BASE_MUST_USE base_rc flow_delta_read(flow_delta *d, flow_ctx *ctx, state_table table,
                                      base_error *err);
BASE_MUST_USE base_rc flow_delta_write(const flow_delta *d, flow_ctx *ctx, state_table table,
                                       base_error *err);
// The weight of a stored row.
BASE_MUST_USE base_rc flow_delta_weight(base_str value, int64_t *weight, base_error *err);
// That has been read or made by flow_delta_read; p NULL: 0.
static inline int64_t flow_delta_weight_in(base_str value) {
    int64_t weight = 0;
    if (value.p != NULL) memcpy(&weight, value.p, FLOW_DELTA_HEAD);
    return weight;
}
static inline base_str flow_kept(base_arena *arena, base_str bytes) {
    return (base_str){base_arena_memdup(arena, bytes.p, bytes.n), bytes.n};
}

#endif
