// test_flow_lookup.c - look-ups (FOR SYSTEM_TIME AS OF PROCTIME()) over random signed deltas. What
// is given depends on when, so the reference is a book of the left rows that came with what the
// right side had for each in that step; one that goes is struck out: of equal ones that without a
// match, then that with the least. Aborted steps and restarts leave no trace. A failure prints the
// seed: test_flow_lookup seed=N runs that one alone; runs=N runs more.
#include "flow_world.h"

typedef struct entry {
    ref_cell *left, *match; // match NULL: none
} entry;

static struct {
    uint32_t n;
    entry entries[4096];
} book;

static void init(world *w, uint64_t seed) {
    base_arena *a = &w->arena;
    const plan_node *right;
    book.n = 0;
    for (;; seed += 1000003) {
        world_init(w, seed);
        right = gen_aggregate(w, gen_scan(w)); // one row a group
        if (right->nexprs > 0) break;
        base_arena_deinit(a);
    }
    const plan_node *scan = gen_scan(w);
    uint32_t nkeys = right->nexprs, n = scan->ncolumns;
    const plan_expr **exprs = base_arena_array(a, const plan_expr *, n + nkeys);
    uint32_t *lk = base_arena_array(a, uint32_t, nkeys), *rk = base_arena_array(a, uint32_t, nkeys);
    for (uint32_t c = 0; c < n; c++) exprs[c] = m_column(a, scan, c);
    for (uint32_t k = 0; k < nkeys; k++) {
        lk[k] = n + k;
        rk[k] = k;
        exprs[n + k] = gen_expr(w, scan, right->columns[k].type.kind, 1);
    }
    const plan_node *left = m_project(a, &w->next_id, scan, n + nkeys, exprs);
    plan_node *join = m_join(a, &w->next_id, below(w, 2) ? PLAN_JOIN_LEFT : PLAN_JOIN_INNER, left,
                             right, nkeys, lk, rk, NULL);
    join->kind = PLAN_NODE_LOOKUP;
    w->plan = join;
    world_view_plan(w);
}

static ref_cell *match_in(const plan_node *node, const ref_cell *left, const ref_rows *right) {
    for (uint32_t r = 0; r < right->n; r++) {
        ref_cell *cells = right->rows[r].cells;
        bool same = true;
        for (uint32_t k = 0; k < node->nequi && same; k++) {
            const ref_cell *x = &left[node->left_keys[k]], *y = &cells[node->right_keys[k]];
            same = !x->null && !y->null && ref_cmp(x, y) == 0;
        }
        if (same) return cells;
    }
    return NULL;
}

// Of equal left rows, which is struck out first.
static bool before(const entry *a, const entry *b, uint32_t ncols) {
    int order = 0;
    if (a->match == NULL || b->match == NULL) return a->match == NULL && b->match != NULL;
    for (uint32_t c = 0; c < ncols && order == 0; c++) order = ref_cmp(&a->match[c], &b->match[c]);
    return order < 0;
}

static uint32_t count_in_book(const ref_cell *left, uint32_t ncols, uint32_t *first,
                              uint32_t nright) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < book.n; i++) {
        if (!ref_rows_equal(book.entries[i].left, left, ncols)) continue;
        if (n++ == 0 || before(&book.entries[i], &book.entries[*first], nright)) *first = i;
    }
    return n;
}

static uint32_t count_in_rows(const ref_rows *rows, const ref_cell *left) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < rows->n; i++)
        n += ref_rows_equal(rows->rows[i].cells, left, rows->ncols);
    return n;
}

static bool check_book(runner *r) {
    world *w = r->w;
    ref_rows left, right, want = {.ncols = w->plan->ncolumns};
    uint32_t first = 0, nright = w->plan->inputs[1]->ncolumns;
    ref_plan(&w->arena, w->plan->inputs[0], world_input, &left);
    ref_plan(&w->arena, w->plan->inputs[1], world_input, &right);
    for (uint32_t i = 0; i < book.n;) { // what has gone
        const ref_cell *row = book.entries[i].left;
        if (count_in_book(row, left.ncols, &first, nright) > count_in_rows(&left, row)) {
            book.entries[first] = book.entries[--book.n];
        } else {
            i++;
        }
    }
    for (uint32_t i = 0; i < left.n; i++) { // what has come
        ref_cell *row = left.rows[i].cells;
        uint32_t there = count_in_rows(&left, row);
        while (count_in_book(row, left.ncols, &first, nright) < there) {
            must(book.n < sizeof book.entries / sizeof book.entries[0]);
            book.entries[book.n++] = (entry){row, match_in(w->plan, row, &right)};
        }
    }
    for (uint32_t i = 0; i < book.n; i++) {
        const entry *e = &book.entries[i];
        if (e->match == NULL && w->plan->join == PLAN_JOIN_INNER) continue;
        ref_row row = {e->left};
        ref_alone(&w->arena, w->plan, 0, &row, left.ncols, &want);
        if (e->match != NULL)
            memcpy(want.rows[want.n - 1].cells + left.ncols, e->match, sizeof(ref_cell) * nright);
    }
    return ref_view_equals(&w->arena, &r->views[0], &want) &&
           ref_view_equals(&w->arena, &r->views[1], &want);
}

#define FLOW_SEED_INIT  init
#define FLOW_SEED_CHECK check_book
#include "flow_seed.h"
