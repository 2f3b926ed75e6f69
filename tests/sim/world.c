// world.c - the simulated machine of a run: disk, stores, clock, the engine on them, and trouble.
//
// Trouble is one of: calls that fail now and then (of files, of the store), one call that fails,
// a full disk, a death (from some call on everything fails until the crash), a crash between two
// actions. A commit may also report a failure although it happened.
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void world_trace(world *w, const char *fmt, ...) {
    char text[1024];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    world_digest(w, text, strlen(text));
    if (w->verbose) printf("  [%u] %s\n", w->actions, text);
}

void world_fail(world *w, const char *fmt, ...) {
    char text[2048];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    fflush(stdout);
    fprintf(stderr, "seed %llu, action %u: %s\n", (unsigned long long)w->seed, w->actions, text);
    longjmp(w->failed, 1);
}

void world_digest(world *w, const void *bytes, size_t n) {
    const unsigned char *p = bytes;
    uint64_t h = w->digest; // FNV-1a
    for (size_t i = 0; i < n; i++) h = (h ^ p[i]) * 0x100000001b3ull;
    w->digest = h;
}

// ---- stores -------------------------------------------------------------------------------------

static base_rc memory_fault(void *arg, const char *op, base_error *err) {
    world *w = arg;
    w->memory_calls++;
    bool fails = w->dying && plat_sim_is_dead(w->disk);
    if (w->memory_fail_at > 0 && --w->memory_fail_at == 0) {
        fails = true;
        if (w->dying) plat_sim_fail_from(w->disk, 1);
    }
    if (!fails && w->memory_fault_per_million > 0)
        fails = base_random_below(&w->faults, 1000000) < w->memory_fault_per_million;
    if (!fails) return BASE_OK;
    return base_fail(err, BASE_E_IO, NULL, "store: \"%s\" failed (simulated)", op);
}

static state_memory *memory_for(void *arg, const char *dir) {
    world *w = arg;
    for (uint32_t i = 0; i < w->nstores; i++)
        if (strcmp(w->stores[i].dir, dir) == 0) return w->stores[i].memory;
    must(w->nstores < SIM_STORES_MAX);
    sim_store *store = &w->stores[w->nstores++];
    store->dir = strdup(dir);
    must(store->dir != NULL);
    store->memory = state_memory_create();
    state_memory_set_fault(store->memory, memory_fault, w);
    return store->memory;
}

void world_forget_flows(world *w) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < w->nstores; i++) {
        if (strstr(w->stores[i].dir, "/flow/") == NULL) {
            w->stores[n++] = w->stores[i];
            continue;
        }
        state_memory_destroy(w->stores[i].memory);
        free(w->stores[i].dir);
    }
    w->nstores = n;
}

// ---- the machine --------------------------------------------------------------------------------

static void on_message(void *arg, engine_level level, const char *text) {
    static const char *const names[] = {"info", "warning", "error"};
    world_trace(arg, "engine: %s: %s", names[level], text);
}

void world_init(world *w, uint64_t seed, bool verbose) {
    memset(w, 0, sizeof *w);
    w->seed = seed;
    w->verbose = verbose;
    w->digest = 0xcbf29ce484222325ull;
    base_random_seed(&w->random, seed * 2 + 1);
    base_random_seed(&w->faults, seed * 2 + 2);
    w->disk = plat_sim_create(seed);
    w->plat = plat_sim_plat(w->disk);
    w->calm = true;
    base_arena_init(&w->arena, 1 << 16);
    base_arena_init(&w->reference, 1 << 16);
    w->requests = calloc(SIM_REQUESTS_MAX, sizeof *w->requests);
    must(w->requests != NULL);
    static const uint32_t batch_rows[] = {1, 7, 65536};
    w->config = (engine_config){
        .dir = "/data",
        .batch_rows = batch_rows[pick(w, 3)],
        .step_bytes = chance(w, 50) ? 200 + pick(w, 4000) : 0,
        .cache_bytes = chance(w, 50) ? 1 + pick(w, 8192) : 1 << 20,
        .changes_keep_steps = chance(w, 30) ? 1 + pick(w, 20) : 0,
        .segment_bytes = chance(w, 70) ? 4096u << pick(w, 4) : 1 << 20,
        .memory_for = memory_for,
        .memory_arg = w,
        .message = on_message,
        .message_arg = w,
    };
    world_trace(w, "batch_rows %u, step_bytes %llu, cache_bytes %llu, keep %llu, segments %llu",
                w->config.batch_rows, (unsigned long long)w->config.step_bytes,
                (unsigned long long)w->config.cache_bytes,
                (unsigned long long)w->config.changes_keep_steps,
                (unsigned long long)w->config.segment_bytes);
}

void world_deinit(world *w) {
    world_close(w);
    for (uint32_t i = 0; i < w->nstores; i++) {
        state_memory_destroy(w->stores[i].memory);
        free(w->stores[i].dir);
    }
    for (uint32_t i = 0; i < w->nviews; i++) {
        if (w->views[i].followed != NULL) base_map_destroy(w->views[i].followed);
        if (w->views[i].sunk != NULL) base_map_destroy(w->views[i].sunk);
    }
    for (uint32_t i = 0; i < w->nrequests; i++) base_buf_deinit(&w->requests[i].body);
    for (uint32_t s = 0; s < SIM_STREAMS; s++) {
        free(w->streams[s].events);
        free(w->streams[s].live);
    }
    free(w->requests);
    base_arena_deinit(&w->arena);
    base_arena_deinit(&w->reference);
    plat_sim_destroy(w->disk);
}

void world_close(world *w) {
    if (w->hub != NULL) connect_stop(w->hub);
    w->hub = NULL;
    if (w->engine != NULL) engine_close(w->engine);
    w->engine = NULL;
}

static base_rc open_once(world *w, base_error *err) {
    base_rc rc = engine_open(w->plat, &w->config, &w->engine, err);
    if (rc != BASE_OK) {
        w->engine = NULL;
        return rc;
    }
    engine_session_init(&w->session, w->engine);
    rc = connect_open(w->engine, &w->hub, err);
    if (rc != BASE_OK) {
        w->hub = NULL;
        world_close(w);
    }
    return rc;
}

void world_open(world *w) {
    base_error err = {0};
    for (uint32_t tries = 0;; tries++) {
        if (open_once(w, &err) == BASE_OK) break;
        world_trace(w, "open failed: %s", err.message);
        if (w->calm) world_fail(w, "the engine does not open without faults: %s", err.message);
        if (w->dying) plat_sim_crash(w->disk);
        if (tries == 2 || w->dying) world_calm(w);
    }
    w->restarts++;
    w->refusals = 0;
    schema_resolve(w);
}

void world_crash(world *w) {
    w->crashes++;
    plat_sim_crash(w->disk);
    world_close(w);
    if (w->dying) world_calm(w);
    world_trace(w, "crash");
    world_open(w);
}

// Something failed that may fail: the client tries again later; the operator restarts the engine
// now and then. After a death there is nothing but the crash.
void world_after_failure(world *w, const char *what, const base_error *err) {
    w->failures++;
    world_trace(w, "%s failed: %s", what, err->message);
    if (err->code == BASE_E_INTERNAL || err->code == BASE_E_CORRUPT)
        world_fail(w, "%s: %s", what, err->message);
    // A partition of the log refuses writes after a failed one until it is opened again, so a
    // failure without faults is none if a restart mends it.
    if (w->calm && w->refusals > 3) world_fail(w, "%s keeps failing: %s", what, err->message);
    w->refusals++;
    if (w->dying && plat_sim_is_dead(w->disk)) {
        world_crash(w);
    } else if (w->calm || chance(w, 25)) {
        world_trace(w, "restart");
        world_close(w);
        world_open(w);
    }
}

void world_calm(world *w) {
    plat_sim_fail_call(w->disk, 0);
    plat_sim_fail_from(w->disk, 0);
    plat_sim_set_fault_rate(w->disk, 0);
    plat_sim_set_disk_bytes(w->disk, UINT64_MAX / 2);
    w->memory_fault_per_million = 0;
    w->memory_fail_at = 0;
    w->dying = false;
    w->calm = true;
    w->stormy = 0;
    w->refusals = 0;
    world_trace(w, "calm");
}

void world_storm(world *w) {
    uint64_t free_bytes;
    base_error err;
    if (!w->calm) return;
    w->stormy = 1 + (uint32_t)pick(w, 12);
    switch (pick(w, 6)) {
    case 0: {
        uint32_t rate = (uint32_t)(500 << pick(w, 8));
        world_trace(w, "storm: files fail, %u in a million", rate);
        plat_sim_set_fault_rate(w->disk, rate);
        break;
    }
    case 1:
        w->memory_fault_per_million = (uint32_t)(100 << pick(w, 8));
        world_trace(w, "storm: stores fail, %u in a million", w->memory_fault_per_million);
        break;
    case 2: {
        uint64_t at = 1 + pick(w, 30);
        world_trace(w, "storm: file call %llu fails", (unsigned long long)at);
        plat_sim_fail_call(w->disk, at);
        break;
    }
    case 3:
        if (w->plat->ops->disk_free(w->plat, "/", &free_bytes, &err) != BASE_OK) return;
        plat_sim_set_disk_bytes(w->disk, UINT64_MAX / 2 - free_bytes + pick(w, 20000));
        world_trace(w, "storm: the disk is full");
        break;
    case 4: {
        uint64_t at = 1 + pick(w, 40);
        w->dying = true;
        world_trace(w, "storm: death at file call %llu", (unsigned long long)at);
        plat_sim_fail_from(w->disk, at);
        break;
    }
    default:
        w->dying = true;
        w->memory_fail_at = 1 + pick(w, 300);
        world_trace(w, "storm: death at store call %llu", (unsigned long long)w->memory_fail_at);
        break;
    }
    w->calm = false;
}

base_rc world_sql(world *w, const char *sql, engine_result *out, base_error *err) {
    memset(out, 0, sizeof *out);
    return engine_run_sql(&w->session, base_str_of(sql), &w->arena, out, err);
}

const char *world_object(const world *w, const sim_view *view) {
    static char names[4][32];
    static unsigned next;
    (void)w;
    char *name = names[next++ % 4];
    snprintf(name, sizeof names[0], "%s.%s", view->schema, view->name);
    return name;
}
