// dump.h - prints what is in the files of a log, for people and scripts (`weir log dump`).
//
// Reads the files alone and changes nothing: it may run beside a server that writes to them, and on
// damaged logs. Beside a server it may show the newest records a moment before they are durable.
#ifndef WEIR_LOG_DUMP_H
#define WEIR_LOG_DUMP_H

#include "log/log.h"

typedef enum log_dump_format {
    LOG_DUMP_TEXT,  // a line a batch, then a line a record: offset, tab, payload
    LOG_DUMP_RAW,   // payloads alone, a line each
    LOG_DUMP_JSON,  // a JSON object a record: partition, offset, append_time, headers, payload
    LOG_DUMP_BATCH, // a line a batch, no records
} log_dump_format;

typedef struct log_dump_options {
    base_str stream;
    int64_t partition; // -1: all
    uint64_t from, to; // offsets, to exclusive; 0 and UINT64_MAX for all
    bool verify;       // also check bodies that are not printed
    log_dump_format format;
} log_dump_options;

typedef struct log_dump_stats {
    uint64_t segments, batches, records;
    uint64_t payload_bytes;
    uint64_t damaged; // places where a batch should be and is not, or fails its checksum
} log_dump_stats;

// dir is the log's directory, as for log_store_open. emit gets the output in pieces and may stop
// the dump by failing. Damage is said in the output (as a comment on the text formats, as an object
// with "damage" in JSON, not at all in RAW) and counted; the dump goes on behind it. stats may be
// NULL.
BASE_MUST_USE base_rc log_dump(plat *plat, const char *dir, const log_dump_options *options,
                               base_rc (*emit)(void *arg, base_str piece, base_error *err),
                               void *arg, log_dump_stats *stats, base_error *err);

#endif
