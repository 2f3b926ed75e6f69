// ddl_remedy.c - ON MISMATCH BACKFILL | CORRECT of CREATE RECONCILIATION; APPROVE and REJECT. Entry
// points: sql_take_remedy, sql_check_remedy, sql_ddl_approve, sql_ddl_reject.
//
// Invariants: what is appended goes to a stream or table whose events have a business key, so that
// an event which comes by itself meanwhile is a duplicate and not a second fact; a remedy that says
// no limit has one, so that a book which is empty by mistake does not empty a stream.
#include "sql/sql_int.h"

#include <stdlib.h>

#include "base/must.h"
#include "plan/remedy.h"

#define DEFAULT_LIMIT_PERCENT 10

// "(column = expr, ...)": expressions over the finding, cast as assignments.
static base_rc read_set(sql_cursor *cursor, plan_object *object, plan_remedy *remedy) {
    sql_ctx *ctx = cursor->ctx;
    const plan_object *into = remedy->into;
    plan_remedy_input input = plan_remedy_input_of(ctx->arena, object);
    plan_object finding = {.schema = object->schema,
                           .name = object->name,
                           .ncolumns = input.n,
                           .columns = input.columns};
    uint32_t *columns = base_arena_array(ctx->arena, uint32_t, into->ncolumns);
    const plan_expr **set = base_arena_array(ctx->arena, const plan_expr *, into->ncolumns);
    remedy->set_columns = columns;
    remedy->set = set;
    SQL_TRY(sql_expect_symbol(cursor, "("));
    do {
        const char *name;
        int32_t position = sql_here(cursor);
        SQL_TRY(sql_take_name(cursor, &name));
        int32_t column = plan_column_find(into, name);
        if (column < 0 || into->columns[column].hidden)
            return sql_fail(ctx, position, BASE_E_NOT_FOUND, BASE_SQLSTATE_UNDEFINED_COLUMN,
                            "column \"%s\" of relation \"%s\" does not exist", name, into->name);
        for (uint32_t i = 0; i < remedy->nset; i++)
            if (columns[i] == (uint32_t)column)
                return sql_fail(ctx, position, BASE_E_INVALID, BASE_SQLSTATE_DUPLICATE_COLUMN,
                                "column \"%s\" specified more than once", name);
        SQL_TRY(sql_expect_symbol(cursor, "="));
        base_str text;
        size_t offset;
        const plan_expr *expr;
        SQL_TRY(sql_take_fragment(cursor, NULL, &text, &offset));
        SQL_TRY(sql_bind_expr_text(ctx, &finding, text, offset, "ON MISMATCH", &expr));
        const plan_column *to = &into->columns[column];
        if (!sql_can_coerce(expr, to->type.kind, COL_CAST_ASSIGNMENT))
            return sql_fail(ctx, expr->position, BASE_E_INVALID, BASE_SQLSTATE_DATATYPE_MISMATCH,
                            "column \"%s\" is of type %s but expression is of type %s", name,
                            sql_type_name(ctx, &to->type), sql_type_name(ctx, &expr->type));
        SQL_TRY(sql_coerce(ctx, expr, to->type, COL_CAST_ASSIGNMENT, &set[remedy->nset]));
        columns[remedy->nset++] = (uint32_t)column;
    } while (sql_take_symbol(cursor, ","));
    return sql_expect_symbol(cursor, ")");
}

static base_rc read_into(sql_cursor *cursor, plan_object *object, plan_remedy *remedy) {
    sql_ctx *ctx = cursor->ctx;
    const char *schema, *name;
    int32_t position = sql_here(cursor);
    SQL_TRY(sql_take_qualified(cursor, &schema, &name));
    SQL_TRY(sql_bind_relation(ctx, schema, name, position, &remedy->into));
    plan_object_kind kind = remedy->into->kind;
    if (kind != PLAN_OBJECT_STREAM && kind != PLAN_OBJECT_TABLE)
        return sql_fail(ctx, position, BASE_E_INVALID, "42809",
                        "\"%s\" is a %s: events go to streams and tables", name,
                        plan_object_kind_name(kind));
    // So that it is not dropped alone.
    uint32_t *uses = base_arena_array(ctx->arena, uint32_t, object->nuses + 1);
    for (uint32_t i = 0; i < object->nuses; i++) uses[i] = object->uses[i];
    uses[object->nuses++] = remedy->into->id;
    object->uses = uses;
    return read_set(cursor, object, remedy);
}

// LIMIT n ROWS | PERCENT | TOTAL
static base_rc read_limit(sql_cursor *cursor, plan_remedy *remedy) {
    sql_ctx *ctx = cursor->ctx;
    const sql_token *token = sql_peek(cursor);
    int32_t position = sql_here(cursor);
    if (token->kind != SQL_TOKEN_NUMBER) return sql_syntax_error(cursor);
    base_decimal value;
    if (base_decimal_parse(token->text, &value, ctx->err) != BASE_OK) {
        ctx->err->position = position;
        return ctx->err->code;
    }
    cursor->at++;
    if (sql_take_word(cursor, "PERCENT")) {
        remedy->limit_percent = value;
    } else if (sql_take_word(cursor, "TOTAL")) {
        remedy->limit_total = value;
    } else if (sql_take_word(cursor, "ROWS")) {
        char *end;
        const char *digits = base_arena_memdup(ctx->arena, token->text.p, token->text.n);
        remedy->limit_rows = strtoll(digits, &end, 10);
        if (*end != '\0' || token->text.n > 18)
            return sql_fail(ctx, position, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER,
                            "LIMIT of rows is a whole number, not %s", digits);
    } else {
        return SQL_SYNTAX(ctx, sql_here(cursor), "LIMIT is of ROWS, PERCENT or TOTAL");
    }
    return BASE_OK;
}

base_rc sql_take_remedy(sql_cursor *cursor, plan_object *object) {
    sql_ctx *ctx = cursor->ctx;
    bool figures = object->from->kind == PLAN_OBJECT_VIEW;
    int32_t position = sql_here(cursor);
    base_decimal none = base_decimal_from_i64(-1);
    plan_remedy *remedy = base_arena_new(ctx->arena, plan_remedy);
    *remedy = (plan_remedy){.limit_rows = -1, .limit_percent = none, .limit_total = none};
    remedy->corrects = sql_take_word(cursor, "CORRECT");
    if (!remedy->corrects) SQL_TRY(sql_expect_word(cursor, "BACKFILL"));
    if (object->nrecon_key == 0 || (figures && object->ncompare == 0))
        return SQL_SYNTAX(ctx, position, "KEY and COMPARE stand before ON MISMATCH %s",
                          remedy->corrects ? "CORRECT" : "BACKFILL");
    if (figures) {
        if (!remedy->corrects || !sql_take_word(cursor, "INTO")) {
            SQL_SYNTAX(ctx, position, "figures are corrected by events of a stream");
            base_error_hint(ctx->err, "ON MISMATCH CORRECT INTO stream (column = expression, ...), "
                                      "over the key, view_value, book_value and adjustment.");
            return ctx->err->code;
        }
        SQL_TRY(read_into(cursor, object, remedy));
    } else {
        remedy->into = object->from;
        if (sql_take_word(cursor, "SET")) SQL_TRY(read_set(cursor, object, remedy));
    }
    while (sql_take_word(cursor, "LIMIT")) SQL_TRY(read_limit(cursor, remedy));
    if (remedy->limit_rows < 0 && base_decimal_sign(remedy->limit_percent) < 0 &&
        base_decimal_sign(remedy->limit_total) < 0)
        remedy->limit_percent = base_decimal_from_i64(DEFAULT_LIMIT_PERCENT);
    object->remedy = remedy;
    return BASE_OK;
}

// What SET gives of a fact must not be what it is known by.
static base_rc check_set(sql_ctx *ctx, const plan_object *object) {
    const plan_remedy *remedy = object->remedy;
    for (uint32_t i = 0; i < remedy->nset; i++) {
        bool taken = false;
        for (uint32_t k = 0; k < object->nrecon_key; k++)
            taken |= object->recon_key[k] == remedy->set_columns[i];
        for (uint32_t k = 0; k < object->ncompare; k++)
            taken |= object->compare[k].column == remedy->set_columns[i];
        if (taken)
            return sql_fail(ctx, 0, BASE_E_INVALID, BASE_SQLSTATE_INVALID_DEFINITION,
                            "SET of column \"%s\": KEY and COMPARE columns are the book's",
                            remedy->into->columns[remedy->set_columns[i]].name);
    }
    return BASE_OK;
}

static base_rc check_total(sql_ctx *ctx, const plan_object *object) {
    if (base_decimal_sign(object->remedy->limit_total) < 0) return BASE_OK;
    for (uint32_t i = 0; i < object->ncompare; i++)
        if (col_kind_is_number(object->from->columns[object->compare[i].column].type.kind))
            return BASE_OK;
    sql_fail(ctx, 0, BASE_E_INVALID, BASE_SQLSTATE_INVALID_DEFINITION,
             "LIMIT of TOTAL needs a number in COMPARE: without one it limits nothing");
    base_error_hint(ctx->err, "LIMIT n ROWS and LIMIT n PERCENT are of keys.");
    return ctx->err->code;
}

base_rc sql_check_remedy(sql_ctx *ctx, plan_object *object) {
    const plan_remedy *remedy = object->remedy;
    if (remedy == NULL) return BASE_OK;
    const plan_object *into = remedy->into;
    if (into->nkey == 0) {
        sql_fail(ctx, 0, BASE_E_INVALID, BASE_SQLSTATE_INVALID_DEFINITION,
                 "%s \"%s\" has no PRIMARY KEY: an event that is appended and then comes by "
                 "itself would count twice",
                 plan_object_kind_name(into->kind), into->name);
        base_error_hint(ctx->err, "With a PRIMARY KEY the second one is a duplicate.");
        return ctx->err->code;
    }
    SQL_TRY(check_total(ctx, object));
    if (object->from->kind == PLAN_OBJECT_VIEW) return BASE_OK;
    if (remedy->corrects && into->kind == PLAN_OBJECT_STREAM && !into->retractable) {
        sql_fail(ctx, 0, BASE_E_INVALID, BASE_SQLSTATE_INVALID_DEFINITION,
                 "ON MISMATCH CORRECT takes events back, and the events of stream \"%s\" are not "
                 "taken back",
                 into->name);
        base_error_hint(ctx->err, "A stream made WITH (retractions = 'on') takes events back. "
                                  "ON MISMATCH BACKFILL appends what is missing, to any stream.");
        return ctx->err->code;
    }
    return check_set(ctx, object);
}

// APPROVE | REJECT RECONCILIATION name [RUN n]
static base_rc read_decision(sql_cursor *cursor, sql_statement *statement, bool approve) {
    statement->kind = SQL_DECIDE;
    statement->approve = approve;
    SQL_TRY(sql_take_qualified(cursor, &statement->schema, &statement->name));
    if (sql_take_word(cursor, "RUN")) {
        const sql_token *token = sql_peek(cursor);
        if (token->kind != SQL_TOKEN_NUMBER || token->text.n > 18) return sql_syntax_error(cursor);
        char *end;
        statement->run =
            strtoull(base_arena_memdup(cursor->ctx->arena, token->text.p, token->text.n), &end, 10);
        if (*end != '\0' || statement->run == 0) return sql_syntax_error(cursor);
        cursor->at++;
    }
    return sql_expect_end(cursor);
}

base_rc sql_ddl_approve(sql_cursor *cursor, sql_statement *statement) {
    return read_decision(cursor, statement, true);
}

base_rc sql_ddl_reject(sql_cursor *cursor, sql_statement *statement) {
    return read_decision(cursor, statement, false);
}
