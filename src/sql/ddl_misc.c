// ddl_misc.c - the small statements of our own: DROP, COMMENT, SHOW, FLUSH, REBUILD FLOW, EXPLAIN,
// and what names a new object. Entry points: sql_ddl_*.
#include "sql/sql_int.h"

#include "base/must.h"

base_rc sql_take_new_name(sql_cursor *cursor, sql_statement *statement) {
    sql_ctx *ctx = cursor->ctx;
    const plan_catalog *catalog = ctx->session->catalog;
    if (sql_take_word(cursor, "IF NOT EXISTS")) statement->if_not_exists = true;
    int32_t position = sql_here(cursor);
    SQL_TRY(sql_take_qualified(cursor, &statement->schema, &statement->name));
    if (statement->schema == NULL) statement->schema = ctx->session->default_schema;
    if (catalog->schema_exists != NULL &&
        !catalog->schema_exists(catalog->self, statement->schema)) {
        sql_fail(ctx, position, BASE_E_NOT_FOUND, BASE_SQLSTATE_INVALID_SCHEMA,
                 "schema \"%s\" does not exist", statement->schema);
        base_error_hint(ctx->err, "CREATE SCHEMA %s;", statement->schema);
        return ctx->err->code;
    }
    return BASE_OK;
}

static const struct {
    const char *words;
    plan_object_kind kind;
} object_words[] = {
    {"STREAM", PLAN_OBJECT_STREAM},
    {"TABLE", PLAN_OBJECT_TABLE},
    {"MATERIALIZED VIEW", PLAN_OBJECT_VIEW},
    {"VIEW", PLAN_OBJECT_PLAIN_VIEW},
    {"SINK", PLAN_OBJECT_SINK},
    {"RECONCILIATION", PLAN_OBJECT_RECONCILIATION},
};

static bool take_object_word(sql_cursor *cursor, plan_object_kind *kind) {
    for (size_t i = 0; i < sizeof object_words / sizeof object_words[0]; i++) {
        if (!sql_take_word(cursor, object_words[i].words)) continue;
        *kind = object_words[i].kind;
        return true;
    }
    return false;
}

base_rc sql_ddl_drop(sql_cursor *cursor, sql_statement *statement) {
    bool is_schema = sql_take_word(cursor, "SCHEMA");
    if (!is_schema && !take_object_word(cursor, &statement->drop_kind)) {
        sql_unsupported(cursor->ctx, sql_here(cursor), "DROP of this kind is not supported");
        base_error_hint(cursor->ctx->err, "There are STREAM, TABLE, VIEW, MATERIALIZED VIEW, SINK, "
                                          "RECONCILIATION and SCHEMA to drop.");
        return cursor->ctx->err->code;
    }
    statement->kind = is_schema ? SQL_DROP_SCHEMA : SQL_DROP;
    statement->if_exists = sql_take_word(cursor, "IF EXISTS");
    if (is_schema) {
        SQL_TRY(sql_take_name(cursor, &statement->name));
        statement->schema = statement->name;
    } else {
        SQL_TRY(sql_take_qualified(cursor, &statement->schema, &statement->name));
    }
    if (sql_take_symbol(cursor, ","))
        return sql_unsupported(cursor->ctx, sql_here(cursor),
                               "DROP of several objects at once is not supported");
    statement->cascade = sql_take_word(cursor, "CASCADE");
    if (!statement->cascade) sql_take_word(cursor, "RESTRICT");
    return sql_expect_end(cursor);
}

// Splits [schema.]object.column: the last name is the column.
static base_rc take_commented_column(sql_cursor *cursor, sql_statement *statement) {
    const char *names[3];
    uint32_t n = 0;
    do {
        if (n == 3) return sql_syntax_error(cursor);
        SQL_TRY(sql_take_name(cursor, &names[n++]));
    } while (sql_take_symbol(cursor, "."));
    if (n < 2) return SQL_SYNTAX(cursor->ctx, sql_here(cursor), "column name must be qualified");
    statement->column = names[n - 1];
    statement->name = names[n - 2];
    statement->schema = n == 3 ? names[0] : NULL;
    return BASE_OK;
}

base_rc sql_ddl_comment(sql_cursor *cursor, sql_statement *statement) {
    statement->kind = SQL_COMMENT;
    int32_t position = sql_here(cursor);
    if (sql_take_word(cursor, "COLUMN")) {
        SQL_TRY(take_commented_column(cursor, statement));
    } else if (sql_take_word(cursor, "SCHEMA")) {
        SQL_TRY(sql_take_name(cursor, &statement->schema));
    } else if (take_object_word(cursor, &statement->drop_kind)) {
        SQL_TRY(sql_take_qualified(cursor, &statement->schema, &statement->name));
    } else {
        return sql_unsupported(cursor->ctx, position, "COMMENT ON this kind is not supported");
    }
    if (statement->name != NULL) {
        const plan_object *object;
        SQL_TRY(
            sql_bind_relation(cursor->ctx, statement->schema, statement->name, position, &object));
        if (statement->column != NULL && plan_column_find(object, statement->column) < 0)
            return sql_fail(cursor->ctx, position, BASE_E_NOT_FOUND, BASE_SQLSTATE_UNDEFINED_COLUMN,
                            "column \"%s\" of relation \"%s\" does not exist", statement->column,
                            statement->name);
        statement->target = object;
        statement->schema = object->schema;
    }
    SQL_TRY(sql_expect_word(cursor, "IS"));
    if (!sql_take_word(cursor, "NULL")) SQL_TRY(sql_take_string(cursor, &statement->value));
    return sql_expect_end(cursor);
}

base_rc sql_ddl_show(sql_cursor *cursor, sql_statement *statement) {
    static const char *const names[][2] = {
        {"TIME ZONE", "timezone"},
        {"TRANSACTION ISOLATION LEVEL", "transaction_isolation"},
        {"SESSION AUTHORIZATION", "session_authorization"},
        {"MATERIALIZED VIEWS", "views"},
    };
    statement->kind = SQL_SHOW;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (!sql_take_word(cursor, names[i][0])) continue;
        statement->name = names[i][1];
        return sql_expect_end(cursor);
    }
    SQL_TRY(sql_take_name(cursor, &statement->name));
    if (sql_take_symbol(cursor, ".")) { // a setting of ours: SHOW weir.x
        const char *part;
        SQL_TRY(sql_take_name(cursor, &part));
        statement->name = base_arena_printf(cursor->ctx->arena, "%s.%s", statement->name, part);
    }
    return sql_expect_end(cursor);
}

base_rc sql_ddl_flush(sql_cursor *cursor, sql_statement *statement) {
    statement->kind = SQL_FLUSH;
    return sql_expect_end(cursor);
}

// The name is quoted, since it has an @ in it: an identifier or a string.
base_rc sql_ddl_rebuild_flow(sql_cursor *cursor, sql_statement *statement) {
    statement->kind = SQL_REBUILD_FLOW;
    if (sql_peek(cursor)->kind == SQL_TOKEN_STRING)
        SQL_TRY(sql_take_string(cursor, &statement->name));
    else
        SQL_TRY(sql_take_name(cursor, &statement->name));
    return sql_expect_end(cursor);
}

// One that is there: with ANALYZE, what its operators have done.
static base_rc explain_view(sql_cursor *cursor, sql_statement *statement) {
    sql_ctx *ctx = cursor->ctx;
    int32_t position = sql_here(cursor);
    SQL_TRY(sql_take_qualified(cursor, &statement->schema, &statement->name));
    SQL_TRY(sql_expect_end(cursor));
    const plan_object *object;
    SQL_TRY(sql_bind_relation(ctx, statement->schema, statement->name, position, &object));
    if (object->kind != PLAN_OBJECT_VIEW)
        return sql_fail(ctx, position, BASE_E_INVALID, "42809", "\"%s\" is no materialized view",
                        object->name);
    statement->kind = SQL_EXPLAIN;
    statement->target = object;
    statement->plan = object->plan;
    return BASE_OK;
}

base_rc sql_ddl_explain(sql_cursor *cursor, sql_statement *statement) {
    bool analyze = false;
    if (sql_take_symbol(cursor, "(")) { // options: those that mean nothing here are accepted
        do {
            const char *name;
            SQL_TRY(sql_take_name(cursor, &name));
            bool off = sql_take_word(cursor, "OFF") || sql_take_word(cursor, "FALSE");
            if (strcmp(name, "analyze") == 0) analyze = !off;
            if (strcmp(name, "state") == 0) statement->state = !off;
            if (strcmp(name, "format") == 0) {
                statement->dot = sql_take_word(cursor, "DOT");
                if (!statement->dot && !sql_take_word(cursor, "TEXT"))
                    return sql_unsupported(cursor->ctx, sql_here(cursor),
                                           "EXPLAIN gives FORMAT TEXT and FORMAT DOT only");
            }
            if (!off && sql_peek(cursor)->kind == SQL_TOKEN_WORD) cursor->at++;
        } while (sql_take_symbol(cursor, ","));
        SQL_TRY(sql_expect_symbol(cursor, ")"));
    } else {
        analyze = sql_take_word(cursor, "ANALYZE") || sql_take_word(cursor, "ANALYSE");
        sql_take_word(cursor, "VERBOSE");
    }
    if (sql_is_word(cursor, "EXPLAIN")) return sql_syntax_error(cursor);
    if (sql_take_word(cursor, "MATERIALIZED VIEW")) {
        SQL_TRY(explain_view(cursor, statement));
        statement->analyze = analyze;
        return BASE_OK;
    }
    SQL_TRY(sql_bind_statement(cursor, statement));
    if (statement->kind == SQL_CREATE_VIEW) statement->plan = statement->object->plan;
    if (statement->plan == NULL)
        return sql_unsupported(cursor->ctx, sql_text_position(cursor->ctx, 0),
                               "EXPLAIN is for SELECT, INSERT and CREATE MATERIALIZED VIEW");
    statement->kind = SQL_EXPLAIN;
    statement->analyze = analyze;
    return BASE_OK;
}

base_rc sql_ddl_subscribe(sql_cursor *cursor, sql_statement *statement) {
    (void)statement;
    sql_unsupported(cursor->ctx, sql_text_position(cursor->ctx, 0),
                    "SUBSCRIBE is not supported yet");
    base_error_hint(cursor->ctx->err,
                    "GET /v1/views/{schema.name}/changes gives a view's changes.");
    return cursor->ctx->err->code;
}
