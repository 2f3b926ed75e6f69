// moment.h - what every committed step of a flow leaves of itself: when it was, how far each input
// had been read, and the watermarks. By it an instant finds its step ("what did the view show
// then?") and a step its places in the logs ("what had it read?").
//
// Moments stand in the flow's table "engine.moment" from the first step of the store on, one a
// step. Their times never descend; steps have the same one only after the wall clock was set back,
// and then the last of them counts. They are kept as far back as the flow's views have changes.
#ifndef WEIR_ENGINE_MOMENT_H
#define WEIR_ENGINE_MOMENT_H

#include "engine/engine_int.h"

// A partition of a stream's or table's log, or, as partition 0, a view of another flow.
typedef struct engine_moment_input {
    uint32_t object_id, partition;
    uint64_t next;        // the offset to be read next; of a view: the last step taken over
    int64_t watermark_us; // ENGINE_NO_WATERMARK: none yet
} engine_moment_input;

typedef struct engine_moment_view {
    uint32_t view_id;
    int64_t watermark_us;
} engine_moment_view;

typedef struct engine_moment {
    uint64_t step;
    int64_t at_us;     // the step's clock reading: what answers show as as_of
    int64_t closed_us; // the clock of views that close by it; ENGINE_NO_WATERMARK: none does
    uint32_t ninputs, nviews;
    engine_moment_input *inputs; // partitions of an object together, ascending
    engine_moment_view *views;
} engine_moment;

// In a snapshot of the flow's store, or in its open transaction; the moment is the arena's. *found
// false: there is none so early (any more).
//
// The last moment not after `step`, or not after the instant `us`.
BASE_MUST_USE base_rc engine_moment_at_step(state_txn *txn, state_table t_moment, uint64_t step,
                                            base_arena *arena, engine_moment *out, bool *found,
                                            base_error *err);
BASE_MUST_USE base_rc engine_moment_at_time(state_txn *txn, state_table t_moment, int64_t us,
                                            base_arena *arena, engine_moment *out, bool *found,
                                            base_error *err);
// The step and the time of the first moment not before `step`: from when on there is something to
// ask for.
BASE_MUST_USE base_rc engine_moment_first(state_txn *txn, state_table t_moment, uint64_t step,
                                          uint64_t *out_step, int64_t *out_us, bool *found,
                                          base_error *err);
// Of a moment; NULL: the step had no such input (yet), no such view.
const engine_moment_input *engine_moment_find(const engine_moment *moment, uint32_t object_id,
                                              uint32_t partition);
const engine_moment_view *engine_moment_find_view(const engine_moment *moment, uint32_t view_id);

// ---- the flow's own (step.c, flow.c). flow->lock held.

// Of the step in progress, into its transaction.
BASE_MUST_USE base_rc engine_moment_stage(engine_flow *flow, base_error *err);
// Drops moments before all changes that any of the flow's views has.
BASE_MUST_USE base_rc engine_moments_trim(engine_flow *flow, base_error *err);
// What the flow's last moment says, from its store: the next one is the difference to it.
BASE_MUST_USE base_rc engine_moment_load(engine_flow *flow, state_txn *txn, base_error *err);

#endif
