// fill.c - history for a new view of a flow that has already read its inputs: the view is given
// what they gave before it came, in one transaction, while the other views stand still.
//
// A stream is read again from its first retained record to the flow's cursor, through the flow's
// own record of duplicates; a table, a stream whose events may be taken back and a view give their
// present rows. What
// comes after the cursor reaches the new view in ordinary steps. Operators are incremental and
// their results do not depend on the order of their input, so the view ends as if it had always
// been there. Only look-ups (FOR SYSTEM_TIME AS OF PROCTIME()) do depend on it: what they look rows
// up in is given first. Entry point: engine_flow_fill.

#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "engine/engine_int.h"

#define FILL_CHUNK_BYTES (32u << 20)

typedef struct fill {
    engine_flow *flow;
    engine_view *view;
    const plan_object
        *source; // of the rows that fill_view_rows gets: an earlier view of the graph, or
    const engine_input *input; // an input (then source is NULL)
    uint32_t ncolumns;         // and those of its columns that the graph wants
    const uint32_t *columns;
    uint64_t rows;
    base_rc rc;
    base_error *err;
    const plan_object *done[64]; // objects already given: one push serves all scans of an object
    uint32_t ndone;
} fill;

// What was pushed since the last call becomes rows of the view; the scratch of the step is free
// again.
static base_rc fill_flush(fill *f) {
    engine_flow *flow = f->flow;
    base_rc rc = flow_graph_flush_view(flow->graph, f->view->object->id, f->err);
    if (rc == BASE_OK) rc = engine_view_apply(flow, f->view, f->err);
    if (rc == BASE_OK) rc = flow_graph_save(flow->graph, f->err);
    if (rc != BASE_OK) return rc;
    flow_graph_end(flow->graph);
    base_arena_reset(&flow->step_arena);
    flow_graph_begin(flow->graph, &flow->ctx);
    return BASE_OK;
}

static base_rc fill_log_partition(fill *f, engine_input *input, uint32_t p) {
    engine_flow *flow = f->flow;
    log_stream *log = input->stream->log;
    uint64_t upto = input->partitions[p].next;
    if (log_begin(log, p) >= upto) return BASE_OK;
    log_reader *reader;
    base_rc rc = log_reader_open(log, p, log_begin(log, p), &reader, f->err);
    if (rc != BASE_OK) return rc;
    uint64_t bytes = 0;
    bool end = false;
    engine_clock clock; // as it was when the flow read them
    engine_clock_init(&clock, input->object);
    while (rc == BASE_OK && !end && log_reader_offset(reader) < upto) {
        log_batch batch;
        rc = log_reader_next(reader, &batch, &end, f->err);
        if (rc != BASE_OK || end) break;
        uint32_t n = batch.base_offset + batch.count > upto ? (uint32_t)(upto - batch.base_offset)
                                                            : batch.count;
        engine_decoded d;
        engine_contract_decode_batch(input->contract, &batch, 0, n, p, &flow->step_arena, &d);
        if (engine_batch_is_control(&batch)) engine_clock_advance(&clock, &batch, 0);
        engine_clock_skip(input->object, &clock, &flow->step_arena, &d);
        uint64_t *offsets = base_arena_alloc(&flow->step_arena, (d.nrows + 1) * sizeof *offsets);
        for (uint32_t i = 0; i < d.nrows; i++) offsets[i] = batch.base_offset + d.doc[i];
        flow_origin origin = {p, offsets, d.event_us, d.deletes, NULL};
        if (d.nrows > 0)
            rc = flow_graph_push_to(flow->graph, input->graph_input, f->view->object->id, d.batch,
                                    &origin, f->err);
        f->rows += d.nrows;
        bytes += batch.payload_bytes;
        if (rc == BASE_OK && bytes > FILL_CHUNK_BYTES) {
            rc = fill_flush(f);
            log_reader_release(reader);
            bytes = 0;
        }
    }
    if (rc == BASE_OK) rc = fill_flush(f);
    engine_clock_deinit(&clock);
    log_reader_close(reader);
    return rc;
}

static base_rc fill_push(fill *f, const col_batch *rows) {
    flow_graph *graph = f->flow->graph;
    uint32_t to = f->view->object->id;
    if (f->source != NULL) return flow_graph_push_view(graph, f->source->id, to, rows, f->err);
    return flow_graph_push_to(graph, f->input->graph_input, to, rows, NULL, f->err);
}

static base_rc fill_view_rows(void *arg, const col_batch *rows, base_error *err) {
    fill *f = arg;
    (void)err;
    f->rows += rows->nrows;
    const col_batch *copy = col_batch_copy(&f->flow->step_arena, rows);
    copy = col_batch_project(&f->flow->step_arena, copy, f->ncolumns, f->columns);
    base_rc rc = fill_push(f, copy);
    return rc == BASE_OK ? fill_flush(f) : rc;
}

// A change that the flow has yet to read.
typedef struct unread {
    const col_batch *delta;
    const struct unread *before;
} unread;

// Takes the changes after the step that this flow has read back, the last one first and all in one
// flush: in between, rows would have to go that are not there.
static base_rc undo_unread(fill *f, engine_input *input, uint64_t upto) {
    base_arena *arena = &f->flow->step_arena;
    const unread *last = NULL;
    base_rc rc = BASE_OK;
    for (uint64_t at = input->upstream_step; at < upto;) {
        engine_change change;
        bool found;
        rc = engine_change_next(f->flow->engine, input->object, at, arena, &change, &found, f->err);
        if (rc != BASE_OK) return rc;
        if (!found || change.step > upto) break;
        at = change.step;
        unread *one = base_arena_alloc(arena, sizeof *one);
        *one = (unread){change.delta, last};
        last = one;
    }
    for (; rc == BASE_OK && last != NULL; last = last->before) {
        const col_batch *undo = col_batch_negate(arena, last->delta);
        undo = col_batch_project(arena, undo, f->ncolumns, f->columns);
        rc = flow_graph_push_to(f->flow->graph, input->graph_input, f->view->object->id, undo, NULL,
                                f->err);
    }
    return rc == BASE_OK ? fill_flush(f) : rc;
}

// A view of another flow, as it was at the step that this flow has read: its rows now, less what
// has changed since.
static base_rc fill_upstream(fill *f, engine_input *input) {
    engine_view_snapshot snapshot;
    base_rc rc = engine_view_snapshot_open(f->flow->engine, input->object, &snapshot, f->err);
    if (rc != BASE_OK) return rc;
    f->source = NULL;
    f->input = input;
    f->ncolumns = input->ncolumns;
    f->columns = input->columns;
    rc = engine_view_scan_txn(input->object, snapshot.appended, snapshot.rows, snapshot.txn,
                              snapshot.final_us, 8192, fill_view_rows, f, f->err);
    uint64_t upto = snapshot.step;
    engine_view_snapshot_close(&snapshot);
    return rc == BASE_OK ? undo_unread(f, input, upto) : rc;
}

static base_rc fill_object(fill *f, const plan_object *object) {
    engine_flow *flow = f->flow;
    engine_view *inner =
        object->kind == PLAN_OBJECT_VIEW ? engine_flow_view(flow, object->id) : NULL;
    if (inner != NULL) { // of this flow: as the open transaction has it
        if (inner->is_new || inner->unfilled) return BASE_OK;
        // Only the declared columns: the system columns of a view are not part of its deltas. They
        // live in the flow's arena, which a flush empties, so they are allocated with the graph.
        uint32_t *columns = base_arena_array(&flow->graph_arena, uint32_t, object->ncolumns + 1);
        for (uint32_t i = 0; i < object->ncolumns; i++) columns[i] = i;
        f->source = object;
        f->ncolumns = engine_declared_columns(object);
        f->columns = columns;
        return engine_view_scan_txn(object, inner->appended, inner->rows, flow->txn,
                                    engine_view_final_us(flow, inner), 8192, fill_view_rows, f,
                                    f->err);
    }
    for (uint32_t i = 0; i < flow->ninputs; i++) {
        engine_input *input = &flow->inputs[i];
        if (input->object->id != object->id) continue;
        if ((object->kind == PLAN_OBJECT_STREAM && !object->retractable) ||
            (object->kind == PLAN_OBJECT_TABLE && object->nkey == 0)) {
            base_rc rc = BASE_OK;
            for (uint32_t p = 0; rc == BASE_OK && p < input->npartitions; p++)
                rc = fill_log_partition(f, input, p);
            return rc;
        }
        if (object->kind != PLAN_OBJECT_VIEW) { // the source has the rows
            base_rc rc =
                flow_graph_fill(flow->graph, input->graph_input, f->view->object->id, f->err);
            return rc == BASE_OK ? fill_flush(f) : rc;
        }
        return input->started ? fill_upstream(f, input) : BASE_OK;
    }
    return BASE_OK;
}

static void visit_fill(void *arg, const plan_node *scan) {
    fill *f = arg;
    if (f->rc != BASE_OK) return;
    for (uint32_t i = 0; i < f->ndone; i++)
        if (f->done[i] == scan->object) return;
    if (f->ndone < 64) f->done[f->ndone++] = scan->object;
    f->rc = fill_object(f, scan->object);
}

static base_rc gather_history(engine_flow *flow, void *arg, uint64_t *rows, base_error *err) {
    fill f = {
        .flow = flow, .view = engine_flow_view(flow, ((const plan_object *)arg)->id), .err = err};
    must(f.view != NULL);
    f.view->filling = true;
    f.view->fill_seq = 0;
    // Duplicates were counted when they were read first.
    const flow_hooks *hooks = flow->ctx.hooks;
    flow_hooks quiet = *hooks;
    quiet.duplicate = NULL;
    flow->ctx.hooks = &quiet;
    // Rows are looked up in what is there already.
    plan_node_lookup_scans(f.view->object->plan, visit_fill, &f);
    plan_node_scans(f.view->object->plan, visit_fill, &f);
    flow->ctx.hooks = hooks;
    *rows = f.rows;
    // Readers of changes begin at a snapshot: the history is not in the change log.
    f.view->trimmed_step = f.view->history_step = flow->step + 1;
    return f.rc;
}

// ---- what rows are looked up in, and nobody has read yet

typedef struct reading {
    engine_flow *flow;
    bool *wanted; // by input
    bool value;   // to set
} reading;

static void mark_input(void *arg, const plan_node *scan) {
    reading *r = arg;
    for (uint32_t i = 0; i < r->flow->ninputs; i++)
        if (r->flow->inputs[i].object == scan->object) r->wanted[i] = r->value;
}

static base_rc gather_looked_up(engine_flow *flow, void *arg, uint64_t *rows, base_error *err) {
    flow_graph_only_sources(flow->graph);
    return engine_inputs_gather_first(flow, arg, rows, err);
}

// The history of a view with look-ups is looked up in what is there now. An input that no other
// view of the flow reads may be new to the flow: it is read to its end first.
static base_rc read_looked_up(engine_flow *flow, const engine_view *view, base_error *err) {
    reading r = {flow, calloc(flow->ninputs + 1, sizeof(bool)), true};
    must(r.wanted != NULL);
    plan_node_lookup_scans(view->object->plan, mark_input, &r);
    r.value = false;
    for (uint32_t i = 0; i < flow->nviews; i++)
        if (&flow->views[i] != view) plan_node_scans(flow->views[i].object->plan, mark_input, &r);
    base_rc rc = BASE_OK;
    bool any = false, progressed = true;
    for (uint32_t i = 0; i < flow->ninputs; i++) any |= r.wanted[i];
    for (bool again = any; rc == BASE_OK && again; again = flow->cut_short && progressed)
        rc = engine_step_with(flow, gather_looked_up, r.wanted, &progressed, err);
    free(r.wanted);
    return rc;
}

base_rc engine_flow_fill(engine_flow *flow, const plan_object *view, base_error *err) {
    engine_view *entry = engine_flow_view(flow, view->id);
    if (flow->step == flow->first_step || !(entry->is_new || entry->unfilled)) return BASE_OK;
    entry->unfilled = true;
    bool progressed;
    base_rc rc = read_looked_up(flow, entry, err);
    if (rc == BASE_OK) rc = engine_step_with(flow, gather_history, (void *)view, &progressed, err);
    entry->filling = false;
    if (rc == BASE_OK) entry->unfilled = false;
    return rc;
}
