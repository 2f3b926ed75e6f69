// agg.c - the table of aggregates. One row a name and argument type, rows of a name side by side;
// flow/ implements an id for every kind that stands here. Source: PostgreSQL 15, "Aggregate
// Functions"; approx_* are spelt as in RisingWave. Entry point: plan_agg_find.
#include "plan/agg.h"

#include "plan/node.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#define FLOATS (COL_ARRAY | COL_FLOAT8)
#define PLAIN(name, id, arg, ret)                                                                  \
    { name, id, 1, arg, ret, COL_UNKNOWN, PLAN_AGG_PLAIN }
#define INTEGERS(name, id)                                                                         \
    PLAIN(name, id, COL_INT8, COL_INT8), PLAIN(name, id, COL_INT4, COL_INT4),                      \
        PLAIN(name, id, COL_INT2, COL_INT2)
// Exact for integers and numeric, double precision for floats.
#define SPREAD(name, id)                                                                           \
    PLAIN(name, id, COL_INT8, COL_NUMERIC), PLAIN(name, id, COL_INT4, COL_NUMERIC),                \
        PLAIN(name, id, COL_INT2, COL_NUMERIC), PLAIN(name, id, COL_NUMERIC, COL_NUMERIC),         \
        PLAIN(name, id, COL_FLOAT4, COL_FLOAT8), PLAIN(name, id, COL_FLOAT8, COL_FLOAT8)
#define EXTREMES(name, id)                                                                         \
    INTEGERS(name, id), PLAIN(name, id, COL_OID, COL_OID),                                         \
        PLAIN(name, id, COL_FLOAT4, COL_FLOAT4), PLAIN(name, id, COL_FLOAT8, COL_FLOAT8),          \
        PLAIN(name, id, COL_NUMERIC, COL_NUMERIC), PLAIN(name, id, COL_DATE, COL_DATE),            \
        PLAIN(name, id, COL_TIME, COL_TIME), PLAIN(name, id, COL_TIMESTAMP, COL_TIMESTAMP),        \
        PLAIN(name, id, COL_TIMESTAMPTZ, COL_TIMESTAMPTZ),                                         \
        PLAIN(name, id, COL_INTERVAL, COL_INTERVAL), PLAIN(name, id, COL_TEXT, COL_TEXT),          \
        PLAIN(name, id, COL_ARRAY, COL_UNKNOWN)
#define PAIRS(name, id, ret)                                                                       \
    { name, id, 2, COL_FLOAT8, ret, COL_FLOAT8, PLAN_AGG_PLAIN }
#define HYPOTHETICAL(name, id, ret)                                                                \
    { name, id, 0, COL_UNKNOWN, ret, COL_UNKNOWN, PLAN_AGG_HYPOTHETICAL }

static const plan_agg_def agg_defs[] = {
    PLAIN("approx_count_distinct", PLAN_AGG_APPROX_COUNT_DISTINCT, COL_UNKNOWN, COL_INT8),
    {"approx_percentile", PLAN_AGG_APPROX_PERCENTILE, 2, COL_FLOAT8, COL_FLOAT8, COL_FLOAT8,
     PLAN_AGG_ORDERED_SET},
    {"approx_percentile", PLAN_AGG_APPROX_PERCENTILE, 3, COL_FLOAT8, COL_FLOAT8, COL_FLOAT8,
     PLAN_AGG_ORDERED_SET},
    {"approx_percentile", PLAN_AGG_APPROX_PERCENTILE, 2, FLOATS, COL_ARRAY, COL_FLOAT8,
     PLAN_AGG_ORDERED_SET},
    {"approx_percentile", PLAN_AGG_APPROX_PERCENTILE, 3, FLOATS, COL_ARRAY, COL_FLOAT8,
     PLAN_AGG_ORDERED_SET},
    {"array_agg", PLAN_AGG_ARRAY_AGG, 1, COL_UNKNOWN, COL_ARRAY, COL_UNKNOWN, PLAN_AGG_ORDERED},
    SPREAD("avg", PLAN_AGG_AVG),
    PLAIN("avg", PLAN_AGG_AVG, COL_INTERVAL, COL_INTERVAL),
    INTEGERS("bit_and", PLAN_AGG_BIT_AND),
    INTEGERS("bit_or", PLAN_AGG_BIT_OR),
    INTEGERS("bit_xor", PLAN_AGG_BIT_XOR),
    PLAIN("bool_and", PLAN_AGG_BOOL_AND, COL_BOOL, COL_BOOL),
    PLAIN("bool_or", PLAN_AGG_BOOL_OR, COL_BOOL, COL_BOOL),
    PAIRS("corr", PLAN_AGG_CORR, COL_FLOAT8),
    {"count", PLAN_AGG_COUNT_STAR, 0, COL_UNKNOWN, COL_INT8, COL_UNKNOWN, PLAN_AGG_PLAIN},
    PLAIN("count", PLAN_AGG_COUNT, COL_UNKNOWN, COL_INT8),
    PAIRS("covar_pop", PLAN_AGG_COVAR_POP, COL_FLOAT8),
    PAIRS("covar_samp", PLAN_AGG_COVAR_SAMP, COL_FLOAT8),
    HYPOTHETICAL("cume_dist", PLAN_AGG_CUME_DIST, COL_FLOAT8),
    HYPOTHETICAL("dense_rank", PLAN_AGG_DENSE_RANK, COL_INT8),
    PLAIN("every", PLAN_AGG_BOOL_AND, COL_BOOL, COL_BOOL),
    {"json_agg", PLAN_AGG_JSONB_AGG, 1, COL_UNKNOWN, COL_JSONB, COL_UNKNOWN, PLAN_AGG_ORDERED},
    {"json_object_agg", PLAN_AGG_JSONB_OBJECT_AGG, 2, COL_UNKNOWN, COL_JSONB, COL_UNKNOWN,
     PLAN_AGG_ORDERED},
    {"jsonb_agg", PLAN_AGG_JSONB_AGG, 1, COL_UNKNOWN, COL_JSONB, COL_UNKNOWN, PLAN_AGG_ORDERED},
    {"jsonb_object_agg", PLAN_AGG_JSONB_OBJECT_AGG, 2, COL_UNKNOWN, COL_JSONB, COL_UNKNOWN,
     PLAN_AGG_ORDERED},
    EXTREMES("max", PLAN_AGG_MAX),
    EXTREMES("min", PLAN_AGG_MIN),
    {"mode", PLAN_AGG_MODE, 1, COL_UNKNOWN, COL_UNKNOWN, COL_UNKNOWN, PLAN_AGG_ORDERED_SET},
    HYPOTHETICAL("percent_rank", PLAN_AGG_PERCENT_RANK, COL_FLOAT8),
    {"percentile_cont", PLAN_AGG_PERCENTILE_CONT, 2, COL_FLOAT8, COL_FLOAT8, COL_FLOAT8,
     PLAN_AGG_ORDERED_SET},
    {"percentile_cont", PLAN_AGG_PERCENTILE_CONT, 2, COL_FLOAT8, COL_INTERVAL, COL_INTERVAL,
     PLAN_AGG_ORDERED_SET},
    {"percentile_cont", PLAN_AGG_PERCENTILE_CONT, 2, FLOATS, COL_ARRAY, COL_FLOAT8,
     PLAN_AGG_ORDERED_SET},
    {"percentile_cont", PLAN_AGG_PERCENTILE_CONT, 2, FLOATS, COL_ARRAY, COL_INTERVAL,
     PLAN_AGG_ORDERED_SET},
    {"percentile_disc", PLAN_AGG_PERCENTILE_DISC, 2, COL_FLOAT8, COL_UNKNOWN, COL_UNKNOWN,
     PLAN_AGG_ORDERED_SET},
    {"percentile_disc", PLAN_AGG_PERCENTILE_DISC, 2, FLOATS, COL_ARRAY, COL_UNKNOWN,
     PLAN_AGG_ORDERED_SET},
    HYPOTHETICAL("rank", PLAN_AGG_RANK, COL_INT8),
    PAIRS("regr_avgx", PLAN_AGG_REGR_AVGX, COL_FLOAT8),
    PAIRS("regr_avgy", PLAN_AGG_REGR_AVGY, COL_FLOAT8),
    PAIRS("regr_count", PLAN_AGG_REGR_COUNT, COL_INT8),
    PAIRS("regr_intercept", PLAN_AGG_REGR_INTERCEPT, COL_FLOAT8),
    PAIRS("regr_r2", PLAN_AGG_REGR_R2, COL_FLOAT8),
    PAIRS("regr_slope", PLAN_AGG_REGR_SLOPE, COL_FLOAT8),
    PAIRS("regr_sxx", PLAN_AGG_REGR_SXX, COL_FLOAT8),
    PAIRS("regr_sxy", PLAN_AGG_REGR_SXY, COL_FLOAT8),
    PAIRS("regr_syy", PLAN_AGG_REGR_SYY, COL_FLOAT8),
    SPREAD("stddev", PLAN_AGG_STDDEV_SAMP),
    SPREAD("stddev_pop", PLAN_AGG_STDDEV_POP),
    SPREAD("stddev_samp", PLAN_AGG_STDDEV_SAMP),
    {"string_agg", PLAN_AGG_STRING_AGG, 2, COL_TEXT, COL_TEXT, COL_TEXT, PLAN_AGG_ORDERED},
    {"string_agg", PLAN_AGG_STRING_AGG, 2, COL_BYTEA, COL_BYTEA, COL_BYTEA, PLAN_AGG_ORDERED},
    PLAIN("sum", PLAN_AGG_SUM, COL_INT8, COL_NUMERIC),
    PLAIN("sum", PLAN_AGG_SUM, COL_INT4, COL_INT8),
    PLAIN("sum", PLAN_AGG_SUM, COL_INT2, COL_INT8),
    PLAIN("sum", PLAN_AGG_SUM, COL_NUMERIC, COL_NUMERIC),
    PLAIN("sum", PLAN_AGG_SUM, COL_FLOAT4, COL_FLOAT4),
    PLAIN("sum", PLAN_AGG_SUM, COL_FLOAT8, COL_FLOAT8),
    PLAIN("sum", PLAN_AGG_SUM, COL_INTERVAL, COL_INTERVAL),
    SPREAD("var_pop", PLAN_AGG_VAR_POP),
    SPREAD("var_samp", PLAN_AGG_VAR_SAMP),
    SPREAD("variance", PLAN_AGG_VAR_SAMP),
};

const plan_agg_def *plan_agg_at(size_t i) {
    return i < COUNT_OF(agg_defs) ? &agg_defs[i] : NULL;
}

bool plan_agg_ignores_repeats(plan_agg_id id) {
    return id == PLAN_AGG_MIN || id == PLAN_AGG_MAX || id == PLAN_AGG_BOOL_AND ||
           id == PLAN_AGG_BOOL_OR || id == PLAN_AGG_BIT_AND || id == PLAN_AGG_BIT_OR;
}

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

void plan_agg_each(const plan_agg *agg, void (*visit)(void *self, const plan_expr *expr),
                   void *self) {
    if (agg->arg != NULL) visit(self, agg->arg);
    if (agg->filter != NULL) visit(self, agg->filter);
    for (uint32_t i = 0; i < agg->nmore; i++) visit(self, agg->more[i]);
}

void plan_agg_map(base_arena *arena, plan_agg *agg,
                  const plan_expr *(*map)(void *self, const plan_expr *expr), void *self) {
    if (agg->arg != NULL) agg->arg = map(self, agg->arg);
    if (agg->filter != NULL) agg->filter = map(self, agg->filter);
    if (agg->nmore == 0) return;
    const plan_expr **more = base_arena_array(arena, const plan_expr *, agg->nmore);
    for (uint32_t i = 0; i < agg->nmore; i++) more[i] = map(self, agg->more[i]);
    agg->more = more;
}

bool plan_agg_any(const plan_agg *agg, bool (*test)(const plan_expr *expr, void *arg), void *arg) {
    if (plan_expr_any(agg->arg, test, arg) || plan_expr_any(agg->filter, test, arg)) return true;
    for (uint32_t i = 0; i < agg->nmore; i++)
        if (plan_expr_any(agg->more[i], test, arg)) return true;
    return false;
}

bool plan_agg_equal(const plan_agg *a, const plan_agg *b) {
    if (a->def != b->def || a->distinct != b->distinct || a->nmore != b->nmore ||
        a->nsort != b->nsort || !plan_expr_equal(a->arg, b->arg) ||
        !plan_expr_equal(a->filter, b->filter))
        return false;
    for (uint32_t i = 0; i < a->nmore; i++)
        if (!plan_expr_equal(a->more[i], b->more[i])) return false;
    for (uint32_t i = 0; i < a->nsort; i++)
        if (a->sort[i].expr != b->sort[i].expr || a->sort[i].descending != b->sort[i].descending ||
            a->sort[i].nulls_first != b->sort[i].nulls_first)
            return false;
    return true;
}
