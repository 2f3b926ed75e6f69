// segment.h - the bytes of a segment file, encoded and decoded; no files are opened here.
//
// A segment is a 64-byte header and then batches, each aligned to 8 bytes, then zeros. Little
// endian.
//
//   batch   = header (88 bytes) body padding-to-8
//   body    = ends[count] header_ends[count]? payload headers?     (as stored: perhaps compressed)
//
// ends[i] is where record i ends in the payload; one '\n' stands between two records. header_ends
// and headers are there if has_headers. Checksums: the batch header carries a CRC-32C of itself,
// begun with the segment's random salt and the batch's own position, so that neither an old batch
// nor bytes inside someone's payload can pass for a batch of this place; the body as stored is
// covered by XXH3-64 in the header.
//
// durable_position tells how far the segment was durable when the batch was written. It is what
// lets recovery tell a torn tail (never acknowledged: cut) from damage to acknowledged data (kept).
#ifndef WEIR_LOG_SEGMENT_H
#define WEIR_LOG_SEGMENT_H

#include "log/log.h"

#define LOG_BATCH_MAGIC     0x31424c57u // "WLB1"
#define LOG_SEGMENT_VERSION 1u
#define LOG_BATCH_VERSION   1u
#define LOG_BATCH_ALIGN     8u
// Zero bytes kept readable after the last batch: a reader may look at one batch header there, and a
// parser may run LOG_READ_PADDING past a payload.
#define LOG_SEGMENT_SLACK 128u
#define LOG_SEGMENT_PAGE  4096u

typedef struct log_segment_header {
    uint8_t magic[8]; // "WEIRSEG1"
    uint32_t version;
    uint32_t crc; // CRC-32C of the header with this field 0
    uint64_t base_offset;
    uint64_t previous_base; // base offset of the segment before, or UINT64_MAX if there was none
    uint64_t salt;
    int64_t append_us_max_before; // largest append time of all earlier batches, or INT64_MIN
    uint32_t partition;
    uint32_t reserved;
    uint64_t reserved2;
} log_segment_header;
_Static_assert(sizeof(log_segment_header) == 64, "segment header is a disk format");

typedef struct log_batch_header {
    uint32_t magic;
    uint32_t crc; // CRC-32C of salt, position and the header from base_offset on
    uint64_t base_offset;
    uint64_t body_hash; // XXH3-64 of the body as stored
    uint64_t durable_position;
    int64_t append_us;
    int64_t event_us_min;
    int64_t event_us_max;
    uint32_t count;
    uint32_t stored_bytes;  // body as stored, without padding
    uint32_t payload_bytes; // plain
    uint32_t headers_bytes; // plain
    uint32_t contract_version;
    uint32_t flags;
    uint16_t version;
    uint8_t codec;
    uint8_t has_headers;
    uint32_t reserved;
} log_batch_header;
_Static_assert(sizeof(log_batch_header) == 88, "batch header is a disk format");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "formats are little endian");

static inline uint64_t log_align(uint64_t n, uint64_t to) {
    return (n + to - 1) / to * to;
}
// Bytes of the plain body. Cannot overflow for any header.
static inline uint64_t log_batch_plain_bytes(const log_batch_header *header) {
    uint64_t ends = (uint64_t)header->count * 4 * (header->has_headers ? 2 : 1);
    return ends + header->payload_bytes + header->headers_bytes;
}
// Bytes on disk, header and padding included.
static inline uint64_t log_batch_total_bytes(const log_batch_header *header) {
    return sizeof *header + log_align(header->stored_bytes, LOG_BATCH_ALIGN);
}

void log_segment_header_make(log_segment_header *header, uint64_t base_offset,
                             uint64_t previous_base, uint64_t salt, int64_t append_us_max_before,
                             uint32_t partition);
bool log_segment_header_valid(const log_segment_header *header);

// What one append needs to encode; kept from call to call so that nothing is allocated in the
// steady state. One owner at a time.
typedef struct log_encoder {
    base_buf out;   // encoded batches, one after the other
    base_buf plain; // body before compression
    void *zstd;     // ZSTD_CCtx, or NULL until needed
    struct log_encoder *next;
} log_encoder;

void log_encoder_deinit(log_encoder *encoder);
// Adds records as one batch to encoder->out. base_offset, durable_position and crc are left to
// log_batch_place. The records' sizes are already checked.
BASE_MUST_USE base_rc log_batch_encode(log_encoder *encoder, const log_record *records,
                                       uint32_t count, const log_batch_info *info, log_codec codec,
                                       base_error *err);
// Fills in what is known only once the batch has its place, and the checksum.
void log_batch_place(log_batch_header *header, uint64_t salt, uint64_t position,
                     uint64_t base_offset, uint64_t durable_position);

// Reads and checks the batch header at bytes[0], of which n bytes may be looked at; the whole batch
// must fit. False: no valid batch starts here.
bool log_batch_header_read(const char *bytes, uint64_t n, uint64_t salt, uint64_t position,
                           log_batch_header *out);
bool log_batch_body_valid(const log_batch_header *header, const char *body);
// Points out into the plain body, after checking that every end is in order and in range.
bool log_batch_view(const log_batch_header *header, const char *plain, log_batch *out);
// Decompresses a stored body into plain (log_batch_plain_bytes + LOG_READ_PADDING of room); zstd is
// a ZSTD_DCtx kept by the caller, created on first use. False: it does not decompress to that size.
bool log_batch_decompress(const log_batch_header *header, const char *stored, char *plain,
                          void **zstd);
void log_decompress_deinit(void **zstd);

// The first position at or after `from` (8-byte aligned steps) and below limit where a batch with
// base_offset >= offset_min is whole and well; UINT64_MAX if there is none.
uint64_t log_segment_scan(const char *bytes, uint64_t from, uint64_t limit, uint64_t salt,
                          uint64_t offset_min, log_batch_header *out);
bool log_bytes_zero(const char *bytes, uint64_t n);

#endif
