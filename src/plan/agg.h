// agg.h - the catalogue of aggregates: what the binder resolves and flow/ implements by id.
#ifndef WEIR_PLAN_AGG_H
#define WEIR_PLAN_AGG_H

#include "col/type.h"

typedef enum plan_agg_id {
    PLAN_AGG_COUNT_STAR,
    PLAN_AGG_COUNT,
    PLAN_AGG_APPROX_COUNT_DISTINCT,
    PLAN_AGG_SUM,
    PLAN_AGG_AVG,
    PLAN_AGG_MIN,
    PLAN_AGG_MAX,
    PLAN_AGG_BOOL_AND,
    PLAN_AGG_BOOL_OR,
    PLAN_AGG_BIT_AND,
    PLAN_AGG_BIT_OR,
    PLAN_AGG_BIT_XOR,
    PLAN_AGG_VAR_POP,
    PLAN_AGG_VAR_SAMP,
    PLAN_AGG_STDDEV_POP,
    PLAN_AGG_STDDEV_SAMP,
    PLAN_AGG_REGR_COUNT,
    PLAN_AGG_REGR_SXX,
    PLAN_AGG_REGR_SYY,
    PLAN_AGG_REGR_SXY,
    PLAN_AGG_REGR_AVGX,
    PLAN_AGG_REGR_AVGY,
    PLAN_AGG_REGR_R2,
    PLAN_AGG_REGR_SLOPE,
    PLAN_AGG_REGR_INTERCEPT,
    PLAN_AGG_COVAR_POP,
    PLAN_AGG_COVAR_SAMP,
    PLAN_AGG_CORR,
    PLAN_AGG_STRING_AGG,
    PLAN_AGG_ARRAY_AGG,
    PLAN_AGG_JSONB_AGG,
    PLAN_AGG_JSONB_OBJECT_AGG,
    PLAN_AGG_MODE,
    PLAN_AGG_PERCENTILE_CONT,
    PLAN_AGG_PERCENTILE_DISC,
    PLAN_AGG_APPROX_PERCENTILE,
    PLAN_AGG_RANK,
    PLAN_AGG_DENSE_RANK,
    PLAN_AGG_PERCENT_RANK,
    PLAN_AGG_CUME_DIST,
    PLAN_AGG_ID_COUNT
} plan_agg_id;

// The relative error of approx_percentile: if none is given, and what may be.
#define PLAN_APPROX_ERROR       0.01
#define PLAN_APPROX_ERROR_LEAST 0.0001
#define PLAN_APPROX_ERROR_MOST  0.5

typedef enum plan_agg_form {
    PLAN_AGG_PLAIN,
    PLAN_AGG_ORDERED,     // plain, and ORDER BY matters to it
    PLAN_AGG_ORDERED_SET, // f(direct) WITHIN GROUP (ORDER BY value)
    PLAN_AGG_HYPOTHETICAL // f(values) WITHIN GROUP (ORDER BY keys), any number of both
} plan_agg_form;

typedef struct plan_agg_def {
    const char *name;
    plan_agg_id id;
    uint8_t nargs; // of an ordered-set aggregate: direct arguments, then the value
    col_kind arg;  // COL_UNKNOWN: any
    col_kind ret;  // COL_UNKNOWN: the (aggregated) argument's type; COL_ARRAY: an array of it
    col_kind arg2; // of the second argument
    plan_agg_form form;
} plan_agg_def;

// All definitions of a name, PostgreSQL's result types: sum(int2/int4) is bigint, sum(int8)
// numeric, sum(numeric) numeric, sum(float4) real, avg of integers numeric, of floats double
// precision, ...
size_t plan_agg_find(base_str name, const plan_agg_def **first);
const plan_agg_def *plan_agg_at(size_t i); // by position, for documentation; NULL at the end
// What it gives does not change if a value is there once or more often.
bool plan_agg_ignores_repeats(plan_agg_id id);

#endif
