// json_out.c - values as JSON (RFC 8259), for HTTP, sinks and the text of structs. Rules in
// codec.h.
#include <math.h>

#include "base/must.h"
#include "col/array.h"
#include "col/codec.h"
#include "col/col_int.h"
#include "col/json_tree.h"

static void quote_ascii(base_buf *buf, const char *text, int n) {
    base_buf_add_byte(buf, '"');
    base_buf_add(buf, text, (size_t)n);
    base_buf_add_byte(buf, '"');
}

static void format_float(base_buf *buf, const col_vec *vec, uint32_t row) {
    char text[COL_FLOAT_TEXT_MAX];
    bool single = vec->type.kind == COL_FLOAT4;
    double v = single ? col_f32(vec)[row] : col_f64(vec)[row];
    int n = single ? col_f32_format(col_f32(vec)[row], text) : col_f64_format(v, text);
    if (isfinite(v)) {
        base_buf_add(buf, text, (size_t)n);
    } else {
        quote_ascii(buf, text, n);
    }
}

// ISO 8601: PostgreSQL's text with a T between date and time ("infinity" and BC stay as they are).
static void format_timestamp(base_buf *buf, int64_t us) {
    char text[BASE_TIME_TEXT_MAX];
    int n = base_timestamp_format(us, text);
    char *space = memchr(text, ' ', (size_t)n);
    if (space != NULL) *space = 'T';
    quote_ascii(buf, text, n);
}

static void format_timestamptz(base_buf *buf, int64_t us) {
    char text[BASE_TIME_TEXT_MAX];
    bool finite = us != INT64_MIN && us != INT64_MAX;
    int n = finite ? base_rfc3339_format(us, text) : base_timestamp_format(us, text);
    quote_ascii(buf, text, n);
}

static void format_struct(base_buf *buf, const col_vec *vec, uint32_t row) {
    base_buf_add_byte(buf, '{');
    for (uint16_t i = 0; i < vec->type.nfields; i++) {
        if (i != 0) base_buf_add_byte(buf, ',');
        col_json_quote(buf, base_str_of(vec->type.fields[i].name));
        base_buf_add_byte(buf, ':');
        col_json_format(&vec->children[i], row, buf);
    }
    base_buf_add_byte(buf, '}');
}

static void format_array(base_buf *buf, const col_vec *vec, uint32_t row) {
    base_arena scratch;
    base_arena_init(&scratch, 1024);
    col_array_reader reader;
    col_array_reader_init(&reader, vec, row, &scratch);
    base_buf_add_byte(buf, '[');
    for (bool first = true; col_array_reader_next(&reader); first = false) {
        if (!first) base_buf_add_byte(buf, ',');
        col_json_format(&reader.cell, 0, buf);
    }
    base_buf_add_byte(buf, ']');
    base_arena_deinit(&scratch);
}

// What is a string in JSON and needs no escapes.
static void format_plain(base_buf *buf, const col_vec *vec, uint32_t row) {
    base_buf_add_byte(buf, '"');
    col_text_format(vec, row, 0, buf);
    base_buf_add_byte(buf, '"');
}

void col_json_format(const col_vec *vec, uint32_t row, base_buf *buf) {
    must(row < vec->n);
    if (col_is_null(vec, row)) {
        base_buf_add(buf, "null", 4);
        return;
    }
    if (col_kind_is_array(vec->type.kind)) {
        format_array(buf, vec, row);
        return;
    }
    switch (vec->type.kind) {
    case COL_BOOL:
        base_buf_add_cstr(buf, col_u8(vec)[row] != 0 ? "true" : "false");
        return;
    case COL_INT2:
    case COL_INT4:
    case COL_INT8:
    case COL_NUMERIC:
    case COL_OID:
        col_text_format(vec, row, 0, buf);
        return;
    case COL_FLOAT4:
    case COL_FLOAT8:
        format_float(buf, vec, row);
        return;
    case COL_DATE:
    case COL_TIME:
    case COL_INTERVAL:
    case COL_UUID:
    case COL_REGCLASS:
        format_plain(buf, vec, row);
        return;
    case COL_TIMESTAMP:
        format_timestamp(buf, col_i64(vec)[row]);
        return;
    case COL_TIMESTAMPTZ:
        format_timestamptz(buf, col_i64(vec)[row]);
        return;
    case COL_BYTEA: {
        // The backslash of \x is the one character to escape.
        base_buf_add(buf, "\"\\", 2);
        col_text_format(vec, row, 0, buf);
        base_buf_add_byte(buf, '"');
        return;
    }
    case COL_CHAR: {
        char c = (char)col_u8(vec)[row];
        bool ascii = c > 0;
        col_json_quote(buf, (base_str){&c, ascii ? 1 : 0});
        return;
    }
    case COL_JSONB:
        base_buf_add_str(buf, col_str(vec)[row]);
        return;
    case COL_STRUCT:
        format_struct(buf, vec, row);
        return;
    default:
        col_json_quote(buf, col_str(vec)[row]);
        return;
    }
}
