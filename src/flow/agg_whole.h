// agg_whole.h - aggregates that are worked out from all values of a group, in order: string_agg,
// jsonb_agg, mode, percentiles, hypothetical ranks. Internal to src/flow.
#ifndef WEIR_FLOW_AGG_WHOLE_H
#define WEIR_FLOW_AGG_WHOLE_H

#include "flow/agg_rank.h"

#define AGG_ARGS_MAX 2u

// How an aggregate uses a set of values.
typedef struct agg_use {
    const plan_agg *agg;
    uint32_t set, filter; // numbers; set AGG_NONE: it takes rows
    bool distinct;
    uint32_t nargs;
    uint32_t args[AGG_ARGS_MAX];            // columns of the set; AGG_NONE: constant
    const col_vec *constants[AGG_ARGS_MAX]; // of arguments that are
    const col_vec **direct;                 // direct arguments, one row each
    acc_spec linear;                        // of a linear aggregate over all distinct values
} agg_use;

// Fills use->linear, direct and constants; checks direct arguments. 22003 for a fraction that is
// none; 0A000 for a direct argument that is not constant.
BASE_MUST_USE base_rc agg_whole_init(agg_use *use, const acc_spec *spec, base_arena *arena,
                                     base_error *err);
// The result into out, a vector of one row. *failed: the SQLSTATE of what kept it from being one,
// else NULL. What out refers to lives in the arena or is the rows'.
BASE_MUST_USE base_rc agg_whole(const agg_use *use, const acc_spec *spec, const agg_rows *rows,
                                base_arena *arena, col_vec *out, const char **failed,
                                base_error *err);
// The same of an aggregate that agg_rank_serves.
BASE_MUST_USE base_rc agg_whole_ranked(const agg_use *use, const acc_spec *spec, agg_ranks *ranks,
                                       base_arena *arena, col_vec *out, const char **failed,
                                       base_error *err);
// Of approx_percentile: the fractions that it is asked for, as a vector; false: a null in place of
// them. The place, from 0, of a fraction of n values. The value or array of values as the result.
bool agg_whole_fractions(const agg_use *use, base_arena *arena, const col_vec **out, uint32_t *n);
int64_t agg_whole_place(int64_t n, double fraction);
void agg_whole_give(const acc_spec *spec, const col_vec *values, base_arena *arena, col_vec *out,
                    uint32_t row);
// The relative error that approx_percentile is asked for.
double agg_whole_error(const plan_agg *agg);
// Whether there is a result, not null, of no values.
bool agg_whole_of_nothing(plan_agg_id id);

#endif
