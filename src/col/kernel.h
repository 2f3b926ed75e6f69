// kernel.h - hash, compare, sort, consolidate: vectorised, no call per row through a pointer.
// NULL handling follows PostgreSQL's grouping: nulls are equal to each other; in order they are
// last unless asked. NUMERIC compares by value; floats: NaN equals NaN and is greatest, -0 equals
// 0; text by bytes (the "C" collation); JSONB as PostgreSQL's (jsonb_order.c).
#ifndef WEIR_COL_KERNEL_H
#define WEIR_COL_KERNEL_H

#include "col/batch.h"

// hashes[i] for each row over the given columns; equal rows hash alike.
void col_hash(const col_batch *batch, uint32_t nkeys, const uint32_t *keys, uint64_t *hashes);
bool col_cells_equal(const col_vec *a, uint32_t a_row, const col_vec *b, uint32_t b_row);
int col_cells_compare(const col_vec *a, uint32_t a_row, const col_vec *b,
                      uint32_t b_row); // nulls last
bool col_rows_equal(const col_batch *a, uint32_t a_row, const col_batch *b, uint32_t b_row,
                    uint32_t nkeys, const uint32_t *a_keys, const uint32_t *b_keys);

// Spellings: values that are equal but not the same, as they are written differently (NUMERIC 1.0
// and 1.00, INTERVAL 1 mon and 30 days, floats 0 and -0, arrays of such). Rows are told apart as
// what they are by all of their columns and their tag; they are grouped, joined and ordered without
// it.
bool col_one_spelling(const col_type *type); // equal values of the type are the same
// What tells a value apart from its equals; the least is 0 or the fewest digits. 0 of null.
uint64_t col_spelling(const col_vec *vec, uint32_t row);
bool col_cells_same(const col_vec *a, uint32_t a_row, const col_vec *b, uint32_t b_row);
bool col_rows_same(const col_batch *a, uint32_t a_row, const col_batch *b, uint32_t b_row);
// The spellings of the rows' columns in one INT8 each, in a vector; NULL if the types have one
// only. Of one such column it is col_spelling; of up to ten numbers theirs side by side, the first
// highest; of others a hash of theirs. types[i] is what column
// cols[i] is declared as, which decides: a vector's own may say more. NULL: the vectors' own.
const col_vec *col_tags(base_arena *arena, const col_batch *batch, uint32_t ncols,
                        const uint32_t *cols, const col_type *types);
// col_hash with the tags taken in: rows that are not the same hash differently.
void col_hash_exact(base_arena *arena, const col_batch *batch, uint32_t ncols, const uint32_t *cols,
                    const col_type *types, uint64_t *hashes);
bool col_has_tags(uint32_t ncols, const col_type *types); // whether col_tags would give some

typedef struct col_sort_key {
    uint32_t col;
    bool descending;
    bool nulls_first;
} col_sort_key;
// A stable permutation of 0..nrows-1 that sorts the batch.
uint32_t *col_sort(base_arena *arena, const col_batch *batch, uint32_t nkeys,
                   const col_sort_key *keys);

// Adds up the weights of rows that are the same and drops rows of weight 0; order of first
// appearance.
col_batch *col_consolidate(base_arena *arena, const col_batch *batch);

// Flat hash grouping: group_of[i] in 0..*ngroups-1 for each row, numbered by first appearance, and
// first_row[g]. A building block for aggregates, distinct and consolidate.
void col_group(base_arena *arena, const col_batch *batch, uint32_t nkeys, const uint32_t *keys,
               uint32_t *group_of, uint32_t **first_row, uint32_t *ngroups);

// Rows i with keep[i] != 0 -> sel; returns how many. sel has room for n.
uint32_t col_select(const uint8_t *keep, uint32_t n, uint32_t *sel);

// MD5 (RFC 1321) of bytes: what other systems compute too, for digests that are compared with
// theirs.
void col_md5(base_str bytes, uint8_t out[16]);

#endif
