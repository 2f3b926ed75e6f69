// view.c - materialised views: the rows of a view in its flow's store and the log of its changes.
//
// Tables of a view with id N:  vN  row key -> row;  cN  step -> the step's delta. A view that only
// grows and has no key is kept otherwise, see view_append.c.
// A row's key is the ordered encoding of the view's key columns or, without a key, of all columns
// and their tags (then the weight counts rows that are the same). Facts of a view stand in the
// flow's "engine.view" table under its id.
//
// Standing. A windowed row is final once the view's clock, its watermark or the wall clock, has
// reached what plan_final_at says; that is decided when it is read, so nothing is written when a
// window closes. A change
// to a row that was final before the step is a correction: the row keeps that mark for good, and
// the ledger gets the row before and after and the cause (ledger.c). Entry points:
// engine_view_apply (in a step), engine_view_scan_txn (readers).

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/be.h"
#include "base/must.h"
#include "col/codec.h"
#include "col/kernel.h"
#include "engine/history/ledger.h"
#include "engine/history/moment.h"
#include "engine/history/past.h"
#include "engine/system_int.h"

#define ROW_CORRECTED     1u
#define TRIM_STEPS_MAX    4096u
#define TRIM_PAUSE_US_MAX (60 * BASE_US_PER_SECOND)

typedef engine_row_head row_head;

// The facts of a view; a disk format.
typedef struct view_row {
    uint32_t version;  // 2; 1: without history_step
    uint32_t appended; // 1: vN has batches in the order of steps, cN is not used
    int64_t watermark_us;
    uint64_t changed_step;
    uint64_t trimmed_step;
    uint64_t nrows;
    uint64_t corrections;
    uint64_t saved_step; // of the flow; a view in the catalogue that is behind it lacks history
    uint64_t history_step;
} view_row;
_Static_assert(sizeof(view_row) == 64, "view_row is a disk format");
#define VIEW_ROW_1_BYTES offsetof(view_row, history_step)

static base_str id_key(char out[4], uint32_t id) {
    base_be_put(out, id, 4);
    return (base_str){out, 4};
}

static base_str step_key(char out[8], uint64_t step) {
    base_be_put(out, step, 8);
    return (base_str){out, 8};
}

base_rc engine_view_open(engine_flow *flow, engine_view *view, base_error *err) {
    char name[32];
    snprintf(name, sizeof name, "v%u", view->object->id);
    base_rc rc = state_table_open(flow->store, name, &view->rows, err);
    if (rc != BASE_OK) return rc;
    snprintf(name, sizeof name, "c%u", view->object->id);
    return state_table_open(flow->store, name, &view->changes, err);
}

// How a new view is kept. A late row of a window that is final is a correction, whatever the plan,
// so a view with windows is kept by key.
static bool would_be_appended(const plan_object *view) {
    return view->nview_key == 0 && view->window_column < 0 && flow_plan_only_grows(view->plan);
}

static base_rc read_facts(state_txn *txn, state_table t_view, uint32_t id, view_row *out,
                          bool *found, base_error *err) {
    char key[4];
    base_str value;
    base_rc rc = state_get(txn, t_view, id_key(key, id), &value, found, err);
    if (rc != BASE_OK || !*found) return rc;
    if (value.n != sizeof *out && value.n != VIEW_ROW_1_BYTES)
        return base_fail(err, BASE_E_CORRUPT, NULL, "the facts of view %u have %zu bytes", id,
                         value.n);
    memcpy(out, value.p, value.n);
    // What changed before the program could tell how it was cannot be asked for.
    if (value.n == VIEW_ROW_1_BYTES) out->history_step = out->saved_step;
    if (out->version != (value.n == VIEW_ROW_1_BYTES ? 1 : 2) || out->appended > 1)
        return base_fail(err, BASE_E_CORRUPT, NULL, "the facts of view %u are of no known version",
                         id);
    return BASE_OK;
}

base_rc engine_view_watermark_in(const engine_flow *flow, state_txn *txn, uint32_t view_id,
                                 int64_t *us, base_error *err) {
    view_row facts;
    bool found;
    base_rc rc = read_facts(txn, flow->t_view, view_id, &facts, &found, err);
    if (rc == BASE_OK) *us = found ? facts.watermark_us : ENGINE_NO_WATERMARK;
    return rc;
}

base_rc engine_view_load(engine_flow *flow, engine_view *view, state_txn *txn, base_error *err) {
    view_row facts = {0};
    bool found;
    base_rc rc = read_facts(txn, flow->t_view, view->object->id, &facts, &found, err);
    if (rc != BASE_OK) return rc;
    view->is_new = !found;
    view->appended = found ? facts.appended == 1 : would_be_appended(view->object);
    if (view->appended) view->changes = view->rows;
    view->watermark_us = found ? facts.watermark_us : ENGINE_NO_WATERMARK;
    view->changed_step = facts.changed_step;
    view->trimmed_step = found ? facts.trimmed_step : flow->first_step;
    view->history_step = found ? facts.history_step : flow->first_step;
    view->trim_due_us = 0;
    view->nrows = facts.nrows;
    view->corrections = facts.corrections;
    view->final_before_us =
        found ? engine_final_clock(view->object, view->watermark_us, flow->closed_us)
              : ENGINE_NO_WATERMARK;
    return BASE_OK;
}

// A view is incomplete if the statement that made it has not come to its end: it runs, or a crash
// or a failure left the view in the catalogue.
static bool is_complete(const engine_flow *flow, bool found, const view_row *facts, uint64_t step) {
    return found ? facts->saved_step == step : step <= flow->first_step;
}

base_rc engine_view_complete(engine_flow *flow, const plan_object *view, uint64_t *step,
                             bool *complete, base_error *err) {
    state_txn *txn;
    *step = 0;
    base_rc rc = state_begin_read(flow->store, &txn, err);
    if (rc != BASE_OK) return rc;
    base_str value;
    bool found;
    rc = state_get(txn, flow->t_flow, BASE_STR("step"), &value, &found, err);
    if (rc == BASE_OK && found && value.n == sizeof(engine_flow_row)) {
        engine_flow_row row;
        memcpy(&row, value.p, sizeof row);
        *step = row.step;
    }
    view_row facts = {0};
    if (rc == BASE_OK) rc = read_facts(txn, flow->t_view, view->id, &facts, &found, err);
    state_abort(txn);
    *complete = rc == BASE_OK && is_complete(flow, found, &facts, *step);
    return rc;
}

base_rc engine_view_save(engine_flow *flow, engine_view *view, base_error *err) {
    if (view->unfilled && !view->filling) return BASE_OK;
    view_row facts = {
        2,           view->appended,    view->watermark_us, view->changed_step, view->trimmed_step,
        view->nrows, view->corrections, flow->step + 1,     view->history_step};
    char key[4];
    return state_put(flow->txn, flow->t_view, id_key(key, view->object->id),
                     (base_str){(const char *)&facts, sizeof facts}, err);
}

base_rc engine_view_adopt(const engine_flow *from, state_txn *from_txn, engine_flow *flow,
                          state_txn *txn, uint32_t view_id, uint64_t step, base_error *err) {
    view_row facts;
    bool found;
    base_rc rc = read_facts(from_txn, from->t_view, view_id, &facts, &found, err);
    if (rc != BASE_OK) return rc;
    if (!found)
        return base_fail(err, BASE_E_INTERNAL, NULL, "view %u has no facts in \"%s\"", view_id,
                         from->dir);
    facts.changed_step = facts.trimmed_step = facts.saved_step = facts.history_step = step;
    facts.version = 2;
    facts.corrections = 0;
    char key[4];
    return state_put(txn, flow->t_view, id_key(key, view_id),
                     (base_str){(const char *)&facts, sizeof facts}, err);
}

// ---- standing
// ----------------------------------------------------------------------------------------

// When a row's window ends and may no longer change: INT64_MAX if it never is final.
static int64_t final_at(const plan_object *view, const col_batch *rows, uint32_t row) {
    if (view->window_column < 0) return INT64_MAX;
    const plan_column *column = &view->columns[view->window_column];
    const col_vec *vec = &rows->cols[view->window_column];
    return plan_final_at(&view->finality, plan_column_window_end(column, vec, row));
}

static const char *status_of(const plan_object *view, const col_batch *rows, uint32_t row,
                             uint8_t flags, int64_t final_us) {
    if ((flags & ROW_CORRECTED) != 0) return "corrected";
    if (view->window_column < 0) return "current";
    return final_us != ENGINE_NO_WATERMARK && final_at(view, rows, row) <= final_us ? "final"
                                                                                    : "provisional";
}

static bool changes_by_time(const plan_node *node) {
    bool found = node->kind == PLAN_NODE_TEMPORAL;
    for (uint32_t i = 0; i < node->ninputs && !found; i++) found = changes_by_time(node->inputs[i]);
    return found;
}

// Whether nothing but the time has changed the view in this step: rows that come and go so are what
// the view says of its moment, not corrections of what it has said.
static bool time_alone(engine_flow *flow, const plan_object *view) {
    return changes_by_time(view->plan) && !engine_ledger_is_moved(flow, view);
}

// ---- applying a step's delta
// -------------------------------------------------------------------------

typedef struct apply {
    engine_flow *flow;
    engine_view *view;
    const col_batch *delta;
    const uint32_t *columns;       // 0, 1, 2, ...
    bool time_alone;               // no input has changed
    const base_str *encoded;       // keys, by row
    const uint32_t *order;         // rows in order of their keys
    engine_ledger_change *changes; // to rows that were final
    uint32_t nchanges, changes_cap;
    bool keeps_history;
    base_buf undo; // what rows were (past.h), if it does
} apply;

// What becomes of one key: its rows in the delta are order[begin..end).
typedef struct outcome {
    base_str key;
    base_str old;      // stored value, p NULL: none
    uint32_t put_row;  // row of the delta that is the new value, UINT32_MAX: none
    uint32_t gone_row; // a retracted row of the delta, UINT32_MAX: none
    int64_t weight;    // new weight; 0: delete
    base_str value;    // room for a head, then put_row
} outcome;

static base_rc decide(apply *a, uint32_t begin, uint32_t end, outcome *o, base_error *err) {
    const plan_object *object = a->view->object;
    int64_t old_weight = 0;
    if (o->old.p != NULL) {
        row_head head;
        if (o->old.n < sizeof head)
            return base_fail(err, BASE_E_CORRUPT, NULL, "view \"%s.%s\": a row has %zu bytes",
                             object->schema, object->name, o->old.n);
        memcpy(&head, o->old.p, sizeof head);
        old_weight = head.weight;
    }
    o->put_row = o->gone_row = UINT32_MAX;
    int64_t net = old_weight;
    for (uint32_t i = begin; i < end; i++) {
        uint32_t row = a->order[i];
        int64_t w = col_weight(a->delta, row);
        net += w;
        if (w > 0) o->put_row = row;
        if (w < 0) o->gone_row = row;
    }
    o->weight = net;
    if (net < 0 || (object->nview_key > 0 && net > 1))
        return base_fail(err, BASE_E_INTERNAL, NULL,
                         "view \"%s.%s\": a key would have %lld rows after step %llu",
                         object->schema, object->name, (long long)net,
                         (unsigned long long)(a->flow->step + 1));
    return BASE_OK;
}

#define PART_KEYS 2048u // fewer are not worth a thread's waking up

typedef struct row_encoding {
    const apply *a;
    outcome *outcomes;
    uint32_t n, parts;
} row_encoding;

// The rows that become values, each behind room for its head.
static void encode_rows(void *arg, uint32_t part, base_arena *arena) {
    const row_encoding *e = arg;
    const col_batch *delta = e->a->delta;
    uint32_t begin = (uint32_t)plat_part_begin(e->n, e->parts, part);
    uint32_t end = (uint32_t)plat_part_begin(e->n, e->parts, part + 1);
    base_buf buf = {0};
    for (uint32_t k = begin; k < end; k++) {
        outcome *o = &e->outcomes[k];
        if (o->weight == 0 || o->put_row == UINT32_MAX) continue;
        base_buf_clear(&buf);
        base_buf_add(&buf, &(row_head){0}, sizeof(row_head));
        col_row_encode(&buf, delta, o->put_row, delta->ncols, e->a->columns);
        o->value = (base_str){base_arena_memdup(arena, buf.p, buf.n), buf.n};
    }
    base_buf_deinit(&buf);
}

static void note_change(apply *a, const outcome *o, uint32_t revision) {
    if (a->nchanges == a->changes_cap) {
        uint32_t cap = a->changes_cap == 0 ? 64 : a->changes_cap * 4;
        engine_ledger_change *more =
            base_arena_array(&a->flow->step_arena, engine_ledger_change, cap);
        if (a->nchanges > 0) memcpy(more, a->changes, a->nchanges * sizeof *more);
        a->changes = more, a->changes_cap = cap;
    }
    bool gone = o->gone_row != UINT32_MAX, put = o->put_row != UINT32_MAX;
    a->changes[a->nchanges++] = (engine_ledger_change){.key = o->key,
                                                       .old_rows = gone ? a->delta : NULL,
                                                       .old_row = o->gone_row,
                                                       .new_rows = put ? a->delta : NULL,
                                                       .new_row = o->put_row,
                                                       .revision = revision};
}

static void decide_value(apply *a, outcome *o) {
    engine_view *view = a->view;
    row_head old = {0};
    if (o->old.p != NULL) memcpy(&old, o->old.p, sizeof old);
    uint32_t seen = o->put_row != UINT32_MAX ? o->put_row : o->gone_row;
    if (o->old.p != NULL && a->keeps_history)
        engine_undo_add(&a->undo, o->gone_row != UINT32_MAX ? o->gone_row : o->put_row, &old,
                        a->flow->now_us);
    int64_t final_us = final_at(view->object, a->delta, seen);
    bool was_final = view->final_before_us != ENGINE_NO_WATERMARK &&
                     final_us <= view->final_before_us && !a->time_alone &&
                     a->flow->bounds == NULL && view->object->version_of == 0;
    row_head head = {1, old.flags, 0, old.revision + 1, a->flow->now_us, o->weight};
    if (was_final) {
        head.flags |= ROW_CORRECTED;
        view->corrections++;
        note_change(a, o, head.revision);
    }
    if (o->weight == 0) {
        if (o->old.p != NULL) view->nrows--;
        o->value = (base_str){NULL, 0};
        return;
    }
    if (o->old.p == NULL) view->nrows++;
    if (o->put_row == UINT32_MAX) o->value = o->old; // fewer of the same row
    memcpy((char *)(uintptr_t)o->value.p, &head, sizeof head);
}

static base_rc apply_keys(apply *a, base_error *err) {
    base_arena *arena = &a->flow->step_arena;
    const uint32_t *order = a->order;
    uint32_t n = a->delta->nrows, nkeys = 0;
    outcome *outcomes = base_arena_array(arena, outcome, n);
    uint32_t *begins = base_arena_array(arena, uint32_t, n + 1);
    for (uint32_t i = 0; i < n; i++) {
        base_str key = a->encoded[order[i]];
        if (i > 0 && base_str_eq(key, a->encoded[order[i - 1]])) continue;
        begins[nkeys] = i;
        outcomes[nkeys++].key = key;
    }
    begins[nkeys] = n;
    base_str *keys = base_arena_array(arena, base_str, nkeys);
    base_str *values = base_arena_array(arena, base_str, nkeys);
    for (uint32_t k = 0; k < nkeys; k++) keys[k] = outcomes[k].key;
    base_rc rc = state_get_batch(a->flow->txn, a->view->rows, nkeys, keys, values, err);
    for (uint32_t k = 0; rc == BASE_OK && k < nkeys; k++) {
        outcomes[k].old = values[k];
        rc = decide(a, begins[k], begins[k + 1], &outcomes[k], err);
        // Values are borrowed from the store only until the first write: keep what is needed of an
        // old value that stays.
        if (rc == BASE_OK && values[k].p != NULL)
            outcomes[k].old.p = base_arena_memdup(arena, values[k].p, values[k].n);
    }
    if (rc != BASE_OK) return rc;
    plat_workers *workers = engine_flow_workers(a->flow);
    row_encoding e = {a, outcomes, nkeys, plat_workers_parts(workers, nkeys, PART_KEYS)};
    plat_workers_each_in(workers, arena, e.parts, encode_rows, &e);
    for (uint32_t k = 0; k < nkeys; k++) decide_value(a, &outcomes[k]);
    rc = engine_ledger_write(a->flow, a->view->object, a->nchanges, a->changes, err);
    if (rc != BASE_OK) return rc;
    for (uint32_t k = 0; k < nkeys; k++) values[k] = outcomes[k].value;
    return state_put_batch(a->flow->txn, a->view->rows, nkeys, keys, values, err);
}

// A view without a history can be read as of its last change, and later instants.
static base_rc add_change(apply *a, base_error *err) {
    base_buf value = {0};
    if (a->keeps_history) {
        engine_change_encode(&value, a->flow->now_us, a->view->watermark_us, base_buf_str(&a->undo),
                             a->delta);
    } else {
        engine_change_encode_plain(&value, a->flow->now_us, a->view->watermark_us, a->delta);
        a->view->history_step = a->flow->step + 1;
    }
    char key[8];
    base_rc rc = state_append(a->flow->txn, a->view->changes, step_key(key, a->flow->step + 1),
                              base_buf_str(&value), err);
    base_buf_deinit(&value);
    return rc;
}

// The option may be another since the flow's graph was made.
static int64_t history_of(const engine_flow *flow, const engine_view *view) {
    const plan_object *now = engine_catalog_by_id(flow->engine, view->object->id);
    return now != NULL ? now->history_us : view->object->history_us;
}

static base_rc apply_delta(engine_flow *flow, engine_view *view, const col_batch *delta,
                           base_error *err) {
    base_arena *arena = &flow->step_arena;
    const plan_object *object = view->object;
    uint32_t *columns = base_arena_array(arena, uint32_t, delta->ncols + 1);
    for (uint32_t i = 0; i < delta->ncols; i++) columns[i] = i;
    base_str *encoded = base_arena_array(arena, base_str, delta->nrows);
    plat_workers *workers = engine_flow_workers(flow);
    engine_view_keys(object, workers, arena, delta, encoded);
    apply a = {.flow = flow,
               .view = view,
               .delta = delta,
               .columns = columns,
               .time_alone = flow->step_cause == NULL && time_alone(flow, object),
               .keeps_history = !view->filling && history_of(flow, view) != PLAN_HISTORY_OFF,
               .encoded = encoded,
               .order = col_keys_sort(workers, arena, delta->nrows, encoded)};
    base_rc rc = apply_keys(&a, err);
    if (rc == BASE_OK && !view->filling) rc = add_change(&a, err);
    base_buf_deinit(&a.undo);
    if (rc == BASE_OK) view->changed_step = flow->step + 1;
    return rc;
}

base_rc engine_view_apply_delta(engine_flow *flow, engine_view *view, const col_batch *delta,
                                base_error *err) {
    return delta->nrows == 0 ? BASE_OK : apply_delta(flow, view, delta, err);
}

// Early rows whose window has closed without a change are in the view's changes too, as a row that
// goes and comes: so that whoever reads the changes learns that they are final.
static const col_batch *with_settled(engine_flow *flow, const engine_view *view,
                                     const col_batch *delta) {
    const col_batch *settled = flow_graph_settled(flow->graph, view->object->id);
    if (settled == NULL || view->filling) return delta;
    base_arena *arena = &flow->step_arena;
    uint32_t n = settled->nrows, ncols = settled->ncols;
    int64_t *gone = base_arena_array(arena, int64_t, n + 1);
    for (uint32_t i = 0; i < n; i++) gone[i] = -col_weight(settled, i);
    const col_batch *parts[3] = {col_batch_with_weights(arena, settled, gone), settled, delta};
    col_type *types = base_arena_array(arena, col_type, ncols + 1);
    for (uint32_t i = 0; i < ncols; i++) types[i] = settled->cols[i].type;
    return col_batch_concat(arena, ncols, types, delta == NULL ? 2 : 3, parts);
}

base_rc engine_view_apply(engine_flow *flow, engine_view *view, base_error *err) {
    uint32_t id = view->object->id;
    if (view->appended) {
        uint32_t n;
        const col_batch *const *parts = flow_graph_output_parts(flow->graph, id, &n);
        return engine_append_apply(flow, view, n, parts, err);
    }
    const col_batch *delta = with_settled(flow, view, flow_graph_output(flow->graph, id));
    if (delta == NULL || delta->nrows == 0) return BASE_OK;
    return apply_delta(flow, view, delta, err);
}

// A sink's deliveries are read from the change log: it is kept from the least cursor on, but not
// for a sink that has passed a limit of its own, nor for one whose changes are gone already.
static base_rc keep_for_sinks(engine *e, const engine_view *of, uint64_t *upto, base_error *err) {
    const plan_object *view = of->object;
    for (uint32_t id = view->id + 1; id < e->next_id; id++) {
        const plan_object *sink = engine_catalog_by_id(e, id);
        if (sink == NULL || sink->kind != PLAN_OBJECT_SINK || sink->from->id != view->id) continue;
        uint64_t step;
        bool found;
        base_rc rc = engine_sink_find_cursor(e, sink, &step, &found, err);
        if (rc != BASE_OK) return rc;
        if (!found || step < of->trimmed_step || !engine_sink_is_kept_for(e, sink)) continue;
        if (step < *upto) *upto = step;
    }
    return BASE_OK;
}

// So do the flows that read the view: their committed cursors count, not what a step of theirs that
// may yet fail has taken. A flow that has failed, or whose cursor cannot be read, must not stop
// this one: if what it needs has gone when it is there again, it takes the view's rows anew.
static void keep_for_flows(engine_flow *flow, const plan_object *view, uint64_t *upto) {
    engine *e = flow->engine;
    plat_mutex_lock(&e->flows_lock);
    uint32_t n = e->nflows; // flows are added, never removed
    plat_mutex_unlock(&e->flows_lock);
    for (uint32_t i = 0; i < n; i++) {
        engine_flow *other = e->flows[i];
        if (other == flow) continue;
        state_txn *txn;
        base_error err;
        if (engine_flow_begin_read(other, &txn, &err) != BASE_OK) continue;
        engine_cursor cursor;
        bool found;
        base_rc rc = engine_cursor_read(txn, other->t_cursor, view->id, 0, &cursor, &found, &err);
        state_abort(txn);
        if (rc == BASE_OK && found && cursor.next < *upto) *upto = cursor.next;
    }
}

uint64_t engine_changes_keep_steps(const engine *e) {
    return e->config.changes_keep_steps > 0 ? e->config.changes_keep_steps : 100000;
}

// Trimming is looked at when many steps' changes may go at once or, of a view that says how long
// its history is, a few times within that.
static bool trim_is_due(const engine_flow *flow, engine_view *view, int64_t history_us) {
    if (history_us <= 0) {
        uint64_t keep = engine_changes_keep_steps(flow->engine), lot = keep < 256 ? keep : 256;
        return flow->step + 1 > keep + engine_view_trimmed_upto(view) + lot;
    }
    if (flow->now_us < view->trim_due_us) return false;
    int64_t pause_us = history_us / 16;
    if (pause_us > TRIM_PAUSE_US_MAX) pause_us = TRIM_PAUSE_US_MAX;
    view->trim_due_us = flow->now_us + pause_us;
    return true;
}

// The step up to which changes are not kept: by the view's history if it has one, else by the
// configuration.
static base_rc trim_upto(engine_flow *flow, int64_t history_us, uint64_t *upto, base_error *err) {
    int64_t from_us;
    if (history_us <= 0) {
        *upto = flow->step + 1 - engine_changes_keep_steps(flow->engine);
        return BASE_OK;
    }
    *upto = 0;
    if (__builtin_sub_overflow(flow->now_us, history_us, &from_us)) return BASE_OK;
    engine_moment moment;
    bool found;
    base_rc rc = engine_moment_at_time(flow->txn, flow->t_moment, from_us, &flow->step_arena,
                                       &moment, &found, err);
    if (rc == BASE_OK && found) *upto = moment.step;
    return rc;
}

// Drops changes that nobody needs: older than the view's history and than what every reader has
// read. What a reader held back for long goes in portions, or one step would have all of it to
// delete. A view that only grows has its changes for rows: of it the history alone ends.
base_rc engine_view_trim(engine_flow *flow, engine_view *view, base_error *err) {
    engine *e = flow->engine;
    int64_t history_us = history_of(flow, view);
    if (!trim_is_due(flow, view, history_us)) return BASE_OK;
    uint64_t upto;
    base_rc rc = trim_upto(flow, history_us, &upto, err);
    if (rc != BASE_OK || upto <= engine_view_trimmed_upto(view)) return rc;
    if (view->appended) {
        view->history_step = upto;
        return BASE_OK;
    }
    keep_for_flows(flow, view->object, &upto);
    if (upto <= view->trimmed_step) return BASE_OK;
    rc = keep_for_sinks(e, view, &upto, err);
    if (rc != BASE_OK || upto <= view->trimmed_step) return rc;
    if (upto - view->trimmed_step > TRIM_STEPS_MAX) {
        upto = view->trimmed_step + TRIM_STEPS_MAX;
        view->trim_due_us = 0; // the rest with the next step
    }
    char key[8];
    uint64_t deleted;
    rc = state_delete_range(flow->txn, view->changes, (base_str){NULL, 0}, step_key(key, upto + 1),
                            &deleted, err);
    if (rc != BASE_OK) return rc;
    view->trimmed_step = upto;
    if (view->history_step < upto) view->history_step = upto;
    return BASE_OK;
}

// For operators that give what the view shows: see flow_view_rows. self: the flow.
base_rc engine_view_rows(void *self, uint32_t view_id, state_txn *txn, size_t n,
                         const base_str *keys, base_str *rows, base_error *err) {
    const engine_view *view = engine_flow_view(self, view_id);
    must(view != NULL && !view->appended);
    base_rc rc = state_get_batch(txn, view->rows, n, keys, rows, err);
    for (size_t i = 0; i < n && rc == BASE_OK; i++) {
        if (rows[i].p == NULL) continue;
        if (rows[i].n < sizeof(row_head) || rows[i].p[0] != 1)
            return base_fail(err, BASE_E_CORRUPT, NULL, "view \"%s.%s\": a stored row is damaged",
                             view->object->schema, view->object->name);
        rows[i] = (base_str){rows[i].p + sizeof(row_head), rows[i].n - sizeof(row_head)};
    }
    return rc;
}

// ---- reading
// -----------------------------------------------------------------------------------------

base_rc engine_view_snapshot_open(engine *e, const plan_object *view, engine_view_snapshot *out,
                                  base_error *err) {
    memset(out, 0, sizeof *out);
    engine_flow *flow = engine_flow_of_view(e, view->id);
    if (flow == NULL)
        return base_fail(err, BASE_E_NOT_FOUND, BASE_SQLSTATE_UNDEFINED_TABLE,
                         "materialized view \"%s.%s\" does not exist", view->schema, view->name);
    if (flow->store == NULL) {
        engine_flow_unavailable(flow, err);
        base_error_prefix(err, "materialized view \"%s.%s\" cannot be read", view->schema,
                          view->name);
        return err->code;
    }
    char name[32];
    snprintf(name, sizeof name, "v%u", view->id);
    base_rc rc = state_table_open(flow->store, name, &out->rows, err);
    if (rc != BASE_OK) return rc;
    snprintf(name, sizeof name, "c%u", view->id);
    rc = state_table_open(flow->store, name, &out->changes, err);
    if (rc != BASE_OK) return rc;
    rc = state_begin_read(flow->store, &out->txn, err);
    if (rc != BASE_OK) return rc;
    out->flow = flow;
    base_str value;
    bool found;
    rc = state_get(out->txn, flow->t_flow, BASE_STR("step"), &value, &found, err);
    if (rc == BASE_OK && found && value.n == sizeof(engine_flow_row)) {
        engine_flow_row row;
        memcpy(&row, value.p, sizeof row);
        out->step = row.step;
        out->now_us = row.now_us;
    }
    view_row facts = {0};
    if (rc == BASE_OK) rc = read_facts(out->txn, flow->t_view, view->id, &facts, &found, err);
    if (rc == BASE_OK && !is_complete(flow, found, &facts, out->step))
        rc = base_fail(err, BASE_E_BUSY, BASE_SQLSTATE_NOT_IN_STATE,
                       "materialized view \"%s.%s\" is being made: its history is not read yet",
                       view->schema, view->name);
    if (rc != BASE_OK) {
        engine_flow_hint(flow, err);
        state_abort(out->txn);
        out->txn = NULL;
        return rc;
    }
    out->appended = found && facts.appended == 1;
    if (out->appended) out->changes = out->rows;
    out->watermark_us = found ? facts.watermark_us : ENGINE_NO_WATERMARK;
    out->final_us = engine_final_clock(view, out->watermark_us, engine_closed_us(flow, out->txn));
    out->nrows = facts.nrows;
    out->corrections = facts.corrections;
    out->changed_step = facts.changed_step;
    out->trimmed_step = found ? facts.trimmed_step : flow->first_step;
    out->history_step = found ? facts.history_step : flow->first_step;
    return BASE_OK;
}

void engine_view_snapshot_close(engine_view_snapshot *snapshot) {
    if (snapshot->txn != NULL) state_abort(snapshot->txn);
    snapshot->txn = NULL;
}

// A batch under construction by a scan.
typedef struct scan_batch {
    const plan_object *object;
    uint32_t declared;
    col_type *types;
    uint32_t *columns; // 0, 1, 2, ...
    uint32_t capacity, n;
    col_batch *batch;
    uint8_t *flags;
    int64_t *weights;
    bool weighted;
} scan_batch;

static void scan_batch_begin(scan_batch *s, base_arena *arena) {
    base_arena_reset(arena);
    s->batch =
        col_batch_create(arena, s->declared + ENGINE_VIEW_SYSTEM_COLUMNS, s->types, s->capacity);
    s->flags = base_arena_zalloc(arena, s->capacity);
    s->weights = base_arena_alloc(arena, s->capacity * sizeof *s->weights);
    s->n = 0;
    s->weighted = false;
}

static base_rc scan_batch_end(scan_batch *s, base_arena *arena, int64_t final_us,
                              base_rc (*visit)(void *arg, const col_batch *rows, base_error *err),
                              void *arg, base_error *err) {
    if (s->n == 0) return BASE_OK;
    col_batch *rows = col_batch_slice(arena, s->batch, 0, s->n);
    base_str *status = col_str(&rows->cols[s->declared]);
    for (uint32_t i = 0; i < s->n; i++)
        status[i] = base_str_of(status_of(s->object, rows, i, s->flags[i], final_us));
    if (s->weighted) rows = col_batch_with_weights(arena, rows, s->weights);
    return visit(arg, rows, err);
}

static base_rc scan_row(scan_batch *s, base_arena *arena, base_str value, base_error *err) {
    row_head head;
    if (value.n < sizeof head || value.p[0] != 1)
        return base_fail(err, BASE_E_CORRUPT, NULL, "view \"%s.%s\": a stored row is damaged",
                         s->object->schema, s->object->name);
    memcpy(&head, value.p, sizeof head);
    size_t at = sizeof head;
    // Strings would be borrowed from the snapshot; a scan's visitor may outlive it, so they are
    // copied.
    base_str bytes = {base_arena_memdup(arena, value.p, value.n), value.n};
    base_rc rc = col_row_decode(bytes, &at, s->batch, s->n, s->declared, s->columns, arena, err);
    if (rc != BASE_OK) return rc;
    col_i64(&s->batch->cols[s->declared + 1])[s->n] = head.revision;
    col_i64(&s->batch->cols[s->declared + 2])[s->n] = head.updated_us;
    s->flags[s->n] = head.flags;
    s->weights[s->n] = head.weight;
    if (head.weight != 1) s->weighted = true;
    s->n++;
    return BASE_OK;
}

typedef struct scan_to {
    int64_t final_us;
    base_rc (*visit)(void *arg, const col_batch *rows, base_error *err);
    void *arg;
} scan_to;

static base_rc scan_value(scan_batch *s, base_arena *arena, base_str value, const scan_to *to,
                          base_error *err) {
    base_rc rc = scan_row(s, arena, value, err);
    if (rc != BASE_OK || s->n < s->capacity) return rc;
    rc = scan_batch_end(s, arena, to->final_us, to->visit, to->arg, err);
    scan_batch_begin(s, arena);
    return rc;
}

static base_rc scan_gone(scan_batch *s, base_arena *arena, engine_past *past, const base_str *key,
                         const scan_to *to, base_error *err) {
    base_str was;
    bool found;
    base_rc rc = engine_past_gone(past, key, &was, &found, err);
    while (rc == BASE_OK && found) {
        rc = scan_value(s, arena, was, to, err);
        if (rc == BASE_OK) rc = engine_past_gone(past, key, &was, &found, err);
    }
    return rc;
}

static base_rc scan_rows(scan_batch *s, base_arena *arena, state_cursor *cursor, engine_past *past,
                         const scan_to *to, base_error *err) {
    base_str key, value, was;
    bool end;
    base_rc rc = state_cursor_seek(cursor, (base_str){NULL, 0}, &key, &value, &end, err);
    while (rc == BASE_OK && !end) {
        bool other = false;
        if (past != NULL) rc = scan_gone(s, arena, past, &key, to, err);
        if (rc == BASE_OK && past != NULL) rc = engine_past_row(past, key, &was, &other, err);
        if (rc == BASE_OK && other) value = was;
        if (rc == BASE_OK && value.p != NULL) rc = scan_value(s, arena, value, to, err);
        if (rc == BASE_OK) rc = state_cursor_next(cursor, &key, &value, &end, err);
    }
    if (rc == BASE_OK && past != NULL) rc = scan_gone(s, arena, past, NULL, to, err);
    return rc == BASE_OK ? scan_batch_end(s, arena, to->final_us, to->visit, to->arg, err) : rc;
}

base_rc engine_view_get(const plan_object *view, const engine_view_snapshot *snapshot, base_str key,
                        base_arena *arena, bool *there, const col_batch **row, uint32_t *revision,
                        base_error *err) {
    base_str value;
    base_rc rc = state_get(snapshot->txn, snapshot->rows, key, &value, there, err);
    if (rc != BASE_OK || !*there) return rc;
    row_head head;
    if (value.n < sizeof head || value.p[0] != 1)
        return base_fail(err, BASE_E_CORRUPT, NULL, "view \"%s.%s\": a stored row is damaged",
                         view->schema, view->name);
    memcpy(&head, value.p, sizeof head);
    *revision = head.revision;
    uint32_t n = engine_declared_columns(view);
    col_type *types = base_arena_array(arena, col_type, n + 1);
    uint32_t *columns = base_arena_array(arena, uint32_t, n + 1);
    for (uint32_t i = 0; i < n; i++) {
        types[i] = view->columns[i].type;
        columns[i] = i;
    }
    col_batch *out = col_batch_create(arena, n, types, 1);
    base_str bytes = {base_arena_memdup(arena, value.p, value.n), value.n};
    size_t at = sizeof head;
    int64_t *weight = base_arena_array(arena, int64_t, 1);
    *weight = head.weight;
    *row = col_batch_with_weights(arena, out, weight);
    return col_row_decode(bytes, &at, out, 0, n, columns, arena, err);
}

base_rc engine_view_scan_txn(const plan_object *object, bool appended, state_table rows,
                             state_txn *txn, int64_t final_us, uint32_t batch_rows,
                             base_rc (*visit)(void *arg, const col_batch *rows, base_error *err),
                             void *arg, base_error *err) {
    if (appended) return engine_append_scan(object, rows, txn, batch_rows, visit, arg, err);
    return engine_view_scan_past(object, rows, txn, NULL, final_us, batch_rows, visit, arg, err);
}

base_rc engine_view_scan_past(const plan_object *object, state_table rows, state_txn *txn,
                              engine_past *past, int64_t final_us, uint32_t batch_rows,
                              base_rc (*visit)(void *arg, const col_batch *rows, base_error *err),
                              void *arg, base_error *err) {
    scan_to to = {final_us, visit, arg};
    base_arena arena;
    base_arena_init(&arena, 1 << 16);
    scan_batch s = {
        .object = object, .declared = engine_declared_columns(object), .capacity = batch_rows};
    s.types = malloc((s.declared + ENGINE_VIEW_SYSTEM_COLUMNS) * sizeof *s.types);
    s.columns = malloc((s.declared + 1) * sizeof *s.columns);
    must(s.types != NULL && s.columns != NULL);
    for (uint32_t i = 0; i < s.declared; i++) {
        s.types[i] = object->columns[i].type;
        s.columns[i] = i;
    }
    s.types[s.declared] = col_type_of(COL_TEXT);
    s.types[s.declared + 1] = col_type_of(COL_INT8);
    s.types[s.declared + 2] = col_type_of(COL_TIMESTAMPTZ);
    scan_batch_begin(&s, &arena);
    state_cursor *cursor;
    base_rc rc = state_cursor_open(txn, rows, &cursor, err);
    if (rc == BASE_OK) {
        rc = scan_rows(&s, &arena, cursor, past, &to, err);
        state_cursor_close(cursor);
    }
    free(s.types);
    free(s.columns);
    base_arena_deinit(&arena);
    return rc;
}

base_rc engine_view_scan(engine *e, const plan_object *view, base_arena *arena, uint64_t *step,
                         base_rc (*visit)(void *arg, const col_batch *rows, base_error *err),
                         void *arg, base_error *err) {
    (void)arena;
    engine_view_snapshot snapshot;
    base_rc rc = engine_view_snapshot_open(e, view, &snapshot, err);
    if (rc != BASE_OK) return rc;
    if (step != NULL) *step = snapshot.step;
    rc = engine_view_scan_txn(view, snapshot.appended, snapshot.rows, snapshot.txn,
                              snapshot.final_us, 8192, visit, arg, err);
    engine_view_snapshot_close(&snapshot);
    return rc;
}

bool engine_change_is_final(const plan_object *view, const engine_change *change, uint32_t row) {
    int64_t clock_us = engine_final_clock(view, change->watermark_us, change->at_us);
    return view->window_column >= 0 && clock_us != ENGINE_NO_WATERMARK &&
           final_at(view, change->delta, row) <= clock_us;
}

// A step's delta, of which the cursor stands on the first record, with `value`; a view that only
// grows may have it in several.
static base_rc read_delta(state_cursor *cursor, const plan_object *view, base_str value,
                          base_arena *arena, engine_change *out, base_error *err) {
    uint32_t n = engine_declared_columns(view), nparts = 0, cap = 0;
    col_type *types = base_arena_array(arena, col_type, n + 1);
    for (uint32_t i = 0; i < n; i++) types[i] = view->columns[i].type;
    const col_batch **parts = NULL;
    base_str key;
    base_rc rc = BASE_OK;
    for (bool end = false; rc == BASE_OK && !end;) {
        col_batch *part;
        base_str undo, bytes;
        rc = engine_change_parts(value, &undo, &bytes, err);
        if (rc != BASE_OK) return rc;
        bytes.p = base_arena_memdup(arena, bytes.p, bytes.n);
        rc = col_batch_decode(bytes, arena, n, types, &part, err);
        if (rc != BASE_OK) return rc;
        if (nparts == cap) {
            uint32_t more = cap == 0 ? 1 : 4 * cap;
            const col_batch **grown = base_arena_array(arena, const col_batch *, more);
            if (nparts > 0) memcpy(grown, parts, nparts * sizeof *parts);
            parts = grown, cap = more;
        }
        parts[nparts++] = part;
        rc = state_cursor_next(cursor, &key, &value, &end, err);
        if (rc == BASE_OK && !end) end = !engine_append_is_part(key, out->step);
    }
    if (rc == BASE_OK)
        out->delta = nparts == 1 ? parts[0] : col_batch_concat(arena, n, types, nparts, parts);
    return rc;
}

base_rc engine_change_next(engine *e, const plan_object *view, uint64_t after, base_arena *arena,
                           engine_change *out, bool *found, base_error *err) {
    *found = false;
    engine_view_snapshot snapshot;
    base_rc rc = engine_view_snapshot_open(e, view, &snapshot, err);
    if (rc != BASE_OK) return rc;
    if (after < snapshot.trimmed_step) {
        rc = base_fail(
            err, BASE_E_NOT_FOUND, BASE_SQLSTATE_INVALID_PARAMETER,
            "changes of \"%s.%s\" are kept after step %llu only, and step %llu was asked for",
            view->schema, view->name, (unsigned long long)snapshot.trimmed_step,
            (unsigned long long)after);
        base_error_hint(err, "Read the view as a snapshot and go on from its step.");
        engine_view_snapshot_close(&snapshot);
        return rc;
    }
    state_cursor *cursor;
    rc = state_cursor_open(snapshot.txn, snapshot.changes, &cursor, err);
    if (rc == BASE_OK) {
        char from[8];
        base_str key, value;
        bool end;
        rc = state_cursor_seek(cursor, step_key(from, after + 1), &key, &value, &end, err);
        if (rc == BASE_OK && !end && (key.n != 8 || value.n < 16)) {
            rc = base_fail(err, BASE_E_CORRUPT, NULL, "the change log of \"%s.%s\" is damaged",
                           view->schema, view->name);
        } else if (rc == BASE_OK && !end) {
            out->step = base_be_get(key.p, 8);
            memcpy(&out->at_us, value.p, 8);
            memcpy(&out->watermark_us, value.p + 8, 8);
            rc = read_delta(cursor, view, value, arena, out, err);
            *found = rc == BASE_OK;
        }
        state_cursor_close(cursor);
    }
    engine_view_snapshot_close(&snapshot);
    return rc;
}

base_rc engine_changes_count(const engine_view_snapshot *snapshot, uint64_t after, uint64_t upto,
                             uint64_t most, engine_change_counts *out, base_error *err) {
    *out = (engine_change_counts){0};
    state_cursor *cursor;
    base_rc rc = state_cursor_open(snapshot->txn, snapshot->changes, &cursor, err);
    if (rc != BASE_OK) return rc;
    char from[8];
    base_str key, value;
    bool end;
    rc = state_cursor_seek(cursor, step_key(from, after + 1), &key, &value, &end, err);
    while (rc == BASE_OK && !end && value.n >= 16) {
        if (out->steps == 0 || !engine_append_is_part(key, out->last_step)) {
            if (key.n != 8 || out->steps == most || base_be_get(key.p, 8) > upto) break;
            out->last_step = base_be_get(key.p, 8);
            if (out->steps++ == 0) {
                out->first_step = out->last_step;
                memcpy(&out->first_us, value.p, 8);
            }
        }
        base_str undo, delta;
        rc = engine_change_parts(value, &undo, &delta, err);
        if (rc != BASE_OK) break;
        out->rows += col_batch_encoded_rows(delta);
        out->bytes += key.n + value.n;
        rc = state_cursor_next(cursor, &key, &value, &end, err);
    }
    state_cursor_close(cursor);
    return rc;
}

base_rc engine_view_step(engine *e, const plan_object *view, uint64_t *step, base_error *err) {
    engine_flow *flow = engine_flow_of_view(e, view->id);
    if (flow == NULL)
        return base_fail(err, BASE_E_NOT_FOUND, BASE_SQLSTATE_UNDEFINED_TABLE,
                         "materialized view \"%s.%s\" does not exist", view->schema, view->name);
    if (flow->store == NULL) return engine_flow_unavailable(flow, err);
    *step = atomic_load(&flow->committed_step);
    return BASE_OK;
}
