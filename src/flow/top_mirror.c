// top_mirror.c - rows of heads that the view has; see top_mirror.h. Entry point: top_mirror_create.
#include "flow/top_mirror.h"

// Column v of the plan's output, of the output of `top`, with nothing but columns between.
static bool trace(const plan_node *plan, const plan_node *top, uint32_t v, uint32_t *column) {
    for (; plan != top; plan = plan->inputs[0]) {
        const plan_expr *expr = plan->exprs[v];
        if (expr->kind != PLAN_EXPR_COLUMN) return false;
        v = expr->index;
    }
    *column = v;
    return true;
}

// The view's key must be the partition's columns in their order, then the rank, if there may be
// more than one row.
static bool key_fits(const plan_node *plan, const plan_node *top, const uint32_t *columns,
                     bool *by_rank) {
    uint32_t n = top->npartition, rank = top->inputs[0]->ncolumns;
    *by_rank = plan->nkey == n + 1 && top->with_rank;
    if (n == 0 || (plan->nkey != n && !*by_rank)) return false;
    for (uint32_t k = 0; k < n; k++)
        if (columns[plan->key[k]] != top->partition[k]) return false;
    return *by_rank ? columns[plan->key[n]] == rank : top->limit <= 1;
}

top_mirror *top_mirror_create(base_arena *arena, const flow_view_rows *view, uint32_t view_id,
                              const plan_node *plan, const plan_node *top) {
    uint32_t n = plan->ncolumns, *columns = base_arena_array(arena, uint32_t, n + 1u);
    bool *shown = base_arena_array(arena, bool, top->ncolumns + 1u), by_rank;
    for (uint32_t v = 0; v < n; v++) {
        if (!trace(plan, top, v, &columns[v])) return NULL;
        shown[columns[v]] = true;
    }
    for (uint32_t c = 0; c < top->inputs[0]->ncolumns; c++)
        if (!shown[c]) return NULL;
    if (!key_fits(plan, top, columns, &by_rank)) return NULL;
    top_mirror *mirror = base_arena_new(arena, top_mirror);
    *mirror =
        (top_mirror){view, view_id, by_rank, n, columns, flow_types(arena, top), top->ncolumns};
    return mirror;
}

base_str top_mirror_key(const top_mirror *mirror, base_arena *arena, base_str partition,
                        int64_t rank) {
    if (!mirror->by_rank) return partition;
    const col_vec cell = {.type = col_type_of(COL_INT8), .n = 1, .data = &rank};
    base_buf buf = {0};
    base_buf_add_str(&buf, partition);
    col_key_encode(&buf, &cell, 0);
    base_str key = {base_arena_memdup(arena, buf.p, buf.n), buf.n};
    base_buf_deinit(&buf);
    return key;
}

base_rc top_mirror_get(const top_mirror *mirror, state_txn *txn, size_t n, const base_str *keys,
                       base_str *rows, base_error *err) {
    const flow_view_rows *view = mirror->view;
    if (n == 0) return BASE_OK;
    base_rc rc = view->get(view->self, mirror->view_id, txn, n, keys, rows, err);
    for (size_t i = 0; i < n && rc == BASE_OK; i++) {
        if (rows[i].p == NULL)
            rc = base_fail(err, BASE_E_CORRUPT, NULL, "view %u lacks a row that its operator gave",
                           mirror->view_id);
    }
    return rc;
}

base_rc top_mirror_decode(const top_mirror *mirror, base_str row, col_batch *batch, uint32_t at,
                          base_arena *arena, base_error *err) {
    size_t place = 0;
    return col_row_decode(row, &place, batch, at, mirror->ncolumns, mirror->columns, arena, err);
}
