// eval_int.h - the parts of the evaluator that have files of their own.
#ifndef WEIR_PLAN_EVAL_INT_H
#define WEIR_PLAN_EVAL_INT_H

#include "plan/expr.h"

// ANY or ALL over arguments that are evaluated; out is a boolean vector of as many rows.
BASE_MUST_USE base_rc plan_eval_quantified(const plan_expr *expr, const col_vec *left,
                                           const col_vec *arrays, col_func_ctx *ctx, col_vec *out);

#endif
