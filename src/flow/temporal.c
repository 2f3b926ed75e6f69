// temporal.c - temporal filters: conditions that compare a row with now(), so that rows come into
// the view and leave it as time passes.
//
// Delta rule: a row is in the output while from <= now < until, two moments that its own columns
// tell; now is the step's clock reading, which never goes back. With P the reading of the step
// before and N that of this one, out = visible(A + dA, N) - visible(A, P):
//  - rows that wait and whose `from` N has reached come, unless they are over already;
//  - rows that are in the output and whose `until` N has reached go;
//  - of dA, rows that are over are nothing (they were let go, or never came), rows whose `from` is
//    ahead wait, the others pass.
// So nothing is kept of a row that can never be in the output again, and a flow that was down gives
// the same as one that has run. State, by moment (timed.h): "v<view>.<node>.come", tag: until;
// "v<view>.<node>.go". The graph is told when the next row is due. Without a store, one step over a
// snapshot, it is a filter. Entry point: flow_temporal_create.
#include "flow/timed.h"

typedef struct temporal_op {
    flow_op op;
    flow_pile pile; // of the step
    flow_timed come, go;
    uint32_t timer;
} temporal_op;

// ------------------------------------------------------------------------------------ bounds

// Beyond these years a clock's reading is not looked for: no row comes or goes there.
#define SEARCH_FROM (-200 * 365 * BASE_US_PER_DAY)
#define SEARCH_TO   (500 * 365 * BASE_US_PER_DAY)

typedef struct clock_search {
    int64_t *least, *most; // the reading looked for is in (least, most]
    const int64_t *values;
    bool after;
} clock_search;

// The clock's expression at the middle of each row's range; halves the ranges.
static base_rc search_once(const plan_expr *clock, flow_ctx *ctx, uint32_t n, clock_search *s,
                           base_error *err) {
    base_arena *arena = ctx->arena;
    col_vec now = {.type = col_type_of(COL_TIMESTAMPTZ), .n = n};
    now.data = base_arena_alloc(arena, sizeof(int64_t) * (n + 1u));
    for (uint32_t i = 0; i < n; i++)
        col_i64(&now)[i] = s->least[i] + (s->most[i] - s->least[i]) / 2;
    col_batch batch = {1, n, &now, NULL};
    col_func_ctx func;
    flow_func_ctx(&func, ctx, err);
    const col_vec *reading;
    base_rc rc = plan_eval(clock, &batch, &func, &reading);
    for (uint32_t i = 0; i < n && rc == BASE_OK; i++) {
        int64_t at = col_i64(reading)[i];
        bool reached = s->after ? at > s->values[i] : at >= s->values[i];
        *(reached ? &s->most[i] : &s->least[i]) = col_i64(&now)[i];
    }
    return rc;
}

// The first clock reading at which the bound's expression has reached (after: passed) each value.
static base_rc search_clock(const plan_bound *bound, flow_ctx *ctx, uint32_t n,
                            const int64_t *values, int64_t *moments, base_error *err) {
    base_arena *arena = ctx->arena;
    clock_search s = {.values = values, .after = bound->after, .most = moments};
    s.least = base_arena_alloc(arena, sizeof(int64_t) * (n + 1u));
    for (uint32_t i = 0; i < n; i++) {
        s.least[i] = SEARCH_FROM;
        s.most[i] = SEARCH_TO;
    }
    base_rc rc = BASE_OK;
    for (int64_t range = SEARCH_TO - SEARCH_FROM; range > 1 && rc == BASE_OK; range -= range / 2)
        rc = search_once(bound->clock, ctx, n, &s, err);
    for (uint32_t i = 0; i < n; i++) {
        if (s.most[i] == SEARCH_TO) moments[i] = INT64_MAX;
        if (s.most[i] == SEARCH_FROM + 1) moments[i] = INT64_MIN;
    }
    return rc;
}

// now() + shift has reached (after: passed) the value.
static void shift_clock(const plan_bound *bound, uint32_t n, const int64_t *values,
                        int64_t *moments) {
    for (uint32_t i = 0; i < n; i++) {
        int64_t at = values[i];
        if (at != INT64_MIN && at != INT64_MAX) {
            __int128 moment = (__int128)at - bound->shift_us + bound->after;
            at = moment >= INT64_MAX   ? INT64_MAX
                 : moment <= INT64_MIN ? INT64_MIN
                                       : (int64_t)moment;
        }
        moments[i] = at;
    }
}

typedef struct moments {
    int64_t *from, *until; // a row each
} moments;

// Rows for which a bound is null are never in the output: until is before all.
static base_rc find_moments(temporal_op *temporal, flow_ctx *ctx, const col_batch *batch,
                            const col_batch **rows, moments *out, base_error *err) {
    const plan_node *node = temporal->op.node;
    base_arena *arena = ctx->arena;
    const col_vec **values = base_arena_array(arena, const col_vec *, node->nexprs + 1u);
    base_rc rc =
        flow_eval(&temporal->op, ctx, batch, node->nexprs, node->exprs, NULL, rows, values, err);
    if (rc != BASE_OK) return rc;
    uint32_t n = (*rows)->nrows;
    int64_t *at = base_arena_alloc(arena, sizeof(int64_t) * (n + 1u));
    out->from = base_arena_alloc(arena, sizeof(int64_t) * (n + 1u));
    out->until = base_arena_alloc(arena, sizeof(int64_t) * (n + 1u));
    for (uint32_t i = 0; i < n; i++) {
        out->from[i] = INT64_MIN;
        out->until[i] = INT64_MAX;
    }
    for (uint32_t b = 0; b < node->nexprs; b++) {
        const plan_bound *bound = &node->bounds[b];
        if (bound->clock == NULL)
            shift_clock(bound, n, col_i64(values[b]), at);
        else
            rc = search_clock(bound, ctx, n, col_i64(values[b]), at, err);
        if (rc != BASE_OK) return rc;
        for (uint32_t i = 0; i < n; i++) {
            if (col_is_null(values[b], i))
                out->until[i] = INT64_MIN;
            else if (!bound->until && at[i] > out->from[i])
                out->from[i] = at[i];
            else if (bound->until && at[i] < out->until[i])
                out->until[i] = at[i];
        }
    }
    return BASE_OK;
}

// ------------------------------------------------------------------------------------ a step

// Rows whose time has come: out, and to where they wait for their end.
static base_rc come_due(temporal_op *temporal, flow_ctx *ctx, flow_out *out, base_error *err) {
    for (;;) {
        const col_batch *rows;
        const int64_t *untils;
        base_rc rc = flow_timed_take(&temporal->come, ctx, ctx->now_us, &rows, &untils, err);
        if (rc != BASE_OK || rows == NULL) return rc;
        uint32_t n = 0, ends = 0;
        uint32_t *sel = base_arena_alloc(ctx->arena, sizeof(uint32_t) * rows->nrows);
        uint32_t *ending = base_arena_alloc(ctx->arena, sizeof(uint32_t) * rows->nrows);
        for (uint32_t i = 0; i < rows->nrows; i++) {
            if (untils[i] <= ctx->now_us) continue;
            sel[n++] = i;
            if (untils[i] != INT64_MAX) ending[ends++] = i;
        }
        rc = flow_timed_add(&temporal->go, ctx, rows, ends, ending, untils, NULL, err);
        if (rc == BASE_OK && n > 0)
            rc = flow_emit(out, ctx, col_batch_gather(ctx->arena, rows, sel, n), err);
        if (rc != BASE_OK) return rc;
    }
}

static base_rc go_due(temporal_op *temporal, flow_ctx *ctx, flow_out *out, base_error *err) {
    for (;;) {
        const col_batch *rows;
        const int64_t *tags;
        base_rc rc = flow_timed_take(&temporal->go, ctx, ctx->now_us, &rows, &tags, err);
        if (rc != BASE_OK || rows == NULL) return rc;
        rc = flow_emit(out, ctx, col_batch_negate(ctx->arena, rows), err);
        if (rc != BASE_OK) return rc;
    }
}

static base_rc take_in(temporal_op *temporal, flow_ctx *ctx, flow_out *out, base_error *err) {
    base_arena *arena = ctx->arena;
    bool stored = temporal->op.graph->store != NULL;
    const col_batch *batch = flow_pile_concat(&temporal->pile, arena, temporal->op.node), *rows;
    moments m;
    base_rc rc = find_moments(temporal, ctx, batch, &rows, &m, err);
    if (rc != BASE_OK) return rc;
    uint32_t n = rows->nrows, nout = 0, ncome = 0, ngo = 0;
    uint32_t *through = base_arena_alloc(arena, sizeof(uint32_t) * (n + 1u));
    uint32_t *come = base_arena_alloc(arena, sizeof(uint32_t) * (n + 1u));
    uint32_t *go = base_arena_alloc(arena, sizeof(uint32_t) * (n + 1u));
    for (uint32_t i = 0; i < n; i++) {
        if (m.until[i] <= ctx->now_us || m.from[i] >= m.until[i]) continue;
        if (m.from[i] > ctx->now_us) {
            come[ncome++] = i;
            continue;
        }
        through[nout++] = i;
        if (m.until[i] != INT64_MAX) go[ngo++] = i;
    }
    if (stored) rc = flow_timed_add(&temporal->come, ctx, rows, ncome, come, m.from, m.until, err);
    if (stored && rc == BASE_OK)
        rc = flow_timed_add(&temporal->go, ctx, rows, ngo, go, m.until, NULL, err);
    if (rc != BASE_OK || nout == 0) return rc;
    return flow_emit(out, ctx, nout == n ? rows : col_batch_gather(arena, rows, through, nout),
                     err);
}

static base_rc temporal_push(flow_op *op, flow_ctx *ctx, uint32_t port, const col_batch *batch,
                             flow_out *out, base_error *err) {
    (void)port, (void)out;
    op->stats.rows_in += batch->nrows;
    flow_pile_add(&((temporal_op *)op)->pile, ctx->arena, batch);
    return flow_poll(op->graph, ctx, err);
}

static base_rc temporal_flush(flow_op *op, flow_ctx *ctx, flow_out *out, base_error *err) {
    temporal_op *temporal = (temporal_op *)op;
    if (flow_stands_still(op)) return BASE_OK;
    bool stored = op->graph->store != NULL;
    base_rc rc = BASE_OK;
    if (stored) rc = come_due(temporal, ctx, out, err);
    if (stored && rc == BASE_OK) rc = go_due(temporal, ctx, out, err);
    if (rc == BASE_OK && temporal->pile.n > 0) rc = take_in(temporal, ctx, out, err);
    temporal->pile = (flow_pile){0};
    if (!stored || rc != BASE_OK) return rc;
    int64_t come, go;
    rc = flow_timed_next(&temporal->come, ctx, &come, err);
    if (rc == BASE_OK) rc = flow_timed_next(&temporal->go, ctx, &go, err);
    if (rc == BASE_OK) flow_timer_set(op->graph, temporal->timer, come < go ? come : go);
    return rc;
}

static base_rc temporal_save(flow_op *op, flow_ctx *ctx, base_error *err) {
    (void)op, (void)ctx, (void)err; // written at flush
    return BASE_OK;
}
static void temporal_reset(flow_op *op) {
    temporal_op *temporal = (temporal_op *)op;
    temporal->pile = (flow_pile){0};
    if (op->graph->store != NULL) flow_timer_set(op->graph, temporal->timer, INT64_MIN);
}
static void temporal_stats(flow_op *op, flow_op_stats *stats) {
    *stats = op->stats;
}
static void temporal_close(flow_op *op) {
    (void)op;
}

base_rc flow_temporal_create(flow_graph *graph, uint32_t view_id, const plan_node *node,
                             flow_op **out, base_error *err) {
    static const flow_op_class class = {.name = "temporal",
                                        .layout = 1,
                                        .push = temporal_push,
                                        .flush = temporal_flush,
                                        .save = temporal_save,
                                        .reset = temporal_reset,
                                        .verify = temporal_save,
                                        .stats = temporal_stats,
                                        .close = temporal_close};
    temporal_op *temporal = base_arena_new(&graph->arena, temporal_op);
    FLOW_OP_INIT(&temporal->op, &class, graph, view_id, node);
    *out = &temporal->op;
    if (graph->store == NULL) return BASE_OK;
    temporal->timer = flow_timer_add(graph);
    base_rc rc = flow_timed_open(&temporal->come, &temporal->op, "come", err);
    return rc == BASE_OK ? flow_timed_open(&temporal->go, &temporal->op, "go", err) : rc;
}
