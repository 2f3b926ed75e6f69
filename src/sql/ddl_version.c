// ddl_version.c - statements that look after materialized views: VERIFY, and ALTER MATERIALIZED
// VIEW, which chooses among a view's versions. Entry points: sql_ddl_verify, sql_ddl_alter.
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

static base_rc take_version(sql_cursor *cursor, uint32_t *version) {
    const sql_token *token = sql_peek(cursor);
    if (token->kind != SQL_TOKEN_NUMBER || token->text.n > 9) return sql_syntax_error(cursor);
    char text[16] = {0};
    memcpy(text, token->text.p, token->text.n);
    char *end;
    unsigned long v = strtoul(text, &end, 10);
    if (*end != '\0' || v == 0) return sql_syntax_error(cursor);
    cursor->at++;
    *version = (uint32_t)v;
    return BASE_OK;
}

// ALTER MATERIALIZED VIEW v PROMOTE [VERSION n] [FORCE] | ROLL BACK | DROP VERSION n
base_rc sql_ddl_alter(sql_cursor *cursor, sql_statement *statement) {
    if (!sql_take_word(cursor, "MATERIALIZED VIEW")) {
        sql_unsupported(cursor->ctx, sql_text_position(cursor->ctx, 0),
                        "ALTER is not supported for this kind of object");
        base_error_hint(
            cursor->ctx->err,
            "Change it in the file that weir serve applies, and send SIGHUP or start again: "
            "no event is lost by that.");
        return cursor->ctx->err->code;
    }
    statement->kind = SQL_ALTER_VIEW;
    SQL_TRY(sql_take_qualified(cursor, &statement->schema, &statement->name));
    if (sql_take_word(cursor, "PROMOTE")) {
        statement->action = SQL_VERSION_PROMOTE;
        if (sql_take_word(cursor, "VERSION")) SQL_TRY(take_version(cursor, &statement->version));
        statement->cascade = sql_take_word(cursor, "FORCE");
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
