// Views by business-effective time: what a view would say if only facts effective up to an instant
// counted.

#include "engine_rig.h"

static void make(rig *b) {
    ask(b, "CREATE SCHEMA s");
    EXPECT_EQ_STR(ask(b, "CREATE STREAM s.reserve (id BIGINT PRIMARY KEY, line TEXT, amount INT,"
                         " booked_on DATE, EFFECTIVE TIME FOR booked_on)"),
                  "CREATE STREAM");
    EXPECT_EQ_STR(ask(b, "CREATE TABLE s.rate (line TEXT PRIMARY KEY, factor INT,"
                         " valid_from TIMESTAMPTZ, EFFECTIVE TIME FOR valid_from)"),
                  "CREATE TABLE");
    EXPECT_EQ_STR(ask(b, "CREATE MATERIALIZED VIEW s.exposure WITH (refresh = 'immediate') AS"
                         " SELECT line, count(*) AS n, sum(amount) AS amount FROM s.reserve"
                         " GROUP BY line"),
                  "CREATE MATERIALIZED VIEW");
    EXPECT_EQ_STR(ask(b, "CREATE MATERIALIZED VIEW s.weighted WITH (refresh = '1 second') AS"
                         " SELECT e.line, e.amount * r.factor AS v FROM s.exposure e"
                         " JOIN s.rate r ON r.line = e.line"),
                  "CREATE MATERIALIZED VIEW");
    ingest(b, "s.reserve",
           "{\"id\":1,\"line\":\"a\",\"amount\":10,\"booked_on\":\"2026-01-01\"}\n"
           "{\"id\":2,\"line\":\"a\",\"amount\":20,\"booked_on\":\"2026-01-05\"}\n"
           "{\"id\":3,\"line\":\"b\",\"amount\":40,\"booked_on\":\"2026-01-03\"}\n"
           "{\"id\":2,\"line\":\"a\",\"amount\":99,\"booked_on\":\"2026-01-01\"}\n"
           "{\"id\":4,\"line\":\"b\",\"amount\":80,\"booked_on\":null}");
    ingest(b, "s.rate",
           "{\"line\":\"a\",\"factor\":2,\"valid_from\":\"2026-01-01T00:00:00Z\"}\n"
           "{\"line\":\"b\",\"factor\":3,\"valid_from\":\"2026-01-01T00:00:00Z\"}\n"
           "{\"line\":\"a\",\"factor\":7,\"valid_from\":\"2026-01-04T12:00:00Z\"}");
    flush(b);
}

#define EXPOSURE "SELECT line, n, amount FROM s.exposure ORDER BY 1"
#define WEIGHTED "SELECT line, v FROM s.weighted ORDER BY 1"

static void set(rig *b, const char *instant) {
    char sql[128];
    snprintf(sql, sizeof sql, "SET weir.effective_as_of = '%s'", instant);
    EXPECT_EQ_STR(ask(b, sql), "SET");
}

TEST(only_what_is_effective_counts) {
    rig b;
    if (!rig_start(&b)) return;
    make(&b);
    for (int again = 0; again < 2; again++) {
        EXPECT_EQ_STR(ask(&b, EXPOSURE), "a|2|30\nb|2|120");
        EXPECT_EQ_STR(ask(&b, WEIGHTED), "a|210\nb|360");
        set(&b, "2026-01-01");
        // A duplicate of another date is one all the same; without a date an event always counts.
        EXPECT_EQ_STR(ask(&b, EXPOSURE), "a|1|10\nb|1|80");
        EXPECT_EQ_STR(ask(&b, WEIGHTED), "a|20\nb|240");
        EXPECT_EQ_STR(ask(&b, "SELECT count(*), sum(amount) FROM s.reserve"), "2|90");
        set(&b, "2025-12-31");
        EXPECT_EQ_STR(ask(&b, EXPOSURE), "b|1|80");
        EXPECT_EQ_STR(ask(&b, WEIGHTED), "");
        set(&b, "2026-01-04 11:59:59Z");
        EXPECT_EQ_STR(ask(&b, EXPOSURE), "a|1|10\nb|2|120");
        EXPECT_EQ_STR(ask(&b, WEIGHTED), "a|20\nb|360");
        set(&b, "2026-01-04");
        EXPECT_EQ_STR(ask(&b, WEIGHTED), "a|70\nb|360");
        set(&b, "infinity");
        EXPECT_EQ_STR(ask(&b, EXPOSURE), "a|2|30\nb|2|120");
        EXPECT_EQ_STR(ask(&b, WEIGHTED), "a|210\nb|360");
        EXPECT_EQ_STR(ask(&b, "SELECT DISTINCT _status, _revision FROM s.exposure"),
                      "recomputed|0");
        EXPECT_EQ_STR(ask(&b, "RESET weir.effective_as_of"), "RESET");
        EXPECT_EQ_STR(ask(&b, EXPOSURE), "a|2|30\nb|2|120");
        if (!rig_reopen(&b)) return;
    }
    rig_stop(&b);
}

// "The exposure for the third, as we saw it this morning."
TEST(both_clocks_together) {
    rig b;
    if (!rig_start(&b)) return;
    make(&b);
    char morning[64], sql[128];
    plat_sim_advance_us(b.sim, 1000);
    snprintf(morning, sizeof morning, "%s", ask(&b, "SELECT now()"));
    plat_sim_advance_us(b.sim, 1000);
    ingest(&b, "s.reserve",
           "{\"id\":5,\"line\":\"a\",\"amount\":1000,"
           "\"booked_on\":\"2026-01-02\"}");
    ingest(&b, "s.rate", "{\"line\":\"a\",\"factor\":5,\"valid_from\":\"2026-01-02T00:00:00Z\"}");
    flush(&b);
    for (int again = 0; again < 2; again++) {
        set(&b, "2026-01-03");
        EXPECT_EQ_STR(ask(&b, EXPOSURE), "a|2|1010\nb|2|120");
        EXPECT_EQ_STR(ask(&b, WEIGHTED), "a|5050\nb|360");
        snprintf(sql, sizeof sql, "SET weir.as_of = '%s'", morning);
        EXPECT_EQ_STR(ask(&b, sql), "SET");
        EXPECT_EQ_STR(ask(&b, EXPOSURE), "a|1|10\nb|2|120");
        EXPECT_EQ_STR(ask(&b, WEIGHTED), "a|20\nb|360");
        EXPECT_EQ_STR(ask(&b, "SELECT sum(amount) FROM s.reserve"), "130");
        ask(&b, "RESET weir.effective_as_of");
        EXPECT_EQ_STR(ask(&b, EXPOSURE), "a|2|30\nb|2|120");
        ask(&b, "RESET weir.as_of");
        EXPECT_EQ_STR(ask(&b, EXPOSURE), "a|3|1030\nb|2|120");
        if (!rig_reopen(&b)) return;
    }
    rig_stop(&b);
}

TEST(days_are_of_the_sessions_zone) {
    rig b;
    if (!rig_start(&b)) return;
    make(&b);
    ask(&b, "SET TimeZone = 'America/New_York'");
    // The third begins in New York at 05:00 UTC.
    set(&b, "2026-01-03 04:59:59Z");
    EXPECT_EQ_STR(ask(&b, EXPOSURE), "a|1|10\nb|1|80");
    set(&b, "2026-01-03 05:00:00Z");
    EXPECT_EQ_STR(ask(&b, EXPOSURE), "a|1|10\nb|2|120");
    set(&b, "2026-01-03");
    EXPECT_EQ_STR(ask(&b, EXPOSURE), "a|1|10\nb|2|120");
    EXPECT_EQ_STR(ask(&b, "SHOW weir.effective_as_of"), "2026-01-03 23:59:59.999999-05");
    rig_stop(&b);
}

TEST(what_it_is_not_for) {
    rig b;
    if (!rig_start(&b)) return;
    make(&b);
    const char *bad = ask(&b, "SET weir.effective_as_of = 'the other day'");
    EXPECT(strncmp(bad, "ERROR 22023", 11) == 0);
    set(&b, "2026-01-01");
    EXPECT_EQ_STR(ask(&b, "INSERT INTO s.reserve (id) VALUES (9)"),
                  "ERROR 25006: cannot execute INSERT while weir.effective_as_of is set");
    EXPECT(strncmp(ask(&b, "DROP MATERIALIZED VIEW s.weighted"), "ERROR 25006", 11) == 0);
    EXPECT_EQ_STR(ask(&b, "SELECT count(*) FROM weir.views"), "2");
    set(&b, "");
    EXPECT_EQ_STR(ask(&b, EXPOSURE), "a|2|30\nb|2|120");
    rig_stop(&b);
}

// Before its first step a view is what it was given at its making.
TEST(a_view_without_a_step_yet) {
    rig b;
    if (!rig_start(&b)) return;
    make(&b);
    EXPECT(strncmp(ask(&b, "CREATE MATERIALIZED VIEW s.late WITH (refresh = 'immediate') AS"
                           " SELECT n, count(*) AS c FROM s.exposure GROUP BY n"),
                   "CREATE", 6) == 0);
    EXPECT(strncmp(ask(&b, "CREATE MATERIALIZED VIEW s.apart WITH (refresh = '7 seconds') AS"
                           " SELECT line, amount FROM s.reserve"),
                   "CREATE", 6) == 0);
    set(&b, "2026-01-01");
    EXPECT_EQ_STR(ask(&b, "SELECT n, c FROM s.late"), "1|2");
    EXPECT_EQ_STR(ask(&b, "SELECT line, amount FROM s.apart"), "");
    EXPECT_EQ_STR(ask(&b, "SELECT n, c FROM weir.as_of('s.late', NULL, NULL)"), "2|2");
    flush(&b);
    EXPECT_EQ_STR(ask(&b, "SELECT line, amount FROM s.apart ORDER BY 1"), "a|10\nb|80");
    rig_stop(&b);
}

TEST_MAIN(TEST_ENTRY(only_what_is_effective_counts), TEST_ENTRY(both_clocks_together),
          TEST_ENTRY(days_are_of_the_sessions_zone), TEST_ENTRY(what_it_is_not_for),
          TEST_ENTRY(a_view_without_a_step_yet))
