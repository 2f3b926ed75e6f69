// contract.c - the contract check: a record's bytes to columns or to a cause. The strict form
// serves the edge (every declared column, unknown fields refused, CHECKs run); the other form
// serves a step (only the columns that some view uses, of records that the edge has already
// checked).
//
// Invariants: rows of the batch keep the order of the records; doc[] names the record of each row;
// every record is either a row or a fault, never both.
// Entry points: engine_contract_create, engine_contract_decode.

#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "engine/engine_int.h"
#include "engine/finality/rules.h"

uint32_t engine_declared_columns(const plan_object *object) {
    uint32_t n = 0;
    while (n < object->ncolumns && !object->columns[n].hidden) n++;
    return n;
}

bool engine_takes_deletes(const plan_object *object) {
    return object->kind == PLAN_OBJECT_TABLE || object->retractable;
}

// An expression over the object's columns, rewritten to positions in the contract's batch; NULL if
// it uses a column that is not among them.
static const plan_expr *rebase(engine_contract *contract, const plan_expr *expr) {
    const plan_object *object = contract->object;
    const plan_expr **map = base_arena_array(&contract->arena, const plan_expr *, object->ncolumns);
    bool *used = base_arena_array(&contract->arena, bool, object->ncolumns);
    plan_expr_columns(expr, used);
    for (uint32_t i = 0; i < contract->ncolumns; i++) {
        uint32_t column = contract->columns[i];
        map[column] = plan_expr_column(&contract->arena, i, object->columns[column].type);
    }
    for (uint32_t i = 0; i < object->ncolumns; i++)
        if (used[i] && map[i] == NULL) return NULL;
    return plan_expr_substitute(&contract->arena, expr, map);
}

// The decoder refuses a null by itself, with the byte where it stands, unless a default may fill it
// or the row may be a delete, which names its key only: run_not_null sees to those.
static bool decoder_knows(const plan_object *object, uint32_t column) {
    if (object->columns[column].default_value != NULL) return false;
    if (!engine_takes_deletes(object)) return true;
    for (uint32_t k = 0; k < object->nkey; k++)
        if (object->key[k] == column) return true;
    return false;
}

engine_contract *engine_contract_create(const plan_object *object, bool strict, uint32_t ncolumns,
                                        const uint32_t *columns) {
    engine_contract *contract = calloc(1, sizeof *contract);
    must(contract != NULL);
    base_arena_init(&contract->arena, 4096);
    contract->object = object;
    contract->strict = strict;
    contract->ncolumns = ncolumns;
    contract->columns = base_arena_array(&contract->arena, uint32_t, ncolumns + 1);
    if (ncolumns > 0) memcpy(contract->columns, columns, ncolumns * sizeof *columns);
    contract->fields = base_arena_array(&contract->arena, wire_json_field, ncolumns + 1);
    contract->event_time = -1;
    for (uint32_t i = 0; i < ncolumns; i++) {
        const plan_column *column = &object->columns[columns[i]];
        if ((int32_t)columns[i] == object->event_time) contract->event_time = (int32_t)i;
        if (column->hidden) continue;
        must(contract->nfields == i); // hidden columns come last
        contract->fields[contract->nfields++] =
            (wire_json_field){column->name, column->type,
                              strict && column->not_null && decoder_knows(object, columns[i])};
    }
    contract->decoder =
        wire_json_decoder_create(contract->nfields, contract->fields,
                                 strict ? WIRE_JSON_UNKNOWN_FAULT : WIRE_JSON_UNKNOWN_CHECKED);
    if (strict) {
        contract->checks =
            base_arena_array(&contract->arena, const plan_expr *, object->nchecks + 1);
        for (uint32_t i = 0; i < object->nchecks; i++) contract->checks[i] = object->checks[i].expr;
    }
    if (object->watermark != NULL && contract->event_time >= 0)
        contract->watermark = rebase(contract, object->watermark);
    return contract;
}

void engine_contract_destroy(engine_contract *contract) {
    if (contract == NULL) return;
    wire_json_decoder_destroy(contract->decoder);
    base_arena_deinit(&contract->arena);
    free(contract);
}

// The faults found so far, in the order of records, and a byte a record: refused.
typedef struct verdict {
    wire_json_fault *faults;
    uint32_t nfaults;
    uint8_t *refused;
} verdict;

static void refuse(verdict *v, uint32_t record, int32_t field, const char *sqlstate,
                   const char *message) {
    if (v->refused[record]) return;
    v->refused[record] = 1;
    v->faults[v->nfaults++] = (wire_json_fault){record, UINT32_MAX, field, sqlstate, message};
}

static void fill_defaults(engine_contract *contract, base_arena *arena, col_batch *batch,
                          int64_t ingested_us) {
    for (uint32_t i = 0; i < contract->nfields; i++) {
        const plan_column *column = &contract->object->columns[contract->columns[i]];
        col_vec *vec = &batch->cols[i];
        if (column->default_value == NULL || vec->nulls == NULL) continue;
        if (memchr(vec->nulls, 1, batch->nrows) == NULL) continue;
        base_error err;
        col_func_ctx ctx = {.arena = arena, .err = &err, .now_us = ingested_us};
        const col_vec *value;
        // A default has no columns; the binder has folded what it can, so failure is not expected.
        if (plan_eval(column->default_value, batch, &ctx, &value) != BASE_OK) continue;
        for (uint32_t row = 0; row < batch->nrows; row++)
            if (vec->nulls[row] && !col_is_null(value, row))
                col_vec_copy_cell(vec, row, value, row, arena);
    }
}

static void run_checks(engine_contract *contract, base_arena *arena, const col_batch *batch,
                       int64_t ingested_us, verdict *v) {
    const plan_object *object = contract->object;
    for (uint32_t c = 0; c < object->nchecks; c++) {
        base_error err = {0};
        uint8_t *failed = base_arena_zalloc(arena, batch->nrows + 1);
        col_func_ctx ctx = {.arena = arena, .err = &err, .now_us = ingested_us, .failed = failed};
        const col_vec *value;
        base_rc rc = plan_eval(contract->checks[c], batch, &ctx, &value);
        for (uint32_t row = 0; row < batch->nrows; row++) {
            if (v->refused[row]) continue;
            if (rc != BASE_OK || failed[row]) {
                refuse(v, row, -1, BASE_SQLSTATE_CHECK,
                       base_arena_printf(arena,
                                         "check constraint \"%s\" could not be evaluated: %s",
                                         object->checks[c].name, err.message));
            } else if (!col_is_null(value, row) && col_u8(value)[row] == 0) {
                refuse(v, row, -1, BASE_SQLSTATE_CHECK,
                       base_arena_printf(
                           arena, "record for \"%s.%s\" violates check constraint \"%s\": %s",
                           object->schema, object->name, object->checks[c].name,
                           object->checks[c].text == NULL ? "" : object->checks[c].text));
            }
        }
    }
}

// A NOT NULL column with a default can still be null if the default is.
static void run_not_null(engine_contract *contract, base_arena *arena, const col_batch *batch,
                         verdict *v) {
    for (uint32_t i = 0; i < contract->nfields; i++) {
        const plan_column *column = &contract->object->columns[contract->columns[i]];
        if (!column->not_null || batch->cols[i].nulls == NULL) continue;
        for (uint32_t row = 0; row < batch->nrows; row++)
            if (batch->cols[i].nulls[row] && !v->refused[row])
                refuse(v, row, (int32_t)i, BASE_SQLSTATE_NOT_NULL,
                       base_arena_printf(
                           arena, "field \"%s\" is null or absent, and the contract says NOT NULL",
                           column->name));
    }
}

// A delete has to say what it deletes.
static void run_delete_keys(engine_contract *contract, base_arena *arena, const col_batch *batch,
                            const uint8_t *deletes, verdict *v) {
    const plan_object *object = contract->object;
    for (uint32_t k = 0; k < object->nkey; k++) {
        const col_vec *vec = &batch->cols[object->key[k]];
        for (uint32_t row = 0; vec->nulls != NULL && row < batch->nrows; row++)
            if (deletes[row] && vec->nulls[row])
                refuse(v, row, (int32_t)object->key[k], BASE_SQLSTATE_NOT_NULL,
                       base_arena_printf(arena,
                                         "field \"%s\" is null or absent, and a delete names the "
                                         "whole key",
                                         object->columns[object->key[k]].name));
    }
}

// Not of what was logged: there it is a function of the log how far event time is.
static void run_ahead(engine_contract *contract, base_arena *arena, const col_batch *batch,
                      int64_t ingested_us, verdict *v) {
    const plan_object *object = contract->object;
    const col_vec *vec = &batch->cols[contract->event_time];
    int64_t most_us;
    if (!object->limits_ahead ||
        __builtin_add_overflow(ingested_us, object->max_ahead_us, &most_us))
        return;
    for (uint32_t row = 0; row < batch->nrows; row++) {
        if (v->refused[row] || col_is_null(vec, row) || col_i64(vec)[row] <= most_us) continue;
        base_interval interval = {.us = object->max_ahead_us};
        char text[BASE_INTERVAL_TEXT_MAX];
        base_interval_format(&interval, text);
        refuse(v, row, contract->event_time, BASE_SQLSTATE_CHECK,
               base_arena_printf(arena,
                                 "record for \"%s.%s\" comes before its time: its \"%s\" is more "
                                 "than max_ahead (%s) after its arrival",
                                 object->schema, object->name,
                                 object->columns[object->event_time].name, text));
    }
}

static int fault_order(const void *a, const void *b) {
    uint32_t x = ((const wire_json_fault *)a)->doc, y = ((const wire_json_fault *)b)->doc;
    return (x > y) - (x < y);
}

static void fill_origin(const engine_contract *contract, base_arena *arena, col_vec *vec,
                        uint32_t row, uint32_t doc) {
    base_str origin;
    if (contract->reading != NULL &&
        engine_origin_of(contract->reading, contract->reading_first + doc, &origin))
        col_str(vec)[row] = (base_str){base_arena_memdup(arena, origin.p, origin.n), origin.n};
    else
        col_vec_set_null(vec, arena, row);
}

// _offset, _partition, _ingested_at and _origin, by name.
static void fill_hidden(engine_contract *contract, base_arena *arena, col_batch *batch,
                        const uint32_t *doc, uint64_t first_offset, uint32_t partition,
                        int64_t ingested_us) {
    for (uint32_t i = contract->nfields; i < contract->ncolumns; i++) {
        const plan_column *column = &contract->object->columns[contract->columns[i]];
        col_vec *vec = &batch->cols[i];
        col_vec_init(vec, arena, column->type, batch->nrows);
        if (strcmp(column->name, "_offset") == 0) {
            for (uint32_t row = 0; row < batch->nrows; row++)
                col_i64(vec)[row] = (int64_t)(first_offset + doc[row]);
        } else if (strcmp(column->name, "_partition") == 0) {
            for (uint32_t row = 0; row < batch->nrows; row++)
                col_i32(vec)[row] = (int32_t)partition;
        } else if (strcmp(column->name, "_ingested_at") == 0) {
            for (uint32_t row = 0; row < batch->nrows; row++) col_i64(vec)[row] = ingested_us;
        } else if (strcmp(column->name, "_origin") == 0) {
            for (uint32_t row = 0; row < batch->nrows; row++)
                fill_origin(contract, arena, vec, row, doc[row]);
        } else {
            must(!"a hidden column that the contract does not know");
        }
    }
}

// How late such records come says nothing of the producers (late.c).
static const uint8_t *find_ours(const engine_contract *contract, base_arena *arena, uint32_t n,
                                const uint32_t *doc) {
    if (contract->reading == NULL) return NULL;
    uint8_t *ours = base_arena_alloc(arena, n + 1u);
    base_str origin;
    for (uint32_t row = 0; row < n; row++)
        ours[row] =
            engine_origin_of(contract->reading, contract->reading_first + doc[row], &origin);
    return ours;
}

// The instants of a column of times (dates: their midnights, UTC); absent where it is null.
static int64_t *times_of(base_arena *arena, const col_vec *vec, uint32_t n, int64_t absent) {
    int64_t *us = base_arena_alloc(arena, (n + 1) * sizeof *us);
    if (vec->type.kind == COL_DATE) {
        for (uint32_t row = 0; row < n; row++) us[row] = col_i32(vec)[row] * BASE_US_PER_DAY;
    } else {
        memcpy(us, vec->data, n * sizeof *us);
    }
    for (uint32_t row = 0; vec->nulls != NULL && row < n; row++)
        if (vec->nulls[row]) us[row] = absent;
    return us;
}

static void fill_times(engine_contract *contract, base_arena *arena, engine_decoded *out,
                       int64_t ingested_us) {
    if (contract->event_time < 0) return;
    const col_vec *event = &out->batch->cols[contract->event_time];
    out->event_us = times_of(arena, event, out->nrows, INT64_MIN);
    if (contract->watermark == NULL) return;
    base_error err = {0};
    uint8_t *failed = base_arena_zalloc(arena, out->nrows + 1);
    col_func_ctx ctx = {.arena = arena, .err = &err, .now_us = ingested_us, .failed = failed};
    const col_vec *value;
    const plan_expr *expr = contract->watermark;
    col_batch *batch = out->batch,
              alone = {1, out->nrows, &batch->cols[contract->event_time], NULL};
    if (out->rule != NULL) {
        expr = out->rule->expr;
        batch = &alone;
    }
    if (plan_eval(expr, batch, &ctx, &value) != BASE_OK) return;
    int64_t *watermark_us = times_of(arena, value, out->nrows, ENGINE_NO_WATERMARK);
    for (uint32_t row = 0; row < out->nrows; row++)
        if (failed[row]) watermark_us[row] = ENGINE_NO_WATERMARK;
    out->watermark_us = watermark_us;
}

void engine_contract_decode(engine_contract *contract, const char *text, size_t text_bytes,
                            const uint32_t *ends, uint32_t first, uint32_t n, uint64_t first_offset,
                            uint32_t partition, int64_t ingested_us, base_arena *arena,
                            engine_decoded *out) {
    memset(out, 0, sizeof *out);
    bool can_delete = engine_takes_deletes(contract->object);
    uint8_t *deletes = can_delete ? base_arena_zalloc(arena, n + 1) : NULL;
    verdict v = {.refused = base_arena_zalloc(arena, n + 1)};
    col_batch *batch;
    wire_json_fault *found;
    uint32_t nfound;
    wire_json_decode(contract->decoder, text, text_bytes, ends, first, n, arena, &batch, deletes,
                     &found, &nfound);
    must(batch->nrows == n);
    if (nfound > 0 || contract->strict)
        v.faults = base_arena_alloc(arena, (n + 1) * sizeof *v.faults);
    for (uint32_t i = 0; i < nfound; i++) {
        if (!v.refused[found[i].doc]) {
            v.refused[found[i].doc] = 1;
            v.faults[v.nfaults++] = found[i];
        }
    }
    fill_defaults(contract, arena, batch, ingested_us);
    if (contract->strict && n > 0) {
        uint32_t before = v.nfaults;
        verdict w = v;
        if (can_delete) { // deletes are not checked beyond their key
            run_delete_keys(contract, arena, batch, deletes, &v);
            w = v;
            w.refused = base_arena_zalloc(arena, n + 1);
            for (uint32_t i = 0; i < n; i++) w.refused[i] = v.refused[i] || deletes[i];
        }
        run_not_null(contract, arena, batch, &w);
        run_checks(contract, arena, batch, ingested_us, &w);
        if (contract->event_time >= 0) run_ahead(contract, arena, batch, ingested_us, &w);
        v.nfaults = w.nfaults;
        for (uint32_t i = before; i < v.nfaults; i++) v.refused[v.faults[i].doc] = 1;
        if (v.nfaults > before) qsort(v.faults, v.nfaults, sizeof *v.faults, fault_order);
    }

    uint32_t *doc = base_arena_alloc(arena, (n + 1) * sizeof *doc);
    uint32_t rows = 0;
    for (uint32_t i = 0; i < n; i++)
        if (!v.refused[i]) doc[rows++] = i;
    if (rows < n) batch = col_batch_gather(arena, batch, doc, rows);
    if (can_delete && rows < n) {
        uint8_t *kept = base_arena_zalloc(arena, rows + 1);
        for (uint32_t i = 0; i < rows; i++) kept[i] = deletes[doc[i]];
        deletes = kept;
    }
    if (contract->ncolumns > contract->nfields) {
        col_batch *whole = base_arena_new(arena, col_batch);
        *whole = (col_batch){contract->ncolumns, rows,
                             base_arena_array(arena, col_vec, contract->ncolumns), NULL};
        memcpy(whole->cols, batch->cols, contract->nfields * sizeof *whole->cols);
        batch = whole;
        fill_hidden(contract, arena, batch, doc, first_offset, partition, ingested_us);
    }
    out->batch = batch;
    out->nrows = rows;
    out->doc = doc;
    out->deletes = deletes;
    out->nfaults = v.nfaults;
    out->faults = v.faults;
    // One for all of them: a rule begins where a batch does.
    out->rule = engine_rule_at(contract->object, partition, first_offset);
    out->ours = find_ours(contract, arena, rows, doc);
    fill_times(contract, arena, out, ingested_us);
    // What takes an event back says nothing of how far event time is.
    if (out->event_us == NULL || deletes == NULL || contract->object->kind != PLAN_OBJECT_STREAM)
        return;
    int64_t *event_us = (int64_t *)(uintptr_t)out->event_us;
    for (uint32_t row = 0; row < rows; row++)
        if (deletes[row]) event_us[row] = INT64_MIN;
}

void engine_contract_decode_batch(engine_contract *contract, const log_batch *batch, uint32_t first,
                                  uint32_t n, uint32_t partition, base_arena *arena,
                                  engine_decoded *out) {
    if (engine_batch_is_control(batch)) { // of no events
        *out = (engine_decoded){.batch = col_batch_create(arena, 0, NULL, 0)};
        return;
    }
    contract->reading = batch->headers != NULL ? batch : NULL;
    contract->reading_first = first;
    engine_contract_decode(contract, batch->payload, batch->payload_bytes, batch->ends, first, n,
                           batch->base_offset + first, partition, batch->info.append_us, arena,
                           out);
    contract->reading = NULL;
}
