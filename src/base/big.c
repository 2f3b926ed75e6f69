// big.c - the arithmetic of big.h. Invariant: no result passes 640 bits (must). Entry points: all.
#include "base/big.h"

#include <string.h>

#include "base/must.h"

typedef unsigned __int128 wide;

base_big base_big_of(wide v) {
    return (base_big){{(uint64_t)v, (uint64_t)(v >> 64)}};
}

bool base_big_is_zero(const base_big *a) {
    uint64_t any = 0;
    for (int i = 0; i < BASE_BIG_WORDS; i++) any |= a->w[i];
    return any == 0;
}

int base_big_cmp(const base_big *a, const base_big *b) {
    for (int i = BASE_BIG_WORDS - 1; i >= 0; i--) {
        if (a->w[i] != b->w[i]) return a->w[i] < b->w[i] ? -1 : 1;
    }
    return 0;
}

base_big base_big_add(const base_big *a, const base_big *b) {
    base_big sum;
    wide carry = 0;
    for (int i = 0; i < BASE_BIG_WORDS; i++) {
        carry += (wide)a->w[i] + b->w[i];
        sum.w[i] = (uint64_t)carry;
        carry >>= 64;
    }
    must(carry == 0);
    return sum;
}

base_big base_big_sub(const base_big *a, const base_big *b) {
    base_big difference;
    uint64_t borrow = 0;
    for (int i = 0; i < BASE_BIG_WORDS; i++) {
        wide d = (wide)a->w[i] - b->w[i] - borrow;
        difference.w[i] = (uint64_t)d;
        borrow = (uint64_t)(d >> 64) & 1;
    }
    must(borrow == 0);
    return difference;
}

static int words_of(const base_big *a) {
    int n = BASE_BIG_WORDS;
    while (n > 0 && a->w[n - 1] == 0) n--;
    return n;
}

base_big base_big_mul(const base_big *a, const base_big *b) {
    base_big product = {{0}};
    int na = words_of(a), nb = words_of(b);
    must(na + nb <= BASE_BIG_WORDS + 1);
    for (int i = 0; i < na; i++) {
        uint64_t carry = 0;
        for (int k = 0; k < nb && i + k < BASE_BIG_WORDS; k++) {
            wide p = (wide)a->w[i] * b->w[k] + product.w[i + k] + carry;
            product.w[i + k] = (uint64_t)p;
            carry = (uint64_t)(p >> 64);
        }
        if (i + nb < BASE_BIG_WORDS) {
            product.w[i + nb] = carry;
        } else {
            must(carry == 0);
        }
    }
    return product;
}

base_big base_big_mul_small(const base_big *a, uint64_t b) {
    base_big product;
    wide carry = 0;
    for (int i = 0; i < BASE_BIG_WORDS; i++) {
        carry += (wide)a->w[i] * b;
        product.w[i] = (uint64_t)carry;
        carry >>= 64;
    }
    must(carry == 0);
    return product;
}

base_big base_big_pow10(const base_big *a, uint32_t n) {
    base_big product = *a;
    for (; n >= 19; n -= 19) product = base_big_mul_small(&product, 10000000000000000000u);
    uint64_t factor = 1;
    for (; n > 0; n--) factor *= 10;
    return base_big_mul_small(&product, factor);
}

base_big base_big_div_small(const base_big *a, uint64_t b, uint64_t *rest) {
    must(b != 0);
    base_big quotient;
    uint64_t left = 0;
    for (int i = BASE_BIG_WORDS - 1; i >= 0; i--) {
        wide two = (wide)left << 64 | a->w[i];
        quotient.w[i] = (uint64_t)(two / b);
        left = (uint64_t)(two % b);
    }
    if (rest != NULL) *rest = left;
    return quotient;
}

uint32_t base_big_bits(const base_big *a) {
    int n = words_of(a);
    if (n == 0) return 0;
    return (uint32_t)n * 64u - (uint32_t)__builtin_clzll(a->w[n - 1]);
}

static base_big shift_right(const base_big *a, uint32_t by) {
    base_big out = {{0}};
    uint32_t words = by / 64, bits = by % 64;
    for (uint32_t i = 0; i + words < BASE_BIG_WORDS; i++) {
        out.w[i] = a->w[i + words] >> bits;
        if (bits > 0 && i + words + 1 < BASE_BIG_WORDS) {
            out.w[i] |= a->w[i + words + 1] << (64 - bits);
        }
    }
    return out;
}

// Two bits of the square give one of the root, from the top; all stays below the square.
base_big base_big_sqrt(const base_big *a) {
    base_big root = {{0}}, rest = *a;
    uint32_t bits = base_big_bits(a);
    if (bits == 0) return root;
    for (uint32_t at = (bits - 1) & ~1u;; at -= 2) {
        base_big tried = root;
        tried.w[at / 64] |= (uint64_t)1 << (at % 64);
        root = shift_right(&root, 1);
        if (base_big_cmp(&rest, &tried) >= 0) {
            rest = base_big_sub(&rest, &tried);
            root.w[at / 64] |= (uint64_t)1 << (at % 64);
        }
        if (at == 0) return root;
    }
}

uint32_t base_big_digits(const base_big *a, uint8_t digits[BASE_BIG_DIGITS]) {
    uint8_t reversed[BASE_BIG_DIGITS + 19];
    uint32_t n = 0;
    base_big left = *a;
    while (!base_big_is_zero(&left)) {
        uint64_t part;
        left = base_big_div_small(&left, 10000000000000000000u, &part);
        bool last = base_big_is_zero(&left);
        for (int i = 0; last ? part != 0 : i < 19; i++, part /= 10) {
            reversed[n++] = (uint8_t)(part % 10);
        }
    }
    must(n < BASE_BIG_DIGITS);
    for (uint32_t i = 0; i < n; i++) digits[i] = reversed[n - 1 - i];
    return n;
}

bool base_big_fits_u128(const base_big *a) {
    return words_of(a) <= 2;
}

wide base_big_low(const base_big *a) {
    return (wide)a->w[1] << 64 | a->w[0];
}

void base_digits_divide(uint32_t *u, int m, const uint32_t *v, int n, uint32_t *q) {
    for (int j = m - n; j >= 0; j--) {
        uint64_t two = (uint64_t)u[j + n] << 32 | u[j + n - 1];
        uint64_t guess = two / v[n - 1], rest = two % v[n - 1];
        while (guess >> 32 != 0 || (n > 1 && guess * v[n - 2] > (rest << 32 | u[j + n - 2]))) {
            guess--;
            rest += v[n - 1];
            if (rest >> 32 != 0) break;
        }
        uint64_t carry = 0;
        int64_t borrow = 0;
        for (int i = 0; i < n; i++) {
            uint64_t p = guess * v[i] + carry;
            carry = p >> 32;
            int64_t t = (int64_t)u[i + j] - (int64_t)(uint32_t)p + borrow;
            u[i + j] = (uint32_t)t;
            borrow = t >> 32;
        }
        int64_t t = (int64_t)u[j + n] - (int64_t)carry + borrow;
        u[j + n] = (uint32_t)t;
        if (t < 0) { // the guess was one too large: add the divisor back
            guess--;
            carry = 0;
            for (int i = 0; i < n; i++) {
                uint64_t s = (uint64_t)u[i + j] + v[i] + carry;
                u[i + j] = (uint32_t)s;
                carry = s >> 32;
            }
            u[j + n] += (uint32_t)carry;
        }
        q[j] = (uint32_t)guess;
    }
}
