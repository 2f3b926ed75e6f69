// sort.c - stable sorting of row numbers by several keys.
//
// Method: the range is sorted by the first key; runs of rows equal in it are sorted by the next
// key. A key becomes a 64-bit prefix whose unsigned order agrees with the order of the values:
// exact for integers, times, floats and for decimals of one scale that fit; eight bytes at a time
// of strings; the first eight of uuids; nothing (0) for the rest. Prefixes are sorted by LSD radix
// (large ranges) or merging; runs that the prefix does not tell apart are merged by full
// comparison. Invariants: between keys, perm is the only state; entries and spare are scratch for n
// rows. Entry point: col_sort().
#include "base/must.h"
#include "col/col_int.h"
#include "col/jsonb_order.h"
#include "col/kernel.h"

#define RADIX_ROWS_MIN 256u // below, merging is faster than eight histograms
#define INSERTION_ROWS 16u

typedef struct entry {
    uint64_t prefix;
    uint32_t row;
    uint32_t reserved;
} entry;

typedef struct sorter {
    const col_batch *batch;
    const col_sort_key *keys;
    uint32_t nkeys;
    uint32_t *perm;
    entry *entries;
    entry *spare;
} sorter;

// Whether all values of rows fit 64 bits at one scale, so that the unscaled value orders them.
static bool decimals_are_small(const col_vec *vec, const entry *e, uint32_t n) {
    const base_decimal *in = col_dec(vec);
    for (uint32_t i = 0; i < n; i++) {
        const base_decimal *d = &in[e[i].row];
        if (d->scale != in[e[0].row].scale || d->hi != (int64_t)d->lo >> 63) return false;
    }
    return true;
}

static inline uint64_t bytes_prefix(const char *p, size_t n) {
    uint64_t word = 0;
    memcpy(&word, p, n < 8 ? n : 8);
    return __builtin_bswap64(word);
}

#define SIGN_BIT (1ull << 63)
#define PREFIX_LOOP(cell, expression)                                                              \
    {                                                                                              \
        const cell *in = vec->data;                                                                \
        for (uint32_t i = 0; i < n; i++) {                                                         \
            uint32_t row = e[i].row;                                                               \
            e[i].prefix = (expression);                                                            \
        }                                                                                          \
    }

// Fills the prefixes of e[0..n), no row of which is null; says whether they are exact.
static bool fill_prefixes(const col_vec *vec, entry *e, uint32_t n) {
    switch (col_storage_of(vec)) {
    case COL_ST_U8:
        PREFIX_LOOP(uint8_t, in[row])
        return true;
    case COL_ST_I16:
        PREFIX_LOOP(int16_t, (uint64_t)in[row] ^ SIGN_BIT)
        return true;
    case COL_ST_I32:
        PREFIX_LOOP(int32_t, (uint64_t)in[row] ^ SIGN_BIT)
        return true;
    case COL_ST_U32:
        PREFIX_LOOP(uint32_t, in[row])
        return true;
    case COL_ST_I64:
        PREFIX_LOOP(int64_t, (uint64_t)in[row] ^ SIGN_BIT)
        return true;
    case COL_ST_F32:
        PREFIX_LOOP(float, col_f32_ordered(in[row]))
        return true;
    case COL_ST_F64:
        PREFIX_LOOP(double, col_f64_ordered(in[row]))
        return true;
    case COL_ST_DEC:
        if (decimals_are_small(vec, e, n)) {
            PREFIX_LOOP(base_decimal, in[row].lo ^ SIGN_BIT)
            return true;
        }
        break;
    case COL_ST_UUID:
        PREFIX_LOOP(char, bytes_prefix(in + 16 * (size_t)row, 16))
        return false;
    default:
        break;
    }
    for (uint32_t i = 0; i < n; i++) e[i].prefix = 0;
    return false;
}

// LSD radix over the bytes that differ. The result is in e.
static void radix_sort(entry *e, entry *spare, uint32_t n) {
    uint64_t all_or = 0, all_and = UINT64_MAX;
    for (uint32_t i = 0; i < n; i++) {
        all_or |= e[i].prefix;
        all_and &= e[i].prefix;
    }
    entry *from = e, *to = spare;
    for (int shift = 0; shift < 64; shift += 8) {
        if ((((all_or ^ all_and) >> shift) & 0xff) == 0) continue;
        uint32_t at[256] = {0};
        for (uint32_t i = 0; i < n; i++) at[(from[i].prefix >> shift) & 0xff]++;
        uint32_t sum = 0;
        for (int b = 0; b < 256; b++) {
            uint32_t count = at[b];
            at[b] = sum;
            sum += count;
        }
        for (uint32_t i = 0; i < n; i++) to[at[(from[i].prefix >> shift) & 0xff]++] = from[i];
        entry *swap = from;
        from = to;
        to = swap;
    }
    if (from != e) memcpy(e, from, sizeof(entry) * (size_t)n);
}

// Order of two entries: by prefix if vec is NULL, else by the values.
static inline bool goes_after(const col_vec *vec, bool descending, const entry *a, const entry *b) {
    if (vec == NULL) return a->prefix > b->prefix;
    int c = col_cells_compare(vec, a->row, vec, b->row);
    return descending ? c < 0 : c > 0;
}

static void merge_sort(const col_vec *vec, bool descending, entry *e, entry *spare, uint32_t n) {
    if (n <= INSERTION_ROWS) {
        for (uint32_t i = 1; i < n; i++) {
            entry moving = e[i];
            uint32_t at = i;
            for (; at > 0 && goes_after(vec, descending, &e[at - 1], &moving); at--) {
                e[at] = e[at - 1];
            }
            e[at] = moving;
        }
        return;
    }
    uint32_t half = n / 2;
    merge_sort(vec, descending, e, spare, half);
    merge_sort(vec, descending, e + half, spare, n - half);
    if (!goes_after(vec, descending, &e[half - 1], &e[half])) return; // already in order
    memcpy(spare, e, sizeof(entry) * (size_t)half);
    uint32_t left = 0, right = half, out = 0;
    while (left < half && right < n) {
        e[out++] =
            goes_after(vec, descending, &spare[left], &e[right]) ? e[right++] : spare[left++];
    }
    while (left < half) e[out++] = spare[left++];
}

static void sort_prefixes(entry *e, entry *spare, uint32_t n) {
    if (n >= RADIX_ROWS_MIN) {
        radix_sort(e, spare, n);
    } else {
        merge_sort(NULL, false, e, spare, n);
    }
}

static void sort_range(sorter *s, uint32_t begin, uint32_t n, uint32_t key);

// Ends of runs of equal values in e; each run goes on to the next key.
static void sort_runs(sorter *s, const col_vec *vec, bool exact, uint32_t begin, uint32_t n,
                      uint32_t key) {
    if (key + 1 >= s->nkeys) return;
    // A deeper range overwrites its own part of entries and perm: a run compares against the first
    // entry of its own, not yet sorted deeper.
    uint32_t run = 0;
    for (uint32_t i = 1; i <= n; i++) {
        bool same =
            i < n && (exact ? s->entries[begin + i].prefix == s->entries[begin + run].prefix
                            : col_cells_equal(vec, s->perm[begin + i], vec, s->perm[begin + run]));
        if (same) continue;
        if (i - run > 1) sort_range(s, begin + run, i - run, key + 1);
        run = i;
    }
}

#define STRING_DEPTH_MAX 64 // bytes in which strings are sorted by prefixes; then by comparison

// Sorts strings equal in their first depth bytes, eight bytes at a time. e[..].prefix is scratch.
static void sort_strings(const col_vec *vec, bool descending, entry *e, entry *spare, uint32_t n,
                         size_t depth) {
    const base_str *in = col_str(vec);
    uint64_t flip = descending ? UINT64_MAX : 0;
    for (uint32_t i = 0; i < n; i++) {
        base_str s = in[e[i].row];
        e[i].prefix = (s.n <= depth ? 0 : bytes_prefix(s.p + depth, s.n - depth)) ^ flip;
    }
    sort_prefixes(e, spare, n);
    uint32_t run = 0;
    for (uint32_t i = 1; i <= n; i++) {
        if (i < n && e[i].prefix == e[run].prefix) continue;
        uint32_t count = i - run;
        size_t shortest = SIZE_MAX, longest = 0;
        for (uint32_t j = run; j < i && count > 1; j++) {
            size_t length = in[e[j].row].n;
            if (length < shortest) shortest = length;
            if (length > longest) longest = length;
        }
        // Strings that end here and are of one length are equal. Of several lengths they differ in
        // zero bytes at the end, which the prefix does not tell.
        if (count > 1 && (shortest > depth + 8 || longest > shortest)) {
            if (shortest > depth + 8 && depth < STRING_DEPTH_MAX) {
                sort_strings(vec, descending, e + run, spare, count, depth + 8);
            } else {
                merge_sort(vec, descending, e + run, spare, count);
            }
        }
        run = i;
    }
}

// Sorts e[0..n), none null, by a key.
static bool sort_values(const col_vec *vec, bool descending, entry *e, entry *spare, uint32_t n) {
    if (col_storage_of(vec) == COL_ST_STR) {
        sort_strings(vec, descending, e, spare, n, 0);
        return false;
    }
    bool exact = fill_prefixes(vec, e, n);
    if (descending) {
        for (uint32_t i = 0; i < n; i++) e[i].prefix = ~e[i].prefix;
    }
    sort_prefixes(e, spare, n);
    if (exact) return true;
    uint32_t run = 0;
    for (uint32_t i = 1; i <= n; i++) {
        if (i < n && e[i].prefix == e[run].prefix) continue;
        if (i - run > 1) merge_sort(vec, descending, e + run, spare, i - run);
        run = i;
    }
    return false;
}

// Sorts perm[begin, begin + n), whose rows are equal in all keys before key.
static void sort_range(sorter *s, uint32_t begin, uint32_t n, uint32_t key) {
    const col_sort_key *k = &s->keys[key];
    const col_vec *vec = &s->batch->cols[k->col];
    uint32_t *perm = s->perm + begin;
    // entries[begin..] belongs to this range: a deeper range overwrites only its own part, and its
    // run has been found by then.
    entry *e = s->entries + begin;
    uint32_t nnull = 0;
    if (vec->nulls != NULL) {
        for (uint32_t i = 0; i < n; i++) nnull += vec->nulls[perm[i]];
    }
    if (col_storage_of(vec) == COL_ST_NONE) nnull = n;
    uint32_t nvalues = n - nnull;
    uint32_t value_at = k->nulls_first ? nnull : 0;
    uint32_t null_at = k->nulls_first ? 0 : nvalues;
    for (uint32_t i = 0; i < n; i++) {
        bool null = nnull != 0 && (nnull == n || vec->nulls[perm[i]] != 0);
        e[null ? null_at++ : value_at++] = (entry){0, perm[i], 0};
    }
    uint32_t values_begin = k->nulls_first ? nnull : 0;
    uint32_t nulls_begin = k->nulls_first ? 0 : nvalues;
    bool exact = true;
    if (nvalues != 0) {
        exact = sort_values(vec, k->descending, e + values_begin, s->spare, nvalues);
    }
    for (uint32_t i = 0; i < n; i++) perm[i] = e[i].row;
    if (nnull > 1 && key + 1 < s->nkeys) sort_range(s, begin + nulls_begin, nnull, key + 1);
    if (nvalues > 1) sort_runs(s, vec, exact, begin + values_begin, nvalues, key);
}

// The batch with the ordered bytes of jsonb columns in place of these.
static const col_batch *with_json_keys(base_arena *arena, const col_batch *batch, uint32_t nkeys,
                                       const col_sort_key *keys) {
    col_batch *copy = NULL;
    for (uint32_t k = 0; k < nkeys; k++) {
        if (col_storage_of(&batch->cols[keys[k].col]) != COL_ST_JSON) continue;
        if (copy == NULL) {
            copy = base_arena_new(arena, col_batch);
            *copy = *batch;
            copy->cols = base_arena_array(arena, col_vec, batch->ncols);
            memcpy(copy->cols, batch->cols, sizeof(col_vec) * batch->ncols);
        }
        col_vec *vec = &copy->cols[keys[k].col];
        if (col_storage_of(vec) == COL_ST_JSON) *vec = *col_jsonb_keys(arena, vec);
    }
    return copy == NULL ? batch : copy;
}

uint32_t *col_sort(base_arena *arena, const col_batch *batch, uint32_t nkeys,
                   const col_sort_key *keys) {
    uint32_t n = batch->nrows;
    uint32_t *perm = base_arena_alloc(arena, 4 * (size_t)n);
    for (uint32_t i = 0; i < n; i++) perm[i] = i;
    for (uint32_t k = 0; k < nkeys; k++) must(keys[k].col < batch->ncols);
    if (nkeys == 0 || n < 2) return perm;
    sorter s = {.batch = with_json_keys(arena, batch, nkeys, keys),
                .keys = keys,
                .nkeys = nkeys,
                .perm = perm};
    s.entries = base_arena_alloc(arena, sizeof(entry) * (size_t)n);
    s.spare = base_arena_alloc(arena, sizeof(entry) * (size_t)n);
    sort_range(&s, 0, n, 0);
    return perm;
}
