// bind_agg.c - aggregates. While the expressions of a SELECT are bound, an aggregate call becomes a
// marker (column SQL_AGG_BASE + number); sql_aggregate then makes the plan: a projection that
// computes group keys and arguments, the aggregate, and the expressions rewritten over its output.
// What is left of the input in them is PostgreSQL's 42803. Entry points: sql_bind_agg_call,
// sql_aggregate.
#include "sql/subquery.h"

#include "base/must.h"

bool sql_agg_exists(const char *name) {
    const plan_agg_def *defs;
    size_t n = plan_agg_find(base_str_of(name), &defs);
    return n > 0 && defs[0].form != PLAN_AGG_HYPOTHETICAL; // those are window functions otherwise
}

static base_rc check_place(sql_binder *binder, int32_t position) {
    if (!binder->aggs_allowed)
        return sql_fail(binder->ctx, position, BASE_E_INVALID, BASE_SQLSTATE_GROUPING,
                        "aggregate functions are not allowed in %s",
                        binder->place == NULL ? "this place" : binder->place);
    return BASE_OK;
}

static bool uses_input(const plan_expr *expr, void *arg) {
    (void)arg;
    return expr->kind == PLAN_EXPR_COLUMN || expr->kind == PLAN_EXPR_SUBQUERY;
}

typedef struct outer_use {
    const sql_ctx *ctx;
    uint32_t subquery;
} outer_use;

static bool uses_outer(const plan_expr *expr, void *arg) {
    const outer_use *use = arg;
    return expr->kind == PLAN_EXPR_OUTER && use->ctx->outers[expr->index].subquery == use->subquery;
}

// The query that an aggregate is of: the innermost one whose columns its arguments use.
static sql_binder *agg_owner(sql_binder *binder, const plan_agg *agg) {
    if (plan_agg_any(agg, uses_input, NULL)) return binder;
    for (sql_binder *at = binder->outer; at != NULL; at = at->outer) {
        outer_use use = {binder->ctx, at->inner};
        if (plan_agg_any(agg, uses_outer, &use)) return at;
    }
    return binder;
}

// A parameter of the owner's sub-query as the column that it is there.
static const plan_expr *owned_leaf(base_arena *arena, const plan_expr *leaf, const void *arg) {
    const outer_use *use = arg;
    if (leaf->kind != PLAN_EXPR_OUTER || use->ctx->outers[leaf->index].subquery != use->subquery)
        return NULL;
    plan_expr *column = base_arena_new(arena, plan_expr);
    *column = *leaf;
    column->kind = PLAN_EXPR_COLUMN;
    column->index = use->ctx->outers[leaf->index].column;
    return column;
}

static const plan_expr *owned_expr(void *self, const plan_expr *expr) {
    const outer_use *use = self;
    return plan_expr_rewrite(use->ctx->arena, expr, owned_leaf, use);
}

// The number of an equal aggregate, or of a new one.
static uint32_t add_agg(sql_binder *binder, plan_agg agg, int32_t position) {
    for (uint32_t i = 0; i < binder->naggs; i++) {
        const plan_agg *have = &binder->aggs[i].agg;
        if (plan_agg_equal(have, &agg)) return i;
    }
    if (binder->naggs == binder->aggs_cap) {
        uint32_t cap = binder->aggs_cap == 0 ? 8 : binder->aggs_cap * 2;
        sql_query_agg *more = base_arena_array(binder->ctx->arena, sql_query_agg, cap);
        if (binder->naggs > 0) memcpy(more, binder->aggs, binder->naggs * sizeof *more);
        binder->aggs = more;
        binder->aggs_cap = cap;
    }
    binder->aggs[binder->naggs] = (sql_query_agg){agg, position};
    return binder->naggs++;
}

base_rc sql_bind_agg_call(sql_binder *binder, const char *name, const sql_tree *body,
                          const plan_expr **out) {
    sql_ctx *ctx = binder->ctx;
    int32_t position = sql_tree_position(ctx, body);
    if (binder->in_agg)
        return sql_fail(ctx, position, BASE_E_INVALID, BASE_SQLSTATE_GROUPING,
                        "aggregate function calls cannot be nested");
    plan_agg agg;
    bool in_over = binder->in_over;
    binder->in_over = false;
    SQL_TRY(sql_agg_arguments(binder, name, body, position, &agg));
    binder->in_over = in_over;
    sql_binder *owner = agg_owner(binder, &agg);
    SQL_TRY(check_place(owner, position));
    if (owner != binder) {
        plan_agg_map(ctx->arena, &agg, owned_expr, &(outer_use){ctx, owner->inner});
        *out = sql_outer_column(owner, SQL_AGG_BASE + add_agg(owner, agg, position), agg.type,
                                position);
        return BASE_OK;
    }
    plan_expr *marker = sql_expr(ctx, PLAN_EXPR_COLUMN, agg.type, 0, position);
    marker->index = SQL_AGG_BASE + add_agg(binder, agg, position);
    *out = marker;
    return BASE_OK;
}

// ---- the plan --------------------------------------------------------------------------------

typedef struct grouping {
    sql_binder *binder;
    const sql_exprs *group;
    bool in_subquery; // in what a sub-query uses of this query
    base_rc rc;
} grouping;

static const plan_expr *ungrouped(grouping *g, const plan_expr *column) {
    sql_ctx *ctx = g->binder->ctx;
    const sql_scope *scope = &g->binder->scope;
    const char *rel = NULL, *name = "?";
    for (uint32_t i = 0; i < scope->ncolumns; i++) {
        if (scope->columns[i].index != column->index) continue;
        name = scope->columns[i].name;
        rel = scope->rels[scope->columns[i].rel].name;
    }
    g->rc =
        sql_fail(ctx, column->position, BASE_E_INVALID, BASE_SQLSTATE_GROUPING,
                 g->in_subquery ? "subquery uses ungrouped column \"%s%s%s\" from outer query"
                                : "column \"%s%s%s\" must appear in the GROUP BY clause or be used "
                                  "in an aggregate function",
                 rel == NULL ? "" : rel, rel == NULL ? "" : ".", name);
    return column;
}

static const plan_expr *regroup(grouping *g, const plan_expr *expr);

static const plan_expr *regroup_used(void *arg, const plan_expr *column) {
    grouping *g = arg;
    bool before = g->in_subquery;
    g->in_subquery = true;
    const plan_expr *moved = regroup(g, column);
    g->in_subquery = before;
    return moved;
}

// expr over the input -> over the aggregate's output.
static const plan_expr *regroup(grouping *g, const plan_expr *expr) {
    sql_ctx *ctx = g->binder->ctx;
    if (g->rc != BASE_OK) return expr;
    for (uint32_t i = 0; i < g->group->n; i++) {
        if (!plan_expr_equal(expr, g->group->items[i])) continue;
        plan_expr *column = sql_expr(ctx, PLAN_EXPR_COLUMN, expr->type, 0, expr->position);
        column->index = i;
        return column;
    }
    if (expr->kind == PLAN_EXPR_COLUMN) {
        if (expr->index < SQL_AGG_BASE) return ungrouped(g, expr);
        if (expr->index >= SQL_OVER_BASE) return expr;
        plan_expr *column = sql_expr(ctx, PLAN_EXPR_COLUMN, expr->type, 0, expr->position);
        uint32_t constants = sql_expand_constants(g->binder);
        column->index = expr->index >= SQL_GROUPING_BASE
                            ? g->group->n + 1 + (expr->index - SQL_GROUPING_BASE)
                            : g->group->n + constants + (expr->index - SQL_AGG_BASE);
        return column;
    }
    if (expr->kind == PLAN_EXPR_SUBQUERY) expr = sql_subquery_move(ctx, expr, regroup_used, g);
    if (expr->nargs == 0) return expr;
    plan_expr *copy = sql_expr(ctx, expr->kind, expr->type, expr->nargs, expr->position);
    copy->index = expr->index;
    copy->func = expr->func;
    for (uint32_t i = 0; i < expr->nargs; i++) copy->args[i] = regroup(g, expr->args[i]);
    return copy;
}

typedef struct placing {
    sql_ctx *ctx;
    sql_exprs *columns;
    uint32_t first; // columns before it are not to be shared
} placing;

// Column of the pre-projection for an expression.
static const plan_expr *placed(const placing *where, const plan_expr *expr) {
    sql_exprs *columns = where->columns;
    uint32_t i = where->first;
    while (i < columns->n && !plan_expr_equal(columns->items[i], expr)) i++;
    if (i == columns->n) sql_exprs_add(where->ctx, columns, expr);
    plan_expr *column = sql_expr(where->ctx, PLAN_EXPR_COLUMN, expr->type, 0, expr->position);
    column->index = i;
    return column;
}

// Constants stay where they are: some arguments must be known before any row is.
static const plan_expr *place(void *self, const plan_expr *expr) {
    const placing *p = self;
    if (expr->kind == PLAN_EXPR_CONST || expr->kind == PLAN_EXPR_PARAM) return expr;
    return placed(p, expr);
}

static bool in_every_set(const grouping *g, uint32_t item) {
    const sql_grouping_sets *sets = g->binder->grouping_sets;
    for (uint32_t s = 0; sets != NULL && s < sets->n; s++)
        if (item >= 64 || (sets->masks[s] >> item & 1) == 0) return false;
    return true;
}

// Whether the key of the column's stream or table is grouped by, so that a group has one value of
// it.
static bool key_is_grouped(const grouping *g, const sql_scope_column *column) {
    const sql_scope *scope = &g->binder->scope;
    const plan_object *object = scope->rels[column->rel].object;
    if (object == NULL || object->nkey == 0) return false;
    int32_t ordinal = plan_column_find(object, column->column->name);
    if (ordinal < 0) return false;
    for (uint32_t k = 0; k < object->nkey; k++) {
        uint32_t index = column->index - (uint32_t)ordinal + object->key[k];
        uint32_t i = 0;
        while (i < g->group->n &&
               (!in_every_set(g, i) || g->group->items[i]->kind != PLAN_EXPR_COLUMN ||
                g->group->items[i]->index != index))
            i++;
        if (i == g->group->n) return false;
    }
    return true;
}

static void group_dependent(grouping *g, sql_exprs *group, const plan_expr *expr);

typedef struct dependent_columns {
    grouping *g;
    sql_exprs *group;
} dependent_columns;

static void group_used(void *arg, const plan_expr *column) {
    const dependent_columns *columns = arg;
    group_dependent(columns->g, columns->group, column);
}

// Columns that follow from a grouped key are grouped by too, which makes no other groups.
static void group_dependent(grouping *g, sql_exprs *group, const plan_expr *expr) {
    for (uint32_t i = 0; i < group->n; i++)
        if (plan_expr_equal(expr, group->items[i])) return;
    const sql_scope *scope = &g->binder->scope;
    for (uint32_t i = 0; expr->kind == PLAN_EXPR_COLUMN && i < scope->ncolumns; i++) {
        if (scope->columns[i].index != expr->index || !key_is_grouped(g, &scope->columns[i]))
            continue;
        sql_grouping_sets *sets = g->binder->grouping_sets;
        if (sets != NULL && group->n >= PLAN_EXPAND_KEYS_MAX) return;
        for (uint32_t k = 0; sets != NULL && k < sets->n; k++)
            sets->masks[k] |= (uint64_t)1 << group->n;
        sql_exprs_add(g->binder->ctx, group, expr);
        return;
    }
    if (expr->kind == PLAN_EXPR_SUBQUERY)
        sql_subquery_columns(g->binder->ctx, expr, group_used, &(dependent_columns){g, group});
    for (uint32_t i = 0; i < expr->nargs; i++) group_dependent(g, group, expr->args[i]);
}

base_rc sql_aggregate(sql_binder *binder, sql_exprs *group, sql_exprs *targets,
                      const plan_expr **having, plan_node **node) {
    sql_ctx *ctx = binder->ctx;
    grouping g = {.binder = binder, .group = group, .rc = BASE_OK};
    for (uint32_t i = 0; i < targets->n; i++) group_dependent(&g, group, targets->items[i]);
    if (*having != NULL) group_dependent(&g, group, *having);
    for (uint32_t i = 0; i < targets->n; i++) targets->items[i] = regroup(&g, targets->items[i]);
    if (*having != NULL) *having = regroup(&g, *having);
    SQL_TRY(g.rc);

    // Under EXPAND group expressions become null, which arguments must not: each has its own
    // column.
    uint32_t constants = sql_expand_constants(binder), ngroup = group->n + constants;
    sql_exprs columns = {0};
    placing where = {ctx, &columns, constants > 0 ? group->n : 0};
    plan_node *aggregate =
        sql_node(ctx, PLAN_NODE_AGGREGATE, ngroup + binder->naggs, 1, NULL, NULL);
    aggregate->nexprs = ngroup;
    aggregate->exprs = base_arena_array(ctx->arena, const plan_expr *, ngroup);
    for (uint32_t i = 0; constants > 0 && i < group->n; i++)
        sql_exprs_add(ctx, &columns, group->items[i]);
    for (uint32_t i = 0; i < group->n; i++)
        aggregate->exprs[i] = constants > 0 ? NULL : placed(&where, group->items[i]);
    plan_agg *aggs = base_arena_array(ctx->arena, plan_agg, binder->naggs);
    for (uint32_t i = 0; i < binder->naggs; i++) {
        aggs[i] = binder->aggs[i].agg;
        sql_agg_guard(ctx, &aggs[i]);
        plan_agg_map(ctx->arena, &aggs[i], place, &where);
    }
    aggregate->naggs = binder->naggs;
    aggregate->aggs = aggs;
    SQL_TRY(sql_place(ctx, &binder->from, columns.items, columns.n));
    plan_node *input = binder->from;
    // count(*) alone needs no column; a projection of none would lose nothing but is odd.
    if (columns.n > 0) input = sql_node_project(ctx, input, columns.n, columns.items, NULL);
    if (constants > 0) {
        uint32_t first = input->ncolumns;
        SQL_TRY(sql_expand(binder, group, input, &input));
        for (uint32_t i = 0; i < ngroup; i++)
            aggregate->exprs[i] =
                sql_column_of(ctx, input, i < group->n ? i : first + i - group->n);
        aggregate->expand = input->expand;
    }
    aggregate->inputs[0] = input;
    for (uint32_t i = 0; i < aggregate->ncolumns; i++) {
        bool is_group = i < ngroup;
        const char *name =
            is_group ? input->columns[aggregate->exprs[i]->index].name : aggs[i - ngroup].def->name;
        sql_columns(aggregate)[i] = (plan_column){
            .name = name, .type = is_group ? aggregate->exprs[i]->type : aggs[i - ngroup].type};
    }
    *node = aggregate;
    return BASE_OK;
}
