// graph.c - builds operators from plans and drives them through a step.
//
// Invariants:
//  - graph->ops is in topological order: an operator is made after those it reads from, so that
//    flushing in that order lets each see all of its input first.
//  - A view's root feeds a collector (kept per view) and the scans of later views.
//  - Without a store a graph lives for one step, so that operators need keep nothing but the step.
// Entry points: flow_graph_create, flow_graph_add, then begin / push / flush / output / save / end.
#include "flow/flow_int.h"
#include "plan/growth.h"
#include "plan/over.h"
#include "plan/session.h"

#include <stdlib.h>

typedef struct flow_view {
    uint32_t id;
    const plan_object *object; // NULL for id 0
    const plan_node *plan;
    flow_op *root;
    flow_op *collector;
    flow_pile pile;          // of the step
    const col_batch *output; // once asked for
    bool output_made;
    flow_pile settled; // see flow_graph_settled
    bool distinct;     // no two rows of a step's output are equal, nor does one undo another
    bool only_grows;   // no row is retracted
    int64_t watermark_us;
} flow_view;

// ------------------------------------------------------------------------------------ life

base_rc flow_graph_create(const flow_graph_config *config, flow_graph **out, base_error *err) {
    (void)err;
    flow_graph *graph = calloc(1, sizeof *graph);
    must(graph != NULL);
    base_arena_init(&graph->arena, 16 << 10);
    graph->store = config->store;
    graph->cache_bytes = config->cache_bytes == 0 ? 256ull << 20 : config->cache_bytes;
    graph->batch_rows = config->batch_rows == 0 ? 65536 : config->batch_rows;
    graph->dedup_off = config->dedup_off;
    graph->memory_limit_bytes = config->memory_limit_bytes;
    graph->view_rows = config->view_rows;
    graph->clock = config->clock;
    *out = graph;
    return BASE_OK;
}

void flow_graph_destroy(flow_graph *graph) {
    if (graph == NULL) return;
    for (uint32_t i = 0; i < graph->nops; i++) graph->ops[i]->class->close(graph->ops[i]);
    free(graph->ops);
    free(graph->inputs);
    free(graph->sources);
    free(graph->frontiers);
    free(graph->views);
    free(graph->timers);
    free(graph->grown_sessions);
    base_arena_deinit(&graph->arena);
    free(graph);
}

#define GROW(array, n, cap)                                                                        \
    do {                                                                                           \
        if ((n) == (cap)) {                                                                        \
            (cap) = (cap) == 0 ? 8 : (cap)*2;                                                      \
            (array) = realloc((array), sizeof *(array) * (cap));                                   \
            must((array) != NULL);                                                                 \
        }                                                                                          \
    } while (0)

static void add_op(flow_graph *graph, flow_op *op) {
    GROW(graph->ops, graph->nops, graph->ops_cap);
    graph->ops[graph->nops++] = op;
}

static void connect(flow_op *from, flow_op *to, uint32_t port) {
    flow_out *out = &from->out;
    if (out->nedges == out->cap) {
        uint32_t cap = out->cap == 0 ? 4 : out->cap * 2;
        flow_edge *edges = base_arena_array(&from->graph->arena, flow_edge, cap);
        if (out->nedges > 0) memcpy(edges, out->edges, sizeof *edges * out->nedges);
        out->edges = edges;
        out->cap = cap;
    }
    out->edges[out->nedges++] = (flow_edge){to, port};
}

uint32_t flow_timer_add(flow_graph *graph) {
    GROW(graph->timers, graph->ntimers, graph->timers_cap);
    graph->timers[graph->ntimers] = INT64_MIN;
    return graph->ntimers++;
}

void flow_timer_set(flow_graph *graph, uint32_t timer, int64_t due_us) {
    must(timer < graph->ntimers);
    graph->timers[timer] = due_us;
}

int64_t flow_graph_due_us(const flow_graph *graph) {
    int64_t due_us = INT64_MAX;
    for (uint32_t i = 0; i < graph->ntimers; i++)
        if (graph->timers[i] < due_us) due_us = graph->timers[i];
    return due_us;
}

void flow_heap_add(flow_op *op, int64_t bytes) {
    op->graph->heap_bytes = (uint64_t)((int64_t)op->graph->heap_bytes + bytes);
}

base_rc flow_poll(flow_graph *graph, flow_ctx *ctx, base_error *err) {
    if (ctx->cancelled != NULL && ctx->cancelled(ctx->cancel_arg)) {
        return base_fail(err, BASE_E_CANCELLED, BASE_SQLSTATE_CANCELLED,
                         "canceling statement due to user request");
    }
    uint64_t held = ctx->arena->total_bytes + graph->heap_bytes;
    if (flow_step_arena(ctx) != ctx->arena) held += ctx->step_arena->total_bytes;
    if (graph->store == NULL && graph->memory_limit_bytes > 0 && held > graph->memory_limit_bytes) {
        base_fail(err, BASE_E_LIMIT, BASE_SQLSTATE_OUT_OF_MEMORY,
                  "the query needs more than its limit of %llu bytes of memory",
                  (unsigned long long)graph->memory_limit_bytes);
        base_error_hint(err, "read fewer rows or columns, or group by fewer values");
        return BASE_E_LIMIT;
    }
    return BASE_OK;
}

// Time in an operator without that in the operators which it pushes to.
typedef struct timing {
    uint64_t begin_ns, outer_ns;
} timing;

static timing begin_timing(flow_graph *graph) {
    if (graph->clock == NULL) return (timing){0};
    timing t = {plat_monotonic_ns(graph->clock), graph->inner_ns};
    graph->inner_ns = 0;
    return t;
}

static void end_timing(flow_graph *graph, flow_op *op, timing t) {
    if (graph->clock == NULL) return;
    uint64_t took = plat_monotonic_ns(graph->clock) - t.begin_ns;
    op->stats.time_ns += took > graph->inner_ns ? took - graph->inner_ns : 0;
    graph->inner_ns = t.outer_ns + took;
}

static base_rc push_to(flow_op *op, flow_ctx *ctx, uint32_t port, const col_batch *batch,
                       base_error *err) {
    timing t = begin_timing(op->graph);
    base_rc rc = op->class->push(op, ctx, port, batch, &op->out, err);
    end_timing(op->graph, op, t);
    return rc;
}

base_rc flow_emit(flow_out *out, flow_ctx *ctx, const col_batch *batch, base_error *err) {
    if (batch->nrows == 0) return BASE_OK;
    flow_op *owner = out->owner;
    flow_graph *graph = owner->graph;
    owner->stats.rows_out += batch->nrows;
    base_rc rc = flow_poll(graph, ctx, err);
    bool restricted = graph->restricted && owner->node == NULL;
    for (uint32_t i = 0; rc == BASE_OK && i < out->nedges; i++) {
        flow_op *to = out->edges[i].op;
        if (restricted && to->view_id != graph->only_view) continue;
        rc = push_to(to, ctx, out->edges[i].port, batch, err);
    }
    return rc;
}

// ------------------------------------------------------------------------------------ collector

typedef struct collector_op {
    flow_op op;
    uint32_t view; // index; the views may move
} collector_op;

static base_rc collector_push(flow_op *op, flow_ctx *ctx, uint32_t port, const col_batch *batch,
                              flow_out *out, base_error *err) {
    (void)port, (void)out, (void)err;
    op->stats.rows_in += batch->nrows;
    flow_pile_add(&op->graph->views[((collector_op *)op)->view].pile, ctx->arena, batch);
    return BASE_OK;
}
static base_rc collector_flush(flow_op *op, flow_ctx *ctx, flow_out *out, base_error *err) {
    (void)op, (void)ctx, (void)out, (void)err;
    return BASE_OK;
}
static base_rc collector_save(flow_op *op, flow_ctx *ctx, base_error *err) {
    (void)op, (void)ctx, (void)err;
    return BASE_OK;
}
static void collector_reset(flow_op *op) {
    (void)op;
}
static void collector_stats(flow_op *op, flow_op_stats *stats) {
    *stats = op->stats;
}

static const flow_op_class collector_class = {.name = "output",
                                              .push = collector_push,
                                              .flush = collector_flush,
                                              .save = collector_save,
                                              .reset = collector_reset,
                                              .verify = collector_save,
                                              .stats = collector_stats,
                                              .close = collector_reset};

// ------------------------------------------------------------------------------------ building

static flow_view *find_view(const flow_graph *graph, uint32_t id) {
    for (uint32_t i = 0; i < graph->nviews; i++) {
        if (graph->views[i].id == id) return &graph->views[i];
    }
    return NULL;
}

static bool is_log_object(const plan_object *object) {
    return object->kind == PLAN_OBJECT_STREAM || object->kind == PLAN_OBJECT_TABLE;
}

static void add_column(flow_graph *graph, flow_input *input, uint32_t column) {
    uint32_t at = 0;
    while (at < input->ncolumns && input->columns[at] < column) at++;
    if (at < input->ncolumns && input->columns[at] == column) return;
    uint32_t *columns = base_arena_array(&graph->arena, uint32_t, input->ncolumns + 1u);
    for (uint32_t i = 0; i < input->ncolumns; i++) columns[i < at ? i : i + 1] = input->columns[i];
    columns[at] = column;
    input->columns = columns;
    input->ncolumns++;
}

static base_rc add_input(flow_graph *graph, const plan_object *object, uint32_t *index,
                         base_error *err) {
    flow_op *source;
    base_rc rc = flow_source_create(graph, object, &source, err);
    if (rc != BASE_OK) return rc;
    add_op(graph, source);
    if (graph->ninputs == graph->inputs_cap) {
        graph->inputs_cap = graph->inputs_cap == 0 ? 8 : graph->inputs_cap * 2;
        graph->inputs = realloc(graph->inputs, sizeof *graph->inputs * graph->inputs_cap);
        graph->sources = realloc(graph->sources, sizeof *graph->sources * graph->inputs_cap);
        graph->frontiers = realloc(graph->frontiers, sizeof(int64_t) * graph->inputs_cap);
        must(graph->inputs != NULL && graph->sources != NULL && graph->frontiers != NULL);
    }
    bool keyed = is_log_object(object) && object->nkey > 0;
    *index = graph->ninputs++;
    flow_input *input = &graph->inputs[*index];
    *input =
        (flow_input){.object = object,
                     .dedup = keyed && object->kind == PLAN_OBJECT_STREAM && !object->retractable &&
                              !graph->dedup_off,
                     .upsert = keyed && (object->kind == PLAN_OBJECT_TABLE || object->retractable)};
    graph->sources[*index] = source;
    graph->frontiers[*index] = INT64_MIN;
    if (is_log_object(object)) {
        for (uint32_t i = 0; i < object->nkey; i++) add_column(graph, input, object->key[i]);
        if (object->event_time >= 0) add_column(graph, input, (uint32_t)object->event_time);
        if (object->has_sequence) add_column(graph, input, (uint32_t)object->sequence_number);
        if (object->has_sequence && object->sequence_source >= 0)
            add_column(graph, input, (uint32_t)object->sequence_source);
    }
    // A stored row serves views to come: it has all columns.
    for (uint32_t i = 0; input->upsert && i < object->ncolumns; i++) add_column(graph, input, i);
    return BASE_OK;
}

static base_rc build_scan(flow_graph *graph, const plan_node *node, flow_op **out, flow_op **from,
                          base_error *err) {
    base_rc rc = flow_scan_create(graph, node, 0, out, err);
    if (rc != BASE_OK) return rc;
    const plan_object *object = node->object;
    flow_view *view = object->kind == PLAN_OBJECT_VIEW ? find_view(graph, object->id) : NULL;
    if (view != NULL) {
        for (uint32_t i = 0; i < node->ncolumns; i++) {
            if (node->indexes[i] >= view->plan->ncolumns) {
                return base_fail(err, BASE_E_UNSUPPORTED, NULL,
                                 "system columns of view \"%s.%s\" cannot be used in a view",
                                 object->schema, object->name);
            }
        }
        *from = view->root;
        flow_scan_bind(*out, NULL);
        return BASE_OK;
    }
    uint32_t at = 0;
    while (at < graph->ninputs && !plan_object_same(graph->inputs[at].object, object)) at++;
    if (at == graph->ninputs) rc = add_input(graph, object, &at, err);
    if (rc != BASE_OK) return rc;
    for (uint32_t i = 0; i < node->ncolumns; i++) {
        add_column(graph, &graph->inputs[at], node->indexes[i]);
    }
    *from = graph->sources[at];
    return BASE_OK;
}

static void mark_read(void *used, const plan_expr *expr) {
    flow_mark_columns(expr, used);
}

// Which columns of input i a node reads, given which of its own are read.
static bool *child_needs(flow_graph *graph, const plan_node *node, uint32_t i, const bool *needed) {
    const plan_node *child = node->inputs[i];
    bool *needs = base_arena_array(&graph->arena, bool, child->ncolumns + 1u);
    switch (node->kind) {
    case PLAN_NODE_FILTER:
        memcpy(needs, needed, sizeof(bool) * child->ncolumns);
        flow_mark_columns(node->predicate, needs);
        return needs;
    case PLAN_NODE_PROJECT:
        for (uint32_t c = 0; c < node->ncolumns; c++) {
            if (needed[c]) flow_mark_columns(node->exprs[c], needs);
        }
        return needs;
    case PLAN_NODE_WINDOW:
        memcpy(needs, needed, sizeof(bool) * child->ncolumns);
        needs[node->time_column] = true;
        return needs;
    case PLAN_NODE_AGGREGATE:
        for (uint32_t c = 0; c < node->nexprs; c++) flow_mark_columns(node->exprs[c], needs);
        for (uint32_t c = 0; c < node->naggs; c++) plan_agg_each(&node->aggs[c], mark_read, needs);
        return needs;
    case PLAN_NODE_UNION_ALL:
        memcpy(needs, needed, sizeof(bool) * child->ncolumns);
        return needs;
    case PLAN_NODE_TABLE_FUNC:
        memcpy(needs, needed, sizeof(bool) * child->ncolumns);
        for (uint32_t c = 0; c < node->nexprs; c++) flow_mark_columns(node->exprs[c], needs);
        if (node->predicate != NULL) {
            bool *both = base_arena_array(&graph->arena, bool, node->ncolumns + 1u);
            flow_mark_columns(node->predicate, both);
            for (uint32_t c = 0; c < child->ncolumns; c++) needs[c] |= both[c];
        }
        return needs;
    default: // they compare, keep or give whole rows
        memset(needs, 1, sizeof(bool) * child->ncolumns);
        return needs;
    }
}

bool flow_plan_only_grows(const plan_node *plan) {
    return plan_only_grows(plan, true);
}

static base_rc build(flow_graph *graph, uint32_t view_id, const plan_node *node, const bool *needed,
                     flow_op **out, base_error *err);

// The operator that has been made of a node of the view; NULL: none yet.
static flow_op *built(const flow_graph *graph, uint32_t view_id, const plan_node *node) {
    for (uint32_t i = graph->nops; i-- > 0;) {
        if (graph->ops[i]->node == node && graph->ops[i]->view_id == view_id) return graph->ops[i];
    }
    return NULL;
}

// The sessions that an aggregate is told of as they grow; NULL: it is given rows. columns: room for
// its keys.
static const plan_node *grown_session(flow_graph *graph, const plan_node *node, uint32_t *columns) {
    const plan_node *session;
    if (graph->store == NULL || node->kind != PLAN_NODE_AGGREGATE ||
        !plan_session_moves(&graph->arena, node, &session, columns))
        return NULL;
    return session;
}

static bool is_grown(const flow_graph *graph, const plan_node *session) {
    for (uint32_t i = 0; i < graph->ngrown; i++)
        if (graph->grown_sessions[i] == session) return true;
    return false;
}

static base_rc make_aggregate(flow_graph *graph, uint32_t view_id, const plan_node *node,
                              flow_op **out, base_error *err) {
    uint32_t *columns = base_arena_array(&graph->arena, uint32_t, node->nexprs + 1u);
    const plan_node *session = grown_session(graph, node, columns);
    bool grows = session != NULL || plan_only_grows(node->inputs[0], graph->store != NULL);
    base_rc rc = flow_agg_create(graph, view_id, node, grows, out, err);
    if (rc == BASE_OK && session != NULL)
        flow_session_grow_feed(built(graph, view_id, session), *out, columns);
    return rc;
}

static base_rc make_op(flow_graph *graph, uint32_t view_id, const plan_node *node,
                       const bool *needed, flow_op **out, flow_op **from, base_error *err) {
    switch (node->kind) {
    case PLAN_NODE_SCAN:
        return build_scan(graph, node, out, from, err);
    case PLAN_NODE_VALUES:
        return flow_values_create(graph, view_id, node, out, err);
    case PLAN_NODE_FILTER:
        return flow_filter_create(graph, node, needed, out, err);
    case PLAN_NODE_PROJECT:
        return flow_project_create(graph, node, needed, out, err);
    case PLAN_NODE_WINDOW:
        return flow_window_create(graph, node, needed, out, err);
    case PLAN_NODE_TEMPORAL:
        return flow_temporal_create(graph, view_id, node, out, err);
    case PLAN_NODE_SESSION:
        return is_grown(graph, node) ? flow_session_grow_create(graph, view_id, node, out, err)
                                     : flow_session_create(graph, view_id, node, out, err);
    case PLAN_NODE_EMIT:
        return flow_emit_create(graph, view_id, node, out, err);
    case PLAN_NODE_AGGREGATE:
        return make_aggregate(graph, view_id, node, out, err);
    case PLAN_NODE_EXPAND:
        return flow_expand_create(graph, node, out, err);
    case PLAN_NODE_JOIN:
        return flow_join_create(graph, view_id, node, out, err);
    case PLAN_NODE_DISTINCT:
        return flow_distinct_create(graph, view_id, node, out, err);
    case PLAN_NODE_ASOF:
        return flow_asof_create(graph, view_id, node, out, err);
    case PLAN_NODE_LOOKUP:
        return flow_lookup_create(graph, view_id, node,
                                  plan_only_grows(node->inputs[0], graph->store != NULL), out, err);
    case PLAN_NODE_SETOP:
        return flow_setop_create(graph, view_id, node, out, err);
    case PLAN_NODE_UNION_ALL:
        return flow_union_create(graph, node, out, err);
    case PLAN_NODE_MATCH:
        return flow_match_create(graph, view_id, node, out, err);
    case PLAN_NODE_TABLE_FUNC:
        return flow_table_func_create(graph, node, needed, out, err);
    case PLAN_NODE_SORT:
        return flow_sort_create(graph, view_id, node, out, err);
    case PLAN_NODE_RECURSIVE:
        return flow_recursive_create(graph, node, out, err);
    case PLAN_NODE_OVER:
        return flow_over_create(graph, view_id, node, out, err);
    case PLAN_NODE_TOP:
        return plan_top_keeps_heads(node, graph->store != NULL)
                   ? flow_top_grow_create(graph, view_id, node, out, err)
                   : flow_top_create(graph, view_id, node, out, err);
    }
    return base_fail(err, BASE_E_UNSUPPORTED, NULL, "a plan node of kind %d cannot be run",
                     (int)node->kind);
}

static base_rc build(flow_graph *graph, uint32_t view_id, const plan_node *node, const bool *needed,
                     flow_op **out, base_error *err) {
    if (node->shared) { // for all its readers
        *out = built(graph, view_id, node);
        if (*out != NULL) return BASE_OK;
        bool *all = base_arena_array(&graph->arena, bool, node->ncolumns + 1u);
        memset(all, 1, node->ncolumns);
        needed = all;
    }
    const plan_node *grown =
        grown_session(graph, node, base_arena_array(&graph->arena, uint32_t, node->nexprs + 1u));
    if (grown != NULL) {
        GROW(graph->grown_sessions, graph->ngrown, graph->grown_cap);
        graph->grown_sessions[graph->ngrown++] = grown;
    }
    flow_op **inputs = base_arena_array(&graph->arena, flow_op *, node->ninputs + 1u);
    for (uint32_t i = 0; i < node->ninputs; i++) {
        base_rc rc = build(graph, view_id, node->inputs[i], child_needs(graph, node, i, needed),
                           &inputs[i], err);
        if (rc != BASE_OK) return rc;
    }
    flow_op *op = NULL, *from = NULL;
    base_rc rc = make_op(graph, view_id, node, needed, &op, &from, err);
    if (op != NULL) {
        op->view_id = view_id;
        add_op(graph, op); // also when it failed: it is closed with the graph
    }
    if (rc != BASE_OK) return rc;
    if (from != NULL) connect(from, op, 0);
    for (uint32_t i = 0; i < node->ninputs; i++) connect(inputs[i], op, i);
    *out = op;
    return BASE_OK;
}

// An aggregate gives at most two rows a group and step, which differ, and heads that only grow give
// at most two of each rank; what keeps all of its columns keeps them apart.
static bool gives_distinct_rows(const flow_graph *graph, const plan_node *node) {
    if (node->kind == PLAN_NODE_AGGREGATE) return true;
    if (node->kind == PLAN_NODE_TOP)
        return node->limit <= 1 ||
               (node->with_rank && plan_top_keeps_heads(node, graph->store != NULL));
    if (node->kind != PLAN_NODE_PROJECT || !gives_distinct_rows(graph, node->inputs[0]))
        return false;
    for (uint32_t i = 0; i < node->inputs[0]->ncolumns; i++) {
        bool kept = false;
        for (uint32_t c = 0; c < node->ncolumns && !kept; c++) {
            kept = node->exprs[c]->kind == PLAN_EXPR_COLUMN && node->exprs[c]->index == i;
        }
        if (!kept) return false;
    }
    return true;
}

// Heads whose rows the view shows need not keep them.
static void mirror_heads(flow_graph *graph, uint32_t view_id, const plan_node *plan) {
    const plan_node *top = plan;
    while (top->kind == PLAN_NODE_PROJECT) top = top->inputs[0];
    if (graph->view_rows.get == NULL || graph->store == NULL || top->kind != PLAN_NODE_TOP ||
        !plan_top_keeps_heads(top, true))
        return;
    flow_top_grow_mirror(built(graph, view_id, top), view_id, plan);
}

base_rc flow_graph_add(flow_graph *graph, const plan_object *view, const plan_node *plan,
                       base_error *err) {
    uint32_t id = view == NULL ? 0 : view->id;
    if (find_view(graph, id) != NULL) {
        return base_fail(err, BASE_E_EXISTS, NULL, "view %u is in the graph already", id);
    }
    graph->adding = id; // operators open their tables when they are made
    graph->adding_state = view == NULL ? 0 : plan_object_state_id(view);
    bool *needed = base_arena_array(&graph->arena, bool, plan->ncolumns + 1u);
    memset(needed, 1, plan->ncolumns);
    flow_op *root;
    base_rc rc = build(graph, id, plan, needed, &root, err);
    if (rc != BASE_OK) return rc;
    if (view != NULL) mirror_heads(graph, id, plan);
    GROW(graph->views, graph->nviews, graph->views_cap);
    collector_op *collector = base_arena_new(&graph->arena, collector_op);
    FLOW_OP_INIT(&collector->op, &collector_class, graph, id, plan);
    collector->view = graph->nviews;
    add_op(graph, &collector->op);
    connect(root, &collector->op, 0);
    graph->views[graph->nviews++] =
        (flow_view){.id = id,
                    .object = view,
                    .plan = plan,
                    .root = root,
                    .collector = &collector->op,
                    .watermark_us = INT64_MIN,
                    .distinct = gives_distinct_rows(graph, plan),
                    .only_grows = graph->store != NULL && flow_plan_only_grows(plan)};
    return BASE_OK;
}

size_t flow_graph_inputs(const flow_graph *graph, const flow_input **out) {
    *out = graph->inputs;
    return graph->ninputs;
}

// ------------------------------------------------------------------------------------ a step

void flow_graph_begin(flow_graph *graph, flow_ctx *ctx) {
    graph->ctx = ctx;
    base_error_clear(&graph->begin_error);
    if (graph->store == NULL && graph->stepped) {
        base_fail(&graph->begin_error, BASE_E_UNSUPPORTED, NULL,
                  "a graph without a store runs for one step");
    }
    must(graph->store == NULL || ctx->txn != NULL);
    graph->stepped = true;
    for (uint32_t i = 0; i < graph->nviews; i++) {
        graph->views[i].pile = graph->views[i].settled = (flow_pile){0};
        graph->views[i].output = NULL;
        graph->views[i].output_made = false;
    }
    for (uint32_t i = 0; i < graph->ninputs; i++) {
        const flow_out *out = &graph->sources[i]->out;
        for (uint32_t e = 0; e < out->nedges; e++) {
            flow_scan_bind(out->edges[e].op, &graph->inputs[i]);
        }
    }
}

base_rc flow_graph_push(flow_graph *graph, size_t input, const col_batch *batch,
                        const flow_origin *origin, base_error *err) {
    must(input < graph->ninputs && graph->ctx != NULL);
    if (graph->begin_error.code != BASE_OK) {
        *err = graph->begin_error;
        return err->code;
    }
    must(batch->ncols == graph->inputs[input].ncolumns);
    if (batch->nrows == 0) return BASE_OK;
    timing t = begin_timing(graph);
    base_rc rc = flow_source_push(graph->sources[input], graph->ctx, batch, origin, err);
    end_timing(graph, graph->sources[input], t);
    return rc;
}

static bool retains_from(const flow_op *op) {
    if (op->hold != FLOW_HOLD_PASS) return op->hold == FLOW_HOLD_STEP;
    return flow_out_retains(&op->out);
}

bool flow_out_retains(const flow_out *out) {
    for (uint32_t i = 0; i < out->nedges; i++)
        if (retains_from(out->edges[i].op)) return true;
    return false;
}

bool flow_graph_retains(const flow_graph *graph, size_t input) {
    must(input < graph->ninputs);
    return retains_from(graph->sources[input]);
}

uint64_t flow_graph_step_bytes(const flow_graph *graph) {
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < graph->nops; i++) bytes += graph->ops[i]->step_bytes;
    return bytes;
}

base_rc flow_graph_push_to(flow_graph *graph, size_t input, uint32_t view_id,
                           const col_batch *batch, const flow_origin *origin, base_error *err) {
    graph->restricted = true;
    graph->only_view = view_id;
    base_rc rc = flow_graph_push(graph, input, batch, origin, err);
    graph->restricted = false;
    return rc;
}

void flow_graph_only_sources(flow_graph *graph) {
    graph->restricted = true;
    graph->only_view = UINT32_MAX;
}

base_rc flow_graph_fill(flow_graph *graph, size_t input, uint32_t view_id, base_error *err) {
    must(input < graph->ninputs && graph->ctx != NULL);
    graph->restricted = true;
    graph->only_view = view_id;
    base_rc rc = flow_source_fill(graph->sources[input], graph->ctx, err);
    graph->restricted = false;
    return rc;
}

base_rc flow_graph_push_view(flow_graph *graph, uint32_t from_view_id, uint32_t to_view_id,
                             const col_batch *batch, base_error *err) {
    flow_view *view = find_view(graph, from_view_id);
    must(view != NULL && graph->ctx != NULL);
    const flow_out *out = &view->root->out;
    for (uint32_t i = 0; i < out->nedges && batch->nrows > 0; i++) {
        flow_op *to = out->edges[i].op;
        if (to->view_id != to_view_id || to == view->collector) continue;
        base_rc rc = push_to(to, graph->ctx, out->edges[i].port, batch, err);
        if (rc != BASE_OK) return rc;
    }
    return BASE_OK;
}

void flow_graph_set_watermark(flow_graph *graph, uint32_t view_id, int64_t watermark_us) {
    flow_view *view = find_view(graph, view_id);
    if (view != NULL) view->watermark_us = watermark_us;
}

void flow_graph_set_frontier(flow_graph *graph, size_t input, int64_t frontier_us) {
    must(input < graph->ninputs);
    graph->frontiers[input] = frontier_us;
}

int64_t flow_graph_floor(const flow_graph *graph, const plan_floor *floor) {
    int64_t least = graph->one_flushes || floor->n == 0 ? INT64_MIN : INT64_MAX;
    for (uint32_t i = 0; i < floor->n; i++) {
        uint32_t at = 0;
        while (at < graph->ninputs && graph->inputs[at].object->id != floor->of[i].object->id) at++;
        int64_t us = at < graph->ninputs ? graph->frontiers[at] : INT64_MIN;
        if (us == INT64_MIN ||
            (us != INT64_MAX && __builtin_add_overflow(us, floor->of[i].shift_us, &us)))
            return INT64_MIN;
        if (us < least) least = us;
    }
    return least;
}

int64_t flow_graph_watermark(const flow_graph *graph, uint32_t view_id) {
    const flow_view *view = find_view(graph, view_id);
    return view == NULL ? INT64_MIN : view->watermark_us;
}

base_rc flow_graph_flush(flow_graph *graph, base_error *err) {
    if (graph->begin_error.code != BASE_OK) {
        *err = graph->begin_error;
        return err->code;
    }
    base_rc rc = flow_poll(graph, graph->ctx, err);
    for (uint32_t i = 0; rc == BASE_OK && i < graph->nops; i++) {
        flow_op *op = graph->ops[i];
        timing t = begin_timing(graph);
        rc = op->class->flush(op, graph->ctx, &op->out, err);
        end_timing(graph, op, t);
    }
    return rc;
}

base_rc flow_graph_flush_view(flow_graph *graph, uint32_t view_id, base_error *err) {
    graph->one_flushes = true;
    graph->only_view = view_id;
    base_rc rc = flow_graph_flush(graph, err);
    graph->one_flushes = false;
    return rc;
}

static bool retracts(const col_batch *batch) {
    for (uint32_t i = 0; batch->weights != NULL && i < batch->nrows; i++) {
        if (batch->weights[i] < 0) return true;
    }
    return false;
}

const col_batch *flow_graph_output(flow_graph *graph, uint32_t view_id) {
    flow_view *view = find_view(graph, view_id);
    if (view == NULL || view->pile.n == 0) return NULL;
    if (view->output_made) return view->output;
    base_arena *arena = graph->ctx->arena;
    const col_batch *batch = flow_pile_concat(&view->pile, arena, view->plan);
    // An ad-hoc result may be in an order that its columns do not show, and nothing in it cancels.
    // What only grows has nothing to cancel either, and is kept as it comes.
    bool as_is = view->distinct || view->only_grows || (graph->store == NULL && !retracts(batch));
    if (!as_is) batch = col_consolidate(arena, batch);
    view->output = batch->nrows == 0 ? NULL : batch;
    view->output_made = true;
    return view->output;
}

void flow_graph_settle(flow_graph *graph, uint32_t view_id, const col_batch *rows) {
    flow_view *view = find_view(graph, view_id);
    if (view != NULL && rows->nrows > 0) flow_pile_add(&view->settled, graph->ctx->arena, rows);
}

const col_batch *flow_graph_settled(flow_graph *graph, uint32_t view_id) {
    flow_view *view = find_view(graph, view_id);
    if (view == NULL || view->settled.n == 0) return NULL;
    return flow_pile_concat(&view->settled, graph->ctx->arena, view->plan);
}

const col_batch *const *flow_graph_output_parts(flow_graph *graph, uint32_t view_id, uint32_t *n) {
    flow_view *view = find_view(graph, view_id);
    *n = 0;
    if (view == NULL || view->pile.n == 0) return NULL;
    if (view->only_grows) {
        *n = view->pile.n;
        return view->pile.batches;
    }
    if (flow_graph_output(graph, view_id) == NULL) return NULL;
    *n = 1;
    return &view->output;
}

base_rc flow_graph_save(flow_graph *graph, base_error *err) {
    base_rc rc = BASE_OK;
    for (uint32_t i = 0; rc == BASE_OK && graph->store != NULL && i < graph->nops; i++) {
        timing t = begin_timing(graph);
        rc = graph->ops[i]->class->save(graph->ops[i], graph->ctx, err);
        end_timing(graph, graph->ops[i], t);
    }
    return rc;
}

static void forget_step(flow_graph *graph) {
    for (uint32_t i = 0; i < graph->nviews; i++) {
        graph->views[i].pile = (flow_pile){0};
        graph->views[i].output = NULL;
        graph->views[i].output_made = false;
    }
    graph->ctx = NULL;
    graph->restricted = false;
}

void flow_graph_end(flow_graph *graph) {
    forget_step(graph);
}

void flow_graph_reset(flow_graph *graph) {
    forget_step(graph);
    for (uint32_t i = 0; i < graph->nops; i++) graph->ops[i]->class->reset(graph->ops[i]);
}

base_rc flow_graph_verify(flow_graph *graph, flow_ctx *ctx, base_error *err) {
    base_rc rc = BASE_OK;
    for (uint32_t i = 0; rc == BASE_OK && graph->store != NULL && i < graph->nops; i++) {
        rc = graph->ops[i]->class->verify(graph->ops[i], ctx, err);
    }
    return rc;
}

void flow_graph_stats(flow_graph *graph,
                      void (*visit)(void *arg, uint32_t view_id, uint32_t node_id, const char *op,
                                    const flow_op_stats *stats),
                      void *arg) {
    for (uint32_t i = 0; i < graph->nops; i++) {
        flow_op *op = graph->ops[i];
        flow_op_stats stats = {0};
        op->class->stats(op, &stats);
        visit(arg, op->view_id, op->node_id, op->class->name, &stats);
    }
}
