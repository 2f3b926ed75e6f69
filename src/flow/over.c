// over.c - window functions: f(...) OVER (PARTITION BY ... ORDER BY ...).
//
// Delta rule: a row's result depends on rows of its partition as far as its functions reach
// (plan/over.h). For each change the rows that it can affect, and the rows that those are computed
// from, are drawn in as they were and as they are; out = -(old rows, old results) + (new rows, new
// results), for rows where either differs.
//  - By rows, groups or values: so many around the change.
//  - Running (row_number, rank, sums from the start on): from the last mark before the change on,
//    to the end, or to where the running state is again what it was.
//  - Whole: the partition.
// Rows that sort alike are in the order of a hash of the row (partition.h), so that results do not
// depend on history; where PostgreSQL leaves the order open, ours is this one.
// State: "v<view>.<node>.rows" and ".rows.marks" (partition.h). Entry point: flow_over_create.
#include "flow/over.h"
#include "flow/partition_op.h"

typedef struct over_op {
    flow_partition_op base;
    over_plan plan;
    base_buf buf;
} over_op;

// ------------------------------------------------------------------------------------ reach

typedef struct extent { // rows of the segment whose results are looked at
    uint32_t first, last;
} extent;

// The first row of the group of peers that is n groups before `row`, or of the first there is.
static base_rc group_before(flow_segment *segment, uint32_t *row, uint32_t n, base_error *err) {
    uint32_t passed = 0;
    for (;;) {
        if (*row == 0) {
            uint32_t had = segment->n;
            base_rc rc = flow_segment_grow_front(segment, err);
            if (rc != BASE_OK || segment->n == had) return rc;
            *row = 1;
        }
        bool peers = flow_partition_peers(&segment->rows[*row - 1], &segment->rows[*row]);
        if (!peers && passed++ == n) return BASE_OK;
        (*row)--;
    }
}

static base_rc group_after(flow_segment *segment, uint32_t *row, uint32_t n, base_error *err) {
    uint32_t passed = 0;
    for (;;) {
        if (*row + 1 == segment->n) {
            uint32_t had = segment->n;
            base_rc rc = flow_segment_grow_end(segment, err);
            if (rc != BASE_OK || segment->n == had) return rc;
        }
        bool peers = flow_partition_peers(&segment->rows[*row], &segment->rows[*row + 1]);
        if (!peers && passed++ == n) return BASE_OK;
        (*row)++;
    }
}

// Groups: those affected, what they are made of, and, after the last change, so many that the next
// change is out of reach.
static base_rc draw_groups(over_op *over, flow_segment *segment, extent *extent, base_error *err) {
    const plan_reach *reach = &over->plan.reach;
    uint32_t margin = reach->affected_before + reach->affected_after + reach->context_before +
                      reach->context_after + 1;
    uint32_t row = segment->first_changed, last = UINT32_MAX;
    base_rc rc = group_before(segment, &row, margin, err);
    while (rc == BASE_OK && last != segment->last_changed) {
        last = row = segment->last_changed;
        rc = group_after(segment, &row, margin, err);
    }
    *extent = (struct extent){segment->first_changed, segment->last_changed};
    if (rc == BASE_OK) rc = group_before(segment, &extent->first, reach->affected_before, err);
    if (rc == BASE_OK) rc = group_after(segment, &extent->last, reach->affected_after, err);
    return rc;
}

// The key that is `times` all offsets away from a row's value; null for a null value.
static base_rc bound_key(over_op *over, flow_segment *segment, uint32_t row, bool before,
                         uint32_t times, bool *null, bool *bounded, base_error *err) {
    col_batch *batch;
    base_rc rc = flow_segment_batch(segment, &over->base.scratch, row, 1, false, &batch, err);
    if (rc != BASE_OK) return rc;
    *null = col_is_null(&batch->cols[over->base.op.node->sort[0].column], 0);
    *bounded = false;
    if (*null) return BASE_OK;
    return over_bound_key(&over->plan, batch, 0, before, times, &over->buf, bounded, err);
}

static base_str order_part(const flow_partition_row *row) {
    return (base_str){row->key.p, row->key.n - FLOW_PARTITION_HASH};
}

// Draws in rows until one is beyond the bound; *row becomes the last that is not. Nulls are bounded
// by where they end: the first byte of an order key tells them.
static base_rc value_edge(over_op *over, flow_segment *segment, uint32_t *row, bool before,
                          uint32_t times, base_error *err) {
    bool null, bounded;
    base_rc rc = bound_key(over, segment, *row, before, times, &null, &bounded, err);
    base_str bound = base_buf_str(&over->buf);
    while (rc == BASE_OK) {
        if (before ? *row == 0 : *row + 1 == segment->n) {
            uint32_t had = segment->n;
            rc = before ? flow_segment_grow_front(segment, err)
                        : flow_segment_grow_end(segment, err);
            if (rc != BASE_OK || segment->n == had) return rc;
            if (before) *row = 1;
        }
        base_str mine = order_part(&segment->rows[*row]);
        base_str next = order_part(&segment->rows[before ? *row - 1 : *row + 1]);
        if (null ? mine.p[0] != next.p[0] : false) break;
        int order = bounded ? base_str_cmp(next, bound) : 0;
        if (before ? order < 0 : order > 0) break;
        *row = before ? *row - 1 : *row + 1;
    }
    return rc;
}

static base_rc draw_values(over_op *over, flow_segment *segment, extent *extent, base_error *err) {
    uint32_t row = segment->first_changed, last = UINT32_MAX;
    base_rc rc = value_edge(over, segment, &row, true, 2, err);
    while (rc == BASE_OK && last != segment->last_changed) {
        last = row = segment->last_changed;
        rc = value_edge(over, segment, &row, false, 2, err);
    }
    *extent = (struct extent){segment->first_changed, segment->last_changed};
    if (rc == BASE_OK) rc = value_edge(over, segment, &extent->first, true, 1, err);
    if (rc == BASE_OK) rc = value_edge(over, segment, &extent->last, false, 1, err);
    return rc;
}

static uint32_t rows_margin(const plan_reach *reach) {
    return reach->affected_before + reach->affected_after + reach->context_before +
           reach->context_after;
}

static base_rc draw_rows(over_op *over, flow_segment *segment, extent *extent, base_error *err) {
    const plan_reach *reach = &over->plan.reach;
    uint32_t margin = rows_margin(reach);
    base_rc rc = flow_segment_before(segment, margin, err);
    if (rc == BASE_OK) rc = flow_segment_after(segment, margin, err);
    if (rc != BASE_OK) return rc;
    uint32_t first = segment->first_changed, last = segment->last_changed;
    extent->first = first > reach->affected_before ? first - reach->affected_before : 0;
    extent->last = segment->n - 1 - last > reach->affected_after ? last + reach->affected_after
                                                                 : segment->n - 1;
    return BASE_OK;
}

// ------------------------------------------------------------------------------------ output

static bool has_results(const over_op *over, const over_side *old, uint32_t a, const over_side *new,
                        uint32_t b) {
    for (uint32_t f = 0; f < over->plan.nfuncs; f++)
        if (!col_cells_same(&old->results[f], a, &new->results[f], b)) return false;
    return true;
}

static base_rc report_failed(over_op *over, flow_ctx *ctx, const over_side *side, uint32_t i,
                             base_error *err) {
    if (ctx->hooks == NULL || ctx->hooks->row_failed == NULL) {
        if (err != NULL) *err = side->failure;
        return side->failure.code;
    }
    ctx->hooks->row_failed(ctx->hooks->self, over->base.op.node_id, side->rows, side->row[i],
                           &side->failure);
    return BASE_OK;
}

// What goes and what comes of the rows of an extent. A tag is a position of the old side, or of the
// new one behind them.
static base_rc compare_sides(over_op *over, flow_ctx *ctx, const over_side *old,
                             const over_side *new, extent range, flow_changes *changes,
                             base_error *err) {
    base_rc rc = BASE_OK;
    for (uint32_t r = range.first; r <= range.last; r++) {
        uint32_t a = old->begin[r], b = new->begin[r];
        uint32_t a_end = old->begin[r + 1], b_end = new->begin[r + 1];
        for (; a < a_end || b < b_end; a++, b++) {
            bool was = a < a_end && !old->failed[a], is = b < b_end && !new->failed[b];
            bool failed_before = a < a_end && old->failed[a];
            if (b < b_end && !is && !failed_before) {
                rc = report_failed(over, ctx, new, b, err);
                if (rc != BASE_OK) return rc;
            }
            if (was && is && has_results(over, old, a, new, b)) continue;
            if (was) flow_changes_add(&over->base, changes, r, -1, a);
            if (is) flow_changes_add(&over->base, changes, r, 1, (int64_t)old->n + b);
        }
    }
    return rc;
}

static base_rc give_rows(over_op *over, flow_ctx *ctx, flow_segment *segment, const over_side *old,
                         const over_side *new, const flow_changes *changes, base_error *err) {
    base_arena *arena = &over->base.scratch;
    uint32_t ncols = over->base.op.node->inputs[0]->ncolumns, nfuncs = over->plan.nfuncs;
    uint32_t n = changes->n, *positions = base_arena_alloc(arena, sizeof *positions * (n + 1u));
    if (n == 0) return BASE_OK;
    for (uint32_t i = 0; i < n; i++) positions[i] = (uint32_t)changes->tags[i];
    col_batch results = {nfuncs, n, base_arena_array(arena, col_vec, nfuncs), NULL};
    for (uint32_t f = 0; f < nfuncs; f++) {
        col_batch sides[2] = {{1, old->n, &old->results[f], NULL},
                              {1, new->n, &new->results[f], NULL}};
        const col_batch *both[2] = {&sides[0], &sides[1]};
        const col_batch *all = col_batch_concat(arena, 1, &over->base.types[ncols + f], 2, both);
        results.cols[f] = *col_vec_gather(arena, &all->cols[0], positions, n);
    }
    const col_batch *kept = col_batch_copy(ctx->arena, &results);
    return flow_changes_give(&over->base, ctx, segment, changes, kept->cols, err);
}

// ------------------------------------------------------------------------------------ segments

typedef struct sides {
    over_side old, new;
    over_state state; // before both
} sides;

static base_rc eval_sides(over_op *over, flow_segment *segment, uint32_t origin, sides *s,
                          uint32_t nsnaps, const uint32_t *snaps, base_error *err) {
    base_arena *arena = &over->base.scratch;
    col_batch *rows;
    base_rc rc = flow_segment_batch(segment, arena, 0, segment->n, false, &rows, err);
    for (int after = 0; after < 2 && rc == BASE_OK; after++) {
        over_side *side = after ? &s->new : &s->old;
        over_side_init(side, arena, segment, rows, after != 0, origin);
        if (over->plan.running) side->state = &s->state;
        side->nsnaps = nsnaps;
        side->snap = snaps;
        rc = over_eval(&over->plan, side, arena, err);
    }
    return rc;
}

static base_rc near_segment(over_op *over, flow_ctx *ctx, flow_segment *segment, base_error *err) {
    extent range;
    base_rc rc;
    switch (over->plan.reach.unit) {
    case PLAN_REACH_ROWS:
        rc = draw_rows(over, segment, &range, err);
        break;
    case PLAN_REACH_GROUPS:
        rc = draw_groups(over, segment, &range, err);
        break;
    case PLAN_REACH_VALUES:
        rc = draw_values(over, segment, &range, err);
        break;
    default:
        rc = flow_segment_before(segment, FLOW_ALL_ROWS, err);
        if (rc == BASE_OK) rc = flow_segment_after(segment, FLOW_ALL_ROWS, err);
        range = (extent){0, segment->n - 1};
    }
    sides s = {0};
    flow_changes changes = {0};
    if (rc == BASE_OK) rc = eval_sides(over, segment, 0, &s, 0, NULL, err);
    if (rc == BASE_OK) rc = compare_sides(over, ctx, &s.old, &s.new, range, &changes, err);
    return rc == BASE_OK ? give_rows(over, ctx, segment, &s.old, &s.new, &changes, err) : rc;
}

// The last row of a group of peers, and known to be it.
static bool ends_group(const flow_segment *segment, uint32_t row) {
    if (row + 1 == segment->n) return segment->at_end;
    return !flow_partition_peers(&segment->rows[row], &segment->rows[row + 1]);
}

// Rows after which states are wanted: where marks are due, and the last at which the computation
// may stop (*stop, UINT32_MAX: none).
static uint32_t choose_snaps(const over_op *over, const flow_segment *segment, uint32_t origin,
                             uint32_t *snaps, uint32_t *stop) {
    const plan_reach *reach = &over->plan.reach;
    uint32_t margin = rows_margin(reach), n = 0, last = origin;
    bool marks = flow_segment_wants_marks(segment);
    *stop = UINT32_MAX;
    uint32_t tail = margin + 1; // rows that must follow the row that is stopped at
    for (uint32_t r = segment->n; !segment->at_end && r-- > segment->last_changed + margin;) {
        if (segment->n - 1 - r < tail || !ends_group(segment, r)) continue;
        *stop = r;
        break;
    }
    for (uint32_t r = origin; r < segment->n; r++) {
        bool due = marks && r - last >= flow_segment_mark_every(segment);
        if (r != *stop && !(due && ends_group(segment, r))) continue;
        if (due) last = r;
        snaps[n++] = r;
        if (r == *stop) break;
    }
    return n;
}

static void set_marks(over_op *over, flow_segment *segment, const over_side *side, uint32_t stop) {
    if (!flow_segment_wants_marks(segment)) return;
    for (uint32_t k = 0; k < side->nsnaps && side->snap[k] <= stop; k++) {
        base_buf_clear(&over->buf);
        over_state_encode(&over->plan, &side->snaps[k], &over->buf);
        flow_segment_mark(segment, side->snap[k], base_buf_str(&over->buf));
    }
}

// Draws in what a running computation begins with: the affected rows before the change (lead), all
// back to a mark, and what the first of them is made of (lag). *context: rows of the latter.
static base_rc draw_running(over_op *over, flow_segment *segment, base_str *state,
                            uint32_t *context, base_error *err) {
    const plan_reach *reach = &over->plan.reach;
    base_rc rc = flow_segment_before(segment, reach->affected_before, err);
    if (rc == BASE_OK) rc = flow_segment_to_mark(segment, over->plan.peers, state, err);
    uint32_t had = segment->n;
    for (uint32_t i = 0; i < reach->context_before && rc == BASE_OK; i++)
        rc = flow_segment_grow_front(segment, err);
    *context = segment->n - had;
    return rc;
}

static base_rc running_segment(over_op *over, flow_ctx *ctx, flow_segment *segment,
                               base_error *err) {
    base_arena *arena = &over->base.scratch;
    base_str state = {NULL, 0};
    uint32_t context = 0, stop = UINT32_MAX;
    base_rc rc = draw_running(over, segment, &state, &context, err);
    sides s = {0};
    // A few rows are drawn in at first, to see whether the state is soon what it was.
    for (uint64_t more =
             flow_segment_mark_every(segment) / 4 + 2 * (uint64_t)rows_margin(&over->plan.reach);
         rc == BASE_OK; more *= 4) {
        uint32_t after = more > UINT32_MAX ? FLOW_ALL_ROWS : (uint32_t)more;
        rc = flow_segment_after(segment, after, err);
        if (rc != BASE_OK) return rc;
        uint32_t *snaps = base_arena_alloc(arena, sizeof(uint32_t) * (segment->n + 1u));
        uint32_t nsnaps = choose_snaps(over, segment, context, snaps, &stop);
        rc = over_state_decode(&over->plan, state, arena, &s.state, err);
        if (rc == BASE_OK) rc = eval_sides(over, segment, context, &s, nsnaps, snaps, err);
        if (rc != BASE_OK || segment->at_end) break;
        bool settled = stop != UINT32_MAX && over_state_equal(&over->plan, &s.old.snaps[nsnaps - 1],
                                                              &s.new.snaps[nsnaps - 1]);
        if (settled) break;
    }
    if (rc != BASE_OK) return rc;
    extent range = {context, segment->at_end ? segment->n - 1 : stop};
    set_marks(over, segment, &s.new, range.last);
    flow_changes changes = {0};
    rc = compare_sides(over, ctx, &s.old, &s.new, range, &changes, err);
    return rc == BASE_OK ? give_rows(over, ctx, segment, &s.old, &s.new, &changes, err) : rc;
}

static base_rc over_segment(flow_partition_op *op, flow_ctx *ctx, flow_segment *segment,
                            base_error *err) {
    over_op *over = (over_op *)op;
    return over->plan.running ? running_segment(over, ctx, segment, err)
                              : near_segment(over, ctx, segment, err);
}

static void over_close(flow_partition_op *op) {
    base_buf_deinit(&((over_op *)op)->buf);
}

// ------------------------------------------------------------------------------------ making

// What floats leave behind when they are taken out again depends on the way.
static bool retracts(acc_kind kind) {
    switch (kind) {
    case ACC_FLOAT:
    case ACC_SPREAD_FLOAT:
    case ACC_PAIRS:
    case ACC_EXTREME:
    case ACC_HELD:
        return false;
    default:
        return true;
    }
}

static base_rc init_func(over_op *over, uint32_t i, const plan_over *def, base_error *err) {
    over_func *func = &over->plan.funcs[i];
    func->def = def;
    base_rc rc = plan_frame_check(&def->frame, err);
    if (rc != BASE_OK || def->id != PLAN_OVER_AGGREGATE) return rc;
    bool extreme = def->agg.def->id == PLAN_AGG_MIN || def->agg.def->id == PLAN_AGG_MAX;
    plan_agg agg = def->agg;
    agg.filter = NULL; // rows that it keeps out do not come to the accumulator
    rc = acc_spec_init(&func->spec, &agg, extreme, err);
    func->spec.offset = sizeof(int64_t); // behind the weight
    func->retracts = retracts(func->spec.kind);
    func->block_at = over->plan.blocks_size;
    func->block_size = (uint32_t)sizeof(int64_t) + ((func->spec.size + 7u) & ~7u);
    over->plan.blocks_size += func->block_size;
    return rc;
}

static bool looks_at_peers(const plan_over *over) {
    switch (over->id) {
    case PLAN_OVER_ROW_NUMBER:
    case PLAN_OVER_LAG:
    case PLAN_OVER_LEAD:
        return false;
    case PLAN_OVER_AGGREGATE:
    case PLAN_OVER_FIRST_VALUE:
    case PLAN_OVER_LAST_VALUE:
    case PLAN_OVER_NTH_VALUE:
        return over->frame.mode != PLAN_FRAME_ROWS || over->frame.exclude != PLAN_EXCLUDE_NONE;
    default:
        return true;
    }
}

base_rc flow_over_create(flow_graph *graph, uint32_t view_id, const plan_node *node, flow_op **out,
                         base_error *err) {
    static const flow_partition_class class = {FLOW_PARTITION_LIFE("over"), .segment = over_segment,
                                               .close = over_close};
    over_op *over = base_arena_new(&graph->arena, over_op);
    flow_partition_op_init(&over->base, &class, graph, view_id, node);
    *out = &over->base.op;
    over_plan *plan = &over->plan;
    plan->node = node;
    plan->nfuncs = node->nover;
    plan->funcs = base_arena_array(&graph->arena, over_func, node->nover + 1u);
    base_rc rc = BASE_OK;
    for (uint32_t i = 0; i < node->nover && rc == BASE_OK; i++)
        rc = init_func(over, i, &node->overs[i], err);
    if (rc != BASE_OK) return rc;
    for (uint32_t i = 0; i < node->nover; i++) plan->peers |= looks_at_peers(&node->overs[i]);
    plan->reach = plan_over_reach_all(node->overs, node->nover);
    plan->running = plan->reach.unit == PLAN_REACH_ROWS && plan->reach.forward;
    if (plan->running && !over_state_storable(plan)) {
        plan->reach = (plan_reach){.unit = PLAN_REACH_WHOLE};
        plan->running = false;
    }
    const flow_partition_by by = {.nkeys = node->npartition,
                                  .keys = node->partition,
                                  .norder = node->nsort,
                                  .order = node->sort,
                                  .marks = plan->running};
    return flow_partition_op_open(&over->base, &by, err);
}
