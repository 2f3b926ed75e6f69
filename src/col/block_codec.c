// block_codec.c - some rows of a batch as bytes, column by column and packed, of which single rows
// are read without the rest. A disk format (docs/formats.md), all little-endian:
//   block    "WBK1", rows u32, columns u16, 0 u16; then the columns
//   column   kind u8, flags u8 (1: nulls, 2: packed), width u8, scale u8, bytes u32 of what
//   follows:
//            if packed: least value i64; a bit a row for null (1), if flagged; then
//            integers, times and, where all are of one scale and small, NUMERIC: rows x the value
//              less the least one, in 0, 1, 2, 4 or 8 bytes
//            strings and arrays: rows x where the string ends, then their bytes
//            struct: its columns; other kinds: rows x the cell as it lies in memory
// Who keeps a block sees to its checksum; reading checks every length all the same.
// Entry points: col_block_encode, col_block_open, col_block_take.
#include "base/must.h"
#include "col/array.h"
#include "col/codec.h"
#include "col/col_int.h"

typedef struct block_header {
    char magic[4];
    uint32_t nrows;
    uint16_t ncols;
    uint16_t reserved;
} block_header;
_Static_assert(sizeof(block_header) == 12, "block_header is a disk format");

typedef struct column_header {
    uint8_t kind;
    uint8_t flags;
    uint8_t width;
    uint8_t scale;
    uint32_t bytes;
} column_header;
_Static_assert(sizeof(column_header) == 8, "column_header is a disk format");

#define COLUMN_NULLS  1u
#define COLUMN_PACKED 2u

// ------------------------------------------------------------------------------------ encoding

static uint8_t width_for(uint64_t most) {
    return most == 0            ? 0
           : most <= UINT8_MAX  ? 1
           : most <= UINT16_MAX ? 2
           : most <= UINT32_MAX ? 4
                                : 8;
}

// Cells of `width` bytes of the low ends of values.
static void put_cells(base_buf *buf, const uint64_t *values, uint32_t n, uint8_t width) {
    base_buf_reserve(buf, (size_t)width * n);
    char *out = buf->p + buf->n;
    switch (width) {
    case 1:
        for (uint32_t i = 0; i < n; i++) out[i] = (char)values[i];
        break;
    case 2:
        for (uint32_t i = 0; i < n; i++) memcpy(out + 2 * (size_t)i, &values[i], 2);
        break;
    case 4:
        for (uint32_t i = 0; i < n; i++) memcpy(out + 4 * (size_t)i, &values[i], 4);
        break;
    case 8:
        memcpy(out, values, 8 * (size_t)n);
        break;
    default:
        break;
    }
    buf->n += (size_t)width * n;
}

#define GATHER(cell)                                                                               \
    for (uint32_t i = 0; i < n; i++)                                                               \
        out[i] = (uint64_t)(int64_t)((const cell *)vec->data)[rows[i]];                            \
    return true;

// The values as integers; false: they are none.
static bool gather_ints(const col_vec *vec, const uint32_t *rows, uint32_t n, uint64_t *out,
                        uint8_t *scale) {
    switch (col_storage_of(vec)) {
    case COL_ST_U8:
        GATHER(uint8_t)
    case COL_ST_I16:
        GATHER(int16_t)
    case COL_ST_I32:
        GATHER(int32_t)
    case COL_ST_U32:
        GATHER(uint32_t)
    case COL_ST_I64:
        GATHER(int64_t)
    case COL_ST_DEC: {
        bool any = false;
        for (uint32_t i = 0; i < n; i++) {
            base_decimal d = col_dec(vec)[rows[i]];
            out[i] = d.lo;
            if (col_is_null(vec, rows[i])) continue;
            if (!any) *scale = (uint8_t)d.scale;
            any = true;
            if (d.scale != *scale || d.hi != (int64_t)d.lo >> 63) return false;
        }
        return true;
    }
    default:
        return false;
    }
}

static bool any_null(const col_vec *vec, const uint32_t *rows, uint32_t n) {
    uint8_t any = 0;
    for (uint32_t i = 0; vec->nulls != NULL && i < n; i++) any |= vec->nulls[rows[i]];
    return any != 0;
}

static void put_nulls(base_buf *buf, const col_vec *vec, const uint32_t *rows, uint32_t n) {
    size_t bytes = (n + 7u) / 8;
    base_buf_reserve(buf, bytes);
    uint8_t *out = (uint8_t *)buf->p + buf->n;
    memset(out, 0, bytes);
    for (uint32_t i = 0; i < n; i++) out[i / 8] |= (uint8_t)((vec->nulls[rows[i]] != 0) << (i % 8));
    buf->n += bytes;
}

// Values under nulls do not count, and go out as the least one.
static void put_packed(base_buf *buf, const col_vec *vec, const uint32_t *rows, uint32_t n,
                       uint64_t *values, column_header *header) {
    int64_t least = INT64_MAX, most = INT64_MIN;
    bool nulls = (header->flags & COLUMN_NULLS) != 0;
    for (uint32_t i = 0; i < n; i++) {
        if (nulls && vec->nulls[rows[i]] != 0) continue;
        int64_t v = (int64_t)values[i];
        least = v < least ? v : least;
        most = v > most ? v : most;
    }
    if (most < least) least = most = 0;
    for (uint32_t i = 0; i < n; i++) {
        values[i] = nulls && vec->nulls[rows[i]] != 0 ? 0 : values[i] - (uint64_t)least;
    }
    header->flags |= COLUMN_PACKED;
    header->width = width_for((uint64_t)most - (uint64_t)least);
    base_buf_add_u64le(buf, (uint64_t)least);
    if (nulls) put_nulls(buf, vec, rows, n);
    put_cells(buf, values, n, header->width);
}

static void put_strings(base_buf *buf, const col_vec *vec, const uint32_t *rows, uint32_t n,
                        uint64_t *ends, column_header *header) {
    uint64_t total = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (!col_is_null(vec, rows[i])) total += col_str(vec)[rows[i]].n;
        ends[i] = total;
    }
    must(total <= UINT32_MAX);
    header->width = width_for(total);
    if ((header->flags & COLUMN_NULLS) != 0) put_nulls(buf, vec, rows, n);
    put_cells(buf, ends, n, header->width);
    base_buf_reserve(buf, total);
    char *out = buf->p + buf->n;
    for (uint32_t i = 0; i < n; i++) {
        size_t some = ends[i] - (i == 0 ? 0 : ends[i - 1]);
        if (some > 0) memcpy(out, col_str(vec)[rows[i]].p, some);
        out += some;
    }
    buf->n += total;
}

static void put_fixed(base_buf *buf, const col_vec *vec, const uint32_t *rows, uint32_t n,
                      column_header *header) {
    size_t width = col_kind_width(vec->type.kind);
    header->width = (uint8_t)width;
    if ((header->flags & COLUMN_NULLS) != 0) put_nulls(buf, vec, rows, n);
    base_buf_reserve(buf, width * n);
    char *out = buf->p + buf->n;
    for (uint32_t i = 0; i < n; i++, out += width) {
        if (col_is_null(vec, rows[i]))
            memset(out, 0, width);
        else
            memcpy(out, (const char *)vec->data + width * rows[i], width);
    }
    buf->n += width * n;
}

static void put_column(base_buf *buf, const col_vec *vec, const uint32_t *rows, uint32_t n) {
    uint64_t values[COL_BLOCK_ROWS_MAX];
    bool nulls = vec->type.kind != COL_UNKNOWN && any_null(vec, rows, n);
    column_header header = {.kind = (uint8_t)vec->type.kind, .flags = nulls ? COLUMN_NULLS : 0};
    size_t at = buf->n;
    base_buf_add(buf, &header, sizeof header);
    if (vec->type.kind == COL_STRUCT) {
        if (nulls) put_nulls(buf, vec, rows, n);
        for (uint16_t i = 0; i < vec->type.nfields; i++)
            put_column(buf, &vec->children[i], rows, n);
    } else if (col_kind_is_string(vec->type.kind)) {
        put_strings(buf, vec, rows, n, values, &header);
    } else if (gather_ints(vec, rows, n, values, &header.scale)) {
        put_packed(buf, vec, rows, n, values, &header);
    } else {
        put_fixed(buf, vec, rows, n, &header);
    }
    size_t bytes = buf->n - at - sizeof header;
    must(bytes <= UINT32_MAX);
    header.bytes = (uint32_t)bytes;
    memcpy(buf->p + at, &header, sizeof header);
}

void col_block_encode(base_buf *buf, const col_batch *batch, const uint32_t *rows, uint32_t n) {
    must(n <= COL_BLOCK_ROWS_MAX && batch->ncols <= UINT16_MAX);
    block_header header = {{'W', 'B', 'K', '1'}, n, (uint16_t)batch->ncols, 0};
    base_buf_add(buf, &header, sizeof header);
    for (uint32_t c = 0; c < batch->ncols; c++) put_column(buf, &batch->cols[c], rows, n);
}

// ------------------------------------------------------------------------------------ reading

static base_rc corrupt(base_error *err, const char *what) {
    return base_fail(err, BASE_E_CORRUPT, NULL, "stored block of rows is damaged: %s", what);
}

static base_rc open_column(base_str *bytes, base_arena *arena, const col_type *type, uint32_t n,
                           col_block_column *out, base_error *err);

static base_rc open_children(base_str body, base_arena *arena, const col_type *type, uint32_t n,
                             col_block_column *out, base_error *err) {
    out->children = base_arena_array(arena, col_block_column, type->nfields);
    for (uint16_t i = 0; i < type->nfields; i++) {
        base_rc rc = open_column(&body, arena, &type->fields[i].type, n, &out->children[i], err);
        if (rc != BASE_OK) return rc;
    }
    return body.n == 0 ? BASE_OK : corrupt(err, "struct");
}

// The column at the beginning of bytes, which move behind it.
static base_rc open_column(base_str *bytes, base_arena *arena, const col_type *type, uint32_t n,
                           col_block_column *out, base_error *err) {
    column_header header;
    if (bytes->n < sizeof header) return corrupt(err, "ends early");
    memcpy(&header, bytes->p, sizeof header);
    if (header.bytes > bytes->n - sizeof header) return corrupt(err, "ends early");
    if (header.kind != type->kind) return corrupt(err, "column of another type");
    base_str body = {bytes->p + sizeof header, header.bytes};
    bytes->p += sizeof header + header.bytes;
    bytes->n -= sizeof header + header.bytes;
    *out = (col_block_column){.packed = (header.flags & COLUMN_PACKED) != 0,
                              .width = header.width,
                              .scale = header.scale};
    size_t need = (out->packed ? 8 : 0) + ((header.flags & COLUMN_NULLS) != 0 ? (n + 7u) / 8 : 0) +
                  (size_t)header.width * n;
    if (need > body.n) return corrupt(err, "column ends early");
    if (out->packed) {
        memcpy(&out->least, body.p, 8);
        body = (base_str){body.p + 8, body.n - 8};
    }
    if ((header.flags & COLUMN_NULLS) != 0) {
        out->nulls = body.p;
        body = (base_str){body.p + (n + 7u) / 8, body.n - (n + 7u) / 8};
    }
    out->cells = body.p;
    if (type->kind == COL_STRUCT) return open_children(body, arena, type, n, out, err);
    size_t cells = (size_t)header.width * n, width = col_kind_width(type->kind);
    bool is_string = col_kind_is_string(type->kind);
    bool narrow = header.width <= 8 && (header.width & (header.width - 1)) == 0;
    if (out->packed || is_string ? !narrow : header.width != width) return corrupt(err, "width");
    if (out->packed && (is_string || type->kind == COL_UNKNOWN)) return corrupt(err, "packing");
    out->bytes = (base_str){body.p + cells, body.n - cells};
    return is_string || body.n == cells ? BASE_OK : corrupt(err, "column is too long");
}

base_rc col_block_open(base_str bytes, base_arena *arena, uint32_t ncols, const col_type *types,
                       col_block *out, base_error *err) {
    block_header header;
    if (bytes.n < sizeof header) return corrupt(err, "ends early");
    memcpy(&header, bytes.p, sizeof header);
    if (memcmp(header.magic, "WBK1", 4) != 0 || header.reserved != 0)
        return corrupt(err, "no block of version 1");
    if (header.ncols != ncols || header.nrows > COL_BLOCK_ROWS_MAX) return corrupt(err, "header");
    *out = (col_block){header.nrows, ncols, base_arena_array(arena, col_block_column, ncols + 1u)};
    bytes = (base_str){bytes.p + sizeof header, bytes.n - sizeof header};
    for (uint32_t c = 0; c < ncols; c++) {
        base_rc rc = open_column(&bytes, arena, &types[c], header.nrows, &out->columns[c], err);
        if (rc != BASE_OK) return rc;
    }
    return bytes.n == 0 ? BASE_OK : corrupt(err, "more bytes than columns");
}

static inline uint64_t cell_at(const col_block_column *column, uint32_t row) {
    uint64_t v = 0;
    switch (column->width) {
    case 0:
        return 0;
    case 1:
        return (uint8_t)column->cells[row];
    case 2:
        memcpy(&v, column->cells + 2 * (size_t)row, 2);
        return v;
    case 4:
        memcpy(&v, column->cells + 4 * (size_t)row, 4);
        return v;
    default:
        memcpy(&v, column->cells + 8 * (size_t)row, 8);
        return v;
    }
}

#define TAKE(cell)                                                                                 \
    for (uint32_t i = 0; i < n; i++)                                                               \
        ((cell *)vec->data)[at + i] = (cell)((uint64_t)column->least + cell_at(column, rows[i]));  \
    return BASE_OK;

static base_rc take_packed(const col_block_column *column, const uint32_t *rows, uint32_t n,
                           col_vec *vec, uint32_t at, base_error *err) {
    switch (col_storage_of(vec)) {
    case COL_ST_U8:
        for (uint32_t i = 0; i < n; i++) {
            uint64_t v = (uint64_t)column->least + cell_at(column, rows[i]);
            col_u8(vec)[at + i] = (uint8_t)v;
            if (vec->type.kind == COL_BOOL && v > 1) return corrupt(err, "value out of range");
        }
        return BASE_OK;
    case COL_ST_I16:
        TAKE(int16_t)
    case COL_ST_I32:
        TAKE(int32_t)
    case COL_ST_U32:
        TAKE(uint32_t)
    case COL_ST_I64:
        for (uint32_t i = 0; i < n; i++)
            col_i64(vec)[at + i] = (int64_t)((uint64_t)column->least + cell_at(column, rows[i]));
        return BASE_OK;
    case COL_ST_DEC:
        if (column->scale > BASE_DECIMAL_DIGITS_MAX) return corrupt(err, "scale");
        for (uint32_t i = 0; i < n; i++) {
            int64_t v = (int64_t)((uint64_t)column->least + cell_at(column, rows[i]));
            col_dec(vec)[at + i] = (base_decimal){(uint64_t)v, v >> 63, column->scale, 0};
        }
        return BASE_OK;
    default:
        return corrupt(err, "packed column");
    }
}

static base_rc take_strings(const col_block_column *column, const uint32_t *rows, uint32_t n,
                            col_vec *vec, uint32_t at, base_arena *arena, bool copy,
                            base_error *err) {
    base_str *out = col_str(vec) + at;
    size_t total = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint64_t begin = rows[i] == 0 ? 0 : cell_at(column, rows[i] - 1);
        uint64_t end = cell_at(column, rows[i]);
        if (begin > end || end > column->bytes.n) return corrupt(err, "string");
        out[i] = (base_str){column->bytes.p + begin, end - begin};
        total += out[i].n;
    }
    char *to = copy ? base_arena_alloc_aligned(arena, total + 1, 1) : NULL;
    for (uint32_t i = 0; copy && i < n; i++) {
        memcpy(to, out[i].p, out[i].n);
        out[i].p = to;
        to += out[i].n;
    }
    if (!col_kind_is_array(vec->type.kind)) return BASE_OK;
    for (uint32_t i = 0; i < n; i++) {
        if (!col_is_null(vec, at + i) && !col_array_valid(vec, at + i, arena))
            return corrupt(err, "array");
    }
    return BASE_OK;
}

static base_rc take_fixed(const col_block_column *column, const uint32_t *rows, uint32_t n,
                          col_vec *vec, uint32_t at, base_error *err) {
    size_t width = column->width;
    char *out = (char *)vec->data + width * at;
    for (uint32_t i = 0; i < n; i++)
        memcpy(out + width * i, column->cells + width * rows[i], width);
    if (col_storage_of(vec) != COL_ST_DEC) return BASE_OK;
    for (uint32_t i = 0; i < n; i++) {
        if (!col_decimal_valid(col_dec(vec)[at + i])) return corrupt(err, "value out of range");
    }
    return BASE_OK;
}

static base_rc take_column(const col_block_column *column, const uint32_t *rows, uint32_t n,
                           col_vec *vec, uint32_t at, base_arena *arena, bool copy,
                           base_error *err) {
    if (column->nulls != NULL && vec->nulls == NULL) col_vec_need_nulls(vec, arena);
    for (uint32_t i = 0; vec->nulls != NULL && i < n && vec->type.kind != COL_UNKNOWN; i++) {
        vec->nulls[at + i] =
            column->nulls != NULL ? (uint8_t)column->nulls[rows[i] / 8] >> (rows[i] % 8) & 1 : 0;
    }
    if (vec->type.kind == COL_STRUCT) {
        base_rc rc = BASE_OK;
        for (uint16_t i = 0; i < vec->type.nfields && rc == BASE_OK; i++) {
            rc =
                take_column(&column->children[i], rows, n, &vec->children[i], at, arena, copy, err);
        }
        return rc;
    }
    if (vec->type.kind == COL_UNKNOWN) return BASE_OK;
    if (col_kind_is_string(vec->type.kind))
        return take_strings(column, rows, n, vec, at, arena, copy, err);
    return column->packed ? take_packed(column, rows, n, vec, at, err)
                          : take_fixed(column, rows, n, vec, at, err);
}

base_rc col_block_take(const col_block *block, uint32_t column, const uint32_t *rows, uint32_t n,
                       col_vec *vec, uint32_t at, base_arena *arena, bool copy, base_error *err) {
    must(column < block->ncols && at <= vec->n && n <= vec->n - at);
    return take_column(&block->columns[column], rows, n, vec, at, arena, copy, err);
}
