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
    world_view_plan(w);
}

#define FLOW_SEED_INIT init
#include "flow_seed.h"
