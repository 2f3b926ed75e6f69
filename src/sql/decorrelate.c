// decorrelate.c - general unnesting of sub-queries, after Neumann and Kemper, "Unnesting Arbitrary
// Queries" (BTW 2015). A query with parameters becomes one without: its rows for all values of the
// parameters at once, each row with the values it belongs to ("bindings"). The dependent join goes
// down through the query, one rule a kind of node, and ends
//  - at a condition `parameter = column`: the column is the binding, nothing is joined;
//  - else at a join with the domain: the distinct parameters that the other side really has.
// Rows of parameter values that the other side lacks do no harm: the join on the bindings drops
// them. An aggregate without GROUP BY has a row even for values without input rows: `defaults` say
// what is in it, and the domain is joined only if something above needs that row to be there.
// Entry points: sql_dependent_init, sql_unnest, sql_flatten, sql_single_row.
#include "sql/subquery.h"

#include "base/must.h"
#include "plan/over.h"

// ---- what depends on parameters --------------------------------------------------------------

typedef struct dependence {
    const sql_ctx *ctx;
    uint32_t subquery;
} dependence;

static bool is_own(const plan_expr *expr, void *arg) {
    const dependence *of = arg;
    return expr->kind == PLAN_EXPR_OUTER && of->ctx->outers[expr->index].subquery == of->subquery;
}

static bool is_column(const plan_expr *expr, void *arg) {
    (void)arg;
    return expr->kind == PLAN_EXPR_COLUMN;
}

bool sql_is_outer(const plan_expr *expr, void *arg) {
    (void)arg;
    return expr->kind == PLAN_EXPR_OUTER;
}

bool sql_expr_depends(const sql_dependent *d, const plan_expr *expr) {
    dependence of = {d->ctx, d->subquery};
    return plan_expr_any(expr, is_own, &of);
}

typedef bool (*expr_test)(const plan_expr *expr, void *arg);

// Whether an expression of the node itself satisfies.
static bool node_any(const plan_node *node, expr_test test, void *arg) {
    if (plan_expr_any(node->predicate, test, arg)) return true;
    if (plan_expr_any(node->mark, test, arg)) return true;
    for (uint32_t i = 0; i < node->nexprs; i++)
        if (plan_expr_any(node->exprs[i], test, arg)) return true;
    for (uint32_t i = 0; i < node->naggs; i++)
        if (plan_agg_any(&node->aggs[i], test, arg)) return true;
    return plan_expr_any(node->limit_param, test, arg) ||
           plan_expr_any(node->offset_param, test, arg);
}

static bool tree_any(const plan_node *node, expr_test test, void *arg) {
    if (node_any(node, test, arg) || (node->step != NULL && tree_any(node->step, test, arg)))
        return true;
    for (uint32_t i = 0; i < node->ninputs; i++)
        if (tree_any(node->inputs[i], test, arg)) return true;
    return false;
}

bool sql_depends(const sql_dependent *d, const plan_node *node) {
    dependence of = {d->ctx, d->subquery};
    return tree_any(node, is_own, &of);
}

static bool mark_param(const plan_expr *expr, void *arg) {
    if (expr->kind == PLAN_EXPR_OUTER) ((bool *)arg)[expr->index] = true;
    return false;
}

void sql_params_used(const plan_node *node, bool *used) {
    tree_any(node, mark_param, used);
}

base_rc sql_dependent_init(sql_dependent *d, sql_ctx *ctx, uint32_t subquery, const plan_node *left,
                           const plan_expr **args) {
    *d = (sql_dependent){.ctx = ctx, .subquery = subquery, .left = left, .args = args};
    d->params = base_arena_array(ctx->arena, uint32_t, ctx->nouters);
    for (uint32_t k = 0; k < ctx->nouters; k++)
        if (ctx->outers[k].subquery == subquery && args[k] != NULL) d->params[d->nparams++] = k;
    return BASE_OK;
}

// ---- rewriting -------------------------------------------------------------------------------

typedef struct leaf_map {
    const plan_expr *const *columns; // by column; NULL: as they are
    const plan_expr *const *outers;  // by parameter; NULL, or an entry: as they are
} leaf_map;

static const plan_expr *map_leaf(base_arena *arena, const plan_expr *leaf, const void *arg) {
    (void)arena;
    const leaf_map *map = arg;
    if (leaf->kind == PLAN_EXPR_COLUMN && map->columns != NULL) return map->columns[leaf->index];
    if (leaf->kind == PLAN_EXPR_OUTER && map->outers != NULL) return map->outers[leaf->index];
    return NULL;
}

static const plan_expr *mapped(sql_ctx *ctx, const plan_expr *expr, const plan_expr *const *columns,
                               const plan_expr *const *outers) {
    leaf_map map = {columns, outers};
    return plan_expr_rewrite(ctx->arena, expr, map_leaf, &map);
}

const plan_expr *sql_dependent_expr(sql_dependent *d, const plan_expr *expr,
                                    const plan_expr *const *map) {
    return mapped(d->ctx, expr, map, d->args);
}

static const plan_expr *null_test(sql_ctx *ctx, plan_expr_kind kind, const plan_expr *arg) {
    plan_expr *test = sql_expr(ctx, kind, col_type_of(COL_BOOL), 1, 0);
    test->args[0] = arg;
    return test;
}

static base_rc equality(sql_ctx *ctx, const plan_expr *a, const plan_expr *b, bool strict,
                        const plan_expr **out) {
    if (strict) return sql_operator(ctx, "=", a, b, 0, out);
    plan_expr *differs = sql_expr(ctx, PLAN_EXPR_IS_DISTINCT, col_type_of(COL_BOOL), 2, 0);
    differs->args[0] = a;
    differs->args[1] = b;
    *out = null_test(ctx, PLAN_EXPR_NOT, differs);
    return BASE_OK;
}

// Equal values of these types are the same in every respect.
static bool is_exact(col_kind kind) {
    switch (kind) {
    case COL_BOOL:
    case COL_INT2:
    case COL_INT4:
    case COL_INT8:
    case COL_TEXT:
    case COL_VARCHAR:
    case COL_BYTEA:
    case COL_DATE:
    case COL_TIME:
    case COL_TIMESTAMP:
    case COL_TIMESTAMPTZ:
    case COL_UUID:
    case COL_OID:
    case COL_NAME:
    case COL_CHAR:
        return true;
    default:
        return col_kind_is_array(kind) && is_exact(col_kind_element(kind));
    }
}

// ---- bindings --------------------------------------------------------------------------------

static void add_binding(sql_dependent *d, sql_unnested *u, sql_binding binding) {
    sql_binding *all = base_arena_array(d->ctx->arena, sql_binding, u->nbindings + 1u);
    if (u->nbindings > 0) memcpy(all, u->bindings, u->nbindings * sizeof *all);
    all[u->nbindings++] = binding;
    u->bindings = all;
}

// By parameter: the column of u that has its value; NULL: none.
static const plan_expr **bound_params(sql_dependent *d, const sql_unnested *u, uint32_t shift) {
    sql_ctx *ctx = d->ctx;
    const plan_expr **outers = base_arena_array(ctx->arena, const plan_expr *, ctx->nouters);
    for (uint32_t i = 0; i < u->nbindings; i++) {
        const sql_binding *b = &u->bindings[i];
        if (b->exact && b->outer->kind == PLAN_EXPR_OUTER)
            outers[b->outer->index] =
                plan_expr_column(ctx->arena, b->column + shift, b->outer->type);
    }
    return outers;
}

// expr with its parameters as u binds them; false: it does not bind all.
static bool resolve(sql_dependent *d, const sql_unnested *u, const plan_expr *expr,
                    const plan_expr **out) {
    *out = expr;
    if (expr == NULL || !sql_expr_depends(d, expr)) return true;
    *out = mapped(d->ctx, expr, NULL, bound_params(d, u, 0));
    return !sql_expr_depends(d, *out);
}

static bool resolves(sql_dependent *d, const sql_unnested *u, const plan_expr *expr) {
    const plan_expr *ignored;
    return resolve(d, u, expr, &ignored);
}

// u over `node`: of its columns exprs, then those of the bindings.
static void shape(sql_dependent *d, sql_unnested *u, const plan_node *node, uint32_t n,
                  const plan_expr *const *exprs, const plan_column *names) {
    sql_ctx *ctx = d->ctx;
    uint32_t total = n + u->nbindings;
    const plan_expr **all = base_arena_array(ctx->arena, const plan_expr *, total);
    const char **all_names = base_arena_array(ctx->arena, const char *, total);
    sql_binding *bindings = base_arena_array(ctx->arena, sql_binding, u->nbindings);
    for (uint32_t i = 0; i < n; i++) {
        all[i] = exprs[i];
        all_names[i] = names[i].name;
    }
    for (uint32_t i = 0; i < u->nbindings; i++) {
        bindings[i] = u->bindings[i];
        all[n + i] = sql_column_of(ctx, node, bindings[i].column);
        all_names[n + i] = node->columns[bindings[i].column].name;
        bindings[i].column = n + i;
    }
    u->node = sql_node_project(ctx, node, total, all, all_names);
    u->ncolumns = n;
    u->bindings = bindings;
}

static const plan_expr **own_columns(sql_ctx *ctx, const plan_node *node, uint32_t first,
                                     uint32_t n) {
    const plan_expr **exprs = base_arena_array(ctx->arena, const plan_expr *, n);
    for (uint32_t i = 0; i < n; i++) exprs[i] = sql_column_of(ctx, node, first + i);
    return exprs;
}

// ---- the domain ------------------------------------------------------------------------------

static bool never_null(sql_dependent *d, const plan_expr *arg) {
    if (d->left_marked == NULL) d->left_marked = sql_annotate(d->ctx, d->left);
    return arg->kind == PLAN_EXPR_COLUMN && d->left_marked->columns[arg->index].not_null;
}

// The distinct values of the parameters that left has: column i is parameter d->params[i].
static const plan_node *domain(sql_dependent *d) {
    sql_ctx *ctx = d->ctx;
    if (d->domain != NULL) return d->domain;
    const plan_expr **exprs = base_arena_array(ctx->arena, const plan_expr *, d->nparams);
    for (uint32_t i = 0; i < d->nparams; i++) exprs[i] = d->args[d->params[i]];
    plan_node *project = sql_node_project(ctx, d->left, d->nparams, exprs, NULL);
    d->domain = project;
    if (sql_annotate(ctx, project)->nkey > 0) return project;
    plan_node *distinct = sql_node(ctx, PLAN_NODE_DISTINCT, d->nparams, 1, project, NULL);
    memcpy(sql_columns(distinct), project->columns, d->nparams * sizeof(plan_column));
    d->domain = distinct;
    return distinct;
}

static void bind_domain(sql_dependent *d, sql_unnested *u, uint32_t first) {
    sql_ctx *ctx = d->ctx;
    u->bindings = base_arena_array(ctx->arena, sql_binding, d->nparams);
    u->nbindings = d->nparams;
    u->has_domain = true;
    for (uint32_t i = 0; i < d->nparams; i++) {
        plan_expr *outer = sql_expr(ctx, PLAN_EXPR_OUTER, ctx->outers[d->params[i]].type, 0, 0);
        outer->index = d->params[i];
        u->bindings[i] =
            (sql_binding){outer, first + i, never_null(d, d->args[d->params[i]]), true};
    }
}

// Ties u's bindings, behind `shift` columns, to values of parameters given by number.
static base_rc tie(sql_dependent *d, const sql_unnested *u, uint32_t shift,
                   const plan_expr *const *outers, const plan_expr **out) {
    sql_ctx *ctx = d->ctx;
    *out = NULL;
    for (uint32_t i = 0; i < u->nbindings; i++) {
        const sql_binding *b = &u->bindings[i];
        const plan_expr *equal, *value = mapped(ctx, b->outer, NULL, outers);
        const plan_expr *column =
            plan_expr_column(ctx->arena, b->column + shift, u->node->columns[b->column].type);
        SQL_TRY(equality(ctx, value, column, b->strict, &equal));
        *out = sql_and(ctx, *out, equal);
    }
    return BASE_OK;
}

base_rc sql_unnested_condition(sql_dependent *d, const sql_unnested *u, uint32_t nleft,
                               const plan_expr **out) {
    return tie(d, u, nleft, d->args, out);
}

// CASE WHEN marker IS NOT NULL THEN value ELSE otherwise END.
static const plan_expr *if_there(sql_ctx *ctx, const plan_expr *marker, const plan_expr *value,
                                 const plan_expr *otherwise) {
    if (sql_const_is_null(otherwise) && value->kind == PLAN_EXPR_COLUMN) return value;
    plan_expr *choice = sql_expr(ctx, PLAN_EXPR_CASE, value->type, 3, 0);
    choice->args[0] = null_test(ctx, PLAN_EXPR_IS_NOT_NULL, marker);
    choice->args[1] = value;
    choice->args[2] = otherwise;
    return choice;
}

base_rc sql_unnest_fully(sql_dependent *d, sql_unnested *u) {
    sql_ctx *ctx = d->ctx;
    if (u->has_domain && u->defaults == NULL) return BASE_OK;
    const plan_node *values = domain(d), *right = u->node;
    uint32_t nd = values->ncolumns, n = u->ncolumns, nright = right->ncolumns;
    const plan_expr **params = base_arena_array(ctx->arena, const plan_expr *, ctx->nouters);
    for (uint32_t i = 0; i < nd; i++) params[d->params[i]] = sql_column_of(ctx, values, i);
    const plan_expr *condition;
    SQL_TRY(tie(d, u, nd, params, &condition));
    if (u->defaults != NULL) {
        const plan_expr **marked = base_arena_array(ctx->arena, const plan_expr *, nright + 1u);
        for (uint32_t i = 0; i < nright; i++) marked[i] = sql_column_of(ctx, right, i);
        marked[nright] = sql_bool_const(ctx, true);
        right = sql_node_project(ctx, right, nright + 1, marked, NULL);
    }
    plan_node *join = sql_node_join(ctx, u->defaults != NULL ? PLAN_JOIN_LEFT : PLAN_JOIN_INNER,
                                    values, right, u->defaults != NULL ? condition : NULL);
    plan_node *tied =
        u->defaults == NULL && condition != NULL ? sql_node_filter(ctx, join, condition) : join;
    const plan_expr **exprs = own_columns(ctx, tied, nd, n);
    for (uint32_t i = 0; u->defaults != NULL && i < n; i++)
        exprs[i] = if_there(ctx, sql_column_of(ctx, tied, nd + nright), exprs[i],
                            mapped(ctx, u->defaults[i], NULL, params));
    bind_domain(d, u, 0);
    u->defaults = NULL;
    shape(d, u, tied, n, exprs, right->columns);
    return BASE_OK;
}

// ---- the rules: down to where no parameter is left -------------------------------------------

static base_rc unnest_input(sql_dependent *d, const plan_node *node, uint32_t i,
                            sql_unnested *out) {
    return sql_unnest(d, node->inputs[i], out);
}

bool sql_is_own_value(const sql_dependent *d, const plan_expr *expr) {
    return sql_expr_depends(d, expr) && !plan_expr_any(expr, is_column, NULL);
}

bool sql_is_binding(sql_dependent *d, const plan_expr *expr, const plan_expr **outer,
                    const plan_expr **inner) {
    if (expr->kind != PLAN_EXPR_CALL || expr->nargs != 2 || strcmp(expr->func->name, "=") != 0)
        return false;
    for (int side = 0; side < 2; side++) {
        *outer = expr->args[side];
        *inner = expr->args[1 - side];
        if (sql_is_own_value(d, *outer) && !sql_expr_depends(d, *inner)) return true;
    }
    return false;
}

// The column of u's node that has expr; u's node grows by it if there is none.
static uint32_t column_for(sql_dependent *d, sql_unnested *u, const plan_expr *expr) {
    sql_ctx *ctx = d->ctx;
    if (expr->kind == PLAN_EXPR_COLUMN) return expr->index;
    uint32_t n = u->node->ncolumns;
    const plan_expr **all = base_arena_array(ctx->arena, const plan_expr *, n + 1u);
    const char **names = base_arena_array(ctx->arena, const char *, n + 1u);
    for (uint32_t i = 0; i < n; i++) {
        all[i] = sql_column_of(ctx, u->node, i);
        names[i] = u->node->columns[i].name;
    }
    all[n] = expr;
    names[n] = "key";
    u->node = sql_node_project(ctx, u->node, n + 1, all, names);
    return n;
}

// Selects from u by conditions over it and parameters.
static base_rc select_rows(sql_dependent *d, sql_unnested *u, const sql_exprs *conditions) {
    sql_ctx *ctx = d->ctx;
    const plan_expr *outer, *inner, *resolved;
    for (uint32_t i = 0; i < conditions->n && !u->has_domain; i++) {
        const plan_expr *condition = conditions->items[i];
        if (resolves(d, u, condition)) continue;
        if (sql_is_binding(d, condition, &outer, &inner)) {
            bool exact = outer->type.kind == inner->type.kind && is_exact(inner->type.kind);
            uint32_t column = column_for(d, u, inner);
            add_binding(d, u, (sql_binding){outer, column, true, exact});
        }
    }
    bool all = true;
    for (uint32_t i = 0; i < conditions->n && all; i++)
        all = resolves(d, u, conditions->items[i]) ||
              sql_is_binding(d, conditions->items[i], &outer, &inner);
    if (!all) SQL_TRY(sql_unnest_fully(d, u));
    sql_exprs kept = {0};
    for (uint32_t i = 0; i < conditions->n; i++) {
        const plan_expr *condition = conditions->items[i];
        // What became a binding ties its own column already.
        bool own = resolve(d, u, condition, &resolved);
        for (uint32_t k = 0; !u->has_domain && own && k < u->nbindings; k++)
            if (sql_is_binding(d, condition, &outer, &inner) && inner->kind == PLAN_EXPR_COLUMN &&
                inner->index == u->bindings[k].column &&
                plan_expr_equal(outer, u->bindings[k].outer))
                own = false;
        if (own) sql_exprs_add(ctx, &kept, resolved);
    }
    if (kept.n > 0) u->node = sql_node_filter(ctx, u->node, sql_conjunction(ctx, &kept));
    return BASE_OK;
}

static base_rc unnest_filter(sql_dependent *d, const plan_node *node, sql_unnested *u) {
    SQL_TRY(unnest_input(d, node, 0, u));
    if (u->defaults != NULL) SQL_TRY(sql_unnest_fully(d, u));
    sql_exprs conditions = {0};
    sql_conjuncts(d->ctx, node->predicate, &conditions);
    return select_rows(d, u, &conditions);
}

// Parameters in n expressions are bound, by the domain if need be, and put into copies.
static base_rc resolve_all(sql_dependent *d, sql_unnested *u, uint32_t n,
                           const plan_expr *const *exprs, const plan_expr **out) {
    bool all = true;
    for (uint32_t i = 0; i < n && all; i++) all = resolves(d, u, exprs[i]);
    if (!all) SQL_TRY(sql_unnest_fully(d, u));
    for (uint32_t i = 0; i < n; i++) must(resolve(d, u, exprs[i], &out[i]));
    return BASE_OK;
}

static base_rc unnest_project(sql_dependent *d, const plan_node *node, sql_unnested *u) {
    sql_ctx *ctx = d->ctx;
    SQL_TRY(unnest_input(d, node, 0, u));
    const plan_expr **exprs = base_arena_array(ctx->arena, const plan_expr *, node->nexprs);
    const plan_expr **defaults = NULL;
    bool dependent = node_any(node, is_own, &(dependence){ctx, d->subquery});
    if (dependent && u->defaults != NULL) SQL_TRY(sql_unnest_fully(d, u));
    if (u->defaults != NULL) {
        defaults = base_arena_array(ctx->arena, const plan_expr *, node->nexprs);
        for (uint32_t i = 0; i < node->nexprs; i++)
            defaults[i] = mapped(ctx, node->exprs[i], u->defaults, NULL);
    }
    SQL_TRY(resolve_all(d, u, node->nexprs, node->exprs, exprs));
    shape(d, u, u->node, node->nexprs, exprs, node->columns);
    u->defaults = defaults;
    return BASE_OK;
}

// What an aggregate of no rows is.
static const plan_expr *agg_of_nothing(sql_ctx *ctx, const plan_agg *agg) {
    col_vec *vec = base_arena_new(ctx->arena, col_vec);
    col_vec_init(vec, ctx->arena, agg->type, 1);
    switch (agg->def->id) {
    case PLAN_AGG_COUNT:
    case PLAN_AGG_COUNT_STAR:
    case PLAN_AGG_APPROX_COUNT_DISTINCT:
    case PLAN_AGG_REGR_COUNT:
    case PLAN_AGG_PERCENT_RANK:
        return plan_expr_const(ctx->arena, vec);
    case PLAN_AGG_RANK:
    case PLAN_AGG_DENSE_RANK:
        col_i64(vec)[0] = 1;
        return plan_expr_const(ctx->arena, vec);
    case PLAN_AGG_CUME_DIST:
        col_f64(vec)[0] = 1;
        return plan_expr_const(ctx->arena, vec);
    default:
        return plan_expr_null(ctx->arena, agg->type);
    }
}

typedef struct expr_walk {
    const plan_expr **exprs;
    uint32_t at;
} expr_walk;

static const plan_expr *next_expr(void *self, const plan_expr *expr) {
    expr_walk *walk = self;
    (void)expr;
    return walk->exprs[walk->at++];
}
static void take_expr(void *self, const plan_expr *expr) {
    expr_walk *walk = self;
    walk->exprs[walk->at++] = expr;
}

// Grouped by the bindings, too.
static base_rc unnest_aggregate(sql_dependent *d, const plan_node *node, sql_unnested *u) {
    sql_ctx *ctx = d->ctx;
    uint32_t ngroup = node->nexprs, naggs = node->naggs, n = 0;
    SQL_TRY(unnest_input(d, node, 0, u));
    if (u->defaults != NULL) SQL_TRY(sql_unnest_fully(d, u));
    uint32_t most = ngroup + 2 * naggs;
    for (uint32_t i = 0; i < naggs; i++) most += node->aggs[i].nmore;
    const plan_expr **exprs = base_arena_array(ctx->arena, const plan_expr *, most);
    for (uint32_t i = 0; i < ngroup; i++) exprs[n++] = node->exprs[i];
    expr_walk walk = {exprs, n};
    for (uint32_t i = 0; i < naggs; i++) plan_agg_each(&node->aggs[i], take_expr, &walk);
    SQL_TRY(resolve_all(d, u, walk.at, exprs, exprs));
    walk.at = ngroup;
    uint32_t nb = u->nbindings;
    plan_node *agg = sql_node(ctx, PLAN_NODE_AGGREGATE, ngroup + nb + naggs, 1, u->node, NULL);
    agg->nexprs = ngroup + nb;
    agg->exprs = base_arena_array(ctx->arena, const plan_expr *, ngroup + nb);
    plan_agg *aggs = base_arena_array(ctx->arena, plan_agg, naggs);
    for (uint32_t i = 0; i < ngroup; i++) {
        agg->exprs[i] = exprs[i];
        sql_columns(agg)[i] = node->columns[i];
    }
    for (uint32_t i = 0; i < nb; i++) {
        agg->exprs[ngroup + i] = sql_column_of(ctx, u->node, u->bindings[i].column);
        sql_columns(agg)[ngroup + i] = u->node->columns[u->bindings[i].column];
        u->bindings[i].column = ngroup + i;
    }
    const plan_expr **shown = base_arena_array(ctx->arena, const plan_expr *, ngroup + naggs);
    for (uint32_t i = 0; i < naggs; i++) {
        aggs[i] = node->aggs[i];
        plan_agg_map(ctx->arena, &aggs[i], next_expr, &walk);
        sql_columns(agg)[ngroup + nb + i] = node->columns[ngroup + i];
    }
    agg->naggs = naggs;
    agg->aggs = aggs;
    for (uint32_t i = 0; i < ngroup + naggs; i++)
        shown[i] = sql_column_of(ctx, agg, i < ngroup ? i : i + nb);
    shape(d, u, agg, ngroup + naggs, shown, node->columns);
    if (ngroup > 0 || nb == 0) return BASE_OK;
    u->defaults = base_arena_array(ctx->arena, const plan_expr *, naggs);
    for (uint32_t i = 0; i < naggs; i++) u->defaults[i] = agg_of_nothing(ctx, &aggs[i]);
    return BASE_OK;
}

static base_rc unnest_distinct(sql_dependent *d, const plan_node *node, sql_unnested *u) {
    sql_ctx *ctx = d->ctx;
    SQL_TRY(unnest_input(d, node, 0, u));
    const plan_expr **defaults = u->defaults;
    shape(d, u, u->node, node->ncolumns, own_columns(ctx, u->node, 0, node->ncolumns),
          node->columns);
    uint32_t n = u->node->ncolumns;
    plan_node *distinct = sql_node(ctx, PLAN_NODE_DISTINCT, n, 1, u->node, NULL);
    memcpy(sql_columns(distinct), u->node->columns, n * sizeof(plan_column));
    u->node = distinct;
    u->defaults = defaults;
    return BASE_OK;
}

static bool same_bindings(const sql_unnested *a, const sql_unnested *b) {
    if (a->nbindings != b->nbindings || a->defaults != NULL || b->defaults != NULL) return false;
    for (uint32_t i = 0; i < a->nbindings; i++)
        if (!plan_expr_equal(a->bindings[i].outer, b->bindings[i].outer) ||
            a->bindings[i].strict != b->bindings[i].strict ||
            a->bindings[i].exact != b->bindings[i].exact)
            return false;
    return true;
}

// UNION ALL and others that compare whole rows of their inputs.
static base_rc unnest_set(sql_dependent *d, const plan_node *node, sql_unnested *u) {
    sql_ctx *ctx = d->ctx;
    sql_unnested *inputs = base_arena_array(ctx->arena, sql_unnested, node->ninputs);
    bool same = true;
    for (uint32_t i = 0; i < node->ninputs; i++) {
        SQL_TRY(unnest_input(d, node, i, &inputs[i]));
        same &= i == 0 || same_bindings(&inputs[0], &inputs[i]);
    }
    for (uint32_t i = 0; i < node->ninputs; i++) {
        if (!same || inputs[i].defaults != NULL) SQL_TRY(sql_unnest_fully(d, &inputs[i]));
        shape(d, &inputs[i], inputs[i].node, node->ncolumns,
              own_columns(ctx, inputs[i].node, 0, node->ncolumns), node->columns);
    }
    *u = inputs[0];
    uint32_t n = u->node->ncolumns;
    plan_node *all = sql_node(ctx, node->kind, n, node->ninputs, NULL, NULL);
    const plan_node **links = all->inputs;
    plan_column *columns = sql_columns(all);
    *all = *node;
    all->ncolumns = n;
    all->inputs = links;
    all->columns = columns;
    for (uint32_t i = 0; i < node->ninputs; i++) links[i] = inputs[i].node;
    memcpy(columns, u->node->columns, n * sizeof *columns);
    u->node = all;
    return BASE_OK;
}

// A row of parameters: one projection of the domain each.
static base_rc unnest_values(sql_dependent *d, const plan_node *node, sql_unnested *u) {
    sql_ctx *ctx = d->ctx;
    const plan_node *values = domain(d);
    uint32_t n = node->ncolumns, nrows = node->nexprs / n;
    const plan_expr **params = base_arena_array(ctx->arena, const plan_expr *, ctx->nouters);
    for (uint32_t i = 0; i < d->nparams; i++) params[d->params[i]] = sql_column_of(ctx, values, i);
    plan_node *all = sql_node(ctx, PLAN_NODE_UNION_ALL, n + d->nparams, nrows, NULL, NULL);
    for (uint32_t row = 0; row < nrows; row++) {
        const plan_expr **exprs = base_arena_array(ctx->arena, const plan_expr *, n);
        for (uint32_t i = 0; i < n; i++)
            exprs[i] = mapped(ctx, node->exprs[row * n + i], NULL, params);
        *u = (sql_unnested){0};
        bind_domain(d, u, 0);
        shape(d, u, values, n, exprs, node->columns);
        all->inputs[row] = u->node;
    }
    memcpy(sql_columns(all), u->node->columns, u->node->ncolumns * sizeof(plan_column));
    if (nrows > 1) u->node = all;
    return BASE_OK;
}

// A node of one input, whose columns come first in its own, then those that it adds: over u.
static base_rc add_behind(sql_dependent *d, const plan_node *node, sql_unnested *u) {
    sql_ctx *ctx = d->ctx;
    uint32_t nin = node->inputs[0]->ncolumns, n = node->ncolumns;
    uint32_t more = u->node->ncolumns - nin;
    plan_node *copy = sql_node(ctx, node->kind, n + more, 1, u->node, NULL);
    const plan_node **links = copy->inputs;
    plan_column *columns = sql_columns(copy);
    *copy = *node;
    copy->ncolumns = n + more;
    copy->inputs = links;
    copy->columns = columns;
    memcpy(columns, u->node->columns, u->node->ncolumns * sizeof *columns);
    const plan_expr **exprs = base_arena_array(ctx->arena, const plan_expr *, n);
    for (uint32_t i = nin; i < n; i++) columns[i + more] = node->columns[i];
    for (uint32_t i = 0; i < n; i++) exprs[i] = sql_column_of(ctx, copy, i < nin ? i : i + more);
    shape(d, u, copy, n, exprs, node->columns);
    return BASE_OK;
}

// Its arguments may be parameters; what the functions give is theirs.
static base_rc unnest_table_func(sql_dependent *d, const plan_node *node, sql_unnested *u) {
    sql_ctx *ctx = d->ctx;
    uint32_t nin = node->inputs[0]->ncolumns, n = node->ncolumns, nargs = node->nexprs;
    SQL_TRY(unnest_input(d, node, 0, u));
    if (u->defaults != NULL) SQL_TRY(sql_unnest_fully(d, u));
    const plan_expr **exprs = base_arena_array(ctx->arena, const plan_expr *, nargs + 1);
    for (uint32_t i = 0; i < nargs; i++) exprs[i] = node->exprs[i];
    exprs[nargs] = node->predicate;
    SQL_TRY(resolve_all(d, u, nargs + 1, exprs, exprs));
    uint32_t more = u->node->ncolumns - nin;
    plan_node *copy = sql_node(ctx, node->kind, n + more, 1, u->node, NULL);
    const plan_node **links = copy->inputs;
    plan_column *columns = sql_columns(copy);
    *copy = *node;
    copy->ncolumns = n + more;
    copy->inputs = links;
    copy->columns = columns;
    copy->exprs = exprs;
    memcpy(columns, u->node->columns, u->node->ncolumns * sizeof *columns);
    const plan_expr **own = base_arena_array(ctx->arena, const plan_expr *, n);
    for (uint32_t i = nin; i < n; i++) columns[i + more] = node->columns[i];
    for (uint32_t i = 0; i < n; i++) own[i] = sql_column_of(ctx, copy, i < nin ? i : i + more);
    // Of the predicate, what was a column of the functions has moved, not what a parameter became.
    if (node->predicate != NULL) {
        const plan_expr **outers = bound_params(d, u, 0);
        copy->predicate = mapped(ctx, node->predicate, own, outers);
    }
    shape(d, u, copy, n, own, node->columns);
    return BASE_OK;
}

static base_rc unnest_adding(sql_dependent *d, const plan_node *node, sql_unnested *u) {
    SQL_TRY(unnest_input(d, node, 0, u));
    if (u->defaults != NULL) SQL_TRY(sql_unnest_fully(d, u));
    return add_behind(d, node, u);
}

static const uint32_t *partition_of(sql_dependent *d, const sql_unnested *u, const plan_node *node,
                                    uint32_t *n) {
    uint32_t *columns = base_arena_array(d->ctx->arena, uint32_t, node->npartition + u->nbindings);
    for (uint32_t i = 0; i < node->npartition; i++) columns[i] = node->partition[i];
    for (uint32_t i = 0; i < u->nbindings; i++)
        columns[node->npartition + i] = u->bindings[i].column;
    *n = node->npartition + u->nbindings;
    return columns;
}

// Window functions and top-N of a partition: partitioned by the bindings, too.
static base_rc unnest_over(sql_dependent *d, const plan_node *node, sql_unnested *u) {
    SQL_TRY(unnest_input(d, node, 0, u));
    if (u->defaults != NULL) SQL_TRY(sql_unnest_fully(d, u));
    plan_node partitioned = *node;
    partitioned.partition = partition_of(d, u, node, &partitioned.npartition);
    return add_behind(d, &partitioned, u);
}

// Row numbers (with ties: ranks) from `first` on, up to node's limit of them; a last column.
static plan_node *numbered(sql_dependent *d, const plan_node *node, const sql_unnested *u,
                           bool limited) {
    sql_ctx *ctx = d->ctx;
    uint32_t n = u->node->ncolumns;
    plan_over *over = base_arena_new(ctx->arena, plan_over);
    *over = (plan_over){
        .id = PLAN_OVER_ROW_NUMBER, .name = "row_number", .type = col_type_of(COL_INT8)};
    plan_node *top =
        sql_node(ctx, limited ? PLAN_NODE_TOP : PLAN_NODE_OVER, n + 1, 1, u->node, NULL);
    memcpy(sql_columns(top), u->node->columns, n * sizeof(plan_column));
    sql_columns(top)[n] = (plan_column){.name = over->name, .type = over->type};
    top->nsort = node->nsort;
    top->sort = node->sort;
    top->partition = partition_of(d, u, node, &top->npartition);
    top->nover = 1;
    top->overs = over;
    top->with_rank = limited;
    top->limit = limited ? node->limit + node->offset : -1;
    return top;
}

// ORDER BY alone means nothing in a sub-query. LIMIT is one for each value of the parameters.
static base_rc unnest_sort(sql_dependent *d, const plan_node *node, sql_unnested *u) {
    sql_ctx *ctx = d->ctx;
    SQL_TRY(unnest_input(d, node, 0, u));
    bool limited = node->limit >= 0,
         params = node->limit_param != NULL || node->offset_param != NULL;
    if (!limited && node->offset == 0 && !params) return BASE_OK;
    if (params)
        return sql_unsupported(ctx, 0,
                               "a parameter in LIMIT of a correlated sub-query is not "
                               "supported");
    if (limited && node->limit > 0 && node->offset == 0 && u->nbindings > 0 && u->defaults != NULL)
        return BASE_OK; // an aggregate's only row
    if (u->defaults != NULL) SQL_TRY(sql_unnest_fully(d, u));
    plan_node *rows = numbered(d, node, u, limited && node->limit <= INT32_MAX);
    if (node->offset > 0) {
        const plan_expr *behind;
        SQL_TRY(sql_operator(ctx, ">", sql_column_of(ctx, rows, rows->ncolumns - 1),
                             sql_i64_const(ctx, node->offset, COL_INT8, 0), 0, &behind));
        rows = sql_node_filter(ctx, rows, behind);
    }
    shape(d, u, rows, node->ncolumns, own_columns(ctx, rows, 0, node->ncolumns), node->columns);
    return BASE_OK;
}

// ---- joins -----------------------------------------------------------------------------------

// Both sides of a join, and the join's own columns in the order of the plan.
typedef struct join_sides {
    sql_unnested left, right;
    const plan_node *node;
    uint32_t nleft; // columns of the unnested left node
} join_sides;

// expr over the pairs of both sides' columns as they were -> as they are.
static const plan_expr *shifted(sql_dependent *d, const join_sides *s, const plan_expr *expr) {
    sql_ctx *ctx = d->ctx;
    const plan_node *left = s->node->inputs[0], *right = s->node->inputs[1];
    uint32_t nleft = left->ncolumns, n = nleft + right->ncolumns;
    if (expr == NULL) return NULL;
    const plan_expr **map = base_arena_array(ctx->arena, const plan_expr *, n);
    for (uint32_t i = 0; i < n; i++)
        map[i] = i < nleft ? sql_column_of(ctx, left, i)
                           : plan_expr_column(ctx->arena, i - nleft + s->nleft,
                                              right->columns[i - nleft].type);
    return mapped(ctx, expr, map, NULL);
}

// Bindings of both sides that must be equal, as a condition over the join; with all, those of the
// right side that the left one cannot tell are left as bindings of the join.
static base_rc meet(sql_dependent *d, join_sides *s, sql_unnested *u, const plan_expr **condition) {
    sql_ctx *ctx = d->ctx;
    const plan_expr **left = bound_params(d, &s->left, 0);
    *condition = NULL;
    for (uint32_t i = 0; i < s->right.nbindings; i++) {
        sql_binding b = s->right.bindings[i];
        const plan_expr *equal, *value = mapped(ctx, b.outer, NULL, left);
        const plan_expr *column = plan_expr_column(ctx->arena, b.column + s->nleft,
                                                   s->right.node->columns[b.column].type);
        for (uint32_t k = 0; k < s->left.nbindings && sql_expr_depends(d, value); k++)
            if (plan_expr_equal(s->left.bindings[k].outer, b.outer)) {
                uint32_t at = s->left.bindings[k].column;
                value = plan_expr_column(ctx->arena, at, s->left.node->columns[at].type);
                b.strict |= s->left.bindings[k].strict;
            }
        if (sql_expr_depends(d, value)) {
            b.column += s->nleft;
            add_binding(d, u, b);
            continue;
        }
        for (uint32_t k = 0; k < s->left.nbindings; k++)
            if (value->kind == PLAN_EXPR_COLUMN && value->index == s->left.bindings[k].column)
                b.strict |= s->left.bindings[k].strict;
        SQL_TRY(equality(ctx, value, column, b.strict || value->type.kind != column->type.kind,
                         &equal));
        *condition = sql_and(ctx, *condition, equal);
    }
    return BASE_OK;
}

static plan_node *rejoin(sql_dependent *d, const join_sides *s, const plan_expr *predicate) {
    sql_ctx *ctx = d->ctx;
    plan_node *join = sql_node_join(ctx, s->node->join, s->left.node, s->right.node, predicate);
    join->nequi = s->node->nequi;
    join->left_keys = s->node->left_keys;
    join->right_keys = s->node->right_keys;
    join->null_safe = s->node->null_safe;
    return join;
}

static void shape_join(sql_dependent *d, const join_sides *s, sql_unnested *u,
                       const plan_node *join) {
    uint32_t n = s->node->ncolumns, nleft = s->node->inputs[0]->ncolumns;
    const plan_expr **exprs = base_arena_array(d->ctx->arena, const plan_expr *, n);
    for (uint32_t i = 0; i < n; i++)
        exprs[i] = sql_column_of(d->ctx, join, i < nleft ? i : i - nleft + s->nleft);
    shape(d, u, join, n, exprs, s->node->columns);
}

static base_rc unnest_inner(sql_dependent *d, join_sides *s, sql_unnested *u) {
    sql_ctx *ctx = d->ctx;
    const plan_expr *condition;
    // With the domain on the right only, what the left binds is told by it.
    if (s->right.has_domain && !s->left.has_domain && s->left.nbindings > 0)
        SQL_TRY(sql_unnest_fully(d, &s->left));
    s->nleft = s->left.node->ncolumns;
    *u = s->left;
    SQL_TRY(meet(d, s, u, &condition));
    u->has_domain |= s->right.has_domain;
    plan_node *join = rejoin(d, s, NULL);
    u->node = condition == NULL ? join : sql_node_filter(ctx, join, condition);
    u->ncolumns = u->node->ncolumns;
    sql_exprs conditions = {0};
    sql_conjuncts(ctx, shifted(d, s, s->node->predicate), &conditions);
    // Columns of u are numbered as the join's until they are put into the plan's order.
    SQL_TRY(select_rows(d, u, &conditions));
    shape_join(d, s, u, u->node);
    return BASE_OK;
}

// Joins that keep the left side's rows: those must know all that the right side depends on.
static base_rc unnest_left(sql_dependent *d, join_sides *s, sql_unnested *u) {
    sql_ctx *ctx = d->ctx;
    bool all = resolves(d, &s->left, s->node->predicate) && resolves(d, &s->left, s->node->mark);
    for (uint32_t i = 0; i < s->right.nbindings && all; i++)
        all = resolves(d, &s->left, s->right.bindings[i].outer);
    if (!all) SQL_TRY(sql_unnest_fully(d, &s->left));
    s->nleft = s->left.node->ncolumns;
    *u = s->left;
    const plan_expr *condition, *predicate;
    SQL_TRY(meet(d, s, u, &condition));
    must(u->nbindings == s->left.nbindings);
    must(resolve(d, &s->left, shifted(d, s, s->node->predicate), &predicate));
    plan_node *join = rejoin(d, s, sql_and(ctx, predicate, condition));
    must(resolve(d, &s->left, shifted(d, s, s->node->mark), &join->mark));
    shape_join(d, s, u, join);
    return BASE_OK;
}

// Both sides' rows are kept, so both must know all; a row has the parameters of the side it is of.
static base_rc unnest_full(sql_dependent *d, join_sides *s, sql_unnested *u) {
    sql_ctx *ctx = d->ctx;
    SQL_TRY(sql_unnest_fully(d, &s->left));
    SQL_TRY(sql_unnest_fully(d, &s->right));
    s->nleft = s->left.node->ncolumns;
    *u = s->left;
    const plan_expr *condition, *predicate;
    SQL_TRY(meet(d, s, u, &condition));
    must(resolve(d, &s->left, shifted(d, s, s->node->predicate), &predicate));
    const plan_node *join = rejoin(d, s, sql_and(ctx, predicate, condition));
    uint32_t n = join->ncolumns, nb = u->nbindings;
    const plan_expr **exprs = base_arena_array(ctx->arena, const plan_expr *, n + nb);
    const char **names = base_arena_array(ctx->arena, const char *, n + nb);
    for (uint32_t i = 0; i < n; i++) {
        exprs[i] = sql_column_of(ctx, join, i);
        names[i] = join->columns[i].name;
    }
    for (uint32_t i = 0; i < nb; i++) {
        uint32_t at[2] = {s->left.bindings[i].column, s->nleft + s->right.bindings[i].column};
        plan_expr *either = sql_expr(ctx, PLAN_EXPR_COALESCE, join->columns[at[0]].type, 2, 0);
        for (int side = 0; side < 2; side++)
            either->args[side] = sql_column_of(ctx, join, at[side]);
        exprs[n + i] = either;
        names[n + i] = join->columns[at[0]].name;
        u->bindings[i].column = n + i;
    }
    shape_join(d, s, u, sql_node_project(ctx, join, n + nb, exprs, names));
    return BASE_OK;
}

// a RIGHT JOIN b as b LEFT JOIN a, under the same columns.
static const plan_node *mirrored(sql_ctx *ctx, const plan_node *node) {
    const plan_node *left = node->inputs[0], *right = node->inputs[1];
    uint32_t nleft = left->ncolumns, n = node->ncolumns;
    const plan_expr **map = base_arena_array(ctx->arena, const plan_expr *, n);
    const char **names = base_arena_array(ctx->arena, const char *, n);
    for (uint32_t i = 0; i < n; i++) {
        map[i] = plan_expr_column(ctx->arena, i < nleft ? i + right->ncolumns : i - nleft,
                                  node->columns[i].type);
        names[i] = node->columns[i].name;
    }
    plan_node *join =
        sql_node_join(ctx, PLAN_JOIN_LEFT, right, left, mapped(ctx, node->predicate, map, NULL));
    join->nequi = node->nequi;
    join->left_keys = node->right_keys;
    join->right_keys = node->left_keys;
    join->null_safe = node->null_safe;
    return sql_node_project(ctx, join, n, map, names);
}

static base_rc unnest_join(sql_dependent *d, const plan_node *node, sql_unnested *u) {
    join_sides s = {.node = node};
    if (node->join == PLAN_JOIN_RIGHT) return sql_unnest(d, mirrored(d->ctx, node), u);
    SQL_TRY(unnest_input(d, node, 0, &s.left));
    SQL_TRY(unnest_input(d, node, 1, &s.right));
    if (s.left.defaults != NULL) SQL_TRY(sql_unnest_fully(d, &s.left));
    if (s.right.defaults != NULL) SQL_TRY(sql_unnest_fully(d, &s.right));
    if (node->join == PLAN_JOIN_INNER) return unnest_inner(d, &s, u);
    return node->join == PLAN_JOIN_FULL ? unnest_full(d, &s, u) : unnest_left(d, &s, u);
}

// ---- dispatch --------------------------------------------------------------------------------

static base_rc (*const rules[])(sql_dependent *, const plan_node *, sql_unnested *) = {
    [PLAN_NODE_VALUES] = unnest_values,
    [PLAN_NODE_FILTER] = unnest_filter,
    [PLAN_NODE_PROJECT] = unnest_project,
    [PLAN_NODE_WINDOW] = unnest_adding,
    [PLAN_NODE_JOIN] = unnest_join,
    [PLAN_NODE_AGGREGATE] = unnest_aggregate,
    [PLAN_NODE_SORT] = unnest_sort,
    [PLAN_NODE_DISTINCT] = unnest_distinct,
    [PLAN_NODE_UNION_ALL] = unnest_set,
    [PLAN_NODE_SETOP] = unnest_set,
    [PLAN_NODE_TABLE_FUNC] = unnest_table_func,
    [PLAN_NODE_OVER] = unnest_over,
    [PLAN_NODE_TOP] = unnest_over,
};

base_rc sql_unnest(sql_dependent *d, const plan_node *query, sql_unnested *out) {
    *out = (sql_unnested){.ncolumns = query->ncolumns};
    if (!sql_depends(d, query)) {
        out->node = (plan_node *)(uintptr_t)query;
        return BASE_OK;
    }
    SQL_TRY(sql_enter(d->ctx, 0));
    if ((size_t)query->kind >= sizeof rules / sizeof rules[0] || rules[query->kind] == NULL)
        return sql_unsupported(d->ctx, 0, "a correlated sub-query of this form is not supported");
    SQL_TRY(rules[query->kind](d, query, out));
    sql_leave(d->ctx);
    return BASE_OK;
}

// ---- the simple case -------------------------------------------------------------------------

static bool flatten(sql_dependent *d, const plan_node *query, sql_flat *out);

static bool flatten_join(sql_dependent *d, const plan_node *query, sql_flat *out) {
    sql_ctx *ctx = d->ctx;
    sql_flat sides[2];
    if (query->join != PLAN_JOIN_INNER || query->nequi > 0) return false;
    if (!flatten(d, query->inputs[0], &sides[0]) || !flatten(d, query->inputs[1], &sides[1]))
        return false;
    uint32_t n = sides[1].node->ncolumns, first = sides[0].node->ncolumns;
    const plan_expr **shift = base_arena_array(ctx->arena, const plan_expr *, n);
    for (uint32_t i = 0; i < n; i++)
        shift[i] = plan_expr_column(ctx->arena, first + i, sides[1].node->columns[i].type);
    *out = sides[0];
    out->node = sql_node_join(ctx, PLAN_JOIN_INNER, sides[0].node, sides[1].node, NULL);
    out->exprs = base_arena_array(ctx->arena, const plan_expr *, query->ncolumns);
    uint32_t nleft = query->inputs[0]->ncolumns;
    for (uint32_t i = 0; i < query->ncolumns; i++)
        out->exprs[i] =
            i < nleft ? sides[0].exprs[i] : mapped(ctx, sides[1].exprs[i - nleft], shift, NULL);
    for (uint32_t i = 0; i < sides[1].conditions.n; i++)
        sql_exprs_add(ctx, &out->conditions,
                      mapped(ctx, sides[1].conditions.items[i], shift, NULL));
    sql_conjuncts(ctx, mapped(ctx, query->predicate, out->exprs, NULL), &out->conditions);
    return true;
}

static bool flatten_project(sql_dependent *d, const plan_node *query, sql_flat *out) {
    if (!flatten(d, query->inputs[0], out)) return false;
    const plan_expr **exprs = base_arena_array(d->ctx->arena, const plan_expr *, query->nexprs);
    for (uint32_t i = 0; i < query->nexprs; i++) {
        exprs[i] = mapped(d->ctx, query->exprs[i], out->exprs, NULL);
        // What a column stands for is written out at each use.
        if (sql_expr_size(exprs[i], SQL_PUSHED_MAX) == SQL_PUSHED_MAX) return false;
    }
    out->exprs = exprs;
    return true;
}

static bool flatten(sql_dependent *d, const plan_node *query, sql_flat *out) {
    sql_ctx *ctx = d->ctx;
    if (!sql_depends(d, query)) {
        *out = (sql_flat){.node = query, .exprs = own_columns(ctx, query, 0, query->ncolumns)};
        return true;
    }
    switch (query->kind) {
    case PLAN_NODE_FILTER:
        if (!flatten(d, query->inputs[0], out)) return false;
        sql_conjuncts(ctx, mapped(ctx, query->predicate, out->exprs, NULL), &out->conditions);
        return true;
    case PLAN_NODE_PROJECT:
        return flatten_project(d, query, out);
    case PLAN_NODE_JOIN:
        return flatten_join(d, query, out);
    case PLAN_NODE_SORT:
        return query->limit < 0 && query->offset == 0 && query->limit_param == NULL &&
               query->offset_param == NULL && flatten(d, query->inputs[0], out);
    case PLAN_NODE_VALUES:
        if (query->nexprs != query->ncolumns) return false;
        *out = (sql_flat){.node = sql_node_one_row(ctx), .exprs = query->exprs};
        return true;
    default:
        return false;
    }
}

bool sql_flat_by_keys(sql_dependent *d, const sql_flat *flat) {
    const plan_expr *outer, *inner;
    for (uint32_t i = 0; i < flat->conditions.n; i++)
        if (sql_expr_depends(d, flat->conditions.items[i]) &&
            !sql_is_binding(d, flat->conditions.items[i], &outer, &inner))
            return false;
    return true;
}

bool sql_flatten(sql_dependent *d, const plan_node *query, sql_flat *out) {
    return flatten(d, query, out);
}

// ---- how many rows ---------------------------------------------------------------------------

// At most one row whatever the data.
static bool one_row(const plan_node *node) {
    switch (node->kind) {
    case PLAN_NODE_VALUES:
        return node->nexprs <= node->ncolumns;
    case PLAN_NODE_AGGREGATE:
        return node->nexprs == 0;
    case PLAN_NODE_TOP:
        return (node->limit <= 1 && node->npartition == 0 &&
                node->overs[0].id == PLAN_OVER_ROW_NUMBER) ||
               one_row(node->inputs[0]);
    case PLAN_NODE_OVER:
        return one_row(node->inputs[0]);
    case PLAN_NODE_SORT:
        return (node->limit >= 0 && node->limit <= 1 && node->limit_param == NULL) ||
               one_row(node->inputs[0]);
    case PLAN_NODE_PROJECT:
    case PLAN_NODE_FILTER:
    case PLAN_NODE_DISTINCT:
        return one_row(node->inputs[0]);
    case PLAN_NODE_JOIN:
        return one_row(node->inputs[0]) && node->join != PLAN_JOIN_FULL &&
               (node->join > PLAN_JOIN_FULL || one_row(node->inputs[1]));
    default:
        return false;
    }
}

bool sql_single_row(sql_ctx *ctx, const plan_node *node, const bool *fixed) {
    if (one_row(node)) return true;
    sql_exprs none = {0};
    const plan_node *known = sql_annotate(ctx, sql_push_filters(ctx, node, &none));
    for (uint32_t k = 0; k < known->nkey; k++)
        if (!fixed[known->key[k]]) return false;
    return known->nkey > 0;
}

// Columns that equalities with what is no column of the node fix.
static void fix_columns(const plan_expr *condition, bool *fixed) {
    if (condition->kind != PLAN_EXPR_CALL || condition->nargs != 2 ||
        strcmp(condition->func->name, "=") != 0)
        return;
    for (int side = 0; side < 2; side++)
        if (condition->args[side]->kind == PLAN_EXPR_COLUMN &&
            !plan_expr_any(condition->args[1 - side], is_column, NULL))
            fixed[condition->args[side]->index] = true;
}

bool sql_flat_single(sql_dependent *d, const sql_flat *flat) {
    sql_ctx *ctx = d->ctx;
    bool *fixed = base_arena_array(ctx->arena, bool, flat->node->ncolumns + 1u);
    sql_exprs own = {0};
    for (uint32_t i = 0; i < flat->conditions.n; i++) {
        const plan_expr *condition = flat->conditions.items[i];
        fix_columns(condition, fixed);
        if (!sql_expr_depends(d, condition)) sql_exprs_add(ctx, &own, condition);
    }
    const plan_node *node = flat->node;
    if (own.n > 0) node = sql_node_filter(ctx, node, sql_conjunction(ctx, &own));
    return sql_single_row(ctx, node, fixed);
}
