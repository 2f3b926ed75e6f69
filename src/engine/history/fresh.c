// fresh.c - how far behind an answer was: see fresh.h. The step's moment says how far each input
// had been read; the logs, and the change logs of views of other flows, say what had come by the
// instant. Entry point: engine_lag_then.

#include "engine/history/fresh.h"

#define DEPTH_MAX 64u // of views over views

typedef struct lagging {
    engine *e;
    base_arena *arena;
    int64_t us;     // the instant
    int64_t lag_us; // of the inputs seen so far
    uint32_t depth;
    base_rc rc;
    base_error *err;
} lagging;

// One view of them.
typedef struct reading {
    lagging *l;
    const engine_moment *moment;
} reading;

static void add_lag(lagging *l, int64_t since_us) {
    int64_t lag_us = l->us > since_us ? l->us - since_us : 0;
    if (l->lag_us != ENGINE_LAG_UNKNOWN && lag_us > l->lag_us) l->lag_us = lag_us;
}

// The first record of a partition from `next` on had come at *us.
static base_rc append_time(engine_stream *stream, uint32_t p, uint64_t next, int64_t *us,
                           bool *found, base_error *err) {
    *found = false;
    log_reader *reader;
    base_rc rc = log_reader_open(stream->log, p, next, &reader, err);
    if (rc == BASE_E_NOT_FOUND) { // retention has taken it just now
        base_error_clear(err);
        return BASE_OK;
    }
    if (rc != BASE_OK) return rc;
    log_batch batch;
    bool end = false;
    rc = log_reader_next(reader, &batch, &end, err);
    if (rc == BASE_OK && !end) {
        *us = batch.info.append_us;
        *found = true;
    }
    log_reader_close(reader);
    return rc;
}

static base_rc log_lag(reading *r, const plan_object *object, base_error *err) {
    lagging *l = r->l;
    engine_stream *stream = engine_stream_hold(l->e, object);
    if (stream == NULL) { // dropped, as the view is
        l->lag_us = ENGINE_LAG_UNKNOWN;
        return BASE_OK;
    }
    base_rc rc = BASE_OK;
    for (uint32_t p = 0; rc == BASE_OK && p < log_stream_partitions(stream->log); p++) {
        const engine_moment_input *input = engine_moment_find(r->moment, object->id, p);
        uint64_t next = input != NULL ? input->next : 0, later;
        rc = log_find_time(stream->log, p, l->us + 1, &later, err);
        if (rc != BASE_OK || next >= later) continue;
        int64_t came_us;
        bool found = false;
        if (next >= log_begin(stream->log, p))
            rc = append_time(stream, p, next, &came_us, &found, err);
        if (rc == BASE_OK && found)
            add_lag(l, came_us);
        else
            l->lag_us = ENGINE_LAG_UNKNOWN;
    }
    engine_stream_release(stream);
    return rc;
}

static base_rc view_lag(lagging *l, const plan_object *view, const engine_moment *moment,
                        base_error *err);

// Of a view of another flow that had been read up to a step: its changes between that and the
// instant were unread, and as of that step it lagged itself.
static base_rc upstream_lag(lagging *l, const plan_object *view, uint64_t step, base_error *err) {
    engine_view_snapshot snapshot;
    base_rc rc = engine_view_snapshot_open(l->e, view, &snapshot, err);
    if (rc != BASE_OK) return rc;
    state_table t_moment = snapshot.flow->t_moment;
    engine_moment last, read;
    bool found, known = false;
    rc = engine_moment_at_time(snapshot.txn, t_moment, l->us, l->arena, &last, &found, err);
    if (rc == BASE_OK && found && last.step > step) {
        engine_change_counts counts = {0};
        if (step < snapshot.trimmed_step)
            l->lag_us = ENGINE_LAG_UNKNOWN;
        else
            rc = engine_changes_count(&snapshot, step, last.step, 1, &counts, err);
        if (counts.steps > 0) add_lag(l, counts.first_us);
    }
    if (rc == BASE_OK)
        rc = engine_moment_at_step(snapshot.txn, t_moment, step, l->arena, &read, &known, err);
    engine_view_snapshot_close(&snapshot);
    if (rc != BASE_OK) return rc;
    if (known) return view_lag(l, view, &read, err);
    if (found) l->lag_us = ENGINE_LAG_UNKNOWN; // else it had no step then, and nothing was read
    return BASE_OK;
}

static void read_input(void *arg, const plan_node *scan) {
    reading *r = arg;
    lagging *l = r->l;
    const plan_object *object = scan->object;
    if (l->rc != BASE_OK || l->lag_us == ENGINE_LAG_UNKNOWN) return;
    if (object->kind == PLAN_OBJECT_VIEW) {
        const engine_moment_input *input = engine_moment_find(r->moment, object->id, 0);
        l->rc = input != NULL ? upstream_lag(l, object, input->next, l->err)
                              : view_lag(l, object, r->moment, l->err);
    } else if (object->kind != PLAN_OBJECT_SYSTEM) {
        l->rc = log_lag(r, object, l->err);
    }
}

static base_rc view_lag(lagging *l, const plan_object *view, const engine_moment *moment,
                        base_error *err) {
    if (l->depth == DEPTH_MAX)
        return base_fail(err, BASE_E_LIMIT, NULL, "views over views are nested too deeply");
    reading r = {l, moment};
    l->depth++;
    plan_node_scans(view->plan, read_input, &r);
    l->depth--;
    return l->rc;
}

int64_t engine_lag_then(engine *e, const plan_object *view, uint64_t step, int64_t us) {
    base_arena arena;
    base_arena_init(&arena, 1 << 12);
    base_error err;
    lagging l = {.e = e, .arena = &arena, .us = us, .err = &err};
    engine_view_snapshot snapshot;
    engine_moment moment;
    bool found = false;
    base_rc rc = engine_view_snapshot_open(e, view, &snapshot, &err);
    if (rc == BASE_OK) {
        rc = engine_moment_at_step(snapshot.txn, snapshot.flow->t_moment, step, &arena, &moment,
                                   &found, &err);
        engine_view_snapshot_close(&snapshot);
    }
    if (rc == BASE_OK && found) rc = view_lag(&l, view, &moment, &err);
    base_arena_deinit(&arena);
    return rc == BASE_OK && found ? l.lag_us : ENGINE_LAG_UNKNOWN;
}
