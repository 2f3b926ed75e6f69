// instant.c - reading as of an earlier instant: see instant.h. The moments of a flow (moment.h)
// give the step and its clocks, the change log the rows (past.h); a view that only grows has its
// rows by their steps. Entry points: engine_instant_find, engine_instant_scan.

#include "engine/history/instant.h"

#include "base/calendar.h"
#include "engine/history/moment.h"
#include "engine/history/past.h"

base_rc engine_instant_first(const engine_view_snapshot *snapshot, int64_t *us, bool *found,
                             base_error *err) {
    uint64_t step;
    return engine_moment_first(snapshot->txn, snapshot->flow->t_moment, snapshot->history_step,
                               &step, us, found, err);
}

static base_rc not_so_far(const plan_object *view, const engine_view_snapshot *snapshot,
                          base_error *err) {
    int64_t first_us;
    bool found;
    base_rc rc = engine_instant_first(snapshot, &first_us, &found, err);
    if (rc != BASE_OK) return rc;
    if (found) {
        char text[BASE_TIME_TEXT_MAX];
        base_rfc3339_format(first_us, text);
        base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER,
                  "the history of materialized view \"%s.%s\" goes back to %s only", view->schema,
                  view->name, text);
    } else {
        base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER,
                  "materialized view \"%s.%s\" has no history yet", view->schema, view->name);
    }
    base_error_hint(err, "The view's option history says how much is kept of it.");
    return err->code;
}

static base_rc find(const plan_object *view, engine_view_snapshot *snapshot, int64_t us,
                    uint64_t from_step, base_error *err) {
    base_arena arena;
    base_arena_init(&arena, 1 << 12);
    engine_moment moment;
    bool found;
    base_rc rc = engine_moment_at_time(snapshot->txn, snapshot->flow->t_moment, us, &arena, &moment,
                                       &found, err);
    if (rc == BASE_OK && (!found || moment.step < from_step)) rc = not_so_far(view, snapshot, err);
    if (rc == BASE_OK) {
        const engine_moment_view *then = engine_moment_find_view(&moment, view->id);
        snapshot->step = moment.step;
        snapshot->now_us = moment.at_us;
        snapshot->watermark_us = then != NULL ? then->watermark_us : ENGINE_NO_WATERMARK;
        snapshot->final_us = engine_final_clock(view, snapshot->watermark_us, moment.closed_us);
    }
    base_arena_deinit(&arena);
    return rc;
}

base_rc engine_instant_find(const plan_object *view, engine_view_snapshot *snapshot, int64_t us,
                            base_error *err) {
    return find(view, snapshot, us, snapshot->history_step, err);
}

base_rc engine_instant_find_moment(const plan_object *view, engine_view_snapshot *snapshot,
                                   int64_t us, base_error *err) {
    return find(view, snapshot, us, 0, err);
}

base_rc engine_instant_scan(engine *e, const plan_object *view,
                            const engine_view_snapshot *snapshot, uint64_t memory_bytes,
                            uint32_t batch_rows, engine_instant_check *may_go_on,
                            base_rc (*visit)(void *arg, const col_batch *rows, base_error *err),
                            void *arg, base_error *err) {
    if (snapshot->appended)
        return engine_append_scan_upto(view, snapshot->rows, snapshot->txn, snapshot->step,
                                       batch_rows, visit, arg, err);
    engine_past *past;
    base_rc rc = engine_past_open(e, view, snapshot, snapshot->step, memory_bytes, may_go_on, arg,
                                  &past, err);
    if (rc != BASE_OK) return rc;
    rc = engine_view_scan_past(view, snapshot->rows, snapshot->txn, past, snapshot->final_us,
                               batch_rows, visit, arg, err);
    engine_past_close(past);
    return rc;
}
