// Any bytes as CSV: what a whole text gives, it also gives in two pieces, and what was read can be
// written and read again.
#include "base/must.h"
#include "wire/csv.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void write_record(const wire_csv_field *fields, size_t n, base_buf *buf) {
    for (size_t i = 0; i < n; i++) {
        if (i > 0) base_buf_add_byte(buf, ',');
        bool is_null = !fields[i].quoted && fields[i].text.n == 0;
        wire_csv_write_field(buf, fields[i].text, is_null, ',');
    }
    base_buf_add_byte(buf, '\n');
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    char *copy = malloc(n + 1);
    memcpy(copy, bytes, n);
    base_str text = {copy, n};
    base_arena arena;
    base_arena_init(&arena, 1024);
    for (size_t at = 0;;) {
        wire_csv_field *fields, *again;
        size_t nfields, nagain, before = at, cut = before + (n - before) / 2;
        bool end, incomplete;
        base_error err;
        base_rc rc =
            wire_csv_read(text, true, ',', &at, &arena, &fields, &nfields, &end, &incomplete, &err);
        if (rc != BASE_OK || end) break;
        must(!incomplete && at > before && nfields > 0);
        size_t half = before;
        rc = wire_csv_read((base_str){copy, cut}, false, ',', &half, &arena, &again, &nagain, &end,
                           &incomplete, &err);
        must(rc == BASE_OK && !end && incomplete == (cut < at || half == before));
        if (!incomplete) must(half == at && nagain == nfields);
        base_buf written = {0};
        write_record(fields, nfields, &written);
        size_t zero = 0;
        rc = wire_csv_read(base_buf_str(&written), true, ',', &zero, &arena, &again, &nagain, &end,
                           &incomplete, &err);
        must(rc == BASE_OK && nagain == nfields && zero == written.n);
        for (size_t i = 0; i < nfields; i++) must(base_str_eq(fields[i].text, again[i].text));
        base_buf_deinit(&written);
        base_arena_reset(&arena);
    }
    base_arena_deinit(&arena);
    free(copy);
    return 0;
}
