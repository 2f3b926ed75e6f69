// recon_store.c - runs of reconciliations in the catalogue's store, and the rows of
// weir.reconciliations, weir.reconciliation_runs and weir.reconciliation_result.
//
// Invariants: a run is written in one transaction, with its number; run numbers of a reconciliation
// rise by one and are never used again; a run's rows by kind add up to its counts, for what is not
// listed stands in a row without a key. Rows come ordered by reconciliation, run, and key.
// Entry points: engine_recon_store, engine_recon_*rows.

#include <stdlib.h>
#include <string.h>

#include "base/be.h"
#include "base/must.h"
#include "engine/recon/alert.h"
#include "engine/recon/decision.h"

// Version 2 added the columns from RUN_PENDING and DETAIL_V1_COLUMNS on; they are null in values of
// version 1.
#define VALUE_VERSION 2
#define PART_ROWS     1000u

const plan_column engine_recon_columns[ENGINE_RECON_NCOLUMNS] = {
    TEXT_COLUMN("schema"),
    TEXT_COLUMN("name"),
    TEXT_COLUMN("view"),
    TEXT_COLUMN("path"),
    TEXT_COLUMN("format"),
    {.name = "every", .type = {.kind = COL_INTERVAL}},
    TEXT_COLUMN("key"),
    TEXT_COLUMN("compare"),
    INT8_COLUMN("run"),
    TIME_COLUMN("started_at"),
    TIME_COLUMN("as_of"),
    INT8_COLUMN("matched"),
    INT8_COLUMN("missing"),
    INT8_COLUMN("unexpected"),
    INT8_COLUMN("differing"),
    INT8_COLUMN("duplicate"),
    TEXT_COLUMN("error"),
    TEXT_COLUMN("connector"),
    {.name = "settle", .type = {.kind = COL_INTERVAL}},
    INT8_COLUMN("pending"),
};

const plan_column engine_recon_runs_columns[ENGINE_RECON_RUNS_NCOLUMNS] = {
    TEXT_COLUMN("schema"),
    TEXT_COLUMN("name"),
    INT8_COLUMN("run"),
    TIME_COLUMN("started_at"),
    TIME_COLUMN("as_of"),
    INT8_COLUMN("step"),
    TIME_COLUMN("watermark"),
    INT8_COLUMN("record_rows"),
    INT8_COLUMN("view_rows"),
    INT8_COLUMN("matched"),
    INT8_COLUMN("missing"),
    INT8_COLUMN("unexpected"),
    INT8_COLUMN("differing"),
    INT8_COLUMN("duplicate"),
    INT8_COLUMN("skipped"),
    TEXT_COLUMN("path"),
    INT8_COLUMN("file_bytes"),
    TEXT_COLUMN("file_digest"),
    TEXT_COLUMN("error"),
    INT8_COLUMN("pending"),
    INT8_COLUMN("young"),
    TIME_COLUMN("settled_at"),
    INT8_COLUMN("bytes_moved"),
    INT8_COLUMN("statements"),
    TEXT_COLUMN("remedy"),
    INT8_COLUMN("appended"),
    INT8_COLUMN("retracted"),
    INT8_COLUMN("refused"),
    INT8_COLUMN("unresolved"),
    TEXT_COLUMN("waits_for"),
    TEXT_COLUMN("decided_by"),
    TIME_COLUMN("decided_at"),
    TIME_COLUMN("applied_at"),
    INT8_COLUMN("remedy_keys"),
    INT8_COLUMN("remedy_records"),
    {.name = "remedy_total", .type = {.kind = COL_FLOAT8}},
};
_Static_assert(ENGINE_RECON_RUNS_STORED + ENGINE_REMEDY_CELLS == ENGINE_RECON_RUNS_NCOLUMNS,
               "a run, then its remedy");
// Positions in a stored run, which begins at "run".
enum {
    RUN_NUMBER,
    RUN_STARTED,
    RUN_AS_OF,
    RUN_STEP,
    RUN_WATERMARK,
    RUN_RECORD_ROWS,
    RUN_VIEW_ROWS,
    RUN_MATCHED,
    RUN_MISSING,
    RUN_UNEXPECTED,
    RUN_DIFFERING,
    RUN_DUPLICATE,
    RUN_SKIPPED,
    RUN_PATH,
    RUN_FILE_BYTES,
    RUN_DIGEST,
    RUN_ERROR,
    RUN_PENDING,
    RUN_YOUNG,
    RUN_SETTLED,
    RUN_BYTES,
    RUN_STATEMENTS,
    RUN_COLUMNS,
};
_Static_assert(RUN_COLUMNS == ENGINE_RECON_RUNS_STORED - ENGINE_RECON_RUNS_FIRST,
               "the stored run is the columns from run on");

const plan_column engine_recon_result_columns[ENGINE_RECON_RESULT_NCOLUMNS] = {
    TEXT_COLUMN("schema"),       TEXT_COLUMN("name"),        INT8_COLUMN("run"),
    TIME_COLUMN("as_of"),        TEXT_COLUMN("kind"),        INT8_COLUMN("rows"),
    TEXT_COLUMN("key"),          TEXT_COLUMN("column_name"), TEXT_COLUMN("view_value"),
    TEXT_COLUMN("record_value"), TEXT_COLUMN("difference"),  TEXT_COLUMN("status"),
    TEXT_COLUMN("events"),       TEXT_COLUMN("reason"),      TIME_COLUMN("first_seen"),
};
#define DETAIL_KIND    0u
#define DETAIL_ROWS    1u
#define DETAIL_COLUMNS (ENGINE_RECON_RESULT_NCOLUMNS - ENGINE_RECON_RESULT_FIRST)

#define DETAIL_V1_COLUMNS 8u

static const struct {
    const char *name;
    uint32_t count; // column of the run
} kinds[] = {{"matched", RUN_MATCHED},       {"missing", RUN_MISSING},
             {"unexpected", RUN_UNEXPECTED}, {"differing", RUN_DIFFERING},
             {"duplicate", RUN_DUPLICATE},   {"pending", RUN_PENDING}};
#define KINDS (sizeof kinds / sizeof kinds[0])

const col_type *engine_recon_types(base_arena *arena, const plan_column *columns, uint32_t first,
                                   uint32_t n) {
    col_type *types = base_arena_array(arena, col_type, n + 1);
    for (uint32_t i = first; i < n; i++) types[i - first] = columns[i].type;
    return types;
}

// ---- keys
// ------------------------------------------------------------------------------------------------

typedef struct recon_key {
    char bytes[17];
    size_t n;
} recon_key;

static void add_be(recon_key *key, uint64_t v, size_t bytes) {
    base_be_put(key->bytes + key->n, v, bytes);
    key->n += bytes;
}

static recon_key key_of(char kind, uint32_t id) {
    recon_key key = {.bytes = {kind}, .n = 1};
    add_be(&key, id, 4);
    return key;
}

static recon_key run_key(char kind, uint32_t id, uint64_t run) {
    recon_key key = key_of(kind, id);
    add_be(&key, run, 8);
    return key;
}

static base_str key_str(const recon_key *key) {
    return (base_str){key->bytes, key->n};
}

static uint64_t key_run(base_str key) {
    return base_be_get(key.p + 5, 8);
}

static bool key_has(base_str key, const recon_key *prefix, size_t n) {
    return key.n == n && memcmp(key.p, prefix->bytes, prefix->n) == 0;
}

// ---- writing
// ---------------------------------------------------------------------------------------------

// The newest run, or 0; its value (may be NULL) is borrowed from the transaction.
static base_rc newest_run(engine *e, state_txn *txn, uint32_t id, uint64_t *run, base_str *value,
                          base_error *err) {
    *run = 0;
    state_cursor *cursor;
    base_rc rc = state_cursor_open(txn, e->t_recon, &cursor, err);
    if (rc != BASE_OK) return rc;
    recon_key prefix = key_of('R', id);
    recon_key above = run_key('R', id, UINT64_MAX);
    base_str key, found;
    bool end;
    rc = state_cursor_seek(cursor, key_str(&above), &key, &found, &end, err);
    // At the first key above all runs of this one, or past the end: the one before is the newest.
    if (rc == BASE_OK) rc = state_cursor_prev(cursor, &key, &found, &end, err);
    if (rc == BASE_OK && !end && key_has(key, &prefix, 13)) {
        *run = key_run(key);
        if (value != NULL) *value = found;
    }
    state_cursor_close(cursor);
    return rc;
}

static void put_batch(base_buf *buf, const col_batch *batch) {
    base_buf_clear(buf);
    base_buf_add_byte(buf, VALUE_VERSION);
    col_batch_encode(buf, batch);
}

static const col_batch *run_batch(base_arena *arena, const engine_recon_run *run) {
    col_builder *b =
        col_builder_create(arena, RUN_COLUMNS,
                           engine_recon_types(arena, engine_recon_runs_columns,
                                              ENGINE_RECON_RUNS_FIRST, ENGINE_RECON_RUNS_STORED));
    col_builder_new_row(b, 1);
    col_builder_set_i64(b, RUN_NUMBER, (int64_t)run->run);
    col_builder_set_i64(b, RUN_STARTED, run->started_us);
    if (run->as_of_us != 0) col_builder_set_i64(b, RUN_AS_OF, run->as_of_us);
    col_builder_set_i64(b, RUN_STEP, (int64_t)run->step);
    if (run->watermark_us != ENGINE_NO_WATERMARK)
        col_builder_set_i64(b, RUN_WATERMARK, run->watermark_us);
    const uint64_t counts[] = {run->record_rows, run->view_rows, run->matched,   run->missing,
                               run->unexpected,  run->differing, run->duplicate, run->skipped};
    for (uint32_t i = 0; i < sizeof counts / sizeof *counts; i++)
        col_builder_set_i64(b, RUN_RECORD_ROWS + i, (int64_t)counts[i]);
    col_builder_set_str(b, RUN_PATH, base_str_of(run->path));
    col_builder_set_i64(b, RUN_FILE_BYTES, (int64_t)run->file_bytes);
    char *digest = base_arena_printf(arena, "%016llx", (unsigned long long)run->digest);
    if (run->digest != 0) col_builder_set_str(b, RUN_DIGEST, base_str_of(digest));
    if (run->error != NULL) col_builder_set_str(b, RUN_ERROR, base_str_of(run->error));
    col_builder_set_i64(b, RUN_PENDING, (int64_t)run->pending);
    col_builder_set_i64(b, RUN_YOUNG, (int64_t)run->young);
    if (run->settled_us != 0) col_builder_set_i64(b, RUN_SETTLED, run->settled_us);
    col_builder_set_i64(b, RUN_BYTES, (int64_t)run->bytes);
    col_builder_set_i64(b, RUN_STATEMENTS, (int64_t)run->statements);
    return col_builder_finish(b);
}

// Rows in parts, each under the prefix and its number.
static base_rc put_parts(engine *e, state_txn *txn, const recon_key *prefix, const col_batch *rows,
                         base_arena *arena, base_buf *buf, base_error *err) {
    uint32_t n = rows == NULL ? 0 : rows->nrows;
    for (uint32_t at = 0, part = 0; at < n; at += PART_ROWS, part++) {
        recon_key key = *prefix;
        add_be(&key, part, 4);
        uint32_t count = n - at < PART_ROWS ? n - at : PART_ROWS;
        put_batch(buf, col_batch_slice(arena, rows, at, count));
        base_rc rc = state_put(txn, e->t_recon, key_str(&key), base_buf_str(buf), err);
        if (rc != BASE_OK) return rc;
    }
    return BASE_OK;
}

// What the run has for the next one takes the place of what the one before had. A run that failed
// has nothing to say.
static base_rc put_kept(engine *e, state_txn *txn, uint32_t id, const engine_recon_run *run,
                        base_arena *arena, base_buf *buf, base_error *err) {
    if (run->kept == NULL) return BASE_OK;
    recon_key from = key_of('P', id), to = key_of('P', id + 1);
    uint64_t deleted;
    base_rc rc = state_delete_range(txn, e->t_recon, key_str(&from), key_str(&to), &deleted, err);
    return rc == BASE_OK ? put_parts(e, txn, &from, run->kept, arena, buf, err) : rc;
}

// Deletes what is older than `keep` runs.
static base_rc trim_runs(engine *e, state_txn *txn, char kind, uint32_t id, uint64_t run,
                         uint64_t keep, base_error *err) {
    if (run <= keep) return BASE_OK;
    recon_key from = key_of(kind, id), to = run_key(kind, id, run - keep + 1);
    uint64_t deleted;
    return state_delete_range(txn, e->t_recon, key_str(&from), key_str(&to), &deleted, err);
}

base_rc engine_recon_store(engine *e, const plan_object *reconciliation, engine_recon_run *run,
                           base_error *err) {
    uint32_t id = reconciliation->id;
    uint64_t cursor = engine_alert_cursor(e, id);
    state_txn *txn;
    base_rc rc = state_begin_write(e->meta, &txn, err);
    if (rc != BASE_OK) return rc;
    uint64_t newest;
    // Of what was dropped meanwhile nothing is kept: DROP takes the object from the catalogue first
    // and forgets its runs in a transaction that comes after this one.
    if (engine_catalog_by_id(e, id) == NULL)
        rc = base_fail(err, BASE_E_NOT_FOUND, BASE_SQLSTATE_UNDEFINED_OBJECT,
                       "reconciliation \"%s.%s\" was dropped while it ran", reconciliation->schema,
                       reconciliation->name);
    if (rc == BASE_OK) rc = newest_run(e, txn, id, &newest, NULL, err);
    base_arena arena;
    base_arena_init(&arena, 1 << 14);
    base_buf buf = {0};
    if (rc == BASE_OK) {
        run->run = newest + 1;
        recon_key key = run_key('R', id, run->run);
        put_batch(&buf, run_batch(&arena, run));
        rc = state_put(txn, e->t_recon, key_str(&key), base_buf_str(&buf), err);
    }
    if (rc == BASE_OK) {
        recon_key prefix = run_key('D', id, run->run);
        rc = put_parts(e, txn, &prefix, run->details, &arena, &buf, err);
    }
    if (rc == BASE_OK) rc = engine_message_put_run(e, txn, id, run->run, newest, err);
    if (rc == BASE_OK) rc = put_kept(e, txn, id, run, &arena, &buf, err);
    if (rc == BASE_OK) rc = engine_trend_put(e, txn, reconciliation, run, &arena, err);
    uint64_t runs =
        engine_alert_keep(run->run, cursor, ENGINE_RECON_RUNS_MAX, ENGINE_ALERT_RUNS_MAX);
    uint64_t details =
        engine_alert_keep(run->run, cursor, ENGINE_RECON_DETAIL_MAX, ENGINE_RECON_RUNS_MAX);
    if (rc == BASE_OK) rc = trim_runs(e, txn, 'R', id, run->run, runs, err);
    if (rc == BASE_OK) rc = trim_runs(e, txn, 'D', id, run->run, details, err);
    if (rc == BASE_OK && run->run > runs)
        rc = engine_messages_trim(e, txn, id, run->run - runs + 1, err);
    base_buf_deinit(&buf);
    base_arena_deinit(&arena);
    if (rc == BASE_OK) return state_commit(txn, err);
    state_abort(txn);
    return rc;
}

base_rc engine_recon_forget(engine *e, uint32_t id, base_error *err) {
    state_txn *txn;
    base_rc rc = state_begin_write(e->meta, &txn, err);
    if (rc != BASE_OK) return rc;
    const char kinds_of_key[] = {'A', 'D', 'M', 'P', 'Q', 'R', 'T'};
    for (size_t i = 0; rc == BASE_OK && i < sizeof kinds_of_key; i++) {
        recon_key from = key_of(kinds_of_key[i], id), to = key_of(kinds_of_key[i], id + 1);
        uint64_t deleted;
        rc = state_delete_range(txn, e->t_recon, key_str(&from), key_str(&to), &deleted, err);
    }
    if (rc == BASE_OK) return state_commit(txn, err);
    state_abort(txn);
    return rc;
}

// ---- reading
// ---------------------------------------------------------------------------------------------

base_rc recon_values_open(engine *e, state_txn *txn, base_str prefix, size_t key_bytes,
                          recon_values *out, base_error *err) {
    *out = (recon_values){.prefix_bytes = prefix.n, .key_bytes = key_bytes};
    must(prefix.n <= sizeof out->prefix);
    memcpy(out->prefix, prefix.p, prefix.n);
    return state_cursor_open(txn, e->t_recon, &out->cursor, err);
}

base_rc recon_values_next(recon_values *v, base_str *value, bool *end, base_error *err) {
    base_str key, from = {v->prefix, v->prefix_bytes};
    base_rc rc = v->begun ? state_cursor_next(v->cursor, &key, value, end, err)
                          : state_cursor_seek(v->cursor, from, &key, value, end, err);
    v->begun = true;
    if (rc == BASE_OK && !*end) *end = key.n != v->key_bytes || !base_str_starts(key, from);
    return rc;
}

void recon_values_close(recon_values *v) {
    if (v->cursor != NULL) state_cursor_close(v->cursor);
}

static base_rc decode_value(base_str value, base_arena *arena, uint32_t v1_columns, uint32_t ncols,
                            const col_type *types, col_batch **out, base_error *err) {
    if (value.n == 0 || (value.p[0] != 1 && value.p[0] != VALUE_VERSION))
        return base_fail(err, BASE_E_CORRUPT, NULL, "a stored reconciliation run is damaged");
    if (value.p[0] == 1) ncols = v1_columns;
    base_str bytes = {base_arena_memdup(arena, value.p + 1, value.n - 1), value.n - 1};
    return col_batch_decode(bytes, arena, ncols, types, out, err);
}

static base_rc get_run(base_str value, base_arena *arena, col_batch **out, base_error *err) {
    const col_type *types = engine_recon_types(arena, engine_recon_runs_columns,
                                               ENGINE_RECON_RUNS_FIRST, ENGINE_RECON_RUNS_STORED);
    return decode_value(value, arena, RUN_PENDING, RUN_COLUMNS, types, out, err);
}

// 0 where the run's version has no such column.
static int64_t run_i64(const col_batch *run, uint32_t column) {
    return column < run->ncols ? col_i64(&run->cols[column])[0] : 0;
}

base_rc engine_recon_kept(engine *e, uint32_t id, base_arena *arena, uint32_t ncols,
                          const col_type *types, const col_batch **out, base_error *err) {
    *out = NULL;
    state_txn *txn;
    base_rc rc = state_begin_read(e->meta, &txn, err);
    if (rc != BASE_OK) return rc;
    const col_batch *parts[ENGINE_FINDINGS_MAX / PART_ROWS + 1];
    size_t n = 0;
    recon_key prefix = key_of('P', id);
    recon_values kept;
    rc = recon_values_open(e, txn, key_str(&prefix), 9, &kept, err);
    for (bool end = false; rc == BASE_OK && !end && n < sizeof parts / sizeof parts[0];) {
        base_str value;
        col_batch *part;
        rc = recon_values_next(&kept, &value, &end, err);
        if (rc != BASE_OK || end) break;
        rc = decode_value(value, arena, ncols, ncols, types, &part, err);
        if (rc == BASE_OK) parts[n++] = part;
    }
    recon_values_close(&kept);
    if (rc == BASE_OK && n > 0) *out = col_batch_concat(arena, ncols, types, n, parts);
    state_abort(txn);
    return rc;
}

typedef struct listing {
    engine *engine;
    state_txn *txn;
    base_arena *arena;
    col_builder *builder;
    base_error *err;
    base_rc rc;
    base_rc (*each)(struct listing *l, const plan_object *object);
} listing;

static void visit_object(void *arg, const plan_object *object) {
    listing *l = arg;
    if (object->kind == PLAN_OBJECT_RECONCILIATION && l->rc == BASE_OK) l->rc = l->each(l, object);
}

// Calls each for all reconciliations, over one snapshot.
static base_rc list(engine *e, base_arena *arena, const plan_column *columns, uint32_t ncolumns,
                    base_rc (*each)(listing *l, const plan_object *object), const col_batch **rows,
                    base_error *err) {
    listing l = {.engine = e, .arena = arena, .err = err, .each = each};
    base_rc rc = state_begin_read(e->meta, &l.txn, err);
    if (rc != BASE_OK) return rc;
    l.builder =
        col_builder_create(arena, ncolumns, engine_recon_types(arena, columns, 0, ncolumns));
    engine_objects(e, visit_object, &l);
    state_abort(l.txn);
    if (l.rc == BASE_OK) *rows = col_builder_finish(l.builder);
    return l.rc;
}

// Calls each for all runs of a reconciliation, oldest first.
static base_rc each_run(listing *l, const plan_object *object,
                        base_rc (*each)(listing *l, const plan_object *object,
                                        const col_batch *run)) {
    recon_key prefix = key_of('R', object->id);
    recon_values runs;
    base_rc rc = recon_values_open(l->engine, l->txn, key_str(&prefix), 13, &runs, l->err);
    for (bool end = false; rc == BASE_OK && !end;) {
        base_str value;
        col_batch *run;
        rc = recon_values_next(&runs, &value, &end, l->err);
        if (rc != BASE_OK || end) break;
        rc = get_run(value, l->arena, &run, l->err);
        if (rc == BASE_OK) rc = each(l, object, run);
    }
    recon_values_close(&runs);
    return rc;
}

static void new_row(listing *l, const plan_object *object) {
    col_builder_new_row(l->builder, 1);
    col_builder_set_str(l->builder, 0, base_str_of(object->schema));
    col_builder_set_str(l->builder, 1, base_str_of(object->name));
}

static base_rc add_run(listing *l, const plan_object *object, const col_batch *run) {
    new_row(l, object);
    for (uint32_t i = 0; i < run->ncols; i++)
        col_builder_set(l->builder, ENGINE_RECON_RUNS_FIRST + i, &run->cols[i], 0);
    return engine_remedy_cells(l->engine, l->txn, object->id,
                               (uint64_t)col_i64(&run->cols[RUN_NUMBER])[0], l->arena, l->builder,
                               ENGINE_RECON_RUNS_STORED, l->err);
}

base_rc engine_recon_newest(engine *e, state_txn *txn, uint32_t id, uint64_t *run,
                            base_error *err) {
    return newest_run(e, txn, id, run, NULL, err);
}

base_rc engine_recon_run_at(engine *e, state_txn *txn, const plan_object *r, uint64_t run,
                            base_arena *arena, const col_batch **row, base_error *err) {
    *row = NULL;
    state_cursor *cursor;
    base_rc rc = state_cursor_open(txn, e->t_recon, &cursor, err);
    if (rc != BASE_OK) return rc;
    recon_key prefix = key_of('R', r->id), from = run_key('R', r->id, run);
    base_str key, value;
    bool end;
    rc = state_cursor_seek(cursor, key_str(&from), &key, &value, &end, err);
    if (rc == BASE_OK && !end && key_has(key, &prefix, 13)) {
        const uint32_t n = ENGINE_RECON_RUNS_NCOLUMNS;
        listing l = {.engine = e, .txn = txn, .arena = arena, .err = err};
        l.builder = col_builder_create(arena, n,
                                       engine_recon_types(arena, engine_recon_runs_columns, 0, n));
        col_batch *stored;
        rc = get_run(value, arena, &stored, err);
        if (rc == BASE_OK) rc = add_run(&l, r, stored);
        if (rc == BASE_OK) *row = col_builder_finish(l.builder);
    }
    state_cursor_close(cursor);
    return rc;
}

static base_rc runs_of(listing *l, const plan_object *object) {
    return each_run(l, object, add_run);
}

base_rc engine_recon_runs_rows(engine *e, base_arena *arena, const col_batch **rows,
                               base_error *err) {
    return list(e, arena, engine_recon_runs_columns, ENGINE_RECON_RUNS_NCOLUMNS, runs_of, rows,
                err);
}

static void new_result(listing *l, const plan_object *object, const col_batch *run) {
    new_row(l, object);
    col_builder_set(l->builder, 2, &run->cols[RUN_NUMBER], 0);
    col_builder_set(l->builder, 3, &run->cols[RUN_AS_OF], 0);
}

static base_rc add_details(listing *l, const plan_object *object, const col_batch *run,
                           uint64_t listed[KINDS]) {
    recon_key prefix = run_key('D', object->id, (uint64_t)col_i64(&run->cols[RUN_NUMBER])[0]);
    const col_type *types =
        engine_recon_types(l->arena, engine_recon_result_columns, ENGINE_RECON_RESULT_FIRST,
                           ENGINE_RECON_RESULT_NCOLUMNS);
    recon_values parts;
    base_rc rc = recon_values_open(l->engine, l->txn, key_str(&prefix), 17, &parts, l->err);
    for (bool end = false; rc == BASE_OK && !end;) {
        base_str value;
        col_batch *part;
        rc = recon_values_next(&parts, &value, &end, l->err);
        if (rc != BASE_OK || end) break;
        rc = decode_value(value, l->arena, DETAIL_V1_COLUMNS, DETAIL_COLUMNS, types, &part, l->err);
        for (uint32_t row = 0; rc == BASE_OK && row < part->nrows; row++) {
            new_result(l, object, run);
            for (uint32_t i = 0; i < part->ncols; i++)
                col_builder_set(l->builder, ENGINE_RECON_RESULT_FIRST + i, &part->cols[i], row);
            base_str kind = col_str(&part->cols[DETAIL_KIND])[row];
            for (uint32_t k = 0; k < KINDS; k++)
                if (base_str_starts(kind, base_str_of(kinds[k].name)))
                    listed[k] += (uint64_t)col_i64(&part->cols[DETAIL_ROWS])[row];
        }
    }
    recon_values_close(&parts);
    return rc;
}

base_rc engine_recon_findings(engine *e, state_txn *txn, uint32_t id, uint64_t run, uint32_t most,
                              base_arena *arena, const col_batch **rows, base_error *err) {
    const col_type *types =
        engine_recon_types(arena, engine_recon_result_columns, ENGINE_RECON_RESULT_FIRST,
                           ENGINE_RECON_RESULT_NCOLUMNS);
    col_builder *b = col_builder_create(arena, DETAIL_COLUMNS, types);
    recon_key prefix = run_key('D', id, run);
    recon_values parts;
    base_rc rc = recon_values_open(e, txn, key_str(&prefix), 17, &parts, err);
    for (bool end = false; rc == BASE_OK && !end && col_builder_rows(b) < most;) {
        base_str value;
        col_batch *part;
        rc = recon_values_next(&parts, &value, &end, err);
        if (rc != BASE_OK || end) break;
        rc = decode_value(value, arena, DETAIL_V1_COLUMNS, DETAIL_COLUMNS, types, &part, err);
        for (uint32_t row = 0; rc == BASE_OK && row < part->nrows && col_builder_rows(b) < most;
             row++) {
            if (base_str_starts(col_str(&part->cols[DETAIL_KIND])[row], BASE_STR("pending")))
                continue;
            col_builder_new_row(b, 1);
            for (uint32_t i = 0; i < part->ncols; i++) col_builder_set(b, i, &part->cols[i], row);
        }
    }
    recon_values_close(&parts);
    if (rc == BASE_OK) *rows = col_builder_finish(b);
    return rc;
}

static base_rc add_result(listing *l, const plan_object *object, const col_batch *run) {
    uint64_t listed[KINDS] = {0};
    base_rc rc = add_details(l, object, run, listed);
    for (uint32_t k = 0; rc == BASE_OK && k < KINDS; k++) {
        uint64_t all = (uint64_t)run_i64(run, kinds[k].count);
        if (all <= listed[k]) continue;
        new_result(l, object, run);
        col_builder_set_str(l->builder, ENGINE_RECON_RESULT_FIRST + DETAIL_KIND,
                            base_str_of(kinds[k].name));
        col_builder_set_i64(l->builder, ENGINE_RECON_RESULT_FIRST + DETAIL_ROWS,
                            (int64_t)(all - listed[k]));
    }
    return rc;
}

static base_rc results_of(listing *l, const plan_object *object) {
    return each_run(l, object, add_result);
}

base_rc engine_recon_result_rows(engine *e, base_arena *arena, const col_batch **rows,
                                 base_error *err) {
    return list(e, arena, engine_recon_result_columns, ENGINE_RECON_RESULT_NCOLUMNS, results_of,
                rows, err);
}

static base_str text_of(base_arena *arena, base_buf *buf) {
    base_str text = {base_arena_memdup(arena, buf->p == NULL ? "" : buf->p, buf->n), buf->n};
    base_buf_deinit(buf);
    return text;
}

static base_str compare_text(base_arena *arena, const plan_object *object) {
    base_buf buf = {0};
    for (uint32_t i = 0; i < object->ncompare; i++) {
        const plan_compare *compare = &object->compare[i];
        base_buf_printf(&buf, "%s%s", i > 0 ? ", " : "",
                        object->from->columns[compare->column].name);
        if (base_decimal_sign(compare->tolerance) == 0) continue;
        char tolerance[BASE_DECIMAL_TEXT_MAX];
        base_decimal_format(compare->tolerance, tolerance);
        base_buf_printf(&buf, " TOLERANCE %s%s", tolerance, compare->percent ? " PERCENT" : "");
    }
    return text_of(arena, &buf);
}

static void set_interval(listing *l, uint32_t column, int64_t us) {
    if (us == 0) return;
    col_vec vec;
    col_vec_init(&vec, l->arena, col_type_of(COL_INTERVAL), 1);
    col_interval(&vec)[0] =
        (base_interval){.us = us % BASE_US_PER_DAY, .days = (int32_t)(us / BASE_US_PER_DAY)};
    col_builder_set(l->builder, column, &vec, 0);
}

static void add_definition(listing *l, const plan_object *object) {
    new_row(l, object);
    col_builder *b = l->builder;
    base_buf buf = {0};
    base_buf_printf(&buf, "%s.%s", object->from->schema, object->from->name);
    col_builder_set_str(b, 2, text_of(l->arena, &buf));
    col_builder_set_str(b, 3, base_str_of(object->path != NULL ? object->path : ""));
    col_builder_set_str(b, 4, base_str_of(object->format != NULL ? object->format : ""));
    set_interval(l, 5, object->every_us);
    col_builder_set_str(b, 17, base_str_of(object->connector));
    set_interval(l, 18, object->settle_us);
    buf = (base_buf){0};
    for (uint32_t i = 0; i < object->nrecon_key; i++)
        base_buf_printf(&buf, "%s%s", i > 0 ? ", " : "",
                        object->from->columns[object->recon_key[i]].name);
    col_builder_set_str(b, 6, text_of(l->arena, &buf));
    col_builder_set_str(b, 7, compare_text(l->arena, object));
}

static base_rc definition_of(listing *l, const plan_object *object) {
    add_definition(l, object);
    uint64_t number;
    base_str value = {NULL, 0};
    base_rc rc = newest_run(l->engine, l->txn, object->id, &number, &value, l->err);
    if (rc != BASE_OK || number == 0) return rc;
    col_batch *run;
    rc = get_run(value, l->arena, &run, l->err);
    if (rc != BASE_OK) return rc;
    static const uint32_t from[] = {RUN_NUMBER,    RUN_STARTED,   RUN_AS_OF,
                                    RUN_MATCHED,   RUN_MISSING,   RUN_UNEXPECTED,
                                    RUN_DIFFERING, RUN_DUPLICATE, RUN_ERROR};
    for (uint32_t i = 0; i < sizeof from / sizeof *from; i++)
        col_builder_set(l->builder, 8 + i, &run->cols[from[i]], 0);
    if (RUN_PENDING < run->ncols) col_builder_set(l->builder, 19, &run->cols[RUN_PENDING], 0);
    return BASE_OK;
}

base_rc engine_recon_rows(engine *e, base_arena *arena, const col_batch **rows, base_error *err) {
    return list(e, arena, engine_recon_columns, ENGINE_RECON_NCOLUMNS, definition_of, rows, err);
}

base_rc engine_recon_last_started(engine *e, const plan_object *reconciliation, int64_t *started_us,
                                  bool *found, base_error *err) {
    *found = false;
    state_txn *txn;
    base_rc rc = state_begin_read(e->meta, &txn, err);
    if (rc != BASE_OK) return rc;
    base_arena arena;
    base_arena_init(&arena, 4096);
    uint64_t number;
    base_str value = {NULL, 0};
    rc = newest_run(e, txn, reconciliation->id, &number, &value, err);
    if (rc == BASE_OK && number > 0) {
        col_batch *run;
        rc = get_run(value, &arena, &run, err);
        if (rc == BASE_OK) {
            *started_us = col_i64(&run->cols[RUN_STARTED])[0];
            *found = true;
        }
    }
    base_arena_deinit(&arena);
    state_abort(txn);
    return rc;
}

base_rc engine_recon_every_us(engine *e, const plan_object *reconciliation, int64_t *every_us,
                              base_error *err) {
    *every_us = reconciliation->every_us;
    if (reconciliation->settle_us == 0 || reconciliation->settle_us >= *every_us) return BASE_OK;
    state_txn *txn;
    base_rc rc = state_begin_read(e->meta, &txn, err);
    if (rc != BASE_OK) return rc;
    base_arena arena;
    base_arena_init(&arena, 4096);
    uint64_t number;
    base_str value = {NULL, 0};
    col_batch *run;
    rc = newest_run(e, txn, reconciliation->id, &number, &value, err);
    if (rc == BASE_OK && number > 0) {
        rc = get_run(value, &arena, &run, err);
        // A second more than the time, so that both snapshots are as old as that.
        if (rc == BASE_OK && run_i64(run, RUN_PENDING) > 0)
            *every_us = reconciliation->settle_us + BASE_US_PER_SECOND;
    }
    base_arena_deinit(&arena);
    state_abort(txn);
    return rc;
}
