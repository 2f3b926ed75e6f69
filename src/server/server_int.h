// server_int.h - what the files of src/server share: the server, its two listeners, its counters.
#ifndef WEIR_SERVER_SERVER_INT_H
#define WEIR_SERVER_SERVER_INT_H

#include <stdatomic.h>

#include "col/codec.h"
#include "server/server.h"

typedef struct server_pg server_pg;     // pg_listener.c
typedef struct server_http server_http; // http_listener.c

// For /metrics. Each is only ever added to, but for the gauges.
typedef struct server_counters {
    atomic_uint_fast64_t pg_connections, pg_connections_open, pg_statements, pg_errors, pg_rows;
    atomic_uint_fast64_t pg_bytes_in, pg_bytes_out, pg_cancels;
    atomic_uint_fast64_t http_connections_open, http_requests, http_errors_client,
        http_errors_server, http_bytes_in, http_refused, http_requests_open;
    atomic_uint_fast64_t ingest_requests, ingest_us, view_requests, view_us, query_requests,
        query_us;
    atomic_uint_fast64_t subscribers, events_sent, snapshots_sent;
} server_counters;

struct server {
    engine *engine;
    plat *plat;
    server_config config; // with strings of its own, in arena
    base_arena arena;
    server_counters counters;
    server_pg *pg;
    server_http *http;
};

BASE_MUST_USE base_rc server_pg_start(server *s, server_pg **out, base_error *err);
uint16_t server_pg_listener_port(const server_pg *pg);
void server_pg_stop(server_pg *pg); // NULL is allowed

BASE_MUST_USE base_rc server_http_start(server *s, server_http **out, base_error *err);
uint16_t server_http_listener_port(const server_http *http);
void server_http_stop(server_http *http); // NULL is allowed

// "step=12 as_of=2024-01-31T12:00:00Z watermark=... lag_ms=0 fresh=true"
void server_standing_text(const engine_standing *standing, base_buf *buf);
// The same as a JSON object; null if nothing is known.
void server_standing_json(const engine_standing *standing, base_buf *buf);
// The first word of an SQL text, which is moved behind it; comments are passed over; a quoted name
// is one word, without its quotes. Empty: the text begins with no word.
base_str server_take_word(base_str *text);
bool server_word_is(base_str word, const char *name); // ASCII, any case
// The server's own counters in Prometheus' text format.
void server_metrics(server *s, base_buf *buf);
int64_t server_now_us(server *s); // monotonic

// A statement's cancel flag is the one thing of a session that two threads touch at a time.
static inline void server_cancel_set(engine_session *session, bool cancel) {
    __atomic_store_n(&session->cancel, cancel, __ATOMIC_SEQ_CST);
}
static inline bool server_cancel_get(const engine_session *session) {
    return __atomic_load_n(&session->cancel, __ATOMIC_SEQ_CST);
}

#endif
