// apply_int.h - between apply.c, evolve.c and check.c: applying a file of statements to a
// directory.
#ifndef WEIR_ENGINE_APPLY_INT_H
#define WEIR_ENGINE_APPLY_INT_H

#include "engine/catalog_int.h"

// An object that was dropped on the way and is to be made again from its text.
typedef struct apply_lost {
    const plan_object *object;
    uint64_t sink_step; // of a sink
} apply_lost;

typedef struct apply {
    engine_session *session;
    engine *engine;
    base_arena *arena; // of this run
    base_buf *report;
    bool *seen;    // by id: named by the file, or made by it
    bool *created; // by id: made by this run
    apply_lost *lost;
    uint32_t nlost;
} apply;

// Appends a line to the report.
void apply_say(apply *a, const char *fmt, ...) BASE_PRINTF(2, 3);
// Two texts of a statement that differ in white space, comments, letter case outside of quotes and
// IF NOT EXISTS only.
bool apply_same_text(base_arena *arena, base_str a, base_str b);
// Drops an object with all that stand on it, which are noted as lost (the object itself only if
// keep_self). ddl_lock held.
BASE_MUST_USE base_rc apply_drop(apply *a, const plan_object *object, bool keep_self,
                                 base_error *err);
// Makes all lost objects again that do not exist. ddl_lock held.
BASE_MUST_USE base_rc apply_restore(apply *a, base_error *err);
// Takes a changed stream or table over, or refuses (evolve.c). wanted is bound in the catalogue's
// arena. ddl_lock held.
BASE_MUST_USE base_rc apply_evolve(apply *a, const plan_object *there, plan_object *wanted,
                                   base_error *err);

#endif
