// canon.h - the canonical text of a row, which weir and a book compute alike, and its digest. It is
// a function of values, not of types or of how a system shows them:
//
//   NULL                        ~
//   integers, NUMERIC           the least digits that say it: -7, 1.5 (for 1.50), 0
//   BOOLEAN                     t or f
//   DATE                        days since 2000-01-01; infinity, -infinity
//   TIMESTAMP, TIMESTAMPTZ      microseconds since 2000-01-01 00:00 (UTC); infinity, -infinity
//   TIME                        microseconds since midnight
//   UUID                        lower case, with hyphens
//   TEXT, VARCHAR               number of characters, ':', the text in UTF-8
//
// Cells are parted by ','. The number of characters makes it impossible for two rows to have one
// text. Other types (floating point, whose texts differ between systems, JSONB, arrays, ...) have
// no canonical text: rows with such a column that is compared are read, not digested. The digest of
// a text is the first 60 bits of its MD5: what SQL everywhere can compute.
#ifndef WEIR_ENGINE_CANON_H
#define WEIR_ENGINE_CANON_H

#include "col/batch.h"

bool engine_canon_has(col_kind kind);
// Appends the cells columns[0..n) of a row.
void engine_canon_add(base_buf *buf, const col_batch *batch, uint32_t row, uint32_t n,
                      const uint32_t *columns);
// 60 bits; *rest (may be NULL): the last 64 bits of the MD5.
uint64_t engine_canon_digest(base_str text, uint64_t *rest);

#endif
