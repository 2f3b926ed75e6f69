// top.c - the first n rows of each partition: row_number() (rank(), dense_rank()) OVER (...) <= n.
//
// Delta rule: out = first n of (A + dA) - first n of A, a partition at a time. Of a partition only
// its beginning is read, up to where rows rank beyond n before and after the step; a change with
// enough rows in front of it is written to the state and nothing else. Without the rank in the
// output, a row that only changes its rank is no change.
// State: "v<view>.<node>.rows" (partition.h). Entry point: flow_top_create.
#include "flow/over.h"
#include "flow/partition.h"

typedef struct top_op {
    flow_op op;
    plan_over_id rank;
    int64_t limit;
    flow_pile pile; // of the step
    flow_partition *part;
    base_arena scratch; // of a segment
    flow_pile out;      // of the flush
    col_type *types;    // of the output
} top_op;

static base_rc top_push(flow_op *op, flow_ctx *ctx, uint32_t port, const col_batch *batch,
                        flow_out *out, base_error *err) {
    (void)port, (void)out;
    top_op *top = (top_op *)op;
    op->stats.rows_in += batch->nrows;
    flow_pile_add(&top->pile, ctx->arena, batch);
    return flow_poll(op->graph, ctx, err);
}

// ------------------------------------------------------------------------------------ ranks

// One side of the step, walked row by row from the start of the partition.
typedef struct walk {
    int64_t rows;        // before the present one
    int64_t group_first; // rows before the group of peers
    int64_t groups;      // with the present one
    const flow_partition_row *last;
} walk;

// The next row, there `weight` times: the rank of the first of it, and how many rank within limit.
static int64_t step_walk(const top_op *top, walk *w, const flow_partition_row *row, int64_t weight,
                         int64_t *rank) {
    *rank = 0;
    if (weight == 0) return 0;
    if (w->last == NULL || !flow_partition_peers(w->last, row)) {
        w->group_first = w->rows;
        w->groups++;
    }
    w->last = row;
    *rank = top->rank == PLAN_OVER_ROW_NUMBER ? w->rows + 1
            : top->rank == PLAN_OVER_RANK     ? w->group_first + 1
                                              : w->groups;
    w->rows += weight;
    if (*rank > top->limit) return 0;
    int64_t room = top->limit - *rank + 1;
    return top->rank == PLAN_OVER_ROW_NUMBER && weight > room ? room : weight;
}

// ------------------------------------------------------------------------------------ reading

// Draws in the rows in front of the change, as many as decide whether it can rank within limit:
// *beyond says that it cannot.
static base_rc draw_front(top_op *top, flow_segment *segment, bool *beyond, base_error *err) {
    // Counted back from the change: rows in front of its peers, groups of peers.
    uint32_t at = segment->first_changed;
    int64_t rows = 0, groups = 0;
    bool peers = top->rank != PLAN_OVER_ROW_NUMBER;
    *beyond = top->limit == 0;
    while (!*beyond) {
        if (at == 0) {
            uint32_t had = segment->n;
            base_rc rc = flow_segment_grow_front(segment, err);
            if (rc != BASE_OK) return rc;
            if (segment->n == had) return BASE_OK;
            at = 1;
        }
        const flow_partition_row *row = &segment->rows[--at];
        bool same = flow_partition_peers(row, row + 1);
        peers = peers && same;
        groups += !same;
        if (!peers) rows += row->is;
        *beyond = top->rank == PLAN_OVER_DENSE_RANK ? groups >= top->limit : rows >= top->limit;
    }
    return BASE_OK;
}

// Draws in what follows until rows rank beyond the limit on both sides.
static base_rc draw_end(top_op *top, flow_segment *segment, base_error *err) {
    walk old = {0}, new = {0};
    for (uint32_t at = 0;; at++) {
        if (at == segment->n) {
            uint32_t had = segment->n;
            base_rc rc = flow_segment_grow_end(segment, err);
            if (rc != BASE_OK || segment->n == had) return rc;
            // The rows may have moved; peers are compared with one of them.
            old.last = old.last == NULL ? NULL : &segment->rows[at - 1];
            new.last = new.last == NULL ? NULL : &segment->rows[at - 1];
        }
        int64_t a, b;
        step_walk(top, &old, &segment->rows[at], segment->rows[at].was, &a);
        step_walk(top, &new, &segment->rows[at], segment->rows[at].is, &b);
        int64_t next_old = top->rank == PLAN_OVER_DENSE_RANK ? old.groups : old.group_first + 1;
        int64_t next_new = top->rank == PLAN_OVER_DENSE_RANK ? new.groups : new.group_first + 1;
        if (top->rank == PLAN_OVER_ROW_NUMBER) {
            next_old = old.rows + 1;
            next_new = new.rows + 1;
        }
        if (next_old > top->limit && next_new > top->limit && at >= segment->first_changed)
            return BASE_OK;
    }
}

// ------------------------------------------------------------------------------------ output

typedef struct emission {
    uint32_t n, cap;
    uint32_t *rows; // of the segment
    int64_t *ranks, *weights;
} emission;

static void emit(top_op *top, emission *e, uint32_t row, int64_t rank, int64_t weight) {
    if (e->n == e->cap) {
        base_arena *arena = &top->scratch;
        uint32_t cap = e->cap == 0 ? 16 : e->cap * 2;
        emission more = {e->n, cap, base_arena_alloc(arena, sizeof(uint32_t) * cap),
                         base_arena_alloc(arena, sizeof(int64_t) * cap),
                         base_arena_alloc(arena, sizeof(int64_t) * cap)};
        if (e->n > 0) {
            memcpy(more.rows, e->rows, sizeof(uint32_t) * e->n);
            memcpy(more.ranks, e->ranks, sizeof(int64_t) * e->n);
            memcpy(more.weights, e->weights, sizeof(int64_t) * e->n);
        }
        *e = more;
    }
    e->rows[e->n] = row;
    e->ranks[e->n] = rank;
    e->weights[e->n++] = weight;
}

// The ranks of a row that was (is) there: row numbers go on, ranks are one for all.
static void emit_ranked(top_op *top, emission *e, uint32_t row, int64_t rank, int64_t n,
                        int64_t sign) {
    bool numbers = top->rank == PLAN_OVER_ROW_NUMBER;
    for (int64_t k = 0; k < (numbers ? n : n > 0); k++)
        emit(top, e, row, rank + k, numbers ? sign : sign * n);
}

static void compare(top_op *top, const flow_segment *segment, emission *e) {
    walk old = {0}, new = {0};
    for (uint32_t r = 0; r < segment->n; r++) {
        const flow_partition_row *row = &segment->rows[r];
        int64_t a, b;
        int64_t was = step_walk(top, &old, row, row->was, &a);
        int64_t is = step_walk(top, &new, row, row->is, &b);
        if (!top->op.node->with_rank) {
            if (was != is) emit(top, e, r, 0, is - was);
        } else if (was != is || (was > 0 && a != b)) {
            emit_ranked(top, e, r, a, was, -1);
            emit_ranked(top, e, r, b, is, 1);
        }
    }
}

static base_rc hand_on(top_op *top, flow_ctx *ctx, flow_out *out, base_error *err) {
    if (top->out.n == 0) return BASE_OK;
    const col_batch *batch = top->out.n == 1
                                 ? top->out.batches[0]
                                 : col_batch_concat(ctx->arena, top->op.node->ncolumns, top->types,
                                                    top->out.n, top->out.batches);
    top->out = (flow_pile){0};
    return flow_emit(out, ctx, batch, err);
}

static base_rc give_rows(top_op *top, flow_ctx *ctx, flow_out *out, flow_segment *segment,
                         const emission *e, base_error *err) {
    uint32_t n = top->op.node->ncolumns, ncols = top->op.node->inputs[0]->ncolumns;
    col_batch *rows;
    if (e->n == 0) return BASE_OK;
    base_rc rc = flow_segment_gather(segment, ctx->arena, e->rows, e->n, &rows, err);
    if (rc != BASE_OK) return rc;
    col_batch *batch = base_arena_new(ctx->arena, col_batch);
    *batch = (col_batch){
        n, e->n, base_arena_array(ctx->arena, col_vec, n + 1u),
        (int64_t *)(void *)base_arena_memdup(ctx->arena, e->weights, sizeof(int64_t) * e->n)};
    memcpy(batch->cols, rows->cols, sizeof(col_vec) * ncols);
    if (top->op.node->with_rank) {
        col_vec_init(&batch->cols[ncols], ctx->arena, col_type_of(COL_INT8), e->n);
        memcpy(batch->cols[ncols].data, e->ranks, sizeof(int64_t) * e->n);
    }
    flow_pile_add(&top->out, ctx->arena, batch);
    return top->out.rows < top->op.graph->batch_rows ? BASE_OK : hand_on(top, ctx, out, err);
}

// ------------------------------------------------------------------------------------ a step

static base_rc top_segment(top_op *top, flow_ctx *ctx, flow_out *out, flow_segment *segment,
                           base_error *err) {
    bool beyond;
    base_rc rc = draw_front(top, segment, &beyond, err);
    if (rc != BASE_OK || beyond) return rc;
    rc = draw_end(top, segment, err);
    emission e = {0};
    if (rc == BASE_OK) compare(top, segment, &e);
    return rc == BASE_OK ? give_rows(top, ctx, out, segment, &e, err) : rc;
}

static base_rc top_flush(flow_op *op, flow_ctx *ctx, flow_out *out, base_error *err) {
    top_op *top = (top_op *)op;
    if (top->pile.n == 0) return BASE_OK;
    const col_batch *rows = flow_pile_concat(&top->pile, ctx->arena, op->node->inputs[0]);
    top->pile = (flow_pile){0};
    base_rc rc = flow_partition_begin(top->part, ctx, rows, err);
    while (rc == BASE_OK) {
        flow_segment *segment;
        base_arena_reset(&top->scratch);
        rc = flow_partition_next(top->part, &segment, err);
        if (rc != BASE_OK || segment == NULL) break;
        rc = top_segment(top, ctx, out, segment, err);
        if (rc == BASE_OK) rc = flow_poll(op->graph, ctx, err);
    }
    if (rc == BASE_OK) rc = hand_on(top, ctx, out, err);
    return rc == BASE_OK ? flow_partition_finish(top->part, err) : rc;
}

static base_rc top_save(flow_op *op, flow_ctx *ctx, base_error *err) {
    (void)ctx, (void)err; // written at flush
    flow_partition_trim(((top_op *)op)->part);
    return BASE_OK;
}

static void top_reset(flow_op *op) {
    top_op *top = (top_op *)op;
    top->pile = top->out = (flow_pile){0};
    base_arena_reset(&top->scratch);
    flow_partition_reset(top->part);
}

static base_rc top_verify(flow_op *op, flow_ctx *ctx, base_error *err) {
    return flow_partition_verify(((top_op *)op)->part, ctx, err);
}

static void top_stats(flow_op *op, flow_op_stats *stats) {
    *stats = op->stats;
    flow_partition_stats(((top_op *)op)->part, stats);
}

static void top_close(flow_op *op) {
    top_op *top = (top_op *)op;
    flow_partition_close(top->part);
    base_arena_deinit(&top->scratch);
}

base_rc flow_top_create(flow_graph *graph, uint32_t view_id, const plan_node *node, flow_op **out,
                        base_error *err) {
    static const flow_op_class class = {.name = "top",
                                        .push = top_push,
                                        .flush = top_flush,
                                        .save = top_save,
                                        .reset = top_reset,
                                        .verify = top_verify,
                                        .stats = top_stats,
                                        .close = top_close};
    top_op *top = base_arena_new(&graph->arena, top_op);
    FLOW_OP_INIT(&top->op, &class, graph, view_id, node);
    base_arena_init(&top->scratch, 16 << 10);
    *out = &top->op;
    top->rank = node->overs[0].id;
    top->limit = node->limit;
    top->types = base_arena_array(&graph->arena, col_type, node->ncolumns + 1u);
    for (uint32_t c = 0; c < node->ncolumns; c++) top->types[c] = node->columns[c].type;
    flow_partition_config config = {.op = &top->op,
                                    .suffix = "rows",
                                    .ncolumns = node->inputs[0]->ncolumns,
                                    .types = flow_types(&graph->arena, node->inputs[0]),
                                    .nkeys = node->npartition,
                                    .keys = node->partition,
                                    .norder = node->nsort,
                                    .order = node->sort};
    return flow_partition_open(&config, &top->part, err);
}
