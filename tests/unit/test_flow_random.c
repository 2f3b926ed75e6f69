// test_flow_random.c - random plans over random signed deltas: after each step the running view
// (the sum of the deltas) must equal what the reference (tests/flow_model.h) computes from the
// whole input. Run with batches of one row and large ones, tiny and ample caches, the twin and
// LMDB, with the graph and store closed and opened between steps, and with steps that are aborted
// and done again. A failure prints the seed: test_flow_random seed=N runs that one alone; runs=N
// runs more.
#include "flow_world.h"

#define FLOW_SEED_INIT world_init
#include "flow_seed.h"
