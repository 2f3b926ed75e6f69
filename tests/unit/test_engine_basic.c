// The whole engine on a temporary directory and in simulation: schema, stream, views, events in,
// steps, queries, and the same numbers after reopening.

#include "engine_rig.h"

#define STREAM                                                                                     \
    "CREATE STREAM sales.orders (order_id BIGINT NOT NULL, store_id INT NOT NULL, "                \
    "qty INT NOT NULL CHECK (qty > 0), net NUMERIC(12,2) NOT NULL, placed_at TIMESTAMPTZ NOT "     \
    "NULL, PRIMARY KEY (order_id), WATERMARK FOR placed_at AS placed_at - INTERVAL '5 seconds') "  \
    "WITH (owner = 'order-management', version = 1)"

static void make_objects(rig *b) {
    EXPECT_EQ_STR(ask(b, "CREATE SCHEMA sales"), "CREATE SCHEMA");
    EXPECT_EQ_STR(ask(b, STREAM), "CREATE STREAM");
    EXPECT_EQ_STR(ask(b, "CREATE MATERIALIZED VIEW sales.by_store WITH (refresh = 'immediate') AS "
                         "SELECT store_id, count(*) AS "
                         "orders, sum(net) AS revenue FROM sales.orders GROUP BY store_id"),
                  "CREATE MATERIALIZED VIEW");
    EXPECT_EQ_STR(ask(b, "CREATE MATERIALIZED VIEW sales.by_minute WITH (refresh = '5 seconds', "
                         "lateness = '1 minute') AS SELECT window_start, count(*) AS orders, "
                         "sum(net) AS revenue FROM TUMBLE(sales.orders, placed_at, INTERVAL '1 "
                         "minute') GROUP BY window_start"),
                  "CREATE MATERIALIZED VIEW");
}

#define ORDER(id, store, qty, net, at)                                                             \
    "{\"order_id\":" #id ",\"store_id\":" #store ",\"qty\":" #qty ",\"net\":" #net                 \
    ",\"placed_at\":\"2021-06-01T" at "Z\"}\n"

TEST(views_follow_events) {
    rig b;
    if (!rig_start(&b)) return;
    make_objects(&b);
    engine_ingest_result r =
        ingest_any(&b, "sales.orders",
                   ORDER(1, 10, 1, 5.25, "10:00:00") ORDER(2, 10, 2, 7.50, "10:00:30")
                       ORDER(3, 11, 1, 1.00, "10:01:10"));
    EXPECT_EQ_INT(r.accepted, 3);
    EXPECT_EQ_INT(r.quarantined, 0);
    flush(&b);
    EXPECT_EQ_STR(ask(&b, "SELECT store_id, orders, revenue FROM sales.by_store ORDER BY 1"),
                  "10|2|12.75\n11|1|1.00");
    EXPECT_EQ_STR(
        ask(&b, "SELECT window_start, orders, revenue, _status FROM sales.by_minute ORDER BY 1"),
        "2021-06-01 10:00:00+00|2|12.75|provisional\n2021-06-01 10:01:00+00|1|1.00|provisional");
    EXPECT_EQ_STR(ask(&b, "SELECT count(*), sum(net) FROM sales.orders"), "3|13.75");
    // A window is final once the watermark has passed its end and the lateness.
    ingest(&b, "sales.orders", ORDER(4, 11, 1, 2.00, "10:03:10"));
    flush(&b);
    EXPECT_EQ_STR(ask(&b, "SELECT window_start, _status FROM sales.by_minute ORDER BY 1"),
                  "2021-06-01 10:00:00+00|final\n2021-06-01 10:01:00+00|final\n2021-06-01 "
                  "10:03:00+00|provisional");
    // A change after that is a correction, and the ledger has it.
    ingest(&b, "sales.orders", ORDER(5, 11, 1, 3.00, "10:00:59"));
    flush(&b);
    EXPECT_EQ_STR(
        ask(&b,
            "SELECT orders, revenue, _status FROM sales.by_minute ORDER BY window_start LIMIT 1"),
        "3|15.75|corrected");
    EXPECT_EQ_STR(ask(&b, "SELECT view, revision, cause FROM weir.revisions"),
                  "sales.by_minute|2|late event");
    EXPECT_EQ_STR(ask(&b, "SELECT late, duplicates, quarantined, accepted FROM weir.streams"),
                  "1|0|0|5");
    rig_stop(&b);
}

TEST(reopened_the_same) {
    rig b;
    if (!rig_start(&b)) return;
    make_objects(&b);
    ingest(&b, "sales.orders", ORDER(1, 10, 1, 5.25, "10:00:00") ORDER(2, 10, 2, 7.50, "10:00:30"));
    flush(&b);
    if (!rig_reopen(&b)) return;
    EXPECT_EQ_STR(ask(&b, "SELECT store_id, orders, revenue FROM sales.by_store ORDER BY 1"),
                  "10|2|12.75");
    // The same order again, in this run and after another: counted once.
    ingest(&b, "sales.orders", ORDER(2, 10, 2, 7.50, "10:00:30") ORDER(3, 10, 1, 1.00, "10:00:40"));
    flush(&b);
    EXPECT_EQ_STR(ask(&b, "SELECT store_id, orders, revenue FROM sales.by_store ORDER BY 1"),
                  "10|3|13.75");
    if (!rig_reopen(&b)) return;
    ingest(&b, "sales.orders", ORDER(1, 10, 1, 5.25, "10:00:00"));
    flush(&b);
    EXPECT_EQ_STR(ask(&b, "SELECT store_id, orders, revenue FROM sales.by_store ORDER BY 1"),
                  "10|3|13.75");
    EXPECT_EQ_STR(ask(&b, "SELECT duplicates FROM weir.streams"), "2");
    EXPECT_EQ_STR(ask(&b, "SELECT log_offset, original_offset FROM weir.duplicates WHERE flow = "
                          "'sales@immediate' ORDER BY 1"),
                  "2|1\n4|0");
    EXPECT_EQ_STR(ask(&b, "SELECT count(*) FROM sales.orders"), "3");
    rig_stop(&b);
}

TEST(bad_records_are_kept) {
    rig b;
    if (!rig_start(&b)) return;
    make_objects(&b);
    engine_ingest_result r =
        ingest_any(&b, "sales.orders",
                   ORDER(1, 10, 1, 5.25, "10:00:00")
                       ORDER(2, 10, 0, 7.50, "10:00:30") "{\"order_id\": 3, oops\n" ORDER(
                           "x", 10, 1, 7.50, "10:00:30") ORDER(5, 10, 1, 2.50, "10:00:31"));
    EXPECT_EQ_INT(r.accepted, 2);
    EXPECT_EQ_INT(r.quarantined, 3);
    flush(&b);
    EXPECT_EQ_STR(ask(&b, "SELECT orders, revenue FROM sales.by_store"), "2|7.75");
    EXPECT_EQ_STR(ask(&b, "SELECT stream, log_offset, stage, sqlstate, record FROM weir.quarantine "
                          "ORDER BY log_offset"),
                  "sales.orders|0|edge|23514|1\nsales.orders|1|edge|22P02|2\n"
                  "sales.orders|2|edge|22P02|3");
    EXPECT_EQ_STR(ask(&b, "SELECT raw FROM weir.quarantine WHERE record = 2"),
                  "{\"order_id\": 3, oops");
    if (!rig_reopen(&b)) return;
    EXPECT_EQ_STR(ask(&b, "SELECT count(*) FROM weir.quarantine"), "3");
    EXPECT_EQ_STR(ask(&b, "SELECT accepted, quarantined FROM weir.streams"), "2|3");
    rig_stop(&b);
}

TEST(a_later_view_has_the_history) {
    rig b;
    if (!rig_start(&b)) return;
    make_objects(&b);
    ingest(&b, "sales.orders",
           ORDER(1, 10, 1, 5.25, "10:00:00") ORDER(2, 11, 2, 7.50, "10:00:30")
               ORDER(1, 10, 1, 5.25, "10:00:00"));
    flush(&b);
    EXPECT_EQ_STR(ask(&b, "CREATE MATERIALIZED VIEW sales.total AS SELECT count(*) AS n, sum(net) "
                          "AS revenue FROM sales.orders"),
                  "CREATE MATERIALIZED VIEW");
    EXPECT_EQ_STR(ask(&b, "CREATE MATERIALIZED VIEW sales.big AS SELECT store_id, revenue FROM "
                          "sales.by_store WHERE revenue > 6"),
                  "CREATE MATERIALIZED VIEW");
    flush(&b);
    EXPECT_EQ_STR(ask(&b, "SELECT n, revenue FROM sales.total"), "2|12.75");
    EXPECT_EQ_STR(ask(&b, "SELECT store_id, revenue FROM sales.big"), "11|7.50");
    ingest(&b, "sales.orders", ORDER(3, 10, 1, 1.00, "10:00:40"));
    flush(&b);
    EXPECT_EQ_STR(ask(&b, "SELECT n, revenue FROM sales.total"), "3|13.75");
    EXPECT_EQ_STR(ask(&b, "SELECT store_id, revenue FROM sales.big ORDER BY 1"),
                  "10|6.25\n11|7.50");
    rig_stop(&b);
}

TEST(drops_and_errors) {
    rig b;
    if (!rig_start(&b)) return;
    make_objects(&b);
    EXPECT_EQ_STR(ask(&b, "DROP STREAM sales.orders"),
                  "ERROR 2BP01: cannot drop stream sales.orders because other objects depend on "
                  "it");
    EXPECT_EQ_STR(ask(&b, "DROP MATERIALIZED VIEW sales.by_store"), "DROP MATERIALIZED VIEW");
    EXPECT_EQ_STR(ask(&b, "SELECT * FROM sales.by_store"),
                  "ERROR 42P01: relation \"sales.by_store\" does not exist");
    EXPECT_EQ_STR(ask(&b, "DROP STREAM sales.orders CASCADE"), "DROP STREAM");
    if (!rig_reopen(&b)) return;
    EXPECT_EQ_STR(ask(&b, "SELECT count(*) FROM weir.views"), "0");
    EXPECT_EQ_STR(ask(&b, STREAM), "CREATE STREAM");
    EXPECT_EQ_STR(ask(&b, "SELECT count(*) FROM sales.orders"), "0");
    rig_stop(&b);
}

TEST_MAIN(TEST_ENTRY(views_follow_events), TEST_ENTRY(reopened_the_same),
          TEST_ENTRY(bad_records_are_kept), TEST_ENTRY(a_later_view_has_the_history),
          TEST_ENTRY(drops_and_errors))
