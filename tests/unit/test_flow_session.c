// test_flow_session.c - aggregates by session over random signed deltas, mostly of an input that
// only grows, where sessions are moved as they grow and meet (session_grow.c, agg_move.c): after
// each step the running view must equal the reference, with batches of one row and large ones, tiny
// and ample caches, aborted steps and restarts. A failure prints the seed: test_flow_session seed=N
// runs that one alone; runs=N runs more.
#include "flow_world.h"

enum { TIME_COLUMN = 4 };

static const plan_node *sessions(world *w) {
    base_arena *a = &w->arena;
    uint32_t *indexes = base_arena_array(a, uint32_t, NCOLS);
    for (uint32_t c = 0; c < NCOLS; c++) indexes[c] = c;
    uint32_t which = below(w, 4) == 0 ? below(w, NINPUTS) : NINPUTS - 1; // the stream is the last
    const plan_node *input = m_scan(a, &w->next_id, &w->objects[which], NCOLS, indexes);
    uint32_t *partition = base_arena_array(a, uint32_t, 2);
    plan_window window = {.form = PLAN_WINDOW_SESSION, .partition = partition};
    window.npartition = below(w, 3);
    for (uint32_t k = 0; k < 2; k++) partition[k] = below(w, TIME_COLUMN);
    window.step.n = window.size.n = 1000000ll * (1 + below(w, 20));
    return m_window(a, &w->next_id, input, TIME_COLUMN, window);
}

// By the partition and some of the window; now and then by something else, or by less.
static const plan_node *by_session(world *w, const plan_node *input, const plan_window *window) {
    static const char *const names[] = {"count", "sum", "avg", "min", "max", "bool_and"};
    base_arena *a = &w->arena;
    const plan_expr **keys = base_arena_array(a, const plan_expr *, 8);
    uint32_t n = 0;
    bool skips = below(w, 10) == 0;
    for (uint32_t k = 0; k < window->npartition; k++)
        if (!skips || k > 0) keys[n++] = m_column(a, input, window->partition[k]);
    uint32_t some = 1 + below(w, 7);
    for (uint32_t c = 0; c < PLAN_WINDOW_COLUMNS; c++)
        if ((some & 1u << c) != 0) keys[n++] = m_column(a, input, NCOLS + c);
    if (below(w, 10) == 0) keys[n++] = m_column(a, input, below(w, input->ncolumns));
    uint32_t naggs = 0, wanted = 1 + below(w, 3);
    plan_agg *aggs = base_arena_array(a, plan_agg, wanted);
    while (naggs < wanted) {
        uint32_t name = below(w, 6), most = below(w, 10) == 0 ? input->ncolumns : NCOLS;
        const plan_expr *arg = m_column(a, input, below(w, most));
        if (name == 2 && arg->type.kind == COL_NUMERIC && arg->type.precision == 0) continue;
        if (!m_agg_make(names[name], below(w, 6) ? arg : NULL, &aggs[naggs])) continue;
        if (below(w, 20) == 0) aggs[naggs].distinct = aggs[naggs].arg != NULL;
        if (below(w, 4) == 0) aggs[naggs].filter = m_column(a, input, NCOLS - 1);
        naggs++;
    }
    return m_aggregate(a, &w->next_id, input, n, keys, naggs, aggs);
}

static void init(world *w, uint64_t seed) {
    world_init(w, seed);
    const plan_node *input = sessions(w);
    const plan_window *window = input->window;
    if (below(w, 3) == 0)
        input = m_filter(&w->arena, &w->next_id, input, gen_bool(w, input->inputs[0], 1));
    if (below(w, 3) == 0) {
        const plan_expr **all = base_arena_array(&w->arena, const plan_expr *, input->ncolumns);
        for (uint32_t c = 0; c < input->ncolumns; c++) all[c] = m_column(&w->arena, input, c);
        input = m_project(&w->arena, &w->next_id, input, input->ncolumns, all);
    }
    w->plan = (plan_node *)(uintptr_t)by_session(w, input, window);
    world_view_plan(w);
}

#define FLOW_SEED_INIT init
#include "flow_seed.h"
