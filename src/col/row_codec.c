// row_codec.c - compact exact cells and rows, for values in state and change logs. A disk format
// (docs/formats.md). A row is its cells one after the other. A cell begins with a byte b:
//   0x00..0xef  a small number, which is the value or its first part
//   0xf0 + k    k bytes follow, little-endian: a number (k = 1..8, or 16 for 0xf9)
//   0xff        null
// Signed numbers are folded (0, -1, 1, -2, ...). By kind:
//   BOOL, "char", OID, integers, times   one number
//   FLOAT4, FLOAT8   0x00, then 4 or 8 bytes little-endian; there is one NaN
//   NUMERIC          scale as a number, then the unscaled value as a number
//   strings, arrays  length as a number, then the bytes (of an array: array.c)
//   INTERVAL         months, days, microseconds as numbers
//   UUID             0x00, then 16 bytes
//   STRUCT           0x00, then its cells
// Entry points: col_cell_encode(), col_cell_decode().
#include "base/must.h"
#include "col/array.h"
#include "col/codec.h"
#include "col/col_int.h"

#define SMALL_MAX  0xef
#define LONG_BASE  0xf0
#define WIDE       0xf9
#define NULL_BYTE  0xff
#define NUMBER_MAX 9 // bytes of a number of 64 bits

static inline uint64_t fold(int64_t v) {
    return ((uint64_t)v << 1) ^ (uint64_t)(v >> 63);
}
static inline int64_t unfold(uint64_t v) {
    return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

// p has room for NUMBER_MAX bytes.
static inline uint8_t *put_number(uint8_t *p, uint64_t v) {
    if (v <= SMALL_MAX) {
        *p++ = (uint8_t)v;
        return p;
    }
    int bytes = (71 - __builtin_clzll(v)) / 8;
    *p++ = (uint8_t)(LONG_BASE + bytes);
    memcpy(p, &v, 8); // the host is little-endian; what lies behind is overwritten or not counted
    return p + bytes;
}
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "formats are written as they lie");

static uint8_t *put_decimal(uint8_t *p, base_decimal d) {
    p = put_number(p, (uint64_t)d.scale);
    if (d.hi == (int64_t)d.lo >> 63) return put_number(p, fold((int64_t)d.lo));
    *p++ = WIDE;
    memcpy(p, &d.lo, 8);
    memcpy(p + 8, &d.hi, 8);
    return p + 16;
}

static uint8_t *put_interval(uint8_t *p, const base_interval *interval) {
    p = put_number(p, fold(interval->months));
    p = put_number(p, fold(interval->days));
    return put_number(p, fold(interval->us));
}

static uint8_t *put_bits(uint8_t *p, const void *bits, size_t n) {
    memcpy(p, bits, n);
    return p + n;
}

static uint64_t number_of(const col_vec *vec, uint32_t row) {
    switch (col_storage_of(vec)) {
    case COL_ST_U8:
        return col_u8(vec)[row];
    case COL_ST_I16:
        return fold(col_i16(vec)[row]);
    case COL_ST_I32:
        return fold(col_i32(vec)[row]);
    case COL_ST_U32:
        return col_u32(vec)[row];
    default:
        return fold(col_i64(vec)[row]);
    }
}

void col_cell_encode(base_buf *buf, const col_vec *vec, uint32_t row) {
    check(row < vec->n);
    if (col_is_null(vec, row) || col_storage_of(vec) == COL_ST_NONE) {
        base_buf_add_byte(buf, NULL_BYTE);
        return;
    }
    // Room for the longest of the fixed cells and the slack of put_number().
    base_buf_reserve(buf, 64);
    uint8_t *begin = (uint8_t *)buf->p + buf->n, *p = begin;
    switch (col_storage_of(vec)) {
    case COL_ST_F32:
        *p++ = 0;
        p = put_bits(p, &(uint32_t){col_f32_exact(col_f32(vec)[row])}, 4);
        break;
    case COL_ST_F64:
        *p++ = 0;
        p = put_bits(p, &(uint64_t){col_f64_exact(col_f64(vec)[row])}, 8);
        break;
    case COL_ST_DEC:
        p = put_decimal(p, col_dec(vec)[row]);
        break;
    case COL_ST_STR:
    case COL_ST_ARRAY:
    case COL_ST_JSON:
        buf->n += (size_t)(put_number(p, col_str(vec)[row].n) - begin);
        base_buf_add_str(buf, col_str(vec)[row]);
        return;
    case COL_ST_INTERVAL:
        p = put_interval(p, &col_interval(vec)[row]);
        break;
    case COL_ST_UUID:
        *p++ = 0;
        memcpy(p, col_uuid(vec, row), 16);
        p += 16;
        break;
    case COL_ST_STRUCT:
        base_buf_add_byte(buf, 0);
        for (uint16_t i = 0; i < vec->type.nfields; i++) {
            col_cell_encode(buf, &vec->children[i], row);
        }
        return;
    default:
        p = put_number(p, number_of(vec, row));
        break;
    }
    buf->n += (size_t)(p - begin);
}

void col_row_encode(base_buf *buf, const col_batch *batch, uint32_t row, uint32_t ncols,
                    const uint32_t *cols) {
    for (uint32_t i = 0; i < ncols; i++) col_cell_encode(buf, &batch->cols[cols[i]], row);
}

static base_rc corrupt(base_error *err, const char *what, size_t at) {
    return base_fail(err, BASE_E_CORRUPT, NULL, "stored row is damaged: %s at byte %zu", what, at);
}

static base_rc get_number(base_str bytes, size_t *at, uint64_t *out, base_error *err) {
    if (*at >= bytes.n) return corrupt(err, "ends early", *at);
    const uint8_t *p = (const uint8_t *)bytes.p + *at;
    if (p[0] <= SMALL_MAX) {
        *out = p[0];
        *at += 1;
        return BASE_OK;
    }
    size_t n = (size_t)(p[0] - LONG_BASE);
    if (n < 1 || n > 8) return corrupt(err, "number", *at);
    if (bytes.n - *at - 1 < n) return corrupt(err, "ends early", *at);
    uint64_t v = 0;
    memcpy(&v, p + 1, n);
    *out = v;
    *at += 1 + n;
    return BASE_OK;
}

static base_rc get_signed(base_str bytes, size_t *at, int64_t low, int64_t high, int64_t *out,
                          base_error *err) {
    size_t place = *at;
    uint64_t v;
    base_rc rc = get_number(bytes, at, &v, err);
    if (rc != BASE_OK) return rc;
    *out = unfold(v);
    if (*out < low || *out > high) return corrupt(err, "number out of range", place);
    return BASE_OK;
}

static base_rc get_decimal(base_str bytes, size_t *at, base_decimal *out, base_error *err) {
    uint64_t scale;
    size_t place = *at;
    base_rc rc = get_number(bytes, at, &scale, err);
    if (rc != BASE_OK) return rc;
    if (scale > BASE_DECIMAL_DIGITS_MAX) return corrupt(err, "numeric scale", place);
    if (*at < bytes.n && (uint8_t)bytes.p[*at] == WIDE) {
        if (bytes.n - *at - 1 < 16) return corrupt(err, "ends early", *at);
        base_decimal d = {.scale = (int32_t)scale};
        memcpy(&d.lo, bytes.p + *at + 1, 8);
        memcpy(&d.hi, bytes.p + *at + 9, 8);
        if (!col_decimal_valid(d)) return corrupt(err, "numeric value", *at);
        *at += 17;
        *out = d;
        return BASE_OK;
    }
    int64_t v = 0;
    rc = get_signed(bytes, at, INT64_MIN, INT64_MAX, &v, err);
    *out = base_decimal_make(v, (int)scale);
    return rc;
}

static base_rc get_interval(base_str bytes, size_t *at, base_interval *out, base_error *err) {
    int64_t months, days, us;
    base_rc rc = get_signed(bytes, at, INT32_MIN, INT32_MAX, &months, err);
    if (rc == BASE_OK) rc = get_signed(bytes, at, INT32_MIN, INT32_MAX, &days, err);
    if (rc == BASE_OK) rc = get_signed(bytes, at, INT64_MIN, INT64_MAX, &us, err);
    if (rc == BASE_OK) *out = (base_interval){us, (int32_t)days, (int32_t)months};
    return rc;
}

// A value of width bytes behind a 0x00.
static base_rc get_raw(base_str bytes, size_t *at, void *out, size_t width, base_error *err) {
    if (bytes.p[*at] != 0) return corrupt(err, "value", *at);
    if (bytes.n - *at - 1 < width) return corrupt(err, "ends early", *at);
    memcpy(out, bytes.p + *at + 1, width);
    *at += 1 + width;
    return BASE_OK;
}

static base_rc get_unsigned(base_str bytes, size_t *at, uint64_t high, uint64_t *out,
                            base_error *err) {
    size_t place = *at;
    base_rc rc = get_number(bytes, at, out, err);
    if (rc == BASE_OK && *out > high) return corrupt(err, "number out of range", place);
    return rc;
}

static base_rc get_value(base_str bytes, size_t *at, col_vec *vec, uint32_t row, base_arena *arena,
                         base_error *err) {
    int64_t v = 0;
    uint64_t u = 0;
    base_rc rc;
    switch (col_storage_of(vec)) {
    case COL_ST_NONE:
        return corrupt(err, "value of an untyped column", *at);
    case COL_ST_U8:
        rc = get_unsigned(bytes, at, vec->type.kind == COL_BOOL ? 1 : UINT8_MAX, &u, err);
        col_u8(vec)[row] = (uint8_t)u;
        return rc;
    case COL_ST_I16:
        rc = get_signed(bytes, at, INT16_MIN, INT16_MAX, &v, err);
        col_i16(vec)[row] = (int16_t)v;
        return rc;
    case COL_ST_I32:
        rc = get_signed(bytes, at, INT32_MIN, INT32_MAX, &v, err);
        col_i32(vec)[row] = (int32_t)v;
        return rc;
    case COL_ST_U32:
        rc = get_unsigned(bytes, at, UINT32_MAX, &u, err);
        col_u32(vec)[row] = (uint32_t)u;
        return rc;
    case COL_ST_I64:
        rc = get_signed(bytes, at, INT64_MIN, INT64_MAX, &v, err);
        col_i64(vec)[row] = v;
        return rc;
    case COL_ST_F32:
        return get_raw(bytes, at, &col_f32(vec)[row], 4, err);
    case COL_ST_F64:
        return get_raw(bytes, at, &col_f64(vec)[row], 8, err);
    case COL_ST_DEC:
        return get_decimal(bytes, at, &col_dec(vec)[row], err);
    case COL_ST_STR:
    case COL_ST_ARRAY:
    case COL_ST_JSON:
        rc = get_number(bytes, at, &u, err);
        if (rc != BASE_OK) return rc;
        if (u > bytes.n - *at) return corrupt(err, "string length", *at);
        col_str(vec)[row] = (base_str){bytes.p + *at, (size_t)u};
        if (col_kind_is_array(vec->type.kind) && !col_array_valid(vec, row, arena)) {
            return corrupt(err, "array", *at);
        }
        *at += (size_t)u;
        return BASE_OK;
    case COL_ST_INTERVAL:
        return get_interval(bytes, at, &col_interval(vec)[row], err);
    case COL_ST_UUID:
        return get_raw(bytes, at, col_uuid(vec, row), 16, err);
    case COL_ST_STRUCT:
        if (bytes.p[*at] != 0) return corrupt(err, "struct", *at);
        ++*at;
        for (uint16_t i = 0; i < vec->type.nfields; i++) {
            rc = col_cell_decode(bytes, at, &vec->children[i], row, arena, err);
            if (rc != BASE_OK) return rc;
        }
        return BASE_OK;
    }
    return corrupt(err, "kind", *at);
}

base_rc col_cell_decode(base_str bytes, size_t *at, col_vec *vec, uint32_t row, base_arena *arena,
                        base_error *err) {
    must(row < vec->n && *at <= bytes.n);
    if (*at == bytes.n) return corrupt(err, "ends early", *at);
    if ((uint8_t)bytes.p[*at] == NULL_BYTE) {
        ++*at;
        col_vec_set_null(vec, arena, row);
        return BASE_OK;
    }
    if (vec->nulls != NULL) vec->nulls[row] = 0;
    return get_value(bytes, at, vec, row, arena, err);
}

base_rc col_row_decode(base_str bytes, size_t *at, col_batch *batch, uint32_t row, uint32_t ncols,
                       const uint32_t *cols, base_arena *arena, base_error *err) {
    for (uint32_t i = 0; i < ncols; i++) {
        base_rc rc = col_cell_decode(bytes, at, &batch->cols[cols[i]], row, arena, err);
        if (rc != BASE_OK) return rc;
    }
    return BASE_OK;
}
