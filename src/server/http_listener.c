// http_listener.c - the HTTP listener on libmicrohttpd: its threads read requests and write
// answers; routes, limits, start and stop are here, the routes' work in http_*.c.
//
// Invariants: a body is kept up to the limit and read on (to be thrown away) somewhat beyond, so
// that the client gets to read its 413; a connection that is suspended is always resumed. Entry
// points: server_http_start, server_http_stop.

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/must.h"
#include "server/http_int.h"
#include "wire/json.h"

#define IO_THREADS        4
#define INGEST_THREADS    8 // they wait for the disk together: group sync
#define READ_THREADS      6
#define CHANGES_THREADS   2
#define CONNECTION_MEMORY (64u << 10) // request line and headers fit in it
#define ARGS_MAX          64
#define DISCARD_FACTOR    4 // a body beyond limit * this is cut off

// ---- requests ----

const http_pair *http_arg(const http_request *request, const char *name) {
    for (size_t i = 0; i < request->nargs; i++)
        if (base_str_eq(request->args[i].name, base_str_of(name))) return &request->args[i];
    return NULL;
}

bool http_parse_u64(base_str text, uint64_t *out) {
    uint64_t value = 0;
    if (text.n == 0 || text.n > 19) return false; // 19 digits fit
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] < '0' || text.p[i] > '9') return false;
        value = value * 10 + (uint64_t)(text.p[i] - '0');
    }
    *out = value;
    return true;
}

void http_session_begin(http_request *request, http_running *running) {
    server_http *http = request->http;
    memset(running, 0, sizeof *running);
    engine_session_init(&running->session, http->server->engine);
    int64_t timeout = http->server->config.statement_timeout_us;
    if (timeout <= 0 || timeout > SERVER_HTTP_STATEMENT_US) timeout = SERVER_HTTP_STATEMENT_US;
    running->session.deadline_us = server_now_us(http->server) + timeout;
    plat_mutex_lock(&http->lock);
    running->next = http->running;
    running->link = &http->running;
    if (running->next != NULL) running->next->link = &running->next;
    http->running = running;
    if (atomic_load(&http->stopping)) server_cancel_set(&running->session, true);
    plat_mutex_unlock(&http->lock);
}

void http_session_end(http_request *request, http_running *running) {
    server_http *http = request->http;
    plat_mutex_lock(&http->lock);
    *running->link = running->next;
    if (running->next != NULL) running->next->link = running->link;
    plat_mutex_unlock(&http->lock);
}

static enum MHD_Result add_arg(void *arg, enum MHD_ValueKind kind, const char *name, size_t name_n,
                               const char *value, size_t value_n) {
    (void)kind;
    http_request *request = arg;
    if (request->nargs == ARGS_MAX) return MHD_NO;
    request->args[request->nargs++] =
        (http_pair){{name, name_n}, {value == NULL ? "" : value, value == NULL ? 0 : value_n}};
    return MHD_YES;
}

static const char *header(http_request *request, const char *name) {
    return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

static void name_source(http_request *request) {
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    char host[48] = "?";
    if (info != NULL && info->client_addr != NULL) {
        socklen_t n = info->client_addr->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                                               : sizeof(struct sockaddr_in);
        if (getnameinfo(info->client_addr, n, host, sizeof host, NULL, 0, NI_NUMERICHOST) != 0)
            snprintf(host, sizeof host, "?");
    }
    snprintf(request->source, sizeof request->source, "http %s", host);
}

// ---- routes ----

typedef enum http_methods { HTTP_GET = 1, HTTP_POST = 2 } http_methods;

// A flow that fails is told but is no reason to end the process, which a supervisor does that gets
// another answer than 200: events are taken, the other flows go on, and a start mends nothing.
static void healthz(http_request *request) {
    bool stopping = atomic_load(&request->http->stopping);
    base_buf wrong = {0};
    if (stopping)
        base_buf_add_cstr(&request->out, "stopping\n");
    else if (engine_healthy(request->http->server->engine, &wrong))
        base_buf_add_cstr(&request->out, "ok\n");
    else
        base_buf_printf(&request->out, "degraded\n%s", base_buf_cstr(&wrong));
    base_buf_deinit(&wrong);
    http_answer(request, stopping ? MHD_HTTP_SERVICE_UNAVAILABLE : MHD_HTTP_OK,
                "text/plain; charset=utf-8");
    http_answer_header(request, "Cache-Control", "no-store");
}

static void metrics(http_request *request) {
    engine_metrics(request->http->server->engine, &request->out);
    server_metrics(request->http->server, &request->out);
    http_answer(request, MHD_HTTP_OK, "text/plain; version=0.0.4; charset=utf-8");
}

// The rest of the path behind a prefix, if it is there.
static bool path_under(base_str path, const char *prefix, base_str *rest) {
    base_str head = base_str_of(prefix);
    if (!base_str_starts(path, head)) return false;
    *rest = (base_str){path.p + head.n, path.n - head.n};
    return true;
}

static bool ends_with(base_str text, const char *tail, base_str *head) {
    size_t n = strlen(tail);
    if (text.n < n || memcmp(text.p + text.n - n, tail, n) != 0) return false;
    *head = (base_str){text.p, text.n - n};
    return true;
}

// Finds the work of a path; the methods it takes, 0: there is no such path.
static unsigned find_route(http_request *request) {
    server_http *http = request->http;
    base_str path = request->path, rest;
    if (path_under(path, "/v1/streams/", &rest) && rest.n > 0 &&
        memchr(rest.p, '/', rest.n) == NULL) {
        request->name = rest;
        request->work = http_ingest;
        request->pool = http->ingest;
        request->takes_body = true;
        return HTTP_POST;
    }
    if (path_under(path, "/v1/streams/", &rest) && ends_with(rest, "/watermark", &rest) &&
        rest.n > 0 && memchr(rest.p, '/', rest.n) == NULL) {
        request->name = rest;
        request->work = http_watermark;
        request->pool = http->ingest;
        request->takes_body = true;
        return HTTP_POST;
    }
    if (path_under(path, "/v1/views/", &rest) && rest.n > 0) {
        request->pool = http->read;
        request->work = ends_with(rest, "/changes", &rest) ? http_changes
                        : ends_with(rest, "/why", &rest)   ? http_why
                                                           : http_view;
        request->name = rest;
        return memchr(rest.p, '/', rest.n) == NULL ? HTTP_GET : 0;
    }
    if (base_str_eq(path, BASE_STR("/v1/query"))) {
        request->work = http_query;
        request->pool = http->read;
        request->takes_body = true;
        return HTTP_POST;
    }
    if (base_str_eq(path, BASE_STR("/healthz"))) {
        request->work = healthz;
        return HTTP_GET;
    }
    if (base_str_eq(path, BASE_STR("/metrics"))) {
        request->work = metrics;
        request->pool = http->read;
        return HTTP_GET;
    }
    if (base_str_eq(path, BASE_STR("/")) || path_under(path, "/console/", &rest) ||
        path_under(path, "/lib/", &rest) || base_str_eq(path, BASE_STR("/console"))) {
        request->work = http_static;
        return HTTP_GET;
    }
    return 0;
}

// Decides at the request's head what it will be; an error is an answer already.
static void route(http_request *request, const char *method) {
    bool is_get = strcmp(method, "GET") == 0;
    request->head = strcmp(method, "HEAD") == 0;
    unsigned methods = find_route(request);
    unsigned given = is_get || request->head ? HTTP_GET : 0;
    if (strcmp(method, "POST") == 0) given = HTTP_POST;
    if (methods == 0) {
        http_fail_with(request, MHD_HTTP_NOT_FOUND, BASE_E_NOT_FOUND, NULL,
                       "there is nothing at this path: see docs/http.md for what there is");
        request->work = NULL;
    } else if ((methods & given) == 0) {
        http_fail_with(request, MHD_HTTP_METHOD_NOT_ALLOWED, BASE_E_INVALID, NULL,
                       "this path does not take %.16s", method);
        http_answer_header(request, "Allow", methods == HTTP_GET ? "GET, HEAD" : "POST");
        request->work = NULL;
    }
}

static void too_large(http_request *request) {
    http_fail_with(request, MHD_HTTP_CONTENT_TOO_LARGE, BASE_E_LIMIT, NULL,
                   "the body is larger than the limit of %llu bytes",
                   (unsigned long long)request->http->server->config.body_bytes_max);
    request->work = NULL;
}

static http_request *request_create(server_http *http, struct MHD_Connection *connection,
                                    const char *url, const char *method) {
    http_request *request = calloc(1, sizeof *request);
    must(request != NULL);
    request->http = http;
    request->connection = connection;
    base_arena_init(&request->arena, 4096);
    request->path = base_str_of(url);
    request->args = base_arena_array(&request->arena, http_pair, ARGS_MAX);
    MHD_get_connection_values_n(connection, MHD_GET_ARGUMENT_KIND, add_arg, request);
    request->content_type = header(request, "Content-Type");
    request->content_encoding = header(request, "Content-Encoding");
    request->accept = header(request, "Accept");
    request->last_event_id = header(request, "Last-Event-ID");
    request->if_none_match = header(request, "If-None-Match");
    name_source(request);
    atomic_fetch_add(&http->server->counters.http_requests, 1);
    route(request, method);
    return request;
}

static void on_completed(void *arg, struct MHD_Connection *connection, void **slot,
                         enum MHD_RequestTerminationCode why) {
    (void)arg, (void)connection, (void)why;
    http_request *request = *slot;
    if (request == NULL) return;
    *slot = NULL;
    if (request->subscriber != NULL) http_subscriber_leave(request->subscriber);
    base_buf_deinit(&request->body);
    base_buf_deinit(&request->out);
    base_arena_deinit(&request->arena);
    free(request);
}

// ---- the callback ----

static enum MHD_Result count_framing(void *arg, enum MHD_ValueKind kind, const char *name,
                                     const char *value) {
    (void)kind, (void)value;
    if (strcasecmp(name, "Content-Length") == 0 || strcasecmp(name, "Transfer-Encoding") == 0)
        (*(int *)arg)++;
    return MHD_YES;
}

// Where a request ends must have one answer (RFC 9112, 6.3), or what is read here as its body may
// be another request to a proxy before us.
static void refuse_two_lengths(http_request *request) {
    int n = 0;
    MHD_get_connection_values(request->connection, MHD_HEADER_KIND, count_framing, &n);
    if (n < 2) return;
    http_fail_with(request, MHD_HTTP_BAD_REQUEST, BASE_E_INVALID, NULL,
                   "the request says its length more than once: Content-Length, Transfer-Encoding");
    http_answer_header(request, "Connection", "close");
    request->work = NULL;
}

// The head has been read: refuse a body before it is sent, where the client waits to hear or would
// be cut off.
static enum MHD_Result on_head(http_request *request) {
    const char *expect = header(request, "Expect");
    const char *length = header(request, "Content-Length");
    uint64_t limit = request->http->server->config.body_bytes_max, bytes = 0;
    refuse_two_lengths(request);
    if (length == NULL || !http_parse_u64(base_str_of(length), &bytes)) return MHD_YES;
    bool waits = expect != NULL && strcasecmp(expect, "100-continue") == 0;
    if (bytes / DISCARD_FACTOR > limit) waits = true; // it would never be heard otherwise
    if (request->work != NULL && bytes > limit) too_large(request);
    if (request->work == NULL && bytes > 0 && waits) return http_answer_send(request);
    // Room for a body of the length that was announced: the pages are real only when written.
    if (request->work != NULL && request->takes_body)
        base_buf_reserve(&request->body, (size_t)bytes + WIRE_JSON_PADDING);
    return MHD_YES;
}

static enum MHD_Result on_body(http_request *request, const char *bytes, size_t n) {
    uint64_t limit = request->http->server->config.body_bytes_max;
    request->body_bytes += n;
    atomic_fetch_add_explicit(&request->http->server->counters.http_bytes_in, n,
                              memory_order_relaxed);
    if (request->body_bytes > limit * DISCARD_FACTOR) return MHD_NO;   // cut off
    if (request->work == NULL || !request->takes_body) return MHD_YES; // thrown away
    if (request->body_bytes > limit) {
        too_large(request);
        base_buf_deinit(&request->body);
        return MHD_YES;
    }
    base_buf_add(&request->body, bytes, n);
    return MHD_YES;
}

static enum MHD_Result on_whole(http_request *request) {
    if (request->state == HTTP_WORKING) return MHD_YES;
    if (request->state == HTTP_READING && request->work != NULL) {
        if (request->pool == NULL) {
            request->work(request);
        } else if (http_pool_push(request->pool, request)) {
            return MHD_YES;
        } else {
            bool stopping = atomic_load(&request->http->stopping);
            http_fail_with(request,
                           stopping ? MHD_HTTP_SERVICE_UNAVAILABLE : MHD_HTTP_TOO_MANY_REQUESTS,
                           BASE_E_BUSY, NULL, "too many requests are waiting: send this one again");
        }
    }
    request->state = HTTP_ANSWERED;
    return http_answer_send(request);
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *bytes,
                                  size_t *n, void **slot) {
    (void)version;
    http_request *request = *slot;
    if (request == NULL) {
        *slot = request = request_create(arg, connection, url, method);
        return on_head(request);
    }
    if (*n > 0) {
        enum MHD_Result result = on_body(request, bytes, *n);
        *n = 0;
        return result;
    }
    return on_whole(request);
}

static void on_connection(void *arg, struct MHD_Connection *connection, void **slot,
                          enum MHD_ConnectionNotificationCode code) {
    (void)connection, (void)slot;
    server_http *http = arg;
    atomic_uint_fast64_t *open = &http->server->counters.http_connections_open;
    if (code == MHD_CONNECTION_NOTIFY_STARTED)
        atomic_fetch_add(open, 1);
    else
        atomic_fetch_sub(open, 1);
}

static void quiet(void *arg, const char *fmt, va_list args) {
    (void)arg, (void)fmt, (void)args; // what clients do wrong is answered, not logged
}

// ---- start and stop ----

static void *run_ticker(void *arg) {
    server_http *http = arg;
    plat_mutex_lock(&http->lock);
    while (!atomic_load(&http->stopping)) {
        plat_cond_wait_for(&http->tick, &http->lock, BASE_US_PER_SECOND);
        if (atomic_load(&http->stopping)) break;
        plat_mutex_unlock(&http->lock);
        http_subscribers_tick(http);
        plat_mutex_lock(&http->lock);
    }
    plat_mutex_unlock(&http->lock);
    return NULL;
}

static base_rc fail_listen(server_http *http, const char *why, bool in_use, base_error *err) {
    const server_config *config = &http->server->config;
    base_rc rc = base_fail(err, BASE_E_IO, NULL, "cannot listen for HTTP on %s:%u: %s",
                           config->http_host, config->http_port, why);
    if (in_use)
        base_error_hint(err, "Stop what uses the port, or give another one with --http-port.");
    return rc;
}

static base_rc open_socket(server_http *http, base_error *err) {
    const server_config *config = &http->server->config;
    char port[8];
    snprintf(port, sizeof port, "%u", config->http_port);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *found;
    int code = getaddrinfo(config->http_host, port, &hints, &found);
    if (code != 0) return fail_listen(http, gai_strerror(code), false, err);
    struct sockaddr_storage address = {0};
    socklen_t length = sizeof address;
    int on = 1;
    int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool ok = fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
              bind(fd, found->ai_addr, found->ai_addrlen) == 0 && listen(fd, 511) == 0 &&
              getsockname(fd, (struct sockaddr *)&address, &length) == 0;
    int saved = errno;
    freeaddrinfo(found);
    if (!ok) {
        if (fd >= 0) close(fd);
        return fail_listen(http, strerror(saved), saved == EADDRINUSE, err);
    }
    http->socket = fd;
    // The port is at the same place for both families.
    http->port = ntohs(((struct sockaddr_in *)&address)->sin_port);
    return BASE_OK;
}

static base_rc start_daemon(server_http *http, base_error *err) {
    const server_config *config = &http->server->config;
    http->daemon = MHD_start_daemon(
        MHD_USE_POLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, NULL, NULL,
        on_request, http, MHD_OPTION_EXTERNAL_LOGGER, quiet, NULL, MHD_OPTION_LISTEN_SOCKET,
        http->socket, MHD_OPTION_THREAD_POOL_SIZE, (unsigned)IO_THREADS,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)config->http_connections_max,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)(config->idle_timeout_us / BASE_US_PER_SECOND),
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY, MHD_OPTION_NOTIFY_COMPLETED,
        on_completed, http, MHD_OPTION_NOTIFY_CONNECTION, on_connection, http, MHD_OPTION_END);
    if (http->daemon == NULL) return fail_listen(http, "the HTTP library refused", false, err);
    return BASE_OK;
}

base_rc server_http_start(server *s, server_http **out, base_error *err) {
    server_http *http = calloc(1, sizeof *http);
    must(http != NULL);
    http->server = s;
    http->socket = -1;
    plat_mutex_init(&http->lock);
    plat_cond_init(&http->tick);
    *out = http;
    base_rc rc = open_socket(http, err);
    if (rc != BASE_OK) return rc; // server_http_stop closes what is there
    http->ingest = http_pool_create("http-ingest", INGEST_THREADS, s->config.http_requests_max);
    http->read = http_pool_create("http-read", READ_THREADS, s->config.http_requests_max);
    http->changes = http_pool_create("http-changes", CHANGES_THREADS, s->config.http_requests_max);
    rc = start_daemon(http, err);
    if (rc != BASE_OK) return rc;
    http->ticking = true;
    plat_thread_start(&http->ticker, "http-ticker", run_ticker, http);
    http->commit_id = engine_on_commit(s->engine, http_subscribers_notify, http);
    http->listens_commits = true;
    return BASE_OK;
}

uint16_t server_http_listener_port(const server_http *http) {
    return http->port;
}

void server_http_stop(server_http *http) {
    if (http == NULL) return;
    plat_mutex_lock(&http->lock);
    atomic_store(&http->stopping, true);
    for (http_running *r = http->running; r != NULL; r = r->next)
        server_cancel_set(&r->session, true);
    plat_cond_broadcast(&http->tick);
    plat_mutex_unlock(&http->lock);
    if (http->listens_commits) engine_off_commit(http->server->engine, http->commit_id);
    if (http->ticking) plat_thread_join(http->ticker);
    http_pool_close(http->ingest);
    http_pool_close(http->read);
    http_pool_close(http->changes);
    http_subscribers_end(http);
    if (http->daemon != NULL)
        MHD_stop_daemon(http->daemon); // closes the socket
    else if (http->socket >= 0)
        close(http->socket);
    // Until here the daemon's threads may have pushed, and were refused.
    http_pool_destroy(http->ingest);
    http_pool_destroy(http->read);
    http_pool_destroy(http->changes);
    plat_cond_deinit(&http->tick);
    plat_mutex_deinit(&http->lock);
    free(http);
}
