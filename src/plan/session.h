// session.h - aggregates by session: where an aggregate groups by the partition and the window of a
// SESSION whose input only grows, it can be told that a session has grown, instead of being given
// its rows anew (flow/session_grow.c).
#ifndef WEIR_PLAN_SESSION_H
#define WEIR_PLAN_SESSION_H

#include "plan/node.h"

// Whether an aggregate of a kept view is so. columns[k]: what its key k is, of the session's
// output; room for nexprs.
bool plan_session_moves(base_arena *arena, const plan_node *aggregate, const plan_node **session,
                        uint32_t *columns);

#endif
