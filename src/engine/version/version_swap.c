// version_swap.c - in one step of a flow, the rows of a view and of its version change places.
//
// The differences between the two are worked out first, as of the flow's last step. The step then
// applies them to the view, which writes them to its change log (so that sinks and other flows get
// them, and nothing else) and to the ledger, hands them to the views of the flow that read it, and
// takes them from the version. The same transaction notes in "engine.version" whose operators'
// state makes the rows of each from now on: that is the commit point of a promotion.
//
// All rows of both are compared (compare.h) while the flow goes on, from a snapshot of each; which
// keys differ there, or are in the changes of either since, is kept. Keys of which neither is true
// are equal. So, while the flow stands still, only the kept keys are looked up. Views that only
// grow, which have no such changes, and views whose changes have been trimmed meanwhile are
// compared while the flow stands still. Entry points: engine_swap_open, engine_swap_run.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/be.h"
#include "base/map.h"
#include "base/must.h"
#include "col/kernel.h"
#include "engine/history/ledger.h"
#include "engine/history/past.h"
#include "engine/version/compare.h"
#include "engine/version/version.h"

#define FOLLOW_ROUNDS 20
#define FOLLOW_STEPS  64u    // changes of so few steps are left to be read while the flow stands
#define LARGE_ROWS    20000u // differences, from which on the step passes the journal by

typedef struct engine_swap swapping;
struct engine_swap {
    engine_flow *flow;
    const plan_object *view, *version;
    base_arena arena; // of the differences
    uint64_t memory_limit;
    col_type *types;
    uint32_t declared;
    col_builder *builder;
    uint64_t ndifferent;
    const col_batch *differences; // what the view needs to become the version
    // Rows of those that are kept as they grow: they are kept by key from now on.
    const col_batch **view_rows, **version_rows;
    uint32_t nview_rows, nversion_rows, view_cap, version_cap;
    // Keys whose rows differ, or have changed since they were compared.
    base_map *keys; // NULL: it is not known
    uint64_t key_bytes;
    uint64_t view_step, version_step; // up to which changes were read
    base_arena change_arena;
};

static base_rc check_memory(const swapping *s, base_error *err) {
    if (s->arena.total_bytes + s->key_bytes <= s->memory_limit) return BASE_OK;
    base_fail(
        err, BASE_E_LIMIT, BASE_SQLSTATE_OUT_OF_MEMORY,
        "what changes with the version needs more than the %llu MB of memory that a query may "
        "have",
        (unsigned long long)(s->memory_limit >> 20));
    base_error_hint(err, "Start the server with a larger --query-mb.");
    return err->code;
}

static base_rc note_difference(void *arg, const engine_difference *d, base_error *err) {
    swapping *s = arg;
    s->ndifferent++;
    const col_batch *sides[] = {d->a, d->b};
    int64_t weights[] = {-d->a_weight, d->b_weight};
    for (int i = 0; i < 2; i++)
        if (sides[i] != NULL)
            col_builder_add_row(s->builder, col_batch_copy(&s->arena, sides[i]), 0, weights[i]);
    return check_memory(s, err);
}

// ---- before the step ----------------------------------------------------------------------------

static base_rc note_key(swapping *s, const col_batch *rows, uint32_t row, base_arena *arena,
                        base_error *err) {
    base_str key = engine_ledger_key(s->view, rows, row, arena);
    if (base_map_get(s->keys, key) != NULL) return BASE_OK;
    base_map_put(s->keys, key, s);
    s->key_bytes += key.n + 64;
    return check_memory(s, err);
}

static base_rc note_different_key(void *arg, const engine_difference *d, base_error *err) {
    swapping *s = arg;
    base_arena_reset(&s->change_arena);
    return note_key(s, d->a != NULL ? d->a : d->b, 0, &s->change_arena, err);
}

// From a snapshot of each: not of one step.
static base_rc compare_beside(swapping *s, volatile bool *cancel, base_error *err) {
    engine *e = s->flow->engine;
    engine_view_snapshot a, b;
    base_rc rc = engine_view_snapshot_open(e, s->view, &a, err);
    if (rc != BASE_OK) return rc;
    rc = engine_view_snapshot_open(e, s->version, &b, err);
    if (rc != BASE_OK) {
        engine_view_snapshot_close(&a);
        return rc;
    }
    if (!a.appended && !b.appended) {
        engine_side x = engine_side_of(s->view, &a), y = engine_side_of(s->version, &b);
        engine_compare_result result;
        x.exact = true;
        s->keys = base_map_create();
        s->view_step = a.step;
        s->version_step = b.step;
        rc = engine_compare(&x, &y, note_different_key, NULL, s, cancel, &result, err);
    }
    engine_view_snapshot_close(&a);
    engine_view_snapshot_close(&b);
    return rc;
}

// The keys of the changes since *step. BASE_E_NOT_FOUND: not all of them are there any more.
static base_rc note_changes(swapping *s, const plan_object *view, uint64_t *step, uint64_t *nsteps,
                            base_error *err) {
    for (;;) {
        engine_change change;
        bool found;
        base_arena_reset(&s->change_arena);
        base_rc rc = engine_change_next(s->flow->engine, view, *step, &s->change_arena, &change,
                                        &found, err);
        if (rc != BASE_OK || !found) return rc;
        for (uint32_t i = 0; rc == BASE_OK && i < change.delta->nrows; i++)
            rc = note_key(s, change.delta, i, &s->change_arena, err);
        if (rc != BASE_OK) return rc;
        *step = change.step;
        ++*nsteps;
    }
}

static base_rc note_both(swapping *s, uint64_t *nsteps, base_error *err) {
    *nsteps = 0;
    base_rc rc = note_changes(s, s->view, &s->view_step, nsteps, err);
    if (rc == BASE_OK) rc = note_changes(s, s->version, &s->version_step, nsteps, err);
    if (rc != BASE_E_NOT_FOUND) return rc;
    base_map_destroy(s->keys);
    s->keys = NULL;
    s->key_bytes = 0;
    return BASE_OK;
}

typedef struct stored_row {
    bool there;
    base_str bytes; // behind the head
    int64_t weight;
} stored_row;

static base_rc look_up(const swapping *s, state_txn *txn, state_table rows, base_str key,
                       stored_row *out, base_error *err) {
    base_str value;
    engine_row_head head;
    base_rc rc = state_get(txn, rows, key, &value, &out->there, err);
    if (rc != BASE_OK || !out->there) return rc;
    if (value.n < sizeof head || value.p[0] != 1)
        return base_fail(err, BASE_E_CORRUPT, NULL, "view \"%s.%s\": a stored row is damaged",
                         s->view->schema, s->view->name);
    memcpy(&head, value.p, sizeof head);
    out->bytes = (base_str){value.p + sizeof head, value.n - sizeof head};
    out->weight = head.weight;
    return BASE_OK;
}

static base_rc add_row(swapping *s, const stored_row *row, int64_t weight, base_error *err) {
    col_batch *batch = col_batch_create(&s->arena, s->declared, s->types, 1);
    uint32_t *columns = base_arena_array(&s->arena, uint32_t, s->declared + 1);
    for (uint32_t i = 0; i < s->declared; i++) columns[i] = i;
    base_str bytes = {base_arena_memdup(&s->arena, row->bytes.p, row->bytes.n), row->bytes.n};
    size_t at = 0;
    base_rc rc = col_row_decode(bytes, &at, batch, 0, s->declared, columns, &s->arena, err);
    if (rc != BASE_OK) return rc;
    col_builder_add_row(s->builder, col_batch_slice(&s->arena, batch, 0, 1), 0, weight);
    return check_memory(s, err);
}

static base_rc work_out_key(swapping *s, const engine_view *a, const engine_view *b, state_txn *txn,
                            base_str key, base_error *err) {
    stored_row x, y;
    base_rc rc = look_up(s, txn, a->rows, key, &x, err);
    if (rc == BASE_OK) rc = look_up(s, txn, b->rows, key, &y, err);
    if (rc != BASE_OK || (!x.there && !y.there)) return rc;
    if (x.there && y.there && x.weight == y.weight && base_str_eq(x.bytes, y.bytes)) return rc;
    s->ndifferent++;
    if (x.there) rc = add_row(s, &x, -x.weight, err);
    return rc == BASE_OK && y.there ? add_row(s, &y, y.weight, err) : rc;
}

// While the flow stands still.
static base_rc work_out_keys(swapping *s, const engine_view *a, const engine_view *b,
                             state_txn *txn, base_error *err) {
    base_rc rc = BASE_OK;
    base_str key;
    void *value;
    for (size_t i = 0; rc == BASE_OK && base_map_at(s->keys, &i, &key, &value);)
        rc = work_out_key(s, a, b, txn, key, err);
    return rc;
}

typedef struct collecting {
    swapping *swap;
    const col_batch ***rows;
    uint32_t *n, *cap;
} collecting;

static base_rc collect(void *arg, const col_batch *rows, base_error *err) {
    collecting *c = arg;
    swapping *s = c->swap;
    if (*c->n == *c->cap) {
        *c->cap = *c->cap == 0 ? 64 : *c->cap * 2;
        *c->rows = realloc(*c->rows, *c->cap * sizeof **c->rows);
        must(*c->rows != NULL);
    }
    uint32_t *columns = base_arena_array(&s->arena, uint32_t, s->declared + 1);
    for (uint32_t i = 0; i < s->declared; i++) columns[i] = i;
    rows = col_batch_project(&s->arena, rows, s->declared, columns);
    (*c->rows)[(*c->n)++] = col_batch_copy(&s->arena, rows);
    return check_memory(s, err);
}

static base_rc collect_appended(swapping *s, const engine_view *view, state_txn *txn,
                                const col_batch ***rows, uint32_t *n, uint32_t *cap,
                                base_error *err) {
    collecting c = {s, rows, n, cap};
    if (!view->appended) return BASE_OK;
    return engine_append_scan(view->object, view->rows, txn, 8192, collect, &c, err);
}

static base_rc work_out(swapping *s, base_error *err) {
    const engine_view *a = engine_flow_view(s->flow, s->view->id);
    const engine_view *b = engine_flow_view(s->flow, s->version->id);
    if (a == NULL || b == NULL)
        return base_fail(err, BASE_E_INTERNAL, NULL, "flow %s does not have both versions",
                         s->flow->name);
    uint64_t nsteps;
    if (s->keys != NULL) {
        base_rc noted = note_both(s, &nsteps, err);
        if (noted != BASE_OK) return noted;
    }
    state_txn *txn;
    base_rc rc = engine_flow_begin_read(s->flow, &txn, err);
    if (rc != BASE_OK) return rc;
    engine_side x = {s->view, a->appended, a->rows, txn, true};
    engine_side y = {s->version, b->appended, b->rows, txn, true};
    engine_compare_result result;
    rc = s->keys != NULL && !a->appended && !b->appended
             ? work_out_keys(s, a, b, txn, err)
             : engine_compare(&x, &y, note_difference, NULL, s, NULL, &result, err);
    if (rc == BASE_OK)
        rc = collect_appended(s, a, txn, &s->view_rows, &s->nview_rows, &s->view_cap, err);
    if (rc == BASE_OK)
        rc = collect_appended(s, b, txn, &s->version_rows, &s->nversion_rows, &s->version_cap, err);
    state_abort(txn);
    s->differences = col_builder_finish(s->builder);
    return rc;
}

// ---- the step -----------------------------------------------------------------------------------

// The changes of a view that was kept as it grew are those of its rows that steps brought, not
// fills.
static base_rc keep_changes(engine_flow *flow, engine_view *view, state_table changes,
                            base_error *err) {
    state_cursor *cursor;
    base_rc rc = state_cursor_open(flow->txn, view->rows, &cursor, err);
    if (rc != BASE_OK) return rc;
    base_str key, value;
    bool end;
    base_buf k = {0}, v = {0};
    rc = state_cursor_seek(cursor, (base_str){NULL, 0}, &key, &value, &end, err);
    while (rc == BASE_OK && !end) {
        bool filled = key.n == 12 && ((uint8_t)key.p[8] & 0x80) == 0;
        base_buf_clear(&k);
        base_buf_clear(&v);
        base_buf_add(&k, key.p, key.n);
        base_buf_add(&v, value.p, value.n);
        if (!filled) rc = state_append(flow->txn, changes, base_buf_str(&k), base_buf_str(&v), err);
        if (rc == BASE_OK) rc = state_cursor_next(cursor, &key, &value, &end, err);
    }
    base_buf_deinit(&k);
    base_buf_deinit(&v);
    state_cursor_close(cursor);
    return rc;
}

// From now on it is kept by key: rows that only came may go.
static base_rc keep_by_key(swapping *s, engine_view *view, state_table changes,
                           const col_batch *const *rows, uint32_t n, base_error *err) {
    engine_flow *flow = s->flow;
    if (!view->appended) return BASE_OK;
    base_rc rc = keep_changes(flow, view, changes, err);
    if (rc == BASE_OK) rc = state_clear(flow->txn, view->rows, err);
    view->appended = false;
    view->history_step = flow->step + 1; // the changes before do not say how rows were
    view->changes = changes;
    view->nrows = 0;
    bool before = view->filling;
    view->filling = true; // these are no changes
    for (uint32_t i = 0; rc == BASE_OK && i < n; i++)
        rc = engine_view_apply_delta(flow, view, rows[i], err);
    view->filling = before;
    return rc;
}

static void note_reader(void *arg, const plan_node *scan) {
    uint32_t *id = arg;
    if (scan->object->id == *id) *id = UINT32_MAX;
}

static base_rc push_downstream(swapping *s, base_error *err) {
    engine_flow *flow = s->flow;
    base_rc rc = BASE_OK;
    for (uint32_t i = 0; rc == BASE_OK && i < flow->nviews; i++) {
        uint32_t id = s->view->id;
        const plan_object *reader = flow->views[i].object;
        plan_node_scans(reader->plan, note_reader, &id);
        if (id == UINT32_MAX)
            rc = flow_graph_push_view(flow->graph, s->view->id, reader->id, s->differences, err);
    }
    return rc;
}

// From this step on the view has another query; after a replay it is the one that it had.
static base_rc note_state(engine_flow *flow, uint32_t view_id, uint32_t state_id, bool same_query,
                          base_error *err) {
    engine_version_row row;
    bool found;
    base_rc rc = engine_version_read(flow, flow->txn, view_id, &row, &found, err);
    if (rc != BASE_OK) return rc;
    row.state_id = state_id;
    if (!same_query) row.step = flow->step + 1;
    char key[4];
    base_be_put(key, view_id, 4);
    return state_put(flow->txn, flow->t_version, (base_str){key, 4},
                     (base_str){(const char *)&row, sizeof row}, err);
}

typedef struct swap_step {
    swapping *swap;
    state_table view_changes, version_changes;
} swap_step;

static base_rc gather_swap(engine_flow *flow, void *arg, uint64_t *rows, base_error *err) {
    swap_step *step = arg;
    swapping *s = step->swap;
    engine_view *view = engine_flow_view(flow, s->view->id);
    engine_view *version = engine_flow_view(flow, s->version->id);
    base_rc rc = keep_by_key(s, view, step->view_changes, s->view_rows, s->nview_rows, err);
    if (rc == BASE_OK)
        rc = keep_by_key(s, version, step->version_changes, s->version_rows, s->nversion_rows, err);
    *rows = s->differences->nrows;
    if (rc == BASE_OK) rc = push_downstream(s, err);
    if (rc == BASE_OK) rc = engine_view_apply_delta(flow, view, s->differences, err);
    if (rc == BASE_OK)
        rc = engine_view_apply_delta(flow, version,
                                     col_batch_negate(&flow->step_arena, s->differences), err);
    bool same = strcmp(s->view->definition, s->version->definition) == 0;
    if (rc == BASE_OK)
        rc = note_state(flow, s->view->id, plan_object_state_id(s->version), same, err);
    if (rc == BASE_OK)
        rc = note_state(flow, s->version->id, plan_object_state_id(s->view), same, err);
    return rc;
}

static base_rc open_changes(engine_flow *flow, uint32_t id, state_table *out, base_error *err) {
    char name[16];
    snprintf(name, sizeof name, "c%u", id);
    return state_table_open(flow->store, name, out, err);
}

base_rc engine_swap_open(engine_flow *flow, const plan_object *view, const plan_object *version,
                         volatile bool *cancel, engine_swap **out, base_error *err) {
    engine_swap *s = calloc(1, sizeof *s);
    must(s != NULL);
    *out = s;
    s->flow = flow;
    s->view = view;
    s->version = version;
    const engine_config *config = &flow->engine->config;
    s->memory_limit = config->query_memory_bytes > 0 ? config->query_memory_bytes : 1ull << 30;
    s->declared = engine_declared_columns(view);
    base_arena_init(&s->arena, 1 << 16);
    base_arena_init(&s->change_arena, 1 << 16);
    s->types = base_arena_array(&s->arena, col_type, s->declared + 1);
    for (uint32_t i = 0; i < s->declared; i++) s->types[i] = view->columns[i].type;
    s->builder = col_builder_create(&s->arena, s->declared, s->types);
    base_rc rc = compare_beside(s, cancel, err);
    // As long as that took, steps have changed rows; and so on.
    uint64_t nsteps = UINT64_MAX;
    for (int i = 0; rc == BASE_OK && s->keys != NULL && nsteps > FOLLOW_STEPS; i++) {
        if (i == FOLLOW_ROUNDS) break;
        rc = note_both(s, &nsteps, err);
    }
    bool large = s->keys == NULL || base_map_count(s->keys) > LARGE_ROWS / 2;
    return rc == BASE_OK && large ? state_store_settle(flow->store, err) : rc;
}

base_rc engine_swap_run(engine_swap *s, const char *cause, uint64_t *differing, base_error *err) {
    engine_flow *flow = s->flow;
    base_rc rc = work_out(s, err);
    swap_step step = {.swap = s};
    if (rc == BASE_OK) rc = open_changes(flow, s->view->id, &step.view_changes, err);
    if (rc == BASE_OK) rc = open_changes(flow, s->version->id, &step.version_changes, err);
    bool progressed;
    flow->step_cause = cause;
    flow->small_step = s->nview_rows + s->nversion_rows == 0 && rc == BASE_OK &&
                       s->differences->nrows <= LARGE_ROWS;
    if (rc == BASE_OK) rc = engine_step_with(flow, gather_swap, &step, &progressed, err);
    flow->small_step = false;
    flow->step_cause = NULL;
    *differing = s->ndifferent;
    return rc;
}

void engine_swap_close(engine_swap *s) {
    if (s == NULL) return;
    free(s->view_rows);
    free(s->version_rows);
    if (s->keys != NULL) base_map_destroy(s->keys);
    base_arena_deinit(&s->change_arena);
    base_arena_deinit(&s->arena);
    free(s);
}
