// server_fixture.h - for the tests of src/server: an engine with listeners on free ports in a
// directory of its own, and plain sockets with time limits to talk to them.
#ifndef WEIR_TESTS_SERVER_FIXTURE_H
#define WEIR_TESTS_SERVER_FIXTURE_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "plat/thread.h"
#include "server/server.h"
#include "test.h"

#define FIXTURE_WAIT_MS 20000 // nothing here takes so long

typedef struct fixture {
    char dir[64];
    engine *engine;
    server *server;
} fixture;

static inline void fixture_sql(fixture *f, const char *text) {
    base_arena arena;
    base_arena_init(&arena, 4096);
    engine_session session;
    engine_session_init(&session, f->engine);
    base_error err = {0};
    size_t n;
    base_str *statements;
    base_rc rc = engine_split(&arena, base_str_of(text), &n, &statements, &err);
    for (size_t i = 0; rc == BASE_OK && i < n; i++) {
        engine_result result;
        rc = engine_run_sql(&session, statements[i], &arena, &result, &err);
    }
    if (rc != BASE_OK) fprintf(stderr, "%s\n", err.message);
    EXPECT(rc == BASE_OK);
    base_arena_deinit(&arena);
}

static inline void fixture_message(void *arg, engine_level level, const char *text) {
    (void)arg;
    if (level != ENGINE_INFO) fprintf(stderr, "%s\n", text);
}

// config: NULL: the defaults, but free ports.
static inline bool fixture_open(fixture *f, const server_config *config) {
    signal(SIGPIPE, SIG_IGN);
    memset(f, 0, sizeof *f);
    strcpy(f->dir, "/tmp/weir-test-server-XXXXXX");
    if (mkdtemp(f->dir) == NULL) return false;
    base_error err = {0};
    engine_config engine_conf = {.dir = f->dir, .threads = true, .message = fixture_message};
    server_config server_conf;
    if (config == NULL) {
        server_config_init(&server_conf);
        config = &server_conf;
    } else {
        server_conf = *config;
    }
    server_conf.pg_port = server_conf.http_port = 0;
    if (engine_open(plat_os(), &engine_conf, &f->engine, &err) != BASE_OK ||
        server_start(f->engine, &server_conf, &f->server, &err) != BASE_OK) {
        fprintf(stderr, "fixture: %s\n", err.message);
        return false;
    }
    fixture_sql(f, "CREATE SCHEMA t; CREATE STREAM t.s (id BIGINT NOT NULL, k INT NOT NULL, "
                   "v NUMERIC(12,2), note TEXT, PRIMARY KEY (id)); "
                   "CREATE MATERIALIZED VIEW t.w WITH (refresh = 'immediate') AS "
                   "SELECT k, count(*) AS n, sum(v) AS total FROM t.s GROUP BY k");
    return true;
}

static inline void fixture_close(fixture *f) {
    base_error err = {0};
    server_stop(f->server);
    engine_close(f->engine);
    EXPECT(plat_remove_tree(plat_os(), f->dir, &err) == BASE_OK);
}

// ---- sockets ----

static inline int client_connect(uint16_t port) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) != 0) {
        close(fd);
        fd = -1;
    }
    EXPECT(fd >= 0);
    return fd;
}

// All bytes, or false: the other side has gone.
static inline bool client_send(int fd, const void *bytes, size_t n) {
    const char *p = bytes;
    while (n > 0) {
        struct pollfd poll_fd = {fd, POLLOUT, 0};
        if (poll(&poll_fd, 1, FIXTURE_WAIT_MS) <= 0) return false;
        ssize_t sent = send(fd, p, n, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent <= 0) return false;
        p += sent;
        n -= (size_t)sent;
    }
    return true;
}

// Up to max bytes; 0: the end; -1: nothing came in time.
static inline ssize_t client_receive(int fd, void *to, size_t max, int wait_ms) {
    struct pollfd poll_fd = {fd, POLLIN, 0};
    if (poll(&poll_fd, 1, wait_ms) <= 0) return -1;
    ssize_t n = recv(fd, to, max, 0);
    return n < 0 ? 0 : n;
}

// Everything until the other side closes.
static inline void client_drain(int fd, base_buf *out) {
    char part[65536];
    ssize_t n;
    while ((n = client_receive(fd, part, sizeof part, FIXTURE_WAIT_MS)) > 0)
        base_buf_add(out, part, (size_t)n);
    EXPECT(n == 0);
}

// Reads until the text has come; false: it did not.
static inline bool client_wait_for(int fd, base_buf *out, const char *text) {
    char part[65536];
    size_t from = 0, n_text = strlen(text);
    for (;;) {
        if (strstr(base_buf_cstr(out) + from, text) != NULL) return true;
        if (out->n >= n_text) from = out->n - n_text; // what was searched is not searched again
        ssize_t n = client_receive(fd, part, sizeof part, FIXTURE_WAIT_MS);
        if (n <= 0) return false;
        base_buf_add(out, part, (size_t)n);
    }
}

#endif
