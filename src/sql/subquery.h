// subquery.h - sub-queries between binder and plan. While a query is bound, a sub-query in one of
// its expressions is a marker (PLAN_EXPR_SUBQUERY) and a column of a query around it a parameter
// (PLAN_EXPR_OUTER). When it is known over which node an expression stands, sql_place makes the
// dependent join of that node with the sub-query and puts a column of it for the marker; the join
// is no node of the plan but is unnested at once (decorrelate.c), so that what comes out has joins
// and aggregates only. It goes from the inside out: a sub-query's own sub-queries are gone by then,
// and parameters of queries further out stay in it until its own turn comes.
#ifndef WEIR_SQL_SUBQUERY_H
#define WEIR_SQL_SUBQUERY_H

#include "sql/sql_int.h"

typedef enum sql_subquery_kind {
    SQL_SUBQUERY_VALUE, // (SELECT ...): its first column, null without a row
    SQL_SUBQUERY_EXISTS,
    SQL_SUBQUERY_ANY, // x op ANY (SELECT ...), x IN (SELECT ...)
    SQL_SUBQUERY_ALL,
    SQL_SUBQUERY_LATERAL, // in FROM: has parameters, but no marker
} sql_subquery_kind;

struct sql_subquery {
    sql_subquery_kind kind;
    uint32_t number; // as its parameters have it
    uint32_t owner;  // id of the query around it
    const sql_tree *tree;
    const plan_expr *marker; // NULL: not to be found again by its text
    const plan_node *node;
    int32_t position;
    bool filtering; // ANY: false will do for null
    bool trusted;   // reads the system's views only, of which one row matches
    // ANY and ALL: over the node's columns; the markers' arguments are parameters in it.
    const plan_expr *compare;
    const char *op;         // of one column, if it is an order's; else NULL
    const plan_expr *value; // the compared side of one column
    // By parameter of the statement: what it is over the node where this one is placed. NULL: the
    // owner's columns as they were bound.
    const plan_expr *const *over;
};

// A parameter: `column` of the input of the query around sub-query `subquery` (or a marker of an
// aggregate there), or with `test` set argument `column` of the sub-query's marker.
typedef struct sql_outer {
    uint32_t subquery;
    uint32_t column;
    bool test;
    col_type type;
} sql_outer;

// ---- decorrelate.c ---------------------------------------------------------------------------

// A dependent join in the making.
typedef struct sql_dependent {
    sql_ctx *ctx;
    uint32_t subquery;            // whose parameters are to be bound
    const plan_node *left;        // with names and types; rows give the parameters' values
    const plan_expr **args;       // by parameter of the statement: over left; others NULL
    uint32_t nparams;             // parameters in use
    uint32_t *params;             // their numbers
    const plan_node *domain;      // distinct values of the parameters, once needed
    const plan_node *left_marked; // left, annotated
} sql_dependent;

// `outer` (over parameters alone) is equal to a column in the rows that belong to them.
typedef struct sql_binding {
    const plan_expr *outer;
    uint32_t column;
    bool strict; // never null: plain = ties it
    bool exact;  // the same value in every respect, not just equal as 1.0 and 1.00 are
} sql_binding;

// A query without the parameters: for each of their values, the rows whose bindings are equal to it
// are the query's. Rows of other values may be there.
typedef struct sql_unnested {
    plan_node *node;
    uint32_t ncolumns; // the query's own, first
    uint32_t nbindings;
    sql_binding *bindings;
    bool has_domain; // every parameter is bound, by values that left has
    // Not NULL: values without a row stand for one row of these (an aggregate of nothing).
    const plan_expr **defaults;
} sql_unnested;

BASE_MUST_USE base_rc sql_dependent_init(sql_dependent *d, sql_ctx *ctx, uint32_t subquery,
                                         const plan_node *left, const plan_expr **args);
bool sql_depends(const sql_dependent *d, const plan_node *node);
bool sql_expr_depends(const sql_dependent *d, const plan_expr *expr);
// Of parameters, without columns.
bool sql_is_own_value(const sql_dependent *d, const plan_expr *expr);
// `parameters = something without them`: *outer and *inner.
bool sql_is_binding(sql_dependent *d, const plan_expr *expr, const plan_expr **outer,
                    const plan_expr **inner);
bool sql_is_outer(const plan_expr *expr, void *arg); // a parameter of any query
// Marks used[k] for each parameter k in a query.
void sql_params_used(const plan_node *node, bool *used);
BASE_MUST_USE base_rc sql_unnest(sql_dependent *d, const plan_node *query, sql_unnested *out);
// What ties the left side to u's node behind `nleft` columns; NULL: nothing.
BASE_MUST_USE base_rc sql_unnested_condition(sql_dependent *d, const sql_unnested *u,
                                             uint32_t nleft, const plan_expr **out);
// Every value of left has its rows: defaults are made rows.
BASE_MUST_USE base_rc sql_unnest_fully(sql_dependent *d, sql_unnested *u);
// expr with this join's parameters as left has them, and its columns by map.
const plan_expr *sql_dependent_expr(sql_dependent *d, const plan_expr *expr,
                                    const plan_expr *const *map);

// A query that is a projection of a selection of `node`, which has no parameters.
typedef struct sql_flat {
    const plan_node *node;
    const plan_expr **exprs; // its columns over node and parameters
    sql_exprs conditions;
} sql_flat;
bool sql_flatten(sql_dependent *d, const plan_node *query, sql_flat *out);
// Whether equalities alone tie it to the other side.
bool sql_flat_by_keys(sql_dependent *d, const sql_flat *flat);
// Whether its conditions leave at most one row of it for each row of the other side.
bool sql_flat_single(sql_dependent *d, const sql_flat *flat);
// Whether at most one row of node has the same values in `fixed` columns.
bool sql_single_row(sql_ctx *ctx, const plan_node *node, const bool *fixed);

// ---- nearest.c -------------------------------------------------------------------------------

// Where the query is the nearest row of another table: *node becomes the as-of join of it with that
// row, and what is returned are the query's columns over it. NULL: it is not, *node stays.
const plan_expr **sql_nearest_row(sql_dependent *d, const plan_node *query, plan_join_kind kind,
                                  plan_node **node);

// ---- subquery.c ------------------------------------------------------------------------------

sql_subquery *sql_subquery_add(sql_ctx *ctx, sql_subquery_kind kind, int32_t position);
const plan_expr *sql_outer_param(sql_ctx *ctx, uint32_t subquery, bool test, uint32_t column,
                                 col_type type, int32_t position);
bool sql_has_subquery(const plan_expr *expr);
bool sql_has_params(const sql_ctx *ctx, uint32_t subquery); // whether any was made

#endif
