// test_log_retention.c - deleting segments by time and by size, while readers hold them, and over
// crashes.
#include "test.h"

#include "base/must.h"
#include "log/log.h"
#include "plat/sim.h"

static base_error err;

typedef struct fixture {
    plat_sim *sim;
    plat *p;
    log_store *store;
    log_stream *stream;
    log_stream_config config;
} fixture;

static void open_again(fixture *f) {
    must(log_store_open(f->p, "log", &f->store, &err) == BASE_OK);
    must(log_stream_open(f->store, BASE_STR("s"), &f->config, NULL, &f->stream, &err) == BASE_OK);
}

static void fixture_init(fixture *f, int64_t retention_us, uint64_t retention_bytes) {
    *f = (fixture){.sim = plat_sim_create(1)};
    f->p = plat_sim_plat(f->sim);
    f->config = (log_stream_config){.partitions = 1,
                                    .segment_bytes = 4096,
                                    .index_bytes = 512,
                                    .retention_us = retention_us,
                                    .retention_bytes = retention_bytes};
    must(log_store_open(f->p, "log", &f->store, &err) == BASE_OK);
    must(log_stream_create(f->store, BASE_STR("s"), &f->config, &f->stream, &err) == BASE_OK);
}

static void fixture_deinit(fixture *f) {
    log_store_close(f->store);
    plat_sim_destroy(f->sim);
}

// Record i is appended at time i * 10 and says so; about 28 fit a segment.
static void append_range(fixture *f, int from, int to) {
    for (int i = from; i < to; i++) {
        char text[64];
        snprintf(text, sizeof text, "%055d", i);
        log_record record = {base_str_of(text), {NULL, 0}};
        log_batch_info info = {.append_us = i * 10};
        uint64_t offset;
        must(log_append(f->stream, 0, &record, 1, &info, &offset, &err) == BASE_OK);
        EXPECT_EQ_INT(offset, i);
    }
    must(log_sync(f->stream, 0, &err) == BASE_OK);
}

static void expect_records(fixture *f, int from, int to) {
    log_reader *reader;
    REQUIRE_OK(log_reader_open(f->stream, 0, (uint64_t)from, &reader, &err));
    for (int i = from; i < to; i++) {
        log_batch batch;
        bool end;
        char text[64];
        snprintf(text, sizeof text, "%055d", i);
        REQUIRE_OK(log_reader_next(reader, &batch, &end, &err));
        REQUIRE(!end);
        EXPECT_EQ_INT(batch.base_offset, i);
        EXPECT(base_str_eq(log_batch_record(&batch, 0), base_str_of(text)));
    }
    log_batch batch;
    bool end;
    REQUIRE_OK(log_reader_next(reader, &batch, &end, &err));
    EXPECT(end);
    log_reader_close(reader);
}

TEST(by_time) {
    fixture f;
    fixture_init(&f, 1000, 0);
    append_range(&f, 0, 200);
    uint32_t deleted = 9;
    REQUIRE_OK(log_retain(f.stream, 0, 900, UINT64_MAX, &deleted, &err));
    EXPECT_EQ_INT(deleted, 0); // nothing is old enough
    REQUIRE_OK(log_retain(f.stream, 0, 2000, UINT64_MAX, &deleted, &err));
    EXPECT(deleted > 0);
    uint64_t begin = log_begin(f.stream, 0);
    // What is younger than the retention is there, and no more than a segment that is older.
    EXPECT(begin <= 100 && begin > 100 - 64);
    expect_records(&f, (int)begin, 200);
    log_reader *reader;
    EXPECT(log_reader_open(f.stream, 0, begin - 1, &reader, &err) == BASE_E_NOT_FOUND);
    char number[32];
    snprintf(number, sizeof number, "%" PRIu64, begin);
    EXPECT(strstr(err.message, number) != NULL);
    log_store_close(f.store);
    open_again(&f);
    EXPECT_EQ_INT(log_begin(f.stream, 0), begin);
    expect_records(&f, (int)begin, 200);
    uint64_t found;
    REQUIRE_OK(log_find_time(f.stream, 0, 0, &found, &err));
    EXPECT_EQ_INT(found, begin);
    fixture_deinit(&f);
}

TEST(keep_from_holds) {
    fixture f;
    fixture_init(&f, 1, 0);
    append_range(&f, 0, 200);
    uint32_t deleted;
    REQUIRE_OK(log_retain(f.stream, 0, 1000000, 0, &deleted, &err));
    EXPECT_EQ_INT(deleted, 0);
    REQUIRE_OK(log_retain(f.stream, 0, 1000000, 90, &deleted, &err));
    EXPECT(deleted > 0);
    EXPECT(log_begin(f.stream, 0) <= 90);
    expect_records(&f, 90, 200);
    fixture_deinit(&f);
}

TEST(quiet_stream_is_emptied) {
    fixture f;
    fixture_init(&f, 100, 0);
    append_range(&f, 0, 50);
    uint32_t deleted;
    REQUIRE_OK(log_retain(f.stream, 0, 1000000, 50, &deleted, &err));
    EXPECT(deleted >= 2);
    EXPECT_EQ_INT(log_begin(f.stream, 0), 50);
    EXPECT_EQ_INT(log_end(f.stream, 0), 50);
    EXPECT(log_bytes(f.stream, 0) < 4096);
    REQUIRE_OK(log_retain(f.stream, 0, 1000000, 50, &deleted, &err));
    EXPECT_EQ_INT(deleted, 0);
    plat_sim_crash(f.sim); // offsets go on where they were, also after a crash
    log_store_close(f.store);
    open_again(&f);
    EXPECT_EQ_INT(log_end(f.stream, 0), 50);
    append_range(&f, 50, 60);
    expect_records(&f, 50, 60);
    fixture_deinit(&f);
}

TEST(by_size) {
    fixture f;
    fixture_init(&f, 0, 10000);
    append_range(&f, 0, 400);
    uint64_t before = log_bytes(f.stream, 0);
    uint32_t deleted;
    REQUIRE_OK(log_retain(f.stream, 0, 0, UINT64_MAX, &deleted, &err));
    EXPECT(deleted > 0);
    uint64_t after = log_bytes(f.stream, 0);
    EXPECT(before > after && after >= 10000 && after < 10000 + 4096);
    expect_records(&f, (int)log_begin(f.stream, 0), 400);
    fixture_deinit(&f);
}

TEST(reader_outlives_its_segment) {
    fixture f;
    fixture_init(&f, 1, 0);
    append_range(&f, 0, 200);
    log_reader *reader;
    log_batch first, batch;
    bool end;
    REQUIRE_OK(log_reader_open(f.stream, 0, 0, &reader, &err));
    REQUIRE_OK(log_reader_next(reader, &first, &end, &err));
    uint32_t deleted;
    REQUIRE_OK(log_retain(f.stream, 0, 1000000, 190, &deleted, &err));
    EXPECT(deleted > 2);
    // The borrowed batch is still there, and the rest of its segment can be read; then the reader
    // is told that it fell behind.
    EXPECT(first.payload_bytes == 55 && first.payload[54] == '0');
    base_rc rc;
    do {
        rc = log_reader_next(reader, &batch, &end, &err);
    } while (rc == BASE_OK && !end);
    EXPECT_EQ_INT(rc, BASE_E_NOT_FOUND);
    EXPECT(log_reader_offset(reader) > 1 && log_reader_offset(reader) < 64);
    EXPECT(first.payload_bytes == 55 && first.payload[54] == '0');
    log_reader_close(reader);
    fixture_deinit(&f);
}

// Whatever call fails, and if the machine stops right then: what is retained is without a gap.
TEST(crash_during_retention) {
    bool fault = true;
    int n;
    for (n = 1; fault && n < 200; n++) {
        fixture f;
        fixture_init(&f, 1, 0);
        append_range(&f, 0, 200);
        plat_sim_fail_call(f.sim, (uint64_t)n);
        uint32_t deleted = 0;
        fault = log_retain(f.stream, 0, 1000000, 150, &deleted, &err) != BASE_OK;
        if (n % 2 == 0) {
            plat_sim_fail_call(f.sim, 0);
            REQUIRE_OK(log_retain(f.stream, 0, 1000000, 150, &deleted, &err));
        }
        plat_sim_crash(f.sim);
        plat_sim_fail_call(f.sim, 0);
        log_store_close(f.store);
        log_open_report report;
        REQUIRE_OK(log_store_open(f.p, "log", &f.store, &err));
        REQUIRE_OK(log_stream_open(f.store, BASE_STR("s"), &f.config, &report, &f.stream, &err));
        EXPECT_EQ_STR(report.text, "");
        EXPECT_EQ_INT(log_end(f.stream, 0), 200);
        expect_records(&f, (int)log_begin(f.stream, 0), 200);
        fixture_deinit(&f);
    }
    EXPECT(!fault && n > 5);
}

TEST_MAIN(TEST_ENTRY(by_time), TEST_ENTRY(keep_from_holds), TEST_ENTRY(quiet_stream_is_emptied),
          TEST_ENTRY(by_size), TEST_ENTRY(reader_outlives_its_segment),
          TEST_ENTRY(crash_during_retention))
