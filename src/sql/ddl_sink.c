// ddl_sink.c - CREATE SINK: who is told of a view's changes, or of the runs of a reconciliation
// that are not clean. Each connector has its table of options. Entry point: sql_ddl_create_sink.
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

plan_object *sql_new_dependent(sql_ctx *ctx, plan_object_kind kind) {
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

// FROM RECONCILIATION name. A view may have that name.
static bool takes_reconciliation(sql_cursor *cursor) {
    return sql_is_word(cursor, "RECONCILIATION") && !sql_is_word(cursor, "RECONCILIATION WITH") &&
           sql_take_word(cursor, "RECONCILIATION");
}

static base_rc take_reconciliation(sql_cursor *cursor, const plan_object **out) {
    const char *schema, *name;
    int32_t position = sql_here(cursor);
    SQL_TRY(sql_take_qualified(cursor, &schema, &name));
    const sql_session *session = cursor->ctx->session;
    const plan_object *found = session->catalog->find(session->catalog->self, schema, name);
    if (found == NULL)
        return sql_fail(cursor->ctx, position, BASE_E_NOT_FOUND, BASE_SQLSTATE_UNDEFINED_OBJECT,
                        "reconciliation \"%s\" does not exist", name);
    if (found->kind != PLAN_OBJECT_RECONCILIATION)
        return sql_fail(cursor->ctx, position, BASE_E_INVALID, "42809",
                        "\"%s\" is a %s, not a reconciliation", name,
                        plan_object_kind_name(found->kind));
    *out = found;
    return BASE_OK;
}

base_rc sql_need_option(sql_ctx *ctx, const plan_object *object, const char *name) {
    if (plan_option_get(object, name) != NULL) return BASE_OK;
    return sql_fail(ctx, 0, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER,
                    "connector '%s' needs the option \"%s\"", object->connector, name);
}

static base_rc check_option(sql_ctx *ctx, const plan_object *object, const char *name, bool good,
                            const char *wanted) {
    if (good) return BASE_OK;
    return sql_fail(ctx, 0, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER,
                    "option \"%s\" must be %s, not '%s'", name, wanted,
                    plan_option_get(object, name));
}

// The value is not in the message: what follows ? in a url may be a secret.
base_rc sql_check_url(sql_ctx *ctx, const plan_object *object) {
    const char *url = plan_option_get(object, "url");
    if (url == NULL || strncmp(url, "http://", 7) == 0 || strncmp(url, "https://", 8) == 0)
        return BASE_OK;
    return sql_fail(ctx, 0, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER,
                    "option \"url\" must begin with http:// or https://");
}

static bool is_count(const char *text) {
    size_t n = strspn(text, "0123456789");
    return n > 0 && n <= 6 && text[n] == '\0' && strspn(text, "0") < n;
}

static base_rc check_emit(sql_ctx *ctx, const plan_object *object) {
    const char *emit = plan_option_get(object, "emit");
    SQL_TRY(check_option(ctx, object, "emit",
                         emit == NULL || strcmp(emit, "changes") == 0 ||
                             strcmp(emit, "inserts") == 0 || strcmp(emit, "final") == 0,
                         "'changes', 'inserts' or 'final'"));
    bool final = emit != NULL && strcmp(emit, "final") == 0;
    return check_option(ctx, object, "emit",
                        !final || (object->from->emit_on_close && object->from->nview_key > 0),
                        "'changes' or 'inserts', since the view has no key or does not EMIT ON "
                        "WINDOW CLOSE");
}

// Of a sink that is told of runs: one message a run, and the engine says how many are kept.
static base_rc check_alerts(sql_ctx *ctx, const plan_object *object) {
    static const char *const of_views[] = {"batch_rows", "max_keep_time", "max_keep_size"};
    const char *emit = plan_option_get(object, "emit");
    SQL_TRY(check_option(ctx, object, "emit",
                         emit == NULL || strcmp(emit, "alerts") == 0 || strcmp(emit, "all") == 0,
                         "'alerts' or 'all' of a reconciliation"));
    for (size_t i = 0; i < sizeof of_views / sizeof of_views[0]; i++)
        if (plan_option_get(object, of_views[i]) != NULL)
            return sql_fail(ctx, 0, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER,
                            "option \"%s\" is for sinks of views", of_views[i]);
    return BASE_OK;
}

// What a sink keeps as text and reads when it starts: refused here if it could not.
static base_rc check_sink(sql_ctx *ctx, const plan_object *object) {
    static const char *const counts[] = {"batch_rows", "max_attempts"};
    static const char *const intervals[] = {"timeout", "max_retry_interval", "max_keep_time"};
    SQL_TRY(object->from->kind == PLAN_OBJECT_RECONCILIATION ? check_alerts(ctx, object)
                                                             : check_emit(ctx, object));
    SQL_TRY(sql_check_url(ctx, object));
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
    plan_object *object = sql_new_dependent(ctx, PLAN_OBJECT_SINK);
    plan_option *options;
    int32_t *positions;
    SQL_TRY(sql_take_new_name(cursor, statement));
    object->schema = statement->schema;
    object->name = statement->name;
    SQL_TRY(sql_expect_word(cursor, "FROM"));
    if (takes_reconciliation(cursor))
        SQL_TRY(take_reconciliation(cursor, &object->from));
    else
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
        SQL_TRY(sql_need_option(ctx, object, connectors[i].needed));
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
