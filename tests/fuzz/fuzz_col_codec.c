// Arbitrary bytes as keys, rows and batches. The first byte chooses decoder and type. What decodes
// is encoded again: a key must give the same bytes, a row and a batch the same values.
#include <stdlib.h>

#include "base/hash.h"
#include "base/must.h"
#include "col/codec.h"
#include "col/kernel.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const col_field inner[] = {{"x", {COL_INT4, 0, 0, 0, NULL}},
                                  {"y", {COL_TEXT, 0, 0, 0, NULL}}};
static const col_field fields[] = {{"a", {COL_NUMERIC, 0, 0, 0, NULL}},
                                   {"b", {COL_STRUCT, 0, 0, 2, inner}}};

static col_type type_of(uint8_t choice) {
    col_kind kind = (col_kind)(choice % COL_KIND_COUNT);
    if (!col_kind_exists(kind)) kind = COL_ARRAY | COL_NUMERIC;
    if (kind == COL_STRUCT) return (col_type){COL_STRUCT, 0, 0, 2, fields};
    return col_type_of(kind);
}

static void fuzz_key(base_str bytes, col_type type, base_arena *arena) {
    base_error err;
    col_vec vec;
    col_vec_init(&vec, arena, type, 2);
    size_t at = 0;
    if (col_key_decode(bytes, &at, &vec, 1, arena, &err) != BASE_OK) return;
    must(at <= bytes.n);
    base_buf buf = {0};
    col_key_encode(&buf, &vec, 1);
    must(base_str_eq(base_buf_str(&buf), (base_str){bytes.p, at}));
    base_buf_deinit(&buf);
}

static void fuzz_row(base_str bytes, col_type type, base_arena *arena) {
    base_error err;
    col_type types[] = {type, col_type_of(COL_TEXT), col_type_of(COL_INTERVAL)};
    const uint32_t cols[] = {0, 1, 2};
    col_batch *batch = col_batch_create(arena, 3, types, 2);
    size_t at = 0;
    if (col_row_decode(bytes, &at, batch, 0, 3, cols, arena, &err) != BASE_OK) return;
    must(at <= bytes.n);
    base_buf buf = {0};
    col_row_encode(&buf, batch, 0, 3, cols);
    at = 0;
    base_rc rc = col_row_decode(base_buf_str(&buf), &at, batch, 1, 3, cols, arena, &err);
    must(rc == BASE_OK && at == buf.n);
    must(col_rows_equal(batch, 0, batch, 1, 3, cols, cols));
    base_buf_deinit(&buf);
}

static void fuzz_batch(base_str bytes, col_type type, base_arena *arena) {
    base_error err;
    col_type types[] = {type, col_type_of(COL_TEXT)};
    col_batch *batch;
    if (bytes.n < 16) return;
    // The checksum is made right, so that what lies behind it is reached.
    char *copy = base_arena_memdup(arena, bytes.p, bytes.n);
    uint32_t crc = base_crc32c(0, copy + 8, bytes.n - 8);
    memcpy(copy + 4, &crc, 4);
    base_str fixed = {copy, bytes.n};
    if (col_batch_decode(fixed, arena, 2, types, &batch, &err) != BASE_OK) return;
    base_buf buf = {0};
    col_batch_encode(&buf, batch);
    col_batch *again;
    must(col_batch_decode(base_buf_str(&buf), arena, 2, types, &again, &err) == BASE_OK);
    must(again->nrows == batch->nrows);
    const uint32_t cols[] = {0, 1};
    for (uint32_t i = 0; i < batch->nrows && i < 1000; i++) {
        must(col_rows_equal(batch, i, again, i, 2, cols, cols));
    }
    base_buf_deinit(&buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2) return 0;
    base_arena arena;
    base_arena_init(&arena, 4096);
    col_type type = type_of(data[1]);
    // A heap copy of the exact size: reading past it is seen.
    char *copy = malloc(size - 2 + (size == 2));
    must(copy != NULL);
    memcpy(copy, data + 2, size - 2);
    base_str bytes = {copy, size - 2};
    switch (data[0] % 3) {
    case 0:
        fuzz_key(bytes, type, &arena);
        break;
    case 1:
        fuzz_row(bytes, type, &arena);
        break;
    default:
        fuzz_batch(bytes, type, &arena);
        break;
    }
    free(copy);
    base_arena_deinit(&arena);
    return 0;
}
