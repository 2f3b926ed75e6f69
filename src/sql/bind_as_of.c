// bind_as_of.c - FROM weir.as_of('view', instant): a view as it was. The scan's object is the view
// with a number of its own, since its rows are others than the view's, and with the instant,
// microseconds since 2000 UTC in decimal, as its argument; the engine reads it so (query.c).
// Entry point: sql_bind_as_of.
#include "sql/sql_int.h"

#include "base/must.h"

static base_rc constant(sql_binder *binder, const sql_tree *tree, col_type type,
                        const plan_expr **out) {
    sql_ctx *ctx = binder->ctx;
    SQL_TRY(sql_bind_expr(binder, tree, out));
    int32_t position = (*out)->position;
    SQL_TRY(sql_coerce(ctx, *out, type, COL_CAST_ASSIGNMENT, out));
    if ((*out)->kind != PLAN_EXPR_CONST || col_is_null((*out)->constant, 0))
        return sql_unsupported(
            ctx, position, "arguments of weir.as_of() that are not constants are not supported");
    return BASE_OK;
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
    if (args == NULL || sql_tree_count(args) != 2)
        return sql_fail(ctx, position, BASE_E_INVALID, "42883",
                        "weir.as_of() is called with the name of a view and an instant");
    if (ctx->in_view)
        return sql_unsupported(ctx, position, "a %s cannot read weir.as_of()", ctx->view_word);
    sql_binder none = {.ctx = binder->ctx, .place = "arguments in FROM"};
    const plan_expr *name, *instant;
    SQL_TRY(constant(&none, args->child, col_type_of(COL_TEXT), &name));
    SQL_TRY(constant(&none, args->child->next, col_type_of(COL_TIMESTAMPTZ), &instant));
    const plan_object *view;
    SQL_TRY(find_view(ctx, col_str(name->constant)[0], name->position, &view));
    const char **argument = base_arena_array(ctx->arena, const char *, 1);
    *argument = base_arena_printf(ctx->arena, "%lld", (long long)col_i64(instant->constant)[0]);
    plan_object *own = base_arena_new(ctx->arena, plan_object);
    *own = *view;
    own->id = view->id + PLAN_CALL_ID_STEP * ++ctx->nqueries;
    own->narguments = 1;
    own->arguments = argument;
    sql_note_use(ctx, view->id);
    *out = own;
    return BASE_OK;
}
