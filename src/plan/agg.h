// agg.h - the catalogue of aggregates: what the binder resolves and flow/ implements by id.
#ifndef WEIR_PLAN_AGG_H
#define WEIR_PLAN_AGG_H

#include "col/type.h"

typedef enum plan_agg_id {
    PLAN_AGG_COUNT_STAR,
    PLAN_AGG_COUNT,
    PLAN_AGG_SUM,
    PLAN_AGG_AVG,
    PLAN_AGG_MIN,
    PLAN_AGG_MAX,
    PLAN_AGG_BOOL_AND,
    PLAN_AGG_BOOL_OR,
    PLAN_AGG_ID_COUNT
} plan_agg_id;

typedef struct plan_agg_def {
    const char *name;
    plan_agg_id id;
    uint8_t nargs;
    col_kind arg; // COL_UNKNOWN: any
    col_kind ret; // COL_UNKNOWN: the argument's type
} plan_agg_def;

// All definitions of a name, PostgreSQL's result types: sum(int2/int4) is bigint, sum(int8)
// numeric, sum(numeric) numeric, sum(float4) real, avg of integers numeric, of floats double
// precision, ...
size_t plan_agg_find(base_str name, const plan_agg_def **first);

#endif
