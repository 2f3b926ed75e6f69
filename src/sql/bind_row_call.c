// bind_row_call.c - FROM weir.why('view', key...) and weir.lineage('view', key...): what a system
// object has of one row of a view. They become conditions on the object's columns view and call,
// which it reads for itself (engine/wanted.h); so the arguments may be parameters. Entry point:
// sql_bind_row_call.
#include "sql/sql_int.h"

#include "base/must.h"

static const char *const row_calls[] = {"why", "lineage"};

bool sql_is_row_call(const sql_tree *call) {
    const sql_tree *first = sql_get(call, "funcname")->child;
    if (first->next == NULL || strcmp(sql_string(first), "weir") != 0) return false;
    for (size_t i = 0; i < sizeof row_calls / sizeof *row_calls; i++)
        if (strcmp(sql_string(first->next), row_calls[i]) == 0) return true;
    return false;
}

static base_rc equal(sql_ctx *ctx, const plan_node *scan, const char *column,
                     const plan_expr *value, sql_exprs *conditions) {
    int32_t at = plan_column_find(scan->object, column);
    must(at >= 0);
    const plan_expr *condition;
    SQL_TRY(sql_operator(ctx, "=", sql_column_of(ctx, scan, (uint32_t)at), value, 0, &condition));
    sql_exprs_add(ctx, conditions, condition);
    return BASE_OK;
}

base_rc sql_bind_row_call(sql_binder *binder, const sql_tree *call, plan_node **out) {
    sql_ctx *ctx = binder->ctx;
    const char *name = sql_string(sql_get(call, "funcname")->child->next);
    const plan_catalog *catalog = ctx->session->catalog;
    const plan_object *object = catalog->find(catalog->self, "weir", name);
    const sql_tree *args = sql_get(call, "args");
    uint32_t n = sql_tree_count(args);
    int32_t position = sql_tree_position(ctx, call);
    if (object == NULL || n < 2)
        return sql_fail(ctx, position, BASE_E_INVALID, "42883",
                        "weir.%s() is called with the name of a view and the key of a row", name);
    if (ctx->in_view)
        return sql_unsupported(ctx, position, "a %s cannot read weir.%s()", ctx->view_word, name);
    sql_binder none = {.ctx = ctx, .outer = binder->outer, .place = "arguments in FROM"};
    const plan_expr **values = base_arena_array(ctx->arena, const plan_expr *, n), *key;
    uint32_t i = 0;
    for (const sql_tree *arg = args->child; arg != NULL; arg = arg->next, i++) {
        SQL_TRY(sql_bind_expr(&none, arg, &values[i]));
        if (i == 0)
            SQL_TRY(
                sql_coerce(ctx, values[i], col_type_of(COL_TEXT), COL_CAST_ASSIGNMENT, &values[i]));
        else
            SQL_TRY(sql_settle(ctx, &values[i]));
    }
    SQL_TRY(sql_call(ctx, "jsonb_build_array", n - 1, values + 1, position, &key));
    // Each call has rows of its own: an object of its own, whose number says which system object.
    plan_object *own = base_arena_new(ctx->arena, plan_object);
    *own = *object;
    own->id = object->id + PLAN_CALL_ID_STEP * ++ctx->nqueries;
    plan_node *scan = sql_node_scan(ctx, own);
    sql_note_use(ctx, object->id);
    sql_exprs conditions = {0}, shown = {0};
    SQL_TRY(equal(ctx, scan, "view", values[0], &conditions));
    SQL_TRY(equal(ctx, scan, "call", key, &conditions));
    plan_node *rows = sql_node_filter(ctx, scan, sql_conjunction(ctx, &conditions));
    uint32_t call_column = (uint32_t)plan_column_find(object, "call");
    for (uint32_t c = 0; c < call_column; c++)
        sql_exprs_add(ctx, &shown, sql_column_of(ctx, rows, c));
    *out = sql_node_project(ctx, rows, shown.n, shown.items, NULL);
    return BASE_OK;
}
