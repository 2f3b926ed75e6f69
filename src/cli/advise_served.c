// advise_served.c - `weir advise watermark URL STREAM`: the same advice from a running server, over
// PostgreSQL's protocol, by libpq: weir.advise_watermark('STREAM'). The server reads its log; what
// is shown meanwhile is how long it has taken. An interrupt cancels the query there, too. Entry
// point: cli_advise_served.

#include <libpq-fe.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/must.h"
#include "cli/advise.h"
#include "plat/plat.h"

#define POLL_MS     200
#define PROGRESS_MS 2000 // a short wait goes without saying

static const char query[] =
    "SELECT partition, target, round(extract(epoch FROM delay) * 1000000)::bigint, records, "
    "on_time, windows, corrected, views, ddl, exact FROM weir.advise_watermark(%s)";
enum {
    PARTITION,
    TARGET,
    DELAY,
    RECORDS,
    ON_TIME,
    WINDOWS,
    CORRECTED,
    VIEWS,
    DDL,
    EXACT,
    NCOLUMNS
};

static int fail_connection(PGconn *conn) {
    const char *text = PQerrorMessage(conn);
    size_t n = strlen(text);
    while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == ' ')) n--;
    return cli_fail("%.*s", (int)n, text);
}

static int fail_result(PGconn *conn, const PGresult *result) {
    const char *text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    if (text == NULL || sqlstate == NULL) return fail_connection(conn);
    if (strcmp(sqlstate, "42883") == 0 || strcmp(sqlstate, "3F000") == 0)
        return cli_fail("this server gives no such advice: %s", text);
    return cli_fail("%s: %s", sqlstate, text);
}

static uint64_t monotonic_ms(void) {
    return plat_monotonic_ns(plat_os()) / 1000000;
}

// The only result of the query; NULL: it was stopped, or the connection is gone.
static PGresult *wait_for_result(PGconn *conn, bool quiet) {
    uint64_t begin = monotonic_ms(), shown = 0;
    bool cancelled = false, alive = true;
    while (alive && PQisBusy(conn)) {
        struct pollfd fd = {.fd = PQsocket(conn), .events = POLLIN};
        (void)poll(&fd, 1, POLL_MS);
        if (fd.revents != 0) alive = PQconsumeInput(conn) != 0;
        if (cli_interrupted && !cancelled) {
            char ignored[256];
            PGcancel *cancel = PQgetCancel(conn);
            if (cancel != NULL) (void)PQcancel(cancel, ignored, sizeof ignored);
            PQfreeCancel(cancel);
            cancelled = true;
        }
        uint64_t ms = monotonic_ms() - begin;
        if (quiet || ms < PROGRESS_MS || ms / 1000 == shown) continue;
        shown = ms / 1000;
        fprintf(stderr, "\rthe server has been reading for %llu s", (unsigned long long)shown);
        fflush(stderr);
    }
    if (shown > 0) fprintf(stderr, "\r%60s\r", "");
    return alive ? PQgetResult(conn) : NULL;
}

static uint64_t number(const PGresult *result, int row, int column) {
    return strtoull(PQgetvalue(result, row, column), NULL, 10);
}

static void read_advice(const PGresult *result, base_arena *arena, engine_advice *out) {
    int n = PQntuples(result);
    out->rows = base_arena_array(arena, engine_advice_row, (size_t)n + 1);
    out->views = out->left_out = "";
    for (int i = 0; i < n; i++) {
        engine_advice_row *row = &out->rows[out->nrows++];
        bool all = PQgetisnull(result, i, PARTITION) != 0;
        *row = (engine_advice_row){
            .partition = all ? -1 : (int32_t)number(result, i, PARTITION),
            .target = PQgetvalue(result, i, TARGET),
            .delay_us =
                PQgetisnull(result, i, DELAY) ? INT64_MAX : (int64_t)number(result, i, DELAY),
            .records = number(result, i, RECORDS),
            .on_time = number(result, i, ON_TIME),
            .has_windows = !PQgetisnull(result, i, WINDOWS),
            .windows = number(result, i, WINDOWS),
            .corrected = number(result, i, CORRECTED),
            .ddl = PQgetisnull(result, i, DDL) ? NULL : PQgetvalue(result, i, DDL)};
        if (all) out->views = PQgetvalue(result, i, VIEWS);
        out->exact = PQgetvalue(result, i, EXACT)[0] == 't';
    }
}

static int ask(PGconn *conn, const char *stream, bool quiet) {
    char *literal = PQescapeLiteral(conn, stream, strlen(stream));
    if (literal == NULL) return fail_connection(conn);
    base_buf sql = {0};
    base_buf_printf(&sql, query, literal);
    PQfreemem(literal);
    bool sent = PQsendQuery(conn, base_buf_cstr(&sql)) != 0;
    base_buf_deinit(&sql);
    PGresult *result = sent ? wait_for_result(conn, quiet) : NULL;
    int code = CLI_OK;
    if (result == NULL) {
        code = fail_connection(conn);
    } else if (PQresultStatus(result) != PGRES_TUPLES_OK || PQnfields(result) != NCOLUMNS) {
        code = fail_result(conn, result);
    } else if (PQntuples(result) == 0) {
        code = cli_fail("the log of %s has no records with an event time", stream);
    } else {
        base_arena arena;
        base_arena_init(&arena, 1 << 14);
        engine_advice advice = {0};
        read_advice(result, &arena, &advice);
        cli_print_advice(stream, &advice);
        base_arena_deinit(&arena);
    }
    PQclear(result);
    return cli_flush_stdout(code);
}

bool cli_is_server(const char *text) {
    return strncmp(text, "postgres://", 11) == 0 || strncmp(text, "postgresql://", 13) == 0;
}

int cli_advise_served(const char *url, const char *stream, bool quiet) {
    // What the URL says comes last, and so it counts.
    static const char *const names[] = {"application_name", "connect_timeout", "dbname", NULL};
    const char *values[] = {"weir advise", "10", url, NULL};
    PGconn *conn = PQconnectdbParams(names, values, 1);
    must(conn != NULL);
    int code = PQstatus(conn) == CONNECTION_OK ? ask(conn, stream, quiet) : fail_connection(conn);
    PQfinish(conn);
    return code;
}
