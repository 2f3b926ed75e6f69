// Arbitrary text as jsonb and as every other type. Canonical jsonb must be its own canonical text;
// what any type reads, it must print and read again.
#include <stdlib.h>

#include "base/must.h"
#include "col/codec.h"
#include "col/kernel.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const col_field fields[] = {{"a", {COL_NUMERIC, 0, 0, 0, NULL}},
                                   {"b", {COL_JSONB, 0, 0, 0, NULL}},
                                   {"c", {COL_BYTEA, 0, 0, 0, NULL}}};

static void fuzz_text(base_str text, col_kind kind, base_arena *arena) {
    base_error err;
    col_type type = col_type_of(kind);
    if (kind == COL_STRUCT) type = (col_type){COL_STRUCT, 0, 0, 3, fields};
    if (kind == COL_VARCHAR) type.precision = 5;
    col_vec vec;
    col_vec_init(&vec, arena, type, 2);
    if (col_text_parse(text, NULL, &vec, 0, arena, &err) != BASE_OK) return;
    base_buf buf = {0};
    col_text_format(&vec, 0, NULL, &buf);
    // A "char" above 127 prints as an escape that it does not read.
    if (col_kind_element(kind) != COL_CHAR) {
        must(col_text_parse(base_buf_str(&buf), NULL, &vec, 1, arena, &err) == BASE_OK);
        must(col_cells_equal(&vec, 0, &vec, 1));
    }
    base_buf_clear(&buf);
    col_json_format(&vec, 0, &buf);
    base_str canonical;
    must(col_jsonb_canonical(base_buf_str(&buf), arena, &canonical, &err) == BASE_OK);
    base_buf_deinit(&buf);
}

static void fuzz_jsonb(base_str text, base_arena *arena) {
    base_error err;
    base_str once, twice;
    if (col_jsonb_canonical(text, arena, &once, &err) != BASE_OK) return;
    must(base_utf8_valid_prefix(once) == once.n);
    must(col_jsonb_canonical(once, arena, &twice, &err) == BASE_OK);
    must(base_str_eq(once, twice));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 1) return 0;
    base_arena arena;
    base_arena_init(&arena, 4096);
    char *copy = malloc(size - 1 + (size == 1));
    must(copy != NULL);
    memcpy(copy, data + 1, size - 1);
    base_str text = {copy, size - 1};
    unsigned choice = data[0] % (2 * COL_KIND_COUNT);
    if (choice == COL_UNKNOWN || !col_kind_exists((col_kind)choice)) {
        fuzz_jsonb(text, &arena);
    } else {
        fuzz_text(text, (col_kind)choice, &arena);
    }
    free(copy);
    base_arena_deinit(&arena);
    return 0;
}
