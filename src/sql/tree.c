// tree.c - a read-only tree of the JSON that libpg_query gives for a parse. The JSON is our own
// library's, so it is well-formed; depth is limited all the same. Text is unescaped in place in one
// copy of the JSON. Fields with a default value (0, false, "") are absent. libpg_query keeps its
// memory by thread, so any thread may parse. Entry point: sql_parse.
#include <pg_query.h>

#include "sql/join_int.h"

#include <stdlib.h>

#include "base/must.h"

typedef struct reader {
    char *p; // NUL-terminated
    base_arena *arena;
    uint32_t depth;
    bool failed;
} reader;

static int hex(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : 0;
}

static char *put_utf8(char *out, uint32_t c) {
    if (c < 0x80) {
        *out++ = (char)c;
    } else if (c < 0x800) {
        *out++ = (char)(0xc0 | (c >> 6));
        *out++ = (char)(0x80 | (c & 0x3f));
    } else {
        *out++ = (char)(0xe0 | (c >> 12));
        *out++ = (char)(0x80 | ((c >> 6) & 0x3f));
        *out++ = (char)(0x80 | (c & 0x3f));
    }
    return out;
}

// At the opening quote. Unescapes in place.
static const char *read_string(reader *r) {
    char *start = ++r->p, *out = start, *in = start;
    while (*in != '"' && *in != '\0') {
        if (*in != '\\') {
            *out++ = *in++;
            continue;
        }
        in++;
        switch (*in) {
        case 'b':
            *out++ = '\b';
            break;
        case 'f':
            *out++ = '\f';
            break;
        case 'n':
            *out++ = '\n';
            break;
        case 'r':
            *out++ = '\r';
            break;
        case 't':
            *out++ = '\t';
            break;
        case 'u': {
            uint32_t c = 0;
            for (int i = 1; i <= 4 && in[1] != '\0'; i++, in++) c = c * 16 + (uint32_t)hex(in[1]);
            out = put_utf8(out, c); // libpg_query writes \u only below U+0080
            break;
        }
        default:
            *out++ = *in;
            break;
        }
        if (*in != '\0') in++;
    }
    r->failed |= *in != '"';
    r->p = *in == '"' ? in + 1 : in;
    *out = '\0';
    return start;
}

static void read_value(reader *r, sql_tree *into);

static void read_children(reader *r, sql_tree *into, char close, bool named) {
    sql_tree **link = &into->child;
    r->p++;
    if (++r->depth > SQL_TREE_DEPTH_MAX) r->failed = true;
    while (!r->failed && *r->p != close) {
        if (*r->p == ',') r->p++;
        sql_tree *item = base_arena_new(r->arena, sql_tree);
        if (named) {
            if (*r->p != '"') r->failed = true;
            if (r->failed) return;
            item->name = read_string(r);
            if (*r->p != ':') r->failed = true;
            r->p++;
        }
        if (!r->failed) read_value(r, item);
        *link = item;
        link = &item->next;
        if (*r->p != ',' && *r->p != close) r->failed = true;
    }
    if (!r->failed) r->p++;
    r->depth--;
}

static void read_value(reader *r, sql_tree *into) {
    switch (*r->p) {
    case '{':
        read_children(r, into, '}', true);
        break;
    case '[':
        read_children(r, into, ']', false);
        break;
    case '"':
        into->text = read_string(r);
        break;
    case 't':
        into->number = 1;
        r->p += 4;
        break;
    case 'f':
        r->p += 5;
        break;
    case 'n':
        r->p += 4;
        break;
    default: {
        char *end;
        into->number = strtoll(r->p, &end, 10);
        if (end == r->p) r->failed = true;
        r->p = end;
    }
    }
}

const sql_tree *sql_get(const sql_tree *tree, const char *name) {
    if (tree == NULL) return NULL;
    for (const sql_tree *item = tree->child; item != NULL; item = item->next)
        if (item->name != NULL && strcmp(item->name, name) == 0) return item;
    return NULL;
}

const char *sql_get_text(const sql_tree *tree, const char *name) {
    const sql_tree *item = sql_get(tree, name);
    return item == NULL ? NULL : item->text;
}

int64_t sql_get_number(const sql_tree *tree, const char *name, int64_t otherwise) {
    const sql_tree *item = sql_get(tree, name);
    return item == NULL ? otherwise : item->number;
}

bool sql_get_int(const sql_ctx *ctx, const sql_tree *body, int64_t *value) {
    const sql_tree *ival = sql_get(body, "ival");
    *value = 0;
    if (ival == NULL) return false;
    const sql_tree *number = sql_get(ival, "ival");
    if (number != NULL) {
        *value = number->number;
        return true;
    }
    // libpg_query 15 leaves out the value of a constant that is not positive, also a negative one.
    // The source says which it is: the constant's place is at its sign.
    int64_t offset = sql_get_number(body, "location", 0) + ctx->delta;
    if (offset < 0 || (size_t)offset >= ctx->text.n) return true;
    base_str rest = {ctx->text.p + offset, ctx->text.n - (size_t)offset};
    size_t at = 0;
    for (;;) {
        sql_token token = sql_token_next(rest, &at, NULL);
        if (token.kind == SQL_TOKEN_SYMBOL) continue; // signs and parentheses
        if (token.kind != SQL_TOKEN_NUMBER) return true;
        for (size_t i = 0; i < token.text.n && i < 10; i++)
            *value = *value * 10 - (token.text.p[i] - '0');
        return true;
    }
}

int32_t sql_tree_position(const sql_ctx *ctx, const sql_tree *body) {
    return sql_position(ctx, sql_get_number(body, "location", 0));
}

uint32_t sql_tree_count(const sql_tree *list) {
    uint32_t n = 0;
    for (const sql_tree *item = list == NULL ? NULL : list->child; item != NULL; item = item->next)
        n++;
    return n;
}

bool sql_is(const sql_tree *wrapper, const char *type) {
    return wrapper != NULL && wrapper->child != NULL && wrapper->child->name != NULL &&
           strcmp(wrapper->child->name, type) == 0;
}

const char *sql_string(const sql_tree *wrapper) {
    if (!sql_is(wrapper, "String")) return NULL;
    const char *text = sql_get_text(wrapper->child, "sval");
    return text == NULL ? "" : text;
}

// libpg_query recurses over the tree when it prints it, so what can nest is bounded before: the
// tokens since the last comma, summed over the open parentheses, bound the depth of any tree.
static base_rc check_nesting(sql_ctx *ctx, base_str text, int64_t delta) {
    uint32_t chain[SQL_PARENS_MAX + 1] = {0};
    uint32_t level = 0, total = 0;
    size_t at = 0;
    for (;;) {
        sql_token token = sql_token_next(text, &at, NULL);
        if (token.kind == SQL_TOKEN_END || token.kind == SQL_TOKEN_UNENDED) return BASE_OK;
        char c = token.kind == SQL_TOKEN_SYMBOL ? token.text.p[0] : '\0';
        bool too_deep = false;
        if (c == '(' || c == '[') {
            too_deep = level == SQL_PARENS_MAX;
            if (!too_deep) chain[++level] = 0;
        } else if (c == ')' || c == ']') {
            if (level > 0) total -= chain[level--];
        } else if (c == ',') {
            total -= chain[level];
            chain[level] = 0;
        }
        if (too_deep || total > SQL_CHAIN_MAX)
            return sql_fail(ctx, sql_text_position(ctx, (size_t)((int64_t)token.offset + delta)),
                            BASE_E_LIMIT, "54001",
                            "statement is too complex: expressions nest too deeply here");
        chain[level]++;
        total++;
    }
}

static base_rc parse_failed(sql_ctx *ctx, const PgQueryError *error, base_str text) {
    // cursorpos counts characters of the fragment from 1.
    int32_t position = 0;
    if (error->cursorpos > 0) {
        size_t offset = 0;
        for (int left = error->cursorpos - 1; left > 0 && offset < text.n; left--) {
            offset++;
            while (offset < text.n && ((uint8_t)text.p[offset] & 0xc0) == 0x80) offset++;
        }
        position = sql_position(ctx, (int64_t)offset);
    }
    const char *message = error->message == NULL ? "syntax error" : error->message;
    bool memory = strncmp(message, "memory exhausted", 16) == 0;
    const char *sqlstate = memory ? "54001" : BASE_SQLSTATE_SYNTAX;
    if (strncmp(message, "frame ", 6) == 0) sqlstate = "42P20"; // of a window
    // As with '\\xff' in an escape string; the parser does not hand on its own code.
    if (strncmp(message, "invalid byte sequence for encoding", 34) == 0)
        sqlstate = BASE_SQLSTATE_INVALID_ENCODING;
    return sql_fail(ctx, position, memory ? BASE_E_LIMIT : BASE_E_INVALID, sqlstate, "%s", message);
}

base_rc sql_parse(sql_ctx *ctx, base_str text, int64_t delta, const sql_tree **statement) {
    *statement = NULL;
    ctx->delta = delta;
    if (memchr(text.p, '\0', text.n) != NULL)
        return sql_fail(ctx, 0, BASE_E_INVALID, BASE_SQLSTATE_INVALID_ENCODING,
                        "invalid byte sequence for encoding \"UTF8\": 0x00");
    SQL_TRY(check_nesting(ctx, text, delta));
    char *copy = base_arena_memdup(ctx->arena, text.p, text.n);
    sql_unwrap_windows(copy, text);
    SQL_TRY(sql_cut_matches(ctx, copy, text, delta));
    SQL_TRY(sql_cut_joins(ctx, copy, text, delta));
    PgQueryParseResult result = pg_query_parse(copy);
    if (result.error != NULL) {
        base_rc rc = parse_failed(ctx, result.error, text);
        pg_query_free_parse_result(result);
        return rc;
    }
    char *json = base_arena_strdup(ctx->arena, result.parse_tree);
    pg_query_free_parse_result(result);
    reader r = {.p = json, .arena = ctx->arena};
    sql_tree *root = base_arena_new(ctx->arena, sql_tree);
    read_value(&r, root);
    if (r.failed) return sql_fail(ctx, 0, BASE_E_LIMIT, "54001", "statement is nested too deeply");
    const sql_tree *statements = sql_get(root, "stmts");
    const sql_tree *first = statements == NULL ? NULL : statements->child;
    if (first != NULL && first->next != NULL)
        return SQL_SYNTAX(ctx, 0, "cannot insert multiple commands into a prepared statement");
    *statement = sql_get(first, "stmt");
    return BASE_OK;
}
