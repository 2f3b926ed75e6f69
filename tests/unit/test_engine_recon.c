// Reconciliation: each class of row, tolerances, nulls, what a bad file of record does, WHERE,
// bounds, and what is kept of runs.

#include <zlib.h>

#include "engine/recon/recon_int.h"
#include "engine_rig.h"

static void make_view(rig *b) {
    EXPECT_EQ_STR(ask(b, "CREATE SCHEMA s"), "CREATE SCHEMA");
    EXPECT_EQ_STR(ask(b, "CREATE TABLE s.t (day DATE NOT NULL, store INT NOT NULL, "
                         "revenue NUMERIC(12,2), units BIGINT, ratio DOUBLE PRECISION, "
                         "note TEXT, PRIMARY KEY (day, store))"),
                  "CREATE TABLE");
    EXPECT_EQ_STR(ask(b, "CREATE MATERIALIZED VIEW s.v AS SELECT day, store, revenue, units, "
                         "ratio, note FROM s.t"),
                  "CREATE MATERIALIZED VIEW");
}

static void add(rig *b, const char *rows) {
    EXPECT_EQ_INT(ingest(b, "s.t", rows).quarantined, 0);
    flush(b);
}

#define ROW(day, store, revenue, units)                                                            \
    "{\"day\":\"2024-01-" day "\",\"store\":" #store ",\"revenue\":" #revenue ",\"units\":" #units \
    "}\n"

static void make_recon(rig *b, const char *rest) {
    char sql[512];
    snprintf(sql, sizeof sql, "CREATE RECONCILIATION s.r ON s.v AGAINST (connector = 'file', %s",
             rest);
    EXPECT_EQ_STR(ask(b, sql), "CREATE RECONCILIATION");
}

#define RESULT                                                                                     \
    "SELECT kind, rows, key, column_name, view_value, record_value, difference, status FROM "      \
    "weir.reconciliation_result WHERE run = (SELECT max(run) FROM weir.reconciliation_runs)"
#define LISTED                                                                                     \
    "SELECT kind, rows, key, column_name, view_value, record_value, difference FROM "              \
    "weir.reconciliation_result WHERE key IS NOT NULL"
#define RUN                                                                                        \
    "SELECT run, record_rows, view_rows, matched, missing, unexpected, differing, duplicate, "     \
    "skipped, error FROM weir.reconciliation_runs ORDER BY run DESC LIMIT 1"

TEST(every_class_of_row) {
    rig b;
    if (!rig_start(&b)) return;
    make_view(&b);
    add(&b, ROW("01", 1, 10.00, 3) ROW("01", 2, 20.50, 4) ROW("02", 1, 7, 1) ROW("03", 1, 5, 5));
    make_recon(&b, "path = '/erp.csv', format = 'csv') KEY (day, store) COMPARE (revenue, units)");
    // 10.0 = 10.00; columns in another order, an unknown one, quotes, CRLF, no last newline.
    put_file(&b, "/erp.csv",
             BASE_STR("store,day,units,comment,revenue\r\n1,2024-01-01,3,\"a, \"\"b\"\"\",10.0\r\n"
                      "2,2024-01-01,5,x,20.49\r\n1,2024-01-03,5,,5\r\n9,2024-01-01,1,,1.5\r\n"
                      "1,2024-01-03,5,,5"));
    EXPECT_EQ_STR(ask(&b, "RECONCILE s.r"), "1|1|1|1|1");
    EXPECT_EQ_STR(ask(&b, RUN), "1|5|4|1|1|1|1|1|0|null");
    EXPECT_EQ_STR(
        ask(&b, LISTED),
        "differing|1|{\"day\":\"2024-01-01\",\"store\":2}|revenue|20.50|20.49|0.01\n"
        "differing|0|{\"day\":\"2024-01-01\",\"store\":2}|units|4|5|-1\n"
        "missing|1|{\"day\":\"2024-01-01\",\"store\":9}|revenue|null|1.5|null\n"
        "missing|0|{\"day\":\"2024-01-01\",\"store\":9}|units|null|1|null\n"
        "unexpected|1|{\"day\":\"2024-01-02\",\"store\":1}|revenue|7.00|null|null\n"
        "unexpected|0|{\"day\":\"2024-01-02\",\"store\":1}|units|1|null|null\n"
        "duplicate in record|1|{\"day\":\"2024-01-03\",\"store\":1}|null|null|lines 4, 6|null");
    // By kind, the rows add up to the counts, what matched among them.
    EXPECT_EQ_STR(ask(&b, "SELECT kind, sum(rows) FROM weir.reconciliation_result GROUP BY kind "
                          "ORDER BY kind"),
                  "differing|1\nduplicate in record|1\nmatched|1\nmissing|1\nunexpected|1");
    // The books are put right, the view too: nothing differs, and the first run is still there.
    put_file(&b, "/erp.csv",
             BASE_STR("day,store,revenue,units\n2024-01-01,1,10,3\n2024-01-01,2,20.5,4\n"
                      "2024-01-02,1,7,1\n\n2024-01-03,1,5.000,5\n"));
    EXPECT_EQ_STR(ask(&b, "RECONCILE s.r"), "2|4|0|0|0");
    EXPECT_EQ_STR(ask(&b, "SELECT run, matched FROM weir.reconciliation_runs ORDER BY run"),
                  "1|1\n2|4");
    EXPECT_EQ_STR(ask(&b, "SELECT name, key, compare, run, matched, error FROM "
                          "weir.reconciliations"),
                  "r|day, store|revenue, units|2|4|null");
    if (!rig_reopen(&b)) return;
    EXPECT_EQ_STR(ask(&b, "RECONCILE s.r"), "3|4|0|0|0");
    rig_stop(&b);
}

TEST(tolerances_and_nulls) {
    rig b;
    if (!rig_start(&b)) return;
    make_view(&b);
    add(&b, ROW("01", 1, 10.00, 3) ROW("01", 2, 10.00, 3) ROW("01", 3, null, 3)
                ROW("01", 4, null, 3) ROW("01", 5, 1, null));
    make_recon(&b, "path = '/erp.ndjson', format = 'ndjson') KEY (day, store) "
                   "COMPARE (revenue TOLERANCE 0.01, units TOLERANCE 1)");
    put_file(
        &b, "/erp.ndjson",
        BASE_STR("{\"day\":\"2024-01-01\",\"store\":1,\"revenue\":10.01,\"units\":2}\n"
                 "\n"
                 "{\"day\":\"2024-01-01\",\"store\":2,\"revenue\":\"10.011\",\"units\":4.5}\r\n"
                 "{\"day\":\"2024-01-01\",\"store\":3,\"units\":3,\"more\":[1]}\n"
                 "{\"day\":\"2024-01-01\",\"store\":4,\"revenue\":0,\"units\":3}\n"
                 "{\"day\":\"2024-01-01\",\"store\":5,\"revenue\":1,\"units\":0}\n"));
    EXPECT_EQ_STR(ask(&b, "RECONCILE s.r"), "1|2|0|0|3");
    EXPECT_EQ_STR(ask(&b, LISTED),
                  "differing|1|{\"day\":\"2024-01-01\",\"store\":2}|revenue|10.00|10.011|-0.011\n"
                  "differing|0|{\"day\":\"2024-01-01\",\"store\":2}|units|3|4.5|-1.5\n"
                  "differing|1|{\"day\":\"2024-01-01\",\"store\":4}|revenue|null|0|null\n"
                  "differing|1|{\"day\":\"2024-01-01\",\"store\":5}|units|null|0|null");
    rig_stop(&b);
}

TEST(floats_and_texts) {
    rig b;
    if (!rig_start(&b)) return;
    make_view(&b);
    add(&b, "{\"day\":\"2024-01-01\",\"store\":1,\"ratio\":0.3,\"note\":\"a\"}\n"
            "{\"day\":\"2024-01-01\",\"store\":2,\"ratio\":0.3,\"note\":\"\"}\n"
            "{\"day\":\"2024-01-01\",\"store\":3,\"ratio\":0.3,\"note\":\"\xc3\xa9\"}\n");
    make_recon(&b, "path = '/erp.csv') KEY (day, store) COMPARE (ratio TOLERANCE 0.05, note)");
    // An unquoted empty field is NULL, a quoted one is the empty text.
    put_file(&b, "/erp.csv",
             BASE_STR("\xef\xbb\xbf"
                      "day,store,ratio,note\n2024-01-01,1,0.34,a\n2024-01-01,2,0.3,\n"
                      "2024-01-01,3,0.4,\"\xc3\xa9\"\n"));
    EXPECT_EQ_STR(ask(&b, "RECONCILE s.r"), "1|1|0|0|2");
    EXPECT_EQ_STR(ask(&b, "SELECT column_name, view_value, record_value FROM "
                          "weir.reconciliation_result WHERE kind = 'differing'"),
                  "note||null\nratio|0.3|0.4");
    rig_stop(&b);
}

TEST(keys_that_are_not_single) {
    rig b;
    if (!rig_start(&b)) return;
    make_view(&b);
    add(&b, ROW("01", 1, 1, 1) ROW("01", 2, 2, 1) ROW("02", 1, 3, 1));
    make_recon(&b, "path = '/erp.csv') KEY (day) COMPARE (units)");
    put_file(&b, "/erp.csv", BASE_STR("day,units\n2024-01-01,2\n2024-01-02,1\n"));
    EXPECT_EQ_STR(ask(&b, "RECONCILE s.r"), "1|1|0|0|0");
    EXPECT_EQ_STR(ask(&b, LISTED),
                  "duplicate in view|1|{\"day\":\"2024-01-01\"}|null|2 rows|null|null");
    EXPECT_EQ_STR(ask(&b, RUN), "1|2|3|1|0|0|0|1|0|null");
    rig_stop(&b);
}

TEST(where_says_what_is_compared) {
    rig b;
    if (!rig_start(&b)) return;
    make_view(&b);
    add(&b, ROW("01", 1, 1, 1) ROW("01", 2, 2, 2) ROW("01", 50, 3, 3));
    // Of key columns: asked of both sides, so that what lies outside is not missing.
    make_recon(&b, "path = '/erp.csv') KEY (day, store) COMPARE (units) WHERE store < 50");
    put_file(&b, "/erp.csv",
             BASE_STR("day,store,units\n2024-01-01,1,1\n2024-01-01,2,9\n2024-01-01,50,9\n"
                      "2024-01-01,51,9\n2024-01-01,3,9\n"));
    EXPECT_EQ_STR(ask(&b, "RECONCILE s.r"), "1|1|1|0|1");
    EXPECT_EQ_STR(ask(&b, RUN), "1|3|2|1|1|0|1|0|2|null");
    EXPECT_EQ_STR(ask(&b, "DROP RECONCILIATION s.r"), "DROP RECONCILIATION");
    // Of other columns: a key whose row in the view lies outside is skipped, another is missing.
    make_recon(&b, "path = '/erp.csv') KEY (day, store) COMPARE (units) WHERE revenue < 3");
    EXPECT_EQ_STR(ask(&b, "RECONCILE s.r"), "1|1|2|0|1");
    EXPECT_EQ_STR(ask(&b, RUN), "1|4|2|1|2|0|1|0|1|null");
    rig_stop(&b);
}

static void expect_refused(rig *b, const char *path, base_str content, const char *error) {
    put_file(b, path, content);
    EXPECT_EQ_STR(ask(b, "RECONCILE s.r"), error);
    // The run is there, with what went wrong.
    const char *message = strchr(error, ':') + 2;
    EXPECT_EQ_STR(ask(b, "SELECT error FROM weir.reconciliation_runs ORDER BY run DESC LIMIT 1"),
                  message);
    EXPECT_EQ_STR(ask(b, "SELECT error FROM weir.reconciliations"), message);
}

TEST(bad_csv_is_refused_with_its_line) {
    rig b;
    if (!rig_start(&b)) return;
    make_view(&b);
    add(&b, ROW("01", 1, 1, 1));
    make_recon(&b, "path = '/erp.csv') KEY (day, store) COMPARE (revenue)");
    EXPECT(strstr(ask(&b, "RECONCILE s.r"), "/erp.csv") != NULL); // there is no file
    EXPECT_EQ_STR(ask(&b, "SELECT run, matched, unexpected, error IS NOT NULL FROM "
                          "weir.reconciliation_runs"),
                  "1|0|0|t");
    expect_refused(&b, "/erp.csv", BASE_STR(""),
                   "ERROR 22P02: file \"/erp.csv\": is empty; a CSV file of record begins with a "
                   "line of column names");
    expect_refused(&b, "/erp.csv", BASE_STR("day,revenue\n"),
                   "ERROR 42703: file \"/erp.csv\" line 1: the header has no column \"store\"");
    expect_refused(&b, "/erp.csv", BASE_STR("day,store,day,revenue\n"),
                   "ERROR 42701: file \"/erp.csv\" line 1: the header names column \"day\" twice");
    expect_refused(&b, "/erp.csv",
                   BASE_STR("day,store,revenue\n2024-01-01,1,\"1\"\n\n2024-01-01,1\n"),
                   "ERROR 22P02: file \"/erp.csv\" line 4: 2 values, but the header has 3 columns");
    expect_refused(&b, "/erp.csv", BASE_STR("day,store,revenue\n2024-01-01,1,1x\n"),
                   "ERROR 22P02: file \"/erp.csv\" line 2: column \"revenue\": invalid input "
                   "syntax for type numeric: \"1x\"");
    expect_refused(&b, "/erp.csv", BASE_STR("day,store,revenue\n2024-01-01,1,\"1\n\n"),
                   "ERROR 22P02: file \"/erp.csv\": malformed CSV in line 2: a quoted field is "
                   "not closed");
    // Only the header: everything in the view is unexpected.
    put_file(&b, "/erp.csv", BASE_STR("day,store,revenue\n"));
    EXPECT_EQ_STR(ask(&b, "RECONCILE s.r"), "8|0|0|1|0");
    rig_stop(&b);
}

TEST(bad_ndjson_is_refused_with_its_line) {
    rig b;
    if (!rig_start(&b)) return;
    make_view(&b);
    add(&b, ROW("01", 1, 1, 1));
    make_recon(&b, "path = '/erp.ndjson') KEY (day, store) COMPARE (revenue)");
    put_file(&b, "/erp.ndjson",
             BASE_STR("{\"day\":\"2024-01-01\",\"store\":1,\"revenue\":1}\n\n{\"day\":\n"));
    const char *answer = ask(&b, "RECONCILE s.r");
    EXPECT(strstr(answer, "file \"/erp.ndjson\" line 3: ") != NULL);
    put_file(&b, "/erp.ndjson",
             BASE_STR("{\"day\":\"2024-01-01\",\"store\":\"one\",\"revenue\":1}\n"));
    answer = ask(&b, "RECONCILE s.r");
    EXPECT(strstr(answer, "file \"/erp.ndjson\" line 1: ") != NULL);
    EXPECT(strstr(answer, "store") != NULL);
    put_file(&b, "/erp.ndjson", BASE_STR("\n\n"));
    EXPECT_EQ_STR(ask(&b, "RECONCILE s.r"), "3|0|0|1|0");
    put_file(&b, "/erp.ndjson", BASE_STR(""));
    EXPECT_EQ_STR(ask(&b, "RECONCILE s.r"), "4|0|0|1|0");
    rig_stop(&b);
}

TEST(packed_files) {
    rig b;
    if (!rig_start(&b)) return;
    make_view(&b);
    add(&b, ROW("01", 1, 1, 1));
    make_recon(&b, "path = '/erp.csv.gz') KEY (day, store) COMPARE (revenue)");
    const char *text = "day,store,revenue\n2024-01-01,1,1\n";
    uint8_t packed[256];
    z_stream z = {0};
    REQUIRE(deflateInit2(&z, 9, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    z.next_in = (Bytef *)(uintptr_t)text;
    z.avail_in = (uInt)strlen(text);
    z.next_out = packed;
    z.avail_out = sizeof packed;
    REQUIRE(deflate(&z, Z_FINISH) == Z_STREAM_END);
    size_t n = sizeof packed - z.avail_out;
    deflateEnd(&z);
    put_file(&b, "/erp.csv.gz", (base_str){(char *)packed, n});
    EXPECT_EQ_STR(ask(&b, "RECONCILE s.r"), "1|1|0|0|0");
    put_file(&b, "/erp.csv.gz", (base_str){(char *)packed, n - 5});
    EXPECT_EQ_STR(ask(&b, "RECONCILE s.r"), "ERROR 22P02: file \"/erp.csv.gz\": the gzip "
                                            "data is truncated after byte 45");
    rig_stop(&b);
}

TEST(bounded) {
    rig b;
    if (!rig_start(&b)) return;
    make_view(&b);
    add(&b, ROW("01", 1, 1, 1));
    make_recon(&b, "path = '/erp.csv') KEY (day, store) COMPARE (revenue)");
    // More rows than are listed: the others are counted.
    base_buf text = {0};
    base_buf_add_cstr(&text, "day,store,revenue\n");
    for (int i = 0; i < 12000; i++) base_buf_printf(&text, "2024-02-01,%d,1.00\n", 12000 - i);
    put_file(&b, "/erp.csv", base_buf_str(&text));
    EXPECT_EQ_STR(ask(&b, "RECONCILE s.r"), "1|0|12000|1|0");
    EXPECT_EQ_STR(ask(&b, "SELECT count(*), sum(rows) FROM weir.reconciliation_result WHERE key IS "
                          "NOT NULL"),
                  "10000|10000");
    EXPECT_EQ_STR(ask(&b, "SELECT kind, rows FROM weir.reconciliation_result WHERE key IS NULL"),
                  "missing|2001");
    EXPECT_EQ_STR(ask(&b, "SELECT key FROM weir.reconciliation_result LIMIT 3"),
                  "{\"day\":\"2024-01-01\",\"store\":1}\n{\"day\":\"2024-02-01\",\"store\":1}\n"
                  "{\"day\":\"2024-02-01\",\"store\":2}");
    // Only so many runs are kept, and fewer of them with their rows.
    put_file(&b, "/erp.csv", BASE_STR("day,store,revenue\n2024-01-01,1,2\n"));
    for (int i = 0; i < 110; i++) ask(&b, "RECONCILE s.r");
    EXPECT_EQ_STR(ask(&b, "SELECT count(*), min(run), max(run) FROM weir.reconciliation_runs"),
                  "100|12|111");
    EXPECT_EQ_STR(ask(&b, "SELECT count(*), min(run) FROM weir.reconciliation_result WHERE key IS "
                          "NOT NULL"),
                  "20|92");
    EXPECT_EQ_STR(ask(&b, "SELECT sum(rows) FROM weir.reconciliation_result"), "100");
    // A dropped reconciliation takes its runs along.
    EXPECT_EQ_STR(ask(&b, "DROP RECONCILIATION s.r"), "DROP RECONCILIATION");
    EXPECT_EQ_STR(ask(&b, "SELECT count(*) FROM weir.reconciliation_runs"), "0");
    base_error err;
    state_txn *txn;
    uint64_t rows = 1;
    REQUIRE_OK(state_begin_read(b.e->meta, &txn, &err));
    REQUIRE_OK(state_table_count(txn, b.e->t_recon, &rows, &err));
    state_abort(txn);
    EXPECT_EQ_INT(rows, 0);
    base_buf_deinit(&text);
    rig_stop(&b);
}

TEST(a_file_beyond_the_memory_limit) {
    rig b;
    if (!rig_start(&b)) return;
    make_view(&b);
    add(&b, ROW("01", 1, 1, 1));
    make_recon(&b, "path = '/erp.csv') KEY (day, store) COMPARE (revenue)");
    engine_close(b.e);
    b.config.query_memory_bytes = 4 << 20;
    if (!rig_open(&b)) return;
    base_buf text = {0};
    base_buf_add_cstr(&text, "day,store,revenue\n");
    while (text.n < 3 << 20) base_buf_printf(&text, "2024-02-01,%zu,1.00\n", text.n);
    put_file(&b, "/erp.csv", base_buf_str(&text));
    EXPECT_EQ_STR(ask(&b, "RECONCILE s.r"),
                  "ERROR 54000: file \"/erp.csv\" is larger than 2097152 bytes");
    // What fits as a text is sorted in the scratch directory, whatever its rows would take.
    base_buf_clear(&text);
    base_buf_add_cstr(&text, "store,day,revenue\n1,2024-01-01,1\n");
    for (int i = 90000; i > 0; i--) base_buf_printf(&text, "%d,2024-02-01,1.00\n", i);
    put_file(&b, "/erp.csv", base_buf_str(&text));
    EXPECT_EQ_STR(ask(&b, "RECONCILE s.r"), "2|1|90000|0|0");
    engine_close(b.e);
    b.config.query_memory_bytes = 0;
    if (!rig_open(&b)) return;
    EXPECT_EQ_STR(ask(&b, "SELECT key FROM weir.reconciliation_result WHERE run = 2 AND key IS NOT "
                          "NULL LIMIT 2"),
                  "{\"day\":\"2024-02-01\",\"store\":1}\n{\"day\":\"2024-02-01\",\"store\":2}");
    EXPECT_EQ_STR(ask(&b, "SELECT sum(rows) FROM weir.reconciliation_result WHERE run = 2"),
                  "90001");
    base_buf_deinit(&text);
    rig_stop(&b);
}

TEST(a_run_that_cannot_be_stored) {
    rig b;
    if (!rig_start(&b)) return;
    make_view(&b);
    add(&b, ROW("01", 1, 1, 1));
    make_recon(&b, "path = '/erp.csv') KEY (day, store) COMPARE (revenue)");
    put_file(&b, "/erp.csv", BASE_STR("day,store,revenue\n2024-01-01,1,1\n"));
    // Each call that may fail, in turn: an error, never a wrong count, and the next run is whole.
    for (uint64_t n = 1; n <= 8; n++) {
        plat_sim_fail_call(b.sim, n);
        const char *answer = ask(&b, "RECONCILE s.r");
        EXPECT(strstr(answer, "ERROR") == answer || strstr(answer, "|1|0|0|0") != NULL);
        plat_sim_fail_call(b.sim, 0);
        EXPECT(strstr(ask(&b, "RECONCILE s.r"), "|1|0|0|0") != NULL);
    }
    rig_stop(&b);
}

TEST_MAIN(TEST_ENTRY(every_class_of_row), TEST_ENTRY(tolerances_and_nulls),
          TEST_ENTRY(floats_and_texts), TEST_ENTRY(keys_that_are_not_single),
          TEST_ENTRY(where_says_what_is_compared), TEST_ENTRY(bad_csv_is_refused_with_its_line),
          TEST_ENTRY(bad_ndjson_is_refused_with_its_line), TEST_ENTRY(packed_files),
          TEST_ENTRY(bounded), TEST_ENTRY(a_file_beyond_the_memory_limit),
          TEST_ENTRY(a_run_that_cannot_be_stored))
