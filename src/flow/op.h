// op.h - the one operator interface. An operator takes delta batches on numbered ports and gives
// delta batches; its file begins with its delta rule. Rows do not cross operators, batches do; a
// pushed batch is immutable. What an operator keeps between steps is its own cache over its state
// tables; what it needs within a step comes from two arenas. ctx->arena is that of the call: a
// batch pushed and all that is made of it live there, to the end of the push unless an operator
// that the batch reaches is said to retain (then, and in flush and save, to the end of the step).
// flow_step_arena is the step's: an operator that does not retain copies there what it keeps.
//
// A step: push* (any port, any order) then flush, in topological order; then save; then either the
// engine's commit succeeds, or reset drops every cache so that the next step reads the store again.
// An operator never reads a clock: ctx->now_us is the step's fixed reading.
// Threads: an operator belongs to its flow's thread. It may have helpers (ctx->workers) do parts of
// what is a function of its rows alone; the transaction, the hooks and the operator's own memory
// stay on that thread, so that what comes out is the same for any number of them.
#ifndef WEIR_FLOW_OP_H
#define WEIR_FLOW_OP_H

#include "col/batch.h"
#include "plan/node.h"
#include "plat/workers.h"
#include "state/state.h"

typedef struct flow_op flow_op;
typedef struct flow_out flow_out;

// A row that an expression could not be evaluated for (division by zero, overflow): the same row
// fails the same way when retracted, so leaving it out keeps the algebra; it is reported, not lost.
typedef struct flow_hooks {
    void *self;
    void (*row_failed)(void *self, uint32_t node_id, const col_batch *batch, uint32_t row,
                       const base_error *err);
    // A source saw a business key again, within the horizon.
    void (*duplicate)(void *self, const plan_object *object, uint32_t partition, uint64_t offset,
                      uint32_t original_partition, uint64_t original_offset);
    // A record takes back an event that has never come.
    void (*unmatched)(void *self, const plan_object *object, uint32_t partition, uint64_t offset);
} flow_hooks;

typedef struct flow_ctx {
    base_arena *arena;      // of the call
    base_arena *step_arena; // NULL: arena is the step's
    state_txn *txn;         // the step's write transaction; NULL when the graph has no store
    uint64_t step;
    int64_t now_us;           // processing time of the step, microseconds since 2000 UTC
    int64_t low_watermark_us; // for expiry of deduplication: least watermark of the sources
    const base_zone *zone;
    base_random *random; // col_func_ctx.random
    void *host;          // col_func_ctx.host, for ad-hoc queries over system catalogs
    const char *user, *database;
    const flow_hooks *hooks;      // NULL: a failing row fails the call (ad-hoc queries)
    bool (*cancelled)(void *arg); // polled between batches; NULL: never
    void *cancel_arg;
    plat_workers *workers; // that may help an operator with a large batch; NULL: none
} flow_ctx;

static inline base_arena *flow_step_arena(const flow_ctx *ctx) {
    return ctx->step_arena != NULL ? ctx->step_arena : ctx->arena;
}

typedef struct flow_op_stats {
    uint64_t rows_in, rows_out; // since open
    uint64_t state_rows;        // keys the operator knows of (may be an estimate)
    uint64_t cache_bytes;
    uint64_t duplicates; // sources
    uint64_t time_ns;    // spent in the operator itself, where the graph has a clock
} flow_op_stats;

typedef struct flow_op_class {
    const char *name;
    // The version of what it keeps in the store; 0: it keeps nothing there. It goes up with every
    // change of that layout or of its meaning, also in what the operator shares with others.
    uint32_t layout;
    void (*describe)(const flow_op *op, base_buf *buf); // what else its layout depends on, or NULL
    base_rc (*push)(flow_op *op, flow_ctx *ctx, uint32_t port, const col_batch *batch,
                    flow_out *out, base_error *err);
    base_rc (*flush)(flow_op *op, flow_ctx *ctx, flow_out *out, base_error *err);
    base_rc (*save)(flow_op *op, flow_ctx *ctx, base_error *err); // dirty state to ctx->txn
    void (*reset)(flow_op *op); // drop caches: the store is the truth
    base_rc (*verify)(flow_op *op, flow_ctx *ctx,
                      base_error *err); // own invariants, for tests and fsck
    void (*stats)(flow_op *op, flow_op_stats *stats);
    void (*close)(flow_op *op);
} flow_op_class;

#endif
