// ledger.h - the revision ledger: what changed in rows that were final, when, why, and which
// records of which logs a step had read when it changed them.
//
// The ledger of a view lies in its flow's store and commits with the step that it tells of. An
// entry is kept for as long as the view's option `ledger` says (for ever, unless it says
// otherwise), which is longer than the view's change log and the step's moment: so it has all that
// it needs of them.
#ifndef WEIR_ENGINE_LEDGER_H
#define WEIR_ENGINE_LEDGER_H

#include "engine/engine_int.h"

BASE_MUST_USE base_rc engine_ledger_open(engine_flow *flow, base_error *err);

// ---- in a step, by the flow's thread ------------------------------------------------------------

// A change to a row that was final; the batches are the step's. key: the row's key in the view's
// table. Rows are of the view's declared columns; NULL: there was none, there is none.
typedef struct engine_ledger_change {
    base_str key;
    const col_batch *old_rows, *new_rows;
    uint32_t old_row, new_row;
    uint32_t revision;
} engine_ledger_change;

// Writes the view's entries of this step, in the order given; once a step and view. None: nothing
// is written.
BASE_MUST_USE base_rc engine_ledger_write(engine_flow *flow, const plan_object *view, uint32_t n,
                                          const engine_ledger_change *changes, base_error *err);

// Whether an input of the view had rows in this step, or nothing but time has passed.
bool engine_ledger_is_moved(engine_flow *flow, const plan_object *view);

// ---- reading ------------------------------------------------------------------------------------

// One entry; all borrowed from the snapshot or the scan's arena, until visit returns.
typedef struct engine_ledger_entry {
    const plan_object *view;
    uint64_t step;
    int64_t at_us; // the step's clock
    uint32_t revision;
    base_str key;         // as in the view's table
    base_str cause;       // "late event", ...
    base_str positions;   // JSON: see docs/sql.md
    const col_batch *row; // declared columns; row 0 is the old one, row 1 the new one
    bool has_old, has_new;
} engine_ledger_entry;

// Visits the entries of a view that are kept, in the order in which they were made; of one row, if
// key.p is not NULL, without looking at those of others. arena: scratch, reset by each entry.
BASE_MUST_USE base_rc
engine_ledger_scan(engine_flow *flow, state_txn *txn, const plan_object *view, base_str key,
                   base_rc (*visit)(void *arg, const engine_ledger_entry *entry, base_error *err),
                   void *arg, base_error *err);

// A row as a JSON object of the columns that `columns` lists (NULL: the first ncolumns).
void engine_ledger_row_json(const plan_object *view, const col_batch *rows, uint32_t row,
                            uint32_t ncolumns, const uint32_t *columns, base_buf *buf);
// The columns that identify a row of the view: its key, or all of them. *n: how many.
const uint32_t *engine_ledger_key_columns(const plan_object *view, base_arena *arena, uint32_t *n);
// The key, in the view's table, of the row that a batch has in `row` (declared columns; only the
// key's need be filled).
base_str engine_ledger_key(const plan_object *view, const col_batch *rows, uint32_t row,
                           base_arena *arena);
// The same of all rows: keys has room for them.
void engine_ledger_keys(const plan_object *view, const col_batch *rows, base_arena *arena,
                        base_str *keys);

// ---- upkeep -------------------------------------------------------------------------------------

// With the view. Within a transaction of the flow's store.
BASE_MUST_USE base_rc engine_ledger_drop(engine_flow *flow, state_txn *txn, uint32_t view_id,
                                         base_error *err);
// Once a second (schedule.c): takes what is older than the views' options say out of the ledgers,
// a bounded number of entries each time. Takes flow->lock; failures are told as messages.
void engine_ledgers_trim(engine *e);

#endif
