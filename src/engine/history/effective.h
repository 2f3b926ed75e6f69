// effective.h - views by business-effective time: what a view would say if only the facts that were
// effective up to an instant counted, as known at a step of its flow. Two clocks: which records
// (processing time, by the step's moment) and which of them count (the contract's EFFECTIVE TIME).
#ifndef WEIR_ENGINE_EFFECTIVE_H
#define WEIR_ENGINE_EFFECTIVE_H

#include "engine/history/moment.h"
#include "engine/query_int.h"

// The rows of a view: its plan run for one step over the logs, up to where its flow had read them
// at the last moment not after a step, over those records whose effective time is not after
// effective_us. Views that it reads are computed likewise. All columns of the view, the hidden ones
// too: the rows were never shown, so _status is 'recomputed', _revision 0 and _updated_at the
// moment's time. is_present: the step is the last, and not an earlier instant's. In arena. Errors:
// there is no moment so early, or records are not in a log any more.
BASE_MUST_USE base_rc engine_effective_rows(engine_session *session, const plan_object *view,
                                            uint64_t step, bool is_present, int64_t effective_us,
                                            base_arena *arena, const col_batch **rows,
                                            base_error *err);

// The records of a decoded batch that do not count: effective after the instant. A null effective
// time says nothing against a record, and one that deletes a key always counts. `column`: of the
// batch. Times without a zone, and dates, which begin with their day, are of `zone`. NULL: all
// count.
const uint8_t *engine_effective_hidden(const col_batch *rows, uint32_t column,
                                       const uint8_t *deletes, int64_t effective_us,
                                       const base_zone *zone, base_arena *arena);

#endif
