// reopen.c - flows that cannot be opened: opening all flows at start, trying failed ones again, and
// making a flow anew from the log.
//
// What a flow keeps is derived from the log. So a flow whose store is damaged, or cannot be opened
// for another reason, fails alone: the engine starts and takes events, the other flows step and
// answer; the failed one answers with the error and the remedy. It is tried again with growing
// pauses: a passing failure (a full disk, a missing right) mends itself, and a directory that an
// operator moves away is made again while the server runs.
//
// Invariants: a flow is opened in a struct of its own, which takes the old one's slot when it is
// ready; the old one lives until close, for those who still read a snapshot of it. Nothing is
// deleted here: a store that is given up is renamed. Entry points: engine_flows_open,
// engine_flows_retry, engine_rebuild_flow.

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/calendar.h"
#include "base/must.h"
#include "engine/version/version.h"

base_rc engine_flow_unavailable(engine_flow *flow, base_error *err) {
    plat_mutex_lock(&flow->engine->flows_lock);
    *err = flow->error;
    plat_mutex_unlock(&flow->engine->flows_lock);
    must(err->code != BASE_OK);
    return err->code;
}

static int64_t monotonic_us(engine *e) {
    return (int64_t)(plat_monotonic_ns(e->plat) / 1000);
}

void engine_flow_hint(const engine_flow *flow, base_error *err) {
    bool is_damage = err->code == BASE_E_CORRUPT || err->code == BASE_E_UNSUPPORTED;
    if (!is_damage || strstr(err->message, flow->dir) == NULL) return; // perhaps of the log
    base_error_hint(err,
                    "Its views are derived from the log: REBUILD FLOW \"%s\" sets the directory "
                    "aside and makes them again. Or move the directory away yourself.",
                    flow->name);
}

// Notes why a flow could not be opened, with what to do; says it once for each new reason. Trying
// again takes a twentieth of the time at most: a large store is long in testing.
static void note_failure(engine_flow *flow, base_error *err, int64_t took_us) {
    engine *e = flow->engine;
    if (err->hint[0] == 0)
        base_error_hint(err, "Remove the cause: it is tried again every few seconds.");
    engine_flow_hint(flow, err);
    plat_mutex_lock(&e->flows_lock);
    bool is_new = strcmp(flow->error.message, err->message) != 0;
    flow->error = *err;
    flow->failures++;
    int64_t pause_us = engine_retry_pause_us(flow->failures);
    if (pause_us < 20 * took_us) pause_us = 20 * took_us;
    flow->reopen_due_us = monotonic_us(e) + pause_us;
    plat_mutex_unlock(&e->flows_lock);
    if (is_new) engine_say(e, ENGINE_ERROR, "%s. %s", err->message, err->hint);
}

static base_rc open_views(engine_flow *flow, base_error *err) {
    uint32_t n;
    const plan_object **views = engine_flow_views(flow->engine, flow, &n);
    base_rc rc = engine_flow_open_views(flow, n, views, err);
    free(views);
    if (rc == BASE_OK) return BASE_OK;
    if (strstr(err->message, flow->name) == NULL) base_error_prefix(err, "flow %s", flow->name);
    engine_flow_close_store(flow);
    return rc;
}

static void say_if_fresh(engine_flow *flow) {
    if (flow->first_step == 0 || flow->step > flow->first_step) return;
    engine_say(flow->engine, ENGINE_WARNING,
               "flow %s: its store is new: its views are made again from the log, as far as "
               "retention kept it; its steps go on after %llu",
               flow->name, (unsigned long long)flow->step);
}

// ---- at start ----

static bool has_flow(const engine *e, const plan_object *view) {
    for (uint32_t i = 0; i < e->nflows; i++)
        if (engine_flow_takes(e->flows[i], view->schema, view->refresh_us)) return true;
    return false;
}

// A promotion that a crash cut short is finished before anyone sees the view.
static void settle(engine_flow *flow) {
    base_error why = {0};
    if (flow->store == NULL || engine_versions_settle(flow, &why) == BASE_OK) return;
    engine_flow_close_store(flow);
    note_failure(flow, &why, 0);
}

// All flows have their slots and stores before the first gets its views, which may read another's,
// and all have their views before the first steps.
base_rc engine_flows_open(engine *e, base_error *err) {
    for (uint32_t id = 0; id < e->next_id; id++) {
        const plan_object *view = e->by_id[id];
        if (view == NULL || view->kind != PLAN_OBJECT_VIEW || has_flow(e, view)) continue;
        if (e->nflows == ENGINE_FLOWS_MAX)
            return base_fail(err, BASE_E_LIMIT, NULL, "more than %u flows", ENGINE_FLOWS_MAX);
        engine_flow *flow = engine_flow_create(e, view->schema, view->refresh_us);
        flow->slot = e->nflows;
        e->flows[e->nflows++] = flow;
    }
    for (uint32_t i = 0; i < e->nflows; i++) {
        base_error why = {0};
        if (engine_flow_open_store(e->flows[i], &why) != BASE_OK)
            note_failure(e->flows[i], &why, 0);
    }
    for (uint32_t i = 0; i < e->nflows; i++) settle(e->flows[i]);
    for (uint32_t i = 0; i < e->nflows; i++) {
        base_error why = {0};
        engine_flow *flow = e->flows[i];
        if (flow->store == NULL) continue;
        if (open_views(flow, &why) == BASE_OK)
            say_if_fresh(flow);
        else
            note_failure(flow, &why, 0);
    }
    for (uint32_t i = 0; e->config.threads && i < e->nflows; i++)
        if (e->flows[i]->store != NULL) engine_runner_start_flow(e->flows[i]);
    return BASE_OK;
}

// ---- again ----

// ddl_lock held.
static void take_slot(engine_flow *old, engine_flow *flow) {
    engine *e = old->engine;
    flow->slot = old->slot;
    plat_mutex_lock(&e->flows_lock);
    flow->pending_since_us = old->pending_since_us;
    e->flows[flow->slot] = flow;
    plat_cond_broadcast(&e->flow_passed);
    plat_mutex_unlock(&e->flows_lock);
    old->next_retired = e->retired_flows;
    e->retired_flows = old;
    if (flow->store == NULL) return;
    say_if_fresh(flow);
    if (e->config.threads) engine_runner_start_flow(flow);
}

static void reopen(engine_flow *old) {
    base_error err = {0};
    int64_t begin_us = monotonic_us(old->engine);
    engine_flow *flow = engine_flow_create(old->engine, old->schema, old->refresh_us);
    base_rc rc = engine_flow_open_store(flow, &err);
    if (rc == BASE_OK) rc = engine_versions_settle(flow, &err);
    if (rc == BASE_OK) rc = open_views(flow, &err);
    if (rc != BASE_OK) {
        engine_flow_close(flow);
        note_failure(old, &err, monotonic_us(old->engine) - begin_us);
        return;
    }
    engine_say(old->engine, ENGINE_INFO, "flow %s: goes on", flow->name);
    take_slot(old, flow);
}

void engine_flows_retry(engine *e, bool all) {
    plat_mutex_lock(&e->flows_lock);
    uint32_t n = e->nflows;
    plat_mutex_unlock(&e->flows_lock);
    for (uint32_t i = 0; i < n; i++) {
        engine_flow *flow = e->flows[i];
        if (flow->store != NULL) continue;
        plat_mutex_lock(&e->flows_lock);
        bool due = all || monotonic_us(e) >= flow->reopen_due_us;
        plat_mutex_unlock(&e->flows_lock);
        if (!due) continue;
        plat_mutex_lock(&e->ddl_lock);
        if (e->flows[i] == flow) reopen(flow);
        plat_mutex_unlock(&e->ddl_lock);
    }
}

// ---- made anew ----

// DIR/flow/NAME becomes DIR/flow/NAME.damaged-TIME or, of a flow that had not failed or was written
// by another version, .replaced-TIME. *aside is empty if there was no directory.
static base_rc set_aside(engine_flow *flow, const char *why, base_buf *aside, base_error *err) {
    plat *plat = flow->engine->plat;
    bool exists, is_dir;
    base_rc rc = plat->ops->exists(plat, flow->dir, &exists, &is_dir, err);
    if (rc != BASE_OK || !exists) return rc;
    char time[BASE_TIME_TEXT_MAX];
    base_rfc3339_format(plat_wall_us(plat), time);
    base_buf_printf(aside, "%s.%s-", flow->dir, why);
    for (const char *p = time; *p != 0; p++)
        if (isalnum((unsigned char)*p)) base_buf_add_byte(aside, (uint8_t)*p);
    rc = plat->ops->rename(plat, flow->dir, base_buf_cstr(aside), err);
    base_buf parent = {0};
    base_buf_printf(&parent, "%s/flow", flow->engine->dir);
    if (rc == BASE_OK) rc = plat->ops->sync_dir(plat, base_buf_cstr(&parent), err);
    base_buf_deinit(&parent);
    return rc;
}

static base_rc rebuild(engine_flow *old, base_buf *aside, base_error *err) {
    engine *e = old->engine;
    plat_mutex_lock(&e->flows_lock);
    // State of another version is in good order.
    bool damaged = old->error.code != BASE_OK && old->error.code != BASE_E_UNSUPPORTED;
    plat_mutex_unlock(&e->flows_lock);
    engine_runner_stop_flow(old);
    base_rc rc = set_aside(old, damaged ? "damaged" : "replaced", aside, err);
    if (rc != BASE_OK) {
        old->stop = false;
        if (e->config.threads && old->store != NULL) engine_runner_start_flow(old);
        return rc;
    }
    if (aside->n > 0)
        engine_say(e, ENGINE_WARNING, "flow %s: its store was moved to \"%s\"", old->name,
                   base_buf_cstr(aside));
    engine_flow *flow = engine_flow_create(e, old->schema, old->refresh_us);
    rc = engine_flow_open_store(flow, err);
    if (rc == BASE_OK) rc = open_views(flow, err);
    if (rc != BASE_OK) note_failure(flow, err, 0); // and is tried again
    take_slot(old, flow);
    return rc;
}

base_rc engine_rebuild_flow(engine *e, const char *name, base_buf *aside, base_error *err) {
    engine_flow *flow = NULL;
    base_rc rc;
    plat_mutex_lock(&e->ddl_lock);
    for (uint32_t i = 0; i < e->nflows && flow == NULL; i++)
        if (strcmp(e->flows[i]->name, name) == 0) flow = e->flows[i];
    if (flow == NULL) {
        rc = base_fail(err, BASE_E_NOT_FOUND, BASE_SQLSTATE_UNDEFINED_OBJECT,
                       "flow \"%s\" does not exist", name);
        base_error_hint(err, "SELECT name FROM weir.flows names them.");
    } else if (e->config.memory_for != NULL) {
        rc = base_fail(err, BASE_E_UNSUPPORTED, NULL, "flow \"%s\" has its store in memory", name);
    } else {
        rc = rebuild(flow, aside, err);
    }
    plat_mutex_unlock(&e->ddl_lock);
    return rc;
}
