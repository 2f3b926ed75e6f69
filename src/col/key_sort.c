// key_sort.c - a stable permutation that puts byte strings in memcmp order.
//
// Method: by eight bytes at a time after the common prefix, each time a stable merge sort of
// integers; then within runs that agree so far. Keys are only read once a level. With helpers, the
// first eight bytes of a sample give bounds, the items are dealt into the stretches between them,
// each thread its own slice of the items, and each stretch is sorted by itself. A stable order is
// the only one there is, so it does not depend on how the work was divided.
// Entry point: col_keys_sort.
#include "base/must.h"
#include "col/codec.h"

#include <stdlib.h>

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
static void sort_heads(sort_item *items, sort_item *other, size_t n, const base_str *keys,
                       size_t skip, int level);
static void sort_level(sort_item *items, sort_item *other, size_t n, const base_str *keys,
                       size_t skip, int level) {
    if (n > SORT_SMALL) skip += common_prefix(items, n, keys, skip);
    for (size_t i = 0; i < n; i++) items[i].head = head_of(keys[items[i].index], skip);
    sort_heads(items, other, n, keys, skip, level);
}

// The same for items whose heads are those at `skip`.
static void sort_heads(sort_item *items, sort_item *other, size_t n, const base_str *keys,
                       size_t skip, int level) {
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

// ---- with helpers

#define PART_KEYS 8192u // fewer are not worth a thread's waking up
#define SAMPLES   32u   // a stretch

typedef struct division {
    size_t n;
    const base_str *keys;
    sort_item *items, *dealt;
    uint32_t *order;
    uint32_t nslices, nstretches;
    size_t common[PLAT_PARTS_MAX]; // of a slice's keys and the first of all
    bool sorted[PLAT_PARTS_MAX];   // whether a slice, with the key before it, is
    size_t skip;
    uint64_t bounds[PLAT_PARTS_MAX]; // least heads of the stretches but the first
    uint32_t *counts;                // of a slice's items in a stretch, then where they go
    size_t begins[PLAT_PARTS_MAX + 1];
} division;

static void slice_of(const division *d, uint32_t i, size_t *begin, size_t *end) {
    *begin = plat_part_begin(d->n, d->nslices, i);
    *end = plat_part_begin(d->n, d->nslices, i + 1);
}

static void look_at(void *arg, uint32_t i) {
    division *d = arg;
    size_t begin, end;
    slice_of(d, i, &begin, &end);
    base_str first = d->keys[0];
    size_t common = first.n;
    bool sorted = true;
    for (size_t k = begin; k < end; k++) {
        base_str key = d->keys[k];
        d->items[k].index = (uint32_t)k;
        d->order[k] = (uint32_t)k;
        size_t most = key.n < common ? key.n : common, same = 0;
        while (same < most && key.p[same] == first.p[same]) same++;
        common = same;
        sorted = sorted && (k == 0 || base_str_cmp(d->keys[k - 1], key) <= 0);
    }
    d->common[i] = common;
    d->sorted[i] = sorted;
}

static uint32_t stretch_of(const division *d, uint64_t head) {
    uint32_t low = 0, high = d->nstretches - 1; // of bounds
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (d->bounds[middle] <= head) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static void take_heads(void *arg, uint32_t i) {
    division *d = arg;
    size_t begin, end;
    slice_of(d, i, &begin, &end);
    uint32_t counts[PLAT_PARTS_MAX] = {0};
    for (size_t k = begin; k < end; k++) {
        d->items[k].head = head_of(d->keys[k], d->skip);
        counts[stretch_of(d, d->items[k].head)]++;
    }
    memcpy(d->counts + (size_t)i * d->nstretches, counts, sizeof *counts * d->nstretches);
}

static void deal(void *arg, uint32_t i) {
    division *d = arg;
    size_t begin, end;
    slice_of(d, i, &begin, &end);
    uint32_t at[PLAT_PARTS_MAX];
    memcpy(at, d->counts + (size_t)i * d->nstretches, sizeof *at * d->nstretches);
    for (size_t k = begin; k < end; k++) {
        d->dealt[at[stretch_of(d, d->items[k].head)]++] = d->items[k];
    }
}

static void sort_stretch(void *arg, uint32_t i) {
    division *d = arg;
    size_t begin = d->begins[i], n = d->begins[i + 1] - begin;
    sort_heads(d->dealt + begin, d->items + begin, n, d->keys, d->skip, 0);
    for (size_t k = begin; k < begin + n; k++) d->order[k] = d->dealt[k].index;
}

static int by_head(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void choose_bounds(division *d) {
    uint64_t sample[PLAT_PARTS_MAX * SAMPLES];
    uint32_t n = d->nstretches * SAMPLES;
    for (uint32_t i = 0; i < n; i++) {
        sample[i] = head_of(d->keys[plat_part_begin(d->n, n, i)], d->skip);
    }
    qsort(sample, n, sizeof *sample, by_head);
    for (uint32_t s = 1; s < d->nstretches; s++) d->bounds[s - 1] = sample[s * SAMPLES];
}

// The counts become places: stretch by stretch, in each slice by slice, which keeps equal keys in
// order.
static void place_slices(division *d) {
    uint32_t at = 0;
    for (uint32_t s = 0; s < d->nstretches; s++) {
        d->begins[s] = at;
        for (uint32_t i = 0; i < d->nslices; i++) {
            uint32_t *count = &d->counts[(size_t)i * d->nstretches + s], n = *count;
            *count = at;
            at += n;
        }
    }
    d->begins[d->nstretches] = at;
}

static uint32_t *sort_divided(plat_workers *workers, base_arena *arena, size_t n,
                              const base_str *keys, uint32_t parts) {
    division *d = base_arena_new(arena, division);
    d->n = n;
    d->keys = keys;
    d->nslices = d->nstretches = parts;
    d->order = base_arena_alloc(arena, sizeof *d->order * (n + 1));
    d->items = base_arena_alloc(arena, sizeof *d->items * n);
    plat_workers_each(workers, parts, look_at, d);
    bool sorted = true;
    d->skip = d->common[0];
    for (uint32_t i = 0; i < parts; i++) {
        sorted = sorted && d->sorted[i];
        if (d->common[i] < d->skip) d->skip = d->common[i];
    }
    if (sorted) return d->order;
    d->dealt = base_arena_alloc(arena, sizeof *d->dealt * n);
    d->counts = base_arena_alloc(arena, sizeof *d->counts * parts * parts);
    choose_bounds(d);
    plat_workers_each(workers, parts, take_heads, d);
    place_slices(d);
    plat_workers_each(workers, parts, deal, d);
    plat_workers_each(workers, parts, sort_stretch, d);
    return d->order;
}

uint32_t *col_keys_sort(plat_workers *workers, base_arena *arena, size_t n, const base_str *keys) {
    must(n <= UINT32_MAX);
    uint32_t parts = plat_workers_parts(workers, n, PART_KEYS);
    if (parts > 1) return sort_divided(workers, arena, n, keys, parts);
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
