// test_flow_fault.c - random plans over a store whose n-th operation fails, for every n until a run
// sees no fault: the step that fails is rolled back (or, if the commit failed after its data was in
// place, found to be done), done again, and from then on the views are what they should be.
#include "flow_world.h"

typedef struct fault_plan {
    uint64_t calls, at;
    bool fired;
} fault_plan;

static base_rc fail_nth(void *arg, const char *op, base_error *err) {
    fault_plan *plan = arg;
    if (plan->fired || ++plan->calls != plan->at) return BASE_OK;
    plan->fired = true;
    return base_fail(err, BASE_E_IO, NULL, "fault %llu in %s", (unsigned long long)plan->at, op);
}

enum { STEPS = 4 };

// *fired: the n-th operation was reached.
static bool run_with_fault(uint64_t seed, uint64_t at, bool *fired) {
    world *w = calloc(1, sizeof *w);
    world_init(w, seed);
    runner r = {.w = w, .dir = "twin", .memory = state_memory_create()};
    r.batch_rows = below(w, 2) ? 1 : 65536;
    r.cache_bytes = below(w, 2) ? 1 : 1 << 20;
    base_arena_init(&r.step, 1 << 16);
    bool good = open_graph(&r);
    fault_plan plan = {.at = at};
    push pushes[4];
    for (uint32_t s = 0; s < STEPS && good; s++) {
        uint32_t n = gen_pushes(w, pushes, 4);
        uint64_t before = r.nsteps;
        if (!plan.fired) state_memory_set_fault(r.memory, fail_nth, &plan);
        base_rc rc = run_step(&r, pushes, n, 0);
        state_memory_set_fault(r.memory, NULL, NULL);
        if (rc != BASE_OK) {
            good = plan.fired && r.err.code == BASE_E_IO && r.nsteps == before;
            if (below(w, 2)) { // a restart, or just the next try
                close_graph(&r);
                good = good && open_graph(&r);
            }
            good = good && run_step(&r, pushes, n, 0) == BASE_OK;
        }
        good = good && r.nsteps == before + 1 && check_views(&r);
    }
    if (!good) {
        fprintf(stderr, "seed %llu, fault %llu: %s\n", (unsigned long long)seed,
                (unsigned long long)at, r.err.message);
    }
    *fired = plan.fired;
    close_graph(&r);
    for (uint32_t v = 0; v < 2; v++) ref_view_clear(&r.views[v]);
    base_arena_deinit(&r.step);
    base_arena_deinit(&w->arena);
    state_memory_destroy(r.memory);
    free(w);
    return good;
}

int main(int argc, char **argv) {
    uint64_t first = 1, seeds = 60, runs = 0, failures = 0, faults = 0;
    if (argc > 1 && strncmp(argv[1], "seed=", 5) == 0) {
        first = strtoull(argv[1] + 5, NULL, 10);
        seeds = 1;
    }
    for (uint64_t seed = first; seed < first + seeds && failures < 5; seed++) {
        bool fired = true;
        for (uint64_t at = 1; fired && failures < 5; at++, runs++) {
            failures += !run_with_fault(seed, at, &fired);
            faults += fired;
        }
    }
    printf("%llu runs, %llu faults, %llu failures\n", (unsigned long long)runs,
           (unsigned long long)faults, (unsigned long long)failures);
    return failures == 0 && faults > 0 ? 0 : 1;
}
