// http_answer.c - answers: JSON errors, whole bodies, and rows that are encoded while they are
// sent, so that a large result is in memory once, as columns.
//
// Invariant: an answer's status and headers are fixed before the first byte of its body is made.
// Entry points: http_answer, http_fail, http_rows_begin, http_answer_send.

#include <stdio.h>
#include <string.h>

#include "base/must.h"
#include "server/http_int.h"
#include "wire/csv.h"

void http_answer(http_request *request, unsigned status, const char *content_type) {
    request->status = status;
    request->answer_type = content_type;
}

void http_answer_header(http_request *request, const char *name, const char *value) {
    must(request->nheaders < SERVER_HTTP_HEADERS_MAX);
    request->header_names[request->nheaders] = name;
    request->header_values[request->nheaders++] = value;
}

// ---- errors ----

static unsigned status_of(const base_error *err) {
    switch (err->code) {
    case BASE_E_NOT_FOUND:
        return MHD_HTTP_NOT_FOUND;
    case BASE_E_LIMIT:
        return MHD_HTTP_CONTENT_TOO_LARGE;
    case BASE_E_BUSY:
        return MHD_HTTP_TOO_MANY_REQUESTS;
    case BASE_E_FULL:
        return MHD_HTTP_INSUFFICIENT_STORAGE;
    case BASE_E_CANCELLED:
        return MHD_HTTP_GATEWAY_TIMEOUT;
    case BASE_E_IO:
    case BASE_E_CORRUPT:
    case BASE_E_INTERNAL:
        return MHD_HTTP_INTERNAL_SERVER_ERROR;
    default:
        return MHD_HTTP_BAD_REQUEST;
    }
}

void http_json_text(base_buf *buf, base_str text) {
    if (base_utf8_valid_prefix(text) == text.n) {
        base_buf_add_json_string(buf, text);
        return;
    }
    base_buf clean = {0};
    while (text.n > 0) {
        size_t n = base_utf8_valid_prefix(text);
        base_buf_add(&clean, text.p, n);
        if (n < text.n) {
            base_buf_add_cstr(&clean, "\xef\xbf\xbd"); // U+FFFD
            n++;
        }
        text = (base_str){text.p + n, text.n - n};
    }
    base_buf_add_json_string(buf, base_buf_str(&clean));
    base_buf_deinit(&clean);
}

static void fail_status(http_request *request, unsigned status, const base_error *err) {
    base_buf *out = &request->out;
    base_buf_clear(out);
    request->rows_form = HTTP_ROWS_NONE;
    base_buf_add_cstr(out, "{\"error\":{\"sqlstate\":");
    http_json_text(out, base_str_of(err->sqlstate));
    base_buf_add_cstr(out, ",\"message\":");
    http_json_text(out, base_str_of(err->message));
    if (err->detail[0] != 0) {
        base_buf_add_cstr(out, ",\"detail\":");
        http_json_text(out, base_str_of(err->detail));
    }
    if (err->hint[0] != 0) {
        base_buf_add_cstr(out, ",\"hint\":");
        http_json_text(out, base_str_of(err->hint));
    }
    if (err->position > 0) base_buf_printf(out, ",\"position\":%d", err->position);
    base_buf_add_cstr(out, "}}\n");
    http_answer(request, status, "application/json");
    if (status == MHD_HTTP_TOO_MANY_REQUESTS || status == MHD_HTTP_SERVICE_UNAVAILABLE)
        http_answer_header(request, "Retry-After", "1");
}

void http_fail(http_request *request, const base_error *err) {
    fail_status(request, status_of(err), err);
}

void http_fail_with(http_request *request, unsigned status, base_rc code, const char *sqlstate,
                    const char *fmt, ...) {
    char text[400];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    base_error err = {0};
    base_fail(&err, code, sqlstate, "%s", text);
    fail_status(request, status, &err);
}

// ---- rows ----

const char **http_keys(base_arena *arena, uint32_t n, const char *const *names) {
    const char **keys = base_arena_array(arena, const char *, n + 1);
    base_buf key = {0};
    for (uint32_t i = 0; i < n; i++) {
        base_buf_clear(&key);
        http_json_text(&key, base_str_of(names[i]));
        base_buf_add_byte(&key, ':');
        keys[i] = base_arena_memdup(arena, key.p, key.n);
    }
    base_buf_deinit(&key);
    return keys;
}

static void add_cell(base_buf *buf, const col_vec *vec, uint32_t row) {
    if (col_is_null(vec, row))
        base_buf_add_cstr(buf, "null");
    else
        col_json_format(vec, row, buf);
}

void http_row_object(base_buf *buf, const col_batch *batch, uint32_t row, uint32_t ncols,
                     const char *const *keys) {
    base_buf_add_byte(buf, '{');
    for (uint32_t i = 0; i < ncols; i++) {
        if (i > 0) base_buf_add_byte(buf, ',');
        base_buf_add_cstr(buf, keys[i]);
        add_cell(buf, &batch->cols[i], row);
    }
    base_buf_add_byte(buf, '}');
}

static void row_array(base_buf *buf, const col_batch *batch, uint32_t row, uint32_t ncols) {
    base_buf_add_byte(buf, '[');
    for (uint32_t i = 0; i < ncols; i++) {
        if (i > 0) base_buf_add_byte(buf, ',');
        add_cell(buf, &batch->cols[i], row);
    }
    base_buf_add_byte(buf, ']');
}

static void row_csv(base_buf *buf, const col_batch *batch, uint32_t row, uint32_t ncols) {
    base_buf cell = {0};
    for (uint32_t i = 0; i < ncols; i++) {
        if (i > 0) base_buf_add_byte(buf, ',');
        const col_vec *vec = &batch->cols[i];
        base_buf_clear(&cell);
        bool is_null = col_is_null(vec, row);
        if (!is_null) col_text_format(vec, row, 0, &cell);
        wire_csv_write_field(buf, base_buf_str(&cell), is_null, ',');
    }
    base_buf_add_cstr(buf, "\r\n");
    base_buf_deinit(&cell);
}

static void csv_head(http_request *request) {
    for (uint32_t i = 0; i < request->result.ncolumns; i++) {
        if (i > 0) base_buf_add_byte(&request->out, ',');
        wire_csv_write_field(&request->out, base_str_of(request->result.names[i]), false, ',');
    }
    base_buf_add_cstr(&request->out, "\r\n");
}

void http_rows_begin(http_request *request, http_rows_form form) {
    request->rows_form = form;
    request->row = 0;
    request->nrows = request->result.rows == NULL ? 0 : request->result.rows->nrows;
    if (form == HTTP_ROWS_OBJECTS)
        request->keys = http_keys(&request->arena, request->result.ncolumns, request->result.names);
    if (form == HTTP_ROWS_CSV) csv_head(request);
}

// Makes the next part of the answer in out, which has been sent.
static void make_more(http_request *request) {
    base_buf *out = &request->out;
    base_buf_clear(out);
    request->out_at = 0;
    uint32_t ncols = request->result.ncolumns;
    while (request->row < request->nrows && out->n < SERVER_HTTP_CHUNK_BYTES) {
        const col_batch *rows = request->result.rows;
        uint32_t row = request->row++;
        if (request->rows_form == HTTP_ROWS_CSV) {
            row_csv(out, rows, row, ncols);
            continue;
        }
        base_buf_add_cstr(out, row > 0 ? ",\n" : "\n");
        if (request->rows_form == HTTP_ROWS_OBJECTS)
            http_row_object(out, rows, row, ncols, request->keys);
        else
            row_array(out, rows, row, ncols);
    }
    if (request->row == request->nrows && !request->tail_done) {
        base_buf_add_str(out, request->tail);
        request->tail_done = true;
    }
}

static ssize_t read_rows(void *arg, uint64_t position, char *to, size_t max) {
    (void)position;
    http_request *request = arg;
    if (request->out_at == request->out.n) make_more(request);
    size_t n = request->out.n - request->out_at;
    if (n == 0) return MHD_CONTENT_READER_END_OF_STREAM;
    if (n > max) n = max;
    memcpy(to, request->out.p + request->out_at, n);
    request->out_at += n;
    return (ssize_t)n;
}

// ---- sending ----

static struct MHD_Response *make_response(http_request *request) {
    if (request->subscriber != NULL)
        return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, SERVER_HTTP_CHUNK_BYTES,
                                                 http_subscriber_read, request->subscriber, NULL);
    if (request->rows_form != HTTP_ROWS_NONE)
        return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, SERVER_HTTP_CHUNK_BYTES,
                                                 read_rows, request, NULL);
    // The request outlives its response.
    return MHD_create_response_from_buffer(
        request->out.n, request->out.n == 0 ? "" : request->out.p, MHD_RESPMEM_PERSISTENT);
}

enum MHD_Result http_answer_send(http_request *request) {
    server_counters *counters = &request->http->server->counters;
    struct MHD_Response *response = make_response(request);
    if (response == NULL) return MHD_NO;
    if (request->answer_type != NULL)
        MHD_add_response_header(response, "Content-Type", request->answer_type);
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    for (size_t i = 0; i < request->nheaders; i++)
        MHD_add_response_header(response, request->header_names[i], request->header_values[i]);
    if (request->status >= 500)
        atomic_fetch_add(&counters->http_errors_server, 1);
    else if (request->status >= 400)
        atomic_fetch_add(&counters->http_errors_client, 1);
    if (request->status == MHD_HTTP_TOO_MANY_REQUESTS) atomic_fetch_add(&counters->http_refused, 1);
    enum MHD_Result result = MHD_queue_response(request->connection, request->status, response);
    MHD_destroy_response(response);
    return result;
}
