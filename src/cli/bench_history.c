// bench_history.c - `weir bench history`: what it costs that a view can be read as of earlier
// instants. A view of many groups, of which each step updates some; with a history and without one
// in turn, each in an engine of its own. Then, with it, what reading the view as of the beginning
// costs beside reading it as it is. Entry point: bench_history.

#include <string.h>

#include "base/must.h"
#include "cli/bench.h"

#define STREAM  "bench.events"
#define VIEW    "bench.by_group"
#define PORTION 20000u // events of a step
#define UPDATES 10u    // of each group

typedef struct history_figures {
    bench_time time; // of the steps that update
    uint64_t updates, bytes;
    double read_now, read_then; // seconds
} history_figures;

static base_rc make(bench_engine *b, uint64_t groups, bool with_history, base_error *err) {
    base_rc rc = bench_stream(b, STREAM, false, err);
    base_buf sql = {0};
    base_buf_printf(&sql,
                    "CREATE MATERIALIZED VIEW " VIEW " WITH (refresh = 'immediate'%s) AS SELECT "
                    "order_id %% %llu AS k, count(*) AS orders, sum(net_amount) AS revenue, "
                    "max(net_amount) AS largest FROM " STREAM " GROUP BY order_id %% %llu",
                    with_history ? "" : ", history = 'off'", (unsigned long long)groups,
                    (unsigned long long)groups);
    if (rc == BASE_OK) rc = bench_sql(b, base_buf_cstr(&sql), err);
    base_buf_deinit(&sql);
    return rc;
}

static base_rc steps(bench_engine *b, uint64_t first, uint64_t events, bench_time *sum,
                     base_error *err) {
    base_rc rc = BASE_OK;
    *sum = (bench_time){0, 0};
    for (uint64_t i = 0; rc == BASE_OK && i < events; i += PORTION) {
        bench_time time;
        uint64_t n, portion = events - i < PORTION ? events - i : PORTION;
        rc = bench_fill(b, STREAM, first + i, portion, NULL, err);
        if (rc == BASE_OK) rc = bench_steps(b, &time, &n, err);
        if (rc == BASE_OK) sum->wall += time.wall, sum->cpu += time.cpu;
    }
    return rc;
}

// The sum of all counts, as of an instant if there is one.
static base_rc read_view(bench_engine *b, const char *instant, uint64_t expected, double *seconds,
                         base_error *err) {
    base_buf sql = {0};
    base_buf_add_cstr(&sql, "SELECT coalesce(sum(orders), 0)::bigint FROM ");
    if (instant != NULL)
        base_buf_printf(&sql, "weir.as_of('" VIEW "', '%s')", instant);
    else
        base_buf_add_cstr(&sql, VIEW);
    uint64_t orders;
    bench_time begin = bench_now();
    base_rc rc = bench_number(b, base_buf_cstr(&sql), &orders, err);
    *seconds = bench_since(begin).wall;
    base_buf_deinit(&sql);
    if (rc == BASE_OK && orders != expected)
        rc = base_fail(err, BASE_E_INTERNAL, NULL, "the view says %llu orders and not %llu",
                       (unsigned long long)orders, (unsigned long long)expected);
    return rc;
}

static base_rc run_round(const bench_options *o, bool with_history, history_figures *out,
                         base_error *err) {
    bench_engine b;
    bench_time time;
    uint64_t groups = o->events / UPDATES + 1, updates = o->events - groups;
    out->updates = updates;
    base_rc rc = bench_open(&b, o, err);
    if (rc == BASE_OK) rc = make(&b, groups, with_history, err);
    if (rc == BASE_OK) rc = steps(&b, 0, groups, &time, err);
    char then[BASE_TIME_TEXT_MAX];
    base_rfc3339_format(plat_wall_us(plat_os()), then);
    if (rc == BASE_OK) rc = steps(&b, groups, updates, &out->time, err);
    if (rc == BASE_OK) rc = read_view(&b, NULL, o->events, &out->read_now, err);
    if (rc == BASE_OK && with_history) rc = read_view(&b, then, groups, &out->read_then, err);
    out->bytes = bench_close_flows(&b);
    return rc;
}

base_rc bench_history(const bench_options *o, base_error *err) {
    printf("\nhistory: %s events of %s groups, %u of each; every step of %u updates as many rows;\n"
           "with a history and without one in turn; median of %u rounds\n",
           cli_number(o->events), cli_number(o->events / UPDATES + 1), UPDATES, PORTION, o->rounds);
    bench_time times[2][BENCH_ROUNDS_MAX];
    history_figures last[2] = {0};
    base_rc rc = BASE_OK;
    for (uint32_t i = 0; rc == BASE_OK && i < 2 * o->rounds; i++) {
        rc = run_round(o, i % 2 == 1, &last[i % 2], err);
        times[i % 2][i / 2] = last[i % 2].time;
    }
    if (rc != BASE_OK) return rc;
    bench_time off = bench_median_time(times[0], o->rounds);
    bench_time on = bench_median_time(times[1], o->rounds);
    double updates = (double)last[1].updates;
    printf("  history off  %8.3f M updates/s  (CPU %.3f s)\n", updates / off.wall / 1e6, off.cpu);
    printf("  history on   %8.3f M updates/s  (CPU %.3f s)\n", updates / on.wall / 1e6, on.cpu);
    printf("  time with it %.0f %%, CPU %.0f %%; %.3f us CPU and %.1f bytes of disk an update\n",
           100 * on.wall / off.wall, 100 * on.cpu / off.cpu, 1e6 * (on.cpu - off.cpu) / updates,
           ((double)last[1].bytes - (double)last[0].bytes) / updates);
    printf("  all rows as they are %.3f s, as of before the updates %.3f s: %.2f us an update\n",
           last[1].read_now, last[1].read_then,
           1e6 * (last[1].read_then - last[1].read_now) / updates);
    return BASE_OK;
}
