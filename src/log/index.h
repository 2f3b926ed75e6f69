// index.h - the sparse index of a segment, by offset and by append time: an entry each so many
// bytes. It only ever speeds things up: every entry is checked against the segment when it is used,
// and a missing or damaged file is rebuilt from the segment.
//
// File: a 64-byte header, then 32-byte entries, each with its own checksum begun with the segment's
// salt. The header and the entries are written after a sync of the segment, so what they speak of
// was durable: recovery takes them as witnesses of that.
#ifndef WEIR_LOG_INDEX_H
#define WEIR_LOG_INDEX_H

#include "log/log.h"

typedef struct log_index_header {
    uint8_t magic[8]; // "WEIRIDX1"
    uint32_t version;
    uint32_t crc; // CRC-32C of salt and the header with this field 0
    uint64_t base_offset;
    uint64_t durable_position; // of the segment, when this was written
    uint64_t durable_offset;   // the offset after it
    uint64_t reserved[3];
} log_index_header;
_Static_assert(sizeof(log_index_header) == 64, "index header is a disk format");

typedef struct log_index_entry {
    uint64_t offset; // base offset of the batch at position
    uint64_t position;
    int64_t append_us_max_before; // largest append time of all batches before it in the partition
    uint32_t crc;                 // CRC-32C of salt and the fields above
    uint32_t reserved;
} log_index_entry;
_Static_assert(sizeof(log_index_entry) == 32, "index entry is a disk format");

// The index in memory; zero-initialised is empty.
typedef struct log_index {
    log_index_entry *entries;
    uint32_t count, cap;
    uint32_t written; // entries that are in the file
} log_index;

void log_index_deinit(log_index *index);
void log_index_add(log_index *index, uint64_t offset, uint64_t position,
                   int64_t append_us_max_before);
void log_index_cut(log_index *index, uint64_t position); // drops entries at or after it
// The last entry with offset <= the one asked for, or NULL.
const log_index_entry *log_index_find(const log_index *index, uint64_t offset);
// The last entry before which no batch was appended at or after append_us, or NULL.
const log_index_entry *log_index_find_time(const log_index *index, int64_t append_us);

void log_index_header_make(log_index_header *header, uint64_t salt, uint64_t base_offset,
                           uint64_t durable_position, uint64_t durable_offset);
// Adds the entries [from, to) as bytes of the file.
void log_index_encode(const log_index *index, uint32_t from, uint32_t to, uint64_t salt,
                      base_buf *out);
// Takes what is well from the bytes of an index file: a valid header (else header->version is 0)
// and the longest prefix of valid, ascending entries. False: the header was not well.
bool log_index_decode(base_str bytes, uint64_t salt, uint64_t base_offset, log_index_header *header,
                      log_index *index);

#endif
