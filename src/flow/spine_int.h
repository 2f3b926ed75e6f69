// spine_int.h - what the files of the spine share: spine.c (runs and blocks in the store),
// spine_read.c (lookups) and spine_merge.c (merging). Internal to the spine.
#ifndef WEIR_FLOW_SPINE_INT_H
#define WEIR_FLOW_SPINE_INT_H

#include "flow/spine.h"

#define SPINE_BLOCK_BYTES     16384u // a block is cut when its rows, unpacked, come to so much
#define SPINE_RUN_KEY_BYTES   8u
#define SPINE_BLOCK_KEY_BYTES 20u

typedef struct spine_run_head { // the value of a run's key
    uint32_t version;           // 1
    uint32_t cancels;
    uint64_t rows, bytes;
    int64_t time_max;
} spine_run_head;
_Static_assert(sizeof(spine_run_head) == 32, "spine_run_head is a disk format");

typedef struct spine_block_head {
    uint8_t version; // 1
    uint8_t flags;
    uint16_t reserved;
    uint32_t nrows;
} spine_block_head;
_Static_assert(sizeof(spine_block_head) == 8, "spine_block_head is a disk format");
#define SPINE_BLOCK_IDS     1u
#define SPINE_BLOCK_WEIGHTS 2u

void spine_put_key(char *out, uint64_t run, uint64_t hash, uint32_t number); // 20 bytes
base_str spine_run_key(char out[SPINE_RUN_KEY_BYTES], uint64_t run);

// A block in the store.
struct spine_block {
    uint32_t n;
    const char *hashes, *ids, *weights; // 8 bytes a row each; or NULL
    base_str bytes;                     // the col_block
    bool is_open;
    col_block block;
};
BASE_MUST_USE base_rc spine_block_parse(const flow_spine *spine, base_str value, spine_block *out,
                                        base_error *err);
BASE_MUST_USE base_rc spine_corrupt(base_error *err, const char *what);

static inline uint64_t spine_u64(const char *p, uint32_t i) {
    uint64_t v;
    memcpy(&v, p + 8 * (size_t)i, 8);
    return v;
}
static inline uint64_t spine_get_be(const char *p) {
    uint64_t v;
    memcpy(&v, p, 8);
    return __builtin_bswap64(v);
}

BASE_MUST_USE base_rc spine_load(flow_spine *spine, flow_ctx *ctx, base_error *err);

// A run in the making: blocks as they will be put, in a buffer.
typedef struct spine_writer {
    flow_spine *spine;
    flow_ctx *ctx;
    bool deferred; // nothing is put before spine_writer_end: what is read may be in the store
    flow_spine_run run;
    uint32_t number; // of the next block
    base_buf bytes;
    uint32_t npending, pending_cap;
    struct spine_pending *pending; // blocks not put yet
} spine_writer;
void spine_writer_begin(spine_writer *writer, flow_spine *spine, flow_ctx *ctx, bool deferred);
BASE_MUST_USE base_rc spine_writer_add(spine_writer *writer, const flow_spine_rows *rows,
                                       base_error *err);
// Puts what is pending and the run's head, if there is any row.
BASE_MUST_USE base_rc spine_writer_end(spine_writer *writer, base_error *err);
void spine_writer_deinit(spine_writer *writer);

BASE_MUST_USE base_rc spine_delete_run(flow_spine *spine, flow_ctx *ctx, uint32_t which,
                                       base_error *err);

// spine_read.c: all rows of some runs.
BASE_MUST_USE base_rc spine_read_runs(flow_spine_reader *reader, flow_spine *spine, flow_ctx *ctx,
                                      base_arena *arena, uint32_t nruns, const uint32_t *which,
                                      uint32_t cap, base_error *err);
// The rows of refs; strings are borrowed from the store unless copied.
BASE_MUST_USE base_rc spine_decode(const flow_spine_reader *reader, base_arena *arena,
                                   const flow_spine_ref *refs, uint32_t n, const bool *wanted,
                                   bool copy, const col_batch **out, base_error *err);

// spine_merge.c
bool spine_run_is_large(const flow_spine_run *run); // merged only when lookups have paid for it
BASE_MUST_USE base_rc spine_tidy(flow_spine *spine, flow_ctx *ctx, int64_t bound_us,
                                 base_error *err);
// Rows whose time is at or above the bound; the same struct if all are.
const flow_spine_rows *spine_in_time(const flow_spine *spine, base_arena *arena,
                                     const flow_spine_rows *rows, int64_t bound_us);

#endif
