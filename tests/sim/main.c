// main.c - weir_sim: runs seeds. A run: things are made in good weather; then some hundred actions
// in changing weather; then the weather clears, clients send again what was not acknowledged, and
// everything must add up; and once more with flows that begin at the beginning of the log.
#include "sim.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void tick(world *w) {
    bool progressed, force = chance(w, 40);
    base_error err = {0};
    base_rc rc = engine_tick(w->engine, force, &progressed, &err);
    w->steps += progressed;
    world_trace(w, "tick%s: %s", force ? " of all" : "", progressed ? "steps" : "nothing");
    if (rc != BASE_OK)
        world_after_failure(w, "tick", &err);
    else
        w->refusals = 0;
}

static void flush(world *w) {
    base_error err = {0};
    base_rc rc = engine_flush(w->engine, 0, NULL, &err);
    world_trace(w, "flush");
    if (rc != BASE_OK) {
        world_after_failure(w, "flush", &err);
        return;
    }
    w->refusals = 0;
    if (w->calm && chance(w, 30)) check_views(w, "after a flush");
}

static void query(world *w) {
    if (w->nviews == 0) return;
    uint32_t i = (uint32_t)pick(w, w->nviews);
    sim_view *view = &w->views[i];
    if (view->state != VIEW_PRESENT) return;
    if (chance(w, 60)) {
        world_trace(w, "changes of %s", view->name);
        check_follow(w, view, false);
        return;
    }
    char sql[100];
    snprintf(sql, sizeof sql, "SELECT count(*) FROM %s", world_object(w, view));
    engine_result result;
    base_error err = {0};
    if (world_sql(w, sql, &result, &err) != BASE_OK)
        world_after_failure(w, "query", &err);
    else
        world_trace(w, "%s: %lld", sql, (long long)col_i64(&result.rows->cols[0])[0]);
}

static void clocks(world *w) {
    if (chance(w, 85)) {
        int64_t us = (int64_t)pick(w, chance(w, 20) ? 40000000 : 2000000);
        plat_sim_advance_us(w->disk, us);
        world_trace(w, "%lld us later", (long long)us);
    } else {
        int64_t us = (int64_t)pick(w, 7200000000) - 3600000000;
        plat_sim_jump_wall_us(w->disk, us);
        world_trace(w, "the wall clock jumps by %lld us", (long long)us);
    }
}

static void deliver_to_sinks(world *w) {
    bool progressed;
    base_error err = {0};
    base_rc rc = connect_pump(w->hub, &progressed, &err);
    world_trace(w, "sinks: %s", progressed ? "delivered" : "nothing");
    if (rc != BASE_OK) world_after_failure(w, "sinks", &err);
}

static void act(world *w) {
    w->actions++;
    base_arena_reset(&w->arena);
    // Some seeds have much bad weather, some much DDL, some both; the rest is as the dice fall.
    bool wild = w->seed % 5 == 4 || w->seed % 25 == 1, busy = w->seed % 5 == 1;
    if (wild && chance(w, 15)) world_storm(w);
    if (busy && chance(w, 8)) schema_change(w);
    uint64_t what = pick(w, 100);
    if (what < 25)
        client_new_request(w);
    else if (what < 50)
        client_deliver(w);
    else if (what < 68)
        tick(w);
    else if (what < 76)
        clocks(w);
    else if (what < 80)
        flush(w);
    else if (what < 86)
        query(w);
    else if (what < 90)
        deliver_to_sinks(w);
    else if (what < 92)
        schema_change(w);
    else if (what < 98 || chance(w, 30))
        world_storm(w);
    else
        world_crash(w);
    if (w->dying && plat_sim_is_dead(w->disk)) world_crash(w);
    if (!w->calm && (w->stormy == 0 || --w->stormy == 0)) world_calm(w);
}

static void settle(world *w, const char *when) {
    base_error err = {0};
    base_arena_reset(&w->arena);
    if (engine_flush(w->engine, 0, NULL, &err) != BASE_OK)
        world_fail(w, "%s: %s", when, err.message);
    check_views(w, when);
}

static void end(world *w) {
    world_trace(w, "the end");
    world_calm(w);
    settle(w, "after the storm"); // without a restart
    if (chance(w, 50)) {
        world_close(w);
        world_open(w);
    } else {
        world_crash(w);
    }
    client_retry_all(w);
    settle(w, "at the end");
    check_log(w);
    check_counts(w);
    check_standing(w);
    for (uint32_t i = 0; i < w->nviews; i++)
        if (w->views[i].state == VIEW_PRESENT) check_follow(w, &w->views[i], true);
    check_sinks(w);
    world_close(w);
    world_forget_flows(w);
    world_open(w);
    settle(w, "from the beginning of the log");
}

typedef struct outcome {
    bool ok;
    uint64_t digest;
    uint32_t crashes, failures, checks, actions;
} outcome;

static volatile sig_atomic_t running_low, running_high;

// A broken invariant aborts: say of which seed.
static void on_abort(int signal_number) {
    char text[64];
    int n = snprintf(text, sizeof text, "seed %llu: aborted\n",
                     (unsigned long long)running_high << 31 | (unsigned long long)running_low);
    fflush(stdout);
    if (write(STDERR_FILENO, text, (size_t)n) < 0) return;
    signal(signal_number, SIG_DFL);
}

static outcome run(uint64_t seed, bool verbose) {
    static world w; // not on the stack: it lives over longjmp
    running_low = (sig_atomic_t)(seed & 0x7fffffff);
    running_high = (sig_atomic_t)(seed >> 31);
    world_init(&w, seed, verbose);
    outcome out = {0};
    if (setjmp(w.failed) == 0) {
        schema_choose(&w);
        world_open(&w);
        schema_create(&w);
        uint64_t n = 30 + pick(&w, 220);
        for (uint64_t i = 0; i < n; i++) act(&w);
        end(&w);
        world_deinit(&w);
        out.ok = true;
    } // else what was open stays: the state is for the debugger
    out.digest = w.digest;
    out.crashes = w.crashes;
    out.failures = w.failures;
    out.checks = w.checks;
    out.actions = w.actions;
    return out;
}

static int usage(void) {
    puts("weir_sim [--from S] [--seeds N] [--seed X] [--file seeds.txt] [--twice] [--verbose]\n"
         "Runs the whole engine in simulation, one seed a run.\n"
         "  --seed X     one seed; with --verbose every action is shown\n"
         "  --from S     the first of --seeds N seeds (1, 200)\n"
         "  --file F     the seeds of a file first, one a line\n"
         "  --twice      each seed is run twice and must do the very same");
    return 2;
}

typedef struct totals {
    uint64_t runs, failed, crashes, failures, checks, actions;
} totals;

static void run_counted(uint64_t seed, bool verbose, bool twice, totals *t) {
    outcome o = run(seed, verbose);
    t->runs++;
    t->crashes += o.crashes;
    t->failures += o.failures;
    t->checks += o.checks;
    t->actions += o.actions;
    if (o.ok && twice) {
        outcome again = run(seed, false);
        if (again.digest != o.digest || !again.ok) {
            fprintf(stderr, "seed %llu does not do the same twice\n", (unsigned long long)seed);
            o.ok = false;
        }
    }
    if (!o.ok) t->failed++;
}

int main(int argc, char **argv) {
    uint64_t from = 1, seeds = 200;
    bool verbose = false, twice = false;
    const char *file = NULL;
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (strcmp(argv[i], "--verbose") == 0)
            verbose = true;
        else if (strcmp(argv[i], "--twice") == 0)
            twice = true;
        else if (value == NULL)
            return usage();
        else if (strcmp(argv[i], "--from") == 0)
            from = strtoull(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--seeds") == 0)
            seeds = strtoull(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--file") == 0)
            file = argv[++i];
        else if (strcmp(argv[i], "--seed") == 0)
            from = strtoull(argv[++i], NULL, 10), seeds = 1;
        else
            return usage();
    }
    signal(SIGABRT, on_abort);
    signal(SIGSEGV, on_abort);
    totals t = {0};
    clock_t began = clock();
    if (file != NULL) {
        FILE *in = fopen(file, "r");
        if (in == NULL) {
            perror(file);
            return 2;
        }
        char line[100];
        while (fgets(line, sizeof line, in) != NULL)
            if (line[0] >= '0' && line[0] <= '9')
                run_counted(strtoull(line, NULL, 10), verbose, twice, &t);
        fclose(in);
    }
    for (uint64_t seed = from; seed < from + seeds && t.failed < 20; seed++)
        run_counted(seed, verbose, twice, &t);
    double seconds = (double)(clock() - began) / CLOCKS_PER_SEC;
    printf("%llu seeds, %llu failed: %llu actions, %llu crashes, %llu failures met, %llu times all "
           "views compared; %.1f s, %.0f seeds/s\n",
           (unsigned long long)t.runs, (unsigned long long)t.failed, (unsigned long long)t.actions,
           (unsigned long long)t.crashes, (unsigned long long)t.failures,
           (unsigned long long)t.checks, seconds, (double)t.runs / seconds);
    return t.failed == 0 && t.runs > 0 ? 0 : 1;
}
