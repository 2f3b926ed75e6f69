// ddl_stream.c - CREATE SCHEMA, CREATE STREAM and CREATE TABLE: event contracts. The statement is
// read by tokens; expressions inside (CHECK, DEFAULT, WATERMARK) are kept as text until all columns
// are known and then go through PostgreSQL's parser. Entry points: sql_ddl_create_*.
#include "sql/sql_int.h"

#include "base/must.h"

#define STREAM_PARTITIONS_DEFAULT 1
#define STREAM_IDLE_DEFAULT_US    (10 * BASE_US_PER_SECOND)

#define MEMBER(name) offsetof(plan_object, name)
static const sql_option_def stream_options[] = {
    {"owner", SQL_OPTION_TEXT, MEMBER(owner)},
    {"version", SQL_OPTION_U32, MEMBER(version)},
    {"compatibility", SQL_OPTION_KEPT, 0},
    {"retention", SQL_OPTION_RETENTION, 0},
    {"partitions", SQL_OPTION_U32, MEMBER(partitions)},
    {"dedup_horizon", SQL_OPTION_US, MEMBER(dedup_horizon_us)},
    {"max_lateness", SQL_OPTION_US, MEMBER(max_lateness_us)},
    {"max_ahead", SQL_OPTION_US, MEMBER(max_ahead_us)},
    {"idle_timeout", SQL_OPTION_US, MEMBER(idle_timeout_us)},
    {"compression", SQL_OPTION_KEPT, 0},
    {"retractions", SQL_OPTION_KEPT, 0},
};

typedef struct fragment {
    base_str text;
    size_t offset;
    const char *name;   // CHECK: its constraint's name, or NULL
    const char *column; // CHECK of a column, DEFAULT
    int32_t position;
} fragment;

typedef struct contract {
    sql_cursor *cursor;
    sql_ctx *ctx;
    plan_object *object;
    plan_column *columns;
    fragment *defaults; // by column; text.n 0: none
    uint32_t nchecks;
    fragment *checks;
    fragment watermark;
    bool learnt;
    const char *sequence[2]; // source and number, or the number alone
    uint32_t nsequence;
    int32_t sequence_position;
    const char *event_time, *effective_time;
    int32_t event_position, effective_position;
    uint32_t nkey;
    const char **key;
    int32_t key_position;
} contract;

enum { CHECKS_MAX = 1000, KEY_MAX = 32 };

base_rc sql_ddl_create_schema(sql_cursor *cursor, sql_statement *statement) {
    statement->kind = SQL_CREATE_SCHEMA;
    statement->if_not_exists = sql_take_word(cursor, "IF NOT EXISTS");
    int32_t position = sql_here(cursor);
    SQL_TRY(sql_take_name(cursor, &statement->name));
    statement->schema = statement->name;
    if (strncmp(statement->name, "pg_", 3) == 0)
        return sql_fail(cursor->ctx, position, BASE_E_INVALID, "42939",
                        "unacceptable schema name \"%s\"", statement->name);
    return sql_expect_end(cursor);
}

static base_rc add_check(contract *c, const char *name, const char *column) {
    if (c->nchecks == CHECKS_MAX)
        return sql_fail(c->ctx, sql_here(c->cursor), BASE_E_LIMIT, BASE_SQLSTATE_LIMIT,
                        "at most %d CHECK constraints", CHECKS_MAX);
    fragment *check = &c->checks[c->nchecks++];
    *check = (fragment){.name = name, .column = column, .position = sql_here(c->cursor)};
    SQL_TRY(sql_expect_symbol(c->cursor, "("));
    SQL_TRY(sql_take_fragment(c->cursor, NULL, &check->text, &check->offset));
    return sql_expect_symbol(c->cursor, ")");
}

static base_rc set_key(contract *c, int32_t position) {
    if (c->nkey > 0)
        return sql_fail(c->ctx, position, BASE_E_INVALID, "42P16",
                        "multiple primary keys for %s \"%s\" are not allowed",
                        plan_object_kind_name(c->object->kind), c->object->name);
    c->key_position = position;
    return BASE_OK;
}

static base_rc refuse_constraint(contract *c) {
    static const char *const words[] = {"UNIQUE", "REFERENCES", "FOREIGN KEY", "GENERATED",
                                        "EXCLUDE"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (sql_is_word(c->cursor, words[i]))
            return sql_unsupported(c->ctx, sql_here(c->cursor), "%s is not supported", words[i]);
    return sql_syntax_error(c->cursor);
}

static bool at_part_end(const contract *c) {
    const sql_token *token = sql_peek(c->cursor);
    return token->kind == SQL_TOKEN_END || (token->kind == SQL_TOKEN_SYMBOL &&
                                            (token->text.p[0] == ',' || token->text.p[0] == ')'));
}

static base_rc read_column_part(contract *c, plan_column *column) {
    static const char *const stops[] = {"NOT NULL",   "NULL",    "CHECK",      "PRIMARY KEY",
                                        "CONSTRAINT", "UNIQUE",  "REFERENCES", "DEFAULT",
                                        "GENERATED",  "COMMENT", NULL};
    const char *name = NULL;
    int32_t position = sql_here(c->cursor);
    if (sql_take_word(c->cursor, "CONSTRAINT")) SQL_TRY(sql_take_name(c->cursor, &name));
    if (sql_take_word(c->cursor, "NOT NULL")) {
        column->not_null = true;
    } else if (sql_take_word(c->cursor, "NULL")) {
        column->not_null = false;
    } else if (sql_take_word(c->cursor, "CHECK")) {
        return add_check(c, name, column->name);
    } else if (sql_take_word(c->cursor, "PRIMARY KEY")) {
        SQL_TRY(set_key(c, position));
        c->key[c->nkey++] = column->name;
    } else if (sql_take_word(c->cursor, "DEFAULT")) {
        fragment *value = &c->defaults[column - c->columns];
        value->position = sql_here(c->cursor);
        return sql_take_fragment(c->cursor, stops, &value->text, &value->offset);
    } else if (sql_take_word(c->cursor, "COMMENT")) {
        return sql_take_string(c->cursor, &column->comment);
    } else {
        return refuse_constraint(c);
    }
    return BASE_OK;
}

static bool is_system_name(const char *name) {
    static const char *const names[] = {"_offset", "_partition", "_ingested_at", "_origin",
                                        "_status", "_revision",  "_updated_at"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(names[i], name) == 0) return true;
    return false;
}

static base_rc read_column(contract *c) {
    plan_object *object = c->object;
    int32_t position = sql_here(c->cursor);
    if (object->ncolumns == SQL_COLUMNS_MAX)
        return sql_fail(c->ctx, position, BASE_E_LIMIT, "54011",
                        "tables can have at most %u columns", SQL_COLUMNS_MAX);
    plan_column *column = &c->columns[object->ncolumns];
    SQL_TRY(sql_take_name(c->cursor, &column->name));
    if (is_system_name(column->name))
        return sql_fail(c->ctx, position, BASE_E_INVALID, BASE_SQLSTATE_DUPLICATE_COLUMN,
                        "column name \"%s\" conflicts with a system column name", column->name);
    if (plan_column_find(object, column->name) >= 0)
        return sql_fail(c->ctx, position, BASE_E_INVALID, BASE_SQLSTATE_DUPLICATE_COLUMN,
                        "column \"%s\" specified more than once", column->name);
    SQL_TRY(sql_take_type(c->cursor, &column->type));
    object->ncolumns++;
    while (!at_part_end(c)) SQL_TRY(read_column_part(c, column));
    return BASE_OK;
}

static base_rc read_key(contract *c) {
    SQL_TRY(set_key(c, sql_here(c->cursor)));
    SQL_TRY(sql_expect_symbol(c->cursor, "("));
    do {
        if (c->nkey == KEY_MAX)
            return sql_fail(c->ctx, sql_here(c->cursor), BASE_E_LIMIT, "54011",
                            "a primary key can have at most %d columns", KEY_MAX);
        SQL_TRY(sql_take_name(c->cursor, &c->key[c->nkey++]));
    } while (sql_take_symbol(c->cursor, ","));
    return sql_expect_symbol(c->cursor, ")");
}

static base_rc read_watermark_source(contract *c) {
    SQL_TRY(sql_take_name(c->cursor, &c->event_time));
    SQL_TRY(sql_expect_word(c->cursor, "AS"));
    c->learnt = sql_take_word(c->cursor, "PERCENTILE");
    if (c->learnt) return sql_take_percentile(c->cursor, c->object);
    return sql_take_fragment(c->cursor, NULL, &c->watermark.text, &c->watermark.offset);
}

// first: the word WATERMARK.
static base_rc read_watermark(contract *c, const sql_token *first) {
    c->event_position = sql_here(c->cursor);
    if (c->event_time != NULL)
        return SQL_SYNTAX(c->ctx, c->event_position, "WATERMARK specified more than once");
    SQL_TRY(read_watermark_source(c));
    const sql_token *last = sql_peek(c->cursor) - 1;
    c->object->watermark_at = (uint32_t)first->offset;
    c->object->watermark_to = (uint32_t)(last->offset + last->text.n);
    return BASE_OK;
}

static base_rc read_sequence(contract *c) {
    c->sequence_position = sql_here(c->cursor);
    if (c->nsequence > 0)
        return SQL_SYNTAX(c->ctx, c->sequence_position, "SEQUENCE specified more than once");
    SQL_TRY(sql_expect_symbol(c->cursor, "("));
    do {
        if (c->nsequence == 2) return sql_syntax_error(c->cursor);
        SQL_TRY(sql_take_name(c->cursor, &c->sequence[c->nsequence++]));
    } while (sql_take_symbol(c->cursor, ","));
    return sql_expect_symbol(c->cursor, ")");
}

static base_rc read_element(contract *c) {
    const char *name = NULL;
    sql_cursor *cursor = c->cursor;
    bool named = sql_take_word(cursor, "CONSTRAINT");
    if (named) SQL_TRY(sql_take_name(cursor, &name));
    if (sql_take_word(cursor, "PRIMARY KEY")) return read_key(c);
    if (sql_is_word(cursor, "CHECK")) {
        cursor->at++;
        return add_check(c, name, NULL);
    }
    if (named || sql_is_word(cursor, "FOREIGN KEY") || sql_is_word(cursor, "EXCLUDE"))
        return refuse_constraint(c);
    const sql_token *first = sql_peek(cursor);
    if (sql_take_word(cursor, "WATERMARK FOR")) return read_watermark(c, first);
    if (sql_is_word(cursor, "SEQUENCE") && sql_peek(cursor)[1].kind == SQL_TOKEN_SYMBOL &&
        sql_peek(cursor)[1].text.p[0] == '(') { // and not a column of that name
        cursor->at++;
        return read_sequence(c);
    }
    if (sql_take_word(cursor, "EFFECTIVE TIME FOR")) {
        c->effective_position = sql_here(cursor);
        return sql_take_name(cursor, &c->effective_time);
    }
    return read_column(c);
}

// ---- binding ---------------------------------------------------------------------------------

static base_rc find_column(contract *c, const char *name, const char *what, int32_t position,
                           int32_t *index) {
    *index = plan_column_find(c->object, name);
    if (*index >= 0) return BASE_OK;
    return sql_fail(c->ctx, position, BASE_E_NOT_FOUND, BASE_SQLSTATE_UNDEFINED_COLUMN,
                    "column \"%s\" named in %s does not exist", name, what);
}

static base_rc bind_key(contract *c) {
    uint32_t *key = base_arena_array(c->ctx->arena, uint32_t, c->nkey);
    for (uint32_t i = 0; i < c->nkey; i++) {
        int32_t index;
        SQL_TRY(find_column(c, c->key[i], "key", c->key_position, &index));
        for (uint32_t k = 0; k < i; k++)
            if (key[k] == (uint32_t)index)
                return sql_fail(c->ctx, c->key_position, BASE_E_INVALID,
                                BASE_SQLSTATE_DUPLICATE_COLUMN,
                                "column \"%s\" appears twice in primary key constraint", c->key[i]);
        if (c->columns[index].type.kind == COL_STRUCT)
            return sql_unsupported(c->ctx, c->key_position,
                                   "a primary key on a struct is not supported");
        key[i] = (uint32_t)index;
        c->columns[index].not_null = true;
    }
    c->object->nkey = c->nkey;
    c->object->key = key;
    if (c->object->kind == PLAN_OBJECT_TABLE && c->nkey == 0) {
        sql_fail(c->ctx, 0, BASE_E_INVALID, "42P16", "table \"%s\" needs a primary key",
                 c->object->name);
        base_error_hint(c->ctx->err, "A table is keyed rows that change; for events without a key "
                                     "use CREATE STREAM.");
        return c->ctx->err->code;
    }
    return BASE_OK;
}

static base_rc bind_effective_time(contract *c) {
    plan_object *object = c->object;
    if (c->effective_time == NULL) return BASE_OK;
    SQL_TRY(find_column(c, c->effective_time, "EFFECTIVE TIME", c->effective_position,
                        &object->effective_time));
    col_kind kind = c->columns[object->effective_time].type.kind;
    if (kind != COL_DATE && kind != COL_TIMESTAMP && kind != COL_TIMESTAMPTZ)
        return sql_fail(
            c->ctx, c->effective_position, BASE_E_INVALID, BASE_SQLSTATE_DATATYPE_MISMATCH,
            "EFFECTIVE TIME needs a column of type date or timestamp, but \"%s\" is of "
            "type %s",
            c->effective_time, sql_type_name(c->ctx, &c->columns[object->effective_time].type));
    return BASE_OK;
}

static base_rc bind_times(contract *c) {
    plan_object *object = c->object;
    object->event_time = object->effective_time = -1;
    if (c->event_time != NULL) {
        SQL_TRY(find_column(c, c->event_time, "WATERMARK", c->event_position, &object->event_time));
        plan_column *column = &c->columns[object->event_time];
        if (column->type.kind != COL_TIMESTAMP && column->type.kind != COL_TIMESTAMPTZ)
            return sql_fail(c->ctx, c->event_position, BASE_E_INVALID,
                            BASE_SQLSTATE_DATATYPE_MISMATCH,
                            "WATERMARK needs a column of type timestamp, but \"%s\" is of type %s",
                            column->name, sql_type_name(c->ctx, &column->type));
        column->time_role = PLAN_TIME_EVENT;
        const plan_expr *expr;
        if (c->learnt) { // less what is learnt, see engine/finality/late.c
            object->watermark =
                plan_expr_column(c->ctx->arena, (uint32_t)object->event_time, column->type);
            return bind_effective_time(c);
        }
        SQL_TRY(sql_bind_expr_text(c->ctx, object, c->watermark.text, c->watermark.offset,
                                   "WATERMARK", &expr));
        if (!sql_can_coerce(expr, column->type.kind, COL_CAST_ASSIGNMENT))
            return sql_fail(c->ctx, expr->position, BASE_E_INVALID, BASE_SQLSTATE_DATATYPE_MISMATCH,
                            "WATERMARK expression must be of type %s, not %s",
                            sql_type_name(c->ctx, &column->type),
                            sql_type_name(c->ctx, &expr->type));
        SQL_TRY(sql_coerce(c->ctx, expr, column->type, COL_CAST_ASSIGNMENT, &object->watermark));
    }
    return bind_effective_time(c);
}

static base_rc bind_defaults(contract *c) {
    for (uint32_t i = 0; i < c->object->ncolumns; i++) {
        const fragment *value = &c->defaults[i];
        plan_column *column = &c->columns[i];
        if (value->text.n == 0) continue;
        plan_object none = *c->object; // a default has no columns to speak of
        none.ncolumns = 0;
        const plan_expr *expr;
        SQL_TRY(sql_bind_expr_text(c->ctx, &none, value->text, value->offset, "DEFAULT", &expr));
        if (!sql_can_coerce(expr, column->type.kind, COL_CAST_ASSIGNMENT)) {
            sql_fail(c->ctx, value->position, BASE_E_INVALID, BASE_SQLSTATE_DATATYPE_MISMATCH,
                     "column \"%s\" is of type %s but default expression is of type %s",
                     column->name, sql_type_name(c->ctx, &column->type),
                     sql_type_name(c->ctx, &expr->type));
            base_error_hint(c->ctx->err, "You will need to rewrite or cast the expression.");
            return c->ctx->err->code;
        }
        SQL_TRY(
            sql_coerce(c->ctx, expr, column->type, COL_CAST_ASSIGNMENT, &column->default_value));
    }
    return BASE_OK;
}

// PostgreSQL's choice: table_column_check if one column is meant, else table_check; then 1, 2, ...
static const char *check_name(contract *c, const plan_check *checks, uint32_t n,
                              const fragment *source, const plan_expr *expr) {
    base_arena *arena = c->ctx->arena;
    if (source->name != NULL) return source->name;
    const char *column = source->column;
    if (column == NULL) {
        bool *used = base_arena_array(arena, bool, c->object->ncolumns);
        uint32_t count = 0;
        plan_expr_columns(expr, used);
        for (uint32_t i = 0; i < c->object->ncolumns; i++)
            if (used[i]) {
                column = c->columns[i].name;
                count++;
            }
        if (count != 1) column = NULL;
    }
    const char *stem = column == NULL
                           ? base_arena_printf(arena, "%s_check", c->object->name)
                           : base_arena_printf(arena, "%s_%s_check", c->object->name, column);
    const char *name = stem;
    for (uint32_t suffix = 1;; suffix++) {
        uint32_t i = 0;
        while (i < n && strcmp(checks[i].name, name) != 0) i++;
        if (i == n) return name;
        name = base_arena_printf(arena, "%s%u", stem, suffix);
    }
}

static base_rc bind_checks(contract *c) {
    plan_check *checks = base_arena_array(c->ctx->arena, plan_check, c->nchecks);
    for (uint32_t i = 0; i < c->nchecks; i++) {
        const fragment *source = &c->checks[i];
        const plan_expr *expr;
        SQL_TRY(
            sql_bind_expr_text(c->ctx, c->object, source->text, source->offset, "CHECK", &expr));
        if (!sql_is_unknown(expr) && expr->type.kind != COL_BOOL)
            return sql_fail(c->ctx, expr->position, BASE_E_INVALID, BASE_SQLSTATE_DATATYPE_MISMATCH,
                            "argument of CHECK must be type boolean, not type %s",
                            sql_type_name(c->ctx, &expr->type));
        SQL_TRY(sql_coerce(c->ctx, expr, col_type_of(COL_BOOL), COL_CAST_IMPLICIT, &expr));
        const char *name = check_name(c, checks, i, source, expr);
        for (uint32_t k = 0; k < i; k++)
            if (strcmp(checks[k].name, name) == 0)
                return sql_fail(c->ctx, source->position, BASE_E_INVALID,
                                BASE_SQLSTATE_DUPLICATE_OBJECT,
                                "check constraint \"%s\" already exists", name);
        checks[i] =
            (plan_check){.name = name,
                         .expr = expr,
                         .text = base_arena_memdup(c->ctx->arena, source->text.p, source->text.n)};
    }
    c->object->nchecks = c->nchecks;
    c->object->checks = checks;
    return BASE_OK;
}

static base_rc read_contract(contract *c, sql_statement *statement) {
    sql_cursor *cursor = c->cursor;
    base_arena *arena = c->ctx->arena;
    plan_object *object = c->object;
    SQL_TRY(sql_take_new_name(cursor, statement));
    object->schema = statement->schema;
    object->name = statement->name;
    c->columns = base_arena_array(arena, plan_column, SQL_COLUMNS_MAX + 1);
    c->defaults = base_arena_array(arena, fragment, SQL_COLUMNS_MAX);
    c->checks = base_arena_array(arena, fragment, CHECKS_MAX);
    c->key = base_arena_array(arena, const char *, KEY_MAX);
    object->columns = c->columns;
    SQL_TRY(sql_expect_symbol(cursor, "("));
    do {
        SQL_TRY(read_element(c));
    } while (sql_take_symbol(cursor, ","));
    SQL_TRY(sql_expect_symbol(cursor, ")"));
    if (object->ncolumns == 0)
        return sql_fail(c->ctx, 0, BASE_E_INVALID, "42P16", "%s \"%s\" must have columns",
                        plan_object_kind_name(object->kind), object->name);
    plan_option *options = NULL;
    int32_t *positions = NULL;
    if (sql_take_word(cursor, "WITH"))
        SQL_TRY(sql_take_options(cursor, &object->noptions, &options, &positions));
    object->options = options;
    SQL_TRY(sql_expect_end(cursor));
    return sql_options_apply(c->ctx, stream_options,
                             sizeof stream_options / sizeof stream_options[0], object, positions);
}

// Whether late records are refused is part of the contract: what state may be let go follows from
// it.
static base_rc check_lateness(contract *c) {
    plan_object *object = c->object;
    object->limits_lateness = plan_option_get(object, "max_lateness") != NULL;
    if (!object->limits_lateness) return BASE_OK;
    if (object->kind != PLAN_OBJECT_STREAM)
        return sql_fail(c->ctx, 0, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER,
                        "option \"max_lateness\" is of streams only");
    if (object->watermark == NULL)
        return sql_fail(c->ctx, 0, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER,
                        "option \"max_lateness\" needs a WATERMARK, below which records are late");
    return BASE_OK;
}

// One event with a wrong clock would move the watermark past all that is yet to come.
static base_rc check_ahead(contract *c) {
    plan_object *object = c->object;
    object->limits_ahead = plan_option_get(object, "max_ahead") != NULL;
    if (!object->limits_ahead || object->watermark != NULL) return BASE_OK;
    return sql_fail(c->ctx, 0, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER,
                    "option \"max_ahead\" is of streams with a WATERMARK, which it guards");
}

static base_rc refuse_retractions(contract *c, const char *why) {
    return sql_fail(c->ctx, 0, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER,
                    "option \"retractions\" %s", why);
}

// Whether events may be taken back: nothing that is made of such a stream may count on it to grow.
static base_rc check_retractions(contract *c) {
    plan_object *object = c->object;
    const char *value = plan_option_get(object, "retractions");
    if (value == NULL || strcmp(value, "off") == 0) return BASE_OK;
    if (strcmp(value, "on") != 0) return refuse_retractions(c, "must be 'on' or 'off'");
    if (object->kind != PLAN_OBJECT_STREAM)
        return refuse_retractions(c, "is of streams only: the rows of a table go by their key");
    if (object->nkey == 0)
        return refuse_retractions(c, "needs a PRIMARY KEY, by which an event is taken back");
    if (object->dedup_horizon_us != 0)
        return refuse_retractions(c, "cannot go with dedup_horizon: an event whose key is "
                                     "forgotten could not be taken back");
    if (object->limits_lateness)
        return refuse_retractions(c, "cannot go with max_lateness: what is taken back, and what "
                                     "comes in its place, is late by nature");
    object->retractable = true;
    return BASE_OK;
}

static base_rc bind_sequence(contract *c) {
    plan_object *object = c->object;
    object->sequence_source = object->sequence_number = -1;
    if (c->nsequence == 0) return BASE_OK;
    if (object->kind != PLAN_OBJECT_STREAM)
        return sql_fail(c->ctx, c->sequence_position, BASE_E_INVALID,
                        BASE_SQLSTATE_INVALID_DEFINITION, "SEQUENCE is of streams only");
    const char *number = c->sequence[c->nsequence - 1];
    SQL_TRY(find_column(c, number, "SEQUENCE", c->sequence_position, &object->sequence_number));
    const col_type *type = &c->columns[object->sequence_number].type;
    if (type->kind != COL_INT2 && type->kind != COL_INT4 && type->kind != COL_INT8)
        return sql_fail(c->ctx, c->sequence_position, BASE_E_INVALID,
                        BASE_SQLSTATE_DATATYPE_MISMATCH,
                        "SEQUENCE needs a column of whole numbers, but \"%s\" is of type %s",
                        number, sql_type_name(c->ctx, type));
    if (c->nsequence == 2) {
        SQL_TRY(find_column(c, c->sequence[0], "SEQUENCE", c->sequence_position,
                            &object->sequence_source));
        if (c->columns[object->sequence_source].type.kind == COL_STRUCT)
            return sql_unsupported(c->ctx, c->sequence_position,
                                   "a SEQUENCE of producers that are structs is not supported");
    }
    object->has_sequence = true;
    return BASE_OK;
}

static base_rc create_contract(sql_cursor *cursor, sql_statement *statement,
                               plan_object_kind kind) {
    sql_ctx *ctx = cursor->ctx;
    plan_object *object = base_arena_new(ctx->arena, plan_object);
    object->kind = kind;
    object->version = 1;
    object->partitions = STREAM_PARTITIONS_DEFAULT;
    object->idle_timeout_us = STREAM_IDLE_DEFAULT_US;
    object->window_column = -1;
    object->definition = base_arena_memdup(ctx->arena, ctx->text.p, ctx->text.n);
    contract c = {.cursor = cursor, .ctx = ctx, .object = object};
    SQL_TRY(read_contract(&c, statement));
    SQL_TRY(bind_key(&c));
    SQL_TRY(bind_times(&c));
    SQL_TRY(bind_sequence(&c));
    SQL_TRY(check_lateness(&c));
    SQL_TRY(check_ahead(&c));
    SQL_TRY(check_retractions(&c));
    SQL_TRY(bind_defaults(&c));
    SQL_TRY(bind_checks(&c));
    object->columns = sql_add_system_columns(ctx, c.columns, &object->ncolumns, kind);
    statement->object = object;
    return BASE_OK;
}

base_rc sql_ddl_create_stream(sql_cursor *cursor, sql_statement *statement) {
    statement->kind = SQL_CREATE_STREAM;
    return create_contract(cursor, statement, PLAN_OBJECT_STREAM);
}

base_rc sql_ddl_create_table(sql_cursor *cursor, sql_statement *statement) {
    statement->kind = SQL_CREATE_TABLE;
    return create_contract(cursor, statement, PLAN_OBJECT_TABLE);
}

plan_column *sql_add_system_columns(sql_ctx *ctx, const plan_column *columns, uint32_t *ncolumns,
                                    plan_object_kind kind) {
    static const struct {
        plan_object_kind of;
        const char *name;
        col_kind kind;
        bool not_null;
    } system[] = {
        {PLAN_OBJECT_STREAM, "_offset", COL_INT8, true},
        {PLAN_OBJECT_STREAM, "_partition", COL_INT4, true},
        {PLAN_OBJECT_STREAM, "_ingested_at", COL_TIMESTAMPTZ, true},
        {PLAN_OBJECT_STREAM, "_origin", COL_TEXT, false},
        {PLAN_OBJECT_VIEW, "_status", COL_TEXT, true},
        {PLAN_OBJECT_VIEW, "_revision", COL_INT8, true},
        {PLAN_OBJECT_VIEW, "_updated_at", COL_TIMESTAMPTZ, true},
    };
    uint32_t n = *ncolumns;
    plan_column *all = base_arena_array(ctx->arena, plan_column, n + 4);
    if (n > 0) memcpy(all, columns, n * sizeof *all);
    for (size_t i = 0; i < sizeof system / sizeof system[0]; i++)
        if (system[i].of == kind)
            all[n++] = (plan_column){.name = system[i].name,
                                     .type = col_type_of(system[i].kind),
                                     .not_null = system[i].not_null,
                                     .hidden = true};
    *ncolumns = n;
    return all;
}
