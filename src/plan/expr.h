// expr.h - bound expressions: read-only trees in an arena, typed, with every name resolved and
// every implicit cast made explicit. eval.h evaluates them over a batch.
#ifndef WEIR_PLAN_EXPR_H
#define WEIR_PLAN_EXPR_H

#include "col/batch.h"
#include "col/func.h"

typedef enum plan_expr_kind {
    PLAN_EXPR_COLUMN, // column `index` of the input
    PLAN_EXPR_CONST,  // `constant`: a vector of one row
    PLAN_EXPR_PARAM,  // parameter `index` (0-based: $1 is 0); replaced before a plan runs
    PLAN_EXPR_CALL,   // func(args): functions, operators, casts
    PLAN_EXPR_AND,    // n-ary, three-valued
    PLAN_EXPR_OR,     // n-ary, three-valued
    PLAN_EXPR_NOT,
    PLAN_EXPR_IS_NULL, // args[0] IS NULL
    PLAN_EXPR_IS_NOT_NULL,
    PLAN_EXPR_IS_TRUE,     // IS TRUE; others are NOT / IS_NULL of it
    PLAN_EXPR_IS_DISTINCT, // args[0] IS DISTINCT FROM args[1], same types
    PLAN_EXPR_CASE,        // when0, then0, when1, then1, ..., else (always there): 2k+1 args
    PLAN_EXPR_COALESCE,    // args of one type
    PLAN_EXPR_IN,          // args[0] IN (args[1..]) of one type; three-valued
    PLAN_EXPR_ANY,         // func(args[0], an element of the array args[1]) is true for any
    PLAN_EXPR_ALL,         // ... for all; both three-valued
    PLAN_EXPR_FIELD,       // field `index` of struct args[0]
    PLAN_EXPR_ROW,         // a struct value of args
    // Only while a query is bound; src/sql/subquery.h says more.
    PLAN_EXPR_OUTER, // a column of a query around a sub-query: parameter `index` of the statement
    PLAN_EXPR_SUBQUERY, // value of sub-query `index`; args: what IN, ANY and ALL compare
} plan_expr_kind;

typedef struct plan_expr plan_expr;
struct plan_expr {
    plan_expr_kind kind;
    col_type type;
    uint32_t index;          // COLUMN, PARAM, FIELD
    const col_func *func;    // CALL, ANY, ALL
    const col_vec *constant; // CONST
    uint32_t nargs;
    const plan_expr **args;
    int32_t position; // 1-based in the SQL text, for errors; 0 unknown
};

// Visits the tree; true if any node satisfies. For "does it use column i", "is it volatile", ...
bool plan_expr_any(const plan_expr *expr, bool (*test)(const plan_expr *expr, void *arg),
                   void *arg);
bool plan_expr_equal(const plan_expr *a, const plan_expr *b);
// Whether a call in it gives another value each time: it may not be written out twice.
bool plan_expr_is_volatile(const plan_expr *expr);
// Marks used[i] = true for each input column used.
void plan_expr_columns(const plan_expr *expr, bool *used);
// A copy in which column i becomes map[i] (an expression over another input).
const plan_expr *plan_expr_substitute(base_arena *arena, const plan_expr *expr,
                                      const plan_expr *const *map);
// A copy in which `leaf` may replace any node without arguments; NULL keeps it.
typedef const plan_expr *(*plan_expr_leaf)(base_arena *arena, const plan_expr *leaf,
                                           const void *arg);
const plan_expr *plan_expr_rewrite(base_arena *arena, const plan_expr *expr, plan_expr_leaf leaf,
                                   const void *arg);
const plan_expr *plan_expr_shift(base_arena *arena, const plan_expr *expr,
                                 int32_t by); // column indexes
// Parameters replaced by constants: values is a batch of one row.
const plan_expr *plan_expr_bind_params(base_arena *arena, const plan_expr *expr,
                                       const col_batch *values);
const plan_expr *plan_expr_column(base_arena *arena, uint32_t index, col_type type);
const plan_expr *plan_expr_const(base_arena *arena, const col_vec *one_row);
const plan_expr *plan_expr_null(base_arena *arena, col_type type);
// SQL-like text with column names (names may be NULL: #i).
void plan_expr_print(const plan_expr *expr, const char *const *names, base_buf *buf);

// Evaluates over all rows of the input (nrows used even if ncols is 0). AND/OR/CASE/COALESCE
// evaluate an argument only for rows that need it, so that a guarded failure does not happen. Rows
// that fail: as col_func_ctx.failed says. *out is borrowed from ctx->arena or the batch.
BASE_MUST_USE base_rc plan_eval(const plan_expr *expr, const col_batch *input, col_func_ctx *ctx,
                                const col_vec **out);
// Rows for which a boolean expression is true: sel has room for nrows.
BASE_MUST_USE base_rc plan_eval_filter(const plan_expr *expr, const col_batch *input,
                                       col_func_ctx *ctx, uint32_t *sel, uint32_t *nsel);

#endif
