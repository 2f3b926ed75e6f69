// func_text.c - text and bytea: lengths, pieces, case, padding, search and replace, concatenation.
// Positions and lengths count characters (UTF-8 code points) for text and bytes for bytea.
// Invariant: results are slices of an argument where they can be, else arena memory whose size was
// taken from a budget first (func_take_bytes).
#include <locale.h>
#include <pthread.h>
#include <wctype.h>

#include "base/must.h"
#include "col/codec.h"
#include "col/func_text_int.h"

// ---- lengths ----

FUNC_KERNEL(length_text) {
    FUNC_UNUSED;
    FUNC_EACH(i) col_i32(out)[i] = (int32_t)func_utf8_count(col_str(args[0])[i]);
    return BASE_OK;
}

FUNC_KERNEL(length_bytes) {
    FUNC_UNUSED;
    FUNC_EACH(i) col_i32(out)[i] = (int32_t)col_str(args[0])[i].n;
    return BASE_OK;
}

FUNC_KERNEL(length_bits) {
    FUNC_UNUSED;
    FUNC_EACH(i) col_i32(out)[i] = (int32_t)(col_str(args[0])[i].n * 8);
    return BASE_OK;
}

// ---- pieces ----

static base_str slice(base_str s, size_t begin, size_t end) {
    return (base_str){s.n == 0 ? "" : s.p + begin, end - begin};
}

// Characters (or bytes) [start, start + count) counted from 1; the window may begin before 1.
static base_rc substring_of(base_str s, bool bytes, int32_t start, int64_t count, base_str *to,
                            base_error *err) {
    if (count < 0) {
        return base_fail(err, BASE_E_INVALID, "22011", "negative substring length not allowed");
    }
    int64_t from = start, end = start + count;
    if (from < 1) from = 1;
    if (end < from) end = from;
    size_t a, b;
    if (bytes) {
        a = (uint64_t)(from - 1) < s.n ? (size_t)(from - 1) : s.n;
        b = (uint64_t)(end - 1) < s.n ? (size_t)(end - 1) : s.n;
    } else {
        a = func_utf8_offset(s, from - 1);
        b = a + func_utf8_offset(slice(s, a, s.n), end - from);
    }
    *to = slice(s, a, b);
    return BASE_OK;
}

static base_rc substring_rows(col_func_ctx *ctx, uint32_t n, uint32_t nargs,
                              const col_vec *const *args, col_vec *out, bool bytes) {
    base_error e;
    FUNC_EACH(i) {
        int64_t count = nargs < 3 ? INT32_MAX * 2ll : col_i32(args[2])[i];
        FUNC_ROW_CALL(substring_of(col_str(args[0])[i], bytes, col_i32(args[1])[i], count,
                                   &col_str(out)[i], &e));
    }
    return BASE_OK;
}

FUNC_KERNEL(substring_text) {
    return substring_rows(ctx, n, nargs, args, out, false);
}

FUNC_KERNEL(substring_bytea) {
    return substring_rows(ctx, n, nargs, args, out, true);
}

// The number of characters kept by left() or right(): all but -n where n is negative.
static int64_t kept(base_str s, int32_t count) {
    if (count >= 0) return count;
    int64_t all = func_utf8_count(s);
    return all + count > 0 ? all + count : 0;
}

FUNC_KERNEL(left_text) {
    FUNC_UNUSED;
    FUNC_EACH(i) {
        base_str s = col_str(args[0])[i];
        col_str(out)[i] = slice(s, 0, func_utf8_offset(s, kept(s, col_i32(args[1])[i])));
    }
    return BASE_OK;
}

FUNC_KERNEL(right_text) {
    FUNC_UNUSED;
    FUNC_EACH(i) {
        base_str s = col_str(args[0])[i];
        int64_t skip = func_utf8_count(s) - kept(s, col_i32(args[1])[i]);
        col_str(out)[i] = slice(s, skip > 0 ? func_utf8_offset(s, skip) : 0, s.n);
    }
    return BASE_OK;
}

static bool set_has(base_str set, base_str character) {
    for (size_t at = 0; at < set.n;) {
        size_t length = func_utf8_len((uint8_t)set.p[at]);
        if (length == character.n && at + length <= set.n &&
            memcmp(set.p + at, character.p, length) == 0) {
            return true;
        }
        at += length;
    }
    return false;
}

static base_str trim(base_str s, base_str set, bool front, bool back) {
    size_t begin = 0, end = s.n;
    while (front && begin < end) {
        size_t length = func_utf8_len((uint8_t)s.p[begin]);
        if (length > end - begin || !set_has(set, slice(s, begin, begin + length))) break;
        begin += length;
    }
    while (back && begin < end) {
        size_t last = end - 1;
        while (last > begin && ((uint8_t)s.p[last] & 0xc0) == 0x80) last--;
        if (!set_has(set, slice(s, last, end))) break;
        end = last;
    }
    return slice(s, begin, end);
}

#define TRIM_KERNEL(name, front, back)                                                             \
    FUNC_KERNEL(name) {                                                                            \
        FUNC_UNUSED;                                                                               \
        FUNC_EACH(i) {                                                                             \
            base_str set = nargs > 1 ? col_str(args[1])[i] : BASE_STR(" ");                        \
            col_str(out)[i] = trim(col_str(args[0])[i], set, front, back);                         \
        }                                                                                          \
        return BASE_OK;                                                                            \
    }
TRIM_KERNEL(btrim_text, true, true)
TRIM_KERNEL(ltrim_text, true, false)
TRIM_KERNEL(rtrim_text, false, true)

static base_rc split_part(base_str s, base_str by, int32_t field, base_str *to, base_error *err) {
    *to = BASE_STR("");
    if (field == 0) {
        return base_fail(err, BASE_E_INVALID, NULL, "field position must not be zero");
    }
    if (by.n == 0) {
        if (field == 1 || field == -1) *to = s;
        return BASE_OK;
    }
    int64_t want = field;
    if (field < 0) {
        int64_t fields = 1;
        for (size_t at = 0; at < s.n; fields++) {
            const char *hit = memmem(s.p + at, s.n - at, by.p, by.n);
            if (hit == NULL) break;
            at = (size_t)(hit - s.p) + by.n;
        }
        want = fields + 1 + field;
        if (want < 1) return BASE_OK;
    }
    size_t begin = 0;
    for (;;) {
        const char *hit = s.n == begin ? NULL : memmem(s.p + begin, s.n - begin, by.p, by.n);
        size_t end = hit == NULL ? s.n : (size_t)(hit - s.p);
        if (--want == 0) {
            *to = slice(s, begin, end);
            return BASE_OK;
        }
        if (hit == NULL) return BASE_OK;
        begin = end + by.n;
    }
}

FUNC_KERNEL(split_part_text) {
    FUNC_UNUSED;
    base_error e;
    FUNC_EACH(i) {
        FUNC_ROW_CALL(split_part(col_str(args[0])[i], col_str(args[1])[i], col_i32(args[2])[i],
                                 &col_str(out)[i], &e));
    }
    return BASE_OK;
}

// ---- search ----

FUNC_KERNEL(strpos_text) {
    FUNC_UNUSED;
    FUNC_EACH(i) {
        base_str s = col_str(args[0])[i], part = col_str(args[1])[i];
        const char *hit = part.n == 0 ? s.p : memmem(s.p, s.n, part.p, part.n);
        bool found = part.n == 0 || (s.n > 0 && hit != NULL);
        int64_t before =
            found && part.n > 0 ? func_utf8_count(slice(s, 0, (size_t)(hit - s.p))) : 0;
        col_i32(out)[i] = found ? (int32_t)before + 1 : 0;
    }
    return BASE_OK;
}

FUNC_KERNEL(strpos_bytea) {
    FUNC_UNUSED;
    FUNC_EACH(i) {
        base_str s = col_str(args[0])[i], part = col_str(args[1])[i];
        const char *hit = part.n == 0 || s.n == 0 ? NULL : memmem(s.p, s.n, part.p, part.n);
        col_i32(out)[i] = part.n == 0 ? 1 : hit == NULL ? 0 : (int32_t)(hit - s.p) + 1;
    }
    return BASE_OK;
}

FUNC_KERNEL(starts_with_text) {
    FUNC_UNUSED;
    FUNC_EACH(i) col_u8(out)[i] = base_str_starts(col_str(args[0])[i], col_str(args[1])[i]);
    return BASE_OK;
}

static base_rc replace_all(col_func_ctx *ctx, size_t *budget, base_str s, base_str from,
                           base_str with, base_str *to, base_error *err) {
    *to = s;
    if (from.n == 0 || s.n < from.n) return BASE_OK;
    uint64_t hits = 0;
    for (size_t at = 0; at < s.n; hits++) {
        const char *hit = memmem(s.p + at, s.n - at, from.p, from.n);
        if (hit == NULL) break;
        at = (size_t)(hit - s.p) + from.n;
    }
    if (hits == 0) return BASE_OK;
    uint64_t bytes = s.n - hits * from.n + hits * (uint64_t)with.n;
    base_rc rc = func_take_bytes(budget, bytes, err);
    if (rc != BASE_OK) return rc;
    char *p = base_arena_alloc(ctx->arena, bytes);
    *to = (base_str){p, bytes};
    size_t at = 0;
    for (; hits > 0; hits--) {
        const char *hit = memmem(s.p + at, s.n - at, from.p, from.n);
        size_t before = (size_t)(hit - s.p) - at;
        memcpy(p, s.p + at, before);
        p += before;
        if (with.n > 0) memcpy(p, with.p, with.n);
        p += with.n;
        at += before + from.n;
    }
    memcpy(p, s.p + at, s.n - at);
    return BASE_OK;
}

FUNC_KERNEL(replace_text) {
    FUNC_UNUSED;
    size_t budget = FUNC_BATCH_BYTES_MAX;
    base_error e;
    FUNC_EACH(i) {
        FUNC_ROW_CALL(replace_all(ctx, &budget, col_str(args[0])[i], col_str(args[1])[i],
                                  col_str(args[2])[i], &col_str(out)[i], &e));
    }
    return BASE_OK;
}

// Each character of `from` becomes the one at its place in `to`, or vanishes.
FUNC_KERNEL(translate_text) {
    FUNC_UNUSED;
    size_t budget = FUNC_BATCH_BYTES_MAX;
    base_error e;
    FUNC_EACH(i) {
        base_str s = col_str(args[0])[i], from = col_str(args[1])[i], with = col_str(args[2])[i];
        base_rc rc = func_take_bytes(&budget, (uint64_t)s.n * 4, &e);
        if (rc != BASE_OK) {
            FUNC_TOLERATE(func_row_error(ctx, out, i, &e));
            continue;
        }
        char *p = base_arena_alloc(ctx->arena, s.n * 4);
        size_t length = 0;
        for (size_t at = 0; at < s.n;) {
            uint32_t code = func_utf8_decode(s, &at);
            size_t f = 0, w = 0;
            bool found = false;
            while (f < from.n && !found) {
                found = func_utf8_decode(from, &f) == code;
                if (!found && w < with.n) func_utf8_decode(with, &w);
            }
            if (found && w >= with.n) continue;
            length += func_utf8_encode(found ? func_utf8_decode(with, &w) : code, p + length);
        }
        col_str(out)[i] = (base_str){p, length};
    }
    return BASE_OK;
}

// ---- case ----

static pthread_once_t locale_once = PTHREAD_ONCE_INIT;
static locale_t utf8_locale; // 0 if the system has none: then only ASCII has case

static void locale_make(void) {
    utf8_locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
}

locale_t func_utf8_locale(void) {
    pthread_once(&locale_once, locale_make);
    return utf8_locale;
}

typedef enum text_case {
    CASE_LOWER,
    CASE_UPPER,
    CASE_INITCAP,
} text_case;

static uint32_t case_of(uint32_t code, bool upper, locale_t locale) {
    if (code < 0x80) {
        if (upper) return code >= 'a' && code <= 'z' ? code - 32 : code;
        return code >= 'A' && code <= 'Z' ? code + 32 : code;
    }
    if (locale == (locale_t)0) return code;
    return (uint32_t)(upper ? towupper_l((wint_t)code, locale) : towlower_l((wint_t)code, locale));
}

static bool is_word(uint32_t code, locale_t locale) {
    if (code < 0x80) {
        return (code >= '0' && code <= '9') || (code >= 'a' && code <= 'z') ||
               (code >= 'A' && code <= 'Z');
    }
    return locale != (locale_t)0 && iswalnum_l((wint_t)code, locale) != 0;
}

static base_str change_case(base_arena *arena, base_str s, text_case how) {
    locale_t locale = func_utf8_locale();
    char *p = base_arena_alloc(arena, s.n * 2 + 4); // a case pair differs by one byte at most
    size_t length = 0;
    bool in_word = false;
    if (how != CASE_INITCAP) {
        while (length < s.n && (uint8_t)s.p[length] < 0x80) {
            char c = s.p[length];
            bool change = how == CASE_UPPER ? c >= 'a' && c <= 'z' : c >= 'A' && c <= 'Z';
            p[length++] = (char)(change ? c ^ 0x20 : c);
        }
    }
    for (size_t at = length; at < s.n;) {
        uint32_t code = func_utf8_decode(s, &at);
        bool upper = how == CASE_UPPER || (how == CASE_INITCAP && !in_word);
        if (how == CASE_INITCAP) in_word = is_word(code, locale);
        length += func_utf8_encode(case_of(code, upper, locale), p + length);
    }
    return (base_str){p, length};
}

base_str func_lower(base_arena *arena, base_str s) {
    return change_case(arena, s, CASE_LOWER);
}

#define CASE_KERNEL(name, how)                                                                     \
    FUNC_KERNEL(name) {                                                                            \
        FUNC_UNUSED;                                                                               \
        FUNC_EACH(i) col_str(out)[i] = change_case(ctx->arena, col_str(args[0])[i], how);          \
        return BASE_OK;                                                                            \
    }
CASE_KERNEL(lower_text, CASE_LOWER)
CASE_KERNEL(upper_text, CASE_UPPER)
CASE_KERNEL(initcap_text, CASE_INITCAP)

// ---- making ----

static base_rc pad(col_func_ctx *ctx, size_t *budget, base_str s, int32_t width, base_str fill,
                   bool left, base_str *to, base_error *err) {
    int64_t have = func_utf8_count(s);
    if (width < 0) width = 0;
    if (have >= width || fill.n == 0) {
        *to = slice(s, 0, func_utf8_offset(s, width));
        return BASE_OK;
    }
    int64_t missing = width - have, fill_chars = func_utf8_count(fill);
    uint64_t whole = (uint64_t)(missing / fill_chars);
    size_t part = func_utf8_offset(fill, missing % fill_chars);
    uint64_t bytes = s.n + whole * fill.n + part;
    base_rc rc = func_take_bytes(budget, bytes, err);
    if (rc != BASE_OK) return rc;
    char *p = base_arena_alloc(ctx->arena, bytes);
    *to = (base_str){p, bytes};
    if (!left && s.n > 0) memcpy(p, s.p, s.n);
    char *at = left ? p : p + s.n;
    for (; whole > 0; whole--, at += fill.n) memcpy(at, fill.p, fill.n);
    memcpy(at, fill.p, part);
    if (left && s.n > 0) memcpy(at + part, s.p, s.n);
    return BASE_OK;
}

static base_rc pad_rows(col_func_ctx *ctx, uint32_t n, uint32_t nargs, const col_vec *const *args,
                        col_vec *out, bool left) {
    size_t budget = FUNC_BATCH_BYTES_MAX;
    base_error e;
    FUNC_EACH(i) {
        base_str fill = nargs > 2 ? col_str(args[2])[i] : BASE_STR(" ");
        FUNC_ROW_CALL(pad(ctx, &budget, col_str(args[0])[i], col_i32(args[1])[i], fill, left,
                          &col_str(out)[i], &e));
    }
    return BASE_OK;
}

FUNC_KERNEL(lpad_text) {
    return pad_rows(ctx, n, nargs, args, out, true);
}

FUNC_KERNEL(rpad_text) {
    return pad_rows(ctx, n, nargs, args, out, false);
}

FUNC_KERNEL(repeat_text) {
    FUNC_UNUSED;
    size_t budget = FUNC_BATCH_BYTES_MAX;
    base_error e;
    FUNC_EACH(i) {
        base_str s = col_str(args[0])[i];
        int32_t times = col_i32(args[1])[i] > 0 ? col_i32(args[1])[i] : 0;
        uint64_t bytes = (uint64_t)times * s.n;
        if (func_take_bytes(&budget, bytes, &e) != BASE_OK) {
            FUNC_TOLERATE(func_row_error(ctx, out, i, &e));
            continue;
        }
        char *p = base_arena_alloc(ctx->arena, bytes);
        if (s.n > 0) {
            for (int32_t k = 0; k < times; k++) memcpy(p + (size_t)k * s.n, s.p, s.n);
        }
        col_str(out)[i] = (base_str){p, bytes};
    }
    return BASE_OK;
}

FUNC_KERNEL(reverse_text) {
    FUNC_UNUSED;
    FUNC_EACH(i) {
        base_str s = col_str(args[0])[i];
        char *p = base_arena_alloc(ctx->arena, s.n);
        for (size_t at = 0; at < s.n;) {
            size_t length = func_utf8_len((uint8_t)s.p[at]);
            if (length > s.n - at) length = s.n - at;
            memcpy(p + s.n - at - length, s.p + at, length);
            at += length;
        }
        col_str(out)[i] = (base_str){p, s.n};
    }
    return BASE_OK;
}

FUNC_KERNEL(ascii_text) {
    FUNC_UNUSED;
    FUNC_EACH(i) {
        size_t at = 0;
        base_str s = col_str(args[0])[i];
        col_i32(out)[i] = s.n == 0 ? 0 : (int32_t)func_utf8_decode(s, &at);
    }
    return BASE_OK;
}

FUNC_KERNEL(chr_text) {
    FUNC_UNUSED;
    FUNC_EACH(i) {
        int32_t code = col_i32(args[0])[i];
        if (code == 0) {
            FUNC_TOLERATE(func_row_fail(ctx, out, i, BASE_E_LIMIT, BASE_SQLSTATE_LIMIT,
                                        "null character not permitted"));
        } else if (code < 0) {
            FUNC_TOLERATE(func_row_fail(ctx, out, i, BASE_E_INVALID,
                                        BASE_SQLSTATE_INVALID_PARAMETER,
                                        "character number must be positive"));
        } else if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) {
            FUNC_TOLERATE(func_row_fail(ctx, out, i, BASE_E_LIMIT, BASE_SQLSTATE_LIMIT,
                                        "requested character not valid for encoding"));
        } else {
            char *p = base_arena_alloc_aligned(ctx->arena, 4, 1);
            col_str(out)[i] = (base_str){p, func_utf8_encode((uint32_t)code, p)};
        }
    }
    return BASE_OK;
}

// ---- concatenation ----

static base_rc join(col_func_ctx *ctx, size_t *budget, base_str a, base_str b, base_str *to,
                    base_error *err) {
    base_rc rc = func_take_bytes(budget, (uint64_t)a.n + b.n, err);
    if (rc != BASE_OK) return rc;
    char *p = base_arena_alloc_aligned(ctx->arena, a.n + b.n, 1);
    if (a.n > 0) memcpy(p, a.p, a.n);
    if (b.n > 0) memcpy(p + a.n, b.p, b.n);
    *to = (base_str){p, a.n + b.n};
    return BASE_OK;
}

FUNC_KERNEL(concat_two) {
    FUNC_UNUSED;
    size_t budget = FUNC_BATCH_BYTES_MAX;
    base_error e;
    FUNC_EACH(i) {
        FUNC_ROW_CALL(
            join(ctx, &budget, col_str(args[0])[i], col_str(args[1])[i], &col_str(out)[i], &e));
    }
    return BASE_OK;
}

// A value's text: as a cast to text gives it (cast), or as output does (boolean: 't').
static void add_text(base_buf *buf, const col_func_ctx *ctx, const col_vec *vec, uint32_t row,
                     bool cast) {
    if (col_kind_is_string(vec->type.kind) && vec->type.kind != COL_BYTEA &&
        !col_kind_is_array(vec->type.kind)) {
        base_buf_add_str(buf, col_str(vec)[row]);
    } else if (cast && vec->type.kind == COL_BOOL) {
        base_buf_add_cstr(buf, col_u8(vec)[row] ? "true" : "false");
    } else if (vec->type.kind == COL_REGCLASS) {
        base_buf_add_str(buf, func_regclass_name(ctx, col_u32(vec)[row]));
    } else {
        col_text_format(vec, row, ctx->zone, buf);
    }
}

void func_add_text(base_buf *buf, const col_func_ctx *ctx, const col_vec *vec, uint32_t row) {
    add_text(buf, ctx, vec, row, false);
}

base_rc func_put_text(col_func_ctx *ctx, size_t *budget, const base_buf *buf, col_vec *out,
                      uint32_t row) {
    base_error e;
    if (func_take_bytes(budget, buf->n, &e) != BASE_OK) return func_row_error(ctx, out, row, &e);
    col_str(out)[row] = (base_str){base_arena_memdup(ctx->arena, buf->p, buf->n), buf->n};
    return BASE_OK;
}

// text || any, any || text.
FUNC_KERNEL(concat_any) {
    FUNC_UNUSED;
    size_t budget = FUNC_BATCH_BYTES_MAX;
    base_buf buf = {0};
    base_rc rc = BASE_OK;
    for (uint32_t i = 0; i < n && rc == BASE_OK; i++) {
        if (col_is_null(out, i)) continue;
        base_buf_clear(&buf);
        add_text(&buf, ctx, args[0], i, true);
        add_text(&buf, ctx, args[1], i, true);
        rc = func_put_text(ctx, &budget, &buf, out, i);
    }
    base_buf_deinit(&buf);
    return rc;
}

// concat(a, ...): nulls count as nothing.
FUNC_KERNEL(concat_all) {
    size_t budget = FUNC_BATCH_BYTES_MAX;
    base_buf buf = {0};
    base_rc rc = BASE_OK;
    for (uint32_t i = 0; i < n && rc == BASE_OK; i++) {
        base_buf_clear(&buf);
        for (uint32_t a = 0; a < nargs; a++) {
            if (!col_is_null(args[a], i)) add_text(&buf, ctx, args[a], i, false);
        }
        rc = func_put_text(ctx, &budget, &buf, out, i);
    }
    base_buf_deinit(&buf);
    return rc;
}

FUNC_KERNEL(concat_with_separator) {
    size_t budget = FUNC_BATCH_BYTES_MAX;
    base_buf buf = {0};
    base_rc rc = BASE_OK;
    for (uint32_t i = 0; i < n && rc == BASE_OK; i++) {
        if (col_is_null(args[0], i)) {
            col_vec_set_null(out, ctx->arena, i);
            continue;
        }
        base_buf_clear(&buf);
        bool first = true;
        for (uint32_t a = 1; a < nargs; a++) {
            if (col_is_null(args[a], i)) continue;
            if (!first) base_buf_add_str(&buf, col_str(args[0])[i]);
            first = false;
            add_text(&buf, ctx, args[a], i, false);
        }
        rc = func_put_text(ctx, &budget, &buf, out, i);
    }
    base_buf_deinit(&buf);
    return rc;
}

#define S COL_FUNC_STRICT
#define T COL_TEXT
#define N COL_INT4

static const col_func rows[] = {
    {"length", 1, {T}, N, S, length_text, NULL},
    {"char_length", 1, {T}, N, S, length_text, NULL},
    {"character_length", 1, {T}, N, S, length_text, NULL},
    {"length", 1, {COL_BYTEA}, N, S, length_bytes, NULL},
    {"octet_length", 1, {T}, N, S, length_bytes, NULL},
    {"octet_length", 1, {COL_BYTEA}, N, S, length_bytes, NULL},
    {"bit_length", 1, {T}, N, S, length_bits, NULL},
    {"bit_length", 1, {COL_BYTEA}, N, S, length_bits, NULL},
    {"substring", 2, {T, N}, T, S, substring_text, NULL},
    {"substring", 3, {T, N, N}, T, S, substring_text, NULL},
    {"substr", 2, {T, N}, T, S, substring_text, NULL},
    {"substr", 3, {T, N, N}, T, S, substring_text, NULL},
    {"substring", 2, {COL_BYTEA, N}, COL_BYTEA, S, substring_bytea, NULL},
    {"substring", 3, {COL_BYTEA, N, N}, COL_BYTEA, S, substring_bytea, NULL},
    {"substr", 2, {COL_BYTEA, N}, COL_BYTEA, S, substring_bytea, NULL},
    {"substr", 3, {COL_BYTEA, N, N}, COL_BYTEA, S, substring_bytea, NULL},
    {"left", 2, {T, N}, T, S, left_text, NULL},
    {"right", 2, {T, N}, T, S, right_text, NULL},
    {"btrim", 1, {T}, T, S, btrim_text, NULL},
    {"btrim", 2, {T, T}, T, S, btrim_text, NULL},
    {"ltrim", 1, {T}, T, S, ltrim_text, NULL},
    {"ltrim", 2, {T, T}, T, S, ltrim_text, NULL},
    {"rtrim", 1, {T}, T, S, rtrim_text, NULL},
    {"rtrim", 2, {T, T}, T, S, rtrim_text, NULL},
    {"split_part", 3, {T, T, N}, T, S, split_part_text, NULL},
    {"strpos", 2, {T, T}, N, S, strpos_text, NULL},
    {"position", 2, {T, T}, N, S, strpos_text, NULL},
    {"position", 2, {COL_BYTEA, COL_BYTEA}, N, S, strpos_bytea, NULL},
    {"starts_with", 2, {T, T}, COL_BOOL, S, starts_with_text, NULL},
    {"^@", 2, {T, T}, COL_BOOL, S, starts_with_text, NULL},
    {"replace", 3, {T, T, T}, T, S, replace_text, NULL},
    {"translate", 3, {T, T, T}, T, S, translate_text, NULL},
    {"lower", 1, {T}, T, S, lower_text, NULL},
    {"upper", 1, {T}, T, S, upper_text, NULL},
    {"initcap", 1, {T}, T, S, initcap_text, NULL},
    {"lpad", 2, {T, N}, T, S, lpad_text, NULL},
    {"lpad", 3, {T, N, T}, T, S, lpad_text, NULL},
    {"rpad", 2, {T, N}, T, S, rpad_text, NULL},
    {"rpad", 3, {T, N, T}, T, S, rpad_text, NULL},
    {"repeat", 2, {T, N}, T, S, repeat_text, NULL},
    {"reverse", 1, {T}, T, S, reverse_text, NULL},
    {"ascii", 1, {T}, N, S, ascii_text, NULL},
    {"chr", 1, {N}, T, S, chr_text, NULL},
    {"||", 2, {T, T}, T, S, concat_two, NULL},
    {"||", 2, {COL_BYTEA, COL_BYTEA}, COL_BYTEA, S, concat_two, NULL},
    {"||", 2, {T, COL_UNKNOWN}, T, S, concat_any, NULL},
    {"||", 2, {COL_UNKNOWN, T}, T, S, concat_any, NULL},
    {"concat", 1, {COL_UNKNOWN}, T, COL_FUNC_VARIADIC, concat_all, NULL},
    {"concat_ws", 2, {T, COL_UNKNOWN}, T, COL_FUNC_VARIADIC, concat_with_separator, NULL},
};
FUNC_TABLE(func_text_table, rows);
