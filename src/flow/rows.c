// rows.c - evaluation of expressions by operators: rows that fail are set aside and reported.
//
// Rule: a row that fails is left out whatever its weight. The same row fails the same way when it
// is retracted, so that leaving it out keeps sums of deltas right. Entry point: flow_eval().
#include "flow/flow_int.h"

#define REPORTS_MAX 1000 // rows of one batch whose own message is worked out

void flow_func_ctx(col_func_ctx *func, flow_ctx *ctx, base_error *err) {
    *func = (col_func_ctx){.arena = ctx->arena,
                           .err = err,
                           .now_us = ctx->now_us,
                           .zone = ctx->zone,
                           .user = ctx->user,
                           .database = ctx->database,
                           .random = ctx->random,
                           .host = ctx->host};
}

void flow_mark_columns(const plan_expr *expr, bool *used) {
    if (expr->kind == PLAN_EXPR_COLUMN) used[expr->index] = true;
    for (uint32_t i = 0; i < expr->nargs; i++) flow_mark_columns(expr->args[i], used);
}

const col_type *flow_types(base_arena *arena, const plan_node *node) {
    col_type *types = base_arena_array(arena, col_type, node->ncolumns + 1u);
    for (uint32_t i = 0; i < node->ncolumns; i++) types[i] = node->columns[i].type;
    return types;
}

void flow_filler(col_vec *vec, base_arena *arena, col_type type, uint32_t n) {
    col_vec_init(vec, arena, type, n);
}

// The message of one row: it is evaluated again alone, and now fails the call.
static void report(flow_op *op, flow_ctx *ctx, const col_batch *batch, uint32_t row, uint32_t n,
                   const plan_expr *const *exprs, const bool *skip, const base_error *shared,
                   bool alone) {
    base_error own;
    base_error_clear(&own);
    const base_error *cause = shared;
    if (alone) {
        col_func_ctx func;
        flow_func_ctx(&func, ctx, &own);
        const col_batch *one = col_batch_slice(ctx->arena, batch, row, 1);
        for (uint32_t i = 0; i < n; i++) {
            const col_vec *out;
            if (skip != NULL && skip[i]) continue;
            if (plan_eval(exprs[i], one, &func, &out) != BASE_OK) {
                cause = &own;
                break;
            }
        }
    }
    ctx->hooks->row_failed(ctx->hooks->self, op->node_id, batch, row, cause);
}

base_rc flow_eval(flow_op *op, flow_ctx *ctx, const col_batch *batch, uint32_t n,
                  const plan_expr *const *exprs, const bool *skip, const col_batch **rows,
                  const col_vec **out, base_error *err) {
    base_error first;
    base_error_clear(&first);
    bool tolerant = ctx->hooks != NULL && ctx->hooks->row_failed != NULL;
    col_func_ctx func;
    flow_func_ctx(&func, ctx, tolerant ? &first : err);
    *rows = batch;
    if (tolerant) func.failed = base_arena_zalloc(ctx->arena, batch->nrows + 1u);
    for (uint32_t i = 0; i < n; i++) {
        if (skip != NULL && skip[i]) {
            out[i] = NULL;
            continue;
        }
        base_rc rc = plan_eval(exprs[i], batch, &func, &out[i]);
        if (rc != BASE_OK) {
            if (tolerant && err != NULL) *err = first;
            return rc;
        }
    }
    if (!tolerant || first.code == BASE_OK) return BASE_OK;
    uint32_t *good = base_arena_alloc(ctx->arena, sizeof(uint32_t) * (batch->nrows + 1u));
    uint32_t ngood = 0, nbad = 0;
    for (uint32_t i = 0; i < batch->nrows; i++) {
        if (!func.failed[i]) {
            good[ngood++] = i;
            continue;
        }
        report(op, ctx, batch, i, n, exprs, skip, &first, nbad < REPORTS_MAX);
        nbad++;
    }
    *rows = col_batch_gather(ctx->arena, batch, good, ngood);
    for (uint32_t i = 0; i < n; i++) {
        if (out[i] != NULL) out[i] = col_vec_gather(ctx->arena, out[i], good, ngood);
    }
    return BASE_OK;
}
