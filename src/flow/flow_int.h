// flow_int.h - what the operators share: the operator's head, its output, access to state, sorting
// of byte keys, evaluation with failing rows set aside. Internal to src/flow.
#ifndef WEIR_FLOW_FLOW_INT_H
#define WEIR_FLOW_FLOW_INT_H

#include "base/must.h"
#include "col/codec.h"
#include "col/kernel.h"
#include "flow/graph.h"
#include "plan/release.h"

typedef struct flow_edge {
    flow_op *op;
    uint32_t port;
} flow_edge;

struct flow_out {
    flow_op *owner;
    uint32_t nedges, cap;
    flow_edge *edges;
};

// What becomes of a batch that was pushed at an operator, when the push is over.
typedef enum flow_hold {
    FLOW_HOLD_STEP, // it may be kept until the step ends
    FLOW_HOLD_PASS, // it, or what was made of it, went on
    FLOW_HOLD_NONE, // nothing refers to it
} flow_hold;

// Versions of layouts of those that serve a plan node in another way, of inputs that only grow.
#define FLOW_LAYOUT_GROWN 1000u

// Every operator's struct begins with this.
struct flow_op {
    const flow_op_class *class;
    flow_graph *graph;
    uint32_t view_id;      // 0 for sources and for an ad-hoc plan
    uint32_t node_id;      // in the view's plan; for sources the object's id
    const plan_node *node; // NULL for sources
    flow_out out;
    flow_op_stats stats;
    flow_hold hold;
    uint64_t step_bytes; // heap memory that goes with the step
};

// What operators see of the graph.
struct flow_graph {
    base_arena arena; // operators and their plans' by-products
    state_store *store;
    uint64_t cache_bytes;
    uint32_t batch_rows;
    bool dedup_off;
    uint64_t memory_limit_bytes;
    flow_view_rows view_rows;
    uint64_t heap_bytes; // held by operators beside the arenas
    uint32_t ncaches;    // operators that share cache_bytes
    plat *clock;         // or NULL
    uint64_t inner_ns;   // of the timed call in progress: what calls within it took

    uint32_t nops, ops_cap;
    flow_op **ops; // in topological order

    uint32_t ninputs, inputs_cap;
    flow_input *inputs; // parallel to sources
    flow_op **sources;
    int64_t *frontiers; // parallel: see flow_graph_set_frontier
    uint32_t nviews, views_cap;
    struct flow_view *views;
    uint32_t adding, adding_state; // the view that is being added, and whose state its tables are

    uint32_t ntimers, timers_cap;
    int64_t *timers; // INT64_MIN: not known

    flow_ctx *ctx; // of the step
    bool stepped;  // without a store: the one step has begun
    base_error begin_error;
    uint32_t ngrown, grown_cap;
    const plan_node **grown_sessions; // SESSIONs that tell their aggregate what has grown

    bool restricted;  // push_to: sources feed only_view
    bool one_flushes; // only only_view goes on in time
    uint32_t only_view;
};

// Hands a batch on to all consumers; counts, polls for cancellation and the limit of memory.
BASE_MUST_USE base_rc flow_emit(flow_out *out, flow_ctx *ctx, const col_batch *batch,
                                base_error *err);
// Whether a batch that is emitted may have to stay until the step ends. Else it may be made in an
// arena that is reset after it, given as ctx->arena beside the step's.
bool flow_out_retains(const flow_out *out);
BASE_MUST_USE base_rc flow_poll(flow_graph *graph, flow_ctx *ctx, base_error *err);
// Timers of operators whose output changes as time passes: when each is due next.
static inline bool flow_stands_still(const flow_op *op) {
    return op->graph->one_flushes && op->view_id != op->graph->only_view;
}
uint32_t flow_timer_add(flow_graph *graph);
void flow_timer_set(flow_graph *graph, uint32_t timer, int64_t due_us);
int64_t flow_graph_watermark(const flow_graph *graph, uint32_t view_id); // INT64_MIN: none yet
// A floor as it is now; INT64_MIN: it says nothing, or a view is being filled with history.
int64_t flow_graph_floor(const flow_graph *graph, const plan_floor *floor);
// Rows that flow_graph_settled gives; they are not changed and live for the step.
void flow_graph_settle(flow_graph *graph, uint32_t view_id, const col_batch *rows);
void flow_heap_add(flow_op *op, int64_t bytes); // heap memory that an operator holds

// The constructors; each allocates in graph->arena. needed[i]: column i of the output is used.
BASE_MUST_USE base_rc flow_source_create(flow_graph *graph, const plan_object *object,
                                         flow_op **out, base_error *err);
BASE_MUST_USE base_rc flow_scan_create(flow_graph *graph, const plan_node *node, uint32_t input,
                                       flow_op **out, base_error *err);
BASE_MUST_USE base_rc flow_values_create(flow_graph *graph, uint32_t view_id, const plan_node *node,
                                         flow_op **out, base_error *err);
BASE_MUST_USE base_rc flow_filter_create(flow_graph *graph, const plan_node *node,
                                         const bool *needed, flow_op **out, base_error *err);
BASE_MUST_USE base_rc flow_project_create(flow_graph *graph, const plan_node *node,
                                          const bool *needed, flow_op **out, base_error *err);
BASE_MUST_USE base_rc flow_window_create(flow_graph *graph, const plan_node *node,
                                         const bool *needed, flow_op **out, base_error *err);
BASE_MUST_USE base_rc flow_table_func_create(flow_graph *graph, const plan_node *node,
                                             const bool *needed, flow_op **out, base_error *err);
BASE_MUST_USE base_rc flow_union_create(flow_graph *graph, const plan_node *node, flow_op **out,
                                        base_error *err);
BASE_MUST_USE base_rc flow_agg_create(flow_graph *graph, uint32_t view_id, const plan_node *node,
                                      bool append_only, flow_op **out, base_error *err);
BASE_MUST_USE base_rc flow_asof_create(flow_graph *graph, uint32_t view_id, const plan_node *node,
                                       flow_op **out, base_error *err);
// left_grows: no row of the left side is ever retracted.
BASE_MUST_USE base_rc flow_lookup_create(flow_graph *graph, uint32_t view_id, const plan_node *node,
                                         bool left_grows, flow_op **out, base_error *err);
BASE_MUST_USE base_rc flow_setop_create(flow_graph *graph, uint32_t view_id, const plan_node *node,
                                        flow_op **out, base_error *err);
BASE_MUST_USE base_rc flow_expand_create(flow_graph *graph, const plan_node *node, flow_op **out,
                                         base_error *err);
BASE_MUST_USE base_rc flow_distinct_create(flow_graph *graph, uint32_t view_id,
                                           const plan_node *node, flow_op **out, base_error *err);
BASE_MUST_USE base_rc flow_join_create(flow_graph *graph, uint32_t view_id, const plan_node *node,
                                       flow_op **out, base_error *err);
BASE_MUST_USE base_rc flow_match_create(flow_graph *graph, uint32_t view_id, const plan_node *node,
                                        flow_op **out, base_error *err);
BASE_MUST_USE base_rc flow_temporal_create(flow_graph *graph, uint32_t view_id,
                                           const plan_node *node, flow_op **out, base_error *err);
BASE_MUST_USE base_rc flow_session_create(flow_graph *graph, uint32_t view_id,
                                          const plan_node *node, flow_op **out, base_error *err);
// session_grow.c: sessions that an aggregate is told of as they grow (plan/session.h). columns[k]:
// what its key k is, of the session's output.
BASE_MUST_USE base_rc flow_session_grow_create(flow_graph *graph, uint32_t view_id,
                                               const plan_node *node, flow_op **out,
                                               base_error *err);
void flow_session_grow_feed(flow_op *session, flow_op *aggregate, const uint32_t *columns);
// agg_move.c: rows of keys (all columns of them) that were in group from[i] are in group to[i] from
// this step on.
void flow_agg_move(flow_op *op, flow_ctx *ctx, const col_batch *from, const col_batch *to);
BASE_MUST_USE base_rc flow_emit_create(flow_graph *graph, uint32_t view_id, const plan_node *node,
                                       flow_op **out, base_error *err);
BASE_MUST_USE base_rc flow_sort_create(flow_graph *graph, uint32_t view_id, const plan_node *node,
                                       flow_op **out, base_error *err);
BASE_MUST_USE base_rc flow_recursive_create(flow_graph *graph, const plan_node *node, flow_op **out,
                                            base_error *err);

BASE_MUST_USE base_rc flow_over_create(flow_graph *graph, uint32_t view_id, const plan_node *node,
                                       flow_op **out, base_error *err);

// Of an input that only grows, by row_number, with limit up to PLAN_TOP_HEADS_MAX.
BASE_MUST_USE base_rc flow_top_grow_create(flow_graph *graph, uint32_t view_id,
                                           const plan_node *node, flow_op **out, base_error *err);
// The view shows what the operator gives: see top_mirror.h.
void flow_top_grow_mirror(flow_op *op, uint32_t view_id, const plan_node *plan);
BASE_MUST_USE base_rc flow_top_create(flow_graph *graph, uint32_t view_id, const plan_node *node,
                                      flow_op **out, base_error *err);

// source.c: a push with places in the log; rows of the present of an upsert source.
BASE_MUST_USE base_rc flow_source_push(flow_op *source, flow_ctx *ctx, const col_batch *batch,
                                       const flow_origin *origin, base_error *err);
BASE_MUST_USE base_rc flow_source_fill(flow_op *source, flow_ctx *ctx, base_error *err);
void flow_scan_bind(flow_op *scan, const flow_input *input); // input NULL: a view of the graph

// ---- state.c
// Opens the table "v<view>.<node>.<suffix>" (view != 0) or "s<object>.<suffix>".
BASE_MUST_USE base_rc flow_table_open(flow_graph *graph, bool source, uint32_t view_or_object,
                                      uint32_t node, const char *suffix, state_table *out,
                                      base_error *err);
// State keys for values that only need to be found again: the ordered encoding, or, above
// FLOW_KEY_INLINE bytes, 0xff (no encoding begins so) and its 128-bit hash; for no columns a zero
// byte. Prefix-free, never empty.
#define FLOW_KEY_INLINE 200
void flow_keys_encode(base_arena *arena, const col_batch *batch, uint32_t nkeys,
                      const uint32_t *keys, base_str *out);
// The same with helpers, which may be NULL.
void flow_keys_encode_divided(plat_workers *workers, base_arena *arena, const col_batch *batch,
                              uint32_t nkeys, const uint32_t *keys, base_str *out);
// A permutation that puts byte strings in memcmp order; col_keys_sort has helpers do it.
uint32_t *flow_keys_sort(base_arena *arena, size_t n, const base_str *keys);

// A step's buffer of batches, of which columns become one batch at flush.
typedef struct flow_pile {
    uint32_t n, cap;
    const col_batch **batches;
    uint64_t rows;
} flow_pile;
void flow_pile_add(flow_pile *pile, base_arena *arena, const col_batch *batch);
const col_batch *flow_pile_concat(flow_pile *pile, base_arena *arena, const plan_node *columns_of);

// ---- rows.c
// Evaluates expressions over a batch. Rows that fail: with hooks they are reported, and the caller
// gets the rest: *rows is the batch without them, and out[i] are over *rows. Without hooks: the
// error. Expression i is skipped (out[i] = NULL) if skip != NULL and skip[i].
BASE_MUST_USE base_rc flow_eval(flow_op *op, flow_ctx *ctx, const col_batch *batch, uint32_t n,
                                const plan_expr *const *exprs, const bool *skip,
                                const col_batch **rows, const col_vec **out, base_error *err);
void flow_func_ctx(col_func_ctx *func, flow_ctx *ctx, base_error *err);
// A column of type whose values nobody reads, of n rows: zeros, made without touching memory twice.
void flow_filler(col_vec *vec, base_arena *arena, col_type type, uint32_t n);
void flow_mark_columns(const plan_expr *expr, bool *used);
const col_type *flow_types(base_arena *arena, const plan_node *node);

// ---- groups.c: rows to group numbers, over all batches of a step. Strings are copied to an arena
// that the caller gives. Grown on the heap; cleared, not freed, between steps.
typedef struct flow_groups {
    uint32_t nkeys;
    col_vec *keys; // nkeys vectors of cap rows, n in use
    uint64_t *hashes;
    uint32_t n, cap;
    uint64_t *slots;     // high half of the hash << 32 | (group + 1), or 0
    uint32_t nslots;     // a power of two; at most half full
    uint32_t high;       // groups of the last step
    base_arena *strings; // of the call
} flow_groups;
void flow_groups_init(flow_groups *groups, base_arena *arena, uint32_t nkeys,
                      const col_type *types);
void flow_groups_deinit(flow_groups *groups);
void flow_groups_clear(flow_groups *groups);
// group_of[i] for each row of keys (nkeys columns); hashes as col_hash gives them. Strings of new
// groups are copied to `strings`; scratch serves the call.
void flow_groups_find(flow_groups *groups, base_arena *scratch, base_arena *strings,
                      const col_batch *keys, const uint64_t *hashes, uint32_t *group_of);
// Like find, without adding: UINT32_MAX where there is no such group.
void flow_groups_probe(const flow_groups *groups, const col_batch *keys, const uint64_t *hashes,
                       uint32_t *group_of);
// Group keys [begin, begin + n) as a batch that shares their memory.
col_batch *flow_groups_batch(const flow_groups *groups, base_arena *arena, uint32_t begin,
                             uint32_t n);
size_t flow_groups_bytes(const flow_groups *groups);

#define FLOW_OP_INIT(op_, class_, graph_, view_, node_)                                            \
    do {                                                                                           \
        (op_)->class = (class_);                                                                   \
        (op_)->graph = (graph_);                                                                   \
        (op_)->view_id = (view_);                                                                  \
        (op_)->node = (node_);                                                                     \
        (op_)->node_id = (node_) == NULL ? 0 : (node_)->id;                                        \
        (op_)->out.owner = (op_);                                                                  \
        (op_)->hold = FLOW_HOLD_STEP;                                                              \
    } while (0)

#endif
