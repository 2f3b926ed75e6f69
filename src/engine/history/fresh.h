// fresh.h - how far behind an answer was at an earlier instant: how long the oldest record that had
// come by then, and that the view had not read yet, had waited.
#ifndef WEIR_ENGINE_FRESH_H
#define WEIR_ENGINE_FRESH_H

#include "engine/history/moment.h"

// Of the view as its flow's step left it, at the instant us, which is not before the step:
// microseconds, 0 if it had read all. Inputs are those of the view's query and of views that it
// reads. ENGINE_LAG_UNKNOWN: what was unread then is not kept any more, or cannot be read: the
// answer itself stands.
int64_t engine_lag_then(engine *e, const plan_object *view, uint64_t step, int64_t us);

#endif
