// shadow.h - shadow flows: a flow with a store of its own that serves nobody and reads what a flow
// of the catalogue reads, from the beginning of the log or a selection of it, up to given
// positions.
//
// A shadow has the views asked for and those of the same flow that they read, under their own ids,
// so that the tables of its store have the names, and at the same positions the content, of the
// flow's. A view of another flow that they read is an input, as it is of the flow: its rows as of
// the step that the flow has taken over. So one view is recomputed from what it stands on, and all
// views together from the log.
//
// A shadow takes no lock of a flow, reserves no step numbers, writes no change log and no ledger.
// Its clock stands at the reading of the step that it is to end at. It holds the streams that it
// reads: a DROP of one waits until it is closed. Threads: one at a time; cancel and progress may be
// used from others.
#ifndef WEIR_ENGINE_SHADOW_H
#define WEIR_ENGINE_SHADOW_H

#include "engine/engine_int.h"

typedef struct engine_shadow engine_shadow;

typedef enum engine_select {
    ENGINE_SELECT_ALL,
    ENGINE_SELECT_PARTITION,
    ENGINE_SELECT_OFFSETS, // [from, upto) of a partition, or of each
    ENGINE_SELECT_EVENT_TIME,
    ENGINE_SELECT_APPEND_TIME,
    ENGINE_SELECT_KEY, // of the stream: the texts of its key columns, in order
} engine_select;

#define ENGINE_SELECT_KEYS_MAX 16u

// Of the records of streams; tables and views of other flows are read whole.
typedef struct engine_selection {
    engine_select kind;
    bool has_partition; // OFFSETS: of one partition
    uint32_t partition;
    uint64_t from, upto;      // offsets
    int64_t from_us, upto_us; // [from, upto)
    uint32_t nkey;
    const char *key[ENGINE_SELECT_KEYS_MAX];
} engine_selection;

typedef struct engine_shadow_config {
    const char *name;                  // of its directory below DIR/shadow
    bool durable;                      // goes on where it was when it is opened again
    const engine_selection *selection; // copied; NULL: all
    uint64_t rate;                     // records a second; 0: no limit
    bool ddl_locked;                   // the caller holds ddl_lock
    bool alone;                        // no other thread helps it: live flows keep their helpers
} engine_shadow_config;

typedef struct engine_shadow_progress {
    uint64_t read, total; // records of logs; total grows with the positions
    uint64_t steps;
} engine_shadow_progress;

// For `view`, which need not be in the catalogue; NULL: for all views of the flow.
BASE_MUST_USE base_rc engine_shadow_open(engine *e, const engine_flow *of, const plan_object *view,
                                         const engine_shadow_config *config, engine_shadow **out,
                                         base_error *err);
// remove: its directory goes, too. A scratch one's always does.
void engine_shadow_close(engine_shadow *shadow, bool remove);

// The positions of a snapshot of the flow's store: where it shall read to, with the clock and the
// watermarks of that step. Inputs that the flow does not have are read to their present end.
BASE_MUST_USE base_rc engine_shadow_aim(engine_shadow *shadow, state_txn *txn, base_error *err);
// Reads up to there. settle: then the views' watermarks are made those of the flow, which also
// depend on what was idle when. cancel may be NULL; BASE_E_CANCELLED.
BASE_MUST_USE base_rc engine_shadow_run(engine_shadow *shadow, bool settle, volatile bool *cancel,
                                        base_error *err);
engine_shadow_progress engine_shadow_progress_of(const engine_shadow *shadow);
// Records that the selection wants and that the log has not: retention took them, before or while
// the shadow read.
uint64_t engine_shadow_lost(const engine_shadow *shadow);
engine_flow *engine_shadow_flow(engine_shadow *shadow);
// For the little that is left when its history is read: no limit of the rate any more, and smaller
// steps, after each of which `after` (may be NULL) is called.
void engine_shadow_follow(engine_shadow *shadow, base_rc (*after)(void *arg, base_error *err),
                          void *arg);
// Whether one of its streams is being dropped, which waits for the shadow's end with ddl_lock held.
bool engine_shadow_is_awaited(const engine_shadow *shadow);
// Of all rows of all tables of its store: two shadows of the same configuration and positions have
// the same.
BASE_MUST_USE base_rc engine_shadow_digest(engine_shadow *shadow, uint8_t out[16], base_error *err);

#endif
