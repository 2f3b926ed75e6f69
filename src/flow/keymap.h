// keymap.h - byte keys to dense numbers, for one step: what a source has seen of a key since the
// step began. Everything is in the step's arena; keys are borrowed. Internal to src/flow.
#ifndef WEIR_FLOW_KEYMAP_H
#define WEIR_FLOW_KEYMAP_H

#include "base/arena.h"
#include "base/str.h"

typedef struct flow_keymap {
    base_arena *arena; // NULL: no step has begun
    uint32_t n, cap;
    base_str *keys;
    uint64_t *hashes;
    uint32_t *slots; // number + 1, or 0
    uint32_t nslots;
} flow_keymap;

void flow_keymap_init(flow_keymap *map, base_arena *arena);
// The number of a key, added if new: then *added is set.
uint32_t flow_keymap_put(flow_keymap *map, base_str key, bool *added);
uint32_t flow_keymap_find(const flow_keymap *map, base_str key); // UINT32_MAX: not there

#endif
