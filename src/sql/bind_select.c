// bind_select.c - SELECT and VALUES to a plan (set operations: bind_setop.c). Order of work for a
// plain SELECT: FROM, WHERE, the select list, GROUP BY, HAVING, ORDER BY are bound over FROM's
// columns; then aggregate, having, projection, distinct, sort, and a last projection that drops
// columns only ORDER BY needed. Entry point: sql_bind_query.
#include "sql/subquery.h"

#include <stdlib.h>

#include "base/must.h"

typedef struct sort_item {
    uint32_t target;
    bool descending, nulls_first;
} sort_item;

typedef struct query {
    sql_binder binder;
    const sql_tree *body;
    sql_exprs targets;
    const char **names; // of shown targets
    uint32_t nshown, names_cap;
    const sql_tree **target_trees; // for ordinals' and aliases' errors
    sql_exprs group;
    const plan_expr *having;
    uint32_t nsort;
    sort_item *sort;
    bool distinct;
    bool distinct_on;
    uint32_t non; // DISTINCT ON: targets
    uint32_t *on;
} query;

static void add_target(query *s, const plan_expr *expr, const char *name) {
    if (s->nshown == s->names_cap) {
        uint32_t cap = s->names_cap == 0 ? 16 : s->names_cap * 2;
        const char **names = base_arena_array(s->binder.ctx->arena, const char *, cap);
        if (s->nshown > 0) memcpy(names, s->names, s->nshown * sizeof *names);
        s->names = names;
        s->names_cap = cap;
    }
    s->names[s->nshown++] = name;
    sql_exprs_add(s->binder.ctx, &s->targets, expr);
}

// ---- select list -----------------------------------------------------------------------------

static void add_star_column(query *s, const sql_scope_column *column, int32_t position) {
    plan_expr *expr = sql_expr(s->binder.ctx, PLAN_EXPR_COLUMN, column->column->type, 0, position);
    expr->index = column->index;
    add_target(s, expr, column->name);
}

static int by_index(const void *a, const void *b) {
    const sql_scope_column *x = a, *y = b;
    return (x->index > y->index) - (x->index < y->index);
}

// *, t.* and schema.t.*; false: it is none of these.
static base_rc expand_star(query *s, const sql_tree *ref, bool *is_star) {
    sql_ctx *ctx = s->binder.ctx;
    const sql_tree *part = sql_get(ref, "fields")->child;
    const char *names[3] = {NULL};
    uint32_t n = 0;
    *is_star = false;
    for (; part != NULL && !sql_is(part, "A_Star") && n < 3; part = part->next)
        names[n++] = sql_string(part);
    if (!sql_is(part, "A_Star")) return BASE_OK;
    *is_star = true;
    int32_t position = sql_tree_position(ctx, ref);
    const sql_scope *scope = &s->binder.scope;
    if (n == 0) {
        if (scope->nrels == 0)
            return SQL_SYNTAX(ctx, position, "SELECT * with no tables specified is not valid");
        for (uint32_t i = 0; i < scope->ncolumns; i++)
            if (!scope->columns[i].hidden && !scope->columns[i].merged_away)
                add_star_column(s, &scope->columns[i], position);
        return BASE_OK;
    }
    const char *rel = names[n - 1];
    bool found = false;
    sql_scope_column *own = base_arena_array(ctx->arena, sql_scope_column, scope->ncolumns);
    uint32_t nown = 0;
    for (uint32_t i = 0; i < scope->ncolumns; i++) {
        const sql_rel *r = &scope->rels[scope->columns[i].rel];
        if (strcmp(r->name, rel) != 0) continue;
        if (n == 2 && (r->schema == NULL || strcmp(r->schema, names[0]) != 0)) continue;
        found = true;
        if (!scope->columns[i].hidden) own[nown++] = scope->columns[i];
    }
    if (!found)
        return sql_fail(ctx, position, BASE_E_NOT_FOUND, BASE_SQLSTATE_UNDEFINED_TABLE,
                        "missing FROM-clause entry for table \"%s\"", rel);
    qsort(own, nown, sizeof *own, by_index); // USING may have moved some
    for (uint32_t i = 0; i < nown; i++) add_star_column(s, &own[i], position);
    return BASE_OK;
}

static const char *single_name(const sql_tree *wrapper) {
    if (!sql_is(wrapper, "ColumnRef")) return NULL;
    const sql_tree *fields = sql_get(sql_body(wrapper), "fields");
    return sql_tree_count(fields) == 1 ? sql_string(fields->child) : NULL;
}

static bool calls_aggregate(const sql_tree *tree) {
    for (; tree != NULL; tree = tree->next) {
        if (tree->name != NULL && strcmp(tree->name, "SubLink") == 0) continue;
        if (tree->name != NULL && strcmp(tree->name, "GroupingFunc") == 0) return true;
        if (tree->name != NULL && strcmp(tree->name, "FuncCall") == 0) {
            const sql_tree *names = sql_get(tree, "funcname"), *last = names->child;
            while (last->next != NULL) last = last->next;
            bool own = sql_string(last) != NULL && sql_get(tree, "over") == NULL;
            if (own && sql_agg_exists(sql_string(last))) return true;
            if (sql_get_bool(tree, "agg_within_group")) return true;
        }
        if (calls_aggregate(tree->child)) return true;
    }
    return false;
}

bool sql_calls_aggregate(const sql_tree *list) {
    return list != NULL && calls_aggregate(list->child);
}

static base_rc bind_targets(query *s) {
    const sql_tree *list = sql_get(s->body, "targetList");
    s->binder.place = "SELECT";
    s->binder.aggs_allowed = s->binder.overs_allowed = true;
    for (const sql_tree *item = list == NULL ? NULL : list->child; item != NULL;
         item = item->next) {
        const sql_tree *target = sql_body(item), *value = sql_get(target, "val");
        bool is_star = false;
        if (sql_is(value, "ColumnRef")) SQL_TRY(expand_star(s, sql_body(value), &is_star));
        if (is_star) continue;
        const plan_expr *expr;
        const char *name = sql_get_text(target, "name");
        if (name == NULL) name = sql_output_name(value);
        SQL_TRY(sql_bind_expr(&s->binder, value, &expr));
        add_target(s, expr, name);
        if (s->nshown > SQL_COLUMNS_MAX)
            return sql_fail(s->binder.ctx, 0, BASE_E_LIMIT, "54011",
                            "target lists can have at most %u entries", SQL_COLUMNS_MAX);
    }
    return BASE_OK;
}

// EXISTS (SELECT FROM t) needs no column; elsewhere a row of none is of no use.
static base_rc check_targets(query *s) {
    if (s->nshown > 0) return BASE_OK;
    if (s->binder.outer == NULL)
        return sql_unsupported(s->binder.ctx, 0, "SELECT without columns is not supported");
    add_target(s, sql_bool_const(s->binder.ctx, true), "?column?");
    return BASE_OK;
}

// ---- GROUP BY and ORDER BY -------------------------------------------------------------------

// An integer constant names a target by its place. -1: it is none.
static base_rc ordinal(query *s, const sql_tree *wrapper, const char *clause, int64_t *target) {
    *target = -1;
    if (!sql_is(wrapper, "A_Const")) return BASE_OK;
    const sql_tree *body = sql_body(wrapper);
    int64_t n;
    int32_t position = sql_tree_position(s->binder.ctx, body);
    if (!sql_get_int(s->binder.ctx, body, &n))
        return SQL_SYNTAX(s->binder.ctx, position, "non-integer constant in %s", clause);
    if (n < 1 || n > s->nshown)
        return sql_fail(s->binder.ctx, position, BASE_E_INVALID, "42P10",
                        "%s position %lld is not in select list", clause, (long long)n);
    *target = n - 1;
    return BASE_OK;
}

// The target with this output name; -1: none. Two that differ are ambiguous.
static base_rc find_alias(query *s, const char *name, const sql_tree *wrapper, const char *clause,
                          int64_t *target) {
    *target = -1;
    for (uint32_t i = 0; i < s->nshown; i++) {
        if (strcmp(s->names[i], name) != 0) continue;
        if (*target >= 0 && !plan_expr_equal(s->targets.items[*target], s->targets.items[i]))
            return sql_fail(s->binder.ctx, sql_tree_position(s->binder.ctx, sql_body(wrapper)),
                            BASE_E_INVALID, BASE_SQLSTATE_AMBIGUOUS_COLUMN,
                            "%s \"%s\" is ambiguous", clause, name);
        if (*target < 0) *target = i;
    }
    return BASE_OK;
}

static bool has_marker(const plan_expr *expr, void *arg) {
    uint32_t base = *(const uint32_t *)arg;
    return expr->kind == PLAN_EXPR_COLUMN && expr->index >= base;
}

static base_rc bind_group_item(void *self, const sql_tree *item, uint32_t *index) {
    query *s = self;
    sql_ctx *ctx = s->binder.ctx;
    const plan_expr *expr = NULL;
    int64_t target;
    SQL_TRY(ordinal(s, item, "GROUP BY", &target));
    const char *name = single_name(item);
    if (target < 0 && name != NULL) { // a column of the input wins over an output name
        const sql_scope_column *column;
        SQL_TRY(sql_scope_find(&s->binder, NULL, name, sql_tree_position(ctx, sql_body(item)),
                               &column));
        if (column == NULL) SQL_TRY(find_alias(s, name, item, "GROUP BY", &target));
    }
    if (target >= 0) {
        SQL_TRY(sql_settle(ctx, &s->targets.items[target]));
        expr = s->targets.items[target];
        uint32_t base = SQL_SET_BASE;
        if (plan_expr_any(expr, has_marker, &base))
            return sql_unsupported(ctx, expr->position,
                                   "GROUP BY of a set-returning function is not supported; put it "
                                   "in FROM");
        base = SQL_OVER_BASE;
        if (plan_expr_any(expr, has_marker, &base))
            return sql_fail(ctx, expr->position, BASE_E_INVALID, "42P20",
                            "window functions are not allowed in GROUP BY");
        base = SQL_AGG_BASE;
        if (plan_expr_any(expr, has_marker, &base))
            return sql_fail(ctx, expr->position, BASE_E_INVALID, BASE_SQLSTATE_GROUPING,
                            "aggregate functions are not allowed in GROUP BY");
    } else {
        s->binder.place = "GROUP BY";
        s->binder.aggs_allowed = s->binder.overs_allowed = false;
        SQL_TRY(sql_bind_expr(&s->binder, item, &expr));
        SQL_TRY(sql_settle(ctx, &expr));
    }
    for (*index = 0; *index < s->group.n; (*index)++)
        if (plan_expr_equal(s->group.items[*index], expr)) return BASE_OK;
    sql_exprs_add(ctx, &s->group, expr);
    return BASE_OK;
}

static base_rc bind_group(query *s) {
    SQL_TRY(sql_bind_grouping_sets(s->binder.ctx, s->body, bind_group_item, s,
                                   &s->binder.grouping_sets));
    const sql_tree *having = sql_get(s->body, "havingClause");
    s->binder.aggs_allowed = true;
    s->binder.overs_allowed = false;
    if (having != NULL) SQL_TRY(sql_bind_condition(&s->binder, having, "HAVING", &s->having));
    return BASE_OK;
}

// The directions of SortBy. PostgreSQL: nulls are last ascending, first descending.
base_rc sql_sort_directions(sql_ctx *ctx, const sql_tree *sort_by, bool *descending,
                            bool *nulls_first) {
    const char *dir = sql_get_text(sort_by, "sortby_dir");
    const char *nulls = sql_get_text(sort_by, "sortby_nulls");
    if (dir != NULL && strcmp(dir, "SORTBY_USING") == 0)
        return sql_unsupported(ctx, 0, "ORDER BY USING is not supported");
    *descending = dir != NULL && strcmp(dir, "SORTBY_DESC") == 0;
    *nulls_first = *descending;
    if (nulls != NULL && strcmp(nulls, "SORTBY_NULLS_FIRST") == 0) *nulls_first = true;
    if (nulls != NULL && strcmp(nulls, "SORTBY_NULLS_LAST") == 0) *nulls_first = false;
    return BASE_OK;
}

// The target that an item of ORDER BY or DISTINCT ON names, or a new one that is not shown.
static base_rc bind_ordering(query *s, const sql_tree *node, const char *clause, uint32_t *out) {
    sql_ctx *ctx = s->binder.ctx;
    int64_t target;
    SQL_TRY(ordinal(s, node, clause, &target));
    const char *name = single_name(node);
    if (target < 0 && name != NULL) SQL_TRY(find_alias(s, name, node, clause, &target));
    if (target < 0) {
        const plan_expr *expr;
        s->binder.place = clause;
        s->binder.aggs_allowed = s->binder.overs_allowed = true;
        SQL_TRY(sql_bind_expr(&s->binder, node, &expr));
        SQL_TRY(sql_settle(ctx, &expr));
        for (uint32_t i = 0; i < s->targets.n && target < 0; i++)
            if (plan_expr_equal(s->targets.items[i], expr)) target = i;
        if (target < 0) {
            if (s->distinct)
                return sql_fail(ctx, expr->position, BASE_E_INVALID, "42P10",
                                "for SELECT DISTINCT, ORDER BY expressions must appear in select "
                                "list");
            sql_exprs_add(ctx, &s->targets, expr);
            target = s->targets.n - 1;
        }
    }
    *out = (uint32_t)target;
    return BASE_OK;
}

static base_rc bind_sort_item(query *s, const sql_tree *sort_by, sort_item *item) {
    SQL_TRY(sql_sort_directions(s->binder.ctx, sort_by, &item->descending, &item->nulls_first));
    return bind_ordering(s, sql_get(sort_by, "node"), "ORDER BY", &item->target);
}

static bool is_on(const query *s, uint32_t target) {
    for (uint32_t i = 0; i < s->non; i++)
        if (s->on[i] == target) return true;
    return false;
}

// DISTINCT ON and ORDER BY must begin alike, in any order of the items.
static base_rc bind_distinct_on(query *s) {
    if (!s->distinct_on) return BASE_OK;
    sql_ctx *ctx = s->binder.ctx;
    const sql_tree *list = sql_get(s->body, "distinctClause");
    s->on = base_arena_array(ctx->arena, uint32_t, sql_tree_count(list));
    for (const sql_tree *item = list->child; item != NULL; item = item->next) {
        uint32_t target;
        SQL_TRY(bind_ordering(s, item, "DISTINCT ON", &target));
        if (!is_on(s, target)) s->on[s->non++] = target;
    }
    uint32_t found = 0;
    bool other = false, wrong = false;
    for (uint32_t i = 0; i < s->nsort; i++) {
        bool again = false;
        for (uint32_t k = 0; k < i; k++) again |= s->sort[k].target == s->sort[i].target;
        bool on = is_on(s, s->sort[i].target);
        wrong |= on && other && !again;
        found += on && !again;
        other |= !on;
    }
    if (!wrong && (found == s->non || !other)) return BASE_OK;
    return sql_fail(ctx, s->targets.items[s->on[0]]->position, BASE_E_INVALID, "42P10",
                    "SELECT DISTINCT ON expressions must match initial ORDER BY expressions");
}

// The first row of each group, by the rest of ORDER BY.
static plan_node *distinct_on(query *s, const plan_node *node) {
    base_arena *arena = s->binder.ctx->arena;
    plan_sort_key *keys = base_arena_array(arena, plan_sort_key, s->nsort);
    uint32_t n = 0;
    for (uint32_t i = 0; i < s->nsort; i++)
        if (!is_on(s, s->sort[i].target))
            keys[n++] =
                (plan_sort_key){s->sort[i].target, s->sort[i].descending, s->sort[i].nulls_first};
    return sql_node_top(s->binder.ctx, node, false, s->non, s->on, n, keys, 1);
}

static base_rc bind_sort(query *s) {
    const sql_tree *list = sql_get(s->body, "sortClause");
    s->sort = base_arena_array(s->binder.ctx->arena, sort_item, sql_tree_count(list));
    for (const sql_tree *item = list == NULL ? NULL : list->child; item != NULL; item = item->next)
        SQL_TRY(bind_sort_item(s, sql_body(item), &s->sort[s->nsort++]));
    return BASE_OK;
}

// ---- LIMIT -----------------------------------------------------------------------------------

// *value stays as it is for a null: no limit, no offset.
static base_rc bind_count(sql_ctx *ctx, const sql_tree *wrapper, const char *word, int64_t *value,
                          const plan_expr **param) {
    if (wrapper == NULL) return BASE_OK;
    sql_binder constants = {.ctx = ctx, .place = word};
    const plan_expr *expr;
    if (sql_is(wrapper, "ColumnRef"))
        return sql_fail(ctx, sql_tree_position(ctx, sql_body(wrapper)), BASE_E_INVALID, "42P10",
                        "argument of %s must not contain variables", word);
    SQL_TRY(sql_bind_expr(&constants, wrapper, &expr));
    // A parameter that came as a smaller integer (drivers choose by the value) is taken as it is.
    bool small = expr->type.kind == COL_INT2 || expr->type.kind == COL_INT4;
    if (expr->kind != PLAN_EXPR_PARAM || !small)
        SQL_TRY(sql_coerce(ctx, expr, col_type_of(COL_INT8), COL_CAST_ASSIGNMENT, &expr));
    if (expr->kind == PLAN_EXPR_PARAM) {
        *param = expr;
        return BASE_OK;
    }
    if (expr->kind != PLAN_EXPR_CONST)
        return sql_unsupported(ctx, expr->position, "%s must be a constant or a parameter", word);
    if (sql_const_is_null(expr)) return BASE_OK;
    *value = col_i64(expr->constant)[0];
    if (*value < 0)
        return sql_fail(ctx, expr->position, BASE_E_INVALID, word[0] == 'L' ? "2201W" : "2201X",
                        "%s must not be negative", word);
    return BASE_OK;
}

// Puts the sort and the limit, if there are any, on *node; items' targets are columns of it.
static base_rc sort_and_limit(sql_ctx *ctx, const sql_tree *body, uint32_t nsort,
                              const sort_item *items, plan_node **node) {
    int64_t limit = -1, offset = 0;
    const plan_expr *limit_param = NULL, *offset_param = NULL;
    const char *option = sql_get_text(body, "limitOption");
    bool with_ties = option != NULL && strcmp(option, "LIMIT_OPTION_WITH_TIES") == 0;
    if (with_ties && nsort == 0)
        return SQL_SYNTAX(ctx, 0, "WITH TIES cannot be specified without ORDER BY clause");
    SQL_TRY(bind_count(ctx, sql_get(body, "limitCount"), "LIMIT", &limit, &limit_param));
    SQL_TRY(bind_count(ctx, sql_get(body, "limitOffset"), "OFFSET", &offset, &offset_param));
    if (nsort == 0 && limit < 0 && offset == 0 && limit_param == NULL && offset_param == NULL)
        return BASE_OK;
    if (with_ties && (limit_param != NULL || offset_param != NULL))
        return sql_unsupported(ctx, 0, "WITH TIES takes constants only");
    plan_node *sorted = sql_node(ctx, PLAN_NODE_SORT, (*node)->ncolumns, 1, *node, NULL);
    memcpy(sql_columns(sorted), (*node)->columns, (*node)->ncolumns * sizeof(plan_column));
    plan_sort_key *keys = base_arena_array(ctx->arena, plan_sort_key, nsort);
    for (uint32_t i = 0; i < nsort; i++)
        keys[i] = (plan_sort_key){items[i].target, items[i].descending, items[i].nulls_first};
    if (with_ties && limit >= 0) { // all whose rank is within the limit
        int64_t last = limit == 0 ? 0 : limit > INT64_MAX - offset ? INT64_MAX : limit + offset;
        sorted->inputs[0] = sql_node_top(ctx, *node, true, 0, NULL, nsort, keys, last);
        limit = -1;
    }
    sorted->nsort = nsort;
    sorted->sort = keys;
    sorted->limit = limit;
    sorted->offset = offset;
    sorted->limit_param = limit_param;
    sorted->offset_param = offset_param;
    *node = sorted;
    return BASE_OK;
}

// ---- plain SELECT ----------------------------------------------------------------------------

static base_rc bind_where(query *s) {
    sql_ctx *ctx = s->binder.ctx;
    const sql_tree *where = sql_get(s->body, "whereClause");
    if (where == NULL) return BASE_OK;
    const plan_expr *condition;
    SQL_TRY(sql_bind_condition(&s->binder, where, "WHERE", &condition));
    return sql_place_filter(ctx, &s->binder.from, condition);
}

static base_rc refuse_clauses(sql_ctx *ctx, const sql_tree *body) {
    static const char *const clauses[][2] = {
        {"lockingClause", "FOR UPDATE or FOR SHARE"},
        {"intoClause", "SELECT INTO"},
    };
    for (size_t i = 0; i < sizeof clauses / sizeof clauses[0]; i++)
        if (sql_get(body, clauses[i][0]) != NULL)
            return sql_unsupported(ctx, 0, "%s is not supported", clauses[i][1]);
    return BASE_OK;
}

static base_rc settle_targets(query *s) {
    for (uint32_t i = 0; i < s->targets.n; i++)
        SQL_TRY(sql_settle(s->binder.ctx, &s->targets.items[i]));
    return BASE_OK;
}

static base_rc build_select(query *s, plan_node **out) {
    sql_ctx *ctx = s->binder.ctx;
    plan_node *node = s->binder.from;
    uint32_t nown = s->targets.n;
    sql_sets_put(&s->binder, &s->targets);
    uint32_t ntargets = s->targets.n;
    sql_overs_put(&s->binder, &s->targets);
    SQL_TRY(sql_sets_refuse(ctx, &s->targets, ntargets, "window functions"));
    if (s->binder.has_aggregate) {
        SQL_TRY(sql_aggregate(&s->binder, &s->group, &s->targets, &s->having, &node));
        if (s->having != NULL) SQL_TRY(sql_place_filter(ctx, &node, s->having));
    }
    if (s->binder.novers > 0) SQL_TRY(sql_overs_build(&s->binder, &s->targets, ntargets, &node));
    SQL_TRY(sql_place(ctx, &node, s->targets.items, s->targets.n));
    if (s->binder.nsets > 0) sql_sets_build(&s->binder, &s->targets, nown, &node);
    uint32_t n = s->targets.n;
    const char **names = base_arena_array(ctx->arena, const char *, n + 1);
    for (uint32_t i = 0; i < s->nshown; i++) names[i] = s->names[i];
    node = sql_node_project(ctx, node, n, s->targets.items, names);
    if (s->distinct_on) {
        node = distinct_on(s, node);
    } else if (s->distinct) {
        plan_node *distinct = sql_node(ctx, PLAN_NODE_DISTINCT, n, 1, node, NULL);
        memcpy(sql_columns(distinct), node->columns, n * sizeof(plan_column));
        node = distinct;
    }
    SQL_TRY(sort_and_limit(ctx, s->body, s->nsort, s->sort, &node));
    if (n > s->nshown) {
        const plan_expr **shown = base_arena_array(ctx->arena, const plan_expr *, s->nshown + 1);
        for (uint32_t i = 0; i < s->nshown; i++) shown[i] = sql_column_of(ctx, node, i);
        node = sql_node_project(ctx, node, s->nshown, shown, s->names);
    }
    *out = node;
    return BASE_OK;
}

static base_rc bind_plain(query *s, plan_node **out) {
    sql_ctx *ctx = s->binder.ctx;
    SQL_TRY(refuse_clauses(ctx, s->body));
    const sql_tree *distinct = sql_get(s->body, "distinctClause");
    s->distinct_on = distinct != NULL && distinct->child != NULL && distinct->child->child != NULL;
    s->distinct = distinct != NULL && !s->distinct_on;
    SQL_TRY(sql_bind_from(&s->binder, sql_get(s->body, "fromClause")));
    SQL_TRY(bind_where(s));
    s->binder.windows = sql_get(s->body, "windowClause");
    SQL_TRY(bind_targets(s));
    SQL_TRY(sql_check_windows(&s->binder));
    SQL_TRY(check_targets(s));
    SQL_TRY(bind_group(s));
    SQL_TRY(bind_sort(s));
    SQL_TRY(bind_distinct_on(s));
    SQL_TRY(settle_targets(s));
    s->binder.has_aggregate = s->group.n > 0 || s->binder.naggs > 0 ||
                              s->binder.grouping_sets != NULL || s->binder.groupings != NULL ||
                              s->having != NULL;
    return build_select(s, out);
}

// ---- VALUES ----------------------------------------------------------------------------------

// Rows with sub-queries: one query each.
static base_rc values_of_queries(sql_ctx *ctx, const plan_node *values, plan_node **out) {
    uint32_t n = values->ncolumns, nrows = values->nexprs / n;
    const char **names = base_arena_array(ctx->arena, const char *, n);
    for (uint32_t i = 0; i < n; i++) names[i] = values->columns[i].name;
    plan_node *all = sql_node(ctx, PLAN_NODE_UNION_ALL, n, nrows, NULL, NULL);
    memcpy(sql_columns(all), values->columns, n * sizeof(plan_column));
    for (uint32_t row = 0; row < nrows; row++) {
        plan_node *one = sql_node_one_row(ctx);
        SQL_TRY(sql_place(ctx, &one, values->exprs + (size_t)row * n, n));
        all->inputs[row] = sql_node_project(ctx, one, n, values->exprs + (size_t)row * n, names);
    }
    *out = nrows == 1 ? (plan_node *)(uintptr_t)all->inputs[0] : all;
    return BASE_OK;
}

static base_rc bind_values(query *s, plan_node **out) {
    sql_ctx *ctx = s->binder.ctx;
    const sql_tree *lists = sql_get(s->body, "valuesLists");
    uint32_t nrows = sql_tree_count(lists), ncolumns = 0, row = 0;
    const plan_expr **cells = NULL; // by column, so that each finds its type
    s->binder.place = "VALUES";
    for (const sql_tree *list = lists->child; list != NULL; list = list->next, row++) {
        const sql_tree *items = sql_get(sql_body(list), "items");
        uint32_t n = sql_tree_count(items), i = 0;
        if (row == 0) {
            ncolumns = n;
            cells = base_arena_array(ctx->arena, const plan_expr *, (size_t)nrows *n);
        } else if (n != ncolumns) {
            return SQL_SYNTAX(ctx, sql_tree_position(ctx, sql_body(items->child)),
                              "VALUES lists must all be the same length");
        }
        for (const sql_tree *item = items->child; item != NULL; item = item->next, i++)
            SQL_TRY(sql_bind_expr(&s->binder, item, &cells[(size_t)i * nrows + row]));
    }
    bool queries = false;
    plan_node *node = sql_node(ctx, PLAN_NODE_VALUES, ncolumns, 0, NULL, NULL);
    node->nexprs = nrows * ncolumns;
    node->exprs = base_arena_array(ctx->arena, const plan_expr *, node->nexprs);
    for (uint32_t i = 0; i < ncolumns; i++) {
        plan_column *column = &sql_columns(node)[i];
        column->name = base_arena_printf(ctx->arena, "column%u", i + 1);
        SQL_TRY(sql_common_type(ctx, "VALUES", nrows, &cells[(size_t)i * nrows], &column->type));
        for (row = 0; row < nrows; row++) {
            const plan_expr *cell = cells[(size_t)i * nrows + row];
            node->exprs[(size_t)row * ncolumns + i] = cell;
            queries |= sql_has_subquery(cell);
        }
    }
    *out = node;
    return queries ? values_of_queries(ctx, node, out) : BASE_OK;
}

// ---- ORDER BY over a VALUES or a set operation ------------------------------------------------

// ORDER BY and LIMIT over a VALUES or UNION: by output names and places only.
static base_rc order_output(query *s, plan_node **node) {
    sql_ctx *ctx = s->binder.ctx;
    const sql_tree *list = sql_get(s->body, "sortClause");
    sort_item *items = base_arena_array(ctx->arena, sort_item, sql_tree_count(list));
    uint32_t n = 0;
    for (uint32_t i = 0; i < (*node)->ncolumns; i++)
        add_target(s, sql_column_of(ctx, *node, i), (*node)->columns[i].name);
    for (const sql_tree *item = list == NULL ? NULL : list->child; item != NULL;
         item = item->next, n++) {
        const sql_tree *sort_by = sql_body(item), *expr = sql_get(sort_by, "node");
        int64_t target;
        SQL_TRY(sql_sort_directions(ctx, sort_by, &items[n].descending, &items[n].nulls_first));
        SQL_TRY(ordinal(s, expr, "ORDER BY", &target));
        const char *name = single_name(expr);
        if (target < 0 && name != NULL) {
            SQL_TRY(find_alias(s, name, expr, "ORDER BY", &target));
            if (target < 0)
                return sql_fail(ctx, sql_tree_position(ctx, sql_body(expr)), BASE_E_NOT_FOUND,
                                BASE_SQLSTATE_UNDEFINED_COLUMN, "column \"%s\" does not exist",
                                name);
        }
        if (target < 0)
            return sql_unsupported(ctx, sql_tree_position(ctx, sql_body(expr)),
                                   "invalid UNION/INTERSECT/EXCEPT ORDER BY clause: only result "
                                   "column names can be used, not expressions or functions");
        items[n].target = (uint32_t)target;
    }
    return sort_and_limit(ctx, s->body, n, items, node);
}

// ---- WITH and dispatch -----------------------------------------------------------------------

static base_rc bind_with(sql_ctx *ctx, const sql_tree *with, sql_binder *around,
                         const sql_cte **ctes) {
    if (with == NULL) return BASE_OK;
    const sql_tree *list = sql_get(with, "ctes");
    for (const sql_tree *item = list->child; item != NULL; item = item->next) {
        const sql_tree *body = sql_body(item), *query = sql_get(body, "ctequery");
        if (!sql_is(query, "SelectStmt"))
            return sql_unsupported(ctx, sql_tree_position(ctx, body),
                                   "only SELECT is supported in WITH");
        for (const sql_tree *other = list->child; other != item; other = other->next)
            if (strcmp(sql_get_text(sql_body(other), "ctename"), sql_get_text(body, "ctename")) ==
                0)
                return sql_fail(ctx, sql_tree_position(ctx, body), BASE_E_INVALID, "42712",
                                "WITH query name \"%s\" specified more than once",
                                sql_get_text(body, "ctename"));
        if (sql_get(body, "search_clause") != NULL || sql_get(body, "cycle_clause") != NULL)
            return sql_unsupported(ctx, sql_tree_position(ctx, body),
                                   "SEARCH and CYCLE of WITH RECURSIVE are not supported");
        const char *name = sql_get_text(body, "ctename");
        sql_cte *cte = base_arena_new(ctx->arena, sql_cte);
        *cte = (sql_cte){.name = name,
                         .query = sql_body(query),
                         .aliases = sql_get(body, "aliascolnames"),
                         .outer = *ctes,
                         .around = around,
                         .recursive = sql_get_bool(with, "recursive") &&
                                      sql_is_recursive(sql_body(query), name)};
        *ctes = cte;
    }
    return BASE_OK;
}

base_rc sql_bind_query(sql_ctx *ctx, const sql_tree *body, sql_binder *outer, const sql_cte *ctes,
                       plan_node **out) {
    SQL_TRY(sql_enter(ctx, 0));
    SQL_TRY(bind_with(ctx, sql_get(body, "withClause"), outer, &ctes));
    query s = {.binder = {.ctx = ctx, .outer = outer, .ctes = ctes, .id = ++ctx->nqueries},
               .body = body};
    const char *op = sql_get_text(body, "op");
    if (op != NULL && strcmp(op, "SETOP_NONE") != 0) {
        SQL_TRY(sql_bind_setop(ctx, body, outer, ctes, out));
        SQL_TRY(order_output(&s, out));
    } else if (sql_get(body, "valuesLists") != NULL) {
        SQL_TRY(bind_values(&s, out));
        SQL_TRY(order_output(&s, out));
    } else {
        SQL_TRY(bind_plain(&s, out));
    }
    sql_leave(ctx);
    return BASE_OK;
}
