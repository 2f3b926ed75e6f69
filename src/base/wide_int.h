// wide_int.h - unsigned 256-bit helpers for decimal.c: what a product, or a numerator of two
// 38-digit numbers, needs. 10^76 < 2^253, so sums and doublings of such values cannot overflow.
// Method of the division: Knuth, The Art of Computer Programming, volume 2, 4.3.1, algorithm D.
#ifndef WEIR_BASE_WIDE_INT_H
#define WEIR_BASE_WIDE_INT_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/big.h"
#include "base/must.h"

typedef unsigned __int128 base_u128_word;

typedef struct base_u256 {
    uint64_t w[4]; // least significant first
} base_u256;

static inline base_u256 base_u256_of(base_u128_word v) {
    return (base_u256){{(uint64_t)v, (uint64_t)(v >> 64), 0, 0}};
}
static inline bool base_u256_fits_u128(const base_u256 *a) {
    return (a->w[2] | a->w[3]) == 0;
}
static inline base_u128_word base_u256_low(const base_u256 *a) {
    return ((base_u128_word)a->w[1] << 64) | a->w[0];
}

static inline int base_u256_cmp(const base_u256 *a, const base_u256 *b) {
    for (int i = 3; i >= 0; i--) {
        if (a->w[i] != b->w[i]) return a->w[i] < b->w[i] ? -1 : 1;
    }
    return 0;
}

static inline base_u256 base_u256_add(const base_u256 *a, const base_u256 *b) {
    base_u256 r;
    base_u128_word carry = 0;
    for (int i = 0; i < 4; i++) {
        carry += (base_u128_word)a->w[i] + b->w[i];
        r.w[i] = (uint64_t)carry;
        carry >>= 64;
    }
    must(carry == 0);
    return r;
}

// a - b; a >= b.
static inline base_u256 base_u256_sub(const base_u256 *a, const base_u256 *b) {
    base_u256 r;
    uint64_t borrow = 0;
    for (int i = 0; i < 4; i++) {
        base_u128_word d = (base_u128_word)a->w[i] - b->w[i] - borrow;
        r.w[i] = (uint64_t)d;
        borrow = (uint64_t)(d >> 64) & 1;
    }
    must(borrow == 0);
    return r;
}

static inline base_u256 base_u256_mul(base_u128_word a, base_u128_word b) {
    uint64_t a0 = (uint64_t)a, a1 = (uint64_t)(a >> 64), b0 = (uint64_t)b, b1 = (uint64_t)(b >> 64);
    base_u128_word p00 = (base_u128_word)a0 * b0, p01 = (base_u128_word)a0 * b1;
    base_u128_word p10 = (base_u128_word)a1 * b0, p11 = (base_u128_word)a1 * b1;
    base_u128_word middle = (p00 >> 64) + (uint64_t)p01 + (uint64_t)p10;
    base_u128_word high = p11 + (p01 >> 64) + (p10 >> 64) + (middle >> 64);
    return (base_u256){{(uint64_t)p00, (uint64_t)middle, (uint64_t)high, (uint64_t)(high >> 64)}};
}

// The divisor has at least two digits of 32 bits. quotient may be the numerator.
static inline void base_u256_div_long(const base_u256 *a, const base_u256 *b, base_u256 *quotient,
                                      base_u256 *remainder) {
    uint32_t u[9], v[8], q[8] = {0};
    memcpy(v, b->w, 32); // little-endian, which str.c asserts
    int n = 8;
    while (n > 0 && v[n - 1] == 0) n--;
    must(n >= 2);
    int shift = __builtin_clz(v[n - 1]);
    uint32_t a32[8];
    memcpy(a32, a->w, 32);
    // Shift both left so that the divisor's first digit is at least 2^31.
    for (int i = n - 1; i >= 0; i--) {
        uint64_t below = i > 0 ? v[i - 1] : 0;
        v[i] = (uint32_t)((((uint64_t)v[i] << 32 | below) << shift) >> 32);
    }
    u[8] = shift == 0 ? 0 : a32[7] >> (32 - shift);
    for (int i = 7; i >= 0; i--) {
        uint64_t below = i > 0 ? a32[i - 1] : 0;
        u[i] = (uint32_t)((((uint64_t)a32[i] << 32 | below) << shift) >> 32);
    }
    base_digits_divide(u, 8, v, n, q);
    uint32_t r[8] = {0};
    for (int i = 0; i < n; i++) {
        r[i] = (uint32_t)(((uint64_t)u[i + 1] << 32 | u[i]) >> shift);
    }
    memcpy(quotient->w, q, 32);
    memcpy(remainder->w, r, 32);
}

static inline void base_u256_div(const base_u256 *a, const base_u256 *b, base_u256 *quotient,
                                 base_u256 *remainder) {
    if (base_u256_fits_u128(a) && base_u256_fits_u128(b)) {
        base_u128_word x = base_u256_low(a), y = base_u256_low(b);
        *quotient = base_u256_of(x / y);
        *remainder = base_u256_of(x % y);
        return;
    }
    if ((b->w[1] | b->w[2] | b->w[3]) == 0) {
        uint64_t d = b->w[0], rest = 0;
        for (int i = 3; i >= 0; i--) {
            base_u128_word two = (base_u128_word)rest << 64 | a->w[i];
            quotient->w[i] = (uint64_t)(two / d);
            rest = (uint64_t)(two % d);
        }
        *remainder = base_u256_of(rest);
        return;
    }
    base_u256_div_long(a, b, quotient, remainder);
}

#endif
