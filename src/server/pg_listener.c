// pg_listener.c - the PostgreSQL listener: one thread runs the event loop (libuv) and does all that
// concerns sockets; what a message asks for runs in the loop's worker threads, one worker a
// connection at a time, so that a long query holds up nobody else.
//
// Invariants: while a worker runs (conn->working) the loop touches nothing of the session but
// engine.cancel, and what arrives goes to conn->ahead, at most AHEAD_BYTES_MAX; a worker is started
// only when the output of the one before is on its way. So a connection's memory is one message,
// one result and two output buffers. A client that hangs up cancels its statement. Entry points:
// server_pg_start, server_pg_stop.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "base/must.h"
#include "plat/thread.h"
#include "server/pg_int.h"

#define READ_BYTES        (64u << 10)
#define AHEAD_BYTES_MAX   (256u << 10)
#define BACKLOG           128
#define CONNECTIONS_EXTRA 32 // beyond the limit: to be told so, and for cancel requests
#define KEEPALIVE_SECONDS 60
#define WORKERS           "32" // libuv's pool, if the environment does not say

typedef struct pg_conn {
    uv_tcp_t tcp;
    uv_timer_t startup_timer;
    uv_work_t work;
    uv_write_t write;
    server_pg *pg;
    server_pg_session *session;
    struct pg_conn *next, **link; // of pg->conns
    base_buf ahead;               // arrived while a worker ran
    base_buf writing;             // on its way
    int handles;                  // to be closed before this can be freed
    bool working, write_busy, reading, eof, closing;
} pg_conn;

struct server_pg {
    server *server;
    uv_loop_t loop;
    uv_tcp_t listening;
    uv_async_t stop;
    plat_thread thread;
    bool loop_ready, running;
    uint16_t port;
    pg_conn *conns;
    uint32_t nconns;
    uint32_t next_pid;
    char *read_buffer; // the loop reads one socket at a time
    plat_mutex lock;   // sessions
    server_pg_session **sessions;
    uint32_t nsessions;
};

// ---- sessions by process id: any thread ----

bool server_pg_listener_enter(server_pg *pg, server_pg_session *session) {
    plat_mutex_lock(&pg->lock);
    bool room = pg->nsessions < pg->server->config.pg_connections_max;
    if (room) {
        pg->sessions[pg->nsessions++] = session;
        session->counted = true;
    }
    plat_mutex_unlock(&pg->lock);
    if (room) {
        atomic_fetch_add(&pg->server->counters.pg_connections, 1);
        atomic_fetch_add(&pg->server->counters.pg_connections_open, 1);
    }
    return room;
}

void server_pg_listener_leave(server_pg *pg, server_pg_session *session) {
    plat_mutex_lock(&pg->lock);
    for (uint32_t i = 0; i < pg->nsessions; i++) {
        if (pg->sessions[i] != session) continue;
        pg->sessions[i] = pg->sessions[--pg->nsessions];
        break;
    }
    plat_mutex_unlock(&pg->lock);
    session->counted = false;
    atomic_fetch_sub(&pg->server->counters.pg_connections_open, 1);
}

void server_pg_listener_cancel(server_pg *pg, uint32_t pid, uint32_t key) {
    plat_mutex_lock(&pg->lock);
    for (uint32_t i = 0; i < pg->nsessions; i++) {
        server_pg_session *session = pg->sessions[i];
        if (session->engine.pid != pid || session->key != key) continue;
        server_cancel_set(&session->engine,
                          true); // a session at rest forgets it when a statement begins
        atomic_fetch_add(&pg->server->counters.pg_cancels, 1);
    }
    plat_mutex_unlock(&pg->lock);
}

// ---- closing ----

static void on_handle_closed(uv_handle_t *handle) {
    pg_conn *conn = handle->data;
    if (--conn->handles > 0) return;
    *conn->link = conn->next;
    if (conn->next != NULL) conn->next->link = conn->link;
    conn->pg->nconns--;
    server_pg_session_destroy(conn->session);
    base_buf_deinit(&conn->ahead);
    base_buf_deinit(&conn->writing);
    free(conn);
}

static void close_handles(pg_conn *conn) {
    uv_close((uv_handle_t *)&conn->tcp, on_handle_closed);
    uv_close((uv_handle_t *)&conn->startup_timer, on_handle_closed);
}

// Ends a connection; while a worker has the session the handles wait for it.
static void conn_close(pg_conn *conn) {
    if (conn->closing) return;
    conn->closing = true;
    if (conn->reading) uv_read_stop((uv_stream_t *)&conn->tcp);
    conn->reading = false;
    if (conn->working)
        server_pg_session_abandon(conn->session);
    else
        close_handles(conn);
}

// ---- output and work ----

static void conn_go_on(pg_conn *conn);

static void on_written(uv_write_t *write, int status) {
    pg_conn *conn = write->data;
    conn->write_busy = false;
    base_buf_clear(&conn->writing);
    if (conn->writing.cap > 4 * SERVER_PG_OUT_BYTES) base_buf_deinit(&conn->writing);
    if (status < 0) { // the client has gone
        if (!conn->closing) conn_close(conn);
        return;
    }
    conn_go_on(conn);
}

// Hands the session's output to the socket, if the last has gone.
static void start_write(pg_conn *conn) {
    server_pg_session *session = conn->session;
    if (conn->write_busy || session->out.n == 0) return;
    base_buf empty = conn->writing;
    conn->writing = session->out;
    session->out = empty;
    base_buf_clear(&session->out);
    uv_buf_t buf = uv_buf_init(conn->writing.p, (unsigned)conn->writing.n);
    conn->write.data = conn;
    if (conn->writing.n > UINT32_MAX / 2 ||
        uv_write(&conn->write, (uv_stream_t *)&conn->tcp, &buf, 1, on_written) != 0) {
        conn_close(conn);
        return;
    }
    conn->write_busy = true;
}

static void run_work(uv_work_t *work) {
    pg_conn *conn = work->data;
    server_pg_session_work(conn->session);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf);

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf) {
    (void)suggested;
    pg_conn *conn = handle->data;
    *buf = uv_buf_init(conn->pg->read_buffer, READ_BYTES);
}

static void conn_read(pg_conn *conn, bool on) {
    if (conn->closing || conn->eof || conn->reading == on) return;
    conn->reading = on;
    if (on)
        must(uv_read_start((uv_stream_t *)&conn->tcp, on_alloc, on_read) == 0);
    else
        uv_read_stop((uv_stream_t *)&conn->tcp);
}

static void on_work_done(uv_work_t *work, int status) {
    (void)status;
    pg_conn *conn = work->data;
    server_pg_session *session = conn->session;
    conn->working = false;
    if (conn->closing) {
        close_handles(conn);
        return;
    }
    // What is consumed goes; what came meanwhile follows.
    if (session->in_at > 0) {
        memmove(session->in.p, session->in.p + session->in_at, session->in.n - session->in_at);
        session->in.n -= session->in_at;
        session->in_at = 0;
        if (session->in.n == 0 && session->in.cap > 4 * READ_BYTES) base_buf_deinit(&session->in);
    }
    base_buf_add_str(&session->in, base_buf_str(&conn->ahead));
    base_buf_clear(&conn->ahead);
    conn_go_on(conn);
}

// Decides what a connection does next; the one place, called whenever something has changed.
static void conn_go_on(pg_conn *conn) {
    if (conn->closing || conn->working) return;
    server_pg_session *session = conn->session;
    start_write(conn);
    if (conn->closing) return;
    if (session->started || session->closing) uv_timer_stop(&conn->startup_timer);
    bool ready = server_pg_session_ready(session);
    if (!conn->write_busy && session->out.n == 0 && (session->closing || (conn->eof && !ready))) {
        conn_close(conn);
        return;
    }
    if (session->closing) {
        conn_read(conn, false);
        return;
    }
    if (session->out.n > 0) { // a full buffer waits behind the one that is being written
        conn_read(conn, conn->ahead.n < AHEAD_BYTES_MAX && !ready);
        return;
    }
    if (!ready) {
        conn_read(conn, true);
        return;
    }
    conn->working = true;
    conn->work.data = conn;
    must(uv_queue_work(&conn->pg->loop, &conn->work, run_work, on_work_done) == 0);
    conn_read(conn, true); // to notice a client that hangs up
}

// ---- input ----

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf) {
    pg_conn *conn = stream->data;
    if (n == 0) return;
    if (n < 0) {
        conn_read(conn, false);
        conn->eof = true;
        if (n != UV_EOF)
            conn_close(conn);
        else if (conn->working)
            server_cancel_set(&conn->session->engine, true);
        else
            conn_go_on(conn);
        return;
    }
    atomic_fetch_add_explicit(&conn->pg->server->counters.pg_bytes_in, (uint64_t)n,
                              memory_order_relaxed);
    if (conn->working) {
        base_buf_add(&conn->ahead, buf->base, (size_t)n);
        if (conn->ahead.n >= AHEAD_BYTES_MAX) conn_read(conn, false);
        return;
    }
    base_buf_add(&conn->session->in, buf->base, (size_t)n);
    conn_go_on(conn);
}

static void on_startup_timeout(uv_timer_t *timer) {
    pg_conn *conn = timer->data;
    if (conn->working || conn->session->started) return;
    base_error err = {0};
    base_fail(&err, BASE_E_LIMIT, "08P01", "no complete startup message within %lld ms",
              (long long)(conn->pg->server->config.startup_timeout_us / 1000));
    server_pg_session_fatal(conn->session, &err);
    conn_go_on(conn);
}

static void on_refused_closed(uv_handle_t *handle) {
    free(handle);
}

static void refuse(server_pg *pg) {
    uv_tcp_t *tcp = calloc(1, sizeof *tcp);
    must(tcp != NULL && uv_tcp_init(&pg->loop, tcp) == 0);
    if (uv_accept((uv_stream_t *)&pg->listening, (uv_stream_t *)tcp) == 0) {
        base_error err = {0};
        base_fail(&err, BASE_E_LIMIT, "53300", "sorry, too many clients already");
        base_buf out = {0};
        wire_pg_error(&out, &err, true);
        uv_buf_t buf = uv_buf_init(out.p, (unsigned)out.n);
        int written = uv_try_write((uv_stream_t *)tcp, &buf, 1);
        (void)written; // a courtesy
        base_buf_deinit(&out);
    }
    uv_close((uv_handle_t *)tcp, on_refused_closed);
}

static void on_connection(uv_stream_t *listening, int status) {
    server_pg *pg = listening->data;
    if (status < 0) return; // e.g. no file descriptors: the next one may do
    if (pg->nconns >= pg->server->config.pg_connections_max + CONNECTIONS_EXTRA) {
        refuse(pg);
        return;
    }
    pg_conn *conn = calloc(1, sizeof *conn);
    must(conn != NULL);
    conn->pg = pg;
    conn->handles = 2;
    conn->session = server_pg_session_create(pg->server, pg);
    conn->session->engine.pid = pg->next_pid++;
    conn->session->key = (uint32_t)pg->server->plat->ops->random_u64(pg->server->plat);
    must(uv_tcp_init(&pg->loop, &conn->tcp) == 0);
    must(uv_timer_init(&pg->loop, &conn->startup_timer) == 0);
    conn->tcp.data = conn->startup_timer.data = conn;
    conn->next = pg->conns;
    conn->link = &pg->conns;
    if (conn->next != NULL) conn->next->link = &conn->next;
    pg->conns = conn;
    pg->nconns++;
    if (uv_accept(listening, (uv_stream_t *)&conn->tcp) != 0) {
        conn_close(conn);
        return;
    }
    uv_tcp_nodelay(&conn->tcp, 1);
    uv_tcp_keepalive(&conn->tcp, 1, KEEPALIVE_SECONDS);
    uint64_t timeout_ms = (uint64_t)(pg->server->config.startup_timeout_us / 1000);
    uv_timer_start(&conn->startup_timer, on_startup_timeout, timeout_ms, timeout_ms);
    conn_read(conn, true);
}

// ---- start and stop ----

static void on_stop(uv_async_t *async) {
    server_pg *pg = async->data;
    base_error err = {0};
    base_fail(&err, BASE_E_BUSY, BASE_SQLSTATE_SHUTDOWN,
              "terminating connection because the server is stopping");
    for (pg_conn *conn = pg->conns, *next; conn != NULL; conn = next) {
        next = conn->next;
        if (!conn->working && !conn->closing && !conn->write_busy) {
            server_pg_session_fatal(conn->session, &err);
            uv_buf_t buf = uv_buf_init(conn->session->out.p, (unsigned)conn->session->out.n);
            int written = uv_try_write((uv_stream_t *)&conn->tcp, &buf, 1);
            (void)written; // a courtesy
        }
        conn_close(conn);
    }
    uv_close((uv_handle_t *)&pg->listening, NULL);
    uv_close((uv_handle_t *)async, NULL);
}

static void *run_loop(void *arg) {
    server_pg *pg = arg;
    uv_run(&pg->loop, UV_RUN_DEFAULT);
    return NULL;
}

static base_rc fail_listen(server_pg *pg, int code, base_error *err) {
    const server_config *config = &pg->server->config;
    base_rc rc =
        base_fail(err, BASE_E_IO, NULL, "cannot listen for PostgreSQL clients on %s:%u: %s",
                  config->pg_host, config->pg_port, uv_strerror(code));
    if (code == UV_EADDRINUSE)
        base_error_hint(err, "Stop what uses the port, or give another one with --pg-port.");
    return rc;
}

static int resolve(server_pg *pg, struct sockaddr_storage *out) {
    const server_config *config = &pg->server->config;
    uv_getaddrinfo_t request;
    char port[8];
    snprintf(port, sizeof port, "%u", config->pg_port);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    int code = uv_getaddrinfo(&pg->loop, &request, NULL, config->pg_host, port, &hints);
    if (code != 0) return code;
    memcpy(out, request.addrinfo->ai_addr, request.addrinfo->ai_addrlen);
    uv_freeaddrinfo(request.addrinfo);
    return 0;
}

static base_rc listen_on(server_pg *pg, base_error *err) {
    struct sockaddr_storage address = {0};
    int code = resolve(pg, &address);
    if (code == 0) code = uv_tcp_bind(&pg->listening, (struct sockaddr *)&address, 0);
    if (code == 0) code = uv_listen((uv_stream_t *)&pg->listening, BACKLOG, on_connection);
    int length = sizeof address;
    if (code == 0) code = uv_tcp_getsockname(&pg->listening, (struct sockaddr *)&address, &length);
    if (code != 0) return fail_listen(pg, code, err);
    // The port is at the same place for both families.
    pg->port = ntohs(((struct sockaddr_in *)&address)->sin_port);
    return BASE_OK;
}

base_rc server_pg_start(server *s, server_pg **out, base_error *err) {
    // Four threads are libuv's default; statements may wait (FLUSH) as well as work.
    setenv("UV_THREADPOOL_SIZE", WORKERS, 0);
    server_pg *pg = calloc(1, sizeof *pg);
    must(pg != NULL);
    pg->server = s;
    pg->next_pid = 1000;
    pg->read_buffer = malloc(READ_BYTES);
    pg->sessions = calloc(s->config.pg_connections_max + 1, sizeof *pg->sessions);
    must(pg->read_buffer != NULL && pg->sessions != NULL);
    plat_mutex_init(&pg->lock);
    must(uv_loop_init(&pg->loop) == 0);
    must(uv_tcp_init(&pg->loop, &pg->listening) == 0);
    must(uv_async_init(&pg->loop, &pg->stop, on_stop) == 0);
    pg->listening.data = pg->stop.data = pg;
    *out = pg;
    base_rc rc = listen_on(pg, err);
    if (rc != BASE_OK) return rc; // server_pg_stop closes what is there
    pg->running = true;
    plat_thread_start(&pg->thread, "pg-loop", run_loop, pg);
    return BASE_OK;
}

uint16_t server_pg_listener_port(const server_pg *pg) {
    return pg->port;
}

void server_pg_stop(server_pg *pg) {
    if (pg == NULL) return;
    uv_async_send(&pg->stop);
    if (pg->running)
        plat_thread_join(pg->thread);
    else
        uv_run(&pg->loop, UV_RUN_DEFAULT);
    must(uv_loop_close(&pg->loop) == 0);
    plat_mutex_deinit(&pg->lock);
    free(pg->sessions);
    free(pg->read_buffer);
    free(pg);
}
