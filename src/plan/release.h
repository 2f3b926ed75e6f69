// release.h - which rows of a join's state can match nothing any more, by event time. What decides
// is the *frontier* of a stream: the least watermark of its partitions less its max_lateness.
// Records below that are refused, so that every later change of the stream has an event time at or
// above it. A stream without max_lateness, or without a watermark, has no frontier: it takes rows
// of any time for ever. Times are microseconds as in TIMESTAMP and TIMESTAMPTZ columns.
#ifndef WEIR_PLAN_RELEASE_H
#define WEIR_PLAN_RELEASE_H

#include "plan/node.h"

#define PLAN_FLOOR_MAX 4u

// The least of some streams' frontiers, each plus a shift.
typedef struct plan_floor {
    uint32_t n;
    struct {
        const plan_object *object;
        int64_t shift_us;
    } of[PLAN_FLOOR_MAX];
} plan_floor;

// Whether every later change of the node's output, rows that come and rows that go, has a value at
// or above a floor in the column, or null.
bool plan_floor_of(const plan_node *node, uint32_t column, plan_floor *out);

// Rows of a side of a join whose column is below the floor can be let go: no row of the other side
// that can still come or go matches them. False: the side is kept for ever.
typedef struct plan_release {
    uint32_t column; // of the side; TIMESTAMP or TIMESTAMPTZ
    plan_floor floor;
} plan_release;
bool plan_join_release(const plan_node *join, uint32_t side, plan_release *out);

// "watermark of nexmark.bid - 00:00:10", with the lateness that the stream allows.
void plan_floor_print(const plan_floor *floor, base_buf *buf);

#endif
