// test_log_fault.c - the n-th failing call, for every n until a run sees no fault; and a full disk.
// A fault may fail an operation, never an acknowledged record.
#include "test.h"

#include "base/must.h"
#include "base/random.h"
#include "log/log.h"
#include "plat/sim.h"

static base_error err;

enum { RECORDS_MAX = 20000 };

typedef struct run {
    plat_sim *sim;
    plat *p;
    log_store *store;
    log_stream *stream;
    log_stream_config config;
    uint64_t end, acknowledged; // as the caller knows them
    uint64_t serial[RECORDS_MAX];
    uint64_t next_serial;
    int faults; // operations that failed
} run;

static int serial_text(uint64_t serial, char out[256]) {
    int n = snprintf(out, 256, "%" PRIu64 " ", serial);
    int pad = (int)(serial * 37 % 180);
    memset(out + n, 'p', (size_t)pad);
    return n + pad;
}

static base_rc append_one(run *r) {
    char text[256];
    int n = serial_text(r->next_serial, text);
    log_record record = {{text, (size_t)n}, {NULL, 0}};
    log_batch_info info = {.append_us = (int64_t)r->next_serial};
    uint64_t offset = UINT64_MAX;
    base_rc rc = log_append(r->stream, 0, &record, 1, &info, &offset, &err);
    if (rc != BASE_OK) {
        r->faults++;
        EXPECT(err.code == rc && err.message[0] != 0);
        return rc;
    }
    must(offset < RECORDS_MAX);
    r->serial[offset] = r->next_serial++;
    r->end = offset + 1;
    return BASE_OK;
}

static base_rc sync_now(run *r) {
    base_rc rc = log_sync(r->stream, 0, &err);
    if (rc == BASE_OK) {
        r->acknowledged = r->end;
    } else {
        r->faults++;
    }
    return rc;
}

// Reads everything; a read may fail by a fault, and goes on from there.
static void read_back(run *r) {
    uint64_t next = log_begin(r->stream, 0), end_offset = log_end(r->stream, 0);
    EXPECT(end_offset >= r->acknowledged);
    log_reader *reader = NULL;
    for (int tries = 0; tries < 1000; tries++) {
        log_batch batch;
        bool end;
        base_rc rc = BASE_OK;
        if (reader == NULL) rc = log_reader_open(r->stream, 0, next, &reader, &err);
        if (rc == BASE_OK) rc = log_reader_next(reader, &batch, &end, &err);
        if (rc != BASE_OK) {
            if (rc != BASE_E_IO) fprintf(stderr, "read at %" PRIu64 ": %s\n", next, err.message);
            EXPECT(rc == BASE_E_IO); // never taken for damage
            r->faults++;
            continue;
        }
        if (end) break;
        tries = 0;
        for (uint32_t i = 0; i < batch.count; i++) {
            char text[256];
            int n = serial_text(r->serial[batch.base_offset + i], text);
            EXPECT(base_str_eq(log_batch_record(&batch, i), (base_str){text, (size_t)n}));
        }
        EXPECT_EQ_INT(batch.base_offset, next);
        next = batch.base_offset + batch.count;
    }
    EXPECT_EQ_INT(next, end_offset);
    log_reader_close(reader);
}

// Opens, creating if need be, retrying over faults. After a failed write this is the restart.
static void start(run *r) {
    for (int tries = 0;; tries++) {
        must(tries < 50);
        if (log_store_open(r->p, "data/log", &r->store, &err) != BASE_OK) {
            r->faults++;
            continue;
        }
        log_open_report report;
        base_rc rc =
            log_stream_open(r->store, BASE_STR("s"), &r->config, &report, &r->stream, &err);
        if (rc == BASE_E_NOT_FOUND) {
            EXPECT_EQ_INT(r->acknowledged, 0);
            rc = log_stream_create(r->store, BASE_STR("s"), &r->config, &r->stream, &err);
        }
        if (rc == BASE_OK) break;
        EXPECT(rc == BASE_E_IO || rc == BASE_E_FULL || rc == BASE_E_EXISTS);
        r->faults++;
        log_store_close(r->store);
    }
    EXPECT(log_end(r->stream, 0) >= r->acknowledged);
    EXPECT(log_end(r->stream, 0) <= r->next_serial);
    r->end = r->acknowledged = log_end(r->stream, 0);
}

static void restart(run *r) {
    log_store_close(r->store);
    start(r);
}

static void run_init(run *r, uint64_t seed, log_codec codec) {
    *r = (run){.sim = plat_sim_create(seed)};
    r->p = plat_sim_plat(r->sim);
    r->config = (log_stream_config){.partitions = 1,
                                    .segment_bytes = 4096,
                                    .index_bytes = 512,
                                    .retention_us = 1,
                                    .codec = codec};
}

// All that a stream lives through, once. Failed operations are met as a caller would.
static void work(run *r) {
    start(r);
    for (int i = 0; i < 60; i++) {
        base_rc rc = append_one(r);
        if (rc == BASE_OK && i % 3 == 0) rc = sync_now(r);
        if (rc != BASE_OK) {
            // Either the operation alone failed, or the partition refuses writes from now on.
            rc = append_one(r);
            if (rc == BASE_OK) rc = sync_now(r);
            if (rc != BASE_OK) {
                EXPECT(append_one(r) == BASE_E_IO);
                EXPECT(strstr(err.message, "refuses writes") != NULL);
                EXPECT(sync_now(r) == BASE_E_IO);
                EXPECT(log_end(r->stream, 0) >= r->acknowledged);
                read_back(r);
                restart(r);
            }
        }
        if (i == 30) restart(r);
        if (i == 45) {
            uint64_t found;
            if (log_find_time(r->stream, 0, 20, &found, &err) != BASE_OK) r->faults++;
            if (log_retain(r->stream, 0, INT64_MAX, 20, NULL, &err) != BASE_OK) r->faults++;
        }
    }
    if (sync_now(r) != BASE_OK) restart(r);
    read_back(r);
    log_store_close(r->store);
    start(r);
    read_back(r);
    log_store_close(r->store);
    if (log_store_open(r->p, "data/log", &r->store, &err) != BASE_OK) {
        r->faults++;
        r->store = NULL;
        return;
    }
    for (int tries = 0; tries < 3; tries++) {
        bool exists = true;
        if (log_stream_drop(r->store, BASE_STR("s"), &err) != BASE_OK) r->faults++;
        if (log_stream_exists(r->store, BASE_STR("s"), &exists, &err) != BASE_OK) r->faults++;
        if (!exists) break;
        EXPECT(tries < 2);
    }
}

TEST(every_call_fails_once) {
    for (int codec = 0; codec < 3; codec += 2) {
        uint64_t n, reached = 0;
        for (n = 1; n < 3000; n++) {
            static run r;
            int before = test_failures;
            run_init(&r, 42, (log_codec)codec);
            plat_sim_fail_call(r.sim, n);
            work(&r);
            reached = plat_sim_call_count(r.sim);
            log_store_close(r.store);
            plat_sim_destroy(r.sim);
            if (test_failures != before) {
                fprintf(stderr, "codec %d, call %" PRIu64 " failed\n", codec, n);
                return;
            }
            if (reached < n) break; // the fault was never reached
            // Faults in what can be rebuilt or given back later are nobody's failure.
        }
        EXPECT(n > 150 && n < 3000);
    }
}

TEST(many_faults) {
    for (uint64_t seed = 1; seed <= 150; seed++) {
        static run r;
        int before = test_failures;
        run_init(&r, seed, LOG_CODEC_NONE);
        plat_sim_set_fault_rate(r.sim, 1000 * (uint32_t)(1 + seed % 20));
        start(&r);
        for (int i = 0; i < 150; i++) {
            base_rc rc = append_one(&r);
            if (rc == BASE_OK && i % 4 == 0) rc = sync_now(&r);
            if (rc != BASE_OK && i % 3 == 0) restart(&r);
        }
        plat_sim_set_fault_rate(r.sim, 0);
        if (seed % 2 == 0) plat_sim_crash(r.sim);
        restart(&r);
        read_back(&r);
        log_store_close(r.store);
        plat_sim_destroy(r.sim);
        if (test_failures != before) {
            fprintf(stderr, "seed %" PRIu64 "\n", seed);
            return;
        }
    }
}

// A full disk refuses appends with BASE_E_FULL, keeps and serves what it has, opens, and takes
// appends again once there is room.
TEST(full_disk) {
    static run r;
    run_init(&r, 1, LOG_CODEC_NONE);
    r.config.segment_bytes = 8192;
    start(&r);
    plat_sim_set_disk_bytes(r.sim, 64 << 10);
    base_rc rc = BASE_OK;
    for (int i = 0; i < 2000 && rc == BASE_OK; i++) {
        rc = append_one(&r);
        if (rc == BASE_OK && i % 5 == 0) REQUIRE_OK(sync_now(&r));
    }
    EXPECT_EQ_INT(rc, BASE_E_FULL);
    EXPECT_EQ_STR(err.sqlstate, BASE_SQLSTATE_DISK_FULL);
    EXPECT(r.acknowledged > 100);
    // Records that were accepted have their place; they can still be made durable.
    EXPECT(sync_now(&r) == BASE_OK);
    read_back(&r);
    EXPECT(append_one(&r) == BASE_E_FULL);
    restart(&r); // a full disk does not keep the log from opening
    read_back(&r);
    uint64_t before = r.acknowledged;
    plat_sim_set_disk_bytes(r.sim, 1 << 20);
    for (int i = 0; i < 200; i++) EXPECT(append_one(&r) == BASE_OK);
    EXPECT(sync_now(&r) == BASE_OK);
    EXPECT_EQ_INT(r.acknowledged, before + 200);
    read_back(&r);
    plat_sim_crash(r.sim);
    restart(&r);
    EXPECT_EQ_INT(r.acknowledged, before + 200);
    read_back(&r);
    log_store_close(r.store);
    plat_sim_destroy(r.sim);
}

// What a failed sync leaves is taken back: not readable after a reopening, its offsets used again.
TEST(failed_sync_takes_back) {
    static run r;
    run_init(&r, 1, LOG_CODEC_NONE);
    start(&r);
    EXPECT(append_one(&r) == BASE_OK);
    EXPECT(sync_now(&r) == BASE_OK);
    EXPECT(append_one(&r) == BASE_OK);
    EXPECT(append_one(&r) == BASE_OK);
    plat_sim_fail_call(r.sim, 2); // the write, then the sync
    EXPECT(sync_now(&r) == BASE_E_IO);
    EXPECT(append_one(&r) == BASE_E_IO);
    restart(&r);
    EXPECT_EQ_INT(r.end, 1);
    EXPECT(append_one(&r) == BASE_OK);
    EXPECT_EQ_INT(r.end, 2);
    EXPECT(sync_now(&r) == BASE_OK);
    plat_sim_crash(r.sim);
    restart(&r);
    EXPECT_EQ_INT(r.end, 2);
    read_back(&r);
    log_store_close(r.store);
    plat_sim_destroy(r.sim);
}

static base_rc append_bytes(run *r, size_t n) {
    static char bytes[8192];
    memset(bytes, 'b', sizeof bytes);
    log_record record = {{bytes, n}, {NULL, 0}};
    log_batch_info info = {0};
    return log_append(r->stream, 0, &record, 1, &info, NULL, &err);
}

// A segment whose creation failed half way may still be there after a restart. Records must not
// have gone on into the segment before it, or their offsets would be hidden by the new one.
TEST(failed_roll_then_smaller_record) {
    for (uint64_t n = 1; n <= 8; n++) {
        static run r;
        run_init(&r, n, LOG_CODEC_NONE);
        start(&r);
        EXPECT(append_bytes(&r, 3000) == BASE_OK);
        REQUIRE_OK(log_sync(r.stream, 0, &err));
        plat_sim_fail_call(r.sim, n);
        bool rolled = append_bytes(&r, 2000) == BASE_OK;
        plat_sim_fail_call(r.sim, 0);
        if (!rolled && append_bytes(&r, 10) == BASE_OK) { // it would fit the first segment
            REQUIRE_OK(log_sync(r.stream, 0, &err));
            EXPECT_EQ_INT(log_end(r.stream, 0), 2);
            log_store_close(r.store);
            REQUIRE_OK(log_store_open(r.p, "data/log", &r.store, &err));
            REQUIRE_OK(log_stream_open(r.store, BASE_STR("s"), &r.config, NULL, &r.stream, &err));
            EXPECT_EQ_INT(log_end(r.stream, 0), 2);
            log_reader *reader;
            log_batch batch;
            bool end;
            REQUIRE_OK(log_reader_open(r.stream, 0, 1, &reader, &err));
            REQUIRE_OK(log_reader_next(reader, &batch, &end, &err));
            EXPECT(!end && batch.payload_bytes == 10);
            log_reader_close(reader);
        }
        log_store_close(r.store);
        plat_sim_destroy(r.sim);
    }
}

static base_rc (*real_write)(plat_file *file, const void *from, size_t n, uint64_t offset,
                             base_error *err);
static bool no_room;

static base_rc write_if_room(plat_file *file, const void *from, size_t n, uint64_t offset,
                             base_error *error) {
    if (no_room) return base_fail(error, BASE_E_FULL, BASE_SQLSTATE_DISK_FULL, "no room");
    return real_write(file, from, n, offset, error);
}

// Where space cannot be allocated ahead a write may find the disk full. What was appended waits,
// and is written once there is room, without a restart.
TEST(full_at_write) {
    static run r;
    run_init(&r, 1, LOG_CODEC_NONE);
    static plat_ops ops;
    ops = *r.p->ops;
    real_write = ops.write_at;
    ops.write_at = write_if_room;
    r.p->ops = &ops;
    start(&r);
    EXPECT(append_one(&r) == BASE_OK);
    EXPECT(sync_now(&r) == BASE_OK);
    no_room = true;
    for (int i = 0; i < 3; i++) {
        EXPECT(append_one(&r) == BASE_OK);
        EXPECT_EQ_INT(sync_now(&r), BASE_E_FULL);
        EXPECT_EQ_STR(err.sqlstate, BASE_SQLSTATE_DISK_FULL);
        EXPECT_EQ_INT(log_end(r.stream, 0), 1);
    }
    EXPECT_EQ_INT(append_bytes(&r, 3900), BASE_E_FULL); // the segment before cannot be finished
    read_back(&r);
    no_room = false;
    EXPECT(sync_now(&r) == BASE_OK);
    EXPECT_EQ_INT(log_end(r.stream, 0), 4);
    read_back(&r);
    plat_sim_crash(r.sim);
    restart(&r);
    EXPECT_EQ_INT(r.end, 4);
    read_back(&r);
    log_store_close(r.store);
    plat_sim_destroy(r.sim);
}

static uint64_t next_batch(log_reader *reader, bool *damaged) {
    log_batch batch;
    bool end;
    base_rc rc = log_reader_next(reader, &batch, &end, &err);
    *damaged = rc == BASE_E_CORRUPT;
    return rc == BASE_OK && !end ? batch.base_offset : UINT64_MAX;
}

// Offsets of a lost end are not given out again; the gap reads as damage, also after a restart.
TEST(skipped_offsets) {
    for (int n = 0; n < 3; n += 2) { // of none, and of two records
        static run r;
        run_init(&r, 1, LOG_CODEC_NONE);
        start(&r);
        for (int i = 0; i < n; i++) EXPECT(append_one(&r) == BASE_OK);
        if (n > 0) EXPECT(sync_now(&r) == BASE_OK);
        REQUIRE_OK(log_skip_to(r.stream, 0, 10, &err));
        REQUIRE_OK(log_skip_to(r.stream, 0, 7, &err)); // does nothing
        EXPECT_EQ_INT(log_end(r.stream, 0), 10);
        EXPECT_EQ_INT(log_begin(r.stream, 0), n == 0 ? 10 : 0);
        r.next_serial = 10;
        EXPECT(append_one(&r) == BASE_OK);
        EXPECT_EQ_INT(r.end, 11);
        EXPECT(sync_now(&r) == BASE_OK);
        plat_sim_crash(r.sim);
        restart(&r);
        EXPECT_EQ_INT(log_end(r.stream, 0), 11);
        EXPECT_EQ_INT(log_begin(r.stream, 0), n == 0 ? 10 : 0);
        log_reader *reader;
        bool damaged;
        REQUIRE_OK(log_reader_open(r.stream, 0, log_begin(r.stream, 0), &reader, &err));
        for (int i = 0; i < n; i++) EXPECT_EQ_INT(next_batch(reader, &damaged), i);
        if (n > 0) {
            uint64_t next;
            next_batch(reader, &damaged);
            EXPECT(damaged);
            REQUIRE_OK(log_reader_skip_damage(reader, &next, &err));
            EXPECT_EQ_INT(next, 10);
        }
        EXPECT_EQ_INT(next_batch(reader, &damaged), 10);
        log_reader_close(reader);
        log_store_close(r.store);
        plat_sim_destroy(r.sim);
    }
}

TEST_MAIN(TEST_ENTRY(full_at_write), TEST_ENTRY(skipped_offsets),
          TEST_ENTRY(failed_sync_takes_back), TEST_ENTRY(failed_roll_then_smaller_record),
          TEST_ENTRY(every_call_fails_once), TEST_ENTRY(many_faults), TEST_ENTRY(full_disk))
