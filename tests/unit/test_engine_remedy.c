// Remedies where the machine or the clock does what it should not: the machine is gone at the n-th
// call, for each n, and what was begun is done once; a clock that is put forward or back settles
// nothing.

#include "engine_rig.h"

#define BOOK "id,net\n1,10\n2,25\n4,40\n5,50\n"

static bool start(rig *b, const char *rest) {
    if (!rig_start(b)) return false;
    EXPECT_EQ_STR(ask(b, "CREATE SCHEMA s"), "CREATE SCHEMA");
    EXPECT_EQ_STR(ask(b, "CREATE STREAM s.f (event INT NOT NULL, id INT NOT NULL, net INT, PRIMARY "
                         "KEY (event)) WITH (retractions = 'on', partitions = 2)"),
                  "CREATE STREAM");
    EXPECT_EQ_STR(ask(b, "CREATE MATERIALIZED VIEW s.v WITH (refresh = 'immediate') AS SELECT "
                         "count(*) AS n, sum(net) AS net FROM s.f"),
                  "CREATE MATERIALIZED VIEW");
    // 2 is wrong, 3 is extra, 4 and 5 are missing.
    EXPECT_EQ_INT(ingest(b, "s.f",
                         "{\"event\":1,\"id\":1,\"net\":10}\n{\"event\":2,\"id\":2,\"net\":20}\n"
                         "{\"event\":3,\"id\":3,\"net\":30}\n")
                      .accepted,
                  3);
    put_file(b, "/book.csv", BASE_STR(BOOK));
    char sql[400];
    snprintf(sql, sizeof sql,
             "CREATE RECONCILIATION s.r ON STREAM s.f AGAINST (connector = 'file', path = "
             "'/book.csv') KEY (id) COMPARE (net) %s",
             rest);
    EXPECT_EQ_STR(ask(b, sql), "CREATE RECONCILIATION");
    return true;
}

// Runs the statement on a machine that is gone at the n-th call, then starts it again. False: n is
// beyond the last call.
static bool die_amid(rig *b, const char *sql, uint64_t n) {
    plat_sim_fail_from(b->sim, n);
    ask(b, sql);
    bool died = plat_sim_is_dead(b->sim);
    if (died) engine_close(b->e);
    plat_sim_fail_from(b->sim, 0);
    if (!died) return false;
    plat_sim_crash(b->sim);
    must(rig_open(b));
    return true;
}

static void expect_mended(rig *b, uint64_t n) {
    const char *last = ask(b, "RECONCILE s.r");
    for (int i = 0; i < 3 && strcmp(strchr(last, '|'), "|4|0|0|0") != 0; i++)
        last = ask(b, "RECONCILE s.r");
    bool mended = strcmp(strchr(last, '|'), "|4|0|0|0") == 0;
    if (!mended) fprintf(stderr, "machine gone at call %llu: %s\n", (unsigned long long)n, last);
    EXPECT(mended);
    flush(b);
    EXPECT_EQ_STR(ask(b, "SELECT n, net FROM s.v"), "4|125");
    // Three events that came, and each action of the remedy once: 2 taken back and sent anew, 3
    // taken back, 4 and 5.
    EXPECT_EQ_STR(ask(b, "SELECT sum(records) FROM weir.streams WHERE name = 'f'"), "8");
    EXPECT_EQ_STR(ask(b, "SELECT count(*) FROM weir.quarantine"), "0");
}

TEST(a_machine_that_is_gone_amid_a_remedy) {
    uint64_t died = 0;
    for (uint64_t n = 1;; n++) {
        rig b;
        if (!start(&b, "SETTLE '0 seconds' ON MISMATCH CORRECT SET (event = 100 + id) LIMIT 100 "
                       "PERCENT"))
            return;
        bool more = die_amid(&b, "RECONCILE s.r", n);
        died += more;
        expect_mended(&b, n);
        rig_stop(&b);
        if (!more) break;
    }
    EXPECT(died > 5);
}

TEST(a_machine_that_is_gone_amid_an_approval) {
    uint64_t died = 0;
    for (uint64_t n = 1;; n++) {
        rig b;
        if (!start(&b,
                   "SETTLE '0 seconds' ON MISMATCH CORRECT SET (event = 100 + id) LIMIT 0 ROWS"))
            return;
        ask(&b, "RECONCILE s.r");
        bool more = die_amid(&b, "APPROVE RECONCILIATION s.r RUN 1", n);
        died += more;
        // It was approved and goes on, or it was not and still waits.
        if (strcmp(ask(&b, "SELECT remedy FROM weir.reconciliation_runs"), "waiting") == 0)
            EXPECT_EQ_STR(ask(&b, "APPROVE RECONCILIATION s.r"), "APPROVE RECONCILIATION");
        expect_mended(&b, n);
        EXPECT_EQ_STR(ask(&b, "SELECT decision FROM weir.reconciliation_decisions ORDER BY at"),
                      "approved\napplied");
        rig_stop(&b);
        if (!more) break;
    }
    EXPECT(died > 5);
}

#define STATE                                                                                      \
    "SELECT remedy, appended, waits_for FROM weir.reconciliation_runs ORDER BY run DESC LIMIT 1"
#define HOUR_US (3600 * 1000000ll)

TEST(a_clock_that_is_put_forward_settles_nothing) {
    rig b;
    if (!start(&b, "SETTLE '1 hour' ON MISMATCH CORRECT SET (event = 100 + id) LIMIT 100 PERCENT"))
        return;
    EXPECT_EQ_STR(ask(&b, "RECONCILE s.r"), "1|1|0|0|0"); // the rest is pending
    plat_sim_jump_wall_us(b.sim, 2 * HOUR_US);
    ask(&b, "RECONCILE s.r");
    EXPECT_EQ_STR(ask(&b, STATE),
                  "waiting|0|the clock was put forward: what has settled cannot be told");
    plat_sim_advance_us(b.sim, HOUR_US / 2);
    ask(&b, "RECONCILE s.r");
    EXPECT_EQ_STR(ask(&b, STATE),
                  "waiting|0|the clock was put forward: what has settled cannot be told");
    EXPECT_EQ_STR(ask(&b, "SELECT sum(records) FROM weir.streams WHERE name = 'f'"), "3");
    plat_sim_advance_us(b.sim, HOUR_US);
    ask(&b, "RECONCILE s.r");
    EXPECT_EQ_STR(ask(&b, STATE), "applied|3|null");
    rig_stop(&b);
}

TEST(a_clock_that_is_put_back_settles_later) {
    rig b;
    if (!start(&b, "SETTLE '1 hour' ON MISMATCH CORRECT SET (event = 100 + id) LIMIT 100 PERCENT"))
        return;
    ask(&b, "RECONCILE s.r");
    plat_sim_advance_us(b.sim, HOUR_US / 2);
    plat_sim_jump_wall_us(b.sim, -HOUR_US);
    ask(&b, "RECONCILE s.r");
    plat_sim_advance_us(b.sim, HOUR_US);
    ask(&b, "RECONCILE s.r");
    EXPECT_EQ_STR(ask(&b, STATE), "none|0|null");
    plat_sim_advance_us(b.sim, HOUR_US);
    ask(&b, "RECONCILE s.r");
    EXPECT_EQ_STR(ask(&b, STATE), "applied|3|null");
    rig_stop(&b);
}

TEST_MAIN(TEST_ENTRY(a_machine_that_is_gone_amid_a_remedy),
          TEST_ENTRY(a_machine_that_is_gone_amid_an_approval),
          TEST_ENTRY(a_clock_that_is_put_forward_settles_nothing),
          TEST_ENTRY(a_clock_that_is_put_back_settles_later))
