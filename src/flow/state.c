// state.c - how operators name their tables, make keys of values, sort keys, and pile up batches.
//
// Names: "v<state id>.<node id>.<suffix>" for an operator of a view (plan_object_state_id),
// "s<object id>.<suffix>" for a source. Keys: see flow_keys_encode in flow_int.h. Entry points:
// there.
#include "base/hash.h"
#include "flow/flow_int.h"

#include <stdio.h>

base_rc flow_table_open(flow_graph *graph, bool source, uint32_t view_or_object, uint32_t node,
                        const char *suffix, state_table *out, base_error *err) {
    char name[64];
    if (source) {
        snprintf(name, sizeof name, "s%u.%s", view_or_object, suffix);
    } else {
        uint32_t id = view_or_object == graph->adding ? graph->adding_state : view_or_object;
        snprintf(name, sizeof name, "v%u.%u.%s", id, node, suffix);
    }
    return state_table_open(graph->store, name, out, err);
}

typedef struct name_list {
    base_arena arena;
    const char *prefix;
    uint32_t n;
    const char *names[STATE_TABLES_MAX];
} name_list;

static base_rc collect_name(void *arg, const char *name) {
    name_list *list = arg;
    if (strncmp(name, list->prefix, strlen(list->prefix)) == 0 && list->n < STATE_TABLES_MAX) {
        list->names[list->n++] = base_arena_strdup(&list->arena, name);
    }
    return BASE_OK;
}

static base_rc drop_prefix(state_store *store, char kind, uint32_t id, base_error *err) {
    char prefix[16];
    snprintf(prefix, sizeof prefix, "%c%u.", kind, id);
    name_list list = {.prefix = prefix};
    base_arena_init(&list.arena, 4096);
    base_rc rc = state_table_list(store, collect_name, &list, err);
    for (uint32_t i = 0; rc == BASE_OK && i < list.n; i++) {
        rc = state_table_drop(store, list.names[i], err);
    }
    base_arena_deinit(&list.arena);
    return rc;
}

base_rc flow_state_drop(state_store *store, uint32_t state_id, base_error *err) {
    return drop_prefix(store, 'v', state_id, err);
}

base_rc flow_source_drop(state_store *store, uint32_t object_id, base_error *err) {
    return drop_prefix(store, 's', object_id, err);
}

void flow_keys_encode(base_arena *arena, const col_batch *batch, uint32_t nkeys,
                      const uint32_t *keys, base_str *out) {
    if (nkeys == 0) {
        for (uint32_t i = 0; i < batch->nrows; i++) out[i] = BASE_STR("\0");
        return;
    }
    col_key_encode_batch(arena, batch, nkeys, keys, out);
    for (uint32_t i = 0; i < batch->nrows; i++) {
        if (out[i].n <= FLOW_KEY_INLINE) continue;
        char *p = base_arena_alloc_aligned(arena, 17, 1);
        p[0] = (char)0xff;
        base_hash128(out[i].p, out[i].n, (uint8_t *)p + 1);
        out[i] = (base_str){p, 17};
    }
}

void flow_keys_encode_divided(plat_workers *workers, base_arena *arena, const col_batch *batch,
                              uint32_t nkeys, const uint32_t *keys, base_str *out) {
    col_keys_encode_by(flow_keys_encode, workers, arena, batch, nkeys, keys, out);
}

uint32_t *flow_keys_sort(base_arena *arena, size_t n, const base_str *keys) {
    return col_keys_sort(NULL, arena, n, keys);
}

// ---- piles

void flow_pile_add(flow_pile *pile, base_arena *arena, const col_batch *batch) {
    if (pile->n == pile->cap) {
        uint32_t cap = pile->cap == 0 ? 8 : pile->cap * 2;
        const col_batch **batches = base_arena_array(arena, const col_batch *, cap);
        if (pile->n > 0) memcpy(batches, pile->batches, sizeof *batches * pile->n);
        pile->batches = batches;
        pile->cap = cap;
    }
    pile->batches[pile->n++] = batch;
    pile->rows += batch->nrows;
}

const col_batch *flow_pile_concat(flow_pile *pile, base_arena *arena, const plan_node *columns_of) {
    if (pile->n == 1) return pile->batches[0];
    return col_batch_concat(arena, columns_of->ncolumns, flow_types(arena, columns_of), pile->n,
                            pile->batches);
}
