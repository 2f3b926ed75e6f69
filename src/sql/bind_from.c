// bind_from.c - FROM: tables, sub-selects, joins and window functions over a table, by a table of
// handlers. Each gives a piece: a plan node and the names over its columns. Conditions of joins
// stay on the join (LEFT) or become a filter over it (INNER); the optimiser finds the equal keys.
// Entry point: sql_bind_from.
#include "sql/subquery.h"

#include "base/must.h"

typedef struct piece {
    plan_node *node;
    sql_scope scope;
} piece;

static base_rc bind_item(sql_binder *binder, const sql_tree *wrapper, piece *out);

base_rc sql_bind_relation(sql_ctx *ctx, const char *schema, const char *name, int32_t position,
                          const plan_object **out) {
    const plan_catalog *catalog = ctx->session->catalog;
    *out = catalog->find(catalog->self, schema, name);
    if (*out == NULL) {
        return sql_fail(ctx, position, BASE_E_NOT_FOUND, BASE_SQLSTATE_UNDEFINED_TABLE,
                        "relation \"%s%s%s\" does not exist", schema == NULL ? "" : schema,
                        schema == NULL ? "" : ".", name);
    }
    return BASE_OK;
}

static base_rc readable(sql_ctx *ctx, const plan_object *object, int32_t position) {
    if (object->kind == PLAN_OBJECT_SINK || object->kind == PLAN_OBJECT_RECONCILIATION)
        return sql_fail(ctx, position, BASE_E_INVALID, "42809", "\"%s\" is a %s, not a table",
                        object->name, plan_object_kind_name(object->kind));
    if (ctx->in_view && object->kind == PLAN_OBJECT_SYSTEM)
        return sql_unsupported(ctx, position, "a %s cannot read the system view \"%s.%s\"",
                               ctx->view_word, object->schema, object->name);
    return BASE_OK;
}

// Adds the columns of piece->node as those of one range-table entry; alias columns rename.
static base_rc add_columns(sql_ctx *ctx, piece *p, sql_rel rel, const sql_tree *alias) {
    const char *alias_name = sql_get_text(alias, "aliasname");
    const sql_tree *renames = sql_get(alias, "colnames");
    const sql_tree *rename = renames == NULL ? NULL : renames->child;
    if (alias_name != NULL) {
        rel.table = rel.name;
        rel.name = alias_name;
        rel.schema = NULL;
    }
    uint32_t id = sql_scope_add_rel(ctx, &p->scope, rel);
    uint32_t shown = 0;
    for (uint32_t i = 0; i < p->node->ncolumns; i++) {
        const plan_column *column = &p->node->columns[i];
        const char *name = column->name;
        if (rename != NULL && !column->hidden) {
            name = sql_string(rename);
            rename = rename->next;
        }
        shown += !column->hidden;
        sql_scope_add(
            ctx, &p->scope,
            (sql_scope_column){
                .rel = id, .index = i, .column = column, .name = name, .hidden = column->hidden});
    }
    if (rename != NULL)
        return sql_fail(ctx, rel.position, BASE_E_INVALID, "42P10",
                        "table \"%s\" has %u columns available but %u columns specified", rel.name,
                        shown, sql_tree_count(renames));
    return BASE_OK;
}

// ---- tables ----------------------------------------------------------------------------------

static base_rc bind_cte(sql_binder *binder, const sql_cte *cte, const sql_tree *alias,
                        int32_t position, piece *out) {
    sql_ctx *ctx = binder->ctx;
    if (++ctx->cte_uses > SQL_CTE_USES_MAX)
        return sql_fail(ctx, position, BASE_E_LIMIT, "54001",
                        "statement is too complex: WITH queries are used more than %u times",
                        SQL_CTE_USES_MAX);
    SQL_TRY(sql_bind_query(ctx, cte->query, cte->around, cte->outer, &out->node));
    const sql_tree *name = cte->aliases == NULL ? NULL : cte->aliases->child;
    for (uint32_t i = 0; name != NULL; name = name->next, i++) {
        if (i == out->node->ncolumns)
            return sql_fail(ctx, position, BASE_E_INVALID, "42P10",
                            "WITH query \"%s\" has %u columns available but %u columns specified",
                            cte->name, out->node->ncolumns, sql_tree_count(cte->aliases));
        sql_columns(out->node)[i].name = sql_string(name);
    }
    return add_columns(ctx, out, (sql_rel){.name = cte->name, .position = position}, alias);
}

static base_rc bind_range_var(sql_binder *binder, const sql_tree *body, piece *out) {
    sql_ctx *ctx = binder->ctx;
    int32_t position = sql_tree_position(ctx, body);
    const char *schema = sql_get_text(body, "schemaname");
    const char *name = sql_get_text(body, "relname");
    const sql_tree *alias = sql_get(body, "alias");
    for (const sql_cte *cte = binder->ctes; schema == NULL && cte != NULL; cte = cte->outer)
        if (strcmp(cte->name, name) == 0) return bind_cte(binder, cte, alias, position, out);
    const plan_object *object;
    SQL_TRY(sql_bind_relation(ctx, schema, name, position, &object));
    SQL_TRY(readable(ctx, object, position));
    if (object->kind == PLAN_OBJECT_PLAIN_VIEW) {
        SQL_TRY(sql_bind_plain_view(ctx, object, position, &out->node));
    } else {
        out->node = sql_node_scan(ctx, object);
    }
    sql_rel rel = {.schema = object->schema, .name = object->name, .position = position};
    if (object->kind == PLAN_OBJECT_STREAM || object->kind == PLAN_OBJECT_TABLE)
        rel.object = object;
    return add_columns(ctx, out, rel, alias);
}

static base_rc bind_sub_select(sql_binder *binder, const sql_tree *body, piece *out) {
    sql_ctx *ctx = binder->ctx;
    const sql_tree *alias = sql_get(body, "alias");
    bool lateral = sql_get_bool(body, "lateral") && binder->siblings != NULL;
    if (alias == NULL) {
        // PostgreSQL 15 demands one; the position is that of the sub-select's text, which the
        // parse tree does not have.
        SQL_SYNTAX(ctx, 0, "subquery in FROM must have an alias");
        base_error_hint(ctx->err, "For example, FROM (SELECT ...) [AS] foo.");
        return ctx->err->code;
    }
    SQL_TRY(sql_bind_query(ctx, sql_body(sql_get(body, "subquery")),
                           lateral ? binder->siblings : binder->outer, binder->ctes, &out->node));
    return add_columns(ctx, out, (sql_rel){.name = sql_get_text(alias, "aliasname")}, alias);
}

// ---- functions in FROM -----------------------------------------------------------------------

base_rc sql_bind_named_table(sql_binder *binder, const sql_tree *range_var, plan_node **node,
                             sql_rel *rel) {
    piece table = {0};
    SQL_TRY(bind_range_var(binder, range_var, &table));
    *node = table.node;
    *rel = table.scope.rels[0];
    return BASE_OK;
}

static base_rc bind_range_function(sql_binder *binder, const sql_tree *body, piece *out) {
    sql_ctx *ctx = binder->ctx;
    const sql_tree *functions = sql_get(body, "functions");
    const sql_tree *call = functions == NULL || functions->child == NULL
                               ? NULL
                               : sql_get(sql_body(functions->child), "items")->child;
    if (!sql_is(call, "FuncCall") || functions->child->next != NULL)
        return sql_unsupported(ctx, 0, "this function in FROM is not supported");
    const sql_tree *call_body = sql_body(call), *name_part = sql_get(call_body, "funcname")->child;
    while (name_part->next != NULL) name_part = name_part->next;
    const char *name = sql_string(name_part);
    if (sql_is_window_function(base_str_of(name))) {
        sql_rel rel;
        SQL_TRY(sql_bind_window(binder, name, call_body, &out->node, &rel));
        return add_columns(ctx, out, rel, sql_get(body, "alias"));
    }
    return sql_unsupported(ctx, sql_tree_position(ctx, call_body),
                           "function %s() in FROM is not supported", name);
}

// ---- joins -----------------------------------------------------------------------------------

// left's names, then right's, over a join of both nodes; swapped: the node has right's columns
// first.
static base_rc join_scopes(sql_ctx *ctx, const piece *left, const piece *right, bool swapped,
                           sql_scope *out) {
    uint32_t left_shift = swapped ? right->node->ncolumns : 0;
    uint32_t right_shift = swapped ? 0 : left->node->ncolumns;
    *out = (sql_scope){0};
    for (uint32_t i = 0; i < left->scope.nrels; i++)
        sql_scope_add_rel(ctx, out, left->scope.rels[i]);
    for (uint32_t i = 0; i < right->scope.nrels; i++) {
        const sql_rel *rel = &right->scope.rels[i];
        for (uint32_t k = 0; k < left->scope.nrels; k++) {
            const sql_rel *other = &left->scope.rels[k];
            bool schemas_differ = rel->schema != NULL && other->schema != NULL &&
                                  strcmp(rel->schema, other->schema) != 0;
            if (strcmp(other->name, rel->name) == 0 && !schemas_differ)
                return sql_fail(ctx, rel->position, BASE_E_INVALID, "42712",
                                "table name \"%s\" specified more than once", rel->name);
        }
        sql_scope_add_rel(ctx, out, *rel);
    }
    for (uint32_t i = 0; i < left->scope.ncolumns; i++) {
        sql_scope_column column = left->scope.columns[i];
        column.index += left_shift;
        sql_scope_add(ctx, out, column);
    }
    for (uint32_t i = 0; i < right->scope.ncolumns; i++) {
        sql_scope_column column = right->scope.columns[i];
        column.index += right_shift;
        column.rel += left->scope.nrels;
        sql_scope_add(ctx, out, column);
    }
    if (out->ncolumns > SQL_COLUMNS_MAX)
        return sql_fail(ctx, 0, BASE_E_LIMIT, "54011", "a join can have at most %u columns",
                        SQL_COLUMNS_MAX);
    return BASE_OK;
}

static sql_scope_column *unique_column(sql_scope *scope, uint32_t first, uint32_t end,
                                       const char *name, bool *several) {
    sql_scope_column *found = NULL;
    *several = false;
    for (uint32_t i = first; i < end; i++) {
        sql_scope_column *column = &scope->columns[i];
        if (column->merged_away || strcmp(column->name, name) != 0) continue;
        *several |= found != NULL;
        found = column;
    }
    return found;
}

// USING (names): conditions, the right columns hidden, the merged ones moved to the front.
static base_rc bind_using(sql_binder *inner, const sql_tree *names, uint32_t nleft, bool right_kept,
                          const plan_expr **condition) {
    sql_ctx *ctx = inner->ctx;
    sql_scope *scope = &inner->scope;
    uint32_t front = 0;
    *condition = NULL;
    for (const sql_tree *item = names->child; item != NULL; item = item->next) {
        const char *name = sql_string(item);
        bool several_left, several_right;
        sql_scope_column *left = unique_column(scope, 0, nleft, name, &several_left);
        sql_scope_column *right =
            unique_column(scope, nleft, scope->ncolumns, name, &several_right);
        if (left == NULL || right == NULL)
            return sql_fail(ctx, 0, BASE_E_NOT_FOUND, BASE_SQLSTATE_UNDEFINED_COLUMN,
                            "column \"%s\" specified in USING clause does not exist in %s table",
                            name, left == NULL ? "left" : "right");
        if (several_left || several_right)
            return sql_fail(ctx, 0, BASE_E_INVALID, BASE_SQLSTATE_AMBIGUOUS_COLUMN,
                            "common column name \"%s\" appears more than once in %s table", name,
                            several_left ? "left" : "right");
        const plan_expr *equal,
            *a = plan_expr_column(ctx->arena, left->index, left->column->type),
            *b = plan_expr_column(ctx->arena, right->index, right->column->type);
        SQL_TRY(sql_operator(ctx, "=", a, b, 0, &equal));
        *condition = sql_and(ctx, *condition, equal);
        sql_scope_column merged = right_kept ? *right : *left;
        (right_kept ? left : right)->merged_away = true;
        uint32_t at = (uint32_t)((right_kept ? right : left) - scope->columns);
        memmove(&scope->columns[front + 1], &scope->columns[front],
                (at - front) * sizeof *scope->columns);
        scope->columns[front++] = merged;
        if (right_kept) nleft++; // one moved from the right part to the front
    }
    return BASE_OK;
}

// Binds what stands right of `left`, which a LATERAL in it sees. *used: it uses it, as sub-query
// *number's parameters.
static base_rc bind_right(sql_binder *binder, const piece *left, const sql_tree *wrapper,
                          piece *right, uint32_t *number, bool *used) {
    sql_ctx *ctx = binder->ctx;
    sql_binder siblings = {.ctx = ctx,
                           .outer = binder->siblings != NULL ? binder->siblings : binder->outer,
                           .scope = left->scope,
                           .ctes = binder->ctes};
    struct sql_binder *before = binder->siblings;
    *number = siblings.inner = sql_subquery_add(ctx, SQL_SUBQUERY_LATERAL, 0)->number;
    binder->siblings = &siblings;
    SQL_TRY(bind_item(binder, wrapper, right));
    binder->siblings = before;
    *used = sql_has_params(ctx, *number);
    return BASE_OK;
}

static base_rc bind_natural(sql_ctx *ctx, const sql_tree *body) {
    (void)body;
    return sql_unsupported(ctx, 0, "NATURAL JOIN is not supported; name the columns with USING");
}

static base_rc bind_join(sql_binder *binder, const sql_tree *body, piece *out) {
    sql_ctx *ctx = binder->ctx;
    const char *type = sql_get_text(body, "jointype");
    bool inner = type == NULL || strcmp(type, "JOIN_INNER") == 0;
    bool right_outer = type != NULL && strcmp(type, "JOIN_RIGHT") == 0;
    if (!inner && !right_outer && strcmp(type, "JOIN_LEFT") != 0)
        return sql_unsupported(ctx, 0, "FULL JOIN is not supported");
    if (sql_get_bool(body, "isNatural")) return bind_natural(ctx, body);
    if (sql_get(body, "alias") != NULL)
        return sql_unsupported(ctx, 0, "an alias of a join is not supported");
    piece left = {0}, right = {0};
    SQL_TRY(bind_item(binder, sql_get(body, "larg"), &left));
    uint32_t number;
    bool lateral;
    SQL_TRY(bind_right(binder, &left, sql_get(body, "rarg"), &right, &number, &lateral));
    if (lateral && right_outer)
        return sql_fail(ctx, 0, BASE_E_INVALID, "42P10",
                        "the combining JOIN type must be INNER or LEFT for a LATERAL reference");
    sql_binder names = {
        .ctx = ctx, .outer = binder->outer, .ctes = binder->ctes, .id = ++ctx->nqueries};
    SQL_TRY(join_scopes(ctx, &left, &right, right_outer, &names.scope));
    const plan_expr *condition = NULL;
    if (sql_get(body, "usingClause") != NULL) {
        SQL_TRY(bind_using(&names, sql_get(body, "usingClause"), left.scope.ncolumns, right_outer,
                           &condition));
    } else if (sql_get(body, "quals") != NULL) {
        SQL_TRY(sql_bind_condition(&names, sql_get(body, "quals"), "JOIN/ON", &condition));
    }
    out->scope = names.scope;
    if (lateral)
        return sql_lateral_join(ctx, inner ? PLAN_JOIN_INNER : PLAN_JOIN_LEFT, left.node,
                                right.node, number, condition, &out->node);
    const plan_node *a = right_outer ? right.node : left.node;
    const plan_node *b = right_outer ? left.node : right.node;
    if (inner) {
        out->node = sql_node_join(ctx, PLAN_JOIN_INNER, a, b, NULL);
        if (condition != NULL) SQL_TRY(sql_place_filter(ctx, &out->node, condition));
    } else if (condition != NULL && sql_has_subquery(condition)) {
        SQL_TRY(sql_join_on_subqueries(&names, a, b, condition, &out->node));
    } else {
        out->node = sql_node_join(ctx, PLAN_JOIN_LEFT, a, b, condition);
    }
    return BASE_OK;
}

// ---- dispatch --------------------------------------------------------------------------------

static const struct {
    const char *type;
    base_rc (*bind)(sql_binder *binder, const sql_tree *body, piece *out);
} from_types[] = {
    {"RangeVar", bind_range_var},
    {"JoinExpr", bind_join},
    {"RangeSubselect", bind_sub_select},
    {"RangeFunction", bind_range_function},
};

static base_rc bind_item(sql_binder *binder, const sql_tree *wrapper, piece *out) {
    const char *type = sql_type_of(wrapper);
    for (size_t i = 0; i < sizeof from_types / sizeof from_types[0]; i++) {
        if (strcmp(type, from_types[i].type) != 0) continue;
        SQL_TRY(sql_enter(binder->ctx, 0));
        SQL_TRY(from_types[i].bind(binder, sql_body(wrapper), out));
        sql_leave(binder->ctx);
        return BASE_OK;
    }
    return sql_unsupported(binder->ctx, sql_tree_position(binder->ctx, sql_body(wrapper)),
                           "%s is not supported in FROM",
                           strcmp(type, "RangeTableSample") == 0 ? "TABLESAMPLE" : type);
}

base_rc sql_bind_from(sql_binder *binder, const sql_tree *from_clause) {
    sql_ctx *ctx = binder->ctx;
    if (from_clause == NULL || from_clause->child == NULL) {
        binder->from = sql_node_one_row(ctx);
        return BASE_OK;
    }
    piece all = {0};
    for (const sql_tree *item = from_clause->child; item != NULL; item = item->next) {
        piece next = {0};
        uint32_t number;
        bool lateral;
        if (all.node == NULL) {
            SQL_TRY(bind_item(binder, item, &all));
            continue;
        }
        SQL_TRY(bind_right(binder, &all, item, &next, &number, &lateral));
        sql_scope scope;
        SQL_TRY(join_scopes(ctx, &all, &next, false, &scope));
        if (lateral) {
            SQL_TRY(sql_lateral_join(ctx, PLAN_JOIN_INNER, all.node, next.node, number, NULL,
                                     &all.node));
        } else {
            all.node = sql_node_join(ctx, PLAN_JOIN_INNER, all.node, next.node, NULL);
        }
        all.scope = scope;
    }
    binder->from = all.node;
    binder->scope = all.scope;
    return BASE_OK;
}
