// pg_write.c - the backend's messages, appended to the connection's buffer. A message's length is
// put in when it is complete. Entry points: wire_pg_row_description, wire_pg_data_row, ...
#include "base/must.h"
#include "wire/pg_int.h"

static size_t begin(base_buf *buf, char type) {
    base_buf_add_byte(buf, (uint8_t)type);
    base_buf_add_u32be(buf, 0);
    return buf->n - 4;
}

static void put_u32_at(base_buf *buf, size_t at, uint32_t v) {
    for (int i = 0; i < 4; i++) buf->p[at + (size_t)i] = (char)(v >> (24 - 8 * i));
}

static void finish(base_buf *buf, size_t at) {
    must(buf->n - at <= INT32_MAX);
    put_u32_at(buf, at, (uint32_t)(buf->n - at));
}

static void add_cstr(base_buf *buf, const char *text) {
    base_buf_add(buf, text, strlen(text) + 1);
}

static void add_empty(base_buf *buf, char type) {
    finish(buf, begin(buf, type));
}

void wire_pg_auth_ok(base_buf *buf) {
    size_t at = begin(buf, 'R');
    base_buf_add_u32be(buf, 0);
    finish(buf, at);
}

void wire_pg_parameter_status(base_buf *buf, const char *name, const char *value) {
    size_t at = begin(buf, 'S');
    add_cstr(buf, name);
    add_cstr(buf, value);
    finish(buf, at);
}

void wire_pg_backend_key(base_buf *buf, uint32_t pid, uint32_t key) {
    size_t at = begin(buf, 'K');
    base_buf_add_u32be(buf, pid);
    base_buf_add_u32be(buf, key);
    finish(buf, at);
}

void wire_pg_ready(base_buf *buf, char state) {
    must(state == 'I' || state == 'T' || state == 'E');
    size_t at = begin(buf, 'Z');
    base_buf_add_byte(buf, (uint8_t)state);
    finish(buf, at);
}

void wire_pg_row_description(base_buf *buf, uint32_t n, const char *const *names,
                             const col_type *types, const int16_t *formats) {
    must(n <= INT16_MAX);
    size_t at = begin(buf, 'T');
    base_buf_add_u16be(buf, (uint16_t)n);
    for (uint32_t i = 0; i < n; i++) {
        add_cstr(buf, names[i]);
        base_buf_add_u32be(buf, 0); // table
        base_buf_add_u16be(buf, 0); // its column
        base_buf_add_u32be(buf, col_type_oid(&types[i]));
        base_buf_add_u16be(buf, (uint16_t)col_type_pg_size(&types[i]));
        base_buf_add_u32be(buf, (uint32_t)col_type_pg_typmod(&types[i]));
        base_buf_add_u16be(buf, formats == NULL ? 0 : (uint16_t)formats[i]);
    }
    finish(buf, at);
}

void wire_pg_data_row(base_buf *buf, const col_batch *batch, uint32_t row, uint32_t ncols,
                      const int16_t *formats, const base_zone *zone) {
    must(ncols <= batch->ncols && ncols <= INT16_MAX && row < batch->nrows);
    size_t at = begin(buf, 'D');
    base_buf_add_u16be(buf, (uint16_t)ncols);
    for (uint32_t i = 0; i < ncols; i++) {
        const col_vec *vec = &batch->cols[i];
        size_t length_at = buf->n;
        if (col_is_null(vec, row)) {
            base_buf_add_u32be(buf, UINT32_MAX);
            continue;
        }
        base_buf_add_u32be(buf, 0);
        if (formats != NULL && formats[i] == 1)
            wire_pg_send_binary(buf, vec, row);
        else
            col_text_format(vec, row, zone, buf);
        put_u32_at(buf, length_at, (uint32_t)(buf->n - length_at - 4));
    }
    finish(buf, at);
}

void wire_pg_command_complete(base_buf *buf, const char *tag) {
    size_t at = begin(buf, 'C');
    add_cstr(buf, tag);
    finish(buf, at);
}

static void add_field(base_buf *buf, char code, const char *text) {
    base_buf_add_byte(buf, (uint8_t)code);
    add_cstr(buf, text);
}

void wire_pg_error(base_buf *buf, const base_error *err, bool fatal) {
    const char *severity = fatal ? "FATAL" : "ERROR";
    size_t at = begin(buf, 'E');
    add_field(buf, 'S', severity);
    add_field(buf, 'V', severity);
    add_field(buf, 'C', err->sqlstate[0] == 0 ? base_default_sqlstate(err->code) : err->sqlstate);
    add_field(buf, 'M', err->message[0] == 0 ? base_rc_name(err->code) : err->message);
    if (err->detail[0] != 0) add_field(buf, 'D', err->detail);
    if (err->hint[0] != 0) add_field(buf, 'H', err->hint);
    if (err->position > 0) {
        base_buf_add_byte(buf, 'P');
        base_buf_printf(buf, "%d", err->position);
        base_buf_add_byte(buf, 0);
    }
    base_buf_add_byte(buf, 0);
    finish(buf, at);
}

void wire_pg_notice(base_buf *buf, const char *severity, const char *sqlstate,
                    const char *message) {
    size_t at = begin(buf, 'N');
    add_field(buf, 'S', severity);
    add_field(buf, 'V', severity);
    add_field(buf, 'C', sqlstate);
    add_field(buf, 'M', message);
    base_buf_add_byte(buf, 0);
    finish(buf, at);
}

void wire_pg_empty_query(base_buf *buf) {
    add_empty(buf, 'I');
}

void wire_pg_parse_complete(base_buf *buf) {
    add_empty(buf, '1');
}

void wire_pg_bind_complete(base_buf *buf) {
    add_empty(buf, '2');
}

void wire_pg_close_complete(base_buf *buf) {
    add_empty(buf, '3');
}

void wire_pg_no_data(base_buf *buf) {
    add_empty(buf, 'n');
}

void wire_pg_portal_suspended(base_buf *buf) {
    add_empty(buf, 's');
}

void wire_pg_parameter_description(base_buf *buf, uint16_t n, const uint32_t *oids) {
    size_t at = begin(buf, 't');
    base_buf_add_u16be(buf, n);
    for (uint16_t i = 0; i < n; i++) base_buf_add_u32be(buf, oids[i]);
    finish(buf, at);
}

void wire_pg_copy_out_response(base_buf *buf, uint16_t ncols, bool binary) {
    size_t at = begin(buf, 'H');
    base_buf_add_byte(buf, binary);
    base_buf_add_u16be(buf, ncols);
    for (uint16_t i = 0; i < ncols; i++) base_buf_add_u16be(buf, binary);
    finish(buf, at);
}

void wire_pg_copy_data(base_buf *buf, base_str bytes) {
    size_t at = begin(buf, 'd');
    base_buf_add_str(buf, bytes);
    finish(buf, at);
}

void wire_pg_copy_done(base_buf *buf) {
    add_empty(buf, 'c');
}

// What COPY's text format must escape, and by which letter; the delimiter comes on top.
static char copy_escape(char c) {
    switch (c) {
    case '\b':
        return 'b';
    case '\f':
        return 'f';
    case '\n':
        return 'n';
    case '\r':
        return 'r';
    case '\t':
        return 't';
    case '\v':
        return 'v';
    case '\\':
        return '\\';
    default:
        return 0;
    }
}

// Escapes what stands in buf from `from` on.
static void copy_escape_tail(base_buf *buf, size_t from, char delimiter) {
    size_t extra = 0;
    for (size_t i = from; i < buf->n; i++) {
        extra += copy_escape(buf->p[i]) != 0 || buf->p[i] == delimiter;
    }
    if (extra == 0) return;
    base_buf_reserve(buf, extra);
    size_t to = buf->n + extra;
    for (size_t i = buf->n; i > from; i--) { // from the end, so that it fits in place
        char c = buf->p[i - 1], letter = copy_escape(c);
        buf->p[--to] = letter != 0 ? letter : c;
        if (letter != 0 || c == delimiter) buf->p[--to] = '\\';
    }
    must(to == from);
    buf->n += extra;
}

void wire_pg_copy_text_row(base_buf *buf, const col_batch *batch, uint32_t row, uint32_t ncols,
                           char delimiter, const char *null_text, const base_zone *zone) {
    must(ncols <= batch->ncols && row < batch->nrows);
    for (uint32_t i = 0; i < ncols; i++) {
        if (i > 0) base_buf_add_byte(buf, (uint8_t)delimiter);
        const col_vec *vec = &batch->cols[i];
        if (col_is_null(vec, row)) {
            base_buf_add_cstr(buf, null_text);
            continue;
        }
        size_t from = buf->n;
        col_text_format(vec, row, zone, buf);
        copy_escape_tail(buf, from, delimiter);
    }
    base_buf_add_byte(buf, '\n');
}
