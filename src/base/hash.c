// hash.c - see hash.h. crc32c uses the processor's instruction where there is one (x86-64 SSE 4.2),
// else eight tables made once at start (slicing by 8). Both give the same values.
#include "base/hash.h"

#include <stdbool.h>
#include <string.h>

// xxHash is compiled into this file: libpg_query exports functions of the same names, slower ones,
// and which library's are taken would depend on the order of linking. What is long goes to the
// library's functions for the processor at hand, whose names nobody else has.
#define XXH_INLINE_ALL
#include <xxhash.h>
#if defined(__x86_64__)
uint64_t XXH3_64bits_dispatch(const void *bytes, size_t n); // xxh_x86dispatch.h
#define hash64_long XXH3_64bits_dispatch
#else
#define hash64_long XXH3_64bits
#endif

#define LONG_BYTES 512u // from here on wider registers repay the call

uint64_t base_hash64(const void *bytes, size_t n) {
    return n < LONG_BYTES ? XXH3_64bits(bytes, n) : hash64_long(bytes, n);
}

uint64_t base_hash64_seed(const void *bytes, size_t n, uint64_t seed) {
    return XXH3_64bits_withSeed(bytes, n, seed);
}

void base_hash128(const void *bytes, size_t n, uint8_t out[16]) {
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, XXH3_128bits(bytes, n));
    memcpy(out, canonical.digest, 16);
}

#define CRC32C_POLYNOMIAL 0x82f63b78u // reflected Castagnoli

static uint32_t crc32c_table[8][256];
static bool crc32c_hardware;

// Runs before main, so that no call needs to test whether the tables are there.
__attribute__((constructor)) static void crc32c_prepare(void) {
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t crc = i;
        for (int bit = 0; bit < 8; bit++) crc = (crc >> 1) ^ ((crc & 1) * CRC32C_POLYNOMIAL);
        crc32c_table[0][i] = crc;
    }
    for (int t = 1; t < 8; t++) {
        for (int i = 0; i < 256; i++) {
            uint32_t crc = crc32c_table[t - 1][i];
            crc32c_table[t][i] = (crc >> 8) ^ crc32c_table[0][crc & 255];
        }
    }
#if defined(__x86_64__)
    __builtin_cpu_init();
    crc32c_hardware = __builtin_cpu_supports("sse4.2");
#endif
}

uint32_t base_crc32c_portable(uint32_t crc, const void *bytes, size_t n) {
    const uint8_t *p = bytes;
    crc = ~crc;
    while (n >= 8) {
        uint64_t word;
        memcpy(&word, p, 8);
        word ^= crc;
        crc = 0;
        for (int i = 0; i < 8; i++) crc ^= crc32c_table[7 - i][(word >> (8 * i)) & 255];
        p += 8;
        n -= 8;
    }
    while (n-- > 0) crc = (crc >> 8) ^ crc32c_table[0][(crc ^ *p++) & 255];
    return ~crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t crc32c_sse42(uint32_t crc, const void *bytes,
                                                               size_t n) {
    const uint8_t *p = bytes;
    uint64_t c = ~crc;
    while (n >= 8) {
        uint64_t word;
        memcpy(&word, p, 8);
        c = __builtin_ia32_crc32di(c, word);
        p += 8;
        n -= 8;
    }
    uint32_t c32 = (uint32_t)c;
    while (n-- > 0) c32 = __builtin_ia32_crc32qi(c32, *p++);
    return ~c32;
}
#endif

uint32_t base_crc32c(uint32_t crc, const void *bytes, size_t n) {
#if defined(__x86_64__)
    if (crc32c_hardware) return crc32c_sse42(crc, bytes, n);
#endif
    return base_crc32c_portable(crc, bytes, n);
}
