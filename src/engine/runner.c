// runner.c - threads: each flow steps on its own, woken by what becomes durable (immediate flows)
// or by its refresh interval; one more thread keeps the schedules (retention, reconciliations).
//
// Invariants: a flow's flags (dirty, force, stop, ...) are read and written under flows_lock; a
// step runs without it. A failing flow tries again with growing pauses and harms no other. Entry
// points: engine_runner_start_flow, engine_runner_start; engine_tick for those without threads.

#include <string.h>

#include "base/must.h"
#include "engine/engine_int.h"

#define RETRY_FIRST_US (100 * 1000ll)
#define RETRY_LAST_US  (10 * BASE_US_PER_SECOND)
#define TICK_US        BASE_US_PER_SECOND // idle partitions are looked at so often
#define TIME_STEP_US   (100 * 1000ll)     // steps that only time asks for are so far apart at least

static int64_t monotonic_us(engine *e) {
    return (int64_t)(plat_monotonic_ns(e->plat) / 1000);
}

// flows_lock held: notes how a pass ended.
static void note_pass(engine_flow *flow, base_rc rc, const base_error *err) {
    flow->in_pass = false;
    if (rc == BASE_OK) {
        if (flow->error.code != BASE_OK)
            engine_say(flow->engine, ENGINE_INFO, "flow %s: goes on", flow->name);
        base_error_clear(&flow->error);
        flow->failures = 0;
    } else {
        // Once for each new failure, not for each try.
        if (strcmp(flow->error.message, err->message) != 0)
            engine_say(flow->engine, ENGINE_ERROR, "%s", err->message);
        flow->error = *err;
        engine_flow_hint(flow, &flow->error);
        flow->failures++;
    }
    plat_cond_broadcast(&flow->engine->flow_passed);
}

int64_t engine_retry_pause_us(uint64_t failures) {
    int64_t pause = RETRY_FIRST_US;
    while (--failures > 0 && pause < RETRY_LAST_US) pause *= 2;
    return pause < RETRY_LAST_US ? pause : RETRY_LAST_US;
}

// flows_lock held: waits until the flow is due. Returns false to stop.
static bool wait_until_due(engine_flow *flow, int64_t not_before_us) {
    engine *e = flow->engine;
    for (;;) {
        if (flow->stop) return false;
        int64_t now = monotonic_us(e);
        if (now >= not_before_us) {
            if (flow->force) return true;
            if (flow->refresh_us == 0 && flow->dirty) return true;
        }
        int64_t due = flow->next_due_us > not_before_us ? flow->next_due_us : not_before_us;
        if (now >= due) return true;
        plat_cond_wait_for(&flow->wake, &e->flows_lock, due - now);
    }
}

// How long an immediate flow may wait for input: no longer than until time changes a view.
static int64_t longest_wait_us(const engine_flow *flow) {
    if (flow->refresh_us > 0) return flow->refresh_us;
    if (flow->time_due_us == INT64_MAX) return TICK_US;
    int64_t now_us = plat_wall_us(flow->engine->plat);
    if (flow->time_due_us <= now_us + TIME_STEP_US) return TIME_STEP_US;
    return flow->time_due_us < now_us + TICK_US ? flow->time_due_us - now_us : TICK_US;
}

static void *run_flow(void *arg) {
    engine_flow *flow = arg;
    engine *e = flow->engine;
    int64_t not_before_us = 0;
    plat_mutex_lock(&e->flows_lock);
    while (wait_until_due(flow, not_before_us)) {
        flow->dirty = flow->force = false;
        flow->in_pass = true;
        int64_t since_us = flow->pending_since_us;
        flow->pending_since_us = 0;
        int64_t began = monotonic_us(e);
        plat_mutex_unlock(&e->flows_lock);
        base_error err = {0};
        base_rc rc;
        bool progressed, stop;
        do { // all that was there, however many steps it takes
            rc = engine_flow_step(flow, &progressed, &err);
            plat_mutex_lock(&e->flows_lock);
            stop = flow->stop;
            plat_mutex_unlock(&e->flows_lock);
        } while (rc == BASE_OK && progressed && flow->backlog && !stop);
        plat_mutex_lock(&e->flows_lock);
        note_pass(flow, rc, &err);
        if (rc != BASE_OK && since_us > 0) flow->pending_since_us = since_us; // still unread
        not_before_us = rc == BASE_OK ? 0 : monotonic_us(e) + engine_retry_pause_us(flow->failures);
        // Refreshes keep their beat; a step that took longer than the interval skips beats. What
        // failed is tried again when its pause is over, not at the next beat.
        flow->next_due_us = rc == BASE_OK ? began + longest_wait_us(flow) : not_before_us;
    }
    flow->running = false;
    plat_cond_broadcast(&e->flow_passed);
    plat_mutex_unlock(&e->flows_lock);
    return NULL;
}

void engine_runner_start_flow(engine_flow *flow) {
    must(!flow->running);
    plat_mutex_lock(&flow->engine->flows_lock);
    flow->running = true;
    flow->dirty = true;
    plat_mutex_unlock(&flow->engine->flows_lock);
    plat_thread_start(&flow->thread, flow->name, run_flow, flow);
}

void engine_runner_stop_flow(engine_flow *flow) {
    engine *e = flow->engine;
    plat_mutex_lock(&e->flows_lock);
    bool was = flow->running;
    flow->stop = true;
    plat_cond_broadcast(&flow->wake);
    plat_mutex_unlock(&e->flows_lock);
    if (was) plat_thread_join(flow->thread);
}

void engine_flow_wake_all(engine *e) {
    int64_t now_us = plat_wall_us(e->plat);
    plat_mutex_lock(&e->flows_lock);
    for (uint32_t i = 0; i < e->nflows; i++) {
        engine_flow *flow = e->flows[i];
        if (flow->pending_since_us == 0) flow->pending_since_us = now_us;
        if (!flow->dirty) {
            flow->dirty = true;
            if (flow->refresh_us == 0) plat_cond_signal(&flow->wake);
        }
    }
    plat_mutex_unlock(&e->flows_lock);
}

// ---- schedules
// ---------------------------------------------------------------------------------------

static void *run_schedules(void *arg) {
    engine *e = arg;
    plat_mutex_lock(&e->flows_lock);
    while (!e->closing) {
        plat_cond_wait_for(&e->schedule_wake, &e->flows_lock, TICK_US);
        if (e->closing) break;
        plat_mutex_unlock(&e->flows_lock);
        engine_schedules_run(e);
        plat_mutex_lock(&e->flows_lock);
    }
    plat_mutex_unlock(&e->flows_lock);
    return NULL;
}

void engine_runner_start(engine *e) {
    e->schedule_running = true;
    plat_thread_start(&e->schedule_thread, "schedules", run_schedules, e);
}

void engine_runner_stop(engine *e) {
    plat_mutex_lock(&e->flows_lock);
    e->closing = true;
    plat_cond_broadcast(&e->schedule_wake);
    plat_mutex_unlock(&e->flows_lock);
    if (e->schedule_running) plat_thread_join(e->schedule_thread);
    e->schedule_running = false;
    engine_recon_jobs_stop(e);
    for (uint32_t i = 0; i < e->nflows; i++) engine_runner_stop_flow(e->flows[i]);
}

// ---- without threads
// ---------------------------------------------------------------------------------

base_rc engine_tick(engine *e, bool force, bool *progressed, base_error *err) {
    *progressed = false;
    engine_flows_retry(e, force);
    base_rc first = BASE_OK;
    int64_t now = monotonic_us(e);
    for (uint32_t i = 0; i < e->nflows; i++) {
        engine_flow *flow = e->flows[i];
        if (flow->store == NULL) {
            if (force && first == BASE_OK) first = engine_flow_unavailable(flow, err);
            continue;
        }
        if (!force && flow->refresh_us > 0 && now < flow->next_due_us) continue;
        bool one = false;
        base_error step_err = {0};
        base_rc rc = engine_flow_step(flow, &one, &step_err);
        plat_mutex_lock(&e->flows_lock);
        flow->next_due_us = now + flow->refresh_us;
        flow->pending_since_us = 0;
        note_pass(flow, rc, &step_err);
        plat_mutex_unlock(&e->flows_lock);
        if (one) *progressed = true;
        if (rc != BASE_OK && first == BASE_OK) {
            first = rc;
            if (err != NULL) *err = step_err;
        }
    }
    return first;
}
