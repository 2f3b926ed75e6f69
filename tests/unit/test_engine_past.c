// Views as they were, against kept copies: random changes of a table and a stream, steps at random
// times (also several at one, and while the clock has been put back), restarts between; then every
// view is read as of every instant, and between them.

#include "base/be.h"
#include "engine/history/moment.h"
#include "engine/history/past.h"
#include "engine_rig.h"

#define STEPS 100
#define VIEWS 6

static const char *const views[VIEWS] = {"groups", "bag", "windows", "grows", "over", "wide"};
static const char *const columns[VIEWS] = {
    "g, n, v", "r", "window_start, n, v", "id, v", "n, c", "k, g, v, x",
};

static void make(rig *b, const char *history) {
    static const char *const made[] = {
        "CREATE SCHEMA s",
        "CREATE TABLE s.p (k INT, g INT, v INT, x NUMERIC, PRIMARY KEY (k))",
        "CREATE STREAM s.e (id BIGINT PRIMARY KEY, at TIMESTAMPTZ NOT NULL, v INT,"
        " WATERMARK FOR at AS at - INTERVAL '20 seconds')",
        "CREATE MATERIALIZED VIEW s.groups WITH (refresh = 'immediate'%s) AS"
        " SELECT g, count(*) AS n, sum(v) AS v FROM s.p GROUP BY g",
        "CREATE MATERIALIZED VIEW s.bag WITH (refresh = 'immediate'%s) AS SELECT v %% 3 AS r FROM "
        "s.p",
        "CREATE MATERIALIZED VIEW s.windows WITH (refresh = 'immediate'%s) AS"
        " SELECT window_start, count(*) AS n, sum(v) AS v FROM TUMBLE(s.e, at, INTERVAL '1 minute')"
        " GROUP BY window_start",
        "CREATE MATERIALIZED VIEW s.grows WITH (refresh = 'immediate'%s) AS"
        " SELECT id, v FROM s.e WHERE v %% 2 = 0",
        "CREATE MATERIALIZED VIEW s.over WITH (refresh = 'immediate'%s) AS"
        " SELECT n, count(*) AS c FROM s.groups GROUP BY n",
        "CREATE MATERIALIZED VIEW s.wide WITH (refresh = 'immediate'%s) AS SELECT k, g, v, x FROM "
        "s.p",
    };
    for (size_t i = 0; i < sizeof made / sizeof *made; i++) {
        char sql[512];
        if (strstr(made[i], "MATERIALIZED") != NULL) {
            int n = snprintf(sql, sizeof sql, "%s", "");
            for (const char *p = made[i]; *p != 0; p++) {
                if (p[0] == '%' && p[1] == 's')
                    n += snprintf(sql + n, sizeof sql - (size_t)n, "%s", history), p++;
                else if (p[0] == '%' && p[1] == '%')
                    sql[n++] = '%', p++;
                else
                    sql[n++] = *p;
            }
            sql[n] = 0;
        } else {
            snprintf(sql, sizeof sql, "%s", made[i]);
        }
        EXPECT(strncmp(ask(b, sql), "CREATE", 6) == 0);
    }
}

static uint32_t below(base_random *random, uint32_t n) {
    return (uint32_t)base_random_below(random, n);
}

// Some rows put, some deleted, some events of about minute `i`.
static void change(rig *b, base_random *random, uint32_t keys, int i, int *id) {
    char json[4096];
    size_t n = 0;
    for (uint32_t k = below(random, 9); k > 0; k--)
        n += (size_t)snprintf(json + n, sizeof json - n,
                              "{\"k\":%u,\"g\":%u,\"v\":%u,\"x\":%u.%u}\n", below(random, keys),
                              below(random, 5), below(random, 9), below(random, 3),
                              10 * below(random, 3));
    if (n > 0) ingest(b, "s.p", json);
    if (below(random, 3) == 0) {
        char sql[64];
        snprintf(sql, sizeof sql, "DELETE FROM s.p WHERE k = %u", below(random, keys));
        EXPECT(strncmp(ask(b, sql), "DELETE", 6) == 0);
    }
    n = 0;
    for (uint32_t k = below(random, 5); k > 0; k--) {
        int second = 10 * i - (int)below(random, 4) * (int)below(random, 100);
        if (second < 0) second = 0;
        n += (size_t)snprintf(json + n, sizeof json - n,
                              "{\"id\":%d,\"at\":\"2026-01-01T%02d:%02d:%02dZ\",\"v\":%u}\n",
                              (*id)++, second / 3600, second / 60 % 60, second % 60,
                              below(random, 9));
    }
    if (n > 0) ingest(b, "s.e", json);
    flush(b);
}

typedef struct version {
    int64_t at_us;
    char *rows[VIEWS];
} version;

static const char *read_view(rig *b, int view, const char *from) {
    char sql[512];
    snprintf(sql, sizeof sql,
             "SELECT %s, _status, _revision, _updated_at FROM %s ORDER BY %s, _revision,"
             " _updated_at",
             columns[view], from, columns[view]);
    return ask(b, sql);
}

static engine_flow *flow_of(rig *b) {
    return engine_flow_of_view(b->e, engine_find(b->e, BASE_STR("s.groups"))->id);
}

static void keep(rig *b, version *out) {
    out->at_us = flow_of(b)->now_us;
    for (int view = 0; view < VIEWS; view++) {
        char name[32];
        snprintf(name, sizeof name, "s.%s", views[view]);
        out->rows[view] = strdup(read_view(b, view, name));
        must(out->rows[view] != NULL);
    }
}

static int wrong;

// What each view shows as of an instant is the last version not after it.
static void expect_at(rig *b, const version *all, int n, int64_t us) {
    const version *then = NULL;
    for (int i = 0; i < n; i++)
        if (all[i].at_us <= us) then = &all[i];
    for (int view = 0; then != NULL && view < VIEWS; view++) {
        char from[128], text[BASE_TIME_TEXT_MAX];
        base_rfc3339_format(us, text);
        snprintf(from, sizeof from, "weir.as_of('s.%s', '%s')", views[view], text);
        const char *found = read_view(b, view, from);
        if (strcmp(found, then->rows[view]) != 0 && wrong++ == 0)
            fprintf(stderr, "%s:\n%s\nand not\n%s\n", from, found, then->rows[view]);
    }
}

static void run(uint64_t seed, const char *history, uint32_t keys, uint64_t query_memory) {
    rig b;
    memset(&b, 0, sizeof b);
    b.sim = plat_sim_create(seed);
    b.plat = plat_sim_plat(b.sim);
    b.config = (engine_config){.dir = "/data", .memory_for = rig_memory, .memory_arg = &b};
    if (!rig_begin(&b)) return;
    make(&b, history);
    base_random random;
    base_random_seed(&random, seed);
    static version all[STEPS];
    int id = 0;
    for (int i = 0; i < STEPS; i++) {
        if (below(&random, 4) > 0) plat_sim_advance_us(b.sim, 1 + below(&random, 3000));
        if (i == 40) plat_sim_jump_wall_us(b.sim, -20000);
        if (below(&random, 30) == 0 && !rig_reopen(&b)) return;
        change(&b, &random, keys, i, &id);
        keep(&b, &all[i]);
    }
    plat_sim_advance_us(b.sim, 1000000);
    b.config.query_memory_bytes = query_memory;
    if (!rig_reopen(&b)) return;
    wrong = 0;
    for (int i = 0; i < STEPS; i++) {
        expect_at(&b, all, STEPS, all[i].at_us);
        if (i % 3 == 0) expect_at(&b, all, STEPS, all[i].at_us + 1 + below(&random, 1000));
    }
    EXPECT(wrong == 0);
    for (int i = 0; i < STEPS; i++)
        for (int view = 0; view < VIEWS; view++) free(all[i].rows[view]);
    rig_stop(&b);
}

TEST(a_view_at_each_instant_is_the_copy_kept_then) {
    run(1, "", 30, 0);
    run(2, ", history = '1 day'", 30, 0);
}

// So little memory that what has changed is sorted in files.
TEST(nor_does_it_depend_on_memory) {
    run(3, "", 400, 80000);
}

// The step at an instant, by search, is the one that a walk over all moments finds.
TEST(an_instant_finds_the_step_that_a_walk_finds) {
    rig b;
    if (!rig_start(&b)) return;
    make(&b, "");
    base_random random;
    base_random_seed(&random, 11);
    static int64_t at_us[400];
    uint64_t first = flow_of(&b)->step + 1;
    int n = 0, id = 0;
    while (n < 400) {
        if (below(&random, 3) > 0) plat_sim_advance_us(b.sim, below(&random, 50));
        if (below(&random, 100) == 0) plat_sim_jump_wall_us(b.sim, -(int64_t)below(&random, 300));
        uint64_t before = flow_of(&b)->step;
        change(&b, &random, 30, n, &id);
        if (flow_of(&b)->step == before) continue; // there was nothing to do
        REQUIRE(flow_of(&b)->step == before + 1);
        at_us[n++] = flow_of(&b)->now_us;
    }
    base_arena arena;
    base_arena_init(&arena, 1 << 12);
    base_error err = {0};
    state_txn *txn;
    REQUIRE(engine_flow_begin_read(flow_of(&b), &txn, &err) == BASE_OK);
    for (int i = 0; i < 2000; i++) {
        int64_t us = at_us[0] + below(&random, (uint32_t)(at_us[399] - at_us[0] + 20));
        int last = 0;
        while (last + 1 < 400 && at_us[last + 1] <= us) last++;
        engine_moment m;
        bool found;
        base_arena_reset(&arena);
        REQUIRE(engine_moment_at_time(txn, flow_of(&b)->t_moment, us, &arena, &m, &found, &err) ==
                BASE_OK);
        EXPECT(found && m.step == first + (uint64_t)last && m.at_us == at_us[last]);
    }
    state_abort(txn);
    base_arena_deinit(&arena);
    rig_stop(&b);
}

// Without a history the last change ends what can be asked; a history from then on is whole.
TEST(a_view_without_a_history_is_known_since_its_last_change) {
    rig b;
    if (!rig_start(&b)) return;
    make(&b, ", history = 'off'");
    base_random random;
    base_random_seed(&random, 3);
    int id = 0;
    for (int i = 0; i < 40; i++) {
        plat_sim_advance_us(b.sim, 1000);
        change(&b, &random, 30, i, &id);
        ingest(&b, "s.p", "{\"k\":100,\"g\":1,\"v\":1,\"x\":1}");
        ingest(&b, "s.p",
               i % 2 == 0 ? "{\"k\":100,\"g\":1,\"v\":3,\"x\":1}"
                          : "{\"k\":100,\"g\":1,\"v\":4,\"x\":1}");
        flush(&b);
        int64_t at_us = flow_of(&b)->now_us;
        plat_sim_advance_us(b.sim, 1000);
        char text[BASE_TIME_TEXT_MAX], from[128], now[4096];
        base_rfc3339_format(at_us, text);
        snprintf(from, sizeof from, "weir.as_of('s.wide', '%s')", text);
        snprintf(now, sizeof now, "%s", read_view(&b, 5, "s.wide"));
        EXPECT_EQ_STR(read_view(&b, 5, from), now);
        base_rfc3339_format(at_us - 1, text);
        snprintf(from, sizeof from, "weir.as_of('s.wide', '%s')", text);
        EXPECT(strncmp(read_view(&b, 5, from), "ERROR 22023", 11) == 0);
        if (i == 20 && !rig_reopen(&b)) return;
    }
    rig_stop(&b);
}

// As a program left it that knew neither moments nor undo: facts of version 1, plain records.
static void make_old(rig *b, const char *name) {
    const plan_object *view = engine_find(b->e, base_str_of(name));
    engine_flow *flow = flow_of(b);
    engine_view_snapshot snapshot;
    state_txn *txn;
    state_cursor *cursor;
    base_error err = {0};
    REQUIRE(engine_view_snapshot_open(b->e, view, &snapshot, &err) == BASE_OK);
    engine_view_snapshot_close(&snapshot);
    REQUIRE(state_begin_write(flow->store, &txn, &err) == BASE_OK);
    base_str key, value, undo, delta;
    bool found, end;
    char id[4];
    base_be_put(id, view->id, 4);
    REQUIRE(state_get(txn, flow->t_view, (base_str){id, 4}, &value, &found, &err) == BASE_OK);
    REQUIRE(found && value.n == 64);
    char facts[56];
    memcpy(facts, value.p, sizeof facts);
    facts[0] = 1;
    REQUIRE(state_put(txn, flow->t_view, (base_str){id, 4}, (base_str){facts, sizeof facts},
                      &err) == BASE_OK);
    REQUIRE(state_cursor_open(txn, snapshot.changes, &cursor, &err) == BASE_OK);
    REQUIRE(state_cursor_seek(cursor, (base_str){NULL, 0}, &key, &value, &end, &err) == BASE_OK);
    while (!end) {
        REQUIRE(engine_change_parts(value, &undo, &delta, &err) == BASE_OK);
        base_buf plain = {0};
        base_buf_add(&plain, value.p, 16);
        base_buf_add_str(&plain, delta);
        char step[8];
        memcpy(step, key.p, 8);
        REQUIRE(state_put(txn, snapshot.changes, (base_str){step, 8}, base_buf_str(&plain), &err) ==
                BASE_OK);
        base_buf_deinit(&plain);
        REQUIRE(state_cursor_next(cursor, &key, &value, &end, &err) == BASE_OK);
    }
    state_cursor_close(cursor);
    uint64_t deleted;
    char last[8];
    memset(last, 0xff, 8);
    REQUIRE(state_delete_range(txn, flow->t_moment, (base_str){NULL, 0}, (base_str){last, 8},
                               &deleted, &err) == BASE_OK);
    REQUIRE(deleted > 0);
    REQUIRE(state_commit(txn, &err) == BASE_OK);
}

TEST(a_directory_of_before_has_a_history_from_its_next_step_on) {
    rig b;
    if (!rig_start(&b)) return;
    make(&b, "");
    base_random random;
    base_random_seed(&random, 5);
    int id = 0;
    for (int i = 0; i < 20; i++) {
        plat_sim_advance_us(b.sim, 1000);
        change(&b, &random, 30, i, &id);
    }
    make_old(&b, "s.wide");
    if (!rig_reopen(&b)) return;
    plat_sim_advance_us(b.sim, 1000);
    EXPECT(strncmp(read_view(&b, 5, "weir.as_of('s.wide', '2001-01-01')"), "ERROR 22023", 11) == 0);
    EXPECT_EQ_STR(ask(&b, "SELECT history_from IS NULL FROM weir.views WHERE name = 'wide'"), "t");
    char now[8192];
    snprintf(now, sizeof now, "%s", ask(&b, "SELECT k, g, v FROM s.wide ORDER BY k"));
    EXPECT(now[0] != 0);
    EXPECT_EQ_STR(ask(&b, "SELECT k, g, v FROM weir.as_of('s.wide', NULL, 'infinity') ORDER BY k"),
                  now);
    static version all[30];
    for (int i = 0; i < 30; i++) {
        plat_sim_advance_us(b.sim, 1000);
        ingest(&b, "s.p", "{\"k\":7,\"g\":1,\"v\":1,\"x\":1}"); // a step in any case
        change(&b, &random, 30, i, &id);
        keep(&b, &all[i]);
    }
    plat_sim_advance_us(b.sim, 1000);
    for (int i = 0; i < 30; i++) {
        char from[128], text[BASE_TIME_TEXT_MAX];
        base_rfc3339_format(all[i].at_us, text);
        snprintf(from, sizeof from, "weir.as_of('s.wide', '%s')", text);
        EXPECT_EQ_STR(read_view(&b, 5, from), all[i].rows[5]);
        for (int view = 0; view < VIEWS; view++) free(all[i].rows[view]);
    }
    rig_stop(&b);
}

TEST_MAIN(TEST_ENTRY(a_view_at_each_instant_is_the_copy_kept_then),
          TEST_ENTRY(nor_does_it_depend_on_memory),
          TEST_ENTRY(an_instant_finds_the_step_that_a_walk_finds),
          TEST_ENTRY(a_view_without_a_history_is_known_since_its_last_change),
          TEST_ENTRY(a_directory_of_before_has_a_history_from_its_next_step_on))
