// system_int.h - system objects (schemas weir, pg_catalog, information_schema): their definitions
// and the rows they make on demand. For system.c, weirtab.c, pgcat*.c, sinkstate.c,
// sinklag.c, metrics.c.
#ifndef WEIR_ENGINE_SYSTEM_INT_H
#define WEIR_ENGINE_SYSTEM_INT_H

#include "engine/query_int.h"

// ---- rows (system.c) ----------------------------------------------------------------------------

typedef struct system_rows {
    engine_session *session;
    engine *engine;
    base_arena *arena; // of the rows: what a cell borrows must live there, or for ever
    const plan_object *object;
    col_builder *builder;
    uint32_t hint;               // where the next column's name is looked for first
    const engine_wanted *wanted; // what the query's filter lets through; NULL: not known
} system_rows;

typedef base_rc (*system_fill)(system_rows *r, base_error *err);

// columns: perhaps "(1) ", how many texts it is called with, FROM weir.name('text'); then "name
// type, name type?, ...": a ? says that the column may be null, and then it is null unless set; a !
// that it always is; others begin as 0, false or ''.
typedef struct system_def {
    uint32_t id; // < ENGINE_FIRST_USER_ID, PostgreSQL's own number where it has one
    const char *schema, *name;
    const char *columns;
    system_fill fill; // NULL: never has a row
    const char *comment;
} system_def;

// The i-th text that it was called with; NULL: it was named like a table, as tools do that look at
// all there is, and has no rows.
const char *system_argument(const system_rows *r, uint32_t i);
void system_row(system_rows *r); // a new row; then its cells by the column's name
void system_i64(system_rows *r, const char *column, int64_t v); // integers, oids, chars, times
void system_time(system_rows *r, const char *column, int64_t us, int64_t none); // null if `none`
void system_bool(system_rows *r, const char *column, bool v);
void system_f64(system_rows *r, const char *column, double v);
void system_str(system_rows *r, const char *column, base_str v);     // borrowed
void system_text(system_rows *r, const char *column, const char *v); // borrowed; NULL: null
void system_copy(system_rows *r, const char *column, base_str v);    // copied to the arena
// An array of smallint or oid.
void system_numbers(system_rows *r, const char *column, uint32_t n, const uint32_t *v);
void system_printf(system_rows *r, const char *column, const char *fmt, ...) BASE_PRINTF(3, 4);
void system_us(system_rows *r, const char *column, int64_t us); // an interval column

// All objects that are not system ones, ascending by id, in the arena.
const plan_object **system_objects(system_rows *r, uint32_t *n);

base_rc system_fill_why(system_rows *r, base_error *err);       // whytab.c
base_rc system_fill_lineage(system_rows *r, base_error *err);   // whytab.c
base_rc system_fill_revision(system_rows *r, base_error *err);  // revision.c
base_rc system_fill_windows(system_rows *r, base_error *err);   // windowtab.c
base_rc system_fill_operators(system_rows *r, base_error *err); // explain.c

extern const system_def system_weir_defs[];
extern const size_t system_weir_def_count;
extern const system_def system_completeness_defs[]; // completeness.c
extern const size_t system_completeness_def_count;
extern const system_def system_pg_defs[];
extern const size_t system_pg_def_count;

// ---- sinks (sinkstate.c) ------------------------------------------------------------------------

typedef struct engine_sink_status {
    uint64_t delivered, failed;               // rows
    uint64_t delivered_stored, failed_stored; // of them, in the stored row
    int64_t reported_us;                      // 0: never
    bool past_limit;                          // of what is kept for it (sinklag.c)
    char last_error[512];                     // "" if the last report was good
} engine_sink_status;
BASE_MUST_USE base_rc engine_sink_status_of(engine *e, const plan_object *sink, uint64_t *step,
                                            engine_sink_status *out, base_error *err);
void engine_sink_keep_for(engine *e, const plan_object *sink, bool keep);
// *found false: the sink has been dropped.
BASE_MUST_USE base_rc engine_sink_find_cursor(engine *e, const plan_object *sink, uint64_t *step,
                                              bool *found, base_error *err);
BASE_MUST_USE base_rc engine_sink_forget(engine *e, const plan_object *sink, base_error *err);

// ---- how far sinks are behind (sinklag.c) -------------------------------------------------------

typedef enum engine_sink_state {
    ENGINE_SINK_RESERVED,
    ENGINE_SINK_EXTENDED,
    ENGINE_SINK_UNRESERVED,
    ENGINE_SINK_LOST
} engine_sink_state;

typedef struct engine_sink_lag {
    engine_sink_state state;
    uint64_t step;               // the sink's cursor
    uint64_t view_step;          // of the last commit
    uint64_t trimmed_step;       // the log of the view's changes begins after it
    uint64_t steps, rows, bytes; // undelivered: steps with changes, their rows, bytes in the log
    int64_t us;                  // age of the oldest of them; 0: none
} engine_sink_lag;
const char *engine_sink_state_name(engine_sink_state state);
// BASE_E_NOT_FOUND: the sink or its view has been dropped.
BASE_MUST_USE base_rc engine_sink_lag_of(engine *e, const plan_object *sink, engine_sink_lag *out,
                                         base_error *err);
// alert.c: the same of a sink FROM RECONCILIATION, whose steps and rows are runs.
BASE_MUST_USE base_rc engine_alert_lag(engine *e, const plan_object *sink, engine_sink_lag *lag,
                                       base_error *err);
// What lies up to step is about to be acknowledged: counted off while it is still there.
void engine_sink_count_off(engine *e, const plan_object *sink, uint64_t step);
// Once a second: who has passed a limit, and what is to be said of it.
void engine_sinks_check(engine *e);

void engine_completeness_metrics(engine *e, base_buf *buf); // completeness.c

// ---- flows (weirtab.c, metrics.c) ---------------------------------------------------------------

// Microseconds below which a share of the flow's steps took, from its histogram (upper bound of the
// bucket); 0 if there was no step.
uint64_t system_step_quantile_us(const engine_flow *flow, double share);

#endif
