// asof.c - as-of joins, inner and left: each left row with the one right row of equal keys whose
// time is the nearest at or before its own (>=; > before, <= at or after, < after).
//
// Order: both sides of a key stand in one order of bytes. A right row is at key ++ time ++ 0x80 ++
// what the plan orders rows of one time by ++ its columns ++ hash, a left row at key ++ time ++ a
// byte below or above 0x80 ++ hash: above, where rows of equal time match. For <= and < the time's
// bytes are inverted, so are those of columns of which the least comes first. So the match of a
// left row is the last right row before it, and among right rows of one time it is the first by the
// plan's order, and then the greatest, column by column (as far as TIE_BYTES of their encoding
// tell).
//
// Delta rule: d(A >< B) = A >< (B + dB) - A >< B + dA >< (B + dB). What the first two differ in are
// the left rows behind a right row that comes or goes, up to the next one that stays: they are
// found by a scan of that range, each once however many right rows changed, and go from the old
// match to the new. Then the step's left rows look up their match. Rows whose key or time is null
// match nothing and are not stored.
//
// State: "v<view>.<node>.left" and ".right": the place above -> weight, row.
// Without a store: both sides are sorted and merged. Entry point: flow_asof_create.
#include "base/hash.h"
#include "flow/delta.h"

#define ROW_HASH    16u
#define TIE_BYTES   160u // of a right row's encoding, in its place
#define RIGHT_AT    ((char)0x80)
#define CHUNK_FIRST 64u // stored left rows made whole at once: at first, and at most
#define CHUNK_MOST  16384u

#define SCRATCH_BYTES (64u << 10)

typedef struct asof_side {
    flow_pile pile;
    const plan_node *node;
    uint32_t ncolumns;
    uint32_t *columns; // 0, 1, ...
    uint32_t nothers;
    uint32_t *others; // columns that are neither of the keys nor the time
    uint32_t nties;   // of the right side: what says which of rows of one time comes first
    const plan_sort_key *ties;
    const uint32_t *keys;
    uint32_t time;
    const col_type *types;
    state_table table;
} asof_side;

typedef struct asof_op {
    flow_op op;
    asof_side sides[2];
    uint32_t nkeys;
    bool left;     // LEFT: also left rows without a match
    bool inverted; // <= and <
    char left_at;  // the byte of left rows
} asof_op;

// A right row, as it is stored; place.n 0: none.
typedef struct asof_match {
    base_str place, value;
    uint32_t row, round; // where it is among the rows of that round of the output; round 0: nowhere
} asof_match;

// Output in the making: pairs of rows of two batches.
typedef struct asof_run {
    asof_op *asof;
    flow_ctx *ctx;     // its arena is the output's
    base_arena *arena; // of the step
    flow_out *out;
    const col_batch *left, *right;
    col_batch *matches; // right, where it is made of stored rows
    uint32_t nmatches, round;
    uint32_t n, cap;
    uint32_t *left_rows, *right_rows; // right: COL_NO_ROW where there is no match
    int64_t *weights;
} asof_run;

static base_rc asof_push(flow_op *op, flow_ctx *ctx, uint32_t port, const col_batch *batch,
                         flow_out *out, base_error *err) {
    (void)out;
    asof_op *asof = (asof_op *)op;
    must(port < 2);
    op->stats.rows_in += batch->nrows;
    flow_pile_add(&asof->sides[port].pile, ctx->arena, batch);
    return flow_poll(op->graph, ctx, err);
}

// ------------------------------------------------------------------------------------ output

// Begins a batch of up to cap pairs. right NULL: of stored rows, as they are asked for.
static void begin_pairs(asof_run *run, const col_batch *left, const col_batch *right,
                        uint32_t cap) {
    base_arena *arena = run->ctx->arena;
    const asof_side *side = &run->asof->sides[1];
    run->left = left;
    run->n = 0;
    run->cap = cap;
    run->left_rows = base_arena_alloc(arena, sizeof(uint32_t) * cap);
    run->right_rows = base_arena_alloc(arena, sizeof(uint32_t) * cap);
    run->weights = base_arena_alloc(arena, sizeof(int64_t) * cap);
    run->matches = NULL;
    if (right == NULL) {
        right = run->matches = col_batch_create(arena, side->ncolumns, side->types, cap);
    }
    run->right = right;
    run->nmatches = 0;
    run->round++;
}

static base_rc emit_pairs(asof_run *run, base_error *err) {
    if (run->n == 0) return BASE_OK;
    base_arena *arena = run->ctx->arena;
    uint32_t nleft = run->asof->sides[0].ncolumns, ncols = run->asof->op.node->ncolumns;
    col_batch *batch = base_arena_new(arena, col_batch);
    *batch = (col_batch){ncols, run->n, base_arena_array(arena, col_vec, ncols + 1u), NULL};
    bool ones = true;
    for (uint32_t i = 0; i < run->n && ones; i++) ones = run->weights[i] == 1;
    if (!ones) batch->weights = run->weights;
    for (uint32_t c = 0; c < ncols; c++) {
        batch->cols[c] = c < nleft
                             ? *col_vec_gather(arena, &run->left->cols[c], run->left_rows, run->n)
                             : *col_vec_gather_outer(arena, &run->right->cols[c - nleft],
                                                     run->right_rows, run->n);
    }
    return flow_emit(run->out, run->ctx, batch, err);
}

// The next batch of the same left rows.
static base_rc next_pairs(asof_run *run, base_error *err) {
    base_rc rc = emit_pairs(run, err);
    begin_pairs(run, run->left, run->matches == NULL ? run->right : NULL, run->cap);
    return rc;
}

// The caller sees to it that n is below cap. row: of `right`, COL_NO_ROW: none.
static void add_pair(asof_run *run, uint32_t left, uint32_t row, int64_t weight) {
    if (weight == 0 || (row == COL_NO_ROW && !run->asof->left)) return;
    must(run->n < run->cap);
    run->left_rows[run->n] = left;
    run->right_rows[run->n] = row;
    run->weights[run->n++] = weight;
}

// The row of `matches` that is the match. Each pair needs one more at most.
static base_rc match_row(asof_run *run, asof_match *match, uint32_t *row, base_error *err) {
    *row = COL_NO_ROW;
    if (match->place.n == 0) return BASE_OK;
    if (match->round != run->round) {
        must(run->nmatches < run->cap);
        const asof_side *side = &run->asof->sides[1];
        size_t at = 0;
        match->round = run->round;
        match->row = run->nmatches++;
        base_rc rc = col_row_decode(match->value, &at, run->matches, match->row, side->ncolumns,
                                    side->columns, run->ctx->arena, err);
        if (rc != BASE_OK) return rc;
    }
    *row = match->row;
    return BASE_OK;
}

// ------------------------------------------------------------------------------------ places

static bool no_match(const asof_op *asof, const asof_side *side, const col_batch *batch,
                     uint32_t row) {
    if (col_is_null(&batch->cols[side->time], row)) return true;
    for (uint32_t k = 0; k < asof->nkeys; k++) {
        if (col_is_null(&batch->cols[side->keys[k]], row)) return true;
    }
    return false;
}

static void invert(base_buf *buf, size_t from) {
    for (size_t i = from; i < buf->n; i++) buf->p[i] = (char)~buf->p[i];
}

// The place of a row, which tags tell from its equals; scratch is used on the way.
static base_str place_of(const asof_op *asof, uint32_t which, base_arena *arena, base_buf *scratch,
                         const col_batch *batch, uint32_t row, const col_vec *tags, base_str key) {
    const asof_side *side = &asof->sides[which];
    base_buf_clear(scratch);
    col_key_encode(scratch, &batch->cols[side->time], row);
    size_t time_n = scratch->n;
    if (asof->inverted) invert(scratch, 0);
    for (uint32_t i = 0; i < side->nties; i++) { // what comes first is to be last
        size_t from = scratch->n;
        col_key_encode(scratch, &batch->cols[side->ties[i].column], row);
        if (!side->ties[i].descending) invert(scratch, from);
    }
    col_key_encode_row(scratch, batch, row, side->nothers, side->others);
    if (tags != NULL) col_key_encode(scratch, tags, row);
    size_t row_n = scratch->n - time_n, tie = which == 0 ? 0 : row_n;
    if (tie > TIE_BYTES) tie = TIE_BYTES;
    size_t n = key.n + time_n + 1 + tie + ROW_HASH;
    char *place = base_arena_alloc_aligned(arena, n, 1), *p = place;
    memcpy(p, key.p, key.n);
    p += key.n;
    memcpy(p, scratch->p, time_n);
    p += time_n;
    *p++ = which == 0 ? asof->left_at : RIGHT_AT;
    memcpy(p, scratch->p + time_n, tie);
    base_hash128(scratch->p + time_n, row_n, (uint8_t *)p + tie);
    return (base_str){place, n};
}

static void make_delta(asof_op *asof, uint32_t which, base_arena *arena, flow_delta *d) {
    asof_side *side = &asof->sides[which];
    const col_batch *batch = flow_pile_concat(&side->pile, arena, side->node);
    uint32_t n = batch->nrows;
    base_str *keys = base_arena_alloc(arena, sizeof(base_str) * (n + 1u));
    base_str *places = base_arena_array(arena, base_str, n + 1u);
    uint32_t *key_n = base_arena_alloc(arena, sizeof(uint32_t) * (n + 1u));
    flow_keys_encode(arena, batch, asof->nkeys, side->keys, keys);
    const col_vec *tags = col_tags(arena, batch, side->ncolumns, side->columns, side->types);
    base_buf scratch = {0};
    for (uint32_t i = 0; i < n; i++) {
        key_n[i] = (uint32_t)keys[i].n;
        if (no_match(asof, side, batch, i)) continue;
        places[i] = place_of(asof, which, arena, &scratch, batch, i, tags, keys[i]);
    }
    base_buf_deinit(&scratch);
    flow_delta_make(d, arena, batch, places, key_n);
}

// ------------------------------------------------------------------------------------ stored rows

static asof_match match_of(base_str place, base_str value) {
    return (asof_match){.place = place,
                        .value = {value.p + FLOW_DELTA_HEAD, value.n - FLOW_DELTA_HEAD}};
}

// A walk over the stored right rows of a key that are there (weight above 0).
typedef struct right_walk {
    asof_run *run;
    state_cursor *cursor;
    base_str key, place; // place.n 0: past the key's end
} right_walk;

static base_rc walk_on(right_walk *walk, base_str at, base_str value, bool end, base_error *err) {
    base_rc rc = BASE_OK;
    for (; rc == BASE_OK && !end && base_str_starts(at, walk->key);) {
        int64_t weight;
        rc = flow_delta_weight(value, &weight, err);
        if (rc == BASE_OK && weight > 0) {
            walk->place = flow_kept(walk->run->arena, at);
            return BASE_OK;
        }
        if (rc == BASE_OK) rc = state_cursor_next(walk->cursor, &at, &value, &end, err);
    }
    walk->place = (base_str){0};
    return rc;
}

static base_rc walk_from(right_walk *walk, base_str place, base_error *err) {
    base_str at, value;
    bool end;
    base_rc rc = state_cursor_seek(walk->cursor, place, &at, &value, &end, err);
    return rc == BASE_OK ? walk_on(walk, at, value, end, err) : rc;
}

static base_rc walk_next(right_walk *walk, base_error *err) {
    base_str at, value;
    bool end;
    base_rc rc = state_cursor_next(walk->cursor, &at, &value, &end, err);
    return rc == BASE_OK ? walk_on(walk, at, value, end, err) : rc;
}

// The last right row before `place`; the walk then stands somewhere before it. *until, if asked
// for: up to where it is the last before, n 0: to the key's end.
static base_rc find_before(right_walk *walk, base_str place, asof_match *found, base_str *until,
                           base_error *err) {
    base_str at, value;
    bool end;
    *found = (asof_match){0};
    base_rc rc = state_cursor_seek(walk->cursor, place, &at, &value, &end, err);
    if (rc == BASE_OK && until != NULL) {
        bool more = !end && base_str_starts(at, walk->key);
        *until = more ? flow_kept(walk->run->arena, at) : (base_str){0};
    }
    for (;;) {
        if (rc == BASE_OK) rc = state_cursor_prev(walk->cursor, &at, &value, &end, err);
        int64_t weight = 0;
        if (rc != BASE_OK || end || !base_str_starts(at, walk->key)) return rc;
        rc = flow_delta_weight(value, &weight, err);
        if (rc != BASE_OK || weight <= 0) continue;
        *found = match_of(flow_kept(walk->run->arena, at), flow_kept(walk->run->arena, value));
        return BASE_OK;
    }
}

// ------------------------------------------------------------------------------------ right rows

// The stored left rows that are to change their match, made whole a chunk at a time. However many
// there are, where nobody keeps the output no more than a chunk is in memory.
typedef struct left_chunk {
    state_cursor *cursor;
    base_arena *scratch; // of one chunk; NULL: chunks stay until the step ends
    col_batch *batch;
    uint32_t n, cap;
} left_chunk;

static void begin_chunk(asof_run *run, left_chunk *c, uint32_t cap) {
    const asof_side *side = &run->asof->sides[0];
    if (c->scratch != NULL) base_arena_reset(c->scratch);
    c->batch = col_batch_create(run->ctx->arena, side->ncolumns, side->types, cap);
    c->n = 0;
    c->cap = cap;
    begin_pairs(run, c->batch, NULL, 2 * cap);
}

static base_rc end_chunk(asof_run *run, left_chunk *c, base_error *err) {
    c->batch->nrows = c->n;
    return emit_pairs(run, err);
}

static base_rc move_row(asof_run *run, left_chunk *c, base_str stored, asof_match *before,
                        asof_match *after, base_error *err) {
    const asof_side *side = &run->asof->sides[0];
    int64_t weight;
    size_t at = FLOW_DELTA_HEAD;
    base_rc rc = flow_delta_weight(stored, &weight, err);
    if (rc != BASE_OK) return rc;
    if (c->n == c->cap) {
        rc = end_chunk(run, c, err);
        uint32_t most = run->asof->op.graph->batch_rows;
        begin_chunk(run, c, most < CHUNK_MOST ? most : CHUNK_MOST);
        if (rc != BASE_OK) return rc;
    }
    base_str row = flow_kept(run->ctx->arena, stored);
    uint32_t old, new;
    rc = col_row_decode(row, &at, c->batch, c->n, side->ncolumns, side->columns, run->ctx->arena,
                        err);
    if (rc == BASE_OK) rc = match_row(run, before, &old, err);
    if (rc == BASE_OK) rc = match_row(run, after, &new, err);
    if (rc != BASE_OK) return rc;
    add_pair(run, c->n, old, -weight);
    add_pair(run, c->n++, new, weight);
    return BASE_OK;
}

// The stored left rows from one place to another (to.n 0: to the key's end).
static base_rc move_range(asof_run *run, left_chunk *c, base_str from, base_str to, base_str key,
                          asof_match *before, asof_match *after, base_error *err) {
    base_str at, value;
    bool end;
    base_rc rc = state_cursor_seek(c->cursor, from, &at, &value, &end, err);
    while (rc == BASE_OK && !end && base_str_starts(at, key) &&
           (to.n == 0 || base_str_cmp(at, to) < 0)) {
        rc = move_row(run, c, value, before, after, err);
        if (rc == BASE_OK) rc = state_cursor_next(c->cursor, &at, &value, &end, err);
    }
    return rc;
}

static bool flips(const flow_delta *d, uint32_t i) {
    return (flow_delta_weight_in(d->stored[i]) > 0) != (flow_delta_weight_in(d->values[i]) > 0);
}

static uint32_t next_flip(const flow_delta *d, uint32_t i, uint32_t end) {
    while (i < end && !flips(d, i)) i++;
    return i;
}

// From the first of the right rows of a key that come or go, *at, over all that follow, to a right
// row that stays or the key's end: old and new are the matches so far, as it was and as it is to
// be. *at: the first that is left.
static base_rc move_region(asof_run *run, left_chunk *c, right_walk *walk, const flow_delta *d,
                           uint32_t *at, uint32_t end, base_error *err) {
    uint32_t i = *at;
    asof_match old, new;
    base_rc rc = find_before(walk, d->places[i], &old, NULL, err);
    new = old;
    if (rc == BASE_OK) rc = walk_from(walk, d->places[i], err);
    while (rc == BASE_OK && i < end) {
        base_str from = d->places[i];
        if (flow_delta_weight_in(d->stored[i]) > 0) {
            old = match_of(from, d->stored[i]);
            rc = walk_next(walk, err); // which stood there
        } else {
            new = match_of(from, d->values[i]);
        }
        i = next_flip(d, i + 1, end);
        if (rc != BASE_OK) break;
        base_str next = i < end ? d->places[i] : (base_str){0};
        bool stays = walk->place.n > 0 && (next.n == 0 || base_str_cmp(walk->place, next) < 0);
        if (stays) next = flow_kept(run->arena, walk->place);
        rc = move_range(run, c, from, next, walk->key, &old, &new, err);
        if (stays) break;
    }
    *at = i;
    return rc;
}

static base_rc move_all(asof_run *run, left_chunk *chunk, right_walk *walk, const flow_delta *d,
                        base_error *err) {
    uint32_t most = run->asof->op.graph->batch_rows;
    base_rc rc = BASE_OK;
    begin_chunk(run, chunk, most < CHUNK_FIRST ? most : CHUNK_FIRST);
    for (uint32_t begin = 0, end; begin < d->n && rc == BASE_OK; begin = end) {
        walk->key = flow_delta_key(d, begin);
        for (end = begin + 1; end < d->n && base_str_eq(flow_delta_key(d, end), walk->key);) end++;
        for (uint32_t i = next_flip(d, begin, end); i < end && rc == BASE_OK;) {
            rc = move_region(run, chunk, walk, d, &i, end, err);
        }
    }
    return rc == BASE_OK ? end_chunk(run, chunk, err) : rc;
}

// Each stored left row whose match changes goes from the old to the new.
static base_rc move_lefts(asof_run *run, const flow_delta *d, base_error *err) {
    if (next_flip(d, 0, d->n) == d->n) return BASE_OK;
    flow_ctx *ctx = run->ctx, chunk_ctx = *ctx;
    base_arena scratch;
    right_walk walk = {.run = run};
    left_chunk chunk = {0};
    base_rc rc = state_cursor_open(ctx->txn, run->asof->sides[1].table, &walk.cursor, err);
    if (rc != BASE_OK) return rc;
    rc = state_cursor_open(ctx->txn, run->asof->sides[0].table, &chunk.cursor, err);
    if (rc == BASE_OK && !flow_out_retains(run->out)) {
        base_arena_init(&scratch, SCRATCH_BYTES);
        chunk.scratch = chunk_ctx.arena = &scratch;
        chunk_ctx.step_arena = flow_step_arena(ctx);
        run->ctx = &chunk_ctx;
    }
    if (rc == BASE_OK) {
        rc = move_all(run, &chunk, &walk, d, err);
        state_cursor_close(chunk.cursor);
    }
    if (chunk.scratch != NULL) base_arena_deinit(&scratch);
    run->ctx = ctx;
    state_cursor_close(walk.cursor);
    return rc;
}

// ------------------------------------------------------------------------------------ left rows

// In order of place, so that one may have the match of the one before.
static base_rc match_lefts(asof_run *run, const flow_delta *d, base_error *err) {
    if (d->n == 0) return BASE_OK;
    right_walk walk = {.run = run};
    asof_match match = {0};
    base_str until = {0};
    base_rc rc = state_cursor_open(run->ctx->txn, run->asof->sides[1].table, &walk.cursor, err);
    if (rc != BASE_OK) return rc;
    uint32_t most = run->asof->op.graph->batch_rows;
    begin_pairs(run, d->batch, NULL, d->n < most ? d->n : most);
    for (uint32_t i = 0; i < d->n && rc == BASE_OK; i++) {
        base_str key = flow_delta_key(d, i), place = d->places[i];
        bool same =
            i > 0 && base_str_eq(key, walk.key) && (until.n == 0 || base_str_cmp(place, until) < 0);
        walk.key = key;
        if (!same) rc = find_before(&walk, place, &match, &until, err);
        if (rc == BASE_OK && run->n == run->cap) rc = next_pairs(run, err);
        uint32_t row = COL_NO_ROW;
        if (rc == BASE_OK) rc = match_row(run, &match, &row, err);
        if (rc == BASE_OK) add_pair(run, d->rows[i], row, d->weights[i]);
    }
    state_cursor_close(walk.cursor);
    return rc == BASE_OK ? emit_pairs(run, err) : rc;
}

// Without a store: both deltas are in one order.
static base_rc merge_sides(asof_run *run, const flow_delta *left, const flow_delta *right,
                           base_error *err) {
    base_rc rc = BASE_OK;
    uint32_t most = run->asof->op.graph->batch_rows, match = COL_NO_ROW;
    if (left->n == 0) return BASE_OK;
    begin_pairs(run, left->batch, right->batch, left->n < most ? left->n : most);
    for (uint32_t l = 0, r = 0; l < left->n && rc == BASE_OK; l++) {
        for (; r < right->n && base_str_cmp(right->places[r], left->places[l]) < 0; r++) {
            if (right->weights[r] > 0) match = r;
        }
        bool same = match != COL_NO_ROW &&
                    base_str_eq(flow_delta_key(right, match), flow_delta_key(left, l));
        if (run->n == run->cap) rc = next_pairs(run, err);
        add_pair(run, left->rows[l], same ? right->rows[match] : COL_NO_ROW, left->weights[l]);
    }
    return rc == BASE_OK ? emit_pairs(run, err) : rc;
}

// Left rows that match nothing, whatever comes.
static base_rc emit_nulls(asof_run *run, const flow_delta *left, const flow_delta *right,
                          base_error *err) {
    if (left->nnull == 0 || !run->asof->left) return BASE_OK;
    begin_pairs(run, left->batch, right->batch, left->nnull);
    for (uint32_t i = 0; i < left->nnull; i++) {
        add_pair(run, left->nulls[i], COL_NO_ROW, col_weight(left->batch, left->nulls[i]));
    }
    return emit_pairs(run, err);
}

static base_rc asof_flush(flow_op *op, flow_ctx *ctx, flow_out *out, base_error *err) {
    asof_op *asof = (asof_op *)op;
    if (asof->sides[0].pile.n == 0 && asof->sides[1].pile.n == 0) return BASE_OK;
    asof_run run = {.asof = asof, .ctx = ctx, .arena = ctx->arena, .out = out};
    flow_delta left, right;
    make_delta(asof, 0, ctx->arena, &left);
    make_delta(asof, 1, ctx->arena, &right);
    asof->sides[0].pile = asof->sides[1].pile = (flow_pile){0};
    base_rc rc = emit_nulls(&run, &left, &right, err);
    if (op->graph->store == NULL) {
        return rc == BASE_OK ? merge_sides(&run, &left, &right, err) : rc;
    }
    if (rc == BASE_OK) rc = flow_delta_read(&right, ctx, asof->sides[1].table, err);
    if (rc == BASE_OK) rc = move_lefts(&run, &right, err);
    if (rc == BASE_OK) rc = flow_delta_write(&right, ctx, asof->sides[1].table, err);
    if (rc == BASE_OK) rc = flow_delta_read(&left, ctx, asof->sides[0].table, err);
    if (rc == BASE_OK) rc = match_lefts(&run, &left, err);
    if (rc == BASE_OK) rc = flow_delta_write(&left, ctx, asof->sides[0].table, err);
    return rc;
}

static base_rc asof_save(flow_op *op, flow_ctx *ctx, base_error *err) {
    (void)op, (void)ctx, (void)err; // written at flush
    return BASE_OK;
}

static void asof_reset(flow_op *op) {
    asof_op *asof = (asof_op *)op;
    asof->sides[0].pile = asof->sides[1].pile = (flow_pile){0};
}

static void asof_stats(flow_op *op, flow_op_stats *stats) {
    *stats = op->stats;
}

static void asof_close(flow_op *op) {
    (void)op;
}

static void list_columns(const asof_op *asof, asof_side *side, base_arena *arena) {
    side->columns = base_arena_array(arena, uint32_t, side->ncolumns + 1u);
    side->others = base_arena_array(arena, uint32_t, side->ncolumns + 1u);
    for (uint32_t c = 0; c < side->ncolumns; c++) {
        bool known = c == side->time;
        for (uint32_t k = 0; k < asof->nkeys; k++) known |= side->keys[k] == c;
        side->columns[c] = c;
        if (!known) side->others[side->nothers++] = c;
    }
}

base_rc flow_asof_create(flow_graph *graph, uint32_t view_id, const plan_node *node, flow_op **out,
                         base_error *err) {
    static const flow_op_class class = {.name = "asof",
                                        .layout = 1,
                                        .push = asof_push,
                                        .flush = asof_flush,
                                        .save = asof_save,
                                        .reset = asof_reset,
                                        .verify = asof_save,
                                        .stats = asof_stats,
                                        .close = asof_close};
    static const char *const tables[2] = {"left", "right"};
    base_arena *arena = &graph->arena;
    asof_op *asof = base_arena_new(arena, asof_op);
    FLOW_OP_INIT(&asof->op, &class, graph, view_id, node);
    asof->nkeys = node->nequi;
    asof->left = node->join == PLAN_JOIN_LEFT;
    asof->inverted = node->asof == PLAN_ASOF_LE || node->asof == PLAN_ASOF_LT;
    asof->left_at = node->asof == PLAN_ASOF_GE || node->asof == PLAN_ASOF_LE ? (char)0xff : 0;
    *out = &asof->op;
    base_rc rc = BASE_OK;
    for (uint32_t i = 0; i < 2 && rc == BASE_OK; i++) {
        asof_side *side = &asof->sides[i];
        side->node = node->inputs[i];
        side->ncolumns = side->node->ncolumns;
        side->types = flow_types(arena, side->node);
        side->keys = i == 0 ? node->left_keys : node->right_keys;
        side->time = i == 0 ? node->left_time : node->right_time;
        side->nties = i == 0 ? 0 : node->nsort;
        side->ties = node->sort;
        list_columns(asof, side, arena);
        if (graph->store == NULL) continue;
        rc = flow_table_open(graph, false, view_id, node->id, tables[i], &side->table, err);
    }
    return rc;
}
