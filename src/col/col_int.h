// col_int.h - what the files of src/col share and nobody else sees: storage classes.
// Kinds that are stored alike are handled alike, so loops are written once a storage, not once a
// kind.
#ifndef WEIR_COL_COL_INT_H
#define WEIR_COL_COL_INT_H

#include "base/must.h"
#include "col/batch.h"

typedef enum col_storage {
    COL_ST_NONE, // UNKNOWN: every row is null
    COL_ST_U8,
    COL_ST_I16,
    COL_ST_I32,
    COL_ST_U32,
    COL_ST_I64,
    COL_ST_F32,
    COL_ST_F64,
    COL_ST_DEC,
    COL_ST_STR,
    COL_ST_ARRAY, // base_str: an array whose bytes are a key and the exact elements (array.h)
    COL_ST_JSON,  // base_str: canonical text, compared by value (jsonb_order.h)
    COL_ST_INTERVAL,
    COL_ST_UUID,
    COL_ST_STRUCT,
} col_storage;

extern const uint8_t col_kind_storage[COL_KIND_COUNT]; // col_storage

static inline col_storage col_storage_of(const col_vec *vec) {
    return (col_storage)col_kind_storage[vec->type.kind];
}

// Parts of ordered keys (key_codec.c) by which array.c finds where one ends.
#define COL_KEY_VALUE          1
#define COL_KEY_DEC_ZERO       0x80
#define COL_KEY_INTERVAL_BYTES 10

// What tells an array of COL_ST_ARRAY from others, and orders it.
static inline base_str col_array_key(base_str array) {
    if (array.n == 0) return array;
    uint32_t n;
    memcpy(&n, array.p, sizeof n);
    return (base_str){array.p + sizeof n, n};
}

// An interval's length in microseconds with months of 30 days: what its order and equality see.
static inline __int128 col_interval_total(const base_interval *interval) {
    return (__int128)interval->us +
           ((__int128)interval->months * 30 + interval->days) * BASE_US_PER_DAY;
}

#define COL_POW10_19 10000000000000000000ull

// Whether stored bytes are a decimal at all: |unscaled| < 10^38, 0 <= scale <= 38.
static inline bool col_decimal_valid(base_decimal d) {
    base_i128 limit = (base_i128)((base_u128)COL_POW10_19 * COL_POW10_19);
    base_i128 v = base_decimal_unscaled(d);
    return d.scale >= 0 && d.scale <= BASE_DECIMAL_DIGITS_MAX && d.reserved == 0 && v < limit &&
           v > -limit;
}

// Bits of a float with one NaN and one zero.
static inline uint64_t col_f64_bits(double v) {
    if (v == 0) return 0;
    if (v != v) return 0x7ff8000000000000ull;
    uint64_t bits;
    memcpy(&bits, &v, 8);
    return bits;
}
static inline uint32_t col_f32_bits(float v) {
    if (v == 0) return 0;
    if (v != v) return 0x7fc00000u;
    uint32_t bits;
    memcpy(&bits, &v, 4);
    return bits;
}
// Bits of a float with one NaN, but 0 and -0.
static inline uint64_t col_f64_exact(double v) {
    return v == 0 && __builtin_signbit(v) ? 1ull << 63 : col_f64_bits(v);
}
static inline uint32_t col_f32_exact(float v) {
    return v == 0 && __builtin_signbit(v) ? 1u << 31 : col_f32_bits(v);
}
// Unsigned order of the result is PostgreSQL's order of floats.
static inline uint64_t col_f64_ordered(double v) {
    uint64_t bits = col_f64_bits(v);
    return (bits >> 63) != 0 ? ~bits : bits | (1ull << 63);
}
static inline uint32_t col_f32_ordered(float v) {
    uint32_t bits = col_f32_bits(v);
    return (bits >> 31) != 0 ? ~bits : bits | (1u << 31);
}

static inline int col_f64_compare(double a, double b) {
    if (a < b) return -1;
    if (a > b) return 1;
    if (a == b) return 0;
    bool a_nan = a != a, b_nan = b != b;
    return (int)a_nan - (int)b_nan;
}

// Shortest text that reads back as the same value, as PostgreSQL prints it; returns the length.
#define COL_FLOAT_TEXT_MAX 40
int col_f64_format(double v, char out[COL_FLOAT_TEXT_MAX]);
int col_f32_format(float v, char out[COL_FLOAT_TEXT_MAX]);

#endif
