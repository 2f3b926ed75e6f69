// func_convert.c - texts in other encodings, as bytes: convert, convert_from, convert_to, length of
// bytes in an encoding. Text is UTF-8; beside it ISO 8859-1 (LATIN1) and 8859-15 (LATIN9), Windows
// 1252 and SQL_ASCII, which is any bytes, are known. Others are refused by name. Source: PostgreSQL
// 15, "Character Set Support".
#include <stdio.h>

#include "base/must.h"
#include "col/func_int.h"

typedef enum encoding {
    ENCODING_UTF8,
    ENCODING_LATIN1,
    ENCODING_LATIN9,
    ENCODING_WIN1252,
    ENCODING_ASCII,
} encoding;

static const char *const encoding_names[] = {"UTF8", "LATIN1", "LATIN9", "WIN1252", "SQL_ASCII"};

// Names are compared by their letters and digits.
static const struct {
    const char *name;
    encoding encoding;
} spellings[] = {
    {"utf8", ENCODING_UTF8},       {"unicode", ENCODING_UTF8},
    {"latin1", ENCODING_LATIN1},   {"iso88591", ENCODING_LATIN1},
    {"latin9", ENCODING_LATIN9},   {"iso885915", ENCODING_LATIN9},
    {"win1252", ENCODING_WIN1252}, {"windows1252", ENCODING_WIN1252},
    {"sqlascii", ENCODING_ASCII},
};
// What PostgreSQL has and we have not.
static const char others[] =
    " abc alt big5 eucjis2004 euccn eucjp euckr euctw gb18030 gbk iso88592 iso88593 iso88594 "
    "iso88595"
    " iso88596 iso88597 iso88598 iso88599 iso885910 iso885913 iso885914 iso885916 johab koi8 koi8r"
    " koi8u latin2 latin3 latin4 latin5 latin6 latin7 latin8 latin10 muleinternal mskanji shiftjis"
    " shiftjis2004 sjis tcvn tcvn5712 uhc vscii win win866 win874 win932 win936 win949 win950 "
    "win1250"
    " win1251 win1253 win1254 win1255 win1256 win1257 win1258 windows1250 windows1251 windows1253"
    " windows1254 windows1255 windows1256 windows1257 windows1258 ";

// The code points of 0x80..0x9f in Windows 1252; 0: none.
static const uint16_t win1252_high[32] = {
    0x20ac, 0,      0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021, 0x02c6, 0x2030, 0x0160,
    0x2039, 0x0152, 0,      0x017d, 0,      0,      0x2018, 0x2019, 0x201c, 0x201d, 0x2022,
    0x2013, 0x2014, 0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0,      0x017e, 0x0178};
// Where 8859-15 is not 8859-1.
static const uint16_t latin9_changes[][2] = {{0xa4, 0x20ac}, {0xa6, 0x0160}, {0xa8, 0x0161},
                                             {0xb4, 0x017d}, {0xb8, 0x017e}, {0xbc, 0x0152},
                                             {0xbd, 0x0153}, {0xbe, 0x0178}};

static base_rc find_encoding(base_str name, const char *side, encoding *out, base_error *err) {
    char word[66] = " ";
    size_t n = 1;
    for (size_t i = 0; i < name.n && n < sizeof word - 2; i++) {
        char c = name.p[i];
        if (c >= 'A' && c <= 'Z') c = (char)(c - 'A' + 'a');
        if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) word[n++] = c;
    }
    word[n] = '\0';
    for (size_t i = 0; i < sizeof spellings / sizeof spellings[0]; i++) {
        if (strcmp(spellings[i].name, word + 1) != 0) continue;
        *out = spellings[i].encoding;
        return BASE_OK;
    }
    word[n++] = ' ';
    word[n] = '\0';
    if (name.n > 64) name.n = base_utf8_valid_prefix((base_str){name.p, 64});
    if (n > 2 && strstr(others, word) != NULL)
        return base_fail(err, BASE_E_UNSUPPORTED, NULL, "encoding \"%.*s\" is not supported",
                         BASE_STR_ARG(name));
    return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER,
                     "invalid %s encoding name \"%.*s\"", side, BASE_STR_ARG(name));
}

static base_rc invalid_bytes(base_str s, size_t at, size_t length, encoding from, base_error *err) {
    char text[32] = "";
    for (size_t i = 0, n = 0; i < length && at + i < s.n; i++) {
        n += (size_t)snprintf(text + n, sizeof text - n, "%s0x%02x", i > 0 ? " " : "",
                              (uint8_t)s.p[at + i]);
    }
    return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_INVALID_ENCODING,
                     "invalid byte sequence for encoding \"%s\": %s", encoding_names[from], text);
}

// Whether the bytes are a text in the encoding.
static base_rc check_text(base_str s, encoding from, base_error *err) {
    const char *zero = s.n == 0 ? NULL : memchr(s.p, 0, s.n);
    size_t valid = from == ENCODING_UTF8 ? base_utf8_valid_prefix(s) : s.n;
    if (zero != NULL && (size_t)(zero - s.p) < valid)
        return invalid_bytes(s, (size_t)(zero - s.p), 1, from, err);
    if (valid == s.n) return BASE_OK;
    uint8_t lead = (uint8_t)s.p[valid];
    return invalid_bytes(s, valid, lead < 0xc0 || lead >= 0xf8 ? 1 : func_utf8_len(lead), from,
                         err);
}

static uint32_t code_of(uint8_t byte, encoding from) {
    if (from == ENCODING_WIN1252 && byte >= 0x80 && byte < 0xa0) return win1252_high[byte - 0x80];
    for (size_t i = 0;
         from == ENCODING_LATIN9 && i < sizeof latin9_changes / sizeof latin9_changes[0]; i++)
        if (latin9_changes[i][0] == byte) return latin9_changes[i][1];
    return byte;
}

static bool byte_of(uint32_t code, encoding to, uint8_t *byte) {
    if (code < 0x80) {
        *byte = (uint8_t)code;
        return true;
    }
    for (uint32_t b = 0x80; b < 0x100; b++) {
        if (code_of((uint8_t)b, to) != code) continue;
        *byte = (uint8_t)b;
        return true;
    }
    return false;
}

static base_rc no_equivalent(base_str bytes, encoding from, encoding to, base_error *err) {
    char text[32] = "";
    for (size_t i = 0, n = 0; i < bytes.n && i < 4; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "%s0x%02x", i > 0 ? " " : "",
                              (uint8_t)bytes.p[i]);
    return base_fail(err, BASE_E_INVALID, "22P05",
                     "character with byte sequence %s in encoding \"%s\" has no equivalent in "
                     "encoding \"%s\"",
                     text, encoding_names[from], encoding_names[to]);
}

static base_rc convert(base_str s, encoding from, encoding to, base_buf *buf, base_error *err) {
    base_rc rc = check_text(s, from, err);
    if (rc != BASE_OK) return rc;
    if (from == to || from == ENCODING_ASCII || to == ENCODING_ASCII) { // bytes stay what they are
        base_buf_add_str(buf, s);
        return check_text(s, to, err);
    }
    for (size_t at = 0; at < s.n;) {
        size_t begin = at;
        uint32_t code =
            from == ENCODING_UTF8 ? func_utf8_decode(s, &at) : code_of((uint8_t)s.p[at++], from);
        base_str bytes = {s.p + begin, at - begin};
        uint8_t byte;
        char encoded[4];
        if (code == 0) return no_equivalent(bytes, from, to, err);
        if (to == ENCODING_UTF8) {
            base_buf_add_str(buf, (base_str){encoded, func_utf8_encode(code, encoded)});
        } else if (byte_of(code, to, &byte)) {
            base_buf_add_byte(buf, byte);
        } else {
            return no_equivalent(bytes, from, to, err);
        }
    }
    return BASE_OK;
}

// from, to: arguments that name the encodings, or NULL for that of texts.
static base_rc convert_rows(col_func_ctx *ctx, uint32_t n, const col_vec *bytes,
                            const col_vec *from, const col_vec *to, col_vec *out) {
    size_t budget = FUNC_BATCH_BYTES_MAX;
    base_buf buf = {0};
    base_error e;
    base_rc rc = BASE_OK;
    for (uint32_t i = 0; i < n && rc == BASE_OK; i++) {
        if (col_is_null(out, i)) continue;
        encoding source = ENCODING_UTF8, target = ENCODING_UTF8;
        base_buf_clear(&buf);
        if (from != NULL) rc = find_encoding(col_str(from)[i], "source", &source, &e);
        if (rc == BASE_OK && to != NULL)
            rc = find_encoding(col_str(to)[i], "destination", &target, &e);
        if (rc == BASE_OK) rc = convert(col_str(bytes)[i], source, target, &buf, &e);
        if (rc == BASE_OK) rc = func_take_bytes(&budget, buf.n, &e);
        if (rc != BASE_OK) {
            rc = func_row_error(ctx, out, i, &e);
            continue;
        }
        col_str(out)[i] = (base_str){base_arena_memdup(ctx->arena, buf.p, buf.n), buf.n};
    }
    base_buf_deinit(&buf);
    return rc;
}

FUNC_KERNEL(convert_bytes) {
    FUNC_UNUSED;
    return convert_rows(ctx, n, args[0], args[1], args[2], out);
}
FUNC_KERNEL(convert_from_bytes) {
    FUNC_UNUSED;
    return convert_rows(ctx, n, args[0], args[1], NULL, out);
}
FUNC_KERNEL(convert_to_bytes) {
    FUNC_UNUSED;
    return convert_rows(ctx, n, args[0], NULL, args[1], out);
}

FUNC_KERNEL(length_in_encoding) {
    FUNC_UNUSED;
    base_error e;
    FUNC_EACH(i) {
        base_str s = col_str(args[0])[i];
        encoding from = ENCODING_UTF8;
        base_rc rc = find_encoding(col_str(args[1])[i], "source", &from, &e);
        if (rc == BASE_OK) rc = check_text(s, from, &e);
        col_i32(out)[i] = (int32_t)(from == ENCODING_UTF8 ? func_utf8_count(s) : (int64_t)s.n);
        FUNC_ROW_CALL(rc);
    }
    return BASE_OK;
}

#define S    COL_FUNC_STRICT
#define NAME COL_NAME

static const col_func rows[] = {
    {"convert", 3, {COL_BYTEA, NAME, NAME}, COL_BYTEA, S, convert_bytes, NULL},
    {"convert_from", 2, {COL_BYTEA, NAME}, COL_TEXT, S, convert_from_bytes, NULL},
    {"convert_to", 2, {COL_TEXT, NAME}, COL_BYTEA, S, convert_to_bytes, NULL},
    {"length", 2, {COL_BYTEA, NAME}, COL_INT4, S, length_in_encoding, NULL},
};
FUNC_TABLE(func_convert_table, rows);
