// origin.c - who appended a record and why, where it did not come from a producer in the ordinary
// way: a header of the record in the log ("reconciliation sales.r run 12", "sql user ann"). A step
// collects those of the records that it reads, so that what it changes can name them: causes are a
// function of the log. Records without headers cost nothing. Entry point: engine_origins_add.
#include <string.h>

#include "base/must.h"
#include "engine/engine_int.h"

bool engine_origin_of(const log_batch *batch, uint32_t i, base_str *origin) {
    base_str headers = log_batch_headers(batch, i), name, value;
    for (size_t at = 0; at < headers.n && log_headers_next(headers, &at, &name, &value);) {
        if (!base_str_eq(name, BASE_STR(ENGINE_HEADER_ORIGIN))) continue;
        *origin = value;
        return true;
    }
    return false;
}

void engine_origins_add(engine_origins *origins, base_arena *arena, const log_batch *batch,
                        uint32_t first, uint32_t n) {
    base_str last = {NULL, 0};
    for (uint32_t i = first; i < first + n; i++) {
        base_str origin;
        if (!engine_origin_of(batch, i, &origin)) continue;
        origins->records++;
        if (last.p != NULL && base_str_eq(origin, last)) continue; // mostly
        last = origin;
        uint32_t k = 0;
        while (k < origins->n && !base_str_eq(origins->of[k], origin)) k++;
        if (k < origins->n) continue;
        if (k == ENGINE_ORIGINS_STEP) {
            origins->more = true;
            continue;
        }
        origins->of[origins->n++] =
            (base_str){base_arena_memdup(arena, origin.p, origin.n), origin.n};
    }
}

void engine_origins_print(const engine_origins *origins, base_buf *buf) {
    for (uint32_t i = 0; i < origins->n; i++)
        base_buf_printf(buf, "%s%.*s", buf->n > 0 ? ", " : "", BASE_STR_ARG(origins->of[i]));
    if (origins->more) base_buf_add_cstr(buf, " and others");
}
