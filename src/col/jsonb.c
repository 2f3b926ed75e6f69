// jsonb.c - JSON text to PostgreSQL's canonical jsonb text.
//
// A recursive parser with a depth limit makes a tree in the arena; printing measures first and then
// writes, so nothing is copied twice. Source of the rules: RFC 8259; PostgreSQL 15, "JSON Types"
// (numbers keep their trailing zeros and lose their exponent, duplicate keys: the last wins).
// Invariant: p <= end; nothing at or behind end is read. Entry point: parse_value().
#include <stdlib.h>

#include "base/must.h"
#include "col/codec.h"
#include "col/json_tree.h"

// PostgreSQL's numeric: digits before and after the point.
#define NUMERIC_WHOLE_DIGITS_MAX 131072
#define NUMERIC_SCALE_MAX        16383

typedef struct parser {
    const char *begin, *p, *end;
    base_arena *arena;
    base_error *err;
} parser;

static base_rc invalid(parser *s, const char *what) {
    base_fail(s->err, BASE_E_INVALID, BASE_SQLSTATE_INVALID_TEXT,
              "invalid input syntax for type json");
    base_error_detail(s->err, "%s at byte %zu.", what, (size_t)(s->p - s->begin) + 1);
    return BASE_E_INVALID;
}

static base_rc too_large(base_error *err) {
    return base_fail(err, BASE_E_LIMIT, BASE_SQLSTATE_LIMIT, "JSON text is larger than %u bytes",
                     COL_JSON_BYTES_MAX);
}

static void skip_space(parser *s) {
    while (s->p < s->end && (*s->p == ' ' || *s->p == '\n' || *s->p == '\t' || *s->p == '\r')) {
        s->p++;
    }
}

static bool is_digit(const parser *s) {
    return s->p < s->end && *s->p >= '0' && *s->p <= '9';
}

static uint32_t skip_digits(parser *s) {
    const char *begin = s->p;
    while (is_digit(s)) s->p++;
    return (uint32_t)(s->p - begin);
}

typedef struct number_parts {
    bool negative;
    const char *whole, *fraction;
    uint32_t nwhole, nfraction;
    int64_t exponent; // clamped far outside what is allowed
    bool has_exponent;
} number_parts;

static base_rc scan_number(parser *s, number_parts *parts) {
    *parts = (number_parts){0};
    if (*s->p == '-') {
        parts->negative = true;
        s->p++;
    }
    parts->whole = s->p;
    parts->nwhole = skip_digits(s);
    if (parts->nwhole == 0) return invalid(s, "Expected a digit");
    if (parts->nwhole > 1 && parts->whole[0] == '0') return invalid(s, "Leading zero in a number");
    if (s->p < s->end && *s->p == '.') {
        s->p++;
        parts->fraction = s->p;
        parts->nfraction = skip_digits(s);
        if (parts->nfraction == 0) return invalid(s, "Expected a digit");
    }
    if (s->p < s->end && (*s->p == 'e' || *s->p == 'E')) {
        s->p++;
        bool negative = s->p < s->end && *s->p == '-';
        if (s->p < s->end && (*s->p == '-' || *s->p == '+')) s->p++;
        if (!is_digit(s)) return invalid(s, "Expected a digit");
        for (; is_digit(s); s->p++) {
            if (parts->exponent < 1000000000) {
                parts->exponent = parts->exponent * 10 + (*s->p - '0');
            }
        }
        if (negative) parts->exponent = -parts->exponent;
        parts->has_exponent = true;
    }
    return BASE_OK;
}

// The digit at position i counted from the first of whole; zeros on both sides.
static char digit_at(const number_parts *parts, int64_t i) {
    if (i < 0) return '0';
    if (i < parts->nwhole) return parts->whole[i];
    i -= parts->nwhole;
    return i < parts->nfraction ? parts->fraction[i] : '0';
}

static bool all_zero(const number_parts *parts) {
    for (int64_t i = 0; i < (int64_t)parts->nwhole + parts->nfraction; i++) {
        if (digit_at(parts, i) != '0') return false;
    }
    return true;
}

// Numeric's text: the point moved by the exponent, scale = fraction digits - exponent or 0, no
// leading zeros, no sign on zero.
static base_rc number_text(parser *s, const char *begin, const number_parts *parts, base_str *out) {
    bool zero = all_zero(parts);
    int64_t scale = parts->nfraction - parts->exponent;
    if (scale < 0) scale = 0;
    int64_t point = parts->nwhole + parts->exponent; // digits before the point
    int64_t first = 0;
    while (!zero && digit_at(parts, first) == '0') first++;
    if (zero) point = first = 0;
    if (point - first > NUMERIC_WHOLE_DIGITS_MAX || scale > NUMERIC_SCALE_MAX) {
        return base_fail(s->err, BASE_E_INVALID, BASE_SQLSTATE_NUMERIC_RANGE,
                         "value overflows numeric format");
    }
    if (!parts->has_exponent && !(zero && parts->negative)) {
        *out = (base_str){begin, (size_t)(s->p - begin)};
        return BASE_OK;
    }
    int64_t whole = point > first ? point - first : 0;
    char *text = base_arena_alloc_aligned(s->arena, (size_t)(whole + scale + 3), 1);
    size_t n = 0;
    if (parts->negative && !zero) text[n++] = '-';
    if (whole == 0) text[n++] = '0';
    for (int64_t i = 0; i < whole; i++) text[n++] = digit_at(parts, first + i);
    if (scale > 0) text[n++] = '.';
    for (int64_t i = 0; i < scale; i++) text[n++] = zero ? '0' : digit_at(parts, point + i);
    *out = (base_str){text, n};
    return BASE_OK;
}

static base_rc parse_number(parser *s, base_str *out) {
    const char *begin = s->p;
    number_parts parts;
    base_rc rc = scan_number(s, &parts);
    return rc != BASE_OK ? rc : number_text(s, begin, &parts, out);
}

static int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

// Four hexadecimal digits at p.
static base_rc parse_hex4(parser *s, uint32_t *out) {
    uint32_t v = 0;
    for (int i = 0; i < 4; i++, s->p++) {
        int digit = s->p < s->end ? hex_value(*s->p) : -1;
        if (digit < 0) return invalid(s, "\"\\u\" must be followed by four hexadecimal digits");
        v = v << 4 | (uint32_t)digit;
    }
    *out = v;
    return BASE_OK;
}

static char *put_utf8(char *to, uint32_t c) {
    if (c < 0x80) {
        *to++ = (char)c;
    } else if (c < 0x800) {
        *to++ = (char)(0xc0 | c >> 6);
        *to++ = (char)(0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
        *to++ = (char)(0xe0 | c >> 12);
        *to++ = (char)(0x80 | (c >> 6 & 0x3f));
        *to++ = (char)(0x80 | (c & 0x3f));
    } else {
        *to++ = (char)(0xf0 | c >> 18);
        *to++ = (char)(0x80 | (c >> 12 & 0x3f));
        *to++ = (char)(0x80 | (c >> 6 & 0x3f));
        *to++ = (char)(0x80 | (c & 0x3f));
    }
    return to;
}

// Behind "\u"; a high surrogate takes its low one from a second escape.
static base_rc parse_unicode(parser *s, char **to) {
    uint32_t c = 0, low = 0;
    base_rc rc = parse_hex4(s, &c);
    if (rc != BASE_OK) return rc;
    if (c == 0) {
        base_fail(s->err, BASE_E_INVALID, "22P05", "unsupported Unicode escape sequence");
        base_error_detail(s->err, "\\u0000 cannot be converted to text.");
        return BASE_E_INVALID;
    }
    if (c >= 0xdc00 && c <= 0xdfff) {
        return invalid(s, "Unicode low surrogate must follow a high surrogate");
    }
    if (c >= 0xd800 && c <= 0xdbff) {
        if (s->end - s->p < 2 || s->p[0] != '\\' || s->p[1] != 'u') {
            return invalid(s, "Unicode high surrogate must be followed by a low surrogate");
        }
        s->p += 2;
        rc = parse_hex4(s, &low);
        if (rc != BASE_OK) return rc;
        if (low < 0xdc00 || low > 0xdfff) {
            return invalid(s, "Unicode high surrogate must be followed by a low surrogate");
        }
        c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
    }
    *to = put_utf8(*to, c);
    return BASE_OK;
}

static base_rc parse_escape(parser *s, char **to) {
    if (s->p == s->end) return invalid(s, "The string ends early");
    char c = *s->p++;
    switch (c) {
    case '"':
    case '\\':
    case '/':
        *(*to)++ = c;
        return BASE_OK;
    case 'b':
        *(*to)++ = '\b';
        return BASE_OK;
    case 'f':
        *(*to)++ = '\f';
        return BASE_OK;
    case 'n':
        *(*to)++ = '\n';
        return BASE_OK;
    case 'r':
        *(*to)++ = '\r';
        return BASE_OK;
    case 't':
        *(*to)++ = '\t';
        return BASE_OK;
    case 'u':
        return parse_unicode(s, to);
    default:
        s->p--;
        return invalid(s, "Invalid escape sequence");
    }
}

static base_rc parse_string(parser *s, base_str *out) {
    const char *begin = ++s->p;
    while (s->p < s->end && *s->p != '"' && *s->p != '\\' && (unsigned char)*s->p >= 0x20) s->p++;
    if (s->p < s->end && *s->p == '"') {
        *out = (base_str){begin, (size_t)(s->p - begin)};
        s->p++;
        return BASE_OK;
    }
    // Find the end first: the unescaped string is never longer than the escaped.
    const char *close = s->p;
    while (close < s->end && *close != '"') close += *close == '\\' ? 2 : 1;
    if (close >= s->end) {
        s->p = s->end;
        return invalid(s, "The string ends early");
    }
    char *text = base_arena_alloc_aligned(s->arena, (size_t)(close - begin), 1);
    size_t plain = (size_t)(s->p - begin);
    memcpy(text, begin, plain);
    char *to = text + plain;
    while (*s->p != '"') {
        if ((unsigned char)*s->p < 0x20) return invalid(s, "Control character in a string");
        if (*s->p != '\\') {
            *to++ = *s->p++;
            continue;
        }
        s->p++;
        base_rc rc = parse_escape(s, &to);
        if (rc != BASE_OK) return rc;
        if (s->p >= s->end) return invalid(s, "The string ends early");
    }
    s->p++;
    *out = (base_str){text, (size_t)(to - text)};
    return BASE_OK;
}

static int key_compare(base_str a, base_str b) {
    if (a.n != b.n) return a.n < b.n ? -1 : 1;
    return a.n == 0 ? 0 : memcmp(a.p, b.p, a.n);
}

static int member_compare(const void *a, const void *b) {
    const col_json *x = *(col_json *const *)a, *y = *(col_json *const *)b;
    int c = key_compare(x->key, y->key);
    // Equal keys stay in order of appearance (see sort_members).
    return c != 0 ? c : (x->next > y->next) - (x->next < y->next);
}

// Sorts members and keeps the last of equal keys.
static void sort_members(col_json *object) {
    col_json **items = object->items;
    uint32_t n = object->n;
    bool sorted = true;
    for (uint32_t i = 1; sorted && i < n; i++) {
        sorted = key_compare(items[i - 1]->key, items[i]->key) < 0;
    }
    if (sorted) return;
    // next is free now: it becomes the number of appearance, to make the order stable.
    for (uint32_t i = 0; i < n; i++) items[i]->next = (col_json *)(uintptr_t)i;
    qsort(items, n, sizeof *items, member_compare);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (i + 1 < n && base_str_eq(items[i]->key, items[i + 1]->key)) continue;
        items[kept++] = items[i];
    }
    object->n = kept;
}

static base_rc parse_value(parser *s, int depth, col_json **out);

// The items up to the closing mark; p is behind the opening one.
static base_rc parse_items(parser *s, int depth, col_json *parent, char close) {
    col_json *first = NULL, **link = &first;
    skip_space(s);
    bool more = !(s->p < s->end && *s->p == close);
    if (!more) s->p++;
    while (more) {
        base_str key = {NULL, 0};
        if (close == '}') {
            skip_space(s);
            if (s->p == s->end || *s->p != '"') return invalid(s, "Expected a string");
            base_rc rc = parse_string(s, &key);
            if (rc != BASE_OK) return rc;
            skip_space(s);
            if (s->p == s->end || *s->p != ':') return invalid(s, "Expected \":\"");
            s->p++;
        }
        col_json *item = NULL;
        base_rc rc = parse_value(s, depth + 1, &item);
        if (rc != BASE_OK) return rc;
        item->key = key;
        *link = item;
        link = &item->next;
        parent->n++;
        skip_space(s);
        if (s->p == s->end || (*s->p != ',' && *s->p != close)) {
            return invalid(s, close == '}' ? "Expected \",\" or \"}\"" : "Expected \",\" or \"]\"");
        }
        more = *s->p++ == ',';
    }
    parent->items = base_arena_alloc(s->arena, sizeof(col_json *) * (size_t)parent->n);
    uint32_t n = 0;
    for (col_json *item = first; item != NULL; item = item->next) parent->items[n++] = item;
    if (close == '}') sort_members(parent);
    return BASE_OK;
}

static base_rc parse_word(parser *s, base_str word) {
    if ((size_t)(s->end - s->p) < word.n || memcmp(s->p, word.p, word.n) != 0) {
        return invalid(s, "Expected a JSON value");
    }
    s->p += word.n;
    char after = s->p < s->end ? *s->p : ' ';
    if ((after >= 'a' && after <= 'z') || (after >= 'A' && after <= 'Z') || after == '_') {
        return invalid(s, "Expected a JSON value");
    }
    return BASE_OK;
}

static base_rc parse_value(parser *s, int depth, col_json **out) {
    if (depth > COL_JSON_DEPTH_MAX) {
        return base_fail(s->err, BASE_E_LIMIT, BASE_SQLSTATE_LIMIT,
                         "JSON value is nested deeper than %d levels", COL_JSON_DEPTH_MAX);
    }
    skip_space(s);
    if (s->p == s->end) return invalid(s, "The input ends early");
    col_json *node = base_arena_new(s->arena, col_json);
    *out = node;
    switch (*s->p) {
    case '{':
        node->kind = COL_JSON_OBJECT;
        s->p++;
        return parse_items(s, depth, node, '}');
    case '[':
        node->kind = COL_JSON_ARRAY;
        s->p++;
        return parse_items(s, depth, node, ']');
    case '"':
        node->kind = COL_JSON_STRING;
        return parse_string(s, &node->text);
    case 't':
        node->kind = COL_JSON_TRUE;
        return parse_word(s, BASE_STR("true"));
    case 'f':
        node->kind = COL_JSON_FALSE;
        return parse_word(s, BASE_STR("false"));
    case 'n':
        node->kind = COL_JSON_NULL;
        return parse_word(s, BASE_STR("null"));
    default:
        if (*s->p != '-' && !is_digit(s)) return invalid(s, "Expected a JSON value");
        node->kind = COL_JSON_NUMBER;
        return parse_number(s, &node->text);
    }
}

base_rc col_json_parse(base_str text, base_arena *arena, col_json **out, base_error *err) {
    if (text.n > COL_JSON_BYTES_MAX) return too_large(err);
    if (text.n == 0) text.p = "";
    size_t valid = base_utf8_valid_prefix(text);
    if (valid != text.n) {
        return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_INVALID_ENCODING,
                         "invalid byte sequence for encoding \"UTF8\": 0x%02x",
                         (unsigned char)text.p[valid]);
    }
    parser s = {text.p, text.p, text.p + text.n, arena, err};
    base_rc rc = parse_value(&s, 1, out);
    if (rc != BASE_OK) return rc;
    skip_space(&s);
    if (s.p != s.end) return invalid(&s, "Expected the end of the input");
    return BASE_OK;
}

const col_json *col_json_member(const col_json *object, base_str key) {
    if (object->kind != COL_JSON_OBJECT) return NULL;
    uint32_t low = 0, high = object->n;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int c = key_compare(object->items[middle]->key, key);
        if (c == 0) return object->items[middle];
        if (c < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return NULL;
}

// Writes to p, or only counts if p is NULL.
typedef struct writer {
    char *p;
    size_t n;
} writer;

static void put(writer *w, const char *bytes, size_t n) {
    if (w->p != NULL && n != 0) memcpy(w->p + w->n, bytes, n);
    w->n += n;
}

// The escape of a byte as escape_json writes it, or 0 if it stands for itself.
static size_t escape_of(unsigned char c, char out[8]) {
    static const char hex[] = "0123456789abcdef";
    char letter = 0;
    switch (c) {
    case '"':
    case '\\':
        letter = (char)c;
        break;
    case '\b':
        letter = 'b';
        break;
    case '\f':
        letter = 'f';
        break;
    case '\n':
        letter = 'n';
        break;
    case '\r':
        letter = 'r';
        break;
    case '\t':
        letter = 't';
        break;
    default:
        if (c >= 0x20) return 0;
        memcpy(out, "\\u00", 4);
        out[4] = hex[c >> 4];
        out[5] = hex[c & 15];
        return 6;
    }
    out[0] = '\\';
    out[1] = letter;
    return 2;
}

static void put_quoted(writer *w, base_str s) {
    put(w, "\"", 1);
    size_t begin = 0;
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c >= 0x20 && c != '"' && c != '\\') continue;
        char escape[8];
        size_t n = escape_of(c, escape);
        put(w, s.p + begin, i - begin);
        put(w, escape, n);
        begin = i + 1;
    }
    if (s.n != 0) put(w, s.p + begin, s.n - begin);
    put(w, "\"", 1);
}

static void put_node(writer *w, const col_json *node) {
    bool object = node->kind == COL_JSON_OBJECT;
    switch (node->kind) {
    case COL_JSON_NULL:
        put(w, "null", 4);
        break;
    case COL_JSON_FALSE:
        put(w, "false", 5);
        break;
    case COL_JSON_TRUE:
        put(w, "true", 4);
        break;
    case COL_JSON_NUMBER:
        put(w, node->text.p, node->text.n);
        break;
    case COL_JSON_STRING:
        put_quoted(w, node->text);
        break;
    case COL_JSON_ARRAY:
    case COL_JSON_OBJECT:
        put(w, object ? "{" : "[", 1);
        for (uint32_t i = 0; i < node->n; i++) {
            if (i != 0) put(w, ", ", 2);
            if (object) {
                put_quoted(w, node->items[i]->key);
                put(w, ": ", 2);
            }
            put_node(w, node->items[i]);
        }
        put(w, object ? "}" : "]", 1);
        break;
    }
}

base_rc col_json_print(const col_json *node, base_arena *arena, base_str *out, base_error *err) {
    writer w = {NULL, 0};
    put_node(&w, node);
    if (w.n > COL_JSON_BYTES_MAX) return too_large(err);
    w = (writer){base_arena_alloc_aligned(arena, w.n, 1), 0};
    put_node(&w, node);
    *out = (base_str){w.p, w.n};
    return BASE_OK;
}

void col_json_quote(base_buf *buf, base_str s) {
    writer w = {NULL, 0};
    put_quoted(&w, s);
    base_buf_reserve(buf, w.n);
    w = (writer){buf->p + buf->n, 0};
    put_quoted(&w, s);
    buf->n += w.n;
}

base_rc col_jsonb_canonical(base_str json, base_arena *arena, base_str *out, base_error *err) {
    col_json *node = NULL;
    base_rc rc = col_json_parse(json, arena, &node, err);
    return rc != BASE_OK ? rc : col_json_print(node, arena, out, err);
}
