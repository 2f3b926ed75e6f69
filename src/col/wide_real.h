// wide_real.h - real numbers of 128 bits before and 256 after the binary point: what logarithms,
// exponentials and powers of NUMERIC are computed in, so that all 38 digits of a result are right.
// Errors of an operation are a few units of the last place (2^-256). Not for other folders.
#ifndef WEIR_COL_WIDE_REAL_H
#define WEIR_COL_WIDE_REAL_H

#include "base/decimal.h"

#define WIDE_WORDS    6
#define WIDE_FRACTION 4 // words after the point

typedef struct wide_real {
    uint64_t w[WIDE_WORDS]; // least first
    bool negative;
} wide_real;

wide_real wide_from_decimal(base_decimal d);
wide_real wide_add(wide_real a, wide_real b);
wide_real wide_neg(wide_real a);
wide_real wide_mul(wide_real a, wide_real b); // the product's whole part has at most 128 bits
wide_real wide_div(wide_real a, wide_real b); // b is not 0
// The natural logarithm of a decimal above 0.
wide_real wide_ln(base_decimal d);
double wide_to_double(wide_real a);
// Rounded half away from 0 to a scale, or to what 38 digits leave of it. False: it does not fit.
bool wide_round(wide_real a, int scale, base_decimal *out);
// e^a, rounded so.
bool wide_exp_round(wide_real a, int scale, base_decimal *out);

#endif
