// workers.c - threads that help: see workers.h.
//
// Invariants: a task is waiting (in the queue), running (on one thread) or done; who waits for a
// task that is still waiting runs it itself, so that nobody waits for a helper that is busy
// elsewhere. What is divided (plat_workers_each) goes to the head of the queue, since its owner
// does nothing else meanwhile; its parts are taken by number, so that a thread that is slow takes
// fewer. Entry points: plat_workers_add, plat_workers_wait, plat_workers_each.

#include "plat/workers.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/must.h"
#include "plat/thread.h"

struct plat_workers {
    plat_mutex lock;
    plat_cond added, done;
    plat_task *first, *last;
    bool stop;
    uint32_t n;
    uint32_t least; // 0: as callers say
    plat_thread *threads;
};

// lock held.
static void take_out(plat_workers *workers, plat_task *task) {
    plat_task **at = &workers->first, *before = NULL;
    while (*at != task) before = *at, at = &(*at)->next;
    *at = task->next;
    if (workers->last == task) workers->last = before;
    task->next = NULL;
    task->state = PLAT_TASK_RUNNING;
}

// lock held; it is not while the task runs.
static void run_task(plat_workers *workers, plat_task *task) {
    take_out(workers, task);
    plat_mutex_unlock(&workers->lock);
    task->run(task->arg);
    plat_mutex_lock(&workers->lock);
    task->state = PLAT_TASK_DONE;
    plat_cond_broadcast(&workers->done);
}

static void *run_worker(void *arg) {
    plat_workers *workers = arg;
    plat_mutex_lock(&workers->lock);
    while (!workers->stop) {
        if (workers->first != NULL)
            run_task(workers, workers->first);
        else
            plat_cond_wait(&workers->added, &workers->lock);
    }
    plat_mutex_unlock(&workers->lock);
    return NULL;
}

plat_workers *plat_workers_create(uint32_t n) {
    plat_workers *workers = calloc(1, sizeof *workers);
    must(workers != NULL);
    plat_mutex_init(&workers->lock);
    plat_cond_init(&workers->added);
    plat_cond_init(&workers->done);
    workers->threads = calloc(n + 1, sizeof *workers->threads);
    must(workers->threads != NULL);
    workers->n = n;
    for (uint32_t i = 0; i < n; i++)
        plat_thread_start(&workers->threads[i], "weir-worker", run_worker, workers);
    return workers;
}

void plat_workers_destroy(plat_workers *workers) {
    if (workers == NULL) return;
    plat_mutex_lock(&workers->lock);
    must(workers->first == NULL);
    workers->stop = true;
    plat_cond_broadcast(&workers->added);
    plat_mutex_unlock(&workers->lock);
    for (uint32_t i = 0; i < workers->n; i++) plat_thread_join(workers->threads[i]);
    plat_cond_deinit(&workers->added);
    plat_cond_deinit(&workers->done);
    plat_mutex_deinit(&workers->lock);
    free(workers->threads);
    free(workers);
}

uint32_t plat_workers_count(const plat_workers *workers) {
    return workers == NULL ? 0 : workers->n;
}

void plat_workers_add(plat_workers *workers, plat_task *task) {
    plat_mutex_lock(&workers->lock);
    task->state = PLAT_TASK_WAITING;
    task->next = NULL;
    if (workers->last != NULL)
        workers->last->next = task;
    else
        workers->first = task;
    workers->last = task;
    plat_cond_signal(&workers->added);
    plat_mutex_unlock(&workers->lock);
}

void plat_workers_wait(plat_workers *workers, plat_task *task) {
    plat_mutex_lock(&workers->lock);
    if (task->state == PLAT_TASK_WAITING) run_task(workers, task);
    while (task->state != PLAT_TASK_DONE) plat_cond_wait(&workers->done, &workers->lock);
    plat_mutex_unlock(&workers->lock);
}

// ---- work that is divided

#define PARTS_A_THREAD 4u

uint32_t plat_workers_parts(const plat_workers *workers, uint64_t n, uint64_t least) {
    if (workers == NULL) return 1;
    if (workers->least > 0 && workers->least < least) least = workers->least;
    if (n < 2 * least) return 1;
    uint64_t parts = n / least, most = PARTS_A_THREAD * (workers->n + 1u);
    if (parts > most) parts = most;
    return parts > PLAT_PARTS_MAX ? PLAT_PARTS_MAX : (uint32_t)parts;
}

void plat_workers_set_least(plat_workers *workers, uint32_t least) {
    workers->least = least;
}

typedef struct division {
    atomic_uint next;
    uint32_t n;
    void (*run)(void *arg, uint32_t i);
    void *arg;
} division;

static void take_parts(void *arg) {
    division *d = arg;
    for (;;) {
        uint32_t i = atomic_fetch_add_explicit(&d->next, 1, memory_order_relaxed);
        if (i >= d->n) return;
        d->run(d->arg, i);
    }
}

// Takes back what no helper has begun, or waits for it.
static void finish(plat_workers *workers, plat_task *task) {
    plat_mutex_lock(&workers->lock);
    if (task->state == PLAT_TASK_WAITING) {
        take_out(workers, task);
        task->state = PLAT_TASK_DONE;
    }
    while (task->state != PLAT_TASK_DONE) plat_cond_wait(&workers->done, &workers->lock);
    plat_mutex_unlock(&workers->lock);
}

void plat_workers_each(plat_workers *workers, uint32_t n, void (*run)(void *arg, uint32_t i),
                       void *arg) {
    if (workers == NULL || n < 2) {
        for (uint32_t i = 0; i < n; i++) run(arg, i);
        return;
    }
    division d = {.n = n, .run = run, .arg = arg};
    plat_task tasks[PLAT_PARTS_MAX];
    uint32_t helpers = n - 1 < workers->n ? n - 1 : workers->n;
    if (helpers > PLAT_PARTS_MAX) helpers = PLAT_PARTS_MAX;
    plat_mutex_lock(&workers->lock);
    for (uint32_t i = 0; i < helpers; i++) {
        tasks[i] = (plat_task){take_parts, &d, workers->first, PLAT_TASK_WAITING};
        if (workers->last == NULL) workers->last = &tasks[i];
        workers->first = &tasks[i];
        plat_cond_signal(&workers->added);
    }
    plat_mutex_unlock(&workers->lock);
    take_parts(&d);
    for (uint32_t i = 0; i < helpers; i++) finish(workers, &tasks[i]);
}

#define PART_BLOCK_BYTES (64u << 10)

// Apart by cache lines: each is one thread's.
typedef struct part_arena {
    _Alignas(128) base_arena arena;
} part_arena;

typedef struct division_in {
    part_arena *arenas;
    void (*run)(void *arg, uint32_t i, base_arena *arena);
    void *arg;
} division_in;

static void run_in(void *arg, uint32_t i) {
    division_in *d = arg;
    d->run(d->arg, i, &d->arenas[i].arena);
}

void plat_workers_each_in(plat_workers *workers, base_arena *into, uint32_t n,
                          void (*run)(void *arg, uint32_t i, base_arena *arena), void *arg) {
    if (workers == NULL || n < 2) {
        for (uint32_t i = 0; i < n; i++) run(arg, i, into);
        return;
    }
    division_in d = {.run = run, .arg = arg};
    d.arenas = base_arena_alloc_aligned(into, sizeof *d.arenas * n, _Alignof(part_arena));
    for (uint32_t i = 0; i < n; i++) base_arena_init(&d.arenas[i].arena, PART_BLOCK_BYTES);
    plat_workers_each(workers, n, run_in, &d);
    for (uint32_t i = 0; i < n; i++) base_arena_absorb(into, &d.arenas[i].arena);
}
