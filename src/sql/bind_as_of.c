// bind_as_of.c - FROM weir.as_of('view', instant [, effective]): a view as it was, and by effective
// time. The scan's object is the view with a number of its own, since its rows are others than the
// view's, and with the instants, microseconds since 2000 UTC in decimal, as its arguments, empty
// for NULL; the engine reads it so (query.c). Entry point: sql_bind_as_of.
#include "sql/sql_int.h"

#include "base/must.h"

static base_rc constant(sql_binder *binder, const sql_tree *tree, const plan_expr **out) {
    SQL_TRY(sql_bind_expr(binder, tree, out));
    if ((*out)->kind == PLAN_EXPR_CONST) return BASE_OK;
    return sql_unsupported(binder->ctx, (*out)->position,
                           "arguments of weir.as_of() that are not constants are not supported");
}

// Of a value of the type, or a text of one; *is_null: NULL, which means now.
static base_rc instant(sql_ctx *ctx, const plan_expr *expr, int64_t *us, bool *is_null) {
    SQL_TRY(sql_coerce(ctx, expr, col_type_of(COL_TIMESTAMPTZ), COL_CAST_ASSIGNMENT, &expr));
    if (expr->kind != PLAN_EXPR_CONST)
        return sql_unsupported(
            ctx, expr->position,
            "arguments of weir.as_of() that are not constants are not supported");
    *is_null = col_is_null(expr->constant, 0);
    if (!*is_null) *us = col_i64(expr->constant)[0];
    return BASE_OK;
}

// As SET weir.effective_as_of has it: a day alone means all of it.
static base_rc effective(sql_ctx *ctx, const plan_expr *expr, int64_t *us, bool *is_null) {
    col_kind kind = expr->type.kind;
    *is_null = col_is_null(expr->constant, 0);
    if (*is_null) return BASE_OK;
    char day[BASE_TIME_TEXT_MAX];
    base_str text;
    if (kind == COL_DATE) {
        base_date_format(col_i32(expr->constant)[0], day);
        text = base_str_of(day);
    } else if (kind == COL_TEXT || kind == COL_UNKNOWN) {
        text = base_str_trim(col_str(expr->constant)[0]);
    } else {
        return instant(ctx, expr, us, is_null);
    }
    base_rc rc = base_until_parse(text, ctx->session->zone, us, ctx->err);
    if (rc != BASE_OK) ctx->err->position = expr->position;
    return rc;
}

// The text of an instant among a scan's arguments.
static const char *as_argument(sql_ctx *ctx, int64_t us, bool is_null) {
    return is_null ? "" : base_arena_printf(ctx->arena, "%lld", (long long)us);
}

// "schema.name" or "name".
static base_rc find_view(sql_ctx *ctx, base_str text, int32_t position, const plan_object **out) {
    const char *dot = text.n == 0 ? NULL : memchr(text.p, '.', text.n);
    size_t before = dot == NULL ? 0 : (size_t)(dot - text.p), skip = dot == NULL ? 0 : before + 1;
    const char *schema =
        dot == NULL ? NULL : base_arena_printf(ctx->arena, "%.*s", (int)before, text.p);
    const char *name = base_arena_printf(ctx->arena, "%.*s", (int)(text.n - skip),
                                         text.n == 0 ? "" : text.p + skip);
    SQL_TRY(sql_bind_relation(ctx, schema, name, position, out));
    if ((*out)->kind != PLAN_OBJECT_VIEW)
        return sql_fail(ctx, position, BASE_E_INVALID, "42809",
                        "\"%s.%s\" is a %s: weir.as_of() reads materialized views", (*out)->schema,
                        name, plan_object_kind_name((*out)->kind));
    return BASE_OK;
}

base_rc sql_bind_as_of(sql_binder *binder, const sql_tree *call, const plan_object **out) {
    sql_ctx *ctx = binder->ctx;
    int32_t position = sql_tree_position(ctx, call);
    const sql_tree *args = sql_get(call, "args");
    uint32_t n = args == NULL ? 0 : sql_tree_count(args);
    if (n != 2 && n != 3)
        return sql_fail(ctx, position, BASE_E_INVALID, "42883",
                        "weir.as_of() is called with the name of a view, an instant and perhaps "
                        "an instant of effective time");
    if (ctx->in_view)
        return sql_unsupported(ctx, position, "a %s cannot read weir.as_of()", ctx->view_word);
    sql_binder none = {.ctx = binder->ctx, .place = "arguments in FROM"};
    const plan_expr *name, *given;
    SQL_TRY(constant(&none, args->child, &name));
    SQL_TRY(sql_coerce(ctx, name, col_type_of(COL_TEXT), COL_CAST_ASSIGNMENT, &name));
    if (name->kind != PLAN_EXPR_CONST || col_is_null(name->constant, 0))
        return sql_fail(ctx, name->position, BASE_E_INVALID, "22004",
                        "the view of weir.as_of() may not be NULL");
    const plan_object *view;
    SQL_TRY(find_view(ctx, col_str(name->constant)[0], name->position, &view));
    const char **arguments = base_arena_array(ctx->arena, const char *, 2);
    int64_t us = 0;
    bool is_null;
    SQL_TRY(constant(&none, args->child->next, &given));
    SQL_TRY(instant(ctx, given, &us, &is_null));
    arguments[0] = as_argument(ctx, us, is_null);
    if (n == 3) {
        SQL_TRY(constant(&none, args->child->next->next, &given));
        SQL_TRY(effective(ctx, given, &us, &is_null));
        arguments[1] = as_argument(ctx, us, is_null);
    }
    plan_object *own = base_arena_new(ctx->arena, plan_object);
    *own = *view;
    own->id = view->id + PLAN_CALL_ID_STEP * ++ctx->nqueries;
    own->narguments = n - 1;
    own->arguments = arguments;
    sql_note_use(ctx, view->id);
    *out = own;
    return BASE_OK;
}
