// alert.h - what a sink is told of a reconciliation: its runs, each an alert or clean, and what
// persons decided about remedies that waited (decision.h).
//
// A run is an alert if it failed, if it has findings that are confirmed, or if its remedy waited
// for a person or was refused by a contract. None of that changes once the run is over, so the same
// run is the same alert whenever it is read. A sink's cursor is the number of a message; runs that
// it has not been told of are kept for it, ENGINE_ALERT_RUNS_MAX of them.
//
// Threads: any.
#ifndef WEIR_ENGINE_ALERT_H
#define WEIR_ENGINE_ALERT_H

#include "engine/engine.h"

#define ENGINE_ALERT_RUNS_MAX     10000u // kept for a sink that is behind
#define ENGINE_ALERT_FINDINGS_MAX 20u    // told of a run

typedef enum engine_alert_status {
    ENGINE_ALERT_CLEAN,
    ENGINE_ALERT_RAISED,
    ENGINE_ALERT_RECOVERED, // clean, and the run before was not
    ENGINE_ALERT_DECIDED,   // no run: a person decided, or what was approved is done
} engine_alert_status;

typedef struct engine_alert {
    uint64_t number; // of the message
    uint64_t run;    // that it is about
    engine_alert_status status;
    base_str members; // of the JSON object that says it, from "reconciliation" on
} engine_alert;

// The message after `after`, once its run is over, in the arena; *found false: there is none yet.
// BASE_E_NOT_FOUND (22023): runs after it are no longer kept.
BASE_MUST_USE base_rc engine_alert_next(engine *e, const plan_object *reconciliation,
                                        uint64_t after, base_arena *arena, engine_alert *out,
                                        bool *found, base_error *err);
// The step of a sink that is up to date: of what it stands on, the view's last step or the newest
// message.
BASE_MUST_USE base_rc engine_sink_newest(engine *e, const plan_object *sink, uint64_t *step,
                                         base_error *err);

#endif
