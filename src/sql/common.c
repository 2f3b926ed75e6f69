// common.c - an expression that stands more than once in a projection, in a condition, or in a
// projection and the condition under it, is computed once: a projection below gives it as a column.
// Only what costs more than a look at a column is moved, and only what one of its places computes
// for every row in any case: nothing is computed, and nothing fails, for a row that did not ask for
// it. Entry point: sql_common.
#include "sql/sql_int.h"

#include "base/hash.h"
#include "base/must.h"

typedef struct seen {
    const plan_expr *expr; // NULL: a free slot
    uint64_t hash;
    uint32_t count;
    bool always; // a place of it is computed for every row
    bool chosen;
    uint32_t column; // of the projection below; 0: none yet
} seen;

typedef struct common {
    sql_ctx *ctx;
    uint32_t n, nslots; // nslots: a power of two, at most half full
    seen *slots;
    uint32_t width; // columns of the input
    sql_exprs moved;
} common;

static void common_init(common *c, sql_ctx *ctx, uint32_t width) {
    *c = (common){.ctx = ctx, .nslots = 32, .width = width};
    c->slots = base_arena_array(ctx->arena, seen, c->nslots);
}

static uint64_t hash_expr(const plan_expr *expr) {
    uint64_t parts[4] = {expr->kind, expr->index, expr->nargs, (uint64_t)(uintptr_t)expr->func};
    uint64_t hash = base_hash64(parts, sizeof parts);
    for (uint32_t i = 0; i < expr->nargs; i++) {
        uint64_t pair[2] = {hash, hash_expr(expr->args[i])};
        hash = base_hash64(pair, sizeof pair);
    }
    return hash;
}

// Arithmetic and comparisons of numbers and times are about as cheap as a column. A call must also
// be of this row: constants were folded.
static bool is_worth(const plan_expr *expr) {
    if (expr->kind != PLAN_EXPR_CALL || !sql_uses_columns(expr) || plan_expr_is_volatile(expr))
        return false;
    char first = expr->func->name[0];
    if ((first >= 'a' && first <= 'z') || first == '_') return true;
    for (uint32_t i = 0; i < expr->nargs; i++) {
        col_kind kind = expr->args[i]->type.kind;
        if (col_kind_is_string(kind) || kind == COL_NUMERIC || kind == COL_ARRAY) return true;
    }
    return false;
}

static seen *slot_of(common *c, const plan_expr *expr) {
    uint64_t hash = hash_expr(expr);
    uint32_t at = (uint32_t)hash & (c->nslots - 1);
    for (; c->slots[at].expr != NULL; at = (at + 1) & (c->nslots - 1))
        if (c->slots[at].hash == hash && plan_expr_equal(c->slots[at].expr, expr)) break;
    c->slots[at].hash = hash;
    return &c->slots[at];
}

static void grow(common *c) {
    common more = *c;
    more.nslots *= 2;
    more.slots = base_arena_array(c->ctx->arena, seen, more.nslots);
    for (uint32_t i = 0; i < c->nslots; i++)
        if (c->slots[i].expr != NULL) *slot_of(&more, c->slots[i].expr) = c->slots[i];
    *c = more;
}

// Whether argument i is computed for every row for which the expression is.
static bool always_computes(const plan_expr *expr, uint32_t i) {
    switch (expr->kind) {
    case PLAN_EXPR_AND:
    case PLAN_EXPR_OR:
    case PLAN_EXPR_CASE:
    case PLAN_EXPR_COALESCE:
    case PLAN_EXPR_IN:
        return i == 0;
    default:
        return true;
    }
}

// The parts of what is there again were counted where it stood first.
static void count(common *c, const plan_expr *expr, bool always) {
    if (is_worth(expr)) {
        seen *s = slot_of(c, expr);
        bool known = s->expr != NULL;
        s->expr = expr;
        s->count++;
        s->always |= always;
        if (!known && ++c->n * 2 > c->nslots) grow(c);
        if (known) return;
    }
    for (uint32_t i = 0; i < expr->nargs; i++)
        count(c, expr->args[i], always && always_computes(expr, i));
}

static bool choose(common *c) {
    bool any = false;
    for (uint32_t i = 0; i < c->nslots; i++) {
        seen *s = &c->slots[i];
        s->chosen = s->expr != NULL && s->count > 1 && s->always;
        any |= s->chosen;
    }
    return any;
}

static const plan_expr *replace(common *c, const plan_expr *expr) {
    base_arena *arena = c->ctx->arena;
    if (is_worth(expr)) {
        seen *s = slot_of(c, expr);
        if (s->expr != NULL && s->chosen) {
            if (s->column == 0) {
                s->column = c->width + c->moved.n;
                sql_exprs_add(c->ctx, &c->moved, expr);
            }
            return plan_expr_column(arena, s->column, expr->type);
        }
    }
    const plan_expr **args = NULL;
    for (uint32_t i = 0; i < expr->nargs; i++) {
        const plan_expr *arg = replace(c, expr->args[i]);
        if (arg != expr->args[i] && args == NULL) {
            args = base_arena_array(arena, const plan_expr *, expr->nargs);
            memcpy(args, expr->args, expr->nargs * sizeof *args);
        }
        if (args != NULL) args[i] = arg;
    }
    if (args == NULL) return expr;
    plan_expr *copy = base_arena_new(arena, plan_expr);
    *copy = *expr;
    copy->args = args;
    return copy;
}

static const plan_node *projection(sql_ctx *ctx, const plan_node *node);

// The input's columns and what was moved.
static const plan_node *below(common *c, const plan_node *input) {
    uint32_t n = c->width + c->moved.n;
    const plan_expr **exprs = base_arena_array(c->ctx->arena, const plan_expr *, n);
    const char **names = base_arena_array(c->ctx->arena, const char *, n);
    for (uint32_t i = 0; i < c->width; i++) exprs[i] = sql_column_of(c->ctx, input, i);
    for (uint32_t i = 0; i < c->moved.n; i++) {
        exprs[c->width + i] = c->moved.items[i];
        names[c->width + i] = base_arena_printf(c->ctx->arena, "common%u", i + 1);
    }
    return projection(c->ctx, sql_node_project(c->ctx, input, n, exprs, names));
}

// A condition, and the projection over it if there is one (or NULL): what every row's condition
// computes anyway comes from below it.
static const plan_node *condition(sql_ctx *ctx, const plan_node *filter, plan_node *over) {
    const plan_node *input = filter->inputs[0];
    common c;
    common_init(&c, ctx, input->ncolumns);
    count(&c, filter->predicate, true);
    for (uint32_t i = 0; over != NULL && i < over->nexprs; i++) count(&c, over->exprs[i], false);
    if (!choose(&c)) return filter;
    const plan_expr *predicate = replace(&c, filter->predicate);
    for (uint32_t i = 0; over != NULL && i < over->nexprs; i++)
        over->exprs[i] = replace(&c, over->exprs[i]);
    return sql_node_filter(ctx, below(&c, input), predicate);
}

// The projection is a copy that may be changed.
static const plan_node *projection(sql_ctx *ctx, const plan_node *node) {
    plan_node *copy = sql_node_copy(ctx, node);
    copy->exprs = base_arena_array(ctx->arena, const plan_expr *, node->nexprs);
    memcpy(copy->exprs, node->exprs, node->nexprs * sizeof *copy->exprs);
    if (copy->inputs[0]->kind == PLAN_NODE_FILTER)
        copy->inputs[0] = condition(ctx, copy->inputs[0], copy);
    common c;
    common_init(&c, ctx, copy->inputs[0]->ncolumns);
    for (uint32_t i = 0; i < copy->nexprs; i++) count(&c, copy->exprs[i], true);
    if (!choose(&c)) return copy;
    for (uint32_t i = 0; i < copy->nexprs; i++) copy->exprs[i] = replace(&c, copy->exprs[i]);
    copy->inputs[0] = below(&c, copy->inputs[0]);
    return copy;
}

const plan_node *sql_common(sql_ctx *ctx, const plan_node *node) {
    plan_node *copy = sql_node_copy(ctx, node);
    if (node->kind == PLAN_NODE_PROJECT && node->inputs[0]->kind == PLAN_NODE_FILTER) {
        plan_node *filter = sql_node_copy(ctx, node->inputs[0]);
        filter->inputs[0] = sql_common(ctx, filter->inputs[0]);
        copy->inputs[0] = filter;
        return projection(ctx, copy);
    }
    for (uint32_t i = 0; i < node->ninputs; i++) copy->inputs[i] = sql_common(ctx, node->inputs[i]);
    if (node->kind == PLAN_NODE_PROJECT) return projection(ctx, copy);
    if (node->kind != PLAN_NODE_FILTER) return copy;
    const plan_node *filter = condition(ctx, copy, NULL);
    if (filter == copy) return copy;
    const plan_expr **exprs = base_arena_array(ctx->arena, const plan_expr *, node->ncolumns + 1u);
    for (uint32_t i = 0; i < node->ncolumns; i++) exprs[i] = sql_column_of(ctx, filter, i);
    return sql_node_project(ctx, filter, node->ncolumns, exprs, NULL);
}
