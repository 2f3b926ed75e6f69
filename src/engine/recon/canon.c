// canon.c - see canon.h.

#include "engine/recon/canon.h"

#include <inttypes.h>
#include <string.h>

#include "base/be.h"
#include "base/must.h"
#include "col/codec.h"
#include "col/kernel.h"

bool engine_canon_has(col_kind kind) {
    switch (kind) {
    case COL_BOOL:
    case COL_INT2:
    case COL_INT4:
    case COL_INT8:
    case COL_NUMERIC:
    case COL_TEXT:
    case COL_VARCHAR:
    case COL_DATE:
    case COL_TIME:
    case COL_TIMESTAMP:
    case COL_TIMESTAMPTZ:
    case COL_UUID:
        return true;
    default:
        return false;
    }
}

static void add_i64(base_buf *buf, int64_t v) {
    char text[24];
    size_t at = sizeof text;
    uint64_t u = v < 0 ? -(uint64_t)v : (uint64_t)v;
    do {
        text[--at] = (char)('0' + u % 10);
        u /= 10;
    } while (u != 0);
    if (v < 0) text[--at] = '-';
    base_buf_add(buf, text + at, sizeof text - at);
}

static void add_decimal(base_buf *buf, base_decimal v) {
    char text[BASE_DECIMAL_TEXT_MAX];
    int n = base_decimal_format(base_decimal_normalize(v), text);
    base_buf_add(buf, text, (size_t)n);
}

static void add_text(base_buf *buf, base_str text) {
    int64_t characters = 0;
    for (size_t i = 0; i < text.n; i++) characters += ((uint8_t)text.p[i] & 0xc0) != 0x80;
    add_i64(buf, characters);
    base_buf_add_byte(buf, ':');
    base_buf_add_str(buf, text);
}

static void add_time(base_buf *buf, int64_t us) {
    if (us == INT64_MAX || us == INT64_MIN)
        base_buf_add_cstr(buf, us > 0 ? "infinity" : "-infinity");
    else
        add_i64(buf, us);
}

static void add_date(base_buf *buf, int32_t days) {
    if (days == INT32_MAX || days == INT32_MIN)
        base_buf_add_cstr(buf, days > 0 ? "infinity" : "-infinity");
    else
        add_i64(buf, days);
}

static void add_cell(base_buf *buf, const col_vec *vec, uint32_t row) {
    switch (vec->type.kind) {
    case COL_BOOL:
        base_buf_add_byte(buf, col_u8(vec)[row] ? 't' : 'f');
        return;
    case COL_INT2:
        add_i64(buf, col_i16(vec)[row]);
        return;
    case COL_INT4:
        add_i64(buf, col_i32(vec)[row]);
        return;
    case COL_DATE:
        add_date(buf, col_i32(vec)[row]);
        return;
    case COL_INT8:
    case COL_TIME:
        add_i64(buf, col_i64(vec)[row]);
        return;
    case COL_TIMESTAMP:
    case COL_TIMESTAMPTZ:
        add_time(buf, col_i64(vec)[row]);
        return;
    case COL_NUMERIC:
        add_decimal(buf, col_dec(vec)[row]);
        return;
    case COL_UUID:
        col_text_format(vec, row, NULL, buf);
        return;
    default:
        must(vec->type.kind == COL_TEXT || vec->type.kind == COL_VARCHAR);
        add_text(buf, col_str(vec)[row]);
    }
}

void engine_canon_add(base_buf *buf, const col_batch *batch, uint32_t row, uint32_t n,
                      const uint32_t *columns) {
    for (uint32_t i = 0; i < n; i++) {
        const col_vec *vec = &batch->cols[columns[i]];
        if (i > 0) base_buf_add_byte(buf, ',');
        if (col_is_null(vec, row))
            base_buf_add_byte(buf, '~');
        else
            add_cell(buf, vec, row);
    }
}

uint64_t engine_canon_digest(base_str text, uint64_t *rest) {
    uint8_t md5[16];
    col_md5(text, md5);
    if (rest != NULL) *rest = base_be_get((const char *)md5 + 8, 8);
    return base_be_get((const char *)md5, 8) >> 4;
}
