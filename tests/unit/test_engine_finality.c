// What watermarks are from and when windows close, in simulation: the learnt delay against an exact
// model, the same state after a restart as without one, books that close by the wall clock, idle
// partitions over outages and clocks that are set.

#include <math.h>

#include "engine/finality/disorder.h"
#include "engine/finality/expect.h"
#include "engine_rig.h"

// ---- the histogram against all values -----------------------------------------------------------

// The exact one: every value with its weight, halved as the histogram is.
typedef struct model {
    uint32_t n;
    int64_t *values;
} model;

static int by_value(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static int64_t exact_delay(model *m, double share) {
    qsort(m->values, m->n, sizeof *m->values, by_value);
    double rank = ceil(share * m->n);
    uint32_t i = rank < 1 ? 0 : (uint32_t)rank - 1;
    return m->values[i < m->n ? i : m->n - 1];
}

static int64_t random_disorder(base_random *random) {
    uint64_t kind = base_random_below(random, 100);
    if (kind < 60) return 0;
    if (kind < 95) return (int64_t)base_random_below(random, 5 * BASE_US_PER_SECOND);
    return (int64_t)(1ull << base_random_below(random, 45));
}

TEST(learnt_delays_hold_what_they_promise) {
    base_random random;
    base_random_seed(&random, 3);
    static const double shares[] = {0.5, 0.9, 0.99, 0.999, 0.9999, 1};
    for (int round = 0; round < 20; round++) {
        engine_disorder d = {0};
        model m = {0, malloc(20000 * sizeof(int64_t))};
        uint32_t n = 1 + (uint32_t)base_random_below(&random, 20000);
        for (uint32_t i = 0; i < n; i++) {
            m.values[m.n] = random_disorder(&random);
            engine_disorder_add(&d, m.values[m.n++]);
        }
        for (size_t s = 0; s < sizeof shares / sizeof *shares; s++) {
            int64_t exact = exact_delay(&m, shares[s]);
            int64_t told = engine_disorder_delay(&d, shares[s]);
            EXPECT(told >= exact);
            EXPECT(told <= exact + exact / 16);
        }
        EXPECT_EQ_INT(d.most_us, m.values[m.n - 1]);
        // Stored and read, it is the same to the last number.
        base_buf bytes = {0};
        engine_disorder again;
        engine_disorder_encode(&d, &bytes);
        EXPECT(engine_disorder_decode(&again, base_buf_str(&bytes)));
        d.changed = false;
        EXPECT(memcmp(&d, &again, sizeof d) == 0);
        for (size_t cut = 0; cut < bytes.n; cut += 7)
            EXPECT(!engine_disorder_decode(&again, (base_str){bytes.p, cut}));
        base_buf_deinit(&bytes);
        free(m.values);
    }
}

TEST(buckets_hold_their_values) {
    base_random random;
    base_random_seed(&random, 4);
    for (uint32_t i = 0; i + 1 < ENGINE_DISORDER_BUCKETS; i++) {
        int64_t bound = engine_disorder_bound(i);
        EXPECT_EQ_INT(engine_disorder_bucket(bound), i);
        if (bound < INT64_MAX) EXPECT_EQ_INT(engine_disorder_bucket(bound + 1), i + 1);
        if (bound == INT64_MAX) break;
    }
    EXPECT(engine_disorder_bucket(INT64_MAX) < ENGINE_DISORDER_BUCKETS);
    EXPECT_EQ_INT(engine_disorder_bucket(-5), 0);
}

// What has been long ago weighs little: a stream that has become punctual is seen as that.
TEST(old_disorder_decays) {
    engine_disorder d = {0};
    for (int i = 0; i < 200000; i++) engine_disorder_add(&d, 60 * BASE_US_PER_SECOND);
    EXPECT(engine_disorder_delay(&d, 0.9) == 60 * BASE_US_PER_SECOND);
    for (int i = 0; i < 2000000; i++) engine_disorder_add(&d, 1000);
    EXPECT(engine_disorder_delay(&d, 0.99) < 1100);
    EXPECT(d.records == 2200000 && d.weight < 256ull << 18);
}

// ---- a stream, with and without restarts --------------------------------------------------------

typedef struct event_source {
    base_random random;
    uint32_t next_id;
    int64_t at_us;
} event_source;

static void add_events(rig *b, event_source *s, uint32_t n) {
    base_buf json = {0};
    for (uint32_t i = 0; i < n; i++) {
        char at[BASE_TIME_TEXT_MAX];
        s->at_us += (int64_t)base_random_below(&s->random, BASE_US_PER_SECOND);
        base_rfc3339_format(s->at_us - random_disorder(&s->random) % BASE_US_PER_HOUR, at);
        base_buf_printf(&json, "{\"id\":%u,\"n\":%u,\"src\":\"s%u\",\"at\":\"%s\"}\n", s->next_id,
                        s->next_id, s->next_id % 3, at);
        s->next_id += 1 + (base_random_below(&s->random, 50) == 0); // sometimes one is lost
    }
    ingest(b, "e", base_buf_cstr(&json));
    base_buf_deinit(&json);
}

static const char *const policies[] = {
    "at - INTERVAL '30 seconds'",
    "PERCENTILE 0.9 BETWEEN INTERVAL '1 second' AND INTERVAL '20 minutes'",
    "PERCENTILE 0.999",
};
static const char *const finalities[] = {
    "refresh = 'immediate', lateness = '1 minute'",
    "refresh = 'immediate', close = '00:05 Europe/Berlin'",
    "refresh = '1 second', close = '23:30 America/New_York', lateness = '2 minutes'",
};

static void make(rig *b, int policy) {
    char sql[600];
    snprintf(sql, sizeof sql,
             "CREATE STREAM e (id BIGINT NOT NULL, n BIGINT, src TEXT, at TIMESTAMPTZ NOT NULL, "
             "PRIMARY KEY (id), SEQUENCE (src, n), WATERMARK FOR at AS %s) WITH (partitions = 2, "
             "max_lateness = '30 minutes')",
             policies[policy]);
    EXPECT_EQ_STR(ask(b, sql), "CREATE STREAM");
    for (int i = 0; i < 6; i++) {
        snprintf(
            sql, sizeof sql,
            "CREATE MATERIALIZED VIEW v%d WITH (%s%s) AS SELECT window_start, count(*) AS n FROM "
            "TUMBLE(e, at, INTERVAL '1 minute') GROUP BY window_start%s",
            i, finalities[i / 2], i == 5 ? ", early = '7 seconds'" : "",
            i % 2 ? " EMIT ON WINDOW CLOSE" : "");
        EXPECT_EQ_STR(ask(b, sql), "CREATE MATERIALIZED VIEW");
    }
}

// What must be the same however often the engine was stopped.
static char *picture(rig *b) {
    static const char *const queries[] = {
        ("SELECT name, partition, watermark, newest_event, records, late, faults FROM "
         "weir.partitions ORDER BY flow, partition"),
        "SELECT *, _status FROM v0 ORDER BY 1",
        "SELECT *, _status FROM v1 ORDER BY 1",
        "SELECT *, _status FROM v2 ORDER BY 1",
        "SELECT *, _status FROM v3 ORDER BY 1",
        "SELECT *, _status FROM v4 ORDER BY 1",
        "SELECT *, _status FROM v5 WHERE _status <> 'provisional' ORDER BY 1",
        "SELECT * FROM weir.completeness ORDER BY flow, partition",
        "SELECT * FROM weir.sequences ORDER BY flow, producer",
        "SELECT * FROM weir.sequence_gaps ORDER BY flow, producer, first_missing",
        "SELECT flow, expected, seen, missing FROM weir.expected_events ORDER BY flow",
        "SELECT * FROM weir.window_completeness WHERE view <> 'v5' ORDER BY view, window_end",
        "SELECT name, watermark, corrections FROM weir.views WHERE name <> 'v5' ORDER BY 1",
    };
    base_buf out = {0};
    for (size_t i = 0; i < sizeof queries / sizeof *queries; i++)
        base_buf_printf(&out, "%s\n\n", ask(b, queries[i]));
    char *text = strdup(base_buf_cstr(&out));
    base_buf_deinit(&out);
    return text;
}

// Numbers seen and missing, against the records themselves: what is refused as too late has come.
static bool gaps_equal_recomputation(rig *b) {
    char *is =
        strdup(ask(b, "SELECT producer, first, last, seen, missing FROM weir.sequences WHERE "
                      "flow = 'public@immediate' ORDER BY 1"));
    const char *wanted =
        ask(b, "SELECT src, min(n), max(n), count(DISTINCT n), max(n) - min(n) + 1 "
               "- count(DISTINCT n) FROM (SELECT src, n FROM e UNION ALL SELECT "
               "raw::jsonb->>'src', (raw::jsonb->>'n')::bigint FROM weir.quarantine "
               "WHERE flow = 'public@immediate') AS q GROUP BY src ORDER BY 1");
    bool equal = strcmp(is, wanted) == 0;
    if (!equal) fprintf(stderr, "sequences are\n%s\nand should be\n%s\n", is, wanted);
    free(is);
    return equal;
}

static bool equals_recomputation(rig *b) {
    bool good = gaps_equal_recomputation(b);
    for (int i = 0; i < 6; i++) {
        char sql[400];
        char *is, *wanted;
        snprintf(sql, sizeof sql, "SELECT * FROM v%d ORDER BY 1", i);
        is = strdup(ask(b, sql));
        // A view that waits shows what the same view without waiting says is final.
        if (i == 1 || i == 3)
            snprintf(sql, sizeof sql,
                     "SELECT window_start, n FROM v%d WHERE _status <> 'provisional' ORDER BY 1",
                     i - 1);
        else
            snprintf(sql, sizeof sql,
                     "SELECT window_start, count(*) FROM TUMBLE(e, at, INTERVAL '1 minute') GROUP "
                     "BY window_start ORDER BY 1");
        if (i == 5) { // early rows too: what is final is right
            free(is);
            is = strdup(ask(b, "SELECT * FROM v5 WHERE _status <> 'provisional' ORDER BY 1"));
            snprintf(sql, sizeof sql,
                     "SELECT window_start, n FROM v4 WHERE _status <> 'provisional' ORDER BY 1");
        }
        wanted = strdup(ask(b, sql));
        if (strcmp(is, wanted) != 0) {
            fprintf(stderr, "v%d is\n%s\nand should be\n%s\n", i, is, wanted);
            good = false;
        }
        free(is);
        free(wanted);
    }
    return good;
}

static bool measures_are_there(rig *b) {
    static const char *const names[] = {"weir_stream_watermark_delay_seconds",
                                        "weir_stream_disorder_p99_seconds",
                                        "weir_stream_missing_numbers"};
    base_buf text = {0};
    bool good = true;
    engine_metrics(b->e, &text);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char line[160];
        snprintf(line, sizeof line, "\n%s{flow=\"public@immediate\",stream=\"public.e\"} ",
                 names[i]);
        good &= strstr(base_buf_cstr(&text), line) != NULL;
    }
    base_buf_deinit(&text);
    return good;
}

static char *run(uint64_t seed, int policy, bool restarts) {
    rig b;
    if (!rig_start(&b)) return NULL;
    make(&b, policy);
    event_source s = {.next_id = 1};
    base_random_seed(&s.random, seed);
    base_error err;
    must(base_timestamptz_parse(BASE_STR("2026-10-24T20:00:00Z"), 0, &s.at_us, &err) == BASE_OK);
    for (int i = 0; i < 12; i++) {
        add_events(&b, &s, 1 + (uint32_t)base_random_below(&s.random, 700));
        if (base_random_below(&s.random, 3) == 0) {
            char sql[200], at[BASE_TIME_TEXT_MAX];
            base_rfc3339_format(s.at_us - 5 * BASE_US_PER_SECOND, at);
            snprintf(sql, sizeof sql, "ADVANCE WATERMARK OF e TO '%s' EVENTS %u", at,
                     s.next_id - 1);
            EXPECT_EQ_STR(ask(&b, sql), "ADVANCE WATERMARK");
        }
        flush(&b);
        plat_sim_advance_us(b.sim, BASE_US_PER_SECOND);
        if (restarts) rig_reopen(&b);
        s.at_us += (int64_t)base_random_below(&s.random, 2) * BASE_US_PER_HOUR;
    }
    flush(&b);
    EXPECT(equals_recomputation(&b));
    EXPECT(measures_are_there(&b));
    char *text = picture(&b);
    rig_stop(&b);
    return text;
}

TEST(restarts_change_nothing_and_views_equal_recomputation) {
    for (uint64_t seed = 1; seed <= 4; seed++) {
        for (int policy = 0; policy < 3; policy++) {
            char *without = run(seed, policy, false), *with = run(seed, policy, true);
            EXPECT(without != NULL && with != NULL);
            EXPECT_EQ_STR(with, without);
            free(without);
            free(with);
        }
    }
}

// ---- the wall clock -----------------------------------------------------------------------------

static void tick(rig *b) {
    base_error err = {0};
    bool progressed = true;
    for (int i = 0; progressed && i < 100; i++)
        if (engine_tick(b->e, true, &progressed, &err) != BASE_OK) {
            fprintf(stderr, "tick: %s\n", err.message);
            test_failures++;
            return;
        }
}

static void go_to(rig *b, const char *text) {
    int64_t us;
    base_error err;
    must(base_timestamptz_parse(base_str_of(text), 0, &us, &err) == BASE_OK);
    plat_sim_advance_us(b->sim, us - plat_wall_us(b->plat));
}

// The log does not say which step closed a window; a recomputation ends at the clock of the step
// that it is compared with, whatever the log has got since.
static void verify_all(rig *b) {
    EXPECT(strstr(ask(b, "VERIFY d0"), "|equal|") != NULL);
    EXPECT(strstr(ask(b, "VERIFY d1"), "|equal|") != NULL);
}

TEST(books_close_by_the_wall_clock) {
    rig b;
    if (!rig_start(&b)) return;
    go_to(&b, "2030-03-05 12:00Z");
    ask(&b, "CREATE STREAM e (id BIGINT NOT NULL, at TIMESTAMPTZ NOT NULL, PRIMARY KEY (id), "
            "WATERMARK FOR at AS at - INTERVAL '9 days')");
    for (int i = 0; i < 2; i++) {
        char sql[400];
        snprintf(sql, sizeof sql,
                 "CREATE MATERIALIZED VIEW d%d WITH (refresh = 'immediate', close = '06:00 "
                 "Europe/Berlin', close_by = 'processing time') AS SELECT date_trunc('day', at, "
                 "'Europe/Berlin') AS day, count(*) AS n FROM e GROUP BY 1%s",
                 i, i ? " EMIT ON WINDOW CLOSE" : "");
        EXPECT_EQ_STR(ask(&b, sql), "CREATE MATERIALIZED VIEW");
    }
    ingest(&b, "e", "{\"id\":1,\"at\":\"2030-03-05T11:00:00Z\"}");
    tick(&b);
    EXPECT_EQ_STR(ask(&b, "SELECT n, _status FROM d0"), "1|provisional");
    EXPECT_EQ_STR(ask(&b, "SELECT n, _status FROM d1"), "");
    go_to(&b, "2030-03-06 04:59:59Z");
    ingest(&b, "e", "{\"id\":2,\"at\":\"2030-03-05T11:00:00Z\"}");
    tick(&b);
    EXPECT_EQ_STR(ask(&b, "SELECT n, _status FROM d0"), "2|provisional");
    // Time alone closes the day, at 05:00 UTC; not where the flow has not been yet.
    go_to(&b, "2030-03-06 05:00Z");
    verify_all(&b);
    tick(&b);
    verify_all(&b);
    EXPECT_EQ_STR(ask(&b, "SELECT n, _status FROM d0"), "2|final");
    EXPECT_EQ_STR(ask(&b, "SELECT n, _status FROM d1"), "2|final");
    ingest(&b, "e", "{\"id\":3,\"at\":\"2030-03-05T11:00:00Z\"}");
    verify_all(&b); // the flow is behind its log
    tick(&b);
    verify_all(&b);
    EXPECT_EQ_STR(ask(&b, "SELECT n, _status FROM d0"), "3|corrected");
    EXPECT_EQ_STR(ask(&b, "SELECT n, _status FROM d1"), "3|corrected");
    rig_reopen(&b);
    EXPECT_EQ_STR(ask(&b, "SELECT n, _status FROM d0"), "3|corrected");
    // What came in time counts as that, also if it is read after an outage over the closing time.
    ingest(&b, "e", "{\"id\":4,\"at\":\"2030-03-06T11:00:00Z\"}");
    tick(&b);
    ingest(&b, "e", "{\"id\":5,\"at\":\"2030-03-06T11:00:00Z\"}");
    engine_close(b.e);
    go_to(&b, "2030-03-08 12:00Z");
    EXPECT(rig_open(&b));
    verify_all(&b);
    tick(&b);
    verify_all(&b);
    EXPECT_EQ_STR(ask(&b, "SELECT n, _status FROM d0 WHERE day = '2030-03-05 23:00Z'"), "2|final");
    EXPECT_EQ_STR(ask(&b, "SELECT n, _status FROM d1 WHERE day = '2030-03-05 23:00Z'"), "2|final");
    EXPECT_EQ_STR(ask(&b, "SELECT corrections FROM weir.views ORDER BY name"), "1\n1");
    // A view that is made now is no correction of what nobody has seen.
    ask(&b, "CREATE MATERIALIZED VIEW d2 WITH (refresh = 'immediate', close = '06:00', close_by = "
            "'processing time') AS SELECT date_trunc('day', at) AS day, count(*) AS n FROM e GROUP "
            "BY 1");
    tick(&b);
    EXPECT_EQ_STR(ask(&b, "SELECT n, _status FROM d2 ORDER BY day"), "3|final\n2|final");
    rig_stop(&b);
}

// Rows come early at a cadence of the wall clock, and are final when their window closes.
TEST(early_rows) {
    rig b;
    if (!rig_start(&b)) return;
    ask(&b, "CREATE STREAM e (id BIGINT NOT NULL, at TIMESTAMPTZ NOT NULL, PRIMARY KEY (id), "
            "WATERMARK FOR at AS at)");
    ask(&b,
        "CREATE MATERIALIZED VIEW v WITH (refresh = 'immediate', early = '10 seconds') AS SELECT "
        "window_start, count(*) AS n FROM TUMBLE(e, at, INTERVAL '1 hour') GROUP BY window_start "
        "EMIT ON WINDOW CLOSE");
    go_to(&b, "2030-03-05 12:00:01Z");
    ingest(&b, "e", "{\"id\":1,\"at\":\"2030-03-05T11:00:00Z\"}");
    tick(&b);
    EXPECT_EQ_STR(ask(&b, "SELECT n, _status FROM v"), "");
    go_to(&b, "2030-03-05 12:00:09Z");
    tick(&b);
    EXPECT_EQ_STR(ask(&b, "SELECT n, _status FROM v"), "");
    go_to(&b, "2030-03-05 12:00:10Z");
    tick(&b);
    EXPECT_EQ_STR(ask(&b, "SELECT n, _status FROM v"), "1|provisional");
    ingest(&b, "e", "{\"id\":2,\"at\":\"2030-03-05T11:30:00Z\"}");
    tick(&b);
    EXPECT_EQ_STR(ask(&b, "SELECT n, _status FROM v"), "1|provisional");
    rig_reopen(&b);
    tick(&b);
    go_to(&b, "2030-03-05 12:00:20Z");
    tick(&b);
    EXPECT_EQ_STR(ask(&b, "SELECT n, _status FROM v"), "2|provisional");
    // Closing does not wait for the cadence; what is in an open window still does.
    ingest(&b, "e", "{\"id\":3,\"at\":\"2030-03-05T11:40:00Z\"}");
    ingest(&b, "e", "{\"id\":4,\"at\":\"2030-03-05T12:00:00Z\"}");
    tick(&b);
    EXPECT_EQ_STR(ask(&b, "SELECT n, _status FROM v"), "3|final");
    EXPECT_EQ_STR(ask(&b, "SELECT corrections FROM weir.views"), "0");
    go_to(&b, "2030-03-05 12:00:30Z");
    tick(&b);
    EXPECT_EQ_STR(ask(&b, "SELECT n, _status FROM v ORDER BY window_start"),
                  "3|final\n1|provisional");
    rig_stop(&b);
}

static void send_producers(rig *b, int from, int n) {
    base_buf text = {0};
    for (int i = from; i < from + n; i++)
        base_buf_printf(&text, "{\"p\":%d,\"n\":1,\"at\":\"2026-01-01T00:00:00Z\"}\n", i);
    ingest(b, "e", base_buf_cstr(&text));
    base_buf_deinit(&text);
    tick(b);
}

// No more, whoever starts again: those that are followed go on.
TEST(producers_are_bounded) {
    rig b;
    if (!rig_start(&b)) return;
    ask(&b, "CREATE STREAM e (p INT, n INT, at TIMESTAMPTZ NOT NULL, SEQUENCE (p, n), WATERMARK "
            "FOR at AS at)");
    ask(&b, "CREATE MATERIALIZED VIEW v WITH (refresh = 'immediate') AS SELECT count(*) FROM e");
    for (int i = 0; i < 66; i++) send_producers(&b, i * 1000, 1000);
    const char *sql = "SELECT count(*), sum(seen), sum(again) FROM weir.sequences";
    EXPECT_EQ_STR(ask(&b, sql), "65536|65536|0");
    rig_reopen(&b);
    send_producers(&b, 100000, 1000);
    EXPECT_EQ_STR(ask(&b, sql), "65536|65536|0");
    send_producers(&b, 0, 1000);
    EXPECT_EQ_STR(ask(&b, sql), "65536|65536|1000");
    rig_stop(&b);
}

TEST(idle_partitions_over_outages_and_clocks) {
    rig b;
    if (!rig_start(&b)) return;
    ask(&b,
        "CREATE STREAM e (at TIMESTAMPTZ NOT NULL, WATERMARK FOR at AS at) WITH (partitions = 2, "
        "idle_timeout = '10 seconds')");
    ask(&b,
        "CREATE MATERIALIZED VIEW v WITH (refresh = 'immediate') AS SELECT window_start, count(*) "
        "AS n FROM TUMBLE(e, at, INTERVAL '1 minute') GROUP BY window_start");
    ingest(&b, "e", "{\"at\":\"2026-01-01T00:00:10Z\"}"); // each request another partition
    ingest(&b, "e", "{\"at\":\"2026-01-01T00:05:00Z\"}");
    tick(&b);
    const char *sql = "SELECT watermark FROM weir.views";
    const char *least = "2026-01-01 00:00:10+00", *most = "2026-01-01 00:05:00+00";
    EXPECT_EQ_STR(ask(&b, sql), least);
    plat_sim_jump_wall_us(b.sim, 40 * BASE_US_PER_DAY); // a clock that is set is no silence
    tick(&b);
    EXPECT_EQ_STR(ask(&b, sql), least);
    plat_sim_jump_wall_us(b.sim, -40 * BASE_US_PER_DAY);
    plat_sim_advance_us(b.sim, 9 * BASE_US_PER_SECOND);
    tick(&b);
    EXPECT_EQ_STR(ask(&b, sql), least);
    engine_close(b.e); // nor is an outage
    plat_sim_advance_us(b.sim, BASE_US_PER_HOUR);
    EXPECT(rig_open(&b));
    tick(&b);
    EXPECT_EQ_STR(ask(&b, sql), least);
    plat_sim_advance_us(b.sim, 11 * BASE_US_PER_SECOND);
    tick(&b);
    EXPECT_EQ_STR(ask(&b, sql), most);
    rig_stop(&b);
}

TEST_MAIN(TEST_ENTRY(learnt_delays_hold_what_they_promise), TEST_ENTRY(buckets_hold_their_values),
          TEST_ENTRY(old_disorder_decays),
          TEST_ENTRY(restarts_change_nothing_and_views_equal_recomputation),
          TEST_ENTRY(books_close_by_the_wall_clock), TEST_ENTRY(early_rows),
          TEST_ENTRY(producers_are_bounded), TEST_ENTRY(idle_partitions_over_outages_and_clocks))
