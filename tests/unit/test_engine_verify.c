// Shadow flows and verification: what is recomputed from the log is what is served; a row that was
// changed behind the engine's back is found; two replays give the same bytes.

#include "engine/version/shadow.h"
#include "engine_rig.h"

static const char schema[] =
    "CREATE SCHEMA s;"
    "CREATE STREAM s.e (id INT NOT NULL, k TEXT NOT NULL, v NUMERIC NOT NULL, at TIMESTAMPTZ NOT "
    "NULL, PRIMARY KEY (id), WATERMARK FOR at AS at - INTERVAL '1 second') WITH (partitions = 3);"
    "CREATE TABLE s.t (k TEXT PRIMARY KEY, w INT);"
    "CREATE MATERIALIZED VIEW s.by_k WITH (refresh = 'immediate') AS SELECT k, count(*) AS n, "
    "sum(v) AS v, max(v) AS most FROM s.e GROUP BY k;"
    "CREATE MATERIALIZED VIEW s.minute WITH (refresh = 'immediate') AS SELECT window_start, "
    "count(*) AS n FROM TUMBLE(s.e, at, INTERVAL '1 minute') GROUP BY window_start EMIT ON WINDOW "
    "CLOSE;"
    "CREATE MATERIALIZED VIEW s.rows WITH (refresh = 'immediate') AS SELECT id, k FROM s.e WHERE v "
    "> 2;"
    "CREATE MATERIALIZED VIEW s.joined WITH (refresh = 'immediate') AS SELECT e.id, t.w FROM s.e "
    "JOIN s.t ON t.k = e.k;"
    "CREATE MATERIALIZED VIEW s.above WITH (refresh = '1 second') AS SELECT count(*) AS groups, "
    "sum(n) AS n FROM s.by_k;"
    "CREATE MATERIALIZED VIEW s.above_rows WITH (refresh = '1 second') AS SELECT k, count(*) AS n "
    "FROM s.rows GROUP BY k;"
    "CREATE MATERIALIZED VIEW s.within WITH (refresh = 'immediate') AS SELECT max(n) AS n FROM "
    "s.by_k";

static void make(rig *b) {
    base_arena arena;
    base_arena_init(&arena, 1 << 12);
    base_str *statements;
    size_t n;
    base_error err = {0};
    REQUIRE(engine_split(&arena, base_str_of(schema), &n, &statements, &err) == BASE_OK);
    for (size_t i = 0; i < n; i++) {
        char text[1024];
        snprintf(text, sizeof text, "%.*s", BASE_STR_ARG(statements[i]));
        EXPECT(strncmp(ask(b, text), "CREATE", 6) == 0);
    }
    base_arena_deinit(&arena);
}

// Rounds of events with late ones, duplicates and table changes, a step or more each.
static void feed(rig *b, uint32_t rounds, uint32_t first) {
    for (uint32_t round = 0; round < rounds; round++) {
        base_buf body = {0};
        for (uint32_t i = 0; i < 20; i++) {
            uint32_t id = first + round * 18 + i; // two duplicates a round
            base_buf_printf(
                &body,
                "{\"id\":%u,\"k\":\"k%u\",\"v\":%u.%u,\"at\":\"2026-01-01T00:%02u:%02uZ\"}\n", id,
                id * 7 % 5, id % 11, id % 3, (id / 9 + (id % 4 == 0 ? 0 : 1)) % 60, id * 13 % 60);
        }
        ingest(b, "s.e", base_buf_cstr(&body));
        base_buf_clear(&body);
        base_buf_printf(&body, "{\"k\":\"k%u\",\"w\":%u}", round % 5, round);
        ingest(b, "s.t", base_buf_cstr(&body));
        base_buf_deinit(&body);
        flush(b);
    }
}

typedef struct digests {
    char rows[33], state[33];
} digests;

static engine_verify_result verify(rig *b, const char *name, digests *out) {
    engine_verify_result result = {0};
    base_error err = {0};
    base_arena_reset(&b->arena);
    if (engine_verify(b->e, engine_find(b->e, base_str_of(name)), &b->arena, NULL, &result, &err) !=
        BASE_OK) {
        fprintf(stderr, "verify %s: %s\n", name, err.message);
        test_failures++;
    }
    if (out != NULL) {
        memcpy(out->rows, result.digest_from_log, sizeof out->rows);
        memcpy(out->state, result.state_digest, sizeof out->state);
    }
    return result;
}

static const char *const views[] = {"s.by_k",  "s.minute",     "s.rows",  "s.joined",
                                    "s.above", "s.above_rows", "s.within"};
#define NVIEWS (sizeof views / sizeof *views)

TEST(every_view_is_what_the_log_says) {
    rig b;
    if (!rig_start(&b)) return;
    make(&b);
    feed(&b, 8, 0);
    for (int again = 0; again < 2; again++) {
        for (size_t i = 0; i < NVIEWS; i++) {
            engine_verify_result r = verify(&b, views[i], NULL);
            EXPECT_EQ_STR(engine_verdict_name(r.verdict), "equal");
            EXPECT(r.rows > 0 && r.rows == r.rows_from_log);
            EXPECT_EQ_STR(r.digest, r.digest_from_log);
        }
        if (!rig_reopen(&b)) return;
        feed(&b, 2, 500);
    }
    EXPECT(strstr(ask(&b, "VERIFY MATERIALIZED VIEW s.by_k"), "s.by_k|equal|5|5|0|0|0|") != NULL);
    EXPECT(strncmp(ask(&b, "VERIFY s.nothing"), "ERROR 42P01", 11) == 0);
    rig_stop(&b);
}

TEST(a_view_without_an_event_and_one_without_a_step_are_equal) {
    rig b;
    if (!rig_start(&b)) return;
    make(&b);
    EXPECT_EQ_STR(engine_verdict_name(verify(&b, "s.minute", NULL).verdict), "equal");
    flush(&b);
    EXPECT_EQ_STR(engine_verdict_name(verify(&b, "s.above", NULL).verdict), "equal");
    rig_stop(&b);
}

// Changes the row of a view behind the engine's back: through the store, so that its checksum is
// good. nth: of the table's rows; remove: it goes.
static void spoil(rig *b, const char *name, uint32_t nth, bool remove) {
    const plan_object *view = engine_find(b->e, base_str_of(name));
    engine_flow *flow = engine_flow_of_view(b->e, view->id);
    char table_name[32];
    snprintf(table_name, sizeof table_name, "v%u", view->id);
    state_table table;
    state_txn *txn;
    state_cursor *cursor;
    base_error err = {0};
    base_str key, value;
    bool end, found;
    REQUIRE(state_table_open(flow->store, table_name, &table, &err) == BASE_OK);
    REQUIRE(state_begin_write(flow->store, &txn, &err) == BASE_OK);
    REQUIRE(state_cursor_open(txn, table, &cursor, &err) == BASE_OK);
    REQUIRE(state_cursor_seek(cursor, (base_str){NULL, 0}, &key, &value, &end, &err) == BASE_OK);
    for (uint32_t i = 0; i < nth && !end; i++)
        REQUIRE(state_cursor_next(cursor, &key, &value, &end, &err) == BASE_OK);
    REQUIRE(!end);
    base_buf k = {0}, v = {0};
    base_buf_add(&k, key.p, key.n);
    base_buf_add(&v, value.p, value.n);
    state_cursor_close(cursor);
    v.p[v.n - 1] ^= 2; // a small number
    base_rc rc = remove ? state_delete(txn, table, base_buf_str(&k), &found, &err)
                        : state_put(txn, table, base_buf_str(&k), base_buf_str(&v), &err);
    REQUIRE(rc == BASE_OK);
    REQUIRE(state_commit(txn, &err) == BASE_OK);
    base_buf_deinit(&k);
    base_buf_deinit(&v);
}

TEST(a_spoilt_row_is_found) {
    rig b;
    if (!rig_start(&b)) return;
    make(&b);
    feed(&b, 5, 0);
    spoil(&b, "s.above_rows", 1, false);
    engine_verify_result r = verify(&b, "s.above_rows", NULL);
    EXPECT_EQ_STR(engine_verdict_name(r.verdict), "differs");
    EXPECT_EQ_INT(r.differing, 1);
    EXPECT_EQ_INT(r.missing + r.unexpected, 0);
    EXPECT_EQ_INT(r.nlisted, 1);
    EXPECT_EQ_STR(r.listed[0].key, "{\"k\":\"k1\"}");
    EXPECT(strcmp(r.digest, r.digest_from_log) != 0);
    EXPECT_EQ_STR(engine_verdict_name(verify(&b, "s.rows", NULL).verdict), "equal");
    spoil(&b, "s.by_k", 0, true);
    r = verify(&b, "s.by_k", NULL);
    EXPECT_EQ_INT(r.missing, 1);
    EXPECT_EQ_INT(r.differing + r.unexpected, 0);
    EXPECT_EQ_STR(r.listed[0].key, "{\"k\":\"k0\"}");
    EXPECT(r.listed[0].served == NULL && r.listed[0].from_log != NULL);
    rig_stop(&b);
}

TEST(replays_give_the_same_bytes) {
    rig b;
    if (!rig_start(&b)) return;
    make(&b);
    feed(&b, 6, 0);
    digests first[NVIEWS], other;
    for (size_t i = 0; i < NVIEWS; i++) verify(&b, views[i], &first[i]);
    const struct {
        uint32_t cores, batch_rows;
        uint64_t step_bytes;
    } ways[] = {{0, 0, 0}, {2, 0, 0}, {0, 1, 0}, {2, 7, 0}, {0, 0, 300}};
    for (size_t w = 0; w < sizeof ways / sizeof *ways; w++) {
        b.config.cores = ways[w].cores;
        b.config.part_rows = 1;
        b.config.batch_rows = ways[w].batch_rows;
        b.config.step_bytes = ways[w].step_bytes;
        if (!rig_reopen(&b)) return;
        for (size_t i = 0; i < NVIEWS; i++) {
            verify(&b, views[i], &other);
            EXPECT_EQ_STR(other.rows, first[i].rows);
            if (ways[w].batch_rows == 0 && ways[w].step_bytes == 0)
                EXPECT_EQ_STR(other.state, first[i].state);
        }
    }
    rig_stop(&b);
}

TEST(what_looks_up_the_present_is_said_to_be_not_verifiable) {
    rig b;
    if (!rig_start(&b)) return;
    make(&b);
    ask(&b, "CREATE MATERIALIZED VIEW s.looked AS SELECT e.id, t.w FROM s.e AS e JOIN s.t FOR "
            "SYSTEM_TIME AS OF PROCTIME() AS t ON t.k = e.k");
    feed(&b, 2, 0);
    engine_verify_result r = verify(&b, "s.looked", NULL);
    EXPECT_EQ_STR(engine_verdict_name(r.verdict), "not verifiable");
    EXPECT(strstr(r.reason, "s.looked") != NULL);
    rig_stop(&b);
}

// What retention has taken is said, and what differs for it is no fault; a version that lacks it is
// not promoted by chance, and the view does not lose it by a replay.
TEST(what_retention_has_removed_is_said) {
    rig b;
    if (!rig_start(&b)) return;
    b.config.segment_bytes = 8192;
    if (!rig_reopen(&b)) return;
    ask(&b,
        "CREATE STREAM e (id INT PRIMARY KEY, k INT NOT NULL, filler TEXT) WITH (retention = '1 "
        "hour')");
    ask(&b, "CREATE MATERIALIZED VIEW v WITH (refresh = 'immediate') AS SELECT k, count(*) AS n "
            "FROM e GROUP BY k");
    for (int i = 0; i < 40; i++) {
        char text[700];
        snprintf(text, sizeof text, "{\"id\":%d,\"k\":%d,\"filler\":\"%0500d\"}", i, i / 20, i);
        ingest(&b, "e", text);
    }
    flush(&b);
    EXPECT_EQ_STR(engine_verdict_name(verify(&b, "v", NULL).verdict), "equal");
    plat_sim_advance_us(b.sim, 2 * 3600 * BASE_US_PER_SECOND);
    ingest(&b, "e", "{\"id\":100,\"k\":1}");
    flush(&b);
    engine_schedules_run(b.e);
    engine_verify_result r = verify(&b, "v", NULL);
    EXPECT_EQ_STR(engine_verdict_name(r.verdict), "partial");
    EXPECT(r.lost > 0 && r.lost < 40);
    EXPECT(strstr(r.reason, "retention") != NULL);
    EXPECT(strncmp(ask(&b, "CREATE OR REPLACE MATERIALIZED VIEW v WITH (refresh = 'immediate') AS "
                           "SELECT k, sum(1) AS n FROM e GROUP BY k"),
                   "CREATE", 6) == 0);
    EXPECT(strtoull(ask(&b, "SELECT history_lost FROM weir.versions WHERE version = 2"), NULL, 10) >
           0);
    EXPECT(strncmp(ask(&b, "ALTER MATERIALIZED VIEW v PROMOTE"), "ERROR 55000", 11) == 0);
    EXPECT(strncmp(ask(&b, "REPLAY INTO v (ALL)"), "ERROR 55000", 11) == 0);
    EXPECT_EQ_STR(ask(&b, "SELECT * FROM v ORDER BY k"), "0|20\n1|21");
    EXPECT_EQ_STR(ask(&b, "ALTER MATERIALIZED VIEW v PROMOTE FORCE"), "ALTER MATERIALIZED VIEW");
    EXPECT(strcmp(ask(&b, "SELECT * FROM v ORDER BY k"), "0|20\n1|21") != 0);
    rig_stop(&b);
}

// ---- selections and resuming --------------------------------------------------------------------

static uint64_t rows_of(engine_shadow *shadow, const char *name, rig *b) {
    const plan_object *view = engine_find(b->e, base_str_of(name));
    const engine_view *made = engine_flow_view(engine_shadow_flow(shadow), view->id);
    return made->nrows;
}

static engine_shadow *open_shadow(rig *b, const char *name, const engine_selection *selection,
                                  bool durable) {
    const plan_object *view = engine_find(b->e, base_str_of(name));
    engine_flow *flow = engine_flow_of_view(b->e, view->id);
    engine_shadow_config config = {.name = "test", .durable = durable, .selection = selection};
    engine_shadow *shadow = NULL;
    base_error err = {0};
    if (engine_shadow_open(b->e, flow, view, &config, &shadow, &err) != BASE_OK) {
        fprintf(stderr, "shadow: %s\n", err.message);
        test_failures++;
    }
    return shadow;
}

static base_rc run_shadow(rig *b, engine_shadow *shadow, const char *name, volatile bool *cancel) {
    const plan_object *view = engine_find(b->e, base_str_of(name));
    engine_view_snapshot served;
    base_error err = {0};
    base_rc rc = engine_view_snapshot_open(b->e, view, &served, &err);
    if (rc == BASE_OK) rc = engine_shadow_aim(shadow, served.txn, &err);
    engine_view_snapshot_close(&served);
    return rc == BASE_OK ? engine_shadow_run(shadow, true, cancel, &err) : rc;
}

static uint64_t selected(rig *b, const engine_selection *selection) {
    engine_shadow *shadow = open_shadow(b, "s.rows", selection, false);
    if (shadow == NULL) return UINT64_MAX;
    EXPECT(run_shadow(b, shadow, "s.rows", NULL) == BASE_OK);
    uint64_t n = rows_of(shadow, "s.rows", b);
    engine_shadow_close(shadow, true);
    return n;
}

TEST(selections_read_what_they_select) {
    rig b;
    if (!rig_start(&b)) return;
    make(&b);
    feed(&b, 6, 0);
    uint64_t all = selected(&b, NULL), parts = 0;
    EXPECT_EQ_INT(all, strtoull(ask(&b, "SELECT count(*) FROM s.rows"), NULL, 10));
    for (uint32_t p = 0; p < 3; p++)
        parts += selected(&b, &(engine_selection){.kind = ENGINE_SELECT_PARTITION, .partition = p});
    EXPECT_EQ_INT(parts, all);
    engine_selection one = {.kind = ENGINE_SELECT_KEY, .nkey = 1, .key = {"10"}};
    EXPECT_EQ_INT(selected(&b, &one), 1); // v is 10.1
    int64_t day = 9497 * BASE_US_PER_DAY; // 2026-01-01
    engine_selection time = {.kind = ENGINE_SELECT_EVENT_TIME,
                             .from_us = day + 3 * BASE_US_PER_MINUTE,
                             .upto_us = day + 5 * BASE_US_PER_MINUTE};
    EXPECT_EQ_INT(selected(&b, &time),
                  strtoull(ask(&b, "SELECT count(*) FROM s.rows JOIN s.e USING (id) WHERE at >= "
                                   "'2026-01-01 00:03:00Z' AND at < '2026-01-01 00:05:00Z'"),
                           NULL, 10));
    rig_stop(&b);
}

TEST(the_halves_of_a_log_are_the_whole) {
    rig b;
    if (!rig_start(&b)) return;
    make(&b);
    feed(&b, 1, 0); // without duplicates: one whose original is not selected would count
    uint64_t halves = 0;
    for (int half = 0; half < 2; half++)
        for (uint32_t p = 0; p < 3; p++)
            halves += selected(&b, &(engine_selection){.kind = ENGINE_SELECT_OFFSETS,
                                                       .has_partition = true,
                                                       .partition = p,
                                                       .from = half == 0 ? 0 : 3,
                                                       .upto = half == 0 ? 3 : UINT64_MAX});
    EXPECT_EQ_INT(halves, strtoull(ask(&b, "SELECT count(*) FROM s.rows"), NULL, 10));
    rig_stop(&b);
}

TEST(a_durable_shadow_goes_on_where_it_was) {
    rig b;
    if (!rig_start(&b)) return;
    b.config.step_bytes = 600;
    make(&b);
    feed(&b, 6, 0);
    engine_shadow *shadow = open_shadow(&b, "s.by_k", NULL, true);
    REQUIRE(run_shadow(&b, shadow, "s.by_k", NULL) == BASE_OK);
    uint64_t before = engine_shadow_progress_of(shadow).read;
    EXPECT(before > 0);
    engine_shadow_close(shadow, false);
    feed(&b, 3, 300);
    if (!rig_reopen(&b)) return;
    shadow = open_shadow(&b, "s.by_k", NULL, true);
    volatile bool cancel = true;
    EXPECT(run_shadow(&b, shadow, "s.by_k", &cancel) == BASE_E_CANCELLED);
    REQUIRE(run_shadow(&b, shadow, "s.by_k", NULL) == BASE_OK);
    EXPECT(engine_shadow_progress_of(shadow).read > before);
    EXPECT_EQ_INT(engine_shadow_progress_of(shadow).read, engine_shadow_progress_of(shadow).total);
    EXPECT_EQ_INT(rows_of(shadow, "s.by_k", &b), 5);
    engine_shadow_close(shadow, true);
    rig_stop(&b);
}

TEST_MAIN(TEST_ENTRY(every_view_is_what_the_log_says),
          TEST_ENTRY(a_view_without_an_event_and_one_without_a_step_are_equal),
          TEST_ENTRY(a_spoilt_row_is_found), TEST_ENTRY(replays_give_the_same_bytes),
          TEST_ENTRY(what_looks_up_the_present_is_said_to_be_not_verifiable),
          TEST_ENTRY(what_retention_has_removed_is_said),
          TEST_ENTRY(selections_read_what_they_select),
          TEST_ENTRY(the_halves_of_a_log_are_the_whole),
          TEST_ENTRY(a_durable_shadow_goes_on_where_it_was))
