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

// ---- with helpers: expressions that take long, a slice of the rows each

#define PART_ROWS 1024u

// Calls that make values without a fixed size (texts, NUMERIC, arrays, JSON), or read texts other
// than to compare them, cost a hundred nanoseconds a row; the others are not worth a thread's
// waking up.
static bool call_is_costly(const plan_expr *expr, void *arg) {
    (void)arg;
    if (expr->func == NULL) return false;
    if (col_kind_is_string(expr->type.kind) || expr->type.kind == COL_NUMERIC) return true;
    bool compares = strchr("=<>", expr->func->name[0]) != NULL;
    for (uint32_t i = 0; i < expr->nargs && !compares; i++) {
        if (col_kind_is_string(expr->args[i]->type.kind)) return true;
    }
    return false;
}

// The catalogue and the query's generator are the flow's thread's.
static bool is_bound_to_thread(const plan_expr *expr, void *arg) {
    (void)arg;
    return expr->func != NULL && (expr->func->flags & (COL_FUNC_HOST | COL_FUNC_VOLATILE)) != 0;
}

static bool is_costly(const plan_expr *expr) {
    return plan_expr_any(expr, call_is_costly, NULL) &&
           !plan_expr_any(expr, is_bound_to_thread, NULL);
}

typedef struct evaluation {
    const col_batch *batch;
    col_func_ctx func;
    uint32_t n, parts;
    const plan_expr **exprs;
    col_batch *slices; // of the results, by part
    bool *failed;      // by part
} evaluation;

static void eval_part(void *arg, uint32_t i, base_arena *arena) {
    evaluation *e = arg;
    uint32_t begin;
    const col_batch *rows = col_batch_part(arena, e->batch, e->parts, i, &begin);
    base_error err;
    base_error_clear(&err);
    col_func_ctx func = e->func;
    func.arena = arena;
    func.err = &err;
    func.failed = NULL;
    col_batch *out = &e->slices[i];
    *out = (col_batch){e->n, rows->nrows, base_arena_array(arena, col_vec, e->n), NULL};
    for (uint32_t k = 0; k < e->n && !e->failed[i]; k++) {
        const col_vec *vec;
        e->failed[i] = plan_eval(e->exprs[k], rows, &func, &vec) != BASE_OK;
        if (!e->failed[i]) out->cols[k] = *vec;
    }
}

// False if a row fails: then all is to be evaluated in one piece, which knows what to do with it.
static bool eval_divided(flow_ctx *ctx, const col_batch *batch, uint32_t n,
                         const plan_expr *const *exprs, const uint32_t *costly, uint32_t parts,
                         const col_vec **out) {
    base_arena *arena = ctx->arena;
    evaluation e = {.batch = batch, .n = n, .parts = parts};
    e.exprs = base_arena_array(arena, const plan_expr *, n);
    e.slices = base_arena_array(arena, col_batch, parts);
    e.failed = base_arena_array(arena, bool, parts);
    col_type *types = base_arena_array(arena, col_type, n);
    const col_batch **slices = base_arena_array(arena, const col_batch *, parts);
    for (uint32_t k = 0; k < n; k++) {
        e.exprs[k] = exprs[costly[k]];
        types[k] = e.exprs[k]->type;
    }
    flow_func_ctx(&e.func, ctx, NULL);
    plat_workers_each_in(ctx->workers, arena, parts, eval_part, &e);
    for (uint32_t i = 0; i < parts; i++) {
        if (e.failed[i]) return false;
        slices[i] = &e.slices[i];
    }
    const col_batch *all = col_batch_concat(arena, n, types, parts, slices);
    for (uint32_t k = 0; k < n; k++) out[costly[k]] = &all->cols[k];
    return true;
}

// Sets out[i] for the expressions that helpers take part in; NULL for the others.
static void eval_costly(flow_ctx *ctx, const col_batch *batch, uint32_t n,
                        const plan_expr *const *exprs, const bool *skip, const col_vec **out) {
    uint32_t parts = plat_workers_parts(ctx->workers, batch->nrows, PART_ROWS), ncostly = 0;
    for (uint32_t i = 0; i < n; i++) out[i] = NULL;
    if (parts == 1) return;
    uint32_t *costly = base_arena_alloc(ctx->arena, sizeof *costly * (n + 1u));
    for (uint32_t i = 0; i < n; i++) {
        if ((skip == NULL || !skip[i]) && is_costly(exprs[i])) costly[ncostly++] = i;
    }
    if (ncostly == 0 || eval_divided(ctx, batch, ncostly, exprs, costly, parts, out)) return;
    for (uint32_t i = 0; i < n; i++) out[i] = NULL;
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
    eval_costly(ctx, batch, n, exprs, skip, out);
    for (uint32_t i = 0; i < n; i++) {
        if ((skip != NULL && skip[i]) || out[i] != NULL) continue;
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
