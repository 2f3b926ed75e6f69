// groups.c - rows to group numbers, kept over all batches of a step.
//
// Method: a batch's rows are matched by half of their hash alone in a flat open-addressing table
// (the other bits chose the slot); then the match is verified a key column at a time, so that no
// switch on the type runs per row. A row whose hash fits but whose key differs goes on probing by
// itself, comparing keys. Rows go through in short runs, so that what a run touches stays in cache.
// Invariants: nslots is a power of two and at most half full; slots hold hash half and group + 1;
// group numbers are dense in order of first appearance; keys[k] has the keys of groups 0..n-1.
// Entry point: flow_groups_find().
#include "flow/flow_int.h"

#include <stdlib.h>

#define SLOTS_MIN 64u
#define RUN_ROWS  1024u

static void *grow(void *p, size_t bytes) {
    void *q = realloc(p, bytes);
    must(q != NULL);
    return q;
}

static void vec_reserve(col_vec *vec, uint32_t cap) {
    size_t width = col_kind_width(vec->type.kind);
    if (width > 0) vec->data = grow(vec->data, width * cap);
    vec->nulls = grow(vec->nulls, cap);
    vec->n = cap;
    for (uint32_t i = 0; vec->type.kind == COL_STRUCT && i < vec->type.nfields; i++) {
        vec_reserve(&vec->children[i], cap);
    }
}

static void vec_free(col_vec *vec) {
    free(vec->data);
    free(vec->nulls);
    for (uint32_t i = 0; vec->type.kind == COL_STRUCT && i < vec->type.nfields; i++) {
        vec_free(&vec->children[i]);
    }
}

static void vec_store(col_vec *to, uint32_t at, const col_vec *from, uint32_t row,
                      base_arena *strings) {
    size_t width = col_kind_width(to->type.kind);
    to->nulls[at] = col_is_null(from, row);
    if (col_kind_is_string(to->type.kind)) {
        base_str s = to->nulls[at] ? (base_str){NULL, 0} : col_str(from)[row];
        col_str(to)[at] = (base_str){base_arena_memdup(strings, s.p, s.n), s.n};
        return;
    }
    if (width > 0) {
        memcpy((char *)to->data + width * at, (const char *)from->data + width * row, width);
    }
    for (uint32_t i = 0; to->type.kind == COL_STRUCT && i < to->type.nfields; i++) {
        vec_store(&to->children[i], at, &from->children[i], row, strings);
    }
}

static void vec_prepare(col_vec *vec, base_arena *arena, col_type type) {
    vec->type = type;
    if (type.kind == COL_STRUCT) {
        vec->children = base_arena_array(arena, col_vec, type.nfields + 1u);
        for (uint32_t i = 0; i < type.nfields; i++) {
            vec_prepare(&vec->children[i], arena, type.fields[i].type);
        }
    }
}

void flow_groups_init(flow_groups *groups, base_arena *arena, uint32_t nkeys,
                      const col_type *types) {
    memset(groups, 0, sizeof *groups);
    groups->nkeys = nkeys;
    groups->keys = base_arena_array(arena, col_vec, nkeys + 1u);
    for (uint32_t k = 0; k < nkeys; k++) vec_prepare(&groups->keys[k], arena, types[k]);
}

static void release(flow_groups *groups) {
    free(groups->hashes);
    free(groups->slots);
    groups->hashes = NULL;
    groups->slots = NULL;
    groups->n = groups->cap = groups->nslots = 0;
    for (uint32_t k = 0; k < groups->nkeys; k++) {
        col_vec *vec = &groups->keys[k];
        free(vec->data);
        free(vec->nulls);
        vec->data = NULL;
        vec->nulls = NULL;
        for (uint32_t i = 0; vec->type.kind == COL_STRUCT && i < vec->type.nfields; i++) {
            vec_free(&vec->children[i]);
            vec->children[i].data = NULL;
            vec->children[i].nulls = NULL;
        }
    }
}

void flow_groups_deinit(flow_groups *groups) {
    release(groups);
}

static void groups_reserve(flow_groups *groups, uint32_t cap) {
    if (cap <= groups->cap) return;
    uint32_t wanted = groups->cap == 0 ? SLOTS_MIN / 2 : groups->cap;
    while (wanted < cap) wanted *= 2;
    groups->hashes = grow(groups->hashes, sizeof(uint64_t) * wanted);
    for (uint32_t k = 0; k < groups->nkeys; k++) vec_reserve(&groups->keys[k], wanted);
    groups->cap = wanted;
}

static inline uint64_t slot_of(uint64_t hash, uint32_t group) {
    return (hash & 0xffffffff00000000u) | (group + 1u);
}
static inline uint32_t slot_group(uint64_t slot) {
    return (uint32_t)slot - 1;
}
static inline bool slot_fits(uint64_t slot, uint64_t hash) {
    return ((slot ^ hash) >> 32) == 0;
}

static void rehash(flow_groups *groups, uint32_t nslots) {
    groups->slots = grow(groups->slots, sizeof(uint64_t) * nslots);
    memset(groups->slots, 0, sizeof(uint64_t) * nslots);
    groups->nslots = nslots;
    uint32_t mask = nslots - 1;
    for (uint32_t g = 0; g < groups->n; g++) {
        uint32_t at = (uint32_t)groups->hashes[g] & mask;
        while (groups->slots[at] != 0) at = (at + 1) & mask;
        groups->slots[at] = slot_of(groups->hashes[g], g);
    }
}

// A step with few groups after one with many must not pay for the many each time.
void flow_groups_clear(flow_groups *groups) {
    uint32_t used = groups->n;
    groups->n = 0;
    if (groups->nslots > 4096 && used < groups->nslots / 16 && groups->high < groups->nslots / 16) {
        release(groups);
    }
    groups->high = used;
    if (groups->nslots > 0) memset(groups->slots, 0, sizeof(uint64_t) * groups->nslots);
}

size_t flow_groups_bytes(const flow_groups *groups) {
    size_t row = sizeof(uint64_t);
    for (uint32_t k = 0; k < groups->nkeys; k++) {
        row += 1 + col_kind_width(groups->keys[k].type.kind);
    }
    return row * groups->cap + sizeof(uint64_t) * groups->nslots;
}

static bool same_key(const flow_groups *groups, uint32_t group, const col_batch *keys,
                     uint32_t row) {
    for (uint32_t k = 0; k < groups->nkeys; k++) {
        if (!col_cells_equal(&groups->keys[k], group, &keys->cols[k], row)) return false;
    }
    return true;
}

static uint32_t add_group(flow_groups *groups, const col_batch *keys, uint32_t row, uint64_t hash,
                          uint32_t at) {
    uint32_t group = groups->n;
    if (group == groups->cap) groups_reserve(groups, group + 1);
    groups->hashes[group] = hash;
    for (uint32_t k = 0; k < groups->nkeys; k++) {
        vec_store(&groups->keys[k], group, &keys->cols[k], row, groups->strings);
    }
    groups->n = group + 1;
    groups->slots[at] = slot_of(hash, group);
    if (groups->n * 2 > groups->nslots) rehash(groups, groups->nslots * 2);
    return group;
}

// Full comparison, for rows whose hash matched a group of another key.
static uint32_t find_slowly(flow_groups *groups, const col_batch *keys, uint32_t row,
                            uint64_t hash) {
    uint32_t mask = groups->nslots - 1, at = (uint32_t)hash & mask;
    for (;; at = (at + 1) & mask) {
        uint64_t slot = groups->slots[at];
        if (slot == 0) return add_group(groups, keys, row, hash, at);
        if (slot_fits(slot, hash) && same_key(groups, slot_group(slot), keys, row)) {
            return slot_group(slot);
        }
    }
}

#define VERIFY(cell)                                                                               \
    do {                                                                                           \
        const cell *stored = mine->data, *given = theirs->data;                                    \
        for (uint32_t i = 0; i < n; i++) bad |= stored[group_of[i]] != given[i];                   \
    } while (0)

// Keys are short: two loads that overlap, rather than a call.
static inline bool same_text(base_str a, base_str b) {
    if (a.n != b.n) return false;
    if (a.n >= 8 && a.n <= 16) {
        uint64_t head_a, head_b, tail_a, tail_b;
        memcpy(&head_a, a.p, 8);
        memcpy(&head_b, b.p, 8);
        memcpy(&tail_a, a.p + a.n - 8, 8);
        memcpy(&tail_b, b.p + a.n - 8, 8);
        return ((head_a ^ head_b) | (tail_a ^ tail_b)) == 0;
    }
    if (a.n >= 4 && a.n < 8) {
        uint32_t head_a, head_b, tail_a, tail_b;
        memcpy(&head_a, a.p, 4);
        memcpy(&head_b, b.p, 4);
        memcpy(&tail_a, a.p + a.n - 4, 4);
        memcpy(&tail_b, b.p + a.n - 4, 4);
        return ((head_a ^ head_b) | (tail_a ^ tail_b)) == 0;
    }
    return a.n == 0 || memcmp(a.p, b.p, a.n) == 0;
}

// Whether some row's key differs from its group's in this column.
static bool column_differs(const col_vec *mine, const col_vec *theirs, uint32_t n,
                           const uint32_t *group_of) {
    bool bad = false;
    for (uint32_t i = 0; i < n; i++) {
        bad |= mine->nulls[group_of[i]] != (theirs->nulls != NULL && theirs->nulls[i] != 0);
    }
    if (bad) return true;
    if (theirs->nulls != NULL) { // cells of nulls hold anything
        for (uint32_t i = 0; i < n && !bad; i++) {
            bad = !col_cells_equal(mine, group_of[i], theirs, i);
        }
        return bad;
    }
    switch (mine->type.kind) {
    case COL_INT4:
    case COL_DATE:
    case COL_OID:
        VERIFY(uint32_t);
        return bad;
    case COL_INT8:
    case COL_TIMESTAMP:
    case COL_TIMESTAMPTZ:
    case COL_TIME:
        VERIFY(uint64_t);
        return bad;
    case COL_TEXT:
    case COL_VARCHAR: {
        const base_str *stored = mine->data, *given = theirs->data;
        for (uint32_t i = 0; i < n; i++) bad |= !same_text(stored[group_of[i]], given[i]);
        return bad;
    }
    default:
        for (uint32_t i = 0; i < n && !bad; i++) {
            bad = !col_cells_equal(mine, group_of[i], theirs, i);
        }
        return bad;
    }
}

static void match_hashes(flow_groups *groups, const col_batch *keys, const uint64_t *hashes,
                         uint32_t *group_of) {
    for (uint32_t i = 0; i < keys->nrows; i++) {
        uint64_t hash = hashes[i];
        uint32_t mask = groups->nslots - 1, at = (uint32_t)hash & mask;
        for (;; at = (at + 1) & mask) {
            uint64_t slot = groups->slots[at];
            if (slot_fits(slot, hash) && slot != 0) {
                group_of[i] = slot_group(slot);
                break;
            }
            if (slot == 0) {
                group_of[i] = add_group(groups, keys, i, hash, at);
                break;
            }
        }
    }
}

static void find_run(flow_groups *groups, const col_batch *keys, const uint64_t *hashes,
                     uint32_t *group_of) {
    match_hashes(groups, keys, hashes, group_of);
    bool differs = false;
    for (uint32_t k = 0; k < groups->nkeys && !differs; k++) {
        differs = column_differs(&groups->keys[k], &keys->cols[k], keys->nrows, group_of);
    }
    if (!differs) return;
    for (uint32_t i = 0; i < keys->nrows; i++) {
        if (!same_key(groups, group_of[i], keys, i)) {
            group_of[i] = find_slowly(groups, keys, i, hashes[i]);
        }
    }
}

static void vec_view(col_vec *to, base_arena *arena, const col_vec *from, uint32_t begin,
                     uint32_t n) {
    *to = *from;
    to->n = n;
    if (from->data != NULL) {
        to->data = (char *)from->data + col_kind_width(from->type.kind) * begin;
    }
    to->nulls = from->nulls == NULL ? NULL : from->nulls + begin;
    if (from->type.kind == COL_STRUCT) {
        to->children = base_arena_array(arena, col_vec, from->type.nfields + 1u);
        for (uint32_t i = 0; i < from->type.nfields; i++) {
            vec_view(&to->children[i], arena, &from->children[i], begin, n);
        }
    }
}

void flow_groups_find(flow_groups *groups, base_arena *scratch, base_arena *strings,
                      const col_batch *keys, const uint64_t *hashes, uint32_t *group_of) {
    groups->strings = strings;
    if (groups->nslots == 0) {
        groups_reserve(groups, 1);
        rehash(groups, SLOTS_MIN);
    }
    col_batch run = {groups->nkeys, 0, base_arena_array(scratch, col_vec, groups->nkeys + 1u),
                     NULL};
    for (uint32_t begin = 0; begin < keys->nrows; begin += RUN_ROWS) {
        run.nrows = keys->nrows - begin < RUN_ROWS ? keys->nrows - begin : RUN_ROWS;
        for (uint32_t k = 0; k < groups->nkeys; k++) {
            vec_view(&run.cols[k], scratch, &keys->cols[k], begin, run.nrows);
        }
        find_run(groups, &run, hashes + begin, group_of + begin);
    }
}

void flow_groups_probe(const flow_groups *groups, const col_batch *keys, const uint64_t *hashes,
                       uint32_t *group_of) {
    uint32_t mask = groups->nslots - 1;
    for (uint32_t i = 0; i < keys->nrows; i++) {
        group_of[i] = UINT32_MAX;
        if (groups->nslots == 0) continue;
        for (uint32_t at = (uint32_t)hashes[i] & mask;; at = (at + 1) & mask) {
            uint64_t slot = groups->slots[at];
            if (slot == 0) break;
            if (slot_fits(slot, hashes[i]) && same_key(groups, slot_group(slot), keys, i)) {
                group_of[i] = slot_group(slot);
                break;
            }
        }
    }
}

col_batch *flow_groups_batch(const flow_groups *groups, base_arena *arena, uint32_t begin,
                             uint32_t n) {
    col_batch *batch = base_arena_new(arena, col_batch);
    batch->ncols = groups->nkeys;
    batch->nrows = n;
    batch->cols = base_arena_array(arena, col_vec, groups->nkeys + 1u);
    for (uint32_t k = 0; k < groups->nkeys; k++) {
        vec_view(&batch->cols[k], arena, &groups->keys[k], begin, n);
    }
    return batch;
}
