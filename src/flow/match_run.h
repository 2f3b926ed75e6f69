// match_run.h - the matcher of MATCH_RECOGNIZE: finds the matches of a pattern in a sequence of
// rows in order, and gives their output. It knows nothing of state and deltas. Internal to
// src/flow.
#ifndef WEIR_FLOW_MATCH_RUN_H
#define WEIR_FLOW_MATCH_RUN_H

#include "flow/acc.h"
#include "flow/flow_int.h"
#include "plan/match.h"

// What a node's matcher can know beforehand; in the graph's arena.
typedef struct match_plan {
    const plan_match *match;
    flow_op *op;
    uint32_t ncolumns; // of the output
    const col_type *slot_types;
    acc_spec *accs;     // of slots that are aggregates
    bool *simple;       // variable v depends on the row and its neighbours alone
    bool *used_by;      // nvariables x nslots: whether v's condition uses the slot
    uint32_t lookback;  // rows before a match that it may look at (PREV)
    uint32_t lookahead; // rows after a row that its conditions may look at (NEXT)
    bool memo;          // all variables are simple: where it failed once it fails again
    bool numbers;       // what is shown or asked depends on the number of a match
} match_plan;

BASE_MUST_USE base_rc match_plan_create(flow_op *op, const plan_node *node, match_plan **out,
                                        base_error *err);

// Rows of a partition in order: positions [0, n) are rows rows[i] of batch. Matching begins at
// `from`; what is before it is there to be looked back at.
typedef struct match_input {
    const col_batch *batch;
    uint32_t n, from;
    const uint32_t *rows;
    uint32_t seen;   // searches that began before `from` have asked about rows up to here
    bool at_start;   // position 0 is the partition's first row
    int64_t matched; // matches of the partition before `from`
    bool reports;    // rows on which a condition fails are reported
} match_input;

// A place where another run may begin, as long as no row up to `seen` has changed: all searches
// that began before it are settled, and none of them has asked about a later row.
typedef struct match_place {
    uint32_t position; // the last row before it
    uint32_t seen;     // not before position, and not the end of the rows
    uint32_t nout;     // rows of output that belong to what began before it
    int64_t matched;
} match_place;

typedef struct match_found {
    uint32_t nout;
    uint32_t nplaces;
    const match_place *places; // in order
    bool failed;               // a condition or an aggregate's argument failed for a row
    struct match_search *search;
} match_found;

// Everything lives in ctx->arena, the input too.
BASE_MUST_USE base_rc match_run(const match_plan *plan, flow_ctx *ctx, const match_input *input,
                                match_found *out, base_error *err);
// The first nout rows of output; NULL: none.
BASE_MUST_USE base_rc match_output(const match_found *found, uint32_t nout, const col_batch **out,
                                   base_error *err);

#endif
