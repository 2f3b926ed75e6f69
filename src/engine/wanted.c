// wanted.c - finds what a query wants of a system object: see wanted.h. Entry point:
// engine_wanted_find.

#include "engine/wanted.h"

#include <string.h>

typedef struct search {
    const col_func_ctx *ctx;
    engine_wanted *out;
    const plan_node *root;
} search;

static bool is_column(const plan_expr *expr, void *arg) {
    (void)arg;
    return expr->kind == PLAN_EXPR_COLUMN || expr->kind == PLAN_EXPR_PARAM ||
           expr->kind == PLAN_EXPR_OUTER || expr->kind == PLAN_EXPR_SUBQUERY;
}

static bool is_constant(const plan_expr *expr) {
    return !plan_expr_any(expr, is_column, NULL) && !plan_expr_is_volatile(expr);
}

typedef struct scan_count {
    const plan_object *object;
    uint32_t n;
} scan_count;

static void count_scan(void *arg, const plan_node *scan) {
    scan_count *count = arg;
    if (scan->object == count->object) count->n++;
}

static void note(search *s, const plan_node *scan, const plan_expr *column,
                 const plan_expr *value) {
    if (s->out->n == ENGINE_WANTED_MAX || column->kind != PLAN_EXPR_COLUMN || !is_constant(value))
        return;
    base_error err;
    col_func_ctx ctx = *s->ctx;
    ctx.err = &err;
    ctx.failed = NULL;
    col_batch *one = col_batch_create(ctx.arena, 0, NULL, 1);
    one->nrows = 1;
    const col_vec *found;
    if (plan_eval(value, one, &ctx, &found) != BASE_OK) return;
    s->out->items[s->out->n].object = scan->object;
    s->out->items[s->out->n].column = scan->indexes[column->index];
    s->out->items[s->out->n++].value = found;
}

static void note_conjuncts(search *s, const plan_node *scan, const plan_expr *expr) {
    if (expr->kind == PLAN_EXPR_AND)
        for (uint32_t i = 0; i < expr->nargs; i++) note_conjuncts(s, scan, expr->args[i]);
    if (expr->kind != PLAN_EXPR_CALL || expr->nargs != 2 || strcmp(expr->func->name, "=") != 0)
        return;
    note(s, scan, expr->args[0], expr->args[1]);
    note(s, scan, expr->args[1], expr->args[0]);
}

static void visit(search *s, const plan_node *node) {
    const plan_node *below = node->ninputs > 0 ? node->inputs[0] : NULL;
    if (node->kind == PLAN_NODE_FILTER && below->kind == PLAN_NODE_SCAN &&
        below->object->kind == PLAN_OBJECT_SYSTEM && !below->shared) {
        scan_count count = {below->object, 0};
        plan_node_scans(s->root, count_scan, &count);
        if (count.n == 1) note_conjuncts(s, below, node->predicate);
    }
    for (uint32_t i = 0; i < node->ninputs; i++) visit(s, node->inputs[i]);
}

void engine_wanted_find(const plan_node *plan, const col_func_ctx *ctx, engine_wanted *out) {
    out->n = 0;
    search s = {ctx, out, plan};
    visit(&s, plan);
}

const col_vec *engine_wanted_get(const engine_wanted *wanted, const plan_object *object,
                                 const char *column) {
    for (uint32_t i = 0; wanted != NULL && i < wanted->n; i++)
        if (wanted->items[i].object == object &&
            strcmp(object->columns[wanted->items[i].column].name, column) == 0)
            return wanted->items[i].value;
    return NULL;
}
