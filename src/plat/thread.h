// thread.h - threads, mutexes, conditions: thin names over POSIX threads. Failure to create or lock
// is fatal (must). In a simulation everything runs on one thread and these are never contended.
#ifndef WEIR_PLAT_THREAD_H
#define WEIR_PLAT_THREAD_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

typedef pthread_mutex_t plat_mutex;
typedef pthread_cond_t plat_cond; // waits by the monotonic clock
typedef pthread_t plat_thread;

void plat_mutex_init(plat_mutex *mutex);
void plat_mutex_deinit(plat_mutex *mutex);
void plat_mutex_lock(plat_mutex *mutex);
bool plat_mutex_try_lock(plat_mutex *mutex); // false: another thread has it
void plat_mutex_unlock(plat_mutex *mutex);
void plat_cond_init(plat_cond *cond);
void plat_cond_deinit(plat_cond *cond);
void plat_cond_wait(plat_cond *cond, plat_mutex *mutex);
// Returns false on timeout. timeout_us counts from now.
bool plat_cond_wait_for(plat_cond *cond, plat_mutex *mutex, int64_t timeout_us);
void plat_cond_signal(plat_cond *cond);
void plat_cond_broadcast(plat_cond *cond);
void plat_thread_start(plat_thread *thread, const char *name, void *(*run)(void *), void *arg);
void plat_thread_join(plat_thread thread);
void plat_thread_nice(int by); // this thread gives way to others; greater is more so, to 19
void plat_sleep_us(int64_t us);
uint32_t plat_cpu_count(void);    // processors that this process may use, at least 1
uintptr_t plat_thread_self(void); // tells threads apart; never 0

#endif
