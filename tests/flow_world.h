// flow_world.h - for tests of flow/: random plans, random signed input, and a runner that takes a
// graph through steps, aborts and restarts, keeping the running view. Used by test_flow_random and
// test_flow_fault.
#ifndef WEIR_TESTS_FLOW_WORLD_H
#define WEIR_TESTS_FLOW_WORLD_H

#include <unistd.h>

#include "flow_model.h"

enum { NINPUTS = 3, NCOLS = 6 };

static col_type input_types(uint32_t i) {
    switch (i) {
    case 0:
        return col_type_of(COL_INT4);
    case 1:
        return col_type_of(COL_INT8);
    case 2:
        return col_type_of(COL_TEXT);
    case 3:
        return FLOW_SPELLED ? col_type_of(COL_NUMERIC) : (col_type){COL_NUMERIC, 10, 2, 0, NULL};
    case 4:
        return col_type_of(COL_TIMESTAMPTZ);
    default:
        return col_type_of(COL_BOOL);
    }
}

typedef struct world {
    uint64_t seed;
    base_random random;
    base_arena arena; // plans, inputs
    plan_object objects[NINPUTS];
    ref_rows inputs[NINPUTS]; // what is there now
    plan_node *plan;
    plan_object view, second; // `second` reads `view` in the same graph
    plan_node *second_plan;
    uint32_t next_id;
} world;

static world *the_world;

static const ref_rows *world_input(const plan_object *object) {
    static ref_rows of_view;
    if (object == &the_world->view) {
        ref_plan(&the_world->arena, the_world->plan, world_input, &of_view);
        return &of_view;
    }
    return &the_world->inputs[object->id - 1];
}

static uint32_t below(world *w, uint32_t n) {
    return (uint32_t)base_random_below(&w->random, n);
}

// ------------------------------------------------------------------------------------ random plans

static const plan_expr *gen_expr(world *w, const plan_node *input, col_kind kind, int depth);

static int pick_column(world *w, const plan_node *input, col_kind kind) { // -1: none
    uint32_t start = below(w, input->ncolumns);
    for (uint32_t i = 0; i < input->ncolumns; i++) {
        uint32_t c = (start + i) % input->ncolumns;
        if (input->columns[c].type.kind == kind) return (int)c;
    }
    return -1;
}

static const plan_expr *gen_bool(world *w, const plan_node *input, int depth) {
    static const col_kind kinds[] = {COL_INT4, COL_INT8, COL_TEXT, COL_NUMERIC};
    base_arena *a = &w->arena;
    const plan_expr *args[2];
    col_type type = col_type_of(COL_BOOL);
    uint32_t choice = below(w, depth > 0 ? 8 : 4);
    if (choice < 3) {
        col_kind kind = kinds[below(w, 4)];
        args[0] = gen_expr(w, input, kind, depth - 1);
        args[1] = gen_expr(w, input, kind, depth - 1);
        return m_call2(a, choice == 0 ? "=" : "<", args[0], args[1]);
    }
    if (choice == 3) {
        args[0] = m_column(a, input, below(w, input->ncolumns));
        return m_node(a, PLAN_EXPR_IS_NULL, type, 1, args);
    }
    args[0] = gen_bool(w, input, depth - 1);
    if (choice == 4) return m_node(a, PLAN_EXPR_NOT, type, 1, args);
    args[1] = gen_bool(w, input, depth - 1);
    return m_node(a, choice == 5 ? PLAN_EXPR_AND : PLAN_EXPR_OR, type, 2, args);
}

static const plan_expr *gen_expr(world *w, const plan_node *input, col_kind kind, int depth) {
    base_arena *a = &w->arena;
    int c = pick_column(w, input, kind);
    uint32_t choice = below(w, 10);
    if (kind == COL_BOOL && (c < 0 || choice < 5)) return gen_bool(w, input, depth);
    if (choice == 0 && depth > 0) {
        const plan_expr *args[3] = {gen_bool(w, input, depth - 1),
                                    gen_expr(w, input, kind, depth - 1),
                                    gen_expr(w, input, kind, depth - 1)};
        return m_node(a, PLAN_EXPR_CASE, args[1]->type, 3, args);
    }
    if (choice == 1 && depth > 0) {
        const plan_expr *args[2] = {gen_expr(w, input, kind, depth - 1),
                                    gen_expr(w, input, kind, depth - 1)};
        return m_node(a, PLAN_EXPR_COALESCE, args[0]->type, 2, args);
    }
    if (choice < 4 && depth > 0 && kind == COL_INT8) {
        return m_call2(a, choice == 2 ? "+" : "/", gen_expr(w, input, kind, depth - 1),
                       gen_expr(w, input, kind, depth - 1));
    }
    if (c >= 0 && choice < 9) return m_column(a, input, (uint32_t)c);
    if (kind == COL_TEXT) return m_text(a, below(w, 2) ? "b" : "ccc");
    if (kind == COL_TIMESTAMPTZ) return m_int(a, kind, (int64_t)below(w, 200) * 1000000);
    return m_int(a, kind, below(w, 4));
}

static const plan_node *gen_plan(world *w, int depth);

static const plan_node *gen_scan(world *w) {
    uint32_t which = below(w, NINPUTS), n = 0;
    uint32_t *indexes = base_arena_array(&w->arena, uint32_t, NCOLS);
    for (uint32_t c = 0; c < NCOLS; c++) {
        if (below(w, 4) != 0 || c < 2) indexes[n++] = c;
    }
    return m_scan(&w->arena, &w->next_id, &w->objects[which], n, indexes);
}

static const plan_node *gen_project(world *w, const plan_node *input) {
    static const col_kind kinds[] = {COL_INT4, COL_INT8, COL_TEXT, COL_NUMERIC, COL_TIMESTAMPTZ};
    uint32_t n = 1 + below(w, 4);
    const plan_expr **exprs = base_arena_array(&w->arena, const plan_expr *, n);
    for (uint32_t i = 0; i < n; i++) {
        exprs[i] = below(w, 2) ? m_column(&w->arena, input, below(w, input->ncolumns))
                               : gen_expr(w, input, kinds[below(w, 5)], 2);
    }
    return m_project(&w->arena, &w->next_id, input, n, exprs);
}

static const plan_node *gen_aggregate(world *w, const plan_node *input) {
    static const char *const names[] = {"count", "count", "sum",      "avg",
                                        "min",   "max",   "bool_and", "bool_or"};
    uint32_t nkeys = below(w, 3), naggs = 0, wanted = 1 + below(w, 3);
    const plan_expr **exprs = base_arena_array(&w->arena, const plan_expr *, nkeys + 1);
    for (uint32_t k = 0; k < nkeys; k++) {
        exprs[k] = m_column(&w->arena, input, below(w, input->ncolumns));
    }
    plan_agg *aggs = base_arena_array(&w->arena, plan_agg, wanted);
    while (naggs < wanted) {
        uint32_t which = below(w, 8);
        const plan_expr *arg = NULL;
        if (which != 0) {
            arg = m_column(&w->arena, input, below(w, input->ncolumns));
            if (below(w, 4) == 0 && which < 4) arg = gen_expr(w, input, COL_INT8, 1);
        }
        // Averages of averages would compare digits that rounding chose.
        if (which == 3 && arg->type.kind == COL_NUMERIC && arg->type.precision == 0) continue;
        if (!m_agg_make(names[which], arg, &aggs[naggs])) continue;
        // Of equal values that a sum takes once any may count.
        bool once = which == 2 || which == 3 ? !FLOW_SPELLED : which != 0;
        if (once && below(w, 4) == 0) aggs[naggs].distinct = true;
        if (below(w, 4) == 0) aggs[naggs].filter = gen_bool(w, input, 1);
        naggs++;
    }
    return m_aggregate(&w->arena, &w->next_id, input, nkeys, exprs, naggs, aggs);
}

static const plan_node *gen_join(world *w, int depth) {
    const plan_node *left = gen_plan(w, depth - 1), *right = gen_plan(w, depth - 1);
    uint32_t *lk = base_arena_array(&w->arena, uint32_t, 2);
    uint32_t *rk = base_arena_array(&w->arena, uint32_t, 2);
    uint32_t nequi = 0, wanted = 1 + below(w, 2);
    for (uint32_t tries = 0; tries < 10 && nequi < wanted; tries++) {
        uint32_t l = below(w, left->ncolumns);
        int r = pick_column(w, right, left->columns[l].type.kind);
        if (r < 0) continue;
        lk[nequi] = l;
        rk[nequi++] = (uint32_t)r;
    }
    plan_join_kind kind = (plan_join_kind)below(w, PLAN_JOIN_MARK + 1);
    plan_node *join = m_join(&w->arena, &w->next_id, kind, left, right, nequi, lk, rk, NULL);
    // Conditions are about pairs of rows, whatever the join gives of them.
    uint32_t unused = 0;
    const plan_node *pair =
        m_join(&w->arena, &unused, PLAN_JOIN_INNER, left, right, 0, lk, rk, NULL);
    if (below(w, 2)) join->predicate = gen_bool(w, pair, 1);
    if (kind == PLAN_JOIN_MARK && below(w, 2)) join->mark = gen_bool(w, pair, 1);
    if (below(w, 2)) {
        bool *null_safe = base_arena_array(&w->arena, bool, nequi + 1);
        for (uint32_t k = 0; k < nequi; k++) null_safe[k] = below(w, 2) != 0;
        join->null_safe = null_safe;
    }
    return join;
}

// The right side without long texts: of rows of one time, those that differ late in a long text
// only are told apart, but not in their order.
static const plan_node *gen_asof(world *w, const plan_node *left, const plan_node *right) {
    static const col_kind times[] = {COL_INT4, COL_INT8, COL_NUMERIC, COL_TIMESTAMPTZ};
    base_arena *a = &w->arena;
    uint32_t n = 0, nequi = 0, wanted = below(w, 3);
    const plan_expr **exprs = base_arena_array(a, const plan_expr *, right->ncolumns + 1u);
    uint32_t *lk = base_arena_array(a, uint32_t, 2), *rk = base_arena_array(a, uint32_t, 2);
    for (uint32_t c = 0; c < right->ncolumns; c++)
        if (right->columns[c].type.kind != COL_TEXT) exprs[n++] = m_column(a, right, c);
    int text = pick_column(w, right, COL_TEXT), other = pick_column(w, left, COL_TEXT);
    if (text >= 0 && other >= 0 && wanted > 0) {
        lk[nequi] = (uint32_t)other;
        rk[nequi++] = n;
        exprs[n++] = m_column(a, right, (uint32_t)text);
    }
    if (n == 0) exprs[n++] = m_int(a, COL_INT4, 1);
    right = m_project(a, &w->next_id, right, n, exprs);
    for (uint32_t tries = 0; tries < 10 && nequi < wanted; tries++) {
        uint32_t l = below(w, left->ncolumns);
        int r = pick_column(w, right, left->columns[l].type.kind);
        if (r < 0 || left->columns[l].type.kind == COL_TEXT) continue;
        lk[nequi] = l;
        rk[nequi++] = (uint32_t)r;
    }
    for (uint32_t tries = 0; tries < 10; tries++) {
        col_kind kind = times[below(w, 4)];
        int l = pick_column(w, left, kind), r = pick_column(w, right, kind);
        if (l >= 0 && r >= 0) {
            plan_node *node = m_asof(a, &w->next_id, below(w, 2) ? PLAN_JOIN_LEFT : PLAN_JOIN_INNER,
                                     (plan_asof)below(w, 4), left, right, nequi, lk, rk,
                                     (uint32_t)l, (uint32_t)r);
            plan_sort_key *sort = base_arena_array(a, plan_sort_key, 2);
            for (uint32_t k = below(w, 3); node->nsort < k; node->nsort++) {
                uint32_t c = below(w, right->ncolumns);
                if (right->columns[c].type.kind == COL_TEXT) break;
                sort[node->nsort] = (plan_sort_key){.column = c, .descending = below(w, 2) != 0};
                sort[node->nsort].nulls_first = sort[node->nsort].descending;
            }
            node->sort = sort;
            return node;
        }
    }
    return left;
}

// Series of 0 to 4 numbers a row.
static const plan_node *gen_series(world *w, const plan_node *input) {
    const plan_expr *from[2], *to[2];
    uint32_t n = 1 + below(w, 2);
    for (uint32_t i = 0; i < n; i++) {
        from[i] = gen_expr(w, input, COL_INT8, 1);
        to[i] =
            m_call2(&w->arena, "+", from[i], m_int(&w->arena, COL_INT8, (int64_t)below(w, 5) - 1));
    }
    plan_node *node = m_series(&w->arena, &w->next_id, input, n, from, to, below(w, 2) != 0);
    if (below(w, 2)) node->join = PLAN_JOIN_LEFT;
    if (node->join == PLAN_JOIN_LEFT && below(w, 2)) node->predicate = gen_bool(w, node, 1);
    return node;
}

static const plan_node *gen_sort(world *w, const plan_node *input) {
    plan_node *sort = m_same(&w->arena, PLAN_NODE_SORT, &w->next_id, 1, &input);
    // All columns, so that rows that sort alike are equal.
    plan_sort_key *keys = base_arena_array(&w->arena, plan_sort_key, input->ncolumns);
    uint32_t first = below(w, input->ncolumns);
    for (uint32_t i = 0; i < input->ncolumns; i++) {
        keys[i] =
            (plan_sort_key){(first + i) % input->ncolumns, below(w, 2) != 0, below(w, 2) != 0};
    }
    sort->nsort = input->ncolumns;
    sort->sort = keys;
    sort->limit = (int64_t)below(w, 5) - 1;
    sort->offset = below(w, 3) == 0 ? below(w, 4) : 0;
    return sort;
}

// Both sides are made to have columns of the same types.
static const plan_node *gen_setop(world *w, int depth) {
    static const col_kind kinds[] = {COL_INT4, COL_TEXT, COL_NUMERIC};
    uint32_t n = 1 + below(w, 2), first = below(w, 3);
    const plan_node *sides[2];
    for (uint32_t s = 0; s < 2; s++) {
        const plan_node *input = gen_plan(w, depth - 1);
        const plan_expr **exprs = base_arena_array(&w->arena, const plan_expr *, n);
        for (uint32_t i = 0; i < n; i++) exprs[i] = gen_expr(w, input, kinds[(first + i) % 3], 1);
        sides[s] = m_project(&w->arena, &w->next_id, input, n, exprs);
    }
    plan_node *node = m_same(&w->arena, PLAN_NODE_SETOP, &w->next_id, 2, sides);
    node->set_op = below(w, 2) ? PLAN_SET_EXCEPT : PLAN_SET_INTERSECT;
    node->set_all = below(w, 2);
    return node;
}

#include "flow_world_over.h"

static const plan_node *gen_plan(world *w, int depth) {
    if (depth == 0) return gen_scan(w);
    uint32_t choice = below(w, 13);
    // Which of equal rows come first is not said.
    if (FLOW_SPELLED && (choice == 9 || choice == 10)) choice = choice == 9 ? 6 : 8;
    if (FLOW_SPELLED && choice == 12) choice = 5;
    switch (choice) {
    case 12: {
        const plan_node *left = gen_plan(w, depth - 1);
        return gen_asof(w, left, gen_plan(w, depth - 1));
    }
    case 11:
        return gen_series(w, gen_plan(w, depth - 1));
    case 0: {
        const plan_node *input = gen_plan(w, depth - 1);
        return m_filter(&w->arena, &w->next_id, input, gen_bool(w, input, 2));
    }
    case 1:
        return gen_project(w, gen_plan(w, depth - 1));
    case 2: {
        const plan_node *input = gen_plan(w, depth - 1);
        int time = pick_column(w, input, COL_TIMESTAMPTZ);
        if (time < 0) return input;
        plan_window window = {.form = (plan_window_form)below(w, 4)};
        if (window.form == PLAN_WINDOW_SESSION) {
            uint32_t *partition = base_arena_array(&w->arena, uint32_t, 2);
            window.npartition = below(w, 3);
            for (uint32_t k = 0; k < 2; k++) partition[k] = below(w, input->ncolumns);
            window.partition = partition;
        }
        window.step.n = 1000000ll * (7 + below(w, 60));
        window.size.n = window.step.n;
        if (window.form == PLAN_WINDOW_HOP || window.form == PLAN_WINDOW_CUMULATE)
            window.size.n *= 1 + below(w, 4);
        if (window.form == PLAN_WINDOW_HOP && below(w, 2)) window.size.n -= 3000000;
        if (below(w, 2)) window.offset_us = (int64_t)below(w, 10000000) - 5000000;
        return m_window(&w->arena, &w->next_id, input, (uint32_t)time, window);
    }
    case 3:
    case 4:
        return gen_aggregate(w, gen_plan(w, depth - 1));
    case 5:
        return gen_join(w, depth);
    case 6: {
        const plan_node *input = gen_plan(w, depth - 1);
        return m_same(&w->arena, PLAN_NODE_DISTINCT, &w->next_id, 1, &input);
    }
    case 7: {
        const plan_node *input = gen_plan(w, depth - 1);
        const plan_node *both[2] = {input,
                                    m_filter(&w->arena, &w->next_id, input, gen_bool(w, input, 1))};
        // The same subtree twice would need the same state twice: only where it keeps none.
        if (input->kind != PLAN_NODE_SCAN) return both[1];
        both[0] = m_scan(&w->arena, &w->next_id, input->object, input->ncolumns, input->indexes);
        return m_same(&w->arena, PLAN_NODE_UNION_ALL, &w->next_id, 2, both);
    }
    case 8:
        return gen_setop(w, depth);
    case 9:
        return below(w, 2) ? gen_over(w, gen_plan(w, depth - 1), false)
                           : gen_top(w, gen_plan(w, depth - 1));
    default:
        return gen_sort(w, gen_plan(w, depth - 1));
    }
}

// ------------------------------------------------------------------------------------ random input

static ref_cell gen_cell(world *w, uint32_t column) {
    static char big[2][301]; // longer than what a state key holds as it is
    if (big[0][0] == 0) {
        memset(big[0], 'x', 300);
        memset(big[1], 'x', 300);
        big[1][299] = 'y';
    }
    const char *const texts[] = {
        "a", "b", "ccc", "", "no inline key of the cache is so long as this", big[0], big[1]};
    ref_cell c = {.kind = input_types(column).kind, .null = below(w, 6) == 0};
    c.i = below(w, 4);
    if (column == 4) c.i = ((int64_t)below(w, 200) - 50) * 1000000;
    if (column == 5) c.i = below(w, 2);
    c.d = base_decimal_make((base_i128)below(w, 400) - 100, 2);
    if (FLOW_SPELLED) {
        static const int powers[] = {1, 10, 100};
        uint32_t scale = below(w, 3);
        c.d = base_decimal_make(((base_i128)below(w, 4) - 1) * powers[scale], (int)scale);
    }
    c.s = base_str_of(texts[below(w, 20) == 0 ? 5 + below(w, 2) : below(w, 5)]);
    return c;
}

typedef struct push {
    uint32_t input;
    uint32_t n;
    ref_cell **rows;
    int64_t *weights;
} push;

// What is pushed in one step; the world's inputs become what they are after it.
M_FN uint32_t gen_pushes(world *w, push *pushes, uint32_t most) {
    uint32_t count = below(w, most + 1);
    for (uint32_t p = 0; p < count; p++) {
        uint32_t input = below(w, NINPUTS), n = 1 + below(w, 8);
        ref_rows *rows = &w->inputs[input];
        pushes[p] = (push){input, 0, base_arena_array(&w->arena, ref_cell *, n),
                           base_arena_array(&w->arena, int64_t, n)};
        bool grows = w->objects[input].kind == PLAN_OBJECT_STREAM;
        for (uint32_t i = 0; i < n; i++) {
            if (!grows && rows->n > 0 && below(w, 5) < 2) {
                uint32_t gone = below(w, rows->n);
                pushes[p].rows[i] = rows->rows[gone].cells;
                pushes[p].weights[i] = -1;
                rows->rows[gone] = rows->rows[--rows->n];
            } else {
                ref_cell *cells = base_arena_array(&w->arena, ref_cell, NCOLS);
                for (uint32_t c = 0; c < NCOLS; c++) cells[c] = gen_cell(w, c);
                int64_t weight = below(w, 8) == 0 ? 2 : 1;
                pushes[p].rows[i] = cells;
                pushes[p].weights[i] = weight;
                for (int64_t k = 0; k < weight; k++) ref_add(&w->arena, rows, cells);
            }
        }
        pushes[p].n = n;
    }
    return count;
}

// ------------------------------------------------------------------------------------ running

typedef struct runner {
    world *w;
    state_store *store;
    state_memory *memory;
    char dir[64];
    state_table steps; // one row: how many steps are committed
    flow_graph *graph;
    base_arena step;
    flow_ctx *ctx; // of the step in progress
    uint32_t batch_rows;
    uint64_t cache_bytes;
    uint64_t nsteps;
    ref_view views[2];
    base_error err;
} runner;

M_FN bool open_graph(runner *r) {
    state_config config = {.in_memory = r->memory != NULL,
                           .memory = r->memory,
                           .no_sync = true,
                           .map_bytes = 64 << 20};
    if (state_store_open(plat_os(), r->dir, &config, &r->store, &r->err) != BASE_OK) return false;
    if (state_table_open(r->store, "steps", &r->steps, &r->err) != BASE_OK) return false;
    flow_graph_config graph = {
        .store = r->store, .cache_bytes = r->cache_bytes, .batch_rows = r->batch_rows};
    return flow_graph_create(&graph, &r->graph, &r->err) == BASE_OK &&
           flow_graph_add(r->graph, &r->w->view, r->w->plan, &r->err) == BASE_OK &&
           flow_graph_add(r->graph, &r->w->second, r->w->second_plan, &r->err) == BASE_OK;
}

M_FN void close_graph(runner *r) {
    flow_graph_destroy(r->graph);
    r->graph = NULL;
    if (r->store != NULL) state_store_close(r->store);
    r->store = NULL;
}

static void ignore_failed(void *self, uint32_t node_id, const col_batch *batch, uint32_t row,
                          const base_error *err) {
    (void)self, (void)node_id, (void)batch;
    must(row < batch->nrows && err->code != BASE_OK && err->sqlstate[0] != 0);
}

static base_rc push_batch(runner *r, const push *p, uint32_t begin, uint32_t n, base_arena *arena) {
    const flow_input *inputs;
    size_t ninputs = flow_graph_inputs(r->graph, &inputs), at = 0;
    const plan_object *object = &r->w->objects[p->input];
    while (at < ninputs && inputs[at].object != object) at++;
    if (at == ninputs) return BASE_OK; // no view reads it
    col_type types[NCOLS];
    for (uint32_t c = 0; c < inputs[at].ncolumns; c++) {
        types[c] = object->columns[inputs[at].columns[c]].type;
    }
    col_batch *batch = col_batch_create(arena, inputs[at].ncolumns, types, n);
    for (uint32_t i = 0; i < n; i++) {
        for (uint32_t c = 0; c < inputs[at].ncolumns; c++) {
            ref_write(&batch->cols[c], i, &p->rows[begin + i][inputs[at].columns[c]], arena);
        }
    }
    bool ones = true;
    for (uint32_t i = 0; i < n; i++) ones = ones && p->weights[begin + i] == 1;
    if (!ones) {
        int64_t *weights = base_arena_alloc(arena, sizeof *weights * (n + 1u));
        memcpy(weights, p->weights + begin, sizeof *weights * n);
        batch->weights = weights;
    }
    // Only what the graph says to retain may outlive the push; the copy owns its strings.
    base_arena *own = flow_graph_retains(r->graph, at) ? &r->step : arena;
    batch = col_batch_copy(own, batch);
    r->ctx->arena = own;
    base_rc rc = flow_graph_push(r->graph, at, batch, NULL, &r->err);
    r->ctx->arena = &r->step;
    return rc;
}

static base_rc push_rows(runner *r, const push *p, uint32_t begin, uint32_t n) {
    base_arena arena;
    base_arena_init(&arena, 4096);
    base_rc rc = push_batch(r, p, begin, n, &arena);
    base_arena_deinit(&arena);
    return rc;
}

// What the store says; faults must be off, or it may be UINT64_MAX.
static uint64_t committed_steps(runner *r) {
    state_txn *txn;
    uint64_t n = UINT64_MAX;
    if (r->memory != NULL) state_memory_set_fault(r->memory, NULL, NULL);
    if (state_begin_read(r->store, &txn, &r->err) != BASE_OK) return n;
    base_str value;
    bool found;
    base_rc rc = state_get(txn, r->steps, BASE_STR("n"), &value, &found, &r->err);
    if (rc == BASE_OK) n = 0;
    if (rc == BASE_OK && found) memcpy(&n, value.p, sizeof n);
    state_abort(txn);
    return n;
}

// Called before a step is flushed, if set.
__attribute__((unused)) static void (*world_before_flush)(runner *r);

// One step; stop_at says where it is aborted (0: nowhere).
M_FN base_rc run_step(runner *r, const push *pushes, uint32_t npushes, uint32_t stop_at) {
    static const flow_hooks hooks = {.row_failed = ignore_failed};
    base_arena_reset(&r->step);
    state_txn *txn;
    base_rc rc = state_begin_write(r->store, &txn, &r->err);
    if (rc != BASE_OK) return rc;
    flow_ctx ctx = {.arena = &r->step,
                    .step_arena = &r->step,
                    .txn = txn,
                    .step = r->nsteps,
                    .hooks = &hooks,
                    .low_watermark_us = INT64_MIN};
    r->ctx = &ctx;
    flow_graph_begin(r->graph, &ctx);
    for (uint32_t p = 0; p < npushes && rc == BASE_OK; p++) {
        for (uint32_t at = 0; at < pushes[p].n && rc == BASE_OK; at += r->batch_rows) {
            uint32_t n = pushes[p].n - at < r->batch_rows ? pushes[p].n - at : r->batch_rows;
            rc = push_rows(r, &pushes[p], at, n);
        }
    }
    if (rc == BASE_OK && stop_at != 1 && world_before_flush != NULL) world_before_flush(r);
    if (rc == BASE_OK && stop_at != 1) rc = flow_graph_flush(r->graph, &r->err);
    ref_view next[2] = {{0}, {0}};
    for (uint32_t v = 0; v < 2 && rc == BASE_OK && stop_at == 0; v++) {
        ref_view_copy(&next[v], &r->views[v]);
        ref_view_apply(&r->step, &next[v],
                       flow_graph_output(r->graph, v == 0 ? r->w->view.id : r->w->second.id));
    }
    if (rc == BASE_OK && stop_at != 1 && stop_at != 2) rc = flow_graph_save(r->graph, &r->err);
    if (rc == BASE_OK && stop_at == 0) rc = flow_graph_verify(r->graph, &ctx, &r->err);
    if (rc != BASE_OK || stop_at != 0) {
        state_abort(txn);
        flow_graph_reset(r->graph);
        for (uint32_t v = 0; v < 2; v++) ref_view_clear(&next[v]);
        return rc;
    }
    uint64_t done = r->nsteps + 1;
    rc = state_put(txn, r->steps, BASE_STR("n"), (base_str){(const char *)&done, sizeof done},
                   &r->err);
    if (rc != BASE_OK) state_abort(txn);
    if (rc == BASE_OK) rc = state_commit(txn, &r->err);
    if (rc != BASE_OK) {
        // It may be in place all the same: the store knows.
        flow_graph_reset(r->graph);
        base_error failure = r->err;
        bool committed = committed_steps(r) == done;
        r->err = failure;
        if (!committed) {
            for (uint32_t v = 0; v < 2; v++) ref_view_clear(&next[v]);
            return rc;
        }
    }
    for (uint32_t v = 0; v < 2; v++) {
        ref_view_clear(&r->views[v]);
        r->views[v] = next[v];
    }
    if (rc == BASE_OK) flow_graph_end(r->graph);
    r->nsteps++;
    return BASE_OK;
}

// The plan as an ad-hoc query over what is there now.
M_FN bool check_adhoc(runner *r) {
    static const flow_hooks hooks = {.row_failed = ignore_failed};
    world *w = r->w;
    flow_graph *running = r->graph;
    flow_graph_config config = {.batch_rows = r->batch_rows};
    base_rc rc = flow_graph_create(&config, &r->graph, &r->err);
    if (rc == BASE_OK) rc = flow_graph_add(r->graph, NULL, w->plan, &r->err);
    base_arena_reset(&r->step);
    flow_ctx ctx = {.arena = &r->step, .step_arena = &r->step, .hooks = &hooks};
    r->ctx = &ctx;
    if (rc == BASE_OK) flow_graph_begin(r->graph, &ctx);
    for (uint32_t i = 0; i < NINPUTS && rc == BASE_OK; i++) {
        const ref_rows *rows = &w->inputs[i];
        push all = {i, rows->n, base_arena_array(&r->step, ref_cell *, rows->n + 1u),
                    base_arena_array(&r->step, int64_t, rows->n + 1u)};
        for (uint32_t k = 0; k < rows->n; k++) {
            all.rows[k] = rows->rows[k].cells;
            all.weights[k] = 1;
        }
        if (rows->n > 0) rc = push_rows(r, &all, 0, rows->n);
    }
    if (rc == BASE_OK) rc = flow_graph_flush(r->graph, &r->err);
    ref_view got = {0};
    ref_rows want;
    if (rc == BASE_OK) ref_view_apply(&r->step, &got, flow_graph_output(r->graph, 0));
    ref_plan(&r->step, w->plan, world_input, &want);
    bool same = rc == BASE_OK && ref_view_equals(&r->step, &got, &want);
    if (!same) fprintf(stderr, "  (ad hoc: %s)\n", rc == BASE_OK ? "" : r->err.message);
    ref_view_clear(&got);
    flow_graph_destroy(r->graph);
    r->graph = running;
    return same;
}

M_FN bool check_views(runner *r) {
    base_arena scratch;
    base_arena_init(&scratch, 1 << 16);
    bool same = true;
    for (uint32_t v = 0; v < 2 && same; v++) {
        ref_rows want;
        ref_plan(&scratch, v == 0 ? r->w->plan : r->w->second_plan, world_input, &want);
        same = ref_view_equals(&scratch, &r->views[v], &want);
        if (!same) fprintf(stderr, "  (view %u)\n", v);
    }
    base_arena_deinit(&scratch);
    return same;
}

M_FN void world_init(world *w, uint64_t seed) {
    memset(w, 0, sizeof *w);
    w->seed = seed;
    base_random_seed(&w->random, seed);
    base_arena_init(&w->arena, 1 << 16);
    plan_column *columns = base_arena_array(&w->arena, plan_column, NCOLS);
    for (uint32_t c = 0; c < NCOLS; c++)
        columns[c] = (plan_column){.name = "c", .type = input_types(c)};
    for (uint32_t i = 0; i < NINPUTS; i++) {
        w->objects[i] = (plan_object){.kind = i == 2 ? PLAN_OBJECT_STREAM : PLAN_OBJECT_VIEW,
                                      .id = i + 1,
                                      .schema = "s",
                                      .name = "o",
                                      .ncolumns = NCOLS,
                                      .columns = columns,
                                      .event_time = -1};
        w->inputs[i].ncols = NCOLS;
    }
    w->plan = (plan_node *)(uintptr_t)gen_plan(w, 1 + (int)below(w, 3));
    w->view = (plan_object){.kind = PLAN_OBJECT_VIEW,
                            .id = 11,
                            .schema = "s",
                            .name = "v",
                            .ncolumns = w->plan->ncolumns,
                            .columns = w->plan->columns,
                            .plan = w->plan,
                            .event_time = -1};
    uint32_t *all = base_arena_array(&w->arena, uint32_t, w->plan->ncolumns);
    for (uint32_t c = 0; c < w->plan->ncolumns; c++) all[c] = c;
    const plan_node *scan = m_scan(&w->arena, &w->next_id, &w->view, w->plan->ncolumns, all);
    w->second_plan = (plan_node *)(uintptr_t)gen_aggregate(w, scan);
    w->second = w->view;
    w->second.id = 12;
    w->second.plan = w->second_plan;
    the_world = w;
}

// After another plan was put in w->plan: the view is of it, and the second view shows the first.
__attribute__((unused)) static void world_view_plan(world *w) {
    w->view.ncolumns = w->plan->ncolumns;
    w->view.columns = w->plan->columns;
    w->view.plan = w->plan;
    uint32_t *all = base_arena_array(&w->arena, uint32_t, w->plan->ncolumns);
    for (uint32_t c = 0; c < w->plan->ncolumns; c++) all[c] = c;
    w->second_plan = m_scan(&w->arena, &w->next_id, &w->view, w->plan->ncolumns, all);
    w->second.plan = w->second_plan;
    w->second.ncolumns = w->plan->ncolumns;
    w->second.columns = w->plan->columns;
}

#endif
