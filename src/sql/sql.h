// sql.h - SQL text to bound statements. libpg_query parses every SELECT, INSERT and expression; our
// own DDL (CREATE STREAM/TABLE/MATERIALIZED VIEW/SINK/RECONCILIATION, SHOW, FLUSH, ...) is cut by
// its scanner's tokens. Statements and all they point at live in the caller's arena. Errors:
// SQLSTATE and position as PostgreSQL's, position counted in characters from 1 over the whole text
// given. Threads: any, each with its own arena.
#ifndef WEIR_SQL_SQL_H
#define WEIR_SQL_SQL_H

#include "plan/agg.h"
#include "plan/catalog.h"
#include "plan/node.h"

typedef enum sql_kind {
    SQL_EMPTY, // only white space or comments
    SQL_CREATE_SCHEMA,
    SQL_CREATE_STREAM,         // object
    SQL_CREATE_TABLE,          // object
    SQL_CREATE_VIEW,           // object: a view, materialised or plain
    SQL_CREATE_SINK,           // object
    SQL_CREATE_RECONCILIATION, // object
    SQL_DROP,                  // drop_kind, schema, name, if_exists, cascade
    SQL_DROP_SCHEMA,
    SQL_COMMENT, // on schema.name[.column]: text or NULL
    SQL_SELECT,  // plan: SELECT and VALUES
    SQL_EXPLAIN, // plan, or object for EXPLAIN CREATE MATERIALIZED VIEW
    SQL_INSERT,  // target, target_columns, plan
    SQL_DELETE,  // target; plan and target_columns: the keys of the rows that go
    SQL_SHOW,    // name: a setting, or streams/tables/views/sinks/schemas/flows/...
    SQL_SET,     // name, value
    SQL_RESET,
    SQL_BEGIN,
    SQL_COMMIT,
    SQL_ROLLBACK,        // accepted: one statement is one transaction
    SQL_SAVEPOINT,       // name
    SQL_RELEASE,         // name
    SQL_ROLLBACK_TO,     // name
    SQL_SET_TRANSACTION, // modes of transactions: accepted
    SQL_FLUSH,           // wait until all that was acknowledged so far is visible
    SQL_RECONCILE,       // RECONCILE schema.name: run it now
    SQL_DECIDE,          // APPROVE or REJECT RECONCILIATION schema.name RUN run: approve, run
    SQL_REBUILD_FLOW,    // name, as weir.flows has it
    SQL_VERIFY,          // VERIFY schema.name, or all: name NULL
    SQL_ALTER_VIEW,      // schema.name, action, version (0: none given)
    SQL_ALTER_STREAM,    // schema.name, value: its new WATERMARK FOR ...
    SQL_ADVANCE,         // ADVANCE WATERMARK: target, advance
    SQL_REPLAY,          // schema.name, replay
    SQL_CANCEL_REPLAY,   // version: the number of the replay
    SQL_COPY_OUT,        // COPY (query|object) TO STDOUT: plan, copy
    SQL_DEALLOCATE,
    SQL_DISCARD,
    SQL_CLOSE_ALL, // cursors: there are none
    SQL_UNLISTEN,  // there is nothing to unlisten: accepted
    SQL_DECLARE_UNUSED
} sql_kind;

typedef enum sql_version_action {
    SQL_VERSION_PROMOTE,
    SQL_VERSION_ROLL_BACK,
    SQL_VERSION_DROP,
} sql_version_action;

typedef enum sql_replay_kind {
    SQL_REPLAY_ALL,
    SQL_REPLAY_PARTITION,
    SQL_REPLAY_OFFSETS,
    SQL_REPLAY_TIME,
    SQL_REPLAY_APPEND_TIME,
    SQL_REPLAY_KEY,
    SQL_REPLAY_QUARANTINE,
} sql_replay_kind;

#define SQL_REPLAY_KEYS_MAX 16u

typedef struct sql_replay {
    sql_replay_kind kind;
    bool into_version; // else into the view that is served
    bool has_partition;
    uint32_t partition;
    uint64_t from, upto;               // offsets; upto is not among them
    const char *from_time, *upto_time; // texts
    uint32_t nkey;
    const char *key[SQL_REPLAY_KEYS_MAX];
    uint64_t rate; // records a second; 0: no limit
} sql_replay;

typedef struct sql_copy {
    bool csv;
    bool header;
    char delimiter;
    const char *null_text;
} sql_copy;

// A heartbeat of a stream.
typedef struct sql_advance {
    int32_t partition; // -1: all
    const char *to;    // of the event time's type, as text
    bool has_events;
    uint64_t events;
    const char *source; // or NULL
} sql_advance;

typedef struct sql_statement {
    sql_kind kind;
    base_str text;       // the statement's own text, without the semicolon
    int32_t text_offset; // in characters, of text in the whole
    const char *schema;  // DDL targets; NULL: the session's
    const char *name;
    const char *column; // COMMENT ON COLUMN
    const char *value;  // COMMENT, SET
    bool if_exists, if_not_exists, or_replace, cascade, analyze;
    bool dot;      // EXPLAIN (FORMAT DOT)
    bool state;    // EXPLAIN (STATE)
    bool is_local; // SET LOCAL
    plan_object_kind drop_kind;
    sql_version_action action; // ALTER MATERIALIZED VIEW
    uint32_t version;
    sql_replay replay;
    bool approve;
    uint64_t run;        // 0: the newest
    plan_object *object; // CREATE ...; id not set
    const plan_node *plan;
    const plan_object *target; // INSERT; EXPLAIN MATERIALIZED VIEW: the view
    uint32_t ntarget_columns;
    const uint32_t *target_columns; // INSERT: column of target for each output column of plan
    uint32_t nparams;
    const col_type *params; // types of $1.. as given or inferred
    sql_copy copy;
    sql_advance advance;
} sql_statement;

typedef struct sql_session {
    const plan_catalog *catalog;
    const char *default_schema; // "public"
    int64_t now_us;
    const base_zone *zone; // of literals without a zone, but in CREATE and ALTER: those are in UTC
} sql_session;

// Cuts a text into statements at top-level semicolons (aware of quotes, dollar quotes, comments).
BASE_MUST_USE base_rc sql_split(base_arena *arena, base_str text, size_t *n, base_str **statements,
                                base_error *err);
// Binds one statement. text_offset: of this statement in the whole text, in characters, added to
// error positions. param_types: nparam_types given types (COL_UNKNOWN: infer).
BASE_MUST_USE base_rc sql_bind(base_arena *arena, const sql_session *session, base_str text,
                               int32_t text_offset, size_t nparam_types,
                               const col_type *param_types, sql_statement **out, base_error *err);
// Window functions by position, for documentation; NULL at the end.
const char *sql_window_function_at(size_t i);
// The command word of a statement for CommandComplete: "SELECT", "CREATE MATERIALIZED VIEW", ...
const char *sql_command_tag(const sql_statement *statement);

#endif
