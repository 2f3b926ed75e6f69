// How far behind an answer was at an earlier instant: by what had come and was not read, also
// through a view of another flow; unknown once retention has taken that.

#include "engine/history/fresh.h"
#include "engine_rig.h"

static int64_t now(rig *b) {
    return plat_wall_us(b->plat);
}

static void send(rig *b, int id) {
    char body[128];
    snprintf(body, sizeof body, "{\"id\":%d,\"k\":%d}", id, id % 3);
    ingest(b, "e", body);
}

// The lag of the view's last step not after the instant.
static int64_t lag(rig *b, const char *view, int64_t us) {
    const plan_object *object = engine_find(b->e, base_str_of(view));
    must(object != NULL);
    engine_view_snapshot snapshot;
    engine_moment m;
    bool found;
    base_error err = {0};
    base_arena arena;
    base_arena_init(&arena, 1 << 12);
    if (engine_view_snapshot_open(b->e, object, &snapshot, &err) != BASE_OK) must(false);
    if (engine_moment_at_time(snapshot.txn, snapshot.flow->t_moment, us, &arena, &m, &found,
                              &err) != BASE_OK)
        must(false);
    must(found);
    engine_view_snapshot_close(&snapshot);
    base_arena_deinit(&arena);
    return engine_lag_then(b->e, object, m.step, us);
}

static bool start(rig *b) {
    if (!rig_start(b)) return false;
    b->config.segment_bytes = 4096;
    if (!rig_reopen(b)) return false;
    EXPECT_EQ_STR(ask(b, "CREATE STREAM e (id BIGINT NOT NULL, k INT) WITH (retention = '1 hour')"),
                  "CREATE STREAM");
    EXPECT_EQ_STR(ask(b, "CREATE MATERIALIZED VIEW quick WITH (refresh = 'immediate') AS"
                         " SELECT k, count(*) AS n FROM e GROUP BY k"),
                  "CREATE MATERIALIZED VIEW");
    EXPECT_EQ_STR(ask(b, "CREATE MATERIALIZED VIEW slow WITH (refresh = '1 hour') AS"
                         " SELECT count(*) AS n FROM e"),
                  "CREATE MATERIALIZED VIEW");
    EXPECT_EQ_STR(ask(b, "CREATE MATERIALIZED VIEW over WITH (refresh = '1 hour') AS"
                         " SELECT n, count(*) AS c FROM quick GROUP BY n"),
                  "CREATE MATERIALIZED VIEW");
    send(b, 0);
    flush(b);
    return true;
}

static void tick(rig *b) {
    base_error err = {0};
    bool progressed = true;
    while (progressed)
        if (engine_tick(b->e, false, &progressed, &err) != BASE_OK) must(false);
}

TEST(it_is_how_long_the_oldest_unread_record_had_waited) {
    rig b;
    if (!start(&b)) return;
    plat_sim_advance_us(b.sim, 1000);
    int64_t read_us = now(&b);
    plat_sim_advance_us(b.sim, 1000);
    int64_t came_us = now(&b);
    send(&b, 1);
    plat_sim_advance_us(b.sim, 500);
    int64_t before_step_us = now(&b);
    plat_sim_advance_us(b.sim, 500);
    tick(&b); // the immediate flow only
    int64_t stepped_us = now(&b);
    send(&b, 2);
    plat_sim_advance_us(b.sim, 5000);
    int64_t later_us = now(&b);
    plat_sim_advance_us(b.sim, 1); // a step counts from its time on
    flush(&b);
    plat_sim_advance_us(b.sim, 1000);
    int64_t last_us = now(&b);
    for (int again = 0; again < 2; again++) {
        EXPECT(lag(&b, "slow", read_us) == 0 && lag(&b, "quick", read_us) == 0);
        EXPECT(lag(&b, "slow", came_us) == 0); // it had just come
        EXPECT(lag(&b, "quick", before_step_us) == before_step_us - came_us);
        EXPECT(lag(&b, "slow", before_step_us) == before_step_us - came_us);
        EXPECT(lag(&b, "quick", stepped_us) == 0); // 1 was read, 2 came right then
        EXPECT(lag(&b, "slow", later_us) == later_us - came_us);
        EXPECT(lag(&b, "quick", later_us) == later_us - stepped_us);
        // The record is in the view that it reads, and so waits for it since it came.
        EXPECT(lag(&b, "over", later_us) == later_us - came_us);
        EXPECT(lag(&b, "slow", last_us) == 0 && lag(&b, "over", last_us) == 0);
        if (!rig_reopen(&b)) return;
    }
    rig_stop(&b);
}

TEST(it_is_not_known_once_retention_has_taken_that) {
    rig b;
    if (!start(&b)) return;
    for (int i = 1; i < 200; i++) send(&b, i);
    plat_sim_advance_us(b.sim, 1000);
    int64_t us = now(&b);
    EXPECT(lag(&b, "slow", us) == 1000);
    plat_sim_advance_us(b.sim, 1);
    flush(&b);
    plat_sim_advance_us(b.sim, 3 * BASE_US_PER_HOUR);
    send(&b, 1000);
    flush(&b);
    engine_schedules_run(b.e);
    EXPECT(atoi(ask(&b, "SELECT records FROM weir.streams")) < 200);
    EXPECT(lag(&b, "slow", us) == ENGINE_LAG_UNKNOWN);
    EXPECT(lag(&b, "slow", now(&b)) == 0);
    char sql[128], text[BASE_TIME_TEXT_MAX];
    base_rfc3339_format(us, text);
    snprintf(sql, sizeof sql, "SELECT n FROM weir.as_of('slow', '%s')", text);
    EXPECT_EQ_STR(ask(&b, sql), "1"); // the answer stands
    rig_stop(&b);
}

TEST_MAIN(TEST_ENTRY(it_is_how_long_the_oldest_unread_record_had_waited),
          TEST_ENTRY(it_is_not_known_once_retention_has_taken_that))
