// emit.c - EMIT ON WINDOW CLOSE: rows of a windowed view come out when their window may no longer
// change.
//
// Delta rule: the output is the rows whose window's end plus the lateness the view's watermark W
// has reached: out = [close(dA) <= W] dA + the rows that waited and have close <= W now. The others
// wait, ordered by when they close; an update of a row that waits is a -1 and a +1 that meet in the
// table. The watermark never goes back, so a change of a row that is out goes out at once, as a
// correction. A step without rows lets go what the watermark has passed. Without a store (one step
// over a snapshot) nothing waits for a watermark: all rows are out.
//
// Early results (early = '10 seconds'): at each multiple of the cadence, by the step's clock, all
// that waits goes out; what is out of a window that has not closed is provisional. When the window
// closes the rest follows. A restart may put one such moment off by the cadence at most. State:
// "v<view>.<node>.wait", see timed.h. Entry point: flow_emit_create.
#include "flow/timed.h"

typedef struct emit_op {
    flow_op op;
    flow_pile pile; // of the step
    flow_timed wait;
    uint32_t timer;  // early only
    int64_t fire_us; // when what waits is let go early; INT64_MIN: not known, INT64_MAX: never
} emit_op;

static base_rc emit_push(flow_op *op, flow_ctx *ctx, uint32_t port, const col_batch *batch,
                         flow_out *out, base_error *err) {
    (void)port;
    op->stats.rows_in += batch->nrows;
    if (op->graph->store == NULL) return flow_emit(out, ctx, batch, err);
    flow_pile_add(&((emit_op *)op)->pile, ctx->arena, batch);
    return flow_poll(op->graph, ctx, err);
}

static base_rc let_go(emit_op *emit, flow_ctx *ctx, int64_t watermark_us, flow_out *out,
                      base_error *err) {
    for (;;) {
        const col_batch *rows;
        const int64_t *tags;
        base_rc rc = flow_timed_take(&emit->wait, ctx, watermark_us, &rows, &tags, err);
        if (rc != BASE_OK || rows == NULL) return rc;
        rc = flow_emit(out, ctx, rows, err);
        if (rc != BASE_OK) return rc;
    }
}

static base_rc take_in(emit_op *emit, flow_ctx *ctx, int64_t watermark_us, flow_out *out,
                       base_error *err) {
    const plan_node *node = emit->op.node;
    base_arena *arena = ctx->arena;
    const col_batch *rows = col_consolidate(arena, flow_pile_concat(&emit->pile, arena, node));
    uint32_t n = rows->nrows, nwait = 0, nout = 0;
    const col_vec *times = &rows->cols[node->time_column];
    int64_t *closes = base_arena_alloc(arena, sizeof(int64_t) * (n + 1u));
    uint32_t *wait = base_arena_alloc(arena, sizeof(uint32_t) * (n + 1u));
    uint32_t *through = base_arena_alloc(arena, sizeof(uint32_t) * (n + 1u));
    for (uint32_t i = 0; i < n; i++) {
        int64_t end = plan_column_window_end(&node->columns[node->time_column], times, i);
        closes[i] = plan_final_at(node->finality, end);
        if (closes[i] <= watermark_us)
            through[nout++] = i;
        else
            wait[nwait++] = i;
    }
    base_rc rc = flow_timed_add(&emit->wait, ctx, rows, nwait, wait, closes, NULL, err);
    if (rc != BASE_OK || nout == 0) return rc;
    return flow_emit(out, ctx, nout == n ? rows : col_batch_gather(arena, rows, through, nout),
                     err);
}

#define NEVER_CLOSES INT64_MAX // rows without a window: they do not come early either

// Lets go what waits if its time has come, and says when that is next.
static base_rc fire_early(emit_op *emit, flow_ctx *ctx, flow_out *out, base_error *err) {
    int64_t every_us = emit->op.node->early_us, first;
    base_rc rc = BASE_OK;
    if (emit->fire_us != INT64_MIN && ctx->now_us >= emit->fire_us) {
        rc = let_go(emit, ctx, NEVER_CLOSES - 1, out, err);
        emit->fire_us = INT64_MAX;
    }
    if (rc == BASE_OK) rc = flow_timed_next(&emit->wait, ctx, &first, err);
    if (rc != BASE_OK) return rc;
    if (first == NEVER_CLOSES) {
        emit->fire_us = INT64_MAX;
    } else if (emit->fire_us == INT64_MIN || emit->fire_us == INT64_MAX) {
        int64_t begun = ctx->now_us % every_us;
        emit->fire_us = ctx->now_us + every_us - (begun < 0 ? begun + every_us : begun);
    }
    flow_timer_set(emit->op.graph, emit->timer, emit->fire_us);
    return BASE_OK;
}

static base_rc emit_flush(flow_op *op, flow_ctx *ctx, flow_out *out, base_error *err) {
    emit_op *emit = (emit_op *)op;
    if (op->graph->store == NULL || flow_stands_still(op)) return BASE_OK;
    int64_t watermark_us = flow_graph_watermark(op->graph, op->view_id);
    base_rc rc = BASE_OK;
    if (watermark_us != INT64_MIN) rc = let_go(emit, ctx, watermark_us, out, err);
    if (rc == BASE_OK && emit->pile.n > 0) rc = take_in(emit, ctx, watermark_us, out, err);
    emit->pile = (flow_pile){0};
    if (rc == BASE_OK && emit->op.node->early_us > 0) rc = fire_early(emit, ctx, out, err);
    return rc;
}

static base_rc emit_save(flow_op *op, flow_ctx *ctx, base_error *err) {
    (void)op, (void)ctx, (void)err; // written at flush
    return BASE_OK;
}
static void emit_reset(flow_op *op) {
    emit_op *emit = (emit_op *)op;
    emit->pile = (flow_pile){0};
    emit->fire_us = INT64_MIN;
    if (op->graph->store != NULL && op->node->early_us > 0)
        flow_timer_set(op->graph, emit->timer, INT64_MIN);
}
static void emit_stats(flow_op *op, flow_op_stats *stats) {
    *stats = op->stats;
}
static void emit_close(flow_op *op) {
    (void)op;
}

base_rc flow_emit_create(flow_graph *graph, uint32_t view_id, const plan_node *node, flow_op **out,
                         base_error *err) {
    static const flow_op_class class = {.name = "emit",
                                        .layout = 1,
                                        .push = emit_push,
                                        .flush = emit_flush,
                                        .save = emit_save,
                                        .reset = emit_reset,
                                        .verify = emit_save,
                                        .stats = emit_stats,
                                        .close = emit_close};
    emit_op *emit = base_arena_new(&graph->arena, emit_op);
    FLOW_OP_INIT(&emit->op, &class, graph, view_id, node);
    *out = &emit->op;
    emit->fire_us = INT64_MIN;
    if (graph->store == NULL) return BASE_OK;
    if (node->early_us > 0) emit->timer = flow_timer_add(graph);
    return flow_timed_open(&emit->wait, &emit->op, "wait", err);
}
