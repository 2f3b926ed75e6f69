// agg_rank.c - blocks of values with totals; see agg_rank.h. Delta rule: a block's totals are
// worked out anew from its values when one of them changed; a block that has grown is divided, one
// without values goes and its room falls to the one before. Invariants: blocks of a group are in
// order and cover all of it; equal values are in one block, and so are keys that end in a hash and
// begin alike, which are in no order. Entry points: agg_rank_group, agg_rank_at, agg_rank_most.
#include "flow/agg_rank.h"

#define BUILD_ROWS 1024u // from so many values on a group has blocks
#define DROP_ROWS  256   // below so many it has none
#define SPLIT_ROWS 512u  // a larger block is divided
#define BLOCK_ROWS 256u  // into such

bool agg_rank_serves(plan_agg_id id) {
    return id == PLAN_AGG_MODE || id == PLAN_AGG_PERCENTILE_CONT || id == PLAN_AGG_PERCENTILE_DISC;
}

// ------------------------------------------------------------------------------------ writes

static void add_write(flow_ctx *ctx, agg_writes *writes, base_str key, base_str value) {
    if (writes->n == writes->cap) {
        uint32_t cap = writes->cap == 0 ? 64 : writes->cap * 2;
        base_str *keys = base_arena_alloc(ctx->arena, sizeof(base_str) * cap);
        base_str *values = base_arena_alloc(ctx->arena, sizeof(base_str) * cap);
        if (writes->n > 0) memcpy(keys, writes->keys, sizeof *keys * writes->n);
        if (writes->n > 0) memcpy(values, writes->values, sizeof *values * writes->n);
        writes->keys = keys;
        writes->values = values;
        writes->cap = cap;
    }
    writes->keys[writes->n] = (base_str){base_arena_memdup(ctx->arena, key.p, key.n), key.n};
    writes->values[writes->n] = value;
    if (value.p != NULL)
        writes->values[writes->n].p = base_arena_memdup(ctx->arena, value.p, value.n);
    writes->n++;
}

static void write_block(const agg_set *set, flow_ctx *ctx, agg_writes *writes,
                        const agg_block *block) {
    base_buf buf = {0};
    agg_set_add_count(&buf, block->rows);
    for (uint32_t f = 0; f < set->nfilters; f++) {
        agg_set_add_count(&buf, block->total[f]);
        agg_set_add_count(&buf, block->most[f]);
    }
    add_write(ctx, writes, block->begin, base_buf_str(&buf));
    base_buf_deinit(&buf);
}

base_rc agg_rank_write(flow_ctx *ctx, state_table table, const agg_writes *writes,
                       base_error *err) {
    uint32_t n = writes->n;
    if (n == 0) return BASE_OK;
    const uint32_t *order = flow_keys_sort(ctx->arena, n, writes->keys);
    base_str *keys = base_arena_alloc(ctx->arena, sizeof(base_str) * n);
    base_str *values = base_arena_alloc(ctx->arena, sizeof(base_str) * n);
    for (uint32_t i = 0; i < n; i++) {
        keys[i] = writes->keys[order[i]];
        values[i] = writes->values[order[i]];
    }
    return state_put_batch(ctx->txn, table, n, keys, values, err);
}

// ------------------------------------------------------------------------------------ blocks

static agg_block make_block(const agg_set *set, base_arena *arena, base_str begin) {
    return (agg_block){.begin = begin,
                       .total = base_arena_array(arena, int64_t, set->nfilters),
                       .most = base_arena_array(arena, int64_t, set->nfilters)};
}

static bool same_value(const agg_set *set, const agg_rows *rows, uint32_t a, uint32_t b) {
    for (uint32_t c = 0; c < set->nslots; c++) {
        const col_vec *vec = &rows->rows->cols[c];
        if (!col_cells_equal(vec, a, vec, b)) return false;
    }
    return true;
}

// The totals of rows [from, to). Values that are equal and look different stand side by side.
static void count_block(const agg_set *set, const agg_rows *rows, uint32_t from, uint32_t to,
                        agg_block *block) {
    block->rows = to - from;
    for (uint32_t f = 0; f < set->nfilters; f++) {
        int64_t times = 0;
        for (uint32_t i = from; i < to; i++) {
            int64_t count = rows->counts[(size_t)i * set->nfilters + f];
            bool repeats = set->tagged && i > from && same_value(set, rows, i - 1, i);
            if (!repeats) times = 0;
            times += count > 0 ? count : 0;
            block->total[f] += count > 0 ? count : 0;
            if (times > block->most[f]) block->most[f] = times;
        }
    }
}

static base_str beginning(base_str key, base_str prefix) {
    size_t most = prefix.n + AGG_SET_KEY;
    return (base_str){key.p, key.n < most ? key.n : most};
}

static bool may_divide(const agg_ranks *r, const agg_rows *rows, const base_str *keys, uint32_t i) {
    if (base_str_eq(beginning(keys[i - 1], r->prefix), beginning(keys[i], r->prefix))) return false;
    return !r->set->tagged || !same_value(r->set, rows, i - 1, i);
}

// Rows as blocks, the first of which begins where it is told to; written.
static void divide(agg_ranks *r, flow_ctx *ctx, base_str begin, const agg_rows *rows,
                   const base_str *keys, agg_block *out, uint32_t *n, agg_writes *writes) {
    uint32_t from = 0;
    bool divides = rows->n > SPLIT_ROWS;
    for (uint32_t i = 1; i <= rows->n || from == 0; i++) {
        bool ends = i >= rows->n;
        if (!ends && (!divides || i - from < BLOCK_ROWS || !may_divide(r, rows, keys, i))) continue;
        if (ends) i = rows->n;
        out[*n] = make_block(r->set, r->arena, from == 0 ? begin : keys[from]);
        count_block(r->set, rows, from, i, &out[*n]);
        write_block(r->set, ctx, writes, &out[(*n)++]);
        from = i;
        if (ends) return;
    }
}

// ------------------------------------------------------------------------------------ reading

static base_rc corrupt(base_error *err) {
    return base_fail(err, BASE_E_CORRUPT, NULL, "a stored block of values does not fit");
}

static base_rc read_block(const agg_set *set, base_arena *arena, base_str key, base_str value,
                          agg_block *block, base_error *err) {
    size_t at = 0;
    *block = make_block(set, arena, (base_str){base_arena_memdup(arena, key.p, key.n), key.n});
    bool good = agg_set_read_count(value, &at, &block->rows);
    for (uint32_t f = 0; good && f < set->nfilters; f++)
        good = agg_set_read_count(value, &at, &block->total[f]) &&
               agg_set_read_count(value, &at, &block->most[f]);
    return good && at == value.n ? BASE_OK : corrupt(err);
}

static base_rc read_blocks(agg_ranks *r, state_cursor *cursor, base_error *err) {
    base_str key, value;
    bool end;
    uint32_t cap = 0;
    base_rc rc = state_cursor_seek(cursor, r->prefix, &key, &value, &end, err);
    while (rc == BASE_OK && !end && base_str_starts(key, r->prefix)) {
        if (r->nblocks == cap) {
            cap = cap == 0 ? 16 : cap * 2;
            agg_block *more = base_arena_alloc(r->arena, sizeof(agg_block) * cap);
            if (r->nblocks > 0) memcpy(more, r->blocks, sizeof *more * r->nblocks);
            r->blocks = more;
        }
        rc = read_block(r->set, r->arena, key, value, &r->blocks[r->nblocks++], err);
        if (rc == BASE_OK) rc = state_cursor_next(cursor, &key, &value, &end, err);
    }
    return rc;
}

static base_rc read_rows(agg_ranks *r, uint32_t block, agg_rows *rows, base_str **keys,
                         base_error *err) {
    base_str until = block + 1 < r->nblocks ? r->blocks[block + 1].begin : (base_str){NULL, 0};
    return agg_set_read_range(r->set, r->arena, r->values, r->prefix, r->blocks[block].begin, until,
                              rows, keys, err);
}

// ------------------------------------------------------------------------------------ groups

static uint32_t first_touched(const agg_set *set, base_str prefix) {
    uint32_t low = 0, high = set->ntouched;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (base_str_cmp(set->touched[middle], prefix) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

// The blocks that the step's values fall into, each worked out anew.
static base_rc follow(agg_ranks *r, flow_ctx *ctx, agg_writes *writes, base_error *err) {
    const agg_set *set = r->set;
    uint32_t at = first_touched(set, r->prefix), n = 0, cap = r->nblocks;
    agg_block *out = base_arena_alloc(r->arena, sizeof(agg_block) * cap);
    base_rc rc = BASE_OK;
    for (uint32_t b = 0; b < r->nblocks && rc == BASE_OK; b++) {
        const base_str *next = b + 1 < r->nblocks ? &r->blocks[b + 1].begin : NULL;
        bool dirty = false;
        for (; at < set->ntouched && base_str_starts(set->touched[at], r->prefix); at++) {
            if (next != NULL && base_str_cmp(set->touched[at], *next) >= 0) break;
            dirty = true;
        }
        agg_rows rows = {0};
        base_str *keys;
        if (dirty) rc = read_rows(r, b, &rows, &keys, err);
        if (rc != BASE_OK) break;
        uint32_t room = n + 2 + rows.n / BLOCK_ROWS + (r->nblocks - b);
        if (room > cap) {
            agg_block *more = base_arena_alloc(r->arena, sizeof(agg_block) * room * 2);
            memcpy(more, out, sizeof *more * n);
            out = more;
            cap = room * 2;
        }
        if (!dirty) {
            out[n++] = r->blocks[b];
        } else if (rows.n == 0 && b > 0) {
            add_write(ctx, writes, r->blocks[b].begin, (base_str){NULL, 0});
        } else {
            divide(r, ctx, r->blocks[b].begin, &rows, keys, out, &n, writes);
        }
    }
    r->blocks = out;
    r->nblocks = n;
    return rc;
}

static base_rc read_whole(agg_ranks *r, flow_ctx *ctx, bool may_build, agg_writes *writes,
                          base_error *err) {
    base_str *keys;
    r->whole = true;
    base_rc rc = agg_set_read_range(r->set, r->arena, r->values, r->prefix, r->prefix,
                                    (base_str){NULL, 0}, &r->rows, &keys, err);
    if (rc != BASE_OK || !may_build || r->rows.n < BUILD_ROWS) return rc;
    r->blocks = base_arena_alloc(r->arena, sizeof(agg_block) * (r->rows.n / BLOCK_ROWS + 2));
    divide(r, ctx, r->prefix, &r->rows, keys, r->blocks, &r->nblocks, writes);
    return BASE_OK;
}

base_rc agg_rank_group(const agg_set *set, flow_ctx *ctx, base_arena *arena, state_cursor *values,
                       state_cursor *blocks, base_str group_key, agg_ranks *ranks,
                       agg_writes *writes, base_error *err) {
    *ranks = (agg_ranks){.set = set,
                         .arena = arena,
                         .values = values,
                         .prefix = agg_set_prefix(arena, group_key, set->number)};
    base_rc rc = read_blocks(ranks, blocks, err);
    if (rc != BASE_OK) return rc;
    if (ranks->nblocks == 0) return read_whole(ranks, ctx, true, writes, err);
    uint32_t had = writes->n;
    agg_block *before = ranks->blocks;
    uint32_t nbefore = ranks->nblocks;
    rc = follow(ranks, ctx, writes, err);
    if (rc != BASE_OK) return rc;
    int64_t rows = 0;
    for (uint32_t b = 0; b < ranks->nblocks; b++) rows += ranks->blocks[b].rows;
    if (rows >= DROP_ROWS) return BASE_OK;
    writes->n = had; // few values are left
    for (uint32_t b = 0; b < nbefore; b++)
        add_write(ctx, writes, before[b].begin, (base_str){NULL, 0});
    return read_whole(ranks, ctx, false, writes, err);
}

// ------------------------------------------------------------------------------------ places

int64_t agg_rank_total(const agg_ranks *ranks, uint32_t filter) {
    int64_t total = 0;
    for (uint32_t b = 0; b < ranks->nblocks; b++) total += ranks->blocks[b].total[filter];
    return total;
}

base_rc agg_rank_at(agg_ranks *ranks, uint32_t filter, int64_t *place, base_error *err) {
    uint32_t b = 0;
    while (b + 1 < ranks->nblocks && *place >= ranks->blocks[b].total[filter])
        *place -= ranks->blocks[b++].total[filter];
    return read_rows(ranks, b, &ranks->rows, NULL, err);
}

base_rc agg_rank_most(agg_ranks *ranks, uint32_t filter, base_error *err) {
    uint32_t best = 0;
    for (uint32_t b = 1; b < ranks->nblocks; b++)
        if (ranks->blocks[b].most[filter] > ranks->blocks[best].most[filter]) best = b;
    return read_rows(ranks, best, &ranks->rows, NULL, err);
}
