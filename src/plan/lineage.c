// lineage.c - see lineage.h: the scans of logs that a view's plan comes to, one plan for each, and
// all of them together. Rules by operator are in lineage_rules.c and lineage_join.c. Entry point:
// plan_lineage_of.

#include "plan/lineage_int.h"

#include <string.h>

#include "base/must.h"

// ---- small parts --------------------------------------------------------------------------------

plan_node *lineage_node(lineage *l, plan_node_kind kind, uint32_t ncolumns, uint32_t ninputs) {
    if (++l->nnodes > PLAN_LINEAGE_NODES_MAX) l->too_large = true;
    plan_node *node = base_arena_new(l->arena, plan_node);
    node->kind = kind;
    node->id = l->next_id++;
    node->ncolumns = ncolumns;
    node->columns = base_arena_array(l->arena, plan_column, ncolumns + 1);
    node->ninputs = ninputs;
    node->inputs = base_arena_array(l->arena, const plan_node *, ninputs + 1);
    node->limit = -1;
    return node;
}

plan_node *lineage_copy(lineage *l, const plan_node *node) {
    plan_node *copy = lineage_node(l, node->kind, node->ncolumns, node->ninputs);
    const plan_node **inputs = copy->inputs;
    const plan_column *columns = copy->columns;
    uint32_t id = copy->id;
    *copy = *node;
    copy->id = id;
    copy->inputs = inputs;
    copy->columns = columns;
    copy->shared = false;
    copy->nkey = 0; // what was known of the whole is not known of a part
    if (node->ncolumns > 0)
        memcpy((plan_column *)(uintptr_t)columns, node->columns, node->ncolumns * sizeof *columns);
    return copy;
}

static plan_column *columns_of(plan_node *node) {
    return (plan_column *)(uintptr_t)node->columns;
}

const plan_expr *lineage_col(lineage *l, const plan_node *node, uint32_t i) {
    must(i < node->ncolumns);
    return plan_expr_column(l->arena, i, node->columns[i].type);
}

plan_node *lineage_filter(lineage *l, plan_node *node, const lineage_conds *conds) {
    if (conds->n == 0) return node;
    plan_node *filter = lineage_node(l, PLAN_NODE_FILTER, node->ncolumns, 1);
    memcpy(columns_of(filter), node->columns, node->ncolumns * sizeof *node->columns);
    filter->inputs[0] = node;
    filter->predicate = conds->items[0];
    if (conds->n > 1) {
        plan_expr *all = base_arena_new(l->arena, plan_expr);
        *all = (plan_expr){.kind = PLAN_EXPR_AND,
                           .type = col_type_of(COL_BOOL),
                           .nargs = conds->n,
                           .args = base_arena_array(l->arena, const plan_expr *, conds->n)};
        memcpy(all->args, conds->items, conds->n * sizeof *all->args);
        filter->predicate = all;
    }
    return filter;
}

plan_node *lineage_pick(lineage *l, const plan_node *input, uint32_t n, const uint32_t *map,
                        const plan_column *like) {
    plan_node *node = lineage_node(l, PLAN_NODE_PROJECT, n, 1);
    node->inputs[0] = input;
    node->nexprs = n;
    node->exprs = base_arena_array(l->arena, const plan_expr *, n + 1);
    for (uint32_t i = 0; i < n; i++) {
        bool null = map[i] == UINT32_MAX;
        columns_of(node)[i] = null ? like[i] : input->columns[map[i]];
        if (null) columns_of(node)[i].not_null = false;
        node->exprs[i] =
            null ? plan_expr_null(l->arena, like[i].type) : lineage_col(l, input, map[i]);
    }
    return node;
}

plan_node *lineage_place_last(lineage *l, const plan_node *input, uint32_t n, uint32_t gap) {
    uint32_t *map = base_arena_array(l->arena, uint32_t, n + gap + LINEAGE_PLACE);
    for (uint32_t i = 0; i < n; i++) map[i] = i;
    for (uint32_t i = 0; i < gap; i++) map[n + i] = n + LINEAGE_PLACE + i;
    for (uint32_t i = 0; i < LINEAGE_PLACE; i++) map[n + gap + i] = n + i;
    return lineage_pick(l, input, n + gap + LINEAGE_PLACE, map, NULL);
}

void lineage_add(lineage *l, lineage_conds *conds, const plan_expr *expr) {
    if (conds->n == conds->cap) {
        uint32_t cap = conds->cap == 0 ? 8 : conds->cap * 2;
        const plan_expr **more = base_arena_array(l->arena, const plan_expr *, cap);
        if (conds->n > 0) memcpy(more, conds->items, conds->n * sizeof *more);
        conds->items = more, conds->cap = cap;
    }
    conds->items[conds->n++] = expr;
}

void lineage_conjuncts(lineage *l, lineage_conds *conds, const plan_expr *expr) {
    if (expr == NULL) return;
    if (expr->kind != PLAN_EXPR_AND) {
        lineage_add(l, conds, expr);
        return;
    }
    for (uint32_t i = 0; i < expr->nargs; i++) lineage_conjuncts(l, conds, expr->args[i]);
}

bool lineage_equals_constant(const plan_expr *expr, uint32_t *column) {
    if (expr->kind != PLAN_EXPR_NOT || expr->args[0]->kind != PLAN_EXPR_IS_DISTINCT) return false;
    const plan_expr *a = expr->args[0]->args[0], *b = expr->args[0]->args[1];
    if (a->kind != PLAN_EXPR_COLUMN || b->kind != PLAN_EXPR_CONST || col_is_null(b->constant, 0))
        return false;
    *column = a->index;
    return true;
}

typedef struct range {
    uint32_t begin, end;
} range;

static bool is_outside(const plan_expr *expr, void *arg) {
    const range *r = arg;
    return expr->kind == PLAN_EXPR_COLUMN && (expr->index < r->begin || expr->index >= r->end);
}

bool lineage_within(const plan_expr *expr, uint32_t begin, uint32_t end) {
    range r = {begin, end};
    return !plan_expr_any(expr, is_outside, &r);
}

void lineage_split(lineage *l, const lineage_conds *conds, uint32_t begin, uint32_t end,
                   lineage_conds *in, lineage_conds *out) {
    for (uint32_t i = 0; i < conds->n; i++) {
        const plan_expr *expr = conds->items[i];
        if (!lineage_within(expr, begin, end))
            lineage_add(l, out, expr);
        else
            lineage_add(l, in,
                        begin == 0 ? expr : plan_expr_shift(l->arena, expr, -(int32_t)begin));
    }
}

bool *lineage_needs(lineage *l, uint32_t n, const bool *needed) {
    bool *needs = base_arena_array(l->arena, bool, n + 1);
    for (uint32_t i = 0; i < n; i++) needs[i] = needed == NULL || needed[i];
    return needs;
}

void lineage_need(bool *needs, const plan_expr *expr) {
    if (expr != NULL) plan_expr_columns(expr, needs);
}

void lineage_need_all(bool *needs, const lineage_conds *conds) {
    for (uint32_t i = 0; i < conds->n; i++) plan_expr_columns(conds->items[i], needs);
}

bool lineage_any(const bool *needed, uint32_t begin, uint32_t end) {
    bool any = needed == NULL && end > begin;
    for (uint32_t i = begin; needed != NULL && i < end; i++) any |= needed[i];
    return any;
}

uint32_t lineage_step(lineage *l) {
    must(l->at < l->leaf->depth);
    return l->leaf->path[l->at++];
}

plan_node *lineage_match(lineage *l, const plan_node *left, const plan_node *right, uint32_t n,
                         const uint32_t *left_keys, const uint32_t *right_keys) {
    uint32_t nl = left->ncolumns, nr = right->ncolumns;
    plan_node *join = lineage_node(l, PLAN_NODE_JOIN, nl + nr, 2);
    memcpy(columns_of(join), left->columns, nl * sizeof *left->columns);
    memcpy(columns_of(join) + nl, right->columns, nr * sizeof *right->columns);
    join->inputs[0] = left;
    join->inputs[1] = right;
    join->join = PLAN_JOIN_INNER;
    join->nequi = n;
    join->left_keys = left_keys;
    join->right_keys = right_keys;
    bool *null_safe = base_arena_array(l->arena, bool, n + 1);
    memset(null_safe, true, n);
    join->null_safe = null_safe;
    return join;
}

// ---- the scans of a plan ------------------------------------------------------------------------

typedef struct leaf_search {
    lineage *l;
    uint32_t n, depth;
    uint16_t path[LINEAGE_DEPTH_MAX];
    lineage_leaf *leaves; // PLAN_LINEAGE_LEAVES_MAX
} leaf_search;

static bool is_log(const plan_object *object) {
    return object->kind == PLAN_OBJECT_STREAM || object->kind == PLAN_OBJECT_TABLE;
}

// Whether rows of input i make rows of the node, rather than keep them away.
static bool makes_rows(const plan_node *node, uint32_t i) {
    if (i == 0) return true;
    if (node->kind == PLAN_NODE_JOIN) return node->join != PLAN_JOIN_ANTI;
    return node->kind != PLAN_NODE_SETOP || node->set_op == PLAN_SET_INTERSECT;
}

static void find_leaves(leaf_search *s, const plan_node *node) {
    if (node->kind == PLAN_NODE_SCAN) {
        if (node->object->kind == PLAN_OBJECT_VIEW) find_leaves(s, node->object->plan);
        if (!is_log(node->object)) return;
        if (s->n == PLAN_LINEAGE_LEAVES_MAX) {
            s->l->too_large = true;
            return;
        }
        lineage_leaf *leaf = &s->leaves[s->n++];
        leaf->object = node->object;
        leaf->depth = s->depth;
        memcpy(leaf->path, s->path, s->depth * sizeof *s->path);
        return;
    }
    if (s->depth == LINEAGE_DEPTH_MAX) {
        s->l->too_large = true;
        return;
    }
    for (uint32_t i = 0; i < node->ninputs && !s->l->too_large; i++) {
        if (!makes_rows(node, i)) continue;
        s->path[s->depth++] = (uint16_t)i;
        find_leaves(s, node->inputs[i]);
        s->depth--;
    }
}

// Whether the record of an operator's input that makes up an output row always will.
static bool keeps_lineage(const plan_node *node) {
    switch (node->kind) {
    case PLAN_NODE_SCAN:
        if (node->object->kind == PLAN_OBJECT_VIEW) return keeps_lineage(node->object->plan);
        return node->object->kind == PLAN_OBJECT_STREAM && !node->object->retractable;
    case PLAN_NODE_FILTER:
    case PLAN_NODE_PROJECT:
    case PLAN_NODE_EMIT:
    case PLAN_NODE_WINDOW:
    case PLAN_NODE_AGGREGATE:
    case PLAN_NODE_DISTINCT:
    case PLAN_NODE_UNION_ALL:
    case PLAN_NODE_EXPAND:
        break;
    case PLAN_NODE_JOIN:
        if (node->join != PLAN_JOIN_INNER && node->join != PLAN_JOIN_SEMI) return false;
        break;
    default:
        return false;
    }
    for (uint32_t i = 0; i < node->ninputs; i++)
        if (!keeps_lineage(node->inputs[i])) return false;
    return true;
}

// An aggregate's value may go up and down: a condition on it lets rows go that it let through.
static bool is_filtered_by_value(const plan_node *node) {
    if (node->kind == PLAN_NODE_SCAN)
        return node->object->kind == PLAN_OBJECT_VIEW && is_filtered_by_value(node->object->plan);
    bool above = node->kind == PLAN_NODE_FILTER || node->kind == PLAN_NODE_JOIN ||
                 node->kind == PLAN_NODE_AGGREGATE;
    for (uint32_t i = 0; i < node->ninputs; i++) {
        const plan_node *in = node->inputs[i];
        while (in->kind == PLAN_NODE_PROJECT) in = in->inputs[0];
        if (above && in->kind == PLAN_NODE_SCAN && in->object->kind == PLAN_OBJECT_VIEW)
            in = in->object->plan;
        while (in->kind == PLAN_NODE_PROJECT) in = in->inputs[0];
        if (above && in->kind == PLAN_NODE_AGGREGATE && in->naggs > 0) return true;
        if (is_filtered_by_value(node->inputs[i])) return true;
    }
    return false;
}

// ---- the whole ----------------------------------------------------------------------------------

static const plan_expr *call_bool(lineage *l, plan_expr_kind kind, uint32_t nargs,
                                  const plan_expr *a, const plan_expr *b) {
    plan_expr *expr = base_arena_new(l->arena, plan_expr);
    *expr = (plan_expr){.kind = kind,
                        .type = col_type_of(COL_BOOL),
                        .nargs = nargs,
                        .args = base_arena_array(l->arena, const plan_expr *, 2)};
    expr->args[0] = a;
    expr->args[1] = b;
    return expr;
}

// The leaf's plan: its number and the places.
static plan_node *leaf_plan(lineage *l, const plan_object *view, const lineage_leaf *leaf,
                            uint32_t number, const lineage_conds *conds) {
    l->leaf = leaf;
    l->at = 0;
    uint32_t n = view->plan->ncolumns;
    bool *needed = base_arena_array(l->arena, bool, n + 1); // none: only the place counts
    plan_node *rows = lineage_rewrite(l, view->plan, true, conds, needed);
    plan_node *node = lineage_node(l, PLAN_NODE_PROJECT, PLAN_LINEAGE_COLUMNS, 1);
    node->inputs[0] = rows;
    node->nexprs = PLAN_LINEAGE_COLUMNS;
    node->exprs = base_arena_array(l->arena, const plan_expr *, PLAN_LINEAGE_COLUMNS);
    col_vec *constant = base_arena_new(l->arena, col_vec);
    col_vec_init(constant, l->arena, col_type_of(COL_INT4), 1);
    col_i32(constant)[0] = (int32_t)number;
    node->exprs[PLAN_LINEAGE_LEAF] = plan_expr_const(l->arena, constant);
    columns_of(node)[PLAN_LINEAGE_LEAF] =
        (plan_column){.name = "leaf", .type = col_type_of(COL_INT4)};
    for (uint32_t i = 0; i < LINEAGE_PLACE; i++) {
        node->exprs[1 + i] = lineage_col(l, rows, n + i);
        columns_of(node)[1 + i] = rows->columns[n + i];
    }
    return node;
}

static plan_node *add_plan(lineage *l, plan_node *all, plan_node *more) {
    if (all == NULL) return more;
    plan_node *both = lineage_node(l, PLAN_NODE_UNION_ALL, all->ncolumns, 2);
    memcpy(columns_of(both), all->columns, all->ncolumns * sizeof *all->columns);
    both->inputs[0] = all;
    both->inputs[1] = more;
    return both;
}

base_rc plan_lineage_of(base_arena *arena, const plan_object *view, uint32_t n,
                        const uint32_t *columns, const plan_expr *const *values, plan_lineage *out,
                        base_error *err) {
    lineage l = {.arena = arena, .next_id = 1};
    leaf_search s = {.l = &l};
    s.leaves = base_arena_array(arena, lineage_leaf, PLAN_LINEAGE_LEAVES_MAX);
    find_leaves(&s, view->plan);
    lineage_conds conds = {0};
    for (uint32_t i = 0; i < n; i++)
        lineage_add(&l, &conds,
                    call_bool(&l, PLAN_EXPR_NOT, 1,
                              call_bool(&l, PLAN_EXPR_IS_DISTINCT, 2,
                                        lineage_col(&l, view->plan, columns[i]), values[i]),
                              NULL));
    *out = (plan_lineage){.nleaves = s.n,
                          .leaves = base_arena_array(arena, const plan_object *, s.n + 1),
                          .only_grows =
                              keeps_lineage(view->plan) && !is_filtered_by_value(view->plan)};
    plan_node *plan = NULL;
    for (uint32_t i = 0; i < s.n && !l.too_large && l.system_columns_of == NULL; i++) {
        out->leaves[i] = s.leaves[i].object;
        out->reads_tables |= s.leaves[i].object->kind == PLAN_OBJECT_TABLE;
        plan = add_plan(&l, plan, leaf_plan(&l, view, &s.leaves[i], i, &conds));
    }
    if (l.too_large)
        return base_fail(err, BASE_E_LIMIT, "54001",
                         "view \"%s.%s\" reads too much to be traced: more than %u scans of logs, "
                         "or a plan of more than %u nodes",
                         view->schema, view->name, PLAN_LINEAGE_LEAVES_MAX, PLAN_LINEAGE_NODES_MAX);
    if (l.system_columns_of != NULL)
        return base_fail(err, BASE_E_UNSUPPORTED, BASE_SQLSTATE_UNSUPPORTED,
                         "a row of \"%s.%s\" cannot be traced: its query reads system columns of "
                         "view \"%s.%s\"",
                         view->schema, view->name, l.system_columns_of->schema,
                         l.system_columns_of->name);
    out->plan = plan;
    out->whole = l.whole;
    return BASE_OK;
}
