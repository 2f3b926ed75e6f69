// match.c - MATCH_RECOGNIZE: matches of a row pattern in the ordered rows of each partition.
//
// Delta rule: d(match(P)) = match(P + dP) - match(P) for each partition P that the delta touches.
// A match depends on rows behind its beginning only, and on those that PREV looks back at, so both
// are worked out to the end of the partition, from the last place that the change leaves alone: all
// searches that began before it were settled by rows in front of the change (a mark of
// flow/partition, which stands on the last row that they asked about and keeps where the place is
// and the number of matches so far). For a row that comes last that is where the first match is
// still open; with WITHIN, no further back than its time. Matches that no row ends yet are given as
// they stand: a later row may lengthen, move or undo them, which is a change like any other.
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

typedef struct beginning { // of a computation
    bool at_start;         // of the partition; else from a mark on
    int64_t matched;       // before it
    uint32_t to_mark;      // rows from it to the mark's, that one included
    uint32_t look_back;    // rows in front of it
} beginning;

// The segment's rows as they were or are, each as often as it is there.
static base_rc sequence(const flow_segment *segment, base_arena *arena, bool after,
                        const beginning *begin, match_input *out, base_error *err) {
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
        if (i == begin->look_back) out->from = n;
        int64_t weight = seen(after ? segment->rows[i].is : segment->rows[i].was);
        for (int64_t k = 0; k < weight; k++) rows[n++] = i;
        if (begin->to_mark > 0 && i + 1 == begin->look_back + begin->to_mark) out->seen = n - 1;
    }
    out->n = n;
    out->rows = rows;
    out->at_start = begin->at_start;
    out->matched = begin->matched;
    return BASE_OK;
}

static base_rc give(match_op *match, flow_ctx *ctx, const col_batch *rows, int64_t weight,
                    base_error *err) {
    if (rows == NULL) return BASE_OK;
    if (weight < 0) rows = col_batch_negate(ctx->arena, rows);
    return flow_partition_give(&match->base, ctx, rows, err);
}

// A mark stands on the last row that was asked about by searches which began before a place: a
// change of that row or one before it drops the mark, any later one leaves it. Its bytes: a
// version, the matches before the place, and the key of the row that the place is before, if that
// is not the next one behind the mark.
#define MARK_VERSION 2
#define MARK_HEAD    (1 + sizeof(int64_t))

static void set_marks(flow_segment *segment, const match_input *input, const match_result *result) {
    base_buf buf = {0};
    for (uint32_t i = 0; i < result->nplaces; i++) {
        const match_place *place = &result->places[i];
        uint32_t before = input->rows[place->position], on = input->rows[place->seen];
        uint32_t next = place->position + 1;
        bool last = next == input->n || input->rows[next] != before;
        bool same = i + 1 < result->nplaces && input->rows[result->places[i + 1].seen] == on;
        if (!last || same) continue; // a place is behind the last of equal rows
        base_buf_clear(&buf);
        base_buf_add_byte(&buf, MARK_VERSION);
        base_buf_add_u64le(&buf, (uint64_t)place->matched);
        if (on > before) base_buf_add_str(&buf, segment->rows[input->rows[next]].key);
        flow_segment_mark(segment, on, base_buf_str(&buf));
    }
    base_buf_deinit(&buf);
}

// Draws in what is computed anew: from the place of the last mark before the change on.
static base_rc draw(flow_segment *segment, beginning *begin, base_error *err) {
    base_str state;
    base_rc rc = flow_segment_to_mark(segment, false, &state, err);
    *begin = (beginning){.at_start = state.n == 0};
    if (rc != BASE_OK || begin->at_start) return rc;
    if (state.n < MARK_HEAD || state.p[0] != MARK_VERSION)
        return base_fail(err, BASE_E_CORRUPT, NULL, "a mark of a pattern has %zu bytes", state.n);
    memcpy(&begin->matched, state.p + 1, sizeof begin->matched);
    uint32_t had = segment->n;
    base_str place = {state.p + MARK_HEAD, state.n - MARK_HEAD};
    while (rc == BASE_OK && place.n > 0 && !segment->at_start &&
           base_str_cmp(segment->rows[0].key, place) > 0)
        rc = flow_segment_grow_front(segment, err);
    begin->to_mark = segment->n - had;
    return rc;
}

// Rows that PREV may look back at, in front of the place where matching begins.
static base_rc look_back(const match_op *match, flow_segment *segment, beginning *begin,
                         base_error *err) {
    uint32_t n = segment->n;
    for (uint32_t i = 0; i < match->plan->lookback; i++) {
        uint32_t before = segment->n;
        base_rc rc = flow_segment_grow_front(segment, err);
        if (rc != BASE_OK) return rc;
        if (segment->n == before) break;
    }
    begin->look_back = segment->n - n;
    return BASE_OK;
}

static base_rc match_segment(flow_partition_op *op, flow_ctx *ctx, flow_segment *segment,
                             base_error *err) {
    match_op *match = (match_op *)op;
    beginning begin;
    match_input input = {0};
    base_rc rc = draw(segment, &begin, err);
    if (rc == BASE_OK) rc = flow_segment_after(segment, FLOW_ALL_ROWS, err);
    if (rc == BASE_OK) rc = look_back(match, segment, &begin, err);
    if (rc != BASE_OK) return rc;
    col_batch *rows;
    rc = flow_segment_batch(segment, ctx->arena, 0, segment->n, true, &rows, err);
    if (rc != BASE_OK) return rc;
    input.batch = rows;
    match_result result;
    match_input old = input;
    rc = sequence(segment, ctx->arena, false, &begin, &old, err);
    if (rc == BASE_OK)
        rc = match_run(match->plan, ctx, &old, flow_segment_mark_every(segment), &result, err);
    if (rc == BASE_OK) rc = give(match, ctx, result.output, -1, err);
    if (rc == BASE_OK) rc = sequence(segment, ctx->arena, true, &begin, &input, err);
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
