// Flows that cannot be opened, and flows that are made anew: what they and the others answer, and
// what those who read their changes notice.

#include "engine/engine_int.h"
#include "engine_rig.h"

static state_memory *memory_of(rig *b, const char *flow) {
    for (size_t i = 0; i < b->nmemories; i++)
        if (strstr(b->dirs[i], flow) != NULL) return b->memories[i];
    must(!"no such flow");
    return NULL;
}

static base_rc fail_begin(void *arg, const char *op, base_error *err) {
    const bool *armed = arg;
    if (!*armed || strcmp(op, "begin") != 0) return BASE_OK;
    return base_fail(err, BASE_E_IO, NULL, "as asked for");
}

// Between two lives of the engine: the flow's store is empty.
static void lose(rig *b, const char *flow) {
    for (size_t i = 0; i < b->nmemories; i++) {
        if (strstr(b->dirs[i], flow) == NULL) continue;
        state_memory_destroy(b->memories[i]);
        b->memories[i] = state_memory_create();
    }
}

// e -> upper (immediate) -> lower (1 s) -> last (2 s), and other (3 s), which reads e.
static bool start_chain(rig *b) {
    if (!rig_start(b)) return false;
    ask(b, "CREATE STREAM e (id BIGINT NOT NULL, g INT, v INT, PRIMARY KEY (id))");
    ask(b, "CREATE MATERIALIZED VIEW upper WITH (refresh = 'immediate') AS SELECT g, sum(v) AS s "
           "FROM e GROUP BY g");
    ask(b, "CREATE MATERIALIZED VIEW lower WITH (refresh = '1 second') AS SELECT sum(s) AS s, "
           "count(*) AS n FROM upper");
    ask(b, "CREATE MATERIALIZED VIEW last WITH (refresh = '2 seconds') AS SELECT s + n AS x FROM "
           "lower");
    EXPECT_EQ_STR(ask(b, "CREATE MATERIALIZED VIEW other WITH (refresh = '3 seconds') AS SELECT "
                         "count(*) AS n FROM e"),
                  "CREATE MATERIALIZED VIEW");
    ingest(b, "e", "{\"id\":1,\"g\":1,\"v\":10}\n{\"id\":2,\"g\":2,\"v\":20}");
    flush(b);
    EXPECT_EQ_STR(ask(b, "SELECT s, n FROM lower"), "30|2");
    EXPECT_EQ_STR(ask(b, "SELECT x FROM last"), "32");
    return true;
}

TEST(one_that_cannot_be_opened_fails_alone) {
    rig b;
    if (!start_chain(&b)) return;
    bool armed = true;
    state_memory_set_fault(memory_of(&b, "@1s"), fail_begin, &armed);
    if (!rig_reopen(&b)) return;
    EXPECT_EQ_STR(ask(&b, "SELECT s FROM lower"),
                  "ERROR 58030: materialized view \"public.lower\" cannot be read: flow public@1s: "
                  "as asked for");
    EXPECT_EQ_STR(ask(&b, "SELECT g, s FROM upper ORDER BY g"), "1|10\n2|20");
    EXPECT_EQ_STR(ask(&b, "SELECT name FROM weir.flows WHERE error IS NOT NULL"), "public@1s");
    EXPECT_EQ_STR(ask(&b, "SELECT name FROM weir.views WHERE rows IS NULL"), "lower");
    EXPECT_EQ_STR(ask(&b, "SELECT count(*) FROM weir.standing WHERE step IS NULL"), "1");
    base_buf text = {0};
    EXPECT(!engine_healthy(b.e, &text));
    EXPECT_EQ_STR(base_buf_cstr(&text), "flow public@1s: as asked for\n");
    base_buf_clear(&text);
    engine_metrics(b.e, &text);
    EXPECT(strstr(base_buf_cstr(&text), "weir_flow_failing{flow=\"public@1s\"} 1\n") != NULL);
    base_buf_deinit(&text);
    // The others go on; FLUSH waits for them before it fails.
    ingest(&b, "e", "{\"id\":3,\"g\":1,\"v\":5}");
    base_error err = {0};
    EXPECT_EQ_INT(engine_flush(b.e, 0, NULL, &err), BASE_E_IO);
    EXPECT_EQ_STR(ask(&b, "SELECT n FROM other"), "3");
    EXPECT_EQ_STR(ask(&b, "SELECT x FROM last"), "32"); // as of what it had read
    // Views come and go; what is made now is filled when the flow is there again.
    EXPECT_EQ_STR(ask(&b, "CREATE MATERIALIZED VIEW more WITH (refresh = '1 second') AS SELECT "
                          "count(*) AS n FROM e"),
                  "CREATE MATERIALIZED VIEW");
    EXPECT(strncmp(ask(&b, "SELECT n FROM more"), "ERROR 58030", 11) == 0);
    ask(&b, "CREATE MATERIALIZED VIEW short WITH (refresh = '1 second') AS SELECT 1 AS one FROM e");
    EXPECT_EQ_STR(ask(&b, "DROP MATERIALIZED VIEW short"), "DROP MATERIALIZED VIEW");
    armed = false;
    flush(&b);
    EXPECT_EQ_STR(ask(&b, "SELECT s, n FROM lower"), "35|2");
    EXPECT_EQ_STR(ask(&b, "SELECT x FROM last"), "37");
    EXPECT_EQ_STR(ask(&b, "SELECT n FROM more"), "3");
    EXPECT_EQ_STR(ask(&b, "SELECT count(*) FROM weir.flows WHERE error IS NOT NULL"), "0");
    rig_stop(&b);
}

TEST(one_made_anew_is_taken_over_anew) {
    rig b;
    if (!start_chain(&b)) return;
    uint64_t before, after;
    base_error err = {0};
    const plan_object *upper = engine_find(b.e, BASE_STR("upper"));
    REQUIRE_OK(engine_view_step(b.e, upper, &before, &err));
    for (int round = 0; round < 2; round++) {
        engine_close(b.e);
        lose(&b, "@immediate");
        if (!rig_open(&b)) return;
        ingest(&b, "e",
               round == 0 ? "{\"id\":3,\"g\":3,\"v\":300}" : "{\"id\":4,\"g\":3,\"v\":1000}");
        flush(&b);
        EXPECT_EQ_STR(ask(&b, "SELECT s, n FROM lower"), round == 0 ? "330|3" : "1330|3");
        EXPECT_EQ_STR(ask(&b, "SELECT x FROM last"), round == 0 ? "333" : "1333");
        // A reader of changes that knows an earlier life's step begins again.
        upper = engine_find(b.e, BASE_STR("upper"));
        REQUIRE_OK(engine_view_step(b.e, upper, &after, &err));
        EXPECT(after > before + 1000);
        engine_change change;
        bool found;
        base_arena_reset(&b.arena);
        EXPECT_EQ_INT(engine_change_next(b.e, upper, before, &b.arena, &change, &found, &err),
                      BASE_E_NOT_FOUND);
        before = after;
    }
    // Another start changes nothing.
    if (!rig_reopen(&b)) return;
    flush(&b);
    EXPECT_EQ_STR(ask(&b, "SELECT x FROM last"), "1333");
    REQUIRE_OK(engine_view_step(b.e, engine_find(b.e, BASE_STR("upper")), &after, &err));
    EXPECT_EQ_INT((int64_t)after, (int64_t)before);
    rig_stop(&b);
}

TEST(the_middle_one_is_made_anew) {
    rig b;
    if (!start_chain(&b)) return;
    engine_close(b.e);
    lose(&b, "@1s");
    if (!rig_open(&b)) return;
    ingest(&b, "e", "{\"id\":3,\"g\":3,\"v\":300}");
    flush(&b);
    EXPECT_EQ_STR(ask(&b, "SELECT s, n FROM lower"), "330|3");
    EXPECT_EQ_STR(ask(&b, "SELECT x FROM last"), "333");
    rig_stop(&b);
}

// What a failed flow has read is not known: nothing that it may need goes.
TEST(retention_waits_for_a_failed_flow) {
    rig b;
    memset(&b, 0, sizeof b);
    b.sim = plat_sim_create(7);
    b.plat = plat_sim_plat(b.sim);
    b.config = (engine_config){
        .dir = "/data", .memory_for = rig_memory, .memory_arg = &b, .segment_bytes = 64 << 10};
    if (!rig_begin(&b)) return;
    ask(&b, "CREATE STREAM e (id BIGINT NOT NULL, t TEXT) WITH (retention = '1 hour')");
    ask(&b, "CREATE MATERIALIZED VIEW v WITH (refresh = 'immediate') AS SELECT count(*) AS n FROM "
            "e");
    base_buf body = {0};
    for (int i = 0; i < 300; i++) {
        base_buf_clear(&body);
        base_buf_printf(&body, "{\"id\":%d,\"t\":\"%01000d\"}", i, i);
        ingest(&b, "e", base_buf_cstr(&body));
    }
    base_buf_deinit(&body);
    flush(&b);
    bool armed = true;
    state_memory_set_fault(memory_of(&b, "@immediate"), fail_begin, &armed);
    if (!rig_reopen(&b)) return;
    plat_sim_advance_us(b.sim, 2 * BASE_US_PER_HOUR);
    engine_schedules_run(b.e);
    EXPECT_EQ_STR(ask(&b, "SELECT records FROM weir.streams"), "300");
    armed = false;
    flush(&b);
    plat_sim_advance_us(b.sim, BASE_US_PER_MINUTE);
    engine_schedules_run(b.e);
    EXPECT(atoi(ask(&b, "SELECT records FROM weir.streams")) < 300);
    EXPECT_EQ_STR(ask(&b, "SELECT n FROM v"), "300");
    rig_stop(&b);
}

TEST_MAIN(TEST_ENTRY(one_that_cannot_be_opened_fails_alone),
          TEST_ENTRY(one_made_anew_is_taken_over_anew), TEST_ENTRY(the_middle_one_is_made_anew),
          TEST_ENTRY(retention_waits_for_a_failed_flow))
