// guard.c - see guard.h. The handler may call async-signal-safe functions only, and allocates
// nothing: texts are put together in a buffer on its stack.
//
// Invariant: a guard in the table is whole. Entry points: plat_guard_create, on_signal.
#include "plat/guard.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/must.h"

enum { GUARDS_MAX = 1024, PATH_BYTES_MAX = 4096 };

struct plat_guard {
    char what[PATH_BYTES_MAX + 64];
    char file[64];
    char mark_path[PATH_BYTES_MAX];
    _Atomic uintptr_t base; // 0: not known
    uint64_t bytes;
    uint32_t page_bytes;
};

_Thread_local plat_guard *plat_guard_current;
static plat_guard *_Atomic guards[GUARDS_MAX];
static const int numbers[] = {SIGBUS, SIGSEGV, SIGABRT};
static struct sigaction before[sizeof numbers / sizeof *numbers];
static pthread_once_t installed = PTHREAD_ONCE_INIT;

// ---- texts in a handler ----

typedef struct text {
    char bytes[2 * PATH_BYTES_MAX];
    size_t n;
} text;

static void add(text *t, const char *s) {
    while (*s != 0 && t->n < sizeof t->bytes) t->bytes[t->n++] = *s++;
}

static void add_u64(text *t, uint64_t v) {
    char digits[21];
    size_t at = sizeof digits - 1;
    digits[at] = 0;
    do digits[--at] = (char)('0' + v % 10);
    while ((v /= 10) > 0);
    add(t, digits + at);
}

static void put(int fd, const text *t) {
    for (size_t at = 0; at < t->n;) {
        ssize_t n = write(fd, t->bytes + at, t->n - at);
        if (n <= 0) return; // there is nobody left to tell
        at += (size_t)n;
    }
}

static void leave_mark(const plat_guard *guard, const text *t) {
    int fd = open(guard->mark_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) return;
    put(fd, t);
    (void)fsync(fd);
    close(fd);
}

// ---- the handler ----

static const char *signal_name(int number) {
    return number == SIGBUS ? "SIGBUS" : number == SIGSEGV ? "SIGSEGV" : "SIGABRT";
}

static plat_guard *guard_at(uintptr_t address) {
    for (size_t i = 0; i < GUARDS_MAX; i++) {
        plat_guard *guard = atomic_load(&guards[i]);
        if (guard == NULL) continue;
        uintptr_t base = atomic_load(&guard->base);
        if (base != 0 && address >= base && address - base < guard->bytes) return guard;
    }
    return NULL;
}

// What was done before: if it returns, the instruction is tried again and meets it.
static void restore(int number) {
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (numbers[i] == number) sigaction(number, &before[i], NULL);
}

static void on_signal(int number, siginfo_t *info, void *context) {
    (void)context;
    uintptr_t address = number == SIGABRT ? 0 : (uintptr_t)info->si_addr;
    plat_guard *within = address == 0 ? NULL : guard_at(address);
    plat_guard *guard = within != NULL ? within : plat_guard_current;
    // A write to a mapping, which is for reading only, is a mistake of the program.
    if (within != NULL && number == SIGSEGV && info->si_code == SEGV_ACCERR) guard = NULL;
    if (guard != NULL) {
        text t = {.n = 0};
        add(&t, "weir: error: ");
        add(&t, guard->what);
        if (within != NULL) {
            add(&t, " is damaged: ");
            add(&t, guard->file);
            add(&t, ", page ");
            add_u64(&t, (address - atomic_load(&guard->base)) / guard->page_bytes);
            add(&t, ", cannot be read (");
        } else {
            add(&t, " is perhaps damaged: the program failed while reading it (");
        }
        add(&t, signal_name(number));
        add(&t, "). The process ends; the next start tests all of it, and the rest goes on.\n");
        put(STDERR_FILENO, &t);
        leave_mark(guard, &t);
        if (within != NULL) _exit(PLAT_GUARD_EXIT);
    }
    restore(number);
}

_Noreturn void plat_guard_end(plat_guard *guard, const char *cause) {
    text t = {.n = 0};
    add(&t, "weir: error: ");
    add(&t, guard->what);
    add(&t, " is damaged: ");
    add(&t, cause);
    add(&t, ". The process ends; the next start tests all of it, and the rest goes on.\n");
    put(STDERR_FILENO, &t);
    leave_mark(guard, &t);
    _exit(PLAT_GUARD_EXIT);
}

static void install(void) {
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        must(sigaction(numbers[i], &action, &before[i]) == 0);
}

// ---- guards ----

plat_guard *plat_guard_create(const char *what, const char *file, const char *mark_path) {
    must(pthread_once(&installed, install) == 0);
    plat_guard *guard = calloc(1, sizeof *guard);
    must(guard != NULL);
    snprintf(guard->what, sizeof guard->what, "%s", what);
    snprintf(guard->file, sizeof guard->file, "%s", file);
    snprintf(guard->mark_path, sizeof guard->mark_path, "%s", mark_path);
    for (size_t i = 0; i < GUARDS_MAX; i++) {
        plat_guard *none = NULL;
        if (atomic_compare_exchange_strong(&guards[i], &none, guard)) break;
    }
    return guard; // one that found no room still serves the calls that enter it
}

void plat_guard_cover(plat_guard *guard, const char *base, uint64_t bytes, uint32_t page_bytes) {
    atomic_store(&guard->base, (uintptr_t)0);
    guard->bytes = bytes;
    guard->page_bytes = page_bytes;
    atomic_store(&guard->base, (uintptr_t)base);
}

void plat_guard_destroy(plat_guard *guard) {
    if (guard == NULL) return;
    for (size_t i = 0; i < GUARDS_MAX; i++) {
        plat_guard *same = guard;
        atomic_compare_exchange_strong(&guards[i], &same, NULL);
    }
    free(guard);
}
