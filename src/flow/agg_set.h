// agg_set.h - the multisets of values that aggregates stand on which a sum cannot keep: DISTINCT,
// extremes under retraction, ordered and ordered-set aggregates. One set serves all aggregates of
// an operator that want the same values in the same order, with a count a filter: count(DISTINCT
// x), count(DISTINCT x) FILTER (...), sum(DISTINCT x) are three counts beside one value.
//
// A value is a row of columns, in the set's order: first what ORDER BY names, then the arguments.
// Where equal values may look different (1.0 and 1.00) and are shown, a last column, the tag, tells
// them apart.
//
// State: "v<view>.<node>.values": group key ++ number of the set ++ value key -> a count a filter,
// then, if they are read back, the columns. The value key is the ordered encoding (descending
// columns inverted), or, beyond AGG_SET_KEY bytes, its beginning and a hash of it; readers put such
// values in order themselves. Internal to src/flow.
#ifndef WEIR_FLOW_AGG_SET_H
#define WEIR_FLOW_AGG_SET_H

#include "flow/acc.h"
#include "flow/flow_int.h"

#define AGG_NONE        UINT32_MAX
#define AGG_SET_KEY     230u // bytes of a value key that are kept as they are
#define AGG_SET_STRICT  2u
#define AGG_SET_FILTERS 256u

enum { AGG_SET_CHANGED = 1, AGG_SET_WENT = 2 }; // what befell the values of a group and filter

typedef enum agg_coding { AGG_AS_IT_IS, AGG_MARKS, AGG_BUCKETS } agg_coding; // agg_sketch.h

typedef struct agg_set {
    uint32_t number;
    uint32_t nslots, ncols; // ncols: nslots, and one for the tag
    uint32_t *slots;        // the operator's evaluated value of each column but the tag
    bool tagged;
    agg_coding coding; // of the first column: codes of the values take their place
    double error;      // of buckets
    bool cells;        // columns are read back
    bool ranked;       // all that read it whole can do with places in it (agg_rank.h)
    bool single;       // holds an extreme: has one filter, so that the first value is found at once
    uint32_t nstrict, strict[AGG_SET_STRICT]; // slots that make no value where they are null
    col_sort_key *order;                      // ncols: all columns, in their order
    col_type *types;                          // ncols
    uint32_t nfilters;
    uint32_t *filters; // slots, or AGG_NONE: every row

    flow_groups pairs; // of the step: (group number, columns)
    int64_t *weights;  // nfilters a pair; of marks, then as many sums of prints
    uint32_t cap;
    uint8_t *changed; // nfilters a group, in the step's arena
    uint32_t ntouched;
    const base_str *touched; // keys of the values that a merge has changed, in order
} agg_set;

// The values of a group, in order.
typedef struct agg_rows {
    const col_batch *rows; // the set's columns
    uint32_t begin, n;     // of rows
    const int64_t *counts; // nfilters a row of `rows`
    uint32_t nfilters;
} agg_rows;

// Transitions of a merge, by filter: pair i of the set came (+1) or went (-1). Of marks: by how
// much their level changed.
typedef struct agg_moves {
    uint32_t n;
    uint32_t *pairs, *groups;
    int64_t *signs;
} agg_moves;

void agg_set_init(agg_set *set, base_arena *arena);
void agg_set_clear(agg_set *set);
void agg_set_deinit(agg_set *set);
size_t agg_set_bytes(const agg_set *set);
static inline col_vec *agg_set_column(const agg_set *set, uint32_t column) {
    return &set->pairs.keys[1 + column];
}

// Takes in rows: slots are the operator's evaluated values; masks[s] is slot s as a byte a row that
// is 1 where it is true.
void agg_set_add(agg_set *set, flow_ctx *ctx, const uint32_t *group_of, uint32_t n,
                 const col_vec *const *slots, const uint8_t *const *masks, const int64_t *weights);
// Adds the step's pairs to the table; moves: nfilters lists; changed is set for ngroups groups.
BASE_MUST_USE base_rc agg_set_merge(agg_set *set, flow_ctx *ctx, state_table table,
                                    const base_str *group_keys, uint32_t ngroups, agg_moves *moves,
                                    base_error *err);
// Without a store: the pairs are all there is.
void agg_set_take(agg_set *set, flow_ctx *ctx, uint32_t ngroups, agg_moves *moves);
// ... in order: rows of group g are [starts[g], starts[g + 1]).
void agg_set_sort(const agg_set *set, flow_ctx *ctx, uint32_t ngroups, agg_rows *rows,
                  uint32_t **starts);

// What the keys of a group's values begin with.
base_str agg_set_prefix(base_arena *arena, base_str group_key, uint32_t number);
// Counts as the tables have them; false: there is none.
void agg_set_add_count(base_buf *buf, int64_t count);
bool agg_set_read_count(base_str bytes, size_t *at, int64_t *count);
// Reads the values whose keys are in [from, until) of a group's prefix, in order (until.p NULL: all
// from there). keys, or NULL: the rows' keys, in the order of the table.
BASE_MUST_USE base_rc agg_set_read_range(const agg_set *set, base_arena *arena,
                                         state_cursor *cursor, base_str prefix, base_str from,
                                         base_str until, agg_rows *rows, base_str **keys,
                                         base_error *err);
// Reads a group's values, in order, into the arena; strings are borrowed from the transaction.
BASE_MUST_USE base_rc agg_set_read(const agg_set *set, base_arena *arena, state_cursor *cursor,
                                   base_str group_key, agg_rows *rows, base_error *err);
// The first (last) value of a group by its first column: *value is a vector of one row, or NULL.
BASE_MUST_USE base_rc agg_set_extreme(const agg_set *set, base_arena *arena, state_cursor *cursor,
                                      base_str group_key, bool last, const col_vec **value,
                                      base_error *err);

#endif
