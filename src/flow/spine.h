// spine.h - a multiset of rows by the hash of some key columns, for state that is written much and
// looked up by key: sorted runs in a table of the store, merged as they grow (a log-structured
// merge tree; DBSP and differential dataflow call it a spine).
//
// What is added in a step becomes a run: blocks of rows, packed column by column, in order of their
// hash; nothing is read or rewritten for it. A row that is taken away is a row of negative weight.
// A lookup visits, of every run, the blocks that may have the hash. Runs of like size are merged:
// small ones always, large ones when lookups have paid for it, so that a side that is only ever
// written is not rewritten. With `cancels` the rows of a hash are also in order of a hash of the
// whole row, so that equal rows of several runs meet, are summed, and vanish at weight 0.
// With a time column, rows below the bound that the owner gives are not kept.
//
// State: run (u64) -> spine_run_head; run, last hash of the block (u64), number (u32) -> block
// head, hashes, row hashes, weights, col_block. Keys are big endian. Rows that compare equal but
// are written differently (1.0 and 1.00) are two rows: row hashes are col_hash_exact. Owner: the
// operator. Threads: the flow's. Internal to src/flow.
#ifndef WEIR_FLOW_SPINE_H
#define WEIR_FLOW_SPINE_H

#include "flow/flow_int.h"

typedef struct flow_spine_run {
    uint64_t id, rows, bytes;
    int64_t time_max; // of the time column; INT64_MAX: there is none, or a null one
} flow_spine_run;

typedef struct flow_spine {
    flow_op *op;
    state_table table;
    uint32_t ncolumns, nkeys;
    const col_type *types;
    const uint32_t *keys;
    bool cancels;
    int32_t time_column; // TIMESTAMP or TIMESTAMPTZ; -1: none

    // The runs, known since the last reset.
    bool loaded;
    uint32_t nruns, cap;
    flow_spine_run *runs;
    uint64_t next_id;
    uint64_t debt; // blocks of large runs visited since the last merge of such
} flow_spine;

// Rows in order of (hash, id). ids: hashes of whole rows, of a spine that cancels, else NULL.
// weights: parallel; NULL: all 1.
typedef struct flow_spine_rows {
    const col_batch *batch;
    uint32_t n;
    const uint32_t *rows; // of the batch
    const uint64_t *hashes, *ids;
    const int64_t *weights;
} flow_spine_rows;

BASE_MUST_USE base_rc flow_spine_open(flow_spine *spine, const char *suffix, base_error *err);
void flow_spine_reset(flow_spine *spine); // forgets what it knows of the store
void flow_spine_deinit(flow_spine *spine);
// Adds rows and tidies up; rows whose time is below `bound_us` are left out.
BASE_MUST_USE base_rc flow_spine_add(flow_spine *spine, flow_ctx *ctx, const flow_spine_rows *rows,
                                     int64_t bound_us, base_error *err);
// Only the tidying: runs below the bound go.
BASE_MUST_USE base_rc flow_spine_tidy(flow_spine *spine, flow_ctx *ctx, int64_t bound_us,
                                      base_error *err);
BASE_MUST_USE base_rc flow_spine_verify(flow_spine *spine, flow_ctx *ctx, base_error *err);
uint64_t flow_spine_count(const flow_spine *spine); // rows of all runs, as far as known

// ---- reading: stored rows whose hash is among those wanted, in that order, a bounded number at a
// time. Nothing may be written to the store between begin and end.
typedef struct spine_block spine_block;
typedef struct spine_iter spine_iter;
typedef struct flow_spine_ref {
    spine_block *block;
    uint32_t row;
    uint32_t which; // of the hashes wanted
    uint64_t hash, id;
    int64_t weight; // not 0
} flow_spine_ref;

typedef struct flow_spine_reader {
    flow_spine *spine;
    base_arena *arena;
    const uint64_t *hashes; // ascending, distinct; NULL: all
    uint32_t n, at;
    bool in_hash, several; // a hash is in progress; more than one run has it
    uint64_t hash;
    uint32_t niters, first, iter; // the first run that has it; the one being read
    spine_iter *iters;
    uint64_t visited; // blocks of large runs
    uint32_t cap, nrefs, room;
    flow_spine_ref *refs; // what flow_spine_read has found
} flow_spine_reader;

BASE_MUST_USE base_rc flow_spine_read_begin(flow_spine_reader *reader, flow_spine *spine,
                                            flow_ctx *ctx, uint32_t n, const uint64_t *hashes,
                                            uint32_t cap, base_error *err);
// The next rows, at most cap; nrefs 0: no more.
BASE_MUST_USE base_rc flow_spine_read(flow_spine_reader *reader, base_error *err);
// The rows of refs as a batch without weights, strings copied. wanted: columns, NULL: all; the
// others are filler.
BASE_MUST_USE base_rc flow_spine_decode(const flow_spine_reader *reader, const bool *wanted,
                                        const col_batch **out, base_error *err);
void flow_spine_read_end(flow_spine_reader *reader);

#endif
