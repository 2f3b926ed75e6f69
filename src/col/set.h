// set.h - set-returning functions: each row of arguments gives rows of one or more columns. A
// catalogue like that of scalar functions (func.h), from which the binder resolves names in FROM
// and in select lists; flow/ runs them. To add one: write what it gives for one row and a line of
// the table of its file.
#ifndef WEIR_COL_SET_H
#define WEIR_COL_SET_H

#include "col/func.h"

#define COL_SET_ROWS_MAX    COL_BATCH_ROWS_MAX // that one row of arguments may give
#define COL_SET_COLUMNS_MAX 2

// Rows under construction; vectors have room for cap rows.
typedef struct col_set {
    base_arena *arena;
    base_arena scratch; // reset for each row of arguments
    uint32_t ncols;
    col_vec *cols;
    uint32_t n, cap;
    uint32_t *counts; // rows that each row of arguments gave, for the first `done`
    uint32_t done;
    void *kept; // what a function keeps from one row to the next; dropped at the end of the run
    void (*drop)(void *kept);
} col_set;

typedef struct col_set_func {
    col_func sig; // first; name, arguments and flags; ret as of column 0; no kernel
    uint32_t ncols;
    // Name NULL: the function's, or the alias that the query gives. Kind COL_UNKNOWN: the "any" of
    // the arguments.
    struct {
        const char *name;
        col_kind kind;
    } cols[COL_SET_COLUMNS_MAX];
    bool defined; // the query defines the columns: AS x(a int, ...)
    // Appends the rows of arguments `row`; of a strict function none is null.
    base_rc (*give)(col_func_ctx *ctx, uint32_t nargs, const col_vec *const *args, uint32_t row,
                    col_set *set, base_error *err);
} col_set_func;

// The signatures of all functions of a name (case-insensitive), at most max; returns how many.
size_t col_set_find(base_str name, const col_func **out, size_t max);
static inline const col_set_func *col_set_of(const col_func *sig) {
    return (const col_set_func *)sig; // sig is its first member
}
// Gives each row of arguments as it is: a scalar function in FROM.
extern const col_set_func col_set_scalar;

// Runs a function over n rows of arguments, until there are no more or `limit` rows have been
// given. set->cols have set->n rows then. Tolerant (ctx->failed): a row that fails gives none.
BASE_MUST_USE base_rc col_set_run(const col_set_func *func, col_func_ctx *ctx, uint32_t n,
                                  uint32_t nargs, const col_vec *const *args, uint32_t ncols,
                                  const col_type *types, uint32_t limit, col_set *set);

// For functions: room for one row more, which is then row set->n - 1 with all cells zero and not
// null. 54000 beyond COL_SET_ROWS_MAX.
BASE_MUST_USE base_rc col_set_add(col_set *set, base_error *err);

#endif
