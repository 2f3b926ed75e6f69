// push_join.c - conditions on and above a join: what is about one side goes to it as far as the
// kind of join lets it, equalities across become keys, an outer join of which a condition drops the
// rows without a match becomes a stricter one, and a mark join whose mark is all that is asked for
// a semi or anti join. Entry point: sql_push_join.
#include "sql/join_int.h"

#include "base/must.h"

// ---- keys ------------------------------------------------------------------------------------

typedef struct join_parts {
    sql_exprs left, right; // conditions of one side
    sql_exprs left_keys, right_keys;
    bool *null_safe; // by key; room for all conditions
    sql_exprs rest;
    sql_exprs above; // cannot be part of the join
} join_parts;

// x = y, or with *null_safe x IS NOT DISTINCT FROM y.
static bool is_equality(const plan_expr *expr, bool *null_safe, const plan_expr *const **args) {
    *null_safe = expr->kind == PLAN_EXPR_NOT && expr->args[0]->kind == PLAN_EXPR_IS_DISTINCT;
    *args = *null_safe ? expr->args[0]->args : expr->args;
    return *null_safe ||
           (expr->kind == PLAN_EXPR_CALL && expr->nargs == 2 && strcmp(expr->func->name, "=") == 0);
}

// `left = right` over pairs of which the first nleft columns are the left input's. Gives both
// sides, right's over the right input alone.
bool sql_equi_sides(sql_ctx *ctx, const plan_expr *expr, uint32_t nleft, uint32_t ncolumns,
                    const plan_expr **left, const plan_expr **right, bool *null_safe) {
    const plan_expr *const *args;
    if (!is_equality(expr, null_safe, &args)) return false;
    for (int side = 0; side < 2; side++) {
        const plan_expr *a = args[side], *b = args[1 - side];
        if (!sql_within(a, 0, nleft) || !sql_within(b, nleft, ncolumns)) continue;
        if (!sql_uses_columns(a) || !sql_uses_columns(b)) continue;
        // Keys are compared by their encoding, so both sides must be of one kind.
        const plan_expr *pair[2] = {a, b};
        if (!sql_of_one_kind(ctx, pair)) return false;
        *left = pair[0];
        *right = plan_expr_shift(ctx->arena, pair[1], -(int32_t)nleft);
        return true;
    }
    return false;
}

static void add_key(sql_ctx *ctx, join_parts *parts, const plan_expr *left, const plan_expr *right,
                    bool null_safe) {
    parts->null_safe[parts->left_keys.n] = null_safe;
    sql_exprs_add(ctx, &parts->left_keys, left);
    sql_exprs_add(ctx, &parts->right_keys, right);
}

// ---- which condition goes where --------------------------------------------------------------

// A left row that fails the condition of the join can be left out before it.
static bool on_left_goes(plan_join_kind kind) {
    return kind == PLAN_JOIN_INNER || kind == PLAN_JOIN_RIGHT || kind == PLAN_JOIN_SEMI;
}
static bool on_right_goes(plan_join_kind kind) {
    return kind != PLAN_JOIN_RIGHT && kind != PLAN_JOIN_FULL;
}
// A row that fails a condition above the join is in the output only by itself.
static bool above_left_goes(plan_join_kind kind) {
    return kind != PLAN_JOIN_RIGHT && kind != PLAN_JOIN_FULL;
}
static bool above_right_goes(plan_join_kind kind) {
    return kind == PLAN_JOIN_INNER || kind == PLAN_JOIN_RIGHT;
}

static void sort_own(sql_ctx *ctx, const plan_node *join, const sql_exprs *own, join_parts *parts) {
    uint32_t nleft = join->inputs[0]->ncolumns, n = nleft + join->inputs[1]->ncolumns;
    for (uint32_t i = 0; i < own->n; i++) {
        const plan_expr *expr = own->items[i], *a, *b;
        bool null_safe;
        if (sql_within(expr, 0, nleft) && on_left_goes(join->join)) { // constants, too
            sql_exprs_add(ctx, &parts->left, expr);
        } else if (sql_within(expr, nleft, n) && on_right_goes(join->join)) {
            sql_exprs_add(ctx, &parts->right, plan_expr_shift(ctx->arena, expr, -(int32_t)nleft));
        } else if (sql_equi_sides(ctx, expr, nleft, n, &a, &b, &null_safe)) {
            add_key(ctx, parts, a, b, null_safe);
        } else {
            sql_exprs_add(ctx, &parts->rest, expr);
        }
    }
}

static void sort_above(sql_ctx *ctx, const plan_node *join, const sql_exprs *above,
                       join_parts *parts) {
    uint32_t nleft = join->inputs[0]->ncolumns, n = join->ncolumns;
    bool inner = join->join == PLAN_JOIN_INNER;
    for (uint32_t i = 0; i < above->n; i++) {
        const plan_expr *expr = above->items[i], *a, *b;
        bool null_safe, constant = !sql_uses_columns(expr);
        if (constant && !inner) { // above, where it costs least
            sql_exprs_add(ctx, &parts->above, expr);
        } else if (sql_within(expr, 0, nleft) && above_left_goes(join->join)) {
            sql_exprs_add(ctx, &parts->left, expr);
        } else if (sql_within(expr, nleft, n) && above_right_goes(join->join)) {
            sql_exprs_add(ctx, &parts->right, plan_expr_shift(ctx->arena, expr, -(int32_t)nleft));
        } else if (inner && sql_equi_sides(ctx, expr, nleft, n, &a, &b, &null_safe)) {
            add_key(ctx, parts, a, b, null_safe);
        } else {
            sql_exprs_add(ctx, inner ? &parts->rest : &parts->above, expr);
        }
    }
}

// ---- stricter kinds --------------------------------------------------------------------------

// Whether expr is null whenever all columns from begin to end are null.
static bool null_if_alone(const plan_expr *expr, uint32_t begin, uint32_t end) {
    bool strict = expr->kind == PLAN_EXPR_NOT || expr->kind == PLAN_EXPR_FIELD ||
                  (expr->kind == PLAN_EXPR_CALL && (expr->func->flags & COL_FUNC_STRICT));
    if (expr->kind == PLAN_EXPR_COLUMN) return expr->index >= begin && expr->index < end;
    if (expr->kind == PLAN_EXPR_IN) return null_if_alone(expr->args[0], begin, end);
    for (uint32_t i = 0; strict && i < expr->nargs; i++)
        if (null_if_alone(expr->args[i], begin, end)) return true;
    return false;
}

// Whether a condition above a join drops every row in which those columns are all null.
static bool drops_alone(const plan_expr *expr, uint32_t begin, uint32_t end) {
    if (expr->kind == PLAN_EXPR_IS_NOT_NULL || expr->kind == PLAN_EXPR_IS_TRUE)
        return null_if_alone(expr->args[0], begin, end);
    if (expr->kind == PLAN_EXPR_AND || expr->kind == PLAN_EXPR_OR) {
        bool all = true, any = false;
        for (uint32_t i = 0; i < expr->nargs; i++) {
            bool drops = drops_alone(expr->args[i], begin, end);
            all &= drops;
            any |= drops;
        }
        return expr->kind == PLAN_EXPR_AND ? any : all;
    }
    return null_if_alone(expr, begin, end);
}

// Rows with nulls for one side that a condition above drops need not be made.
static const plan_node *stricter(sql_ctx *ctx, const plan_node *join, const sql_exprs *conditions) {
    uint32_t nleft = join->inputs[0]->ncolumns, n = join->ncolumns;
    if (join->join < PLAN_JOIN_LEFT || join->join > PLAN_JOIN_FULL) return join;
    bool left_alone = join->join != PLAN_JOIN_RIGHT, right_alone = join->join != PLAN_JOIN_LEFT;
    for (uint32_t i = 0; i < conditions->n; i++) {
        left_alone = left_alone && !drops_alone(conditions->items[i], nleft, n);
        right_alone = right_alone && !drops_alone(conditions->items[i], 0, nleft);
    }
    plan_node *copy = sql_node_copy(ctx, join);
    copy->join = left_alone    ? right_alone ? PLAN_JOIN_FULL : PLAN_JOIN_LEFT
                 : right_alone ? PLAN_JOIN_RIGHT
                               : PLAN_JOIN_INNER;
    return copy;
}

// What a condition asks of a mark: 1 that it is true, -1 that it is not true, -2 that it is false.
static int asks_mark(const plan_expr *expr, uint32_t mark) {
    if (expr->kind == PLAN_EXPR_NOT) {
        int asked = asks_mark(expr->args[0], mark);
        if (asked != 1) return 0;
        return expr->args[0]->kind == PLAN_EXPR_IS_TRUE ? -1 : -2;
    }
    if (expr->kind == PLAN_EXPR_IS_TRUE) expr = expr->args[0];
    return expr->kind == PLAN_EXPR_COLUMN && expr->index == mark;
}

// A condition that is the mark, or its contrary: a semi or anti join will do, over which the mark
// is a constant. NULL: none is.
static plan_node *unmark(sql_ctx *ctx, const plan_node *join, sql_exprs *conditions) {
    uint32_t nleft = join->inputs[0]->ncolumns, at = 0;
    int asked = 0;
    for (; at < conditions->n && asked == 0; at++) {
        asked = asks_mark(conditions->items[at], nleft);
        if (asked == -2 && join->mark != NULL) asked = 0; // null is not false
    }
    if (asked == 0) return NULL;
    conditions->items[at - 1] = conditions->items[--conditions->n];
    plan_node *made =
        sql_node_join(ctx, asked > 0 ? PLAN_JOIN_SEMI : PLAN_JOIN_ANTI, join->inputs[0],
                      join->inputs[1], sql_and(ctx, join->predicate, join->mark));
    made->nequi = join->nequi;
    made->left_keys = join->left_keys;
    made->right_keys = join->right_keys;
    made->null_safe = join->null_safe;
    sql_exprs columns = {0};
    const char **names = base_arena_array(ctx->arena, const char *, nleft + 1u);
    for (uint32_t i = 0; i < nleft; i++) sql_exprs_add(ctx, &columns, sql_column_of(ctx, made, i));
    for (uint32_t i = 0; i <= nleft; i++) names[i] = join->columns[i].name;
    sql_exprs_add(ctx, &columns, sql_bool_const(ctx, asked > 0));
    return sql_node_project(ctx, made, columns.n, columns.items, names);
}

// ---- the new join ----------------------------------------------------------------------------

// The column of *node that holds expr; a projection is put on *node for what is no plain column.
// `added` expressions wait for one projection.
uint32_t sql_key_column(sql_ctx *ctx, const plan_node *node, sql_exprs *added,
                        const plan_expr *expr) {
    if (expr->kind == PLAN_EXPR_COLUMN) return expr->index;
    for (uint32_t i = 0; i < added->n; i++)
        if (plan_expr_equal(added->items[i], expr)) return node->ncolumns + i;
    sql_exprs_add(ctx, added, expr);
    return node->ncolumns + added->n - 1;
}

plan_node *sql_project_more(sql_ctx *ctx, plan_node *node, const sql_exprs *added) {
    if (added->n == 0) return node;
    sql_exprs all = {0};
    for (uint32_t i = 0; i < node->ncolumns; i++)
        sql_exprs_add(ctx, &all, sql_column_of(ctx, node, i));
    for (uint32_t i = 0; i < added->n; i++) sql_exprs_add(ctx, &all, added->items[i]);
    const char **names = base_arena_array(ctx->arena, const char *, all.n);
    for (uint32_t i = 0; i < added->n; i++) names[node->ncolumns + i] = "key";
    return sql_node_project(ctx, node, all.n, all.items, names);
}

// An expression over pairs after key columns were added to the left side.
static const plan_expr *remap_pairs(sql_ctx *ctx, const plan_expr *expr, const plan_node *join,
                                    uint32_t added_left) {
    if (expr == NULL || added_left == 0) return expr;
    uint32_t nleft = join->inputs[0]->ncolumns, nright = join->inputs[1]->ncolumns;
    const plan_expr **map = base_arena_array(ctx->arena, const plan_expr *, nleft + nright);
    for (uint32_t i = 0; i < nleft; i++) map[i] = sql_column_of(ctx, join->inputs[0], i);
    for (uint32_t i = 0; i < nright; i++)
        map[nleft + i] =
            plan_expr_column(ctx->arena, nleft + added_left + i, join->inputs[1]->columns[i].type);
    return plan_expr_substitute(ctx->arena, expr, map);
}

static bool has_key(const plan_node *node, uint32_t left, uint32_t right, bool null_safe) {
    for (uint32_t i = 0; i < node->nequi; i++)
        if (node->left_keys[i] == left && node->right_keys[i] == right &&
            (null_safe || !node->null_safe[i]))
            return true;
    return false;
}

// Back to the columns as they were before key columns were added.
plan_node *sql_project_old(sql_ctx *ctx, plan_node *node, const plan_node *join,
                           uint32_t added_left) {
    const plan_expr **exprs = base_arena_array(ctx->arena, const plan_expr *, join->ncolumns);
    const char **names = base_arena_array(ctx->arena, const char *, join->ncolumns);
    for (uint32_t i = 0; i < join->ncolumns; i++) {
        exprs[i] = sql_column_of(ctx, node, i < join->inputs[0]->ncolumns ? i : i + added_left);
        names[i] = join->columns[i].name;
    }
    return sql_node_project(ctx, node, join->ncolumns, exprs, names);
}

static plan_node *rebuild(sql_ctx *ctx, const plan_node *join, join_parts *parts) {
    sql_exprs added[2] = {{0}, {0}};
    plan_node *left = sql_push_filters(ctx, join->inputs[0], &parts->left);
    plan_node *right = sql_push_filters(ctx, join->inputs[1], &parts->right);
    uint32_t n = parts->left_keys.n;
    uint32_t *left_keys = base_arena_array(ctx->arena, uint32_t, n);
    uint32_t *right_keys = base_arena_array(ctx->arena, uint32_t, n);
    bool *null_safe = base_arena_array(ctx->arena, bool, n);
    plan_node keys = {.left_keys = left_keys, .right_keys = right_keys, .null_safe = null_safe};
    bool any = false;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t a = sql_key_column(ctx, left, &added[0], parts->left_keys.items[i]);
        uint32_t b = sql_key_column(ctx, right, &added[1], parts->right_keys.items[i]);
        if (has_key(&keys, a, b, parts->null_safe[i])) continue;
        any |= null_safe[keys.nequi] = parts->null_safe[i];
        left_keys[keys.nequi] = a;
        right_keys[keys.nequi++] = b;
    }
    left = sql_project_more(ctx, left, &added[0]);
    right = sql_project_more(ctx, right, &added[1]);
    const plan_expr *rest = sql_conjunction(ctx, &parts->rest);
    plan_node *node =
        sql_node_join(ctx, join->join, left, right, remap_pairs(ctx, rest, join, added[0].n));
    node->mark = remap_pairs(ctx, join->mark, join, added[0].n);
    node->nequi = keys.nequi;
    node->left_keys = left_keys;
    node->right_keys = right_keys;
    node->null_safe = any ? null_safe : NULL;
    bool same = added[0].n + (join->join <= PLAN_JOIN_FULL ? added[1].n : 0) == 0;
    return same ? node : sql_project_old(ctx, node, join, added[0].n);
}

// The match of a left row does not depend on other left rows; that of a right row does.
plan_node *sql_push_asof(sql_ctx *ctx, const plan_node *join, sql_exprs *conditions) {
    sql_exprs left = {0}, above = {0}, none = {0};
    join = stricter(ctx, join, conditions);
    for (uint32_t i = 0; i < conditions->n; i++) {
        const plan_expr *expr = conditions->items[i];
        bool goes = sql_within(expr, 0, join->inputs[0]->ncolumns) && sql_uses_columns(expr);
        sql_exprs_add(ctx, goes ? &left : &above, expr);
    }
    plan_node *copy = sql_node_copy(ctx, join);
    copy->inputs[0] = sql_push_filters(ctx, join->inputs[0], &left);
    copy->inputs[1] = sql_push_filters(ctx, join->inputs[1], &none);
    return sql_with_filter(ctx, copy, &above);
}

plan_node *sql_push_join(sql_ctx *ctx, const plan_node *join, sql_exprs *conditions) {
    if (join->join == PLAN_JOIN_MARK) {
        const plan_node *without = unmark(ctx, join, conditions);
        if (without != NULL) return sql_push_filters(ctx, without, conditions);
    }
    join = stricter(ctx, join, conditions);
    sql_exprs own = {0};
    sql_conjuncts(ctx, join->predicate, &own);
    join_parts parts = {0};
    parts.null_safe = base_arena_array(ctx->arena, bool, join->nequi + own.n + conditions->n);
    for (uint32_t i = 0; i < join->nequi; i++)
        add_key(ctx, &parts, sql_column_of(ctx, join->inputs[0], join->left_keys[i]),
                sql_column_of(ctx, join->inputs[1], join->right_keys[i]),
                join->null_safe != NULL && join->null_safe[i]);
    sort_own(ctx, join, &own, &parts);
    sort_above(ctx, join, conditions, &parts);
    return sql_with_filter(ctx, rebuild(ctx, join, &parts), &parts.above);
}
