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
#include "flow/session.h"
#include "flow/partition_op.h"

typedef struct session_op {
    flow_partition_op base;
    col_type time_type;
    int64_t gap_us;
} session_op;

// ------------------------------------------------------------------------------------ gaps

// Rows are in order of time, so it heads their keys.
static base_rc time_of(const session_op *session, const flow_partition_row *row, int64_t *at,
                       base_error *err) {
    col_vec cell = {.type = session->time_type, .n = 1, .data = at};
    size_t place = 0;
    return col_key_decode(row->key, &place, &cell, 0, NULL, err);
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
        if (rc != BASE_OK || (row->is > 0 && session_apart(session->gap_us, before, first)))
            return rc;
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
        if (rc != BASE_OK ||
            (unchanged && row->is > 0 && session_apart(session->gap_us, last, after)))
            return rc;
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
        bool over = i == n || last == UINT32_MAX || session_apart(session->gap_us, at[last], at[i]);
        if (over && last != UINT32_MAX)
            for (uint32_t k = begin; k < i; k++) {
                s.starts[k] = start;
                s.ends[k] = session_end(session->gap_us, at[last]);
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

// The windows' columns of n rows.
static col_vec *window_columns(base_arena *arena, const session_op *session, uint32_t n) {
    col_vec *columns = base_arena_array(arena, col_vec, PLAN_WINDOW_COLUMNS);
    for (uint32_t c = 0; c < PLAN_WINDOW_COLUMNS; c++)
        col_vec_init(&columns[c], arena, session->time_type, n);
    return columns;
}

static void set_window(col_vec *columns, uint32_t i, const spans *s, uint32_t row) {
    int64_t end = s->ends[row];
    col_i64(&columns[0])[i] = s->starts[row];
    col_i64(&columns[1])[i] = end;
    col_i64(&columns[2])[i] = session_time(end);
}

// Rows at the ends that show the gap have sessions that reach beyond, but the same ones twice.
static void compare(session_op *session, const flow_segment *segment, const spans *was,
                    const spans *is, flow_changes *changes) {
    flow_partition_op *op = &session->base;
    for (uint32_t i = 0; i < segment->n; i++) {
        const flow_partition_row *row = &segment->rows[i];
        int64_t n_was = times_there(row, false), n_is = times_there(row, true);
        bool same =
            n_was > 0 && n_is > 0 && was->starts[i] == is->starts[i] && was->ends[i] == is->ends[i];
        int64_t gone = same ? n_is - n_was : -n_was;
        if (gone != 0) flow_changes_add(op, changes, i, gone, false);
        if (!same && n_is > 0) flow_changes_add(op, changes, i, n_is, true);
    }
}

static base_rc session_segment(flow_partition_op *op, flow_ctx *ctx, flow_segment *segment,
                               base_error *err) {
    session_op *session = (session_op *)op;
    base_arena *arena = &op->scratch;
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
    flow_changes changes = {0};
    compare(session, segment, &was, &is, &changes);
    col_vec *windows = window_columns(ctx->arena, session, changes.n);
    for (uint32_t i = 0; i < changes.n; i++)
        set_window(windows, i, changes.tags[i] ? &is : &was, changes.rows[i]);
    return flow_changes_give(op, ctx, segment, &changes, windows, err);
}

// ------------------------------------------------------------------------------------ a step

// Rows without a time are in no session: they go out with null windows.
static base_rc pass_timeless(flow_partition_op *op, flow_ctx *ctx, const col_batch **rows,
                             base_error *err) {
    base_arena *arena = ctx->arena;
    uint32_t nrows = (*rows)->nrows, ncols = (*rows)->ncols;
    const col_vec *time = &(*rows)->cols[op->op.node->time_column];
    uint32_t *with = base_arena_alloc(arena, sizeof(uint32_t) * (nrows + 1u)), n = 0;
    uint32_t *without = base_arena_alloc(arena, sizeof(uint32_t) * (nrows + 1u)), nulls = 0;
    for (uint32_t i = 0; i < nrows; i++)
        if (col_is_null(time, i))
            without[nulls++] = i;
        else
            with[n++] = i;
    if (nulls == 0) return BASE_OK;
    col_batch *timeless = col_batch_gather(arena, *rows, without, nulls);
    col_batch *out = base_arena_new(arena, col_batch);
    *out = (col_batch){ncols + PLAN_WINDOW_COLUMNS, nulls,
                       base_arena_array(arena, col_vec, ncols + PLAN_WINDOW_COLUMNS),
                       timeless->weights};
    memcpy(out->cols, timeless->cols, sizeof(col_vec) * ncols);
    for (uint32_t c = 0; c < PLAN_WINDOW_COLUMNS; c++)
        out->cols[ncols + c] = timeless->cols[op->op.node->time_column];
    *rows = col_batch_gather(arena, *rows, with, n);
    return flow_partition_give(op, ctx, out, err);
}

base_rc flow_session_create(flow_graph *graph, uint32_t view_id, const plan_node *node,
                            flow_op **out, base_error *err) {
    static const flow_partition_class class = {FLOW_PARTITION_LIFE("session"),
                                               .admit = pass_timeless, .segment = session_segment};
    session_op *session = base_arena_new(&graph->arena, session_op);
    flow_partition_op_init(&session->base, &class, graph, view_id, node);
    *out = &session->base.op;
    session->time_type = node->inputs[0]->columns[node->time_column].type;
    session->gap_us = node->window->size.n;
    plan_sort_key *order = base_arena_new(&graph->arena, plan_sort_key);
    *order = (plan_sort_key){.column = node->time_column};
    const flow_partition_by by = {.nkeys = node->window->npartition,
                                  .keys = node->window->partition,
                                  .norder = 1,
                                  .order = order};
    return flow_partition_op_open(&session->base, &by, err);
}
