// workers.h - a few threads that all flows of an engine share, for work that is divided in tasks
// which know nothing of each other. A task's owner keeps it alive until it has waited for it.
// Internal to src/engine.
#ifndef WEIR_ENGINE_WORKERS_H
#define WEIR_ENGINE_WORKERS_H

#include <stdint.h>

typedef struct engine_workers engine_workers;

typedef enum engine_task_state {
    ENGINE_TASK_WAITING,
    ENGINE_TASK_RUNNING,
    ENGINE_TASK_DONE
} engine_task_state;

typedef struct engine_task {
    void (*run)(void *arg);
    void *arg;
    // Of workers.c.
    struct engine_task *next;
    engine_task_state state;
} engine_task;

engine_workers *engine_workers_create(uint32_t n);    // threads; they start at once
void engine_workers_destroy(engine_workers *workers); // no task may be left; NULL is allowed
uint32_t engine_workers_count(const engine_workers *workers); // NULL: 0
void engine_workers_add(engine_workers *workers, engine_task *task);
// Returns when the task is done; runs it on this thread if none has begun it.
void engine_workers_wait(engine_workers *workers, engine_task *task);

#endif
