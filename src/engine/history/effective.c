// effective.c - views by business-effective time: see effective.h.
//
// Nothing is kept for it: the log has the facts, and a view's plan run for one step over them gives
// its rows. Invariant: with an instant after all effective times the rows are those that the view
// had at the step (of a view with EMIT ON WINDOW CLOSE also those of windows still open, which wait
// in the flow). Entry point: engine_effective_rows.

#include "engine/history/effective.h"

#include "base/calendar.h"
#include "base/must.h"
#include "engine/version/version.h"

typedef struct computing {
    engine_session *session;
    int64_t effective_us;
    base_arena *arena;
    uint32_t depth;
    bool is_present; // of the last steps: not as of an earlier instant
} computing;

#define DEPTH_MAX 64u // of views over views

// A row that fails has been left out of the view, too.
static void ignore_failed(void *self, uint32_t node_id, const col_batch *batch, uint32_t row,
                          const base_error *err) {
    (void)self, (void)node_id, (void)batch, (void)row, (void)err;
}

static void ignore_unmatched(void *self, const plan_object *object, uint32_t partition,
                             uint64_t offset) {
    (void)self, (void)object, (void)partition, (void)offset;
}

static void ignore_duplicate(void *self, const plan_object *object, uint32_t partition,
                             uint64_t offset, uint32_t original_partition,
                             uint64_t original_offset) {
    (void)self, (void)object, (void)partition, (void)offset;
    (void)original_partition, (void)original_offset;
}

// ---- what a plan reads --------------------------------------------------------------------------

typedef struct reads {
    base_arena *arena;
    uint32_t n, cap;
    const plan_object **objects;
} reads;

static void add_read(void *arg, const plan_node *scan) {
    reads *r = arg;
    for (uint32_t i = 0; i < r->n; i++)
        if (r->objects[i] == scan->object) return;
    if (r->n == r->cap) {
        uint32_t cap = r->cap == 0 ? 8 : 2 * r->cap;
        const plan_object **more = base_arena_array(r->arena, const plan_object *, cap);
        if (r->n > 0) memcpy(more, r->objects, r->n * sizeof *more);
        r->objects = more;
        r->cap = cap;
    }
    r->objects[r->n++] = scan->object;
}

// What is no longer in the log counted in the view, and cannot be told by its effective time.
static base_rc check_log(computing *c, const plan_object *object, base_error *err) {
    engine_stream *stream = engine_stream_hold(c->session->engine, object);
    if (stream == NULL) return BASE_OK; // the query says so
    base_rc rc = BASE_OK;
    for (uint32_t p = 0; rc == BASE_OK && p < log_stream_partitions(stream->log); p++) {
        uint64_t begin = log_begin(stream->log, p);
        if (begin == 0) continue;
        rc = base_fail(err, BASE_E_UNSUPPORTED, BASE_SQLSTATE_NOT_IN_STATE,
                       "records of \"%s.%s\", partition %u, before offset %llu are not in its log "
                       "any more: what stands on it cannot be told by effective time",
                       object->schema, object->name, p, (unsigned long long)begin);
    }
    engine_stream_release(stream);
    return rc;
}

// What a look-up gave depends on when the event came, which the log does not say.
static bool looks_up(const plan_node *node) {
    bool found = node->kind == PLAN_NODE_LOOKUP;
    for (uint32_t i = 0; i < node->ninputs && !found; i++) found = looks_up(node->inputs[i]);
    return found;
}

// ---- one view -----------------------------------------------------------------------------------

static base_rc view_rows(computing *c, const plan_object *view, uint64_t step,
                         const col_batch **rows, base_error *err);

// Of a view that no step has listed yet: what it was given at its making, by its flow's cursors.
static base_rc newborn_moment(computing *c, const plan_object *view,
                              const engine_view_snapshot *snapshot, engine_moment *out,
                              base_error *err) {
    reads r = {.arena = c->arena};
    plan_node_scans(view->plan, add_read, &r);
    *out = (engine_moment){.step = snapshot->step, .at_us = snapshot->now_us};
    uint32_t most = 0;
    for (uint32_t i = 0; i < r.n; i++) most += r.objects[i]->partitions + 1u;
    out->inputs = base_arena_array(c->arena, engine_moment_input, most + 1);
    for (uint32_t i = 0; i < r.n; i++) {
        const plan_object *object = r.objects[i];
        bool is_view = object->kind == PLAN_OBJECT_VIEW;
        if (is_view && engine_flow_of_view(c->session->engine, object->id) == snapshot->flow)
            continue; // at the same step
        uint32_t n = is_view || object->partitions == 0 ? 1 : object->partitions;
        for (uint32_t p = 0; p < n; p++) {
            engine_cursor cursor;
            bool found;
            base_rc rc = engine_cursor_read(snapshot->txn, snapshot->flow->t_cursor, object->id, p,
                                            &cursor, &found, err);
            if (rc != BASE_OK) return rc;
            out->inputs[out->ninputs++] =
                (engine_moment_input){object->id, p, found ? cursor.next : 0, ENGINE_NO_WATERMARK};
        }
    }
    return BASE_OK;
}

// The query that a view has now was another's before it was promoted.
static base_rc check_version(const plan_object *view, const engine_view_snapshot *snapshot,
                             const engine_moment *m, base_error *err) {
    engine_version_row row;
    bool found;
    base_rc rc = engine_version_read(snapshot->flow, snapshot->txn, view->id, &row, &found, err);
    if (rc != BASE_OK || !found || m->step >= row.step) return rc;
    uint64_t step;
    int64_t us;
    rc = engine_moment_first(snapshot->txn, snapshot->flow->t_moment, row.step, &step, &us, &found,
                             err);
    if (rc != BASE_OK) return rc;
    char text[BASE_TIME_TEXT_MAX] = "later";
    if (found) base_rfc3339_format(us, text);
    base_fail(
        err, BASE_E_UNSUPPORTED, BASE_SQLSTATE_NOT_IN_STATE,
        "the query of \"%s.%s\" is that of a version promoted at %s: what counted before that "
        "cannot be told by it",
        view->schema, view->name, text);
    base_error_hint(err, "What was shown then can be read without an effective time.");
    return err->code;
}

// The moment of the view's flow: the last not after a step. Of the present the flow may have gone
// on since, and a view may be so new that only a later step has it, or none.
static base_rc find_moment(computing *c, const plan_object *view, uint64_t step, engine_moment *out,
                           base_error *err) {
    engine_view_snapshot snapshot;
    base_rc rc = engine_view_snapshot_open(c->session->engine, view, &snapshot, err);
    if (rc != BASE_OK) return rc;
    bool found;
    for (int again = 0; again < 2; again++) {
        rc = engine_moment_at_step(snapshot.txn, snapshot.flow->t_moment, step, c->arena, out,
                                   &found, err);
        found = rc == BASE_OK && found && engine_moment_find_view(out, view->id) != NULL;
        if (rc != BASE_OK || found || !c->is_present) break;
        step = snapshot.step;
    }
    if (rc == BASE_OK && !found && c->is_present)
        rc = newborn_moment(c, view, &snapshot, out, err);
    else if (rc == BASE_OK && !found)
        rc = base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER,
                       "the history of \"%s.%s\" does not reach back so far", view->schema,
                       view->name);
    if (rc == BASE_OK) rc = check_version(view, &snapshot, out, err);
    engine_view_snapshot_close(&snapshot);
    return rc;
}

static base_rc take_inputs(computing *c, const plan_object *view, const engine_moment *m,
                           engine_query_options *options, base_error *err) {
    reads r = {.arena = c->arena};
    plan_node_scans(view->plan, add_read, &r);
    engine_query_given *given = base_arena_array(c->arena, engine_query_given, r.n + 1);
    engine_upto *upto = base_arena_array(c->arena, engine_upto, m->ninputs + 1);
    for (uint32_t i = 0; i < m->ninputs; i++)
        upto[i] = (engine_upto){m->inputs[i].object_id, m->inputs[i].partition, m->inputs[i].next};
    options->upto = upto;
    options->nupto = m->ninputs;
    for (uint32_t i = 0; i < r.n; i++) {
        const plan_object *object = r.objects[i];
        if (object->kind != PLAN_OBJECT_VIEW) {
            base_rc rc = check_log(c, object, err);
            if (rc != BASE_OK) return rc;
            continue;
        }
        // Of the same flow: at the same step. Of another: at the step that was taken over.
        const engine_moment_input *input = engine_moment_find(m, object->id, 0);
        engine_query_given *one = &given[options->ngiven];
        one->object = object;
        base_rc rc = view_rows(c, object, input != NULL ? input->next : m->step, &one->rows, err);
        if (rc != BASE_OK) return rc;
        options->ngiven++;
    }
    options->given = given;
    return BASE_OK;
}

static const col_batch *with_system_columns(computing *c, const plan_object *view,
                                            const col_batch *rows, int64_t at_us) {
    uint32_t declared = engine_declared_columns(view), n = rows->nrows;
    col_type *types = base_arena_array(c->arena, col_type, view->ncolumns + 1);
    for (uint32_t i = 0; i < view->ncolumns; i++) types[i] = view->columns[i].type;
    col_batch *out = col_batch_create(c->arena, view->ncolumns, types, n);
    for (uint32_t i = 0; i < declared; i++) out->cols[i] = rows->cols[i];
    for (uint32_t i = declared; i < view->ncolumns; i++) {
        col_vec *vec = &out->cols[i];
        for (uint32_t row = 0; row < n; row++) {
            if (types[i].kind == COL_TEXT)
                col_str(vec)[row] = BASE_STR("recomputed");
            else
                col_i64(vec)[row] = types[i].kind == COL_TIMESTAMPTZ ? at_us : 0;
        }
    }
    out->nrows = n;
    return out;
}

static base_rc view_rows(computing *c, const plan_object *view, uint64_t step,
                         const col_batch **rows, base_error *err) {
    if (c->depth == DEPTH_MAX)
        return base_fail(err, BASE_E_LIMIT, NULL, "views over views are nested too deeply");
    if (looks_up(view->plan))
        return base_fail(err, BASE_E_UNSUPPORTED, BASE_SQLSTATE_NOT_IN_STATE,
                         "\"%s.%s\" looks rows up as they are when an event comes (FOR SYSTEM_TIME "
                         "AS OF PROCTIME()): they cannot be told by effective time",
                         view->schema, view->name);
    engine_moment m;
    base_rc rc = find_moment(c, view, step, &m, err);
    if (rc != BASE_OK) return rc;
    c->depth++;
    flow_hooks hooks = {
        .row_failed = ignore_failed, .duplicate = ignore_duplicate, .unmatched = ignore_unmatched};
    engine_query_options options = {.now_us = m.at_us,
                                    .hooks = &hooks,
                                    .exact = true,
                                    .as_views = true,
                                    .by_effective = true,
                                    .effective_us = c->effective_us};
    rc = take_inputs(c, view, &m, &options, err);
    engine_standing ignored;
    if (rc == BASE_OK)
        rc = engine_query_with(c->session, view->plan, &options, c->arena, rows, &ignored, err);
    c->depth--;
    if (rc == BASE_OK) *rows = with_system_columns(c, view, *rows, m.at_us);
    return rc;
}

base_rc engine_effective_rows(engine_session *session, const plan_object *view, uint64_t step,
                              bool is_present, int64_t effective_us, base_arena *arena,
                              const col_batch **rows, base_error *err) {
    computing c = {session, effective_us, arena, 0, is_present};
    base_rc rc = view_rows(&c, view, step, rows, err);
    if (rc != BASE_OK)
        base_error_prefix(err, "\"%s.%s\" by effective time", view->schema, view->name);
    return rc;
}

// ---- which records count ------------------------------------------------------------------------

static int64_t to_utc(int64_t local_us, const base_zone *zone) {
    int64_t us = local_us;
    if (local_us == INT64_MIN || local_us == INT64_MAX) return local_us; // infinities
    if (zone != NULL) us -= base_zone_offset_local(zone, local_us) * BASE_US_PER_SECOND;
    return us;
}

static int64_t day_begin(int32_t date, const base_zone *zone) {
    if (date == INT32_MAX) return INT64_MAX;
    int64_t local_us;
    if (__builtin_mul_overflow((int64_t)date, 86400 * BASE_US_PER_SECOND, &local_us))
        return date < 0 ? INT64_MIN : INT64_MAX;
    return to_utc(local_us, zone);
}

static int64_t effective_of(const col_vec *vec, uint32_t row, const base_zone *zone) {
    switch (vec->type.kind) {
    case COL_DATE:
        return day_begin(col_i32(vec)[row], zone);
    case COL_TIMESTAMP:
        return to_utc(col_i64(vec)[row], zone);
    default:
        return col_i64(vec)[row];
    }
}

const uint8_t *engine_effective_hidden(const col_batch *rows, uint32_t column,
                                       const uint8_t *deletes, int64_t effective_us,
                                       const base_zone *zone, base_arena *arena) {
    const col_vec *vec = &rows->cols[column];
    uint8_t *hidden = NULL;
    for (uint32_t i = 0; i < rows->nrows; i++) {
        if (col_is_null(vec, i) || (deletes != NULL && deletes[i] != 0)) continue;
        if (effective_of(vec, i, zone) <= effective_us) continue;
        if (hidden == NULL) hidden = base_arena_zalloc(arena, rows->nrows);
        hidden[i] = 1;
    }
    return hidden;
}
