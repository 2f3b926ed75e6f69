// must.c - what happens when an assertion fails: say where, and stop at once, so that the state of
// the moment is in the core file and nothing more is written.
#include "base/must.h"

#include <stdio.h>
#include <stdlib.h>

_Noreturn void base_must_failed(const char *condition, const char *file, int line) {
    fprintf(stderr, "weir: internal error: must(%s) failed at %s:%d\n", condition, file, line);
    fflush(stderr);
    abort();
}
