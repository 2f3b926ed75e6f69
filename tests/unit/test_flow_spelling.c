// test_flow_spelling.c - as test_flow_random.c, with numbers that are equal but written differently
// (1, 1.0, 1.00): rows are told apart, groups show the least spelling of the rows that are there.
#define FLOW_SPELLED 1
#include "flow_world.h"

#define FLOW_SEED_INIT world_init
#include "flow_seed.h"
