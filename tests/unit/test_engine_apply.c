// Applying a file of statements to a directory, again and again as it changes; checking a file.

#include "engine_rig.h"

static const char *apply_text(rig *b, const char *text) {
    static base_buf report;
    base_buf_clear(&report);
    base_error err = {0};
    if (engine_apply(&b->session, base_str_of(text), &report, &err) != BASE_OK)
        base_buf_printf(&report, "ERROR %s: %s", err.sqlstate, err.message);
    return base_buf_cstr(&report);
}

#define SCHEMA "CREATE SCHEMA s;\n"
#define STREAM                                                                                     \
    "CREATE STREAM s.e (id BIGINT NOT NULL, k INT, v INT, PRIMARY KEY (id)) WITH (version = 1);\n"
#define VIEW "CREATE MATERIALIZED VIEW s.sums AS SELECT k, sum(v) AS total FROM s.e GROUP BY k;\n"
#define TOP  "CREATE MATERIALIZED VIEW s.big AS SELECT k, total FROM s.sums WHERE total > 5;\n"
#define TABLE                                                                                      \
    "CREATE TABLE s.names (k INT NOT NULL, name TEXT, PRIMARY KEY (k));\n"                         \
    "INSERT INTO s.names VALUES (1, 'one'), (2, 'two');\n"

static void feed(rig *b) {
    ingest(b, "s.e",
           "{\"id\":1,\"k\":1,\"v\":3}\n{\"id\":2,\"k\":1,\"v\":4}\n{\"id\":3,\"k\":2,\"v\":1}\n");
    flush(b);
}

TEST(a_file_twice) {
    rig b;
    if (!rig_start(&b)) return;
    EXPECT_EQ_STR(apply_text(&b, SCHEMA STREAM VIEW TABLE),
                  "created schema s\ncreated stream s.e\ncreated materialized view s.sums\n"
                  "created table s.names\nINSERT 0 2 into s.names\n");
    feed(&b);
    // White space, comments and letter case do not count.
    EXPECT_EQ_STR(
        apply_text(
            &b, SCHEMA STREAM
            "-- the sums\ncreate materialized view s.sums /* here */ AS\n  SELECT k,sum( v ) "
            "AS total FROM s.e GROUP BY k;\n" TABLE),
        "unchanged schema s\nunchanged stream s.e\nunchanged materialized view s.sums\n"
        "unchanged table s.names\nskipped INSERT INTO s.names: it was there before\n");
    EXPECT_EQ_STR(ask(&b, "SELECT k, total FROM s.sums ORDER BY 1"), "1|7\n2|1");
    EXPECT_EQ_STR(ask(&b, "SELECT k, name FROM s.names ORDER BY 1"), "1|one\n2|two");
    EXPECT_EQ_STR(apply_text(&b, SCHEMA STREAM),
                  "unchanged schema s\nunchanged stream s.e\n"
                  "left materialized view s.sums, which the file does not name\n"
                  "left table s.names, which the file does not name\n");
    rig_stop(&b);
}

#define WINDOWED(options)                                                                          \
    "CREATE STREAM s.t (id BIGINT NOT NULL, at TIMESTAMPTZ NOT NULL, PRIMARY KEY (id), "           \
    "WATERMARK FOR at AS at) WITH (partitions = 1);\n"                                             \
    "CREATE MATERIALIZED VIEW s.w WITH (refresh = 'immediate'" options                             \
    ") AS SELECT window_start, "                                                                   \
    "count(*) AS n FROM TUMBLE(s.t, at, INTERVAL '1 minute') GROUP BY window_start;\n"             \
    "CREATE MATERIALIZED VIEW s.x AS SELECT n FROM s.w;\n"

static void late(rig *b, int id) {
    char text[100];
    snprintf(text, sizeof text, "{\"id\":%d,\"at\":\"2026-01-01T00:00:00Z\"}\n", id);
    ingest(b, "s.t", text);
    flush(b);
}

// How long revisions are kept says nothing of the rows: the view goes on as it is.
TEST(a_views_ledger_is_altered) {
    rig b;
    if (!rig_start(&b)) return;
    apply_text(&b, SCHEMA WINDOWED(""));
    late(&b, 1);
    ingest(&b, "s.t", "{\"id\":2,\"at\":\"2026-01-02T00:00:00Z\"}\n");
    flush(&b);
    late(&b, 3);
    EXPECT_EQ_STR(ask(&b, "SELECT count(*) FROM weir.revision"), "1");
    EXPECT_EQ_STR(apply_text(&b, SCHEMA WINDOWED(", ledger = 'off', owner = 'me'")),
                  "unchanged schema s\nunchanged stream s.t\n"
                  "changed materialized view s.w: ledger = 'off', owner = 'me'\n"
                  "unchanged materialized view s.x\n");
    late(&b, 4);
    EXPECT_EQ_STR(ask(&b, "SELECT n, _status, _revision FROM s.w ORDER BY window_start LIMIT 1"),
                  "3|corrected|3");
    EXPECT_EQ_STR(ask(&b, "SELECT count(*) FROM weir.revision"), "1");
    if (!rig_reopen(&b)) return;
    late(&b, 5);
    EXPECT_EQ_STR(ask(&b, "SELECT count(*) FROM weir.revision"), "1");
    EXPECT_EQ_STR(apply_text(&b, SCHEMA WINDOWED(", ledger = '90 days'")),
                  "unchanged schema s\nunchanged stream s.t\n"
                  "changed materialized view s.w: ledger = '90 days', no owner\n"
                  "unchanged materialized view s.x\n");
    late(&b, 6);
    EXPECT_EQ_STR(ask(&b, "SELECT count(*) FROM weir.revision"), "2");
    EXPECT_EQ_STR(ask(&b, "SELECT n FROM s.x ORDER BY n"), "1\n5");
    // Another lateness is another standing of every row.
    EXPECT_EQ_STR(apply_text(&b, SCHEMA WINDOWED(", lateness = '1 hour'")),
                  "unchanged schema s\nunchanged stream s.t\n"
                  "dropped materialized view s.x, which stands on s.w\n"
                  "replaced materialized view s.w: its text has changed; its history comes from "
                  "the log\ncreated materialized view s.x\n");
    rig_stop(&b);
}

#define WATERMARKED(clause)                                                                        \
    "CREATE STREAM s.t (id BIGINT NOT NULL, at TIMESTAMPTZ NOT NULL, PRIMARY KEY (id), "           \
    "WATERMARK FOR at AS " clause ", note TEXT);\n"                                                \
    "CREATE MATERIALIZED VIEW s.w AS SELECT window_start, count(*) AS n FROM TUMBLE(s.t, at, "     \
    "INTERVAL '1 minute') GROUP BY window_start;\n"

// The view goes on as it is; the log is read by the watermark of each place.
TEST(a_watermark_changes) {
    rig b;
    if (!rig_start(&b)) return;
    apply_text(&b, SCHEMA WATERMARKED("at"));
    ingest(&b, "s.t",
           "{\"id\":1,\"at\":\"2026-01-01T00:00:00Z\"}\n"
           "{\"id\":2,\"at\":\"2026-01-01T00:01:00Z\"}\n");
    flush(&b);
    EXPECT_EQ_STR(
        apply_text(&b, SCHEMA WATERMARKED("at - INTERVAL '1 hour'")),
        "unchanged schema s\n"
        "changed stream s.t: WATERMARK FOR at AS at - INTERVAL '1 hour', for records from here on\n"
        "unchanged materialized view s.w\n");
    EXPECT_EQ_STR(ask(&b, "SELECT n, _status FROM s.w ORDER BY window_start"),
                  "1|final\n1|provisional");
    ingest(&b, "s.t", "{\"id\":3,\"at\":\"2026-01-01T00:05:00Z\"}\n");
    flush(&b);
    const char *after = "1|final\n1|provisional\n1|provisional";
    EXPECT_EQ_STR(ask(&b, "SELECT n, _status FROM s.w ORDER BY window_start"), after);
    if (!rig_reopen(&b)) return;
    EXPECT_EQ_STR(ask(&b, "SELECT n, _status FROM s.w ORDER BY window_start"), after);
    // Another text of it that leaves the watermark does not lose what it was before.
    EXPECT_EQ_STR(
        apply_text(&b, SCHEMA
                   "CREATE STREAM s.t (id BIGINT NOT NULL, at TIMESTAMPTZ NOT NULL, PRIMARY KEY "
                   "(id), WATERMARK FOR at AS at - INTERVAL '1 hour', note TEXT, more TEXT);\n"),
        "unchanged schema s\nchanged stream s.t: column more added\n"
        "left materialized view s.w, which the file does not name\n");
    if (!rig_reopen(&b)) return;
    EXPECT_EQ_STR(ask(&b, "SELECT rule, from_offset, watermark FROM weir.watermark_rules"),
                  "1|0|WATERMARK FOR at AS at\n2|2|WATERMARK FOR at AS at - INTERVAL '1 hour'");
    // Made again, a view reads the former records by the former watermark.
    ask(&b, "DROP MATERIALIZED VIEW s.w");
    ask(&b, "CREATE MATERIALIZED VIEW s.w AS SELECT window_start, count(*) AS n FROM TUMBLE(s.t, "
            "at, INTERVAL '1 minute') GROUP BY window_start");
    flush(&b);
    EXPECT_EQ_STR(ask(&b, "SELECT n, _status FROM s.w ORDER BY window_start"), after);
    rig_stop(&b);
}

TEST(a_changed_view_is_made_again) {
    rig b;
    if (!rig_start(&b)) return;
    apply_text(&b, SCHEMA STREAM VIEW TOP);
    feed(&b);
    EXPECT_EQ_STR(ask(&b, "SELECT * FROM s.big"), "1|7");
    // The view that stands on it is not in the file, and comes back too.
    EXPECT_EQ_STR(
        apply_text(&b, SCHEMA STREAM "CREATE MATERIALIZED VIEW s.sums AS SELECT k, sum(v) + 10 AS "
                                     "total FROM s.e GROUP BY k;"),
        "unchanged schema s\nunchanged stream s.e\n"
        "dropped materialized view s.big, which stands on s.sums\n"
        "replaced materialized view s.sums: its text has changed; its history comes from the log\n"
        "made materialized view s.big again\n");
    flush(&b);
    EXPECT_EQ_STR(ask(&b, "SELECT * FROM s.sums ORDER BY 1"), "1|17\n2|11");
    EXPECT_EQ_STR(ask(&b, "SELECT * FROM s.big ORDER BY 1"), "1|17\n2|11");
    if (!rig_reopen(&b)) return;
    EXPECT_EQ_STR(ask(&b, "SELECT * FROM s.big ORDER BY 1"), "1|17\n2|11");
    // One that cannot be made leaves the old one.
    EXPECT_EQ_STR(apply_text(&b, SCHEMA STREAM "\nCREATE MATERIALIZED VIEW s.sums AS SELECT nope "
                                               "FROM s.e;"),
                  "ERROR 42703: line 4: column \"nope\" does not exist");
    EXPECT_EQ_STR(ask(&b, "SELECT * FROM s.sums ORDER BY 1"), "1|17\n2|11");
    rig_stop(&b);
}

TEST(a_contract_grows) {
    rig b;
    if (!rig_start(&b)) return;
    apply_text(&b, SCHEMA STREAM VIEW TOP "CREATE MATERIALIZED VIEW s.all AS SELECT * FROM s.e;");
    feed(&b);
    EXPECT_EQ_STR(
        apply_text(&b, SCHEMA
                   "CREATE STREAM s.e (id BIGINT NOT NULL, k INT, v INT, note TEXT, PRIMARY KEY "
                   "(id)) WITH (version = 2, owner = 'us');\n" VIEW TOP
                   "CREATE MATERIALIZED VIEW s.all AS SELECT * FROM s.e;"),
        "unchanged schema s\n"
        "dropped materialized view s.all, whose plan changes, to be made again\n"
        "changed stream s.e: column note added, version = '2', owner = 'us'\n"
        "unchanged materialized view s.sums\nunchanged materialized view s.big\n"
        "created materialized view s.all\n");
    ingest(&b, "s.e", "{\"id\":4,\"k\":2,\"v\":9,\"note\":\"new\"}\n{\"id\":1,\"k\":1,\"v\":3}\n");
    flush(&b);
    EXPECT_EQ_STR(ask(&b, "SELECT * FROM s.sums ORDER BY 1"), "1|7\n2|10");
    EXPECT_EQ_STR(ask(&b, "SELECT * FROM s.big ORDER BY 1"), "1|7\n2|10");
    EXPECT_EQ_STR(ask(&b, "SELECT * FROM s.all ORDER BY id"),
                  "1|1|3|null\n2|1|4|null\n3|2|1|null\n4|2|9|new");
    if (!rig_reopen(&b)) return;
    EXPECT_EQ_STR(ask(&b, "SELECT id, note FROM s.e WHERE note IS NOT NULL"), "4|new");
    EXPECT_EQ_STR(ask(&b, "SELECT * FROM s.sums ORDER BY 1"), "1|7\n2|10");
    rig_stop(&b);
}

TEST(a_contract_may_not_lose) {
    rig b;
    if (!rig_start(&b)) return;
    apply_text(&b, SCHEMA STREAM VIEW);
    feed(&b);
    EXPECT_EQ_STR(
        apply_text(&b, "CREATE STREAM s.e (id BIGINT NOT NULL, k INT, PRIMARY KEY (id));"),
        "ERROR 0A000: line 1: stream \"s.e\" cannot be changed like this: column \"v\" "
        "would be lost");
    EXPECT_EQ_STR(
        apply_text(&b,
                   "CREATE STREAM s.e (id BIGINT NOT NULL, k INT, v BIGINT, PRIMARY KEY (id));"),
        "ERROR 0A000: line 1: stream \"s.e\" cannot be changed like this: column \"v\" has another "
        "type");
    EXPECT_EQ_STR(
        apply_text(&b, "CREATE STREAM s.e (id BIGINT NOT NULL, k INT, v INT, n INT NOT "
                       "NULL, PRIMARY KEY (id));"),
        "ERROR 0A000: line 1: stream \"s.e\" cannot be changed like this: column \"n\" is "
        "new and NOT NULL, and stored events have no value for it");
    EXPECT_EQ_STR(apply_text(&b, "CREATE TABLE s.e (id BIGINT NOT NULL, PRIMARY KEY (id));"),
                  "ERROR 42P07: line 1: \"s.e\" is a stream here, and the file wants a table");
    EXPECT_EQ_STR(
        apply_text(&b, "DROP STREAM s.e;"),
        "ERROR 0A000: line 1: a file that is applied says what should be there: DROP does "
        "not belong in it");
    rig_stop(&b);
}

TEST(a_contract_without_events_may_change) {
    rig b;
    if (!rig_start(&b)) return;
    apply_text(&b, SCHEMA STREAM VIEW);
    EXPECT_EQ_STR(
        apply_text(&b, "CREATE STREAM s.e (id BIGINT NOT NULL, v BIGINT, k TEXT, PRIMARY KEY (id, "
                       "k));"),
        "dropped materialized view s.sums, which stands on s.e\n"
        "replaced stream s.e: its text has changed; it has never had an event\n"
        "made materialized view s.sums again\n");
    ingest(&b, "s.e", "{\"id\":1,\"k\":\"a\",\"v\":3}");
    flush(&b);
    EXPECT_EQ_STR(ask(&b, "SELECT * FROM s.sums"), "a|3");
    // What the views need is looked at before anything is dropped.
    EXPECT_EQ_STR(apply_text(&b, SCHEMA "CREATE STREAM s.f (id INT NOT NULL, PRIMARY KEY (id));"
                                        "CREATE MATERIALIZED VIEW s.g AS SELECT id FROM s.f;"),
                  "unchanged schema s\ncreated stream s.f\ncreated materialized view s.g\n"
                  "left stream s.e, which the file does not name\n"
                  "left materialized view s.sums, which the file does not name\n");
    EXPECT_EQ_STR(apply_text(&b, "CREATE TABLE s.f (no INT NOT NULL, PRIMARY KEY (no));"),
                  "ERROR 42703: materialized view \"s.g\" could not be made again: column "
                  "\"id\" does not exist");
    EXPECT_EQ_STR(ask(&b, "SELECT count(*) FROM s.g"), "0");
    // A record in quarantine is one that would be lost.
    ask(&b, "INSERT INTO s.f VALUES (NULL)");
    EXPECT_EQ_STR(apply_text(&b, "CREATE STREAM s.f (id BIGINT NOT NULL, PRIMARY KEY (id));"),
                  "ERROR 0A000: line 1: stream \"s.f\" cannot be changed like this: column \"id\" "
                  "has another type");
    rig_stop(&b);
}

// A mistake on the last line: nothing is dropped, made or changed for it.
TEST(a_mistake_changes_nothing) {
    rig b;
    if (!rig_start(&b)) return;
    apply_text(&b, SCHEMA STREAM VIEW TOP);
    feed(&b);
    EXPECT_EQ_STR(apply_text(&b, SCHEMA STREAM
                             "CREATE MATERIALIZED VIEW s.sums AS SELECT k, sum(v) AS sum "
                             "FROM s.e GROUP BY k;\n" TOP
                             "CREATE STREAM s.new (id INT NOT NULL, PRIMARY KEY (id));"),
                  "ERROR 42703: line 4: column \"total\" does not exist");
    EXPECT_EQ_STR(ask(&b, "SELECT * FROM s.big"), "1|7");
    EXPECT_EQ_STR(ask(&b, "SELECT * FROM s.sums ORDER BY 1"), "1|7\n2|1");
    EXPECT_EQ_STR(ask(&b, "SELECT name FROM weir.streams"), "e");
    EXPECT_EQ_STR(
        apply_text(&b, SCHEMA STREAM VIEW TOP TABLE "INSERT INTO s.names VALUES (NULL, 'none');"),
        "ERROR 23502: line 7: field \"k\": required (NOT NULL), but absent or null");
    EXPECT_EQ_STR(ask(&b, "SELECT count(*) FROM weir.tables"), "0");
    rig_stop(&b);
}

TEST(a_table_grows) {
    rig b;
    if (!rig_start(&b)) return;
    apply_text(&b, SCHEMA TABLE
               "CREATE MATERIALIZED VIEW s.upper AS SELECT k, upper(name) AS u FROM s.names;");
    flush(&b);
    EXPECT_EQ_STR(ask(&b, "SELECT * FROM s.upper ORDER BY 1"), "1|ONE\n2|TWO");
    EXPECT_EQ_STR(
        apply_text(&b, "CREATE TABLE s.names (k INT NOT NULL, name TEXT, lang TEXT, PRIMARY KEY "
                       "(k));"),
        "dropped materialized view s.upper, to be made again\n"
        "changed table s.names: column lang added\nmade materialized view s.upper again\n");
    EXPECT_EQ_STR(ask(&b, "INSERT INTO s.names VALUES (2, 'zwei', 'de')"), "INSERT 0 1");
    flush(&b);
    EXPECT_EQ_STR(ask(&b, "SELECT * FROM s.upper ORDER BY 1"), "1|ONE\n2|ZWEI");
    EXPECT_EQ_STR(ask(&b, "SELECT * FROM s.names ORDER BY 1"), "1|one|null\n2|zwei|de");
    rig_stop(&b);
}

TEST(checking) {
    base_buf report = {0};
    size_t n;
    base_error err = {0};
    REQUIRE_OK(
        engine_check(BASE_STR(SCHEMA STREAM VIEW TOP TABLE), "f.sql", false, &report, &n, &err));
    EXPECT_EQ_INT(n, 0);
    EXPECT_EQ_STR(base_buf_cstr(&report), "");
    REQUIRE_OK(engine_check(BASE_STR(SCHEMA STREAM
                                     "\nSELECT nope FROM s.e;\n-- \xc3\xa4\nSELECT\n  'x' + ;\n"
                                     "SELECT id FROM s.e;\nSELECT * FROM s.f;"),
                            "f.sql", false, &report, &n, &err));
    EXPECT_EQ_INT(n, 4);
    EXPECT_EQ_STR(base_buf_cstr(&report),
                  "f.sql:4:8: error: column \"nope\" does not exist [42703]\n"
                  "f.sql:7:9: error: syntax error at end of input [42601]\n"
                  "f.sql:8:1: error: a file that is applied holds CREATE, COMMENT, INSERT and SET "
                  "only [0A000]\n"
                  "f.sql:9:15: error: relation \"s.f\" does not exist [42P01]\n");
    base_buf_clear(&report);
    REQUIRE_OK(engine_check(
        BASE_STR(
            "CREATE STREAM a (id INT NOT NULL, k INT, at TIMESTAMPTZ NOT NULL, PRIMARY KEY (id),\n"
            " WATERMARK FOR at AS at) WITH (dedup_horizon = '1 day');\n"
            "CREATE STREAM b (id INT NOT NULL, k INT, PRIMARY KEY (id));\n"
            "CREATE TABLE t (k INT NOT NULL, name TEXT, PRIMARY KEY (k));\n"
            "CREATE MATERIALIZED VIEW v1 AS SELECT k, count(*) FROM a GROUP BY k;\n"
            "CREATE MATERIALIZED VIEW v2 AS SELECT a.id FROM a JOIN b USING (k);\n"
            "CREATE MATERIALIZED VIEW v3 AS SELECT name, count(*) FROM t GROUP BY name;\n"
            "CREATE MATERIALIZED VIEW v4 AS SELECT k, count(DISTINCT id) FROM a\n"
            " WHERE at > now() - INTERVAL '1 hour' GROUP BY k;\n"
            "CREATE MATERIALIZED VIEW v5 AS SELECT id FROM a WHERE k > 1;\n"
            "CREATE MATERIALIZED VIEW v6 AS SELECT k FROM v5 JOIN t ON t.k = v5.id LIMIT 3;\n"),
        "f.sql", true, &report, &n, &err));
    EXPECT_EQ_INT(n, 0);
    EXPECT_EQ_STR(base_buf_cstr(&report),
                  "f.sql:3:1: warning: stream public.b keeps every business key, to tell "
                  "duplicates: grows with each row\n"
                  "    hint: With a WATERMARK and WITH (dedup_horizon = '7 days') older "
                  "keys are forgotten.\n"
                  "f.sql:5:1: note: materialized view public.v1: Aggregate keeps a group "
                  "for each (k): grows with distinct values of public.a\n"
                  "f.sql:6:1: warning: materialized view public.v2: Join keeps the rows "
                  "of both sides: grows with each row of public.a\n"
                  "    hint: A condition such as at > now() - INTERVAL '7 days' lets rows"
                  " go as time passes.\n"
                  "f.sql:10:1: warning: materialized view public.v5 keeps its rows: grows"
                  " with each row of public.a\n"
                  "    hint: A condition such as at > now() - INTERVAL '7 days' lets rows"
                  " go as time passes.\n"
                  "f.sql:11:1: warning: materialized view public.v6: Join keeps the rows "
                  "of the left side: grows with each row of public.a\n"
                  "    hint: A condition such as at > now() - INTERVAL '7 days' lets rows"
                  " go as time passes.\n");
    // A stream whose events may be taken back cannot have a dedup_horizon: it is not advised.
    base_buf_clear(&report);
    REQUIRE_OK(engine_check(
        BASE_STR("CREATE STREAM r (id INT NOT NULL, at TIMESTAMPTZ, PRIMARY KEY (id),\n"
                 " WATERMARK FOR at AS at) WITH (retractions = 'on');\n"),
        "f.sql", true, &report, &n, &err));
    EXPECT(strstr(base_buf_cstr(&report), "hint: What may be taken back") != NULL);
    base_buf_deinit(&report);
}

TEST_MAIN(TEST_ENTRY(a_file_twice), TEST_ENTRY(a_views_ledger_is_altered),
          TEST_ENTRY(a_watermark_changes), TEST_ENTRY(a_changed_view_is_made_again),
          TEST_ENTRY(a_contract_grows), TEST_ENTRY(a_contract_may_not_lose),
          TEST_ENTRY(a_contract_without_events_may_change), TEST_ENTRY(a_mistake_changes_nothing),
          TEST_ENTRY(a_table_grows), TEST_ENTRY(checking))
