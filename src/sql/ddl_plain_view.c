// ddl_plain_view.c - CREATE VIEW: a name for a query, which takes its place wherever it is named.
// The query is bound once; trees are read-only, so that every use shares it. Entry points:
// sql_ddl_create_plain_view, sql_bind_plain_view.
#include "sql/sql_int.h"

#include "base/must.h"

static base_rc check_columns(sql_ctx *ctx, const plan_node *plan, int32_t position) {
    for (uint32_t i = 0; i < plan->ncolumns; i++)
        for (uint32_t k = 0; k < i; k++)
            if (strcmp(plan->columns[k].name, plan->columns[i].name) == 0)
                return sql_fail(ctx, position, BASE_E_INVALID, BASE_SQLSTATE_DUPLICATE_COLUMN,
                                "column \"%s\" specified more than once", plan->columns[i].name);
    return BASE_OK;
}

// Columns under the view's names that show, whatever those of the query's tables are like.
static plan_node *view_plan(sql_ctx *ctx, const plan_node *node) {
    const plan_expr **exprs = base_arena_array(ctx->arena, const plan_expr *, node->ncolumns);
    const char **names = base_arena_array(ctx->arena, const char *, node->ncolumns);
    for (uint32_t i = 0; i < node->ncolumns; i++) {
        exprs[i] = sql_column_of(ctx, node, i);
        names[i] = node->columns[i].name;
    }
    return sql_node_project(ctx, node, node->ncolumns, exprs, names);
}

base_rc sql_ddl_create_plain_view(sql_cursor *cursor, sql_statement *statement) {
    sql_ctx *ctx = cursor->ctx;
    statement->kind = SQL_CREATE_VIEW;
    plan_object *object = base_arena_new(ctx->arena, plan_object);
    object->kind = PLAN_OBJECT_PLAIN_VIEW;
    object->event_time = object->effective_time = object->window_column = -1;
    object->version = 1;
    object->definition = base_arena_memdup(ctx->arena, ctx->text.p, ctx->text.n);
    SQL_TRY(sql_take_new_name(cursor, statement));
    object->schema = statement->schema;
    object->name = statement->name;
    uint32_t nnames;
    const char **names;
    SQL_TRY(sql_take_view_columns(cursor, &nnames, &names));
    if (sql_is_word(cursor, "WITH")) {
        sql_unsupported(ctx, sql_here(cursor), "options of a view are not supported");
        base_error_hint(ctx->err, "CREATE MATERIALIZED VIEW has options: it is kept current.");
        return ctx->err->code;
    }
    SQL_TRY(sql_expect_word(cursor, "AS"));
    int32_t position = sql_here(cursor);
    base_str text;
    size_t offset;
    bool emit_on_close = false;
    SQL_TRY(sql_take_view_query(cursor, &text, &offset, &emit_on_close));
    if (emit_on_close)
        return sql_unsupported(ctx, position, "EMIT ON WINDOW CLOSE is of materialized views");
    const sql_tree *tree;
    plan_node *node;
    ctx->view_word = "view";
    SQL_TRY(sql_parse(ctx, text, (int64_t)offset, &tree));
    if (!sql_is(tree, "SelectStmt")) return SQL_SYNTAX(ctx, position, "a view is made of a SELECT");
    SQL_TRY(sql_bind_query(ctx, sql_body(tree), NULL, NULL, &node));
    plan_node *plan = view_plan(ctx, node);
    SQL_TRY(sql_rename_view_columns(ctx, plan, nnames, names));
    SQL_TRY(check_columns(ctx, plan, position));
    const plan_node *checked; // what cannot be planned is refused now
    SQL_TRY(sql_optimise(ctx, plan, &checked));
    object->plan = plan;
    object->query = base_arena_printf(ctx->arena, "%.*s;", BASE_STR_ARG(text));
    sql_set_uses(ctx, object);
    object->ncolumns = plan->ncolumns;
    object->columns = plan->columns;
    statement->object = object;
    return BASE_OK;
}

// ---- in FROM ---------------------------------------------------------------------------------

// now() is left to sql_temporal, which sees where it stands.
static bool is_unrepeatable(const plan_expr *expr, void *arg) {
    bool is =
        expr->kind == PLAN_EXPR_CALL && !sql_is_repeatable(expr->func) && !sql_is_clock(expr->func);
    if (is) *(const col_func **)arg = expr->func;
    return is;
}

static const col_func *unrepeatable(const plan_node *node) {
    const col_func *func = NULL;
    plan_expr_any(node->predicate, is_unrepeatable, &func);
    for (uint32_t i = 0; i < node->nexprs; i++)
        plan_expr_any(node->exprs[i], is_unrepeatable, &func);
    for (uint32_t i = 0; i < node->naggs; i++) {
        plan_expr_any(node->aggs[i].arg, is_unrepeatable, &func);
        plan_expr_any(node->aggs[i].filter, is_unrepeatable, &func);
    }
    for (uint32_t i = 0; i < node->ninputs && func == NULL; i++)
        func = unrepeatable(node->inputs[i]);
    return func;
}

static void note_system(void *arg, const plan_node *scan) {
    if (scan->object->kind == PLAN_OBJECT_SYSTEM) *(const plan_object **)arg = scan->object;
}

static void note_past(void *arg, const plan_node *scan) {
    const plan_object *object = scan->object;
    if (object->kind == PLAN_OBJECT_VIEW && object->narguments > 0) *(bool *)arg = true;
}

static bool recurs(const plan_node *node) {
    bool found = node->kind == PLAN_NODE_RECURSIVE;
    for (uint32_t i = 0; i < node->ninputs && !found; i++) found = recurs(node->inputs[i]);
    return found;
}

void sql_note_use(sql_ctx *ctx, uint32_t id) {
    for (uint32_t i = 0; i < ctx->nuses; i++)
        if (ctx->uses[i] == id) return;
    if (ctx->nuses == ctx->uses_cap) {
        uint32_t cap = ctx->uses_cap == 0 ? 8 : ctx->uses_cap * 2;
        uint32_t *more = base_arena_array(ctx->arena, uint32_t, cap);
        if (ctx->nuses > 0) memcpy(more, ctx->uses, ctx->nuses * sizeof *more);
        ctx->uses = more;
        ctx->uses_cap = cap;
    }
    ctx->uses[ctx->nuses++] = id;
}

typedef struct sought {
    uint32_t id;
    bool found;
} sought;

static void find_scan(void *arg, const plan_node *scan) {
    sought *s = arg;
    s->found |= scan->object->id == s->id;
}

void sql_set_uses(sql_ctx *ctx, plan_object *object) {
    uint32_t *uses = base_arena_array(ctx->arena, uint32_t, ctx->nuses + 1u);
    object->nuses = 0;
    object->uses = uses;
    for (uint32_t i = 0; i < ctx->nuses; i++) {
        sought s = {.id = ctx->uses[i]};
        plan_node_scans(object->plan, find_scan, &s);
        if (!s.found) uses[object->nuses++] = s.id;
    }
}

base_rc sql_bind_plain_view(sql_ctx *ctx, const plan_object *view, int32_t position,
                            plan_node **out) {
    ctx->view_nodes += sql_node_count(view->plan, SQL_PLAN_NODES_MAX); // views of views multiply
    if (ctx->view_nodes >= SQL_PLAN_NODES_MAX)
        return sql_fail(
            ctx, position, BASE_E_LIMIT, "54001",
            "statement is too complex: the queries of its views have more than %u parts",
            SQL_PLAN_NODES_MAX);
    sql_note_use(ctx, view->id);
    if (ctx->in_view) {
        const plan_object *system = NULL;
        ctx->uses_clock = true; // perhaps
        const col_func *func = unrepeatable(view->plan);
        plan_node_scans(view->plan, note_system, &system);
        bool past = false;
        plan_node_scans(view->plan, note_past, &past);
        if (past)
            return sql_unsupported(ctx, position, "a %s cannot read weir.as_of() of view \"%s\"",
                                   ctx->view_word, view->name);
        if (recurs(view->plan))
            return sql_unsupported(ctx, position,
                                   "WITH RECURSIVE of view \"%s\" is not supported in a %s",
                                   view->name, ctx->view_word);
        if (func != NULL)
            return sql_unsupported(ctx, position,
                                   "function %s() of view \"%s\" is not allowed in a %s",
                                   func->name, view->name, ctx->view_word);
        if (system != NULL)
            return sql_unsupported(ctx, position,
                                   "a %s cannot read the system view \"%s.%s\" of view \"%s\"",
                                   ctx->view_word, system->schema, system->name, view->name);
    }
    *out = (plan_node *)(uintptr_t)view->plan;
    return BASE_OK;
}
