// cache.h - the hot cache in front of an aggregate's table: groups by their state key, each with
// its block of accumulators. Lives across steps. Between a step's flush and its save records may be
// dirty; those are never evicted. Owner: the operator. Internal to src/flow.
#ifndef WEIR_FLOW_CACHE_H
#define WEIR_FLOW_CACHE_H

#include "flow/acc.h"

#define FLOW_CACHE_KEY_INLINE 32

typedef struct flow_record {
    uint64_t hash;
    uint32_t key_n;
    uint8_t used;    // the slab's cell is taken
    uint8_t dirty;   // differs from the store
    uint8_t recent;  // used since the last sweep
    uint8_t stored;  // the store has a row
    uint8_t visible; // the group's row is in the output
    uint8_t always;  // the group is there without rows, too
    uint8_t reserved[6];
    union {
        char inlined[FLOW_CACHE_KEY_INLINE];
        char *key;
    };
    // The block follows.
} flow_record;

typedef struct flow_cache {
    const acc_spec *specs;
    uint32_t nspecs;
    size_t stride; // of a block
    size_t cell;   // of a record with its block
    uint32_t n;    // records in use
    uint32_t nslots;
    uint32_t *slots; // cell number + 1, or 0
    uint32_t nslabs, slabs_cap;
    char **slabs;
    uint32_t top;   // cells ever used
    uint32_t nfree; // cells on the free list
    uint32_t *free_cells;
    uint32_t free_cap;
    uint32_t ndirty, dirty_cap;
    flow_record **dirty;
    uint64_t string_bytes; // of long keys and strings of extremes
} flow_cache;

void flow_cache_init(flow_cache *cache, const acc_spec *specs, uint32_t nspecs, size_t stride);
void flow_cache_deinit(flow_cache *cache); // also drops all records
static inline char *flow_record_block(flow_record *record) {
    return (char *)(record + 1);
}
static inline base_str flow_record_key(const flow_record *record) {
    return (base_str){record->key_n > FLOW_CACHE_KEY_INLINE ? record->key : record->inlined,
                      record->key_n};
}
flow_record *flow_cache_find(flow_cache *cache, base_str key, uint64_t hash);
flow_record *flow_cache_add(flow_cache *cache, base_str key, uint64_t hash); // must not be there
void flow_cache_mark(flow_cache *cache, flow_record *record);                // dirty
// An extreme's string in the record becomes the record's own (copied), the one before is freed.
void flow_cache_own_string(flow_cache *cache, const acc_spec *spec, flow_record *record,
                           base_str before);
void flow_cache_remove(flow_cache *cache, flow_record *record);
// Evicts clean records until no more than budget bytes are held (second chance).
void flow_cache_trim(flow_cache *cache, uint64_t budget);
uint64_t flow_cache_bytes(const flow_cache *cache);

// The bytes of a record in the store, and back: a version, the block, strings of extremes.
void flow_record_encode(const flow_cache *cache, flow_record *record, base_buf *buf);
BASE_MUST_USE base_rc flow_record_decode(flow_cache *cache, flow_record *record, base_str bytes,
                                         base_error *err);

#endif
