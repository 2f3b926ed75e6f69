// jsonb_order.c - equality and order of jsonb, as PostgreSQL's compareJsonbContainers has them:
//   object > array > boolean > number > string > null, false < true, numbers by value, strings by
//   bytes; arrays and objects first by how many elements or pairs they have, then element by
//   element, pair by pair (key, value) in the order of storage. At the top an empty array comes
//   before everything.
//
// Canonical texts of equal values differ in zeros at the end of fractions alone, so equality and
// hashes are those of texts without them. Order is memcmp of a key:
//   top     1 the empty array, 2 a scalar, 3 an array, 4 an object; then the value
//   value   1 null; 2 string, its bytes, 0 (jsonb has none in it); 3 number; 4 false; 5 true;
//           6 array, count, values; 7 object, count, pairs of string bytes, 0, value
//   count   n + 1 below 0xef; else 0xf0, four bytes
//   number  1 negative, 2 zero, 3 positive; unless zero the exponent e of 0.d1d2.. x 10^e (0x80 + e
//           up to 60 either way, else 0x40 or 0xc0 and four bytes), digit pairs + 1, 0; of negative
//           ones these complemented
// Invariants: texts are canonical, or cells that came damaged from outside, of which nothing is
// read beyond the end; a key is no beginning of another. Entry points: col_jsonb_hash,
// col_jsonb_equal, col_jsonb_compare, col_jsonb_key.
#include "col/jsonb_order.h"
#include "base/hash.h"
#include "col/codec.h"
#include "col/json_tree.h"

enum { TOP_EMPTY = 1, TOP_SCALAR, TOP_ARRAY, TOP_OBJECT };
enum { TAG_NULL = 1, TAG_STRING, TAG_NUMBER, TAG_FALSE, TAG_TRUE, TAG_ARRAY, TAG_OBJECT };

#define COUNT_LONG    0xf0
#define EXPONENT_NEAR 60
#define EXPONENT_MAX  200000 // beyond PostgreSQL's numeric

// ---- equality -----------------------------------------------------------------------------------

static bool may_have_zeros(base_str text) {
    return text.n > 0 && memchr(text.p, '.', text.n) != NULL;
}

// The text without zeros at the end of fractions; strings stay as they are.
static base_str plain_text(base_str text, base_buf *buf) {
    if (!may_have_zeros(text)) return text;
    base_buf_clear(buf);
    base_buf_reserve(buf, text.n);
    char *to = buf->p;
    bool quoted = false, fraction = false;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (quoted) {
            *to++ = c;
            if (c == '\\' && i + 1 < text.n)
                *to++ = text.p[++i];
            else if (c == '"')
                quoted = false;
            continue;
        }
        if (fraction && (c < '0' || c > '9')) {
            while (to[-1] == '0') to--;
            if (to[-1] == '.') to--;
            fraction = false;
        }
        fraction = fraction || c == '.';
        quoted = c == '"';
        *to++ = c;
    }
    if (fraction) {
        while (to[-1] == '0') to--;
        if (to[-1] == '.') to--;
    }
    return (base_str){buf->p, (size_t)(to - buf->p)};
}

uint64_t col_jsonb_hash(base_str text) {
    base_buf buf = {0};
    base_str plain = plain_text(text, &buf);
    uint64_t hash = base_hash64(plain.n == 0 ? "" : plain.p, plain.n);
    base_buf_deinit(&buf);
    return hash;
}

bool col_jsonb_equal(base_str a, base_str b) {
    if (base_str_eq(a, b)) return true;
    if (!may_have_zeros(a) && !may_have_zeros(b)) return false;
    base_buf x = {0}, y = {0};
    bool equal = base_str_eq(plain_text(a, &x), plain_text(b, &y));
    base_buf_deinit(&x);
    base_buf_deinit(&y);
    return equal;
}

// Longer ones have more zeros; those of one length are told apart by a hash.
uint64_t col_jsonb_spelling(base_str text) {
    if (!may_have_zeros(text)) return 0;
    return (uint64_t)text.n << 37 | base_hash64(text.p, text.n) >> 27;
}

// ---- keys ---------------------------------------------------------------------------------------

typedef struct walk {
    const char *p, *end;
    base_buf *out;
} walk;

static void skip(walk *w, size_t n) {
    w->p += (size_t)(w->end - w->p) < n ? (size_t)(w->end - w->p) : n;
}

static void put_u32(base_buf *out, uint32_t v) {
    for (int shift = 24; shift >= 0; shift -= 8) base_buf_add_byte(out, (uint8_t)(v >> shift));
}

static int hex_of(char c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : 0;
}

// A quoted string, unescaped; canonical texts escape control characters, quotes and backslashes.
static void walk_string(walk *w) {
    skip(w, 1);
    while (w->p < w->end && *w->p != '"') {
        const char *begin = w->p;
        while (w->p < w->end && *w->p != '"' && *w->p != '\\') w->p++;
        base_buf_add(w->out, begin, (size_t)(w->p - begin));
        if (w->p == w->end || *w->p == '"') break;
        char c = w->end - w->p > 1 ? w->p[1] : 0;
        if (c == 'u') {
            uint8_t byte = 0;
            if (w->end - w->p >= 6) byte = (uint8_t)(hex_of(w->p[4]) << 4 | hex_of(w->p[5]));
            base_buf_add_byte(w->out, byte);
            skip(w, 6);
            continue;
        }
        base_buf_add_byte(w->out, (uint8_t)(c == 'b'   ? '\b'
                                            : c == 'f' ? '\f'
                                            : c == 'n' ? '\n'
                                            : c == 'r' ? '\r'
                                            : c == 't' ? '\t'
                                                       : c));
        skip(w, 2);
    }
    skip(w, 1);
    base_buf_add_byte(w->out, 0);
}

static void put_exponent(base_buf *out, int64_t e) {
    if (e >= -EXPONENT_NEAR && e <= EXPONENT_NEAR) {
        base_buf_add_byte(out, (uint8_t)(0x80 + e));
        return;
    }
    base_buf_add_byte(out, e > 0 ? 0xc0 : 0x40);
    put_u32(out, (uint32_t)(e + (1 << 30)));
}

static void walk_number(walk *w) {
    bool negative = *w->p == '-';
    if (negative) w->p++;
    const char *begin = w->p, *point = NULL;
    while (w->p < w->end && ((*w->p >= '0' && *w->p <= '9') || *w->p == '.')) {
        if (*w->p == '.') point = w->p;
        w->p++;
    }
    const char *end = w->p;
    if (end == begin && !negative) { // no number: a damaged cell
        w->p = w->end;
        base_buf_add_byte(w->out, TAG_NULL);
        return;
    }
    base_buf_add_byte(w->out, TAG_NUMBER);
    if (point == NULL) point = end;
    const char *first = begin;
    while (first < end && (*first == '0' || *first == '.')) first++;
    while (end > first && (end[-1] == '.' || (end[-1] == '0' && end > point))) end--;
    if (first == end) {
        base_buf_add_byte(w->out, 2);
        return;
    }
    int64_t exponent = first < point ? point - first : point - first + 1;
    base_buf_add_byte(w->out, negative ? 1 : 3);
    size_t from = w->out->n;
    put_exponent(w->out, exponent);
    while (end > first && (end[-1] == '0' || end[-1] == '.')) end--; // of whole numbers, too
    int digits[2], n = 0;
    for (const char *p = first; p < end; p++) {
        if (*p == '.') continue;
        digits[n++] = *p - '0';
        if (n < 2) continue;
        base_buf_add_byte(w->out, (uint8_t)(digits[0] * 10 + digits[1] + 1));
        n = 0;
    }
    if (n == 1) base_buf_add_byte(w->out, (uint8_t)(digits[0] * 10 + 1));
    base_buf_add_byte(w->out, 0);
    for (size_t i = from; negative && i < w->out->n; i++) w->out->p[i] = (char)~w->out->p[i];
}

static void walk_value(walk *w, int depth);

// Puts the count, which is known last, in front of what was added since.
static void put_count(base_buf *out, size_t at, uint32_t n) {
    size_t bytes = n + 1 < 0xf0 ? 1 : 5, length = out->n - at;
    base_buf_reserve(out, bytes);
    memmove(out->p + at + bytes, out->p + at, length);
    out->n = at;
    if (bytes == 1) {
        base_buf_add_byte(out, (uint8_t)(n + 1));
    } else {
        base_buf_add_byte(out, COUNT_LONG);
        put_u32(out, n);
    }
    out->n += length;
}

static void walk_container(walk *w, int depth) {
    bool object = *w->p == '{';
    base_buf_add_byte(w->out, object ? TAG_OBJECT : TAG_ARRAY);
    size_t at = w->out->n;
    uint32_t n = 0;
    skip(w, 1);
    while (w->p < w->end && *w->p != ']' && *w->p != '}') {
        if (object) {
            walk_string(w);
            skip(w, 2);
        }
        walk_value(w, depth + 1);
        n++;
        if (w->p < w->end && *w->p == ',') skip(w, 2);
    }
    skip(w, 1);
    put_count(w->out, at, n);
}

static void walk_value(walk *w, int depth) {
    if (w->p == w->end || depth > COL_JSON_DEPTH_MAX) {
        w->p = w->end;
        base_buf_add_byte(w->out, TAG_NULL);
        return;
    }
    switch (*w->p) {
    case 'n':
        base_buf_add_byte(w->out, TAG_NULL);
        skip(w, 4);
        return;
    case 'f':
        base_buf_add_byte(w->out, TAG_FALSE);
        skip(w, 5);
        return;
    case 't':
        base_buf_add_byte(w->out, TAG_TRUE);
        skip(w, 4);
        return;
    case '"':
        base_buf_add_byte(w->out, TAG_STRING);
        walk_string(w);
        return;
    case '[':
    case '{':
        walk_container(w, depth);
        return;
    default:
        walk_number(w);
    }
}

void col_jsonb_key(base_str text, base_buf *out) {
    walk w = {text.p, text.p + text.n, out};
    char first = text.n > 0 ? text.p[0] : 'n';
    uint8_t top = first == '{' ? TOP_OBJECT : first == '[' ? TOP_ARRAY : TOP_SCALAR;
    if (top == TOP_ARRAY && text.n > 1 && text.p[1] == ']') top = TOP_EMPTY;
    base_buf_add_byte(out, top);
    walk_value(&w, 1);
}

col_vec *col_jsonb_keys(base_arena *arena, const col_vec *vec) {
    col_vec *keys = base_arena_new(arena, col_vec);
    col_vec_init(keys, arena, col_type_of(COL_BYTEA), vec->n);
    keys->nulls = vec->nulls;
    base_buf buf = {0};
    for (uint32_t i = 0; i < vec->n; i++) {
        if (col_is_null(vec, i)) continue;
        base_buf_clear(&buf);
        col_jsonb_key(col_str(vec)[i], &buf);
        col_str(keys)[i] = (base_str){base_arena_memdup(arena, buf.p, buf.n), buf.n};
    }
    base_buf_deinit(&buf);
    return keys;
}

int col_jsonb_compare(base_str a, base_str b) {
    if (base_str_eq(a, b)) return 0;
    base_buf x = {0}, y = {0};
    col_jsonb_key(a, &x);
    col_jsonb_key(b, &y);
    int order = base_str_cmp(base_buf_str(&x), base_buf_str(&y));
    base_buf_deinit(&x);
    base_buf_deinit(&y);
    return order;
}

// ---- back ---------------------------------------------------------------------------------------

typedef struct reader {
    const uint8_t *p, *end;
    base_buf *out;
    bool bad;
} reader;

static uint8_t take(reader *r) {
    if (r->p == r->end) {
        r->bad = true;
        return 0;
    }
    return *r->p++;
}

static uint32_t take_u32(reader *r, uint8_t flip) {
    uint32_t v = 0;
    for (int i = 0; i < 4; i++) v = v << 8 | (uint8_t)(take(r) ^ flip);
    return v;
}

static void read_string(reader *r) {
    const uint8_t *zero = r->p == r->end ? NULL : memchr(r->p, 0, (size_t)(r->end - r->p));
    if (zero == NULL) {
        r->bad = true;
        return;
    }
    col_json_quote(r->out, (base_str){(const char *)r->p, (size_t)(zero - r->p)});
    r->p = zero + 1;
}

static void put_zeros(base_buf *out, int64_t n) {
    for (; n > 0; n--) base_buf_add_byte(out, '0');
}

static void read_number(reader *r) {
    uint8_t sign = take(r);
    if (sign == 2) {
        base_buf_add_byte(r->out, '0');
        return;
    }
    uint8_t flip = sign == 1 ? 0xff : 0, first = (uint8_t)(take(r) ^ flip);
    int64_t e = (int64_t)first - 0x80;
    if (first == 0xc0 || first == 0x40) e = (int64_t)take_u32(r, flip) - (1 << 30);
    if ((sign != 1 && sign != 3) || e > EXPONENT_MAX || e < -EXPONENT_MAX) {
        r->bad = true;
        return;
    }
    if (sign == 1) base_buf_add_byte(r->out, '-');
    if (e <= 0) {
        base_buf_add_cstr(r->out, "0.");
        put_zeros(r->out, -e);
    }
    int64_t n = 0;
    while (!r->bad) {
        uint8_t byte = (uint8_t)(take(r) ^ flip);
        if (byte == 0) break;
        if (byte > 100) r->bad = true;
        bool odd = (byte - 1) % 10 == 0 && r->p < r->end && (uint8_t)(*r->p ^ flip) == 0;
        for (int i = 0; i < 2 - odd; i++) {
            if (n > 0 && n == e) base_buf_add_byte(r->out, '.');
            base_buf_add_byte(r->out,
                              (uint8_t)('0' + (i == 0 ? (byte - 1) / 10 : (byte - 1) % 10)));
            n++;
        }
    }
    put_zeros(r->out, e - n);
}

static void read_value(reader *r, int depth) {
    if (depth > COL_JSON_DEPTH_MAX) r->bad = true;
    if (r->bad) return;
    uint8_t tag = take(r);
    switch (tag) {
    case TAG_NULL:
        base_buf_add_cstr(r->out, "null");
        return;
    case TAG_FALSE:
        base_buf_add_cstr(r->out, "false");
        return;
    case TAG_TRUE:
        base_buf_add_cstr(r->out, "true");
        return;
    case TAG_STRING:
        read_string(r);
        return;
    case TAG_NUMBER:
        read_number(r);
        return;
    case TAG_ARRAY:
    case TAG_OBJECT: {
        uint8_t byte = take(r);
        uint32_t n = byte == COUNT_LONG ? take_u32(r, 0) : (uint32_t)byte - 1;
        if (byte == 0 || n > (size_t)(r->end - r->p)) r->bad = true; // each has a byte
        base_buf_add_byte(r->out, tag == TAG_OBJECT ? '{' : '[');
        for (uint32_t i = 0; i < n && !r->bad; i++) {
            if (i > 0) base_buf_add_cstr(r->out, ", ");
            if (tag == TAG_OBJECT) {
                read_string(r);
                base_buf_add_cstr(r->out, ": ");
            }
            read_value(r, depth + 1);
        }
        base_buf_add_byte(r->out, tag == TAG_OBJECT ? '}' : ']');
        return;
    }
    default:
        r->bad = true;
    }
}

bool col_jsonb_from_key(base_str key, base_arena *arena, base_str *out) {
    base_buf text = {0}, again = {0};
    reader r = {(const uint8_t *)key.p, (const uint8_t *)key.p + key.n, &text, false};
    base_error ignored;
    take(&r);
    read_value(&r, 1);
    // The text is what the key says, in canonical form, if both give each other.
    bool good = !r.bad && r.p == r.end &&
                col_jsonb_canonical(base_buf_str(&text), arena, out, &ignored) == BASE_OK;
    if (good) {
        col_jsonb_key(*out, &again);
        good = base_str_eq(base_buf_str(&again), key) && base_str_eq(*out, base_buf_str(&text));
    }
    base_buf_deinit(&text);
    base_buf_deinit(&again);
    return good;
}
