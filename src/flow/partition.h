// partition.h - rows of partitions kept in order, for operators whose output for a row depends on
// its neighbours: windows (over.c), sessions, patterns, WITH TIES.
//
// A partition is the rows that agree in some columns; its order is that of the order key, then of a
// hash of the row, so that it never depends on history. An order key's encoding that does not fit
// into a key of FLOW_PARTITION_KEY bytes with the partition's goes on with a hash of it: rows that
// differ beyond are told apart, their order is fixed, but it is not that of their values. A row
// that is there n times is one row of weight n; a weight below 1 is kept and means that the row is
// not there.
//
// State: "v<view>.<node>.<suffix>": partition key ++ order key ++ row hash -> weight, row bytes;
// ".<suffix>.marks": partition key ++ order key ++ row hash -> bytes of the operator's (see marks).
// In front of it partitions of few rows are cached whole; of larger ones only what is asked for is
// read, by cursors.
//
// A flush:
//     flow_partition_begin(part, ctx, rows)        sorts and sums the step's delta
//     while (flow_partition_next(part, &segment), segment != NULL)
//         a segment begins with the next row that the delta changes. The operator draws in as many
//         rows before and after it as it needs (flow_segment_before, flow_segment_after); changed
//         rows that come in its way are part of the segment. segment->rows says of each row how
//         often it was there and how often it is. It emits new output less old output.
//     flow_partition_finish(part)                  writes the state
// Rows in front of a segment's first change are shown as they are after the step.
// Threads: the flow's. Internal to src/flow.
#ifndef WEIR_FLOW_PARTITION_H
#define WEIR_FLOW_PARTITION_H

#include "flow/flow_int.h"

#define FLOW_PARTITION_HASH 16u  // bytes of the row hash, the end of a row's key
#define FLOW_PARTITION_KEY  495u // bytes of a key that the store keeps in order
#define FLOW_PARTITION_FEW  256u // rows of a partition that is cached; with caches of 1 MB at most 4
#define FLOW_NO_SOURCE      UINT32_MAX
#define FLOW_ALL_ROWS       UINT32_MAX

typedef struct flow_partition_row {
    base_str key;    // order key ++ row hash; memcmp order
    base_str bytes;  // col_row_encode; not set where source is
    uint32_t source; // row of the step's delta, or FLOW_NO_SOURCE
    int64_t was, is; // how often it is there before and after the step; not both 0
} flow_partition_row;

typedef struct flow_partition flow_partition;

typedef struct flow_segment {
    flow_partition_row *rows;
    uint32_t n;
    uint32_t first_changed, last_changed; // rows whose weight differs
    bool at_start, at_end;                // nothing of the partition is before, after it
    base_str partition;                   // the partition's key
    flow_partition *part;
} flow_segment;

typedef struct flow_partition_config {
    flow_op *op; // its graph, view and node name the tables
    const char *suffix;
    uint32_t ncolumns; // of a row
    const col_type *types;
    uint32_t nkeys; // PARTITION BY
    const uint32_t *keys;
    uint32_t norder; // ORDER BY
    const plan_sort_key *order;
    bool marks; // the operator sets marks
} flow_partition_config;

BASE_MUST_USE base_rc flow_partition_open(const flow_partition_config *config, flow_partition **out,
                                          base_error *err);
void flow_partition_close(flow_partition *part);
void flow_partition_reset(flow_partition *part); // after a failed step
void flow_partition_trim(flow_partition *part);  // at save: the cache goes back to its budget
void flow_partition_stats(const flow_partition *part, flow_op_stats *stats);
BASE_MUST_USE base_rc flow_partition_verify(flow_partition *part, flow_ctx *ctx, base_error *err);

// Partition keys and order keys of rows: what a row's key is made of, without its hash.
void flow_partition_encode(const flow_partition_config *config, base_arena *arena,
                           const col_batch *rows, base_str *partitions, base_str *orders);
BASE_MUST_USE base_rc flow_partition_begin(flow_partition *part, flow_ctx *ctx,
                                           const col_batch *rows, base_error *err);
BASE_MUST_USE base_rc flow_partition_next(flow_partition *part, flow_segment **out,
                                          base_error *err);
BASE_MUST_USE base_rc flow_partition_finish(flow_partition *part, base_error *err);
const col_batch *flow_partition_delta(const flow_partition *part); // what `source` is a row of

// Draws in rows until n come before the first change (after: follow the last one), or there are no
// more. A change met on the way moves last_changed.
BASE_MUST_USE base_rc flow_segment_before(flow_segment *segment, uint32_t n, base_error *err);
BASE_MUST_USE base_rc flow_segment_after(flow_segment *segment, uint32_t n, base_error *err);
// One more row at the front (end), if there is one.
BASE_MUST_USE base_rc flow_segment_grow_front(flow_segment *segment, base_error *err);
BASE_MUST_USE base_rc flow_segment_grow_end(flow_segment *segment, base_error *err);

// Whether two rows have equal order keys.
static inline bool flow_partition_peers(const flow_partition_row *a, const flow_partition_row *b) {
    size_t n = a->key.n - FLOW_PARTITION_HASH;
    return a->key.n == b->key.n && memcmp(a->key.p, b->key.p, n) == 0;
}

// Columns of rows [first, first + n) of the segment, decoded. With keep, what the batch refers to
// lives until the step ends, else until the next call of flow_partition_next.
BASE_MUST_USE base_rc flow_segment_batch(flow_segment *segment, base_arena *arena, uint32_t first,
                                         uint32_t n, bool keep, col_batch **out, base_error *err);
// The same of chosen rows, kept.
BASE_MUST_USE base_rc flow_segment_gather(flow_segment *segment, base_arena *arena,
                                          const uint32_t *rows, uint32_t n, col_batch **out,
                                          base_error *err);

// Marks let an operator that computes from the beginning of a partition on (a running sum) begin
// near the change instead: a mark keeps, in the operator's own bytes, what it knows after a row and
// all rows before it. A change drops the marks from it on to the end of its segment, so an operator
// that ends a segment before the end of the partition must know that what it computes for later
// rows, and the marks there, stay as they are; it then sets a mark on the segment's last row.
// flow_segment_to_mark draws in all rows after the last mark that is before the segment's first
// row, or, with peers, before the first of that row's peers: a row that has come behind a mark may
// be a peer of rows before it. *state is the mark's bytes, empty at the start of the partition.
BASE_MUST_USE base_rc flow_segment_to_mark(flow_segment *segment, bool peers, base_str *state,
                                           base_error *err);
bool flow_segment_wants_marks(const flow_segment *segment);
uint32_t flow_segment_mark_every(const flow_segment *segment); // rows; at least 4
void flow_segment_mark(flow_segment *segment, uint32_t row, base_str state);

#endif
