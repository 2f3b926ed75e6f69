// match_clause.c - MATCH_RECOGNIZE in a query's text. PostgreSQL's grammar does not have it: before
// the parser sees a text, each clause is cut out, and what is left in its place is an alias of the
// table before it that says which clause it was, padded with blanks so that positions stay. The
// clause itself is read by tokens here; the expressions in it go to the parser one by one
// (bind_match.c). Entry points: sql_cut_matches, sql_match_read.
#include "sql/match_int.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/must.h"

#define CLAUSES_MAX 1000u

static bool is_symbol(const sql_token *token, char c) {
    return token->kind == SQL_TOKEN_SYMBOL && token->text.p[0] == c;
}
static bool is_named(const sql_token *token, const char *name) {
    return token->kind == SQL_TOKEN_WORD && base_str_eq_nocase(token->text, base_str_of(name));
}

// ---- cutting ---------------------------------------------------------------------------------

// What may follow a table without being its alias.
static bool ends_table(const sql_token *token) {
    static const char *const words[] = {
        "where",     "group",   "having", "order",  "limit", "offset", "fetch", "union",
        "intersect", "except",  "join",   "inner",  "left",  "right",  "full",  "cross",
        "on",        "natural", "using",  "window", "for",   "emit",   "asof"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (is_named(token, words[i])) return true;
    return false;
}

static const sql_match_clause *add_clause(sql_ctx *ctx, const sql_match_clause *clause) {
    if (ctx->nmatches == ctx->matches_cap) {
        uint32_t cap = ctx->matches_cap == 0 ? 4 : ctx->matches_cap * 2;
        sql_match_clause **more = base_arena_array(ctx->arena, sql_match_clause *, cap);
        if (ctx->nmatches > 0) memcpy(more, ctx->matches, ctx->nmatches * sizeof *more);
        ctx->matches = more;
        ctx->matches_cap = cap;
    }
    sql_match_clause *copy = base_arena_new(ctx->arena, sql_match_clause);
    *copy = *clause;
    return ctx->matches[ctx->nmatches++] = copy;
}

// [AS] alias behind the clause; *end: behind it, if there is one.
static void take_alias(sql_ctx *ctx, base_str text, size_t at, sql_match_clause *clause,
                       size_t *end) {
    sql_token token = sql_token_next(text, &at, ctx->arena);
    bool as = is_named(&token, "as");
    if (as) token = sql_token_next(text, &at, ctx->arena);
    if (token.kind != SQL_TOKEN_QUOTED && token.kind != SQL_TOKEN_WORD) return;
    if (!as && ends_table(&token)) return;
    clause->alias = token.value;
    *end = at;
}

// From behind MATCH_RECOGNIZE: the clause in parentheses and its alias.
static base_rc cut_clause(sql_ctx *ctx, char *copy, base_str text, int64_t delta,
                          const sql_token *word, size_t *at) {
    sql_token open = sql_token_next(text, at, NULL), token = open;
    if (!is_symbol(&open, '(')) return BASE_OK; // a name like any other
    for (uint32_t depth = 1; depth > 0;) {
        token = sql_token_next(text, at, NULL);
        if (token.kind == SQL_TOKEN_END || token.kind == SQL_TOKEN_UNENDED) return BASE_OK;
        depth += is_symbol(&token, '(');
        depth -= is_symbol(&token, ')');
    }
    int32_t position = sql_text_position(ctx, (size_t)((int64_t)word->offset + delta));
    if (ctx->nmatches == CLAUSES_MAX)
        return sql_fail(ctx, position, BASE_E_LIMIT, "54001", "more than %u MATCH_RECOGNIZE",
                        CLAUSES_MAX);
    sql_match_clause clause = {.begin = (size_t)((int64_t)open.offset + delta) + 1,
                               .end = (size_t)((int64_t)token.offset + delta)};
    size_t end = *at;
    take_alias(ctx, text, *at, &clause, &end);
    add_clause(ctx, &clause);
    char alias[32];
    int n = snprintf(alias, sizeof alias, "\"mr#%u\"", ctx->nmatches - 1);
    must((size_t)n <= word->text.n);
    memset(copy + word->offset, ' ', end - word->offset);
    memcpy(copy + word->offset, alias, (size_t)n);
    *at = end;
    return BASE_OK;
}

base_rc sql_cut_matches(sql_ctx *ctx, char *copy, base_str text, int64_t delta) {
    size_t at = 0;
    for (;;) {
        sql_token token = sql_token_next(text, &at, NULL);
        if (token.kind == SQL_TOKEN_END || token.kind == SQL_TOKEN_UNENDED) return BASE_OK;
        if (is_named(&token, "match_recognize"))
            SQL_TRY(cut_clause(ctx, copy, text, delta, &token, &at));
    }
}

bool sql_is_match_alias(const char *alias) {
    return alias != NULL && strncmp(alias, "mr#", 3) == 0;
}

struct sql_match_clause *sql_match_of(const sql_ctx *ctx, const char *alias) {
    if (!sql_is_match_alias(alias)) return NULL;
    unsigned long number = strtoul(alias + 3, NULL, 10);
    return number < ctx->nmatches ? ctx->matches[number] : NULL;
}

// ---- reading ---------------------------------------------------------------------------------

static void add_text(sql_ctx *ctx, sql_match_texts *list, sql_match_text text) {
    if (list->n == list->cap) {
        uint32_t cap = list->cap == 0 ? 8 : list->cap * 2;
        sql_match_text *more = base_arena_array(ctx->arena, sql_match_text, cap);
        if (list->n > 0) memcpy(more, list->items, list->n * sizeof *more);
        list->items = more;
        list->cap = cap;
    }
    list->items[list->n++] = text;
}

static base_rc clause_cursor(sql_ctx *ctx, const sql_match_clause *clause, sql_cursor *cursor) {
    base_str upto = {ctx->text.p, clause->end};
    size_t at = clause->begin;
    uint32_t n = 0, cap = 64;
    sql_token *tokens = base_arena_array(ctx->arena, sql_token, cap);
    do {
        if (n == cap) {
            sql_token *more = base_arena_array(ctx->arena, sql_token, cap * 2);
            memcpy(more, tokens, n * sizeof *more);
            tokens = more;
            cap *= 2;
        }
        tokens[n] = sql_token_next(upto, &at, ctx->arena);
        if (tokens[n].kind == SQL_TOKEN_UNENDED)
            return SQL_SYNTAX(ctx, sql_text_position(ctx, tokens[n].offset),
                              "unterminated quoted string in MATCH_RECOGNIZE");
    } while (tokens[n++].kind != SQL_TOKEN_END);
    *cursor = (sql_cursor){.ctx = ctx, .n = n, .tokens = tokens};
    return BASE_OK;
}

// The words that begin a part of the clause.
static const char *const parts[] = {"PARTITION BY", "ORDER BY", "MEASURES", "ONE ROW",
                                    "ALL ROWS",     "AFTER",    "PATTERN",  "WITHIN",
                                    "SUBSET",       "DEFINE",   NULL};
static const char *const parts_and_as[] = {"AS",      "PARTITION BY", "ORDER BY", "MEASURES",
                                           "ONE ROW", "ALL ROWS",     "AFTER",    "PATTERN",
                                           "WITHIN",  "SUBSET",       "DEFINE",   NULL};

static base_rc read_list(sql_cursor *cursor, sql_match_texts *out) {
    do {
        sql_match_text text = {0};
        SQL_TRY(sql_take_fragment(cursor, parts, &text.text, &text.offset));
        add_text(cursor->ctx, out, text);
    } while (sql_take_symbol(cursor, ","));
    return BASE_OK;
}

static base_rc read_measures(sql_cursor *cursor, sql_match_texts *out) {
    do {
        sql_match_text text = {0};
        SQL_TRY(sql_take_fragment(cursor, parts_and_as, &text.text, &text.offset));
        SQL_TRY(sql_expect_word(cursor, "AS"));
        SQL_TRY(sql_take_name(cursor, &text.name));
        add_text(cursor->ctx, out, text);
    } while (sql_take_symbol(cursor, ","));
    return BASE_OK;
}

static base_rc read_define(sql_cursor *cursor, sql_match_texts *out) {
    do {
        sql_match_text text = {0};
        SQL_TRY(sql_take_name(cursor, &text.name));
        SQL_TRY(sql_expect_word(cursor, "AS"));
        SQL_TRY(sql_take_fragment(cursor, parts, &text.text, &text.offset));
        add_text(cursor->ctx, out, text);
    } while (sql_take_symbol(cursor, ","));
    return BASE_OK;
}

// name = (a, b, ...): the text is what stands between the parentheses.
static base_rc read_subsets(sql_cursor *cursor, sql_match_texts *out) {
    do {
        sql_match_text text = {0};
        SQL_TRY(sql_take_name(cursor, &text.name));
        SQL_TRY(sql_expect_symbol(cursor, "="));
        SQL_TRY(sql_expect_symbol(cursor, "("));
        size_t begin = sql_peek(cursor)->offset;
        const char *name;
        do SQL_TRY(sql_take_name(cursor, &name));
        while (sql_take_symbol(cursor, ","));
        text.offset = begin;
        text.text = (base_str){cursor->ctx->text.p + begin, sql_peek(cursor)->offset - begin};
        SQL_TRY(sql_expect_symbol(cursor, ")"));
        add_text(cursor->ctx, out, text);
    } while (sql_take_symbol(cursor, ","));
    return BASE_OK;
}

static base_rc read_pattern(sql_cursor *cursor, sql_match_text *out) {
    SQL_TRY(sql_expect_symbol(cursor, "("));
    size_t begin = sql_peek(cursor)->offset;
    for (uint32_t depth = 1;; cursor->at++) {
        const sql_token *token = sql_peek(cursor);
        if (token->kind == SQL_TOKEN_END) return sql_syntax_error(cursor);
        depth += is_symbol(token, '(');
        depth -= is_symbol(token, ')');
        if (depth == 0) break;
    }
    out->offset = begin;
    out->text = (base_str){cursor->ctx->text.p + begin, sql_peek(cursor)->offset - begin};
    cursor->at++;
    return BASE_OK;
}

static base_rc read_all_rows(sql_cursor *cursor, sql_match_clause *clause) {
    SQL_TRY(sql_expect_word(cursor, "PER MATCH"));
    clause->rows = PLAN_MATCH_ALL_ROWS;
    if (sql_take_word(cursor, "OMIT EMPTY MATCHES")) {
        clause->rows = PLAN_MATCH_ALL_OMIT_EMPTY;
    } else if (sql_take_word(cursor, "WITH UNMATCHED ROWS")) {
        clause->rows = PLAN_MATCH_ALL_UNMATCHED;
    } else {
        sql_take_word(cursor, "SHOW EMPTY MATCHES");
    }
    return BASE_OK;
}

static base_rc read_skip(sql_cursor *cursor, sql_match_clause *clause) {
    SQL_TRY(sql_expect_word(cursor, "MATCH SKIP"));
    if (sql_take_word(cursor, "PAST LAST ROW")) {
        clause->skip = PLAN_MATCH_SKIP_PAST_LAST;
        return BASE_OK;
    }
    SQL_TRY(sql_expect_word(cursor, "TO"));
    if (sql_take_word(cursor, "NEXT ROW")) {
        clause->skip = PLAN_MATCH_SKIP_TO_NEXT;
        return BASE_OK;
    }
    clause->skip =
        sql_take_word(cursor, "FIRST") ? PLAN_MATCH_SKIP_TO_FIRST : PLAN_MATCH_SKIP_TO_LAST;
    if (clause->skip == PLAN_MATCH_SKIP_TO_LAST) sql_take_word(cursor, "LAST");
    clause->skip_position = sql_here(cursor);
    return sql_take_name(cursor, &clause->skip_name);
}

static base_rc read_within(sql_cursor *cursor, sql_match_clause *clause) {
    const char *value;
    sql_take_word(cursor, "INTERVAL");
    int32_t position = sql_here(cursor);
    SQL_TRY(sql_take_string(cursor, &value));
    static const char *const units[] = {"SECOND", "MINUTE", "HOUR", "DAY"};
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (sql_take_word(cursor, units[i]))
            value = base_arena_printf(cursor->ctx->arena, "%s %s", value, units[i]);
    SQL_TRY(sql_interval_us(cursor->ctx, value, position, &clause->within_us));
    if (clause->within_us <= 0)
        return sql_fail(cursor->ctx, position, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER,
                        "WITHIN needs an interval longer than zero");
    return BASE_OK;
}

base_rc sql_match_read(sql_ctx *ctx, sql_match_clause *clause) {
    sql_cursor cursor;
    SQL_TRY(clause_cursor(ctx, clause, &cursor));
    if (sql_take_word(&cursor, "PARTITION BY")) SQL_TRY(read_list(&cursor, &clause->partition));
    if (sql_take_word(&cursor, "ORDER BY")) SQL_TRY(read_list(&cursor, &clause->order));
    if (sql_take_word(&cursor, "MEASURES")) SQL_TRY(read_measures(&cursor, &clause->measures));
    if (sql_take_word(&cursor, "ONE ROW")) {
        SQL_TRY(sql_expect_word(&cursor, "PER MATCH"));
    } else if (sql_take_word(&cursor, "ALL ROWS")) {
        SQL_TRY(read_all_rows(&cursor, clause));
    }
    if (sql_take_word(&cursor, "AFTER")) SQL_TRY(read_skip(&cursor, clause));
    SQL_TRY(sql_expect_word(&cursor, "PATTERN"));
    SQL_TRY(read_pattern(&cursor, &clause->pattern));
    if (sql_take_word(&cursor, "WITHIN")) SQL_TRY(read_within(&cursor, clause));
    if (sql_take_word(&cursor, "SUBSET")) SQL_TRY(read_subsets(&cursor, &clause->subsets));
    if (sql_take_word(&cursor, "DEFINE")) SQL_TRY(read_define(&cursor, &clause->define));
    return sql_expect_end(&cursor);
}
