// replay_quarantine.c - records out of quarantine: those that keep their stream's contract now,
// since the contract has been changed or a CHECK taken away, are appended to the stream as they
// came, with their origin in the record's headers.
//
// Only streams with a business key take part: what was put back before a crash, or sent again by
// its producer meanwhile, is then recognised as a duplicate, and nothing is counted twice. What was
// put back is noted by its offset in the table "replays" of the catalogue's store ('Q', object id,
// offset; after the log is durable), so that a second run finds nothing. The records stay in
// quarantine, as what was refused when it came. Entry point: engine_replay_quarantine.
#include <stdio.h>
#include <string.h>

#include "base/be.h"
#include "base/must.h"
#include "engine/version/replay.h"

typedef struct putting_back {
    engine *engine;
    uint32_t number;
    volatile bool *cancel;
    uint64_t *read, *appended;
    bool any_stream;
    base_rc rc;
    base_error *err;
} putting_back;

static base_str note_key(char out[13], uint32_t object_id, uint64_t offset) {
    out[0] = 'Q';
    base_be_put(out + 1, object_id, 4);
    base_be_put(out + 5, offset, 8);
    return (base_str){out, 13};
}

// Which records of the batch have not been put back.
static base_rc find_left(putting_back *p, const plan_object *object, const log_batch *batch,
                         uint32_t *left, uint32_t *n, base_error *err) {
    state_txn *txn;
    base_rc rc = state_begin_read(p->engine->meta, &txn, err);
    if (rc != BASE_OK) return rc;
    *n = 0;
    for (uint32_t i = 0; rc == BASE_OK && i < batch->count; i++) {
        char key[13];
        base_str value;
        bool found;
        rc = state_get(txn, p->engine->t_replays, note_key(key, object->id, batch->base_offset + i),
                       &value, &found, err);
        if (!found) left[(*n)++] = i;
    }
    state_abort(txn);
    return rc;
}

static base_rc note_back(putting_back *p, const plan_object *object, const log_batch *batch,
                         const uint32_t *left, const bool *was_good, uint32_t n, base_error *err) {
    state_txn *txn;
    base_rc rc = state_begin_write(p->engine->meta, &txn, err);
    if (rc != BASE_OK) return rc;
    for (uint32_t i = 0; rc == BASE_OK && i < n; i++) {
        char key[13];
        if (was_good[i])
            rc = state_put(txn, p->engine->t_replays,
                           note_key(key, object->id, batch->base_offset + left[i]), BASE_STR("1"),
                           err);
    }
    if (rc == BASE_OK) return state_commit(txn, err);
    state_abort(txn);
    return rc;
}

static base_rc put_back_batch(putting_back *p, const plan_object *object, const log_batch *batch,
                              base_arena *arena, base_error *err) {
    uint32_t *left = base_arena_array(arena, uint32_t, batch->count), n, ngood = 0;
    base_rc rc = find_left(p, object, batch, left, &n, err);
    *p->read += batch->count;
    if (rc != BASE_OK || n == 0) return rc;
    base_str *docs = base_arena_array(arena, base_str, n);
    base_str *headers = base_arena_array(arena, base_str, n);
    bool *was_good = base_arena_array(arena, bool, n);
    base_buf origin = {0};
    base_buf header = {0};
    base_buf_printf(&origin, "quarantine, replay %u", p->number);
    log_headers_add(&header, BASE_STR(ENGINE_HEADER_ORIGIN), base_buf_str(&origin));
    for (uint32_t i = 0; i < n; i++) {
        docs[i] = log_batch_record(batch, left[i]);
        headers[i] = base_buf_str(&header);
    }
    rc = engine_ingest_again(p->engine, object, n, docs, headers, was_good, err);
    for (uint32_t i = 0; i < n; i++) ngood += was_good[i];
    if (rc == BASE_OK && ngood > 0) rc = note_back(p, object, batch, left, was_good, n, err);
    if (rc == BASE_OK) *p->appended += ngood;
    base_buf_deinit(&origin);
    base_buf_deinit(&header);
    return rc;
}

static base_rc put_back_stream(putting_back *p, engine_stream *stream, base_error *err) {
    plat_mutex_lock(&stream->lock);
    log_stream *log = stream->quarantine;
    plat_mutex_unlock(&stream->lock);
    p->any_stream = true;
    if (log == NULL) return BASE_OK;
    uint64_t end_offset = log_end(log, 0); // what comes meanwhile is for another run
    log_reader *reader;
    base_rc rc = log_reader_open(log, 0, log_begin(log, 0), &reader, err);
    if (rc != BASE_OK) return rc;
    base_arena arena;
    base_arena_init(&arena, 1 << 14);
    while (rc == BASE_OK && log_reader_offset(reader) < end_offset) {
        log_batch batch;
        bool end;
        if (*p->cancel) rc = base_fail(err, BASE_E_CANCELLED, BASE_SQLSTATE_CANCELLED, "cancelled");
        if (rc == BASE_OK) rc = log_reader_next(reader, &batch, &end, err);
        if (rc != BASE_OK || end) break;
        base_arena_reset(&arena);
        rc = put_back_batch(p, stream->object, &batch, &arena, err);
        log_reader_release(reader);
    }
    base_arena_deinit(&arena);
    log_reader_close(reader);
    return rc;
}

static void visit_scan(void *arg, const plan_node *scan) {
    putting_back *p = arg;
    const plan_object *object = scan->object;
    if (p->rc != BASE_OK) return;
    if (object->kind == PLAN_OBJECT_VIEW) {
        plan_node_scans(object->plan, visit_scan, p);
        return;
    }
    engine_stream *stream = engine_stream_of(p->engine, object);
    if (stream != NULL && object->kind == PLAN_OBJECT_STREAM && object->nkey > 0)
        p->rc = put_back_stream(p, stream, p->err);
}

base_rc engine_replay_quarantine(engine *e, const plan_object *view, uint32_t replay_number,
                                 volatile bool *cancel, uint64_t *read, uint64_t *appended,
                                 base_error *err) {
    putting_back p = {e, replay_number, cancel, read, appended, false, BASE_OK, err};
    *read = *appended = 0;
    plan_node_scans(view->plan, visit_scan, &p);
    if (p.rc == BASE_OK && !p.any_stream)
        return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER,
                         "\"%s.%s\" reads no stream with a business key: a record could be counted "
                         "twice",
                         view->schema, view->name);
    return p.rc;
}
