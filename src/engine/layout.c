// layout.c - whether a flow's state may be read by this program: what each view's state, and each
// source's, was laid out like when it was begun stands in the flow's store, as text
// (flow/layout.c), and is compared whenever the flow's graph is made. State of another layout, or
// of another plan, is not read: the flow fails with what differs and the remedy. It is not made
// anew unasked, since retention may have taken a part of the log, and the ledger of corrections
// goes with the store.
//
// Table "engine.layout": "v" or "s", id (4 bytes, big-endian; of a view its state's) -> text. A
// view with facts and without a row is of a program that had none. Invariant: a row is there before
// the first step that writes state of it. Entry points: engine_layouts_check, engine_layout_drop.
#include <stdio.h>
#include <string.h>

#include "base/be.h"
#include "engine/engine_int.h"

#define ROWS_LAYOUT 1 // of a view's rows and changes (view.c, view_append.c)
#define LINE_MOST   200

static base_str layout_key(char out[5], char kind, uint32_t id) {
    out[0] = kind;
    base_be_put(out + 1, id, 4);
    return (base_str){out, 5};
}

static void view_layout(const engine_flow *flow, const plan_object *view, base_buf *out) {
    base_buf_printf(out, "rows %d", ROWS_LAYOUT);
    for (uint32_t k = 0; k < view->nview_key; k++) base_buf_printf(out, " %u", view->view_key[k]);
    base_buf_add_byte(out, '\n');
    flow_graph_layout(flow->graph, view->id, out);
    flow_plan_layout(view->plan, out);
}

// ---- what differs -------------------------------------------------------------------------------

static base_str next_line(base_str *rest) {
    const char *end = rest->n == 0 ? NULL : memchr(rest->p, '\n', rest->n);
    base_str line = {rest->p, end == NULL ? rest->n : (size_t)(end - rest->p)};
    size_t taken = line.n + (end != NULL);
    *rest = (base_str){rest->p + taken, rest->n - taken};
    while (line.n > 0 && line.p[0] == ' ') line = (base_str){line.p + 1, line.n - 1};
    if (line.n > LINE_MOST) line.n = LINE_MOST;
    return line;
}

// The first lines that differ.
static void first_difference(base_str a, base_str b, base_str *x, base_str *y) {
    do {
        *x = next_line(&a);
        *y = next_line(&b);
    } while (base_str_eq(*x, *y) && (a.n > 0 || b.n > 0));
}

static base_rc refuse(const engine_flow *flow, const char *what, const plan_object *object,
                      base_str stored, base_str wanted, base_error *err) {
    base_str was, is;
    first_difference(stored, wanted, &was, &is);
    return base_fail(err, BASE_E_UNSUPPORTED, BASE_SQLSTATE_NOT_IN_STATE,
                     "the state in \"%s\" needs to be made again: %s \"%s.%s\" was kept as "
                     "\"%.*s\", and this version keeps \"%.*s\"",
                     flow->dir, what, object->schema, object->name, BASE_STR_ARG(was),
                     BASE_STR_ARG(is));
}

// ---- the check ----------------------------------------------------------------------------------

typedef struct pending { // rows to be written
    base_arena arena;
    uint32_t n;
    base_str *keys, *values;
} pending;

static void add_pending(pending *p, base_str key, base_str value) {
    p->keys[p->n] = (base_str){base_arena_memdup(&p->arena, key.p, key.n), key.n};
    p->values[p->n++] = (base_str){base_arena_memdup(&p->arena, value.p, value.n), value.n};
}

static base_rc check_view(engine_flow *flow, state_txn *txn, const plan_object *view, pending *p,
                          base_error *err) {
    char key[5], facts_key[4];
    base_str value, id = layout_key(key, 'v', plan_object_state_id(view));
    bool found, has_facts = false;
    base_be_put(facts_key, view->id, 4);
    base_rc rc = state_get(txn, flow->t_layout, id, &value, &found, err);
    if (rc == BASE_OK && !found) {
        base_str ignored;
        rc = state_get(txn, flow->t_view, (base_str){facts_key, sizeof facts_key}, &ignored,
                       &has_facts, err);
    }
    if (rc != BASE_OK) return rc;
    if (has_facts) {
        return base_fail(err, BASE_E_UNSUPPORTED, BASE_SQLSTATE_NOT_IN_STATE,
                         "the state in \"%s\" needs to be made again: it was written by a version "
                         "that did not say what it is laid out like",
                         flow->dir);
    }
    base_buf wanted = {0};
    view_layout(flow, view, &wanted);
    if (!found)
        add_pending(p, id, base_buf_str(&wanted));
    else if (!base_str_eq(value, base_buf_str(&wanted)))
        rc = refuse(flow, "view", view, value, base_buf_str(&wanted), err);
    base_buf_deinit(&wanted);
    return rc;
}

static base_rc check_source(engine_flow *flow, state_txn *txn, const plan_object *object,
                            pending *p, base_error *err) {
    char key[5];
    base_str value, id = layout_key(key, 's', object->id);
    bool found;
    base_rc rc = state_get(txn, flow->t_layout, id, &value, &found, err);
    if (rc != BASE_OK) return rc;
    base_buf wanted = {0};
    flow_graph_source_layout(flow->graph, object->id, &wanted);
    if (!found)
        add_pending(p, id, base_buf_str(&wanted));
    else if (!base_str_eq(value, base_buf_str(&wanted)))
        rc = refuse(flow, plan_object_kind_name(object->kind), object, value, base_buf_str(&wanted),
                    err);
    base_buf_deinit(&wanted);
    return rc;
}

static base_rc write_rows(engine_flow *flow, const pending *p, base_error *err) {
    if (p->n == 0) return BASE_OK;
    state_txn *txn;
    base_rc rc = state_begin_write(flow->store, &txn, err);
    if (rc != BASE_OK) return rc;
    for (uint32_t i = 0; i < p->n && rc == BASE_OK; i++)
        rc = state_put(txn, flow->t_layout, p->keys[i], p->values[i], err);
    if (rc == BASE_OK) return state_commit(txn, err);
    state_abort(txn);
    return rc;
}

base_rc engine_layouts_check(engine_flow *flow, base_error *err) {
    const flow_input *inputs;
    size_t ninputs = flow_graph_inputs(flow->graph, &inputs);
    pending p = {.n = 0};
    base_arena_init(&p.arena, 1 << 14);
    p.keys = base_arena_array(&p.arena, base_str, flow->nviews + ninputs + 1);
    p.values = base_arena_array(&p.arena, base_str, flow->nviews + ninputs + 1);
    state_txn *txn;
    base_rc rc = state_begin_read(flow->store, &txn, err);
    if (rc == BASE_OK) {
        for (uint32_t i = 0; i < flow->nviews && rc == BASE_OK; i++)
            rc = check_view(flow, txn, flow->views[i].object, &p, err);
        for (size_t i = 0; i < ninputs && rc == BASE_OK; i++)
            rc = check_source(flow, txn, inputs[i].object, &p, err);
        state_abort(txn);
    }
    if (rc == BASE_OK) rc = write_rows(flow, &p, err);
    base_arena_deinit(&p.arena);
    return rc;
}

base_rc engine_layout_drop(engine_flow *flow, state_txn *txn, bool view, uint32_t id,
                           base_error *err) {
    char key[5];
    bool found;
    return state_delete(txn, flow->t_layout, layout_key(key, view ? 'v' : 's', id), &found, err);
}
