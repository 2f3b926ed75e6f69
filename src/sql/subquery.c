// subquery.c - from markers to joins: what a sub-query means where it stands. Each kind makes a
// dependent join of the node with its query, unnests it and gives an expression over the joined
// node:
//  - (SELECT ...) is a LEFT JOIN on the bindings; where more than one row may match, an aggregate
//    counts them, and the value fails for more than one (21000) when it is evaluated. In a view
//    that is the failure of one row, as a division by zero is.
//  - EXISTS joins the distinct bindings. As a condition of its own it keeps or drops rows.
//  - x op ANY (S) as a condition is EXISTS of the rows of S that compare; as a value it is null
//  where
//    none compares as true but one as null. Equality and orders tell that from counts and extremes
//    by binding; other operators compare with every row. ALL is the negation of ANY's negation.
//  - LATERAL is a join whose right side is unnested.
// Entry points: sql_place, sql_place_filter, sql_lateral_join.
#include "sql/subquery.h"

#include "base/must.h"

sql_subquery *sql_subquery_add(sql_ctx *ctx, sql_subquery_kind kind, int32_t position) {
    if (ctx->nsubqueries == ctx->subqueries_cap) {
        uint32_t cap = ctx->subqueries_cap == 0 ? 8 : ctx->subqueries_cap * 2;
        sql_subquery **more = base_arena_array(ctx->arena, sql_subquery *, cap);
        if (ctx->nsubqueries > 0) memcpy(more, ctx->subqueries, ctx->nsubqueries * sizeof *more);
        ctx->subqueries = more;
        ctx->subqueries_cap = cap;
    }
    sql_subquery *sub = base_arena_new(ctx->arena, sql_subquery);
    *sub = (sql_subquery){.kind = kind, .number = ctx->nsubqueries, .position = position};
    ctx->subqueries[ctx->nsubqueries++] = sub;
    return sub;
}

const plan_expr *sql_outer_param(sql_ctx *ctx, uint32_t subquery, bool test, uint32_t column,
                                 col_type type, int32_t position) {
    uint32_t k = 0;
    while (k < ctx->nouters && (ctx->outers[k].subquery != subquery ||
                                ctx->outers[k].test != test || ctx->outers[k].column != column))
        k++;
    if (k == ctx->outers_cap) {
        uint32_t cap = k == 0 ? 16 : k * 2;
        sql_outer *more = base_arena_array(ctx->arena, sql_outer, cap);
        if (k > 0) memcpy(more, ctx->outers, k * sizeof *more);
        ctx->outers = more;
        ctx->outers_cap = cap;
    }
    if (k == ctx->nouters)
        ctx->outers[ctx->nouters++] =
            (sql_outer){.subquery = subquery, .column = column, .test = test, .type = type};
    plan_expr *expr = sql_expr(ctx, PLAN_EXPR_OUTER, type, 0, position);
    expr->index = k;
    return expr;
}

const plan_expr *sql_outer_column(sql_binder *owner, uint32_t column, col_type type,
                                  int32_t position) {
    return sql_outer_param(owner->ctx, owner->inner, false, column, type, position);
}

static bool is_marker(const plan_expr *expr, void *arg) {
    (void)arg;
    return expr->kind == PLAN_EXPR_SUBQUERY;
}

bool sql_has_subquery(const plan_expr *expr) {
    return plan_expr_any(expr, is_marker, NULL);
}

bool sql_has_params(const sql_ctx *ctx, uint32_t subquery) {
    for (uint32_t k = 0; k < ctx->nouters; k++)
        if (ctx->outers[k].subquery == subquery) return true;
    return false;
}

// ---- another place ---------------------------------------------------------------------------

static const plan_expr *column_used(sql_ctx *ctx, const sql_subquery *sub, uint32_t k) {
    if (sub->over != NULL) return sub->over[k];
    plan_expr *column = sql_expr(ctx, PLAN_EXPR_COLUMN, ctx->outers[k].type, 0, sub->position);
    column->index = ctx->outers[k].column;
    return column;
}

// By parameter: whether the sub-query uses it. One may be there for a column that stands in nothing
// but an aggregate of the query around.
static const bool *params_used(sql_ctx *ctx, const sql_subquery *sub) {
    bool *used = base_arena_array(ctx->arena, bool, ctx->nouters);
    sql_params_used(sub->node, used);
    for (uint32_t k = 0; k < ctx->nouters; k++)
        used[k] = ctx->outers[k].subquery == sub->number && (used[k] || ctx->outers[k].test);
    return used;
}

void sql_subquery_columns(sql_ctx *ctx, const plan_expr *marker,
                          void (*visit)(void *arg, const plan_expr *column), void *arg) {
    const sql_subquery *sub = ctx->subqueries[marker->index];
    const bool *used = params_used(ctx, sub);
    uint32_t n = ctx->nouters; // visits may add more, which are of other sub-queries
    for (uint32_t k = 0; k < n; k++)
        if (used[k] && !ctx->outers[k].test) visit(arg, column_used(ctx, sub, k));
}

const plan_expr *sql_subquery_move(sql_ctx *ctx, const plan_expr *marker,
                                   const plan_expr *(*map)(void *arg, const plan_expr *column),
                                   void *arg) {
    const sql_subquery *sub = ctx->subqueries[marker->index];
    const bool *used = params_used(ctx, sub);
    uint32_t n = ctx->nouters;
    const plan_expr **over = base_arena_array(ctx->arena, const plan_expr *, n);
    for (uint32_t k = 0; k < n; k++)
        if (used[k] && !ctx->outers[k].test) over[k] = map(arg, column_used(ctx, sub, k));
    sql_subquery *moved = sql_subquery_add(ctx, sub->kind, sub->position);
    *moved = *sub;
    moved->marker = NULL;
    moved->over = over;
    plan_expr *copy = base_arena_new(ctx->arena, plan_expr);
    *copy = *marker;
    copy->index = ctx->nsubqueries - 1;
    return copy;
}

// ---- joining ---------------------------------------------------------------------------------

static plan_expr *unary(sql_ctx *ctx, plan_expr_kind kind, const plan_expr *arg) {
    plan_expr *expr = sql_expr(ctx, kind, col_type_of(COL_BOOL), 1, 0);
    expr->args[0] = arg;
    return expr;
}

static const plan_expr *choose(sql_ctx *ctx, const plan_expr *when, const plan_expr *then,
                               const plan_expr *otherwise) {
    plan_expr *expr = sql_expr(ctx, PLAN_EXPR_CASE, then->type, 3, 0);
    expr->args[0] = when;
    expr->args[1] = then;
    expr->args[2] = otherwise;
    return expr;
}

// A sub-query over the node where it is placed: `args` of the marker are over that node.
static base_rc depend(sql_ctx *ctx, const sql_subquery *sub, const plan_expr *const *args,
                      const plan_node *left, sql_dependent *d) {
    const plan_expr **over = base_arena_array(ctx->arena, const plan_expr *, ctx->nouters);
    const bool *used = params_used(ctx, sub);
    for (uint32_t k = 0; k < ctx->nouters; k++) {
        if (!used[k] || (ctx->outers[k].test && args == NULL)) continue;
        over[k] = ctx->outers[k].test ? args[ctx->outers[k].column] : column_used(ctx, sub, k);
    }
    return sql_dependent_init(d, ctx, sub->number, left, over);
}

// LEFT JOIN of *node with u's node and a last column that is true; *first is u's first column.
static base_rc join_left(sql_dependent *d, const sql_unnested *u, plan_node **node,
                         uint32_t *first) {
    sql_ctx *ctx = d->ctx;
    uint32_t n = u->node->ncolumns;
    const plan_expr *condition;
    *first = (*node)->ncolumns;
    SQL_TRY(sql_unnested_condition(d, u, *first, &condition));
    const plan_expr **exprs = base_arena_array(ctx->arena, const plan_expr *, n + 1u);
    const char **names = base_arena_array(ctx->arena, const char *, n + 1u);
    for (uint32_t i = 0; i < n; i++) {
        exprs[i] = sql_column_of(ctx, u->node, i);
        names[i] = u->node->columns[i].name;
    }
    exprs[n] = sql_bool_const(ctx, true);
    names[n] = "found";
    plan_node *right = sql_node_project(ctx, u->node, n + 1, exprs, names);
    *node = sql_node_join(ctx, PLAN_JOIN_LEFT, *node, right, condition);
    return BASE_OK;
}

static const plan_expr *found_in(sql_ctx *ctx, const plan_node *node) {
    return unary(ctx, PLAN_EXPR_IS_NOT_NULL, sql_column_of(ctx, node, node->ncolumns - 1));
}

// Column i of what join_left joined, or what stands for it where nothing matched.
static const plan_expr *joined_column(sql_dependent *d, const sql_unnested *u,
                                      const plan_node *node, uint32_t first, uint32_t i) {
    const plan_expr *column = sql_column_of(d->ctx, node, first + i);
    if (u->defaults == NULL) return column;
    const plan_expr *otherwise = sql_dependent_expr(d, u->defaults[i], NULL);
    if (sql_const_is_null(otherwise)) return column;
    return choose(d->ctx, found_in(d->ctx, node), column, otherwise);
}

// ---- scalar sub-queries ----------------------------------------------------------------------

// A value that fails where a count says that more than one row was there.
static base_rc single_value(sql_ctx *ctx, const plan_expr *value, const plan_expr *count,
                            int32_t position, const plan_expr **out) {
    const plan_expr *args[2] = {value, count};
    return sql_call(ctx, "single row", 2, args, position, out);
}

// u with one row for each binding: its first column's least value, the bindings, how many rows.
static void count_rows(sql_ctx *ctx, sql_unnested *u) {
    static const plan_agg_def least = {
        .name = "min", .id = PLAN_AGG_MIN, .nargs = 1, .arg = COL_UNKNOWN, .ret = COL_UNKNOWN};
    static const plan_agg_def rows = {
        .name = "count", .id = PLAN_AGG_COUNT_STAR, .nargs = 0, .ret = COL_INT8};
    uint32_t n = u->nbindings;
    plan_agg *aggs = base_arena_array(ctx->arena, plan_agg, 2);
    aggs[0] = (plan_agg){
        .def = &least, .arg = sql_column_of(ctx, u->node, 0), .type = u->node->columns[0].type};
    aggs[1] = (plan_agg){.def = &rows, .type = col_type_of(COL_INT8)};
    plan_node *node = sql_node(ctx, PLAN_NODE_AGGREGATE, n + 2, 1, u->node, NULL);
    node->nexprs = n;
    node->exprs = base_arena_array(ctx->arena, const plan_expr *, n);
    node->naggs = 2;
    node->aggs = aggs;
    for (uint32_t i = 0; i < n; i++) {
        node->exprs[i] = sql_column_of(ctx, u->node, u->bindings[i].column);
        sql_columns(node)[i] = u->node->columns[u->bindings[i].column];
        u->bindings[i].column = i;
    }
    sql_columns(node)[n] = (plan_column){.name = "value", .type = aggs[0].type};
    sql_columns(node)[n + 1] = (plan_column){.name = "rows", .type = aggs[1].type};
    u->node = node;
    u->ncolumns = n + 2;
}

// A flat query's columns behind those of the node; its conditions over both.
static const plan_expr **flat_columns(sql_dependent *d, const sql_flat *flat, uint32_t first,
                                      const plan_expr **condition) {
    sql_ctx *ctx = d->ctx;
    uint32_t n = flat->node->ncolumns;
    const plan_expr **map = base_arena_array(ctx->arena, const plan_expr *, n);
    for (uint32_t i = 0; i < n; i++)
        map[i] = plan_expr_column(ctx->arena, first + i, flat->node->columns[i].type);
    *condition = NULL;
    for (uint32_t i = 0; i < flat->conditions.n; i++)
        *condition =
            sql_and(ctx, *condition, sql_dependent_expr(d, flat->conditions.items[i], map));
    return map;
}

static base_rc flat_value(sql_dependent *d, const sql_flat *flat, plan_node **node,
                          const plan_expr **out) {
    sql_ctx *ctx = d->ctx;
    uint32_t n = flat->node->ncolumns, first = (*node)->ncolumns;
    bool no_rows = flat->node->kind == PLAN_NODE_VALUES && flat->node->nexprs == 1;
    if (no_rows && flat->conditions.n == 0) { // SELECT of one row without FROM
        *out = sql_dependent_expr(d, flat->exprs[0], NULL);
        return BASE_OK;
    }
    const plan_expr *condition, **map = flat_columns(d, flat, first, &condition);
    sql_unnested plain = {.node = (plan_node *)(uintptr_t)flat->node, .ncolumns = n};
    SQL_TRY(join_left(d, &plain, node, &first));
    (*node)->predicate = condition;
    const plan_expr *value = sql_dependent_expr(d, flat->exprs[0], map);
    *out = flat->exprs[0]->kind == PLAN_EXPR_COLUMN
               ? value
               : choose(ctx, found_in(ctx, *node), value, plan_expr_null(ctx->arena, value->type));
    return BASE_OK;
}

static base_rc place_value(sql_ctx *ctx, const sql_subquery *sub, plan_node **node,
                           const plan_expr **out) {
    sql_dependent d;
    sql_flat flat;
    sql_unnested u;
    SQL_TRY(depend(ctx, sub, NULL, *node, &d));
    if (sql_flatten(&d, sub->node, &flat) && (sub->trusted || sql_flat_single(&d, &flat)))
        return flat_value(&d, &flat, node, out);
    const plan_expr **nearest = sql_nearest_row(&d, sub->node, PLAN_JOIN_LEFT, node);
    if (nearest != NULL) {
        *out = nearest[0];
        return BASE_OK;
    }
    SQL_TRY(sql_unnest(&d, sub->node, &u));
    bool *fixed = base_arena_array(ctx->arena, bool, u.node->ncolumns);
    for (uint32_t i = 0; i < u.nbindings; i++) fixed[u.bindings[i].column] = true;
    uint32_t first;
    if (sub->trusted || sql_single_row(ctx, u.node, fixed)) {
        SQL_TRY(join_left(&d, &u, node, &first));
        *out = joined_column(&d, &u, *node, first, 0);
        return BASE_OK;
    }
    must(u.defaults == NULL); // that is a row of an aggregate: the only one
    uint32_t n = u.nbindings;
    count_rows(ctx, &u);
    SQL_TRY(join_left(&d, &u, node, &first));
    return single_value(ctx, sql_column_of(ctx, *node, first + n),
                        sql_column_of(ctx, *node, first + n + 1), sub->position, out);
}

// ---- EXISTS ----------------------------------------------------------------------------------

// A query that has a row if and only if `node` has one.
static const plan_node *rows_only(const plan_node *node) {
    for (;;) {
        bool sorted = node->kind == PLAN_NODE_SORT && node->limit != 0 && node->offset == 0 &&
                      node->limit_param == NULL && node->offset_param == NULL;
        if (node->kind != PLAN_NODE_PROJECT && node->kind != PLAN_NODE_DISTINCT && !sorted)
            return node;
        node = node->inputs[0];
    }
}

// The distinct bindings of u; without any, one row if it has rows.
static void distinct_bindings(sql_ctx *ctx, sql_unnested *u) {
    uint32_t n = u->nbindings, columns = n == 0 ? 1 : n;
    const plan_expr **exprs = base_arena_array(ctx->arena, const plan_expr *, columns);
    if (n == 0) exprs[0] = sql_bool_const(ctx, true);
    for (uint32_t i = 0; i < n; i++) {
        exprs[i] = sql_column_of(ctx, u->node, u->bindings[i].column);
        u->bindings[i].column = i;
    }
    plan_node *project = sql_node_project(ctx, u->node, columns, exprs, NULL);
    u->node = project;
    u->ncolumns = columns;
    if (sql_annotate(ctx, project)->nkey > 0) return; // they are distinct
    plan_node *distinct = sql_node(ctx, PLAN_NODE_DISTINCT, columns, 1, project, NULL);
    memcpy(sql_columns(distinct), project->columns, columns * sizeof(plan_column));
    u->node = distinct;
}

// MARK JOIN of *node with `right`; *out is the mark.
static void join_mark(sql_ctx *ctx, plan_node **node, const plan_node *right,
                      const plan_expr *condition, const plan_expr *mark, const plan_expr **out) {
    plan_node *join = sql_node_join(ctx, PLAN_JOIN_MARK, *node, right, condition);
    join->mark = mark;
    *node = join;
    *out = sql_column_of(ctx, join, join->ncolumns - 1);
}

// Equalities are met by the distinct keys of the sub-query, so that a row more or less of a key
// that is there changes nothing behind them; other conditions by its rows.
static base_rc place_exists(sql_ctx *ctx, const sql_subquery *sub, const plan_node *query,
                            const plan_expr *const *args, plan_node **node, const plan_expr **out) {
    sql_dependent d;
    sql_unnested u;
    sql_flat flat;
    const plan_expr *condition;
    SQL_TRY(depend(ctx, sub, args, *node, &d));
    if (sql_depends(&d, query) && sql_flatten(&d, query, &flat) && !sql_flat_by_keys(&d, &flat)) {
        flat_columns(&d, &flat, (*node)->ncolumns, &condition);
        join_mark(ctx, node, flat.node, condition, NULL, out);
        return BASE_OK;
    }
    SQL_TRY(sql_unnest(&d, query, &u));
    if (u.defaults != NULL) { // an aggregate always has a row
        *out = sql_bool_const(ctx, true);
        return BASE_OK;
    }
    distinct_bindings(ctx, &u);
    SQL_TRY(sql_unnested_condition(&d, &u, (*node)->ncolumns, &condition));
    join_mark(ctx, node, u.node, condition, NULL, out);
    return BASE_OK;
}

// ---- ANY and ALL -----------------------------------------------------------------------------

typedef struct comparison {
    sql_ctx *ctx;
    const sql_subquery *sub;
    const plan_expr *marker;  // its arguments are over the node
    const plan_expr *compare; // ANY row for which it is true
    const char *op;
    plan_node **node;
} comparison;

static bool is_null_free(const plan_expr *expr, const plan_node *node) {
    return expr->kind == PLAN_EXPR_CONST
               ? !sql_const_is_null(expr)
               : expr->kind == PLAN_EXPR_COLUMN && node->columns[expr->index].not_null;
}

// Whether a comparison may be null.
static bool may_be_null(const comparison *c) {
    const plan_node *left = sql_annotate(c->ctx, *c->node);
    for (uint32_t i = 0; i < c->marker->nargs; i++)
        if (!is_null_free(c->marker->args[i], left)) return true;
    const plan_node *right = sql_annotate(c->ctx, c->sub->node);
    for (uint32_t i = 0; i < right->ncolumns; i++)
        if (!right->columns[i].not_null) return true;
    return false;
}

static const plan_agg_def *agg_for(const char *name, col_kind kind) {
    const plan_agg_def *defs;
    size_t n = plan_agg_find(base_str_of(name), &defs);
    for (size_t i = 0; i < n; i++)
        if (defs[i].nargs == 1 && (defs[i].arg == kind || defs[i].arg == COL_UNKNOWN))
            return &defs[i];
    return NULL;
}

// What is to be known of counts, and other aggregates as they are: whether there is a row, and
// whether there is one without a value. As this changes seldom, a row more or less of the query is
// no change to the rows that it is joined to.
static base_rc told_by_counts(sql_ctx *ctx, plan_node **node) {
    uint32_t n = (*node)->ncolumns;
    const plan_expr **exprs = base_arena_array(ctx->arena, const plan_expr *, n);
    const char **names = base_arena_array(ctx->arena, const char *, n);
    for (uint32_t i = 0; i < n; i++) exprs[i] = sql_column_of(ctx, *node, i);
    const plan_expr *rows = exprs[0], *values = exprs[1];
    SQL_TRY(sql_operator(ctx, ">", rows, sql_i64_const(ctx, 0, COL_INT8, 0), 0, &exprs[0]));
    SQL_TRY(sql_operator(ctx, "<", values, rows, 0, &exprs[1]));
    names[0] = "some";
    names[1] = "nulls";
    *node = sql_node_project(ctx, *node, n, exprs, names);
    return BASE_OK;
}

// Aggregates over all rows of a query, of which the first two count, joined to the node for each
// binding; of the counts what they tell.
static base_rc join_aggs(const comparison *c, const plan_node *query, uint32_t n,
                         const plan_agg *aggs, const plan_expr **out) {
    sql_ctx *ctx = c->ctx;
    plan_node *node = sql_node(ctx, PLAN_NODE_AGGREGATE, n, 1, query, NULL);
    node->naggs = n;
    node->aggs = aggs;
    for (uint32_t i = 0; i < n; i++)
        sql_columns(node)[i] = (plan_column){.name = aggs[i].def->name, .type = aggs[i].type};
    SQL_TRY(told_by_counts(ctx, &node));
    sql_dependent d;
    sql_unnested u;
    uint32_t first;
    SQL_TRY(depend(ctx, c->sub, c->marker->args, *c->node, &d));
    SQL_TRY(sql_unnest(&d, node, &u));
    SQL_TRY(join_left(&d, &u, c->node, &first));
    for (uint32_t i = 0; i < n; i++) out[i] = joined_column(&d, &u, *c->node, first, i);
    return BASE_OK;
}

// CASE WHEN hit THEN true WHEN unknown THEN NULL ELSE false END.
static const plan_expr *three_valued(sql_ctx *ctx, const plan_expr *hit, const plan_expr *unknown) {
    plan_expr *answer = sql_expr(ctx, PLAN_EXPR_CASE, col_type_of(COL_BOOL), 5, 0);
    answer->args[0] = hit;
    answer->args[1] = sql_bool_const(ctx, true);
    answer->args[2] = unknown;
    answer->args[3] = plan_expr_null(ctx->arena, col_type_of(COL_BOOL));
    answer->args[4] = sql_bool_const(ctx, false);
    return answer;
}

// One column: null if no row compares as true, and there is a row, and a side of it is null.
static const plan_expr *unknown_of(const comparison *c, const plan_expr *some,
                                   const plan_expr *nulls) {
    sql_ctx *ctx = c->ctx;
    plan_expr *either = sql_expr(ctx, PLAN_EXPR_OR, col_type_of(COL_BOOL), 2, 0);
    either->args[0] = unary(ctx, PLAN_EXPR_IS_NULL, c->marker->args[0]);
    either->args[1] = nulls;
    return sql_and(ctx, some, either);
}

static const plan_agg_def count_rows_def = {
    .name = "count", .id = PLAN_AGG_COUNT_STAR, .nargs = 0, .ret = COL_INT8};
static const plan_agg_def count_values_def = {
    .name = "count", .id = PLAN_AGG_COUNT, .nargs = 1, .arg = COL_UNKNOWN, .ret = COL_INT8};

static plan_agg *counting(const comparison *c, uint32_t n) {
    plan_agg *aggs = base_arena_array(c->ctx->arena, plan_agg, n);
    aggs[0] = (plan_agg){.def = &count_rows_def, .type = col_type_of(COL_INT8)};
    aggs[1] =
        (plan_agg){.def = &count_values_def, .arg = c->sub->value, .type = col_type_of(COL_INT8)};
    return aggs;
}

// Compares with the distinct rows of `right`, whose first columns are the sub-query's: a mark.
static void mark_rows(const comparison *c, sql_dependent *d, const plan_node *right,
                      const plan_expr *condition, const plan_expr **out) {
    sql_ctx *ctx = c->ctx;
    uint32_t first = (*c->node)->ncolumns, n = c->sub->node->ncolumns;
    const plan_expr **columns = base_arena_array(ctx->arena, const plan_expr *, n + 1u);
    for (uint32_t i = 0; i < n; i++)
        columns[i] = plan_expr_column(ctx->arena, first + i, right->columns[i].type);
    plan_node *distinct = sql_node(ctx, PLAN_NODE_DISTINCT, right->ncolumns, 1, right, NULL);
    memcpy(sql_columns(distinct), right->columns, right->ncolumns * sizeof *right->columns);
    join_mark(ctx, c->node, distinct, condition, sql_dependent_expr(d, c->compare, columns), out);
}

// Whether one of the expressions is null; NULL: never.
static const plan_expr *any_null(sql_ctx *ctx, uint32_t n, const plan_expr *const *exprs,
                                 const plan_node *input) {
    const plan_node *known = sql_annotate(ctx, input);
    sql_exprs tests = {0};
    for (uint32_t i = 0; i < n; i++)
        if (!is_null_free(exprs[i], known))
            sql_exprs_add(ctx, &tests, unary(ctx, PLAN_EXPR_IS_NULL, exprs[i]));
    if (tests.n < 2) return tests.n == 0 ? NULL : tests.items[0];
    plan_expr *any = sql_expr(ctx, PLAN_EXPR_OR, col_type_of(COL_BOOL), tests.n, 0);
    memcpy(any->args, tests.items, tests.n * sizeof *any->args);
    return any;
}

// Rows of several columns: a comparison is null only where a side has a null. So rows with nulls
// are compared with all of the other side, others, which are most, with those alone that have
// nulls: these by a key, whether a row has nulls.
static base_rc unknown_rows(const comparison *c, const plan_expr **out) {
    sql_ctx *ctx = c->ctx;
    const plan_node *query = c->sub->node;
    uint32_t n = query->ncolumns;
    sql_exprs columns = {0}, unknown = {0};
    sql_dependent d;
    for (uint32_t i = 0; i < n; i++) sql_exprs_add(ctx, &columns, sql_column_of(ctx, query, i));
    const plan_expr *left = any_null(ctx, c->marker->nargs, c->marker->args, *c->node), *mark;
    const plan_expr *right = any_null(ctx, n, columns.items, query), *same;
    SQL_TRY(depend(ctx, c->sub, c->marker->args, *c->node, &d));
    if (right != NULL) {
        mark_rows(c, &d, sql_node_filter(ctx, query, right), NULL, &mark);
        sql_exprs_add(ctx, &unknown, unary(ctx, PLAN_EXPR_IS_NULL, mark));
    }
    if (left != NULL) {
        sql_exprs_add(ctx, &columns, sql_bool_const(ctx, true));
        const plan_node *all = sql_node_project(ctx, query, n + 1, columns.items, NULL);
        const plan_expr *yes =
            plan_expr_column(ctx->arena, (*c->node)->ncolumns + n, col_type_of(COL_BOOL));
        SQL_TRY(sql_operator(ctx, "=", left, yes, 0, &same));
        mark_rows(c, &d, all, same, &mark);
        sql_exprs_add(ctx, &unknown, unary(ctx, PLAN_EXPR_IS_NULL, mark));
    }
    *out = unknown.n == 0 ? sql_bool_const(ctx, false) : unknown.items[0];
    if (unknown.n < 2) return BASE_OK;
    plan_expr *either = sql_expr(ctx, PLAN_EXPR_OR, col_type_of(COL_BOOL), 2, 0);
    memcpy(either->args, unknown.items, 2 * sizeof *either->args);
    *out = either;
    return BASE_OK;
}

static base_rc equal_parts(const comparison *c, const plan_expr **found,
                           const plan_expr **unknown) {
    sql_ctx *ctx = c->ctx;
    const plan_expr *aggs[2];
    SQL_TRY(place_exists(ctx, c->sub, sql_node_filter(ctx, c->sub->node, c->compare),
                         c->marker->args, c->node, found));
    if (c->op == NULL) return unknown_rows(c, unknown);
    SQL_TRY(join_aggs(c, c->sub->node, 2, counting(c, 2), aggs));
    *unknown = unknown_of(c, aggs[0], aggs[1]);
    return BASE_OK;
}

static base_rc any_equal(const comparison *c, const plan_expr **out) {
    const plan_expr *found, *unknown;
    SQL_TRY(equal_parts(c, &found, &unknown));
    *out = three_valued(c->ctx, found, unknown);
    return BASE_OK;
}

// x NOT IN (...) as a condition: no row is equal, which is an anti join, and none may be.
static base_rc none_equal(const comparison *c, const plan_expr **out) {
    const plan_expr *found, *unknown;
    SQL_TRY(equal_parts(c, &found, &unknown));
    *out = sql_and(c->ctx, unary(c->ctx, PLAN_EXPR_NOT, found),
                   unary(c->ctx, PLAN_EXPR_NOT, unary(c->ctx, PLAN_EXPR_IS_TRUE, unknown)));
    return BASE_OK;
}

// x < ANY is x < max, x > ANY is x > min, x <> ANY is x <> min or x <> max.
static base_rc any_ordered(const comparison *c, const plan_agg_def *min, const plan_agg_def *max,
                           const plan_expr **out) {
    sql_ctx *ctx = c->ctx;
    const plan_expr *aggs[4], *hit, *other, *x = c->marker->args[0];
    bool unequal = strcmp(c->op, "<>") == 0, less = c->op[0] == '<' && !unequal;
    plan_agg *specs = counting(c, unequal ? 4 : 3);
    specs[2] =
        (plan_agg){.def = less ? max : min, .arg = c->sub->value, .type = c->sub->value->type};
    if (unequal) {
        specs[3] = specs[2];
        specs[3].def = max;
    }
    SQL_TRY(join_aggs(c, c->sub->node, unequal ? 4 : 3, specs, aggs));
    SQL_TRY(sql_operator(ctx, c->op, x, aggs[2], 0, &hit));
    if (unequal) {
        SQL_TRY(sql_operator(ctx, c->op, x, aggs[3], 0, &other));
        plan_expr *either = sql_expr(ctx, PLAN_EXPR_OR, col_type_of(COL_BOOL), 2, 0);
        either->args[0] = hit;
        either->args[1] = other;
        hit = either;
    }
    *out = three_valued(ctx, hit, unknown_of(c, aggs[0], aggs[1]));
    return BASE_OK;
}

// Compares with every row that belongs to the node's.
static base_rc any_marked(const comparison *c, const plan_expr **out) {
    sql_ctx *ctx = c->ctx;
    sql_dependent d, own;
    sql_flat flat;
    uint32_t first = (*c->node)->ncolumns, n = c->sub->node->ncolumns;
    const plan_expr *condition, **columns = base_arena_array(ctx->arena, const plan_expr *, n);
    const plan_node *right;
    SQL_TRY(depend(ctx, c->sub, c->marker->args, *c->node, &d));
    SQL_TRY(depend(ctx, c->sub, NULL, *c->node, &own));
    if (sql_flatten(&own, c->sub->node, &flat)) {
        const plan_expr **map = flat_columns(&own, &flat, first, &condition);
        for (uint32_t i = 0; i < n; i++) columns[i] = sql_dependent_expr(&own, flat.exprs[i], map);
        right = flat.node;
    } else {
        sql_unnested u;
        SQL_TRY(sql_unnest(&own, c->sub->node, &u));
        if (u.defaults != NULL) SQL_TRY(sql_unnest_fully(&own, &u));
        SQL_TRY(sql_unnested_condition(&own, &u, first, &condition));
        for (uint32_t i = 0; i < n; i++)
            columns[i] = plan_expr_column(ctx->arena, first + i, u.node->columns[i].type);
        right = u.node;
    }
    join_mark(ctx, c->node, right, condition, sql_dependent_expr(&d, c->compare, columns), out);
    return BASE_OK;
}

static bool is_correlated(const comparison *c) {
    bool *used = base_arena_array(c->ctx->arena, bool, c->ctx->nouters);
    sql_params_used(c->sub->node, used);
    for (uint32_t k = 0; k < c->ctx->nouters; k++)
        if (used[k] && c->ctx->outers[k].subquery == c->sub->number) return true;
    return false;
}

// Equality alone, of one column or of rows, which is null only where a side has a null: what is
// equal is found by the key.
static bool is_told_by_key(const comparison *c) {
    if (is_correlated(c)) return false;
    if (c->op != NULL) return strcmp(c->op, "=") == 0;
    sql_exprs parts = {0};
    sql_conjuncts(c->ctx, c->compare, &parts);
    for (uint32_t i = 0; i < parts.n; i++) {
        const plan_expr *part = parts.items[i];
        if (part->kind != PLAN_EXPR_CALL || part->nargs != 2 || strcmp(part->func->name, "=") != 0)
            return false;
    }
    return parts.n > 1;
}

static base_rc any_value(const comparison *c, const plan_expr **out) {
    bool ordered = c->op != NULL && strcmp(c->op, "=") != 0;
    const plan_agg_def *min = NULL, *max = NULL;
    if (ordered) {
        min = agg_for("min", c->sub->value->type.kind);
        max = agg_for("max", c->sub->value->type.kind);
    }
    if (min != NULL && max != NULL) return any_ordered(c, min, max, out);
    if (c->sub->filtering || !may_be_null(c))
        return place_exists(c->ctx, c->sub, sql_node_filter(c->ctx, c->sub->node, c->compare),
                            c->marker->args, c->node, out);
    return is_told_by_key(c) ? any_equal(c, out) : any_marked(c, out);
}

static const char *negation_of(const char *op) {
    static const char *const pairs[][2] = {{"=", "<>"}, {"<", ">="}, {">", "<="},
                                           {"<>", "="}, {">=", "<"}, {"<=", ">"}};
    for (size_t i = 0; op != NULL && i < sizeof pairs / sizeof *pairs; i++)
        if (strcmp(op, pairs[i][0]) == 0) return pairs[i][1];
    return NULL;
}

// ALL rows compare as true unless ANY compares as not true.
static base_rc negated_comparison(comparison *c) {
    sql_ctx *ctx = c->ctx;
    const char *op = negation_of(c->op);
    const plan_expr *compare = c->compare;
    c->compare = unary(ctx, PLAN_EXPR_NOT, compare);
    if (op != NULL && compare->kind == PLAN_EXPR_CALL)
        SQL_TRY(sql_operator(ctx, op, compare->args[0], compare->args[1], 0, &c->compare));
    c->op = op;
    return BASE_OK;
}

static base_rc place_any(sql_ctx *ctx, const sql_subquery *sub, const plan_expr *marker,
                         plan_node **node, const plan_expr **out) {
    comparison c = {ctx, sub, marker, sub->compare, sub->op, node};
    if (sub->kind == SQL_SUBQUERY_ANY) return any_value(&c, out);
    SQL_TRY(negated_comparison(&c));
    SQL_TRY(any_value(&c, out));
    *out = unary(ctx, PLAN_EXPR_NOT, *out);
    return BASE_OK;
}

// The domain of a sub-query has all that is around it once more, so levels multiply.
static base_rc check_size(sql_ctx *ctx, const plan_node *node, int32_t position) {
    if (sql_node_count(node, SQL_SUBQUERY_NODES_MAX) < SQL_SUBQUERY_NODES_MAX) return BASE_OK;
    return sql_fail(ctx, position, BASE_E_LIMIT, "54001",
                    "statement is too complex: its sub-queries need a plan of more than %u parts",
                    SQL_SUBQUERY_NODES_MAX);
}

// ---- placing ---------------------------------------------------------------------------------

typedef struct placing {
    sql_ctx *ctx;
    plan_node **node;
    uint32_t cap;
    const plan_expr **values; // by sub-query: where it has been placed already
} placing;

static base_rc place_marker(placing *p, const plan_expr *marker, const plan_expr **out) {
    sql_ctx *ctx = p->ctx;
    const sql_subquery *sub = ctx->subqueries[marker->index];
    if (marker->index < p->cap && p->values[marker->index] != NULL) {
        *out = p->values[marker->index];
        return BASE_OK;
    }
    switch (sub->kind) {
    case SQL_SUBQUERY_VALUE:
        SQL_TRY(place_value(ctx, sub, p->node, out));
        break;
    case SQL_SUBQUERY_EXISTS:
        SQL_TRY(place_exists(ctx, sub, rows_only(sub->node), NULL, p->node, out));
        break;
    case SQL_SUBQUERY_ANY:
    case SQL_SUBQUERY_ALL:
        SQL_TRY(place_any(ctx, sub, marker, p->node, out));
        break;
    case SQL_SUBQUERY_LATERAL:
        must(false);
    }
    if (marker->index < p->cap) p->values[marker->index] = *out;
    return check_size(ctx, *p->node, sub->position);
}

static base_rc place(placing *p, const plan_expr *expr, const plan_expr **out) {
    *out = expr;
    if (!sql_has_subquery(expr)) return BASE_OK;
    SQL_TRY(sql_enter(p->ctx, expr->position));
    plan_expr *copy = base_arena_new(p->ctx->arena, plan_expr);
    *copy = *expr;
    copy->args = base_arena_array(p->ctx->arena, const plan_expr *, expr->nargs);
    for (uint32_t i = 0; i < expr->nargs; i++) SQL_TRY(place(p, expr->args[i], &copy->args[i]));
    *out = copy;
    if (expr->kind == PLAN_EXPR_SUBQUERY) SQL_TRY(place_marker(p, copy, out));
    sql_leave(p->ctx);
    return BASE_OK;
}

base_rc sql_place(sql_ctx *ctx, plan_node **node, const plan_expr **exprs, uint32_t n) {
    placing p = {ctx, node, ctx->nsubqueries, NULL};
    p.values = base_arena_array(ctx->arena, const plan_expr *, p.cap);
    for (uint32_t i = 0; i < n; i++)
        if (exprs[i] != NULL) SQL_TRY(place(&p, exprs[i], &exprs[i]));
    return BASE_OK;
}

// ---- conditions ------------------------------------------------------------------------------

// EXISTS and equality with ANY as conditions of their own keep rows; *done: it was one.
static base_rc place_test(sql_ctx *ctx, plan_node **node, const plan_expr *condition, bool *done) {
    bool keep = condition->kind != PLAN_EXPR_NOT;
    const plan_expr *marker = keep ? condition : condition->args[0], *found;
    *done = false;
    if (marker->kind != PLAN_EXPR_SUBQUERY) return BASE_OK;
    const sql_subquery *sub = ctx->subqueries[marker->index];
    const plan_node *query = rows_only(sub->node);
    for (uint32_t i = 0; i < marker->nargs; i++)
        if (sql_has_subquery(marker->args[i])) return BASE_OK;
    if (sub->kind == SQL_SUBQUERY_ANY) {
        comparison c = {ctx, sub, marker, sub->compare, sub->op, node};
        if (sub->op != NULL && strcmp(sub->op, "=") != 0) return BASE_OK;
        if (!keep && may_be_null(&c)) {
            *done = is_told_by_key(&c);
            if (!*done) return BASE_OK;
            SQL_TRY(none_equal(&c, &found));
            *node = sql_node_filter(ctx, *node, found);
            return check_size(ctx, *node, sub->position);
        }
        query = sql_node_filter(ctx, sub->node, sub->compare);
    } else if (sub->kind != SQL_SUBQUERY_EXISTS) {
        return BASE_OK;
    }
    *done = true;
    SQL_TRY(place_exists(ctx, sub, query, marker->args, node, &found));
    *node = sql_node_filter(ctx, *node, keep ? found : unary(ctx, PLAN_EXPR_NOT, found));
    return check_size(ctx, *node, sub->position);
}

base_rc sql_place_filter(sql_ctx *ctx, plan_node **node, const plan_expr *condition) {
    sql_exprs all = {0}, plain = {0};
    sql_conjuncts(ctx, condition, &all);
    for (uint32_t i = 0; i < all.n; i++)
        if (!sql_has_subquery(all.items[i])) sql_exprs_add(ctx, &plain, all.items[i]);
    if (plain.n > 0) *node = sql_node_filter(ctx, *node, sql_conjunction(ctx, &plain));
    for (uint32_t i = 0; i < all.n; i++) {
        if (!sql_has_subquery(all.items[i])) continue;
        bool done;
        SQL_TRY(place_test(ctx, node, all.items[i], &done));
        if (done) continue;
        SQL_TRY(sql_place(ctx, node, &all.items[i], 1));
        *node = sql_node_filter(ctx, *node, all.items[i]);
    }
    return BASE_OK;
}

// ---- LATERAL ---------------------------------------------------------------------------------

typedef struct lateral {
    sql_dependent d;
    plan_join_kind kind;
    const plan_node *left, *right;
    const plan_expr *condition; // over both
} lateral;

// The first columns of a join are left's; then come these.
static plan_node *lateral_columns(const lateral *l, const plan_node *join,
                                  const plan_expr *const *right) {
    sql_ctx *ctx = l->d.ctx;
    uint32_t nleft = l->left->ncolumns, n = nleft + l->right->ncolumns;
    const plan_expr **exprs = base_arena_array(ctx->arena, const plan_expr *, n);
    const char **names = base_arena_array(ctx->arena, const char *, n);
    for (uint32_t i = 0; i < n; i++) {
        exprs[i] = i < nleft ? sql_column_of(ctx, join, i) : right[i - nleft];
        names[i] = (i < nleft ? &l->left->columns[i] : &l->right->columns[i - nleft])->name;
    }
    return sql_node_project(ctx, join, n, exprs, names);
}

static const plan_expr *lateral_condition(const lateral *l, const plan_expr *const *right) {
    sql_ctx *ctx = l->d.ctx;
    uint32_t nleft = l->left->ncolumns, n = nleft + l->right->ncolumns;
    if (l->condition == NULL) return NULL;
    const plan_expr **map = base_arena_array(ctx->arena, const plan_expr *, n);
    for (uint32_t i = 0; i < n; i++)
        map[i] = i < nleft ? sql_column_of(ctx, l->left, i) : right[i - nleft];
    return plan_expr_substitute(ctx->arena, l->condition, map);
}

// Rows of expressions over left: one projection of it each.
static plan_node *lateral_values(lateral *l) {
    sql_ctx *ctx = l->d.ctx;
    uint32_t n = l->right->ncolumns, nrows = l->right->nexprs / n;
    plan_node *all = sql_node(ctx, PLAN_NODE_UNION_ALL, l->left->ncolumns + n, nrows, NULL, NULL);
    for (uint32_t row = 0; row < nrows; row++) {
        const plan_expr **exprs = base_arena_array(ctx->arena, const plan_expr *, n);
        for (uint32_t i = 0; i < n; i++)
            exprs[i] = sql_dependent_expr(&l->d, l->right->exprs[row * n + i], NULL);
        all->inputs[row] = lateral_columns(l, l->left, exprs);
    }
    memcpy(sql_columns(all), all->inputs[0]->columns, all->ncolumns * sizeof(plan_column));
    return nrows == 1 ? (plan_node *)(uintptr_t)all->inputs[0] : all;
}

static plan_node *lateral_flat(lateral *l, const sql_flat *flat) {
    sql_ctx *ctx = l->d.ctx;
    bool outer = l->kind == PLAN_JOIN_LEFT;
    uint32_t nleft = l->left->ncolumns, n = flat->node->ncolumns, nright = l->right->ncolumns;
    bool one_row = flat->node->kind == PLAN_NODE_VALUES && flat->node->nexprs == n;
    const plan_expr **map = base_arena_array(ctx->arena, const plan_expr *, n);
    for (uint32_t i = 0; i < n; i++)
        map[i] = one_row && !outer
                     ? flat->node->exprs[i]
                     : plan_expr_column(ctx->arena, nleft + i, flat->node->columns[i].type);
    const plan_expr **exprs = base_arena_array(ctx->arena, const plan_expr *, nright);
    for (uint32_t i = 0; i < nright; i++) exprs[i] = sql_dependent_expr(&l->d, flat->exprs[i], map);
    const plan_expr *condition = lateral_condition(l, exprs);
    for (uint32_t i = 0; i < flat->conditions.n; i++)
        condition =
            sql_and(ctx, condition, sql_dependent_expr(&l->d, flat->conditions.items[i], map));
    if (!outer) {
        plan_node *join = one_row ? (plan_node *)(uintptr_t)l->left
                                  : sql_node_join(ctx, PLAN_JOIN_INNER, l->left, flat->node, NULL);
        if (condition != NULL) join = sql_node_filter(ctx, join, condition);
        return lateral_columns(l, join, exprs);
    }
    const plan_expr **marked = base_arena_array(ctx->arena, const plan_expr *, n + 1u);
    for (uint32_t i = 0; i < n; i++) marked[i] = sql_column_of(ctx, flat->node, i);
    marked[n] = sql_bool_const(ctx, true);
    plan_node *join =
        sql_node_join(ctx, PLAN_JOIN_LEFT, l->left,
                      sql_node_project(ctx, flat->node, n + 1, marked, NULL), condition);
    for (uint32_t i = 0; i < nright; i++)
        if (flat->exprs[i]->kind != PLAN_EXPR_COLUMN)
            exprs[i] = choose(ctx, found_in(ctx, join), exprs[i],
                              plan_expr_null(ctx->arena, exprs[i]->type));
    return lateral_columns(l, join, exprs);
}

static bool lateral_nearest(lateral *l, plan_node **out) {
    if (l->kind == PLAN_JOIN_LEFT && l->condition != NULL && !sql_is_true(l->condition))
        return false;
    plan_node *join = (plan_node *)(uintptr_t)l->left;
    const plan_expr **exprs = sql_nearest_row(&l->d, l->right, l->kind, &join);
    if (exprs == NULL) return false;
    const plan_expr *condition = lateral_condition(l, exprs);
    if (l->kind == PLAN_JOIN_INNER && condition != NULL)
        join = sql_node_filter(l->d.ctx, join, condition);
    *out = lateral_columns(l, join, exprs);
    return true;
}

static base_rc lateral_general(lateral *l, plan_node **out) {
    sql_ctx *ctx = l->d.ctx;
    uint32_t nleft = l->left->ncolumns, nright = l->right->ncolumns, first;
    sql_unnested u;
    SQL_TRY(sql_unnest(&l->d, l->right, &u));
    if (u.defaults != NULL && l->condition != NULL) SQL_TRY(sql_unnest_fully(&l->d, &u));
    const plan_expr **exprs = base_arena_array(ctx->arena, const plan_expr *, nright);
    plan_node *join = (plan_node *)(uintptr_t)l->left;
    if (u.defaults != NULL) {
        SQL_TRY(join_left(&l->d, &u, &join, &first));
        for (uint32_t i = 0; i < nright; i++) exprs[i] = joined_column(&l->d, &u, join, first, i);
    } else {
        const plan_expr *condition;
        SQL_TRY(sql_unnested_condition(&l->d, &u, nleft, &condition));
        for (uint32_t i = 0; i < nright; i++)
            exprs[i] = plan_expr_column(ctx->arena, nleft + i, l->right->columns[i].type);
        condition = sql_and(ctx, condition, lateral_condition(l, exprs));
        join = sql_node_join(ctx, l->kind, l->left, u.node,
                             l->kind == PLAN_JOIN_LEFT ? condition : NULL);
        if (l->kind == PLAN_JOIN_INNER && condition != NULL)
            join = sql_node_filter(ctx, join, condition);
    }
    *out = lateral_columns(l, join, exprs);
    return BASE_OK;
}

typedef struct relocation {
    sql_ctx *ctx;
    uint32_t subquery, nleft;
} relocation;

// A column of a join as its right side sees it.
static const plan_expr *seen_from_right(void *arg, const plan_expr *column) {
    const relocation *r = arg;
    if (column->index < r->nleft)
        return sql_outer_param(r->ctx, r->subquery, false, column->index, column->type,
                               column->position);
    return plan_expr_column(r->ctx->arena, column->index - r->nleft, column->type);
}

static const plan_expr *relocate(relocation *r, const plan_expr *expr) {
    if (expr->kind == PLAN_EXPR_COLUMN) return seen_from_right(r, expr);
    if (expr->kind == PLAN_EXPR_SUBQUERY)
        expr = sql_subquery_move(r->ctx, expr, seen_from_right, r);
    plan_expr *copy = base_arena_new(r->ctx->arena, plan_expr);
    *copy = *expr;
    copy->args = base_arena_array(r->ctx->arena, const plan_expr *, expr->nargs);
    for (uint32_t i = 0; i < expr->nargs; i++) copy->args[i] = relocate(r, expr->args[i]);
    return copy;
}

base_rc sql_lateral_join(sql_ctx *ctx, plan_join_kind kind, const plan_node *left,
                         const plan_node *right, uint32_t subquery, const plan_expr *condition,
                         plan_node **out) {
    bool late = condition != NULL && sql_has_subquery(condition);
    if (late && kind == PLAN_JOIN_LEFT) { // a part of the right side that depends on the left
        relocation r = {ctx, subquery, left->ncolumns};
        plan_node *selected = (plan_node *)(uintptr_t)right;
        SQL_TRY(sql_place_filter(ctx, &selected, relocate(&r, condition)));
        const plan_expr **own = base_arena_array(ctx->arena, const plan_expr *, right->ncolumns);
        for (uint32_t i = 0; i < right->ncolumns; i++) own[i] = sql_column_of(ctx, selected, i);
        right = sql_node_project(ctx, selected, right->ncolumns, own, NULL);
        condition = NULL;
    }
    const sql_subquery sub = {.kind = SQL_SUBQUERY_LATERAL, .number = subquery, .node = right};
    lateral l = {.kind = kind, .left = left, .right = right, .condition = late ? NULL : condition};
    sql_flat flat;
    SQL_TRY(depend(ctx, &sub, NULL, left, &l.d));
    if (!sql_depends(&l.d, right)) {
        *out = sql_node_join(ctx, kind, left, right, kind == PLAN_JOIN_LEFT ? l.condition : NULL);
        if (kind == PLAN_JOIN_INNER && l.condition != NULL)
            *out = sql_node_filter(ctx, *out, l.condition);
    } else if (right->kind == PLAN_NODE_VALUES &&
               (kind == PLAN_JOIN_INNER || l.condition == NULL)) {
        *out = lateral_values(&l);
        if (l.condition != NULL) *out = sql_node_filter(ctx, *out, l.condition);
    } else if (sql_flatten(&l.d, right, &flat)) {
        *out = lateral_flat(&l, &flat);
    } else if (!lateral_nearest(&l, out)) {
        SQL_TRY(lateral_general(&l, out));
    }
    SQL_TRY(check_size(ctx, *out, 0));
    return late && condition != NULL ? sql_place_filter(ctx, out, condition) : BASE_OK;
}

base_rc sql_join_on_subqueries(sql_binder *names, const plan_node *left, const plan_node *right,
                               const plan_expr *condition, plan_node **out) {
    sql_ctx *ctx = names->ctx;
    uint32_t number = sql_subquery_add(ctx, SQL_SUBQUERY_LATERAL, 0)->number;
    return sql_lateral_join(ctx, PLAN_JOIN_LEFT, left, right, number, condition, out);
}
