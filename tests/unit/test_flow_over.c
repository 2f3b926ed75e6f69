// test_flow_over.c - window functions over random signed deltas: after each step the running view
// must equal the reference (tests/flow_model_over.h), for every function and frame, with batches of
// one row and large ones, tiny and ample caches, aborted steps and restarts. A failure prints the
// seed: test_flow_over seed=N runs that one alone; runs=N runs more.
#include "flow_world.h"

// The world's plan is windows over what there is; the second view shows the first's rows.
static void init(world *w, uint64_t seed) {
    world_init(w, seed);
    const plan_node *input = gen_scan(w);
    if (below(w, 4) == 0) input = gen_project(w, input);
    if (below(w, 4) == 0) input = gen_over(w, input, false);
    w->plan = (plan_node *)(uintptr_t)(below(w, 3) ? gen_over(w, input, true) : gen_top(w, input));
    world_view_plan(w);
}

#define FLOW_SEED_INIT init
#include "flow_seed.h"
