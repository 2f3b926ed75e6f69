// expr.c - walks, copies and the printer of bound expressions. Trees are never changed in place: a
// rewrite shares every part that stays as it was. Entry points: the functions of expr.h, except
// evaluation (eval.c).
#include "plan/expr.h"

#include "base/must.h"
#include "col/codec.h"
#include "col/kernel.h"

bool plan_expr_any(const plan_expr *expr, bool (*test)(const plan_expr *expr, void *arg),
                   void *arg) {
    if (expr == NULL) return false;
    if (test(expr, arg)) return true;
    for (uint32_t i = 0; i < expr->nargs; i++)
        if (plan_expr_any(expr->args[i], test, arg)) return true;
    return false;
}

static bool is_volatile(const plan_expr *expr, void *arg) {
    (void)arg;
    return expr->kind == PLAN_EXPR_CALL && (expr->func->flags & COL_FUNC_VOLATILE) != 0;
}

bool plan_expr_is_volatile(const plan_expr *expr) {
    return plan_expr_any(expr, is_volatile, NULL);
}

bool plan_expr_equal(const plan_expr *a, const plan_expr *b) {
    if (a == b) return true;
    if (a == NULL || b == NULL) return false;
    if (a->kind != b->kind || a->index != b->index || a->func != b->func || a->nargs != b->nargs ||
        !col_type_eq(&a->type, &b->type) || is_volatile(a, NULL))
        return false;
    if (a->kind == PLAN_EXPR_CONST) {
        if (a->constant->type.kind != b->constant->type.kind) return false;
        // 1.0 and 1.00 are equal as values but not as constants: they print differently.
        return col_cells_same(a->constant, 0, b->constant, 0);
    }
    for (uint32_t i = 0; i < a->nargs; i++)
        if (!plan_expr_equal(a->args[i], b->args[i])) return false;
    return true;
}

static bool mark_column(const plan_expr *expr, void *arg) {
    if (expr->kind == PLAN_EXPR_COLUMN) ((bool *)arg)[expr->index] = true;
    return false;
}

void plan_expr_columns(const plan_expr *expr, bool *used) {
    plan_expr_any(expr, mark_column, used);
}

const plan_expr *plan_expr_rewrite(base_arena *arena, const plan_expr *expr, plan_expr_leaf leaf,
                                   const void *arg) {
    if (expr == NULL) return NULL;
    if (expr->nargs == 0) {
        const plan_expr *other = leaf(arena, expr, arg);
        return other == NULL ? expr : other;
    }
    const plan_expr **args = NULL;
    for (uint32_t i = 0; i < expr->nargs; i++) {
        const plan_expr *changed = plan_expr_rewrite(arena, expr->args[i], leaf, arg);
        if (changed != expr->args[i] && args == NULL) {
            args = base_arena_array(arena, const plan_expr *, expr->nargs);
            memcpy(args, expr->args, expr->nargs * sizeof *args);
        }
        if (args != NULL) args[i] = changed;
    }
    if (args == NULL) return expr;
    plan_expr *copy = base_arena_new(arena, plan_expr);
    *copy = *expr;
    copy->args = args;
    return copy;
}

static const plan_expr *substitute_leaf(base_arena *arena, const plan_expr *leaf, const void *arg) {
    (void)arena;
    const plan_expr *const *map = arg;
    if (leaf->kind != PLAN_EXPR_COLUMN) return NULL;
    must(map[leaf->index] != NULL);
    return map[leaf->index];
}

const plan_expr *plan_expr_substitute(base_arena *arena, const plan_expr *expr,
                                      const plan_expr *const *map) {
    return plan_expr_rewrite(arena, expr, substitute_leaf, map);
}

static const plan_expr *shift_leaf(base_arena *arena, const plan_expr *leaf, const void *arg) {
    if (leaf->kind != PLAN_EXPR_COLUMN) return NULL;
    plan_expr *copy = base_arena_new(arena, plan_expr);
    *copy = *leaf;
    copy->index = (uint32_t)((int64_t)leaf->index + *(const int32_t *)arg);
    return copy;
}

const plan_expr *plan_expr_shift(base_arena *arena, const plan_expr *expr, int32_t by) {
    return by == 0 ? expr : plan_expr_rewrite(arena, expr, shift_leaf, &by);
}

static const plan_expr *param_leaf(base_arena *arena, const plan_expr *leaf, const void *arg) {
    const col_batch *values = arg;
    if (leaf->kind != PLAN_EXPR_PARAM) return NULL;
    must(leaf->index < values->ncols && values->nrows == 1);
    plan_expr *constant = base_arena_new(arena, plan_expr);
    *constant = (plan_expr){.kind = PLAN_EXPR_CONST,
                            .type = leaf->type,
                            .constant = &values->cols[leaf->index],
                            .position = leaf->position};
    return constant;
}

const plan_expr *plan_expr_bind_params(base_arena *arena, const plan_expr *expr,
                                       const col_batch *values) {
    return plan_expr_rewrite(arena, expr, param_leaf, values);
}

const plan_expr *plan_expr_column(base_arena *arena, uint32_t index, col_type type) {
    plan_expr *expr = base_arena_new(arena, plan_expr);
    *expr = (plan_expr){.kind = PLAN_EXPR_COLUMN, .type = type, .index = index};
    return expr;
}

const plan_expr *plan_expr_const(base_arena *arena, const col_vec *one_row) {
    plan_expr *expr = base_arena_new(arena, plan_expr);
    *expr = (plan_expr){.kind = PLAN_EXPR_CONST, .type = one_row->type, .constant = one_row};
    return expr;
}

const plan_expr *plan_expr_null(base_arena *arena, col_type type) {
    col_vec *vec = base_arena_new(arena, col_vec);
    col_vec_init(vec, arena, type, 1);
    col_vec_set_null(vec, arena, 0);
    return plan_expr_const(arena, vec);
}

// ---- printing --------------------------------------------------------------------------------

static void print_quoted(base_buf *buf, base_str text) {
    base_buf_add_byte(buf, '\'');
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '\'') base_buf_add_byte(buf, '\'');
        base_buf_add_byte(buf, (uint8_t)text.p[i]);
    }
    base_buf_add_byte(buf, '\'');
}

static void print_const(const plan_expr *expr, base_buf *buf) {
    const col_vec *vec = expr->constant;
    if (col_is_null(vec, 0)) {
        base_buf_add_cstr(buf, "NULL::");
        col_type_format(&expr->type, buf);
        return;
    }
    base_buf text;
    base_buf_init(&text);
    col_text_format(vec, 0, 0, &text);
    if (expr->type.kind == COL_BOOL) {
        base_buf_add_cstr(buf, col_u8(vec)[0] ? "true" : "false");
    } else if (col_kind_is_number(expr->type.kind)) {
        base_buf_add_str(buf, base_buf_str(&text));
    } else {
        print_quoted(buf, base_buf_str(&text));
        if (expr->type.kind != COL_TEXT && expr->type.kind != COL_UNKNOWN) {
            base_buf_add_cstr(buf, "::");
            col_type_format(&expr->type, buf);
        }
    }
    base_buf_deinit(&text);
}

static void print_args(const plan_expr *expr, uint32_t first, const char *separator,
                       const char *const *names, base_buf *buf) {
    for (uint32_t i = first; i < expr->nargs; i++) {
        if (i > first) base_buf_add_cstr(buf, separator);
        plan_expr_print(expr->args[i], names, buf);
    }
}

static bool is_cast(const plan_expr *expr) {
    return expr->nargs == 1 && (expr->func == col_cast_find(expr->args[0]->type.kind,
                                                            expr->type.kind, COL_CAST_EXPLICIT) ||
                                expr->func == col_cast_find(expr->args[0]->type.kind,
                                                            expr->type.kind, COL_CAST_ASSIGNMENT) ||
                                expr->func == col_cast_find(expr->args[0]->type.kind,
                                                            expr->type.kind, COL_CAST_IMPLICIT));
}

static void print_call(const plan_expr *expr, const char *const *names, base_buf *buf) {
    if (is_cast(expr)) {
        plan_expr_print(expr->args[0], names, buf);
        base_buf_add_cstr(buf, "::");
        col_type_format(&expr->type, buf);
        return;
    }
    const char *name = expr->func->name;
    bool is_operator = strpbrk(name, "+-*/%^<>=~!@#&|") != NULL;
    if (is_operator && expr->nargs == 2) {
        base_buf_add_byte(buf, '(');
        plan_expr_print(expr->args[0], names, buf);
        base_buf_printf(buf, " %s ", name);
        plan_expr_print(expr->args[1], names, buf);
        base_buf_add_byte(buf, ')');
    } else {
        base_buf_printf(buf, is_operator ? "(%s " : "%s(", name);
        print_args(expr, 0, ", ", names, buf);
        base_buf_add_byte(buf, ')');
    }
}

static void print_case(const plan_expr *expr, const char *const *names, base_buf *buf) {
    base_buf_add_cstr(buf, "CASE");
    for (uint32_t i = 0; i + 1 < expr->nargs; i += 2) {
        base_buf_add_cstr(buf, " WHEN ");
        plan_expr_print(expr->args[i], names, buf);
        base_buf_add_cstr(buf, " THEN ");
        plan_expr_print(expr->args[i + 1], names, buf);
    }
    base_buf_add_cstr(buf, " ELSE ");
    plan_expr_print(expr->args[expr->nargs - 1], names, buf);
    base_buf_add_cstr(buf, " END");
}

static void print_around(const plan_expr *expr, const char *before, const char *separator,
                         const char *after, const char *const *names, base_buf *buf) {
    base_buf_add_cstr(buf, before);
    print_args(expr, 0, separator, names, buf);
    base_buf_add_cstr(buf, after);
}

void plan_expr_print(const plan_expr *expr, const char *const *names, base_buf *buf) {
    switch (expr->kind) {
    case PLAN_EXPR_COLUMN:
        if (names != NULL) {
            base_buf_add_cstr(buf, names[expr->index]);
        } else {
            base_buf_printf(buf, "#%u", expr->index);
        }
        break;
    case PLAN_EXPR_CONST:
        print_const(expr, buf);
        break;
    case PLAN_EXPR_PARAM:
        base_buf_printf(buf, "$%u", expr->index + 1);
        break;
    case PLAN_EXPR_CALL:
        print_call(expr, names, buf);
        break;
    case PLAN_EXPR_AND:
        print_around(expr, "(", " AND ", ")", names, buf);
        break;
    case PLAN_EXPR_OR:
        print_around(expr, "(", " OR ", ")", names, buf);
        break;
    case PLAN_EXPR_NOT:
        print_around(expr, "(NOT ", "", ")", names, buf);
        break;
    case PLAN_EXPR_IS_NULL:
        print_around(expr, "(", "", " IS NULL)", names, buf);
        break;
    case PLAN_EXPR_IS_NOT_NULL:
        print_around(expr, "(", "", " IS NOT NULL)", names, buf);
        break;
    case PLAN_EXPR_IS_TRUE:
        print_around(expr, "(", "", " IS TRUE)", names, buf);
        break;
    case PLAN_EXPR_IS_DISTINCT:
        print_around(expr, "(", " IS DISTINCT FROM ", ")", names, buf);
        break;
    case PLAN_EXPR_CASE:
        print_case(expr, names, buf);
        break;
    case PLAN_EXPR_COALESCE:
        print_around(expr, "COALESCE(", ", ", ")", names, buf);
        break;
    case PLAN_EXPR_IN:
        base_buf_add_byte(buf, '(');
        plan_expr_print(expr->args[0], names, buf);
        base_buf_add_cstr(buf, " IN (");
        print_args(expr, 1, ", ", names, buf);
        base_buf_add_cstr(buf, "))");
        break;
    case PLAN_EXPR_ANY:
    case PLAN_EXPR_ALL:
        base_buf_add_byte(buf, '(');
        plan_expr_print(expr->args[0], names, buf);
        base_buf_printf(buf, " %s %s(", expr->func->name,
                        expr->kind == PLAN_EXPR_ANY ? "ANY " : "ALL ");
        plan_expr_print(expr->args[1], names, buf);
        base_buf_add_cstr(buf, "))");
        break;
    case PLAN_EXPR_FIELD: {
        const col_type *type = &expr->args[0]->type;
        print_around(expr, "(", "", ").", names, buf);
        base_buf_add_cstr(buf, expr->index < type->nfields ? type->fields[expr->index].name : "?");
        break;
    }
    case PLAN_EXPR_ROW:
        print_around(expr, "ROW(", ", ", ")", names, buf);
        break;
    case PLAN_EXPR_OUTER:
        base_buf_printf(buf, "outer%u", expr->index);
        break;
    case PLAN_EXPR_SUBQUERY:
        base_buf_printf(buf, "subquery%u", expr->index);
        break;
    }
}
