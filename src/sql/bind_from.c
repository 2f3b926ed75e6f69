// bind_from.c - FROM: tables, sub-selects, joins and window functions over a table, by a table of
// handlers. Each gives a piece: a plan node and the names over its columns. Conditions of joins
// stay on the join (LEFT) or become a filter over it (INNER); the optimiser finds the equal keys.
// Entry point: sql_bind_from.
#include "sql/join_int.h"
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
    if (sql_is_match_alias(alias_name)) alias_name = NULL;
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
    if (cte->working != NULL) {
        out->node = sql_node_scan(ctx, cte->working);
        return add_columns(ctx, out, (sql_rel){.name = cte->name, .position = position}, alias);
    }
    if (cte->recursive) {
        SQL_TRY(sql_bind_recursive(ctx, cte, cte->outer, position, &out->node));
    } else {
        SQL_TRY(sql_bind_query(ctx, cte->query, cte->around, cte->outer, &out->node));
    }
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
    if (object->kind == PLAN_OBJECT_SYSTEM && object->narguments > 0)
        return sql_fail(ctx, position, BASE_E_INVALID, "42809",
                        "%s.%s is called like a function, with %u argument%s: %s.%s('...')",
                        object->schema, name, object->narguments,
                        object->narguments == 1 ? "" : "s", object->schema, name);
    if (object->kind == PLAN_OBJECT_PLAIN_VIEW) {
        SQL_TRY(sql_bind_plain_view(ctx, object, position, &out->node));
    } else {
        sql_note_use(ctx, object->id);
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
    if (sql_is_row_call(call_body)) {
        SQL_TRY(sql_bind_row_call(binder, call_body, &out->node));
        return add_columns(ctx, out, (sql_rel){.name = name}, sql_get(body, "alias"));
    }
    if (sql_is_window_function(base_str_of(name))) {
        sql_rel rel;
        SQL_TRY(sql_bind_window(binder, name, call_body, &out->node, &rel));
        return add_columns(ctx, out, rel, sql_get(body, "alias"));
    }
    const plan_object *object;
    SQL_TRY(sql_bind_system_call(binder, call_body, name, &object));
    out->node = sql_node_scan(ctx, object);
    return add_columns(ctx, out, (sql_rel){.schema = object->schema, .name = object->name},
                       sql_get(body, "alias"));
}

// ---- functions whose rows are a table --------------------------------------------------------

static base_rc join_scopes(sql_ctx *ctx, const piece *left, const piece *right, sql_scope *out);

// Such functions run over each row of what stands to their left, whose columns they may use;
// without anything there (left NULL), over one row.
static base_rc bind_table_func(sql_binder *binder, const piece *left, const sql_tree *body,
                               plan_join_kind join, piece *out) {
    sql_ctx *ctx = binder->ctx;
    sql_binder names = {.ctx = ctx,
                        .outer = binder->siblings != NULL ? binder->siblings : binder->outer,
                        .ctes = binder->ctes,
                        .place = "functions in FROM",
                        .id = ++ctx->nqueries};
    if (left != NULL) names.scope = left->scope;
    piece own = {0}, input = {.node = left != NULL ? left->node : sql_node_one_row(ctx)};
    plan_node *node;
    sql_rel rel = {0};
    SQL_TRY(
        sql_bind_table_func(&names, body, &input.node, &node, &own.node, &rel.name, &rel.scalar));
    SQL_TRY(add_columns(ctx, &own, rel, sql_get(body, "alias")));
    node->join = join;
    if (left != NULL) {
        input.scope = left->scope;
        SQL_TRY(join_scopes(ctx, &input, &own, &out->scope));
        out->node = node;
        return BASE_OK;
    }
    const plan_expr **exprs = base_arena_array(ctx->arena, const plan_expr *, node->ncolumns);
    const char **column_names = base_arena_array(ctx->arena, const char *, node->ncolumns);
    for (uint32_t i = 0; i < own.node->ncolumns; i++) {
        exprs[i] = sql_column_of(ctx, node, input.node->ncolumns + i);
        column_names[i] = own.node->columns[i].name;
    }
    out->node = sql_node_project(ctx, node, own.node->ncolumns, exprs, column_names);
    out->scope = own.scope;
    return BASE_OK;
}

static bool is_table_func(const sql_tree *wrapper) {
    return sql_is(wrapper, "RangeFunction") && sql_is_table_func(sql_body(wrapper));
}

// Whether an item is such a function, or a join with one: then what stands to the left of the whole
// may be named in its arguments.
static bool has_table_func(const sql_tree *wrapper) {
    if (!sql_is(wrapper, "JoinExpr")) return is_table_func(wrapper);
    const sql_tree *body = sql_body(wrapper);
    return has_table_func(sql_get(body, "rarg")) || has_table_func(sql_get(body, "larg"));
}

// ---- joins -----------------------------------------------------------------------------------

// left's names, then right's, over a join of both nodes.
static base_rc join_scopes(sql_ctx *ctx, const piece *left, const piece *right, sql_scope *out) {
    *out = (sql_scope){0};
    for (uint32_t i = 0; i < left->scope.nrels; i++)
        sql_scope_add_rel(ctx, out, left->scope.rels[i]);
    for (uint32_t i = 0; i < right->scope.nrels; i++) {
        const sql_rel *rel = &right->scope.rels[i];
        for (uint32_t k = 0; k < left->scope.nrels; k++) {
            const sql_rel *other = &left->scope.rels[k];
            bool schemas_differ = rel->schema != NULL && other->schema != NULL &&
                                  strcmp(rel->schema, other->schema) != 0;
            bool named = rel->name[0] != 0; // not merged columns alone
            if (named && strcmp(other->name, rel->name) == 0 && !schemas_differ)
                return sql_fail(ctx, rel->position, BASE_E_INVALID, "42712",
                                "table name \"%s\" specified more than once", rel->name);
        }
        sql_scope_add_rel(ctx, out, *rel);
    }
    for (uint32_t i = 0; i < left->scope.ncolumns; i++) {
        sql_scope_add(ctx, out, left->scope.columns[i]);
    }
    for (uint32_t i = 0; i < right->scope.ncolumns; i++) {
        sql_scope_column column = right->scope.columns[i];
        column.index += left->node->ncolumns;
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
        if (column->merged_away || column->hidden || strcmp(column->name, name) != 0) continue;
        *several |= found != NULL;
        found = column;
    }
    return found;
}

// A column that USING or NATURAL makes of two.
typedef struct merged {
    const char *name;
    sql_scope_column *left, *right;
} merged;

static base_rc using_column(sql_ctx *ctx, sql_scope *scope, uint32_t nleft, const char *name,
                            merged *m) {
    bool several_left, several_right;
    *m = (merged){name, unique_column(scope, 0, nleft, name, &several_left),
                  unique_column(scope, nleft, scope->ncolumns, name, &several_right)};
    if (m->left == NULL || m->right == NULL)
        return sql_fail(ctx, 0, BASE_E_NOT_FOUND, BASE_SQLSTATE_UNDEFINED_COLUMN,
                        "column \"%s\" specified in USING clause does not exist in %s table", name,
                        m->left == NULL ? "left" : "right");
    if (several_left || several_right)
        return sql_fail(ctx, 0, BASE_E_INVALID, BASE_SQLSTATE_AMBIGUOUS_COLUMN,
                        "common column name \"%s\" appears more than once in %s table", name,
                        several_left ? "left" : "right");
    return BASE_OK;
}

static base_rc list_using(sql_ctx *ctx, const sql_tree *names, sql_scope *scope, uint32_t nleft,
                          merged *list, uint32_t *n) {
    for (const sql_tree *item = names->child; item != NULL; item = item->next) {
        const char *name = sql_string(item);
        for (uint32_t i = 0; i < *n; i++)
            if (strcmp(list[i].name, name) == 0)
                return sql_fail(ctx, 0, BASE_E_INVALID, BASE_SQLSTATE_AMBIGUOUS_COLUMN,
                                "column name \"%s\" appears more than once in USING clause", name);
        SQL_TRY(using_column(ctx, scope, nleft, name, &list[(*n)++]));
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

// NATURAL: the names that both sides show, in the left side's order.
static base_rc list_natural(sql_ctx *ctx, sql_scope *scope, uint32_t nleft, merged *list,
                            uint32_t *n) {
    for (uint32_t i = 0; i < nleft; i++) {
        sql_scope_column *left = &scope->columns[i];
        if (left->merged_away || left->hidden) continue;
        bool several, common = false;
        for (uint32_t k = nleft; k < scope->ncolumns && !common; k++) {
            const sql_scope_column *right = &scope->columns[k];
            common = !right->merged_away && !right->hidden && strcmp(left->name, right->name) == 0;
        }
        if (!common) continue;
        sql_scope_column *first = unique_column(scope, 0, nleft, left->name, &several);
        if (first != left) continue; // a name twice on the left: its first place says so
        SQL_TRY(using_column(ctx, scope, nleft, left->name, &list[(*n)++]));
    }
    return BASE_OK;
}

// last: the operator of the last pair, which is >= in an ASOF JOIN.
static base_rc equate(sql_ctx *ctx, const merged *list, uint32_t n, const char *last,
                      const plan_expr **condition) {
    for (uint32_t i = 0; i < n; i++) {
        const plan_expr *equal,
            *a = plan_expr_column(ctx->arena, list[i].left->index, list[i].left->column->type),
            *b = plan_expr_column(ctx->arena, list[i].right->index, list[i].right->column->type);
        SQL_TRY(sql_operator(ctx, i + 1 == n ? last : "=", a, b, 0, &equal));
        *condition = sql_and(ctx, *condition, equal);
    }
    return BASE_OK;
}

// The value of a merged column over the join: the side's that is there in every row, of FULL the
// first that is not null, in the type that both have in common. *plain: it is that column as it is.
static base_rc merged_value(sql_ctx *ctx, plan_join_kind kind, const merged *m,
                            const plan_expr **out, const sql_scope_column **plain) {
    const plan_expr *pair[2] = {
        plan_expr_column(ctx->arena, m->left->index, m->left->column->type),
        plan_expr_column(ctx->arena, m->right->index, m->right->column->type)};
    uint32_t side = kind == PLAN_JOIN_RIGHT ? 1 : 0;
    const plan_expr *column = pair[side];
    col_type type;
    SQL_TRY(sql_common_type(ctx, "JOIN/USING", 2, pair, &type));
    if (kind == PLAN_JOIN_FULL) {
        plan_expr *value = sql_expr(ctx, PLAN_EXPR_COALESCE, type, 2, 0);
        value->args[0] = pair[0];
        value->args[1] = pair[1];
        *out = value;
        return BASE_OK;
    }
    *out = pair[side];
    if (pair[side] == column) *plain = side == 1 ? m->right : m->left;
    return BASE_OK;
}

// Puts the merged columns in front of the names; those that have to be computed are added to the
// join's columns.
static base_rc merge_columns(sql_ctx *ctx, plan_join_kind kind, merged *list, uint32_t n,
                             const char *alias, piece *out) {
    if (n == 0 && alias == NULL) return BASE_OK;
    sql_exprs all = {0};
    const plan_node *join = out->node;
    const char **names = base_arena_array(ctx->arena, const char *, join->ncolumns + n);
    sql_scope_column *front = base_arena_array(ctx->arena, sql_scope_column, n);
    for (uint32_t i = 0; i < join->ncolumns; i++)
        sql_exprs_add(ctx, &all, sql_column_of(ctx, join, i));
    // What the alias names are the merged columns only; without one no table's name reaches them.
    uint32_t rel =
        sql_scope_add_rel(ctx, &out->scope, (sql_rel){.name = alias == NULL ? "" : alias});
    for (uint32_t i = 0; i < n; i++) {
        const plan_expr *value;
        const sql_scope_column *plain = NULL;
        SQL_TRY(merged_value(ctx, kind, &list[i], &value, &plain));
        front[i] = (sql_scope_column){.rel = rel, .name = list[i].name, .index = all.n};
        if (plain != NULL) {
            front[i].index = plain->index;
            front[i].column = plain->column;
        } else {
            names[all.n] = list[i].name;
            sql_exprs_add(ctx, &all, value);
        }
        list[i].left->merged_away = list[i].right->merged_away = true;
    }
    if (all.n > join->ncolumns) out->node = sql_node_project(ctx, join, all.n, all.items, names);
    for (uint32_t i = 0; i < n; i++) {
        if (front[i].column == NULL) front[i].column = &out->node->columns[front[i].index];
        sql_scope_add(ctx, &out->scope, front[i]); // room for one more
    }
    sql_scope *scope = &out->scope;
    memmove(scope->columns + n, scope->columns, (scope->ncolumns - n) * sizeof *scope->columns);
    if (n > 0) memcpy(scope->columns, front, n * sizeof *front);
    return BASE_OK;
}

// (a JOIN b ...) AS j: the tables' names are no more to be seen, the columns are j's.
static base_rc alias_join(sql_ctx *ctx, const sql_tree *alias, piece *out) {
    sql_scope inner = out->scope;
    const sql_tree *renames = sql_get(alias, "colnames");
    const sql_tree *rename = renames == NULL ? NULL : renames->child;
    out->scope = (sql_scope){0};
    uint32_t rel =
        sql_scope_add_rel(ctx, &out->scope, (sql_rel){.name = sql_get_text(alias, "aliasname")});
    for (uint32_t i = 0; i < inner.ncolumns; i++) {
        sql_scope_column column = inner.columns[i];
        if (column.merged_away || column.hidden) continue;
        column.rel = rel;
        if (rename != NULL) {
            column.name = sql_string(rename);
            rename = rename->next;
        }
        sql_scope_add(ctx, &out->scope, column);
    }
    if (rename != NULL)
        return sql_fail(ctx, 0, BASE_E_INVALID, "42P10",
                        "join \"%s\" has %u columns available but %u columns specified",
                        out->scope.rels[0].name, out->scope.ncolumns, sql_tree_count(renames));
    return BASE_OK;
}

static plan_join_kind join_kind(const sql_tree *body) {
    const char *type = sql_get_text(body, "jointype");
    if (type == NULL || strcmp(type, "JOIN_INNER") == 0) return PLAN_JOIN_INNER;
    return strcmp(type, "JOIN_LEFT") == 0    ? PLAN_JOIN_LEFT
           : strcmp(type, "JOIN_RIGHT") == 0 ? PLAN_JOIN_RIGHT
                                             : PLAN_JOIN_FULL;
}

// a RIGHT JOIN b ON a condition with sub-queries: b LEFT JOIN a, the columns put back in order.
static base_rc bind_right_on(sql_binder *binder, const sql_tree *body, const piece *left,
                             const piece *right, plan_node **out) {
    sql_ctx *ctx = binder->ctx;
    uint32_t nleft = left->node->ncolumns, nright = right->node->ncolumns;
    sql_binder names = {
        .ctx = ctx, .outer = binder->outer, .ctes = binder->ctes, .id = ++ctx->nqueries};
    const plan_expr *condition;
    SQL_TRY(join_scopes(ctx, right, left, &names.scope));
    SQL_TRY(sql_bind_condition(&names, sql_get(body, "quals"), "JOIN/ON", &condition));
    plan_node *join;
    SQL_TRY(sql_join_on_subqueries(&names, right->node, left->node, condition, &join));
    sql_exprs all = {0};
    for (uint32_t i = 0; i < nleft; i++)
        sql_exprs_add(ctx, &all, sql_column_of(ctx, join, nright + i));
    for (uint32_t i = 0; i < nright; i++) sql_exprs_add(ctx, &all, sql_column_of(ctx, join, i));
    *out = sql_node_project(ctx, join, all.n, all.items, NULL);
    return BASE_OK;
}

// left JOIN function(...) ON condition: the function's node is there already.
static base_rc table_func_on(sql_ctx *ctx, plan_join_kind kind, const plan_expr *condition,
                             plan_node **node) {
    bool always =
        condition == NULL || (condition->kind == PLAN_EXPR_CONST && !sql_const_is_null(condition) &&
                              col_u8(condition->constant)[0] != 0);
    if (always) return BASE_OK;
    if (kind == PLAN_JOIN_INNER) return sql_place_filter(ctx, node, condition);
    if (sql_has_subquery(condition))
        return sql_unsupported(ctx, 0,
                               "a sub-query in the condition of a LEFT JOIN with a function is not "
                               "supported");
    (*node)->predicate = condition;
    return BASE_OK;
}

// The columns that NATURAL or USING merges, and the whole condition, over the names of both sides.
static base_rc join_condition(sql_binder *names, const sql_tree *body, const sql_join_text *text,
                              uint32_t nleft, merged *list, uint32_t *nmerged,
                              const plan_expr **condition) {
    const sql_tree *using = sql_get(body, "usingClause");
    if (sql_get_bool(body, "isNatural")) {
        SQL_TRY(list_natural(names->ctx, &names->scope, nleft, list, nmerged));
    } else if (using != NULL) {
        SQL_TRY(list_using(names->ctx, using, &names->scope, nleft, list, nmerged));
    } else if (sql_get(body, "quals") != NULL) {
        SQL_TRY(sql_bind_condition(names, sql_get(body, "quals"), "JOIN/ON", condition));
    }
    bool asof = text != NULL && text->asof && text->match.end == 0;
    return equate(names->ctx, list, *nmerged, asof ? ">=" : "=", condition);
}

static base_rc bind_onto(sql_binder *binder, const piece *left, const sql_tree *wrapper,
                         piece *out);

// A join; with before != NULL, its left arm is joined to that first.
static base_rc join_onto(sql_binder *binder, const piece *before, const sql_tree *body,
                         piece *out) {
    sql_ctx *ctx = binder->ctx;
    plan_join_kind kind = join_kind(body);
    bool sees_left = kind == PLAN_JOIN_INNER || kind == PLAN_JOIN_LEFT;
    bool over = sees_left && is_table_func(sql_get(body, "rarg")), lateral = false;
    piece left = {0}, right = {0};
    uint32_t number = 0, nmerged = 0;
    sql_binder names = {
        .ctx = ctx, .outer = binder->outer, .ctes = binder->ctes, .id = ++ctx->nqueries};
    if (before != NULL)
        SQL_TRY(bind_onto(binder, before, sql_get(body, "larg"), &left));
    else
        SQL_TRY(bind_item(binder, sql_get(body, "larg"), &left));
    if (over) {
        SQL_TRY(bind_table_func(binder, &left, sql_body(sql_get(body, "rarg")), kind, out));
        names.scope = out->scope;
    } else {
        SQL_TRY(bind_right(binder, &left, sql_get(body, "rarg"), &right, &number, &lateral));
        SQL_TRY(join_scopes(ctx, &left, &right, &names.scope));
    }
    if (lateral && !sees_left)
        return sql_fail(ctx, 0, BASE_E_INVALID, "42P10",
                        "the combining JOIN type must be INNER or LEFT for a LATERAL reference");
    const plan_expr *condition = NULL;
    uint32_t nleft = left.scope.ncolumns;
    merged *list =
        base_arena_array(ctx->arena, merged, nleft + sql_tree_count(sql_get(body, "usingClause")));
    const sql_join_text *text = sql_join_text_of(ctx, sql_get(body, "rarg"));
    SQL_TRY(join_condition(&names, body, text, nleft, list, &nmerged, &condition));
    bool late = condition != NULL && sql_has_subquery(condition);
    if (text != NULL && (over || lateral)) {
        return sql_unsupported(ctx, sql_text_position(ctx, (size_t)(text->place - ctx->text.p)),
                               "%s with LATERAL is not supported",
                               text->asof ? "ASOF JOIN" : "FOR SYSTEM_TIME AS OF");
    } else if (text != NULL) {
        SQL_TRY(
            sql_bind_timed_join(&names, text, &kind, left.node, right.node, condition, &out->node));
    } else if (over) {
        SQL_TRY(table_func_on(ctx, kind, condition, &out->node));
    } else if (lateral) {
        SQL_TRY(sql_lateral_join(ctx, kind, left.node, right.node, number, condition, &out->node));
    } else if (kind == PLAN_JOIN_INNER) {
        out->node = sql_node_join(ctx, kind, left.node, right.node, NULL);
        if (condition != NULL) SQL_TRY(sql_place_filter(ctx, &out->node, condition));
    } else if (!late) {
        out->node = sql_node_join(ctx, kind, left.node, right.node, condition);
    } else if (kind == PLAN_JOIN_LEFT) {
        SQL_TRY(sql_join_on_subqueries(&names, left.node, right.node, condition, &out->node));
    } else if (kind == PLAN_JOIN_RIGHT) {
        SQL_TRY(bind_right_on(binder, body, &left, &right, &out->node));
    } else {
        return sql_unsupported(ctx, 0,
                               "a sub-query in the condition of a FULL JOIN is not supported");
    }
    out->scope = names.scope;
    const char *using_alias = sql_get_text(sql_get(body, "join_using_alias"), "aliasname");
    SQL_TRY(merge_columns(ctx, kind, list, nmerged, using_alias, out));
    if (sql_get(body, "alias") != NULL) return alias_join(ctx, sql_get(body, "alias"), out);
    return BASE_OK;
}

static base_rc bind_join(sql_binder *binder, const sql_tree *body, piece *out) {
    return join_onto(binder, NULL, body, out);
}

static base_rc bind_range_func(sql_binder *binder, const sql_tree *body, piece *out) {
    if (sql_is_table_func(body)) return bind_table_func(binder, NULL, body, PLAN_JOIN_INNER, out);
    return bind_range_function(binder, body, out);
}

// ---- dispatch --------------------------------------------------------------------------------

static const struct {
    const char *type;
    base_rc (*bind)(sql_binder *binder, const sql_tree *body, piece *out);
} from_types[] = {
    {"RangeVar", bind_range_var},
    {"JoinExpr", bind_join},
    {"RangeSubselect", bind_sub_select},
    {"RangeFunction", bind_range_func},
};

// MATCH_RECOGNIZE stands where the table's alias would.
static base_rc bind_match(sql_ctx *ctx, const sql_tree *body, piece *out) {
    struct sql_match_clause *clause =
        sql_match_of(ctx, sql_get_text(sql_get(body, "alias"), "aliasname"));
    if (clause == NULL) return BASE_OK;
    plan_node *node;
    SQL_TRY(sql_bind_match(ctx, clause, out->node, &node));
    *out = (piece){.node = node};
    return add_columns(ctx, out, (sql_rel){.name = sql_match_name(clause)}, NULL);
}

static base_rc bind_item(sql_binder *binder, const sql_tree *wrapper, piece *out) {
    const char *type = sql_type_of(wrapper);
    for (size_t i = 0; i < sizeof from_types / sizeof from_types[0]; i++) {
        if (strcmp(type, from_types[i].type) != 0) continue;
        SQL_TRY(sql_enter(binder->ctx, 0));
        SQL_TRY(from_types[i].bind(binder, sql_body(wrapper), out));
        SQL_TRY(bind_match(binder->ctx, sql_body(wrapper), out));
        sql_leave(binder->ctx);
        return BASE_OK;
    }
    return sql_unsupported(binder->ctx, sql_tree_position(binder->ctx, sql_body(wrapper)),
                           "%s is not supported in FROM",
                           strcmp(type, "RangeTableSample") == 0 ? "TABLESAMPLE" : type);
}

// An item that may name columns of what stands to its left. Of a join (a JOIN f) that is
// (left, a) JOIN f, which is the same for inner and left joins.
static base_rc bind_onto(sql_binder *binder, const piece *left, const sql_tree *wrapper,
                         piece *out) {
    sql_ctx *ctx = binder->ctx;
    const sql_tree *body = sql_body(wrapper);
    if (is_table_func(wrapper)) return bind_table_func(binder, left, body, PLAN_JOIN_INNER, out);
    bool splits = has_table_func(wrapper) && sql_get(body, "usingClause") == NULL &&
                  !sql_get_bool(body, "isNatural") && sql_get(body, "alias") == NULL &&
                  (join_kind(body) == PLAN_JOIN_INNER || join_kind(body) == PLAN_JOIN_LEFT);
    if (splits) {
        SQL_TRY(sql_enter(ctx, 0));
        SQL_TRY(join_onto(binder, left, body, out));
        sql_leave(ctx);
        return BASE_OK;
    }
    piece own = {0};
    uint32_t number;
    bool lateral;
    SQL_TRY(bind_right(binder, left, wrapper, &own, &number, &lateral));
    SQL_TRY(join_scopes(ctx, left, &own, &out->scope));
    if (lateral)
        return sql_lateral_join(ctx, PLAN_JOIN_INNER, left->node, own.node, number, NULL,
                                &out->node);
    out->node = sql_node_join(ctx, PLAN_JOIN_INNER, left->node, own.node, NULL);
    return BASE_OK;
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
        if (all.node != NULL && has_table_func(item)) {
            SQL_TRY(bind_onto(binder, &all, item, &next));
            all = next;
            continue;
        }
        uint32_t number;
        bool lateral;
        if (all.node == NULL) {
            SQL_TRY(bind_item(binder, item, &all));
            continue;
        }
        SQL_TRY(bind_right(binder, &all, item, &next, &number, &lateral));
        sql_scope scope;
        SQL_TRY(join_scopes(ctx, &all, &next, &scope));
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
