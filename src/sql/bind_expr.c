// bind_expr.c - expressions: a table from the parse tree's node types to handlers, and a second one
// for the kinds of A_Expr. To support another form, write a handler and add a row. Entry point:
// sql_bind_expr.
#include "sql/sql_int.h"

#include <errno.h>
#include <stdlib.h>

#include "base/must.h"
#include "col/array.h"

static col_type boolean(void) {
    return col_type_of(COL_BOOL);
}

static base_rc check_condition(sql_ctx *ctx, const char *place, const plan_expr **expr) {
    if (!sql_is_unknown(*expr) && (*expr)->type.kind != COL_BOOL)
        return sql_fail(ctx, (*expr)->position, BASE_E_INVALID, BASE_SQLSTATE_DATATYPE_MISMATCH,
                        "argument of %s must be type boolean, not type %s", place,
                        sql_type_name(ctx, &(*expr)->type));
    return sql_coerce(ctx, *expr, boolean(), COL_CAST_IMPLICIT, expr);
}

base_rc sql_bind_condition(sql_binder *binder, const sql_tree *wrapper, const char *place,
                           const plan_expr **out) {
    const char *outer_place = binder->place;
    binder->place = place;
    SQL_TRY(sql_bind_expr(binder, wrapper, out));
    binder->place = outer_place;
    return check_condition(binder->ctx, place, out);
}

// ---- constants and parameters ----------------------------------------------------------------

static base_rc number_const(sql_ctx *ctx, const char *text, int32_t position,
                            const plan_expr **out) {
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (*end == '\0' && errno == 0) {
        bool small = value >= INT32_MIN && value <= INT32_MAX;
        *out = sql_i64_const(ctx, value, small ? COL_INT4 : COL_INT8, position);
        return BASE_OK;
    }
    return sql_coerce(ctx, sql_text_const(ctx, text, COL_UNKNOWN, position),
                      col_type_of(COL_NUMERIC), COL_CAST_IMPLICIT, out);
}

static base_rc bind_const(sql_binder *binder, const sql_tree *body, const plan_expr **out) {
    sql_ctx *ctx = binder->ctx;
    int32_t position = sql_tree_position(ctx, body);
    const sql_tree *value;
    int64_t number;
    if (sql_get_int(ctx, body, &number)) {
        *out = sql_i64_const(ctx, number, COL_INT4, position);
    } else if ((value = sql_get(body, "fval")) != NULL) {
        const char *text = value->text != NULL ? value->text : sql_get_text(value, "fval");
        return number_const(ctx, text, position, out);
    } else if ((value = sql_get(body, "sval")) != NULL) {
        const char *text = value->text != NULL ? value->text : sql_get_text(value, "sval");
        *out = sql_text_const(ctx, text == NULL ? "" : text, COL_UNKNOWN, position);
    } else if ((value = sql_get(body, "boolval")) != NULL) {
        *out = sql_bool_const(ctx, sql_get_bool(value, "boolval"));
    } else if (sql_get_bool(body, "isnull")) {
        *out = sql_text_const(ctx, NULL, COL_UNKNOWN, position);
    } else {
        return sql_unsupported(ctx, position, "bit string literals are not supported");
    }
    return BASE_OK;
}

static base_rc bind_param(sql_binder *binder, const sql_tree *body, const plan_expr **out) {
    sql_ctx *ctx = binder->ctx;
    int32_t position = sql_tree_position(ctx, body);
    int64_t number = sql_get_number(body, "number", 0);
    if (number < 1 || number > SQL_PARAMS_MAX)
        return sql_fail(ctx, position, BASE_E_INVALID, "42P02", "there is no parameter $%lld",
                        (long long)number);
    if (ctx->view_word != NULL)
        return sql_fail(ctx, position, BASE_E_INVALID, "42P02",
                        "there is no parameter $%lld: a %s cannot have parameters",
                        (long long)number, ctx->view_word);
    if ((uint32_t)number > ctx->params_cap) {
        uint32_t cap = (uint32_t)number + 16;
        col_type *params = base_arena_array(ctx->arena, col_type, cap);
        if (ctx->nparams > 0) memcpy(params, ctx->params, ctx->nparams * sizeof *params);
        ctx->params = params;
        ctx->params_cap = cap;
    }
    if ((uint32_t)number > ctx->nparams) ctx->nparams = (uint32_t)number;
    col_type type = ctx->params[number - 1];
    plan_expr *expr = sql_expr(ctx, PLAN_EXPR_PARAM, type, 0, position);
    expr->index = (uint32_t)number - 1;
    *out = expr;
    return BASE_OK;
}

// ---- casts -----------------------------------------------------------------------------------

// INTERVAL '1' HOUR: the field after the literal is the unit of a bare number.
static const plan_expr *interval_unit(sql_ctx *ctx, const plan_expr *arg, const sql_tree *type) {
    // Bits as PostgreSQL's INTERVAL_MASK; the least field of a range counts.
    static const struct {
        int bit;
        const char *unit;
    } units[] = {{12, "seconds"}, {11, "minutes"}, {10, "hours"},
                 {3, "days"},     {1, "months"},   {2, "years"}};
    const sql_tree *mods = sql_get(type, "typmods");
    if (mods == NULL || sql_const_is_null(arg)) return arg;
    int64_t mask;
    sql_get_int(ctx, sql_body(mods->child), &mask);
    base_str text = base_str_trim(col_str(arg->constant)[0]);
    for (size_t i = 0; i < text.n; i++)
        if (strchr("0123456789.+-", text.p[i]) == NULL) return arg;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (!(mask & (1ll << units[i].bit))) continue;
        const char *full =
            base_arena_printf(ctx->arena, "%.*s %s", BASE_STR_ARG(text), units[i].unit);
        return sql_text_const(ctx, full, COL_UNKNOWN, arg->position);
    }
    return arg;
}

static base_rc bind_cast(sql_binder *binder, const sql_tree *body, const plan_expr **out) {
    sql_ctx *ctx = binder->ctx;
    const plan_expr *arg;
    col_type type;
    SQL_TRY(sql_type_from_tree(ctx, sql_get(body, "typeName"), &type));
    if (sql_is(sql_get(body, "arg"), "A_ArrayExpr") && col_kind_is_array(type.kind)) {
        col_type element = col_type_element(&type);
        return sql_bind_array(binder, sql_body(sql_get(body, "arg")), &element, out);
    }
    SQL_TRY(sql_bind_expr(binder, sql_get(body, "arg"), &arg));
    int32_t position = sql_tree_position(ctx, body);
    if (arg->kind == PLAN_EXPR_CONST && sql_is_unknown(arg) && type.kind == COL_INTERVAL)
        arg = interval_unit(ctx, arg, sql_get(body, "typeName"));
    if (arg->kind == PLAN_EXPR_CONST && sql_is_unknown(arg))
        return sql_coerce(ctx, arg, type, COL_CAST_EXPLICIT, out);
    if (!sql_can_coerce(arg, type.kind, COL_CAST_EXPLICIT))
        return sql_fail(ctx, position, BASE_E_INVALID, "42846", "cannot cast type %s to %s",
                        sql_type_name(ctx, &arg->type), sql_type_name(ctx, &type));
    return sql_coerce(ctx, arg, type, COL_CAST_EXPLICIT, out);
}

static base_rc bind_collate(sql_binder *binder, const sql_tree *body, const plan_expr **out) {
    const sql_tree *last = sql_get(body, "collname")->child;
    while (last->next != NULL) last = last->next;
    const char *name = sql_string(last);
    // Text is ordered by bytes; these all mean that here.
    if (strcmp(name, "C") != 0 && strcmp(name, "POSIX") != 0 && strcmp(name, "default") != 0 &&
        strcmp(name, "ucs_basic") != 0)
        return sql_unsupported(binder->ctx, sql_tree_position(binder->ctx, body),
                               "collation \"%s\" is not supported: text is ordered by bytes, as "
                               "in \"C\"",
                               name);
    return sql_bind_expr(binder, sql_get(body, "arg"), out);
}

// ---- boolean ---------------------------------------------------------------------------------

static base_rc bind_bool(sql_binder *binder, const sql_tree *body, const plan_expr **out) {
    const char *op = sql_get_text(body, "boolop");
    const char *word = op == NULL || strcmp(op, "AND_EXPR") == 0 ? "AND"
                       : strcmp(op, "OR_EXPR") == 0              ? "OR"
                                                                 : "NOT";
    plan_expr_kind kind = word[0] == 'A'   ? PLAN_EXPR_AND
                          : word[0] == 'O' ? PLAN_EXPR_OR
                                           : PLAN_EXPR_NOT;
    const sql_tree *args = sql_get(body, "args");
    plan_expr *expr = sql_expr(binder->ctx, kind, boolean(), sql_tree_count(args),
                               sql_tree_position(binder->ctx, body));
    uint32_t i = 0;
    bool negated = binder->negated;
    binder->negated |= kind == PLAN_EXPR_NOT;
    for (const sql_tree *arg = args->child; arg != NULL; arg = arg->next) {
        // The operands stand in the same clause; only the message about their type names the word.
        SQL_TRY(sql_bind_expr(binder, arg, &expr->args[i]));
        SQL_TRY(check_condition(binder->ctx, word, &expr->args[i]));
        i++;
    }
    binder->negated = negated;
    *out = expr;
    return BASE_OK;
}

static base_rc bind_null_test(sql_binder *binder, const sql_tree *body, const plan_expr **out) {
    const char *type = sql_get_text(body, "nulltesttype");
    bool is_not = type != NULL && strcmp(type, "IS_NOT_NULL") == 0;
    if (sql_is(sql_get(body, "arg"), "RowExpr"))
        return sql_bind_row_null_test(binder, sql_get(body, "arg"), is_not,
                                      sql_tree_position(binder->ctx, body), out);
    plan_expr *expr = sql_expr(binder->ctx, is_not ? PLAN_EXPR_IS_NOT_NULL : PLAN_EXPR_IS_NULL,
                               boolean(), 1, sql_tree_position(binder->ctx, body));
    SQL_TRY(sql_bind_expr(binder, sql_get(body, "arg"), &expr->args[0]));
    SQL_TRY(sql_settle(binder->ctx, &expr->args[0]));
    *out = expr;
    if (expr->args[0]->type.kind == COL_STRUCT)
        return sql_null_test_fields(binder->ctx, expr->kind, expr->args[0], out);
    return BASE_OK;
}

static const plan_expr *negate(sql_ctx *ctx, const plan_expr *arg) {
    plan_expr *expr = sql_expr(ctx, PLAN_EXPR_NOT, boolean(), 1, arg->position);
    expr->args[0] = arg;
    return expr;
}

static base_rc bind_bool_test(sql_binder *binder, const sql_tree *body, const plan_expr **out) {
    sql_ctx *ctx = binder->ctx;
    const char *type = sql_get_text(body, "booltesttype");
    const char *test = type == NULL ? "IS_TRUE" : type;
    const plan_expr *arg;
    SQL_TRY(sql_bind_condition(binder, sql_get(body, "arg"), "IS TRUE", &arg));
    bool unknown = strstr(test, "UNKNOWN") != NULL, is_not = strstr(test, "NOT") != NULL;
    if (strstr(test, "FALSE") != NULL) arg = negate(ctx, arg); // IS FALSE: its negation IS TRUE
    plan_expr_kind kind = !unknown ? PLAN_EXPR_IS_TRUE
                          : is_not ? PLAN_EXPR_IS_NOT_NULL
                                   : PLAN_EXPR_IS_NULL;
    plan_expr *expr = sql_expr(ctx, kind, boolean(), 1, arg->position);
    expr->args[0] = arg;
    *out = is_not && !unknown ? negate(ctx, expr) : expr;
    return BASE_OK;
}

// ---- conditional forms -----------------------------------------------------------------------

static base_rc bind_case(sql_binder *binder, const sql_tree *body, const plan_expr **out) {
    sql_ctx *ctx = binder->ctx;
    int32_t position = sql_tree_position(ctx, body);
    const sql_tree *arg_tree = sql_get(body, "arg"), *whens = sql_get(body, "args");
    uint32_t n = sql_tree_count(whens), i = 0;
    const plan_expr *arg = NULL;
    if (arg_tree != NULL) {
        SQL_TRY(sql_bind_expr(binder, arg_tree, &arg));
        SQL_TRY(sql_settle(ctx, &arg));
        SQL_TRY(sql_spend(ctx, arg, n, position));
    }
    plan_expr *expr = sql_expr(ctx, PLAN_EXPR_CASE, boolean(), 2 * n + 1, position);
    const plan_expr **results = base_arena_array(ctx->arena, const plan_expr *, n + 1);
    for (const sql_tree *when = whens->child; when != NULL; when = when->next, i++) {
        const sql_tree *when_body = sql_body(when);
        if (arg == NULL) {
            SQL_TRY(sql_bind_condition(binder, sql_get(when_body, "expr"), "CASE/WHEN",
                                       &expr->args[2 * i]));
        } else {
            const plan_expr *value;
            SQL_TRY(sql_bind_expr(binder, sql_get(when_body, "expr"), &value));
            SQL_TRY(sql_operator(ctx, "=", arg, value, sql_tree_position(ctx, when_body),
                                 &expr->args[2 * i]));
        }
        // ELSE's type counts first, as in PostgreSQL.
        SQL_TRY(sql_bind_expr(binder, sql_get(when_body, "result"), &results[i + 1]));
    }
    const sql_tree *otherwise = sql_get(body, "defresult");
    if (otherwise != NULL) {
        SQL_TRY(sql_bind_expr(binder, otherwise, &results[0]));
    } else {
        results[0] = sql_text_const(ctx, NULL, COL_UNKNOWN, position);
    }
    SQL_TRY(sql_common_type(ctx, "CASE", n + 1, results, &expr->type));
    for (i = 0; i < n; i++) expr->args[2 * i + 1] = results[i + 1];
    expr->args[2 * n] = results[0];
    *out = expr;
    return BASE_OK;
}

static base_rc bind_list(sql_binder *binder, const sql_tree *list, sql_exprs *out) {
    for (const sql_tree *item = list == NULL ? NULL : list->child; item != NULL;
         item = item->next) {
        const plan_expr *expr;
        SQL_TRY(sql_bind_expr(binder, item, &expr));
        sql_exprs_add(binder->ctx, out, expr);
    }
    return BASE_OK;
}

static base_rc bind_coalesce(sql_binder *binder, const sql_tree *body, const plan_expr **out) {
    sql_exprs args = {0};
    col_type type;
    SQL_TRY(bind_list(binder, sql_get(body, "args"), &args));
    SQL_TRY(sql_common_type(binder->ctx, "COALESCE", args.n, args.items, &type));
    plan_expr *expr = sql_expr(binder->ctx, PLAN_EXPR_COALESCE, type, args.n,
                               sql_tree_position(binder->ctx, body));
    memcpy(expr->args, args.items, args.n * sizeof *args.items);
    *out = expr;
    return BASE_OK;
}

// GREATEST and LEAST pass over nulls. Of two values: CASE WHEN b IS NULL THEN a WHEN a >= b THEN a
// ELSE b END; of more a function chooses.
static base_rc bind_min_max(sql_binder *binder, const sql_tree *body, const plan_expr **out) {
    sql_ctx *ctx = binder->ctx;
    const char *op = sql_get_text(body, "op");
    bool greatest = op == NULL || strcmp(op, "IS_GREATEST") == 0;
    int32_t position = sql_tree_position(ctx, body);
    sql_exprs args = {0};
    col_type type;
    SQL_TRY(bind_list(binder, sql_get(body, "args"), &args));
    SQL_TRY(sql_common_type(ctx, greatest ? "GREATEST" : "LEAST", args.n, args.items, &type));
    if (args.n > 2 || plan_expr_is_volatile(args.items[0]) ||
        plan_expr_is_volatile(args.items[args.n - 1]))
        return sql_call(ctx, greatest ? "greatest" : "least", args.n, args.items, position, out);
    *out = args.items[0];
    if (args.n < 2) return BASE_OK;
    const plan_expr *a = args.items[0], *b = args.items[1];
    SQL_TRY(sql_spend(ctx, a, 3, position));
    SQL_TRY(sql_spend(ctx, b, 3, position));
    plan_expr *expr = sql_expr(ctx, PLAN_EXPR_CASE, type, 5, position);
    plan_expr *null = sql_expr(ctx, PLAN_EXPR_IS_NULL, boolean(), 1, position);
    null->args[0] = b;
    expr->args[0] = null;
    expr->args[1] = a;
    SQL_TRY(sql_operator(ctx, greatest ? ">=" : "<=", a, b, position, &expr->args[2]));
    expr->args[3] = a;
    expr->args[4] = b;
    *out = expr;
    return BASE_OK;
}

static base_rc bind_row(sql_binder *binder, const sql_tree *body, const plan_expr **out) {
    sql_ctx *ctx = binder->ctx;
    sql_exprs args = {0};
    SQL_TRY(bind_list(binder, sql_get(body, "args"), &args));
    col_field *fields = base_arena_array(ctx->arena, col_field, args.n);
    for (uint32_t i = 0; i < args.n; i++) {
        SQL_TRY(sql_settle(ctx, &args.items[i]));
        fields[i].name = base_arena_printf(ctx->arena, "f%u", i + 1);
        fields[i].type = args.items[i]->type;
    }
    col_type type = {COL_STRUCT, 0, 0, (uint16_t)args.n, fields};
    plan_expr *expr = sql_expr(ctx, PLAN_EXPR_ROW, type, args.n, sql_tree_position(ctx, body));
    if (args.n > 0) memcpy(expr->args, args.items, args.n * sizeof *args.items);
    *out = expr;
    return BASE_OK;
}

// ---- value functions, fields, arrays ---------------------------------------------------------

static base_rc bind_value_function(sql_binder *binder, const sql_tree *body,
                                   const plan_expr **out) {
    static const struct {
        const char *op, *func;
        col_kind cast;
    } forms[] = {
        {"SVFOP_CURRENT_DATE", "now", COL_DATE},
        {"SVFOP_CURRENT_TIME", "now", COL_TIME},
        {"SVFOP_CURRENT_TIMESTAMP", "now", COL_UNKNOWN},
        {"SVFOP_CURRENT_TIMESTAMP_N", "now", COL_UNKNOWN},
        {"SVFOP_LOCALTIME", "now", COL_TIME},
        {"SVFOP_LOCALTIMESTAMP", "now", COL_TIMESTAMP},
        {"SVFOP_LOCALTIMESTAMP_N", "now", COL_TIMESTAMP},
        {"SVFOP_CURRENT_ROLE", "current_user", COL_UNKNOWN},
        {"SVFOP_CURRENT_USER", "current_user", COL_UNKNOWN},
        {"SVFOP_USER", "current_user", COL_UNKNOWN},
        {"SVFOP_SESSION_USER", "session_user", COL_UNKNOWN},
        {"SVFOP_CURRENT_CATALOG", "current_database", COL_UNKNOWN},
        {"SVFOP_CURRENT_SCHEMA", "current_schema", COL_UNKNOWN},
    };
    sql_ctx *ctx = binder->ctx;
    int32_t position = sql_tree_position(ctx, body);
    const char *op = sql_get_text(body, "op");
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        if (op == NULL || strcmp(op, forms[i].op) != 0) continue;
        SQL_TRY(sql_call(ctx, forms[i].func, 0, NULL, position, out));
        if (forms[i].cast == COL_UNKNOWN) return BASE_OK;
        return sql_coerce(ctx, *out, col_type_of(forms[i].cast), COL_CAST_EXPLICIT, out);
    }
    return sql_unsupported(ctx, position, "%s is not supported", op == NULL ? "this form" : op);
}

static base_rc bind_indirection(sql_binder *binder, const sql_tree *body, const plan_expr **out) {
    const plan_expr *arg;
    SQL_TRY(sql_bind_expr(binder, sql_get(body, "arg"), &arg));
    for (const sql_tree *part = sql_get(body, "indirection")->child; part != NULL;
         part = part->next) {
        if (sql_is(part, "A_Indices")) {
            SQL_TRY(sql_bind_subscript(binder, part, arg, &arg));
            continue;
        }
        const char *name = sql_string(part);
        if (name == NULL)
            return sql_unsupported(binder->ctx, arg->position, "(row).* is not supported");
        SQL_TRY(sql_bind_fields(binder->ctx, arg, 1, &name, arg->position, &arg));
    }
    *out = arg;
    return BASE_OK;
}

static base_rc bind_array(sql_binder *binder, const sql_tree *body, const plan_expr **out) {
    return sql_bind_array(binder, body, NULL, out);
}

static base_rc bind_default_marker(sql_binder *binder, const sql_tree *body,
                                   const plan_expr **out) {
    (void)out;
    return SQL_SYNTAX(binder->ctx, sql_tree_position(binder->ctx, body),
                      "DEFAULT is not allowed in this context");
}

// ---- A_Expr ----------------------------------------------------------------------------------

typedef struct op_form {
    sql_binder *binder;
    const sql_tree *left, *right; // wrappers; right may be a List
    const char *name;
    int32_t position;
} op_form;

static base_rc bind_op(const op_form *form, const plan_expr **out) {
    const plan_expr *left = NULL, *right;
    if (form->left != NULL) SQL_TRY(sql_bind_expr(form->binder, form->left, &left));
    SQL_TRY(sql_bind_expr(form->binder, form->right, &right));
    sql_ctx *ctx = form->binder->ctx;
    // "- 1" is one constant, so that -9223372036854775808 and ranges read well.
    SQL_TRY(sql_operator(ctx, form->name, left, right, form->position, out));
    return BASE_OK;
}

// One comparison each, joined by OR, each with an operator of its own.
static base_rc any_of_each(const op_form *form, bool in, const plan_expr *left,
                           const sql_exprs *items, const plan_expr **out) {
    sql_ctx *ctx = form->binder->ctx;
    SQL_TRY(sql_spend(ctx, left, items->n, form->position));
    plan_expr *either = sql_expr(ctx, PLAN_EXPR_OR, boolean(), items->n, form->position);
    for (uint32_t i = 0; i < items->n; i++)
        SQL_TRY(sql_operator(ctx, "=", left, items->items[i], form->position, &either->args[i]));
    *out = items->n == 1 ? either->args[0] : either;
    if (!in) *out = negate(ctx, *out);
    return BASE_OK;
}

static base_rc any_of(const op_form *form, bool in, const plan_expr *left, const sql_exprs *items,
                      const plan_expr **out) {
    sql_ctx *ctx = form->binder->ctx;
    // One type for all: the list form. Otherwise, as PostgreSQL, one comparison each.
    sql_exprs all = {0};
    sql_exprs_add(ctx, &all, left);
    for (uint32_t i = 0; i < items->n; i++) sql_exprs_add(ctx, &all, items->items[i]);
    col_type type;
    const plan_expr *check;
    for (uint32_t i = 0; i < items->n; i++) // says what PostgreSQL says if there is no operator
        SQL_TRY(sql_operator(ctx, "=", left, items->items[i], form->position, &check));
    base_error *err = ctx->err, ignored;
    ctx->err = &ignored;
    base_rc rc = sql_common_type(ctx, "IN", all.n, all.items, &type);
    ctx->err = err;
    if (rc != BASE_OK) return any_of_each(form, in, left, items, out);
    plan_expr *expr = sql_expr(ctx, PLAN_EXPR_IN, boolean(), all.n, form->position);
    memcpy(expr->args, all.items, all.n * sizeof *all.items);
    *out = in ? expr : negate(ctx, expr);
    return BASE_OK;
}

static base_rc bind_in(const op_form *form, const plan_expr **out) {
    const plan_expr *left;
    sql_exprs items = {0};
    SQL_TRY(sql_bind_expr(form->binder, form->left, &left));
    SQL_TRY(bind_list(form->binder, sql_get(sql_body(form->right), "items"), &items));
    return any_of(form, strcmp(form->name, "=") == 0, left, &items, out);
}

#define ANY_LIST_MAX 1000u // elements of a constant array that are compared as a list

static void list_elements(sql_ctx *ctx, const col_vec *elements, int32_t position,
                          sql_exprs *items) {
    for (uint32_t i = 0; i < elements->n; i++) {
        const uint32_t sel[] = {i};
        plan_expr *item = base_arena_new(ctx->arena, plan_expr);
        *item = *plan_expr_const(ctx->arena, col_vec_gather(ctx->arena, elements, sel, 1));
        item->position = position;
        sql_exprs_add(ctx, items, item);
    }
}

// x op ANY (array) and x op ALL (array). = ANY and <> ALL of elements that are known one by one are
// lists like that of IN.
static base_rc bind_any_all(const op_form *form, bool any, const plan_expr **out) {
    sql_ctx *ctx = form->binder->ctx;
    const plan_expr *left, *array;
    sql_exprs items = {0};
    bool listed = strcmp(form->name, any ? "=" : "<>") == 0;
    SQL_TRY(sql_bind_expr(form->binder, form->left, &left));
    if (listed && sql_is(form->right, "A_ArrayExpr")) {
        SQL_TRY(bind_list(form->binder, sql_get(sql_body(form->right), "elements"), &items));
        bool flat = items.n > 0;
        for (uint32_t i = 0; i < items.n; i++)
            flat &= !col_kind_is_array(items.items[i]->type.kind);
        if (flat) return any_of(form, any, left, &items, out);
    }
    SQL_TRY(sql_bind_expr(form->binder, form->right, &array));
    if (sql_is_unknown(array) && !sql_is_unknown(left) && col_kind_has_array(left->type.kind))
        SQL_TRY(sql_coerce(ctx, array, col_type_of(col_kind_array_of(left->type.kind)),
                           COL_CAST_IMPLICIT, &array));
    if (listed && array->kind == PLAN_EXPR_CONST && col_kind_is_array(array->type.kind) &&
        !sql_const_is_null(array)) {
        col_lists lists;
        col_array_flatten(ctx->arena, array->constant, &lists);
        if (lists.elements.n <= ANY_LIST_MAX) {
            list_elements(ctx, &lists.elements, array->position, &items);
            if (items.n > 0) return any_of(form, any, left, &items, out);
        }
    }
    base_rc rc = sql_quantify(ctx, form->name, any, left, array, form->position, out);
    if (rc != BASE_OK && sql_rows_none(form->binder)) { // never evaluated
        *out = plan_expr_null(ctx->arena, boolean());
        return BASE_OK;
    }
    return rc;
}

static base_rc bind_op_any(const op_form *form, const plan_expr **out) {
    return bind_any_all(form, true, out);
}
static base_rc bind_op_all(const op_form *form, const plan_expr **out) {
    return bind_any_all(form, false, out);
}

static base_rc between(const op_form *form, bool symmetric, bool is_not, const plan_expr **out) {
    sql_ctx *ctx = form->binder->ctx;
    const plan_expr *value, *parts[4];
    sql_exprs bounds = {0};
    SQL_TRY(sql_bind_expr(form->binder, form->left, &value));
    SQL_TRY(bind_list(form->binder, sql_get(sql_body(form->right), "items"), &bounds));
    must(bounds.n == 2);
    SQL_TRY(sql_spend(ctx, value, symmetric ? 4 : 2, form->position));
    if (symmetric) {
        SQL_TRY(sql_spend(ctx, bounds.items[0], 2, form->position));
        SQL_TRY(sql_spend(ctx, bounds.items[1], 2, form->position));
    }
    for (int side = 0; side < (symmetric ? 2 : 1); side++) {
        SQL_TRY(
            sql_operator(ctx, ">=", value, bounds.items[side], form->position, &parts[2 * side]));
        SQL_TRY(sql_operator(ctx, "<=", value, bounds.items[1 - side], form->position,
                             &parts[2 * side + 1]));
    }
    const plan_expr *result = sql_and(ctx, parts[0], parts[1]);
    if (symmetric) {
        plan_expr *either = sql_expr(ctx, PLAN_EXPR_OR, boolean(), 2, form->position);
        either->args[0] = result;
        either->args[1] = sql_and(ctx, parts[2], parts[3]);
        result = either;
    }
    *out = is_not ? negate(ctx, result) : result;
    return BASE_OK;
}

static base_rc bind_between(const op_form *form, const plan_expr **out) {
    return between(form, false, false, out);
}
static base_rc bind_not_between(const op_form *form, const plan_expr **out) {
    return between(form, false, true, out);
}
static base_rc bind_between_sym(const op_form *form, const plan_expr **out) {
    return between(form, true, false, out);
}
static base_rc bind_not_between_sym(const op_form *form, const plan_expr **out) {
    return between(form, true, true, out);
}

static base_rc distinct(const op_form *form, bool is_not, const plan_expr **out) {
    sql_ctx *ctx = form->binder->ctx;
    const plan_expr *args[2], *check;
    col_type type;
    SQL_TRY(sql_bind_expr(form->binder, form->left, &args[0]));
    SQL_TRY(sql_bind_expr(form->binder, form->right, &args[1]));
    SQL_TRY(sql_operator(ctx, "=", args[0], args[1], form->position, &check));
    SQL_TRY(sql_common_type(ctx, "IS DISTINCT FROM", 2, args, &type));
    plan_expr *expr = sql_expr(ctx, PLAN_EXPR_IS_DISTINCT, boolean(), 2, form->position);
    memcpy(expr->args, args, sizeof args);
    *out = is_not ? negate(ctx, expr) : expr;
    return BASE_OK;
}
static base_rc bind_distinct(const op_form *form, const plan_expr **out) {
    return distinct(form, false, out);
}
static base_rc bind_not_distinct(const op_form *form, const plan_expr **out) {
    return distinct(form, true, out);
}

// NULLIF(a, b) is CASE WHEN a = b THEN NULL ELSE a END, of the type that a has as an operand of
// that =: numeric if b is numeric, text for a varchar.
static base_rc bind_nullif(const op_form *form, const plan_expr **out) {
    sql_ctx *ctx = form->binder->ctx;
    const plan_expr *left, *right;
    SQL_TRY(sql_bind_expr(form->binder, form->left, &left));
    SQL_TRY(sql_bind_expr(form->binder, form->right, &right));
    SQL_TRY(sql_spend(ctx, left, 2, form->position));
    plan_expr *expr = sql_expr(ctx, PLAN_EXPR_CASE, left->type, 3, form->position);
    SQL_TRY(sql_operator(ctx, "=", left, right, form->position, &expr->args[0]));
    SQL_TRY(sql_settle(ctx, &left));
    const plan_expr *equal = expr->args[0];
    if (equal->kind == PLAN_EXPR_CALL && equal->nargs == 2 &&
        equal->args[0]->type.kind != left->type.kind)
        left = equal->args[0];
    if (left->type.kind == COL_VARCHAR)
        SQL_TRY(sql_coerce(ctx, left, col_type_of(COL_TEXT), COL_CAST_IMPLICIT, &left));
    expr->type = left->type;
    expr->args[1] = plan_expr_null(ctx->arena, left->type);
    expr->args[2] = left;
    *out = expr;
    return BASE_OK;
}

static const struct {
    const char *kind;
    base_rc (*bind)(const op_form *form, const plan_expr **out);
} op_forms[] = {
    {"AEXPR_OP", bind_op},
    {"AEXPR_IN", bind_in},
    {"AEXPR_LIKE", bind_op}, // named ~~ and !~~
    {"AEXPR_ILIKE", bind_op},
    {"AEXPR_SIMILAR", bind_op}, // named ~ and !~, of similar_to_escape
    {"AEXPR_BETWEEN", bind_between},
    {"AEXPR_NOT_BETWEEN", bind_not_between},
    {"AEXPR_BETWEEN_SYM", bind_between_sym},
    {"AEXPR_NOT_BETWEEN_SYM", bind_not_between_sym},
    {"AEXPR_DISTINCT", bind_distinct},
    {"AEXPR_NOT_DISTINCT", bind_not_distinct},
    {"AEXPR_NULLIF", bind_nullif},
    {"AEXPR_OP_ANY", bind_op_any},
    {"AEXPR_OP_ALL", bind_op_all},
};

static base_rc bind_a_expr(sql_binder *binder, const sql_tree *body, const plan_expr **out) {
    const sql_tree *names = sql_get(body, "name"), *last = names == NULL ? NULL : names->child;
    while (last != NULL && last->next != NULL) last = last->next;
    op_form form = {.binder = binder,
                    .left = sql_get(body, "lexpr"),
                    .right = sql_get(body, "rexpr"),
                    .name = last == NULL ? "" : sql_string(last),
                    .position = sql_tree_position(binder->ctx, body)};
    const char *kind = sql_get_text(body, "kind");
    if (kind == NULL) kind = "AEXPR_OP";
    if (form.left != NULL && sql_is_row_form(form.left, form.right, kind))
        return sql_bind_row_form(binder, kind, form.name, form.left, form.right, form.position,
                                 out);
    for (size_t i = 0; i < sizeof op_forms / sizeof op_forms[0]; i++)
        if (strcmp(kind, op_forms[i].kind) == 0) return op_forms[i].bind(&form, out);
    return sql_unsupported(binder->ctx, form.position, "%s is not supported", kind);
}

// ---- dispatch --------------------------------------------------------------------------------

static const struct {
    const char *type;
    base_rc (*bind)(sql_binder *binder, const sql_tree *body, const plan_expr **out);
} expr_types[] = {
    {"ColumnRef", sql_bind_column_ref},
    {"A_Const", bind_const},
    {"A_Expr", bind_a_expr},
    {"FuncCall", sql_bind_func_call},
    {"BoolExpr", bind_bool},
    {"TypeCast", bind_cast},
    {"ParamRef", bind_param},
    {"NullTest", bind_null_test},
    {"BooleanTest", bind_bool_test},
    {"CaseExpr", bind_case},
    {"CoalesceExpr", bind_coalesce},
    {"MinMaxExpr", bind_min_max},
    {"SQLValueFunction", bind_value_function},
    {"A_Indirection", bind_indirection},
    {"CollateClause", bind_collate},
    {"SubLink", sql_bind_sublink},
    {"GroupingFunc", sql_bind_grouping_func},
    {"RowExpr", bind_row},
    {"A_ArrayExpr", bind_array},
    {"SetToDefault", bind_default_marker},
};

base_rc sql_bind_expr(sql_binder *binder, const sql_tree *wrapper, const plan_expr **out) {
    const char *type = sql_type_of(wrapper);
    int32_t position = sql_tree_position(binder->ctx, sql_body(wrapper));
    for (size_t i = 0; i < sizeof expr_types / sizeof expr_types[0]; i++) {
        if (strcmp(type, expr_types[i].type) != 0) continue;
        SQL_TRY(sql_enter(binder->ctx, position));
        // Below anything but AND and OR, false and null may have different effects.
        bool negated = binder->negated;
        binder->negated |=
            expr_types[i].bind != bind_bool && expr_types[i].bind != sql_bind_sublink;
        SQL_TRY(expr_types[i].bind(binder, sql_body(wrapper), out));
        binder->negated = negated;
        sql_leave(binder->ctx);
        return BASE_OK;
    }
    return sql_unsupported(binder->ctx, position, "%s is not supported in an expression", type);
}
