// compare.h - the rows of a view on two sides (two stores, two versions, served and recomputed):
// digests of each, and which keys differ.
//
// A side's digest is the sum, modulo 2^128, of XXH3-128 of each row's key and bytes, times the
// row's weight: it depends on the rows, not on their order or on how they are stored. Standing,
// revision and time of a row are not part of it: they say when a flow saw it.
#ifndef WEIR_ENGINE_COMPARE_H
#define WEIR_ENGINE_COMPARE_H

#include "engine/engine_int.h"

typedef struct engine_side {
    const plan_object *object;
    bool appended;
    state_table rows;
    state_txn *txn;
    bool exact; // of side a: what is close is different, too
} engine_side;
engine_side engine_side_of(const plan_object *object, const engine_view_snapshot *snapshot);

// A key whose rows differ. Batches of one row, of the declared columns; valid during the call.
typedef struct engine_difference {
    const col_batch *a, *b; // NULL: that side has no such row
    int64_t a_weight, b_weight;
} engine_difference;

typedef struct engine_compare_result {
    uint64_t a_rows, b_rows; // each as often as it is there
    uint8_t a_digest[16], b_digest[16];
    uint64_t only_a, only_b, differing; // keys
    // Keys whose values differ only as floating-point sums do that were added up in another order
    // (1e-9 of the greater), or as 1.0 and 1.00 do; not among the differing.
    uint64_t close;
} engine_compare_result;

// Both objects have the same columns and key. visit (may be NULL) gets each differing key, each
// once, in no order; it may fail. each (may be NULL) gets all rows of side a. cancel may be NULL.
BASE_MUST_USE base_rc
engine_compare(const engine_side *a, const engine_side *b,
               base_rc (*visit)(void *arg, const engine_difference *d, base_error *err),
               base_rc (*each)(void *arg, const col_batch *rows, base_error *err), void *arg,
               volatile bool *cancel, engine_compare_result *out, base_error *err);
// A row as a JSON object, appended.
void engine_row_json(const plan_object *view, const col_batch *rows, uint32_t row, base_buf *buf);
// Its key columns only; all columns if the view has no key.
void engine_key_json(const plan_object *view, const col_batch *rows, uint32_t row, base_buf *buf);

#endif
