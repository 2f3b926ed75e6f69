// join.c - joins of every kind: equal keys (null-safe where the plan says so) and a residual
// condition.
//
// Delta rule: d(A >< B) = dA >< B + (A + dA) >< dB, worked out at flush from the step's summed
// deltas, in that order: dA meets B as it was, then is added to A; dB meets the new A, then is
// added to B. Kinds that give more than pairs count, for each row r of a side, m(r): the summed
// weight of the rows of the other side that match it (keys and residual). What stands in the output
// for r itself is a function of m(r), times r's weight: outer and anti joins give r while m is 0,
// semi joins while it is not, mark joins always, with the mark. So a delta gives it for r's change
// of weight, and where the other side's delta takes m over the edge it goes or comes for all of r's
// weight. With a mark that can be null, rows for which it is are counted apart.
// Null keys match nothing, unless null-safe: such rows are dropped, or stand by themselves at once.
//
// State, with a store: where m depends on more than equal keys, "v<view>.<node>.left" and ".right":
// join key ++ hash of the row -> weight, m (and the null marks), row (join_store.c). Else spines of
// the sides' rows under the same names and, where m matters, of their summed weights a key,
// ".ltotal" and ".rtotal" (join_spine.c). nequi 0: every row has the same, empty key.
// Entry point: flow_join_create.
#include "flow/join_int.h"

static base_rc join_push(flow_op *op, flow_ctx *ctx, uint32_t port, const col_batch *batch,
                         flow_out *out, base_error *err) {
    (void)out;
    join_op *join = (join_op *)op;
    must(port < 2);
    op->stats.rows_in += batch->nrows;
    flow_pile_add(&join->sides[port].pile, ctx->arena, batch);
    return flow_poll(op->graph, ctx, err);
}

bool join_null_key(const join_op *join, const join_side *side, const col_batch *batch,
                   uint32_t row) {
    for (uint32_t k = 0; k < join->nkeys; k++) {
        if (join->null_safe != NULL && join->null_safe[k]) continue;
        if (col_is_null(&batch->cols[side->keys[k]], row)) return true;
    }
    return false;
}

static base_rc join_flush(flow_op *op, flow_ctx *ctx, flow_out *out, base_error *err) {
    join_op *join = (join_op *)op;
    if (join->sides[0].pile.n == 0 && join->sides[1].pile.n == 0)
        return join->by_spine && !flow_stands_still(op) ? join_spine_idle(join, ctx, err) : BASE_OK;
    base_rc rc = op->graph->store == NULL ? join_memory(join, ctx, out, err)
                 : join->by_spine         ? join_spine(join, ctx, out, err)
                                          : join_store(join, ctx, out, err);
    join->sides[0].pile = join->sides[1].pile = (flow_pile){0};
    return rc;
}

static base_rc join_save(flow_op *op, flow_ctx *ctx, base_error *err) {
    (void)op, (void)ctx, (void)err; // written at flush
    return BASE_OK;
}

static void join_reset(flow_op *op) {
    join_op *join = (join_op *)op;
    for (uint32_t s = 0; s < 2; s++) {
        join->sides[s].pile = (flow_pile){0};
        join->sides[s].bound_us = INT64_MIN;
        flow_spine_reset(&join->sides[s].rows);
        flow_spine_reset(&join->sides[s].totals);
    }
}

static base_rc join_verify(flow_op *op, flow_ctx *ctx, base_error *err) {
    join_op *join = (join_op *)op;
    base_rc rc = BASE_OK;
    for (uint32_t s = 0; s < 2 && rc == BASE_OK && join->by_spine; s++) {
        join_side *side = &join->sides[s];
        if (side->has_rows) rc = flow_spine_verify(&side->rows, ctx, err);
        if (rc == BASE_OK && side->has_totals) rc = flow_spine_verify(&side->totals, ctx, err);
    }
    return rc;
}

static void join_stats(flow_op *op, flow_op_stats *stats) {
    join_op *join = (join_op *)op;
    *stats = op->stats;
    for (uint32_t s = 0; s < 2; s++) stats->state_rows += flow_spine_count(&join->sides[s].rows);
}

static void join_close(flow_op *op) {
    join_op *join = (join_op *)op;
    for (uint32_t s = 0; s < 2; s++) {
        flow_spine_deinit(&join->sides[s].rows);
        flow_spine_deinit(&join->sides[s].totals);
    }
}

static base_rc check_keys(const join_op *join, base_error *err) {
    const plan_node *node = join->op.node;
    for (uint32_t k = 0; k < join->nkeys; k++) {
        col_kind a = join->sides[0].types[node->left_keys[k]].kind;
        col_kind b = join->sides[1].types[node->right_keys[k]].kind;
        if (a != b && !(col_kind_is_string(a) && col_kind_is_string(b))) {
            return base_fail(err, BASE_E_INTERNAL, NULL, "join keys of types %s and %s",
                             col_kind_name(a), col_kind_name(b));
        }
    }
    return BASE_OK;
}

static void join_describe(const flow_op *op, base_buf *buf) {
    const join_op *join = (const join_op *)op;
    if (!join->by_spine) {
        base_buf_printf(buf, "rows, %u bytes before each", join->head);
        return;
    }
    for (uint32_t s = 0; s < 2; s++) {
        const join_side *side = &join->sides[s];
        base_buf_printf(buf, "%s%s%s%s", s == 0 ? "spines" : ";", side->has_rows ? " rows" : "",
                        side->has_rows && side->rows.cancels ? " that cancel" : "",
                        side->has_totals ? " totals" : "");
    }
    if (join->settling >= 0) base_buf_printf(buf, "; side %d settles", join->settling);
}

base_rc flow_join_create(flow_graph *graph, uint32_t view_id, const plan_node *node, flow_op **out,
                         base_error *err) {
    static const flow_op_class class = {.name = "join",
                                        .layout = 1,
                                        .describe = join_describe,
                                        .push = join_push,
                                        .flush = join_flush,
                                        .save = join_save,
                                        .reset = join_reset,
                                        .verify = join_verify,
                                        .stats = join_stats,
                                        .close = join_close};
    static const char *const tables[2] = {"left", "right"};
    base_arena *arena = &graph->arena;
    join_op *join = base_arena_new(arena, join_op);
    FLOW_OP_INIT(&join->op, &class, graph, view_id, node);
    join->nkeys = node->nequi;
    join->null_safe = node->null_safe;
    join->kind = node->join;
    join->gives_pairs = node->join <= PLAN_JOIN_FULL;
    join->tests_pairs = node->predicate != NULL || node->mark != NULL;
    join->head = node->mark != NULL ? 24 : 16;
    join->sides[0].counted = node->join != PLAN_JOIN_INNER && node->join != PLAN_JOIN_RIGHT;
    join->sides[1].counted = node->join == PLAN_JOIN_RIGHT || node->join == PLAN_JOIN_FULL;
    for (uint32_t i = 0; i < 2; i++) {
        join_side *side = &join->sides[i];
        side->node = node->inputs[i];
        side->ncolumns = side->node->ncolumns;
        side->types = flow_types(arena, side->node);
        side->keys = i == 0 ? node->left_keys : node->right_keys;
        side->columns = base_arena_array(arena, uint32_t, side->ncolumns + 1u);
        for (uint32_t c = 0; c < side->ncolumns; c++) side->columns[c] = c;
    }
    *out = &join->op;
    bool counted = join->sides[0].counted || join->sides[1].counted;
    join->by_spine = graph->store != NULL && !(counted && join->tests_pairs);
    for (uint32_t i = 0; i < 2; i++) join->sides[i].rows.op = join->sides[i].totals.op = &join->op;
    base_rc rc = check_keys(join, err);
    if (rc == BASE_OK && join->by_spine) return join_spine_open(join, err);
    for (uint32_t i = 0; i < 2 && rc == BASE_OK && graph->store != NULL; i++) {
        rc =
            flow_table_open(graph, false, view_id, node->id, tables[i], &join->sides[i].table, err);
    }
    return rc;
}
