// decision.h - what a reconciliation has to tell, in one numbered row: its runs, and what persons
// decided about what the runs would do. Sinks FROM RECONCILIATION read the row (alert.h); the
// decisions are the history that an auditor reads (weir.reconciliation_decisions).
//
// A run's message is written with the run, a decision's with the new state of the remedy, each in
// the same transaction. While a reconciliation has no decisions, a message's number is its run's:
// so cursors of sinks of programs that told only of runs go on. Decisions are kept longer than
// runs, ENGINE_DECISIONS_MAX of a reconciliation, and also when it is dropped or replaced.
//
// Threads: any, within the transaction of the caller.
#ifndef WEIR_ENGINE_DECISION_H
#define WEIR_ENGINE_DECISION_H

#include "engine/recon/remedy.h"

#define ENGINE_DECISIONS_MAX 10000u

typedef enum engine_message_kind {
    ENGINE_MESSAGE_RUN = 1,
    ENGINE_MESSAGE_APPROVED, // by a person
    ENGINE_MESSAGE_REJECTED,
    ENGINE_MESSAGE_APPLIED, // what a person approved is in every view
} engine_message_kind;

typedef struct engine_message {
    uint64_t number;
    engine_message_kind kind;
    uint64_t newest_run; // when it was written; of a run, the run
    uint64_t decision;   // its key among the decisions; 0: a run
} engine_message;

// Appends a run's message. before: the newest run before it.
BASE_MUST_USE base_rc engine_message_put_run(engine *e, state_txn *txn, uint32_t id, uint64_t run,
                                             uint64_t before, base_error *err);
// Appends the message of a decision, and the decision.
BASE_MUST_USE base_rc engine_decision_put(engine *e, state_txn *txn, const plan_object *r,
                                          const engine_remedy_plan *plan, engine_message_kind kind,
                                          base_error *err);
// Messages of runs before first_run are deleted, and of decisions about them.
BASE_MUST_USE base_rc engine_messages_trim(engine *e, state_txn *txn, uint32_t id,
                                           uint64_t first_run, base_error *err);

// The number of the last message; 0: there is none.
BASE_MUST_USE base_rc engine_message_newest(engine *e, state_txn *txn, uint32_t id,
                                            uint64_t *number, base_error *err);
// The message after `after`; *found false: there is none. BASE_E_NOT_FOUND (22023): it is no longer
// kept.
BASE_MUST_USE base_rc engine_message_next(engine *e, state_txn *txn, uint32_t id, uint64_t after,
                                          engine_message *out, bool *found, base_error *err);
// The newest run that had been told of at a message's number.
BASE_MUST_USE base_rc engine_message_run(engine *e, state_txn *txn, uint32_t id, uint64_t number,
                                         uint64_t *run, base_error *err);

extern const plan_column engine_decision_columns[]; // weir.reconciliation_decisions
#define ENGINE_DECISION_NCOLUMNS 14u
// A decision as one row of them.
BASE_MUST_USE base_rc engine_decision_at(engine *e, state_txn *txn, uint32_t id, uint64_t decision,
                                         base_arena *arena, const col_batch **row, base_error *err);
BASE_MUST_USE base_rc engine_decision_rows(engine *e, base_arena *arena, const col_batch **rows,
                                           base_error *err);

#endif
