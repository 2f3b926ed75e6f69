// log_int.h - internals shared by the files of src/log: partitions, segments, mappings, indexes.
//
// How a record travels: log_append encodes batches outside the lock, takes places for them under
// the lock and copies them to `pending`. The first thread that calls log_sync becomes the leader:
// it takes all that is pending, writes it in one call, syncs, and moves the durable end; threads
// that come meanwhile wait and are served together by the next leader.
//
// Invariants of a partition (under its mutex):
//   durable_position <= written_position <= end_position, and pending holds exactly the bytes from
//   written_position to end_position (while a leader is at work it holds the first part in
//   `writing`); only the last segment is written to; all earlier ones are durable as a whole; a
//   failed write or sync sets `failed` for good: nothing after durable_position is trusted.
#ifndef WEIR_LOG_LOG_INT_H
#define WEIR_LOG_LOG_INT_H

#include "base/map.h"
#include "log/index.h"
#include "log/log.h"
#include "log/segment.h"
#include "plat/thread.h"

#include <stdatomic.h>

#define LOG_BATCH_TARGET_BYTES (1u << 20)   // an append is cut into batches of about this payload
#define LOG_APPEND_BYTES_MAX   (256u << 20) // all records of one append call
#define LOG_PENDING_BYTES_MAX  (1u << 20)   // more than this is written out before the next append
#define LOG_ALLOCATE_BYTES_MIN (1u << 20)   // first allocation of a segment, then doubled
#define LOG_ALLOCATE_STEP_MAX  (16u << 20)

// A mapped segment file, shared by the readers that are in it. Guarded by the partition's mutex,
// except bytes, n, base_offset and salt, which never change. It outlives its segment if retention
// deletes that first.
typedef struct log_mapping {
    struct log_segment *segment; // NULL once the segment has another mapping or is gone
    uint32_t refs;
    const char *bytes;
    uint64_t n;
    uint64_t base_offset;
    uint64_t salt;
} log_mapping;

typedef struct log_segment {
    uint64_t base_offset;
    uint64_t previous_base;
    uint64_t salt;
    int64_t append_us_max_before; // of all earlier segments
    uint64_t bytes; // used, for retention and log_bytes; of the last one: see partition
    bool damaged;   // its header is unreadable
    bool index_loaded;
    log_index index;
    log_mapping *mapping; // or NULL; no reference is counted for this pointer
} log_segment;

typedef struct log_partition {
    log_stream *stream;
    uint32_t id;
    char *dir;
    plat_mutex mutex;
    plat_cond changed; // busy fell, or the durable end moved, or the partition failed

    log_segment **segments; // by base offset; the last one takes appends
    uint32_t segment_count, segment_cap;
    plat_file *file;       // of the last segment, or NULL if there is none yet
    plat_file *index_file; // its index, or NULL until it is first written
    bool index_broken;     // writing it failed: left alone until reopened, readers rebuild it
    uint64_t allocated;    // of the last segment's file
    uint64_t end_position, written_position, durable_position;
    uint64_t next_offset;
    int64_t append_us_max; // of all batches so far, or INT64_MIN
    uint64_t sealed_bytes; // sum over all segments but the last

    base_buf pending, writing, index_out;
    bool busy;      // a leader is at work
    bool must_roll; // a new segment was begun and may exist: the last one takes no more appends
    bool dir_dirty; // a removal still has to be made durable
    bool failed;
    base_error failure;

    log_encoder *encoders; // idle ones
    _Atomic uint64_t durable_end;
    _Atomic uint64_t begin;
} log_partition;

struct log_stream {
    log_store *store;
    char *name, *dir;
    log_stream_config config;
    log_partition *partitions;
};

struct log_store {
    plat *plat;
    char *dir;
    plat_mutex mutex;
    base_map *streams; // by name
    void (*notify)(void *arg, log_stream *stream, uint32_t partition);
    void *notify_arg;
};

// partition.c
BASE_MUST_USE base_rc log_partition_roll(log_partition *partition,
                                         base_error *err); // lock held, not busy
void log_partition_write_index(
    log_partition *partition);                       // lock held; failure is remembered, not told
void log_partition_notify(log_partition *partition); // lock not held
// The path of a file of the partition, in buf: "<base>.<suffix>".
const char *log_segment_path(const log_partition *partition, uint64_t base_offset,
                             const char *suffix, base_buf *buf);
log_segment *log_partition_add_segment(log_partition *partition);
void log_segment_destroy(log_segment *segment);
// Index of the segment that holds offset (the last with base_offset <= offset); count > 0.
uint32_t log_partition_find(const log_partition *partition, uint64_t offset);
log_partition *log_stream_partition(log_stream *stream, uint32_t partition);

// recover.c: finds the segments, cuts a torn tail, and readies the partition for use. The partition
// is fresh (partition.c: log_partition_init).
BASE_MUST_USE base_rc log_partition_recover(log_partition *partition, log_open_report *report,
                                            base_error *err);
void log_partition_init(log_partition *partition, log_stream *stream, uint32_t id);
void log_partition_deinit(log_partition *partition); // writes and syncs what is pending, if it can

// reader.c
// A reference to a mapping of segment i that covers all its bytes now. Lock held.
// store.c: the directory name of a stream, percent-encoded, onto buf. False: empty or too long.
bool log_stream_dir_name(base_str name, base_buf *buf);

BASE_MUST_USE base_rc log_mapping_acquire(log_partition *partition, uint32_t i, log_mapping **out,
                                          base_error *err);
void log_mapping_release(log_partition *partition, log_mapping *mapping); // lock held

#endif
