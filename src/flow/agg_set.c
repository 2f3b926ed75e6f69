// agg_set.c - multisets of values by group. Delta rule: a value's counts are linear; it is there
// for a filter while that count is positive. Invariants: a row is in the table while one of its
// counts is not 0; a row's bytes hold the columns if any aggregate reads them back. Entry points:
// agg_set_add, agg_set_merge, agg_set_read, agg_set_extreme.
#include "flow/agg_set.h"

#include <stdlib.h>

#include "base/hash.h"
#include "flow/agg_sketch.h"

#define HASH_BYTES 16u

// Numbers kept with a value: a count a filter; of marks, then a sum of prints a filter.
static uint32_t nweights(const agg_set *set) {
    return set->coding == AGG_MARKS ? 2 * set->nfilters : set->nfilters;
}

void agg_set_init(agg_set *set, base_arena *arena) {
    col_type *types = base_arena_array(arena, col_type, set->ncols + 1u);
    types[0] = col_type_of(COL_INT8);
    memcpy(types + 1, set->types, sizeof *types * set->ncols);
    flow_groups_init(&set->pairs, arena, set->ncols + 1u, types);
}

void agg_set_clear(agg_set *set) {
    flow_groups_clear(&set->pairs);
    if (set->cap > 65536 && set->pairs.cap < set->cap / 16) {
        free(set->weights);
        set->weights = NULL;
        set->cap = 0;
    }
}

void agg_set_deinit(agg_set *set) {
    flow_groups_deinit(&set->pairs);
    free(set->weights);
}

size_t agg_set_bytes(const agg_set *set) {
    return flow_groups_bytes(&set->pairs) + sizeof(int64_t) * nweights(set) * set->cap;
}

// ------------------------------------------------------------------------------------ taking in

// Rows that are values for some filter; NULL: all are.
static uint32_t *select_rows(const agg_set *set, base_arena *arena, uint32_t n,
                             const col_vec *const *slots, const uint8_t *const *masks,
                             uint32_t *kept) {
    bool all = true, everyone = false;
    for (uint32_t f = 0; f < set->nfilters; f++) everyone |= set->filters[f] == AGG_NONE;
    all = everyone;
    for (uint32_t s = 0; s < set->nstrict; s++) all &= slots[set->strict[s]]->nulls == NULL;
    *kept = n;
    if (all) return NULL;
    uint8_t *keep = base_arena_alloc(arena, n + 1u);
    memset(keep, everyone ? 1 : 0, n);
    for (uint32_t f = 0; f < set->nfilters && !everyone; f++) {
        const uint8_t *mask = masks[set->filters[f]];
        for (uint32_t i = 0; i < n; i++) keep[i] |= mask[i];
    }
    for (uint32_t s = 0; s < set->nstrict; s++) {
        const uint8_t *nulls = slots[set->strict[s]]->nulls;
        if (nulls == NULL) continue;
        for (uint32_t i = 0; i < n; i++) keep[i] &= !nulls[i];
    }
    uint32_t *sel = base_arena_alloc(arena, sizeof(uint32_t) * (n + 1u));
    *kept = col_select(keep, n, sel);
    return *kept == n ? NULL : sel;
}

static void add_weights(agg_set *set, uint32_t n, const uint32_t *sel, const uint32_t *pair_of,
                        const uint8_t *const *masks, const int64_t *weights,
                        const uint32_t *prints) {
    uint32_t nf = set->nfilters, stride = nweights(set);
    for (uint32_t f = 0; f < nf; f++) {
        const uint8_t *mask = set->filters[f] == AGG_NONE ? NULL : masks[set->filters[f]];
        int64_t *into = set->weights + f;
        for (uint32_t i = 0; i < n; i++) {
            uint32_t row = sel == NULL ? i : sel[i];
            int64_t weight = weights == NULL ? 1 : weights[row];
            if (mask != NULL && !mask[row]) weight = 0;
            into[(size_t)pair_of[i] * stride] += weight;
            if (prints != NULL) into[(size_t)pair_of[i] * stride + nf] += weight * prints[i];
        }
    }
}

// Codes in place of values; prints of marks, else NULL.
static const uint32_t *encode_first(const agg_set *set, base_arena *arena, col_vec *values) {
    col_vec codes;
    const uint32_t *prints = NULL;
    if (set->coding == AGG_MARKS) {
        agg_marks_of(arena, values, &codes, &prints);
    } else {
        agg_buckets_of(arena, values, set->error, &codes);
    }
    *values = codes;
    return prints;
}

void agg_set_add(agg_set *set, flow_ctx *ctx, const uint32_t *group_of, uint32_t n,
                 const col_vec *const *slots, const uint8_t *const *masks, const int64_t *weights) {
    base_arena *arena = ctx->arena;
    uint32_t m;
    const uint32_t *sel = select_rows(set, arena, n, slots, masks, &m);
    if (m == 0) return;
    uint32_t ncols = set->ncols + 1;
    col_batch pairs = {ncols, m, base_arena_array(arena, col_vec, ncols), NULL};
    pairs.cols[0] = (col_vec){.type = col_type_of(COL_INT8), .n = m};
    pairs.cols[0].data = base_arena_alloc(arena, sizeof(int64_t) * m);
    for (uint32_t i = 0; i < m; i++) {
        col_i64(&pairs.cols[0])[i] = group_of[sel == NULL ? i : sel[i]];
    }
    for (uint32_t c = 0; c < set->nslots; c++) {
        const col_vec *vec = slots[set->slots[c]];
        pairs.cols[1 + c] = sel == NULL ? *vec : *col_vec_gather(arena, vec, sel, m);
    }
    const uint32_t *prints =
        set->coding == AGG_AS_IT_IS ? NULL : encode_first(set, arena, &pairs.cols[1]);
    uint32_t *all = base_arena_alloc(arena, sizeof(uint32_t) * ncols);
    for (uint32_t c = 0; c < ncols; c++) all[c] = c;
    if (set->tagged)
        pairs.cols[ncols - 1] = *col_tags(arena, &pairs, set->nslots, all + 1, set->types);
    uint64_t *hashes = base_arena_alloc(arena, sizeof(uint64_t) * m);
    uint32_t *pair_of = base_arena_alloc(arena, sizeof(uint32_t) * m);
    col_hash(&pairs, ncols, all, hashes);
    uint32_t before = set->pairs.n;
    flow_groups_find(&set->pairs, arena, flow_step_arena(ctx), &pairs, hashes, pair_of);
    size_t row = sizeof(int64_t) * nweights(set);
    if (set->pairs.cap > set->cap) {
        set->weights = realloc(set->weights, row * set->pairs.cap);
        must(set->weights != NULL);
        set->cap = set->pairs.cap;
    }
    memset((char *)set->weights + row * before, 0, row * (set->pairs.n - before));
    add_weights(set, m, sel, pair_of, masks, weights, prints);
}

// ------------------------------------------------------------------------------------ keys

// Encodings of values by column, those of descending columns inverted, joined.
static void encode_ordered(const agg_set *set, base_arena *arena, const col_batch *rows,
                           base_str *out) {
    uint32_t n = rows->nrows;
    base_buf joined = {0};
    base_str *parts = base_arena_alloc(arena, sizeof(base_str) * ((size_t)n * set->ncols + 1));
    for (uint32_t c = 0; c < set->ncols; c++) {
        const col_sort_key *key = &set->order[c];
        base_str *own = parts + (size_t)c * n;
        col_key_encode_batch(arena, rows, 1, &c, own);
        for (uint32_t i = 0; i < n && (key->descending || key->nulls_first); i++) {
            char *p = (char *)(uintptr_t)own[i].p; // made for us just now
            for (size_t b = 0; key->descending && b < own[i].n; b++) p[b] = (char)~p[b];
            if (col_is_null(&rows->cols[c], i)) p[0] = (char)(key->nulls_first ? 0 : 0xff);
        }
    }
    for (uint32_t i = 0; i < n; i++) {
        base_buf_clear(&joined);
        for (uint32_t c = 0; c < set->ncols; c++) {
            base_buf_add_str(&joined, parts[(size_t)c * n + i]);
        }
        out[i] = (base_str){base_arena_memdup(arena, joined.p, joined.n), joined.n};
    }
    base_buf_deinit(&joined);
}

static void encode_values(const agg_set *set, base_arena *arena, const col_batch *rows,
                          base_str *out) {
    bool plain = true;
    uint32_t *all = base_arena_alloc(arena, sizeof(uint32_t) * set->ncols);
    for (uint32_t c = 0; c < set->ncols; c++) {
        plain = plain && !set->order[c].descending && !set->order[c].nulls_first;
        all[c] = c;
    }
    if (plain) {
        col_key_encode_batch(arena, rows, set->ncols, all, out);
    } else {
        encode_ordered(set, arena, rows, out);
    }
}

static void add_value_key(base_buf *buf, base_str value) {
    if (value.n <= AGG_SET_KEY) {
        base_buf_add_str(buf, value);
        return;
    }
    uint8_t hash[HASH_BYTES];
    base_hash128(value.p, value.n, hash);
    base_buf_add(buf, value.p, AGG_SET_KEY);
    base_buf_add(buf, hash, sizeof hash);
}

#define PART_PAIRS 2048u // fewer are not worth a thread's waking up

typedef struct key_making {
    const agg_set *set;
    const col_batch *rows; // of all pairs
    uint32_t n, parts;
    const uint32_t *pairs; // chosen
    const base_str *group_keys;
    base_str *keys;
} key_making;

static void make_keys(void *arg, uint32_t part, base_arena *arena) {
    const key_making *m = arg;
    const agg_set *set = m->set;
    uint32_t begin = (uint32_t)plat_part_begin(m->n, m->parts, part);
    uint32_t n = (uint32_t)plat_part_begin(m->n, m->parts, part + 1) - begin;
    const uint32_t *pairs = m->pairs + begin;
    base_str *keys = m->keys + begin;
    bool all = m->n == m->rows->nrows;
    const col_batch *chosen = all ? col_batch_slice(arena, m->rows, begin, n)
                                  : col_batch_gather(arena, m->rows, pairs, n);
    encode_values(set, arena, chosen, keys);
    const int64_t *group_of = col_i64(&set->pairs.keys[0]);
    base_buf buf = {0};
    for (uint32_t i = 0; i < n; i++) {
        base_buf_clear(&buf);
        base_buf_add_str(&buf, m->group_keys[group_of[pairs[i]]]);
        base_buf_add_byte(&buf, (uint8_t)set->number);
        add_value_key(&buf, keys[i]);
        char *p = base_arena_alloc_aligned(arena, buf.n, 1);
        memcpy(p, buf.p, buf.n);
        keys[i] = (base_str){p, buf.n};
    }
    base_buf_deinit(&buf);
}

// The state keys of chosen pairs.
static base_str *state_keys(const agg_set *set, flow_ctx *ctx, uint32_t n, const uint32_t *pairs,
                            const base_str *group_keys) {
    base_arena *arena = ctx->arena;
    const col_batch *all = flow_groups_batch(&set->pairs, arena, 0, set->pairs.n);
    col_batch rows = {set->ncols, all->nrows, all->cols + 1, NULL};
    key_making m = {.set = set,
                    .rows = &rows,
                    .n = n,
                    .parts = plat_workers_parts(ctx->workers, n, PART_PAIRS),
                    .pairs = pairs,
                    .group_keys = group_keys,
                    .keys = base_arena_alloc(arena, sizeof(base_str) * (n + 1u))};
    plat_workers_each_in(ctx->workers, arena, m.parts, make_keys, &m);
    return m.keys;
}

// ------------------------------------------------------------------------------------ counts

void agg_set_add_count(base_buf *buf, int64_t count) {
    uint64_t v = (uint64_t)count << 1 ^ (uint64_t)(count >> 63);
    for (; v >= 0x80; v >>= 7) base_buf_add_byte(buf, (uint8_t)(v | 0x80));
    base_buf_add_byte(buf, (uint8_t)v);
}

static base_rc corrupt(base_str bytes, base_error *err) {
    return base_fail(err, BASE_E_CORRUPT, NULL, "a counted value has %zu bytes, which do not fit",
                     bytes.n);
}

bool agg_set_read_count(base_str bytes, size_t *at, int64_t *count) {
    uint64_t v = 0;
    for (uint32_t shift = 0;; shift += 7) {
        if (*at == bytes.n || shift > 63) return false;
        uint8_t byte = (uint8_t)bytes.p[(*at)++];
        v |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) break;
    }
    *count = (int64_t)(v >> 1 ^ -(v & 1));
    return true;
}

// The counts of a stored row; *at is where its columns begin.
static base_rc read_counts(const agg_set *set, base_str bytes, int64_t *counts, size_t *at,
                           base_error *err) {
    *at = 0;
    for (uint32_t f = 0; f < nweights(set); f++)
        if (!agg_set_read_count(bytes, at, &counts[f])) return corrupt(bytes, err);
    return BASE_OK;
}

static void moves_init(agg_moves *moves, base_arena *arena, uint32_t nfilters, uint32_t n) {
    for (uint32_t f = 0; f < nfilters; f++) {
        moves[f].n = 0;
        moves[f].pairs = base_arena_alloc(arena, sizeof(uint32_t) * (n + 1u));
        moves[f].groups = base_arena_alloc(arena, sizeof(uint32_t) * (n + 1u));
        moves[f].signs = base_arena_alloc(arena, sizeof(int64_t) * (n + 1u));
    }
}

static void note_move(agg_moves *moves, uint32_t pair, uint32_t group, int64_t sign) {
    moves->pairs[moves->n] = pair;
    moves->groups[moves->n] = group;
    moves->signs[moves->n++] = sign;
}

// Pairs whose weight for some filter is not 0.
static uint32_t changed_pairs(const agg_set *set, base_arena *arena, uint32_t **pairs) {
    uint32_t n = 0, nw = nweights(set);
    *pairs = base_arena_alloc(arena, sizeof(uint32_t) * (set->pairs.n + 1u));
    for (uint32_t i = 0; i < set->pairs.n; i++) {
        bool any = false;
        for (uint32_t k = 0; k < nw; k++) any |= set->weights[(size_t)i * nw + k] != 0;
        (*pairs)[n] = i;
        n += any;
    }
    return n;
}

// What a value with these numbers counts for in a filter.
static int level_of(const agg_set *set, const int64_t *numbers, uint32_t f) {
    if (set->coding == AGG_MARKS) return agg_mark_level(numbers[f], numbers[set->nfilters + f]);
    return numbers[f] > 0;
}

// A pair's numbers after the step, with what befell it noted; empty: the row goes.
static base_rc change_pair(agg_set *set, uint32_t pair, base_str stored, agg_moves *moves,
                           base_buf *buf, base_error *err) {
    uint32_t nf = set->nfilters, nw = nweights(set);
    uint32_t group = (uint32_t)col_i64(&set->pairs.keys[0])[pair];
    int64_t before[2 * AGG_SET_FILTERS] = {0}, after[2 * AGG_SET_FILTERS];
    const int64_t *weights = set->weights + (size_t)pair * nw;
    bool any = false;
    if (stored.p != NULL) {
        size_t at;
        base_rc rc = read_counts(set, stored, before, &at, err);
        if (rc != BASE_OK) return rc;
    }
    base_buf_clear(buf);
    for (uint32_t k = 0; k < nw; k++) {
        after[k] = before[k] + weights[k];
        any |= after[k] != 0;
        agg_set_add_count(buf, after[k]);
    }
    for (uint32_t f = 0; f < nf; f++) {
        if (weights[f] == 0 && (nw == nf || weights[nf + f] == 0)) continue;
        uint8_t *changed = &set->changed[(size_t)group * nf + f];
        int64_t sign = level_of(set, after, f) - level_of(set, before, f);
        *changed |= AGG_SET_CHANGED | (sign < 0 ? AGG_SET_WENT : 0);
        if (sign != 0) note_move(&moves[f], pair, group, sign);
    }
    if (!any) base_buf_clear(buf);
    for (uint32_t c = 0; any && set->cells && c < set->ncols; c++) {
        col_cell_encode(buf, agg_set_column(set, c), pair);
    }
    return BASE_OK;
}

base_rc agg_set_merge(agg_set *set, flow_ctx *ctx, state_table table, const base_str *group_keys,
                      uint32_t ngroups, agg_moves *moves, base_error *err) {
    base_arena *arena = ctx->arena;
    uint32_t *pairs, n = changed_pairs(set, arena, &pairs);
    set->changed = base_arena_zalloc(arena, (size_t)ngroups * set->nfilters + 1);
    moves_init(moves, arena, set->nfilters, n);
    set->ntouched = n;
    if (n == 0) return BASE_OK;
    base_str *keys = state_keys(set, ctx, n, pairs, group_keys);
    const uint32_t *order = col_keys_sort(ctx->workers, arena, n, keys);
    base_str *in_order = base_arena_alloc(arena, sizeof(base_str) * n);
    base_str *stored = base_arena_array(arena, base_str, n);
    for (uint32_t i = 0; i < n; i++) in_order[i] = keys[order[i]];
    set->touched = in_order;
    base_rc rc = state_get_batch(ctx->txn, table, n, in_order, stored, err);
    base_buf buf = {0};
    for (uint32_t i = 0; i < n && rc == BASE_OK; i++) {
        rc = change_pair(set, pairs[order[i]], stored[i], moves, &buf, err);
        if (rc != BASE_OK) break;
        char *p = buf.n == 0 ? NULL : base_arena_alloc_aligned(arena, buf.n, 1);
        if (buf.n > 0) memcpy(p, buf.p, buf.n);
        stored[i] = (base_str){p, buf.n};
    }
    base_buf_deinit(&buf);
    return rc == BASE_OK ? state_put_batch(ctx->txn, table, n, in_order, stored, err) : rc;
}

void agg_set_take(agg_set *set, flow_ctx *ctx, uint32_t ngroups, agg_moves *moves) {
    uint32_t nf = set->nfilters, nw = nweights(set);
    set->changed = base_arena_zalloc(ctx->arena, (size_t)ngroups * nf + 1);
    moves_init(moves, ctx->arena, nf, set->pairs.n);
    for (uint32_t i = 0; i < set->pairs.n; i++) {
        uint32_t group = (uint32_t)col_i64(&set->pairs.keys[0])[i];
        for (uint32_t f = 0; f < nf; f++) {
            int level = level_of(set, set->weights + (size_t)i * nw, f);
            if (level == 0) continue;
            set->changed[(size_t)group * nf + f] |= AGG_SET_CHANGED;
            note_move(&moves[f], i, group, level);
        }
    }
}

// ------------------------------------------------------------------------------------ reading

void agg_set_sort(const agg_set *set, flow_ctx *ctx, uint32_t ngroups, agg_rows *rows,
                  uint32_t **starts) {
    base_arena *arena = ctx->arena;
    uint32_t n = set->pairs.n, nf = set->nfilters;
    const col_batch *all = flow_groups_batch(&set->pairs, arena, 0, n);
    col_sort_key *keys = base_arena_array(arena, col_sort_key, set->ncols + 1u);
    for (uint32_t c = 0; c < set->ncols; c++) {
        keys[c + 1] = set->order[c];
        keys[c + 1].col = c + 1;
    }
    uint32_t *order = col_sort(arena, all, set->ncols + 1u, keys);
    const col_batch *sorted = col_batch_gather(arena, all, order, n);
    int64_t *counts = base_arena_alloc(arena, sizeof(int64_t) * ((size_t)n * nf + 1));
    for (uint32_t i = 0; i < n; i++) {
        memcpy(counts + (size_t)i * nf, set->weights + (size_t)order[i] * nf, sizeof *counts * nf);
    }
    *starts = base_arena_array(arena, uint32_t, ngroups + 2u);
    for (uint32_t i = 0; i < n; i++) (*starts)[col_i64(&sorted->cols[0])[i] + 1]++;
    for (uint32_t g = 0; g < ngroups; g++) (*starts)[g + 1] += (*starts)[g];
    col_batch *columns = base_arena_new(arena, col_batch);
    *columns = (col_batch){set->ncols, n, sorted->cols + 1, NULL};
    *rows = (agg_rows){.rows = columns, .n = n, .counts = counts, .nfilters = nf};
}

base_str agg_set_prefix(base_arena *arena, base_str group_key, uint32_t number) {
    char *p = base_arena_alloc_aligned(arena, group_key.n + 1, 1);
    memcpy(p, group_key.p, group_key.n);
    p[group_key.n] = (char)number;
    return (base_str){p, group_key.n + 1};
}

static bool is_hashed(base_str key, base_str prefix) {
    return key.n - prefix.n == AGG_SET_KEY + HASH_BYTES;
}

typedef struct value_list {
    base_str *keys, *values;
    uint32_t n, cap;
    bool hashed;
} value_list;

static void list_add(value_list *list, base_arena *arena, base_str key, base_str value,
                     bool with_keys) {
    if (list->n == list->cap) {
        uint32_t cap = list->cap == 0 ? 64 : list->cap * 2;
        base_str *keys = base_arena_alloc(arena, sizeof(base_str) * (with_keys ? cap : 1));
        base_str *values = base_arena_alloc(arena, sizeof(base_str) * cap);
        if (list->n > 0) memcpy(values, list->values, sizeof *values * list->n);
        if (list->n > 0 && with_keys) memcpy(keys, list->keys, sizeof *keys * list->n);
        list->keys = keys;
        list->values = values;
        list->cap = cap;
    }
    if (with_keys) list->keys[list->n] = (base_str){base_arena_memdup(arena, key.p, key.n), key.n};
    list->values[list->n++] = value;
}

static base_rc list_values(base_arena *arena, state_cursor *cursor, base_str prefix, base_str from,
                           base_str until, bool with_keys, value_list *list, base_error *err) {
    base_str key, value;
    bool end;
    base_rc rc = state_cursor_seek(cursor, from, &key, &value, &end, err);
    while (rc == BASE_OK && !end && base_str_starts(key, prefix)) {
        if (until.p != NULL && base_str_cmp(key, until) >= 0) break;
        list_add(list, arena, key, value, with_keys);
        list->hashed |= is_hashed(key, prefix);
        rc = state_cursor_next(cursor, &key, &value, &end, err);
    }
    return rc;
}

static base_rc decode_row(const agg_set *set, base_arena *arena, base_str bytes, col_batch *rows,
                          uint32_t row, int64_t *counts, base_error *err) {
    size_t at;
    base_rc rc = read_counts(set, bytes, counts, &at, err);
    for (uint32_t c = 0; c < set->ncols && rc == BASE_OK; c++) {
        rc = col_cell_decode(bytes, &at, &rows->cols[c], row, arena, err);
    }
    return rc;
}

base_rc agg_set_read_range(const agg_set *set, base_arena *arena, state_cursor *cursor,
                           base_str prefix, base_str from, base_str until, agg_rows *rows,
                           base_str **keys, base_error *err) {
    value_list list = {0};
    base_rc rc = list_values(arena, cursor, prefix, from, until, keys != NULL, &list, err);
    if (rc != BASE_OK) return rc;
    if (keys != NULL) *keys = list.keys;
    uint32_t n = list.n, nf = set->nfilters;
    col_batch *batch = col_batch_create(arena, set->ncols, set->types, n);
    int64_t *counts = base_arena_alloc(arena, sizeof(int64_t) * ((size_t)n * nf + 1));
    for (uint32_t i = 0; i < n && rc == BASE_OK; i++) {
        rc = decode_row(set, arena, list.values[i], batch, i, counts + (size_t)i * nf, err);
    }
    if (rc != BASE_OK) return rc;
    if (list.hashed) {
        uint32_t *order = col_sort(arena, batch, set->ncols, set->order);
        batch = col_batch_gather(arena, batch, order, n);
        int64_t *moved = base_arena_alloc(arena, sizeof(int64_t) * ((size_t)n * nf + 1));
        for (uint32_t i = 0; i < n; i++) {
            memcpy(moved + (size_t)i * nf, counts + (size_t)order[i] * nf, sizeof *moved * nf);
        }
        counts = moved;
    }
    *rows = (agg_rows){.rows = batch, .n = n, .counts = counts, .nfilters = nf};
    return BASE_OK;
}

base_rc agg_set_read(const agg_set *set, base_arena *arena, state_cursor *cursor,
                     base_str group_key, agg_rows *rows, base_error *err) {
    base_str prefix = agg_set_prefix(arena, group_key, set->number);
    return agg_set_read_range(set, arena, cursor, prefix, prefix, (base_str){NULL, 0}, rows, NULL,
                              err);
}

// Beyond AGG_SET_KEY bytes keys are in no order: of all that begin alike the best is taken.
base_rc agg_set_extreme(const agg_set *set, base_arena *arena, state_cursor *cursor,
                        base_str group_key, bool last, const col_vec **value, base_error *err) {
    must(set->single && set->cells);
    *value = NULL;
    base_str own = agg_set_prefix(arena, group_key, set->number), key, bytes, alike = own;
    base_str from = last ? agg_set_prefix(arena, group_key, set->number + 1) : own;
    bool end;
    base_rc rc = state_cursor_seek(cursor, from, &key, &bytes, &end, err);
    if (rc == BASE_OK && last) {
        rc = end ? state_cursor_last(cursor, &key, &bytes, &end, err)
                 : state_cursor_prev(cursor, &key, &bytes, &end, err);
    }
    while (rc == BASE_OK && !end && base_str_starts(key, alike)) {
        bool hashed = is_hashed(key, own);
        base_str beginning = {base_arena_memdup(arena, key.p, key.n), key.n};
        col_batch *row = col_batch_create(arena, set->ncols, set->types, 1);
        int64_t count;
        rc = decode_row(set, arena, bytes, row, 0, &count, err);
        if (rc != BASE_OK) break;
        if (count > 0) {
            int order = *value == NULL ? 0 : col_cells_compare(&row->cols[0], 0, *value, 0);
            if (*value == NULL || (last ? order > 0 : order < 0)) *value = &row->cols[0];
            if (!hashed) break;
            if (alike.n == own.n) alike = (base_str){beginning.p, own.n + AGG_SET_KEY};
        }
        rc = last ? state_cursor_prev(cursor, &key, &bytes, &end, err)
                  : state_cursor_next(cursor, &key, &bytes, &end, err);
    }
    return rc;
}
