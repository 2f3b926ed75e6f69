// Views that change as time passes, on a clock that the test moves: temporal filters against the
// same query asked ad hoc, EMIT ON WINDOW CLOSE against the standing of a view without it, through
// random input, jumps of the clock, failed steps and restarts.

#include "base/random.h"
#include "engine/engine_int.h"
#include "engine_rig.h"

#define START "2026-03-28 12:00:00Z"

static bool fail_next; // the next commit of a store
static base_rc fail_commit(void *arg, const char *op, base_error *err) {
    (void)arg;
    if (!fail_next || strcmp(op, "commit") != 0) return BASE_OK;
    fail_next = false;
    return base_fail(err, BASE_E_IO, NULL, "as asked for");
}

static void say_nothing(void *arg, engine_level level, const char *text) {
    (void)arg, (void)level, (void)text;
}

static void tick(rig *b) {
    base_error err = {0};
    bool progressed;
    (void)!engine_tick(b->e, false, &progressed, &err);
}

// The views' conditions: the same text is asked ad hoc.
static const struct {
    const char *name, *refresh, *query;
} filters[] = {
    {"recent", "immediate", "SELECT id, k FROM e WHERE at > now() - INTERVAL '1 minute'"},
    {"ahead", "1 second",
     "SELECT id, k FROM e WHERE at >= now() AND at < now() + INTERVAL '30 seconds'"},
    {"sums", "immediate",
     "SELECT k, count(*) AS n, sum(id) AS ids FROM e WHERE at BETWEEN now() - INTERVAL '20 "
     "seconds' "
     "AND now() + INTERVAL '20 seconds' GROUP BY k"},
    {"rows", "immediate",
     "SELECT t.k, e.id FROM t JOIN e ON e.k = t.k WHERE t.until > CURRENT_TIMESTAMP AND NOT e.at < "
     "now() - INTERVAL '40 seconds'"},
    {"minutes", "1 second", "SELECT id FROM e WHERE at >= date_trunc('minute', now())"},
    {"berlin", "immediate",
     "SELECT id FROM e WHERE (at AT TIME ZONE 'Europe/Berlin')::date = (now() AT TIME ZONE "
     "'Europe/Berlin')::date"},
    {"ages", "immediate",
     "SELECT k, max(at) AS at FROM e GROUP BY k HAVING now() - max(at) < INTERVAL '25 seconds'"},
};
#define NFILTERS (sizeof filters / sizeof filters[0])

static void make_views(rig *b) {
    EXPECT_EQ_STR(
        ask(b, "CREATE STREAM e (id BIGINT NOT NULL, k INT, at TIMESTAMPTZ NOT NULL, PRIMARY "
               "KEY (id), WATERMARK FOR at AS at - INTERVAL '5 seconds') WITH (partitions "
               "= 2, idle_timeout = '10 seconds')"),
        "CREATE STREAM");
    EXPECT_EQ_STR(ask(b, "CREATE TABLE t (k INT NOT NULL, until TIMESTAMPTZ, PRIMARY KEY (k))"),
                  "CREATE TABLE");
    char sql[800];
    for (size_t i = 0; i < NFILTERS; i++) {
        snprintf(sql, sizeof sql, "CREATE MATERIALIZED VIEW %s WITH (refresh = '%s') AS %s",
                 filters[i].name, filters[i].refresh, filters[i].query);
        EXPECT_EQ_STR(ask(b, sql), "CREATE MATERIALIZED VIEW");
    }
    static const char *const windows =
        "SELECT window_start, window_end, k, count(*) AS n FROM HOP(e, at, INTERVAL '10 seconds', "
        "INTERVAL '20 seconds') GROUP BY window_start, window_end, k";
    for (int close = 0; close < 2; close++) {
        snprintf(
            sql, sizeof sql,
            "CREATE MATERIALIZED VIEW %s WITH (refresh = 'immediate', lateness = '7 seconds') AS "
            "%s %s",
            close ? "closed" : "every", windows, close ? "EMIT ON WINDOW CLOSE" : "");
        EXPECT_EQ_STR(ask(b, sql), "CREATE MATERIALIZED VIEW");
    }
}

static bool same(rig *b, const char *view, const char *query, const char *columns) {
    char sql[1200];
    snprintf(sql, sizeof sql, "SELECT %s FROM %s ORDER BY %s", columns, view, columns);
    char *is = strdup(ask(b, sql));
    must(is != NULL);
    snprintf(sql, sizeof sql, "SELECT %s FROM (%s) AS q ORDER BY %s", columns, query, columns);
    const char *wanted = ask(b, sql);
    bool equal = strcmp(is, wanted) == 0;
    if (!equal) fprintf(stderr, "%s is\n%s\nand should be\n%s\n", view, is, wanted);
    free(is);
    return equal;
}

static bool check_views(rig *b) {
    static const char *const columns[NFILTERS] = {"id, k", "id, k", "k, n, ids", "k, id",
                                                  "id",    "id",    "k, at"};
    bool good = true;
    for (size_t i = 0; i < NFILTERS; i++)
        good &= same(b, filters[i].name, filters[i].query, columns[i]);
    good &= same(b, "closed", "SELECT * FROM every WHERE _status <> 'provisional'",
                 "window_start, window_end, k, n");
    return good;
}

typedef struct walk {
    rig *b;
    base_random random;
    int64_t behind_us; // how far the wall clock was put back
    uint32_t next_id;
} walk;

static uint32_t below(walk *w, uint32_t n) {
    return (uint32_t)base_random_below(&w->random, n);
}

static void add_rows(walk *w) {
    char json[200];
    int64_t now_us = plat_wall_us(w->b->plat);
    for (uint32_t n = 1 + below(w, 4); n > 0; n--) {
        char at[BASE_TIME_TEXT_MAX];
        int64_t us = now_us + ((int64_t)below(w, 120) - 70) * BASE_US_PER_SECOND;
        base_rfc3339_format(us, at);
        snprintf(json, sizeof json, "{\"id\":%u,\"k\":%u,\"at\":\"%s\"}", w->next_id++, below(w, 4),
                 at);
        ingest(w->b, "e", json);
    }
    if (below(w, 3) != 0) return;
    char until[BASE_TIME_TEXT_MAX];
    base_rfc3339_format(now_us + ((int64_t)below(w, 80) - 30) * BASE_US_PER_SECOND, until);
    if (below(w, 4) == 0)
        snprintf(json, sizeof json, "{\"_op\":\"delete\",\"k\":%u}", below(w, 4));
    else
        snprintf(json, sizeof json, "{\"k\":%u,\"until\":\"%s\"}", below(w, 4), until);
    ingest(w->b, "t", json);
}

static void move_clock(walk *w) {
    static const int64_t steps[] = {1, 999999, 1000000, 3000000, 20000000, 61000000, 90000000};
    int64_t us = steps[below(w, 7)];
    if (below(w, 40) == 0) us = 13 * BASE_US_PER_HOUR; // past a midnight
    if (w->behind_us > 0) {
        plat_sim_advance_us(w->b->sim, w->behind_us);
        w->behind_us = 0;
    } else if (below(w, 10) == 0) {
        w->behind_us = us;
        plat_sim_jump_wall_us(w->b->sim, -us);
        return;
    }
    plat_sim_advance_us(w->b->sim, us);
}

static void disturb(walk *w) {
    rig *b = w->b;
    switch (below(w, 12)) {
    case 0:
        rig_reopen(b);
        return;
    case 1:
        for (size_t i = 0; i < b->nmemories; i++)
            if (strstr(b->dirs[i], "/flow/") != NULL)
                state_memory_set_fault(b->memories[i], fail_commit, NULL);
        fail_next = true;
        tick(b);
        fail_next = false;
        return;
    default:
        tick(b);
    }
}

static bool walk_once(uint64_t seed) {
    rig b;
    if (!rig_start(&b)) return false;
    b.config.message = say_nothing; // of the failures that are asked for
    rig_reopen(&b);
    walk w = {.b = &b, .next_id = 1};
    base_random_seed(&w.random, seed);
    int64_t start;
    base_error err;
    must(base_timestamptz_parse(BASE_STR(START), 0, &start, &err) == BASE_OK);
    plat_sim_advance_us(b.sim, start - plat_wall_us(b.plat));
    make_views(&b);
    bool good = true;
    for (int i = 0; i < 40 && good; i++) {
        if (below(&w, 3) != 0) add_rows(&w);
        if (below(&w, 2) != 0) move_clock(&w);
        disturb(&w);
        // A flow's time does not go back with the clock: then ad hoc is another moment.
        if (w.behind_us > 0 || below(&w, 3) == 0) continue;
        flush(&b);
        good = check_views(&b);
    }
    rig_stop(&b);
    if (!good) fprintf(stderr, "seed %llu\n", (unsigned long long)seed);
    return good;
}

TEST(views_follow_the_clock) {
    for (uint64_t seed = 1; seed <= 60; seed++) EXPECT(walk_once(seed));
}

// Time alone makes steps, and they let go of what waits: nothing is left when all is over.
TEST(what_is_over_is_let_go) {
    rig b;
    if (!rig_start(&b)) return;
    ask(&b, "CREATE STREAM s (id BIGINT NOT NULL, at TIMESTAMPTZ NOT NULL, PRIMARY KEY (id))");
    EXPECT_EQ_STR(ask(&b,
                      "CREATE MATERIALIZED VIEW v WITH (refresh = 'immediate') AS SELECT id FROM s "
                      "WHERE at BETWEEN now() - INTERVAL '1 minute' AND now()"),
                  "CREATE MATERIALIZED VIEW");
    int64_t now_us = plat_wall_us(b.plat);
    for (int i = 0; i < 100; i++) {
        char json[120], at[BASE_TIME_TEXT_MAX];
        base_rfc3339_format(now_us + (i - 50) * BASE_US_PER_SECOND, at);
        snprintf(json, sizeof json, "{\"id\":%d,\"at\":\"%s\"}", i, at);
        ingest(&b, "s", json);
    }
    tick(&b);
    EXPECT_EQ_STR(ask(&b, "SELECT count(*), min(id), max(id) FROM v"), "51|0|50");
    plat_sim_advance_us(b.sim, 11 * BASE_US_PER_SECOND);
    tick(&b);
    EXPECT_EQ_STR(ask(&b, "SELECT count(*), min(id), max(id) FROM v"), "61|1|61");
    EXPECT_EQ_STR(ask(&b, "SELECT count(*) FROM weir.revisions"), "0");
    plat_sim_advance_us(b.sim, 10 * BASE_US_PER_MINUTE);
    rig_reopen(&b);
    tick(&b);
    EXPECT_EQ_STR(ask(&b, "SELECT count(*) FROM v"), "0");
    engine_flow *flow = b.e->flows[0];
    EXPECT(flow_graph_due_us(flow->graph) == INT64_MAX);
    uint64_t step = atomic_load(&flow->committed_step);
    plat_sim_advance_us(b.sim, BASE_US_PER_MINUTE);
    tick(&b);
    EXPECT(atomic_load(&flow->committed_step) == step);
    rig_stop(&b);
}

TEST_MAIN(TEST_ENTRY(views_follow_the_clock), TEST_ENTRY(what_is_over_is_let_go))
