// prune.c - each node keeps only the columns that something above it uses, down to the scans. Entry
// point: sql_prune.
#include "plan/match.h"
#include "sql/subquery.h"

#include "base/must.h"
#include "plan/over.h"

// A node with fewer columns: map[i] is the new place of old column i, or UINT32_MAX.
typedef struct pruned {
    plan_node *node;
    uint32_t *map;
} pruned;

static pruned prune(sql_ctx *ctx, const plan_node *node, const bool *used);

static bool *no_columns(sql_ctx *ctx, uint32_t n) {
    return base_arena_array(ctx->arena, bool, n);
}

static const plan_expr *remap(sql_ctx *ctx, const plan_expr *expr, const pruned *input,
                              uint32_t nold) {
    if (expr == NULL) return NULL;
    const plan_expr **map = base_arena_array(ctx->arena, const plan_expr *, nold);
    for (uint32_t i = 0; i < nold; i++)
        if (input->map[i] != UINT32_MAX) map[i] = sql_column_of(ctx, input->node, input->map[i]);
    return plan_expr_substitute(ctx->arena, expr, map);
}

// The chosen columns of an expression list change little: remap all with one map.
static void remap_list(sql_ctx *ctx, const plan_expr **exprs, uint32_t n, const pruned *input,
                       uint32_t nold) {
    const plan_expr **map = base_arena_array(ctx->arena, const plan_expr *, nold);
    for (uint32_t i = 0; i < nold; i++)
        if (input->map[i] != UINT32_MAX) map[i] = sql_column_of(ctx, input->node, input->map[i]);
    for (uint32_t i = 0; i < n; i++) exprs[i] = plan_expr_substitute(ctx->arena, exprs[i], map);
}

static pruned start(sql_ctx *ctx, const plan_node *node, const bool *used, uint32_t least) {
    pruned out = {NULL, base_arena_array(ctx->arena, uint32_t, node->ncolumns)};
    uint32_t n = 0;
    for (uint32_t i = 0; i < node->ncolumns; i++) out.map[i] = used[i] ? n++ : UINT32_MAX;
    if (n < least && node->ncolumns > 0) { // a batch without columns is a special case; keep one
        out.map[0] = 0;
        n = 1;
    }
    out.node = sql_node(ctx, node->kind, n, node->ninputs, NULL, NULL);
    plan_node *made = out.node;
    const plan_node **inputs = made->inputs;
    const plan_column *columns = made->columns;
    *made = *node;
    made->inputs = inputs;
    made->columns = columns;
    made->ncolumns = n;
    for (uint32_t i = 0; i < node->ncolumns; i++)
        if (out.map[i] != UINT32_MAX) sql_columns(made)[out.map[i]] = node->columns[i];
    return out;
}

static pruned prune_scan(sql_ctx *ctx, const plan_node *node, const bool *used) {
    pruned out = start(ctx, node, used, 1);
    uint32_t *indexes = base_arena_array(ctx->arena, uint32_t, out.node->ncolumns);
    for (uint32_t i = 0; i < node->ncolumns; i++)
        if (out.map[i] != UINT32_MAX) indexes[out.map[i]] = node->indexes[i];
    out.node->indexes = indexes;
    return out;
}

static pruned prune_values(sql_ctx *ctx, const plan_node *node, const bool *used) {
    pruned out = start(ctx, node, used, 1);
    uint32_t n = out.node->ncolumns, nrows = node->nexprs / node->ncolumns;
    out.node->nexprs = n * nrows;
    out.node->exprs = base_arena_array(ctx->arena, const plan_expr *, out.node->nexprs);
    for (uint32_t row = 0; row < nrows; row++)
        for (uint32_t i = 0; i < node->ncolumns; i++)
            if (out.map[i] != UINT32_MAX)
                out.node->exprs[row * n + out.map[i]] = node->exprs[row * node->ncolumns + i];
    return out;
}

// Nodes whose columns are their input's, in order.
static pruned passing(sql_ctx *ctx, const plan_node *node, pruned input) {
    pruned out = {sql_node(ctx, node->kind, input.node->ncolumns, 1, input.node, NULL), input.map};
    const plan_node **inputs = out.node->inputs;
    plan_column *columns = sql_columns(out.node);
    uint32_t n = input.node->ncolumns;
    *out.node = *node;
    out.node->ncolumns = n;
    out.node->inputs = inputs;
    out.node->columns = columns;
    inputs[0] = input.node;
    for (uint32_t i = 0; i < node->ncolumns; i++)
        if (input.map[i] != UINT32_MAX) columns[input.map[i]] = node->columns[i];
    return out;
}

static bool *copy_used(sql_ctx *ctx, const plan_node *node, const bool *used) {
    bool *copy = no_columns(ctx, node->ncolumns);
    memcpy(copy, used, node->ncolumns * sizeof *copy);
    return copy;
}

static pruned prune_filter(sql_ctx *ctx, const plan_node *node, const bool *used) {
    bool *below = copy_used(ctx, node, used);
    plan_expr_columns(node->predicate, below);
    pruned input = prune(ctx, node->inputs[0], below);
    pruned out = passing(ctx, node, input);
    out.node->predicate = remap(ctx, node->predicate, &input, node->ncolumns);
    return out;
}

static pruned prune_temporal(sql_ctx *ctx, const plan_node *node, const bool *used) {
    bool *below = copy_used(ctx, node, used);
    for (uint32_t i = 0; i < node->nexprs; i++) plan_expr_columns(node->exprs[i], below);
    pruned out = passing(ctx, node, prune(ctx, node->inputs[0], below));
    out.node->exprs = base_arena_array(ctx->arena, const plan_expr *, node->nexprs);
    for (uint32_t i = 0; i < node->nexprs; i++) out.node->exprs[i] = node->exprs[i];
    pruned input = {(plan_node *)(uintptr_t)out.node->inputs[0], out.map};
    remap_list(ctx, out.node->exprs, node->nexprs, &input, node->ncolumns);
    return out;
}

static pruned prune_project(sql_ctx *ctx, const plan_node *node, const bool *used) {
    pruned out = start(ctx, node, used, 1);
    const plan_node *old = node->inputs[0];
    bool *below = no_columns(ctx, old->ncolumns);
    out.node->nexprs = out.node->ncolumns;
    out.node->exprs = base_arena_array(ctx->arena, const plan_expr *, out.node->nexprs);
    for (uint32_t i = 0; i < node->ncolumns; i++)
        if (out.map[i] != UINT32_MAX) {
            out.node->exprs[out.map[i]] = node->exprs[i];
            plan_expr_columns(node->exprs[i], below);
        }
    pruned input = prune(ctx, old, below);
    out.node->inputs[0] = input.node;
    remap_list(ctx, out.node->exprs, out.node->nexprs, &input, old->ncolumns);
    return out;
}

static pruned prune_window(sql_ctx *ctx, const plan_node *node, const bool *used) {
    const plan_node *old = node->inputs[0];
    bool *below = no_columns(ctx, old->ncolumns);
    memcpy(below, used, old->ncolumns * sizeof *below);
    below[node->time_column] = true;
    for (uint32_t i = 0; i < node->window->npartition; i++)
        below[node->window->partition[i]] = true;
    pruned input = prune(ctx, old, below);
    // The window columns stay: the operator makes them together.
    bool *kept = no_columns(ctx, node->ncolumns);
    for (uint32_t i = 0; i < old->ncolumns; i++) kept[i] = input.map[i] != UINT32_MAX;
    for (uint32_t i = old->ncolumns; i < node->ncolumns; i++) kept[i] = true;
    pruned out = start(ctx, node, kept, 1);
    out.node->inputs[0] = input.node;
    out.node->time_column = input.map[node->time_column];
    return out;
}

static void mark_columns(void *used, const plan_expr *expr) {
    plan_expr_columns(expr, used);
}

typedef struct agg_remap {
    sql_ctx *ctx;
    const pruned *input;
    uint32_t ncolumns;
} agg_remap;

static const plan_expr *remap_agg(void *self, const plan_expr *expr) {
    const agg_remap *moved = self;
    return remap(moved->ctx, expr, moved->input, moved->ncolumns);
}

static pruned prune_session(sql_ctx *ctx, const plan_node *node, const bool *used) {
    pruned out = prune_window(ctx, node, used);
    plan_window *window = base_arena_new(ctx->arena, plan_window);
    *window = *node->window;
    uint32_t *partition = base_arena_array(ctx->arena, uint32_t, window->npartition + 1u);
    for (uint32_t i = 0; i < window->npartition; i++) partition[i] = out.map[window->partition[i]];
    window->partition = partition;
    out.node->window = window;
    return out;
}

static pruned prune_aggregate(sql_ctx *ctx, const plan_node *node, const bool *used) {
    const plan_node *old = node->inputs[0];
    bool *kept = copy_used(ctx, node, used), *below = no_columns(ctx, old->ncolumns);
    for (uint32_t i = 0; i < node->nexprs; i++) { // keys say what the groups are
        kept[i] = true;
        plan_expr_columns(node->exprs[i], below);
    }
    bool any = node->nexprs > 0;
    for (uint32_t i = node->nexprs; i < node->ncolumns; i++) any |= kept[i];
    if (!any && node->ncolumns > 0) kept[0] = true;
    pruned out = start(ctx, node, kept, 0);
    plan_agg *aggs = base_arena_array(ctx->arena, plan_agg, node->naggs);
    uint32_t naggs = 0;
    for (uint32_t i = 0; i < node->naggs; i++) {
        if (!kept[node->nexprs + i]) continue;
        aggs[naggs++] = node->aggs[i];
        plan_agg_each(&node->aggs[i], mark_columns, below);
    }
    pruned input = prune(ctx, old, below);
    out.node->inputs[0] = input.node;
    out.node->exprs = base_arena_array(ctx->arena, const plan_expr *, node->nexprs);
    for (uint32_t i = 0; i < node->nexprs; i++) out.node->exprs[i] = node->exprs[i];
    remap_list(ctx, out.node->exprs, node->nexprs, &input, old->ncolumns);
    agg_remap moved = {ctx, &input, old->ncolumns};
    for (uint32_t i = 0; i < naggs; i++) plan_agg_map(ctx->arena, &aggs[i], remap_agg, &moved);
    out.node->naggs = naggs;
    out.node->aggs = aggs;
    return out;
}

// Pairs of left and right columns, before and after.
static const plan_expr *remap_pairs(sql_ctx *ctx, const plan_expr *expr, const plan_node *node,
                                    const pruned *sides) {
    uint32_t nleft = node->inputs[0]->ncolumns, n = nleft + node->inputs[1]->ncolumns;
    if (expr == NULL) return NULL;
    const plan_expr **map = base_arena_array(ctx->arena, const plan_expr *, n);
    for (uint32_t i = 0; i < n; i++) {
        const pruned *side = &sides[i >= nleft];
        uint32_t to = side->map[i < nleft ? i : i - nleft];
        if (to == UINT32_MAX) continue;
        map[i] = plan_expr_column(ctx->arena, i < nleft ? to : to + sides[0].node->ncolumns,
                                  side->node->columns[to].type);
    }
    return plan_expr_substitute(ctx->arena, expr, map);
}

// Whether a row of one side has at most one match on the other.
static bool matches_one(sql_ctx *ctx, const plan_node *node, uint32_t other) {
    if (node->kind != PLAN_NODE_JOIN) return true;
    bool *fixed = no_columns(ctx, node->inputs[other]->ncolumns);
    const uint32_t *keys = other == 1 ? node->right_keys : node->left_keys;
    for (uint32_t i = 0; i < node->nequi; i++) fixed[keys[i]] = true;
    return sql_single_row(ctx, node->inputs[other], fixed);
}

// The side of which the output has each row once, whatever it matches, and of whose match nothing
// is read: it can take the join's place. 2: there is none.
static uint32_t alone_side(sql_ctx *ctx, const plan_node *node, const bool *used) {
    uint32_t nleft = node->inputs[0]->ncolumns;
    if (node->join == PLAN_JOIN_MARK) return used[nleft] ? 2 : 0;
    if (node->join != PLAN_JOIN_LEFT && node->join != PLAN_JOIN_RIGHT) return 2;
    uint32_t other = node->join == PLAN_JOIN_LEFT ? 1 : 0;
    const bool *of_other = other == 1 ? used + nleft : used;
    if (memchr(of_other, true, node->inputs[other]->ncolumns) != NULL) return 2;
    return matches_one(ctx, node, other) ? 1 - other : 2;
}

static pruned prune_join(sql_ctx *ctx, const plan_node *node, const bool *used) {
    uint32_t n = node->ncolumns, nleft = node->inputs[0]->ncolumns;
    uint32_t alone = alone_side(ctx, node, used);
    if (alone < 2) {
        uint32_t first = alone == 0 ? 0 : nleft, nalone = node->inputs[alone]->ncolumns;
        pruned side = prune(ctx, node->inputs[alone], used + first);
        pruned out = {side.node, base_arena_array(ctx->arena, uint32_t, n)};
        for (uint32_t i = 0; i < n; i++)
            out.map[i] = i >= first && i < first + nalone ? side.map[i - first] : UINT32_MAX;
        return out;
    }
    bool pairs = node->join <= PLAN_JOIN_FULL;
    bool *below = no_columns(ctx, nleft + node->inputs[1]->ncolumns);
    memcpy(below, used, (pairs ? n : nleft) * sizeof *below);
    if (node->kind == PLAN_NODE_ASOF)
        below[node->left_time] = below[nleft + node->right_time] = true;
    for (uint32_t i = 0; i < node->nsort; i++) below[nleft + node->sort[i].column] = true;
    if (node->predicate != NULL) plan_expr_columns(node->predicate, below);
    if (node->mark != NULL) plan_expr_columns(node->mark, below);
    for (uint32_t i = 0; i < node->nequi; i++) {
        below[node->left_keys[i]] = true;
        below[nleft + node->right_keys[i]] = true;
    }
    pruned sides[2] = {prune(ctx, node->inputs[0], below),
                       prune(ctx, node->inputs[1], below + nleft)};
    pruned out = {sql_node_join(ctx, node->join, sides[0].node, sides[1].node, NULL),
                  base_arena_array(ctx->arena, uint32_t, n)};
    for (uint32_t i = 0; i < n; i++) {
        uint32_t to = i < nleft ? sides[0].map[i] : pairs ? sides[1].map[i - nleft] : 0;
        out.map[i] = to == UINT32_MAX ? to : i < nleft ? to : to + sides[0].node->ncolumns;
        if (to != UINT32_MAX) sql_columns(out.node)[out.map[i]].name = node->columns[i].name;
    }
    uint32_t *left_keys = base_arena_array(ctx->arena, uint32_t, node->nequi);
    uint32_t *right_keys = base_arena_array(ctx->arena, uint32_t, node->nequi);
    for (uint32_t i = 0; i < node->nequi; i++) {
        left_keys[i] = sides[0].map[node->left_keys[i]];
        right_keys[i] = sides[1].map[node->right_keys[i]];
    }
    out.node->kind = node->kind;
    if (node->kind == PLAN_NODE_ASOF) {
        out.node->asof = node->asof;
        out.node->left_time = sides[0].map[node->left_time];
        out.node->right_time = sides[1].map[node->right_time];
        plan_sort_key *sort = base_arena_array(ctx->arena, plan_sort_key, node->nsort);
        for (uint32_t i = 0; i < node->nsort; i++) {
            sort[i] = node->sort[i];
            sort[i].column = sides[1].map[sort[i].column];
        }
        out.node->nsort = node->nsort;
        out.node->sort = sort;
    }
    out.node->nequi = node->nequi;
    out.node->left_keys = left_keys;
    out.node->right_keys = right_keys;
    out.node->null_safe = node->null_safe;
    out.node->predicate = remap_pairs(ctx, node->predicate, node, sides);
    out.node->mark = remap_pairs(ctx, node->mark, node, sides);
    return out;
}

static pruned prune_all(sql_ctx *ctx, const plan_node *node, const bool *used) {
    (void)used; // every column is part of what a row is
    bool *below = no_columns(ctx, node->ncolumns);
    memset(below, true, node->ncolumns);
    return passing(ctx, node, prune(ctx, node->inputs[0], below));
}

// Inputs of a union must keep the same columns, so each gets a projection of those in use.
static pruned prune_union(sql_ctx *ctx, const plan_node *node, const bool *used) {
    pruned out = start(ctx, node, used, 1);
    bool *kept = no_columns(ctx, node->ncolumns);
    for (uint32_t i = 0; i < node->ncolumns; i++) kept[i] = out.map[i] != UINT32_MAX;
    for (uint32_t k = 0; k < node->ninputs; k++) {
        pruned input = prune(ctx, node->inputs[k], kept);
        const plan_expr **exprs =
            base_arena_array(ctx->arena, const plan_expr *, out.node->ncolumns);
        bool same = input.node->ncolumns == out.node->ncolumns;
        for (uint32_t i = 0; i < node->ncolumns; i++) {
            if (!kept[i]) continue;
            exprs[out.map[i]] = sql_column_of(ctx, input.node, input.map[i]);
            same &= input.map[i] == out.map[i];
        }
        out.node->inputs[k] =
            same ? input.node : sql_node_project(ctx, input.node, out.node->ncolumns, exprs, NULL);
    }
    return out;
}

static pruned prune_setop(sql_ctx *ctx, const plan_node *node, const bool *used) {
    (void)used; // every column is part of what a row is
    bool *below = no_columns(ctx, node->ncolumns);
    memset(below, true, node->ncolumns);
    return prune_union(ctx, node, below);
}

// All columns stay: they were chosen for the aggregate above.
static pruned prune_expand(sql_ctx *ctx, const plan_node *node, const bool *used) {
    (void)used;
    const plan_node *old = node->inputs[0];
    bool *all = no_columns(ctx, node->ncolumns);
    memset(all, 1, sizeof *all * node->ncolumns);
    pruned out = start(ctx, node, all, 0), input = prune(ctx, old, all);
    const plan_expr **exprs = base_arena_array(ctx->arena, const plan_expr *, old->ncolumns);
    bool same = input.node->ncolumns == old->ncolumns;
    for (uint32_t i = 0; i < old->ncolumns; i++) {
        exprs[i] = sql_column_of(ctx, input.node, input.map[i]);
        same &= input.map[i] == i;
    }
    out.node->inputs[0] =
        same ? input.node : sql_node_project(ctx, input.node, old->ncolumns, exprs, NULL);
    return out;
}

static pruned prune_sort(sql_ctx *ctx, const plan_node *node, const bool *used) {
    bool *below = copy_used(ctx, node, used);
    for (uint32_t i = 0; i < node->nsort; i++) below[node->sort[i].column] = true;
    pruned out = passing(ctx, node, prune(ctx, node->inputs[0], below));
    plan_sort_key *keys = base_arena_array(ctx->arena, plan_sort_key, node->nsort);
    for (uint32_t i = 0; i < node->nsort; i++) {
        keys[i] = node->sort[i];
        keys[i].column = out.map[keys[i].column];
    }
    out.node->sort = keys;
    return out;
}

static void mark_slots(const plan_match *match, const plan_expr *expr, bool *slots, bool *below) {
    if (expr == NULL) return;
    plan_expr_columns(expr, slots);
    for (uint32_t i = 0; i < match->nslots; i++) {
        const plan_match_slot *slot = &match->slots[i];
        if (!slots[i]) continue;
        if (slot->kind == PLAN_MATCH_ROW || slot->kind == PLAN_MATCH_COLUMN)
            below[slot->column] = true;
        if (slot->kind != PLAN_MATCH_AGGREGATE) continue;
        if (slot->agg->arg != NULL) plan_expr_columns(slot->agg->arg, below);
        if (slot->agg->filter != NULL) plan_expr_columns(slot->agg->filter, below);
    }
}

// Slots over the columns that are left; those that nothing uses any more lose their meaning.
static const plan_match_slot *remap_slots(sql_ctx *ctx, const plan_match *match, const bool *slots,
                                          const pruned *input, uint32_t nold) {
    plan_match_slot *copy = base_arena_array(ctx->arena, plan_match_slot, match->nslots + 1u);
    for (uint32_t i = 0; i < match->nslots; i++) {
        copy[i] = match->slots[i];
        if (!slots[i]) {
            copy[i] = (plan_match_slot){.kind = PLAN_MATCH_NUMBER, .type = copy[i].type};
        } else if (copy[i].kind == PLAN_MATCH_ROW || copy[i].kind == PLAN_MATCH_COLUMN) {
            copy[i].column = input->map[copy[i].column];
        } else if (copy[i].kind == PLAN_MATCH_AGGREGATE) {
            plan_agg *agg = base_arena_new(ctx->arena, plan_agg);
            *agg = *copy[i].agg;
            agg->arg = remap(ctx, agg->arg, input, nold);
            agg->filter = remap(ctx, agg->filter, input, nold);
            copy[i].agg = agg;
        }
    }
    return copy;
}

static pruned prune_match(sql_ctx *ctx, const plan_node *node, const bool *used) {
    pruned out = start(ctx, node, used, 1);
    const plan_node *old = node->inputs[0];
    plan_match *match = base_arena_new(ctx->arena, plan_match);
    *match = *node->match;
    bool *below = no_columns(ctx, old->ncolumns), *slots = no_columns(ctx, match->nslots + 1u);
    const plan_expr **outputs =
        base_arena_array(ctx->arena, const plan_expr *, out.node->ncolumns + 1u);
    for (uint32_t i = 0; i < node->ncolumns; i++) {
        if (out.map[i] == UINT32_MAX) continue;
        outputs[out.map[i]] = match->outputs[i];
        mark_slots(match, match->outputs[i], slots, below);
    }
    for (uint32_t v = 0; v < match->nvariables; v++)
        mark_slots(match, match->define[v], slots, below);
    for (uint32_t i = 0; i < match->npartition; i++) below[match->partition[i]] = true;
    for (uint32_t i = 0; i < match->norder; i++) below[match->order[i].column] = true;
    pruned input = prune(ctx, old, below);
    out.node->inputs[0] = input.node;
    uint32_t *partition = base_arena_array(ctx->arena, uint32_t, match->npartition + 1u);
    for (uint32_t i = 0; i < match->npartition; i++) partition[i] = input.map[match->partition[i]];
    plan_sort_key *order = base_arena_array(ctx->arena, plan_sort_key, match->norder + 1u);
    for (uint32_t i = 0; i < match->norder; i++) {
        order[i] = match->order[i];
        order[i].column = input.map[order[i].column];
    }
    match->slots = remap_slots(ctx, match, slots, &input, old->ncolumns);
    match->partition = partition;
    match->order = order;
    match->outputs = outputs;
    out.node->match = match;
    return out;
}

// The step has been planned for these columns.
static pruned prune_recursive(sql_ctx *ctx, const plan_node *node, const bool *used) {
    (void)used;
    bool *all = no_columns(ctx, node->ncolumns);
    memset(all, true, node->ncolumns);
    pruned out = start(ctx, node, all, 1);
    for (uint32_t i = 0; i < node->ninputs; i++) {
        uint32_t n = node->inputs[i]->ncolumns;
        bool *whole = no_columns(ctx, n);
        memset(whole, true, n);
        out.node->inputs[i] = prune(ctx, node->inputs[i], whole).node;
    }
    return out;
}

typedef struct over_input {
    sql_ctx *ctx;
    const pruned *input;
    uint32_t nold;
    bool *used;
} over_input;

static const plan_expr *use_columns(void *arg, const plan_expr *expr) {
    plan_expr_columns(expr, ((const over_input *)arg)->used);
    return expr;
}

static const plan_expr *remap_over(void *arg, const plan_expr *expr) {
    const over_input *over = arg;
    return remap(over->ctx, expr, over->input, over->nold);
}

// Functions that nobody reads go, and with the last of them the node. A top-N stays, its rank goes.
static pruned prune_over(sql_ctx *ctx, const plan_node *node, const bool *used) {
    const plan_node *old = node->inputs[0];
    uint32_t nin = old->ncolumns, nover = 0;
    bool top = node->kind == PLAN_NODE_TOP, *kept = no_columns(ctx, node->ncolumns + 1u);
    over_input over = {ctx, NULL, nin, no_columns(ctx, nin)};
    memcpy(over.used, used, nin * sizeof *used);
    plan_over *overs = base_arena_array(ctx->arena, plan_over, node->nover);
    for (uint32_t i = 0; i < node->nover; i++) {
        bool shown = nin + i < node->ncolumns && used[nin + i];
        if (!shown && !top) continue;
        overs[nover++] = plan_over_map(ctx->arena, &node->overs[i], use_columns, &over);
        kept[nin + i] = shown;
    }
    bool gone = nover == 0;
    for (uint32_t i = 0; i < node->npartition && !gone; i++) over.used[node->partition[i]] = true;
    for (uint32_t i = 0; i < node->nsort && !gone; i++) over.used[node->sort[i].column] = true;
    pruned input = prune(ctx, old, over.used);
    over.input = &input;
    if (gone) {
        pruned none = {input.node, base_arena_array(ctx->arena, uint32_t, node->ncolumns)};
        for (uint32_t i = 0; i < node->ncolumns; i++)
            none.map[i] = i < nin ? input.map[i] : UINT32_MAX;
        return none;
    }
    for (uint32_t i = 0; i < nin; i++) kept[i] = input.map[i] != UINT32_MAX;
    pruned out = start(ctx, node, kept, 0);
    out.node->inputs[0] = input.node;
    for (uint32_t i = 0; i < nover; i++)
        overs[i] = plan_over_map(ctx->arena, &overs[i], remap_over, &over);
    out.node->nover = nover;
    out.node->overs = overs;
    out.node->with_rank = top && out.node->ncolumns > input.node->ncolumns;
    uint32_t *partition = base_arena_array(ctx->arena, uint32_t, node->npartition);
    plan_sort_key *sort = base_arena_array(ctx->arena, plan_sort_key, node->nsort);
    for (uint32_t i = 0; i < node->npartition; i++) partition[i] = input.map[node->partition[i]];
    for (uint32_t i = 0; i < node->nsort; i++) {
        sort[i] = node->sort[i];
        sort[i].column = input.map[sort[i].column];
    }
    out.node->partition = partition;
    out.node->sort = sort;
    return out;
}

// What the functions give stays whole: they make their columns together.
static pruned prune_table_func(sql_ctx *ctx, const plan_node *node, const bool *used) {
    const plan_node *old = node->inputs[0];
    bool *above = no_columns(ctx, node->ncolumns), *below = no_columns(ctx, old->ncolumns);
    memcpy(above, used, node->ncolumns * sizeof *above);
    if (node->predicate != NULL) plan_expr_columns(node->predicate, above);
    memcpy(below, above, old->ncolumns * sizeof *below);
    for (uint32_t i = 0; i < node->nexprs; i++) plan_expr_columns(node->exprs[i], below);
    pruned input = prune(ctx, old, below);
    bool *kept = no_columns(ctx, node->ncolumns);
    for (uint32_t i = 0; i < node->ncolumns; i++)
        kept[i] = i >= old->ncolumns || input.map[i] != UINT32_MAX;
    pruned out = start(ctx, node, kept, 1);
    out.node->inputs[0] = input.node;
    out.node->exprs = base_arena_array(ctx->arena, const plan_expr *, node->nexprs);
    for (uint32_t i = 0; i < node->nexprs; i++) out.node->exprs[i] = node->exprs[i];
    remap_list(ctx, out.node->exprs, node->nexprs, &input, old->ncolumns);
    out.node->predicate = remap(ctx, node->predicate, &out, node->ncolumns);
    return out;
}

static pruned (*const pruners[])(sql_ctx *, const plan_node *, const bool *) = {
    [PLAN_NODE_SCAN] = prune_scan,
    [PLAN_NODE_VALUES] = prune_values,
    [PLAN_NODE_FILTER] = prune_filter,
    [PLAN_NODE_PROJECT] = prune_project,
    [PLAN_NODE_WINDOW] = prune_window,
    [PLAN_NODE_AGGREGATE] = prune_aggregate,
    [PLAN_NODE_JOIN] = prune_join,
    [PLAN_NODE_ASOF] = prune_join,
    [PLAN_NODE_LOOKUP] = prune_join,
    [PLAN_NODE_DISTINCT] = prune_all,
    [PLAN_NODE_UNION_ALL] = prune_union,
    [PLAN_NODE_SORT] = prune_sort,
    [PLAN_NODE_MATCH] = prune_match,
    [PLAN_NODE_SETOP] = prune_setop,
    [PLAN_NODE_RECURSIVE] = prune_recursive,
    [PLAN_NODE_TEMPORAL] = prune_temporal,
    [PLAN_NODE_EMIT] = prune_all,
    [PLAN_NODE_OVER] = prune_over,
    [PLAN_NODE_TOP] = prune_over,
    [PLAN_NODE_TABLE_FUNC] = prune_table_func,
    [PLAN_NODE_SESSION] = prune_session,
    [PLAN_NODE_EXPAND] = prune_expand,
};

static pruned prune(sql_ctx *ctx, const plan_node *node, const bool *used) {
    return pruners[node->kind](ctx, node, used);
}

plan_node *sql_prune(sql_ctx *ctx, const plan_node *node) {
    bool *used = no_columns(ctx, node->ncolumns);
    memset(used, true, node->ncolumns);
    pruned out = prune(ctx, node, used);
    for (uint32_t i = 0; i < node->ncolumns; i++) must(out.map[i] == i || out.map[i] != UINT32_MAX);
    if (out.node->ncolumns == node->ncolumns) return out.node;
    // A node kept more than asked (a window's other column, a group's key): show what was asked.
    const plan_expr **exprs = base_arena_array(ctx->arena, const plan_expr *, node->ncolumns);
    const char **names = base_arena_array(ctx->arena, const char *, node->ncolumns);
    for (uint32_t i = 0; i < node->ncolumns; i++) {
        exprs[i] = sql_column_of(ctx, out.node, out.map[i]);
        names[i] = node->columns[i].name;
    }
    return sql_node_project(ctx, out.node, node->ncolumns, exprs, names);
}
