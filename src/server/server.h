// server.h - the listeners: PostgreSQL's protocol and HTTP in front of one engine.
//
// The server borrows the engine, which must outlive it. Units: bytes, microseconds. Errors of
// server_start: a port in use, a host that does not resolve (BASE_E_IO, naming the address).
// Threads: start and stop from one thread; the listeners have their own. See docs/serving.md for
// what clients see.
#ifndef WEIR_SERVER_SERVER_H
#define WEIR_SERVER_SERVER_H

#include "engine/engine.h"

typedef struct server server;

typedef struct server_config {
    const char *pg_host;
    uint16_t pg_port; // 0: any free port
    const char *http_host;
    uint16_t http_port;          // 0: any free port
    const char *console_dir;     // the page at /; NULL: none
    const char *const *lib_dirs; // searched in this order for /lib/...
    size_t nlib_dirs;
    uint32_t pg_connections_max;
    uint32_t http_connections_max;
    uint32_t http_requests_max;   // in work or waiting for it; more get 429
    uint32_t subscribers_max;     // open .../changes streams; more get 429
    uint64_t body_bytes_max;      // of a request, before and after it is unpacked
    uint64_t message_bytes_max;   // of one PostgreSQL message
    int64_t statement_timeout_us; // 0: none
    int64_t startup_timeout_us;   // a PostgreSQL client must have said who it is
    int64_t idle_timeout_us;      // an HTTP connection without traffic
} server_config;

// The defaults: 127.0.0.1, ports 8432 and 8480, 64 MiB bodies.
void server_config_init(server_config *config);

// Starts both listeners. The config and its strings may be released after the call.
BASE_MUST_USE base_rc server_start(engine *e, const server_config *config, server **out,
                                   base_error *err);
uint16_t server_pg_port(const server *s);
uint16_t server_http_port(const server *s);
// Stops taking connections, cancels what runs, ends what is open. NULL is allowed.
void server_stop(server *s);

#endif
