// version.c - versions of a materialized view: making one, promoting it, rolling back, dropping.
//
// A version is an object of its own with an id, a place in its view's flow and rows ("sales.v@2"),
// so it is kept current by the steps that keep the view current, at the same positions: the two can
// be compared in one snapshot at any time. How it gets its history: version_build.c.
//
// Promotion: the view's id, name, rows, changes and ledger stay, and so does all that stands on it;
// plan, definition and the id of the operators' state change places with the version's. One step of
// the flow applies the differences (version_swap.c) and is the commit point; the catalogue follows
// in one commit of its own, and if a crash comes between the two, at the next start (settle). The
// version that was replaced stays beside the view, current, until it is dropped: rolling back is
// the same in the other direction.
//
// Invariants: a view and its versions have the same columns, key, window, refresh; none reads what
// stands on the view. Entry points: engine_version_create, engine_version_alter.
#include "engine/version/version.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/be.h"
#include "base/must.h"
#include "engine/version/replay.h"

// ---- finding ------------------------------------------------------------------------------------

typedef struct version_search {
    uint32_t view_id, n, count, greatest;
    const plan_object *found;
} version_search;

static void visit_version(void *arg, const plan_object *object) {
    version_search *s = arg;
    if (object->kind != PLAN_OBJECT_VIEW || object->version_of != s->view_id) return;
    s->count++;
    if (object->version > s->greatest) s->greatest = object->version;
    bool better = s->n == 0 ? s->found == NULL || object->version > s->found->version
                            : object->version == s->n;
    if (better) s->found = object;
}

static version_search search(engine *e, const plan_object *view, uint32_t n) {
    version_search s = {.view_id = view->id, .n = n};
    engine_objects(e, visit_version, &s);
    if (view->version > s.greatest) s.greatest = view->version;
    return s;
}

const plan_object *engine_version_find(engine *e, const plan_object *view, uint32_t n) {
    return search(e, view, n).found;
}

static void mark_version(void *arg, const plan_node *scan) {
    bool *found = arg;
    if (scan->object->version_of != 0) *found = true;
}

bool engine_stands_on_version(engine *e, const plan_object *object) {
    bool found = object->kind == PLAN_OBJECT_SINK && object->from->version_of != 0;
    if (object->kind == PLAN_OBJECT_RECONCILIATION) return false; // on either side
    if (object->plan != NULL) plan_node_scans(object->plan, mark_version, &found);
    for (uint32_t i = 0; i < object->nuses && !found; i++) {
        const plan_object *used = engine_catalog_by_id(e, object->uses[i]);
        found = used != NULL && used->version_of != 0;
    }
    return found;
}

// ---- whether it fits ----------------------------------------------------------------------------

static base_rc misfit(const plan_object *view, base_error *err, const char *what) {
    base_fail(err, BASE_E_UNSUPPORTED, BASE_SQLSTATE_UNSUPPORTED,
              "this is no version of \"%s.%s\": %s", view->schema, view->name, what);
    base_error_hint(err, "Whoever reads the view must not notice more than other values. Make a "
                         "view of another name beside it.");
    return err->code;
}

static base_rc check_columns(const plan_object *view, const plan_object *version, base_error *err) {
    char what[300];
    if (view->ncolumns != version->ncolumns)
        return misfit(view, err, "it has another number of columns");
    for (uint32_t i = 0; i < view->ncolumns; i++) {
        const plan_column *a = &view->columns[i], *b = &version->columns[i];
        if (strcmp(a->name, b->name) == 0 && col_type_eq(&a->type, &b->type)) continue;
        snprintf(what, sizeof what, "column %u is \"%.60s\" %s there and \"%.60s\" %s here", i + 1,
                 a->name, col_kind_name(a->type.kind), b->name, col_kind_name(b->type.kind));
        return misfit(view, err, what);
    }
    bool same_key = view->nview_key == version->nview_key;
    for (uint32_t i = 0; same_key && i < view->nview_key; i++)
        same_key = view->view_key[i] == version->view_key[i];
    if (!same_key) return misfit(view, err, "other columns tell its rows apart");
    if (view->refresh_us != version->refresh_us) return misfit(view, err, "its refresh differs");
    if (view->window_column != version->window_column)
        return misfit(view, err, "another column says when a row's window ends");
    if (view->emit_on_close != version->emit_on_close)
        return misfit(view, err, "one of them has EMIT ON WINDOW CLOSE");
    return BASE_OK;
}

typedef struct circle {
    engine *engine;
    const plan_object *view;
    const plan_object *found; // what the version may not read
} circle;

static void visit_circle(void *arg, const plan_node *scan) {
    circle *c = arg;
    const plan_object *object = engine_catalog_by_id(c->engine, scan->object->id);
    if (object == NULL || object->kind != PLAN_OBJECT_VIEW || c->found != NULL) return;
    // In one flow a view's rows are made after those of older views.
    bool same_flow =
        strcmp(object->schema, c->view->schema) == 0 && object->refresh_us == c->view->refresh_us;
    if (object->id == c->view->id || (same_flow && object->id > c->view->id)) {
        c->found = object;
        return;
    }
    plan_node_scans(object->plan, visit_circle, c);
}

static base_rc check_inputs(engine *e, const plan_object *view, const plan_object *version,
                            base_error *err) {
    circle c = {e, view, NULL};
    plan_node_scans(version->plan, visit_circle, &c);
    if (c.found == NULL) return BASE_OK;
    char what[300];
    snprintf(what, sizeof what, "it would read \"%.60s.%.60s\", which %s", c.found->schema,
             c.found->name,
             c.found == view ? "is the view itself" : "is a newer view of the same flow");
    return misfit(view, err, what);
}

// ---- making one ---------------------------------------------------------------------------------

static void notice(engine_session *session, engine_result *out, const char *text) {
    base_arena *arena = &session->engine->catalog_arena;
    const char **notices = base_arena_array(arena, const char *, out->nnotices + 1);
    for (size_t i = 0; i < out->nnotices; i++) notices[i] = out->notices[i];
    notices[out->nnotices] = base_arena_strdup(arena, text);
    out->notices = notices;
    out->nnotices++;
}

base_rc engine_version_check(engine *e, const plan_object *view, const plan_object *version,
                             base_error *err) {
    engine_flow *flow = engine_flow_of_view(e, view->id);
    if (view->version_of != 0) return misfit(view, err, "that is a version itself");
    base_rc rc = check_columns(view, version, err);
    if (rc == BASE_OK) rc = check_inputs(e, view, version, err);
    if (rc != BASE_OK) return rc;
    if (engine_stands_on_version(e, version)) return misfit(view, err, "it would read a version");
    if (flow == NULL || flow->store == NULL)
        return flow != NULL ? engine_flow_unavailable(flow, err)
                            : misfit(view, err, "the view has no flow");
    if (search(e, view, 0).count >= ENGINE_VERSIONS_MAX)
        return base_fail(err, BASE_E_LIMIT, NULL, "\"%s.%s\" has %u versions beside it already",
                         view->schema, view->name, ENGINE_VERSIONS_MAX);
    if (e->next_id >= ENGINE_OBJECTS_MAX)
        return base_fail(err, BASE_E_LIMIT, NULL, "the catalogue has given out all %u object ids",
                         ENGINE_OBJECTS_MAX);
    return BASE_OK;
}

base_rc engine_version_number(engine *e, const plan_object *view, plan_object *version,
                              base_error *err) {
    uint32_t greatest = search(e, view, 0).greatest;
    uint32_t reserved = engine_replay_version_greatest(e, view->id); // not in the catalogue yet
    version->version = (reserved > greatest ? reserved : greatest) + 1;
    version->version_of = view->id;
    version->name = base_arena_printf(&e->catalog_arena, "%s@%u", view->name, version->version);
    if (engine_catalog_find(e, version->schema, version->name) != NULL)
        return base_fail(err, BASE_E_EXISTS, BASE_SQLSTATE_DUPLICATE_TABLE,
                         "\"%s.%s\", the name of the version, is taken", version->schema,
                         version->name);
    return BASE_OK;
}

base_rc engine_version_name(engine *e, const plan_object *view, plan_object *version,
                            base_error *err) {
    base_rc rc = engine_version_number(e, view, version, err);
    if (rc == BASE_OK) version->id = e->next_id++;
    return rc;
}

base_rc engine_version_create(engine_session *session, const plan_object *there,
                              plan_object *object, engine_result *out, base_error *err) {
    engine *e = session->engine;
    snprintf(out->tag, sizeof out->tag, "CREATE MATERIALIZED VIEW");
    base_rc rc = engine_version_check(e, there, object, err);
    if (rc == BASE_OK) rc = engine_version_name(e, there, object, err);
    if (rc != BASE_OK) return rc;
    char name[64];
    snprintf(name, sizeof name, "version.%u", object->id);
    engine_version_build how = {.shadow = {.name = name}, .cancel = &session->cancel};
    rc = engine_version_make(e, there, object, &how, err);
    if (rc != BASE_OK) return rc;
    uint32_t n = object->version;
    char text[400];
    snprintf(
        text, sizeof text,
        "version %u of %s.%s is kept beside version %u: see weir.diff, then ALTER MATERIALIZED "
        "VIEW %s.%s PROMOTE",
        n, there->schema, there->name, there->version, there->schema, there->name);
    notice(session, out, text);
    if (object->history_lost == 0) return BASE_OK;
    snprintf(text, sizeof text,
             "its history is not whole: retention has removed %llu records that the view may have "
             "been made of",
             (unsigned long long)object->history_lost);
    notice(session, out, text);
    return BASE_OK;
}

// ---- promoting ----------------------------------------------------------------------------------

typedef struct exchange {
    plan_object *view, *version; // as they will be
} exchange;

// What the view is, by the version's definition, and the other way round.
static exchange exchanged(engine *e, const plan_object *view, const plan_object *version,
                          bool is_replay) {
    exchange x = {base_arena_new(&e->catalog_arena, plan_object),
                  base_arena_new(&e->catalog_arena, plan_object)};
    *x.view = *version;
    x.view->id = view->id;
    x.view->name = view->name;
    x.view->version_of = 0;
    x.view->is_replay = false;
    x.view->history_lost = is_replay ? view->history_lost : version->history_lost;
    x.view->former_version = is_replay ? view->former_version : view->version;
    if (is_replay) x.view->version = view->version;
    x.view->state_id = plan_object_state_id(version);
    *x.version = *view;
    x.version->id = version->id;
    x.version->name = version->name;
    if (!is_replay)
        x.version->name = base_arena_printf(&e->catalog_arena, "%s@%u", view->name, view->version);
    x.version->version_of = view->id;
    x.version->is_replay = is_replay;
    x.version->former_version = 0;
    x.version->state_id = plan_object_state_id(view);
    x.view->comment = view->comment; // by COMMENT ON, of the view
    plan_column *columns = base_arena_array(&e->catalog_arena, plan_column, x.view->ncolumns + 1u);
    for (uint32_t i = 0; i < x.view->ncolumns; i++) {
        columns[i] = version->columns[i];
        columns[i].comment = view->columns[i].comment;
    }
    x.view->columns = columns;
    return x;
}

static void put_both(engine *e, const exchange *x, const plan_object *old_version) {
    engine_catalog_remove(e, old_version); // its name
    engine_catalog_put(e, x->view);
    engine_catalog_put(e, x->version);
}

static void put_back(engine *e, const plan_object *view, const plan_object *version,
                     const exchange *x) {
    engine_catalog_remove(e, x->version);
    engine_catalog_put(e, (plan_object *)(uintptr_t)view);
    engine_catalog_put(e, (plan_object *)(uintptr_t)version);
    const plan_object *changed;
    base_error err;
    if (engine_rebind_dependents(e, view->id, &changed, &err) != BASE_OK)
        engine_say(e, ENGINE_ERROR, "%s", err.message);
}

typedef struct named_by {
    const plan_object *version, *found;
} named_by;

static void visit_reconciliation(void *arg, const plan_object *object) {
    named_by *n = arg;
    if (object->kind != PLAN_OBJECT_RECONCILIATION) return;
    if (object->from->id == n->version->id ||
        (object->book != NULL && object->book->id == n->version->id))
        n->found = object;
}

// A reconciliation names the version; the name goes, and its text could not be bound any more when
// the catalogue is opened.
static base_rc check_names(engine *e, const plan_object *version, base_error *err) {
    named_by n = {.version = version};
    engine_objects(e, visit_reconciliation, &n);
    if (n.found == NULL) return BASE_OK;
    base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_DEPENDENT_OBJECTS,
              "reconciliation \"%s.%s\" names \"%s.%s\", which is to have another name",
              n.found->schema, n.found->name, version->schema, version->name);
    base_error_hint(err, "Drop the reconciliation first; one of the view itself stays.");
    return BASE_E_INVALID;
}

// All that stands on the view is bound to the definition to come.
static base_rc rebind(engine *e, const plan_object *view, const plan_object *version,
                      const exchange *x, base_error *err) {
    put_both(e, x, version);
    const plan_object *changed;
    base_rc rc = engine_rebind_dependents(e, view->id, &changed, err);
    if (rc == BASE_OK && changed != NULL) {
        rc = base_fail(err, BASE_E_UNSUPPORTED, BASE_SQLSTATE_DEPENDENT_OBJECTS,
                       "\"%s.%s\" stands on \"%s.%s\" and would be computed in another way over "
                       "version %u",
                       changed->schema, changed->name, view->schema, view->name, version->version);
        base_error_hint(err, "Drop it first and make it again after.");
    }
    if (rc != BASE_OK) put_back(e, view, version, x);
    return rc;
}

static base_rc take_views(engine_flow *flow, bool locked, base_error *err) {
    uint32_t n;
    const plan_object **views = engine_flow_views(flow->engine, flow, &n);
    base_rc rc = locked ? engine_flow_open_views_locked(flow, n, views, err)
                        : engine_flow_open_views(flow, n, views, err);
    free(views);
    return rc;
}

// The other flows take the objects as they are bound now.
static base_rc take_views_elsewhere(engine *e, const engine_flow *but, base_error *err) {
    base_rc rc = BASE_OK;
    for (uint32_t i = 0; rc == BASE_OK && i < e->nflows; i++)
        if (e->flows[i] != but && e->flows[i]->store != NULL)
            rc = take_views(e->flows[i], false, err);
    return rc;
}

// flow->lock held.
static base_rc swap_and_take(engine_flow *flow, engine_swap *swap, const char *cause,
                             uint64_t *differing, bool *swapped, base_error *err) {
    if (flow->broken || flow->retake || flow->reload)
        return base_fail(err, BASE_E_BUSY, BASE_SQLSTATE_NOT_IN_STATE,
                         "flow %s is not in order just now", flow->name);
    base_rc rc = engine_swap_run(swap, cause, differing, err);
    *swapped = rc == BASE_OK;
    return rc == BASE_OK ? take_views(flow, true, err) : rc;
}

// After the swap's commit nothing can go back: what fails then is an error, and the next start
// finishes the work.
static base_rc exchange_both(engine *e, engine_flow *flow, engine_swap *swap, const exchange *x,
                             const plan_object *view, const plan_object *version, const char *cause,
                             uint64_t *differing, base_error *err) {
    base_rc rc = rebind(e, view, version, x, err);
    if (rc != BASE_OK) return rc;
    bool swapped = false;
    plat_mutex_lock(&flow->lock);
    rc = swap_and_take(flow, swap, cause, differing, &swapped, err);
    if (!swapped) {
        put_back(e, view, version, x);
        base_error second;
        if (take_views(flow, true, &second) != BASE_OK)
            engine_say(e, ENGINE_ERROR, "%s", second.message);
    }
    plat_mutex_unlock(&flow->lock);
    base_error stored;
    if (swapped && engine_catalog_store_two(e, x->view, x->version, &stored) != BASE_OK) {
        if (rc == BASE_OK) *err = stored;
        return err->code;
    }
    return rc;
}

base_rc engine_version_exchange(engine *e, const plan_object *view, const plan_object *version,
                                bool is_replay, const char *cause, volatile bool *cancel,
                                uint64_t *differing, base_error *err) {
    engine_flow *flow = engine_flow_of_view(e, view->id);
    *differing = 0;
    if (flow == NULL || flow->store == NULL) return engine_flow_unavailable(flow, err);
    base_rc rc = is_replay ? BASE_OK : check_names(e, version, err);
    if (rc != BASE_OK) return rc;
    exchange x = exchanged(e, view, version, is_replay);
    engine_swap *swap;
    rc = engine_swap_open(flow, view, version, cancel, &swap, err);
    if (rc == BASE_OK) rc = exchange_both(e, flow, swap, &x, view, version, cause, differing, err);
    engine_swap_close(swap);
    if (rc == BASE_OK) rc = take_views_elsewhere(e, flow, err);
    engine_notify_commit(flow);
    return rc;
}

static base_rc promote(engine_session *session, const plan_object *view, const plan_object *version,
                       const char *cause, engine_result *out, base_error *err) {
    uint64_t differing;
    base_rc rc = engine_version_exchange(session->engine, view, version, false, cause,
                                         &session->cancel, &differing, err);
    if (rc != BASE_OK) return rc;
    char text[300];
    snprintf(text, sizeof text,
             "%s.%s is version %u now: %llu rows changed; version %u is kept beside it",
             view->schema, view->name, version->version, (unsigned long long)differing,
             view->version);
    notice(session, out, text);
    return BASE_OK;
}

static base_rc no_version(const plan_object *view, uint32_t n, base_error *err) {
    if (n == 0)
        return base_fail(err, BASE_E_NOT_FOUND, BASE_SQLSTATE_UNDEFINED_OBJECT,
                         "\"%s.%s\" has no version beside it", view->schema, view->name);
    return base_fail(err, BASE_E_NOT_FOUND, BASE_SQLSTATE_UNDEFINED_OBJECT,
                     "\"%s.%s\" has no version %u beside it", view->schema, view->name, n);
}

static base_rc alter(engine_session *session, const sql_statement *s, const plan_object *view,
                     engine_result *out, base_error *err) {
    engine *e = session->engine;
    char cause[80];
    uint32_t n = s->version;
    if (s->action == SQL_VERSION_ROLL_BACK) {
        n = view->former_version;
        if (n == 0)
            return base_fail(err, BASE_E_NOT_FOUND, BASE_SQLSTATE_UNDEFINED_OBJECT,
                             "\"%s.%s\" has no former version", view->schema, view->name);
    }
    const plan_object *version = engine_version_find(e, view, n);
    if (version == NULL) return no_version(view, n, err);
    switch (s->action) {
    case SQL_VERSION_PROMOTE:
        if (version->history_lost > 0 && !s->cascade) {
            base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_NOT_IN_STATE,
                      "version %u of \"%s.%s\" lacks history: retention had removed %llu records "
                      "when it was made, and what the view shows of them would go",
                      version->version, view->schema, view->name,
                      (unsigned long long)version->history_lost);
            base_error_hint(err, "PROMOTE ... FORCE does it all the same.");
            return err->code;
        }
        snprintf(cause, sizeof cause, "version %u", version->version);
        return promote(session, view, version, cause, out, err);
    case SQL_VERSION_ROLL_BACK:
        snprintf(cause, sizeof cause, "version %u, rolled back", version->version);
        return promote(session, view, version, cause, out, err);
    case SQL_VERSION_DROP:
        return engine_drop_object(e, version, false, NULL, err);
    }
    return BASE_OK;
}

base_rc engine_version_alter(engine_session *session, const sql_statement *s, engine_result *out,
                             base_error *err) {
    engine *e = session->engine;
    snprintf(out->tag, sizeof out->tag, "ALTER MATERIALIZED VIEW");
    plat_mutex_lock(&e->ddl_lock);
    const plan_object *view;
    base_rc rc = engine_catalog_find_view(e, s->schema, s->name, &view, err);
    if (rc == BASE_OK && view->version_of != 0)
        rc = base_fail(err, BASE_E_INVALID, "42809", "\"%s.%s\" is a version of a view",
                       view->schema, view->name);
    if (rc == BASE_OK) rc = alter(session, s, view, out, err);
    plat_mutex_unlock(&e->ddl_lock);
    return rc;
}

base_rc engine_versions_drop(engine *e, const plan_object *view, base_error *err) {
    base_rc rc = BASE_OK;
    if (view->kind != PLAN_OBJECT_VIEW || view->version_of != 0) return rc;
    const plan_object *version;
    while (rc == BASE_OK && (version = engine_version_find(e, view, 0)) != NULL)
        rc = engine_drop_object(e, version, true, NULL, err);
    return rc;
}

// ---- after a crash ------------------------------------------------------------------------------

base_rc engine_version_read(const engine_flow *flow, state_txn *txn, uint32_t view_id,
                            engine_version_row *out, bool *found, base_error *err) {
    char key[4];
    base_str value;
    base_be_put(key, view_id, 4);
    *out = (engine_version_row){0};
    base_rc rc = state_get(txn, flow->t_version, (base_str){key, 4}, &value, found, err);
    if (rc != BASE_OK || !*found) return rc;
    // Of a program before it, the state's id alone.
    *found = value.n == sizeof *out || value.n == sizeof out->state_id;
    if (*found) memcpy(out, value.p, value.n);
    return BASE_OK;
}

static base_rc state_of(engine_flow *flow, const plan_object *view, uint32_t *state_id,
                        base_error *err) {
    state_txn *txn;
    engine_version_row row;
    bool found;
    *state_id = plan_object_state_id(view);
    base_rc rc = state_begin_read(flow->store, &txn, err);
    if (rc != BASE_OK) return rc;
    rc = engine_version_read(flow, txn, view->id, &row, &found, err);
    if (rc == BASE_OK && found) *state_id = row.state_id;
    state_abort(txn);
    return rc;
}

typedef struct by_state {
    uint32_t view_id, state_id;
    const plan_object *found;
} by_state;

static void visit_by_state(void *arg, const plan_object *object) {
    by_state *s = arg;
    if (object->kind == PLAN_OBJECT_VIEW && object->version_of == s->view_id &&
        plan_object_state_id(object) == s->state_id)
        s->found = object;
}

base_rc engine_versions_settle(engine_flow *flow, base_error *err) {
    engine *e = flow->engine;
    uint32_t n;
    const plan_object **views = engine_flow_views(e, flow, &n);
    base_rc rc = engine_merge_sweep(flow, err);
    for (uint32_t i = 0; rc == BASE_OK && i < n; i++) {
        const plan_object *view = views[i];
        uint32_t state_id;
        if (view->version_of != 0) continue;
        rc = state_of(flow, view, &state_id, err);
        if (rc != BASE_OK || state_id == plan_object_state_id(view)) continue;
        by_state s = {view->id, state_id, NULL};
        engine_objects(e, visit_by_state, &s);
        if (s.found == NULL) {
            rc = base_fail(err, BASE_E_CORRUPT, BASE_SQLSTATE_CORRUPT,
                           "the state in \"%s\" is of a version of \"%s.%s\" that the catalogue "
                           "does not have",
                           flow->dir, view->schema, view->name);
            continue;
        }
        engine_say(e, ENGINE_INFO, "\"%s.%s\" is version %u: its promotion is finished",
                   view->schema, view->name, s.found->version);
        exchange x = exchanged(e, view, s.found, s.found->is_replay);
        rc = rebind(e, view, s.found, &x, err);
        if (rc == BASE_OK) rc = engine_catalog_store_two(e, x.view, x.version, err);
    }
    free(views);
    return rc;
}
