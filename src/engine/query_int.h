// query_int.h - ad-hoc queries and the rows of system objects, for the files of src/engine.
#ifndef WEIR_ENGINE_QUERY_INT_H
#define WEIR_ENGINE_QUERY_INT_H

#include "col/func_host.h"
#include "engine/engine_int.h"
#include "engine/wanted.h"

// Runs a plan without parameters left; rows and their strings are in arena, weights all +1.
// What the operators of a plan have done (explain.c), by node.
#define ENGINE_OPERATORS_MAX 4096u
typedef struct engine_operator {
    uint32_t node_id;
    const char *op;
    flow_op_stats stats;
    bool has_state;
    uint64_t state_rows, state_bytes; // about
} engine_operator;
typedef struct engine_operators {
    uint32_t view_id; // 0: of a query
    uint32_t nnodes;  // node ids are below
    uint32_t n;
    engine_operator *items; // ENGINE_OPERATORS_MAX
} engine_operators;
// A visitor for flow_graph_stats; arg is an engine_operators.
void engine_operators_note(void *arg, uint32_t view_id, uint32_t node_id, const char *op,
                           const flow_op_stats *stats);
// Of a view that is kept, since its flow's graph was made. Waits for a step in progress.
BASE_MUST_USE base_rc engine_operators_of(engine *e, const plan_object *view, base_arena *arena,
                                          engine_operators *out, base_error *err);
BASE_MUST_USE base_rc engine_explain(engine_session *session, const sql_statement *statement,
                                     base_arena *arena, engine_standing *standing, base_buf *buf,
                                     base_error *err);
// As engine_query, and the operators are timed.
BASE_MUST_USE base_rc engine_query_timed(engine_session *session, const plan_node *plan,
                                         base_arena *arena, const col_batch **rows,
                                         engine_standing *standing, engine_operators *figures,
                                         base_error *err);
// As engine_query, with rows in the place of some of the objects that the plan reads: all columns
// of each, hidden ones too (of a view: the declared ones are enough if the plan reads no others).
typedef struct engine_query_given {
    const plan_object *object;
    const col_batch *rows;
} engine_query_given;
BASE_MUST_USE base_rc engine_query_over(engine_session *session, const plan_node *plan, uint32_t n,
                                        const engine_query_given *given, base_arena *arena,
                                        const col_batch **rows, engine_standing *standing,
                                        base_error *err);
// A log is read up to `next`, of a partition; partitions that are not named are read to their ends.
typedef struct engine_upto {
    uint32_t object_id, partition;
    uint64_t next;
} engine_upto;
// What a query may be told beside its plan; zero: nothing.
typedef struct engine_query_options {
    engine_operators *figures; // operators are timed
    int64_t now_us;            // what now() is; 0: the clock's
    uint32_t nupto;
    const engine_upto *upto;
    uint32_t ngiven;
    const engine_query_given *given;
    const flow_hooks *hooks; // NULL: a row that fails fails the query
    // How to read the log of an object, or NULL: in the arena (narrow.h). NULL: all of it.
    struct engine_narrow *(*narrow)(void *arg, const plan_object *object, base_arena *arena);
    void *narrow_arg;
    bool as_views;        // instants are read and truncated as in views, not in the session's zone
    bool exact;           // logs are read up to `upto` alone, whatever weir.as_of is
    bool by_effective;    // records of streams and tables that are effective after the next
    int64_t effective_us; // do not count (effective.h)
} engine_query_options;
BASE_MUST_USE base_rc engine_query_with(engine_session *session, const plan_node *plan,
                                        const engine_query_options *options, base_arena *arena,
                                        const col_batch **rows, engine_standing *standing,
                                        base_error *err);
BASE_MUST_USE base_rc engine_query(engine_session *session, const plan_node *plan,
                                   base_arena *arena, const col_batch **rows,
                                   engine_standing *standing, base_error *err);

// system.c (schema weir) and pgcat.c (pg_catalog): every column of the object, all rows, or those
// that are wanted, in arena.
BASE_MUST_USE base_rc engine_system_rows(engine_session *session, const plan_object *object,
                                         const engine_wanted *wanted, base_arena *arena,
                                         const col_batch **rows, base_error *err);
// What functions such as pg_get_viewdef ask; borrows the session.
col_func_host engine_func_host(engine_session *session);

#endif
