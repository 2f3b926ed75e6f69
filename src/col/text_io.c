// text_io.c - values from and to text, as PostgreSQL's input and output functions do it. Dates and
// times are read and written by base/calendar.h, decimals by base/decimal.h. A STRUCT is read and
// written as a JSON object. Messages are PostgreSQL's. Entry points: col_text_parse(),
// col_text_format().
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/must.h"
#include "col/array_int.h"
#include "col/codec.h"
#include "col/col_int.h"
#include "col/json_tree.h"

#define NAME_BYTES_MAX  63
#define SHOWN_BYTES_MAX 200 // of the input in a message

// What of the text may stand in a message: well-formed and not too long.
static base_str shown(base_str text) {
    if (text.n > SHOWN_BYTES_MAX) text.n = SHOWN_BYTES_MAX;
    text.n = text.n == 0 ? 0 : base_utf8_valid_prefix(text);
    if (text.n == 0) text.p = "";
    return text;
}

static base_rc invalid_syntax(base_str text, col_kind kind, base_error *err) {
    return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_INVALID_TEXT,
                     "invalid input syntax for type %s: \"%.*s\"", col_kind_name(kind),
                     BASE_STR_ARG(shown(text)));
}

static base_rc out_of_range(base_str text, col_kind kind, base_error *err) {
    return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_NUMERIC_RANGE,
                     "value \"%.*s\" is out of range for type %s", BASE_STR_ARG(shown(text)),
                     col_kind_name(kind));
}

static base_rc parse_bool(base_str text, uint8_t *out, base_error *err) {
    static const struct {
        const char *word;
        size_t least; // shortest unambiguous prefix
        uint8_t value;
    } words[] = {{"true", 1, 1}, {"false", 1, 0}, {"yes", 1, 1}, {"no", 1, 0},
                 {"on", 2, 1},   {"off", 2, 0},   {"1", 1, 1},   {"0", 1, 0}};
    base_str t = base_str_trim(text);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        base_str word = base_str_of(words[i].word);
        if (t.n < words[i].least || t.n > word.n) continue;
        if (base_str_eq_nocase(t, (base_str){word.p, t.n})) {
            *out = words[i].value;
            return BASE_OK;
        }
    }
    return invalid_syntax(text, COL_BOOL, err);
}

static base_rc parse_int(base_str text, col_kind kind, int64_t low, int64_t high, int64_t *out,
                         base_error *err) {
    base_str t = base_str_trim(text);
    size_t i = 0;
    bool negative = false;
    if (t.n > 0 && (t.p[0] == '-' || t.p[0] == '+')) {
        negative = t.p[0] == '-';
        i = 1;
    }
    if (i == t.n) return invalid_syntax(text, kind, err);
    // Counted downward, so that the least value needs no case of its own.
    int64_t v = 0;
    bool over = false;
    for (; i < t.n; i++) {
        if (t.p[i] < '0' || t.p[i] > '9') return invalid_syntax(text, kind, err);
        over |= __builtin_mul_overflow(v, 10, &v);
        over |= __builtin_sub_overflow(v, t.p[i] - '0', &v);
    }
    if (!over && !negative) over = __builtin_sub_overflow(0, v, &v);
    if (over || v < low || v > high) return out_of_range(text, kind, err);
    *out = v;
    return BASE_OK;
}

static base_rc parse_float(base_str text, col_vec *vec, uint32_t row, base_arena *arena,
                           base_error *err) {
    base_str t = base_str_trim(text);
    if (t.n == 0 || memchr(t.p, 0, t.n) != NULL) return invalid_syntax(text, vec->type.kind, err);
    char small[64];
    char *copy = t.n < sizeof small ? small : base_arena_alloc_aligned(arena, t.n + 1, 1);
    memcpy(copy, t.p, t.n);
    copy[t.n] = '\0';
    char *end;
    errno = 0;
    bool extreme;
    if (vec->type.kind == COL_FLOAT4) {
        float v = strtof(copy, &end);
        extreme = v == 0 || isinf(v);
        col_f32(vec)[row] = v;
    } else {
        double v = strtod(copy, &end);
        extreme = v == 0 || isinf(v);
        col_f64(vec)[row] = v;
    }
    if (end != copy + t.n) return invalid_syntax(text, vec->type.kind, err);
    if (errno == ERANGE && extreme) {
        return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_NUMERIC_RANGE,
                         "\"%.*s\" is out of range for type %s", BASE_STR_ARG(shown(t)),
                         col_kind_name(vec->type.kind));
    }
    return BASE_OK;
}

static base_rc parse_numeric(base_str text, const col_type *type, base_decimal *out,
                             base_error *err) {
    base_rc rc = base_decimal_parse(text, out, err);
    if (rc != BASE_OK || type->precision == 0) return rc;
    return base_decimal_coerce(*out, type->precision, type->scale, out, err);
}

// Well-formed UTF-8 without NUL, as the server's encoding wants it.
static base_rc check_encoding(base_str text, base_error *err) {
    if (text.n == 0) return BASE_OK;
    size_t valid = base_utf8_valid_prefix(text);
    const char *nul = memchr(text.p, 0, valid);
    if (nul != NULL) valid = (size_t)(nul - text.p);
    if (valid == text.n) return BASE_OK;
    return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_INVALID_ENCODING,
                     "invalid byte sequence for encoding \"UTF8\": 0x%02x",
                     (unsigned char)text.p[valid]);
}

// VARCHAR(n): spaces beyond n characters are cut, anything else is an error.
static base_rc parse_varchar(base_str text, const col_type *type, base_str *out, base_error *err) {
    *out = text;
    if (type->precision <= 0 || text.n <= (size_t)type->precision) return BASE_OK;
    size_t at = 0;
    for (int chars = 0; chars < type->precision && at < text.n; chars++) {
        at++;
        while (at < text.n && ((unsigned char)text.p[at] & 0xc0) == 0x80) at++;
    }
    for (size_t i = at; i < text.n; i++) {
        if (text.p[i] != ' ') {
            return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_STRING_TRUNCATION,
                             "value too long for type character varying(%d)", type->precision);
        }
    }
    out->n = at;
    return BASE_OK;
}

static int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

static base_rc parse_bytea_hex(base_str text, base_str *out, base_arena *arena, base_error *err) {
    char *bytes = base_arena_alloc_aligned(arena, text.n / 2, 1);
    size_t n = 0;
    for (size_t i = 2; i < text.n; i++) {
        char c = text.p[i];
        if (c == ' ' || c == '\n' || c == '\t' || c == '\r') continue;
        int high = hex_value(c);
        if (high < 0) {
            return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER,
                             "invalid hexadecimal digit: \"%c\"", c >= 0x20 && c < 0x7f ? c : '?');
        }
        int low = i + 1 < text.n ? hex_value(text.p[i + 1]) : -1;
        if (low < 0) {
            return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER,
                             "invalid hexadecimal data: odd number of digits");
        }
        bytes[n++] = (char)(high << 4 | low);
        i++;
    }
    *out = (base_str){bytes, n};
    return BASE_OK;
}

static bool octal_at(base_str text, size_t i, int *value) {
    if (text.n - i < 4) return false;
    int v = 0;
    for (size_t d = 1; d < 4; d++) {
        char c = text.p[i + d];
        if (c < '0' || c > (d == 1 ? '3' : '7')) return false;
        v = v * 8 + (c - '0');
    }
    *value = v;
    return true;
}

static base_rc parse_bytea(base_str text, base_str *out, base_arena *arena, base_error *err) {
    if (text.n >= 2 && text.p[0] == '\\' && text.p[1] == 'x') {
        return parse_bytea_hex(text, out, arena, err);
    }
    if (text.n == 0 || memchr(text.p, '\\', text.n) == NULL) {
        *out = text;
        return BASE_OK;
    }
    char *bytes = base_arena_alloc_aligned(arena, text.n, 1);
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++) {
        int octal;
        if (text.p[i] != '\\') {
            bytes[n++] = text.p[i];
        } else if (i + 1 < text.n && text.p[i + 1] == '\\') {
            bytes[n++] = '\\';
            i++;
        } else if (octal_at(text, i, &octal)) {
            bytes[n++] = (char)octal;
            i += 3;
        } else {
            return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_INVALID_TEXT,
                             "invalid input syntax for type bytea");
        }
    }
    *out = (base_str){bytes, n};
    return BASE_OK;
}

// 32 hexadecimal digits; a hyphen may stand behind every fourth, braces around all.
static base_rc parse_uuid(base_str text, uint8_t *out, base_error *err) {
    base_str t = text;
    if (t.n >= 2 && t.p[0] == '{') {
        if (t.p[t.n - 1] != '}') return invalid_syntax(text, COL_UUID, err);
        t = (base_str){t.p + 1, t.n - 2};
    }
    size_t i = 0;
    for (int byte = 0; byte < 16; byte++) {
        int high = i < t.n ? hex_value(t.p[i]) : -1;
        int low = i + 1 < t.n ? hex_value(t.p[i + 1]) : -1;
        if (high < 0 || low < 0) return invalid_syntax(text, COL_UUID, err);
        out[byte] = (uint8_t)(high << 4 | low);
        i += 2;
        if (byte % 2 == 1 && byte < 15 && i < t.n && t.p[i] == '-') i++;
    }
    return i == t.n ? BASE_OK : invalid_syntax(text, COL_UUID, err);
}

static base_rc parse_regclass(base_str text, uint32_t *out, base_error *err) {
    base_str t = base_str_trim(text);
    int64_t v = 0;
    if (!base_str_eq(t, BASE_STR("-"))) {
        if (t.n == 0 || t.p[0] < '0' || t.p[0] > '9') {
            // Names are for the engine's catalogue, which this floor does not see.
            return base_fail(err, BASE_E_UNSUPPORTED, NULL,
                             "the name of a relation is not resolved here: \"%.*s\"",
                             BASE_STR_ARG(shown(text)));
        }
        base_rc rc = parse_int(text, COL_OID, 0, UINT32_MAX, &v, err);
        if (rc != BASE_OK) return rc;
    }
    *out = (uint32_t)v;
    return BASE_OK;
}

static base_rc parse_string(base_str text, col_vec *vec, uint32_t row, base_arena *arena,
                            base_error *err) {
    base_str *out = &col_str(vec)[row];
    if (vec->type.kind == COL_BYTEA) return parse_bytea(text, out, arena, err);
    if (vec->type.kind == COL_JSONB) return col_jsonb_canonical(text, arena, out, err);
    base_rc rc = check_encoding(text, err);
    if (rc != BASE_OK) return rc;
    switch (vec->type.kind) {
    case COL_VARCHAR:
        return parse_varchar(text, &vec->type, out, err);
    case COL_NAME:
        *out = text;
        if (text.n > NAME_BYTES_MAX) {
            out->n = base_utf8_valid_prefix((base_str){text.p, NAME_BYTES_MAX});
        }
        return BASE_OK;
    default:
        *out = text;
        return BASE_OK;
    }
}

static base_rc parse_struct(const col_json *node, const base_zone *zone, col_vec *vec, uint32_t row,
                            base_arena *arena, base_error *err);

// A field of a struct from its JSON value.
static base_rc parse_json_value(const col_json *node, const base_zone *zone, col_vec *vec,
                                uint32_t row, base_arena *arena, base_error *err) {
    if (node == NULL || node->kind == COL_JSON_NULL) {
        col_vec_set_null(vec, arena, row);
        return BASE_OK;
    }
    if (vec->type.kind == COL_JSONB) {
        if (vec->nulls != NULL) vec->nulls[row] = 0;
        return col_json_print(node, arena, &col_str(vec)[row], err);
    }
    if (vec->type.kind == COL_STRUCT) return parse_struct(node, zone, vec, row, arena, err);
    if (col_kind_is_array(vec->type.kind) && node->kind == COL_JSON_ARRAY) {
        if (vec->nulls != NULL) vec->nulls[row] = 0;
        return col_array_of_json(node, vec, row, arena, err);
    }
    switch (node->kind) {
    case COL_JSON_TRUE:
        return col_text_parse(BASE_STR("true"), zone, vec, row, arena, err);
    case COL_JSON_FALSE:
        return col_text_parse(BASE_STR("false"), zone, vec, row, arena, err);
    case COL_JSON_NUMBER:
    case COL_JSON_STRING:
        return col_text_parse(node->text, zone, vec, row, arena, err);
    default: {
        base_str text;
        base_rc rc = col_json_print(node, arena, &text, err);
        return rc != BASE_OK ? rc : invalid_syntax(text, vec->type.kind, err);
    }
    }
}

static base_rc parse_struct(const col_json *node, const base_zone *zone, col_vec *vec, uint32_t row,
                            base_arena *arena, base_error *err) {
    if (node->kind != COL_JSON_OBJECT) {
        return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_INVALID_TEXT,
                         "a value of a struct type must be a JSON object");
    }
    if (vec->nulls != NULL) vec->nulls[row] = 0;
    uint32_t known = 0;
    for (uint16_t i = 0; i < vec->type.nfields; i++) {
        const char *name = vec->type.fields[i].name;
        const col_json *member = col_json_member(node, base_str_of(name));
        known += member != NULL;
        base_rc rc = parse_json_value(member, zone, &vec->children[i], row, arena, err);
        if (rc != BASE_OK) {
            base_error_prefix(err, "field \"%s\"", name);
            return rc;
        }
    }
    for (uint32_t m = 0; known != node->n && m < node->n; m++) {
        base_str key = node->items[m]->key;
        bool found = false;
        for (uint16_t i = 0; i < vec->type.nfields; i++) {
            found |= base_str_eq(key, base_str_of(vec->type.fields[i].name));
        }
        if (!found) {
            return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_INVALID_TEXT,
                             "struct has no field \"%.*s\"", BASE_STR_ARG(shown(key)));
        }
    }
    return BASE_OK;
}

static base_rc parse_whole(base_str text, col_vec *vec, uint32_t row, base_error *err) {
    col_kind kind = vec->type.kind;
    int64_t v = 0;
    base_rc rc;
    switch (kind) {
    case COL_INT2:
        rc = parse_int(text, kind, INT16_MIN, INT16_MAX, &v, err);
        if (rc == BASE_OK) col_i16(vec)[row] = (int16_t)v;
        return rc;
    case COL_INT4:
        rc = parse_int(text, kind, INT32_MIN, INT32_MAX, &v, err);
        if (rc == BASE_OK) col_i32(vec)[row] = (int32_t)v;
        return rc;
    case COL_INT8:
        return parse_int(text, kind, INT64_MIN, INT64_MAX, &col_i64(vec)[row], err);
    default:
        must(kind == COL_OID);
        // As PostgreSQL, which lets negative numbers wrap.
        rc = parse_int(text, kind, INT32_MIN, UINT32_MAX, &v, err);
        if (rc == BASE_OK) col_u32(vec)[row] = (uint32_t)v;
        return rc;
    }
}

base_rc col_text_parse(base_str text, const base_zone *zone, col_vec *vec, uint32_t row,
                       base_arena *arena, base_error *err) {
    must(row < vec->n);
    if (vec->nulls != NULL) vec->nulls[row] = 0;
    if (text.n == 0) text.p = "";
    if (col_kind_is_array(vec->type.kind)) {
        return col_array_parse(text, zone, vec, row, arena, err);
    }
    switch (vec->type.kind) {
    case COL_BOOL:
        return parse_bool(text, &col_u8(vec)[row], err);
    case COL_INT2:
    case COL_INT4:
    case COL_INT8:
    case COL_OID:
        return parse_whole(text, vec, row, err);
    case COL_REGCLASS:
        return parse_regclass(text, &col_u32(vec)[row], err);
    case COL_CHAR:
        col_u8(vec)[row] = text.n == 0 ? 0 : (uint8_t)text.p[0];
        return BASE_OK;
    case COL_FLOAT4:
    case COL_FLOAT8:
        return parse_float(text, vec, row, arena, err);
    case COL_NUMERIC:
        return parse_numeric(text, &vec->type, &col_dec(vec)[row], err);
    case COL_DATE:
        return base_date_parse(text, &col_i32(vec)[row], err);
    case COL_TIME:
        return base_time_parse(text, &col_i64(vec)[row], err);
    case COL_TIMESTAMP:
        return base_timestamp_parse(text, &col_i64(vec)[row], err);
    case COL_TIMESTAMPTZ:
        return base_timestamptz_parse(text, zone, &col_i64(vec)[row], err);
    case COL_INTERVAL:
        return base_interval_parse(text, &col_interval(vec)[row], err);
    case COL_UUID:
        return parse_uuid(text, col_uuid(vec, row), err);
    case COL_STRUCT: {
        col_json *node = NULL;
        base_rc rc = col_json_parse(text, arena, &node, err);
        if (rc != BASE_OK) return rc;
        return parse_struct(node, zone, vec, row, arena, err);
    }
    default:
        must(col_kind_is_string(vec->type.kind));
        return parse_string(text, vec, row, arena, err);
    }
}

// Digits and exponent ("d.ddde-05") laid out as PostgreSQL does: an exponent below -4 or from
// exponent_max on is written, with two digits at least.
static int lay_out_float(const char *scientific, int exponent_max, char *out) {
    char digits[24];
    int ndigits = 0, n = 0;
    const char *p = scientific;
    if (*p == '-') out[n++] = *p++;
    for (; *p != 'e'; p++) {
        if (*p != '.') digits[ndigits++] = *p;
    }
    int exponent = atoi(p + 1);
    while (ndigits > 1 && digits[ndigits - 1] == '0') ndigits--;
    if (exponent < -4 || exponent >= exponent_max) {
        out[n++] = digits[0];
        if (ndigits > 1) out[n++] = '.';
        for (int i = 1; i < ndigits; i++) out[n++] = digits[i];
        n += sprintf(out + n, "e%c%02d", exponent < 0 ? '-' : '+', abs(exponent));
        return n;
    }
    if (exponent < 0) {
        out[n++] = '0';
        out[n++] = '.';
        for (int i = -1; i > exponent; i--) out[n++] = '0';
    }
    for (int i = 0; i < ndigits || i <= exponent; i++) {
        if (i == exponent + 1 && exponent >= 0) out[n++] = '.';
        out[n++] = i < ndigits ? digits[i] : '0';
    }
    out[n] = '\0';
    return n;
}

static int format_special(double v, char *out) {
    const char *text = isnan(v) ? "NaN" : v > 0 ? "Infinity" : "-Infinity";
    memcpy(out, text, strlen(text) + 1);
    return (int)strlen(text);
}

// Whether a decimal ("d.ddde-05") is exactly a number, which is printed in full to know.
static bool is_exactly(const char *scientific, long double v) {
    char full[1200];
    snprintf(full, sizeof full, "%.1100Le", v);
    const char *exponent = strchr(scientific, 'e');
    size_t n = (size_t)(exponent - scientific);
    if (strncmp(full, scientific, n) != 0) return false;
    const char *rest = full + n;
    while (*rest == '0' || *rest == '.') rest++;
    return strcmp(rest, exponent) == 0;
}

// Whether the decimal reads back as v and lies strictly between the midpoints to v's neighbours:
// PostgreSQL does not count on ties being read to even. The wider type holds the midpoints exactly.
static bool f64_reads_back(const char *text, double v) {
    if (strtod(text, NULL) != v) return false;
    long double near = strtold(text, NULL);
    double neighbour = nextafter(v, near > v ? INFINITY : -INFINITY);
    if (!isfinite(neighbour)) return true;
    long double midpoint = ((long double)v + neighbour) / 2;
    return near != midpoint || !is_exactly(text, midpoint);
}

static bool f32_reads_back(const char *text, float v) {
    if (strtof(text, NULL) != v) return false;
    double near = strtod(text, NULL);
    float neighbour = nextafterf(v, near > v ? INFINITY : -INFINITY);
    if (!isfinite(neighbour)) return true;
    double midpoint = ((double)v + neighbour) / 2;
    return near != midpoint || !is_exactly(text, midpoint);
}

// The next decimal of as many digits away from zero; false if the digits would carry over.
static bool next_decimal(char *scientific) {
    char *p = strchr(scientific, 'e');
    while (--p >= scientific && *p != '-') {
        if (*p == '.') continue;
        if (*p != '9') {
            ++*p;
            return true;
        }
        *p = '0';
    }
    return false;
}

// The gap below a power of two is half of that above: the nearest decimal may lie below and fail
// where the next one above reads back.
static bool is_power_of_two(double v) {
    int exponent;
    return fabs(frexp(v, &exponent)) == 0.5;
}

int col_f64_format(double v, char out[COL_FLOAT_TEXT_MAX]) {
    if (!isfinite(v)) return format_special(v, out);
    if (v == 0) return sprintf(out, signbit(v) ? "-0" : "0");
    if (fabs(v) < 1e15 && v == (double)(int64_t)v) return sprintf(out, "%lld", (long long)v);
    char text[COL_FLOAT_TEXT_MAX];
    // Subnormals may have as few digits as one, all others come back from their first 15.
    int digits = fabs(v) < 1e-290 ? 1 : 15;
    for (; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*e", digits - 1, v);
        if (f64_reads_back(text, v)) break;
        if (is_power_of_two(v) && next_decimal(text) && f64_reads_back(text, v)) break;
    }
    if (digits > 17) snprintf(text, sizeof text, "%.16e", v);
    return lay_out_float(text, 15, out);
}

int col_f32_format(float v, char out[COL_FLOAT_TEXT_MAX]) {
    if (!isfinite(v)) return format_special(v, out);
    if (v == 0) return sprintf(out, signbit(v) ? "-0" : "0");
    char text[COL_FLOAT_TEXT_MAX];
    int digits = fabsf(v) < 1e-30f ? 1 : 6;
    for (; digits <= 9; digits++) {
        snprintf(text, sizeof text, "%.*e", digits - 1, (double)v);
        if (f32_reads_back(text, v)) break;
        if (is_power_of_two(v) && next_decimal(text) && f32_reads_back(text, v)) break;
    }
    if (digits > 9) snprintf(text, sizeof text, "%.8e", (double)v);
    return lay_out_float(text, 6, out);
}

static void format_hex(base_buf *buf, base_str bytes) {
    static const char hex[] = "0123456789abcdef";
    base_buf_reserve(buf, 2 + 2 * bytes.n);
    char *p = buf->p + buf->n;
    *p++ = '\\';
    *p++ = 'x';
    for (size_t i = 0; i < bytes.n; i++) {
        *p++ = hex[(uint8_t)bytes.p[i] >> 4];
        *p++ = hex[(uint8_t)bytes.p[i] & 15];
    }
    buf->n += 2 + 2 * bytes.n;
}

static void format_uuid(base_buf *buf, const uint8_t *uuid) {
    static const char hex[] = "0123456789abcdef";
    char text[36];
    int n = 0;
    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) text[n++] = '-';
        text[n++] = hex[uuid[i] >> 4];
        text[n++] = hex[uuid[i] & 15];
    }
    base_buf_add(buf, text, sizeof text);
}

static void format_int(base_buf *buf, int64_t v) {
    char text[24], *p = text + sizeof text;
    uint64_t rest = v < 0 ? -(uint64_t)v : (uint64_t)v;
    do {
        *--p = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest != 0);
    if (v < 0) *--p = '-';
    base_buf_add(buf, p, (size_t)(text + sizeof text - p));
}

static void format_char(base_buf *buf, uint8_t c) {
    if (c >= 0x80) {
        base_buf_printf(buf, "\\%03o", c);
    } else if (c != 0) {
        base_buf_add_byte(buf, c);
    }
}

void col_text_format(const col_vec *vec, uint32_t row, const base_zone *zone, base_buf *buf) {
    char text[BASE_INTERVAL_TEXT_MAX];
    _Static_assert(BASE_INTERVAL_TEXT_MAX >= BASE_TIME_TEXT_MAX &&
                       BASE_INTERVAL_TEXT_MAX >= BASE_DECIMAL_TEXT_MAX,
                   "room for all");
    must(row < vec->n && !col_is_null(vec, row));
    if (col_kind_is_array(vec->type.kind)) {
        col_array_format(vec, row, zone, buf);
        return;
    }
    int n = 0;
    switch (vec->type.kind) {
    case COL_BOOL:
        base_buf_add_byte(buf, col_u8(vec)[row] != 0 ? 't' : 'f');
        return;
    case COL_INT2:
        format_int(buf, col_i16(vec)[row]);
        return;
    case COL_INT4:
        format_int(buf, col_i32(vec)[row]);
        return;
    case COL_INT8:
        format_int(buf, col_i64(vec)[row]);
        return;
    case COL_OID:
        format_int(buf, col_u32(vec)[row]);
        return;
    case COL_REGCLASS:
        if (col_u32(vec)[row] == 0) {
            base_buf_add_byte(buf, '-');
        } else {
            format_int(buf, col_u32(vec)[row]);
        }
        return;
    case COL_CHAR:
        format_char(buf, col_u8(vec)[row]);
        return;
    case COL_FLOAT4:
        n = col_f32_format(col_f32(vec)[row], text);
        break;
    case COL_FLOAT8:
        n = col_f64_format(col_f64(vec)[row], text);
        break;
    case COL_NUMERIC:
        n = base_decimal_format(col_dec(vec)[row], text);
        break;
    case COL_DATE:
        n = base_date_format(col_i32(vec)[row], text);
        break;
    case COL_TIME:
        n = base_time_format(col_i64(vec)[row], text);
        break;
    case COL_TIMESTAMP:
        n = base_timestamp_format(col_i64(vec)[row], text);
        break;
    case COL_TIMESTAMPTZ:
        n = base_timestamptz_format(col_i64(vec)[row], zone, text);
        break;
    case COL_INTERVAL:
        n = base_interval_format(&col_interval(vec)[row], text);
        break;
    case COL_BYTEA:
        format_hex(buf, col_str(vec)[row]);
        return;
    case COL_UUID:
        format_uuid(buf, col_uuid(vec, row));
        return;
    case COL_STRUCT:
        col_json_format(vec, row, buf);
        return;
    default:
        base_buf_add_str(buf, col_str(vec)[row]);
        return;
    }
    base_buf_add(buf, text, (size_t)n);
}
