// top_mirror.h - heads without rows: where a view shows the first rows of partitions as they are,
// it has their columns, and the operator need not keep them a second time. A head then has order
// keys alone; a row that goes is read from the view, as it was before the step, by the view's key:
// the partition's columns, and the rank if a partition shows more than one row. Internal to
// top*.c.
#ifndef WEIR_FLOW_TOP_MIRROR_H
#define WEIR_FLOW_TOP_MIRROR_H

#include "flow/flow_int.h"

typedef struct top_mirror {
    const flow_view_rows *view;
    uint32_t view_id;
    bool by_rank;            // the rank ends the view's key
    uint32_t ncolumns;       // of the view
    const uint32_t *columns; // what they are of the operator's output
    const col_type *types;   // of the operator's output
    uint32_t nout;
} top_mirror;

// NULL: the view does not show what it would have to.
top_mirror *top_mirror_create(base_arena *arena, const flow_view_rows *view, uint32_t view_id,
                              const plan_node *plan, const plan_node *top);
// Whether the rows of a partition can be found by its key: it is not a hash.
static inline bool top_mirror_has(const top_mirror *mirror, base_str partition) {
    return mirror != NULL && (uint8_t)partition.p[0] != 0xff;
}
base_str top_mirror_key(const top_mirror *mirror, base_arena *arena, base_str partition,
                        int64_t rank);
// Rows by keys in order, borrowed; all must be there.
BASE_MUST_USE base_rc top_mirror_get(const top_mirror *mirror, state_txn *txn, size_t n,
                                     const base_str *keys, base_str *rows, base_error *err);
// A row into a batch of the operator's output; its rank is that which the view shows.
BASE_MUST_USE base_rc top_mirror_decode(const top_mirror *mirror, base_str row, col_batch *batch,
                                        uint32_t at, base_arena *arena, base_error *err);

#endif
