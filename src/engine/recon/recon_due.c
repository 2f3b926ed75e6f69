// recon_due.c - reconciliations whose time has come, each on a thread of its own: a book may keep a
// run waiting for as long as its timeout, and must hold up neither the other reconciliations nor
// retention, sinks and the flows that are to be tried again, which the thread of the schedules sees
// to.
//
// AT_ONCE runs go at a time, for each takes its share of memory and of the log's bandwidth; one
// that is under way for longer than LONG_US does not count any more (it waits, or has much to do),
// until JOBS_MAX are. What is not begun now is due a second later still.
//
// Threads: the list is the schedules' thread's alone; a job says by `done` that it has ended, and
// is joined at the next look. Without threads (a simulation, tests) a run is part of the tick.
// Entry points: engine_recon_attend, engine_recon_jobs_stop.

#include <stdlib.h>

#include "base/must.h"
#include "engine/recon/remedy.h"

#define AT_ONCE  4u
#define JOBS_MAX ENGINE_REMEDIES_BUSY
#define LONG_US  (10 * BASE_US_PER_SECOND)

typedef struct job {
    engine *engine;
    const plan_object *r;
    bool resume, due;
    bool running; // the thread is to be joined
    atomic_bool done;
    int64_t since_us;
    plat_thread thread;
} job;

struct engine_recon_jobs {
    job items[JOBS_MAX];
};

static void attend_now(engine *e, const plan_object *r, bool resume, bool due) {
    if (resume) engine_remedies_resume(e, r);
    if (due) engine_reconcile_now(e, r);
}

static void *run_job(void *arg) {
    job *j = arg;
    attend_now(j->engine, j->r, j->resume, j->due);
    atomic_store(&j->done, true);
    return NULL;
}

static void reap(job *j) {
    if (!j->running || !atomic_load(&j->done)) return;
    plat_thread_join(j->thread);
    j->running = false;
}

// Where a job may be put; NULL: it has one already, or there is no room.
static job *room_for(engine *e, const plan_object *r, int64_t now_us) {
    if (e->recon_jobs == NULL) {
        e->recon_jobs = calloc(1, sizeof *e->recon_jobs);
        must(e->recon_jobs != NULL);
    }
    job *room = NULL;
    uint32_t recent = 0;
    for (uint32_t i = 0; i < JOBS_MAX; i++) {
        job *j = &e->recon_jobs->items[i];
        reap(j);
        if (!j->running)
            room = j;
        else if (j->r->id == r->id)
            return NULL;
        else
            recent += now_us - j->since_us < LONG_US;
    }
    return recent < AT_ONCE ? room : NULL;
}

void engine_recon_attend(engine *e, const plan_object *r, bool resume) {
    if (!e->config.threads) {
        attend_now(e, r, resume, engine_reconcile_due(e, r));
        return;
    }
    int64_t now_us = (int64_t)(plat_monotonic_ns(e->plat) / 1000);
    job *j = room_for(e, r, now_us);
    if (j == NULL) { // a second later
        if (resume) atomic_store(&e->remedies_due, true);
        return;
    }
    resume = resume && r->remedy != NULL;
    bool due = engine_reconcile_due(e, r);
    if (!due && !resume) return;
    *j = (job){.engine = e, .r = r, .resume = resume, .due = due, .running = true};
    j->since_us = now_us;
    plat_thread_start(&j->thread, "reconcile", run_job, j);
}

void engine_recon_jobs_stop(engine *e) {
    must(e->closing);
    for (uint32_t i = 0; e->recon_jobs != NULL && i < JOBS_MAX; i++)
        if (e->recon_jobs->items[i].running) plat_thread_join(e->recon_jobs->items[i].thread);
    free(e->recon_jobs);
    e->recon_jobs = NULL;
}
