// func_encode.c - bytes and digits as text: encode and decode (hex, base64, escape), to_hex, MD5
// and SHA-256. Sources: RFC 4648, RFC 1321, FIPS 180-4; PostgreSQL 15 for line breaks and errors.
#include <math.h>
#include <pthread.h>
#include <stdio.h>

#include "base/must.h"
#include "col/func_text_int.h"
#include "col/kernel.h"

// ---- to_hex ----

static base_str hex_of(base_arena *arena, uint64_t v) {
    char text[16];
    size_t at = sizeof text;
    do {
        text[--at] = "0123456789abcdef"[v & 15];
        v >>= 4;
    } while (v != 0);
    return (base_str){base_arena_memdup(arena, text + at, sizeof text - at), sizeof text - at};
}

FUNC_KERNEL(to_hex_int4) {
    FUNC_UNUSED;
    FUNC_EACH(i) col_str(out)[i] = hex_of(ctx->arena, (uint32_t)col_i32(args[0])[i]);
    return BASE_OK;
}

FUNC_KERNEL(to_hex_int8) {
    FUNC_UNUSED;
    FUNC_EACH(i) col_str(out)[i] = hex_of(ctx->arena, (uint64_t)col_i64(args[0])[i]);
    return BASE_OK;
}

static void put_hex(const uint8_t *bytes, size_t n, char *to) {
    for (size_t i = 0; i < n; i++) {
        to[2 * i] = "0123456789abcdef"[bytes[i] >> 4];
        to[2 * i + 1] = "0123456789abcdef"[bytes[i] & 15];
    }
}

// ---- digests ----

static inline uint32_t rotate_left(uint32_t v, uint32_t by) {
    return v << by | v >> (32 - by);
}

static inline uint32_t rotate_right(uint32_t v, uint32_t by) {
    return v >> by | v << (32 - by);
}

static pthread_once_t md5_once = PTHREAD_ONCE_INIT;
static uint32_t md5_constants[64];

static void md5_make_constants(void) {
    // RFC 1321 defines them as floor(2^32 * |sin(i + 1)|).
    for (int i = 0; i < 64; i++) {
        md5_constants[i] = (uint32_t)(int64_t)floor(4294967296.0 * fabs(sin(i + 1)));
    }
}

// One operation of RFC 1321, 3.4; the registers change their places with each.
#define MD5_STEP(f, a, b, c, d, word, i, by)                                                       \
    (a) = (b) + rotate_left((a) + (f) + words[(word)&15] + md5_constants[i], by)

static void md5_block(uint32_t state[4], const uint8_t *block) {
    uint32_t words[16], a = state[0], b = state[1], c = state[2], d = state[3];
    for (uint32_t i = 0; i < 16; i++) {
        words[i] = (uint32_t)block[4 * i] | (uint32_t)block[4 * i + 1] << 8 |
                   (uint32_t)block[4 * i + 2] << 16 | (uint32_t)block[4 * i + 3] << 24;
    }
    for (uint32_t i = 0; i < 16; i += 4) {
        MD5_STEP(d ^ (b & (c ^ d)), a, b, c, d, i, i, 7);
        MD5_STEP(c ^ (a & (b ^ c)), d, a, b, c, i + 1, i + 1, 12);
        MD5_STEP(b ^ (d & (a ^ b)), c, d, a, b, i + 2, i + 2, 17);
        MD5_STEP(a ^ (c & (d ^ a)), b, c, d, a, i + 3, i + 3, 22);
    }
    for (uint32_t i = 16; i < 32; i += 4) {
        MD5_STEP(c ^ (d & (b ^ c)), a, b, c, d, 5 * i + 1, i, 5);
        MD5_STEP(b ^ (c & (a ^ b)), d, a, b, c, 5 * i + 6, i + 1, 9);
        MD5_STEP(a ^ (b & (d ^ a)), c, d, a, b, 5 * i + 11, i + 2, 14);
        MD5_STEP(d ^ (a & (c ^ d)), b, c, d, a, 5 * i + 16, i + 3, 20);
    }
    for (uint32_t i = 32; i < 48; i += 4) {
        MD5_STEP(b ^ c ^ d, a, b, c, d, 3 * i + 5, i, 4);
        MD5_STEP(a ^ b ^ c, d, a, b, c, 3 * i + 8, i + 1, 11);
        MD5_STEP(d ^ a ^ b, c, d, a, b, 3 * i + 11, i + 2, 16);
        MD5_STEP(c ^ d ^ a, b, c, d, a, 3 * i + 14, i + 3, 23);
    }
    for (uint32_t i = 48; i < 64; i += 4) {
        MD5_STEP(c ^ (b | ~d), a, b, c, d, 7 * i, i, 6);
        MD5_STEP(b ^ (a | ~c), d, a, b, c, 7 * i + 7, i + 1, 10);
        MD5_STEP(a ^ (d | ~b), c, d, a, b, 7 * i + 14, i + 2, 15);
        MD5_STEP(d ^ (c | ~a), b, c, d, a, 7 * i + 21, i + 3, 21);
    }
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
}

static void sha256_block(uint32_t state[8], const uint8_t *block) {
    static const uint32_t k[64] = {
        0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4,
        0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe,
        0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f,
        0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
        0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc,
        0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
        0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116,
        0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
        0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
        0xc67178f2};
    uint32_t w[64], s[8];
    for (int i = 0; i < 16; i++) {
        w[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 |
               (uint32_t)block[4 * i + 2] << 8 | (uint32_t)block[4 * i + 3];
    }
    for (int i = 16; i < 64; i++) {
        uint32_t x = w[i - 15], y = w[i - 2];
        w[i] = w[i - 16] + (rotate_right(x, 7) ^ rotate_right(x, 18) ^ x >> 3) + w[i - 7] +
               (rotate_right(y, 17) ^ rotate_right(y, 19) ^ y >> 10);
    }
    memcpy(s, state, sizeof s);
    for (int i = 0; i < 64; i++) {
        uint32_t e = s[4], a = s[0];
        uint32_t one = s[7] + (rotate_right(e, 6) ^ rotate_right(e, 11) ^ rotate_right(e, 25)) +
                       ((e & s[5]) ^ (~e & s[6])) + k[i] + w[i];
        uint32_t two = (rotate_right(a, 2) ^ rotate_right(a, 13) ^ rotate_right(a, 22)) +
                       ((a & s[1]) ^ (a & s[2]) ^ (s[1] & s[2]));
        memmove(s + 1, s, 7 * sizeof s[0]);
        s[4] += one;
        s[0] = one + two;
    }
    for (int i = 0; i < 8; i++) state[i] += s[i];
}

typedef void (*digest_block)(uint32_t *state, const uint8_t *block);

// Both digests pad with 0x80, zeros and the length in bits.
static void digest(base_str s, digest_block block, uint32_t *state, bool big_endian) {
    const uint8_t *p = (const uint8_t *)s.p;
    size_t left = s.n;
    for (; left >= 64; left -= 64, p += 64) block(state, p);
    uint8_t last[128] = {0};
    if (left > 0) memcpy(last, p, left);
    last[left] = 0x80;
    size_t total = left < 56 ? 64 : 128;
    uint64_t bits = (uint64_t)s.n * 8;
    for (int i = 0; i < 8; i++) {
        last[total - 8 + (size_t)i] = (uint8_t)(bits >> (big_endian ? 56 - 8 * i : 8 * i));
    }
    block(state, last);
    if (total == 128) block(state, last + 64);
}

void col_md5(base_str bytes, uint8_t out[16]) {
    pthread_once(&md5_once, md5_make_constants);
    uint32_t state[4] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};
    digest(bytes, md5_block, state, false);
    for (int b = 0; b < 16; b++) out[b] = (uint8_t)(state[b / 4] >> (8 * (b % 4)));
}

FUNC_KERNEL(md5_hex) {
    FUNC_UNUSED;
    FUNC_EACH(i) {
        uint8_t bytes[16];
        col_md5(col_str(args[0])[i], bytes);
        char *to = base_arena_alloc(ctx->arena, 32);
        put_hex(bytes, 16, to);
        col_str(out)[i] = (base_str){to, 32};
    }
    return BASE_OK;
}

FUNC_KERNEL(sha256_bytea) {
    FUNC_UNUSED;
    FUNC_EACH(i) {
        uint32_t state[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                             0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
        digest(col_str(args[0])[i], sha256_block, state, true);
        uint8_t *to = base_arena_alloc(ctx->arena, 32);
        for (int b = 0; b < 32; b++) to[b] = (uint8_t)(state[b / 4] >> (24 - 8 * (b % 4)));
        col_str(out)[i] = (base_str){(char *)to, 32};
    }
    return BASE_OK;
}

// SHA-256 from another start, cut to 28 bytes.
FUNC_KERNEL(sha224_bytea) {
    FUNC_UNUSED;
    FUNC_EACH(i) {
        uint32_t state[8] = {0xc1059ed8, 0x367cd507, 0x3070dd17, 0xf70e5939,
                             0xffc00b31, 0x68581511, 0x64f98fa7, 0xbefa4fa4};
        digest(col_str(args[0])[i], sha256_block, state, true);
        uint8_t *to = base_arena_alloc(ctx->arena, 28);
        for (int b = 0; b < 28; b++) to[b] = (uint8_t)(state[b / 4] >> (24 - 8 * (b % 4)));
        col_str(out)[i] = (base_str){(char *)to, 28};
    }
    return BASE_OK;
}

// ---- encode, decode ----

typedef enum byte_format {
    BYTES_HEX,
    BYTES_BASE64,
    BYTES_ESCAPE,
} byte_format;

static base_rc find_format(base_str name, byte_format *format, base_error *err) {
    static const char *const names[] = {"hex", "base64", "escape"};
    for (int i = 0; i < 3; i++) {
        if (!base_str_eq_nocase(name, base_str_of(names[i]))) continue;
        *format = (byte_format)i;
        return BASE_OK;
    }
    return base_fail(err, BASE_E_INVALID, NULL, "unrecognized encoding: \"%.*s\"",
                     (int)(name.n < 64 ? name.n : 64), name.p);
}

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

// Lines of 76 characters, as PostgreSQL breaks them.
static size_t put_base64(base_str s, char *to) {
    size_t n = 0, line = 0;
    for (size_t i = 0; i < s.n; i += 3) {
        if (line == 76) {
            to[n++] = '\n';
            line = 0;
        }
        size_t have = s.n - i < 3 ? s.n - i : 3;
        uint32_t group = 0;
        for (size_t b = 0; b < 3; b++) group = group << 8 | (b < have ? (uint8_t)s.p[i + b] : 0u);
        for (size_t d = 0; d < 4; d++) {
            to[n++] = d <= have ? base64_digits[group >> (18 - 6 * d) & 63] : '=';
        }
        line += 4;
    }
    return n;
}

static size_t put_escape(base_str s, char *to) {
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = (uint8_t)s.p[i];
        if (c == 0 || c >= 0x80) {
            to[n++] = '\\';
            to[n++] = (char)('0' + (c >> 6));
            to[n++] = (char)('0' + (c >> 3 & 7));
            to[n++] = (char)('0' + (c & 7));
        } else {
            if (c == '\\') to[n++] = '\\';
            to[n++] = (char)c;
        }
    }
    return n;
}

static base_rc encode(col_func_ctx *ctx, size_t *budget, base_str s, base_str name, base_str *to,
                      base_error *err) {
    byte_format format;
    base_rc rc = find_format(name, &format, err);
    uint64_t most = (uint64_t)s.n * 4 + 8;
    if (rc == BASE_OK) rc = func_take_bytes(budget, most, err);
    if (rc != BASE_OK) return rc;
    char *p = base_arena_alloc(ctx->arena, most);
    to->p = p;
    switch (format) {
    case BYTES_HEX:
        put_hex((const uint8_t *)s.p, s.n, p);
        to->n = s.n * 2;
        break;
    case BYTES_BASE64:
        to->n = put_base64(s, p);
        break;
    case BYTES_ESCAPE:
        to->n = put_escape(s, p);
        break;
    }
    return BASE_OK;
}

static int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

static bool is_blank(char c) {
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

static base_rc get_hex(base_str s, char *to, size_t *n, base_error *err) {
    int high = -1;
    for (size_t i = 0; i < s.n; i++) {
        if (is_blank(s.p[i]) && high < 0) continue;
        int digit = hex_digit(s.p[i]);
        if (digit < 0) {
            return base_fail(err, BASE_E_INVALID, NULL, "invalid hexadecimal digit: \"%.*s\"",
                             (int)(func_utf8_len((uint8_t)s.p[i]) <= s.n - i
                                       ? func_utf8_len((uint8_t)s.p[i])
                                       : 1),
                             s.p + i);
        }
        if (high < 0) {
            high = digit;
        } else {
            to[(*n)++] = (char)(high << 4 | digit);
            high = -1;
        }
    }
    if (high < 0) return BASE_OK;
    return base_fail(err, BASE_E_INVALID, NULL, "invalid hexadecimal data: odd number of digits");
}

static base_rc get_base64(base_str s, char *to, size_t *n, base_error *err) {
    uint32_t group = 0;
    int have = 0, ends = 0;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (is_blank(c)) continue;
        const char *digit = c == '\0' ? NULL : strchr(base64_digits, c);
        if (c == '=' && (have == 2 || have == 3)) {
            ends++;
            group <<= 6;
        } else if (digit != NULL && ends == 0) {
            group = group << 6 | (uint32_t)(digit - base64_digits);
        } else {
            return base_fail(err, BASE_E_INVALID, NULL,
                             c == '='
                                 ? "unexpected \"=\" while decoding base64 sequence"
                                 : "invalid symbol \"%.1s\" found while decoding base64 sequence",
                             &s.p[i]);
        }
        if (++have == 4) {
            for (int b = 0; b < 3 - ends; b++) to[(*n)++] = (char)(group >> (16 - 8 * b));
            group = 0;
            have = 0;
            if (ends > 0) ends = 3; // nothing may follow
        }
    }
    if (have == 0) return BASE_OK;
    return base_fail(err, BASE_E_INVALID, NULL, "invalid base64 end sequence");
}

static base_rc get_escape(base_str s, char *to, size_t *n, base_error *err) {
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] != '\\') {
            to[(*n)++] = s.p[i];
        } else if (i + 1 < s.n && s.p[i + 1] == '\\') {
            to[(*n)++] = '\\';
            i++;
        } else if (i + 3 < s.n && s.p[i + 1] >= '0' && s.p[i + 1] <= '3' && s.p[i + 2] >= '0' &&
                   s.p[i + 2] <= '7' && s.p[i + 3] >= '0' && s.p[i + 3] <= '7') {
            to[(*n)++] =
                (char)((s.p[i + 1] - '0') << 6 | (s.p[i + 2] - '0') << 3 | (s.p[i + 3] - '0'));
            i += 3;
        } else {
            return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_INVALID_TEXT,
                             "invalid input syntax for type bytea");
        }
    }
    return BASE_OK;
}

static base_rc decode(col_func_ctx *ctx, base_str s, base_str name, base_str *to, base_error *err) {
    byte_format format;
    base_rc rc = find_format(name, &format, err);
    if (rc != BASE_OK) return rc;
    char *p = base_arena_alloc(ctx->arena, s.n + 4);
    *to = (base_str){p, 0};
    switch (format) {
    case BYTES_HEX:
        return get_hex(s, p, &to->n, err);
    case BYTES_BASE64:
        return get_base64(s, p, &to->n, err);
    case BYTES_ESCAPE:
        break;
    }
    return get_escape(s, p, &to->n, err);
}

FUNC_KERNEL(encode_bytea) {
    FUNC_UNUSED;
    size_t budget = FUNC_BATCH_BYTES_MAX;
    base_error e;
    FUNC_EACH(i) {
        FUNC_ROW_CALL(
            encode(ctx, &budget, col_str(args[0])[i], col_str(args[1])[i], &col_str(out)[i], &e));
    }
    return BASE_OK;
}

FUNC_KERNEL(decode_text) {
    FUNC_UNUSED;
    base_error e;
    FUNC_EACH(i) {
        FUNC_ROW_CALL(decode(ctx, col_str(args[0])[i], col_str(args[1])[i], &col_str(out)[i], &e));
    }
    return BASE_OK;
}

#define S COL_FUNC_STRICT

static const col_func rows[] = {
    {"to_hex", 1, {COL_INT4}, COL_TEXT, S, to_hex_int4, NULL},
    {"to_hex", 1, {COL_INT8}, COL_TEXT, S, to_hex_int8, NULL},
    {"md5", 1, {COL_TEXT}, COL_TEXT, S, md5_hex, NULL},
    {"md5", 1, {COL_BYTEA}, COL_TEXT, S, md5_hex, NULL},
    {"sha224", 1, {COL_BYTEA}, COL_BYTEA, S, sha224_bytea, NULL},
    {"sha256", 1, {COL_BYTEA}, COL_BYTEA, S, sha256_bytea, NULL},
    {"encode", 2, {COL_BYTEA, COL_TEXT}, COL_TEXT, S, encode_bytea, NULL},
    {"decode", 2, {COL_TEXT, COL_TEXT}, COL_BYTEA, S, decode_text, NULL},
};
FUNC_TABLE(func_encode_table, rows);
