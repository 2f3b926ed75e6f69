// spelling.c - values that are equal but not the same: NUMERIC 1.0 and 1.00, INTERVAL 1 mon and 30
// days, floats 0 and -0, and what holds such values, as jsonb does. A row is what it is by its
// columns, compared as SQL does, and its tag, one number that tells it apart from its equals. So
// whoever must tell rows apart takes the tag as one more column. Invariants: equal values with one
// spelling() are the same; types for which col_one_spelling() holds are never looked at. Tags are
// part of state keys: they do not change between runs. Entry points: col_tags(),
// col_key_encode_exact(), col_rows_same().
#include "base/hash.h"
#include "base/must.h"
#include "col/codec.h"
#include "col/col_int.h"
#include "col/jsonb_order.h"
#include "col/kernel.h"

#define TAG_MUL 0x9e3779b97f4a7c15ull

bool col_one_spelling(const col_type *type) {
    if (col_kind_is_array(type->kind)) {
        col_type element = col_type_element(type);
        return col_one_spelling(&element);
    }
    switch (type->kind) {
    case COL_NUMERIC:
        return type->precision != 0; // then all have its scale
    case COL_INTERVAL:
    case COL_FLOAT4:
    case COL_FLOAT8:
    case COL_JSONB: // has numbers
        return false;
    case COL_STRUCT:
        for (uint32_t i = 0; i < type->nfields; i++) {
            if (!col_one_spelling(&type->fields[i].type)) return false;
        }
        return true;
    default:
        return true;
    }
}

static inline uint64_t mix(uint64_t tag, uint32_t place, uint64_t more) {
    return more == 0 ? tag : base_mix64(tag * TAG_MUL + more + (uint64_t)place * 0x100000001b3ull);
}

uint64_t col_spelling(const col_vec *vec, uint32_t row) {
    if (col_is_null(vec, row)) return 0;
    switch (col_storage_of(vec)) {
    case COL_ST_ARRAY: {
        base_str s = col_str(vec)[row];
        return s.n == 0 ? 0 : base_hash64(s.p, s.n);
    }
    case COL_ST_JSON:
        return col_jsonb_spelling(col_str(vec)[row]);
    case COL_ST_DEC:
        return (uint64_t)col_dec(vec)[row].scale;
    case COL_ST_INTERVAL: {
        base_interval v = col_interval(vec)[row];
        return (uint64_t)(uint32_t)v.months << 32 | (uint32_t)v.days;
    }
    case COL_ST_F32:
        return col_f32(vec)[row] == 0 && __builtin_signbit(col_f32(vec)[row]);
    case COL_ST_F64:
        return col_f64(vec)[row] == 0 && __builtin_signbit(col_f64(vec)[row]);
    case COL_ST_STRUCT: {
        uint64_t tag = 0;
        for (uint32_t i = 0; i < vec->type.nfields; i++) {
            tag = mix(tag, i, col_spelling(&vec->children[i], row));
        }
        return tag;
    }
    default:
        return 0;
    }
}

bool col_cells_same(const col_vec *a, uint32_t a_row, const col_vec *b, uint32_t b_row) {
    return col_cells_equal(a, a_row, b, b_row) && col_spelling(a, a_row) == col_spelling(b, b_row);
}

bool col_rows_same(const col_batch *a, uint32_t a_row, const col_batch *b, uint32_t b_row) {
    must(a->ncols == b->ncols);
    for (uint32_t c = 0; c < a->ncols; c++) {
        if (!col_cells_same(&a->cols[c], a_row, &b->cols[c], b_row)) return false;
    }
    return true;
}

bool col_has_tags(uint32_t ncols, const col_type *types) {
    for (uint32_t c = 0; c < ncols; c++) {
        if (!col_one_spelling(&types[c])) return true;
    }
    return false;
}

#define PACK_BITS 6u // scales are up to 38
#define PACK_MOST 10u

#define TAG_LOOP(expression)                                                                       \
    for (uint32_t i = 0; i < n; i++) {                                                             \
        uint64_t v = vec->nulls != NULL && vec->nulls[i] != 0 ? 0 : (uint64_t)(expression);        \
        to[i] = packs ? to[i] << PACK_BITS | v : mix(to[i], place, v);                             \
    }                                                                                              \
    return;

// Takes one column in. place: among those that count.
static void add_tags(uint64_t *restrict to, const col_vec *vec, uint32_t n, bool packs,
                     uint32_t place) {
    switch (col_storage_of(vec)) {
    case COL_ST_DEC:
        TAG_LOOP(col_dec(vec)[i].scale)
    case COL_ST_F64:
        TAG_LOOP(col_f64(vec)[i] == 0 && __builtin_signbit(col_f64(vec)[i]))
    default:
        TAG_LOOP(col_spelling(vec, i))
    }
}

// Whether its spellings are small numbers.
static bool is_small(const col_vec *vec) {
    col_storage storage = col_storage_of(vec);
    return storage == COL_ST_DEC || storage == COL_ST_F32 || storage == COL_ST_F64;
}

static bool declared_one(const col_batch *batch, uint32_t column, const col_type *types,
                         uint32_t c) {
    return col_one_spelling(types == NULL ? &batch->cols[column].type : &types[c]);
}

const col_vec *col_tags(base_arena *arena, const col_batch *batch, uint32_t ncols,
                        const uint32_t *cols, const col_type *types) {
    uint32_t inexact = 0, n = batch->nrows;
    bool packs = true;
    for (uint32_t c = 0; c < ncols; c++) {
        must(cols[c] < batch->ncols);
        if (declared_one(batch, cols[c], types, c)) continue;
        inexact++;
        packs = packs && is_small(&batch->cols[cols[c]]);
    }
    if (inexact == 0) return NULL;
    packs = inexact == 1 || (packs && inexact <= PACK_MOST);
    col_vec *tags = base_arena_new(arena, col_vec);
    *tags = (col_vec){.type = col_type_of(COL_INT8), .n = n};
    tags->data = base_arena_array(arena, uint64_t, n + 1u);
    uint32_t place = 0;
    for (uint32_t c = 0; c < ncols; c++) {
        const col_vec *vec = &batch->cols[cols[c]];
        if (!declared_one(batch, cols[c], types, c)) {
            add_tags(tags->data, vec, n, packs, ++place);
        }
    }
    return tags;
}

void col_hash_exact(base_arena *arena, const col_batch *batch, uint32_t ncols, const uint32_t *cols,
                    const col_type *types, uint64_t *hashes) {
    const col_vec *tags = col_tags(arena, batch, ncols, cols, types);
    col_hash(batch, ncols, cols, hashes);
    for (uint32_t i = 0; tags != NULL && i < batch->nrows; i++) {
        hashes[i] = mix(hashes[i], 0, (uint64_t)col_i64(tags)[i]);
    }
}

void col_keys_encode_exact(plat_workers *workers, base_arena *arena, const col_batch *batch,
                           uint32_t nkeys, const uint32_t *keys, const col_type *types,
                           base_str *out) {
    const col_vec *tags = col_tags(arena, batch, nkeys, keys, types);
    if (tags == NULL) {
        col_keys_encode(workers, arena, batch, nkeys, keys, out);
        return;
    }
    col_batch tagged = {nkeys + 1, batch->nrows, base_arena_array(arena, col_vec, nkeys + 1u),
                        NULL};
    uint32_t *all = base_arena_array(arena, uint32_t, nkeys + 1u);
    for (uint32_t k = 0; k < nkeys; k++) tagged.cols[k] = batch->cols[keys[k]];
    tagged.cols[nkeys] = *tags;
    for (uint32_t k = 0; k <= nkeys; k++) all[k] = k;
    col_keys_encode(workers, arena, &tagged, nkeys + 1, all, out);
}

void col_key_encode_exact(base_arena *arena, const col_batch *batch, uint32_t nkeys,
                          const uint32_t *keys, const col_type *types, base_str *out) {
    col_keys_encode_exact(NULL, arena, batch, nkeys, keys, types, out);
}
