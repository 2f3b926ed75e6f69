// spellings.h - how the rows of a group are written. Where the equal rows that make one group
// (GROUP BY, DISTINCT, INTERSECT, EXCEPT) may be written differently, the group shows the least
// spelling of those that are there (col_tags): it depends on nothing but the rows. So all spellings
// are kept with their counts, and a group's row before a step can be taken back as it was given
// out. Only operators whose columns have types of several spellings have this.
//
// Delta rule: counts are linear; a group's row is that of the least tag with a positive count.
// State: a table, group key ++ tag -> count, row. Internal to src/flow.
#ifndef WEIR_FLOW_SPELLINGS_H
#define WEIR_FLOW_SPELLINGS_H

#include "flow/flow_int.h"

typedef struct flow_spellings {
    uint32_t ncols; // 0: there are none
    const col_type *types;
    uint32_t *columns; // 0, 1, ...
    state_table table;
    flow_groups rows; // of the step: group number, the columns, tag
    int64_t *weights;
    uint32_t cap;
} flow_spellings;

// Does nothing if the types have one spelling each. Opens the table ".spellings" if there is a
// store.
BASE_MUST_USE base_rc flow_spellings_open(flow_spellings *spellings, flow_op *op, uint32_t ncols,
                                          const col_type *types, base_error *err);
void flow_spellings_deinit(flow_spellings *spellings);
void flow_spellings_clear(flow_spellings *spellings); // at the end of a step
size_t flow_spellings_bytes(const flow_spellings *spellings);

// Takes in n rows of the step, of which row i is of group group_of[i].
void flow_spellings_add(flow_spellings *spellings, flow_ctx *ctx, const uint32_t *group_of,
                        const col_vec *columns, uint32_t n, const int64_t *weights);
// Merges the step's rows into the table. Row g of *before and *after is how group g is written
// before and after the step; of a group without rows, as in `groups`. group_keys: state keys.
BASE_MUST_USE base_rc flow_spellings_merge(flow_spellings *spellings, flow_ctx *ctx,
                                           const flow_groups *groups, const base_str *group_keys,
                                           col_batch **before, col_batch **after, base_error *err);
// Without a store: how the groups are written after the one step.
void flow_spellings_take(flow_spellings *spellings, base_arena *arena, const flow_groups *groups,
                         col_batch **after);

#endif
