// graph.h - the graph of operators that a step runs through: one for all views of a flow, or one
// for an ad-hoc query. Inputs are catalogue objects; each input has a source operator (stream:
// duplicates by business key are recognised; table: upserts by key become deltas; view or system
// rows: as they come) shared by all plans of the graph. A view added later may scan a view added
// earlier: it gets that view's deltas in the same step.
//
// State: with a store, each operator keeps its tables there, named by the view's and the node's id;
// without one everything lives in memory, and the graph runs for one step (an ad-hoc query): begin,
// pushes, flush, output, destroy.
#ifndef WEIR_FLOW_GRAPH_H
#define WEIR_FLOW_GRAPH_H

#include "flow/op.h"

typedef struct flow_graph flow_graph;

// What a view of the graph has, as it was before the step: rows by keys in order, which are the
// ordered encoding of the view's key columns. A row is col_row_encode of all columns, borrowed from
// the transaction; p NULL: there is none.
typedef struct flow_view_rows {
    void *self;
    base_rc (*get)(void *self, uint32_t view_id, state_txn *txn, size_t n, const base_str *keys,
                   base_str *rows, base_error *err);
} flow_view_rows;

typedef struct flow_graph_config {
    state_store *store;       // or NULL
    uint64_t cache_bytes;     // all operators together; 0: 256 MiB
    bool dedup_off;           // sources do not deduplicate (bench only)
    uint32_t batch_rows;      // operators cut output at about so many rows; 0: 65,536 (tests use 1)
    plat *clock;              // for statistics: operators are timed; NULL: they are not
    flow_view_rows view_rows; // with a store: operators may read the views' rows; get NULL: not
    uint64_t memory_limit_bytes; // without a store: beyond it BASE_E_LIMIT 53200; 0: no limit
} flow_graph_config;

BASE_MUST_USE base_rc flow_graph_create(const flow_graph_config *config, flow_graph **out,
                                        base_error *err);
void flow_graph_destroy(flow_graph *graph);

// Adds a view (its plan) under its object id, or an ad-hoc plan under id 0. The object must outlive
// the graph. Reads nothing: a new view starts empty and is filled by pushes. Outside of a step and
// of any transaction of this thread. After a failure the graph can only be destroyed.
BASE_MUST_USE base_rc flow_graph_add(flow_graph *graph, const plan_object *view,
                                     const plan_node *plan, base_error *err);

// Whether no row that the plan gives in a graph with a store is ever retracted.
bool flow_plan_only_grows(const plan_node *plan);

// The inputs that the graph needs pushed: objects that are not views of the graph itself.
typedef struct flow_input {
    const plan_object *object;
    uint32_t ncolumns;
    const uint32_t *columns; // of the object, ascending: the union over scans, plus key columns of
                             // streams and tables, plus the event-time columns; tables with a
                             // key: all columns
    bool dedup;              // a stream with a business key
    bool upsert;             // a table with a key, or a stream whose events may be taken back
} flow_input;
size_t flow_graph_inputs(const flow_graph *graph, const flow_input **out); // until the next add

// Rows of a stream or table also carry where they stand in the log.
typedef struct flow_origin {
    uint32_t partition;
    const uint64_t *offsets; // a row each
    const int64_t *event_us; // event time a row; NULL if the object has none
    const uint8_t *deletes;  // tables: 1 deletes the key; retractable streams: 1 takes back the
                             // event of the key; NULL: none
    const uint8_t *hidden;   // dedup inputs: 1 is remembered, and not given; NULL: none
} flow_origin;

// One step: begin, pushes, flush, outputs, save. A batch has input->ncolumns columns in input
// order. origin: for dedup and upsert inputs; NULL: the rows are taken as they come, with their
// weights, and the source remembers nothing of them (the present rows of a table, a snapshot).
void flow_graph_begin(flow_graph *graph, flow_ctx *ctx);
BASE_MUST_USE base_rc flow_graph_push(flow_graph *graph, size_t input, const col_batch *batch,
                                      const flow_origin *origin, base_error *err);
// Whether what is pushed at the input must stay until the step ends. Else ctx->arena may be one
// that the caller resets after each push, if ctx->step_arena is the step's; strings that the batch
// borrows from elsewhere may go with it.
bool flow_graph_retains(const flow_graph *graph, size_t input);
// Memory that the step in progress has made operators hold, beside what is in its arena.
uint64_t flow_graph_step_bytes(const flow_graph *graph);
// Push only to one view of the graph (filling a new view from history while the others stand). Of a
// deduplicated stream with origin: rows that the source knows to be duplicates are left out
// quietly; a row is an original if the stored place of its key is its own, or its key is no longer
// stored.
BASE_MUST_USE base_rc flow_graph_push_to(flow_graph *graph, size_t input, uint32_t view_id,
                                         const col_batch *batch, const flow_origin *origin,
                                         base_error *err);
// The same for a keyed table whose rows the graph has already: they go to the new view as they
// stand.
BASE_MUST_USE base_rc flow_graph_fill(flow_graph *graph, size_t input, uint32_t view_id,
                                      base_error *err);
// From now on, until the step's end, what is pushed stays in the sources: no view is told of it.
void flow_graph_only_sources(flow_graph *graph);
// And for a new view that reads a view of the graph: rows of the plan's output columns.
BASE_MUST_USE base_rc flow_graph_push_view(flow_graph *graph, uint32_t from_view_id,
                                           uint32_t to_view_id, const col_batch *batch,
                                           base_error *err);
// The view's watermark, for operators that wait for it; before a flush.
void flow_graph_set_watermark(flow_graph *graph, uint32_t view_id, int64_t watermark_us);
// No row of an event time below it will be pushed at the input any more; INT64_MIN: nothing is
// known. Before a flush.
void flow_graph_set_frontier(flow_graph *graph, size_t input, int64_t frontier_us);
// When the output may change without input: a step at or after this processing time is wanted.
// INT64_MIN: not known before the next step; INT64_MAX: never.
int64_t flow_graph_due_us(const flow_graph *graph);
BASE_MUST_USE base_rc flow_graph_flush(flow_graph *graph, base_error *err);
// While a view is filled: the others stand still, also those that change as time passes.
BASE_MUST_USE base_rc flow_graph_flush_view(flow_graph *graph, uint32_t view_id, base_error *err);
// The step's delta of a view (or id 0): consolidated, in the step's arena; columns as the plan's
// output. An ad-hoc result is not consolidated (a row may be there more than once, or with a weight
// above 1) and comes in the order that a SORT gave it. NULL: no change.
const col_batch *flow_graph_output(flow_graph *graph, uint32_t view_id);
// Rows of a view that were out before and are now what they will stay, unchanged in this step: the
// early ones of a window that has closed. NULL: there are none.
const col_batch *flow_graph_settled(flow_graph *graph, uint32_t view_id);
// The same in parts, whose order counts: as they came for a view of which no row is ever retracted,
// else one. *n: how many; 0 if there is no change.
const col_batch *const *flow_graph_output_parts(flow_graph *graph, uint32_t view_id, uint32_t *n);
BASE_MUST_USE base_rc flow_graph_save(flow_graph *graph, base_error *err);
void flow_graph_end(flow_graph *graph); // after commit
void flow_graph_reset(
    flow_graph *graph); // after a failed step: caches dropped, the store is the truth

// Drops the state tables of a view by its state id (before the graph is made without it).
BASE_MUST_USE base_rc flow_state_drop(state_store *store, uint32_t state_id, base_error *err);
// Drops the source tables (deduplication, upsert) of an object.
BASE_MUST_USE base_rc flow_source_drop(state_store *store, uint32_t object_id, base_error *err);

// What the state of a view's operators, or of an object's source, is laid out like, as text; and a
// plan with all that the meaning of its operators' state depends on. Where the texts differ from
// those under which state was written it cannot be read (layout.c).
void flow_graph_layout(const flow_graph *graph, uint32_t view_id, base_buf *buf);
void flow_graph_source_layout(const flow_graph *graph, uint32_t object_id, base_buf *buf);
void flow_plan_layout(const plan_node *plan, base_buf *buf);

BASE_MUST_USE base_rc flow_graph_verify(flow_graph *graph, flow_ctx *ctx, base_error *err);
// One line an operator: view, node, class, stats.
void flow_graph_stats(flow_graph *graph,
                      void (*visit)(void *arg, uint32_t view_id, uint32_t node_id, const char *op,
                                    const flow_op_stats *stats),
                      void *arg);

#endif
