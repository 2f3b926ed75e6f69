// join_text.c - ASOF JOIN, MATCH_CONDITION and FOR SYSTEM_TIME AS OF in a query's text.
// PostgreSQL's grammar has none of them: before the parser sees a text they are blanked, so that
// all else keeps its place, and where they stood is kept by the place of the word JOIN. A join of
// the tree is the one whose JOIN is the last before anything of its right side. Entry points:
// sql_cut_joins, sql_join_text_of.
#include "sql/join_int.h"

#define JOINS_MAX 1000u

static bool is_symbol(const sql_token *token, char c) {
    return token->kind == SQL_TOKEN_SYMBOL && token->text.n == 1 && token->text.p[0] == c;
}
static bool is_named(const sql_token *token, const char *name) {
    return token->kind == SQL_TOKEN_WORD && base_str_eq_nocase(token->text, base_str_of(name));
}
static bool is_end(const sql_token *token) {
    return token->kind == SQL_TOKEN_END || token->kind == SQL_TOKEN_UNENDED;
}

static sql_token peek(base_str text, size_t at) {
    return sql_token_next(text, &at, NULL);
}

static void add_join(sql_ctx *ctx, sql_join_text join) {
    if (ctx->njoins == ctx->joins_cap) {
        uint32_t cap = ctx->joins_cap == 0 ? 8 : ctx->joins_cap * 2;
        sql_join_text *more = base_arena_array(ctx->arena, sql_join_text, cap);
        if (ctx->njoins > 0) memcpy(more, ctx->joins, ctx->njoins * sizeof *more);
        ctx->joins = more;
        ctx->joins_cap = cap;
    }
    ctx->joins[ctx->njoins++] = join;
}

// Whether ASOF may stand behind such a token: not where a name is due.
static bool may_follow(const sql_token *token) {
    static const char *const names_due[] = {"from", "join", "as", "select", "lateral", "only"};
    if (token->kind == SQL_TOKEN_WORD) {
        for (size_t i = 0; i < sizeof names_due / sizeof names_due[0]; i++)
            if (is_named(token, names_due[i])) return false;
        return true;
    }
    return token->kind == SQL_TOKEN_QUOTED || token->kind == SQL_TOKEN_STRING ||
           token->kind == SQL_TOKEN_NUMBER || token->kind == SQL_TOKEN_PARAM ||
           is_symbol(token, ')') || is_symbol(token, ']');
}

// [LEFT [OUTER] | RIGHT ... | INNER] JOIN follows; which kinds an ASOF JOIN has, the binder says.
static bool join_follows(base_str text, size_t at, bool *inner) {
    static const char *const kinds[] = {"left", "right", "full", "inner", "cross"};
    sql_token token = sql_token_next(text, &at, NULL);
    *inner = is_named(&token, "inner");
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (!is_named(&token, kinds[i])) continue;
        token = sql_token_next(text, &at, NULL);
        if (is_named(&token, "outer")) token = sql_token_next(text, &at, NULL);
        break;
    }
    return is_named(&token, "join");
}

// From an open parenthesis, *at behind it, to behind the one that closes it; *end: before that one.
static bool read_parens(base_str text, size_t *at, size_t *end) {
    for (uint32_t depth = 1;;) {
        sql_token token = sql_token_next(text, at, NULL);
        if (is_end(&token)) return false;
        depth += is_symbol(&token, '(');
        depth -= is_symbol(&token, ')');
        *end = token.offset;
        if (depth == 0) return true;
    }
}

// From behind FOR: SYSTEM_TIME AS OF and a column, a call, or an expression in parentheses. *at:
// behind it.
static bool read_system_time(base_str text, size_t *at, sql_join_part *time) {
    static const char *const words[] = {"system_time", "as", "of"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        sql_token token = sql_token_next(text, at, NULL);
        if (!is_named(&token, words[i])) return false;
    }
    sql_token token = peek(text, *at);
    time->begin = token.offset;
    while (!is_symbol(&token, '(')) {
        if (token.kind != SQL_TOKEN_WORD && token.kind != SQL_TOKEN_QUOTED) return false;
        sql_token_next(text, at, NULL);
        time->end = *at;
        token = peek(text, *at);
        if (!is_symbol(&token, '.')) break;
        sql_token_next(text, at, NULL);
        token = peek(text, *at);
    }
    if (!is_symbol(&token, '(')) return true;
    size_t end;
    sql_token_next(text, at, NULL);
    if (!read_parens(text, at, &end)) return false;
    time->end = *at;
    return true;
}

typedef struct cutting {
    sql_ctx *ctx;
    char *copy;
    base_str text;
    int64_t delta; // offsets in the statement's text less those in text
    size_t at;
    uint32_t depth, first, marked;
    bool asof, inner; // of the next JOIN
} cutting;

static void blank(cutting *c, size_t begin, size_t end) {
    memset(c->copy + begin, ' ', end - begin);
    c->marked++;
}

static sql_join_part in_statement(const cutting *c, sql_join_part part) {
    return (sql_join_part){(size_t)((int64_t)part.begin + c->delta),
                           (size_t)((int64_t)part.end + c->delta)};
}

// The last join between the same parentheses.
static sql_join_text *open_join(const cutting *c) {
    for (uint32_t i = c->ctx->njoins; i-- > c->first;) {
        sql_join_text *join = &c->ctx->joins[i];
        if (join->depth < c->depth) return NULL;
        if (join->depth == c->depth) return join;
    }
    return NULL;
}

static base_rc take_join(cutting *c, const sql_token *token) {
    sql_ctx *ctx = c->ctx;
    size_t offset = (size_t)((int64_t)token->offset + c->delta);
    if (ctx->njoins - c->first == JOINS_MAX)
        return sql_fail(ctx, sql_text_position(ctx, offset), BASE_E_LIMIT, "54001",
                        "more than %u joins", JOINS_MAX);
    add_join(ctx, (sql_join_text){.place = ctx->text.p + c->delta + token->offset,
                                  .depth = c->depth,
                                  .asof = c->asof,
                                  .inner = c->inner});
    c->asof = c->inner = false;
    return BASE_OK;
}

static void take_system_time(cutting *c, const sql_token *word) {
    size_t at = c->at;
    sql_join_part time = {0};
    sql_join_text *join = open_join(c);
    if (join == NULL || !read_system_time(c->text, &at, &time)) return;
    join->time = in_statement(c, time);
    blank(c, word->offset, at);
    c->at = at;
}

// MATCH_CONDITION (...), with or without ON or USING behind it.
static void take_match(cutting *c, const sql_token *word) {
    static const char always[] = "ON true";
    size_t at = c->at;
    sql_join_part match;
    sql_join_text *join = open_join(c);
    sql_token token = sql_token_next(c->text, &at, NULL);
    match.begin = at;
    if (join == NULL || !join->asof || !is_symbol(&token, '(')) return;
    if (!read_parens(c->text, &at, &match.end)) return;
    join->match = in_statement(c, match);
    blank(c, word->offset, at);
    token = peek(c->text, at);
    if (!is_named(&token, "on") && !is_named(&token, "using"))
        memcpy(c->copy + word->offset, always, sizeof always - 1); // shorter than the word
    c->at = at;
}

base_rc sql_cut_joins(sql_ctx *ctx, char *copy, base_str text, int64_t delta) {
    if (strcasestr(copy, "asof") == NULL && strcasestr(copy, "system_time") == NULL)
        return BASE_OK; // plain joins need not be told apart
    cutting c = {.ctx = ctx, .copy = copy, .text = text, .delta = delta, .first = ctx->njoins};
    sql_token before = {0};
    for (;;) {
        sql_token token = sql_token_next(text, &c.at, NULL);
        if (is_end(&token)) break;
        c.depth += is_symbol(&token, '(');
        c.depth -= is_symbol(&token, ')') && c.depth > 0;
        bool inner;
        if (is_named(&token, "asof") && may_follow(&before) && join_follows(text, c.at, &inner)) {
            blank(&c, token.offset, c.at);
            c.asof = true;
            c.inner = inner;
        } else if (is_named(&token, "join")) {
            SQL_TRY(take_join(&c, &token));
        } else if (is_named(&token, "for")) {
            take_system_time(&c, &token);
        } else if (is_named(&token, "match_condition")) {
            take_match(&c, &token);
        }
        before = token;
    }
    if (c.marked == 0) ctx->njoins = c.first;
    return BASE_OK;
}

static int64_t least_location(const sql_tree *tree, int64_t least) {
    for (; tree != NULL; tree = tree->next) {
        if (tree->name != NULL && strcmp(tree->name, "location") == 0 && tree->child == NULL &&
            tree->number > 0 && tree->number < least)
            least = tree->number;
        least = least_location(tree->child, least);
    }
    return least;
}

const sql_join_text *sql_join_text_of(const sql_ctx *ctx, const sql_tree *right) {
    if (ctx->njoins == 0 || right == NULL) return NULL;
    int64_t least = least_location(right->child, INT64_MAX);
    if (least == INT64_MAX) return NULL;
    const char *place = ctx->text.p + ctx->delta + least;
    const sql_join_text *found = NULL;
    for (uint32_t i = 0; i < ctx->njoins; i++) {
        const sql_join_text *join = &ctx->joins[i];
        bool here = join->place >= ctx->text.p && join->place < place;
        if (here && (found == NULL || join->place > found->place)) found = join;
    }
    bool timed = found != NULL && (found->asof || found->time.end > 0);
    return timed ? found : NULL;
}
