// sql_int.h - what the files of src/sql share. One statement is bound with one sql_ctx; everything
// made lives in its arena. Text positions: libpg_query and the lexer give byte offsets into a
// fragment; sql_position turns them into characters of the whole text at once, so that bound trees
// only carry final positions.
#ifndef WEIR_SQL_SQL_INT_H
#define WEIR_SQL_SQL_INT_H

#include "sql/sql.h"

#define SQL_TEXT_BYTES_MAX     (4u << 20) // of one statement
#define SQL_CHAIN_MAX          8000u // tokens that may nest into one another; bounds parser stacks
#define SQL_PARENS_MAX         300u
#define SQL_TREE_DEPTH_MAX     6000u   // of the parse tree's JSON
#define SQL_BIND_DEPTH_MAX     800u    // of expressions and queries
#define SQL_COPIED_MAX         200000u // nodes of expressions that a form uses twice, in a statement
#define SQL_CTE_USES_MAX       200u    // WITH queries are inlined, so uses of uses multiply
#define SQL_PLAN_NODES_MAX     20000u  // that plain views put into a statement
#define SQL_SUBQUERY_NODES_MAX 3000u   // of a query with what its sub-queries are joined as
#define SQL_PUSHED_MAX         2000u   // nodes of a condition pushed below a projection
#define SQL_PARAMS_MAX         65535u
#define SQL_COLUMNS_MAX        1600u // as PostgreSQL's limit of columns

// ---- lexer.c: tokens ---------------------------------------------------------------------------

typedef enum sql_token_kind {
    SQL_TOKEN_END,
    SQL_TOKEN_WORD,   // value: lower-cased
    SQL_TOKEN_QUOTED, // "identifier", value: as meant
    SQL_TOKEN_STRING, // value: the text meant
    SQL_TOKEN_NUMBER,
    SQL_TOKEN_PARAM,
    SQL_TOKEN_SYMBOL, // one character of ( ) [ ] , ; . : and "::" - or an operator
    SQL_TOKEN_UNENDED // a quote or comment that does not end: the parser words the error
} sql_token_kind;

typedef struct sql_token {
    sql_token_kind kind;
    base_str text;     // in the source
    size_t offset;     // bytes
    const char *value; // WORD, QUOTED, STRING; else NULL
} sql_token;

// Reads the token at *at and moves *at behind it. arena NULL: values are not made.
sql_token sql_token_next(base_str source, size_t *at, base_arena *arena);

// ---- the context of a statement ----------------------------------------------------------------

typedef struct sql_subquery sql_subquery;
typedef struct sql_outer sql_outer;

typedef struct sql_join_text sql_join_text;

typedef struct sql_ctx {
    base_arena *arena;
    const sql_session *session;
    base_error *err;
    base_str text;       // of the statement
    int32_t text_offset; // characters before it
    uint32_t *chars_at;  // characters before each 256th byte; NULL: all is ASCII
    int64_t delta;       // of the fragment being bound: its offset in text less its own offsets
    uint32_t depth;
    uint32_t nparams;
    uint32_t params_cap;
    col_type *params;
    bool in_view;   // functions of time, session and host are refused
    bool is_stored; // an expression of an object: nothing by chance
    const char *view_word;
    bool clock_allowed; // in a view, now() may be bound: sql_temporal sees to where it stands; and
                        // in WHERE of a reconciliation, where it is the run's beginning
    bool uses_clock;
    uint32_t copied;   // expression nodes that stand in a plan a second time: see sql_spend
    uint32_t cte_uses; // WITH queries put in their places
    // Sub-queries and parameters of the statement, by number: see subquery.h.
    uint32_t view_nodes;      // of plain views put in their places
    uint32_t nuses, uses_cap; // objects named so far, by id
    uint32_t *uses;
    uint32_t nworking; // tables of recursive queries
    uint32_t nqueries; // that have an id
    uint32_t nsubqueries, subqueries_cap, nouters, outers_cap;
    sql_subquery **subqueries;
    sql_outer *outers;
    uint32_t njoins, joins_cap; // in texts with ASOF or FOR SYSTEM_TIME (join_text.c)
    sql_join_text *joins;
    uint32_t nmatches, matches_cap; // MATCH_RECOGNIZE cut out of the text (match_clause.c)
    struct sql_match_clause **matches;
} sql_ctx;

int32_t sql_position(const sql_ctx *ctx, int64_t fragment_offset); // 0 if unknown (negative)
int32_t sql_text_position(const sql_ctx *ctx, size_t text_offset);
// Fails with a position.
base_rc sql_fail(sql_ctx *ctx, int32_t position, base_rc code, const char *sqlstate,
                 const char *fmt, ...) BASE_PRINTF(5, 6);
base_rc sql_unsupported(sql_ctx *ctx, int32_t position, const char *fmt, ...) BASE_PRINTF(3, 4);
#define SQL_SYNTAX(ctx, position, ...)                                                             \
    sql_fail(ctx, position, BASE_E_INVALID, BASE_SQLSTATE_SYNTAX, __VA_ARGS__)
#define SQL_TRY(call)                                                                              \
    do {                                                                                           \
        base_rc try_rc_ = (call);                                                                  \
        if (try_rc_ != BASE_OK) return try_rc_;                                                    \
    } while (0)
BASE_MUST_USE base_rc sql_enter(sql_ctx *ctx, int32_t position); // then sql_leave
static inline void sql_leave(sql_ctx *ctx) {
    ctx->depth--;
}

// Nodes of an expression, counted up to cap.
uint32_t sql_expr_size(const plan_expr *expr, uint32_t cap);
// For forms that use an operand more than once (BETWEEN, CASE x, NULLIF, GREATEST): nested, they
// would grow without bound. Fails when a statement copies too much.
BASE_MUST_USE base_rc sql_spend(sql_ctx *ctx, const plan_expr *expr, uint32_t times,
                                int32_t position);

// ---- cursor.c: reading our own DDL by tokens ---------------------------------------------------

typedef struct sql_cursor {
    sql_ctx *ctx;
    uint32_t n, at;
    const sql_token *tokens; // the last is END
} sql_cursor;

BASE_MUST_USE base_rc sql_cursor_init(sql_cursor *cursor, sql_ctx *ctx);
const sql_token *sql_peek(const sql_cursor *cursor);
int32_t sql_here(const sql_cursor *cursor);                    // position of the next token
bool sql_is_word(const sql_cursor *cursor, const char *words); // "IF NOT EXISTS", any case
bool sql_take_word(sql_cursor *cursor, const char *words);
bool sql_take_symbol(sql_cursor *cursor, const char *symbol);
base_rc sql_syntax_error(sql_cursor *cursor); // syntax error at or near "x"
BASE_MUST_USE base_rc sql_expect_word(sql_cursor *cursor, const char *words);
BASE_MUST_USE base_rc sql_expect_symbol(sql_cursor *cursor, const char *symbol);
BASE_MUST_USE base_rc sql_expect_end(sql_cursor *cursor);
BASE_MUST_USE base_rc sql_take_name(sql_cursor *cursor, const char **name);
BASE_MUST_USE base_rc sql_take_qualified(sql_cursor *cursor, const char **schema,
                                         const char **name);
BASE_MUST_USE base_rc sql_take_string(sql_cursor *cursor, const char **value);
// The text up to a token at this level that is `,`, `)`, the end, or one of the stop words
// (NULL-terminated); not empty. Used for expressions.
BASE_MUST_USE base_rc sql_take_fragment(sql_cursor *cursor, const char *const *stop_words,
                                        base_str *text, size_t *offset);
BASE_MUST_USE base_rc sql_take_type(sql_cursor *cursor, col_type *type);
// WITH ( name = value, ... ): names lower case. Absent: none.
BASE_MUST_USE base_rc sql_take_options(sql_cursor *cursor, uint32_t *n, plan_option **options,
                                       int32_t **positions);

// ---- options.c: WITH (...) by table ------------------------------------------------------------

typedef enum sql_option_kind {
    SQL_OPTION_TEXT,      // const char *
    SQL_OPTION_U32,       // uint32_t, from 1
    SQL_OPTION_US,        // int64_t, from an interval; 0 and more
    SQL_OPTION_BYTES,     // uint64_t, from '10 GB'; more than 0
    SQL_OPTION_REFRESH,   // int64_t; 'immediate' is 0
    SQL_OPTION_RETENTION, // interval -> retention_us, or bytes ('10 GB') -> retention_bytes
    SQL_OPTION_LEDGER,    // int64_t: an interval; 'forever' is 0, 'off' -1
    SQL_OPTION_HISTORY,   // int64_t: an interval; 0 and 'off' are PLAN_HISTORY_OFF
    SQL_OPTION_KEPT       // only kept in object->options
} sql_option_kind;

typedef struct sql_option_def {
    const char *name;
    sql_option_kind kind;
    size_t offset; // of the member of plan_object
} sql_option_def;

BASE_MUST_USE base_rc sql_options_apply(sql_ctx *ctx, const sql_option_def *defs, size_t ndefs,
                                        plan_object *object, const int32_t *positions);
BASE_MUST_USE base_rc sql_interval_us(sql_ctx *ctx, const char *text, int32_t position,
                                      int64_t *us);

// ---- tree.c: libpg_query's JSON ----------------------------------------------------------------

typedef struct sql_tree sql_tree;
struct sql_tree {
    const char *name; // the key, or NULL in an array
    const char *text; // of a string
    int64_t number;   // of a number, or 0/1 of a boolean
    sql_tree *child, *next;
};

// flink.c: blanks the words of Flink's windows; text is a copy of source.
void sql_unwrap_windows(char *text, base_str source);
#define SQL_WINDOW_OFFSET "origin" // what OFFSET => is called where the grammar reads it
// Parses one statement (or a fragment wrapped by the caller). fragment_offset: of `text` in the
// statement. *statement is the body's wrapper {"SelectStmt": {...}}.
BASE_MUST_USE base_rc sql_parse(sql_ctx *ctx, base_str text, int64_t delta,
                                const sql_tree **statement);
const sql_tree *sql_get(const sql_tree *tree, const char *name); // NULL-safe
const char *sql_get_text(const sql_tree *tree, const char *name);
int64_t sql_get_number(const sql_tree *tree, const char *name, int64_t otherwise);
static inline bool sql_get_bool(const sql_tree *tree, const char *name) {
    return sql_get_number(tree, name, 0) != 0;
}
// The integer of an A_Const's body; false: it is none.
bool sql_get_int(const sql_ctx *ctx, const sql_tree *body, int64_t *value);
int32_t sql_tree_position(const sql_ctx *ctx, const sql_tree *body); // by its location
uint32_t sql_tree_count(const sql_tree *list);
// Of a wrapper {"Type": body}.
static inline const char *sql_type_of(const sql_tree *wrapper) {
    return wrapper == NULL || wrapper->child == NULL ? "" : wrapper->child->name;
}
static inline const sql_tree *sql_body(const sql_tree *wrapper) {
    return wrapper == NULL ? NULL : wrapper->child;
}
bool sql_is(const sql_tree *wrapper, const char *type);
// Value of a {"String": {"sval"}} wrapper, or NULL.
const char *sql_string(const sql_tree *wrapper);

// ---- nodes.c: making plan nodes ----------------------------------------------------------------

typedef struct sql_exprs {
    uint32_t n, cap;
    const plan_expr **items;
} sql_exprs;
void sql_exprs_add(sql_ctx *ctx, sql_exprs *list, const plan_expr *expr);

plan_node *sql_node(sql_ctx *ctx, plan_node_kind kind, uint32_t ncolumns, uint32_t ninputs,
                    const plan_node *input0, const plan_node *input1);
plan_column *sql_columns(plan_node *node); // to fill in a node just made
plan_node *sql_node_scan(sql_ctx *ctx, const plan_object *object);
plan_node *sql_node_filter(sql_ctx *ctx, const plan_node *input, const plan_expr *predicate);
plan_node *sql_node_project(sql_ctx *ctx, const plan_node *input, uint32_t n,
                            const plan_expr *const *exprs, const char *const *names);
plan_node *sql_node_join(sql_ctx *ctx, plan_join_kind kind, const plan_node *left,
                         const plan_node *right, const plan_expr *predicate);
plan_node *sql_node_copy(sql_ctx *ctx, const plan_node *node);
// Nodes of a tree, counted up to cap; one that is shared counts for each reader.
uint32_t sql_node_count(const plan_node *node, uint32_t cap);
plan_node *sql_node_one_row(sql_ctx *ctx); // one row, one column nobody needs
const plan_expr *sql_column_of(sql_ctx *ctx, const plan_node *node, uint32_t index);
// NULL and NULL gives NULL.
const plan_expr *sql_and(sql_ctx *ctx, const plan_expr *a, const plan_expr *b);
void sql_conjuncts(sql_ctx *ctx, const plan_expr *expr, sql_exprs *out);
const plan_expr *sql_conjunction(sql_ctx *ctx, const sql_exprs *list);

// ---- scopes and expression binding -------------------------------------------------------------

// Columns that are not of this input: markers replaced before a plan is done.
#define SQL_AGG_BASE      (1u << 30) // + number of the aggregate
#define SQL_GROUPING_BASE (5u << 28) // + number of the GROUPING call
#define SQL_OVER_BASE     (3u << 29) // + number of the window function
#define SQL_SET_BASE      (7u << 28) // + number of the set-returning function

typedef struct sql_scope_column {
    uint32_t rel; // number of the range-table entry
    uint32_t index;
    const plan_column *column;
    const char *name;
    bool hidden;
    bool merged_away; // merged by USING or NATURAL: only by its table's name
} sql_scope_column;

typedef struct sql_rel {
    const char *schema;        // or NULL
    const char *name;          // alias or table name
    const char *table;         // the table's name if there is an alias, for hints
    const plan_object *object; // a stream or table, else NULL
    bool scalar;               // a function: its name stands for its one column
    int32_t position;
} sql_rel;

typedef struct sql_scope {
    uint32_t ncolumns, columns_cap;
    sql_scope_column *columns; // in the order of *
    uint32_t nrels, rels_cap;
    sql_rel *rels;
} sql_scope;

typedef struct sql_cte {
    const char *name;
    const sql_tree *query;
    const sql_tree *aliases;
    const struct sql_cte *outer; // those that its query may name
    struct sql_binder *around;   // whose columns its query may name
    bool recursive;              // names itself
    const plan_object *working;  // its name within itself: a table of the rows of the last turn
} sql_cte;

typedef struct sql_grouping_sets {
    uint32_t n;
    uint64_t *masks; // bit k: group expression k is of the set
} sql_grouping_sets;

typedef struct sql_grouping_call {
    struct sql_grouping_call *next;
    sql_exprs args;
    int32_t position;
} sql_grouping_call;

typedef struct sql_query_agg {
    plan_agg agg;
    int32_t position;
} sql_query_agg;

// One SELECT's names and what its expressions gather.
typedef struct sql_binder {
    sql_ctx *ctx;
    sql_scope scope;
    plan_node *from;             // input of the expressions; sub-queries join to it
    struct sql_binder *outer;    // the query whose sub-query outer->inner this one is, or stands in
    struct sql_binder *siblings; // while FROM is bound: what stands left, for LATERAL; or NULL
    const sql_cte *ctes;
    const char *place; // "WHERE", ...: for errors
    bool aggs_allowed;
    bool in_agg;
    bool negated;   // under a NOT
    uint32_t id;    // of the query in its statement; 0: sub-queries may not stand here
    uint32_t inner; // number of the sub-query of this query that is being bound
    bool has_aggregate;
    uint32_t naggs, aggs_cap;
    sql_query_agg *aggs;
    sql_grouping_sets *grouping_sets; // NULL: plain GROUP BY, or none
    sql_grouping_call *groupings;
    struct sql_matching *matching; // in an expression of MATCH_RECOGNIZE; else NULL
    const sql_tree *windows;       // the WINDOW clause
    bool overs_allowed;
    bool in_over;
    uint32_t novers, overs_cap;
    struct sql_query_over *overs;
    uint32_t nsets; // set-returning functions of the select list
    struct sql_query_set *sets;
} sql_binder;

BASE_MUST_USE base_rc sql_bind_expr(sql_binder *binder, const sql_tree *wrapper,
                                    const plan_expr **out);
// ... as boolean, for `place`.
BASE_MUST_USE base_rc sql_bind_condition(sql_binder *binder, const sql_tree *wrapper,
                                         const char *place, const plan_expr **out);
plan_expr *sql_expr(sql_ctx *ctx, plan_expr_kind kind, col_type type, uint32_t nargs,
                    int32_t position);
BASE_MUST_USE base_rc sql_bind_column_ref(sql_binder *binder, const sql_tree *body,
                                          const plan_expr **out);
// row.a.b: fields of a struct.
BASE_MUST_USE base_rc sql_bind_fields(sql_ctx *ctx, const plan_expr *row, uint32_t n,
                                      const char *const *names, int32_t position,
                                      const plan_expr **out);
// The column named `name` with no table; *found NULL if there is none.
BASE_MUST_USE base_rc sql_scope_find(sql_binder *binder, const char *rel, const char *name,
                                     int32_t position, const sql_scope_column **found);
void sql_scope_add(sql_ctx *ctx, sql_scope *scope, sql_scope_column column);
uint32_t sql_scope_add_rel(sql_ctx *ctx, sql_scope *scope, sql_rel rel);
// Whether an aggregate is called in the expressions of a list, not counting their sub-queries.
bool sql_calls_aggregate(const sql_tree *list);
// Name of an output column, as PostgreSQL chooses it.
const char *sql_output_name(const sql_tree *wrapper);

// ---- coerce.c ----------------------------------------------------------------------------------

bool sql_is_unknown(const plan_expr *expr); // an untyped literal or parameter
BASE_MUST_USE base_rc sql_coerce(sql_ctx *ctx, const plan_expr *expr, col_type type,
                                 col_cast_context context, const plan_expr **out);
bool sql_can_coerce(const plan_expr *expr, col_kind kind, col_cast_context context);
// Text for what is still unknown.
BASE_MUST_USE base_rc sql_settle(sql_ctx *ctx, const plan_expr **expr);
// One type for all, as UNION, CASE and COALESCE find it; coerces the items.
BASE_MUST_USE base_rc sql_common_type(sql_ctx *ctx, const char *what, uint32_t n,
                                      const plan_expr **items, col_type *type);
// Makes two sides of an equality one kind, as keys must be; false, without an error, if they
// cannot.
bool sql_of_one_kind(sql_ctx *ctx, const plan_expr *pair[2]);
BASE_MUST_USE base_rc sql_common_type_find(sql_ctx *ctx, const char *what, uint32_t n,
                                           const plan_expr *const *items, col_type *type);
BASE_MUST_USE base_rc sql_type_from_tree(sql_ctx *ctx, const sql_tree *type_name, col_type *type);
// Replaces a call of constants by its value, if it is one that never changes.
BASE_MUST_USE base_rc sql_fold(sql_ctx *ctx, const plan_expr *expr, const plan_expr **out);
const plan_expr *sql_text_const(sql_ctx *ctx, const char *text, col_kind kind, int32_t position);
const plan_expr *sql_i64_const(sql_ctx *ctx, int64_t value, col_kind kind, int32_t position);
const plan_expr *sql_bool_const(sql_ctx *ctx, bool value);
bool sql_const_is_null(const plan_expr *expr);
bool sql_is_true(const plan_expr *expr); // the constant
// Type name for messages; "unknown" too.
const char *sql_type_name(sql_ctx *ctx, const col_type *type);

// ---- bind_array.c ------------------------------------------------------------------------------

// ARRAY[...]; element: what its elements are cast to, or NULL.
BASE_MUST_USE base_rc sql_bind_array(sql_binder *binder, const sql_tree *body,
                                     const col_type *element, const plan_expr **out);
// array[i] and array[i:j]: part is the A_Indices.
BASE_MUST_USE base_rc sql_bind_subscript(sql_binder *binder, const sql_tree *part,
                                         const plan_expr *array, const plan_expr **out);
// left op ANY (array), or ALL.
BASE_MUST_USE base_rc sql_quantify(sql_ctx *ctx, const char *op, bool any, const plan_expr *left,
                                   const plan_expr *array, int32_t position, const plan_expr **out);
// || where one side is an array.
BASE_MUST_USE base_rc sql_array_concat(sql_ctx *ctx, const plan_expr *left, const plan_expr *right,
                                       int32_t position, const plan_expr **out);

// ---- bind_func.c -------------------------------------------------------------------------------

// Whether it gives the same at any time, for anyone.
bool sql_is_repeatable(const col_func *func);
// Why a function cannot be called: 42883, or 0A000 for one that PostgreSQL has.
base_rc sql_func_failed(sql_ctx *ctx, const char *name, uint32_t nargs,
                        const plan_expr *const *args, int32_t position, bool ambiguous);
BASE_MUST_USE base_rc sql_call(sql_ctx *ctx, const char *name, uint32_t nargs,
                               const plan_expr **args, int32_t position, const plan_expr **out);
BASE_MUST_USE base_rc sql_operator(sql_ctx *ctx, const char *name, const plan_expr *left,
                                   const plan_expr *right, int32_t position, const plan_expr **out);
// Chooses among signatures of one name and coerces the arguments to it; *type: its result.
BASE_MUST_USE base_rc sql_choose(sql_ctx *ctx, const char *name, size_t n,
                                 const col_func *const *funcs, uint32_t nargs,
                                 const plan_expr **args, int32_t position, const col_func **chosen,
                                 col_type *type);
BASE_MUST_USE base_rc sql_bind_func_call(sql_binder *binder, const sql_tree *body,
                                         const plan_expr **out);
// Resolution over any list of candidates; sql_candidate_kind gives the kind of argument i.
typedef struct sql_candidates {
    size_t n;
    const void *self;
    col_kind (*arg)(const struct sql_candidates *list, size_t candidate, uint32_t i);
    bool (*takes)(const struct sql_candidates *list, size_t candidate, uint32_t nargs);
    bool (*polymorphic)(const struct sql_candidates *list, size_t candidate);
} sql_candidates;
typedef enum sql_resolution { SQL_RESOLVED, SQL_NONE, SQL_AMBIGUOUS } sql_resolution;
sql_resolution sql_resolve(const sql_candidates *list, uint32_t nargs, const plan_expr *const *args,
                           bool is_operator, size_t *chosen);

// ---- bind_set.c --------------------------------------------------------------------------------

// A set-returning function in a select list; *out: a marker of its value.
BASE_MUST_USE base_rc sql_bind_set_call(sql_binder *binder, const char *name, uint32_t nargs,
                                        const plan_expr **args, int32_t position,
                                        const plan_expr **out);
// Puts the arguments behind list; sql_sets_build takes them from there, over *node as it is then,
// and puts the functions' columns for the markers.
void sql_sets_put(sql_binder *binder, sql_exprs *list);
// None of them may stand in list from `first` on: `what`.
BASE_MUST_USE base_rc sql_sets_refuse(sql_ctx *ctx, const sql_exprs *list, uint32_t first,
                                      const char *what);
void sql_sets_build(sql_binder *binder, sql_exprs *list, uint32_t first, plan_node **node);

// ---- bind_table_func.c -------------------------------------------------------------------------

// Whether a RangeFunction is functions whose rows are a table, and not a window over a table.
// bind_row_call.c: weir.why('view', key...); call: the body of a FuncCall.
bool sql_is_row_call(const sql_tree *call);
BASE_MUST_USE base_rc sql_bind_row_call(sql_binder *binder, const sql_tree *call, plan_node **out);
bool sql_is_table_func(const sql_tree *body);
// Its node over `input`, the columns of which the arguments name by the binder's scope. *own: a
// node with the functions' columns alone, for their names. The table's name, without an alias:
// *name; *scalar: the table's name stands for its one column.
BASE_MUST_USE base_rc sql_bind_table_func(sql_binder *binder, const sql_tree *body,
                                          plan_node **input, plan_node **node, plan_node **own,
                                          const char **name, bool *scalar);

// ---- bind_agg.c, bind_from.c, bind_sublink.c, bind_select.c ------------------------------------

BASE_MUST_USE base_rc sql_bind_agg_call(sql_binder *binder, const char *name, const sql_tree *body,
                                        const plan_expr **out);
// ---- bind_grouping.c

// Binds an item of GROUP BY; *index: its number among the group expressions.
typedef base_rc (*sql_group_item)(void *self, const sql_tree *item, uint32_t *index);
BASE_MUST_USE base_rc sql_bind_grouping_sets(sql_ctx *ctx, const sql_tree *select,
                                             sql_group_item bind, void *self,
                                             sql_grouping_sets **out);
BASE_MUST_USE base_rc sql_bind_grouping_func(sql_binder *binder, const sql_tree *body,
                                             const plan_expr **out);
// Columns that EXPAND puts behind its input's; 0: the query needs none.
uint32_t sql_expand_constants(const sql_binder *binder);
// EXPAND over an input whose first columns are the group expressions.
BASE_MUST_USE base_rc sql_expand(sql_binder *binder, const sql_exprs *group, const plan_node *input,
                                 plan_node **out);

// Whether it is an aggregate without WITHIN GROUP.
bool sql_agg_exists(const char *name);
// Everything of a call but where it may stand: arguments, DISTINCT, ORDER BY, FILTER, definition.
BASE_MUST_USE base_rc sql_agg_arguments(sql_binder *binder, const char *name, const sql_tree *body,
                                        int32_t position, plan_agg *agg);
// Arguments that may fail become null where the filter does not hold.
void sql_agg_guard(sql_ctx *ctx, plan_agg *agg);
// The first `limit` rows of each partition; ties: by rank, so that peers of the last are among
// them.
plan_node *sql_node_top(sql_ctx *ctx, const plan_node *input, bool ties, uint32_t npartition,
                        const uint32_t *partition, uint32_t nsort, const plan_sort_key *sort,
                        int64_t limit);
// The directions of SortBy.
BASE_MUST_USE base_rc sql_sort_directions(sql_ctx *ctx, const sql_tree *sort_by, bool *descending,
                                          bool *nulls_first);
BASE_MUST_USE base_rc sql_bind_from(sql_binder *binder, const sql_tree *from_clause);
// A {"relname", "schemaname", ...} as FROM would bind it: a table, a view or a WITH query.
BASE_MUST_USE base_rc sql_bind_named_table(sql_binder *binder, const sql_tree *range_var,
                                           plan_node **node, sql_rel *rel);
// bind_window.c: TUMBLE and the like.
bool sql_is_window_function(base_str name); // in any case
BASE_MUST_USE base_rc sql_bind_window(sql_binder *binder, const char *name, const sql_tree *call,
                                      plan_node **node, sql_rel *rel);
BASE_MUST_USE base_rc sql_bind_sublink(sql_binder *binder, const sql_tree *body,
                                       const plan_expr **out);
// Parameter of the sub-query owner->inner for a column of its owner.
const plan_expr *sql_outer_column(sql_binder *owner, uint32_t column, col_type type,
                                  int32_t position);
// Sub-queries in exprs become columns of *node, which grows to the right.
BASE_MUST_USE base_rc sql_place(sql_ctx *ctx, plan_node **node, const plan_expr **exprs,
                                uint32_t n);
// *node with a condition, which may have sub-queries.
BASE_MUST_USE base_rc sql_place_filter(sql_ctx *ctx, plan_node **node, const plan_expr *condition);
// left CROSS or LEFT JOIN LATERAL right ON condition (over both sides' columns, or NULL; may have
// sub-queries).
BASE_MUST_USE base_rc sql_lateral_join(sql_ctx *ctx, plan_join_kind kind, const plan_node *left,
                                       const plan_node *right, uint32_t subquery,
                                       const plan_expr *condition, plan_node **out);
// LEFT JOIN on a condition that has sub-queries over both sides.
BASE_MUST_USE base_rc sql_join_on_subqueries(sql_binder *names, const plan_node *left,
                                             const plan_node *right, const plan_expr *condition,
                                             plan_node **out);
// A marker's sub-query over another node: map gives each column that it uses there.
const plan_expr *sql_subquery_move(sql_ctx *ctx, const plan_expr *marker,
                                   const plan_expr *(*map)(void *arg, const plan_expr *column),
                                   void *arg);
// Visits the columns of the query around that a marker's sub-query uses.
void sql_subquery_columns(sql_ctx *ctx, const plan_expr *marker,
                          void (*visit)(void *arg, const plan_expr *column), void *arg);
// Whether FROM can give no row whatever the data, so that what stands over it is never evaluated.
bool sql_rows_none(const sql_binder *binder);
// outer: the query whose sub-query outer->inner this is, or what stands in its FROM; or NULL.
BASE_MUST_USE base_rc sql_bind_query(sql_ctx *ctx, const sql_tree *select_body, sql_binder *outer,
                                     const sql_cte *ctes, plan_node **out);
// ---- recursive.c -------------------------------------------------------------------------------

// Whether a WITH query refers to its own name.
bool sql_is_recursive(const sql_tree *query, const char *name);
// visible: the WITH queries that it may name beside itself.
BASE_MUST_USE base_rc sql_bind_recursive(sql_ctx *ctx, const sql_cte *cte, const sql_cte *visible,
                                         int32_t position, plan_node **out);

// ---- bind_row.c --------------------------------------------------------------------------------

// The items of a row, or the one value that wrapper is.
BASE_MUST_USE base_rc sql_bind_row_items(sql_binder *binder, const sql_tree *wrapper,
                                         sql_exprs *items);
// left op right of rows of n values: by the first pair that differs.
BASE_MUST_USE base_rc sql_compare_rows(sql_ctx *ctx, const char *op, uint32_t n,
                                       const plan_expr *const *left, const plan_expr *const *right,
                                       int32_t position, const plan_expr **out);
// IS [NOT] NULL of a row: of all its fields.
BASE_MUST_USE base_rc sql_null_test_fields(sql_ctx *ctx, plan_expr_kind kind, const plan_expr *row,
                                           const plan_expr **out);
// The ends of OVERLAPS' periods, which may be given by their lengths.
BASE_MUST_USE base_rc sql_period_ends(sql_ctx *ctx, const plan_expr **args, int32_t position);
// An A_Expr of rows: which it is, and binding it.
bool sql_is_row_form(const sql_tree *left, const sql_tree *right, const char *kind);
BASE_MUST_USE base_rc sql_bind_row_form(sql_binder *binder, const char *kind, const char *op,
                                        const sql_tree *left, const sql_tree *right,
                                        int32_t position, const plan_expr **out);
BASE_MUST_USE base_rc sql_bind_row_null_test(sql_binder *binder, const sql_tree *row, bool is_not,
                                             int32_t position, const plan_expr **out);
// (SELECT a, b ...) as one row of n values (bind_sublink.c).
BASE_MUST_USE base_rc sql_bind_row_query(sql_binder *binder, const sql_tree *sublink, uint32_t n,
                                         int32_t position, const plan_expr **out);

// ---- bind_select.c -----------------------------------------------------------------------------

// UNION, INTERSECT, EXCEPT, without ORDER BY and LIMIT over them.
BASE_MUST_USE base_rc sql_bind_setop(sql_ctx *ctx, const sql_tree *body, struct sql_binder *outer,
                                     const sql_cte *ctes, plan_node **out);
BASE_MUST_USE base_rc sql_aggregate(sql_binder *binder, sql_exprs *group, sql_exprs *targets,
                                    const plan_expr **having, plan_node **node);
// A plain view in FROM: its query, as it was bound when it was made (ddl_plain_view.c).
void sql_note_use(sql_ctx *ctx, uint32_t id);
// What the query names and its plan does not scan: it cannot be dropped either.
void sql_set_uses(sql_ctx *ctx, plan_object *object);
BASE_MUST_USE base_rc sql_bind_plain_view(sql_ctx *ctx, const plan_object *view, int32_t position,
                                          plan_node **out);
BASE_MUST_USE base_rc sql_bind_relation(sql_ctx *ctx, const char *schema, const char *name,
                                        int32_t position, const plan_object **out);

// ---- match_clause.c, bind_match.c --------------------------------------------------------------

// Replaces each MATCH_RECOGNIZE (...) in copy, which holds text, by an alias of the table before
// it.
BASE_MUST_USE base_rc sql_cut_matches(sql_ctx *ctx, char *copy, base_str text, int64_t delta);
bool sql_is_match_alias(const char *alias);
struct sql_match_clause *sql_match_of(const sql_ctx *ctx, const char *alias); // NULL: none
const char *sql_match_name(const struct sql_match_clause *clause);            // of its columns
BASE_MUST_USE base_rc sql_bind_match(sql_ctx *ctx, struct sql_match_clause *clause,
                                     const plan_node *input, plan_node **out);
// A call in an expression of MATCH_RECOGNIZE; *is_call false: it is an ordinary function.
BASE_MUST_USE base_rc sql_match_call(sql_binder *binder, const char *schema, const char *name,
                                     const sql_tree *body, bool *is_call, const plan_expr **out);

// ---- bind_over.c: window functions -------------------------------------------------------------

typedef struct sql_query_over sql_query_over;
bool sql_over_exists(const char *name);
BASE_MUST_USE base_rc sql_bind_over_call(sql_binder *binder, const char *name, const sql_tree *body,
                                         const plan_expr **out);
BASE_MUST_USE base_rc sql_check_windows(sql_binder *binder); // those of the WINDOW clause
// Puts the expressions of all window functions behind list; sql_overs_build takes them from there,
// item `first` on, as they are over *node, makes the functions' nodes of it, and puts their columns
// for the markers in what is left of list.
void sql_overs_put(sql_binder *binder, sql_exprs *list);
BASE_MUST_USE base_rc sql_overs_build(sql_binder *binder, sql_exprs *list, uint32_t first,
                                      plan_node **node);

// ---- optimise.c, push_join.c, prune.c, annotate.c ----------------------------------------------

// Pushes filters down, prunes columns, merges projections, numbers nodes, finds keys and time
// roles.
// window_role.c: whether an expression over a node's columns is the start of a window (date_trunc
// of the event's time); then column's role and window are set.
bool sql_window_role(sql_ctx *ctx, const plan_expr *expr, const plan_node *input,
                     plan_column *column);
// temporal.c: now() in a view's conditions.
bool sql_is_clock(const col_func *func);
BASE_MUST_USE base_rc sql_temporal(sql_ctx *ctx, const plan_node *node, plan_node **out);
BASE_MUST_USE base_rc sql_optimise(sql_ctx *ctx, const plan_node *node, const plan_node **out);
plan_node *sql_annotate(sql_ctx *ctx, const plan_node *node);
// Equal parts of an annotated plan become one (share.c).
plan_node *sql_share(sql_ctx *ctx, const plan_node *plan);
// Whether expr is never null over rows of an annotated node.
bool sql_never_null(const plan_expr *expr, const plan_node *annotated);
// Puts conditions over node's columns on it, as far down as they may go.
plan_node *sql_push_filters(sql_ctx *ctx, const plan_node *node, sql_exprs *conjuncts);
plan_node *sql_push_join(sql_ctx *ctx, const plan_node *join, sql_exprs *conditions);
// join_order.c: inner joins of three relations and more in the order in which they are to be made.
plan_node *sql_order_joins(sql_ctx *ctx, const plan_node *node);
plan_node *sql_push_asof(sql_ctx *ctx, const plan_node *join, sql_exprs *conditions);
plan_node *sql_with_filter(sql_ctx *ctx, plan_node *node, const sql_exprs *conditions);
bool sql_within(const plan_expr *expr, uint32_t begin, uint32_t end); // no other columns
bool sql_uses_columns(const plan_expr *expr);
plan_node *sql_prune(sql_ctx *ctx, const plan_node *node);
const plan_node *sql_common(sql_ctx *ctx, const plan_node *node); // common.c
// Columns that are computed put behind those of node.
plan_node *sql_project_more(sql_ctx *ctx, plan_node *node, const sql_exprs *added);
// over.c: conditions over window functions.
plan_node *sql_push_over(sql_ctx *ctx, const plan_node *node, sql_exprs *conditions);
plan_node *sql_push_top(sql_ctx *ctx, const plan_node *node, sql_exprs *conditions);

// ---- statements --------------------------------------------------------------------------------

typedef base_rc (*sql_ddl_fn)(sql_cursor *cursor, sql_statement *statement);
base_rc sql_ddl_create_schema(sql_cursor *cursor, sql_statement *statement);
base_rc sql_ddl_create_stream(sql_cursor *cursor, sql_statement *statement);
base_rc sql_ddl_create_table(sql_cursor *cursor, sql_statement *statement);
base_rc sql_ddl_create_view(sql_cursor *cursor, sql_statement *statement);
base_rc sql_ddl_create_plain_view(sql_cursor *cursor, sql_statement *statement);
base_rc sql_ddl_create_sink(sql_cursor *cursor, sql_statement *statement);
// An object of a sink's or a reconciliation's kind, with the statement's text; and the complaint
// about an option that it cannot do without.
plan_object *sql_new_dependent(sql_ctx *ctx, plan_object_kind kind);
base_rc sql_need_option(sql_ctx *ctx, const plan_object *object, const char *name);
base_rc sql_check_url(sql_ctx *ctx, const plan_object *object); // option url: http or https
base_rc sql_ddl_create_reconciliation(sql_cursor *cursor, sql_statement *statement);
base_rc sql_ddl_reconcile(sql_cursor *cursor, sql_statement *statement);
base_rc sql_ddl_approve(sql_cursor *cursor, sql_statement *statement);
base_rc sql_ddl_reject(sql_cursor *cursor, sql_statement *statement);
// BACKFILL | CORRECT ... of a reconciliation, after ON MISMATCH; and the checks that need all of
// its clauses (ddl_remedy.c).
BASE_MUST_USE base_rc sql_take_remedy(sql_cursor *cursor, plan_object *object);
BASE_MUST_USE base_rc sql_check_remedy(sql_ctx *ctx, plan_object *object);
base_rc sql_ddl_drop(sql_cursor *cursor, sql_statement *statement);
base_rc sql_ddl_comment(sql_cursor *cursor, sql_statement *statement);
base_rc sql_ddl_show(sql_cursor *cursor, sql_statement *statement);
base_rc sql_ddl_flush(sql_cursor *cursor, sql_statement *statement);
base_rc sql_ddl_replay(sql_cursor *cursor, sql_statement *statement);
base_rc sql_ddl_cancel_replay(sql_cursor *cursor, sql_statement *statement);
base_rc sql_ddl_verify(sql_cursor *cursor, sql_statement *statement);
base_rc sql_ddl_rebuild_flow(sql_cursor *cursor, sql_statement *statement);
// bind_as_of.c: weir.as_of('view', instant, effective) in FROM: the view, to be read as it was.
BASE_MUST_USE base_rc sql_bind_as_of(sql_binder *binder, const sql_tree *call,
                                     const plan_object **out);
// weir.name(text, ...) in FROM: the system object with its arguments.
BASE_MUST_USE base_rc sql_bind_system_call(sql_binder *binder, const sql_tree *call,
                                           const char *name, const plan_object **out);
base_rc sql_refuse_alter(sql_cursor *cursor, const char *what);             // ddl_version.c
base_rc sql_ddl_alter_stream(sql_cursor *cursor, sql_statement *statement); // ddl_watermark.c
base_rc sql_ddl_advance(sql_cursor *cursor, sql_statement *statement);
// After WATERMARK FOR column AS PERCENTILE: a share, and perhaps BETWEEN two intervals.
BASE_MUST_USE base_rc sql_take_percentile(sql_cursor *cursor, plan_object *object);
base_rc sql_ddl_explain(sql_cursor *cursor, sql_statement *statement);
base_rc sql_ddl_alter(sql_cursor *cursor, sql_statement *statement);
base_rc sql_ddl_subscribe(sql_cursor *cursor, sql_statement *statement);

// [IF NOT EXISTS] [schema.]name of what is to be made; the schema must exist.
BASE_MUST_USE base_rc sql_take_new_name(sql_cursor *cursor, sql_statement *statement);
// bind.c: any statement whose tokens begin at the cursor.
BASE_MUST_USE base_rc sql_bind_statement(sql_cursor *cursor, sql_statement *statement);
// The tree of a text that is one expression; offset: of the text in the statement.
BASE_MUST_USE base_rc sql_parse_expr_text(sql_ctx *ctx, base_str text, size_t offset,
                                          const sql_tree **out);
// An expression over an object's columns.
BASE_MUST_USE base_rc sql_bind_expr_text(sql_ctx *ctx, const plan_object *object, base_str text,
                                         size_t offset, const char *place, const plan_expr **out);
BASE_MUST_USE base_rc sql_bind_insert(sql_ctx *ctx, const sql_tree *body, sql_statement *statement);
BASE_MUST_USE base_rc sql_bind_delete(sql_ctx *ctx, const sql_tree *body, sql_statement *statement);
// [(name, ...)] and the query of CREATE VIEW, up to the end or EMIT ON WINDOW CLOSE.
BASE_MUST_USE base_rc sql_take_view_columns(sql_cursor *cursor, uint32_t *n, const char ***names);
BASE_MUST_USE base_rc sql_take_view_query(sql_cursor *cursor, base_str *text, size_t *offset,
                                          bool *emit_on_close);
BASE_MUST_USE base_rc sql_rename_view_columns(sql_ctx *ctx, plan_node *plan, uint32_t n,
                                              const char *const *names);
plan_column *sql_add_system_columns(sql_ctx *ctx, const plan_column *columns, uint32_t *ncolumns,
                                    plan_object_kind kind);

#endif
