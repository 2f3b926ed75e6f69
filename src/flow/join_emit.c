// join_emit.c - the output of a join: pairs that match, and rows that stand by themselves.
//
// A pair is given to join_pairs_add with its weights; when enough are together they become a batch,
// of which the predicate (and the mark) leave those that match. They are counted on the sides that
// need it, and go out if the join gives pairs. The weight of a pair is the product of its rows'.
// Entry points: join_pairs_add, join_emit_edges.
#include "flow/join_int.h"

join_edge join_edge_of(const join_op *join, int64_t yes, int64_t maybe) {
    switch (join->kind) {
    case PLAN_JOIN_INNER:
        return JOIN_EDGE_NONE;
    case PLAN_JOIN_SEMI:
        return yes > 0 ? JOIN_EDGE_ROW : JOIN_EDGE_NONE;
    case PLAN_JOIN_MARK:
        return yes > 0 ? JOIN_EDGE_TRUE : maybe > 0 ? JOIN_EDGE_NULL : JOIN_EDGE_FALSE;
    default:
        return yes > 0 ? JOIN_EDGE_NONE : JOIN_EDGE_ROW;
    }
}

void join_edges_init(join_edges *edges, base_arena *arena, uint32_t cap) {
    *edges = (join_edges){0};
    edges->rows = base_arena_alloc(arena, sizeof(uint32_t) * (cap + 1u));
    edges->weights = base_arena_alloc(arena, sizeof(int64_t) * (cap + 1u));
    edges->edges = base_arena_alloc(arena, sizeof(join_edge) * (cap + 1u));
}

void join_edges_add(join_edges *edges, uint32_t row, int64_t weight, join_edge edge) {
    if (edge == JOIN_EDGE_NONE || weight == 0) return;
    edges->rows[edges->n] = row;
    edges->weights[edges->n] = weight;
    edges->edges[edges->n++] = edge;
}

static void null_column(col_vec *vec, base_arena *arena, col_type type, uint32_t n) {
    col_vec_init(vec, arena, type, n);
    col_vec_need_nulls(vec, arena);
    for (uint32_t i = 0; i < n; i++) col_vec_set_null(vec, arena, i);
}

static void mark_column(col_vec *vec, base_arena *arena, const join_edges *edges) {
    col_vec_init(vec, arena, col_type_of(COL_BOOL), edges->n);
    for (uint32_t i = 0; i < edges->n; i++) {
        col_u8(vec)[i] = edges->edges[i] == JOIN_EDGE_TRUE;
        if (edges->edges[i] == JOIN_EDGE_NULL) col_vec_set_null(vec, arena, i);
    }
}

static bool all_one(const int64_t *weights, uint32_t n) {
    for (uint32_t i = 0; i < n; i++) {
        if (weights[i] != 1) return false;
    }
    return true;
}

base_rc join_emit_edges(join_op *join, flow_ctx *ctx, flow_out *out, uint32_t which,
                        const col_batch *batch, const join_edges *edges, base_error *err) {
    if (edges->n == 0) return BASE_OK;
    base_arena *arena = ctx->arena;
    uint32_t ncols = join->op.node->ncolumns, n = edges->n, at = 0;
    col_batch *result = base_arena_new(arena, col_batch);
    *result = (col_batch){ncols, n, base_arena_array(arena, col_vec, ncols + 1u),
                          all_one(edges->weights, n) ? NULL : edges->weights};
    for (uint32_t s = 0; s < 2 && at < ncols; s++) {
        const join_side *side = &join->sides[s];
        if (s != which && join->kind == PLAN_JOIN_MARK) {
            mark_column(&result->cols[at++], arena, edges);
            continue;
        }
        for (uint32_t c = 0; c < side->ncolumns; c++) {
            col_vec *vec = &result->cols[at++];
            if (s == which) {
                *vec = *col_vec_gather(arena, &batch->cols[c], edges->rows, n);
            } else {
                null_column(vec, arena, side->types[c], n);
            }
        }
    }
    must(at == ncols);
    return flow_emit(out, ctx, result, err);
}

// ------------------------------------------------------------------------------------ pairs

void join_counts_init(const join_op *join, join_counts *counts, base_arena *arena, uint32_t n) {
    counts->yes = base_arena_array(arena, int64_t, n + 1u);
    if (join->op.node->mark != NULL) counts->maybe = base_arena_array(arena, int64_t, n + 1u);
}

void join_pairs_init(join_pairs *pairs, uint64_t expected) {
    base_arena *arena = pairs->ctx->arena;
    uint32_t most = pairs->join->op.graph->batch_rows;
    pairs->n = 0;
    pairs->cap = expected < most ? (uint32_t)expected + 1 : most;
    pairs->left_rows = base_arena_alloc(arena, sizeof(uint32_t) * pairs->cap);
    pairs->right_rows = base_arena_alloc(arena, sizeof(uint32_t) * pairs->cap);
}

static inline int64_t weight_of(const int64_t *weights, uint32_t row) {
    return weights == NULL ? 1 : weights[row];
}

// NULL: all 1.
static const int64_t *pair_weights(const join_pairs *p) {
    if (p->left_weights == NULL && p->right_weights == NULL) return NULL;
    int64_t *weights = base_arena_alloc(p->ctx->arena, sizeof(int64_t) * (p->n + 1u));
    for (uint32_t i = 0; i < p->n; i++) {
        weights[i] = weight_of(p->left_weights, p->left_rows[i]) *
                     weight_of(p->right_weights, p->right_rows[i]);
    }
    return all_one(weights, p->n) ? NULL : weights;
}

// The joined rows, and a last column with the number of the pair.
static col_batch *make_rows(const join_pairs *p) {
    base_arena *arena = p->ctx->arena;
    uint32_t nleft = p->join->sides[0].ncolumns, nright = p->join->sides[1].ncolumns, n = p->n;
    col_batch *batch = base_arena_new(arena, col_batch);
    *batch = (col_batch){nleft + nright + 1, n,
                         base_arena_array(arena, col_vec, nleft + nright + 1u), NULL};
    for (uint32_t c = 0; c < nleft; c++) {
        batch->cols[c] = *col_vec_gather(arena, &p->left->cols[c], p->left_rows, n);
    }
    for (uint32_t c = 0; c < nright; c++) {
        batch->cols[nleft + c] = *col_vec_gather(arena, &p->right->cols[c], p->right_rows, n);
    }
    col_vec *number = &batch->cols[nleft + nright];
    *number = (col_vec){.type = col_type_of(COL_INT4), .n = n};
    number->data = base_arena_alloc(arena, sizeof(int32_t) * (n + 1u));
    for (uint32_t i = 0; i < n; i++) col_i32(number)[i] = (int32_t)i;
    batch->weights = pair_weights(p);
    return batch;
}

// Rows for which a condition is true; null[number] is set where it is null.
static base_rc keep_true(join_pairs *p, const plan_expr *expr, const col_batch **rows,
                         bool *is_null, base_error *err) {
    base_arena *arena = p->ctx->arena;
    const col_vec *keep;
    base_rc rc = flow_eval(&p->join->op, p->ctx, *rows, 1, &expr, NULL, rows, &keep, err);
    if (rc != BASE_OK) return rc;
    const int32_t *number = col_i32(&(*rows)->cols[(*rows)->ncols - 1]);
    uint32_t *sel = base_arena_alloc(arena, sizeof(uint32_t) * ((*rows)->nrows + 1u)), n = 0;
    for (uint32_t i = 0; i < (*rows)->nrows; i++) {
        bool null = col_is_null(keep, i);
        if (is_null != NULL && null) is_null[number[i]] = true;
        sel[n] = i;
        n += !null && col_u8(keep)[i] != 0;
    }
    if (n < (*rows)->nrows) *rows = col_batch_gather(arena, *rows, sel, n);
    return BASE_OK;
}

static void count_pair(join_pairs *p, uint32_t i, bool yes) {
    int64_t *left = yes ? p->left_counts.yes : p->left_counts.maybe;
    int64_t *right = yes ? p->right_counts.yes : p->right_counts.maybe;
    if (left != NULL) left[p->left_rows[i]] += weight_of(p->right_weights, p->right_rows[i]);
    if (right != NULL) right[p->right_rows[i]] += weight_of(p->left_weights, p->left_rows[i]);
}

base_rc join_pairs_flush(join_pairs *p, base_error *err) {
    if (p->n == 0) return BASE_OK;
    const join_op *join = p->join;
    const plan_node *node = join->op.node;
    if (!join->gives_pairs && !join->tests_pairs) {
        for (uint32_t i = 0; i < p->n; i++) count_pair(p, i, true);
        p->n = 0;
        return BASE_OK;
    }
    const col_batch *rows = make_rows(p);
    if (node->predicate != NULL) {
        base_rc rc = keep_true(p, node->predicate, &rows, NULL, err);
        if (rc != BASE_OK) return rc;
    }
    if (node->mark != NULL) {
        bool *is_null = base_arena_array(p->ctx->arena, bool, p->n);
        base_rc rc = keep_true(p, node->mark, &rows, is_null, err);
        if (rc != BASE_OK) return rc;
        for (uint32_t i = 0; i < p->n; i++) {
            if (is_null[i]) count_pair(p, i, false);
        }
    }
    const int32_t *number = col_i32(&rows->cols[rows->ncols - 1]);
    if (p->left_counts.yes != NULL || p->right_counts.yes != NULL) {
        for (uint32_t i = 0; i < rows->nrows; i++) count_pair(p, (uint32_t)number[i], true);
    }
    p->n = 0;
    if (!join->gives_pairs) return flow_poll(join->op.graph, p->ctx, err);
    col_batch *result = base_arena_new(p->ctx->arena, col_batch);
    *result = *rows;
    result->ncols--;
    return flow_emit(p->out, p->ctx, result, err);
}
