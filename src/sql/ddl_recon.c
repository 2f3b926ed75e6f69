// ddl_recon.c - CREATE RECONCILIATION and RECONCILE. What a reconciliation stands on is a view or,
// with ON STREAM, a stream; what it is held against is a book, each connector with its table of
// options. Entry points: sql_ddl_create_reconciliation, sql_ddl_reconcile.
#include "sql/sql_int.h"

#include "base/must.h"

#define MEMBER(name) offsetof(plan_object, name)
static const sql_option_def file_options[] = {
    {"connector", SQL_OPTION_TEXT, MEMBER(connector)},
    {"path", SQL_OPTION_TEXT, MEMBER(path)},
    {"format", SQL_OPTION_TEXT, MEMBER(format)},
};
static const sql_option_def view_options[] = {
    {"connector", SQL_OPTION_TEXT, MEMBER(connector)},
    {"view", SQL_OPTION_KEPT, 0},
};
static const sql_option_def postgres_options[] = {
    {"connector", SQL_OPTION_TEXT, MEMBER(connector)},
    {"conninfo", SQL_OPTION_KEPT, 0},
    {"query", SQL_OPTION_KEPT, 0},
    {"timeout", SQL_OPTION_KEPT, 0},
};
static const sql_option_def mariadb_options[] = {
    {"connector", SQL_OPTION_TEXT, MEMBER(connector)},
    {"host", SQL_OPTION_KEPT, 0},
    {"port", SQL_OPTION_KEPT, 0},
    {"socket", SQL_OPTION_KEPT, 0},
    {"user", SQL_OPTION_KEPT, 0},
    {"password", SQL_OPTION_KEPT, 0},
    {"password_file", SQL_OPTION_KEPT, 0},
    {"database", SQL_OPTION_KEPT, 0},
    {"tls", SQL_OPTION_KEPT, 0},
    {"tls_ca", SQL_OPTION_KEPT, 0},
    {"query", SQL_OPTION_KEPT, 0},
    {"timeout", SQL_OPTION_KEPT, 0},
};
static const sql_option_def http_options[] = {
    {"connector", SQL_OPTION_TEXT, MEMBER(connector)},
    {"url", SQL_OPTION_KEPT, 0},
    {"headers", SQL_OPTION_KEPT, 0},
    {"format", SQL_OPTION_TEXT, MEMBER(format)},
    {"timeout", SQL_OPTION_KEPT, 0},
    {"max_size", SQL_OPTION_KEPT, 0},
};
#define OPTIONS(of) of, sizeof of / sizeof of[0]
static const struct {
    const char *name;
    const sql_option_def *options;
    size_t noptions;
    const char *needed[3];
} books[] = {
    {"file", OPTIONS(file_options), {"path"}},
    {"view", OPTIONS(view_options), {"view"}},
    {"postgres", OPTIONS(postgres_options), {"conninfo", "query"}},
    {"mariadb", OPTIONS(mariadb_options), {"user", "query"}},
    {"http", OPTIONS(http_options), {"url"}},
};

// What it stands on.
static base_rc take_side(sql_cursor *cursor, const plan_object **from) {
    sql_ctx *ctx = cursor->ctx;
    bool stream = sql_take_word(cursor, "STREAM");
    const char *schema, *name;
    int32_t position = sql_here(cursor);
    SQL_TRY(sql_take_qualified(cursor, &schema, &name));
    SQL_TRY(sql_bind_relation(ctx, schema, name, position, from));
    plan_object_kind kind = (*from)->kind;
    if (stream ? kind == PLAN_OBJECT_STREAM || kind == PLAN_OBJECT_TABLE : kind == PLAN_OBJECT_VIEW)
        return BASE_OK;
    sql_fail(ctx, position, BASE_E_INVALID, "42809", "\"%s\" is a %s, not a %s", name,
             plan_object_kind_name(kind), stream ? "stream" : "materialized view");
    if (!stream && kind == PLAN_OBJECT_STREAM)
        base_error_hint(ctx->err, "ON STREAM %s compares its events.", name);
    return ctx->err->code;
}

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

static base_rc read_tolerance(sql_cursor *cursor, const plan_column *column, plan_compare *item) {
    sql_ctx *ctx = cursor->ctx;
    const sql_token *token = sql_peek(cursor);
    int32_t position = sql_here(cursor);
    if (token->kind != SQL_TOKEN_NUMBER) return sql_syntax_error(cursor);
    if (!col_kind_is_number(column->type.kind))
        return sql_fail(ctx, position, BASE_E_INVALID, BASE_SQLSTATE_DATATYPE_MISMATCH,
                        "TOLERANCE needs a number, but column \"%s\" is of type %s", column->name,
                        sql_type_name(ctx, &column->type));
    if (base_decimal_parse(token->text, &item->tolerance, ctx->err) != BASE_OK) {
        ctx->err->position = position;
        return ctx->err->code;
    }
    cursor->at++;
    item->percent = sql_take_word(cursor, "PERCENT");
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
            SQL_TRY(read_tolerance(cursor, &object->from->columns[item->column], item));
    } while (sql_take_symbol(cursor, ","));
    object->compare = compare;
    return sql_expect_symbol(cursor, ")");
}

static void guess_format(plan_object *object, const char *path) {
    if (object->format != NULL) return;
    size_t n = strlen(path);
    if (n > 3 && strcmp(path + n - 3, ".gz") == 0) n -= 3;
    if (n > 4 && strcmp(path + n - 4, ".zst") == 0) n -= 4;
    object->format = n > 4 && strncmp(path + n - 4, ".csv", 4) == 0 ? "csv" : "ndjson";
}

static base_rc check_file(sql_ctx *ctx, plan_object *object) {
    bool http = strcmp(object->connector, "http") == 0;
    if (http && object->format == NULL) object->format = "json";
    if (!http) guess_format(object, object->path);
    if (strcmp(object->format, "csv") == 0 || strcmp(object->format, "ndjson") == 0 ||
        (http && strcmp(object->format, "json") == 0))
        return BASE_OK;
    return sql_fail(ctx, 0, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER,
                    "format must be 'csv' or 'ndjson'%s, not '%s'", http ? " or 'json'" : "",
                    object->format);
}

// The view that AGAINST names, as text: "schema.name" or "name".
static base_rc check_view(sql_ctx *ctx, plan_object *object, int32_t position) {
    const char *text = plan_option_get(object, "view");
    const char *dot = strchr(text, '.');
    const char *schema =
        dot == NULL ? NULL : base_arena_memdup(ctx->arena, text, (size_t)(dot - text));
    const char *name = dot == NULL ? text : dot + 1;
    SQL_TRY(sql_bind_relation(ctx, schema, name, position, &object->book));
    if (object->book->kind != PLAN_OBJECT_VIEW)
        return sql_fail(ctx, position, BASE_E_INVALID, "42809",
                        "\"%s\" is a %s, not a materialized view", text,
                        plan_object_kind_name(object->book->kind));
    uint32_t *uses = base_arena_array(ctx->arena, uint32_t, 1);
    uses[0] = object->book->id;
    object->uses = uses;
    object->nuses = 1;
    return BASE_OK;
}

static base_rc check_timeout(sql_ctx *ctx, const plan_object *object) {
    const char *timeout = plan_option_get(object, "timeout");
    int64_t us = 1;
    if (timeout != NULL) SQL_TRY(sql_interval_us(ctx, timeout, 0, &us));
    if (us > 0) return BASE_OK;
    return sql_fail(ctx, 0, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER,
                    "option \"timeout\" must be longer than nothing, not '%s'", timeout);
}

static base_rc read_against(sql_cursor *cursor, plan_object *object) {
    sql_ctx *ctx = cursor->ctx;
    plan_option *options;
    int32_t *positions;
    int32_t position = sql_here(cursor);
    SQL_TRY(sql_take_options(cursor, &object->noptions, &options, &positions));
    object->options = options;
    const char *connector = plan_option_get(object, "connector");
    for (size_t i = 0; i < sizeof books / sizeof books[0]; i++) {
        if (connector == NULL || strcmp(connector, books[i].name) != 0) continue;
        SQL_TRY(sql_options_apply(ctx, books[i].options, books[i].noptions, object, positions));
        for (size_t k = 0; k < 3 && books[i].needed[k] != NULL; k++)
            SQL_TRY(sql_need_option(ctx, object, books[i].needed[k]));
        SQL_TRY(check_timeout(ctx, object));
        SQL_TRY(sql_check_url(ctx, object));
        if (strcmp(connector, "view") == 0) return check_view(ctx, object, position);
        if (strcmp(connector, "file") == 0 || strcmp(connector, "http") == 0)
            return check_file(ctx, object);
        return BASE_OK;
    }
    sql_fail(ctx, position, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER,
             connector == NULL ? "a reconciliation needs the option \"connector\"%s"
                               : "unknown connector '%s'",
             connector == NULL ? "" : connector);
    base_error_hint(ctx->err, "Books: file, http, mariadb, postgres, view.");
    return ctx->err->code;
}

// SETTLE 'interval' [BY column]
static base_rc read_settle(sql_cursor *cursor, plan_object *object, int32_t position) {
    sql_ctx *ctx = cursor->ctx;
    const char *settle;
    sql_take_word(cursor, "INTERVAL");
    SQL_TRY(sql_take_string(cursor, &settle));
    SQL_TRY(sql_interval_us(ctx, settle, position, &object->settle_us));
    object->settles = true;
    if (!sql_take_word(cursor, "BY")) return BASE_OK;
    if (object->settle_us == 0)
        return sql_fail(ctx, position, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER,
                        "SETTLE BY must be longer than nothing");
    uint32_t column;
    position = sql_here(cursor);
    SQL_TRY(take_column(cursor, object->from, &column));
    const plan_column *c = &object->from->columns[column];
    if (c->type.kind != COL_TIMESTAMPTZ && c->type.kind != COL_TIMESTAMP &&
        c->type.kind != COL_DATE)
        return sql_fail(ctx, position, BASE_E_INVALID, BASE_SQLSTATE_DATATYPE_MISMATCH,
                        "SETTLE BY needs a date or a timestamp, but column \"%s\" is of type %s",
                        c->name, sql_type_name(ctx, &c->type));
    object->settle_column = (int32_t)column;
    return BASE_OK;
}

// EXPLAIN BY reconciliation: of the events that the figures are made of.
static base_rc read_explain(sql_cursor *cursor, plan_object *object) {
    sql_ctx *ctx = cursor->ctx;
    const char *schema, *name;
    int32_t position = sql_here(cursor);
    SQL_TRY(sql_take_qualified(cursor, &schema, &name));
    const sql_session *session = ctx->session;
    const plan_object *by = session->catalog->find(session->catalog->self,
                                                   schema != NULL ? schema : object->schema, name);
    if (by == NULL || by->kind != PLAN_OBJECT_RECONCILIATION || by->from->kind == PLAN_OBJECT_VIEW)
        return sql_fail(ctx, position, BASE_E_NOT_FOUND, BASE_SQLSTATE_UNDEFINED_OBJECT,
                        "\"%s\" is not a reconciliation ON STREAM", name);
    uint32_t *uses = base_arena_array(ctx->arena, uint32_t, object->nuses + 1);
    for (uint32_t i = 0; i < object->nuses; i++) uses[i] = object->uses[i];
    uses[object->nuses++] = by->id;
    object->uses = uses;
    object->explain_by = by;
    return BASE_OK;
}

// KEY, COMPARE, WHERE, EVERY, SETTLE, EXPLAIN, ON MISMATCH in any order; but what a remedy says
// EVERY DAY AT '06:30 Europe/Berlin'
static base_rc read_daily(sql_cursor *cursor, plan_object *object) {
    sql_ctx *ctx = cursor->ctx;
    int32_t position = sql_here(cursor);
    const char *at;
    base_str zone;
    SQL_TRY(sql_take_string(cursor, &at));
    object->every_us = BASE_US_PER_DAY;
    if (plan_close_parse(at, &object->daily, &zone)) return BASE_OK;
    if (zone.n > 0)
        return sql_fail(ctx, position, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER,
                        "time zone \"%.*s\" not recognized", BASE_STR_ARG(zone));
    sql_fail(ctx, position, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER,
             "EVERY DAY AT wants a time of day and a time zone, not '%s'", at);
    base_error_hint(ctx->err, "For example, EVERY DAY AT '06:30 Europe/Berlin'.");
    return ctx->err->code;
}

// needs KEY and COMPARE before it.
static base_rc read_clauses(sql_cursor *cursor, plan_object *object) {
    static const char *const stops[] = {"EVERY",  "KEY",        "COMPARE",        "ON MISMATCH",
                                        "SETTLE", "EXPLAIN BY", "EXPLAIN EVENTS", NULL};
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
            // The clock is the run's: "what is before today" is what a daily report has.
            bool allowed = ctx->clock_allowed, uses = ctx->uses_clock;
            ctx->clock_allowed = true;
            base_rc rc =
                sql_bind_expr_text(ctx, object->from, text, offset, "WHERE", &object->filter);
            ctx->clock_allowed = allowed;
            ctx->uses_clock = uses;
            if (rc != BASE_OK) return rc;
            if (object->filter->type.kind != COL_BOOL)
                return sql_fail(ctx, object->filter->position, BASE_E_INVALID,
                                BASE_SQLSTATE_DATATYPE_MISMATCH,
                                "argument of WHERE must be type boolean, not type %s",
                                sql_type_name(ctx, &object->filter->type));
        } else if (object->every_us == 0 && sql_take_word(cursor, "EVERY")) {
            const char *every;
            if (sql_take_word(cursor, "DAY AT")) {
                SQL_TRY(read_daily(cursor, object));
                continue;
            }
            sql_take_word(cursor, "INTERVAL");
            SQL_TRY(sql_take_string(cursor, &every));
            SQL_TRY(sql_interval_us(ctx, every, position, &object->every_us));
        } else if (!object->settles && sql_take_word(cursor, "SETTLE")) {
            SQL_TRY(read_settle(cursor, object, position));
        } else if (!object->explain_events && object->from->kind == PLAN_OBJECT_VIEW &&
                   sql_take_word(cursor, "EXPLAIN EVENTS")) {
            object->explain_events = true;
        } else if (object->explain_by == NULL && sql_take_word(cursor, "EXPLAIN BY")) {
            SQL_TRY(read_explain(cursor, object));
        } else if (sql_take_word(cursor, "ON MISMATCH REPORT")) {
            continue; // what it does anyway
        } else if (object->remedy == NULL && sql_take_word(cursor, "ON MISMATCH")) {
            SQL_TRY(sql_take_remedy(cursor, object));
        } else {
            return sql_syntax_error(cursor);
        }
    }
    if (object->nrecon_key == 0)
        return SQL_SYNTAX(ctx, sql_here(cursor), "a reconciliation needs KEY (columns)");
    if (object->ncompare == 0 && object->from->kind == PLAN_OBJECT_VIEW)
        return SQL_SYNTAX(ctx, sql_here(cursor), "a reconciliation needs COMPARE (columns)");
    if (object->settles && object->settle_us == 0 && object->remedy == NULL)
        return sql_fail(ctx, sql_here(cursor), BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER,
                        "SETTLE must be longer than nothing, unless ON MISMATCH acts");
    return sql_check_remedy(ctx, object);
}

base_rc sql_ddl_create_reconciliation(sql_cursor *cursor, sql_statement *statement) {
    statement->kind = SQL_CREATE_RECONCILIATION;
    plan_object *object = sql_new_dependent(cursor->ctx, PLAN_OBJECT_RECONCILIATION);
    object->settle_column = -1;
    SQL_TRY(sql_take_new_name(cursor, statement));
    object->schema = statement->schema;
    object->name = statement->name;
    SQL_TRY(sql_expect_word(cursor, "ON"));
    SQL_TRY(take_side(cursor, &object->from));
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
