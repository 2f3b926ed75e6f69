// ddl_sink.c - what stands on a view: CREATE SINK, CREATE RECONCILIATION, RECONCILE. Each connector
// has its table of options. Entry points: sql_ddl_create_sink, sql_ddl_create_reconciliation.
#include "sql/sql_int.h"

#include "base/must.h"

#define MEMBER(name) offsetof(plan_object, name)
static const sql_option_def webhook_options[] = {
    {"connector", SQL_OPTION_TEXT, MEMBER(connector)},
    {"url", SQL_OPTION_KEPT, 0},
    {"secret", SQL_OPTION_KEPT, 0},
    {"headers", SQL_OPTION_KEPT, 0},
    {"timeout", SQL_OPTION_KEPT, 0},
    {"max_retry_interval", SQL_OPTION_KEPT, 0},
    {"batch_rows", SQL_OPTION_KEPT, 0},
    {"max_attempts", SQL_OPTION_KEPT, 0},
    {"emit", SQL_OPTION_KEPT, 0},
    {"max_keep_size", SQL_OPTION_BYTES, MEMBER(max_keep_bytes)},
    {"max_keep_time", SQL_OPTION_US, MEMBER(max_keep_us)},
};
static const sql_option_def file_options[] = {
    {"connector", SQL_OPTION_TEXT, MEMBER(connector)},
    {"path", SQL_OPTION_TEXT, MEMBER(path)},
    {"format", SQL_OPTION_TEXT, MEMBER(format)},
    {"emit", SQL_OPTION_KEPT, 0},
    {"max_retry_interval", SQL_OPTION_KEPT, 0},
    {"max_keep_size", SQL_OPTION_BYTES, MEMBER(max_keep_bytes)},
    {"max_keep_time", SQL_OPTION_US, MEMBER(max_keep_us)},
};
static const sql_option_def record_options[] = {
    {"connector", SQL_OPTION_TEXT, MEMBER(connector)},
    {"path", SQL_OPTION_TEXT, MEMBER(path)},
    {"format", SQL_OPTION_TEXT, MEMBER(format)},
};
// Which connectors a sink can have, and what each cannot do without.
static const struct {
    const char *name;
    const sql_option_def *options;
    size_t noptions;
    const char *needed;
} connectors[] = {
    {"webhook", webhook_options, sizeof webhook_options / sizeof webhook_options[0], "url"},
    {"file", file_options, sizeof file_options / sizeof file_options[0], "path"},
};

static plan_object *new_object(sql_ctx *ctx, plan_object_kind kind) {
    plan_object *object = base_arena_new(ctx->arena, plan_object);
    object->kind = kind;
    object->event_time = object->effective_time = object->window_column = -1;
    object->version = 1;
    object->definition = base_arena_memdup(ctx->arena, ctx->text.p, ctx->text.n);
    return object;
}

static base_rc take_view(sql_cursor *cursor, const plan_object **view) {
    const char *schema, *name;
    int32_t position = sql_here(cursor);
    SQL_TRY(sql_take_qualified(cursor, &schema, &name));
    SQL_TRY(sql_bind_relation(cursor->ctx, schema, name, position, view));
    if ((*view)->kind != PLAN_OBJECT_VIEW)
        return sql_fail(cursor->ctx, position, BASE_E_INVALID, "42809",
                        "\"%s\" is a %s, not a materialized view", name,
                        plan_object_kind_name((*view)->kind));
    return BASE_OK;
}

static base_rc need_option(sql_ctx *ctx, const plan_object *object, const char *name) {
    if (plan_option_get(object, name) != NULL) return BASE_OK;
    return sql_fail(ctx, 0, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER,
                    "connector '%s' needs the option \"%s\"", object->connector, name);
}

static base_rc check_format(sql_ctx *ctx, const plan_object *object) {
    if (object->format == NULL || strcmp(object->format, "csv") == 0 ||
        strcmp(object->format, "ndjson") == 0)
        return BASE_OK;
    return sql_fail(ctx, 0, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER,
                    "format must be 'csv' or 'ndjson', not '%s'", object->format);
}

static base_rc check_option(sql_ctx *ctx, const plan_object *object, const char *name, bool good,
                            const char *wanted) {
    if (good) return BASE_OK;
    return sql_fail(ctx, 0, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER,
                    "option \"%s\" must be %s, not '%s'", name, wanted,
                    plan_option_get(object, name));
}

static bool is_count(const char *text) {
    size_t n = strspn(text, "0123456789");
    return n > 0 && n <= 6 && text[n] == '\0' && strspn(text, "0") < n;
}

// What a sink keeps as text and reads when it starts: refused here if it could not.
static base_rc check_sink(sql_ctx *ctx, const plan_object *object) {
    static const char *const counts[] = {"batch_rows", "max_attempts"};
    static const char *const intervals[] = {"timeout", "max_retry_interval", "max_keep_time"};
    const char *emit = plan_option_get(object, "emit");
    SQL_TRY(
        check_option(ctx, object, "emit",
                     emit == NULL || strcmp(emit, "changes") == 0 || strcmp(emit, "inserts") == 0,
                     "'changes' or 'inserts'"));
    SQL_TRY(check_option(ctx, object, "format", strcmp(object->format, "ndjson") == 0,
                         "'ndjson' for a sink"));
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        const char *value = plan_option_get(object, counts[i]);
        SQL_TRY(check_option(ctx, object, counts[i], value == NULL || is_count(value),
                             "a whole number from 1 to 999999"));
    }
    for (size_t i = 0; i < sizeof intervals / sizeof intervals[0]; i++) {
        const char *value = plan_option_get(object, intervals[i]);
        int64_t us = 1;
        if (value != NULL) SQL_TRY(sql_interval_us(ctx, value, 0, &us));
        SQL_TRY(check_option(ctx, object, intervals[i], us > 0, "longer than nothing"));
    }
    return BASE_OK;
}

base_rc sql_ddl_create_sink(sql_cursor *cursor, sql_statement *statement) {
    sql_ctx *ctx = cursor->ctx;
    statement->kind = SQL_CREATE_SINK;
    plan_object *object = new_object(ctx, PLAN_OBJECT_SINK);
    plan_option *options;
    int32_t *positions;
    SQL_TRY(sql_take_new_name(cursor, statement));
    object->schema = statement->schema;
    object->name = statement->name;
    SQL_TRY(sql_expect_word(cursor, "FROM"));
    SQL_TRY(take_view(cursor, &object->from));
    SQL_TRY(sql_expect_word(cursor, "WITH"));
    int32_t position = sql_here(cursor);
    SQL_TRY(sql_take_options(cursor, &object->noptions, &options, &positions));
    object->options = options;
    SQL_TRY(sql_expect_end(cursor));
    const char *connector = plan_option_get(object, "connector");
    for (size_t i = 0; i < sizeof connectors / sizeof connectors[0]; i++) {
        if (connector == NULL || strcmp(connector, connectors[i].name) != 0) continue;
        SQL_TRY(sql_options_apply(ctx, connectors[i].options, connectors[i].noptions, object,
                                  positions));
        SQL_TRY(need_option(ctx, object, connectors[i].needed));
        if (object->format == NULL) object->format = "ndjson";
        statement->object = object;
        return check_sink(ctx, object);
    }
    sql_fail(ctx, position, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER,
             connector == NULL ? "a sink needs the option \"connector\"%s"
                               : "unknown connector '%s'",
             connector == NULL ? "" : connector);
    base_error_hint(ctx->err, "Connectors: webhook, file.");
    return ctx->err->code;
}

// ---- reconciliation --------------------------------------------------------------------------

static base_rc take_column(sql_cursor *cursor, const plan_object *view, uint32_t *index) {
    const char *name;
    int32_t position = sql_here(cursor);
    SQL_TRY(sql_take_name(cursor, &name));
    int32_t found = plan_column_find(view, name);
    if (found < 0 || view->columns[found].hidden)
        return sql_fail(cursor->ctx, position, BASE_E_NOT_FOUND, BASE_SQLSTATE_UNDEFINED_COLUMN,
                        "column \"%s\" of %s \"%s\" does not exist", name,
                        plan_object_kind_name(view->kind), view->name);
    *index = (uint32_t)found;
    return BASE_OK;
}

static base_rc read_key(sql_cursor *cursor, plan_object *object) {
    uint32_t *key = base_arena_array(cursor->ctx->arena, uint32_t, object->from->ncolumns);
    SQL_TRY(sql_expect_symbol(cursor, "("));
    do {
        int32_t position = sql_here(cursor);
        uint32_t column;
        SQL_TRY(take_column(cursor, object->from, &column));
        for (uint32_t i = 0; i < object->nrecon_key; i++)
            if (key[i] == column)
                return sql_fail(
                    cursor->ctx, position, BASE_E_INVALID, BASE_SQLSTATE_DUPLICATE_COLUMN,
                    "column \"%s\" appears twice in KEY", object->from->columns[column].name);
        key[object->nrecon_key++] = column;
    } while (sql_take_symbol(cursor, ","));
    object->recon_key = key;
    return sql_expect_symbol(cursor, ")");
}

static base_rc read_tolerance(sql_cursor *cursor, const plan_column *column,
                              base_decimal *tolerance) {
    sql_ctx *ctx = cursor->ctx;
    const sql_token *token = sql_peek(cursor);
    int32_t position = sql_here(cursor);
    if (token->kind != SQL_TOKEN_NUMBER) return sql_syntax_error(cursor);
    if (!col_kind_is_number(column->type.kind))
        return sql_fail(ctx, position, BASE_E_INVALID, BASE_SQLSTATE_DATATYPE_MISMATCH,
                        "TOLERANCE needs a number, but column \"%s\" is of type %s", column->name,
                        sql_type_name(ctx, &column->type));
    if (base_decimal_parse(token->text, tolerance, ctx->err) != BASE_OK) {
        ctx->err->position = position;
        return ctx->err->code;
    }
    cursor->at++;
    return BASE_OK;
}

static base_rc read_compare(sql_cursor *cursor, plan_object *object) {
    plan_compare *compare =
        base_arena_array(cursor->ctx->arena, plan_compare, object->from->ncolumns);
    SQL_TRY(sql_expect_symbol(cursor, "("));
    do {
        if (object->ncompare == object->from->ncolumns) return sql_syntax_error(cursor);
        plan_compare *item = &compare[object->ncompare++];
        *item = (plan_compare){.tolerance = base_decimal_make(0, 0)};
        SQL_TRY(take_column(cursor, object->from, &item->column));
        if (sql_take_word(cursor, "TOLERANCE"))
            SQL_TRY(read_tolerance(cursor, &object->from->columns[item->column], &item->tolerance));
    } while (sql_take_symbol(cursor, ","));
    object->compare = compare;
    return sql_expect_symbol(cursor, ")");
}

static base_rc read_against(sql_cursor *cursor, plan_object *object) {
    sql_ctx *ctx = cursor->ctx;
    plan_option *options;
    int32_t *positions;
    int32_t position = sql_here(cursor);
    SQL_TRY(sql_take_options(cursor, &object->noptions, &options, &positions));
    object->options = options;
    SQL_TRY(sql_options_apply(ctx, record_options, sizeof record_options / sizeof record_options[0],
                              object, positions));
    if (object->connector == NULL || strcmp(object->connector, "file") != 0) {
        sql_fail(ctx, position, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER,
                 "a reconciliation needs connector = 'file'");
        return ctx->err->code;
    }
    SQL_TRY(need_option(ctx, object, "path"));
    if (object->format == NULL) {
        size_t n = strlen(object->path);
        if (n > 3 && strcmp(object->path + n - 3, ".gz") == 0) n -= 3;
        if (n > 4 && strcmp(object->path + n - 4, ".zst") == 0) n -= 4;
        object->format = n > 4 && strncmp(object->path + n - 4, ".csv", 4) == 0 ? "csv" : "ndjson";
    }
    return check_format(ctx, object);
}

// KEY, COMPARE, WHERE, EVERY, ON MISMATCH in any order.
static base_rc read_clauses(sql_cursor *cursor, plan_object *object) {
    static const char *const stops[] = {"EVERY", "KEY", "COMPARE", "ON MISMATCH", NULL};
    sql_ctx *ctx = cursor->ctx;
    while (sql_peek(cursor)->kind != SQL_TOKEN_END) {
        int32_t position = sql_here(cursor);
        if (object->nrecon_key == 0 && sql_take_word(cursor, "KEY")) {
            SQL_TRY(read_key(cursor, object));
        } else if (object->ncompare == 0 && sql_take_word(cursor, "COMPARE")) {
            SQL_TRY(read_compare(cursor, object));
        } else if (object->filter == NULL && sql_take_word(cursor, "WHERE")) {
            base_str text;
            size_t offset;
            SQL_TRY(sql_take_fragment(cursor, stops, &text, &offset));
            SQL_TRY(sql_bind_expr_text(ctx, object->from, text, offset, "WHERE", &object->filter));
            if (object->filter->type.kind != COL_BOOL)
                return sql_fail(ctx, object->filter->position, BASE_E_INVALID,
                                BASE_SQLSTATE_DATATYPE_MISMATCH,
                                "argument of WHERE must be type boolean, not type %s",
                                sql_type_name(ctx, &object->filter->type));
        } else if (object->every_us == 0 && sql_take_word(cursor, "EVERY")) {
            const char *every;
            sql_take_word(cursor, "INTERVAL");
            SQL_TRY(sql_take_string(cursor, &every));
            SQL_TRY(sql_interval_us(ctx, every, position, &object->every_us));
        } else if (sql_take_word(cursor, "ON MISMATCH REPORT")) {
            continue; // what it does anyway
        } else if (sql_is_word(cursor, "ON MISMATCH")) {
            return sql_unsupported(ctx, position, "only ON MISMATCH REPORT is supported yet");
        } else {
            return sql_syntax_error(cursor);
        }
    }
    if (object->nrecon_key == 0)
        return SQL_SYNTAX(ctx, sql_here(cursor), "a reconciliation needs KEY (columns)");
    if (object->ncompare == 0)
        return SQL_SYNTAX(ctx, sql_here(cursor), "a reconciliation needs COMPARE (columns)");
    return BASE_OK;
}

base_rc sql_ddl_create_reconciliation(sql_cursor *cursor, sql_statement *statement) {
    statement->kind = SQL_CREATE_RECONCILIATION;
    plan_object *object = new_object(cursor->ctx, PLAN_OBJECT_RECONCILIATION);
    SQL_TRY(sql_take_new_name(cursor, statement));
    object->schema = statement->schema;
    object->name = statement->name;
    SQL_TRY(sql_expect_word(cursor, "ON"));
    SQL_TRY(take_view(cursor, &object->from));
    SQL_TRY(sql_expect_word(cursor, "AGAINST"));
    SQL_TRY(read_against(cursor, object));
    SQL_TRY(read_clauses(cursor, object));
    statement->object = object;
    return BASE_OK;
}

base_rc sql_ddl_reconcile(sql_cursor *cursor, sql_statement *statement) {
    statement->kind = SQL_RECONCILE;
    SQL_TRY(sql_take_qualified(cursor, &statement->schema, &statement->name));
    return sql_expect_end(cursor);
}
