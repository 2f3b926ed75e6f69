// recursive.c - WITH RECURSIVE, in a query that runs once: what the first input gives is the
// working table; a graph of the step's plan makes the next working table of it, until that is
// empty. Inputs after the first are what the step reads beside the working table and that never
// changes: each is worked out once and pushed at every turn. With `distinct`, a row that was there
// before is not taken again. There is no delta rule: a view cannot be made of it, and a graph with
// a store refuses it. Entry point: flow_recursive_create.
#include "flow/flow_int.h"

#define TURNS_MAX 100000u

typedef struct recursive_op {
    flow_op op;
    flow_pile *piles; // by input
    flow_groups seen; // with distinct: all rows so far
    uint32_t *columns;
    uint64_t counted;
} recursive_op;

static base_rc recursive_push(flow_op *op, flow_ctx *ctx, uint32_t port, const col_batch *batch,
                              flow_out *out, base_error *err) {
    (void)out;
    recursive_op *r = (recursive_op *)op;
    must(port < op->node->ninputs);
    op->stats.rows_in += batch->nrows;
    flow_pile_add(&r->piles[port], ctx->arena, batch);
    return flow_poll(op->graph, ctx, err);
}

// The rows of a batch that were not there before, each once.
static const col_batch *unseen(recursive_op *r, flow_ctx *ctx, const col_batch *batch) {
    uint32_t n = batch->nrows, fresh = 0;
    uint64_t *hashes = base_arena_alloc(ctx->arena, sizeof(uint64_t) * (n + 1u));
    uint32_t *row_of = base_arena_alloc(ctx->arena, sizeof(uint32_t) * (n + 1u));
    uint32_t *sel = base_arena_alloc(ctx->arena, sizeof(uint32_t) * (n + 1u));
    uint32_t known = r->seen.n;
    col_hash(batch, batch->ncols, r->columns, hashes);
    flow_groups_find(&r->seen, ctx->arena, flow_step_arena(ctx), batch, hashes, row_of);
    for (uint32_t i = 0; i < n; i++)
        if (row_of[i] == known + fresh) sel[fresh++] = i; // new ones are numbered as they come
    uint64_t bytes = flow_groups_bytes(&r->seen);
    flow_heap_add(&r->op, (int64_t)(bytes - r->counted));
    r->counted = r->op.step_bytes = bytes;
    col_batch *rows = col_batch_gather(ctx->arena, batch, sel, fresh);
    rows->weights = NULL;
    return rows;
}

static base_rc push_turn(recursive_op *r, flow_graph *graph, flow_ctx *inner,
                         const col_batch *const *tables, base_error *err) {
    const plan_node *node = r->op.node;
    const flow_input *inputs;
    size_t n = flow_graph_inputs(graph, &inputs);
    base_rc rc = BASE_OK;
    for (size_t i = 0; rc == BASE_OK && i < n; i++) {
        uint32_t port = 0;
        while (port < node->ninputs && node->step_tables[port] != inputs[i].object) port++;
        must(port < node->ninputs);
        const col_batch *rows =
            col_batch_project(inner->arena, tables[port], inputs[i].ncolumns, inputs[i].columns);
        rc = flow_graph_push(graph, i, rows, NULL, err);
    }
    return rc;
}

// tables[0] is the working table; *next is in ctx->arena, NULL if it has no rows.
static base_rc turn(recursive_op *r, flow_ctx *ctx, base_arena *arena,
                    const col_batch *const *tables, const col_batch **next, base_error *err) {
    flow_graph_config config = {.batch_rows = r->op.graph->batch_rows,
                                .memory_limit_bytes = r->op.graph->memory_limit_bytes};
    flow_graph *graph;
    flow_ctx inner = *ctx;
    inner.arena = arena;
    inner.step_arena = NULL;
    *next = NULL;
    base_rc rc = flow_graph_create(&config, &graph, err);
    if (rc != BASE_OK) return rc;
    rc = flow_graph_add(graph, NULL, r->op.node->step, err);
    if (rc == BASE_OK) {
        flow_graph_begin(graph, &inner);
        rc = push_turn(r, graph, &inner, tables, err);
        if (rc == BASE_OK) rc = flow_graph_flush(graph, err);
        const col_batch *rows = rc == BASE_OK ? flow_graph_output(graph, 0) : NULL;
        if (rows != NULL && rows->nrows > 0) *next = col_batch_copy(ctx->arena, rows);
        flow_graph_end(graph);
    }
    flow_graph_destroy(graph);
    return rc;
}

static base_rc recursive_flush(flow_op *op, flow_ctx *ctx, flow_out *out, base_error *err) {
    recursive_op *r = (recursive_op *)op;
    const plan_node *node = op->node;
    const col_batch **tables = base_arena_array(ctx->arena, const col_batch *, node->ninputs);
    for (uint32_t i = 0; i < node->ninputs; i++)
        tables[i] = flow_pile_concat(&r->piles[i], ctx->arena, node->inputs[i]);
    base_arena arena;
    base_arena_init(&arena, 64u << 10);
    base_rc rc = BASE_OK;
    int64_t rows = 0;
    for (uint32_t turns = 0; rc == BASE_OK; turns++) {
        if (node->distinct) tables[0] = unseen(r, ctx, tables[0]);
        if (tables[0]->nrows == 0) break;
        if (turns == TURNS_MAX) {
            rc = base_fail(err, BASE_E_LIMIT, "54001", "a recursive query takes more than %u turns",
                           TURNS_MAX);
            break;
        }
        const col_batch *next;
        rc = flow_emit(out, ctx, tables[0], err); // polls
        rows += tables[0]->nrows;
        if (rc == BASE_OK && node->limit >= 0 && rows >= node->limit) break;
        if (rc == BASE_OK) rc = turn(r, ctx, &arena, tables, &next, err);
        base_arena_reset(&arena);
        if (rc == BASE_OK && next == NULL) break;
        if (rc == BASE_OK) tables[0] = next;
    }
    base_arena_deinit(&arena);
    return rc;
}

static base_rc recursive_save(flow_op *op, flow_ctx *ctx, base_error *err) {
    (void)op, (void)ctx, (void)err;
    return BASE_OK;
}

static void recursive_reset(flow_op *op) {
    recursive_op *r = (recursive_op *)op;
    for (uint32_t i = 0; i < op->node->ninputs; i++) r->piles[i] = (flow_pile){0};
}

static void recursive_stats(flow_op *op, flow_op_stats *stats) {
    *stats = op->stats;
}

static void recursive_close(flow_op *op) {
    recursive_op *r = (recursive_op *)op;
    flow_groups_deinit(&r->seen);
}

base_rc flow_recursive_create(flow_graph *graph, const plan_node *node, flow_op **out,
                              base_error *err) {
    static const flow_op_class class = {.name = "recursive",
                                        .push = recursive_push,
                                        .flush = recursive_flush,
                                        .save = recursive_save,
                                        .reset = recursive_reset,
                                        .verify = recursive_save,
                                        .stats = recursive_stats,
                                        .close = recursive_close};
    if (graph->store != NULL)
        return base_fail(err, BASE_E_UNSUPPORTED, BASE_SQLSTATE_UNSUPPORTED,
                         "WITH RECURSIVE cannot be kept current");
    base_arena *arena = &graph->arena;
    recursive_op *r = base_arena_new(arena, recursive_op);
    FLOW_OP_INIT(&r->op, &class, graph, 0, node);
    r->piles = base_arena_array(arena, flow_pile, node->ninputs);
    r->columns = base_arena_array(arena, uint32_t, node->ncolumns + 1u);
    for (uint32_t i = 0; i < node->ncolumns; i++) r->columns[i] = i;
    flow_groups_init(&r->seen, arena, node->ncolumns, flow_types(arena, node));
    *out = &r->op;
    return BASE_OK;
}
