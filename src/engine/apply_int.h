// apply_int.h - between apply.c, evolve.c, check.c and scratch.c: applying a file of statements to
// a directory, and trying it out before.
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
    engine *logs;      // whose logs say what events there are: in a rehearsal not `engine`
    base_arena *arena; // of this run
    base_buf *report;
    bool *seen;    // by id: named by the file, or made by it
    bool *created; // by id: made by this run
    apply_lost *lost;
    uint32_t nlost;
} apply;

// Appends a line to the report.
void apply_say(apply *a, const char *fmt, ...) BASE_PRINTF(2, 3);
// The stream or table with its events; NULL: it is new.
engine_stream *apply_stream_logged(const apply *a, const plan_object *object);
// Two texts of a statement that differ in white space, comments, letter case outside of quotes and
// IF NOT EXISTS only.
bool apply_same_text(base_arena *arena, base_str a, base_str b);
// Drops an object with all that stand on it, which are noted as lost (the object itself only if
// keep_self). ddl_lock held.
BASE_MUST_USE base_rc apply_drop(apply *a, const plan_object *object, bool keep_self,
                                 base_error *err);
// Makes all lost objects again that do not exist. ddl_lock held.
BASE_MUST_USE base_rc apply_restore(apply *a, base_error *err);
// Whether a stream or table may become `wanted` without an event being lost or read differently;
// the error says why not (evolve.c).
BASE_MUST_USE base_rc apply_compare(const plan_object *there, const plan_object *wanted,
                                    base_error *err);
// Takes a changed stream or table over, or refuses. wanted is bound in the catalogue's arena.
// ddl_lock held.
BASE_MUST_USE base_rc apply_evolve(apply *a, const plan_object *there, plan_object *wanted,
                                   base_error *err);
// Takes a view over whose options alone have changed, such that its rows stand (evolve.c). *done
// false: more has. wanted is bound in the catalogue's arena. ddl_lock held.
BASE_MUST_USE base_rc apply_view_options(apply *a, const plan_object *there, plan_object *wanted,
                                         bool *done, base_error *err);
// BASE_OK for what may stand in a file that is applied.
BASE_MUST_USE base_rc apply_allows(sql_kind kind, base_error *err);

// An engine in memory for trying statements out (scratch.c). One thread; close it also after a
// failed open.
typedef struct engine_scratch {
    struct plat_sim *sim;
    base_map *memories; // directory -> state_memory
    engine *engine;
} engine_scratch;

BASE_MUST_USE base_rc engine_scratch_open(engine_scratch *scratch, base_error *err);
void engine_scratch_close(engine_scratch *scratch);
// Makes the schemas and objects of another engine, without events, rows and comments.
BASE_MUST_USE base_rc engine_scratch_copy(engine_scratch *scratch, engine *from, base_error *err);

#endif
