// linear.c - operators without memory: scan, values, filter, project, union all.
//
// Delta rule: f(A + dA) = f(A) + f(dA). The delta of the output is the operator applied to the
// delta of the input; weights pass through. So nothing is kept, save that VALUES, whose input never
// changes, remembers that it has given its rows.
// Columns that no consumer reads are not made: they are fillers or aliases of others, never
// missing, so that an operator downstream may still gather them. Entry points: flow_*_create().
#include "flow/flow_int.h"

static base_rc no_flush(flow_op *op, flow_ctx *ctx, flow_out *out, base_error *err) {
    (void)op, (void)ctx, (void)out, (void)err;
    return BASE_OK;
}
static base_rc no_save(flow_op *op, flow_ctx *ctx, base_error *err) {
    (void)op, (void)ctx, (void)err;
    return BASE_OK;
}
static void no_reset(flow_op *op) {
    (void)op;
}
static void copy_stats(flow_op *op, flow_op_stats *stats) {
    *stats = op->stats;
}
static void no_close(flow_op *op) {
    (void)op;
}

#define LINEAR_CLASS(name_, push_)                                                                 \
    {                                                                                              \
        .name = name_, .push = push_, .flush = no_flush, .save = no_save, .reset = no_reset,       \
        .verify = no_save, .stats = copy_stats, .close = no_close                                  \
    }

// ------------------------------------------------------------------------------------ scan

typedef struct scan_op {
    flow_op op;
    uint32_t *map; // the input's column for each of ours
    bool identity; // of all the input's columns
} scan_op;

void flow_scan_bind(flow_op *op, const flow_input *input) {
    scan_op *scan = (scan_op *)op;
    const plan_node *node = op->node;
    scan->identity = input != NULL && input->ncolumns == node->ncolumns;
    for (uint32_t i = 0; i < node->ncolumns; i++) {
        uint32_t at = node->indexes[i];
        if (input != NULL) {
            at = 0;
            while (at < input->ncolumns && input->columns[at] != node->indexes[i]) at++;
            must(at < input->ncolumns);
        }
        scan->map[i] = at;
        scan->identity &= at == i;
    }
}

static base_rc scan_push(flow_op *op, flow_ctx *ctx, uint32_t port, const col_batch *batch,
                         flow_out *out, base_error *err) {
    (void)port;
    scan_op *scan = (scan_op *)op;
    op->stats.rows_in += batch->nrows;
    if (scan->identity) return flow_emit(out, ctx, batch, err);
    return flow_emit(out, ctx, col_batch_project(ctx->arena, batch, op->node->ncolumns, scan->map),
                     err);
}

base_rc flow_scan_create(flow_graph *graph, const plan_node *node, uint32_t input, flow_op **out,
                         base_error *err) {
    static const flow_op_class class = LINEAR_CLASS("scan", scan_push);
    (void)input, (void)err;
    scan_op *scan = base_arena_new(&graph->arena, scan_op);
    FLOW_OP_INIT(&scan->op, &class, graph, 0, node);
    scan->op.hold = FLOW_HOLD_PASS;
    scan->map = base_arena_array(&graph->arena, uint32_t, node->ncolumns + 1u);
    *out = &scan->op;
    return BASE_OK;
}

// ------------------------------------------------------------------------------------ filter

typedef struct filter_op {
    flow_op op;
    bool *needed;
} filter_op;

static base_rc filter_push(flow_op *op, flow_ctx *ctx, uint32_t port, const col_batch *batch,
                           flow_out *out, base_error *err) {
    (void)port;
    filter_op *filter = (filter_op *)op;
    op->stats.rows_in += batch->nrows;
    const col_vec *keep;
    const col_batch *rows;
    base_rc rc = flow_eval(op, ctx, batch, 1, &op->node->predicate, NULL, &rows, &keep, err);
    if (rc != BASE_OK) return rc;
    uint32_t *sel = base_arena_alloc(ctx->arena, sizeof(uint32_t) * (rows->nrows + 1u));
    uint32_t n = 0;
    for (uint32_t i = 0; i < rows->nrows; i++) {
        sel[n] = i;
        n += col_u8(keep)[i] != 0 && !col_is_null(keep, i);
    }
    if (n == rows->nrows) return flow_emit(out, ctx, rows, err);
    if (n == 0) return BASE_OK;
    col_batch *kept = base_arena_new(ctx->arena, col_batch);
    kept->ncols = rows->ncols;
    kept->nrows = n;
    kept->cols = base_arena_array(ctx->arena, col_vec, rows->ncols + 1u);
    for (uint32_t c = 0; c < rows->ncols; c++) {
        if (filter->needed[c]) {
            kept->cols[c] = *col_vec_gather(ctx->arena, &rows->cols[c], sel, n);
        } else {
            flow_filler(&kept->cols[c], ctx->arena, rows->cols[c].type, n);
        }
    }
    if (rows->weights != NULL) {
        int64_t *weights = base_arena_alloc(ctx->arena, sizeof(int64_t) * n);
        for (uint32_t i = 0; i < n; i++) weights[i] = rows->weights[sel[i]];
        kept->weights = weights;
    }
    return flow_emit(out, ctx, kept, err);
}

static bool *copy_needed(flow_graph *graph, const plan_node *node, const bool *needed) {
    bool *copy = base_arena_array(&graph->arena, bool, node->ncolumns + 1u);
    if (node->ncolumns > 0) memcpy(copy, needed, sizeof(bool) * node->ncolumns);
    return copy;
}

base_rc flow_filter_create(flow_graph *graph, const plan_node *node, const bool *needed,
                           flow_op **out, base_error *err) {
    static const flow_op_class class = LINEAR_CLASS("filter", filter_push);
    (void)err;
    filter_op *filter = base_arena_new(&graph->arena, filter_op);
    FLOW_OP_INIT(&filter->op, &class, graph, 0, node);
    filter->op.hold = FLOW_HOLD_PASS;
    filter->needed = copy_needed(graph, node, needed);
    *out = &filter->op;
    return BASE_OK;
}

// ------------------------------------------------------------------------------------ project

typedef struct project_op {
    flow_op op;
    bool *skip;
} project_op;

static base_rc project_push(flow_op *op, flow_ctx *ctx, uint32_t port, const col_batch *batch,
                            flow_out *out, base_error *err) {
    (void)port;
    project_op *project = (project_op *)op;
    const plan_node *node = op->node;
    op->stats.rows_in += batch->nrows;
    const col_vec **values = base_arena_array(ctx->arena, const col_vec *, node->ncolumns + 1u);
    const col_batch *rows;
    base_rc rc =
        flow_eval(op, ctx, batch, node->ncolumns, node->exprs, project->skip, &rows, values, err);
    if (rc != BASE_OK || rows->nrows == 0) return rc;
    col_batch *result = base_arena_new(ctx->arena, col_batch);
    result->ncols = node->ncolumns;
    result->nrows = rows->nrows;
    result->weights = rows->weights;
    result->cols = base_arena_array(ctx->arena, col_vec, node->ncolumns + 1u);
    for (uint32_t c = 0; c < node->ncolumns; c++) {
        if (values[c] != NULL) {
            result->cols[c] = *values[c];
        } else {
            flow_filler(&result->cols[c], ctx->arena, node->columns[c].type, rows->nrows);
        }
    }
    return flow_emit(out, ctx, result, err);
}

base_rc flow_project_create(flow_graph *graph, const plan_node *node, const bool *needed,
                            flow_op **out, base_error *err) {
    static const flow_op_class class = LINEAR_CLASS("project", project_push);
    (void)err;
    project_op *project = base_arena_new(&graph->arena, project_op);
    FLOW_OP_INIT(&project->op, &class, graph, 0, node);
    project->op.hold = FLOW_HOLD_PASS;
    project->skip = copy_needed(graph, node, needed);
    for (uint32_t c = 0; c < node->ncolumns; c++) project->skip[c] = !project->skip[c];
    *out = &project->op;
    return BASE_OK;
}

// ------------------------------------------------------------------------------------ union all

static base_rc union_push(flow_op *op, flow_ctx *ctx, uint32_t port, const col_batch *batch,
                          flow_out *out, base_error *err) {
    (void)port;
    op->stats.rows_in += batch->nrows;
    return flow_emit(out, ctx, batch, err);
}

base_rc flow_union_create(flow_graph *graph, const plan_node *node, flow_op **out,
                          base_error *err) {
    static const flow_op_class class = LINEAR_CLASS("union all", union_push);
    (void)err;
    flow_op *op = base_arena_new(&graph->arena, flow_op);
    FLOW_OP_INIT(op, &class, graph, 0, node);
    op->hold = FLOW_HOLD_PASS;
    *out = op;
    return BASE_OK;
}

// ------------------------------------------------------------------------------------ values

typedef struct values_op {
    flow_op op;
    state_table table;
    bool given;  // as of this step
    bool unread; // whether the store says so is not known yet
    bool dirty;
} values_op;

static base_rc values_push(flow_op *op, flow_ctx *ctx, uint32_t port, const col_batch *batch,
                           flow_out *out, base_error *err) {
    (void)op, (void)ctx, (void)port, (void)batch, (void)out;
    return base_fail(err, BASE_E_INTERNAL, NULL, "VALUES takes no input");
}

static base_rc values_rows(flow_op *op, flow_ctx *ctx, flow_out *out, base_error *err) {
    const plan_node *node = op->node;
    uint32_t ncols = node->ncolumns, nrows = ncols == 0 ? 1 : node->nexprs / ncols, at = 0;
    col_batch *result = col_batch_create(ctx->arena, ncols, flow_types(ctx->arena, node), nrows);
    const col_batch one = {0, 1, NULL, NULL};
    for (uint32_t r = 0; r < nrows; r++) {
        const col_vec **cells = base_arena_array(ctx->arena, const col_vec *, ncols + 1u);
        const col_batch *rows;
        base_rc rc = flow_eval(op, ctx, &one, ncols, node->exprs + (size_t)r * ncols, NULL, &rows,
                               cells, err);
        if (rc != BASE_OK) return rc;
        if (rows->nrows == 0) continue;
        for (uint32_t c = 0; c < ncols; c++) {
            col_vec_copy_cell(&result->cols[c], at, cells[c], 0, ctx->arena);
        }
        at++;
    }
    return flow_emit(out, ctx, at == nrows ? result : col_batch_slice(ctx->arena, result, 0, at),
                     err);
}

static base_rc values_flush(flow_op *op, flow_ctx *ctx, flow_out *out, base_error *err) {
    values_op *values = (values_op *)op;
    if (values->unread) {
        base_str value;
        base_rc rc =
            state_get(ctx->txn, values->table, BASE_STR("given"), &value, &values->given, err);
        if (rc != BASE_OK) return rc;
        values->unread = false;
    }
    if (values->given) return BASE_OK;
    values->given = values->dirty = true;
    return values_rows(op, ctx, out, err);
}

static base_rc values_save(flow_op *op, flow_ctx *ctx, base_error *err) {
    values_op *values = (values_op *)op;
    if (!values->dirty) return BASE_OK;
    values->dirty = false;
    return state_put(ctx->txn, values->table, BASE_STR("given"), BASE_STR("1"), err);
}

static void values_reset(flow_op *op) {
    values_op *values = (values_op *)op;
    values->given = values->dirty = false;
    values->unread = op->graph->store != NULL;
}

base_rc flow_values_create(flow_graph *graph, uint32_t view_id, const plan_node *node,
                           flow_op **out, base_error *err) {
    static const flow_op_class class = {.name = "values",
                                        .layout = 1,
                                        .push = values_push,
                                        .flush = values_flush,
                                        .save = values_save,
                                        .reset = values_reset,
                                        .verify = no_save,
                                        .stats = copy_stats,
                                        .close = no_close};
    values_op *values = base_arena_new(&graph->arena, values_op);
    FLOW_OP_INIT(&values->op, &class, graph, view_id, node);
    values_reset(&values->op);
    *out = &values->op;
    if (graph->store == NULL) return BASE_OK;
    return flow_table_open(graph, false, view_id, node->id, "values", &values->table, err);
}
