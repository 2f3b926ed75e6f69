// version_build.c - the history of a version of a view: read by a shadow (shadow.h) while the flow
// goes on, copied into the flow's store while it goes on (version_merge.c); then, under the flow's
// lock, the little that is left.
//
// ddl_lock is free while the log is read and most is copied, so the catalogue may change. What
// stands on nothing that has changed does not notice; the version is bound again to the objects
// there are then, and its build ends with an error only if its view, or what its plan is made of,
// is not what it was. Who drops a stream that a shadow reads holds ddl_lock and waits for the
// shadow to let it go: so ddl_lock is tried, not waited for. Entry point: engine_version_make.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "engine/version/version.h"

#define ROUNDS         5
#define FOLLOW_ROUNDS  20
#define FOLLOW_RECORDS 1000u // so few are left to the last step, for which the flow waits

typedef struct building {
    engine *engine;
    engine_flow *flow;
    const plan_object *view;
    plan_object *version;
    const engine_version_build *how;
    engine_shadow *shadow;
    engine_merge *merge;
} building;

static base_rc aim(building *b, base_error *err) {
    state_txn *txn;
    base_rc rc = engine_flow_begin_read(b->flow, &txn, err);
    if (rc != BASE_OK) return rc;
    rc = engine_shadow_aim(b->shadow, txn, err);
    state_abort(txn);
    return rc;
}

// While the flow goes on, until little is left.
static base_rc catch_up(building *b, int rounds, uint64_t enough, base_error *err) {
    base_rc rc = BASE_OK;
    for (int round = 0; rc == BASE_OK && round < rounds; round++) {
        uint64_t before = engine_shadow_progress_of(b->shadow).read;
        rc = aim(b, err);
        if (rc == BASE_OK) rc = engine_shadow_run(b->shadow, false, b->how->cancel, err);
        if (engine_shadow_progress_of(b->shadow).read - before < enough) break;
    }
    return rc;
}

static base_rc read_history(building *b, base_error *err) {
    base_rc rc = catch_up(b, ROUNDS, 10000, err);
    if (rc == BASE_OK)
        rc = engine_merge_open(b->shadow, b->flow, b->version, b->how->cancel, &b->merge, err);
    return rc == BASE_OK ? catch_up(b, FOLLOW_ROUNDS, FOLLOW_RECORDS, err) : rc;
}

// False: whoever has it waits for the shadow to be closed.
static bool lock_ddl(building *b) {
    while (!plat_mutex_try_lock(&b->engine->ddl_lock)) {
        if (engine_shadow_is_awaited(b->shadow)) return false;
        plat_sleep_us(500);
    }
    return true;
}

// The objects are replaced by others of the same ids when something about them changes. A replay's
// version is the view itself, so it must be what it was; another's must still fit.
static base_rc bind_again(building *b, base_error *err) {
    engine *e = b->engine;
    const plan_object *was = b->view, *now = engine_catalog_by_id(e, was->id);
    bool same = now != NULL && now->kind == PLAN_OBJECT_VIEW &&
                engine_flow_of_view(e, now->id) == b->flow && now->version == was->version &&
                plan_object_state_id(now) == plan_object_state_id(was);
    if (same && strcmp(b->version->definition, was->definition) == 0)
        same = strcmp(now->definition, was->definition) == 0;
    if (!same)
        return base_fail(err, BASE_E_BUSY, BASE_SQLSTATE_NOT_IN_STATE,
                         "\"%s.%s\" was changed while its version was made: begin again",
                         was->schema, was->name);
    plan_object *version;
    base_rc rc = engine_bind_again(e, b->version, &version, err);
    if (rc != BASE_OK) {
        base_error_prefix(err, "the catalogue was changed while the version was made");
        return rc;
    }
    if (!engine_same_plan(b->version, version))
        return base_fail(err, BASE_E_BUSY, BASE_SQLSTATE_NOT_IN_STATE,
                         "what version %u of \"%s.%s\" reads was changed while it was made",
                         version->version, was->schema, was->name);
    rc = engine_version_check(e, now, version, err);
    b->view = now;
    b->version = version;
    return rc;
}

// Another version, made beside this one, may have taken its number.
static base_rc number_again(building *b, base_error *err) {
    plan_object *version = b->version;
    if (version->is_replay ||
        engine_catalog_find(b->engine, version->schema, version->name) == NULL)
        return BASE_OK;
    plan_object named = {.schema = b->view->schema, .id = version->id};
    base_rc rc = engine_version_number(b->engine, b->view, &named, err);
    version->version = named.version;
    version->name = named.name;
    return rc;
}

static base_rc undo(building *b, base_rc rc) {
    base_error second;
    if (engine_catalog_by_id(b->engine, b->version->id) != NULL)
        engine_catalog_remove(b->engine, b->version);
    if (engine_catalog_erase(b->engine, b->version->id, &second) != BASE_OK)
        engine_say(b->engine, ENGINE_ERROR, "%s", second.message);
    return rc;
}

// flow->lock held.
static base_rc take_in(building *b, base_error *err) {
    engine_flow *flow = b->flow;
    if (flow->broken || flow->retake || flow->reload)
        return base_fail(err, BASE_E_BUSY, BASE_SQLSTATE_NOT_IN_STATE,
                         "flow %s is not in order just now", flow->name);
    engine_shadow_follow(b->shadow, NULL, NULL);
    base_rc rc = aim(b, err);
    if (rc == BASE_OK) rc = engine_shadow_run(b->shadow, true, NULL, err);
    if (rc != BASE_OK) return rc;
    uint64_t lost = b->how->left_out + engine_shadow_lost(b->shadow);
    if (lost != b->version->history_lost) { // retention has come between
        b->version->history_lost = lost;
        rc = engine_catalog_store(b->engine, b->version, err);
    }
    if (rc == BASE_OK) rc = engine_merge_finish(b->merge, err);
    if (rc == BASE_OK) engine_catalog_put(b->engine, b->version);
    return rc == BASE_OK ? engine_flow_add_view_locked(flow, b->version, err) : rc;
}

// ddl_lock held.
static base_rc merge(building *b, uint64_t catalog_version, base_error *err) {
    base_rc rc = BASE_OK;
    if (atomic_load(&b->engine->version) != catalog_version) rc = bind_again(b, err);
    if (rc == BASE_OK) rc = number_again(b, err);
    if (rc == BASE_OK) rc = engine_merge_inputs(b->merge, err);
    if (rc == BASE_OK) rc = catch_up(b, FOLLOW_ROUNDS, FOLLOW_RECORDS, err);
    if (rc != BASE_OK) return rc;
    // The catalogue first: it never gives the id out again. A crash from here on leaves a version
    // without facts, which is filled as any view is whose statement did not come to its end.
    b->version->history_lost = b->how->left_out + engine_shadow_lost(b->shadow);
    rc = engine_catalog_store(b->engine, b->version, err);
    if (rc != BASE_OK) return rc;
    plat_mutex_lock(&b->flow->lock);
    rc = take_in(b, err);
    plat_mutex_unlock(&b->flow->lock);
    return rc == BASE_OK ? BASE_OK : undo(b, rc);
}

// A flow that has taken no step has nothing that a shadow would have to read.
static base_rc add_new(building *b, base_error *err) {
    base_rc rc = engine_catalog_store(b->engine, b->version, err);
    if (rc != BASE_OK) return rc;
    engine_catalog_put(b->engine, b->version);
    rc = engine_flow_add_view(b->flow, b->version, err);
    return rc == BASE_OK ? BASE_OK : undo(b, rc);
}

static void close_parts(building *b, base_rc rc) {
    engine_merge_close(b->merge, rc == BASE_OK);
    if (b->how->opened != NULL) b->how->opened(b->how->arg, NULL);
    engine_shadow_close(b->shadow, rc != BASE_E_CANCELLED);
}

static base_rc build_by_shadow(building *b, base_error *err) {
    engine *e = b->engine;
    engine_shadow_config config = b->how->shadow;
    config.ddl_locked = true;
    base_rc rc = engine_shadow_open(e, b->flow, b->version, &config, &b->shadow, err);
    if (rc != BASE_OK) return rc;
    if (b->how->opened != NULL) b->how->opened(b->how->arg, b->shadow);
    uint64_t catalog_version = atomic_load(&e->version);
    plat_mutex_unlock(&e->ddl_lock);
    rc = read_history(b, err);
    if (lock_ddl(b)) {
        if (rc == BASE_OK) rc = merge(b, catalog_version, err);
        close_parts(b, rc);
        return rc;
    }
    if (rc == BASE_OK)
        rc = base_fail(err, BASE_E_NOT_FOUND, BASE_SQLSTATE_UNDEFINED_TABLE,
                       "a stream that \"%s.%s\" reads was dropped while its version was made",
                       b->view->schema, b->view->name);
    close_parts(b, rc);
    plat_mutex_lock(&e->ddl_lock);
    return rc;
}

base_rc engine_version_make(engine *e, const plan_object *view, plan_object *version,
                            const engine_version_build *how, base_error *err) {
    engine_flow *flow = engine_flow_of_view(e, view->id);
    if (flow == NULL || flow->store == NULL) return engine_flow_unavailable(flow, err);
    building b = {.engine = e, .flow = flow, .view = view, .version = version, .how = how};
    bool is_new = atomic_load(&flow->committed_step) == flow->first_step;
    base_rc rc = is_new ? add_new(&b, err) : build_by_shadow(&b, err);
    version->history_lost = b.version->history_lost;
    version->version = b.version->version;
    version->name = b.version->name;
    if (rc == BASE_OK) engine_flow_wake_all(e);
    return rc;
}
