// pg_int.h - what the files of the PostgreSQL listener share.
//
// A connection (pg_listener.c) owns the socket and belongs to the loop's thread. Its session
// (pg_session.c) owns statements, portals and the buffers, and belongs to the worker while one
// runs, else to the loop's thread: the hand-over is uv_queue_work's. Only engine.cancel and
// abandoned cross.
#ifndef WEIR_SERVER_PG_INT_H
#define WEIR_SERVER_PG_INT_H

#include "base/map.h"
#include "server/server_int.h"
#include "wire/pg.h"

// A worker stops when it has made so much output; it goes on when that is written.
#define SERVER_PG_OUT_BYTES      (256u << 10)
#define SERVER_PG_STATEMENTS_MAX 5000
#define SERVER_PG_PORTALS_MAX    1000
#define SERVER_PG_COLUMNS_MAX    1664
#define SERVER_PG_ROW_BYTES_MAX  (256u << 20) // raw bytes of a row's strings

typedef struct server_pg_statement {
    base_arena arena;
    uint32_t refs; // its name, and each portal made from it
    engine_prepared *prepared;
    base_str text;
    size_t nparams;
    col_type *params;
    engine_result shape; // what Describe says; rows NULL
} server_pg_statement;

typedef struct server_pg_portal {
    base_arena arena;
    server_pg_statement *statement;
    const col_batch *params;
    const int16_t *formats; // one a column
    bool executed;
    engine_result result;
    uint32_t next_row;
} server_pg_portal;

// An answer on its way out: rows [row, end) of result are still to be sent.
typedef struct server_pg_emit {
    bool active;
    const engine_result *result;
    const int16_t *formats; // NULL: all text
    uint32_t row, end, sent;
    server_pg_portal *portal; // NULL: a simple query
} server_pg_emit;

// A simple query's statements, run one after the other.
typedef struct server_pg_simple {
    bool active;
    base_arena arena, statement_arena;
    base_str text;
    size_t n, next, ran; // ran: those that were not empty
    base_str *statements;
    size_t counted_bytes; // how far text_offset has been counted
    int32_t counted_characters;
    engine_result result;
} server_pg_simple;

#define SERVER_PG_SAVEPOINTS_MAX 1000

typedef struct server_pg_savepoint {
    char name[64];
    engine_settings_kept settings;
} server_pg_savepoint;

typedef struct server_pg_session {
    server *server;
    server_pg *listener;
    engine_session engine;
    base_arena startup_arena; // the strings of `engine`
    base_arena arena;         // a message
    base_buf in, out;
    size_t in_at; // consumed of in
    size_t need;  // bytes after in_at that make the next message
    bool started, closing;
    bool counted;          // by the listener, against its limit
    atomic_bool abandoned; // the connection ends: nothing more is begun
    uint32_t key;
    char transaction; // 'I', 'T', 'E'
    bool changed;     // something was stored or made since the transaction began
    uint32_t nsavepoints;
    server_pg_savepoint *savepoints; // the newest last
    bool skip_till_sync;
    int64_t statement_timeout_us;
    base_map *statements, *portals; // "" is the unnamed one
    server_pg_emit emit;
    server_pg_simple simple;
} server_pg_session;

// ---- pg_session.c ----

server_pg_session *server_pg_session_create(server *s, server_pg *listener);
void server_pg_session_destroy(server_pg_session *session);
// Whether a worker has something to do.
bool server_pg_session_ready(const server_pg_session *session);
// A worker's turn: reads messages and answers them until there are no more or the output is large.
void server_pg_session_work(server_pg_session *session);
// Any thread: stops what runs, and what would come after it.
void server_pg_session_abandon(server_pg_session *session);
// Before a statement: a cancel request that came earlier was not for it.
void server_pg_session_arm(server_pg_session *session);
// An error to the client; in a transaction it breaks that.
void server_pg_session_fail(server_pg_session *session, const base_error *err);
void server_pg_session_fatal(server_pg_session *session, const base_error *err);
// Refuses what a broken transaction does not allow (25P02).
BASE_MUST_USE base_rc server_pg_session_allow(server_pg_session *session, base_str text,
                                              base_error *err);
// Runs a statement and sends what goes before its rows: notices, parameters, freshness.
BASE_MUST_USE base_rc server_pg_session_run(server_pg_session *session, base_str text,
                                            engine_prepared *prepared, const col_batch *params,
                                            base_arena *arena, engine_result *out, base_error *err);
BASE_MUST_USE base_rc server_pg_session_utf8(base_str text, base_error *err);

// ---- pg_simple.c ----

void server_pg_simple_begin(server_pg_session *session, base_str text);
void server_pg_simple_next(server_pg_session *session); // the next statement, or the end

// ---- pg_extended.c ----

void server_pg_extended(server_pg_session *session, const wire_pg_message *message);
void server_pg_portals_drop(server_pg_session *session);
void server_pg_statements_drop(server_pg_session *session);
void server_pg_statement_close(server_pg_session *session, base_str name);
void server_pg_portal_close(server_pg_session *session, base_str name);

// ---- pg_emit.c ----

void server_pg_emit_begin(server_pg_session *session, const engine_result *result,
                          const int16_t *formats, server_pg_portal *portal, uint32_t row,
                          uint32_t max_rows);
void server_pg_emit_some(server_pg_session *session);

// ---- pg_listener.c ----

// A session past its startup; false: there are too many.
bool server_pg_listener_enter(server_pg *pg, server_pg_session *session);
void server_pg_listener_leave(server_pg *pg, server_pg_session *session);
void server_pg_listener_cancel(server_pg *pg, uint32_t pid, uint32_t key);

#endif
