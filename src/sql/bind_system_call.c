// bind_system_call.c - FROM weir.name('argument', ...): a system object whose rows depend on texts
// that it is called with. Entry point: sql_bind_system_call.
#include "sql/sql_int.h"

#include "base/must.h"

static base_rc bind_argument(sql_binder *binder, const sql_tree *tree, const char **out) {
    sql_ctx *ctx = binder->ctx;
    const plan_expr *expr;
    SQL_TRY(sql_bind_expr(binder, tree, &expr));
    int32_t position = expr->position;
    SQL_TRY(sql_coerce(ctx, expr, col_type_of(COL_TEXT), COL_CAST_ASSIGNMENT, &expr));
    if (expr->kind != PLAN_EXPR_CONST || col_is_null(expr->constant, 0))
        return sql_unsupported(ctx, position,
                               "arguments that are not constants are not supported here");
    base_str text = col_str(expr->constant)[0];
    *out = base_arena_memdup(ctx->arena, text.p, text.n);
    return BASE_OK;
}

base_rc sql_bind_system_call(sql_binder *binder, const sql_tree *call, const char *name,
                             const plan_object **out) {
    sql_ctx *ctx = binder->ctx;
    int32_t position = sql_tree_position(ctx, call);
    if (strcmp(name, "as_of") == 0) return sql_bind_as_of(binder, call, out);
    const plan_catalog *catalog = ctx->session->catalog;
    const plan_object *found = catalog->find(catalog->self, "weir", name);
    if (found == NULL || found->kind != PLAN_OBJECT_SYSTEM || found->narguments == 0)
        return sql_fail(ctx, position, BASE_E_NOT_FOUND, "42883",
                        "function weir.%s() in FROM does not exist", name);
    const sql_tree *args = sql_get(call, "args");
    uint32_t n = args == NULL ? 0 : sql_tree_count(args);
    if (n != found->narguments)
        return sql_fail(ctx, position, BASE_E_INVALID, "42883",
                        "function weir.%s() has %u argument%s, not %u", name, found->narguments,
                        found->narguments == 1 ? "" : "s", n);
    const char **texts = base_arena_array(ctx->arena, const char *, n);
    sql_binder none = {.ctx = ctx, .place = "arguments of system functions"};
    uint32_t i = 0;
    for (const sql_tree *arg = args->child; arg != NULL; arg = arg->next)
        SQL_TRY(bind_argument(&none, arg, &texts[i++]));
    plan_object *object = base_arena_new(ctx->arena, plan_object);
    *object = *found;
    object->arguments = texts;
    sql_note_use(ctx, object->id);
    *out = object;
    return BASE_OK;
}
