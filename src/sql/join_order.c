// join_order.c - the order of inner joins. A tree of inner joins and conditions is taken apart into
// its relations, which are joined anew two at a time (greedy operator ordering): of the pairs that
// an equality connects the one with the least rows, so that dimensions are joined to each other
// before the events come to them, and nothing is multiplied with what it has no key to. A join in a
// view keeps both of its sides, so a bushy plan keeps the large side once.
//
// The plan of a view names its state, so it must be the same whenever its text is read: sizes are
// guessed from what the objects are (a stream is larger than a table), keys and conditions, never
// from what they hold. Where guesses are equal the order is as written. Trees of two relations stay
// as they are. Entry point: sql_order_joins.
#include "sql/join_int.h"

#include <math.h>

#include "base/must.h"

#define RELATIONS_MAX 64u // in a set of bits
#define KEYS_MAX      4u  // of a part
#define VIEWS_MAX     2u  // views in views that are looked into

// ---- guesses ---------------------------------------------------------------------------------

static double rows_of(const plan_node *node, uint32_t views);

static double scan_rows(const plan_node *node, uint32_t views) {
    switch (node->object->kind) {
    case PLAN_OBJECT_STREAM:
        return 1e6;
    case PLAN_OBJECT_VIEW:
        return node->object->plan == NULL || views == VIEWS_MAX
                   ? 1e5
                   : rows_of(node->object->plan, views + 1);
    case PLAN_OBJECT_SYSTEM:
        return 1e2;
    default:
        return 1e4;
    }
}

// Of a condition's rows.
static double selectivity(const plan_expr *condition) {
    bool equal = condition->kind == PLAN_EXPR_CALL && condition->nargs == 2 &&
                 strcmp(condition->func->name, "=") == 0;
    return equal ? 0.05 : 0.3;
}

static double filter_rows(const plan_expr *predicate, double rows) {
    if (predicate == NULL) return rows;
    if (predicate->kind != PLAN_EXPR_AND) return rows * selectivity(predicate);
    for (uint32_t i = 0; i < predicate->nargs; i++) rows = filter_rows(predicate->args[i], rows);
    return rows;
}

static double join_rows(const plan_node *node, uint32_t views) {
    double left = rows_of(node->inputs[0], views), right = rows_of(node->inputs[1], views);
    if (node->kind != PLAN_NODE_JOIN) return left;
    switch (node->join) {
    case PLAN_JOIN_INNER:
    case PLAN_JOIN_FULL:
        return left > right ? left : right;
    case PLAN_JOIN_RIGHT:
        return right;
    case PLAN_JOIN_SEMI:
    case PLAN_JOIN_ANTI:
        return left * 0.5;
    default:
        return left;
    }
}

static double rows_of(const plan_node *node, uint32_t views) {
    double rows = 0;
    switch (node->kind) {
    case PLAN_NODE_SCAN:
        return scan_rows(node, views);
    case PLAN_NODE_VALUES:
        return node->ncolumns == 0 ? 1 : node->nexprs / node->ncolumns;
    case PLAN_NODE_FILTER:
        return filter_rows(node->predicate, rows_of(node->inputs[0], views));
    case PLAN_NODE_AGGREGATE:
        return node->nexprs == 0 ? 1 : rows_of(node->inputs[0], views) * 0.1;
    case PLAN_NODE_DISTINCT:
        return rows_of(node->inputs[0], views) * 0.5;
    case PLAN_NODE_UNION_ALL:
        for (uint32_t i = 0; i < node->ninputs; i++) rows += rows_of(node->inputs[i], views);
        return rows;
    case PLAN_NODE_TABLE_FUNC:
        return rows_of(node->inputs[0], views) * 10;
    case PLAN_NODE_JOIN:
    case PLAN_NODE_ASOF:
    case PLAN_NODE_LOOKUP:
        return join_rows(node, views);
    case PLAN_NODE_SORT:
        rows = rows_of(node->inputs[0], views);
        return node->limit >= 0 && (double)node->limit < rows ? (double)node->limit : rows;
    case PLAN_NODE_TOP:
        return rows_of(node->inputs[0], views) * 0.1;
    default:
        return rows_of(node->inputs[0], views);
    }
}

// ---- the tree taken apart --------------------------------------------------------------------

typedef struct relation {
    const plan_node *node;
    uint32_t first; // of its columns among all
} relation;

typedef struct condition {
    const plan_expr *expr; // over all columns
    uint64_t relations;
    bool equality;
    uint64_t sides[2];   // of an equality: the relations of each side
    uint32_t columns[2]; // and the column that it is, or UINT32_MAX
} condition;

typedef struct part_key {
    uint32_t n;
    const uint32_t *columns; // among all
} part_key;

// What has been joined so far.
typedef struct part {
    plan_node *node;
    uint64_t relations;
    uint32_t norder;
    uint8_t order[RELATIONS_MAX]; // relations in the order of the columns
    double rows, base;            // with and without its conditions
    uint32_t nkeys;
    part_key keys[KEYS_MAX];
} part;

typedef struct ordering {
    sql_ctx *ctx;
    uint32_t n, ncolumns;
    relation relations[RELATIONS_MAX];
    sql_exprs conditions;
    condition *known;
    bool *fixed; // by column: equal to a constant
    part parts[RELATIONS_MAX];
} ordering;

static bool is_region(const plan_node *node) {
    return node->kind == PLAN_NODE_JOIN && node->join == PLAN_JOIN_INNER && node->nequi == 0;
}

static bool has_region(const plan_node *node) {
    return is_region(node) || (node->kind == PLAN_NODE_FILTER && has_region(node->inputs[0]));
}

static uint32_t count_relations(const plan_node *node) {
    if (is_region(node)) return count_relations(node->inputs[0]) + count_relations(node->inputs[1]);
    return node->kind == PLAN_NODE_FILTER && has_region(node) ? count_relations(node->inputs[0])
                                                              : 1;
}

static void take_condition(ordering *o, const plan_expr *predicate, uint32_t first) {
    sql_exprs all = {0};
    sql_conjuncts(o->ctx, predicate, &all);
    for (uint32_t i = 0; i < all.n; i++)
        sql_exprs_add(o->ctx, &o->conditions,
                      plan_expr_shift(o->ctx->arena, all.items[i], (int32_t)first));
}

static void take_apart(ordering *o, const plan_node *node, uint32_t first) {
    if (is_region(node)) {
        take_apart(o, node->inputs[0], first);
        take_apart(o, node->inputs[1], first + node->inputs[0]->ncolumns);
        take_condition(o, node->predicate, first);
    } else if (node->kind == PLAN_NODE_FILTER && has_region(node)) {
        take_apart(o, node->inputs[0], first);
        take_condition(o, node->predicate, first);
    } else {
        o->relations[o->n++] = (relation){sql_order_joins(o->ctx, node), first};
    }
}

static uint64_t relations_of(const ordering *o, const plan_expr *expr, bool *scratch) {
    uint64_t set = 0;
    memset(scratch, 0, o->ncolumns * sizeof *scratch);
    plan_expr_columns(expr, scratch);
    for (uint32_t r = 0; r < o->n; r++) {
        uint32_t n = o->relations[r].node->ncolumns;
        if (n > 0 && memchr(scratch + o->relations[r].first, true, n) != NULL)
            set |= (uint64_t)1 << r;
    }
    return set;
}

static void know_conditions(ordering *o) {
    base_arena *arena = o->ctx->arena;
    bool *scratch = base_arena_array(arena, bool, o->ncolumns + 1u);
    o->known = base_arena_array(arena, condition, o->conditions.n + 1u);
    o->fixed = base_arena_array(arena, bool, o->ncolumns + 1u);
    for (uint32_t i = 0; i < o->conditions.n; i++) {
        const plan_expr *expr = o->conditions.items[i];
        condition *c = &o->known[i];
        *c = (condition){.expr = expr, .relations = relations_of(o, expr, scratch)};
        c->equality =
            expr->kind == PLAN_EXPR_CALL && expr->nargs == 2 && strcmp(expr->func->name, "=") == 0;
        for (int s = 0; s < 2 && c->equality; s++) {
            const plan_expr *side = expr->args[s];
            c->sides[s] = relations_of(o, side, scratch);
            c->columns[s] = side->kind == PLAN_EXPR_COLUMN ? side->index : UINT32_MAX;
        }
        for (int s = 0; s < 2 && c->equality; s++)
            if (c->columns[s] != UINT32_MAX && c->sides[1 - s] == 0) o->fixed[c->columns[s]] = true;
    }
}

// ---- parts -----------------------------------------------------------------------------------

static void add_key(part *p, part_key key) {
    if (p->nkeys < KEYS_MAX) p->keys[p->nkeys++] = key;
}

static bool is_unique(const part *p, const bool *fixed) {
    for (uint32_t k = 0; k < p->nkeys; k++) {
        bool all = true;
        for (uint32_t i = 0; i < p->keys[k].n; i++) all &= fixed[p->keys[k].columns[i]];
        if (all) return true;
    }
    return false;
}

static void begin_part(ordering *o, uint32_t r) {
    sql_ctx *ctx = o->ctx;
    const relation *rel = &o->relations[r];
    part *p = &o->parts[r];
    sql_exprs none = {0};
    *p = (part){.node = (plan_node *)(uintptr_t)rel->node,
                .relations = (uint64_t)1 << r,
                .norder = 1,
                .order = {(uint8_t)r}};
    p->base = p->rows = rows_of(rel->node, 0);
    const plan_node *known = sql_annotate(ctx, sql_push_filters(ctx, rel->node, &none));
    uint32_t *key = base_arena_array(ctx->arena, uint32_t, known->nkey);
    for (uint32_t i = 0; i < known->nkey; i++) key[i] = rel->first + known->key[i];
    if (known->nkey > 0) add_key(p, (part_key){known->nkey, key});
    if (is_unique(p, o->fixed)) p->rows = 1;
    for (uint32_t i = 0; i < o->conditions.n; i++)
        if (o->known[i].relations == p->relations) p->rows *= selectivity(o->known[i].expr);
}

typedef enum connection { CONNECT_KEY, CONNECT_CONDITION, CONNECT_NONE } connection;

typedef struct pairing {
    uint32_t a, b;
    connection by;
    double rows, base, inputs;
    bool a_unique, b_unique; // one row of it at most for each of the other
} pairing;

static pairing pair(ordering *o, uint32_t a, uint32_t b, bool *fixed) {
    const part *x = &o->parts[a], *y = &o->parts[b];
    pairing p = {.a = a, .b = b, .by = CONNECT_NONE, .inputs = x->rows + y->rows};
    memcpy(fixed, o->fixed, o->ncolumns * sizeof *fixed);
    double keep = 1;
    for (uint32_t i = 0; i < o->conditions.n; i++) {
        const condition *c = &o->known[i];
        bool both = (c->relations & x->relations) != 0 && (c->relations & y->relations) != 0;
        if (!both || (c->relations & ~(x->relations | y->relations)) != 0) continue;
        bool key = false;
        for (int s = 0; s < 2 && c->equality; s++)
            key |= c->sides[s] != 0 && (c->sides[s] & ~x->relations) == 0 && c->sides[1 - s] != 0 &&
                   (c->sides[1 - s] & ~y->relations) == 0;
        for (int s = 0; s < 2 && key; s++)
            if (c->columns[s] != UINT32_MAX) fixed[c->columns[s]] = true;
        if (key) p.by = CONNECT_KEY;
        if (!key) keep *= selectivity(c->expr);
        if (!key && p.by == CONNECT_NONE) p.by = CONNECT_CONDITION;
    }
    double least = x->base < y->base ? x->base : y->base;
    double with_x = x->rows * y->rows / x->base, with_y = x->rows * y->rows / y->base;
    bool by_key = p.by == CONNECT_KEY;
    p.a_unique = by_key && is_unique(x, fixed);
    p.b_unique = by_key && is_unique(y, fixed);
    p.rows = p.a_unique && p.b_unique ? (with_x < with_y ? with_x : with_y)
             : p.b_unique             ? with_y
             : p.a_unique             ? with_x
             : by_key                 ? x->rows * y->rows / sqrt(least)
                                      : x->rows * y->rows;
    p.base = p.b_unique ? x->base : p.a_unique ? y->base : p.rows;
    p.rows *= keep;
    if (p.base < p.rows) p.base = p.rows;
    return p;
}

static bool is_better(const pairing *x, const pairing *y) {
    if (x->by != y->by) return x->by < y->by;
    if (x->rows != y->rows) return x->rows < y->rows;
    return x->inputs < y->inputs;
}

// Part b is joined to part a, in whose place the result stands.
static void merge_parts(ordering *o, const pairing *p) {
    base_arena *arena = o->ctx->arena;
    part *x = &o->parts[p->a], *y = &o->parts[p->b], made = *x;
    made.node = sql_node_join(o->ctx, PLAN_JOIN_INNER, x->node, y->node, NULL);
    made.relations |= y->relations;
    for (uint32_t i = 0; i < y->norder; i++) made.order[made.norder++] = y->order[i];
    made.rows = p->rows;
    made.base = p->base;
    made.nkeys = 0;
    for (uint32_t k = 0; k < x->nkeys && p->b_unique; k++) add_key(&made, x->keys[k]);
    for (uint32_t k = 0; k < y->nkeys && p->a_unique; k++) add_key(&made, y->keys[k]);
    if (made.nkeys == 0 && x->nkeys > 0 && y->nkeys > 0) {
        uint32_t n = x->keys[0].n + y->keys[0].n, *columns = base_arena_array(arena, uint32_t, n);
        memcpy(columns, x->keys[0].columns, x->keys[0].n * sizeof *columns);
        memcpy(columns + x->keys[0].n, y->keys[0].columns, y->keys[0].n * sizeof *columns);
        add_key(&made, (part_key){n, columns});
    }
    *x = made;
    *y = (part){0};
}

static void join_parts(ordering *o) {
    bool *fixed = base_arena_array(o->ctx->arena, bool, o->ncolumns + 1u);
    for (uint32_t left = o->n; left > 1; left--) {
        pairing best = {.by = CONNECT_NONE};
        bool any = false;
        for (uint32_t a = 0; a < o->n; a++) {
            for (uint32_t b = a + 1; b < o->n && o->parts[a].node != NULL; b++) {
                if (o->parts[b].node == NULL) continue;
                pairing p = pair(o, a, b, fixed);
                if (!any || is_better(&p, &best)) best = p;
                any = true;
            }
        }
        merge_parts(o, &best);
    }
}

// ---- the tree made anew ----------------------------------------------------------------------

static plan_node *put_together(ordering *o, const plan_node *old) {
    sql_ctx *ctx = o->ctx;
    const part *whole = &o->parts[0];
    uint32_t at = 0;
    bool same = true;
    const plan_expr **map = base_arena_array(ctx->arena, const plan_expr *, o->ncolumns + 1u);
    const char **names = base_arena_array(ctx->arena, const char *, o->ncolumns + 1u);
    for (uint32_t i = 0; i < whole->norder; i++) {
        const relation *rel = &o->relations[whole->order[i]];
        same &= rel->first == at;
        for (uint32_t c = 0; c < rel->node->ncolumns; c++)
            map[rel->first + c] = sql_column_of(ctx, whole->node, at++);
    }
    must(at == o->ncolumns);
    sql_exprs conditions = {0};
    for (uint32_t i = 0; i < o->conditions.n; i++)
        sql_exprs_add(ctx, &conditions,
                      plan_expr_substitute(ctx->arena, o->conditions.items[i], map));
    plan_node *node = sql_with_filter(ctx, whole->node, &conditions);
    for (uint32_t i = 0; i < o->ncolumns; i++) names[i] = old->columns[i].name;
    if (!same) return sql_node_project(ctx, node, o->ncolumns, map, names);
    for (uint32_t i = 0; i < o->ncolumns; i++) sql_columns(node)[i].name = names[i];
    return node;
}

plan_node *sql_order_joins(sql_ctx *ctx, const plan_node *node) {
    uint32_t n = has_region(node) ? count_relations(node) : 1;
    if (n < 3 || n > RELATIONS_MAX) {
        plan_node *copy = sql_node_copy(ctx, node);
        for (uint32_t i = 0; i < node->ninputs; i++)
            copy->inputs[i] = sql_order_joins(ctx, node->inputs[i]);
        return copy;
    }
    ordering *o = base_arena_new(ctx->arena, ordering);
    o->ctx = ctx;
    o->ncolumns = node->ncolumns;
    take_apart(o, node, 0);
    know_conditions(o);
    for (uint32_t r = 0; r < o->n; r++) begin_part(o, r);
    join_parts(o);
    return put_together(o, node);
}
