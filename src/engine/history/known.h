// known.h - the duplicates of a stream that the flow behind a view has met, if it knows them all
// (known.c).
#ifndef WEIR_ENGINE_KNOWN_H
#define WEIR_ENGINE_KNOWN_H

#include "engine/history/narrow.h"

// Of `object`, which `view` reads, itself or through other views: those that the flow that reads it
// has listed, in order of place. *all false: it has not listed them all (it keeps a number of
// them), it has not read all that is retained, or several flows read the stream for the view.
BASE_MUST_USE base_rc engine_known_duplicates(engine *e, const plan_object *view,
                                              const plan_object *object, base_arena *arena,
                                              uint32_t *n, engine_known_duplicate **out, bool *all,
                                              base_error *err);

#endif
