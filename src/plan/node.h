// node.h - relational plans: a read-only tree over batches. The same tree runs as a view (step by
// step, on deltas) and as an ad-hoc query (one step over a snapshot). flow/ makes operators of it.
#ifndef WEIR_PLAN_NODE_H
#define WEIR_PLAN_NODE_H

#include "col/set.h"
#include "plan/catalog.h"

typedef enum plan_node_kind {
    PLAN_NODE_SCAN,      // object, `indexes`: the columns of it that are output, in order
    PLAN_NODE_VALUES,    // rows of expressions without columns
    PLAN_NODE_FILTER,    // predicate
    PLAN_NODE_PROJECT,   // exprs
    PLAN_NODE_TEMPORAL,  // rows while now() is within their bounds: exprs, bounds
    PLAN_NODE_EMIT,      // rows when their window has closed: time_column, finality
    PLAN_NODE_WINDOW,    // input columns, then window_start, window_end and window_time
    PLAN_NODE_SESSION,   // the same; windows end where a partition has no row for the gap
    PLAN_NODE_AGGREGATE, // group expressions first, then aggregates
    PLAN_NODE_JOIN,      // two inputs; output by plan_join_kind
    PLAN_NODE_ASOF,      // as an inner or left JOIN, but one right row at most: by asof
    // The same by keys alone, of which the right side has one row each at most: a left row is
    // joined when it comes, and stays as it was joined whatever the right side does later.
    PLAN_NODE_LOOKUP,
    PLAN_NODE_DISTINCT,
    PLAN_NODE_UNION_ALL,
    PLAN_NODE_MATCH,     // MATCH_RECOGNIZE: match
    PLAN_NODE_SETOP,     // INTERSECT, EXCEPT of two inputs, by set_op and set_all
    PLAN_NODE_SORT,      // keys; limit -1: none. In a view: a top-N; ad hoc: an order
    PLAN_NODE_RECURSIVE, // rows of input 0, then what `step` makes of them, and of those, ...
    PLAN_NODE_EXPAND,    // input columns, then constants: a row for each set of `expand`
    PLAN_NODE_OVER,      // window functions: input columns, then a result a function
    PLAN_NODE_TOP,       // the first `limit` rows of each partition; with_rank: then their rank
    // Input columns, then what set-returning functions give for each row; `join` LEFT: nulls for a
    // row that they give nothing for. `exprs`: the functions' arguments.
    PLAN_NODE_TABLE_FUNC,
} plan_node_kind;

// A pair of rows matches if its keys are equal and the predicate is true.
typedef enum plan_join_kind {
    PLAN_JOIN_INNER, // left columns, then right columns: the pairs that match
    PLAN_JOIN_LEFT,  // ... and left rows without a match, the right columns null
    PLAN_JOIN_RIGHT, // ... or right rows without a match, the left columns null
    PLAN_JOIN_FULL,  // ... or both
    PLAN_JOIN_SEMI,  // left columns: left rows with a match
    PLAN_JOIN_ANTI,  // left columns: left rows without one
    PLAN_JOIN_MARK, // left columns and a boolean, for each left row: whether it has a match. With a
                    // `mark` expression, of the matches: true if it is true for one, else null if
                    // it is null for one, else false. EXISTS: no mark; x IN (SELECT y): mark x = y
} plan_join_kind;

// Which right row is the match: the one whose time is nearest to the left row's, of those for which
// left_time op right_time.
typedef enum plan_asof { PLAN_ASOF_GE, PLAN_ASOF_GT, PLAN_ASOF_LE, PLAN_ASOF_LT } plan_asof;

typedef enum plan_set_op { PLAN_SET_INTERSECT, PLAN_SET_EXCEPT } plan_set_op;

typedef struct plan_agg_sort {
    uint32_t expr; // 0: arg; i: more[i - 1]
    bool descending;
    bool nulls_first;
} plan_agg_sort;

// The catalogue of aggregates is agg.h: name, argument kinds, result kind, id. ORDER BY stands here
// only where it matters to the result.
typedef struct plan_agg {
    const struct plan_agg_def *def;
    const plan_expr *arg;    // over the input; NULL for count(*); of an ordered-set one: the value
    const plan_expr *filter; // FILTER (WHERE ...), or NULL
    bool distinct;
    col_type type;  // of the result
    uint32_t nmore; // arguments after the first (of an ordered-set aggregate: the direct ones,
                    // which are constants), then what else ORDER BY names
    const plan_expr **more;
    uint32_t nsort;
    const plan_agg_sort *sort; // ORDER BY or WITHIN GROUP
} plan_agg;

// One function of a TABLE_FUNC. Where several stand side by side, rows of the shorter are nulls.
typedef struct plan_table_func {
    const col_set_func *func;
    uint32_t nargs; // the next ones of node->exprs
    uint32_t ncolumns;
} plan_table_func;

// Grouping sets: each row of the input becomes a row for each set. Of its first nkeys columns those
// that are not of the set are null; behind all columns stand constants of the set, of type INT4,
// the first of which is its number. An AGGREGATE over it has the same, and groups by the keys and
// the constants; a set that keeps no key has a group whether there are rows or not.
#define PLAN_EXPAND_SETS_MAX 4096u
#define PLAN_EXPAND_KEYS_MAX 64u
typedef struct plan_expand {
    uint32_t nsets, nkeys, nconstants;
    const uint8_t *kept;      // nkeys a set: 1: the key is of the set
    const int32_t *constants; // nconstants a set
} plan_expand;
bool plan_expand_keeps(const plan_expand *expand, uint32_t set); // any key

typedef struct plan_sort_key {
    uint32_t column;
    bool descending;
    bool nulls_first;
} plan_sort_key;

// TEMPORAL: a row is there from, or until, the moment that the clock reaches the row's value: the
// first now at which clock(now) >= value, or, after, > value.
typedef struct plan_bound {
    bool until;
    bool after;
    int64_t shift_us;       // without clock: clock(now) = now + shift
    const plan_expr *clock; // over one column, now; never falls as that rises; microseconds
} plan_bound;

struct plan_node {
    plan_node_kind kind;
    uint32_t id; // unique in its plan, stable for the same text: names its state tables
    bool shared; // more than one node of the plan has it as an input
    uint32_t ncolumns;
    const plan_column *columns; // output: names, types, time roles
    uint32_t ninputs;
    const plan_node **inputs;

    const plan_object *object; // SCAN
    const uint32_t *indexes;   // SCAN: index into object->columns for each output column
    bool system_columns; // SCAN of a view: _status, _revision, _updated_at are among the indexes

    const plan_expr *predicate; // FILTER; JOIN: residual condition over left+right columns, or NULL
    uint32_t nexprs; // PROJECT: ncolumns; AGGREGATE: group expressions; VALUES: rows * ncolumns;
                     // TEMPORAL: bounds
    const plan_expr **exprs;
    uint32_t naggs; // AGGREGATE
    const plan_agg *aggs;
    const plan_expand *expand; // EXPAND, and an AGGREGATE over one; else NULL

    uint32_t
        time_column; // WINDOW: of the input (TIMESTAMP or TIMESTAMPTZ); types the columns added
    const plan_window *window;     // WINDOW, SESSION
    const plan_bound *bounds;      // TEMPORAL: one for each of exprs, which are of microseconds
    const plan_finality *finality; // EMIT: of windows, whose end time_column says
    int64_t early_us;              // EMIT: rows come at this cadence before that; 0: they wait

    uint32_t nfuncs; // TABLE_FUNC; with join LEFT, predicate is over the output, or NULL
    const plan_table_func *funcs;
    bool ordinality; // TABLE_FUNC: a last column, bigint, counts the rows of each input row

    plan_join_kind join;       // JOIN, TABLE_FUNC
    uint32_t nequi;            // JOIN: pairs of equal keys; 0: cross product
    const uint32_t *left_keys; // JOIN: columns of the left input
    const uint32_t *right_keys;
    const bool *null_safe; // JOIN, by key: nulls are equal (IS NOT DISTINCT FROM); NULL: of none
    const plan_expr *mark; // JOIN MARK: over left+right columns, or NULL

    // ASOF; of rows of one time the first by `sort`, whose columns are the right input's and of
    // kinds of a fixed size, nulls being the greatest; then that whose columns are greatest.
    plan_asof asof;
    uint32_t left_time, right_time; // ASOF: columns of the inputs, of one type

    plan_set_op set_op; // SETOP
    bool set_all;       // SETOP: a row counts as often as it is there

    uint32_t nsort; // SORT, OVER, TOP, ASOF
    const plan_sort_key *sort;
    int64_t limit, offset; // SORT: limit -1 none. RECURSIVE: that many rows are enough
    // SORT: LIMIT $n and OFFSET $n, of type INT8, until plan_node_bind_params sets limit and offset
    // from them (null: no limit; negative: 0). NULL: limit and offset stand.
    const plan_expr *limit_param, *offset_param;

    const struct plan_match *match; // MATCH
    uint32_t npartition;            // OVER, TOP: PARTITION BY
    const uint32_t *partition;
    uint32_t nover;                // OVER; TOP: 1, the rank that is limited
    const struct plan_over *overs; // see over.h
    bool with_rank;                // TOP

    // RECURSIVE: the step's plan scans step_tables; [0] stands for the rows of the turn before, the
    // others for the other inputs. distinct: a row that was there before is not taken again.
    const plan_node *step;
    const plan_object *const *step_tables;
    bool distinct;

    uint32_t nkey; // columns that are unique in the output; 0: unknown
    const uint32_t *key;
};
// WINDOW: a row comes once for each of its windows; window_time is the last millisecond of the
// window, as Flink has it.
#define PLAN_WINDOW_COLUMNS 3

// Every expression of an aggregate: visited, replaced, tested (NULL is none).
void plan_agg_each(const plan_agg *agg, void (*visit)(void *self, const plan_expr *expr),
                   void *self);
void plan_agg_map(base_arena *arena, plan_agg *agg,
                  const plan_expr *(*map)(void *self, const plan_expr *expr), void *self);
bool plan_agg_any(const plan_agg *agg, bool (*test)(const plan_expr *expr, void *arg), void *arg);
bool plan_agg_equal(const plan_agg *a, const plan_agg *b);

// Text of a plan, one node a line, indented, for EXPLAIN and golden files.
void plan_node_print(const plan_node *node, base_buf *buf);
// The same with more behind each node's line; note may be NULL.
typedef void (*plan_note)(void *arg, const plan_node *node, base_buf *buf);
void plan_node_print_noted(const plan_node *node, plan_note note, void *arg, base_buf *buf);
// As a graph in Graphviz's language, from the inputs to the output.
void plan_node_dot(const plan_node *node, plan_note note, void *arg, base_buf *buf);
const char *plan_node_kind_name(plan_node_kind kind); // "Join"
// One more than the greatest id in the plan.
uint32_t plan_node_id_end(const plan_node *node);
// Visits scans, left to right.
void plan_node_scans(const plan_node *node, void (*visit)(void *arg, const plan_node *scan),
                     void *arg);
// The same without those on the right of a LOOKUP: what makes rows of the output change.
void plan_node_driving_scans(const plan_node *node, void (*visit)(void *arg, const plan_node *scan),
                             void *arg);
// Those on the right of a LOOKUP alone.
void plan_node_lookup_scans(const plan_node *node, void (*visit)(void *arg, const plan_node *scan),
                            void *arg);
// A copy with $n replaced by constants.
const plan_node *plan_node_bind_params(base_arena *arena, const plan_node *node,
                                       const col_batch *values);

#endif
