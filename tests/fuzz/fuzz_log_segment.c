// fuzz_log_segment.c - arbitrary bytes as the last segment of a partition, and as its index: open,
// read to the end over all damage, search by time, dump, append. The first input byte chooses
// whether checksums are put right, so that the fuzzer also gets behind them.
#include "base/hash.h"
#include "base/must.h"
#include "log/dump.h"
#include "log/segment.h"
#include "plat/sim.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_file(plat *p, const char *path, const void *bytes, size_t n) {
    plat_file *file;
    base_error err;
    must(plat_open(p, path, PLAT_OPEN_WRITE | PLAT_OPEN_CREATE | PLAT_OPEN_TRUNCATE, &file, &err) ==
         BASE_OK);
    must(plat_write_at(file, bytes, n, 0, &err) == BASE_OK);
    plat_close(file);
}

// Gives the segment and each batch that looks like one the checksums that their bytes ask for.
static void fix_checksums(uint8_t *bytes, size_t n) {
    log_segment_header header = {0};
    if (n < sizeof header) return;
    memcpy(&header, bytes, sizeof header);
    log_segment_header_make(&header, 0, UINT64_MAX, header.salt, header.append_us_max_before, 0);
    memcpy(bytes, &header, sizeof header);
    uint64_t offset = 0;
    for (size_t at = sizeof header; at + sizeof(log_batch_header) <= n;) {
        log_batch_header batch;
        memcpy(&batch, bytes + at, sizeof batch);
        if (batch.magic == 0) break;
        batch.magic = LOG_BATCH_MAGIC;
        batch.version = LOG_BATCH_VERSION;
        batch.codec %= 3;
        batch.has_headers &= 1;
        size_t left = n - at - sizeof batch;
        if (batch.stored_bytes > left) batch.stored_bytes = (uint32_t)left;
        batch.body_hash = base_hash64(bytes + at + sizeof batch, batch.stored_bytes);
        log_batch_place(&batch, header.salt, at,
                        (batch.base_offset & 0x80) ? batch.base_offset : offset,
                        batch.durable_position);
        memcpy(bytes + at, &batch, sizeof batch);
        offset += batch.count;
        at += log_batch_total_bytes(&batch);
    }
}

static base_rc discard(void *arg, base_str piece, base_error *err) {
    (void)err;
    *(size_t *)arg += piece.n;
    return BASE_OK;
}

static void read_all(log_stream *stream) {
    base_error err;
    log_reader *reader;
    uint64_t last = log_begin(stream, 0);
    if (log_reader_open(stream, 0, last, &reader, &err) != BASE_OK) return;
    for (;;) {
        log_batch batch;
        bool end;
        base_rc rc = log_reader_next(reader, &batch, &end, &err);
        if (rc == BASE_OK && end) break;
        uint64_t next;
        if (rc == BASE_E_CORRUPT) {
            if (log_reader_skip_damage(reader, &next, &err) != BASE_OK) break;
            must(next > last);
            last = next;
            continue;
        }
        must(rc == BASE_OK && batch.base_offset >= last);
        last = batch.base_offset + batch.count;
        volatile char sum = 0;
        for (uint32_t i = 0; i < batch.count; i++) {
            base_str record = log_batch_record(&batch, i), headers = log_batch_headers(&batch, i);
            base_str name, value;
            if (record.n > 0) sum += record.p[0] + record.p[record.n - 1];
            for (size_t at = 0; log_headers_next(headers, &at, &name, &value);) {
                if (value.n > 0) sum += value.p[value.n - 1];
            }
        }
        sum += batch.payload[batch.payload_bytes + LOG_READ_PADDING - 1];
        (void)sum;
        log_reader_release(reader);
    }
    log_reader_close(reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 4 || size > 64 << 10) return 0;
    base_error err;
    plat_sim *sim = plat_sim_create(1);
    plat *p = plat_sim_plat(sim);
    log_store *store;
    log_stream *stream;
    log_stream_config config = {.partitions = 1, .segment_bytes = 4096, .index_bytes = 256};
    must(log_store_open(p, "log", &store, &err) == BASE_OK);
    must(log_stream_create(store, BASE_STR("s"), &config, &stream, &err) == BASE_OK);
    log_store_close(store);

    base_buf bytes = {0};
    size_t index_bytes = (size_t)data[1] * 8;
    if (index_bytes > size - 2) index_bytes = 0;
    base_buf_add(&bytes, data + 2, size - 2 - index_bytes);
    if (data[0] & 1) fix_checksums((uint8_t *)bytes.p, bytes.n);
    write_file(p, "log/s/0/00000000000000000000.seg", bytes.p, bytes.n);
    if (index_bytes > 0) {
        write_file(p, "log/s/0/00000000000000000000.idx", data + size - index_bytes, index_bytes);
    }
    if (data[0] & 2) { // as an earlier segment, with an empty one behind it
        log_segment_header header;
        log_segment_header_make(&header, 1000, 0, 7, 0, 0);
        write_file(p, "log/s/0/00000000000000001000.seg", &header, sizeof header);
    }
    size_t printed = 0;
    log_dump_options options = {BASE_STR("s"), -1, 0, UINT64_MAX, true, LOG_DUMP_JSON};
    base_rc rc = log_dump(p, "log", &options, discard, &printed, NULL, &err);
    must(rc == BASE_OK);
    must(log_store_open(p, "log", &store, &err) == BASE_OK);
    if (log_stream_open(store, BASE_STR("s"), &config, NULL, &stream, &err) == BASE_OK) {
        read_all(stream);
        uint64_t found;
        rc = log_find_time(stream, 0, 1000, &found, &err);
        must(rc == BASE_OK || rc == BASE_E_CORRUPT);
        log_record record = {BASE_STR("x"), {NULL, 0}};
        log_batch_info info = {0};
        if (log_append(stream, 0, &record, 1, &info, NULL, &err) == BASE_OK) {
            must(log_sync(stream, 0, &err) == BASE_OK);
        }
        read_all(stream);
    }
    log_store_close(store);
    base_buf_deinit(&bytes);
    plat_sim_destroy(sim);
    return 0;
}
