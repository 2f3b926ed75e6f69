// bench_histogram.c - a histogram of latencies with a bounded relative error, as HdrHistogram has
// it: values below 64 have a bucket each; above, each power of two is divided in 64.
// Entry points: bench_histogram_add, bench_histogram_at.

#include "base/must.h"
#include "cli/bench.h"

#define SUBS (1u << BENCH_SUB_BITS)

static size_t bucket_of(uint64_t us) {
    if (us < SUBS) return us;
    unsigned top = 63 - (unsigned)__builtin_clzll(us); // >= BENCH_SUB_BITS
    unsigned shift = top - BENCH_SUB_BITS;
    size_t bucket = (size_t)(shift + 1) * SUBS + ((us >> shift) & (SUBS - 1));
    return bucket < BENCH_BUCKETS ? bucket : BENCH_BUCKETS - 1;
}

static uint64_t bucket_end(size_t bucket) {
    if (bucket < SUBS) return bucket;
    unsigned shift = (unsigned)(bucket / SUBS) - 1;
    return ((uint64_t)(SUBS + bucket % SUBS + 1) << shift) - 1;
}

void bench_histogram_add(bench_histogram *h, uint64_t us, uint64_t n) {
    h->counts[bucket_of(us)] += n;
    h->n += n;
    if (us > h->max) h->max = us;
}

void bench_histogram_merge(bench_histogram *h, const bench_histogram *more) {
    for (size_t i = 0; i < BENCH_BUCKETS; i++) h->counts[i] += more->counts[i];
    h->n += more->n;
    if (more->max > h->max) h->max = more->max;
}

uint64_t bench_histogram_at(const bench_histogram *h, double share) {
    uint64_t wanted = (uint64_t)((double)h->n * share), seen = 0;
    for (size_t i = 0; i < BENCH_BUCKETS; i++) {
        seen += h->counts[i];
        if (h->counts[i] > 0 && seen > wanted)
            return bucket_end(i) < h->max ? bucket_end(i) : h->max;
    }
    return h->max;
}
