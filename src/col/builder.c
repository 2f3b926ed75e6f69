// builder.c - a batch that grows a row at a time. Columns double when full, in the arena, so a
// batch of n rows costs at most twice its memory. Invariants: every column has room for capacity
// rows and a nulls array of that room; weights likewise. Entry point: col_builder_new_row().
#include "base/must.h"
#include "col/batch.h"
#include "col/col_int.h"

#define FIRST_CAPACITY 64

struct col_builder {
    base_arena *arena;
    uint32_t ncols;
    uint32_t nrows;
    uint32_t capacity;
    col_vec *cols; // n is the capacity until finish
    int64_t *weights;
    bool weighted; // some weight is not +1
};

static void grow_vec(base_arena *arena, col_vec *vec, uint32_t used, uint32_t capacity) {
    uint8_t *nulls = base_arena_alloc(arena, capacity);
    if (used != 0) memcpy(nulls, vec->nulls, used);
    memset(nulls + used, 0, capacity - used);
    vec->nulls = nulls;
    vec->n = capacity;
    if (vec->type.kind == COL_STRUCT) {
        for (uint16_t i = 0; i < vec->type.nfields; i++) {
            grow_vec(arena, &vec->children[i], used, capacity);
        }
        return;
    }
    size_t width = col_kind_width(vec->type.kind);
    if (width == 0) return;
    char *data = base_arena_alloc(arena, width * (size_t)capacity);
    if (used != 0) memcpy(data, vec->data, width * (size_t)used);
    memset(data + width * (size_t)used, 0, width * (size_t)(capacity - used));
    vec->data = data;
}

static void grow(col_builder *builder, uint32_t capacity) {
    for (uint32_t i = 0; i < builder->ncols; i++) {
        grow_vec(builder->arena, &builder->cols[i], builder->nrows, capacity);
    }
    int64_t *weights = base_arena_alloc(builder->arena, 8 * (size_t)capacity);
    if (builder->nrows != 0) memcpy(weights, builder->weights, 8 * (size_t)builder->nrows);
    builder->weights = weights;
    builder->capacity = capacity;
}

col_builder *col_builder_create(base_arena *arena, uint32_t ncols, const col_type *types) {
    col_builder *builder = base_arena_new(arena, col_builder);
    builder->arena = arena;
    builder->ncols = ncols;
    builder->cols = base_arena_array(arena, col_vec, ncols);
    for (uint32_t i = 0; i < ncols; i++) col_vec_init(&builder->cols[i], arena, types[i], 0);
    grow(builder, FIRST_CAPACITY);
    return builder;
}

static uint32_t next_row(col_builder *builder, int64_t weight) {
    if (builder->nrows == builder->capacity) {
        must(builder->capacity < (1u << 30));
        grow(builder, builder->capacity * 2);
    }
    uint32_t row = builder->nrows++;
    builder->weights[row] = weight;
    builder->weighted |= weight != 1;
    return row;
}

void col_builder_add_row(col_builder *builder, const col_batch *from, uint32_t row,
                         int64_t weight) {
    must(from->ncols == builder->ncols && row < from->nrows);
    uint32_t to = next_row(builder, weight);
    for (uint32_t i = 0; i < builder->ncols; i++) {
        col_vec_copy_cell(&builder->cols[i], to, &from->cols[i], row, builder->arena);
    }
}

void col_builder_new_row(col_builder *builder, int64_t weight) {
    uint32_t row = next_row(builder, weight);
    for (uint32_t i = 0; i < builder->ncols; i++) {
        col_vec_set_null(&builder->cols[i], builder->arena, row);
    }
}

// The cell of the last row, which is about to get a value.
static col_vec *last_cell(col_builder *builder, uint32_t col, uint32_t *row) {
    must(col < builder->ncols && builder->nrows > 0);
    *row = builder->nrows - 1;
    col_vec *vec = &builder->cols[col];
    vec->nulls[*row] = 0;
    return vec;
}

void col_builder_set(col_builder *builder, uint32_t col, const col_vec *from, uint32_t row) {
    uint32_t to;
    col_vec *vec = last_cell(builder, col, &to);
    col_vec_copy_cell(vec, to, from, row, builder->arena);
}

void col_builder_set_bool(col_builder *builder, uint32_t col, bool v) {
    uint32_t row;
    col_vec *vec = last_cell(builder, col, &row);
    must(vec->type.kind == COL_BOOL);
    col_u8(vec)[row] = v;
}

void col_builder_set_i64(col_builder *builder, uint32_t col, int64_t v) {
    uint32_t row;
    col_vec *vec = last_cell(builder, col, &row);
    switch (col_storage_of(vec)) {
    case COL_ST_U8:
        must(v >= 0 && v <= UINT8_MAX);
        col_u8(vec)[row] = (uint8_t)v;
        break;
    case COL_ST_I16:
        must(v >= INT16_MIN && v <= INT16_MAX);
        col_i16(vec)[row] = (int16_t)v;
        break;
    case COL_ST_I32:
        must(v >= INT32_MIN && v <= INT32_MAX);
        col_i32(vec)[row] = (int32_t)v;
        break;
    case COL_ST_U32:
        must(v >= 0 && v <= UINT32_MAX);
        col_u32(vec)[row] = (uint32_t)v;
        break;
    case COL_ST_I64:
        col_i64(vec)[row] = v;
        break;
    default:
        must(!"a column of integers");
    }
}

void col_builder_set_f64(col_builder *builder, uint32_t col, double v) {
    uint32_t row;
    col_vec *vec = last_cell(builder, col, &row);
    if (col_storage_of(vec) == COL_ST_F32) {
        col_f32(vec)[row] = (float)v;
    } else {
        must(col_storage_of(vec) == COL_ST_F64);
        col_f64(vec)[row] = v;
    }
}

void col_builder_set_decimal(col_builder *builder, uint32_t col, base_decimal v) {
    uint32_t row;
    col_vec *vec = last_cell(builder, col, &row);
    must(col_storage_of(vec) == COL_ST_DEC);
    col_dec(vec)[row] = v;
}

void col_builder_set_str(col_builder *builder, uint32_t col, base_str v) {
    uint32_t row;
    col_vec *vec = last_cell(builder, col, &row);
    must(col_kind_is_string(vec->type.kind));
    col_str(vec)[row] = v;
}

uint32_t col_builder_rows(const col_builder *builder) {
    return builder->nrows;
}

// Without nulls in a column its nulls array goes, so that kernels take their fast paths.
static void finish_vec(col_vec *vec, uint32_t n) {
    vec->n = n;
    if (memchr(vec->nulls, 1, n) == NULL) vec->nulls = NULL;
    if (vec->type.kind != COL_STRUCT) return;
    for (uint16_t i = 0; i < vec->type.nfields; i++) finish_vec(&vec->children[i], n);
}

col_batch *col_builder_finish(col_builder *builder) {
    col_batch *batch = base_arena_new(builder->arena, col_batch);
    batch->ncols = builder->ncols;
    batch->nrows = builder->nrows;
    batch->cols = builder->cols;
    for (uint32_t i = 0; i < batch->ncols; i++) finish_vec(&batch->cols[i], batch->nrows);
    batch->weights = builder->weighted ? builder->weights : NULL;
    builder->capacity = builder->nrows = 0;
    builder->cols = NULL;
    return batch;
}
