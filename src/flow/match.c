// match.c - MATCH_RECOGNIZE: matches of a row pattern in the ordered rows of each partition.
//
// Delta rule: d(match(P)) = match(P + dP) - match(P) for each partition P that the delta touches.
// A match depends on rows behind its beginning only, and on those that PREV looks back at. So both
// are worked out
//  - from the last place that the change leaves alone: all searches that began before it were
//    settled by rows in front of the change. A mark of flow/partition stands on the last row that
//    they asked about and keeps where the place is, and the number of matches so far. For a row
//    that comes last, the place is where the first match is still open; with WITHIN, no further
//    back than its time.
//  - to the end of the partition, or to the first place that both come to alike.
// Matches that no row ends yet are given as they stand: a later row may lengthen, move or undo
// them, which is a change like any other.
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

typedef struct side { // of a step
    match_input input;
    match_found found;
} side;

static void set_mark(flow_segment *segment, const side *new, const match_place *place,
                     base_buf *buf) {
    const uint32_t *rows = new->input.rows;
    uint32_t on = rows[place->seen];
    base_buf_clear(buf);
    base_buf_add_byte(buf, MARK_VERSION);
    base_buf_add_u64le(buf, (uint64_t)place->matched);
    if (on > rows[place->position])
        base_buf_add_str(buf, segment->rows[rows[place->position + 1]].key);
    flow_segment_mark(segment, on, base_buf_str(buf));
}

// A mark for places some rows apart; of those that would stand on the same row the last.
static void set_marks(flow_segment *segment, const side *new) {
    const uint32_t *rows = new->input.rows;
    const match_place *chosen = NULL;
    uint32_t from = new->input.from, every = flow_segment_mark_every(segment);
    base_buf buf = {0};
    for (uint32_t i = 0; i < new->found.nplaces; i++) {
        const match_place *place = &new->found.places[i];
        uint32_t next = place->position + 1;
        if (next < from + every) continue;
        if (next < new->input.n && rows[next] == rows[place->position]) continue; // equal rows
        if (chosen != NULL && rows[chosen->seen] != rows[place->seen])
            set_mark(segment, new, chosen, &buf);
        chosen = place;
        from = next;
    }
    if (chosen != NULL) set_mark(segment, new, chosen, &buf);
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

// The row of the segment that a place is before, if that begins there; else UINT32_MAX.
static uint32_t row_behind(const side *s, const match_place *place) {
    uint32_t next = place->position + 1;
    if (next >= s->input.n) return UINT32_MAX;
    uint32_t row = s->input.rows[next];
    return row == s->input.rows[place->position] ? UINT32_MAX : row;
}

// The first place behind the changes that both sides come to alike: what they find from there on is
// the same.
static bool find_meeting(const match_op *match, const flow_segment *segment, const side *old,
                         const side *new, const match_place **a, const match_place **b) {
    uint64_t beyond = (uint64_t)segment->last_changed + match->plan->lookback;
    for (uint32_t i = 0, k = 0; i < old->found.nplaces && k < new->found.nplaces;) {
        *a = &old->found.places[i];
        *b = &new->found.places[k];
        uint32_t x = row_behind(old, *a), y = row_behind(new, *b);
        if (x == y && x != UINT32_MAX && x > beyond &&
            ((*a)->matched == (*b)->matched || !match->plan->numbers))
            return true;
        x = old->input.rows[(*a)->position];
        y = new->input.rows[(*b)->position];
        i += x <= y;
        k += y <= x;
    }
    return false;
}

static base_rc run_side(match_op *match, flow_ctx *ctx, const flow_segment *segment, bool after,
                        const beginning *begin, const col_batch *rows, bool reports, side *s,
                        base_error *err) {
    s->input = (match_input){.batch = rows, .reports = reports};
    base_rc rc = sequence(segment, ctx->arena, after, begin, &s->input, err);
    return rc == BASE_OK ? match_run(match->plan, ctx, &s->input, &s->found, err) : rc;
}

static base_rc give_sides(match_op *match, flow_ctx *ctx, const side *old, uint32_t nold,
                          const side *new, uint32_t nnew, base_error *err) {
    const col_batch *rows;
    base_rc rc = match_output(&old->found, nold, &rows, err);
    if (rc == BASE_OK) rc = give(match, ctx, rows, -1, err);
    if (rc == BASE_OK) rc = match_output(&new->found, nnew, &rows, err);
    return rc == BASE_OK ? give(match, ctx, rows, 1, err) : rc;
}

// A few rows are drawn in behind the change at first, to see whether both sides soon come to a
// place from which they go on alike. Rows that fail are reported once.
static base_rc match_segment(flow_partition_op *op, flow_ctx *ctx, flow_segment *segment,
                             base_error *err) {
    match_op *match = (match_op *)op;
    beginning begin;
    base_rc rc = draw(segment, &begin, err);
    if (rc == BASE_OK) rc = look_back(match, segment, &begin, err);
    for (uint64_t more = flow_segment_mark_every(segment) / 4u; rc == BASE_OK; more *= 4) {
        rc =
            flow_segment_after(segment, more < FLOW_ALL_ROWS ? (uint32_t)more : FLOW_ALL_ROWS, err);
        col_batch *rows;
        if (rc == BASE_OK)
            rc = flow_segment_batch(segment, ctx->arena, 0, segment->n, true, &rows, err);
        side old, new;
        bool whole = segment->at_end;
        if (rc == BASE_OK)
            rc = run_side(match, ctx, segment, false, &begin, rows, false, &old, err);
        if (rc == BASE_OK) rc = run_side(match, ctx, segment, true, &begin, rows, whole, &new, err);
        const match_place *a = NULL, *b = NULL;
        bool meet = rc == BASE_OK && !whole && find_meeting(match, segment, &old, &new, &a, &b);
        if (rc != BASE_OK || !(whole || meet)) continue;
        uint32_t nold = whole ? old.found.nout : a->nout, nnew = whole ? new.found.nout : b->nout;
        if (meet && new.found.failed)
            rc = run_side(match, ctx, segment, true, &begin, rows, true, &new, err);
        new.input.reports = true;
        if (rc == BASE_OK) rc = give_sides(match, ctx, &old, nold, &new, nnew, err);
        if (rc == BASE_OK && flow_segment_wants_marks(segment)) set_marks(segment, &new);
        break;
    }
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
