// recon.c - reconciliation: one snapshot of a view against a file of record, row by row.
//
// Both sides are sorted by the ordered encoding of the key and merged. Each key falls in exactly
// one class:
//   matched      once on each side, and every compared column agrees (within its tolerance)
//   differing    once on each side, and some column does not; NULL agrees with NULL only
//   missing      in the record, not in the view
//   unexpected   in the view, not in the record
//   duplicate    more than once in the record, or in the view: there is nothing to compare it with
// WHERE says which rows are compared. It is asked of the view's rows and, if it uses key columns
// only, of the record's; a row of the record whose key the view has only in rows that WHERE leaves
// out is skipped, not missing (so "WHERE _status = 'final'" does not report what is not final yet).
//
// Invariants: the record is read before the snapshot is taken, so that the view is not the older
// side; rows are listed in the order of their keys, so that equal inputs give equal results; a run
// that fails is stored too, with its error. Entry point: engine_reconcile.

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "col/kernel.h"
#include "engine/recon_int.h"

typedef struct keyed {
    base_str key;
    uint32_t row;
} keyed;

typedef struct side {
    col_batch *batch; // key columns, compared columns, and of the view: _status
    keyed *order;     // by key, then row
    uint32_t n;
    const int64_t *counts;   // a row; NULL: all 1
    const uint8_t *in_scope; // a row; NULL: all
} side;

typedef struct reconciling {
    engine *engine;
    const plan_object *r;
    engine_recon_run *run;
    uint64_t memory_limit;
    base_arena *arena;
    side record, view;
    const uint32_t *lines; // of the record's rows
    bool record_filtered;  // WHERE uses key columns only
    col_builder *details;
    base_error *err;
} reconciling;

static base_rc check_memory(const reconciling *x, base_error *err) {
    if (x->arena->total_bytes <= x->memory_limit) return BASE_OK;
    return base_fail(err, BASE_E_LIMIT, BASE_SQLSTATE_OUT_OF_MEMORY,
                     "reconciliation \"%s.%s\" needs more than the %llu MB of memory that a query "
                     "may have",
                     x->r->schema, x->r->name, (unsigned long long)(x->memory_limit >> 20));
}

// ---- sides
// -----------------------------------------------------------------------------------------------

static int by_key(const void *a, const void *b) {
    const keyed *x = a, *y = b;
    int c = base_str_cmp(x->key, y->key);
    return c != 0 ? c : (x->row > y->row) - (x->row < y->row);
}

static void sort_side(reconciling *x, side *s) {
    uint32_t nkey = x->r->nrecon_key;
    uint32_t *keys = base_arena_array(x->arena, uint32_t, nkey);
    for (uint32_t i = 0; i < nkey; i++) keys[i] = i;
    s->n = s->batch->nrows;
    base_str *encoded = base_arena_array(x->arena, base_str, s->n + 1);
    col_key_encode_batch(x->arena, s->batch, nkey, keys, encoded);
    s->order = base_arena_array(x->arena, keyed, s->n + 1);
    for (uint32_t i = 0; i < s->n; i++) s->order[i] = (keyed){encoded[i], i};
    qsort(s->order, s->n, sizeof *s->order, by_key);
}

// The rows of a batch that WHERE keeps, a byte a row.
static base_rc run_filter(reconciling *x, const plan_expr *filter, const col_batch *batch,
                          base_arena *arena, uint8_t *keep, base_error *err) {
    uint32_t *sel = base_arena_array(arena, uint32_t, batch->nrows + 1);
    uint32_t nsel = 0;
    col_func_ctx ctx = {.arena = arena, .err = err, .now_us = x->run->started_us};
    base_rc rc = plan_eval_filter(filter, batch, &ctx, sel, &nsel);
    for (uint32_t i = 0; rc == BASE_OK && i < nsel; i++) keep[sel[i]] = 1;
    return rc;
}

// WHERE over the record's columns, or NULL if it uses other columns than the key's.
static const plan_expr *record_filter(reconciling *x) {
    const plan_object *r = x->r;
    if (r->filter == NULL) return NULL;
    uint32_t n = r->from->ncolumns;
    bool *used = base_arena_array(x->arena, bool, n);
    const plan_expr **map = base_arena_array(x->arena, const plan_expr *, n);
    plan_expr_columns(r->filter, used);
    for (uint32_t i = 0; i < r->nrecon_key; i++) {
        uint32_t column = r->recon_key[i];
        map[column] = plan_expr_column(x->arena, i, r->from->columns[column].type);
    }
    for (uint32_t i = 0; i < n; i++)
        if (used[i] && map[i] == NULL) return NULL;
    return plan_expr_substitute(x->arena, r->filter, map);
}

static base_rc take_record(reconciling *x, engine_recon_record *record, base_error *err) {
    base_rc rc = engine_recon_read(x->engine, x->r, x->memory_limit, x->arena, record, err);
    x->run->file_bytes = record->file_bytes;
    x->run->digest = record->digest;
    if (rc != BASE_OK) return rc;
    x->record.batch = record->batch;
    x->lines = record->lines;
    const plan_expr *filter = record_filter(x);
    if (filter != NULL) {
        uint8_t *keep = base_arena_zalloc(x->arena, record->batch->nrows + 1);
        rc = run_filter(x, filter, record->batch, x->arena, keep, err);
        if (rc != BASE_OK) return rc;
        x->record.in_scope = keep;
    }
    sort_side(x, &x->record);
    return check_memory(x, err);
}

// What the view's scan has given so far.
typedef struct view_taking {
    reconciling *x;
    uint32_t ncols;
    uint32_t *columns; // of the scan's batches
    base_arena scratch;
    const col_batch **parts;
    uint8_t **keeps;
    size_t n, cap;
    uint64_t rows;
} view_taking;

static base_rc take_rows(void *arg, const col_batch *rows, base_error *err) {
    view_taking *t = arg;
    reconciling *x = t->x;
    if (t->n == t->cap) {
        t->cap = t->cap == 0 ? 64 : t->cap * 2;
        t->parts = realloc(t->parts, t->cap * sizeof *t->parts);
        t->keeps = realloc(t->keeps, t->cap * sizeof *t->keeps);
        must(t->parts != NULL && t->keeps != NULL);
    }
    uint8_t *keep = base_arena_zalloc(x->arena, rows->nrows + 1);
    base_rc rc = BASE_OK;
    if (x->r->filter != NULL) {
        base_arena_reset(&t->scratch);
        rc = run_filter(x, x->r->filter, rows, &t->scratch, keep, err);
        if (rc != BASE_OK) base_error_prefix(err, "WHERE of the reconciliation");
    } else {
        memset(keep, 1, rows->nrows);
    }
    if (rc != BASE_OK) return rc;
    // The scan's batch ends with this call.
    t->parts[t->n] =
        col_batch_copy(x->arena, col_batch_project(x->arena, rows, t->ncols, t->columns));
    t->keeps[t->n++] = keep;
    t->rows += rows->nrows;
    if (t->rows > COL_BATCH_ROWS_MAX)
        return base_fail(err, BASE_E_LIMIT, NULL, "the view has more than %u rows",
                         COL_BATCH_ROWS_MAX);
    return check_memory(x, err);
}

static void join_parts(view_taking *t, const col_type *types) {
    reconciling *x = t->x;
    x->view.batch = col_batch_concat(x->arena, t->ncols, types, t->n, t->parts);
    uint8_t *keep = base_arena_alloc(x->arena, t->rows + 1);
    uint32_t at = 0;
    for (size_t i = 0; i < t->n; i++) {
        memcpy(keep + at, t->keeps[i], t->parts[i]->nrows);
        at += t->parts[i]->nrows;
    }
    x->view.in_scope = keep;
    x->view.counts = x->view.batch->weights;
}

static base_rc take_view(reconciling *x, base_error *err) {
    const plan_object *r = x->r, *view = r->from;
    engine_view_snapshot snapshot;
    base_rc rc = engine_view_snapshot_open(x->engine, view, &snapshot, err);
    if (rc != BASE_OK) return rc;
    x->run->step = snapshot.step;
    x->run->as_of_us = snapshot.step > 0 ? snapshot.now_us : x->run->started_us;
    x->run->watermark_us = snapshot.watermark_us;
    uint32_t nvalues = r->nrecon_key + r->ncompare;
    view_taking t = {.x = x, .ncols = nvalues + 1};
    base_arena_init(&t.scratch, 1 << 14);
    t.columns = base_arena_array(x->arena, uint32_t, t.ncols);
    col_type *types = base_arena_array(x->arena, col_type, t.ncols);
    for (uint32_t i = 0; i < nvalues; i++) {
        t.columns[i] = (uint32_t)(engine_recon_column(r, i) - view->columns);
        types[i] = engine_recon_column(r, i)->type;
    }
    t.columns[nvalues] = engine_declared_columns(view); // _status
    types[nvalues] = col_type_of(COL_TEXT);
    rc = engine_view_scan_txn(view, snapshot.appended, snapshot.rows, snapshot.txn,
                              snapshot.watermark_us, 8192, take_rows, &t, err);
    engine_view_snapshot_close(&snapshot);
    if (rc == BASE_OK) {
        join_parts(&t, types);
        sort_side(x, &x->view);
        rc = check_memory(x, err);
    }
    free(t.parts);
    free(t.keeps);
    base_arena_deinit(&t.scratch);
    return rc;
}

// ---- comparing
// -------------------------------------------------------------------------------------------

static base_decimal decimal_of(const col_vec *vec, uint32_t row) {
    switch (vec->type.kind) {
    case COL_INT2:
        return base_decimal_from_i64(col_i16(vec)[row]);
    case COL_INT4:
        return base_decimal_from_i64(col_i32(vec)[row]);
    case COL_INT8:
        return base_decimal_from_i64(col_i64(vec)[row]);
    default:
        must(vec->type.kind == COL_NUMERIC);
        return col_dec(vec)[row];
    }
}

static bool is_float(col_kind kind) {
    return kind == COL_FLOAT4 || kind == COL_FLOAT8;
}

static base_str formatted(base_arena *arena, const col_vec *vec, uint32_t row) {
    base_buf buf = {0};
    col_text_format(vec, row, 0, &buf);
    base_str text = {base_arena_memdup(arena, buf.p == NULL ? "" : buf.p, buf.n), buf.n};
    base_buf_deinit(&buf);
    return text;
}

static bool floats_agree(const reconciling *x, const col_vec *view, uint32_t v,
                         const col_vec *record, uint32_t r, base_decimal tolerance,
                         base_str *difference) {
    double a = view->type.kind == COL_FLOAT4 ? col_f32(view)[v] : col_f64(view)[v];
    double b = col_f64(record)[r];
    // The record's text may have more digits than a real keeps.
    if (view->type.kind == COL_FLOAT4) b = (double)(float)b;
    if (a == b || (isnan(a) && isnan(b))) return true;
    if (fabs(a - b) <= base_decimal_to_double(tolerance)) return true;
    col_vec vec;
    col_vec_init(&vec, x->arena, col_type_of(COL_FLOAT8), 1);
    col_f64(&vec)[0] = a - b;
    *difference = formatted(x->arena, &vec, 0);
    return false;
}

static bool decimals_agree(const reconciling *x, base_decimal a, base_decimal b,
                           base_decimal tolerance, base_str *difference) {
    if (base_decimal_cmp(a, b) == 0) return true;
    base_decimal d;
    base_error ignored;
    if (base_decimal_sub(a, b, &d, &ignored) != BASE_OK) return false; // beyond 38 digits: not near
    if (base_decimal_cmp(base_decimal_abs(d), tolerance) <= 0) return true;
    char text[BASE_DECIMAL_TEXT_MAX];
    base_decimal_format(d, text);
    *difference = base_str_of(base_arena_strdup(x->arena, text));
    return false;
}

// Whether compared column i agrees. *difference: view less record, for numbers; else untouched.
static bool cells_agree(const reconciling *x, uint32_t i, uint32_t v, uint32_t r,
                        base_str *difference) {
    const col_vec *view = &x->view.batch->cols[x->r->nrecon_key + i];
    const col_vec *record = &x->record.batch->cols[x->r->nrecon_key + i];
    if (col_is_null(view, v) || col_is_null(record, r))
        return col_is_null(view, v) && col_is_null(record, r);
    base_decimal tolerance = x->r->compare[i].tolerance;
    if (is_float(view->type.kind))
        return floats_agree(x, view, v, record, r, tolerance, difference);
    if (col_kind_is_number(view->type.kind))
        return decimals_agree(x, decimal_of(view, v), decimal_of(record, r), tolerance, difference);
    return col_cells_equal(view, v, record, r);
}

// ---- listing
// ---------------------------------------------------------------------------------------------

enum {
    DETAIL_KIND,
    DETAIL_ROWS,
    DETAIL_KEY,
    DETAIL_COLUMN,
    DETAIL_VIEW,
    DETAIL_RECORD,
    DETAIL_DIFFERENCE,
    DETAIL_STATUS,
    DETAIL_COLUMNS,
};
_Static_assert(DETAIL_COLUMNS == ENGINE_RECON_RESULT_NCOLUMNS - ENGINE_RECON_RESULT_FIRST,
               "a listed row is the columns from kind on");

static bool room(const reconciling *x) {
    return col_builder_rows(x->details) < ENGINE_RECON_ROWS_MAX;
}

// The key as a JSON object, from whichever side has it.
static base_str key_text(const reconciling *x, const side *s, uint32_t row) {
    base_buf buf = {0};
    for (uint32_t i = 0; i < x->r->nrecon_key; i++) {
        base_buf_add_byte(&buf, i == 0 ? '{' : ',');
        base_buf_add_json_string(&buf, base_str_of(engine_recon_column(x->r, i)->name));
        base_buf_add_byte(&buf, ':');
        col_json_format(&s->batch->cols[i], row, &buf);
    }
    base_buf_add_byte(&buf, '}');
    base_str text = {base_arena_memdup(x->arena, buf.p, buf.n), buf.n};
    base_buf_deinit(&buf);
    return text;
}

static void set_cell(reconciling *x, uint32_t detail, const side *s, uint32_t row, uint32_t i) {
    const col_vec *vec = &s->batch->cols[x->r->nrecon_key + i];
    if (!col_is_null(vec, row))
        col_builder_set_str(x->details, detail, formatted(x->arena, vec, row));
}

static void new_detail(reconciling *x, const char *kind, int64_t rows, base_str key) {
    col_builder_new_row(x->details, 1);
    col_builder_set_str(x->details, DETAIL_KIND, base_str_of(kind));
    col_builder_set_i64(x->details, DETAIL_ROWS, rows);
    col_builder_set_str(x->details, DETAIL_KEY, key);
}

static void set_status(reconciling *x, uint32_t v) {
    const col_vec *status = &x->view.batch->cols[x->view.batch->ncols - 1];
    col_builder_set_str(x->details, DETAIL_STATUS, col_str(status)[v]);
}

// A key that one side has: a row for each compared column, counted once.
static void list_alone(reconciling *x, const char *kind, const side *s, uint32_t row) {
    if (!room(x)) return;
    base_str key = key_text(x, s, row);
    for (uint32_t i = 0; i == 0 || i < x->r->ncompare; i++) {
        if (!room(x)) return;
        new_detail(x, kind, i == 0, key);
        if (s == &x->view) set_status(x, row);
        if (i >= x->r->ncompare) continue;
        col_builder_set_str(x->details, DETAIL_COLUMN,
                            base_str_of(engine_recon_column(x->r, x->r->nrecon_key + i)->name));
        set_cell(x, s == &x->view ? DETAIL_VIEW : DETAIL_RECORD, s, row, i);
    }
}

static void list_duplicate(reconciling *x, const char *kind, const side *s, uint32_t row,
                           int64_t times, base_str note) {
    if (!room(x)) return;
    new_detail(x, kind, 1, key_text(x, s, row));
    if (note.n == 0) {
        char *text = base_arena_printf(x->arena, "%lld rows", (long long)times);
        note = base_str_of(text);
    }
    col_builder_set_str(x->details, s == &x->view ? DETAIL_VIEW : DETAIL_RECORD, note);
}

static void compare_pair(reconciling *x, uint32_t v, uint32_t r) {
    bool differs = false;
    for (uint32_t i = 0; i < x->r->ncompare; i++) {
        base_str difference = {NULL, 0};
        if (cells_agree(x, i, v, r, &difference)) continue;
        if (room(x)) {
            new_detail(x, "differing", !differs, key_text(x, &x->view, v));
            col_builder_set_str(x->details, DETAIL_COLUMN,
                                base_str_of(engine_recon_column(x->r, x->r->nrecon_key + i)->name));
            set_cell(x, DETAIL_VIEW, &x->view, v, i);
            set_cell(x, DETAIL_RECORD, &x->record, r, i);
            if (difference.n > 0) col_builder_set_str(x->details, DETAIL_DIFFERENCE, difference);
            set_status(x, v);
        }
        differs = true;
    }
    if (differs)
        x->run->differing++;
    else
        x->run->matched++;
}

// ---- merging
// ---------------------------------------------------------------------------------------------

// The rows of one key on one side.
typedef struct group {
    uint32_t begin, end; // in order
    int64_t in, out;     // rows in scope and not
    uint32_t row;        // the first in scope (or the first)
} group;

static group group_at(const side *s, uint32_t begin) {
    group g = {.begin = begin, .end = begin, .row = s->order[begin].row};
    for (; g.end < s->n && base_str_eq(s->order[g.end].key, s->order[begin].key); g.end++) {
        uint32_t row = s->order[g.end].row;
        int64_t count = s->counts == NULL ? 1 : s->counts[row];
        if (s->in_scope != NULL && !s->in_scope[row]) {
            g.out += count;
            continue;
        }
        if (g.in == 0) g.row = row;
        g.in += count;
    }
    return g;
}

static base_str lines_text(const reconciling *x, const group *g) {
    base_buf buf = {0};
    base_buf_add_cstr(&buf, "lines ");
    uint32_t shown = g->end - g->begin < 5 ? g->end - g->begin : 5;
    for (uint32_t i = 0; i < shown; i++)
        base_buf_printf(&buf, "%s%u", i > 0 ? ", " : "",
                        x->lines[x->record.order[g->begin + i].row]);
    if (g->end - g->begin > shown) base_buf_printf(&buf, " and %u more", g->end - g->begin - shown);
    base_str text = {base_arena_memdup(x->arena, buf.p, buf.n), buf.n};
    base_buf_deinit(&buf);
    return text;
}

static void classify(reconciling *x, const group *r, const group *v) {
    engine_recon_run *run = x->run;
    run->record_rows += (uint64_t)r->in;
    run->view_rows += (uint64_t)v->in;
    run->skipped += (uint64_t)r->out;
    if (r->in > 0 && v->in == 0 && v->out > 0) {
        run->skipped += (uint64_t)r->in;
        run->record_rows -= (uint64_t)r->in;
    } else if (r->in > 1) {
        run->duplicate++;
        list_duplicate(x, "duplicate in record", &x->record, r->row, r->in, lines_text(x, r));
    } else if (v->in > 1) {
        run->duplicate++;
        list_duplicate(x, "duplicate in view", &x->view, v->row, v->in, (base_str){NULL, 0});
    } else if (r->in == 1 && v->in == 1) {
        compare_pair(x, v->row, r->row);
    } else if (r->in == 1) {
        run->missing++;
        list_alone(x, "missing", &x->record, r->row);
    } else if (v->in == 1 && r->out == 0) {
        run->unexpected++;
        list_alone(x, "unexpected", &x->view, v->row);
    }
}

static void merge(reconciling *x) {
    const side *record = &x->record, *view = &x->view;
    uint32_t i = 0, k = 0;
    while (i < record->n || k < view->n) {
        int c = i == record->n ? 1
                : k == view->n ? -1
                               : base_str_cmp(record->order[i].key, view->order[k].key);
        group r = {0}, v = {0};
        if (c <= 0) {
            r = group_at(record, i);
            i = r.end;
        }
        if (c >= 0) {
            v = group_at(view, k);
            k = v.end;
        }
        classify(x, &r, &v);
    }
}

// ---- a run
// -----------------------------------------------------------------------------------------------

static base_rc check_definition(const plan_object *r, base_error *err) {
    if (r->nrecon_key == 0)
        return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_INVALID_DEFINITION,
                         "reconciliation \"%s.%s\" has no KEY", r->schema, r->name);
    for (uint32_t i = 0; i < r->ncompare; i++) {
        const plan_column *column = engine_recon_column(r, r->nrecon_key + i);
        if (base_decimal_sign(r->compare[i].tolerance) != 0 &&
            !col_kind_is_number(column->type.kind))
            return base_fail(err, BASE_E_UNSUPPORTED, NULL,
                             "TOLERANCE is for numbers, and column \"%s\" is of type %s",
                             column->name, col_kind_name(column->type.kind));
    }
    return BASE_OK;
}

static base_rc run_once(reconciling *x, base_error *err) {
    base_rc rc = check_definition(x->r, err);
    if (rc != BASE_OK) return rc;
    x->details = col_builder_create(x->arena, DETAIL_COLUMNS,
                                    engine_recon_types(x->arena, engine_recon_result_columns,
                                                       ENGINE_RECON_RESULT_FIRST,
                                                       ENGINE_RECON_RESULT_NCOLUMNS));
    engine_recon_record record = {0};
    rc = take_record(x, &record, err);
    if (rc == BASE_OK) rc = take_view(x, err);
    if (rc == BASE_OK) merge(x);
    if (rc == BASE_OK) // strings of the record end with its text: texts of a listing are copies
        x->run->details = col_builder_finish(x->details);
    base_buf_deinit(&record.text);
    return rc;
}

base_rc engine_reconcile(engine *e, const plan_object *reconciliation, engine_reconcile_result *out,
                         base_error *err) {
    memset(out, 0, sizeof *out);
    must(reconciliation->kind == PLAN_OBJECT_RECONCILIATION);
    base_arena arena;
    base_arena_init(&arena, 1 << 16);
    engine_recon_run run = {.started_us = plat_wall_us(e->plat),
                            .watermark_us = ENGINE_NO_WATERMARK,
                            .path = reconciliation->path};
    reconciling x = {.engine = e, .r = reconciliation, .run = &run, .arena = &arena};
    x.memory_limit = e->config.query_memory_bytes > 0 ? e->config.query_memory_bytes : 1ull << 30;
    base_error failure = {0}, store_failure = {0};
    base_rc rc = run_once(&x, &failure);
    if (rc != BASE_OK) run.error = failure.message;
    base_rc stored = engine_recon_store(e, reconciliation, &run, &store_failure);
    base_arena_deinit(&arena);
    *out = (engine_reconcile_result){.run = run.run,
                                     .matched = run.matched,
                                     .missing = run.missing,
                                     .unexpected = run.unexpected,
                                     .differing = run.differing,
                                     .duplicate = run.duplicate,
                                     .skipped = run.skipped,
                                     .as_of_us = run.as_of_us,
                                     .step = run.step};
    if (rc == BASE_OK && stored != BASE_OK) {
        rc = stored;
        failure = store_failure;
    }
    if (rc != BASE_OK && err != NULL) *err = failure;
    return rc;
}
