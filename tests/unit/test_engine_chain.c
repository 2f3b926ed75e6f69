// Flows that read views of other flows: what such a flow has taken over of the other, and what it
// has not, when its own steps fail or its views come later.

#include "engine/engine_int.h"
#include "engine_rig.h"

static void tick(rig *b, base_rc expected) {
    base_error err = {0};
    bool progressed;
    EXPECT_EQ_INT(engine_tick(b->e, false, &progressed, &err), expected);
}

static int64_t watermark(rig *b, const char *name) {
    engine_view_snapshot snapshot;
    base_error err = {0};
    const plan_object *view = engine_find(b->e, base_str_of(name));
    if (view == NULL || engine_view_snapshot_open(b->e, view, &snapshot, &err) != BASE_OK) {
        test_failures++;
        return INT64_MIN;
    }
    engine_view_snapshot_close(&snapshot);
    return snapshot.watermark_us;
}

static base_rc fail_commit(void *arg, const char *op, base_error *err) {
    bool *armed = arg;
    if (!*armed || strcmp(op, "commit") != 0) return BASE_OK;
    *armed = false;
    return base_fail(err, BASE_E_IO, NULL, "as asked for");
}

// Only the watermark of the upper view moves, and the step that takes it over fails: the next one
// must take it over again.
TEST(a_failed_step_keeps_the_watermark_to_be_read) {
    rig b;
    if (!rig_start(&b)) return;
    ask(&b, "CREATE SCHEMA s");
    EXPECT_EQ_STR(ask(&b, "CREATE STREAM s.e (id BIGINT NOT NULL, v INT NOT NULL, at TIMESTAMPTZ "
                          "NOT NULL, PRIMARY KEY (id), WATERMARK FOR at AS at - INTERVAL '1 "
                          "second') WITH (owner = 'o', version = 1)"),
                  "CREATE STREAM");
    EXPECT_EQ_STR(ask(&b, "CREATE MATERIALIZED VIEW s.upper WITH (refresh = 'immediate') AS SELECT "
                          "v, count(*) AS n FROM s.e WHERE v > 0 GROUP BY v"),
                  "CREATE MATERIALIZED VIEW");
    EXPECT_EQ_STR(ask(&b, "CREATE MATERIALIZED VIEW s.lower WITH (refresh = '1 second') AS SELECT "
                          "sum(n) AS n FROM s.upper"),
                  "CREATE MATERIALIZED VIEW");
    ingest(&b, "s.e", "{\"id\":1,\"v\":1,\"at\":\"2021-01-01T00:00:00Z\"}");
    flush(&b);
    int64_t before = watermark(&b, "s.upper");
    EXPECT(watermark(&b, "s.lower") == before);
    ingest(&b, "s.e", "{\"id\":2,\"v\":0,\"at\":\"2021-01-01T01:00:00Z\"}");
    plat_sim_advance_us(b.sim, 2 * BASE_US_PER_SECOND);
    bool armed = true;
    state_memory *lower = NULL;
    for (size_t i = 0; i < b.nmemories; i++)
        if (strstr(b.dirs[i], "@1s") != NULL) lower = b.memories[i];
    REQUIRE(lower != NULL);
    state_memory_set_fault(lower, fail_commit, &armed);
    tick(&b, BASE_E_IO);
    EXPECT(!armed);
    flush(&b);
    EXPECT(watermark(&b, "s.upper") == before + BASE_US_PER_HOUR);
    EXPECT(watermark(&b, "s.lower") == before + BASE_US_PER_HOUR);
    rig_stop(&b);
}

// A view comes to a flow that has not yet taken over the last changes of the view that both read.
TEST(a_later_view_begins_where_its_flow_stands) {
    rig b;
    if (!rig_start(&b)) return;
    ask(&b, "CREATE SCHEMA s");
    EXPECT_EQ_STR(ask(&b, "CREATE TABLE s.t (id INT NOT NULL, v INT NOT NULL, PRIMARY KEY (id))"),
                  "CREATE TABLE");
    EXPECT_EQ_STR(ask(&b, "CREATE MATERIALIZED VIEW s.upper WITH (refresh = 'immediate') AS SELECT "
                          "id, v FROM s.t"),
                  "CREATE MATERIALIZED VIEW");
    EXPECT_EQ_STR(ask(&b, "CREATE MATERIALIZED VIEW s.first WITH (refresh = '1 hour') AS SELECT "
                          "id, v FROM s.upper"),
                  "CREATE MATERIALIZED VIEW");
    ingest(&b, "s.t", "{\"id\":1,\"v\":2}\n{\"id\":2,\"v\":3}");
    flush(&b);
    static const char *const changes[] = {"{\"id\":1,\"v\":5}\n{\"id\":3,\"v\":7}",
                                          "{\"id\":1,\"v\":50}\n{\"id\":3,\"v\":70}",
                                          "{\"id\":1,\"v\":60}"};
    for (size_t i = 0; i < 3; i++) {
        ingest(&b, "s.t", changes[i]);
        tick(&b, BASE_OK);
    }
    EXPECT_EQ_STR(ask(&b, "SELECT id, v FROM s.first ORDER BY id"), "1|2\n2|3");
    EXPECT_EQ_STR(ask(&b, "CREATE MATERIALIZED VIEW s.later WITH (refresh = '1 hour') AS SELECT "
                          "id, v FROM s.upper WHERE v < 10"),
                  "CREATE MATERIALIZED VIEW");
    EXPECT_EQ_STR(ask(&b, "CREATE MATERIALIZED VIEW s.same WITH (refresh = '1 hour') AS SELECT "
                          "id, v FROM s.upper"),
                  "CREATE MATERIALIZED VIEW");
    EXPECT_EQ_STR(ask(&b, "SELECT id, v FROM s.later ORDER BY id"), "1|2\n2|3");
    EXPECT_EQ_STR(ask(&b, "SELECT id, v FROM s.same ORDER BY id"), "1|2\n2|3");
    flush(&b);
    EXPECT_EQ_STR(ask(&b, "SELECT id, v FROM s.later ORDER BY id"), "2|3");
    EXPECT_EQ_STR(ask(&b, "SELECT id, v FROM s.same ORDER BY id"), "1|60\n2|3\n3|70");
    rig_stop(&b);
}

TEST_MAIN(TEST_ENTRY(a_failed_step_keeps_the_watermark_to_be_read),
          TEST_ENTRY(a_later_view_begins_where_its_flow_stands))
