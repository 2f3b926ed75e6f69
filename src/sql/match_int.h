// match_int.h - what the files of MATCH_RECOGNIZE share. Internal to src/sql.
#ifndef WEIR_SQL_MATCH_INT_H
#define WEIR_SQL_MATCH_INT_H

#include "plan/match.h"
#include "sql/sql_int.h"

// A piece of the statement's text.
typedef struct sql_match_text {
    base_str text;
    size_t offset;
    const char *name; // of the measure or variable it defines
} sql_match_text;

typedef struct sql_match_texts {
    uint32_t n, cap;
    sql_match_text *items;
} sql_match_texts;

// A clause as it is written. Its alias in the text handed to the parser is "mr#<number>".
typedef struct sql_match_clause {
    size_t begin, end; // of the statement's text, between the parentheses
    const char *alias; // or NULL
    sql_match_texts partition, order, measures, define, subsets;
    sql_match_text pattern;
    plan_match_rows rows;
    plan_match_skip skip;
    const char *skip_name;
    int32_t skip_position;
    int64_t within_us;
} sql_match_clause;

// Fills a clause from its text (match_clause.c).
BASE_MUST_USE base_rc sql_match_read(sql_ctx *ctx, sql_match_clause *clause);

// Names of a pattern, and the sets of them that SUBSET names (bind_match.c).
typedef struct sql_match_names {
    uint32_t n; // variables
    const char *names[PLAN_MATCH_VARIABLES_MAX];
    uint32_t nsubsets;
    const char *subset_names[PLAN_MATCH_VARIABLES_MAX];
    uint64_t subsets[PLAN_MATCH_VARIABLES_MAX];
} sql_match_names;
// The number of a variable, added if it is new; fails when there are too many.
BASE_MUST_USE base_rc sql_match_variable(sql_ctx *ctx, sql_match_names *names, const char *name,
                                         int32_t position, uint32_t *number);

// The program of a pattern (match_pattern.c); names gets its variables.
BASE_MUST_USE base_rc sql_match_compile(sql_ctx *ctx, const sql_match_text *pattern,
                                        sql_match_names *names, plan_match *match);

#endif
