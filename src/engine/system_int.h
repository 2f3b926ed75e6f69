// system_int.h - system objects (schemas weir, pg_catalog, information_schema): their definitions
// and the rows they make on demand. For system.c, weirtab.c, pgcat*.c, sinkstate.c, metrics.c.
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
    uint32_t hint; // where the next column's name is looked for first
} system_rows;

typedef base_rc (*system_fill)(system_rows *r, base_error *err);

// columns: "name type, name type?, ...": a ? says that the column may be null, and then it is null
// unless set; a ! that it always is; others begin as 0, false or ''.
typedef struct system_def {
    uint32_t id; // < ENGINE_FIRST_USER_ID, PostgreSQL's own number where it has one
    const char *schema, *name;
    const char *columns;
    system_fill fill; // NULL: never has a row
    const char *comment;
} system_def;

void system_row(system_rows *r); // a new row; then its cells by the column's name
void system_i64(system_rows *r, const char *column, int64_t v); // integers, oids, chars, times
void system_time(system_rows *r, const char *column, int64_t us, int64_t none); // null if `none`
void system_bool(system_rows *r, const char *column, bool v);
void system_f64(system_rows *r, const char *column, double v);
void system_str(system_rows *r, const char *column, base_str v);     // borrowed
void system_text(system_rows *r, const char *column, const char *v); // borrowed; NULL: null
void system_copy(system_rows *r, const char *column, base_str v);    // copied to the arena
void system_printf(system_rows *r, const char *column, const char *fmt, ...) BASE_PRINTF(3, 4);
void system_us(system_rows *r, const char *column, int64_t us); // an interval column

// All objects that are not system ones, ascending by id, in the arena.
const plan_object **system_objects(system_rows *r, uint32_t *n);

extern const system_def system_weir_defs[];
extern const size_t system_weir_def_count;
extern const system_def system_pg_defs[];
extern const size_t system_pg_def_count;

// ---- sinks (sinkstate.c) ------------------------------------------------------------------------

typedef struct engine_sink_status {
    uint64_t delivered, failed;               // rows
    uint64_t delivered_stored, failed_stored; // of them, in the stored row
    int64_t reported_us;                      // 0: never
    char last_error[512];                     // "" if the last report was good
} engine_sink_status;
BASE_MUST_USE base_rc engine_sink_status_of(engine *e, const plan_object *sink, uint64_t *step,
                                            engine_sink_status *out, base_error *err);
BASE_MUST_USE base_rc engine_sink_forget(engine *e, const plan_object *sink, base_error *err);

// ---- flows (weirtab.c, metrics.c) ---------------------------------------------------------------

// Microseconds below which a share of the flow's steps took, from its histogram (upper bound of the
// bucket); 0 if there was no step.
uint64_t system_step_quantile_us(const engine_flow *flow, double share);

#endif
