// disorder.c - the histogram of disorder.h. Entry points: engine_disorder_add,
// engine_disorder_delay.
#include "engine/finality/disorder.h"

#include <math.h>
#include <string.h>

#include "base/must.h"

int64_t engine_disorder_bound(uint32_t bucket) {
    if (bucket < 16) return (int64_t)bucket;
    uint32_t e = bucket / 16 + 3, m = bucket % 16;
    return (int64_t)(((uint64_t)(16 + m + 1) << (e - 4)) - 1);
}

void engine_disorder_halve(engine_disorder *d) {
    d->weight = 0;
    for (uint32_t i = 0; i < ENGINE_DISORDER_BUCKETS; i++) {
        d->counts[i] /= 2;
        d->weight += d->counts[i];
    }
}

int64_t engine_disorder_delay(const engine_disorder *d, double share) {
    if (d->weight == 0) return 0;
    // Rounded up: a record too many is on time, none too few.
    double wanted = ceil(share * (double)d->weight);
    uint64_t want = wanted >= (double)d->weight ? d->weight : (uint64_t)wanted, sum = 0;
    for (uint32_t i = 0; i < ENGINE_DISORDER_BUCKETS; i++) {
        sum += d->counts[i];
        if (sum < want || sum == 0) continue;
        int64_t bound = engine_disorder_bound(i);
        return bound < d->most_us ? bound : d->most_us;
    }
    return d->most_us;
}

// ---- stored form --------------------------------------------------------------------------------

typedef struct disorder_head {
    uint32_t version; // 1
    uint32_t nbuckets;
    uint64_t records, behind;
    int64_t most_us, delay_us;
    uint32_t until_told, rule;
} disorder_head;
_Static_assert(sizeof(disorder_head) == 48, "disorder_head is a disk format");

typedef struct disorder_bucket {
    uint32_t bucket, count;
} disorder_bucket;
_Static_assert(sizeof(disorder_bucket) == 8, "disorder_bucket is a disk format");

void engine_disorder_encode(const engine_disorder *d, base_buf *buf) {
    disorder_head head = {1,          0,           d->records,    d->behind,
                          d->most_us, d->delay_us, d->until_told, d->rule};
    for (uint32_t i = 0; i < ENGINE_DISORDER_BUCKETS; i++) head.nbuckets += d->counts[i] > 0;
    base_buf_add(buf, &head, sizeof head);
    for (uint32_t i = 0; i < ENGINE_DISORDER_BUCKETS; i++) {
        disorder_bucket bucket = {i, d->counts[i]};
        if (bucket.count > 0) base_buf_add(buf, &bucket, sizeof bucket);
    }
}

bool engine_disorder_decode(engine_disorder *d, base_str bytes) {
    disorder_head head;
    memset(d, 0, sizeof *d);
    if (bytes.n < sizeof head) return false;
    memcpy(&head, bytes.p, sizeof head);
    if (head.version != 1 || head.nbuckets > ENGINE_DISORDER_BUCKETS ||
        bytes.n != sizeof head + head.nbuckets * sizeof(disorder_bucket))
        return false;
    d->records = head.records;
    d->behind = head.behind;
    d->most_us = head.most_us;
    d->delay_us = head.delay_us;
    d->until_told = head.until_told;
    d->rule = head.rule;
    for (uint32_t i = 0; i < head.nbuckets; i++) {
        disorder_bucket bucket;
        memcpy(&bucket, bytes.p + sizeof head + i * sizeof bucket, sizeof bucket);
        if (bucket.bucket >= ENGINE_DISORDER_BUCKETS) return false;
        d->counts[bucket.bucket] = bucket.count;
        d->weight += bucket.count;
    }
    return true;
}
