// test_flow_release.c - joins that let go of state by event time, over random rows that are not
// below their stream's frontier as it was: after each step the running view must equal the
// reference over all rows. Interval joins, with bounds on one side or both, and joins of windows of
// all kinds, inner, outer and semi; with batches of one row and large ones, aborted steps and
// restarts. And that state is let go. A failure prints the seed: test_flow_release seed=N runs that
// one alone; runs=N runs more.
#include "flow_world.h"

#include "plan/release.h"

#define SECOND 1000000ll

static int64_t frontiers[NINPUTS], next_frontiers[NINPUTS];
static uint64_t kept_max; // rows of joins' state after a step
static uint64_t steps_done;

static const plan_expr *seconds(world *w, int64_t n) {
    col_vec *one = base_arena_new(&w->arena, col_vec);
    col_vec_init(one, &w->arena, col_type_of(COL_INTERVAL), 1);
    col_interval(one)[0] = (base_interval){.us = n * SECOND};
    return plan_expr_const(&w->arena, one);
}

// Key, time, and more columns, of a stream.
static const plan_node *timed_scan(world *w) {
    base_arena *a = &w->arena;
    uint32_t *indexes = base_arena_array(a, uint32_t, NCOLS);
    for (uint32_t c = 0; c < NCOLS; c++) indexes[c] = c;
    const plan_node *scan = m_scan(a, &w->next_id, &w->objects[below(w, NINPUTS)], NCOLS, indexes);
    static const uint32_t order[4] = {1, 4, 0, 2};
    const plan_expr **exprs = base_arena_array(a, const plan_expr *, 4);
    for (uint32_t c = 0; c < 4; c++) exprs[c] = m_column(a, scan, order[c]);
    if (below(w, 4) == 0) exprs[1] = m_call2(a, "-", exprs[1], seconds(w, below(w, 30)));
    return m_project(a, &w->next_id, scan, 4, exprs);
}

static void role(const plan_node *node, uint32_t c, plan_time_role time_role,
                 const plan_window *window) {
    plan_column *column = (plan_column *)(uintptr_t)&node->columns[c];
    column->time_role = time_role;
    column->window = window;
}

// Counts by key and window, or by window: (key, time, count) or (time, count, ...).
static const plan_node *windowed(world *w, plan_window_form form, int64_t size, bool end) {
    base_arena *a = &w->arena;
    plan_window window = {.form = form, .size.n = size * SECOND, .step.n = size * SECOND};
    if (form == PLAN_WINDOW_HOP) window.step.n /= 2;
    if (form == PLAN_WINDOW_CUMULATE) window.step.n /= 5;
    const plan_node *scan = timed_scan(w);
    const plan_node *node = m_window(a, &w->next_id, scan, 1, window);
    role(node, 4, PLAN_TIME_WINDOW_START, node->window);
    role(node, 5, PLAN_TIME_WINDOW_END, node->window);
    const plan_expr **exprs = base_arena_array(a, const plan_expr *, 2);
    exprs[0] = m_column(a, node, 0);
    exprs[1] = m_column(a, node, end ? 5 : 4);
    if (below(w, 3) == 0) return m_project(a, &w->next_id, node, 2, exprs);
    plan_agg *aggs = base_arena_array(a, plan_agg, 1);
    must(m_agg_make("count", NULL, &aggs[0]));
    return m_aggregate(a, &w->next_id, node, 2, exprs, 1, aggs);
}

static const plan_node *interval_join(world *w) {
    base_arena *a = &w->arena;
    const plan_node *left = timed_scan(w), *right = timed_scan(w);
    uint32_t *keys = base_arena_array(a, uint32_t, 1);
    plan_node *join =
        m_join(a, &w->next_id, PLAN_JOIN_INNER, left, right, below(w, 10) != 0, keys, keys, NULL);
    const plan_expr *l = m_column(a, join, 1), *r = m_column(a, join, left->ncolumns + 1);
    const plan_expr *least = m_call2(a, "-", l, seconds(w, below(w, 60)));
    const plan_expr *most = m_call2(a, "+", l, seconds(w, below(w, 60)));
    const plan_expr **both = base_arena_array(a, const plan_expr *, 2);
    uint32_t n = 0;
    if (below(w, 4) != 0) both[n++] = m_call2(a, below(w, 2) ? ">=" : ">", r, least);
    if (below(w, 4) != 0 || n == 0) both[n++] = m_call2(a, below(w, 2) ? "<=" : "<", r, most);
    join->predicate = n == 1 ? both[0] : m_node(a, PLAN_EXPR_AND, both[0]->type, 2, both);
    return join;
}

static const plan_node *window_join(world *w) {
    base_arena *a = &w->arena;
    plan_window_form form = (plan_window_form)below(w, 3);
    int64_t size = 10 * (1 + below(w, 5));
    bool end = below(w, 2) != 0;
    const plan_node *left = windowed(w, form, size, end), *right = windowed(w, form, size, end);
    uint32_t *keys = base_arena_array(a, uint32_t, 2);
    keys[0] = 1;
    return m_join(a, &w->next_id, (plan_join_kind)below(w, PLAN_JOIN_MARK + 1), left, right,
                  1 + below(w, 2), keys, keys, NULL);
}

static void init(world *w, uint64_t seed) {
    world_init(w, seed);
    static const plan_expr any = {.kind = PLAN_EXPR_CONST};
    for (uint32_t i = 0; i < NINPUTS; i++) {
        w->objects[i].kind = PLAN_OBJECT_STREAM;
        w->objects[i].event_time = 4;
        w->objects[i].watermark = &any;
        w->objects[i].limits_lateness = true;
        frontiers[i] = next_frontiers[i] = INT64_MIN;
    }
    const plan_node *join = below(w, 2) ? interval_join(w) : window_join(w);
    plan_release release;
    must(plan_join_release(join, 0, &release) || plan_join_release(join, 1, &release));
    w->plan = (plan_node *)(uintptr_t)join;
    world_view_plan(w);
}

// Rows at or above the frontiers that the steps before have reached; then the frontiers move on.
static uint32_t gen_timed_pushes(world *w, push *pushes, uint32_t most) {
    uint32_t count = below(w, most + 1);
    for (uint32_t i = 0; i < NINPUTS; i++) frontiers[i] = next_frontiers[i];
    for (uint32_t p = 0; p < count; p++) {
        uint32_t input = below(w, NINPUTS), n = 1 + below(w, 5);
        int64_t from = frontiers[input] == INT64_MIN ? 0 : frontiers[input];
        pushes[p] = (push){input, n, base_arena_array(&w->arena, ref_cell *, n),
                           base_arena_array(&w->arena, int64_t, n)};
        for (uint32_t i = 0; i < n; i++) {
            ref_cell *cells = base_arena_array(&w->arena, ref_cell, NCOLS);
            for (uint32_t c = 0; c < NCOLS; c++) cells[c] = gen_cell(w, c);
            cells[4].null = below(w, 20) == 0;
            cells[4].i = from + below(w, below(w, 4) == 0 ? 1 : 50) * SECOND;
            pushes[p].rows[i] = cells;
            pushes[p].weights[i] = 1;
            ref_add(&w->arena, &w->inputs[input], cells);
        }
    }
    for (uint32_t i = 0; i < NINPUTS; i++) {
        if (below(w, 3) == 0) continue;
        int64_t from = frontiers[i] == INT64_MIN ? 0 : frontiers[i];
        next_frontiers[i] = from + below(w, 40) * SECOND;
    }
    steps_done++;
    return count;
}

static void note_state(void *arg, uint32_t view_id, uint32_t node_id, const char *op,
                       const flow_op_stats *stats) {
    (void)view_id, (void)node_id;
    if (strcmp(op, "join") == 0) *(uint64_t *)arg += stats->state_rows;
}

static void set_frontiers(runner *r) {
    const flow_input *inputs;
    size_t n = flow_graph_inputs(r->graph, &inputs);
    for (size_t i = 0; i < n; i++)
        flow_graph_set_frontier(r->graph, i, next_frontiers[inputs[i].object->id - 1]);
    uint64_t kept = 0;
    flow_graph_stats(r->graph, note_state, &kept);
    if (kept > kept_max) kept_max = kept;
}

static void init_all(world *w, uint64_t seed) {
    world_before_flush = set_frontiers;
    init(w, seed);
}

#define FLOW_SEED_INIT   init_all
#define FLOW_SEED_PUSHES gen_timed_pushes
#define FLOW_SEED_STEPS  24
#include "flow_seed.h"
