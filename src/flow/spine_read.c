// spine_read.c - lookups in a spine: for each hash wanted, in ascending order, the rows of all runs
// that have it.
//
// Every run has an iterator that only moves forward, from block to block and within one by
// galloping. Where rows may cancel, those of one hash come from all runs in order of their row
// hash: equal rows meet, are summed, and are left out at weight 0. Found rows are references into
// the store's memory; they become columns when they are decoded, a column and a block at a time.
// Entry points: flow_spine_read_begin, flow_spine_read, flow_spine_decode.
#include "flow/spine_int.h"

#define REFS_MIN 64u // room for what is found, beside one for each hash

struct spine_iter {
    state_cursor *cursor;
    uint64_t run;
    bool is_large;
    bool is_sparse; // of its blocks few are wanted
    bool placed;    // the cursor stands on a block
    bool end;
    uint64_t last; // hash of the block
    spine_block *block;
    uint32_t at;
    uint64_t now; // hash at `at`
};

// ------------------------------------------------------------------------------------ iterators

static inline void settle(spine_iter *it) {
    it->now = spine_u64(it->block->hashes, it->at);
}

static base_rc take_block(flow_spine_reader *r, spine_iter *it, base_str key, base_str value,
                          bool end, base_error *err) {
    it->placed = true;
    if (end || key.n != SPINE_BLOCK_KEY_BYTES || spine_get_be(key.p) != it->run) {
        it->end = true;
        return BASE_OK;
    }
    r->visited += it->is_large;
    it->last = spine_get_be(key.p + 8);
    it->block = base_arena_alloc(r->arena, sizeof *it->block);
    it->at = 0;
    base_rc rc = spine_block_parse(r->spine, value, it->block, err);
    if (rc == BASE_OK) settle(it);
    return rc;
}

static base_rc next_block(flow_spine_reader *r, spine_iter *it, base_error *err) {
    base_str key, value;
    bool end;
    base_rc rc = state_cursor_next(it->cursor, &key, &value, &end, err);
    return rc == BASE_OK ? take_block(r, it, key, value, end, err) : rc;
}

static base_rc seek_block(flow_spine_reader *r, spine_iter *it, uint64_t hash, base_error *err) {
    char at[SPINE_BLOCK_KEY_BYTES];
    spine_put_key(at, it->run, hash, 0);
    base_str key, value;
    bool end;
    base_rc rc = state_cursor_seek(it->cursor, (base_str){at, sizeof at}, &key, &value, &end, err);
    return rc == BASE_OK ? take_block(r, it, key, value, end, err) : rc;
}

// Moves to the first row at or above the hash.
static base_rc iter_to(flow_spine_reader *r, spine_iter *it, uint64_t hash, base_error *err) {
    base_rc rc = BASE_OK;
    if (!it->placed) rc = seek_block(r, it, hash, err);
    if (rc == BASE_OK && !it->end && it->last < hash) { // a near block is reached by stepping
        if (!it->is_sparse) rc = next_block(r, it, err);
        if (rc == BASE_OK && !it->end && it->last < hash) rc = seek_block(r, it, hash, err);
    }
    if (rc != BASE_OK || it->end || it->now >= hash) return rc;
    uint32_t low = it->at, step = 1, high = it->block->n; // now < hash <= last
    while (low + step < high && spine_u64(it->block->hashes, low + step) < hash) {
        low += step;
        step *= 2;
    }
    if (low + step < high) high = low + step;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (spine_u64(it->block->hashes, middle) < hash)
            low = middle;
        else
            high = middle;
    }
    if (high >= it->block->n) return spine_corrupt(err, "hashes out of order");
    it->at = high;
    settle(it);
    return BASE_OK;
}

static base_rc iter_step(flow_spine_reader *r, spine_iter *it, base_error *err) {
    if (++it->at == it->block->n) return next_block(r, it, err);
    settle(it);
    return BASE_OK;
}

// ------------------------------------------------------------------------------------ begin, end

static base_rc begin(flow_spine_reader *r, flow_spine *spine, flow_ctx *ctx, base_arena *arena,
                     uint32_t nruns, const uint32_t *which, uint32_t nhashes, uint32_t cap,
                     base_error *err) {
    *r = (flow_spine_reader){.spine = spine, .arena = arena, .cap = cap};
    r->room = cap < nhashes + REFS_MIN ? cap + 1 : nhashes + REFS_MIN;
    r->refs = base_arena_alloc(arena, sizeof *r->refs * r->room);
    r->iters = base_arena_array(arena, spine_iter, nruns + 1u);
    base_rc rc = BASE_OK;
    for (uint32_t i = 0; i < nruns && rc == BASE_OK; i++) {
        const flow_spine_run *run = &spine->runs[which == NULL ? i : which[i]];
        r->iters[i].run = run->id;
        r->iters[i].is_large = spine_run_is_large(run);
        r->iters[i].is_sparse = run->bytes / SPINE_BLOCK_BYTES > 2 * (uint64_t)nhashes;
        rc = state_cursor_open(ctx->txn, spine->table, &r->iters[i].cursor, err);
        if (rc == BASE_OK) r->niters++;
    }
    if (rc != BASE_OK) flow_spine_read_end(r);
    return rc;
}

base_rc flow_spine_read_begin(flow_spine_reader *reader, flow_spine *spine, flow_ctx *ctx,
                              uint32_t n, const uint64_t *hashes, uint32_t cap, base_error *err) {
    *reader = (flow_spine_reader){0};
    base_rc rc = spine_load(spine, ctx, err);
    if (rc != BASE_OK) return rc;
    rc = begin(reader, spine, ctx, ctx->arena, n == 0 ? 0 : spine->nruns, NULL, n, cap, err);
    reader->n = n;
    reader->hashes = hashes;
    return rc;
}

base_rc spine_read_runs(flow_spine_reader *reader, flow_spine *spine, flow_ctx *ctx,
                        base_arena *arena, uint32_t nruns, const uint32_t *which, uint32_t cap,
                        base_error *err) {
    base_rc rc = begin(reader, spine, ctx, arena, nruns, which, cap, cap, err);
    for (uint32_t i = 0; i < reader->niters && rc == BASE_OK; i++)
        rc = seek_block(reader, &reader->iters[i], 0, err);
    return rc;
}

void flow_spine_read_end(flow_spine_reader *reader) {
    for (uint32_t i = 0; i < reader->niters; i++) state_cursor_close(reader->iters[i].cursor);
    reader->niters = 0;
    if (reader->hashes != NULL) reader->spine->debt += reader->visited;
    reader->visited = 0;
}

// ------------------------------------------------------------------------------------ reading

static void add_ref(flow_spine_reader *r, const spine_iter *it) {
    if (r->nrefs == r->room) { // rows that may cancel are taken together, however many
        flow_spine_ref *more = base_arena_alloc(r->arena, sizeof *more * r->room * 2);
        memcpy(more, r->refs, sizeof *more * r->nrefs);
        r->refs = more;
        r->room *= 2;
    }
    spine_block *block = it->block;
    r->refs[r->nrefs++] = (flow_spine_ref){
        .block = block,
        .row = it->at,
        .which = r->at,
        .hash = r->hash,
        .id = block->ids == NULL ? 0 : spine_u64(block->ids, it->at),
        .weight = block->weights == NULL ? 1 : (int64_t)spine_u64(block->weights, it->at)};
}

// Rows of the hash, run by run, as they are, while there is room.
static base_rc read_plain(flow_spine_reader *r, base_error *err) {
    for (; r->iter < r->niters; r->iter++) {
        spine_iter *it = &r->iters[r->iter];
        while (!it->end && it->now == r->hash) {
            if (r->nrefs >= r->cap) return BASE_OK;
            add_ref(r, it);
            base_rc rc = iter_step(r, it, err);
            if (rc != BASE_OK) return rc;
        }
    }
    r->in_hash = false;
    return BASE_OK;
}

// Sums those of refs [begin, ...), all of one hash and row hash, that are the same; drops weight 0.
static base_rc sum_equal(flow_spine_reader *r, uint32_t begin, base_error *err) {
    flow_spine_ref *refs = r->refs + begin;
    uint32_t n = r->nrefs - begin, kept = 0;
    const col_batch *rows;
    base_rc rc = spine_decode(r, r->arena, refs, n, NULL, false, &rows, err);
    if (rc != BASE_OK) return rc;
    for (uint32_t i = 0; i < n; i++) {
        for (uint32_t k = i + 1; refs[i].weight != 0 && k < n; k++) {
            if (refs[k].weight == 0 || !col_rows_same(rows, i, rows, k)) continue;
            refs[i].weight += refs[k].weight;
            refs[k].weight = 0;
        }
    }
    for (uint32_t i = 0; i < n; i++) {
        if (refs[i].weight != 0) refs[kept++] = refs[i];
    }
    r->nrefs = begin + kept;
    return BASE_OK;
}

// The least row hash among the rows of the hash; false: there are none any more.
static bool least_id(const flow_spine_reader *r, uint64_t *id) {
    bool found = false;
    for (uint32_t i = 0; i < r->niters; i++) {
        const spine_iter *it = &r->iters[i];
        if (it->end || it->now != r->hash) continue;
        uint64_t own = spine_u64(it->block->ids, it->at);
        if (!found || own < *id) *id = own;
        found = true;
    }
    return found;
}

// Rows of the hash in order of their row hash, each summed over all runs.
static base_rc read_cancelling(flow_spine_reader *r, base_error *err) {
    uint64_t id = 0;
    while (r->nrefs < r->cap) {
        if (!least_id(r, &id)) {
            r->in_hash = false;
            return BASE_OK;
        }
        uint32_t begin = r->nrefs;
        for (uint32_t i = 0; i < r->niters; i++) {
            spine_iter *it = &r->iters[i];
            while (!it->end && it->now == r->hash && spine_u64(it->block->ids, it->at) == id) {
                add_ref(r, it);
                base_rc rc = iter_step(r, it, err);
                if (rc != BASE_OK) return rc;
            }
        }
        if (r->nrefs - begin > 1) {
            base_rc rc = sum_equal(r, begin, err);
            if (rc != BASE_OK) return rc;
        }
    }
    return BASE_OK;
}

// The next hash for which any run has rows, and whether more than one has; false: the end.
static base_rc next_hash(flow_spine_reader *r, bool *found, base_error *err) {
    for (*found = false;; r->at++) {
        bool all = r->hashes == NULL, any = false;
        if (!all && r->at == r->n) return BASE_OK;
        uint64_t least = all ? UINT64_MAX : r->hashes[r->at];
        for (uint32_t i = 0; i < r->niters; i++) {
            spine_iter *it = &r->iters[i];
            if (!all && !it->end && (!it->placed || it->now < least)) {
                base_rc rc = iter_to(r, it, least, err);
                if (rc != BASE_OK) return rc;
            }
            if (it->end || it->now > least) continue;
            r->several = any && it->now == least;
            if (!any || it->now < least) r->first = i;
            least = it->now;
            any = true;
        }
        r->hash = least;
        r->iter = r->first;
        *found = any;
        if (any || all) return BASE_OK;
    }
}

base_rc flow_spine_read(flow_spine_reader *r, base_error *err) {
    r->nrefs = 0;
    while (r->nrefs < r->cap) {
        if (!r->in_hash) {
            base_rc rc = next_hash(r, &r->in_hash, err);
            if (rc != BASE_OK || !r->in_hash) return rc;
        }
        base_rc rc = r->spine->cancels && r->several ? read_cancelling(r, err) : read_plain(r, err);
        if (rc != BASE_OK) return rc;
        if (!r->in_hash && r->hashes != NULL) r->at++;
    }
    return BASE_OK;
}

// ------------------------------------------------------------------------------------ decoding

static base_rc open_blocks(const flow_spine_reader *r, base_arena *arena,
                           const flow_spine_ref *refs, uint32_t n, base_error *err) {
    for (uint32_t i = 0; i < n; i++) {
        spine_block *block = refs[i].block;
        if (block->is_open) continue;
        base_rc rc = col_block_open(block->bytes, arena, r->spine->ncolumns, r->spine->types,
                                    &block->block, err);
        if (rc != BASE_OK) return rc;
        if (block->block.nrows != block->n) return spine_corrupt(err, "the rows of a block");
        block->is_open = true;
    }
    return BASE_OK;
}

base_rc spine_decode(const flow_spine_reader *r, base_arena *arena, const flow_spine_ref *refs,
                     uint32_t n, const bool *wanted, bool copy, const col_batch **out,
                     base_error *err) {
    const flow_spine *spine = r->spine;
    base_rc rc = open_blocks(r, r->arena, refs, n, err);
    col_batch *batch = base_arena_new(arena, col_batch);
    *batch = (col_batch){spine->ncolumns, n, base_arena_array(arena, col_vec, spine->ncolumns + 1u),
                         NULL};
    uint32_t *rows = base_arena_alloc(arena, sizeof *rows * (n + 1u));
    for (uint32_t i = 0; i < n; i++) rows[i] = refs[i].row;
    for (uint32_t c = 0; c < spine->ncolumns && rc == BASE_OK; c++) {
        col_vec *vec = &batch->cols[c];
        if (wanted != NULL && !wanted[c]) {
            flow_filler(vec, arena, spine->types[c], n);
            continue;
        }
        col_vec_init(vec, arena, spine->types[c], n);
        for (uint32_t begin = 0, end; begin < n && rc == BASE_OK; begin = end) {
            for (end = begin + 1; end < n && refs[end].block == refs[begin].block;) end++;
            rc = col_block_take(&refs[begin].block->block, c, rows + begin, end - begin, vec, begin,
                                arena, copy, err);
        }
    }
    *out = batch;
    return rc;
}

base_rc flow_spine_decode(const flow_spine_reader *reader, const bool *wanted,
                          const col_batch **out, base_error *err) {
    return spine_decode(reader, reader->arena, reader->refs, reader->nrefs, wanted, true, out, err);
}
