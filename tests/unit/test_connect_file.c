// The connector 'file' on a simulated disk: what lines say, and that each change stands in the file
// exactly once and in order, whatever fails and whenever it crashes.

#include "base/random.h"
#include "connect/connect.h"
#include "engine/system_int.h"
#include "engine_rig.h"

static void make_view(rig *b) {
    EXPECT_EQ_STR(ask(b, "CREATE SCHEMA s"), "CREATE SCHEMA");
    EXPECT_EQ_STR(ask(b, "CREATE TABLE s.t (id INT NOT NULL, k INT NOT NULL, v INT NOT NULL, "
                         "PRIMARY KEY (id))"),
                  "CREATE TABLE");
    EXPECT_EQ_STR(ask(b, "CREATE MATERIALIZED VIEW s.v AS SELECT k, sum(v) AS total FROM s.t "
                         "GROUP BY k"),
                  "CREATE MATERIALIZED VIEW");
}

static void make_sink(rig *b, const char *name, const char *options) {
    char sql[256];
    snprintf(sql, sizeof sql, "CREATE SINK s.%s FROM s.v WITH (connector = 'file', %s)", name,
             options);
    EXPECT_EQ_STR(ask(b, sql), "CREATE SINK");
}

static void put(rig *b, int id, int k, int v) {
    char json[128];
    snprintf(json, sizeof json, "{\"id\":%d,\"k\":%d,\"v\":%d}\n", id, k, v);
    EXPECT_EQ_INT(ingest(b, "s.t", json).accepted, 1);
}

static void take(rig *b, int id) {
    char json[128];
    snprintf(json, sizeof json, "{\"_op\":\"delete\",\"id\":%d}\n", id);
    EXPECT_EQ_INT(ingest(b, "s.t", json).accepted, 1);
}

static connect_hub *open_hub(rig *b) {
    connect_hub *hub = NULL;
    base_error err = {0};
    if (connect_open(b->e, &hub, &err) != BASE_OK) {
        fprintf(stderr, "connect: %s\n", err.message);
        test_failures++;
    }
    return hub;
}

static void pump(connect_hub *hub) {
    bool progressed = true;
    base_error err;
    for (int i = 0; progressed && i < 1000; i++)
        EXPECT_EQ_INT(connect_pump(hub, &progressed, &err), BASE_OK);
}

static const char *file_text(rig *b, const char *path, base_buf *buf) {
    base_error err = {0};
    base_buf_clear(buf);
    if (plat_read_file(b->plat, path, 1 << 24, buf, &err) != BASE_OK)
        base_buf_printf(buf, "ERROR: %s", err.message);
    return base_buf_cstr(buf);
}

static size_t count_of(const char *text, const char *part) {
    size_t n = 0;
    for (const char *p = text; (p = strstr(p, part)) != NULL; p++) n++;
    return n;
}

// Text without what depends on the clock and on ids: from "op" on, a line each.
static const char *ops_of(const char *text, base_buf *out) {
    base_buf_clear(out);
    for (const char *p = text; (p = strstr(p, "\"op\"")) != NULL;) {
        const char *end = strchr(p, '\n');
        if (end == NULL) break;
        base_buf_add(out, p, (size_t)(end - p) - 1);
        base_buf_add_byte(out, '\n');
        p = end;
    }
    return base_buf_cstr(out);
}

TEST(what_lines_say) {
    rig b;
    if (!rig_start(&b)) return;
    make_view(&b);
    put(&b, 1, 10, 5); // before the sink: not its business
    flush(&b);
    make_sink(&b, "all", "path = '/out/all.ndjson'");
    make_sink(&b, "new", "path = '/out/new.ndjson', emit = 'inserts'");
    connect_hub *hub = open_hub(&b);
    pump(hub);
    put(&b, 2, 10, 7);
    put(&b, 3, 11, 1);
    flush(&b);
    pump(hub);
    take(&b, 3);
    flush(&b);
    pump(hub);
    base_buf text = {0}, ops = {0};
    const char *all = file_text(&b, "/out/all.ndjson", &text);
    EXPECT_EQ_STR(ops_of(all, &ops),
                  "\"op\":\"update\",\"before\":{\"k\":10,\"total\":5},\"row\":{\"k\":10,\"total\":"
                  "12}\n"
                  "\"op\":\"insert\",\"row\":{\"k\":11,\"total\":1}\n"
                  "\"op\":\"delete\",\"row\":{\"k\":11,\"total\":1}\n");
    EXPECT(strstr(all, "{\"id\":\"s.all.") == all);
    EXPECT(strstr(all, "\"sink\":\"s.all\",\"view\":\"s.v\",\"step\":") != NULL);
    EXPECT(strstr(all, "\"at\":\"2025-01-01T") != NULL);
    EXPECT_EQ_STR(ops_of(file_text(&b, "/out/new.ndjson", &text), &ops),
                  "\"op\":\"insert\",\"row\":{\"k\":11,\"total\":1}\n");
    EXPECT_EQ_STR(ask(&b, "SELECT name, delivered, failed, step = view_step, last_error FROM "
                          "weir.sinks WHERE name = 'all'"),
                  "all|3|0|t|null");
    connect_stop(hub);
    base_buf_deinit(&text);
    base_buf_deinit(&ops);
    rig_stop(&b);
}

TEST(equal_rows_are_counted) {
    rig b;
    if (!rig_start(&b)) return;
    make_view(&b);
    EXPECT_EQ_STR(ask(&b, "CREATE MATERIALIZED VIEW s.w AS SELECT k FROM s.t"),
                  "CREATE MATERIALIZED VIEW");
    EXPECT_EQ_STR(ask(&b, "CREATE SINK s.o FROM s.w WITH (connector = 'file', path = '/o.ndjson')"),
                  "CREATE SINK");
    EXPECT_EQ_INT(
        ingest(&b, "s.t", "{\"id\":1,\"k\":5,\"v\":1}\n{\"id\":2,\"k\":5,\"v\":1}\n").accepted, 2);
    flush(&b);
    connect_hub *hub = open_hub(&b);
    pump(hub);
    base_buf text = {0}, ops = {0};
    ops_of(file_text(&b, "/o.ndjson", &text), &ops);
    // As one row of weight 2 or as two rows: both come to two.
    EXPECT(strcmp(ops.p, "\"op\":\"insert\",\"count\":2,\"row\":{\"k\":5}\n") == 0 ||
           count_of(ops.p, "\"op\":\"insert\",\"row\":{\"k\":5}\n") == 2);
    connect_stop(hub);
    base_buf_deinit(&text);
    base_buf_deinit(&ops);
    rig_stop(&b);
}

// What may stand behind the last acknowledged line, and what is left of it.
static void expect_tail(rig *b, const char *tail, size_t n, const char *kept) {
    base_buf text = {0}, with = {0};
    connect_hub *hub = open_hub(b);
    file_text(b, "/o.ndjson", &text);
    base_buf_add_str(&with, base_buf_str(&text));
    base_buf_add(&with, tail, n);
    put_file(b, "/o.ndjson", base_buf_str(&with));
    static int id = 100;
    put(b, ++id, 1, 1);
    flush(b);
    pump(hub);
    base_buf_add_cstr(&text, kept);
    size_t same = text.n;
    const char *old = base_arena_strdup(&b->arena, base_buf_cstr(&text));
    file_text(b, "/o.ndjson", &text);
    EXPECT(text.n > same && memcmp(text.p, old, same) == 0);
    EXPECT(strncmp(text.p + same, "{\"id\":\"s.o.", 11) == 0);
    EXPECT_EQ_INT(count_of(base_buf_cstr(&text) + same, "\n"), 1);
    connect_stop(hub);
    base_buf_deinit(&text);
    base_buf_deinit(&with);
}

TEST(torn_tails_are_cut_and_foreign_lines_kept) {
    rig b;
    if (!rig_start(&b)) return;
    make_view(&b);
    make_sink(&b, "o", "path = '/o.ndjson'");
    put_file(&b, "/o.ndjson", BASE_STR("somebody's line"));
    put(&b, 1, 1, 1);
    flush(&b);
    connect_hub *hub = open_hub(&b);
    pump(hub);
    connect_stop(hub);
    base_buf text = {0};
    const char *all = file_text(&b, "/o.ndjson", &text);
    EXPECT(strncmp(all, "somebody's line\n{\"id\":\"s.o.", 27) == 0);
    const char *at = strstr(all, "s.o.");
    char token[32];
    snprintf(token, sizeof token, "%.*s", (int)strcspn(at, "-"), at);
    char tail[256];
    // A later step's line, whole.
    int n = snprintf(tail, sizeof tail, "{\"id\":\"%s-999999-0\",\"op\":\"insert\"}\n", token);
    expect_tail(&b, tail, (size_t)n, "");
    // The same, torn at each place.
    for (int i = 1; i < n; i += 3) expect_tail(&b, tail, (size_t)i, "");
    // Sectors that were never written, before a later line's end.
    char zeros[300] = {0};
    memcpy(zeros + 250, "rest\"}\n", 7);
    expect_tail(&b, zeros, 257, "");
    expect_tail(&b, zeros, 200, "");
    // Another's lines stay, also without an end.
    expect_tail(&b, "{\"id\":\"other-1-0\"}\n", 19, "{\"id\":\"other-1-0\"}\n");
    expect_tail(&b, "not ours", 8, "not ours\n");
    // Lines longer than the window in which the end is looked for.
    base_buf big = {0};
    for (int i = 0; i < 1500000; i++) base_buf_add_byte(&big, 'x');
    base_buf_add_byte(&big, '\n');
    expect_tail(&b, big.p, big.n, base_buf_cstr(&big));
    base_buf_deinit(&big);
    base_buf_deinit(&text);
    rig_stop(&b);
}

TEST(a_file_may_be_renamed_away) {
    rig b;
    if (!rig_start(&b)) return;
    make_view(&b);
    make_sink(&b, "o", "path = '/logs/o.ndjson'");
    connect_hub *hub = open_hub(&b);
    put(&b, 1, 1, 1);
    flush(&b);
    pump(hub);
    base_error err = {0};
    REQUIRE_OK(b.plat->ops->rename(b.plat, "/logs/o.ndjson", "/logs/o.1", &err));
    put(&b, 2, 2, 2);
    flush(&b);
    pump(hub);
    base_buf text = {0}, ops = {0};
    EXPECT_EQ_STR(ops_of(file_text(&b, "/logs/o.1", &text), &ops),
                  "\"op\":\"insert\",\"row\":{\"k\":1,\"total\":1}\n");
    EXPECT_EQ_STR(ops_of(file_text(&b, "/logs/o.ndjson", &text), &ops),
                  "\"op\":\"insert\",\"row\":{\"k\":2,\"total\":2}\n");
    connect_stop(hub);
    base_buf_deinit(&text);
    base_buf_deinit(&ops);
    rig_stop(&b);
}

TEST(a_failing_sink_harms_no_other) {
    rig b;
    if (!rig_start(&b)) return;
    make_view(&b);
    make_sink(&b, "good", "path = '/good.ndjson'");
    make_sink(&b, "same", "path = '/good.ndjson'"); // two sinks, one file
    base_error err = {0};
    REQUIRE_OK(b.plat->ops->make_dir(b.plat, "/adirectory", &err));
    make_sink(&b, "bad", "path = '/adirectory'");
    connect_hub *hub = open_hub(&b);
    put(&b, 1, 1, 1);
    flush(&b);
    pump(hub);
    base_buf text = {0};
    EXPECT_EQ_INT(count_of(file_text(&b, "/good.ndjson", &text), "\n"), 1);
    EXPECT_EQ_STR(ask(&b, "SELECT name, delivered, failed > 0, last_error IS NULL FROM weir.sinks "
                          "ORDER BY name"),
                  "bad|0|t|f\ngood|1|f|t\nsame|0|t|f");
    EXPECT_EQ_STR(ask(&b, "SELECT last_error FROM weir.sinks WHERE name = 'same'"),
                  "file \"/good.ndjson\" is written by sink s.good already");
    // It is tried again, but not at once.
    pump(hub);
    EXPECT_EQ_STR(ask(&b, "SELECT failed FROM weir.sinks WHERE name = 'bad'"), "1");
    plat_sim_advance_us(b.sim, 300000);
    pump(hub);
    EXPECT_EQ_STR(ask(&b, "SELECT failed FROM weir.sinks WHERE name = 'bad'"), "2");
    // Dropped: the other may have the file, from where it stood.
    EXPECT_EQ_STR(ask(&b, "DROP SINK s.good"), "DROP SINK");
    plat_sim_advance_us(b.sim, 120 * 1000000ll);
    pump(hub);
    EXPECT_EQ_INT(count_of(file_text(&b, "/good.ndjson", &text), "\n"), 2);
    EXPECT_EQ_STR(ask(&b, "SELECT name, delivered, last_error FROM weir.sinks WHERE name = 'same'"),
                  "same|1|null");
    connect_stop(hub);
    base_buf_deinit(&text);
    rig_stop(&b);
}

TEST(changes_that_a_sleeping_sink_has_not_read_are_kept) {
    rig b;
    if (!rig_start(&b)) return;
    make_view(&b);
    engine_close(b.e);
    b.config.changes_keep_steps = 10;
    if (!rig_open(&b)) return;
    make_sink(&b, "o", "path = '/o.ndjson'");
    for (int i = 0; i < 400; i++) { // the sink sleeps
        put(&b, i, i, 1);
        flush(&b);
    }
    connect_hub *hub = open_hub(&b);
    pump(hub);
    base_buf text = {0};
    const char *all = file_text(&b, "/o.ndjson", &text);
    EXPECT_EQ_INT(count_of(all, "\"op\":\"insert\""), 400);
    EXPECT(strstr(all, "\"k\":399") != NULL);
    connect_stop(hub);
    base_buf_deinit(&text);
    rig_stop(&b);
}

// ---- limits of what is kept ---------------------------------------------------------------------

// What the engine says of sinks, a line each.
static void hear(void *arg, engine_level level, const char *text) {
    (void)level;
    base_buf *heard = arg;
    if (strstr(text, "sink") != NULL) base_buf_printf(heard, "%s\n", text);
}

static bool start_limits(rig *b, base_buf *heard) {
    if (!rig_start(b)) return false;
    b->config.changes_keep_steps = 10;
    b->config.message = hear;
    b->config.message_arg = heard;
    if (!rig_reopen(b)) return false;
    make_view(b);
    return true;
}

// Each a step that changes the view by one row.
static void put_steps(rig *b, int from, int n) {
    for (int i = from; i < from + n; i++) {
        put(b, i, i, 1);
        flush(b);
    }
}

static const char *standing(rig *b, const char *name) {
    char sql[200];
    snprintf(sql, sizeof sql,
             "SELECT status, behind_steps, behind_rows FROM weir.sinks WHERE name = '%s'", name);
    return ask(b, sql);
}

// Two sinks whose receivers are gone, one of them with a limit: the one keeps all, the other does
// not.
TEST(what_is_kept_for_a_dead_sink_has_a_limit) {
    rig b;
    base_buf heard = {0}, text = {0};
    if (!start_limits(&b, &heard)) return;
    make_sink(&b, "all", "path = '/all.ndjson'");
    make_sink(&b, "some", "path = '/some.ndjson', max_keep_size = '4 kB'");
    put_steps(&b, 0, 5);
    EXPECT_EQ_STR(standing(&b, "all"), "reserved|5|5");
    EXPECT_EQ_STR(standing(&b, "some"), "reserved|5|5");
    EXPECT_EQ_STR(ask(&b, "SELECT behind_bytes > 200, max_keep_size FROM weir.sinks WHERE name = "
                          "'some'"),
                  "t|4096");
    put_steps(&b, 5, 15);
    engine_sinks_check(b.e);
    EXPECT_EQ_STR(standing(&b, "all"), "extended|20|20");
    EXPECT_EQ_STR(standing(&b, "some"), "extended|20|20");
    EXPECT_EQ_INT(count_of(heard.p, "They are kept for it, on disk"), 2);
    put_steps(&b, 20, 80);
    EXPECT_EQ_STR(standing(&b, "some"), "unreserved|100|100");
    engine_sinks_check(b.e);
    engine_sinks_check(b.e); // says each thing once
    EXPECT_EQ_INT(count_of(heard.p, "sink s.some is 0 seconds behind s.v: 100 steps, 100 rows"), 1);
    EXPECT_EQ_INT(count_of(heard.p, "they are kept for it no longer"), 1);
    // Of another sink's changes it has the use too.
    put_steps(&b, 100, 100);
    EXPECT_EQ_STR(standing(&b, "some"), "unreserved|200|200");
    const plan_object *all = engine_find(b.e, BASE_STR("s.all"));
    base_error err = {0};
    uint64_t step;
    REQUIRE_OK(engine_sink_cursor(b.e, all, &step, &err));
    REQUIRE_OK(engine_sink_ack(b.e, all, step + 150, &err));
    EXPECT_EQ_STR(standing(&b, "all"), "extended|50|50");
    put_steps(&b, 200, 20);
    EXPECT_EQ_STR(standing(&b, "some"), "lost|null|null");
    EXPECT_EQ_STR(standing(&b, "all"), "extended|70|70");
    engine_sinks_check(b.e);
    EXPECT_EQ_INT(count_of(heard.p, "sink s.some is lost: it had delivered up to step"), 1);
    base_buf metrics = {0};
    engine_metrics(b.e, &metrics);
    EXPECT(strstr(base_buf_cstr(&metrics), "weir_sink_lost{sink=\"s.some\"} 1\n") != NULL);
    EXPECT(strstr(metrics.p, "weir_sink_lost{sink=\"s.all\"} 0\n") != NULL);
    EXPECT(strstr(metrics.p, "weir_sink_extended{sink=\"s.all\"} 1\n") != NULL);
    EXPECT(strstr(metrics.p, "weir_sink_behind_rows{sink=\"s.all\"} 70\n") != NULL);
    // Its receiver comes back: nothing is delivered that would hide what is missing.
    connect_hub *hub = open_hub(&b);
    pump(hub);
    EXPECT_EQ_INT(count_of(file_text(&b, "/all.ndjson", &text), "\n"), 70);
    EXPECT(strstr(file_text(&b, "/some.ndjson", &text), "ERROR") != NULL);
    EXPECT(strstr(ask(&b, "SELECT last_error FROM weir.sinks WHERE name = 'some'"),
                  "DROP SINK and CREATE SINK begin anew") != NULL);
    EXPECT_EQ_INT(connect_flush(hub, 1000000, &err), BASE_OK);
    engine_sinks_check(b.e);
    EXPECT_EQ_INT(count_of(heard.p, "sink s.all has caught up"), 1);
    connect_stop(hub);
    // So it stays, and holds nothing back.
    if (!rig_reopen(&b)) return;
    put_steps(&b, 220, 40);
    EXPECT_EQ_STR(standing(&b, "some"), "lost|null|null");
    hub = open_hub(&b);
    EXPECT_EQ_STR(ask(&b, "DROP SINK s.some"), "DROP SINK");
    make_sink(&b, "some", "path = '/some.ndjson', max_keep_size = '4 kB'");
    put_steps(&b, 260, 3);
    pump(hub);
    EXPECT_EQ_STR(standing(&b, "some"), "reserved|0|0");
    EXPECT_EQ_INT(count_of(file_text(&b, "/some.ndjson", &text), "\n"), 3);
    connect_stop(hub);
    base_buf_deinit(&metrics);
    base_buf_deinit(&text);
    rig_stop(&b);
    base_buf_deinit(&heard);
}

// By time, and in time: a receiver that comes back before anything was trimmed gets all.
TEST(a_sink_past_its_limit_may_catch_up) {
    rig b;
    base_buf heard = {0}, text = {0};
    if (!start_limits(&b, &heard)) return;
    make_sink(&b, "o", "path = '/o.ndjson', max_keep_time = '1 hour'");
    put_steps(&b, 0, 3);
    plat_sim_advance_us(b.sim, BASE_US_PER_MINUTE);
    engine_sinks_check(b.e);
    EXPECT_EQ_STR(standing(&b, "o"), "reserved|3|3");
    EXPECT_EQ_INT(count_of(heard.p, "sink s.o is 60 seconds behind s.v: 3 steps"), 1);
    plat_sim_advance_us(b.sim, BASE_US_PER_HOUR);
    put_steps(&b, 3, 5);
    engine_sinks_check(b.e);
    EXPECT_EQ_STR(standing(&b, "o"), "unreserved|8|8");
    EXPECT_EQ_STR(ask(&b, "SELECT behind >= '1 hour', max_keep_time FROM weir.sinks"),
                  "t|01:00:00");
    connect_hub *hub = open_hub(&b);
    pump(hub);
    EXPECT_EQ_STR(standing(&b, "o"), "reserved|0|0");
    EXPECT_EQ_INT(count_of(file_text(&b, "/o.ndjson", &text), "\"op\":\"insert\""), 8);
    engine_sinks_check(b.e);
    // It is kept for again.
    put_steps(&b, 8, 100);
    EXPECT_EQ_STR(standing(&b, "o"), "extended|100|100");
    pump(hub);
    EXPECT_EQ_INT(count_of(file_text(&b, "/o.ndjson", &text), "\"op\":\"insert\""), 108);
    connect_stop(hub);
    base_buf_deinit(&text);
    rig_stop(&b);
    base_buf_deinit(&heard);
}

// Changes that are none for a sink are no backlog of its.
TEST(changes_passed_over_are_not_behind) {
    rig b;
    base_buf heard = {0};
    if (!start_limits(&b, &heard)) return;
    put_steps(&b, 1, 1);
    make_sink(&b, "o", "path = '/o.ndjson', emit = 'inserts', max_keep_time = '1 minute'");
    connect_hub *hub = open_hub(&b);
    for (int i = 0; i < 100; i++) {
        put(&b, 1000 + i, 1, 1); // an update
        flush(&b);
        plat_sim_advance_us(b.sim, 5 * BASE_US_PER_SECOND);
        pump(hub);
        engine_sinks_check(b.e);
    }
    EXPECT_EQ_STR(ask(&b, "SELECT status, behind_steps < 4 FROM weir.sinks"), "reserved|t");
    EXPECT_EQ_INT(heard.n, 0);
    connect_stop(hub);
    rig_stop(&b);
    base_buf_deinit(&heard);
}

// A served file whose sink is lost: with another text, it begins anew.
TEST(a_lost_sink_begins_anew_with_another_text) {
    rig b;
    base_buf heard = {0}, report = {0};
    if (!start_limits(&b, &heard)) return;
    make_sink(&b, "o", "path = '/o.ndjson', max_keep_size = '1 kB'");
    put_steps(&b, 0, 40);
    engine_sinks_check(b.e);
    put_steps(&b, 40, 20);
    EXPECT_EQ_STR(standing(&b, "o"), "lost|null|null");
    base_error err = {0};
    static const char text[] = "CREATE SINK s.o FROM s.v WITH (connector = 'file', path = "
                               "'/o.ndjson', max_keep_size = '1 GB')";
    REQUIRE_OK(engine_apply(&b.session, BASE_STR(text), &report, &err));
    EXPECT_EQ_INT(count_of(base_buf_cstr(&report),
                           "replaced sink s.o: its text has changed; it was lost and begins anew"),
                  1);
    EXPECT_EQ_STR(standing(&b, "o"), "reserved|0|0");
    // One that is not lost goes on.
    put_steps(&b, 60, 5);
    base_buf_clear(&report);
    static const char more[] = "CREATE SINK s.o FROM s.v WITH (connector = 'file', path = "
                               "'/o.ndjson', max_keep_size = '2 GB')";
    REQUIRE_OK(engine_apply(&b.session, BASE_STR(more), &report, &err));
    EXPECT_EQ_INT(count_of(base_buf_cstr(&report), "lost"), 0);
    EXPECT_EQ_STR(standing(&b, "o"), "reserved|5|5");
    base_buf_deinit(&report);
    rig_stop(&b);
    base_buf_deinit(&heard);
}

// ---- crashes and faults -------------------------------------------------------------------------

#define KEYS 6

// Applies the file's lines; false if one does not fit on what was there before it.
static bool replay(const char *text, int64_t totals[KEYS]) {
    for (int i = 0; i < KEYS; i++) totals[i] = -1;
    for (const char *line = text; *line != '\0';) {
        const char *end = strchr(line, '\n');
        if (end == NULL) return false; // torn
        const char *op = strstr(line, "\"op\":\""), *row = strstr(line, "\"row\":");
        if (op == NULL || row == NULL || row > end) return false;
        int k = -1;
        long long total = -1, before = -1;
        if (sscanf(row, "\"row\":{\"k\":%d,\"total\":%lld}", &k, &total) != 2) return false;
        if (k < 0 || k >= KEYS) return false;
        const char *old = strstr(line, "\"before\":");
        if (old != NULL && old < end)
            sscanf(old, "\"before\":{\"k\":%d,\"total\":%lld}", &k, &before);
        bool update = strncmp(op + 6, "update", 6) == 0, gone = strncmp(op + 6, "delete", 6) == 0;
        if (totals[k] != (update ? before : gone ? total : -1)) return false;
        totals[k] = gone ? -1 : total;
        line = end + 1;
    }
    return true;
}

static void expect_file_is_view(rig *b, uint64_t seed) {
    base_buf text = {0}, want = {0}, have = {0};
    int64_t totals[KEYS];
    bool fits = replay(file_text(b, "/out/o.ndjson", &text), totals);
    if (!fits) fprintf(stderr, "seed %llu: %s\n", (unsigned long long)seed, text.p);
    EXPECT(fits);
    for (int k = 0; k < KEYS; k++)
        if (totals[k] >= 0)
            base_buf_printf(&have, "%s%d|%lld", have.n > 0 ? "\n" : "", k, (long long)totals[k]);
    base_buf_add_cstr(&want, ask(b, "SELECT k, total FROM s.v ORDER BY k"));
    EXPECT_EQ_STR(base_buf_cstr(&have), base_buf_cstr(&want));
    base_buf_deinit(&text);
    base_buf_deinit(&want);
    base_buf_deinit(&have);
}

static void crash(rig *b) {
    plat_sim_crash(b->sim);
    engine_close(b->e);
    b->e = NULL;
}

static void run_seed(uint64_t seed) {
    rig b;
    if (!rig_start(&b)) return;
    base_random random;
    base_random_seed(&random, seed);
    make_view(&b);
    make_sink(&b, "o", "path = '/out/o.ndjson', max_retry_interval = '1 second'");
    connect_hub *hub = open_hub(&b);
    int next_id = 1;
    for (int i = 0; i < 60; i++) {
        int n = 1 + (int)base_random_below(&random, 3);
        for (int k = 0; k < n; k++) {
            if (base_random_below(&random, 4) == 0 && next_id > 1)
                take(&b, 1 + (int)base_random_below(&random, (uint64_t)next_id - 1));
            else
                put(&b, next_id, (int)base_random_below(&random, KEYS),
                    1 + (int)base_random_below(&random, 9)),
                    next_id++;
        }
        flush(&b);
        if (base_random_below(&random, 3) == 0) { // one call of the delivery fails
            bool progressed;
            base_error err;
            plat_sim_fail_call(b.sim, 1 + base_random_below(&random, 12));
            EXPECT_EQ_INT(connect_pump(hub, &progressed, &err), BASE_OK);
            if (base_random_below(&random, 2) == 0) { // and nothing of it may have been synced
                connect_stop(hub);
                crash(&b);
                plat_sim_fail_call(b.sim, 0);
                if (!rig_open(&b)) return;
                hub = open_hub(&b);
            }
            plat_sim_fail_call(b.sim, 0);
        } else if (base_random_below(&random, 2) == 0) {
            pump(hub);
        }
        plat_sim_advance_us(b.sim, (int64_t)base_random_below(&random, 400000));
    }
    plat_sim_advance_us(b.sim, 10 * 1000000ll);
    flush(&b);
    pump(hub);
    expect_file_is_view(&b, seed);
    connect_stop(hub);
    rig_stop(&b);
}

TEST(exactly_once_over_crashes_and_faults) {
    for (uint64_t seed = 1; seed <= 60 && test_failures == 0; seed++) run_seed(seed);
}

// The store's commit fails, and it cannot be known whether it took place.
static int fail_commit;
static base_rc commit_fault(void *arg, const char *op, base_error *err) {
    (void)arg;
    if (fail_commit == 1 && strcmp(op, "commit") == 0)
        return base_fail(err, BASE_E_IO, NULL, "commit fails");
    if (fail_commit == 2 && strcmp(op, "committed") == 0)
        return base_fail(err, BASE_E_IO, NULL, "commit fails after all");
    return BASE_OK;
}

TEST(exactly_once_when_the_acknowledgement_fails) {
    for (int how = 1; how <= 2; how++) {
        rig b;
        if (!rig_start(&b)) return;
        make_view(&b);
        make_sink(&b, "o", "path = '/out/o.ndjson'");
        connect_hub *hub = open_hub(&b);
        for (size_t i = 0; i < b.nmemories; i++)
            state_memory_set_fault(b.memories[i], commit_fault, NULL);
        for (int i = 1; i < 20; i++) {
            put(&b, i, i % KEYS, i);
            flush(&b);
            fail_commit = i % 3 == 0 ? how : 0;
            pump(hub);
            fail_commit = 0;
            plat_sim_advance_us(b.sim, 2 * 1000000ll);
        }
        pump(hub);
        expect_file_is_view(&b, 0);
        connect_stop(hub);
        rig_stop(&b);
    }
}

// A crash after a line was written, before its acknowledgement; and when the sink reads on, steps
// with nothing for it lie behind. The cursor must not move over the line before it is dealt with.
TEST(exactly_once_with_changes_passed_over) {
    rig b;
    if (!rig_start(&b)) return;
    make_view(&b);
    make_sink(&b, "o", "path = '/o.ndjson', emit = 'inserts'");
    connect_hub *hub = open_hub(&b);
    for (size_t i = 0; i < b.nmemories; i++)
        state_memory_set_fault(b.memories[i], commit_fault, NULL);
    put(&b, 1, 1, 1);
    flush(&b);
    fail_commit = 1;
    pump(hub);
    fail_commit = 0;
    connect_stop(hub);
    base_buf text = {0};
    EXPECT_EQ_INT(count_of(file_text(&b, "/o.ndjson", &text), "\n"), 1);
    put(&b, 2, 1, 1); // an update of the row
    flush(&b);
    plat_sim_advance_us(b.sim, 20 * BASE_US_PER_SECOND);
    hub = open_hub(&b);
    pump(hub);
    EXPECT_EQ_INT(count_of(file_text(&b, "/o.ndjson", &text), "\n"), 1);
    connect_stop(hub);
    base_buf_deinit(&text);
    rig_stop(&b);
}

TEST(no_hub_on_a_view_that_is_gone) {
    rig b;
    if (!rig_start(&b)) return;
    make_view(&b);
    make_sink(&b, "o", "path = '/o.ndjson'");
    connect_hub *hub = open_hub(&b);
    put(&b, 1, 1, 1);
    flush(&b);
    pump(hub);
    EXPECT_EQ_STR(ask(&b, "DROP MATERIALIZED VIEW s.v CASCADE"), "DROP MATERIALIZED VIEW");
    pump(hub);
    base_error err = {0};
    EXPECT_EQ_INT(connect_flush(hub, 1000000, &err), BASE_OK);
    // The same names again: a sink of its own, that goes on in the same file.
    EXPECT_EQ_STR(ask(&b, "CREATE MATERIALIZED VIEW s.v AS SELECT k, sum(v) AS total FROM s.t "
                          "GROUP BY k"),
                  "CREATE MATERIALIZED VIEW");
    make_sink(&b, "o", "path = '/o.ndjson'");
    flush(&b);
    put(&b, 2, 1, 1);
    flush(&b);
    pump(hub);
    base_buf text = {0}, ops = {0};
    const char *got = ops_of(file_text(&b, "/o.ndjson", &text), &ops);
    EXPECT(strstr(got, "\"op\":\"insert\",\"row\":{\"k\":1,\"total\":1}\n") == got);
    EXPECT(strstr(got, "\"before\":{\"k\":1,\"total\":1},\"row\":{\"k\":1,\"total\":2}\n") != NULL);
    connect_stop(hub);
    base_buf_deinit(&text);
    base_buf_deinit(&ops);
    rig_stop(&b);
}

TEST_MAIN(TEST_ENTRY(exactly_once_with_changes_passed_over), TEST_ENTRY(what_lines_say),
          TEST_ENTRY(equal_rows_are_counted), TEST_ENTRY(torn_tails_are_cut_and_foreign_lines_kept),
          TEST_ENTRY(a_file_may_be_renamed_away), TEST_ENTRY(a_failing_sink_harms_no_other),
          TEST_ENTRY(changes_that_a_sleeping_sink_has_not_read_are_kept),
          TEST_ENTRY(what_is_kept_for_a_dead_sink_has_a_limit),
          TEST_ENTRY(a_sink_past_its_limit_may_catch_up),
          TEST_ENTRY(changes_passed_over_are_not_behind),
          TEST_ENTRY(a_lost_sink_begins_anew_with_another_text),
          TEST_ENTRY(exactly_once_over_crashes_and_faults),
          TEST_ENTRY(exactly_once_when_the_acknowledgement_fails),
          TEST_ENTRY(no_hub_on_a_view_that_is_gone))
