// growth.h - how large what the operators of a kept view hold may become: what is bounded, and what
// grows for ever and by what. One analysis for `weir check`, EXPLAIN (STATE) and weir.operators; it
// says what flow/ really does: operators let nothing go but what is retracted, what a temporal
// filter has seen leave, and what a watermark is said to release here.
#ifndef WEIR_PLAN_GROWTH_H
#define WEIR_PLAN_GROWTH_H

#include "plan/node.h"

typedef enum plan_growth { // in order of how bad it is
    PLAN_GROWTH_NONE,      // bounded by the text of the query
    PLAN_GROWTH_TABLE,     // by the rows of tables: one a key
    PLAN_GROWTH_TIME,      // rows leave as time passes
    PLAN_GROWTH_WATERMARK, // what the watermark has passed is let go
    PLAN_GROWTH_KEYS,      // with the distinct values of a stream's columns
    PLAN_GROWTH_WINDOWS,   // with each window or moment, as long as there are events
    PLAN_GROWTH_ROWS,      // with each row of a stream
} plan_growth;

typedef struct plan_state {
    plan_growth rows;         // of the operator's output, as it stands at a time
    const plan_object *cause; // the stream that rows grow by, or NULL
    plan_growth state;        // of what the operator keeps
    const plan_object *state_cause;
    const char *keeps; // what that is; NULL: nothing
    const char *hint;  // what to do where state grows, or NULL
} plan_state;

typedef struct plan_states {
    uint32_t n;
    const plan_state *by_id; // of nodes
} plan_states;

// Of all nodes of a view's plan.
plan_states plan_growth_of(base_arena *arena, const plan_node *plan);
const char *plan_growth_text(plan_growth growth); // "grows with each row"
// " [keeps ...: ...]", or nothing.
void plan_state_print(const plan_state *state, base_buf *buf);
static inline bool plan_growth_is_bounded(plan_growth growth) {
    return growth < PLAN_GROWTH_KEYS;
}

extern const char plan_growth_hint[]; // what helps against most
// Of the keys of a stream that duplicates are recognised by.
plan_growth plan_growth_of_keys(const plan_object *stream);
const char *plan_growth_keys_hint(const plan_object *stream);

// Whether no row of the output is ever retracted. stored: in a view; else in a query, which runs
// one step.
bool plan_only_grows(const plan_node *plan, bool stored);
// A TOP of an input that only grows, by row_number, keeps the first rows of each partition alone.
#define PLAN_TOP_HEADS_MAX 1000
bool plan_top_keeps_heads(const plan_node *top, bool stored);

#endif
