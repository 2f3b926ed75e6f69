// partition_cache.c - the cache of whole partitions: one allocation a partition, made anew when it
// changes (they have few rows), in a flat hash table.
//
// Invariant: slots are a power of two, at most half full; no tombstones.
// Entry points: partition_cache_find, partition_cache_put, partition_cache_trim.
#include "flow/partition_cache.h"

#include <stdlib.h>

#include "base/must.h"

void partition_cache_deinit(partition_cache *cache) {
    for (uint32_t i = 0; i < cache->nslots; i++) free(cache->slots[i]);
    free(cache->slots);
    *cache = (partition_cache){0};
}

static uint32_t slot_of(const partition_cache *cache, base_str key, uint64_t hash) {
    uint32_t mask = cache->nslots - 1, at = (uint32_t)hash & mask;
    for (; cache->slots[at] != NULL; at = (at + 1) & mask) {
        const held_partition *held = cache->slots[at];
        if (held->hash == hash && base_str_eq((base_str){held->key, held->key_n}, key)) break;
    }
    return at;
}

held_partition *partition_cache_find(partition_cache *cache, base_str key, uint64_t hash) {
    if (cache->nslots == 0) return NULL;
    held_partition *held = cache->slots[slot_of(cache, key, hash)];
    if (held != NULL) held->recent = true;
    return held;
}

static void reserve(partition_cache *cache) {
    if ((cache->n + 1) * 2 <= cache->nslots) return;
    uint32_t nslots = cache->nslots == 0 ? 64 : cache->nslots * 2;
    held_partition **old = cache->slots;
    uint32_t nold = cache->nslots;
    cache->slots = calloc(nslots, sizeof(held_partition *));
    must(cache->slots != NULL);
    cache->nslots = nslots;
    for (uint32_t i = 0; i < nold; i++) {
        if (old[i] == NULL) continue;
        uint32_t at = (uint32_t)old[i]->hash & (nslots - 1);
        while (cache->slots[at] != NULL) at = (at + 1) & (nslots - 1);
        cache->slots[at] = old[i];
    }
    free(old);
}

static held_partition *make(base_str key, uint64_t hash, uint32_t n, const held_row *rows,
                            bool large) {
    size_t size = sizeof(held_partition) + sizeof(held_row) * n + key.n;
    for (uint32_t i = 0; i < n; i++) size += (size_t)rows[i].key_n + rows[i].bytes_n;
    held_partition *held = malloc(size);
    must(held != NULL);
    *held = (held_partition){.hash = hash,
                             .key_n = (uint32_t)key.n,
                             .n = n,
                             .size = size,
                             .large = large,
                             .recent = true};
    char *at = (char *)&held->rows[n];
    memcpy(at, key.p, key.n);
    held->key = at;
    at += key.n;
    for (uint32_t i = 0; i < n; i++) {
        held->rows[i] = rows[i];
        memcpy(at, rows[i].key, rows[i].key_n);
        held->rows[i].key = at;
        at += rows[i].key_n;
        memcpy(at, rows[i].bytes, rows[i].bytes_n);
        held->rows[i].bytes = at;
        at += rows[i].bytes_n;
    }
    return held;
}

held_partition *partition_cache_put(partition_cache *cache, base_str key, uint64_t hash, uint32_t n,
                                    const held_row *rows, bool large) {
    reserve(cache);
    held_partition *held = make(key, hash, n, rows, large);
    uint32_t at = slot_of(cache, key, hash);
    if (cache->slots[at] != NULL) {
        cache->bytes -= cache->slots[at]->size;
        free(cache->slots[at]);
    } else {
        cache->n++;
    }
    cache->slots[at] = held;
    cache->bytes += held->size;
    return held;
}

// Empties a slot and closes the gap.
static void take_out(partition_cache *cache, uint32_t gap) {
    uint32_t mask = cache->nslots - 1;
    cache->bytes -= cache->slots[gap]->size;
    free(cache->slots[gap]);
    cache->n--;
    for (uint32_t next = (gap + 1) & mask; cache->slots[next] != NULL; next = (next + 1) & mask) {
        uint32_t home = (uint32_t)cache->slots[next]->hash & mask;
        if (((next - home) & mask) < ((next - gap) & mask)) continue;
        cache->slots[gap] = cache->slots[next];
        gap = next;
    }
    cache->slots[gap] = NULL;
}

void partition_cache_trim(partition_cache *cache, uint64_t budget) {
    for (int sweep = 0; sweep < 2 && cache->bytes > budget; sweep++) {
        for (uint32_t i = 0; i < cache->nslots && cache->bytes > budget;) {
            held_partition *held = cache->slots[i];
            if (held == NULL) {
                i++;
            } else if (held->recent) {
                held->recent = false;
                i++;
            } else {
                take_out(cache, i); // what closes the gap is looked at next
            }
        }
    }
    if (cache->n == 0) partition_cache_deinit(cache);
}
