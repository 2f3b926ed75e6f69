// bench_log.c - the log alone: append with a sync after each event from 1 and 8 threads, append in
// batches, read. Usage: bench_log [directory] [seconds per measurement]. Prints one line each.
#include "base/must.h"
#include "log/log.h"
#include "plat/thread.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum { EVENT_BYTES = 231, BATCH_RECORDS = 4000 };

static char event[EVENT_BYTES];
static const log_batch_info info = {.event_us_min = INT64_MIN, .event_us_max = INT64_MIN};
static atomic_bool stop;

static void need(base_rc rc, const base_error *err) {
    if (rc == BASE_OK) return;
    fprintf(stderr, "bench_log: %s\n", err->message);
    exit(1);
}

static double now_s(void) {
    return (double)plat_monotonic_ns(plat_os()) / 1e9;
}

typedef struct worker {
    log_stream *stream;
    uint64_t events;
    double seconds_max;
} worker;

static void *run_single(void *arg) {
    worker *w = arg;
    base_error err;
    log_record record = {{event, EVENT_BYTES}, {NULL, 0}};
    while (!atomic_load(&stop)) {
        double start = now_s();
        need(log_append(w->stream, 0, &record, 1, &info, NULL, &err), &err);
        need(log_sync(w->stream, 0, &err), &err);
        double took = now_s() - start;
        if (took > w->seconds_max) w->seconds_max = took;
        w->events++;
    }
    return NULL;
}

static void bench_single(log_stream *stream, int threads, double seconds) {
    enum { THREADS_MAX = 64 };
    worker workers[THREADS_MAX] = {{0}};
    plat_thread handles[THREADS_MAX];
    must(threads <= THREADS_MAX);
    atomic_store(&stop, false);
    double start = now_s();
    for (int i = 0; i < threads; i++) {
        workers[i].stream = stream;
        plat_thread_start(&handles[i], "bench", run_single, &workers[i]);
    }
    plat_sleep_us((int64_t)(seconds * 1e6));
    atomic_store(&stop, true);
    uint64_t events = 0;
    double worst = 0;
    for (int i = 0; i < threads; i++) {
        plat_thread_join(handles[i]);
        events += workers[i].events;
        if (workers[i].seconds_max > worst) worst = workers[i].seconds_max;
    }
    double took = now_s() - start;
    printf("append+sync of one event, %2d threads: %8.0f events/s, mean %.3f ms, worst %.1f ms\n",
           threads, (double)events / took, took * threads * 1e3 / (double)events, worst * 1e3);
}

static void bench_batches(log_stream *stream, double seconds, const char *codec) {
    static log_record records[BATCH_RECORDS];
    base_error err;
    for (int i = 0; i < BATCH_RECORDS; i++) records[i].payload = (base_str){event, EVENT_BYTES};
    uint64_t events = 0;
    double start = now_s();
    while (now_s() - start < seconds) {
        need(log_append(stream, 0, records, BATCH_RECORDS, &info, NULL, &err), &err);
        need(log_sync(stream, 0, &err), &err);
        events += BATCH_RECORDS;
    }
    double took = now_s() - start;
    printf("append+sync of %d events, %s: %8.0f events/s, %.0f MB/s\n", BATCH_RECORDS, codec,
           (double)events / took, (double)events * EVENT_BYTES / took / 1e6);
}

static void bench_read(log_stream *stream, const char *codec) {
    base_error err;
    uint64_t bytes = 0, records = 0;
    double best = 1e9;
    for (int pass = 0; pass < 3; pass++) {
        log_reader *reader;
        double start = now_s();
        bytes = records = 0;
        need(log_reader_open(stream, 0, log_begin(stream, 0), &reader, &err), &err);
        for (;;) {
            log_batch batch;
            bool end;
            need(log_reader_next(reader, &batch, &end, &err), &err);
            if (end) break;
            bytes += batch.payload_bytes;
            records += batch.count;
            log_reader_release(reader);
        }
        log_reader_close(reader);
        if (now_s() - start < best) best = now_s() - start;
    }
    printf("read, %s: %.0f MB in %.1f ms, %.0f MB/s, %.1f million records/s\n", codec,
           (double)bytes / 1e6, best * 1e3, (double)bytes / best / 1e6,
           (double)records / best / 1e6);
}

int main(int argc, char **argv) {
    char dir[512];
    base_error err;
    log_store *store;
    log_stream *plain, *zstd;
    double seconds = argc > 2 ? atof(argv[2]) : 1;
    snprintf(dir, sizeof dir, "%s/bench-log-%llu", argc > 1 ? argv[1] : "/tmp",
             (unsigned long long)plat_os()->ops->random_u64(plat_os()));
    int n = snprintf(event, sizeof event, "{\"order_id\":123456,\"store_id\":17,\"note\":\"");
    for (; n < EVENT_BYTES - 2; n++) event[n] = (char)('a' + n * 7 % 26);
    memcpy(event + EVENT_BYTES - 2, "\"}", 2);

    log_stream_config config = {.partitions = 1};
    need(log_store_open(plat_os(), dir, &store, &err), &err);
    need(log_stream_create(store, BASE_STR("plain"), &config, &plain, &err), &err);
    config.codec = LOG_CODEC_ZSTD;
    need(log_stream_create(store, BASE_STR("zstd"), &config, &zstd, &err), &err);
    bench_single(plain, 1, seconds);
    bench_single(plain, 8, seconds);
    bench_single(plain, 32, seconds);
    bench_batches(plain, seconds, "plain");
    bench_batches(zstd, seconds, "zstd");
    bench_read(plain, "plain");
    bench_read(zstd, "zstd");
    log_store_close(store);
    double start = now_s();
    need(log_store_open(plat_os(), dir, &store, &err), &err);
    need(log_stream_open(store, BASE_STR("plain"), NULL, NULL, &plain, &err), &err);
    printf("open of %.0f MB: %.1f ms\n", (double)log_bytes(plain, 0) / 1e6,
           (now_s() - start) * 1e3);
    log_store_close(store);
    need(plat_remove_tree(plat_os(), dir, &err), &err);
    return 0;
}
