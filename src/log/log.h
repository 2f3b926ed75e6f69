// log.h - the durable, replayable log: streams of partitions of segment files.
//
// A record is bytes (one JSON event, as the producer sent it) with optional headers. Records are
// appended in batches; a batch is the unit of checksum, compression and index. Within a partition,
// offsets are dense, from 0, never reused for another acknowledged record.
//
// Durability: log_append() writes, log_sync() makes durable; many threads that sync at the same
// time share one fdatasync (group commit). Readers see only durable records, so no state is ever
// derived from a record that a power loss could take back. A record is acknowledged once its sync
// returned.
//
// Layout: DIR/<stream>/stream.json (partitions, created), and in DIR/<stream>/<partition>/ a
// "<base offset>.seg" and ".idx" for each segment. Space is allocated ahead of appends, in steps,
// so that a full disk is seen before records are accepted. A torn tail is cut at open and reported
// (log_open_report); damage to records that had been made durable is never cut: it is kept,
// reported, and met by readers as BASE_E_CORRUPT. docs/formats.md describes the bytes.
//
// Threads: log_append, log_sync, log_end, readers on different threads are safe; a log_reader
// belongs to one thread at a time. open, close, create, drop are not concurrent with use of the
// same stream.
#ifndef WEIR_LOG_LOG_H
#define WEIR_LOG_LOG_H

#include "base/arena.h"
#include "base/error.h"
#include "base/str.h"
#include "plat/plat.h"

typedef struct log_store log_store;
typedef struct log_stream log_stream;
typedef struct log_reader log_reader;

typedef enum log_codec { LOG_CODEC_NONE = 0, LOG_CODEC_LZ4 = 1, LOG_CODEC_ZSTD = 2 } log_codec;

#define LOG_RECORD_BYTES_MAX (16u << 20) // one record
#define LOG_BATCH_BYTES_MAX  (32u << 20) // payload of one batch, before compression
#define LOG_PARTITIONS_MAX   1024
#define LOG_READ_PADDING     64 // readable bytes guaranteed after any payload (simdjson needs them)

typedef struct log_stream_config {
    uint32_t partitions;      // 1..LOG_PARTITIONS_MAX; fixed at creation
    uint64_t segment_bytes;   // 0: 64 MiB
    uint32_t index_bytes;     // an index entry each so many bytes; 0: 64 KiB
    log_codec codec;          // for new batches; a batch that does not shrink is stored plain
    int64_t retention_us;     // by append time; 0: for ever
    uint64_t retention_bytes; // per partition; 0: no limit
} log_stream_config;

// What open had to do to a partition; empty if all was clean.
typedef struct log_open_report {
    uint64_t torn_bytes;    // cut from the tail
    uint32_t segments;      // found
    uint32_t torn_segments; // with a tail cut
    char text[256];         // a sentence for the operator, or ""
} log_open_report;

typedef struct log_record {
    base_str payload;
    base_str headers; // encoded by log_headers_add(), or empty
} log_record;

// Facts common to a batch.
typedef struct log_batch_info {
    int64_t append_us;    // processing time, microseconds since 2000 (UTC)
    int64_t event_us_min; // event-time range, or both INT64_MIN if unknown
    int64_t event_us_max;
    uint32_t contract_version; // of the contract that checked these records; 0: unchecked
    uint32_t flags;            // free for the engine; stored
} log_batch_info;

BASE_MUST_USE base_rc log_store_open(plat *plat, const char *dir, log_store **out, base_error *err);
void log_store_close(log_store *store); // closes its streams; unsynced records may be lost

BASE_MUST_USE base_rc log_stream_create(log_store *store, base_str name,
                                        const log_stream_config *config, log_stream **out,
                                        base_error *err);
// Opens an existing stream (idempotent: the same handle each time). config's codec, retention and
// segment size apply from now on; partitions must agree or be 0. reports may be NULL, else has room
// for one report a partition.
BASE_MUST_USE base_rc log_stream_open(log_store *store, base_str name,
                                      const log_stream_config *config, log_open_report *reports,
                                      log_stream **out, base_error *err);
BASE_MUST_USE base_rc log_stream_exists(log_store *store, base_str name, bool *exists,
                                        base_error *err);
BASE_MUST_USE base_rc log_stream_drop(log_store *store, base_str name,
                                      base_error *err); // deletes files
uint32_t log_stream_partitions(const log_stream *stream);
base_str log_stream_name(const log_stream *stream);

// Appends records as one or more batches of one partition, all or nothing, and returns the first
// offset; they are consecutive. Not durable before log_sync. On failure nothing is readable and the
// offsets are used again. BASE_E_FULL: no space;
// try again when there is. BASE_E_LIMIT: a record is too large, or
// all together are (256 MiB). BASE_E_IO after a failed write or sync: the partition refuses writes
// until the store is reopened.
BASE_MUST_USE base_rc log_append(log_stream *stream, uint32_t partition, const log_record *records,
                                 size_t n, const log_batch_info *info, uint64_t *first_offset,
                                 base_error *err);
// Returns when all that this thread appended to the partition before the call is durable.
BASE_MUST_USE base_rc log_sync(log_stream *stream, uint32_t partition, base_error *err);
// Called, on the thread whose sync did the work, after the durable end of a partition has moved.
void log_store_on_durable(log_store *store,
                          void (*notify)(void *arg, log_stream *stream, uint32_t partition),
                          void *arg);

// Offsets below `offset` are used up: what is appended from now on comes after. For when the end of
// the log was lost (a damaged or missing file) while those who had read it remember its offsets;
// the records between read as damage. Nothing is done if the log is that long.
BASE_MUST_USE base_rc log_skip_to(log_stream *stream, uint32_t partition, uint64_t offset,
                                  base_error *err);

uint64_t log_begin(log_stream *stream, uint32_t partition); // first retained offset
uint64_t log_end(log_stream *stream, uint32_t partition);   // one past the last durable offset
uint64_t log_bytes(log_stream *stream, uint32_t partition); // on disk, headers and all
// First offset whose batch was appended at or after the time; log_end if there is none.
BASE_MUST_USE base_rc log_find_time(log_stream *stream, uint32_t partition, int64_t append_us,
                                    uint64_t *offset, base_error *err);
// Deletes whole segments that retention no longer asks for and that end at or before keep_from.
BASE_MUST_USE base_rc log_retain(log_stream *stream, uint32_t partition, int64_t now_us,
                                 uint64_t keep_from, uint32_t *segments_deleted, base_error *err);

// A batch as read. Everything is borrowed: from the mapped segment, or from the reader when the
// batch was compressed, until log_reader_release or close. Record i is payload[begin(i) ..
// ends[i]), begin(0) = 0, begin(i) = ends[i-1] + 1: records are separated by one '\n', so the
// payload as a whole is also newline-delimited JSON.
typedef struct log_batch {
    uint64_t base_offset;
    uint32_t count;
    log_batch_info info;
    const char *payload;
    size_t payload_bytes;
    const uint32_t *ends;
    const char *headers;         // NULL if no record of the batch has any
    const uint32_t *header_ends; // as ends, without separators
} log_batch;

static inline base_str log_batch_record(const log_batch *batch, uint32_t i) {
    uint32_t begin = i == 0 ? 0 : batch->ends[i - 1] + 1;
    return (base_str){batch->payload + begin, batch->ends[i] - begin};
}
static inline base_str log_batch_headers(const log_batch *batch, uint32_t i) {
    if (batch->headers == NULL) return (base_str){NULL, 0};
    uint32_t begin = i == 0 ? 0 : batch->header_ends[i - 1];
    return (base_str){batch->headers + begin, batch->header_ends[i] - begin};
}

// offset below log_begin is BASE_E_NOT_FOUND (the message names the first retained offset).
BASE_MUST_USE base_rc log_reader_open(log_stream *stream, uint32_t partition, uint64_t offset,
                                      log_reader **out, base_error *err);
void log_reader_close(log_reader *reader);
// Next batch; *end is true (and out untouched) at the durable end. The first batch may begin before
// the asked offset: the caller skips. A damaged batch is BASE_E_CORRUPT naming file and byte
// position.
BASE_MUST_USE base_rc log_reader_next(log_reader *reader, log_batch *out, bool *end,
                                      base_error *err);
uint64_t log_reader_offset(const log_reader *reader); // offset after the last batch returned
// Skips past a damaged batch that log_reader_next reported, to the next batch that reads well (or
// the end); *next_offset says where. For operators who choose to go on without it.
BASE_MUST_USE base_rc log_reader_skip_damage(log_reader *reader, uint64_t *next_offset,
                                             base_error *err);
void log_reader_release(log_reader *reader); // ends the life of batches returned so far

// Record headers: name/value pairs.
void log_headers_add(base_buf *buf, base_str name, base_str value);
// *at starts at 0; returns false at the end or on malformed bytes.
bool log_headers_next(base_str headers, size_t *at, base_str *name, base_str *value);

#endif
