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

static void rehash(flow_keymap *map, uint32_t nslots) {
    map->slots = base_arena_array(map->arena, uint32_t, nslots);
    map->nslots = nslots;
    for (uint32_t i = 0; i < map->n; i++) {
        uint32_t at = (uint32_t)map->hashes[i] & (nslots - 1);
        while (map->slots[at] != 0) at = (at + 1) & (nslots - 1);
        map->slots[at] = i + 1;
    }
}

void flow_keymap_init(flow_keymap *map, base_arena *arena) {
    *map = (flow_keymap){.arena = arena};
    rehash(map, 64);
}

static uint32_t locate(const flow_keymap *map, base_str key, uint64_t hash, uint32_t *slot) {
    uint32_t mask = map->nslots - 1, at = (uint32_t)hash & mask;
    for (; map->slots[at] != 0; at = (at + 1) & mask) {
        uint32_t i = map->slots[at] - 1;
        if (map->hashes[i] == hash && base_str_eq(map->keys[i], key)) return i;
    }
    *slot = at;
    return UINT32_MAX;
}

uint32_t flow_keymap_find(const flow_keymap *map, base_str key) {
    if (map->arena == NULL) return UINT32_MAX;
    uint32_t slot;
    return locate(map, key, base_hash64(key.p, key.n), &slot);
}

uint32_t flow_keymap_put(flow_keymap *map, base_str key, bool *added) {
    must(map->arena != NULL);
    uint64_t hash = base_hash64(key.p, key.n);
    uint32_t slot, found = locate(map, key, hash, &slot);
    *added = found == UINT32_MAX;
    if (!*added) return found;
    if (map->n == map->cap) {
        uint32_t cap = map->cap == 0 ? 64 : map->cap * 2;
        map->keys =
            regrow(map->arena, map->keys, sizeof(base_str) * map->n, sizeof(base_str) * cap);
        map->hashes =
            regrow(map->arena, map->hashes, sizeof(uint64_t) * map->n, sizeof(uint64_t) * cap);
        map->cap = cap;
    }
    map->keys[map->n] = key;
    map->hashes[map->n] = hash;
    map->slots[slot] = ++map->n;
    if (map->n * 2 > map->nslots) rehash(map, map->nslots * 2);
    return map->n - 1;
}
