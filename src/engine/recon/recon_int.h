// recon_int.h - reconciliation between its files. A run (recon.c) opens the book, takes both sides
// into sorted streams of rows (recon_side.c; of a stream recon_stream.c, recon_descend.c), merges
// them to findings (recon_merge.c), decides which are confirmed (recon_settle.c), explains
// (recon_explain.c), lists (recon_list.c) and stores (recon_store.c).
//
// What a run does about its findings is remedy.h's.
//
// In e->t_recon, all numbers big-endian, a version byte before each value:
//   'R' id(4) run(8)           -> the run: one row of engine_recon_runs_columns from "run" on
//   'D' id(4) run(8) part(4)   -> rows of engine_recon_result_columns from "kind" on
//   'P' id(4) part(4)          -> findings to be seen again: recon_settle.c
//   'M' id(4) run(8)           -> the plan of what is done about the findings: remedy_store.c
//   'A' id(4) run(8) part(4)   -> its actions
//   'Q' id(4) number(8)        -> a message_value: what sinks are told of (decision.c)
//   'W' id(4) number(8)        -> a decision, kept when the reconciliation is dropped
// Values are col_batch encodings, but that of 'Q'.
#ifndef WEIR_ENGINE_RECON_INT_H
#define WEIR_ENGINE_RECON_INT_H

#include "engine/recon/book.h"
#include "engine/recon/finding.h"
#include "engine/recon/recon_sort.h"

#define ENGINE_RECON_ROWS_MAX   10000u // rows listed a run; the others are counted
#define ENGINE_RECON_RUNS_MAX   100u   // runs kept a reconciliation
#define ENGINE_RECON_DETAIL_MAX 20u    // of them with their rows listed

// Columns of the three system objects; the functions below give batches of exactly these.
extern const plan_column engine_recon_columns[];        // weir.reconciliations: one row each
extern const plan_column engine_recon_runs_columns[];   // weir.reconciliation_runs
extern const plan_column engine_recon_result_columns[]; // weir.reconciliation_result
#define ENGINE_RECON_NCOLUMNS        20u
#define ENGINE_RECON_RUNS_NCOLUMNS   36u
#define ENGINE_RECON_RUNS_STORED     24u // the others are of the run's remedy
#define ENGINE_RECON_RESULT_NCOLUMNS 15u

BASE_MUST_USE base_rc engine_recon_rows(engine *e, base_arena *arena, const col_batch **rows,
                                        base_error *err);
BASE_MUST_USE base_rc engine_recon_runs_rows(engine *e, base_arena *arena, const col_batch **rows,
                                             base_error *err);
BASE_MUST_USE base_rc engine_recon_result_rows(engine *e, base_arena *arena, const col_batch **rows,
                                               base_error *err);
// When the newest stored run began (schedules). *found false: it has never run.
BASE_MUST_USE base_rc engine_recon_last_started(engine *e, const plan_object *reconciliation,
                                                int64_t *started_us, bool *found, base_error *err);
// In a transaction of the caller (alert.c): the newest run's number, 0: none; the first run from
// `run` on as one row of engine_recon_runs_columns (*row NULL: none); and the first `most` rows
// that are listed of a run and confirmed, as engine_recon_result_columns from "kind" on.
BASE_MUST_USE base_rc engine_recon_newest(engine *e, state_txn *txn, uint32_t id, uint64_t *run,
                                          base_error *err);
BASE_MUST_USE base_rc engine_recon_run_at(engine *e, state_txn *txn, const plan_object *r,
                                          uint64_t run, base_arena *arena, const col_batch **row,
                                          base_error *err);
BASE_MUST_USE base_rc engine_recon_findings(engine *e, state_txn *txn, uint32_t id, uint64_t run,
                                            uint32_t most, base_arena *arena,
                                            const col_batch **rows, base_error *err);
// alert.c: the least cursor of the sinks that are told of its runs, UINT64_MAX: none; and how many
// runs are kept after `run` for such a cursor: at least `keep`, at most `most`.
uint64_t engine_alert_cursor(engine *e, uint32_t id);
uint64_t engine_alert_keep(uint64_t run, uint64_t cursor, uint64_t keep, uint64_t most);
// Deletes what is stored of a reconciliation that was dropped.
BASE_MUST_USE base_rc engine_recon_forget(engine *e, uint32_t id, base_error *err);

// Columns of the system objects of reconciliations.
#define TEXT_COLUMN(column_name)                                                                   \
    {                                                                                              \
        .name = column_name, .type = {.kind = COL_TEXT }                                           \
    }
#define INT8_COLUMN(column_name)                                                                   \
    {                                                                                              \
        .name = column_name, .type = {.kind = COL_INT8 }                                           \
    }
#define TIME_COLUMN(column_name)                                                                   \
    {                                                                                              \
        .name = column_name, .type = {.kind = COL_TIMESTAMPTZ }                                    \
    }

// ---- a run --------------------------------------------------------------------------------------

typedef struct engine_recon_run {
    uint64_t run; // given by engine_recon_store
    int64_t started_us, as_of_us, watermark_us;
    int64_t settled_us; // what is younger was not judged; 0: all was
    int64_t taken_us;   // both snapshots were taken before it
    int64_t fed_us;     // what came before it is in the views that are compared (recon_fed.c)
    uint64_t step;
    uint64_t record_rows, view_rows;                             // compared
    uint64_t matched, missing, unexpected, differing, duplicate; // confirmed
    uint64_t skipped; // rows of the record that WHERE leaves out
    uint64_t young;   // keys not judged yet: a row of theirs is younger than the settling time
    uint64_t pending; // keys that do not agree, and have to be seen again
    uint64_t file_bytes, digest;
    uint64_t bytes, statements; // between weir and the book
    const char *path;           // the book's name
    const char *error;          // NULL: none
    engine_findings findings;
    const col_batch *details; // columns of result from "kind" on; or NULL
    const col_batch *kept;    // recon_settle.c: what the next run has to know; or NULL
} engine_recon_run;

// One reconciliation being run. `arena` lives as long as the run.
typedef struct engine_recon {
    engine *engine;
    const plan_object *r;
    engine_recon_run *run;
    base_arena *arena;
    uint64_t memory_bytes; // a query's limit; parts take shares of it
    engine_book_spec spec;
    engine_book *book;
    uint32_t *columns;       // a field each: its column of r->from
    const plan_expr *filter; // WHERE over the fields; NULL: none, or it uses other columns
    int64_t settled_us;      // what is younger is not judged; INT64_MAX: nothing is
    bool looks;              // recon_look
} engine_recon;

// recon_trend.c: in the transaction that stores the run; and the rows of weir.reconciliation_trend.
#define ENGINE_TREND_RUNS_MAX 1000u // kept a reconciliation
BASE_MUST_USE base_rc engine_trend_put(engine *e, state_txn *txn, const plan_object *r,
                                       const engine_recon_run *run, base_arena *arena,
                                       base_error *err);
BASE_MUST_USE base_rc engine_trend_rows(engine *e, base_arena *arena, const col_batch **rows,
                                        base_error *err);

// Runs a reconciliation and stores the run, also if it fails. What was found lives in the arena.
BASE_MUST_USE base_rc recon_run_stored(engine *e, const engine_session *session,
                                       const plan_object *reconciliation, base_arena *arena,
                                       engine_recon *x, engine_recon_run *run, base_error *err);
// The comparison alone: nothing is stored, and what is found is not judged by its age.
BASE_MUST_USE base_rc recon_look(engine *e, const engine_session *session,
                                 const plan_object *reconciliation, base_arena *arena,
                                 engine_recon *x, engine_recon_run *run, base_error *err);
// BASE_E_CANCELLED: the run is to end now.
BASE_MUST_USE base_rc recon_go_on(const engine_recon *x, base_error *err);
// recon_due.c: what is due of a reconciliation, and with `resume` what is open of its remedy, on a
// thread of its own if there are threads. The thread of the schedules calls it once a second.
void engine_recon_attend(engine *e, const plan_object *reconciliation, bool resume);
// schedule.c: whether it is to run by its schedule now (which is noted), and running it.
bool engine_reconcile_due(engine *e, const plan_object *reconciliation);
void engine_reconcile_now(engine *e, const plan_object *reconciliation);
// How often a reconciliation is due now: what is pending is looked at again when it has settled.
BASE_MUST_USE base_rc engine_recon_every_us(engine *e, const plan_object *reconciliation,
                                            int64_t *every_us, base_error *err);

// The type in which the book's value is read for a column of the view or stream. Numbers that are
// compared are NUMERIC without limits (floats: double precision), so that nothing is rounded before
// it is compared.
col_type engine_recon_record_type(const plan_column *column, bool compared);
// The value of a reconciliation's column i of (key columns, compared columns).
const plan_column *engine_recon_column(const plan_object *reconciliation, uint32_t i);

// book.c
BASE_MUST_USE base_rc engine_book_open(const engine_book_spec *spec, base_arena *arena,
                                       engine_book **out, base_error *err);
extern const engine_book_ops engine_book_file; // recon_file.c
extern const engine_book_ops engine_book_view; // recon_view.c

// ---- sides: recon_side.c ------------------------------------------------------------------------

// The rows of one side, sorted by the encoding of their key. weir's have the key and the compared
// columns in their own types, the book's all fields of the spec.
typedef struct recon_side {
    engine_recon *x;
    bool is_book;
    uint32_t nkey, ncols;
    const col_type *types;
    recon_sorter *sorter;
    base_arena scratch;
    base_buf value;
} recon_side;

// What is known of a row beside its values. Stored in front of them in the sorter.
typedef struct recon_row_info {
    int64_t count;
    uint64_t offset;    // of an event
    uint32_t partition; // UINT32_MAX: no event
    uint32_t line;      // of a file; 0: none
    uint8_t in_scope;   // WHERE keeps it
    uint8_t young;
    uint8_t status_n; // bytes of _status behind this struct
    uint8_t zero[5];
} recon_row_info;
_Static_assert(sizeof(recon_row_info) == 32, "no padding: it is copied as bytes");

void recon_side_init(recon_side *side, engine_recon *x, bool is_book);
void recon_side_deinit(recon_side *side);
// columns: of rows, those of the side. infos a row each; status: the view's, or NULL.
BASE_MUST_USE base_rc recon_side_add(recon_side *side, const col_batch *rows,
                                     const uint32_t *columns, const recon_row_info *infos,
                                     const col_vec *status, base_error *err);
// All of the view as of its last step.
BASE_MUST_USE base_rc recon_take_view(engine_recon *x, recon_side *side, base_error *err);
// recon_fed.c: lowers *fed_us to the instant before which all that was appended to the logs that
// the view is made of is in the snapshot.
BASE_MUST_USE base_rc recon_fed_us(engine *e, const plan_object *view,
                                   const engine_view_snapshot *snapshot, int64_t *fed_us,
                                   base_error *err);
// What the book has in the ranges; nranges 0: all of it.
BASE_MUST_USE base_rc recon_take_book(engine_recon *x, recon_side *side, uint32_t nranges,
                                      const engine_book_range *ranges, base_error *err);
// Whether a row of `rows` at `row` is younger than the settling time, by column `column` of it.
bool recon_is_young(const engine_recon *x, const col_vec *times, uint32_t row);
BASE_MUST_USE base_rc recon_filter(engine_recon *x, const plan_expr *filter, const col_batch *rows,
                                   base_arena *arena, uint8_t *keep, base_error *err);

// ---- a stream's events: recon_stream.c, recon_descend.c -----------------------------------------

// One event that counts, of a stream. Sorted by pos, key2: a file that is mapped.
typedef struct recon_entry {
    int64_t pos;    // engine/recon/book.h
    uint64_t key2;  // tells keys of one pos apart
    uint64_t sum;   // of its canonical text
    uint64_t place; // partition << 52 | offset << 2 | young << 1 | in scope
} recon_entry;
_Static_assert(sizeof(recon_entry) == 32, "recon_entry is a file's record");

typedef struct recon_entries {
    engine *engine;
    plat_file *file;
    char *path;
    const recon_entry *items; // mapped; without a file: in memory
    uint64_t n;
} recon_entries;

BASE_MUST_USE base_rc recon_entries_make(engine_recon *x, bool by_value, recon_entries *out,
                                         base_error *err);
void recon_entries_close(recon_entries *entries);
typedef struct recon_span {
    uint64_t from, to; // entries, the second not inside
} recon_span;
// Reads the events of the spans' entries from the log again, into the side.
BASE_MUST_USE base_rc recon_take_events(engine_recon *x, const recon_entries *entries,
                                        uint32_t nspans, const recon_span *spans, recon_side *side,
                                        base_error *err);
// The event at a place, all columns of the stream (hidden ones too).
BASE_MUST_USE base_rc recon_event_at(engine *e, const plan_object *stream,
                                     const engine_finding_place *place, base_arena *arena,
                                     const col_batch **out, base_error *err);
// Both sides of a stream: of ranges that agree the rows are counted as matched, of the others both
// sides' rows are taken.
BASE_MUST_USE base_rc recon_take_stream(engine_recon *x, recon_side *weir, recon_side *book,
                                        base_error *err);

// ---- findings -----------------------------------------------------------------------------------

// recon_merge.c: counts and findings into x->run, none of them judged by age of the finding yet.
BASE_MUST_USE base_rc recon_merge(engine_recon *x, recon_side *weir, recon_side *book,
                                  base_error *err);
// Whether a compared column agrees; weir's and the book's cell of a row.
bool recon_cells_agree(const plan_compare *compare, const col_vec *weir, const col_vec *book,
                       uint32_t row);
// A number that is no float, and any number; not null.
base_decimal recon_decimal_of(const col_vec *vec, uint32_t row);
double recon_double_of(const col_vec *vec, uint32_t row);
// A cell into cell 0 of another type (recon_explain.c).
BASE_MUST_USE base_rc recon_convert_cell(const col_vec *from, uint32_t row, col_vec *to,
                                         base_arena *arena, base_error *err);
// The key of finding i as a JSON object.
base_str recon_key_text(const engine_recon *x, uint32_t i);
// recon_settle.c: which findings are confirmed; moves the counts of the others to run->pending.
BASE_MUST_USE base_rc recon_settle(engine_recon *x, base_error *err);
// recon_explain.c: reasons of a view's findings, by the events that differ.
void recon_explain(engine_recon *x);
// recon_trace.c: the events that make up figures that do not agree.
void recon_trace(engine_recon *x);
// recon_list.c: run->details from the findings.
void recon_list(engine_recon *x);

// recon_store.c
BASE_MUST_USE base_rc engine_recon_store(engine *e, const plan_object *reconciliation,
                                         engine_recon_run *run, base_error *err);
// The values in e->t_recon whose keys have key_bytes and begin with a prefix, in order. A value is
// borrowed until the next; close also after an error.
typedef struct recon_values {
    state_cursor *cursor;
    char prefix[16];
    size_t prefix_bytes, key_bytes;
    bool begun;
} recon_values;
BASE_MUST_USE base_rc recon_values_open(engine *e, state_txn *txn, base_str prefix,
                                        size_t key_bytes, recon_values *out, base_error *err);
BASE_MUST_USE base_rc recon_values_next(recon_values *values, base_str *value, bool *end,
                                        base_error *err);
void recon_values_close(recon_values *values);
// What the run before kept for recon_settle; NULL: nothing.
BASE_MUST_USE base_rc engine_recon_kept(engine *e, uint32_t id, base_arena *arena, uint32_t ncols,
                                        const col_type *types, const col_batch **out,
                                        base_error *err);
// Types of the columns from `first` on.
const col_type *engine_recon_types(base_arena *arena, const plan_column *columns, uint32_t first,
                                   uint32_t n);
#define ENGINE_RECON_RUNS_FIRST   2u // "run"
#define ENGINE_RECON_RESULT_FIRST 4u // "kind"

#endif
