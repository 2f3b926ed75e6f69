// bench.c - `weir bench`: what this machine does. Figures are medians over rounds in this very run;
// nothing is asserted but that the answers are right. Entry point: cli_bench.

#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "cli/bench.h"

#define STREAM "bench.events"

static void print_rate(const char *what, const bench_options *o, double seconds) {
    printf("  %-46s %6.2f M events/s  %6.3f GB/s\n", what, (double)o->events / seconds / 1e6,
           (double)o->events * o->event_bytes / seconds / 1e9);
    fflush(stdout);
}

static void say(const char *text) {
    fprintf(stderr, "%s ...\n", text);
}

// ---- aggregate and dedup ------------------------------------------------------------------------

static base_rc throughput(const bench_options *o, bool with_key, base_error *err) {
    printf("\n%s: one core, %s events of %u bytes in the durable log -> one-minute tumbling\n"
           "count, sum and max by a key of %s values, committed; median of %u rounds\n",
           with_key ? "dedup (as aggregate, with a business key deduplicated)" : "aggregate",
           cli_number(o->events), o->event_bytes, cli_number(o->keys), o->rounds);
    bench_engine b;
    base_rc rc = bench_open(&b, o, err);
    if (rc == BASE_OK) rc = bench_stream(&b, STREAM, with_key, err);
    bench_time scans[BENCH_ROUNDS_MAX], times[BENCH_ROUNDS_MAX];
    base_buf copy = {0};
    base_buf_printf(&copy, "%s/events.ndjson", b.dir == NULL ? "" : b.dir);
    double begin = cli_seconds();
    if (rc == BASE_OK) {
        say("writing the log");
        rc = bench_fill(&b, STREAM, 0, o->events, base_buf_cstr(&copy), err);
    }
    double filled = cli_seconds() - begin;
    uint64_t steps = 0;
    // In turn, so that a machine whose speed drifts is as fast for the one as for the other.
    for (uint32_t i = 0; rc == BASE_OK && i < o->rounds; i++) {
        rc = bench_scan(base_buf_cstr(&copy), o->events, &scans[i], err);
        if (rc == BASE_OK) rc = bench_view_round(&b, STREAM, o->events, &times[i], &steps, err);
    }
    if (rc == BASE_OK) {
        bench_time scan = bench_median_time(scans, o->rounds);
        bench_time view = bench_median_time(times, o->rounds);
        print_rate("simdjson alone, three fields of the same bytes", o, scan.wall);
        print_rate("log -> view", o, view.wall);
        printf("  ratio to simdjson alone%*s%6.1f %%   (%llu steps a round)\n", 24, "",
               100.0 * scan.wall / view.wall, (unsigned long long)steps);
        printf("  the same ratio by CPU time%*s%6.1f %%   (the rounds had %.0f %% of a core)\n", 21,
               "", 100.0 * scan.cpu / view.cpu, 100.0 * view.cpu / view.wall);
        print_rate("making and checking events, into the log", o, filled);
    }
    base_buf_deinit(&copy);
    bench_close(&b);
    return rc;
}

// ---- commit -------------------------------------------------------------------------------------

static base_rc commit_cost(const bench_options *o, base_error *err) {
    printf("\ncommit: the same view; what durable commits cost, with small and large steps\n");
    bench_engine b;
    base_rc rc = bench_open(&b, o, err);
    if (rc == BASE_OK) rc = bench_stream(&b, STREAM, false, err);
    if (rc == BASE_OK) {
        say("writing the log");
        rc = bench_fill(&b, STREAM, 0, o->events, NULL, err);
    }
    static const uint64_t step_bytes[] = {1u << 20, 8u << 20, 64u << 20};
    for (size_t k = 0; rc == BASE_OK && k < 3; k++) {
        double median[2];
        uint64_t steps = 0;
        for (int no_sync = 0; rc == BASE_OK && no_sync < 2; no_sync++) {
            bench_time times[BENCH_ROUNDS_MAX];
            rc = bench_reopen(&b, step_bytes[k], no_sync, 0, err);
            for (uint32_t i = 0; rc == BASE_OK && i < o->rounds; i++)
                rc = bench_view_round(&b, STREAM, o->events, &times[i], &steps, err);
            if (rc == BASE_OK) median[no_sync] = bench_median_time(times, o->rounds).wall;
        }
        if (rc != BASE_OK) break;
        char what[64];
        snprintf(what, sizeof what, "steps of %llu MiB, commits durable",
                 (unsigned long long)(step_bytes[k] >> 20));
        print_rate(what, o, median[0]);
        snprintf(what, sizeof what, "steps of %llu MiB, commits not synced",
                 (unsigned long long)(step_bytes[k] >> 20));
        print_rate(what, o, median[1]);
        printf("  cost of durability%*s%6.0f %%   (%.2f ms a step, %llu steps)\n", 29, "",
               100.0 * (median[0] - median[1]) / median[1],
               1e3 * (median[0] - median[1]) / (double)steps, (unsigned long long)steps);
    }
    bench_close(&b);
    return rc;
}

// ---- memory -------------------------------------------------------------------------------------

// Anonymous memory of this process in bytes: what malloc holds, without mapped files.
static uint64_t anonymous_bytes(void) {
    FILE *file = fopen("/proc/self/status", "r");
    if (file == NULL) return 0;
    char line[256];
    unsigned long long kb = 0;
    while (fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, "RssAnon: %llu kB", &kb) == 1) break;
    fclose(file);
    return kb * 1024;
}

static base_rc memory(const bench_options *given, base_error *err) {
    bench_options o = *given;
    o.events = o.groups;
    o.keys = 1u << 30;
    printf("\nmemory: %s groups of one view (count, sum and max by a distinct key)\n",
           cli_number(o.groups));
    bench_engine b;
    base_rc rc = bench_open(&b, &o, err);
    // Caches that hold everything: the dearest case.
    if (rc == BASE_OK) rc = bench_reopen(&b, 0, false, 64ull << 30, err);
    if (rc == BASE_OK) rc = bench_stream(&b, STREAM, false, err);
    if (rc == BASE_OK)
        rc = bench_sql(&b,
                       "CREATE MATERIALIZED VIEW bench.by_order AS SELECT order_id, "
                       "count(*) AS orders, sum(net_amount) AS revenue, "
                       "max(net_amount) AS largest FROM " STREAM " GROUP BY order_id",
                       err);
    if (rc == BASE_OK) {
        say("writing the log");
        rc = bench_fill(&b, STREAM, 0, o.events, NULL, err);
    }
    uint64_t before = anonymous_bytes();
    uint64_t disk_before = bench_tree_bytes(b.dir == NULL ? "" : b.dir);
    bench_time time = {0, 0};
    uint64_t steps;
    if (rc == BASE_OK) rc = bench_steps(&b, &time, &steps, err);
    if (rc == BASE_OK) {
        double millions = (double)o.groups / 1e6;
        uint64_t after = anonymous_bytes(), disk = bench_tree_bytes(b.dir);
        uint64_t memory_bytes = after > before ? after - before : 0;
        uint64_t disk_bytes = disk > disk_before ? disk - disk_before : 0;
        printf("  memory of the process, per million groups      %s\n",
               cli_bytes((uint64_t)((double)memory_bytes / millions)));
        printf("  state on disk, per million groups              %s\n",
               cli_bytes((uint64_t)((double)disk_bytes / millions)));
        printf("  (caches unlimited here; --cache-mb bounds them; %.2f M groups/s)\n",
               millions / time.wall);
    }
    bench_close(&b);
    return rc;
}

// ---- the command --------------------------------------------------------------------------------

static const char *const subjects[] = {"aggregate", "dedup",   "commit",  "memory",
                                       "latency",   "replay",  "nexmark", "scale",
                                       "ledger",    "history", "all"};

static int run_subject(const bench_options *o, const char *subject) {
    base_error err = {0};
    base_rc rc = BASE_OK;
    bool all = strcmp(subject, "all") == 0;
    if (rc == BASE_OK && (all || strcmp(subject, "aggregate") == 0))
        rc = throughput(o, false, &err);
    if (rc == BASE_OK && (all || strcmp(subject, "dedup") == 0)) rc = throughput(o, true, &err);
    if (rc == BASE_OK && (all || strcmp(subject, "commit") == 0)) rc = commit_cost(o, &err);
    if (rc == BASE_OK && (all || strcmp(subject, "memory") == 0)) rc = memory(o, &err);
    if (rc == BASE_OK && strcmp(subject, "nexmark") == 0) rc = bench_nexmark(o, &err);
    if (rc == BASE_OK && strcmp(subject, "scale") == 0) rc = bench_scale(o, &err);
    if (rc == BASE_OK && strcmp(subject, "ledger") == 0) rc = bench_ledger(o, &err);
    if (rc == BASE_OK && strcmp(subject, "history") == 0) rc = bench_history(o, &err);
    int code = rc == BASE_OK ? CLI_OK : cli_error(&err);
    if (code == CLI_OK && strcmp(subject, "replay") == 0) code = bench_replay(o);
    if (code == CLI_OK && (all || strcmp(subject, "latency") == 0)) code = bench_latency(o);
    return cli_flush_stdout(code);
}

int cli_bench(int argc, char **argv) {
    bench_options o = {.events = 2000000,
                       .keys = 10000,
                       .event_bytes = BENCH_EVENT_BYTES_MIN,
                       .rounds = 3,
                       .cores = 1,
                       .per_second = 10000,
                       .groups = 1000000,
                       .seconds = 10,
                       .rate = 50000,
                       .latency_bytes = 2048,
                       .senders = 2,
                       .linger_us = 2000,
                       .seed = 1,
                       .late_ms = 60000};
    cli_option options[] = {
        {"dir", CLI_TEXT, &o.dir, "DIR", "where the temporary directory is made ($TMPDIR, /tmp)", 0,
         0},
        {"rounds", CLI_U32, &o.rounds, "N", "rounds, of which the median is shown (3)", 3,
         BENCH_ROUNDS_MAX},
        {"cores", CLI_U32, &o.cores, "N", "that a step may use (1)", 1, 1024},
        {NULL, CLI_SECTION, NULL, NULL, "Throughput (aggregate, dedup, commit, scale)", 0, 0},
        {"events", CLI_U64, &o.events, "N", "events (2,000,000)", 1000, 1000000000},
        {"keys", CLI_U32, &o.keys, "N", "distinct keys (10,000)", 1, 1u << 30},
        {"bytes", CLI_U32, &o.event_bytes, "N", "bytes of an event (231)", BENCH_EVENT_BYTES_MIN,
         BENCH_EVENT_BYTES_MAX},
        {"per-second", CLI_U32, &o.per_second, "N",
         "events in a second of event time (10,000): how many\n"
         "windows there are",
         1, 1000000},
        {NULL, CLI_SECTION, NULL, NULL, "Nexmark and scale (also --events, --per-second)", 0, 0},
        {"queries", CLI_TEXT, &o.queries, "LIST",
         "only these: q0,q4; of scale: window, totals, latest,\ntop3, join, views", 0, 0},
        {"seed", CLI_U64, &o.seed, "N", "of the events (1)", 0, UINT64_MAX},
        {"disorder-ms", CLI_U32, &o.disorder_ms, "N",
         "events arrive up to so much of event time out of order\n(0)", 0, 60000},
        {"late", CLI_U32, &o.late, "N", "of 1000 events so many arrive late (0)", 0, 1000},
        {"late-ms", CLI_U32, &o.late_ms, "N", "by so much of event time (60,000)", 0, 3600000},
        {"write", CLI_TEXT, &o.write, "DIR",
         "measure nothing: write the events there, a file a stream,\nand the statements", 0, 0},
        {NULL, CLI_SECTION, NULL, NULL, "Memory", 0, 0},
        {"groups", CLI_U64, &o.groups, "N", "groups (1,000,000)", 1000, 1000000000},
        {NULL, CLI_SECTION, NULL, NULL, "Latency", 0, 0},
        {"seconds", CLI_U32, &o.seconds, "N", "of measuring, after one of warming up (10)", 1,
         3600},
        {"rate", CLI_U32, &o.rate, "N", "events a second (50,000)", 1, 10000000},
        {"latency-bytes", CLI_U32, &o.latency_bytes, "N", "bytes of an event (2048)",
         BENCH_EVENT_BYTES_MIN, BENCH_EVENT_BYTES_MAX},
        {"senders", CLI_U32, &o.senders, "N", "HTTP connections, a thread each (2)", 1, 64},
        {"linger-us", CLI_U32, &o.linger_us, "N",
         "a sender gathers events for so long before it posts them\n"
         "(2000); the waiting counts",
         100, 1000000},
    };
    cli_usage usage = {
        .command = "weir bench",
        .synopsis = "[aggregate|dedup|commit|memory|latency|replay|nexmark|scale|ledger|history|"
                    "all] [options]",
        .about =
            "Measures this machine with data it makes itself, in a temporary directory.\n\n"
            "  aggregate  one core: JSON events from the durable log to a one-minute tumbling\n"
            "             count, sum and max, against what simdjson alone reads of the same bytes\n"
            "             in the same run (the default)\n"
            "  dedup      the same with a business key deduplicated\n"
            "  commit     the same with commits durable and not, in small and large steps\n"
            "  memory     bytes per million groups\n"
            "  latency    a server and HTTP senders in this process: from an event's moment to\n"
            "             its being visible in a committed view, p50, p99, p99.9, for\n"
            "             refresh = 'immediate' and '1 second'\n"
            "  replay     the same latency in a flow of which one day of 30 is replayed meanwhile\n"
            "  nexmark    the queries of the Nexmark benchmark, q0 to q22, each from the durable "
            "log\n"
            "             to the committed rows of its view\n"
            "  scale      ten times the keys, the history, the views: what each does to the rate\n"
            "             of catching up and to the time of a step; and 1 to 100 views of a "
            "stream\n"
            "  ledger     late events that correct what was final, with the revision ledger and\n"
            "             without it\n"
            "  history    updates of a view that can be read as of earlier instants, and of one "
            "that\n"
            "             cannot, and the reading\n"
            "  all        all of these but replay, nexmark, scale, ledger and history",
        .examples = "  weir bench --events 5000000\n  weir bench latency --rate 20000\n",
        .noptions = sizeof options / sizeof options[0],
        .options = options,
        .operands_max = 1,
    };
    cli_list operands;
    int code = cli_parse(&usage, argc, argv, &operands);
    if (code != CLI_GO) return code;
    const char *subject = operands.n > 0 ? operands.items[0] : "aggregate";
    size_t n = sizeof subjects / sizeof subjects[0];
    bool known = false;
    for (size_t i = 0; i < n; i++) known |= strcmp(subject, subjects[i]) == 0;
    if (!known) {
        const char *nearest = cli_nearest(subject, n, subjects);
        return cli_usage_error(
            "weir bench", "nothing to measure is called \"%s\"; %s%s", subject,
            nearest != NULL
                ? "did you mean "
                : "there is aggregate, dedup, "
                  "commit, memory, latency, replay, nexmark, scale, ledger, history, all",
            nearest != NULL ? nearest : "");
    }
    cli_catch_interrupt();
    printf("weir %s bench\n", WEIR_VERSION);
    return run_subject(&o, subject);
}
