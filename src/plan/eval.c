// eval.c - evaluates bound expressions over a batch, a vector at a time.
//
// Invariants:
//  - A result has as many rows as the input and the expression's type; it is borrowed from the
//    input (columns), or lives in ctx->arena.
//  - A strict function never sees a row in which an argument is null, because its result is null
//    there already; so a row that failed in an argument (null in tolerant mode) cannot fail again.
//  - An argument of AND, OR, CASE and COALESCE that may fail is evaluated only for rows that need
//    it: those rows are gathered, evaluated on their own, and the result is scattered back.
//    Arguments that cannot fail are evaluated for all rows, which is faster than to gather.
//
// Entry point: plan_eval().
#include "base/must.h"
#include "col/kernel.h"
#include "plan/eval_int.h"

static base_rc eval(const plan_expr *expr, const col_batch *input, col_func_ctx *ctx,
                    const col_vec **out);

// ------------------------------------------------------------------------------------ helpers

static col_vec *vec_create(base_arena *arena, col_type type, uint32_t n) {
    col_vec *vec = base_arena_new(arena, col_vec);
    col_vec_init(vec, arena, type, n);
    return vec;
}

static bool name_is(const char *name, const char *const *list) {
    for (; *list != NULL; list++) {
        if (strcmp(name, *list) == 0) return true;
    }
    return false;
}

// True if no row of any input can make the expression fail. Comparisons are the calls that matter:
// they stand in nearly every condition.
static bool cannot_fail(const plan_expr *expr) {
    static const char *const safe[] = {"=", "<>", "<", "<=", ">", ">=", NULL};
    if (expr->kind == PLAN_EXPR_PARAM) return false;
    if (expr->func != NULL && !name_is(expr->func->name, safe)) return false;
    for (uint32_t i = 0; i < expr->nargs; i++) {
        if (!cannot_fail(expr->args[i])) return false;
    }
    return true;
}

static void mark_columns(const plan_expr *expr, bool *used) {
    if (expr->kind == PLAN_EXPR_COLUMN) used[expr->index] = true;
    for (uint32_t i = 0; i < expr->nargs; i++) mark_columns(expr->args[i], used);
}

// The value of row 0 in n rows.
static const col_vec *broadcast_cell(base_arena *arena, const col_vec *one, uint32_t n) {
    size_t width = col_kind_width(one->type.kind), bytes = width * n;
    char *data = base_arena_alloc(arena, bytes);
    memcpy(data, one->data, width);
    for (size_t done = width; done < bytes;) { // doubling: log2(n) large copies
        size_t more = done < bytes - done ? done : bytes - done;
        memcpy(data + done, data, more);
        done += more;
    }
    col_vec *vec = base_arena_new(arena, col_vec);
    *vec = (col_vec){.type = one->type, .n = n, .data = data};
    return vec;
}

// Row 0 of `one` as a vector of n rows.
static const col_vec *broadcast(base_arena *arena, const col_vec *one, uint32_t n) {
    must(one->n >= 1);
    if (n == 1 && one->n == 1) return one;
    if (n > 0 && !col_is_null(one, 0) && one->type.kind != COL_STRUCT && one->data != NULL) {
        return broadcast_cell(arena, one, n);
    }
    col_vec *vec = vec_create(arena, one->type, n);
    if (n == 0) return vec;
    if (col_is_null(one, 0)) {
        col_vec_need_nulls(vec, arena);
        memset(vec->nulls, 1, n);
        return vec;
    }
    if (one->type.kind == COL_STRUCT) {
        for (uint32_t i = 0; i < one->type.nfields; i++) {
            vec->children[i] = *broadcast(arena, &one->children[i], n);
        }
        return vec;
    }
    return vec;
}

// to[sel[i]] = from[i].
static void scatter(base_arena *arena, col_vec *to, const uint32_t *sel, uint32_t n,
                    const col_vec *from) {
    if (to->type.kind == COL_STRUCT || to->type.kind != from->type.kind) {
        for (uint32_t i = 0; i < n; i++) col_vec_copy_cell(to, sel[i], from, i, arena);
        return;
    }
    size_t width = col_kind_width(to->type.kind);
    char *t = to->data;
    const char *f = from->data;
    switch (width) {
    case 1:
        for (uint32_t i = 0; i < n; i++) t[sel[i]] = f[i];
        break;
    case 4:
        for (uint32_t i = 0; i < n; i++) memcpy(t + 4 * (size_t)sel[i], f + 4 * (size_t)i, 4);
        break;
    case 8:
        for (uint32_t i = 0; i < n; i++) memcpy(t + 8 * (size_t)sel[i], f + 8 * (size_t)i, 8);
        break;
    case 16:
        for (uint32_t i = 0; i < n; i++) memcpy(t + 16 * (size_t)sel[i], f + 16 * (size_t)i, 16);
        break;
    default:
        for (uint32_t i = 0; i < n; i++) memcpy(t + width * sel[i], f + width * i, width);
    }
    if (from->nulls != NULL) {
        col_vec_need_nulls(to, arena);
        for (uint32_t i = 0; i < n; i++) to->nulls[sel[i]] = from->nulls[i];
    } else if (to->nulls != NULL) {
        for (uint32_t i = 0; i < n; i++) to->nulls[sel[i]] = 0;
    }
}

// Evaluates for rows sel[0..nsel) only; the result has nsel rows.
static base_rc eval_rows(const plan_expr *expr, const col_batch *input, col_func_ctx *ctx,
                         const uint32_t *sel, uint32_t nsel, const col_vec **out) {
    if (nsel == input->nrows) return eval(expr, input, ctx, out); // sel is the identity
    base_arena *arena = ctx->arena;
    bool *used = base_arena_array(arena, bool, input->ncols + 1);
    mark_columns(expr, used);
    col_batch part = {input->ncols, nsel, base_arena_array(arena, col_vec, input->ncols + 1), NULL};
    for (uint32_t i = 0; i < input->ncols; i++) {
        if (used[i]) part.cols[i] = *col_vec_gather(arena, &input->cols[i], sel, nsel);
    }
    col_func_ctx inner = *ctx;
    if (ctx->failed != NULL) inner.failed = base_arena_array(arena, uint8_t, nsel + 1);
    base_rc rc = eval(expr, &part, &inner, out);
    if (rc == BASE_OK && ctx->failed != NULL) {
        for (uint32_t i = 0; i < nsel; i++) ctx->failed[sel[i]] |= inner.failed[i];
    }
    return rc;
}

// ------------------------------------------------------------------------------------ calls

static void add_nulls(col_vec *out, base_arena *arena, const uint8_t *nulls, uint32_t n) {
    if (nulls == NULL) return;
    if (out->nulls == NULL) {
        col_vec_need_nulls(out, arena);
        memcpy(out->nulls, nulls, n);
        return;
    }
    for (uint32_t i = 0; i < n; i++) out->nulls[i] |= nulls[i];
}

static void set_position(col_func_ctx *ctx, const plan_expr *expr) {
    if (ctx->err != NULL && ctx->err->code != BASE_OK && ctx->err->position == 0) {
        ctx->err->position = expr->position;
    }
}

static base_rc eval_call(const plan_expr *expr, const col_batch *input, col_func_ctx *ctx,
                         const col_vec **out) {
    uint32_t n = input->nrows;
    const col_vec **args = base_arena_array(ctx->arena, const col_vec *, expr->nargs + 1);
    for (uint32_t i = 0; i < expr->nargs; i++) {
        base_rc rc = eval(expr->args[i], input, ctx, &args[i]);
        if (rc != BASE_OK) return rc;
    }
    col_vec *result = vec_create(ctx->arena, expr->type, n);
    if (expr->func->flags & COL_FUNC_STRICT) {
        for (uint32_t i = 0; i < expr->nargs; i++) add_nulls(result, ctx->arena, args[i]->nulls, n);
    }
    // In tolerant mode err may hold an earlier failure, whose position is its own.
    bool failed_before = ctx->err != NULL && ctx->err->code != BASE_OK;
    base_rc rc = expr->func->kernel(ctx, n, expr->nargs, args, result);
    if (rc != BASE_OK || !failed_before) set_position(ctx, expr);
    *out = result;
    return rc;
}

// ------------------------------------------------------------------------------------ logic

// AND and OR: `decisive` (0 for AND, 1 for OR) settles a row; else null wins over the other value.
static base_rc eval_logic(const plan_expr *expr, const col_batch *input, col_func_ctx *ctx,
                          const col_vec **out) {
    uint32_t n = input->nrows;
    uint8_t decisive = expr->kind == PLAN_EXPR_OR;
    base_arena *arena = ctx->arena;
    col_vec *result = vec_create(arena, expr->type, n);
    uint8_t *values = col_u8(result);
    uint8_t *unknown = base_arena_array(arena, uint8_t, n + 1);
    uint32_t *sel = base_arena_alloc(arena, sizeof(uint32_t) * (n + 1));
    memset(values, !decisive, n);
    bool any_null = false;
    for (uint32_t k = 0; k < expr->nargs; k++) {
        const col_vec *arg;
        uint32_t nsel = n;
        bool all = k == 0 || cannot_fail(expr->args[k]);
        if (!all) {
            nsel = 0;
            for (uint32_t i = 0; i < n; i++) {
                sel[nsel] = i;
                nsel += values[i] != decisive;
            }
            if (nsel == 0) break;
        }
        base_rc rc = all ? eval(expr->args[k], input, ctx, &arg)
                         : eval_rows(expr->args[k], input, ctx, sel, nsel, &arg);
        if (rc != BASE_OK) return rc;
        const uint8_t *a = col_u8(arg);
        for (uint32_t i = 0; i < nsel; i++) {
            uint32_t row = all ? i : sel[i];
            if (arg->nulls != NULL && arg->nulls[i]) {
                unknown[row] = 1;
                any_null = true;
            } else if ((a[i] != 0) == decisive) {
                values[row] = decisive;
            }
        }
    }
    if (any_null) {
        for (uint32_t i = 0; i < n; i++) {
            if (unknown[i] && values[i] != decisive) col_vec_set_null(result, arena, i);
        }
    }
    *out = result;
    return BASE_OK;
}

// NOT, IS NULL, IS NOT NULL, IS TRUE.
static base_rc eval_unary(const plan_expr *expr, const col_batch *input, col_func_ctx *ctx,
                          const col_vec **out) {
    uint32_t n = input->nrows;
    const col_vec *arg;
    base_rc rc = eval(expr->args[0], input, ctx, &arg);
    if (rc != BASE_OK) return rc;
    col_vec *result = vec_create(ctx->arena, expr->type, n);
    uint8_t *values = col_u8(result);
    const uint8_t *nulls = arg->nulls;
    switch (expr->kind) {
    case PLAN_EXPR_NOT:
        for (uint32_t i = 0; i < n; i++) values[i] = !col_u8(arg)[i];
        add_nulls(result, ctx->arena, nulls, n);
        break;
    case PLAN_EXPR_IS_NULL:
        if (nulls != NULL) memcpy(values, nulls, n);
        break;
    case PLAN_EXPR_IS_NOT_NULL:
        for (uint32_t i = 0; i < n; i++) values[i] = nulls == NULL || !nulls[i];
        break;
    default:
        must(expr->kind == PLAN_EXPR_IS_TRUE);
        for (uint32_t i = 0; i < n; i++) {
            values[i] = (nulls == NULL || !nulls[i]) && col_u8(arg)[i] != 0;
        }
    }
    *out = result;
    return BASE_OK;
}

static base_rc eval_distinct(const plan_expr *expr, const col_batch *input, col_func_ctx *ctx,
                             const col_vec **out) {
    const col_vec *a, *b;
    base_rc rc = eval(expr->args[0], input, ctx, &a);
    if (rc == BASE_OK) rc = eval(expr->args[1], input, ctx, &b);
    if (rc != BASE_OK) return rc;
    col_vec *result = vec_create(ctx->arena, expr->type, input->nrows);
    for (uint32_t i = 0; i < input->nrows; i++) col_u8(result)[i] = !col_cells_equal(a, i, b, i);
    *out = result;
    return BASE_OK;
}

// found[i] |= (value[i] = item[item_step * i]) for rows where both are not null.
static void match_item(const col_vec *value, const col_vec *item, uint32_t item_step, uint32_t n,
                       uint8_t *found) {
    switch (value->type.kind) {
    case COL_INT4:
    case COL_DATE:
        for (uint32_t i = 0; i < n; i++) {
            found[i] |= col_i32(value)[i] == col_i32(item)[item_step * i];
        }
        return;
    case COL_INT8:
    case COL_TIMESTAMP:
    case COL_TIMESTAMPTZ:
        for (uint32_t i = 0; i < n; i++) {
            found[i] |= col_i64(value)[i] == col_i64(item)[item_step * i];
        }
        return;
    case COL_TEXT:
    case COL_VARCHAR:
        for (uint32_t i = 0; i < n; i++) {
            found[i] |= base_str_eq(col_str(value)[i], col_str(item)[item_step * i]);
        }
        return;
    default:
        for (uint32_t i = 0; i < n; i++) {
            if (!col_is_null(value, i) && !col_is_null(item, item_step * i)) {
                found[i] |= col_cells_equal(value, i, item, item_step * i);
            }
        }
    }
}

// x IN (a, b, ...): true if one is equal, else null if x or one is null, else false.
static base_rc eval_in(const plan_expr *expr, const col_batch *input, col_func_ctx *ctx,
                       const col_vec **out) {
    uint32_t n = input->nrows;
    const col_vec *value;
    base_rc rc = eval(expr->args[0], input, ctx, &value);
    if (rc != BASE_OK) return rc;
    col_vec *result = vec_create(ctx->arena, expr->type, n);
    uint8_t *found = col_u8(result);
    uint8_t *hit = base_arena_array(ctx->arena, uint8_t, n + 1);
    uint8_t *unknown = base_arena_array(ctx->arena, uint8_t, n + 1);
    for (uint32_t k = 1; k < expr->nargs; k++) {
        const plan_expr *arg = expr->args[k];
        if (arg->kind == PLAN_EXPR_CONST) {
            if (col_is_null(arg->constant, 0)) {
                memset(unknown, 1, n);
            } else {
                match_item(value, arg->constant, 0, n, found);
            }
            continue;
        }
        const col_vec *item;
        rc = eval(arg, input, ctx, &item);
        if (rc != BASE_OK) return rc;
        memset(hit, 0, n);
        match_item(value, item, 1, n, hit);
        for (uint32_t i = 0; i < n; i++) {
            bool null = col_is_null(item, i);
            unknown[i] |= null;
            found[i] |= !null && hit[i];
        }
    }
    for (uint32_t i = 0; i < n; i++) {
        if (col_is_null(value, i) || (unknown[i] && !found[i])) {
            col_vec_set_null(result, ctx->arena, i);
        }
    }
    *out = result;
    return BASE_OK;
}

static base_rc eval_quantified(const plan_expr *expr, const col_batch *input, col_func_ctx *ctx,
                               const col_vec **out) {
    const col_vec *left, *arrays;
    base_rc rc = eval(expr->args[0], input, ctx, &left);
    if (rc == BASE_OK) rc = eval(expr->args[1], input, ctx, &arrays);
    if (rc != BASE_OK) return rc;
    col_vec *result = vec_create(ctx->arena, expr->type, input->nrows);
    bool failed_before = ctx->err != NULL && ctx->err->code != BASE_OK;
    rc = plan_eval_quantified(expr, left, arrays, ctx, result);
    if (rc != BASE_OK || !failed_before) set_position(ctx, expr);
    *out = result;
    return rc;
}

// ------------------------------------------------------------------------------------ choice

// Evaluates arg for rows sel[0..nsel) and puts the values in their rows of result.
static base_rc eval_into(const plan_expr *arg, const col_batch *input, col_func_ctx *ctx,
                         const uint32_t *sel, uint32_t nsel, col_vec *result) {
    if (nsel == 0) return BASE_OK;
    const col_vec *value;
    base_rc rc = eval_rows(arg, input, ctx, sel, nsel, &value);
    if (rc == BASE_OK) scatter(ctx->arena, result, sel, nsel, value);
    return rc;
}

static base_rc eval_case(const plan_expr *expr, const col_batch *input, col_func_ctx *ctx,
                         const col_vec **out) {
    uint32_t n = input->nrows;
    must(expr->nargs % 2 == 1);
    col_vec *result = vec_create(ctx->arena, expr->type, n);
    uint32_t *rest = base_arena_alloc(ctx->arena, sizeof(uint32_t) * (n + 1));
    uint32_t *taken = base_arena_alloc(ctx->arena, sizeof(uint32_t) * (n + 1));
    uint32_t nrest = n;
    for (uint32_t i = 0; i < n; i++) rest[i] = i;
    for (uint32_t k = 0; k + 1 < expr->nargs && nrest > 0; k += 2) {
        const col_vec *when;
        base_rc rc = eval_rows(expr->args[k], input, ctx, rest, nrest, &when);
        if (rc != BASE_OK) return rc;
        uint32_t ntaken = 0, nleft = 0;
        for (uint32_t i = 0; i < nrest; i++) {
            uint32_t row = rest[i];
            bool yes = !col_is_null(when, i) && col_u8(when)[i] != 0;
            taken[ntaken] = row;
            rest[nleft] = row; // nleft <= i: never overtakes the reading
            ntaken += yes;
            nleft += !yes;
        }
        nrest = nleft;
        rc = eval_into(expr->args[k + 1], input, ctx, taken, ntaken, result);
        if (rc != BASE_OK) return rc;
    }
    *out = result;
    return eval_into(expr->args[expr->nargs - 1], input, ctx, rest, nrest, result);
}

static base_rc eval_coalesce(const plan_expr *expr, const col_batch *input, col_func_ctx *ctx,
                             const col_vec **out) {
    uint32_t n = input->nrows;
    const col_vec *first;
    base_rc rc = eval(expr->args[0], input, ctx, &first);
    if (rc != BASE_OK) return rc;
    *out = first;
    if (first->nulls == NULL || expr->nargs == 1) return BASE_OK;
    uint32_t *rest = base_arena_alloc(ctx->arena, sizeof(uint32_t) * (n + 1));
    uint32_t *some = base_arena_alloc(ctx->arena, sizeof(uint32_t) * (n + 1));
    uint32_t nrest = 0, nsome = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (first->nulls[i]) {
            rest[nrest++] = i;
        } else {
            some[nsome++] = i;
        }
    }
    if (nrest == 0) return BASE_OK;
    col_vec *result = vec_create(ctx->arena, expr->type, n);
    if (nsome > 0) {
        scatter(ctx->arena, result, some, nsome, col_vec_gather(ctx->arena, first, some, nsome));
    }
    for (uint32_t k = 1; k < expr->nargs && nrest > 0; k++) {
        const col_vec *value;
        rc = eval_rows(expr->args[k], input, ctx, rest, nrest, &value);
        if (rc != BASE_OK) return rc;
        scatter(ctx->arena, result, rest, nrest, value);
        uint32_t nleft = 0;
        for (uint32_t i = 0; i < nrest; i++) {
            if (col_is_null(value, i)) rest[nleft++] = rest[i];
        }
        nrest = nleft;
    }
    *out = result;
    return BASE_OK;
}

// ------------------------------------------------------------------------------------ structs

static base_rc eval_field(const plan_expr *expr, const col_batch *input, col_func_ctx *ctx,
                          const col_vec **out) {
    const col_vec *record;
    base_rc rc = eval(expr->args[0], input, ctx, &record);
    if (rc != BASE_OK) return rc;
    must(record->type.kind == COL_STRUCT && expr->index < record->type.nfields);
    const col_vec *field = &record->children[expr->index];
    *out = field;
    if (record->nulls == NULL) return BASE_OK;
    col_vec *result = base_arena_new(ctx->arena, col_vec); // shares data, has nulls of its own
    *result = *field;
    result->nulls = base_arena_alloc(ctx->arena, record->n + 1);
    for (uint32_t i = 0; i < record->n; i++) {
        result->nulls[i] = record->nulls[i] || col_is_null(field, i);
    }
    *out = result;
    return BASE_OK;
}

static base_rc eval_record(const plan_expr *expr, const col_batch *input, col_func_ctx *ctx,
                           const col_vec **out) {
    col_vec *result = base_arena_new(ctx->arena, col_vec);
    result->type = expr->type;
    result->n = input->nrows;
    result->children = base_arena_array(ctx->arena, col_vec, expr->nargs + 1);
    for (uint32_t i = 0; i < expr->nargs; i++) {
        const col_vec *value;
        base_rc rc = eval(expr->args[i], input, ctx, &value);
        if (rc != BASE_OK) return rc;
        result->children[i] = *value;
    }
    *out = result;
    return BASE_OK;
}

// ------------------------------------------------------------------------------------ entry

static base_rc eval(const plan_expr *expr, const col_batch *input, col_func_ctx *ctx,
                    const col_vec **out) {
    switch (expr->kind) {
    case PLAN_EXPR_COLUMN:
        must(expr->index < input->ncols);
        *out = &input->cols[expr->index];
        return BASE_OK;
    case PLAN_EXPR_CONST:
        *out = broadcast(ctx->arena, expr->constant, input->nrows);
        return BASE_OK;
    case PLAN_EXPR_PARAM:
        base_fail(ctx->err, BASE_E_INVALID, "42P02", "there is no parameter $%u", expr->index + 1);
        set_position(ctx, expr);
        return BASE_E_INVALID;
    case PLAN_EXPR_CALL:
        return eval_call(expr, input, ctx, out);
    case PLAN_EXPR_AND:
    case PLAN_EXPR_OR:
        return eval_logic(expr, input, ctx, out);
    case PLAN_EXPR_NOT:
    case PLAN_EXPR_IS_NULL:
    case PLAN_EXPR_IS_NOT_NULL:
    case PLAN_EXPR_IS_TRUE:
        return eval_unary(expr, input, ctx, out);
    case PLAN_EXPR_IS_DISTINCT:
        return eval_distinct(expr, input, ctx, out);
    case PLAN_EXPR_CASE:
        return eval_case(expr, input, ctx, out);
    case PLAN_EXPR_COALESCE:
        return eval_coalesce(expr, input, ctx, out);
    case PLAN_EXPR_IN:
        return eval_in(expr, input, ctx, out);
    case PLAN_EXPR_ANY:
    case PLAN_EXPR_ALL:
        return eval_quantified(expr, input, ctx, out);
    case PLAN_EXPR_FIELD:
        return eval_field(expr, input, ctx, out);
    case PLAN_EXPR_ROW:
        return eval_record(expr, input, ctx, out);
    case PLAN_EXPR_OUTER: // the binder leaves none
    case PLAN_EXPR_SUBQUERY:
        break;
    }
    return base_fail(ctx->err, BASE_E_INTERNAL, NULL, "unknown expression kind %d",
                     (int)expr->kind);
}

base_rc plan_eval(const plan_expr *expr, const col_batch *input, col_func_ctx *ctx,
                  const col_vec **out) {
    return eval(expr, input, ctx, out);
}

base_rc plan_eval_filter(const plan_expr *expr, const col_batch *input, col_func_ctx *ctx,
                         uint32_t *sel, uint32_t *nsel) {
    const col_vec *keep;
    *nsel = 0;
    base_rc rc = eval(expr, input, ctx, &keep);
    if (rc != BASE_OK) return rc;
    uint32_t n = 0;
    for (uint32_t i = 0; i < input->nrows; i++) {
        sel[n] = i; // n <= i < nrows
        n += col_u8(keep)[i] != 0 && !col_is_null(keep, i);
    }
    *nsel = n;
    return BASE_OK;
}
