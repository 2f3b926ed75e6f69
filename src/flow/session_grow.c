// session_grow.c - SESSION windows of an input that only grows, below an aggregate by session.
//
// Delta rule: out = +(row, its session) of the step's rows alone. That the rows of a session that
// has grown, or met another, are now in a session of another extent is told to the aggregate, which
// moves what it has of the session as a whole (agg_move.c). So a row costs the same whatever the
// length of its session, and no row is kept.
//
// State: "v<view>.<node>.sessions": partition key ++ start -> version, time of the last row. The
// sessions of a partition are apart, so those that rows of a step touch are found by their start.
// Which plans these are, plan/session.h says. Entry point: flow_session_grow_create.
#include "flow/flow_int.h"
#include "flow/session.h"

#define SESSION_VERSION 1
#define SESSION_VALUE   9 // bytes of a value
#define START_BYTES     8 // of a key

typedef struct grow_op {
    flow_op op;
    flow_pile pile; // of the step
    state_table table;
    int64_t gap_us;
    flow_op *aggregate;
    uint32_t nkeys;
    const uint32_t *columns; // of the aggregate's keys
} grow_op;

typedef struct extent {
    int64_t start, last;
} extent;

typedef struct move { // of a stored session
    uint32_t row;     // one of its new rows
    extent from, to;
} move;

typedef struct stored_write {
    base_str key, value; // value p NULL: deleted
} stored_write;

// What a flush is made of.
typedef struct walk {
    grow_op *grow;
    flow_ctx *ctx;
    const col_batch *rows;
    base_str *keys;         // partition key ++ time, by row
    uint32_t n, *order;     // the rows with a time
    int64_t *starts, *ends; // by row
    state_cursor *cursor;
    uint32_t nstored, stored_cap;
    extent *stored; // in the session in progress, as they were
    uint32_t nmoves, moves_cap;
    move *moves;
    uint32_t nwrites, writes_cap;
    stored_write *writes; // in order
} walk;

#define ADD(w, array, n, cap, item)                                                                \
    do {                                                                                           \
        if ((n) == (cap)) {                                                                        \
            (cap) = (cap) == 0 ? 32 : (cap)*2;                                                     \
            void *bigger_ = base_arena_alloc((w)->ctx->arena, sizeof *(array) * (cap));            \
            if ((n) > 0) memcpy(bigger_, (array), sizeof *(array) * (n));                          \
            (array) = bigger_;                                                                     \
        }                                                                                          \
        (array)[(n)++] = (item);                                                                   \
    } while (0)

// ------------------------------------------------------------------------------------ keys

static void put_time(char *p, int64_t at) {
    uint64_t v = (uint64_t)at ^ (uint64_t)1 << 63;
    for (int i = 0; i < START_BYTES; i++) p[i] = (char)(v >> (56 - 8 * i));
}

static int64_t get_time(const char *p) {
    uint64_t v = 0;
    for (int i = 0; i < START_BYTES; i++) v = v << 8 | (uint8_t)p[i];
    return (int64_t)(v ^ (uint64_t)1 << 63);
}

static base_str key_at(base_arena *arena, base_str partition, int64_t at) {
    char *p = base_arena_alloc_aligned(arena, partition.n + START_BYTES, 1);
    memcpy(p, partition.p, partition.n);
    put_time(p + partition.n, at);
    return (base_str){p, partition.n + START_BYTES};
}

static base_str partition_of(base_str key) {
    return (base_str){key.p, key.n - START_BYTES};
}

static int64_t time_of(base_str key) {
    return get_time(key.p + key.n - START_BYTES);
}

// The rows with a time in order of partition and time.
static void sort_rows(walk *w) {
    base_arena *arena = w->ctx->arena;
    const plan_node *node = w->grow->op.node;
    const col_vec *time = &w->rows->cols[node->time_column];
    uint32_t n = w->rows->nrows;
    base_str *partitions = base_arena_alloc(arena, sizeof *partitions * (n + 1u));
    base_str *timed = base_arena_alloc(arena, sizeof *timed * (n + 1u));
    uint32_t *row_of = base_arena_alloc(arena, sizeof *row_of * (n + 1u));
    flow_keys_encode_divided(w->ctx->workers, arena, w->rows, node->window->npartition,
                             node->window->partition, partitions);
    w->keys = base_arena_alloc(arena, sizeof *w->keys * (n + 1u));
    w->order = base_arena_alloc(arena, sizeof *w->order * (n + 1u));
    for (uint32_t i = 0; i < n; i++) {
        if (col_is_null(time, i)) continue;
        w->keys[i] = key_at(arena, partitions[i], col_i64(time)[i]);
        row_of[w->n] = i;
        timed[w->n++] = w->keys[i];
    }
    const uint32_t *order = col_keys_sort(w->ctx->workers, arena, w->n, timed);
    for (uint32_t i = 0; i < w->n; i++) w->order[i] = row_of[order[i]];
}

// ------------------------------------------------------------------------------------ state

// A stored session of the partition; false: the place is another's, or the end.
static base_rc read_session(base_str partition, base_str key, base_str value, bool end, extent *out,
                            bool *found, base_error *err) {
    *found = !end && key.n == partition.n + START_BYTES && base_str_starts(key, partition);
    if (!*found) return BASE_OK;
    if (value.n != SESSION_VALUE || value.p[0] != SESSION_VERSION)
        return base_fail(err, BASE_E_CORRUPT, NULL, "a stored session has %zu bytes", value.n);
    *out = (extent){time_of(key), get_time(value.p + 1)};
    return BASE_OK;
}

static void write(walk *w, base_str key, base_str value) {
    const stored_write item = {key, value};
    ADD(w, w->writes, w->nwrites, w->writes_cap, item);
}

static void write_session(walk *w, base_str partition, const extent *s) {
    char *value = base_arena_alloc_aligned(w->ctx->arena, SESSION_VALUE, 1);
    value[0] = SESSION_VERSION;
    put_time(value + 1, s->last);
    write(w, key_at(w->ctx->arena, partition, s->start), (base_str){value, SESSION_VALUE});
}

// ------------------------------------------------------------------------------------ sessions

static void take_in(walk *w, extent *session, const extent *stored) {
    ADD(w, w->stored, w->nstored, w->stored_cap, *stored);
    if (stored->start < session->start) session->start = stored->start;
    if (stored->last > session->last) session->last = stored->last;
}

// The stored session that begins with the row or before it, if the row is in it; the cursor is left
// before the next one.
static base_rc find_before(walk *w, base_str key, extent *session, base_error *err) {
    base_str partition = partition_of(key), at, value;
    extent stored;
    bool end, found;
    base_rc rc = state_cursor_seek(w->cursor, key, &at, &value, &end, err);
    if (rc == BASE_OK && !end && base_str_eq(at, key)) {
        rc = read_session(partition, at, value, end, &stored, &found, err);
        if (rc == BASE_OK) take_in(w, session, &stored);
        return rc;
    }
    if (rc == BASE_OK) rc = state_cursor_prev(w->cursor, &at, &value, &end, err);
    if (rc == BASE_OK) rc = read_session(partition, at, value, end, &stored, &found, err);
    if (rc == BASE_OK && found && !session_apart(w->grow->gap_us, stored.last, session->start))
        take_in(w, session, &stored);
    return rc;
}

// The session that begins with order[*at] or before it: the step's rows and the stored sessions
// that follow each other without a gap. *at moves on to the first row behind it.
static base_rc find_session(walk *w, uint32_t *at, extent *session, base_error *err) {
    base_str first = w->keys[w->order[*at]], partition = partition_of(first), key, value;
    int64_t gap = w->grow->gap_us;
    *session = (extent){time_of(first), time_of(first)};
    w->nstored = 0;
    base_rc rc = find_before(w, first, session, err);
    extent ahead = {0};
    bool known = false, found = false, end;
    for (++*at; rc == BASE_OK;) {
        if (!known) {
            rc = state_cursor_next(w->cursor, &key, &value, &end, err);
            if (rc == BASE_OK) rc = read_session(partition, key, value, end, &ahead, &found, err);
            if (rc != BASE_OK) break;
            known = true;
        }
        bool row = *at < w->n && base_str_eq(partition_of(w->keys[w->order[*at]]), partition);
        int64_t when = row ? time_of(w->keys[w->order[*at]]) : 0;
        bool stored = found && (!row || ahead.start <= when);
        if (stored ? session_apart(gap, session->last, ahead.start)
                   : !row || session_apart(gap, session->last, when))
            break;
        if (stored) {
            take_in(w, session, &ahead);
            known = false;
        } else {
            if (when > session->last) session->last = when;
            ++*at;
        }
    }
    return rc;
}

// Rows order[begin..end) are in the session, and so are those of w->stored. Writes come in order: a
// session before those that it has taken in, which begin later.
static void settle(walk *w, uint32_t begin, uint32_t end, const extent *session) {
    base_str partition = partition_of(w->keys[w->order[begin]]);
    int64_t gap = w->grow->gap_us, end_us = session_end(gap, session->last);
    for (uint32_t i = begin; i < end; i++) {
        w->starts[w->order[i]] = session->start;
        w->ends[w->order[i]] = end_us;
    }
    bool as_it_was = w->nstored == 1 && w->stored[0].start == session->start &&
                     w->stored[0].last == session->last;
    if (as_it_was) return;
    write_session(w, partition, session);
    for (uint32_t i = 0; i < w->nstored; i++) {
        const extent *old = &w->stored[i];
        if (old->start != session->start)
            write(w, key_at(w->ctx->arena, partition, old->start), (base_str){NULL, 0});
        if (old->start != session->start || session_end(gap, old->last) != end_us)
            ADD(w, w->moves, w->nmoves, w->moves_cap, ((move){w->order[begin], *old, *session}));
    }
}

static base_rc find_sessions(walk *w, base_error *err) {
    base_arena *arena = w->ctx->arena;
    sort_rows(w);
    w->starts = base_arena_array(arena, int64_t, w->rows->nrows + 1u);
    w->ends = base_arena_array(arena, int64_t, w->rows->nrows + 1u);
    base_rc rc = state_cursor_open(w->ctx->txn, w->grow->table, &w->cursor, err);
    if (rc != BASE_OK) return rc;
    for (uint32_t at = 0, begin; at < w->n && rc == BASE_OK;) {
        extent session;
        begin = at;
        rc = find_session(w, &at, &session, err);
        if (rc == BASE_OK) settle(w, begin, at, &session);
        if (rc == BASE_OK && at / 1024 != begin / 1024)
            rc = flow_poll(w->grow->op.graph, w->ctx, err);
    }
    state_cursor_close(w->cursor);
    return rc;
}

// ------------------------------------------------------------------------------------ output

// The windows' columns of n rows.
static void window_columns(const walk *w, col_vec *out, uint32_t n, const int64_t *starts,
                           const int64_t *ends, uint8_t *nulls) {
    base_arena *arena = w->ctx->arena;
    const plan_node *node = w->grow->op.node;
    col_type type = node->inputs[0]->columns[node->time_column].type;
    int64_t *times = base_arena_alloc(arena, sizeof *times * (n + 1u));
    for (uint32_t i = 0; i < n; i++) times[i] = session_time(ends[i]);
    const int64_t *data[PLAN_WINDOW_COLUMNS] = {starts, ends, times};
    for (uint32_t c = 0; c < PLAN_WINDOW_COLUMNS; c++)
        out[c] =
            (col_vec){.type = type, .n = n, .data = (void *)(uintptr_t)data[c], .nulls = nulls};
}

// The aggregate's keys of sessions that have moved: as they were, or as they are.
static col_batch *key_rows(const walk *w, bool after) {
    base_arena *arena = w->ctx->arena;
    const grow_op *grow = w->grow;
    uint32_t n = w->nmoves, nin = w->rows->ncols;
    uint32_t *rows = base_arena_alloc(arena, sizeof *rows * (n + 1u));
    int64_t *starts = base_arena_alloc(arena, sizeof *starts * (n + 1u));
    int64_t *ends = base_arena_alloc(arena, sizeof *ends * (n + 1u));
    for (uint32_t i = 0; i < n; i++) {
        const extent *extent = after ? &w->moves[i].to : &w->moves[i].from;
        rows[i] = w->moves[i].row;
        starts[i] = extent->start;
        ends[i] = session_end(grow->gap_us, extent->last);
    }
    col_vec windows[PLAN_WINDOW_COLUMNS];
    window_columns(w, windows, n, starts, ends, NULL);
    col_batch *keys = base_arena_new(arena, col_batch);
    *keys = (col_batch){grow->nkeys, n, base_arena_array(arena, col_vec, grow->nkeys), NULL};
    for (uint32_t k = 0; k < grow->nkeys; k++) {
        uint32_t c = grow->columns[k];
        keys->cols[k] =
            c >= nin ? windows[c - nin] : *col_vec_gather(arena, &w->rows->cols[c], rows, n);
    }
    return keys;
}

static base_rc emit_rows(walk *w, flow_out *out, base_error *err) {
    base_arena *arena = w->ctx->arena;
    const col_batch *rows = w->rows;
    uint32_t n = rows->ncols, most = w->grow->op.graph->batch_rows;
    col_batch *all = base_arena_new(arena, col_batch);
    *all = (col_batch){n + PLAN_WINDOW_COLUMNS, rows->nrows,
                       base_arena_array(arena, col_vec, n + PLAN_WINDOW_COLUMNS), rows->weights};
    memcpy(all->cols, rows->cols, sizeof(col_vec) * n);
    window_columns(w, all->cols + n, rows->nrows, w->starts, w->ends,
                   rows->cols[w->grow->op.node->time_column].nulls);
    base_rc rc = BASE_OK;
    for (uint32_t at = 0; at < rows->nrows && rc == BASE_OK; at += most) {
        uint32_t m = rows->nrows - at < most ? rows->nrows - at : most;
        rc = flow_emit(out, w->ctx, m == rows->nrows ? all : col_batch_slice(arena, all, at, m),
                       err);
    }
    return rc;
}

// ------------------------------------------------------------------------------------ a step

static base_rc grow_push(flow_op *op, flow_ctx *ctx, uint32_t port, const col_batch *batch,
                         flow_out *out, base_error *err) {
    (void)port, (void)out;
    op->stats.rows_in += batch->nrows;
    flow_pile_add(&((grow_op *)op)->pile, ctx->arena, batch);
    return flow_poll(op->graph, ctx, err);
}

static base_rc write_all(const walk *w, base_error *err) {
    base_arena *arena = w->ctx->arena;
    if (w->nwrites == 0) return BASE_OK;
    base_str *keys = base_arena_alloc(arena, sizeof *keys * w->nwrites);
    base_str *values = base_arena_alloc(arena, sizeof *values * w->nwrites);
    for (uint32_t i = 0; i < w->nwrites; i++) {
        keys[i] = w->writes[i].key;
        values[i] = w->writes[i].value;
    }
    return state_put_batch(w->ctx->txn, w->grow->table, w->nwrites, keys, values, err);
}

static base_rc grow_flush(flow_op *op, flow_ctx *ctx, flow_out *out, base_error *err) {
    grow_op *grow = (grow_op *)op;
    if (grow->pile.n == 0) return BASE_OK;
    walk w = {.grow = grow, .ctx = ctx};
    w.rows = flow_pile_concat(&grow->pile, ctx->arena, op->node->inputs[0]);
    grow->pile = (flow_pile){0};
    base_rc rc = find_sessions(&w, err);
    if (rc == BASE_OK && w.nmoves > 0)
        flow_agg_move(grow->aggregate, ctx, key_rows(&w, false), key_rows(&w, true));
    if (rc == BASE_OK) rc = emit_rows(&w, out, err);
    return rc == BASE_OK ? write_all(&w, err) : rc;
}

static base_rc grow_save(flow_op *op, flow_ctx *ctx, base_error *err) {
    (void)op, (void)ctx, (void)err; // written at flush
    return BASE_OK;
}

static void grow_reset(flow_op *op) {
    ((grow_op *)op)->pile = (flow_pile){0};
}

// Sessions are not over before they begin, and those of a partition are apart.
static base_rc grow_verify(flow_op *op, flow_ctx *ctx, base_error *err) {
    grow_op *grow = (grow_op *)op;
    base_str before = {NULL, 0}, key, value;
    extent last = {0}, session;
    state_cursor *cursor;
    base_rc rc = state_cursor_open(ctx->txn, grow->table, &cursor, err);
    if (rc != BASE_OK) return rc;
    for (bool end = false, found;;) {
        rc = state_cursor_next(cursor, &key, &value, &end, err);
        if (rc != BASE_OK || end) break;
        base_str partition = partition_of(key);
        rc = read_session(partition, key, value, end, &session, &found, err);
        if (rc != BASE_OK) break;
        bool same = before.p != NULL && base_str_eq(before, partition);
        if (session.last < session.start ||
            (same && !session_apart(grow->gap_us, last.last, session.start))) {
            rc = base_fail(err, BASE_E_CORRUPT, NULL,
                           "view %u, node %u: stored sessions are not apart", op->view_id,
                           op->node_id);
            break;
        }
        before = (base_str){base_arena_memdup(ctx->arena, partition.p, partition.n), partition.n};
        last = session;
    }
    state_cursor_close(cursor);
    return rc;
}

static void grow_stats(flow_op *op, flow_op_stats *stats) {
    *stats = op->stats;
}

static void grow_close(flow_op *op) {
    (void)op;
}

void flow_session_grow_feed(flow_op *session, flow_op *aggregate, const uint32_t *columns) {
    grow_op *grow = (grow_op *)session;
    grow->aggregate = aggregate;
    grow->nkeys = aggregate->node->nexprs;
    grow->columns = columns;
}

base_rc flow_session_grow_create(flow_graph *graph, uint32_t view_id, const plan_node *node,
                                 flow_op **out, base_error *err) {
    static const flow_op_class class = {.name = "session",
                                        .layout = FLOW_LAYOUT_GROWN + 1,
                                        .push = grow_push,
                                        .flush = grow_flush,
                                        .save = grow_save,
                                        .reset = grow_reset,
                                        .verify = grow_verify,
                                        .stats = grow_stats,
                                        .close = grow_close};
    grow_op *grow = base_arena_new(&graph->arena, grow_op);
    FLOW_OP_INIT(&grow->op, &class, graph, view_id, node);
    *out = &grow->op;
    grow->gap_us = node->window->size.n;
    must(graph->store != NULL);
    return flow_table_open(graph, false, view_id, node->id, "sessions", &grow->table, err);
}
