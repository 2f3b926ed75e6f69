// diff.c - how versions of views differ from them; see diff.h.
//
// A version stands in the flow of its view and steps with it, so one snapshot of the flow's store
// has both at the same positions: nothing that differs is due to one being ahead. A row's day is
// that of its window's start or, without windows, of its first column of a date or a time, in the
// window's zone or else UTC; rows of a view without such a column are of no day. Differences of
// numbers are those of the version less those of the view. Entry points: system_fill_diff,
// system_fill_diff_by_day.
#include "engine/version/diff.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/decimal.h"
#include "base/must.h"
#include "engine/version/compare.h"

#define NO_DAY INT64_MIN

typedef struct day_totals {
    int64_t day; // days since 2000; NO_DAY
    uint64_t rows, added, removed, changed;
    base_decimal *differences; // by column; of those that are numbers
} day_totals;

typedef struct diffing {
    system_rows *r; // NULL: no rows are wanted
    const plan_object *view, *version;
    int32_t day_column;
    uint32_t declared;
    uint64_t nlisted;
    base_arena arena;
    uint32_t ndays, cap;
    day_totals *days; // ascending by day
    bool overflow;    // of a sum
} diffing;

// ---- days ---------------------------------------------------------------------------------------

static bool is_time(const plan_column *column) {
    return column->type.kind == COL_DATE || column->type.kind == COL_TIMESTAMP ||
           column->type.kind == COL_TIMESTAMPTZ;
}

static int32_t find_day_column(const plan_object *view) {
    int32_t found = -1;
    for (uint32_t i = engine_declared_columns(view); i-- > 0;) {
        const plan_column *column = &view->columns[i];
        if (is_time(column) && (found < 0 || view->columns[found].time_role == PLAN_TIME_NONE ||
                                column->time_role == PLAN_TIME_WINDOW_START))
            found = (int32_t)i;
    }
    return found;
}

static int64_t floor_div(int64_t a, int64_t b) {
    return a / b - (a % b < 0);
}

static int64_t day_of(const diffing *d, const col_batch *rows, uint32_t row) {
    if (d->day_column < 0) return NO_DAY;
    const col_vec *vec = &rows->cols[d->day_column];
    if (col_is_null(vec, row)) return NO_DAY;
    if (vec->type.kind == COL_DATE) return col_i32(vec)[row];
    int64_t us = col_i64(vec)[row];
    if (us == INT64_MAX || us == INT64_MIN) return us > 0 ? INT32_MAX : INT32_MIN; // infinity's
    // The end of a window is the first moment after it.
    const plan_column *column = &d->view->columns[d->day_column];
    if (column->time_role == PLAN_TIME_WINDOW_END) us--;
    // Of windows in a zone an instant is of the zone's day; a column without a zone has it already.
    const plan_window *window = column->time_role != PLAN_TIME_NONE ? column->window : NULL;
    if (window != NULL && window->zone != NULL && column->type.kind == COL_TIMESTAMPTZ)
        us += base_zone_offset_at(window->zone, us) * BASE_US_PER_SECOND;
    return floor_div(us, BASE_US_PER_DAY);
}

static day_totals *totals_of(diffing *d, int64_t day, base_error *err) {
    uint32_t low = 0, high = d->ndays;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (d->days[middle].day < day)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < d->ndays && d->days[low].day == day) return &d->days[low];
    if (d->ndays == ENGINE_DIFF_DAYS_MAX) {
        base_fail(err, BASE_E_LIMIT, NULL, "\"%s.%s\" has rows of more than %u days",
                  d->view->schema, d->view->name, ENGINE_DIFF_DAYS_MAX);
        return NULL;
    }
    if (d->ndays == d->cap) {
        d->cap = d->cap == 0 ? 64 : d->cap * 2;
        d->days = realloc(d->days, d->cap * sizeof *d->days);
        must(d->days != NULL);
    }
    memmove(d->days + low + 1, d->days + low, (d->ndays - low) * sizeof *d->days);
    d->days[low] = (day_totals){.day = day};
    d->days[low].differences = base_arena_array(&d->arena, base_decimal, d->declared + 1);
    for (uint32_t i = 0; i < d->declared; i++)
        d->days[low].differences[i] = base_decimal_from_i64(0);
    d->ndays++;
    return &d->days[low];
}

static base_rc count_rows(void *arg, const col_batch *rows, base_error *err) {
    diffing *d = arg;
    for (uint32_t i = 0; i < rows->nrows; i++) {
        day_totals *totals = totals_of(d, day_of(d, rows, i), err);
        if (totals == NULL) return err->code;
        totals->rows += (uint64_t)col_weight(rows, i);
    }
    return BASE_OK;
}

// ---- numbers ------------------------------------------------------------------------------------

static bool is_number(const plan_column *column) {
    switch (column->type.kind) {
    case COL_INT2:
    case COL_INT4:
    case COL_INT8:
    case COL_NUMERIC:
    case COL_FLOAT4:
    case COL_FLOAT8:
        return true;
    default:
        return false;
    }
}

// 0 of a row that is not there, of null, and of what is too large for a NUMERIC.
static base_decimal number_of(const col_batch *row, uint32_t column) {
    base_decimal out = base_decimal_from_i64(0);
    if (row == NULL || col_is_null(&row->cols[column], 0)) return out;
    const col_vec *vec = &row->cols[column];
    base_error err;
    base_rc rc = BASE_OK;
    switch (vec->type.kind) {
    case COL_INT2:
        return base_decimal_from_i64(col_i16(vec)[0]);
    case COL_INT4:
        return base_decimal_from_i64(col_i32(vec)[0]);
    case COL_INT8:
        return base_decimal_from_i64(col_i64(vec)[0]);
    case COL_NUMERIC:
        return col_dec(vec)[0];
    case COL_FLOAT4:
        rc = base_decimal_from_double((double)col_f32(vec)[0], &out, &err);
        break;
    default:
        rc = base_decimal_from_double(col_f64(vec)[0], &out, &err);
        break;
    }
    return rc == BASE_OK ? out : base_decimal_from_i64(0);
}

static bool is_key(const plan_object *view, uint32_t column) {
    for (uint32_t k = 0; k < view->nview_key; k++)
        if (view->view_key[k] == column) return true;
    return view->nview_key == 0;
}

static void add_number(base_buf *buf, const char *name, base_decimal n) {
    char text[BASE_DECIMAL_TEXT_MAX];
    base_decimal_format(n, text);
    base_buf_add_cstr(buf, buf->n == 0 ? "{" : ",");
    base_buf_add_json_string(buf, base_str_of(name));
    base_buf_printf(buf, ":%s", text);
}

// Columns whose values differ and are numbers: {"revenue":-12.50}. Adds them to the day's.
static void differences_of(diffing *d, const engine_difference *x, day_totals *totals,
                           base_buf *out) {
    for (uint32_t i = 0; i < d->declared; i++) {
        if (!is_number(&d->view->columns[i]) || is_key(d->view, i)) continue;
        base_decimal a = number_of(x->a, i), b = number_of(x->b, i), n, sum;
        base_error err;
        if (base_decimal_sub(b, a, &n, &err) != BASE_OK || base_decimal_sign(n) == 0) continue;
        add_number(out, d->view->columns[i].name, n);
        if (base_decimal_add(totals->differences[i], n, &sum, &err) == BASE_OK)
            totals->differences[i] = sum;
        else
            d->overflow = true;
    }
    if (out->n > 0) base_buf_add_byte(out, '}');
}

// ---- rows ---------------------------------------------------------------------------------------

static void set_jsonb(system_rows *r, const char *column, const base_buf *text) {
    base_str out;
    base_error err;
    if (col_jsonb_canonical((base_str){text->p, text->n}, r->arena, &out, &err) == BASE_OK)
        system_str(r, column, out);
}

static void copy_json(system_rows *r, const char *column, const plan_object *view,
                      const col_batch *row, bool key) {
    base_buf text = {0};
    if (row == NULL) return;
    if (key)
        engine_key_json(view, row, 0, &text);
    else
        engine_row_json(view, row, 0, &text);
    set_jsonb(r, column, &text);
    base_buf_deinit(&text);
}

static void name_columns(const diffing *d, system_rows *r, int64_t day) {
    system_row(r);
    system_text(r, "schema", d->view->schema);
    system_text(r, "view", d->view->name);
    system_i64(r, "version", d->version->version);
    if (day != NO_DAY) system_i64(r, "day", day);
}

static void list_row(diffing *d, const engine_difference *x, int64_t day, const base_buf *numbers) {
    system_rows *r = d->r;
    if (r == NULL || d->nlisted == ENGINE_DIFF_ROWS_MAX) return;
    d->nlisted++;
    name_columns(d, r, day);
    system_text(r, "change", x->a == NULL ? "added" : x->b == NULL ? "removed" : "changed");
    copy_json(r, "key", d->view, x->a != NULL ? x->a : x->b, true);
    copy_json(r, "old", d->view, x->a, false);
    copy_json(r, "new", d->view, x->b, false);
    if (numbers->n > 0) set_jsonb(r, "difference", numbers);
}

static base_rc note_difference(void *arg, const engine_difference *x, base_error *err) {
    diffing *d = arg;
    int64_t day = day_of(d, x->a != NULL ? x->a : x->b, 0);
    day_totals *totals = totals_of(d, day, err);
    if (totals == NULL) return err->code;
    if (x->a == NULL)
        totals->added++;
    else if (x->b == NULL)
        totals->removed++;
    else
        totals->changed++;
    base_buf numbers = {0};
    differences_of(d, x, totals, &numbers);
    list_row(d, x, day, &numbers);
    base_buf_deinit(&numbers);
    return BASE_OK;
}

static base_rc diff(diffing *d, engine_session *session, base_error *err) {
    engine *e = session->engine;
    engine_view_snapshot view, version = {0};
    base_rc rc = engine_view_snapshot_open(e, d->view, &view, err);
    if (rc != BASE_OK) return rc;
    // The version's facts; its rows are read in the view's snapshot, so that both are of one step.
    rc = engine_view_snapshot_open(e, d->version, &version, err);
    if (rc == BASE_OK) {
        engine_side a = engine_side_of(d->view, &view), b = engine_side_of(d->version, &version);
        b.txn = a.txn;
        engine_compare_result result;
        rc = engine_compare(&a, &b, note_difference, count_rows, d, &session->cancel, &result, err);
    }
    engine_view_snapshot_close(&version);
    engine_view_snapshot_close(&view);
    return rc;
}

// ---- of all versions ----------------------------------------------------------------------------

static const plan_object *view_of(engine *e, const plan_object *object) {
    if (object->kind != PLAN_OBJECT_VIEW || object->version_of == 0) return NULL;
    return engine_catalog_by_id(e, object->version_of);
}

static void list_days(const diffing *d, system_rows *r) {
    for (uint32_t i = 0; i < d->ndays; i++) {
        const day_totals *t = &d->days[i];
        name_columns(d, r, t->day);
        system_i64(r, "rows", (int64_t)t->rows);
        system_i64(r, "added", (int64_t)t->added);
        system_i64(r, "removed", (int64_t)t->removed);
        system_i64(r, "changed", (int64_t)t->changed);
        bool equal = t->added + t->removed + t->changed == 0;
        system_text(r, "verdict", equal ? "equal" : "differs");
        base_buf numbers = {0};
        for (uint32_t c = 0; c < d->declared; c++)
            if (base_decimal_sign(t->differences[c]) != 0)
                add_number(&numbers, d->view->columns[c].name, t->differences[c]);
        if (numbers.n > 0) {
            base_buf_add_byte(&numbers, '}');
            set_jsonb(r, "difference", &numbers);
        }
        base_buf_deinit(&numbers);
    }
}

static base_rc diff_versions(system_rows *r, bool by_day, base_error *err) {
    uint32_t n;
    const plan_object **objects = system_objects(r, &n);
    base_rc rc = BASE_OK;
    for (uint32_t i = 0; rc == BASE_OK && i < n; i++) {
        const plan_object *view = view_of(r->engine, objects[i]);
        if (view == NULL) continue;
        diffing d = {.r = by_day ? NULL : r,
                     .view = view,
                     .version = objects[i],
                     .day_column = find_day_column(view),
                     .declared = engine_declared_columns(view)};
        base_arena_init(&d.arena, 1 << 14);
        rc = diff(&d, r->session, err);
        if (rc == BASE_OK && by_day) list_days(&d, r);
        base_arena_deinit(&d.arena);
        free(d.days);
    }
    return rc;
}

base_rc system_fill_diff(system_rows *r, base_error *err) {
    return diff_versions(r, false, err);
}

base_rc system_fill_diff_by_day(system_rows *r, base_error *err) {
    return diff_versions(r, true, err);
}

static bool has_versions(engine *e, const plan_object *const *objects, uint32_t n,
                         const plan_object *view) {
    (void)e;
    for (uint32_t i = 0; i < n; i++)
        if (objects[i]->kind == PLAN_OBJECT_VIEW && objects[i]->version_of == view->id) return true;
    return view->version > 1;
}

base_rc system_fill_versions(system_rows *r, base_error *err) {
    (void)err;
    uint32_t n;
    const plan_object **objects = system_objects(r, &n);
    for (uint32_t i = 0; i < n; i++) {
        const plan_object *object = objects[i];
        if (object->kind != PLAN_OBJECT_VIEW) continue;
        const plan_object *view = object->version_of == 0 ? object : view_of(r->engine, object);
        if (view == NULL || !has_versions(r->engine, objects, n, view)) continue;
        bool former = object->version == view->former_version;
        system_row(r);
        system_text(r, "schema", object->schema);
        system_text(r, "view", view->name);
        system_text(r, "name", object->name);
        system_i64(r, "version", object->version);
        system_text(r, "status", object == view ? "serving" : former ? "former" : "beside");
        engine_view_snapshot snapshot;
        base_error ignored;
        if (engine_view_snapshot_open(r->engine, object, &snapshot, &ignored) == BASE_OK) {
            system_i64(r, "rows", (int64_t)snapshot.nrows);
            engine_view_snapshot_close(&snapshot);
        }
        system_i64(r, "history_lost", (int64_t)object->history_lost);
        system_text(r, "definition", object->definition);
    }
    return BASE_OK;
}
