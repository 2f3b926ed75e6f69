// session.c - which aggregates are by the sessions below them; see session.h. Entry point:
// plan_session_moves.
#include "plan/session.h"

#include <string.h>

#include "col/kernel.h"
#include "plan/agg.h"
#include "plan/growth.h"

#define CHAIN_MAX 32 // nodes between session and aggregate

static bool reads_window(base_arena *arena, const plan_expr *expr, const bool *windowed,
                         uint32_t ncolumns) {
    bool *used = base_arena_array(arena, bool, ncolumns + 1u);
    if (expr != NULL) plan_expr_columns(expr, used);
    for (uint32_t i = 0; i < ncolumns; i++)
        if (used[i] && windowed[i]) return true;
    return false;
}

typedef struct window_test {
    base_arena *arena;
    const bool *windowed;
    uint32_t ncolumns;
    bool reads;
} window_test;

static void test_expr(void *self, const plan_expr *expr) {
    window_test *test = self;
    test->reads |= reads_window(test->arena, expr, test->windowed, test->ncolumns);
}

// What column i of the chain's top is, of the session's output; false: it is computed.
static bool trace(const plan_node *const *chain, uint32_t n, uint32_t i, uint32_t *column) {
    for (uint32_t c = 0; c < n; c++) {
        if (chain[c]->kind != PLAN_NODE_PROJECT) continue;
        const plan_expr *expr = chain[c]->exprs[i];
        if (expr->kind != PLAN_EXPR_COLUMN) return false;
        i = expr->index;
    }
    *column = i;
    return true;
}

// Whether what lies between leaves the rows of a session together: nothing but keys of the
// aggregate may depend on the window.
static bool passes_sessions(base_arena *arena, const plan_node *const *chain, uint32_t n,
                            const plan_node *session, const plan_node *aggregate) {
    uint32_t nin = session->inputs[0]->ncolumns;
    bool *windowed = base_arena_array(arena, bool, session->ncolumns + 1u);
    for (uint32_t i = 0; i < session->ncolumns; i++) windowed[i] = i >= nin;
    for (uint32_t c = n; c-- > 0;) {
        const plan_node *node = chain[c];
        uint32_t below = node->inputs[0]->ncolumns;
        if (node->kind == PLAN_NODE_FILTER) {
            if (reads_window(arena, node->predicate, windowed, below)) return false;
            continue;
        }
        bool *above = base_arena_array(arena, bool, node->ncolumns + 1u);
        for (uint32_t i = 0; i < node->ncolumns; i++) {
            const plan_expr *expr = node->exprs[i];
            above[i] = reads_window(arena, expr, windowed, below);
            if (above[i] && expr->kind != PLAN_EXPR_COLUMN) return false;
        }
        windowed = above;
    }
    window_test test = {arena, windowed, aggregate->inputs[0]->ncolumns, false};
    for (uint32_t i = 0; i < aggregate->naggs; i++)
        plan_agg_each(&aggregate->aggs[i], test_expr, &test);
    return !test.reads;
}

// Whether the keys are the partition's columns, all of them, and the window's, one at least.
static bool keys_are_sessions(const plan_node *session, uint32_t nkeys, const uint32_t *columns) {
    const plan_window *window = session->window;
    uint32_t nin = session->inputs[0]->ncolumns, nwindow = 0;
    for (uint32_t k = 0; k < nkeys; k++) {
        bool known = columns[k] >= nin;
        nwindow += known;
        for (uint32_t p = 0; p < window->npartition && !known; p++)
            known = window->partition[p] == columns[k];
        if (!known) return false;
    }
    for (uint32_t p = 0; p < window->npartition; p++) {
        bool found = false;
        for (uint32_t k = 0; k < nkeys && !found; k++) found = columns[k] == window->partition[p];
        if (!found) return false;
    }
    return nwindow > 0;
}

// Whether an aggregate can take rows in of which none is retracted, and move them as one.
static bool is_movable(const plan_agg *agg) {
    plan_agg_id id = agg->def->id;
    if (id == PLAN_AGG_APPROX_COUNT_DISTINCT || id == PLAN_AGG_APPROX_PERCENTILE) return false;
    bool distinct = agg->distinct && agg->arg != NULL && !plan_agg_ignores_repeats(id);
    return agg->def->form == PLAN_AGG_PLAIN && !distinct;
}

bool plan_session_moves(base_arena *arena, const plan_node *aggregate, const plan_node **session,
                        uint32_t *columns) {
    const plan_node *chain[CHAIN_MAX], *node = aggregate->inputs[0];
    uint32_t n = 0;
    if (aggregate->nexprs == 0 || aggregate->expand != NULL) return false;
    for (uint32_t k = 0; k < aggregate->nexprs; k++)
        if (!col_one_spelling(&aggregate->exprs[k]->type)) return false; // spellings do not move
    for (uint32_t i = 0; i < aggregate->naggs; i++)
        if (!is_movable(&aggregate->aggs[i])) return false;
    for (; node->kind == PLAN_NODE_PROJECT || node->kind == PLAN_NODE_FILTER;
         node = node->inputs[0]) {
        if (n == CHAIN_MAX || node->shared) return false;
        chain[n++] = node;
    }
    if (node->kind != PLAN_NODE_SESSION || node->shared || !plan_only_grows(node->inputs[0], true))
        return false;
    *session = node;
    for (uint32_t k = 0; k < aggregate->nexprs; k++) {
        const plan_expr *expr = aggregate->exprs[k];
        if (expr->kind != PLAN_EXPR_COLUMN || !trace(chain, n, expr->index, &columns[k]))
            return false;
    }
    return keys_are_sessions(node, aggregate->nexprs, columns) &&
           passes_sessions(arena, chain, n, node, aggregate);
}
