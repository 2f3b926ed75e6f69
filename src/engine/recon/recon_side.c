// recon_side.c - the rows of one side of a reconciliation, sorted by the encoding of their key.
//
// Both sides' keys go through weir's own encoder, so that they meet whatever the book's collation
// or the order in which it gives its rows. A row's value in the sorter is a recon_row_info, the
// bytes of its status, and the row's encoding. Entry points: recon_side_add, recon_take_view,
// recon_take_book.

#include <string.h>

#include "base/must.h"
#include "col/kernel.h"
#include "engine/recon/recon_int.h"

const plan_column *engine_recon_column(const plan_object *r, uint32_t i) {
    return &r->from->columns[i < r->nrecon_key ? r->recon_key[i]
                                               : r->compare[i - r->nrecon_key].column];
}

col_type engine_recon_record_type(const plan_column *column, bool compared) {
    switch (column->type.kind) {
    case COL_NUMERIC:
        return col_type_of(COL_NUMERIC);
    case COL_VARCHAR:
        return col_type_of(COL_VARCHAR);
    case COL_INT2:
    case COL_INT4:
    case COL_INT8:
        return compared ? col_type_of(COL_NUMERIC) : column->type;
    case COL_FLOAT4:
        return compared ? col_type_of(COL_FLOAT8) : column->type;
    default:
        return column->type;
    }
}

void recon_side_init(recon_side *side, engine_recon *x, bool is_book) {
    *side = (recon_side){.x = x, .is_book = is_book, .nkey = x->r->nrecon_key};
    side->ncols = is_book ? x->spec.nfields : x->r->nrecon_key + x->r->ncompare;
    col_type *types = base_arena_array(x->arena, col_type, side->ncols + 1);
    for (uint32_t i = 0; i < side->ncols; i++)
        types[i] = is_book ? x->spec.fields[i].type : engine_recon_column(x->r, i)->type;
    side->types = types;
    side->sorter = recon_sorter_create(x->engine, is_book ? "book" : "weir", x->memory_bytes / 4);
    base_arena_init(&side->scratch, 1 << 16);
}

void recon_side_deinit(recon_side *side) {
    recon_sorter_destroy(side->sorter);
    base_arena_deinit(&side->scratch);
    base_buf_deinit(&side->value);
}

base_rc recon_side_add(recon_side *side, const col_batch *rows, const uint32_t *columns,
                       const recon_row_info *infos, const col_vec *status, base_error *err) {
    base_rc go_on = recon_go_on(side->x, err);
    if (go_on != BASE_OK) return go_on;
    base_arena_reset(&side->scratch);
    base_str *keys = base_arena_array(&side->scratch, base_str, rows->nrows + 1);
    col_key_encode_batch(&side->scratch, rows, side->nkey, columns, keys);
    for (uint32_t row = 0; row < rows->nrows; row++) {
        recon_row_info info = infos[row];
        base_str text = status == NULL ? (base_str){NULL, 0} : col_str(status)[row];
        info.status_n = (uint8_t)(text.n < UINT8_MAX ? text.n : UINT8_MAX);
        base_buf_clear(&side->value);
        base_buf_add(&side->value, &info, sizeof info);
        if (info.status_n > 0) base_buf_add(&side->value, text.p, info.status_n);
        col_row_encode(&side->value, rows, row, side->ncols, columns);
        base_rc rc = recon_sorter_add(side->sorter, keys[row], base_buf_str(&side->value), err);
        if (rc != BASE_OK) return rc;
    }
    return BASE_OK;
}

// The rows of a batch that WHERE keeps, a byte a row.
base_rc recon_filter(engine_recon *x, const plan_expr *filter, const col_batch *rows,
                     base_arena *arena, uint8_t *keep, base_error *err) {
    if (filter == NULL) {
        memset(keep, 1, rows->nrows);
        return BASE_OK;
    }
    memset(keep, 0, rows->nrows);
    uint32_t *sel = base_arena_array(arena, uint32_t, rows->nrows + 1);
    uint32_t nsel = 0;
    col_func_ctx ctx = {.arena = arena, .err = err, .now_us = x->run->started_us};
    base_rc rc = plan_eval_filter(filter, rows, &ctx, sel, &nsel);
    for (uint32_t i = 0; rc == BASE_OK && i < nsel; i++) keep[sel[i]] = 1;
    if (rc != BASE_OK) base_error_prefix(err, "WHERE of the reconciliation");
    return rc;
}

bool recon_is_young(const engine_recon *x, const col_vec *times, uint32_t row) {
    if (x->settled_us == INT64_MAX || times == NULL || col_is_null(times, row)) return false;
    if (times->type.kind != COL_DATE) return col_i64(times)[row] > x->settled_us;
    // Not all dates, infinity among them, are instants.
    int64_t us;
    if (__builtin_mul_overflow((int64_t)col_i32(times)[row], BASE_US_PER_DAY, &us))
        return col_i32(times)[row] > 0;
    return us > x->settled_us;
}

// ---- the view -----------------------------------------------------------------------------------

typedef struct taking {
    recon_side *side;
    base_arena scratch;
    const uint32_t *columns; // of the batches
    const plan_expr *filter;
    int32_t settle; // column of the batches
    int32_t status;
} taking;

static base_rc take_rows(void *arg, const col_batch *rows, const uint32_t *lines, base_error *err) {
    taking *t = arg;
    base_arena_reset(&t->scratch);
    uint8_t *keep = base_arena_alloc(&t->scratch, rows->nrows + 1);
    base_rc rc = recon_filter(t->side->x, t->filter, rows, &t->scratch, keep, err);
    if (rc != BASE_OK) return rc;
    const col_vec *times = t->settle < 0 ? NULL : &rows->cols[t->settle];
    recon_row_info *infos = base_arena_array(&t->scratch, recon_row_info, rows->nrows + 1);
    for (uint32_t i = 0; i < rows->nrows; i++)
        infos[i] = (recon_row_info){.count = col_weight(rows, i),
                                    .partition = UINT32_MAX,
                                    .line = lines == NULL ? 0 : lines[i],
                                    .in_scope = keep[i],
                                    .young = recon_is_young(t->side->x, times, i)};
    return recon_side_add(t->side, rows, t->columns, infos,
                          t->status < 0 ? NULL : &rows->cols[t->status], err);
}

static base_rc take_view_rows(void *arg, const col_batch *rows, base_error *err) {
    return take_rows(arg, rows, NULL, err);
}

base_rc recon_take_view(engine_recon *x, recon_side *side, base_error *err) {
    const plan_object *r = x->r, *view = r->from;
    engine_view_snapshot snapshot;
    base_rc rc = engine_view_snapshot_open(x->engine, view, &snapshot, err);
    if (rc != BASE_OK) return rc;
    x->run->step = snapshot.step;
    x->run->as_of_us = snapshot.step > 0 ? snapshot.now_us : x->run->started_us;
    x->run->watermark_us = snapshot.watermark_us;
    x->run->taken_us = plat_wall_us(x->engine->plat);
    taking t = {.side = side, .columns = x->columns, .filter = r->filter};
    t.settle = r->settle_column;
    t.status = (int32_t)engine_declared_columns(view);
    base_arena_init(&t.scratch, 1 << 14);
    rc = recon_fed_us(x->engine, view, &snapshot, &x->run->fed_us, err);
    if (rc == BASE_OK)
        rc = engine_view_scan_txn(view, snapshot.appended, snapshot.rows, snapshot.txn,
                                  snapshot.final_us, 8192, take_view_rows, &t, err);
    engine_view_snapshot_close(&snapshot);
    base_arena_deinit(&t.scratch);
    return rc;
}

// ---- the book -----------------------------------------------------------------------------------

base_rc recon_take_book(engine_recon *x, recon_side *side, uint32_t nranges,
                        const engine_book_range *ranges, base_error *err) {
    uint32_t *columns = base_arena_array(x->arena, uint32_t, x->spec.nfields + 1);
    for (uint32_t i = 0; i < x->spec.nfields; i++) columns[i] = i;
    taking t = {.side = side, .columns = columns, .filter = x->filter};
    t.settle = x->spec.settle_field;
    t.status = -1;
    base_arena_init(&t.scratch, 1 << 14);
    base_rc rc = x->book->ops->read(x->book, nranges, ranges, take_rows, &t, err);
    base_arena_deinit(&t.scratch);
    return rc;
}
