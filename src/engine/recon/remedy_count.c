// remedy_count.c - what has happened to a reconciliation since the engine was opened, for metrics:
// counters that only rise, as Prometheus wants them, where the stored runs are trimmed. Entry
// points: engine_recon_count_run, engine_recon_count_remedy, engine_recon_counts_of.
//
// Threads: any; under remedies_lock. A list, since reconciliations are few and none is hot.
#include <stdlib.h>

#include "base/must.h"
#include "engine/recon/remedy.h"

struct engine_recon_counters {
    struct engine_recon_counters *next;
    uint32_t id;
    engine_recon_counts counts;
};

static engine_recon_counts *counts_of(engine *e, uint32_t id) {
    struct engine_recon_counters *c = e->recon_counters;
    while (c != NULL && c->id != id) c = c->next;
    if (c != NULL) return &c->counts;
    c = calloc(1, sizeof *c);
    must(c != NULL);
    c->id = id;
    c->next = e->recon_counters;
    e->recon_counters = c;
    return &c->counts;
}

void engine_recon_count_run(engine *e, uint32_t id, bool failed, int64_t us) {
    plat_mutex_lock(&e->remedies_lock);
    engine_recon_counts *counts = counts_of(e, id);
    counts->failed += failed;
    counts->run_us = us;
    plat_mutex_unlock(&e->remedies_lock);
}

void engine_recon_count_remedy(engine *e, uint32_t id, const engine_remedy_plan *plan) {
    plat_mutex_lock(&e->remedies_lock);
    engine_recon_counts *counts = counts_of(e, id);
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
    engine_recon_counts counts = *counts_of(e, id);
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
