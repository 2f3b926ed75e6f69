// test_log_mapping.c - readers look at no byte beyond a mapping: here each mapping ends before a
// page that faults, so that a look beyond it ends the test.
#include "test.h"

#include "base/must.h"
#include "log/log.h"
#include "log/log_int.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static base_error err;

// ---- the operating system's files, with a guard page behind each mapping
// -------------------------

typedef struct guard_file {
    plat_file base;
    plat_file *inner;
    char *path;
} guard_file;

static plat_file *inner(plat_file *file) {
    return ((guard_file *)file)->inner;
}

static base_rc guard_open(plat *p, const char *path, int flags, plat_file **out, base_error *e) {
    plat_file *file;
    base_rc rc = plat_open(plat_os(), path, flags, &file, e);
    if (rc != BASE_OK) return rc;
    guard_file *guard = malloc(sizeof *guard);
    must(guard != NULL);
    *guard = (guard_file){{p}, file, strdup(path)};
    *out = &guard->base;
    return BASE_OK;
}

static void guard_close(plat_file *file) {
    plat_close(inner(file));
    free(((guard_file *)file)->path);
    free(file);
}

static base_rc guard_read_at(plat_file *file, void *to, size_t n, uint64_t offset, size_t *got,
                             base_error *e) {
    return plat_read_at(inner(file), to, n, offset, got, e);
}

static base_rc guard_write_at(plat_file *file, const void *from, size_t n, uint64_t offset,
                              base_error *e) {
    return plat_write_at(inner(file), from, n, offset, e);
}

static base_rc guard_sync(plat_file *file, base_error *e) {
    return plat_sync(inner(file), e);
}

static base_rc guard_allocate(plat_file *file, uint64_t size, base_error *e) {
    return plat_allocate(inner(file), size, e);
}

static base_rc guard_truncate(plat_file *file, uint64_t size, base_error *e) {
    return plat_truncate(inner(file), size, e);
}

static base_rc guard_size(plat_file *file, uint64_t *size, base_error *e) {
    return plat_size(inner(file), size, e);
}

static base_rc guard_map(plat_file *file, size_t n, const char **out, base_error *e) {
    (void)e;
    must(n % LOG_SEGMENT_PAGE == 0); // else the rest of the last page could be looked at
    int fd = open(((guard_file *)file)->path, O_RDONLY);
    must(fd >= 0);
    char *at = mmap(NULL, n + LOG_SEGMENT_PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    must(at != MAP_FAILED);
    must(mmap(at, n, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0) == at);
    close(fd);
    *out = at;
    return BASE_OK;
}

static void guard_unmap(plat *p, const char *mapped, size_t n) {
    (void)p;
    must(munmap((void *)(uintptr_t)mapped, n + LOG_SEGMENT_PAGE) == 0);
}

static plat *guarded(void) {
    static plat_ops ops;
    static plat p = {&ops};
    ops = *plat_os()->ops;
    ops.open = guard_open;
    ops.close = guard_close;
    ops.read_at = guard_read_at;
    ops.write_at = guard_write_at;
    ops.sync = guard_sync;
    ops.allocate = guard_allocate;
    ops.truncate = guard_truncate;
    ops.size = guard_size;
    ops.map = guard_map;
    ops.unmap = guard_unmap;
    return &p;
}

// ---- a log with a batch that ends where a mapping does
// -------------------------------------------

typedef struct fixture {
    char dir[32];
    log_store *store;
    log_stream *stream;
    log_reader *reader;
} fixture;

static void append(fixture *f, size_t bytes) {
    char *text = malloc(bytes);
    must(text != NULL);
    memset(text, 'x', bytes);
    log_record record = {.payload = {text, bytes}};
    log_batch_info info = {.append_us = 1};
    uint64_t offset;
    must(log_append(f->stream, 0, &record, 1, &info, &offset, &err) == BASE_OK);
    must(log_sync(f->stream, 0, &err) == BASE_OK);
    free(text);
}

// Reads a record of so many bytes and, as decoders do, looks past it.
static void read_one(fixture *f, size_t bytes) {
    log_batch batch;
    bool end;
    REQUIRE_OK(log_reader_next(f->reader, &batch, &end, &err));
    REQUIRE(!end);
    EXPECT_EQ_INT(batch.payload_bytes, bytes);
    volatile char sum = 0;
    for (size_t i = 0; i < LOG_READ_PADDING; i++) sum += batch.payload[bytes + i];
    (void)sum;
    log_reader_release(f->reader);
}

// A reader has mapped the segment as it was first allocated. Returns the size of a record whose
// batch ends `before` bytes before the end of that mapping.
static size_t begin(fixture *f, uint64_t before) {
    *f = (fixture){.dir = "/tmp/weir-test-log-XXXXXX"};
    must(mkdtemp(f->dir) != NULL);
    log_stream_config config = {.partitions = 1, .segment_bytes = 2 * LOG_ALLOCATE_BYTES_MIN};
    must(log_store_open(guarded(), f->dir, &f->store, &err) == BASE_OK);
    must(log_stream_create(f->store, BASE_STR("s"), &config, &f->stream, &err) == BASE_OK);
    append(f, 4);
    must(log_reader_open(f->stream, 0, 0, &f->reader, &err) == BASE_OK);
    read_one(f, 4);
    const log_partition *p = log_stream_partition(f->stream, 0);
    must(p->segments[0]->mapping->n == LOG_ALLOCATE_BYTES_MIN && before % LOG_BATCH_ALIGN == 0);
    return p->segments[0]->mapping->n - before - p->end_position - sizeof(log_batch_header) -
           sizeof(uint32_t); // where the record ends, in the batch
}

static void finish(fixture *f) {
    log_reader_close(f->reader);
    log_store_close(f->store);
    EXPECT(plat_remove_tree(plat_os(), f->dir, &err) == BASE_OK);
}

#define BEFORE_MAX (2 * LOG_SEGMENT_SLACK)

TEST(a_batch_at_the_end_of_a_mapping_of_a_segment_that_grew) {
    for (uint64_t before = 0; before <= BEFORE_MAX; before += LOG_BATCH_ALIGN) {
        fixture f;
        size_t bytes = begin(&f, before);
        append(&f, bytes);
        read_one(&f, bytes);
        append(&f, 4);
        read_one(&f, 4);
        finish(&f);
    }
}

TEST(a_batch_at_the_end_of_a_mapping_of_a_segment_that_was_sealed) {
    for (uint64_t before = 0; before <= BEFORE_MAX; before += LOG_BATCH_ALIGN) {
        fixture f;
        size_t bytes = begin(&f, before), more = LOG_ALLOCATE_BYTES_MIN + BEFORE_MAX;
        append(&f, bytes);
        append(&f, more);
        EXPECT_EQ_INT(log_stream_partition(f.stream, 0)->segment_count, 2);
        read_one(&f, bytes);
        read_one(&f, more);
        finish(&f);
    }
}

TEST_MAIN(TEST_ENTRY(a_batch_at_the_end_of_a_mapping_of_a_segment_that_grew),
          TEST_ENTRY(a_batch_at_the_end_of_a_mapping_of_a_segment_that_was_sealed))
