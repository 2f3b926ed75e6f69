// bench_ledger.c - `weir bench ledger`: what the revision ledger costs where much of it is written.
// Half of the events come in their order; then the same half comes again, by then too late for
// every window, so that each step corrects rows that were final. With the ledger and without it in
// turn, each in an engine of its own. Entry point: bench_ledger.

#include <string.h>

#include "base/must.h"
#include "cli/bench.h"

#define STREAM  "bench.events"
#define VIEW    "bench.by_minute"
#define PORTION 20000u // events of a step

typedef struct ledger_figures {
    bench_time time; // of the steps of the late half
    uint64_t corrections, bytes;
} ledger_figures;

static base_rc late_half(bench_engine *b, uint64_t events, bench_time *sum, base_error *err) {
    base_rc rc = BASE_OK;
    *sum = (bench_time){0, 0};
    for (uint64_t i = 0; rc == BASE_OK && i < events; i += PORTION) {
        bench_time time;
        uint64_t steps, n = events - i < PORTION ? events - i : PORTION;
        rc = bench_fill(b, STREAM, i, n, NULL, err);
        if (rc == BASE_OK) rc = bench_steps(b, &time, &steps, err);
        if (rc == BASE_OK) sum->wall += time.wall, sum->cpu += time.cpu;
    }
    return rc;
}

static base_rc run_round(const bench_options *o, bool with_ledger, ledger_figures *out,
                         base_error *err) {
    bench_engine b;
    bench_time time;
    uint64_t steps, half = o->events / 2;
    base_rc rc = bench_open(&b, o, err);
    if (rc == BASE_OK) rc = bench_stream(&b, STREAM, false, err);
    base_buf sql = {0};
    base_buf_printf(
        &sql,
        "CREATE MATERIALIZED VIEW " VIEW " WITH (refresh = 'immediate', ledger = "
        "'%s') AS SELECT window_start, store_id, count(*) AS orders, sum(net_amount) AS "
        "revenue, max(net_amount) AS largest FROM TUMBLE(" STREAM
        ", placed_at, INTERVAL '1 minute') GROUP BY window_start, store_id",
        with_ledger ? "forever" : "off");
    if (rc == BASE_OK) rc = bench_sql(&b, base_buf_cstr(&sql), err);
    base_buf_deinit(&sql);
    if (rc == BASE_OK) rc = bench_fill(&b, STREAM, 0, half, NULL, err);
    // An event far ahead, after which all windows of the first half are final.
    if (rc == BASE_OK) rc = bench_fill(&b, STREAM, half + 3600ull * o->per_second, 1, NULL, err);
    if (rc == BASE_OK) rc = bench_steps(&b, &time, &steps, err);
    if (rc == BASE_OK) rc = late_half(&b, half, &out->time, err);
    if (rc == BASE_OK)
        rc = bench_number(&b, "SELECT corrections FROM weir.views", &out->corrections, err);
    out->bytes = bench_close_flows(&b);
    return rc;
}

base_rc bench_ledger(const bench_options *o, base_error *err) {
    printf(
        "\nledger: %s events in their order, then the same again, late: every step of %u events\n"
        "corrects rows that were final; with the revision ledger and without it in turn; median\n"
        "of %u rounds\n",
        cli_number(o->events / 2), PORTION, o->rounds);
    bench_time times[2][BENCH_ROUNDS_MAX];
    ledger_figures last[2] = {0};
    base_rc rc = BASE_OK;
    for (uint32_t i = 0; rc == BASE_OK && i < 2 * o->rounds; i++) {
        rc = run_round(o, i % 2 == 1, &last[i % 2], err);
        times[i % 2][i / 2] = last[i % 2].time;
    }
    if (rc != BASE_OK) return rc;
    bench_time off = bench_median_time(times[0], o->rounds);
    bench_time on = bench_median_time(times[1], o->rounds);
    double late = (double)(o->events / 2), revisions = (double)last[1].corrections;
    printf("  corrections: %s\n", cli_number(last[1].corrections));
    printf("  late events, ledger off  %8.3f M events/s  (CPU %.3f s)\n", late / off.wall / 1e6,
           off.cpu);
    printf("  late events, ledger on   %8.3f M events/s  (CPU %.3f s)\n", late / on.wall / 1e6,
           on.cpu);
    printf("  time with it %.0f %%, CPU %.0f %%; %.2f us CPU and %.0f bytes of disk a revision\n",
           100 * on.wall / off.wall, 100 * on.cpu / off.cpu, 1e6 * (on.cpu - off.cpu) / revisions,
           ((double)last[1].bytes - (double)last[0].bytes) / revisions);
    return BASE_OK;
}
