// match.c - MATCH_RECOGNIZE: matches of a row pattern in the ordered rows of each partition.
//
// Delta rule: d(match(P)) = match(P + dP) - match(P) for each partition P that the delta touches.
// A match depends on rows behind its beginning only, and on those that PREV looks back at, so both
// are worked out from the last place before the change behind which nothing earlier looked (a mark
// of flow/partition, which keeps the number of matches so far) to the end of the partition. Matches
// that no row ends yet are given as they stand: a later row may lengthen, move or undo them, which
// is a change like any other.
//
// State: of flow/partition, "rows" and "rows.marks". Entry point: flow_match_create.
#include "flow/match_run.h"
#include "flow/partition.h"

typedef struct match_op {
    flow_op op;
    flow_pile pile;
    match_plan *plan;
    flow_partition *part;
} match_op;

static base_rc match_push(flow_op *op, flow_ctx *ctx, uint32_t port, const col_batch *batch,
                          flow_out *out, base_error *err) {
    (void)port, (void)out;
    op->stats.rows_in += batch->nrows;
    flow_pile_add(&((match_op *)op)->pile, ctx->arena, batch);
    return flow_poll(op->graph, ctx, err);
}

static int64_t seen(int64_t weight) {
    return weight > 0 ? weight : 0;
}

// The segment's rows as they were or are, each as often as it is there.
static base_rc sequence(const flow_segment *segment, base_arena *arena, bool after, uint32_t front,
                        match_input *out, base_error *err) {
    int64_t total = 0;
    for (uint32_t i = 0; i < segment->n; i++) {
        total += seen(after ? segment->rows[i].is : segment->rows[i].was);
        if (total > (int64_t)COL_BATCH_ROWS_MAX)
            return base_fail(err, BASE_E_LIMIT, "54000",
                             "MATCH_RECOGNIZE: a partition has more than %u rows to look at",
                             COL_BATCH_ROWS_MAX);
    }
    uint32_t *rows = base_arena_alloc(arena, sizeof *rows * ((size_t)total + 1)), n = 0;
    for (uint32_t i = 0; i < segment->n; i++) {
        if (i == front) out->from = n;
        int64_t weight = seen(after ? segment->rows[i].is : segment->rows[i].was);
        for (int64_t k = 0; k < weight; k++) rows[n++] = i;
    }
    out->n = n;
    out->rows = rows;
    return BASE_OK;
}

static base_rc give(flow_ctx *ctx, flow_out *out, const col_batch *rows, int64_t weight,
                    base_error *err) {
    if (rows == NULL) return BASE_OK;
    if (weight > 0) return flow_emit(out, ctx, rows, err);
    int64_t *weights = base_arena_alloc(ctx->arena, sizeof *weights * (rows->nrows + 1u));
    for (uint32_t i = 0; i < rows->nrows; i++) weights[i] = weight;
    return flow_emit(out, ctx, col_batch_with_weights(ctx->arena, rows, weights), err);
}

static void set_marks(flow_segment *segment, const match_input *input, const match_result *result) {
    for (uint32_t i = 0; i < result->nplaces; i++) {
        const match_place *place = &result->places[i];
        uint32_t row = input->rows[place->position];
        // Behind the last of equal rows, and not in front of what changed: that mark still stands.
        bool last = place->position + 1 == input->n || input->rows[place->position + 1] != row;
        if (!last || row < segment->first_changed) continue;
        base_str state = {(const char *)&place->matched, sizeof place->matched};
        flow_segment_mark(segment, row, state);
    }
}

// Rows that PREV may look back at, in front of the place where matching begins.
static base_rc look_back(const match_op *match, flow_segment *segment, uint32_t *front,
                         base_error *err) {
    uint32_t n = segment->n;
    for (uint32_t i = 0; i < match->plan->lookback; i++) {
        uint32_t before = segment->n;
        base_rc rc = flow_segment_grow_front(segment, err);
        if (rc != BASE_OK) return rc;
        if (segment->n == before) break;
    }
    *front = segment->n - n;
    return BASE_OK;
}

static base_rc match_segment(match_op *match, flow_ctx *ctx, flow_out *out, flow_segment *segment,
                             base_error *err) {
    base_str state;
    uint32_t front;
    base_rc rc = flow_segment_to_mark(segment, &state, err);
    match_input input = {0};
    bool from_start = state.n == 0;
    if (!from_start && state.n != sizeof input.matched)
        return base_fail(err, BASE_E_CORRUPT, NULL, "a mark of a pattern has %zu bytes", state.n);
    if (rc == BASE_OK && !from_start) memcpy(&input.matched, state.p, sizeof input.matched);
    if (rc == BASE_OK) rc = flow_segment_after(segment, FLOW_ALL_ROWS, err);
    if (rc == BASE_OK) rc = look_back(match, segment, &front, err);
    if (rc != BASE_OK) return rc;
    col_batch *rows;
    rc = flow_segment_batch(segment, ctx->arena, 0, segment->n, true, &rows, err);
    if (rc != BASE_OK) return rc;
    input.batch = rows;
    input.at_start = from_start;
    match_result result;
    match_input old = input;
    rc = sequence(segment, ctx->arena, false, front, &old, err);
    if (rc == BASE_OK)
        rc = match_run(match->plan, ctx, &old, flow_segment_mark_every(segment), &result, err);
    if (rc == BASE_OK) rc = give(ctx, out, result.output, -1, err);
    if (rc == BASE_OK) rc = sequence(segment, ctx->arena, true, front, &input, err);
    input.reports = true;
    if (rc == BASE_OK)
        rc = match_run(match->plan, ctx, &input, flow_segment_mark_every(segment), &result, err);
    if (rc == BASE_OK) rc = give(ctx, out, result.output, 1, err);
    if (rc == BASE_OK && flow_segment_wants_marks(segment)) set_marks(segment, &input, &result);
    return rc;
}

static base_rc match_flush(flow_op *op, flow_ctx *ctx, flow_out *out, base_error *err) {
    match_op *match = (match_op *)op;
    if (match->pile.n == 0) return BASE_OK;
    const col_batch *rows = flow_pile_concat(&match->pile, ctx->arena, op->node->inputs[0]);
    match->pile = (flow_pile){0};
    base_rc rc = flow_partition_begin(match->part, ctx, rows, err);
    while (rc == BASE_OK) {
        flow_segment *segment;
        rc = flow_partition_next(match->part, &segment, err);
        if (rc != BASE_OK || segment == NULL) break;
        rc = match_segment(match, ctx, out, segment, err);
    }
    return rc == BASE_OK ? flow_partition_finish(match->part, err) : rc;
}

static base_rc match_save(flow_op *op, flow_ctx *ctx, base_error *err) {
    (void)ctx, (void)err;
    flow_partition_trim(((match_op *)op)->part);
    return BASE_OK;
}

static void match_reset(flow_op *op) {
    match_op *match = (match_op *)op;
    match->pile = (flow_pile){0};
    flow_partition_reset(match->part);
}

static base_rc match_verify(flow_op *op, flow_ctx *ctx, base_error *err) {
    return flow_partition_verify(((match_op *)op)->part, ctx, err);
}

static void match_stats(flow_op *op, flow_op_stats *stats) {
    *stats = op->stats;
    flow_partition_stats(((match_op *)op)->part, stats);
}

static void match_close(flow_op *op) {
    flow_partition_close(((match_op *)op)->part);
}

static const flow_op_class match_class = {.name = "match",
                                          .push = match_push,
                                          .flush = match_flush,
                                          .save = match_save,
                                          .reset = match_reset,
                                          .verify = match_verify,
                                          .stats = match_stats,
                                          .close = match_close};

base_rc flow_match_create(flow_graph *graph, uint32_t view_id, const plan_node *node, flow_op **out,
                          base_error *err) {
    match_op *match = base_arena_new(&graph->arena, match_op);
    FLOW_OP_INIT(&match->op, &match_class, graph, view_id, node);
    *out = &match->op;
    const plan_node *input = node->inputs[0];
    base_rc rc = match_plan_create(&match->op, node, &match->plan, err);
    if (rc != BASE_OK) return rc;
    flow_partition_config config = {.op = &match->op,
                                    .suffix = "rows",
                                    .ncolumns = input->ncolumns,
                                    .types = flow_types(&graph->arena, input),
                                    .nkeys = node->match->npartition,
                                    .keys = node->match->partition,
                                    .norder = node->match->norder,
                                    .order = node->match->order,
                                    .marks = true};
    return flow_partition_open(&config, &match->part, err);
}
