// regex_parse.c - the text of a regular expression to its tree. The shape of the tree decides what
// groups capture, so that it follows the rules of preference: what comes first in a branch takes
// its most (or least) first. Runs of simple parts are one node, for they need not be taken apart;
// a part with a group, a back reference or another preference than what is before it is set off as
// before . (part . rest). Entry point: re_parse().
#include "base/must.h"
#include "col/func_int.h"
#include "col/regex_int.h"

#define NESTING_MAX       200
#define PATTERN_BYTES_MAX (16u << 10)
#define NO_CODE           UINT32_MAX

typedef struct parser {
    regex *re;
    base_str in;
    size_t at;
    unsigned flags;
    bool advanced;
    int depth, look_depth;
    base_error *err;
    re_node **groups; // closed ones; [1..re->groups]
    struct {
        char name; // of the class escape, 0: none
        uint32_t set;
    } shared[8];
} parser;

base_rc re_invalid(base_error *err, const char *what) {
    return base_fail(err, BASE_E_INVALID, "2201B", "invalid regular expression: %s", what);
}

static inline unsigned up(unsigned f) {
    unsigned clash = (f & RE_LONGER) != 0 && (f & RE_SHORTER) != 0 ? RE_MIXED : 0u;
    return (f & RE_MESSY) | clash;
}
static inline unsigned preference(unsigned f) {
    return f & (RE_LONGER | RE_SHORTER);
}
static inline unsigned combine(unsigned f, unsigned g) {
    return up(f | g) | (preference(f) != 0 ? preference(f) : preference(g));
}

static re_node *new_node(parser *p, re_op op, unsigned flags, re_node *a, re_node *b) {
    re_node *node = base_arena_new(&p->re->arena, re_node);
    node->op = op;
    node->flags = flags;
    node->a = a;
    node->b = b;
    return node;
}

static re_node *repeat_node(parser *p, re_node *of, int32_t min, int32_t max, unsigned flags) {
    re_node *node = new_node(p, RE_REPEAT, flags, of, NULL);
    node->min = min;
    node->max = max;
    return node;
}

static re_node *append(parser *p, re_node *prefix, re_node *item) {
    return prefix == NULL ? item : new_node(p, RE_CAT, 0, prefix, item);
}

static bool at_end(const parser *p) {
    return p->at >= p->in.n;
}
static char peek(const parser *p, size_t ahead) {
    return p->at + ahead < p->in.n ? p->in.p[p->at + ahead] : '\0';
}
static bool has(const parser *p, size_t ahead) {
    return p->at + ahead < p->in.n;
}

// ---- space and comments ----

static void skip_ignored(parser *p) {
    for (;;) {
        size_t start = p->at;
        if ((p->flags & REGEX_EXPANDED) != 0) {
            while (!at_end(p) && strchr(" \t\n\r\f\v", peek(p, 0)) != NULL && peek(p, 0) != '\0') {
                p->at++;
            }
            if (peek(p, 0) == '#') {
                while (!at_end(p) && peek(p, 0) != '\n') p->at++;
            }
        }
        if (p->advanced && peek(p, 0) == '(' && peek(p, 1) == '?' && peek(p, 2) == '#') {
            while (!at_end(p) && peek(p, 0) != ')') p->at++;
            if (!at_end(p)) p->at++;
        }
        if (p->at == start) return;
    }
}

// ---- sets ----

static uint32_t set_index(const parser *p) {
    return p->re->nsets - 1;
}

static re_node *set_node(parser *p, uint32_t index) {
    re_node *node = new_node(p, RE_SET, 0, NULL, NULL);
    node->index = index;
    return node;
}

static re_node *literal_node(parser *p, uint32_t code) {
    re_set *set = re_set_new(p->re);
    re_set_add(p->re, set, code, code);
    if ((p->flags & REGEX_FOLD) != 0) re_set_fold(p->re, set);
    return set_node(p, set_index(p));
}

// \d and the like, and '.' for any character.
static void add_class_escape(parser *p, re_set *set, char name) {
    re_set *part = set;
    bool negated = name == 'D' || name == 'S' || name == 'W';
    re_set scratch = {0};
    if (negated) part = &scratch;
    switch (name) {
    case 'd':
    case 'D':
        re_set_add_class(p->re, part, BASE_STR("digit"), false);
        break;
    case 's':
    case 'S':
        re_set_add_class(p->re, part, BASE_STR("space"), false);
        break;
    case 'w':
    case 'W':
        re_set_add_class(p->re, part, BASE_STR("word"), false);
        break;
    default:
        re_set_add(p->re, part, 0, 0x10ffff);
        break;
    }
    if (!negated) return;
    re_set_negate(p->re, part);
    for (uint32_t i = 0; i < part->n; i++) {
        re_set_add(p->re, set, part->ranges[i].lo, part->ranges[i].hi);
    }
}

static re_node *class_node(parser *p, char name) {
    for (size_t i = 0; i < 8 && p->shared[i].name != 0; i++) {
        if (p->shared[i].name == name) return set_node(p, p->shared[i].set);
    }
    re_set *set = re_set_new(p->re);
    add_class_escape(p, set, name);
    if (name == '.' && (p->flags & REGEX_LINE_STOPS) != 0) {
        set->n = 0;
        re_set_add(p->re, set, '\n', '\n');
        re_set_negate(p->re, set);
    }
    for (size_t i = 0; i < 8; i++) {
        if (p->shared[i].name != 0) continue;
        p->shared[i].name = name;
        p->shared[i].set = set_index(p);
        break;
    }
    return set_node(p, set_index(p));
}

// ---- escapes ----

typedef enum escape_kind {
    ESCAPE_CODE,
    ESCAPE_CLASS,
    ESCAPE_ASSERT,
    ESCAPE_REFER,
} escape_kind;

typedef struct escape {
    escape_kind kind;
    uint32_t value; // code point, name of the class, condition, group
} escape;

static int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

static base_rc bad_escape(parser *p) {
    return re_invalid(p->err, "invalid escape \\ sequence");
}

static base_rc hex_escape(parser *p, int least, int most, escape *e) {
    uint32_t v = 0;
    int n = 0;
    while (n < most && has(p, 0) && hex_value(peek(p, 0)) >= 0) {
        if (v > 0x10ffff) return bad_escape(p);
        v = v * 16 + (uint32_t)hex_value(peek(p, 0));
        p->at++;
        n++;
    }
    if (n < least || v > 0x10ffff) return bad_escape(p);
    *e = (escape){ESCAPE_CODE, v};
    return BASE_OK;
}

// A number after the backslash: a group if there may be one of that number, else octal.
static base_rc number_escape(parser *p, escape *e) {
    size_t start = p->at;
    uint32_t v = 0;
    int n = 0;
    while (has(p, 0) && peek(p, 0) >= '0' && peek(p, 0) <= '9' && n < 6) {
        v = v * 10 + (uint32_t)(peek(p, 0) - '0');
        p->at++;
        n++;
    }
    if (v > 0 && (n == 1 || v <= p->re->groups)) {
        *e = (escape){ESCAPE_REFER, v};
        return BASE_OK;
    }
    p->at = start;
    v = 0;
    n = 0;
    while (n < 3 && has(p, 0) && peek(p, 0) >= '0' && peek(p, 0) <= '7') {
        v = v * 8 + (uint32_t)(peek(p, 0) - '0');
        p->at++;
        n++;
    }
    if (n == 0) return bad_escape(p);
    *e = (escape){ESCAPE_CODE, v};
    return BASE_OK;
}

// After the backslash.
static base_rc parse_escape(parser *p, escape *e) {
    if (at_end(p)) return bad_escape(p);
    char c = peek(p, 0);
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (!letter && !(c >= '0' && c <= '9')) {
        *e = (escape){ESCAPE_CODE, func_utf8_decode(p->in, &p->at)};
        return BASE_OK;
    }
    if (c == '0') { // octal, with the digits that follow
        uint32_t v = 0;
        for (int n = 0; n < 3 && has(p, 0) && peek(p, 0) >= '0' && peek(p, 0) <= '7'; n++) {
            v = v * 8 + (uint32_t)(peek(p, 0) - '0');
            p->at++;
        }
        *e = (escape){ESCAPE_CODE, v};
        return BASE_OK;
    }
    if (!letter) return number_escape(p, e);
    p->at++;
    static const struct {
        char c;
        escape e;
    } simple[] = {
        {'a', {ESCAPE_CODE, 7}},
        {'b', {ESCAPE_CODE, 8}},
        {'B', {ESCAPE_CODE, '\\'}},
        {'e', {ESCAPE_CODE, 27}},
        {'f', {ESCAPE_CODE, 12}},
        {'n', {ESCAPE_CODE, 10}},
        {'r', {ESCAPE_CODE, 13}},
        {'t', {ESCAPE_CODE, 9}},
        {'v', {ESCAPE_CODE, 11}},
        {'d', {ESCAPE_CLASS, 'd'}},
        {'D', {ESCAPE_CLASS, 'D'}},
        {'s', {ESCAPE_CLASS, 's'}},
        {'S', {ESCAPE_CLASS, 'S'}},
        {'w', {ESCAPE_CLASS, 'w'}},
        {'W', {ESCAPE_CLASS, 'W'}},
        {'A', {ESCAPE_ASSERT, RE_TEXT_BEGIN}},
        {'Z', {ESCAPE_ASSERT, RE_TEXT_END}},
        {'m', {ESCAPE_ASSERT, RE_WORD_BEGIN}},
        {'M', {ESCAPE_ASSERT, RE_WORD_END}},
        {'y', {ESCAPE_ASSERT, RE_WORD_EDGE}},
        {'Y', {ESCAPE_ASSERT, RE_NOT_WORD_EDGE}},
    };
    for (size_t i = 0; i < sizeof simple / sizeof simple[0]; i++) {
        if (simple[i].c != c) continue;
        *e = simple[i].e;
        return BASE_OK;
    }
    switch (c) {
    case 'c':
        if (at_end(p)) return bad_escape(p);
        *e = (escape){ESCAPE_CODE, func_utf8_decode(p->in, &p->at) & 037};
        return BASE_OK;
    case 'u':
        return hex_escape(p, 4, 4, e);
    case 'U':
        return hex_escape(p, 8, 8, e);
    case 'x':
        return hex_escape(p, 1, 255, e);
    default:
        return bad_escape(p);
    }
}

// ---- brackets ----

static base_rc not_balanced(parser *p) {
    return re_invalid(p->err, "brackets [] not balanced");
}

// [.x.] [=x=] [:name:] at the bracket: *code, or NO_CODE if a class was added.
static base_rc parse_named(parser *p, re_set *set, uint32_t *code) {
    char kind = peek(p, 1);
    p->at += 2;
    size_t start = p->at;
    while (has(p, 1) && !(peek(p, 0) == kind && peek(p, 1) == ']')) p->at++;
    if (!has(p, 1)) return not_balanced(p);
    base_str name = {p->in.p + start, p->at - start};
    p->at += 2;
    *code = NO_CODE;
    if (kind == ':') {
        bool fold = (p->flags & REGEX_FOLD) != 0;
        if (re_set_add_class(p->re, set, name, fold)) return BASE_OK;
        return re_invalid(p->err, "invalid character class");
    }
    size_t at = 0;
    if (name.n > 0) *code = func_utf8_decode(name, &at);
    if (name.n == 0 || at != name.n) return re_invalid(p->err, "invalid collating element");
    return BASE_OK;
}

// One member or end of a range: *code, or NO_CODE if a class was added.
static base_rc parse_bracket_item(parser *p, re_set *set, uint32_t *code) {
    if (at_end(p)) return not_balanced(p);
    char c = peek(p, 0);
    if (c == '[' && has(p, 1) && strchr(".=:", peek(p, 1)) != NULL) {
        return parse_named(p, set, code);
    }
    if (c == '\\' && p->advanced) {
        p->at++;
        escape e;
        base_rc rc = parse_escape(p, &e);
        if (rc != BASE_OK) return rc;
        if (e.kind == ESCAPE_CLASS) {
            add_class_escape(p, set, (char)e.value);
            *code = NO_CODE;
            return BASE_OK;
        }
        if (e.kind != ESCAPE_CODE) return bad_escape(p);
        *code = e.value;
        return BASE_OK;
    }
    *code = func_utf8_decode(p->in, &p->at);
    return BASE_OK;
}

// After the opening bracket (and ^).
static base_rc parse_bracket_items(parser *p, re_set *set) {
    bool first = true;
    while (!at_end(p)) {
        char c = peek(p, 0);
        if (c == ']' && !first) {
            p->at++;
            return BASE_OK;
        }
        uint32_t lo, hi;
        if (c == '-' && !first && peek(p, 1) != ']') {
            return re_invalid(p->err, "invalid character range");
        }
        base_rc rc = parse_bracket_item(p, set, &lo);
        if (rc != BASE_OK) return rc;
        first = false;
        hi = lo;
        if (peek(p, 0) == '-' && has(p, 1) && peek(p, 1) != ']') {
            if (lo == NO_CODE) return re_invalid(p->err, "invalid character range");
            p->at++;
            rc = parse_bracket_item(p, set, &hi);
            if (rc != BASE_OK) return rc;
            if (hi == NO_CODE || hi < lo) return re_invalid(p->err, "invalid character range");
        }
        if (lo != NO_CODE) re_set_add(p->re, set, lo, hi);
    }
    return not_balanced(p);
}

static base_rc parse_bracket(parser *p, re_node **out) {
    p->at++;
    bool negate = peek(p, 0) == '^';
    if (negate) p->at++;
    re_set *set = re_set_new(p->re);
    uint32_t index = set_index(p);
    base_rc rc = parse_bracket_items(p, set);
    if (rc != BASE_OK) return rc;
    if ((p->flags & REGEX_FOLD) != 0) re_set_fold(p->re, set);
    if (negate) {
        if ((p->flags & REGEX_LINE_STOPS) != 0) re_set_add(p->re, set, '\n', '\n');
        re_set_negate(p->re, set);
    }
    *out = set_node(p, index);
    return BASE_OK;
}

// ---- parts ----

static base_rc parse_choice(parser *p, bool in_group, re_node **out);

static re_node *assert_node(parser *p, uint32_t condition) {
    re_node *node = new_node(p, RE_ASSERT, 0, NULL, NULL);
    node->index = condition;
    return node;
}

static base_rc parse_inner(parser *p, re_node **out) {
    if (++p->depth > NESTING_MAX) {
        return base_fail(p->err, BASE_E_LIMIT, BASE_SQLSTATE_LIMIT,
                         "regular expression is nested too deeply");
    }
    base_rc rc = parse_choice(p, true, out);
    if (rc != BASE_OK) return rc;
    p->depth--;
    if (at_end(p)) return re_invalid(p->err, "parentheses () not balanced");
    p->at++; // the parenthesis
    return BASE_OK;
}

static base_rc parse_look(parser *p, bool behind, bool negative, re_node **out) {
    regex *re = p->re;
    re_node *node;
    p->look_depth++;
    base_rc rc = parse_inner(p, &node);
    p->look_depth--;
    if (rc != BASE_OK) return rc;
    if (re->nlooks == RE_LOOKS_MAX) return re_invalid(p->err, "regular expression is too complex");
    re->looks[re->nlooks] = (re_look){.node = node, .behind = behind, .negative = negative};
    *out = assert_node(p, RE_FIRST_LOOK + re->nlooks++);
    return BASE_OK;
}

static base_rc parse_capture(parser *p, re_node **out) {
    uint32_t number = 0;
    if (p->look_depth == 0) {
        if (p->re->groups == RE_GROUPS_MAX) {
            return re_invalid(p->err, "regular expression is too complex");
        }
        number = ++p->re->groups;
    }
    re_node *node;
    base_rc rc = parse_inner(p, &node);
    if (rc != BASE_OK) return rc;
    if (number > 0) {
        if (node->group != 0) node = new_node(p, RE_WRAP, node->flags, node, NULL);
        node->flags |= RE_CAPTURES;
        node->group = number;
        p->groups[number] = node;
    }
    *out = node;
    return BASE_OK;
}

typedef struct part {
    re_node *node;
    bool condition; // takes no quantifier
    bool capture, reference;
} part;

static base_rc parse_paren(parser *p, part *to) {
    if (!p->advanced || peek(p, 1) != '?') {
        if (peek(p, 1) == '?') return re_invalid(p->err, "quantifier operand invalid");
        p->at++;
        to->capture = p->look_depth == 0;
        return parse_capture(p, &to->node);
    }
    char kind = peek(p, 2), next = peek(p, 3);
    if (kind == ':') {
        p->at += 3;
        return parse_inner(p, &to->node);
    }
    bool behind = kind == '<';
    if (behind) kind = next;
    if (kind != '=' && kind != '!') return re_invalid(p->err, "quantifier operand invalid");
    p->at += behind ? 4 : 3;
    to->condition = true;
    return parse_look(p, behind, kind == '!', &to->node);
}

static base_rc parse_escape_part(parser *p, part *to) {
    p->at++;
    if (!p->advanced) {
        if (at_end(p)) return bad_escape(p);
        to->node = literal_node(p, func_utf8_decode(p->in, &p->at));
        return BASE_OK;
    }
    escape e;
    base_rc rc = parse_escape(p, &e);
    if (rc != BASE_OK) return rc;
    switch (e.kind) {
    case ESCAPE_CODE:
        to->node = literal_node(p, e.value);
        return BASE_OK;
    case ESCAPE_CLASS:
        to->node = class_node(p, (char)e.value);
        return BASE_OK;
    case ESCAPE_ASSERT:
        to->condition = true;
        to->node = assert_node(p, e.value);
        return BASE_OK;
    case ESCAPE_REFER:
        break;
    }
    if (p->look_depth > 0 || e.value > p->re->groups || p->groups[e.value] == NULL) {
        return re_invalid(p->err, "invalid backreference number");
    }
    to->reference = true;
    to->node = new_node(p, RE_REFER, RE_REFERS, NULL, NULL);
    to->node->index = e.value;
    to->node->min = to->node->max = 1;
    p->re->refers = true;
    return BASE_OK;
}

static bool starts_with(const parser *p, const char *text) {
    return p->in.n - p->at >= strlen(text) && memcmp(p->in.p + p->at, text, strlen(text)) == 0;
}

static base_rc parse_part(parser *p, part *to) {
    *to = (part){0};
    bool lines = (p->flags & REGEX_LINE_ANCHORS) != 0;
    char c = peek(p, 0);
    switch (c) {
    case '*':
    case '+':
    case '?':
        return re_invalid(p->err, "quantifier operand invalid");
    case '{':
        if (peek(p, 1) >= '0' && peek(p, 1) <= '9') {
            return re_invalid(p->err, "quantifier operand invalid");
        }
        break;
    case '(':
        return parse_paren(p, to);
    case '^':
    case '$':
        p->at++;
        to->condition = true;
        to->node = assert_node(p, c == '^' ? (lines ? RE_LINE_BEGIN : RE_TEXT_BEGIN)
                                           : (lines ? RE_LINE_END : RE_TEXT_END));
        return BASE_OK;
    case '.':
        p->at++;
        to->node = class_node(p, '.');
        return BASE_OK;
    case '\\':
        return parse_escape_part(p, to);
    case '[':
        if (starts_with(p, "[[:<:]]") || starts_with(p, "[[:>:]]")) {
            to->condition = true;
            to->node = assert_node(p, peek(p, 3) == '<' ? RE_WORD_BEGIN : RE_WORD_END);
            p->at += 7;
            return BASE_OK;
        }
        return parse_bracket(p, &to->node);
    default:
        break;
    }
    to->node = literal_node(p, func_utf8_decode(p->in, &p->at));
    return BASE_OK;
}

// ---- quantifiers ----

typedef struct quantifier {
    int32_t min, max;
    unsigned prefers; // 0: as its operand
} quantifier;

static base_rc bad_count(parser *p) {
    return re_invalid(p->err, "invalid repetition count(s)");
}

static base_rc parse_count(parser *p, int32_t *out) {
    int32_t v = 0;
    if (!(peek(p, 0) >= '0' && peek(p, 0) <= '9')) return bad_count(p);
    while (peek(p, 0) >= '0' && peek(p, 0) <= '9') {
        v = v * 10 + (peek(p, 0) - '0');
        if (v > RE_BOUND_MAX) return bad_count(p);
        p->at++;
    }
    *out = v;
    return BASE_OK;
}

static unsigned parse_greed(parser *p) {
    if (!p->advanced || peek(p, 0) != '?') return RE_LONGER;
    p->at++;
    return RE_SHORTER;
}

static base_rc parse_bound(parser *p, quantifier *q) {
    p->at++;
    base_rc rc = parse_count(p, &q->min);
    if (rc != BASE_OK) return rc;
    q->max = q->min;
    bool range = peek(p, 0) == ',';
    if (range) {
        p->at++;
        q->max = RE_UNBOUNDED;
        if (peek(p, 0) >= '0' && peek(p, 0) <= '9') {
            rc = parse_count(p, &q->max);
            if (rc != BASE_OK) return rc;
            if (q->max < q->min) return bad_count(p);
        }
    }
    if (at_end(p)) return re_invalid(p->err, "braces {} not balanced");
    if (peek(p, 0) != '}') return bad_count(p);
    p->at++;
    unsigned greed = parse_greed(p);
    q->prefers = range ? greed : 0;
    return BASE_OK;
}

static base_rc parse_quantifier(parser *p, quantifier *q) {
    *q = (quantifier){1, 1, 0};
    skip_ignored(p);
    char c = peek(p, 0);
    if (c == '{' && peek(p, 1) >= '0' && peek(p, 1) <= '9') return parse_bound(p, q);
    if (at_end(p) || (c != '*' && c != '+' && c != '?')) return BASE_OK;
    p->at++;
    q->min = c == '+';
    q->max = c == '?' ? 1 : RE_UNBOUNDED;
    q->prefers = parse_greed(p);
    return BASE_OK;
}

// ---- branches ----

// The part with its quantifier, as it is taken apart.
static re_node *quantified(parser *p, const part *of, quantifier q) {
    re_node *node = of->node;
    unsigned f = combine(q.prefers, node->flags), own = node->flags & 7u;
    if (of->reference) {
        node->min = q.min;
        node->max = q.max;
        node->flags |= f;
        return node;
    }
    if (q.min == 1 && q.max == 1 && (q.prefers == 0 || own == 0 || q.prefers == own)) return node;
    if ((node->flags & (RE_CAPTURES | RE_REFERS)) == 0) {
        return repeat_node(p, node, q.min, q.max, f);
    }
    if (q.min > 0 && (node->flags & RE_REFERS) == 0) {
        // Only the last round's groups count: the rounds before it are one simple part.
        int32_t most = q.max == RE_UNBOUNDED ? q.max : q.max - 1;
        re_node *before = repeat_node(p, node, q.min - 1, most, preference(f));
        return new_node(p, RE_CAT, f, before, node);
    }
    return repeat_node(p, node, q.min, q.max, f);
}

static bool branch_ends(parser *p, bool in_group) {
    skip_ignored(p);
    return at_end(p) || peek(p, 0) == '|' || (in_group && peek(p, 0) == ')');
}

static base_rc parse_branch(parser *p, bool in_group, re_node **out) {
    re_node *prefix = NULL;
    unsigned flags = 0; // of the prefix
    while (!branch_ends(p, in_group)) {
        if (peek(p, 0) == ')' && p->advanced) {
            return re_invalid(p->err, "parentheses () not balanced");
        }
        part item;
        quantifier q;
        base_rc rc = parse_part(p, &item);
        if (rc != BASE_OK) return rc;
        if (item.condition) {
            prefix = append(p, prefix, item.node);
            continue;
        }
        rc = parse_quantifier(p, &q);
        if (rc != BASE_OK) return rc;
        if (q.max == 0) continue;
        unsigned f = flags | q.prefers | item.node->flags;
        if (!item.capture && !item.reference && (up(f) & RE_MESSY) == 0) {
            bool once = q.min == 1 && q.max == 1;
            prefix =
                append(p, prefix, once ? item.node : repeat_node(p, item.node, q.min, q.max, 0));
            flags = f;
            continue;
        }
        unsigned whole = combine(q.prefers, item.node->flags);
        re_node *tail = quantified(p, &item, q);
        if (!branch_ends(p, in_group)) {
            re_node *rest;
            if (++p->depth > NESTING_MAX * 4) {
                return re_invalid(p->err, "regular expression is too complex");
            }
            rc = parse_branch(p, in_group, &rest);
            if (rc != BASE_OK) return rc;
            p->depth--;
            tail = new_node(p, RE_CAT, whole | combine(whole, rest->flags), tail, rest);
        }
        if (prefix == NULL) {
            *out = tail;
            return BASE_OK;
        }
        if (prefix->group != 0) prefix = new_node(p, RE_WRAP, 0, prefix, NULL);
        prefix->flags = flags;
        *out = new_node(p, RE_CAT, flags | combine(flags, tail->flags), prefix, tail);
        return BASE_OK;
    }
    if (prefix == NULL) prefix = new_node(p, RE_EMPTY, 0, NULL, NULL);
    // The node may be shared with what it was made of: its flags are this branch's.
    if (prefix->flags != flags) prefix = new_node(p, RE_WRAP, flags, prefix, NULL);
    *out = prefix;
    return BASE_OK;
}

static base_rc parse_choice(parser *p, bool in_group, re_node **out) {
    re_node *first;
    base_rc rc = parse_branch(p, in_group, &first);
    if (rc != BASE_OK || peek(p, 0) != '|') {
        *out = first;
        return rc;
    }
    re_node *last = NULL;
    unsigned flags = RE_LONGER | up(RE_LONGER | first->flags);
    re_node *top = new_node(p, RE_ALT, 0, first, NULL);
    last = top;
    while (peek(p, 0) == '|') {
        p->at++;
        re_node *branch;
        rc = parse_branch(p, in_group, &branch);
        if (rc != BASE_OK) return rc;
        flags |= up(flags | branch->flags);
        if (last->b != NULL) {
            last->b = new_node(p, RE_ALT, 0, last->b, NULL);
            last = last->b;
        }
        last->b = branch;
    }
    for (re_node *node = top;; node = node->b) {
        node->flags = flags;
        if (node == last) break;
    }
    *out = top;
    return BASE_OK;
}

// ---- the whole ----

static base_rc parse_options(parser *p) {
    if (!p->advanced || peek(p, 0) != '(' || peek(p, 1) != '?') return BASE_OK;
    char c = peek(p, 2);
    if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))) return BASE_OK;
    p->at += 2;
    for (; (c = peek(p, 0)) != '\0' && c != ')'; p->at++) {
        switch (c) {
        case 'c':
            p->flags &= ~(unsigned)REGEX_FOLD;
            break;
        case 'i':
            p->flags |= REGEX_FOLD;
            break;
        case 'm':
        case 'n':
            p->flags |= REGEX_LINE_STOPS | REGEX_LINE_ANCHORS;
            break;
        case 'p':
            p->flags |= REGEX_LINE_STOPS;
            p->flags &= ~(unsigned)REGEX_LINE_ANCHORS;
            break;
        case 's':
            p->flags &= ~(unsigned)(REGEX_LINE_STOPS | REGEX_LINE_ANCHORS);
            break;
        case 'w':
            p->flags &= ~(unsigned)REGEX_LINE_STOPS;
            p->flags |= REGEX_LINE_ANCHORS;
            break;
        case 't':
            p->flags &= ~(unsigned)REGEX_EXPANDED;
            break;
        case 'x':
            p->flags |= REGEX_EXPANDED;
            break;
        case 'q':
            p->flags |= REGEX_LITERAL;
            break;
        case 'e':
            p->advanced = false;
            break;
        case 'b':
            return base_fail(p->err, BASE_E_UNSUPPORTED, NULL,
                             "basic regular expressions are not supported");
        default:
            return re_invalid(p->err, "invalid embedded option");
        }
    }
    if (c != ')') return re_invalid(p->err, "invalid embedded option");
    p->at++;
    return BASE_OK;
}

static base_rc parse_prefixes(parser *p) {
    if (starts_with(p, "***")) {
        char kind = peek(p, 3);
        if (kind == '=') {
            p->flags |= REGEX_LITERAL;
        } else if (kind != ':') {
            return re_invalid(p->err, "quantifier operand invalid");
        }
        p->advanced = true;
        p->at += 4;
        if (kind == '=') return BASE_OK;
    }
    return parse_options(p);
}

base_rc re_parse(regex *re, base_str pattern, unsigned flags, base_error *err) {
    if (pattern.n > PATTERN_BYTES_MAX) {
        return base_fail(err, BASE_E_LIMIT, BASE_SQLSTATE_LIMIT,
                         "regular expression is longer than %u bytes", PATTERN_BYTES_MAX);
    }
    parser p = {.re = re,
                .in = pattern,
                .flags = flags,
                .advanced = (flags & REGEX_NOT_ADVANCED) == 0,
                .err = err};
    p.groups = base_arena_array(&re->arena, re_node *, RE_GROUPS_MAX + 1);
    re->group_nodes = p.groups;
    base_rc rc = BASE_OK;
    if ((p.flags & REGEX_LITERAL) == 0) rc = parse_prefixes(&p);
    if (rc != BASE_OK) return rc;
    if ((p.flags & REGEX_LITERAL) != 0) {
        re_node *all = NULL;
        while (!at_end(&p)) {
            all = append(&p, all, literal_node(&p, func_utf8_decode(p.in, &p.at)));
        }
        re->root = all != NULL ? all : new_node(&p, RE_EMPTY, 0, NULL, NULL);
        return BASE_OK;
    }
    rc = parse_choice(&p, false, &re->root);
    if (rc == BASE_OK && !at_end(&p)) rc = re_invalid(err, "parentheses () not balanced");
    return rc;
}
