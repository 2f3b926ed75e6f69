// be.h - whole numbers as big-endian bytes, as keys of tables have them: their order as bytes is
// the order of the numbers. Any thread.
#ifndef WEIR_BASE_BE_H
#define WEIR_BASE_BE_H

#include <stddef.h>
#include <stdint.h>

// The lowest `bytes` (at most 8) bytes of v.
static inline void base_be_put(char *out, uint64_t v, size_t bytes) {
    for (size_t i = 0; i < bytes; i++) out[i] = (char)(v >> (8 * (bytes - 1 - i)));
}

static inline uint64_t base_be_get(const char *p, size_t bytes) {
    uint64_t v = 0;
    for (size_t i = 0; i < bytes; i++) v = v << 8 | (uint8_t)p[i];
    return v;
}

#endif
