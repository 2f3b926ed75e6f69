// why.h - the story of one row of a view: what it was, from its first value to now, and the events
// behind each change (why.c). Shown as weir.why and over HTTP.
#ifndef WEIR_ENGINE_WHY_H
#define WEIR_ENGINE_WHY_H

#include "engine/history/lineage.h"

#define ENGINE_WHY_CHANGES_MAX 100000u
#define ENGINE_WHY_EVENTS_MAX  100000u
// Steps for which the events of a row are looked for anew, where a view's rows may lose events.
#define ENGINE_WHY_TRACED_MAX 50u

typedef struct engine_why_range { // offsets [from, next) of a partition
    uint32_t object_id, partition;
    uint64_t from, next;
} engine_why_range;

typedef struct engine_why_change {
    uint64_t step;        // 0: not known
    int64_t at_us;        // INT64_MIN: not known
    const char *standing; // provisional, final, corrected, removed; current: has no window;
                          // unchanged: its events have changed nothing
    uint32_t revision;    // 0: not known
    base_str cause;       // n 0: none is noted
    bool has_old, has_new;
    const col_batch *row; // row 0 the old one, row 1 the new one
    uint32_t nranges;     // what the step had read
    const engine_why_range *ranges;
    bool noted;       // in the ledger
    uint32_t nevents; // came to the row in this change
    const engine_lineage_event **events;
    uint32_t nleft; // left it
    const engine_lineage_event **left;
    int64_t weight;   // of a view without a key: how many equal rows came, or (-) went
    const char *note; // or NULL
} engine_why_change;

typedef struct engine_why {
    const plan_object *view;
    engine_view_key key;
    uint32_t n;
    engine_why_change *changes;
    engine_lineage lineage; // as the view shows the row now
} engine_why;

// In the arena. Limits and cancel are the session's.
BASE_MUST_USE base_rc engine_why_of(engine_session *session, const plan_object *view,
                                    const engine_view_key *key, base_arena *arena, engine_why *out,
                                    base_error *err);

#endif
