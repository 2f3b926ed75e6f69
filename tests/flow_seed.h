// flow_seed.h - the main program of tests that run random worlds by seed: FLOW_SEED_INIT(w, seed)
// makes the world, FLOW_SEED_CHECK(runner), if it is defined, looks at it after each step.
// Arguments: seed=N, runs=N.
#ifndef FLOW_SEED_PUSHES
#define FLOW_SEED_PUSHES gen_pushes
#endif
#ifndef FLOW_SEED_STEPS
#define FLOW_SEED_STEPS 10
#endif
#ifndef FLOW_SEED_CHECK
#define FLOW_SEED_CHECK check_views
#endif

static bool run_seed(uint64_t seed, bool lmdb) {
    world *w = calloc(1, sizeof *w);
    FLOW_SEED_INIT(w, seed);
    runner r = {.w = w};
    r.batch_rows = below(w, 2) ? 1 : 65536;
    r.cache_bytes = below(w, 2) ? 1 : 1 << 20;
    strcpy(r.dir, "twin");
    if (lmdb) {
        strcpy(r.dir, "/tmp/weir-flow-XXXXXX");
        must(mkdtemp(r.dir) != NULL);
    } else {
        r.memory = state_memory_create();
    }
    base_arena_init(&r.step, 1 << 16);
    bool good = open_graph(&r);
    uint32_t nsteps = 3 + below(w, FLOW_SEED_STEPS);
    push pushes[4];
    for (uint32_t s = 0; s < nsteps && good; s++) {
        uint32_t n = FLOW_SEED_PUSHES(w, pushes, 4);
        while (good && below(w, 5) == 0) {
            good = run_step(&r, pushes, n, 1 + below(w, 3)) == BASE_OK;
        }
        if (good && below(w, 5) == 0) {
            close_graph(&r);
            good = open_graph(&r);
        }
        good = good && run_step(&r, pushes, n, 0) == BASE_OK;
        if (!good) fprintf(stderr, "step %u: %s\n", s, r.err.message);
        good = good && FLOW_SEED_CHECK(&r);
    }
    good = good && check_adhoc(&r);
    if (!good) {
        base_buf text = {0};
        plan_node_print(w->plan, &text);
        fprintf(stderr, "seed %llu%s, batches of %u, cache %llu:\n%s\n", (unsigned long long)seed,
                lmdb ? " (LMDB)" : "", r.batch_rows, (unsigned long long)r.cache_bytes,
                base_buf_cstr(&text));
        base_buf_deinit(&text);
    }
    close_graph(&r);
    for (uint32_t v = 0; v < 2; v++) ref_view_clear(&r.views[v]);
    base_arena_deinit(&r.step);
    base_arena_deinit(&w->arena);
    if (r.memory != NULL) state_memory_destroy(r.memory);
    base_error ignored;
    if (lmdb) (void)!plat_remove_tree(plat_os(), r.dir, &ignored);
    free(w);
    return good;
}

int main(int argc, char **argv) {
    uint64_t seed = 1, runs = 400, failures = 0;
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "seed=", 5) == 0) {
            seed = strtoull(argv[i] + 5, NULL, 10);
            runs = 1;
        }
        if (strncmp(argv[i], "runs=", 5) == 0) runs = strtoull(argv[i] + 5, NULL, 10);
    }
    for (uint64_t i = seed; i < seed + runs && failures < 5; i++) {
        failures += !run_seed(i, false);
        if (i % 10 == 0 || runs == 1) failures += !run_seed(i, true);
    }
    printf("%llu seeds from %llu, %llu failures\n", (unsigned long long)runs,
           (unsigned long long)seed, (unsigned long long)failures);
    return failures == 0 ? 0 : 1;
}
