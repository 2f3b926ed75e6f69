// recon_int.h - reconciliation: a view compared with a file of record, and the rows of
// weir.reconciliations, weir.reconciliation_runs and weir.reconciliation_result. See recon.c.
//
// In e->t_recon, all numbers big-endian, version byte 1 before each value:
//   'R' id(4) run(8)           -> the run: one row of engine_recon_runs_columns from "run" on
//   'D' id(4) run(8) part(4)   -> rows of engine_recon_result_columns from "kind" on
// Both values are col_batch encodings.
#ifndef WEIR_ENGINE_RECON_INT_H
#define WEIR_ENGINE_RECON_INT_H

#include "engine/engine_int.h"

#define ENGINE_RECON_ROWS_MAX   10000u // rows listed a run; the others are counted
#define ENGINE_RECON_RUNS_MAX   100u   // runs kept a reconciliation
#define ENGINE_RECON_DETAIL_MAX 20u    // of them with their rows listed

// Columns of the three system objects; the functions below give batches of exactly these.
extern const plan_column engine_recon_columns[];        // weir.reconciliations: one row each
extern const plan_column engine_recon_runs_columns[];   // weir.reconciliation_runs
extern const plan_column engine_recon_result_columns[]; // weir.reconciliation_result
#define ENGINE_RECON_NCOLUMNS        17u
#define ENGINE_RECON_RUNS_NCOLUMNS   19u
#define ENGINE_RECON_RESULT_NCOLUMNS 12u

BASE_MUST_USE base_rc engine_recon_rows(engine *e, base_arena *arena, const col_batch **rows,
                                        base_error *err);
BASE_MUST_USE base_rc engine_recon_runs_rows(engine *e, base_arena *arena, const col_batch **rows,
                                             base_error *err);
BASE_MUST_USE base_rc engine_recon_result_rows(engine *e, base_arena *arena, const col_batch **rows,
                                               base_error *err);
// When the newest stored run began (schedules). *found false: it has never run.
BASE_MUST_USE base_rc engine_recon_last_started(engine *e, const plan_object *reconciliation,
                                                int64_t *started_us, bool *found, base_error *err);
// Deletes what is stored of a reconciliation that was dropped.
BASE_MUST_USE base_rc engine_recon_forget(engine *e, uint32_t id, base_error *err);

// ---- between recon.c, recon_file.c and recon_store.c -------------------------------------------

// The file of record as columns: the key columns, then the compared ones. Numbers that are compared
// are NUMERIC without limits (floats: double precision), so that nothing is rounded before it is
// compared.
typedef struct engine_recon_record {
    base_buf text; // the file, unpacked; strings are borrowed from it
    uint64_t file_bytes;
    uint64_t digest; // XXH3 of the file as it is on disk
    col_batch *batch;
    const uint32_t *lines; // where each row begins, from 1
} engine_recon_record;
// The type in which the file's value is read for column i of (key columns, compared columns).
col_type engine_recon_record_type(const plan_object *reconciliation, uint32_t i);
const plan_column *engine_recon_column(const plan_object *reconciliation, uint32_t i);
// text must be deinit by the caller, whatever is returned. Errors name the file and the line.
BASE_MUST_USE base_rc engine_recon_read(engine *e, const plan_object *reconciliation,
                                        uint64_t memory_limit, base_arena *arena,
                                        engine_recon_record *out, base_error *err);

typedef struct engine_recon_run {
    uint64_t run; // given by engine_recon_store
    int64_t started_us, as_of_us, watermark_us;
    uint64_t step;
    uint64_t record_rows, view_rows; // compared
    uint64_t matched, missing, unexpected, differing, duplicate;
    uint64_t skipped; // rows of the record that WHERE leaves out
    uint64_t file_bytes, digest;
    const char *path;
    const char *error;        // NULL: none
    const col_batch *details; // columns of result from "kind" on; or NULL
} engine_recon_run;
BASE_MUST_USE base_rc engine_recon_store(engine *e, const plan_object *reconciliation,
                                         engine_recon_run *run, base_error *err);
// Types of the columns from `first` on.
const col_type *engine_recon_types(base_arena *arena, const plan_column *columns, uint32_t first,
                                   uint32_t n);
#define ENGINE_RECON_RUNS_FIRST   2u // "run"
#define ENGINE_RECON_RESULT_FIRST 4u // "kind"

#endif
