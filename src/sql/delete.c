// delete.c - DELETE FROM a table, or from a stream whose events may be taken back: a query that
// gives the keys of the rows that go. The engine appends a record for each ("_op": "delete"): the
// log only grows. Entry point: sql_bind_delete.
#include "sql/sql_int.h"

#include "base/must.h"

// A node named `name` with these children.
static sql_tree *tree(sql_ctx *ctx, const char *name, sql_tree *child) {
    sql_tree *item = base_arena_new(ctx->arena, sql_tree);
    item->name = name;
    item->child = child;
    return item;
}

// {"ResTarget": {"val": {"ColumnRef": {"fields": [{"String": {"sval": column}}]}}}}
static sql_tree *target_of(sql_ctx *ctx, const char *column) {
    sql_tree *text = tree(ctx, "sval", NULL);
    text->text = column;
    sql_tree *fields = tree(ctx, "fields", tree(ctx, NULL, tree(ctx, "String", text)));
    sql_tree *val = tree(ctx, "val", tree(ctx, "ColumnRef", fields));
    return tree(ctx, NULL, tree(ctx, "ResTarget", val));
}

// SELECT key FROM relation WHERE condition.
static const sql_tree *select_of(sql_ctx *ctx, const plan_object *object, const sql_tree *relation,
                                 const sql_tree *where) {
    sql_tree *targets = tree(ctx, "targetList", NULL), **link = &targets->child;
    for (uint32_t k = 0; k < object->nkey; k++, link = &(*link)->next)
        *link = target_of(ctx, object->columns[object->key[k]].name);
    sql_tree *range = tree(ctx, "RangeVar", relation->child);
    targets->next = tree(ctx, "fromClause", tree(ctx, NULL, range));
    if (where != NULL) {
        sql_tree *condition = base_arena_new(ctx->arena, sql_tree);
        *condition = *where;
        condition->next = NULL;
        targets->next->next = condition;
    }
    return tree(ctx, "SelectStmt", targets);
}

static base_rc check_target(sql_ctx *ctx, const plan_object *target, int32_t position) {
    bool table = target->kind == PLAN_OBJECT_TABLE;
    if (table || target->retractable) return BASE_OK;
    if (target->kind != PLAN_OBJECT_STREAM)
        return sql_fail(ctx, position, BASE_E_INVALID, "42809", "cannot delete from %s \"%s\"",
                        plan_object_kind_name(target->kind), target->name);
    sql_fail(ctx, position, BASE_E_INVALID, "42809",
             "cannot delete from stream \"%s\": its events are not taken back", target->name);
    base_error_hint(ctx->err, "A stream made WITH (retractions = 'on') takes events back.");
    return ctx->err->code;
}

base_rc sql_bind_delete(sql_ctx *ctx, const sql_tree *body, sql_statement *statement) {
    if (sql_get(body, "usingClause") != NULL)
        return sql_unsupported(ctx, 0, "DELETE with USING is not supported; put it in a sub-query");
    if (sql_get(body, "returningList") != NULL)
        return sql_unsupported(ctx, 0, "RETURNING is not supported");
    if (sql_get(body, "withClause") != NULL)
        return sql_unsupported(ctx, 0,
                               "WITH before DELETE is not supported; put it in a "
                               "sub-query");
    const sql_tree *relation = sql_get(body, "relation");
    int32_t position = sql_tree_position(ctx, relation);
    const plan_object *target;
    SQL_TRY(sql_bind_relation(ctx, sql_get_text(relation, "schemaname"),
                              sql_get_text(relation, "relname"), position, &target));
    SQL_TRY(check_target(ctx, target, position));
    plan_node *node;
    SQL_TRY(sql_bind_query(ctx, select_of(ctx, target, relation, sql_get(body, "whereClause")),
                           NULL, NULL, &node));
    SQL_TRY(sql_optimise(ctx, node, &statement->plan));
    statement->kind = SQL_DELETE;
    statement->target = target;
    statement->schema = target->schema;
    statement->name = target->name;
    statement->ntarget_columns = target->nkey;
    statement->target_columns = target->key;
    return BASE_OK;
}
