// random.h - a small deterministic generator (xoshiro256**, Blackman and Vigna) for simulations,
// tests, jitter and the simulator of the example. Not for secrets.
#ifndef WEIR_BASE_RANDOM_H
#define WEIR_BASE_RANDOM_H

#include <stdint.h>

typedef struct base_random {
    uint64_t s[4];
} base_random;

void base_random_seed(base_random *random, uint64_t seed);
uint64_t base_random_u64(base_random *random);
uint64_t base_random_below(base_random *random, uint64_t bound); // bound > 0; unbiased
double base_random_unit(base_random *random);                    // [0, 1)

#endif
