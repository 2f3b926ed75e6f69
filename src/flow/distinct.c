// distinct.c - SELECT DISTINCT.
//
// Delta rule: with n(r) the summed weight of row r, out = +r where n goes from none to positive, -r
// where it goes from positive to none. A step's rows are summed first, so a row that comes and goes
// within a step costs nothing. State: "v<view>.<node>.rows": row key -> count.
// Entry point: flow_distinct_create.
#include <stdlib.h>

#include "flow/flow_int.h"

typedef struct distinct_op {
    flow_op op;
    state_table table;
    uint32_t *columns; // 0, 1, ...
    flow_groups rows;  // of the step
    int64_t *weights;
    uint32_t cap;
    uint64_t counted;
} distinct_op;

static void count_memory(distinct_op *distinct) {
    uint64_t bytes = flow_groups_bytes(&distinct->rows) + sizeof(int64_t) * distinct->cap;
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

// Adds the step's weights to the stored counts; signs[i] says what becomes of row i.
static base_rc merge_counts(distinct_op *distinct, flow_ctx *ctx, const col_batch *rows,
                            int64_t *signs, base_error *err) {
    base_arena *arena = ctx->arena;
    uint32_t n = rows->nrows;
    base_str *keys = base_arena_alloc(arena, sizeof(base_str) * n);
    flow_keys_encode_divided(ctx->workers, arena, rows, rows->ncols, distinct->columns, keys);
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
        signs[order[i]] = (counts[i] > 0) - (before > 0);
        values[i] = counts[i] == 0 ? (base_str){NULL, 0}
                                   : (base_str){(const char *)&counts[i], sizeof counts[i]};
    }
    return state_put_batch(ctx->txn, distinct->table, n, in_order, values, err);
}

static base_rc distinct_flush(flow_op *op, flow_ctx *ctx, flow_out *out, base_error *err) {
    distinct_op *distinct = (distinct_op *)op;
    base_arena *arena = ctx->arena;
    uint32_t n = distinct->rows.n, kept = 0;
    if (n == 0) return BASE_OK;
    const col_batch *rows = flow_groups_batch(&distinct->rows, arena, 0, n);
    int64_t *signs = base_arena_array(arena, int64_t, n);
    if (op->graph->store != NULL) {
        base_rc rc = merge_counts(distinct, ctx, rows, signs, err);
        if (rc != BASE_OK) return rc;
    } else {
        for (uint32_t i = 0; i < n; i++) signs[i] = distinct->weights[i] > 0;
    }
    uint32_t *sel = base_arena_alloc(arena, sizeof(uint32_t) * n);
    int64_t *weights = base_arena_alloc(arena, sizeof(int64_t) * n);
    bool retracts = false;
    for (uint32_t i = 0; i < n; i++) {
        if (signs[i] == 0) continue;
        retracts |= signs[i] < 0;
        weights[kept] = signs[i];
        sel[kept++] = i;
    }
    const col_batch *changed = col_batch_gather(arena, rows, sel, kept);
    changed = col_batch_with_weights(arena, changed, retracts ? weights : NULL);
    flow_groups_clear(&distinct->rows);
    count_memory(distinct);
    base_rc rc = BASE_OK;
    for (uint32_t at = 0; at < kept && rc == BASE_OK; at += op->graph->batch_rows) {
        uint32_t most = op->graph->batch_rows, part = kept - at < most ? kept - at : most;
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
    flow_groups_clear(&((distinct_op *)op)->rows);
}

static void distinct_stats(flow_op *op, flow_op_stats *stats) {
    *stats = op->stats;
}

static void distinct_close(flow_op *op) {
    distinct_op *distinct = (distinct_op *)op;
    flow_groups_deinit(&distinct->rows);
    free(distinct->weights);
}

base_rc flow_distinct_create(flow_graph *graph, uint32_t view_id, const plan_node *node,
                             flow_op **out, base_error *err) {
    static const flow_op_class class = {.name = "distinct",
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
    flow_groups_init(&distinct->rows, &graph->arena, node->ncolumns,
                     flow_types(&graph->arena, node));
    *out = &distinct->op;
    if (graph->store == NULL) return BASE_OK;
    return flow_table_open(graph, false, view_id, node->id, "rows", &distinct->table, err);
}
