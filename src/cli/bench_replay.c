// bench_replay.c - replays of one day of thirty beside the live load of bench_latency.c: a stream
// with a history and a view of it in the flow that is measured, and a thread that replays the day
// into versions, one after the other, or promotes a version and rolls it back, until it is told to
// stop. Entry points: bench_history_make, bench_replayer_start.

#include <stdatomic.h>
#include <string.h>

#include "cli/bench.h"

#define DAYS 30

static base_rc ask(engine *e, const char *sql, base_arena *arena, engine_result *result,
                   base_error *err) {
    engine_session session;
    engine_session_init(&session, e);
    return engine_run_sql(&session, base_str_of(sql), arena, result, err);
}

static void view_ddl(base_buf *sql, const char *create, const char *refresh, const char *orders) {
    base_buf_clear(sql);
    base_buf_printf(sql,
                    "%s MATERIALIZED VIEW bench.hours WITH (refresh = '%s') AS SELECT "
                    "window_start, store_id, %s AS orders, sum(net_amount) AS revenue FROM "
                    "TUMBLE(bench.history, placed_at, INTERVAL '1 hour') GROUP BY window_start, "
                    "store_id",
                    create, refresh, orders);
}

base_rc bench_version_make(bench_engine *b, const char *refresh, base_error *err) {
    base_buf sql = {0};
    view_ddl(&sql, "CREATE OR REPLACE", refresh,
             "count(*) + CASE WHEN store_id = 7 THEN 1 ELSE 0 END");
    base_rc rc = bench_sql(b, base_buf_cstr(&sql), err);
    base_buf_deinit(&sql);
    return rc;
}

base_rc bench_history_make(bench_engine *b, const char *refresh, base_error *err) {
    bench_options history = *b->options;
    history.per_second = 1; // a day has 86,400 events
    history.keys = 100;
    history.event_bytes = BENCH_EVENT_BYTES_MIN;
    base_buf sql = {0};
    bench_stream_ddl(&sql, "bench.history", false);
    base_rc rc = bench_sql(b, base_buf_cstr(&sql), err);
    view_ddl(&sql, "CREATE", refresh, "count(*)");
    if (rc == BASE_OK) rc = bench_sql(b, base_buf_cstr(&sql), err);
    base_buf_deinit(&sql);
    const bench_options *before = b->options;
    b->options = &history;
    if (rc == BASE_OK) rc = bench_fill(b, "bench.history", 0, DAYS * 86400ull, NULL, err);
    b->options = before;
    return rc == BASE_OK ? bench_sql(b, "FLUSH", err) : rc;
}

// ---- the thread ---------------------------------------------------------------------------------

static base_rc day_statement(engine *e, const char *selection, base_buf *sql, base_error *err) {
    base_buf_clear(sql);
    base_buf_printf(sql, "REPLAY INTO bench.hours VERSION (ALL)");
    if (strcmp(selection, BENCH_REPLAY_ALL) == 0) return BASE_OK;
    base_buf_printf(sql, " WITH (rate = 300000)");
    if (strcmp(selection, BENCH_REPLAY_SLOWLY) == 0) return BASE_OK;
    base_arena arena;
    base_arena_init(&arena, 4096);
    engine_result result;
    base_rc rc = ask(e,
                     "SELECT (date_trunc('day', min(window_start)) + INTERVAL '10 days')::text, "
                     "(date_trunc('day', min(window_start)) + INTERVAL '11 days')::text FROM "
                     "bench.hours",
                     &arena, &result, err);
    if (rc == BASE_OK) {
        base_buf_clear(sql);
        base_buf_printf(sql, "REPLAY INTO bench.hours VERSION (FROM '%.*s' TO '%.*s')",
                        BASE_STR_ARG(col_str(&result.rows->cols[0])[0]),
                        BASE_STR_ARG(col_str(&result.rows->cols[1])[0]));
    }
    base_arena_deinit(&arena);
    return rc;
}

// One replay, from its statement to its end; its version goes again.
static base_rc one(bench_replayer *r, const char *sql, base_error *err) {
    base_arena arena;
    base_arena_init(&arena, 1 << 14);
    engine_result result;
    double begin = cli_seconds();
    base_rc rc = ask(r->engine, sql, &arena, &result, err);
    for (bool done = false; rc == BASE_OK && !done;) {
        plat_sleep_us(2000);
        base_arena_reset(&arena);
        rc = ask(r->engine, "SELECT status, records, version FROM weir.replays LIMIT 1", &arena,
                 &result, err);
        if (rc != BASE_OK) break;
        done = !base_str_eq(col_str(&result.rows->cols[0])[0], BASE_STR("running"));
        if (!done) continue;
        bool day = strcmp(r->selection, BENCH_REPLAY_DAY) == 0; // what is passed over counts not
        r->records += day ? 86400u : (uint64_t)col_i64(&result.rows->cols[1])[0];
        r->seconds += cli_seconds() - begin;
        r->replays++;
        base_buf drop = {0};
        base_buf_printf(&drop, "ALTER MATERIALIZED VIEW bench.hours DROP VERSION %d",
                        col_i32(&result.rows->cols[2])[0]);
        rc = ask(r->engine, base_buf_cstr(&drop), &arena, &result, err);
        base_buf_deinit(&drop);
    }
    base_arena_deinit(&arena);
    return rc;
}

// There and back, a quarter of a second apart.
static base_rc promote(bench_replayer *r, base_error *err) {
    const char *way = r->replays % 2 == 0 ? "PROMOTE" : "ROLL BACK";
    base_arena arena;
    base_arena_init(&arena, 1 << 14);
    engine_result result;
    base_buf sql = {0};
    base_buf_printf(&sql, "ALTER MATERIALIZED VIEW bench.hours %s", way);
    double begin = cli_seconds();
    base_rc rc = ask(r->engine, base_buf_cstr(&sql), &arena, &result, err);
    r->seconds += cli_seconds() - begin;
    r->replays++;
    base_buf_deinit(&sql);
    base_arena_deinit(&arena);
    plat_sleep_us(250000);
    return rc;
}

static void *run(void *arg) {
    bench_replayer *r = arg;
    base_buf sql = {0};
    bool promotes = strcmp(r->selection, BENCH_PROMOTE) == 0;
    while (promotes && r->rc == BASE_OK && !atomic_load(&r->stop)) r->rc = promote(r, &r->err);
    if (promotes) return NULL;
    r->rc = day_statement(r->engine, r->selection, &sql, &r->err);
    while (r->rc == BASE_OK && !atomic_load(&r->stop)) r->rc = one(r, base_buf_cstr(&sql), &r->err);
    base_buf_deinit(&sql);
    return NULL;
}

void bench_replayer_start(bench_replayer *r, engine *e, const char *selection) {
    *r = (bench_replayer){.engine = e, .selection = selection};
    plat_thread_start(&r->thread, "replayer", run, r);
}

base_rc bench_replayer_stop(bench_replayer *r, base_error *err) {
    atomic_store(&r->stop, true);
    plat_thread_join(r->thread);
    if (r->rc != BASE_OK) {
        *err = r->err;
        return r->rc;
    }
    double each = r->seconds / (r->replays > 0 ? r->replays : 1);
    if (strcmp(r->selection, BENCH_PROMOTE) == 0) {
        printf("    meanwhile %u %s and back: %.3f s each\n", r->replays, r->selection, each);
        return BASE_OK;
    }
    printf("    meanwhile %u replays of %s: %s events/s from statement to end, %.2f s each\n",
           r->replays, r->selection,
           cli_number((uint64_t)((double)r->records / (r->seconds > 0 ? r->seconds : 1))), each);
    return BASE_OK;
}
