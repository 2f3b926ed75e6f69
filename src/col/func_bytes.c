// func_bytes.c - bytea as strings of bits and bytes, trimming, LIKE, replacing a piece (overlay),
// and the longer SHA digests. Source: PostgreSQL 15 documentation, 9.4 and 9.5.
#include "base/must.h"
#include "col/func_text_int.h"

#define SQLSTATE_SUBSCRIPT "2202E"

// ---- bits and bytes ----

static base_rc bad_index(int64_t index, int64_t last, base_error *err) {
    return base_fail(err, BASE_E_INVALID, SQLSTATE_SUBSCRIPT,
                     "index %lld out of valid range, 0..%lld", (long long)index, (long long)last);
}

// Bits are numbered from the right within each byte.
static base_rc bit_place(base_str s, int64_t n, size_t *byte, int *bit, base_error *err) {
    if (n < 0 || (uint64_t)n >= (uint64_t)s.n * 8) return bad_index(n, (int64_t)s.n * 8 - 1, err);
    *byte = (size_t)(n / 8);
    *bit = (int)(n % 8);
    return BASE_OK;
}

FUNC_KERNEL(get_bit_bytea) {
    FUNC_UNUSED;
    base_error e;
    FUNC_EACH(i) {
        base_str s = col_str(args[0])[i];
        size_t byte = 0;
        int bit = 0;
        base_rc rc = bit_place(s, col_i64(args[1])[i], &byte, &bit, &e);
        if (rc == BASE_OK) col_i32(out)[i] = (uint8_t)s.p[byte] >> bit & 1;
        FUNC_ROW_CALL(rc);
    }
    return BASE_OK;
}

FUNC_KERNEL(set_bit_bytea) {
    FUNC_UNUSED;
    base_error e;
    FUNC_EACH(i) {
        base_str s = col_str(args[0])[i];
        int32_t v = col_i32(args[2])[i];
        size_t byte = 0;
        int bit = 0;
        base_rc rc = bit_place(s, col_i64(args[1])[i], &byte, &bit, &e);
        if (rc == BASE_OK && v != 0 && v != 1) {
            rc = base_fail(&e, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER,
                           "new bit must be 0 or 1");
        }
        if (rc == BASE_OK) {
            char *p = base_arena_memdup(ctx->arena, s.p, s.n);
            p[byte] = (char)((uint8_t)p[byte] & ~(1u << bit));
            p[byte] = (char)((uint8_t)p[byte] | (unsigned)v << bit);
            col_str(out)[i] = (base_str){p, s.n};
        }
        FUNC_ROW_CALL(rc);
    }
    return BASE_OK;
}

FUNC_KERNEL(get_byte_bytea) {
    FUNC_UNUSED;
    base_error e;
    FUNC_EACH(i) {
        base_str s = col_str(args[0])[i];
        int32_t at = col_i32(args[1])[i];
        bool in = at >= 0 && (size_t)at < s.n;
        if (in) col_i32(out)[i] = (uint8_t)s.p[at];
        FUNC_ROW_CALL(in ? BASE_OK : bad_index(at, (int64_t)s.n - 1, &e));
    }
    return BASE_OK;
}

FUNC_KERNEL(set_byte_bytea) {
    FUNC_UNUSED;
    base_error e;
    FUNC_EACH(i) {
        base_str s = col_str(args[0])[i];
        int32_t at = col_i32(args[1])[i];
        bool in = at >= 0 && (size_t)at < s.n;
        if (in) {
            char *p = base_arena_memdup(ctx->arena, s.p, s.n);
            p[at] = (char)col_i32(args[2])[i];
            col_str(out)[i] = (base_str){p, s.n};
        }
        FUNC_ROW_CALL(in ? BASE_OK : bad_index(at, (int64_t)s.n - 1, &e));
    }
    return BASE_OK;
}

FUNC_KERNEL(bit_count_bytea) {
    FUNC_UNUSED;
    FUNC_EACH(i) {
        base_str s = col_str(args[0])[i];
        int64_t count = 0;
        for (size_t k = 0; k < s.n; k++) count += __builtin_popcount((uint8_t)s.p[k]);
        col_i64(out)[i] = count;
    }
    return BASE_OK;
}

// ---- trimming ----

static base_str trim_bytes(base_str s, base_str set, bool front, bool back) {
    if (s.n == 0 || set.n == 0) return s;
    while (front && s.n > 0 && memchr(set.p, s.p[0], set.n) != NULL) {
        s.p++;
        s.n--;
    }
    while (back && s.n > 0 && memchr(set.p, s.p[s.n - 1], set.n) != NULL) s.n--;
    return s;
}

#define TRIM_KERNEL(name, front, back)                                                             \
    FUNC_KERNEL(name) {                                                                            \
        FUNC_UNUSED;                                                                               \
        FUNC_EACH(i) {                                                                             \
            col_str(out)[i] = trim_bytes(col_str(args[0])[i], col_str(args[1])[i], front, back);   \
        }                                                                                          \
        return BASE_OK;                                                                            \
    }
TRIM_KERNEL(btrim_bytea, true, true)
TRIM_KERNEL(ltrim_bytea, true, false)
TRIM_KERNEL(rtrim_bytea, false, true)

// ---- LIKE of bytes ----

static base_rc like_rows(col_func_ctx *ctx, uint32_t n, const col_vec *const *args, col_vec *out,
                         bool want) {
    base_error e;
    FUNC_EACH(i) {
        bool match = false;
        FUNC_ROW_CALL(func_like(col_str(args[0])[i], col_str(args[1])[i], true, &match, &e));
        col_u8(out)[i] = match == want;
    }
    return BASE_OK;
}

FUNC_KERNEL(like_bytea) {
    FUNC_UNUSED;
    return like_rows(ctx, n, args, out, true);
}

FUNC_KERNEL(not_like_bytea) {
    FUNC_UNUSED;
    return like_rows(ctx, n, args, out, false);
}

// ---- overlay ----

// What is before `from`, the new piece, what is `count` after.
static base_rc overlay(col_func_ctx *ctx, size_t *budget, bool bytes, base_str s, base_str piece,
                       int32_t from, int32_t count, base_str *to, base_error *err) {
    int32_t after;
    if (from <= 0) {
        return base_fail(err, BASE_E_INVALID, "22011", "negative substring length not allowed");
    }
    if (__builtin_add_overflow(from, count, &after)) {
        return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_NUMERIC_RANGE, "integer out of range");
    }
    size_t head, tail;
    if (bytes) {
        head = (size_t)(from - 1) < s.n ? (size_t)(from - 1) : s.n;
        tail = after < 1 ? 0 : (size_t)(after - 1) < s.n ? (size_t)(after - 1) : s.n;
    } else {
        head = func_utf8_offset(s, from - 1);
        tail = after < 1 ? 0 : func_utf8_offset(s, after - 1);
    }
    uint64_t total = head + (uint64_t)piece.n + (s.n - tail);
    base_rc rc = func_take_bytes(budget, total, err);
    if (rc != BASE_OK) return rc;
    char *p = base_arena_alloc(ctx->arena, total);
    if (head > 0) memcpy(p, s.p, head);
    if (piece.n > 0) memcpy(p + head, piece.p, piece.n);
    if (s.n > tail) memcpy(p + head + piece.n, s.p + tail, s.n - tail);
    *to = (base_str){p, total};
    return BASE_OK;
}

static base_rc overlay_rows(col_func_ctx *ctx, uint32_t n, uint32_t nargs,
                            const col_vec *const *args, col_vec *out, bool bytes) {
    size_t budget = FUNC_BATCH_BYTES_MAX;
    base_error e;
    FUNC_EACH(i) {
        base_str piece = col_str(args[1])[i];
        int32_t count = nargs > 3 ? col_i32(args[3])[i]
                        : bytes   ? (int32_t)piece.n
                                  : (int32_t)func_utf8_count(piece);
        FUNC_ROW_CALL(overlay(ctx, &budget, bytes, col_str(args[0])[i], piece, col_i32(args[2])[i],
                              count, &col_str(out)[i], &e));
    }
    return BASE_OK;
}

FUNC_KERNEL(overlay_text) {
    return overlay_rows(ctx, n, nargs, args, out, false);
}

FUNC_KERNEL(overlay_bytea) {
    return overlay_rows(ctx, n, nargs, args, out, true);
}

// ---- SHA-224 is SHA-256 from another start; SHA-384 and SHA-512 (FIPS 180-4) ----

static inline uint64_t rotate(uint64_t v, int by) {
    return v >> by | v << (64 - by);
}

// Round constants: the first 64 bits of the fractions of the cube roots of the first 80 primes.
static const uint64_t sha512_k[80] = {
    0x428a2f98d728ae22, 0x7137449123ef65cd, 0xb5c0fbcfec4d3b2f, 0xe9b5dba58189dbbc,
    0x3956c25bf348b538, 0x59f111f1b605d019, 0x923f82a4af194f9b, 0xab1c5ed5da6d8118,
    0xd807aa98a3030242, 0x12835b0145706fbe, 0x243185be4ee4b28c, 0x550c7dc3d5ffb4e2,
    0x72be5d74f27b896f, 0x80deb1fe3b1696b1, 0x9bdc06a725c71235, 0xc19bf174cf692694,
    0xe49b69c19ef14ad2, 0xefbe4786384f25e3, 0x0fc19dc68b8cd5b5, 0x240ca1cc77ac9c65,
    0x2de92c6f592b0275, 0x4a7484aa6ea6e483, 0x5cb0a9dcbd41fbd4, 0x76f988da831153b5,
    0x983e5152ee66dfab, 0xa831c66d2db43210, 0xb00327c898fb213f, 0xbf597fc7beef0ee4,
    0xc6e00bf33da88fc2, 0xd5a79147930aa725, 0x06ca6351e003826f, 0x142929670a0e6e70,
    0x27b70a8546d22ffc, 0x2e1b21385c26c926, 0x4d2c6dfc5ac42aed, 0x53380d139d95b3df,
    0x650a73548baf63de, 0x766a0abb3c77b2a8, 0x81c2c92e47edaee6, 0x92722c851482353b,
    0xa2bfe8a14cf10364, 0xa81a664bbc423001, 0xc24b8b70d0f89791, 0xc76c51a30654be30,
    0xd192e819d6ef5218, 0xd69906245565a910, 0xf40e35855771202a, 0x106aa07032bbd1b8,
    0x19a4c116b8d2d0c8, 0x1e376c085141ab53, 0x2748774cdf8eeb99, 0x34b0bcb5e19b48a8,
    0x391c0cb3c5c95a63, 0x4ed8aa4ae3418acb, 0x5b9cca4f7763e373, 0x682e6ff3d6b2b8a3,
    0x748f82ee5defb2fc, 0x78a5636f43172f60, 0x84c87814a1f0ab72, 0x8cc702081a6439ec,
    0x90befffa23631e28, 0xa4506cebde82bde9, 0xbef9a3f7b2c67915, 0xc67178f2e372532b,
    0xca273eceea26619c, 0xd186b8c721c0c207, 0xeada7dd6cde0eb1e, 0xf57d4f7fee6ed178,
    0x06f067aa72176fba, 0x0a637dc5a2c898a6, 0x113f9804bef90dae, 0x1b710b35131c471b,
    0x28db77f523047d84, 0x32caab7b40c72493, 0x3c9ebe0a15c9bebc, 0x431d67c49c100d4c,
    0x4cc5d4becb3e42b6, 0x597f299cfc657e2a, 0x5fcb6fab3ad6faec, 0x6c44198c4a475817};

static void sha512_block(uint64_t state[8], const uint8_t *block) {
    uint64_t w[80], s[8];
    for (int i = 0; i < 16; i++) {
        w[i] = 0;
        for (int b = 0; b < 8; b++) w[i] = w[i] << 8 | block[8 * i + b];
    }
    for (int i = 16; i < 80; i++) {
        uint64_t x = w[i - 15], y = w[i - 2];
        w[i] = w[i - 16] + (rotate(x, 1) ^ rotate(x, 8) ^ x >> 7) + w[i - 7] +
               (rotate(y, 19) ^ rotate(y, 61) ^ y >> 6);
    }
    memcpy(s, state, sizeof s);
    for (int i = 0; i < 80; i++) {
        uint64_t e = s[4], a = s[0];
        uint64_t one = s[7] + (rotate(e, 14) ^ rotate(e, 18) ^ rotate(e, 41)) +
                       ((e & s[5]) ^ (~e & s[6])) + sha512_k[i] + w[i];
        uint64_t two = (rotate(a, 28) ^ rotate(a, 34) ^ rotate(a, 39)) +
                       ((a & s[1]) ^ (a & s[2]) ^ (s[1] & s[2]));
        memmove(s + 1, s, 7 * sizeof s[0]);
        s[4] += one;
        s[0] = one + two;
    }
    for (int i = 0; i < 8; i++) state[i] += s[i];
}

static base_rc sha512_rows(col_func_ctx *ctx, uint32_t n, const col_vec *const *args, col_vec *out,
                           const uint64_t start[8], size_t bytes) {
    FUNC_EACH(i) {
        base_str s = col_str(args[0])[i];
        uint64_t state[8];
        memcpy(state, start, sizeof state);
        const uint8_t *p = (const uint8_t *)s.p;
        size_t left = s.n;
        for (; left >= 128; left -= 128, p += 128) sha512_block(state, p);
        uint8_t last[256] = {0};
        if (left > 0) memcpy(last, p, left);
        last[left] = 0x80;
        size_t total = left < 112 ? 128 : 256;
        uint64_t bits = (uint64_t)s.n * 8;
        for (size_t b = 0; b < 8; b++) last[total - 1 - b] = (uint8_t)(bits >> (8 * b));
        sha512_block(state, last);
        if (total == 256) sha512_block(state, last + 128);
        uint8_t *to = base_arena_alloc(ctx->arena, bytes);
        for (size_t b = 0; b < bytes; b++) to[b] = (uint8_t)(state[b / 8] >> (56 - 8 * (b % 8)));
        col_str(out)[i] = (base_str){(char *)to, bytes};
    }
    return BASE_OK;
}

FUNC_KERNEL(sha512_bytea) {
    FUNC_UNUSED;
    static const uint64_t start[8] = {0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b,
                                      0xa54ff53a5f1d36f1, 0x510e527fade682d1, 0x9b05688c2b3e6c1f,
                                      0x1f83d9abfb41bd6b, 0x5be0cd19137e2179};
    return sha512_rows(ctx, n, args, out, start, 64);
}

FUNC_KERNEL(sha384_bytea) {
    FUNC_UNUSED;
    static const uint64_t start[8] = {0xcbbb9d5dc1059ed8, 0x629a292a367cd507, 0x9159015a3070dd17,
                                      0x152fecd8f70e5939, 0x67332667ffc00b31, 0x8eb44a8768581511,
                                      0xdb0c2e0d64f98fa7, 0x47b5481dbefa4fa4};
    return sha512_rows(ctx, n, args, out, start, 48);
}

#define S  COL_FUNC_STRICT
#define BY COL_BYTEA
#define T  COL_TEXT
#define N  COL_INT4

static const col_func rows[] = {
    {"get_bit", 2, {BY, COL_INT8}, N, S, get_bit_bytea, NULL},
    {"set_bit", 3, {BY, COL_INT8, N}, BY, S, set_bit_bytea, NULL},
    {"get_byte", 2, {BY, N}, N, S, get_byte_bytea, NULL},
    {"set_byte", 3, {BY, N, N}, BY, S, set_byte_bytea, NULL},
    {"bit_count", 1, {BY}, COL_INT8, S, bit_count_bytea, NULL},
    {"btrim", 2, {BY, BY}, BY, S, btrim_bytea, NULL},
    {"ltrim", 2, {BY, BY}, BY, S, ltrim_bytea, NULL},
    {"rtrim", 2, {BY, BY}, BY, S, rtrim_bytea, NULL},
    {"~~", 2, {BY, BY}, COL_BOOL, S, like_bytea, NULL},
    {"!~~", 2, {BY, BY}, COL_BOOL, S, not_like_bytea, NULL},
    {"overlay", 3, {T, T, N}, T, S, overlay_text, NULL},
    {"overlay", 4, {T, T, N, N}, T, S, overlay_text, NULL},
    {"overlay", 3, {BY, BY, N}, BY, S, overlay_bytea, NULL},
    {"overlay", 4, {BY, BY, N, N}, BY, S, overlay_bytea, NULL},
    {"sha384", 1, {BY}, BY, S, sha384_bytea, NULL},
    {"sha512", 1, {BY}, BY, S, sha512_bytea, NULL},
};
FUNC_TABLE(func_bytes_table, rows);
