// eval_array.c - x op ANY (array) and x op ALL (array): the operator's kernel runs over the
// elements of many rows at once, and each row takes from its own by SQL's logic: a true (ANY) or
// false (ALL) decides, else a null makes it unknown. Rows are taken in pieces, so that long arrays
// do not hold all their elements in memory together. Entry point: plan_eval_quantified().
#include "base/must.h"
#include "col/array.h"
#include "plan/eval_int.h"

#define PIECE_ELEMENTS 65536u // of a piece, unless one array has more

// Rows [begin, begin + n) of a vector that is no struct, without copying.
static col_vec rows_of(const col_vec *vec, uint32_t begin, uint32_t n) {
    col_vec part = *vec;
    part.n = n;
    part.data = (char *)vec->data + col_kind_width(vec->type.kind) * (size_t)begin;
    if (vec->nulls != NULL) part.nulls = vec->nulls + begin;
    return part;
}

static base_rc compare_piece(const plan_expr *expr, const col_vec *left, const col_vec *arrays,
                             col_func_ctx *ctx, const col_lists **lists, const col_vec **found) {
    col_lists *flat = base_arena_new(ctx->arena, col_lists);
    col_array_flatten(ctx->arena, arrays, flat);
    uint32_t n = flat->elements.n;
    uint32_t *row_of = base_arena_alloc(ctx->arena, sizeof *row_of * ((size_t)n + 1));
    for (uint32_t i = 0; i < arrays->n; i++) {
        for (uint32_t k = flat->offsets[i]; k < flat->offsets[i + 1]; k++) row_of[k] = i;
    }
    const col_vec *args[] = {col_vec_gather(ctx->arena, left, row_of, n), &flat->elements};
    col_vec *result = base_arena_new(ctx->arena, col_vec);
    col_vec_init(result, ctx->arena, expr->type, n);
    for (uint32_t a = 0; a < 2 && (expr->func->flags & COL_FUNC_STRICT) != 0; a++) {
        if (args[a]->nulls == NULL) continue;
        col_vec_need_nulls(result, ctx->arena);
        for (uint32_t i = 0; i < n; i++) result->nulls[i] |= args[a]->nulls[i];
    }
    *lists = flat;
    *found = result;
    return expr->func->kernel(ctx, n, 2, args, result);
}

// What the comparisons of one piece say about its rows, out[begin...].
static void decide_piece(const plan_expr *expr, const col_lists *lists, const col_vec *found,
                         const uint8_t *failed, uint32_t begin, uint32_t n, col_func_ctx *ctx,
                         col_vec *out) {
    uint8_t decisive = expr->kind == PLAN_EXPR_ANY;
    for (uint32_t i = 0; i < n; i++) {
        bool decided = false, unknown = false, bad = false;
        for (uint32_t k = lists->offsets[i]; k < lists->offsets[i + 1]; k++) {
            bad |= failed != NULL && failed[k] != 0;
            bool null = col_is_null(found, k);
            unknown |= null;
            decided |= !null && (col_u8(found)[k] != 0) == decisive;
        }
        col_u8(out)[begin + i] = decided ? decisive : !decisive;
        if (bad) ctx->failed[begin + i] = 1;
        if (bad || (unknown && !decided)) col_vec_set_null(out, ctx->arena, begin + i);
    }
}

base_rc plan_eval_quantified(const plan_expr *expr, const col_vec *left, const col_vec *arrays,
                             col_func_ctx *ctx, col_vec *out) {
    must(expr->kind == PLAN_EXPR_ANY || expr->kind == PLAN_EXPR_ALL);
    base_arena scratch;
    base_arena_init(&scratch, 4096);
    base_rc rc = BASE_OK;
    for (uint32_t begin = 0, n; begin < arrays->n && rc == BASE_OK; begin += n) {
        uint64_t elements = 0;
        for (n = 0; begin + n < arrays->n && (n == 0 || elements < PIECE_ELEMENTS); n++) {
            if (!col_is_null(arrays, begin + n)) elements += col_array_length(arrays, begin + n);
        }
        base_arena_reset(&scratch);
        col_func_ctx inner = *ctx;
        inner.arena = &scratch;
        if (ctx->failed != NULL) {
            inner.failed = base_arena_array(&scratch, uint8_t, (size_t)elements + 1);
        }
        col_vec left_part = rows_of(left, begin, n), arrays_part = rows_of(arrays, begin, n);
        const col_lists *lists;
        const col_vec *found;
        rc = compare_piece(expr, &left_part, &arrays_part, &inner, &lists, &found);
        if (rc == BASE_OK) {
            decide_piece(expr, lists, found, inner.failed, begin, n, ctx, out);
        }
    }
    base_arena_deinit(&scratch);
    for (uint32_t i = 0; i < arrays->n; i++) {
        if (col_is_null(arrays, i)) col_vec_set_null(out, ctx->arena, i);
    }
    return rc;
}
