// bind_set.c - set-returning functions in a select list: SELECT id, unnest(tags) FROM t. All of one
// list run side by side over each row of what the query has then (after GROUP BY and window
// functions, before DISTINCT, ORDER BY and LIMIT), the shorter padded with nulls; a row for which
// all give nothing is gone. A call is a marker (column SQL_SET_BASE + number) until that node is
// made. Entry points: sql_bind_set_call, sql_sets_build.
#include "sql/sql_int.h"

#include "base/must.h"

#define SETS_MAX  32u // of one select list
#define NAMED_MAX 32  // signatures of one name

struct sql_query_set {
    const col_set_func *func;
    uint32_t nargs;
    const plan_expr **args;
    col_type type;
};

static bool is_set_marker(const plan_expr *expr, void *arg) {
    (void)arg;
    return expr->kind == PLAN_EXPR_COLUMN && expr->index >= SQL_SET_BASE;
}

base_rc sql_bind_set_call(sql_binder *binder, const char *name, uint32_t nargs,
                          const plan_expr **args, int32_t position, const plan_expr **out) {
    sql_ctx *ctx = binder->ctx;
    const char *place = binder->place == NULL ? "this place" : binder->place;
    if (binder->in_agg) place = "aggregates";
    if (strcmp(place, "SELECT") == 0 && !binder->overs_allowed) place = "window functions";
    if (strcmp(place, "SELECT") != 0)
        return sql_unsupported(ctx, position, "set-returning functions are not allowed in %s",
                               place);
    for (uint32_t i = 0; i < nargs; i++)
        if (plan_expr_any(args[i], is_set_marker, NULL))
            return sql_unsupported(ctx, position,
                                   "a set-returning function in the arguments of another is not "
                                   "supported; put it in FROM");
    const col_func *named[NAMED_MAX], *chosen;
    size_t n = col_set_find(base_str_of(name), named, NAMED_MAX);
    struct sql_query_set set = {.nargs = nargs, .args = args};
    SQL_TRY(sql_choose(ctx, name, n, named, nargs, args, position, &chosen, &set.type));
    set.func = col_set_of(chosen);
    if (set.func->ncols != 1)
        return sql_unsupported(ctx, position,
                               "%s() in a select list is not supported: it gives rows of several "
                               "columns; put it in FROM",
                               name);
    if (set.func->cols[0].kind != COL_UNKNOWN) set.type = col_type_of(set.func->cols[0].kind);
    if (binder->sets == NULL)
        binder->sets = base_arena_array(ctx->arena, struct sql_query_set, SETS_MAX);
    if (binder->nsets == SETS_MAX)
        return sql_fail(ctx, position, BASE_E_LIMIT, "54011",
                        "a select list can have at most %u set-returning functions", SETS_MAX);
    plan_expr *marker = sql_expr(ctx, PLAN_EXPR_COLUMN, set.type, 0, position);
    marker->index = SQL_SET_BASE + binder->nsets;
    binder->sets[binder->nsets++] = set;
    *out = marker;
    return BASE_OK;
}

void sql_sets_put(sql_binder *binder, sql_exprs *list) {
    for (uint32_t i = 0; i < binder->nsets; i++)
        for (uint32_t a = 0; a < binder->sets[i].nargs; a++)
            sql_exprs_add(binder->ctx, list, binder->sets[i].args[a]);
}

base_rc sql_sets_refuse(sql_ctx *ctx, const sql_exprs *list, uint32_t first, const char *what) {
    for (uint32_t i = first; i < list->n; i++)
        if (list->items[i] != NULL && plan_expr_any(list->items[i], is_set_marker, NULL))
            return sql_unsupported(ctx, list->items[i]->position,
                                   "set-returning functions are not allowed in %s", what);
    return BASE_OK;
}

static const plan_expr *place_marker(base_arena *arena, const plan_expr *leaf, const void *arg) {
    if (!is_set_marker(leaf, NULL)) return NULL;
    return plan_expr_column(arena, *(const uint32_t *)arg + (leaf->index - SQL_SET_BASE),
                            leaf->type);
}

void sql_sets_build(sql_binder *binder, sql_exprs *list, uint32_t first, plan_node **node) {
    sql_ctx *ctx = binder->ctx;
    const plan_node *input = *node;
    uint32_t n = input->ncolumns, at = first;
    plan_node *sets = sql_node(ctx, PLAN_NODE_TABLE_FUNC, n + binder->nsets, 1, input, NULL);
    memcpy(sql_columns(sets), input->columns, n * sizeof(plan_column));
    plan_table_func *funcs = base_arena_array(ctx->arena, plan_table_func, binder->nsets);
    sets->exprs = base_arena_array(ctx->arena, const plan_expr *, list->n - first);
    for (uint32_t i = 0; i < binder->nsets; i++) {
        const struct sql_query_set *set = &binder->sets[i];
        funcs[i] = (plan_table_func){set->func, set->nargs, 1};
        sql_columns(sets)[n + i] = (plan_column){.name = set->func->sig.name, .type = set->type};
        for (uint32_t a = 0; a < set->nargs; a++) sets->exprs[sets->nexprs++] = list->items[at++];
    }
    must(at == list->n);
    sets->nfuncs = binder->nsets;
    sets->funcs = funcs;
    sets->join = PLAN_JOIN_INNER;
    list->n = first;
    for (uint32_t i = 0; i < first; i++)
        list->items[i] = plan_expr_rewrite(ctx->arena, list->items[i], place_marker, &n);
    *node = sets;
}
