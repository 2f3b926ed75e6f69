// Views that only grow and have no key: their rows are their change log.

#include "engine/engine_int.h"
#include "engine_rig.h"

#define STREAM "CREATE STREAM s.e (v INT NOT NULL, name TEXT)"

static bool is_appended(rig *b, const char *name) {
    engine_view_snapshot snapshot;
    base_error err = {0};
    const plan_object *view = engine_find(b->e, base_str_of(name));
    if (view == NULL || engine_view_snapshot_open(b->e, view, &snapshot, &err) != BASE_OK) {
        test_failures++;
        return false;
    }
    engine_view_snapshot_close(&snapshot);
    return snapshot.appended;
}

static void make(rig *b) {
    ask(b, "CREATE SCHEMA s");
    EXPECT_EQ_STR(ask(b, STREAM), "CREATE STREAM");
    EXPECT_EQ_STR(ask(b, "CREATE TABLE s.t (id INT PRIMARY KEY, w INT)"), "CREATE TABLE");
}

TEST(rows_and_changes_are_the_same_and_survive) {
    rig b;
    if (!rig_start(&b)) return;
    make(&b);
    ask(&b, "CREATE MATERIALIZED VIEW s.a AS SELECT v, name FROM s.e WHERE v > 0");
    ingest(&b, "s.e", "{\"v\":1,\"name\":\"x\"}\n{\"v\":1,\"name\":\"x\"}\n{\"v\":0}");
    flush(&b);
    ingest(&b, "s.e", "{\"v\":2}");
    flush(&b);
    EXPECT(is_appended(&b, "s.a"));
    for (int again = 0; again < 2; again++) {
        EXPECT_EQ_STR(ask(&b, "SELECT v, name FROM s.a ORDER BY v"), "1|x\n1|x\n2|null");
        EXPECT_EQ_STR(ask(&b, "SELECT count(*), min(_revision), min(_status) FROM s.a"),
                      "3|1|current");
        EXPECT_EQ_STR(ask(&b, "SELECT rows FROM weir.views WHERE name = 'a'"), "3");
        base_arena arena;
        base_arena_init(&arena, 1 << 12);
        engine_change change;
        base_error err = {0};
        bool found = false;
        uint64_t after = 0, rows = 0;
        const plan_object *view = engine_find(b.e, BASE_STR("s.a"));
        do {
            REQUIRE(engine_change_next(b.e, view, after, &arena, &change, &found, &err) == BASE_OK);
            if (found) rows += change.delta->nrows, after = change.step;
        } while (found);
        EXPECT_EQ_INT(rows, 3);
        base_arena_deinit(&arena);
        if (!rig_reopen(&b)) return;
    }
    rig_stop(&b);
}

TEST(a_view_made_later_gets_its_history_but_no_changes_of_it) {
    rig b;
    if (!rig_start(&b)) return;
    make(&b);
    ask(&b, "CREATE MATERIALIZED VIEW s.first AS SELECT count(*) AS n FROM s.e");
    ingest(&b, "s.e", "{\"v\":1}\n{\"v\":2}");
    flush(&b);
    ask(&b, "CREATE MATERIALIZED VIEW s.a AS SELECT v FROM s.e");
    EXPECT(is_appended(&b, "s.a"));
    ingest(&b, "s.e", "{\"v\":3}");
    flush(&b);
    ask(&b, "CREATE MATERIALIZED VIEW s.b AS SELECT v + 1 AS v FROM s.a");
    flush(&b);
    for (int again = 0; again < 2; again++) {
        EXPECT_EQ_STR(ask(&b, "SELECT v FROM s.a ORDER BY v"), "1\n2\n3");
        EXPECT_EQ_STR(ask(&b, "SELECT v FROM s.b ORDER BY v"), "2\n3\n4");
        if (!rig_reopen(&b)) return;
    }
    const plan_object *view = engine_find(b.e, BASE_STR("s.a"));
    engine_view_snapshot snapshot;
    base_error err = {0};
    REQUIRE(engine_view_snapshot_open(b.e, view, &snapshot, &err) == BASE_OK);
    uint64_t trimmed = snapshot.trimmed_step;
    engine_view_snapshot_close(&snapshot);
    base_arena arena;
    base_arena_init(&arena, 1 << 12);
    engine_change change;
    bool found = false;
    REQUIRE(engine_change_next(b.e, view, trimmed, &arena, &change, &found, &err) == BASE_OK);
    EXPECT(found && change.delta->nrows == 1 && col_i32(&change.delta->cols[0])[0] == 3);
    base_arena_deinit(&arena);
    rig_stop(&b);
}

TEST(what_may_lose_rows_is_kept_by_key) {
    rig b;
    if (!rig_start(&b)) return;
    make(&b);
    ask(&b, "CREATE MATERIALIZED VIEW s.joined AS SELECT e.v, t.w FROM s.e JOIN s.t ON e.v = t.id");
    ask(&b, "CREATE MATERIALIZED VIEW s.upper AS SELECT v FROM s.e");
    ask(&b, "CREATE MATERIALIZED VIEW s.counted AS SELECT v, count(*) AS n FROM s.e GROUP BY v");
    ingest(&b, "s.e", "{\"v\":1}\n{\"v\":1}");
    ingest(&b, "s.t", "{\"id\":1,\"w\":5}");
    flush(&b);
    EXPECT(!is_appended(&b, "s.joined") && !is_appended(&b, "s.counted"));
    ingest(&b, "s.t", "{\"id\":1,\"w\":6}");
    flush(&b);
    EXPECT_EQ_STR(ask(&b, "SELECT v, w FROM s.joined"), "1|6\n1|6");
    EXPECT(is_appended(&b, "s.upper"));
    EXPECT_EQ_STR(ask(&b, "SELECT count(*) FROM s.upper"), "2");
    rig_stop(&b);
}

TEST_MAIN(TEST_ENTRY(rows_and_changes_are_the_same_and_survive),
          TEST_ENTRY(a_view_made_later_gets_its_history_but_no_changes_of_it),
          TEST_ENTRY(what_may_lose_rows_is_kept_by_key))
