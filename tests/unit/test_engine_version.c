// Versions of views: what a crash between the commits of a promotion leaves, and files of SQL.

#include "engine_rig.h"

#define V1                                                                                         \
    "CREATE MATERIALIZED VIEW v WITH (refresh = 'immediate') AS SELECT k, count(*) AS n FROM e "   \
    "GROUP BY k"
#define V2                                                                                         \
    "CREATE OR REPLACE MATERIALIZED VIEW v WITH (refresh = 'immediate') AS SELECT k, sum(w) AS n " \
    "FROM e GROUP BY k"

#define V3                                                                                         \
    "CREATE MATERIALIZED VIEW v WITH (refresh = 'immediate') AS SELECT k, max(w::bigint) AS n "    \
    "FROM "                                                                                        \
    "e GROUP BY k"

static bool make(rig *b) {
    if (!rig_start(b)) return false;
    ask(b, "CREATE STREAM e (k INT NOT NULL, w INT NOT NULL)");
    EXPECT_EQ_STR(ask(b, V1), "CREATE MATERIALIZED VIEW");
    EXPECT_EQ_STR(ask(b, "CREATE MATERIALIZED VIEW t WITH (refresh = 'immediate') AS SELECT "
                         "sum(n) AS n FROM v"),
                  "CREATE MATERIALIZED VIEW");
    EXPECT_EQ_STR(ask(b, "CREATE MATERIALIZED VIEW far AS SELECT sum(n) AS n FROM v"),
                  "CREATE MATERIALIZED VIEW");
    ingest(b, "e", "{\"k\":1,\"w\":5}\n{\"k\":1,\"w\":6}\n{\"k\":2,\"w\":1}");
    flush(b);
    EXPECT_EQ_STR(ask(b, V2), "CREATE MATERIALIZED VIEW");
    return true;
}

typedef struct failing {
    uint32_t left; // commits that succeed
    bool after;    // the last fails after its data is in place
} failing;

static base_rc fail_commit(void *arg, const char *op, base_error *err) {
    failing *f = arg;
    if (strcmp(op, f->after ? "committed" : "commit") != 0) return BASE_OK;
    if (f->left > 0) {
        f->left--;
        return BASE_OK;
    }
    return base_fail(err, BASE_E_IO, NULL, "a fault");
}

static state_memory *memory_of(rig *b, const char *suffix) {
    for (size_t i = 0; i < b->nmemories; i++) {
        size_t n = strlen(b->dirs[i]), m = strlen(suffix);
        if (n >= m && strcmp(b->dirs[i] + n - m, suffix) == 0) return b->memories[i];
    }
    must(!"no such store");
    return NULL;
}

static void expect_version(rig *b, int version) {
    EXPECT_EQ_STR(ask(b, "SELECT k, n FROM v ORDER BY k"), version == 1 ? "1|2\n2|1" : "1|11\n2|1");
    EXPECT_EQ_STR(ask(b, "SELECT n FROM t"), version == 1 ? "3" : "12");
    flush(b);
    EXPECT_EQ_STR(ask(b, "SELECT n FROM far"), version == 1 ? "3" : "12");
    EXPECT_EQ_STR(ask(b, version == 1 ? "SELECT k, n FROM \"v@2\" ORDER BY k"
                                      : "SELECT k, n FROM \"v@1\" ORDER BY k"),
                  version == 1 ? "1|11\n2|1" : "1|2\n2|1");
    EXPECT_EQ_STR(ask(b, "SELECT version FROM weir.versions WHERE status = 'serving'"),
                  version == 1 ? "1" : "2");
    EXPECT(strstr(ask(b, "VERIFY ALL"), "differs") == NULL);
}

// Which store fails, and when: the flow's commit decides, and the catalogue follows.
static void promote_with_fault(const char *store, failing fault, bool promoted) {
    rig b;
    if (!make(&b)) return;
    state_memory *memory = memory_of(&b, store);
    state_memory_set_fault(memory, fail_commit, &fault);
    EXPECT(strncmp(ask(&b, "ALTER MATERIALIZED VIEW v PROMOTE"), "ERROR", 5) == 0);
    state_memory_set_fault(memory, NULL, NULL);
    if (!rig_reopen(&b)) return;
    expect_version(&b, promoted ? 2 : 1);
    if (!promoted)
        EXPECT_EQ_STR(ask(&b, "ALTER MATERIALIZED VIEW v PROMOTE"), "ALTER MATERIALIZED VIEW");
    expect_version(&b, 2);
    if (!rig_reopen(&b)) return;
    expect_version(&b, 2);
    EXPECT_EQ_STR(ask(&b, "ALTER MATERIALIZED VIEW v ROLL BACK"), "ALTER MATERIALIZED VIEW");
    expect_version(&b, 1);
    ingest(&b, "e", "{\"k\":2,\"w\":7}");
    flush(&b);
    EXPECT_EQ_STR(ask(&b, "SELECT k, n FROM v ORDER BY k"), "1|2\n2|2");
    EXPECT_EQ_STR(ask(&b, "SELECT k, n FROM \"v@2\" ORDER BY k"), "1|11\n2|8");
    rig_stop(&b);
}

TEST(the_flows_commit_fails) {
    promote_with_fault("public@immediate", (failing){0, false}, false);
}

TEST(the_flows_commit_is_made_and_not_known) {
    promote_with_fault("public@immediate", (failing){0, true}, true);
}

TEST(the_catalogues_commit_fails) {
    promote_with_fault("catalog", (failing){0, false}, true);
}

TEST(the_catalogues_commit_is_made_and_not_known) {
    promote_with_fault("catalog", (failing){0, true}, true);
}

TEST(without_a_reopen_a_failed_promotion_leaves_the_view_as_it_was) {
    rig b;
    if (!make(&b)) return;
    failing fault = {0, false};
    state_memory *memory = memory_of(&b, "public@immediate");
    state_memory_set_fault(memory, fail_commit, &fault);
    EXPECT(strncmp(ask(&b, "ALTER MATERIALIZED VIEW v PROMOTE"), "ERROR", 5) == 0);
    state_memory_set_fault(memory, NULL, NULL);
    expect_version(&b, 1);
    EXPECT_EQ_STR(ask(&b, "ALTER MATERIALIZED VIEW v PROMOTE"), "ALTER MATERIALIZED VIEW");
    expect_version(&b, 2);
    rig_stop(&b);
}

TEST(the_making_of_a_version_fails_and_leaves_nothing) {
    for (uint32_t n = 0; n < 6; n++) {
        rig b;
        if (!make(&b)) return;
        EXPECT_EQ_STR(ask(&b, "ALTER MATERIALIZED VIEW v DROP VERSION 2"),
                      "ALTER MATERIALIZED VIEW");
        failing fault = {n / 2, false};
        state_memory *memory = memory_of(&b, n % 2 == 0 ? "public@immediate" : "catalog");
        state_memory_set_fault(memory, fail_commit, &fault);
        bool failed = strncmp(ask(&b, V2), "ERROR", 5) == 0;
        state_memory_set_fault(memory, NULL, NULL);
        if (failed) EXPECT_EQ_STR(ask(&b, "SELECT count(*) FROM weir.versions"), "0");
        if (!rig_reopen(&b)) return;
        if (failed) EXPECT(strncmp(ask(&b, V2), "ERROR", 5) != 0);
        expect_version(&b, 1);
        rig_stop(&b);
    }
}

static void apply(rig *b, const char *sql, const char *said) {
    base_buf report = {0};
    base_error err = {0};
    if (engine_apply(&b->session, base_str_of(sql), &report, &err) != BASE_OK) {
        fprintf(stderr, "apply: %s\n", err.message);
        test_failures++;
    }
    if (strstr(base_buf_cstr(&report), said) == NULL) {
        fprintf(stderr, "\"%s\" is not in: %s\n", said, base_buf_cstr(&report));
        test_failures++;
    }
    base_buf_deinit(&report);
}

TEST(a_file_makes_a_version_where_it_says_or_replace) {
    rig b;
    if (!make(&b)) return;
    ask(&b, "ALTER MATERIALIZED VIEW v DROP VERSION 2");
    apply(&b, V2 ";", "made version 2 of materialized view public.v");
    apply(&b, V2 ";", "version 2, with this text, is beside version 1");
    apply(&b, V1 ";", "unchanged materialized view public.v");
    expect_version(&b, 1);
    ask(&b, "ALTER MATERIALIZED VIEW v PROMOTE");
    apply(&b, V2 ";", "unchanged materialized view public.v");
    if (!rig_reopen(&b)) return;
    apply(&b, V2 ";", "unchanged materialized view public.v");
    expect_version(&b, 2);
    // The text of the version that was replaced is no reason to undo what a person has done.
    apply(&b, V1 ";", "version 1, with this text, is beside version 2");
    expect_version(&b, 2);
    // Without OR REPLACE another text makes the view again, and its versions go.
    apply(&b, V3 ";", "replaced materialized view public.v");
    flush(&b);
    EXPECT_EQ_STR(ask(&b, "SELECT count(*) FROM weir.versions"), "0");
    EXPECT_EQ_STR(ask(&b, "SELECT k, n FROM v ORDER BY k"), "1|6\n2|1");
    rig_stop(&b);
}

TEST_MAIN(TEST_ENTRY(the_flows_commit_fails), TEST_ENTRY(the_flows_commit_is_made_and_not_known),
          TEST_ENTRY(the_catalogues_commit_fails),
          TEST_ENTRY(the_catalogues_commit_is_made_and_not_known),
          TEST_ENTRY(without_a_reopen_a_failed_promotion_leaves_the_view_as_it_was),
          TEST_ENTRY(the_making_of_a_version_fails_and_leaves_nothing),
          TEST_ENTRY(a_file_makes_a_version_where_it_says_or_replace))
