// test_flow_join.c - joins over random signed deltas: after each step the running view must equal
// the reference, for every kind of join, over sides that only grow and sides that retract, with
// sides that have one row a key, and keys that differ but have one hash; with batches of one row
// and large ones, aborted steps and restarts. A failure prints the seed: test_flow_join seed=N runs
// that one alone; runs=N runs more.
#include "flow_world.h"

static const plan_node *scan_of(world *w, uint32_t input) {
    uint32_t *indexes = base_arena_array(&w->arena, uint32_t, NCOLS);
    for (uint32_t c = 0; c < NCOLS; c++) indexes[c] = c;
    return m_scan(&w->arena, &w->next_id, &w->objects[input], NCOLS, indexes);
}

static void unique(world *w, const plan_node *node, uint32_t n) {
    plan_node *keyed = (plan_node *)(uintptr_t)node;
    uint32_t *key = base_arena_array(&w->arena, uint32_t, n + 1);
    for (uint32_t k = 0; k < n; k++) key[k] = k;
    keyed->nkey = n;
    keyed->key = key;
}

// What col_hash gives for (1, 0) it gives for (2, twin) too.
static int64_t twin_of(world *w) {
    const uint32_t columns[2] = {0, 1};
    const col_type types[2] = {col_type_of(COL_INT8), col_type_of(COL_INT8)};
    col_batch *batch = col_batch_create(&w->arena, 2, types, 2);
    col_i64(&batch->cols[0])[0] = 1;
    col_i64(&batch->cols[0])[1] = 2;
    uint64_t first[2], both[2];
    col_hash(batch, 1, columns, first);
    uint64_t twin = (first[0] - first[1]) * 0x9e3779b97f4a7c15ull;
    col_i64(&batch->cols[1])[1] = (int64_t)twin;
    col_hash(batch, 2, columns, both);
    must(both[0] == both[1]);
    return (int64_t)twin;
}

// Keys (1, 0) or (2, twin), by the last column, and some more columns.
static const plan_node *colliding(world *w, const plan_node *input) {
    base_arena *a = &w->arena;
    const plan_expr *flag = m_column(a, input, NCOLS - 1);
    const plan_expr *first[3] = {flag, m_int(a, COL_INT8, 1), m_int(a, COL_INT8, 2)};
    const plan_expr *second[3] = {flag, m_int(a, COL_INT8, 0), m_int(a, COL_INT8, twin_of(w))};
    const plan_expr **exprs = base_arena_array(a, const plan_expr *, 4);
    exprs[0] = m_node(a, PLAN_EXPR_CASE, col_type_of(COL_INT8), 3, first);
    exprs[1] = m_node(a, PLAN_EXPR_CASE, col_type_of(COL_INT8), 3, second);
    exprs[2] = m_column(a, input, 0);
    exprs[3] = m_column(a, input, 2);
    return m_project(a, &w->next_id, input, 4, exprs);
}

// Integer and text keys first, then what else there is. grows: of the stream.
static const plan_node *gen_side(world *w, bool grows) {
    base_arena *a = &w->arena;
    const plan_node *scan = scan_of(w, grows ? 2 : below(w, 2));
    static const uint32_t order[NCOLS] = {1, 2, 0, 3, 4, 5};
    const plan_expr **exprs = base_arena_array(a, const plan_expr *, NCOLS);
    for (uint32_t c = 0; c < NCOLS; c++) exprs[c] = m_column(a, scan, order[c]);
    switch (below(w, 5)) {
    case 0: { // one row a key; of the stream it only grows
        const plan_node *keys = m_project(a, &w->next_id, scan, 1 + below(w, 2), exprs);
        const plan_node *node = m_same(a, PLAN_NODE_DISTINCT, &w->next_id, 1, &keys);
        unique(w, node, node->ncolumns);
        return node;
    }
    case 1: { // one row a key, which changes
        plan_agg *aggs = base_arena_array(a, plan_agg, 2);
        must(m_agg_make("count", NULL, &aggs[0]) && m_agg_make("max", exprs[2], &aggs[1]));
        const plan_node *node = m_aggregate(a, &w->next_id, scan, 2, exprs, 2, aggs);
        unique(w, node, 2);
        return node;
    }
    case 2: {
        const plan_node *all = m_project(a, &w->next_id, scan, NCOLS, exprs);
        return m_filter(a, &w->next_id, all, gen_bool(w, all, 1));
    }
    default:
        return m_project(a, &w->next_id, scan, NCOLS, exprs);
    }
}

static const plan_node *gen_keyed_join(world *w) {
    base_arena *a = &w->arena;
    const plan_node *left, *right;
    bool collides = below(w, 4) == 0;
    if (collides) {
        left = colliding(w, scan_of(w, below(w, NINPUTS)));
        right = colliding(w, scan_of(w, below(w, NINPUTS)));
    } else {
        left = gen_side(w, below(w, 2) != 0);
        right = gen_side(w, below(w, 2) != 0);
    }
    uint32_t most = left->ncolumns < right->ncolumns ? left->ncolumns : right->ncolumns;
    uint32_t nequi = collides ? 2 : below(w, 8) == 0 ? 0 : 1 + below(w, most < 2 ? 1 : 2);
    uint32_t *keys = base_arena_array(a, uint32_t, 2);
    keys[1] = 1;
    plan_join_kind kind = (plan_join_kind)below(w, PLAN_JOIN_MARK + 1);
    plan_node *join = m_join(a, &w->next_id, kind, left, right, nequi, keys, keys, NULL);
    uint32_t unused = 0;
    if (below(w, 3) == 0)
        join->predicate =
            gen_bool(w, m_join(a, &unused, PLAN_JOIN_INNER, left, right, 0, keys, keys, NULL), 1);
    if (below(w, 4) == 0) {
        bool *null_safe = base_arena_array(a, bool, 2);
        for (uint32_t k = 0; k < nequi; k++) null_safe[k] = below(w, 2) != 0;
        join->null_safe = null_safe;
    }
    return join;
}

static void init(world *w, uint64_t seed) {
    world_init(w, seed);
    w->plan = (plan_node *)(uintptr_t)gen_keyed_join(w);
    world_view_plan(w);
}

#define FLOW_SEED_INIT  init
#define FLOW_SEED_STEPS 40 // enough for runs to be merged
#include "flow_seed.h"
