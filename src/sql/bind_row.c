// bind_row.c - row values: (a, b) op (c, d), IN lists of rows, IS NULL of rows. A row that is only
// compared is never made: its comparison is one of its fields, in PostgreSQL's order of them. Entry
// points: sql_bind_row_items, sql_compare_rows, sql_bind_row_form, sql_bind_row_null_test.
#include "sql/subquery.h"

#include "base/must.h"

static col_type boolean(void) {
    return col_type_of(COL_BOOL);
}

static const plan_expr *negate(sql_ctx *ctx, const plan_expr *arg) {
    plan_expr *expr = sql_expr(ctx, PLAN_EXPR_NOT, boolean(), 1, arg->position);
    expr->args[0] = arg;
    return expr;
}

static const plan_expr *either(sql_ctx *ctx, const plan_expr *a, const plan_expr *b) {
    if (a == NULL) return b;
    plan_expr *expr = sql_expr(ctx, PLAN_EXPR_OR, boolean(), 2, a->position);
    expr->args[0] = a;
    expr->args[1] = b;
    return expr;
}

base_rc sql_bind_row_items(sql_binder *binder, const sql_tree *wrapper, sql_exprs *items) {
    const plan_expr *expr;
    if (!sql_is(wrapper, "RowExpr")) {
        SQL_TRY(sql_bind_expr(binder, wrapper, &expr));
        sql_exprs_add(binder->ctx, items, expr);
        return BASE_OK;
    }
    const sql_tree *list = sql_get(sql_body(wrapper), "args");
    for (const sql_tree *item = list == NULL ? NULL : list->child; item != NULL;
         item = item->next) {
        SQL_TRY(sql_bind_expr(binder, item, &expr));
        sql_exprs_add(binder->ctx, items, expr);
    }
    return BASE_OK;
}

// By the first pair that differs: a < c OR (a = c AND b < d); at the last pair op itself.
static base_rc compare_order(sql_ctx *ctx, const char *op, uint32_t n, const plan_expr *const *left,
                             const plan_expr *const *right, int32_t position,
                             const plan_expr **out) {
    const char strict[2] = {op[0], '\0'};
    SQL_TRY(sql_operator(ctx, op, left[n - 1], right[n - 1], position, out));
    for (uint32_t i = n - 1; i-- > 0;) {
        const plan_expr *before, *equal;
        SQL_TRY(sql_operator(ctx, strict, left[i], right[i], position, &before));
        SQL_TRY(sql_operator(ctx, "=", left[i], right[i], position, &equal));
        *out = either(ctx, before, sql_and(ctx, equal, *out));
    }
    return BASE_OK;
}

base_rc sql_compare_rows(sql_ctx *ctx, const char *op, uint32_t n, const plan_expr *const *left,
                         const plan_expr *const *right, int32_t position, const plan_expr **out) {
    if (n == 0) return sql_unsupported(ctx, position, "cannot compare rows of zero length");
    if (n == 1) return sql_operator(ctx, op, left[0], right[0], position, out);
    bool equal = strcmp(op, "=") == 0, unequal = strcmp(op, "<>") == 0;
    if (!equal && !unequal && op[0] != '<' && op[0] != '>') {
        sql_unsupported(ctx, position,
                        "could not determine interpretation of row comparison "
                        "operator %s",
                        op);
        return ctx->err->code;
    }
    if (!equal && !unequal) return compare_order(ctx, op, n, left, right, position, out);
    *out = NULL;
    for (uint32_t i = 0; i < n; i++) {
        const plan_expr *part;
        SQL_TRY(sql_operator(ctx, op, left[i], right[i], position, &part));
        *out = equal ? sql_and(ctx, *out, part) : either(ctx, *out, part);
    }
    return BASE_OK;
}

static base_rc distinct_rows(sql_ctx *ctx, uint32_t n, const plan_expr *const *left,
                             const plan_expr *const *right, int32_t position,
                             const plan_expr **out) {
    *out = NULL;
    for (uint32_t i = 0; i < n; i++) {
        const plan_expr *pair[2] = {left[i], right[i]}, *check;
        col_type type;
        SQL_TRY(sql_operator(ctx, "=", left[i], right[i], position, &check));
        SQL_TRY(sql_common_type(ctx, "IS DISTINCT FROM", 2, pair, &type));
        plan_expr *part = sql_expr(ctx, PLAN_EXPR_IS_DISTINCT, boolean(), 2, position);
        memcpy(part->args, pair, sizeof pair);
        *out = either(ctx, *out, part);
    }
    return BASE_OK;
}

// ---- (a, b) op (SELECT c, d ...) -------------------------------------------------------------

static base_rc query_fields(sql_binder *binder, const sql_tree *sublink, uint32_t n,
                            int32_t position, sql_exprs *fields) {
    const plan_expr *row;
    SQL_TRY(sql_bind_row_query(binder, sublink, n, position, &row));
    for (uint32_t i = 0; i < n; i++) {
        plan_expr *field =
            sql_expr(binder->ctx, PLAN_EXPR_FIELD, row->type.fields[i].type, 1, position);
        field->index = i;
        field->args[0] = row;
        sql_exprs_add(binder->ctx, fields, field);
    }
    return BASE_OK;
}

static base_rc bind_side(sql_binder *binder, const sql_tree *wrapper, uint32_t n, int32_t position,
                         sql_exprs *items) {
    if (sql_is(wrapper, "SubLink") && n > 1)
        return query_fields(binder, sql_body(wrapper), n, position, items);
    SQL_TRY(sql_bind_row_items(binder, wrapper, items));
    if (items->n != n)
        return SQL_SYNTAX(binder->ctx, position, "unequal number of entries in row expressions");
    return BASE_OK;
}

// ---- forms -----------------------------------------------------------------------------------

// IN over a list and BETWEEN: the list's rows one by one.
static base_rc row_list(sql_binder *binder, const sql_tree *list, const sql_exprs *left,
                        const char *const *ops, int32_t position, const plan_expr **parts) {
    uint32_t i = 0;
    for (const sql_tree *item = sql_get(sql_body(list), "items")->child; item != NULL;
         item = item->next, i++) {
        sql_exprs right = {0};
        SQL_TRY(bind_side(binder, item, left->n, position, &right));
        SQL_TRY(sql_compare_rows(binder->ctx, ops[i], left->n, left->items, right.items, position,
                                 &parts[i]));
    }
    return BASE_OK;
}

static base_rc row_in(sql_binder *binder, const sql_tree *list, const sql_exprs *left, bool in,
                      int32_t position, const plan_expr **out) {
    sql_ctx *ctx = binder->ctx;
    uint32_t n = sql_tree_count(sql_get(sql_body(list), "items"));
    const plan_expr **parts = base_arena_array(ctx->arena, const plan_expr *, n);
    const char **ops = base_arena_array(ctx->arena, const char *, n);
    for (uint32_t i = 0; i < n; i++) ops[i] = "=";
    for (uint32_t i = 0; i < left->n; i++) SQL_TRY(sql_spend(ctx, left->items[i], n, position));
    SQL_TRY(row_list(binder, list, left, ops, position, parts));
    plan_expr *any = sql_expr(ctx, PLAN_EXPR_OR, boolean(), n, position);
    memcpy(any->args, parts, n * sizeof *parts);
    *out = n == 1 ? parts[0] : any;
    if (!in) *out = negate(ctx, *out);
    return BASE_OK;
}

static base_rc row_between(sql_binder *binder, const sql_tree *list, const sql_exprs *left,
                           bool symmetric, bool is_not, int32_t position, const plan_expr **out) {
    static const char *const within[] = {">=", "<="}, *const reversed[] = {"<=", ">="};
    sql_ctx *ctx = binder->ctx;
    const plan_expr *parts[2];
    for (uint32_t i = 0; i < left->n; i++) SQL_TRY(sql_spend(ctx, left->items[i], 4, position));
    SQL_TRY(row_list(binder, list, left, within, position, parts));
    *out = sql_and(ctx, parts[0], parts[1]);
    if (symmetric) {
        SQL_TRY(row_list(binder, list, left, reversed, position, parts));
        *out = either(ctx, *out, sql_and(ctx, parts[0], parts[1]));
    }
    if (is_not) *out = negate(ctx, *out);
    return BASE_OK;
}

bool sql_is_row_form(const sql_tree *left, const sql_tree *right, const char *kind) {
    if (sql_is(left, "RowExpr"))
        return strcmp(kind, "AEXPR_NULLIF") != 0 && strcmp(kind, "AEXPR_OP_ANY") != 0 &&
               strcmp(kind, "AEXPR_OP_ALL") != 0;
    return strcmp(kind, "AEXPR_OP") == 0 && sql_is(left, "SubLink") && sql_is(right, "RowExpr");
}

base_rc sql_bind_row_form(sql_binder *binder, const char *kind, const char *op,
                          const sql_tree *left, const sql_tree *right, int32_t position,
                          const plan_expr **out) {
    sql_ctx *ctx = binder->ctx;
    sql_exprs a = {0}, b = {0};
    if (sql_is(left, "SubLink")) {
        SQL_TRY(sql_bind_row_items(binder, right, &b));
        SQL_TRY(bind_side(binder, left, b.n, position, &a));
        return sql_compare_rows(ctx, op, b.n, a.items, b.items, position, out);
    }
    SQL_TRY(sql_bind_row_items(binder, left, &a));
    if (strcmp(kind, "AEXPR_IN") == 0)
        return row_in(binder, right, &a, strcmp(op, "=") == 0, position, out);
    if (strstr(kind, "BETWEEN") != NULL)
        return row_between(binder, right, &a, strstr(kind, "SYM") != NULL,
                           strstr(kind, "NOT_") != NULL, position, out);
    SQL_TRY(bind_side(binder, right, a.n, position, &b));
    if (strcmp(kind, "AEXPR_DISTINCT") == 0)
        return distinct_rows(ctx, a.n, a.items, b.items, position, out);
    if (strcmp(kind, "AEXPR_NOT_DISTINCT") == 0) {
        SQL_TRY(distinct_rows(ctx, a.n, a.items, b.items, position, out));
        *out = negate(ctx, *out);
        return BASE_OK;
    }
    return sql_compare_rows(ctx, op, a.n, a.items, b.items, position, out);
}

base_rc sql_bind_row_null_test(sql_binder *binder, const sql_tree *row, bool is_not,
                               int32_t position, const plan_expr **out) {
    sql_ctx *ctx = binder->ctx;
    sql_exprs items = {0};
    SQL_TRY(sql_bind_row_items(binder, row, &items));
    *out = NULL;
    for (uint32_t i = 0; i < items.n; i++) {
        SQL_TRY(sql_settle(ctx, &items.items[i]));
        plan_expr *test = sql_expr(ctx, is_not ? PLAN_EXPR_IS_NOT_NULL : PLAN_EXPR_IS_NULL,
                                   boolean(), 1, position);
        test->args[0] = items.items[i];
        *out = sql_and(ctx, *out, test);
    }
    if (*out == NULL) *out = sql_bool_const(ctx, true);
    return BASE_OK;
}

base_rc sql_null_test_fields(sql_ctx *ctx, plan_expr_kind kind, const plan_expr *row,
                             const plan_expr **out) {
    *out = NULL;
    SQL_TRY(sql_spend(ctx, row, row->type.nfields, row->position));
    for (uint32_t i = 0; i < row->type.nfields; i++) {
        plan_expr *field =
            sql_expr(ctx, PLAN_EXPR_FIELD, row->type.fields[i].type, 1, row->position);
        plan_expr *test = sql_expr(ctx, kind, boolean(), 1, row->position);
        field->index = i;
        field->args[0] = row;
        test->args[0] = field;
        *out = sql_and(ctx, *out, test);
    }
    if (*out == NULL) *out = sql_bool_const(ctx, true);
    return BASE_OK;
}

base_rc sql_period_ends(sql_ctx *ctx, const plan_expr **args, int32_t position) {
    for (uint32_t i = 0; i < 4; i += 2) {
        if (args[i + 1]->type.kind != COL_INTERVAL) continue;
        SQL_TRY(sql_spend(ctx, args[i], 1, position));
        SQL_TRY(sql_operator(ctx, "+", args[i], args[i + 1], position, &args[i + 1]));
    }
    return BASE_OK;
}
