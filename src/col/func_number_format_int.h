// func_number_format_int.h - patterns of numbers, parsed: for to_char (func_format_number.c) and
// to_number (func_to_number.c).
#ifndef WEIR_COL_FUNC_NUMBER_FORMAT_INT_H
#define WEIR_COL_FUNC_NUMBER_FORMAT_INT_H

#include "col/func_int.h"

#define FORMAT_DIGITS_MAX 60
#define FORMAT_NODES_MAX  128

typedef enum number_token {
    NT_LITERAL,
    NT_DIGIT, // 9
    NT_ZERO,  // 0
    NT_POINT,
    NT_GROUP,
    NT_SIGN,    // S
    NT_MINUS,   // MI
    NT_PLUS,    // PL
    NT_EITHER,  // SG
    NT_BRACKET, // PR
    NT_ORDINAL, // TH, th
    NT_CURRENCY,
} number_token;

typedef struct number_node {
    number_token token;
    bool lower;
    base_str text;
} number_node;

typedef struct number_format {
    base_str source;
    bool ready;
    uint32_t n;
    number_node nodes[FORMAT_NODES_MAX];
    bool fill, roman, roman_lower, has_point, has_sign_pattern, bracket, sign_pattern, minus, plus;
    bool scientific;     // EEEE
    int before, after;   // digits
    int shift;           // V: digits that multiply
    int zero_from;       // of the digits before the point, the first that a 0 asks for, or -1
    int last_zero_after; // digits after the point up to the last 0
    bool sign_leads;     // S before the digits
} number_format;

BASE_MUST_USE base_rc func_number_format(number_format *f, base_str s, base_error *err);

#endif
