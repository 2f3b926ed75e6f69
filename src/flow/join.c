// join.c - equi-joins, inner and left, with an optional residual condition.
//
// Delta rule: d(A >< B) = dA >< B + (A + dA) >< dB, worked out at flush from the step's summed
// deltas, in that order: dA meets B as it was, then is added to A; dB meets the new A, then is
// added to B. Left join: each left row a carries m(a), the summed weight of the right rows that
// match it (keys and residual). The row (a, null...) has weight w(a) while m(a) is 0: so dA gives
// it where m is 0, and where dB takes m from 0 or to 0, it goes or comes for all of w(a). Null keys
// match nothing: such right rows are dropped, such left rows give (a, null...) at once.
//
// State, with a store: "v<view>.<node>.left" and ".right": join key ++ hash of the row ->
// weight, m, row. Deltas are sorted by key, so the other side is read by one cursor that moves
// forward; rows of a key are read in bounded chunks, however many there are.
// Without a store: one hash join at flush. nequi 0: every row has the same, empty key.
// Entry point: flow_join_create.
#include "base/hash.h"
#include "flow/flow_int.h"

typedef struct join_side {
    flow_pile pile; // of the step
    const plan_node *node;
    uint32_t ncolumns;
    uint32_t *columns; // 0, 1, ...
    const uint32_t *keys;
    const col_type *types;
    state_table table;
} join_side;

typedef struct join_op {
    flow_op op;
    join_side sides[2]; // left, right
    uint32_t nkeys;
    bool left; // LEFT JOIN
} join_op;

// The step's delta of a side, in order of key, equal rows summed.
typedef struct delta {
    uint32_t n;
    const col_batch *batch;
    uint32_t *rows;   // of batch
    base_str *keys;   // join key ++ row hash
    uint32_t *key_n;  // bytes of the join key
    int64_t *weights; // not 0
    int64_t *matched; // m, for the left side
} delta;

typedef struct stored_row {
    base_str key;
    int64_t weight, matched, change; // change: of matched
    uint32_t begin, end;             // rows of the delta with the same join key
} stored_row;

#define ROW_HEAD 16u // weight and m before the row's bytes

static base_rc join_push(flow_op *op, flow_ctx *ctx, uint32_t port, const col_batch *batch,
                         flow_out *out, base_error *err) {
    (void)out;
    join_op *join = (join_op *)op;
    must(port < 2);
    op->stats.rows_in += batch->nrows;
    flow_pile_add(&join->sides[port].pile, ctx->arena, batch);
    return flow_poll(op->graph, ctx, err);
}

// ------------------------------------------------------------------------------------ output

// (left rows, nulls) with weights.
static base_rc emit_unmatched(join_op *join, flow_ctx *ctx, flow_out *out, const col_batch *left,
                              const uint32_t *rows, const int64_t *weights, uint32_t n,
                              base_error *err) {
    if (n == 0) return BASE_OK;
    base_arena *arena = ctx->arena;
    uint32_t nleft = join->sides[0].ncolumns, nright = join->sides[1].ncolumns;
    col_batch *batch = base_arena_new(arena, col_batch);
    *batch = (col_batch){nleft + nright, n, base_arena_array(arena, col_vec, nleft + nright + 1u),
                         weights};
    for (uint32_t c = 0; c < nleft; c++) {
        batch->cols[c] = *col_vec_gather(arena, &left->cols[c], rows, n);
    }
    for (uint32_t c = 0; c < nright; c++) {
        col_vec *vec = &batch->cols[nleft + c];
        col_vec_init(vec, arena, join->sides[1].types[c], n);
        for (uint32_t i = 0; i < n; i++) col_vec_set_null(vec, arena, i);
    }
    return flow_emit(out, ctx, batch, err);
}

typedef struct pairs {
    uint32_t n, cap;
    uint32_t *left, *right;
    int64_t *left_weights, *right_weights;
} pairs;

static void pairs_init(pairs *p, base_arena *arena, uint32_t cap) {
    *p = (pairs){.cap = cap};
    p->left = base_arena_alloc(arena, sizeof(uint32_t) * cap);
    p->right = base_arena_alloc(arena, sizeof(uint32_t) * cap);
    p->left_weights = base_arena_alloc(arena, sizeof(int64_t) * cap);
    p->right_weights = base_arena_alloc(arena, sizeof(int64_t) * cap);
}

// The joined rows of pairs, and a last column with the number of the pair.
static col_batch *join_pairs(join_op *join, base_arena *arena, const col_batch *left,
                             const col_batch *right, const pairs *p) {
    uint32_t nleft = join->sides[0].ncolumns, nright = join->sides[1].ncolumns, n = p->n;
    col_batch *batch = base_arena_new(arena, col_batch);
    *batch = (col_batch){nleft + nright + 1, n,
                         base_arena_array(arena, col_vec, nleft + nright + 1u), NULL};
    for (uint32_t c = 0; c < nleft; c++) {
        batch->cols[c] = *col_vec_gather(arena, &left->cols[c], p->left, n);
    }
    for (uint32_t c = 0; c < nright; c++) {
        batch->cols[nleft + c] = *col_vec_gather(arena, &right->cols[c], p->right, n);
    }
    col_vec *number = &batch->cols[nleft + nright];
    *number = (col_vec){.type = col_type_of(COL_INT4), .n = n};
    number->data = base_arena_alloc(arena, sizeof(int32_t) * n);
    int64_t *weights = base_arena_alloc(arena, sizeof(int64_t) * n);
    bool all_one = true;
    for (uint32_t i = 0; i < n; i++) {
        col_i32(number)[i] = (int32_t)i;
        weights[i] = p->left_weights[i] * p->right_weights[i];
        all_one &= weights[i] == 1;
    }
    batch->weights = all_one ? NULL : weights;
    return batch;
}

// Emits pairs that satisfy the residual; adds the right weight to matched[left row] for each.
static base_rc emit_pairs(join_op *join, flow_ctx *ctx, flow_out *out, const col_batch *left,
                          const col_batch *right, pairs *p, int64_t *matched, base_error *err) {
    if (p->n == 0) return BASE_OK;
    base_arena *arena = ctx->arena;
    const col_batch *rows = join_pairs(join, arena, left, right, p);
    const plan_node *node = join->op.node;
    if (node->predicate != NULL) {
        const col_vec *keep;
        base_rc rc = flow_eval(&join->op, ctx, rows, 1, &node->predicate, NULL, &rows, &keep, err);
        if (rc != BASE_OK) return rc;
        uint32_t *sel = base_arena_alloc(arena, sizeof(uint32_t) * (rows->nrows + 1u)), n = 0;
        for (uint32_t i = 0; i < rows->nrows; i++) {
            sel[n] = i;
            n += col_u8(keep)[i] != 0 && !col_is_null(keep, i);
        }
        if (n < rows->nrows) rows = col_batch_gather(arena, rows, sel, n);
    }
    const int32_t *number = col_i32(&rows->cols[rows->ncols - 1]);
    for (uint32_t i = 0; matched != NULL && i < rows->nrows; i++) {
        matched[p->left[number[i]]] += p->right_weights[number[i]];
    }
    p->n = 0;
    col_batch *result = base_arena_new(arena, col_batch);
    *result = *rows;
    result->ncols--;
    return flow_emit(out, ctx, result, err);
}

static base_rc add_pair(join_op *join, flow_ctx *ctx, flow_out *out, const col_batch *left,
                        const col_batch *right, pairs *p, uint32_t l, uint32_t r, int64_t lw,
                        int64_t rw, int64_t *matched, base_error *err) {
    p->left[p->n] = l;
    p->right[p->n] = r;
    p->left_weights[p->n] = lw;
    p->right_weights[p->n++] = rw;
    return p->n == p->cap ? emit_pairs(join, ctx, out, left, right, p, matched, err) : BASE_OK;
}

// ------------------------------------------------------------------------------------ in memory

static bool null_key(const join_op *join, const join_side *side, const col_batch *batch,
                     uint32_t row) {
    for (uint32_t k = 0; k < join->nkeys; k++) {
        if (col_is_null(&batch->cols[side->keys[k]], row)) return true;
    }
    return false;
}

// head[g] and next[row]: the rows of each group of right keys, as lists of row + 1 in order.
typedef struct chains {
    flow_groups groups;
    uint32_t *head, *next;
} chains;

static void key_batch(const join_op *join, const join_side *side, base_arena *arena,
                      const col_batch *batch, col_batch *keys, uint64_t *hashes) {
    *keys = *col_batch_project(arena, batch, join->nkeys, side->keys);
    uint32_t *all = base_arena_array(arena, uint32_t, join->nkeys + 1u);
    for (uint32_t k = 0; k < join->nkeys; k++) all[k] = k;
    col_hash(keys, join->nkeys, all, hashes);
}

static void chain_rows(join_op *join, base_arena *arena, const col_batch *right, chains *c) {
    const join_side *side = &join->sides[1];
    col_type *types = base_arena_array(arena, col_type, join->nkeys + 1u);
    for (uint32_t k = 0; k < join->nkeys; k++) types[k] = side->types[side->keys[k]];
    flow_groups_init(&c->groups, arena, join->nkeys, types);
    uint32_t n = right->nrows;
    uint64_t *hashes = base_arena_alloc(arena, sizeof(uint64_t) * (n + 1u));
    uint32_t *group_of = base_arena_alloc(arena, sizeof(uint32_t) * (n + 1u));
    col_batch keys;
    key_batch(join, side, arena, right, &keys, hashes);
    flow_groups_find(&c->groups, arena, arena, &keys, hashes, group_of);
    c->head = base_arena_array(arena, uint32_t, c->groups.n + 1u);
    c->next = base_arena_array(arena, uint32_t, n + 1u);
    for (uint32_t i = n; i-- > 0;) { // backwards: each list ends up in order
        if (null_key(join, side, right, i)) continue;
        c->next[i] = c->head[group_of[i]];
        c->head[group_of[i]] = i + 1;
    }
}

static base_rc probe_memory(join_op *join, flow_ctx *ctx, flow_out *out, const col_batch *left,
                            const col_batch *right, const chains *c, int64_t *matched,
                            base_error *err) {
    base_arena *arena = ctx->arena;
    uint64_t *hashes = base_arena_alloc(arena, sizeof(uint64_t) * (left->nrows + 1u));
    uint32_t *group_of = base_arena_alloc(arena, sizeof(uint32_t) * (left->nrows + 1u));
    col_batch keys;
    key_batch(join, &join->sides[0], arena, left, &keys, hashes);
    flow_groups_probe(&c->groups, &keys, hashes, group_of);
    pairs p;
    pairs_init(&p, arena, join->op.graph->batch_rows);
    base_rc rc = BASE_OK;
    for (uint32_t l = 0; l < left->nrows && rc == BASE_OK; l++) {
        if (group_of[l] == UINT32_MAX || null_key(join, &join->sides[0], left, l)) continue;
        for (uint32_t r = c->head[group_of[l]]; r != 0 && rc == BASE_OK; r = c->next[r - 1]) {
            rc = add_pair(join, ctx, out, left, right, &p, l, r - 1, col_weight(left, l),
                          col_weight(right, r - 1), matched, err);
        }
    }
    return rc == BASE_OK ? emit_pairs(join, ctx, out, left, right, &p, matched, err) : rc;
}

static base_rc join_memory(join_op *join, flow_ctx *ctx, flow_out *out, base_error *err) {
    base_arena *arena = ctx->arena;
    const col_batch *left = flow_pile_concat(&join->sides[0].pile, arena, join->sides[0].node);
    const col_batch *right = flow_pile_concat(&join->sides[1].pile, arena, join->sides[1].node);
    int64_t *matched = NULL;
    if (join->left) matched = base_arena_array(arena, int64_t, left->nrows + 1u);
    chains c;
    chain_rows(join, arena, right, &c);
    base_rc rc = probe_memory(join, ctx, out, left, right, &c, matched, err);
    flow_groups_deinit(&c.groups);
    if (rc != BASE_OK || !join->left) return rc;
    uint32_t *rows = base_arena_alloc(arena, sizeof(uint32_t) * (left->nrows + 1u)), n = 0;
    int64_t *weights = base_arena_alloc(arena, sizeof(int64_t) * (left->nrows + 1u));
    bool all_one = true;
    for (uint32_t l = 0; l < left->nrows; l++) {
        if (matched[l] > 0) continue;
        weights[n] = col_weight(left, l);
        all_one &= weights[n] == 1;
        rows[n++] = l;
    }
    return emit_unmatched(join, ctx, out, left, rows, all_one ? NULL : weights, n, err);
}

// ------------------------------------------------------------------------------------ deltas

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
    base_buf buf = {0};
    for (uint32_t i = 0; i < total; i++) {
        if (null_key(join, side, batch, i)) {
            (*nulls)[(*nnull)++] = i;
            continue;
        }
        base_buf_clear(&buf);
        col_key_encode_row(&buf, batch, i, side->ncolumns, side->columns);
        char *key = base_arena_alloc_aligned(arena, join_keys[i].n + 16, 1);
        memcpy(key, join_keys[i].p, join_keys[i].n);
        base_hash128(buf.p == NULL ? "" : buf.p, buf.n, (uint8_t *)key + join_keys[i].n);
        keys[n] = (base_str){key, join_keys[i].n + 16};
        sel[n++] = i;
    }
    base_buf_deinit(&buf);
    const uint32_t *order = flow_keys_sort(arena, n, keys);
    *d = (delta){.batch = batch};
    d->rows = base_arena_alloc(arena, sizeof(uint32_t) * (n + 1u));
    d->keys = base_arena_alloc(arena, sizeof(base_str) * (n + 1u));
    d->key_n = base_arena_alloc(arena, sizeof(uint32_t) * (n + 1u));
    d->weights = base_arena_alloc(arena, sizeof(int64_t) * (n + 1u));
    d->matched = base_arena_array(arena, int64_t, n + 1u);
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
        d->key_n[d->n] = (uint32_t)key.n - 16;
        d->weights[d->n++] = col_weight(batch, row);
    }
    if (d->n > 0 && d->weights[d->n - 1] == 0) d->n--;
}

static base_str delta_join_key(const delta *d, uint32_t i) {
    return (base_str){d->keys[i].p, d->key_n[i]};
}

static void encode_value(base_buf *buf, int64_t weight, int64_t matched) {
    base_buf_clear(buf);
    base_buf_add(buf, &weight, sizeof weight);
    base_buf_add(buf, &matched, sizeof matched);
}

static base_rc split_value(base_str value, int64_t *weight, int64_t *matched, base_error *err) {
    if (value.n < ROW_HEAD) {
        return base_fail(err, BASE_E_CORRUPT, NULL, "a joined row has %zu bytes", value.n);
    }
    memcpy(weight, value.p, 8);
    memcpy(matched, value.p + 8, 8);
    return BASE_OK;
}

// Adds a delta to its side's table. Left join, left side: rows without match go out.
static base_rc write_delta(join_op *join, flow_ctx *ctx, flow_out *out, uint32_t which, delta *d,
                           base_error *err) {
    base_arena *arena = ctx->arena;
    join_side *side = &join->sides[which];
    base_str *values = base_arena_array(arena, base_str, d->n + 1u);
    base_rc rc = state_get_batch(ctx->txn, side->table, d->n, d->keys, values, err);
    base_buf buf = {0};
    for (uint32_t i = 0; i < d->n && rc == BASE_OK; i++) {
        int64_t weight = 0, matched;
        if (values[i].p != NULL) rc = split_value(values[i], &weight, &matched, err);
        weight += d->weights[i];
        values[i] = (base_str){NULL, 0};
        if (weight == 0) continue;
        encode_value(&buf, weight, d->matched[i]);
        col_row_encode(&buf, d->batch, d->rows[i], side->ncolumns, side->columns);
        values[i] = (base_str){base_arena_memdup(arena, buf.p, buf.n), buf.n};
    }
    base_buf_deinit(&buf);
    if (rc == BASE_OK) rc = state_put_batch(ctx->txn, side->table, d->n, d->keys, values, err);
    if (rc != BASE_OK || which != 0 || !join->left) return rc;
    uint32_t *rows = base_arena_alloc(arena, sizeof(uint32_t) * (d->n + 1u)), n = 0;
    int64_t *weights = base_arena_alloc(arena, sizeof(int64_t) * (d->n + 1u));
    for (uint32_t i = 0; i < d->n; i++) {
        if (d->matched[i] > 0) continue;
        weights[n] = d->weights[i];
        rows[n++] = d->rows[i];
    }
    return emit_unmatched(join, ctx, out, d->batch, rows, weights, n, err);
}

// ------------------------------------------------------------------------------------ with a store

// A chunk of stored rows of one side, against the delta rows with their keys.
typedef struct chunk {
    stored_row *rows;
    col_batch *batch; // parallel to rows
    base_str *values; // as stored
    uint32_t n, cap;
} chunk;

// m of left rows has changed: writes it back, and gives or takes the row with nulls.
static base_rc settle_matches(join_op *join, flow_ctx *ctx, flow_out *out, chunk *c,
                              base_error *err) {
    base_arena *arena = ctx->arena;
    base_str *keys = base_arena_alloc(arena, sizeof(base_str) * (c->n + 1u));
    base_str *values = base_arena_alloc(arena, sizeof(base_str) * (c->n + 1u));
    uint32_t *rows = base_arena_alloc(arena, sizeof(uint32_t) * (c->n + 1u)), n = 0, changed = 0;
    int64_t *weights = base_arena_alloc(arena, sizeof(int64_t) * (c->n + 1u));
    for (uint32_t i = 0; i < c->n; i++) {
        stored_row *row = &c->rows[i];
        if (row->change == 0) continue;
        int64_t after = row->matched + row->change;
        char *value = base_arena_memdup(arena, c->values[i].p, c->values[i].n);
        memcpy(value + 8, &after, sizeof after);
        keys[changed] = row->key;
        values[changed++] = (base_str){value, c->values[i].n};
        if ((row->matched <= 0) == (after <= 0)) continue;
        weights[n] = after <= 0 ? row->weight : -row->weight;
        rows[n++] = i;
    }
    base_rc rc = state_put_batch(ctx->txn, join->sides[0].table, changed, keys, values, err);
    return rc == BASE_OK ? emit_unmatched(join, ctx, out, c->batch, rows, weights, n, err) : rc;
}

// which: the side of the stored rows. by_row: m of the delta's rows, when they are the left ones.
static base_rc join_chunk(join_op *join, flow_ctx *ctx, flow_out *out, uint32_t which, chunk *c,
                          const delta *d, int64_t *by_row, base_error *err) {
    if (c->n == 0) return BASE_OK;
    base_arena *arena = ctx->arena;
    const col_batch *left = which == 0 ? c->batch : d->batch;
    const col_batch *right = which == 0 ? d->batch : c->batch;
    int64_t *matched = by_row;
    if (join->left && which == 0) matched = base_arena_array(arena, int64_t, c->n + 1u);
    uint64_t total = 0;
    for (uint32_t i = 0; i < c->n; i++) total += c->rows[i].end - c->rows[i].begin;
    uint32_t most = join->op.graph->batch_rows;
    pairs p;
    pairs_init(&p, arena, total < most ? (uint32_t)total : most);
    base_rc rc = BASE_OK;
    for (uint32_t i = 0; i < c->n && rc == BASE_OK; i++) {
        const stored_row *row = &c->rows[i];
        for (uint32_t k = row->begin; k < row->end && rc == BASE_OK; k++) {
            uint32_t l = which == 0 ? i : d->rows[k], r = which == 0 ? d->rows[k] : i;
            int64_t lw = which == 0 ? row->weight : d->weights[k];
            int64_t rw = which == 0 ? d->weights[k] : row->weight;
            rc = add_pair(join, ctx, out, left, right, &p, l, r, lw, rw, matched, err);
        }
    }
    if (rc == BASE_OK) rc = emit_pairs(join, ctx, out, left, right, &p, matched, err);
    if (rc != BASE_OK || !join->left || which == 1) return rc;
    for (uint32_t i = 0; i < c->n; i++) c->rows[i].change = matched[i];
    return settle_matches(join, ctx, out, c, err);
}

static void chunk_init(chunk *c, const join_side *side, base_arena *arena, uint32_t cap) {
    *c = (chunk){.cap = cap};
    c->rows = base_arena_alloc(arena, sizeof(stored_row) * cap);
    c->values = base_arena_alloc(arena, sizeof(base_str) * cap);
    c->batch = col_batch_create(arena, side->ncolumns, side->types, cap);
}

static base_rc chunk_add(chunk *c, const join_side *side, base_arena *arena, base_str key,
                         base_str value, uint32_t begin, uint32_t end, base_error *err) {
    stored_row *row = &c->rows[c->n];
    *row = (stored_row){
        .key = {base_arena_memdup(arena, key.p, key.n), key.n}, .begin = begin, .end = end};
    base_rc rc = split_value(value, &row->weight, &row->matched, err);
    if (rc != BASE_OK) return rc;
    c->values[c->n] = (base_str){base_arena_memdup(arena, value.p, value.n), value.n};
    size_t at = ROW_HEAD;
    rc = col_row_decode(c->values[c->n], &at, c->batch, c->n, side->ncolumns, side->columns, arena,
                        err);
    c->n++;
    return rc;
}

// The delta meets the stored rows of the other side.
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
    int64_t *by_row = NULL;
    if (join->left && which == 1) {
        by_row = base_arena_array(ctx->arena, int64_t, d->batch->nrows + 1u);
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
            rc = chunk_add(&c, side, ctx->arena, key, value, begin, end, err);
            if (rc == BASE_OK && c.n == c.cap) {
                rc = join_chunk(join, ctx, out, which, &c, d, by_row, err);
                chunk_init(&c, side, ctx->arena, cap < most ? (cap = most) : cap);
            }
            if (rc == BASE_OK) rc = state_cursor_next(cursor, &key, &value, &last, err);
        }
    }
    state_cursor_close(cursor);
    if (rc != BASE_OK) return rc;
    c.batch->nrows = c.n;
    rc = join_chunk(join, ctx, out, which, &c, d, by_row, err);
    for (uint32_t k = 0; by_row != NULL && k < d->n; k++) d->matched[k] = by_row[d->rows[k]];
    return rc;
}

static base_rc join_store(join_op *join, flow_ctx *ctx, flow_out *out, base_error *err) {
    delta left, right;
    uint32_t *nulls, nnull, *dropped, ndropped;
    make_delta(join, &join->sides[0], ctx->arena, &left, &nulls, &nnull);
    make_delta(join, &join->sides[1], ctx->arena, &right, &dropped, &ndropped);
    base_rc rc = BASE_OK;
    if (join->left && nnull > 0) {
        int64_t *weights = base_arena_alloc(ctx->arena, sizeof(int64_t) * nnull);
        for (uint32_t i = 0; i < nnull; i++) weights[i] = col_weight(left.batch, nulls[i]);
        rc = emit_unmatched(join, ctx, out, left.batch, nulls, weights, nnull, err);
    }
    if (rc == BASE_OK) rc = probe_store(join, ctx, out, 1, &left, err);
    if (rc == BASE_OK) rc = write_delta(join, ctx, out, 0, &left, err);
    if (rc == BASE_OK) rc = probe_store(join, ctx, out, 0, &right, err);
    if (rc == BASE_OK) rc = write_delta(join, ctx, out, 1, &right, err);
    return rc;
}

// ------------------------------------------------------------------------------------ the operator

static base_rc join_flush(flow_op *op, flow_ctx *ctx, flow_out *out, base_error *err) {
    join_op *join = (join_op *)op;
    if (join->sides[0].pile.n == 0 && join->sides[1].pile.n == 0) return BASE_OK;
    base_rc rc = op->graph->store == NULL ? join_memory(join, ctx, out, err)
                                          : join_store(join, ctx, out, err);
    join->sides[0].pile = join->sides[1].pile = (flow_pile){0};
    return rc;
}

static base_rc join_save(flow_op *op, flow_ctx *ctx, base_error *err) {
    (void)op, (void)ctx, (void)err; // written at flush
    return BASE_OK;
}

static void join_reset(flow_op *op) {
    join_op *join = (join_op *)op;
    join->sides[0].pile = join->sides[1].pile = (flow_pile){0};
}

static void join_stats(flow_op *op, flow_op_stats *stats) {
    *stats = op->stats;
}

static void join_close(flow_op *op) {
    (void)op;
}

base_rc flow_join_create(flow_graph *graph, uint32_t view_id, const plan_node *node, flow_op **out,
                         base_error *err) {
    static const flow_op_class class = {.name = "join",
                                        .push = join_push,
                                        .flush = join_flush,
                                        .save = join_save,
                                        .reset = join_reset,
                                        .verify = join_save,
                                        .stats = join_stats,
                                        .close = join_close};
    base_arena *arena = &graph->arena;
    join_op *join = base_arena_new(arena, join_op);
    FLOW_OP_INIT(&join->op, &class, graph, view_id, node);
    join->nkeys = node->nequi;
    join->left = node->join == PLAN_JOIN_LEFT;
    for (uint32_t i = 0; i < 2; i++) {
        join_side *side = &join->sides[i];
        side->node = node->inputs[i];
        side->ncolumns = side->node->ncolumns;
        side->types = flow_types(arena, side->node);
        side->keys = i == 0 ? node->left_keys : node->right_keys;
        side->columns = base_arena_array(arena, uint32_t, side->ncolumns + 1u);
        for (uint32_t c = 0; c < side->ncolumns; c++) side->columns[c] = c;
    }
    *out = &join->op;
    for (uint32_t k = 0; k < join->nkeys; k++) {
        col_kind a = join->sides[0].types[node->left_keys[k]].kind;
        col_kind b = join->sides[1].types[node->right_keys[k]].kind;
        if (a != b && !(col_kind_is_string(a) && col_kind_is_string(b))) {
            return base_fail(err, BASE_E_INTERNAL, NULL, "join keys of types %s and %s",
                             col_kind_name(a), col_kind_name(b));
        }
    }
    if (graph->store == NULL) return BASE_OK;
    base_rc rc =
        flow_table_open(graph, false, view_id, node->id, "left", &join->sides[0].table, err);
    if (rc != BASE_OK) return rc;
    return flow_table_open(graph, false, view_id, node->id, "right", &join->sides[1].table, err);
}
