// serve.c - `weir serve`: opens the data directory, applies the SQL as the wanted state, starts
// sinks and listeners, then waits for signals.
//
// Invariants: the signals this command acts on are blocked in every thread and taken by the main
// thread alone (sigwait), so that nothing happens at an odd moment. Order of stopping: listeners,
// sinks, engine (whose flows end at a step boundary). Entry point: cli_serve.

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/must.h"
#include "cli/cli.h"
#include "connect/connect.h"
#include "server/server.h"

typedef struct serve {
    const char *data, *host, *console, *ready_file;
    uint32_t pg_port, http_port, connections, requests, seconds;
    uint64_t body_bytes;
    cli_engine_options limits;
    const char *sql_path; // NULL: none

    engine *engine;
    connect_hub *hub;
    server *server;
    double begin;
} serve;

// Applies the file (or directory) to the engine and says what it did, a line each.
static int apply(serve *s) {
    cli_sql sql = {0};
    base_buf report = {0};
    base_error err = {0};
    double begin = cli_seconds();
    base_rc rc = cli_sql_add(&sql, s->sql_path, &err);
    if (rc == BASE_OK) {
        engine_session session;
        engine_session_init(&session, s->engine);
        rc = engine_apply(&session, base_buf_str(&sql.text), &report, &err);
    }
    for (size_t at = 0; at < report.n;) {
        const char *end = memchr(report.p + at, '\n', report.n - at);
        size_t n = end == NULL ? report.n - at : (size_t)(end - report.p) - at;
        cli_log_line(ENGINE_INFO, "%s: %.*s", s->sql_path, (int)n, report.p + at);
        at += n + 1;
    }
    int code = CLI_OK;
    if (rc != BASE_OK)
        code = cli_sql_error(&sql, &err);
    else
        cli_log_line(ENGINE_INFO, "%s applied in %.0f ms", s->sql_path,
                     (cli_seconds() - begin) * 1e3);
    base_buf_deinit(&report);
    cli_sql_deinit(&sql);
    return code;
}

// ---- the console's files ------------------------------------------------------------------------

static bool has_index(const char *dir) {
    base_buf path = {0};
    bool exists = false, is_dir = false;
    base_error err;
    base_buf_printf(&path, "%s/index.html", dir);
    plat *p = plat_os();
    bool found = p->ops->exists(p, base_buf_cstr(&path), &exists, &is_dir, &err) == BASE_OK &&
                 exists && !is_dir;
    base_buf_deinit(&path);
    return found;
}

// --console, or the console of the source tree the program was built in, or the installed one.
static bool find_console(const serve *s, base_buf *out) {
    if (s->console != NULL) {
        base_buf_add_cstr(out, s->console);
        return true;
    }
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n > 0) {
        self[n] = '\0';
        static const char *const places[] = {"/console", "/../console", "/../../console",
                                             "/../share/weir/console"};
        char *slash = strrchr(self, '/');
        if (slash != NULL) *slash = '\0';
        for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
            base_buf_clear(out);
            base_buf_printf(out, "%s%s", self, places[i]);
            if (has_index(base_buf_cstr(out))) return true;
        }
    }
    base_buf_clear(out);
    return false;
}

// ---- starting -----------------------------------------------------------------------------------

static int start_engine(serve *s) {
    engine_config config = {.dir = s->data, .threads = true, .message = cli_log_message};
    cli_engine_config(&config, &s->limits);
    base_error err = {0};
    double begin = cli_seconds();
    if (engine_open(plat_os(), &config, &s->engine, &err) != BASE_OK) return cli_error(&err);
    cli_log_line(ENGINE_INFO, "data directory %s opened in %.0f ms", s->data,
                 (cli_seconds() - begin) * 1e3);
    if (s->sql_path != NULL) return apply(s);
    return CLI_OK;
}

static int start_listeners(serve *s) {
    base_error err = {0};
    if (connect_start(s->engine, &s->hub, &err) != BASE_OK) return cli_error(&err);
    static const char *const libraries[] = {"/usr/share/javascript", "/usr/share/nodejs"};
    base_buf console = {0};
    server_config config;
    server_config_init(&config);
    config.pg_host = config.http_host = s->host;
    config.pg_port = (uint16_t)s->pg_port;
    config.http_port = (uint16_t)s->http_port;
    config.lib_dirs = libraries;
    config.nlib_dirs = 2;
    if (s->connections > 0)
        config.pg_connections_max = config.http_connections_max = s->connections;
    if (s->requests > 0) config.http_requests_max = s->requests;
    if (s->body_bytes > 0) config.body_bytes_max = s->body_bytes;
    if (find_console(s, &console)) config.console_dir = base_buf_cstr(&console);
    base_rc rc = server_start(s->engine, &config, &s->server, &err);
    base_buf_deinit(&console);
    if (rc != BASE_OK) return cli_error(&err);
    return CLI_OK;
}

static int tell_ready(serve *s) {
    unsigned pg = server_pg_port(s->server), http = server_http_port(s->server);
    cli_log_line(ENGINE_INFO, "PostgreSQL on %s:%u: psql -h %s -p %u", s->host, pg, s->host, pg);
    cli_log_line(ENGINE_INFO, "HTTP on http://%s:%u/", s->host, http);
    cli_log_line(ENGINE_INFO, "ready after %.0f ms", (cli_seconds() - s->begin) * 1e3);
    if (s->ready_file == NULL) return CLI_OK;
    base_buf text = {0};
    base_error err = {0};
    base_buf_printf(&text, "pid=%ld\npg_port=%u\nhttp_port=%u\n", (long)getpid(), pg, http);
    base_rc rc = plat_replace_file(plat_os(), s->ready_file, base_buf_str(&text), &err);
    base_buf_deinit(&text);
    return rc == BASE_OK ? CLI_OK : cli_error(&err);
}

// ---- running ------------------------------------------------------------------------------------

static void reload(serve *s) {
    if (s->sql_path == NULL) {
        cli_log_line(ENGINE_WARNING, "SIGHUP: no file of SQL was given, nothing to apply again");
        return;
    }
    cli_log_line(ENGINE_INFO, "SIGHUP: applying %s again", s->sql_path);
    if (apply(s) != CLI_OK) cli_log_line(ENGINE_ERROR, "%s was not applied", s->sql_path);
}

// Until SIGINT or SIGTERM, or --for is over.
static void wait_for_end(serve *s, const sigset_t *signals) {
    double until = cli_seconds() + s->seconds;
    for (;;) {
        int number;
        if (s->seconds > 0) {
            double left = until - cli_seconds();
            if (left <= 0) return;
            struct timespec wait = {(time_t)left, (long)((left - (double)(time_t)left) * 1e9)};
            number = sigtimedwait(signals, NULL, &wait);
            if (number < 0 && errno == EAGAIN) return;
            if (number < 0) continue;
        } else if (sigwait(signals, &number) != 0) {
            continue;
        }
        if (number == SIGHUP) {
            reload(s);
            continue;
        }
        cli_log_line(ENGINE_INFO, "%s: stopping", number == SIGINT ? "SIGINT" : "SIGTERM");
        return;
    }
}

static int stop(serve *s, int code) {
    double begin = cli_seconds();
    bool was_up = s->server != NULL;
    server_stop(s->server);
    if (s->hub != NULL) connect_stop(s->hub);
    engine_close(s->engine);
    if (was_up) cli_log_line(ENGINE_INFO, "stopped in %.0f ms", (cli_seconds() - begin) * 1e3);
    return code;
}

static int serve_main(serve *s) {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    cli_log_line(ENGINE_INFO, "weir %s, process %ld", WEIR_VERSION, (long)getpid());
    int code = start_engine(s);
    if (code == CLI_OK) code = start_listeners(s);
    if (code == CLI_OK) code = tell_ready(s);
    if (code == CLI_OK) wait_for_end(s, &signals);
    // A second SIGINT or SIGTERM while stopping ends the process at once.
    sigdelset(&signals, SIGHUP);
    pthread_sigmask(SIG_UNBLOCK, &signals, NULL);
    return stop(s, code);
}

int cli_serve(int argc, char **argv) {
    serve s = {.data = "weir-data",
               .host = "127.0.0.1",
               .pg_port = 8432,
               .http_port = 8480,
               .begin = cli_seconds()};
    cli_option options[] = {
        {"data", CLI_TEXT, &s.data, "DIR", "the data directory, created if absent (weir-data)", 0,
         0},
        {"host", CLI_TEXT, &s.host, "ADDRESS", "address to listen on (127.0.0.1)", 0, 0},
        {"pg-port", CLI_U32, &s.pg_port, "PORT", "PostgreSQL's protocol (8432); 0: a free port", 0,
         65535},
        {"http-port", CLI_U32, &s.http_port, "PORT", "HTTP (8480); 0: a free port", 0, 65535},
        {"console", CLI_TEXT, &s.console, "DIR", "files of the web page at /", 0, 0},
        {"ready-file", CLI_TEXT, &s.ready_file, "FILE",
         "written when ready: pid=, pg_port=, http_port=, a line each", 0, 0},
        {"for", CLI_U32, &s.seconds, "SECONDS", "stop after so long", 1, 0},
        CLI_ENGINE_OPTIONS(&s.limits),
        {"body-mb", CLI_MIB, &s.body_bytes, "MB", "the largest HTTP request (64)", 1, 1024},
        {"connections", CLI_U32, &s.connections, "N", "clients of each listener", 1, 100000},
        {"requests", CLI_U32, &s.requests, "N", "HTTP requests at work; more get 429", 1, 100000},
    };
    cli_usage usage = {
        .command = "weir serve",
        .synopsis = "[FILE.sql|DIR] [options]",
        .about =
            "Runs the server. FILE.sql (or all *.sql of DIR, by name) is the wanted state of the\n"
            "catalogue: what is new is created, views whose text changed are made again from the\n"
            "log, what is equal is left, what would lose events is refused; every step is said.\n"
            "Without a file the data directory is served as it is.\n\n"
            "Events come in by HTTP (POST /v1/streams/schema.name) and INSERT; views are read\n"
            "with any PostgreSQL client, over HTTP and as live streams.\n\n"
            "SIGINT and SIGTERM stop cleanly, SIGHUP applies the file again. After kill -9 or a\n"
            "power loss the next start goes on where the last commit was.",
        .examples = "  weir serve examples/control-tower/control-tower.sql --data ./weir-data\n"
                    "  weir serve --data ./weir-data --host 0.0.0.0\n",
        .noptions = sizeof options / sizeof options[0],
        .options = options,
        .operands_max = 1,
    };
    cli_list operands;
    int code = cli_parse(&usage, argc, argv, &operands);
    if (code != CLI_GO) return code;
    if (operands.n > 0) s.sql_path = operands.items[0];
    return serve_main(&s);
}
