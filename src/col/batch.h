// batch.h - columns and delta batches, the only currency between operators.
//
// A vector is a column of values with a byte a row for null. A batch is vectors of equal length
// plus a signed weight a row (a Z-set: +1 inserts, -1 retracts; any count). Batches live in an
// arena (the step's or the query's) and are immutable once pushed to an operator; a kernel that
// changes one makes another, and may share vectors with its input. Strings are borrowed from the
// arena, from a mapped log segment or from a literal: all outlive the step. Threads: immutable
// batches may be read by any.
#ifndef WEIR_COL_BATCH_H
#define WEIR_COL_BATCH_H

#include "col/type.h"

#define COL_BATCH_ROWS_MAX (1u << 24)
#define COL_NO_ROW         UINT32_MAX // in a selection of col_vec_gather_outer: a null row

typedef struct col_vec {
    col_type type;
    uint32_t n;
    void *data;     // n cells of col_kind_width; of a null row: any bytes, but initialised
    uint8_t *nulls; // n bytes, 1: null; or NULL: none is null
    struct col_vec *children; // STRUCT: type.nfields vectors of n rows
    // A row of a struct that is null is null in its children too (col_vec_set_null sees to it).
} col_vec;

typedef struct col_batch {
    uint32_t ncols;
    uint32_t nrows;
    col_vec *cols;
    const int64_t *weights; // nrows; NULL: all +1
} col_batch;

static inline bool col_is_null(const col_vec *vec, uint32_t row) {
    return vec->nulls != NULL && vec->nulls[row] != 0;
}
static inline int64_t col_weight(const col_batch *batch, uint32_t row) {
    return batch->weights == NULL ? 1 : batch->weights[row];
}
// Typed access: col_i64(vec)[row].
static inline uint8_t *col_u8(const col_vec *vec) {
    return (uint8_t *)vec->data;
}
static inline int16_t *col_i16(const col_vec *vec) {
    return (int16_t *)vec->data;
}
static inline int32_t *col_i32(const col_vec *vec) {
    return (int32_t *)vec->data;
}
static inline uint32_t *col_u32(const col_vec *vec) {
    return (uint32_t *)vec->data;
}
static inline int64_t *col_i64(const col_vec *vec) {
    return (int64_t *)vec->data;
}
static inline float *col_f32(const col_vec *vec) {
    return (float *)vec->data;
}
static inline double *col_f64(const col_vec *vec) {
    return (double *)vec->data;
}
static inline base_decimal *col_dec(const col_vec *vec) {
    return (base_decimal *)vec->data;
}
static inline base_str *col_str(const col_vec *vec) {
    return (base_str *)vec->data;
}
static inline base_interval *col_interval(const col_vec *vec) {
    return (base_interval *)vec->data;
}
static inline uint8_t *col_uuid(const col_vec *vec, uint32_t row) {
    return (uint8_t *)vec->data + 16 * (size_t)row;
}

// Making vectors. data (and children) are allocated and zeroed for n rows; nulls is NULL.
void col_vec_init(col_vec *vec, base_arena *arena, col_type type, uint32_t n);
// Gives vec a nulls array of zeros if it has none, at every level of a struct.
void col_vec_need_nulls(col_vec *vec, base_arena *arena);
void col_vec_set_null(col_vec *vec, base_arena *arena, uint32_t row);
// Copies one cell (with its null and children); strings stay borrowed. Types are of one kind.
void col_vec_copy_cell(col_vec *to, uint32_t to_row, const col_vec *from, uint32_t from_row,
                       base_arena *arena);
col_batch *col_batch_create(base_arena *arena, uint32_t ncols, const col_type *types,
                            uint32_t nrows);
// A batch that shares the columns whose indexes are given, and the weights.
col_batch *col_batch_project(base_arena *arena, const col_batch *batch, uint32_t n,
                             const uint32_t *indexes);
// Deep copy: also the string bytes.
col_batch *col_batch_copy(base_arena *arena, const col_batch *batch);
col_batch *col_batch_with_weights(base_arena *arena, const col_batch *batch,
                                  const int64_t *weights);
col_batch *col_batch_negate(base_arena *arena, const col_batch *batch);

// Rows sel[0..n) in that order.
col_vec *col_vec_gather(base_arena *arena, const col_vec *vec, const uint32_t *sel, uint32_t n);
// The same, but where sel is COL_NO_ROW the row is null: the far side of an outer join.
col_vec *col_vec_gather_outer(base_arena *arena, const col_vec *vec, const uint32_t *sel,
                              uint32_t n);
col_batch *col_batch_gather(base_arena *arena, const col_batch *batch, const uint32_t *sel,
                            uint32_t n);
// One batch of all rows in order; the batches have the same types. n may be 0 if types are given.
col_batch *col_batch_concat(base_arena *arena, uint32_t ncols, const col_type *types, size_t n,
                            const col_batch *const *batches);
// Rows [begin, begin + n), sharing data.
col_batch *col_batch_slice(base_arena *arena, const col_batch *batch, uint32_t begin, uint32_t n);
// The rows of part i of so many (plat/workers.h), and which is the first.
col_batch *col_batch_part(base_arena *arena, const col_batch *batch, uint32_t parts, uint32_t i,
                          uint32_t *begin);

// A growing batch: rows are added a cell at a time.
typedef struct col_builder col_builder;
col_builder *col_builder_create(base_arena *arena, uint32_t ncols, const col_type *types);
void col_builder_add_row(col_builder *builder, const col_batch *from, uint32_t row, int64_t weight);
// A new row, all null, weight given; then set cells of the last row.
void col_builder_new_row(col_builder *builder, int64_t weight);
void col_builder_set(col_builder *builder, uint32_t col, const col_vec *from, uint32_t row);
void col_builder_set_bool(col_builder *builder, uint32_t col, bool v);
void col_builder_set_i64(col_builder *builder, uint32_t col,
                         int64_t v); // any integer, time or oid kind
void col_builder_set_f64(col_builder *builder, uint32_t col, double v);
void col_builder_set_decimal(col_builder *builder, uint32_t col, base_decimal v);
void col_builder_set_str(col_builder *builder, uint32_t col, base_str v); // borrowed; string kinds
uint32_t col_builder_rows(const col_builder *builder);
col_batch *col_builder_finish(col_builder *builder); // the builder may not be used after

#endif
