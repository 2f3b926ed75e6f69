// The engine as a server runs it: flows on their own threads over stores on disk, while requests
// come in, views come and go and everything is asked about.

#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/must.h"
#include "col/codec.h"
#include "engine/engine.h"
#include "plat/thread.h"
#include "test.h"
#include "wire/json.h"

#define WRITERS  2
#define REQUESTS 200
#define RECORDS  20

typedef struct shared {
    engine *e;
    atomic_int next_writer, running;
} shared;

static const char *run(engine *e, const char *sql, char out[256]) {
    engine_session session;
    engine_session_init(&session, e);
    base_arena arena;
    base_arena_init(&arena, 4096);
    engine_result result;
    base_error err = {0};
    if (engine_run_sql(&session, base_str_of(sql), &arena, &result, &err) != BASE_OK) {
        snprintf(out, 256, "ERROR %s: %.200s", err.sqlstate, err.message);
    } else if (!result.has_rows) {
        snprintf(out, 256, "%s", result.tag);
    } else {
        base_buf text = {0};
        for (uint32_t row = 0; row < result.rows->nrows; row++)
            for (uint32_t i = 0; i < result.ncolumns; i++) {
                if (row + i > 0) base_buf_add_byte(&text, '|');
                if (!col_is_null(&result.rows->cols[i], row))
                    col_text_format(&result.rows->cols[i], row, 0, &text);
            }
        snprintf(out, 256, "%.250s", base_buf_cstr(&text));
        base_buf_deinit(&text);
    }
    base_arena_deinit(&arena);
    return out;
}

// Each record twice, once in each of two requests: the second is a duplicate.
static void *writer(void *arg) {
    shared *s = arg;
    int me = atomic_fetch_add(&s->next_writer, 1);
    base_arena arena;
    base_arena_init(&arena, 1 << 16);
    base_buf body = {0};
    for (int i = 0; i < REQUESTS * 2; i++) {
        base_buf_clear(&body);
        for (int k = 0; k < RECORDS; k++)
            base_buf_printf(&body, "{\"id\":%d,\"k\":%d,\"v\":1}\n",
                            (me * REQUESTS + i / 2) * RECORDS + k, k % 5);
        base_buf_reserve(&body, WIRE_JSON_PADDING);
        engine_ingest_result result;
        base_error err = {0};
        base_arena_reset(&arena);
        if (engine_ingest(s->e, BASE_STR("e"), base_buf_str(&body), "test", &arena, &result,
                          &err) != BASE_OK)
            must(!"ingest failed");
        must(result.accepted == RECORDS);
    }
    base_buf_deinit(&body);
    base_arena_deinit(&arena);
    atomic_fetch_sub(&s->running, 1);
    return NULL;
}

static void *asker(void *arg) {
    static const char *const queries[] = {
        "SELECT k, n FROM sums ORDER BY k",
        "SELECT * FROM weir.views",
        "SELECT * FROM weir.streams",
        "SELECT * FROM weir.flows",
        "SELECT * FROM weir.partitions",
        "SELECT count(*) FROM weir.duplicates",
        "SELECT relname, reltuples FROM pg_class",
        "SELECT count(*) FROM e",
    };
    shared *s = arg;
    char out[256];
    for (size_t i = 0; atomic_load(&s->running) > 0; i++) {
        const char *query = queries[i % (sizeof queries / sizeof *queries)];
        run(s->e, "SELECT count(*) FROM gone", out); // there or not
        run(s->e, "INSERT INTO gone VALUES (3)", out);
        if (strncmp(run(s->e, query, out), "ERROR", 5) == 0) {
            fprintf(stderr, "%s: %s\n", query, out);
            must(!"a query failed");
        }
        base_buf text = {0};
        if (i % 16 == 0) engine_metrics(s->e, &text);
        base_buf_deinit(&text);
    }
    return NULL;
}

static bool open_at(const char *dir, engine **e) {
    engine_config config = {.dir = dir, .threads = true, .state_no_sync = true};
    base_error err = {0};
    if (engine_open(plat_os(), &config, e, &err) == BASE_OK) return true;
    fprintf(stderr, "open: %s\n", err.message);
    test_failures++;
    return false;
}

TEST(all_at_once) {
    char dir[] = "/tmp/weir-test-XXXXXX", out[256];
    REQUIRE(mkdtemp(dir) != NULL);
    shared s = {.running = WRITERS};
    if (!open_at(dir, &s.e)) return;
    EXPECT_EQ_STR(
        run(s.e, "CREATE STREAM e (id BIGINT NOT NULL, k INT, v INT, PRIMARY KEY (id))", out),
        "CREATE STREAM");
    EXPECT_EQ_STR(run(s.e,
                      "CREATE MATERIALIZED VIEW sums WITH (refresh = 'immediate') AS SELECT k, "
                      "count(*) AS n FROM e GROUP BY k",
                      out),
                  "CREATE MATERIALIZED VIEW");
    plat_thread threads[WRITERS + 1];
    for (int i = 0; i < WRITERS; i++) plat_thread_start(&threads[i], "writer", writer, &s);
    plat_thread_start(&threads[WRITERS], "asker", asker, &s);
    // Views of the same flow and of another come and go meanwhile; each has the whole history.
    char query[256];
    for (int i = 0; i < 6; i++) {
        snprintf(query, sizeof query,
                 "CREATE MATERIALIZED VIEW v%d WITH (refresh = '%s') AS SELECT count(*) AS n, "
                 "sum(n) AS total FROM sums",
                 i, i % 2 == 0 ? "immediate" : "100 milliseconds");
        EXPECT_EQ_STR(run(s.e, query, out), "CREATE MATERIALIZED VIEW");
        // A stream that is written to, asked about and dropped.
        EXPECT_EQ_STR(run(s.e, "CREATE STREAM gone (a INT)", out), "CREATE STREAM");
        EXPECT_EQ_STR(run(s.e, "INSERT INTO gone VALUES (1), (2)", out), "INSERT 0 2");
        EXPECT_EQ_STR(run(s.e, "DROP STREAM gone", out), "DROP STREAM");
        if (i % 3 != 0) continue;
        snprintf(query, sizeof query, "DROP MATERIALIZED VIEW v%d", i);
        EXPECT_EQ_STR(run(s.e, query, out), "DROP MATERIALIZED VIEW");
    }
    for (int i = 0; i <= WRITERS; i++) plat_thread_join(threads[i]);
    EXPECT_EQ_STR(run(s.e, "FLUSH", out), "FLUSH");
    const int each = WRITERS * REQUESTS * RECORDS / 5;
    char wanted[256];
    snprintf(wanted, sizeof wanted, "0|%d|1|%d|2|%d|3|%d|4|%d", each, each, each, each, each);
    for (int round = 0; round < 2; round++) {
        EXPECT_EQ_STR(run(s.e, "SELECT k, n FROM sums ORDER BY k", out), wanted);
        for (int i = 0; i < 6; i++) {
            if (i % 3 == 0) continue;
            char total[32];
            snprintf(total, sizeof total, "5|%d", each * 5);
            snprintf(query, sizeof query, "SELECT n, total FROM v%d", i);
            EXPECT_EQ_STR(run(s.e, query, out), total);
        }
        snprintf(wanted + 200, 50, "%d|%d", WRITERS * REQUESTS * RECORDS * 2,
                 WRITERS * REQUESTS * RECORDS);
        EXPECT_EQ_STR(run(s.e, "SELECT accepted, duplicates FROM weir.streams", out), wanted + 200);
        engine_close(s.e);
        if (round == 0 && !open_at(dir, &s.e)) return;
    }
    base_error err;
    EXPECT(plat_remove_tree(plat_os(), dir, &err) == BASE_OK);
}

static base_rc fail_commit(void *arg, const char *op, base_error *err) {
    atomic_bool *armed = arg;
    if (strcmp(op, "commit") != 0 || !atomic_exchange(armed, false)) return BASE_OK;
    return base_fail(err, BASE_E_IO, NULL, "as asked for");
}

static state_memory *memory_for(void *arg, const char *dir) {
    state_memory **memories = arg; // of the catalogue and of the one flow
    return memories[strstr(dir, "/flow/") != NULL];
}

// A flow whose step failed does not wait for the next beat of its refresh.
TEST(a_failed_refresh_is_tried_again_soon) {
    char dir[] = "/tmp/weir-test-XXXXXX", out[256];
    REQUIRE(mkdtemp(dir) != NULL);
    state_memory *memories[2] = {state_memory_create(), state_memory_create()};
    atomic_bool armed = false;
    state_memory_set_fault(memories[1], fail_commit, &armed);
    engine_config config = {
        .dir = dir, .threads = true, .memory_for = memory_for, .memory_arg = memories};
    engine *e;
    base_error err = {0};
    REQUIRE_OK(engine_open(plat_os(), &config, &e, &err));
    EXPECT_EQ_STR(run(e, "CREATE STREAM e (id BIGINT NOT NULL)", out), "CREATE STREAM");
    EXPECT_EQ_STR(run(e,
                      "CREATE MATERIALIZED VIEW n WITH (refresh = '1 hour') AS SELECT count(*) AS "
                      "n FROM e",
                      out),
                  "CREATE MATERIALIZED VIEW");
    EXPECT_EQ_STR(run(e, "FLUSH", out), "FLUSH");
    EXPECT_EQ_STR(run(e, "INSERT INTO e VALUES (1)", out), "INSERT 0 1");
    atomic_store(&armed, true);
    run(e, "FLUSH", out); // reports the failure, unless the next try is faster
    EXPECT(!atomic_load(&armed));
    for (int i = 0; i < 500 && strcmp(run(e, "SELECT n FROM n", out), "1") != 0; i++) usleep(10000);
    EXPECT_EQ_STR(out, "1");
    engine_close(e);
    for (int i = 0; i < 2; i++) state_memory_destroy(memories[i]);
    EXPECT(plat_remove_tree(plat_os(), dir, &err) == BASE_OK);
}

TEST_MAIN(TEST_ENTRY(all_at_once), TEST_ENTRY(a_failed_refresh_is_tried_again_soon))
