// decimal.c - see decimal.h. Invariant of every base_decimal: |unscaled| < 10^38, 0 <= scale <= 38.
// Each operation first tries 64- or 128-bit arithmetic, which serves money and counts, and else
// goes through 256 bits (wide_int.h), where no intermediate can overflow; fit() brings the result
// back. Source of the rules: PostgreSQL 15, numeric. Entry points: base_decimal_add() and its
// siblings.
#include "base/decimal.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/must.h"
#include "base/wide_int.h"

#define E18 1000000000000000000ull
#define E19 10000000000000000000ull
#define P38 ((base_u128)E19 * E19) // 10^38: the first value that does not fit

static const uint64_t pow10_u64[20] = {
    1ull,
    10ull,
    100ull,
    1000ull,
    10000ull,
    100000ull,
    1000000ull,
    10000000ull,
    100000000ull,
    1000000000ull,
    10000000000ull,
    100000000000ull,
    1000000000000ull,
    10000000000000ull,
    100000000000000ull,
    1000000000000000ull,
    10000000000000000ull,
    100000000000000000ull,
    E18,
    E19,
};

static inline base_u128 pow10_u128(int n) {
    must(n >= 0 && n <= 38);
    return n <= 19 ? pow10_u64[n] : (base_u128)E19 * pow10_u64[n - 19];
}

// 10^n for n <= 76.
static base_u256 pow10_u256(int n) {
    return n <= 38 ? base_u256_of(pow10_u128(n)) : base_u256_mul(P38, pow10_u128(n - 38));
}

static inline base_u128 magnitude(base_i128 v) {
    return v < 0 ? -(base_u128)v : (base_u128)v;
}

static inline bool fits_i64(base_decimal d) {
    return d.hi == (int64_t)d.lo >> 63;
}

static inline base_decimal make_signed(base_u128 unscaled, int scale, bool negative) {
    return base_decimal_make(negative ? -(base_i128)unscaled : (base_i128)unscaled, scale);
}

static int count_digits_u64(uint64_t v) {
    if (v == 0) return 0;
    // bits * log10(2), rounded down, is the count or one less.
    int n = ((64 - __builtin_clzll(v)) * 1233) >> 12;
    return n + (v >= pow10_u64[n]);
}

// Decimal digits of v without leading zeros; 0 has none.
static int count_digits(base_u128 v) {
    if (v >> 64 == 0) return count_digits_u64((uint64_t)v);
    if (v < (base_u128)E19 * 10) return 20;
    base_u128 high = v / E19;
    if (high >> 64 == 0) return 19 + count_digits_u64((uint64_t)high);
    return 38 + count_digits_u64((uint64_t)(high / E19));
}

static int count_digits_u256(const base_u256 *v) {
    if (base_u256_fits_u128(v)) return count_digits(base_u256_low(v));
    int low = 38, high = 77; // 10^low <= v < 10^high
    while (high - low > 1) {
        int middle = (low + high) / 2;
        base_u256 p = pow10_u256(middle);
        if (base_u256_cmp(v, &p) >= 0) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low + 1;
}

static base_rc fail_overflow(base_error *err) {
    return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_NUMERIC_RANGE,
                     "value overflows numeric format");
}

// a / b, half away from zero.
static base_u256 divide_rounded(const base_u256 *a, const base_u256 *b) {
    base_u256 q, r;
    base_u256_div(a, b, &q, &r);
    base_u256 twice = base_u256_add(&r, &r);
    if (base_u256_cmp(&twice, b) >= 0) {
        base_u256 one = base_u256_of(1);
        q = base_u256_add(&q, &one);
    }
    return q;
}

static base_u128 divide_rounded_u128(base_u128 a, base_u128 b) {
    base_u128 q = a / b;
    return q + (a % b >= b - b / 2);
}

// The value v / 10^scale as a decimal, with less scale if that is what it takes to keep 38 digits.
static base_rc fit(const base_u256 *v, int scale, bool negative, base_decimal *out,
                   base_error *err) {
    int drop = scale - BASE_DECIMAL_DIGITS_MAX;
    int digits = count_digits_u256(v);
    if (digits - BASE_DECIMAL_DIGITS_MAX > drop) drop = digits - BASE_DECIMAL_DIGITS_MAX;
    if (drop <= 0) {
        *out = make_signed(base_u256_low(v), scale, negative);
        return BASE_OK;
    }
    if (drop > scale) return fail_overflow(err);
    base_u256 divisor = pow10_u256(drop);
    base_u256 q = divide_rounded(v, &divisor);
    base_u128 low = base_u256_low(&q);
    scale -= drop;
    if (low >= P38) { // rounding went up to 10^38 itself
        if (scale == 0) return fail_overflow(err);
        low /= 10;
        scale--;
    }
    *out = make_signed(low, scale, negative);
    return BASE_OK;
}

base_decimal base_decimal_from_i64(int64_t v) {
    return base_decimal_make(v, 0);
}

// ---------------------------------------------------------------------------------------------------
// Text

static bool is_space(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static base_rc fail_syntax(base_str text, base_error *err) {
    int shown = text.n > 200 ? 200 : (int)text.n;
    return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_INVALID_TEXT,
                     "invalid input syntax for type numeric: \"%.*s\"", shown, text.p);
}

// What the digits of a number say, before they are brought into range.
typedef struct scanned_number {
    base_u128 kept;  // the first 38 significant digits
    int kept_digits; // without leading zeros
    int64_t dropped; // digits after those
    bool round_up;   // the first dropped digit is at least 5
    int64_t scale;   // digits after the point, less the exponent
    bool negative;
} scanned_number;

static inline void take_digit(scanned_number *number, int digit) {
    if (number->kept_digits < BASE_DECIMAL_DIGITS_MAX) {
        number->kept = number->kept * 10 + (unsigned)digit;
        number->kept_digits += number->kept != 0;
    } else {
        if (number->dropped == 0) number->round_up = digit >= 5;
        number->dropped++;
    }
}

// Reads "e+10" at p; returns the end, or NULL if it is no exponent or out of PostgreSQL's bounds.
static const char *scan_exponent(const char *p, const char *end, int64_t *exponent) {
    p++;
    bool negative = false;
    if (p < end && (*p == '+' || *p == '-')) negative = *p++ == '-';
    if (p == end || *p < '0' || *p > '9') return NULL;
    int64_t value = 0;
    for (; p < end && *p >= '0' && *p <= '9'; p++) {
        value = value * 10 + (*p - '0');
        if (value >= INT_MAX / 2) return NULL;
    }
    *exponent = negative ? -value : value;
    return p;
}

static bool is_special_word(const char *p, const char *end) {
    while (end > p && is_space(end[-1])) end--;
    base_str word = {p, (size_t)(end - p)};
    return base_str_eq_nocase(word, BASE_STR("nan")) || base_str_eq_nocase(word, BASE_STR("inf")) ||
           base_str_eq_nocase(word, BASE_STR("infinity"));
}

static base_rc scan_number(base_str text, scanned_number *number, base_error *err) {
    const char *p = text.p, *end = text.p + text.n;
    while (p < end && is_space(*p)) p++;
    if (p < end && (*p == '-' || *p == '+')) number->negative = *p++ == '-';
    int64_t digits = 0;
    bool point = false;
    for (; p < end; p++) {
        if (*p >= '0' && *p <= '9') {
            take_digit(number, *p - '0');
            digits++;
            number->scale += point;
        } else if (*p == '.' && !point) {
            point = true;
        } else {
            break;
        }
    }
    if (digits == 0) {
        if (!point && is_special_word(p, end)) {
            return base_fail(err, BASE_E_UNSUPPORTED, NULL,
                             "NaN and infinity are not supported for type numeric");
        }
        return fail_syntax(text, err);
    }
    if (p < end && (*p == 'e' || *p == 'E')) {
        int64_t exponent = 0;
        p = scan_exponent(p, end, &exponent);
        if (p == NULL) return fail_syntax(text, err);
        number->scale -= exponent;
    }
    while (p < end && is_space(*p)) p++;
    return p == end ? BASE_OK : fail_syntax(text, err);
}

// Brings any scanned number into 38 digits.
static base_rc settle_number(const scanned_number *number, base_decimal *out, base_error *err) {
    base_u128 v = number->kept;
    int64_t scale = number->scale - number->dropped;
    if (v == 0) {
        int64_t shown = number->scale < 0 ? 0 : number->scale;
        *out = base_decimal_make(0, shown > BASE_DECIMAL_DIGITS_MAX ? BASE_DECIMAL_DIGITS_MAX
                                                                    : (int)shown);
        return BASE_OK;
    }
    if (scale > BASE_DECIMAL_DIGITS_MAX) {
        // Half away from zero looks at one digit only, so what was dropped before does not matter.
        int64_t drop = scale - BASE_DECIMAL_DIGITS_MAX;
        v = drop > BASE_DECIMAL_DIGITS_MAX ? 0 : divide_rounded_u128(v, pow10_u128((int)drop));
        scale = BASE_DECIMAL_DIGITS_MAX;
    } else if (scale < 0) {
        if (number->dropped > 0 || number->kept_digits - scale > BASE_DECIMAL_DIGITS_MAX) {
            return fail_overflow(err);
        }
        v *= pow10_u128((int)-scale);
        scale = 0;
    } else if (number->round_up && ++v == P38) {
        if (scale == 0) return fail_overflow(err);
        v /= 10;
        scale--;
    }
    *out = make_signed(v, (int)scale, number->negative);
    return BASE_OK;
}

// [-]digits[.digits] of at most 18 digits: nearly all input. Returns false to let the full scan
// decide.
static inline bool parse_plain(base_str text, base_decimal *out) {
    const char *p = text.p, *end = text.p + text.n;
    if (text.n == 0 || text.n > 18) return false;
    bool negative = *p == '-';
    p += negative;
    uint64_t v = 0;
    const char *point = NULL, *first = p;
    for (; p < end; p++) {
        unsigned digit = (unsigned char)*p - (unsigned)'0';
        if (digit <= 9) {
            v = v * 10 + digit;
        } else if (*p == '.' && point == NULL) {
            point = p;
        } else {
            return false;
        }
    }
    if (p - first - (point != NULL) < 1) return false;
    int64_t value = negative ? -(int64_t)v : (int64_t)v;
    *out = base_decimal_make(value, point == NULL ? 0 : (int)(end - point - 1));
    return true;
}

base_rc base_decimal_parse(base_str text, base_decimal *out, base_error *err) {
    if (parse_plain(text, out)) return BASE_OK;
    scanned_number number = {0};
    base_rc rc = scan_number(text, &number, err);
    if (rc != BASE_OK) return rc;
    return settle_number(&number, out, err);
}

// Writes v's digits so that they end before `end`; returns the first.
static char *write_digits(uint64_t v, char *end) {
    while (v >= 100) {
        unsigned two = (unsigned)(v % 100);
        v /= 100;
        *--end = (char)('0' + two % 10);
        *--end = (char)('0' + two / 10);
    }
    if (v >= 10) {
        *--end = (char)('0' + v % 10);
        v /= 10;
    }
    *--end = (char)('0' + v);
    return end;
}

int base_decimal_format(base_decimal d, char out[BASE_DECIMAL_TEXT_MAX]) {
    char digits[40];
    char *end = digits + sizeof digits, *p;
    base_u128 v = magnitude(base_decimal_unscaled(d));
    if (v >> 64 == 0) {
        p = write_digits((uint64_t)v, end);
    } else {
        p = write_digits((uint64_t)(v % E19), end);
        while (p > end - 19) *--p = '0';
        p = write_digits((uint64_t)(v / E19), p);
    }
    while (end - p <= d.scale) *--p = '0'; // at least one digit before the point
    char *to = out;
    if (d.hi < 0) *to++ = '-';
    size_t whole = (size_t)(end - p) - (size_t)d.scale;
    memcpy(to, p, whole);
    to += whole;
    if (d.scale > 0) {
        *to++ = '.';
        memcpy(to, p + whole, (size_t)d.scale);
        to += d.scale;
    }
    *to = '\0';
    return (int)(to - out);
}

// ---------------------------------------------------------------------------------------------------
// Arithmetic

static inline bool in_range(base_i128 v) {
    return magnitude(v) < P38;
}

static base_rc add_wide(base_decimal a, base_decimal b, base_decimal *out, base_error *err) {
    int scale = a.scale > b.scale ? a.scale : b.scale;
    base_u256 x = base_u256_mul(magnitude(base_decimal_unscaled(a)), pow10_u128(scale - a.scale));
    base_u256 y = base_u256_mul(magnitude(base_decimal_unscaled(b)), pow10_u128(scale - b.scale));
    bool a_negative = a.hi < 0, b_negative = b.hi < 0;
    base_u256 sum;
    bool negative = a_negative;
    if (a_negative == b_negative) {
        sum = base_u256_add(&x, &y);
    } else if (base_u256_cmp(&x, &y) >= 0) {
        sum = base_u256_sub(&x, &y);
    } else {
        sum = base_u256_sub(&y, &x);
        negative = b_negative;
    }
    return fit(&sum, scale, negative, out, err);
}

base_rc base_decimal_add(base_decimal a, base_decimal b, base_decimal *out, base_error *err) {
    base_i128 x = base_decimal_unscaled(a), y = base_decimal_unscaled(b), sum;
    if (a.scale == b.scale) {
        if (!__builtin_add_overflow(x, y, &sum) && in_range(sum)) {
            *out = base_decimal_make(sum, a.scale);
            return BASE_OK;
        }
        return add_wide(a, b, out, err);
    }
    int scale = a.scale > b.scale ? a.scale : b.scale;
    int up_a = scale - a.scale, up_b = scale - b.scale;
    if (fits_i64(a) && fits_i64(b) && up_a <= 18 && up_b <= 18) {
        // 2^63 * 10^18 < 10^37
        sum = x * (base_i128)pow10_u64[up_a] + y * (base_i128)pow10_u64[up_b];
        *out = base_decimal_make(sum, scale);
        return BASE_OK;
    }
    return add_wide(a, b, out, err);
}

base_rc base_decimal_sub(base_decimal a, base_decimal b, base_decimal *out, base_error *err) {
    return base_decimal_add(a, base_decimal_neg(b), out, err);
}

base_rc base_decimal_mul(base_decimal a, base_decimal b, base_decimal *out, base_error *err) {
    base_i128 x = base_decimal_unscaled(a), y = base_decimal_unscaled(b);
    int scale = a.scale + b.scale;
    if (fits_i64(a) && fits_i64(b) && scale <= BASE_DECIMAL_DIGITS_MAX) {
        *out = base_decimal_make(x * y, scale); // |x * y| <= 2^126 < 10^38
        return BASE_OK;
    }
    base_u256 product = base_u256_mul(magnitude(x), magnitude(y));
    return fit(&product, scale, (x < 0) != (y < 0), out, err);
}

// Weight and value of the first non-zero base-10000 digit, as PostgreSQL stores numerics.
static void first_group(base_u128 v, int digits, int scale, int *weight, int *group) {
    *weight = 0;
    *group = 0;
    if (v == 0) return;
    int top = digits - 1 - scale; // decimal exponent of the first digit
    *weight = top >= 0 ? top / 4 : -((3 - top) / 4);
    int keep = top - *weight * 4 + 1; // 1 to 4 digits
    *group =
        digits >= keep ? (int)(v / pow10_u128(digits - keep)) : (int)(v * pow10_u64[keep - digits]);
}

// PostgreSQL's select_div_scale(): 16 significant digits at least, and no less scale than either
// input.
static int divide_scale(base_decimal a, base_u128 x, int x_digits, base_decimal b, base_u128 y,
                        int y_digits) {
    int weight_a, weight_b, group_a, group_b;
    first_group(x, x_digits, a.scale, &weight_a, &group_a);
    first_group(y, y_digits, b.scale, &weight_b, &group_b);
    int quotient_weight = weight_a - weight_b - (group_a <= group_b);
    int scale = 16 - quotient_weight * 4;
    if (scale < a.scale) scale = a.scale;
    if (scale < b.scale) scale = b.scale;
    return scale < 0 ? 0 : scale;
}

base_rc base_decimal_div(base_decimal a, base_decimal b, base_decimal *out, base_error *err) {
    base_u128 x = magnitude(base_decimal_unscaled(a)), y = magnitude(base_decimal_unscaled(b));
    if (y == 0) {
        return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_DIVISION_BY_ZERO, "division by zero");
    }
    int x_digits = count_digits(x), y_digits = count_digits(y);
    int scale = divide_scale(a, x, x_digits, b, y, y_digits);
    if (scale > BASE_DECIMAL_DIGITS_MAX) scale = BASE_DECIMAL_DIGITS_MAX;
    bool negative = (a.hi < 0) != (b.hi < 0);
    for (;; scale--) {
        // quotient = x * 10^up / y has x_digits + up - y_digits digits, or one more.
        int up = scale - a.scale + b.scale;
        int excess = x_digits + up - y_digits - BASE_DECIMAL_DIGITS_MAX;
        if (excess > 0) {
            scale -= excess;
            up -= excess;
        }
        if (scale < 0) return fail_overflow(err);
        if (up >= 0 && x_digits + up <= BASE_DECIMAL_DIGITS_MAX) {
            base_u128 q = divide_rounded_u128(x * pow10_u128(up), y);
            *out = make_signed(q, scale, negative); // q <= the numerator < 10^38
            return BASE_OK;
        }
        // up is negative for no input: it starts at b.scale or more, and a numerator of at most 38
        // digits over y has no excess at up = 0. Up to 76 digits come out; neither factor
        // passes 38.
        must(up >= 0);
        int second = up > BASE_DECIMAL_DIGITS_MAX ? up - BASE_DECIMAL_DIGITS_MAX : 0;
        base_u256 numerator = base_u256_mul(x * pow10_u128(second), pow10_u128(up - second));
        base_u256 divisor = base_u256_of(y);
        base_u256 q = divide_rounded(&numerator, &divisor);
        if (base_u256_fits_u128(&q) && base_u256_low(&q) < P38) {
            *out = make_signed(base_u256_low(&q), scale, negative);
            return BASE_OK;
        }
    }
}

base_rc base_decimal_mod(base_decimal a, base_decimal b, base_decimal *out, base_error *err) {
    base_u128 x = magnitude(base_decimal_unscaled(a)), y = magnitude(base_decimal_unscaled(b));
    if (y == 0) {
        return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_DIVISION_BY_ZERO, "division by zero");
    }
    int scale = a.scale > b.scale ? a.scale : b.scale;
    base_u256 numerator = base_u256_mul(x, pow10_u128(scale - a.scale));
    base_u256 divisor = base_u256_mul(y, pow10_u128(scale - b.scale));
    base_u256 q, r;
    base_u256_div(&numerator, &divisor, &q, &r);
    // The rest is no larger than either input, one of which has this scale: it fits.
    *out = make_signed(base_u256_low(&r), scale, a.hi < 0);
    return BASE_OK;
}

base_decimal base_decimal_neg(base_decimal a) {
    return base_decimal_make(-base_decimal_unscaled(a), a.scale);
}

base_decimal base_decimal_abs(base_decimal a) {
    return a.hi < 0 ? base_decimal_neg(a) : a;
}

int base_decimal_sign(base_decimal a) {
    return a.hi < 0 ? -1 : (a.hi | (int64_t)a.lo) != 0;
}

// ---------------------------------------------------------------------------------------------------
// Order and hash

int base_decimal_cmp(base_decimal a, base_decimal b) {
    base_i128 x = base_decimal_unscaled(a), y = base_decimal_unscaled(b);
    if (a.scale != b.scale) {
        int up = a.scale > b.scale ? a.scale - b.scale : b.scale - a.scale;
        if (fits_i64(a) && fits_i64(b) && up <= 18) {
            if (a.scale > b.scale) {
                y *= (base_i128)pow10_u64[up];
            } else {
                x *= (base_i128)pow10_u64[up];
            }
        } else {
            if ((x < 0) != (y < 0)) return x < 0 ? -1 : 1;
            base_u256 wide_x = base_u256_mul(magnitude(x), pow10_u128(a.scale < b.scale ? up : 0));
            base_u256 wide_y = base_u256_mul(magnitude(y), pow10_u128(a.scale > b.scale ? up : 0));
            int c = base_u256_cmp(&wide_x, &wide_y);
            return x < 0 ? -c : c;
        }
    }
    return (x > y) - (x < y);
}

base_decimal base_decimal_normalize(base_decimal a) {
    int scale = a.scale;
    if (scale == 0) return a;
    if (fits_i64(a)) {
        int64_t v = (int64_t)a.lo;
        if (v == 0) return base_decimal_make(0, 0);
        while (scale >= 2 && v % 100 == 0) {
            v /= 100;
            scale -= 2;
        }
        if (scale >= 1 && v % 10 == 0) {
            v /= 10;
            scale--;
        }
        return base_decimal_make(v, scale);
    }
    base_i128 v = base_decimal_unscaled(a);
    while (scale > 0 && v % 10 == 0) {
        v /= 10;
        scale--;
    }
    return base_decimal_make(v, scale);
}

uint64_t base_decimal_hash(base_decimal a) {
    base_decimal n = base_decimal_normalize(a);
    uint64_t high = (uint64_t)n.hi * 0x9e3779b97f4a7c15ull + (uint64_t)n.scale;
    return base_mix64(n.lo + 0x9e3779b97f4a7c15ull + base_mix64(high));
}

// ---------------------------------------------------------------------------------------------------
// Scale changes and conversions

// To a scale above a's own: zeros at the end, as many as 38 digits allow.
static base_decimal pad(base_decimal a, int scale) {
    base_u128 v = magnitude(base_decimal_unscaled(a));
    if (scale > BASE_DECIMAL_DIGITS_MAX) scale = BASE_DECIMAL_DIGITS_MAX;
    int up = scale - a.scale, room = BASE_DECIMAL_DIGITS_MAX - count_digits(v);
    if (v != 0 && up > room) up = room;
    if (up <= 0) return a;
    return make_signed(v == 0 ? 0 : v * pow10_u128(up), a.scale + up, a.hi < 0);
}

base_rc base_decimal_round(base_decimal a, int scale, base_decimal *out, base_error *err) {
    if (scale >= a.scale) {
        *out = pad(a, scale);
        return BASE_OK;
    }
    if (scale < -BASE_DECIMAL_DIGITS_MAX) scale = -BASE_DECIMAL_DIGITS_MAX - 1;
    int drop = a.scale - scale;
    base_u128 v = magnitude(base_decimal_unscaled(a));
    // With 39 digits or more to drop the value is below half of the last kept place.
    v = drop > BASE_DECIMAL_DIGITS_MAX ? 0 : divide_rounded_u128(v, pow10_u128(drop));
    if (scale < 0 && v != 0) {
        if (count_digits(v) - scale > BASE_DECIMAL_DIGITS_MAX) return fail_overflow(err);
        v *= pow10_u128(-scale);
    }
    if (v >= P38) return fail_overflow(err);
    *out = make_signed(v, scale < 0 ? 0 : scale, a.hi < 0);
    return BASE_OK;
}

base_rc base_decimal_trunc(base_decimal a, int scale, base_decimal *out, base_error *err) {
    (void)err; // cutting cannot fail; the signature is its siblings'
    if (scale >= a.scale) {
        *out = pad(a, scale);
        return BASE_OK;
    }
    if (scale < -BASE_DECIMAL_DIGITS_MAX) scale = -BASE_DECIMAL_DIGITS_MAX - 1;
    int drop = a.scale - scale;
    base_u128 v = magnitude(base_decimal_unscaled(a));
    v = drop > BASE_DECIMAL_DIGITS_MAX ? 0 : v / pow10_u128(drop);
    if (scale < 0 && v != 0) v *= pow10_u128(-scale);
    *out = make_signed(v, scale < 0 ? 0 : scale, a.hi < 0);
    return BASE_OK;
}

static base_decimal to_whole(base_decimal a, bool up) {
    if (a.scale == 0) return a;
    base_u128 v = magnitude(base_decimal_unscaled(a)), unit = pow10_u128(a.scale);
    base_u128 whole = v / unit;
    bool away = (a.hi < 0) != up; // away from zero: down below zero, up above it
    if (away && v % unit != 0) whole++;
    return make_signed(whole, 0, a.hi < 0);
}

base_decimal base_decimal_floor(base_decimal a) {
    return to_whole(a, false);
}

base_decimal base_decimal_ceil(base_decimal a) {
    return to_whole(a, true);
}

base_rc base_decimal_coerce(base_decimal a, int precision, int scale, base_decimal *out,
                            base_error *err) {
    if (precision < 1 || precision > BASE_DECIMAL_DIGITS_MAX || scale > BASE_DECIMAL_DIGITS_MAX) {
        return base_fail(err, BASE_E_UNSUPPORTED, NULL,
                         "type numeric(%d,%d) has more than %d digits", precision, scale,
                         BASE_DECIMAL_DIGITS_MAX);
    }
    base_decimal rounded;
    bool fits;
    if (scale >= 0 && scale <= a.scale) {
        base_u128 v = magnitude(base_decimal_unscaled(a));
        if (scale < a.scale) v = divide_rounded_u128(v, pow10_u128(a.scale - scale));
        fits = v < pow10_u128(precision);
        rounded = make_signed(v, scale, a.hi < 0);
    } else {
        base_rc rc = base_decimal_round(a, scale, &rounded, err);
        if (rc != BASE_OK) return rc;
        int digits_max = scale < 0 ? precision - scale : precision;
        base_u128 v = magnitude(base_decimal_unscaled(rounded));
        // pad() stops where 38 digits end, and then the value is too large for the type anyway.
        fits = v == 0 || (rounded.scale >= scale && count_digits(v) <= digits_max);
    }
    if (!fits) {
        base_rc rc =
            base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_NUMERIC_RANGE, "numeric field overflow");
        int whole = precision - scale;
        base_error_detail(
            err,
            "A field with precision %d, scale %d must round to an absolute value less "
            "than %s%d.",
            precision, scale, whole != 0 ? "10^" : "", whole != 0 ? whole : 1);
        return rc;
    }
    *out = rounded;
    return BASE_OK;
}

double base_decimal_to_double(base_decimal a) {
    static const double exact_pow10[23] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                           1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                           1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    if (fits_i64(a) && a.scale <= 22) {
        int64_t v = (int64_t)a.lo;
        // Both operands are exact in a double, so one division rounds once.
        if (v >= -(1ll << 53) && v <= 1ll << 53) return (double)v / exact_pow10[a.scale];
    }
    char text[BASE_DECIMAL_TEXT_MAX];
    base_decimal_format(a, text);
    return strtod(text, NULL);
}

base_rc base_decimal_from_double(double v, base_decimal *out, base_error *err) {
    if (!isfinite(v)) {
        return base_fail(err, BASE_E_UNSUPPORTED, NULL,
                         "NaN and infinity are not supported for type numeric");
    }
    char text[40];
    int n = snprintf(text, sizeof text, "%.15g", v);
    return base_decimal_parse((base_str){text, (size_t)n}, out, err);
}

base_rc base_decimal_to_i64(base_decimal a, int64_t *out, base_error *err) {
    base_u128 v = magnitude(base_decimal_unscaled(a));
    if (a.scale > 0) v = divide_rounded_u128(v, pow10_u128(a.scale));
    bool negative = a.hi < 0;
    if (v > (base_u128)INT64_MAX + negative) {
        return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_NUMERIC_RANGE, "bigint out of range");
    }
    *out = (int64_t)(negative ? -(base_i128)v : (base_i128)v);
    return BASE_OK;
}
