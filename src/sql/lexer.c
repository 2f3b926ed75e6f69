// lexer.c - tokens of SQL, enough to cut statements and to read our own DDL. Expressions and
// queries go to libpg_query as text, so operators need no more than their characters here. Follows
// PostgreSQL's lexical structure: nested comments, quotes, E'' and dollar quotes. Entry points:
// sql_token_next, sql_split.
#include "sql/sql_int.h"

static bool is_space(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}
static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
static bool is_word_start(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (uint8_t)c >= 0x80;
}
static bool is_word_part(char c) {
    return is_word_start(c) || is_digit(c) || c == '$';
}
static char at_of(base_str s, size_t i) {
    return i < s.n ? s.p[i] : '\0';
}

// Skips white space and comments; false if a comment does not end.
static bool skip_blank(base_str s, size_t *at) {
    size_t i = *at;
    for (;;) {
        if (i < s.n && is_space(s.p[i])) {
            i++;
        } else if (at_of(s, i) == '-' && at_of(s, i + 1) == '-') {
            while (i < s.n && s.p[i] != '\n') i++;
        } else if (at_of(s, i) == '/' && at_of(s, i + 1) == '*') {
            *at = i;
            size_t depth = 0;
            do {
                if (i >= s.n) return false;
                if (at_of(s, i) == '/' && at_of(s, i + 1) == '*') {
                    depth++;
                    i += 2;
                } else if (at_of(s, i) == '*' && at_of(s, i + 1) == '/') {
                    depth--;
                    i += 2;
                } else {
                    i++;
                }
            } while (depth > 0);
        } else {
            *at = i;
            return true;
        }
    }
}

// End of a quoted run that begins at i (on the quote); 0 if it does not end.
static size_t quoted_end(base_str s, size_t i, char quote, bool backslash) {
    for (i++; i < s.n; i++) {
        if (backslash && s.p[i] == '\\') {
            i++;
        } else if (s.p[i] == quote) {
            if (at_of(s, i + 1) != quote) return i + 1;
            i++;
        }
    }
    return 0;
}

static char unescape(base_str s, size_t *i) {
    char c = s.p[++*i];
    if (c >= '0' && c <= '7') {
        int value = 0, digits = 0;
        while (digits < 3 && at_of(s, *i) >= '0' && at_of(s, *i) <= '7') {
            value = value * 8 + (s.p[*i] - '0');
            ++*i;
            digits++;
        }
        --*i;
        return (char)value;
    }
    switch (c) {
    case 'b':
        return '\b';
    case 'f':
        return '\f';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    default:
        return c;
    }
}

// The text meant by s (with its quotes).
static const char *unquote(base_arena *arena, base_str s, char quote, bool backslash) {
    if (arena == NULL) return NULL;
    char *out = base_arena_alloc(arena, s.n + 1);
    size_t n = 0;
    for (size_t i = 1; i + 1 < s.n; i++) {
        if (backslash && s.p[i] == '\\' && i + 2 < s.n) {
            out[n++] = unescape(s, &i);
            continue;
        }
        out[n++] = s.p[i];
        if (s.p[i] == quote) i++;
    }
    out[n] = '\0';
    return out;
}

static sql_token make(base_str s, sql_token_kind kind, size_t begin, size_t end) {
    const char *p = s.p == NULL ? "" : s.p + begin; // an empty source may have no bytes at all
    return (sql_token){kind, {p, end - begin}, begin, NULL};
}

// $tag$ ... $tag$ or $1.
static sql_token dollar(base_str s, size_t *at, base_arena *arena) {
    size_t begin = *at, i = begin + 1;
    if (is_digit(at_of(s, i))) {
        while (is_digit(at_of(s, i))) i++;
        *at = i;
        return make(s, SQL_TOKEN_PARAM, begin, i);
    }
    while (i < s.n && is_word_part(s.p[i]) && s.p[i] != '$') i++;
    if (at_of(s, i) != '$') {
        *at = begin + 1;
        return make(s, SQL_TOKEN_SYMBOL, begin, begin + 1);
    }
    base_str tag = {s.p + begin, i + 1 - begin};
    for (i = i + 1; i + tag.n <= s.n; i++) {
        if (s.p[i] != '$' || memcmp(s.p + i, tag.p, tag.n) != 0) continue;
        sql_token token = make(s, SQL_TOKEN_STRING, begin, i + tag.n);
        if (arena != NULL)
            token.value = base_arena_memdup(arena, s.p + begin + tag.n, i - begin - tag.n);
        *at = i + tag.n;
        return token;
    }
    *at = s.n;
    return make(s, SQL_TOKEN_UNENDED, begin, s.n);
}

static sql_token quoted(base_str s, size_t *at, size_t begin, char quote, bool backslash,
                        base_arena *arena) {
    size_t first = *at, end = quoted_end(s, first, quote, backslash);
    if (end == 0) {
        *at = s.n;
        return make(s, SQL_TOKEN_UNENDED, begin, s.n);
    }
    *at = end;
    sql_token token = make(s, quote == '"' ? SQL_TOKEN_QUOTED : SQL_TOKEN_STRING, begin, end);
    token.value = unquote(arena, (base_str){s.p + first, end - first}, quote, backslash);
    return token;
}

static sql_token number(base_str s, size_t *at) {
    size_t begin = *at, i = begin;
    while (is_digit(at_of(s, i))) i++;
    if (at_of(s, i) == '.') {
        i++;
        while (is_digit(at_of(s, i))) i++;
    }
    if ((at_of(s, i) | 0x20) == 'e') {
        size_t e = i + 1;
        if (at_of(s, e) == '+' || at_of(s, e) == '-') e++;
        if (is_digit(at_of(s, e))) {
            while (is_digit(at_of(s, e))) e++;
            i = e;
        }
    }
    *at = i;
    return make(s, SQL_TOKEN_NUMBER, begin, i);
}

static sql_token word(base_str s, size_t *at, base_arena *arena) {
    size_t begin = *at, i = begin;
    while (i < s.n && is_word_part(s.p[i])) i++;
    *at = i;
    sql_token token = make(s, SQL_TOKEN_WORD, begin, i);
    if (arena != NULL) {
        char *lower = base_arena_memdup(arena, s.p + begin, i - begin);
        for (char *p = lower; *p != '\0'; p++)
            if (*p >= 'A' && *p <= 'Z') *p = (char)(*p - 'A' + 'a');
        token.value = lower;
    }
    return token;
}

sql_token sql_token_next(base_str s, size_t *at, base_arena *arena) {
    if (!skip_blank(s, at)) {
        size_t begin = *at;
        *at = s.n;
        return make(s, SQL_TOKEN_UNENDED, begin, s.n);
    }
    size_t i = *at;
    if (i >= s.n) return make(s, SQL_TOKEN_END, s.n, s.n);
    char c = s.p[i];
    if ((c == 'e' || c == 'E' || c == 'b' || c == 'B' || c == 'x' || c == 'X' || c == 'n' ||
         c == 'N') &&
        at_of(s, i + 1) == '\'') {
        *at = i + 1;
        return quoted(s, at, i, '\'', c == 'e' || c == 'E', arena);
    }
    if (c == '\'' || c == '"') return quoted(s, at, i, c, false, arena);
    if (c == '$') return dollar(s, at, arena);
    if (is_digit(c) || (c == '.' && is_digit(at_of(s, i + 1)))) return number(s, at);
    if (is_word_start(c)) return word(s, at, arena);
    size_t length = c == ':' && at_of(s, i + 1) == ':' ? 2 : 1;
    *at = i + length;
    return make(s, SQL_TOKEN_SYMBOL, i, i + length);
}

base_rc sql_split(base_arena *arena, base_str text, size_t *n, base_str **statements,
                  base_error *err) {
    size_t valid = base_utf8_valid_prefix(text);
    *n = 0;
    *statements = NULL;
    if (valid < text.n)
        return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_INVALID_ENCODING,
                         "invalid byte sequence for encoding \"UTF8\" at byte %zu", valid + 1);
    size_t cap = 0, at = 0, begin = 0;
    for (;;) {
        sql_token token = sql_token_next(text, &at, NULL);
        bool ends = token.kind == SQL_TOKEN_END;
        if (!ends && !(token.kind == SQL_TOKEN_SYMBOL && token.text.p[0] == ';')) continue;
        // A last piece of white space and comments is no statement.
        base_str piece = {text.p + begin, token.offset - begin};
        size_t in_piece = 0;
        bool empty = sql_token_next(piece, &in_piece, NULL).kind == SQL_TOKEN_END;
        if (!empty) {
            if (*n == cap) {
                cap = cap == 0 ? 8 : cap * 2;
                base_str *more = base_arena_array(arena, base_str, cap);
                if (*n > 0) memcpy(more, *statements, *n * sizeof *more);
                *statements = more;
            }
            (*statements)[(*n)++] = piece;
        }
        if (ends) return BASE_OK;
        begin = at;
    }
}
