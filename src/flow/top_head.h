// top_head.h - the first n rows of a partition, as top_grow.c keeps them: in a step as an array in
// order, in the state as one value. Rows are ordered as in partition.h: by order key, then by a
// hash of the row; the hash is only worked out where order keys are equal. Internal to src/flow.
#ifndef WEIR_FLOW_TOP_HEAD_H
#define WEIR_FLOW_TOP_HEAD_H

#include "flow/partition.h"
#include "flow/top_mirror.h"

typedef struct top_row {
    base_str order;  // order key
    base_str bytes;  // col_row_encode; p NULL: see source
    uint32_t source; // row of the batch, which is not encoded yet; mirrored: place in its head
    bool mirrored;   // the bytes are the view's
    bool hashed;
    char hash[FLOW_PARTITION_HASH];
} top_row;

typedef struct top_head {
    uint32_t n;
    uint16_t cap;
    bool pending; // has rows of the batch
    top_row *rows;
} top_head;

// What rows are compared and encoded with.
typedef struct top_codec {
    uint32_t limit;
    uint32_t ncolumns;
    const col_type *types;
    const uint32_t *columns; // 0, 1, ...
    base_buf buf;
    base_arena scratch;     // of one comparison
    const col_batch *batch; // of which rows without bytes are
    const top_mirror *mirror;
    state_txn *txn;     // of mirrored rows
    base_str partition; // likewise
    base_rc rc;         // the first stored row that could not be read
    base_error failure;
} top_codec;

void top_codec_init(top_codec *codec, base_arena *arena, const flow_partition_config *config,
                    uint32_t limit);
void top_codec_deinit(top_codec *codec);

// By (order, hash): < 0, 0, > 0.
int top_compare(top_codec *codec, top_row *a, top_row *b);
// Puts a row into its place, behind its equals; a head of `limit` rows loses its last. False: it is
// not among them. Room comes from the arena.
bool top_insert(top_codec *codec, base_arena *arena, top_head *head, const top_row *row);

// The state's value: a version, then of each row the lengths of its order key and bytes, and both;
// of mirrored rows, which another version says, no bytes. Rows are borrowed from the value.
BASE_MUST_USE base_rc top_head_decode(const top_codec *codec, base_arena *arena, base_str value,
                                      top_head *head, base_error *err);
void top_head_encode(base_buf *buf, const top_row *const *rows, uint32_t n, bool mirrored);

#endif
