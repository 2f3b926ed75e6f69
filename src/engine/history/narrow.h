// narrow.h - reading of a log only what can matter to a plan (narrow.c): batches whose event times
// are others are passed over, of the rest the columns of the plan's conditions are decoded, and of
// records that keep them all.
//
// Which record of a business key counts hangs on the others of that key, whatever they say: so of
// each key that a condition lets in all records are read. That takes a second pass over the log, by
// key alone; it is spared where the conditions are on the key, or where all duplicates that the
// flow has met are known by their places.
#ifndef WEIR_ENGINE_NARROW_H
#define WEIR_ENGINE_NARROW_H

#include "engine/engine_int.h"
#include "plan/log_filter.h"

#define ENGINE_NARROW_KEYS_MAX 1000000u // with more, the whole log is read

typedef struct engine_narrow engine_narrow;

// A record that does not count, and the one of the same key that does.
typedef struct engine_known_duplicate {
    uint32_t partition, original_partition;
    uint64_t offset, original_offset;
} engine_known_duplicate;

// Of one object's log. known: all duplicates of it that were ever met, by place; known_all false:
// they are not all known. NULL: nothing can be left out. In the arena, but to be closed.
engine_narrow *engine_narrow_open(const plan_object *object, const plan_log_filter *filter,
                                  bool known_all, uint32_t nknown,
                                  const engine_known_duplicate *known, base_arena *arena);
void engine_narrow_close(engine_narrow *narrow); // NULL is allowed

// Whether records of all partitions are to be looked at first (engine_narrow_note).
bool engine_narrow_two_passes(const engine_narrow *narrow);
// Whether the duplicates that are known are left out.
bool engine_narrow_leaves_known(const engine_narrow *narrow);
// The first pass: notes the keys of the records that conditions let in.
void engine_narrow_note(engine_narrow *narrow, uint32_t partition, const log_batch *batch,
                        uint32_t first, uint32_t n);
// Of records [first, first + n) of a batch those that may matter, ascending, counted from `first`.
// sel has room for n. In a reader's order, after the first pass if there is one.
uint32_t engine_narrow_select(engine_narrow *narrow, uint32_t partition, const log_batch *batch,
                              uint32_t first, uint32_t n, uint32_t *sel);
// As engine_contract_decode_batch, of the records that were selected alone.
void engine_narrow_decode(engine_contract *contract, const log_batch *batch, uint32_t first,
                          uint32_t n, const uint32_t *sel, uint32_t nsel, uint32_t partition,
                          base_arena *arena, engine_decoded *out);

#endif
