// codec.h - bytes for values: ordered keys, compact rows, text, JSON. Key and row bytes are disk
// formats (docs/formats.md).
#ifndef WEIR_COL_CODEC_H
#define WEIR_COL_CODEC_H

#include "col/batch.h"
#include "plat/workers.h"

// Ordered keys: memcmp order of the encodings is the order of col_cells_compare (nulls last),
// column by column; self-delimiting, so that keys may be concatenated and prefixes scanned. Equal
// values give equal bytes (NUMERIC 1.0 and 1.00, INTERVAL 1 month and 30 days too), so decoding a
// NUMERIC gives its least scale and an INTERVAL comes as days and time. Keep a row encoding beside
// the key where the very value must be shown.
void col_key_encode(base_buf *buf, const col_vec *vec, uint32_t row);
void col_key_encode_row(base_buf *buf, const col_batch *batch, uint32_t row, uint32_t nkeys,
                        const uint32_t *keys);
// For all rows at once: keys[i] borrowed from the arena.
void col_key_encode_batch(base_arena *arena, const col_batch *batch, uint32_t nkeys,
                          const uint32_t *keys, base_str *out);
// The same with helpers, which may be NULL; and with another encoder, which must treat each row by
// itself.
typedef void col_key_encoder(base_arena *arena, const col_batch *batch, uint32_t nkeys,
                             const uint32_t *keys, base_str *out);
void col_keys_encode_by(col_key_encoder *encoder, plat_workers *workers, base_arena *arena,
                        const col_batch *batch, uint32_t nkeys, const uint32_t *keys,
                        base_str *out);
void col_keys_encode(plat_workers *workers, base_arena *arena, const col_batch *batch,
                     uint32_t nkeys, const uint32_t *keys, base_str *out);
// The stable permutation that puts byte strings in memcmp order; helpers may be NULL.
uint32_t *col_keys_sort(plat_workers *workers, base_arena *arena, size_t n, const base_str *keys);
// The same with the rows' tags behind (kernel.h), if their types have any: rows that are not the
// same have different keys.
void col_keys_encode_exact(plat_workers *workers, base_arena *arena, const col_batch *batch,
                           uint32_t nkeys, const uint32_t *keys, const col_type *types,
                           base_str *out);
void col_key_encode_exact(base_arena *arena, const col_batch *batch, uint32_t nkeys,
                          const uint32_t *keys, const col_type *types, base_str *out);
// Decodes one cell at *at into vec[row] (strings borrowed from key or arena); BASE_E_CORRUPT.
BASE_MUST_USE base_rc col_key_decode(base_str key, size_t *at, col_vec *vec, uint32_t row,
                                     base_arena *arena, base_error *err);

// Rows: compact, exact (scales are kept), for values in state and change logs. A row is its cells
// one after the other, so a prefix of its columns may be decoded alone.
void col_row_encode(base_buf *buf, const col_batch *batch, uint32_t row, uint32_t ncols,
                    const uint32_t *cols);
BASE_MUST_USE base_rc col_row_decode(base_str bytes, size_t *at, col_batch *batch, uint32_t row,
                                     uint32_t ncols, const uint32_t *cols, base_arena *arena,
                                     base_error *err);
// One cell of a row encoding.
void col_cell_encode(base_buf *buf, const col_vec *vec, uint32_t row);
BASE_MUST_USE base_rc col_cell_decode(base_str bytes, size_t *at, col_vec *vec, uint32_t row,
                                      base_arena *arena, base_error *err);
// A whole batch with weights, checked on decode (types are given, not stored, but their kinds are
// verified).
void col_batch_encode(base_buf *buf, const col_batch *batch);
// Rows of an encoded batch, by its header, which is not checked further. 0: it is none.
uint32_t col_batch_encoded_rows(base_str bytes);
BASE_MUST_USE base_rc col_batch_decode(base_str bytes, base_arena *arena, uint32_t ncols,
                                       const col_type *types, col_batch **out, base_error *err);

// A block: rows rows[0..n) of a batch, packed column by column, of which single rows are read
// without the rest; for state. It has no checksum of its own, but reading stays within it.
#define COL_BLOCK_ROWS_MAX 1024u
typedef struct col_block_column {
    const char *nulls; // a bit a row, or NULL
    const char *cells;
    base_str bytes; // of strings
    int64_t least;  // of a packed column
    bool packed;
    uint8_t width, scale;
    struct col_block_column *children; // STRUCT
} col_block_column;
typedef struct col_block {
    uint32_t nrows, ncols;
    col_block_column *columns; // in the arena, pointing into the bytes
} col_block;
void col_block_encode(base_buf *buf, const col_batch *batch, const uint32_t *rows, uint32_t n);
BASE_MUST_USE base_rc col_block_open(base_str bytes, base_arena *arena, uint32_t ncols,
                                     const col_type *types, col_block *out, base_error *err);
// Cells rows[0..n) of a column go to vec[at], vec[at + 1], ... copy: strings to the arena, else
// they are borrowed from the bytes.
BASE_MUST_USE base_rc col_block_take(const col_block *block, uint32_t column, const uint32_t *rows,
                                     uint32_t n, col_vec *vec, uint32_t at, base_arena *arena,
                                     bool copy, base_error *err);

// Text, as PostgreSQL's input and output functions (zone offset for timestamptz without zone).
// parse: vec[row] is set, strings copied to the arena only if they must change. Checks VARCHAR
// length and NUMERIC precision. Errors: 22P02, 22003, 22007, 22001, 22021.
BASE_MUST_USE base_rc col_text_parse(base_str text, const base_zone *zone, col_vec *vec,
                                     uint32_t row, base_arena *arena, base_error *err);
void col_text_format(const col_vec *vec, uint32_t row, const base_zone *zone,
                     base_buf *buf); // not null
// JSON value: numbers bare (NUMERIC exact; NaN and infinities as strings), times as ISO 8601
// strings (timestamptz RFC 3339 with Z), bytea as "\\x..", jsonb as is, struct as object, null as
// null.
void col_json_format(const col_vec *vec, uint32_t row, base_buf *buf);
// Canonical jsonb text of a JSON text (PostgreSQL's key order: by length then bytes; last duplicate
// wins; ", " and ": " as jsonb prints). Input may be anything; 22P02 if it is no JSON.
BASE_MUST_USE base_rc col_jsonb_canonical(base_str json, base_arena *arena, base_str *out,
                                          base_error *err);

#endif
