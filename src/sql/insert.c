// insert.c - INSERT: a plan whose columns go to columns of the target, cast as assignments. Entry
// point: sql_bind_insert.
#include "sql/sql_int.h"

#include "base/must.h"

typedef struct insert {
    sql_ctx *ctx;
    const plan_object *target;
    uint32_t ntargets;
    uint32_t *targets;
    int32_t *positions; // of the names in the statement; 0: not named
    bool named;
} insert;

static base_rc assign(insert *in, const plan_expr *expr, uint32_t i, const plan_expr **out) {
    const plan_column *column = &in->target->columns[in->targets[i]];
    if (!sql_can_coerce(expr, column->type.kind, COL_CAST_ASSIGNMENT)) {
        sql_fail(in->ctx, expr->position, BASE_E_INVALID, BASE_SQLSTATE_DATATYPE_MISMATCH,
                 "column \"%s\" is of type %s but expression is of type %s", column->name,
                 sql_type_name(in->ctx, &column->type), sql_type_name(in->ctx, &expr->type));
        base_error_hint(in->ctx->err, "You will need to rewrite or cast the expression.");
        return in->ctx->err->code;
    }
    return sql_coerce(in->ctx, expr, column->type, COL_CAST_ASSIGNMENT, out);
}

static base_rc read_target(insert *in, const sql_tree *body) {
    sql_ctx *ctx = in->ctx;
    const sql_tree *relation = sql_get(body, "relation");
    int32_t position = sql_tree_position(ctx, relation);
    SQL_TRY(sql_bind_relation(ctx, sql_get_text(relation, "schemaname"),
                              sql_get_text(relation, "relname"), position, &in->target));
    const plan_object *target = in->target;
    if (target->kind != PLAN_OBJECT_STREAM && target->kind != PLAN_OBJECT_TABLE)
        return sql_fail(ctx, position, BASE_E_INVALID, "42809", "cannot insert into %s \"%s\"",
                        plan_object_kind_name(target->kind), target->name);
    in->targets = base_arena_array(ctx->arena, uint32_t, target->ncolumns);
    in->positions = base_arena_array(ctx->arena, int32_t, target->ncolumns);
    const sql_tree *names = sql_get(body, "cols");
    in->named = names != NULL;
    for (uint32_t i = 0; !in->named && i < target->ncolumns; i++)
        if (!target->columns[i].hidden) in->targets[in->ntargets++] = i;
    for (const sql_tree *item = in->named ? names->child : NULL; item != NULL; item = item->next) {
        const sql_tree *name_body = sql_body(item);
        const char *name = sql_get_text(name_body, "name");
        int32_t at = sql_tree_position(ctx, name_body), index = plan_column_find(target, name);
        if (sql_get(name_body, "indirection") != NULL)
            return sql_unsupported(ctx, at, "INSERT into a field of a column is not supported");
        if (index < 0 || target->columns[index].hidden)
            return sql_fail(ctx, at, BASE_E_NOT_FOUND, BASE_SQLSTATE_UNDEFINED_COLUMN,
                            "column \"%s\" of relation \"%s\" does not exist", name, target->name);
        for (uint32_t i = 0; i < in->ntargets; i++)
            if (in->targets[i] == (uint32_t)index)
                return sql_fail(ctx, at, BASE_E_INVALID, BASE_SQLSTATE_DUPLICATE_COLUMN,
                                "column \"%s\" specified more than once", name);
        in->positions[in->ntargets] = at;
        in->targets[in->ntargets++] = (uint32_t)index;
    }
    return BASE_OK;
}

// n expressions for the target columns; extra: position of the first one too many.
static base_rc check_count(insert *in, uint32_t n, int32_t extra) {
    if (n > in->ntargets)
        return SQL_SYNTAX(in->ctx, extra, "INSERT has more expressions than target columns");
    if (n < in->ntargets && in->named)
        return SQL_SYNTAX(in->ctx, in->positions[n],
                          "INSERT has more target columns than expressions");
    in->ntargets = n;
    return BASE_OK;
}

static int32_t position_of(sql_ctx *ctx, const sql_tree *items, uint32_t at) {
    const sql_tree *item = items->child;
    while (at-- > 0 && item != NULL) item = item->next;
    return item == NULL ? 0 : sql_tree_position(ctx, sql_body(item));
}

static base_rc bind_values(insert *in, const sql_tree *lists, plan_node **out) {
    sql_ctx *ctx = in->ctx;
    sql_binder binder = {.ctx = ctx, .place = "VALUES"};
    uint32_t nrows = sql_tree_count(lists), at = 0;
    uint32_t n = sql_tree_count(sql_get(sql_body(lists->child), "items"));
    const sql_tree *first = sql_get(sql_body(lists->child), "items");
    SQL_TRY(check_count(in, n, position_of(ctx, first, in->ntargets)));
    plan_node *node = sql_node(ctx, PLAN_NODE_VALUES, n, 0, NULL, NULL);
    node->nexprs = nrows * n;
    node->exprs = base_arena_array(ctx->arena, const plan_expr *, node->nexprs);
    for (uint32_t i = 0; i < n; i++) {
        const plan_column *column = &in->target->columns[in->targets[i]];
        sql_columns(node)[i] = (plan_column){.name = column->name, .type = column->type};
    }
    for (const sql_tree *list = lists->child; list != NULL; list = list->next) {
        const sql_tree *items = sql_get(sql_body(list), "items");
        uint32_t i = 0;
        if (sql_tree_count(items) != n)
            return SQL_SYNTAX(ctx, position_of(ctx, items, 0),
                              "VALUES lists must all be the same length");
        for (const sql_tree *item = items->child; item != NULL; item = item->next, i++) {
            const plan_column *column = &in->target->columns[in->targets[i]];
            const plan_expr **cell = &node->exprs[at++];
            if (sql_is(item, "SetToDefault")) {
                *cell = column->default_value != NULL ? column->default_value
                                                      : plan_expr_null(ctx->arena, column->type);
                continue;
            }
            const plan_expr *expr;
            SQL_TRY(sql_bind_expr(&binder, item, &expr));
            SQL_TRY(assign(in, expr, i, cell));
        }
    }
    *out = node;
    return BASE_OK;
}

static base_rc bind_select(insert *in, const sql_tree *select, plan_node **out) {
    sql_ctx *ctx = in->ctx;
    plan_node *node;
    SQL_TRY(sql_bind_query(ctx, select, NULL, NULL, &node));
    uint32_t n = node->ncolumns;
    const sql_tree *targets = sql_get(select, "targetList");
    SQL_TRY(check_count(in, n, targets == NULL ? 0 : position_of(ctx, targets, in->ntargets)));
    const plan_expr **exprs = base_arena_array(ctx->arena, const plan_expr *, n);
    const char **names = base_arena_array(ctx->arena, const char *, n);
    for (uint32_t i = 0; i < n; i++) {
        const plan_expr *expr = sql_column_of(ctx, node, i);
        // A literal in the select list takes the type of its column.
        if (node->kind == PLAN_NODE_PROJECT && node->exprs[i]->kind == PLAN_EXPR_CONST &&
            node->exprs[i]->type.kind == COL_TEXT) {
            plan_expr *literal = base_arena_new(ctx->arena, plan_expr);
            *literal = *node->exprs[i];
            literal->type = col_type_of(COL_UNKNOWN);
            expr = literal;
        } else if (node->kind == PLAN_NODE_PROJECT) {
            plan_expr *column = base_arena_new(ctx->arena, plan_expr);
            *column = *expr;
            column->position = node->exprs[i]->position;
            expr = column;
        }
        SQL_TRY(assign(in, expr, i, &exprs[i]));
        names[i] = in->target->columns[in->targets[i]].name;
    }
    *out = sql_node_project(ctx, node, n, exprs, names);
    return BASE_OK;
}

base_rc sql_bind_insert(sql_ctx *ctx, const sql_tree *body, sql_statement *statement) {
    insert in = {.ctx = ctx};
    if (sql_get(body, "onConflictClause") != NULL)
        return sql_unsupported(ctx, 0,
                               "ON CONFLICT is not supported: events are recognised by "
                               "their business key");
    if (sql_get(body, "returningList") != NULL)
        return sql_unsupported(ctx, 0, "RETURNING is not supported");
    if (sql_get(body, "withClause") != NULL)
        return sql_unsupported(ctx, 0, "WITH before INSERT is not supported; put it in the SELECT");
    SQL_TRY(read_target(&in, body));
    const sql_tree *select = sql_body(sql_get(body, "selectStmt"));
    plan_node *node;
    if (select == NULL) { // DEFAULT VALUES
        in.ntargets = 0;
        node = sql_node_one_row(ctx);
        statement->ntarget_columns = 0;
    } else if (sql_get(select, "valuesLists") != NULL && sql_get(select, "sortClause") == NULL &&
               sql_get(select, "limitCount") == NULL) {
        SQL_TRY(bind_values(&in, sql_get(select, "valuesLists"), &node));
    } else {
        SQL_TRY(bind_select(&in, select, &node));
    }
    SQL_TRY(sql_optimise(ctx, node, &statement->plan));
    statement->kind = SQL_INSERT;
    statement->target = in.target;
    statement->schema = in.target->schema;
    statement->name = in.target->name;
    statement->ntarget_columns = in.ntargets;
    statement->target_columns = in.targets;
    return BASE_OK;
}
