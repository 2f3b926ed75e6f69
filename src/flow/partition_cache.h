// partition_cache.h - whole partitions of few rows in memory, found by their key. Internal to
// partition.c.
#ifndef WEIR_FLOW_PARTITION_CACHE_H
#define WEIR_FLOW_PARTITION_CACHE_H

#include "base/str.h"

typedef struct held_row {
    const char *key; // in the partition's block
    const char *bytes;
    uint32_t key_n, bytes_n;
    int64_t weight; // not 0
} held_row;

// One allocation: head, rows, then key and rows' bytes.
typedef struct held_partition {
    uint64_t hash;
    uint32_t key_n, n;
    size_t size;
    const char *key;
    bool large;  // too many rows to be held: none is
    bool recent; // used since the last sweep
    held_row rows[];
} held_partition;

typedef struct partition_cache {
    uint32_t n, nslots;
    held_partition **slots; // open addressing, at most half full
    uint64_t bytes;
} partition_cache;

void partition_cache_deinit(partition_cache *cache);
held_partition *partition_cache_find(partition_cache *cache, base_str key, uint64_t hash);
// Puts a copy of rows under the key, in place of what was held of it; rows may be borrowed from
// that. n 0 and not large: an empty partition, which is held too.
held_partition *partition_cache_put(partition_cache *cache, base_str key, uint64_t hash, uint32_t n,
                                    const held_row *rows, bool large);
void partition_cache_trim(partition_cache *cache, uint64_t budget); // second chance
#endif
