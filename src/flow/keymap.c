// keymap.c - open addressing over byte keys, in an arena. Invariants: nslots is a power of two and
// at most half full; numbers are dense in order of first appearance. Entry point:
// flow_keymap_put().
#include "flow/keymap.h"

#include "base/hash.h"
#include "base/must.h"

static void *regrow(base_arena *arena, const void *old, size_t old_bytes, size_t bytes) {
    void *p = base_arena_alloc(arena, bytes);
    if (old_bytes > 0) memcpy(p, old, old_bytes);
    return p;
}

static inline uint64_t slot_of(uint64_t hash, uint32_t number) {
    return (hash & 0xffffffff00000000u) | (number + 1u);
}

static void rehash(flow_keymap *map, uint32_t nslots) {
    map->slots = base_arena_array(map->arena, uint64_t, nslots);
    map->nslots = nslots;
    for (uint32_t i = 0; i < map->n; i++) {
        uint32_t at = (uint32_t)map->hashes[i] & (nslots - 1);
        while (map->slots[at] != 0) at = (at + 1) & (nslots - 1);
        map->slots[at] = slot_of(map->hashes[i], i);
    }
}

static void reserve(flow_keymap *map, uint32_t cap) {
    base_arena *arena = map->arena;
    map->keys = regrow(arena, map->keys, sizeof(base_str) * map->n, sizeof(base_str) * cap);
    map->hashes = regrow(arena, map->hashes, sizeof(uint64_t) * map->n, sizeof(uint64_t) * cap);
    map->cap = cap;
}

void flow_keymap_init(flow_keymap *map, base_arena *arena, uint32_t expected) {
    *map = (flow_keymap){.arena = arena};
    uint32_t cap = 64;
    while (cap < expected && cap < 1u << 24) cap *= 2;
    reserve(map, cap);
    rehash(map, cap * 2);
}

static uint32_t locate(const flow_keymap *map, base_str key, uint64_t hash, uint32_t *slot) {
    uint32_t mask = map->nslots - 1, at = (uint32_t)hash & mask;
    for (; map->slots[at] != 0; at = (at + 1) & mask) {
        if ((map->slots[at] ^ hash) >> 32 != 0) continue;
        uint32_t i = (uint32_t)map->slots[at] - 1;
        if (base_str_eq(map->keys[i], key)) return i;
    }
    *slot = at;
    return UINT32_MAX;
}

uint32_t flow_keymap_find(const flow_keymap *map, base_str key) {
    if (map->arena == NULL) return UINT32_MAX;
    uint32_t slot;
    return locate(map, key, base_hash64(key.p, key.n), &slot);
}

#define AHEAD 16u // slots are asked for so many keys before they are looked at

void flow_keymap_put(flow_keymap *map, base_arena *scratch, uint32_t n, const base_str *keys,
                     uint32_t *numbers, uint32_t *fresh, uint32_t *nfresh) {
    must(map->arena != NULL);
    uint64_t *hashes = base_arena_alloc(scratch, sizeof(uint64_t) * (n + 1u));
    for (uint32_t i = 0; i < n; i++) hashes[i] = base_hash64(keys[i].p, keys[i].n);
    *nfresh = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (i + AHEAD < n) {
            __builtin_prefetch(&map->slots[(uint32_t)hashes[i + AHEAD] & (map->nslots - 1)]);
        }
        uint32_t slot, found = locate(map, keys[i], hashes[i], &slot);
        if (found == UINT32_MAX) {
            if (map->n == map->cap) reserve(map, map->cap * 2);
            found = map->n;
            map->keys[found] = keys[i];
            map->hashes[found] = hashes[i];
            map->slots[slot] = slot_of(hashes[i], found);
            map->n++;
            if (map->n * 2 > map->nslots) rehash(map, map->nslots * 2);
            fresh[(*nfresh)++] = found;
        }
        numbers[i] = found;
    }
}
