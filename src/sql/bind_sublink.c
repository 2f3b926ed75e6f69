// bind_sublink.c - sub-queries in expressions. A scalar sub-query becomes a LEFT JOIN of the outer
// query's input with it, on those parts of its WHERE that use outer columns; its value is a column
// of the right side, null where nothing matches. That is right only if at most one row matches: it
// must be an aggregate, LIMIT 1, be matched on a unique key, or read system views (whose OIDs are
// unique; the parser's own queries of psql and drivers are of that form). EXISTS and IN join the
// distinct rows of the sub-query instead. Entry point: sql_bind_sublink.
#include "sql/sql_int.h"

#include "base/must.h"

// A node that can have no row whatever the data: an inner join with an empty system view.
static bool never_rows(const plan_node *node) {
    switch (node->kind) {
    case PLAN_NODE_SCAN:
        return node->object->always_empty;
    case PLAN_NODE_VALUES:
        return false;
    case PLAN_NODE_JOIN:
        return never_rows(node->inputs[0]) ||
               (node->join == PLAN_JOIN_INNER && never_rows(node->inputs[1]));
    case PLAN_NODE_UNION_ALL:
        return never_rows(node->inputs[0]) && never_rows(node->inputs[1]);
    case PLAN_NODE_AGGREGATE:
        return node->nexprs > 0 && never_rows(node->inputs[0]);
    default:
        return never_rows(node->inputs[0]);
    }
}

bool sql_rows_none(const sql_binder *binder) {
    return binder->from != NULL && never_rows(binder->from);
}

// ARRAY(SELECT ... FROM unnest(column)) of a system column that is always null: the empty array.
static bool unnests_nothing(sql_binder *binder, const sql_tree *select) {
    const sql_tree *from = sql_get(select, "fromClause");
    if (from == NULL || sql_tree_count(from) != 1 || !sql_is(from->child, "RangeFunction"))
        return false;
    const sql_tree *functions = sql_get(sql_body(from->child), "functions");
    if (sql_tree_count(functions) != 1) return false;
    const sql_tree *call = sql_get(sql_body(functions->child), "items")->child;
    const sql_tree *name = sql_get(sql_body(call), "funcname");
    const sql_tree *args = sql_get(sql_body(call), "args");
    if (!sql_is(call, "FuncCall") || sql_tree_count(args) != 1) return false;
    const sql_tree *last = name->child;
    while (last->next != NULL) last = last->next;
    if (strcmp(sql_string(last), "unnest") != 0 || !sql_is(args->child, "ColumnRef")) return false;
    const plan_expr *column;
    base_error *err = binder->ctx->err, ignored;
    binder->ctx->err = &ignored;
    base_rc rc = sql_bind_column_ref(binder, sql_body(args->child), &column);
    binder->ctx->err = err;
    if (rc != BASE_OK || column->kind != PLAN_EXPR_COLUMN) return false;
    for (uint32_t i = 0; i < binder->scope.ncolumns; i++)
        if (binder->scope.columns[i].index == column->index)
            return binder->scope.columns[i].column->always_null;
    return false;
}

// Whether the sub-query reads a system view that never has a row, so that it has none either,
// whatever it computes (clients ask pg_sequence for what only PostgreSQL can compute).
static bool reads_nothing(sql_binder *binder, const sql_tree *select) {
    if (sql_get(select, "fromClause") == NULL) return false;
    const sql_tree *targets = sql_get(select, "targetList");
    for (const sql_tree *item = sql_get(select, "fromClause")->child; item != NULL;
         item = item->next) {
        const sql_tree *body = sql_body(item);
        const char *schema = sql_get_text(body, "schemaname");
        if (!sql_is(item, "RangeVar") || schema == NULL || sql_tree_count(targets) != 1) continue;
        const plan_catalog *catalog = binder->ctx->session->catalog;
        const plan_object *object =
            catalog->find(catalog->self, schema, sql_get_text(body, "relname"));
        if (object != NULL && object->always_empty) return true;
    }
    return false;
}

static bool computes_aggregate(const sql_tree *select) {
    return sql_get(select, "groupClause") == NULL &&
           sql_calls_aggregate(sql_get(select, "targetList"));
}

static void note_other(void *arg, const plan_node *scan) {
    if (scan->object->kind != PLAN_OBJECT_SYSTEM) *(bool *)arg = true;
}

static base_rc empty_array(sql_binder *binder, col_kind element, int32_t position,
                           const plan_expr **out) {
    sql_ctx *ctx = binder->ctx;
    if (!col_kind_has_array(element)) element = COL_TEXT;
    return sql_coerce(ctx, sql_text_const(ctx, "{}", COL_UNKNOWN, position),
                      col_type_of(col_kind_array_of(element)), COL_CAST_IMPLICIT, out);
}

// ARRAY(SELECT ...) over what never has rows.
static base_rc bind_array(sql_binder *binder, const sql_tree *select, int32_t position,
                          const plan_expr **out) {
    sql_ctx *ctx = binder->ctx;
    if (unnests_nothing(binder, select)) return empty_array(binder, COL_TEXT, position, out);
    sql_binder used;
    plan_node *node;
    SQL_TRY(sql_bind_query(ctx, select, binder, binder->ctes, &used, &node));
    if (never_rows(node)) return empty_array(binder, node->columns[0].type.kind, position, out);
    return sql_unsupported(ctx, position, "ARRAY(SELECT ...) is not supported");
}

// Inner columns i -> right column first + i; outer ones -> left.
static const plan_expr *place_condition(sql_ctx *ctx, const plan_expr *expr, uint32_t first) {
    if (expr->kind == PLAN_EXPR_COLUMN) {
        plan_expr *copy = base_arena_new(ctx->arena, plan_expr);
        *copy = *expr;
        copy->index =
            expr->index >= SQL_OUTER_BASE ? expr->index - SQL_OUTER_BASE : expr->index + first;
        return copy;
    }
    if (expr->nargs == 0) return expr;
    plan_expr *copy = sql_expr(ctx, expr->kind, expr->type, expr->nargs, expr->position);
    copy->index = expr->index;
    copy->func = expr->func;
    for (uint32_t i = 0; i < expr->nargs; i++)
        copy->args[i] = place_condition(ctx, expr->args[i], first);
    return copy;
}

static bool is_outer(const plan_expr *expr, void *arg) {
    (void)arg;
    return expr->kind == PLAN_EXPR_COLUMN && expr->index >= SQL_OUTER_BASE;
}
static bool is_inner(const plan_expr *expr, void *arg) {
    (void)arg;
    return expr->kind == PLAN_EXPR_COLUMN && expr->index < SQL_OUTER_BASE;
}

// The inner side of `inner = outer`, or NULL.
static const plan_expr *equated(const plan_expr *expr) {
    if (expr->kind != PLAN_EXPR_CALL || expr->nargs != 2 || strcmp(expr->func->name, "=") != 0)
        return NULL;
    for (int side = 0; side < 2; side++) {
        const plan_expr *inner = expr->args[side], *outer = expr->args[1 - side];
        if (!plan_expr_any(inner, is_outer, NULL) && !plan_expr_any(outer, is_inner, NULL))
            return inner;
    }
    return NULL;
}

static bool at_most_one_row(sql_ctx *ctx, const sql_binder *used, const plan_node *node,
                            const sql_tree *select) {
    if (used->outer_conditions.n == 0) {
        if (used->has_aggregate && node->kind != PLAN_NODE_VALUES) {
            const plan_node *at = node;
            while (at->kind != PLAN_NODE_AGGREGATE && at->ninputs == 1) at = at->inputs[0];
            if (at->kind == PLAN_NODE_AGGREGATE && at->nexprs == 0) return true;
        }
        if (node->kind == PLAN_NODE_SORT && node->limit >= 0 && node->limit <= 1) return true;
        if (node->kind == PLAN_NODE_PROJECT && node->inputs[0]->kind == PLAN_NODE_SORT &&
            node->inputs[0]->limit >= 0 && node->inputs[0]->limit <= 1)
            return true;
        if (sql_get(select, "fromClause") == NULL && sql_get(select, "valuesLists") == NULL)
            return true;
    }
    bool other = false;
    plan_node_scans(node, note_other, &other);
    if (!other) return true;
    const plan_node *input = sql_annotate(ctx, used->from);
    for (uint32_t k = 0; k < input->nkey; k++) {
        bool fixed = false;
        for (uint32_t i = 0; i < used->outer_conditions.n && !fixed; i++) {
            const plan_expr *inner = equated(used->outer_conditions.items[i]);
            fixed =
                inner != NULL && inner->kind == PLAN_EXPR_COLUMN && inner->index == input->key[k];
        }
        if (!fixed) return false;
    }
    return input->nkey > 0;
}

// Joins `right` to the outer input; returns the index of its first column.
static uint32_t attach(sql_binder *binder, const sql_exprs *conditions, const plan_node *right) {
    uint32_t first = binder->from->ncolumns;
    binder->from = sql_node_join(binder->ctx, PLAN_JOIN_LEFT, binder->from, right,
                                 sql_conjunction(binder->ctx, conditions));
    return first;
}

static base_rc bind_scalar(sql_binder *binder, const sql_tree *select, int32_t position,
                           const plan_expr **out) {
    sql_ctx *ctx = binder->ctx;
    sql_binder used;
    plan_node *node;
    SQL_TRY(sql_bind_query(ctx, select, binder, binder->ctes, &used, &node));
    if (node->ncolumns - used.nkept != 1)
        return SQL_SYNTAX(ctx, position, "subquery must return only one column");
    if (!at_most_one_row(ctx, &used, node, select))
        return sql_unsupported(ctx, position,
                               "a scalar sub-query that may give more than one row is not "
                               "supported; join instead, or match its key");
    plan_expr *column = sql_expr(ctx, PLAN_EXPR_COLUMN, node->columns[0].type, 0, position);
    *out = column;
    if (binder->late && !binder->in_agg) {
        if (binder->nlates == SQL_LATE_MAX)
            return sql_unsupported(
                ctx, position, "more than %d sub-queries in one grouped query are not supported",
                SQL_LATE_MAX);
        column->index = SQL_LATE_BASE + binder->nlates;
        binder->lates[binder->nlates++] = (sql_late){node, used.outer_conditions};
        return BASE_OK;
    }
    sql_exprs conditions = {0};
    uint32_t first = binder->from->ncolumns;
    for (uint32_t i = 0; i < used.outer_conditions.n; i++)
        sql_exprs_add(ctx, &conditions,
                      place_condition(ctx, used.outer_conditions.items[i], first + 1));
    attach(binder, &conditions, node);
    column->index = first;
    return BASE_OK;
}

// Distinct rows of `exprs` over `input`, with a last column that is true.
static plan_node *distinct_rows(sql_ctx *ctx, const plan_node *input, sql_exprs *exprs) {
    sql_exprs_add(ctx, exprs, sql_bool_const(ctx, true));
    plan_node *project = sql_node_project(ctx, input, exprs->n, exprs->items, NULL);
    plan_node *distinct = sql_node(ctx, PLAN_NODE_DISTINCT, exprs->n, 1, project, NULL);
    memcpy(sql_columns(distinct), project->columns, exprs->n * sizeof(plan_column));
    return distinct;
}

static const plan_expr *found_marker(sql_ctx *ctx, uint32_t index, int32_t position) {
    plan_expr *found = sql_expr(ctx, PLAN_EXPR_IS_NOT_NULL, col_type_of(COL_BOOL), 1, position);
    found->args[0] = plan_expr_column(ctx->arena, index, col_type_of(COL_BOOL));
    return found;
}

// Splits the outer conditions into keys (inner = outer); what else there is cannot be joined.
static base_rc join_keys(sql_binder *binder, const sql_binder *used, uint32_t first_key,
                         sql_exprs *keys, sql_exprs *conditions, int32_t position) {
    sql_ctx *ctx = binder->ctx;
    uint32_t first = binder->from->ncolumns;
    for (uint32_t i = 0; i < used->outer_conditions.n; i++) {
        const plan_expr *condition = used->outer_conditions.items[i];
        const plan_expr *inner = equated(condition);
        if (inner == NULL && plan_expr_any(condition, is_inner, NULL))
            return sql_unsupported(ctx, position,
                                   "a sub-query in EXISTS or IN can be tied to the query around "
                                   "it by equalities only");
        if (inner == NULL) { // only outer columns
            sql_exprs_add(ctx, conditions, place_condition(ctx, condition, first));
            continue;
        }
        plan_expr *equal = base_arena_new(ctx->arena, plan_expr);
        *equal = *condition;
        equal->args = base_arena_array(ctx->arena, const plan_expr *, 2);
        for (int side = 0; side < 2; side++)
            equal->args[side] =
                condition->args[side] == inner
                    ? plan_expr_column(ctx->arena, first + first_key + keys->n, inner->type)
                    : place_condition(ctx, condition->args[side], first);
        sql_exprs_add(ctx, keys, inner);
        sql_exprs_add(ctx, conditions, equal);
    }
    return BASE_OK;
}

static base_rc bind_exists(sql_binder *binder, const sql_tree *select, int32_t position,
                           const plan_expr **out) {
    sql_ctx *ctx = binder->ctx;
    sql_binder used;
    plan_node *node;
    sql_exprs keys = {0}, conditions = {0};
    SQL_TRY(sql_bind_query(ctx, select, binder, binder->ctes, &used, &node));
    const plan_node *input = used.outer_conditions.n > 0 ? used.from : node;
    SQL_TRY(join_keys(binder, &used, 0, &keys, &conditions, position));
    plan_node *rows = distinct_rows(ctx, input, &keys);
    uint32_t first = attach(binder, &conditions, rows);
    *out = found_marker(ctx, first + rows->ncolumns - 1, position);
    return BASE_OK;
}

// x IN (SELECT y ...): true where the distinct rows have x. Where they do not the answer is false,
// or null if x or some y is null; under a NOT that difference shows, so y must be known not null.
static base_rc bind_in_query(sql_binder *binder, const sql_tree *body, const sql_tree *select,
                             int32_t position, const plan_expr **out) {
    sql_ctx *ctx = binder->ctx;
    sql_binder used;
    plan_node *node;
    const plan_expr *left, *equal;
    sql_exprs keys = {0}, conditions = {0};
    const sql_tree *op = sql_get(body, "operName");
    if (op != NULL && strcmp(sql_string(op->child), "=") != 0)
        return sql_unsupported(ctx, position,
                               "ANY with an operator other than = is not supported "
                               "over a sub-query");
    SQL_TRY(sql_bind_expr(binder, sql_get(body, "testexpr"), &left));
    SQL_TRY(sql_bind_query(ctx, select, binder, binder->ctes, &used, &node));
    if (node->ncolumns - used.nkept != 1)
        return SQL_SYNTAX(ctx, position, "subquery has too many columns");
    const plan_node *annotated = sql_annotate(ctx, node);
    bool filtering =
        !binder->negated && binder->place != NULL && strcmp(binder->place, "WHERE") == 0;
    if (!filtering && !annotated->columns[0].not_null)
        return sql_unsupported(ctx, position,
                               "NOT IN over a sub-query that may give nulls is not supported; use "
                               "NOT EXISTS");
    if (used.outer_conditions.n > 0)
        return sql_unsupported(ctx, position,
                               "a correlated sub-query in IN is not supported; use "
                               "EXISTS");
    sql_exprs_add(ctx, &keys, sql_column_of(ctx, node, 0));
    uint32_t first = binder->from->ncolumns;
    SQL_TRY(sql_operator(ctx, "=", left, plan_expr_column(ctx->arena, first, node->columns[0].type),
                         position, &equal));
    sql_exprs_add(ctx, &conditions, equal);
    plan_node *rows = distinct_rows(ctx, node, &keys);
    attach(binder, &conditions, rows);
    const plan_expr *found = found_marker(ctx, first + rows->ncolumns - 1, position);
    plan_expr *answer = sql_expr(ctx, PLAN_EXPR_CASE, col_type_of(COL_BOOL), 3, position);
    plan_expr *null = sql_expr(ctx, PLAN_EXPR_IS_NULL, col_type_of(COL_BOOL), 1, position);
    SQL_TRY(sql_settle(ctx, &left));
    null->args[0] = left;
    answer->args[0] = null;
    answer->args[1] = plan_expr_null(ctx->arena, col_type_of(COL_BOOL));
    answer->args[2] = found;
    *out = filtering ? found : answer;
    return BASE_OK;
}

base_rc sql_bind_sublink(sql_binder *binder, const sql_tree *body, const plan_expr **out) {
    sql_ctx *ctx = binder->ctx;
    int32_t position = sql_tree_position(ctx, body);
    const char *kind = sql_get_text(body, "subLinkType");
    const sql_tree *select = sql_body(sql_get(body, "subselect"));
    if (kind == NULL) kind = "EXISTS_SUBLINK";
    bool scalar = strcmp(kind, "EXPR_SUBLINK") == 0, array = strcmp(kind, "ARRAY_SUBLINK") == 0;
    if ((scalar || array) && sql_rows_none(binder)) {
        // Never evaluated, so its value does not matter and what it may hold is not limited.
        *out = plan_expr_null(ctx->arena, col_type_of(array ? COL_TEXT_ARRAY : COL_TEXT));
        return BASE_OK;
    }
    if (array) return bind_array(binder, select, position, out);
    if (scalar && reads_nothing(binder, select) && !computes_aggregate(select)) {
        base_error *err = ctx->err, ignored;
        ctx->err = &ignored;
        base_rc rc =
            binder->from == NULL ? BASE_E_UNSUPPORTED : bind_scalar(binder, select, position, out);
        ctx->err = err;
        if (rc != BASE_OK) *out = plan_expr_null(ctx->arena, col_type_of(COL_TEXT));
        return BASE_OK;
    }
    if (binder->from == NULL)
        return sql_unsupported(ctx, position, "a sub-query is not supported in %s",
                               binder->place == NULL ? "this place" : binder->place);
    bool having = binder->place != NULL && strcmp(binder->place, "HAVING") == 0;
    if (binder->in_agg || (having && !scalar))
        return sql_unsupported(ctx, position, "a sub-query is not supported in %s",
                               binder->in_agg ? "an aggregate" : "HAVING");
    if (scalar) return bind_scalar(binder, select, position, out);
    if (strcmp(kind, "EXISTS_SUBLINK") == 0) return bind_exists(binder, select, position, out);
    if (strcmp(kind, "ANY_SUBLINK") == 0) return bind_in_query(binder, body, select, position, out);
    return sql_unsupported(ctx, position, "ALL over a sub-query is not supported");
}
