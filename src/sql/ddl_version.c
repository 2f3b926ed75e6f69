// ddl_version.c - statements that look after materialized views: VERIFY; ALTER MATERIALIZED VIEW,
// which chooses among a view's versions; REPLAY INTO and CANCEL REPLAY. Entry points:
// sql_ddl_verify, sql_ddl_alter, sql_ddl_replay.
#include "sql/sql_int.h"

#include <stdlib.h>

// VERIFY ALL; VERIFY [MATERIALIZED VIEW] v
base_rc sql_ddl_verify(sql_cursor *cursor, sql_statement *statement) {
    statement->kind = SQL_VERIFY;
    if (sql_take_word(cursor, "ALL")) return sql_expect_end(cursor);
    if (!sql_take_word(cursor, "MATERIALIZED VIEW")) (void)sql_take_word(cursor, "VIEW");
    SQL_TRY(sql_take_qualified(cursor, &statement->schema, &statement->name));
    return sql_expect_end(cursor);
}

static base_rc take_number(sql_cursor *cursor, uint64_t *out) {
    const sql_token *token = sql_peek(cursor);
    if (token->kind != SQL_TOKEN_NUMBER || token->text.n > 19) return sql_syntax_error(cursor);
    char text[24] = {0};
    memcpy(text, token->text.p, token->text.n);
    char *end;
    unsigned long long v = strtoull(text, &end, 10);
    if (*end != '\0') return sql_syntax_error(cursor);
    cursor->at++;
    *out = v;
    return BASE_OK;
}

static base_rc take_u32(sql_cursor *cursor, uint32_t *out) {
    int32_t position = sql_here(cursor);
    uint64_t v = 0;
    SQL_TRY(take_number(cursor, &v));
    if (v > UINT32_MAX) return SQL_SYNTAX(cursor->ctx, position, "the number is too large");
    *out = (uint32_t)v;
    return BASE_OK;
}

static base_rc take_version(sql_cursor *cursor, uint32_t *version) {
    int32_t position = sql_here(cursor);
    SQL_TRY(take_u32(cursor, version));
    return *version > 0 ? BASE_OK : SQL_SYNTAX(cursor->ctx, position, "versions count from 1");
}

base_rc sql_refuse_alter(sql_cursor *cursor, const char *what) {
    sql_unsupported(cursor->ctx, sql_text_position(cursor->ctx, 0), "%s", what);
    base_error_hint(cursor->ctx->err,
                    "Change it in the file that weir serve applies, and send SIGHUP or start "
                    "again: no event is lost by that.");
    return cursor->ctx->err->code;
}

// ALTER MATERIALIZED VIEW v PROMOTE [VERSION n] [FORCE] | SWAP WITH "v@n" | ROLL BACK | DROP
// VERSION n
base_rc sql_ddl_alter(sql_cursor *cursor, sql_statement *statement) {
    if (sql_take_word(cursor, "STREAM")) return sql_ddl_alter_stream(cursor, statement);
    if (!sql_take_word(cursor, "MATERIALIZED VIEW"))
        return sql_refuse_alter(cursor, "ALTER is not supported for this kind of object");
    statement->kind = SQL_ALTER_VIEW;
    SQL_TRY(sql_take_qualified(cursor, &statement->schema, &statement->name));
    if (sql_take_word(cursor, "PROMOTE")) {
        statement->action = SQL_VERSION_PROMOTE;
        if (sql_take_word(cursor, "VERSION")) SQL_TRY(take_version(cursor, &statement->version));
        statement->cascade = sql_take_word(cursor, "FORCE");
    } else if (sql_take_word(cursor, "SWAP WITH")) {
        const char *schema, *name;
        int32_t position = sql_here(cursor);
        SQL_TRY(sql_take_qualified(cursor, &schema, &name));
        const char *number = strrchr(name, '@');
        statement->action = SQL_VERSION_PROMOTE;
        statement->version = number != NULL ? (uint32_t)strtoul(number + 1, NULL, 10) : 0;
        if (statement->version == 0 || strncmp(name, statement->name, strlen(statement->name)) != 0)
            return sql_fail(cursor->ctx, position, BASE_E_UNSUPPORTED, BASE_SQLSTATE_UNSUPPORTED,
                            "a view swaps with a version of its own, \"%s@2\"", statement->name);
    } else if (sql_take_word(cursor, "ROLL BACK") || sql_take_word(cursor, "ROLLBACK")) {
        statement->action = SQL_VERSION_ROLL_BACK;
    } else if (sql_take_word(cursor, "DROP VERSION")) {
        statement->action = SQL_VERSION_DROP;
        SQL_TRY(take_version(cursor, &statement->version));
    } else {
        return sql_syntax_error(cursor);
    }
    return sql_expect_end(cursor);
}

// ---- replay -------------------------------------------------------------------------------------

// A key's value as text: 'a', 12, -3.
static base_rc take_value(sql_cursor *cursor, const char **out) {
    sql_ctx *ctx = cursor->ctx;
    const sql_token *token = sql_peek(cursor);
    if (token->kind == SQL_TOKEN_STRING) return sql_take_string(cursor, out);
    bool minus = sql_take_symbol(cursor, "-");
    token = sql_peek(cursor);
    if (token->kind != SQL_TOKEN_NUMBER) return sql_syntax_error(cursor);
    *out = base_arena_printf(ctx->arena, "%s%.*s", minus ? "-" : "", BASE_STR_ARG(token->text));
    cursor->at++;
    return BASE_OK;
}

static base_rc take_key(sql_cursor *cursor, sql_replay *replay) {
    SQL_TRY(sql_expect_symbol(cursor, "("));
    do {
        if (replay->nkey == SQL_REPLAY_KEYS_MAX)
            return SQL_SYNTAX(cursor->ctx, sql_here(cursor), "a key has at most %u values",
                              SQL_REPLAY_KEYS_MAX);
        SQL_TRY(take_value(cursor, &replay->key[replay->nkey++]));
    } while (sql_take_symbol(cursor, ","));
    return sql_expect_symbol(cursor, ")");
}

// ALL | QUARANTINE | PARTITION p | OFFSETS a TO b [PARTITION p] | FROM t TO t [BY APPEND TIME] |
// KEY (v, ...)
static base_rc take_selection(sql_cursor *cursor, sql_replay *replay) {
    if (sql_take_word(cursor, "ALL")) return BASE_OK;
    if (sql_take_word(cursor, "QUARANTINE")) {
        replay->kind = SQL_REPLAY_QUARANTINE;
        return BASE_OK;
    }
    if (sql_take_word(cursor, "PARTITION")) {
        replay->kind = SQL_REPLAY_PARTITION;
        return take_u32(cursor, &replay->partition);
    }
    if (sql_take_word(cursor, "OFFSETS")) {
        replay->kind = SQL_REPLAY_OFFSETS;
        SQL_TRY(take_number(cursor, &replay->from));
        SQL_TRY(sql_expect_word(cursor, "TO"));
        SQL_TRY(take_number(cursor, &replay->upto));
        replay->has_partition = sql_take_word(cursor, "PARTITION");
        return replay->has_partition ? take_u32(cursor, &replay->partition) : BASE_OK;
    }
    if (sql_take_word(cursor, "FROM")) {
        SQL_TRY(sql_take_string(cursor, &replay->from_time));
        SQL_TRY(sql_expect_word(cursor, "TO"));
        SQL_TRY(sql_take_string(cursor, &replay->upto_time));
        bool append = sql_take_word(cursor, "BY APPEND TIME");
        replay->kind = append ? SQL_REPLAY_APPEND_TIME : SQL_REPLAY_TIME;
        return BASE_OK;
    }
    SQL_TRY(sql_expect_word(cursor, "KEY"));
    replay->kind = SQL_REPLAY_KEY;
    return take_key(cursor, replay);
}

// REPLAY INTO v [VERSION] (selection) [WITH (rate = n)]
base_rc sql_ddl_replay(sql_cursor *cursor, sql_statement *statement) {
    statement->kind = SQL_REPLAY;
    sql_replay *replay = &statement->replay;
    SQL_TRY(sql_take_qualified(cursor, &statement->schema, &statement->name));
    replay->into_version = sql_take_word(cursor, "VERSION");
    if (replay->into_version && sql_peek(cursor)->kind == SQL_TOKEN_NUMBER) {
        (void)SQL_SYNTAX(
            cursor->ctx, sql_here(cursor),
            "REPLAY INTO ... VERSION takes no number: it makes the view's next version");
        base_error_hint(cursor->ctx->err, "To read into a version that is there again, drop it "
                                          "first: ALTER MATERIALIZED VIEW ... DROP VERSION n.");
        return cursor->ctx->err->code;
    }
    SQL_TRY(sql_expect_symbol(cursor, "("));
    SQL_TRY(take_selection(cursor, replay));
    SQL_TRY(sql_expect_symbol(cursor, ")"));
    if (sql_take_word(cursor, "WITH")) {
        SQL_TRY(sql_expect_symbol(cursor, "("));
        SQL_TRY(sql_expect_word(cursor, "RATE"));
        SQL_TRY(sql_expect_symbol(cursor, "="));
        SQL_TRY(take_number(cursor, &replay->rate));
        SQL_TRY(sql_expect_symbol(cursor, ")"));
    }
    return sql_expect_end(cursor);
}

base_rc sql_ddl_cancel_replay(sql_cursor *cursor, sql_statement *statement) {
    statement->kind = SQL_CANCEL_REPLAY;
    SQL_TRY(take_u32(cursor, &statement->version));
    return sql_expect_end(cursor);
}
