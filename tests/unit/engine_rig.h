// engine_rig.h - an engine, SQL in and text out, for tests of it and of what stands on it: in
// simulation without threads, or on a directory of the operating system's.
#ifndef WEIR_TESTS_ENGINE_RIG_H
#define WEIR_TESTS_ENGINE_RIG_H

#include <stdlib.h>

#include "base/must.h"
#include "engine/engine.h"
#include "plat/sim.h"
#include "test.h"
#include "wire/json.h"

#define RIG_STORES_MAX 32

typedef struct rig {
    plat_sim *sim; // NULL: on the operating system
    plat *plat;
    engine *e;
    engine_config config;
    engine_session session;
    base_arena arena;
    state_memory *memories[RIG_STORES_MAX];
    char *dirs[RIG_STORES_MAX];
    size_t nmemories;
    base_buf answer;
} rig;

static inline state_memory *rig_memory(void *arg, const char *dir) {
    rig *b = arg;
    for (size_t i = 0; i < b->nmemories; i++)
        if (strcmp(b->dirs[i], dir) == 0) return b->memories[i];
    must(b->nmemories < RIG_STORES_MAX);
    b->dirs[b->nmemories] = strdup(dir);
    b->memories[b->nmemories] = state_memory_create();
    return b->memories[b->nmemories++];
}

static inline void rig_message(void *arg, engine_level level, const char *text) {
    (void)arg;
    if (level == ENGINE_ERROR) fprintf(stderr, "engine: %s\n", text);
}

static inline bool rig_open(rig *b) {
    base_error err = {0};
    if (engine_open(b->plat, &b->config, &b->e, &err) != BASE_OK) {
        fprintf(stderr, "open: %s\n", err.message);
        test_failures++;
        return false;
    }
    engine_session_init(&b->session, b->e);
    return true;
}

static inline bool rig_begin(rig *b) {
    b->config.message = rig_message;
    base_arena_init(&b->arena, 1 << 16);
    return rig_open(b);
}

static inline bool rig_start(rig *b) {
    memset(b, 0, sizeof *b);
    b->sim = plat_sim_create(7);
    b->plat = plat_sim_plat(b->sim);
    b->config = (engine_config){.dir = "/data", .memory_for = rig_memory, .memory_arg = b};
    return rig_begin(b);
}

// In a directory of the operating system's.
static inline bool rig_start_in(rig *b, const char *dir, bool threads) {
    memset(b, 0, sizeof *b);
    b->plat = plat_os();
    b->config = (engine_config){.dir = dir, .threads = threads, .state_no_sync = true};
    return rig_begin(b);
}

static inline bool rig_reopen(rig *b) {
    engine_close(b->e);
    return rig_open(b);
}

static inline void rig_stop(rig *b) {
    engine_close(b->e);
    for (size_t i = 0; i < b->nmemories; i++) {
        state_memory_destroy(b->memories[i]);
        free(b->dirs[i]);
    }
    base_buf_deinit(&b->answer);
    base_arena_deinit(&b->arena);
    if (b->sim != NULL) plat_sim_destroy(b->sim);
}

// Rows as text, cells by '|', rows by newline; else the tag, or "ERROR sqlstate: message".
static inline const char *ask(rig *b, const char *sql) {
    base_buf *out = &b->answer;
    base_buf_clear(out);
    base_arena_reset(&b->arena);
    engine_result result;
    base_error err = {0};
    if (engine_run_sql(&b->session, base_str_of(sql), &b->arena, &result, &err) != BASE_OK) {
        base_buf_printf(out, "ERROR %s: %s", err.sqlstate, err.message);
        return base_buf_cstr(out);
    }
    if (!result.has_rows) {
        base_buf_add_cstr(out, result.tag);
        return base_buf_cstr(out);
    }
    for (uint32_t row = 0; row < result.rows->nrows; row++) {
        if (row > 0) base_buf_add_byte(out, '\n');
        for (uint32_t i = 0; i < result.ncolumns; i++) {
            if (i > 0) base_buf_add_byte(out, '|');
            if (col_is_null(&result.rows->cols[i], row))
                base_buf_add_cstr(out, "null");
            else
                col_text_format(&result.rows->cols[i], row, 0, out);
        }
    }
    return base_buf_cstr(out);
}

// Whatever becomes of the records.
static inline engine_ingest_result ingest_any(rig *b, const char *stream, const char *json) {
    engine_ingest_result result = {0};
    base_arena_reset(&b->arena);
    size_t n = strlen(json);
    char *body = base_arena_zalloc(&b->arena, n + WIRE_JSON_PADDING);
    memcpy(body, json, n);
    base_error err = {0};
    if (engine_ingest(b->e, base_str_of(stream), (base_str){body, n}, "test", &b->arena, &result,
                      &err) != BASE_OK) {
        fprintf(stderr, "ingest: %s\n", err.message);
        test_failures++;
    }
    return result;
}

// None of the records may be refused.
static inline engine_ingest_result ingest(rig *b, const char *stream, const char *json) {
    engine_ingest_result result = ingest_any(b, stream, json);
    if (result.quarantined > 0) {
        fprintf(stderr, "ingest: %s\n", result.faults[0].message);
        test_failures++;
    }
    return result;
}

static inline void flush(rig *b) {
    base_error err = {0};
    if (engine_flush(b->e, 0, NULL, &err) != BASE_OK) {
        fprintf(stderr, "flush: %s\n", err.message);
        test_failures++;
    }
}

static inline void put_file(rig *b, const char *path, base_str content) {
    base_error err = {0};
    if (plat_replace_file(b->plat, path, content, &err) != BASE_OK) {
        fprintf(stderr, "%s: %s\n", path, err.message);
        test_failures++;
    }
}

#endif
