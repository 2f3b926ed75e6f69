// engine.c - opening and closing a data directory, and what spans its parts: messages, the commit
// callbacks, health.
//
// Invariants: engine_open either gives an engine whose every flow stands at its last commit or has
// failed (reopen.c), or nothing; one process at a time holds the directory (DIR/lock).
// Entry points: engine_open, engine_close.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "engine/catalog_int.h"
#include "engine/engine_int.h"
#include "engine/recon/recon_sort.h"
#include "engine/version/replay.h"

void engine_say(engine *e, engine_level level, const char *fmt, ...) {
    char text[1024];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (e->config.message != NULL) {
        e->config.message(e->config.message_arg, level, text);
        return;
    }
    static const char *const names[] = {"info", "warning", "error"};
    fprintf(stderr, "weir: %s: %s\n", names[level], text);
}

state_config engine_state_config(engine *e, const char *dir) {
    state_config config = {.no_sync = e->config.state_no_sync,
                           .journal_bytes = e->config.journal_bytes};
    if (e->config.memory_for != NULL) {
        config.in_memory = true;
        config.memory = e->config.memory_for(e->config.memory_arg, dir);
    }
    return config;
}

// ---- commit callbacks
// --------------------------------------------------------------------------------

uint32_t engine_on_commit(engine *e, void (*notify)(void *arg), void *arg) {
    plat_mutex_lock(&e->listeners_lock);
    e->listeners = realloc(e->listeners, (e->nlisteners + 1) * sizeof *e->listeners);
    must(e->listeners != NULL);
    uint32_t id = ++e->next_listener;
    e->listeners[e->nlisteners++] = (engine_listener){id, notify, arg};
    plat_mutex_unlock(&e->listeners_lock);
    return id;
}

void engine_off_commit(engine *e, uint32_t id) {
    plat_mutex_lock(&e->listeners_lock);
    for (uint32_t i = 0; i < e->nlisteners; i++) {
        if (e->listeners[i].id != id) continue;
        e->listeners[i] = e->listeners[--e->nlisteners];
        break;
    }
    plat_mutex_unlock(&e->listeners_lock);
}

void engine_notify_listeners(engine *e) {
    plat_mutex_lock(&e->listeners_lock);
    for (uint32_t i = 0; i < e->nlisteners; i++) e->listeners[i].notify(e->listeners[i].arg);
    plat_mutex_unlock(&e->listeners_lock);
}

void engine_notify_commit(engine_flow *flow) {
    engine *e = flow->engine;
    plat_mutex_lock(&e->flows_lock);
    for (uint32_t i = 0; i < e->nflows;
         i++) { // views of immediate flows that read this flow's views
        engine_flow *other = e->flows[i];
        if (other == flow || other->refresh_us != 0) continue;
        other->dirty = true;
        plat_cond_signal(&other->wake);
    }
    plat_mutex_unlock(&e->flows_lock);
    engine_notify_listeners(e);
}

static void on_durable(void *arg, log_stream *stream, uint32_t partition) {
    (void)stream, (void)partition;
    engine_flow_wake_all(arg);
}

// ---- opening
// -----------------------------------------------------------------------------------------

static base_rc take_lock(engine *e, base_error *err) {
    base_buf path = {0};
    base_buf_printf(&path, "%s/lock", e->dir);
    base_rc rc = plat_lock_file(e->plat, base_buf_cstr(&path), &e->lock_file, err);
    base_buf_deinit(&path);
    if (rc == BASE_E_BUSY)
        base_error_hint(err, "Stop it, or give this one another directory with --data.");
    return rc;
}

static base_rc open_parts(engine *e, base_error *err) {
    base_rc rc = e->plat->ops->make_dir(e->plat, e->dir, err);
    if (rc == BASE_OK) rc = take_lock(e, err);
    if (rc != BASE_OK) return rc;
    recon_scratch_clear(e);
    base_buf dir = {0};
    base_buf_printf(&dir, "%s/log", e->dir);
    rc = log_store_open(e->plat, base_buf_cstr(&dir), &e->log, err);
    if (rc == BASE_OK) {
        log_store_on_durable(e->log, on_durable, e);
        base_buf_clear(&dir);
        base_buf_printf(&dir, "%s/catalog", e->dir);
        state_config config = engine_state_config(e, base_buf_cstr(&dir));
        config.no_sync = false;
        rc = state_store_open(e->plat, base_buf_cstr(&dir), &config, &e->meta, err);
        if (rc == BASE_OK) rc = engine_catalog_open(e, err);
        // The flows' stores have a remedy of their own; the catalogue is not derived from the log.
        if (rc == BASE_E_CORRUPT && strstr(err->message, base_buf_cstr(&dir)) != NULL)
            base_error_hint(
                err,
                "Restore \"%s/catalog\" from a backup. Or stop, move it away together "
                "with \"%s/flow\", and start with the file of SQL: the objects are made "
                "again, and their events are still in the log.",
                e->dir, e->dir);
    }
    base_buf_deinit(&dir);
    if (rc == BASE_OK) rc = engine_flows_open(e, err);
    return rc == BASE_OK ? engine_replays_open(e, err) : rc;
}

base_rc engine_open(plat *plat, const engine_config *config, engine **out, base_error *err) {
    engine *e = calloc(1, sizeof *e);
    must(e != NULL);
    e->plat = plat;
    e->config = *config;
    e->dir = strdup(config->dir);
    must(e->dir != NULL);
    e->started_us = plat_wall_us(plat);
    plat_mutex_init(&e->ddl_lock);
    plat_mutex_init(&e->catalog_lock);
    plat_mutex_init(&e->flows_lock);
    plat_mutex_init(&e->listeners_lock);
    plat_mutex_init(&e->sinks_lock);
    plat_mutex_init(&e->sink_counts_lock);
    plat_mutex_init(&e->remedies_lock);
    plat_cond_init(&e->remedy_ended);
    atomic_store(&e->remedies_due, true); // what a crash left
    plat_cond_init(&e->flow_passed);
    plat_cond_init(&e->schedule_wake);
    plat_cond_init(&e->stream_released);
    base_arena_init(&e->catalog_arena, 1 << 14);
    e->names = base_map_create();
    e->schemas = base_map_create();
    e->streams = base_map_create();
    e->sink_reports = base_map_create();
    e->sink_counts = base_map_create();
    e->by_id = calloc(ENGINE_OBJECTS_MAX, sizeof(plan_object *));
    must(e->by_id != NULL);
    uint32_t cores = config->cores > 0 ? config->cores : config->threads ? plat_cpu_count() : 1;
    if (cores > 1) {
        e->workers = plat_workers_create(cores - 1);
        if (config->part_rows > 0) plat_workers_set_least(e->workers, config->part_rows);
    }
    base_rc rc = open_parts(e, err);
    if (rc != BASE_OK) {
        engine_close(e);
        return rc;
    }
    if (config->threads) engine_runner_start(e);
    *out = e;
    return BASE_OK;
}

void engine_close(engine *e) {
    if (e == NULL) return;
    engine_replays_close(e);
    if (e->config.threads) engine_runner_stop(e);
    for (uint32_t i = 0; i < e->nflows; i++) engine_flow_close(e->flows[i]);
    while (e->retired_flows != NULL) {
        engine_flow *next = e->retired_flows->next_retired;
        engine_flow_close(e->retired_flows);
        e->retired_flows = next;
    }
    plat_workers_destroy(e->workers);
    engine_catalog_close(e);
    if (e->meta != NULL) state_store_close(e->meta);
    if (e->log != NULL) log_store_close(e->log);
    if (e->lock_file != NULL) plat_close(e->lock_file);
    void *of_sink;
    base_str id;
    for (size_t i = 0; base_map_at(e->sink_reports, &i, &id, &of_sink);) free(of_sink);
    for (size_t i = 0; base_map_at(e->sink_counts, &i, &id, &of_sink);) free(of_sink);
    base_map_destroy(e->names);
    base_map_destroy(e->schemas);
    base_map_destroy(e->streams);
    base_map_destroy(e->sink_reports);
    base_map_destroy(e->sink_counts);
    free(e->by_id);
    free(e->listeners);
    base_arena_deinit(&e->catalog_arena);
    plat_mutex_deinit(&e->ddl_lock);
    plat_mutex_deinit(&e->catalog_lock);
    plat_mutex_deinit(&e->flows_lock);
    plat_mutex_deinit(&e->listeners_lock);
    plat_mutex_deinit(&e->sinks_lock);
    plat_mutex_deinit(&e->sink_counts_lock);
    plat_mutex_deinit(&e->remedies_lock);
    plat_cond_deinit(&e->remedy_ended);
    engine_recon_counts_free(e);
    plat_cond_deinit(&e->flow_passed);
    plat_cond_deinit(&e->schedule_wake);
    plat_cond_deinit(&e->stream_released);
    free(e->dir);
    free(e);
}

plat *engine_plat(engine *e) {
    return e->plat;
}

const char *engine_dir(engine *e) {
    return e->dir;
}

bool engine_healthy(engine *e, base_buf *text) {
    bool healthy = true;
    plat_mutex_lock(&e->flows_lock);
    for (uint32_t i = 0; i < e->nflows; i++) {
        if (e->flows[i]->error.code == BASE_OK) continue;
        healthy = false;
        const engine_flow *flow = e->flows[i];
        bool named = strstr(flow->error.message, flow->name) != NULL;
        base_buf_printf(text, "%s%s%s%s\n", named ? "" : "flow ", named ? "" : flow->name,
                        named ? "" : ": ", flow->error.message);
    }
    plat_mutex_unlock(&e->flows_lock);
    return healthy;
}
