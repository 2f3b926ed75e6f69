// disorder.h - how late the events of a partition come, measured: of each, by how much its time is
// below the greatest one seen before, in the order of the log. Kept as a histogram of logarithmic
// buckets whose weights decay: when what it holds weighs as much as 2^18 records, everything is
// halved, so that a share is of the last 2^17 to 2^18 records, the newest counting most.
//
// A bucket's bounds differ by at most 1/16 of its value, and shares are told by upper bounds: a
// delay is never less than what was asked for, and at most 6.25% more. Counts are fixed-point
// integers, so that the same log gives the same bytes everywhere. A state of a flow's store, saved
// with its cursor (docs/formats.md). Owner: who made it. Threads: one at a time. Source: the
// buckets of HdrHistogram; forward decay by halving.
#ifndef WEIR_ENGINE_DISORDER_H
#define WEIR_ENGINE_DISORDER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

#define ENGINE_DISORDER_BUCKETS 960u
#define ENGINE_DISORDER_STARTUP 1000u // records that a percentile is not told before

typedef struct engine_disorder {
    uint64_t records; // measured since the stream began
    uint64_t behind;  // of them, those below the greatest time before them
    int64_t most_us;  // the greatest disorder ever
    uint64_t weight;  // sum of counts
    uint32_t counts[ENGINE_DISORDER_BUCKETS];
    // Of a learnt watermark: the delay that holds now, and how many records until it is told anew.
    int64_t delay_us;
    uint32_t until_told;
    uint32_t rule; // the number of the rule that it was told by (rules.h)
    bool changed;  // since it was saved
} engine_disorder;

static inline uint32_t engine_disorder_bucket(int64_t us) {
    uint64_t v = us <= 0 ? 0 : (uint64_t)us;
    if (v < 16) return (uint32_t)v;
    uint32_t e = 63u - (uint32_t)__builtin_clzll(v);
    return (e - 3) * 16 + (uint32_t)(v >> (e - 4) & 15);
}
int64_t engine_disorder_bound(uint32_t bucket); // the greatest value in a bucket

// One record, `us` microseconds behind the greatest before it (0: at or after it).
void engine_disorder_halve(engine_disorder *d);
static inline void engine_disorder_add(engine_disorder *d, int64_t us) {
    d->records++;
    if (us > 0) d->behind++;
    if (us > d->most_us) d->most_us = us;
    d->counts[engine_disorder_bucket(us)] += 256;
    d->weight += 256;
    d->changed = true;
    if (d->weight >= 256ull << 18) engine_disorder_halve(d);
}
// The delay that `share` (0 to 1) of the records keep: an upper bound of their disorder, no more
// than the greatest ever seen; 0 if there are none.
int64_t engine_disorder_delay(const engine_disorder *d, double share);

// Stored form.
void engine_disorder_encode(const engine_disorder *d, base_buf *buf);
bool engine_disorder_decode(engine_disorder *d, base_str bytes); // false: damaged

#endif
