// join_int.h - what the files of joins share. Internal to src/sql.
#ifndef WEIR_SQL_JOIN_INT_H
#define WEIR_SQL_JOIN_INT_H

#include "sql/sql_int.h"

// A part of the statement's text.
typedef struct sql_join_part {
    size_t begin, end; // begin == end: it is not there
} sql_join_part;

// A join in a text that has ASOF or FOR SYSTEM_TIME somewhere.
struct sql_join_text {
    const char *place; // of the word JOIN in the statement's text
    uint32_t depth;    // of parentheses
    bool asof;
    bool inner;          // says INNER
    sql_join_part match; // MATCH_CONDITION (...): what is between the parentheses
    sql_join_part time;  // FOR SYSTEM_TIME AS OF ...
};

// ---- join_text.c
// Blanks what the parser does not know in copy, which holds text, and keeps where it was.
BASE_MUST_USE base_rc sql_cut_joins(sql_ctx *ctx, char *copy, base_str text, int64_t delta);
// What the text says of the join whose right side is given; NULL: nothing of the kind.
const sql_join_text *sql_join_text_of(const sql_ctx *ctx, const sql_tree *right);

// ---- push_join.c
// `left = right` over pairs of which the first nleft columns are the left input's. Gives both
// sides, right's over the right input alone.
bool sql_equi_sides(sql_ctx *ctx, const plan_expr *expr, uint32_t nleft, uint32_t ncolumns,
                    const plan_expr **left, const plan_expr **right, bool *null_safe);
// The column of *node that holds expr; a projection is to be put on *node for what is no plain
// column. `added` expressions wait for one projection, which sql_project_more makes.
uint32_t sql_key_column(sql_ctx *ctx, const plan_node *node, sql_exprs *added,
                        const plan_expr *expr);
plan_node *sql_project_more(sql_ctx *ctx, plan_node *node, const sql_exprs *added);
// Back to the columns of `join` after added_left columns were added to its left side.
plan_node *sql_project_old(sql_ctx *ctx, plan_node *node, const plan_node *join,
                           uint32_t added_left);

// ---- bind_asof.c
typedef struct sql_asof_parts {
    sql_exprs left, right; // conditions of one side, over it alone
    sql_exprs left_keys, right_keys;
    const plan_expr *left_time, *right_time;
    plan_asof asof;
    const plan_expr *inequality;
    sql_exprs ties;         // over the right side: what rows of one time are ordered by
    const bool *descending; // by tie
    bool lookup;            // which takes none
} sql_asof_parts;
bool sql_can_order(col_kind kind); // values that an as-of join can go by
// What the parts make: the sides with their conditions and with columns for keys and times. Without
// times: a look-up. Its columns are left's and right's.
plan_node *sql_make_asof(sql_ctx *ctx, plan_join_kind kind, const plan_node *left,
                         const plan_node *right, const sql_asof_parts *parts);
// A join of which the text says ASOF or FOR SYSTEM_TIME AS OF. names: of both sides' columns, which
// the condition is over, or NULL.
BASE_MUST_USE base_rc sql_bind_timed_join(sql_binder *names, const sql_join_text *text,
                                          plan_join_kind *kind, const plan_node *left,
                                          const plan_node *right, const plan_expr *condition,
                                          plan_node **out);

#endif
