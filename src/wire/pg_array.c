// pg_array.c - PostgreSQL's binary format of arrays, both ways:
//   dimensions i32 (0: empty), has nulls i32, element type's oid u32; a dimension: length i32,
//   lower bound i32; then each element's length i32 (-1: null) and bytes.
// Entry points: pg_send_array, pg_receive_array.
#include "base/must.h"
#include "col/array.h"
#include "wire/pg_int.h"

#define NULL_ELEMENT UINT32_MAX

static void put_u32_at(base_buf *buf, size_t at, uint32_t v) {
    for (int i = 0; i < 4; i++) buf->p[at + (size_t)i] = (char)(v >> (24 - 8 * i));
}

void pg_send_array(base_buf *buf, const col_vec *vec, uint32_t row) {
    col_type element = col_type_element(&vec->type);
    size_t begin = buf->n;
    uint32_t n = 0;
    bool nulls = false;
    bool empty = col_str(vec)[row].n == 0;
    base_buf_add_u32be(buf, empty ? 0 : 1);
    base_buf_add_u32be(buf, 0); // has nulls
    base_buf_add_u32be(buf, col_type_oid(&element));
    if (empty) return;
    base_buf_add_u32be(buf, 0); // length
    base_buf_add_u32be(buf, 1); // lower bound
    base_arena scratch;
    base_arena_init(&scratch, 1024);
    col_array_reader reader;
    col_array_reader_init(&reader, vec, row, &scratch);
    for (; col_array_reader_next(&reader); n++) {
        size_t length_at = buf->n;
        base_buf_add_u32be(buf, NULL_ELEMENT);
        if (reader.null != 0) {
            nulls = true;
            continue;
        }
        wire_pg_send_binary(buf, &reader.cell, 0);
        put_u32_at(buf, length_at, (uint32_t)(buf->n - length_at - 4));
    }
    base_arena_deinit(&scratch);
    put_u32_at(buf, begin + 4, nulls);
    put_u32_at(buf, begin + 12, n);
}

// Whether elements sent as `sent` may be taken as elements of `kind`: strings are alike.
static bool element_fits(uint32_t sent, col_kind kind) {
    col_type type = col_type_of(kind);
    if (sent == col_type_oid(&type)) return true;
    bool text = kind == COL_TEXT || kind == COL_VARCHAR || kind == COL_NAME;
    bool sent_text = sent == 25 || sent == 1043 || sent == 1042 || sent == 19 || sent == 705;
    return (text && sent_text) || (kind == COL_JSONB && sent == 114);
}

base_rc pg_receive_array(pg_reader *reader, col_vec *vec, uint32_t row, base_arena *arena,
                         base_error *err) {
    uint32_t dimensions = pg_get_u32(reader);
    pg_get_u32(reader); // has nulls
    uint32_t oid = pg_get_u32(reader), n = 0, lower_bound = 1;
    if (dimensions > 1 && !reader->failed) {
        return base_fail(err, BASE_E_UNSUPPORTED, NULL,
                         "arrays of more than one dimension are not supported");
    }
    if (dimensions == 1) {
        n = pg_get_u32(reader);
        lower_bound = pg_get_u32(reader);
    }
    // An element has four bytes at least, which bounds what is allocated for them.
    if (reader->failed || n > (size_t)(reader->end - reader->p) / 4) {
        return pg_fail_binary(vec, err);
    }
    col_type element = col_type_element(&vec->type);
    if (!element_fits(oid, element.kind)) {
        return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_DATATYPE_MISMATCH,
                         "binary data has array element type %u instead of expected %u", oid,
                         col_type_oid(&element));
    }
    if (lower_bound != 1 && n > 0) {
        return base_fail(err, BASE_E_UNSUPPORTED, NULL,
                         "arrays with a lower bound other than 1 are not supported");
    }
    col_vec elements;
    col_vec_init(&elements, arena, element, n);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t length = pg_get_u32(reader);
        if (length == NULL_ELEMENT && !reader->failed) {
            col_vec_set_null(&elements, arena, i);
            continue;
        }
        base_str bytes = pg_get_bytes(reader, length);
        if (reader->failed) return pg_fail_binary(vec, err);
        base_rc rc = wire_pg_param(bytes, 1, 0, &elements, i, arena, err);
        if (rc != BASE_OK) return rc;
    }
    if (reader->p != reader->end) return pg_fail_binary(vec, err);
    col_str(vec)[row] = col_array_make(arena, &elements, 0, n);
    return BASE_OK;
}
