// batch.c - vectors and batches: making, copying, gathering, joining end to end. See batch.h.
// Invariants: a vector of STRUCT has type.nfields children of its own n; where this file makes a
// row of a struct null, the row is null in its children too, so that a child may stand alone. Loops
// are written by the width of a cell, one loop a column. Entry point: col_vec_gather().
#include "col/batch.h"

#include "base/must.h"
#include "col/col_int.h"
#include "plat/workers.h"

// All but data and nulls of the cells: shape of a new vector, data not zeroed.
static void vec_shape(col_vec *vec, base_arena *arena, col_type type, uint32_t n, bool zero) {
    *vec = (col_vec){.type = type, .n = n};
    if (type.kind == COL_STRUCT) {
        vec->children = base_arena_array(arena, col_vec, type.nfields);
        for (uint16_t i = 0; i < type.nfields; i++) {
            vec_shape(&vec->children[i], arena, type.fields[i].type, n, zero);
        }
        return;
    }
    size_t width = col_kind_width(type.kind);
    if (width == 0) {
        // An untyped column has no values but nulls.
        vec->nulls = base_arena_alloc(arena, n);
        memset(vec->nulls, 1, n);
        return;
    }
    vec->data = zero ? base_arena_zalloc_array(arena, width, n)
                     : base_arena_alloc(arena, width * (size_t)n);
}

void col_vec_init(col_vec *vec, base_arena *arena, col_type type, uint32_t n) {
    vec_shape(vec, arena, type, n, true);
}

void col_vec_need_nulls(col_vec *vec, base_arena *arena) {
    if (vec->nulls == NULL) vec->nulls = base_arena_zalloc(arena, vec->n);
    if (vec->type.kind != COL_STRUCT) return;
    for (uint16_t i = 0; i < vec->type.nfields; i++) col_vec_need_nulls(&vec->children[i], arena);
}

void col_vec_set_null(col_vec *vec, base_arena *arena, uint32_t row) {
    must(row < vec->n);
    if (vec->nulls == NULL) vec->nulls = base_arena_zalloc(arena, vec->n);
    vec->nulls[row] = 1;
    if (vec->type.kind != COL_STRUCT) return;
    for (uint16_t i = 0; i < vec->type.nfields; i++) {
        col_vec_set_null(&vec->children[i], arena, row);
    }
}

void col_vec_copy_cell(col_vec *to, uint32_t to_row, const col_vec *from, uint32_t from_row,
                       base_arena *arena) {
    check(to_row < to->n && from_row < from->n);
    if (col_is_null(from, from_row)) {
        col_vec_set_null(to, arena, to_row);
        return;
    }
    must(col_storage_of(to) == col_storage_of(from));
    if (to->nulls != NULL) to->nulls[to_row] = 0;
    switch (col_storage_of(to)) {
    case COL_ST_NONE:
        to->nulls[to_row] = 1;
        break;
    case COL_ST_U8:
        col_u8(to)[to_row] = col_u8(from)[from_row];
        break;
    case COL_ST_I16:
        col_i16(to)[to_row] = col_i16(from)[from_row];
        break;
    case COL_ST_I32:
    case COL_ST_U32:
    case COL_ST_F32:
        memcpy((char *)to->data + 4 * (size_t)to_row, (char *)from->data + 4 * (size_t)from_row, 4);
        break;
    case COL_ST_I64:
    case COL_ST_F64:
        memcpy((char *)to->data + 8 * (size_t)to_row, (char *)from->data + 8 * (size_t)from_row, 8);
        break;
    case COL_ST_DEC:
        col_dec(to)[to_row] = col_dec(from)[from_row];
        break;
    case COL_ST_STR:
    case COL_ST_ARRAY:
    case COL_ST_JSON:
    case COL_ST_INTERVAL:
    case COL_ST_UUID:
        memcpy((char *)to->data + 16 * (size_t)to_row, (char *)from->data + 16 * (size_t)from_row,
               16);
        break;
    case COL_ST_STRUCT:
        must(to->type.nfields == from->type.nfields);
        for (uint16_t i = 0; i < to->type.nfields; i++) {
            col_vec_copy_cell(&to->children[i], to_row, &from->children[i], from_row, arena);
        }
        break;
    }
}

col_batch *col_batch_create(base_arena *arena, uint32_t ncols, const col_type *types,
                            uint32_t nrows) {
    col_batch *batch = base_arena_new(arena, col_batch);
    batch->ncols = ncols;
    batch->nrows = nrows;
    batch->cols = base_arena_array(arena, col_vec, ncols);
    for (uint32_t i = 0; i < ncols; i++) col_vec_init(&batch->cols[i], arena, types[i], nrows);
    return batch;
}

static col_batch *batch_shell(base_arena *arena, uint32_t ncols, uint32_t nrows) {
    col_batch *batch = base_arena_new(arena, col_batch);
    batch->ncols = ncols;
    batch->nrows = nrows;
    batch->cols = base_arena_array(arena, col_vec, ncols);
    return batch;
}

col_batch *col_batch_project(base_arena *arena, const col_batch *batch, uint32_t n,
                             const uint32_t *indexes) {
    col_batch *out = batch_shell(arena, n, batch->nrows);
    for (uint32_t i = 0; i < n; i++) {
        must(indexes[i] < batch->ncols);
        out->cols[i] = batch->cols[indexes[i]];
    }
    out->weights = batch->weights;
    return out;
}

static void copy_strings(base_arena *arena, col_vec *to, const col_vec *from) {
    const base_str *in = col_str(from);
    base_str *out = col_str(to);
    size_t total = 0;
    for (uint32_t i = 0; i < from->n; i++) total += col_is_null(from, i) ? 0 : in[i].n;
    char *at = base_arena_alloc_aligned(arena, total, 1);
    for (uint32_t i = 0; i < from->n; i++) {
        if (col_is_null(from, i)) {
            out[i] = (base_str){NULL, 0};
            continue;
        }
        if (in[i].n != 0) memcpy(at, in[i].p, in[i].n);
        out[i] = (base_str){at, in[i].n};
        at += in[i].n;
    }
}

static void vec_deep_copy(base_arena *arena, col_vec *to, const col_vec *from) {
    vec_shape(to, arena, from->type, from->n, false);
    if (from->nulls != NULL) {
        to->nulls = base_arena_alloc(arena, from->n);
        memcpy(to->nulls, from->nulls, from->n);
    }
    if (from->type.kind == COL_STRUCT) {
        for (uint16_t i = 0; i < from->type.nfields; i++) {
            vec_deep_copy(arena, &to->children[i], &from->children[i]);
        }
    } else if (col_kind_is_string(from->type.kind)) {
        copy_strings(arena, to, from);
    } else if (from->n != 0 && to->data != NULL) {
        memcpy(to->data, from->data, col_kind_width(from->type.kind) * (size_t)from->n);
    }
}

col_batch *col_batch_copy(base_arena *arena, const col_batch *batch) {
    col_batch *out = batch_shell(arena, batch->ncols, batch->nrows);
    for (uint32_t i = 0; i < batch->ncols; i++) {
        vec_deep_copy(arena, &out->cols[i], &batch->cols[i]);
        out->cols[i].type = col_type_copy(arena, &batch->cols[i].type);
    }
    if (batch->weights != NULL) {
        int64_t *weights = base_arena_alloc(arena, 8 * (size_t)batch->nrows);
        if (batch->nrows != 0) memcpy(weights, batch->weights, 8 * (size_t)batch->nrows);
        out->weights = weights;
    }
    return out;
}

col_batch *col_batch_with_weights(base_arena *arena, const col_batch *batch,
                                  const int64_t *weights) {
    col_batch *out = base_arena_new(arena, col_batch);
    *out = *batch;
    out->weights = weights;
    return out;
}

col_batch *col_batch_negate(base_arena *arena, const col_batch *batch) {
    int64_t *weights = base_arena_alloc(arena, 8 * (size_t)batch->nrows);
    for (uint32_t i = 0; i < batch->nrows; i++) weights[i] = -col_weight(batch, i);
    return col_batch_with_weights(arena, batch, weights);
}

static uint8_t *gather_nulls(base_arena *arena, const col_vec *vec, const uint32_t *sel,
                             uint32_t n) {
    if (vec->nulls == NULL) return NULL;
    uint8_t *nulls = base_arena_alloc(arena, n);
    uint8_t any = 0;
    for (uint32_t i = 0; i < n; i++) any |= nulls[i] = vec->nulls[sel[i]];
    return any != 0 ? nulls : NULL;
}

typedef struct bytes16 {
    uint64_t a, b;
} bytes16;

#define GATHER(cell)                                                                               \
    {                                                                                              \
        const cell *restrict in = vec->data;                                                       \
        cell *restrict out = to->data;                                                             \
        for (uint32_t i = 0; i < n; i++) out[i] = in[sel[i]];                                      \
        break;                                                                                     \
    }

static void vec_gather(base_arena *arena, col_vec *to, const col_vec *vec, const uint32_t *sel,
                       uint32_t n) {
    if (vec->type.kind == COL_STRUCT) {
        *to = (col_vec){.type = vec->type, .n = n};
        to->children = base_arena_array(arena, col_vec, vec->type.nfields);
        for (uint16_t i = 0; i < vec->type.nfields; i++) {
            vec_gather(arena, &to->children[i], &vec->children[i], sel, n);
        }
        to->nulls = gather_nulls(arena, vec, sel, n);
        return;
    }
    vec_shape(to, arena, vec->type, n, false);
    if (to->data == NULL) return; // untyped: all null
    to->nulls = gather_nulls(arena, vec, sel, n);
    switch (col_kind_width(vec->type.kind)) {
    case 1:
        GATHER(uint8_t)
    case 2:
        GATHER(uint16_t)
    case 4:
        GATHER(uint32_t)
    case 8:
        GATHER(uint64_t)
    case 16:
        GATHER(bytes16)
    case 24:
        GATHER(base_decimal)
    default:
        must(!"width of a kind");
    }
}

col_vec *col_vec_gather(base_arena *arena, const col_vec *vec, const uint32_t *sel, uint32_t n) {
    col_vec *out = base_arena_new(arena, col_vec);
    vec_gather(arena, out, vec, sel, n);
    return out;
}

// Marks rows with no source null, at every level.
static void mark_absent(base_arena *arena, col_vec *vec, const uint32_t *sel) {
    if (vec->nulls == NULL) vec->nulls = base_arena_zalloc(arena, vec->n);
    for (uint32_t i = 0; i < vec->n; i++) vec->nulls[i] |= sel[i] == COL_NO_ROW;
    if (vec->type.kind != COL_STRUCT) return;
    for (uint16_t i = 0; i < vec->type.nfields; i++) mark_absent(arena, &vec->children[i], sel);
}

col_vec *col_vec_gather_outer(base_arena *arena, const col_vec *vec, const uint32_t *sel,
                              uint32_t n) {
    col_vec *out = base_arena_new(arena, col_vec);
    bool absent = false;
    for (uint32_t i = 0; i < n; i++) absent |= sel[i] == COL_NO_ROW;
    if (!absent) {
        vec_gather(arena, out, vec, sel, n);
        return out;
    }
    if (vec->n == 0) {
        col_vec_init(out, arena, vec->type, n);
    } else {
        uint32_t *present = base_arena_alloc(arena, 4 * (size_t)n);
        for (uint32_t i = 0; i < n; i++) present[i] = sel[i] == COL_NO_ROW ? 0 : sel[i];
        vec_gather(arena, out, vec, present, n);
    }
    mark_absent(arena, out, sel);
    return out;
}

col_batch *col_batch_gather(base_arena *arena, const col_batch *batch, const uint32_t *sel,
                            uint32_t n) {
    col_batch *out = batch_shell(arena, batch->ncols, n);
    for (uint32_t i = 0; i < batch->ncols; i++) {
        vec_gather(arena, &out->cols[i], &batch->cols[i], sel, n);
    }
    if (batch->weights != NULL) {
        int64_t *weights = base_arena_alloc(arena, 8 * (size_t)n);
        for (uint32_t i = 0; i < n; i++) weights[i] = batch->weights[sel[i]];
        out->weights = weights;
    }
    return out;
}

// Copies the rows of from to to's rows [begin, begin + from->n).
static void vec_copy_range(base_arena *arena, col_vec *to, uint32_t begin, const col_vec *from) {
    if (from->n == 0) return;
    if (col_storage_of(from) == COL_ST_NONE) {
        // An untyped column of nulls fits any type.
        for (uint32_t i = 0; i < from->n; i++) col_vec_set_null(to, arena, begin + i);
        return;
    }
    must(col_storage_of(to) == col_storage_of(from) && to->type.nfields == from->type.nfields);
    if (from->nulls != NULL) {
        if (to->nulls == NULL) to->nulls = base_arena_zalloc(arena, to->n);
        memcpy(to->nulls + begin, from->nulls, from->n);
    }
    if (from->type.kind == COL_STRUCT) {
        for (uint16_t i = 0; i < from->type.nfields; i++) {
            vec_copy_range(arena, &to->children[i], begin, &from->children[i]);
        }
        return;
    }
    size_t width = col_kind_width(from->type.kind);
    if (width != 0) memcpy((char *)to->data + width * begin, from->data, width * from->n);
}

col_batch *col_batch_concat(base_arena *arena, uint32_t ncols, const col_type *types, size_t n,
                            const col_batch *const *batches) {
    uint64_t nrows = 0;
    bool weighted = false;
    for (size_t b = 0; b < n; b++) {
        must(batches[b]->ncols == ncols);
        nrows += batches[b]->nrows;
        weighted |= batches[b]->weights != NULL;
    }
    must(nrows < COL_NO_ROW);
    col_batch *out = batch_shell(arena, ncols, (uint32_t)nrows);
    bool same_kinds = true;
    for (uint32_t c = 0; n == 1 && c < ncols; c++) {
        same_kinds &= batches[0]->cols[c].type.kind == types[c].kind;
    }
    if (n == 1 && same_kinds) {
        *out = *batches[0];
        return out;
    }
    for (uint32_t c = 0; c < ncols; c++) {
        bool untyped = false;
        for (size_t b = 0; b < n; b++) untyped |= batches[b]->cols[c].type.kind == COL_UNKNOWN;
        vec_shape(&out->cols[c], arena, types[c], (uint32_t)nrows, untyped);
        uint32_t at = 0;
        for (size_t b = 0; b < n; b++) {
            vec_copy_range(arena, &out->cols[c], at, &batches[b]->cols[c]);
            at += batches[b]->nrows;
        }
    }
    if (weighted) {
        int64_t *weights = base_arena_alloc(arena, 8 * (size_t)nrows);
        uint32_t at = 0;
        for (size_t b = 0; b < n; b++) {
            for (uint32_t i = 0; i < batches[b]->nrows; i++) {
                weights[at++] = col_weight(batches[b], i);
            }
        }
        out->weights = weights;
    }
    return out;
}

static void vec_slice(base_arena *arena, col_vec *to, const col_vec *from, uint32_t begin,
                      uint32_t n) {
    *to = *from;
    to->n = n;
    if (from->data != NULL) {
        to->data = (char *)from->data + col_kind_width(from->type.kind) * (size_t)begin;
    }
    if (from->nulls != NULL) to->nulls = from->nulls + begin;
    if (from->type.kind != COL_STRUCT) return;
    to->children = base_arena_array(arena, col_vec, from->type.nfields);
    for (uint16_t i = 0; i < from->type.nfields; i++) {
        vec_slice(arena, &to->children[i], &from->children[i], begin, n);
    }
}

col_batch *col_batch_slice(base_arena *arena, const col_batch *batch, uint32_t begin, uint32_t n) {
    must(begin <= batch->nrows && n <= batch->nrows - begin);
    col_batch *out = batch_shell(arena, batch->ncols, n);
    for (uint32_t i = 0; i < batch->ncols; i++) {
        vec_slice(arena, &out->cols[i], &batch->cols[i], begin, n);
    }
    if (batch->weights != NULL) out->weights = batch->weights + begin;
    return out;
}

col_batch *col_batch_part(base_arena *arena, const col_batch *batch, uint32_t parts, uint32_t i,
                          uint32_t *begin) {
    *begin = (uint32_t)plat_part_begin(batch->nrows, parts, i);
    uint32_t end = (uint32_t)plat_part_begin(batch->nrows, parts, i + 1);
    return col_batch_slice(arena, batch, *begin, end - *begin);
}
