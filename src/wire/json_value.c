// json_value.c - single JSON values to cells, where json.c's fast paths do not serve: the rarer
// types, strings with escapes, numbers with exponents or many digits, and every refusal's text.
// Invariant: what a fast path stores and what this file stores for the same token is the same.
// Entry points: json_put_slow (numbers, true, false), json_put_string_slow, json_put_jsonb,
// json_put_array.
#include "base/must.h"
#include "col/array.h"
#include "wire/json_int.h"

#include <stdlib.h>

#define TOKEN_IS(v, e, literal)                                                                    \
    ((size_t)((e) - (v)) == sizeof(literal) - 1 && memcmp((v), literal, sizeof(literal) - 1) == 0)

// ---- numbers ----

bool json_number_valid(const char *p, const char *e) {
    if (p < e && *p == '-') p++;
    const char *whole = p;
    while (p < e && (uint8_t)(*p - '0') <= 9) p++;
    if (p == whole || (*whole == '0' && p - whole > 1)) return false;
    if (p < e && *p == '.') {
        const char *fraction = ++p;
        while (p < e && (uint8_t)(*p - '0') <= 9) p++;
        if (p == fraction) return false;
    }
    if (p < e && (*p == 'e' || *p == 'E')) {
        p++;
        if (p < e && (*p == '+' || *p == '-')) p++;
        const char *exponent = p;
        while (p < e && (uint8_t)(*p - '0') <= 9) p++;
        if (p == exponent) return false;
    }
    return p == e;
}

static json_rc fault_range(json_walk *walk, const json_field *field, const char *v, const char *e) {
    return json_fault(walk, field, v, BASE_SQLSTATE_NUMERIC_RANGE, "%s is out of range for type %s",
                      json_shorten(walk, v, e), field->type_name);
}

static json_rc fault_of(json_walk *walk, const json_field *field, const char *v,
                        const base_error *err) {
    return json_fault(walk, field, v, err->sqlstate, "%s", err->message);
}

// 1.0 and 1e2 are integers too.
static json_rc put_integer(json_walk *walk, json_field *field, const char *v, const char *e) {
    base_decimal decimal;
    base_error err;
    if (base_decimal_parse((base_str){v, (size_t)(e - v)}, &decimal, &err) != BASE_OK) {
        return fault_range(walk, field, v, e);
    }
    decimal = base_decimal_normalize(decimal);
    if (decimal.scale > 0) return json_fault_type(walk, field, v, e);
    base_i128 value = base_decimal_unscaled(decimal);
    int64_t low = INT64_MIN, high = INT64_MAX;
    switch (field->kind) {
    case COL_INT2:
        low = INT16_MIN, high = INT16_MAX;
        break;
    case COL_INT4:
        low = INT32_MIN, high = INT32_MAX;
        break;
    case COL_OID:
    case COL_REGCLASS:
        low = 0, high = UINT32_MAX;
        break;
    default:
        break;
    }
    if (value < low || value > high) return fault_range(walk, field, v, e);
    switch (field->kind) {
    case COL_INT2:
        ((int16_t *)field->data)[walk->row] = (int16_t)value;
        break;
    case COL_INT4:
        ((int32_t *)field->data)[walk->row] = (int32_t)value;
        break;
    case COL_INT8:
        ((int64_t *)field->data)[walk->row] = (int64_t)value;
        break;
    default:
        ((uint32_t *)field->data)[walk->row] = (uint32_t)value;
        break;
    }
    return JSON_OK;
}

static json_rc put_numeric(json_walk *walk, json_field *field, const char *at, base_str text) {
    base_decimal decimal;
    base_error err;
    base_rc rc = base_decimal_parse(text, &decimal, &err);
    if (rc == BASE_OK && field->type.precision > 0) {
        rc = base_decimal_coerce(decimal, field->type.precision, field->type.scale, &decimal, &err);
    }
    if (rc != BASE_OK) return fault_of(walk, field, at, &err);
    ((base_decimal *)field->data)[walk->row] = decimal;
    return JSON_OK;
}

static json_rc put_float(json_walk *walk, json_field *field, const char *v, const char *e) {
    bool done = field->kind == COL_FLOAT4
                    ? wire_simd_float(v, e, &((float *)field->data)[walk->row])
                    : wire_simd_double(v, e, &((double *)field->data)[walk->row]);
    return done ? JSON_OK : fault_range(walk, field, v, e);
}

json_rc json_put_slow(json_walk *walk, json_field *field, const char *v, const char *e) {
    if (field->kind == COL_JSONB) return json_put_jsonb(walk, field, v, e);
    if (field->kind == COL_BOOL) {
        bool yes = TOKEN_IS(v, e, "true");
        if (!yes && !TOKEN_IS(v, e, "false")) return json_fault_type(walk, field, v, e);
        ((uint8_t *)field->data)[walk->row] = yes;
        return JSON_OK;
    }
    if (!json_number_valid(v, e)) {
        bool word = TOKEN_IS(v, e, "true") || TOKEN_IS(v, e, "false");
        if (word) return json_fault_type(walk, field, v, e);
        return json_fault(walk, field, v, BASE_SQLSTATE_INVALID_TEXT,
                          "expected %s, found %s, which is no JSON value", field->type_name,
                          json_shorten(walk, v, e));
    }
    switch (field->kind) {
    case COL_INT2:
    case COL_INT4:
    case COL_INT8:
    case COL_OID:
    case COL_REGCLASS:
        return put_integer(walk, field, v, e);
    case COL_NUMERIC:
        return put_numeric(walk, field, v, (base_str){v, (size_t)(e - v)});
    case COL_FLOAT4:
    case COL_FLOAT8:
        return put_float(walk, field, v, e);
    default:
        return json_fault_type(walk, field, v, e);
    }
}

// ---- strings ----

static int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

static int32_t hex4(const char *p, const char *e) {
    if (e - p < 4) return -1;
    int32_t v = 0;
    for (int i = 0; i < 4; i++) {
        int digit = hex_digit(p[i]);
        if (digit < 0) return -1;
        v = v * 16 + digit;
    }
    return v;
}

static size_t put_utf8(char *to, uint32_t c) {
    if (c < 0x80) {
        to[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        to[0] = (char)(0xc0 | c >> 6);
        to[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        to[0] = (char)(0xe0 | c >> 12);
        to[1] = (char)(0x80 | (c >> 6 & 0x3f));
        to[2] = (char)(0x80 | (c & 0x3f));
        return 3;
    }
    to[0] = (char)(0xf0 | c >> 18);
    to[1] = (char)(0x80 | (c >> 12 & 0x3f));
    to[2] = (char)(0x80 | (c >> 6 & 0x3f));
    to[3] = (char)(0x80 | (c & 0x3f));
    return 4;
}

// *p is after "\u"; reads one code point, two escapes if they are surrogates.
static base_rc unescape_unicode(const char **p, const char *e, uint32_t *out, base_error *err) {
    int32_t c = hex4(*p, e);
    if (c < 0) {
        return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_INVALID_TEXT,
                         "\"\\u\" must be followed by four hexadecimal digits");
    }
    *p += 4;
    if (c == 0) {
        base_rc rc =
            base_fail(err, BASE_E_INVALID, "22P05", "unsupported Unicode escape sequence \\u0000");
        base_error_detail(err, "A text cannot hold the character NUL.");
        return rc;
    }
    if (c >= 0xd800 && c < 0xdc00) {
        int32_t low = e - *p >= 6 && (*p)[0] == '\\' && (*p)[1] == 'u' ? hex4(*p + 2, e) : -1;
        if (low < 0xdc00 || low > 0xdfff) {
            return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_INVALID_TEXT,
                             "a Unicode high surrogate must be followed by a low surrogate");
        }
        *p += 6;
        c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
    } else if (c >= 0xdc00 && c < 0xe000) {
        return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_INVALID_TEXT,
                         "a Unicode low surrogate must follow a high surrogate");
    }
    *out = (uint32_t)c;
    return BASE_OK;
}

base_rc json_unescape(const char *p, const char *e, base_arena *arena, base_str *out,
                      base_error *err) {
    static const char plain[256] = {['"'] = '"',  ['\\'] = '\\', ['/'] = '/',  ['b'] = '\b',
                                    ['f'] = '\f', ['n'] = '\n',  ['r'] = '\r', ['t'] = '\t'};
    char *begin = base_arena_alloc(arena, (size_t)(e - p)); // never longer than its escapes
    char *to = begin;
    while (p < e) {
        const char *escape = memchr(p, '\\', (size_t)(e - p));
        size_t n = (size_t)((escape == NULL ? e : escape) - p);
        memcpy(to, p, n);
        to += n;
        p += n;
        if (escape == NULL) break;
        char kind = e - p >= 2 ? p[1] : 0;
        p += 2;
        if (kind == 'u') {
            uint32_t c = 0;
            base_rc rc = unescape_unicode(&p, e, &c, err);
            if (rc != BASE_OK) return rc;
            to += put_utf8(to, c);
        } else if (plain[(uint8_t)kind] != 0) {
            *to++ = plain[(uint8_t)kind];
        } else {
            return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_INVALID_TEXT,
                             "invalid escape in a string: a backslash before 0x%02x",
                             (unsigned)(uint8_t)kind);
        }
    }
    *out = (base_str){begin, (size_t)(to - begin)};
    return BASE_OK;
}

// VARCHAR(n): too long is refused, unless only spaces are too many (as the SQL standard has it).
static json_rc put_varchar(json_walk *walk, json_field *field, const char *at, base_str text) {
    size_t most = (size_t)field->type.precision;
    if (most > 0 && text.n > most) {
        size_t characters = 0, i = 0;
        for (; i < text.n; i++) {
            characters += ((uint8_t)text.p[i] & 0xc0) != 0x80;
            if (characters > most) break;
        }
        for (size_t k = i; k < text.n; k++) {
            if (text.p[k] == ' ') continue;
            return json_fault(walk, field, at, BASE_SQLSTATE_STRING_TRUNCATION,
                              "value too long for type %s", field->type_name);
        }
        text.n = i;
    }
    ((base_str *)field->data)[walk->row] = text;
    return JSON_OK;
}

static int base64_digit(char c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

static bool base64_decode(base_arena *arena, base_str text, base_str *out) {
    while (text.n > 0 && text.n % 4 == 0 && text.p[text.n - 1] == '=') {
        if (text.n >= 2 && text.p[text.n - 2] == '=') {
            text.n -= 2;
        } else {
            text.n--;
        }
        break;
    }
    if (text.n % 4 == 1) return false;
    char *bytes = base_arena_alloc(arena, text.n / 4 * 3 + 3);
    size_t n = 0;
    uint32_t bits = 0, nbits = 0;
    for (size_t i = 0; i < text.n; i++) {
        int digit = base64_digit(text.p[i]);
        if (digit < 0) return false;
        bits = bits << 6 | (uint32_t)digit;
        nbits += 6;
        if (nbits < 8) continue;
        nbits -= 8;
        bytes[n++] = (char)(bits >> nbits);
        bits &= (1u << nbits) - 1;
    }
    *out = (base_str){bytes, n};
    return bits == 0; // left-over bits must be zero, so that a value has one text only
}

static bool hex_decode(base_arena *arena, base_str text, base_str *out) {
    if (text.n % 2 != 0) return false;
    char *bytes = base_arena_alloc(arena, text.n / 2);
    for (size_t i = 0; i < text.n; i += 2) {
        int high = hex_digit(text.p[i]), low = hex_digit(text.p[i + 1]);
        if (high < 0 || low < 0) return false;
        bytes[i / 2] = (char)(high * 16 + low);
    }
    *out = (base_str){bytes, text.n / 2};
    return true;
}

static json_rc put_bytea(json_walk *walk, json_field *field, const char *v, const char *e,
                         base_str text) {
    base_str bytes;
    bool hex = base_str_starts(text, BASE_STR("\\x"));
    bool done = hex ? hex_decode(walk->arena, (base_str){text.p + 2, text.n - 2}, &bytes)
                    : base64_decode(walk->arena, text, &bytes);
    if (!done) {
        return json_fault(walk, field, v, BASE_SQLSTATE_INVALID_TEXT,
                          "expected bytea (\"\\\\x...\" or base64), found %s",
                          json_shorten(walk, v, e));
    }
    ((base_str *)field->data)[walk->row] = bytes;
    return JSON_OK;
}

static bool float_word(base_str text, double *out) {
    if (base_str_eq(text, BASE_STR("NaN")))
        *out = __builtin_nan("");
    else if (base_str_eq(text, BASE_STR("Infinity")))
        *out = __builtin_inf();
    else if (base_str_eq(text, BASE_STR("-Infinity")))
        *out = -__builtin_inf();
    else
        return false;
    return true;
}

// Kinds whose string is their SQL text.
static json_rc put_sql_text(json_walk *walk, json_field *field, const char *v, const char *e,
                            base_str text) {
    base_error err;
    if (col_text_parse(text, 0, field->vec, walk->row, walk->arena, &err) == BASE_OK) {
        return JSON_OK;
    }
    return json_fault(walk, field, v, err.sqlstate, "expected %s, found %s (%s)", field->type_name,
                      json_shorten(walk, v, e), err.message);
}

json_rc json_put_string_slow(json_walk *walk, json_field *field, const char *v, const char *e) {
    if (field->kind == COL_JSONB) return json_put_jsonb(walk, field, v, e);
    base_str text = {v + 1, (size_t)(e - v) - 2};
    if (text.n > 0 && memchr(text.p, '\\', text.n) != NULL) {
        base_error err;
        base_rc rc = json_unescape(text.p, text.p + text.n, walk->arena, &text, &err);
        if (rc != BASE_OK) return fault_of(walk, field, v, &err);
    }
    switch (field->kind) {
    case COL_TEXT:
    case COL_NAME:
        ((base_str *)field->data)[walk->row] = text;
        return JSON_OK;
    case COL_VARCHAR:
        return put_varchar(walk, field, v, text);
    case COL_NUMERIC:
        return put_numeric(walk, field, v, text);
    case COL_BYTEA:
        return put_bytea(walk, field, v, e, text);
    case COL_FLOAT4:
    case COL_FLOAT8: {
        double value;
        if (!float_word(text, &value)) return json_fault_type(walk, field, v, e);
        if (field->kind == COL_FLOAT4)
            ((float *)field->data)[walk->row] = (float)value;
        else
            ((double *)field->data)[walk->row] = value;
        return JSON_OK;
    }
    case COL_DATE:
    case COL_TIME:
    case COL_TIMESTAMP:
    case COL_TIMESTAMPTZ:
    case COL_INTERVAL:
    case COL_UUID:
    case COL_CHAR:
        return put_sql_text(walk, field, v, e, text);
    default:
        return json_fault_type(walk, field, v, e);
    }
}

json_rc json_put_jsonb(json_walk *walk, json_field *field, const char *v, const char *e) {
    base_error err;
    base_str canonical;
    if (col_jsonb_canonical((base_str){v, (size_t)(e - v)}, walk->arena, &canonical, &err) !=
        BASE_OK) {
        return json_fault(walk, field, v, err.sqlstate, "expected jsonb, found %s (%s)",
                          json_shorten(walk, v, e), err.message);
    }
    ((base_str *)field->data)[walk->row] = canonical;
    return JSON_OK;
}

json_rc json_put_array(json_walk *walk, json_field *field, const char *v, const char *e) {
    base_error err;
    base_str json = {v, (size_t)(e - v)};
    if (col_array_parse_json(json, field->vec, walk->row, walk->arena, &err) != BASE_OK) {
        return json_fault(walk, field, v, err.sqlstate, "expected %s, found %s (%s)",
                          field->type_name, json_shorten(walk, v, e), err.message);
    }
    return JSON_OK;
}
