// partition_op.h - the one life of the operators on ordered partitions (over.c, top.c, match.c,
// session.c): a step's rows are taken in, laid over their partitions (partition.h), and segment by
// segment the operator says what goes and what comes. What is written, forgotten, verified and
// counted is the same for all of them.
//
// An operator's struct begins with flow_partition_op; its class is one static
//     const flow_partition_class class = {FLOW_PARTITION_LIFE("name"), .segment = ...};
// and its constructor calls flow_partition_op_init, sets *out, then flow_partition_op_open.
// Threads: the flow's. Internal to src/flow.
#ifndef WEIR_FLOW_PARTITION_OP_H
#define WEIR_FLOW_PARTITION_OP_H

#include "flow/partition.h"

typedef struct flow_partition_op {
    flow_op op;
    flow_partition *part;
    flow_pile in;          // of the step
    flow_pile out;         // of the flush
    base_arena scratch;    // of a segment
    const col_type *types; // of the output
} flow_partition_op;

typedef struct flow_partition_class {
    flow_op_class op; // FLOW_PARTITION_LIFE
    // Sets aside rows of the step that are in no partition, and gives their output. NULL: all are.
    base_rc (*admit)(flow_partition_op *op, flow_ctx *ctx, const col_batch **rows, base_error *err);
    // Draws in what the segment's change can reach and gives the difference that it makes.
    base_rc (*segment)(flow_partition_op *op, flow_ctx *ctx, flow_segment *segment,
                       base_error *err);
    void (*close)(flow_partition_op *op); // what the operator holds beside its partitions, or NULL
} flow_partition_class;

base_rc flow_partition_op_push(flow_op *op, flow_ctx *ctx, uint32_t port, const col_batch *batch,
                               flow_out *out, base_error *err);
base_rc flow_partition_op_flush(flow_op *op, flow_ctx *ctx, flow_out *out, base_error *err);
base_rc flow_partition_op_save(flow_op *op, flow_ctx *ctx, base_error *err);
void flow_partition_op_reset(flow_op *op);
base_rc flow_partition_op_verify(flow_op *op, flow_ctx *ctx, base_error *err);
void flow_partition_op_stats(flow_op *op, flow_op_stats *stats);
void flow_partition_op_close(flow_op *op);

#define FLOW_PARTITION_LIFE(name_)                                                                 \
    .op = {.name = (name_),                                                                        \
           .layout = 1,                                                                            \
           .push = flow_partition_op_push,                                                         \
           .flush = flow_partition_op_flush,                                                       \
           .save = flow_partition_op_save,                                                         \
           .reset = flow_partition_op_reset,                                                       \
           .verify = flow_partition_op_verify,                                                     \
           .stats = flow_partition_op_stats,                                                       \
           .close = flow_partition_op_close}

void flow_partition_op_init(flow_partition_op *op, const flow_partition_class *class,
                            flow_graph *graph, uint32_t view_id, const plan_node *node);

// What a partition is and how it is ordered.
typedef struct flow_partition_by {
    uint32_t nkeys;
    const uint32_t *keys;
    uint32_t norder;
    const plan_sort_key *order;
    bool marks;
} flow_partition_by;
BASE_MUST_USE base_rc flow_partition_op_open(flow_partition_op *op, const flow_partition_by *by,
                                             base_error *err);

// Output, by segments of any size: it is collected to batches of the graph's size. A batch, its
// columns and weights live in ctx->arena.
BASE_MUST_USE base_rc flow_partition_give(flow_partition_op *op, flow_ctx *ctx,
                                          const col_batch *batch, base_error *err);

// Rows of a segment that go or come. The output's columns beyond the input's are the operator's
// own; a tag tells it which of its values go with the row.
typedef struct flow_changes {
    uint32_t n, cap;
    uint32_t *rows;
    int64_t *weights, *tags;
} flow_changes;

// Adds one; the arrays grow in the operator's scratch arena.
void flow_changes_add(flow_partition_op *op, flow_changes *changes, uint32_t row, int64_t weight,
                      int64_t tag);
// own: the operator's columns, changes->n rows, in ctx->arena.
BASE_MUST_USE base_rc flow_changes_give(flow_partition_op *op, flow_ctx *ctx, flow_segment *segment,
                                        const flow_changes *changes, const col_vec *own,
                                        base_error *err);

#endif
