// optimise.c - the few rewrites that matter to every query: conditions go down to the side they are
// about, equalities across a join become its keys, scans read only columns in use, neighbouring
// projections become one. All are by rule, so the same text gives the same plan. Entry point:
// sql_optimise.
#include "sql/sql_int.h"

#include "base/must.h"

// ---- pushing conditions down -----------------------------------------------------------------

typedef struct column_range {
    uint32_t begin, end;
} column_range;

static bool outside(const plan_expr *expr, void *arg) {
    const column_range *range = arg;
    return expr->kind == PLAN_EXPR_COLUMN &&
           (expr->index < range->begin || expr->index >= range->end);
}

static bool within(const plan_expr *expr, uint32_t begin, uint32_t end) {
    column_range range = {begin, end};
    return !plan_expr_any(expr, outside, &range);
}

static bool uses_column(const plan_expr *expr, void *arg) {
    (void)arg;
    return expr->kind == PLAN_EXPR_COLUMN;
}

static plan_node *copy_node(sql_ctx *ctx, const plan_node *node) {
    plan_node *copy = sql_node(ctx, node->kind, node->ncolumns, node->ninputs, NULL, NULL);
    const plan_node **inputs = copy->inputs;
    plan_column *columns = sql_columns(copy);
    *copy = *node;
    copy->inputs = inputs;
    copy->columns = columns;
    if (node->ncolumns > 0) memcpy(columns, node->columns, node->ncolumns * sizeof *columns);
    for (uint32_t i = 0; i < node->ninputs; i++) inputs[i] = node->inputs[i];
    return copy;
}

static plan_node *with_filter(sql_ctx *ctx, plan_node *node, const sql_exprs *conditions) {
    return conditions->n == 0 ? node : sql_node_filter(ctx, node, sql_conjunction(ctx, conditions));
}

// `left = right` over a join of which the first nleft columns are the left input's. Gives both
// sides, right's over the right input alone.
static bool equi_sides(sql_ctx *ctx, const plan_expr *expr, uint32_t nleft, uint32_t ncolumns,
                       const plan_expr **left, const plan_expr **right) {
    if (expr->kind != PLAN_EXPR_CALL || expr->nargs != 2 || strcmp(expr->func->name, "=") != 0)
        return false;
    for (int side = 0; side < 2; side++) {
        const plan_expr *a = expr->args[side], *b = expr->args[1 - side];
        if (!within(a, 0, nleft) || !within(b, nleft, ncolumns)) continue;
        if (!plan_expr_any(a, uses_column, NULL) || !plan_expr_any(b, uses_column, NULL)) continue;
        // Keys are compared by their encoding, so both sides must be of one kind.
        if (a->type.kind != b->type.kind) {
            const plan_expr *pair[2] = {a, b};
            col_type type;
            base_error *err = ctx->err, ignored;
            ctx->err = &ignored;
            base_rc rc = sql_common_type(ctx, "=", 2, pair, &type);
            ctx->err = err;
            if (rc != BASE_OK) return false;
            a = pair[0];
            b = pair[1];
        }
        *left = a;
        *right = plan_expr_shift(ctx->arena, b, -(int32_t)nleft);
        return true;
    }
    return false;
}

// The column of *node that holds expr; a projection is put on *node for what is no plain column.
// `added` expressions wait for one projection.
static uint32_t key_column(sql_ctx *ctx, const plan_node *node, sql_exprs *added,
                           const plan_expr *expr) {
    if (expr->kind == PLAN_EXPR_COLUMN) return expr->index;
    for (uint32_t i = 0; i < added->n; i++)
        if (plan_expr_equal(added->items[i], expr)) return node->ncolumns + i;
    sql_exprs_add(ctx, added, expr);
    return node->ncolumns + added->n - 1;
}

static plan_node *project_more(sql_ctx *ctx, plan_node *node, const sql_exprs *added) {
    if (added->n == 0) return node;
    sql_exprs all = {0};
    for (uint32_t i = 0; i < node->ncolumns; i++)
        sql_exprs_add(ctx, &all, sql_column_of(ctx, node, i));
    for (uint32_t i = 0; i < added->n; i++) sql_exprs_add(ctx, &all, added->items[i]);
    const char **names = base_arena_array(ctx->arena, const char *, all.n);
    for (uint32_t i = 0; i < added->n; i++) names[node->ncolumns + i] = "key";
    return sql_node_project(ctx, node, all.n, all.items, names);
}

typedef struct join_parts {
    sql_exprs left, right; // conditions of one side
    sql_exprs left_keys, right_keys;
    sql_exprs rest;
    sql_exprs above; // LEFT JOIN: cannot be part of the join
} join_parts;

static void sort_conditions(sql_ctx *ctx, const plan_node *join, const sql_exprs *conditions,
                            bool of_join, join_parts *parts) {
    uint32_t nleft = join->inputs[0]->ncolumns, n = join->ncolumns;
    bool inner = join->join == PLAN_JOIN_INNER;
    for (uint32_t i = 0; i < conditions->n; i++) {
        const plan_expr *expr = conditions->items[i], *a, *b;
        bool constant = !plan_expr_any(expr, uses_column, NULL);
        if (within(expr, 0, nleft) && !(of_join && !inner) && !(constant && !inner)) {
            sql_exprs_add(ctx, &parts->left, expr);
        } else if (within(expr, nleft, n) && (inner || of_join) && !constant) {
            sql_exprs_add(ctx, &parts->right, plan_expr_shift(ctx->arena, expr, -(int32_t)nleft));
        } else if ((inner || of_join) && equi_sides(ctx, expr, nleft, n, &a, &b)) {
            sql_exprs_add(ctx, &parts->left_keys, a);
            sql_exprs_add(ctx, &parts->right_keys, b);
        } else if (inner || of_join) {
            sql_exprs_add(ctx, &parts->rest, expr);
        } else {
            sql_exprs_add(ctx, &parts->above, expr);
        }
    }
}

static bool same_key(const uint32_t *left, const uint32_t *right, uint32_t n, uint32_t a,
                     uint32_t b) {
    for (uint32_t i = 0; i < n; i++)
        if (left[i] == a && right[i] == b) return true;
    return false;
}

// Column i of the join as it was -> as it is after key columns were added to the left side.
static const plan_expr *remap_join(sql_ctx *ctx, const plan_expr *expr, const plan_node *join,
                                   uint32_t added_left) {
    if (expr == NULL || added_left == 0) return expr;
    const plan_expr **map = base_arena_array(ctx->arena, const plan_expr *, join->ncolumns);
    uint32_t nleft = join->inputs[0]->ncolumns;
    for (uint32_t i = 0; i < join->ncolumns; i++)
        map[i] =
            plan_expr_column(ctx->arena, i < nleft ? i : i + added_left, join->columns[i].type);
    return plan_expr_substitute(ctx->arena, expr, map);
}

// Whether expr is null whenever all columns from nleft on are null.
static bool null_if_unmatched(const plan_expr *expr, uint32_t nleft) {
    bool strict = expr->kind == PLAN_EXPR_NOT || expr->kind == PLAN_EXPR_FIELD ||
                  (expr->kind == PLAN_EXPR_CALL && (expr->func->flags & COL_FUNC_STRICT));
    if (expr->kind == PLAN_EXPR_COLUMN) return expr->index >= nleft;
    if (expr->kind == PLAN_EXPR_IN) return null_if_unmatched(expr->args[0], nleft);
    for (uint32_t i = 0; strict && i < expr->nargs; i++)
        if (null_if_unmatched(expr->args[i], nleft)) return true;
    return false;
}

// Whether a condition above a LEFT JOIN drops every row without a match: then it is an inner join.
static bool drops_unmatched(const plan_expr *expr, uint32_t nleft) {
    if (expr->kind == PLAN_EXPR_IS_NOT_NULL || expr->kind == PLAN_EXPR_IS_TRUE)
        return null_if_unmatched(expr->args[0], nleft);
    return null_if_unmatched(expr, nleft);
}

static plan_node *push_join(sql_ctx *ctx, const plan_node *join, sql_exprs *conditions) {
    join_parts parts = {0};
    for (uint32_t i = 0; join->join == PLAN_JOIN_LEFT && i < conditions->n; i++) {
        if (!drops_unmatched(conditions->items[i], join->inputs[0]->ncolumns)) continue;
        plan_node *inner = copy_node(ctx, join);
        inner->join = PLAN_JOIN_INNER;
        join = inner;
    }
    sql_exprs own = {0}, added[2] = {{0}, {0}};
    for (uint32_t i = 0; i < join->nequi; i++) {
        sql_exprs_add(ctx, &parts.left_keys,
                      sql_column_of(ctx, join->inputs[0], join->left_keys[i]));
        sql_exprs_add(ctx, &parts.right_keys,
                      sql_column_of(ctx, join->inputs[1], join->right_keys[i]));
    }
    sql_conjuncts(ctx, join->predicate, &own);
    sort_conditions(ctx, join, &own, true, &parts);
    sort_conditions(ctx, join, conditions, false, &parts);
    plan_node *left = sql_push_filters(ctx, join->inputs[0], &parts.left);
    plan_node *right = sql_push_filters(ctx, join->inputs[1], &parts.right);
    uint32_t *left_keys = base_arena_array(ctx->arena, uint32_t, parts.left_keys.n);
    uint32_t *right_keys = base_arena_array(ctx->arena, uint32_t, parts.left_keys.n);
    uint32_t nequi = 0;
    for (uint32_t i = 0; i < parts.left_keys.n; i++) {
        uint32_t a = key_column(ctx, left, &added[0], parts.left_keys.items[i]);
        uint32_t b = key_column(ctx, right, &added[1], parts.right_keys.items[i]);
        if (same_key(left_keys, right_keys, nequi, a, b)) continue;
        left_keys[nequi] = a;
        right_keys[nequi++] = b;
    }
    left = project_more(ctx, left, &added[0]);
    right = project_more(ctx, right, &added[1]);
    plan_node *node =
        sql_node_join(ctx, join->join, left, right,
                      remap_join(ctx, sql_conjunction(ctx, &parts.rest), join, added[0].n));
    node->nequi = nequi;
    node->left_keys = left_keys;
    node->right_keys = right_keys;
    if (added[0].n + added[1].n > 0) { // back to the columns as they were
        const plan_expr **exprs = base_arena_array(ctx->arena, const plan_expr *, join->ncolumns);
        const char **names = base_arena_array(ctx->arena, const char *, join->ncolumns);
        for (uint32_t i = 0; i < join->ncolumns; i++) {
            uint32_t at = i < join->inputs[0]->ncolumns ? i : i + added[0].n;
            exprs[i] = sql_column_of(ctx, node, at);
            names[i] = join->columns[i].name;
        }
        node = sql_node_project(ctx, node, join->ncolumns, exprs, names);
    }
    return with_filter(ctx, node, &parts.above);
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
        bool small = sql_expr_size(pushed, SQL_PUSHED_MAX) < SQL_PUSHED_MAX;
        sql_exprs_add(ctx, small ? &below : &above, small ? pushed : conditions->items[i]);
    }
    plan_node *copy = copy_node(ctx, node);
    copy->inputs[0] = sql_push_filters(ctx, node->inputs[0], &below);
    return with_filter(ctx, copy, &above);
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
        bool down = within(expr, 0, n) && plan_expr_any(expr, uses_column, NULL);
        if (down && map != NULL) expr = plan_expr_substitute(ctx->arena, expr, map);
        sql_exprs_add(ctx, down ? &below : &above, expr);
    }
    plan_node *copy = copy_node(ctx, node);
    copy->inputs[0] = sql_push_filters(ctx, node->inputs[0], &below);
    return with_filter(ctx, copy, &above);
}

static plan_node *push_window(sql_ctx *ctx, const plan_node *node, sql_exprs *conditions) {
    return push_some(ctx, node, conditions, node->inputs[0]->ncolumns, NULL);
}
static plan_node *push_aggregate(sql_ctx *ctx, const plan_node *node, sql_exprs *conditions) {
    return push_some(ctx, node, conditions, node->nexprs, node->exprs);
}
static plan_node *push_distinct(sql_ctx *ctx, const plan_node *node, sql_exprs *conditions) {
    return push_some(ctx, node, conditions, node->ncolumns, NULL);
}
static plan_node *push_sort(sql_ctx *ctx, const plan_node *node, sql_exprs *conditions) {
    bool limited = node->limit >= 0 || node->offset > 0 || node->limit_param != NULL ||
                   node->offset_param != NULL;
    return push_some(ctx, node, conditions, limited ? 0 : node->ncolumns, NULL);
}

static plan_node *push_union(sql_ctx *ctx, const plan_node *node, sql_exprs *conditions) {
    plan_node *copy = copy_node(ctx, node);
    for (uint32_t i = 0; i < node->ninputs; i++) {
        sql_exprs own = {0};
        for (uint32_t k = 0; k < conditions->n; k++) sql_exprs_add(ctx, &own, conditions->items[k]);
        copy->inputs[i] = sql_push_filters(ctx, node->inputs[i], &own);
    }
    return copy;
}

static plan_node *push_leaf(sql_ctx *ctx, const plan_node *node, sql_exprs *conditions) {
    return with_filter(ctx, copy_node(ctx, node), conditions);
}

static plan_node *(*const pushers[])(sql_ctx *, const plan_node *, sql_exprs *) = {
    [PLAN_NODE_SCAN] = push_leaf,       [PLAN_NODE_VALUES] = push_leaf,
    [PLAN_NODE_FILTER] = push_filter,   [PLAN_NODE_PROJECT] = push_project,
    [PLAN_NODE_WINDOW] = push_window,   [PLAN_NODE_AGGREGATE] = push_aggregate,
    [PLAN_NODE_JOIN] = push_join,       [PLAN_NODE_DISTINCT] = push_distinct,
    [PLAN_NODE_UNION_ALL] = push_union, [PLAN_NODE_SORT] = push_sort,
};

plan_node *sql_push_filters(sql_ctx *ctx, const plan_node *node, sql_exprs *conjuncts) {
    return pushers[node->kind](ctx, node, conjuncts);
}

// ---- merging projections ---------------------------------------------------------------------

static bool count_use(const plan_expr *expr, void *arg) {
    if (expr->kind == PLAN_EXPR_COLUMN) ((uint32_t *)arg)[expr->index]++;
    return false;
}

// Whether upper can compute straight from lower's input without doing work twice.
static bool can_merge(sql_ctx *ctx, const plan_node *upper, const plan_node *lower) {
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
            plan_node *renamed = copy_node(ctx, input);
            for (uint32_t i = 0; i < node->ncolumns; i++)
                sql_columns(renamed)[i].name = node->columns[i].name;
            return renamed;
        }
        if (input->kind == PLAN_NODE_PROJECT && can_merge(ctx, node, input)) {
            plan_node *merged = copy_node(ctx, node);
            merged->exprs = base_arena_array(ctx->arena, const plan_expr *, node->nexprs);
            for (uint32_t i = 0; i < node->nexprs; i++)
                merged->exprs[i] = plan_expr_substitute(ctx->arena, node->exprs[i], input->exprs);
            merged->inputs[0] = input->inputs[0];
            node = merged;
            continue;
        }
        if (input->kind == PLAN_NODE_VALUES && input->nexprs == input->ncolumns) { // one row
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
        aggs[i].arg = plan_expr_substitute(ctx->arena, aggs[i].arg, input->exprs);
        aggs[i].filter = plan_expr_substitute(ctx->arena, aggs[i].filter, input->exprs);
    }
    node->exprs = exprs;
    node->aggs = aggs;
    node->inputs[0] = input->inputs[0];
    return node;
}

static plan_node *merge(sql_ctx *ctx, const plan_node *node) {
    plan_node *copy = copy_node(ctx, node);
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
    if (plan_expr_any(node->predicate, beyond, &n)) return false;
    for (uint32_t i = 0; i < node->nexprs; i++)
        if (plan_expr_any(node->exprs[i], beyond, &n)) return false;
    for (uint32_t i = 0; i < node->naggs; i++)
        if (plan_expr_any(node->aggs[i].arg, beyond, &n) ||
            plan_expr_any(node->aggs[i].filter, beyond, &n))
            return false;
    return true;
}

base_rc sql_optimise(sql_ctx *ctx, const plan_node *node, const plan_node **out) {
    sql_exprs none = {0};
    if (!is_sound(node))
        return sql_fail(ctx, 0, BASE_E_INTERNAL, BASE_SQLSTATE_INTERNAL,
                        "a column was bound outside its input");
    plan_node *plan = sql_push_filters(ctx, node, &none);
    plan = merge(ctx, plan);
    plan = sql_prune(ctx, plan);
    plan = merge(ctx, plan);
    *out = sql_annotate(ctx, plan);
    return BASE_OK;
}
