// distinct.c - SELECT DISTINCT.
//
// Delta rule: with n(r) the summed weight of row r, out = +r where n goes from none to positive, -r
// where it goes from positive to none. A step's rows are summed first, so a row that comes and goes
// within a step costs nothing. Of rows that are equal but written differently the least spelling of
// those that are there is shown (spellings.h): if it changes, out = -old +new. State:
// "v<view>.<node>.rows": row key -> count.
// Entry point: flow_distinct_create.
#include <stdlib.h>

#include "flow/spellings.h"

typedef struct distinct_op {
    flow_op op;
    state_table table;
    uint32_t *columns; // 0, 1, ...
    flow_groups rows;  // of the step
    flow_spellings spellings;
    int64_t *weights;
    uint32_t cap;
    uint64_t counted;
} distinct_op;

static void count_memory(distinct_op *distinct) {
    uint64_t bytes = flow_groups_bytes(&distinct->rows) +
                     flow_spellings_bytes(&distinct->spellings) + sizeof(int64_t) * distinct->cap;
    flow_heap_add(&distinct->op, (int64_t)(bytes - distinct->counted));
    distinct->counted = distinct->op.step_bytes = bytes;
}

static base_rc distinct_push(flow_op *op, flow_ctx *ctx, uint32_t port, const col_batch *batch,
                             flow_out *out, base_error *err) {
    (void)port, (void)out;
    distinct_op *distinct = (distinct_op *)op;
    op->stats.rows_in += batch->nrows;
    uint64_t *hashes = base_arena_alloc(ctx->arena, sizeof(uint64_t) * batch->nrows);
    uint32_t *row_of = base_arena_alloc(ctx->arena, sizeof(uint32_t) * batch->nrows);
    col_hash(batch, batch->ncols, distinct->columns, hashes);
    uint32_t before = distinct->rows.n;
    flow_groups_find(&distinct->rows, ctx->arena, flow_step_arena(ctx), batch, hashes, row_of);
    flow_spellings_add(&distinct->spellings, ctx, row_of, batch->cols, batch->nrows,
                       batch->weights);
    if (distinct->rows.cap > distinct->cap) {
        distinct->weights = realloc(distinct->weights, sizeof(int64_t) * distinct->rows.cap);
        must(distinct->weights != NULL);
        distinct->cap = distinct->rows.cap;
    }
    memset(distinct->weights + before, 0, sizeof(int64_t) * (distinct->rows.n - before));
    for (uint32_t i = 0; i < batch->nrows; i++) {
        distinct->weights[row_of[i]] += col_weight(batch, i);
    }
    count_memory(distinct);
    return flow_poll(op->graph, ctx, err);
}

// The step's rows as they were and are shown, and what becomes of each.
typedef struct step_rows {
    const col_batch *was, *is;
    int64_t *signs; // 1: it comes, -1: it goes
    uint8_t *stays; // it was there and is
} step_rows;

// Adds the step's weights to the stored counts.
static base_rc merge_counts(distinct_op *distinct, flow_ctx *ctx, step_rows *rows,
                            base_error *err) {
    base_arena *arena = ctx->arena;
    uint32_t n = rows->is->nrows;
    base_str *keys = base_arena_alloc(arena, sizeof(base_str) * n);
    flow_keys_encode_divided(ctx->workers, arena, rows->is, rows->is->ncols, distinct->columns,
                             keys);
    if (distinct->spellings.ncols > 0) {
        col_batch *was, *is;
        base_rc rc =
            flow_spellings_merge(&distinct->spellings, ctx, &distinct->rows, keys, &was, &is, err);
        if (rc != BASE_OK) return rc;
        rows->was = was;
        rows->is = is;
    }
    const uint32_t *order = col_keys_sort(ctx->workers, arena, n, keys);
    base_str *in_order = base_arena_alloc(arena, sizeof(base_str) * n);
    base_str *values = base_arena_array(arena, base_str, n);
    for (uint32_t i = 0; i < n; i++) in_order[i] = keys[order[i]];
    base_rc rc = state_get_batch(ctx->txn, distinct->table, n, in_order, values, err);
    if (rc != BASE_OK) return rc;
    int64_t *counts = base_arena_array(arena, int64_t, n);
    for (uint32_t i = 0; i < n; i++) {
        int64_t before = 0;
        if (values[i].p != NULL && values[i].n != sizeof before) {
            return base_fail(err, BASE_E_CORRUPT, NULL, "a count of a distinct row has %zu bytes",
                             values[i].n);
        }
        if (values[i].p != NULL) memcpy(&before, values[i].p, sizeof before);
        counts[i] = before + distinct->weights[order[i]];
        rows->signs[order[i]] = (counts[i] > 0) - (before > 0);
        rows->stays[order[i]] = counts[i] > 0 && before > 0;
        values[i] = counts[i] == 0 ? (base_str){NULL, 0}
                                   : (base_str){(const char *)&counts[i], sizeof counts[i]};
    }
    return state_put_batch(ctx->txn, distinct->table, n, in_order, values, err);
}

// What is given out: rows of *from, which is `is`, or `was` and then `is`.
static const col_batch *changed_rows(const distinct_op *distinct, base_arena *arena,
                                     const step_rows *rows) {
    uint32_t n = rows->is->nrows, kept = 0;
    bool spelled = rows->was != rows->is, retracts = false;
    const col_batch *from = rows->is, *parts[2] = {rows->is, rows->was};
    if (spelled) {
        from = col_batch_concat(arena, from->ncols, distinct->spellings.types, 2, parts);
    }
    uint32_t *sel = base_arena_alloc(arena, sizeof(uint32_t) * (2u * n + 1u));
    int64_t *weights = base_arena_alloc(arena, sizeof(int64_t) * (2u * n + 1u));
    for (uint32_t i = 0; i < n; i++) {
        bool other = spelled && rows->stays[i] && !col_rows_same(rows->was, i, rows->is, i);
        if (rows->signs[i] < 0 || other) {
            retracts = true;
            weights[kept] = -1;
            sel[kept++] = spelled ? n + i : i;
        }
        if (rows->signs[i] > 0 || other) {
            weights[kept] = 1;
            sel[kept++] = i;
        }
    }
    const col_batch *changed = col_batch_gather(arena, from, sel, kept);
    return col_batch_with_weights(arena, changed, retracts ? weights : NULL);
}

static void distinct_clear(distinct_op *distinct) {
    flow_groups_clear(&distinct->rows);
    flow_spellings_clear(&distinct->spellings);
}

static base_rc distinct_flush(flow_op *op, flow_ctx *ctx, flow_out *out, base_error *err) {
    distinct_op *distinct = (distinct_op *)op;
    base_arena *arena = ctx->arena;
    uint32_t n = distinct->rows.n;
    if (n == 0) return BASE_OK;
    const col_batch *given = flow_groups_batch(&distinct->rows, arena, 0, n);
    step_rows rows = {given, given, base_arena_array(arena, int64_t, n),
                      base_arena_zalloc(arena, n)};
    if (op->graph->store != NULL) {
        base_rc rc = merge_counts(distinct, ctx, &rows, err);
        if (rc != BASE_OK) return rc;
    } else {
        for (uint32_t i = 0; i < n; i++) rows.signs[i] = distinct->weights[i] > 0;
        if (distinct->spellings.ncols > 0) {
            col_batch *is;
            flow_spellings_take(&distinct->spellings, arena, &distinct->rows, &is);
            rows.was = rows.is = is;
        }
    }
    const col_batch *changed = changed_rows(distinct, arena, &rows);
    distinct_clear(distinct);
    count_memory(distinct);
    base_rc rc = BASE_OK;
    for (uint32_t at = 0; at < changed->nrows && rc == BASE_OK; at += op->graph->batch_rows) {
        uint32_t most = op->graph->batch_rows, kept = changed->nrows;
        uint32_t part = kept - at < most ? kept - at : most;
        rc = flow_emit(out, ctx, part == kept ? changed : col_batch_slice(arena, changed, at, part),
                       err);
    }
    return rc;
}

static base_rc distinct_save(flow_op *op, flow_ctx *ctx, base_error *err) {
    (void)op, (void)ctx, (void)err; // written at flush
    return BASE_OK;
}

static void distinct_reset(flow_op *op) {
    distinct_clear((distinct_op *)op);
}

static void distinct_stats(flow_op *op, flow_op_stats *stats) {
    *stats = op->stats;
}

static void distinct_close(flow_op *op) {
    distinct_op *distinct = (distinct_op *)op;
    flow_groups_deinit(&distinct->rows);
    flow_spellings_deinit(&distinct->spellings);
    free(distinct->weights);
}

base_rc flow_distinct_create(flow_graph *graph, uint32_t view_id, const plan_node *node,
                             flow_op **out, base_error *err) {
    static const flow_op_class class = {.name = "distinct",
                                        .layout = 1,
                                        .push = distinct_push,
                                        .flush = distinct_flush,
                                        .save = distinct_save,
                                        .reset = distinct_reset,
                                        .verify = distinct_save,
                                        .stats = distinct_stats,
                                        .close = distinct_close};
    distinct_op *distinct = base_arena_new(&graph->arena, distinct_op);
    FLOW_OP_INIT(&distinct->op, &class, graph, view_id, node);
    distinct->op.hold = FLOW_HOLD_NONE;
    distinct->columns = base_arena_array(&graph->arena, uint32_t, node->ncolumns + 1u);
    for (uint32_t c = 0; c < node->ncolumns; c++) distinct->columns[c] = c;
    const col_type *types = flow_types(&graph->arena, node);
    flow_groups_init(&distinct->rows, &graph->arena, node->ncolumns, types);
    *out = &distinct->op;
    base_rc rc =
        flow_spellings_open(&distinct->spellings, &distinct->op, node->ncolumns, types, err);
    if (rc != BASE_OK || graph->store == NULL) return rc;
    return flow_table_open(graph, false, view_id, node->id, "rows", &distinct->table, err);
}
