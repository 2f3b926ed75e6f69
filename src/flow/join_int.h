// join_int.h - what the files of the join share: join.c (the operator), join_emit.c (its output),
// join_memory.c (one step without a store), join_spine.c with join_delta.c (deltas against the
// sides' spines) and join_store.c (against rows that are stored with counts). Internal to src/flow.
#ifndef WEIR_FLOW_JOIN_INT_H
#define WEIR_FLOW_JOIN_INT_H

#include "flow/spine.h"

typedef struct join_side {
    flow_pile pile; // of the step
    const plan_node *node;
    uint32_t ncolumns;
    uint32_t *columns; // 0, 1, ...
    const uint32_t *keys;
    const col_type *types;
    bool counted; // it matters how many rows of the other side match one of it

    state_table table; // join_store.c

    // join_spine.c
    bool grows;      // none of its rows is ever retracted
    bool unique;     // at most one row a key
    bool has_rows;   // its rows are kept in `rows`
    bool has_totals; // the summed weight of its rows a key is kept in `totals`
    flow_spine rows;
    flow_spine totals; // rows of the key columns alone
    bool has_release;  // rows below the floor are let go
    plan_release release;
    int64_t bound_us; // what the floor was at the end of the last step, or INT64_MIN
} join_side;

typedef struct join_op {
    flow_op op;
    join_side sides[2]; // left, right
    uint32_t nkeys;
    const bool *null_safe; // by key
    plan_join_kind kind;
    bool gives_pairs; // joined rows are output
    bool tests_pairs; // there is more to a match than equal keys
    uint32_t head;    // join_store.c: bytes before a stored row

    bool by_spine; // join_spine.c is used, not join_store.c
    bool exact;    // rows with equal hashes of the keys have equal keys
    int settling;  // a side whose keys, once there, stay as they are: what has met them is not kept
                   // of the other; -1: none
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
    const col_batch *left, *right;               // of which the weights are not looked at:
    const int64_t *left_weights, *right_weights; // by row; NULL: all 1
    join_counts left_counts, right_counts;
    uint32_t n, cap;
    uint32_t *left_rows, *right_rows;
} join_pairs;
void join_pairs_init(join_pairs *pairs, uint64_t expected);
BASE_MUST_USE base_rc join_pairs_flush(join_pairs *pairs, base_error *err);
static inline base_rc join_pairs_add(join_pairs *pairs, uint32_t l, uint32_t r, base_error *err) {
    pairs->left_rows[pairs->n] = l;
    pairs->right_rows[pairs->n++] = r;
    return pairs->n == pairs->cap ? join_pairs_flush(pairs, err) : BASE_OK;
}
void join_counts_init(const join_op *join, join_counts *counts, base_arena *arena, uint32_t n);

// ---- the ways of a flush

// Whether a key that matches nothing is null in this row.
bool join_null_key(const join_op *join, const join_side *side, const col_batch *batch,
                   uint32_t row);
BASE_MUST_USE base_rc join_memory(join_op *join, flow_ctx *ctx, flow_out *out, base_error *err);
BASE_MUST_USE base_rc join_store(join_op *join, flow_ctx *ctx, flow_out *out, base_error *err);
BASE_MUST_USE base_rc join_spine(join_op *join, flow_ctx *ctx, flow_out *out, base_error *err);
// A step without rows: what is below the floors goes.
BASE_MUST_USE base_rc join_spine_idle(join_op *join, flow_ctx *ctx, base_error *err);
BASE_MUST_USE base_rc join_spine_open(join_op *join, base_error *err);

// ---- join_delta.c: the step's delta of a side by key hash.

// Rows whose key may match, in order of (hash, id); equal ones are summed where the side may
// retract. A group is the rows of one key; groups are in order of their hash, and of one hash there
// is one, but for collisions.
typedef struct join_delta {
    const col_batch *batch;
    uint32_t n;
    uint32_t *rows; // of batch
    uint64_t *hashes;
    uint64_t *ids;              // NULL: of a side that only grows
    int64_t *weights;           // parallel to rows; NULL: all 1
    const int64_t *row_weights; // the same by row of the batch
    uint32_t ngroups;
    uint32_t *begin;         // ngroups + 1: of members
    const uint32_t *members; // numbers of rows; NULL: group g has rows begin[g]..begin[g + 1]
    uint32_t nhashes;
    uint64_t *distinct;     // hashes, ascending
    uint32_t *first_group;  // nhashes + 1
    uint32_t nnull, *nulls; // rows of the batch with a key that matches nothing
} join_delta;
void join_delta_make(join_op *join, uint32_t which, base_arena *arena, join_delta *delta);
// Gives rows that are in order of their hash the hashes of whole rows, and that order too.
void join_delta_ids(const join_side *side, base_arena *arena, flow_spine_rows *rows);
static inline uint32_t join_delta_member(const join_delta *delta, uint32_t k) {
    return delta->members == NULL ? k : delta->members[k];
}
static inline int64_t join_delta_weight(const join_delta *delta, uint32_t k) {
    return delta->weights == NULL ? 1 : delta->weights[join_delta_member(delta, k)];
}

#endif
