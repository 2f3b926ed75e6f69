// explain.c - plans as text or graph, and what their operators have done: of a query that is run
// for it, or of a view that is kept. Entry points: engine_explain,
// engine_operators_of, system_fill_operators.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "engine/system_int.h"
#include "plan/growth.h"

// ---- figures -----------------------------------------------------------------------------------

static engine_operator *operator_of(engine_operators *list, uint32_t node_id) {
    for (uint32_t i = 0; i < list->n; i++)
        if (list->items[i].node_id == node_id) return &list->items[i];
    return NULL;
}

void engine_operators_note(void *arg, uint32_t view_id, uint32_t node_id, const char *op,
                           const flow_op_stats *stats) {
    engine_operators *list = arg;
    // Sources are of no view; the output is what its last operator gives.
    if (view_id != list->view_id || strcmp(op, "output") == 0) return;
    if (node_id >= list->nnodes || strcmp(op, "source") == 0) return;
    if (operator_of(list, node_id) != NULL || list->n == ENGINE_OPERATORS_MAX) return;
    list->items[list->n++] = (engine_operator){.node_id = node_id, .op = op, .stats = *stats};
}

// Tables "v<view>.<node>.<suffix>" of the view's operators.
typedef struct state_names {
    base_arena *arena;
    uint32_t view_id, n;
    const char *names[STATE_TABLES_MAX];
    uint32_t nodes[STATE_TABLES_MAX];
} state_names;

static base_rc note_table(void *arg, const char *name) {
    state_names *list = arg;
    unsigned view, node;
    int at = 0;
    if (sscanf(name, "v%u.%u.%n", &view, &node, &at) != 2 || at == 0) return BASE_OK;
    if (view != list->view_id || list->n == STATE_TABLES_MAX) return BASE_OK;
    list->nodes[list->n] = node;
    list->names[list->n++] = base_arena_strdup(list->arena, name);
    return BASE_OK;
}

static base_rc measure_state(engine_flow *flow, engine_operators *list, base_arena *arena,
                             base_error *err) {
    state_names *names = base_arena_new(arena, state_names);
    names->arena = arena;
    const plan_object *view = engine_catalog_by_id(flow->engine, list->view_id);
    names->view_id = view != NULL ? plan_object_state_id(view) : list->view_id;
    base_rc rc = state_table_list(flow->store, note_table, names, err);
    state_table *tables = base_arena_array(arena, state_table, names->n + 1u);
    for (uint32_t i = 0; rc == BASE_OK && i < names->n; i++)
        rc = state_table_open(flow->store, names->names[i], &tables[i], err);
    state_txn *txn;
    if (rc == BASE_OK) rc = state_begin_read(flow->store, &txn, err);
    if (rc != BASE_OK) return rc;
    for (uint32_t i = 0; rc == BASE_OK && i < names->n; i++) {
        engine_operator *op = operator_of(list, names->nodes[i]);
        uint64_t rows, bytes;
        rc = state_table_size(txn, tables[i], &rows, &bytes, err);
        if (rc != BASE_OK || op == NULL) continue;
        op->has_state = true;
        op->state_rows += rows;
        op->state_bytes += bytes;
    }
    state_abort(txn);
    return rc;
}

base_rc engine_operators_of(engine *e, const plan_object *view, base_arena *arena,
                            engine_operators *out, base_error *err) {
    *out = (engine_operators){.view_id = view->id, .nnodes = plan_node_id_end(view->plan)};
    out->items = base_arena_array(arena, engine_operator, ENGINE_OPERATORS_MAX);
    engine_flow *flow = engine_flow_of_view(e, view->id);
    if (flow == NULL)
        return base_fail(err, BASE_E_NOT_FOUND, BASE_SQLSTATE_UNDEFINED_TABLE,
                         "materialized view \"%s.%s\" does not exist", view->schema, view->name);
    plat_mutex_lock(&flow->lock); // no step changes the figures meanwhile
    base_rc rc = BASE_OK;
    if (flow->store == NULL)
        rc = engine_flow_unavailable(flow, err);
    else if (flow->graph != NULL)
        flow_graph_stats(flow->graph, engine_operators_note, out);
    if (rc == BASE_OK) rc = measure_state(flow, out, arena, err);
    plat_mutex_unlock(&flow->lock);
    return rc;
}

// ---- text --------------------------------------------------------------------------------------

static void add_bytes(base_buf *buf, uint64_t bytes) {
    if (bytes < 10 << 10)
        base_buf_printf(buf, "%llu B", (unsigned long long)bytes);
    else if (bytes < 10ull << 20)
        base_buf_printf(buf, "%llu kB", (unsigned long long)(bytes >> 10));
    else
        base_buf_printf(buf, "%llu MB", (unsigned long long)(bytes >> 20));
}

typedef struct notes {
    engine_operators *figures; // or NULL
    const plan_states *states; // or NULL
} notes;

static void note_figures(engine_operators *figures, const plan_node *node, base_buf *buf) {
    const engine_operator *op = operator_of(figures, node->id);
    if (op == NULL) return;
    const flow_op_stats *stats = &op->stats;
    base_buf_printf(buf, "  (rows in=%llu out=%llu, time=%.3f ms",
                    (unsigned long long)stats->rows_in, (unsigned long long)stats->rows_out,
                    (double)stats->time_ns / 1e6);
    if (op->has_state) {
        base_buf_printf(buf, ", state=%llu rows ", (unsigned long long)op->state_rows);
        add_bytes(buf, op->state_bytes);
    }
    if (stats->cache_bytes > 0) {
        base_buf_add_cstr(buf, ", cache=");
        add_bytes(buf, stats->cache_bytes);
    }
    base_buf_add_byte(buf, ')');
}

static void note(void *arg, const plan_node *node, base_buf *buf) {
    const notes *n = arg;
    if (n->figures != NULL) note_figures(n->figures, node, buf);
    if (n->states != NULL && node->id < n->states->n)
        plan_state_print(&n->states->by_id[node->id], buf);
}

static void print(const sql_statement *statement, const plan_node *plan, base_arena *arena,
                  engine_operators *figures, base_buf *buf) {
    plan_states states;
    notes n = {figures, NULL};
    if (statement->state) {
        states = plan_growth_of(arena, plan);
        n.states = &states;
    }
    if (statement->dot)
        plan_node_dot(plan, note, &n, buf);
    else
        plan_node_print_noted(plan, note, &n, buf);
    if (n.states == NULL || statement->dot) return;
    const plan_state *view = &states.by_id[plan->id];
    base_buf_printf(buf, "View: %s\n", plan_growth_text(view->rows));
}

base_rc engine_explain(engine_session *session, const sql_statement *statement, base_arena *arena,
                       engine_standing *standing, base_buf *buf, base_error *err) {
    const plan_node *plan = statement->plan;
    engine_operators figures;
    if (!statement->analyze) {
        print(statement, plan, arena, NULL, buf);
        return BASE_OK;
    }
    bool kept = statement->target != NULL && statement->target->kind == PLAN_OBJECT_VIEW;
    if (kept) {
        base_rc rc = engine_operators_of(session->engine, statement->target, arena, &figures, err);
        if (rc == BASE_OK) print(statement, plan, arena, &figures, buf);
        return rc;
    }
    figures = (engine_operators){.nnodes = plan_node_id_end(plan)};
    figures.items = base_arena_array(arena, engine_operator, ENGINE_OPERATORS_MAX);
    uint64_t begin_ns = plat_monotonic_ns(session->engine->plat);
    const col_batch *rows;
    base_rc rc = engine_query_timed(session, plan, arena, &rows, standing, &figures, err);
    if (rc != BASE_OK) return rc;
    uint64_t took_ns = plat_monotonic_ns(session->engine->plat) - begin_ns;
    print(statement, plan, arena, &figures, buf);
    base_buf_printf(
        buf, statement->dot ? "// %u rows in %.3f ms\n" : "Rows: %u\nExecution Time: %.3f ms\n",
        rows->nrows, (double)took_ns / 1e6);
    return BASE_OK;
}

// ---- weir.operators ----------------------------------------------------------------------------

base_rc system_fill_operators(system_rows *r, base_error *err) {
    (void)err;
    uint32_t n;
    const plan_object **objects = system_objects(r, &n);
    for (uint32_t i = 0; i < n; i++) {
        if (objects[i]->kind != PLAN_OBJECT_VIEW) continue;
        engine_operators figures;
        base_error failed; // a flow that has failed shows in weir.flows
        if (engine_operators_of(r->engine, objects[i], r->arena, &figures, &failed) != BASE_OK)
            continue;
        plan_states states = plan_growth_of(r->arena, objects[i]->plan);
        for (uint32_t k = 0; k < figures.n; k++) {
            const engine_operator *op = &figures.items[k];
            system_row(r);
            system_text(r, "schema", objects[i]->schema);
            system_text(r, "view", objects[i]->name);
            system_i64(r, "node", op->node_id);
            system_text(r, "operator", op->op);
            system_i64(r, "rows_in", (int64_t)op->stats.rows_in);
            system_i64(r, "rows_out", (int64_t)op->stats.rows_out);
            system_us(r, "time", (int64_t)(op->stats.time_ns / 1000));
            system_i64(r, "state_rows", (int64_t)op->state_rows);
            system_i64(r, "state_bytes", (int64_t)op->state_bytes);
            system_i64(r, "cache_bytes", (int64_t)op->stats.cache_bytes);
            const plan_state *state = &states.by_id[op->node_id];
            if (state->keeps != NULL) system_text(r, "growth", plan_growth_text(state->state));
        }
    }
    return BASE_OK;
}
