// ahead.h - portions of an input's log that other threads decode before the flow's thread comes to
// them. Of one input of a flow; used on the flow's thread. Internal to src/engine.
#ifndef WEIR_ENGINE_AHEAD_H
#define WEIR_ENGINE_AHEAD_H

#include "engine/engine_int.h"

// Records [first, first + n) of a log batch, decoded into arena.
typedef struct engine_portion {
    log_batch batch;
    uint32_t partition, first, n;
    engine_decoded decoded;
    base_arena *arena;
} engine_portion;

engine_ahead *engine_ahead_create(plat_workers *workers, const engine_input *input);
void engine_ahead_destroy(engine_ahead *ahead); // NULL is allowed
bool engine_ahead_has_room(const engine_ahead *ahead);
// The batch's memory must stay until the portion is done.
void engine_ahead_add(engine_ahead *ahead, const log_batch *batch, uint32_t partition,
                      uint32_t first, uint32_t n);
// The oldest portion, decoded; NULL: there is none. The same until engine_ahead_done.
engine_portion *engine_ahead_take(engine_ahead *ahead);
// retained: its arena must live until engine_ahead_release; else it is empty again.
void engine_ahead_done(engine_ahead *ahead, bool retained);
uint64_t engine_ahead_kept_bytes(const engine_ahead *ahead); // NULL: 0
void engine_ahead_drop(engine_ahead *ahead);                 // portions that were not taken
void engine_ahead_release(engine_ahead *ahead); // at the end of the step; NULL is allowed

#endif
