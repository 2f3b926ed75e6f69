// cursor.c - reading a statement of our own DDL token by token. Entry point: sql_cursor_init.
#include "sql/sql_int.h"

#include <stdlib.h>

#include "base/must.h"

base_rc sql_cursor_init(sql_cursor *cursor, sql_ctx *ctx) {
    uint32_t cap = 64, n = 0;
    sql_token *tokens = base_arena_array(ctx->arena, sql_token, cap);
    size_t at = 0;
    do {
        if (n == cap) {
            sql_token *more = base_arena_array(ctx->arena, sql_token, cap * 2);
            memcpy(more, tokens, n * sizeof *more);
            tokens = more;
            cap *= 2;
        }
        tokens[n] = sql_token_next(ctx->text, &at, ctx->arena);
        if (tokens[n].kind == SQL_TOKEN_UNENDED) {
            int32_t position = sql_text_position(ctx, tokens[n].offset);
            char c = tokens[n].text.p[0];
            return SQL_SYNTAX(ctx, position, "unterminated %s at or near \"%.*s\"",
                              c == '"'   ? "quoted identifier"
                              : c == '$' ? "dollar-quoted string"
                              : c == '/' ? "/* comment"
                                         : "quoted string",
                              (int)(tokens[n].text.n > 64 ? 64 : tokens[n].text.n),
                              tokens[n].text.p);
        }
    } while (tokens[n++].kind != SQL_TOKEN_END);
    // A statement may come with its semicolon.
    while (n >= 2 && tokens[n - 2].kind == SQL_TOKEN_SYMBOL && tokens[n - 2].text.p[0] == ';') {
        tokens[n - 2] = tokens[n - 1];
        n--;
    }
    *cursor = (sql_cursor){.ctx = ctx, .n = n, .tokens = tokens};
    return BASE_OK;
}

const sql_token *sql_peek(const sql_cursor *cursor) {
    return &cursor->tokens[cursor->at < cursor->n ? cursor->at : cursor->n - 1];
}

int32_t sql_here(const sql_cursor *cursor) {
    return sql_text_position(cursor->ctx, sql_peek(cursor)->offset);
}

// How many tokens match the words; 0: not all.
static uint32_t match_words(const sql_cursor *cursor, const char *words) {
    uint32_t n = 0;
    while (*words != '\0') {
        size_t length = strcspn(words, " ");
        uint32_t at = cursor->at + n;
        if (at >= cursor->n || cursor->tokens[at].kind != SQL_TOKEN_WORD ||
            !base_str_eq_nocase(cursor->tokens[at].text, (base_str){words, length}))
            return 0;
        n++;
        words += length;
        while (*words == ' ') words++;
    }
    return n;
}

bool sql_is_word(const sql_cursor *cursor, const char *words) {
    return match_words(cursor, words) > 0;
}

bool sql_take_word(sql_cursor *cursor, const char *words) {
    uint32_t n = match_words(cursor, words);
    cursor->at += n;
    return n > 0;
}

bool sql_take_symbol(sql_cursor *cursor, const char *symbol) {
    const sql_token *token = sql_peek(cursor);
    if (token->kind != SQL_TOKEN_SYMBOL || !base_str_eq(token->text, base_str_of(symbol)))
        return false;
    cursor->at++;
    return true;
}

base_rc sql_syntax_error(sql_cursor *cursor) {
    const sql_token *token = sql_peek(cursor);
    if (token->kind == SQL_TOKEN_END)
        return SQL_SYNTAX(cursor->ctx, sql_here(cursor), "syntax error at end of input");
    return SQL_SYNTAX(cursor->ctx, sql_here(cursor), "syntax error at or near \"%.*s\"",
                      (int)(token->text.n > 64 ? 64 : token->text.n), token->text.p);
}

base_rc sql_expect_word(sql_cursor *cursor, const char *words) {
    if (sql_take_word(cursor, words)) return BASE_OK;
    sql_syntax_error(cursor);
    base_error_hint(cursor->ctx->err, "%s is expected here.", words);
    return cursor->ctx->err->code;
}

base_rc sql_expect_symbol(sql_cursor *cursor, const char *symbol) {
    if (sql_take_symbol(cursor, symbol)) return BASE_OK;
    sql_syntax_error(cursor);
    base_error_hint(cursor->ctx->err, "\"%s\" is expected here.", symbol);
    return cursor->ctx->err->code;
}

base_rc sql_expect_end(sql_cursor *cursor) {
    return sql_peek(cursor)->kind == SQL_TOKEN_END ? BASE_OK : sql_syntax_error(cursor);
}

base_rc sql_take_name(sql_cursor *cursor, const char **name) {
    const sql_token *token = sql_peek(cursor);
    if (token->kind != SQL_TOKEN_WORD && token->kind != SQL_TOKEN_QUOTED)
        return sql_syntax_error(cursor);
    if (token->value[0] == '\0')
        return SQL_SYNTAX(cursor->ctx, sql_here(cursor),
                          "zero-length delimited identifier at or near \"\"\"\"");
    if (strlen(token->value) > 63)
        return sql_fail(cursor->ctx, sql_here(cursor), BASE_E_INVALID, "42622",
                        "identifier \"%.80s\" is too long (more than 63 bytes)", token->value);
    *name = token->value;
    cursor->at++;
    return BASE_OK;
}

base_rc sql_take_qualified(sql_cursor *cursor, const char **schema, const char **name) {
    *schema = NULL;
    SQL_TRY(sql_take_name(cursor, name));
    if (!sql_take_symbol(cursor, ".")) return BASE_OK;
    *schema = *name;
    return sql_take_name(cursor, name);
}

base_rc sql_take_string(sql_cursor *cursor, const char **value) {
    const sql_token *token = sql_peek(cursor);
    if (token->kind != SQL_TOKEN_STRING) return sql_syntax_error(cursor);
    *value = token->value;
    cursor->at++;
    return BASE_OK;
}

static bool is_stop(const sql_cursor *cursor, const char *const *stop_words) {
    for (; stop_words != NULL && *stop_words != NULL; stop_words++)
        if (sql_is_word(cursor, *stop_words)) return true;
    return false;
}

base_rc sql_take_fragment(sql_cursor *cursor, const char *const *stop_words, base_str *text,
                          size_t *offset) {
    uint32_t begin = cursor->at, depth = 0;
    for (;; cursor->at++) {
        const sql_token *token = sql_peek(cursor);
        if (token->kind == SQL_TOKEN_END) break;
        char c = token->kind == SQL_TOKEN_SYMBOL ? token->text.p[0] : '\0';
        if (depth == 0 && (c == ',' || c == ')')) break;
        if (depth == 0 && cursor->at > begin && is_stop(cursor, stop_words)) break;
        if (c == '(' || c == '[') depth++;
        if (c == ')' || c == ']') depth -= depth > 0;
    }
    if (cursor->at == begin) return sql_syntax_error(cursor);
    const sql_token *first = &cursor->tokens[begin], *last = &cursor->tokens[cursor->at - 1];
    *offset = first->offset;
    *text = (base_str){first->text.p, last->offset + last->text.n - first->offset};
    return BASE_OK;
}

// ---- types -----------------------------------------------------------------------------------

static base_rc take_number(sql_cursor *cursor, int64_t low, int64_t high, const char *what,
                           int64_t *value) {
    const sql_token *token = sql_peek(cursor);
    bool negative = sql_take_symbol(cursor, "-");
    if (sql_peek(cursor)->kind != SQL_TOKEN_NUMBER) return sql_syntax_error(cursor);
    *value = strtoll(
        base_arena_memdup(cursor->ctx->arena, sql_peek(cursor)->text.p, sql_peek(cursor)->text.n),
        NULL, 10);
    if (negative) *value = -*value;
    if (*value < low || *value > high)
        return sql_fail(cursor->ctx, sql_text_position(cursor->ctx, token->offset), BASE_E_INVALID,
                        BASE_SQLSTATE_INVALID_PARAMETER, "%s %lld must be between %lld and %lld",
                        what, (long long)*value, (long long)low, (long long)high);
    cursor->at++;
    return BASE_OK;
}

static base_rc take_struct(sql_cursor *cursor, col_type *type) {
    SQL_TRY(sql_enter(cursor->ctx, sql_here(cursor)));
    if (cursor->ctx->depth > 16)
        return sql_fail(cursor->ctx, sql_here(cursor), BASE_E_LIMIT, "54001",
                        "a struct type may nest 16 levels");
    uint32_t n = 0;
    col_field fields[256];
    SQL_TRY(sql_expect_symbol(cursor, "<"));
    do {
        if (n == 256)
            return sql_fail(cursor->ctx, sql_here(cursor), BASE_E_LIMIT, "54011",
                            "a struct can have at most 256 fields");
        int32_t position = sql_here(cursor);
        SQL_TRY(sql_take_name(cursor, &fields[n].name));
        for (uint32_t i = 0; i < n; i++)
            if (strcmp(fields[i].name, fields[n].name) == 0)
                return sql_fail(cursor->ctx, position, BASE_E_INVALID,
                                BASE_SQLSTATE_DUPLICATE_COLUMN,
                                "field \"%s\" specified more than once", fields[n].name);
        SQL_TRY(sql_take_type(cursor, &fields[n].type));
        n++;
    } while (sql_take_symbol(cursor, ","));
    SQL_TRY(sql_expect_symbol(cursor, ">"));
    col_field *copy = base_arena_array(cursor->ctx->arena, col_field, n);
    memcpy(copy, fields, n * sizeof *copy);
    *type = (col_type){COL_STRUCT, 0, 0, (uint16_t)n, copy};
    sql_leave(cursor->ctx);
    return BASE_OK;
}

static base_rc take_modifiers(sql_cursor *cursor, col_type *type) {
    int64_t value;
    if (!sql_take_symbol(cursor, "(")) return BASE_OK;
    if (type->kind == COL_NUMERIC) {
        SQL_TRY(take_number(cursor, 1, 38, "NUMERIC precision", &value));
        type->precision = (int16_t)value;
        if (sql_take_symbol(cursor, ",")) {
            SQL_TRY(take_number(cursor, 0, type->precision, "NUMERIC scale", &value));
            type->scale = (int16_t)value;
        }
    } else if (type->kind == COL_VARCHAR) {
        SQL_TRY(take_number(cursor, 1, 32767, "length for type varchar", &value));
        type->precision = (int16_t)value;
    } else if (type->kind == COL_TIME || type->kind == COL_TIMESTAMP ||
               type->kind == COL_TIMESTAMPTZ) {
        SQL_TRY(take_number(cursor, 6, 6, "precision of times", &value));
    } else if (type->kind == COL_FLOAT8) {
        SQL_TRY(take_number(cursor, 1, 53, "precision for type float", &value));
        if (value <= 24) type->kind = COL_FLOAT4;
    } else {
        return sql_syntax_error(cursor);
    }
    return sql_expect_symbol(cursor, ")");
}

// [] or [n], as often as wanted, or ARRAY: an array of the type. As in PostgreSQL the number says
// nothing.
static base_rc take_array(sql_cursor *cursor, int32_t position, col_type *type) {
    int64_t bound;
    bool is_array = sql_take_word(cursor, "ARRAY");
    while (sql_take_symbol(cursor, "[")) {
        is_array = true;
        if (sql_peek(cursor)->kind == SQL_TOKEN_NUMBER)
            SQL_TRY(take_number(cursor, 0, INT32_MAX, "array bound", &bound));
        SQL_TRY(sql_expect_symbol(cursor, "]"));
    }
    if (!is_array) return BASE_OK;
    if (!col_kind_has_array(type->kind))
        return sql_unsupported(cursor->ctx, position, "arrays of type %s are not supported",
                               col_kind_name(type->kind));
    *type = col_type_array_of(type);
    return BASE_OK;
}

base_rc sql_take_type(sql_cursor *cursor, col_type *type) {
    sql_ctx *ctx = cursor->ctx;
    int32_t position = sql_here(cursor);
    const char *name;
    if (sql_is_word(cursor, "STRUCT")) {
        cursor->at++;
        SQL_TRY(take_struct(cursor, type));
        return take_array(cursor, position, type);
    }
    SQL_TRY(sql_take_name(cursor, &name));
    if (strcmp(name, "pg_catalog") == 0 && sql_take_symbol(cursor, "."))
        SQL_TRY(sql_take_name(cursor, &name));
    if (strcmp(name, "double") == 0 && sql_take_word(cursor, "PRECISION"))
        name = "double precision";
    if (strcmp(name, "character") == 0 && sql_take_word(cursor, "VARYING"))
        name = "character varying";
    *type = col_type_of(COL_UNKNOWN);
    if (strcmp(name, "dec") == 0) name = "numeric";
    if (strcmp(name, "float") == 0) name = "float8";
    bool known = col_kind_from_name(base_str_of(name), &type->kind);
    if (known && (type->kind == COL_UNKNOWN || type->kind == COL_STRUCT)) known = false;
    if (!known) {
        sql_fail(ctx, position, BASE_E_INVALID, BASE_SQLSTATE_UNDEFINED_OBJECT,
                 "type \"%s\" does not exist", name);
        if (strcmp(name, "char") == 0 || strcmp(name, "character") == 0 ||
            strcmp(name, "bpchar") == 0 || strcmp(name, "json") == 0)
            base_error_hint(ctx->err, "Use %s.", name[0] == 'j' ? "JSONB" : "TEXT or VARCHAR(n)");
        return ctx->err->code;
    }
    SQL_TRY(take_modifiers(cursor, type));
    if (sql_take_word(cursor, "WITH TIME ZONE")) {
        if (type->kind != COL_TIMESTAMP)
            return sql_unsupported(ctx, position, "type %s with time zone is not supported", name);
        type->kind = COL_TIMESTAMPTZ;
    } else {
        sql_take_word(cursor, "WITHOUT TIME ZONE");
    }
    return take_array(cursor, position, type);
}

// ---- options ---------------------------------------------------------------------------------

static base_rc take_option_value(sql_cursor *cursor, const char **value) {
    const sql_token *token = sql_peek(cursor);
    bool negative = sql_take_symbol(cursor, "-");
    if (negative) token = sql_peek(cursor);
    sql_take_word(cursor, "INTERVAL");
    token = sql_peek(cursor);
    switch (token->kind) {
    case SQL_TOKEN_STRING:
        *value = token->value;
        break;
    case SQL_TOKEN_NUMBER:
        *value = base_arena_printf(cursor->ctx->arena, "%s%.*s", negative ? "-" : "",
                                   BASE_STR_ARG(token->text));
        break;
    case SQL_TOKEN_WORD:
    case SQL_TOKEN_QUOTED:
        *value = token->value;
        break;
    default:
        return sql_syntax_error(cursor);
    }
    cursor->at++;
    return BASE_OK;
}

base_rc sql_take_options(sql_cursor *cursor, uint32_t *n, plan_option **options,
                         int32_t **positions) {
    enum { OPTIONS_MAX = 64 };
    sql_ctx *ctx = cursor->ctx;
    *n = 0;
    *options = base_arena_array(ctx->arena, plan_option, OPTIONS_MAX);
    *positions = base_arena_array(ctx->arena, int32_t, OPTIONS_MAX);
    SQL_TRY(sql_expect_symbol(cursor, "("));
    if (sql_take_symbol(cursor, ")")) return BASE_OK;
    do {
        if (*n == OPTIONS_MAX)
            return sql_fail(ctx, sql_here(cursor), BASE_E_LIMIT, BASE_SQLSTATE_LIMIT,
                            "at most %d options", OPTIONS_MAX);
        plan_option *option = &(*options)[*n];
        (*positions)[*n] = sql_here(cursor);
        SQL_TRY(sql_take_name(cursor, &option->name));
        while (sql_take_symbol(cursor, ".")) { // dotted, as connectors' own options are
            const char *part;
            SQL_TRY(sql_take_name(cursor, &part));
            option->name = base_arena_printf(ctx->arena, "%s.%s", option->name, part);
        }
        option->value = "true";
        if (sql_take_symbol(cursor, "=")) SQL_TRY(take_option_value(cursor, &option->value));
        for (uint32_t i = 0; i < *n; i++)
            if (strcmp((*options)[i].name, option->name) == 0)
                return SQL_SYNTAX(ctx, (*positions)[*n], "option \"%s\" specified more than once",
                                  option->name);
        ++*n;
    } while (sql_take_symbol(cursor, ","));
    return sql_expect_symbol(cursor, ")");
}
