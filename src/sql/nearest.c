// nearest.c - sub-queries that are the nearest row of another table, found to be as-of joins: a
// correlated
//     SELECT ... FROM r WHERE r.key = l.key AND r.time <= l.time ORDER BY r.time DESC LIMIT 1
// or SELECT max(r.time) without the order, with =s and one inequality of the time that is ordered
// by first, the other way round with min and ASC. Unnested otherwise, they would join each row with
// all rows on its side of the inequality. Entry point: sql_nearest_row.
#include "sql/join_int.h"
#include "sql/subquery.h"

#include "plan/agg.h"

// The query taken apart.
typedef struct nearest {
    sql_dependent *d;
    const plan_node *query;
    const plan_expr **exprs; // the query's columns: over flat's node and parameters
    sql_flat flat;
    const plan_expr *time; // likewise, without parameters
    bool last;             // the greatest time is wanted
    bool aggregate;
    sql_asof_parts parts;
} nearest;

#define TIES_MAX 4u // their encodings must fit where the operator keeps them

static bool is_limit_one(const plan_node *node) {
    if (node->kind != PLAN_NODE_SORT || node->nsort == 0 || node->nsort > TIES_MAX + 1 ||
        node->limit != 1 || node->offset != 0 || node->limit_param != NULL ||
        node->offset_param != NULL)
        return false;
    for (uint32_t i = 1; i < node->nsort; i++)
        if (node->sort[i].nulls_first != node->sort[i].descending) return false;
    return true;
}

// The order of rows of one time.
static bool take_ties(nearest *n, const plan_node *sort) {
    sql_ctx *ctx = n->d->ctx;
    bool *descending = base_arena_array(ctx->arena, bool, sort->nsort);
    for (uint32_t i = 1; i < sort->nsort; i++) {
        const plan_expr *tie = n->flat.exprs[sort->sort[i].column];
        if (sql_expr_depends(n->d, tie) || !sql_can_order(tie->type.kind)) return false;
        descending[i - 1] = sort->sort[i].descending;
        sql_exprs_add(ctx, &n->parts.ties, tie);
    }
    n->parts.descending = descending;
    return true;
}

// Of values that are equal and look different, max and min show a certain one.
static bool is_extreme(const plan_node *node) {
    if (node->kind != PLAN_NODE_AGGREGATE || node->nexprs != 0 || node->naggs != 1 ||
        node->expand != NULL)
        return false;
    const plan_agg *agg = &node->aggs[0];
    return (agg->def->id == PLAN_AGG_MAX || agg->def->id == PLAN_AGG_MIN) && agg->filter == NULL &&
           agg->arg->type.kind == agg->type.kind && agg->type.kind != COL_NUMERIC;
}

static bool replace_columns(nearest *n, const plan_expr *const *by) {
    for (uint32_t i = 0; i < n->query->ncolumns; i++) {
        n->exprs[i] = plan_expr_substitute(n->d->ctx->arena, n->exprs[i], by);
        if (sql_expr_size(n->exprs[i], SQL_PUSHED_MAX) == SQL_PUSHED_MAX) return false;
    }
    return true;
}

// Through projections to the order or the aggregate, and what is below flattened.
static bool take_apart(nearest *n) {
    sql_ctx *ctx = n->d->ctx;
    const plan_node *at = n->query;
    n->exprs = base_arena_array(ctx->arena, const plan_expr *, at->ncolumns + 1u);
    for (uint32_t i = 0; i < at->ncolumns; i++) n->exprs[i] = sql_column_of(ctx, at, i);
    for (; at->kind == PLAN_NODE_PROJECT; at = at->inputs[0])
        if (!replace_columns(n, at->exprs)) return false;
    n->aggregate = is_extreme(at);
    if (!n->aggregate && !is_limit_one(at)) return false;
    if (!sql_flatten(n->d, at->inputs[0], &n->flat)) return false;
    if (n->aggregate) {
        n->last = at->aggs[0].def->id == PLAN_AGG_MAX;
        n->time = plan_expr_substitute(ctx->arena, at->aggs[0].arg, n->flat.exprs);
        return replace_columns(n, &n->time);
    }
    n->last = at->sort[0].descending;
    n->time = n->flat.exprs[at->sort[0].column];
    return take_ties(n, at) && replace_columns(n, n->flat.exprs);
}

// Parameters of this sub-query only, over a left side that has none: what depends on queries
// further out is unnested in its own turn, to which an as-of join would be in the way.
static bool is_free(const nearest *n) {
    sql_ctx *ctx = n->d->ctx;
    bool *used = base_arena_array(ctx->arena, bool, ctx->nouters + 1u);
    sql_params_used(n->query, used);
    for (uint32_t k = 0; k < ctx->nouters; k++)
        if (used[k] && ctx->outers[k].subquery != n->d->subquery) return false;
    memset(used, 0, ctx->nouters * sizeof *used);
    sql_params_used(n->d->left, used);
    for (uint32_t k = 0; k < n->d->nparams; k++) {
        const plan_expr *arg = n->d->args[n->d->params[k]];
        if (arg == NULL || sql_has_subquery(arg) || plan_expr_any(arg, sql_is_outer, NULL))
            return false;
    }
    return memchr(used, true, ctx->nouters) == NULL;
}

static bool add_key(nearest *n, const plan_expr *outer, const plan_expr *inner) {
    sql_ctx *ctx = n->d->ctx;
    const plan_expr *pair[2] = {sql_dependent_expr(n->d, outer, NULL), inner};
    if (!sql_of_one_kind(ctx, pair)) return false;
    sql_exprs_add(ctx, &n->parts.left_keys, pair[0]);
    sql_exprs_add(ctx, &n->parts.right_keys, pair[1]);
    return true;
}

// time op parameters, either way round, towards the end that is wanted.
static bool add_inequality(nearest *n, const plan_expr *expr) {
    static const char *const names[] = {">=", ">", "<=", "<"};
    static const plan_asof swapped[] = {PLAN_ASOF_LE, PLAN_ASOF_LT, PLAN_ASOF_GE, PLAN_ASOF_GT};
    uint32_t op = 0;
    if (expr->kind != PLAN_EXPR_CALL || expr->nargs != 2 || n->parts.left_time != NULL)
        return false;
    while (op < 4 && strcmp(expr->func->name, names[op]) != 0) op++;
    for (int side = 0; side < 2 && op < 4; side++) { // outer op inner, as the left side has it
        const plan_expr *outer = expr->args[side], *inner = expr->args[1 - side];
        if (!sql_is_own_value(n->d, outer) || !plan_expr_equal(inner, n->time)) continue;
        n->parts.asof = side == 0 ? (plan_asof)op : swapped[op];
        bool before = n->parts.asof == PLAN_ASOF_GE || n->parts.asof == PLAN_ASOF_GT;
        n->parts.left_time = sql_dependent_expr(n->d, outer, NULL);
        n->parts.right_time = inner;
        return before == n->last && n->parts.left_time->type.kind == inner->type.kind;
    }
    return false;
}

static bool sort_conditions(nearest *n) {
    for (uint32_t i = 0; i < n->flat.conditions.n; i++) {
        const plan_expr *expr = n->flat.conditions.items[i], *outer, *inner;
        if (!sql_expr_depends(n->d, expr)) {
            sql_exprs_add(n->d->ctx, &n->parts.right, expr);
        } else if (sql_is_binding(n->d, expr, &outer, &inner)) {
            if (!add_key(n, outer, inner)) return false;
        } else if (!add_inequality(n, expr)) {
            return false;
        }
    }
    return n->parts.left_time != NULL;
}

static const plan_expr *where_found(sql_ctx *ctx, const plan_expr *time, const plan_expr *value) {
    plan_expr *found = sql_expr(ctx, PLAN_EXPR_IS_NOT_NULL, col_type_of(COL_BOOL), 1, 0);
    plan_expr *choice = sql_expr(ctx, PLAN_EXPR_CASE, value->type, 3, 0);
    found->args[0] = time;
    choice->args[0] = found;
    choice->args[1] = value;
    choice->args[2] = plan_expr_null(ctx->arena, value->type);
    return choice;
}

const plan_expr **sql_nearest_row(sql_dependent *d, const plan_node *query, plan_join_kind kind,
                                  plan_node **node) {
    sql_ctx *ctx = d->ctx;
    nearest n = {.d = d, .query = query};
    if (!sql_depends(d, query) || !take_apart(&n)) return NULL;
    if (sql_expr_depends(d, n.time) || !sql_uses_columns(n.time) ||
        !sql_can_order(n.time->type.kind) || !is_free(&n) || !sort_conditions(&n))
        return NULL;
    // An aggregate of nothing is a row, too.
    if (n.aggregate) kind = PLAN_JOIN_LEFT;
    uint32_t first = (*node)->ncolumns, ncolumns = n.flat.node->ncolumns;
    *node = sql_make_asof(ctx, kind, *node, n.flat.node, &n.parts);
    const plan_expr **map = base_arena_array(ctx->arena, const plan_expr *, ncolumns + 1u);
    for (uint32_t i = 0; i < ncolumns; i++) map[i] = sql_column_of(ctx, *node, first + i);
    const plan_expr *time = sql_dependent_expr(d, n.time, map);
    for (uint32_t i = 0; i < query->ncolumns; i++) {
        bool plain = n.exprs[i]->kind == PLAN_EXPR_COLUMN || n.aggregate;
        n.exprs[i] = sql_dependent_expr(d, n.exprs[i], map);
        if (kind == PLAN_JOIN_LEFT && !plain) n.exprs[i] = where_found(ctx, time, n.exprs[i]);
    }
    return n.exprs;
}
