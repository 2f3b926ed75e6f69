// hash.c - row hashes, a column at a time. The hash of a row starts at a constant and takes in each
// key column by h = mix(h * K + v). For one column of integers that is a bijection of the value,
// which grouping relies on (group.c). Values that compare equal give the same v. Hashes may decide
// which worker owns a key, so they do not change between runs. Entry point: col_hash().
#include "base/hash.h"
#include "base/must.h"
#include "col/col_int.h"
#include "col/jsonb_order.h"
#include "col/kernel.h"

#define HASH_START 0x9ae16a3b2f90404full
#define HASH_MUL   0x9e3779b97f4a7c15ull // odd: multiplication is a bijection
#define HASH_NULL  0xc3a5c85c97cb3127ull

static inline uint64_t take(uint64_t h, uint64_t v) {
    return base_mix64(h * HASH_MUL + v);
}

static inline uint64_t hash_interval(const base_interval *interval) {
    __int128 total = col_interval_total(interval);
    return base_mix64((uint64_t)total) + (uint64_t)(total >> 64) * HASH_MUL;
}

static inline uint64_t hash_uuid(const uint8_t *uuid) {
    uint64_t a, b;
    memcpy(&a, uuid, 8);
    memcpy(&b, uuid + 8, 8);
    return base_mix64(a) + b * HASH_MUL;
}

static inline uint64_t hash_str(base_str s) {
    return base_hash64(s.n == 0 ? "" : s.p, s.n);
}

// One cell; for what is rare (structs with nulls).
static uint64_t hash_cell(const col_vec *vec, uint32_t row, uint64_t h) {
    if (col_is_null(vec, row)) return take(h, HASH_NULL);
    switch (col_storage_of(vec)) {
    case COL_ST_NONE:
        return take(h, HASH_NULL);
    case COL_ST_U8:
        return take(h, col_u8(vec)[row]);
    case COL_ST_I16:
        return take(h, (uint64_t)col_i16(vec)[row]);
    case COL_ST_I32:
        return take(h, (uint64_t)col_i32(vec)[row]);
    case COL_ST_U32:
        return take(h, col_u32(vec)[row]);
    case COL_ST_I64:
        return take(h, (uint64_t)col_i64(vec)[row]);
    case COL_ST_F32:
        return take(h, col_f64_bits(col_f32(vec)[row]));
    case COL_ST_F64:
        return take(h, col_f64_bits(col_f64(vec)[row]));
    case COL_ST_DEC:
        return take(h, base_decimal_hash(col_dec(vec)[row]));
    case COL_ST_STR:
        return take(h, hash_str(col_str(vec)[row]));
    case COL_ST_ARRAY:
        return take(h, hash_str(col_array_key(col_str(vec)[row])));
    case COL_ST_JSON:
        return take(h, col_jsonb_hash(col_str(vec)[row]));
    case COL_ST_INTERVAL:
        return take(h, hash_interval(&col_interval(vec)[row]));
    case COL_ST_UUID:
        return take(h, hash_uuid(col_uuid(vec, row)));
    case COL_ST_STRUCT:
        for (uint16_t i = 0; i < vec->type.nfields; i++) h = hash_cell(&vec->children[i], row, h);
        return h;
    }
    return h;
}

#define HASH_LOOP(cell, expression)                                                                \
    {                                                                                              \
        const cell *restrict in = vec->data;                                                       \
        if (nulls == NULL) {                                                                       \
            for (uint32_t i = 0; i < n; i++) hashes[i] = take(hashes[i], (uint64_t)(expression));  \
        } else {                                                                                   \
            for (uint32_t i = 0; i < n; i++) {                                                     \
                hashes[i] = take(hashes[i], nulls[i] != 0 ? HASH_NULL : (uint64_t)(expression));   \
            }                                                                                      \
        }                                                                                          \
        break;                                                                                     \
    }

static void hash_vec(const col_vec *vec, uint64_t *restrict hashes) {
    const uint8_t *restrict nulls = vec->nulls;
    uint32_t n = vec->n;
    switch (col_storage_of(vec)) {
    case COL_ST_NONE:
        for (uint32_t i = 0; i < n; i++) hashes[i] = take(hashes[i], HASH_NULL);
        break;
    case COL_ST_U8:
        HASH_LOOP(uint8_t, in[i])
    case COL_ST_I16:
        HASH_LOOP(int16_t, in[i])
    case COL_ST_I32:
        HASH_LOOP(int32_t, in[i])
    case COL_ST_U32:
        HASH_LOOP(uint32_t, in[i])
    case COL_ST_I64:
        HASH_LOOP(int64_t, in[i])
    case COL_ST_F32:
        HASH_LOOP(float, col_f64_bits(in[i]))
    case COL_ST_F64:
        HASH_LOOP(double, col_f64_bits(in[i]))
    case COL_ST_DEC:
        HASH_LOOP(base_decimal, base_decimal_hash(in[i]))
    case COL_ST_STR:
        HASH_LOOP(base_str, hash_str(in[i]))
    case COL_ST_ARRAY:
        HASH_LOOP(base_str, hash_str(col_array_key(in[i])))
    case COL_ST_JSON:
        HASH_LOOP(base_str, col_jsonb_hash(in[i]))
    case COL_ST_INTERVAL:
        HASH_LOOP(base_interval, hash_interval(&in[i]))
    case COL_ST_UUID:
        HASH_LOOP(uint8_t, hash_uuid(in + 16 * (size_t)i))
    case COL_ST_STRUCT:
        if (nulls != NULL) {
            for (uint32_t i = 0; i < n; i++) hashes[i] = hash_cell(vec, i, hashes[i]);
        } else {
            for (uint16_t f = 0; f < vec->type.nfields; f++) hash_vec(&vec->children[f], hashes);
        }
        break;
    }
}

void col_hash(const col_batch *batch, uint32_t nkeys, const uint32_t *keys, uint64_t *hashes) {
    for (uint32_t i = 0; i < batch->nrows; i++) hashes[i] = HASH_START;
    for (uint32_t k = 0; k < nkeys; k++) {
        must(keys[k] < batch->ncols);
        must(batch->cols[keys[k]].n == batch->nrows);
        hash_vec(&batch->cols[keys[k]], hashes);
    }
}
