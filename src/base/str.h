// str.h - borrowed strings (base_str) and a growable byte buffer (base_buf).
#ifndef WEIR_BASE_STR_H
#define WEIR_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

// Bytes owned by someone else; not NUL-terminated; p may be NULL only if n is 0.
typedef struct base_str {
    const char *p;
    size_t n;
} base_str;

#define BASE_STR(literal) ((base_str){(literal), sizeof(literal) - 1})
#define BASE_STR_ARG(s)   (int)(s).n, (s).p // for "%.*s"

static inline base_str base_str_of(const char *text) {
    return (base_str){text, text == NULL ? 0 : strlen(text)};
}
static inline bool base_str_eq(base_str a, base_str b) {
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}
bool base_str_eq_nocase(base_str a, base_str b); // ASCII
int base_str_cmp(base_str a, base_str b);        // bytewise, as memcmp then length
bool base_str_starts(base_str s, base_str prefix);
base_str base_str_trim(base_str s); // ASCII white space

// Number of bytes before the first ill-formed UTF-8 sequence (RFC 3629), or s.n if all is well.
size_t base_utf8_valid_prefix(base_str s);

// A growable buffer on the heap. init/deinit; zero-initialised is also valid.
typedef struct base_buf {
    char *p;
    size_t n; // bytes in use
    size_t cap;
} base_buf;

void base_buf_init(base_buf *buf);
void base_buf_deinit(base_buf *buf);
void base_buf_reserve(base_buf *buf, size_t more); // room for more bytes after n
static inline void base_buf_clear(base_buf *buf) {
    buf->n = 0;
}
void base_buf_add(base_buf *buf, const void *bytes, size_t n);
void base_buf_add_str(base_buf *buf, base_str s);
void base_buf_add_cstr(base_buf *buf, const char *text);
void base_buf_add_byte(base_buf *buf, uint8_t byte);
void base_buf_printf(base_buf *buf, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void base_buf_add_u16be(base_buf *buf, uint16_t v);
void base_buf_add_u32be(base_buf *buf, uint32_t v);
void base_buf_add_u64be(base_buf *buf, uint64_t v);
void base_buf_add_u32le(base_buf *buf, uint32_t v);
void base_buf_add_u64le(base_buf *buf, uint64_t v);
void base_buf_add_json_string(base_buf *buf, base_str s); // quoted and escaped (RFC 8259)
const char *base_buf_cstr(base_buf *buf);                 // NUL-terminates; valid until next change
static inline base_str base_buf_str(const base_buf *buf) {
    return (base_str){buf->p, buf->n};
}

#endif
