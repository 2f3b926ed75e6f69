// func_choose.c - functions over any number of values: which is the greatest or the least, and how
// many are null. GREATEST and LEAST pass over nulls. The binder makes these of their SQL forms.
#include "col/func_int.h"
#include "col/kernel.h"

static void copy_cell(const col_vec *from, uint32_t row, col_vec *out) {
    size_t width = col_kind_width(out->type.kind);
    memcpy((char *)out->data + row * width, (const char *)from->data + row * width, width);
}

// greatest: 1, least: -1.
static base_rc choose(col_func_ctx *ctx, uint32_t n, uint32_t nargs, const col_vec *const *args,
                      col_vec *out, int sign) {
    for (uint32_t i = 0; i < n; i++) {
        const col_vec *best = NULL;
        for (uint32_t a = 0; a < nargs; a++) {
            if (col_is_null(args[a], i)) continue;
            if (best == NULL || col_cells_compare(args[a], i, best, i) * sign > 0) best = args[a];
        }
        if (best == NULL) {
            col_vec_set_null(out, ctx->arena, i);
        } else {
            copy_cell(best, i, out);
        }
    }
    return BASE_OK;
}

FUNC_KERNEL(greatest_any) {
    return choose(ctx, n, nargs, args, out, 1);
}
FUNC_KERNEL(least_any) {
    return choose(ctx, n, nargs, args, out, -1);
}

static void count_nulls(uint32_t n, uint32_t nargs, const col_vec *const *args, col_vec *out,
                        bool nulls) {
    for (uint32_t i = 0; i < n; i++) {
        int32_t count = 0;
        for (uint32_t a = 0; a < nargs; a++) count += col_is_null(args[a], i) == nulls;
        col_i32(out)[i] = count;
    }
}

FUNC_KERNEL(num_nulls_any) {
    FUNC_UNUSED;
    count_nulls(n, nargs, args, out, true);
    return BASE_OK;
}
FUNC_KERNEL(num_nonnulls_any) {
    FUNC_UNUSED;
    count_nulls(n, nargs, args, out, false);
    return BASE_OK;
}

#define SAME (COL_FUNC_VARIADIC | COL_FUNC_ANY_SAME)

static const col_func rows[] = {
    {"greatest", 1, {COL_UNKNOWN}, COL_UNKNOWN, SAME, greatest_any, NULL},
    {"least", 1, {COL_UNKNOWN}, COL_UNKNOWN, SAME, least_any, NULL},
    {"num_nulls", 1, {COL_UNKNOWN}, COL_INT4, COL_FUNC_VARIADIC, num_nulls_any, NULL},
    {"num_nonnulls", 1, {COL_UNKNOWN}, COL_INT4, COL_FUNC_VARIADIC, num_nonnulls_any, NULL},
};
FUNC_TABLE(func_choose_table, rows);
