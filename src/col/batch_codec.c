// batch_codec.c - a whole batch as bytes, column by column. A disk format (docs/formats.md), all
// little-endian:
//   header   "WBT1", CRC-32C of all that follows it, rows u32, columns u16, flags u16 (1: weights)
//   weights  rows x i64, if flagged
//   column   kind u8, flags u8 (1: nulls), fields u16; a bit a row for null (1), if flagged;
//            then strings and arrays: rows x length u32, then their bytes; struct: its columns;
//            other kinds: rows x the cell as it lies in memory
// Decoding trusts nothing, not even behind the checksum. Entry points: put_vec(), get_vec().
#include "base/hash.h"
#include "base/must.h"
#include "col/array.h"
#include "col/codec.h"
#include "col/col_int.h"

typedef struct batch_header {
    char magic[4];
    uint32_t crc;
    uint32_t nrows;
    uint16_t ncols;
    uint16_t flags;
} batch_header;
_Static_assert(sizeof(batch_header) == 16, "batch_header is a disk format");

typedef struct column_header {
    uint8_t kind;
    uint8_t flags;
    uint16_t nfields;
} column_header;
_Static_assert(sizeof(column_header) == 4, "column_header is a disk format");

#define BATCH_WEIGHTS 1
#define COLUMN_NULLS  1
#define CRC_FROM      8

static void put_nulls(base_buf *buf, const uint8_t *nulls, uint32_t n) {
    size_t bytes = (n + 7u) / 8;
    base_buf_reserve(buf, bytes);
    uint8_t *out = (uint8_t *)buf->p + buf->n;
    memset(out, 0, bytes);
    for (uint32_t i = 0; i < n; i++) out[i / 8] |= (uint8_t)((nulls[i] != 0) << (i % 8));
    buf->n += bytes;
}

static void put_strings(base_buf *buf, const col_vec *vec) {
    base_buf_reserve(buf, 4 * (size_t)vec->n);
    for (uint32_t i = 0; i < vec->n; i++) {
        size_t n = col_is_null(vec, i) ? 0 : col_str(vec)[i].n;
        must(n <= UINT32_MAX);
        base_buf_add_u32le(buf, (uint32_t)n);
    }
    for (uint32_t i = 0; i < vec->n; i++) {
        if (!col_is_null(vec, i)) base_buf_add_str(buf, col_str(vec)[i]);
    }
}

static void put_fixed(base_buf *buf, const col_vec *vec) {
    size_t width = col_kind_width(vec->type.kind);
    if (width == 0) return;
    size_t begin = buf->n;
    base_buf_add(buf, vec->data, width * (size_t)vec->n);
    if (vec->nulls == NULL) return;
    // Equal batches are equal bytes: nothing of what lies under a null goes out.
    for (uint32_t i = 0; i < vec->n; i++) {
        if (vec->nulls[i] != 0) memset(buf->p + begin + width * (size_t)i, 0, width);
    }
}

static void put_vec(base_buf *buf, const col_vec *vec) {
    bool nulls = vec->nulls != NULL && vec->type.kind != COL_UNKNOWN &&
                 memchr(vec->nulls, 1, vec->n) != NULL;
    column_header header = {(uint8_t)vec->type.kind, nulls ? COLUMN_NULLS : 0, vec->type.nfields};
    base_buf_add(buf, &header, sizeof header);
    if (nulls) put_nulls(buf, vec->nulls, vec->n);
    if (vec->type.kind == COL_STRUCT) {
        for (uint16_t i = 0; i < vec->type.nfields; i++) put_vec(buf, &vec->children[i]);
    } else if (col_kind_is_string(vec->type.kind)) {
        put_strings(buf, vec);
    } else {
        put_fixed(buf, vec);
    }
}

void col_batch_encode(base_buf *buf, const col_batch *batch) {
    must(batch->ncols <= UINT16_MAX && batch->nrows <= COL_BATCH_ROWS_MAX);
    size_t begin = buf->n;
    batch_header header = {.magic = {'W', 'B', 'T', '1'},
                           .nrows = batch->nrows,
                           .ncols = (uint16_t)batch->ncols,
                           .flags = batch->weights != NULL ? BATCH_WEIGHTS : 0};
    base_buf_add(buf, &header, sizeof header);
    if (batch->weights != NULL) base_buf_add(buf, batch->weights, 8 * (size_t)batch->nrows);
    for (uint32_t i = 0; i < batch->ncols; i++) {
        must(batch->cols[i].n == batch->nrows);
        put_vec(buf, &batch->cols[i]);
    }
    uint32_t crc = base_crc32c(0, buf->p + begin + CRC_FROM, buf->n - begin - CRC_FROM);
    memcpy(buf->p + begin + offsetof(batch_header, crc), &crc, 4);
}

uint32_t col_batch_encoded_rows(base_str bytes) {
    batch_header header;
    if (bytes.n < sizeof header) return 0;
    memcpy(&header, bytes.p, sizeof header);
    return memcmp(header.magic, "WBT1", 4) == 0 ? header.nrows : 0;
}

typedef struct reader {
    base_str bytes;
    size_t at;
    base_arena *arena;
    base_error *err;
} reader;

static base_rc corrupt(reader *r, const char *what) {
    return base_fail(r->err, BASE_E_CORRUPT, NULL, "stored batch is damaged: %s at byte %zu", what,
                     r->at);
}

// The next n bytes.
static base_rc take(reader *r, size_t n, const char **out) {
    *out = r->bytes.p + r->at;
    if (n > r->bytes.n - r->at) return corrupt(r, "ends early");
    r->at += n;
    return BASE_OK;
}

static base_rc get_nulls(reader *r, col_vec *vec) {
    const char *p;
    base_rc rc = take(r, (vec->n + 7u) / 8, &p);
    if (rc != BASE_OK) return rc;
    vec->nulls = base_arena_alloc(r->arena, vec->n);
    for (uint32_t i = 0; i < vec->n; i++) {
        vec->nulls[i] = ((uint8_t)p[i / 8] >> (i % 8)) & 1;
    }
    return BASE_OK;
}

static base_rc get_strings(reader *r, col_vec *vec) {
    const char *lengths;
    base_rc rc = take(r, 4 * (size_t)vec->n, &lengths);
    if (rc != BASE_OK) return rc;
    base_str *out = base_arena_alloc(r->arena, sizeof *out * (size_t)vec->n);
    vec->data = out;
    for (uint32_t i = 0; i < vec->n; i++) {
        uint32_t n;
        memcpy(&n, lengths + 4 * (size_t)i, 4);
        rc = take(r, n, &out[i].p);
        if (rc != BASE_OK) return rc;
        out[i].n = n;
        if (col_kind_is_array(vec->type.kind) && !col_is_null(vec, i) &&
            !col_array_valid(vec, i, r->arena)) {
            return corrupt(r, "array");
        }
    }
    return BASE_OK;
}

static base_rc get_fixed(reader *r, col_vec *vec) {
    size_t width = col_kind_width(vec->type.kind);
    const char *p;
    base_rc rc = take(r, width * (size_t)vec->n, &p);
    if (rc != BASE_OK) return rc;
    vec->data = base_arena_alloc(r->arena, width * (size_t)vec->n);
    if (vec->n != 0) memcpy(vec->data, p, width * (size_t)vec->n);
    bool bad = false;
    if (vec->type.kind == COL_BOOL) {
        for (uint32_t i = 0; i < vec->n; i++) bad |= col_u8(vec)[i] > 1;
    } else if (vec->type.kind == COL_NUMERIC) {
        for (uint32_t i = 0; i < vec->n; i++) bad |= !col_decimal_valid(col_dec(vec)[i]);
    }
    return bad ? corrupt(r, "value out of range") : BASE_OK;
}

static base_rc get_vec(reader *r, const col_type *type, uint32_t n, col_vec *vec) {
    *vec = (col_vec){.type = *type, .n = n};
    const char *p;
    base_rc rc = take(r, sizeof(column_header), &p);
    if (rc != BASE_OK) return rc;
    column_header header;
    memcpy(&header, p, sizeof header);
    uint16_t nfields = type->kind == COL_STRUCT ? type->nfields : 0;
    if (header.kind != type->kind || header.nfields != nfields || header.flags > COLUMN_NULLS) {
        return corrupt(r, "column of another type");
    }
    if (type->kind == COL_UNKNOWN) {
        col_vec_init(vec, r->arena, *type, n);
        return BASE_OK;
    }
    if (header.flags == COLUMN_NULLS && (rc = get_nulls(r, vec)) != BASE_OK) return rc;
    if (type->kind == COL_STRUCT) {
        vec->children = base_arena_array(r->arena, col_vec, nfields);
        for (uint16_t i = 0; i < nfields; i++) {
            rc = get_vec(r, &type->fields[i].type, n, &vec->children[i]);
            if (rc != BASE_OK) return rc;
        }
        return BASE_OK;
    }
    return col_kind_is_string(type->kind) ? get_strings(r, vec) : get_fixed(r, vec);
}

base_rc col_batch_decode(base_str bytes, base_arena *arena, uint32_t ncols, const col_type *types,
                         col_batch **out, base_error *err) {
    reader r = {bytes, 0, arena, err};
    const char *p;
    base_rc rc = take(&r, sizeof(batch_header), &p);
    if (rc != BASE_OK) return rc;
    batch_header header;
    memcpy(&header, p, sizeof header);
    if (memcmp(header.magic, "WBT1", 4) != 0) return corrupt(&r, "no batch of version 1");
    if (base_crc32c(0, bytes.p + CRC_FROM, bytes.n - CRC_FROM) != header.crc) {
        return corrupt(&r, "checksum");
    }
    if (header.nrows > COL_BATCH_ROWS_MAX || header.flags > BATCH_WEIGHTS) {
        return corrupt(&r, "header");
    }
    if (header.ncols != ncols) return corrupt(&r, "number of columns");
    col_batch *batch = base_arena_new(arena, col_batch);
    batch->ncols = ncols;
    batch->nrows = header.nrows;
    batch->cols = base_arena_array(arena, col_vec, ncols);
    if (header.flags == BATCH_WEIGHTS) {
        rc = take(&r, 8 * (size_t)batch->nrows, &p);
        if (rc != BASE_OK) return rc;
        batch->weights = (int64_t *)base_arena_alloc(arena, 8 * (size_t)batch->nrows);
        if (batch->nrows != 0) memcpy((int64_t *)batch->weights, p, 8 * (size_t)batch->nrows);
    }
    for (uint32_t i = 0; i < ncols; i++) {
        rc = get_vec(&r, &types[i], batch->nrows, &batch->cols[i]);
        if (rc != BASE_OK) return rc;
    }
    if (r.at != bytes.n) return corrupt(&r, "more bytes than columns");
    *out = batch;
    return BASE_OK;
}
