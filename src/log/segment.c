// segment.c - encoding and decoding of segments and batches (see segment.h for the layout).
//
// Invariant: nothing here trusts a length before it was compared with what is there; a header that
// passed log_batch_header_read has sizes within limits and a whole body behind it.
#include "log/segment.h"

#include "base/hash.h"
#include "base/must.h"

#include <lz4.h>
#include <zstd.h>

static const uint8_t segment_magic[8] = {'W', 'E', 'I', 'R', 'S', 'E', 'G', '1'};

// A body smaller than this is stored plain: codecs cost more than they save there.
#define COMPRESS_BYTES_MIN 256
#define ZSTD_LEVEL         1

static uint32_t segment_header_crc(const log_segment_header *header) {
    log_segment_header copy = *header;
    copy.crc = 0;
    return base_crc32c(0, &copy, sizeof copy);
}

void log_segment_header_make(log_segment_header *header, uint64_t base_offset,
                             uint64_t previous_base, uint64_t salt, int64_t append_us_max_before,
                             uint32_t partition) {
    *header = (log_segment_header){.version = LOG_SEGMENT_VERSION,
                                   .base_offset = base_offset,
                                   .previous_base = previous_base,
                                   .salt = salt,
                                   .append_us_max_before = append_us_max_before,
                                   .partition = partition};
    memcpy(header->magic, segment_magic, sizeof segment_magic);
    header->crc = segment_header_crc(header);
}

bool log_segment_header_valid(const log_segment_header *header) {
    return memcmp(header->magic, segment_magic, sizeof segment_magic) == 0 &&
           header->version == LOG_SEGMENT_VERSION && header->crc == segment_header_crc(header);
}

void log_encoder_deinit(log_encoder *encoder) {
    base_buf_deinit(&encoder->out);
    base_buf_deinit(&encoder->plain);
    ZSTD_freeCCtx(encoder->zstd);
    encoder->zstd = NULL;
}

static void encode_body(base_buf *to, const log_record *records, uint32_t count,
                        log_batch_header *header) {
    uint64_t payload = 0, headers = 0;
    for (uint32_t i = 0; i < count; i++) {
        payload += records[i].payload.n + (i > 0);
        headers += records[i].headers.n;
    }
    must(payload <= UINT32_MAX && headers <= UINT32_MAX);
    header->count = count;
    header->payload_bytes = (uint32_t)payload;
    header->headers_bytes = (uint32_t)headers;
    header->has_headers = headers > 0;
    size_t bytes = log_batch_plain_bytes(header);
    base_buf_reserve(to, bytes);
    char *ends = to->p + to->n, *header_ends = ends + (size_t)count * 4;
    char *at = ends + (size_t)count * 4 * (headers > 0 ? 2 : 1), *payload_begin = at;
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0) *at++ = '\n';
        if (records[i].payload.n > 0) memcpy(at, records[i].payload.p, records[i].payload.n);
        at += records[i].payload.n;
        uint32_t end = (uint32_t)(at - payload_begin);
        memcpy(ends + (size_t)i * 4, &end, 4);
    }
    if (headers > 0) {
        char *headers_begin = at;
        for (uint32_t i = 0; i < count; i++) {
            if (records[i].headers.n > 0) memcpy(at, records[i].headers.p, records[i].headers.n);
            at += records[i].headers.n;
            uint32_t end = (uint32_t)(at - headers_begin);
            memcpy(header_ends + (size_t)i * 4, &end, 4);
        }
    }
    to->n += bytes;
}

// Compresses plain onto the end of out. Returns the size, or 0 if it would not shrink.
static base_rc compress_body(log_encoder *encoder, log_codec codec, uint32_t *stored,
                             base_error *err) {
    const base_buf *plain = &encoder->plain;
    base_buf *out = &encoder->out;
    *stored = 0;
    base_buf_reserve(out, plain->n);
    if (codec == LOG_CODEC_LZ4) {
        int n = LZ4_compress_default(plain->p, out->p + out->n, (int)plain->n, (int)plain->n - 1);
        if (n > 0) *stored = (uint32_t)n;
        return BASE_OK;
    }
    if (encoder->zstd == NULL) encoder->zstd = ZSTD_createCCtx();
    if (encoder->zstd == NULL) {
        return base_fail(err, BASE_E_LIMIT, BASE_SQLSTATE_OUT_OF_MEMORY,
                         "no memory for a zstd context");
    }
    size_t n = ZSTD_compressCCtx(encoder->zstd, out->p + out->n, plain->n - 1, plain->p, plain->n,
                                 ZSTD_LEVEL);
    if (!ZSTD_isError(n)) *stored = (uint32_t)n;
    return BASE_OK;
}

base_rc log_batch_encode(log_encoder *encoder, const log_record *records, uint32_t count,
                         const log_batch_info *info, log_codec codec, base_error *err) {
    must(count > 0);
    base_buf *out = &encoder->out;
    size_t start = out->n;
    log_batch_header header = {.magic = LOG_BATCH_MAGIC,
                               .append_us = info->append_us,
                               .event_us_min = info->event_us_min,
                               .event_us_max = info->event_us_max,
                               .contract_version = info->contract_version,
                               .flags = info->flags,
                               .version = LOG_BATCH_VERSION,
                               .codec = LOG_CODEC_NONE};
    base_buf_add(out, &header, sizeof header);
    uint32_t stored = 0;
    if (codec != LOG_CODEC_NONE) {
        base_buf_clear(&encoder->plain);
        encode_body(&encoder->plain, records, count, &header);
        if (encoder->plain.n >= COMPRESS_BYTES_MIN) {
            base_rc rc = compress_body(encoder, codec, &stored, err);
            if (rc != BASE_OK) return rc;
        }
        if (stored > 0) {
            header.codec = (uint8_t)codec;
            out->n += stored;
        } else {
            base_buf_add(out, encoder->plain.p, encoder->plain.n);
        }
    } else {
        encode_body(out, records, count, &header);
    }
    header.stored_bytes = (uint32_t)(out->n - start - sizeof header);
    header.body_hash = base_hash64(out->p + start + sizeof header, header.stored_bytes);
    static const char zeros[LOG_BATCH_ALIGN];
    base_buf_add(out, zeros, log_batch_total_bytes(&header) - (out->n - start));
    memcpy(out->p + start, &header, sizeof header);
    return BASE_OK;
}

static uint32_t batch_header_crc(const log_batch_header *header, uint64_t salt, uint64_t position) {
    uint64_t place[2] = {salt, position};
    uint32_t crc = base_crc32c(0, place, sizeof place);
    size_t from = offsetof(log_batch_header, base_offset);
    return base_crc32c(crc, (const char *)header + from, sizeof *header - from);
}

void log_batch_place(log_batch_header *header, uint64_t salt, uint64_t position,
                     uint64_t base_offset, uint64_t durable_position) {
    header->base_offset = base_offset;
    header->durable_position = durable_position;
    header->crc = batch_header_crc(header, salt, position);
}

bool log_batch_header_read(const char *bytes, uint64_t n, uint64_t salt, uint64_t position,
                           log_batch_header *out) {
    if (n < sizeof *out) return false;
    memcpy(out, bytes, sizeof *out);
    if (out->magic != LOG_BATCH_MAGIC || out->version != LOG_BATCH_VERSION) return false;
    if (out->crc != batch_header_crc(out, salt, position)) return false;
    if (out->count == 0 || out->base_offset > UINT64_MAX - out->count) return false;
    if (out->codec > LOG_CODEC_ZSTD || out->has_headers > 1) return false;
    if (!out->has_headers && out->headers_bytes != 0) return false;
    if (out->payload_bytes > LOG_BATCH_BYTES_MAX || out->headers_bytes > LOG_BATCH_BYTES_MAX) {
        return false;
    }
    // Each record but the last has a separator, so count is bounded by the payload too.
    if (out->count - 1 > out->payload_bytes) return false;
    if (out->codec == LOG_CODEC_NONE && log_batch_plain_bytes(out) != out->stored_bytes)
        return false;
    return log_batch_total_bytes(out) <= n;
}

bool log_batch_body_valid(const log_batch_header *header, const char *body) {
    return base_hash64(body, header->stored_bytes) == header->body_hash;
}

bool log_batch_view(const log_batch_header *header, const char *plain, log_batch *out) {
    uint32_t count = header->count;
    const uint32_t *ends = (const uint32_t *)(const void *)plain;
    const char *at = plain + (size_t)count * 4;
    uint32_t bad = ends[count - 1] != header->payload_bytes;
    for (uint32_t i = 1; i < count; i++) bad |= ends[i] <= ends[i - 1];
    *out = (log_batch){.base_offset = header->base_offset,
                       .count = count,
                       .info = {.append_us = header->append_us,
                                .event_us_min = header->event_us_min,
                                .event_us_max = header->event_us_max,
                                .contract_version = header->contract_version,
                                .flags = header->flags},
                       .ends = ends,
                       .payload_bytes = header->payload_bytes};
    if (header->has_headers) {
        const uint32_t *header_ends = (const uint32_t *)(const void *)at;
        at += (size_t)count * 4;
        bad |= header_ends[count - 1] != header->headers_bytes;
        for (uint32_t i = 1; i < count; i++) bad |= header_ends[i] < header_ends[i - 1];
        out->header_ends = header_ends;
        out->headers = at + header->payload_bytes;
    }
    out->payload = at;
    return bad == 0;
}

bool log_batch_decompress(const log_batch_header *header, const char *stored, char *plain,
                          void **zstd) {
    size_t n = log_batch_plain_bytes(header);
    if (header->codec == LOG_CODEC_LZ4) {
        if (header->stored_bytes > INT32_MAX || n > INT32_MAX) return false;
        int got = LZ4_decompress_safe(stored, plain, (int)header->stored_bytes, (int)n);
        return got >= 0 && (size_t)got == n;
    }
    if (header->codec != LOG_CODEC_ZSTD) return false;
    if (*zstd == NULL) *zstd = ZSTD_createDCtx();
    if (*zstd == NULL) return false;
    size_t got = ZSTD_decompressDCtx(*zstd, plain, n, stored, header->stored_bytes);
    return !ZSTD_isError(got) && got == n;
}

void log_decompress_deinit(void **zstd) {
    ZSTD_freeDCtx(*zstd);
    *zstd = NULL;
}

bool log_bytes_zero(const char *bytes, uint64_t n) {
    uint64_t i = 0;
    for (; i + 64 <= n; i += 64) {
        uint64_t w[8];
        memcpy(w, bytes + i, 64);
        if ((w[0] | w[1] | w[2] | w[3] | w[4] | w[5] | w[6] | w[7]) != 0) return false;
    }
    for (; i < n; i++) {
        if (bytes[i] != 0) return false;
    }
    return true;
}

uint64_t log_segment_scan(const char *bytes, uint64_t from, uint64_t limit, uint64_t salt,
                          uint64_t offset_min, log_batch_header *out) {
    for (uint64_t at = log_align(from, LOG_BATCH_ALIGN); at + sizeof *out <= limit;
         at += LOG_BATCH_ALIGN) {
        uint32_t magic;
        memcpy(&magic, bytes + at, sizeof magic);
        if (magic != LOG_BATCH_MAGIC) continue;
        if (!log_batch_header_read(bytes + at, limit - at, salt, at, out)) continue;
        if (out->base_offset < offset_min) continue;
        if (log_batch_body_valid(out, bytes + at + sizeof *out)) return at;
    }
    return UINT64_MAX;
}
