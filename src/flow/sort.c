// sort.c - ORDER BY, LIMIT and OFFSET.
//
// Delta rule: in a view, the rows stand in order in the state; the visible window is the rows from
// `offset` on, `limit` of them, counted with their weights; out = window(A + dA) - window(A). Rows
// that sort alike are ordered by a hash of the row, so that the window does not depend on history.
// Without LIMIT and OFFSET an order means nothing to a set of rows, and out = dA. In an ad-hoc
// query the rows are sorted once at flush and given in order. State: "v<view>.<node>.order": sort
// key ++ row hash -> weight, row. Sort keys that begin with the same several hundred bytes are not
// told apart in order. Entry point: flow_sort_create.
#include "base/hash.h"
#include "flow/flow_int.h"

typedef struct sort_op {
    flow_op op;
    flow_pile pile; // of the step
    state_table table;
    uint32_t *columns; // 0, 1, ...
    const col_type *types;
} sort_op;

static bool windowed(const plan_node *node) {
    return node->limit >= 0 || node->offset > 0;
}

static base_rc sort_push(flow_op *op, flow_ctx *ctx, uint32_t port, const col_batch *batch,
                         flow_out *out, base_error *err) {
    (void)port;
    sort_op *sort = (sort_op *)op;
    op->stats.rows_in += batch->nrows;
    if (op->graph->store != NULL && !windowed(op->node)) return flow_emit(out, ctx, batch, err);
    flow_pile_add(&sort->pile, ctx->arena, batch);
    return flow_poll(op->graph, ctx, err);
}

// ------------------------------------------------------------------------------------ ad hoc

static base_rc sort_memory(sort_op *sort, flow_ctx *ctx, flow_out *out, base_error *err) {
    base_arena *arena = ctx->arena;
    const plan_node *node = sort->op.node;
    const col_batch *batch = flow_pile_concat(&sort->pile, arena, node);
    col_sort_key *keys = base_arena_array(arena, col_sort_key, node->nsort + 1u);
    for (uint32_t i = 0; i < node->nsort; i++) {
        keys[i] = (col_sort_key){node->sort[i].column, node->sort[i].descending,
                                 node->sort[i].nulls_first};
    }
    const uint32_t *order = NULL;
    if (node->nsort > 0) order = col_sort(arena, batch, node->nsort, keys);
    int64_t skip = node->offset, left = node->limit < 0 ? INT64_MAX : node->limit;
    uint32_t *sel = base_arena_alloc(arena, sizeof(uint32_t) * (batch->nrows + 1u)), n = 0;
    int64_t *weights = base_arena_alloc(arena, sizeof(int64_t) * (batch->nrows + 1u));
    for (uint32_t i = 0; i < batch->nrows && left > 0; i++) {
        uint32_t row = order == NULL ? i : order[i];
        int64_t weight = col_weight(batch, row), passed = weight < skip ? weight : skip;
        if (weight <= 0) continue;
        skip -= passed;
        weight -= passed;
        if (weight > left) weight = left;
        if (weight == 0) continue;
        left -= weight;
        weights[n] = weight;
        sel[n++] = row;
    }
    const col_batch *rows = col_batch_gather(arena, batch, sel, n);
    rows = col_batch_with_weights(arena, rows, batch->weights == NULL ? NULL : weights);
    base_rc rc = BASE_OK;
    for (uint32_t at = 0; at < n && rc == BASE_OK; at += sort->op.graph->batch_rows) {
        uint32_t most = sort->op.graph->batch_rows, part = n - at < most ? n - at : most;
        rc = flow_emit(out, ctx, part == n ? rows : col_batch_slice(arena, rows, at, part), err);
    }
    return rc;
}

// ------------------------------------------------------------------------------------ in a view

// whole: the row's exact key.
static void order_key(sort_op *sort, const col_batch *batch, uint32_t row, base_str whole,
                      base_buf *buf) {
    const plan_node *node = sort->op.node;
    base_buf_clear(buf);
    for (uint32_t i = 0; i < node->nsort; i++) {
        const plan_sort_key *key = &node->sort[i];
        const col_vec *vec = &batch->cols[key->column];
        if (col_is_null(vec, row)) {
            base_buf_add_byte(buf, key->nulls_first ? 0 : 2);
            continue;
        }
        base_buf_add_byte(buf, 1);
        size_t begin = buf->n;
        col_key_encode(buf, vec, row);
        for (size_t b = begin; key->descending && b < buf->n; b++) buf->p[b] = (char)~buf->p[b];
    }
    uint8_t hash[16];
    base_hash128(whole.p, whole.n, hash);
    base_buf_add(buf, hash, sizeof hash);
}

typedef struct window_row {
    base_str key, row; // in the step's arena
    int64_t weight;    // within the window
} window_row;

typedef struct window {
    window_row *rows;
    uint32_t n, cap;
} window;

static base_rc read_window(sort_op *sort, flow_ctx *ctx, window *into, base_error *err) {
    const plan_node *node = sort->op.node;
    int64_t skip = node->offset, left = node->limit < 0 ? INT64_MAX : node->limit;
    *into = (window){0};
    state_cursor *cursor;
    base_rc rc = state_cursor_open(ctx->txn, sort->table, &cursor, err);
    if (rc != BASE_OK) return rc;
    while (left > 0) {
        base_str key, value;
        bool end;
        rc = state_cursor_next(cursor, &key, &value, &end, err);
        if (rc != BASE_OK || end) break;
        int64_t weight;
        if (value.n < sizeof weight) {
            rc = base_fail(err, BASE_E_CORRUPT, NULL, "an ordered row has %zu bytes", value.n);
            break;
        }
        memcpy(&weight, value.p, sizeof weight);
        if (weight <= 0) continue;
        int64_t passed = weight < skip ? weight : skip;
        skip -= passed;
        weight -= passed;
        if (weight > left) weight = left;
        if (weight == 0) continue;
        left -= weight;
        if (into->n == into->cap) {
            uint32_t cap = into->cap == 0 ? 64 : into->cap * 2;
            window_row *rows = base_arena_alloc(ctx->arena, sizeof(window_row) * cap);
            if (into->n > 0) memcpy(rows, into->rows, sizeof(window_row) * into->n);
            into->rows = rows;
            into->cap = cap;
        }
        into->rows[into->n++] =
            (window_row){{base_arena_memdup(ctx->arena, key.p, key.n), key.n},
                         {base_arena_memdup(ctx->arena, value.p + 8, value.n - 8), value.n - 8},
                         weight};
    }
    state_cursor_close(cursor);
    return rc;
}

static base_rc write_rows(sort_op *sort, flow_ctx *ctx, const col_batch *batch, base_error *err) {
    base_arena *arena = ctx->arena;
    uint32_t n = batch->nrows, distinct = 0;
    base_buf buf = {0};
    base_str *keys = base_arena_alloc(arena, sizeof(base_str) * n);
    col_key_encode_exact(arena, batch, batch->ncols, sort->columns, sort->types, keys);
    for (uint32_t i = 0; i < n; i++) {
        order_key(sort, batch, i, keys[i], &buf);
        keys[i] = (base_str){base_arena_memdup(arena, buf.p, buf.n), buf.n};
    }
    const uint32_t *order = col_keys_sort(ctx->workers, arena, n, keys);
    base_str *in_order = base_arena_alloc(arena, sizeof(base_str) * n);
    base_str *values = base_arena_array(arena, base_str, n);
    uint32_t *row = base_arena_alloc(arena, sizeof(uint32_t) * n);
    int64_t *weights = base_arena_alloc(arena, sizeof(int64_t) * n);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t r = order[i];
        if (distinct > 0 && base_str_eq(in_order[distinct - 1], keys[r])) {
            weights[distinct - 1] += col_weight(batch, r);
            continue;
        }
        in_order[distinct] = keys[r];
        row[distinct] = r;
        weights[distinct++] = col_weight(batch, r);
    }
    base_rc rc = state_get_batch(ctx->txn, sort->table, distinct, in_order, values, err);
    for (uint32_t i = 0; i < distinct && rc == BASE_OK; i++) {
        int64_t weight = 0;
        if (values[i].p != NULL && values[i].n >= sizeof weight) {
            memcpy(&weight, values[i].p, sizeof weight);
        }
        weight += weights[i];
        values[i] = (base_str){NULL, 0};
        if (weight == 0) continue;
        base_buf_clear(&buf);
        base_buf_add(&buf, &weight, sizeof weight);
        col_row_encode(&buf, batch, row[i], batch->ncols, sort->columns);
        values[i] = (base_str){base_arena_memdup(arena, buf.p, buf.n), buf.n};
    }
    base_buf_deinit(&buf);
    return rc == BASE_OK ? state_put_batch(ctx->txn, sort->table, distinct, in_order, values, err)
                         : rc;
}

// after - before: both are in key order.
static base_rc emit_difference(sort_op *sort, flow_ctx *ctx, flow_out *out, const window *before,
                               const window *after, base_error *err) {
    base_arena *arena = ctx->arena;
    uint32_t most = before->n + after->n, n = 0;
    const plan_node *node = sort->op.node;
    col_batch *rows = col_batch_create(arena, node->ncolumns, flow_types(arena, node), most);
    int64_t *weights = base_arena_alloc(arena, sizeof(int64_t) * (most + 1u));
    base_rc rc = BASE_OK;
    for (uint32_t a = 0, b = 0; (a < before->n || b < after->n) && rc == BASE_OK;) {
        int order = a == before->n  ? 1
                    : b == after->n ? -1
                                    : base_str_cmp(before->rows[a].key, after->rows[b].key);
        base_str bytes = order <= 0 ? before->rows[a].row : after->rows[b].row;
        int64_t weight = 0;
        if (order <= 0) weight -= before->rows[a++].weight;
        if (order >= 0) weight += after->rows[b++].weight;
        if (weight == 0) continue;
        size_t at = 0;
        rc = col_row_decode(bytes, &at, rows, n, node->ncolumns, sort->columns, arena, err);
        weights[n++] = weight;
    }
    if (rc != BASE_OK || n == 0) return rc;
    const col_batch *part = col_batch_slice(arena, rows, 0, n);
    return flow_emit(out, ctx, col_batch_with_weights(arena, part, weights), err);
}

static base_rc sort_view(sort_op *sort, flow_ctx *ctx, flow_out *out, base_error *err) {
    const col_batch *batch = flow_pile_concat(&sort->pile, ctx->arena, sort->op.node);
    window before, after;
    base_rc rc = read_window(sort, ctx, &before, err);
    if (rc == BASE_OK) rc = write_rows(sort, ctx, batch, err);
    if (rc == BASE_OK) rc = read_window(sort, ctx, &after, err);
    return rc == BASE_OK ? emit_difference(sort, ctx, out, &before, &after, err) : rc;
}

static base_rc sort_flush(flow_op *op, flow_ctx *ctx, flow_out *out, base_error *err) {
    sort_op *sort = (sort_op *)op;
    if (sort->pile.n == 0) return BASE_OK;
    base_rc rc = op->graph->store == NULL ? sort_memory(sort, ctx, out, err)
                                          : sort_view(sort, ctx, out, err);
    sort->pile = (flow_pile){0};
    return rc;
}

static base_rc sort_save(flow_op *op, flow_ctx *ctx, base_error *err) {
    (void)op, (void)ctx, (void)err; // written at flush
    return BASE_OK;
}

static void sort_reset(flow_op *op) {
    ((sort_op *)op)->pile = (flow_pile){0};
}

static void sort_stats(flow_op *op, flow_op_stats *stats) {
    *stats = op->stats;
}

static void sort_close(flow_op *op) {
    (void)op;
}

base_rc flow_sort_create(flow_graph *graph, uint32_t view_id, const plan_node *node, flow_op **out,
                         base_error *err) {
    static const flow_op_class class = {.name = "sort",
                                        .layout = 1,
                                        .push = sort_push,
                                        .flush = sort_flush,
                                        .save = sort_save,
                                        .reset = sort_reset,
                                        .verify = sort_save,
                                        .stats = sort_stats,
                                        .close = sort_close};
    sort_op *sort = base_arena_new(&graph->arena, sort_op);
    FLOW_OP_INIT(&sort->op, &class, graph, view_id, node);
    sort->columns = base_arena_array(&graph->arena, uint32_t, node->ncolumns + 1u);
    for (uint32_t c = 0; c < node->ncolumns; c++) sort->columns[c] = c;
    sort->types = flow_types(&graph->arena, node);
    *out = &sort->op;
    if (graph->store == NULL || !windowed(node)) return BASE_OK;
    return flow_table_open(graph, false, view_id, node->id, "order", &sort->table, err);
}
