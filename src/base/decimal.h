// decimal.h - exact decimals for NUMERIC: an unscaled 128-bit integer and a decimal scale.
// value = unscaled / 10^scale, |unscaled| < 10^38, 0 <= scale <= 38. PostgreSQL's results and
// display scales for + - * / % round, up to 38 digits in all; beyond that BASE_E_INVALID with
// SQLSTATE 22003 (PostgreSQL would go on to 131072 digits). Rounding is half away from zero, as
// PostgreSQL's numeric. There is no NaN or infinity. The display scale is part of the value: 1.0
// and 1.00 are equal and hash alike but print differently.
#ifndef WEIR_BASE_DECIMAL_H
#define WEIR_BASE_DECIMAL_H

#include "base/error.h"
#include "base/str.h"

typedef __int128 base_i128;
typedef unsigned __int128 base_u128;

// 24 bytes without 16-byte alignment, so that columns of it stay dense.
typedef struct base_decimal {
    uint64_t lo; // low half of the unscaled two's complement value
    int64_t hi;
    int32_t scale;
    int32_t reserved; // 0
} base_decimal;
_Static_assert(sizeof(base_decimal) == 24, "base_decimal is part of disk formats");

#define BASE_DECIMAL_DIGITS_MAX 38
#define BASE_DECIMAL_TEXT_MAX   48 // longest output of base_decimal_format, with NUL

static inline base_i128 base_decimal_unscaled(base_decimal d) {
    return (base_i128)(((base_u128)(uint64_t)d.hi << 64) | d.lo);
}
static inline base_decimal base_decimal_make(base_i128 unscaled, int scale) {
    return (base_decimal){(uint64_t)unscaled, (int64_t)(unscaled >> 64), scale, 0};
}

base_decimal base_decimal_from_i64(int64_t v);
// Accepts what PostgreSQL's numeric_in does: sign, digits, point, exponent, surrounding spaces. NaN
// and Infinity are BASE_E_UNSUPPORTED; 22P02 for what is no number.
BASE_MUST_USE base_rc base_decimal_parse(base_str text, base_decimal *out, base_error *err);
int base_decimal_format(base_decimal d, char out[BASE_DECIMAL_TEXT_MAX]); // returns length
BASE_MUST_USE base_rc base_decimal_add(base_decimal a, base_decimal b, base_decimal *out,
                                       base_error *err);
BASE_MUST_USE base_rc base_decimal_sub(base_decimal a, base_decimal b, base_decimal *out,
                                       base_error *err);
BASE_MUST_USE base_rc base_decimal_mul(base_decimal a, base_decimal b, base_decimal *out,
                                       base_error *err);
// Scale as PostgreSQL's select_div_scale(): at least 16 significant digits, limited to fit 38.
BASE_MUST_USE base_rc base_decimal_div(base_decimal a, base_decimal b, base_decimal *out,
                                       base_error *err);
BASE_MUST_USE base_rc base_decimal_mod(base_decimal a, base_decimal b, base_decimal *out,
                                       base_error *err);
base_decimal base_decimal_neg(base_decimal a);
base_decimal base_decimal_abs(base_decimal a);
int base_decimal_sign(base_decimal a);
int base_decimal_cmp(base_decimal a, base_decimal b); // by value
uint64_t base_decimal_hash(base_decimal a);          // equal values hash alike whatever their scale
base_decimal base_decimal_normalize(base_decimal a); // least scale that keeps the value
// To scale digits after the point (may be negative), half away from zero; trunc cuts.
BASE_MUST_USE base_rc base_decimal_round(base_decimal a, int scale, base_decimal *out,
                                         base_error *err);
BASE_MUST_USE base_rc base_decimal_trunc(base_decimal a, int scale, base_decimal *out,
                                         base_error *err);
base_decimal base_decimal_floor(base_decimal a);
base_decimal base_decimal_ceil(base_decimal a);
// NUMERIC(precision, scale): rounds to scale, then 22003 "numeric field overflow" if it does not
// fit. 1 <= precision <= 38 and scale <= 38 (it may be negative), else BASE_E_UNSUPPORTED.
BASE_MUST_USE base_rc base_decimal_coerce(base_decimal a, int precision, int scale,
                                          base_decimal *out, base_error *err);
double base_decimal_to_double(base_decimal a);
// As PostgreSQL casts float8 to numeric: 15 significant digits.
BASE_MUST_USE base_rc base_decimal_from_double(double v, base_decimal *out, base_error *err);
BASE_MUST_USE base_rc base_decimal_to_i64(base_decimal a, int64_t *out, base_error *err); // rounds

#endif
