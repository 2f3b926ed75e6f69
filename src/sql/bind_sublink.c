// bind_sublink.c - sub-queries in expressions: each becomes a marker that subquery.c turns into a
// join when the place of its expression is known. What is never evaluated is not bound: the
// parser's own queries of psql and drivers ask empty system views for what only PostgreSQL can
// compute. Of system views alone, whose OIDs are unique, one row is taken to match. Entry point:
// sql_bind_sublink.
#include "sql/subquery.h"

#include "base/must.h"

static bool never_rows(const plan_node *node);

static bool join_never_rows(const plan_node *node) {
    bool left = never_rows(node->inputs[0]), right = never_rows(node->inputs[1]);
    switch (node->join) {
    case PLAN_JOIN_INNER:
    case PLAN_JOIN_SEMI:
        return left || right;
    case PLAN_JOIN_RIGHT:
        return right;
    case PLAN_JOIN_FULL:
        return left && right;
    default:
        return left;
    }
}

// A node that can have no row whatever the data: an inner join with an empty system view.
static bool never_rows(const plan_node *node) {
    switch (node->kind) {
    case PLAN_NODE_SCAN:
        return node->object->always_empty;
    case PLAN_NODE_VALUES:
        return false;
    case PLAN_NODE_JOIN:
        return join_never_rows(node);
    case PLAN_NODE_SETOP:
        return never_rows(node->inputs[0]) ||
               (node->set_op == PLAN_SET_INTERSECT && never_rows(node->inputs[1]));
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

// Whether a scan is of something that is no system view.
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

static base_rc bind_inner(sql_binder *binder, const sql_subquery *sub, const sql_tree *select,
                          plan_node **node) {
    uint32_t before = binder->inner;
    binder->inner = sub->number;
    base_rc rc = sql_bind_query(binder->ctx, select, binder, binder->ctes, node);
    binder->inner = before;
    return rc;
}

// ---- markers ---------------------------------------------------------------------------------

// Whether two trees say the same, wherever they stand in the text.
static bool same_text(const sql_tree *a, const sql_tree *b) {
    for (; a != NULL && b != NULL; a = a->next, b = b->next) {
        bool named = a->name != NULL && b->name != NULL;
        if ((a->name == NULL) != (b->name == NULL) || (named && strcmp(a->name, b->name) != 0))
            return false;
        if (named && strcmp(a->name, "location") == 0) continue;
        if ((a->text == NULL) != (b->text == NULL) || a->number != b->number ||
            (a->text != NULL && strcmp(a->text, b->text) != 0) || !same_text(a->child, b->child))
            return false;
    }
    return a == NULL && b == NULL;
}

// One that the same query has already is the same: it may be grouped by.
static bool find_same(sql_binder *binder, const sql_tree *body, sql_subquery_kind kind,
                      const plan_expr **out) {
    const sql_ctx *ctx = binder->ctx;
    for (uint32_t i = 0; i < ctx->nsubqueries; i++) {
        const sql_subquery *sub = ctx->subqueries[i];
        if (sub->marker == NULL || sub->owner != binder->id || sub->kind != kind ||
            sub->kind == SQL_SUBQUERY_ANY || !same_text(sub->tree, body))
            continue;
        *out = sub->marker;
        return true;
    }
    return false;
}

static plan_expr *make_marker(sql_binder *binder, sql_subquery *sub, const sql_tree *body,
                              col_type type, uint32_t nargs) {
    plan_expr *marker = sql_expr(binder->ctx, PLAN_EXPR_SUBQUERY, type, nargs, sub->position);
    for (uint32_t i = 0; i < binder->ctx->nsubqueries; i++)
        if (binder->ctx->subqueries[i] == sub) marker->index = i;
    sub->tree = body;
    sub->owner = binder->id;
    sub->marker = marker;
    return marker;
}

static base_rc bind_scalar(sql_binder *binder, const sql_tree *body, const sql_tree *select,
                           int32_t position, const plan_expr **out) {
    sql_ctx *ctx = binder->ctx;
    plan_node *node;
    sql_subquery *sub = sql_subquery_add(ctx, SQL_SUBQUERY_VALUE, position);
    SQL_TRY(bind_inner(binder, sub, select, &node));
    if (node->ncolumns != 1)
        return SQL_SYNTAX(ctx, position, "subquery must return only one column");
    bool other = false;
    plan_node_scans(node, note_other, &other);
    sub->trusted = !other && sql_get(select, "fromClause") != NULL;
    sub->node = node;
    *out = make_marker(binder, sub, body, node->columns[0].type, 0);
    return BASE_OK;
}

base_rc sql_bind_row_query(sql_binder *binder, const sql_tree *body, uint32_t n, int32_t position,
                           const plan_expr **out) {
    sql_ctx *ctx = binder->ctx;
    plan_node *node;
    if (binder->id == 0)
        return sql_unsupported(ctx, position, "a sub-query is not supported in %s",
                               binder->place == NULL ? "this place" : binder->place);
    sql_subquery *sub = sql_subquery_add(ctx, SQL_SUBQUERY_VALUE, position);
    SQL_TRY(bind_inner(binder, sub, sql_body(sql_get(body, "subselect")), &node));
    if (node->ncolumns != n)
        return SQL_SYNTAX(ctx, position, "subquery has too %s columns",
                          node->ncolumns > n ? "many" : "few");
    col_field *fields = base_arena_array(ctx->arena, col_field, n);
    for (uint32_t i = 0; i < n; i++)
        fields[i] = (col_field){base_arena_printf(ctx->arena, "f%u", i + 1), node->columns[i].type};
    plan_expr *row = sql_expr(ctx, PLAN_EXPR_ROW, (col_type){COL_STRUCT, 0, 0, (uint16_t)n, fields},
                              n, position);
    for (uint32_t i = 0; i < n; i++) row->args[i] = sql_column_of(ctx, node, i);
    const plan_expr *exprs[1] = {row};
    sub->node = sql_node_project(ctx, node, 1, exprs, NULL);
    *out = make_marker(binder, sub, body, row->type, 0);
    return BASE_OK;
}

static base_rc bind_exists(sql_binder *binder, const sql_tree *body, const sql_tree *select,
                           int32_t position, const plan_expr **out) {
    plan_node *node;
    sql_subquery *sub = sql_subquery_add(binder->ctx, SQL_SUBQUERY_EXISTS, position);
    SQL_TRY(bind_inner(binder, sub, select, &node));
    sub->node = node;
    *out = make_marker(binder, sub, body, col_type_of(COL_BOOL), 0);
    return BASE_OK;
}

// The query of ARRAY(SELECT ...) without its order, and that order over it. A last projection may
// have dropped columns that only the order needed.
static const plan_node *unordered(const plan_node *node, uint32_t *value, uint32_t *nkeys,
                                  const plan_sort_key **keys) {
    const plan_node *sort = node->kind == PLAN_NODE_PROJECT ? node->inputs[0] : node;
    *value = *nkeys = 0;
    *keys = NULL;
    if (sort->kind != PLAN_NODE_SORT) return node;
    if (sort != node) {
        if (node->exprs[0]->kind != PLAN_EXPR_COLUMN) return node;
        *value = node->exprs[0]->index;
    }
    *nkeys = sort->nsort;
    *keys = sort->sort;
    bool limited = sort->limit >= 0 || sort->offset > 0 || sort->limit_param != NULL ||
                   sort->offset_param != NULL;
    return limited ? sort : sort->inputs[0];
}

// array_agg of a query's column in the query's order.
static const plan_node *array_of(sql_ctx *ctx, const plan_node *query) {
    uint32_t value, nkeys;
    const plan_sort_key *keys;
    const plan_agg_def *def;
    must(plan_agg_find(BASE_STR("array_agg"), &def) > 0);
    const plan_node *input = unordered(query, &value, &nkeys, &keys);
    plan_agg *agg = base_arena_new(ctx->arena, plan_agg);
    plan_agg_sort *sort = base_arena_array(ctx->arena, plan_agg_sort, nkeys + 1u);
    *agg = (plan_agg){.def = def,
                      .arg = sql_column_of(ctx, input, value),
                      .type = col_type_array_of(&input->columns[value].type)};
    agg->more = base_arena_array(ctx->arena, const plan_expr *, nkeys + 1u);
    bool there = false;
    for (uint32_t i = 0; i < nkeys; i++) {
        bool own = keys[i].column == value;
        if (!own) agg->more[agg->nmore++] = sql_column_of(ctx, input, keys[i].column);
        sort[agg->nsort++] =
            (plan_agg_sort){own ? 0 : agg->nmore, keys[i].descending, keys[i].nulls_first};
        there |= own;
    }
    if (!there) sort[agg->nsort++] = (plan_agg_sort){.expr = 0};
    agg->sort = sort;
    plan_node *node = sql_node(ctx, PLAN_NODE_AGGREGATE, 1, 1, input, NULL);
    node->naggs = 1;
    node->aggs = agg;
    sql_columns(node)[0] = (plan_column){.name = "array", .type = agg->type};
    return node;
}

static base_rc bind_array(sql_binder *binder, const sql_tree *body, const sql_tree *select,
                          int32_t position, const plan_expr **out) {
    sql_ctx *ctx = binder->ctx;
    if (unnests_nothing(binder, select)) return empty_array(binder, COL_TEXT, position, out);
    plan_node *node;
    sql_subquery *sub = sql_subquery_add(ctx, SQL_SUBQUERY_VALUE, position);
    SQL_TRY(bind_inner(binder, sub, select, &node));
    col_kind element = node->columns[0].type.kind;
    if (never_rows(node)) return empty_array(binder, element, position, out);
    if (node->ncolumns != 1)
        return SQL_SYNTAX(ctx, position, "subquery must return only one column");
    if (!col_kind_has_array(element))
        return sql_fail(ctx, position, BASE_E_NOT_FOUND, BASE_SQLSTATE_UNDEFINED_OBJECT,
                        "could not find array type for data type %s",
                        sql_type_name(ctx, &node->columns[0].type));
    sub->node = array_of(ctx, node);
    plan_expr *array = sql_expr(ctx, PLAN_EXPR_COALESCE, sub->node->columns[0].type, 2, position);
    array->args[0] = make_marker(binder, sub, body, array->type, 0);
    SQL_TRY(empty_array(binder, element, position, &array->args[1]));
    *out = array;
    return BASE_OK;
}

// The sides of x op ANY (SELECT ...): x as parameters of the sub-query, and its columns.
static base_rc compare_sides(sql_ctx *ctx, const sql_subquery *sub, const sql_exprs *tests,
                             plan_expr *marker, const plan_expr **left, const plan_expr **right) {
    for (uint32_t i = 0; i < tests->n; i++) {
        const plan_expr *test = tests->items[i], *equal;
        right[i] = sql_column_of(ctx, sub->node, i);
        if (sql_is_unknown(test)) { // takes the type of what it is compared with
            SQL_TRY(sql_operator(ctx, "=", test, right[i], test->position, &equal));
            if (equal->kind == PLAN_EXPR_CALL && equal->nargs == 2) test = equal->args[0];
            SQL_TRY(sql_settle(ctx, &test));
        }
        marker->args[i] = test;
        left[i] = sql_outer_param(ctx, sub->number, true, i, test->type, test->position);
    }
    return BASE_OK;
}

static bool is_order(const char *op) {
    return strcmp(op, "=") == 0 || strcmp(op, "<>") == 0 || strcmp(op, "<") == 0 ||
           strcmp(op, "<=") == 0 || strcmp(op, ">") == 0 || strcmp(op, ">=") == 0;
}

static base_rc bind_compare(sql_binder *binder, const sql_tree *body, const sql_tree *select,
                            bool all, int32_t position, const plan_expr **out) {
    sql_ctx *ctx = binder->ctx;
    plan_node *node;
    sql_exprs tests = {0};
    const sql_tree *names = sql_get(body, "operName"), *name = names == NULL ? NULL : names->child;
    while (name != NULL && name->next != NULL) name = name->next;
    const char *op = name == NULL ? "=" : sql_string(name);
    static const char *const truths[] = {"WHERE", "HAVING", "JOIN/ON"};
    sql_subquery *sub = sql_subquery_add(ctx, all ? SQL_SUBQUERY_ALL : SQL_SUBQUERY_ANY, position);
    for (size_t i = 0; i < sizeof truths / sizeof *truths; i++)
        sub->filtering |= !binder->negated && !all && binder->place != NULL &&
                          strcmp(binder->place, truths[i]) == 0;
    SQL_TRY(sql_bind_row_items(binder, sql_get(body, "testexpr"), &tests));
    SQL_TRY(bind_inner(binder, sub, select, &node));
    if (node->ncolumns != tests.n)
        return SQL_SYNTAX(ctx, position, "subquery has too %s columns",
                          node->ncolumns > tests.n ? "many" : "few");
    sub->node = node;
    plan_expr *marker = make_marker(binder, sub, body, col_type_of(COL_BOOL), tests.n);
    const plan_expr **left = base_arena_array(ctx->arena, const plan_expr *, tests.n);
    const plan_expr **right = base_arena_array(ctx->arena, const plan_expr *, tests.n);
    SQL_TRY(compare_sides(ctx, sub, &tests, marker, left, right));
    SQL_TRY(sql_compare_rows(ctx, op, tests.n, left, right, position, &sub->compare));
    if (tests.n == 1 && is_order(op)) sub->op = op;
    sub->value = right[0];
    *out = marker;
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
    if (scalar && reads_nothing(binder, select) && !computes_aggregate(select)) {
        base_error *err = ctx->err, ignored;
        uint32_t depth = ctx->depth;
        ctx->err = &ignored;
        base_rc rc =
            binder->id == 0 ? BASE_E_UNSUPPORTED : bind_scalar(binder, body, select, position, out);
        ctx->err = err;
        ctx->depth = depth;
        if (rc != BASE_OK) *out = plan_expr_null(ctx->arena, col_type_of(COL_TEXT));
        return BASE_OK;
    }
    if (binder->id == 0)
        return sql_unsupported(ctx, position, "a sub-query is not supported in %s",
                               binder->place == NULL ? "this place" : binder->place);
    if (array) return bind_array(binder, body, select, position, out);
    bool exists = strcmp(kind, "EXISTS_SUBLINK") == 0;
    if ((scalar || exists) &&
        find_same(binder, body, scalar ? SQL_SUBQUERY_VALUE : SQL_SUBQUERY_EXISTS, out))
        return BASE_OK;
    if (scalar) return bind_scalar(binder, body, select, position, out);
    if (exists) return bind_exists(binder, body, select, position, out);
    return bind_compare(binder, body, select, strcmp(kind, "ALL_SUBLINK") == 0, position, out);
}
