// http_int.h - what the files of the HTTP listener share.
//
// libmicrohttpd's threads do the input and output (http_listener.c); what asks the engine runs in
// pools of workers (http_pool.c) while the connection is suspended. A request belongs to the
// connection's thread, and to the worker from its suspension to its resumption.
#ifndef WEIR_SERVER_HTTP_INT_H
#define WEIR_SERVER_HTTP_INT_H

#include <microhttpd.h>

#include "plat/thread.h"
#include "server/server_int.h"

#define SERVER_HTTP_CHUNK_BYTES    (64u << 10)   // an answer is made so much at a time
#define SERVER_HTTP_SNAPSHOT_BYTES (64ull << 20) // a subscriber's first view
#define SERVER_HTTP_STATEMENT_US   (300 * BASE_US_PER_SECOND)
#define SERVER_HTTP_HEADERS_MAX    12

typedef struct http_request http_request;
typedef struct http_pool http_pool;
typedef struct http_subscriber http_subscriber; // http_changes.c

typedef enum http_state {
    HTTP_READING, // the body
    HTTP_WORKING, // suspended
    HTTP_ANSWERED,
} http_state;

typedef enum http_rows_form {
    HTTP_ROWS_NONE,
    HTTP_ROWS_OBJECTS,
    HTTP_ROWS_ARRAYS,
    HTTP_ROWS_CSV
} http_rows_form;

typedef struct http_pair {
    base_str name, value;
} http_pair;

// A route's work: fills the answer. Runs in a worker, or in the connection's thread if inline.
typedef void (*http_work)(http_request *request);

struct http_request {
    server_http *http;
    struct MHD_Connection *connection;
    http_request *next; // in a pool's queue
    base_arena arena;   // everything of the request, and its result
    http_state state;
    http_work work;
    http_pool *pool; // NULL: inline
    bool takes_body;
    bool head;           // HEAD: no body is sent
    base_str path, name; // name: the object in the path
    size_t nargs;
    http_pair *args;
    const char *content_type, *content_encoding, *accept, *last_event_id, *if_none_match; // or NULL
    char source[64]; // "http 127.0.0.1"
    base_buf body;
    uint64_t body_bytes; // seen, kept or not
    // The answer.
    unsigned status;
    const char *answer_type;
    size_t nheaders;
    const char *header_names[SERVER_HTTP_HEADERS_MAX], *header_values[SERVER_HTTP_HEADERS_MAX];
    base_buf out; // the answer, or what goes before the rows
    size_t out_at;
    http_rows_form rows_form;
    engine_result result;
    uint32_t row, nrows;
    const char **keys; // of columns: "name":
    base_str tail;     // after the rows
    bool tail_done;
    http_subscriber *subscriber;
};

struct server_http {
    server *server;
    struct MHD_Daemon *daemon;
    int socket;
    uint16_t port;
    atomic_bool stopping;
    http_pool *ingest, *read, *changes;
    plat_mutex lock; // running, subscribers
    struct http_running *running;
    http_subscriber *subscribers;
    uint32_t nsubscribers;
    uint32_t commit_id;
    bool listens_commits;
    plat_thread ticker;
    bool ticking;
    plat_cond tick;
};

// A statement that runs for a request, to be cancelled when the server stops.
typedef struct http_running {
    engine_session session;
    struct http_running *next, **link;
} http_running;

// ---- http_pool.c ----

http_pool *http_pool_create(const char *name, uint32_t threads, uint32_t waiting_max);
// Suspends the request's connection and queues its work; false: full or closed (not suspended).
bool http_pool_push(http_pool *pool, http_request *request);
// Queues a subscriber's turn; false: closed.
bool http_pool_push_subscriber(http_pool *pool, http_subscriber *subscriber);
// All that is queued is run first, and no more is taken; NULL is allowed. The pool stays until it
// is destroyed, for those who find it closed.
void http_pool_close(http_pool *pool);
void http_pool_destroy(http_pool *pool); // closed before; NULL is allowed

// ---- http_answer.c ----

void http_answer(http_request *request, unsigned status, const char *content_type);
void http_answer_header(http_request *request, const char *name, const char *value); // arena's
void http_fail(http_request *request, const base_error *err);
void http_fail_with(http_request *request, unsigned status, base_rc code, const char *sqlstate,
                    const char *fmt, ...) __attribute__((format(printf, 5, 6)));
enum MHD_Result http_answer_send(http_request *request);
void http_json_text(base_buf *buf, base_str text); // a JSON string, whatever the bytes
// The rows of request->result, from the first; keys are made for objects.
void http_rows_begin(http_request *request, http_rows_form form);
// A row as a JSON object with the given keys.
void http_row_object(base_buf *buf, const col_batch *batch, uint32_t row, uint32_t ncols,
                     const char *const *keys);
const char **http_keys(base_arena *arena, uint32_t n, const char *const *names);

// ---- routes ----

const http_pair *http_arg(const http_request *request, const char *name); // NULL: not given
bool http_parse_u64(base_str text, uint64_t *out);
void http_session_begin(http_request *request, http_running *running);
void http_session_end(http_request *request, http_running *running);

void http_ingest(http_request *request); // http_ingest.c
void http_watermark(http_request *request);
void http_view(http_request *request); // http_view.c
void http_why(http_request *request);  // http_why.c
// Answers 404: what was asked for (NULL: nothing of that name) is no view, or none with changes.
void http_no_view(http_request *request, const plan_object *found, bool with_changes);
void http_query(http_request *request);   // http_query.c
void http_changes(http_request *request); // http_changes.c
void http_static(http_request *request);  // http_static.c

// ---- http_changes.c ----

ssize_t http_subscriber_read(void *arg, uint64_t position, char *to, size_t max);
void http_subscriber_work(http_subscriber *subscriber);
void http_subscriber_leave(http_subscriber *subscriber); // its connection has ended
void http_subscribers_notify(void *arg);                 // arg: server_http; after each commit
void http_subscribers_tick(server_http *http);
void http_subscribers_end(server_http *http);

#endif
