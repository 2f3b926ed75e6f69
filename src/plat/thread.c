// thread.c - see thread.h. Started threads block all signals but those of a thread's own faults:
// signals belong to the main thread, and a blocked fault would end the process without its handler.
#include "plat/thread.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/must.h"

void plat_mutex_init(plat_mutex *mutex) {
    must(pthread_mutex_init(mutex, NULL) == 0);
}

void plat_mutex_deinit(plat_mutex *mutex) {
    must(pthread_mutex_destroy(mutex) == 0);
}

void plat_mutex_lock(plat_mutex *mutex) {
    must(pthread_mutex_lock(mutex) == 0);
}

bool plat_mutex_try_lock(plat_mutex *mutex) {
    int rc = pthread_mutex_trylock(mutex);
    must(rc == 0 || rc == EBUSY);
    return rc == 0;
}

void plat_mutex_unlock(plat_mutex *mutex) {
    must(pthread_mutex_unlock(mutex) == 0);
}

void plat_cond_init(plat_cond *cond) {
    pthread_condattr_t attributes;
    must(pthread_condattr_init(&attributes) == 0);
    must(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0);
    must(pthread_cond_init(cond, &attributes) == 0);
    pthread_condattr_destroy(&attributes);
}

void plat_cond_deinit(plat_cond *cond) {
    must(pthread_cond_destroy(cond) == 0);
}

void plat_cond_wait(plat_cond *cond, plat_mutex *mutex) {
    must(pthread_cond_wait(cond, mutex) == 0);
}

// The instant timeout_us from now, by the monotonic clock; far futures are cut to a year.
static struct timespec deadline_after(int64_t timeout_us) {
    const int64_t year_us = 365ll * 86400 * 1000000;
    if (timeout_us < 0) timeout_us = 0;
    if (timeout_us > year_us) timeout_us = year_us;
    struct timespec at;
    must(clock_gettime(CLOCK_MONOTONIC, &at) == 0);
    at.tv_sec += timeout_us / 1000000;
    at.tv_nsec += (timeout_us % 1000000) * 1000;
    if (at.tv_nsec >= 1000000000) {
        at.tv_nsec -= 1000000000;
        at.tv_sec++;
    }
    return at;
}

bool plat_cond_wait_for(plat_cond *cond, plat_mutex *mutex, int64_t timeout_us) {
    struct timespec deadline = deadline_after(timeout_us);
    int rc = pthread_cond_timedwait(cond, mutex, &deadline);
    must(rc == 0 || rc == ETIMEDOUT);
    return rc == 0;
}

void plat_thread_nice(int by) {
    // On Linux niceness is a thread's own. To be refused is no harm.
    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), by);
}

void plat_cond_signal(plat_cond *cond) {
    must(pthread_cond_signal(cond) == 0);
}

void plat_cond_broadcast(plat_cond *cond) {
    must(pthread_cond_broadcast(cond) == 0);
}

void plat_thread_start(plat_thread *thread, const char *name, void *(*run)(void *), void *arg) {
    sigset_t all, before;
    sigfillset(&all);
    static const int faults[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL};
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) sigdelset(&all, faults[i]);
    must(pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
    must(pthread_create(thread, NULL, run, arg) == 0);
    must(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
    char short_name[16]; // the kernel's limit
    snprintf(short_name, sizeof short_name, "%.15s", name);
    pthread_setname_np(*thread, short_name); // for people only; may fail if the thread has ended
}

void plat_thread_join(plat_thread thread) {
    must(pthread_join(thread, NULL) == 0);
}

void plat_sleep_us(int64_t us) {
    if (us <= 0) return;
    struct timespec deadline = deadline_after(us);
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &deadline, NULL) == EINTR) continue;
}

uintptr_t plat_thread_self(void) {
    return (uintptr_t)pthread_self();
}

uint32_t plat_cpu_count(void) {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
    int n = CPU_COUNT(&set);
    return n > 0 ? (uint32_t)n : 1;
}
