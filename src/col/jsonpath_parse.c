// jsonpath_parse.c - the text of a SQL/JSON path to its tree, by recursive descent:
// or < and < not < comparison < + - < * / % < sign < accessors.
// Entry point: jsonpath_parse().
#include "base/must.h"
#include "col/func_int.h"
#include "col/jsonpath_int.h"
#include "col/regex.h"

#define DEPTH_MAX 200

typedef struct parser {
    base_str in;
    size_t at;
    base_arena *arena;
    base_error *err;
    int depth;
    bool in_filter, in_subscript;
} parser;

static base_rc syntax_error(parser *p) {
    size_t n = p->in.n - p->at < 32 ? p->in.n - p->at : 32;
    if (n == 0) {
        return base_fail(p->err, BASE_E_INVALID, BASE_SQLSTATE_SYNTAX,
                         "syntax error at end of jsonpath input");
    }
    return base_fail(p->err, BASE_E_INVALID, BASE_SQLSTATE_SYNTAX,
                     "syntax error at or near \"%.*s\" of jsonpath input", (int)n, p->in.p + p->at);
}

static bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}

// What ends a bare word.
static bool is_special(char c) {
    return is_space(c) || strchr("?%$.[]{}()|&!=<>@#,*:-+/\"\\", c) != NULL;
}

static void skip(parser *p) {
    for (;;) {
        while (p->at < p->in.n && is_space(p->in.p[p->at])) p->at++;
        if (p->in.n - p->at < 2 || p->in.p[p->at] != '/' || p->in.p[p->at + 1] != '*') return;
        size_t end = p->at + 2;
        while (end + 1 < p->in.n && !(p->in.p[end] == '*' && p->in.p[end + 1] == '/')) end++;
        if (end + 1 >= p->in.n) return;
        p->at = end + 2;
    }
}

static char peek(parser *p) {
    skip(p);
    return p->at < p->in.n ? p->in.p[p->at] : '\0';
}

static bool take(parser *p, const char *text) {
    skip(p);
    size_t n = strlen(text);
    if (p->in.n - p->at < n || memcmp(p->in.p + p->at, text, n) != 0) return false;
    p->at += n;
    return true;
}

// A keyword as a whole word; words but true, false and null are of any case.
static bool take_word(parser *p, const char *word) {
    skip(p);
    size_t n = strlen(word);
    if (p->in.n - p->at < n) return false;
    if (p->in.n - p->at > n && !is_special(p->in.p[p->at + n])) return false;
    if (!base_str_eq_nocase((base_str){p->in.p + p->at, n}, (base_str){word, n})) return false;
    p->at += n;
    return true;
}

static jp_node *new_node(parser *p, jp_op op, jp_node *a, jp_node *b) {
    jp_node *node = base_arena_new(p->arena, jp_node);
    node->op = op;
    node->a = a;
    node->b = b;
    return node;
}

static jp_node *literal_node(parser *p, col_json_kind kind, base_str text) {
    jp_node *node = new_node(p, JP_LITERAL, NULL, NULL);
    node->literal = base_arena_new(p->arena, col_json);
    node->literal->kind = kind;
    node->literal->text = text;
    return node;
}

// A quoted string at the quote.
static base_rc parse_quoted(parser *p, base_str *out) {
    size_t end = p->at + 1;
    while (end < p->in.n && p->in.p[end] != '"') end += p->in.p[end] == '\\' ? 2 : 1;
    if (end >= p->in.n) return syntax_error(p);
    col_json *node;
    base_str text = {p->in.p + p->at, end + 1 - p->at};
    if (col_json_parse(text, p->arena, &node, p->err) != BASE_OK) return syntax_error(p);
    p->at = end + 1;
    *out = node->text;
    return BASE_OK;
}

static base_rc parse_name(parser *p, base_str *out) {
    if (peek(p) == '"') return parse_quoted(p, out);
    size_t begin = p->at;
    while (p->at < p->in.n && !is_special(p->in.p[p->at])) p->at++;
    *out = (base_str){p->in.p + begin, p->at - begin};
    return out->n == 0 ? syntax_error(p) : BASE_OK;
}

static base_rc parse_number(parser *p, jp_node **out) {
    size_t begin = p->at, digits = 0;
    const char *s = p->in.p;
    for (; p->at < p->in.n && s[p->at] >= '0' && s[p->at] <= '9'; p->at++) digits++;
    if (digits > 1 && s[begin] == '0') return syntax_error(p);
    if (p->at < p->in.n && s[p->at] == '.') {
        p->at++;
        for (; p->at < p->in.n && s[p->at] >= '0' && s[p->at] <= '9'; p->at++) digits++;
    }
    if (digits == 0) return syntax_error(p);
    if (p->at < p->in.n && (s[p->at] == 'e' || s[p->at] == 'E')) {
        p->at++;
        if (p->at < p->in.n && (s[p->at] == '+' || s[p->at] == '-')) p->at++;
        size_t exponent = p->at;
        while (p->at < p->in.n && s[p->at] >= '0' && s[p->at] <= '9') p->at++;
        if (p->at == exponent) return syntax_error(p);
    }
    if (p->at < p->in.n && !is_special(s[p->at])) return syntax_error(p);
    base_decimal v;
    base_rc rc = base_decimal_parse((base_str){s + begin, p->at - begin}, &v, p->err);
    if (rc != BASE_OK) return rc;
    char text[BASE_DECIMAL_TEXT_MAX];
    int n = base_decimal_format(v, text);
    *out = literal_node(p, COL_JSON_NUMBER,
                        (base_str){base_arena_memdup(p->arena, text, (size_t)n), (size_t)n});
    return BASE_OK;
}

// ---- accessors ----

static base_rc parse_or(parser *p, jp_node **out);
static base_rc parse_sum(parser *p, jp_node **out);

static base_rc parse_value(parser *p, jp_node **out) { // an expression that is no predicate
    base_rc rc = parse_sum(p, out);
    if (rc == BASE_OK && jp_is_predicate(*out)) return syntax_error(p);
    return rc;
}

static base_rc parse_condition(parser *p, jp_node **out) {
    base_rc rc = parse_or(p, out);
    if (rc == BASE_OK && !jp_is_predicate(*out)) return syntax_error(p);
    return rc;
}

static base_rc parse_subscripts(parser *p, jp_node **out) {
    if (take(p, "*")) {
        *out = new_node(p, JP_ANY_ITEM, NULL, NULL);
        return take(p, "]") ? BASE_OK : syntax_error(p);
    }
    bool outer = p->in_subscript;
    p->in_subscript = true;
    jp_node *node = new_node(p, JP_SUBSCRIPT, NULL, NULL);
    jp_range **last = &node->ranges;
    do {
        jp_range *range = base_arena_new(p->arena, jp_range);
        base_rc rc = parse_value(p, &range->from);
        if (rc == BASE_OK && take_word(p, "to")) rc = parse_value(p, &range->to);
        if (rc != BASE_OK) return rc;
        *last = range;
        last = &range->next;
    } while (take(p, ","));
    p->in_subscript = outer;
    *out = node;
    return take(p, "]") ? BASE_OK : syntax_error(p);
}

static base_rc parse_level(parser *p, uint32_t *level) {
    if (take_word(p, "last")) {
        *level = UINT32_MAX;
        return BASE_OK;
    }
    uint64_t v = 0;
    size_t begin = p->at;
    for (skip(p); p->at < p->in.n && p->in.p[p->at] >= '0' && p->in.p[p->at] <= '9'; p->at++) {
        v = v * 10 + (uint64_t)(p->in.p[p->at] - '0');
        if (v > INT32_MAX) return syntax_error(p);
    }
    if (p->at == begin) return syntax_error(p);
    *level = (uint32_t)v;
    return BASE_OK;
}

static base_rc parse_any(parser *p, jp_node **out) {
    jp_node *node = new_node(p, JP_ANY, NULL, NULL);
    node->last = UINT32_MAX;
    *out = node;
    if (!take(p, "{")) return BASE_OK;
    base_rc rc = parse_level(p, &node->first);
    node->last = node->first;
    if (rc == BASE_OK && take_word(p, "to")) rc = parse_level(p, &node->last);
    if (rc != BASE_OK) return rc;
    return take(p, "}") ? BASE_OK : syntax_error(p);
}

static base_rc parse_member(parser *p, jp_node **out) {
    static const char *const methods[] = {"type",  "size", "double",   "ceiling",
                                          "floor", "abs",  "keyvalue", "datetime"};
    if (take(p, "**")) return parse_any(p, out);
    if (take(p, "*")) {
        *out = new_node(p, JP_ANY_KEY, NULL, NULL);
        return BASE_OK;
    }
    bool quoted = peek(p) == '"';
    jp_node *node = new_node(p, JP_KEY, NULL, NULL);
    base_rc rc = parse_name(p, &node->name);
    *out = node;
    if (rc != BASE_OK || quoted) return rc;
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        if (!base_str_eq_nocase(node->name, base_str_of(methods[i]))) continue;
        size_t before = p->at;
        if (!take(p, "(")) break; // a key of that name
        node->op = JP_METHOD;
        node->method = (jp_method)i;
        if (i == JP_DATETIME) {
            p->at = before;
            return base_fail(p->err, BASE_E_UNSUPPORTED, NULL,
                             "jsonpath item method .datetime() is not supported");
        }
        return take(p, ")") ? BASE_OK : syntax_error(p);
    }
    return BASE_OK;
}

static base_rc parse_accessors(parser *p, jp_node *node) {
    for (;;) {
        jp_node *next = NULL;
        base_rc rc = BASE_OK;
        if (take(p, "[")) {
            rc = parse_subscripts(p, &next);
        } else if (take(p, ".")) {
            rc = parse_member(p, &next);
        } else if (peek(p) == '?') {
            p->at++;
            if (!take(p, "(")) return syntax_error(p);
            bool outer = p->in_filter;
            p->in_filter = true;
            next = new_node(p, JP_FILTER, NULL, NULL);
            rc = parse_condition(p, &next->a);
            p->in_filter = outer;
            if (rc == BASE_OK && !take(p, ")")) rc = syntax_error(p);
        } else {
            return BASE_OK;
        }
        if (rc != BASE_OK) return rc;
        node->next = next;
        node = next;
    }
}

// ---- expressions ----

static base_rc parse_paren(parser *p, jp_node **out) {
    jp_node *inner;
    base_rc rc = parse_or(p, &inner);
    if (rc != BASE_OK) return rc;
    if (!take(p, ")")) return syntax_error(p);
    if (jp_is_predicate(inner) && take_word(p, "is")) {
        if (!take_word(p, "unknown")) return syntax_error(p);
        *out = new_node(p, JP_UNKNOWN, inner, NULL);
        return BASE_OK;
    }
    char c = peek(p);
    if (c == '.' || c == '[' || c == '?') {
        *out = new_node(p, JP_GROUP, inner, NULL);
        return parse_accessors(p, *out);
    }
    *out = inner;
    return BASE_OK;
}

static base_rc parse_primary(parser *p, jp_node **out) {
    char c = peek(p);
    if (take(p, "(")) return parse_paren(p, out);
    if (take_word(p, "exists")) {
        jp_node *inner;
        if (!take(p, "(")) return syntax_error(p);
        base_rc rc = parse_value(p, &inner);
        if (rc != BASE_OK) return rc;
        *out = new_node(p, JP_EXISTS, inner, NULL);
        return take(p, ")") ? BASE_OK : syntax_error(p);
    }
    base_rc rc = BASE_OK;
    if (c == '$') {
        p->at++;
        *out = new_node(p, JP_ROOT, NULL, NULL);
        if (p->at < p->in.n && (p->in.p[p->at] == '"' || !is_special(p->in.p[p->at]))) {
            (*out)->op = JP_VARIABLE;
            rc = parse_name(p, &(*out)->name);
        }
    } else if (c == '@') {
        if (!p->in_filter) {
            return base_fail(p->err, BASE_E_INVALID, BASE_SQLSTATE_SYNTAX,
                             "@ is not allowed in root expressions");
        }
        p->at++;
        *out = new_node(p, JP_CURRENT, NULL, NULL);
    } else if (c == '"') {
        base_str text;
        rc = parse_quoted(p, &text);
        if (rc == BASE_OK) *out = literal_node(p, COL_JSON_STRING, text);
    } else if ((c >= '0' && c <= '9') || c == '.') {
        rc = parse_number(p, out);
    } else if (take_word(p, "last")) {
        if (!p->in_subscript) {
            return base_fail(p->err, BASE_E_INVALID, BASE_SQLSTATE_SYNTAX,
                             "LAST is allowed only in array subscripts");
        }
        *out = new_node(p, JP_LAST, NULL, NULL);
    } else if (take_word(p, "true")) {
        *out = literal_node(p, COL_JSON_TRUE, BASE_STR("true"));
    } else if (take_word(p, "false")) {
        *out = literal_node(p, COL_JSON_FALSE, BASE_STR("false"));
    } else if (take_word(p, "null")) {
        *out = literal_node(p, COL_JSON_NULL, BASE_STR("null"));
    } else {
        return syntax_error(p);
    }
    return rc == BASE_OK ? parse_accessors(p, *out) : rc;
}

static base_rc parse_sign(parser *p, jp_node **out) {
    char c = peek(p);
    if (c != '+' && c != '-') return parse_primary(p, out);
    p->at++;
    if (++p->depth > DEPTH_MAX) return syntax_error(p);
    jp_node *inner;
    base_rc rc = parse_sign(p, &inner);
    if (rc != BASE_OK) return rc;
    p->depth--;
    if (jp_is_predicate(inner)) return syntax_error(p);
    *out = new_node(p, c == '+' ? JP_PLUS : JP_MINUS, inner, NULL);
    return BASE_OK;
}

static base_rc parse_product(parser *p, jp_node **out) {
    base_rc rc = parse_sign(p, out);
    while (rc == BASE_OK) {
        char c = peek(p);
        jp_op op = c == '*' ? JP_MUL : c == '/' ? JP_DIV : c == '%' ? JP_MOD : JP_ROOT;
        if (op == JP_ROOT) break;
        p->at++;
        jp_node *right;
        if (jp_is_predicate(*out)) return syntax_error(p);
        rc = parse_sign(p, &right);
        if (rc == BASE_OK && jp_is_predicate(right)) return syntax_error(p);
        if (rc == BASE_OK) *out = new_node(p, op, *out, right);
    }
    return rc;
}

static base_rc parse_sum(parser *p, jp_node **out) {
    base_rc rc = parse_product(p, out);
    while (rc == BASE_OK) {
        char c = peek(p);
        if (c != '+' && c != '-') break;
        p->at++;
        jp_node *right;
        if (jp_is_predicate(*out)) return syntax_error(p);
        rc = parse_product(p, &right);
        if (rc == BASE_OK && jp_is_predicate(right)) return syntax_error(p);
        if (rc == BASE_OK) *out = new_node(p, c == '+' ? JP_ADD : JP_SUB, *out, right);
    }
    return rc;
}

// like_regex "pattern" [flag "letters"], checked here so that a bad one fails at once.
static base_rc parse_regex(parser *p, jp_node *left, jp_node **out) {
    base_str flags = BASE_STR("");
    jp_node *node = new_node(p, JP_REGEX, left, NULL);
    if (peek(p) != '"') return syntax_error(p);
    base_rc rc = parse_quoted(p, &node->name);
    if (rc == BASE_OK && take_word(p, "flag")) {
        if (peek(p) != '"') return syntax_error(p);
        rc = parse_quoted(p, &flags);
    }
    if (rc != BASE_OK) return rc;
    bool dot_all = false, lines = false, literal = false;
    for (size_t i = 0; i < flags.n; i++) {
        switch (flags.p[i]) {
        case 'i':
            node->flags |= REGEX_FOLD;
            break;
        case 's':
            dot_all = true;
            break;
        case 'm':
            lines = true;
            break;
        case 'q':
            literal = true;
            break;
        case 'x':
            return base_fail(p->err, BASE_E_UNSUPPORTED, NULL,
                             "like_regex takes no flag \"x\", as in PostgreSQL 15");
        default:
            return base_fail(p->err, BASE_E_INVALID, BASE_SQLSTATE_SYNTAX,
                             "invalid input syntax for type jsonpath");
        }
    }
    if (literal) {
        node->flags |= REGEX_LITERAL;
    } else {
        node->flags |= (dot_all ? 0u : REGEX_LINE_STOPS) | (lines ? REGEX_LINE_ANCHORS : 0u);
    }
    regex *re;
    rc = regex_compile(node->name, node->flags, &re, p->err);
    regex_destroy(re);
    *out = node;
    return rc;
}

static base_rc parse_comparison(parser *p, jp_node **out) {
    static const struct {
        const char *text;
        jp_op op;
    } ops[] = {{"==", JP_EQ}, {"!=", JP_NE}, {"<>", JP_NE}, {"<=", JP_LE},
               {">=", JP_GE}, {"<", JP_LT},  {">", JP_GT},  {"=", JP_EQ}};
    base_rc rc = parse_sum(p, out);
    if (rc != BASE_OK || jp_is_predicate(*out)) return rc;
    if (take_word(p, "starts")) {
        jp_node *right;
        if (!take_word(p, "with")) return syntax_error(p);
        rc = parse_primary(p, &right);
        if (rc != BASE_OK) return rc;
        bool string = right->op == JP_LITERAL && right->literal->kind == COL_JSON_STRING;
        if (right->next != NULL || (!string && right->op != JP_VARIABLE)) return syntax_error(p);
        *out = new_node(p, JP_STARTS, *out, right);
        return BASE_OK;
    }
    if (take_word(p, "like_regex")) return parse_regex(p, *out, out);
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        if (!take(p, ops[i].text)) continue;
        jp_node *right;
        rc = parse_value(p, &right);
        if (rc == BASE_OK) *out = new_node(p, ops[i].op, *out, right);
        return rc;
    }
    return BASE_OK;
}

static base_rc parse_not(parser *p, jp_node **out) {
    skip(p);
    bool negate = p->at < p->in.n && p->in.p[p->at] == '!' &&
                  !(p->at + 1 < p->in.n && p->in.p[p->at + 1] == '=');
    if (!negate) return parse_comparison(p, out);
    p->at++;
    jp_node *inner;
    if (peek(p) != '(' && !(p->in.n - p->at >= 6 && memcmp(p->in.p + p->at, "exists", 6) == 0)) {
        return syntax_error(p);
    }
    base_rc rc = parse_primary(p, &inner);
    if (rc != BASE_OK) return rc;
    if (!jp_is_predicate(inner)) return syntax_error(p);
    *out = new_node(p, JP_NOT, inner, NULL);
    return BASE_OK;
}

static base_rc parse_and(parser *p, jp_node **out) {
    base_rc rc = parse_not(p, out);
    while (rc == BASE_OK && take(p, "&&")) {
        jp_node *right;
        if (!jp_is_predicate(*out)) return syntax_error(p);
        rc = parse_not(p, &right);
        if (rc == BASE_OK && !jp_is_predicate(right)) return syntax_error(p);
        if (rc == BASE_OK) *out = new_node(p, JP_AND, *out, right);
    }
    return rc;
}

static base_rc parse_or(parser *p, jp_node **out) {
    if (++p->depth > DEPTH_MAX) {
        return base_fail(p->err, BASE_E_LIMIT, BASE_SQLSTATE_LIMIT,
                         "jsonpath is nested too deeply");
    }
    base_rc rc = parse_and(p, out);
    while (rc == BASE_OK && take(p, "||")) {
        jp_node *right;
        if (!jp_is_predicate(*out)) return syntax_error(p);
        rc = parse_and(p, &right);
        if (rc == BASE_OK && !jp_is_predicate(right)) return syntax_error(p);
        if (rc == BASE_OK) *out = new_node(p, JP_OR, *out, right);
    }
    p->depth--;
    return rc;
}

base_rc jsonpath_parse(base_str text, base_arena *arena, const jsonpath **out, base_error *err) {
    parser p = {.in = text, .arena = arena, .err = err};
    jsonpath *path = base_arena_new(arena, jsonpath);
    path->strict = take_word(&p, "strict");
    if (!path->strict) (void)take_word(&p, "lax");
    if (peek(&p) == '\0') {
        return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_INVALID_TEXT,
                         "invalid input syntax for type jsonpath: \"%.*s\"",
                         (int)(text.n < 64 ? text.n : 64), text.p);
    }
    base_rc rc = parse_or(&p, &path->root);
    if (rc == BASE_OK && peek(&p) != '\0') rc = syntax_error(&p);
    *out = path;
    return rc;
}
