// lineage_int.h - between lineage.c (which scans there are, the whole) and the rules of operators
// (lineage_rules.c, lineage_join.c).
#ifndef WEIR_PLAN_LINEAGE_INT_H
#define WEIR_PLAN_LINEAGE_INT_H

#include "plan/lineage.h"

#define LINEAGE_DEPTH_MAX 256u
#define LINEAGE_PLACE     3u // columns that a followed plan has behind its own

typedef struct lineage_leaf {
    const plan_object *object;
    uint32_t depth;
    uint16_t path[LINEAGE_DEPTH_MAX]; // which input, from the view's plan down
} lineage_leaf;

typedef struct lineage {
    base_arena *arena;
    uint32_t nnodes, next_id;
    const lineage_leaf *leaf; // being followed
    uint32_t at;              // steps of its path taken
    uint32_t nplaced;
    const plan_object *placed[PLAN_LINEAGE_LEAVES_MAX]; // tables with columns for their places
    bool too_large, whole;
    const plan_object *system_columns_of; // a view whose plan needs what cannot be followed
} lineage;

// Conditions on the columns of a node's output, all of which must be true.
typedef struct lineage_conds {
    uint32_t n, cap;
    const plan_expr **items;
} lineage_conds;

// The rows of `node` for which the conditions are true: its own columns, and if it is followed the
// place of a record of the leaf that makes up the row, once for each. needed: columns that count
// (NULL: all); others may be null where the node is followed.
plan_node *lineage_rewrite(lineage *l, const plan_node *node, bool followed,
                           const lineage_conds *conds, const bool *needed);

// ---- small parts (lineage.c)

plan_node *lineage_node(lineage *l, plan_node_kind kind, uint32_t ncolumns, uint32_t ninputs);
plan_node *lineage_copy(lineage *l, const plan_node *node); // without inputs of its own yet
const plan_expr *lineage_col(lineage *l, const plan_node *node, uint32_t i);
plan_node *lineage_filter(lineage *l, plan_node *node, const lineage_conds *conds);
// Columns map[0..n) of the input; UINT32_MAX: a null of the type that `like` has there.
plan_node *lineage_pick(lineage *l, const plan_node *input, uint32_t n, const uint32_t *map,
                        const plan_column *like);
// `n` columns of a followed node's own, with `gap` more between them and its place: place last.
plan_node *lineage_place_last(lineage *l, const plan_node *input, uint32_t n, uint32_t gap);
void lineage_add(lineage *l, lineage_conds *conds, const plan_expr *expr);
void lineage_conjuncts(lineage *l, lineage_conds *conds, const plan_expr *expr);
// "column is not distinct from a constant that is not null".
bool lineage_equals_constant(const plan_expr *expr, uint32_t *column);
bool lineage_within(const plan_expr *expr, uint32_t begin, uint32_t end);
// Those within [begin, end) go to `in`, moved by -begin; the others to `out`.
void lineage_split(lineage *l, const lineage_conds *conds, uint32_t begin, uint32_t end,
                   lineage_conds *in, lineage_conds *out);
bool *lineage_needs(lineage *l, uint32_t n, const bool *needed); // a copy; NULL: all true
void lineage_need(bool *needs, const plan_expr *expr);           // NULL is allowed
void lineage_need_all(bool *needs, const lineage_conds *conds);
bool lineage_any(const bool *needed, uint32_t begin, uint32_t end);
uint32_t lineage_step(lineage *l); // the next input on the leaf's path
// Pairs of rows of two nodes whose keys are not distinct: columns of both.
plan_node *lineage_match(lineage *l, const plan_node *left, const plan_node *right, uint32_t n,
                         const uint32_t *left_keys, const uint32_t *right_keys);

// ---- times (lineage_time.c)

// a op b, of one type; NULL: there is no such function.
const plan_expr *lineage_compare(lineage *l, const char *op, const plan_expr *a,
                                 const plan_expr *b);
// What conditions on the windows that a WINDOW node gives say of the times of its input's rows.
void lineage_imply_window(lineage *l, const plan_node *node, const lineage_conds *conds,
                          lineage_conds *below);
// The same of expressions of a node that are windows: date_trunc and the like.
void lineage_imply_derived(lineage *l, const plan_node *node, const lineage_conds *conds,
                           lineage_conds *below);

// ---- rules by kind

plan_node *lineage_join(lineage *l, const plan_node *node, bool followed,
                        const lineage_conds *conds, const bool *needed); // also LOOKUP
// Pairs of an OVER node's row and a row of its partition, whose columns begin at `rows`: conditions
// that leave out those that its functions do not look at (lineage_over.c).
void lineage_frame(lineage *l, const plan_node *node, uint32_t rows, lineage_conds *out);
plan_node *lineage_asof(lineage *l, const plan_node *node, bool followed,
                        const lineage_conds *conds, const bool *needed);

#endif
