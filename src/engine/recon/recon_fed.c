// recon_fed.c - up to when a view has what came: the instant before which everything that was
// appended to the logs that it is made of is in its rows. A view may be behind (a long refresh, a
// backlog, a flow that fails), and what it does not show then is no finding about the facts; so
// what is confirmed is measured by this instant (recon_settle.c), not by when a run began.
//
// Found by the cursors of the flow's store, in the snapshot that is compared: the append time of
// the first record that was not read. A view of another flow is as far as that is; and where its
// last change was not read yet, as far as the last step that was.
//
// Entry point: recon_fed_us.

#include "base/must.h"
#include "engine/recon/recon_int.h"

#define VIEWS_DEEP 16u // views between a view and its streams

typedef struct feeding {
    engine *engine;
    const engine_view_snapshot *snapshot; // of the flow whose cursors count
    uint32_t depth;
    int64_t fed_us;
    base_rc rc;
    base_error *err;
} feeding;

static void at_most(feeding *f, int64_t us) {
    if (us < f->fed_us) f->fed_us = us;
}

static base_rc see_partition(feeding *f, engine_stream *stream, const plan_object *object,
                             uint32_t partition) {
    engine_cursor cursor;
    bool found, end;
    const engine_view_snapshot *s = f->snapshot;
    base_rc rc = engine_cursor_read(s->txn, s->flow->t_cursor, object->id, partition, &cursor,
                                    &found, f->err);
    if (rc != BASE_OK || !found) return rc; // it reads nothing of it
    uint64_t begin = log_begin(stream->log, partition);
    uint64_t next = cursor.next > begin ? cursor.next : begin;
    if (next >= log_end(stream->log, partition)) return BASE_OK;
    log_reader *reader;
    log_batch batch;
    rc = log_reader_open(stream->log, partition, next, &reader, f->err);
    if (rc != BASE_OK) return rc;
    rc = log_reader_next(reader, &batch, &end, f->err);
    if (rc == BASE_OK && !end) at_most(f, batch.info.append_us);
    log_reader_close(reader);
    return rc;
}

static base_rc see_stream(feeding *f, const plan_object *object) {
    engine_stream *stream = engine_stream_hold(f->engine, object);
    if (stream == NULL) return BASE_OK; // dropped: nothing comes any more
    base_rc rc = BASE_OK;
    for (uint32_t p = 0; rc == BASE_OK && p < log_stream_partitions(stream->log); p++)
        rc = see_partition(f, stream, object, p);
    engine_stream_release(stream);
    return rc;
}

static void see_scan(void *arg, const plan_node *scan);

static base_rc see_view(feeding *f, const plan_object *view) {
    if (f->depth == VIEWS_DEEP) return BASE_OK;
    if (engine_flow_of_view(f->engine, view->id) == f->snapshot->flow) {
        f->depth++;
        plan_node_scans(view->plan, see_scan, f);
        f->depth--;
        return f->rc;
    }
    engine_view_snapshot other;
    base_rc rc = engine_view_snapshot_open(f->engine, view, &other, f->err);
    if (rc != BASE_OK) return rc;
    engine_cursor cursor;
    bool found;
    rc = engine_cursor_read(f->snapshot->txn, f->snapshot->flow->t_cursor, view->id, 0, &cursor,
                            &found, f->err);
    // Of a view as an input the cursor is the step that was read last.
    if (rc == BASE_OK && found && cursor.next < other.changed_step) at_most(f, f->snapshot->now_us);
    feeding below = {.engine = f->engine, .snapshot = &other, .depth = f->depth + 1, .err = f->err};
    below.fed_us = f->fed_us;
    if (rc == BASE_OK) {
        plan_node_scans(view->plan, see_scan, &below);
        rc = below.rc;
    }
    at_most(f, below.fed_us);
    engine_view_snapshot_close(&other);
    return rc;
}

static void see_scan(void *arg, const plan_node *scan) {
    feeding *f = arg;
    const plan_object *object = scan->object;
    if (f->rc != BASE_OK || object == NULL) return;
    if (object->kind == PLAN_OBJECT_VIEW)
        f->rc = see_view(f, object);
    else if (object->kind == PLAN_OBJECT_STREAM || object->kind == PLAN_OBJECT_TABLE)
        f->rc = see_stream(f, object);
}

base_rc recon_fed_us(engine *e, const plan_object *view, const engine_view_snapshot *snapshot,
                     int64_t *fed_us, base_error *err) {
    feeding f = {.engine = e, .snapshot = snapshot, .fed_us = *fed_us, .err = err};
    plan_node_scans(view->plan, see_scan, &f);
    if (f.rc == BASE_OK) *fed_us = f.fed_us;
    return f.rc;
}
