// top_grow.c - the first n rows of each partition by row_number(), of an input that only grows.
//
// Delta rule: what does not rank within n now never will, so of a partition its first n rows are
// all that is kept: first n of (A + dA) = first n of (first n of A + dA). The step's rows are
// grouped by partition, the best n of each group meet the partition's rows once. The order is that
// of partition.h, so that it does not matter to the answer which of the two operators gives it; the
// hash of a row is only worked out where order keys are equal, or for a row that is kept.
// State: "v<view>.<node>.heads": partition key -> version, then for each row its key (order key ++
// row hash) and bytes, each with its length before it. In front of it a cache, which knows all
// partitions as long as none was evicted since the table was empty: then a new one is not looked
// for. Entry point: flow_top_grow_create.
#include "base/hash.h"
#include "flow/keymap.h"
#include "flow/partition.h"
#include "flow/partition_cache.h"

#define HEAD_VERSION 1

typedef struct grow_op {
    flow_op op;
    uint32_t limit;
    flow_partition_config config;
    uint32_t *columns; // 0, 1, ...
    flow_pile pile;    // of the step
    state_table table;
    partition_cache cache;
    bool looked, complete; // the cache knows every partition
    uint64_t counted;
    base_buf buf;
    col_type *types; // of the output
} grow_op;

// A row of a head: of the step (source), or kept before.
typedef struct head_row {
    base_str order; // without the hash
    base_str key;   // with it, once it is known
    base_str bytes;
    uint32_t source;
} head_row;

// What the flush is made of.
typedef struct flush {
    grow_op *grow;
    flow_ctx *ctx;
    const col_batch *rows;
    base_str *orders;
    uint32_t nout, out_cap;
    head_row *out;
    int64_t *weights, *ranks;
    uint32_t nkeys;
    base_str *keys, *values; // to be written
} flush;

static base_rc grow_push(flow_op *op, flow_ctx *ctx, uint32_t port, const col_batch *batch,
                         flow_out *out, base_error *err) {
    (void)port, (void)out;
    grow_op *grow = (grow_op *)op;
    op->stats.rows_in += batch->nrows;
    flow_pile_add(&grow->pile, ctx->arena, batch);
    return flow_poll(op->graph, ctx, err);
}

// ------------------------------------------------------------------------------------ order

static void complete_key(flush *f, head_row *row) {
    if (row->key.p != NULL) return;
    base_buf *buf = &f->grow->buf;
    base_buf_clear(buf);
    col_key_encode_row(buf, f->rows, row->source, f->rows->ncols, f->grow->columns);
    char *p = base_arena_alloc_aligned(f->ctx->arena, row->order.n + FLOW_PARTITION_HASH + 1, 1);
    if (row->order.n > 0) memcpy(p, row->order.p, row->order.n);
    base_hash128(buf->n == 0 ? "" : buf->p, buf->n, (uint8_t *)p + row->order.n);
    row->key = (base_str){p, row->order.n + FLOW_PARTITION_HASH};
}

static int compare_rows(flush *f, head_row *a, head_row *b) {
    int order = base_str_cmp(a->order, b->order);
    if (order != 0) return order;
    complete_key(f, a);
    complete_key(f, b);
    return base_str_cmp(a->key, b->key);
}

// Puts a row in its place among the first n of rows[0..*n), which are in order.
static void insert_row(flush *f, head_row *rows, uint32_t *n, head_row row) {
    uint32_t lo = 0, hi = *n, limit = f->grow->limit;
    if (*n == limit && (limit == 0 || compare_rows(f, &row, &rows[limit - 1]) >= 0)) return;
    while (lo < hi) {
        uint32_t middle = (lo + hi) / 2;
        if (compare_rows(f, &row, &rows[middle]) < 0) {
            hi = middle;
        } else {
            lo = middle + 1;
        }
    }
    if (*n < limit) (*n)++;
    memmove(rows + lo + 1, rows + lo, sizeof *rows * (*n - lo - 1));
    rows[lo] = row;
}

// ------------------------------------------------------------------------------------ heads

static base_rc corrupt(base_error *err, size_t n) {
    return base_fail(err, BASE_E_CORRUPT, NULL, "a stored head of %zu bytes does not fit", n);
}

static bool read_part(base_str bytes, size_t *at, const char **p, uint32_t *n) {
    if (bytes.n - *at < sizeof *n) return false;
    memcpy(n, bytes.p + *at, sizeof *n);
    *at += sizeof *n;
    if (bytes.n - *at < *n) return false;
    *p = bytes.p + *at;
    *at += *n;
    return true;
}

// The rows of a stored head, borrowed; room for limit of them.
static base_rc decode_head(const grow_op *grow, base_str bytes, held_row *rows, uint32_t *n,
                           base_error *err) {
    *n = 0;
    if (bytes.n == 0 || bytes.p[0] != HEAD_VERSION) return corrupt(err, bytes.n);
    for (size_t at = 1; at < bytes.n; (*n)++) {
        held_row *row = &rows[*n];
        if (*n == grow->limit || !read_part(bytes, &at, &row->key, &row->key_n) ||
            !read_part(bytes, &at, &row->bytes, &row->bytes_n) || row->key_n < FLOW_PARTITION_HASH)
            return corrupt(err, bytes.n);
        row->weight = 1;
    }
    return BASE_OK;
}

static base_str encode_head(base_arena *arena, base_buf *buf, const held_row *rows, uint32_t n) {
    base_buf_clear(buf);
    base_buf_add_byte(buf, HEAD_VERSION);
    for (uint32_t i = 0; i < n; i++) {
        base_buf_add_u32le(buf, rows[i].key_n);
        base_buf_add(buf, rows[i].key, rows[i].key_n);
        base_buf_add_u32le(buf, rows[i].bytes_n);
        base_buf_add(buf, rows[i].bytes, rows[i].bytes_n);
    }
    return (base_str){base_arena_memdup(arena, buf->p, buf->n), buf->n};
}

// ------------------------------------------------------------------------------------ output

static void give(flush *f, const head_row *row, int64_t rank, int64_t weight) {
    base_arena *arena = f->ctx->arena;
    if (f->nout == f->out_cap) {
        uint32_t cap = f->out_cap == 0 ? 256 : f->out_cap * 2;
        head_row *out = base_arena_alloc(arena, sizeof *out * cap);
        int64_t *weights = base_arena_alloc(arena, sizeof *weights * cap);
        int64_t *ranks = base_arena_alloc(arena, sizeof *ranks * cap);
        if (f->nout > 0) {
            memcpy(out, f->out, sizeof *out * f->nout);
            memcpy(weights, f->weights, sizeof *weights * f->nout);
            memcpy(ranks, f->ranks, sizeof *ranks * f->nout);
        }
        f->out = out;
        f->weights = weights;
        f->ranks = ranks;
        f->out_cap = cap;
    }
    f->out[f->nout] = *row;
    f->weights[f->nout] = weight;
    f->ranks[f->nout++] = rank;
}

// Rows [begin, begin + n) of the output.
static base_rc emit_rows(flush *f, flow_out *out, uint32_t begin, uint32_t n, base_error *err) {
    grow_op *grow = f->grow;
    base_arena *arena = f->ctx->arena;
    uint32_t ncols = grow->config.ncolumns, *sel = base_arena_alloc(arena, sizeof *sel * (n + 1u));
    bool all = true;
    for (uint32_t i = 0; i < n; i++) {
        sel[i] = f->out[begin + i].source;
        all = all && sel[i] != FLOW_NO_SOURCE;
    }
    col_batch *rows = all ? col_batch_gather(arena, f->rows, sel, n)
                          : col_batch_create(arena, ncols, grow->config.types, n);
    base_rc rc = BASE_OK;
    for (uint32_t i = 0; i < n && !all && rc == BASE_OK; i++) {
        if (sel[i] != FLOW_NO_SOURCE) {
            for (uint32_t c = 0; c < ncols; c++)
                col_vec_copy_cell(&rows->cols[c], i, &f->rows->cols[c], sel[i], arena);
            continue;
        }
        size_t at = 0;
        rc =
            col_row_decode(f->out[begin + i].bytes, &at, rows, i, ncols, grow->columns, arena, err);
    }
    if (rc != BASE_OK) return rc;
    col_batch *batch = base_arena_new(arena, col_batch);
    *batch = (col_batch){grow->op.node->ncolumns, n,
                         base_arena_array(arena, col_vec, grow->op.node->ncolumns + 1u),
                         f->weights + begin};
    memcpy(batch->cols, rows->cols, sizeof(col_vec) * ncols);
    if (grow->op.node->with_rank) {
        col_vec *ranks = &batch->cols[ncols];
        *ranks = (col_vec){.type = col_type_of(COL_INT8), .n = n, .data = f->ranks + begin};
    }
    return flow_emit(out, f->ctx, batch, err);
}

// ------------------------------------------------------------------------------------ a step

// A head's rows as they were, with strings that outlive the cache's own.
static void old_rows(flush *f, const held_row *rows, uint32_t n, head_row *out) {
    for (uint32_t i = 0; i < n; i++) {
        base_str key = {rows[i].key, rows[i].key_n};
        out[i] = (head_row){.order = {key.p, key.n - FLOW_PARTITION_HASH},
                            .key = key,
                            .bytes = {rows[i].bytes, rows[i].bytes_n},
                            .source = FLOW_NO_SOURCE};
    }
    (void)f;
}

// What of the old head goes, what of the new one comes, by rank or without.
static void give_changes(flush *f, const head_row *old, uint32_t nold, const head_row *new,
                         uint32_t nnew, const bool *kept) {
    bool ranks = f->grow->op.node->with_rank;
    base_arena *arena = f->ctx->arena;
    for (uint32_t i = 0, at = 0; i < nold; i++) {
        while (at < nnew && new[at].source != FLOW_NO_SOURCE) at++;
        bool stays = kept[i];
        if (stays && (!ranks || at == i)) {
            at++;
            continue;
        }
        head_row row = old[i]; // the cache's bytes go with the old head
        row.bytes.p = base_arena_memdup(arena, row.bytes.p, row.bytes.n);
        give(f, &row, i + 1, -1);
        if (stays) give(f, &row, ++at, 1);
    }
    for (uint32_t i = 0; i < nnew; i++)
        if (new[i].source != FLOW_NO_SOURCE) give(f, &new[i], i + 1, 1);
}

// The rows of one group meet their partition's head.
static void meet(flush *f, base_str key, uint64_t hash, const held_row *held, uint32_t nheld,
                 const uint32_t *rows, uint32_t n, head_row *room) {
    grow_op *grow = f->grow;
    head_row *old = room, *new = room + grow->limit + 1;
    bool *kept = base_arena_array(f->ctx->arena, bool, nheld + 1u);
    old_rows(f, held, nheld, old);
    old_rows(f, held, nheld, new);
    uint32_t nnew = nheld;
    for (uint32_t i = 0; i < n; i++) {
        head_row row = {.order = f->orders[rows[i]], .source = rows[i]};
        for (int64_t k = col_weight(f->rows, rows[i]); k > 0; k--) {
            uint32_t before = nnew;
            insert_row(f, new, &nnew, row);
            if (before == grow->limit && k > grow->limit) k = grow->limit; // no more can be shown
        }
    }
    uint32_t nkept = 0;
    held_row *after = base_arena_alloc(f->ctx->arena, sizeof *after * (nnew + 1u));
    for (uint32_t i = 0; i < nnew; i++) {
        if (new[i].source == FLOW_NO_SOURCE) {
            kept[nkept++] = true; // those that stay are the first of the old ones
        } else {
            complete_key(f, &new[i]);
            base_buf_clear(&grow->buf);
            col_row_encode(&grow->buf, f->rows, new[i].source, grow->config.ncolumns,
                           grow->columns);
            new[i].bytes =
                (base_str){base_arena_memdup(f->ctx->arena, grow->buf.p, grow->buf.n), grow->buf.n};
        }
        after[i] = (held_row){new[i].key.p, new[i].bytes.p, (uint32_t) new[i].key.n,
                              (uint32_t) new[i].bytes.n, 1};
    }
    if (nkept == nnew) return; // none of the step's rows is among them
    give_changes(f, old, nheld, new, nnew, kept);
    if (grow->op.graph->store == NULL) return;
    f->keys[f->nkeys] = key;
    f->values[f->nkeys++] = encode_head(f->ctx->arena, &grow->buf, after, nnew);
    partition_cache_put(&grow->cache, key, hash, nnew, after, false);
}

// Whether the table is empty, so that the cache knows all there is.
static base_rc look(grow_op *grow, flow_ctx *ctx, base_error *err) {
    uint64_t rows;
    if (grow->looked || grow->op.graph->store == NULL) return BASE_OK;
    base_rc rc = state_table_count(ctx->txn, grow->table, &rows, err);
    grow->complete = rc == BASE_OK && rows == 0;
    grow->looked = true;
    return rc;
}

// Stored heads of the groups that the cache does not have.
static base_rc read_heads(flush *f, uint32_t n, const base_str *keys, const uint64_t *hashes,
                          base_str *values, base_error *err) {
    grow_op *grow = f->grow;
    base_arena *arena = f->ctx->arena;
    if (grow->complete || grow->op.graph->store == NULL) return BASE_OK;
    base_str *wanted = base_arena_alloc(arena, sizeof *wanted * (n + 1u));
    uint32_t *groups = base_arena_alloc(arena, sizeof *groups * (n + 1u)), nwanted = 0;
    for (uint32_t g = 0; g < n; g++) {
        if (partition_cache_find(&grow->cache, keys[g], hashes[g]) != NULL) continue;
        wanted[nwanted] = keys[g];
        groups[nwanted++] = g;
    }
    const uint32_t *order = flow_keys_sort(arena, nwanted, wanted);
    base_str *in_order = base_arena_alloc(arena, sizeof *in_order * (nwanted + 1u));
    base_str *found = base_arena_array(arena, base_str, nwanted + 1u);
    for (uint32_t i = 0; i < nwanted; i++) in_order[i] = wanted[order[i]];
    base_rc rc = state_get_batch(f->ctx->txn, grow->table, nwanted, in_order, found, err);
    for (uint32_t i = 0; i < nwanted && rc == BASE_OK; i++) values[groups[order[i]]] = found[i];
    return rc;
}

// Rows by group: those of group g are rows[begin[g]..begin[g + 1]).
static void by_group(base_arena *arena, uint32_t nrows, const uint32_t *group_of, uint32_t n,
                     uint32_t **begin, uint32_t **rows) {
    *begin = base_arena_array(arena, uint32_t, n + 2u);
    *rows = base_arena_alloc(arena, sizeof(uint32_t) * (nrows + 1u));
    for (uint32_t i = 0; i < nrows; i++) (*begin)[group_of[i] + 2]++;
    for (uint32_t g = 1; g < n + 1; g++) (*begin)[g + 1] += (*begin)[g];
    for (uint32_t i = 0; i < nrows; i++) (*rows)[(*begin)[group_of[i] + 1]++] = i;
}

static base_rc write_heads(flush *f, base_error *err) {
    base_arena *arena = f->ctx->arena;
    uint32_t n = f->nkeys;
    if (n == 0) return BASE_OK;
    const uint32_t *order = flow_keys_sort(arena, n, f->keys);
    base_str *keys = base_arena_alloc(arena, sizeof *keys * n);
    base_str *values = base_arena_alloc(arena, sizeof *values * n);
    for (uint32_t i = 0; i < n; i++) {
        keys[i] = f->keys[order[i]];
        values[i] = f->values[order[i]];
    }
    return state_put_batch(f->ctx->txn, f->grow->table, n, keys, values, err);
}

static base_rc meet_all(flush *f, const flow_keymap *map, const uint32_t *group_of,
                        base_error *err) {
    grow_op *grow = f->grow;
    base_arena *arena = f->ctx->arena;
    uint32_t n = map->n, *begin, *rows;
    base_str *stored = base_arena_array(arena, base_str, n + 1u);
    base_rc rc = read_heads(f, n, map->keys, map->hashes, stored, err);
    by_group(arena, f->rows->nrows, group_of, n, &begin, &rows);
    f->keys = base_arena_alloc(arena, sizeof(base_str) * (n + 1u));
    f->values = base_arena_alloc(arena, sizeof(base_str) * (n + 1u));
    head_row *room = base_arena_array(arena, head_row, 2 * (grow->limit + 1u));
    held_row *decoded = base_arena_array(arena, held_row, grow->limit + 1u);
    for (uint32_t g = 0; g < n && rc == BASE_OK; g++) {
        const held_partition *held =
            partition_cache_find(&grow->cache, map->keys[g], map->hashes[g]);
        const held_row *head = held == NULL ? decoded : held->rows;
        uint32_t nhead = held == NULL ? 0 : held->n;
        if (held == NULL && stored[g].p != NULL)
            rc = decode_head(grow, stored[g], decoded, &nhead, err);
        if (rc != BASE_OK) break;
        meet(f, map->keys[g], map->hashes[g], head, nhead, rows + begin[g], begin[g + 1] - begin[g],
             room);
    }
    return rc;
}

static base_rc grow_flush(flow_op *op, flow_ctx *ctx, flow_out *out, base_error *err) {
    grow_op *grow = (grow_op *)op;
    if (grow->pile.n == 0) return BASE_OK;
    base_arena *arena = ctx->arena;
    flush f = {.grow = grow, .ctx = ctx};
    f.rows = flow_pile_concat(&grow->pile, arena, op->node->inputs[0]);
    grow->pile = (flow_pile){0};
    uint32_t n = f.rows->nrows, nfresh;
    base_str *partitions = base_arena_alloc(arena, sizeof(base_str) * (n + 1u));
    f.orders = base_arena_alloc(arena, sizeof(base_str) * (n + 1u));
    flow_partition_encode(&grow->config, arena, f.rows, partitions, f.orders);
    flow_keymap map;
    flow_keymap_init(&map, arena, n);
    uint32_t *group_of = base_arena_alloc(arena, sizeof(uint32_t) * (n + 1u));
    uint32_t *fresh = base_arena_alloc(arena, sizeof(uint32_t) * (n + 1u));
    flow_keymap_put(&map, arena, n, partitions, group_of, fresh, &nfresh);
    base_rc rc = look(grow, ctx, err);
    if (rc == BASE_OK) rc = meet_all(&f, &map, group_of, err);
    uint32_t most = op->graph->batch_rows;
    for (uint32_t at = 0; at < f.nout && rc == BASE_OK; at += most)
        rc = emit_rows(&f, out, at, f.nout - at < most ? f.nout - at : most, err);
    return rc == BASE_OK && op->graph->store != NULL ? write_heads(&f, err) : rc;
}

static void count_cache(grow_op *grow) {
    flow_heap_add(&grow->op, (int64_t)(grow->cache.bytes - grow->counted));
    grow->counted = grow->cache.bytes;
}

static base_rc grow_save(flow_op *op, flow_ctx *ctx, base_error *err) {
    (void)ctx, (void)err; // written at flush
    grow_op *grow = (grow_op *)op;
    uint32_t had = grow->cache.n;
    partition_cache_trim(&grow->cache, op->graph->cache_bytes /
                                           (op->graph->ncaches == 0 ? 1 : op->graph->ncaches));
    grow->complete = grow->complete && grow->cache.n == had;
    count_cache(grow);
    return BASE_OK;
}

static void grow_reset(flow_op *op) {
    grow_op *grow = (grow_op *)op;
    grow->pile = (flow_pile){0};
    partition_cache_deinit(&grow->cache);
    grow->looked = grow->complete = false;
    count_cache(grow);
}

// Every stored head decodes, and its rows are in order.
static base_rc grow_verify(flow_op *op, flow_ctx *ctx, base_error *err) {
    grow_op *grow = (grow_op *)op;
    state_cursor *cursor;
    base_rc rc = state_cursor_open(ctx->txn, grow->table, &cursor, err);
    if (rc != BASE_OK) return rc;
    held_row *rows = base_arena_array(ctx->arena, held_row, grow->limit + 1u);
    for (;;) {
        base_str key, value;
        bool end;
        uint32_t n;
        rc = state_cursor_next(cursor, &key, &value, &end, err);
        if (rc != BASE_OK || end) break;
        rc = decode_head(grow, value, rows, &n, err);
        for (uint32_t i = 1; i < n && rc == BASE_OK; i++) {
            if (base_str_cmp((base_str){rows[i - 1].key, rows[i - 1].key_n},
                             (base_str){rows[i].key, rows[i].key_n}) > 0)
                rc = corrupt(err, value.n);
        }
        if (rc != BASE_OK) break;
    }
    state_cursor_close(cursor);
    return rc;
}

static void grow_stats(flow_op *op, flow_op_stats *stats) {
    grow_op *grow = (grow_op *)op;
    *stats = op->stats;
    stats->state_rows = grow->cache.n;
    stats->cache_bytes = grow->cache.bytes;
}

static void grow_close(flow_op *op) {
    grow_op *grow = (grow_op *)op;
    partition_cache_deinit(&grow->cache);
    base_buf_deinit(&grow->buf);
}

base_rc flow_top_grow_create(flow_graph *graph, uint32_t view_id, const plan_node *node,
                             flow_op **out, base_error *err) {
    static const flow_op_class class = {.name = "top",
                                        .push = grow_push,
                                        .flush = grow_flush,
                                        .save = grow_save,
                                        .reset = grow_reset,
                                        .verify = grow_verify,
                                        .stats = grow_stats,
                                        .close = grow_close};
    grow_op *grow = base_arena_new(&graph->arena, grow_op);
    FLOW_OP_INIT(&grow->op, &class, graph, view_id, node);
    *out = &grow->op;
    must(node->limit >= 0 && node->limit <= FLOW_TOP_GROW_MAX);
    grow->limit = (uint32_t)node->limit;
    grow->config = (flow_partition_config){.op = &grow->op,
                                           .ncolumns = node->inputs[0]->ncolumns,
                                           .types = flow_types(&graph->arena, node->inputs[0]),
                                           .nkeys = node->npartition,
                                           .keys = node->partition,
                                           .norder = node->nsort,
                                           .order = node->sort};
    grow->columns = base_arena_array(&graph->arena, uint32_t, grow->config.ncolumns + 1u);
    for (uint32_t c = 0; c < grow->config.ncolumns; c++) grow->columns[c] = c;
    graph->ncaches++;
    if (graph->store == NULL) return BASE_OK;
    return flow_table_open(graph, false, view_id, node->id, "heads", &grow->table, err);
}
