// func_random.c - values by chance, in queries only: what a view shows must follow from its events.
// The generator is the query's (ctx->random), seeded by the platform.
#include "base/must.h"
#include "col/func_int.h"

static base_rc no_generator(base_error *err) {
    return base_fail(err, BASE_E_UNSUPPORTED, NULL, "random values are for queries only");
}

FUNC_KERNEL(random_float) {
    FUNC_UNUSED;
    if (ctx->random == NULL) return no_generator(ctx->err);
    for (uint32_t i = 0; i < n; i++) col_f64(out)[i] = base_random_unit(ctx->random);
    return BASE_OK;
}

// Version 4 of RFC 9562.
FUNC_KERNEL(random_uuid) {
    FUNC_UNUSED;
    if (ctx->random == NULL) return no_generator(ctx->err);
    for (uint32_t i = 0; i < n; i++) {
        uint8_t *uuid = col_uuid(out, i);
        for (int half = 0; half < 2; half++) {
            uint64_t bits = base_random_u64(ctx->random);
            memcpy(uuid + 8 * half, &bits, sizeof bits);
        }
        uuid[6] = (uint8_t)((uuid[6] & 0x0f) | 0x40);
        uuid[8] = (uint8_t)((uuid[8] & 0x3f) | 0x80);
    }
    return BASE_OK;
}

#define CHANCE (COL_FUNC_STABLE | COL_FUNC_VOLATILE)

static const col_func rows[] = {
    {"random", 0, {0}, COL_FLOAT8, CHANCE, random_float, NULL},
    {"gen_random_uuid", 0, {0}, COL_UUID, CHANCE, random_uuid, NULL},
};
FUNC_TABLE(func_random_table, rows);
