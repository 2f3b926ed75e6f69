// check.c - what must hold: views equal the reference, the log holds what was acknowledged, readers
// of changes see each change once and in order, and the engine's own counts agree with the log.
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FOLLOW_BIAS 1000000 // a weight in a map's pointer: never NULL

typedef struct lines {
    world *w;
    uint32_t n, cap;
    const char **items;
} lines;

static void add_line(lines *l, const char *line) {
    if (l->n == l->cap) {
        uint32_t cap = l->cap == 0 ? 64 : l->cap * 2;
        const char **items = base_arena_alloc(&l->w->reference, cap * sizeof *items);
        if (l->n > 0) memcpy(items, l->items, l->n * sizeof *items);
        l->items = items;
        l->cap = cap;
    }
    l->items[l->n++] = line;
}

static int by_text(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void sort_lines(lines *l) {
    if (l->n > 1) qsort(l->items, l->n, sizeof *l->items, by_text);
}

static const char *row_text(world *w, const col_batch *rows, uint32_t row, uint32_t ncols) {
    base_buf buf = {0};
    for (uint32_t i = 0; i < ncols; i++) {
        const col_vec *vec = &rows->cols[i];
        if (i > 0) base_buf_add_byte(&buf, '|');
        if (col_is_null(vec, row))
            base_buf_add_cstr(&buf, "null");
        else if (vec->type.kind == COL_TIMESTAMPTZ)
            base_buf_printf(&buf, "%lld", (long long)col_i64(vec)[row]);
        else
            col_text_format(vec, row, 0, &buf);
    }
    const char *text = base_arena_memdup(&w->reference, buf.p, buf.n);
    base_buf_deinit(&buf);
    return text;
}

static const char *reference_text(world *w, const ref_table *t, uint32_t row) {
    base_buf buf = {0};
    for (uint32_t i = 0; i < t->ncols; i++) {
        const ref_cell *c = &t->rows[row][i];
        if (i > 0) base_buf_add_byte(&buf, '|');
        if (c->null)
            base_buf_add_cstr(&buf, "null");
        else if (t->kinds[i] == REF_TEXT)
            base_buf_add_cstr(&buf, c->s);
        else if (t->kinds[i] == REF_CENTS)
            base_buf_printf(&buf, "%s%lld.%02lld", c->i < 0 ? "-" : "", llabs(c->i) / 100,
                            llabs(c->i) % 100);
        else
            base_buf_printf(&buf, "%lld", (long long)c->i);
    }
    const char *text = base_arena_memdup(&w->reference, buf.p, buf.n);
    base_buf_deinit(&buf);
    return text;
}

static base_rc visit_rows(void *arg, const col_batch *rows, base_error *err) {
    lines *l = arg;
    (void)err;
    for (uint32_t row = 0; row < rows->nrows; row++) {
        const char *text = row_text(l->w, rows, row, rows->ncols - ENGINE_VIEW_SYSTEM_COLUMNS);
        if (col_weight(rows, row) < 1) world_fail(l->w, "a row of a view has weight below 1");
        for (int64_t i = 0; i < col_weight(rows, row); i++) add_line(l, text);
    }
    return BASE_OK;
}

static const plan_object *object_of(world *w, const sim_view *view) {
    const plan_object *object = engine_find(w->engine, base_str_of(world_object(w, view)));
    if (object == NULL) world_fail(w, "view %s is not there", view->name);
    return object;
}

static base_rc scan_view(world *w, const sim_view *view, lines *l, uint64_t *step,
                         base_error *err) {
    *l = (lines){.w = w};
    return engine_view_scan(w->engine, object_of(w, view), &w->arena, step, visit_rows, l, err);
}

// Names the first line that only one side has.
static void compare(world *w, const char *when, const char *name, const lines *is,
                    const lines *ought) {
    uint32_t i = 0;
    while (i < is->n && i < ought->n && strcmp(is->items[i], ought->items[i]) == 0) i++;
    if (i == is->n && i == ought->n) return;
    if (w->verbose) {
        for (uint32_t k = 0; k < is->n; k++) printf("  is    %s\n", is->items[k]);
        for (uint32_t k = 0; k < ought->n; k++) printf("  ought %s\n", ought->items[k]);
    }
    world_fail(w, "%s: %s has %u rows, ought to have %u; row %u is \"%s\", ought to be \"%s\"",
               when, name, is->n, ought->n, i, i < is->n ? is->items[i] : "(none)",
               i < ought->n ? ought->items[i] : "(none)");
}

static log_stream *log_of(world *w, uint32_t stream) {
    const plan_object *object = engine_find(w->engine, base_str_of(sim_stream_names[stream]));
    if (object == NULL) world_fail(w, "stream %s is gone", sim_stream_names[stream]);
    return engine_stream_of(w->engine, object)->log;
}

void check_views(world *w, const char *when) {
    base_arena_reset(&w->reference);
    w->checks++;
    for (uint32_t s = 0; s < SIM_STREAMS; s++) {
        reference_read(w, log_of(w, s), s);
        reference_settle(w, s);
    }
    for (uint32_t i = 0; i < w->nviews; i++) {
        sim_view *view = &w->views[i];
        if (view->state != VIEW_PRESENT) continue;
        base_error err = {0};
        lines is, ought = {.w = w};
        if (scan_view(w, view, &is, NULL, &err) != BASE_OK)
            world_fail(w, "%s: scan of %s: %s", when, view->name, err.message);
        ref_table table;
        reference_view(w, view, &table);
        for (uint32_t r = 0; r < table.nrows; r++) add_line(&ought, reference_text(w, &table, r));
        sort_lines(&is);
        sort_lines(&ought);
        compare(w, when, view->name, &is, &ought);
        for (uint32_t k = 0; k < is.n; k++) world_digest(w, is.items[k], strlen(is.items[k]));
    }
}

// ---- the log ------------------------------------------------------------------------------------

static void count_quarantine(world *w, uint32_t stream, uint32_t *count) {
    const plan_object *object = engine_find(w->engine, base_str_of(sim_stream_names[stream]));
    engine_stream *s = engine_stream_of(w->engine, object);
    base_error err = {0};
    if (s->quarantine == NULL) return; // the last check reopened: it is opened with the stream
    log_reader *reader;
    if (log_reader_open(s->quarantine, 0, 0, &reader, &err) != BASE_OK)
        world_fail(w, "reading quarantine: %s", err.message);
    for (;;) {
        log_batch batch;
        bool end, found;
        if (log_reader_next(reader, &batch, &end, &err) != BASE_OK)
            world_fail(w, "reading quarantine: %s", err.message);
        if (end) break;
        for (uint32_t i = 0; i < batch.count; i++) {
            int64_t n = reference_number(log_batch_record(&batch, i), "n", &found);
            if (!found || n < 1 || n >= w->next_n)
                world_fail(w, "quarantine has a record that nobody sent");
            count[n]++;
        }
    }
    log_reader_close(reader);
}

// Each record stands in the log (or, if bad, in quarantine) at least as often as the engine has
// acknowledged its request and at most as often as the request has reached it; and nowhere else.
void check_log(world *w) {
    uint32_t *good = calloc(w->next_n, sizeof *good), *bad = calloc(w->next_n, sizeof *bad);
    must(good != NULL && bad != NULL);
    for (uint32_t s = 0; s < SIM_STREAMS; s++) {
        for (uint32_t i = 0; i < w->streams[s].n; i++) {
            int64_t n = w->streams[s].events[i].n;
            if (n < 1 || n >= w->next_n) world_fail(w, "the log has a record that nobody sent");
            good[n]++;
        }
        count_quarantine(w, s, bad);
    }
    for (uint32_t i = 0; i < w->nrequests; i++) {
        const sim_request *r = &w->requests[i];
        for (uint32_t k = 0; k < r->nrecords; k++) {
            uint32_t n = r->first_n + k;
            uint32_t there = r->bad[k] ? bad[n] : good[n], wrong = r->bad[k] ? good[n] : bad[n];
            if (wrong > 0) world_fail(w, "record %u is on the wrong side of its contract", n);
            if (there < r->done || there > r->deliveries || (r->acknowledged && there == 0))
                world_fail(w,
                           "record %u of request %u stands %u times in the %s; the request was "
                           "acknowledged %u times of %u",
                           n, i, there, r->bad[k] ? "quarantine" : "log", r->done, r->deliveries);
        }
    }
    free(good);
    free(bad);
}

// ---- counts -------------------------------------------------------------------------------------

static lines ask(world *w, const char *sql) {
    engine_result result;
    base_error err = {0};
    lines l = {.w = w};
    if (world_sql(w, sql, &result, &err) != BASE_OK) world_fail(w, "%s: %s", sql, err.message);
    for (uint32_t i = 0; i < result.rows->nrows; i++)
        add_line(&l, row_text(w, result.rows, i, result.rows->ncols));
    return l;
}

// Whether a view of a flow ("a@5s") reads a stream.
static bool flow_reads(const world *w, const char *flow, uint32_t stream) {
    for (uint32_t i = 0; i < w->nviews; i++) {
        const sim_view *view = &w->views[i];
        char name[64];
        bool immediate = strcmp(view->refresh, "immediate") == 0;
        snprintf(name, sizeof name, "%s@%s", view->schema, view->refresh);
        if (!immediate) snprintf(name, sizeof name, "%s@%cs", view->schema, view->refresh[0]);
        if (view->state != VIEW_PRESENT || view->over >= 0 || strcmp(name, flow) != 0) continue;
        bool joins = view->kind == VIEW_JOIN || view->kind == VIEW_LEFT_JOIN ||
                     view->kind == VIEW_TUMBLE_JOIN || view->kind == VIEW_SUBSELECT;
        if (stream == SIM_DIM ? joins || view->kind == VIEW_DIM
                              : view->kind != VIEW_DIM && view->stream == stream)
            return true;
    }
    return false;
}

// Records of a stream = those that count + duplicates, in every flow that reads it.
static void check_cursors(world *w) {
    lines l = ask(w, "SELECT flow, schema, name, sum(records), sum(duplicates), sum(faults) FROM "
                     "weir.partitions GROUP BY flow, schema, name");
    for (uint32_t i = 0; i < l.n; i++) {
        char flow[64], schema[8], name[8];
        unsigned records, duplicates, faults;
        if (sscanf(l.items[i], "%63[^|]|%7[^|]|%7[^|]|%u|%u|%u", flow, schema, name, &records,
                   &duplicates, &faults) != 6)
            world_fail(w, "weir.partitions says %s", l.items[i]);
        for (uint32_t s = 0; s < SIM_STREAMS; s++) {
            if (strcmp(sim_stream_names[s] + 2, name) != 0) continue;
            const ref_stream *stream = &w->streams[s];
            uint32_t twice = s == SIM_DIM ? 0 : stream->n - stream->nlive;
            // A DROP that failed half way may leave the cursor of an input that nobody reads.
            if (!flow_reads(w, flow, s) && records <= stream->n) continue;
            if (records != stream->n || duplicates != twice || faults != 0)
                world_fail(w,
                           "flow %s has read %u records of %s, %u duplicates, %u faults; the log "
                           "has %u, %u duplicates",
                           flow, records, name, duplicates, faults, stream->n, twice);
        }
    }
}

static void check_ledger(world *w) {
    lines views = ask(w, "SELECT schema, name, corrections, rows FROM weir.views");
    lines ledger = ask(w, "SELECT view FROM weir.revisions");
    for (uint32_t i = 0; i < views.n; i++) {
        char schema[8], name[8], whole[20];
        unsigned corrections, rows, noted = 0;
        if (sscanf(views.items[i], "%7[^|]|%7[^|]|%u|%u", schema, name, &corrections, &rows) != 4)
            world_fail(w, "weir.views says %s", views.items[i]);
        snprintf(whole, sizeof whole, "%s.%s", schema, name);
        for (uint32_t k = 0; k < ledger.n; k++) noted += strcmp(ledger.items[k], whole) == 0;
        if (noted != corrections)
            world_fail(w, "view %s counts %u corrections, the ledger has %u", whole, corrections,
                       noted);
    }
}

void check_counts(world *w) {
    check_cursors(w);
    check_ledger(w);
}

typedef struct standing_check {
    world *w;
    const sim_view *view;
    const plan_object *object;
    int64_t watermark_us;
} standing_check;

static base_rc visit_standing(void *arg, const col_batch *rows, base_error *err) {
    standing_check *c = arg;
    (void)err;
    uint32_t status = rows->ncols - ENGINE_VIEW_SYSTEM_COLUMNS;
    for (uint32_t row = 0; row < rows->nrows; row++) {
        base_str is = col_str(&rows->cols[status])[row];
        if (base_str_eq(is, BASE_STR("corrected"))) continue;
        int64_t until = col_i64(&rows->cols[0])[row] + 60000000 + c->view->lateness_us;
        bool final = c->watermark_us != INT64_MIN && until <= c->watermark_us;
        if (!base_str_eq(is, final ? BASE_STR("final") : BASE_STR("provisional")))
            world_fail(
                c->w, "a row of %s is %.*s, its window closes at %lld, the watermark is %lld",
                c->view->name, BASE_STR_ARG(is), (long long)until, (long long)c->watermark_us);
    }
    return BASE_OK;
}

// A window's standing follows from the watermark; the watermark is behind the greatest event.
void check_standing(world *w) {
    for (uint32_t i = 0; i < w->nviews; i++) {
        const sim_view *view = &w->views[i];
        if (view->state != VIEW_PRESENT || view->kind != VIEW_TUMBLE) continue;
        engine_standing standing;
        base_error err = {0};
        standing_check c = {w, view, object_of(w, view), 0};
        if (engine_view_standing(w->engine, c.object, &standing, &err) != BASE_OK)
            world_fail(w, "standing of %s: %s", view->name, err.message);
        c.watermark_us = standing.watermark_us;
        int64_t newest = INT64_MIN;
        const ref_stream *s = &w->streams[view->stream];
        for (uint32_t e = 0; e < s->n; e++)
            if (s->events[e].at_us > newest) newest = s->events[e].at_us;
        if (s->n > 0 && c.watermark_us > newest - (int64_t)w->watermark_s * 1000000)
            world_fail(w, "the watermark of %s is ahead of its events", view->name);
        if (engine_view_scan(w->engine, c.object, &w->arena, NULL, visit_standing, &c, &err) !=
            BASE_OK)
            world_fail(w, "scan of %s: %s", view->name, err.message);
    }
}

// ---- readers of changes -------------------------------------------------------------------------

static void follow_add(world *w, sim_view *view, const char *line, int64_t weight) {
    void *old = base_map_get(view->followed, base_str_of(line));
    int64_t now = (old == NULL ? 0 : (int64_t)(intptr_t)old - FOLLOW_BIAS) + weight;
    if (now < 0)
        world_fail(w, "changes of %s take back the row \"%s\" that was not there", view->name,
                   line);
    if (now == 0)
        base_map_remove(view->followed, base_str_of(line));
    else
        base_map_put(view->followed, base_str_of(line), (void *)(intptr_t)(now + FOLLOW_BIAS));
}

static bool follow_begin(world *w, sim_view *view, base_error *err) {
    lines l;
    if (scan_view(w, view, &l, &view->followed_step, err) != BASE_OK) return false;
    if (view->followed != NULL) base_map_destroy(view->followed);
    view->followed = base_map_create();
    for (uint32_t i = 0; i < l.n; i++) follow_add(w, view, l.items[i], 1);
    view->follows = true;
    return true;
}

static void follow_compare(world *w, sim_view *view) {
    lines is, ought = {.w = w};
    base_error err = {0};
    if (scan_view(w, view, &is, NULL, &err) != BASE_OK)
        world_fail(w, "scan of %s: %s", view->name, err.message);
    base_str key;
    void *value;
    for (size_t i = 0; base_map_at(view->followed, &i, &key, &value);) {
        const char *line = base_arena_memdup(&w->reference, key.p, key.n);
        for (intptr_t k = (intptr_t)value - FOLLOW_BIAS; k > 0; k--) add_line(&ought, line);
    }
    sort_lines(&is);
    sort_lines(&ought);
    compare(w, "a reader of changes", view->name, &ought, &is);
}

void check_follow(world *w, sim_view *view, bool to_end) {
    base_error err = {0};
    if (!view->follows) {
        if (!follow_begin(w, view, &err)) world_after_failure(w, "snapshot", &err);
        return;
    }
    const plan_object *object = object_of(w, view);
    for (;;) {
        engine_change change;
        bool found;
        base_rc rc = engine_change_next(w->engine, object, view->followed_step, &w->arena, &change,
                                        &found, &err);
        if (rc == BASE_E_NOT_FOUND) { // trimmed: begins anew
            view->follows = false;
            return;
        }
        if (rc != BASE_OK) {
            world_after_failure(w, "changes", &err);
            return;
        }
        if (!found) break;
        if (change.step <= view->followed_step) world_fail(w, "changes go back");
        for (int sign = -1; sign <= 1; sign += 2) { // what left, then what came
            for (uint32_t i = 0; i < change.delta->nrows; i++) {
                int64_t weight = col_weight(change.delta, i);
                if ((weight < 0) != (sign < 0)) continue;
                const char *line = row_text(w, change.delta, i, change.delta->ncols);
                follow_add(w, view, line, weight);
            }
        }
        view->followed_step = change.step;
    }
    if (to_end) follow_compare(w, view);
}

// ---- sinks --------------------------------------------------------------------------------------

static void sink_add(sim_view *view, base_str row, int64_t weight) {
    void *old = base_map_get(view->sunk, row);
    int64_t now = (old == NULL ? 0 : (int64_t)(intptr_t)old - FOLLOW_BIAS) + weight;
    if (now == 0)
        base_map_remove(view->sunk, row);
    else
        base_map_put(view->sunk, row, (void *)(intptr_t)(now + FOLLOW_BIAS));
}

typedef struct sink_visit {
    sim_view *view;
    const plan_object *object;
    int64_t sign;
} sink_visit;

static base_rc visit_sink_rows(void *arg, const col_batch *rows, base_error *err) {
    sink_visit *v = arg;
    (void)err;
    base_buf buf = {0};
    for (uint32_t row = 0; row < rows->nrows; row++) {
        base_buf_clear(&buf);
        for (uint32_t i = 0; i < rows->ncols - ENGINE_VIEW_SYSTEM_COLUMNS; i++) {
            base_buf_printf(&buf, "%s\"%s\":", i == 0 ? "{" : ",", v->object->columns[i].name);
            col_json_format(&rows->cols[i], row, &buf);
        }
        base_buf_add_byte(&buf, '}');
        sink_add(v->view, base_buf_str(&buf), v->sign * col_weight(rows, row));
    }
    base_buf_deinit(&buf);
    return BASE_OK;
}

static void sink_add_view(world *w, sim_view *view, int64_t sign) {
    sink_visit v = {view, object_of(w, view), sign};
    base_error err = {0};
    if (engine_view_scan(w->engine, v.object, &w->arena, NULL, visit_sink_rows, &v, &err) !=
        BASE_OK)
        world_fail(w, "scan of %s: %s", view->name, err.message);
}

void check_sink_begin(world *w, sim_view *view) {
    view->has_sink = true;
    view->sunk = base_map_create();
    sink_add_view(w, view, 1);
}

// The object after a name in a line; our rows have no braces in their texts.
static base_str line_object(base_str line, const char *name) {
    const char *at = memmem(line.p, line.n, name, strlen(name));
    if (at == NULL) return (base_str){NULL, 0};
    at += strlen(name);
    const char *end = memchr(at, '}', (size_t)(line.p + line.n - at));
    return end == NULL ? (base_str){NULL, 0} : (base_str){at, (size_t)(end + 1 - at)};
}

static void sink_line(world *w, sim_view *view, base_str line, unsigned long long last[2]) {
    char head[200];
    unsigned long long step, seq;
    snprintf(head, sizeof head, "%.*s", (int)(line.n < 199 ? line.n : 199), line.p);
    const char *dash = strchr(head, '-');
    if (dash == NULL || sscanf(dash, "-%llu-%llu\"", &step, &seq) != 2)
        world_fail(w, "the file of the sink on %s has the line %s", view->name, head);
    if (step < last[0] || (step == last[0] && seq <= last[1]))
        world_fail(w, "the file of the sink on %s goes from step %llu-%llu to %llu-%llu",
                   view->name, last[0], last[1], step, seq);
    last[0] = step, last[1] = seq;
    base_str row = line_object(line, "\"row\":"), before = line_object(line, "\"before\":");
    if (row.n == 0) world_fail(w, "the file of the sink on %s has the line %s", view->name, head);
    bool found;
    int64_t count = reference_number(line, "count", &found);
    if (!found) count = 1;
    bool deletes = memmem(line.p, line.n, "\"op\":\"delete\"", 13) != NULL;
    if (before.n > 0) sink_add(view, before, -count);
    sink_add(view, row, deletes ? -count : count);
}

static void pump_all(world *w) {
    base_error err = {0};
    for (uint32_t idle = 0; idle < 3;) {
        bool progressed;
        if (connect_pump(w->hub, &progressed, &err) != BASE_OK)
            world_fail(w, "sinks: %s", err.message);
        if (progressed) continue;
        idle++;
        plat_sim_advance_us(w->disk, 120000000); // past every pause
    }
}

// The file of a sink holds each change since the sink's beginning once and in order: applied to the
// view as it was then, they give the view as it is.
void check_sinks(world *w) {
    pump_all(w);
    for (uint32_t i = 0; i < w->nviews; i++) {
        sim_view *view = &w->views[i];
        if (!view->has_sink) continue;
        char path[40];
        snprintf(path, sizeof path, "/sinks/%s.ndjson", view->name);
        base_buf text = {0};
        base_error err = {0};
        bool exists, is_dir;
        if (w->plat->ops->exists(w->plat, path, &exists, &is_dir, &err) != BASE_OK ||
            (exists && plat_read_file(w->plat, path, 64 << 20, &text, &err) != BASE_OK))
            world_fail(w, "%s", err.message);
        unsigned long long last[2] = {0, 0};
        for (size_t at = 0; at < text.n;) {
            const char *end = memchr(text.p + at, '\n', text.n - at);
            if (end == NULL) world_fail(w, "%s ends within a line", path);
            sink_line(w, view, (base_str){text.p + at, (size_t)(end - text.p) - at}, last);
            at = (size_t)(end - text.p) + 1;
        }
        base_buf_deinit(&text);
        sink_add_view(w, view, -1);
        base_str row;
        void *weight;
        size_t k = 0;
        if (base_map_at(view->sunk, &k, &row, &weight))
            world_fail(w, "the file of the sink on %s has the row %.*s %lld times too often",
                       view->name, BASE_STR_ARG(row), (long long)((intptr_t)weight - FOLLOW_BIAS));
    }
}
