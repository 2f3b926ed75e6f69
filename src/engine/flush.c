// flush.c - FLUSH: waits until everything that was acknowledged before it is visible in every view.
//
// Its target is taken when it begins and does not move: the end of each log that a view reads. A
// view has reached it when its flow has committed a step that had read so far; a view that reads
// another flow's view, when its flow has taken over the step in which that view reached it. So
// targets go down the chains of views, and not of flows: flows may well read each other's views.
// What comes after the target is not waited for, and a flow that is there already is not woken. A
// flow that fails keeps nobody from the others: they are waited for, then its error is the answer.
//
// Flows say how far they have read by their positions (engine_inputs_publish), under flows_lock.
// Entry points: engine_flush, engine_finish_windows.

#include <stdio.h>
#include <string.h>

#include "base/must.h"
#include "engine/engine_int.h"

#define FLUSH_LOOK_US 20000 // a cancel, a close or a timeout is seen after so long at most

// A stream or table that a view reads, and where its partitions ended when FLUSH began.
typedef struct flush_log {
    struct flush_log *next;
    const plan_object *object;
    uint32_t npartitions;
    uint64_t *ends;
} flush_log;

// One of them is NULL.
typedef struct flush_need {
    struct flush_need *next;
    const flush_log *log;
    const struct flush_view *upstream;
} flush_need;

typedef struct flush_view {
    const plan_object *object;
    engine_flow *_Atomic *slot; // of its flow, which may be made anew meanwhile
    engine_flow *flow;
    flush_need *needs;
    bool reached;
    bool stuck;    // its flow fails, or one that it needs
    uint64_t step; // of its flow, once reached: this one or an earlier one had all of the target
    // The flow was woken for it at this step, and is not again before this time unless it steps.
    bool asked;
    uint64_t asked_step;
    int64_t ask_again_us;
} flush_view;

typedef struct flush_wait {
    engine *engine;
    base_arena arena;
    flush_log *logs;
    flush_view *views; // ascending by id: a view comes after those that it reads
    uint32_t nviews;
    uint32_t first; // all before it have reached the target
    uint64_t catalog_version;
    flush_view *building;
} flush_wait;

// ---- the target
// ----------------------------------------------------------------------------------------

static const flush_log *target_of(flush_wait *w, const plan_object *object) {
    for (flush_log *log = w->logs; log != NULL; log = log->next)
        if (log->object->id == object->id) return log;
    engine_stream *stream = engine_stream_hold(w->engine, object);
    if (stream == NULL) return NULL; // dropped meanwhile, and its views with it
    flush_log *log = base_arena_new(&w->arena, flush_log);
    log->object = object;
    log->npartitions = log_stream_partitions(stream->log);
    log->ends = base_arena_array(&w->arena, uint64_t, log->npartitions);
    for (uint32_t p = 0; p < log->npartitions; p++) log->ends[p] = log_end(stream->log, p);
    engine_stream_release(stream);
    log->next = w->logs;
    w->logs = log;
    return log;
}

static void add_need(void *arg, const plan_node *scan) {
    flush_wait *w = arg;
    flush_need need = {w->building->needs, NULL, NULL};
    if (scan->object->kind == PLAN_OBJECT_STREAM || scan->object->kind == PLAN_OBJECT_TABLE)
        need.log = target_of(w, scan->object);
    else
        for (uint32_t i = 0; i < w->nviews; i++)
            if (w->views[i].object->id == scan->object->id) need.upstream = &w->views[i];
    if (need.log == NULL && need.upstream == NULL) return;
    flush_need *kept = base_arena_new(&w->arena, flush_need);
    *kept = need;
    w->building->needs = kept;
}

static void count_view(void *arg, const plan_object *object) {
    if (object->kind == PLAN_OBJECT_VIEW) ++*(uint32_t *)arg;
}

typedef struct view_list {
    const plan_object **views;
    uint32_t n, room;
} view_list;

static void list_view(void *arg, const plan_object *object) {
    view_list *list = arg;
    // A view made between the count and this walk is not among those that FLUSH is for.
    if (object->kind == PLAN_OBJECT_VIEW && list->n < list->room) list->views[list->n++] = object;
}

static void take_target(flush_wait *w) {
    engine *e = w->engine;
    w->catalog_version = engine_catalog_version(e);
    view_list list = {0};
    engine_objects(e, count_view, &list.room);
    list.views = base_arena_alloc(&w->arena, (list.room + 1) * sizeof *list.views);
    engine_objects(e, list_view, &list);
    w->views = base_arena_array(&w->arena, flush_view, list.n + 1);
    for (uint32_t i = 0; i < list.n; i++) {
        engine_flow *flow = engine_flow_of_view(e, list.views[i]->id);
        if (flow == NULL) continue; // about to be made, or just dropped
        w->building = &w->views[w->nviews];
        *w->building =
            (flush_view){.object = list.views[i], .flow = flow, .slot = &e->flows[flow->slot]};
        plan_node_scans(list.views[i]->plan, add_need, w);
        w->nviews++;
    }
}

// ---- how far the flows are
// -----------------------------------------------------------------------------

// flows_lock held. False also if the flow does not read the object, or has not said so yet.
static bool has_read(const engine_flow *flow, uint32_t object_id, uint32_t npartitions,
                     const uint64_t *upto) {
    if (!flow->published) return false;
    uint32_t at = 0;
    while (at < flow->npositions && flow->positions[at].object_id != object_id) at++;
    if (flow->npositions - at < npartitions) return false;
    for (uint32_t p = 0; p < npartitions; p++)
        if (flow->positions[at + p].next < upto[p]) return false;
    return true;
}

// flows_lock held. *due: the flow can do something about it, rather than wait for another one.
static bool is_met(const flush_view *view, const flush_need *need, bool *due) {
    *due = true;
    if (need->log != NULL)
        return has_read(view->flow, need->log->object->id, need->log->npartitions, need->log->ends);
    *due = need->upstream->reached && need->upstream->flow != view->flow;
    if (!need->upstream->reached) return false;
    return need->upstream->flow == view->flow ||
           has_read(view->flow, need->upstream->object->id, 1, &need->upstream->step);
}

// flows_lock held. A flow in a pass is left alone: when the pass ends, it is looked at again.
static void ask(flush_view *view, int64_t now_us) {
    engine_flow *flow = view->flow;
    if (flow->in_pass || flow->force) return;
    if (view->asked && view->asked_step == flow->positions_step && now_us < view->ask_again_us)
        return;
    view->asked = true;
    view->asked_step = flow->positions_step;
    view->ask_again_us = now_us + FLUSH_LOOK_US;
    flow->force = true;
    plat_cond_signal(&flow->wake);
}

// flows_lock held.
static void look_at(flush_view *view, int64_t now_us) {
    view->flow = *view->slot;
    view->stuck = view->flow->error.code != BASE_OK;
    bool all = view->flow->published, any_due = !all;
    for (const flush_need *need = view->needs; need != NULL; need = need->next) {
        bool due;
        if (is_met(view, need, &due)) continue;
        all = false;
        if (due) any_due = true;
        if (need->upstream != NULL && need->upstream->stuck) view->stuck = true;
    }
    if (all) {
        view->reached = true;
        view->stuck = false;
        view->step = view->flow->positions_step;
    } else if (any_due) {
        ask(view, now_us);
    }
}

// flows_lock held. Returns the first view that has not reached the target, but will, or NULL.
static flush_view *look(flush_wait *w) {
    int64_t now_us = (int64_t)(plat_monotonic_ns(w->engine->plat) / 1000);
    flush_view *first = NULL;
    uint32_t reached = w->first; // all before it
    for (uint32_t i = w->first; i < w->nviews; i++) {
        flush_view *view = &w->views[i];
        if (!view->reached) look_at(view, now_us);
        if (view->reached && i == reached) reached++;
        if (!view->reached && !view->stuck && first == NULL) first = view;
    }
    w->first = reached;
    return first;
}

// A view that was dropped meanwhile has nothing to reach.
static void pass_dropped(flush_wait *w) {
    uint64_t version = engine_catalog_version(w->engine);
    if (version == w->catalog_version) return;
    w->catalog_version = version;
    for (uint32_t i = w->first; i < w->nviews; i++)
        if (engine_catalog_by_id(w->engine, w->views[i].object->id) == NULL)
            w->views[i].reached = true;
}

// ---- waiting
// -------------------------------------------------------------------------------------------

static base_rc say_cancelled(base_error *err) {
    return base_fail(err, BASE_E_CANCELLED, NULL, "canceling statement due to user request");
}

static base_rc say_behind(const flush_view *view, base_error *err) {
    base_fail(err, BASE_E_CANCELLED, NULL, "FLUSH timed out: flow %s is behind", view->flow->name);
    if (err == NULL) return BASE_E_CANCELLED;
    for (const flush_need *need = view->needs; need != NULL; need = need->next) {
        bool due;
        if (is_met(view, need, &due)) continue;
        const plan_object *from = need->log != NULL ? need->log->object : need->upstream->object;
        base_error_detail(err, "View \"%s.%s\" has not read all of \"%s.%s\" yet.",
                          view->object->schema, view->object->name, from->schema, from->name);
        break;
    }
    base_error_hint(err, "weir.flows says how far each flow is.");
    return BASE_E_CANCELLED;
}

// flows_lock held. A flow that has what it needs may fail: it is no business of this statement.
static bool any_error(const flush_wait *w, base_error *err) {
    for (uint32_t i = w->first; i < w->nviews; i++) {
        const flush_view *view = &w->views[i];
        if (view->reached || view->flow->error.code == BASE_OK) continue;
        if (err != NULL) *err = view->flow->error;
        return true;
    }
    return false;
}

// flows_lock held, but let go of for look-ups in the catalogue, whose lock comes first.
static base_rc wait_for_target(flush_wait *w, int64_t deadline_us, volatile bool *cancel,
                               base_error *err) {
    engine *e = w->engine;
    for (;;) {
        const flush_view *behind = look(w);
        if (behind == NULL)
            return !any_error(w, err) ? BASE_OK : err != NULL ? err->code : BASE_E_IO;
        if (e->closing || (cancel != NULL && *cancel)) return say_cancelled(err);
        if (deadline_us > 0 && (int64_t)(plat_monotonic_ns(e->plat) / 1000) > deadline_us)
            return say_behind(behind, err);
        plat_cond_wait_for(&e->flow_passed, &e->flows_lock, FLUSH_LOOK_US);
        if (engine_catalog_version(e) == w->catalog_version) continue;
        plat_mutex_unlock(&e->flows_lock);
        pass_dropped(w);
        plat_mutex_lock(&e->flows_lock);
    }
}

// Without threads nothing comes meanwhile: all there is to read has an end.
static base_rc flush_ticks(engine *e, volatile bool *cancel, base_error *err) {
    bool progressed = true;
    base_rc rc = BASE_OK;
    while (progressed) {
        if (cancel != NULL && *cancel) return say_cancelled(err);
        rc = engine_tick(e, true, &progressed, err);
    }
    return rc;
}

base_rc engine_flush(engine *e, int64_t timeout_us, volatile bool *cancel, base_error *err) {
    if (!e->config.threads) return flush_ticks(e, cancel, err);
    int64_t now_us = (int64_t)(plat_monotonic_ns(e->plat) / 1000);
    int64_t deadline_us = timeout_us > 0 ? now_us + timeout_us : 0;
    flush_wait w = {.engine = e};
    base_arena_init(&w.arena, 4096);
    take_target(&w);
    plat_mutex_lock(&e->flows_lock);
    base_rc rc = wait_for_target(&w, deadline_us, cancel, err);
    plat_mutex_unlock(&e->flows_lock);
    base_arena_deinit(&w.arena);
    return rc;
}

base_rc engine_finish_windows(engine *e, base_error *err) {
    base_rc rc = engine_flush(e, 0, NULL, err);
    for (uint32_t i = 0; i < e->nflows; i++) {
        plat_mutex_lock(&e->flows[i]->lock);
        e->flows[i]->finish = true;
        engine_inputs_unpublish(e->flows[i]); // wherever it stands, it has a step to take
        plat_mutex_unlock(&e->flows[i]->lock);
    }
    return rc == BASE_OK ? engine_flush(e, 0, NULL, err) : rc;
}
