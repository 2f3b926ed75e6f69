// keymap.h - byte keys to dense numbers, for one step (what a source has seen of a key since the
// step began) or one answer (which keys of a view have changed since). Everything is in the arena
// given; keys are borrowed.
#ifndef WEIR_FLOW_KEYMAP_H
#define WEIR_FLOW_KEYMAP_H

#include "base/arena.h"
#include "base/str.h"

typedef struct flow_keymap {
    base_arena *arena; // NULL: no step has begun
    uint32_t n, cap;
    base_str *keys;
    uint64_t *hashes;
    uint64_t *slots; // high half of the hash << 32 | (number + 1), or 0
    uint32_t nslots;
} flow_keymap;

void flow_keymap_init(flow_keymap *map, base_arena *arena, uint32_t expected);
// The numbers of n keys, added if new: those are listed in fresh, in order.
void flow_keymap_put(flow_keymap *map, base_arena *scratch, uint32_t n, const base_str *keys,
                     uint32_t *numbers, uint32_t *fresh, uint32_t *nfresh);
uint32_t flow_keymap_find(const flow_keymap *map, base_str key); // UINT32_MAX: not there

#endif
