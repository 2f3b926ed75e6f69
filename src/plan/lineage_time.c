// lineage_time.c - what a window that is known says of the times of its rows. A condition that
// holds the start or the end of a window of time to a constant lets in rows of that time alone:
// this is said of the rows before they get their windows, so that others are not looked at. The
// condition itself stays. Entry points: lineage_imply_window, lineage_imply_derived.

#include <string.h>

#include "plan/lineage_int.h"
#include "plan/window.h"

const plan_expr *lineage_compare(lineage *l, const char *op, const plan_expr *a,
                                 const plan_expr *b) {
    const col_func *const *found;
    size_t n = col_func_find(base_str_of(op), &found);
    for (size_t i = 0; i < n; i++) {
        const col_func *f = found[i];
        bool same = (f->flags & COL_FUNC_ANY_SAME) != 0 && f->args[0] == COL_UNKNOWN &&
                    f->args[1] == COL_UNKNOWN;
        if (f->nargs != 2 || f->ret != COL_BOOL ||
            (!same && (f->args[0] != a->type.kind || f->args[1] != b->type.kind)))
            continue;
        plan_expr *expr = base_arena_new(l->arena, plan_expr);
        *expr = (plan_expr){.kind = PLAN_EXPR_CALL,
                            .type = col_type_of(COL_BOOL),
                            .func = f,
                            .nargs = 2,
                            .args = base_arena_array(l->arena, const plan_expr *, 2)};
        expr->args[0] = a;
        expr->args[1] = b;
        return expr;
    }
    return NULL;
}

static const plan_expr *compared(lineage *l, const plan_expr *time, const char *op, int64_t us) {
    col_vec *constant = base_arena_new(l->arena, col_vec);
    col_vec_init(constant, l->arena, time->type, 1);
    col_i64(constant)[0] = us;
    return lineage_compare(l, op, time, plan_expr_const(l->arena, constant));
}

// How long a window is at most; days and months of a zone may be longer than they are elsewhere.
static bool longest_us(const plan_window *w, int64_t *us) {
    int64_t unit = w->size.unit == PLAN_UNIT_US     ? 1
                   : w->size.unit == PLAN_UNIT_DAYS ? BASE_US_PER_DAY
                                                    : 31 * BASE_US_PER_DAY;
    if (w->form == PLAN_WINDOW_SESSION || __builtin_mul_overflow(w->size.n, unit, us)) return false;
    return !__builtin_add_overflow(*us, plan_window_is_fixed(w) ? 0 : BASE_US_PER_DAY, us);
}

// The window's start or end is `value`: conditions on `time`, which lies in it.
static void add_bounds(lineage *l, const plan_expr *time, const plan_window *w, bool is_end,
                       const col_vec *value, lineage_conds *out) {
    int64_t us, longest, from, to;
    if (value->type.kind != time->type.kind ||
        (time->type.kind != COL_TIMESTAMP && time->type.kind != COL_TIMESTAMPTZ))
        return;
    us = col_i64(value)[0];
    if (us == INT64_MIN || us == INT64_MAX || !longest_us(w, &longest)) return; // infinite
    from = us, to = us;
    if (is_end ? __builtin_sub_overflow(us, longest, &from)
               : __builtin_add_overflow(us, longest, &to))
        return;
    const plan_expr *least = compared(l, time, ">=", from), *most = compared(l, time, "<", to);
    if (least == NULL || most == NULL) return;
    lineage_add(l, out, least);
    lineage_add(l, out, most);
}

void lineage_imply_window(lineage *l, const plan_node *node, const lineage_conds *conds,
                          lineage_conds *below) {
    uint32_t nin = node->inputs[0]->ncolumns, column;
    const plan_expr *time = lineage_col(l, node->inputs[0], node->time_column);
    for (uint32_t i = 0; i < conds->n; i++)
        if (lineage_equals_constant(conds->items[i], &column) &&
            (column == nin || column == nin + 1))
            add_bounds(l, time, node->window, column == nin + 1,
                       conds->items[i]->args[0]->args[1]->constant, below);
}

// The column of time that a call truncates, such as date_trunc('hour', c); NULL: it does not.
static const plan_expr *truncated(const plan_expr *expr) {
    const plan_expr *time = NULL;
    if (expr->kind != PLAN_EXPR_CALL) return NULL;
    for (uint32_t i = 0; i < expr->nargs; i++) {
        if (expr->args[i]->kind == PLAN_EXPR_CONST) continue;
        if (expr->args[i]->kind != PLAN_EXPR_COLUMN || time != NULL) return NULL;
        time = expr->args[i];
    }
    return time;
}

void lineage_imply_derived(lineage *l, const plan_node *node, const lineage_conds *conds,
                           lineage_conds *below) {
    uint32_t c;
    for (uint32_t i = 0; i < conds->n; i++) {
        if (!lineage_equals_constant(conds->items[i], &c) || c >= node->nexprs) continue;
        const plan_column *column = &node->columns[c];
        const plan_expr *time = truncated(node->exprs[c]);
        if (time == NULL || column->window == NULL || !column->window->derived ||
            column->time_role != PLAN_TIME_WINDOW_START)
            continue;
        add_bounds(l, time, column->window, false, conds->items[i]->args[0]->args[1]->constant,
                   below);
    }
}
