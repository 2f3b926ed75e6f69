// test_flow_asof.c - as-of joins over random signed deltas: after each step the running view must
// equal the reference (ref_asof of tests/flow_model.h), for every comparison, inner and left, with
// equal times, batches of one row and large ones, aborted steps and restarts. A failure prints the
// seed: test_flow_asof seed=N runs that one alone; runs=N runs more.
#include "flow_world.h"

// The world's plan is an as-of join of what there is; the second view shows the first's rows.
static void init(world *w, uint64_t seed) {
    world_init(w, seed);
    const plan_node *left = gen_scan(w), *right = gen_scan(w);
    if (below(w, 4) == 0) left = gen_aggregate(w, left);
    if (below(w, 4) == 0) right = gen_aggregate(w, right);
    const plan_node *join = gen_asof(w, left, right);
    if (below(w, 4) == 0) join = gen_asof(w, join, gen_scan(w));
    w->plan = (plan_node *)(uintptr_t)join;
    w->view.ncolumns = w->plan->ncolumns;
    w->view.columns = w->plan->columns;
    w->view.plan = w->plan;
    uint32_t *all = base_arena_array(&w->arena, uint32_t, w->plan->ncolumns);
    for (uint32_t c = 0; c < w->plan->ncolumns; c++) all[c] = c;
    w->second_plan = m_scan(&w->arena, &w->next_id, &w->view, w->plan->ncolumns, all);
    w->second.plan = w->second_plan;
    w->second.ncolumns = w->plan->ncolumns;
    w->second.columns = w->plan->columns;
}

#define FLOW_SEED_INIT init
#include "flow_seed.h"
