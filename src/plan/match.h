// match.h - MATCH_RECOGNIZE as a plan has it: row pattern matching over the ordered rows of each
// partition (ISO/IEC 9075-2:2016, "Row pattern recognition"; ISO/IEC TR 19075-5). Expressions of
// DEFINE and of the output are over slots: values that depend on the rows matched so far.
#ifndef WEIR_PLAN_MATCH_H
#define WEIR_PLAN_MATCH_H

#include "plan/node.h"

#define PLAN_MATCH_VARIABLES_MAX 63u   // a set of them is a word
#define PLAN_MATCH_OPS_MAX       4000u // of a pattern's program

typedef enum plan_match_slot_kind {
    PLAN_MATCH_ROW,        // `column` of the output's own row
    PLAN_MATCH_COLUMN,     // `column` of a row that is found, see below
    PLAN_MATCH_AGGREGATE,  // `agg`, its expressions over the input's columns
    PLAN_MATCH_CLASSIFIER, // the variable of the current row
    PLAN_MATCH_NUMBER,     // of the match in its partition, from 1
} plan_match_slot_kind;

typedef struct plan_match_slot {
    plan_match_slot_kind kind;
    col_type type;
    uint64_t variables; // COLUMN, AGGREGATE: rows mapped to these; 0: all rows of the match
    bool first;         // COLUMN: counted from the first such row, else from the last one back
    bool final;         // of the whole match, else of its rows up to the current one
    uint32_t nth;       // COLUMN: so many of these rows further
    int32_t physical;   // COLUMN: and then so many rows of the partition after (-: before) it
    uint32_t column;
    const plan_agg *agg;
} plan_match_slot;

// The pattern as a program for a matcher that backtracks: of two ways the preferred one first.
typedef enum plan_match_op_kind {
    PLAN_MATCH_OP_ROW,   // a row for variable a
    PLAN_MATCH_OP_SPLIT, // a, and if that fails, b
    PLAN_MATCH_OP_JUMP,  // a
    PLAN_MATCH_OP_BEGIN, // only at the first row of the partition
    PLAN_MATCH_OP_END,   // only after its last row
    PLAN_MATCH_OP_ENTER, // loop a begins a round here
    PLAN_MATCH_OP_ROUND, // loop a: a round must have taken a row
    PLAN_MATCH_OP_HIDE,  // {- : rows are not output
    PLAN_MATCH_OP_SHOW,  // -}
    PLAN_MATCH_OP_DONE
} plan_match_op_kind;

typedef struct plan_match_op {
    plan_match_op_kind kind;
    uint32_t a, b;
} plan_match_op;

typedef enum plan_match_skip {
    PLAN_MATCH_SKIP_PAST_LAST,
    PLAN_MATCH_SKIP_TO_NEXT,
    PLAN_MATCH_SKIP_TO_FIRST, // row of skip_variables
    PLAN_MATCH_SKIP_TO_LAST
} plan_match_skip;

typedef enum plan_match_rows {
    PLAN_MATCH_ONE_ROW,
    PLAN_MATCH_ALL_ROWS,       // and one for an empty match
    PLAN_MATCH_ALL_OMIT_EMPTY, // no row for an empty match
    PLAN_MATCH_ALL_UNMATCHED   // also rows that are in no match
} plan_match_rows;

typedef struct plan_match {
    uint32_t npartition; // PARTITION BY: columns of the input
    const uint32_t *partition;
    uint32_t norder; // ORDER BY
    const plan_sort_key *order;
    uint32_t nvariables;
    const char *const *variables;
    const plan_expr *const *define; // over slots, each boolean; NULL: any row
    uint32_t nslots;
    const plan_match_slot *slots;
    const plan_expr *const *outputs; // over slots; a column of the node each
    uint32_t nops, nloops;
    const plan_match_op *ops;
    const char *pattern; // as written
    plan_match_rows rows;
    plan_match_skip skip;
    uint64_t skip_variables;
    int64_t within_us; // the last row comes less than this after the first, by the first order key;
                       // 0: no limit
} plan_match;

// " by (...) order ... pattern (...)" for EXPLAIN.
void plan_match_print(const plan_node *node, base_buf *buf);

#endif
