// map.c - see map.h. Entries lie densely in an array; an open-addressed table of positions with
// linear probing finds them. Invariants: slots hold entry position + 1, 0 is free; at most half of
// the slots are used; every entry is reachable from its hash's slot without crossing a free one.
#include "base/map.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/must.h"

typedef struct map_entry {
    char *key; // owned
    size_t key_n;
    uint64_t hash;
    void *value;
} map_entry;

struct base_map {
    map_entry *entries;
    size_t count, entries_cap;
    uint32_t *slots;
    size_t slot_mask; // slots - 1, a power of two; 0 while there are none
};

base_map *base_map_create(void) {
    base_map *map = calloc(1, sizeof *map);
    must(map != NULL);
    return map;
}

void base_map_destroy(base_map *map) {
    if (map == NULL) return;
    for (size_t i = 0; i < map->count; i++) free(map->entries[i].key);
    free(map->entries);
    free(map->slots);
    free(map);
}

// The slot that holds key, or the free slot where it would go.
static size_t find_slot(const base_map *map, base_str key, uint64_t hash) {
    size_t slot = hash & map->slot_mask;
    for (;; slot = (slot + 1) & map->slot_mask) {
        uint32_t at = map->slots[slot];
        if (at == 0) return slot;
        const map_entry *entry = &map->entries[at - 1];
        if (entry->hash == hash && base_str_eq((base_str){entry->key, entry->key_n}, key)) {
            return slot;
        }
    }
}

void *base_map_get(const base_map *map, base_str key) {
    if (map->count == 0) return NULL;
    uint32_t at = map->slots[find_slot(map, key, base_hash64(key.p, key.n))];
    return at == 0 ? NULL : map->entries[at - 1].value;
}

static void grow(base_map *map) {
    size_t slots = map->slots == NULL ? 16 : (map->slot_mask + 1) * 2;
    must(slots <= UINT32_MAX);
    free(map->slots);
    map->slots = calloc(slots, sizeof *map->slots);
    map->slot_mask = slots - 1;
    map->entries_cap = slots / 2;
    map_entry *entries = realloc(map->entries, map->entries_cap * sizeof *entries);
    must(map->slots != NULL && entries != NULL);
    map->entries = entries;
    for (size_t i = 0; i < map->count; i++) {
        size_t slot = entries[i].hash & map->slot_mask;
        while (map->slots[slot] != 0) slot = (slot + 1) & map->slot_mask;
        map->slots[slot] = (uint32_t)i + 1;
    }
}

void *base_map_put(base_map *map, base_str key, void *value) {
    if (map->count == map->entries_cap) grow(map);
    uint64_t hash = base_hash64(key.p, key.n);
    size_t slot = find_slot(map, key, hash);
    if (map->slots[slot] != 0) {
        map_entry *entry = &map->entries[map->slots[slot] - 1];
        void *old = entry->value;
        entry->value = value;
        return old;
    }
    char *copy = malloc(key.n + 1);
    must(copy != NULL);
    if (key.n != 0) memcpy(copy, key.p, key.n);
    copy[key.n] = '\0';
    map->entries[map->count] = (map_entry){copy, key.n, hash, value};
    map->count++;
    map->slots[slot] = (uint32_t)map->count;
    return NULL;
}

// Frees a slot and moves back those that probed over it.
static void free_slot(base_map *map, size_t hole) {
    map->slots[hole] = 0;
    for (size_t slot = (hole + 1) & map->slot_mask; map->slots[slot] != 0;
         slot = (slot + 1) & map->slot_mask) {
        size_t home = map->entries[map->slots[slot] - 1].hash & map->slot_mask;
        if (((slot - home) & map->slot_mask) < ((slot - hole) & map->slot_mask)) continue;
        map->slots[hole] = map->slots[slot];
        map->slots[slot] = 0;
        hole = slot;
    }
}

void *base_map_remove(base_map *map, base_str key) {
    if (map->count == 0) return NULL;
    size_t slot = find_slot(map, key, base_hash64(key.p, key.n));
    if (map->slots[slot] == 0) return NULL;
    size_t at = map->slots[slot] - 1;
    map_entry gone = map->entries[at];
    free_slot(map, slot);
    size_t last = map->count - 1;
    if (at != last) {
        const map_entry *moved = &map->entries[last];
        size_t moved_slot = find_slot(map, (base_str){moved->key, moved->key_n}, moved->hash);
        map->slots[moved_slot] = (uint32_t)at + 1;
        map->entries[at] = *moved;
    }
    map->count = last;
    free(gone.key);
    return gone.value;
}

size_t base_map_count(const base_map *map) {
    return map->count;
}

bool base_map_at(const base_map *map, size_t *i, base_str *key, void **value) {
    if (*i >= map->count) return false;
    const map_entry *entry = &map->entries[(*i)++];
    if (key != NULL) *key = (base_str){entry->key, entry->key_n};
    if (value != NULL) *value = entry->value;
    return true;
}
