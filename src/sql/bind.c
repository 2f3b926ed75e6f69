// bind.c - from text to statement. Statements of our own are recognised by their first words and
// read by tokens; every other one goes to PostgreSQL's parser and is told apart by its node type.
// Two tables, one row a statement. Entry points: sql_bind, sql_command_tag.
#include "sql/sql_int.h"

#include "base/must.h"

// ---- statements of PostgreSQL's grammar ------------------------------------------------------

static base_rc bind_select(sql_ctx *ctx, const sql_tree *body, sql_statement *statement) {
    plan_node *node;
    statement->kind = SQL_SELECT;
    SQL_TRY(sql_bind_query(ctx, body, NULL, NULL, &node));
    return sql_optimise(ctx, node, &statement->plan);
}

// Value of SET: constants joined by commas.
static base_rc set_value(sql_ctx *ctx, const sql_tree *args, const char **value) {
    *value = NULL;
    for (const sql_tree *arg = args == NULL ? NULL : args->child; arg != NULL; arg = arg->next) {
        const sql_tree *at = arg;
        bool interval = sql_is(at, "TypeCast"); // of a time zone: INTERVAL '2:30'
        if (interval) at = sql_get(sql_body(at), "arg");
        const sql_tree *body = sql_body(at), *item;
        const char *text = "";
        int64_t number;
        if ((item = sql_get(body, "sval")) != NULL) {
            text = item->text != NULL ? item->text : sql_get_text(item, "sval");
        } else if ((item = sql_get(body, "fval")) != NULL) {
            text = item->text != NULL ? item->text : sql_get_text(item, "fval");
        } else if (sql_get_int(ctx, body, &number)) {
            text = base_arena_printf(ctx->arena, "%lld", (long long)number);
        } else if ((item = sql_get(body, "boolval")) != NULL) {
            text = sql_get_bool(item, "boolval") ? "on" : "off";
        }
        if (text == NULL) text = "";
        if (interval) text = base_arena_printf(ctx->arena, "interval %s", text);
        *value = *value == NULL ? text : base_arena_printf(ctx->arena, "%s, %s", *value, text);
    }
    return BASE_OK;
}

static base_rc bind_set(sql_ctx *ctx, const sql_tree *body, sql_statement *statement) {
    const char *kind = sql_get_text(body, "kind");
    statement->name = sql_get_text(body, "name");
    bool value =
        kind == NULL || strcmp(kind, "VAR_SET_VALUE") == 0 || strcmp(kind, "VAR_SET_MULTI") == 0;
    statement->kind = value ? SQL_SET : SQL_RESET;
    statement->is_local = sql_get_bool(body, "is_local");
    if (kind != NULL && strcmp(kind, "VAR_RESET_ALL") == 0) statement->name = NULL;
    if (kind != NULL && strcmp(kind, "VAR_SET_MULTI") == 0) { // isolation level, READ ONLY
        statement->kind = SQL_SET_TRANSACTION;
        return BASE_OK;
    }
    return set_value(ctx, sql_get(body, "args"), &statement->value);
}

static base_rc bind_transaction(sql_ctx *ctx, const sql_tree *body, sql_statement *statement) {
    static const struct {
        const char *kind;
        sql_kind as;
    } kinds[] = {
        {"TRANS_STMT_BEGIN", SQL_BEGIN},
        {"TRANS_STMT_START", SQL_BEGIN},
        {"TRANS_STMT_COMMIT", SQL_COMMIT},
        {"TRANS_STMT_ROLLBACK", SQL_ROLLBACK},
        {"TRANS_STMT_SAVEPOINT", SQL_SAVEPOINT},
        {"TRANS_STMT_RELEASE", SQL_RELEASE},
        {"TRANS_STMT_ROLLBACK_TO", SQL_ROLLBACK_TO},
    };
    const char *kind = sql_get_text(body, "kind");
    for (size_t i = 0; kind != NULL && i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strcmp(kind, kinds[i].kind) != 0) continue;
        statement->kind = kinds[i].as;
        statement->name = sql_get_text(body, "savepoint_name");
        return BASE_OK;
    }
    return sql_unsupported(ctx, sql_text_position(ctx, 0),
                           "prepared transactions are not supported");
}

static base_rc bind_deallocate(sql_ctx *ctx, const sql_tree *body, sql_statement *statement) {
    (void)ctx;
    statement->kind = SQL_DEALLOCATE;
    statement->name = sql_get_text(body, "name"); // NULL: ALL
    return BASE_OK;
}

static base_rc bind_discard(sql_ctx *ctx, const sql_tree *body, sql_statement *statement) {
    (void)ctx;
    (void)body;
    statement->kind = SQL_DISCARD;
    return BASE_OK;
}

static base_rc bind_close(sql_ctx *ctx, const sql_tree *body, sql_statement *statement) {
    const char *name = sql_get_text(body, "portalname");
    if (name != NULL)
        return sql_fail(ctx, 0, BASE_E_NOT_FOUND, "34000", "cursor \"%s\" does not exist", name);
    statement->kind = SQL_CLOSE_ALL;
    return BASE_OK;
}

static base_rc bind_unlisten(sql_ctx *ctx, const sql_tree *body, sql_statement *statement) {
    (void)ctx;
    (void)body;
    statement->kind = SQL_UNLISTEN;
    return BASE_OK;
}

// Accepted, they would let a client wait for ever.
static base_rc bind_listen(sql_ctx *ctx, const sql_tree *body, sql_statement *statement) {
    (void)body;
    (void)statement;
    sql_unsupported(ctx, sql_text_position(ctx, 0), "LISTEN and NOTIFY are not supported");
    base_error_hint(ctx->err, "Changes of a view: GET /v1/views/SCHEMA.NAME/changes over HTTP.");
    return ctx->err->code;
}

// ---- COPY ... TO STDOUT ----------------------------------------------------------------------

static const char *option_text(const sql_tree *arg) {
    const char *text = sql_string(arg);
    return text != NULL ? text : "";
}

static bool option_bool(const sql_tree *arg) {
    if (arg == NULL) return true;
    if (sql_is(arg, "Boolean")) return sql_get_bool(sql_body(arg), "boolval");
    if (sql_is(arg, "Integer")) return sql_get_number(sql_body(arg), "ival", 0) != 0;
    const char *text = option_text(arg);
    return strcmp(text, "true") == 0 || strcmp(text, "on") == 0;
}

static base_rc copy_options(sql_ctx *ctx, const sql_tree *options, sql_copy *copy) {
    const char *delimiter = NULL;
    for (const sql_tree *item = options == NULL ? NULL : options->child; item != NULL;
         item = item->next) {
        const sql_tree *body = sql_body(item), *arg = sql_get(body, "arg");
        const char *name = sql_get_text(body, "defname");
        int32_t position = sql_tree_position(ctx, body);
        if (strcmp(name, "format") == 0) {
            copy->csv = strcmp(option_text(arg), "csv") == 0;
            if (!copy->csv && strcmp(option_text(arg), "text") != 0)
                return sql_unsupported(ctx, position, "COPY format \"%s\" is not supported",
                                       option_text(arg));
        } else if (strcmp(name, "header") == 0) {
            copy->header = option_bool(arg);
        } else if (strcmp(name, "delimiter") == 0) {
            delimiter = option_text(arg);
            if (strlen(delimiter) != 1)
                return sql_fail(ctx, position, BASE_E_INVALID, BASE_SQLSTATE_UNSUPPORTED,
                                "COPY delimiter must be a single one-byte character");
        } else if (strcmp(name, "null") == 0) {
            copy->null_text = option_text(arg);
        } else {
            return sql_unsupported(ctx, position, "COPY option \"%s\" is not supported", name);
        }
    }
    copy->delimiter = delimiter != NULL ? delimiter[0] : copy->csv ? ',' : '\t';
    if (copy->null_text == NULL) copy->null_text = copy->csv ? "" : "\\N";
    return BASE_OK;
}

static base_rc copy_relation(sql_ctx *ctx, const sql_tree *body, plan_node **node) {
    const sql_tree *relation = sql_get(body, "relation"), *names = sql_get(body, "attlist");
    const plan_object *object;
    SQL_TRY(sql_bind_relation(ctx, sql_get_text(relation, "schemaname"),
                              sql_get_text(relation, "relname"), sql_tree_position(ctx, relation),
                              &object));
    sql_exprs exprs = {0};
    plan_node *scan = sql_node_scan(ctx, object);
    for (uint32_t i = 0; names == NULL && i < object->ncolumns; i++)
        if (!object->columns[i].hidden) sql_exprs_add(ctx, &exprs, sql_column_of(ctx, scan, i));
    for (const sql_tree *item = names == NULL ? NULL : names->child; item != NULL;
         item = item->next) {
        int32_t index = plan_column_find(object, sql_string(item));
        if (index < 0)
            return sql_fail(ctx, 0, BASE_E_NOT_FOUND, BASE_SQLSTATE_UNDEFINED_COLUMN,
                            "column \"%s\" of relation \"%s\" does not exist", sql_string(item),
                            object->name);
        sql_exprs_add(ctx, &exprs, sql_column_of(ctx, scan, (uint32_t)index));
    }
    *node = sql_node_project(ctx, scan, exprs.n, exprs.items, NULL);
    return BASE_OK;
}

static base_rc bind_copy(sql_ctx *ctx, const sql_tree *body, sql_statement *statement) {
    statement->kind = SQL_COPY_OUT;
    if (sql_get_bool(body, "is_from")) {
        sql_unsupported(ctx, sql_text_position(ctx, 0), "COPY FROM is not supported");
        base_error_hint(ctx->err, "Use INSERT, or POST /v1/streams/{schema.name}.");
        return ctx->err->code;
    }
    if (sql_get(body, "filename") != NULL || sql_get_bool(body, "is_program"))
        return sql_unsupported(ctx, sql_text_position(ctx, 0), "COPY goes TO STDOUT only");
    SQL_TRY(copy_options(ctx, sql_get(body, "options"), &statement->copy));
    plan_node *node;
    const sql_tree *query = sql_get(body, "query");
    if (query == NULL) {
        SQL_TRY(copy_relation(ctx, body, &node));
    } else if (sql_is(query, "SelectStmt")) {
        SQL_TRY(sql_bind_query(ctx, sql_body(query), NULL, NULL, &node));
    } else {
        return sql_unsupported(ctx, 0, "COPY of anything but a query is not supported");
    }
    return sql_optimise(ctx, node, &statement->plan);
}

static const struct {
    const char *type;
    base_rc (*bind)(sql_ctx *ctx, const sql_tree *body, sql_statement *statement);
} tree_statements[] = {
    {"SelectStmt", bind_select},           {"InsertStmt", sql_bind_insert},
    {"DeleteStmt", sql_bind_delete},       {"VariableSetStmt", bind_set},
    {"TransactionStmt", bind_transaction}, {"DeallocateStmt", bind_deallocate},
    {"DiscardStmt", bind_discard},         {"ClosePortalStmt", bind_close},
    {"ListenStmt", bind_listen},           {"UnlistenStmt", bind_unlisten},
    {"NotifyStmt", bind_listen},           {"CopyStmt", bind_copy},
};

// ---- statements of our own -------------------------------------------------------------------

static const struct {
    const char *words;
    sql_ddl_fn read;
} word_statements[] = {
    {"CREATE SCHEMA", sql_ddl_create_schema},
    {"CREATE STREAM", sql_ddl_create_stream},
    {"CREATE TABLE", sql_ddl_create_table},
    {"CREATE MATERIALIZED VIEW", sql_ddl_create_view},
    {"CREATE OR REPLACE MATERIALIZED VIEW", sql_ddl_create_view},
    {"CREATE VIEW", sql_ddl_create_plain_view},
    {"CREATE OR REPLACE VIEW", sql_ddl_create_plain_view},
    {"CREATE SINK", sql_ddl_create_sink},
    {"CREATE RECONCILIATION", sql_ddl_create_reconciliation},
    {"RECONCILE", sql_ddl_reconcile},
    {"APPROVE RECONCILIATION", sql_ddl_approve},
    {"REJECT RECONCILIATION", sql_ddl_reject},
    {"DROP", sql_ddl_drop},
    {"COMMENT ON", sql_ddl_comment},
    {"SHOW", sql_ddl_show},
    {"FLUSH", sql_ddl_flush},
    {"REBUILD FLOW", sql_ddl_rebuild_flow},
    {"ADVANCE WATERMARK OF", sql_ddl_advance},
    {"EXPLAIN", sql_ddl_explain},
    {"ALTER", sql_ddl_alter},
    {"SUBSCRIBE", sql_ddl_subscribe},
    {"VERIFY", sql_ddl_verify},
    {"REPLAY INTO", sql_ddl_replay},
    {"CANCEL REPLAY", sql_ddl_cancel_replay},
};

// "CREATE INDEX", "UPDATE", ...: for the statements that have no row.
static const char *statement_words(sql_ctx *ctx, const sql_cursor *cursor) {
    const sql_token *first = sql_peek(cursor), *second = first + 1;
    bool two = first->kind == SQL_TOKEN_WORD && second->kind == SQL_TOKEN_WORD &&
               strcmp(first->value, "create") == 0;
    char *words = base_arena_printf(ctx->arena, two ? "%.*s %.*s" : "%.*s",
                                    BASE_STR_ARG(first->text), BASE_STR_ARG(second->text));
    for (char *p = words; *p != '\0'; p++)
        if (*p >= 'a' && *p <= 'z') *p = (char)(*p - 'a' + 'A');
    return words;
}

base_rc sql_bind_statement(sql_cursor *cursor, sql_statement *statement) {
    sql_ctx *ctx = cursor->ctx;
    const sql_token *first = sql_peek(cursor);
    for (size_t i = 0; i < sizeof word_statements / sizeof word_statements[0]; i++) {
        if (!sql_take_word(cursor, word_statements[i].words)) continue;
        statement->or_replace = strstr(word_statements[i].words, "OR REPLACE") != NULL;
        return word_statements[i].read(cursor, statement);
    }
    base_str rest = {ctx->text.p + first->offset, ctx->text.n - first->offset};
    const sql_tree *tree;
    SQL_TRY(sql_parse(ctx, rest, (int64_t)first->offset, &tree));
    if (tree == NULL) { // nothing but semicolons
        statement->kind = SQL_EMPTY;
        return BASE_OK;
    }
    for (size_t i = 0; i < sizeof tree_statements / sizeof tree_statements[0]; i++)
        if (sql_is(tree, tree_statements[i].type))
            return tree_statements[i].bind(ctx, sql_body(tree), statement);
    return sql_unsupported(ctx, sql_text_position(ctx, first->offset), "%s is not supported",
                           statement_words(ctx, cursor));
}

base_rc sql_parse_expr_text(sql_ctx *ctx, base_str text, size_t offset, const sql_tree **out) {
    static const char head[] = "SELECT (";
    char *source = base_arena_printf(ctx->arena, "%s%.*s)", head, BASE_STR_ARG(text));
    const sql_tree *tree;
    SQL_TRY(sql_parse(ctx, base_str_of(source), (int64_t)offset - (int64_t)strlen(head), &tree));
    const sql_tree *targets = sql_get(sql_body(tree), "targetList");
    if (!sql_is(tree, "SelectStmt") || targets == NULL || targets->child == NULL ||
        targets->child->next != NULL || sql_get(sql_body(tree), "fromClause") != NULL)
        return SQL_SYNTAX(ctx, sql_text_position(ctx, offset), "one expression is expected here");
    *out = sql_get(sql_body(targets->child), "val");
    return BASE_OK;
}

base_rc sql_bind_expr_text(sql_ctx *ctx, const plan_object *object, base_str text, size_t offset,
                           const char *place, const plan_expr **out) {
    bool in_view = ctx->in_view, is_stored = ctx->is_stored;
    const char *view_word = ctx->view_word;
    const sql_tree *tree;
    SQL_TRY(sql_parse_expr_text(ctx, text, offset, &tree));
    sql_binder binder = {.ctx = ctx, .place = place};
    uint32_t rel = sql_scope_add_rel(ctx, &binder.scope,
                                     (sql_rel){.schema = object->schema, .name = object->name});
    for (uint32_t i = 0; i < object->ncolumns; i++)
        sql_scope_add(ctx, &binder.scope,
                      (sql_scope_column){.rel = rel,
                                         .index = i,
                                         .column = &object->columns[i],
                                         .name = object->columns[i].name,
                                         .hidden = object->columns[i].hidden});
    ctx->is_stored = true;
    ctx->in_view = strcmp(place, "DEFAULT") != 0; // a default may say now(): it is taken once
    ctx->view_word = place;
    base_rc rc = sql_bind_expr(&binder, tree, out);
    ctx->in_view = in_view;
    ctx->is_stored = is_stored;
    ctx->view_word = view_word;
    return rc;
}

// ---- entry -----------------------------------------------------------------------------------

static void index_chars(sql_ctx *ctx) {
    bool ascii = true;
    for (size_t i = 0; i < ctx->text.n && ascii; i++) ascii = (uint8_t)ctx->text.p[i] < 0x80;
    if (ascii) return;
    ctx->chars_at = base_arena_array(ctx->arena, uint32_t, ctx->text.n / 256 + 1);
    uint32_t chars = 0;
    for (size_t i = 0; i <= ctx->text.n; i++) {
        if (i % 256 == 0) ctx->chars_at[i / 256] = chars;
        if (i < ctx->text.n) chars += ((uint8_t)ctx->text.p[i] & 0xc0) != 0x80;
    }
}

static base_rc settle_params(sql_ctx *ctx, sql_statement *statement) {
    for (uint32_t i = 0; i < ctx->nparams; i++)
        if (ctx->params[i].kind == COL_UNKNOWN) ctx->params[i] = col_type_of(COL_TEXT);
    statement->nparams = ctx->nparams;
    statement->params = ctx->params;
    return BASE_OK;
}

base_rc sql_bind(base_arena *arena, const sql_session *session, base_str text, int32_t text_offset,
                 size_t nparam_types, const col_type *param_types, sql_statement **out,
                 base_error *err) {
    *out = NULL;
    if (text.n > SQL_TEXT_BYTES_MAX)
        return base_fail(err, BASE_E_LIMIT, BASE_SQLSTATE_LIMIT,
                         "statement of %zu bytes is too long (limit %u)", text.n,
                         SQL_TEXT_BYTES_MAX);
    size_t valid = base_utf8_valid_prefix(text);
    if (valid < text.n)
        return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_INVALID_ENCODING,
                         "invalid byte sequence for encoding \"UTF8\" at byte %zu", valid + 1);
    if (nparam_types > SQL_PARAMS_MAX)
        return base_fail(err, BASE_E_LIMIT, BASE_SQLSTATE_LIMIT, "too many parameters");
    base_error ignored;
    sql_ctx ctx = {.arena = arena,
                   .session = session,
                   .err = err != NULL ? err : &ignored,
                   .text = text,
                   .text_offset = text_offset};
    index_chars(&ctx);
    ctx.nparams = ctx.params_cap = (uint32_t)nparam_types;
    ctx.params = base_arena_array(arena, col_type, nparam_types);
    if (nparam_types > 0) memcpy(ctx.params, param_types, nparam_types * sizeof *ctx.params);
    sql_statement *statement = base_arena_new(arena, sql_statement);
    statement->text = text;
    statement->text_offset = text_offset;
    sql_cursor cursor;
    SQL_TRY(sql_cursor_init(&cursor, &ctx));
    // What is stored is bound again later, by nobody's session: its time zone is UTC.
    sql_session in_utc = *session;
    in_utc.zone = NULL;
    const char *first = sql_peek(&cursor)->kind == SQL_TOKEN_WORD ? sql_peek(&cursor)->value : "";
    if (strcmp(first, "create") == 0 || strcmp(first, "alter") == 0) ctx.session = &in_utc;
    if (sql_peek(&cursor)->kind == SQL_TOKEN_END) {
        statement->kind = SQL_EMPTY;
    } else {
        SQL_TRY(sql_bind_statement(&cursor, statement));
    }
    SQL_TRY(settle_params(&ctx, statement));
    *out = statement;
    return BASE_OK;
}

const char *sql_command_tag(const sql_statement *statement) {
    static const char *const tags[] = {
        [SQL_EMPTY] = "",
        [SQL_CREATE_SCHEMA] = "CREATE SCHEMA",
        [SQL_CREATE_STREAM] = "CREATE STREAM",
        [SQL_CREATE_TABLE] = "CREATE TABLE",
        [SQL_CREATE_VIEW] = "CREATE MATERIALIZED VIEW",
        [SQL_CREATE_SINK] = "CREATE SINK",
        [SQL_CREATE_RECONCILIATION] = "CREATE RECONCILIATION",
        [SQL_DROP_SCHEMA] = "DROP SCHEMA",
        [SQL_COMMENT] = "COMMENT",
        [SQL_SELECT] = "SELECT",
        [SQL_EXPLAIN] = "EXPLAIN",
        [SQL_INSERT] = "INSERT",
        [SQL_DELETE] = "DELETE",
        [SQL_SHOW] = "SHOW",
        [SQL_SET] = "SET",
        [SQL_RESET] = "RESET",
        [SQL_BEGIN] = "BEGIN",
        [SQL_COMMIT] = "COMMIT",
        [SQL_ROLLBACK] = "ROLLBACK",
        [SQL_SAVEPOINT] = "SAVEPOINT",
        [SQL_RELEASE] = "RELEASE",
        [SQL_ROLLBACK_TO] = "ROLLBACK",
        [SQL_SET_TRANSACTION] = "SET",
        [SQL_FLUSH] = "FLUSH",
        [SQL_RECONCILE] = "RECONCILE",
        [SQL_DECIDE] = "DECIDE",
        [SQL_REBUILD_FLOW] = "REBUILD FLOW",
        [SQL_VERIFY] = "VERIFY",
        [SQL_REPLAY] = "REPLAY",
        [SQL_CANCEL_REPLAY] = "CANCEL REPLAY",
        [SQL_ALTER_VIEW] = "ALTER MATERIALIZED VIEW",
        [SQL_ALTER_STREAM] = "ALTER STREAM",
        [SQL_ADVANCE] = "ADVANCE WATERMARK",
        [SQL_COPY_OUT] = "COPY",
        [SQL_DEALLOCATE] = "DEALLOCATE",
        [SQL_DISCARD] = "DISCARD ALL",
        [SQL_CLOSE_ALL] = "CLOSE CURSOR ALL",
        [SQL_UNLISTEN] = "UNLISTEN",
        [SQL_DECLARE_UNUSED] = "",
    };
    static const char *const drop_tags[] = {
        [PLAN_OBJECT_STREAM] = "DROP STREAM",
        [PLAN_OBJECT_TABLE] = "DROP TABLE",
        [PLAN_OBJECT_VIEW] = "DROP MATERIALIZED VIEW",
        [PLAN_OBJECT_SINK] = "DROP SINK",
        [PLAN_OBJECT_RECONCILIATION] = "DROP RECONCILIATION",
        [PLAN_OBJECT_PLAIN_VIEW] = "DROP VIEW",
        [PLAN_OBJECT_SYSTEM] = "DROP",
    };
    if (statement->kind == SQL_CREATE_VIEW && statement->object->kind == PLAN_OBJECT_PLAIN_VIEW)
        return "CREATE VIEW";
    return statement->kind == SQL_DROP ? drop_tags[statement->drop_kind] : tags[statement->kind];
}
