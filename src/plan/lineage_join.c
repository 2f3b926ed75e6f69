// lineage_join.c - rules of lineage for joins: both sides' rows, of the pairs that match.
//
// Following one side, the other is computed as it is. A row that is there without a match needs
// only its own side: so an outer join becomes the join that keeps the side that is followed. A
// condition that holds a key column of one side to a constant holds the other side's to it too,
// where rows that do not match do not count. Entry points: lineage_join, lineage_asof.

#include <string.h>

#include "plan/lineage_int.h"

// What becomes of the conditions on a join's output.
typedef struct sides {
    lineage_conds left, right, above;
} sides;

// Conditions on keys of one side, for those of the other.
static void hand_over(lineage *l, const plan_node *node, const lineage_conds *from,
                      const uint32_t *from_keys, const uint32_t *to_keys, const plan_node *to,
                      lineage_conds *out) {
    uint32_t n = from->n;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t column;
        if (!lineage_equals_constant(from->items[i], &column)) continue;
        for (uint32_t k = 0; k < node->nequi; k++) {
            col_type type = to->columns[to_keys[k]].type;
            const plan_expr *value = from->items[i]->args[0]->args[1];
            if (from_keys[k] != column || type.kind != value->type.kind) continue;
            const plan_expr **map = base_arena_array(l->arena, const plan_expr *, column + 1);
            for (uint32_t c = 0; c <= column; c++) map[c] = lineage_col(l, to, to_keys[k]);
            lineage_add(l, out, plan_expr_substitute(l->arena, from->items[i], map));
        }
    }
}

// left_counts, right_counts: a row of the join's output always has a row of that side.
static void divide(lineage *l, const plan_node *node, const lineage_conds *conds, bool pairs,
                   bool left_counts, bool right_counts, sides *s) {
    const plan_node *left = node->inputs[0], *right = node->inputs[1];
    uint32_t nl = left->ncolumns, nr = pairs ? right->ncolumns : 0;
    lineage_conds rest = {0}, all_left = {0}, all_right = {0};
    lineage_split(l, conds, 0, nl, &all_left, &rest);
    lineage_split(l, &rest, nl, nl + nr, &all_right, &s->above);
    for (uint32_t i = 0; i < all_left.n; i++)
        lineage_add(l, left_counts ? &s->left : &s->above, all_left.items[i]);
    for (uint32_t i = 0; i < all_right.n; i++)
        if (right_counts)
            lineage_add(l, &s->right, all_right.items[i]);
        else
            lineage_add(l, &s->above, plan_expr_shift(l->arena, all_right.items[i], (int32_t)nl));
    // Of the side that is not kept for itself, only what can match.
    lineage_conds own_right = s->right;
    if (left_counts)
        hand_over(l, node, &s->left, node->left_keys, node->right_keys, right, &s->right);
    if (right_counts)
        hand_over(l, node, &own_right, node->right_keys, node->left_keys, left, &s->left);
}

static bool is_pairs(const plan_node *node) {
    return node->kind != PLAN_NODE_JOIN || node->join <= PLAN_JOIN_FULL;
}

// Columns of the right side in an expression over both begin at `nl`; they move by `by`.
static const plan_expr *move_right(lineage *l, const plan_node *node, const plan_expr *expr,
                                   uint32_t by) {
    if (expr == NULL || by == 0) return expr;
    uint32_t nl = node->inputs[0]->ncolumns, n = nl + node->inputs[1]->ncolumns;
    const plan_expr **map = base_arena_array(l->arena, const plan_expr *, n + 1);
    for (uint32_t i = 0; i < n; i++) {
        const plan_column *column =
            i < nl ? &node->inputs[0]->columns[i] : &node->inputs[1]->columns[i - nl];
        map[i] = plan_expr_column(l->arena, i < nl ? i : i + by, column->type);
    }
    return plan_expr_substitute(l->arena, expr, map);
}

// The join of two rewritten sides, the right one's columns moved by `by` in its expressions.
static plan_node *join_of(lineage *l, const plan_node *node, plan_join_kind kind, plan_node *left,
                          plan_node *right, uint32_t by) {
    bool pairs = kind <= PLAN_JOIN_FULL, mark = kind == PLAN_JOIN_MARK;
    uint32_t nl = left->ncolumns, nr = pairs ? right->ncolumns : 0;
    plan_node *join = lineage_copy(l, node);
    if (join->kind == PLAN_NODE_LOOKUP) join->kind = PLAN_NODE_JOIN;
    plan_column *columns = base_arena_array(l->arena, plan_column, nl + nr + 1);
    memcpy(columns, left->columns, nl * sizeof *columns);
    if (nr > 0) memcpy(columns + nl, right->columns, nr * sizeof *columns);
    if (mark) columns[nl] = node->columns[node->ncolumns - 1];
    for (uint32_t i = 0; i < nl + nr; i++)
        if (kind == PLAN_JOIN_FULL || (kind == PLAN_JOIN_LEFT && i >= nl) ||
            (kind == PLAN_JOIN_RIGHT && i < nl))
            columns[i].not_null = false;
    join->columns = columns;
    join->ncolumns = nl + nr + mark;
    join->inputs[0] = left;
    join->inputs[1] = right;
    join->join = kind;
    join->predicate = move_right(l, node, node->predicate, by);
    join->mark = mark ? move_right(l, node, node->mark, by) : NULL;
    return join;
}

static plan_node *plain_join(lineage *l, const plan_node *node, const lineage_conds *conds) {
    plan_join_kind k = node->join;
    sides s = {0};
    divide(l, node, conds, is_pairs(node), k != PLAN_JOIN_RIGHT && k != PLAN_JOIN_FULL,
           k == PLAN_JOIN_INNER || k == PLAN_JOIN_RIGHT, &s);
    plan_node *left = lineage_rewrite(l, node->inputs[0], false, &s.left, NULL);
    plan_node *right = lineage_rewrite(l, node->inputs[1], false, &s.right, NULL);
    return lineage_filter(l, join_of(l, node, k, left, right, 0), &s.above);
}

// What of a side's columns counts: what is asked for, keys, and what conditions on pairs use.
static bool *side_needs(lineage *l, const plan_node *node, uint32_t side, const bool *needed,
                        const lineage_conds *above) {
    uint32_t nl = node->inputs[0]->ncolumns, nr = node->inputs[1]->ncolumns;
    bool *both = base_arena_array(l->arena, bool, nl + nr + 2);
    for (uint32_t i = 0; i < node->ncolumns && i < nl + nr; i++)
        both[i] = is_pairs(node) || i < nl ? needed == NULL || needed[i] : false;
    for (uint32_t i = 0; i < above->n; i++) {
        bool *used = base_arena_array(l->arena, bool, nl + nr + 2);
        plan_expr_columns(above->items[i], used);
        for (uint32_t c = 0; c < nl + nr; c++) both[c] |= used[c] && (is_pairs(node) || c < nl);
    }
    lineage_need(both, node->predicate);
    lineage_need(both, node->mark);
    bool *needs = base_arena_array(l->arena, bool, (side == 0 ? nl : nr) + 1);
    memcpy(needs, both + (side == 0 ? 0 : nl), side == 0 ? nl : nr);
    for (uint32_t k = 0; k < node->nequi; k++)
        needs[side == 0 ? node->left_keys[k] : node->right_keys[k]] = true;
    return needs;
}

// own columns of a followed left side and its place -> the join's columns, what is not there null.
static plan_node *with_nulls(lineage *l, const plan_node *node, const plan_node *rows) {
    uint32_t nl = node->inputs[0]->ncolumns, n = node->ncolumns;
    uint32_t *map = base_arena_array(l->arena, uint32_t, n + LINEAGE_PLACE);
    for (uint32_t i = 0; i < n; i++) map[i] = i < nl ? i : UINT32_MAX;
    for (uint32_t i = 0; i < LINEAGE_PLACE; i++) map[n + i] = nl + i;
    return lineage_pick(l, rows, n + LINEAGE_PLACE, map, node->columns);
}

static plan_node *follow_left(lineage *l, const plan_node *node, const lineage_conds *conds,
                              const bool *needed) {
    plan_join_kind k = node->join;
    if (k == PLAN_JOIN_FULL) k = PLAN_JOIN_LEFT;
    if (k == PLAN_JOIN_RIGHT) k = PLAN_JOIN_INNER;
    uint32_t nl = node->inputs[0]->ncolumns, n = node->ncolumns;
    sides s = {0};
    bool looked_up = node->kind == PLAN_NODE_LOOKUP;
    divide(l, node, conds, is_pairs(node), true, k == PLAN_JOIN_INNER && !looked_up, &s);
    if (looked_up) { // what it was joined to when it came is not known: its own side decides
        l->whole |= s.above.n > 0;
        s.above.n = 0;
        k = PLAN_JOIN_LEFT;
    }
    bool *used = lineage_needs(l, n, looked_up ? base_arena_array(l->arena, bool, n + 1) : needed);
    lineage_need_all(used, &s.above);
    bool right_needed = lineage_any(used, nl, n);
    bool free_of_right = !right_needed && (k == PLAN_JOIN_LEFT || k == PLAN_JOIN_MARK);
    bool *needs = side_needs(l, node, 0, needed, &s.above);
    plan_node *left = lineage_rewrite(l, node->inputs[0], true, &s.left, needs);
    if (free_of_right) return lineage_filter(l, with_nulls(l, node, left), &s.above);
    plan_node *right = lineage_rewrite(l, node->inputs[1], false, &s.right, NULL);
    if (k == PLAN_JOIN_INNER && !right_needed) k = PLAN_JOIN_SEMI;
    plan_node *join = join_of(l, node, k, left, right, LINEAGE_PLACE);
    if (k == PLAN_JOIN_SEMI || k == PLAN_JOIN_ANTI)
        join = with_nulls(l, node, join);
    else
        join = lineage_place_last(l, join, nl, n - nl);
    return lineage_filter(l, join, &s.above);
}

static const plan_expr *is_not_false(lineage *l, const plan_expr *expr) {
    col_vec *constant = base_arena_new(l->arena, col_vec);
    col_vec_init(constant, l->arena, col_type_of(COL_BOOL), 1);
    col_u8(constant)[0] = 0;
    plan_expr *out = base_arena_new(l->arena, plan_expr);
    *out = (plan_expr){.kind = PLAN_EXPR_IS_DISTINCT,
                       .type = col_type_of(COL_BOOL),
                       .nargs = 2,
                       .args = base_arena_array(l->arena, const plan_expr *, 2)};
    out->args[0] = expr;
    out->args[1] = plan_expr_const(l->arena, constant);
    return out;
}

// x IN (...), EXISTS as a value: the rows that may be what made it true.
static plan_node *follow_mark_right(lineage *l, const plan_node *node, const lineage_conds *conds) {
    uint32_t nl = node->inputs[0]->ncolumns, nr = node->inputs[1]->ncolumns;
    lineage_conds none = {0}, pairs = {0};
    bool *needs = side_needs(l, node, 1, NULL, &none);
    plan_node *left = plain_join(l, node, conds);
    plan_node *right = lineage_rewrite(l, node->inputs[1], true, &none, needs);
    plan_node *join = join_of(l, node, PLAN_JOIN_INNER, left, right, 1);
    if (node->mark != NULL)
        lineage_add(l, &pairs, is_not_false(l, move_right(l, node, node->mark, 1)));
    plan_node *rows = lineage_filter(l, join, &pairs);
    uint32_t *map = base_arena_array(l->arena, uint32_t, nl + 1 + LINEAGE_PLACE);
    for (uint32_t i = 0; i <= nl; i++) map[i] = i;
    for (uint32_t i = 0; i < LINEAGE_PLACE; i++) map[nl + 1 + i] = nl + 1 + nr + i;
    return lineage_pick(l, rows, nl + 1 + LINEAGE_PLACE, map, NULL);
}

static plan_node *follow_right(lineage *l, const plan_node *node, const lineage_conds *conds,
                               const bool *needed) {
    if (node->join == PLAN_JOIN_MARK && node->kind == PLAN_NODE_JOIN)
        return follow_mark_right(l, node, conds);
    plan_join_kind k = node->join == PLAN_JOIN_RIGHT || node->join == PLAN_JOIN_FULL
                           ? PLAN_JOIN_RIGHT
                           : PLAN_JOIN_INNER;
    uint32_t nl = node->inputs[0]->ncolumns, nr = node->inputs[1]->ncolumns;
    bool pairs = is_pairs(node);
    sides s = {0};
    divide(l, node, conds, pairs, k == PLAN_JOIN_INNER, true, &s);
    bool *needs = side_needs(l, node, 1, needed, &s.above);
    plan_node *left = lineage_rewrite(l, node->inputs[0], false, &s.left, NULL);
    plan_node *right = lineage_rewrite(l, node->inputs[1], true, &s.right, needs);
    plan_node *join = join_of(l, node, k, left, right, 0);
    if (!pairs) { // SEMI: the left side's columns, and the place
        uint32_t *map = base_arena_array(l->arena, uint32_t, nl + LINEAGE_PLACE);
        for (uint32_t i = 0; i < nl + LINEAGE_PLACE; i++) map[i] = i < nl ? i : nr + i;
        join = lineage_pick(l, join, nl + LINEAGE_PLACE, map, NULL);
    }
    return lineage_filter(l, join, &s.above);
}

plan_node *lineage_join(lineage *l, const plan_node *node, bool followed,
                        const lineage_conds *conds, const bool *needed) {
    if (!followed) return plain_join(l, node, conds);
    return lineage_step(l) == 0 ? follow_left(l, node, conds, needed)
                                : follow_right(l, node, conds, needed);
}

// One right row at most, by the operator's own choice: its sides are followed through it.
plan_node *lineage_asof(lineage *l, const plan_node *node, bool followed,
                        const lineage_conds *conds, const bool *needed) {
    uint32_t side = followed ? lineage_step(l) : 2;
    uint32_t nl = node->inputs[0]->ncolumns, n = node->ncolumns;
    sides s = {0};
    divide(l, node, conds, true, true, false, &s);
    bool *used = lineage_needs(l, n, needed);
    lineage_need_all(used, &s.above);
    bool alone = side == 0 && node->join == PLAN_JOIN_LEFT && !lineage_any(used, nl, n);
    bool *needs = followed ? side_needs(l, node, side, NULL, &s.above) : NULL;
    plan_node *left = lineage_rewrite(l, node->inputs[0], side == 0, &s.left, needs);
    if (alone) return lineage_filter(l, with_nulls(l, node, left), &s.above);
    plan_node *right = lineage_rewrite(l, node->inputs[1], side == 1, &s.right, needs);
    plan_join_kind k = side == 1 ? PLAN_JOIN_INNER : node->join;
    plan_node *join = join_of(l, node, k, left, right, side == 0 ? LINEAGE_PLACE : 0);
    if (side == 0) join = lineage_place_last(l, join, nl, n - nl);
    return lineage_filter(l, join, &s.above);
}
