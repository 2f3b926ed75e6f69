// known.c - see known.h. A flow counts duplicates by partition, with its cursors, and lists the
// last ones by place: if the list is as long as the count and the flow's count of records says that
// it has read all that the log still has, the list is all there is. Entry point:
// engine_known_duplicates.

#include "engine/history/known.h"

#include <stdlib.h>
#include <string.h>

#include "engine/catalog_int.h"

typedef struct reader_search {
    engine *engine;
    uint32_t object_id, depth;
    engine_flow *flow;  // of the view being looked at
    engine_flow *found; // the one that reads the object
    bool several;
} reader_search;

static void visit_scan(void *arg, const plan_node *scan) {
    reader_search *s = arg;
    const plan_object *object = scan->object;
    if (object->id == s->object_id) {
        s->several |= s->found != NULL && s->found != s->flow;
        s->found = s->flow;
    }
    if (object->kind != PLAN_OBJECT_VIEW) return;
    engine_flow *flow = s->flow, *inner = engine_flow_of_view(s->engine, object->id);
    if (inner == NULL || s->depth == ENGINE_FLOWS_MAX) {
        s->several = true;
        return;
    }
    s->flow = inner, s->depth++;
    plan_node_scans(object->plan, visit_scan, s);
    s->flow = flow, s->depth--;
}

static int by_place(const void *x, const void *y) {
    const engine_known_duplicate *a = x, *b = y;
    if (a->partition != b->partition) return a->partition < b->partition ? -1 : 1;
    return (a->offset > b->offset) - (a->offset < b->offset);
}

// What the flow has counted; whether it has read all records that there are in the log.
static base_rc read_counts(engine_flow *flow, state_txn *txn, const plan_object *object,
                           log_stream *log, uint64_t *counted, bool *whole, base_error *err) {
    *counted = 0;
    *whole = true;
    base_rc rc = BASE_OK;
    for (uint32_t p = 0; rc == BASE_OK && p < log_stream_partitions(log); p++) {
        engine_cursor cursor = {0};
        bool found;
        rc = engine_cursor_read(txn, flow->t_cursor, object->id, p, &cursor, &found, err);
        if (rc != BASE_OK) break;
        uint64_t begin = log_begin(log, p), next = found ? cursor.next : 0;
        if (next > begin) *whole &= cursor.records >= next - begin;
        *counted += cursor.duplicates;
    }
    return rc;
}

static base_rc read_list(engine_flow *flow, state_txn *txn, const plan_object *object,
                         base_arena *arena, uint32_t *n, engine_known_duplicate **out,
                         base_error *err) {
    state_cursor *cursor;
    base_rc rc = state_cursor_open(txn, flow->t_duplicate, &cursor, err);
    if (rc != BASE_OK) return rc;
    engine_known_duplicate *list =
        base_arena_array(arena, engine_known_duplicate, ENGINE_DUPLICATES_KEPT + 1);
    base_str key, value;
    bool end;
    *n = 0;
    rc = state_cursor_seek(cursor, (base_str){NULL, 0}, &key, &value, &end, err);
    while (rc == BASE_OK && !end && *n < ENGINE_DUPLICATES_KEPT) {
        engine_duplicate d = {0};
        if (value.n == sizeof d) memcpy(&d, value.p, sizeof d);
        if (d.object_id == object->id)
            list[(*n)++] = (engine_known_duplicate){d.partition, d.original_partition, d.offset,
                                                    d.original_offset};
        rc = state_cursor_next(cursor, &key, &value, &end, err);
    }
    state_cursor_close(cursor);
    if (*n > 1) qsort(list, *n, sizeof *list, by_place);
    *out = list;
    return rc;
}

base_rc engine_known_duplicates(engine *e, const plan_object *view, const plan_object *object,
                                base_arena *arena, uint32_t *n, engine_known_duplicate **out,
                                bool *all, base_error *err) {
    *n = 0;
    *all = false;
    reader_search s = {.engine = e, .object_id = object->id};
    s.flow = engine_flow_of_view(e, view->id);
    if (s.flow != NULL) plan_node_scans(view->plan, visit_scan, &s);
    if (s.found == NULL || s.several) return BASE_OK;
    engine_stream *stream = engine_stream_hold(e, object);
    if (stream == NULL) return BASE_OK;
    state_txn *txn;
    uint64_t counted;
    bool whole = false;
    base_rc rc = engine_flow_begin_read(s.found, &txn, err);
    if (rc == BASE_OK) {
        rc = read_counts(s.found, txn, object, stream->log, &counted, &whole, err);
        if (rc == BASE_OK && whole && counted <= ENGINE_DUPLICATES_KEPT) {
            rc = read_list(s.found, txn, object, arena, n, out, err);
            *all = rc == BASE_OK && *n == counted;
        }
        state_abort(txn);
    }
    engine_stream_release(stream);
    return rc;
}
