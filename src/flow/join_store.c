// join_store.c - a join's deltas against rows that are stored one by one with their counts: where a
// side is counted and what matches is more than equal keys.
//
// Deltas are sorted by key, so the other side is read by one cursor that moves forward; rows of a
// key are read in bounded chunks, however many there are. Where a side is counted, each stored row
// carries how many rows of the other side match it; what a delta changes of that is settled with
// the chunk. Entry point: join_store; the delta rule is in join.c.
#include "base/hash.h"
#include "flow/join_int.h"

// The step's delta of a side, in order of key, equal rows summed.
typedef struct delta {
    uint32_t n;
    const col_batch *batch;
    uint32_t *rows;   // of batch
    base_str *keys;   // join key ++ row hash
    uint32_t *key_n;  // bytes of the join key
    int64_t *weights; // not 0
    int64_t *yes, *maybe;
    int64_t *row_weights; // the weights by row of batch
} delta;

typedef struct stored_row {
    base_str key;
    int64_t weight, yes, maybe;
    uint32_t begin, end; // rows of the delta with the same join key
} stored_row;

#define ROW_HASH 16u

// Sorts and sums a side's rows; rows with null keys are left out (*nnull of them, in nulls).
static void make_delta(join_op *join, join_side *side, base_arena *arena, delta *d,
                       uint32_t **nulls, uint32_t *nnull) {
    const col_batch *batch = flow_pile_concat(&side->pile, arena, side->node);
    uint32_t total = batch->nrows, n = 0;
    uint32_t *sel = base_arena_alloc(arena, sizeof(uint32_t) * (total + 1u));
    *nulls = base_arena_alloc(arena, sizeof(uint32_t) * (total + 1u));
    *nnull = 0;
    base_str *join_keys = base_arena_alloc(arena, sizeof(base_str) * (total + 1u));
    base_str *keys = base_arena_alloc(arena, sizeof(base_str) * (total + 1u));
    flow_keys_encode(arena, batch, join->nkeys, side->keys, join_keys);
    base_str *whole = base_arena_alloc(arena, sizeof(base_str) * (total + 1u));
    col_key_encode_exact(arena, batch, side->ncolumns, side->columns, side->types, whole);
    for (uint32_t i = 0; i < total; i++) {
        if (join_null_key(join, side, batch, i)) {
            (*nulls)[(*nnull)++] = i;
            continue;
        }
        char *key = base_arena_alloc_aligned(arena, join_keys[i].n + ROW_HASH, 1);
        memcpy(key, join_keys[i].p, join_keys[i].n);
        base_hash128(whole[i].p, whole[i].n, (uint8_t *)key + join_keys[i].n);
        keys[n] = (base_str){key, join_keys[i].n + ROW_HASH};
        sel[n++] = i;
    }
    const uint32_t *order = flow_keys_sort(arena, n, keys);
    *d = (delta){.batch = batch};
    d->rows = base_arena_alloc(arena, sizeof(uint32_t) * (n + 1u));
    d->keys = base_arena_alloc(arena, sizeof(base_str) * (n + 1u));
    d->key_n = base_arena_alloc(arena, sizeof(uint32_t) * (n + 1u));
    d->weights = base_arena_alloc(arena, sizeof(int64_t) * (n + 1u));
    d->yes = base_arena_array(arena, int64_t, n + 1u);
    d->maybe = base_arena_array(arena, int64_t, n + 1u);
    for (uint32_t i = 0; i < n; i++) {
        base_str key = keys[order[i]];
        uint32_t row = sel[order[i]];
        if (d->n > 0 && base_str_eq(d->keys[d->n - 1], key)) {
            d->weights[d->n - 1] += col_weight(batch, row);
            continue;
        }
        if (d->n > 0 && d->weights[d->n - 1] == 0) d->n--;
        d->rows[d->n] = row;
        d->keys[d->n] = key;
        d->key_n[d->n] = (uint32_t)key.n - ROW_HASH;
        d->weights[d->n++] = col_weight(batch, row);
    }
    if (d->n > 0 && d->weights[d->n - 1] == 0) d->n--;
    d->row_weights = base_arena_alloc(arena, sizeof(int64_t) * (total + 1u));
    for (uint32_t i = 0; i < d->n; i++) d->row_weights[d->rows[i]] = d->weights[i];
}

static base_str delta_join_key(const delta *d, uint32_t i) {
    return (base_str){d->keys[i].p, d->key_n[i]};
}

static void put_head(const join_op *join, char *head, int64_t weight, int64_t yes, int64_t maybe) {
    int64_t words[3] = {weight, yes, maybe};
    memcpy(head, words, join->head);
}

static base_rc get_head(const join_op *join, base_str value, int64_t *weight, int64_t *yes,
                        int64_t *maybe, base_error *err) {
    if (value.n < join->head) {
        return base_fail(err, BASE_E_CORRUPT, NULL, "a joined row has %zu bytes", value.n);
    }
    int64_t words[3] = {0};
    memcpy(words, value.p, join->head);
    *weight = words[0];
    *yes = words[1];
    *maybe = words[2];
    return BASE_OK;
}

// Adds a delta to its side's table; rows that stand by themselves go out.
static base_rc write_delta(join_op *join, flow_ctx *ctx, flow_out *out, uint32_t which, delta *d,
                           base_error *err) {
    base_arena *arena = ctx->arena;
    join_side *side = &join->sides[which];
    base_str *values = base_arena_array(arena, base_str, d->n + 1u);
    base_rc rc = state_get_batch(ctx->txn, side->table, d->n, d->keys, values, err);
    base_buf buf = {0};
    for (uint32_t i = 0; i < d->n && rc == BASE_OK; i++) {
        int64_t weight = 0, yes, maybe;
        if (values[i].p != NULL) rc = get_head(join, values[i], &weight, &yes, &maybe, err);
        weight += d->weights[i];
        values[i] = (base_str){NULL, 0};
        if (weight == 0) continue;
        char head[24];
        put_head(join, head, weight, d->yes[i], d->maybe[i]);
        base_buf_clear(&buf);
        base_buf_add(&buf, head, join->head);
        col_row_encode(&buf, d->batch, d->rows[i], side->ncolumns, side->columns);
        values[i] = (base_str){base_arena_memdup(arena, buf.p, buf.n), buf.n};
    }
    base_buf_deinit(&buf);
    if (rc == BASE_OK) rc = state_put_batch(ctx->txn, side->table, d->n, d->keys, values, err);
    if (rc != BASE_OK || !side->counted) return rc;
    join_edges edges;
    join_edges_init(&edges, arena, d->n);
    for (uint32_t i = 0; i < d->n; i++) {
        join_edges_add(&edges, d->rows[i], d->weights[i],
                       join_edge_of(join, d->yes[i], d->maybe[i]));
    }
    return join_emit_edges(join, ctx, out, which, d->batch, &edges, err);
}

// ------------------------------------------------------------------------------------ chunks

// A chunk of stored rows of one side, against the delta rows with their keys.
typedef struct chunk {
    stored_row *rows;
    col_batch *batch; // parallel to rows
    base_str *values; // as stored
    uint32_t n, cap;
} chunk;

// What matches rows of the chunk has changed: writes the counts back, and gives and takes what
// stands for the rows themselves.
static base_rc settle_counts(join_op *join, flow_ctx *ctx, flow_out *out, uint32_t which, chunk *c,
                             const join_counts *change, base_error *err) {
    base_arena *arena = ctx->arena;
    base_str *keys = base_arena_alloc(arena, sizeof(base_str) * (c->n + 1u));
    base_str *values = base_arena_alloc(arena, sizeof(base_str) * (c->n + 1u));
    uint32_t changed = 0;
    join_edges edges;
    join_edges_init(&edges, arena, 2 * c->n);
    for (uint32_t i = 0; i < c->n; i++) {
        stored_row *row = &c->rows[i];
        int64_t yes = row->yes + change->yes[i];
        int64_t maybe = row->maybe + (change->maybe == NULL ? 0 : change->maybe[i]);
        if (yes == row->yes && maybe == row->maybe) continue;
        char *value = base_arena_memdup(arena, c->values[i].p, c->values[i].n);
        put_head(join, value, row->weight, yes, maybe);
        keys[changed] = row->key;
        values[changed++] = (base_str){value, c->values[i].n};
        join_edge before = join_edge_of(join, row->yes, row->maybe);
        join_edge after = join_edge_of(join, yes, maybe);
        if (before == after) continue;
        join_edges_add(&edges, i, -row->weight, before);
        join_edges_add(&edges, i, row->weight, after);
    }
    base_rc rc = state_put_batch(ctx->txn, join->sides[which].table, changed, keys, values, err);
    return rc == BASE_OK ? join_emit_edges(join, ctx, out, which, c->batch, &edges, err) : rc;
}

// which: the side of the stored rows. of_delta: counts of the delta's rows, by row of its batch.
static base_rc join_chunk(join_op *join, flow_ctx *ctx, flow_out *out, uint32_t which, chunk *c,
                          const delta *d, const join_counts *of_delta, base_error *err) {
    if (c->n == 0) return BASE_OK;
    join_counts of_chunk = {0};
    if (join->sides[which].counted) join_counts_init(join, &of_chunk, ctx->arena, c->n);
    join_pairs p = {.join = join,
                    .ctx = ctx,
                    .out = out,
                    .left = which == 0 ? c->batch : d->batch,
                    .right = which == 0 ? d->batch : c->batch,
                    .left_counts = which == 0 ? of_chunk : *of_delta,
                    .right_counts = which == 0 ? *of_delta : of_chunk};
    uint64_t total = 0;
    int64_t *weights = base_arena_alloc(ctx->arena, sizeof *weights * c->n);
    for (uint32_t i = 0; i < c->n; i++) {
        total += c->rows[i].end - c->rows[i].begin;
        weights[i] = c->rows[i].weight;
    }
    p.left_weights = which == 0 ? weights : d->row_weights;
    p.right_weights = which == 0 ? d->row_weights : weights;
    join_pairs_init(&p, total);
    base_rc rc = BASE_OK;
    for (uint32_t i = 0; i < c->n && rc == BASE_OK; i++) {
        const stored_row *row = &c->rows[i];
        for (uint32_t k = row->begin; k < row->end && rc == BASE_OK; k++) {
            rc = which == 0 ? join_pairs_add(&p, i, d->rows[k], err)
                            : join_pairs_add(&p, d->rows[k], i, err);
        }
    }
    if (rc == BASE_OK) rc = join_pairs_flush(&p, err);
    if (rc != BASE_OK || !join->sides[which].counted) return rc;
    return settle_counts(join, ctx, out, which, c, &of_chunk, err);
}

static void chunk_init(chunk *c, const join_side *side, base_arena *arena, uint32_t cap) {
    *c = (chunk){.cap = cap};
    c->rows = base_arena_alloc(arena, sizeof(stored_row) * cap);
    c->values = base_arena_alloc(arena, sizeof(base_str) * cap);
    c->batch = col_batch_create(arena, side->ncolumns, side->types, cap);
}

static base_rc chunk_add(const join_op *join, chunk *c, const join_side *side, base_arena *arena,
                         base_str key, base_str value, uint32_t begin, uint32_t end,
                         base_error *err) {
    stored_row *row = &c->rows[c->n];
    *row = (stored_row){
        .key = {base_arena_memdup(arena, key.p, key.n), key.n}, .begin = begin, .end = end};
    base_rc rc = get_head(join, value, &row->weight, &row->yes, &row->maybe, err);
    if (rc != BASE_OK) return rc;
    c->values[c->n] = (base_str){base_arena_memdup(arena, value.p, value.n), value.n};
    size_t at = join->head;
    rc = col_row_decode(c->values[c->n], &at, c->batch, c->n, side->ncolumns, side->columns, arena,
                        err);
    c->n++;
    return rc;
}

// The delta meets the stored rows of the other side, `which`.
static base_rc probe_store(join_op *join, flow_ctx *ctx, flow_out *out, uint32_t which, delta *d,
                           base_error *err) {
    if (d->n == 0) return BASE_OK;
    join_side *side = &join->sides[which];
    uint32_t most = join->op.graph->batch_rows;
    if (most > 16384) most = 16384; // rows of a chunk are made whole: a bound on what one takes
    state_cursor *cursor;
    base_rc rc = state_cursor_open(ctx->txn, side->table, &cursor, err);
    if (rc != BASE_OK) return rc;
    uint32_t cap = d->n < most ? d->n : most;
    join_counts of_delta = {0};
    if (join->sides[1 - which].counted) {
        join_counts_init(join, &of_delta, ctx->arena, d->batch->nrows);
    }
    chunk c;
    chunk_init(&c, side, ctx->arena, cap);
    for (uint32_t begin = 0, end; begin < d->n && rc == BASE_OK; begin = end) {
        base_str join_key = delta_join_key(d, begin);
        for (end = begin + 1; end < d->n && base_str_eq(delta_join_key(d, end), join_key);) end++;
        base_str key, value;
        bool last;
        rc = state_cursor_seek(cursor, join_key, &key, &value, &last, err);
        while (rc == BASE_OK && !last && base_str_starts(key, join_key)) {
            rc = chunk_add(join, &c, side, ctx->arena, key, value, begin, end, err);
            if (rc == BASE_OK && c.n == c.cap) {
                rc = join_chunk(join, ctx, out, which, &c, d, &of_delta, err);
                chunk_init(&c, side, ctx->arena, cap < most ? (cap = most) : cap);
            }
            if (rc == BASE_OK) rc = state_cursor_next(cursor, &key, &value, &last, err);
        }
    }
    state_cursor_close(cursor);
    if (rc != BASE_OK) return rc;
    c.batch->nrows = c.n;
    rc = join_chunk(join, ctx, out, which, &c, d, &of_delta, err);
    for (uint32_t k = 0; of_delta.yes != NULL && k < d->n; k++) {
        d->yes[k] = of_delta.yes[d->rows[k]];
        if (of_delta.maybe != NULL) d->maybe[k] = of_delta.maybe[d->rows[k]];
    }
    return rc;
}

// Rows with a null key match nothing, whatever comes: they are not stored.
static base_rc emit_nulls(join_op *join, flow_ctx *ctx, flow_out *out, uint32_t which,
                          const delta *d, const uint32_t *nulls, uint32_t n, base_error *err) {
    if (!join->sides[which].counted || n == 0) return BASE_OK;
    join_edges edges;
    join_edges_init(&edges, ctx->arena, n);
    for (uint32_t i = 0; i < n; i++) {
        join_edges_add(&edges, nulls[i], col_weight(d->batch, nulls[i]), join_edge_of(join, 0, 0));
    }
    return join_emit_edges(join, ctx, out, which, d->batch, &edges, err);
}

base_rc join_store(join_op *join, flow_ctx *ctx, flow_out *out, base_error *err) {
    delta deltas[2];
    uint32_t *nulls[2], nnull[2];
    base_rc rc = BASE_OK;
    for (uint32_t s = 0; s < 2 && rc == BASE_OK; s++) {
        make_delta(join, &join->sides[s], ctx->arena, &deltas[s], &nulls[s], &nnull[s]);
        rc = emit_nulls(join, ctx, out, s, &deltas[s], nulls[s], nnull[s], err);
    }
    for (uint32_t s = 0; s < 2; s++) { // left meets the right as it was, right the new left
        if (rc == BASE_OK) rc = probe_store(join, ctx, out, 1 - s, &deltas[s], err);
        if (rc == BASE_OK) rc = write_delta(join, ctx, out, s, &deltas[s], err);
    }
    return rc;
}
