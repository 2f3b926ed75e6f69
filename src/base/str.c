// str.c - see str.h. Invariants of base_buf: n <= cap; p is NULL only if cap is 0.
// Entry points: base_buf_reserve(), base_utf8_valid_prefix().
#include "base/str.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/must.h"

static unsigned char lower(unsigned char c) {
    return c >= 'A' && c <= 'Z' ? (unsigned char)(c + 32) : c;
}

bool base_str_eq_nocase(base_str a, base_str b) {
    if (a.n != b.n) return false;
    for (size_t i = 0; i < a.n; i++) {
        if (lower((unsigned char)a.p[i]) != lower((unsigned char)b.p[i])) return false;
    }
    return true;
}

int base_str_cmp(base_str a, base_str b) {
    size_t n = a.n < b.n ? a.n : b.n;
    int c = n == 0 ? 0 : memcmp(a.p, b.p, n);
    if (c != 0) return c;
    return (a.n > b.n) - (a.n < b.n);
}

bool base_str_starts(base_str s, base_str prefix) {
    return s.n >= prefix.n && (prefix.n == 0 || memcmp(s.p, prefix.p, prefix.n) == 0);
}

static bool is_space(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

base_str base_str_trim(base_str s) {
    while (s.n > 0 && is_space(s.p[0])) {
        s.p++;
        s.n--;
    }
    while (s.n > 0 && is_space(s.p[s.n - 1])) s.n--;
    return s;
}

// Length of the well-formed sequence at p with left bytes to come, 0 if ill-formed (RFC 3629: no
// overlong forms, no surrogates, nothing above U+10FFFF).
static size_t utf8_sequence(const unsigned char *p, size_t left) {
    unsigned char c = p[0];
    if (c < 0x80) return 1;
    if (c < 0xc2 || c > 0xf4) return 0;
    size_t n = c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    if (left < n) return 0;
    unsigned char low = 0x80, high = 0xbf; // bounds of the second byte
    if (c == 0xe0) low = 0xa0;
    if (c == 0xed) high = 0x9f;
    if (c == 0xf0) low = 0x90;
    if (c == 0xf4) high = 0x8f;
    if (p[1] < low || p[1] > high) return 0;
    for (size_t i = 2; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80) return 0;
    }
    return n;
}

size_t base_utf8_valid_prefix(base_str s) {
    const unsigned char *p = (const unsigned char *)s.p;
    size_t i = 0;
    while (i < s.n) {
        // Text is ASCII most of the time: eight bytes at once.
        while (i + 8 <= s.n) {
            uint64_t word;
            memcpy(&word, p + i, 8);
            if ((word & 0x8080808080808080ull) != 0) break;
            i += 8;
        }
        if (i >= s.n) break;
        size_t n = utf8_sequence(p + i, s.n - i);
        if (n == 0) return i;
        i += n;
    }
    return s.n;
}

void base_buf_init(base_buf *buf) {
    *buf = (base_buf){NULL, 0, 0};
}

void base_buf_deinit(base_buf *buf) {
    free(buf->p);
    *buf = (base_buf){NULL, 0, 0};
}

void base_buf_reserve(base_buf *buf, size_t more) {
    if (more <= buf->cap - buf->n) return;
    must(more <= SIZE_MAX / 4 && buf->n <= SIZE_MAX / 4);
    size_t cap = buf->cap < 64 ? 64 : buf->cap + buf->cap / 2;
    if (cap < buf->n + more) cap = buf->n + more;
    char *p = realloc(buf->p, cap);
    must(p != NULL);
    buf->p = p;
    buf->cap = cap;
}

void base_buf_add(base_buf *buf, const void *bytes, size_t n) {
    if (n == 0) return;
    base_buf_reserve(buf, n);
    memcpy(buf->p + buf->n, bytes, n);
    buf->n += n;
}

void base_buf_add_str(base_buf *buf, base_str s) {
    base_buf_add(buf, s.p, s.n);
}

void base_buf_add_cstr(base_buf *buf, const char *text) {
    base_buf_add(buf, text, strlen(text));
}

void base_buf_add_byte(base_buf *buf, uint8_t byte) {
    if (buf->n == buf->cap) base_buf_reserve(buf, 1);
    buf->p[buf->n++] = (char)byte;
}

void base_buf_printf(base_buf *buf, const char *fmt, ...) {
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    base_buf_reserve(buf, 64);
    size_t room = buf->cap - buf->n;
    int n = vsnprintf(buf->p + buf->n, room, fmt, args);
    va_end(args);
    must(n >= 0);
    if ((size_t)n >= room) {
        base_buf_reserve(buf, (size_t)n + 1);
        vsnprintf(buf->p + buf->n, (size_t)n + 1, fmt, again);
    }
    va_end(again);
    buf->n += (size_t)n;
}

void base_buf_add_u16be(base_buf *buf, uint16_t v) {
    v = __builtin_bswap16(v);
    base_buf_add(buf, &v, sizeof v);
}

void base_buf_add_u32be(base_buf *buf, uint32_t v) {
    v = __builtin_bswap32(v);
    base_buf_add(buf, &v, sizeof v);
}

void base_buf_add_u64be(base_buf *buf, uint64_t v) {
    v = __builtin_bswap64(v);
    base_buf_add(buf, &v, sizeof v);
}

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "weir runs on little-endian machines");

void base_buf_add_u32le(base_buf *buf, uint32_t v) {
    base_buf_add(buf, &v, sizeof v);
}

void base_buf_add_u64le(base_buf *buf, uint64_t v) {
    base_buf_add(buf, &v, sizeof v);
}

static void add_json_escape(base_buf *buf, unsigned char c) {
    static const char hex[] = "0123456789abcdef";
    char two[2] = {'\\', 0};
    switch (c) {
    case '"':
    case '\\':
        two[1] = (char)c;
        break;
    case '\b':
        two[1] = 'b';
        break;
    case '\f':
        two[1] = 'f';
        break;
    case '\n':
        two[1] = 'n';
        break;
    case '\r':
        two[1] = 'r';
        break;
    case '\t':
        two[1] = 't';
        break;
    default: {
        char six[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
        base_buf_add(buf, six, sizeof six);
        return;
    }
    }
    base_buf_add(buf, two, sizeof two);
}

void base_buf_add_json_string(base_buf *buf, base_str s) {
    base_buf_reserve(buf, s.n + 2);
    base_buf_add_byte(buf, '"');
    size_t from = 0; // start of the run that needs no escape
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c >= 0x20 && c != '"' && c != '\\') continue;
        base_buf_add(buf, s.p + from, i - from);
        add_json_escape(buf, c);
        from = i + 1;
    }
    if (from < s.n) base_buf_add(buf, s.p + from, s.n - from);
    base_buf_add_byte(buf, '"');
}

const char *base_buf_cstr(base_buf *buf) {
    base_buf_reserve(buf, 1);
    buf->p[buf->n] = '\0';
    return buf->p;
}
