// inflate.h - gzip and zstd streams in steps, with a limit on what comes out (a small body may hold
// a large bomb). Threads: one at a time.
#ifndef WEIR_WIRE_INFLATE_H
#define WEIR_WIRE_INFLATE_H

#include "base/error.h"
#include "base/str.h"

typedef enum wire_coding { WIRE_CODING_NONE, WIRE_CODING_GZIP, WIRE_CODING_ZSTD } wire_coding;
typedef struct wire_inflate wire_inflate;

wire_inflate *wire_inflate_create(wire_coding coding, uint64_t limit_bytes);
void wire_inflate_destroy(wire_inflate *inflate);
// Appends what `in` gives to out. Damage: BASE_E_INVALID 22P04 naming the position; beyond the
// limit: BASE_E_LIMIT 54000. Concatenated gzip members and zstd frames are one stream.
BASE_MUST_USE base_rc wire_inflate_feed(wire_inflate *inflate, base_str in, base_buf *out,
                                        base_error *err);
// At the end of input: an unfinished stream is BASE_E_INVALID ("truncated").
BASE_MUST_USE base_rc wire_inflate_finish(wire_inflate *inflate, base_error *err);

#endif
