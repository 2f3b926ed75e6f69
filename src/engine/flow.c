// flow.c - flows: the views of one schema and one latency class, with a store, a graph and a cursor
// of their own. Opening, and rebuilding the graph when views come and go. What a flow does at run
// time is step.c; on which thread, runner.c.
//
// Invariants: views stand in the order of their ids, so that a view comes after those it reads; the
// graph, the inputs and the views agree with each other whenever flow->lock is free and the flow is
// neither broken nor failed.
// Entry points: engine_flow_for, engine_flow_add_view, engine_flow_drop_view.

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/be.h"
#include "base/must.h"
#include "engine/finality/expect.h"
#include "engine/history/ledger.h"

static void class_name(int64_t refresh_us, char *out, size_t n) {
    if (refresh_us == 0)
        snprintf(out, n, "immediate");
    else if (refresh_us % BASE_US_PER_SECOND == 0)
        snprintf(out, n, "%llds", (long long)(refresh_us / BASE_US_PER_SECOND));
    else
        snprintf(out, n, "%lldus", (long long)refresh_us);
}

// A schema's name as a file name: letters, digits and _ stand, other bytes are %XX.
static void file_name(const char *name, base_buf *out) {
    for (const char *p = name; *p != 0; p++) {
        if (isalnum((unsigned char)*p) || *p == '_')
            base_buf_add_byte(out, (uint8_t)*p);
        else
            base_buf_printf(out, "%%%02X", (unsigned char)*p);
    }
}

// What a flow keeps is by the ids of objects. A catalogue that was made anew gives other ids.
static base_rc check_identity(engine_flow *flow, base_error *err) {
    engine *e = flow->engine;
    state_txn *txn;
    base_str value, own = {(const char *)&e->identity, sizeof e->identity};
    bool found;
    base_rc rc = state_begin_read(flow->store, &txn, err);
    if (rc != BASE_OK) return rc;
    rc = state_get(txn, flow->t_flow, BASE_STR("catalog"), &value, &found, err);
    bool same = rc == BASE_OK && found && base_str_eq(value, own);
    state_abort(txn);
    if (rc != BASE_OK || same) return rc;
    if (found) {
        base_fail(err, BASE_E_CORRUPT, BASE_SQLSTATE_CORRUPT,
                  "the state in \"%s\" was made under another catalogue than \"%s/catalog\"",
                  flow->dir, e->dir);
        base_error_hint(err, "Move this directory away; it is rebuilt from the log.");
        return BASE_E_CORRUPT;
    }
    rc = state_begin_write(flow->store, &txn, err);
    if (rc != BASE_OK) return rc;
    rc = state_put(txn, flow->t_flow, BASE_STR("catalog"), own, err);
    if (rc == BASE_OK) return state_commit(txn, err);
    state_abort(txn);
    return rc;
}

// Steps are noted in the catalogue in lots, before the first of a lot is given out.
#define STEPS_LOT ((uint64_t)1 << 20)

static base_rc reserve_steps(engine_flow *flow, uint64_t step, base_error *err) {
    if (step < flow->reserved_step || flow->bounds != NULL) return BASE_OK;
    uint64_t upto = (step / STEPS_LOT + 1) * STEPS_LOT;
    base_rc rc = engine_catalog_reserve_steps(flow->engine, flow->name, upto, err);
    if (rc == BASE_OK) flow->reserved_step = upto;
    return rc;
}

// Row "first" of "engine.flow": the step before the store's first one. *found: the store is not
// new.
static base_rc read_steps(engine_flow *flow, engine_flow_row *row, bool *found, base_error *err) {
    state_txn *txn;
    base_str value;
    bool has_first;
    base_rc rc = state_begin_read(flow->store, &txn, err);
    if (rc != BASE_OK) return rc;
    rc = state_get(txn, flow->t_flow, BASE_STR("first"), &value, &has_first, err);
    if (rc == BASE_OK && has_first && value.n == sizeof flow->first_step)
        memcpy(&flow->first_step, value.p, sizeof flow->first_step);
    if (rc == BASE_OK) rc = state_get(txn, flow->t_flow, BASE_STR("step"), &value, found, err);
    if (rc == BASE_OK && *found && value.n == sizeof *row) memcpy(row, value.p, sizeof *row);
    state_abort(txn);
    *found = *found || has_first; // one without "first" is of a version that did not have it
    return rc;
}

static base_rc write_steps(engine_flow *flow, const engine_flow_row *row, base_error *err) {
    state_txn *txn;
    base_rc rc = state_begin_write(flow->store, &txn, err);
    if (rc != BASE_OK) return rc;
    rc = state_put(txn, flow->t_flow, BASE_STR("first"),
                   (base_str){(const char *)&flow->first_step, sizeof flow->first_step}, err);
    if (rc == BASE_OK && flow->first_step > 0)
        rc = state_put(txn, flow->t_flow, BASE_STR("step"),
                       (base_str){(const char *)row, sizeof *row}, err);
    if (rc == BASE_OK) return state_commit(txn, err);
    state_abort(txn);
    return rc;
}

// A store that is new, of a flow that is not: its steps go on after all that may have been given
// out, or a reader of changes who knows step 812 of the lost store would miss step 812 of this one.
static base_rc start_steps(engine_flow *flow, base_error *err) {
    base_rc rc = BASE_OK;
    if (flow->bounds == NULL) // nobody knows a shadow's steps
        rc = engine_catalog_steps(flow->engine, flow->name, &flow->reserved_step, err);
    engine_flow_row row = {0, 0};
    bool found = false;
    if (rc == BASE_OK) rc = read_steps(flow, &row, &found, err);
    if (rc != BASE_OK) return rc;
    if (!found) {
        flow->first_step = flow->reserved_step;
        row.step = flow->first_step;
        row.now_us = flow->bounds != NULL ? flow->bounds->now_us : plat_wall_us(flow->engine->plat);
        rc = write_steps(flow, &row, err);
    }
    return rc == BASE_OK ? reserve_steps(flow, row.step, err) : rc;
}

static base_rc open_store(engine_flow *flow, base_error *err) {
    engine *e = flow->engine;
    state_config config = {.in_memory = e->config.memory_for != NULL, .no_sync = true};
    if (!flow->scratch) config = engine_state_config(e, flow->dir);
    // A step that takes few events in touches pages all over its tables. Large ones pass the
    // journal by (step_is_large); so flows with an interval, which are many, have less in it.
    config.journal = true;
    if (flow->refresh_us > 0 && config.journal_bytes == 0)
        config.journal_bytes = STATE_JOURNAL_BYTES / 2;
    if (flow->bounds != NULL) config.journal = false; // its steps are large
    base_rc rc = state_store_open(e->plat, flow->dir, &config, &flow->store, err);
    if (rc == BASE_OK) rc = state_table_open(flow->store, "engine.flow", &flow->t_flow, err);
    if (rc == BASE_OK) rc = state_table_open(flow->store, "engine.cursor", &flow->t_cursor, err);
    if (rc == BASE_OK) rc = state_table_open(flow->store, "engine.view", &flow->t_view, err);
    if (rc == BASE_OK) rc = state_table_open(flow->store, "engine.layout", &flow->t_layout, err);
    if (rc == BASE_OK) rc = engine_ledger_open(flow, err);
    if (rc == BASE_OK) rc = state_table_open(flow->store, "engine.version", &flow->t_version, err);
    if (rc == BASE_OK)
        rc = state_table_open(flow->store, "engine.quarantine", &flow->t_quarantine, err);
    if (rc == BASE_OK)
        rc = state_table_open(flow->store, "engine.duplicate", &flow->t_duplicate, err);
    if (rc == BASE_OK) rc = state_table_open(flow->store, "engine.moment", &flow->t_moment, err);
    if (rc == BASE_OK)
        rc = state_table_open(flow->store, "engine.disorder", &flow->t_disorder, err);
    if (rc == BASE_OK) rc = state_table_open(flow->store, "engine.expect", &flow->t_expect, err);
    if (rc == BASE_OK) rc = check_identity(flow, err);
    if (rc == BASE_OK) rc = start_steps(flow, err);
    return rc;
}

base_rc engine_flow_open_store(engine_flow *flow, base_error *err) {
    base_rc rc = open_store(flow, err);
    if (rc == BASE_OK) return BASE_OK;
    base_error_prefix(err, "flow %s", flow->name);
    engine_flow_close_store(flow);
    return rc;
}

base_rc engine_flow_reserve_step(engine_flow *flow, base_error *err) {
    return reserve_steps(flow, flow->step + 1, err);
}

base_rc engine_flow_begin_read(engine_flow *flow, state_txn **out, base_error *err) {
    if (flow->store == NULL) return engine_flow_unavailable(flow, err);
    return state_begin_read(flow->store, out, err);
}

static void init_scratch(engine_flow *flow) {
    base_arena_init(&flow->step_arena, 1 << 20);
    base_arena_init(&flow->push_arena, 1 << 16);
    // A busy flow would else fault its pages in each step.
    flow->step_arena.retain_bytes = flow->push_arena.retain_bytes = 64u << 20;
}

static void deinit_scratch(engine_flow *flow) {
    base_arena_deinit(&flow->step_arena);
    base_arena_deinit(&flow->push_arena);
}

engine_flow *engine_flow_create(engine *e, const char *schema, int64_t refresh_us) {
    engine_flow *flow = calloc(1, sizeof *flow);
    must(flow != NULL);
    flow->engine = e;
    flow->refresh_us = refresh_us;
    flow->closed_us = ENGINE_NO_WATERMARK;
    char class_text[64];
    class_name(refresh_us, class_text, sizeof class_text);
    snprintf(flow->schema, sizeof flow->schema, "%s", schema);
    snprintf(flow->name, sizeof flow->name, "%s@%s", schema, class_text);
    base_buf dir = {0};
    base_buf_printf(&dir, "%s/flow/", e->dir);
    file_name(schema, &dir);
    base_buf_printf(&dir, "@%s", class_text);
    flow->dir = strdup(base_buf_cstr(&dir));
    base_buf_deinit(&dir);
    must(flow->dir != NULL);
    plat_mutex_init(&flow->lock);
    plat_cond_init(&flow->wake);
    base_arena_init(&flow->graph_arena, 1 << 14);
    init_scratch(flow);
    return flow;
}

bool engine_flow_takes(const engine_flow *flow, const char *schema, int64_t refresh_us) {
    return flow->refresh_us == refresh_us && strcmp(flow->schema, schema) == 0;
}

base_rc engine_flow_for(engine *e, const char *schema, int64_t refresh_us, engine_flow **out,
                        base_error *err) {
    for (uint32_t i = 0; i < e->nflows; i++) {
        if (engine_flow_takes(e->flows[i], schema, refresh_us)) {
            *out = e->flows[i];
            return BASE_OK;
        }
    }
    if (e->nflows == ENGINE_FLOWS_MAX)
        return base_fail(err, BASE_E_LIMIT, NULL, "more than %u flows", ENGINE_FLOWS_MAX);
    engine_flow *flow = engine_flow_create(e, schema, refresh_us);
    base_rc rc = engine_flow_open_store(flow, err);
    if (rc != BASE_OK) {
        engine_flow_close(flow);
        return rc;
    }
    plat_mutex_lock(&e->flows_lock);
    flow->slot = e->nflows;
    e->flows[e->nflows++] = flow;
    plat_mutex_unlock(&e->flows_lock);
    if (e->config.threads) engine_runner_start_flow(flow);
    *out = flow;
    return BASE_OK;
}

static void close_graph(engine_flow *flow) {
    engine_inputs_close(flow);
    if (flow->graph != NULL) flow_graph_destroy(flow->graph);
    flow->graph = NULL;
}

void engine_flow_close_store(engine_flow *flow) {
    close_graph(flow);
    flow->nviews = 0;
    flow->views = NULL;
    if (flow->store != NULL) state_store_close(flow->store);
    flow->store = NULL;
}

void engine_flow_close(engine_flow *flow) {
    engine_flow_close_store(flow);
    free(flow->wanted);
    free(flow->positions);
    base_arena_deinit(&flow->graph_arena);
    deinit_scratch(flow);
    plat_mutex_deinit(&flow->lock);
    plat_cond_deinit(&flow->wake);
    free(flow->dir);
    free(flow);
}

engine_view *engine_flow_view(engine_flow *flow, uint32_t view_id) {
    for (uint32_t i = 0; i < flow->nviews; i++)
        if (flow->views[i].object->id == view_id) return &flow->views[i];
    return NULL;
}

engine_flow *engine_flow_of_view(engine *e, uint32_t view_id) {
    const plan_object *view = engine_catalog_by_id(e, view_id);
    if (view == NULL || view->kind != PLAN_OBJECT_VIEW) return NULL;
    engine_flow *flow = NULL;
    plat_mutex_lock(&e->flows_lock);
    for (uint32_t i = 0; i < e->nflows && flow == NULL; i++)
        if (engine_flow_takes(e->flows[i], view->schema, view->refresh_us)) flow = e->flows[i];
    plat_mutex_unlock(&e->flows_lock);
    return flow;
}

const plan_object **engine_flow_views(engine *e, const engine_flow *flow, uint32_t *n) {
    const plan_object **views = calloc(ENGINE_OBJECTS_MAX, sizeof *views);
    must(views != NULL);
    *n = 0;
    for (uint32_t id = 0; id < e->next_id; id++) {
        const plan_object *view = engine_catalog_by_id(e, id);
        if (view != NULL && view->kind == PLAN_OBJECT_VIEW &&
            engine_flow_takes(flow, view->schema, view->refresh_us))
            views[(*n)++] = view;
    }
    return views;
}

// Makes graph, inputs and views anew for the given objects, ascending by id. If that fails the flow
// is broken: no step is taken before engine_flow_mend, or views would miss what it reads.
static base_rc build_parts(engine_flow *flow, uint32_t n, const plan_object *const *objects,
                           base_error *err) {
    engine *e = flow->engine;
    close_graph(flow);
    base_arena_reset(&flow->graph_arena);
    flow->views = NULL;
    flow->nviews = 0;
    if (n == 0) { // a flow without views stays, but not what its steps took
        deinit_scratch(flow);
        init_scratch(flow);
    }
    flow_graph_config config = {.store = flow->store,
                                .cache_bytes = e->config.cache_bytes,
                                .dedup_off = e->config.dedup_off,
                                .batch_rows = e->config.batch_rows,
                                .view_rows = {flow, engine_view_rows},
                                .clock = e->plat};
    base_rc rc = flow_graph_create(&config, &flow->graph, err);
    if (rc != BASE_OK) return rc;
    flow->views = base_arena_array(&flow->graph_arena, engine_view, n + 1);
    for (uint32_t i = 0; i < n; i++) {
        rc = flow_graph_add(flow->graph, objects[i], objects[i]->plan, err);
        if (rc != BASE_OK) return rc;
        flow->views[i].object = objects[i];
        flow->nviews = i + 1;
        rc = engine_view_open(flow, &flow->views[i], err);
        if (rc != BASE_OK) return rc;
    }
    rc = engine_layouts_check(flow, err);
    if (rc == BASE_OK) rc = engine_inputs_build(flow, err);
    if (rc != BASE_OK) return rc;
    return engine_flow_reload(flow, err);
}

static void want(engine_flow *flow, uint32_t n, const plan_object *const *objects) {
    if (objects == flow->wanted) return;
    free(flow->wanted);
    flow->wanted = calloc(n + 1, sizeof *flow->wanted);
    must(flow->wanted != NULL);
    if (n > 0) memcpy(flow->wanted, objects, n * sizeof *objects);
    flow->nwanted = n;
}

static base_rc build(engine_flow *flow, uint32_t n, const plan_object *const *objects,
                     base_error *err) {
    want(flow, n, objects);
    flow->broken = true;
    base_rc rc = build_parts(flow, n, flow->wanted, err);
    if (rc == BASE_OK) flow->broken = false;
    return rc;
}

static uint32_t views_without(const engine_flow *flow, uint32_t id, const plan_object **out) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < flow->nwanted; i++)
        if (flow->wanted[i]->id != id) out[n++] = flow->wanted[i];
    return n;
}

static base_rc open_views(engine_flow *flow, uint32_t n, const plan_object *const *views,
                          base_error *err);

// For a view that comes or goes. A failed flow's are made when it is there again; one that is to be
// mended first is mended with it, since that knows which views lack their history.
static base_rc rebuild(engine_flow *flow, uint32_t n, const plan_object *const *objects,
                       base_error *err) {
    if (flow->store == NULL) {
        want(flow, n, objects);
        return BASE_OK;
    }
    bool mend = flow->broken || flow->retake;
    return mend ? open_views(flow, n, objects, err) : build(flow, n, objects, err);
}

base_rc engine_flow_add_view(engine_flow *flow, const plan_object *view, base_error *err) {
    plat_mutex_lock(&flow->lock);
    base_rc rc = engine_flow_add_view_locked(flow, view, err);
    plat_mutex_unlock(&flow->lock);
    return rc;
}

base_rc engine_flow_add_view_locked(engine_flow *flow, const plan_object *view, base_error *err) {
    const plan_object **objects = calloc(flow->nwanted + 1, sizeof *objects);
    must(objects != NULL);
    uint32_t n = views_without(flow, view->id, objects);
    uint32_t at = n;
    while (at > 0 && objects[at - 1]->id > view->id) {
        objects[at] = objects[at - 1];
        at--;
    }
    objects[at] = view;
    base_rc rc = rebuild(flow, n + 1, objects, err);
    if (rc == BASE_OK && flow->store != NULL) rc = engine_flow_fill(flow, view, err);
    if (rc != BASE_OK) { // as it was before
        memmove(objects + at, objects + at + 1, (n - at) * sizeof *objects);
        base_error second;
        if (rebuild(flow, n, objects, &second) != BASE_OK)
            engine_say(flow->engine, ENGINE_ERROR, "flow %s: could not be put back: %s", flow->name,
                       second.message);
    }
    free(objects);
    return rc;
}

static base_rc drop_facts(engine_flow *flow, const plan_object *view, base_error *err) {
    char name[32], key[4];
    snprintf(name, sizeof name, "v%u", view->id);
    base_rc rc = state_table_drop(flow->store, name, err);
    snprintf(name, sizeof name, "c%u", view->id);
    if (rc == BASE_OK) rc = state_table_drop(flow->store, name, err);
    if (rc == BASE_OK) rc = flow_state_drop(flow->store, plan_object_state_id(view), err);
    if (rc != BASE_OK) return rc;
    state_txn *txn;
    rc = state_begin_write(flow->store, &txn, err);
    if (rc != BASE_OK) return rc;
    base_be_put(key, view->id, 4);
    bool found;
    rc = state_delete(txn, flow->t_view, (base_str){key, 4}, &found, err);
    if (rc == BASE_OK) rc = engine_layout_drop(flow, txn, true, plan_object_state_id(view), err);
    if (rc == BASE_OK) rc = engine_ledger_drop(flow, txn, view->id, err);
    if (rc == BASE_OK) rc = state_delete(txn, flow->t_version, (base_str){key, 4}, &found, err);
    if (rc != BASE_OK) {
        state_abort(txn);
        return rc;
    }
    return state_commit(txn, err);
}

static base_rc drop_cursors(engine_flow *flow, uint32_t object_id, base_error *err) {
    state_txn *txn;
    base_rc rc = state_begin_write(flow->store, &txn, err);
    if (rc != BASE_OK) return rc;
    char from[4], to[4];
    base_be_put(from, object_id, 4);
    base_be_put(to, object_id + 1, 4);
    uint64_t deleted;
    rc = state_delete_range(txn, flow->t_cursor, (base_str){from, 4}, (base_str){to, 4}, &deleted,
                            err);
    if (rc == BASE_OK)
        rc = state_delete_range(txn, flow->t_disorder, (base_str){from, 4}, (base_str){to, 4},
                                &deleted, err);
    if (rc == BASE_OK) rc = engine_expect_drop(flow, txn, object_id, err);
    if (rc == BASE_OK) rc = engine_layout_drop(flow, txn, false, object_id, err);
    if (rc == BASE_OK) return state_commit(txn, err);
    state_abort(txn);
    return rc;
}

// Leaves of the inputs `before` those that no view reads any more.
static uint32_t unread_inputs(const engine_flow *flow, uint32_t *before, uint32_t nbefore) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < nbefore; i++) {
        bool still = false;
        for (uint32_t k = 0; k < flow->ninputs; k++)
            if (flow->inputs[k].object->id == before[i]) still = true;
        if (!still) before[n++] = before[i];
    }
    return n;
}

// Cursors and source tables of inputs that no view reads any more are dropped with their last
// reader, so that a later view starts from the beginning of the log.
static base_rc drop_unread_inputs(engine_flow *flow, const uint32_t *unread, uint32_t n,
                                  base_error *err) {
    for (uint32_t i = 0; i < n; i++) {
        // The cursor first: without it the rows are read again and meet a source that knows them,
        // but with it alone a table would seem to have been read and be empty.
        base_rc rc = drop_cursors(flow, unread[i], err);
        if (rc == BASE_OK) rc = flow_source_drop(flow->store, unread[i], err);
        if (rc != BASE_OK) return rc;
    }
    return BASE_OK;
}

base_rc engine_flow_drop_view(engine_flow *flow, const plan_object *view, base_error *err) {
    plat_mutex_lock(&flow->lock);
    const plan_object **objects = calloc(flow->nwanted + 1, sizeof *objects);
    uint32_t nbefore = flow->ninputs;
    uint32_t *before = calloc(nbefore + 1, sizeof *before);
    must(objects != NULL && before != NULL);
    for (uint32_t i = 0; i < nbefore; i++) before[i] = flow->inputs[i].object->id;
    uint32_t n = views_without(flow, view->id, objects);
    base_rc rc = rebuild(flow, n, objects, err);
    uint32_t nunread = unread_inputs(flow, before, nbefore);
    plat_mutex_unlock(&flow->lock);
    // No step knows of it any more, and none is waited for by others that come.
    if (rc == BASE_OK && flow->store != NULL) {
        rc = state_store_settle(flow->store, err);
        if (rc == BASE_OK) rc = drop_facts(flow, view, err);
        if (rc == BASE_OK) rc = drop_unread_inputs(flow, before, nunread, err);
    }
    free(objects);
    free(before);
    return rc;
}

// ---- views to be made again ----

// Whether another flow's view, of which this flow has taken over the steps up to a cursor, was made
// anew since (its changes after the cursor are not there), or has lost steps that were taken over.
static base_rc upstream_lost(engine_flow *flow, const plan_object *object, bool *lost,
                             base_error *err) {
    *lost = false;
    state_txn *txn;
    base_rc rc = state_begin_read(flow->store, &txn, err);
    if (rc != BASE_OK) return rc;
    engine_cursor cursor;
    bool found;
    rc = engine_cursor_read(txn, flow->t_cursor, object->id, 0, &cursor, &found, err);
    state_abort(txn);
    if (rc != BASE_OK || !found || !cursor.started) return rc;
    engine_view_snapshot snapshot;
    base_error none;
    // One that cannot be read now is met again when it can.
    if (engine_view_snapshot_open(flow->engine, object, &snapshot, &none) != BASE_OK)
        return BASE_OK;
    *lost = cursor.next < snapshot.trimmed_step || cursor.next > snapshot.step;
    engine_view_snapshot_close(&snapshot);
    return BASE_OK;
}

typedef struct lost_scan {
    engine_flow *flow;
    const bool *views_lost; // of the wanted ones
    bool *upstream;         // by id: made anew
    bool lost;              // the view at hand
    base_rc rc;
    base_error *err;
} lost_scan;

static void visit_lost(void *arg, const plan_node *scan) {
    lost_scan *l = arg;
    const plan_object *object = scan->object;
    if (l->rc != BASE_OK || object->kind != PLAN_OBJECT_VIEW) return;
    for (uint32_t i = 0; i < l->flow->nwanted; i++) {
        if (l->flow->wanted[i]->id != object->id) continue;
        l->lost = l->lost || l->views_lost[i];
        return;
    }
    bool lost;
    l->rc = upstream_lost(l->flow, object, &lost, l->err);
    if (l->rc != BASE_OK || !lost) return;
    l->lost = l->upstream[object->id] = true;
}

// Views that stand on a view which was made anew lose what they have. The cursors go last: as long
// as they are there a crash in between begins this again.
static base_rc drop_lost(engine_flow *flow, base_error *err) {
    base_rc rc = BASE_OK;
    bool *lost = calloc(flow->nwanted + 1, sizeof *lost);
    bool *upstream = calloc(ENGINE_OBJECTS_MAX, sizeof *upstream);
    must(lost != NULL && upstream != NULL);
    lost_scan scan = {.flow = flow, .views_lost = lost, .upstream = upstream, .err = err};
    for (uint32_t i = 0; rc == BASE_OK && i < flow->nwanted; i++) {
        const plan_object *view = flow->wanted[i];
        scan.lost = false;
        plan_node_scans(view->plan, visit_lost, &scan);
        rc = scan.rc;
        lost[i] = scan.lost;
        if (rc != BASE_OK || !lost[i]) continue;
        engine_say(flow->engine, ENGINE_WARNING,
                   "materialized view \"%s.%s\" stands on a view that was made anew: so is it",
                   view->schema, view->name);
        rc = drop_facts(flow, view, err);
    }
    for (uint32_t id = 0; rc == BASE_OK && id < ENGINE_OBJECTS_MAX; id++)
        if (upstream[id]) rc = drop_cursors(flow, id, err);
    free(upstream);
    free(lost);
    return rc;
}

// A view whose statement did not come to its end is made anew: what it has goes, and it gets its
// history as a new view does. So is one that has lost what it stands on.
static base_rc open_views(engine_flow *flow, uint32_t n, const plan_object *const *views,
                          base_error *err) {
    want(flow, n, views);
    flow->broken = true;
    close_graph(flow);
    bool *unfilled = calloc(n + 1, sizeof *unfilled);
    must(unfilled != NULL);
    base_rc rc = drop_lost(flow, err);
    for (uint32_t i = 0; rc == BASE_OK && i < n; i++) {
        uint64_t step;
        bool complete;
        rc = engine_view_complete(flow, flow->wanted[i], &step, &complete, err);
        if (rc != BASE_OK || complete) continue;
        unfilled[i] = true;
        engine_say(flow->engine, ENGINE_WARNING,
                   "materialized view \"%s.%s\" was not complete: it is filled again",
                   flow->wanted[i]->schema, flow->wanted[i]->name);
        rc = drop_facts(flow, flow->wanted[i], err);
    }
    if (rc == BASE_OK) rc = build(flow, n, flow->wanted, err);
    for (uint32_t i = 0; rc == BASE_OK && i < n; i++) flow->views[i].unfilled = unfilled[i];
    for (uint32_t i = 0; rc == BASE_OK && i < n; i++)
        if (unfilled[i]) rc = engine_flow_fill(flow, flow->wanted[i], err);
    if (rc == BASE_OK)
        flow->retake = false;
    else
        flow->broken = true; // what is unfilled is found again
    free(unfilled);
    return rc;
}

base_rc engine_flow_open_views(engine_flow *flow, uint32_t n, const plan_object *const *views,
                               base_error *err) {
    plat_mutex_lock(&flow->lock);
    base_rc rc = engine_flow_open_views_locked(flow, n, views, err);
    plat_mutex_unlock(&flow->lock);
    return rc;
}

base_rc engine_flow_open_views_locked(engine_flow *flow, uint32_t n,
                                      const plan_object *const *views, base_error *err) {
    if (flow->store != NULL) return open_views(flow, n, views, err);
    want(flow, n, views);
    return BASE_OK;
}

base_rc engine_flow_mend(engine_flow *flow, base_error *err) {
    base_rc rc = open_views(flow, flow->nwanted, flow->wanted, err);
    if (rc != BASE_OK) base_error_prefix(err, "flow %s", flow->name);
    return rc;
}
