// book_mariadb.c - a query in MariaDB (or MySQL) as the book, by libmariadb.
//
// A run is one transaction WITH CONSISTENT SNAPSHOT, READ ONLY, REPEATABLE READ, which holds for
// InnoDB's tables. Rows are streamed (mysql_use_result). The session runs in UTC: a DATETIME has no
// zone and is taken as UTC; a query that means another says so (CONVERT_TZ). MariaDB casts silently
// what makes no sense ('abc' to 0), so types that do not fit are refused here, when the book is
// opened.
//
// All waiting is done here by poll (libmariadb's _start and _cont calls), for at most POLL_MS at a
// time, and then the run is asked whether it is to end; exceptions are the look-up of a host's name
// and a TLS handshake, which the library bounds by CONNECT_S. A connection that is given up is shut
// down first, so that the library finds its end instead of waiting for what was under way.
//
// The password comes from option password, or from password_file (its first line), and is never
// shown. Entry point: connect_book_mariadb.

#include <mysql.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/must.h"
#include "connect/book_sql.h"

#define TIMEOUT_MS     (10 * 60 * 1000) // of a statement, unless the option says otherwise
#define POLL_MS        200              // how long a run that is to end may go on waiting
#define CONNECT_S      10u
#define PASSWORD_BYTES 4096u

typedef struct maria_book {
    engine_book book;
    MYSQL *conn;
    connect_book_sql sql;
    base_arena *arena;
    int64_t timeout_ms;
    uint32_t nhas;
    uint64_t deadline_ns; // of the connection's beginning; 0: none
    bool stopped, late;   // the socket was shut down: the run is to end; or it took too long
} maria_book;

static base_rc fail_now(const maria_book *b, base_error *err) {
    const char *sqlstate = mysql_sqlstate(b->conn);
    unsigned number = mysql_errno(b->conn);
    base_rc code = BASE_E_IO;
    if (b->stopped)
        return base_fail(err, BASE_E_CANCELLED, NULL, "book %s: canceled", b->book.name);
    if (b->late)
        return base_fail(err, BASE_E_CANCELLED, "57014", "book %s: no answer within the timeout",
                         b->book.name);
    // The general state says nothing: 2002.. are the client's own, 1969 is max_statement_time.
    if (number == 1969 || number == 1317) {
        sqlstate = "57014";
        code = BASE_E_CANCELLED;
    } else if (number >= 2000 && number < 3000) {
        sqlstate = "08006";
    } else if (strncmp(sqlstate, "42", 2) == 0 || strncmp(sqlstate, "22", 2) == 0) {
        code = BASE_E_INVALID;
    }
    base_fail(err, code, sqlstate, "book %s: %s", b->book.name, mysql_error(b->conn));
    for (char *p = err->message; *p != '\0'; p++)
        if (*p == '\n' || *p == '\t') *p = ' ';
    return code;
}

// ---- statements ---------------------------------------------------------------------------------

typedef base_rc row_visit(void *arg, MYSQL_RES *result, MYSQL_ROW row, const unsigned long *sizes,
                          base_error *err);

// What poll saw, in the library's words.
static int ready_for(const struct pollfd *fd) {
    return (fd->revents & POLLIN ? MYSQL_WAIT_READ : 0) |
           (fd->revents & POLLOUT ? MYSQL_WAIT_WRITE : 0) |
           (fd->revents & (POLLPRI | POLLERR | POLLHUP) ? MYSQL_WAIT_EXCEPT : 0);
}

// From now on every call fails at once. The server sees that the client has gone.
static void give_up(maria_book *b, bool *why) {
    if (b->stopped || b->late) return;
    *why = true;
    (void)shutdown(mysql_get_socket(b->conn), SHUT_RDWR);
}

// Waits for what a call of the library waits for, and says what came.
static int wait_for(maria_book *b, int waiting) {
    plat *p = engine_plat(b->book.spec->engine);
    uint64_t since_ns = plat_monotonic_ns(p);
    for (;;) {
        struct pollfd fd = {.fd = mysql_get_socket(b->conn)};
        fd.events = (short)((waiting & MYSQL_WAIT_READ ? POLLIN : 0) |
                            (waiting & MYSQL_WAIT_WRITE ? POLLOUT : 0) |
                            (waiting & MYSQL_WAIT_EXCEPT ? POLLPRI : 0));
        if (engine_book_stopped(b->book.spec)) give_up(b, &b->stopped);
        if (b->deadline_ns != 0 && plat_monotonic_ns(p) > b->deadline_ns) give_up(b, &b->late);
        int status = poll(&fd, 1, POLL_MS) > 0 ? ready_for(&fd) : 0;
        // A socket that is not connected yet does not notice its end.
        if (status == 0 && (b->stopped || b->late)) return MYSQL_WAIT_TIMEOUT;
        uint64_t waited_ms = (plat_monotonic_ns(p) - since_ns) / 1000000;
        if (status == 0 && waiting & MYSQL_WAIT_TIMEOUT &&
            waited_ms >= mysql_get_timeout_value_ms(b->conn))
            status = MYSQL_WAIT_TIMEOUT;
        if (status != 0) return status;
    }
}

static bool query(maria_book *b, const char *text, size_t n) {
    int failed = 0;
    int waiting = mysql_real_query_start(&failed, b->conn, text, n);
    while (waiting != 0) waiting = mysql_real_query_cont(&failed, b->conn, wait_for(b, waiting));
    return failed == 0;
}

static MYSQL_ROW next_row(maria_book *b, MYSQL_RES *result) {
    MYSQL_ROW row = NULL;
    int waiting = mysql_fetch_row_start(&row, result);
    while (waiting != 0) waiting = mysql_fetch_row_cont(&row, result, wait_for(b, waiting));
    return row;
}

static base_rc visit_rows(maria_book *b, MYSQL_RES *result, row_visit *visit, void *arg,
                          base_error *err) {
    unsigned n = mysql_num_fields(result);
    for (MYSQL_ROW row; (row = next_row(b, result)) != NULL;) {
        const unsigned long *sizes = mysql_fetch_lengths(result);
        b->book.bytes += 4; // a packet's head
        for (unsigned i = 0; i < n; i++) b->book.bytes += 1 + sizes[i];
        base_rc rc = visit(arg, result, row, sizes, err);
        if (rc != BASE_OK) return rc;
    }
    return mysql_errno(b->conn) == 0 ? BASE_OK : fail_now(b, err);
}

static base_rc run_statement(maria_book *b, const char *text, row_visit *visit, void *arg,
                             base_error *err) {
    b->book.statements++;
    b->book.bytes += strlen(text);
    if (!query(b, text, strlen(text))) return fail_now(b, err);
    MYSQL_RES *result = mysql_use_result(b->conn);
    if (result == NULL) return mysql_errno(b->conn) == 0 ? BASE_OK : fail_now(b, err);
    base_rc rc = visit == NULL ? BASE_OK : visit_rows(b, result, visit, arg, err);
    // Freeing the result reads the rest of it: there shall be none.
    if (rc != BASE_OK) give_up(b, &b->stopped);
    mysql_free_result(result);
    return rc;
}

// ---- opening ------------------------------------------------------------------------------------

static base_rc password_of(maria_book *b, const char **out, base_error *err) {
    const plan_object *r = b->book.spec->reconciliation;
    const char *path = plan_option_get(r, "password_file");
    *out = plan_option_get(r, "password");
    if (path == NULL) return BASE_OK;
    base_buf text = {0};
    base_rc rc =
        plat_read_file(engine_plat(b->book.spec->engine), path, PASSWORD_BYTES, &text, err);
    size_t n = 0;
    while (n < text.n && text.p[n] != '\n' && text.p[n] != '\r') n++;
    if (rc == BASE_OK) *out = base_arena_memdup(b->arena, text.p == NULL ? "" : text.p, n);
    base_buf_deinit(&text);
    return rc;
}

static base_rc set_tls(maria_book *b, base_error *err) {
    const plan_object *r = b->book.spec->reconciliation;
    const char *tls = plan_option_get(r, "tls"), *ca = plan_option_get(r, "tls_ca");
    bool off = tls == NULL || strcmp(tls, "off") == 0;
    bool verify = tls != NULL && strcmp(tls, "verify") == 0;
    if (!off && !verify && strcmp(tls, "on") != 0)
        return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER,
                         "option \"tls\" must be 'off', 'on' or 'verify', not '%s'", tls);
    if (off) return BASE_OK;
    my_bool yes = 1, check = verify;
    mysql_optionsv(b->conn, MYSQL_OPT_SSL_ENFORCE, &yes);
    mysql_optionsv(b->conn, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &check);
    if (ca != NULL) mysql_optionsv(b->conn, MYSQL_OPT_SSL_CA, ca);
    return BASE_OK;
}

static base_rc connect_to(maria_book *b, base_error *err) {
    const plan_object *r = b->book.spec->reconciliation;
    const char *host = plan_option_get(r, "host"), *port = plan_option_get(r, "port");
    const char *user = plan_option_get(r, "user"), *database = plan_option_get(r, "database");
    const char *socket = plan_option_get(r, "socket"), *password;
    long number = port == NULL ? 3306 : strtol(port, NULL, 10);
    if (number < 1 || number > 65535)
        return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER,
                         "option \"port\" must be a number from 1 to 65535, not '%s'", port);
    b->book.name = base_arena_printf(b->arena, "mariadb://%s@%s:%ld/%s", user,
                                     socket != NULL ? socket
                                     : host != NULL ? host
                                                    : "localhost",
                                     number, database == NULL ? "" : database);
    b->conn = mysql_init(NULL);
    must(b->conn != NULL);
    unsigned connect_s = CONNECT_S, io_s = (unsigned)(b->timeout_ms / 1000 + 3);
    mysql_optionsv(b->conn, MYSQL_OPT_NONBLOCK, 0); // of the default size
    mysql_optionsv(b->conn, MYSQL_OPT_CONNECT_TIMEOUT, &connect_s);
    mysql_optionsv(b->conn, MYSQL_OPT_READ_TIMEOUT, &io_s);
    mysql_optionsv(b->conn, MYSQL_OPT_WRITE_TIMEOUT, &io_s);
    mysql_optionsv(b->conn, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    base_rc rc = set_tls(b, err);
    if (rc == BASE_OK) rc = password_of(b, &password, err);
    if (rc != BASE_OK) return rc;
    uint64_t most_ms =
        (uint64_t)b->timeout_ms < CONNECT_S * 1000 ? (uint64_t)b->timeout_ms : CONNECT_S * 1000;
    b->deadline_ns = plat_monotonic_ns(engine_plat(b->book.spec->engine)) + most_ms * 1000000;
    MYSQL *connected = NULL;
    int waiting = mysql_real_connect_start(&connected, b->conn, host, user, password, database,
                                           (unsigned)number, socket, 0);
    while (waiting != 0)
        waiting = mysql_real_connect_cont(&connected, b->conn, wait_for(b, waiting));
    b->deadline_ns = 0;
    return connected == NULL ? fail_now(b, err) : BASE_OK;
}

static base_rc begin(maria_book *b, base_error *err) {
    base_buf text = {0};
    base_buf_printf(&text, "SET SESSION max_statement_time = %lld.%03lld",
                    (long long)(b->timeout_ms / 1000), (long long)(b->timeout_ms % 1000));
    base_rc rc = run_statement(b, base_buf_cstr(&text), NULL, NULL, err);
    base_buf_deinit(&text);
    static const char *const statements[] = {
        "SET SESSION time_zone = '+00:00'",
        "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
        "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY"};
    for (size_t i = 0; rc == BASE_OK && i < sizeof statements / sizeof statements[0]; i++)
        rc = run_statement(b, statements[i], NULL, NULL, err);
    return rc;
}

static connect_sql_class class_of(const MYSQL_FIELD *field) {
    switch (field->type) {
    case MYSQL_TYPE_LONGLONG:
        return field->flags & UNSIGNED_FLAG ? CONNECT_SQL_NUMBER : CONNECT_SQL_INTEGER;
    case MYSQL_TYPE_TINY:
    case MYSQL_TYPE_SHORT:
    case MYSQL_TYPE_INT24:
    case MYSQL_TYPE_LONG:
    case MYSQL_TYPE_YEAR:
        return CONNECT_SQL_INTEGER;
    case MYSQL_TYPE_BIT:
    case MYSQL_TYPE_DECIMAL:
    case MYSQL_TYPE_NEWDECIMAL:
    case MYSQL_TYPE_FLOAT:
    case MYSQL_TYPE_DOUBLE:
        return CONNECT_SQL_NUMBER;
    case MYSQL_TYPE_DATE:
    case MYSQL_TYPE_DATETIME:
    case MYSQL_TYPE_TIMESTAMP:
        return CONNECT_SQL_TIME;
    default:
        return CONNECT_SQL_OTHER;
    }
}

static bool fits(col_kind wanted, connect_sql_class found) {
    switch (wanted) {
    case COL_BOOL:
    case COL_INT2:
    case COL_INT4:
    case COL_INT8:
    case COL_NUMERIC:
    case COL_FLOAT4:
    case COL_FLOAT8:
        return found == CONNECT_SQL_INTEGER || found == CONNECT_SQL_NUMBER;
    case COL_DATE:
    case COL_TIMESTAMP:
    case COL_TIMESTAMPTZ:
        return found == CONNECT_SQL_TIME;
    default:
        return true;
    }
}

static base_rc see_column(maria_book *b, uint32_t i, MYSQL_RES *result, base_error *err) {
    const engine_book_field *field = &b->book.spec->fields[i];
    const MYSQL_FIELD *columns = mysql_fetch_fields(result), *found = NULL;
    unsigned n = mysql_num_fields(result), times = 0;
    for (unsigned c = 0; c < n; c++) {
        if (strcmp(columns[c].name, field->name) != 0) continue;
        found = &columns[c];
        times++;
    }
    base_rc rc =
        connect_sql_note_column(&b->sql, &b->book, i, times,
                                found == NULL ? CONNECT_SQL_OTHER : class_of(found), &b->nhas, err);
    if (rc != BASE_OK || times != 1) return rc;
    if (!fits(field->type.kind, b->sql.classes[i])) {
        base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_DATATYPE_MISMATCH,
                  "book %s: column \"%s\" cannot be read as %s", b->book.name, field->name,
                  col_kind_name(field->type.kind));
        base_error_hint(err, "CAST it in the query.");
        return err->code;
    }
    return BASE_OK;
}

static base_rc describe(maria_book *b, base_error *err) {
    base_buf text = {0};
    connect_sql_describe(&b->sql, &text);
    b->book.statements++;
    b->book.bytes += text.n;
    bool done = query(b, text.p, text.n);
    base_buf_deinit(&text);
    if (!done) return fail_now(b, err);
    MYSQL_RES *result = NULL;
    int waiting = mysql_store_result_start(&result, b->conn);
    while (waiting != 0) waiting = mysql_store_result_cont(&result, b->conn, wait_for(b, waiting));
    if (result == NULL) return fail_now(b, err);
    base_rc rc = BASE_OK;
    for (uint32_t i = 0; rc == BASE_OK && i < b->book.spec->nfields; i++)
        rc = see_column(b, i, result, err);
    mysql_free_result(result);
    return rc;
}

static void maria_close(engine_book *book) {
    maria_book *b = (maria_book *)book;
    if (b->conn != NULL) mysql_close(b->conn);
}

static base_rc maria_open(const engine_book_spec *spec, base_arena *arena, engine_book **out,
                          base_error *err) {
    const plan_object *r = spec->reconciliation;
    maria_book *b = base_arena_new(arena, maria_book);
    b->arena = arena;
    b->timeout_ms = connect_timeout_ms(r, TIMEOUT_MS);
    b->book = (engine_book){.ops = &connect_book_mariadb, .spec = spec, .name = "mariadb"};
    b->book.has = base_arena_array(arena, bool, spec->nfields + 1);
    b->sql = (connect_book_sql){
        .dialect = CONNECT_MARIADB, .is_utf8 = true, .spec = spec, .has = b->book.has};
    b->sql.classes = base_arena_array(arena, connect_sql_class, spec->nfields + 1);
    b->sql.query = connect_sql_query(arena, plan_option_get(r, "query"));
    base_rc rc = connect_to(b, err);
    if (rc == BASE_OK) rc = begin(b, err);
    if (rc == BASE_OK) rc = describe(b, err);
    if (rc != BASE_OK) {
        maria_close(&b->book);
        return rc;
    }
    b->book.digests = connect_sql_can_digest(&b->sql);
    b->book.by_value = b->sql.by_value;
    *out = &b->book;
    return BASE_OK;
}

// ---- reading ------------------------------------------------------------------------------------

typedef struct maria_reading {
    connect_rows rows;
    base_str *cells;
} maria_reading;

static base_rc add_row(void *arg, MYSQL_RES *result, MYSQL_ROW row, const unsigned long *sizes,
                       base_error *err) {
    maria_reading *t = arg;
    for (unsigned i = 0; i < mysql_num_fields(result); i++)
        t->cells[i] = (base_str){row[i], sizes[i]};
    return connect_rows_add(&t->rows, t->cells, err);
}

static base_rc maria_read(engine_book *book, uint32_t nranges, const engine_book_range *ranges,
                          engine_book_visit *visit, void *arg, base_error *err) {
    maria_book *b = (maria_book *)book;
    maria_reading t = {.cells = calloc(b->nhas + 1, sizeof(base_str))};
    must(t.cells != NULL);
    base_buf label = {0}, text = {0};
    base_buf_printf(&label, "book %s", book->name);
    connect_rows_begin(&t.rows, book->spec, base_buf_cstr(&label), book->has, visit, arg);
    connect_sql_rows(&b->sql, nranges, ranges, &text);
    base_rc rc = run_statement(b, base_buf_cstr(&text), add_row, &t, err);
    if (rc == BASE_OK) rc = connect_rows_flush(&t.rows, err);
    connect_rows_end(&t.rows);
    base_buf_deinit(&label);
    base_buf_deinit(&text);
    free(t.cells);
    return rc;
}

typedef struct maria_digesting {
    maria_book *b;
    uint32_t nranges;
    engine_book_digest *out;
} maria_digesting;

static base_rc add_digest(void *arg, MYSQL_RES *result, MYSQL_ROW row, const unsigned long *sizes,
                          base_error *err) {
    (void)result, (void)sizes;
    maria_digesting *t = arg;
    if (connect_sql_digest_row(row[0], row[1], row[2], t->nranges, t->out)) return BASE_OK;
    return base_fail(err, BASE_E_IO, BASE_SQLSTATE_PROTOCOL,
                     "book %s: a digest that cannot be read", t->b->book.name);
}

static base_rc maria_digest(engine_book *book, uint32_t nranges, const engine_book_range *ranges,
                            int64_t settled_us, engine_book_digest *out, base_error *err) {
    maria_book *b = (maria_book *)book;
    base_buf text = {0};
    connect_sql_digest(&b->sql, nranges, ranges, settled_us, &text);
    maria_digesting t = {b, nranges, out};
    base_rc rc = run_statement(b, base_buf_cstr(&text), add_digest, &t, err);
    base_buf_deinit(&text);
    return rc;
}

const engine_book_ops connect_book_mariadb = {"mariadb", maria_open, maria_read, maria_digest,
                                              maria_close};
