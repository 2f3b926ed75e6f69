// bench_scale.c - `weir bench scale`: how the rate of catching up with the log, and the time of a
// step that takes a few new events in, grow with ten times the keys, the history and the views; and
// what more views of one stream cost. Each figure is of an engine of its own with one view's kind.
// Entry point: bench_scale.

#include <string.h>

#include "base/must.h"
#include "cli/bench.h"

#define STREAM      "bench.events"
#define STEPS       30u
#define STEP_EVENTS 2000u

typedef struct scale_kind {
    const char *name, *sql; // %s: the stream
} scale_kind;

static const scale_kind kinds[] = {
    {"window", "SELECT window_start, store_id, count(*) AS orders, sum(net_amount) AS revenue, "
               "max(net_amount) AS largest FROM TUMBLE(" STREAM
               ", placed_at, INTERVAL '1 minute') GROUP BY window_start, store_id"},
    {"totals", "SELECT store_id, count(*) AS orders, sum(net_amount) AS revenue, "
               "max(net_amount) AS largest FROM " STREAM " GROUP BY store_id"},
    {"latest",
     "SELECT DISTINCT ON (store_id) store_id, order_id, net_amount, placed_at FROM " STREAM
     " ORDER BY store_id, placed_at DESC"},
    {"top3", "SELECT store_id, order_id, net_amount FROM (SELECT store_id, order_id, net_amount, "
             "row_number() OVER (PARTITION BY store_id ORDER BY net_amount DESC, order_id) AS n "
             "FROM " STREAM ") ranked WHERE n <= 3"},
    {"join", "SELECT e.order_id, e.net_amount, s.region FROM " STREAM " e JOIN bench.store s ON "
             "s.store_id = e.store_id"},
};

typedef struct scale_case {
    const char *name;
    uint32_t keys_by, history_by, views;
} scale_case;

static const scale_case cases[] = {
    {"base", 1, 1, 1}, {"10x keys", 10, 1, 1}, {"10x history", 1, 10, 1}, {"10x views", 1, 1, 10}};

typedef struct scale_figures {
    bench_time catch_up;
    double events, step_ms, step_cpu_ms;
    uint64_t memory_bytes, state_bytes;
} scale_figures;

static base_rc fill_stores(bench_engine *b, uint32_t keys, base_error *err) {
    base_rc rc = bench_sql(b,
                           "CREATE TABLE bench.store (store_id INT NOT NULL, region TEXT, PRIMARY "
                           "KEY (store_id))",
                           err);
    base_arena arena;
    base_arena_init(&arena, 1 << 20);
    base_buf text = {0};
    for (uint32_t i = 0; rc == BASE_OK && i < keys;) {
        uint32_t first = i;
        base_buf_clear(&text);
        for (; i < keys && i - first < 10000; i++)
            base_buf_printf(&text, "{\"store_id\":%u,\"region\":\"region %u\"}\n", i, i % 97);
        base_buf_reserve(&text, 64);
        engine_ingest_result result;
        base_arena_reset(&arena);
        rc = engine_ingest(b->engine, BASE_STR("bench.store"), base_buf_str(&text), "bench", &arena,
                           &result, err);
        if (rc == BASE_OK && result.accepted != i - first)
            rc = base_fail(err, BASE_E_INTERNAL, NULL, "rows were refused");
    }
    base_buf_deinit(&text);
    base_arena_deinit(&arena);
    return rc;
}

static base_rc make_views(bench_engine *b, const char *sql, uint32_t from, uint32_t n,
                          base_error *err) {
    base_buf text = {0};
    base_rc rc = BASE_OK;
    for (uint32_t i = from; rc == BASE_OK && i < from + n; i++) {
        base_buf_clear(&text);
        base_buf_printf(&text, "CREATE MATERIALIZED VIEW bench.v%u WITH (refresh = '1 second') AS ",
                        i);
        base_buf_printf(&text, sql, i);
        rc = bench_sql(b, base_buf_cstr(&text), err);
    }
    base_buf_deinit(&text);
    return rc;
}

// Steps of a few new events each, once the views have caught up.
static base_rc measure_steps(bench_engine *b, uint64_t first, scale_figures *out, base_error *err) {
    double wall[STEPS], cpu[STEPS];
    for (uint32_t i = 0; i < STEPS; i++) {
        base_rc rc = bench_fill(b, STREAM, first + i * STEP_EVENTS, STEP_EVENTS, NULL, err);
        bench_time time;
        uint64_t steps;
        if (rc == BASE_OK) rc = bench_steps(b, &time, &steps, err);
        if (rc != BASE_OK) return rc;
        wall[i] = 1e3 * time.wall, cpu[i] = 1e3 * time.cpu;
    }
    out->step_ms = bench_median(wall, STEPS);
    out->step_cpu_ms = bench_median(cpu, STEPS);
    return BASE_OK;
}

static base_rc measure(const bench_options *given, const scale_kind *kind, const scale_case *c,
                       scale_figures *out, base_error *err) {
    bench_options o = *given;
    o.keys *= c->keys_by;
    o.events *= c->history_by;
    memset(out, 0, sizeof *out);
    out->events = (double)o.events;
    bench_engine b;
    base_rc rc = bench_open(&b, &o, err);
    if (rc == BASE_OK) rc = bench_stream(&b, STREAM, false, err);
    if (rc == BASE_OK) rc = fill_stores(&b, o.keys, err);
    if (rc == BASE_OK) rc = make_views(&b, kind->sql, 0, c->views, err);
    if (rc == BASE_OK) rc = bench_fill(&b, STREAM, 0, o.events, NULL, err);
    uint64_t before = rc == BASE_OK ? bench_tree_bytes(b.dir) : 0, steps;
    bench_peak_reset();
    if (rc == BASE_OK) rc = bench_steps(&b, &out->catch_up, &steps, err);
    out->memory_bytes = bench_peak_bytes();
    if (rc == BASE_OK) out->state_bytes = bench_tree_bytes(b.dir) - before;
    if (rc == BASE_OK) rc = measure_steps(&b, o.events, out, err);
    bench_close(&b);
    return rc;
}

static base_rc run_kinds(const bench_options *o, base_error *err) {
    printf(
        "\nscale: one core; base: %s events of %u bytes, %s keys, 1 view. catch-up: the view from\n"
        "nothing to all, in thousands of events/s; step: the median of %u steps of %u new events\n"
        "each after that, committed durably; in brackets: times the base's\n",
        cli_number(o->events), o->event_bytes, cli_number(o->keys), STEPS, STEP_EVENTS);
    printf("%-8s %-12s %9s %8s %9s %8s %9s %8s %9s %9s\n", "", "", "catch-up", "", "step ms", "",
           "cpu ms", "", "memory", "state");
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
        if (!bench_wants(o->queries, kinds[k].name)) continue;
        scale_figures base = {0};
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            scale_figures f;
            base_rc rc = measure(o, &kinds[k], &cases[i], &f, err);
            if (rc != BASE_OK) return rc;
            if (i == 0) base = f;
            double rate = f.events / 1e3 / f.catch_up.wall;
            double base_rate = base.events / 1e3 / base.catch_up.wall;
            printf("%-8s %-12s %9.0f (%5.2f) %9.2f (%5.2f) %9.2f (%5.2f) %9s %9s\n",
                   i == 0 ? kinds[k].name : "", cases[i].name, rate, rate / base_rate, f.step_ms,
                   f.step_ms / base.step_ms, f.step_cpu_ms, f.step_cpu_ms / base.step_cpu_ms,
                   cli_bytes(f.memory_bytes), cli_bytes(f.state_bytes));
            fflush(stdout);
        }
    }
    return BASE_OK;
}

// Views that each pick their own hundredth of the events: what the stream's decoding and the views
// cost apart.
static base_rc run_views(const bench_options *o, base_error *err) {
    static const uint32_t counts[] = {1, 10, 100};
    if (!bench_wants(o->queries, "views")) return BASE_OK;
    printf("\nviews of one stream, each the count and sum of a hundredth of the keys; %s events\n",
           cli_number(o->events));
    double first = 0;
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        bench_engine b;
        base_rc rc = bench_open(&b, o, err);
        if (rc == BASE_OK) rc = bench_stream(&b, STREAM, false, err);
        if (rc == BASE_OK)
            rc = make_views(
                &b,
                "SELECT store_id, count(*) AS orders, sum(net_amount) AS revenue FROM " STREAM
                " WHERE store_id %% 100 = %u GROUP BY store_id",
                0, counts[i], err);
        if (rc == BASE_OK) rc = bench_fill(&b, STREAM, 0, o->events, NULL, err);
        bench_time time = {0, 0};
        uint64_t steps;
        if (rc == BASE_OK) rc = bench_steps(&b, &time, &steps, err);
        bench_close(&b);
        if (rc != BASE_OK) return rc;
        if (i == 0) first = time.cpu;
        printf("  %3u views  %9.0f thousand events/s  cpu %6.2f s (%.2f times one view's)\n",
               counts[i], (double)o->events / 1e3 / time.wall, time.cpu, time.cpu / first);
        fflush(stdout);
    }
    return BASE_OK;
}

base_rc bench_scale(const bench_options *options, base_error *err) {
    base_rc rc = run_kinds(options, err);
    return rc == BASE_OK ? run_views(options, err) : rc;
}
