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
// closes the rest follows, and rows that are out and stay are said to be settled. A restart may put
// one such moment off by the cadence at most. State: "v<view>.<node>.shown", what is out early; and
// "v<view>.<node>.wait", see timed.h. Entry point: flow_emit_create.
#include "flow/timed.h"

#define NEVER_CLOSES INT64_MAX // rows without a window: they do not come early either

typedef struct emit_op {
    flow_op op;
    flow_pile pile; // of the step
    flow_timed wait;
    flow_timed shown; // early only: what is out of windows that have not closed
    uint32_t timer;   // early only
    int64_t fire_us;  // when what waits is let go early; INT64_MIN: not known, INT64_MAX: never
} emit_op;

static base_rc emit_push(flow_op *op, flow_ctx *ctx, uint32_t port, const col_batch *batch,
                         flow_out *out, base_error *err) {
    (void)port;
    op->stats.rows_in += batch->nrows;
    if (op->graph->store == NULL) return flow_emit(out, ctx, batch, err);
    flow_pile_add(&((emit_op *)op)->pile, ctx->arena, batch);
    return flow_poll(op->graph, ctx, err);
}

// What is due of a table, into a pile of the step, too.
static base_rc take_due(emit_op *emit, flow_timed *from, flow_ctx *ctx, int64_t upto_us,
                        flow_pile *pile, base_error *err) {
    for (;;) {
        const col_batch *rows;
        const int64_t *tags;
        base_rc rc = flow_timed_take(from, ctx, upto_us, &rows, &tags, err);
        if (rc != BASE_OK || rows == NULL) return rc;
        flow_pile_add(pile, ctx->arena, rows);
        rc = flow_poll(emit->op.graph, ctx, err);
        if (rc != BASE_OK) return rc;
    }
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

static int64_t *closes_of(const plan_node *node, base_arena *arena, const col_batch *rows) {
    int64_t *closes = base_arena_alloc(arena, sizeof(int64_t) * (rows->nrows + 1u));
    const col_vec *times = &rows->cols[node->time_column];
    for (uint32_t i = 0; i < rows->nrows; i++) {
        int64_t end = plan_column_window_end(&node->columns[node->time_column], times, i);
        closes[i] = plan_final_at(node->finality, end);
    }
    return closes;
}

// Rows of one sign: the retractions, or the others.
static const col_batch *of_sign(base_arena *arena, const col_batch *rows, bool retractions) {
    uint32_t *sel = base_arena_alloc(arena, sizeof(uint32_t) * (rows->nrows + 1u)), n = 0;
    for (uint32_t i = 0; i < rows->nrows; i++)
        if ((col_weight(rows, i) < 0) == retractions) sel[n++] = i;
    return n == rows->nrows ? rows : col_batch_gather(arena, rows, sel, n);
}

// Windows that have closed: the rest of their rows goes out, and what was out before and is not
// taken back by it is settled.
static base_rc close_early(emit_op *emit, flow_ctx *ctx, int64_t watermark_us, flow_out *out,
                           base_error *err) {
    base_arena *arena = ctx->arena;
    const plan_node *node = emit->op.node;
    flow_pile rest = {0}, shown = {0};
    base_rc rc = take_due(emit, &emit->wait, ctx, watermark_us, &rest, err);
    if (rc == BASE_OK) rc = take_due(emit, &emit->shown, ctx, watermark_us, &shown, err);
    if (rc != BASE_OK) return rc;
    if (rest.n > 0) {
        const col_batch *rows = flow_pile_concat(&rest, arena, node);
        rc = flow_emit(out, ctx, rows, err);
        if (rc != BASE_OK) return rc;
        if (shown.n > 0) flow_pile_add(&shown, arena, of_sign(arena, rows, true));
    }
    if (shown.n == 0) return BASE_OK;
    const col_batch *stay = col_consolidate(arena, flow_pile_concat(&shown, arena, node));
    flow_graph_settle(emit->op.graph, emit->op.view_id, of_sign(arena, stay, false));
    return BASE_OK;
}

// All that waits goes out, and is remembered as out.
static base_rc show_early(emit_op *emit, flow_ctx *ctx, flow_out *out, base_error *err) {
    flow_pile pile = {0};
    base_rc rc = take_due(emit, &emit->wait, ctx, NEVER_CLOSES - 1, &pile, err);
    if (rc != BASE_OK || pile.n == 0) return rc;
    const col_batch *rows = flow_pile_concat(&pile, ctx->arena, emit->op.node);
    uint32_t *all = base_arena_alloc(ctx->arena, sizeof(uint32_t) * (rows->nrows + 1u));
    for (uint32_t i = 0; i < rows->nrows; i++) all[i] = i;
    rc = flow_timed_add(&emit->shown, ctx, rows, rows->nrows, all,
                        closes_of(emit->op.node, ctx->arena, rows), NULL, err);
    return rc == BASE_OK ? flow_emit(out, ctx, rows, err) : rc;
}

static base_rc take_in(emit_op *emit, flow_ctx *ctx, int64_t watermark_us, flow_out *out,
                       base_error *err) {
    const plan_node *node = emit->op.node;
    base_arena *arena = ctx->arena;
    const col_batch *rows = col_consolidate(arena, flow_pile_concat(&emit->pile, arena, node));
    uint32_t n = rows->nrows, nwait = 0, nout = 0;
    int64_t *closes = closes_of(node, arena, rows);
    uint32_t *wait = base_arena_alloc(arena, sizeof(uint32_t) * (n + 1u));
    uint32_t *through = base_arena_alloc(arena, sizeof(uint32_t) * (n + 1u));
    for (uint32_t i = 0; i < n; i++) {
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

// Lets go what waits if its time has come, and says when that is next.
static base_rc fire_early(emit_op *emit, flow_ctx *ctx, flow_out *out, base_error *err) {
    int64_t every_us = emit->op.node->early_us, first;
    base_rc rc = BASE_OK;
    if (emit->fire_us != INT64_MIN && ctx->now_us >= emit->fire_us) {
        rc = show_early(emit, ctx, out, err);
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
    bool early = op->node->early_us > 0;
    // What closes early rows must be known with what comes for them in this step.
    if (early && emit->pile.n > 0) rc = take_in(emit, ctx, INT64_MIN, out, err);
    if (rc == BASE_OK && watermark_us != INT64_MIN)
        rc = early ? close_early(emit, ctx, watermark_us, out, err)
                   : let_go(emit, ctx, watermark_us, out, err);
    if (rc == BASE_OK && !early && emit->pile.n > 0)
        rc = take_in(emit, ctx, watermark_us, out, err);
    emit->pile = (flow_pile){0};
    if (rc == BASE_OK && early) rc = fire_early(emit, ctx, out, err);
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
    base_rc rc = flow_timed_open(&emit->wait, &emit->op, "wait", err);
    if (rc != BASE_OK || node->early_us == 0) return rc;
    return flow_timed_open(&emit->shown, &emit->op, "shown", err);
}
