// lineage.h - the events that make up one row of a view, read from the logs (lineage.c). The plan
// comes from plan/lineage.h; what is exact and what is not is said there.
#ifndef WEIR_ENGINE_LINEAGE_H
#define WEIR_ENGINE_LINEAGE_H

#include "engine/query_int.h"
#include "engine/viewkey.h"

#define ENGINE_LINEAGE_EVENTS_MAX 1000000u

typedef struct engine_lineage_event {
    const plan_object *object; // stream or table
    uint32_t partition;
    uint64_t offset;
    int64_t ingested_us;
    int64_t event_us; // INT64_MIN: it has none
    base_str raw;     // as it came; n 0: not asked for
    // A record of the same business key as one that counts, which came later and does not count.
    bool duplicate;
    uint32_t original_partition;
    uint64_t original_offset;
} engine_lineage_event;

// As of which places in the logs, and when; zero: as the view shows it now.
typedef struct engine_lineage_at {
    uint64_t step; // of the view's flow, by its moments; 0: its last one
    uint32_t nupto;
    const engine_upto *upto; // instead of what moments say
    int64_t now_us;          // for conditions on now(); 0: the clock's
    bool places_only;        // events are not fetched: in order of place, without times
} engine_lineage_at;

typedef struct engine_lineage {
    uint32_t n;
    engine_lineage_event *events; // in order of time of append, then place
    bool truncated;               // there are more than were asked for
    bool whole;                   // some come because they are of a partition or an input
    bool only_grows;              // an event that makes up the row does so from then on
    bool cut;                     // retention has taken the beginning of a log
} engine_lineage;

// At most `limit` events (and as many duplicates), in the arena. The session's cancel, deadline and
// memory limit hold. raw: with the records' own bytes.
BASE_MUST_USE base_rc engine_lineage_of(engine_session *session, const plan_object *view,
                                        const engine_view_key *key, const engine_lineage_at *at,
                                        uint32_t limit, bool raw, base_arena *arena,
                                        engine_lineage *out, base_error *err);
// How far the logs behind a view had been read by a step of its flow (0: its last), through views
// of other flows; by moments, or where there is none any more, by what is read now (*exact false).
BASE_MUST_USE base_rc engine_lineage_places(engine *e, const plan_object *view, uint64_t step,
                                            base_arena *arena, uint32_t *n, engine_upto **out,
                                            bool *exact, base_error *err);

// Events of which only the places are known get their times and, raw, their bytes; in order of time
// then. Limits and cancel are the session's.
BASE_MUST_USE base_rc engine_lineage_fetch(engine_session *session, bool raw, base_arena *arena,
                                           engine_lineage *out, base_error *err);
// Pointers to the events that are no duplicates, in order of place. *n: how many.
const engine_lineage_event **engine_lineage_by_place(const engine_lineage *lineage,
                                                     base_arena *arena, uint32_t *n);
// Of such pointers the first one whose place is not before this one; n: there is none.
uint32_t engine_lineage_seek(const engine_lineage_event *const *by_place, uint32_t n,
                             uint32_t object_id, uint32_t partition, uint64_t offset);

#endif
