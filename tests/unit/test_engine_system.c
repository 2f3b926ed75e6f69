// What the engine tells of itself: schema weir, pg_catalog, settings, metrics; and what it does on
// its own: retention, sinks' cursors.

#include "base/calendar.h"
#include "engine/engine_int.h"
#include "engine/setting_int.h"
#include "engine_rig.h"

#define OBJECTS                                                                                    \
    "CREATE STREAM e (id BIGINT NOT NULL, k INT NOT NULL, v INT CHECK (v < 100), at TIMESTAMP "    \
    "NOT NULL, PRIMARY KEY (id), WATERMARK FOR at AS at) WITH (retention = '1 hour')"

static void start(rig *b) {
    EXPECT_EQ_STR(ask(b, OBJECTS), "CREATE STREAM");
    EXPECT_EQ_STR(ask(b, "CREATE MATERIALIZED VIEW m WITH (refresh = 'immediate') AS SELECT k, "
                         "sum(v) AS total FROM e GROUP BY k"),
                  "CREATE MATERIALIZED VIEW");
}

#define EVENT(id, k, v)                                                                            \
    "{\"id\":" #id ",\"k\":" #k ",\"v\":" #v ",\"at\":\"2021-01-01T00:00:" #id "\"}\n"

TEST(schema_weir) {
    rig b;
    if (!rig_start(&b)) return;
    start(&b);
    ingest(&b, "e", EVENT(10, 1, 5) EVENT(11, 2, 6) EVENT(10, 1, 5));
    ingest_any(&b, "e", "{\"id\":true}");
    flush(&b);
    EXPECT_EQ_STR(ask(&b, "SELECT schema, name, partitions, records, accepted, quarantined, late, "
                          "duplicates, watermark, retention FROM weir.streams"),
                  "public|e|1|3|3|1|1|1|2021-01-01 00:00:11+00|01:00:00");
    EXPECT_EQ_STR(ask(&b, "SELECT flow, name, cursor, log_end, lag, records, duplicates FROM "
                          "weir.partitions"),
                  "public@immediate|e|3|3|0|3|1");
    EXPECT_EQ_STR(ask(&b, "SELECT name, flow, refresh, rows, corrections, fresh FROM weir.views"),
                  "m|public@immediate|immediate|2|0|t");
    EXPECT_EQ_STR(ask(&b, "SELECT name, views, step, duplicates, failures, error FROM weir.flows"),
                  "public@immediate|1|1|1|0|null");
    EXPECT_EQ_STR(ask(&b, "SELECT column_name, type, not_null, is_key, time_role FROM "
                          "weir.contracts WHERE object = 'e' ORDER BY position"),
                  "id|bigint|t|t|null\nk|integer|t|f|null\nv|integer|f|f|null\n"
                  "at|timestamp without time zone|t|f|event time");
    EXPECT_EQ_STR(ask(&b, "SELECT name, expression FROM weir.checks"), "e_v_check|v < 100");
    EXPECT_EQ_STR(ask(&b, "SELECT view, watermark, fresh FROM weir.standing"),
                  "m|2021-01-01 00:00:11+00|t");
    rig_stop(&b);
}

TEST(quarantined_bytes_are_shown) {
    rig b;
    if (!rig_start(&b)) return;
    start(&b);
    ingest_any(&b, "e", "{\"id\": \"\xff\xfe\"}\n");
    EXPECT_EQ_STR(ask(&b, "SELECT raw FROM weir.quarantine"), "{\"id\": \"\\xff\\xfe\"}");
    static char big[20000];
    memset(big, 'x', sizeof big - 1);
    ingest_any(&b, "e", big);
    EXPECT_EQ_STR(ask(&b,
                      "SELECT length(raw) > 4096, length(raw) < 5000, raw LIKE '%(19999 bytes)' "
                      "FROM weir.quarantine WHERE log_offset = 1"),
                  "t|t|t");
    rig_stop(&b);
}

TEST(pg_catalog) {
    rig b;
    if (!rig_start(&b)) return;
    start(&b);
    ask(&b, "COMMENT ON COLUMN e.v IS 'the value'");
    EXPECT_EQ_STR(ask(&b, "SELECT relname, relkind, relnatts, relhasindex FROM pg_class WHERE oid "
                          ">= 16384 AND oid < 65536 ORDER BY oid"),
                  "e|r|4|t\nm|m|2|f");
    EXPECT_EQ_STR(ask(&b, "SELECT attname, format_type(atttypid, atttypmod), attnotnull, "
                          "col_description(attrelid, attnum) FROM pg_attribute WHERE attrelid = "
                          "'e'::regclass ORDER BY attnum"),
                  "id|bigint|t|null\nk|integer|t|null\nv|integer|f|the value\n"
                  "at|timestamp without time zone|t|null");
    EXPECT_EQ_STR(ask(&b, "SELECT pg_get_indexdef(indexrelid), indkey FROM pg_index"),
                  "CREATE UNIQUE INDEX e_pkey ON public.e USING btree (id)|{1}");
    EXPECT_EQ_STR(ask(&b, "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint ORDER BY "
                          "conname"),
                  "e_pkey|PRIMARY KEY (id)\ne_v_check|CHECK (v < 100)");
    EXPECT_EQ_STR(ask(&b, "SELECT table_name, table_type FROM information_schema.tables WHERE "
                          "table_schema = 'public' ORDER BY 1"),
                  "e|BASE TABLE\nm|VIEW");
    EXPECT_EQ_STR(ask(&b, "SELECT column_name, data_type, is_nullable FROM "
                          "information_schema.columns WHERE table_name = 'm' ORDER BY "
                          "ordinal_position"),
                  "k|integer|NO\ntotal|bigint|YES");
    // Every relation can be read as a whole, and every column has its type in pg_type.
    EXPECT_EQ_STR(ask(&b, "SELECT count(*) FROM pg_attribute a LEFT JOIN pg_type t ON t.oid = "
                          "a.atttypid WHERE t.oid IS NULL"),
                  "0");
    rig_stop(&b);
}

TEST(every_system_relation_gives_rows) {
    rig b;
    if (!rig_start(&b)) return;
    start(&b);
    ingest(&b, "e", EVENT(10, 1, 5));
    flush(&b);
    char names[400][160];
    size_t n = 0;
    const char *list = ask(&b, "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON "
                               "n.oid = c.relnamespace WHERE c.oid < 16384");
    while (*list != 0 && n < 400) {
        size_t length = strcspn(list, "\n");
        snprintf(names[n], sizeof names[n], "%.*s", (int)length, list);
        char *bar = strchr(names[n++], '|');
        if (bar != NULL) *bar = '.';
        list += length + (list[length] == '\n');
    }
    EXPECT(n > 90);
    size_t ncalled = 0;
    for (size_t i = 0; i < n; i++) {
        char query[256];
        snprintf(query, sizeof query, "SELECT * FROM %.200s", names[i]);
        const char *answer = ask(&b, query);
        bool called = strstr(answer, "is called like a function") != NULL;
        if (strncmp(answer, "ERROR", 5) == 0 && !called) {
            fprintf(stderr, "%s: %s\n", names[i], answer);
            test_failures++;
        }
        ncalled += called;
    }
    EXPECT(ncalled < 10);
    rig_stop(&b);
}

TEST(settings) {
    rig b;
    if (!rig_start(&b)) return;
    EXPECT_EQ_STR(ask(&b, "SHOW TimeZone"), "UTC");
    EXPECT_EQ_STR(ask(&b, "SET TIME ZONE 2"), "SET");
    EXPECT_EQ_INT(base_zone_offset_at(b.session.zone, 0), 7200);
    EXPECT_EQ_STR(ask(&b, "SET timezone = 'Mars/Olympus'"),
                  "ERROR 22023: invalid value for parameter \"TimeZone\": \"Mars/Olympus\"");
    EXPECT_EQ_STR(ask(&b, "RESET timezone"), "RESET");
    EXPECT(b.session.zone == NULL);
    EXPECT_EQ_STR(ask(&b, "SET statement_timeout = '2s'"), "SET");
    EXPECT_EQ_INT(engine_setting_statement_timeout_us(&b.session), 2000000);
    EXPECT_EQ_STR(ask(&b, "SELECT current_setting('statement_timeout')"), "2000");
    EXPECT_EQ_STR(ask(&b, "SET client_encoding = 'LATIN1'"),
                  "ERROR 22023: invalid value for parameter \"client_encoding\": \"LATIN1\"");
    EXPECT_EQ_STR(ask(&b, "SET server_version = '9'"),
                  "ERROR 55P02: parameter \"server_version\" cannot be changed");
    EXPECT_EQ_STR(ask(&b, "SET nope = 1"),
                  "ERROR 42704: unrecognized configuration parameter \"nope\"");
    EXPECT_EQ_STR(ask(&b, "CREATE SCHEMA s"), "CREATE SCHEMA");
    EXPECT_EQ_STR(ask(&b, "SET search_path TO s, public"), "SET");
    EXPECT_EQ_STR(ask(&b, "CREATE TABLE t (a INT NOT NULL, PRIMARY KEY (a))"), "CREATE TABLE");
    EXPECT_EQ_STR(ask(&b, "SELECT current_schema()"), "s");
    EXPECT_EQ_STR(ask(&b, "SELECT schema FROM weir.tables"), "s");
    rig_stop(&b);
}

TEST(retention_keeps_what_flows_need) {
    rig b;
    if (!rig_start(&b)) return;
    b.config.segment_bytes = 4096;
    if (!rig_reopen(&b)) return;
    start(&b);
    char body[256];
    for (int i = 0; i < 200; i++) {
        snprintf(body, sizeof body, "{\"id\":%d,\"k\":1,\"v\":1,\"at\":\"2021-01-01T00:00:00\"}\n",
                 i);
        ingest(&b, "e", body);
    }
    plat_sim_advance_us(b.sim, 3 * BASE_US_PER_HOUR);
    engine_schedules_run(b.e);
    EXPECT_EQ_STR(ask(&b, "SELECT count(*) FROM e"), "200"); // no flow has read them
    base_error err = {0};
    bool progressed;
    REQUIRE_OK(engine_tick(b.e, true, &progressed, &err));
    ingest(&b, "e", "{\"id\":900,\"k\":2,\"v\":1,\"at\":\"2021-01-01T00:00:00\"}\n");
    flush(&b);
    plat_sim_advance_us(b.sim, 20 * BASE_US_PER_SECOND);
    engine_schedules_run(b.e);
    const char *left = ask(&b, "SELECT records FROM weir.streams");
    EXPECT(atoi(left) < 200);
    EXPECT(atoi(left) >= 1);
    EXPECT_EQ_STR(ask(&b, "SELECT accepted FROM weir.streams"), "201");
    EXPECT_EQ_STR(ask(&b, "SELECT k, total FROM m ORDER BY k"), "1|200\n2|1");
    if (!rig_reopen(&b)) return;
    EXPECT_EQ_STR(ask(&b, "SELECT k, total FROM m ORDER BY k"), "1|200\n2|1");
    rig_stop(&b);
}

TEST(sinks_have_cursors) {
    rig b;
    if (!rig_start(&b)) return;
    start(&b);
    ingest(&b, "e", EVENT(10, 1, 5));
    flush(&b);
    EXPECT_EQ_STR(ask(&b, "CREATE SINK out FROM m WITH (connector = 'file', path = '/data/out')"),
                  "CREATE SINK");
    const plan_object *sink = engine_find(b.e, BASE_STR("out"));
    REQUIRE(sink != NULL);
    uint64_t step;
    base_error err = {0};
    REQUIRE_OK(engine_sink_cursor(b.e, sink, &step, &err));
    EXPECT_EQ_INT(step, 1); // what was there before is not delivered
    engine_sink_report(b.e, sink, 3, 1, "refused");
    EXPECT_EQ_STR(ask(&b, "SELECT step, delivered, failed, last_error FROM weir.sinks"),
                  "1|3|1|refused");
    REQUIRE_OK(engine_sink_ack(b.e, sink, 7, &err));
    if (!rig_reopen(&b)) return;
    EXPECT_EQ_STR(ask(&b, "SELECT step, delivered, failed, last_error FROM weir.sinks"),
                  "7|3|1|null");
    rig_stop(&b);
}

TEST(changes_wait_for_their_readers) {
    rig b;
    if (!rig_start(&b)) return;
    b.config.changes_keep_steps = 10;
    if (!rig_reopen(&b)) return;
    start(&b);
    EXPECT_EQ_STR(ask(&b, "CREATE SINK out FROM m WITH (connector = 'file', path = '/data/out')"),
                  "CREATE SINK");
    const plan_object *sink = engine_find(b.e, BASE_STR("out"));
    REQUIRE(sink != NULL);
    base_error err = {0};
    bool found = false;
    engine_change change;
    char body[128];
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 600; i++) {
            snprintf(body, sizeof body, "{\"id\":%d,\"k\":1,\"v\":1,\"at\":\"2021-01-01\"}",
                     round * 600 + i);
            ingest(&b, "e", body);
            flush(&b);
        }
        base_arena_reset(&b.arena);
        base_rc rc = engine_change_next(b.e, sink->from, round == 0 ? 0 : 590, &b.arena, &change,
                                        &found, &err);
        if (round == 0) {
            EXPECT_EQ_INT(rc, BASE_OK); // the sink has delivered nothing
            EXPECT(found && change.step == 1);
            REQUIRE_OK(engine_sink_ack(b.e, sink, 600, &err));
        } else {
            EXPECT_EQ_INT(rc, BASE_E_NOT_FOUND);
            REQUIRE_OK(engine_change_next(b.e, sink->from, 1199, &b.arena, &change, &found, &err));
            EXPECT(found && change.step == 1200);
        }
    }
    rig_stop(&b);
}

TEST(metrics) {
    rig b;
    if (!rig_start(&b)) return;
    start(&b);
    ingest(&b, "e", EVENT(10, 1, 5) EVENT(11, 1, 6));
    flush(&b);
    base_buf text = {0};
    engine_metrics(b.e, &text);
    const char *all = base_buf_cstr(&text);
    EXPECT(strstr(all, "weir_stream_records_total{stream=\"public.e\"} 2\n") != NULL);
    EXPECT(strstr(all, "weir_flow_step{flow=\"public@immediate\"} 1\n") != NULL);
    EXPECT(strstr(all, "weir_view_rows{view=\"public.m\"} 1\n") != NULL);
    EXPECT(strstr(all, "weir_flow_step_seconds_count{flow=\"public@immediate\"} 1\n") != NULL);
    // Each line is a comment or "name{labels} value"; each family is announced once.
    for (const char *at = all; *at != 0;) {
        size_t n = strcspn(at, "\n");
        EXPECT(n > 0 && (at[0] == '#' || memchr(at, ' ', n) != NULL));
        at += n + 1;
    }
    base_buf_deinit(&text);
    rig_stop(&b);
}

// What the operators of a view and of a query have done.
TEST(operators_tell_what_they_did) {
    rig b;
    if (!rig_start(&b)) return;
    ask(&b, "CREATE SCHEMA x");
    ask(&b, "CREATE STREAM x.e (k INT NOT NULL, v INT)");
    ask(&b,
        "CREATE MATERIALIZED VIEW x.v AS SELECT k, count(*) AS n FROM x.e WHERE v > 0 GROUP BY k");
    ingest(&b, "x.e", "{\"k\":1,\"v\":1}\n{\"k\":1,\"v\":0}\n{\"k\":2,\"v\":5}\n{\"k\":2,\"v\":6}");
    flush(&b);
    EXPECT_EQ_STR(ask(&b,
                      "SELECT operator, rows_in, rows_out, state_rows FROM weir.operators WHERE "
                      "view = 'v' ORDER BY node"),
                  "aggregate|3|2|2\nfilter|4|3|0\nscan|4|4|0");
    const char *text = ask(&b, "EXPLAIN ANALYZE MATERIALIZED VIEW x.v");
    EXPECT(strstr(text, "Aggregate by (k): count(*) AS n  (rows in=3 out=2, time=") != NULL);
    EXPECT(strstr(text, "state=2 rows") != NULL);
    text = ask(&b, "EXPLAIN ANALYZE SELECT k FROM x.e WHERE v > 5");
    EXPECT(strstr(text, "Filter (v > 5)  (rows in=4 out=1, time=") != NULL);
    EXPECT(strstr(text, "Rows: 1") != NULL);
    text = ask(&b, "EXPLAIN (FORMAT DOT) MATERIALIZED VIEW x.v");
    EXPECT(strncmp(text, "digraph plan {", 14) == 0 && strstr(text, "n2 -> n1;") != NULL);
    EXPECT(strncmp(ask(&b, "EXPLAIN MATERIALIZED VIEW x.e"), "ERROR 42809", 11) == 0);
    EXPECT(strncmp(ask(&b, "EXPLAIN MATERIALIZED VIEW x.no"), "ERROR 42P01", 11) == 0);
    rig_stop(&b);
}

// What stands in a view's plan twice is run once, and right for both.
TEST(equal_parts_of_a_plan_are_run_once) {
    rig b;
    if (!rig_start(&b)) return;
    ask(&b, "CREATE SCHEMA x");
    ask(&b, "CREATE TABLE x.t (id INT PRIMARY KEY, k INT NOT NULL, v INT)");
    EXPECT_EQ_STR(ask(&b,
                      "CREATE MATERIALIZED VIEW x.v AS WITH w AS (SELECT k, sum(v) AS s, count(*) "
                      "AS n FROM x.t GROUP BY k) SELECT a.k, a.s, b.s AS others FROM w a JOIN w b "
                      "ON a.k = b.k + 1"),
                  "CREATE MATERIALIZED VIEW");
    ingest(&b, "x.t",
           "{\"id\":1,\"k\":1,\"v\":1}\n{\"id\":2,\"k\":1,\"v\":2}\n{\"id\":3,\"k\":2,\"v\":5}");
    flush(&b);
    EXPECT_EQ_STR(ask(&b, "SELECT count(*) FROM weir.operators WHERE view = 'v' AND operator = "
                          "'aggregate'"),
                  "1");
    EXPECT_EQ_STR(ask(&b, "SELECT * FROM x.v"), "2|5|3");
    if (!rig_reopen(&b)) return;
    ingest(&b, "x.t", "{\"id\":1,\"k\":3,\"v\":7}\n{\"id\":3,\"k\":2,\"v\":6}");
    flush(&b);
    EXPECT_EQ_STR(ask(&b, "SELECT * FROM x.v ORDER BY k"), "2|6|2\n3|7|6");
    rig_stop(&b);
}

TEST_MAIN(TEST_ENTRY(operators_tell_what_they_did), TEST_ENTRY(equal_parts_of_a_plan_are_run_once),
          TEST_ENTRY(schema_weir), TEST_ENTRY(quarantined_bytes_are_shown), TEST_ENTRY(pg_catalog),
          TEST_ENTRY(every_system_relation_gives_rows), TEST_ENTRY(settings),
          TEST_ENTRY(retention_keeps_what_flows_need), TEST_ENTRY(sinks_have_cursors),
          TEST_ENTRY(changes_wait_for_their_readers), TEST_ENTRY(metrics))
