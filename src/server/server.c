// server.c - starting and stopping the listeners, the counters, and how standing is written.
//
// Invariant: server_stop returns only when no thread of a listener uses the engine any more. Entry
// points: server_start, server_stop.

#include "server/server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "server/server_int.h"

static const char *const default_lib_dirs[] = {"/usr/share/javascript", "/usr/share/nodejs"};

void server_config_init(server_config *config) {
    *config = (server_config){
        .pg_host = "127.0.0.1",
        .pg_port = 8432,
        .http_host = "127.0.0.1",
        .http_port = 8480,
        .lib_dirs = default_lib_dirs,
        .nlib_dirs = sizeof default_lib_dirs / sizeof *default_lib_dirs,
        .pg_connections_max = 200,
        .http_connections_max = 1000,
        .http_requests_max = 1000,
        .subscribers_max = 200,
        .body_bytes_max = 64u << 20,
        .message_bytes_max = 64u << 20,
        .startup_timeout_us = 10 * BASE_US_PER_SECOND,
        .idle_timeout_us = 120 * BASE_US_PER_SECOND,
    };
}

static void copy_config(server *s, const server_config *config) {
    s->config = *config;
    s->config.pg_host = base_arena_strdup(&s->arena, config->pg_host);
    s->config.http_host = base_arena_strdup(&s->arena, config->http_host);
    if (config->console_dir != NULL)
        s->config.console_dir = base_arena_strdup(&s->arena, config->console_dir);
    const char **dirs = base_arena_array(&s->arena, const char *, config->nlib_dirs + 1);
    for (size_t i = 0; i < config->nlib_dirs; i++)
        dirs[i] = base_arena_strdup(&s->arena, config->lib_dirs[i]);
    s->config.lib_dirs = dirs;
}

base_rc server_start(engine *e, const server_config *config, server **out, base_error *err) {
    server *s = calloc(1, sizeof *s);
    must(s != NULL);
    s->engine = e;
    s->plat = engine_plat(e);
    base_arena_init(&s->arena, 1024);
    copy_config(s, config);
    base_rc rc = server_pg_start(s, &s->pg, err);
    if (rc == BASE_OK) rc = server_http_start(s, &s->http, err);
    if (rc != BASE_OK) {
        server_stop(s);
        return rc;
    }
    *out = s;
    return BASE_OK;
}

uint16_t server_pg_port(const server *s) {
    return server_pg_listener_port(s->pg);
}

uint16_t server_http_port(const server *s) {
    return server_http_listener_port(s->http);
}

void server_stop(server *s) {
    if (s == NULL) return;
    server_http_stop(s->http);
    server_pg_stop(s->pg);
    base_arena_deinit(&s->arena);
    free(s);
}

int64_t server_now_us(server *s) {
    return (int64_t)(plat_monotonic_ns(s->plat) / 1000);
}

// ---- standing ----

static void add_instant(base_buf *buf, int64_t us, const char *quote) {
    char text[BASE_TIME_TEXT_MAX];
    if (us == INT64_MIN) {
        base_buf_add_cstr(buf, *quote != 0 ? "null" : "none");
        return;
    }
    base_rfc3339_format(us, text);
    base_buf_printf(buf, "%s%s%s", quote, text, quote);
}

void server_standing_text(const engine_standing *standing, base_buf *buf) {
    base_buf_printf(buf, "step=%llu as_of=", (unsigned long long)standing->step);
    add_instant(buf, standing->as_of_us, "");
    base_buf_add_cstr(buf, " watermark=");
    add_instant(buf, standing->watermark_us, "");
    if (standing->lag_us == ENGINE_LAG_UNKNOWN)
        base_buf_add_cstr(buf, " lag_ms=unknown");
    else
        base_buf_printf(buf, " lag_ms=%lld", (long long)(standing->lag_us / 1000));
    base_buf_printf(buf, " fresh=%s", standing->fresh ? "true" : "false");
}

void server_standing_json(const engine_standing *standing, base_buf *buf) {
    if (!standing->known) {
        base_buf_add_cstr(buf, "null");
        return;
    }
    base_buf_printf(buf, "{\"step\":%llu,\"as_of\":", (unsigned long long)standing->step);
    add_instant(buf, standing->as_of_us, "\"");
    base_buf_add_cstr(buf, ",\"watermark\":");
    add_instant(buf, standing->watermark_us, "\"");
    if (standing->lag_us == ENGINE_LAG_UNKNOWN)
        base_buf_add_cstr(buf, ",\"lag_ms\":null");
    else
        base_buf_printf(buf, ",\"lag_ms\":%lld", (long long)(standing->lag_us / 1000));
    base_buf_printf(buf, ",\"fresh\":%s}", standing->fresh ? "true" : "false");
}

// ---- metrics ----

typedef struct metric {
    const char *name, *type, *help;
    const atomic_uint_fast64_t *value;
    double scale; // 0: an integer
} metric;

void server_metrics(server *s, base_buf *buf) {
    const server_counters *c = &s->counters;
    const metric metrics[] = {
        {"weir_pg_connections_total", "counter", "PostgreSQL connections taken", &c->pg_connections,
         0},
        {"weir_pg_connections_open", "gauge", "PostgreSQL connections open now",
         &c->pg_connections_open, 0},
        {"weir_pg_statements_total", "counter", "Statements run over the PostgreSQL protocol",
         &c->pg_statements, 0},
        {"weir_pg_errors_total", "counter", "Errors sent to PostgreSQL clients", &c->pg_errors, 0},
        {"weir_pg_rows_total", "counter", "Rows sent to PostgreSQL clients", &c->pg_rows, 0},
        {"weir_pg_received_bytes_total", "counter", "Bytes received from PostgreSQL clients",
         &c->pg_bytes_in, 0},
        {"weir_pg_sent_bytes_total", "counter", "Bytes sent to PostgreSQL clients",
         &c->pg_bytes_out, 0},
        {"weir_pg_cancels_total", "counter", "Cancel requests that found their statement",
         &c->pg_cancels, 0},
        {"weir_http_connections_open", "gauge", "HTTP connections open now",
         &c->http_connections_open, 0},
        {"weir_http_requests_total", "counter", "HTTP requests", &c->http_requests, 0},
        {"weir_http_requests_open", "gauge", "HTTP requests in work or waiting for it",
         &c->http_requests_open, 0},
        {"weir_http_client_errors_total", "counter", "HTTP answers with a 4xx status",
         &c->http_errors_client, 0},
        {"weir_http_server_errors_total", "counter", "HTTP answers with a 5xx status",
         &c->http_errors_server, 0},
        {"weir_http_refused_total", "counter", "HTTP requests refused because of load (429)",
         &c->http_refused, 0},
        {"weir_http_received_bytes_total", "counter", "Bytes of HTTP bodies received",
         &c->http_bytes_in, 0},
        {"weir_http_ingest_requests_total", "counter", "Requests with events", &c->ingest_requests,
         0},
        {"weir_http_ingest_seconds_total", "counter", "Time spent on requests with events",
         &c->ingest_us, 1e-6},
        {"weir_http_view_requests_total", "counter", "Requests for views", &c->view_requests, 0},
        {"weir_http_view_seconds_total", "counter", "Time spent on requests for views", &c->view_us,
         1e-6},
        {"weir_http_query_requests_total", "counter", "Requests to /v1/query", &c->query_requests,
         0},
        {"weir_http_query_seconds_total", "counter", "Time spent on requests to /v1/query",
         &c->query_us, 1e-6},
        {"weir_http_subscribers", "gauge", "Open streams of changes", &c->subscribers, 0},
        {"weir_http_change_events_total", "counter", "Change events sent", &c->events_sent, 0},
        {"weir_http_snapshots_total", "counter", "Snapshots sent to streams of changes",
         &c->snapshots_sent, 0},
    };
    for (size_t i = 0; i < sizeof metrics / sizeof *metrics; i++) {
        const metric *m = &metrics[i];
        uint64_t value = atomic_load_explicit(m->value, memory_order_relaxed);
        base_buf_printf(buf, "# HELP %s %s\n# TYPE %s %s\n%s ", m->name, m->help, m->name, m->type,
                        m->name);
        if (m->scale == 0)
            base_buf_printf(buf, "%llu\n", (unsigned long long)value);
        else
            base_buf_printf(buf, "%.6f\n", (double)value * m->scale);
    }
}
