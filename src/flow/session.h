// session.h - what sessions are, for the two operators that find them. Internal to session*.c.
#ifndef WEIR_FLOW_SESSION_H
#define WEIR_FLOW_SESSION_H

#include <stdbool.h>
#include <stdint.h>

// When a session whose last row is at `last` is over.
static inline int64_t session_end(int64_t gap_us, int64_t last) {
    int64_t end;
    if (last == INT64_MIN) return last;
    return __builtin_add_overflow(last, gap_us, &end) ? INT64_MAX : end;
}

// Whether a session that has a row at `a` is over at `b`, which is not before it.
static inline bool session_apart(int64_t gap_us, int64_t a, int64_t b) {
    return b != a && b >= session_end(gap_us, a);
}

// window_time of a session: the last millisecond of it.
static inline int64_t session_time(int64_t end) {
    return end == INT64_MIN || end == INT64_MAX ? end : end - 1000;
}

#endif
