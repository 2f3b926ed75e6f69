// Replays: into versions, by selection; into the view, whose spoilt row and state are made right.

#include "engine/engine_int.h"
#include "engine_rig.h"

static bool make(rig *b) {
    if (!rig_start(b)) return false;
    ask(b, "CREATE STREAM e (id INT PRIMARY KEY, k TEXT NOT NULL, at TIMESTAMPTZ NOT NULL, "
           "WATERMARK FOR at AS at) WITH (partitions = 2)");
    ask(b, "CREATE MATERIALIZED VIEW v WITH (refresh = 'immediate') AS SELECT window_start, k, "
           "count(*) AS n FROM TUMBLE(e, at, INTERVAL '1 day') GROUP BY window_start, k");
    ask(b, "CREATE MATERIALIZED VIEW t WITH (refresh = 'immediate') AS SELECT sum(n)::bigint AS n "
           "FROM v");
    base_buf body = {0};
    for (int i = 0; i < 60; i++)
        base_buf_printf(&body, "{\"id\":%d,\"k\":\"k%d\",\"at\":\"2026-01-%02dT10:00:00Z\"}\n", i,
                        i % 3, 1 + i / 10);
    ingest(b, "e", base_buf_cstr(&body));
    base_buf_deinit(&body);
    flush(b);
    return true;
}

#define DAY_2                                                                                      \
    "2026-01-02 00:00:00+00|k0|3\n2026-01-02 00:00:00+00|k1|4\n2026-01-02 00:00:00+00|k2|3"

TEST(a_selection_becomes_a_version_and_goes_on) {
    rig b;
    if (!make(&b)) return;
    EXPECT_EQ_STR(ask(&b, "REPLAY INTO v VERSION (FROM '2026-01-02' TO '2026-01-03')"), "REPLAY 1");
    EXPECT_EQ_STR(ask(&b, "SELECT replay, view, version, selection, status FROM weir.replays"),
                  "1|public.v|2|FROM '2026-01-02' TO '2026-01-03'|done");
    EXPECT_EQ_STR(ask(&b, "SELECT * FROM \"v@2\" ORDER BY 1, 2"), DAY_2);
    EXPECT_EQ_STR(ask(&b, "SELECT verdict FROM weir.diff_by_day WHERE day = '2026-01-02'"),
                  "equal");
    EXPECT_EQ_STR(ask(&b, "SELECT count(*) FROM weir.diff_by_day WHERE verdict = 'differs'"), "5");
    EXPECT(strncmp(ask(&b, "ALTER MATERIALIZED VIEW v PROMOTE"), "ERROR", 5) == 0);
    ingest(&b, "e", "{\"id\":100,\"k\":\"k0\",\"at\":\"2026-01-02T11:00:00Z\"}");
    flush(&b);
    EXPECT_EQ_STR(ask(&b, "SELECT n FROM \"v@2\" WHERE k = 'k0'"), "4");
    EXPECT_EQ_STR(ask(&b, "REPLAY INTO v VERSION (PARTITION 0)"), "REPLAY 2");
    EXPECT_EQ_STR(ask(&b, "REPLAY INTO v VERSION (PARTITION 1)"), "REPLAY 3");
    EXPECT_EQ_STR(ask(&b, "SELECT (SELECT sum(n) FROM \"v@3\") + (SELECT sum(n) FROM \"v@4\")"),
                  "61");
    EXPECT_EQ_STR(ask(&b, "REPLAY INTO v VERSION (KEY (17))"), "REPLAY 4");
    EXPECT_EQ_STR(ask(&b, "SELECT * FROM \"v@5\""), "2026-01-02 00:00:00+00|k2|1");
    EXPECT_EQ_STR(ask(&b, "REPLAY INTO v VERSION (OFFSETS 0 TO 1) WITH (rate = 1000000)"),
                  "REPLAY 5");
    EXPECT_EQ_STR(ask(&b, "SELECT sum(n)::int FROM \"v@6\""), "2");
    if (!rig_reopen(&b)) return;
    EXPECT_EQ_STR(ask(&b, "SELECT count(*) FROM weir.replays WHERE status = 'done'"), "5");
    EXPECT_EQ_STR(ask(&b, "SELECT * FROM \"v@5\""), "2026-01-02 00:00:00+00|k2|1");
    rig_stop(&b);
}

TEST(what_selects_nothing_is_refused) {
    rig b;
    if (!make(&b)) return;
    EXPECT(strncmp(ask(&b, "REPLAY INTO v VERSION (PARTITION 7)"), "ERROR 22023", 11) == 0);
    EXPECT(strncmp(ask(&b, "REPLAY INTO v VERSION (KEY (1, 2))"), "ERROR 22023", 11) == 0);
    EXPECT(strncmp(ask(&b, "REPLAY INTO v VERSION (OFFSETS 5 TO 5)"), "ERROR 22023", 11) == 0);
    EXPECT(strncmp(ask(&b, "REPLAY INTO v VERSION (FROM '2026-01-02' TO '2026-01-01')"),
                   "ERROR 22023", 11) == 0);
    EXPECT(strncmp(ask(&b, "REPLAY INTO nothing (ALL)"), "ERROR 42P01", 11) == 0);
    EXPECT(strncmp(ask(&b, "REPLAY INTO v (SOME)"), "ERROR 42601", 11) == 0);
    EXPECT(strncmp(ask(&b, "REPLAY INTO v VERSION 2 (ALL)"), "ERROR 42601", 11) == 0);
    EXPECT(strncmp(ask(&b, "CANCEL REPLAY 1"), "ERROR 42704", 11) == 0);
    EXPECT_EQ_STR(ask(&b, "SELECT count(*) FROM weir.replays"), "0");
    rig_stop(&b);
}

// Every row of a table of the view's flow goes: of its operators' state, or the view's own.
static void empty(rig *b, const char *prefix) {
    const plan_object *view = engine_find(b->e, BASE_STR("v"));
    engine_flow *flow = engine_flow_of_view(b->e, view->id);
    char name[64];
    state_table table;
    state_txn *txn;
    base_error err = {0};
    snprintf(name, sizeof name, prefix, view->id);
    REQUIRE(state_table_open(flow->store, name, &table, &err) == BASE_OK);
    REQUIRE(state_begin_write(flow->store, &txn, &err) == BASE_OK);
    REQUIRE(state_clear(txn, table, &err) == BASE_OK);
    REQUIRE(state_commit(txn, &err) == BASE_OK);
}

TEST(a_view_is_made_what_the_log_says) {
    rig b;
    if (!make(&b)) return;
    EXPECT_EQ_STR(ask(&b, "REPLAY INTO v (ALL)"), "REPLAY 1"); // it was right: nothing changes
    EXPECT_EQ_STR(ask(&b, "SELECT status, corrected FROM weir.replays"), "done|0");
    EXPECT_EQ_STR(ask(&b, "SELECT count(*) FROM weir.versions"), "0");
    EXPECT_EQ_STR(ask(&b, "SELECT max(_revision) FROM v"), "1");
    empty(&b, "v%u");
    if (!rig_reopen(&b)) return;
    EXPECT_EQ_STR(ask(&b, "SELECT count(*) FROM v"), "0");
    EXPECT(strstr(ask(&b, "VERIFY v"), "differs") != NULL);
    for (int again = 0; again < 2; again++) {
        EXPECT_EQ_STR(ask(&b, "REPLAY INTO v (FROM '2026-01-02' TO '2026-01-03')"),
                      again == 0 ? "REPLAY 2" : "REPLAY 3");
        EXPECT_EQ_STR(ask(&b, "SELECT corrected FROM weir.replays ORDER BY replay DESC LIMIT 1"),
                      again == 0 ? "18" : "0");
        EXPECT(strstr(ask(&b, "VERIFY v"), "equal") != NULL);
        EXPECT_EQ_STR(ask(&b, "SELECT sum(n)::int FROM v"), "60");
        EXPECT_EQ_STR(ask(&b, "SELECT DISTINCT cause FROM weir.revisions"), "replay 2");
        if (!rig_reopen(&b)) return;
    }
    ingest(&b, "e", "{\"id\":100,\"k\":\"k0\",\"at\":\"2026-01-02T11:00:00Z\"}");
    flush(&b);
    EXPECT_EQ_STR(ask(&b, "SELECT n FROM v WHERE k = 'k0' AND window_start = '2026-01-02Z'"), "4");
    EXPECT(strstr(ask(&b, "VERIFY v"), "equal") != NULL);
    rig_stop(&b);
}

TEST(what_was_quarantined_is_put_back_once) {
    rig b;
    if (!rig_start(&b)) return;
    ask(&b, "CREATE STREAM q (id INT PRIMARY KEY, v INT CHECK (v > 0))");
    ask(&b, "CREATE STREAM plain (v INT)");
    ask(&b, "CREATE MATERIALIZED VIEW w WITH (refresh = 'immediate') AS SELECT sum(v)::bigint AS v "
            "FROM q");
    ask(&b, "CREATE MATERIALIZED VIEW p WITH (refresh = 'immediate') AS SELECT sum(v)::bigint AS v "
            "FROM plain");
    engine_ingest_result in =
        ingest_any(&b, "q", "{\"id\":1,\"v\":5}\n{\"id\":2,\"v\":-7}\n{\"id\":3,\"v\":\"x\"}");
    EXPECT_EQ_INT(in.quarantined, 2);
    flush(&b);
    EXPECT_EQ_STR(ask(&b, "REPLAY INTO w (QUARANTINE)"), "REPLAY 1"); // the contract is the same
    EXPECT_EQ_STR(ask(&b, "SELECT status, records, total FROM weir.replays"), "done|0|2");
    base_buf report = {0};
    base_error err = {0};
    EXPECT(engine_apply(&b.session, BASE_STR("CREATE STREAM q (id INT PRIMARY KEY, v INT);"),
                        &report, &err) == BASE_OK);
    base_buf_deinit(&report);
    for (int again = 0; again < 3; again++) {
        EXPECT_EQ_STR(ask(&b, "REPLAY INTO w (QUARANTINE)"), again == 0   ? "REPLAY 2"
                                                             : again == 1 ? "REPLAY 3"
                                                                          : "REPLAY 4");
        EXPECT_EQ_STR(ask(&b, "SELECT records FROM weir.replays ORDER BY replay DESC LIMIT 1"),
                      again == 0 ? "1" : "0");
        flush(&b);
        EXPECT_EQ_STR(ask(&b, "SELECT v FROM w"), "-2");
        EXPECT_EQ_STR(ask(&b, "SELECT records, duplicates FROM weir.streams WHERE name = 'q'"),
                      "2|0");
        if (again == 1 && !rig_reopen(&b)) return;
    }
    EXPECT(strncmp(ask(&b, "REPLAY INTO p (QUARANTINE)"), "ERROR 55000", 11) == 0);
    EXPECT(strncmp(ask(&b, "REPLAY INTO w VERSION (QUARANTINE)"), "ERROR 0A000", 11) == 0);
    EXPECT(strstr(ask(&b, "VERIFY ALL"), "differs") == NULL);
    rig_stop(&b);
}

typedef struct failing {
    uint32_t left;
} failing;

static base_rc fail_commit(void *arg, const char *op, base_error *err) {
    failing *f = arg;
    if (strcmp(op, "commit") != 0) return BASE_OK;
    if (f->left > 0) {
        f->left--;
        return BASE_OK;
    }
    return base_fail(err, BASE_E_IO, NULL, "a fault");
}

// Whatever commit fails, the view is whole after, and another replay works.
TEST(a_replay_that_fails_leaves_the_view_as_it_was) {
    for (uint32_t n = 0; n < 12; n++) {
        rig b;
        if (!make(&b)) return;
        failing fault = {n / 2};
        for (size_t i = 0; i < b.nmemories; i++)
            if (strstr(b.dirs[i], n % 2 == 0 ? "flow" : "catalog") != NULL)
                state_memory_set_fault(b.memories[i], fail_commit, &fault);
        (void)ask(&b, "REPLAY INTO v (ALL)");
        for (size_t i = 0; i < b.nmemories; i++) state_memory_set_fault(b.memories[i], NULL, NULL);
        if (!rig_reopen(&b)) return;
        EXPECT(strstr(ask(&b, "VERIFY ALL"), "differs") == NULL);
        EXPECT(strncmp(ask(&b, "REPLAY INTO v (ALL)"), "REPLAY", 6) == 0);
        EXPECT_EQ_STR(ask(&b, "SELECT sum(n)::int FROM v"), "60");
        EXPECT_EQ_STR(ask(&b, "SELECT n FROM t"), "60");
        rig_stop(&b);
    }
}

typedef struct name_search {
    const char *name;
    bool found;
} name_search;

static base_rc visit_name(void *arg, const char *name) {
    name_search *s = arg;
    if (strcmp(s->name, name) == 0) s->found = true;
    return BASE_OK;
}

static bool has_table(rig *b, const char *name) {
    name_search s = {name, false};
    engine_flow *flow = engine_flow_of_view(b->e, engine_find(b->e, BASE_STR("v"))->id);
    base_error err;
    return state_table_list(flow->store, visit_name, &s, &err) == BASE_OK && s.found;
}

// What a crash leaves of a version whose rows were on their way into the flow's store.
TEST(tables_of_versions_that_did_not_come_to_be_go_at_the_start) {
    rig b;
    if (!make(&b)) return;
    const plan_object *view = engine_find(b.e, BASE_STR("v"));
    char rows[16];
    snprintf(rows, sizeof rows, "v%u", view->id);
    static const char *const left[] = {"v60000", "v60000.1.groups", "c60000", "s60000.keys"};
    for (int i = 0; i < 4; i++) {
        state_table table;
        base_error err;
        REQUIRE(state_table_open(engine_flow_of_view(b.e, view->id)->store, left[i], &table,
                                 &err) == BASE_OK);
        EXPECT(has_table(&b, left[i]));
    }
    // The state of a version that was promoted is under another id than the view's.
    EXPECT_EQ_STR(ask(&b, "REPLAY INTO v (ALL)"), "REPLAY 1");
    if (!rig_reopen(&b)) return;
    for (int i = 0; i < 4; i++) EXPECT(!has_table(&b, left[i]));
    EXPECT(has_table(&b, rows));
    EXPECT(strstr(ask(&b, "VERIFY v"), "equal") != NULL);
    ingest(&b, "e", "{\"id\":100,\"k\":\"k0\",\"at\":\"2026-01-02T11:00:00Z\"}");
    flush(&b);
    EXPECT_EQ_STR(ask(&b, "SELECT n FROM v WHERE k = 'k0' AND window_start = '2026-01-02Z'"), "4");
    rig_stop(&b);
}

TEST(as_many_are_remembered_before_a_restart_as_after) {
    rig b;
    if (!make(&b)) return;
    for (int i = 0; i < 103; i++) // they have ended: none is in quarantine
        (void)ask(&b, "REPLAY INTO v (QUARANTINE)");
    const char *remembered = "SELECT count(*), min(replay), max(replay) FROM weir.replays";
    EXPECT_EQ_STR(ask(&b, remembered), "100|4|103");
    if (!rig_reopen(&b)) return;
    EXPECT_EQ_STR(ask(&b, remembered), "100|4|103");
    rig_stop(&b);
}

TEST_MAIN(TEST_ENTRY(a_selection_becomes_a_version_and_goes_on),
          TEST_ENTRY(what_selects_nothing_is_refused), TEST_ENTRY(a_view_is_made_what_the_log_says),
          TEST_ENTRY(what_was_quarantined_is_put_back_once),
          TEST_ENTRY(a_replay_that_fails_leaves_the_view_as_it_was),
          TEST_ENTRY(tables_of_versions_that_did_not_come_to_be_go_at_the_start),
          TEST_ENTRY(as_many_are_remembered_before_a_restart_as_after))
