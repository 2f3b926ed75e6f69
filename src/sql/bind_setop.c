// bind_setop.c - UNION, INTERSECT and EXCEPT of two queries, which may be such operations
// themselves. Each pair of columns gets one type, as PostgreSQL finds it: a literal without a type
// in the select list of one side takes the other's. Entry point: sql_bind_setop.
#include "sql/sql_int.h"

#include "base/must.h"

typedef struct setop_side {
    const sql_tree *tree;
    plan_node *node;
} setop_side;

// Projects *node to the types given, if it differs.
static base_rc cast_columns(sql_ctx *ctx, plan_node **node, const col_type *types,
                            const plan_column *names) {
    uint32_t n = (*node)->ncolumns;
    const plan_expr **exprs = base_arena_array(ctx->arena, const plan_expr *, n);
    const char **column_names = base_arena_array(ctx->arena, const char *, n);
    bool same = true;
    for (uint32_t i = 0; i < n; i++) {
        const plan_expr *column = sql_column_of(ctx, *node, i);
        column_names[i] = names[i].name;
        if (types[i].kind == column->type.kind) {
            exprs[i] = column;
            continue;
        }
        same = false;
        SQL_TRY(sql_coerce(ctx, column, types[i], COL_CAST_IMPLICIT, &exprs[i]));
    }
    if (!same) *node = sql_node_project(ctx, *node, n, exprs, column_names);
    return BASE_OK;
}

// Target i if it is a constant without a cast, in a list without *.
static const sql_tree *bare_const(const sql_tree *select, uint32_t i) {
    const sql_tree *list = sql_get(select, "targetList"), *at = NULL;
    const char *op = sql_get_text(select, "op");
    if (list == NULL || (op != NULL && strcmp(op, "SETOP_NONE") != 0)) return NULL;
    uint32_t n = 0;
    for (const sql_tree *item = list->child; item != NULL; item = item->next, n++) {
        const sql_tree *value = sql_get(sql_body(item), "val");
        if (sql_is(value, "ColumnRef") &&
            sql_is(sql_get(sql_body(value), "fields")->child, "A_Star"))
            return NULL;
        if (n == i) at = value;
    }
    return sql_is(at, "A_Const") ? sql_body(at) : NULL;
}

// Column i for finding its type: untyped if its values are one literal without a type.
static const plan_expr *side_expr(sql_ctx *ctx, const setop_side *side, uint32_t i) {
    const plan_node *node = side->node;
    plan_expr *column = base_arena_new(ctx->arena, plan_expr);
    *column = *sql_column_of(ctx, node, i);
    if (node->kind != PLAN_NODE_PROJECT) return column;
    const plan_expr *expr = node->exprs[i];
    column->position = expr->position;
    if (expr->kind != PLAN_EXPR_CONST || expr->type.kind != COL_TEXT) return column;
    const sql_tree *bare = bare_const(side->tree, i);
    if (bare == NULL) return column;
    if (sql_get_bool(bare, "isnull")) return sql_text_const(ctx, NULL, COL_UNKNOWN, expr->position);
    const char *literal = sql_get_text(sql_get(bare, "sval"), "sval");
    return literal == NULL ? column : sql_text_const(ctx, literal, COL_UNKNOWN, expr->position);
}

// Literals without a type become values of the common one.
static base_rc type_literals(sql_ctx *ctx, setop_side *side, const col_type *types) {
    plan_node *node = side->node;
    if (node->kind != PLAN_NODE_PROJECT) return BASE_OK;
    for (uint32_t i = 0; i < node->ncolumns; i++) {
        if (sql_const_is_null(node->exprs[i])) {
            node->exprs[i] = plan_expr_null(ctx->arena, types[i]);
        } else {
            const plan_expr *expr = side_expr(ctx, side, i);
            if (!sql_is_unknown(expr)) continue;
            SQL_TRY(sql_coerce(ctx, expr, types[i], COL_CAST_IMPLICIT, &node->exprs[i]));
        }
        sql_columns(node)[i].type = types[i];
    }
    return BASE_OK;
}

static void name_columns(plan_node *node, const plan_column *names, const col_type *types) {
    for (uint32_t i = 0; i < node->ncolumns; i++)
        sql_columns(node)[i] = (plan_column){.name = names[i].name, .type = types[i]};
}

static plan_node *make(sql_ctx *ctx, const char *op, bool all, const setop_side *sides,
                       const col_type *types) {
    uint32_t n = sides[0].node->ncolumns;
    const plan_node *left = sides[0].node, *right = sides[1].node;
    bool is_union = strcmp(op, "UNION") == 0;
    plan_node *node =
        sql_node(ctx, is_union ? PLAN_NODE_UNION_ALL : PLAN_NODE_SETOP, n, 2, left, right);
    name_columns(node, left->columns, types);
    node->set_op = strcmp(op, "EXCEPT") == 0 ? PLAN_SET_EXCEPT : PLAN_SET_INTERSECT;
    node->set_all = all;
    if (!is_union || all) return node;
    plan_node *distinct = sql_node(ctx, PLAN_NODE_DISTINCT, n, 1, node, NULL);
    name_columns(distinct, left->columns, types);
    return distinct;
}

base_rc sql_bind_setop(sql_ctx *ctx, const sql_tree *body, struct sql_binder *outer,
                       const sql_cte *ctes, plan_node **out) {
    const char *op = sql_get_text(body, "op") + sizeof "SETOP_" - 1;
    setop_side sides[2] = {{sql_get(body, "larg"), NULL}, {sql_get(body, "rarg"), NULL}};
    for (int side = 0; side < 2; side++)
        SQL_TRY(sql_bind_query(ctx, sides[side].tree, outer, ctes, &sides[side].node));
    uint32_t n = sides[0].node->ncolumns;
    if (sides[1].node->ncolumns != n)
        return SQL_SYNTAX(ctx, side_expr(ctx, &sides[1], 0)->position,
                          "each %s query must have the same number of columns", op);
    col_type *types = base_arena_array(ctx->arena, col_type, n);
    for (uint32_t i = 0; i < n; i++) {
        const plan_expr *pair[2] = {side_expr(ctx, &sides[0], i), side_expr(ctx, &sides[1], i)};
        SQL_TRY(sql_common_type_find(ctx, op, 2, pair, &types[i]));
    }
    for (int side = 0; side < 2; side++) {
        SQL_TRY(type_literals(ctx, &sides[side], types));
        SQL_TRY(cast_columns(ctx, &sides[side].node, types, sides[0].node->columns));
    }
    *out = make(ctx, op, sql_get_bool(body, "all"), sides, types);
    return BASE_OK;
}
