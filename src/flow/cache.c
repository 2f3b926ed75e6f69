// cache.c - the hot cache of groups: fixed-size cells in slabs, found through a flat hash table.
//
// Invariants:
//  - A cell stays where it is while its record lives, so that pointers to records hold until the
//    record is removed or trimmed (which only save and reset do).
//  - nslots is a power of two, at most half full; slots hold cell number + 1.
//  - Every dirty record is in dirty[] once; dirty records are not evicted.
//  - Strings in blocks (extremes of text) belong to the record, each in its own allocation.
// Entry points: flow_cache_find, flow_cache_add, flow_cache_trim.
#include "flow/cache.h"

#include <stdlib.h>

#include "base/must.h"

#define SLAB_CELLS 1024u

static void *grow(void *p, size_t bytes) {
    void *q = realloc(p, bytes);
    must(q != NULL);
    return q;
}

static char *copy_bytes(const char *p, size_t n) {
    char *copy = malloc(n + 1);
    must(copy != NULL);
    if (n > 0) memcpy(copy, p, n);
    return copy;
}

void flow_cache_init(flow_cache *cache, const acc_spec *specs, uint32_t nspecs, size_t stride) {
    *cache = (flow_cache){
        .specs = specs, .nspecs = nspecs, .stride = stride, .cell = sizeof(flow_record) + stride};
}

static flow_record *cell_at(const flow_cache *cache, uint32_t i) {
    return (flow_record *)(void *)(cache->slabs[i / SLAB_CELLS] + cache->cell * (i % SLAB_CELLS));
}

static void release_strings(flow_cache *cache, flow_record *record) {
    if (record->key_n > FLOW_CACHE_KEY_INLINE) {
        cache->string_bytes -= record->key_n;
        free(record->key);
    }
    char *block = flow_record_block(record);
    for (uint32_t i = 0; i < cache->nspecs; i++) {
        if (!cache->specs[i].string || !acc_has(&cache->specs[i], block)) continue;
        base_str *s = acc_string(&cache->specs[i], block);
        cache->string_bytes -= s->n;
        free((char *)(uintptr_t)s->p);
    }
}

void flow_cache_deinit(flow_cache *cache) {
    for (uint32_t i = 0; i < cache->top; i++) {
        flow_record *record = cell_at(cache, i);
        if (record->used) release_strings(cache, record);
    }
    for (uint32_t i = 0; i < cache->nslabs; i++) free(cache->slabs[i]);
    free(cache->slabs);
    free(cache->slots);
    free(cache->free_cells);
    free(cache->dirty);
    flow_cache_init(cache, cache->specs, cache->nspecs, cache->stride);
}

uint64_t flow_cache_bytes(const flow_cache *cache) {
    return (uint64_t)cache->n * cache->cell + sizeof(uint32_t) * cache->nslots +
           cache->string_bytes;
}

static void rehash(flow_cache *cache, uint32_t nslots) {
    cache->slots = grow(cache->slots, sizeof(uint32_t) * nslots);
    memset(cache->slots, 0, sizeof(uint32_t) * nslots);
    cache->nslots = nslots;
    for (uint32_t i = 0; i < cache->top; i++) {
        flow_record *record = cell_at(cache, i);
        if (!record->used) continue;
        uint32_t at = (uint32_t)record->hash & (nslots - 1);
        while (cache->slots[at] != 0) at = (at + 1) & (nslots - 1);
        cache->slots[at] = i + 1;
    }
}

flow_record *flow_cache_find(flow_cache *cache, base_str key, uint64_t hash) {
    if (cache->nslots == 0) return NULL;
    uint32_t mask = cache->nslots - 1;
    for (uint32_t at = (uint32_t)hash & mask; cache->slots[at] != 0; at = (at + 1) & mask) {
        flow_record *record = cell_at(cache, cache->slots[at] - 1);
        if (record->hash == hash && base_str_eq(flow_record_key(record), key)) {
            record->recent = 1;
            return record;
        }
    }
    return NULL;
}

static uint32_t take_cell(flow_cache *cache) {
    if (cache->nfree > 0) return cache->free_cells[--cache->nfree];
    if (cache->top == cache->nslabs * SLAB_CELLS) {
        if (cache->nslabs == cache->slabs_cap) {
            cache->slabs_cap = cache->slabs_cap == 0 ? 16 : cache->slabs_cap * 2;
            cache->slabs = grow(cache->slabs, sizeof(char *) * cache->slabs_cap);
        }
        cache->slabs[cache->nslabs++] = grow(NULL, cache->cell * SLAB_CELLS);
    }
    return cache->top++;
}

flow_record *flow_cache_add(flow_cache *cache, base_str key, uint64_t hash) {
    if ((cache->n + 1) * 2 > cache->nslots) {
        rehash(cache, cache->nslots == 0 ? 64 : cache->nslots * 2);
    }
    uint32_t i = take_cell(cache);
    flow_record *record = cell_at(cache, i);
    memset(record, 0, cache->cell);
    record->hash = hash;
    record->used = record->recent = 1;
    record->key_n = (uint32_t)key.n;
    if (key.n > FLOW_CACHE_KEY_INLINE) {
        record->key = copy_bytes(key.p, key.n);
        cache->string_bytes += key.n;
    } else {
        memcpy(record->inlined, key.p, key.n);
    }
    uint32_t mask = cache->nslots - 1, at = (uint32_t)hash & mask;
    while (cache->slots[at] != 0) at = (at + 1) & mask;
    cache->slots[at] = i + 1;
    cache->n++;
    return record;
}

void flow_cache_mark(flow_cache *cache, flow_record *record) {
    if (record->dirty) return;
    record->dirty = 1;
    if (cache->ndirty == cache->dirty_cap) {
        cache->dirty_cap = cache->dirty_cap == 0 ? 64 : cache->dirty_cap * 2;
        cache->dirty = grow(cache->dirty, sizeof(flow_record *) * cache->dirty_cap);
    }
    cache->dirty[cache->ndirty++] = record;
}

void flow_cache_own_string(flow_cache *cache, const acc_spec *spec, flow_record *record,
                           base_str before) {
    char *block = flow_record_block(record);
    if (acc_has(spec, block)) {
        base_str *s = acc_string(spec, block);
        s->p = copy_bytes(s->p, s->n);
        cache->string_bytes += s->n;
    }
    cache->string_bytes -= before.n;
    free((char *)(uintptr_t)before.p);
}

// Takes a record's cell out of the table and closes the gap (no tombstones).
static void unlink_record(flow_cache *cache, flow_record *record, uint32_t *cell) {
    uint32_t mask = cache->nslots - 1, at = (uint32_t)record->hash & mask;
    while (cell_at(cache, cache->slots[at] - 1) != record) at = (at + 1) & mask;
    *cell = cache->slots[at] - 1;
    uint32_t gap = at;
    for (uint32_t next = (at + 1) & mask; cache->slots[next] != 0; next = (next + 1) & mask) {
        uint32_t home = (uint32_t)cell_at(cache, cache->slots[next] - 1)->hash & mask;
        // It may move into the gap if its home is not after the gap on the way to it.
        if (((next - home) & mask) >= ((next - gap) & mask)) {
            cache->slots[gap] = cache->slots[next];
            gap = next;
        }
    }
    cache->slots[gap] = 0;
}

void flow_cache_remove(flow_cache *cache, flow_record *record) {
    must(!record->dirty);
    uint32_t cell;
    unlink_record(cache, record, &cell);
    release_strings(cache, record);
    record->used = 0;
    cache->n--;
    if (cache->nfree == cache->free_cap) {
        cache->free_cap = cache->free_cap == 0 ? 64 : cache->free_cap * 2;
        cache->free_cells = grow(cache->free_cells, sizeof(uint32_t) * cache->free_cap);
    }
    cache->free_cells[cache->nfree++] = cell;
}

void flow_cache_trim(flow_cache *cache, uint64_t budget) {
    if (flow_cache_bytes(cache) <= budget) return;
    uint64_t target = budget - budget / 8;
    for (int sweep = 0; sweep < 2 && flow_cache_bytes(cache) > target; sweep++) {
        for (uint32_t i = 0; i < cache->top && flow_cache_bytes(cache) > target; i++) {
            flow_record *record = cell_at(cache, i);
            if (!record->used || record->dirty) continue;
            if (record->recent) {
                record->recent = 0;
            } else {
                flow_cache_remove(cache, record);
            }
        }
    }
    // Nothing left: give back the table and the slabs, which the bytes above do not see.
    if (cache->n == 0) flow_cache_deinit(cache);
}

// ------------------------------------------------------------------------------------ bytes

#define RECORD_VERSION 1

void flow_record_encode(const flow_cache *cache, flow_record *record, base_buf *buf) {
    char *block = flow_record_block(record);
    base_buf_add_byte(buf, RECORD_VERSION);
    base_buf_add_byte(buf, record->visible);
    size_t begin = buf->n;
    base_buf_add(buf, block, cache->stride);
    for (uint32_t i = 0; i < cache->nspecs; i++) {
        const acc_spec *spec = &cache->specs[i];
        if (!spec->string) continue;
        base_str s = acc_has(spec, block) ? *acc_string(spec, block) : (base_str){NULL, 0};
        memset(buf->p + begin + spec->offset, 0, sizeof s); // no addresses on disk
        base_buf_add_u32le(buf, (uint32_t)s.n);
        base_buf_add_str(buf, s);
    }
}

base_rc flow_record_decode(flow_cache *cache, flow_record *record, base_str bytes,
                           base_error *err) {
    char *block = flow_record_block(record);
    if (bytes.n < 2 + cache->stride || bytes.p[0] != RECORD_VERSION) goto corrupt;
    record->visible = bytes.p[1] != 0;
    record->stored = 1;
    memcpy(block, bytes.p + 2, cache->stride);
    size_t at = 2 + cache->stride;
    for (uint32_t i = 0; i < cache->nspecs; i++) {
        const acc_spec *spec = &cache->specs[i];
        if (!spec->string) continue;
        uint32_t n;
        if (bytes.n - at < sizeof n) goto corrupt_strings;
        memcpy(&n, bytes.p + at, sizeof n);
        at += sizeof n;
        if (bytes.n - at < n) goto corrupt_strings;
        if (acc_has(spec, block)) {
            *acc_string(spec, block) = (base_str){copy_bytes(bytes.p + at, n), n};
            cache->string_bytes += n;
        }
        at += n;
        continue;
    corrupt_strings: // what was not read must not be freed
        for (uint32_t k = i; k < cache->nspecs; k++) {
            if (cache->specs[k].string) acc_set_extreme(&cache->specs[k], block, NULL, 0);
        }
        goto corrupt;
    }
    return BASE_OK;
corrupt:
    return base_fail(err, BASE_E_CORRUPT, NULL, "a stored group has %zu bytes, which do not fit",
                     bytes.n);
}
