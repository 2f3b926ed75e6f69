// Any bytes as what a client sends: read message by message; and as parameters of every type, whose
// values must go out and come back the same.
#include "base/must.h"
#include "wire/pg.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void read_messages(base_str input, bool startup) {
    base_arena arena;
    base_arena_init(&arena, 1024);
    while (input.n > 0) {
        wire_pg_message message;
        size_t used;
        base_error err;
        base_rc rc = wire_pg_read(input, startup, &arena, &message, &used, &err);
        if (rc != BASE_OK) must(err.message[0] != 0 && used == 0);
        if (rc != BASE_OK || used == 0) break;
        must(used <= input.n);
        input.p += used;
        input.n -= used;
        startup = false;
    }
    base_arena_deinit(&arena);
}

static void read_param(base_str bytes, int16_t format, col_kind kind) {
    base_arena arena;
    base_arena_init(&arena, 1024);
    col_vec vec, back;
    col_vec_init(&vec, &arena, col_type_of(kind), 1);
    col_vec_init(&back, &arena, col_type_of(kind), 1);
    base_error err;
    if (wire_pg_param(bytes, format, 0, &vec, 0, &arena, &err) == BASE_OK) {
        base_buf first = {0}, second = {0};
        base_buf_reserve(&first, 1); // an empty value is not a null
        wire_pg_send_binary(&first, &vec, 0);
        must(wire_pg_param(base_buf_str(&first), 1, 0, &back, 0, &arena, &err) == BASE_OK);
        wire_pg_send_binary(&second, &back, 0);
        must(base_str_eq(base_buf_str(&first), base_buf_str(&second)));
        base_buf_deinit(&first);
        base_buf_deinit(&second);
    }
    base_arena_deinit(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    if (n < 2) return 0;
    uint8_t what = bytes[0], kind = bytes[1];
    char *copy = malloc(n - 2 + 1);
    memcpy(copy, bytes + 2, n - 2);
    base_str input = {copy, n - 2};
    if (what < 128) {
        read_messages(input, what % 2 == 1);
    } else {
        kind = (uint8_t)(1 + kind % (COL_KIND_COUNT - 1));
        if (!col_kind_exists((col_kind)kind)) kind = COL_TEXT_ARRAY;
        if (kind != COL_STRUCT) read_param(input, what % 2, (col_kind)kind);
    }
    free(copy);
    return 0;
}
