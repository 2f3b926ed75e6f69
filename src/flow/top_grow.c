// top_grow.c - the first n rows of each partition by row_number(), of an input that only grows.
//
// Delta rule: what does not rank within n now never will, so of a partition its first n rows are
// all that is kept: first n of (A + dA) = first n of (first n of A + dA). The step's rows are
// reduced to the first n of each partition batch by batch, as they come, so that nothing of a batch
// stays but rows that may be shown; at flush they meet the partition's rows once. The order is that
// of partition.h, so that it does not matter to the answer which of the two operators gives it.
// Where a view shows just these rows, they are kept there alone (top_mirror.h).
// State: "v<view>.<node>.heads": partition key -> head (top_head.h). In front of it a cache, which
// knows all partitions as long as none was evicted since the table was empty: then a new one is not
// looked for. Partitions are met in the order of their keys, which the state and, mostly, the
// view's rows have too. Entry point: flow_top_grow_create.
#include "flow/keymap.h"
#include "flow/partition_cache.h"
#include "flow/top_head.h"
#include "plan/growth.h"

typedef struct grow_op {
    flow_op op;
    flow_partition_config config;
    top_codec codec;
    state_table table;
    partition_cache cache;
    bool looked, complete; // the cache knows every partition
    uint64_t counted;
    const col_type *types; // of the output

    // Of the step, in its arena.
    flow_keymap map; // partitions to groups
    uint32_t heads_cap;
    top_head *heads; // by group
} grow_op;

// A row that goes or comes.
typedef struct change {
    base_str bytes;
    uint32_t mirrored; // number of the view's row that it is, or NOT_MIRRORED
    int64_t weight, rank;
} change;
#define NOT_MIRRORED UINT32_MAX

// What a flush is made of.
typedef struct flush {
    grow_op *grow;
    flow_ctx *ctx;
    uint32_t nchanges, cap;
    change *changes;
    uint32_t nmirrored, mirrored_cap;
    base_str *mirrored; // keys of the view's rows that go, in order; then the rows
    uint32_t nkeys;
    base_str *keys, *values; // to be written, in order
} flush;

static base_rc codec_failure(const grow_op *grow, base_error *err) {
    if (grow->codec.rc != BASE_OK && err != NULL) *err = grow->codec.failure;
    return grow->codec.rc;
}

static bool has_store(const grow_op *grow) {
    return grow->op.graph->store != NULL;
}

// ------------------------------------------------------------------------------------ taking in

static void reserve_heads(grow_op *grow, base_arena *arena) {
    if (grow->map.n <= grow->heads_cap) return;
    uint32_t cap = grow->heads_cap == 0 ? 256 : grow->heads_cap;
    while (cap < grow->map.n) cap *= 2;
    top_head *heads = base_arena_array(arena, top_head, cap);
    if (grow->heads_cap > 0) memcpy(heads, grow->heads, sizeof *heads * grow->heads_cap);
    grow->heads = heads;
    grow->heads_cap = cap;
}

// The group of each row of the batch; keys of new ones are kept for the step.
static uint32_t *find_groups(grow_op *grow, flow_ctx *ctx, uint32_t n, const base_str *partitions) {
    base_arena *step = flow_step_arena(ctx);
    uint32_t *group_of = base_arena_alloc(ctx->arena, sizeof *group_of * (n + 1u)), nfresh;
    uint32_t *fresh = base_arena_alloc(ctx->arena, sizeof *fresh * (n + 1u));
    if (grow->map.arena == NULL) flow_keymap_init(&grow->map, step, n);
    flow_keymap_put(&grow->map, ctx->arena, n, partitions, group_of, fresh, &nfresh);
    for (uint32_t i = 0; i < nfresh; i++) {
        base_str *key = &grow->map.keys[fresh[i]];
        key->p = base_arena_memdup(step, key->p, key->n);
    }
    reserve_heads(grow, step);
    return group_of;
}

// Rows of the batch that stayed in a head are encoded and kept for the step, the order key in front
// of the row's bytes; source is where in the buffer, until it is copied.
static void keep_rows(grow_op *grow, base_arena *step, const col_batch *batch, uint32_t n,
                      const uint32_t *groups) {
    base_buf *buf = &grow->codec.buf;
    base_buf_clear(buf);
    for (int copied = 0; copied < 2; copied++) {
        const char *base = copied ? base_arena_memdup(step, buf->p, buf->n) : NULL;
        for (uint32_t g = 0; g < n; g++) {
            top_head *head = &grow->heads[groups[g]];
            head->pending = false;
            for (uint32_t i = 0; i < head->n; i++) {
                top_row *row = &head->rows[i];
                if (row->bytes.p != NULL) continue;
                if (copied) {
                    row->order.p = base + row->source;
                    row->bytes.p = row->order.p + row->order.n;
                    continue;
                }
                uint32_t at = (uint32_t)buf->n;
                base_buf_add(buf, row->order.p, row->order.n);
                size_t begin = buf->n;
                col_row_encode(buf, batch, row->source, grow->codec.ncolumns, grow->codec.columns);
                row->bytes.n = buf->n - begin;
                row->source = at;
            }
        }
    }
}

static base_rc grow_push(flow_op *op, flow_ctx *ctx, uint32_t port, const col_batch *batch,
                         flow_out *out, base_error *err) {
    (void)port, (void)out;
    grow_op *grow = (grow_op *)op;
    base_arena *arena = ctx->arena, *step = flow_step_arena(ctx);
    uint32_t n = batch->nrows, ntouched = 0;
    op->stats.rows_in += n;
    base_str *partitions = base_arena_alloc(arena, sizeof *partitions * (n + 1u));
    base_str *orders = base_arena_alloc(arena, sizeof *orders * (n + 1u));
    flow_partition_encode(&grow->config, arena, batch, partitions, orders);
    const uint32_t *group_of = find_groups(grow, ctx, n, partitions);
    uint32_t *touched = base_arena_alloc(arena, sizeof *touched * (n + 1u));
    grow->codec.batch = batch;
    for (uint32_t i = 0; i < n; i++) {
        top_head *head = &grow->heads[group_of[i]];
        const top_row row = {.order = orders[i], .source = i};
        bool stays = true, any = false;
        // More of one row than a head has room for are not to be told from as many.
        for (int64_t k = col_weight(batch, i), room = grow->codec.limit; stays && k > 0 && room > 0;
             k--, room--) {
            stays = top_insert(&grow->codec, step, head, &row);
            any |= stays;
        }
        if (any && !head->pending) touched[ntouched++] = group_of[i];
        head->pending |= any;
    }
    keep_rows(grow, step, batch, ntouched, touched);
    grow->codec.batch = NULL;
    base_rc rc = codec_failure(grow, err);
    return rc == BASE_OK ? flow_poll(op->graph, ctx, err) : rc;
}

// ------------------------------------------------------------------------------------ heads

// Whether the table is empty, so that the cache knows all there is.
static base_rc look(grow_op *grow, flow_ctx *ctx, base_error *err) {
    uint64_t rows;
    if (grow->looked || !has_store(grow)) return BASE_OK;
    base_rc rc = state_table_count(ctx->txn, grow->table, &rows, err);
    grow->complete = rc == BASE_OK && rows == 0;
    grow->looked = true;
    return rc;
}

static bool is_mirrored(const grow_op *grow, uint32_t group) {
    return top_mirror_has(grow->codec.mirror, grow->map.keys[group]);
}

// What is kept of the groups in order: of the cache, or of the table, borrowed. p NULL: nothing.
static base_rc read_heads(flush *f, uint32_t n, const uint32_t *order, base_str *values,
                          base_error *err) {
    grow_op *grow = f->grow;
    base_arena *arena = f->ctx->arena;
    if (!has_store(grow)) return BASE_OK;
    base_str *wanted = base_arena_alloc(arena, sizeof *wanted * (n + 1u));
    uint32_t *places = base_arena_alloc(arena, sizeof *places * (n + 1u)), nwanted = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t g = order[i];
        const held_partition *held =
            partition_cache_find(&grow->cache, grow->map.keys[g], grow->map.hashes[g]);
        if (held != NULL) {
            values[i] = (base_str){held->rows[0].bytes, held->rows[0].bytes_n};
        } else if (!grow->complete) {
            wanted[nwanted] = grow->map.keys[g];
            places[nwanted++] = i;
        }
    }
    base_str *found = base_arena_array(arena, base_str, nwanted + 1u);
    base_rc rc = state_get_batch(f->ctx->txn, grow->table, nwanted, wanted, found, err);
    for (uint32_t i = 0; i < nwanted && rc == BASE_OK; i++) values[places[i]] = found[i];
    return rc;
}

#define GROW(arena, array, n, cap)                                                                 \
    do {                                                                                           \
        if ((n) < (cap)) break;                                                                    \
        (cap) = (cap) == 0 ? 256 : (cap)*2;                                                        \
        void *bigger_ = base_arena_alloc((arena), sizeof *(array) * (cap));                        \
        if ((n) > 0) memcpy(bigger_, (array), sizeof *(array) * (n));                              \
        (array) = bigger_;                                                                         \
    } while (0)

static void add_change(flush *f, change c) {
    GROW(f->ctx->arena, f->changes, f->nchanges, f->cap);
    f->changes[f->nchanges++] = c;
}

// A row of an old head that goes, or takes another rank: its bytes are the cache's, which the new
// head replaces, or the view's, which are read later.
static change of_old(flush *f, uint32_t group, const top_row *row, int64_t rank) {
    base_arena *arena = f->ctx->arena;
    if (!row->mirrored) {
        base_str bytes = {base_arena_memdup(arena, row->bytes.p, row->bytes.n), row->bytes.n};
        return (change){bytes, NOT_MIRRORED, -1, rank};
    }
    GROW(arena, f->mirrored, f->nmirrored, f->mirrored_cap);
    f->mirrored[f->nmirrored] =
        top_mirror_key(f->grow->codec.mirror, arena, f->grow->map.keys[group], rank);
    return (change){{NULL, 0}, f->nmirrored++, -1, rank};
}

// The step's rows among those that were there: rows[0..) in order, of which is_new[] says which are
// the step's. Equal ones come behind those that were there.
static uint32_t merge(grow_op *grow, top_head *old, top_head *new, const top_row **rows,
                      bool *is_new) {
    uint32_t n = 0, a = 0, b = 0;
    while (n < grow->codec.limit && (a < old->n || b < new->n)) {
        bool second = a == old->n ||
                      (b < new->n &&top_compare(&grow->codec, &new->rows[b], &old->rows[a]) < 0);
        is_new[n] = second;
        rows[n++] = second ? &new->rows[b++] : &old->rows[a++];
    }
    return n;
}

// What of the old head goes and what comes, by rank or without.
static void give_changes(flush *f, uint32_t group, const top_head *old, const top_row *const *rows,
                         const bool *is_new, uint32_t n) {
    bool ranks = f->grow->op.node->with_rank;
    uint32_t at = 0, kept = 0;
    for (uint32_t i = 0; i < n; i++) kept += !is_new[i];
    for (uint32_t i = 0; i < old->n; i++) {
        bool stays = i < kept; // the first of the old ones do
        for (; stays && is_new[at]; at++) {
        }
        if (stays && (!ranks || at == i)) {
            at++;
            continue;
        }
        change c = of_old(f, group, &old->rows[i], i + 1);
        add_change(f, c);
        if (!stays) continue;
        c.weight = 1;
        c.rank = ++at;
        add_change(f, c);
    }
    for (uint32_t i = 0; i < n; i++)
        if (is_new[i]) add_change(f, (change){rows[i]->bytes, NOT_MIRRORED, 1, i + 1});
}

// The step's rows of a group meet those that were there.
static void meet(flush *f, uint32_t group, top_head *old, const top_row **rows, bool *is_new) {
    grow_op *grow = f->grow;
    grow->codec.partition = grow->map.keys[group];
    uint32_t n = merge(grow, old, &grow->heads[group], rows, is_new);
    bool any = false;
    for (uint32_t i = 0; i < n && !any; i++) any = is_new[i];
    if (!any) return;
    give_changes(f, group, old, rows, is_new, n);
    if (!has_store(grow)) return;
    // A head of one row is cached with it, since it goes next; what the view has is not stored.
    bool mirrored = is_mirrored(grow, group);
    base_buf *buf = &grow->codec.buf;
    top_head_encode(buf, rows, n, mirrored && grow->codec.limit > 1);
    base_str key = grow->map.keys[group], value = base_buf_str(buf);
    const held_row blob = {.key = value.p, .bytes = value.p, .bytes_n = (uint32_t)value.n};
    const held_partition *held =
        partition_cache_put(&grow->cache, key, grow->map.hashes[group], 1, &blob, false);
    value = (base_str){held->rows[0].bytes, held->rows[0].bytes_n};
    if (mirrored && grow->codec.limit == 1) {
        top_head_encode(buf, rows, n, true);
        value = (base_str){base_arena_memdup(f->ctx->arena, buf->p, buf->n), buf->n};
    }
    f->keys[f->nkeys] = key;
    f->values[f->nkeys++] = value;
}

static base_rc meet_all(flush *f, base_error *err) {
    grow_op *grow = f->grow;
    base_arena *arena = f->ctx->arena;
    uint32_t n = grow->map.n, limit = grow->codec.limit;
    const uint32_t *order = col_keys_sort(f->ctx->workers, arena, n, grow->map.keys);
    base_str *stored = base_arena_array(arena, base_str, n + 1u);
    base_rc rc = read_heads(f, n, order, stored, err);
    f->keys = base_arena_alloc(arena, sizeof(base_str) * (n + 1u));
    f->values = base_arena_alloc(arena, sizeof(base_str) * (n + 1u));
    const top_row **rows = base_arena_array(arena, const top_row *, limit + 1u);
    bool *is_new = base_arena_array(arena, bool, limit + 1u);
    top_head old = {0};
    for (uint32_t i = 0; i < n && rc == BASE_OK; i++) {
        old.n = 0;
        if (stored[i].p != NULL) rc = top_head_decode(&grow->codec, arena, stored[i], &old, err);
        if (rc == BASE_OK) meet(f, order[i], &old, rows, is_new);
        if (rc == BASE_OK) rc = codec_failure(grow, err);
    }
    return rc;
}

// ------------------------------------------------------------------------------------ a step

// The view's rows that go, kept for the step.
static base_rc read_mirrored(flush *f, base_error *err) {
    base_arena *arena = f->ctx->arena;
    uint32_t n = f->nmirrored;
    if (n == 0) return BASE_OK;
    base_str *rows = base_arena_array(arena, base_str, n);
    base_rc rc = top_mirror_get(f->grow->codec.mirror, f->ctx->txn, n, f->mirrored, rows, err);
    for (uint32_t i = 0; i < n && rc == BASE_OK; i++)
        rows[i].p = base_arena_memdup(arena, rows[i].p, rows[i].n);
    f->mirrored = rows;
    return rc;
}

// Changes [begin, begin + n) as columns.
static base_rc emit_changes(flush *f, flow_out *out, uint32_t begin, uint32_t n, base_error *err) {
    grow_op *grow = f->grow;
    base_arena *arena = f->ctx->arena;
    col_batch *batch = col_batch_create(arena, grow->op.node->ncolumns, grow->types, n);
    int64_t *weights = base_arena_alloc(arena, sizeof *weights * (n + 1u));
    base_rc rc = BASE_OK;
    for (uint32_t i = 0; i < n && rc == BASE_OK; i++) {
        const change *c = &f->changes[begin + i];
        size_t at = 0;
        weights[i] = c->weight;
        rc = c->mirrored != NOT_MIRRORED
                 ? top_mirror_decode(grow->codec.mirror, f->mirrored[c->mirrored], batch, i, arena,
                                     err)
                 : col_row_decode(c->bytes, &at, batch, i, grow->codec.ncolumns,
                                  grow->codec.columns, arena, err);
        if (grow->op.node->with_rank) col_i64(&batch->cols[grow->codec.ncolumns])[i] = c->rank;
    }
    batch->weights = weights;
    return rc == BASE_OK ? flow_emit(out, f->ctx, batch, err) : rc;
}

static void end_step(grow_op *grow) {
    grow->map = (flow_keymap){0};
    grow->heads = NULL;
    grow->heads_cap = 0;
    grow->codec.rc = BASE_OK;
}

static base_rc grow_flush(flow_op *op, flow_ctx *ctx, flow_out *out, base_error *err) {
    grow_op *grow = (grow_op *)op;
    if (grow->map.n == 0) return BASE_OK;
    flush f = {.grow = grow, .ctx = ctx};
    base_rc rc = look(grow, ctx, err);
    grow->codec.txn = ctx->txn;
    if (rc == BASE_OK) rc = meet_all(&f, err);
    if (rc == BASE_OK) rc = read_mirrored(&f, err);
    uint32_t most = op->graph->batch_rows;
    for (uint32_t at = 0; at < f.nchanges && rc == BASE_OK; at += most)
        rc = emit_changes(&f, out, at, f.nchanges - at < most ? f.nchanges - at : most, err);
    if (rc == BASE_OK && f.nkeys > 0)
        rc = state_put_batch(ctx->txn, grow->table, f.nkeys, f.keys, f.values, err);
    end_step(grow);
    return rc;
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
    end_step(grow);
    partition_cache_deinit(&grow->cache);
    grow->looked = grow->complete = false;
    count_cache(grow);
}

// Every stored head decodes, and its rows are in the order of their keys.
static base_rc grow_verify(flow_op *op, flow_ctx *ctx, base_error *err) {
    grow_op *grow = (grow_op *)op;
    state_cursor *cursor;
    base_rc rc = state_cursor_open(ctx->txn, grow->table, &cursor, err);
    if (rc != BASE_OK) return rc;
    top_head head = {0};
    for (;;) {
        base_str key, value;
        bool end;
        rc = state_cursor_next(cursor, &key, &value, &end, err);
        if (rc != BASE_OK || end) break;
        rc = top_head_decode(&grow->codec, ctx->arena, value, &head, err);
        for (uint32_t i = 1; i < head.n && rc == BASE_OK; i++) {
            const top_row *a = &head.rows[i - 1], *b = &head.rows[i];
            if (base_str_cmp(a->order, b->order) > 0)
                rc = base_fail(err, BASE_E_CORRUPT, NULL, "a stored head is not in order");
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
    top_codec_deinit(&grow->codec);
}

void flow_top_grow_mirror(flow_op *op, uint32_t view_id, const plan_node *plan) {
    grow_op *grow = (grow_op *)op;
    flow_graph *graph = op->graph;
    grow->codec.mirror =
        top_mirror_create(&graph->arena, &graph->view_rows, view_id, plan, op->node);
}

base_rc flow_top_grow_create(flow_graph *graph, uint32_t view_id, const plan_node *node,
                             flow_op **out, base_error *err) {
    static const flow_op_class class = {.name = "top",
                                        .layout = FLOW_LAYOUT_GROWN + 1,
                                        .push = grow_push,
                                        .flush = grow_flush,
                                        .save = grow_save,
                                        .reset = grow_reset,
                                        .verify = grow_verify,
                                        .stats = grow_stats,
                                        .close = grow_close};
    grow_op *grow = base_arena_new(&graph->arena, grow_op);
    FLOW_OP_INIT(&grow->op, &class, graph, view_id, node);
    grow->op.hold = FLOW_HOLD_NONE;
    *out = &grow->op;
    must(node->limit >= 0 && node->limit <= PLAN_TOP_HEADS_MAX);
    grow->types = flow_types(&graph->arena, node);
    grow->config = (flow_partition_config){.op = &grow->op,
                                           .ncolumns = node->inputs[0]->ncolumns,
                                           .types = flow_types(&graph->arena, node->inputs[0]),
                                           .nkeys = node->npartition,
                                           .keys = node->partition,
                                           .norder = node->nsort,
                                           .order = node->sort};
    top_codec_init(&grow->codec, &graph->arena, &grow->config, (uint32_t)node->limit);
    graph->ncaches++;
    if (graph->store == NULL) return BASE_OK;
    return flow_table_open(graph, false, view_id, node->id, "heads", &grow->table, err);
}
