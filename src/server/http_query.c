// http_query.c - POST /v1/query {"sql": "...", "limit": n, "as_of": "...", "effective_as_of":
// "..."}: one statement for a program or the console; it may read, INSERT, DELETE, RECONCILE and
// FLUSH. Entry point: http_query.

#include <string.h>

#include "server/http_int.h"
#include "wire/json.h"

#define ROWS_DEFAULT 10000

typedef struct asked {
    base_str sql, as_of, effective_as_of; // instants may be empty
    uint32_t limit;
} asked;

static base_rc read_body(http_request *request, asked *a, base_error *err) {
    static const wire_json_field fields[] = {{"sql", {COL_TEXT, 0, 0, 0, NULL}, true},
                                             {"limit", {COL_INT4, 0, 0, 0, NULL}, false},
                                             {"as_of", {COL_TEXT, 0, 0, 0, NULL}, false},
                                             {"effective_as_of", {COL_TEXT, 0, 0, 0, NULL}, false}};
    base_buf *body = &request->body;
    if (body->n >= UINT32_MAX) return base_fail(err, BASE_E_LIMIT, NULL, "the body is too large");
    base_buf_reserve(body, WIRE_JSON_PADDING);
    memset(body->p + body->n, 0, WIRE_JSON_PADDING);
    wire_json_decoder *decoder = wire_json_decoder_create(4, fields, WIRE_JSON_UNKNOWN_FAULT);
    uint32_t end = (uint32_t)body->n, nfaults;
    wire_json_fault *faults;
    col_batch *batch;
    wire_json_decode(decoder, body->p, body->n, &end, 0, 1, &request->arena, &batch, NULL, &faults,
                     &nfaults);
    base_rc rc = BASE_OK;
    if (nfaults > 0) {
        rc = base_fail(err, BASE_E_INVALID, faults[0].sqlstate, "%s", faults[0].message);
        base_error_hint(err, "The body is {\"sql\": \"SELECT ...\", \"limit\": 1000}.");
    } else {
        a->sql = col_str(&batch->cols[0])[0];
        int32_t wanted =
            col_is_null(&batch->cols[1], 0) ? ROWS_DEFAULT : col_i32(&batch->cols[1])[0];
        if (!col_is_null(&batch->cols[2], 0)) a->as_of = col_str(&batch->cols[2])[0];
        if (!col_is_null(&batch->cols[3], 0)) a->effective_as_of = col_str(&batch->cols[3])[0];
        a->limit = wanted < 0 ? 0 : (uint32_t)wanted;
    }
    wire_json_decoder_destroy(decoder);
    return rc;
}

// HTTP may be behind a page: what changes the catalogue goes over the PostgreSQL protocol.
static base_rc check_kind(base_str sql, base_error *err) {
    static const char *const allowed[] = {"select", "with",      "values",  "table",
                                          "show",   "verify",    "explain", "insert",
                                          "delete", "reconcile", "flush"};
    base_str rest = sql;
    base_str word = server_take_word(&rest);
    if (word.n == 0) return BASE_OK; // "(SELECT ...)", or nothing: the parser says
    for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++)
        if (server_word_is(word, allowed[i])) return BASE_OK;
    base_rc rc = base_fail(err, BASE_E_INVALID, "25006",
                           "%.*s is not taken here: this path reads, and takes INSERT, DELETE, "
                           "RECONCILE and FLUSH",
                           (int)(word.n < 40 ? word.n : 40), word.p);
    base_error_hint(err, "Use a PostgreSQL client, or the file that weir serves.");
    return rc;
}

static base_rc run(http_request *request, base_str sql, engine_session *session, base_error *err) {
    size_t n;
    base_str *statements;
    if (base_utf8_valid_prefix(sql) != sql.n)
        return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_INVALID_ENCODING, "sql is not UTF-8");
    base_rc rc = check_kind(sql, err);
    if (rc == BASE_OK) rc = engine_split(&request->arena, sql, &n, &statements, err);
    if (rc != BASE_OK) return rc;
    if (n != 1)
        return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_SYNTAX,
                         "one statement at a time is taken here, not %zu", n);
    base_str text = {sql.p, (size_t)(statements[0].p - sql.p) + statements[0].n};
    engine_prepared *prepared;
    rc = engine_prepare(session, &request->arena, text, 0, 0, NULL, &prepared, err);
    if (rc != BASE_OK) return rc;
    size_t nparams;
    const col_type *params;
    engine_result shape;
    engine_prepared_describe(prepared, &nparams, &params, &shape);
    if (nparams > 0)
        return base_fail(err, BASE_E_INVALID, "42P02", "there is no parameter $%zu", nparams);
    return engine_execute(session, prepared, NULL, &request->arena, &request->result, err);
}

static void write_head(http_request *request) {
    const engine_result *result = &request->result;
    base_buf *out = &request->out;
    base_buf_add_cstr(out, "{\"columns\":[");
    base_buf name = {0};
    for (uint32_t i = 0; i < result->ncolumns; i++) {
        base_buf_add_cstr(out, i > 0 ? ",{\"name\":" : "{\"name\":");
        http_json_text(out, base_str_of(result->names[i]));
        base_buf_clear(&name);
        col_type_format(&result->types[i], &name);
        base_buf_add_cstr(out, ",\"type\":");
        http_json_text(out, base_buf_str(&name));
        base_buf_add_byte(out, '}');
    }
    base_buf_deinit(&name);
    base_buf_add_cstr(out, "],\"rows\":[");
}

static void write_tail(http_request *request, bool truncated, int64_t elapsed_us) {
    const engine_result *result = &request->result;
    base_buf tail = {0};
    base_buf_printf(&tail, "],\n\"row_count\":%u,\"truncated\":%s,\"tag\":", request->nrows,
                    truncated ? "true" : "false");
    http_json_text(&tail, base_str_of(result->tag));
    base_buf_add_cstr(&tail, ",\"notices\":[");
    for (size_t i = 0; i < result->nnotices; i++) {
        if (i > 0) base_buf_add_byte(&tail, ',');
        http_json_text(&tail, base_str_of(result->notices[i]));
    }
    base_buf_add_cstr(&tail, "],\"standing\":");
    server_standing_json(&result->standing, &tail);
    base_buf_printf(&tail, ",\"elapsed_ms\":%.3f}\n", (double)elapsed_us / 1000);
    request->tail = (base_str){base_arena_memdup(&request->arena, tail.p, tail.n), tail.n};
    base_buf_deinit(&tail);
}

void http_query(http_request *request) {
    server *s = request->http->server;
    int64_t began = server_now_us(s);
    base_error err = {0};
    asked a = {.limit = ROWS_DEFAULT};
    base_rc rc = read_body(request, &a, &err);
    if (rc == BASE_OK) {
        http_running running;
        http_session_begin(request, &running);
        if (a.as_of.n > 0) rc = engine_session_as_of(&running.session, a.as_of, &err);
        if (rc == BASE_OK && a.effective_as_of.n > 0)
            rc = engine_session_effective_as_of(&running.session, a.effective_as_of, &err);
        if (rc == BASE_OK) rc = run(request, a.sql, &running.session, &err);
        http_session_end(request, &running);
    }
    int64_t elapsed_us = server_now_us(s) - began;
    atomic_fetch_add(&s->counters.query_requests, 1);
    atomic_fetch_add(&s->counters.query_us, (uint64_t)elapsed_us);
    if (rc != BASE_OK) {
        // The path is there, what the statement names is not: that is the statement's fault.
        if (err.code == BASE_E_NOT_FOUND) err.code = BASE_E_INVALID;
        http_fail(request, &err);
        return;
    }
    http_answer(request, MHD_HTTP_OK, "application/json");
    http_answer_header(request, "Cache-Control", "no-store");
    write_head(request);
    http_rows_begin(request, HTTP_ROWS_ARRAYS);
    bool truncated = request->nrows > a.limit;
    if (truncated) request->nrows = a.limit;
    write_tail(request, truncated, elapsed_us);
}
