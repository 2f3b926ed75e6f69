// windowtab.c - weir.window_completeness: the windows of views, from the rows that they have now.
// Of a view with a WHERE view = '...' only that one is read. What may be missing of a window is
// told where the view's streams have a SEQUENCE: the numbers of those gaps whose neighbours' event
// times reach into the window, so at most so many. Bounded: a view may have WINDOWS_MAX windows.
// Entry point: system_fill_windows.
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/must.h"
#include "engine/finality/expect.h"
#include "engine/system_int.h"
#include "engine/wanted.h"

#define WINDOWS_MAX 1000000u

typedef struct window_row {
    int64_t end;
    uint64_t rows, corrected; // rows 0: an empty slot
} window_row;

typedef struct gap {
    int64_t from_us, until_us; // where the missing events may lie, both included
    uint64_t missing;
} gap;

typedef struct listing {
    system_rows *r;
    const plan_object *view;
    uint32_t n, cap;
    window_row *slots;
    bool has_sequence;
    uint32_t ngaps, gaps_cap;
    gap *gaps;
    const engine_view_snapshot *snapshot;
    base_rc rc;
    base_error *err;
} listing;

static window_row *find(listing *l, int64_t end) {
    if (l->n * 4 >= l->cap * 3) {
        window_row *old = l->slots;
        uint32_t old_cap = l->cap;
        l->n = 0;
        l->cap = old_cap == 0 ? 64 : old_cap * 2;
        l->slots = calloc(l->cap, sizeof *l->slots);
        must(l->slots != NULL);
        for (uint32_t i = 0; i < old_cap; i++)
            if (old[i].rows > 0) *find(l, old[i].end) = old[i];
        free(old);
    }
    uint32_t at = (uint32_t)base_hash64((const char *)&end, sizeof end) & (l->cap - 1);
    while (l->slots[at].rows > 0 && l->slots[at].end != end) at = (at + 1) & (l->cap - 1);
    if (l->slots[at].rows == 0) {
        l->slots[at].end = end;
        l->n++;
    }
    return &l->slots[at];
}

static base_rc add_rows(void *arg, const col_batch *rows, base_error *err) {
    listing *l = arg;
    const plan_column *column = &l->view->columns[l->view->window_column];
    const col_vec *times = &rows->cols[l->view->window_column];
    const base_str *status = col_str(&rows->cols[engine_declared_columns(l->view)]);
    if (l->r->session->cancel)
        return base_fail(err, BASE_E_CANCELLED, NULL, "canceling statement due to user request");
    for (uint32_t i = 0; i < rows->nrows; i++) {
        int64_t end = plan_column_window_end(column, times, i);
        if (end == INT64_MAX) continue; // no window
        uint64_t weight = (uint64_t)col_weight(rows, i);
        window_row *window = find(l, end);
        window->rows += weight;
        if (base_str_eq(status[i], BASE_STR("corrected"))) window->corrected += weight;
    }
    if (l->n > WINDOWS_MAX)
        return base_fail(err, BASE_E_LIMIT, BASE_SQLSTATE_LIMIT,
                         "view \"%s.%s\" has more than %u windows", l->view->schema, l->view->name,
                         WINDOWS_MAX);
    return BASE_OK;
}

// ---- gaps ---------------------------------------------------------------------------------------

static base_rc add_gaps(void *arg, const engine_sequence *one, base_error *err) {
    listing *l = arg;
    (void)err;
    for (uint32_t i = 1; i < one->nranges; i++) {
        int64_t a = one->ranges[i - 1].last_us, b = one->ranges[i].first_us;
        if (l->ngaps == l->gaps_cap) {
            l->gaps_cap = l->gaps_cap == 0 ? 64 : l->gaps_cap * 2;
            l->gaps = realloc(l->gaps, l->gaps_cap * sizeof *l->gaps);
            must(l->gaps != NULL);
        }
        l->gaps[l->ngaps++] =
            (gap){a < b ? a : b, a < b ? b : a,
                  (uint64_t)one->ranges[i].first - (uint64_t)one->ranges[i - 1].last - 1};
    }
    return BASE_OK;
}

static void visit_scan(void *arg, const plan_node *scan) {
    listing *l = arg;
    if (l->rc != BASE_OK || scan->object->kind != PLAN_OBJECT_STREAM || !scan->object->has_sequence)
        return;
    l->has_sequence = true;
    l->rc = engine_sequences_each(l->snapshot->flow, l->snapshot->txn, scan->object->id, add_gaps,
                                  l, l->err);
}

static uint64_t missing_of(const listing *l, int64_t start, int64_t end) {
    uint64_t missing = 0;
    for (uint32_t i = 0; i < l->ngaps; i++)
        if (l->gaps[i].from_us < end && l->gaps[i].until_us >= start &&
            __builtin_add_overflow(missing, l->gaps[i].missing, &missing))
            return INT64_MAX;
    return missing < INT64_MAX ? missing : INT64_MAX;
}

// ---- rows ---------------------------------------------------------------------------------------

static int by_end(const void *a, const void *b) {
    int64_t x = ((const window_row *)a)->end, y = ((const window_row *)b)->end;
    return (x > y) - (x < y);
}

// INT64_MIN: its end does not say.
static int64_t start_of(const listing *l, plan_window_set *set, int64_t end) {
    const plan_window *window = l->view->columns[l->view->window_column].window;
    if (window == NULL || window->form == PLAN_WINDOW_SESSION || end == INT64_MIN) return INT64_MIN;
    plan_window_find(window, end - 1, set);
    for (uint32_t i = 0; i < set->n; i++)
        if (set->ends[i] == end) return set->starts[i];
    return INT64_MIN;
}

static void print_windows(listing *l) {
    system_rows *r = l->r;
    uint32_t n = 0;
    for (uint32_t i = 0; i < l->cap; i++)
        if (l->slots[i].rows > 0) l->slots[n++] = l->slots[i];
    if (n > 0) qsort(l->slots, n, sizeof *l->slots, by_end);
    plan_window_set set = {.starts = base_arena_array(r->arena, int64_t, PLAN_WINDOWS_MAX),
                           .ends = base_arena_array(r->arena, int64_t, PLAN_WINDOWS_MAX)};
    int64_t clock_us = l->snapshot->final_us;
    for (uint32_t i = 0; i < n; i++) {
        const window_row *window = &l->slots[i];
        int64_t start = start_of(l, &set, window->end);
        int64_t final_at = plan_final_at(&l->view->finality, window->end);
        system_row(r);
        system_text(r, "schema", l->view->schema);
        system_text(r, "view", l->view->name);
        system_time(r, "window_start", start, INT64_MIN);
        system_i64(r, "window_end", window->end);
        system_time(r, "final_at", final_at, INT64_MAX);
        bool final = clock_us != ENGINE_NO_WATERMARK && final_at <= clock_us;
        system_text(r, "status", final ? "final" : "provisional");
        system_i64(r, "rows", (int64_t)window->rows);
        system_i64(r, "corrected", (int64_t)window->corrected);
        if (l->has_sequence) system_i64(r, "missing", (int64_t)missing_of(l, start, window->end));
    }
}

static base_rc list_view(system_rows *r, const plan_object *view, base_error *err) {
    engine_view_snapshot snapshot;
    base_rc rc = engine_view_snapshot_open(r->engine, view, &snapshot, err);
    if (rc != BASE_OK) return BASE_OK; // dropped, being made, or its flow has failed
    listing l = {.r = r, .view = view, .snapshot = &snapshot, .err = err};
    rc = engine_view_scan_txn(view, snapshot.appended, snapshot.rows, snapshot.txn,
                              snapshot.final_us, 8192, add_rows, &l, err);
    if (rc == BASE_OK) {
        plan_node_driving_scans(view->plan, visit_scan, &l);
        rc = l.rc;
    }
    if (rc == BASE_OK) print_windows(&l);
    free(l.slots);
    free(l.gaps);
    engine_view_snapshot_close(&snapshot);
    return rc;
}

base_rc system_fill_windows(system_rows *r, base_error *err) {
    uint32_t n;
    const plan_object **objects = system_objects(r, &n);
    const col_vec *wanted = engine_wanted_get(r->wanted, r->object, "view");
    base_rc rc = BASE_OK;
    for (uint32_t i = 0; rc == BASE_OK && i < n; i++) {
        if (objects[i]->kind != PLAN_OBJECT_VIEW || objects[i]->window_column < 0) continue;
        if (wanted != NULL && (col_is_null(wanted, 0) ||
                               !base_str_eq(col_str(wanted)[0], base_str_of(objects[i]->name))))
            continue;
        rc = list_view(r, objects[i], err);
    }
    return rc;
}
