// session.c - SESSION windows: rows of a partition that follow one another by less than a gap.
//
// Delta rule: a row's session is told by the rows around it, up to the first gap on either side. So
// of each partition that the delta touches, rows are drawn in from a change to both sides until a
// gap that neither the rows before the step nor those after it bridge; within, sessions are worked
// out as they were and as they are, and out = -(row, its session) +(row, its session) where it, or
// how often the row is there, has changed. A late row may join two sessions, and a retracted one
// part them. A row at or after the end of a session (its last row plus the gap) begins another. A
// row without a time has null windows and waits for nobody.
//
// State: of flow/partition, "rows": each partition's rows by time. Entry point:
// flow_session_create.
#include "flow/partition.h"

typedef struct session_op {
    flow_op op;
    flow_pile pile; // of the step
    flow_partition *part;
    col_type time_type;
    int64_t gap_us;
} session_op;

static base_rc session_push(flow_op *op, flow_ctx *ctx, uint32_t port, const col_batch *batch,
                            flow_out *out, base_error *err) {
    (void)port, (void)out;
    op->stats.rows_in += batch->nrows;
    flow_pile_add(&((session_op *)op)->pile, ctx->arena, batch);
    return flow_poll(op->graph, ctx, err);
}

// ------------------------------------------------------------------------------------ gaps

// Rows are in order of time, so it heads their keys.
static base_rc time_of(const session_op *session, const flow_partition_row *row, int64_t *at,
                       base_error *err) {
    col_vec cell = {.type = session->time_type, .n = 1, .data = at};
    size_t place = 0;
    return col_key_decode(row->key, &place, &cell, 0, NULL, err);
}

static int64_t end_of(const session_op *session, int64_t at) {
    int64_t end;
    if (at == INT64_MIN) return at;
    return __builtin_add_overflow(at, session->gap_us, &end) ? INT64_MAX : end;
}

// Whether a session that has a row at `a` is over at `b`, which is not before it.
static bool apart(const session_op *session, int64_t a, int64_t b) {
    return b != a && b >= end_of(session, a);
}

// Draws in rows before the first change until one that is there and a gap away: its session is not
// touched.
static base_rc grow_front(session_op *session, flow_segment *segment, base_error *err) {
    int64_t first, before;
    base_rc rc = time_of(session, &segment->rows[0], &first, err);
    while (rc == BASE_OK) {
        uint32_t n = segment->n;
        rc = flow_segment_grow_front(segment, err);
        if (rc != BASE_OK || segment->n == n) return rc;
        const flow_partition_row *row = &segment->rows[0];
        rc = time_of(session, row, &before, err);
        if (rc != BASE_OK || (row->is > 0 && apart(session, before, first))) return rc;
        if (row->is > 0) first = before;
    }
    return rc;
}

// And after the last change; what changes on the way counts as it was and as it is.
static base_rc grow_end(session_op *session, flow_segment *segment, base_error *err) {
    int64_t last, after;
    base_rc rc = time_of(session, &segment->rows[segment->n - 1], &last, err);
    while (rc == BASE_OK) {
        uint32_t n = segment->n;
        rc = flow_segment_grow_end(segment, err);
        if (rc != BASE_OK || segment->n == n) return rc;
        const flow_partition_row *row = &segment->rows[n];
        rc = time_of(session, row, &after, err);
        bool unchanged = row->was == row->is;
        if (rc != BASE_OK || (unchanged && row->is > 0 && apart(session, last, after))) return rc;
        if (row->was > 0 || row->is > 0) last = after;
    }
    return rc;
}

// ------------------------------------------------------------------------------------ sessions

typedef struct spans {
    int64_t *starts, *ends; // a row of the segment each; of rows that are there
} spans;

static int64_t times_there(const flow_partition_row *row, bool after) {
    int64_t n = after ? row->is : row->was;
    return n > 0 ? n : 0;
}

static spans find_spans(const session_op *session, base_arena *arena, const flow_segment *segment,
                        const int64_t *at, bool after) {
    uint32_t n = segment->n, begin = 0, last = UINT32_MAX;
    spans s = {base_arena_alloc(arena, sizeof(int64_t) * n),
               base_arena_alloc(arena, sizeof(int64_t) * n)};
    int64_t start = 0;
    for (uint32_t i = 0; i <= n; i++) {
        if (i < n && times_there(&segment->rows[i], after) == 0) continue;
        bool over = i == n || last == UINT32_MAX || apart(session, at[last], at[i]);
        if (over && last != UINT32_MAX)
            for (uint32_t k = begin; k < i; k++) {
                s.starts[k] = start;
                s.ends[k] = end_of(session, at[last]);
            }
        if (i == n) break;
        if (over) {
            begin = i;
            start = at[i];
        }
        last = i;
    }
    return s;
}

// What goes out: rows of the segment, each with a session and a weight.
typedef struct changes {
    uint32_t n;
    uint32_t *rows;
    int64_t *weights, *starts, *ends;
} changes;

static void add_change(changes *c, uint32_t row, int64_t weight, const spans *s) {
    if (weight == 0) return;
    c->rows[c->n] = row;
    c->weights[c->n] = weight;
    c->starts[c->n] = s->starts[row];
    c->ends[c->n++] = s->ends[row];
}

static col_batch *with_window(base_arena *arena, const col_batch *rows, const col_vec *time,
                              int64_t *starts, int64_t *ends) {
    uint32_t n = rows->ncols;
    col_batch *result = base_arena_new(arena, col_batch);
    *result = (col_batch){n + PLAN_WINDOW_COLUMNS, rows->nrows,
                          base_arena_array(arena, col_vec, n + PLAN_WINDOW_COLUMNS), rows->weights};
    memcpy(result->cols, rows->cols, sizeof(col_vec) * n);
    for (uint32_t c = n; c < n + PLAN_WINDOW_COLUMNS; c++) result->cols[c] = *time;
    int64_t *last = base_arena_alloc(arena, sizeof(int64_t) * (rows->nrows + 1u));
    for (uint32_t i = 0; i < rows->nrows; i++) {
        bool infinite = ends[i] == INT64_MIN || ends[i] == INT64_MAX;
        last[i] = infinite ? ends[i] : ends[i] - 1000;
    }
    result->cols[n].data = starts;
    result->cols[n + 1].data = ends;
    result->cols[n + 2].data = last;
    return result;
}

static base_rc emit_changes(session_op *session, flow_ctx *ctx, flow_segment *segment,
                            const changes *c, flow_out *out, base_error *err) {
    base_arena *arena = ctx->arena;
    base_rc rc = BASE_OK;
    uint32_t most = session->op.graph->batch_rows;
    for (uint32_t at = 0; at < c->n && rc == BASE_OK; at += most) {
        uint32_t n = c->n - at < most ? c->n - at : most;
        col_batch *rows;
        rc = flow_segment_gather(segment, arena, c->rows + at, n, &rows, err);
        if (rc != BASE_OK) return rc;
        const col_batch *weighted = col_batch_with_weights(arena, rows, c->weights + at);
        rc = flow_emit(out, ctx,
                       with_window(arena, weighted, &weighted->cols[session->op.node->time_column],
                                   c->starts + at, c->ends + at),
                       err);
    }
    return rc;
}

static base_rc session_segment(session_op *session, flow_ctx *ctx, flow_out *out,
                               flow_segment *segment, base_error *err) {
    base_arena *arena = ctx->arena;
    base_rc rc = grow_front(session, segment, err);
    if (rc == BASE_OK) rc = grow_end(session, segment, err);
    if (rc != BASE_OK) return rc;
    uint32_t n = segment->n;
    int64_t *at = base_arena_alloc(arena, sizeof(int64_t) * n);
    for (uint32_t i = 0; i < n && rc == BASE_OK; i++)
        rc = time_of(session, &segment->rows[i], &at[i], err);
    if (rc != BASE_OK) return rc;
    spans was = find_spans(session, arena, segment, at, false);
    spans is = find_spans(session, arena, segment, at, true);
    changes c = {0, base_arena_alloc(arena, sizeof(uint32_t) * 2 * n),
                 base_arena_alloc(arena, sizeof(int64_t) * 2 * n),
                 base_arena_alloc(arena, sizeof(int64_t) * 2 * n),
                 base_arena_alloc(arena, sizeof(int64_t) * 2 * n)};
    // Rows at the ends that show the gap have sessions that reach beyond, but the same ones twice.
    for (uint32_t i = 0; i < n; i++) {
        const flow_partition_row *row = &segment->rows[i];
        int64_t n_was = times_there(row, false), n_is = times_there(row, true);
        bool same =
            n_was > 0 && n_is > 0 && was.starts[i] == is.starts[i] && was.ends[i] == is.ends[i];
        add_change(&c, i, same ? n_is - n_was : -n_was, &was);
        if (!same) add_change(&c, i, n_is, &is);
    }
    return emit_changes(session, ctx, segment, &c, out, err);
}

// ------------------------------------------------------------------------------------ a step

// Rows without a time go out as they are; *timed are the others.
static base_rc pass_timeless(session_op *session, flow_ctx *ctx, const col_batch *rows,
                             flow_out *out, const col_batch **timed, base_error *err) {
    base_arena *arena = ctx->arena;
    const col_vec *time = &rows->cols[session->op.node->time_column];
    *timed = rows;
    uint32_t *with = base_arena_alloc(arena, sizeof(uint32_t) * (rows->nrows + 1u)), n = 0;
    uint32_t *without = base_arena_alloc(arena, sizeof(uint32_t) * (rows->nrows + 1u)), nulls = 0;
    for (uint32_t i = 0; i < rows->nrows; i++)
        if (col_is_null(time, i))
            without[nulls++] = i;
        else
            with[n++] = i;
    if (nulls == 0) return BASE_OK;
    *timed = col_batch_gather(arena, rows, with, n);
    col_batch *timeless = col_batch_gather(arena, rows, without, nulls);
    int64_t *zeros = base_arena_array(arena, int64_t, nulls);
    return flow_emit(
        out, ctx,
        with_window(arena, timeless, &timeless->cols[session->op.node->time_column], zeros, zeros),
        err);
}

static base_rc session_flush(flow_op *op, flow_ctx *ctx, flow_out *out, base_error *err) {
    session_op *session = (session_op *)op;
    if (session->pile.n == 0) return BASE_OK;
    const col_batch *rows = flow_pile_concat(&session->pile, ctx->arena, op->node->inputs[0]);
    session->pile = (flow_pile){0};
    base_rc rc = pass_timeless(session, ctx, rows, out, &rows, err);
    if (rc != BASE_OK || rows->nrows == 0) return rc;
    rc = flow_partition_begin(session->part, ctx, rows, err);
    while (rc == BASE_OK) {
        flow_segment *segment;
        rc = flow_partition_next(session->part, &segment, err);
        if (rc != BASE_OK || segment == NULL) break;
        rc = session_segment(session, ctx, out, segment, err);
    }
    return rc == BASE_OK ? flow_partition_finish(session->part, err) : rc;
}

static base_rc session_save(flow_op *op, flow_ctx *ctx, base_error *err) {
    (void)ctx, (void)err;
    flow_partition_trim(((session_op *)op)->part);
    return BASE_OK;
}
static void session_reset(flow_op *op) {
    session_op *session = (session_op *)op;
    session->pile = (flow_pile){0};
    flow_partition_reset(session->part);
}
static base_rc session_verify(flow_op *op, flow_ctx *ctx, base_error *err) {
    return flow_partition_verify(((session_op *)op)->part, ctx, err);
}
static void session_stats(flow_op *op, flow_op_stats *stats) {
    *stats = op->stats;
    flow_partition_stats(((session_op *)op)->part, stats);
}
static void session_close(flow_op *op) {
    flow_partition_close(((session_op *)op)->part);
}

base_rc flow_session_create(flow_graph *graph, uint32_t view_id, const plan_node *node,
                            flow_op **out, base_error *err) {
    static const flow_op_class class = {.name = "session",
                                        .push = session_push,
                                        .flush = session_flush,
                                        .save = session_save,
                                        .reset = session_reset,
                                        .verify = session_verify,
                                        .stats = session_stats,
                                        .close = session_close};
    base_arena *arena = &graph->arena;
    session_op *session = base_arena_new(arena, session_op);
    FLOW_OP_INIT(&session->op, &class, graph, view_id, node);
    *out = &session->op;
    const plan_node *input = node->inputs[0];
    session->time_type = input->columns[node->time_column].type;
    session->gap_us = node->window->size.n;
    plan_sort_key *order = base_arena_new(arena, plan_sort_key);
    *order = (plan_sort_key){.column = node->time_column};
    flow_partition_config config = {.op = &session->op,
                                    .suffix = "rows",
                                    .ncolumns = input->ncolumns,
                                    .types = flow_types(arena, input),
                                    .nkeys = node->window->npartition,
                                    .keys = node->window->partition,
                                    .norder = 1,
                                    .order = order};
    return flow_partition_open(&config, &session->part, err);
}
