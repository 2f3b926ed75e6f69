// remedy.h - what a reconciliation does about what a run of it found: a plan of actions, each a
// record that is appended to a stream or table, or a finding about which nothing is done.
//
// A plan is durable before its first record is appended. It waits for a person if it is above the
// reconciliation's limits; else, or once it is approved, its records are appended with the origin
// "reconciliation schema.name run N" and the number of their action in their headers, by which a
// plan that was interrupted is resumed: what the log already has of it is not appended again. A run
// does not begin before what an earlier one appended is visible in every view.
//
// Between remedy_plan.c (findings to actions), remedy_store.c (the plan on disk, system objects)
// and remedy.c (the life of a plan). Threads: any; one run or decision of a reconciliation at a
// time.
#ifndef WEIR_ENGINE_REMEDY_H
#define WEIR_ENGINE_REMEDY_H

#include "engine/recon/recon_int.h"

#define ENGINE_HEADER_REMEDY "remedy" // of a record in the log: the number of its action

typedef enum engine_remedy_state {
    ENGINE_REMEDY_CLEAN = 1,  // nothing was found that could be acted on
    ENGINE_REMEDY_WAITING,    // for a person
    ENGINE_REMEDY_APPROVED,   // by a person or within the limits: records may be in the log
    ENGINE_REMEDY_APPENDED,   // all records are in the log, or were refused
    ENGINE_REMEDY_APPLIED,    // and every view has them
    ENGINE_REMEDY_REJECTED,   // by a person
    ENGINE_REMEDY_SUPERSEDED, // a later run found anew what is to be done
} engine_remedy_state;

typedef enum engine_remedy_verb {
    ENGINE_REMEDY_APPEND = 1,
    ENGINE_REMEDY_RETRACT,
    ENGINE_REMEDY_NONE,  // nothing can be done; outcome says why
    ENGINE_REMEDY_TRIED, // nothing is done again: an earlier run did, or it was rejected
    ENGINE_REMEDY_GONE,  // was approved, but is not found any more
} engine_remedy_verb;

typedef struct engine_remedy_action {
    engine_remedy_verb verb;
    uint64_t digest; // of the finding
    const char *kind;
    base_str key;     // JSON object
    base_str record;  // what is appended
    base_str outcome; // "0/123": where it stands in the log; "refused: ..."; why nothing is done
} engine_remedy_action;
#define ENGINE_REMEDY_ACTIONS_MAX 400000u

typedef struct engine_remedy_plan {
    uint64_t run;
    engine_remedy_state state;
    uint32_t into; // object id
    uint64_t appended, retracted, refused, unresolved;
    uint64_t keys, records;         // planned: findings that something is done about, records of it
    double total;                   // sum of the absolute differences of these
    const char *waits_for;          // why it waits or waited; or NULL
    const char *decided_by;         // who approved or rejected; NULL: nobody
    int64_t decided_us, applied_us; // 0: not yet
    const char *origin;
    // Where the logs ended before the first record was appended, for resumption: "0:123 1:9 q:4".
    const char *begins;
    uint32_t nactions;
    engine_remedy_action *actions;
} engine_remedy_plan;

const char *engine_remedy_state_name(engine_remedy_state state);

// remedy_count.c: since the engine was opened.
typedef struct engine_recon_counts {
    uint64_t failed;                                 // runs
    uint64_t remedies[ENGINE_REMEDY_SUPERSEDED + 1]; // that came into each state
    uint64_t appended, retracted, refused;           // records
    int64_t run_us;                                  // the last run; 0: there was none
} engine_recon_counts;
void engine_recon_count_run(engine *e, uint32_t id, bool failed, int64_t us);
void engine_recon_count_remedy(engine *e, uint32_t id, const engine_remedy_plan *plan);
engine_recon_counts engine_recon_counts_of(engine *e, uint32_t id);
// At each run: false while the wall clock was put forward less than the settling time ago.
bool engine_recon_clock_is_good(engine *e, const plan_object *r);

// remedy_plan.c: what is to be done about the run's findings, into plan->actions, and how much that
// is. before: the plan of the run before, or NULL: what that one did about the same finding is not
// done again.
BASE_MUST_USE base_rc engine_remedy_make(engine_recon *x, const engine_remedy_plan *before,
                                         engine_remedy_plan *plan, base_error *err);

// remedy_check.c: before a plan is carried out that a person approved. BASE_E_INVALID (55000):
// nothing of it is left to do.
BASE_MUST_USE base_rc engine_remedy_recheck(engine *e, const engine_session *session,
                                            const plan_object *r, engine_remedy_plan *plan,
                                            base_arena *arena, base_error *err);

// remedy_store.c
// The plan of the newest run that has one, without its actions unless they are wanted. *out NULL:
// none. In the arena.
BASE_MUST_USE base_rc engine_remedy_newest(engine *e, uint32_t id, bool actions, base_arena *arena,
                                           engine_remedy_plan **out, base_error *err);
// Writes the plan; its actions too, if any are given; trims what is old. One transaction, in which
// `superseded` (or NULL) takes its new state too, and what is `said` of it (an engine_message_kind;
// 0: nothing) becomes a decision.
BASE_MUST_USE base_rc engine_remedy_put(engine *e, const plan_object *r,
                                        const engine_remedy_plan *plan,
                                        const engine_remedy_plan *superseded, int said,
                                        base_error *err);
// In a transaction of the caller: the remedy's cells of weir.reconciliation_runs into row of b.
BASE_MUST_USE base_rc engine_remedy_cells(engine *e, state_txn *txn, uint32_t id, uint64_t run,
                                          base_arena *arena, col_builder *b, uint32_t first,
                                          base_error *err);
#define ENGINE_REMEDY_CELLS 12u                   // from "remedy" on
extern const plan_column engine_remedy_columns[]; // weir.reconciliation_remedy
#define ENGINE_REMEDY_NCOLUMNS 11u
BASE_MUST_USE base_rc engine_remedy_rows(engine *e, base_arena *arena, const col_batch **rows,
                                         base_error *err);

// remedy.c
// Of all that append to one stream or table, one run or decision at a time: begin waits for others;
// false: the engine closes, or the session's statement was cancelled.
BASE_MUST_USE bool engine_remedy_begin(engine *e, const engine_session *session,
                                       const plan_object *r);
BASE_MUST_USE bool engine_remedy_try(engine *e, const plan_object *r); // does not wait
void engine_remedy_end(engine *e, const plan_object *r);
// Between begin and end. Before a run: finishes what an earlier one left.
BASE_MUST_USE base_rc engine_remedy_before(engine *e, const engine_session *session,
                                           const plan_object *r, base_error *err);
// After a run that succeeded and was stored: makes the plan and, within the limits, applies it.
BASE_MUST_USE base_rc engine_remedy_after(engine_recon *x, base_error *err);
// APPROVE and REJECT. run 0: the newest. Returns when an approved one is applied.
BASE_MUST_USE base_rc engine_remedy_decide(engine_session *session, const plan_object *r,
                                           uint64_t run, bool approve, base_error *err);
// Once a second: goes on with what a crash or a failure left.
void engine_remedies_resume(engine *e, const plan_object *r);

#endif
