// over.h - window functions of a plan: what PLAN_NODE_OVER computes, and how far a change of a row
// reaches among its neighbours, which decides what an operator must read and compute again.
#ifndef WEIR_PLAN_OVER_H
#define WEIR_PLAN_OVER_H

#include "plan/node.h"

typedef enum plan_over_id {
    PLAN_OVER_AGGREGATE,
    PLAN_OVER_ROW_NUMBER,
    PLAN_OVER_RANK,
    PLAN_OVER_DENSE_RANK,
    PLAN_OVER_PERCENT_RANK,
    PLAN_OVER_CUME_DIST,
    PLAN_OVER_NTILE,
    PLAN_OVER_LAG,  // args: value, offset, default
    PLAN_OVER_LEAD, // args: value, offset, default
    PLAN_OVER_FIRST_VALUE,
    PLAN_OVER_LAST_VALUE,
    PLAN_OVER_NTH_VALUE, // args: value, n
} plan_over_id;

typedef enum plan_frame_mode {
    PLAN_FRAME_RANGE,
    PLAN_FRAME_ROWS,
    PLAN_FRAME_GROUPS
} plan_frame_mode;
typedef enum plan_frame_bound {
    PLAN_BOUND_UNBOUNDED_PRECEDING,
    PLAN_BOUND_PRECEDING, // offset
    PLAN_BOUND_CURRENT,
    PLAN_BOUND_FOLLOWING, // offset
    PLAN_BOUND_UNBOUNDED_FOLLOWING,
} plan_frame_bound;
typedef enum plan_frame_exclude {
    PLAN_EXCLUDE_NONE,
    PLAN_EXCLUDE_CURRENT,
    PLAN_EXCLUDE_GROUP,
    PLAN_EXCLUDE_TIES,
} plan_frame_exclude;

typedef struct plan_frame {
    plan_frame_mode mode;
    plan_frame_bound start, end;
    // Of (PRECEDING, FOLLOWING): a constant or parameter; INT8 for ROWS and GROUPS, for RANGE what
    // is added to the order column: INT8 for integers, the column's type for NUMERIC and INTERVAL,
    // FLOAT8 for floats, INTERVAL for dates and times. Else NULL.
    const plan_expr *start_offset, *end_offset;
    plan_frame_exclude exclude;
} plan_frame;

#define PLAN_OVER_ARGS_MAX 3

typedef struct plan_over {
    plan_over_id id;
    const char *name;
    plan_agg agg; // AGGREGATE; its argument and filter are columns or constants, as args are
    uint32_t nargs;
    const plan_expr *args[PLAN_OVER_ARGS_MAX]; // columns of the input, constants or parameters
    plan_frame frame;                          // of aggregates and first, last, nth value
    col_type type;
} plan_over;

// How a change of a row reaches others of its partition. Counted in rows, in groups of peers, or in
// values of the order column.
typedef enum plan_reach_unit {
    PLAN_REACH_ROWS,
    PLAN_REACH_GROUPS,
    PLAN_REACH_VALUES, // as far as the frame's offsets say
    PLAN_REACH_WHOLE,  // any row may depend on any
} plan_reach_unit;

typedef struct plan_reach {
    plan_reach_unit unit;
    bool forward; // ROWS: all rows after the change, through a state that runs along
    uint32_t affected_before, affected_after; // units in which a row's result may change
    uint32_t context_before, context_after;   // units that a row's result is made of
} plan_reach;

// Constant offsets: 22004 for null, 22013 for less than 0.
BASE_MUST_USE base_rc plan_frame_check(const plan_frame *frame, base_error *err);
plan_reach plan_over_reach(const plan_over *over);
// Of several over the same order; unlike units make it WHOLE.
plan_reach plan_over_reach_all(const plan_over *overs, uint32_t n);
// Calls visit for each expression; a copy is made with what it returns in place of it.
plan_over plan_over_map(base_arena *arena, const plan_over *over,
                        const plan_expr *(*visit)(void *arg, const plan_expr *expr), void *arg);
void plan_over_print(const plan_over *over, const char *const *names, base_buf *buf);

#endif
