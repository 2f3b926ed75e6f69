// workers.h - a few threads that help those who have work to divide: tasks that know nothing of
// each other, so that who runs them changes nothing but the time it takes. A task's owner keeps it
// alive until it has waited for it. Any thread may add tasks and wait, but a task may not: it would
// hold a helper while it waits. In a simulation there are none (NULL), and all runs on the caller.
#ifndef WEIR_PLAT_WORKERS_H
#define WEIR_PLAT_WORKERS_H

#include <stdint.h>

#include "base/arena.h"

typedef struct plat_workers plat_workers;

typedef enum plat_task_state {
    PLAT_TASK_WAITING,
    PLAT_TASK_RUNNING,
    PLAT_TASK_DONE
} plat_task_state;

typedef struct plat_task {
    void (*run)(void *arg);
    void *arg;
    // Of workers.c.
    struct plat_task *next;
    plat_task_state state;
} plat_task;

plat_workers *plat_workers_create(uint32_t n);            // threads; they start at once
void plat_workers_destroy(plat_workers *workers);         // no task may be left; NULL is allowed
uint32_t plat_workers_count(const plat_workers *workers); // NULL: 0
void plat_workers_add(plat_workers *workers, plat_task *task);
// Returns when the task is done; runs it on this thread if none has begun it.
void plat_workers_wait(plat_workers *workers, plat_task *task);

// Into how many parts to cut n items of which no part should have fewer than `least`: 1 without
// helpers, else a few for each thread, so that none waits long for the last; PLAT_PARTS_MAX at
// most.
#define PLAT_PARTS_MAX 64u
uint32_t plat_workers_parts(const plat_workers *workers, uint64_t n, uint64_t least);
// For tests: so few items are worth a part, whatever the caller says. Before the first use.
void plat_workers_set_least(plat_workers *workers, uint32_t least);
// Calls run(arg, i) once for each i below n, on this thread and on helpers that have nothing else
// to do; returns when all have returned. What runs must not depend on the order of the calls.
void plat_workers_each(plat_workers *workers, uint32_t n, void (*run)(void *arg, uint32_t i),
                       void *arg);
// The same for calls that allocate: each gets an arena, and what they made becomes `into`'s.
void plat_workers_each_in(plat_workers *workers, base_arena *into, uint32_t n,
                          void (*run)(void *arg, uint32_t i, base_arena *arena), void *arg);
// Where part i of n items begins, and so where part i - 1 ends.
static inline uint64_t plat_part_begin(uint64_t n, uint32_t parts, uint32_t i) {
    return n / parts * i + (n % parts * i) / parts;
}

#endif
