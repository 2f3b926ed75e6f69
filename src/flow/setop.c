// setop.c - INTERSECT and EXCEPT, with and without ALL.
//
// Delta rule: with l(r) and m(r) the summed weights of row r on the left and the right, r is in the
// output f(l, m) times: INTERSECT ALL min(l, m), INTERSECT 1 if both are positive, EXCEPT ALL
// l - m, EXCEPT 1 if l is positive and m is not; never less than 0. So out = f after less f before,
// once a distinct row and step.
// Equal rows may be spelled differently (1.0 and 1.00). What is shown is the left side's row, as it
// was when it came there; without a left row none is shown. So a row goes as it came.
// State: "v<view>.<node>.rows": row key -> l, m and, of rows with more than one spelling, the row.
// Entry point: flow_setop_create.
#include <stdlib.h>

#include "flow/flow_int.h"

typedef struct setop_counts {
    int64_t side[2];
} setop_counts;
_Static_assert(sizeof(setop_counts) == 16, "on disk");

typedef struct setop_op {
    flow_op op;
    state_table table;
    uint32_t *columns; // 0, 1, ...
    flow_groups rows;  // of the step
    flow_groups lefts; // the left ones, where spellings may differ
    bool spelled;      // they may
    setop_counts *counts;
    uint32_t cap;
    uint64_t counted;
} setop_op;

static void count_memory(setop_op *set) {
    uint64_t bytes = flow_groups_bytes(&set->rows) + flow_groups_bytes(&set->lefts) +
                     sizeof(setop_counts) * set->cap;
    flow_heap_add(&set->op, (int64_t)(bytes - set->counted));
    set->counted = set->op.step_bytes = bytes;
}

static base_rc setop_push(flow_op *op, flow_ctx *ctx, uint32_t port, const col_batch *batch,
                          flow_out *out, base_error *err) {
    (void)out;
    setop_op *set = (setop_op *)op;
    must(port < 2);
    op->stats.rows_in += batch->nrows;
    uint64_t *hashes = base_arena_alloc(ctx->arena, sizeof(uint64_t) * batch->nrows);
    uint32_t *row_of = base_arena_alloc(ctx->arena, sizeof(uint32_t) * batch->nrows);
    col_hash(batch, batch->ncols, set->columns, hashes);
    uint32_t before = set->rows.n;
    flow_groups_find(&set->rows, ctx->arena, flow_step_arena(ctx), batch, hashes, row_of);
    if (set->spelled && port == 0) {
        uint32_t *left_of = base_arena_alloc(ctx->arena, sizeof(uint32_t) * batch->nrows);
        flow_groups_find(&set->lefts, ctx->arena, flow_step_arena(ctx), batch, hashes, left_of);
    }
    if (set->rows.cap > set->cap) {
        set->counts = realloc(set->counts, sizeof(setop_counts) * set->rows.cap);
        must(set->counts != NULL);
        set->cap = set->rows.cap;
    }
    memset(set->counts + before, 0, sizeof(setop_counts) * (set->rows.n - before));
    for (uint32_t i = 0; i < batch->nrows; i++) {
        set->counts[row_of[i]].side[port] += col_weight(batch, i);
    }
    count_memory(set);
    return flow_poll(op->graph, ctx, err);
}

static int64_t output_count(const plan_node *node, const setop_counts *counts) {
    int64_t left = counts->side[0] > 0 ? counts->side[0] : 0;
    int64_t right = counts->side[1] > 0 ? counts->side[1] : 0;
    if (node->set_op == PLAN_SET_INTERSECT) {
        int64_t both = left < right ? left : right;
        return node->set_all ? both : both > 0;
    }
    if (!node->set_all) return left > 0 && right == 0;
    return left > right ? left - right : 0;
}

// The step's distinct rows, as their left ones are spelled.
static col_batch *step_rows(setop_op *set, base_arena *arena) {
    uint32_t n = set->rows.n;
    col_batch *rows = flow_groups_batch(&set->rows, arena, 0, n);
    if (!set->spelled || set->lefts.n == 0) return rows;
    uint64_t *hashes = base_arena_alloc(arena, sizeof(uint64_t) * n);
    uint32_t *left_of = base_arena_alloc(arena, sizeof(uint32_t) * n);
    col_hash(rows, rows->ncols, set->columns, hashes);
    flow_groups_probe(&set->lefts, rows, hashes, left_of);
    const col_batch *lefts = flow_groups_batch(&set->lefts, arena, 0, set->lefts.n);
    col_batch *spelled =
        col_batch_create(arena, rows->ncols, flow_types(arena, set->op.node->inputs[0]), n);
    for (uint32_t i = 0; i < n; i++) {
        const col_batch *from = left_of[i] == UINT32_MAX ? rows : lefts;
        uint32_t row = left_of[i] == UINT32_MAX ? i : left_of[i];
        for (uint32_t c = 0; c < rows->ncols; c++) {
            col_vec_copy_cell(&spelled->cols[c], i, &from->cols[c], row, arena);
        }
    }
    return spelled;
}

// The stored counts; of a row with a left one, row i of `rows` becomes as it is stored.
static base_rc read_stored(setop_op *set, flow_ctx *ctx, base_str value, col_batch *rows,
                           uint32_t i, setop_counts *counts, base_error *err) {
    *counts = (setop_counts){{0, 0}};
    if (value.p == NULL) return BASE_OK;
    if (value.n < sizeof *counts) {
        return base_fail(err, BASE_E_CORRUPT, NULL, "counts of a row have %zu bytes", value.n);
    }
    memcpy(counts, value.p, sizeof *counts);
    if (!set->spelled || counts->side[0] <= 0) return BASE_OK;
    base_str row = {base_arena_memdup(ctx->arena, value.p, value.n), value.n};
    size_t at = sizeof *counts;
    return col_row_decode(row, &at, rows, i, rows->ncols, set->columns, ctx->arena, err);
}

static base_str stored_value(setop_op *set, base_arena *arena, const setop_counts *counts,
                             const col_batch *rows, uint32_t i) {
    if (counts->side[0] == 0 && counts->side[1] == 0) return (base_str){NULL, 0};
    if (!set->spelled || counts->side[0] <= 0) {
        return (base_str){base_arena_memdup(arena, counts, sizeof *counts), sizeof *counts};
    }
    base_buf buf = {0};
    base_buf_add(&buf, counts, sizeof *counts);
    col_row_encode(&buf, rows, i, rows->ncols, set->columns);
    base_str value = {base_arena_memdup(arena, buf.p, buf.n), buf.n};
    base_buf_deinit(&buf);
    return value;
}

// Adds the step's counts to the stored ones; change[i] says what becomes of row i.
static base_rc merge_counts(setop_op *set, flow_ctx *ctx, col_batch *rows, int64_t *change,
                            base_error *err) {
    base_arena *arena = ctx->arena;
    uint32_t n = rows->nrows;
    base_str *keys = base_arena_alloc(arena, sizeof(base_str) * n);
    flow_keys_encode_divided(ctx->workers, arena, rows, rows->ncols, set->columns, keys);
    const uint32_t *order = col_keys_sort(ctx->workers, arena, n, keys);
    base_str *in_order = base_arena_alloc(arena, sizeof(base_str) * n);
    base_str *values = base_arena_array(arena, base_str, n);
    for (uint32_t i = 0; i < n; i++) in_order[i] = keys[order[i]];
    base_rc rc = state_get_batch(ctx->txn, set->table, n, in_order, values, err);
    for (uint32_t i = 0; i < n && rc == BASE_OK; i++) {
        uint32_t row = order[i];
        setop_counts before, after;
        rc = read_stored(set, ctx, values[i], rows, row, &before, err);
        for (int s = 0; s < 2; s++) after.side[s] = before.side[s] + set->counts[row].side[s];
        change[row] = output_count(set->op.node, &after) - output_count(set->op.node, &before);
        values[i] = stored_value(set, arena, &after, rows, row);
    }
    return rc == BASE_OK ? state_put_batch(ctx->txn, set->table, n, in_order, values, err) : rc;
}

static base_rc emit_changes(setop_op *set, flow_ctx *ctx, flow_out *out, const col_batch *rows,
                            const int64_t *change, base_error *err) {
    base_arena *arena = ctx->arena;
    uint32_t n = rows->nrows, kept = 0, most = set->op.graph->batch_rows;
    uint32_t *sel = base_arena_alloc(arena, sizeof(uint32_t) * n);
    int64_t *weights = base_arena_alloc(arena, sizeof(int64_t) * n);
    bool plain = true;
    for (uint32_t i = 0; i < n; i++) {
        if (change[i] == 0) continue;
        plain &= change[i] == 1;
        weights[kept] = change[i];
        sel[kept++] = i;
    }
    const col_batch *changed = col_batch_gather(arena, rows, sel, kept);
    changed = col_batch_with_weights(arena, changed, plain ? NULL : weights);
    base_rc rc = BASE_OK;
    for (uint32_t at = 0; at < kept && rc == BASE_OK; at += most) {
        uint32_t part = kept - at < most ? kept - at : most;
        rc = flow_emit(out, ctx, part == kept ? changed : col_batch_slice(arena, changed, at, part),
                       err);
    }
    return rc;
}

static base_rc setop_flush(flow_op *op, flow_ctx *ctx, flow_out *out, base_error *err) {
    setop_op *set = (setop_op *)op;
    base_arena *arena = ctx->arena;
    uint32_t n = set->rows.n;
    if (n == 0) return BASE_OK;
    col_batch *rows = step_rows(set, arena);
    int64_t *change = base_arena_array(arena, int64_t, n);
    if (op->graph->store != NULL) {
        base_rc rc = merge_counts(set, ctx, rows, change, err);
        if (rc != BASE_OK) return rc;
    } else {
        for (uint32_t i = 0; i < n; i++) change[i] = output_count(op->node, &set->counts[i]);
    }
    base_rc rc = emit_changes(set, ctx, out, rows, change, err);
    flow_groups_clear(&set->rows);
    flow_groups_clear(&set->lefts);
    count_memory(set);
    return rc;
}

static base_rc setop_save(flow_op *op, flow_ctx *ctx, base_error *err) {
    (void)op, (void)ctx, (void)err; // written at flush
    return BASE_OK;
}

static void setop_reset(flow_op *op) {
    flow_groups_clear(&((setop_op *)op)->rows);
    flow_groups_clear(&((setop_op *)op)->lefts);
}

static void setop_stats(flow_op *op, flow_op_stats *stats) {
    *stats = op->stats;
}

static void setop_close(flow_op *op) {
    setop_op *set = (setop_op *)op;
    flow_groups_deinit(&set->rows);
    flow_groups_deinit(&set->lefts);
    free(set->counts);
}

base_rc flow_setop_create(flow_graph *graph, uint32_t view_id, const plan_node *node, flow_op **out,
                          base_error *err) {
    static const flow_op_class class = {.name = "setop",
                                        .push = setop_push,
                                        .flush = setop_flush,
                                        .save = setop_save,
                                        .reset = setop_reset,
                                        .verify = setop_save,
                                        .stats = setop_stats,
                                        .close = setop_close};
    setop_op *set = base_arena_new(&graph->arena, setop_op);
    FLOW_OP_INIT(&set->op, &class, graph, view_id, node);
    set->op.hold = FLOW_HOLD_NONE;
    set->columns = base_arena_array(&graph->arena, uint32_t, node->ncolumns + 1u);
    for (uint32_t c = 0; c < node->ncolumns; c++) set->columns[c] = c;
    const col_type *types = flow_types(&graph->arena, node);
    for (uint32_t c = 0; c < node->ncolumns; c++) set->spelled |= !flow_one_spelling(&types[c]);
    flow_groups_init(&set->rows, &graph->arena, node->ncolumns, types);
    flow_groups_init(&set->lefts, &graph->arena, node->ncolumns, types);
    *out = &set->op;
    if (graph->store == NULL) return BASE_OK;
    return flow_table_open(graph, false, view_id, node->id, "rows", &set->table, err);
}
