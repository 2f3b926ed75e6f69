// agg_rank.h - places in large sets of values: percentiles and mode of a group without reading all
// of it. The values of a group that has many are divided into blocks of some hundred, in order; of
// each block and filter it is known how many values there are and how often the most frequent one
// is. A step reads anew the blocks that its values fall into; a place is found by the blocks'
// totals and in one block.
//
// State: "v<view>.<node>.ranks": the key in the table of values that a block begins at (of the
// first: group key ++ number of the set) -> rows, then for each filter total and most. Groups of
// few values have none and are read as a whole. Internal to src/flow.
#ifndef WEIR_FLOW_AGG_RANK_H
#define WEIR_FLOW_AGG_RANK_H

#include "flow/agg_set.h"

typedef struct agg_block {
    base_str begin;
    int64_t rows;
    int64_t *total, *most; // a filter each
} agg_block;

typedef struct agg_writes { // of a step, to the table of blocks
    uint32_t n, cap;
    base_str *keys, *values; // no value: the block goes
} agg_writes;

typedef struct agg_ranks { // of a group and set
    const agg_set *set;
    base_arena *arena;
    state_cursor *values;
    base_str prefix;
    bool whole;    // the group is small: rows has all of it
    agg_rows rows; // else: of the block that was read last
    uint32_t nblocks;
    agg_block *blocks;
} agg_ranks;

// Whether an aggregate can do with ranks.
bool agg_rank_serves(plan_agg_id id);
// Brings a group's blocks up to date with the step's changes, which are in the table of values.
// arena: of the group; writes are kept in the step's.
BASE_MUST_USE base_rc agg_rank_group(const agg_set *set, flow_ctx *ctx, base_arena *arena,
                                     state_cursor *values, state_cursor *blocks, base_str group_key,
                                     agg_ranks *ranks, agg_writes *writes, base_error *err);
int64_t agg_rank_total(const agg_ranks *ranks, uint32_t filter);
// Reads the block of a place, counted from 0, which becomes a place in the block.
BASE_MUST_USE base_rc agg_rank_at(agg_ranks *ranks, uint32_t filter, int64_t *place,
                                  base_error *err);
// Reads the first block with a value as frequent as any.
BASE_MUST_USE base_rc agg_rank_most(agg_ranks *ranks, uint32_t filter, base_error *err);
BASE_MUST_USE base_rc agg_rank_write(flow_ctx *ctx, state_table table, const agg_writes *writes,
                                     base_error *err);

#endif
