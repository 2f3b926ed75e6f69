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
#include "flow/partition_op.h"

typedef struct match_op {
    flow_partition_op base;
    match_plan *plan;
} match_op;

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

static base_rc give(match_op *match, flow_ctx *ctx, const col_batch *rows, int64_t weight,
                    base_error *err) {
    if (rows == NULL) return BASE_OK;
    if (weight < 0) rows = col_batch_negate(ctx->arena, rows);
    return flow_partition_give(&match->base, ctx, rows, err);
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

static base_rc match_segment(flow_partition_op *op, flow_ctx *ctx, flow_segment *segment,
                             base_error *err) {
    match_op *match = (match_op *)op;
    base_str state;
    uint32_t front;
    base_rc rc = flow_segment_to_mark(segment, false, &state, err);
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
    if (rc == BASE_OK) rc = give(match, ctx, result.output, -1, err);
    if (rc == BASE_OK) rc = sequence(segment, ctx->arena, true, front, &input, err);
    input.reports = true;
    if (rc == BASE_OK)
        rc = match_run(match->plan, ctx, &input, flow_segment_mark_every(segment), &result, err);
    if (rc == BASE_OK) rc = give(match, ctx, result.output, 1, err);
    if (rc == BASE_OK && flow_segment_wants_marks(segment)) set_marks(segment, &input, &result);
    return rc;
}

base_rc flow_match_create(flow_graph *graph, uint32_t view_id, const plan_node *node, flow_op **out,
                          base_error *err) {
    static const flow_partition_class class = {FLOW_PARTITION_LIFE("match"),
                                               .segment = match_segment};
    match_op *match = base_arena_new(&graph->arena, match_op);
    flow_partition_op_init(&match->base, &class, graph, view_id, node);
    *out = &match->base.op;
    base_rc rc = match_plan_create(&match->base.op, node, &match->plan, err);
    if (rc != BASE_OK) return rc;
    const flow_partition_by by = {.nkeys = node->match->npartition,
                                  .keys = node->match->partition,
                                  .norder = node->match->norder,
                                  .order = node->match->order,
                                  .marks = true};
    return flow_partition_op_open(&match->base, &by, err);
}
