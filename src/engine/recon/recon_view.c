// recon_view.c - another view as the book: two ways to the same figures, side by side. Its rows are
// those of its last step when the run began; columns are found by name and cast as an assignment
// would. Entry point: engine_book_view.

#include <string.h>

#include "base/must.h"
#include "col/kernel.h"
#include "engine/recon/recon_int.h"

typedef struct view_book {
    engine_book book;
    const plan_object *view;
    engine_view_snapshot snapshot;
    uint32_t *columns; // a field each, of the view; UINT32_MAX: it has none
    base_arena *arena;
    engine_book_visit *visit;
    void *arg;
    base_arena scratch;
} view_book;

static base_rc find_columns(view_book *v, const plan_object *view, base_error *err) {
    const engine_book_spec *spec = v->book.spec;
    v->columns = base_arena_array(v->arena, uint32_t, spec->nfields + 1);
    for (uint32_t i = 0; i < spec->nfields; i++) {
        int32_t column = plan_column_find(view, spec->fields[i].name);
        v->book.has[i] = column >= 0;
        v->columns[i] = column < 0 ? UINT32_MAX : (uint32_t)column;
        if (column < 0 && spec->fields[i].needed)
            return base_fail(err, BASE_E_NOT_FOUND, BASE_SQLSTATE_UNDEFINED_COLUMN,
                             "the book, view \"%s.%s\", has no column \"%s\"", view->schema,
                             view->name, spec->fields[i].name);
    }
    return BASE_OK;
}

static base_rc view_open(const engine_book_spec *spec, base_arena *arena, engine_book **out,
                         base_error *err) {
    const plan_object *book = spec->reconciliation->book;
    const plan_object *view = engine_catalog_by_id(spec->engine, book->id); // as it is now
    if (view == NULL)
        return base_fail(err, BASE_E_NOT_FOUND, BASE_SQLSTATE_UNDEFINED_TABLE,
                         "the book, view \"%s.%s\", was dropped", book->schema, book->name);
    view_book *v = base_arena_new(arena, view_book);
    v->arena = arena;
    v->view = view;
    v->book = (engine_book){.ops = &engine_book_view, .spec = spec};
    v->book.name = base_arena_printf(arena, "%s.%s", view->schema, view->name);
    v->book.has = base_arena_array(arena, bool, spec->nfields + 1);
    base_rc rc = find_columns(v, view, err);
    if (rc == BASE_OK) rc = engine_view_snapshot_open(spec->engine, view, &v->snapshot, err);
    if (rc != BASE_OK) return rc;
    v->book.fed_us = INT64_MAX;
    rc = recon_fed_us(spec->engine, view, &v->snapshot, &v->book.fed_us, err);
    if (rc != BASE_OK) {
        engine_view_snapshot_close(&v->snapshot);
        return rc;
    }
    base_arena_init(&v->scratch, 1 << 14);
    *out = &v->book;
    return BASE_OK;
}

// One cell by its text, where the types differ.
static base_rc convert(view_book *v, const col_vec *from, col_vec *to, base_error *err) {
    base_buf text = {0};
    base_rc rc = BASE_OK;
    for (uint32_t row = 0; rc == BASE_OK && row < from->n; row++) {
        if (col_is_null(from, row)) {
            col_vec_set_null(to, &v->scratch, row);
            continue;
        }
        base_buf_clear(&text);
        col_text_format(from, row, NULL, &text);
        base_str kept = {base_arena_memdup(&v->scratch, text.p, text.n), text.n};
        rc = col_text_parse(kept, NULL, to, row, &v->scratch, err);
    }
    base_buf_deinit(&text);
    return rc;
}

static base_rc give_rows(void *arg, const col_batch *rows, base_error *err) {
    view_book *v = arg;
    const engine_book_spec *spec = v->book.spec;
    base_arena_reset(&v->scratch);
    col_batch *batch = base_arena_new(&v->scratch, col_batch);
    *batch = (col_batch){spec->nfields, rows->nrows,
                         base_arena_array(&v->scratch, col_vec, spec->nfields + 1), rows->weights};
    for (uint32_t i = 0; i < spec->nfields; i++) {
        col_vec *vec = &batch->cols[i];
        const col_vec *from = v->columns[i] == UINT32_MAX ? NULL : &rows->cols[v->columns[i]];
        if (from != NULL && from->type.kind == spec->fields[i].type.kind) {
            *vec = *from;
            continue;
        }
        col_vec_init(vec, &v->scratch, spec->fields[i].type, rows->nrows);
        for (uint32_t row = 0; from == NULL && row < rows->nrows; row++)
            col_vec_set_null(vec, &v->scratch, row);
        base_rc rc = from == NULL ? BASE_OK : convert(v, from, vec, err);
        if (rc != BASE_OK) {
            base_error_prefix(err, "view \"%s\", column \"%s\"", v->book.name,
                              spec->fields[i].name);
            return rc;
        }
    }
    return v->visit(v->arg, batch, NULL, err);
}

static base_rc view_read(engine_book *book, uint32_t nranges, const engine_book_range *ranges,
                         engine_book_visit *visit, void *arg, base_error *err) {
    must(nranges == 0);
    (void)ranges;
    view_book *v = (view_book *)book;
    v->visit = visit;
    v->arg = arg;
    book->statements++;
    return engine_view_scan_txn(v->view, v->snapshot.appended, v->snapshot.rows, v->snapshot.txn,
                                v->snapshot.final_us, 8192, give_rows, v, err);
}

static void view_close(engine_book *book) {
    view_book *v = (view_book *)book;
    engine_view_snapshot_close(&v->snapshot);
    base_arena_deinit(&v->scratch);
}

const engine_book_ops engine_book_view = {"view", view_open, view_read, NULL, view_close};
