// guard.h - memory that maps a file and cannot be read: who is to blame, and what is left behind.
//
// A library that reads a file through a mapping trusts it. A file that was cut, a bad sector or a
// damaged page then raises a signal in the middle of it, and nothing can go on from there: its
// locks are held and its structures half changed. So the process ends, but it says in which file
// and where, and leaves a mark (a small file) that makes the next start look closer, and not run
// into the same page again. Method: a guard names a mapping's range; besides, a thread notes which
// guard's library it is in (plat_guard_enter), since a damaged page can send it outside of the map.
// Signals that concern no guard do what they did before. Threads: any.
#ifndef WEIR_PLAT_GUARD_H
#define WEIR_PLAT_GUARD_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

typedef struct plat_guard plat_guard;

#define PLAT_GUARD_EXIT 74 // EX_IOERR: the process ended because a file could not be read

extern _Thread_local plat_guard *plat_guard_current;

// what: how the message names the thing ("the state in \"DIR\""); file: its file's name; mark_path:
// the file that is written. Both are copied; cut if they are longer than a path can be.
plat_guard *plat_guard_create(const char *what, const char *file, const char *mark_path);
void plat_guard_cover(plat_guard *guard, const char *base, uint64_t bytes, uint32_t page_bytes);
void plat_guard_destroy(plat_guard *guard); // NULL is allowed

// Around calls of the library; they do not nest. NULL: nobody is to blame.
static inline void plat_guard_enter(plat_guard *guard) {
    plat_guard_current = guard;
}
static inline int plat_guard_leave(int code) {
    plat_guard_current = NULL;
    return code;
}
// The library found by itself that it cannot go on: says so, leaves the mark, ends the process.
_Noreturn void plat_guard_end(plat_guard *guard, const char *cause);

#endif
