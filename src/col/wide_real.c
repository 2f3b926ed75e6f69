// wide_real.c - see wide_real.h. Logarithms: the argument is brought near 1 by a power of two, and
// ln m = 2 atanh((m - 1) / (m + 1)) by its series. Exponentials: the argument less a multiple of
// ln 2, divided by 2^16, by Taylor's series, and squared 16 times. Division: Knuth, The Art of
// Computer Programming, volume 2, algorithm D.
#include "col/wide_real.h"

#include <math.h>
#include <pthread.h>

#include "base/big.h"
#include "base/must.h"

#define HALVES     (WIDE_WORDS * 2)
#define EXP_HALVED 16

typedef unsigned __int128 word_pair;

static wide_real from_u64(uint64_t v) {
    wide_real r = {0};
    r.w[WIDE_FRACTION] = v;
    return r;
}

static bool is_zero(const wide_real *a) {
    uint64_t all = 0;
    for (int i = 0; i < WIDE_WORDS; i++) all |= a->w[i];
    return all == 0;
}

static int compare_words(const uint64_t *a, const uint64_t *b) {
    for (int i = WIDE_WORDS - 1; i >= 0; i--) {
        if (a[i] != b[i]) return a[i] < b[i] ? -1 : 1;
    }
    return 0;
}

wide_real wide_neg(wide_real a) {
    a.negative = !a.negative;
    return a;
}

wide_real wide_add(wide_real a, wide_real b) {
    wide_real r = {.negative = a.negative};
    if (a.negative == b.negative) {
        word_pair carry = 0;
        for (int i = 0; i < WIDE_WORDS; i++) {
            carry += (word_pair)a.w[i] + b.w[i];
            r.w[i] = (uint64_t)carry;
            carry >>= 64;
        }
        return r;
    }
    if (compare_words(a.w, b.w) < 0) {
        wide_real t = a;
        a = b;
        b = t;
        r.negative = a.negative;
    }
    uint64_t borrow = 0;
    for (int i = 0; i < WIDE_WORDS; i++) {
        word_pair d = (word_pair)a.w[i] - b.w[i] - borrow;
        r.w[i] = (uint64_t)d;
        borrow = (uint64_t)(d >> 64) & 1;
    }
    return r;
}

wide_real wide_mul(wide_real a, wide_real b) {
    uint64_t product[2 * WIDE_WORDS] = {0};
    for (int i = 0; i < WIDE_WORDS; i++) {
        if (a.w[i] == 0) continue;
        uint64_t carry = 0;
        for (int k = 0; k < WIDE_WORDS; k++) {
            word_pair t = (word_pair)a.w[i] * b.w[k] + product[i + k] + carry;
            product[i + k] = (uint64_t)t;
            carry = (uint64_t)(t >> 64);
        }
        product[i + WIDE_WORDS] = carry;
    }
    wide_real r = {.negative = a.negative != b.negative};
    memcpy(r.w, product + WIDE_FRACTION, sizeof r.w);
    return r;
}

static wide_real div_small(wide_real a, uint64_t by) {
    uint64_t rest = 0;
    for (int i = WIDE_WORDS - 1; i >= 0; i--) {
        word_pair two = (word_pair)rest << 64 | a.w[i];
        a.w[i] = (uint64_t)(two / by);
        rest = (uint64_t)(two % by);
    }
    return a;
}

static wide_real shift(wide_real a, int left) {
    wide_real r = {.negative = a.negative};
    int words = left >= 0 ? left / 64 : -((-left + 63) / 64), bits = left - words * 64;
    for (int i = 0; i < WIDE_WORDS; i++) {
        int from = i - words;
        uint64_t v = from >= 0 && from < WIDE_WORDS ? a.w[from] << bits : 0;
        if (bits > 0 && from - 1 >= 0 && from - 1 < WIDE_WORDS) v |= a.w[from - 1] >> (64 - bits);
        r.w[i] = v;
    }
    return r;
}

wide_real wide_div(wide_real a, wide_real b) {
    must(!is_zero(&b));
    uint32_t v[HALVES], u[HALVES + 2 * WIDE_FRACTION + 2] = {0}, q[HALVES + 2 * WIDE_FRACTION + 2];
    memset(q, 0, sizeof q);
    memcpy(v, b.w, sizeof b.w);
    int n = HALVES;
    while (v[n - 1] == 0) n--;
    int bits = __builtin_clz(v[n - 1]);
    memcpy(u + 2 * WIDE_FRACTION, a.w, sizeof a.w); // times 2^256
    int m = HALVES + 2 * WIDE_FRACTION;
    for (int i = m; i >= 0 && bits > 0; i--) {
        u[i] = u[i] << bits | (i > 0 ? u[i - 1] >> (32 - bits) : 0);
    }
    for (int i = n - 1; i >= 0 && bits > 0; i--) {
        v[i] = v[i] << bits | (i > 0 ? v[i - 1] >> (32 - bits) : 0);
    }
    base_digits_divide(u, m, v, n, q);
    wide_real r = {.negative = a.negative != b.negative};
    memcpy(r.w, q, sizeof r.w);
    return r;
}

static wide_real power_of_ten(int n) {
    wide_real r = from_u64(1);
    for (; n >= 19; n -= 19) r = wide_mul(r, from_u64(10000000000000000000ull));
    uint64_t rest = 1;
    for (; n > 0; n--) rest *= 10;
    return wide_mul(r, from_u64(rest));
}

wide_real wide_from_decimal(base_decimal d) {
    base_i128 v = base_decimal_unscaled(d);
    base_u128 magnitude = v < 0 ? -(base_u128)v : (base_u128)v;
    wide_real r = {.negative = v < 0};
    r.w[WIDE_FRACTION] = (uint64_t)magnitude;
    r.w[WIDE_FRACTION + 1] = (uint64_t)(magnitude >> 64);
    return d.scale == 0 ? r : wide_div(r, power_of_ten(d.scale));
}

static int top_bit(const wide_real *a) { // -1: zero
    for (int i = WIDE_WORDS - 1; i >= 0; i--) {
        if (a->w[i] != 0) return i * 64 + 63 - __builtin_clzll(a->w[i]);
    }
    return -1;
}

// 2 atanh(z), |z| < 1/3 or so.
static wide_real two_atanh(wide_real z) {
    wide_real square = wide_mul(z, z), power = z, sum = z;
    for (uint64_t k = 3; !is_zero(&power); k += 2) {
        power = wide_mul(power, square);
        sum = wide_add(sum, div_small(power, k));
    }
    return shift(sum, 1);
}

static pthread_once_t ln2_once = PTHREAD_ONCE_INIT;
static wide_real ln2;

static void ln2_make(void) {
    ln2 = two_atanh(div_small(from_u64(1), 3));
}

static wide_real ln_near_one(wide_real m) {
    wide_real one = from_u64(1);
    return two_atanh(wide_div(wide_add(m, wide_neg(one)), wide_add(m, one)));
}

// The ratio is brought near 1 before it is divided, so that small numbers keep their digits.
wide_real wide_ln(base_decimal d) {
    pthread_once(&ln2_once, ln2_make);
    base_u128 v = (base_u128)base_decimal_unscaled(d);
    wide_real a = {0}, b = power_of_ten(d.scale);
    a.w[WIDE_FRACTION] = (uint64_t)v;
    a.w[WIDE_FRACTION + 1] = (uint64_t)(v >> 64);
    int exponent = top_bit(&a) - top_bit(&b);
    wide_real m =
        exponent >= 0 ? wide_div(shift(a, -exponent), b) : wide_div(a, shift(b, exponent));
    // m is in (1/2, 2); take it to (0.7, 1.42).
    double near = wide_to_double(m);
    if (near > 1.42) {
        m = shift(m, -1);
        exponent++;
    } else if (near < 0.7) {
        m = shift(m, 1);
        exponent--;
    }
    wide_real whole = wide_mul(ln2, from_u64((uint64_t)(exponent < 0 ? -exponent : exponent)));
    whole.negative = exponent < 0;
    return wide_add(whole, ln_near_one(m));
}

double wide_to_double(wide_real a) {
    double r = 0;
    for (int i = WIDE_WORDS - 1; i >= 0; i--) r += ldexp((double)a.w[i], 64 * (i - WIDE_FRACTION));
    return a.negative ? -r : r;
}

// a / 2^down to a scale that 38 digits have room for. Rounds half away from zero.
static bool round_shifted(wide_real a, int down, int scale, base_decimal *out) {
    int top = top_bit(&a);
    double whole_digits =
        top < 0 ? 0 : ((double)(top - 64 * WIDE_FRACTION - down) + 1) * 0.30102999566398120;
    if (whole_digits > 40) return false;
    int room = BASE_DECIMAL_DIGITS_MAX - (whole_digits > 0 ? (int)floor(whole_digits) : 0);
    if (scale > room) scale = room;
    for (; scale >= 0; scale--) {
        // a * 10^scale: its low half is a's fraction, which the shift moves.
        wide_real ten = power_of_ten(scale);
        uint64_t product[2 * WIDE_WORDS] = {0};
        for (int i = 0; i < WIDE_WORDS; i++) {
            uint64_t carry = 0;
            for (int k = 0; k < 2; k++) {
                word_pair t = (word_pair)a.w[i] * ten.w[WIDE_FRACTION + k] + product[i + k] + carry;
                product[i + k] = (uint64_t)t;
                carry = (uint64_t)(t >> 64);
            }
            product[i + 2] += carry;
        }
        int at = 64 * WIDE_FRACTION + down; // bits after the point
        base_u128 v = 0;
        if (at >= 64 * 2 * WIDE_WORDS) {
            v = 0;
        } else {
            must(at > 0);
            bool fits = true;
            for (int i = 2 * WIDE_WORDS * 64 - 1; i >= at; i--) {
                if (v >> 127 != 0) fits = false;
                v = v << 1 | (product[i / 64] >> (i % 64) & 1);
            }
            if (!fits) continue;
            v += product[(at - 1) / 64] >> ((at - 1) % 64) & 1;
        }
        base_u128 limit = (base_u128)10000000000000000000ull * 10000000000000000000ull;
        if (v >= limit) continue;
        *out = base_decimal_make(a.negative ? -(base_i128)v : (base_i128)v, scale);
        return true;
    }
    return false;
}

bool wide_round(wide_real a, int scale, base_decimal *out) {
    return round_shifted(a, 0, scale, out);
}

bool wide_exp_round(wide_real a, int scale, base_decimal *out) {
    pthread_once(&ln2_once, ln2_make);
    double near = wide_to_double(a);
    if (near > 90) return false;
    if (near < -300) {
        *out =
            base_decimal_make(0, scale > BASE_DECIMAL_DIGITS_MAX ? BASE_DECIMAL_DIGITS_MAX : scale);
        return true;
    }
    int exponent = (int)floor(near / 0.6931471805599453);
    wide_real whole = wide_mul(ln2, from_u64((uint64_t)(exponent < 0 ? -exponent : exponent)));
    whole.negative = exponent < 0;
    wide_real rest = shift(wide_add(a, wide_neg(whole)), -EXP_HALVED);
    wide_real sum = from_u64(1), term = from_u64(1);
    for (uint64_t k = 1; !is_zero(&term); k++) {
        term = div_small(wide_mul(term, rest), k);
        sum = wide_add(sum, term);
    }
    for (int i = 0; i < EXP_HALVED; i++) sum = wide_mul(sum, sum);
    return round_shifted(sum, -exponent, scale, out);
}
