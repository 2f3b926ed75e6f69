// random.c - xoshiro256** 1.0, seeded by splitmix64 (Blackman and Vigna, "Scrambled Linear
// Pseudorandom Number Generators", 2018).
#include "base/random.h"

#include "base/hash.h"
#include "base/must.h"

void base_random_seed(base_random *random, uint64_t seed) {
    for (int i = 0; i < 4; i++) {
        seed += 0x9e3779b97f4a7c15ull;
        random->s[i] = base_mix64(seed);
    }
}

static uint64_t rotate_left(uint64_t x, int k) {
    return (x << k) | (x >> (64 - k));
}

uint64_t base_random_u64(base_random *random) {
    uint64_t *s = random->s;
    uint64_t result = rotate_left(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate_left(s[3], 45);
    return result;
}

uint64_t base_random_below(base_random *random, uint64_t bound) {
    must(bound > 0);
    // Lemire's multiplication method: reject the few low products that would favour some values.
    unsigned __int128 m = (unsigned __int128)base_random_u64(random) * bound;
    if ((uint64_t)m < bound) {
        uint64_t threshold = -bound % bound;
        while ((uint64_t)m < threshold) m = (unsigned __int128)base_random_u64(random) * bound;
    }
    return (uint64_t)(m >> 64);
}

double base_random_unit(base_random *random) {
    return (double)(base_random_u64(random) >> 11) * 0x1.0p-53;
}
