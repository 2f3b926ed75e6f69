// remedy_count.c - what has happened to a reconciliation since the engine was opened, for metrics:
// counters that only rise, as Prometheus wants them, where the stored runs are trimmed; and whether
// the wall clock, by which findings settle, was put forward between its runs. Entry points:
// engine_recon_count_run, engine_recon_count_remedy, engine_recon_counts_of,
// engine_recon_clock_is_good.
//
// Threads: any; under remedies_lock. A list, since reconciliations are few and none is hot.
#include <stdlib.h>

#include "base/must.h"
#include "engine/recon/remedy.h"

struct engine_recon_counters {
    struct engine_recon_counters *next;
    uint32_t id;
    engine_recon_counts counts;
    bool looked, jumped;
    int64_t ahead_us;     // the wall clock, of the monotonic one, at the last run
    int64_t jumped_at_us; // monotonic: when it was seen that the wall clock had been put forward
};

#define JUMP_US BASE_US_PER_SECOND // what slewing and reading do not explain

static struct engine_recon_counters *counters_of(engine *e, uint32_t id) {
    struct engine_recon_counters *c = e->recon_counters;
    while (c != NULL && c->id != id) c = c->next;
    if (c != NULL) return c;
    c = calloc(1, sizeof *c);
    must(c != NULL);
    c->id = id;
    c->next = e->recon_counters;
    e->recon_counters = c;
    return c;
}

// A finding first seen before the jump looks older than it is, and one of after it is not yet old:
// so after a jump the settling time has to pass once more, by the clock that does not jump.
bool engine_recon_clock_is_good(engine *e, const plan_object *r) {
    plat_mutex_lock(&e->remedies_lock);
    struct engine_recon_counters *c = counters_of(e, r->id);
    int64_t mono_us = (int64_t)(plat_monotonic_ns(e->plat) / 1000);
    int64_t ahead_us = plat_wall_us(e->plat) - mono_us;
    if (c->looked && ahead_us - c->ahead_us > JUMP_US) {
        c->jumped = true;
        c->jumped_at_us = mono_us;
    }
    c->looked = true;
    c->ahead_us = ahead_us;
    if (c->jumped && mono_us - c->jumped_at_us >= r->settle_us) c->jumped = false;
    bool good = !c->jumped;
    plat_mutex_unlock(&e->remedies_lock);
    return good;
}

void engine_recon_count_run(engine *e, uint32_t id, bool failed, int64_t us) {
    plat_mutex_lock(&e->remedies_lock);
    engine_recon_counts *counts = &counters_of(e, id)->counts;
    counts->failed += failed;
    counts->run_us = us;
    plat_mutex_unlock(&e->remedies_lock);
}

void engine_recon_count_remedy(engine *e, uint32_t id, const engine_remedy_plan *plan) {
    plat_mutex_lock(&e->remedies_lock);
    engine_recon_counts *counts = &counters_of(e, id)->counts;
    counts->remedies[plan->state]++;
    if (plan->state == ENGINE_REMEDY_APPENDED) {
        counts->appended += plan->appended;
        counts->retracted += plan->retracted;
        counts->refused += plan->refused;
    }
    plat_mutex_unlock(&e->remedies_lock);
}

engine_recon_counts engine_recon_counts_of(engine *e, uint32_t id) {
    plat_mutex_lock(&e->remedies_lock);
    engine_recon_counts counts = counters_of(e, id)->counts;
    plat_mutex_unlock(&e->remedies_lock);
    return counts;
}

void engine_recon_counts_free(engine *e) {
    while (e->recon_counters != NULL) {
        struct engine_recon_counters *c = e->recon_counters;
        e->recon_counters = c->next;
        free(c);
    }
}
