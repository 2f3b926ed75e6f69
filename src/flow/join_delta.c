// join_delta.c - a side's delta of a step, by key hash: for lookups in the other side's spine and
// for adding it to its own.
//
// Hashes are well mixed, so three passes of a radix sort over their upper bits leave few to be put
// in order by comparing. Rows of a side that cancels are sorted by the hash of the whole row first;
// the sort is stable. Rows of one hash with different keys (a collision) become groups of their
// own. Entry point: join_delta_make.
#include "flow/join_int.h"

typedef struct hashed {
    uint64_t hash;
    uint32_t row;
} hashed;

// ------------------------------------------------------------------------------------ sorting

#define DIGIT_BITS 11u
#define DIGITS     3u // of the upper bits
#define RADIX_MIN  512u

static void insertion_sort(hashed *items, uint32_t n) {
    for (uint32_t i = 1; i < n; i++) {
        hashed item = items[i];
        uint32_t k = i;
        for (; k > 0 && items[k - 1].hash > item.hash; k--) items[k] = items[k - 1];
        items[k] = item;
    }
}

static void merge_sort(hashed *items, hashed *other, uint32_t n) {
    if (n <= 16) {
        insertion_sort(items, n);
        return;
    }
    uint32_t half = n / 2;
    merge_sort(items, other, half);
    merge_sort(items + half, other, n - half);
    if (items[half - 1].hash <= items[half].hash) return;
    memcpy(other, items, half * sizeof *items);
    uint32_t a = 0, b = half, at = 0;
    while (a < half) items[at++] = b < n && items[b].hash < other[a].hash ? items[b++] : other[a++];
}

// Stable.
static void sort_hashed(hashed *items, hashed *other, uint32_t n) {
    if (n < RADIX_MIN) {
        merge_sort(items, other, n);
        return;
    }
    static const uint32_t size = 1u << DIGIT_BITS;
    uint32_t counts[DIGITS][1u << DIGIT_BITS];
    memset(counts, 0, sizeof counts);
    const unsigned low = 64 - DIGITS * DIGIT_BITS;
    for (uint32_t i = 0; i < n; i++) {
        for (unsigned d = 0; d < DIGITS; d++)
            counts[d][items[i].hash >> (low + d * DIGIT_BITS) & (size - 1)]++;
    }
    hashed *from = items, *to = other;
    for (unsigned d = 0; d < DIGITS; d++) {
        for (uint32_t b = 0, at = 0; b < size; b++) {
            uint32_t count = counts[d][b];
            counts[d][b] = at;
            at += count;
        }
        for (uint32_t i = 0; i < n; i++)
            to[counts[d][from[i].hash >> (low + d * DIGIT_BITS) & (size - 1)]++] = from[i];
        hashed *swap = from;
        from = to;
        to = swap;
    }
    if (from != items) memcpy(items, from, n * sizeof *items);
    for (uint32_t begin = 0, end; begin < n; begin = end) { // those with equal upper bits
        bool sorted = true;
        for (end = begin + 1; end < n && items[end].hash >> low == items[begin].hash >> low; end++)
            sorted = sorted && items[end - 1].hash <= items[end].hash;
        if (!sorted) merge_sort(items + begin, other, end - begin);
    }
}

// ------------------------------------------------------------------------------------ rows

// Rows of the batch whose key may match, into sel; the others into nulls.
static uint32_t split_nulls(const join_op *join, const join_side *side, base_arena *arena,
                            join_delta *d, uint32_t *sel) {
    bool any = false;
    for (uint32_t k = 0; k < join->nkeys; k++) {
        bool safe = join->null_safe != NULL && join->null_safe[k];
        any = any || (!safe && d->batch->cols[side->keys[k]].nulls != NULL);
    }
    uint32_t n = 0, total = d->batch->nrows;
    d->nulls = any ? base_arena_alloc(arena, sizeof(uint32_t) * (total + 1u)) : NULL;
    for (uint32_t i = 0; i < total; i++) {
        if (any && join_null_key(join, side, d->batch, i))
            d->nulls[d->nnull++] = i;
        else
            sel[n++] = i;
    }
    return n;
}

static uint64_t *hash_rows(base_arena *arena, const col_batch *batch, uint32_t n,
                           const uint32_t *columns) {
    uint64_t *hashes = base_arena_alloc(arena, sizeof(uint64_t) * (batch->nrows + 1u));
    col_hash(batch, n, columns, hashes);
    return hashes;
}

// Sums rows that are the same, in order of (hash, id).
static void sum_same(join_delta *d) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < d->n; i++) {
        bool same = n > 0 && d->hashes[n - 1] == d->hashes[i] && d->ids[n - 1] == d->ids[i] &&
                    col_rows_same(d->batch, d->rows[n - 1], d->batch, d->rows[i]);
        if (same) {
            d->weights[n - 1] += d->weights[i];
            continue;
        }
        if (n > 0 && d->weights[n - 1] == 0) n--;
        d->rows[n] = d->rows[i];
        d->hashes[n] = d->hashes[i];
        d->ids[n] = d->ids[i];
        d->weights[n++] = d->weights[i];
    }
    if (n > 0 && d->weights[n - 1] == 0) n--;
    d->n = n;
}

static void take_weights(base_arena *arena, join_delta *d, bool cancels) {
    if (!cancels && d->batch->weights == NULL) return;
    d->weights = base_arena_alloc(arena, sizeof(int64_t) * (d->n + 1u));
    for (uint32_t i = 0; i < d->n; i++) d->weights[i] = col_weight(d->batch, d->rows[i]);
}

// Weights that are all 1 need not be looked at.
static void settle_weights(base_arena *arena, join_delta *d) {
    if (d->weights == NULL) return;
    bool ones = true;
    for (uint32_t i = 0; i < d->n; i++) ones = ones && d->weights[i] == 1;
    if (ones) {
        d->weights = NULL;
        return;
    }
    int64_t *by_row = base_arena_alloc(arena, sizeof(int64_t) * (d->batch->nrows + 1u));
    for (uint32_t i = 0; i < d->n; i++) by_row[d->rows[i]] = d->weights[i];
    d->row_weights = by_row;
}

// ------------------------------------------------------------------------------------ groups

static bool same_key(const join_op *join, const join_side *side, const join_delta *d, uint32_t a,
                     uint32_t b) {
    return col_rows_equal(d->batch, d->rows[a], d->batch, d->rows[b], join->nkeys, side->keys,
                          side->keys);
}

// Rows [begin, end) have one hash and different keys: groups of them, their members in order.
static void split_group(const join_op *join, const join_side *side, base_arena *arena,
                        join_delta *d, uint32_t begin, uint32_t end) {
    if (d->members == NULL) {
        uint32_t *members = base_arena_alloc(arena, sizeof(uint32_t) * (d->n + 1u));
        for (uint32_t i = 0; i < d->n; i++) members[i] = i;
        d->members = members;
    }
    uint32_t *members = (uint32_t *)d->members;
    for (uint32_t first = begin; first < end;) {
        d->begin[d->ngroups++] = first;
        uint32_t next = first + 1;
        for (uint32_t i = first + 1; i < end; i++) {
            if (!same_key(join, side, d, members[first], members[i])) continue;
            uint32_t member = members[i];
            memmove(&members[next + 1], &members[next], sizeof *members * (i - next));
            members[next++] = member;
        }
        first = next;
    }
}

static void make_groups(const join_op *join, const join_side *side, base_arena *arena,
                        join_delta *d) {
    d->begin = base_arena_alloc(arena, sizeof(uint32_t) * (d->n + 1u));
    d->first_group = base_arena_alloc(arena, sizeof(uint32_t) * (d->n + 1u));
    d->distinct = base_arena_alloc(arena, sizeof(uint64_t) * (d->n + 1u));
    for (uint32_t begin = 0, end; begin < d->n; begin = end) {
        d->first_group[d->nhashes] = d->ngroups;
        d->distinct[d->nhashes++] = d->hashes[begin];
        bool one = true;
        for (end = begin + 1; end < d->n && d->hashes[end] == d->hashes[begin]; end++)
            one = one && (join->exact || same_key(join, side, d, begin, end));
        if (one)
            d->begin[d->ngroups++] = begin;
        else
            split_group(join, side, arena, d, begin, end);
    }
    d->begin[d->ngroups] = d->n;
    d->first_group[d->nhashes] = d->ngroups;
}

void join_delta_ids(const join_side *side, base_arena *arena, flow_spine_rows *rows) {
    uint32_t n = rows->n;
    uint64_t *ids = base_arena_alloc(arena, sizeof *ids * (n + 1u));
    if (n >= rows->batch->nrows / 2) {
        const uint64_t *all = hash_rows(arena, rows->batch, side->ncolumns, side->columns);
        for (uint32_t i = 0; i < n; i++) ids[i] = all[rows->rows[i]];
    } else {
        col_hash(col_batch_gather(arena, rows->batch, rows->rows, n), side->ncolumns, side->columns,
                 ids);
    }
    rows->ids = ids;
    hashed *items = base_arena_alloc(arena, sizeof *items * (n + 1u));
    hashed *other = base_arena_alloc(arena, sizeof *items * (n + 1u));
    for (uint32_t begin = 0, end; begin < n; begin = end) {
        for (end = begin + 1; end < n && rows->hashes[end] == rows->hashes[begin];) end++;
        for (uint32_t i = begin; i < end; i++) items[i] = (hashed){ids[i], i};
        if (end - begin > 1) sort_hashed(items + begin, other, end - begin);
    }
    uint32_t *moved = base_arena_alloc(arena, sizeof *moved * (n + 1u));
    int64_t *weights =
        rows->weights == NULL ? NULL : base_arena_alloc(arena, sizeof *weights * (n + 1u));
    for (uint32_t i = 0; i < n; i++) {
        moved[i] = rows->rows[items[i].row];
        ids[i] = items[i].hash;
        if (weights != NULL) weights[i] = rows->weights[items[i].row];
    }
    rows->rows = moved;
    rows->weights = weights;
}

void join_delta_make(join_op *join, uint32_t which, base_arena *arena, join_delta *d) {
    join_side *side = &join->sides[which];
    bool cancels = !side->grows && side->rows.cancels;
    *d = (join_delta){.batch = flow_pile_concat(&side->pile, arena, side->node)};
    uint32_t total = d->batch->nrows;
    d->rows = base_arena_alloc(arena, sizeof(uint32_t) * (total + 1u));
    d->n = split_nulls(join, side, arena, d, d->rows);
    const uint64_t *hashes = hash_rows(arena, d->batch, join->nkeys, side->keys);
    uint64_t *ids = NULL;
    if (cancels) {
        ids = base_arena_alloc(arena, sizeof(uint64_t) * (total + 1u));
        col_hash_exact(arena, d->batch, side->ncolumns, side->columns, side->types, ids);
    }
    hashed *items = base_arena_alloc(arena, sizeof *items * (d->n + 1u));
    hashed *other = base_arena_alloc(arena, sizeof *items * (d->n + 1u));
    if (cancels) {
        for (uint32_t i = 0; i < d->n; i++) items[i] = (hashed){ids[d->rows[i]], d->rows[i]};
        sort_hashed(items, other, d->n);
        for (uint32_t i = 0; i < d->n; i++) items[i].hash = hashes[items[i].row];
    } else {
        for (uint32_t i = 0; i < d->n; i++) items[i] = (hashed){hashes[d->rows[i]], d->rows[i]};
    }
    sort_hashed(items, other, d->n);
    d->hashes = base_arena_alloc(arena, sizeof(uint64_t) * (d->n + 1u));
    d->ids = cancels ? base_arena_alloc(arena, sizeof(uint64_t) * (d->n + 1u)) : NULL;
    for (uint32_t i = 0; i < d->n; i++) {
        d->rows[i] = items[i].row;
        d->hashes[i] = items[i].hash;
        if (cancels) d->ids[i] = ids[items[i].row];
    }
    take_weights(arena, d, cancels);
    if (cancels) sum_same(d);
    settle_weights(arena, d);
    make_groups(join, side, arena, d);
}
