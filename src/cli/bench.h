// bench.h - what the files of `weir bench` share: events, measured engines, latencies.
// Internal to src/cli.
#ifndef WEIR_CLI_BENCH_H
#define WEIR_CLI_BENCH_H

#include <stdatomic.h>

#include "cli/cli.h"
#include "plat/thread.h"

#define BENCH_ROUNDS_MAX 99

typedef struct bench_options {
    uint64_t events;      // of a throughput bench
    uint32_t keys;        // distinct values of the grouping key
    uint32_t event_bytes; // of throughput benches
    uint32_t rounds, cores;
    uint32_t per_second; // events of one second of event time
    uint64_t groups;     // memory
    uint32_t seconds, rate, latency_bytes, senders, linger_us;
    const char *queries; // nexmark, scale: names with commas between; NULL: all
    const char *write;   // nexmark: a directory for the events; NULL: measure
    uint64_t seed;
    uint32_t disorder_ms, late, late_ms; // as in nexmark_config
    const char *dir; // where the temporary directory is made; NULL: $TMPDIR or /tmp
} bench_options;

// Wall time says what a user waits for; CPU time of the process says what it costs when others use
// the machine too.
typedef struct bench_time {
    double wall, cpu; // seconds
} bench_time;
bench_time bench_now(void);
bench_time bench_since(bench_time begin);
bench_time bench_median_time(const bench_time *times, size_t n);

// ---- events (bench_events.c) --------------------------------------------------------------------

#define BENCH_EVENT_BYTES_MIN 231
#define BENCH_EVENT_BYTES_MAX 65536

// Event i of the series, as one JSON object of exactly `bytes` bytes: key in [0, keys), at
// `at_us` (microseconds since 2000). Returns its bytes. to has room for bytes + 64.
size_t bench_event(uint64_t i, uint32_t keys, int64_t at_us, uint32_t bytes, char *to);
// The columns of a stream of such events. with_key: PRIMARY KEY (order_id).
void bench_stream_ddl(base_buf *sql, const char *stream, bool with_key);
// The view that is measured: one-minute tumbling count, sum and max by key.
void bench_view_ddl(base_buf *sql, const char *view, const char *stream, const char *refresh);

// ---- engines (bench_engine.c) -------------------------------------------------------------------

typedef struct bench_engine {
    const bench_options *options;
    char *dir; // temporary
    engine *engine;
    engine_config config;
} bench_engine;

BASE_MUST_USE base_rc bench_open(bench_engine *b, const bench_options *options, base_error *err);
// Closes and opens again with another configuration.
BASE_MUST_USE base_rc bench_reopen(bench_engine *b, uint64_t step_bytes, bool no_sync,
                                   uint64_t cache_bytes, base_error *err);
void bench_close(bench_engine *b); // and removes the directory
// The same, between the two: what the flows' stores take on the disk.
uint64_t bench_close_flows(bench_engine *b);
BASE_MUST_USE base_rc bench_sql(bench_engine *b, const char *text, base_error *err);
// The first cell of a query's answer, an integer.
BASE_MUST_USE base_rc bench_number(bench_engine *b, const char *sql, uint64_t *out,
                                   base_error *err);
// Whether a list of names with commas between (NULL: all) has the name.
bool bench_wants(const char *list, const char *name);
// Fills a stream with `events` events from number `first` on. copy: a file that gets the same
// bytes, a line an event (for bench_scan); may be NULL.
BASE_MUST_USE base_rc bench_fill(bench_engine *b, const char *stream, uint64_t first,
                                 uint64_t events, const char *copy, base_error *err);
BASE_MUST_USE base_rc bench_stream(bench_engine *b, const char *stream, bool with_key,
                                   base_error *err); // and its schema, "bench"
// What simdjson alone takes to read three fields of each line of such a file, all of it once and in
// its order, from the page cache through a mapping, as the engine reads its log.
BASE_MUST_USE base_rc bench_scan(const char *path, uint64_t events, bench_time *time,
                                 base_error *err);
// Steps until nothing is left.
BASE_MUST_USE base_rc bench_steps(bench_engine *b, bench_time *time, uint64_t *steps,
                                  base_error *err);
// Makes the view anew in a context (and so a flow) of its own, and measures the steps that bring it
// up to date; checks that it counts all `events`.
BASE_MUST_USE base_rc bench_view_round(bench_engine *b, const char *stream, uint64_t events,
                                       bench_time *time, uint64_t *steps, base_error *err);
double bench_median(double *values, size_t n); // sorts them
uint64_t bench_tree_bytes(const char *path);   // what a tree of files takes on the disk
void bench_peak_reset(void);                   // then bench_peak_bytes is the peak since
uint64_t bench_peak_bytes(void);               // resident memory of this process

// ---- latencies (bench_histogram.c) --------------------------------------------------------------

// Buckets as HdrHistogram's: each power of two divided in 64, so that an error is below 1.6 %.
#define BENCH_SUB_BITS 6
#define BENCH_BUCKETS  (64 * 58)
typedef struct bench_histogram {
    uint64_t counts[BENCH_BUCKETS];
    uint64_t n, max;
} bench_histogram;
void bench_histogram_add(bench_histogram *h, uint64_t us, uint64_t n);
void bench_histogram_merge(bench_histogram *h, const bench_histogram *more);
uint64_t bench_histogram_at(const bench_histogram *h, double share); // upper end of the bucket

BASE_MUST_USE base_rc bench_ledger(const bench_options *options, base_error *err); // bench_ledger.c
BASE_MUST_USE base_rc bench_history(const bench_options *options,
                                    base_error *err);                             // bench_history.c
BASE_MUST_USE base_rc bench_scale(const bench_options *options, base_error *err); // bench_scale.c
// ---- replays beside live load (bench_replay.c) --------------------------------------------------

#define BENCH_REPLAY_DAY    "one day of 30"
#define BENCH_REPLAY_ALL    "all 30 days"
#define BENCH_REPLAY_SLOWLY "all 30 days at 300,000/s"
#define BENCH_PROMOTE       "promotions"

typedef struct bench_replayer {
    engine *engine;
    const char *selection; // BENCH_REPLAY_..., BENCH_PROMOTE
    plat_thread thread;
    atomic_bool stop;
    uint32_t replays;
    uint64_t records;
    double seconds;
    base_rc rc;
    base_error err;
} bench_replayer;

// A stream with 30 days of events and a view of it, in schema "bench", read to the end.
BASE_MUST_USE base_rc bench_history_make(bench_engine *b, const char *refresh, base_error *err);
// Of that view, a version that differs in one of a hundred rows.
BASE_MUST_USE base_rc bench_version_make(bench_engine *b, const char *refresh, base_error *err);
void bench_replayer_start(bench_replayer *r, engine *e, const char *selection);
BASE_MUST_USE base_rc bench_replayer_stop(bench_replayer *r, base_error *err); // and prints

int bench_replay(const bench_options *options);  // bench_latency.c
int bench_latency(const bench_options *options); // bench_latency.c
BASE_MUST_USE base_rc bench_nexmark(const bench_options *options,
                                    base_error *err); // bench_nexmark.c

#endif
