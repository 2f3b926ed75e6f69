// State that another version wrote, or that stands for another plan, is not read: its flow fails
// alone with what differs, and REBUILD FLOW makes it again.
#include "engine/engine_int.h"
#include "engine_rig.h"

static char dir[64];

static bool start(rig *b) {
    strcpy(dir, "/tmp/weir-layout-XXXXXX");
    if (mkdtemp(dir) == NULL || !rig_start_in(b, dir, false)) return false;
    ask(b, "CREATE STREAM e (id BIGINT NOT NULL, g INT, v INT, PRIMARY KEY (id))");
    ask(b,
        "CREATE MATERIALIZED VIEW sums WITH (refresh = '1 second') AS SELECT g, sum(v) AS s FROM "
        "e GROUP BY g");
    ask(b,
        "CREATE MATERIALIZED VIEW pairs WITH (refresh = '1 second') AS SELECT a.id, b.v FROM e a "
        "JOIN e b ON a.g = b.v");
    ask(b,
        "CREATE MATERIALIZED VIEW other WITH (refresh = '2 seconds') AS SELECT count(*) AS n FROM "
        "e");
    ingest(b, "e", "{\"id\":1,\"g\":1,\"v\":10}\n{\"id\":2,\"g\":2,\"v\":20}");
    flush(b);
    EXPECT_EQ_STR(ask(b, "SELECT g, s FROM sums ORDER BY g"), "1|10\n2|20");
    return true;
}

static void stop(rig *b) {
    base_error ignored;
    plat *plat = b->plat;
    rig_stop(b);
    (void)!plat_remove_tree(plat, dir, &ignored);
}

// Between two lives of the engine: a row of "engine.layout" of flow public@1s becomes what an edit
// makes of it; to == NULL: it goes.
static bool edit_layout(char kind, const char *from, const char *to) {
    char path[128];
    snprintf(path, sizeof path, "%s/flow/public@1s", dir);
    state_config config = {.no_sync = true, .journal = true};
    state_store *store;
    state_table table;
    state_txn *txn;
    base_error err = {0};
    if (state_store_open(plat_os(), path, &config, &store, &err) != BASE_OK) return false;
    bool done = false;
    state_cursor *cursor;
    base_str key, value;
    bool end;
    must(state_table_open(store, "engine.layout", &table, &err) == BASE_OK);
    must(state_begin_write(store, &txn, &err) == BASE_OK);
    must(state_cursor_open(txn, table, &cursor, &err) == BASE_OK);
    must(state_cursor_next(cursor, &key, &value, &end, &err) == BASE_OK);
    base_buf own_key = {0}, text = {0};
    while (!end && !done) {
        base_buf_clear(&text);
        base_buf_add_str(&text, value);
        char *at = key.p[0] == kind ? strstr(base_buf_cstr(&text), from) : NULL;
        if (at != NULL) {
            done = true;
            base_buf_add_str(&own_key, key);
            if (to != NULL) {
                must(strlen(to) == strlen(from));
                memcpy(at, to, strlen(to));
            }
            break;
        }
        must(state_cursor_next(cursor, &key, &value, &end, &err) == BASE_OK);
    }
    state_cursor_close(cursor);
    bool found;
    if (done && to != NULL)
        must(state_put(txn, table, base_buf_str(&own_key), base_buf_str(&text), &err) == BASE_OK);
    else if (done)
        must(state_delete(txn, table, base_buf_str(&own_key), &found, &err) == BASE_OK);
    must(state_commit(txn, &err) == BASE_OK);
    state_store_close(store);
    base_buf_deinit(&own_key);
    base_buf_deinit(&text);
    return done;
}

static void fails_with(rig *b, const char *part) {
    const char *answer = ask(b, "SELECT g, s FROM sums");
    const char begins[] =
        "ERROR 55000: materialized view \"public.sums\" cannot be read: the state ";
    EXPECT(strncmp(answer, begins, strlen(begins)) == 0);
    EXPECT(strstr(answer, part) != NULL);
    EXPECT_EQ_STR(ask(b, "SELECT n FROM other"), "2");
    EXPECT_EQ_STR(ask(b, "SELECT name FROM weir.flows WHERE error LIKE '%needs to be made again%'"),
                  "public@1s");
}

static void is_made_again(rig *b) {
    base_buf aside = {0};
    base_error err = {0};
    REQUIRE_OK(engine_rebuild_flow(b->e, "public@1s", &aside, &err));
    EXPECT(strstr(base_buf_cstr(&aside), "public@1s.replaced-") != NULL);
    base_buf_deinit(&aside);
    flush(b);
    EXPECT_EQ_STR(ask(b, "SELECT g, s FROM sums ORDER BY g"), "1|10\n2|20");
    EXPECT_EQ_STR(ask(b, "SELECT count(*) FROM weir.flows WHERE error IS NOT NULL"), "0");
}

static void round_of(rig *b, char kind, const char *from, const char *to, const char *part) {
    engine_close(b->e);
    EXPECT(edit_layout(kind, from, to));
    if (!rig_open(b)) return;
    fails_with(b, part);
    is_made_again(b);
}

TEST(other_layouts_are_not_read) {
    rig b;
    if (!start(&b)) return;
    round_of(&b, 'v', " aggregate 1", " aggregate 0", "view \"public.sums\" was kept as \"op ");
    round_of(&b, 'v', "blocks of ", "blocks to ", "and this version keeps \"op ");
    round_of(&b, 'v', " join 1: spines", " join 1: spokes", "view \"public.pairs\" was kept as");
    round_of(&b, 's', "source 1: keys", "source 1: rows", "stream \"public.e\" was kept as \"op ");
    round_of(&b, 'v', "rows 1", "rows 0", "view \"public.sums\" was kept as \"rows 0");
    stop(&b);
}

TEST(other_plans_are_not_read) {
    rig b;
    if (!start(&b)) return;
    round_of(&b, 'v', "Aggregate by (g)", "Aggregate by (v)", "was kept as \"Aggregate by (v)");
    round_of(&b, 'v', "#0 (", "#9 (", "and this version keeps \"");
    stop(&b);
}

TEST(what_says_nothing_is_not_read) {
    rig b;
    if (!start(&b)) return;
    round_of(&b, 'v', "Aggregate by (g)", NULL, "a version that did not say");
    stop(&b);
}

// A view that is dropped and made again, and a source that loses its last reader, begin anew.
TEST(they_go_with_the_state) {
    rig b;
    if (!start(&b)) return;
    ask(&b, "DROP MATERIALIZED VIEW pairs");
    ask(&b, "DROP MATERIALIZED VIEW sums");
    ask(&b,
        "CREATE MATERIALIZED VIEW sums WITH (refresh = '1 second') AS SELECT g, max(v) AS s FROM "
        "e GROUP BY g");
    if (!rig_reopen(&b)) return;
    flush(&b);
    EXPECT_EQ_STR(ask(&b, "SELECT g, s FROM sums ORDER BY g"), "1|10\n2|20");
    engine_close(b.e);
    EXPECT(!edit_layout('v', "join", NULL));
    if (!rig_open(&b)) return;
    stop(&b);
}

TEST_MAIN(TEST_ENTRY(other_layouts_are_not_read), TEST_ENTRY(other_plans_are_not_read),
          TEST_ENTRY(what_says_nothing_is_not_read), TEST_ENTRY(they_go_with_the_state))
