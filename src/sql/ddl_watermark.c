// ddl_watermark.c - what watermarks are from, beside an expression: PERCENTILE (learnt from the
// stream) and the statements ADVANCE WATERMARK (a heartbeat) and ALTER STREAM, which gives a stream
// another. Entry points: sql_take_percentile, sql_ddl_advance, sql_ddl_alter_stream.
#include "sql/sql_int.h"

#include <stdlib.h>

#include "base/must.h"

#define LEARNT_MOST_US BASE_US_PER_HOUR // of a learnt delay, unless told otherwise

static base_rc take_interval(sql_cursor *cursor, int64_t *us) {
    const char *text;
    SQL_TRY(sql_expect_word(cursor, "INTERVAL"));
    int32_t position = sql_here(cursor);
    SQL_TRY(sql_take_string(cursor, &text));
    return sql_interval_us(cursor->ctx, text, position, us);
}

static const char *take_number_text(sql_cursor *cursor) {
    const sql_token *token = sql_peek(cursor);
    if (token->kind != SQL_TOKEN_NUMBER) return NULL;
    cursor->at++;
    return base_arena_memdup(cursor->ctx->arena, token->text.p, token->text.n);
}

base_rc sql_take_percentile(sql_cursor *cursor, plan_object *object) {
    int32_t position = sql_here(cursor);
    const char *text = take_number_text(cursor);
    if (text == NULL) return sql_syntax_error(cursor);
    object->watermark_share = strtod(text, NULL);
    if (!(object->watermark_share > 0 && object->watermark_share <= 1)) {
        sql_fail(cursor->ctx, position, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER,
                 "PERCENTILE is a share of the records, more than 0 and at most 1, not %s", text);
        base_error_hint(cursor->ctx->err, "For example, PERCENTILE 0.999.");
        return cursor->ctx->err->code;
    }
    object->watermark_least_us = 0;
    object->watermark_most_us = LEARNT_MOST_US;
    if (!sql_take_word(cursor, "BETWEEN")) return BASE_OK;
    SQL_TRY(take_interval(cursor, &object->watermark_least_us));
    SQL_TRY(sql_expect_word(cursor, "AND"));
    position = sql_here(cursor);
    SQL_TRY(take_interval(cursor, &object->watermark_most_us));
    if (object->watermark_most_us < object->watermark_least_us)
        return sql_fail(cursor->ctx, position, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER,
                        "the upper limit of a learnt delay is less than the lower one");
    return BASE_OK;
}

static base_rc take_count(sql_cursor *cursor, uint64_t most, const char *what, uint64_t *out) {
    int32_t position = sql_here(cursor);
    const char *text = take_number_text(cursor);
    if (text == NULL) return sql_syntax_error(cursor);
    char *end;
    *out = strtoull(text, &end, 10);
    if (*end != '\0' || strlen(text) > 19 || *out > most)
        return sql_fail(cursor->ctx, position, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER,
                        "%s is not a whole number that may stand here: %s", what, text);
    return BASE_OK;
}

// ADVANCE WATERMARK OF [STREAM] name [PARTITION n] TO 'instant' [EVENTS n] [FROM 'source']
base_rc sql_ddl_advance(sql_cursor *cursor, sql_statement *statement) {
    sql_ctx *ctx = cursor->ctx;
    statement->kind = SQL_ADVANCE;
    statement->advance.partition = -1;
    sql_take_word(cursor, "STREAM");
    int32_t position = sql_here(cursor);
    SQL_TRY(sql_take_qualified(cursor, &statement->schema, &statement->name));
    SQL_TRY(
        sql_bind_relation(ctx, statement->schema, statement->name, position, &statement->target));
    uint64_t number;
    if (sql_take_word(cursor, "PARTITION")) {
        SQL_TRY(take_count(cursor, INT32_MAX, "PARTITION", &number));
        statement->advance.partition = (int32_t)number;
    }
    SQL_TRY(sql_expect_word(cursor, "TO"));
    SQL_TRY(sql_take_string(cursor, &statement->advance.to));
    if (sql_take_word(cursor, "EVENTS")) {
        SQL_TRY(take_count(cursor, INT64_MAX, "EVENTS", &statement->advance.events));
        statement->advance.has_events = true;
    }
    if (sql_take_word(cursor, "FROM")) SQL_TRY(sql_take_string(cursor, &statement->advance.source));
    return sql_expect_end(cursor);
}

// ALTER STREAM name ALTER WATERMARK FOR column AS expr | PERCENTILE ...: the clause as text, which
// is bound with the stream that it becomes part of.
base_rc sql_ddl_alter_stream(sql_cursor *cursor, sql_statement *statement) {
    statement->kind = SQL_ALTER_STREAM;
    SQL_TRY(sql_take_qualified(cursor, &statement->schema, &statement->name));
    bool altered = sql_take_word(cursor, "ALTER");
    const sql_token *first = sql_peek(cursor);
    if (!altered || !sql_take_word(cursor, "WATERMARK FOR"))
        return sql_refuse_alter(
            cursor, "ALTER is not supported for this part of a stream, only for its WATERMARK");
    const char *column;
    SQL_TRY(sql_take_name(cursor, &column));
    SQL_TRY(sql_expect_word(cursor, "AS"));
    plan_object learnt = {0};
    base_str expr;
    size_t offset;
    if (sql_take_word(cursor, "PERCENTILE"))
        SQL_TRY(sql_take_percentile(cursor, &learnt));
    else
        SQL_TRY(sql_take_fragment(cursor, NULL, &expr, &offset));
    const sql_token *last = sql_peek(cursor) - 1;
    statement->value = base_arena_memdup(cursor->ctx->arena, first->text.p,
                                         last->offset + last->text.n - first->offset);
    return sql_expect_end(cursor);
}
