// lookup.c - FOR SYSTEM_TIME AS OF PROCTIME(): each left row with the right row of equal keys that
// is there when the left row comes, inner and left. Later changes of the right side change nothing
// of what was given. The planner has proved that the right side has one row for each key at most.
//
// Delta rule: with B the right side's rows after the step, d(out) = +dA joined with B for rows that
// come, and for rows that go -(what was given for them). Of several that were given for equal left
// rows, the one without a match goes first, then the least, column by column. A step's right rows
// come before its left rows. So the output is a function of the order of steps, not of the inputs
// alone: the engine reads the right side's inputs first, here and when a view is filled.
//
// State: "v<view>.<node>.right": join key -> row. Where left rows can go, "v<view>.<node>.given":
// hash of the left row ++ what was given -> weight, right row (none: nothing).
// Without a store: the step's right rows are hashed. Entry point: flow_lookup_create.
#include "base/hash.h"
#include "flow/delta.h"

#define ROW_HASH  16u
#define TIE_BYTES 160u // of a right row's encoding, in what was given

typedef struct lookup_side {
    flow_pile pile;
    const plan_node *node;
    uint32_t ncolumns;
    uint32_t *columns; // 0, 1, ...
    const uint32_t *keys;
    const col_type *types;
} lookup_side;

typedef struct lookup_op {
    flow_op op;
    lookup_side sides[2];
    uint32_t nkeys;
    bool left;    // LEFT: also left rows without a match
    bool forgets; // left rows never go: what was given need not be known
    state_table right, given;
} lookup_op;

// The matches of a step's left rows, by group of equal keys.
typedef struct lookup_found {
    flow_groups groups;
    const col_batch *matches;
    uint32_t *rows; // by group: of matches, or COL_NO_ROW
} lookup_found;

static base_rc lookup_push(flow_op *op, flow_ctx *ctx, uint32_t port, const col_batch *batch,
                           flow_out *out, base_error *err) {
    (void)out;
    lookup_op *lookup = (lookup_op *)op;
    must(port < 2);
    op->stats.rows_in += batch->nrows;
    flow_pile_add(&lookup->sides[port].pile, ctx->arena, batch);
    return flow_poll(op->graph, ctx, err);
}

static bool null_key(const lookup_op *lookup, uint32_t which, const col_batch *batch,
                     uint32_t row) {
    for (uint32_t k = 0; k < lookup->nkeys; k++) {
        if (col_is_null(&batch->cols[lookup->sides[which].keys[k]], row)) return true;
    }
    return false;
}

// ------------------------------------------------------------------------------------ output

// Left rows with rows of `right` (COL_NO_ROW: none). left_rows NULL: all of `left`, in order.
static base_rc give(lookup_op *lookup, flow_ctx *ctx, flow_out *out, const col_batch *left,
                    const uint32_t *left_rows, const int64_t *weights, const col_batch *right,
                    const uint32_t *right_rows, uint32_t n, base_error *err) {
    if (n == 0) return BASE_OK;
    base_arena *arena = ctx->arena;
    uint32_t nleft = lookup->sides[0].ncolumns, ncols = lookup->op.node->ncolumns;
    col_batch *batch = base_arena_new(arena, col_batch);
    *batch = (col_batch){ncols, n, base_arena_array(arena, col_vec, ncols + 1u), NULL};
    batch->weights = weights;
    for (uint32_t c = 0; c < nleft; c++) {
        batch->cols[c] = left_rows == NULL ? left->cols[c]
                                           : *col_vec_gather(arena, &left->cols[c], left_rows, n);
    }
    for (uint32_t c = nleft; c < ncols; c++) {
        batch->cols[c] = *col_vec_gather_outer(arena, &right->cols[c - nleft], right_rows, n);
    }
    return flow_emit(out, ctx, batch, err);
}

// ------------------------------------------------------------------------------------ right rows

// Places are key ++ hash of the row; rows with null keys match nothing.
static void make_right(lookup_op *lookup, base_arena *arena, flow_delta *d) {
    lookup_side *side = &lookup->sides[1];
    const col_batch *batch = flow_pile_concat(&side->pile, arena, side->node);
    uint32_t n = batch->nrows;
    base_str *keys = base_arena_alloc(arena, sizeof(base_str) * (n + 1u));
    base_str *places = base_arena_array(arena, base_str, n + 1u);
    uint32_t *key_n = base_arena_alloc(arena, sizeof(uint32_t) * (n + 1u));
    flow_keys_encode(arena, batch, lookup->nkeys, side->keys, keys);
    base_str *whole = base_arena_alloc(arena, sizeof(base_str) * (n + 1u));
    col_key_encode_exact(arena, batch, side->ncolumns, side->columns, side->types, whole);
    for (uint32_t i = 0; i < n; i++) {
        key_n[i] = (uint32_t)keys[i].n;
        if (null_key(lookup, 1, batch, i)) continue;
        char *place = base_arena_alloc_aligned(arena, keys[i].n + ROW_HASH, 1);
        memcpy(place, keys[i].p, keys[i].n);
        base_hash128(whole[i].p, whole[i].n, (uint8_t *)place + keys[i].n);
        places[i] = (base_str){place, keys[i].n + ROW_HASH};
    }
    flow_delta_make(d, arena, batch, places, key_n);
}

// Of a key's rows of the step, the one that is there after it; d->n: none.
static uint32_t last_of_key(const flow_delta *d, uint32_t begin, uint32_t *end) {
    uint32_t found = d->n;
    base_str key = flow_delta_key(d, begin);
    for (*end = begin; *end < d->n && base_str_eq(flow_delta_key(d, *end), key); ++*end) {
        if (d->weights[*end] > 0) found = *end;
    }
    return found;
}

static base_rc store_right(lookup_op *lookup, flow_ctx *ctx, const flow_delta *d, base_error *err) {
    const lookup_side *side = &lookup->sides[1];
    base_str *keys = base_arena_alloc(ctx->arena, sizeof(base_str) * (d->n + 1u));
    base_str *values = base_arena_array(ctx->arena, base_str, d->n + 1u);
    uint32_t n = 0;
    base_buf buf = {0};
    for (uint32_t i = 0, end; i < d->n; i = end) {
        uint32_t last = last_of_key(d, i, &end);
        keys[n] = flow_delta_key(d, i);
        base_buf_clear(&buf);
        if (last < d->n)
            col_row_encode(&buf, d->batch, d->rows[last], side->ncolumns, side->columns);
        if (last < d->n) values[n] = flow_kept(ctx->arena, base_buf_str(&buf));
        n++;
    }
    base_buf_deinit(&buf);
    return state_put_batch(ctx->txn, lookup->right, n, keys, values, err);
}

// ------------------------------------------------------------------------------------ matches

// The key columns of a batch, and their hashes.
static void key_columns(const lookup_op *lookup, uint32_t which, base_arena *arena,
                        const col_batch *batch, col_batch *keys, uint64_t *hashes) {
    uint32_t *all = base_arena_array(arena, uint32_t, lookup->nkeys + 1u);
    for (uint32_t k = 0; k < lookup->nkeys; k++) all[k] = k;
    *keys = *col_batch_project(arena, batch, lookup->nkeys, lookup->sides[which].keys);
    col_hash(keys, lookup->nkeys, all, hashes);
}

static uint32_t *group_rows(const lookup_op *lookup, uint32_t which, base_arena *arena,
                            const col_batch *batch, flow_groups *groups) {
    uint64_t *hashes = base_arena_alloc(arena, sizeof(uint64_t) * (batch->nrows + 1u));
    uint32_t *group_of = base_arena_alloc(arena, sizeof(uint32_t) * (batch->nrows + 1u));
    col_batch keys;
    key_columns(lookup, which, arena, batch, &keys, hashes);
    flow_groups_find(groups, arena, arena, &keys, hashes, group_of);
    return group_of;
}

static base_rc read_matches(lookup_op *lookup, flow_ctx *ctx, lookup_found *found,
                            base_error *err) {
    base_arena *arena = ctx->arena;
    const lookup_side *side = &lookup->sides[1];
    uint32_t n = found->groups.n, asked = 0, nmatches = 0;
    const col_batch *keys = flow_groups_batch(&found->groups, arena, 0, n);
    uint32_t *all = base_arena_array(arena, uint32_t, lookup->nkeys + 1u);
    for (uint32_t k = 0; k < lookup->nkeys; k++) all[k] = k;
    base_str *places = base_arena_alloc(arena, sizeof(base_str) * (n + 1u));
    base_str *sorted = base_arena_alloc(arena, sizeof(base_str) * (n + 1u));
    base_str *values = base_arena_alloc(arena, sizeof(base_str) * (n + 1u));
    flow_keys_encode(arena, keys, lookup->nkeys, all, places);
    const uint32_t *order = flow_keys_sort(arena, n, places);
    found->rows = base_arena_alloc(arena, sizeof(uint32_t) * (n + 1u));
    for (uint32_t i = 0; i < n; i++) sorted[i] = places[order[i]];
    base_rc rc = state_get_batch(ctx->txn, lookup->right, n, sorted, values, err);
    for (uint32_t i = 0; i < n && rc == BASE_OK; i++) asked += values[i].p != NULL;
    col_batch *matches = col_batch_create(arena, side->ncolumns, side->types, asked);
    for (uint32_t i = 0; i < n && rc == BASE_OK; i++) {
        found->rows[order[i]] = COL_NO_ROW;
        if (values[i].p == NULL) continue;
        size_t at = 0;
        found->rows[order[i]] = nmatches;
        rc = col_row_decode(flow_kept(arena, values[i]), &at, matches, nmatches++, side->ncolumns,
                            side->columns, arena, err);
    }
    found->matches = matches;
    return rc;
}

// Without a store: the step's right rows come first, groups that they do not have match nothing.
static void hash_right(lookup_op *lookup, base_arena *arena, const flow_delta *d,
                       lookup_found *found, uint32_t *nright, uint32_t **rows) {
    uint32_t *group_of = group_rows(lookup, 1, arena, d->batch, &found->groups);
    *nright = found->groups.n;
    *rows = base_arena_alloc(arena, sizeof(uint32_t) * (*nright + 1u));
    for (uint32_t g = 0; g < *nright; g++) (*rows)[g] = COL_NO_ROW;
    for (uint32_t i = 0, end; i < d->n; i = end) {
        uint32_t last = last_of_key(d, i, &end);
        if (last < d->n) (*rows)[group_of[d->rows[last]]] = d->rows[last];
    }
    found->matches = d->batch;
}

// ------------------------------------------------------------------------------------ left rows

// Rows of a batch that come, and are not to be known any more.
static base_rc give_batch(lookup_op *lookup, flow_ctx *ctx, flow_out *out, const col_batch *batch,
                          const uint32_t *group_of, const lookup_found *found, base_error *err) {
    base_arena *arena = ctx->arena;
    uint32_t n = 0;
    uint32_t *left = base_arena_alloc(arena, sizeof(uint32_t) * (batch->nrows + 1u));
    uint32_t *right = base_arena_alloc(arena, sizeof(uint32_t) * (batch->nrows + 1u));
    for (uint32_t i = 0; i < batch->nrows; i++) {
        uint32_t row = found->rows[group_of[i]];
        left[n] = i;
        right[n] = row;
        n += row != COL_NO_ROW || lookup->left;
    }
    if (n == batch->nrows) // its columns are shared
        return give(lookup, ctx, out, batch, NULL, batch->weights, found->matches, right, n, err);
    int64_t *weights = NULL;
    if (batch->weights != NULL) {
        weights = base_arena_alloc(arena, sizeof(int64_t) * (n + 1u));
        for (uint32_t i = 0; i < n; i++) weights[i] = batch->weights[left[i]];
    }
    return give(lookup, ctx, out, batch, left, weights, found->matches, right, n, err);
}

// Rows that come and go: what is given and taken, and what of it is kept.
typedef struct lookup_book {
    uint32_t n, cap; // rows of `left` (in the order of places) to give or take
    uint32_t *left_rows, *right_rows;
    int64_t *weights;
    uint32_t nkept, kept_cap; // changes of "given", ascending by key
    base_str *keys, *values;
} lookup_book;

static void book_row(lookup_book *book, base_arena *arena, uint32_t left, uint32_t right,
                     int64_t weight) {
    if (book->n == book->cap) {
        uint32_t cap = book->cap == 0 ? 64 : book->cap * 2;
        uint32_t *left_rows = base_arena_alloc(arena, sizeof(uint32_t) * cap);
        uint32_t *right_rows = base_arena_alloc(arena, sizeof(uint32_t) * cap);
        int64_t *weights = base_arena_alloc(arena, sizeof(int64_t) * cap);
        if (book->n > 0) {
            memcpy(left_rows, book->left_rows, sizeof(uint32_t) * book->n);
            memcpy(right_rows, book->right_rows, sizeof(uint32_t) * book->n);
            memcpy(weights, book->weights, sizeof(int64_t) * book->n);
        }
        book->left_rows = left_rows;
        book->right_rows = right_rows;
        book->weights = weights;
        book->cap = cap;
    }
    book->left_rows[book->n] = left;
    book->right_rows[book->n] = right;
    book->weights[book->n++] = weight;
}

static void book_kept(lookup_book *book, base_arena *arena, base_str key, base_str value) {
    if (book->nkept == book->kept_cap) {
        uint32_t cap = book->kept_cap == 0 ? 64 : book->kept_cap * 2;
        base_str *keys = base_arena_alloc(arena, sizeof(base_str) * cap);
        base_str *values = base_arena_alloc(arena, sizeof(base_str) * cap);
        if (book->nkept > 0) {
            memcpy(keys, book->keys, sizeof(base_str) * book->nkept);
            memcpy(values, book->values, sizeof(base_str) * book->nkept);
        }
        book->keys = keys;
        book->values = values;
        book->kept_cap = cap;
    }
    book->keys[book->nkept] = key;
    book->values[book->nkept++] = value;
}

// Left rows by the hash of all their columns.
static void make_left(lookup_op *lookup, base_arena *arena, flow_delta *d) {
    lookup_side *side = &lookup->sides[0];
    const col_batch *batch = flow_pile_concat(&side->pile, arena, side->node);
    uint32_t n = batch->nrows;
    base_str *places = base_arena_array(arena, base_str, n + 1u);
    uint32_t *key_n = base_arena_alloc(arena, sizeof(uint32_t) * (n + 1u));
    base_str *whole = base_arena_alloc(arena, sizeof(base_str) * (n + 1u));
    col_key_encode_exact(arena, batch, side->ncolumns, side->columns, side->types, whole);
    for (uint32_t i = 0; i < n; i++) {
        char *place = base_arena_alloc_aligned(arena, ROW_HASH, 1);
        base_hash128(whole[i].p, whole[i].n, (uint8_t *)place);
        places[i] = (base_str){place, ROW_HASH};
        key_n[i] = ROW_HASH;
    }
    flow_delta_make(d, arena, batch, places, key_n);
}

// Where it stands that a match, or none, was given for a left row; a place of none comes first.
static base_str given_key(lookup_op *lookup, base_arena *arena, base_str place,
                          const lookup_found *found, uint32_t row, base_buf *buf) {
    const lookup_side *side = &lookup->sides[1];
    base_buf_clear(buf);
    base_buf_add(buf, place.p, place.n);
    base_buf_add_byte(buf, row == COL_NO_ROW ? 0 : 1);
    if (row == COL_NO_ROW) return flow_kept(arena, base_buf_str(buf));
    size_t begin = buf->n;
    col_key_encode_row(buf, found->matches, row, side->ncolumns, side->columns);
    if (col_has_tags(side->ncolumns, side->types)) // equal rows may not be the same
        col_row_encode(buf, found->matches, row, side->ncolumns, side->columns);
    uint8_t hash[ROW_HASH];
    base_hash128(buf->p + begin, buf->n - begin, hash);
    if (buf->n - begin > TIE_BYTES) buf->n = begin + TIE_BYTES;
    base_buf_add(buf, hash, sizeof hash);
    return flow_kept(arena, base_buf_str(buf));
}

// A left row comes: what it is given, and where that is to be known.
static void come(lookup_op *lookup, flow_ctx *ctx, const flow_delta *d, uint32_t i,
                 const lookup_found *found, uint32_t row, lookup_book *book, base_buf *buf) {
    const lookup_side *side = &lookup->sides[1];
    if (row != COL_NO_ROW || lookup->left)
        book_row(book, ctx->arena, d->rows[i], row, d->weights[i]);
    base_str key = given_key(lookup, ctx->arena, d->places[i], found, row, buf);
    base_buf_clear(buf);
    base_buf_add(buf, &d->weights[i], FLOW_DELTA_HEAD);
    if (row != COL_NO_ROW) col_row_encode(buf, found->matches, row, side->ncolumns, side->columns);
    book_kept(book, ctx->arena, key, flow_kept(ctx->arena, base_buf_str(buf)));
}

// Adds what is stored to the weights of what is given.
static base_rc add_stored(lookup_op *lookup, flow_ctx *ctx, lookup_book *given, base_error *err) {
    base_str *stored = base_arena_array(ctx->arena, base_str, given->nkept + 1u);
    base_rc rc = state_get_batch(ctx->txn, lookup->given, given->nkept, given->keys, stored, err);
    for (uint32_t i = 0; i < given->nkept && rc == BASE_OK; i++) {
        int64_t weight = 0;
        if (stored[i].p == NULL) continue;
        rc = flow_delta_weight(stored[i], &weight, err);
        weight += flow_delta_weight_in(given->values[i]);
        memcpy((char *)(uintptr_t)given->values[i].p, &weight, FLOW_DELTA_HEAD);
    }
    return rc;
}

// right_rows of what is taken: the number of the change in `kept`, whose value has the row.
static base_rc go(lookup_op *lookup, flow_ctx *ctx, state_cursor *cursor, const flow_delta *d,
                  uint32_t i, lookup_book *book, base_error *err) {
    base_str key, value;
    bool end;
    int64_t left = -d->weights[i];
    base_rc rc = state_cursor_seek(cursor, d->places[i], &key, &value, &end, err);
    while (rc == BASE_OK && left > 0 && !end && base_str_starts(key, d->places[i])) {
        int64_t weight;
        rc = flow_delta_weight(value, &weight, err);
        if (rc != BASE_OK) break;
        int64_t taken = weight < left ? weight : left, rest = weight - taken;
        base_str kept = flow_kept(ctx->arena, value);
        bool none = value.n == FLOW_DELTA_HEAD;
        if (!none || lookup->left)
            book_row(book, ctx->arena, d->rows[i], none ? COL_NO_ROW : book->nkept, -taken);
        memcpy((char *)(uintptr_t)kept.p, &rest, FLOW_DELTA_HEAD);
        book_kept(book, ctx->arena, flow_kept(ctx->arena, key), kept);
        left -= taken;
        rc = state_cursor_next(cursor, &key, &value, &end, err);
    }
    return rc;
}

// Gives back what the book says was taken: the right rows are in what was kept.
static base_rc give_taken(lookup_op *lookup, flow_ctx *ctx, flow_out *out, const flow_delta *d,
                          lookup_book *taken, base_error *err) {
    const lookup_side *side = &lookup->sides[1];
    col_batch *rows = col_batch_create(ctx->arena, side->ncolumns, side->types, taken->n);
    for (uint32_t i = 0; i < taken->n; i++) {
        if (taken->right_rows[i] == COL_NO_ROW) continue;
        size_t at = FLOW_DELTA_HEAD;
        base_rc rc = col_row_decode(taken->values[taken->right_rows[i]], &at, rows, i,
                                    side->ncolumns, side->columns, ctx->arena, err);
        if (rc != BASE_OK) return rc;
        taken->right_rows[i] = i;
    }
    return give(lookup, ctx, out, d->batch, taken->left_rows, taken->weights, rows,
                taken->right_rows, taken->n, err);
}

static base_rc write_kept(lookup_op *lookup, flow_ctx *ctx, lookup_book *book, base_error *err) {
    for (uint32_t i = 0; i < book->nkept; i++) {
        if (flow_delta_weight_in(book->values[i]) == 0) book->values[i] = (base_str){NULL, 0};
    }
    return state_put_batch(ctx->txn, lookup->given, book->nkept, book->keys, book->values, err);
}

static base_rc change_left(lookup_op *lookup, flow_ctx *ctx, flow_out *out, const flow_delta *d,
                           const uint32_t *group_of, const lookup_found *found, base_error *err) {
    lookup_book given = {0}, taken = {0};
    state_cursor *cursor;
    base_rc rc = state_cursor_open(ctx->txn, lookup->given, &cursor, err);
    if (rc != BASE_OK) return rc;
    base_buf buf = {0};
    for (uint32_t i = 0; i < d->n && rc == BASE_OK; i++) {
        uint32_t row = found->rows[group_of[d->rows[i]]];
        if (null_key(lookup, 0, d->batch, d->rows[i])) { // nothing to know
            if (lookup->left) book_row(&given, ctx->arena, d->rows[i], COL_NO_ROW, d->weights[i]);
        } else if (d->weights[i] > 0) {
            come(lookup, ctx, d, i, found, row, &given, &buf);
        } else {
            rc = go(lookup, ctx, cursor, d, i, &taken, err);
        }
    }
    base_buf_deinit(&buf);
    state_cursor_close(cursor);
    if (rc == BASE_OK) rc = add_stored(lookup, ctx, &given, err);
    if (rc == BASE_OK) rc = give_taken(lookup, ctx, out, d, &taken, err);
    if (rc == BASE_OK)
        rc = give(lookup, ctx, out, d->batch, given.left_rows, given.weights, found->matches,
                  given.right_rows, given.n, err);
    if (rc == BASE_OK) rc = write_kept(lookup, ctx, &taken, err);
    return rc == BASE_OK ? write_kept(lookup, ctx, &given, err) : rc;
}

// ------------------------------------------------------------------------------------ the step

static base_rc find_and_give(lookup_op *lookup, flow_ctx *ctx, flow_out *out,
                             const flow_delta *right, lookup_found *found, base_error *err) {
    base_arena *arena = ctx->arena;
    bool stored = lookup->op.graph->store != NULL, forgets = lookup->forgets || !stored;
    flow_pile pile = lookup->sides[0].pile;
    flow_delta left = {0};
    uint32_t nright = 0, *right_rows = NULL;
    if (!stored) hash_right(lookup, arena, right, found, &nright, &right_rows);
    if (!forgets) {
        make_left(lookup, arena, &left);
        const col_batch **one = base_arena_array(arena, const col_batch *, 1);
        one[0] = left.batch;
        pile = (flow_pile){.n = 1, .cap = 1, .batches = one, .rows = left.batch->nrows};
    }
    uint32_t **groups = base_arena_array(arena, uint32_t *, pile.n + 1u);
    for (uint32_t b = 0; b < pile.n; b++)
        groups[b] = group_rows(lookup, 0, arena, pile.batches[b], &found->groups);
    base_rc rc = BASE_OK;
    if (stored) {
        rc = read_matches(lookup, ctx, found, err);
    } else {
        found->rows = base_arena_alloc(arena, sizeof(uint32_t) * (found->groups.n + 1u));
        for (uint32_t g = 0; g < found->groups.n; g++)
            found->rows[g] = g < nright ? right_rows[g] : COL_NO_ROW;
    }
    if (rc != BASE_OK) return rc;
    if (!forgets) return change_left(lookup, ctx, out, &left, groups[0], found, err);
    for (uint32_t b = 0; b < pile.n && rc == BASE_OK; b++)
        rc = give_batch(lookup, ctx, out, pile.batches[b], groups[b], found, err);
    return rc;
}

static base_rc lookup_flush(flow_op *op, flow_ctx *ctx, flow_out *out, base_error *err) {
    lookup_op *lookup = (lookup_op *)op;
    lookup_side *sides = lookup->sides;
    base_rc rc = BASE_OK;
    flow_delta right = {0};
    if (sides[1].pile.n > 0 || op->graph->store == NULL) make_right(lookup, ctx->arena, &right);
    if (right.n > 0 && op->graph->store != NULL) rc = store_right(lookup, ctx, &right, err);
    if (rc == BASE_OK && sides[0].pile.n > 0) {
        lookup_found found = {0};
        col_type *types = base_arena_array(ctx->arena, col_type, lookup->nkeys + 1u);
        for (uint32_t k = 0; k < lookup->nkeys; k++) types[k] = sides[1].types[sides[1].keys[k]];
        flow_groups_init(&found.groups, ctx->arena, lookup->nkeys, types);
        rc = find_and_give(lookup, ctx, out, &right, &found, err);
        flow_groups_deinit(&found.groups);
    }
    sides[0].pile = sides[1].pile = (flow_pile){0};
    return rc;
}

static base_rc lookup_save(flow_op *op, flow_ctx *ctx, base_error *err) {
    (void)op, (void)ctx, (void)err; // written at flush
    return BASE_OK;
}

static void lookup_reset(flow_op *op) {
    lookup_op *lookup = (lookup_op *)op;
    lookup->sides[0].pile = lookup->sides[1].pile = (flow_pile){0};
}

static void lookup_stats(flow_op *op, flow_op_stats *stats) {
    *stats = op->stats;
}

static void lookup_close(flow_op *op) {
    (void)op;
}

static void lookup_describe(const flow_op *op, base_buf *buf) {
    base_buf_add_cstr(buf, ((const lookup_op *)op)->forgets ? "right rows" : "right rows, given");
}

base_rc flow_lookup_create(flow_graph *graph, uint32_t view_id, const plan_node *node,
                           bool left_grows, flow_op **out, base_error *err) {
    static const flow_op_class class = {.name = "lookup",
                                        .layout = 1,
                                        .describe = lookup_describe,
                                        .push = lookup_push,
                                        .flush = lookup_flush,
                                        .save = lookup_save,
                                        .reset = lookup_reset,
                                        .verify = lookup_save,
                                        .stats = lookup_stats,
                                        .close = lookup_close};
    base_arena *arena = &graph->arena;
    lookup_op *lookup = base_arena_new(arena, lookup_op);
    FLOW_OP_INIT(&lookup->op, &class, graph, view_id, node);
    lookup->nkeys = node->nequi;
    lookup->left = node->join == PLAN_JOIN_LEFT;
    lookup->forgets = left_grows;
    *out = &lookup->op;
    for (uint32_t i = 0; i < 2; i++) {
        lookup_side *side = &lookup->sides[i];
        side->node = node->inputs[i];
        side->ncolumns = side->node->ncolumns;
        side->types = flow_types(arena, side->node);
        side->keys = i == 0 ? node->left_keys : node->right_keys;
        side->columns = base_arena_array(arena, uint32_t, side->ncolumns + 1u);
        for (uint32_t c = 0; c < side->ncolumns; c++) side->columns[c] = c;
    }
    if (graph->store == NULL) return BASE_OK;
    base_rc rc = flow_table_open(graph, false, view_id, node->id, "right", &lookup->right, err);
    if (rc != BASE_OK || left_grows) return rc;
    return flow_table_open(graph, false, view_id, node->id, "given", &lookup->given, err);
}
