// bench_nexmark.c - `weir bench nexmark`: JSON events from the durable log to the committed rows of
// each query's view, one query at a time, without threads. Each query's view is made in a context,
// and so in a flow, of its own; measured are the steps that bring it up to date. A query that the
// engine cannot run is shown with the engine's reason. `--write DIR` writes the events instead, a
// file a stream, with the statements: for tests and for other engines. Entry point: bench_nexmark.

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "cli/bench.h"
#include "cli/nexmark.h"
#include "wire/json.h"

#define FILL_BYTES (1u << 20)

typedef struct nexmark_bench {
    const bench_options *options;
    nexmark_config config;
    bench_engine engine;
    uint64_t events[NEXMARK_STREAMS]; // by stream
    uint64_t bytes[NEXMARK_STREAMS];
} nexmark_bench;

// ---- filling ------------------------------------------------------------------------------------

static base_rc ingest(nexmark_bench *b, nexmark_stream stream, base_buf *text, uint64_t *rows,
                      base_arena *arena, base_error *err) {
    if (text->n == 0) return BASE_OK;
    base_buf_reserve(text, WIRE_JSON_PADDING);
    base_buf name = {0};
    base_buf_printf(&name, "nexmark.%s", nexmark_stream_name(stream));
    base_arena_reset(arena);
    engine_ingest_result result;
    base_rc rc = engine_ingest(b->engine.engine, base_buf_str(&name), base_buf_str(text), "bench",
                               arena, &result, err);
    if (rc == BASE_OK && result.accepted != *rows)
        rc = base_fail(err, BASE_E_INTERNAL, NULL, "%llu events were refused: %s",
                       (unsigned long long)result.quarantined,
                       result.nfaults > 0 ? result.faults[0].message : "");
    base_buf_deinit(&name);
    base_buf_clear(text);
    *rows = 0;
    if (rc == BASE_OK && cli_interrupted)
        rc = base_fail(err, BASE_E_CANCELLED, NULL, "stopped by a signal");
    return rc;
}

static base_rc fill_streams(nexmark_bench *b, base_error *err) {
    base_buf texts[NEXMARK_STREAMS] = {{0}}, event = {0};
    uint64_t rows[NEXMARK_STREAMS] = {0}, n;
    base_arena arena;
    base_arena_init(&arena, 1 << 20);
    nexmark_arrivals arrivals;
    nexmark_arrivals_init(&arrivals, &b->config, b->options->events);
    base_rc rc = BASE_OK;
    while (rc == BASE_OK && nexmark_arrivals_next(&arrivals, &n)) {
        base_buf_clear(&event);
        nexmark_stream stream = nexmark_event(&b->config, n, &event);
        base_buf_add_str(&texts[stream], base_buf_str(&event));
        base_buf_add_byte(&texts[stream], '\n');
        b->events[stream]++;
        b->bytes[stream] += event.n;
        rows[stream]++;
        if (texts[stream].n >= FILL_BYTES)
            rc = ingest(b, stream, &texts[stream], &rows[stream], &arena, err);
    }
    for (int i = 0; i < NEXMARK_STREAMS; i++) {
        if (rc == BASE_OK) rc = ingest(b, (nexmark_stream)i, &texts[i], &rows[i], &arena, err);
        base_buf_deinit(&texts[i]);
    }
    nexmark_arrivals_deinit(&arrivals);
    base_buf_deinit(&event);
    base_arena_deinit(&arena);
    return rc;
}

static void side_row(base_buf *buf, uint32_t key) {
    base_buf_printf(buf, "{\"key\":%u,\"value\":\"side %u\"}\n", key, key);
}

static base_rc fill_side_input(nexmark_bench *b, base_error *err) {
    base_buf text = {0};
    for (uint32_t i = 0; i < NEXMARK_SIDE_ROWS; i++) side_row(&text, i);
    base_buf_reserve(&text, WIRE_JSON_PADDING);
    base_arena arena;
    base_arena_init(&arena, 1 << 16);
    engine_ingest_result result;
    base_rc rc = engine_ingest(b->engine.engine, BASE_STR("nexmark.side_input"),
                               base_buf_str(&text), "bench", &arena, &result, err);
    base_arena_deinit(&arena);
    base_buf_deinit(&text);
    return rc;
}

static base_rc prepare(nexmark_bench *b, base_error *err) {
    base_rc rc = BASE_OK;
    for (size_t i = 0; rc == BASE_OK && nexmark_ddl[i] != NULL; i++)
        rc = bench_sql(&b->engine, nexmark_ddl[i], err);
    fprintf(stderr, "writing the log ...\n");
    if (rc == BASE_OK) rc = fill_side_input(b, err);
    if (rc == BASE_OK) rc = fill_streams(b, err);
    return rc;
}

// ---- measuring ----------------------------------------------------------------------------------

typedef struct nexmark_figures {
    bench_time time;
    uint64_t steps, rows, memory_bytes, state_bytes;
} nexmark_figures;

static base_rc count_rows(bench_engine *b, const char *view, uint64_t *rows, base_error *err) {
    base_arena arena;
    base_arena_init(&arena, 1 << 16);
    base_buf sql = {0};
    base_buf_printf(&sql, "SELECT count(*) FROM %s", view);
    engine_session session;
    engine_session_init(&session, b->engine);
    engine_result result;
    base_rc rc = engine_run_sql(&session, base_buf_str(&sql), &arena, &result, err);
    if (rc == BASE_OK) *rows = (uint64_t)col_i64(&result.rows->cols[0])[0];
    base_buf_deinit(&sql);
    base_arena_deinit(&arena);
    return rc;
}

// A round: the view from nothing to all. *refused: the engine does not know the query.
static base_rc round_once(nexmark_bench *b, const nexmark_query *query, nexmark_figures *out,
                          bool *refused, base_error *err) {
    static unsigned number;
    char schema[32], view[64];
    snprintf(schema, sizeof schema, "round%u", ++number);
    snprintf(view, sizeof view, "%s.%s", schema, query->name);
    base_buf sql = {0};
    base_buf_printf(&sql, "CREATE SCHEMA %s", schema);
    base_rc rc = bench_sql(&b->engine, base_buf_cstr(&sql), err);
    base_buf_clear(&sql);
    base_buf_printf(&sql, "CREATE MATERIALIZED VIEW %s WITH (refresh = '1 second') AS %s", view,
                    query->sql);
    *refused = false;
    if (rc == BASE_OK) {
        rc = bench_sql(&b->engine, base_buf_cstr(&sql), err);
        *refused = rc != BASE_OK;
    }
    uint64_t before = bench_tree_bytes(b->engine.dir);
    bench_peak_reset();
    if (rc == BASE_OK) rc = bench_steps(&b->engine, &out->time, &out->steps, err);
    out->memory_bytes = bench_peak_bytes();
    uint64_t after = bench_tree_bytes(b->engine.dir);
    out->state_bytes = after > before ? after - before : 0;
    if (rc == BASE_OK) rc = count_rows(&b->engine, view, &out->rows, err);
    base_buf_clear(&sql);
    base_buf_printf(&sql, "DROP SCHEMA %s CASCADE", schema);
    if (rc == BASE_OK || *refused) {
        base_error ignored = {0};
        base_rc dropped = bench_sql(&b->engine, base_buf_cstr(&sql), *refused ? &ignored : err);
        if (rc == BASE_OK) rc = dropped;
    }
    base_buf_deinit(&sql);
    return rc;
}

static uint64_t events_read(const nexmark_bench *b, const nexmark_query *query) {
    uint64_t events = 0;
    for (int i = 0; i < NEXMARK_STREAMS; i++)
        if (query->streams & 1u << i) events += b->events[i];
    return events;
}

static void print_row(const nexmark_bench *b, const nexmark_query *query,
                      const nexmark_figures *f) {
    double read = (double)events_read(b, query) / 1e3, all = (double)b->options->events / 1e3;
    char aim[16] = "-", share[16] = "-";
    if (query->aim > 0) {
        snprintf(aim, sizeof aim, "%u", query->aim);
        snprintf(share, sizeof share, "%.0f %%", 100.0 * all / f->time.wall / query->aim);
    }
    printf("%-4s %6s %9.0f %9.0f %6s %7.2f %8s %9s %9s %5llu  %s\n", query->name, aim,
           all / f->time.wall, read / f->time.wall, share, f->time.cpu, cli_bytes(f->memory_bytes),
           cli_bytes(f->state_bytes), cli_number(f->rows), (unsigned long long)f->steps,
           query->subject);
    fflush(stdout);
}

static base_rc measure(nexmark_bench *b, const nexmark_query *query, base_error *err) {
    nexmark_figures rounds[BENCH_ROUNDS_MAX];
    bench_time times[BENCH_ROUNDS_MAX];
    memset(rounds, 0, sizeof rounds);
    for (uint32_t i = 0; i < b->options->rounds; i++) {
        bool refused;
        // Anew, without what the round before has mapped: memory is that of this one.
        base_rc rc = bench_reopen(&b->engine, 0, false, 0, err);
        if (rc != BASE_OK) return rc;
        rc = round_once(b, query, &rounds[i], &refused, err);
        if (rc != BASE_OK && refused) {
            printf("%-4s not run: %s\n", query->name, err->message);
            base_error_clear(err);
            return BASE_OK;
        }
        if (rc != BASE_OK) return rc;
        times[i] = rounds[i].time;
    }
    nexmark_figures *last = &rounds[b->options->rounds - 1];
    last->time = bench_median_time(times, b->options->rounds);
    print_row(b, query, last);
    return BASE_OK;
}

static base_rc run_queries(nexmark_bench *b, base_error *err) {
    const bench_options *o = b->options;
    printf(
        "\nnexmark: %u core%s, %s events (%s of people, %s of auctions, %s of bids) of %.0f bytes"
        " on\naverage in the durable log, %s events a second of event time -> rows of the query's"
        " view,\ncommitted; median of %u rounds, rates in thousands of events/s\n"
        "  all: all events of the log by the time the query takes (as published figures count)\n"
        "  read: only events of the streams that the query reads\n"
        "  memory: peak of the process, with mapped pages of the log and the store\n",
        o->cores, o->cores == 1 ? "" : "s", cli_number(o->events), cli_number(b->events[0]),
        cli_number(b->events[1]), cli_number(b->events[2]),
        (double)(b->bytes[0] + b->bytes[1] + b->bytes[2]) / (double)o->events,
        cli_number(o->per_second), o->rounds);
    printf("%-4s %6s %9s %9s %6s %7s %8s %9s %9s %5s\n", "", "aim", "all", "read", "of aim",
           "cpu s", "memory", "state", "rows", "steps");
    base_rc rc = BASE_OK;
    for (uint32_t i = 0; rc == BASE_OK && i < nexmark_queries_count; i++)
        if (bench_wants(o->queries, nexmark_queries[i].name))
            rc = measure(b, &nexmark_queries[i], err);
    return rc;
}

// ---- writing ------------------------------------------------------------------------------------

static FILE *open_in(const char *dir, const char *name, base_error *err) {
    base_buf path = {0};
    base_buf_printf(&path, "%s/%s", dir, name);
    FILE *file = fopen(base_buf_cstr(&path), "wb");
    if (file == NULL) base_fail_errno(err, errno, "cannot make \"%s\"", base_buf_cstr(&path));
    base_buf_deinit(&path);
    return file;
}

static base_rc close_file(FILE *file, base_rc rc, base_error *err) {
    bool bad = ferror(file) != 0;
    if (fclose(file) != 0 || bad) {
        if (rc == BASE_OK) rc = base_fail_errno(err, errno, "cannot write the events");
    }
    return rc;
}

static base_rc write_events(const nexmark_bench *b, base_error *err) {
    FILE *files[NEXMARK_STREAMS] = {NULL};
    static const char *const names[] = {"person.ndjson", "auction.ndjson", "bid.ndjson"};
    base_rc rc = BASE_OK;
    for (int i = 0; rc == BASE_OK && i < NEXMARK_STREAMS; i++) {
        files[i] = open_in(b->options->write, names[i], err);
        if (files[i] == NULL) rc = err->code;
    }
    nexmark_arrivals arrivals;
    nexmark_arrivals_init(&arrivals, &b->config, b->options->events);
    base_buf event = {0};
    uint64_t n;
    while (rc == BASE_OK && nexmark_arrivals_next(&arrivals, &n)) {
        base_buf_clear(&event);
        nexmark_stream stream = nexmark_event(&b->config, n, &event);
        base_buf_add_byte(&event, '\n');
        fwrite(event.p, 1, event.n, files[stream]);
        if (cli_interrupted) rc = base_fail(err, BASE_E_CANCELLED, NULL, "stopped by a signal");
    }
    nexmark_arrivals_deinit(&arrivals);
    base_buf_deinit(&event);
    for (int i = 0; i < NEXMARK_STREAMS; i++)
        if (files[i] != NULL) rc = close_file(files[i], rc, err);
    return rc;
}

static base_rc write_statements(const nexmark_bench *b, base_error *err) {
    FILE *file = open_in(b->options->write, "nexmark.sql", err);
    if (file == NULL) return err->code;
    for (size_t i = 0; nexmark_ddl[i] != NULL; i++) fprintf(file, "%s;\n", nexmark_ddl[i]);
    for (uint32_t i = 0; i < nexmark_queries_count; i++)
        fprintf(file, "-- %s: %s\nCREATE MATERIALIZED VIEW nexmark.%s AS %s;\n",
                nexmark_queries[i].name, nexmark_queries[i].subject, nexmark_queries[i].name,
                nexmark_queries[i].sql);
    base_rc rc = close_file(file, BASE_OK, err);
    if (rc != BASE_OK) return rc;
    file = open_in(b->options->write, "side_input.ndjson", err);
    if (file == NULL) return err->code;
    base_buf row = {0};
    for (uint32_t i = 0; i < NEXMARK_SIDE_ROWS; i++) side_row(&row, i);
    fwrite(row.p, 1, row.n, file);
    base_buf_deinit(&row);
    return close_file(file, BASE_OK, err);
}

base_rc bench_nexmark(const bench_options *options, base_error *err) {
    nexmark_bench b = {.options = options,
                       .config = {.seed = options->seed,
                                  .per_second = options->per_second,
                                  .disorder_ms = options->disorder_ms,
                                  .late = options->late,
                                  .late_ms = options->late_ms}};
    if (options->write != NULL) {
        base_rc rc = write_events(&b, err);
        return rc == BASE_OK ? write_statements(&b, err) : rc;
    }
    base_rc rc = bench_open(&b.engine, options, err);
    if (rc == BASE_OK) rc = prepare(&b, err);
    if (rc == BASE_OK) rc = run_queries(&b, err);
    bench_close(&b.engine);
    return rc;
}
