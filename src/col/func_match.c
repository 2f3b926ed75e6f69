// func_match.c - LIKE and ILIKE. A pattern is prepared once for each run of rows that have the same
// one (most often: once a batch). Regular expressions: func_regex.c.
#include "base/must.h"
#include "col/func_text_int.h"

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

static size_t past_one(base_str s, size_t at, bool bytes) {
    at += bytes ? 1 : func_utf8_len((uint8_t)s.p[at]);
    return at > s.n ? s.n : at;
}

// Backtracks to the last % only: enough, because an earlier % can always take as little as it did.
base_rc func_like(base_str s, base_str p, bool bytes, bool *match, base_error *err) {
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
            si = past_one(s, si, bytes);
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
        si = back_s = past_one(s, back_s, bytes);
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
    return func_like(s, text, false, match, err);
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

#define T COL_TEXT
#define S COL_FUNC_STRICT

static const col_func rows[] = {
    {"~~", 2, {T, T}, COL_BOOL, S, like, NULL},
    {"!~~", 2, {T, T}, COL_BOOL, S, not_like, NULL},
    {"~~*", 2, {T, T}, COL_BOOL, S, ilike, NULL},
    {"!~~*", 2, {T, T}, COL_BOOL, S, not_ilike, NULL},
    {"like_escape", 2, {T, T}, T, S, like_escape, NULL},
};
FUNC_TABLE(func_match_table, rows);
