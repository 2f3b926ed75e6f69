// setop.c - INTERSECT and EXCEPT, with and without ALL.
//
// Delta rule: with l(r) and m(r) the summed weights of row r on the left and the right, r is in the
// output f(l, m) times: INTERSECT ALL min(l, m), INTERSECT 1 if both are positive, EXCEPT ALL
// l - m, EXCEPT 1 if l is positive and m is not; never less than 0. So out = f after less f before,
// once a distinct row and step.
// Of rows that are equal but written differently (1.0 and 1.00) the least spelling of the left ones
// is shown, all f times; without a left row none is (spellings.h).
// State: "v<view>.<node>.rows": row key -> l, m.
// Entry point: flow_setop_create.
#include <stdlib.h>

#include "flow/spellings.h"

typedef struct setop_counts {
    int64_t side[2];
} setop_counts;
_Static_assert(sizeof(setop_counts) == 16, "on disk");

typedef struct setop_op {
    flow_op op;
    state_table table;
    uint32_t *columns; // 0, 1, ...
    flow_groups rows;  // of the step
    flow_spellings lefts;
    setop_counts *counts;
    uint32_t cap;
    uint64_t counted;
} setop_op;

static void count_memory(setop_op *set) {
    uint64_t bytes = flow_groups_bytes(&set->rows) + flow_spellings_bytes(&set->lefts) +
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
    if (port == 0) {
        flow_spellings_add(&set->lefts, ctx, row_of, batch->cols, batch->nrows, batch->weights);
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

// The step's rows as they were and are shown, and how often.
typedef struct step_rows {
    const col_batch *was, *is;
    int64_t *before, *after;
} step_rows;

static base_rc read_counts(base_str value, setop_counts *counts, base_error *err) {
    *counts = (setop_counts){{0, 0}};
    if (value.p == NULL) return BASE_OK;
    if (value.n != sizeof *counts) {
        return base_fail(err, BASE_E_CORRUPT, NULL, "counts of a row have %zu bytes", value.n);
    }
    memcpy(counts, value.p, sizeof *counts);
    return BASE_OK;
}

// Adds the step's counts to the stored ones.
static base_rc merge_counts(setop_op *set, flow_ctx *ctx, step_rows *rows, base_error *err) {
    base_arena *arena = ctx->arena;
    uint32_t n = rows->is->nrows;
    base_str *keys = base_arena_alloc(arena, sizeof(base_str) * n);
    flow_keys_encode_divided(ctx->workers, arena, rows->is, rows->is->ncols, set->columns, keys);
    if (set->lefts.ncols > 0) {
        col_batch *was, *is;
        base_rc rc = flow_spellings_merge(&set->lefts, ctx, &set->rows, keys, &was, &is, err);
        if (rc != BASE_OK) return rc;
        rows->was = was;
        rows->is = is;
    }
    const uint32_t *order = col_keys_sort(ctx->workers, arena, n, keys);
    base_str *in_order = base_arena_alloc(arena, sizeof(base_str) * n);
    base_str *values = base_arena_array(arena, base_str, n);
    setop_counts *counts = base_arena_array(arena, setop_counts, n);
    for (uint32_t i = 0; i < n; i++) in_order[i] = keys[order[i]];
    base_rc rc = state_get_batch(ctx->txn, set->table, n, in_order, values, err);
    for (uint32_t i = 0; i < n && rc == BASE_OK; i++) {
        uint32_t row = order[i];
        setop_counts *c = &counts[i];
        rc = read_counts(values[i], c, err);
        rows->before[row] = output_count(set->op.node, c);
        for (int s = 0; s < 2; s++) c->side[s] += set->counts[row].side[s];
        rows->after[row] = output_count(set->op.node, c);
        values[i] = (base_str){NULL, 0};
        if (c->side[0] != 0 || c->side[1] != 0) values[i] = (base_str){(char *)c, sizeof *c};
    }
    return rc == BASE_OK ? state_put_batch(ctx->txn, set->table, n, in_order, values, err) : rc;
}

// What is given out: -before was +after is.
static const col_batch *changed_rows(const setop_op *set, base_arena *arena,
                                     const step_rows *rows) {
    uint32_t n = rows->is->nrows, kept = 0;
    bool spelled = rows->was != rows->is, plain = true;
    const col_batch *from = rows->is, *parts[2] = {rows->is, rows->was};
    if (spelled) from = col_batch_concat(arena, from->ncols, set->lefts.types, 2, parts);
    uint32_t *sel = base_arena_alloc(arena, sizeof(uint32_t) * (2u * n + 1u));
    int64_t *weights = base_arena_alloc(arena, sizeof(int64_t) * (2u * n + 1u));
    for (uint32_t i = 0; i < n; i++) {
        int64_t less = rows->before[i], more = rows->after[i];
        if (!spelled || (less > 0 && more > 0 && col_rows_same(rows->was, i, rows->is, i))) {
            more -= less;
            less = 0;
        }
        if (less != 0) {
            weights[kept] = -less;
            sel[kept++] = n + i;
        }
        if (more != 0) {
            weights[kept] = more;
            sel[kept++] = i;
        }
        plain &= less == 0 && (more == 0 || more == 1);
    }
    const col_batch *changed = col_batch_gather(arena, from, sel, kept);
    return col_batch_with_weights(arena, changed, plain ? NULL : weights);
}

static void setop_clear(setop_op *set) {
    flow_groups_clear(&set->rows);
    flow_spellings_clear(&set->lefts);
}

static base_rc setop_flush(flow_op *op, flow_ctx *ctx, flow_out *out, base_error *err) {
    setop_op *set = (setop_op *)op;
    base_arena *arena = ctx->arena;
    uint32_t n = set->rows.n, most = op->graph->batch_rows;
    if (n == 0) return BASE_OK;
    const col_batch *given = flow_groups_batch(&set->rows, arena, 0, n);
    step_rows rows = {given, given, base_arena_array(arena, int64_t, n),
                      base_arena_array(arena, int64_t, n)};
    base_rc rc = BASE_OK;
    if (op->graph->store != NULL) {
        rc = merge_counts(set, ctx, &rows, err);
        if (rc != BASE_OK) return rc;
    } else {
        for (uint32_t i = 0; i < n; i++) rows.after[i] = output_count(op->node, &set->counts[i]);
        if (set->lefts.ncols > 0) {
            col_batch *is;
            flow_spellings_take(&set->lefts, arena, &set->rows, &is);
            rows.was = rows.is = is;
        }
    }
    const col_batch *changed = changed_rows(set, arena, &rows);
    setop_clear(set);
    count_memory(set);
    for (uint32_t at = 0; at < changed->nrows && rc == BASE_OK; at += most) {
        uint32_t kept = changed->nrows, part = kept - at < most ? kept - at : most;
        rc = flow_emit(out, ctx, part == kept ? changed : col_batch_slice(arena, changed, at, part),
                       err);
    }
    return rc;
}

static base_rc setop_save(flow_op *op, flow_ctx *ctx, base_error *err) {
    (void)op, (void)ctx, (void)err; // written at flush
    return BASE_OK;
}

static void setop_reset(flow_op *op) {
    setop_clear((setop_op *)op);
}

static void setop_stats(flow_op *op, flow_op_stats *stats) {
    *stats = op->stats;
}

static void setop_close(flow_op *op) {
    setop_op *set = (setop_op *)op;
    flow_groups_deinit(&set->rows);
    flow_spellings_deinit(&set->lefts);
    free(set->counts);
}

base_rc flow_setop_create(flow_graph *graph, uint32_t view_id, const plan_node *node, flow_op **out,
                          base_error *err) {
    static const flow_op_class class = {.name = "setop",
                                        .layout = 1,
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
    flow_groups_init(&set->rows, &graph->arena, node->ncolumns, types);
    *out = &set->op;
    base_rc rc = flow_spellings_open(&set->lefts, &set->op, node->ncolumns, types, err);
    if (rc != BASE_OK || graph->store == NULL) return rc;
    return flow_table_open(graph, false, view_id, node->id, "rows", &set->table, err);
}
