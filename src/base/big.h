// big.h - unsigned integers of 640 bits, for what exact statistics need on the way: squares of
// sums, numerators scaled up by powers of ten, square roots. Plain schoolbook methods; the values
// are a few hundred bits. An overflow is our own mistake (must), so callers bound what they put in.
// Also the division of digits that wider and narrower numbers than these share.
#ifndef WEIR_BASE_BIG_H
#define WEIR_BASE_BIG_H

#include <stdbool.h>
#include <stdint.h>

#define BASE_BIG_WORDS  10
#define BASE_BIG_DIGITS 194 // decimal digits of the greatest value, and one to spare

typedef struct base_big {
    uint64_t w[BASE_BIG_WORDS]; // least significant first
} base_big;

base_big base_big_of(unsigned __int128 v);
bool base_big_is_zero(const base_big *a);
int base_big_cmp(const base_big *a, const base_big *b);
base_big base_big_add(const base_big *a, const base_big *b);
base_big base_big_sub(const base_big *a, const base_big *b); // a >= b
base_big base_big_mul(const base_big *a, const base_big *b);
base_big base_big_mul_small(const base_big *a, uint64_t b);
base_big base_big_pow10(const base_big *a, uint32_t n);                     // a * 10^n
base_big base_big_div_small(const base_big *a, uint64_t b, uint64_t *rest); // rest may be NULL
base_big base_big_sqrt(const base_big *a);                                  // rounded down
uint32_t base_big_bits(const base_big *a);                                  // 0 for 0
// Digits, most significant first, without leading zeros; returns how many (0 for 0).
uint32_t base_big_digits(const base_big *a, uint8_t digits[BASE_BIG_DIGITS]);
bool base_big_fits_u128(const base_big *a);
unsigned __int128 base_big_low(const base_big *a);

// Algorithm D (Knuth, The Art of Computer Programming 2, 4.3.1): u[0..m) / v[0..n) in 32-bit
// digits, the least first; v[n - 1] has its highest bit set, and u has a digit of room at m. The
// quotient's m - n + 1 digits go to q, the remainder stays in u[0..n).
void base_digits_divide(uint32_t *u, int m, const uint32_t *v, int n, uint32_t *q);

#endif
