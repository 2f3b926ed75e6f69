// Moments: each step says when it was, what it had read and where the watermarks stood; found again
// by step and by instant, whatever happens to the flow in between.

#include "engine/history/moment.h"
#include "engine_rig.h"

#define ORDERS                                                                                     \
    "CREATE STREAM s.o (id BIGINT PRIMARY KEY, at TIMESTAMPTZ NOT NULL, v INT,"                    \
    " WATERMARK FOR at AS at - INTERVAL '1 second')"
#define PER_MINUTE                                                                                 \
    "CREATE MATERIALIZED VIEW s.m AS SELECT window_start, count(*) AS n, sum(v) AS v"              \
    " FROM TUMBLE(s.o, at, INTERVAL '1 minute') GROUP BY window_start"

static void make(rig *b) {
    ask(b, "CREATE SCHEMA s");
    EXPECT_EQ_STR(ask(b, ORDERS), "CREATE STREAM");
    EXPECT_EQ_STR(ask(b, PER_MINUTE), "CREATE MATERIALIZED VIEW");
}

static engine_flow *flow_of(rig *b, const char *view) {
    const plan_object *object = engine_find(b->e, base_str_of(view));
    must(object != NULL);
    return engine_flow_of_view(b->e, object->id);
}

// An event of second `i`, and a step that takes it.
static void event(rig *b, int i) {
    char json[128];
    snprintf(json, sizeof json, "{\"id\":%d,\"at\":\"2026-01-01T%02d:%02d:%02dZ\",\"v\":1}", i,
             i / 3600, i / 60 % 60, i % 60);
    ingest(b, "s.o", json);
    flush(b);
}

typedef struct seen {
    uint64_t step, next;
    int64_t at_us, watermark_us, view_us;
} seen;

static seen look(rig *b, engine_flow *flow) {
    const engine_view *view = &flow->views[0];
    const engine_input *input = &flow->inputs[0];
    (void)b;
    return (seen){flow->step, input->partitions[0].next, flow->now_us,
                  input->partitions[0].watermark_us, view->watermark_us};
}

static bool same(const engine_moment *m, const seen *s) {
    return m->step == s->step && m->at_us == s->at_us && m->ninputs == 1 && m->nviews == 1 &&
           m->inputs[0].next == s->next && m->inputs[0].watermark_us == s->watermark_us &&
           m->views[0].watermark_us == s->view_us;
}

// Every step seen is found, by its number, its instant, and the last instant before the next one.
static void expect_all(rig *b, const seen *all, int n) {
    engine_flow *flow = flow_of(b, "s.m");
    base_arena arena;
    base_arena_init(&arena, 1 << 12);
    base_error err = {0};
    state_txn *txn;
    REQUIRE(engine_flow_begin_read(flow, &txn, &err) == BASE_OK);
    for (int i = 0; i < n; i++) {
        engine_moment m;
        bool found;
        int64_t until = i + 1 < n ? all[i + 1].at_us - 1 : all[i].at_us + 5;
        bool is_last = until >= all[i].at_us; // of those of its time
        base_arena_reset(&arena);
        REQUIRE(engine_moment_at_step(txn, flow->t_moment, all[i].step, &arena, &m, &found, &err) ==
                BASE_OK);
        EXPECT(found && same(&m, &all[i]));
        if (!is_last) continue;
        REQUIRE(engine_moment_at_time(txn, flow->t_moment, all[i].at_us, &arena, &m, &found,
                                      &err) == BASE_OK);
        EXPECT(found && same(&m, &all[i]));
        REQUIRE(engine_moment_at_time(txn, flow->t_moment, until, &arena, &m, &found, &err) ==
                BASE_OK);
        EXPECT(found && same(&m, &all[i]));
    }
    state_abort(txn);
    base_arena_deinit(&arena);
}

#define STEPS 300

TEST(each_step_is_found_by_its_number_and_by_its_instant) {
    rig b;
    if (!rig_start(&b)) return;
    make(&b);
    static seen all[STEPS];
    for (int i = 0; i < STEPS; i++) {
        event(&b, 7 * i);
        plat_sim_advance_us(b.sim, 1000 * (1 + i % 3));
        if (i == 50) plat_sim_jump_wall_us(b.sim, -20000); // the flow's time stands still
        if (i == 120 && !rig_reopen(&b)) return;
        all[i] = look(&b, flow_of(&b, "s.m"));
    }
    expect_all(&b, all, STEPS);
    if (!rig_reopen(&b)) return;
    expect_all(&b, all, STEPS);
    rig_stop(&b);
}

TEST(before_the_first_there_is_none) {
    rig b;
    if (!rig_start(&b)) return;
    int64_t before_us = plat_wall_us(b.plat) - 1;
    make(&b);
    event(&b, 1);
    engine_flow *flow = flow_of(&b, "s.m");
    base_arena arena;
    base_arena_init(&arena, 1 << 12);
    base_error err = {0};
    state_txn *txn;
    engine_moment m;
    bool found = true;
    REQUIRE(engine_flow_begin_read(flow, &txn, &err) == BASE_OK);
    REQUIRE(engine_moment_at_time(txn, flow->t_moment, before_us, &arena, &m, &found, &err) ==
            BASE_OK);
    EXPECT(!found);
    found = true;
    REQUIRE(engine_moment_at_step(txn, flow->t_moment, 0, &arena, &m, &found, &err) == BASE_OK);
    EXPECT(!found);
    uint64_t step = 0;
    int64_t us = 0;
    REQUIRE(engine_moment_first(txn, flow->t_moment, 0, &step, &us, &found, &err) == BASE_OK);
    EXPECT(found && step == 1 && us > before_us);
    state_abort(txn);
    base_arena_deinit(&arena);
    rig_stop(&b);
}

TEST(views_that_come_and_go_are_in_the_moments_of_their_time) {
    rig b;
    if (!rig_start(&b)) return;
    make(&b);
    event(&b, 1);
    uint64_t one = flow_of(&b, "s.m")->step;
    ask(&b, "CREATE MATERIALIZED VIEW s.second AS SELECT max(v) AS v FROM s.o");
    event(&b, 70);
    uint64_t two = flow_of(&b, "s.m")->step;
    ask(&b, "DROP MATERIALIZED VIEW s.m");
    event(&b, 140);
    engine_flow *flow = flow_of(&b, "s.second");
    base_arena arena;
    base_arena_init(&arena, 1 << 12);
    base_error err = {0};
    state_txn *txn;
    engine_moment m;
    bool found;
    REQUIRE(engine_flow_begin_read(flow, &txn, &err) == BASE_OK);
    REQUIRE(engine_moment_at_step(txn, flow->t_moment, one, &arena, &m, &found, &err) == BASE_OK);
    EXPECT(found && m.nviews == 1);
    REQUIRE(engine_moment_at_step(txn, flow->t_moment, two, &arena, &m, &found, &err) == BASE_OK);
    EXPECT(found && m.nviews == 2);
    const plan_object *second = engine_find(b.e, BASE_STR("s.second"));
    EXPECT(engine_moment_find_view(&m, second->id) != NULL);
    EXPECT(engine_moment_find(&m, engine_find(b.e, BASE_STR("s.o"))->id, 0) != NULL);
    REQUIRE(engine_moment_at_step(txn, flow->t_moment, flow->step, &arena, &m, &found, &err) ==
            BASE_OK);
    EXPECT(found && m.nviews == 1 && m.views[0].view_id == second->id);
    state_abort(txn);
    base_arena_deinit(&arena);
    rig_stop(&b);
}

TEST(they_go_with_the_change_logs) {
    rig b;
    memset(&b, 0, sizeof b);
    b.sim = plat_sim_create(7);
    b.plat = plat_sim_plat(b.sim);
    b.config = (engine_config){
        .dir = "/data", .memory_for = rig_memory, .memory_arg = &b, .changes_keep_steps = 100};
    if (!rig_begin(&b)) return;
    make(&b);
    static seen all[1200];
    for (int i = 0; i < 1200; i++) {
        plat_sim_advance_us(b.sim, 2000);
        event(&b, i);
        if (i == 700 && !rig_reopen(&b)) return;
        all[i] = look(&b, flow_of(&b, "s.m"));
    }
    engine_flow *flow = flow_of(&b, "s.m");
    base_error err = {0};
    state_txn *txn;
    uint64_t rows;
    REQUIRE(engine_flow_begin_read(flow, &txn, &err) == BASE_OK);
    REQUIRE(state_table_count(txn, flow->t_moment, &rows, &err) == BASE_OK);
    state_abort(txn);
    EXPECT(rows >= 100 && rows < 700);
    expect_all(&b, all + 1100, 100);
    rig_stop(&b);
}

TEST(a_failed_commit_leaves_the_moments_whole) {
    rig b;
    if (!rig_start(&b)) return;
    make(&b);
    event(&b, 1);
    engine_flow *flow = flow_of(&b, "s.m");
    static seen all[40];
    for (int i = 0; i < 40; i++) {
        if (i % 5 == 4) { // what a step that failed had noted does not count
            flow->reload = true;
            flow->inputs[0].partitions[0].noted_next += 1000;
        }
        plat_sim_advance_us(b.sim, 2000);
        event(&b, 10 + 30 * i);
        all[i] = look(&b, flow);
    }
    expect_all(&b, all, 40);
    rig_stop(&b);
}

TEST_MAIN(TEST_ENTRY(each_step_is_found_by_its_number_and_by_its_instant),
          TEST_ENTRY(before_the_first_there_is_none),
          TEST_ENTRY(views_that_come_and_go_are_in_the_moments_of_their_time),
          TEST_ENTRY(they_go_with_the_change_logs),
          TEST_ENTRY(a_failed_commit_leaves_the_moments_whole))
