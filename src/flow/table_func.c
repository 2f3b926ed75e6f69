// table_func.c - set-returning functions over each row of an input: unnest, generate_series, ...
//
// Delta rule: f(A + dA) = f(A) + f(dA). What the functions give for a row depends on that row
// alone, so the rows of dA are expanded, each with the weight of the row that it comes from; a row
// that is retracted gives the same rows again. With join LEFT a row that gives nothing (or nothing
// that the predicate lets through) stays, with nulls: that too depends on the row alone. Nothing is
// kept.
//
// Rows are expanded in pieces: a piece ends with the row that fills a batch. Several functions
// stand side by side, the shorter padded with nulls. Entry point: flow_table_func_create().
#include "flow/flow_int.h"

typedef struct table_func_op {
    flow_op op;
    bool *needed; // input columns that are read above or by the predicate
} table_func_op;

// What a piece of input rows gives: parallel selections of expanded rows.
typedef struct expansion {
    uint32_t rows; // input rows of the piece
    uint32_t n;
    uint32_t *from;  // n: row of the piece
    uint32_t *place; // n: number among the rows of its input row, from 0
    bool padded;     // some row has no row of some function
    col_set *sets;   // a function each
    uint32_t *count; // rows: how many each gives, without the one of LEFT
} expansion;

// Runs the functions over args (rows of a piece at most); rows says how many input rows were done.
static base_rc run_functions(table_func_op *t, col_func_ctx *func, const col_batch *args,
                             expansion *e) {
    const plan_node *node = t->op.node;
    uint32_t at = 0, column = node->inputs[0]->ncolumns;
    e->rows = args->nrows;
    e->sets = base_arena_array(func->arena, col_set, node->nfuncs);
    for (uint32_t f = 0; f < node->nfuncs; f++) {
        const plan_table_func *call = &node->funcs[f];
        const col_vec **vecs = base_arena_array(func->arena, const col_vec *, call->nargs + 1);
        for (uint32_t a = 0; a < call->nargs; a++) vecs[a] = &args->cols[at++];
        col_type *types = base_arena_array(func->arena, col_type, call->ncolumns + 1);
        for (uint32_t c = 0; c < call->ncolumns; c++) types[c] = node->columns[column++].type;
        base_rc rc = col_set_run(call->func, func, e->rows, call->nargs, vecs, call->ncolumns,
                                 types, t->op.graph->batch_rows, &e->sets[f]);
        if (rc != BASE_OK) return rc;
        e->rows = e->sets[f].done; // a later function may end earlier; what is beyond is run again
    }
    return BASE_OK;
}

// Which rows come out, in order: each input row's together.
static void lay_out(table_func_op *t, base_arena *arena, const uint8_t *failed, expansion *e) {
    const plan_node *node = t->op.node;
    bool outer = node->join == PLAN_JOIN_LEFT && node->predicate == NULL;
    uint64_t total = 0;
    e->count = base_arena_array(arena, uint32_t, (size_t)e->rows + 1);
    for (uint32_t i = 0; i < e->rows; i++) {
        for (uint32_t f = 0; f < node->nfuncs; f++) {
            uint32_t n = e->sets[f].counts[i];
            e->padded |= f > 0 && n != e->count[i];
            if (n > e->count[i]) e->count[i] = n;
        }
        if (failed != NULL && failed[i]) {
            // Of a row that fails in one function the others' rows are skipped too.
            for (uint32_t f = 0; f < node->nfuncs; f++) e->padded |= e->sets[f].counts[i] > 0;
            e->count[i] = 0;
        } else if (outer && e->count[i] == 0) {
            e->padded = true;
            total++;
        }
        total += e->count[i];
    }
    must(total < UINT32_MAX);
    e->from = base_arena_alloc(arena, sizeof(uint32_t) * (total + 1));
    e->place = base_arena_alloc(arena, sizeof(uint32_t) * (total + 1));
    for (uint32_t i = 0; i < e->rows; i++) {
        bool alone = outer && e->count[i] == 0 && !(failed != NULL && failed[i]);
        for (uint32_t k = 0; k < e->count[i] + alone; k++) {
            e->from[e->n] = i;
            e->place[e->n++] = alone ? COL_NO_ROW : k;
        }
    }
}

// Rows of a function in the layout; COL_NO_ROW where it has none.
static uint32_t *rows_of(base_arena *arena, const expansion *e, const col_set *set) {
    uint32_t *sel = base_arena_alloc(arena, sizeof(uint32_t) * (e->n + 1u)), begin = 0, at = 0;
    for (uint32_t i = 0; i < e->rows; i++) {
        for (; at < e->n && e->from[at] == i; at++) {
            bool there = e->place[at] != COL_NO_ROW && e->place[at] < set->counts[i];
            sel[at] = there ? begin + e->place[at] : COL_NO_ROW;
        }
        begin += set->counts[i];
    }
    return sel;
}

static void put_ordinality(base_arena *arena, const expansion *e, col_vec *vec) {
    col_vec_init(vec, arena, col_type_of(COL_INT8), e->n);
    for (uint32_t i = 0; i < e->n; i++) {
        col_i64(vec)[i] = (int64_t)e->place[i] + 1;
        if (e->place[i] == COL_NO_ROW) col_vec_set_null(vec, arena, i);
    }
}

static col_batch *expand(table_func_op *t, base_arena *arena, const col_batch *input,
                         const expansion *e) {
    const plan_node *node = t->op.node;
    uint32_t ninput = input->ncols, c = ninput;
    col_batch *out = base_arena_new(arena, col_batch);
    *out = (col_batch){node->ncolumns, e->n, NULL, NULL};
    out->cols = base_arena_array(arena, col_vec, node->ncolumns + 1u);
    for (uint32_t i = 0; i < ninput; i++) {
        if (t->needed[i]) {
            out->cols[i] = *col_vec_gather(arena, &input->cols[i], e->from, e->n);
        } else {
            flow_filler(&out->cols[i], arena, input->cols[i].type, e->n);
        }
    }
    for (uint32_t f = 0; f < node->nfuncs; f++) {
        const col_set *set = &e->sets[f];
        uint32_t *sel = e->padded ? rows_of(arena, e, set) : NULL;
        for (uint32_t k = 0; k < set->ncols; k++, c++) {
            if (sel != NULL) {
                out->cols[c] = *col_vec_gather_outer(arena, &set->cols[k], sel, e->n);
            } else {
                out->cols[c] = set->cols[k];
                out->cols[c].n = e->n; // without what a next piece runs again
            }
        }
    }
    if (node->ordinality) put_ordinality(arena, e, &out->cols[c]);
    if (input->weights != NULL) {
        int64_t *weights = base_arena_alloc(arena, sizeof(int64_t) * (e->n + 1u));
        for (uint32_t i = 0; i < e->n; i++) weights[i] = input->weights[e->from[i]];
        out->weights = weights;
    }
    return out;
}

// LEFT with a predicate: the rows that it lets through, and each input row that none is left of
// with nulls. The rows carry the number of their input row in a column more while it is evaluated.
static base_rc keep_matches(table_func_op *t, flow_ctx *ctx, const col_batch *input,
                            const uint8_t *failed, const expansion *e, col_batch *all,
                            const col_batch **out, base_error *err) {
    const plan_node *node = t->op.node;
    base_arena *arena = ctx->arena;
    col_batch marked = *all;
    marked.ncols = all->ncols + 1;
    marked.cols = base_arena_array(arena, col_vec, marked.ncols);
    memcpy(marked.cols, all->cols, sizeof(col_vec) * all->ncols);
    col_vec_init(&marked.cols[all->ncols], arena, col_type_of(COL_INT8), e->n);
    for (uint32_t i = 0; i < e->n; i++) col_i64(&marked.cols[all->ncols])[i] = e->from[i];
    const col_vec *keep;
    const col_batch *rows;
    base_rc rc = flow_eval(&t->op, ctx, &marked, 1, &node->predicate, NULL, &rows, &keep, err);
    if (rc != BASE_OK) return rc;
    const int64_t *from = col_i64(&rows->cols[all->ncols]);
    uint32_t *sel = base_arena_alloc(arena, sizeof(uint32_t) * ((size_t)rows->nrows + e->rows + 1));
    uint32_t *of = base_arena_alloc(arena, sizeof(uint32_t) * ((size_t)rows->nrows + e->rows + 1));
    uint32_t n = 0, at = 0;
    for (uint32_t i = 0; i < e->rows; i++) {
        uint32_t begin = n;
        for (; at < rows->nrows && from[at] == i; at++) {
            sel[n] = at;
            of[n] = i;
            n += col_u8(keep)[at] != 0 && !col_is_null(keep, at);
        }
        if (n > begin || (failed != NULL && failed[i])) continue;
        sel[n] = COL_NO_ROW;
        of[n++] = i;
    }
    col_batch *result = base_arena_new(arena, col_batch);
    *result = (col_batch){node->ncolumns, n, NULL, NULL};
    result->cols = base_arena_array(arena, col_vec, node->ncolumns + 1u);
    for (uint32_t c = 0; c < node->ncolumns; c++) {
        result->cols[c] = c < input->ncols ? *col_vec_gather(arena, &input->cols[c], of, n)
                                           : *col_vec_gather_outer(arena, &rows->cols[c], sel, n);
    }
    if (input->weights != NULL) {
        int64_t *weights = base_arena_alloc(arena, sizeof(int64_t) * (n + 1u));
        for (uint32_t i = 0; i < n; i++) weights[i] = input->weights[of[i]];
        result->weights = weights;
    }
    *out = result;
    return BASE_OK;
}

// Rows for which a function failed, each with its own message.
static void report_failed(table_func_op *t, flow_ctx *ctx, const col_batch *input,
                          const col_batch *args, const uint8_t *failed, uint32_t n,
                          const base_error *first) {
    enum { REPORTS_MAX = 1000 }; // rows of a piece whose own message is worked out
    uint32_t reported = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (!failed[i]) continue;
        base_error own = *first;
        if (reported++ < REPORTS_MAX) {
            base_error_clear(&own);
            col_func_ctx func;
            flow_func_ctx(&func, ctx, &own);
            expansion e = {0};
            base_rc rc = run_functions(t, &func, col_batch_slice(ctx->arena, args, i, 1), &e);
            if (rc == BASE_OK) own = *first;
        }
        ctx->hooks->row_failed(ctx->hooks->self, t->op.node_id, input, i, &own);
    }
}

static base_rc push_piece(table_func_op *t, flow_ctx *ctx, const col_batch *input,
                          const col_batch *args, uint32_t *done, flow_out *out, base_error *err) {
    base_error first;
    base_error_clear(&first);
    bool tolerant = ctx->hooks != NULL && ctx->hooks->row_failed != NULL;
    col_func_ctx func;
    flow_func_ctx(&func, ctx, tolerant ? &first : err);
    if (tolerant) func.failed = base_arena_array(ctx->arena, uint8_t, args->nrows + 1u);
    expansion e = {0};
    base_rc rc = run_functions(t, &func, args, &e);
    if (rc != BASE_OK) {
        const plan_node *node = t->op.node;
        if (err != NULL && err->position == 0 && node->nexprs > 0)
            err->position = node->exprs[0]->position;
        return rc;
    }
    if (first.code != BASE_OK) report_failed(t, ctx, input, args, func.failed, e.rows, &first);
    lay_out(t, ctx->arena, func.failed, &e);
    *done = e.rows;
    const col_batch *rows = expand(t, ctx->arena, input, &e);
    if (t->op.node->predicate != NULL) {
        rc = keep_matches(t, ctx, input, func.failed, &e, (col_batch *)rows, &rows, err);
        if (rc != BASE_OK) return rc;
    }
    return rows->nrows == 0 ? BASE_OK : flow_emit(out, ctx, rows, err);
}

static base_rc table_func_push(flow_op *op, flow_ctx *ctx, uint32_t port, const col_batch *batch,
                               flow_out *out, base_error *err) {
    (void)port;
    table_func_op *t = (table_func_op *)op;
    const plan_node *node = op->node;
    op->stats.rows_in += batch->nrows;
    const col_vec **values = base_arena_array(ctx->arena, const col_vec *, node->nexprs + 1u);
    const col_batch *rows;
    base_rc rc = flow_eval(op, ctx, batch, node->nexprs, node->exprs, NULL, &rows, values, err);
    if (rc != BASE_OK) return rc;
    col_batch args = {node->nexprs, rows->nrows, NULL, NULL};
    args.cols = base_arena_array(ctx->arena, col_vec, node->nexprs + 1u);
    for (uint32_t i = 0; i < node->nexprs; i++) args.cols[i] = *values[i];
    uint32_t most = op->graph->batch_rows, guess = most; // input rows that may fill a batch
    for (uint32_t at = 0, done = 0; at < rows->nrows && rc == BASE_OK; at += done) {
        uint32_t left = rows->nrows - at, n = left < guess ? left : guess;
        rc = push_piece(t, ctx, col_batch_slice(ctx->arena, rows, at, n),
                        col_batch_slice(ctx->arena, &args, at, n), &done, out, err);
        guess = done < n ? 2 * done : guess > most / 2 ? most : 2 * guess;
        if (rc == BASE_OK) rc = flow_poll(op->graph, ctx, err);
    }
    return rc;
}

static base_rc no_flush(flow_op *op, flow_ctx *ctx, flow_out *out, base_error *err) {
    (void)op, (void)ctx, (void)out, (void)err;
    return BASE_OK;
}
static base_rc no_save(flow_op *op, flow_ctx *ctx, base_error *err) {
    (void)op, (void)ctx, (void)err;
    return BASE_OK;
}
static void no_reset(flow_op *op) {
    (void)op;
}
static void copy_stats(flow_op *op, flow_op_stats *stats) {
    *stats = op->stats;
}

base_rc flow_table_func_create(flow_graph *graph, const plan_node *node, const bool *needed,
                               flow_op **out, base_error *err) {
    static const flow_op_class class = {.name = "table function",
                                        .push = table_func_push,
                                        .flush = no_flush,
                                        .save = no_save,
                                        .reset = no_reset,
                                        .verify = no_save,
                                        .stats = copy_stats,
                                        .close = no_reset};
    (void)err;
    table_func_op *t = base_arena_new(&graph->arena, table_func_op);
    FLOW_OP_INIT(&t->op, &class, graph, 0, node);
    t->op.hold = FLOW_HOLD_PASS;
    t->needed = base_arena_array(&graph->arena, bool, node->ncolumns + 1u);
    if (node->ncolumns > 0) memcpy(t->needed, needed, sizeof(bool) * node->ncolumns);
    if (node->predicate != NULL) flow_mark_columns(node->predicate, t->needed);
    *out = &t->op;
    return BASE_OK;
}
