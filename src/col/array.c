// array.c - the bytes of arrays. Of kinds whose ordered keys (key_codec.c) give back the very
// value, an array is the ordered keys of its elements one after the other: since a key is never the
// beginning of another, memcmp orders arrays element by element, a shorter one before its
// continuations. NUMERIC, floats, INTERVAL and JSONB have values that are equal and yet differ (1.0
// and 1.00); an array of these is
//   n u32 little-endian, n bytes of ordered keys, then the exact elements (row_codec.c)
// and only the keys are compared (col_array_key). The empty array is the empty string. A disk
// format (docs/formats.md). Entry points: col_array_pack(), col_array_flatten().
#include "col/array.h"

#include "base/must.h"
#include "col/codec.h"
#include "col/col_int.h"

static bool is_exact(col_kind array) {
    return col_kind_storage[array] == COL_ST_STR;
}

// ---- reading

// Where the cells to be read begin: of inexact kinds behind the keys.
static base_str cells_of(col_kind kind, base_str array) {
    if (array.n == 0 || is_exact(kind)) return array;
    base_str key = col_array_key(array);
    const char *begin = key.p + key.n;
    return (base_str){begin, (size_t)(array.p + array.n - begin)};
}

void col_array_reader_init(col_array_reader *reader, const col_vec *arrays, uint32_t row,
                           base_arena *arena) {
    must(col_kind_is_array(arrays->type.kind) && row < arrays->n);
    _Static_assert(sizeof(base_decimal) <= sizeof reader->data, "a cell of any kind");
    reader->bytes = cells_of(arrays->type.kind, col_str(arrays)[row]);
    reader->at = 0;
    reader->arena = arena;
    reader->exact = is_exact(arrays->type.kind);
    reader->cell = (col_vec){.type = col_type_element(&arrays->type),
                             .n = 1,
                             .data = reader->data,
                             .nulls = &reader->null};
}

bool col_array_reader_next(col_array_reader *reader) {
    if (reader->at == reader->bytes.n) return false;
    base_error err;
    base_rc rc =
        reader->exact
            ? col_key_decode(reader->bytes, &reader->at, &reader->cell, 0, reader->arena, &err)
            : col_cell_decode(reader->bytes, &reader->at, &reader->cell, 0, reader->arena, &err);
    must(rc == BASE_OK); // what comes from outside has been found valid
    return true;
}

// The end of the ordered key that begins at p, which is well-formed.
static const char *skip_key(col_storage storage, size_t width, const char *p) {
    if (*p++ != COL_KEY_VALUE) return p;
    if (storage == COL_ST_STR || storage == COL_ST_JSON) {
        for (; p[0] != 0 || p[1] != 0; p += p[0] == 0 ? 2 : 1) {
        }
        return p + 2;
    }
    if (storage == COL_ST_DEC) {
        uint8_t first = (uint8_t)*p;
        if (first == COL_KEY_DEC_ZERO) return p + 1;
        char end = first < COL_KEY_DEC_ZERO ? (char)0xff : 0;
        for (p++; *p != end; p++) {
        }
        return p + 1;
    }
    return p + width;
}

uint32_t col_array_length(const col_vec *arrays, uint32_t row) {
    col_kind kind = arrays->type.kind, element = col_kind_element(kind);
    col_storage storage = (col_storage)col_kind_storage[element];
    size_t width = storage == COL_ST_INTERVAL ? COL_KEY_INTERVAL_BYTES : col_kind_width(element);
    base_str array = col_str(arrays)[row], key = is_exact(kind) ? array : col_array_key(array);
    uint32_t n = 0;
    for (const char *p = key.p, *end = p + key.n; p < end; p = skip_key(storage, width, p)) n++;
    return n;
}

void col_array_flatten(base_arena *arena, const col_vec *arrays, col_lists *out) {
    out->offsets = base_arena_alloc(arena, sizeof *out->offsets * ((size_t)arrays->n + 1));
    uint64_t total = 0;
    for (uint32_t i = 0; i < arrays->n; i++) {
        out->offsets[i] = (uint32_t)total;
        if (!col_is_null(arrays, i)) total += col_array_length(arrays, i);
        must(total < UINT32_MAX);
    }
    out->offsets[arrays->n] = (uint32_t)total;
    col_vec *elements = &out->elements;
    col_vec_init(elements, arena, col_type_element(&arrays->type), (uint32_t)total);
    bool exact = is_exact(arrays->type.kind);
    for (uint32_t i = 0; i < arrays->n; i++) {
        if (out->offsets[i] == out->offsets[i + 1]) continue;
        base_str bytes = cells_of(arrays->type.kind, col_str(arrays)[i]);
        size_t at = 0;
        for (uint32_t k = out->offsets[i]; k < out->offsets[i + 1]; k++) {
            base_error err;
            base_rc rc = exact ? col_key_decode(bytes, &at, elements, k, arena, &err)
                               : col_cell_decode(bytes, &at, elements, k, arena, &err);
            must(rc == BASE_OK);
        }
        must(at == bytes.n);
    }
}

// ---- making

static void put_array(base_buf *buf, const col_vec *elements, uint32_t begin, uint32_t end) {
    if (begin == end) return;
    bool exact = is_exact(col_kind_array_of(elements->type.kind));
    size_t place = buf->n;
    if (!exact) base_buf_add_u32le(buf, 0);
    for (uint32_t i = begin; i < end; i++) col_key_encode(buf, elements, i);
    if (exact) return;
    size_t n = buf->n - place - sizeof(uint32_t);
    must(n <= UINT32_MAX);
    uint32_t key_n = (uint32_t)n;
    memcpy(buf->p + place, &key_n, sizeof key_n);
    for (uint32_t i = begin; i < end; i++) col_cell_encode(buf, elements, i);
}

base_str col_array_make(base_arena *arena, const col_vec *elements, uint32_t begin, uint32_t end) {
    base_buf buf = {0};
    put_array(&buf, elements, begin, end);
    base_str array = {base_arena_memdup(arena, buf.n == 0 ? "" : buf.p, buf.n), buf.n};
    base_buf_deinit(&buf);
    return array;
}

void col_array_pack(base_arena *arena, const col_vec *elements, const uint32_t *offsets,
                    col_vec *out) {
    base_buf buf = {0};
    base_str *arrays = col_str(out);
    for (uint32_t i = 0; i < out->n; i++) {
        arrays[i] = (base_str){NULL, 0};
        if (col_is_null(out, i)) continue;
        size_t place = buf.n;
        put_array(&buf, elements, offsets[i], offsets[i + 1]);
        arrays[i].n = buf.n - place;
    }
    const char *at = base_arena_memdup(arena, buf.n == 0 ? "" : buf.p, buf.n);
    for (uint32_t i = 0; i < out->n; i++) {
        arrays[i].p = at;
        at += arrays[i].n;
    }
    base_buf_deinit(&buf);
}

void col_array_writer_begin(col_array_writer *writer, col_kind element) {
    must(col_kind_has_array(element));
    base_buf_clear(&writer->keys);
    base_buf_clear(&writer->cells);
    writer->element = element;
    writer->n = 0;
}

void col_array_writer_add(col_array_writer *writer, const col_vec *vec, uint32_t row) {
    must(vec->type.kind == writer->element);
    col_key_encode(&writer->keys, vec, row);
    if (!is_exact(col_kind_array_of(writer->element))) col_cell_encode(&writer->cells, vec, row);
    writer->n++;
}

void col_array_writer_rest(col_array_writer *writer, col_array_reader *reader) {
    while (col_array_reader_next(reader)) col_array_writer_add(writer, &reader->cell, 0);
}

size_t col_array_writer_bytes(const col_array_writer *writer) {
    if (writer->n == 0) return 0;
    return writer->keys.n + writer->cells.n +
           (is_exact(col_kind_array_of(writer->element)) ? 0 : sizeof(uint32_t));
}

base_str col_array_writer_end(col_array_writer *writer, base_arena *arena) {
    size_t bytes = col_array_writer_bytes(writer);
    char *p = base_arena_alloc_aligned(arena, bytes, 1);
    base_str array = {p, bytes};
    if (writer->n == 0) return array;
    if (!is_exact(col_kind_array_of(writer->element))) {
        must(writer->keys.n <= UINT32_MAX);
        uint32_t key_n = (uint32_t)writer->keys.n;
        memcpy(p, &key_n, sizeof key_n);
        p += sizeof key_n;
    }
    memcpy(p, writer->keys.p, writer->keys.n);
    if (writer->cells.n > 0) memcpy(p + writer->keys.n, writer->cells.p, writer->cells.n);
    return array;
}

void col_array_writer_deinit(col_array_writer *writer) {
    base_buf_deinit(&writer->keys);
    base_buf_deinit(&writer->cells);
}

// ---- bytes from outside

// Counts cells; false if they are not well-formed to the end.
static bool count_cells(base_str bytes, const col_type *element, bool keys, base_arena *arena,
                        uint32_t *n) {
    col_vec one;
    base_error err;
    col_vec_init(&one, arena, *element, 1);
    *n = 0;
    for (size_t at = 0; at < bytes.n; ++*n) {
        base_rc rc = keys ? col_key_decode(bytes, &at, &one, 0, arena, &err)
                          : col_cell_decode(bytes, &at, &one, 0, arena, &err);
        if (rc != BASE_OK) return false;
    }
    return true;
}

bool col_array_valid(const col_vec *arrays, uint32_t row, base_arena *arena) {
    base_str array = col_str(arrays)[row];
    col_type element = col_type_element(&arrays->type);
    uint32_t n, key_n;
    if (array.n == 0) return true;
    // One encoding a value is what the decoder of keys accepts.
    if (is_exact(arrays->type.kind)) return count_cells(array, &element, true, arena, &n);
    if (array.n < sizeof key_n) return false;
    memcpy(&key_n, array.p, sizeof key_n);
    if (key_n > array.n - sizeof key_n) return false;
    base_str cells = cells_of(arrays->type.kind, array);
    if (!count_cells(cells, &element, false, arena, &n)) return false;
    col_vec elements;
    base_error err;
    col_vec_init(&elements, arena, element, n);
    size_t at = 0;
    for (uint32_t i = 0; i < n; i++) {
        base_rc rc = col_cell_decode(cells, &at, &elements, i, arena, &err);
        must(rc == BASE_OK);
    }
    return base_str_eq(col_array_make(arena, &elements, 0, n), array);
}

bool col_array_from_key(base_str key, col_vec *out, uint32_t row, base_arena *arena) {
    col_type element = col_type_element(&out->type);
    uint32_t n;
    if (!count_cells(key, &element, true, arena, &n)) return false;
    if (is_exact(out->type.kind)) {
        col_str(out)[row] = key;
        return true;
    }
    col_vec elements;
    base_error err;
    col_vec_init(&elements, arena, element, n);
    size_t at = 0;
    for (uint32_t i = 0; i < n; i++) {
        base_rc rc = col_key_decode(key, &at, &elements, i, arena, &err);
        must(rc == BASE_OK);
    }
    col_str(out)[row] = col_array_make(arena, &elements, 0, n);
    return true;
}
