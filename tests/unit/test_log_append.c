// test_log_append.c - appending, group sync, reading back, on the real file system.
#include "test.h"

#include "log/dump.h"
#include "log/log.h"
#include "plat/thread.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

static char test_dir[64];
static base_error err;

static const char *fresh_dir(void) {
    strcpy(test_dir, "/tmp/weir-test-log-XXXXXX");
    return mkdtemp(test_dir);
}

static void remove_dir(void) {
    EXPECT(plat_remove_tree(plat_os(), test_dir, &err) == BASE_OK);
}

static const log_batch_info no_info = {
    .append_us = 1000, .event_us_min = INT64_MIN, .event_us_max = INT64_MIN};

static base_rc append_text(log_stream *stream, uint32_t partition, const char *text,
                           uint64_t *offset) {
    log_record record = {.payload = base_str_of(text)};
    return log_append(stream, partition, &record, 1, &no_info, offset, &err);
}

// Reads all from offset, calling check for each record. Returns the count, or -1 on an error.
static int64_t read_all(log_stream *stream, uint32_t partition, uint64_t offset,
                        void (*check)(void *arg, uint64_t offset, base_str payload), void *arg) {
    log_reader *reader;
    if (log_reader_open(stream, partition, offset, &reader, &err) != BASE_OK) return -1;
    int64_t count = 0;
    for (;;) {
        log_batch batch;
        bool end;
        if (log_reader_next(reader, &batch, &end, &err) != BASE_OK) {
            fprintf(stderr, "read: %s\n", err.message);
            count = -1;
            break;
        }
        if (end) break;
        for (uint32_t i = 0; i < batch.count; i++) {
            if (batch.base_offset + i < offset) continue;
            if (check != NULL) check(arg, batch.base_offset + i, log_batch_record(&batch, i));
            count++;
        }
        // The promised padding can be read.
        volatile char sum = 0;
        for (int i = 0; i < LOG_READ_PADDING; i++) sum += batch.payload[batch.payload_bytes + i];
        (void)sum;
        log_reader_release(reader);
    }
    log_reader_close(reader);
    return count;
}

TEST(round_trip) {
    log_store *store;
    log_stream *stream;
    REQUIRE_OK(log_store_open(plat_os(), fresh_dir(), &store, &err));
    log_stream_config config = {.partitions = 2};
    REQUIRE_OK(log_stream_create(store, BASE_STR("sales.order"), &config, &stream, &err));
    EXPECT_EQ_INT(log_stream_partitions(stream), 2);
    EXPECT_EQ_INT(log_end(stream, 0), 0);
    base_buf headers = {0};
    log_headers_add(&headers, BASE_STR("trace"), BASE_STR("abc"));
    log_headers_add(&headers, BASE_STR("empty"), BASE_STR(""));
    log_record records[3] = {{BASE_STR("{\"a\":1}"), base_buf_str(&headers)},
                             {BASE_STR(""), {NULL, 0}},
                             {BASE_STR("{\"a\":\n3}"), {NULL, 0}}};
    log_batch_info info = {.append_us = 5,
                           .event_us_min = -7,
                           .event_us_max = 9,
                           .contract_version = 4,
                           .flags = 0x80000001u};
    uint64_t first = 99;
    REQUIRE_OK(log_append(stream, 1, records, 3, &info, &first, &err));
    EXPECT_EQ_INT(first, 0);
    EXPECT_EQ_INT(log_end(stream, 1), 0); // not readable before it is durable
    EXPECT_EQ_INT(read_all(stream, 1, 0, NULL, NULL), 0);
    REQUIRE_OK(log_sync(stream, 1, &err));
    EXPECT_EQ_INT(log_end(stream, 1), 3);
    EXPECT_EQ_INT(log_end(stream, 0), 0);

    for (int reopened = 0; reopened < 2; reopened++) {
        log_reader *reader;
        log_batch batch;
        bool end;
        REQUIRE_OK(log_reader_open(stream, 1, 1, &reader, &err));
        REQUIRE_OK(log_reader_next(reader, &batch, &end, &err));
        REQUIRE(!end && batch.count == 3);
        EXPECT_EQ_INT(batch.base_offset, 0);
        EXPECT(memcmp(&batch.info, &info, sizeof info) == 0);
        for (uint32_t i = 0; i < 3; i++) {
            EXPECT(base_str_eq(log_batch_record(&batch, i), records[i].payload));
            EXPECT(base_str_eq(log_batch_headers(&batch, i), records[i].headers));
        }
        size_t at = 0;
        base_str name, value, all = log_batch_headers(&batch, 0);
        EXPECT(log_headers_next(all, &at, &name, &value) && base_str_eq(name, BASE_STR("trace")) &&
               base_str_eq(value, BASE_STR("abc")));
        EXPECT(log_headers_next(all, &at, &name, &value) && base_str_eq(name, BASE_STR("empty")) &&
               value.n == 0);
        EXPECT(!log_headers_next(all, &at, &name, &value));
        REQUIRE_OK(log_reader_next(reader, &batch, &end, &err));
        EXPECT(end);
        EXPECT_EQ_INT(log_reader_offset(reader), 3);
        log_reader_close(reader);
        EXPECT(log_reader_open(stream, 1, 4, &reader, &err) == BASE_E_NOT_FOUND);
        if (reopened) break;
        log_store_close(store);
        REQUIRE_OK(log_store_open(plat_os(), test_dir, &store, &err));
        log_open_report reports[2];
        log_stream *again;
        REQUIRE_OK(log_stream_open(store, BASE_STR("sales.order"), NULL, reports, &stream, &err));
        EXPECT_EQ_STR(reports[1].text, "");
        EXPECT_EQ_INT(reports[1].segments, 1);
        REQUIRE_OK(log_stream_open(store, BASE_STR("sales.order"), NULL, NULL, &again, &err));
        EXPECT(again == stream);
    }
    base_buf_deinit(&headers);
    log_store_close(store);
    remove_dir();
}

TEST(names_and_configs) {
    log_store *store;
    log_stream *stream;
    bool exists;
    REQUIRE_OK(log_store_open(plat_os(), fresh_dir(), &store, &err));
    log_stream_config config = {.partitions = 3};
    base_str odd = BASE_STR("../\xc3\xa9 \"x\"/y");
    REQUIRE_OK(log_stream_create(store, odd, &config, &stream, &err));
    EXPECT(base_str_eq(log_stream_name(stream), odd));
    EXPECT(log_stream_create(store, odd, &config, &stream, &err) == BASE_E_EXISTS);
    EXPECT(log_stream_create(store, BASE_STR(""), &config, &stream, &err) == BASE_E_INVALID);
    EXPECT(log_stream_open(store, BASE_STR("none"), NULL, NULL, &stream, &err) == BASE_E_NOT_FOUND);
    char longer[300];
    memset(longer, 'x', sizeof longer);
    EXPECT(log_stream_create(store, (base_str){longer, 300}, &config, &stream, &err) ==
           BASE_E_INVALID);
    config.partitions = 0;
    EXPECT(log_stream_create(store, BASE_STR("p"), &config, &stream, &err) == BASE_E_INVALID);
    config.partitions = LOG_PARTITIONS_MAX + 1;
    EXPECT(log_stream_create(store, BASE_STR("p"), &config, &stream, &err) == BASE_E_INVALID);
    config.partitions = 2;
    EXPECT(log_stream_open(store, odd, &config, NULL, &stream, &err) == BASE_E_INVALID);
    log_store_close(store);
    REQUIRE_OK(log_store_open(plat_os(), test_dir, &store, &err));
    EXPECT(log_stream_open(store, odd, &config, NULL, &stream, &err) == BASE_E_INVALID);
    REQUIRE_OK(log_stream_open(store, odd, NULL, NULL, &stream, &err));
    EXPECT_EQ_INT(log_stream_partitions(stream), 3);
    REQUIRE_OK(log_stream_exists(store, odd, &exists, &err));
    EXPECT(exists);
    REQUIRE_OK(log_stream_drop(store, odd, &err));
    REQUIRE_OK(log_stream_exists(store, odd, &exists, &err));
    EXPECT(!exists);
    EXPECT(log_stream_drop(store, odd, &err) == BASE_E_NOT_FOUND);
    config.partitions = 1;
    REQUIRE_OK(log_stream_create(store, odd, &config, &stream, &err));
    log_store_close(store);
    remove_dir();
}

TEST(limits) {
    log_store *store;
    log_stream *stream;
    REQUIRE_OK(log_store_open(plat_os(), fresh_dir(), &store, &err));
    log_stream_config config = {.partitions = 1, .segment_bytes = 1 << 20};
    REQUIRE_OK(log_stream_create(store, BASE_STR("s"), &config, &stream, &err));
    size_t n = LOG_RECORD_BYTES_MAX;
    char *big = malloc(n + 1);
    for (size_t i = 0; i <= n; i++) big[i] = (char)('a' + i * 7 % 26);
    log_record records[2] = {{BASE_STR("small"), {NULL, 0}}, {{big, n + 1}, {NULL, 0}}};
    uint64_t offset = 77;
    EXPECT(log_append(stream, 0, records, 2, &no_info, &offset, &err) == BASE_E_LIMIT);
    EXPECT_EQ_INT(offset, 77);
    records[1].payload.n = n; // larger than a segment
    REQUIRE_OK(log_append(stream, 0, records, 2, &no_info, &offset, &err));
    EXPECT_EQ_INT(offset, 0);
    REQUIRE_OK(log_append(stream, 0, records, 2, &no_info, &offset, &err));
    EXPECT_EQ_INT(offset, 2);
    REQUIRE_OK(log_append(stream, 0, records, 0, &no_info, &offset, &err));
    EXPECT_EQ_INT(offset, 4);
    REQUIRE_OK(log_sync(stream, 0, &err));
    log_reader *reader;
    REQUIRE_OK(log_reader_open(stream, 0, 0, &reader, &err));
    uint64_t seen = 0;
    for (;;) {
        log_batch batch;
        bool end;
        REQUIRE_OK(log_reader_next(reader, &batch, &end, &err));
        if (end) break;
        for (uint32_t i = 0; i < batch.count; i++, seen++) {
            EXPECT(base_str_eq(log_batch_record(&batch, i), records[seen % 2].payload));
        }
    }
    EXPECT_EQ_INT(seen, 4);
    log_reader_close(reader);
    free(big);
    log_store_close(store);
    remove_dir();
}

// ---- many writers ----

enum { WRITERS = 8, WRITES = 400 };

typedef struct writer {
    log_stream *stream;
    int id;
    uint64_t offsets[WRITES];
    int failures;
} writer;

static atomic_int notified;

static void on_durable(void *arg, log_stream *stream, uint32_t partition) {
    (void)arg;
    if (partition == 0 && log_end(stream, 0) > 0) atomic_fetch_add(&notified, 1);
}

static void *run_writer(void *arg) {
    writer *w = arg;
    base_error e;
    for (int i = 0; i < WRITES; i++) {
        char text[2][400];
        log_record records[2];
        int n = 1 + i % 2;
        for (int k = 0; k < n; k++) {
            snprintf(text[k], sizeof text[k], "{\"w\":%d,\"i\":%d,\"k\":%d,\"pad\":\"%0*d\"}",
                     w->id, i, k, 1 + i % 300, 0);
            records[k] = (log_record){base_str_of(text[k]), {NULL, 0}};
        }
        if (log_append(w->stream, 0, records, (size_t)n, &no_info, &w->offsets[i], &e) != BASE_OK ||
            log_sync(w->stream, 0, &e) != BASE_OK ||
            log_end(w->stream, 0) < w->offsets[i] + (uint64_t)n) {
            w->failures++;
        }
    }
    return NULL;
}

typedef struct seen {
    writer *writers;
    uint64_t next;
    int wrong;
    int last[WRITERS];
} seen;

static void check_seen(void *arg, uint64_t offset, base_str payload) {
    seen *s = arg;
    char text[512];
    int w, i, k;
    snprintf(text, sizeof text, "%.*s", BASE_STR_ARG(payload));
    bool well = sscanf(text, "{\"w\":%d,\"i\":%d,\"k\":%d", &w, &i, &k) == 3 && w >= 0 &&
                w < WRITERS && i >= 0 && i < WRITES && offset == s->next &&
                s->writers[w].offsets[i] + (uint64_t)k == offset && i * 2 + k > s->last[w];
    if (well) s->last[w] = i * 2 + k;
    s->next = offset + 1;
    s->wrong += !well;
}

static void *run_reader(void *arg) {
    // Follows the writers: all it sees must be dense and well.
    log_stream *stream = arg;
    uint64_t next = 0;
    int64_t wrong = 0;
    log_reader *reader;
    base_error e;
    if (log_reader_open(stream, 0, 0, &reader, &e) != BASE_OK) return (void *)1;
    while (next < WRITERS * WRITES * 3 / 2) {
        log_batch batch;
        bool end;
        if (log_reader_next(reader, &batch, &end, &e) != BASE_OK) {
            fprintf(stderr, "reader: %s\n", e.message);
            wrong++;
            break;
        }
        if (end) {
            log_reader_release(reader);
            plat_sleep_us(100);
            continue;
        }
        wrong += batch.base_offset != next || batch.payload[0] != '{';
        next += batch.count;
    }
    log_reader_close(reader);
    return (void *)(intptr_t)wrong;
}

static void many_writers(log_codec codec) {
    log_store *store;
    log_stream *stream;
    REQUIRE_OK(log_store_open(plat_os(), fresh_dir(), &store, &err));
    log_store_on_durable(store, on_durable, NULL);
    log_stream_config config = {.partitions = 1,
                                .segment_bytes = 64 << 10, // many segments
                                .index_bytes = 4 << 10,
                                .codec = codec};
    REQUIRE_OK(log_stream_create(store, BASE_STR("s"), &config, &stream, &err));
    static writer writers[WRITERS];
    plat_thread threads[WRITERS], follower;
    atomic_store(&notified, 0);
    plat_thread_start(&follower, "reader", run_reader, stream);
    for (int i = 0; i < WRITERS; i++) {
        writers[i] = (writer){.stream = stream, .id = i};
        plat_thread_start(&threads[i], "writer", run_writer, &writers[i]);
    }
    for (int i = 0; i < WRITERS; i++) {
        plat_thread_join(threads[i]);
        EXPECT_EQ_INT(writers[i].failures, 0);
    }
    void *wrong;
    pthread_join(follower, &wrong);
    EXPECT(wrong == NULL);
    EXPECT(atomic_load(&notified) > 0);
    int64_t total = WRITERS * WRITES * 3 / 2;
    EXPECT_EQ_INT(log_end(stream, 0), total);
    for (int reopened = 0; reopened < 2; reopened++) {
        seen s = {.writers = writers};
        for (int i = 0; i < WRITERS; i++) s.last[i] = -1;
        EXPECT_EQ_INT(read_all(stream, 0, 0, check_seen, &s), total);
        EXPECT_EQ_INT(s.wrong, 0);
        for (int64_t from = 1; from < total; from += 97) {
            s = (seen){.writers = writers, .next = (uint64_t)from};
            for (int i = 0; i < WRITERS; i++) s.last[i] = -1;
            EXPECT_EQ_INT(read_all(stream, 0, (uint64_t)from, check_seen, &s), total - from);
            EXPECT_EQ_INT(s.wrong, 0);
        }
        log_store_close(store);
        REQUIRE_OK(log_store_open(plat_os(), test_dir, &store, &err));
        log_open_report report;
        REQUIRE_OK(log_stream_open(store, BASE_STR("s"), &config, &report, &stream, &err));
        EXPECT(report.segments > 5);
        EXPECT_EQ_STR(report.text, "");
    }
    log_store_close(store);
    remove_dir();
}

TEST(many_writers_plain) {
    many_writers(LOG_CODEC_NONE);
}
TEST(many_writers_lz4) {
    many_writers(LOG_CODEC_LZ4);
}
TEST(many_writers_zstd) {
    many_writers(LOG_CODEC_ZSTD);
}

// ---- time, dump ----

TEST(find_time) {
    log_store *store;
    log_stream *stream;
    REQUIRE_OK(log_store_open(plat_os(), fresh_dir(), &store, &err));
    log_stream_config config = {.partitions = 1, .segment_bytes = 8 << 10, .index_bytes = 512};
    REQUIRE_OK(log_stream_create(store, BASE_STR("s"), &config, &stream, &err));
    // The clock of the appends goes back now and then.
    enum { N = 500 };
    static int64_t times[N];
    char text[128];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = 0;
    for (int i = 0; i < N; i++) {
        times[i] = i * 10 - (i % 50 == 49 ? 700 : 0) + (i % 120 == 60 ? 300 : 0);
        log_record record = {base_str_of(text), {NULL, 0}};
        log_batch_info info = no_info;
        info.append_us = times[i];
        REQUIRE_OK(log_append(stream, 0, &record, 1, &info, NULL, &err));
    }
    REQUIRE_OK(log_sync(stream, 0, &err));
    for (int reopened = 0; reopened < 2; reopened++) {
        for (int64_t t = -1000; t < N * 10 + 500; t += 37) {
            uint64_t expected = 0, found;
            while (expected < N && times[expected] < t) expected++;
            REQUIRE_OK(log_find_time(stream, 0, t, &found, &err));
            EXPECT_EQ_INT(found, expected);
        }
        log_store_close(store);
        // Without its indexes, too.
        if (system(NULL)) {
            char command[128];
            snprintf(command, sizeof command, "rm -f %s/s/0/*.idx", test_dir);
            EXPECT(system(command) == 0);
        }
        REQUIRE_OK(log_store_open(plat_os(), test_dir, &store, &err));
        REQUIRE_OK(log_stream_open(store, BASE_STR("s"), &config, NULL, &stream, &err));
    }
    log_store_close(store);
    remove_dir();
}

static base_rc collect(void *arg, base_str piece, base_error *e) {
    (void)e;
    base_buf_add_str(arg, piece);
    return BASE_OK;
}

TEST(dump_formats) {
    log_store *store;
    log_stream *stream;
    REQUIRE_OK(log_store_open(plat_os(), fresh_dir(), &store, &err));
    log_stream_config config = {.partitions = 2};
    REQUIRE_OK(log_stream_create(store, BASE_STR("s"), &config, &stream, &err));
    uint64_t offset;
    for (int i = 0; i < 5; i++) {
        char text[32];
        snprintf(text, sizeof text, "{\"i\":%d}", i);
        REQUIRE_OK(append_text(stream, 0, text, &offset));
    }
    base_buf headers = {0};
    log_headers_add(&headers, BASE_STR("h"), BASE_STR("\xff"));
    log_record record = {BASE_STR("two"), base_buf_str(&headers)};
    REQUIRE_OK(log_append(stream, 1, &record, 1, &no_info, NULL, &err));
    REQUIRE_OK(log_sync(stream, 0, &err));
    REQUIRE_OK(log_sync(stream, 1, &err));
    base_buf out = {0};
    log_dump_stats stats;
    log_dump_options options = {BASE_STR("s"), 0, 1, 4, true, LOG_DUMP_RAW};
    REQUIRE_OK(log_dump(plat_os(), test_dir, &options, collect, &out, &stats, &err));
    EXPECT_EQ_STR(base_buf_cstr(&out), "{\"i\":1}\n{\"i\":2}\n{\"i\":3}\n");
    EXPECT_EQ_INT(stats.records, 3);
    EXPECT_EQ_INT(stats.damaged, 0);
    base_buf_clear(&out);
    options = (log_dump_options){BASE_STR("s"), 1, 0, UINT64_MAX, true, LOG_DUMP_JSON};
    REQUIRE_OK(log_dump(plat_os(), test_dir, &options, collect, &out, &stats, &err));
    EXPECT_EQ_STR(base_buf_cstr(&out),
                  "{\"partition\":1,\"offset\":0,\"append_time\":\"2000-01-01T00:00:00.001Z\","
                  "\"contract_version\":0,\"headers\":[{\"name\":\"h\",\"value_hex\":\"ff\"}],"
                  "\"payload\":\"two\"}\n");
    base_buf_clear(&out);
    options = (log_dump_options){BASE_STR("s"), -1, 0, UINT64_MAX, true, LOG_DUMP_BATCH};
    REQUIRE_OK(log_dump(plat_os(), test_dir, &options, collect, &out, &stats, &err));
    EXPECT_EQ_INT(stats.batches, 6);
    EXPECT_EQ_INT(stats.records, 6);
    EXPECT_EQ_INT(stats.segments, 2);
    options.stream = BASE_STR("none");
    EXPECT(log_dump(plat_os(), test_dir, &options, collect, &out, &stats, &err) ==
           BASE_E_NOT_FOUND);
    base_buf_deinit(&out);
    base_buf_deinit(&headers);
    log_store_close(store);
    remove_dir();
}

// A reader that mapped a segment when it was small goes on in it after the segment has grown and
// has been sealed.
TEST(reader_of_a_grown_and_sealed_segment) {
    log_store *store;
    log_stream *stream;
    REQUIRE_OK(log_store_open(plat_os(), fresh_dir(), &store, &err));
    log_stream_config config = {.partitions = 1, .segment_bytes = 4u << 20};
    REQUIRE_OK(log_stream_create(store, BASE_STR("s"), &config, &stream, &err));
    REQUIRE_OK(append_text(stream, 0, "first", NULL));
    REQUIRE_OK(log_sync(stream, 0, &err));
    log_reader *reader;
    log_batch batch;
    bool end;
    REQUIRE_OK(log_reader_open(stream, 0, 0, &reader, &err));
    REQUIRE_OK(log_reader_next(reader, &batch, &end, &err));
    EXPECT(!end && batch.count == 1);
    log_reader_release(reader);
    static char text[100 << 10];
    memset(text, 'x', sizeof text - 1);
    int64_t count = 0;
    for (; count < 60; count++) REQUIRE_OK(append_text(stream, 0, text, NULL));
    REQUIRE_OK(log_sync(stream, 0, &err));
    for (; count > 0; count--) {
        REQUIRE_OK(log_reader_next(reader, &batch, &end, &err));
        if (end) break;
        EXPECT_EQ_INT(batch.payload_bytes, sizeof text - 1);
        log_reader_release(reader);
    }
    EXPECT_EQ_INT(count, 0);
    log_reader_close(reader);
    log_store_close(store);
    remove_dir();
}

TEST_MAIN(TEST_ENTRY(round_trip), TEST_ENTRY(names_and_configs), TEST_ENTRY(limits),
          TEST_ENTRY(many_writers_plain), TEST_ENTRY(many_writers_lz4),
          TEST_ENTRY(many_writers_zstd), TEST_ENTRY(find_time), TEST_ENTRY(dump_formats),
          TEST_ENTRY(reader_of_a_grown_and_sealed_segment))
