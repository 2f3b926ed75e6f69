// timed.h - rows that wait for a moment: what is due at a time is found in order of time and let go
// once. For operators whose output changes as time passes (emit.c, temporal.c).
//
// State: "v<view>.<node>.<suffix>": due time ++ row hash -> weight, tag, row. A due time is an
// instant of whatever clock the operator goes by; the tag is a number of the operator's. Rows that
// are the same to the last digit (1.0 and 1.00 are not) are one, of their summed weight; at weight
// 0 it is gone. Owner: the operator. Threads: the flow's. Internal to src/flow.
#ifndef WEIR_FLOW_TIMED_H
#define WEIR_FLOW_TIMED_H

#include "flow/flow_int.h"

typedef struct flow_timed {
    flow_op *op;
    state_table table;
    uint32_t *columns; // 0, 1, ...
} flow_timed;

// Needs a graph with a store.
BASE_MUST_USE base_rc flow_timed_open(flow_timed *timed, flow_op *op, const char *suffix,
                                      base_error *err);
// Rows sel[0..n) of the batch, with their weights. dues and tags are a row of the batch each; tags
// NULL: 0.
BASE_MUST_USE base_rc flow_timed_add(flow_timed *timed, flow_ctx *ctx, const col_batch *batch,
                                     uint32_t n, const uint32_t *sel, const int64_t *dues,
                                     const int64_t *tags, base_error *err);
// Takes out rows that are due at or before `upto`, in order, at most about batch_rows of them;
// NULL: there are none. *tags: a row each.
BASE_MUST_USE base_rc flow_timed_take(flow_timed *timed, flow_ctx *ctx, int64_t upto,
                                      const col_batch **out, const int64_t **tags, base_error *err);
// When the first row is due; INT64_MAX: there is none, or it never is.
BASE_MUST_USE base_rc flow_timed_next(flow_timed *timed, flow_ctx *ctx, int64_t *due,
                                      base_error *err);

#endif
