// over.c - conditions over window functions. One on columns that all rows of a partition share goes
// below them. One that bounds a rank from above (rn <= n, rn < n, rn = n) makes a top-N of the
// rank: what is beyond never leaves the operator. Entry points: sql_push_over, sql_push_top.
#include "plan/over.h"

#include "sql/sql_int.h"

typedef struct partition_columns {
    const plan_node *node;
    bool other; // a column that is not of PARTITION BY
    bool any;
} partition_columns;

static bool look_at(const plan_expr *expr, void *arg) {
    partition_columns *columns = arg;
    if (expr->kind != PLAN_EXPR_COLUMN) return false;
    uint32_t i = 0;
    while (i < columns->node->npartition && columns->node->partition[i] != expr->index) i++;
    columns->other |= i == columns->node->npartition;
    columns->any = true;
    return false;
}

static bool on_partition(const plan_node *node, const plan_expr *condition) {
    partition_columns columns = {.node = node};
    plan_expr_any(condition, look_at, &columns);
    return columns.any && !columns.other;
}

static bool integer_const(const plan_expr *expr, int64_t *value) {
    if (expr->kind != PLAN_EXPR_CONST || col_is_null(expr->constant, 0)) return false;
    switch (expr->type.kind) {
    case COL_INT2:
        *value = col_i16(expr->constant)[0];
        return true;
    case COL_INT4:
        *value = col_i32(expr->constant)[0];
        return true;
    case COL_INT8:
        *value = col_i64(expr->constant)[0];
        return true;
    default:
        return false;
    }
}

// Whether a condition lets ranks up to *limit through only; *exact: just these.
static bool bounds_rank(const plan_expr *condition, uint32_t column, int64_t *limit, bool *exact) {
    if (condition->kind != PLAN_EXPR_CALL || condition->nargs != 2) return false;
    const char *op = condition->func->name;
    const plan_expr *left = condition->args[0], *right = condition->args[1];
    bool swapped = right->kind == PLAN_EXPR_COLUMN;
    const plan_expr *rank = swapped ? right : left;
    if (rank->kind != PLAN_EXPR_COLUMN || rank->index != column ||
        !integer_const(swapped ? left : right, limit))
        return false;
    *exact = true;
    if (strcmp(op, "=") == 0) {
        *exact = *limit <= 1;
        return true;
    }
    if (strcmp(op, swapped ? ">=" : "<=") == 0) return true;
    if (strcmp(op, swapped ? ">" : "<") != 0 || *limit == INT64_MIN) return false;
    (*limit)--;
    return true;
}

static bool is_rank(const plan_node *node) {
    plan_over_id id = node->overs[0].id;
    return node->nover == 1 &&
           (id == PLAN_OVER_ROW_NUMBER || id == PLAN_OVER_RANK || id == PLAN_OVER_DENSE_RANK);
}

static plan_node *rebuild(sql_ctx *ctx, const plan_node *node, const plan_node *input) {
    plan_node *copy = sql_node(ctx, node->kind, node->ncolumns, 1, input, NULL);
    const plan_node **inputs = copy->inputs;
    plan_column *columns = sql_columns(copy);
    *copy = *node;
    copy->inputs = inputs;
    copy->columns = columns;
    memcpy(columns, node->columns, node->ncolumns * sizeof *columns);
    return copy;
}

static plan_node *push(sql_ctx *ctx, const plan_node *node, sql_exprs *conditions, bool rank) {
    sql_exprs below = {0}, above = {0};
    uint32_t column = node->inputs[0]->ncolumns;
    int64_t least = INT64_MAX;
    for (uint32_t i = 0; i < conditions->n; i++) {
        const plan_expr *condition = conditions->items[i];
        int64_t limit;
        bool exact = false;
        if (on_partition(node, condition)) {
            sql_exprs_add(ctx, &below, condition);
            continue;
        }
        bool bounds = rank && bounds_rank(condition, column, &limit, &exact);
        if (bounds) {
            if (limit < 0) limit = 0;
            if (limit < least) least = limit;
        }
        if (!bounds || !exact) sql_exprs_add(ctx, &above, condition);
    }
    plan_node *copy = rebuild(ctx, node, sql_push_filters(ctx, node->inputs[0], &below));
    if (least < INT64_MAX) {
        copy->kind = PLAN_NODE_TOP;
        copy->limit = least;
        copy->with_rank = true;
    }
    return above.n == 0 ? copy : sql_node_filter(ctx, copy, sql_conjunction(ctx, &above));
}

plan_node *sql_push_over(sql_ctx *ctx, const plan_node *node, sql_exprs *conditions) {
    return push(ctx, node, conditions, is_rank(node));
}

plan_node *sql_push_top(sql_ctx *ctx, const plan_node *node, sql_exprs *conditions) {
    return push(ctx, node, conditions, false);
}
