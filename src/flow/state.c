// state.c - how operators name their tables, make keys of values, sort keys, and pile up batches.
//
// Names: "v<view id>.<node id>.<suffix>" for an operator of a view, "s<object id>.<suffix>" for a
// source. Keys: see flow_keys_encode in flow_int.h. Entry points: there.
#include "base/hash.h"
#include "flow/flow_int.h"

#include <stdio.h>

base_rc flow_table_open(flow_graph *graph, bool source, uint32_t view_or_object, uint32_t node,
                        const char *suffix, state_table *out, base_error *err) {
    char name[64];
    if (source) {
        snprintf(name, sizeof name, "s%u.%s", view_or_object, suffix);
    } else {
        snprintf(name, sizeof name, "v%u.%u.%s", view_or_object, node, suffix);
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

base_rc flow_state_drop(state_store *store, uint32_t view_id, base_error *err) {
    return drop_prefix(store, 'v', view_id, err);
}

base_rc flow_source_drop(state_store *store, uint32_t object_id, base_error *err) {
    return drop_prefix(store, 's', object_id, err);
}

bool flow_one_spelling(const col_type *type) {
    switch (type->kind) {
    case COL_FLOAT4:
    case COL_FLOAT8:
    case COL_NUMERIC:
    case COL_INTERVAL:
    case COL_STRUCT:
        return false;
    default:
        return !col_kind_is_array(type->kind);
    }
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

// ---- sorting: by eight bytes at a time after the common prefix, each time a stable merge sort of
// integers; then within runs that agree so far. Keys are only read once a level.

typedef struct sort_item {
    uint64_t head;
    uint32_t index;
} sort_item;

static uint64_t head_of(base_str key, size_t skip) {
    uint64_t head = 0;
    if (key.n >= skip + 8) {
        memcpy(&head, key.p + skip, 8);
        return __builtin_bswap64(head);
    }
    for (size_t i = 0; i < 8; i++) {
        head = head << 8 | (skip + i < key.n ? (uint8_t)key.p[skip + i] : 0);
    }
    return head;
}

// Bytes from `skip` on that all keys share.
static size_t common_prefix(const sort_item *items, size_t n, const base_str *keys, size_t skip) {
    base_str first = keys[items[0].index];
    size_t common = first.n - skip;
    for (size_t i = 1; i < n && common > 0; i++) {
        base_str key = keys[items[i].index];
        size_t most = key.n - skip < common ? key.n - skip : common, same = 0;
        while (same < most && key.p[skip + same] == first.p[skip + same]) same++;
        common = same;
    }
    return common;
}

static inline bool in_order(const sort_item *a, const sort_item *b, const base_str *keys) {
    if (a->head != b->head || keys == NULL) return a->head <= b->head;
    return base_str_cmp(keys[a->index], keys[b->index]) <= 0;
}

static void merge(const sort_item *from, sort_item *to, size_t begin, size_t middle, size_t end,
                  const base_str *keys) {
    size_t a = begin, b = middle, at = begin;
    if (middle == end || in_order(&from[middle - 1], &from[middle], keys)) {
        memcpy(to + begin, from + begin, (end - begin) * sizeof *to);
        return;
    }
    while (a < middle && b < end) {
        to[at++] = in_order(&from[a], &from[b], keys) ? from[a++] : from[b++];
    }
    while (a < middle) to[at++] = from[a++];
    while (b < end) to[at++] = from[b++];
}

// By head, and with keys != NULL by the whole key where heads agree. Stable.
static void merge_sort(sort_item *items, sort_item *other, size_t n, const base_str *keys) {
    sort_item *from = items, *to = other;
    for (size_t width = 1; width < n; width *= 2) {
        for (size_t begin = 0; begin < n; begin += 2 * width) {
            size_t middle = begin + width < n ? begin + width : n;
            size_t end = begin + 2 * width < n ? begin + 2 * width : n;
            merge(from, to, begin, middle, end, keys);
        }
        sort_item *swap = from;
        from = to;
        to = swap;
    }
    if (from != items) memcpy(items, from, n * sizeof *items);
}

#define SORT_SMALL 8u

// The keys of items agree in their first `skip` bytes. The depth is that of the longest key in
// words, and no more than SORT_LEVELS.
#define SORT_LEVELS 64
static void sort_level(sort_item *items, sort_item *other, size_t n, const base_str *keys,
                       size_t skip, int level) {
    if (n > SORT_SMALL) skip += common_prefix(items, n, keys, skip);
    for (size_t i = 0; i < n; i++) items[i].head = head_of(keys[items[i].index], skip);
    if (n <= SORT_SMALL || level == SORT_LEVELS) {
        merge_sort(items, other, n, keys);
        return;
    }
    merge_sort(items, other, n, NULL);
    for (size_t begin = 0, end; begin < n; begin = end) {
        bool longer = true; // every key has all the bytes of this head
        for (end = begin; end < n && items[end].head == items[begin].head; end++) {
            longer = longer && keys[items[end].index].n >= skip + 8;
        }
        if (end - begin < 2) continue;
        if (longer) {
            sort_level(items + begin, other + begin, end - begin, keys, skip + 8, level + 1);
        } else {
            merge_sort(items + begin, other + begin, end - begin, keys);
        }
    }
}

uint32_t *flow_keys_sort(base_arena *arena, size_t n, const base_str *keys) {
    must(n <= UINT32_MAX);
    uint32_t *order = base_arena_alloc(arena, sizeof(uint32_t) * (n + 1));
    bool sorted = true;
    for (size_t i = 0; i < n; i++) {
        order[i] = (uint32_t)i;
        sorted = sorted && (i == 0 || base_str_cmp(keys[i - 1], keys[i]) <= 0);
    }
    if (sorted) return order;
    sort_item *items = base_arena_alloc(arena, sizeof *items * n);
    sort_item *other = base_arena_alloc(arena, sizeof *items * n);
    for (size_t i = 0; i < n; i++) items[i].index = (uint32_t)i;
    sort_level(items, other, n, keys, 0, 0);
    for (size_t i = 0; i < n; i++) order[i] = items[i].index;
    return order;
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
