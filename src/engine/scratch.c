// scratch.c - an engine in memory for trying statements out: on a simulated platform, so that
// nothing is read from or written to disk. `weir check` tries a file against an empty catalogue;
// applying a file tries it against a copy of the present one first (apply.c). Entry points:
// engine_scratch_open, engine_scratch_copy.

#include "base/must.h"
#include "engine/apply_int.h"
#include "plat/sim.h"

// The stores of the engine: one memory a directory.
static state_memory *memory_for(void *arg, const char *dir) {
    base_map *by_dir = arg;
    state_memory *memory = base_map_get(by_dir, base_str_of(dir));
    if (memory != NULL) return memory;
    memory = state_memory_create();
    base_map_put(by_dir, base_str_of(dir), memory);
    return memory;
}

static void no_message(void *arg, engine_level level, const char *text) {
    (void)arg, (void)level, (void)text;
}

base_rc engine_scratch_open(engine_scratch *scratch, base_error *err) {
    *scratch = (engine_scratch){plat_sim_create(1), base_map_create(), NULL};
    engine_config config = {.dir = "/scratch",
                            .memory_for = memory_for,
                            .memory_arg = scratch->memories,
                            .message = no_message};
    return engine_open(plat_sim_plat(scratch->sim), &config, &scratch->engine, err);
}

void engine_scratch_close(engine_scratch *scratch) {
    if (scratch->engine != NULL) engine_close(scratch->engine);
    base_str dir;
    void *memory;
    for (size_t i = 0; base_map_at(scratch->memories, &i, &dir, &memory);)
        state_memory_destroy(memory);
    base_map_destroy(scratch->memories);
    plat_sim_destroy(scratch->sim);
}

static base_rc copy_object(engine_scratch *scratch, const plan_object *object, base_error *err) {
    engine_session session;
    engine_session_init(&session, scratch->engine);
    session.schema = object->schema;
    sql_statement asked = {.text = base_str_of(object->definition)};
    engine_result result = {0};
    plat_mutex_lock(&scratch->engine->ddl_lock);
    base_rc rc = engine_ddl_locked(&session, &asked, &result, err);
    plat_mutex_unlock(&scratch->engine->ddl_lock);
    return rc;
}

base_rc engine_scratch_copy(engine_scratch *scratch, engine *from, base_error *err) {
    base_arena *arena = &scratch->engine->catalog_arena;
    plat_mutex_lock(&from->ddl_lock);
    plat_mutex_lock(&from->catalog_lock);
    base_str name;
    void *comment;
    for (size_t i = 0; base_map_at(from->schemas, &i, &name, &comment);)
        engine_catalog_put_schema(scratch->engine, base_arena_memdup(arena, name.p, name.n),
                                  comment);
    plat_mutex_unlock(&from->catalog_lock);
    base_rc rc = BASE_OK;
    for (uint32_t id = ENGINE_FIRST_USER_ID; rc == BASE_OK && id < from->next_id; id++) {
        const plan_object *object = engine_catalog_by_id(from, id);
        if (object != NULL && object->version_of == 0) rc = copy_object(scratch, object, err);
    }
    plat_mutex_unlock(&from->ddl_lock);
    return rc;
}
