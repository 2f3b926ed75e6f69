// share.c - the last pass: parts of a plan that compute the same become one node with several
// readers, so that flow/ makes one operator, with one state, of them. WITH queries and views that
// are named twice, and sub-queries that are joined in two ways, meet here. From the leaves up: a
// node's inputs are shared already, so that only the node itself is compared. Kinds that are not
// listed in `same` are never shared. Entry point: sql_share.
#include "sql/sql_int.h"

#include "base/hash.h"
#include "base/must.h"

typedef struct sharing {
    sql_ctx *ctx;
    uint32_t n, nslots; // nslots: a power of two, at most half full
    const plan_node **slots;
    uint64_t *hashes;
} sharing;

static bool same_list(uint32_t n, const plan_expr *const *a, const plan_expr *const *b) {
    for (uint32_t i = 0; i < n; i++)
        if (!plan_expr_equal(a[i], b[i])) return false;
    return true;
}

static bool same_numbers(uint32_t n, const uint32_t *a, const uint32_t *b) {
    return n == 0 || memcmp(a, b, n * sizeof *a) == 0;
}

static bool same_join(const plan_node *a, const plan_node *b) {
    if (a->join != b->join || a->nequi != b->nequi || !plan_expr_equal(a->mark, b->mark) ||
        !plan_expr_equal(a->predicate, b->predicate))
        return false;
    for (uint32_t i = 0; i < a->nequi; i++)
        if ((a->null_safe != NULL && a->null_safe[i]) != (b->null_safe != NULL && b->null_safe[i]))
            return false;
    return same_numbers(a->nequi, a->left_keys, b->left_keys) &&
           same_numbers(a->nequi, a->right_keys, b->right_keys);
}

static bool same_asof(const plan_node *a, const plan_node *b) {
    if (a->asof != b->asof || a->left_time != b->left_time || a->right_time != b->right_time ||
        a->nsort != b->nsort || !same_join(a, b))
        return false;
    for (uint32_t i = 0; i < a->nsort; i++)
        if (a->sort[i].column != b->sort[i].column ||
            a->sort[i].descending != b->sort[i].descending)
            return false;
    return true;
}

static bool same_aggregate(const plan_node *a, const plan_node *b) {
    if (a->nexprs != b->nexprs || a->naggs != b->naggs || !same_list(a->nexprs, a->exprs, b->exprs))
        return false;
    for (uint32_t i = 0; i < a->naggs; i++)
        if (!plan_agg_equal(&a->aggs[i], &b->aggs[i])) return false;
    return true;
}

// Beside inputs and types.
static bool same_kind(const plan_node *a, const plan_node *b) {
    switch (a->kind) {
    case PLAN_NODE_SCAN:
        return a->object == b->object && a->system_columns == b->system_columns &&
               same_numbers(a->ncolumns, a->indexes, b->indexes);
    case PLAN_NODE_VALUES:
    case PLAN_NODE_PROJECT:
        return a->nexprs == b->nexprs && same_list(a->nexprs, a->exprs, b->exprs);
    case PLAN_NODE_FILTER:
        return plan_expr_equal(a->predicate, b->predicate);
    case PLAN_NODE_AGGREGATE:
        return same_aggregate(a, b);
    case PLAN_NODE_JOIN:
    case PLAN_NODE_LOOKUP:
        return same_join(a, b);
    case PLAN_NODE_ASOF:
        return same_asof(a, b);
    case PLAN_NODE_DISTINCT:
    case PLAN_NODE_UNION_ALL:
        return true;
    case PLAN_NODE_SETOP:
        return a->set_op == b->set_op && a->set_all == b->set_all;
    case PLAN_NODE_WINDOW:
        return a->time_column == b->time_column && plan_window_equal(a->window, b->window);
    default:
        return false;
    }
}

static bool same(const plan_node *a, const plan_node *b) {
    if (a->kind != b->kind || a->ncolumns != b->ncolumns || a->ninputs != b->ninputs) return false;
    for (uint32_t i = 0; i < a->ninputs; i++)
        if (a->inputs[i] != b->inputs[i]) return false;
    for (uint32_t i = 0; i < a->ncolumns; i++)
        if (!col_type_eq(&a->columns[i].type, &b->columns[i].type)) return false;
    return same_kind(a, b);
}

// What equal nodes have in common; that others may have it, too, does no harm.
static uint64_t hash_node(const plan_node *node) {
    uint64_t parts[6] = {node->kind,  node->ncolumns, node->nexprs,
                         node->naggs, node->nequi,    (uint64_t)(uintptr_t)node->object};
    uint64_t hash = base_hash64(parts, sizeof parts);
    for (uint32_t i = 0; i < node->ninputs; i++) {
        uint64_t pair[2] = {hash, (uint64_t)(uintptr_t)node->inputs[i]};
        hash = base_hash64(pair, sizeof pair);
    }
    return hash;
}

static void grow(sharing *s) {
    uint32_t nslots = s->nslots * 2;
    const plan_node **slots = base_arena_array(s->ctx->arena, const plan_node *, nslots);
    uint64_t *hashes = base_arena_array(s->ctx->arena, uint64_t, nslots);
    for (uint32_t i = 0; i < s->nslots; i++) {
        if (s->slots[i] == NULL) continue;
        uint32_t at = (uint32_t)s->hashes[i] & (nslots - 1);
        while (slots[at] != NULL) at = (at + 1) & (nslots - 1);
        slots[at] = s->slots[i];
        hashes[at] = s->hashes[i];
    }
    s->slots = slots;
    s->hashes = hashes;
    s->nslots = nslots;
}

// The node that stands for all that are the same as this one, whose inputs it gets.
static plan_node *share(sharing *s, const plan_node *node) {
    plan_node *copy = sql_node_copy(s->ctx, node);
    for (uint32_t i = 0; i < node->ninputs; i++) copy->inputs[i] = share(s, node->inputs[i]);
    uint64_t hash = hash_node(copy);
    uint32_t at = (uint32_t)hash & (s->nslots - 1);
    for (; s->slots[at] != NULL; at = (at + 1) & (s->nslots - 1)) {
        if (s->hashes[at] != hash || !same(s->slots[at], copy)) continue;
        plan_node *first = (plan_node *)(uintptr_t)s->slots[at];
        first->shared = true;
        return first;
    }
    s->slots[at] = copy;
    s->hashes[at] = hash;
    if (++s->n * 2 > s->nslots) grow(s);
    return copy;
}

plan_node *sql_share(sql_ctx *ctx, const plan_node *plan) {
    sharing s = {.ctx = ctx, .nslots = 64};
    s.slots = base_arena_array(ctx->arena, const plan_node *, s.nslots);
    s.hashes = base_arena_array(ctx->arena, uint64_t, s.nslots);
    return share(&s, plan);
}
