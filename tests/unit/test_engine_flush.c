// FLUSH over flows on their own threads: it ends although records keep coming, what was there when
// it began is visible however many flows away, and no flow does more for it than it must.

#include <stdatomic.h>
#include <unistd.h>

#include "engine/engine_int.h"
#include "engine_rig.h"
#include "plat/thread.h"

#define WRITES_US_MAX (5 * BASE_US_PER_SECOND) // a FLUSH that waits for the writer waits so long

// An engine on disk whose stores are in memory: gate() stands before each commit of a flow.
typedef struct world {
    rig b;
    char dir[32];
    base_rc (*gate)(struct world *w, base_error *err);
    atomic_bool writing, hold, fail;
    atomic_int appended;
} world;

static base_rc before_commit(void *arg, const char *op, base_error *err) {
    world *w = arg;
    return strcmp(op, "commit") == 0 && w->gate != NULL ? w->gate(w, err) : BASE_OK;
}

static state_memory *memory_for(void *arg, const char *dir) {
    world *w = arg;
    state_memory *memory = rig_memory(&w->b, dir);
    if (strstr(dir, "/flow/") != NULL) state_memory_set_fault(memory, before_commit, w);
    return memory;
}

// What goes wrong here is asked for.
static void be_quiet(void *arg, engine_level level, const char *text) {
    (void)arg, (void)level, (void)text;
}

static bool world_start(world *w, base_rc (*gate)(world *w, base_error *err)) {
    memset(w, 0, sizeof *w);
    snprintf(w->dir, sizeof w->dir, "/tmp/weir-test-XXXXXX");
    w->gate = gate;
    if (mkdtemp(w->dir) == NULL) return false;
    w->b.plat = plat_os();
    w->b.config = (engine_config){.dir = w->dir,
                                  .threads = true,
                                  .memory_for = memory_for,
                                  .memory_arg = w,
                                  .message = be_quiet};
    base_arena_init(&w->b.arena, 1 << 16);
    if (!rig_open(&w->b)) return false;
    EXPECT_EQ_STR(ask(&w->b, "CREATE STREAM e (id BIGINT NOT NULL, k INT NOT NULL)"),
                  "CREATE STREAM");
    return true;
}

static void world_stop(world *w) {
    atomic_store(&w->hold, false);
    rig_stop(&w->b);
    base_error err;
    EXPECT(plat_remove_tree(plat_os(), w->dir, &err) == BASE_OK);
}

static void view(world *w, const char *name, const char *refresh, const char *query) {
    char sql[512];
    snprintf(sql, sizeof sql, "CREATE MATERIALIZED VIEW %s WITH (refresh = '%s') AS %s", name,
             refresh, query);
    EXPECT_EQ_STR(ask(&w->b, sql), "CREATE MATERIALIZED VIEW");
}

static uint64_t steps_of(world *w, const char *view_name) {
    const plan_object *object = engine_find(w->b.e, base_str_of(view_name));
    return atomic_load(&engine_flow_of_view(w->b.e, object->id)->committed_step);
}

// ---- under load
// ----------------------------------------------------------------------------------------

static void *write_on(void *arg) {
    world *w = arg;
    base_arena arena;
    base_arena_init(&arena, 1 << 16);
    uint64_t until_ns = plat_monotonic_ns(plat_os()) + WRITES_US_MAX * 1000;
    while (atomic_load(&w->writing) && plat_monotonic_ns(plat_os()) < until_ns) {
        char text[128] = "";
        int n = snprintf(text, sizeof text - WIRE_JSON_PADDING, "{\"id\":%d,\"k\":0}",
                         atomic_load(&w->appended));
        engine_ingest_result result;
        base_error err = {0};
        base_arena_reset(&arena);
        must(engine_ingest(w->b.e, BASE_STR("e"), (base_str){text, (size_t)n}, "test", &arena,
                           &result, &err) == BASE_OK);
        atomic_fetch_add(&w->appended, 1);
    }
    atomic_store(&w->writing, false);
    base_arena_deinit(&arena);
    return NULL;
}

// However fast the flow is, the writer has something for its next step: of the two appends waited
// for, the step may have read the first.
static base_rc let_writer_go_first(world *w, base_error *err) {
    (void)err;
    int before = atomic_load(&w->appended);
    while (atomic_load(&w->writing) && atomic_load(&w->appended) < before + 2) usleep(50);
    return BASE_OK;
}

TEST(ends_while_records_keep_coming) {
    world w;
    REQUIRE(world_start(&w, let_writer_go_first));
    view(&w, "a", "immediate", "SELECT k, count(*) AS n FROM e GROUP BY k");
    view(&w, "b", "1 hour", "SELECT k, n FROM a WHERE k >= 0");
    view(&w, "c", "10 minutes", "SELECT k, n FROM b WHERE n > 0");
    atomic_store(&w.writing, true);
    plat_thread thread;
    plat_thread_start(&thread, "writer", write_on, &w);
    for (int i = 1; i <= 5; i++) {
        char sql[128], wanted[32];
        snprintf(sql, sizeof sql, "INSERT INTO e VALUES (%d, 1)", i);
        EXPECT_EQ_STR(ask(&w.b, sql), "INSERT 0 1");
        int before = atomic_load(&w.appended);
        EXPECT_EQ_STR(ask(&w.b, "FLUSH"), "FLUSH");
        EXPECT(atomic_load(&w.writing)); // else it was the writer's end that FLUSH waited for
        snprintf(wanted, sizeof wanted, "%d", i);
        EXPECT_EQ_STR(ask(&w.b, "SELECT n FROM c WHERE k = 1"), wanted);
        EXPECT(atoi(ask(&w.b, "SELECT n FROM c WHERE k = 0")) >= before);
    }
    atomic_store(&w.writing, false);
    plat_thread_join(thread);
    EXPECT_EQ_STR(ask(&w.b, "FLUSH"), "FLUSH");
    EXPECT_EQ_INT(atoi(ask(&w.b, "SELECT n FROM c WHERE k = 0")), atomic_load(&w.appended));
    world_stop(&w);
}

// What comes after a refresh has begun is for the next one, also if FLUSH asked for it.
TEST(a_refresh_reads_what_was_there_when_it_began) {
    world w;
    REQUIRE(world_start(&w, let_writer_go_first));
    view(&w, "a", "1 hour", "SELECT k, count(*) AS n FROM e GROUP BY k");
    atomic_store(&w.writing, true);
    plat_thread thread;
    plat_thread_start(&thread, "writer", write_on, &w);
    EXPECT_EQ_STR(ask(&w.b, "FLUSH"), "FLUSH");
    uint64_t step = steps_of(&w, "a");
    for (int i = 1; i <= 5; i++) {
        int before = atomic_load(&w.appended);
        EXPECT_EQ_STR(ask(&w.b, "FLUSH"), "FLUSH");
        while (atomic_load(&w.writing) && atomic_load(&w.appended) < before + 20) usleep(100);
        EXPECT_EQ_INT(steps_of(&w, "a") - step, i);
        EXPECT(atoi(ask(&w.b, "SELECT n FROM a WHERE k = 0")) >= before);
    }
    EXPECT(atomic_load(&w.writing));
    atomic_store(&w.writing, false);
    plat_thread_join(thread);
    world_stop(&w);
}

// ---- chains
// ------------------------------------------------------------------------------------------

// Two flows that read each other's views: a -> b -> c -> d, turn and turn about.
TEST(goes_down_chains_of_views) {
    world w;
    REQUIRE(world_start(&w, NULL));
    view(&w, "a", "immediate", "SELECT k, count(*) AS n FROM e GROUP BY k");
    view(&w, "b", "1 hour", "SELECT k, n FROM a");
    view(&w, "c", "immediate", "SELECT k, n FROM b WHERE n > 0");
    view(&w, "d", "1 hour", "SELECT sum(n) AS n FROM c");
    view(&w, "d2", "1 hour", "SELECT n + 1 AS n FROM d");
    ask(&w.b, "CREATE STREAM silent (id BIGINT)");
    view(&w, "idle", "2 hours", "SELECT id FROM silent");
    EXPECT_EQ_STR(ask(&w.b, "FLUSH"), "FLUSH");
    uint64_t idle = steps_of(&w, "idle");
    for (int i = 1; i <= 20; i++) {
        char sql[128], wanted[32];
        uint64_t upper = steps_of(&w, "a"), lower = steps_of(&w, "b");
        snprintf(sql, sizeof sql, "INSERT INTO e VALUES (%d, %d)", i, i % 3);
        EXPECT_EQ_STR(ask(&w.b, sql), "INSERT 0 1");
        EXPECT_EQ_STR(ask(&w.b, "FLUSH"), "FLUSH");
        snprintf(wanted, sizeof wanted, "%d|%d", i, i + 1);
        EXPECT_EQ_STR(ask(&w.b, "SELECT d.n, d2.n FROM d, d2"), wanted);
        // One step for the record, and one for what came back.
        EXPECT_EQ_INT(steps_of(&w, "a") - upper, 2);
        EXPECT_EQ_INT(steps_of(&w, "b") - lower, 2);
        EXPECT_EQ_STR(ask(&w.b, "FLUSH"), "FLUSH");
        EXPECT_EQ_INT(steps_of(&w, "a") - upper, 2);
        EXPECT_EQ_INT(steps_of(&w, "b") - lower, 2);
    }
    EXPECT_EQ_INT(steps_of(&w, "idle"), idle);
    // A view that came later, and is read by a flow that slept.
    view(&w, "late", "2 hours", "SELECT n FROM d2");
    EXPECT_EQ_STR(ask(&w.b, "FLUSH"), "FLUSH");
    EXPECT_EQ_STR(ask(&w.b, "SELECT n FROM late"), "21");
    EXPECT_EQ_STR(ask(&w.b, "DROP MATERIALIZED VIEW late"), "DROP MATERIALIZED VIEW");
    EXPECT_EQ_STR(ask(&w.b, "FLUSH"), "FLUSH");
    world_stop(&w);
}

// ---- what ends it early
// ------------------------------------------------------------------------------

static base_rc hold_or_fail(world *w, base_error *err) {
    while (atomic_load(&w->hold)) usleep(1000);
    if (!atomic_load(&w->fail)) return BASE_OK;
    return base_fail(err, BASE_E_IO, NULL, "as asked for");
}

TEST(is_cancelled_and_times_out) {
    world w;
    REQUIRE(world_start(&w, hold_or_fail));
    view(&w, "a", "immediate", "SELECT count(*) AS n FROM e");
    view(&w, "b", "1 hour", "SELECT n FROM a");
    EXPECT_EQ_STR(ask(&w.b, "FLUSH"), "FLUSH");
    atomic_store(&w.hold, true);
    EXPECT_EQ_STR(ask(&w.b, "INSERT INTO e VALUES (1, 1)"), "INSERT 0 1");
    base_error err = {0};
    EXPECT_EQ_INT(engine_flush(w.b.e, 50000, NULL, &err), BASE_E_CANCELLED);
    EXPECT_EQ_STR(err.message, "FLUSH timed out: flow public@immediate is behind");
    EXPECT_EQ_STR(err.detail, "View \"public.a\" has not read all of \"public.e\" yet.");
    bool cancel = true;
    EXPECT_EQ_INT(engine_flush(w.b.e, 0, &cancel, &err), BASE_E_CANCELLED);
    EXPECT_EQ_STR(ask(&w.b, "SELECT n FROM b"), "0");
    atomic_store(&w.hold, false);
    EXPECT_EQ_STR(ask(&w.b, "FLUSH"), "FLUSH");
    EXPECT_EQ_STR(ask(&w.b, "SELECT n FROM b"), "1");
    world_stop(&w);
}

TEST(says_which_flow_fails) {
    world w;
    REQUIRE(world_start(&w, hold_or_fail));
    view(&w, "a", "immediate", "SELECT count(*) AS n FROM e");
    view(&w, "b", "1 hour", "SELECT n FROM a");
    EXPECT_EQ_STR(ask(&w.b, "FLUSH"), "FLUSH");
    atomic_store(&w.fail, true);
    EXPECT_EQ_STR(ask(&w.b, "INSERT INTO e VALUES (1, 1)"), "INSERT 0 1");
    EXPECT(strstr(ask(&w.b, "FLUSH"), "flow public@immediate") != NULL);
    EXPECT(strstr(ask(&w.b, "FLUSH"), "as asked for") != NULL);
    atomic_store(&w.fail, false);
    const char *answer = "";
    for (int i = 0; i < 1000 && strcmp(answer, "FLUSH") != 0; i++) {
        usleep(10000); // until it has been tried again
        answer = ask(&w.b, "FLUSH");
    }
    EXPECT_EQ_STR(answer, "FLUSH");
    EXPECT_EQ_STR(ask(&w.b, "SELECT n FROM b"), "1");
    world_stop(&w);
}

TEST_MAIN(TEST_ENTRY(ends_while_records_keep_coming),
          TEST_ENTRY(a_refresh_reads_what_was_there_when_it_began),
          TEST_ENTRY(goes_down_chains_of_views), TEST_ENTRY(is_cancelled_and_times_out),
          TEST_ENTRY(says_which_flow_fails))
