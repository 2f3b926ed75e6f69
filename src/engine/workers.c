// workers.c - threads that help flows: tasks that depend on nothing but their own data, so that who
// runs them changes nothing but the time it takes.
//
// Invariants: a task is waiting (in the queue), running (on one thread) or done; who waits for a
// task that is still waiting runs it itself, so that a flow never waits for a helper that is busy
// elsewhere. Entry points: engine_workers_create, engine_workers_add, engine_workers_wait.

#include <stdlib.h>

#include "base/must.h"
#include "engine/workers.h"
#include "plat/thread.h"

struct engine_workers {
    plat_mutex lock;
    plat_cond added, done;
    engine_task *first, *last;
    bool stop;
    uint32_t n;
    plat_thread *threads;
};

// lock held.
static void take_out(engine_workers *workers, engine_task *task) {
    engine_task **at = &workers->first, *before = NULL;
    while (*at != task) before = *at, at = &(*at)->next;
    *at = task->next;
    if (workers->last == task) workers->last = before;
    task->next = NULL;
    task->state = ENGINE_TASK_RUNNING;
}

// lock held; it is not while the task runs.
static void run_task(engine_workers *workers, engine_task *task) {
    take_out(workers, task);
    plat_mutex_unlock(&workers->lock);
    task->run(task->arg);
    plat_mutex_lock(&workers->lock);
    task->state = ENGINE_TASK_DONE;
    plat_cond_broadcast(&workers->done);
}

static void *run_worker(void *arg) {
    engine_workers *workers = arg;
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

engine_workers *engine_workers_create(uint32_t n) {
    engine_workers *workers = calloc(1, sizeof *workers);
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

void engine_workers_destroy(engine_workers *workers) {
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

uint32_t engine_workers_count(const engine_workers *workers) {
    return workers == NULL ? 0 : workers->n;
}

void engine_workers_add(engine_workers *workers, engine_task *task) {
    plat_mutex_lock(&workers->lock);
    task->state = ENGINE_TASK_WAITING;
    task->next = NULL;
    if (workers->last != NULL)
        workers->last->next = task;
    else
        workers->first = task;
    workers->last = task;
    plat_cond_signal(&workers->added);
    plat_mutex_unlock(&workers->lock);
}

void engine_workers_wait(engine_workers *workers, engine_task *task) {
    plat_mutex_lock(&workers->lock);
    if (task->state == ENGINE_TASK_WAITING) run_task(workers, task);
    while (task->state != ENGINE_TASK_DONE) plat_cond_wait(&workers->done, &workers->lock);
    plat_mutex_unlock(&workers->lock);
}
