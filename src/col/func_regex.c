// func_regex.c - the operators and functions of regular expressions: ~ and its kin, substring,
// regexp_replace, _match, _split_to_array, _count, _instr, _like, _substr, and SIMILAR TO. A
// pattern is compiled once for each run of rows that have the same (most often: once a batch).
// Source: PostgreSQL 15 documentation, 9.7.2 and 9.7.3. The engine: regex.h.
#include "base/must.h"
#include "col/func_text_int.h"
#include "col/regex.h"
#include "col/set_int.h"

#define SPANS_MAX 1001u // a match and its groups

// ---- patterns ----

typedef struct pattern_cache {
    base_str source;
    unsigned flags;
    regex *compiled;
    regex_span spans[SPANS_MAX];
} pattern_cache;

static pattern_cache *cache_open(base_arena *arena) {
    return base_arena_new(arena, pattern_cache);
}

static void cache_close(pattern_cache *cache) {
    regex_destroy(cache->compiled);
}

static base_rc cache_use(pattern_cache *cache, base_str source, unsigned flags, base_error *err) {
    if (cache->compiled != NULL && cache->flags == flags && base_str_eq(cache->source, source)) {
        return BASE_OK;
    }
    regex_destroy(cache->compiled);
    cache->compiled = NULL;
    cache->source = source;
    cache->flags = flags;
    return regex_compile(source, flags, &cache->compiled, err);
}

static base_rc option_error(base_str flags, size_t at, base_error *err) {
    size_t n = func_utf8_len((uint8_t)flags.p[at]);
    if (n > flags.n - at) n = flags.n - at;
    return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER,
                     "invalid regular expression option: \"%.*s\"", (int)n, flags.p + at);
}

// Letters of a flags argument; *all: g. name: the function that takes no g, or NULL.
static base_rc read_flags(base_str text, const char *name, unsigned *flags, bool *all,
                          base_error *err) {
    unsigned f = 0;
    *all = false;
    for (size_t i = 0; i < text.n; i++) {
        switch (text.p[i]) {
        case 'g':
            *all = true;
            break;
        case 'c':
            f &= ~(unsigned)REGEX_FOLD;
            break;
        case 'i':
            f |= REGEX_FOLD;
            break;
        case 'm':
        case 'n':
            f |= REGEX_LINE_STOPS | REGEX_LINE_ANCHORS;
            break;
        case 'p':
            f = (f | REGEX_LINE_STOPS) & ~(unsigned)REGEX_LINE_ANCHORS;
            break;
        case 's':
            f &= ~(unsigned)(REGEX_LINE_STOPS | REGEX_LINE_ANCHORS);
            break;
        case 'w':
            f = (f | REGEX_LINE_ANCHORS) & ~(unsigned)REGEX_LINE_STOPS;
            break;
        case 't':
            f &= ~(unsigned)REGEX_EXPANDED;
            break;
        case 'x':
            f |= REGEX_EXPANDED;
            break;
        case 'q':
            f = (f | REGEX_LITERAL) & ~(unsigned)REGEX_NOT_ADVANCED;
            break;
        case 'e':
            f = (f | REGEX_NOT_ADVANCED) & ~(unsigned)REGEX_LITERAL;
            break;
        case 'b':
            return base_fail(err, BASE_E_UNSUPPORTED, NULL,
                             "basic regular expressions are not supported");
        default:
            return option_error(text, i, err);
        }
    }
    if (*all && name != NULL) {
        return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER,
                         "%s does not support the \"global\" option", name);
    }
    *flags = f;
    return BASE_OK;
}

static base_rc bad_parameter(const char *name, int32_t value, base_error *err) {
    return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER,
                     "invalid value for parameter \"%s\": %d", name, value);
}

// ---- ~ ~* !~ !~* ----

static base_rc match_rows(col_func_ctx *ctx, uint32_t n, const col_vec *const *args, col_vec *out,
                          unsigned flags, bool want) {
    pattern_cache *cache = cache_open(ctx->arena);
    base_error e;
    base_rc rc = BASE_OK;
    for (uint32_t i = 0; i < n && rc == BASE_OK; i++) {
        if (col_is_null(out, i)) continue;
        bool found = false;
        rc = cache_use(cache, col_str(args[1])[i], flags, &e);
        if (rc == BASE_OK) {
            rc = regex_find(cache->compiled, col_str(args[0])[i], 0, 0, NULL, &found, &e);
        }
        if (rc != BASE_OK) rc = func_row_error(ctx, out, i, &e);
        col_u8(out)[i] = found == want;
    }
    cache_close(cache);
    return rc;
}

#define MATCH_KERNEL(name, flags, want)                                                            \
    FUNC_KERNEL(name) {                                                                            \
        FUNC_UNUSED;                                                                               \
        return match_rows(ctx, n, args, out, flags, want);                                         \
    }
MATCH_KERNEL(regex_match, 0, true)
MATCH_KERNEL(regex_not_match, 0, false)
MATCH_KERNEL(regex_imatch, REGEX_FOLD, true)
MATCH_KERNEL(regex_not_imatch, REGEX_FOLD, false)

// ---- a call with its optional arguments ----

// What one row asks for. Kernels fill it from their arguments.
typedef struct regex_call {
    base_str s, pattern;
    base_str options;
    const char *no_global; // the name for the error of g
    int32_t start, nth, group;
    bool to_end; // regexp_instr: the position after the match
    bool all;    // from options
    size_t from; // byte of start; s.n + 1: beyond the end
} regex_call;

static base_rc call_prepare(pattern_cache *cache, regex_call *call, base_error *err) {
    unsigned flags = 0;
    base_rc rc = read_flags(call->options, call->no_global, &flags, &call->all, err);
    if (rc == BASE_OK) rc = cache_use(cache, call->pattern, flags, err);
    if (rc != BASE_OK) return rc;
    call->from = func_utf8_offset(call->s, call->start - 1);
    if (call->start > 1 && func_utf8_count(call->s) < call->start - 1) call->from = call->s.n + 1;
    return BASE_OK;
}

// Where to look for the match after this one.
static size_t after_match(base_str s, regex_span match) {
    if (match.end > match.begin || match.end >= s.n) {
        return match.end > match.begin ? match.end : s.n + 1;
    }
    return match.end + func_utf8_len((uint8_t)s.p[match.end]);
}

// The call's nth match.
static base_rc find_nth(pattern_cache *cache, const regex_call *call, uint32_t nspans, bool *found,
                        base_error *err) {
    size_t from = call->from;
    for (int32_t k = 1;; k++) {
        base_rc rc = regex_find(cache->compiled, call->s, from, nspans, cache->spans, found, err);
        if (rc != BASE_OK || !*found || k == call->nth) return rc;
        from = after_match(call->s, cache->spans[0]);
    }
}

// Without groups, group 1 is the match.
static uint32_t group_of(const pattern_cache *cache, const regex_call *call) {
    if (call->group == 1 && regex_groups(cache->compiled) == 0) return 0;
    return (uint32_t)call->group;
}

static inline base_str text_of(base_str s, regex_span span) {
    return (base_str){s.n == 0 ? "" : s.p + span.begin, span.end - span.begin};
}

// ---- substring(text, pattern), regexp_substr ----

FUNC_KERNEL(regex_substring) {
    FUNC_UNUSED;
    pattern_cache *cache = cache_open(ctx->arena);
    base_error e;
    base_rc rc = BASE_OK;
    for (uint32_t i = 0; i < n && rc == BASE_OK; i++) {
        if (col_is_null(out, i)) continue;
        base_str s = col_str(args[0])[i];
        bool found = false;
        uint32_t which = 0;
        rc = cache_use(cache, col_str(args[1])[i], 0, &e);
        if (rc == BASE_OK) {
            which = regex_groups(cache->compiled) > 0 ? 1 : 0;
            rc = regex_find(cache->compiled, s, 0, which + 1, cache->spans, &found, &e);
        }
        if (rc != BASE_OK) {
            rc = func_row_error(ctx, out, i, &e);
        } else if (!found || cache->spans[which].begin == REGEX_NONE) {
            col_vec_set_null(out, ctx->arena, i);
        } else {
            col_str(out)[i] = text_of(s, cache->spans[which]);
        }
    }
    cache_close(cache);
    return rc;
}

// regexp_substr(s, pattern [, start [, n [, flags [, group]]]])
static base_rc substr_row(pattern_cache *cache, regex_call *call, bool *found, base_str *to,
                          base_error *err) {
    *found = false;
    if (call->start <= 0) return bad_parameter("start", call->start, err);
    if (call->nth <= 0) return bad_parameter("n", call->nth, err);
    if (call->group < 0) return bad_parameter("subexpr", call->group, err);
    base_rc rc = call_prepare(cache, call, err);
    if (rc != BASE_OK) return rc;
    uint32_t group = group_of(cache, call);
    if (group > regex_groups(cache->compiled)) return BASE_OK;
    rc = find_nth(cache, call, group + 1, found, err);
    if (rc != BASE_OK || !*found) return rc;
    *found = cache->spans[group].begin != REGEX_NONE;
    if (*found) *to = text_of(call->s, cache->spans[group]);
    return BASE_OK;
}

FUNC_KERNEL(regexp_substr) {
    FUNC_UNUSED;
    pattern_cache *cache = cache_open(ctx->arena);
    base_error e;
    base_rc rc = BASE_OK;
    for (uint32_t i = 0; i < n && rc == BASE_OK; i++) {
        if (col_is_null(out, i)) continue;
        regex_call call = {.s = col_str(args[0])[i],
                           .pattern = col_str(args[1])[i],
                           .start = nargs > 2 ? col_i32(args[2])[i] : 1,
                           .nth = nargs > 3 ? col_i32(args[3])[i] : 1,
                           .options = nargs > 4 ? col_str(args[4])[i] : BASE_STR(""),
                           .group = nargs > 5 ? col_i32(args[5])[i] : 0,
                           .no_global = "regexp_substr()"};
        bool found = false;
        rc = substr_row(cache, &call, &found, &col_str(out)[i], &e);
        if (rc != BASE_OK) {
            rc = func_row_error(ctx, out, i, &e);
        } else if (!found) {
            col_vec_set_null(out, ctx->arena, i);
        }
    }
    cache_close(cache);
    return rc;
}

// ---- regexp_count, _instr, _like ----

static base_rc count_row(pattern_cache *cache, regex_call *call, int32_t *count, base_error *err) {
    *count = 0;
    if (call->start <= 0) return bad_parameter("start", call->start, err);
    base_rc rc = call_prepare(cache, call, err);
    size_t from = call->from;
    while (rc == BASE_OK) {
        bool found;
        rc = regex_find(cache->compiled, call->s, from, 1, cache->spans, &found, err);
        if (rc != BASE_OK || !found) break;
        (*count)++;
        from = after_match(call->s, cache->spans[0]);
    }
    return rc;
}

// regexp_count(s, pattern [, start [, flags]])
FUNC_KERNEL(regexp_count) {
    FUNC_UNUSED;
    pattern_cache *cache = cache_open(ctx->arena);
    base_error e;
    base_rc rc = BASE_OK;
    for (uint32_t i = 0; i < n && rc == BASE_OK; i++) {
        if (col_is_null(out, i)) continue;
        regex_call call = {.s = col_str(args[0])[i],
                           .pattern = col_str(args[1])[i],
                           .start = nargs > 2 ? col_i32(args[2])[i] : 1,
                           .options = nargs > 3 ? col_str(args[3])[i] : BASE_STR(""),
                           .no_global = "regexp_count()"};
        rc = count_row(cache, &call, &col_i32(out)[i], &e);
        if (rc != BASE_OK) rc = func_row_error(ctx, out, i, &e);
    }
    cache_close(cache);
    return rc;
}

static base_rc instr_row(pattern_cache *cache, regex_call *call, int32_t end_option, int32_t *to,
                         base_error *err) {
    *to = 0;
    if (call->start <= 0) return bad_parameter("start", call->start, err);
    if (call->nth <= 0) return bad_parameter("n", call->nth, err);
    if (end_option != 0 && end_option != 1) return bad_parameter("endoption", end_option, err);
    if (call->group < 0) return bad_parameter("subexpr", call->group, err);
    base_rc rc = call_prepare(cache, call, err);
    if (rc != BASE_OK) return rc;
    uint32_t group = group_of(cache, call);
    if (group > regex_groups(cache->compiled)) return BASE_OK;
    bool found;
    rc = find_nth(cache, call, group + 1, &found, err);
    if (rc != BASE_OK || !found || cache->spans[group].begin == REGEX_NONE) return rc;
    regex_span span = cache->spans[group];
    base_str before = {call->s.p, end_option == 1 ? span.end : span.begin};
    *to = (int32_t)func_utf8_count(before) + 1;
    return BASE_OK;
}

// regexp_instr(s, pattern [, start [, n [, endoption [, flags [, group]]]]])
FUNC_KERNEL(regexp_instr) {
    FUNC_UNUSED;
    pattern_cache *cache = cache_open(ctx->arena);
    base_error e;
    base_rc rc = BASE_OK;
    for (uint32_t i = 0; i < n && rc == BASE_OK; i++) {
        if (col_is_null(out, i)) continue;
        regex_call call = {.s = col_str(args[0])[i],
                           .pattern = col_str(args[1])[i],
                           .start = nargs > 2 ? col_i32(args[2])[i] : 1,
                           .nth = nargs > 3 ? col_i32(args[3])[i] : 1,
                           .options = nargs > 5 ? col_str(args[5])[i] : BASE_STR(""),
                           .group = nargs > 6 ? col_i32(args[6])[i] : 0,
                           .no_global = "regexp_instr()"};
        int32_t end_option = nargs > 4 ? col_i32(args[4])[i] : 0;
        rc = instr_row(cache, &call, end_option, &col_i32(out)[i], &e);
        if (rc != BASE_OK) rc = func_row_error(ctx, out, i, &e);
    }
    cache_close(cache);
    return rc;
}

// regexp_like(s, pattern [, flags])
FUNC_KERNEL(regexp_like) {
    FUNC_UNUSED;
    pattern_cache *cache = cache_open(ctx->arena);
    base_error e;
    base_rc rc = BASE_OK;
    for (uint32_t i = 0; i < n && rc == BASE_OK; i++) {
        if (col_is_null(out, i)) continue;
        regex_call call = {.s = col_str(args[0])[i],
                           .pattern = col_str(args[1])[i],
                           .start = 1,
                           .options = nargs > 2 ? col_str(args[2])[i] : BASE_STR(""),
                           .no_global = "regexp_like()"};
        bool found = false;
        rc = call_prepare(cache, &call, &e);
        if (rc == BASE_OK) rc = regex_find(cache->compiled, call.s, 0, 0, NULL, &found, &e);
        if (rc != BASE_OK) rc = func_row_error(ctx, out, i, &e);
        col_u8(out)[i] = found;
    }
    cache_close(cache);
    return rc;
}

// ---- regexp_match, regexp_split_to_array ----

static void add_item(col_func_ctx *ctx, col_array_writer *writer, col_vec *cell, base_str s,
                     regex_span span) {
    if (span.begin == REGEX_NONE) {
        col_vec_set_null(cell, ctx->arena, 0);
    } else {
        if (cell->nulls != NULL) cell->nulls[0] = 0;
        col_str(cell)[0] = text_of(s, span);
    }
    col_array_writer_add(writer, cell, 0);
}

// What a row's call gives as an array of texts; *found false: null.
typedef base_rc (*array_row)(col_func_ctx *ctx, pattern_cache *cache, regex_call *call,
                             col_array_writer *writer, col_vec *cell, bool *found, base_error *err);

// f(s, pattern [, flags]) for each row.
static base_rc each_array(col_func_ctx *ctx, uint32_t n, uint32_t nargs, const col_vec *const *args,
                          col_vec *out, const char *name, array_row give) {
    pattern_cache *cache = cache_open(ctx->arena);
    size_t budget = FUNC_BATCH_BYTES_MAX;
    col_array_writer writer = {0};
    col_vec cell;
    col_vec_init(&cell, ctx->arena, col_type_of(COL_TEXT), 1);
    base_error e;
    base_rc rc = BASE_OK;
    for (uint32_t i = 0; i < n && rc == BASE_OK; i++) {
        if (col_is_null(out, i)) continue;
        regex_call call = {.s = col_str(args[0])[i],
                           .pattern = col_str(args[1])[i],
                           .start = 1,
                           .options = nargs > 2 ? col_str(args[2])[i] : BASE_STR(""),
                           .no_global = name};
        bool found = false;
        col_array_writer_begin(&writer, COL_TEXT);
        rc = give(ctx, cache, &call, &writer, &cell, &found, &e);
        if (rc != BASE_OK)
            rc = func_row_error(ctx, out, i, &e);
        else if (found)
            rc = func_put_array(ctx, &budget, &writer, out, i);
        else
            col_vec_set_null(out, ctx->arena, i);
    }
    col_array_writer_deinit(&writer);
    cache_close(cache);
    return rc;
}

// The groups of the first match, or the match if there are none.
static base_rc match_row(col_func_ctx *ctx, pattern_cache *cache, regex_call *call,
                         col_array_writer *writer, col_vec *cell, bool *found, base_error *err) {
    base_rc rc = call_prepare(cache, call, err);
    if (rc != BASE_OK && call->all)
        base_error_hint(err, "Use the regexp_matches function instead.");
    if (rc != BASE_OK) return rc;
    uint32_t groups = regex_groups(cache->compiled);
    rc = regex_find(cache->compiled, call->s, 0, groups + 1, cache->spans, found, err);
    for (uint32_t g = groups > 0 ? 1 : 0; rc == BASE_OK && *found && g <= groups; g++)
        add_item(ctx, writer, cell, call->s, cache->spans[g]);
    return rc;
}

FUNC_KERNEL(regexp_match) {
    FUNC_UNUSED;
    return each_array(ctx, n, nargs, args, out, "regexp_match()", match_row);
}

// The pieces between matches; empty matches at an end of the text or right after another match cut
// nothing.
static base_rc split_row(col_func_ctx *ctx, pattern_cache *cache, regex_call *call,
                         col_array_writer *writer, col_vec *cell, bool *found, base_error *err) {
    base_rc rc = call_prepare(cache, call, err);
    size_t from = 0, piece = 0, last_end = 0;
    while (rc == BASE_OK && from <= call->s.n) {
        rc = regex_find(cache->compiled, call->s, from, 1, cache->spans, found, err);
        if (rc != BASE_OK || !*found) break;
        regex_span match = cache->spans[0];
        if (match.begin < call->s.n && match.end > last_end) {
            add_item(ctx, writer, cell, call->s, (regex_span){piece, match.begin});
            piece = match.end;
        }
        last_end = match.end;
        from = after_match(call->s, match);
    }
    if (rc == BASE_OK) add_item(ctx, writer, cell, call->s, (regex_span){piece, call->s.n});
    *found = true; // without a match the text is one piece
    return rc;
}

FUNC_KERNEL(regexp_split_to_array) {
    FUNC_UNUSED;
    return each_array(ctx, n, nargs, args, out, "regexp_split_to_array()", split_row);
}

// ---- regexp_replace ----

static void add_replacement(base_buf *buf, base_str with, base_str s, const regex_span *spans) {
    for (size_t i = 0; i < with.n; i++) {
        char c = with.p[i];
        if (c != '\\' || i + 1 == with.n) {
            base_buf_add_byte(buf, (uint8_t)c);
            continue;
        }
        c = with.p[++i];
        int group = c == '&' ? 0 : c >= '1' && c <= '9' ? c - '0' : -1;
        if (group >= 0) {
            if (spans[group].begin != REGEX_NONE) base_buf_add_str(buf, text_of(s, spans[group]));
        } else {
            base_buf_add_byte(buf, '\\');
            if (c != '\\') i--; // an ordinary character, which may begin something
        }
    }
}

// call->nth: which match to replace, 0: all.
static base_rc replace_row(pattern_cache *cache, const regex_call *call, base_str with,
                           base_buf *buf, base_error *err) {
    base_str s = call->s;
    bool refers = with.n > 0 && memchr(with.p, '\\', with.n) != NULL;
    size_t from = call->from, done = 0;
    for (int32_t k = 1;; k++) {
        bool found;
        base_rc rc =
            regex_find(cache->compiled, s, from, refers ? 10 : 1, cache->spans, &found, err);
        if (rc != BASE_OK) return rc;
        if (!found) break;
        regex_span match = cache->spans[0];
        if (call->nth == 0 || k == call->nth) {
            base_buf_add(buf, s.p + done, match.begin - done);
            if (refers) {
                add_replacement(buf, with, s, cache->spans);
            } else {
                base_buf_add_str(buf, with);
            }
            done = match.end;
            if (buf->n > FUNC_VALUE_BYTES_MAX) {
                return base_fail(err, BASE_E_LIMIT, BASE_SQLSTATE_LIMIT,
                                 "requested length too large");
            }
        }
        if (k == call->nth) break;
        from = after_match(s, match);
    }
    if (s.n > done) base_buf_add(buf, s.p + done, s.n - done);
    return BASE_OK;
}

static base_rc replace_prepare(pattern_cache *cache, regex_call *call, bool has_nth,
                               base_error *err) {
    if (call->start <= 0) return bad_parameter("start", call->start, err);
    if (call->nth < 0) return bad_parameter("n", call->nth, err);
    base_rc rc = call_prepare(cache, call, err);
    if (!has_nth) call->nth = call->all ? 0 : 1;
    return rc;
}

// regexp_replace(s, pattern, with [, flags]) and (s, pattern, with, start [, n [, flags]])
static base_rc replace_rows(col_func_ctx *ctx, uint32_t n, uint32_t nargs,
                            const col_vec *const *args, col_vec *out, bool flags_fourth) {
    pattern_cache *cache = cache_open(ctx->arena);
    size_t budget = FUNC_BATCH_BYTES_MAX;
    base_buf buf = {0};
    base_error e;
    base_rc rc = BASE_OK;
    const col_vec *flags = flags_fourth ? args[3] : nargs > 5 ? args[5] : NULL;
    for (uint32_t i = 0; i < n && rc == BASE_OK; i++) {
        if (col_is_null(out, i)) continue;
        regex_call call = {.s = col_str(args[0])[i],
                           .pattern = col_str(args[1])[i],
                           .start = nargs > 3 && !flags_fourth ? col_i32(args[3])[i] : 1,
                           .nth = nargs > 4 ? col_i32(args[4])[i] : 1,
                           .options = flags != NULL ? col_str(flags)[i] : BASE_STR("")};
        base_buf_clear(&buf);
        rc = replace_prepare(cache, &call, nargs > 4, &e);
        if (rc != BASE_OK && flags_fourth && call.options.n > 0 && call.options.p[0] >= '0' &&
            call.options.p[0] <= '9') {
            base_error_hint(&e, "If you meant to use regexp_replace() with a start parameter, cast "
                                "the fourth argument to integer explicitly.");
        }
        if (rc == BASE_OK) rc = replace_row(cache, &call, col_str(args[2])[i], &buf, &e);
        rc = rc == BASE_OK ? func_put_text(ctx, &budget, &buf, out, i)
                           : func_row_error(ctx, out, i, &e);
    }
    base_buf_deinit(&buf);
    cache_close(cache);
    return rc;
}

FUNC_KERNEL(regex_replace) {
    return replace_rows(ctx, n, nargs, args, out, false);
}

FUNC_KERNEL(regex_replace_flags) {
    return replace_rows(ctx, n, nargs, args, out, true);
}

// ---- SIMILAR TO ----

typedef struct similar_state {
    base_buf *buf;
    int separators;
    bool escaped, in_class;
} similar_state;

static base_rc similar_separator(similar_state *t, base_error *err) {
    // What is before the first separator takes as little as it can, the middle is the group.
    if (t->separators == 0) {
        base_buf_add_cstr(t->buf, "){1,1}?(");
    } else if (t->separators == 1) {
        base_buf_add_cstr(t->buf, "){1,1}(?:");
    } else {
        return base_fail(err, BASE_E_INVALID, "2200C",
                         "SQL regular expression may not contain more than two "
                         "escape-double-quote separators");
    }
    t->separators++;
    return BASE_OK;
}

static void similar_plain(similar_state *t, char c) {
    if (t->in_class) {
        if (c == '\\') base_buf_add_byte(t->buf, '\\');
        base_buf_add_byte(t->buf, (uint8_t)c);
        if (c == ']') t->in_class = false;
        return;
    }
    switch (c) {
    case '[':
        t->in_class = true;
        base_buf_add_byte(t->buf, '[');
        return;
    case '%':
        base_buf_add_cstr(t->buf, ".*");
        return;
    case '_':
        base_buf_add_byte(t->buf, '.');
        return;
    case '(':
        base_buf_add_cstr(t->buf, "(?:");
        return;
    case '\\':
    case '.':
    case '^':
    case '$':
        base_buf_add_byte(t->buf, '\\');
        break;
    default:
        break;
    }
    base_buf_add_byte(t->buf, (uint8_t)c);
}

// The pattern of SIMILAR TO as a regular expression.
static base_rc similar_pattern(base_str p, base_str escape, base_buf *buf, base_error *err) {
    if (func_utf8_count(escape) > 1) {
        base_rc rc = base_fail(err, BASE_E_INVALID, "22025", "invalid escape string");
        base_error_hint(err, "Escape string must be empty or one character.");
        return rc;
    }
    similar_state t = {.buf = buf};
    base_buf_add_cstr(buf, "^(?:");
    for (size_t at = 0; at < p.n;) {
        char c = p.p[at];
        if (t.escaped) {
            t.escaped = false;
            if (c == '"' && !t.in_class) {
                base_rc rc = similar_separator(&t, err);
                if (rc != BASE_OK) return rc;
            } else {
                base_buf_add_byte(buf, '\\');
                base_buf_add_byte(buf, (uint8_t)c);
            }
            at++;
        } else if (escape.n > 0 && p.n - at >= escape.n &&
                   memcmp(p.p + at, escape.p, escape.n) == 0) {
            t.escaped = true;
            at += escape.n;
        } else {
            similar_plain(&t, c);
            at++;
        }
    }
    base_buf_add_cstr(buf, ")$");
    return BASE_OK;
}

FUNC_KERNEL(similar_to_escape) {
    size_t budget = FUNC_BATCH_BYTES_MAX;
    base_buf buf = {0};
    base_error e;
    base_rc rc = BASE_OK;
    for (uint32_t i = 0; i < n && rc == BASE_OK; i++) {
        if (col_is_null(out, i)) continue;
        base_str escape = nargs > 1 ? col_str(args[1])[i] : BASE_STR("\\");
        base_buf_clear(&buf);
        rc = similar_pattern(col_str(args[0])[i], escape, &buf, &e);
        rc = rc == BASE_OK ? func_put_text(ctx, &budget, &buf, out, i)
                           : func_row_error(ctx, out, i, &e);
    }
    base_buf_deinit(&buf);
    return rc;
}

// substring(text SIMILAR pattern ESCAPE escape)
FUNC_KERNEL(substring_similar) {
    base_error e;
    base_buf buf = {0};
    col_vec pattern;
    col_vec_init(&pattern, ctx->arena, col_type_of(COL_TEXT), n);
    FUNC_EACH(i) {
        base_buf_clear(&buf);
        base_rc rc = similar_pattern(col_str(args[1])[i], col_str(args[2])[i], &buf, &e);
        if (rc != BASE_OK) {
            rc = func_row_error(ctx, out, i, &e);
            if (rc != BASE_OK) {
                base_buf_deinit(&buf);
                return rc;
            }
            continue;
        }
        col_str(&pattern)[i] = (base_str){base_arena_memdup(ctx->arena, buf.p, buf.n), buf.n};
    }
    base_buf_deinit(&buf);
    const col_vec *two[] = {args[0], &pattern};
    (void)nargs;
    return regex_substring(ctx, n, 2, two, out);
}

#define T COL_TEXT
#define I COL_INT4
#define S COL_FUNC_STRICT

static const col_func rows[] = {
    {"~", 2, {T, T}, COL_BOOL, S, regex_match, NULL},
    {"!~", 2, {T, T}, COL_BOOL, S, regex_not_match, NULL},
    {"~*", 2, {T, T}, COL_BOOL, S, regex_imatch, NULL},
    {"!~*", 2, {T, T}, COL_BOOL, S, regex_not_imatch, NULL},
    {"substring", 2, {T, T}, T, S, regex_substring, NULL},
    {"substring", 3, {T, T, T}, T, S, substring_similar, NULL},
    {"similar_to_escape", 1, {T}, T, S, similar_to_escape, NULL},
    {"similar_to_escape", 2, {T, T}, T, S, similar_to_escape, NULL},
    {"regexp_replace", 3, {T, T, T}, T, S, regex_replace, NULL},
    {"regexp_replace", 4, {T, T, T, T}, T, S, regex_replace_flags, NULL},
    {"regexp_replace", 4, {T, T, T, I}, T, S, regex_replace, NULL},
    {"regexp_replace", 5, {T, T, T, I, I}, T, S, regex_replace, NULL},
    {"regexp_replace", 6, {T, T, T, I, I, T}, T, S, regex_replace, NULL},
    {"regexp_match", 2, {T, T}, COL_TEXT_ARRAY, S, regexp_match, NULL},
    {"regexp_match", 3, {T, T, T}, COL_TEXT_ARRAY, S, regexp_match, NULL},
    {"regexp_split_to_array", 2, {T, T}, COL_TEXT_ARRAY, S, regexp_split_to_array, NULL},
    {"regexp_split_to_array", 3, {T, T, T}, COL_TEXT_ARRAY, S, regexp_split_to_array, NULL},
    {"regexp_count", 2, {T, T}, I, S, regexp_count, NULL},
    {"regexp_count", 3, {T, T, I}, I, S, regexp_count, NULL},
    {"regexp_count", 4, {T, T, I, T}, I, S, regexp_count, NULL},
    {"regexp_like", 2, {T, T}, COL_BOOL, S, regexp_like, NULL},
    {"regexp_like", 3, {T, T, T}, COL_BOOL, S, regexp_like, NULL},
    {"regexp_instr", 2, {T, T}, I, S, regexp_instr, NULL},
    {"regexp_instr", 3, {T, T, I}, I, S, regexp_instr, NULL},
    {"regexp_instr", 4, {T, T, I, I}, I, S, regexp_instr, NULL},
    {"regexp_instr", 5, {T, T, I, I, I}, I, S, regexp_instr, NULL},
    {"regexp_instr", 6, {T, T, I, I, I, T}, I, S, regexp_instr, NULL},
    {"regexp_instr", 7, {T, T, I, I, I, T, I}, I, S, regexp_instr, NULL},
    {"regexp_substr", 2, {T, T}, T, S, regexp_substr, NULL},
    {"regexp_substr", 3, {T, T, I}, T, S, regexp_substr, NULL},
    {"regexp_substr", 4, {T, T, I, I}, T, S, regexp_substr, NULL},
    {"regexp_substr", 5, {T, T, I, I, T}, T, S, regexp_substr, NULL},
    {"regexp_substr", 6, {T, T, I, I, T, I}, T, S, regexp_substr, NULL},
};
FUNC_TABLE(func_regex_table, rows);

// ---- sets: regexp_matches, regexp_split_to_table ----

static void drop_cache(void *kept) {
    cache_close(kept);
}

// The patterns compiled so far in this run.
static pattern_cache *cache_of(col_set *set) {
    if (set->kept == NULL) {
        set->kept = cache_open(set->arena);
        set->drop = drop_cache;
    }
    return set->kept;
}

// A row an array of the groups of each match, or the first one.
static base_rc give_matches(col_func_ctx *ctx, const regex_call *call, pattern_cache *cache,
                            col_array_writer *writer, col_set *set, base_error *err) {
    uint32_t groups = regex_groups(cache->compiled);
    col_vec cell;
    col_vec_init(&cell, ctx->arena, col_type_of(COL_TEXT), 1);
    for (size_t from = 0; from <= call->s.n;) {
        bool found;
        SET_TRY(regex_find(cache->compiled, call->s, from, groups + 1, cache->spans, &found, err));
        if (!found) break;
        col_array_writer_begin(writer, COL_TEXT);
        for (uint32_t g = groups == 0 ? 0 : 1; g <= groups; g++)
            add_item(ctx, writer, &cell, call->s, cache->spans[g]);
        SET_TRY(col_set_add(set, err));
        col_str(&set->cols[0])[set->n - 1] = col_array_writer_end(writer, set->arena);
        if (!call->all) break;
        from = after_match(call->s, cache->spans[0]);
    }
    return BASE_OK;
}

SET_GIVE(set_regexp_matches) {
    pattern_cache *cache = cache_of(set);
    regex_call call = {.s = col_str(args[0])[row],
                       .pattern = col_str(args[1])[row],
                       .start = 1,
                       .options = nargs > 2 ? col_str(args[2])[row] : BASE_STR("")};
    col_array_writer writer = {0};
    SET_TRY(call_prepare(cache, &call, err));
    base_rc rc = give_matches(ctx, &call, cache, &writer, set, err);
    col_array_writer_deinit(&writer);
    return rc;
}

SET_GIVE(set_regexp_split) {
    pattern_cache *cache = cache_of(set);
    regex_call call = {.s = col_str(args[0])[row],
                       .pattern = col_str(args[1])[row],
                       .start = 1,
                       .options = nargs > 2 ? col_str(args[2])[row] : BASE_STR(""),
                       .no_global = "regexp_split_to_table()"};
    col_array_writer writer = {0};
    col_vec cell, pieces;
    col_array_reader reader;
    col_vec_init(&cell, ctx->arena, col_type_of(COL_TEXT), 1);
    col_vec_init(&pieces, ctx->arena, col_type_of(COL_TEXT_ARRAY), 1);
    col_array_writer_begin(&writer, COL_TEXT);
    bool found;
    base_rc rc = split_row(ctx, cache, &call, &writer, &cell, &found, err);
    if (rc == BASE_OK) col_str(&pieces)[0] = col_array_writer_end(&writer, set->arena);
    col_array_writer_deinit(&writer);
    if (rc != BASE_OK) return rc;
    col_array_reader_init(&reader, &pieces, 0, set->arena);
    while (col_array_reader_next(&reader)) {
        SET_TRY(col_set_add(set, err));
        col_str(&set->cols[0])[set->n - 1] = col_str(&reader.cell)[0];
    }
    return BASE_OK;
}

static const col_set_func set_rows[] = {
    SET_ONE("regexp_matches", 2, COL_TEXT_ARRAY, S, set_regexp_matches, T, T),
    SET_ONE("regexp_matches", 3, COL_TEXT_ARRAY, S, set_regexp_matches, T, T, T),
    SET_ONE("regexp_split_to_table", 2, T, S, set_regexp_split, T, T),
    SET_ONE("regexp_split_to_table", 3, T, S, set_regexp_split, T, T, T),
};
SET_TABLE(set_regex_table, set_rows);
