// join_int.h - what the files of the join share: join.c (the operator), join_emit.c (its output),
// join_memory.c (one step without a store) and join_store.c (deltas against stored rows). Internal
// to src/flow.
#ifndef WEIR_FLOW_JOIN_INT_H
#define WEIR_FLOW_JOIN_INT_H

#include "flow/flow_int.h"

typedef struct join_side {
    flow_pile pile; // of the step
    const plan_node *node;
    uint32_t ncolumns;
    uint32_t *columns; // 0, 1, ...
    const uint32_t *keys;
    const col_type *types;
    state_table table;
    bool counted; // it matters how many rows of the other side match one of it
} join_side;

typedef struct join_op {
    flow_op op;
    join_side sides[2]; // left, right
    uint32_t nkeys;
    const bool *null_safe; // by key
    plan_join_kind kind;
    bool gives_pairs; // joined rows are output
    bool tests_pairs; // there is more to a match than equal keys
    uint32_t head;    // bytes before a stored row
} join_op;

// How many rows of the other side match, weights summed: yes, and with a mark those for which it is
// null. maybe: NULL without one.
typedef struct join_counts {
    int64_t *yes, *maybe;
} join_counts;

// What stands in the output for a row of a counted side, beside its pairs.
typedef enum join_edge {
    JOIN_EDGE_NONE,
    JOIN_EDGE_ROW, // alone, or with nulls for the other side
    JOIN_EDGE_FALSE,
    JOIN_EDGE_TRUE,
    JOIN_EDGE_NULL, // with a mark of that value
} join_edge;
join_edge join_edge_of(const join_op *join, int64_t yes, int64_t maybe);

// ---- join_emit.c

typedef struct join_edges {
    uint32_t n;
    uint32_t *rows;
    int64_t *weights;
    join_edge *edges;
} join_edges;
void join_edges_init(join_edges *edges, base_arena *arena, uint32_t cap);
// Nothing for JOIN_EDGE_NONE or weight 0.
void join_edges_add(join_edges *edges, uint32_t row, int64_t weight, join_edge edge);
// Rows of side `which` that stand by themselves.
BASE_MUST_USE base_rc join_emit_edges(join_op *join, flow_ctx *ctx, flow_out *out, uint32_t which,
                                      const col_batch *batch, const join_edges *edges,
                                      base_error *err);

// Pairs with equal keys in the making; counts are by row of left and right, NULL where not counted.
typedef struct join_pairs {
    join_op *join;
    flow_ctx *ctx;
    flow_out *out;
    const col_batch *left, *right;
    join_counts left_counts, right_counts;
    uint32_t n, cap;
    uint32_t *left_rows, *right_rows;
    int64_t *left_weights, *right_weights;
} join_pairs;
void join_pairs_init(join_pairs *pairs, uint64_t expected);
BASE_MUST_USE base_rc join_pairs_flush(join_pairs *pairs, base_error *err);
static inline base_rc join_pairs_add(join_pairs *pairs, uint32_t l, uint32_t r, int64_t lw,
                                     int64_t rw, base_error *err) {
    pairs->left_rows[pairs->n] = l;
    pairs->right_rows[pairs->n] = r;
    pairs->left_weights[pairs->n] = lw;
    pairs->right_weights[pairs->n++] = rw;
    return pairs->n == pairs->cap ? join_pairs_flush(pairs, err) : BASE_OK;
}
void join_counts_init(const join_op *join, join_counts *counts, base_arena *arena, uint32_t n);

// ---- the two ways of a flush

// Whether a key that matches nothing is null in this row.
bool join_null_key(const join_op *join, const join_side *side, const col_batch *batch,
                   uint32_t row);
BASE_MUST_USE base_rc join_memory(join_op *join, flow_ctx *ctx, flow_out *out, base_error *err);
BASE_MUST_USE base_rc join_store(join_op *join, flow_ctx *ctx, flow_out *out, base_error *err);

#endif
