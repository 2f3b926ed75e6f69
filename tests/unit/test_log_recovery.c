// test_log_recovery.c - what is left of the log after crashes, torn tails and flipped bits, on the
// simulated disk. The model knows for each offset what was last appended there; a log is right if
// it holds every acknowledged record and no record that the model does not have at that offset.
#include "test.h"

#include "base/must.h"
#include "base/random.h"
#include "log/log.h"
#include "plat/sim.h"

#include <stdlib.h>

static base_error err;

// ---- a platform that dies: after a number of calls, every call fails until the next start ----

static const plat_ops *sim_ops;
static uint64_t calls_left; // 0: dead; UINT64_MAX: never dies

static bool alive(void) {
    if (calls_left == 0) return false;
    if (calls_left != UINT64_MAX) calls_left--;
    return true;
}
#define DEAD(e) base_fail((e), BASE_E_IO, NULL, "the process has died")

static base_rc dying_open(plat *p, const char *path, int flags, plat_file **out, base_error *e) {
    return alive() ? sim_ops->open(p, path, flags, out, e) : DEAD(e);
}
static base_rc dying_read(plat_file *f, void *to, size_t n, uint64_t at, size_t *got,
                          base_error *e) {
    return alive() ? sim_ops->read_at(f, to, n, at, got, e) : DEAD(e);
}
static base_rc dying_write(plat_file *f, const void *from, size_t n, uint64_t at, base_error *e) {
    return alive() ? sim_ops->write_at(f, from, n, at, e) : DEAD(e);
}
static base_rc dying_sync(plat_file *f, base_error *e) {
    return alive() ? sim_ops->sync(f, e) : DEAD(e);
}
static base_rc dying_allocate(plat_file *f, uint64_t size, base_error *e) {
    return alive() ? sim_ops->allocate(f, size, e) : DEAD(e);
}
static base_rc dying_truncate(plat_file *f, uint64_t size, base_error *e) {
    return alive() ? sim_ops->truncate(f, size, e) : DEAD(e);
}
static base_rc dying_rename(plat *p, const char *from, const char *to, base_error *e) {
    return alive() ? sim_ops->rename(p, from, to, e) : DEAD(e);
}
static base_rc dying_remove(plat *p, const char *path, base_error *e) {
    return alive() ? sim_ops->remove(p, path, e) : DEAD(e);
}
static base_rc dying_make_dir(plat *p, const char *path, base_error *e) {
    return alive() ? sim_ops->make_dir(p, path, e) : DEAD(e);
}
static base_rc dying_sync_dir(plat *p, const char *path, base_error *e) {
    return alive() ? sim_ops->sync_dir(p, path, e) : DEAD(e);
}

static plat *dying_plat(plat_sim *sim) {
    static plat_ops ops;
    plat *p = plat_sim_plat(sim);
    sim_ops = p->ops;
    ops = *p->ops;
    ops.open = dying_open;
    ops.read_at = dying_read;
    ops.write_at = dying_write;
    ops.sync = dying_sync;
    ops.allocate = dying_allocate;
    ops.truncate = dying_truncate;
    ops.rename = dying_rename;
    ops.remove = dying_remove;
    ops.make_dir = dying_make_dir;
    ops.sync_dir = dying_sync_dir;
    p->ops = &ops;
    calls_left = UINT64_MAX;
    return p;
}

// ---- the model ----

enum { RECORDS_MAX = 4096 };

typedef struct model {
    uint64_t serial[RECORDS_MAX]; // by offset
    uint64_t end;                 // appended
    uint64_t acknowledged;
    uint64_t begin; // retained
    uint64_t next_serial;
} model;

static log_stream_config small_config(log_codec codec) {
    return (log_stream_config){
        .partitions = 1, .segment_bytes = 4096, .index_bytes = 600, .codec = codec};
}

static int record_text(uint64_t serial, char out[1024]) {
    int n = snprintf(out, 1024, "{\"serial\":%" PRIu64 ",\"pad\":\"", serial);
    int pad = (int)(serial * 2654435761u % 300);
    for (int i = 0; i < pad; i++) out[n++] = (char)('a' + (serial + (uint64_t)i * 31) % 26);
    return n + snprintf(out + n, 16, "\"}");
}

static bool record_is(base_str payload, uint64_t serial) {
    char text[1024];
    int n = record_text(serial, text);
    return base_str_eq(payload, (base_str){text, (size_t)n});
}

static base_rc append_some(log_stream *stream, model *m, int n) {
    static char texts[8][1024];
    log_record records[8];
    must(n <= 8);
    for (int i = 0; i < n; i++) {
        int bytes = record_text(m->next_serial + (uint64_t)i, texts[i]);
        records[i] = (log_record){{texts[i], (size_t)bytes}, {NULL, 0}};
    }
    log_batch_info info = {.append_us = (int64_t)m->next_serial};
    uint64_t first;
    base_rc rc = log_append(stream, 0, records, (size_t)n, &info, &first, &err);
    if (rc != BASE_OK) return rc;
    EXPECT_EQ_INT(first, m->end);
    for (int i = 0; i < n; i++) m->serial[first + (uint64_t)i] = m->next_serial++;
    m->end = first + (uint64_t)n;
    return BASE_OK;
}

// Reads all; returns the number of places that were damaged.
static int verify(log_stream *stream, const model *m, uint64_t *missing) {
    log_reader *reader;
    uint64_t next = log_begin(stream, 0);
    int damaged = 0;
    *missing = 0;
    if (log_reader_open(stream, 0, next, &reader, &err) != BASE_OK) {
        fprintf(stderr, "verify: %s\n", err.message);
        test_failures++;
        return -1;
    }
    for (;;) {
        log_batch batch;
        bool end;
        base_rc rc = log_reader_next(reader, &batch, &end, &err);
        if (rc == BASE_E_CORRUPT) {
            uint64_t to;
            damaged++;
            EXPECT(log_reader_skip_damage(reader, &to, &err) == BASE_OK);
            EXPECT(to > next);
            *missing += to - next;
            next = to;
            continue;
        }
        if (rc != BASE_OK) {
            fprintf(stderr, "verify: %s\n", err.message);
            test_failures++;
            break;
        }
        if (end) break;
        EXPECT_EQ_INT(batch.base_offset, next);
        for (uint32_t i = 0; i < batch.count; i++) {
            EXPECT(next < m->end && record_is(log_batch_record(&batch, i), m->serial[next]));
            next++;
        }
        log_reader_release(reader);
    }
    EXPECT_EQ_INT(next, log_end(stream, 0));
    log_reader_close(reader);
    return damaged;
}

// Opens after a crash and checks; the model then takes what survived.
static base_rc reopen(plat *p, log_codec codec, model *m, log_store **store, log_stream **stream) {
    log_stream_config config = small_config(codec);
    log_open_report report;
    base_rc rc = log_store_open(p, "data/log", store, &err);
    if (rc != BASE_OK) return rc;
    rc = log_stream_open(*store, BASE_STR("s"), &config, &report, stream, &err);
    if (rc != BASE_OK) {
        log_store_close(*store);
        return rc;
    }
    uint64_t end = log_end(*stream, 0);
    EXPECT(end >= m->acknowledged);
    EXPECT(end <= m->end);
    EXPECT(log_begin(*stream, 0) <= m->begin);
    uint64_t missing, left = calls_left;
    calls_left = UINT64_MAX; // looking is not part of the run
    EXPECT_EQ_INT(verify(*stream, m, &missing), 0);
    calls_left = left;
    m->end = m->acknowledged = end;
    return BASE_OK;
}

// Appends and syncs until done or the first error. True if it came to its end.
static bool work(log_stream *stream, model *m, base_random *random, int steps) {
    for (int i = 0; i < steps && m->end + 8 < RECORDS_MAX; i++) {
        int appends = 1 + (int)base_random_below(random, 3);
        for (int k = 0; k < appends; k++) {
            if (append_some(stream, m, 1 + (int)base_random_below(random, 8)) != BASE_OK) {
                return false;
            }
        }
        if (base_random_below(random, 4) > 0) {
            if (log_sync(stream, 0, &err) != BASE_OK) return false;
            m->acknowledged = m->end;
        }
        if (base_random_below(random, 8) == 0) {
            uint64_t keep = m->acknowledged > 60 ? m->acknowledged - 60 : 0;
            base_rc rc = log_retain(stream, 0, INT64_MAX, keep, NULL, &err);
            m->begin = log_begin(stream, 0);
            if (rc != BASE_OK) return false;
        }
    }
    return true;
}

// One life after another: work, die at a given call, lose what was not synced, start again.
static bool crash_run(uint64_t seed, uint64_t die_at, int lives, log_codec codec) {
    static model m;
    m = (model){0};
    base_random random;
    base_random_seed(&random, seed);
    plat_sim *sim = plat_sim_create(seed);
    plat *p = dying_plat(sim);
    log_store *store = NULL;
    log_stream *stream;
    log_stream_config config = small_config(codec);
    config.retention_us = 1;
    calls_left = die_at;
    bool created = log_store_open(p, "data/log", &store, &err) == BASE_OK;
    if (created && log_stream_create(store, BASE_STR("s"), &config, &stream, &err) != BASE_OK) {
        log_store_close(store);
        created = false;
    }
    bool done = created && work(stream, &m, &random, 25);
    bool survived = done;
    if (created) {
        if (done && die_at == UINT64_MAX) calls_left = UINT64_MAX;
        if (done) calls_left = UINT64_MAX; // it came to its end alive: closing is part of the run
        log_store_close(store);
    }
    for (int life = 0; life < lives; life++) {
        plat_sim_crash(sim);
        calls_left = UINT64_MAX;
        if (life + 1 < lives) calls_left = 1 + base_random_below(&random, 120);
        bool exists = false;
        EXPECT(plat_sim_plat(sim)->ops->exists(p, "data/log/s/stream.json", &exists, &(bool){0},
                                               &err) == BASE_OK);
        if (!exists) {
            EXPECT_EQ_INT(m.acknowledged, 0);
            m = (model){.next_serial = m.next_serial};
            if (log_store_open(p, "data/log", &store, &err) != BASE_OK) continue;
            if (log_stream_create(store, BASE_STR("s"), &config, &stream, &err) != BASE_OK) {
                log_store_close(store);
                continue;
            }
        } else if (reopen(p, codec, &m, &store, &stream) != BASE_OK) {
            EXPECT(calls_left == 0); // nothing but death may keep the log from opening
            if (calls_left != 0) fprintf(stderr, "reopen: %s\n", err.message);
            continue;
        }
        bool well = work(stream, &m, &random, 10);
        if (calls_left == UINT64_MAX) {
            EXPECT(well);
            uint64_t missing;
            if (well) EXPECT(log_sync(stream, 0, &err) == BASE_OK);
            m.acknowledged = m.end;
            EXPECT_EQ_INT(log_end(stream, 0), m.end);
            EXPECT_EQ_INT(verify(stream, &m, &missing), 0);
        }
        log_store_close(store);
    }
    plat_sim_destroy(sim);
    return survived;
}

TEST(crash_at_every_call) {
    for (int codec = 0; codec < 3; codec++) {
        bool survived = false;
        uint64_t at;
        for (at = 1; !survived && at < 2000; at++) {
            int before = test_failures;
            survived = crash_run(7 + (uint64_t)codec, at, 2, (log_codec)codec);
            if (test_failures != before) {
                fprintf(stderr, "codec %d, died at call %" PRIu64 "\n", codec, at);
                return;
            }
        }
        EXPECT(survived && at > 60);
    }
}

TEST(crash_seeds) {
    for (uint64_t seed = 1; seed <= 400; seed++) {
        int before = test_failures;
        crash_run(seed, 20 + seed % 150, 6, (log_codec)(seed % 3));
        if (test_failures != before) {
            fprintf(stderr, "seed %" PRIu64 "\n", seed);
            return;
        }
    }
}

// ---- damage ----

typedef struct place {
    char path[128];
    uint64_t size;
} place;

typedef struct fixture {
    plat_sim *sim;
    plat *p;
    log_store *store;
    log_stream *stream;
    model m;
    place files[64];
    int file_count;
} fixture;

static base_rc visit_file(void *arg, const plat_dir_entry *entry) {
    fixture *f = arg;
    must(f->file_count < 64);
    snprintf(f->files[f->file_count++].path, sizeof f->files[0].path, "data/log/s/0/%s",
             entry->name);
    return BASE_OK;
}

static void list_files(fixture *f) {
    f->file_count = 0;
    must(f->p->ops->list_dir(f->p, "data/log/s/0", visit_file, f, &err) == BASE_OK);
    for (int i = 0; i < f->file_count; i++) {
        plat_file *file;
        must(plat_open(f->p, f->files[i].path, PLAT_OPEN_READ, &file, &err) == BASE_OK);
        must(plat_size(file, &f->files[i].size, &err) == BASE_OK);
        plat_close(file);
    }
}

static const place *last_segment_file(const fixture *f) {
    for (int i = f->file_count - 1; i >= 0; i--) {
        if (strstr(f->files[i].path, ".seg") != NULL) return &f->files[i];
    }
    return NULL;
}

// A stream of `appends` single-record batches, each synced.
static void fixture_init(fixture *f, uint64_t seed, int appends, uint64_t segment_bytes,
                         bool close) {
    *f = (fixture){.sim = plat_sim_create(seed)};
    f->p = plat_sim_plat(f->sim);
    log_stream_config config = small_config(LOG_CODEC_NONE);
    config.segment_bytes = segment_bytes;
    must(log_store_open(f->p, "data/log", &f->store, &err) == BASE_OK);
    must(log_stream_create(f->store, BASE_STR("s"), &config, &f->stream, &err) == BASE_OK);
    for (int i = 0; i < appends; i++) {
        must(append_some(f->stream, &f->m, 1) == BASE_OK);
        must(log_sync(f->stream, 0, &err) == BASE_OK);
        f->m.acknowledged = f->m.end;
    }
    if (!close) plat_sim_crash(f->sim);
    log_store_close(f->store); // after a crash it can do nothing any more
    f->store = NULL;
    list_files(f);
}

static base_rc fixture_open(fixture *f, log_open_report *report) {
    log_stream_config config = small_config(LOG_CODEC_NONE);
    base_rc rc = log_store_open(f->p, "data/log", &f->store, &err);
    if (rc != BASE_OK) return rc;
    rc = log_stream_open(f->store, BASE_STR("s"), &config, report, &f->stream, &err);
    if (rc != BASE_OK) {
        log_store_close(f->store);
        f->store = NULL;
    }
    return rc;
}

static void fixture_deinit(fixture *f) {
    log_store_close(f->store);
    plat_sim_destroy(f->sim);
}

// Byte position of the payload of the record at offset, found by its text.
static uint64_t find_text(fixture *f, const place *file, uint64_t serial) {
    base_buf bytes = {0};
    char text[1024];
    int n = record_text(serial, text);
    must(plat_read_file(f->p, file->path, 1 << 24, &bytes, &err) == BASE_OK);
    const char *at = memmem(bytes.p, bytes.n, text, (size_t)n);
    uint64_t position = at == NULL ? UINT64_MAX : (uint64_t)(at - bytes.p);
    base_buf_deinit(&bytes);
    return position;
}

// Damage to an acknowledged record in the last segment: kept, said, and only that record is
// missing.
static void damage_in_last_segment(uint64_t victim, int appends, bool close, int64_t at) {
    static fixture f;
    fixture_init(&f, victim + 1, appends, 1 << 20, close);
    const place *file = last_segment_file(&f);
    uint64_t position = find_text(&f, file, victim);
    REQUIRE(position != UINT64_MAX);
    plat_sim_flip_bit(f.sim, file->path, (position + (uint64_t)at) * 8);
    log_open_report report;
    REQUIRE_OK(fixture_open(&f, &report));
    EXPECT_EQ_INT(report.torn_bytes, 0);
    EXPECT_EQ_INT(log_end(f.stream, 0), appends);
    uint64_t missing;
    EXPECT_EQ_INT(verify(f.stream, &f.m, &missing), 1);
    EXPECT_EQ_INT(missing, 1);
    // Appends go behind it, and stay there.
    EXPECT(append_some(f.stream, &f.m, 3) == BASE_OK);
    REQUIRE_OK(log_sync(f.stream, 0, &err));
    for (int i = 0; i < 2; i++) {
        EXPECT_EQ_INT(log_end(f.stream, 0), appends + 3);
        EXPECT_EQ_INT(verify(f.stream, &f.m, &missing), 1);
        EXPECT_EQ_INT(missing, 1);
        // A reader can be opened at any offset; inside the damage it is told so.
        for (uint64_t from = 0; from < f.m.end; from++) {
            log_reader *reader;
            log_batch batch;
            bool end;
            REQUIRE_OK(log_reader_open(f.stream, 0, from, &reader, &err));
            base_rc rc = log_reader_next(reader, &batch, &end, &err);
            EXPECT_EQ_INT(rc, from == victim ? BASE_E_CORRUPT : BASE_OK);
            if (from == victim) EXPECT(strstr(err.message, file->path) != NULL);
            log_reader_close(reader);
        }
        if (i == 1) break;
        log_store_close(f.store);
        REQUIRE_OK(fixture_open(&f, &report));
    }
    fixture_deinit(&f);
}

TEST(damaged_payload) {
    damage_in_last_segment(3, 40, true, 5);
    damage_in_last_segment(3, 40, false, 5);
    damage_in_last_segment(38, 40, false, 5);
}
TEST(damaged_batch_header) {
    damage_in_last_segment(10, 40, true, -60);
    damage_in_last_segment(10, 40, false, -60);
    damage_in_last_segment(0, 40, false, -60);
}
TEST(damaged_last_record_after_clean_close) {
    damage_in_last_segment(39, 40, true, 2);
    damage_in_last_segment(39, 40, true, -60);
    damage_in_last_segment(0, 1, true, 2);
}

TEST(torn_tail) {
    static fixture f;
    for (int length = 1; length < 400; length += 13) {
        fixture_init(&f, 5, 10, 1 << 20, false);
        // What a write that was under way leaves: the beginning of a batch.
        const place *file = last_segment_file(&f);
        plat_file *handle;
        base_buf bytes = {0};
        REQUIRE_OK(plat_read_file(f.p, file->path, 1 << 24, &bytes, &err));
        uint64_t end = bytes.n;
        while (end > 0 && bytes.p[end - 1] == 0) end--;
        end = (end + 7) / 8 * 8;
        REQUIRE_OK(plat_open(f.p, file->path, PLAT_OPEN_READ | PLAT_OPEN_WRITE, &handle, &err));
        REQUIRE_OK(plat_write_at(handle, bytes.p + 64, (size_t)length, end, &err));
        REQUIRE_OK(plat_sync(handle, &err));
        plat_close(handle);
        base_buf_deinit(&bytes);
        log_open_report report;
        REQUIRE_OK(fixture_open(&f, &report));
        EXPECT_EQ_INT(report.torn_segments, 1);
        EXPECT(report.torn_bytes > 0 && report.torn_bytes <= (uint64_t)length);
        EXPECT(strstr(report.text, "torn tail") != NULL);
        EXPECT_EQ_INT(log_end(f.stream, 0), 10);
        uint64_t missing;
        EXPECT_EQ_INT(verify(f.stream, &f.m, &missing), 0);
        EXPECT(append_some(f.stream, &f.m, 2) == BASE_OK);
        REQUIRE_OK(log_sync(f.stream, 0, &err));
        EXPECT_EQ_INT(verify(f.stream, &f.m, &missing), 0);
        log_store_close(f.store);
        REQUIRE_OK(fixture_open(&f, &report)); // and it is said once
        EXPECT_EQ_STR(report.text, "");
        EXPECT_EQ_INT(verify(f.stream, &f.m, &missing), 0);
        fixture_deinit(&f);
    }
}

// Any one bit of any file: the log opens or says CORRUPT; what reads well is right; only what the
// bit touched is missing; nothing acknowledged vanishes without a word.
TEST(any_bit) {
    static fixture f;
    base_random random;
    base_random_seed(&random, 11);
    int refused = 0, damaged = 0, clean = 0;
    for (int trial = 0; trial < 1500; trial++) {
        int before = test_failures;
        fixture_init(&f, (uint64_t)trial + 1, 60, 4096, trial % 2 == 0);
        const place *file;
        do { // a crash may have left an index empty
            file = &f.files[base_random_below(&random, (uint64_t)f.file_count)];
        } while (file->size == 0);
        uint64_t bit = base_random_below(&random, file->size * 8);
        if (trial % 3 == 0) bit = base_random_below(&random, 128 * 8);
        if (bit >= file->size * 8) bit = 0;
        plat_sim_flip_bit(f.sim, file->path, bit);
        log_open_report report;
        base_rc rc = fixture_open(&f, &report);
        if (rc != BASE_OK) {
            EXPECT_EQ_INT(rc, BASE_E_CORRUPT);
            EXPECT(strstr(err.message, file->path) != NULL);
            refused++;
        } else {
            uint64_t missing, end = log_end(f.stream, 0);
            int places = verify(f.stream, &f.m, &missing);
            EXPECT(end == 60 || (report.torn_segments == 1 && end == 59));
            EXPECT(places <= 1);
            EXPECT(missing == 0 || places == 1);
            damaged += places;
            clean += places == 0;
            EXPECT(strstr(file->path, ".seg") != NULL || (places == 0 && end == 60));
        }
        if (test_failures != before) {
            fprintf(stderr, "trial %d: bit %" PRIu64 " of %s\n", trial, bit, file->path);
            return;
        }
        fixture_deinit(&f);
    }
    EXPECT(refused > 5 && damaged > 100 && clean > 100);
}

TEST(missing_segment) {
    static fixture f;
    fixture_init(&f, 3, 60, 4096, true);
    REQUIRE(f.file_count > 6);
    const char *path = f.files[2].path; // the second segment's index or data
    if (strstr(path, ".idx") != NULL) path = f.files[3].path;
    REQUIRE_OK(f.p->ops->remove(f.p, path, &err));
    log_open_report report;
    REQUIRE_OK(fixture_open(&f, &report));
    EXPECT(strstr(report.text, "missing") != NULL);
    uint64_t missing;
    EXPECT_EQ_INT(verify(f.stream, &f.m, &missing), 1);
    EXPECT(missing > 0 && missing < 60);
    EXPECT_EQ_INT(log_end(f.stream, 0), 60);
    fixture_deinit(&f);
}

// Someone logs the bytes of another segment: behind damage, none of its batches may pass for one of
// the log's own.
TEST(payload_that_looks_like_batches) {
    static fixture f;
    fixture_init(&f, 4, 30, 1 << 20, true);
    base_buf foreign = {0}, now = {0};
    base_buf_add_cstr(&foreign, "look"); // a payload begins 4 bytes off the alignment of batches
    REQUIRE_OK(plat_read_file(f.p, last_segment_file(&f)->path, 1 << 20, &foreign, &err));
    // Those from offset 20 on, so that a look-alike shows by its offset.
    uint64_t cut = find_text(&f, last_segment_file(&f), 20) - 88 - 4;
    REQUIRE(cut % 8 == 0 && cut < foreign.n);
    memmove(foreign.p + 4, foreign.p + 4 + cut, foreign.n - 4 - cut);
    foreign.n -= cut;
    fixture_deinit(&f);

    fixture_init(&f, 5, 8, 1 << 20, true);
    log_open_report report;
    REQUIRE_OK(fixture_open(&f, &report));
    log_stream_config large = small_config(LOG_CODEC_NONE);
    large.segment_bytes = 1 << 20; // both go into the segment that is there
    REQUIRE_OK(log_stream_open(f.store, BASE_STR("s"), &large, NULL, &f.stream, &err));
    log_record records[2] = {{base_buf_str(&foreign), {NULL, 0}}, {BASE_STR("after"), {NULL, 0}}};
    log_batch_info info = {0};
    for (int i = 0; i < 2; i++) {
        REQUIRE_OK(log_append(f.stream, 0, &records[i], 1, &info, NULL, &err));
        REQUIRE_OK(log_sync(f.stream, 0, &err));
    }
    log_store_close(f.store);
    list_files(&f);
    const place *file = f.files;
    const char *look = NULL;
    for (int i = 0; i < f.file_count && look == NULL; i++) {
        file = &f.files[i];
        base_buf_clear(&now);
        REQUIRE_OK(plat_read_file(f.p, file->path, 1 << 20, &now, &err));
        look = memmem(now.p, now.n, "look", 4);
    }
    REQUIRE(look != NULL && (look - now.p) % 8 == 4);
    plat_sim_flip_bit(f.sim, file->path, (uint64_t)(look - now.p - 60) * 8);
    REQUIRE_OK(fixture_open(&f, &report));
    EXPECT_EQ_INT(log_end(f.stream, 0), 10);
    uint64_t next;
    log_reader *reader;
    log_batch batch;
    bool end;
    REQUIRE_OK(log_reader_open(f.stream, 0, 8, &reader, &err));
    EXPECT_EQ_INT(log_reader_next(reader, &batch, &end, &err), BASE_E_CORRUPT);
    REQUIRE_OK(log_reader_skip_damage(reader, &next, &err));
    EXPECT_EQ_INT(next, 9);
    REQUIRE_OK(log_reader_next(reader, &batch, &end, &err));
    REQUIRE(!end);
    EXPECT(base_str_eq(log_batch_record(&batch, 0), BASE_STR("after")));
    log_reader_close(reader);
    base_buf_deinit(&now);
    base_buf_deinit(&foreign);
    fixture_deinit(&f);
}

TEST_MAIN(TEST_ENTRY(payload_that_looks_like_batches), TEST_ENTRY(crash_at_every_call),
          TEST_ENTRY(crash_seeds), TEST_ENTRY(damaged_payload), TEST_ENTRY(damaged_batch_header),
          TEST_ENTRY(damaged_last_record_after_clean_close), TEST_ENTRY(torn_tail),
          TEST_ENTRY(any_bit), TEST_ENTRY(missing_segment))
