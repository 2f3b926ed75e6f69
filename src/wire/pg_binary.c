// pg_binary.c - PostgreSQL's binary formats of single values, both ways, and parameters.
// What comes in is checked in full: lengths, digits, ranges, UTF-8. Errors are 22P03 for bytes that
// are not the type's format.
// Entry points: wire_pg_send_binary, wire_pg_param.
#include "base/must.h"
#include "wire/pg_int.h"

#define NUMERIC_POSITIVE     0x0000
#define NUMERIC_NEGATIVE     0x4000
#define SQLSTATE_BINARY      "22P03"
#define JSONB_VERSION        1
#define DATE_MIN             (-2451545) // 4714-11-24 BC
#define DATE_END             2145031949 // 5874898-01-01
#define TIMESTAMP_MIN        (-211813488000000000ll)
#define TIMESTAMP_END        9223371331200000000ll // 294277-01-01
#define NUMERIC_GROUPS_MAX   10                    // of four digits, before the point
#define NUMERIC_FRACTION_MAX BASE_DECIMAL_DIGITS_MAX

// ---- sending ----

static void send_u64(base_buf *buf, uint64_t v) {
    base_buf_add_u64be(buf, v);
}

// Groups of four decimal digits around the point; leading and trailing zero groups are left out.
static void send_numeric(base_buf *buf, base_decimal decimal) {
    base_i128 unscaled = base_decimal_unscaled(decimal);
    bool negative = unscaled < 0;
    base_u128 rest = negative ? -(base_u128)unscaled : (base_u128)unscaled;
    // digits[point + i] stands for 10^(-i-1); room for 40 before and 40 after the point.
    enum { point = 40, all = 80 };
    uint8_t digits[all] = {0};
    for (int at = point + decimal.scale - 1; rest != 0 && at >= 0; at--) {
        digits[at] = (uint8_t)(rest % 10);
        rest /= 10;
    }
    must(rest == 0);
    uint16_t groups[all / 4];
    int first = -1, last = -1;
    for (int i = 0; i < all / 4; i++) {
        const uint8_t *d = digits + 4 * i;
        groups[i] = (uint16_t)(d[0] * 1000 + d[1] * 100 + d[2] * 10 + d[3]);
        if (groups[i] == 0) continue;
        if (first < 0) first = i;
        last = i;
    }
    int n = first < 0 ? 0 : last - first + 1;
    base_buf_add_u16be(buf, (uint16_t)n);
    base_buf_add_u16be(buf, n == 0 ? 0 : (uint16_t)(point / 4 - 1 - first)); // weight
    base_buf_add_u16be(buf, negative ? NUMERIC_NEGATIVE : NUMERIC_POSITIVE);
    base_buf_add_u16be(buf, (uint16_t)decimal.scale);
    for (int i = 0; i < n; i++) base_buf_add_u16be(buf, groups[first + i]);
}

static void send_time(base_buf *buf, const col_vec *vec, uint32_t row) {
    if (vec->type.kind == COL_INTERVAL) {
        const base_interval *interval = &col_interval(vec)[row];
        send_u64(buf, (uint64_t)interval->us);
        base_buf_add_u32be(buf, (uint32_t)interval->days);
        base_buf_add_u32be(buf, (uint32_t)interval->months);
        return;
    }
    send_u64(buf, (uint64_t)col_i64(vec)[row]);
}

void wire_pg_send_binary(base_buf *buf, const col_vec *vec, uint32_t row) {
    uint32_t bits32;
    uint64_t bits64;
    if (col_kind_is_array(vec->type.kind)) {
        pg_send_array(buf, vec, row);
        return;
    }
    switch (vec->type.kind) {
    case COL_BOOL:
    case COL_CHAR:
        base_buf_add_byte(buf, col_u8(vec)[row]);
        return;
    case COL_INT2:
        base_buf_add_u16be(buf, (uint16_t)col_i16(vec)[row]);
        return;
    case COL_INT4:
    case COL_DATE:
    case COL_OID:
    case COL_REGCLASS:
        base_buf_add_u32be(buf, col_u32(vec)[row]);
        return;
    case COL_INT8:
    case COL_TIME:
    case COL_TIMESTAMP:
    case COL_TIMESTAMPTZ:
    case COL_INTERVAL:
        send_time(buf, vec, row);
        return;
    case COL_FLOAT4:
        memcpy(&bits32, &col_f32(vec)[row], 4);
        base_buf_add_u32be(buf, bits32);
        return;
    case COL_FLOAT8:
        memcpy(&bits64, &col_f64(vec)[row], 8);
        send_u64(buf, bits64);
        return;
    case COL_NUMERIC:
        send_numeric(buf, col_dec(vec)[row]);
        return;
    case COL_UUID:
        base_buf_add(buf, col_uuid(vec, row), 16);
        return;
    case COL_JSONB:
        base_buf_add_byte(buf, JSONB_VERSION);
        base_buf_add_str(buf, col_str(vec)[row]);
        return;
    case COL_STRUCT: // shown to clients as jsonb
        base_buf_add_byte(buf, JSONB_VERSION);
        col_text_format(vec, row, 0, buf);
        return;
    case COL_TEXT:
    case COL_VARCHAR:
    case COL_NAME:
    case COL_BYTEA:
        base_buf_add_str(buf, col_str(vec)[row]);
        return;
    default:
        must(!"a value of an unresolved type");
    }
}

// ---- parameters ----

base_rc pg_fail_binary(const col_vec *vec, base_error *err) {
    return base_fail(err, BASE_E_INVALID, SQLSTATE_BINARY,
                     "incorrect binary data format for a parameter of type %s",
                     col_kind_name(vec->type.kind));
}

static base_rc fail_time(const char *what, base_error *err) {
    return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_DATETIME_OVERFLOW, "%s out of range", what);
}

static base_rc receive_numeric(pg_reader *reader, col_vec *vec, uint32_t row, base_error *err) {
    uint16_t n = pg_get_u16(reader);
    int16_t weight = (int16_t)pg_get_u16(reader);
    uint16_t sign = pg_get_u16(reader), scale = pg_get_u16(reader);
    if (reader->failed || (size_t)(reader->end - reader->p) != (size_t)n * 2) {
        return pg_fail_binary(vec, err);
    }
    if (sign != NUMERIC_POSITIVE && sign != NUMERIC_NEGATIVE) {
        return base_fail(err, BASE_E_UNSUPPORTED, NULL,
                         "NaN and infinity are not supported in numeric");
    }
    if (weight >= NUMERIC_GROUPS_MAX || scale > NUMERIC_FRACTION_MAX) {
        return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_NUMERIC_RANGE,
                         "a numeric parameter has more than %d digits", BASE_DECIMAL_DIGITS_MAX);
    }
    // Digits before the point: groups weight..0; after it: as many as the scale has.
    char text[4 * NUMERIC_GROUPS_MAX + 4 * (NUMERIC_FRACTION_MAX / 4 + 2) + 4];
    size_t length = 0, point;
    if (sign == NUMERIC_NEGATIVE) text[length++] = '-';
    text[length++] = '0';
    int lowest = -(int)((scale + 3) / 4);
    point = length + (weight < 0 ? 0 : 4 * ((size_t)weight + 1));
    for (int power = weight < 0 ? -1 : weight; power >= lowest; power--) {
        int i = weight - power;
        uint16_t group = 0;
        if (i >= 0 && i < n) {
            const uint8_t *p = reader->p + 2 * i;
            group = (uint16_t)(p[0] << 8 | p[1]);
        }
        if (group > 9999) return pg_fail_binary(vec, err);
        if (power == -1) text[length++] = '.';
        for (int unit = 1000; unit > 0; unit /= 10) {
            text[length++] = (char)('0' + group / unit % 10);
        }
    }
    if (scale > 0) length = point + 1 + scale;
    base_decimal decimal;
    base_rc rc = base_decimal_parse((base_str){text, length}, &decimal, err);
    if (rc == BASE_OK && vec->type.precision > 0) {
        rc = base_decimal_coerce(decimal, vec->type.precision, vec->type.scale, &decimal, err);
    }
    if (rc == BASE_OK) col_dec(vec)[row] = decimal;
    return rc;
}

static base_rc receive_time(uint64_t bits, col_vec *vec, uint32_t row, base_error *err) {
    int64_t us = (int64_t)bits;
    if (vec->type.kind == COL_TIME) {
        if (us < 0 || us > BASE_US_PER_DAY) return fail_time("time", err);
    } else if (us != INT64_MIN && us != INT64_MAX && (us < TIMESTAMP_MIN || us >= TIMESTAMP_END)) {
        return fail_time("timestamp", err);
    }
    col_i64(vec)[row] = us;
    return BASE_OK;
}

static base_rc receive_date(uint32_t bits, col_vec *vec, uint32_t row, base_error *err) {
    int32_t days = (int32_t)bits;
    bool infinite = days == INT32_MIN || days == INT32_MAX;
    if (!infinite && (days < DATE_MIN || days >= DATE_END)) return fail_time("date", err);
    col_i32(vec)[row] = days;
    return BASE_OK;
}

// Kinds of a fixed number of bytes; 0: not one of them.
static size_t fixed_bytes(col_kind kind) {
    switch (kind) {
    case COL_BOOL:
    case COL_CHAR:
        return 1;
    case COL_INT2:
        return 2;
    case COL_INT4:
    case COL_FLOAT4:
    case COL_DATE:
    case COL_OID:
    case COL_REGCLASS:
        return 4;
    case COL_INT8:
    case COL_FLOAT8:
    case COL_TIME:
    case COL_TIMESTAMP:
    case COL_TIMESTAMPTZ:
        return 8;
    case COL_INTERVAL:
    case COL_UUID:
        return 16;
    default:
        return 0;
    }
}

static base_rc receive_fixed(pg_reader *reader, col_vec *vec, uint32_t row, base_error *err) {
    uint32_t bits32;
    uint64_t bits64;
    switch (vec->type.kind) {
    case COL_BOOL:
        col_u8(vec)[row] = pg_get_u8(reader) != 0;
        return BASE_OK;
    case COL_CHAR:
        col_u8(vec)[row] = pg_get_u8(reader);
        return BASE_OK;
    case COL_INT2:
        col_i16(vec)[row] = (int16_t)pg_get_u16(reader);
        return BASE_OK;
    case COL_INT4:
    case COL_OID:
    case COL_REGCLASS:
        col_u32(vec)[row] = pg_get_u32(reader);
        return BASE_OK;
    case COL_DATE:
        return receive_date(pg_get_u32(reader), vec, row, err);
    case COL_INT8:
        col_i64(vec)[row] = (int64_t)pg_get_u64(reader);
        return BASE_OK;
    case COL_FLOAT4:
        bits32 = pg_get_u32(reader);
        memcpy(&col_f32(vec)[row], &bits32, 4);
        return BASE_OK;
    case COL_FLOAT8:
        bits64 = pg_get_u64(reader);
        memcpy(&col_f64(vec)[row], &bits64, 8);
        return BASE_OK;
    case COL_INTERVAL:
        col_interval(vec)[row].us = (int64_t)pg_get_u64(reader);
        col_interval(vec)[row].days = (int32_t)pg_get_u32(reader);
        col_interval(vec)[row].months = (int32_t)pg_get_u32(reader);
        return BASE_OK;
    case COL_UUID:
        memcpy(col_uuid(vec, row), reader->p, 16);
        return BASE_OK;
    default:
        return receive_time(pg_get_u64(reader), vec, row, err);
    }
}

base_rc wire_pg_param(base_str bytes, int16_t format, const base_zone *zone, col_vec *vec,
                      uint32_t row, base_arena *arena, base_error *err) {
    must(row < vec->n && bytes.p != NULL);
    if (vec->nulls != NULL) vec->nulls[row] = 0;
    if (format == 0) return col_text_parse(bytes, zone, vec, row, arena, err);
    if (format != 1) {
        return base_fail(err, BASE_E_INVALID, "08P01", "unsupported format code %d", format);
    }
    pg_reader reader = {(const uint8_t *)bytes.p, (const uint8_t *)bytes.p + bytes.n, false};
    if (col_kind_is_array(vec->type.kind)) {
        return pg_receive_array(&reader, vec, row, arena, err);
    }
    size_t fixed = fixed_bytes(vec->type.kind);
    if (fixed > 0) {
        return bytes.n == fixed ? receive_fixed(&reader, vec, row, err) : pg_fail_binary(vec, err);
    }
    switch (vec->type.kind) {
    case COL_NUMERIC:
        return receive_numeric(&reader, vec, row, err);
    case COL_TEXT:
    case COL_VARCHAR:
    case COL_NAME:
        return col_text_parse(bytes, zone, vec, row, arena, err);
    case COL_BYTEA:
        col_str(vec)[row] = bytes;
        return BASE_OK;
    case COL_JSONB:
    case COL_STRUCT:
        // After jsonb's version; a parameter of type json begins with its text at once.
        if (bytes.n < 1) return pg_fail_binary(vec, err);
        if (bytes.p[0] == JSONB_VERSION)
            bytes = (base_str){bytes.p + 1, bytes.n - 1};
        else if ((uint8_t)bytes.p[0] < ' ' && strchr("\t\n\r", bytes.p[0]) == NULL)
            return pg_fail_binary(vec, err);
        return col_text_parse(bytes, zone, vec, row, arena, err);
    default:
        return base_fail(err, BASE_E_UNSUPPORTED, NULL, "a parameter of unknown type");
    }
}
