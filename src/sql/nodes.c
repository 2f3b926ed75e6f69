// nodes.c - making plan nodes and conditions. Output columns get names and types here; keys, time
// roles, nullness and ids are found once at the end (annotate.c). Entry points: sql_node_*.
#include "sql/sql_int.h"

#include "base/must.h"

void sql_exprs_add(sql_ctx *ctx, sql_exprs *list, const plan_expr *expr) {
    if (list->n == list->cap) {
        uint32_t cap = list->cap == 0 ? 8 : list->cap * 2;
        const plan_expr **items = base_arena_array(ctx->arena, const plan_expr *, cap);
        if (list->n > 0) memcpy(items, list->items, list->n * sizeof *items);
        list->items = items;
        list->cap = cap;
    }
    list->items[list->n++] = expr;
}

plan_node *sql_node(sql_ctx *ctx, plan_node_kind kind, uint32_t ncolumns, uint32_t ninputs,
                    const plan_node *input0, const plan_node *input1) {
    plan_node *node = base_arena_new(ctx->arena, plan_node);
    node->kind = kind;
    node->ncolumns = ncolumns;
    node->columns = base_arena_array(ctx->arena, plan_column, ncolumns);
    node->ninputs = ninputs;
    node->inputs = base_arena_array(ctx->arena, const plan_node *, ninputs);
    if (ninputs > 0) node->inputs[0] = input0;
    if (ninputs > 1) node->inputs[1] = input1;
    node->limit = -1;
    return node;
}

// The array was made by sql_node and is written only until the node is handed on.
plan_column *sql_columns(plan_node *node) {
    return (plan_column *)(uintptr_t)node->columns;
}

static void copy_columns(plan_node *node, uint32_t first, const plan_node *input) {
    if (input->ncolumns > 0)
        memcpy(sql_columns(node) + first, input->columns, input->ncolumns * sizeof *node->columns);
}

plan_node *sql_node_scan(sql_ctx *ctx, const plan_object *object) {
    plan_node *node = sql_node(ctx, PLAN_NODE_SCAN, object->ncolumns, 0, NULL, NULL);
    node->object = object;
    uint32_t *indexes = base_arena_array(ctx->arena, uint32_t, object->ncolumns);
    for (uint32_t i = 0; i < object->ncolumns; i++) {
        indexes[i] = i;
        sql_columns(node)[i] = object->columns[i];
    }
    node->indexes = indexes;
    return node;
}

plan_node *sql_node_filter(sql_ctx *ctx, const plan_node *input, const plan_expr *predicate) {
    plan_node *node = sql_node(ctx, PLAN_NODE_FILTER, input->ncolumns, 1, input, NULL);
    copy_columns(node, 0, input);
    node->predicate = predicate;
    return node;
}

plan_node *sql_node_project(sql_ctx *ctx, const plan_node *input, uint32_t n,
                            const plan_expr *const *exprs, const char *const *names) {
    plan_node *node = sql_node(ctx, PLAN_NODE_PROJECT, n, 1, input, NULL);
    node->nexprs = n;
    node->exprs = base_arena_array(ctx->arena, const plan_expr *, n);
    for (uint32_t i = 0; i < n; i++) {
        node->exprs[i] = exprs[i];
        const char *name = names != NULL ? names[i] : NULL;
        if (name == NULL)
            name = exprs[i]->kind == PLAN_EXPR_COLUMN
                       ? input->columns[exprs[i]->index].name
                       : base_arena_printf(ctx->arena, "expr%u", i + 1);
        sql_columns(node)[i] = (plan_column){.name = name, .type = exprs[i]->type};
    }
    return node;
}

plan_node *sql_node_join(sql_ctx *ctx, plan_join_kind kind, const plan_node *left,
                         const plan_node *right, const plan_expr *predicate) {
    bool pairs = kind <= PLAN_JOIN_FULL, mark = kind == PLAN_JOIN_MARK;
    uint32_t more = pairs ? right->ncolumns : mark;
    plan_node *node = sql_node(ctx, PLAN_NODE_JOIN, left->ncolumns + more, 2, left, right);
    copy_columns(node, 0, left);
    if (pairs) copy_columns(node, left->ncolumns, right);
    if (mark)
        sql_columns(node)[left->ncolumns] =
            (plan_column){.name = "matched", .type = col_type_of(COL_BOOL)};
    node->join = kind;
    node->predicate = predicate;
    return node;
}

plan_node *sql_node_copy(sql_ctx *ctx, const plan_node *node) {
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

static void count(const plan_node *node, uint32_t cap, uint32_t *n) {
    if (++*n >= cap) return;
    for (uint32_t i = 0; i < node->ninputs && *n < cap; i++) count(node->inputs[i], cap, n);
}

uint32_t sql_node_count(const plan_node *node, uint32_t cap) {
    uint32_t n = 0;
    count(node, cap, &n);
    return n;
}

plan_node *sql_node_one_row(sql_ctx *ctx) {
    plan_node *node = sql_node(ctx, PLAN_NODE_VALUES, 1, 0, NULL, NULL);
    sql_columns(node)[0] = (plan_column){.name = "one", .type = col_type_of(COL_BOOL)};
    node->nexprs = 1;
    node->exprs = base_arena_array(ctx->arena, const plan_expr *, 1);
    node->exprs[0] = sql_bool_const(ctx, true);
    return node;
}

const plan_expr *sql_column_of(sql_ctx *ctx, const plan_node *node, uint32_t index) {
    must(index < node->ncolumns);
    return plan_expr_column(ctx->arena, index, node->columns[index].type);
}

void sql_conjuncts(sql_ctx *ctx, const plan_expr *expr, sql_exprs *out) {
    if (expr == NULL) return;
    if (expr->kind == PLAN_EXPR_AND) {
        for (uint32_t i = 0; i < expr->nargs; i++) sql_conjuncts(ctx, expr->args[i], out);
    } else {
        sql_exprs_add(ctx, out, expr);
    }
}

const plan_expr *sql_conjunction(sql_ctx *ctx, const sql_exprs *list) {
    if (list->n == 0) return NULL;
    if (list->n == 1) return list->items[0];
    plan_expr *expr = sql_expr(ctx, PLAN_EXPR_AND, col_type_of(COL_BOOL), list->n, 0);
    memcpy(expr->args, list->items, list->n * sizeof *expr->args);
    return expr;
}

const plan_expr *sql_and(sql_ctx *ctx, const plan_expr *a, const plan_expr *b) {
    sql_exprs list = {0};
    sql_conjuncts(ctx, a, &list);
    sql_conjuncts(ctx, b, &list);
    return sql_conjunction(ctx, &list);
}
