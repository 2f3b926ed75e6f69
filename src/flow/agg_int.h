// agg_int.h - the aggregate operator's parts: agg.c runs it, agg_plan.c makes it. Internal to both.
#ifndef WEIR_FLOW_AGG_INT_H
#define WEIR_FLOW_AGG_INT_H

#include "flow/agg_whole.h"
#include "flow/cache.h"
#include "flow/spellings.h"

// What an aggregate is fed with: its arguments, null where one of them is or its filter is not
// true.
typedef struct agg_view {
    uint32_t nargs; // 0: count(*) with a filter
    uint32_t slots[AGG_ARGS_MAX];
    uint32_t mask; // slot of the filter, or AGG_NONE
} agg_view;

// Groups whose rows all become those of others in this step; see agg_move.c.
typedef struct agg_moved {
    uint32_t n, cap;
    uint32_t *from, *to; // groups of the step
    uint8_t *left;       // by group, once they have been moved: nothing stays of what it was
} agg_moved;

typedef struct agg_op {
    flow_op op;
    uint32_t nkeys, nspecs, nslots;
    bool global;             // no GROUP BY
    uint32_t nalways;        // groups that are there without rows: of grouping sets without keys
    col_batch *always;       // their keys
    const plan_expr **exprs; // keys, then what the aggregates and their filters need, once each
    acc_spec *specs;
    agg_use *uses;     // parallel to specs
    uint32_t *view_of; // likewise; AGG_NONE: fed by a set, or by nothing
    uint32_t nviews;
    agg_view *views;
    uint32_t nsets;
    agg_set *sets;
    bool *is_mask; // a slot each
    size_t stride; // of a block

    flow_groups groups;        // of the step
    flow_spellings spellings;  // of the keys
    const col_batch *was, *is; // the step's keys as they were and are written; NULL: as in groups
    char *partials;            // groups.n blocks (one if global)
    uint32_t partials_n, partials_cap;
    bool touched; // rows came in this step

    agg_moved moved;          // of the step
    uint32_t *scratch_groups; // of a batch
    uint64_t *scratch_hashes;
    uint32_t scratch_cap;

    flow_cache cache;
    state_table table, values, ranks;
    base_arena whole;  // of one group's values
    bool always_known; // the records of groups that are always there have been looked for
    uint64_t cache_counted, step_counted;
} agg_op;

// agg.c: the groups of the step that n rows of keys are, in agg->scratch_groups.
void agg_group_rows(agg_op *agg, flow_ctx *ctx, const col_vec *const *keys, uint32_t n,
                    const int64_t *weights);
// Finds or reads the records of n groups, whose keys are in order.
BASE_MUST_USE base_rc agg_load_records(agg_op *agg, flow_ctx *ctx, const base_str *keys,
                                       const uint32_t *groups, uint32_t n, flow_record **records,
                                       base_error *err);
// agg_move.c: what has moved goes into the partials of where it goes. keys: by group.
BASE_MUST_USE base_rc agg_move_groups(agg_op *agg, flow_ctx *ctx, const base_str *keys,
                                      base_error *err);
// Before the partial of a group is added to its record: what has left goes from it.
void agg_leave(agg_op *agg, uint32_t group, flow_record *record);

// Fills exprs, specs, uses, views, sets and stride of an operator whose nkeys and nspecs are set.
BASE_MUST_USE base_rc agg_plan(agg_op *agg, const plan_node *node, bool append_only,
                               base_error *err);

#endif
