// expand.c - grouping sets: a row becomes a row for each set.
//
// Delta rule: linear; each set's rows are the input's rows with some columns null and the set's
// constants behind, so out(dA) is made of dA alone. Columns are shared between the sets.
// State: none. Entry point: flow_expand_create.
#include "flow/flow_int.h"

static col_vec null_column(base_arena *arena, col_type type, uint32_t n) {
    col_vec vec;
    col_vec_init(&vec, arena, type, n);
    col_vec_need_nulls(&vec, arena);
    for (uint32_t i = 0; i < n; i++) col_vec_set_null(&vec, arena, i);
    return vec;
}

static base_rc expand_push(flow_op *op, flow_ctx *ctx, uint32_t port, const col_batch *batch,
                           flow_out *out, base_error *err) {
    (void)port;
    const plan_expand *expand = op->node->expand;
    base_arena *arena = ctx->arena;
    uint32_t n = batch->nrows, ncols = batch->ncols;
    op->stats.rows_in += n;
    col_vec *nulls = base_arena_array(arena, col_vec, expand->nkeys + 1u);
    base_rc rc = BASE_OK;
    for (uint32_t s = 0; s < expand->nsets && rc == BASE_OK && n > 0; s++) {
        const uint8_t *kept = expand->kept + (size_t)s * expand->nkeys;
        col_batch *rows = base_arena_new(arena, col_batch);
        *rows = (col_batch){ncols + expand->nconstants, n,
                            base_arena_array(arena, col_vec, ncols + expand->nconstants),
                            batch->weights};
        for (uint32_t c = 0; c < ncols; c++) {
            rows->cols[c] = batch->cols[c];
            if (c >= expand->nkeys || kept[c]) continue;
            if (nulls[c].nulls == NULL) nulls[c] = null_column(arena, batch->cols[c].type, n);
            rows->cols[c] = nulls[c];
        }
        for (uint32_t c = 0; c < expand->nconstants; c++) {
            col_vec *constant = &rows->cols[ncols + c];
            col_vec_init(constant, arena, col_type_of(COL_INT4), n);
            int32_t value = expand->constants[(size_t)s * expand->nconstants + c];
            for (uint32_t i = 0; i < n; i++) col_i32(constant)[i] = value;
        }
        rc = flow_emit(out, ctx, rows, err);
    }
    return rc;
}

static base_rc nothing(flow_op *op, flow_ctx *ctx, base_error *err) {
    (void)op, (void)ctx, (void)err;
    return BASE_OK;
}
static base_rc expand_flush(flow_op *op, flow_ctx *ctx, flow_out *out, base_error *err) {
    (void)out;
    return nothing(op, ctx, err);
}
static void expand_stats(flow_op *op, flow_op_stats *stats) {
    *stats = op->stats;
}
static void expand_reset(flow_op *op) {
    (void)op;
}

base_rc flow_expand_create(flow_graph *graph, const plan_node *node, flow_op **out,
                           base_error *err) {
    static const flow_op_class class = {.name = "expand",
                                        .push = expand_push,
                                        .flush = expand_flush,
                                        .save = nothing,
                                        .reset = expand_reset,
                                        .verify = nothing,
                                        .stats = expand_stats,
                                        .close = expand_reset};
    (void)err;
    flow_op *op = base_arena_new(&graph->arena, flow_op);
    FLOW_OP_INIT(op, &class, graph, 0, node);
    op->hold = FLOW_HOLD_PASS;
    *out = op;
    return BASE_OK;
}
