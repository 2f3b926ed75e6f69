// key_codec.c - ordered keys: memcmp order of the bytes is the order of col_cells_compare, column
// by column. A disk format (docs/formats.md). One encoding a value: decoding refuses any other, so
// that equal keys are equal bytes.
//
// A cell is a marker, 1 for a value, 2 for null (nulls last), then for a value:
//   integers, times   big-endian, sign bit flipped (unsigned kinds as they are)
//   floats            IEEE bits, one NaN, no -0; negative: all bits flipped, else sign bit flipped
//   NUMERIC           0x80 for zero; else 0x.d1d2.. x 10^e: 0x81 + (e + 38), digit pairs + 1, 0;
//                     negative: the complement of the whole
//   strings, arrays   (of an array the bytes that order it, array.c) 0x00 becomes 0x00 0xff; ends
//   with 0x00 0x00 INTERVAL          microseconds with months of 30 days, 10 bytes big-endian, sign
//   bit flipped UUID              16 bytes STRUCT            its fields
// So what decodes is equal to what was encoded, not always the same: a NUMERIC has its least scale,
// an INTERVAL comes as days and time, floats have one NaN and zero.
// JSONB is the bytes that order it (jsonb_order.c), as a string.
// Entry point: put_cell(), get_value().
#include "base/must.h"
#include "col/array.h"
#include "col/codec.h"
#include "col/col_int.h"
#include "col/jsonb_order.h"

#define MARK_VALUE        COL_KEY_VALUE
#define MARK_NULL         2
#define DEC_ZERO          COL_KEY_DEC_ZERO
#define DEC_EXPONENT_BIAS 38
#define DEC_BYTES_MAX     22 // header, 19 pairs, end, and one to spare
#define INTERVAL_BYTES    COL_KEY_INTERVAL_BYTES

static inline uint8_t *put_u16(uint8_t *p, uint16_t v) {
    v = __builtin_bswap16(v);
    memcpy(p, &v, 2);
    return p + 2;
}
static inline uint8_t *put_u32(uint8_t *p, uint32_t v) {
    v = __builtin_bswap32(v);
    memcpy(p, &v, 4);
    return p + 4;
}
static inline uint8_t *put_u64(uint8_t *p, uint64_t v) {
    v = __builtin_bswap64(v);
    memcpy(p, &v, 8);
    return p + 8;
}

#define FLIP16(v) ((uint16_t)(v) ^ 0x8000u)
#define FLIP32(v) ((uint32_t)(v) ^ 0x80000000u)
#define FLIP64(v) ((uint64_t)(v) ^ 0x8000000000000000ull)

// Decimal digits of a value, most significant first, without leading zeros; returns how many.
static int digits_of(base_u128 v, uint8_t digits[40]) {
    uint8_t reversed[40];
    int n = 0;
    while (v > UINT64_MAX) {
        // 19 digits at once: division of 128 bits is slow.
        uint64_t low = (uint64_t)(v % COL_POW10_19);
        v /= COL_POW10_19;
        for (int i = 0; i < 19; i++, low /= 10) reversed[n++] = (uint8_t)(low % 10);
    }
    for (uint64_t rest = (uint64_t)v; rest != 0; rest /= 10) reversed[n++] = (uint8_t)(rest % 10);
    for (int i = 0; i < n; i++) digits[i] = reversed[n - 1 - i];
    return n;
}

static uint8_t *put_decimal(uint8_t *p, base_decimal d) {
    base_i128 v = base_decimal_unscaled(d);
    if (v == 0) {
        *p++ = DEC_ZERO;
        return p;
    }
    uint8_t flip = v < 0 ? 0xff : 0;
    uint8_t digits[40];
    int n = digits_of(v < 0 ? -(base_u128)v : (base_u128)v, digits);
    int exponent = n - d.scale;
    while (digits[n - 1] == 0) n--;
    *p++ = (uint8_t)(DEC_ZERO + 1 + exponent + DEC_EXPONENT_BIAS) ^ flip;
    for (int i = 0; i < n; i += 2) {
        int pair = digits[i] * 10 + (i + 1 < n ? digits[i + 1] : 0);
        *p++ = (uint8_t)(pair + 1) ^ flip;
    }
    *p++ = flip;
    return p;
}

static uint8_t *put_str(uint8_t *p, base_str s) {
    const char *at = s.p, *end = s.p + s.n;
    while (at < end) {
        const char *zero = memchr(at, 0, (size_t)(end - at));
        size_t plain = (size_t)((zero == NULL ? end : zero) - at);
        memcpy(p, at, plain);
        p += plain;
        at += plain;
        if (zero != NULL) {
            *p++ = 0;
            *p++ = 0xff;
            at++;
        }
    }
    *p++ = 0;
    *p++ = 0;
    return p;
}

static uint8_t *put_interval(uint8_t *p, const base_interval *interval) {
    __int128 total = col_interval_total(interval);
    p = put_u16(p, FLIP16((uint16_t)(total >> 64)));
    return put_u64(p, (uint64_t)total);
}

// Room that put_cell() may need.
static size_t cell_bound(const col_vec *vec, uint32_t row) {
    if (col_is_null(vec, row)) return 1;
    switch (col_storage_of(vec)) {
    case COL_ST_NONE:
        return 1;
    case COL_ST_DEC:
        return 1 + DEC_BYTES_MAX;
    case COL_ST_STR:
    case COL_ST_ARRAY: {
        base_str s = col_str(vec)[row];
        size_t n = 1 + s.n + 2;
        const char *at = s.p, *end = s.p + s.n;
        while (at < end && (at = memchr(at, 0, (size_t)(end - at))) != NULL) {
            n++;
            at++;
        }
        return n;
    }
    case COL_ST_JSON: {
        base_buf key = {0};
        col_jsonb_key(col_str(vec)[row], &key);
        size_t n = 3 + 2 * key.n;
        base_buf_deinit(&key);
        return n;
    }
    case COL_ST_INTERVAL:
        return 1 + INTERVAL_BYTES;
    case COL_ST_STRUCT: {
        size_t n = 1;
        for (uint16_t i = 0; i < vec->type.nfields; i++) n += cell_bound(&vec->children[i], row);
        return n;
    }
    default:
        return 1 + col_kind_width(vec->type.kind);
    }
}

static uint8_t *put_cell(uint8_t *p, const col_vec *vec, uint32_t row) {
    if (col_is_null(vec, row) || col_storage_of(vec) == COL_ST_NONE) {
        *p++ = MARK_NULL;
        return p;
    }
    *p++ = MARK_VALUE;
    switch (col_storage_of(vec)) {
    case COL_ST_NONE:
        break;
    case COL_ST_U8:
        *p++ = col_u8(vec)[row];
        break;
    case COL_ST_I16:
        return put_u16(p, FLIP16(col_i16(vec)[row]));
    case COL_ST_I32:
        return put_u32(p, FLIP32(col_i32(vec)[row]));
    case COL_ST_U32:
        return put_u32(p, col_u32(vec)[row]);
    case COL_ST_I64:
        return put_u64(p, FLIP64(col_i64(vec)[row]));
    case COL_ST_F32:
        return put_u32(p, col_f32_ordered(col_f32(vec)[row]));
    case COL_ST_F64:
        return put_u64(p, col_f64_ordered(col_f64(vec)[row]));
    case COL_ST_DEC:
        return put_decimal(p, col_dec(vec)[row]);
    case COL_ST_STR:
        return put_str(p, col_str(vec)[row]);
    case COL_ST_ARRAY:
        return put_str(p, col_array_key(col_str(vec)[row]));
    case COL_ST_JSON: {
        base_buf key = {0};
        col_jsonb_key(col_str(vec)[row], &key);
        p = put_str(p, base_buf_str(&key));
        base_buf_deinit(&key);
        return p;
    }
    case COL_ST_INTERVAL:
        return put_interval(p, &col_interval(vec)[row]);
    case COL_ST_UUID:
        memcpy(p, col_uuid(vec, row), 16);
        return p + 16;
    case COL_ST_STRUCT:
        for (uint16_t i = 0; i < vec->type.nfields; i++) p = put_cell(p, &vec->children[i], row);
        break;
    }
    return p;
}

void col_key_encode(base_buf *buf, const col_vec *vec, uint32_t row) {
    must(row < vec->n);
    base_buf_reserve(buf, cell_bound(vec, row));
    uint8_t *begin = (uint8_t *)buf->p + buf->n;
    buf->n += (size_t)(put_cell(begin, vec, row) - begin);
}

void col_key_encode_row(base_buf *buf, const col_batch *batch, uint32_t row, uint32_t nkeys,
                        const uint32_t *keys) {
    for (uint32_t k = 0; k < nkeys; k++) col_key_encode(buf, &batch->cols[keys[k]], row);
}

static void add_bounds(const col_vec *vec, size_t *restrict bounds) {
    switch (col_storage_of(vec)) {
    case COL_ST_DEC:
    case COL_ST_STR:
    case COL_ST_ARRAY:
    case COL_ST_JSON:
    case COL_ST_STRUCT:
        for (uint32_t i = 0; i < vec->n; i++) bounds[i] += cell_bound(vec, i);
        break;
    default: {
        size_t most = 1 + (col_storage_of(vec) == COL_ST_INTERVAL ? INTERVAL_BYTES
                                                                  : col_kind_width(vec->type.kind));
        for (uint32_t i = 0; i < vec->n; i++) bounds[i] += most;
    }
    }
}

#define PUT_LOOP(expression)                                                                       \
    for (uint32_t i = 0; i < n; i++) {                                                             \
        uint8_t *p = at[i];                                                                        \
        *p++ = MARK_VALUE;                                                                         \
        at[i] = (expression);                                                                      \
    }                                                                                              \
    return;

static void put_vec(const col_vec *vec, uint8_t **at) {
    uint32_t n = vec->n;
    if (vec->nulls == NULL) {
        switch (col_storage_of(vec)) {
        case COL_ST_I32:
            PUT_LOOP(put_u32(p, FLIP32(col_i32(vec)[i])))
        case COL_ST_I64:
            PUT_LOOP(put_u64(p, FLIP64(col_i64(vec)[i])))
        case COL_ST_STR:
            PUT_LOOP(put_str(p, col_str(vec)[i]))
        default:
            break;
        }
    }
    for (uint32_t i = 0; i < n; i++) at[i] = put_cell(at[i], vec, i);
}

void col_key_encode_batch(base_arena *arena, const col_batch *batch, uint32_t nkeys,
                          const uint32_t *keys, base_str *out) {
    uint32_t n = batch->nrows;
    size_t *bounds = base_arena_array(arena, size_t, n);
    const col_vec **vecs = base_arena_array(arena, const col_vec *, nkeys + 1u);
    for (uint32_t k = 0; k < nkeys; k++) {
        must(keys[k] < batch->ncols && batch->cols[keys[k]].n == n);
        const col_vec *vec = &batch->cols[keys[k]];
        vecs[k] = col_storage_of(vec) == COL_ST_JSON ? col_jsonb_keys(arena, vec) : vec;
        add_bounds(vecs[k], bounds);
    }
    size_t total = 0;
    for (uint32_t i = 0; i < n; i++) total += bounds[i];
    uint8_t *bytes = base_arena_alloc(arena, total);
    uint8_t **at = base_arena_alloc(arena, sizeof *at * (size_t)n);
    for (uint32_t i = 0; i < n; i++) {
        at[i] = bytes;
        out[i].p = (const char *)bytes;
        bytes += bounds[i];
    }
    for (uint32_t k = 0; k < nkeys; k++) put_vec(vecs[k], at);
    for (uint32_t i = 0; i < n; i++) out[i].n = (size_t)((const char *)at[i] - out[i].p);
}

#define PART_ROWS 4096u // fewer are not worth a thread's waking up

typedef struct encoding {
    col_key_encoder *encoder;
    const col_batch *batch;
    uint32_t nkeys, parts;
    const uint32_t *keys;
    base_str *out;
} encoding;

static void encode_part(void *arg, uint32_t i, base_arena *arena) {
    const encoding *e = arg;
    uint32_t begin;
    const col_batch *rows = col_batch_part(arena, e->batch, e->parts, i, &begin);
    e->encoder(arena, rows, e->nkeys, e->keys, e->out + begin);
}

void col_keys_encode_by(col_key_encoder *encoder, plat_workers *workers, base_arena *arena,
                        const col_batch *batch, uint32_t nkeys, const uint32_t *keys,
                        base_str *out) {
    uint32_t parts = plat_workers_parts(workers, batch->nrows, PART_ROWS);
    encoding e = {encoder, batch, nkeys, parts, keys, out};
    plat_workers_each_in(workers, arena, parts, encode_part, &e);
}

void col_keys_encode(plat_workers *workers, base_arena *arena, const col_batch *batch,
                     uint32_t nkeys, const uint32_t *keys, base_str *out) {
    col_keys_encode_by(col_key_encode_batch, workers, arena, batch, nkeys, keys, out);
}

// Decoding.

static base_rc corrupt(base_error *err, const char *what, size_t at) {
    return base_fail(err, BASE_E_CORRUPT, NULL, "stored key is damaged: %s at byte %zu", what, at);
}

static inline uint16_t get_u16(const uint8_t *p) {
    return (uint16_t)(p[0] << 8 | p[1]);
}
static inline uint32_t get_u32(const uint8_t *p) {
    uint32_t v;
    memcpy(&v, p, 4);
    return __builtin_bswap32(v);
}
static inline uint64_t get_u64(const uint8_t *p) {
    uint64_t v;
    memcpy(&v, p, 8);
    return __builtin_bswap64(v);
}

static base_rc get_decimal(base_str key, size_t *at, base_decimal *out, base_error *err) {
    const uint8_t *p = (const uint8_t *)key.p;
    size_t i = *at;
    if (i >= key.n) return corrupt(err, "numeric ends early", i);
    if (p[i] == DEC_ZERO) {
        *at = i + 1;
        *out = base_decimal_make(0, 0);
        return BASE_OK;
    }
    uint8_t flip = p[i] < DEC_ZERO ? 0xff : 0;
    int exponent = (uint8_t)(p[i++] ^ flip) - DEC_ZERO - 1 - DEC_EXPONENT_BIAS;
    base_u128 v = 0;
    int n = 0, last = 0;
    for (;; i++) {
        if (i >= key.n) return corrupt(err, "numeric ends early", i);
        int byte = p[i] ^ flip;
        if (byte == 0) break;
        int pair = byte - 1;
        if (pair > 99 || n >= 38 || (n == 0 && pair < 10)) {
            return corrupt(err, "numeric digit", i);
        }
        v = v * 100 + (unsigned)pair;
        n += 2;
        last = pair;
    }
    if (last == 0) return corrupt(err, "numeric digit", i);
    if (last % 10 == 0) {
        v /= 10;
        n--;
    }
    int scale = n - exponent;
    // The whole value has exponent digits before the point: more than 38 do not fit.
    if (scale > BASE_DECIMAL_DIGITS_MAX || exponent > BASE_DECIMAL_DIGITS_MAX) {
        return corrupt(err, "numeric exponent", *at);
    }
    for (; scale < 0; scale++) v *= 10;
    *at = i + 1;
    *out = base_decimal_make(flip != 0 ? -(base_i128)v : (base_i128)v, scale);
    return BASE_OK;
}

static base_rc get_str(base_str key, size_t *at, base_str *out, base_arena *arena,
                       base_error *err) {
    const char *begin = key.p + *at, *end = key.p + key.n, *p = begin;
    size_t escapes = 0;
    for (;;) {
        p = p < end ? memchr(p, 0, (size_t)(end - p)) : NULL;
        if (p == NULL || end - p < 2) return corrupt(err, "string without end", *at);
        if (p[1] == 0) break;
        if ((uint8_t)p[1] != 0xff) return corrupt(err, "string escape", (size_t)(p - key.p));
        escapes++;
        p += 2;
    }
    size_t n = (size_t)(p - begin);
    *at += n + 2;
    if (escapes == 0) {
        *out = (base_str){begin, n};
        return BASE_OK;
    }
    char *copy = base_arena_alloc_aligned(arena, n - escapes, 1);
    size_t used = 0;
    for (size_t i = 0; i < n; i++) {
        copy[used++] = begin[i];
        if (begin[i] == 0) i++;
    }
    *out = (base_str){copy, used};
    return BASE_OK;
}

static int64_t clamp(__int128 v, int64_t low, int64_t high) {
    return v < low ? low : v > high ? high : (int64_t)v;
}

// Days and time; months only where the days would not fit.
static base_rc get_interval(const uint8_t *p, size_t at, base_interval *out, base_error *err) {
    uint64_t high = (uint64_t)(int64_t)(int16_t)FLIP16(get_u16(p));
    __int128 total = (__int128)((unsigned __int128)high << 64 | get_u64(p + 2));
    __int128 days = total / BASE_US_PER_DAY;
    int64_t months = 0;
    if (days < INT32_MIN || days > INT32_MAX) {
        months = clamp(days / 30, INT32_MIN, INT32_MAX);
        total -= (__int128)months * 30 * BASE_US_PER_DAY;
        days = clamp(total / BASE_US_PER_DAY, INT32_MIN, INT32_MAX);
    }
    total -= days * BASE_US_PER_DAY;
    if (total < INT64_MIN || total > INT64_MAX) return corrupt(err, "interval", at);
    *out = (base_interval){(int64_t)total, (int32_t)days, (int32_t)months};
    return BASE_OK;
}

static base_rc get_float(const col_vec *vec, uint32_t row, const uint8_t *p, size_t at,
                         base_error *err) {
    if (col_storage_of(vec) == COL_ST_F32) {
        uint32_t ordered = get_u32(p);
        uint32_t bits = (ordered >> 31) != 0 ? ordered & ~(1u << 31) : ~ordered;
        memcpy(&col_f32(vec)[row], &bits, 4);
        if (col_f32_ordered(col_f32(vec)[row]) != ordered) return corrupt(err, "float", at);
        return BASE_OK;
    }
    uint64_t ordered = get_u64(p);
    uint64_t bits = (ordered >> 63) != 0 ? ordered & ~(1ull << 63) : ~ordered;
    memcpy(&col_f64(vec)[row], &bits, 8);
    if (col_f64_ordered(col_f64(vec)[row]) != ordered) return corrupt(err, "float", at);
    return BASE_OK;
}

static base_rc get_fixed(base_str key, size_t *at, const col_vec *vec, uint32_t row,
                         base_error *err) {
    size_t width =
        col_storage_of(vec) == COL_ST_INTERVAL ? INTERVAL_BYTES : col_kind_width(vec->type.kind);
    if (key.n - *at < width) return corrupt(err, "value ends early", *at);
    const uint8_t *p = (const uint8_t *)key.p + *at;
    size_t place = *at;
    *at += width;
    switch (col_storage_of(vec)) {
    case COL_ST_U8:
        if (vec->type.kind == COL_BOOL && p[0] > 1) return corrupt(err, "boolean", place);
        col_u8(vec)[row] = p[0];
        return BASE_OK;
    case COL_ST_I16:
        col_i16(vec)[row] = (int16_t)FLIP16(get_u16(p));
        return BASE_OK;
    case COL_ST_I32:
        col_i32(vec)[row] = (int32_t)FLIP32(get_u32(p));
        return BASE_OK;
    case COL_ST_U32:
        col_u32(vec)[row] = get_u32(p);
        return BASE_OK;
    case COL_ST_I64:
        col_i64(vec)[row] = (int64_t)FLIP64(get_u64(p));
        return BASE_OK;
    case COL_ST_F32:
    case COL_ST_F64:
        return get_float(vec, row, p, place, err);
    case COL_ST_INTERVAL:
        return get_interval(p, place, &col_interval(vec)[row], err);
    case COL_ST_UUID:
        memcpy(col_uuid(vec, row), p, 16);
        return BASE_OK;
    default:
        return corrupt(err, "value of an untyped column", place);
    }
}

base_rc col_key_decode(base_str key, size_t *at, col_vec *vec, uint32_t row, base_arena *arena,
                       base_error *err) {
    must(row < vec->n && *at <= key.n);
    if (*at == key.n) return corrupt(err, "key ends early", *at);
    uint8_t mark = (uint8_t)key.p[(*at)++];
    if (mark == MARK_NULL) {
        col_vec_set_null(vec, arena, row);
        return BASE_OK;
    }
    if (mark != MARK_VALUE) return corrupt(err, "marker", *at - 1);
    if (vec->nulls != NULL) vec->nulls[row] = 0;
    switch (col_storage_of(vec)) {
    case COL_ST_DEC:
        return get_decimal(key, at, &col_dec(vec)[row], err);
    case COL_ST_STR:
    case COL_ST_ARRAY: {
        base_rc rc = get_str(key, at, &col_str(vec)[row], arena, err);
        if (rc == BASE_OK && col_kind_is_array(vec->type.kind) &&
            !col_array_from_key(col_str(vec)[row], vec, row, arena)) {
            return corrupt(err, "array", *at);
        }
        return rc;
    }
    case COL_ST_JSON: {
        base_str own;
        base_rc rc = get_str(key, at, &own, arena, err);
        if (rc == BASE_OK && !col_jsonb_from_key(own, arena, &col_str(vec)[row]))
            return corrupt(err, "jsonb", *at);
        return rc;
    }
    case COL_ST_STRUCT:
        for (uint16_t i = 0; i < vec->type.nfields; i++) {
            base_rc rc = col_key_decode(key, at, &vec->children[i], row, arena, err);
            if (rc != BASE_OK) return rc;
        }
        return BASE_OK;
    default:
        return get_fixed(key, at, vec, row, err);
    }
}
