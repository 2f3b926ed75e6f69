// func_match.c - LIKE, ILIKE and regular expressions. A pattern is prepared once for each run of
// rows that have the same one (most often: once a batch).
// Regular expressions are the C library's POSIX extended ones, run in its UTF-8 locale;
// PostgreSQL's escapes (\d \s \w \m \M \y ...), (?:...) and a leading (?i) are translated.
// Lookaround, lazy quantifiers and back references in patterns are refused (0A000). Patterns are
// bounded in length, nesting and repetition, because compiled size grows with their product.
#include <regex.h>
#include <stdlib.h>

#include "base/must.h"
#include "col/func_text_int.h"

#define PATTERN_BYTES_MAX 4096
#define NESTING_MAX       64
#define REPEAT_MAX        255   // PostgreSQL's own limit
#define REPEAT_WEIGHT_MAX 20000 // product of nested repetitions

// ---- LIKE ----

typedef enum like_form {
    LIKE_GENERAL,
    LIKE_EXACT,    // no wildcard
    LIKE_PREFIX,   // text%
    LIKE_SUFFIX,   // %text
    LIKE_CONTAINS, // %text%
} like_form;

typedef struct like_pattern {
    base_str source; // as given
    base_str text;   // lower case for ILIKE; without escapes unless GENERAL
    like_form form;
} like_pattern;

static void like_prepare(base_arena *arena, base_str source, bool fold, like_pattern *pattern) {
    base_str s = fold ? func_lower(arena, source) : source;
    char *plain = base_arena_alloc(arena, s.n + 1);
    size_t length = 0;
    bool starts = s.n > 0 && s.p[0] == '%', ends = false, simple = true;
    for (size_t i = starts ? 1 : 0; i < s.n; i++) {
        char c = s.p[i];
        if (c == '\\') {
            if (i + 1 == s.n) { // an error only where a row's match gets that far
                simple = false;
                break;
            }
            c = s.p[++i];
        } else if (c == '%' && i + 1 == s.n) {
            ends = true;
            break;
        } else if (c == '%' || c == '_') {
            simple = false;
        }
        plain[length++] = c;
    }
    pattern->source = source;
    if (!simple) {
        pattern->form = LIKE_GENERAL;
        pattern->text = s;
        return;
    }
    pattern->text = (base_str){plain, length};
    pattern->form = starts && (ends || s.n == 1) ? LIKE_CONTAINS
                    : starts                     ? LIKE_SUFFIX
                    : ends                       ? LIKE_PREFIX
                                                 : LIKE_EXACT;
}

// Backtracks to the last % only: enough, because an earlier % can always take as little as it did.
static base_rc like_general(base_str s, base_str p, bool *match, base_error *err) {
    size_t si = 0, pi = 0, back_s = 0, back_p = 0;
    bool may_go_back = false;
    for (;;) {
        if (pi < p.n && p.p[pi] == '%') {
            back_p = ++pi;
            back_s = si;
            may_go_back = true;
            continue;
        }
        if (si == s.n) {
            *match = pi == p.n;
            return BASE_OK;
        }
        if (pi < p.n && p.p[pi] == '_') {
            si += func_utf8_len((uint8_t)s.p[si]);
            if (si > s.n) si = s.n;
            pi++;
            continue;
        }
        size_t literal = pi < p.n && p.p[pi] == '\\' ? pi + 1 : pi;
        if (literal > pi && literal == p.n) {
            return base_fail(err, BASE_E_INVALID, "22025",
                             "LIKE pattern must not end with escape character");
        }
        if (literal < p.n && p.p[literal] == s.p[si]) {
            si++;
            pi = literal + 1;
            continue;
        }
        if (!may_go_back) {
            *match = false;
            return BASE_OK;
        }
        back_s += func_utf8_len((uint8_t)s.p[back_s]);
        if (back_s > s.n) back_s = s.n;
        si = back_s;
        pi = back_p;
    }
}

static base_rc like_match(const like_pattern *pattern, base_str s, bool *match, base_error *err) {
    base_str text = pattern->text;
    switch (pattern->form) {
    case LIKE_EXACT:
        *match = base_str_eq(s, text);
        return BASE_OK;
    case LIKE_PREFIX:
        *match = base_str_starts(s, text);
        return BASE_OK;
    case LIKE_SUFFIX:
        *match = s.n >= text.n && base_str_eq((base_str){s.p + (s.n - text.n), text.n}, text);
        return BASE_OK;
    case LIKE_CONTAINS:
        *match = text.n == 0 || (s.n >= text.n && memmem(s.p, s.n, text.p, text.n) != NULL);
        return BASE_OK;
    case LIKE_GENERAL:
        break;
    }
    return like_general(s, text, match, err);
}

static base_rc like_rows(col_func_ctx *ctx, uint32_t n, const col_vec *const *args, col_vec *out,
                         bool fold, bool want) {
    like_pattern pattern;
    bool prepared = false;
    base_error e;
    FUNC_EACH(i) {
        base_str s = col_str(args[0])[i], p = col_str(args[1])[i];
        if (!prepared || !base_str_eq(pattern.source, p)) {
            like_prepare(ctx->arena, p, fold, &pattern);
            prepared = true;
        }
        if (fold) s = func_lower(ctx->arena, s);
        bool match = false;
        FUNC_ROW_CALL(like_match(&pattern, s, &match, &e));
        col_u8(out)[i] = match == want;
    }
    return BASE_OK;
}

FUNC_KERNEL(like) {
    FUNC_UNUSED;
    return like_rows(ctx, n, args, out, false, true);
}

FUNC_KERNEL(not_like) {
    FUNC_UNUSED;
    return like_rows(ctx, n, args, out, false, false);
}

FUNC_KERNEL(ilike) {
    FUNC_UNUSED;
    return like_rows(ctx, n, args, out, true, true);
}

FUNC_KERNEL(not_ilike) {
    FUNC_UNUSED;
    return like_rows(ctx, n, args, out, true, false);
}

// like_escape(pattern, escape): the pattern with backslash as its escape (LIKE ... ESCAPE).
FUNC_KERNEL(like_escape) {
    FUNC_UNUSED;
    FUNC_EACH(i) {
        base_str p = col_str(args[0])[i], escape = col_str(args[1])[i];
        if (func_utf8_count(escape) > 1) {
            base_error e;
            base_fail(&e, BASE_E_INVALID, "22025", "invalid escape string");
            base_error_hint(&e, "Escape string must be empty or one character.");
            FUNC_TOLERATE(func_row_error(ctx, out, i, &e));
            continue;
        }
        if (escape.n == 1 && escape.p[0] == '\\') {
            col_str(out)[i] = p;
            continue;
        }
        char *to = base_arena_alloc(ctx->arena, p.n * 2);
        size_t length = 0;
        for (size_t at = 0; at < p.n;) {
            if (escape.n > 0 && p.n - at >= escape.n && memcmp(p.p + at, escape.p, escape.n) == 0) {
                to[length++] = '\\';
                at += escape.n;
                if (at < p.n) to[length++] = p.p[at++];
                continue;
            }
            if (p.p[at] == '\\') to[length++] = '\\';
            to[length++] = p.p[at++];
        }
        col_str(out)[i] = (base_str){to, length};
    }
    return BASE_OK;
}

// ---- regular expressions ----

typedef struct regex_translation {
    base_str in;
    size_t at;
    base_buf out;
    base_error *err;
    bool fold;
    int depth;
    double weight[NESTING_MAX + 1]; // largest product of repetitions inside each open group
} regex_translation;

static base_rc refuse(regex_translation *t, const char *what) {
    return base_fail(t->err, BASE_E_UNSUPPORTED, NULL, "%s in a regular expression", what);
}

static base_rc invalid(base_error *err, const char *what) {
    return base_fail(err, BASE_E_INVALID, "2201B", "invalid regular expression: %s", what);
}

// The text of a class escape inside brackets, or NULL.
static const char *class_escape(char c) {
    switch (c) {
    case 'd':
        return "[:digit:]";
    case 's':
        return "[:space:]";
    case 'w':
        return "[:alnum:]_";
    default:
        return NULL;
    }
}

static char control_escape(char c) {
    switch (c) {
    case 'n':
        return '\n';
    case 't':
        return '\t';
    case 'r':
        return '\r';
    case 'f':
        return '\f';
    case 'v':
        return '\v';
    default:
        return 0;
    }
}

// [...]: POSIX has no escapes in there, so that ] must move to the front and - and ^ to the end.
static base_rc translate_bracket(regex_translation *t) {
    base_str in = t->in;
    size_t i = t->at + 1;
    bool close = false, dash = false, caret = false, negate = false;
    base_buf items = {0};
    if (i < in.n && in.p[i] == '^') {
        negate = true;
        i++;
    }
    bool first = true;
    for (; i < in.n && (first || in.p[i] != ']'); i++, first = false) {
        char c = in.p[i];
        if (c == ']') {
            close = true;
        } else if (c == '\\' && i + 1 < in.n) {
            c = in.p[++i];
            const char *class_text = class_escape(c);
            if (class_text != NULL) {
                base_buf_add_cstr(&items, class_text);
            } else if (control_escape(c) != 0) {
                base_buf_add_byte(&items, (uint8_t)control_escape(c));
            } else if (c == ']') {
                close = true;
            } else if (c == '-') {
                dash = true;
            } else if (c == '^') {
                caret = true;
            } else {
                base_buf_add_byte(&items, (uint8_t)c);
            }
        } else if (c == '[' && i + 1 < in.n &&
                   (in.p[i + 1] == ':' || in.p[i + 1] == '.' || in.p[i + 1] == '=')) {
            char kind = in.p[i + 1];
            size_t end = i + 2;
            while (end + 1 < in.n && !(in.p[end] == kind && in.p[end + 1] == ']')) end++;
            if (end + 1 >= in.n) break;
            base_buf_add(&items, in.p + i, end + 2 - i);
            i = end + 1;
        } else {
            base_buf_add_byte(&items, (uint8_t)c);
        }
    }
    base_rc rc = BASE_OK;
    if (i >= in.n) {
        rc = invalid(t->err, "brackets [] not balanced");
    } else {
        bool lone_caret = caret && items.n == 0 && !close && !dash && !negate;
        base_buf_add_cstr(&t->out, lone_caret ? "\\^" : negate ? "[^" : "[");
        if (!lone_caret) {
            if (close) base_buf_add_byte(&t->out, ']');
            base_buf_add(&t->out, items.p, items.n);
            if (caret && items.n == 0 && !close && dash && !negate) {
                base_buf_add_cstr(&t->out, "-^");
            } else {
                if (caret) base_buf_add_byte(&t->out, '^');
                if (dash) base_buf_add_byte(&t->out, '-');
            }
            base_buf_add_byte(&t->out, ']');
        }
        t->at = i + 1;
    }
    base_buf_deinit(&items);
    return rc;
}

static base_rc translate_escape(regex_translation *t) {
    if (t->at + 1 >= t->in.n) return invalid(t->err, "invalid escape \\ sequence");
    char c = t->in.p[t->at + 1];
    t->at += 2;
    switch (c) {
    case 'd':
        base_buf_add_cstr(&t->out, "[[:digit:]]");
        return BASE_OK;
    case 'D':
        base_buf_add_cstr(&t->out, "[^[:digit:]]");
        return BASE_OK;
    case 's':
        base_buf_add_cstr(&t->out, "[[:space:]]");
        return BASE_OK;
    case 'S':
        base_buf_add_cstr(&t->out, "[^[:space:]]");
        return BASE_OK;
    case 'w':
        base_buf_add_cstr(&t->out, "[[:alnum:]_]");
        return BASE_OK;
    case 'W':
        base_buf_add_cstr(&t->out, "[^[:alnum:]_]");
        return BASE_OK;
    case 'm':
        base_buf_add_cstr(&t->out, "\\<");
        return BASE_OK;
    case 'M':
        base_buf_add_cstr(&t->out, "\\>");
        return BASE_OK;
    case 'y':
        base_buf_add_cstr(&t->out, "\\b");
        return BASE_OK;
    case 'Y':
        base_buf_add_cstr(&t->out, "\\B");
        return BASE_OK;
    case 'A':
        base_buf_add_byte(&t->out, '^');
        return BASE_OK;
    case 'Z':
        base_buf_add_byte(&t->out, '$');
        return BASE_OK;
    default:
        break;
    }
    if (c >= '1' && c <= '9') return refuse(t, "a back reference");
    if (control_escape(c) != 0) {
        base_buf_add_byte(&t->out, (uint8_t)control_escape(c));
        return BASE_OK;
    }
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '0') {
        return invalid(t->err, "invalid escape \\ sequence");
    }
    base_buf_add_byte(&t->out, '\\');
    base_buf_add_byte(&t->out, (uint8_t)c);
    return BASE_OK;
}

// {m}, {m,}, {m,n}: bounded, and nested ones by their product.
static base_rc translate_bound(regex_translation *t) {
    size_t i = t->at + 1;
    unsigned bounds[2] = {0, 0};
    int count = 0;
    while (i < t->in.n && count < 2) {
        if (t->in.p[i] < '0' || t->in.p[i] > '9') break;
        while (i < t->in.n && t->in.p[i] >= '0' && t->in.p[i] <= '9') {
            bounds[count] = bounds[count] * 10 + (unsigned)(t->in.p[i++] - '0');
            if (bounds[count] > REPEAT_MAX) return invalid(t->err, "invalid repetition count(s)");
        }
        count++;
        if (count < 2 && i < t->in.n && t->in.p[i] == ',') i++;
    }
    if (i >= t->in.n || t->in.p[i] != '}' || count == 0) {
        return invalid(t->err, "invalid repetition count(s)");
    }
    unsigned most = bounds[0] > bounds[1] ? bounds[0] : bounds[1];
    t->weight[t->depth] *= most > 1 ? most : 1;
    if (t->weight[t->depth] > REPEAT_WEIGHT_MAX) {
        return base_fail(t->err, BASE_E_LIMIT, BASE_SQLSTATE_LIMIT,
                         "regular expression is too complex");
    }
    base_buf_add(&t->out, t->in.p + t->at, i + 1 - t->at);
    t->at = i + 1;
    return BASE_OK;
}

static base_rc translate_group(regex_translation *t) {
    if (t->depth == NESTING_MAX) {
        return base_fail(t->err, BASE_E_LIMIT, BASE_SQLSTATE_LIMIT,
                         "regular expression is nested too deeply");
    }
    t->at++;
    if (t->at < t->in.n && t->in.p[t->at] == '?') {
        if (t->at + 1 >= t->in.n || t->in.p[t->at + 1] != ':') return refuse(t, "lookaround");
        t->at += 2;
    }
    t->weight[++t->depth] = 1;
    base_buf_add_byte(&t->out, '(');
    return BASE_OK;
}

static base_rc translate_quantifier(regex_translation *t) {
    base_rc rc = BASE_OK;
    if (t->in.p[t->at] == '{') {
        rc = translate_bound(t);
    } else {
        base_buf_add_byte(&t->out, (uint8_t)t->in.p[t->at++]);
    }
    if (rc != BASE_OK || t->at >= t->in.n) return rc;
    char next = t->in.p[t->at];
    if (next == '?') return refuse(t, "a lazy quantifier");
    if (next == '*' || next == '+') return invalid(t->err, "quantifier operand invalid");
    return BASE_OK;
}

static base_rc translate(regex_translation *t) {
    if (t->in.n > PATTERN_BYTES_MAX) {
        return base_fail(t->err, BASE_E_LIMIT, BASE_SQLSTATE_LIMIT,
                         "regular expression is longer than %d bytes", PATTERN_BYTES_MAX);
    }
    if (base_str_starts(t->in, BASE_STR("(?i)"))) {
        t->fold = true;
        t->at = 4;
    }
    t->weight[0] = 1;
    base_rc rc = BASE_OK;
    while (rc == BASE_OK && t->at < t->in.n) {
        char c = t->in.p[t->at];
        switch (c) {
        case '\\':
            rc = translate_escape(t);
            break;
        case '[':
            rc = translate_bracket(t);
            break;
        case '(':
            rc = translate_group(t);
            break;
        case ')':
            if (t->depth == 0) return invalid(t->err, "parentheses () not balanced");
            t->depth--;
            if (t->weight[t->depth] < t->weight[t->depth + 1]) {
                t->weight[t->depth] = t->weight[t->depth + 1];
            }
            base_buf_add_byte(&t->out, ')');
            t->at++;
            break;
        case '*':
        case '+':
        case '?':
            rc = translate_quantifier(t);
            break;
        case '{':
            rc = translate_quantifier(t);
            break;
        default:
            base_buf_add_byte(&t->out, (uint8_t)c);
            t->at++;
            break;
        }
    }
    if (rc == BASE_OK && t->depth != 0) return invalid(t->err, "parentheses () not balanced");
    return rc;
}

typedef struct regex_cache {
    base_str source;
    bool fold;
    bool compiled;
    bool whole_groups; // no (?:...): group numbers are the pattern's own
    regex_t regex;
    locale_t old_locale;
} regex_cache;

static void regex_begin(regex_cache *cache) {
    *cache = (regex_cache){0};
    locale_t locale = func_utf8_locale();
    cache->old_locale = locale != (locale_t)0 ? uselocale(locale) : (locale_t)0;
}

static void regex_end(regex_cache *cache) {
    if (cache->compiled) regfree(&cache->regex);
    if (cache->old_locale != (locale_t)0) uselocale(cache->old_locale);
}

// In PostgreSQL's words.
static const char *regex_message(int status) {
    switch (status) {
    case REG_BADRPT:
        return "quantifier operand invalid";
    case REG_EBRACK:
        return "brackets [] not balanced";
    case REG_EPAREN:
        return "parentheses () not balanced";
    case REG_BADBR:
    case REG_EBRACE:
        return "invalid repetition count(s)";
    case REG_ERANGE:
        return "invalid character range";
    case REG_ECTYPE:
        return "invalid character class";
    case REG_ECOLLATE:
        return "invalid collating element";
    case REG_EESCAPE:
        return "invalid escape \\ sequence";
    case REG_ESPACE:
        return "out of memory";
    default:
        return "invalid regexp";
    }
}

static base_rc regex_prepare(regex_cache *cache, base_str source, bool fold, base_error *err) {
    if (cache->compiled && cache->fold == fold && base_str_eq(cache->source, source)) {
        return BASE_OK;
    }
    if (cache->compiled) regfree(&cache->regex);
    cache->compiled = false;
    regex_translation t = {.in = source, .err = err, .fold = fold};
    base_rc rc = translate(&t);
    if (rc == BASE_OK) {
        int status =
            regcomp(&cache->regex, base_buf_cstr(&t.out), REG_EXTENDED | (t.fold ? REG_ICASE : 0));
        if (status != 0) {
            rc = invalid(err, regex_message(status));
        } else {
            cache->compiled = true;
            cache->source = source;
            cache->fold = fold;
            cache->whole_groups = source.n == 0 || memmem(source.p, source.n, "(?:", 3) == NULL;
        }
    }
    base_buf_deinit(&t.out);
    return rc;
}

static bool regex_find(const regex_cache *cache, base_str s, size_t from, size_t nmatch,
                       regmatch_t *match) {
    regmatch_t local[1];
    regmatch_t *m = nmatch == 0 ? local : match;
    m[0].rm_so = (regoff_t)from;
    m[0].rm_eo = (regoff_t)s.n;
    int flags = REG_STARTEND | (from > 0 ? REG_NOTBOL : 0);
    return regexec(&cache->regex, s.n == 0 ? "" : s.p, nmatch, m, flags) == 0;
}

static base_rc regex_rows(col_func_ctx *ctx, uint32_t n, const col_vec *const *args, col_vec *out,
                          bool fold, bool want) {
    regex_cache cache;
    regex_begin(&cache);
    base_error e;
    base_rc rc = BASE_OK;
    for (uint32_t i = 0; i < n && rc == BASE_OK; i++) {
        if (col_is_null(out, i)) continue;
        if (regex_prepare(&cache, col_str(args[1])[i], fold, &e) != BASE_OK) {
            rc = func_row_error(ctx, out, i, &e);
        } else {
            col_u8(out)[i] = regex_find(&cache, col_str(args[0])[i], 0, 0, NULL) == want;
        }
    }
    regex_end(&cache);
    return rc;
}

FUNC_KERNEL(regex_match) {
    FUNC_UNUSED;
    return regex_rows(ctx, n, args, out, false, true);
}

FUNC_KERNEL(regex_not_match) {
    FUNC_UNUSED;
    return regex_rows(ctx, n, args, out, false, false);
}

FUNC_KERNEL(regex_imatch) {
    FUNC_UNUSED;
    return regex_rows(ctx, n, args, out, true, true);
}

FUNC_KERNEL(regex_not_imatch) {
    FUNC_UNUSED;
    return regex_rows(ctx, n, args, out, true, false);
}

// substring(text, pattern): the first group, or the whole match; null if there is none.
FUNC_KERNEL(regex_substring) {
    FUNC_UNUSED;
    regex_cache cache;
    regex_begin(&cache);
    base_error e;
    base_rc rc = BASE_OK;
    for (uint32_t i = 0; i < n && rc == BASE_OK; i++) {
        if (col_is_null(out, i)) continue;
        base_str s = col_str(args[0])[i];
        rc = regex_prepare(&cache, col_str(args[1])[i], false, &e);
        if (rc == BASE_OK && !cache.whole_groups) {
            rc = base_fail(&e, BASE_E_UNSUPPORTED, NULL, "(?:) in a pattern whose groups count");
        }
        if (rc != BASE_OK) {
            rc = func_row_error(ctx, out, i, &e);
            continue;
        }
        regmatch_t match[2];
        bool found = regex_find(&cache, s, 0, 2, match);
        const regmatch_t *m = cache.regex.re_nsub > 0 ? &match[1] : &match[0];
        if (!found || m->rm_so < 0) {
            col_vec_set_null(out, ctx->arena, i);
        } else {
            col_str(out)[i] =
                (base_str){s.n == 0 ? "" : s.p + m->rm_so, (size_t)(m->rm_eo - m->rm_so)};
        }
    }
    regex_end(&cache);
    return rc;
}

static void add_replacement(base_buf *buf, base_str with, base_str s, const regmatch_t *match) {
    for (size_t i = 0; i < with.n; i++) {
        char c = with.p[i];
        if (c != '\\' || i + 1 == with.n) {
            base_buf_add_byte(buf, (uint8_t)c);
            continue;
        }
        c = with.p[++i];
        int group = c == '&' ? 0 : c >= '1' && c <= '9' ? c - '0' : -1;
        if (group < 0) {
            if (c != '\\') base_buf_add_byte(buf, '\\');
            base_buf_add_byte(buf, (uint8_t)c);
        } else if (match[group].rm_so >= 0) {
            base_buf_add(buf, s.p + match[group].rm_so,
                         (size_t)(match[group].rm_eo - match[group].rm_so));
        }
    }
}

static base_rc replace_matches(const regex_cache *cache, base_str s, base_str with, bool all,
                               base_buf *buf, base_error *err) {
    size_t at = 0;
    while (at <= s.n) {
        regmatch_t match[10];
        if (!regex_find(cache, s, at, 10, match)) break;
        size_t begin = (size_t)match[0].rm_so, end = (size_t)match[0].rm_eo;
        if (begin > at) base_buf_add(buf, s.p + at, begin - at);
        add_replacement(buf, with, s, match);
        if (buf->n > FUNC_VALUE_BYTES_MAX) {
            return base_fail(err, BASE_E_LIMIT, BASE_SQLSTATE_LIMIT, "requested length too large");
        }
        at = end;
        if (end == begin) { // an empty match: step over one character
            if (at == s.n) return BASE_OK;
            size_t length = func_utf8_len((uint8_t)s.p[at]);
            if (!all) break;
            base_buf_add(buf, s.p + at, length);
            at += length;
        }
        if (!all) break;
    }
    if (at < s.n) base_buf_add(buf, s.p + at, s.n - at);
    return BASE_OK;
}

static base_rc replace_flags(base_str flags, bool *all, bool *fold, base_error *err) {
    *all = *fold = false;
    for (size_t i = 0; i < flags.n; i++) {
        if (flags.p[i] == 'g') {
            *all = true;
        } else if (flags.p[i] == 'i') {
            *fold = true;
        } else if (flags.p[i] == 'c') {
            *fold = false;
        } else {
            return base_fail(err, BASE_E_INVALID, NULL, "invalid regular expression option: \"%c\"",
                             flags.p[i]);
        }
    }
    return BASE_OK;
}

// regexp_replace(text, pattern, replacement [, flags])
FUNC_KERNEL(regex_replace) {
    FUNC_UNUSED;
    size_t budget = FUNC_BATCH_BYTES_MAX;
    regex_cache cache;
    regex_begin(&cache);
    base_buf buf = {0};
    base_error e;
    base_rc rc = BASE_OK;
    for (uint32_t i = 0; i < n && rc == BASE_OK; i++) {
        if (col_is_null(out, i)) continue;
        bool all = false, fold = false;
        base_str with = col_str(args[2])[i];
        base_buf_clear(&buf);
        rc = nargs > 3 ? replace_flags(col_str(args[3])[i], &all, &fold, &e) : BASE_OK;
        if (rc == BASE_OK) rc = regex_prepare(&cache, col_str(args[1])[i], fold, &e);
        if (rc == BASE_OK && !cache.whole_groups && with.n > 0 &&
            memchr(with.p, '\\', with.n) != NULL) {
            rc = base_fail(&e, BASE_E_UNSUPPORTED, NULL, "(?:) in a pattern whose groups count");
        }
        if (rc == BASE_OK) rc = replace_matches(&cache, col_str(args[0])[i], with, all, &buf, &e);
        rc = rc == BASE_OK ? func_put_text(ctx, &budget, &buf, out, i)
                           : func_row_error(ctx, out, i, &e);
    }
    base_buf_deinit(&buf);
    regex_end(&cache);
    return rc;
}

#define T COL_TEXT
#define S COL_FUNC_STRICT

static const col_func rows[] = {
    {"~~", 2, {T, T}, COL_BOOL, S, like, NULL},
    {"!~~", 2, {T, T}, COL_BOOL, S, not_like, NULL},
    {"~~*", 2, {T, T}, COL_BOOL, S, ilike, NULL},
    {"!~~*", 2, {T, T}, COL_BOOL, S, not_ilike, NULL},
    {"like_escape", 2, {T, T}, T, S, like_escape, NULL},
    {"~", 2, {T, T}, COL_BOOL, S, regex_match, NULL},
    {"!~", 2, {T, T}, COL_BOOL, S, regex_not_match, NULL},
    {"~*", 2, {T, T}, COL_BOOL, S, regex_imatch, NULL},
    {"!~*", 2, {T, T}, COL_BOOL, S, regex_not_imatch, NULL},
    {"substring", 2, {T, T}, T, S, regex_substring, NULL},
    {"regexp_replace", 3, {T, T, T}, T, S, regex_replace, NULL},
    {"regexp_replace", 4, {T, T, T, T}, T, S, regex_replace, NULL},
};
FUNC_TABLE(func_match_table, rows);
