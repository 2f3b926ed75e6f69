// agg.c - the table of aggregates. One row a name and argument type, rows of a name side by side;
// flow/ implements an id for every kind that stands here. Source: PostgreSQL 15, "Aggregate
// Functions". Entry point: plan_agg_find.
#include "plan/agg.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static const plan_agg_def agg_defs[] = {
    {"avg", PLAN_AGG_AVG, 1, COL_INT8, COL_NUMERIC},
    {"avg", PLAN_AGG_AVG, 1, COL_INT4, COL_NUMERIC},
    {"avg", PLAN_AGG_AVG, 1, COL_INT2, COL_NUMERIC},
    {"avg", PLAN_AGG_AVG, 1, COL_NUMERIC, COL_NUMERIC},
    {"avg", PLAN_AGG_AVG, 1, COL_FLOAT4, COL_FLOAT8},
    {"avg", PLAN_AGG_AVG, 1, COL_FLOAT8, COL_FLOAT8},
    {"bool_and", PLAN_AGG_BOOL_AND, 1, COL_BOOL, COL_BOOL},
    {"bool_or", PLAN_AGG_BOOL_OR, 1, COL_BOOL, COL_BOOL},
    {"count", PLAN_AGG_COUNT_STAR, 0, COL_UNKNOWN, COL_INT8},
    {"count", PLAN_AGG_COUNT, 1, COL_UNKNOWN, COL_INT8},
    {"every", PLAN_AGG_BOOL_AND, 1, COL_BOOL, COL_BOOL},
#define ORDERED(name, id)                                                                          \
    {name, id, 1, COL_INT8, COL_INT8}, {name, id, 1, COL_INT4, COL_INT4},                          \
        {name, id, 1, COL_INT2, COL_INT2}, {name, id, 1, COL_OID, COL_OID},                        \
        {name, id, 1, COL_FLOAT4, COL_FLOAT4}, {name, id, 1, COL_FLOAT8, COL_FLOAT8},              \
        {name, id, 1, COL_NUMERIC, COL_NUMERIC}, {name, id, 1, COL_DATE, COL_DATE},                \
        {name, id, 1, COL_TIME, COL_TIME}, {name, id, 1, COL_TIMESTAMP, COL_TIMESTAMP},            \
        {name, id, 1, COL_TIMESTAMPTZ, COL_TIMESTAMPTZ},                                           \
        {name, id, 1, COL_INTERVAL, COL_INTERVAL}, {                                               \
        name, id, 1, COL_TEXT, COL_TEXT                                                            \
    }
    ORDERED("max", PLAN_AGG_MAX),
    ORDERED("min", PLAN_AGG_MIN),
#undef ORDERED
    {"sum", PLAN_AGG_SUM, 1, COL_INT8, COL_NUMERIC},
    {"sum", PLAN_AGG_SUM, 1, COL_INT4, COL_INT8},
    {"sum", PLAN_AGG_SUM, 1, COL_INT2, COL_INT8},
    {"sum", PLAN_AGG_SUM, 1, COL_NUMERIC, COL_NUMERIC},
    {"sum", PLAN_AGG_SUM, 1, COL_FLOAT4, COL_FLOAT4},
    {"sum", PLAN_AGG_SUM, 1, COL_FLOAT8, COL_FLOAT8},
};

size_t plan_agg_find(base_str name, const plan_agg_def **first) {
    size_t begin = 0;
    while (begin < COUNT_OF(agg_defs) &&
           !base_str_eq_nocase(base_str_of(agg_defs[begin].name), name))
        begin++;
    size_t end = begin;
    while (end < COUNT_OF(agg_defs) && base_str_eq_nocase(base_str_of(agg_defs[end].name), name))
        end++;
    *first = begin < COUNT_OF(agg_defs) ? &agg_defs[begin] : NULL;
    return end - begin;
}
