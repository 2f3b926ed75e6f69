// version_swap.c - in one step of a flow, the rows of a view and of its version change places.
//
// The differences between the two are worked out first (compare.h), from a snapshot as of the
// flow's last step. The step then applies them to the view, which writes them to its change log (so
// that sinks and other flows get them, and nothing else) and to the ledger, hands them to the views
// of the flow that read it, and takes them from the version. The same transaction notes in
// "engine.version" whose operators' state makes the rows of each from now on: that is the commit
// point of a promotion. Entry point: engine_version_swap.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/be.h"
#include "base/must.h"
#include "col/kernel.h"
#include "engine/version/compare.h"
#include "engine/version/version.h"

typedef struct swapping {
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
} swapping;

static base_rc check_memory(const swapping *s, base_error *err) {
    if (s->arena.total_bytes <= s->memory_limit) return BASE_OK;
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
    state_txn *txn;
    base_rc rc = engine_flow_begin_read(s->flow, &txn, err);
    if (rc != BASE_OK) return rc;
    engine_side x = {s->view, a->appended, a->rows, txn, true};
    engine_side y = {s->version, b->appended, b->rows, txn, true};
    engine_compare_result result;
    rc = engine_compare(&x, &y, note_difference, NULL, s, NULL, &result, err);
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

static base_rc note_state(engine_flow *flow, uint32_t view_id, uint32_t state_id, base_error *err) {
    char key[4];
    base_be_put(key, view_id, 4);
    return state_put(flow->txn, flow->t_version, (base_str){key, 4},
                     (base_str){(const char *)&state_id, sizeof state_id}, err);
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
    if (rc == BASE_OK) rc = note_state(flow, s->view->id, plan_object_state_id(s->version), err);
    if (rc == BASE_OK) rc = note_state(flow, s->version->id, plan_object_state_id(s->view), err);
    return rc;
}

static base_rc open_changes(engine_flow *flow, uint32_t id, state_table *out, base_error *err) {
    char name[16];
    snprintf(name, sizeof name, "c%u", id);
    return state_table_open(flow->store, name, out, err);
}

base_rc engine_version_swap(engine_flow *flow, const plan_object *view, const plan_object *version,
                            const char *cause, uint64_t *differing, base_error *err) {
    swapping s = {.flow = flow, .view = view, .version = version};
    const engine_config *config = &flow->engine->config;
    s.memory_limit = config->query_memory_bytes > 0 ? config->query_memory_bytes : 1ull << 30;
    s.declared = engine_declared_columns(view);
    base_arena_init(&s.arena, 1 << 16);
    s.types = base_arena_array(&s.arena, col_type, s.declared + 1);
    for (uint32_t i = 0; i < s.declared; i++) s.types[i] = view->columns[i].type;
    s.builder = col_builder_create(&s.arena, s.declared, s.types);
    base_rc rc = work_out(&s, err);
    swap_step step = {.swap = &s};
    if (rc == BASE_OK) rc = open_changes(flow, view->id, &step.view_changes, err);
    if (rc == BASE_OK) rc = open_changes(flow, version->id, &step.version_changes, err);
    bool progressed;
    flow->step_cause = cause;
    if (rc == BASE_OK) rc = engine_step_with(flow, gather_swap, &step, &progressed, err);
    flow->step_cause = NULL;
    *differing = s.ndifferent;
    free(s.view_rows);
    free(s.version_rows);
    base_arena_deinit(&s.arena);
    return rc;
}
