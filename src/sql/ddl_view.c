// ddl_view.c - CREATE MATERIALIZED VIEW: its query, and what the engine must know of its result:
// the columns that identify a row, the one that says when its window ends, how fresh it is kept.
// Entry point: sql_ddl_create_view.
#include "sql/sql_int.h"

#include "base/must.h"

#define VIEW_REFRESH_DEFAULT_US (1 * BASE_US_PER_SECOND)

#define MEMBER(name) offsetof(plan_object, name)
static const sql_option_def view_options[] = {
    {"refresh", SQL_OPTION_REFRESH, MEMBER(refresh_us)},
    {"lateness", SQL_OPTION_US, MEMBER(lateness_us)},
    {"close", SQL_OPTION_KEPT, 0},
    {"close_by", SQL_OPTION_KEPT, 0},
    {"early", SQL_OPTION_US, MEMBER(early_us)},
    {"freshness", SQL_OPTION_US, MEMBER(freshness_us)},
    {"history", SQL_OPTION_HISTORY, MEMBER(history_us)},
    {"owner", SQL_OPTION_TEXT, MEMBER(owner)},
    {"ledger", SQL_OPTION_LEDGER, MEMBER(ledger_us)},
};

// Order without a limit means nothing in a view: such sorts are left out, wherever they stand.
static const plan_node *without_sorts(sql_ctx *ctx, const plan_node *node) {
    while (node->kind == PLAN_NODE_SORT && node->limit < 0 && node->offset == 0 &&
           node->limit_param == NULL && node->offset_param == NULL)
        node = node->inputs[0];
    plan_node *copy = base_arena_new(ctx->arena, plan_node);
    *copy = *node;
    copy->inputs = base_arena_array(ctx->arena, const plan_node *, node->ninputs);
    for (uint32_t i = 0; i < node->ninputs; i++)
        copy->inputs[i] = without_sorts(ctx, node->inputs[i]);
    return copy;
}

static base_rc check_columns(sql_ctx *ctx, const plan_node *plan, int32_t position) {
    for (uint32_t i = 0; i < plan->ncolumns; i++) {
        const char *name = plan->columns[i].name;
        if (strcmp(name, "_status") == 0 || strcmp(name, "_revision") == 0 ||
            strcmp(name, "_updated_at") == 0)
            return sql_fail(ctx, position, BASE_E_INVALID, BASE_SQLSTATE_DUPLICATE_COLUMN,
                            "column name \"%s\" conflicts with a system column name", name);
        for (uint32_t k = 0; k < i; k++)
            if (strcmp(plan->columns[k].name, name) == 0)
                return sql_fail(ctx, position, BASE_E_INVALID, BASE_SQLSTATE_DUPLICATE_COLUMN,
                                "column \"%s\" specified more than once", name);
    }
    return BASE_OK;
}

static bool is_window(const plan_node *plan, uint32_t column) {
    const plan_window *window = plan->columns[column].window;
    if (window == NULL || !window->derived) return true;
    // A value that is only shown says nothing of when its row is final.
    for (uint32_t i = 0; i < plan->nkey; i++)
        if (plan->key[i] == column) return true;
    return false;
}

// The column that says when a row's window ends: window_end, else window_start (whose window
// tells the size); -1: rows are not windowed.
static int32_t find_window(const plan_node *plan) {
    int32_t start = -1;
    for (uint32_t i = 0; i < plan->ncolumns; i++) {
        if (!is_window(plan, i)) continue;
        if (plan->columns[i].time_role == PLAN_TIME_WINDOW_END) return (int32_t)i;
        if (plan->columns[i].time_role == PLAN_TIME_WINDOW_START && start < 0) start = (int32_t)i;
    }
    return start;
}

base_rc sql_rename_view_columns(sql_ctx *ctx, plan_node *plan, uint32_t n,
                                const char *const *names) {
    if (n > plan->ncolumns) return SQL_SYNTAX(ctx, 0, "too many column names were specified");
    for (uint32_t i = 0; i < n; i++) sql_columns(plan)[i].name = names[i];
    return BASE_OK;
}

base_rc sql_take_view_columns(sql_cursor *cursor, uint32_t *n, const char ***names) {
    *n = 0;
    *names = base_arena_array(cursor->ctx->arena, const char *, SQL_COLUMNS_MAX);
    if (!sql_take_symbol(cursor, "(")) return BASE_OK;
    do {
        if (*n == SQL_COLUMNS_MAX) return sql_syntax_error(cursor);
        SQL_TRY(sql_take_name(cursor, &(*names)[(*n)++]));
    } while (sql_take_symbol(cursor, ","));
    return sql_expect_symbol(cursor, ")");
}

// The query: all tokens up to EMIT ON WINDOW CLOSE or the end.
base_rc sql_take_view_query(sql_cursor *cursor, base_str *text, size_t *offset,
                            bool *emit_on_close) {
    const sql_token *first = sql_peek(cursor), *last = NULL;
    while (sql_peek(cursor)->kind != SQL_TOKEN_END && !sql_is_word(cursor, "EMIT ON")) {
        last = sql_peek(cursor);
        cursor->at++;
    }
    if (last == NULL) return sql_syntax_error(cursor);
    *offset = first->offset;
    *text = (base_str){first->text.p, last->offset + last->text.n - first->offset};
    if (sql_take_word(cursor, "EMIT ON")) {
        SQL_TRY(sql_expect_word(cursor, "WINDOW"));
        SQL_TRY(sql_expect_word(cursor, "CLOSE"));
        *emit_on_close = true;
    }
    return sql_expect_end(cursor);
}

// EMIT ON WINDOW CLOSE is the last thing that happens to the view's rows.
static const plan_node *emitted(sql_ctx *ctx, const plan_object *object, const plan_node *input) {
    if (!object->emit_on_close) return input;
    plan_node *node = sql_node(ctx, PLAN_NODE_EMIT, input->ncolumns, 1, input, NULL);
    memcpy(sql_columns(node), input->columns, input->ncolumns * sizeof *input->columns);
    node->finality = &object->finality;
    node->early_us = object->early_us;
    return node;
}

static void find_watermark(void *arg, const plan_node *scan) {
    const plan_object *object = scan->object;
    if (object->watermark != NULL) *(bool *)arg = true;
    if (object->kind == PLAN_OBJECT_VIEW) plan_node_scans(object->plan, find_watermark, arg);
}

// Without a watermark no window would ever close.
static base_rc check_emitted(sql_ctx *ctx, const plan_object *object, const plan_node *plan) {
    bool found = object->finality.by_clock;
    plan_node_scans(plan, find_watermark, &found);
    if (found) return BASE_OK;
    sql_fail(ctx, 0, BASE_E_INVALID, BASE_SQLSTATE_INVALID_DEFINITION,
             "EMIT ON WINDOW CLOSE needs a stream with a WATERMARK to read from");
    base_error_hint(ctx->err, "For example, WATERMARK FOR at AS at - INTERVAL '5 seconds'.");
    return ctx->err->code;
}

static int32_t position_of(const plan_object *object, const int32_t *positions, const char *name) {
    for (uint32_t i = 0; i < object->noptions; i++)
        if (strcmp(object->options[i].name, name) == 0) return positions[i];
    return 0;
}

// When windows are final: lateness, and close = '06:00 Europe/Berlin' with close_by.
static base_rc read_finality(sql_ctx *ctx, plan_object *object, const int32_t *positions) {
    plan_finality *f = &object->finality;
    f->lateness_us = object->lateness_us;
    const char *close = plan_option_get(object, "close");
    const char *by = plan_option_get(object, "close_by");
    base_str zone;
    if (close != NULL && !plan_close_parse(close, f, &zone)) {
        int32_t position = position_of(object, positions, "close");
        if (zone.n > 0)
            return sql_fail(ctx, position, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER,
                            "time zone \"%.*s\" not recognized", BASE_STR_ARG(zone));
        sql_fail(ctx, position, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER,
                 "option \"close\" is a time of day and a time zone, not \"%s\"", close);
        base_error_hint(ctx->err, "For example, close = '06:00 Europe/Berlin'.");
        return ctx->err->code;
    }
    if (close != NULL)
        f->zone_name = zone.n > 0 ? base_arena_memdup(ctx->arena, zone.p, zone.n) : "UTC";
    if (by == NULL) return BASE_OK;
    int32_t position = position_of(object, positions, "close_by");
    f->by_clock = strcmp(by, "processing time") == 0;
    if (!f->by_clock && strcmp(by, "event time") != 0)
        return sql_fail(ctx, position, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER,
                        "option \"close_by\" is 'event time' or 'processing time', not \"%s\"", by);
    if (close == NULL)
        return sql_fail(
            ctx, position, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER,
            "option \"close_by\" says which clock \"close\" goes by, and there is none");
    return BASE_OK;
}

static base_rc check_finality(sql_ctx *ctx, const plan_object *object) {
    if (object->finality.by_calendar && object->window_column < 0) {
        sql_fail(ctx, 0, BASE_E_INVALID, BASE_SQLSTATE_INVALID_DEFINITION,
                 "option \"close\" needs window_start or window_end among the view's columns");
        return ctx->err->code;
    }
    if (object->early_us > 0 && !object->emit_on_close)
        return sql_fail(ctx, 0, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER,
                        "option \"early\" is of views that EMIT ON WINDOW CLOSE: others show "
                        "provisional rows at each refresh");
    return BASE_OK;
}

static base_rc analyse(sql_cursor *cursor, plan_object *object, const plan_node *plan) {
    sql_ctx *ctx = cursor->ctx;
    object->plan = plan;
    object->nview_key = plan->nkey;
    object->view_key = plan->key;
    object->window_column = find_window(plan);
    SQL_TRY(check_finality(ctx, object));
    if (object->emit_on_close && object->window_column < 0) {
        sql_fail(ctx, 0, BASE_E_INVALID, BASE_SQLSTATE_INVALID_DEFINITION,
                 "EMIT ON WINDOW CLOSE needs window_start or window_end among the view's columns");
        base_error_hint(ctx->err,
                        "Group by the window of TUMBLE(...) and select window_start, or by "
                        "date_trunc of the event's time.");
        return ctx->err->code;
    }
    if (object->emit_on_close) SQL_TRY(check_emitted(ctx, object, plan));
    if (object->emit_on_close)
        ((plan_node *)(uintptr_t)plan)->time_column = (uint32_t)object->window_column;
    object->ncolumns = plan->ncolumns;
    object->columns =
        sql_add_system_columns(ctx, plan->columns, &object->ncolumns, PLAN_OBJECT_VIEW);
    return BASE_OK;
}

base_rc sql_ddl_create_view(sql_cursor *cursor, sql_statement *statement) {
    sql_ctx *ctx = cursor->ctx;
    statement->kind = SQL_CREATE_VIEW;
    plan_object *object = base_arena_new(ctx->arena, plan_object);
    object->kind = PLAN_OBJECT_VIEW;
    object->event_time = object->effective_time = object->window_column = -1;
    object->refresh_us = VIEW_REFRESH_DEFAULT_US;
    object->version = 1;
    object->definition = base_arena_memdup(ctx->arena, ctx->text.p, ctx->text.n);
    SQL_TRY(sql_take_new_name(cursor, statement));
    object->schema = statement->schema;
    object->name = statement->name;
    uint32_t nnames;
    const char **names;
    SQL_TRY(sql_take_view_columns(cursor, &nnames, &names));
    plan_option *options = NULL;
    int32_t *positions = NULL;
    if (sql_take_word(cursor, "WITH"))
        SQL_TRY(sql_take_options(cursor, &object->noptions, &options, &positions));
    object->options = options;
    SQL_TRY(sql_options_apply(ctx, view_options, sizeof view_options / sizeof view_options[0],
                              object, positions));
    SQL_TRY(read_finality(ctx, object, positions));
    SQL_TRY(sql_expect_word(cursor, "AS"));
    int32_t position = sql_here(cursor);
    base_str text;
    size_t offset;
    SQL_TRY(sql_take_view_query(cursor, &text, &offset, &object->emit_on_close));

    ctx->in_view = true;
    ctx->view_word = "materialized view";
    ctx->clock_allowed = true;
    const sql_tree *tree;
    plan_node *node;
    SQL_TRY(sql_parse(ctx, text, (int64_t)offset, &tree));
    if (!sql_is(tree, "SelectStmt"))
        return SQL_SYNTAX(ctx, position, "a materialized view is made of a SELECT");
    SQL_TRY(sql_bind_query(ctx, sql_body(tree), NULL, NULL, &node));
    const plan_node *plan;
    SQL_TRY(sql_optimise(ctx, emitted(ctx, object, without_sorts(ctx, node)), &plan));
    SQL_TRY(sql_rename_view_columns(ctx, (plan_node *)(uintptr_t)plan, nnames, names));
    SQL_TRY(check_columns(ctx, plan, position));
    SQL_TRY(analyse(cursor, object, plan));
    sql_set_uses(ctx, object);
    statement->object = object;
    return BASE_OK;
}
