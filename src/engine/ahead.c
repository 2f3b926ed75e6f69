// ahead.c - decoding ahead: while a flow's thread pushes one portion of records through the graph,
// other threads decode the next ones.
//
// Invariants: portions are taken in the order in which they were added, so the graph sees the same
// batches in the same order as without helpers; each portion has a decoder and an arena of its own.
// What the graph retains keeps its portion's arena until the step's end. Entry points:
// engine_ahead_add, engine_ahead_take, engine_ahead_done.

#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "engine/ahead.h"

typedef struct slot {
    plat_task task;
    engine_contract *contract; // of input
    base_arena *arena;
    engine_portion portion;
} slot;

struct engine_ahead {
    plat_workers *workers;
    const engine_input *input;
    uint32_t nslots, first, count; // a ring
    slot *slots;
    // Arenas with what the step in progress retains, and those that are free.
    uint32_t nkept, nfree, cap;
    base_arena **kept, **unused;
};

static base_arena *take_arena(engine_ahead *ahead) {
    if (ahead->nfree > 0) return ahead->unused[--ahead->nfree];
    base_arena *arena = calloc(1, sizeof *arena);
    must(arena != NULL);
    base_arena_init(arena, 1 << 16);
    arena->retain_bytes = 16u << 20;
    return arena;
}

engine_ahead *engine_ahead_create(plat_workers *workers, const engine_input *input) {
    engine_ahead *ahead = calloc(1, sizeof *ahead);
    must(ahead != NULL);
    ahead->workers = workers;
    ahead->input = input;
    ahead->nslots = 2 * plat_workers_count(workers) + 1;
    ahead->slots = calloc(ahead->nslots, sizeof *ahead->slots);
    must(ahead->slots != NULL);
    for (uint32_t i = 0; i < ahead->nslots; i++) {
        ahead->slots[i].contract =
            engine_contract_create(input->object, false, input->ncolumns, input->columns);
        ahead->slots[i].arena = take_arena(ahead);
    }
    return ahead;
}

static void free_arena(base_arena *arena) {
    base_arena_deinit(arena);
    free(arena);
}

void engine_ahead_destroy(engine_ahead *ahead) {
    if (ahead == NULL) return;
    engine_ahead_drop(ahead);
    for (uint32_t i = 0; i < ahead->nslots; i++) {
        engine_contract_destroy(ahead->slots[i].contract);
        free_arena(ahead->slots[i].arena);
    }
    for (uint32_t i = 0; i < ahead->nkept; i++) free_arena(ahead->kept[i]);
    for (uint32_t i = 0; i < ahead->nfree; i++) free_arena(ahead->unused[i]);
    free(ahead->kept);
    free(ahead->unused);
    free(ahead->slots);
    free(ahead);
}

bool engine_ahead_has_room(const engine_ahead *ahead) {
    return ahead->count < ahead->nslots;
}

static void decode(void *arg) {
    slot *s = arg;
    engine_portion *p = &s->portion;
    engine_contract_decode_batch(s->contract, &p->batch, p->first, p->n, p->partition, s->arena,
                                 &p->decoded);
}

void engine_ahead_add(engine_ahead *ahead, const log_batch *batch, uint32_t partition,
                      uint32_t first, uint32_t n) {
    must(engine_ahead_has_room(ahead));
    slot *s = &ahead->slots[(ahead->first + ahead->count++) % ahead->nslots];
    s->portion = (engine_portion){.batch = *batch, .partition = partition, .first = first, .n = n};
    s->portion.arena = s->arena;
    s->task = (plat_task){.run = decode, .arg = s};
    plat_workers_add(ahead->workers, &s->task);
}

engine_portion *engine_ahead_take(engine_ahead *ahead) {
    if (ahead->count == 0) return NULL;
    slot *s = &ahead->slots[ahead->first];
    plat_workers_wait(ahead->workers, &s->task);
    return &s->portion;
}

void engine_ahead_done(engine_ahead *ahead, bool retained) {
    must(ahead->count > 0);
    slot *s = &ahead->slots[ahead->first];
    ahead->first = (ahead->first + 1) % ahead->nslots;
    ahead->count--;
    if (!retained) {
        base_arena_reset(s->arena);
        return;
    }
    if (ahead->nkept + ahead->nfree == ahead->cap) {
        ahead->cap = ahead->cap == 0 ? 16 : ahead->cap * 2;
        ahead->kept = realloc(ahead->kept, ahead->cap * sizeof *ahead->kept);
        ahead->unused = realloc(ahead->unused, ahead->cap * sizeof *ahead->unused);
        must(ahead->kept != NULL && ahead->unused != NULL);
    }
    ahead->kept[ahead->nkept++] = s->arena;
    s->arena = take_arena(ahead);
}

uint64_t engine_ahead_kept_bytes(const engine_ahead *ahead) {
    uint64_t bytes = 0;
    for (uint32_t i = 0; ahead != NULL && i < ahead->nkept; i++)
        bytes += base_arena_used(ahead->kept[i]);
    return bytes;
}

void engine_ahead_drop(engine_ahead *ahead) {
    while (ahead->count > 0) {
        engine_ahead_take(ahead);
        engine_ahead_done(ahead, false);
    }
}

void engine_ahead_release(engine_ahead *ahead) {
    if (ahead == NULL) return;
    engine_ahead_drop(ahead);
    while (ahead->nkept > 0) {
        base_arena *arena = ahead->kept[--ahead->nkept];
        base_arena_reset(arena);
        ahead->unused[ahead->nfree++] = arena;
    }
}
