// func_ident.c - texts that are written by SQL's rules: parse_ident takes a qualified name apart,
// unistr reads Unicode escapes. Source: PostgreSQL 15, "String Functions".
#include "base/must.h"
#include "col/func_text_int.h"

static bool is_space(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool starts_name(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (uint8_t)c >= 0x80;
}

static bool continues_name(char c) {
    return starts_name(c) || (c >= '0' && c <= '9') || c == '$';
}

static base_rc bad_name(base_str text, const char *detail, base_error *err) {
    base_str shown = text;
    if (shown.n > 200) shown.n = base_utf8_valid_prefix((base_str){text.p, 200});
    base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER,
              "string is not a valid identifier: \"%.*s\"", BASE_STR_ARG(shown));
    if (detail != NULL) base_error_detail(err, "%s", detail);
    return err->code;
}

static void skip_spaces(base_str text, size_t *at) {
    while (*at < text.n && is_space(text.p[*at])) (*at)++;
}

// One part of a name at *at, unquoted and folded, into buf.
static base_rc take_part(base_str text, size_t *at, bool after_dot, base_buf *buf,
                         base_error *err) {
    base_buf_clear(buf);
    size_t i = *at;
    if (i < text.n && text.p[i] == '"') {
        for (i++;; i++) {
            if (i == text.n) return bad_name(text, "The text has unclosed double quotes.", err);
            if (text.p[i] == '"') {
                if (i + 1 >= text.n || text.p[i + 1] != '"') break;
                i++;
            }
            base_buf_add_byte(buf, (uint8_t)text.p[i]);
        }
        *at = i + 1;
        if (buf->n == 0) return bad_name(text, "A quoted identifier must not be empty.", err);
        return BASE_OK;
    }
    if (i >= text.n || !starts_name(text.p[i])) {
        return bad_name(text,
                        i < text.n && text.p[i] == '.'
                            ? "There is no valid identifier before \".\"."
                        : after_dot ? "There is no valid identifier after \".\"."
                                    : NULL,
                        err);
    }
    for (; i < text.n && continues_name(text.p[i]); i++) {
        char c = text.p[i];
        base_buf_add_byte(buf, (uint8_t)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c));
    }
    *at = i;
    return BASE_OK;
}

static base_rc take_parts(base_str text, bool strict, col_array_writer *writer, base_buf *buf,
                          base_error *err) {
    size_t at = 0;
    skip_spaces(text, &at);
    for (bool after_dot = false;; after_dot = true) {
        base_rc rc = take_part(text, &at, after_dot, buf, err);
        if (rc != BASE_OK) return rc;
        base_str part = base_buf_str(buf);
        col_vec cell = {.type = col_type_of(COL_TEXT), .n = 1, .data = &part};
        col_array_writer_add(writer, &cell, 0);
        skip_spaces(text, &at);
        if (at < text.n && text.p[at] == '.') {
            at++;
            skip_spaces(text, &at);
            continue;
        }
        return at == text.n || !strict ? BASE_OK : bad_name(text, NULL, err);
    }
}

FUNC_KERNEL(parse_ident_text) {
    size_t budget = FUNC_BATCH_BYTES_MAX;
    col_array_writer writer = {0};
    base_buf buf = {0};
    base_error e;
    base_rc rc = BASE_OK;
    for (uint32_t i = 0; i < n && rc == BASE_OK; i++) {
        if (col_is_null(out, i)) continue;
        bool strict = nargs == 1 || col_u8(args[1])[i] != 0;
        col_array_writer_begin(&writer, COL_TEXT);
        rc = take_parts(col_str(args[0])[i], strict, &writer, &buf, &e);
        rc = rc == BASE_OK ? func_put_array(ctx, &budget, &writer, out, i)
                           : func_row_error(ctx, out, i, &e);
    }
    col_array_writer_deinit(&writer);
    base_buf_deinit(&buf);
    return rc;
}

// ---- unistr ----

// The value of `digits` hexadecimal digits at s[at]; false if they are not there.
static bool take_hex(base_str s, size_t at, size_t digits, uint32_t *code) {
    if (at > s.n || digits > s.n - at) return false;
    *code = 0;
    for (size_t i = 0; i < digits; i++) {
        char c = s.p[at + i];
        uint32_t digit = c >= '0' && c <= '9'   ? (uint32_t)(c - '0')
                         : c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a' + 10)
                         : c >= 'A' && c <= 'F' ? (uint32_t)(c - 'A' + 10)
                                                : 16;
        if (digit == 16) return false;
        *code = *code << 4 | digit;
    }
    return true;
}

// The escape behind a backslash at *at: XXXX, +XXXXXX, uXXXX, UXXXXXXXX.
static base_rc take_escape(base_str s, size_t *at, uint32_t *code, base_error *err) {
    static const struct {
        char letter;
        size_t digits;
    } forms[] = {{'+', 6}, {'u', 4}, {'U', 8}};
    size_t skip = 0, digits = 4;
    for (size_t k = 0; k < sizeof forms / sizeof forms[0]; k++) {
        if (*at >= s.n || s.p[*at] != forms[k].letter) continue;
        skip = 1;
        digits = forms[k].digits;
    }
    if (!take_hex(s, *at + skip, digits, code)) {
        base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_SYNTAX, "invalid Unicode escape");
        base_error_hint(err, "Unicode escapes must be \\XXXX, \\+XXXXXX, \\uXXXX, or \\UXXXXXXXX.");
        return err->code;
    }
    *at += skip + digits;
    if (*code == 0 || *code > 0x10ffff)
        return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER,
                         "invalid Unicode code point: %04X", *code);
    return BASE_OK;
}

static base_rc bad_pair(base_error *err) {
    return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_SYNTAX, "invalid Unicode surrogate pair");
}

static base_rc unescape(base_str s, base_buf *buf, base_error *err) {
    uint32_t first = 0; // of a pair of surrogates
    for (size_t at = 0; at < s.n;) {
        if (s.p[at] != '\\' || (at + 1 < s.n && s.p[at + 1] == '\\')) {
            if (first != 0) return bad_pair(err);
            at += s.p[at] == '\\';
            base_buf_add_byte(buf, (uint8_t)s.p[at++]);
            continue;
        }
        uint32_t code;
        at++;
        base_rc rc = take_escape(s, &at, &code, err);
        if (rc != BASE_OK) return rc;
        bool high = code >= 0xd800 && code < 0xdc00, low = code >= 0xdc00 && code < 0xe000;
        if ((first != 0) != low) return bad_pair(err);
        if (high) {
            first = code;
            continue;
        }
        if (low) code = 0x10000 + ((first - 0xd800) << 10) + (code - 0xdc00);
        first = 0;
        char encoded[4];
        base_buf_add_str(buf, (base_str){encoded, func_utf8_encode(code, encoded)});
    }
    return first == 0 ? BASE_OK : bad_pair(err);
}

FUNC_KERNEL(unistr_text) {
    FUNC_UNUSED;
    size_t budget = FUNC_BATCH_BYTES_MAX;
    base_buf buf = {0};
    base_error e;
    base_rc rc = BASE_OK;
    for (uint32_t i = 0; i < n && rc == BASE_OK; i++) {
        if (col_is_null(out, i)) continue;
        base_buf_clear(&buf);
        rc = unescape(col_str(args[0])[i], &buf, &e);
        rc = rc == BASE_OK ? func_put_text(ctx, &budget, &buf, out, i)
                           : func_row_error(ctx, out, i, &e);
    }
    base_buf_deinit(&buf);
    return rc;
}

#define S COL_FUNC_STRICT

static const col_func rows[] = {
    {"parse_ident", 1, {COL_TEXT}, COL_TEXT_ARRAY, S, parse_ident_text, NULL},
    {"parse_ident", 2, {COL_TEXT, COL_BOOL}, COL_TEXT_ARRAY, S, parse_ident_text, NULL},
    {"unistr", 1, {COL_TEXT}, COL_TEXT, S, unistr_text, NULL},
};
FUNC_TABLE(func_ident_table, rows);
