// remedy.h - what the expressions of ON MISMATCH ... SET | INTO stand on: the columns of one row
// per finding, as the binder names them and the engine fills them.
//
// Of events, SET stands on the event as the book has it: the stream's declared columns, then `run`
// unless the stream has a column of that name. Of figures, INTO stands on the key columns; of each
// compared column c view_c and book_c and, if it is a number, difference_c (the view's value less
// the book's, as in weir.reconciliation_result) and adjustment_c (the book's less the view's: what
// has to be added to the view); if one column is compared, the same without _c (view_value,
// book_value, difference, adjustment); `kind` of the finding; and `run`. In differences a side that
// has no row, or NULL, counts as 0.
//
// Owner: the arena's. Threads: any.
#ifndef WEIR_PLAN_REMEDY_H
#define WEIR_PLAN_REMEDY_H

#include "plan/catalog.h"

typedef enum plan_remedy_role {
    PLAN_REMEDY_EVENT, // column `index` of the stream
    PLAN_REMEDY_KEY,   // column `index` of KEY
    PLAN_REMEDY_VIEW,  // of column `index` of COMPARE, from here on
    PLAN_REMEDY_BOOK,
    PLAN_REMEDY_DIFFERENCE,
    PLAN_REMEDY_ADJUSTMENT,
    PLAN_REMEDY_KIND,
    PLAN_REMEDY_RUN,
} plan_remedy_role;

typedef struct plan_remedy_input {
    uint32_t n;
    const plan_column *columns;
    const plan_remedy_role *roles;
    const uint32_t *indexes;
} plan_remedy_input;

// KEY and COMPARE of the reconciliation are known.
plan_remedy_input plan_remedy_input_of(base_arena *arena, const plan_object *reconciliation);

#endif
