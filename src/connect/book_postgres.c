// book_postgres.c - a query in PostgreSQL as the book, by libpq.
//
// A run is one transaction, REPEATABLE READ READ ONLY: all of its statements see one snapshot. They
// go by the extended protocol, which takes one statement at a time. Rows come one by one
// (PQsetSingleRowMode), so that memory is bounded. The session runs in UTC with ISO dates and no
// search for the server's locale.
//
// Nothing here waits but in poll, for at most POLL_MS at a time, and then asks whether the run is
// to end; the only exception is the look-up of a host's name. Waiting for the server is bounded by
// the option timeout, a statement at a time, on both ends: the server's statement_timeout, and our
// own clock in case that the server is gone without a word. A statement that is given up is ended
// by closing the connection, of which the server takes notice (client_connection_check_interval,
// from version 14 on): to ask for its end (PQcancel) is to wait for a server that does not answer.
// TLS, passwords by file and the like are conninfo's (libpq's documentation); nothing of conninfo
// but user, host, port and database is ever shown. Entry point: connect_book_postgres.

#include <libpq-fe.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "connect/book_sql.h"

#define TIMEOUT_MS (10 * 60 * 1000) // of a statement, unless the option says otherwise
#define POLL_MS    200              // how long a run that is to end may go on waiting
#define CONNECT_S  10               // a host, unless conninfo says otherwise (connect_timeout)

typedef struct pg_book {
    engine_book book;
    PGconn *conn;
    connect_book_sql sql;
    base_arena *arena;
    int64_t timeout_ms;
    uint32_t nhas;
} pg_book;

// ---- errors -------------------------------------------------------------------------------------

static base_rc fail_with(const pg_book *b, const char *sqlstate, const char *text,
                         base_error *err) {
    base_rc code = BASE_E_IO;
    if (sqlstate == NULL || sqlstate[0] == '\0') sqlstate = "08006";
    if (strcmp(sqlstate, "57014") == 0) code = BASE_E_CANCELLED;
    if (strncmp(sqlstate, "22", 2) == 0 || strncmp(sqlstate, "42", 2) == 0) code = BASE_E_INVALID;
    size_t n = strlen(text);
    while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == ' ')) n--;
    base_fail(err, code, sqlstate, "book %s: %.*s", b->book.name, (int)n, text);
    for (char *p = err->message; *p != '\0'; p++)
        if (*p == '\n' || *p == '\t') *p = ' ';
    return code;
}

static base_rc fail_result(const pg_book *b, const PGresult *result, base_error *err) {
    const char *text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    if (text == NULL) text = PQerrorMessage(b->conn);
    return fail_with(b, PQresultErrorField(result, PG_DIAG_SQLSTATE), text, err);
}

// ---- statements ---------------------------------------------------------------------------------

// Waits for the socket, but not longer than POLL_MS, before the run is asked whether it goes on.
static base_rc wait_for_socket(pg_book *b, short events, uint64_t deadline_ns, base_error *err) {
    if (engine_book_stopped(b->book.spec)) return fail_with(b, "57014", "canceled", err);
    uint64_t now = plat_monotonic_ns(engine_plat(b->book.spec->engine));
    if (now >= deadline_ns) return fail_with(b, "57014", "no answer within the timeout", err);
    uint64_t ms = (deadline_ns - now) / 1000000 + 1;
    struct pollfd fd = {.fd = PQsocket(b->conn), .events = events};
    (void)poll(&fd, 1, ms < POLL_MS ? (int)ms : POLL_MS);
    return BASE_OK;
}

// Waits until the statement is sent, and the next result can be had without waiting.
static base_rc wait_for(pg_book *b, uint64_t deadline_ns, base_error *err) {
    for (;;) {
        int unsent = PQflush(b->conn);
        if (unsent == 0 && !PQisBusy(b->conn)) return BASE_OK;
        base_rc rc = wait_for_socket(b, unsent > 0 ? POLLIN | POLLOUT : POLLIN, deadline_ns, err);
        if (rc != BASE_OK) return rc;
        // Only what is asked for is taken in: rows that come faster than they are read wait.
        if (unsent < 0 || !PQconsumeInput(b->conn))
            return fail_with(b, NULL, PQerrorMessage(b->conn), err);
    }
}

static uint64_t result_bytes(const PGresult *result) {
    int rows = PQntuples(result), columns = PQnfields(result);
    uint64_t n = 0;
    for (int row = 0; row < rows; row++) {
        n += 7; // a DataRow's type, length, count
        for (int i = 0; i < columns; i++) n += 4 + (uint64_t)PQgetlength(result, row, i);
    }
    return n;
}

typedef base_rc result_visit(void *arg, const PGresult *result, base_error *err);

// One statement; visit (may be NULL) is called for each result with rows, one row at a time if
// `single`. The deadline is for the time between two results. After an error of the book or of
// visit the connection is of no more use: what still comes of the statement is not read.
static base_rc run_statement(pg_book *b, const char *text, bool single, result_visit *visit,
                             void *arg, base_error *err) {
    plat *p = engine_plat(b->book.spec->engine);
    b->book.statements++;
    b->book.bytes += strlen(text);
    if (!PQsendQueryParams(b->conn, text, 0, NULL, NULL, NULL, NULL, 0) ||
        (single && !PQsetSingleRowMode(b->conn)))
        return fail_with(b, NULL, PQerrorMessage(b->conn), err);
    for (;;) {
        // A little more than the server's own, whose message says more.
        uint64_t most_ns = (uint64_t)(b->timeout_ms + 2000) * 1000000;
        base_rc rc = wait_for(b, plat_monotonic_ns(p) + most_ns, err);
        if (rc != BASE_OK) return rc;
        PGresult *result = PQgetResult(b->conn);
        if (result == NULL) return BASE_OK;
        ExecStatusType status = PQresultStatus(result);
        b->book.bytes += result_bytes(result);
        if (status == PGRES_TUPLES_OK || status == PGRES_SINGLE_TUPLE)
            rc = visit == NULL ? BASE_OK : visit(arg, result, err);
        else if (status != PGRES_COMMAND_OK)
            rc = fail_result(b, result, err);
        PQclear(result);
        if (rc != BASE_OK) return rc;
    }
}

// ---- opening ------------------------------------------------------------------------------------

// conninfo is parsed apart: libpq's complaint about it would quote it.
static base_rc check_conninfo(const char *conninfo, base_error *err) {
    char *complaint = NULL;
    PQconninfoOption *parts = PQconninfoParse(conninfo, &complaint);
    PQfreemem(complaint);
    if (parts != NULL) {
        PQconninfoFree(parts);
        return BASE_OK;
    }
    base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER,
              "option \"conninfo\" of a reconciliation is no connection string");
    base_error_hint(err, "It looks like 'host=... port=... dbname=... user=... password=...' or "
                         "'postgresql://user@host/db'.");
    return err->code;
}

static const char *or_none(const char *text) {
    return text == NULL ? "" : text;
}

// How long a connection may take: connect_timeout for each host that is named.
static uint64_t connect_ms(const pg_book *b) {
    PQconninfoOption *parts = PQconninfo(b->conn);
    must(parts != NULL);
    uint64_t hosts = 1;
    long seconds = CONNECT_S;
    for (const PQconninfoOption *o = parts; o->keyword != NULL; o++) {
        if (o->val == NULL) continue;
        if (strcmp(o->keyword, "connect_timeout") == 0) seconds = strtol(o->val, NULL, 10);
        if (strcmp(o->keyword, "host") != 0 && strcmp(o->keyword, "hostaddr") != 0) continue;
        uint64_t n = 1;
        for (const char *c = o->val; *c != '\0'; c++) n += *c == ',';
        if (n > hosts) hosts = n;
    }
    PQconninfoFree(parts);
    // libpq's word for "without an end".
    if (seconds <= 0 || seconds > b->timeout_ms / 1000) return (uint64_t)b->timeout_ms + 1000;
    return (uint64_t)seconds * 1000 * hosts;
}

static void set_name(pg_book *b) {
    b->book.name = base_arena_printf(b->arena, "postgresql://%s@%s:%s/%s", or_none(PQuser(b->conn)),
                                     or_none(PQhost(b->conn)), or_none(PQport(b->conn)),
                                     or_none(PQdb(b->conn)));
}

static base_rc connect_to(pg_book *b, const char *conninfo, base_error *err) {
    base_rc rc = check_conninfo(conninfo, err);
    if (rc != BASE_OK) return rc;
    // What comes before the string can be said otherwise in it, what comes after cannot. The first
    // two make libpq go on to the next host, if one of several does not answer at all.
    const char *const names[] = {"connect_timeout",
                                 "tcp_user_timeout",
                                 "keepalives_idle",
                                 "dbname",
                                 "client_encoding",
                                 "fallback_application_name",
                                 NULL};
    const char *const values[] = {"10", "10000", "30", conninfo, "UTF8", "weir", NULL};
    b->conn = PQconnectStartParams(names, values, 1);
    must(b->conn != NULL);
    set_name(b);
    bool failed = PQstatus(b->conn) == CONNECTION_BAD;
    uint64_t deadline_ns =
        failed ? 0 : plat_monotonic_ns(engine_plat(b->book.spec->engine)) + connect_ms(b) * 1000000;
    for (PostgresPollingStatusType wants = PGRES_POLLING_WRITING; !failed;) {
        if (wants == PGRES_POLLING_OK) break;
        rc =
            wait_for_socket(b, wants == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline_ns, err);
        if (rc != BASE_OK) return rc;
        wants = PQconnectPoll(b->conn);
        failed = wants == PGRES_POLLING_FAILED;
    }
    set_name(b); // of several hosts, the one that answered
    if (!failed && PQsetnonblocking(b->conn, 1) == 0) return BASE_OK;
    return fail_with(b, PQconnectionNeedsPassword(b->conn) ? "28P01" : NULL,
                     PQerrorMessage(b->conn), err);
}

static base_rc begin(pg_book *b, base_error *err) {
    base_buf text = {0};
    base_buf_printf(&text, "SET statement_timeout = %lld", (long long)b->timeout_ms);
    base_rc rc = run_statement(b, base_buf_cstr(&text), false, NULL, NULL, err);
    base_buf_deinit(&text);
    static const char *const statements[] = {"SET client_connection_check_interval = '1s'",
                                             "SET TimeZone = 'UTC'",
                                             "SET DateStyle = 'ISO, YMD'",
                                             "SET IntervalStyle = 'postgres'",
                                             "SET bytea_output = 'hex'",
                                             "SET extra_float_digits = 1",
                                             "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"};
    size_t first = PQserverVersion(b->conn) < 140000; // it is new in 14
    for (size_t i = first; rc == BASE_OK && i < sizeof statements / sizeof statements[0]; i++)
        rc = run_statement(b, statements[i], false, NULL, NULL, err);
    return rc;
}

static connect_sql_class class_of(Oid oid) {
    switch (oid) {
    case 20: // int8, int2, int4
    case 21:
    case 23:
        return CONNECT_SQL_INTEGER;
    default: // the server casts, and complains, by itself
        return CONNECT_SQL_OTHER;
    }
}

static base_rc see_columns(void *arg, const PGresult *result, base_error *err) {
    pg_book *b = arg;
    const engine_book_spec *spec = b->book.spec;
    for (uint32_t i = 0; i < spec->nfields; i++) {
        int times = 0, at = -1;
        for (int c = 0; c < PQnfields(result); c++) {
            if (strcmp(PQfname(result, c), spec->fields[i].name) != 0) continue;
            times++;
            at = c;
        }
        base_rc rc = connect_sql_note_column(
            &b->sql, &b->book, i, (unsigned)times,
            times == 0 ? CONNECT_SQL_OTHER : class_of(PQftype(result, at)), &b->nhas, err);
        if (rc != BASE_OK) return rc;
    }
    return BASE_OK;
}

static base_rc describe(pg_book *b, base_error *err) {
    base_buf text = {0};
    connect_sql_describe(&b->sql, &text);
    base_rc rc = run_statement(b, base_buf_cstr(&text), false, see_columns, b, err);
    base_buf_deinit(&text);
    return rc;
}

static void pg_close(engine_book *book) {
    PQfinish(((pg_book *)book)->conn); // the transaction ends with it
}

static base_rc pg_open(const engine_book_spec *spec, base_arena *arena, engine_book **out,
                       base_error *err) {
    const plan_object *r = spec->reconciliation;
    pg_book *b = base_arena_new(arena, pg_book);
    b->arena = arena;
    b->timeout_ms = connect_timeout_ms(r, TIMEOUT_MS);
    b->book = (engine_book){.ops = &connect_book_postgres, .spec = spec, .name = "postgresql"};
    b->book.has = base_arena_array(arena, bool, spec->nfields + 1);
    b->sql = (connect_book_sql){.dialect = CONNECT_POSTGRES, .spec = spec, .has = b->book.has};
    b->sql.classes = base_arena_array(arena, connect_sql_class, spec->nfields + 1);
    b->sql.query = connect_sql_query(arena, plan_option_get(r, "query"));
    base_rc rc = connect_to(b, plan_option_get(r, "conninfo"), err);
    if (rc == BASE_OK) rc = begin(b, err);
    if (rc == BASE_OK) rc = describe(b, err);
    if (rc != BASE_OK) {
        pg_close(&b->book);
        return rc;
    }
    const char *encoding = PQparameterStatus(b->conn, "server_encoding");
    b->sql.is_utf8 = encoding != NULL && strcmp(encoding, "UTF8") == 0;
    b->book.digests = connect_sql_can_digest(&b->sql);
    b->book.by_value = b->sql.by_value;
    *out = &b->book;
    return BASE_OK;
}

// ---- reading ------------------------------------------------------------------------------------

typedef struct pg_reading {
    connect_rows rows;
    base_str *cells;
} pg_reading;

static base_rc add_row(void *arg, const PGresult *result, base_error *err) {
    pg_reading *t = arg;
    for (int row = 0; row < PQntuples(result); row++) {
        for (int i = 0; i < PQnfields(result); i++)
            t->cells[i] =
                PQgetisnull(result, row, i)
                    ? (base_str){NULL, 0}
                    : (base_str){PQgetvalue(result, row, i), (size_t)PQgetlength(result, row, i)};
        base_rc rc = connect_rows_add(&t->rows, t->cells, err);
        if (rc != BASE_OK) return rc;
    }
    return BASE_OK;
}

static base_rc pg_read(engine_book *book, uint32_t nranges, const engine_book_range *ranges,
                       engine_book_visit *visit, void *arg, base_error *err) {
    pg_book *b = (pg_book *)book;
    pg_reading t = {.cells = calloc(b->nhas + 1, sizeof(base_str))};
    must(t.cells != NULL);
    base_buf label = {0}, text = {0};
    base_buf_printf(&label, "book %s", book->name);
    connect_rows_begin(&t.rows, book->spec, base_buf_cstr(&label), book->has, visit, arg);
    connect_sql_rows(&b->sql, nranges, ranges, &text);
    base_rc rc = run_statement(b, base_buf_cstr(&text), true, add_row, &t, err);
    if (rc == BASE_OK) rc = connect_rows_flush(&t.rows, err);
    connect_rows_end(&t.rows);
    base_buf_deinit(&label);
    base_buf_deinit(&text);
    free(t.cells);
    return rc;
}

typedef struct pg_digesting {
    pg_book *b;
    uint32_t nranges;
    engine_book_digest *out;
} pg_digesting;

static base_rc add_digest(void *arg, const PGresult *result, base_error *err) {
    pg_digesting *t = arg;
    for (int row = 0; row < PQntuples(result); row++) {
        const char *cells[3];
        for (int i = 0; i < 3; i++)
            cells[i] = PQgetisnull(result, row, i) ? NULL : PQgetvalue(result, row, i);
        if (!connect_sql_digest_row(cells[0], cells[1], cells[2], t->nranges, t->out))
            return fail_with(t->b, BASE_SQLSTATE_PROTOCOL, "a digest that cannot be read", err);
    }
    return BASE_OK;
}

static base_rc pg_digest(engine_book *book, uint32_t nranges, const engine_book_range *ranges,
                         int64_t settled_us, engine_book_digest *out, base_error *err) {
    pg_book *b = (pg_book *)book;
    base_buf text = {0};
    connect_sql_digest(&b->sql, nranges, ranges, settled_us, &text);
    pg_digesting t = {b, nranges, out};
    base_rc rc = run_statement(b, base_buf_cstr(&text), false, add_digest, &t, err);
    base_buf_deinit(&text);
    return rc;
}

const engine_book_ops connect_book_postgres = {"postgres", pg_open, pg_read, pg_digest, pg_close};
