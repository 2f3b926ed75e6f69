// remedy_store.c - plans of remedies in the catalogue's store (keys: recon_int.h), and the rows of
// weir.reconciliation_remedy. Entry points: engine_remedy_put, engine_remedy_newest.
//
// Invariants: a plan and its actions are written in one transaction; every run that succeeded has a
// plan, if only a clean one, so that the newest one is the last run's. Numbers are big-endian;
// values a version byte, then an encoded batch.
#include <string.h>

#include "base/be.h"
#include "base/must.h"
#include "engine/recon/alert.h"
#include "engine/recon/decision.h"

// Version 2 of a plan added the columns from PLAN_KEYS on.
#define PLAN_VERSION   2
#define ACTION_VERSION 1
#define PART_ROWS      1000u

enum {
    PLAN_STATE,
    PLAN_INTO,
    PLAN_APPENDED,
    PLAN_RETRACTED,
    PLAN_REFUSED,
    PLAN_UNRESOLVED,
    PLAN_WAITS_FOR,
    PLAN_DECIDED_BY,
    PLAN_DECIDED,
    PLAN_APPLIED,
    PLAN_ORIGIN,
    PLAN_BEGINS,
    PLAN_KEYS,
    PLAN_RECORDS,
    PLAN_TOTAL,
    PLAN_COLUMNS,
};
static const col_kind plan_kinds[PLAN_COLUMNS] = {
    COL_INT8,        COL_INT8,        COL_INT8, COL_INT8, COL_INT8, COL_INT8, COL_TEXT,   COL_TEXT,
    COL_TIMESTAMPTZ, COL_TIMESTAMPTZ, COL_TEXT, COL_TEXT, COL_INT8, COL_INT8, COL_FLOAT8,
};

enum {
    ACTION_VERB,
    ACTION_DIGEST,
    ACTION_KIND,
    ACTION_KEY,
    ACTION_RECORD,
    ACTION_OUTCOME,
    ACTION_COLUMNS
};
static const col_kind action_kinds[ACTION_COLUMNS] = {COL_INT8, COL_INT8, COL_TEXT,
                                                      COL_TEXT, COL_TEXT, COL_TEXT};

const plan_column engine_remedy_columns[ENGINE_REMEDY_NCOLUMNS] = {
    TEXT_COLUMN("schema"),
    TEXT_COLUMN("name"),
    {.name = "run", .type = {.kind = COL_INT8}},
    TEXT_COLUMN("state"),
    {.name = "number", .type = {.kind = COL_INT8}},
    TEXT_COLUMN("action"),
    TEXT_COLUMN("kind"),
    TEXT_COLUMN("key"),
    TEXT_COLUMN("into_object"),
    TEXT_COLUMN("record"),
    TEXT_COLUMN("outcome"),
};

const char *engine_remedy_state_name(engine_remedy_state state) {
    static const char *const names[] = {
        [ENGINE_REMEDY_CLEAN] = "none",         [ENGINE_REMEDY_WAITING] = "waiting",
        [ENGINE_REMEDY_APPROVED] = "approved",  [ENGINE_REMEDY_APPENDED] = "appended",
        [ENGINE_REMEDY_APPLIED] = "applied",    [ENGINE_REMEDY_REJECTED] = "rejected",
        [ENGINE_REMEDY_SUPERSEDED] = "replaced"};
    return names[state];
}

static const char *verb_name(engine_remedy_verb verb) {
    return verb == ENGINE_REMEDY_APPEND    ? "append"
           : verb == ENGINE_REMEDY_RETRACT ? "retract"
                                           : "none";
}

// ---- keys and values ----------------------------------------------------------------------------

typedef struct remedy_key {
    char bytes[17];
    size_t n;
} remedy_key;

static void add_be(remedy_key *key, uint64_t v, size_t bytes) {
    base_be_put(key->bytes + key->n, v, bytes);
    key->n += bytes;
}

static remedy_key key_of(char kind, uint32_t id, uint64_t run) {
    remedy_key key = {.bytes = {kind}, .n = 1};
    add_be(&key, id, 4);
    add_be(&key, run, 8);
    return key;
}

static base_str str_of(const remedy_key *key) {
    return (base_str){key->bytes, key->n};
}

static bool starts(base_str key, const remedy_key *prefix, size_t n) {
    return key.n >= n && memcmp(key.p, prefix->bytes, n) == 0;
}

static uint64_t run_of(base_str key) {
    return base_be_get(key.p + 5, 8);
}

static const col_type *types_of(base_arena *arena, const col_kind *kinds, uint32_t n) {
    col_type *types = base_arena_array(arena, col_type, n);
    for (uint32_t i = 0; i < n; i++) types[i] = col_type_of(kinds[i]);
    return types;
}

static void set_text(col_builder *b, uint32_t column, const char *text) {
    if (text != NULL) col_builder_set_str(b, column, base_str_of(text));
}

static void put_batch(base_buf *buf, uint8_t version, const col_batch *batch) {
    base_buf_clear(buf);
    base_buf_add_byte(buf, version);
    col_batch_encode(buf, batch);
}

static base_rc decode(base_str value, base_arena *arena, const col_kind *kinds, uint32_t n,
                      col_batch **out, base_error *err) {
    if (value.n == 0) return base_fail(err, BASE_E_CORRUPT, NULL, "a stored remedy is damaged");
    base_str bytes = {base_arena_memdup(arena, value.p + 1, value.n - 1), value.n - 1};
    return col_batch_decode(bytes, arena, n, types_of(arena, kinds, n), out, err);
}

// ---- writing ------------------------------------------------------------------------------------

static base_rc put_plan(engine *e, state_txn *txn, uint32_t id, const engine_remedy_plan *plan,
                        base_arena *arena, base_buf *buf, base_error *err) {
    col_builder *b =
        col_builder_create(arena, PLAN_COLUMNS, types_of(arena, plan_kinds, PLAN_COLUMNS));
    col_builder_new_row(b, 1);
    const int64_t numbers[] = {(int64_t)plan->state,    (int64_t)plan->into,
                               (int64_t)plan->appended, (int64_t)plan->retracted,
                               (int64_t)plan->refused,  (int64_t)plan->unresolved};
    for (uint32_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        col_builder_set_i64(b, PLAN_STATE + i, numbers[i]);
    set_text(b, PLAN_WAITS_FOR, plan->waits_for);
    set_text(b, PLAN_DECIDED_BY, plan->decided_by);
    if (plan->decided_us != 0) col_builder_set_i64(b, PLAN_DECIDED, plan->decided_us);
    if (plan->applied_us != 0) col_builder_set_i64(b, PLAN_APPLIED, plan->applied_us);
    set_text(b, PLAN_ORIGIN, plan->origin);
    set_text(b, PLAN_BEGINS, plan->begins);
    col_builder_set_i64(b, PLAN_KEYS, (int64_t)plan->keys);
    col_builder_set_i64(b, PLAN_RECORDS, (int64_t)plan->records);
    col_builder_set_f64(b, PLAN_TOTAL, plan->total);
    put_batch(buf, PLAN_VERSION, col_builder_finish(b));
    remedy_key key = key_of('M', id, plan->run);
    return state_put(txn, e->t_recon, str_of(&key), base_buf_str(buf), err);
}

static const col_batch *actions_batch(base_arena *arena, const engine_remedy_action *actions,
                                      uint32_t n) {
    col_builder *b =
        col_builder_create(arena, ACTION_COLUMNS, types_of(arena, action_kinds, ACTION_COLUMNS));
    for (uint32_t i = 0; i < n; i++) {
        const engine_remedy_action *a = &actions[i];
        col_builder_new_row(b, 1);
        col_builder_set_i64(b, ACTION_VERB, (int64_t)a->verb);
        col_builder_set_i64(b, ACTION_DIGEST, (int64_t)a->digest);
        set_text(b, ACTION_KIND, a->kind);
        col_builder_set_str(b, ACTION_KEY, a->key);
        if (a->record.p != NULL) col_builder_set_str(b, ACTION_RECORD, a->record);
        if (a->outcome.p != NULL) col_builder_set_str(b, ACTION_OUTCOME, a->outcome);
    }
    return col_builder_finish(b);
}

static base_rc put_actions(engine *e, state_txn *txn, uint32_t id, const engine_remedy_plan *plan,
                           base_buf *buf, base_error *err) {
    base_arena arena;
    base_arena_init(&arena, 1 << 16);
    base_rc rc = BASE_OK;
    for (uint32_t at = 0, part = 0; rc == BASE_OK && at < plan->nactions; at += PART_ROWS, part++) {
        uint32_t n = plan->nactions - at < PART_ROWS ? plan->nactions - at : PART_ROWS;
        base_arena_reset(&arena);
        put_batch(buf, ACTION_VERSION, actions_batch(&arena, plan->actions + at, n));
        remedy_key key = key_of('A', id, plan->run);
        add_be(&key, part, 4);
        rc = state_put(txn, e->t_recon, str_of(&key), base_buf_str(buf), err);
    }
    base_arena_deinit(&arena);
    return rc;
}

static base_rc trim(engine *e, state_txn *txn, char kind, uint32_t id, uint64_t run, uint64_t keep,
                    base_error *err) {
    if (run <= keep) return BASE_OK;
    remedy_key from = key_of(kind, id, 0), to = key_of(kind, id, run - keep + 1);
    uint64_t deleted;
    return state_delete_range(txn, e->t_recon, str_of(&from), str_of(&to), &deleted, err);
}

base_rc engine_remedy_put(engine *e, const plan_object *r, const engine_remedy_plan *plan,
                          const engine_remedy_plan *superseded, int said, base_error *err) {
    uint32_t id = r->id;
    uint64_t cursor = engine_alert_cursor(e, id);
    state_txn *txn;
    base_rc rc = state_begin_write(e->meta, &txn, err);
    if (rc != BASE_OK) return rc;
    base_arena arena;
    base_arena_init(&arena, 4096);
    base_buf buf = {0};
    // Of what was dropped meanwhile nothing is kept, and so nothing begun (as engine_recon_store).
    if (engine_catalog_by_id(e, id) == NULL)
        rc = base_fail(err, BASE_E_NOT_FOUND, BASE_SQLSTATE_UNDEFINED_OBJECT,
                       "reconciliation \"%s.%s\" was dropped meanwhile", r->schema, r->name);
    if (rc == BASE_OK && superseded != NULL)
        rc = put_plan(e, txn, id, superseded, &arena, &buf, err);
    if (rc == BASE_OK) rc = put_plan(e, txn, id, plan, &arena, &buf, err);
    if (rc == BASE_OK) rc = put_actions(e, txn, id, plan, &buf, err);
    if (rc == BASE_OK && said != 0)
        rc = engine_decision_put(e, txn, r, plan, (engine_message_kind)said, err);
    uint64_t runs =
        engine_alert_keep(plan->run, cursor, ENGINE_RECON_RUNS_MAX, ENGINE_ALERT_RUNS_MAX);
    if (rc == BASE_OK) rc = trim(e, txn, 'M', id, plan->run, runs, err);
    if (rc == BASE_OK) rc = trim(e, txn, 'A', id, plan->run, ENGINE_RECON_DETAIL_MAX, err);
    base_buf_deinit(&buf);
    base_arena_deinit(&arena);
    if (rc == BASE_OK)
        rc = state_commit(txn, err);
    else
        state_abort(txn);
    if (rc == BASE_OK && superseded != NULL) engine_recon_count_remedy(e, id, superseded);
    if (rc == BASE_OK) engine_recon_count_remedy(e, id, plan);
    return rc;
}

// ---- reading ------------------------------------------------------------------------------------

static const char *text_at(base_arena *arena, const col_batch *batch, uint32_t column,
                           uint32_t row) {
    if (col_is_null(&batch->cols[column], row)) return NULL;
    base_str text = col_str(&batch->cols[column])[row];
    return base_arena_memdup(arena, text.p, text.n);
}

static base_rc get_plan(base_str key, base_str value, base_arena *arena, engine_remedy_plan *plan,
                        base_error *err) {
    col_batch *b;
    bool first_version = value.n > 0 && value.p[0] == 1;
    if (value.n == 0 || (!first_version && value.p[0] != PLAN_VERSION))
        return base_fail(err, BASE_E_CORRUPT, NULL, "a stored remedy is damaged");
    uint32_t n = first_version ? PLAN_KEYS : PLAN_COLUMNS;
    base_rc rc = decode(value, arena, plan_kinds, n, &b, err);
    if (rc != BASE_OK) return rc;
#define NUMBER(column) (col_is_null(&b->cols[column], 0) ? 0 : col_i64(&b->cols[column])[0])
    *plan = (engine_remedy_plan){.run = run_of(key),
                                 .state = (engine_remedy_state)NUMBER(PLAN_STATE),
                                 .into = (uint32_t)NUMBER(PLAN_INTO),
                                 .appended = (uint64_t)NUMBER(PLAN_APPENDED),
                                 .retracted = (uint64_t)NUMBER(PLAN_RETRACTED),
                                 .refused = (uint64_t)NUMBER(PLAN_REFUSED),
                                 .unresolved = (uint64_t)NUMBER(PLAN_UNRESOLVED),
                                 .waits_for = text_at(arena, b, PLAN_WAITS_FOR, 0),
                                 .decided_by = text_at(arena, b, PLAN_DECIDED_BY, 0),
                                 .decided_us = NUMBER(PLAN_DECIDED),
                                 .applied_us = NUMBER(PLAN_APPLIED),
                                 .origin = text_at(arena, b, PLAN_ORIGIN, 0),
                                 .begins = text_at(arena, b, PLAN_BEGINS, 0)};
    if (!first_version) {
        plan->keys = (uint64_t)NUMBER(PLAN_KEYS);
        plan->records = (uint64_t)NUMBER(PLAN_RECORDS);
        plan->total = col_f64(&b->cols[PLAN_TOTAL])[0];
    }
#undef NUMBER
    if (plan->state < ENGINE_REMEDY_CLEAN || plan->state > ENGINE_REMEDY_SUPERSEDED)
        return base_fail(err, BASE_E_CORRUPT, NULL, "a stored remedy is damaged");
    return BASE_OK;
}

static base_str str_at(const col_batch *batch, uint32_t column, uint32_t row) {
    return col_is_null(&batch->cols[column], row) ? (base_str){NULL, 0}
                                                  : col_str(&batch->cols[column])[row];
}

static base_rc get_actions(engine *e, state_txn *txn, uint32_t id, base_arena *arena,
                           engine_remedy_plan *plan, base_error *err) {
    state_cursor *cursor;
    base_rc rc = state_cursor_open(txn, e->t_recon, &cursor, err);
    if (rc != BASE_OK) return rc;
    remedy_key prefix = key_of('A', id, plan->run);
    base_str key, value;
    bool end;
    uint32_t cap = 0;
    rc = state_cursor_seek(cursor, str_of(&prefix), &key, &value, &end, err);
    while (rc == BASE_OK && !end && starts(key, &prefix, 13)) {
        col_batch *part;
        rc = value.n > 0 && value.p[0] == ACTION_VERSION
                 ? decode(value, arena, action_kinds, ACTION_COLUMNS, &part, err)
                 : base_fail(err, BASE_E_CORRUPT, NULL, "a stored remedy is damaged");
        if (rc != BASE_OK) break;
        if (plan->nactions + part->nrows > cap) {
            cap = (plan->nactions + part->nrows) * 2;
            engine_remedy_action *more = base_arena_array(arena, engine_remedy_action, cap);
            if (plan->nactions > 0) memcpy(more, plan->actions, plan->nactions * sizeof *more);
            plan->actions = more;
        }
        for (uint32_t row = 0; row < part->nrows; row++)
            plan->actions[plan->nactions++] = (engine_remedy_action){
                .verb = (engine_remedy_verb)col_i64(&part->cols[ACTION_VERB])[row],
                .digest = (uint64_t)col_i64(&part->cols[ACTION_DIGEST])[row],
                .kind = text_at(arena, part, ACTION_KIND, row),
                .key = str_at(part, ACTION_KEY, row),
                .record = str_at(part, ACTION_RECORD, row),
                .outcome = str_at(part, ACTION_OUTCOME, row)};
        rc = state_cursor_next(cursor, &key, &value, &end, err);
    }
    state_cursor_close(cursor);
    return rc;
}

static base_rc newest(engine *e, state_txn *txn, uint32_t id, base_arena *arena,
                      engine_remedy_plan **out, base_error *err) {
    state_cursor *cursor;
    base_rc rc = state_cursor_open(txn, e->t_recon, &cursor, err);
    if (rc != BASE_OK) return rc;
    remedy_key above = key_of('M', id, UINT64_MAX);
    base_str key, value;
    bool end;
    rc = state_cursor_seek(cursor, str_of(&above), &key, &value, &end, err);
    if (rc == BASE_OK) rc = state_cursor_prev(cursor, &key, &value, &end, err);
    if (rc == BASE_OK && !end && key.n == 13 && starts(key, &above, 5)) {
        *out = base_arena_new(arena, engine_remedy_plan);
        rc = get_plan(key, value, arena, *out, err);
    }
    state_cursor_close(cursor);
    return rc;
}

base_rc engine_remedy_newest(engine *e, uint32_t id, bool actions, base_arena *arena,
                             engine_remedy_plan **out, base_error *err) {
    *out = NULL;
    state_txn *txn;
    base_rc rc = state_begin_read(e->meta, &txn, err);
    if (rc != BASE_OK) return rc;
    rc = newest(e, txn, id, arena, out, err);
    if (rc == BASE_OK && *out != NULL && actions) rc = get_actions(e, txn, id, arena, *out, err);
    state_abort(txn);
    return rc;
}

base_rc engine_remedy_cells(engine *e, state_txn *txn, uint32_t id, uint64_t run, base_arena *arena,
                            col_builder *b, uint32_t first, base_error *err) {
    remedy_key key = key_of('M', id, run);
    base_str value;
    bool found;
    base_rc rc = state_get(txn, e->t_recon, str_of(&key), &value, &found, err);
    if (rc != BASE_OK || !found) return rc;
    engine_remedy_plan plan;
    rc = get_plan(str_of(&key), value, arena, &plan, err);
    if (rc != BASE_OK) return rc;
    set_text(b, first, engine_remedy_state_name(plan.state));
    const uint64_t counts[] = {plan.appended, plan.retracted, plan.refused, plan.unresolved};
    for (uint32_t i = 0; i < 4; i++) col_builder_set_i64(b, first + 1 + i, (int64_t)counts[i]);
    set_text(b, first + 5, plan.waits_for);
    set_text(b, first + 6, plan.decided_by);
    if (plan.decided_us != 0) col_builder_set_i64(b, first + 7, plan.decided_us);
    if (plan.applied_us != 0) col_builder_set_i64(b, first + 8, plan.applied_us);
    col_builder_set_i64(b, first + 9, (int64_t)plan.keys);
    col_builder_set_i64(b, first + 10, (int64_t)plan.records);
    col_builder_set_f64(b, first + 11, plan.total);
    return BASE_OK;
}

// ---- weir.reconciliation_remedy -----------------------------------------------------------------

typedef struct listing {
    engine *engine;
    state_txn *txn;
    base_arena *arena;
    col_builder *b;
    base_rc rc;
    base_error *err;
} listing;

static void list_plan(listing *l, const plan_object *r, const engine_remedy_plan *plan) {
    const plan_object *into = engine_catalog_by_id(l->engine, plan->into);
    char *name =
        into == NULL ? NULL : base_arena_printf(l->arena, "%s.%s", into->schema, into->name);
    for (uint32_t i = 0; i < plan->nactions; i++) {
        const engine_remedy_action *a = &plan->actions[i];
        col_builder_new_row(l->b, 1);
        set_text(l->b, 0, r->schema);
        set_text(l->b, 1, r->name);
        col_builder_set_i64(l->b, 2, (int64_t)plan->run);
        set_text(l->b, 3, engine_remedy_state_name(plan->state));
        col_builder_set_i64(l->b, 4, (int64_t)i + 1);
        set_text(l->b, 5, verb_name(a->verb));
        set_text(l->b, 6, a->kind);
        col_builder_set_str(l->b, 7, a->key);
        set_text(l->b, 8, name);
        if (a->record.p != NULL) col_builder_set_str(l->b, 9, a->record);
        if (a->outcome.p != NULL) col_builder_set_str(l->b, 10, a->outcome);
    }
}

static base_rc list_plans(listing *l, const plan_object *r) {
    state_cursor *cursor;
    base_rc rc = state_cursor_open(l->txn, l->engine->t_recon, &cursor, l->err);
    if (rc != BASE_OK) return rc;
    remedy_key prefix = key_of('M', r->id, 0);
    base_str key, value;
    bool end;
    rc = state_cursor_seek(cursor, str_of(&prefix), &key, &value, &end, l->err);
    while (rc == BASE_OK && !end && key.n == 13 && starts(key, &prefix, 5)) {
        engine_remedy_plan plan;
        rc = get_plan(key, value, l->arena, &plan, l->err);
        if (rc == BASE_OK) rc = get_actions(l->engine, l->txn, r->id, l->arena, &plan, l->err);
        if (rc == BASE_OK) list_plan(l, r, &plan);
        if (rc == BASE_OK) rc = state_cursor_next(cursor, &key, &value, &end, l->err);
    }
    state_cursor_close(cursor);
    return rc;
}

static void visit_object(void *arg, const plan_object *object) {
    listing *l = arg;
    if (object->kind == PLAN_OBJECT_RECONCILIATION && l->rc == BASE_OK)
        l->rc = list_plans(l, object);
}

base_rc engine_remedy_rows(engine *e, base_arena *arena, const col_batch **rows, base_error *err) {
    listing l = {.engine = e, .arena = arena, .err = err};
    base_rc rc = state_begin_read(e->meta, &l.txn, err);
    if (rc != BASE_OK) return rc;
    l.b = col_builder_create(
        arena, ENGINE_REMEDY_NCOLUMNS,
        engine_recon_types(arena, engine_remedy_columns, 0, ENGINE_REMEDY_NCOLUMNS));
    engine_objects(e, visit_object, &l);
    state_abort(l.txn);
    if (l.rc == BASE_OK) *rows = col_builder_finish(l.b);
    return l.rc;
}
