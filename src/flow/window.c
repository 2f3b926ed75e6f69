// window.c - windows of time as columns: TUMBLE, HOP, CUMULATE.
//
// Delta rule: linear. A row goes out once for each window that holds its instant, with the window's
// bounds behind its columns and its weight as it came: out = windows(dA). A row whose time is null
// has null windows, once. Keeps nothing between steps.
//
// Neighbours mostly share their windows, so that bounds are looked for only when an instant leaves
// the range that has the same ones (a pane). Where a row has several windows, rows that are alike
// in what is read of them, and in their pane, are first summed to one row with their weights: what
// is above then hashes each such row once a window, and not each row. That is given up where it
// gains little. Entry point: flow_window_create.
#include "flow/flow_int.h"

#define TRIAL_ROWS    1024u // a batch of fewer says nothing of what summing gains
#define TRIAL_BATCHES 64u   // after so many batches without it, it is tried again

typedef struct window_op {
    flow_op op;
    const plan_window *window;
    uint32_t nin; // columns of the input
    bool *needed;
    bool start_needed, end_needed, time_needed;
    plan_window_set set;
    bool several;         // a row may have more than one window
    bool plain;           // rows may be summed: equal ones are the same
    uint32_t nkeys;       // columns that are read, other than the time if only its
    uint32_t *keys;       // windows are
    flow_groups groups;   // rows summed, over nkeys columns and the pane
    uint32_t since_trial; // batches since summing was given up; 0: it is on
} window_op;

// ------------------------------------------------------------------------------------ one window

// Start of the window of an instant, for a fixed length; infinities are windows of their own.
static int64_t fixed_start(int64_t size_us, int64_t shift_us, int64_t at) {
    if (at == INT64_MIN || at == INT64_MAX) return at;
    int64_t into = (at % size_us - shift_us) % size_us;
    if (into < 0) into += size_us;
    int64_t start;
    return __builtin_sub_overflow(at, into, &start) ? INT64_MIN : start;
}

static int64_t fixed_end(int64_t size_us, int64_t start) {
    if (start == INT64_MIN) return start;
    int64_t end;
    return __builtin_add_overflow(start, size_us, &end) ? INT64_MAX : end;
}

static void fill_fixed(const plan_window *w, const int64_t *at, uint32_t n, int64_t *starts,
                       int64_t *ends) {
    int64_t size = w->size.n;
    // Multiples of the size since 1970, told in microseconds since 2000.
    int64_t shift = (w->offset_us % size - BASE_UNIX_EPOCH_US % size) % size;
    if (shift < 0) shift += size;
    int64_t start = 0, end = 0; // empty: no instant is within
    for (uint32_t i = 0; i < n; i++) {
        if (at[i] < start || at[i] >= end) {
            start = fixed_start(size, shift, at[i]);
            end = fixed_end(size, start);
        }
        starts[i] = start;
        ends[i] = end;
    }
}

static void fill_calendar(window_op *op, const int64_t *at, uint32_t n, int64_t *starts,
                          int64_t *ends) {
    plan_window_set *set = &op->set;
    set->from = set->until = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (at[i] < set->from || at[i] >= set->until) plan_window_find(op->window, at[i], set);
        starts[i] = set->starts[0];
        ends[i] = set->ends[0];
    }
}

// The input's columns, then the three of the window. time gives type and nulls.
static col_batch *with_window(base_arena *arena, const col_batch *batch, const col_vec *time,
                              const window_op *op, int64_t *starts, int64_t *ends) {
    uint32_t n = batch->ncols;
    col_batch *result = base_arena_new(arena, col_batch);
    *result =
        (col_batch){n + PLAN_WINDOW_COLUMNS, batch->nrows,
                    base_arena_array(arena, col_vec, n + PLAN_WINDOW_COLUMNS), batch->weights};
    if (n > 0) memcpy(result->cols, batch->cols, sizeof(col_vec) * n);
    for (uint32_t c = n; c < n + PLAN_WINDOW_COLUMNS; c++) result->cols[c] = *time;
    result->cols[n].data = starts;
    result->cols[n + 1].data = ends;
    if (!op->time_needed) return result; // an alias of the time column
    int64_t *last = base_arena_alloc(arena, sizeof(int64_t) * (batch->nrows + 1u));
    for (uint32_t i = 0; i < batch->nrows; i++) {
        bool infinite = ends[i] == INT64_MIN || ends[i] == INT64_MAX;
        last[i] = infinite ? ends[i] : ends[i] - 1000;
    }
    result->cols[n + 2].data = last;
    return result;
}

static base_rc push_one(window_op *op, flow_ctx *ctx, const col_batch *batch, flow_out *out,
                        base_error *err) {
    const col_vec *time = &batch->cols[op->op.node->time_column];
    uint32_t n = batch->nrows;
    int64_t *starts = time->data, *ends = time->data; // not needed: aliases
    if (op->start_needed || op->end_needed || op->time_needed) {
        starts = base_arena_alloc(ctx->arena, sizeof(int64_t) * n);
        ends = base_arena_alloc(ctx->arena, sizeof(int64_t) * n);
        if (plan_window_is_fixed(op->window))
            fill_fixed(op->window, col_i64(time), n, starts, ends);
        else
            fill_calendar(op, col_i64(time), n, starts, ends);
    }
    return flow_emit(out, ctx, with_window(ctx->arena, batch, time, op, starts, ends), err);
}

// ------------------------------------------------------------------------------------ several

// The pane of each row, told by its first instant.
static int64_t *find_panes(window_op *op, base_arena *arena, const col_vec *time) {
    int64_t *panes = base_arena_alloc(arena, sizeof(int64_t) * (time->n + 1u));
    plan_window_set *set = &op->set;
    set->from = set->until = 0;
    for (uint32_t i = 0; i < time->n; i++) {
        int64_t at = col_i64(time)[i];
        if (at < set->from || at >= set->until) plan_window_find(op->window, at, set);
        panes[i] = set->from;
    }
    return panes;
}

// Equal values of these kinds are the same in every way; 1.0 and 1.00 are not.
static bool is_plain(col_kind kind) {
    switch (kind) {
    case COL_BOOL:
    case COL_INT2:
    case COL_INT4:
    case COL_INT8:
    case COL_TEXT:
    case COL_VARCHAR:
    case COL_DATE:
    case COL_TIME:
    case COL_TIMESTAMP:
    case COL_TIMESTAMPTZ:
    case COL_UUID:
        return true;
    default:
        return false;
    }
}

static bool summing(const window_op *op, uint32_t nrows) {
    return op->plain && op->since_trial == 0 && nrows >= TRIAL_ROWS;
}

// Rows of the same pane that are alike in what is read of them become one, of their summed weight.
// Of what is not read any row's value serves. The pane stands for the time.
static const col_batch *sum_alike(window_op *op, flow_ctx *ctx, const col_batch *batch) {
    base_arena *arena = ctx->arena;
    uint32_t n = batch->nrows, nkeys = op->nkeys + 1;
    const col_vec *time = &batch->cols[op->op.node->time_column];
    col_batch keys = {nkeys, n, base_arena_array(arena, col_vec, nkeys), NULL};
    uint32_t *all = base_arena_array(arena, uint32_t, nkeys);
    for (uint32_t k = 0; k < nkeys; k++) {
        all[k] = k;
        keys.cols[k] = k < op->nkeys ? batch->cols[op->keys[k]] : *time;
    }
    int64_t *panes = find_panes(op, arena, time);
    keys.cols[nkeys - 1].data = panes;
    uint64_t *hashes = base_arena_alloc(arena, sizeof(uint64_t) * n);
    uint32_t *group_of = base_arena_alloc(arena, sizeof(uint32_t) * n);
    col_hash(&keys, nkeys, all, hashes);
    flow_groups_clear(&op->groups);
    flow_groups_find(&op->groups, arena, arena, &keys, hashes, group_of);
    uint32_t ngroups = op->groups.n;
    uint32_t *first = base_arena_alloc(arena, sizeof(uint32_t) * (ngroups + 1u));
    int64_t *weights = base_arena_array(arena, int64_t, ngroups + 1u);
    for (uint32_t i = n; i-- > 0;) { // backwards, so that the first row stays
        first[group_of[i]] = i;
        weights[group_of[i]] += col_weight(batch, i);
    }
    if (ngroups > n / 2) op->since_trial = 1;
    uint32_t kept = 0;
    for (uint32_t g = 0; g < ngroups; g++) {
        if (weights[g] == 0) continue;
        weights[kept] = weights[g];
        first[kept++] = first[g];
    }
    const col_batch *rows = col_batch_gather(arena, batch, first, kept);
    return col_batch_with_weights(arena, rows, weights);
}

// Which row goes into which window, for rows from *row on, as many as one batch should have.
typedef struct spread {
    uint32_t n, cap;
    uint32_t *sel;
    int64_t *starts, *ends;
} spread;

static void spread_add(spread *s, base_arena *arena, uint32_t row, const plan_window_set *set) {
    if (s->n + set->n > s->cap) {
        uint32_t cap = (s->n + set->n) * 2 + 64;
        spread bigger = {s->n, cap, base_arena_alloc(arena, sizeof(uint32_t) * cap),
                         base_arena_alloc(arena, sizeof(int64_t) * cap),
                         base_arena_alloc(arena, sizeof(int64_t) * cap)};
        if (s->n > 0) {
            memcpy(bigger.sel, s->sel, sizeof(uint32_t) * s->n);
            memcpy(bigger.starts, s->starts, sizeof(int64_t) * s->n);
            memcpy(bigger.ends, s->ends, sizeof(int64_t) * s->n);
        }
        *s = bigger;
    }
    for (uint32_t i = 0; i < set->n; i++) s->sel[s->n + i] = row;
    if (set->n > 0) memcpy(s->starts + s->n, set->starts, sizeof(int64_t) * set->n);
    if (set->n > 0) memcpy(s->ends + s->n, set->ends, sizeof(int64_t) * set->n);
    s->n += set->n;
}

static base_rc emit_spread(window_op *op, flow_ctx *ctx, const col_batch *batch, spread *s,
                           flow_out *out, base_error *err) {
    base_arena *arena = ctx->arena;
    col_batch rows = {batch->ncols, s->n, base_arena_array(arena, col_vec, batch->ncols + 1u),
                      NULL};
    for (uint32_t c = 0; c < batch->ncols; c++) {
        bool whole = op->needed[c] || c == op->op.node->time_column;
        if (whole)
            rows.cols[c] = *col_vec_gather(arena, &batch->cols[c], s->sel, s->n);
        else
            flow_filler(&rows.cols[c], arena, batch->cols[c].type, s->n);
    }
    if (batch->weights != NULL) {
        int64_t *weights = base_arena_alloc(arena, sizeof(int64_t) * (s->n + 1u));
        for (uint32_t i = 0; i < s->n; i++) weights[i] = batch->weights[s->sel[i]];
        rows.weights = weights;
    }
    const col_vec *time = &rows.cols[op->op.node->time_column];
    const col_batch *full = with_window(arena, &rows, time, op, s->starts, s->ends);
    *s = (spread){0}; // the columns made are the batch's now
    return flow_emit(out, ctx, full, err);
}

static base_rc push_several(window_op *op, flow_ctx *ctx, const col_batch *batch, flow_out *out,
                            base_error *err) {
    if (op->since_trial > 0 && ++op->since_trial > TRIAL_BATCHES) op->since_trial = 0;
    if (summing(op, batch->nrows)) batch = sum_alike(op, ctx, batch);
    const col_vec *time = &batch->cols[op->op.node->time_column];
    int64_t null_bound = 0;
    const plan_window_set none = {1, &null_bound, &null_bound, 0, 0};
    plan_window_set *set = &op->set;
    spread s = {0};
    base_rc rc = BASE_OK;
    set->from = set->until = 0;
    for (uint32_t i = 0; i < batch->nrows && rc == BASE_OK; i++) {
        int64_t at = col_i64(time)[i];
        bool null = col_is_null(time, i);
        if (!null && (at < set->from || at >= set->until)) plan_window_find(op->window, at, set);
        spread_add(&s, ctx->arena, i, null ? &none : set);
        if (s.n >= op->op.graph->batch_rows) rc = emit_spread(op, ctx, batch, &s, out, err);
    }
    return rc == BASE_OK && s.n > 0 ? emit_spread(op, ctx, batch, &s, out, err) : rc;
}

// ------------------------------------------------------------------------------------ the operator

static base_rc window_push(flow_op *op, flow_ctx *ctx, uint32_t port, const col_batch *batch,
                           flow_out *out, base_error *err) {
    (void)port;
    window_op *window = (window_op *)op;
    op->stats.rows_in += batch->nrows;
    return window->several ? push_several(window, ctx, batch, out, err)
                           : push_one(window, ctx, batch, out, err);
}

static base_rc window_flush(flow_op *op, flow_ctx *ctx, flow_out *out, base_error *err) {
    (void)op, (void)ctx, (void)out, (void)err;
    return BASE_OK;
}
static base_rc window_save(flow_op *op, flow_ctx *ctx, base_error *err) {
    (void)op, (void)ctx, (void)err;
    return BASE_OK;
}
static void window_reset(flow_op *op) {
    ((window_op *)op)->since_trial = 0;
}
static void window_stats(flow_op *op, flow_op_stats *stats) {
    *stats = op->stats;
}
static void window_close(flow_op *op) {
    flow_groups_deinit(&((window_op *)op)->groups);
}

static void init_summing(window_op *op, const flow_graph *graph, const plan_node *node) {
    base_arena *arena = (base_arena *)(uintptr_t)&graph->arena;
    const plan_node *input = node->inputs[0];
    op->keys = base_arena_array(arena, uint32_t, op->nin + 1u);
    col_type *types = base_arena_array(arena, col_type, op->nin + 1u);
    op->plain = true;
    for (uint32_t c = 0; c < op->nin; c++) {
        if (!op->needed[c]) continue;
        types[op->nkeys] = input->columns[c].type;
        op->plain = op->plain && is_plain(types[op->nkeys].kind);
        op->keys[op->nkeys++] = c;
    }
    types[op->nkeys] = input->columns[node->time_column].type;
    flow_groups_init(&op->groups, arena, op->nkeys + 1, types);
}

base_rc flow_window_create(flow_graph *graph, const plan_node *node, const bool *needed,
                           flow_op **out, base_error *err) {
    static const flow_op_class class = {.name = "window",
                                        .push = window_push,
                                        .flush = window_flush,
                                        .save = window_save,
                                        .reset = window_reset,
                                        .verify = window_save,
                                        .stats = window_stats,
                                        .close = window_close};
    const plan_window *w = node->window;
    if (w->size.n <= 0 || w->step.n <= 0)
        return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER,
                         "window size must be positive");
    base_arena *arena = &graph->arena;
    window_op *op = base_arena_new(arena, window_op);
    FLOW_OP_INIT(&op->op, &class, graph, 0, node);
    op->op.hold = FLOW_HOLD_PASS;
    op->window = w;
    op->nin = node->inputs[0]->ncolumns;
    op->needed = base_arena_array(arena, bool, node->ncolumns + 1u);
    memcpy(op->needed, needed, sizeof(bool) * node->ncolumns);
    op->start_needed = needed[op->nin];
    op->end_needed = needed[op->nin + 1];
    op->time_needed = needed[op->nin + 2];
    op->several = w->form == PLAN_WINDOW_HOP || w->form == PLAN_WINDOW_CUMULATE;
    uint32_t room = op->several ? PLAN_WINDOWS_MAX : 1;
    op->set.starts = base_arena_array(arena, int64_t, room);
    op->set.ends = base_arena_array(arena, int64_t, room);
    init_summing(op, graph, node);
    *out = &op->op;
    return BASE_OK;
}
