// partition_op.c - the shared life of operators on ordered partitions; see partition_op.h.
//
// Invariants:
//  - Between steps an operator has nothing but its partitions' cache: what it knows is in the
//  store.
//  - Output of a flush is collected in `out` and goes on in batches of the graph's size; nothing is
//    left of it when the flush ends.
// Entry points: the functions of a class, flow_partition_op_open, flow_changes_give.
#include "flow/partition_op.h"

static const flow_partition_class *class_of(const flow_partition_op *op) {
    return (const flow_partition_class *)op->op.class; // its first member
}

// ------------------------------------------------------------------------------------ output

static base_rc hand_on(flow_partition_op *op, flow_ctx *ctx, base_error *err) {
    if (op->out.n == 0) return BASE_OK;
    const col_batch *batch = op->out.n == 1
                                 ? op->out.batches[0]
                                 : col_batch_concat(ctx->arena, op->op.node->ncolumns, op->types,
                                                    op->out.n, op->out.batches);
    op->out = (flow_pile){0};
    return flow_emit(&op->op.out, ctx, batch, err);
}

base_rc flow_partition_give(flow_partition_op *op, flow_ctx *ctx, const col_batch *batch,
                            base_error *err) {
    if (batch->nrows == 0) return BASE_OK;
    flow_pile_add(&op->out, ctx->arena, batch);
    return op->out.rows < op->op.graph->batch_rows ? BASE_OK : hand_on(op, ctx, err);
}

static void grow_changes(base_arena *arena, flow_changes *changes) {
    uint32_t n = changes->n, cap = changes->cap == 0 ? 16 : changes->cap * 2;
    flow_changes more = {n, cap, base_arena_alloc(arena, sizeof *more.rows * cap),
                         base_arena_alloc(arena, sizeof *more.weights * cap),
                         base_arena_alloc(arena, sizeof *more.tags * cap)};
    if (n > 0) {
        memcpy(more.rows, changes->rows, sizeof *more.rows * n);
        memcpy(more.weights, changes->weights, sizeof *more.weights * n);
        memcpy(more.tags, changes->tags, sizeof *more.tags * n);
    }
    *changes = more;
}

void flow_changes_add(flow_partition_op *op, flow_changes *changes, uint32_t row, int64_t weight,
                      int64_t tag) {
    if (changes->n == changes->cap) grow_changes(&op->scratch, changes);
    changes->rows[changes->n] = row;
    changes->weights[changes->n] = weight;
    changes->tags[changes->n++] = tag;
}

base_rc flow_changes_give(flow_partition_op *op, flow_ctx *ctx, flow_segment *segment,
                          const flow_changes *changes, const col_vec *own, base_error *err) {
    base_arena *arena = ctx->arena;
    uint32_t ncols = op->op.node->inputs[0]->ncolumns, nown = op->op.node->ncolumns - ncols;
    uint32_t most = op->op.graph->batch_rows;
    const col_batch owned = {nown, changes->n, (col_vec *)(uintptr_t)own, NULL};
    base_rc rc = BASE_OK;
    for (uint32_t at = 0; at < changes->n && rc == BASE_OK; at += most) {
        uint32_t n = changes->n - at < most ? changes->n - at : most;
        col_batch *rows, *batch = base_arena_new(arena, col_batch);
        rc = flow_segment_gather(segment, arena, changes->rows + at, n, &rows, err);
        if (rc != BASE_OK) return rc;
        int64_t *weights = base_arena_alloc(arena, sizeof *weights * n);
        memcpy(weights, changes->weights + at, sizeof *weights * n);
        *batch = (col_batch){ncols + nown, n, base_arena_array(arena, col_vec, ncols + nown + 1u),
                             weights};
        memcpy(batch->cols, rows->cols, sizeof(col_vec) * ncols);
        if (nown > 0) {
            const col_batch *part =
                n == changes->n ? &owned : col_batch_slice(arena, &owned, at, n);
            memcpy(batch->cols + ncols, part->cols, sizeof(col_vec) * nown);
        }
        rc = flow_partition_give(op, ctx, batch, err);
    }
    return rc;
}

// ------------------------------------------------------------------------------------ a step

base_rc flow_partition_op_push(flow_op *op, flow_ctx *ctx, uint32_t port, const col_batch *batch,
                               flow_out *out, base_error *err) {
    (void)port, (void)out;
    op->stats.rows_in += batch->nrows;
    flow_pile_add(&((flow_partition_op *)op)->in, ctx->arena, batch);
    return flow_poll(op->graph, ctx, err);
}

base_rc flow_partition_op_flush(flow_op *base, flow_ctx *ctx, flow_out *out, base_error *err) {
    (void)out;
    flow_partition_op *op = (flow_partition_op *)base;
    const flow_partition_class *class = class_of(op);
    if (op->in.n == 0) return BASE_OK;
    const col_batch *rows = flow_pile_concat(&op->in, ctx->arena, base->node->inputs[0]);
    op->in = (flow_pile){0};
    base_rc rc = class->admit == NULL ? BASE_OK : class->admit(op, ctx, &rows, err);
    if (rc == BASE_OK) rc = flow_partition_begin(op->part, ctx, rows, err);
    while (rc == BASE_OK) {
        flow_segment *segment;
        base_arena_reset(&op->scratch);
        rc = flow_partition_next(op->part, &segment, err);
        if (rc != BASE_OK || segment == NULL) break;
        rc = class->segment(op, ctx, segment, err);
        if (rc == BASE_OK) rc = flow_poll(base->graph, ctx, err);
    }
    if (rc == BASE_OK) rc = hand_on(op, ctx, err);
    return rc == BASE_OK ? flow_partition_finish(op->part, err) : rc;
}

base_rc flow_partition_op_save(flow_op *op, flow_ctx *ctx, base_error *err) {
    (void)ctx, (void)err; // written at flush
    flow_partition_trim(((flow_partition_op *)op)->part);
    return BASE_OK;
}

void flow_partition_op_reset(flow_op *base) {
    flow_partition_op *op = (flow_partition_op *)base;
    op->in = op->out = (flow_pile){0};
    base_arena_reset(&op->scratch);
    flow_partition_reset(op->part);
}

base_rc flow_partition_op_verify(flow_op *op, flow_ctx *ctx, base_error *err) {
    return flow_partition_verify(((flow_partition_op *)op)->part, ctx, err);
}

void flow_partition_op_stats(flow_op *op, flow_op_stats *stats) {
    *stats = op->stats;
    flow_partition_stats(((flow_partition_op *)op)->part, stats);
}

void flow_partition_op_close(flow_op *base) {
    flow_partition_op *op = (flow_partition_op *)base;
    if (class_of(op)->close != NULL) class_of(op)->close(op);
    flow_partition_close(op->part);
    base_arena_deinit(&op->scratch);
}

// ------------------------------------------------------------------------------------ making

void flow_partition_op_init(flow_partition_op *op, const flow_partition_class *class,
                            flow_graph *graph, uint32_t view_id, const plan_node *node) {
    FLOW_OP_INIT(&op->op, &class->op, graph, view_id, node);
    base_arena_init(&op->scratch, 16 << 10);
    op->types = flow_types(&graph->arena, node);
}

base_rc flow_partition_op_open(flow_partition_op *op, const flow_partition_by *by,
                               base_error *err) {
    const plan_node *input = op->op.node->inputs[0];
    flow_partition_config config = {.op = &op->op,
                                    .suffix = "rows",
                                    .ncolumns = input->ncolumns,
                                    .types = flow_types(&op->op.graph->arena, input),
                                    .nkeys = by->nkeys,
                                    .keys = by->keys,
                                    .norder = by->norder,
                                    .order = by->order,
                                    .marks = by->marks};
    return flow_partition_open(&config, &op->part, err);
}
