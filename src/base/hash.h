// hash.h - xxHash (XXH3) for everything that is hashed: keys, checksums, partitions. The functions
// are fixed by the formats on disk: XXH3_64bits and XXH3_128bits of the bytes, seed 0.
#ifndef WEIR_BASE_HASH_H
#define WEIR_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t base_hash64(const void *bytes, size_t n);
uint64_t base_hash64_seed(const void *bytes, size_t n, uint64_t seed);
void base_hash128(const void *bytes, size_t n, uint8_t out[16]); // canonical big-endian
uint32_t base_crc32c(uint32_t crc, const void *bytes, size_t n); // Castagnoli; start with 0
uint32_t base_crc32c_portable(uint32_t crc, const void *bytes,
                              size_t n); // the same, without SSE 4.2

// A fast mixer for integers (splitmix64's finaliser).
static inline uint64_t base_mix64(uint64_t x) {
    x ^= x >> 30;
    x *= 0xbf58476d1ce4e5b9ull;
    x ^= x >> 27;
    x *= 0x94d049bb133111ebull;
    x ^= x >> 31;
    return x;
}

#endif
