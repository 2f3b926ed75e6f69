// optimise.c - the few rewrites that matter to every query: conditions go down to the side they are
// about (push_join.c: through joins, where equalities become keys), scans read only columns in use,
// neighbouring projections become one. All are by rule, so the same text gives the same plan. Entry
// point: sql_optimise.
#include "plan/match.h"
#include "sql/sql_int.h"

#include "base/must.h"
#include "plan/over.h"

// ---- pushing conditions down -----------------------------------------------------------------

typedef struct column_range {
    uint32_t begin, end;
} column_range;

static bool outside(const plan_expr *expr, void *arg) {
    const column_range *range = arg;
    return expr->kind == PLAN_EXPR_COLUMN &&
           (expr->index < range->begin || expr->index >= range->end);
}

bool sql_within(const plan_expr *expr, uint32_t begin, uint32_t end) {
    column_range range = {begin, end};
    return !plan_expr_any(expr, outside, &range);
}

static bool is_column(const plan_expr *expr, void *arg) {
    (void)arg;
    return expr->kind == PLAN_EXPR_COLUMN;
}

bool sql_uses_columns(const plan_expr *expr) {
    return plan_expr_any(expr, is_column, NULL);
}

plan_node *sql_with_filter(sql_ctx *ctx, plan_node *node, const sql_exprs *conditions) {
    return conditions->n == 0 ? node : sql_node_filter(ctx, node, sql_conjunction(ctx, conditions));
}

// A marker of a joined row, over what makes it.
static bool is_always_true(const plan_expr *expr) {
    return expr->kind == PLAN_EXPR_IS_NOT_NULL && expr->args[0]->kind == PLAN_EXPR_CONST &&
           !sql_const_is_null(expr->args[0]);
}

static plan_node *push_project(sql_ctx *ctx, const plan_node *node, sql_exprs *conditions) {
    sql_exprs below = {0}, above = {0};
    for (uint32_t i = 0; i < conditions->n; i++) {
        const plan_expr *pushed =
            plan_expr_substitute(ctx->arena, conditions->items[i], node->exprs);
        if (is_always_true(pushed)) continue;
        // What a column stands for is written out at each use; through many projections that could
        // double at each.
        bool down = sql_expr_size(pushed, SQL_PUSHED_MAX) < SQL_PUSHED_MAX &&
                    !plan_expr_is_volatile(pushed);
        sql_exprs_add(ctx, down ? &below : &above, down ? pushed : conditions->items[i]);
    }
    plan_node *copy = sql_node_copy(ctx, node);
    copy->inputs[0] = sql_push_filters(ctx, node->inputs[0], &below);
    return sql_with_filter(ctx, copy, &above);
}

static plan_node *push_filter(sql_ctx *ctx, const plan_node *node, sql_exprs *conditions) {
    sql_exprs all = {0};
    sql_conjuncts(ctx, node->predicate, &all);
    for (uint32_t i = 0; i < conditions->n; i++) sql_exprs_add(ctx, &all, conditions->items[i]);
    return sql_push_filters(ctx, node->inputs[0], &all);
}

// Conditions on the first `n` columns only go below; with map, rewritten by it.
static plan_node *push_some(sql_ctx *ctx, const plan_node *node, sql_exprs *conditions, uint32_t n,
                            const plan_expr *const *map) {
    sql_exprs below = {0}, above = {0};
    for (uint32_t i = 0; i < conditions->n; i++) {
        const plan_expr *expr = conditions->items[i];
        bool down =
            sql_within(expr, 0, n) && sql_uses_columns(expr) && !plan_expr_is_volatile(expr);
        if (down && map != NULL) {
            const plan_expr *pushed = plan_expr_substitute(ctx->arena, expr, map);
            down = !plan_expr_is_volatile(pushed);
            if (down) expr = pushed;
        }
        sql_exprs_add(ctx, down ? &below : &above, expr);
    }
    plan_node *copy = sql_node_copy(ctx, node);
    copy->inputs[0] = sql_push_filters(ctx, node->inputs[0], &below);
    return sql_with_filter(ctx, copy, &above);
}

static plan_node *push_window(sql_ctx *ctx, const plan_node *node, sql_exprs *conditions) {
    return push_some(ctx, node, conditions, node->inputs[0]->ncolumns, NULL);
}
static plan_node *push_aggregate(sql_ctx *ctx, const plan_node *node, sql_exprs *conditions) {
    bool always = false; // a group that is there without rows cannot be kept away by fewer rows
    for (uint32_t s = 0; node->expand != NULL && s < node->expand->nsets; s++)
        always |= !plan_expand_keeps(node->expand, s);
    return push_some(ctx, node, conditions, always ? 0 : node->nexprs, node->exprs);
}
static plan_node *push_distinct(sql_ctx *ctx, const plan_node *node, sql_exprs *conditions) {
    return push_some(ctx, node, conditions, node->ncolumns, NULL);
}
// LIMIT without an order ends a recursion that would go on.
static void limit_recursion(const plan_node *input, int64_t rows) {
    while (input->kind == PLAN_NODE_PROJECT) input = input->inputs[0];
    if (input->kind == PLAN_NODE_RECURSIVE) ((plan_node *)(uintptr_t)input)->limit = rows;
}

// Rows of other partitions do not matter to a session; rows of its own do.
static plan_node *push_session(sql_ctx *ctx, const plan_node *node, sql_exprs *conditions) {
    const plan_window *w = node->window;
    bool *used = base_arena_array(ctx->arena, bool, node->ncolumns);
    sql_exprs below = {0}, above = {0};
    for (uint32_t i = 0; i < conditions->n; i++) {
        memset(used, 0, node->ncolumns * sizeof *used);
        plan_expr_columns(conditions->items[i], used);
        for (uint32_t k = 0; k < w->npartition; k++) used[w->partition[k]] = false;
        bool others = memchr(used, true, node->ncolumns) != NULL;
        sql_exprs_add(ctx, others ? &above : &below, conditions->items[i]);
    }
    plan_node *copy = sql_node_copy(ctx, node);
    copy->inputs[0] = sql_push_filters(ctx, node->inputs[0], &below);
    return sql_with_filter(ctx, copy, &above);
}

// What a view shows of closed windows is not known of its rows: nothing goes below.
static plan_node *push_emit(sql_ctx *ctx, const plan_node *node, sql_exprs *conditions) {
    return push_some(ctx, node, conditions, 0, NULL);
}
static plan_node *push_sort(sql_ctx *ctx, const plan_node *node, sql_exprs *conditions) {
    bool limited = node->limit >= 0 || node->offset > 0 || node->limit_param != NULL ||
                   node->offset_param != NULL;
    plan_node *pushed = push_some(ctx, node, conditions, limited ? 0 : node->ncolumns, NULL);
    const plan_node *sort = pushed->kind == PLAN_NODE_FILTER ? pushed->inputs[0] : pushed;
    bool known = node->limit_param == NULL && node->offset_param == NULL;
    if (node->nsort == 0 && node->limit >= 0 && node->limit < INT32_MAX && known)
        limit_recursion(sort->inputs[0], node->limit + node->offset);
    return pushed;
}

static plan_node *push_union(sql_ctx *ctx, const plan_node *node, sql_exprs *conditions) {
    plan_node *copy = sql_node_copy(ctx, node);
    for (uint32_t i = 0; i < node->ninputs; i++) {
        sql_exprs own = {0};
        for (uint32_t k = 0; k < conditions->n; k++) sql_exprs_add(ctx, &own, conditions->items[k]);
        copy->inputs[i] = sql_push_filters(ctx, node->inputs[i], &own);
    }
    return copy;
}

static plan_node *push_leaf(sql_ctx *ctx, const plan_node *node, sql_exprs *conditions) {
    return sql_with_filter(ctx, sql_node_copy(ctx, node), conditions);
}

// What is asked of whole partitions, their matches need not be found for others.
static plan_node *push_match(sql_ctx *ctx, const plan_node *node, sql_exprs *conditions) {
    uint32_t n = 0;
    const plan_match *match = node->match;
    const plan_expr **columns = base_arena_array(ctx->arena, const plan_expr *, node->ncolumns);
    for (; n < node->ncolumns && n < match->npartition; n++) {
        const plan_expr *output = match->outputs[n];
        if (output->kind != PLAN_EXPR_COLUMN) break;
        const plan_match_slot *slot = &match->slots[output->index];
        bool key = false;
        for (uint32_t k = 0; k < match->npartition; k++) key |= match->partition[k] == slot->column;
        if (slot->kind != PLAN_MATCH_ROW || !key) break;
        columns[n] = sql_column_of(ctx, node->inputs[0], slot->column);
    }
    return push_some(ctx, node, conditions, n, columns);
}

static plan_node *push_recursive(sql_ctx *ctx, const plan_node *node, sql_exprs *conditions) {
    plan_node *copy = sql_node_copy(ctx, node);
    for (uint32_t i = 0; i < node->ninputs; i++) {
        sql_exprs none = {0};
        copy->inputs[i] = sql_push_filters(ctx, node->inputs[i], &none);
    }
    return sql_with_filter(ctx, copy, conditions);
}

static plan_node *push_table_func(sql_ctx *ctx, const plan_node *node, sql_exprs *conditions) {
    return push_some(ctx, node, conditions, node->inputs[0]->ncolumns, NULL);
}

// A condition on a key holds for the rows of some sets only.
static plan_node *push_expand(sql_ctx *ctx, const plan_node *node, sql_exprs *conditions) {
    return push_some(ctx, node, conditions, 0, NULL);
}

static plan_node *(*const pushers[])(sql_ctx *, const plan_node *, sql_exprs *) = {
    [PLAN_NODE_SCAN] = push_leaf,           [PLAN_NODE_VALUES] = push_leaf,
    [PLAN_NODE_FILTER] = push_filter,       [PLAN_NODE_PROJECT] = push_project,
    [PLAN_NODE_WINDOW] = push_window,       [PLAN_NODE_AGGREGATE] = push_aggregate,
    [PLAN_NODE_JOIN] = sql_push_join,       [PLAN_NODE_DISTINCT] = push_distinct,
    [PLAN_NODE_UNION_ALL] = push_union,     [PLAN_NODE_SORT] = push_sort,
    [PLAN_NODE_MATCH] = push_match,         [PLAN_NODE_SETOP] = push_union,
    [PLAN_NODE_RECURSIVE] = push_recursive, [PLAN_NODE_TEMPORAL] = push_distinct,
    [PLAN_NODE_EMIT] = push_emit,           [PLAN_NODE_OVER] = sql_push_over,
    [PLAN_NODE_TOP] = sql_push_top,         [PLAN_NODE_TABLE_FUNC] = push_table_func,
    [PLAN_NODE_SESSION] = push_session,     [PLAN_NODE_EXPAND] = push_expand,
    [PLAN_NODE_ASOF] = sql_push_asof,       [PLAN_NODE_LOOKUP] = sql_push_asof,
};

plan_node *sql_push_filters(sql_ctx *ctx, const plan_node *node, sql_exprs *conjuncts) {
    return pushers[node->kind](ctx, node, conjuncts);
}

// ---- merging projections ---------------------------------------------------------------------

static bool count_use(const plan_expr *expr, void *arg) {
    if (expr->kind == PLAN_EXPR_COLUMN) ((uint32_t *)arg)[expr->index]++;
    return false;
}

static bool any_volatile(uint32_t n, const plan_expr *const *exprs) {
    for (uint32_t i = 0; i < n; i++)
        if (plan_expr_is_volatile(exprs[i])) return true;
    return false;
}

// Whether upper can compute straight from lower's input without doing work twice.
static bool can_merge(sql_ctx *ctx, const plan_node *upper, const plan_node *lower) {
    if (any_volatile(lower->nexprs, lower->exprs)) return false;
    uint32_t *uses = base_arena_array(ctx->arena, uint32_t, lower->ncolumns);
    for (uint32_t i = 0; i < upper->nexprs; i++) plan_expr_any(upper->exprs[i], count_use, uses);
    for (uint32_t i = 0; i < lower->ncolumns; i++)
        if (uses[i] > 1 && lower->exprs[i]->nargs > 0) return false;
    return true;
}

static bool is_identity(const plan_node *project) {
    const plan_node *input = project->inputs[0];
    if (project->ncolumns != input->ncolumns) return false;
    for (uint32_t i = 0; i < project->ncolumns; i++)
        if (project->exprs[i]->kind != PLAN_EXPR_COLUMN || project->exprs[i]->index != i)
            return false;
    return true;
}

static plan_node *merge_project(sql_ctx *ctx, plan_node *node) {
    for (;;) {
        const plan_node *input = node->inputs[0];
        if (is_identity(node)) { // the input under this node's names
            plan_node *renamed = sql_node_copy(ctx, input);
            for (uint32_t i = 0; i < node->ncolumns; i++)
                sql_columns(renamed)[i].name = node->columns[i].name;
            return renamed;
        }
        if (input->kind == PLAN_NODE_PROJECT && can_merge(ctx, node, input)) {
            plan_node *merged = sql_node_copy(ctx, node);
            merged->exprs = base_arena_array(ctx->arena, const plan_expr *, node->nexprs);
            for (uint32_t i = 0; i < node->nexprs; i++)
                merged->exprs[i] = plan_expr_substitute(ctx->arena, node->exprs[i], input->exprs);
            merged->inputs[0] = input->inputs[0];
            node = merged;
            continue;
        }
        bool one_row = input->kind == PLAN_NODE_VALUES && input->nexprs == input->ncolumns;
        if (one_row && !any_volatile(input->nexprs, input->exprs)) {
            plan_node *values = sql_node(ctx, PLAN_NODE_VALUES, node->ncolumns, 0, NULL, NULL);
            memcpy(sql_columns(values), node->columns, node->ncolumns * sizeof(plan_column));
            values->nexprs = node->nexprs;
            values->exprs = base_arena_array(ctx->arena, const plan_expr *, node->nexprs);
            for (uint32_t i = 0; i < node->nexprs; i++)
                values->exprs[i] = plan_expr_substitute(ctx->arena, node->exprs[i], input->exprs);
            return node->ncolumns == 0 ? node : values;
        }
        return node;
    }
}

typedef struct substitution {
    base_arena *arena;
    const plan_expr *const *by;
} substitution;

static const plan_expr *substitute(void *self, const plan_expr *expr) {
    const substitution *s = self;
    return plan_expr_substitute(s->arena, expr, s->by);
}

// An aggregate over a projection that only picks columns picks them itself.
static plan_node *merge_aggregate(sql_ctx *ctx, plan_node *node) {
    const plan_node *input = node->inputs[0];
    if (input->kind != PLAN_NODE_PROJECT) return node;
    for (uint32_t i = 0; i < input->nexprs; i++)
        if (input->exprs[i]->kind != PLAN_EXPR_COLUMN) return node;
    const plan_expr **exprs = base_arena_array(ctx->arena, const plan_expr *, node->nexprs);
    for (uint32_t i = 0; i < node->nexprs; i++)
        exprs[i] = plan_expr_substitute(ctx->arena, node->exprs[i], input->exprs);
    plan_agg *aggs = base_arena_array(ctx->arena, plan_agg, node->naggs);
    for (uint32_t i = 0; i < node->naggs; i++) {
        aggs[i] = node->aggs[i];
        plan_agg_map(ctx->arena, &aggs[i], substitute, &(substitution){ctx->arena, input->exprs});
    }
    node->exprs = exprs;
    node->aggs = aggs;
    node->inputs[0] = input->inputs[0];
    return node;
}

static plan_node *merge(sql_ctx *ctx, const plan_node *node) {
    plan_node *copy = sql_node_copy(ctx, node);
    for (uint32_t i = 0; i < node->ninputs; i++) copy->inputs[i] = merge(ctx, node->inputs[i]);
    if (copy->kind == PLAN_NODE_PROJECT) return merge_project(ctx, copy);
    return copy->kind == PLAN_NODE_AGGREGATE ? merge_aggregate(ctx, copy) : copy;
}

// ---- entry -----------------------------------------------------------------------------------

static bool beyond(const plan_expr *expr, void *arg) {
    return expr->kind == PLAN_EXPR_COLUMN && expr->index >= *(const uint32_t *)arg;
}

// Whether every expression stays within its input. A binder's mistake must end here as an error:
// the passes below index arrays by these numbers.
static bool is_sound(const plan_node *node) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < node->ninputs; i++) {
        if (!is_sound(node->inputs[i])) return false;
        n += node->inputs[i]->ncolumns;
    }
    if (node->kind == PLAN_NODE_UNION_ALL) n = node->ncolumns;
    uint32_t reach = node->kind == PLAN_NODE_TABLE_FUNC ? node->ncolumns : n;
    if (plan_expr_any(node->predicate, beyond, &reach) || plan_expr_any(node->mark, beyond, &n))
        return false;
    for (uint32_t i = 0; i < node->nexprs; i++)
        if (plan_expr_any(node->exprs[i], beyond, &n)) return false;
    for (uint32_t i = 0; i < node->naggs; i++)
        if (plan_agg_any(&node->aggs[i], beyond, &n)) return false;
    for (uint32_t i = 0; i < node->npartition; i++)
        if (node->partition[i] >= n) return false;
    for (uint32_t i = 0; i < node->nover; i++) {
        const plan_over *over = &node->overs[i];
        if (plan_agg_any(&over->agg, beyond, &n)) return false;
        for (uint32_t k = 0; k < over->nargs; k++)
            if (plan_expr_any(over->args[k], beyond, &n)) return false;
    }
    return true;
}

base_rc sql_optimise(sql_ctx *ctx, const plan_node *node, const plan_node **out) {
    sql_exprs none = {0};
    if (!is_sound(node))
        return sql_fail(ctx, 0, BASE_E_INTERNAL, BASE_SQLSTATE_INTERNAL,
                        "a column was bound outside its input");
    plan_node *plan = sql_push_filters(ctx, sql_order_joins(ctx, node), &none);
    if (ctx->in_view && ctx->uses_clock) SQL_TRY(sql_temporal(ctx, plan, &plan));
    plan = merge(ctx, plan);
    plan = sql_prune(ctx, plan);
    plan = merge(ctx, plan);
    plan = sql_prune(ctx, sql_common(ctx, plan));
    *out = sql_share(ctx, sql_annotate(ctx, plan));
    return BASE_OK;
}
