// schema.c - what there is in a run: two streams of events and a table, and views of all kinds over
// them, in two schemas and three classes of refresh. DDL may fail in bad weather; then it is unsure
// whether the object is there, until the engine is asked.
#include "sim.h"

#include <stdio.h>
#include <string.h>

const char *const sim_stream_names[SIM_STREAMS] = {"a.ev0", "a.ev1", "a.dim"};

void schema_choose(world *w) {
    for (uint32_t s = 0; s < SIM_STREAMS; s++) {
        w->has_key[s] = s == SIM_DIM || chance(w, 65);
        w->partitions[s] = 1 + (uint32_t)pick(w, 3);
    }
    w->watermark_s = (uint32_t)pick(w, 20);
    w->ids = 3 + (uint32_t)pick(w, 60);
    w->keys = 2 + (uint32_t)pick(w, 8);
    w->next_n = 1;
    w->event_us = 7822ll * 86400 * 1000000 + 3600ll * 1000000;
}

static void stream_sql(const world *w, uint32_t s, base_buf *sql) {
    static const char *const codecs[] = {"none", "zstd", "lz4"};
    if (s == SIM_DIM) {
        base_buf_printf(sql,
                        "CREATE TABLE a.dim (k INT NOT NULL, n BIGINT, name TEXT NOT NULL, "
                        "region TEXT, PRIMARY KEY (k)) WITH (partitions = %u)",
                        w->partitions[s]);
        return;
    }
    base_buf_printf(sql,
                    "CREATE STREAM %s (id BIGINT NOT NULL, n BIGINT NOT NULL, k INT NOT NULL, "
                    "qty INT NOT NULL CHECK (qty > 0), amount NUMERIC(12,2) NOT NULL, "
                    "at TIMESTAMPTZ NOT NULL, note TEXT, %s"
                    "WATERMARK FOR at AS at - INTERVAL '%u seconds') "
                    "WITH (partitions = %u, compression = '%s')",
                    sim_stream_names[s], w->has_key[s] ? "PRIMARY KEY (id), " : "", w->watermark_s,
                    w->partitions[s], codecs[w->seed % 3]);
}

static void create_or_fail(world *w, const char *sql) {
    engine_result result;
    base_error err = {0};
    world_trace(w, "%s", sql);
    if (world_sql(w, sql, &result, &err) != BASE_OK)
        world_fail(w, "%s: %s (%s)", sql, err.message, err.sqlstate);
}

void schema_create(world *w) {
    create_or_fail(w, "CREATE SCHEMA a");
    create_or_fail(w, "CREATE SCHEMA b");
    base_buf sql = {0};
    for (uint32_t s = 0; s < SIM_STREAMS; s++) {
        base_buf_clear(&sql);
        stream_sql(w, s, &sql);
        create_or_fail(w, base_buf_cstr(&sql));
    }
    base_buf_deinit(&sql);
    uint32_t n = 2 + (uint32_t)pick(w, 6);
    for (uint32_t i = 0; i < n; i++) schema_change(w);
}

// ---- views --------------------------------------------------------------------------------------

static const char *select_of(view_kind kind) {
    switch (kind) {
    case VIEW_TOTALS:
        return "SELECT k, count(*) AS c, sum(amount) AS rev, min(amount) AS lo, max(qty) AS hi, "
               "count(note) AS notes, sum(qty) FILTER (WHERE qty > 5) AS big FROM %s GROUP BY k";
    case VIEW_TUMBLE:
        return "SELECT window_start, k, count(*) AS c, sum(amount) AS rev, min(qty) AS lo, max(at) "
               "AS last FROM TUMBLE(%s, at, INTERVAL '1 minute') GROUP BY window_start, k";
    case VIEW_FILTER:
        return "SELECT id, k, amount * qty AS total FROM %s WHERE qty > 2";
    case VIEW_JOIN:
        return "SELECT d.region, count(*) AS c, sum(e.amount) AS rev FROM %s e JOIN a.dim d "
               "ON e.k = d.k GROUP BY d.region";
    case VIEW_LEFT_JOIN:
        return "SELECT e.n, e.amount, d.name FROM %s e LEFT JOIN a.dim d ON d.k = e.k";
    case VIEW_DISTINCT:
        return "SELECT DISTINCT k, qty FROM %s";
    case VIEW_HAVING:
        return "SELECT k, count(*) AS c FROM %s GROUP BY k HAVING sum(qty) > 12";
    case VIEW_DIM:
        return "SELECT region, count(*) AS c, min(name) AS first, max(k) AS hi FROM a.dim "
               "GROUP BY region";
    case VIEW_GLOBAL:
        return "SELECT count(*) AS c, sum(amount) AS rev, max(note) AS last FROM %s";
    case VIEW_TUMBLE_JOIN:
        return "SELECT e.window_start, d.region, sum(e.amount) AS rev FROM TUMBLE(%s, at, "
               "INTERVAL '1 minute') e JOIN a.dim d ON d.k = e.k GROUP BY e.window_start, d.region";
    case VIEW_SUBSELECT:
        return "SELECT d.region, max(t.rev) AS best FROM (SELECT k, sum(amount) AS rev FROM %s "
               "GROUP BY k) t JOIN a.dim d ON d.k = t.k GROUP BY d.region";
    case VIEW_FAILING:
        return "SELECT n, 100 / (qty - 5) AS q FROM %s";
    case VIEW_OVER_TOTALS:
        return "SELECT c, count(*) AS ks, sum(rev) AS rev, max(hi) AS hi FROM %s GROUP BY c";
    case VIEW_OVER_TUMBLE:
        return "SELECT window_start, sum(c) AS c, sum(rev) AS rev, max(rev) AS best FROM %s "
               "GROUP BY window_start";
    case VIEW_OVER_FILTER:
        return "SELECT k, sum(total) AS t, count(*) AS c FROM %s WHERE total > 20 GROUP BY k";
    case VIEW_KINDS:
        break;
    }
    return NULL;
}

bool schema_view_sql(world *w, const sim_view *view, base_buf *sql) {
    base_buf_printf(sql,
                    "CREATE MATERIALIZED VIEW %s WITH (refresh = '%s', lateness = '%lld "
                    "seconds') AS ",
                    world_object(w, view), view->refresh, (long long)(view->lateness_us / 1000000));
    const char *source =
        view->over >= 0 ? world_object(w, &w->views[view->over]) : sim_stream_names[view->stream];
    const char *text = select_of(view->kind), *hole = strstr(text, "%s");
    if (hole == NULL) {
        base_buf_add_cstr(sql, text);
        return true;
    }
    base_buf_add(sql, text, (size_t)(hole - text));
    base_buf_add_cstr(sql, source);
    base_buf_add_cstr(sql, hole + 2);
    return true;
}

// A view to stand on, of a kind; -1: none.
static int32_t find_below(world *w, view_kind kind) {
    uint32_t n = 0, found[SIM_VIEWS_MAX];
    for (uint32_t i = 0; i < w->nviews; i++)
        if (w->views[i].kind == kind && w->views[i].state == VIEW_PRESENT) found[n++] = i;
    return n == 0 ? -1 : (int32_t)found[pick(w, n)];
}

static void drop_view(world *w) {
    uint32_t n = 0, found[SIM_VIEWS_MAX];
    for (uint32_t i = 0; i < w->nviews; i++)
        if (w->views[i].state == VIEW_PRESENT && w->views[i].uses == 0 && !w->views[i].has_sink)
            found[n++] = i;
    if (n < 2) return;
    sim_view *view = &w->views[found[pick(w, n)]];
    char sql[80];
    snprintf(sql, sizeof sql, "DROP MATERIALIZED VIEW %s", world_object(w, view));
    world_trace(w, "%s", sql);
    engine_result result;
    base_error err = {0};
    view->state = VIEW_UNSURE;
    if (world_sql(w, sql, &result, &err) == BASE_OK) {
        view->state = VIEW_ABSENT;
        if (view->over >= 0) w->views[view->over].uses--;
        return;
    }
    if (w->calm) world_fail(w, "%s: %s", sql, err.message);
    world_after_failure(w, "DROP", &err);
}

static void create_view(world *w, sim_view *view) {
    base_buf sql = {0};
    schema_view_sql(w, view, &sql);
    world_trace(w, "%s", base_buf_cstr(&sql));
    engine_result result;
    base_error err = {0};
    view->state = VIEW_UNSURE;
    if (view->over >= 0) w->views[view->over].uses++;
    base_rc rc = world_sql(w, base_buf_cstr(&sql), &result, &err);
    if (rc == BASE_OK) {
        view->state = VIEW_PRESENT;
    } else if (w->calm) {
        world_fail(w, "%s: %s (%s)", base_buf_cstr(&sql), err.message, err.sqlstate);
    }
    base_buf_deinit(&sql);
    if (rc != BASE_OK) world_after_failure(w, "CREATE", &err);
}

static void create_sink(world *w, sim_view *view) {
    char sql[200];
    snprintf(sql, sizeof sql,
             "CREATE SINK a.s%u FROM %s WITH (connector = 'file', path = '/sinks/%s.ndjson')",
             (uint32_t)(view - w->views), world_object(w, view), view->name);
    world_trace(w, "%s", sql);
    engine_result result;
    base_error err = {0};
    base_rc rc = world_sql(w, sql, &result, &err);
    if (rc != BASE_OK) {
        // A flow that could not be opened before the calm is tried again after a pause; the client
        // waits.
        bool progressed;
        base_error tick_err = {0};
        if (engine_tick(w->engine, true, &progressed, &tick_err) != BASE_OK)
            world_fail(w, "in the calm: %s", tick_err.message);
        rc = world_sql(w, sql, &result, &err);
    }
    if (rc != BASE_OK) world_fail(w, "%s: %s", sql, err.message);
    check_sink_begin(w, view);
}

void schema_change(world *w) {
    static const char *const refreshes[] = {"immediate", "1 second", "5 seconds"};
    if (w->nviews == SIM_VIEWS_MAX || chance(w, w->nviews > 6 ? 50 : 10)) {
        drop_view(w);
        return;
    }
    sim_view *view = &w->views[w->nviews];
    memset(view, 0, sizeof *view);
    view->kind = (view_kind)pick(w, VIEW_KINDS);
    view->over = -1;
    view->stream = (uint32_t)pick(w, 2);
    if (view->kind >= VIEW_OVER_TOTALS) {
        static const view_kind below[] = {VIEW_TOTALS, VIEW_TUMBLE, VIEW_FILTER};
        view_kind wanted = below[view->kind - VIEW_OVER_TOTALS];
        view->over = find_below(w, wanted);
        if (view->over < 0) view->kind = wanted;
    }
    snprintf(view->schema, sizeof view->schema, "%s", chance(w, 70) ? "a" : "b");
    snprintf(view->refresh, sizeof view->refresh, "%s", refreshes[pick(w, 3)]);
    snprintf(view->name, sizeof view->name, "v%u", w->nviews);
    view->lateness_us = chance(w, 50) ? 0 : (int64_t)pick(w, 120) * 1000000;
    w->nviews++;
    create_view(w, view);
    if (view->state == VIEW_PRESENT && w->calm && chance(w, 15)) create_sink(w, view);
}

void schema_resolve(world *w) {
    for (uint32_t i = 0; i < w->nviews; i++) {
        sim_view *view = &w->views[i];
        bool there = engine_find(w->engine, base_str_of(world_object(w, view))) != NULL;
        if (view->state == VIEW_UNSURE) {
            view->state = there ? VIEW_PRESENT : VIEW_ABSENT;
            if (!there && view->over >= 0) w->views[view->over].uses--;
            world_trace(w, "view %s is %s", view->name, there ? "there" : "not there");
        } else if (there != (view->state == VIEW_PRESENT)) {
            world_fail(w, "after a restart view %s is %s", view->name, there ? "there" : "gone");
        }
    }
}
