// recon_trend.c - how far weir and the book are apart, run by run: rows by kind, and of each
// compared number the sum of what they differ by. weir.reconciliation_trend.
//
// Stored with each run, in e->t_recon, big-endian: 'T' id(4) run(8) -> version byte 1, a batch of
// the columns from "run" on: a row for each compared number, or one if nothing compared is a
// number. It is small, so it is kept for more runs than what the runs have found.
//
// Invariants: only confirmed findings count; where one side has no row of a key its number is 0, so
// that the sums say by how much the totals of the sides differ in what was found; what is there
// more than once is not added up. A sum beyond 38 digits is null. Entry points: engine_trend_put,
// engine_trend_rows.

#include <string.h>

#include "base/be.h"
#include "base/must.h"
#include "engine/recon/recon_int.h"

#define VALUE_VERSION 1
#define KEY_BYTES     13u

#define SUM_COLUMN(column_name)                                                                    \
    {                                                                                              \
        .name = column_name, .type = {.kind = COL_NUMERIC }                                        \
    }

static const plan_column columns[] = {
    TEXT_COLUMN("schema"),      TEXT_COLUMN("name"),       INT8_COLUMN("run"),
    TIME_COLUMN("started_at"),  TIME_COLUMN("as_of"),      INT8_COLUMN("matched"),
    INT8_COLUMN("missing"),     INT8_COLUMN("unexpected"), INT8_COLUMN("differing"),
    INT8_COLUMN("duplicate"),   INT8_COLUMN("pending"),    TEXT_COLUMN("error"),
    TEXT_COLUMN("column_name"), SUM_COLUMN("difference"),  SUM_COLUMN("absolute_difference"),
};
#define NCOLUMNS ((uint32_t)(sizeof columns / sizeof *columns))
#define FIRST    2u // "run"

enum {
    TREND_RUN,
    TREND_STARTED,
    TREND_AS_OF,
    TREND_MATCHED,
    TREND_PENDING = TREND_MATCHED + 5,
    TREND_ERROR,
    TREND_COLUMN,
    TREND_DIFFERENCE,
    TREND_ABSOLUTE,
    TREND_COLUMNS,
};
_Static_assert(TREND_COLUMNS == NCOLUMNS - FIRST, "the stored rows are the columns from run on");

typedef struct trend_key {
    char bytes[KEY_BYTES];
} trend_key;

static trend_key key_of(uint32_t id, uint64_t run) {
    trend_key key = {{'T'}};
    base_be_put(key.bytes + 1, id, 4);
    base_be_put(key.bytes + 5, run, 8);
    return key;
}

// ---- sums ---------------------------------------------------------------------------------------

typedef struct trend_sums {
    base_decimal difference, absolute;
    bool overflow;
} trend_sums;

static bool is_exact(col_kind kind) {
    return kind == COL_INT2 || kind == COL_INT4 || kind == COL_INT8 || kind == COL_NUMERIC;
}

static base_decimal number_of(const col_vec *vec, uint32_t row) {
    return col_is_null(vec, row) ? base_decimal_from_i64(0) : recon_decimal_of(vec, row);
}

static void add_up(trend_sums *sums, base_decimal weir, base_decimal book) {
    base_decimal d;
    base_error ignored;
    if (base_decimal_sub(weir, book, &d, &ignored) != BASE_OK ||
        base_decimal_add(sums->difference, d, &sums->difference, &ignored) != BASE_OK ||
        base_decimal_add(sums->absolute, base_decimal_abs(d), &sums->absolute, &ignored) != BASE_OK)
        sums->overflow = true;
}

static trend_sums sums_of(const plan_object *r, const engine_findings *found, uint32_t i) {
    trend_sums sums = {base_decimal_from_i64(0), base_decimal_from_i64(0), false};
    for (uint32_t row = 0; row < found->n && !sums.overflow; row++) {
        engine_finding_kind kind = found->items[row].kind;
        if (found->items[row].pending || kind == ENGINE_FINDING_DUPLICATED ||
            kind == ENGINE_FINDING_DUPLICATED_IN_BOOK)
            continue;
        add_up(&sums, number_of(&found->weir->cols[i], row),
               number_of(&found->book->cols[r->nrecon_key + i], row));
    }
    return sums;
}

// ---- rows of a run ------------------------------------------------------------------------------

static void new_row(col_builder *b, const engine_recon_run *run) {
    col_builder_new_row(b, 1);
    col_builder_set_i64(b, TREND_RUN, (int64_t)run->run);
    col_builder_set_i64(b, TREND_STARTED, run->started_us);
    if (run->as_of_us != 0) col_builder_set_i64(b, TREND_AS_OF, run->as_of_us);
    if (run->error != NULL) {
        col_builder_set_str(b, TREND_ERROR, base_str_of(run->error));
        return;
    }
    const uint64_t counts[] = {run->matched,   run->missing,   run->unexpected,
                               run->differing, run->duplicate, run->pending};
    for (uint32_t i = 0; i < sizeof counts / sizeof *counts; i++)
        col_builder_set_i64(b, TREND_MATCHED + i, (int64_t)counts[i]);
}

static const col_batch *rows_of(base_arena *arena, const plan_object *r,
                                const engine_recon_run *run) {
    col_builder *b = col_builder_create(arena, TREND_COLUMNS,
                                        engine_recon_types(arena, columns, FIRST, NCOLUMNS));
    for (uint32_t i = 0; i < r->ncompare && run->error == NULL; i++) {
        const plan_column *column = engine_recon_column(r, r->nrecon_key + i);
        if (!is_exact(column->type.kind)) continue;
        new_row(b, run);
        col_builder_set_str(b, TREND_COLUMN, base_str_of(column->name));
        trend_sums sums = sums_of(r, &run->findings, i);
        // Of more findings than are kept the sum would be one of some.
        if (sums.overflow || run->findings.unlisted > 0) continue;
        col_builder_set_decimal(b, TREND_DIFFERENCE, sums.difference);
        col_builder_set_decimal(b, TREND_ABSOLUTE, sums.absolute);
    }
    if (col_builder_rows(b) == 0) new_row(b, run);
    return col_builder_finish(b);
}

base_rc engine_trend_put(engine *e, state_txn *txn, const plan_object *r,
                         const engine_recon_run *run, base_arena *arena, base_error *err) {
    base_buf buf = {0};
    base_buf_add_byte(&buf, VALUE_VERSION);
    col_batch_encode(&buf, rows_of(arena, r, run));
    trend_key key = key_of(r->id, run->run);
    base_rc rc =
        state_put(txn, e->t_recon, (base_str){key.bytes, KEY_BYTES}, base_buf_str(&buf), err);
    base_buf_deinit(&buf);
    if (rc != BASE_OK || run->run <= ENGINE_TREND_RUNS_MAX) return rc;
    trend_key from = key_of(r->id, 0), to = key_of(r->id, run->run - ENGINE_TREND_RUNS_MAX + 1);
    uint64_t deleted;
    return state_delete_range(txn, e->t_recon, (base_str){from.bytes, KEY_BYTES},
                              (base_str){to.bytes, KEY_BYTES}, &deleted, err);
}

// ---- weir.reconciliation_trend ------------------------------------------------------------------

typedef struct listing {
    engine *engine;
    state_txn *txn;
    base_arena *arena;
    const col_type *types;
    col_builder *b;
    base_rc rc;
    base_error *err;
} listing;

static base_rc list_value(listing *l, const plan_object *r, base_str value) {
    if (value.n == 0 || value.p[0] != VALUE_VERSION)
        return base_fail(l->err, BASE_E_CORRUPT, NULL, "the stored trend of \"%s.%s\" is damaged",
                         r->schema, r->name);
    base_str bytes = {base_arena_memdup(l->arena, value.p + 1, value.n - 1), value.n - 1};
    col_batch *rows;
    base_rc rc = col_batch_decode(bytes, l->arena, TREND_COLUMNS, l->types, &rows, l->err);
    for (uint32_t row = 0; rc == BASE_OK && row < rows->nrows; row++) {
        col_builder_new_row(l->b, 1);
        col_builder_set_str(l->b, 0, base_str_of(r->schema));
        col_builder_set_str(l->b, 1, base_str_of(r->name));
        for (uint32_t i = 0; i < TREND_COLUMNS; i++)
            col_builder_set(l->b, FIRST + i, &rows->cols[i], row);
    }
    return rc;
}

static base_rc list_runs(listing *l, const plan_object *r) {
    trend_key from = key_of(r->id, 0);
    recon_values runs;
    base_rc rc =
        recon_values_open(l->engine, l->txn, (base_str){from.bytes, 5}, KEY_BYTES, &runs, l->err);
    for (bool end = false; rc == BASE_OK && !end;) {
        base_str value;
        rc = recon_values_next(&runs, &value, &end, l->err);
        if (rc == BASE_OK && !end) rc = list_value(l, r, value);
    }
    recon_values_close(&runs);
    return rc;
}

static void visit_object(void *arg, const plan_object *object) {
    listing *l = arg;
    if (object->kind == PLAN_OBJECT_RECONCILIATION && l->rc == BASE_OK)
        l->rc = list_runs(l, object);
}

base_rc engine_trend_rows(engine *e, base_arena *arena, const col_batch **rows, base_error *err) {
    listing l = {.engine = e, .arena = arena, .err = err};
    l.types = engine_recon_types(arena, columns, FIRST, NCOLUMNS);
    base_rc rc = state_begin_read(e->meta, &l.txn, err);
    if (rc != BASE_OK) return rc;
    l.b = col_builder_create(arena, NCOLUMNS, engine_recon_types(arena, columns, 0, NCOLUMNS));
    engine_objects(e, visit_object, &l);
    state_abort(l.txn);
    if (l.rc == BASE_OK) *rows = col_builder_finish(l.b);
    return l.rc;
}
