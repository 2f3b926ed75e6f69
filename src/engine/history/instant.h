// instant.h - reading as of an earlier instant: which step of a view's flow it means, and the view
// as it was then. Instants are microseconds since 2000 UTC, by the clock of the server that made
// the steps.
#ifndef WEIR_ENGINE_INSTANT_H
#define WEIR_ENGINE_INSTANT_H

#include "engine/engine_int.h"

// Turns a snapshot into that of the last step not after `us`: step, now_us, watermark_us and
// final_us are those of then. Changes the snapshot's facts only; rows are read by
// engine_instant_scan. BASE_E_INVALID (22023): the view's history does not reach so far; the error
// says from when on it does.
BASE_MUST_USE base_rc engine_instant_find(const plan_object *view, engine_view_snapshot *snapshot,
                                          int64_t us, base_error *err);
// The same of a view whose rows are computed anew (effective.h): there must be a moment only.
BASE_MUST_USE base_rc engine_instant_find_moment(const plan_object *view,
                                                 engine_view_snapshot *snapshot, int64_t us,
                                                 base_error *err);

// Called between records of the change log, so that a reader may stop.
typedef base_rc engine_instant_check(void *arg, base_error *err);

// engine_view_scan_txn of a snapshot that engine_instant_find has turned. memory_bytes: see
// engine_past_open.
BASE_MUST_USE base_rc
engine_instant_scan(engine *e, const plan_object *view, const engine_view_snapshot *snapshot,
                    uint64_t memory_bytes, uint32_t batch_rows, engine_instant_check *may_go_on,
                    base_rc (*visit)(void *arg, const col_batch *rows, base_error *err), void *arg,
                    base_error *err);

// From when on the view can be read as of; *found false: from its next step on.
BASE_MUST_USE base_rc engine_instant_first(const engine_view_snapshot *snapshot, int64_t *us,
                                           bool *found, base_error *err);

#endif
