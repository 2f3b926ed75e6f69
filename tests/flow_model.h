// flow_model.h - for tests of plan/ and flow/: a small builder of plans, and an independent
// reference that evaluates the same plan row by row over the whole accumulated input, in the
// plainest way. The reference shares nothing with flow/: cells are tagged values, joins are nested
// loops, groups are found by linear search.
#ifndef WEIR_TESTS_FLOW_MODEL_H
#define WEIR_TESTS_FLOW_MODEL_H

#include <stdio.h>
#include <stdlib.h>

#include "base/must.h"
#include "base/random.h"
#include "col/codec.h"
#include "col/kernel.h"
#include "flow/graph.h" // for the types of a plan; nothing of it is linked here
#include "plan/agg.h"

#define M_FN __attribute__((unused)) static

// ------------------------------------------------------------------------------------ expressions

M_FN const plan_expr *m_column(base_arena *a, const plan_node *input, uint32_t i) {
    plan_expr *e = base_arena_new(a, plan_expr);
    *e = (plan_expr){.kind = PLAN_EXPR_COLUMN, .type = input->columns[i].type, .index = i};
    return e;
}

M_FN const plan_expr *m_int(base_arena *a, col_kind kind, int64_t v) {
    col_vec *one = base_arena_new(a, col_vec);
    col_vec_init(one, a, col_type_of(kind), 1);
    if (kind == COL_INT4) {
        col_i32(one)[0] = (int32_t)v;
    } else if (kind == COL_BOOL) {
        col_u8(one)[0] = v != 0;
    } else if (kind == COL_NUMERIC) {
        col_dec(one)[0] = base_decimal_from_i64(v);
    } else {
        col_i64(one)[0] = v;
    }
    plan_expr *e = base_arena_new(a, plan_expr);
    *e = (plan_expr){.kind = PLAN_EXPR_CONST, .type = one->type, .constant = one};
    return e;
}

M_FN const plan_expr *m_null(base_arena *a, col_type type) {
    col_vec *one = base_arena_new(a, col_vec);
    col_vec_init(one, a, type, 1);
    col_vec_set_null(one, a, 0);
    plan_expr *e = base_arena_new(a, plan_expr);
    *e = (plan_expr){.kind = PLAN_EXPR_CONST, .type = type, .constant = one};
    return e;
}

M_FN const plan_expr *m_text(base_arena *a, const char *text) {
    col_vec *one = base_arena_new(a, col_vec);
    col_vec_init(one, a, col_type_of(COL_TEXT), 1);
    col_str(one)[0] = base_str_of(text);
    plan_expr *e = base_arena_new(a, plan_expr);
    *e = (plan_expr){.kind = PLAN_EXPR_CONST, .type = one->type, .constant = one};
    return e;
}

M_FN const plan_expr *m_node(base_arena *a, plan_expr_kind kind, col_type type, uint32_t nargs,
                             const plan_expr *const *args) {
    plan_expr *e = base_arena_new(a, plan_expr);
    *e = (plan_expr){.kind = kind, .type = type, .nargs = nargs};
    e->args = base_arena_array(a, const plan_expr *, nargs + 1u);
    for (uint32_t i = 0; i < nargs; i++) e->args[i] = args[i];
    return e;
}

// A call of the function of this name whose argument kinds are those given (or "any").
M_FN const plan_expr *m_call(base_arena *a, const char *name, uint32_t nargs,
                             const plan_expr *const *args) {
    const col_func *const *all;
    size_t n = col_func_find(base_str_of(name), &all);
    for (size_t i = 0; i < n; i++) {
        bool fits = all[i]->nargs == nargs;
        for (uint32_t k = 0; fits && k < nargs; k++) {
            fits = all[i]->args[k] == args[k]->type.kind || all[i]->args[k] == COL_UNKNOWN;
        }
        if (!fits) continue;
        plan_expr *e = (plan_expr *)(uintptr_t)m_node(a, PLAN_EXPR_CALL, col_type_of(all[i]->ret),
                                                      nargs, args);
        if (all[i]->ret == COL_UNKNOWN) e->type = args[0]->type;
        e->func = all[i];
        e->position = 7;
        return e;
    }
    fprintf(stderr, "no function %s\n", name);
    abort();
}

M_FN const plan_expr *m_call2(base_arena *a, const char *name, const plan_expr *x,
                              const plan_expr *y) {
    return m_call(a, name, 2, (const plan_expr *const[]){x, y});
}

// ------------------------------------------------------------------------------------ plans

M_FN plan_node *m_plan(base_arena *a, plan_node_kind kind, uint32_t *id, uint32_t ncolumns,
                       uint32_t ninputs, const plan_node *const *inputs) {
    plan_node *node = base_arena_new(a, plan_node);
    node->kind = kind;
    node->id = ++*id;
    node->ncolumns = ncolumns;
    node->columns = base_arena_array(a, plan_column, ncolumns + 1u);
    node->ninputs = ninputs;
    const plan_node **copy = base_arena_array(a, const plan_node *, ninputs + 1u);
    for (uint32_t i = 0; i < ninputs; i++) copy[i] = inputs[i];
    node->inputs = copy;
    node->limit = -1;
    return node;
}

M_FN void m_type(plan_node *node, uint32_t column, col_type type) {
    plan_column *c = (plan_column *)(uintptr_t)&node->columns[column];
    c->name = "c";
    c->type = type;
}

M_FN plan_node *m_scan(base_arena *a, uint32_t *id, const plan_object *object, uint32_t n,
                       const uint32_t *indexes) {
    plan_node *node = m_plan(a, PLAN_NODE_SCAN, id, n, 0, NULL);
    node->object = object;
    node->indexes = indexes;
    for (uint32_t i = 0; i < n; i++) m_type(node, i, object->columns[indexes[i]].type);
    return node;
}

M_FN plan_node *m_same(base_arena *a, plan_node_kind kind, uint32_t *id, uint32_t ninputs,
                       const plan_node *const *inputs) {
    plan_node *node = m_plan(a, kind, id, inputs[0]->ncolumns, ninputs, inputs);
    for (uint32_t i = 0; i < node->ncolumns; i++) m_type(node, i, inputs[0]->columns[i].type);
    return node;
}

M_FN plan_node *m_filter(base_arena *a, uint32_t *id, const plan_node *input,
                         const plan_expr *predicate) {
    plan_node *node = m_same(a, PLAN_NODE_FILTER, id, 1, &input);
    node->predicate = predicate;
    return node;
}

M_FN plan_node *m_project(base_arena *a, uint32_t *id, const plan_node *input, uint32_t n,
                          const plan_expr **exprs) {
    plan_node *node = m_plan(a, PLAN_NODE_PROJECT, id, n, 1, &input);
    node->nexprs = n;
    node->exprs = exprs;
    for (uint32_t i = 0; i < n; i++) m_type(node, i, exprs[i]->type);
    return node;
}

M_FN plan_node *m_window(base_arena *a, uint32_t *id, const plan_node *input, uint32_t time_column,
                         plan_window window) {
    uint32_t n = input->ncolumns;
    bool session = window.form == PLAN_WINDOW_SESSION;
    plan_node *node = m_plan(a, session ? PLAN_NODE_SESSION : PLAN_NODE_WINDOW, id,
                             n + PLAN_WINDOW_COLUMNS, 1, &input);
    for (uint32_t i = 0; i < n; i++) m_type(node, i, input->columns[i].type);
    for (uint32_t i = n; i < node->ncolumns; i++) m_type(node, i, input->columns[time_column].type);
    node->time_column = time_column;
    plan_window *copy = base_arena_new(a, plan_window);
    *copy = window;
    node->window = copy;
    return node;
}

// generate_series(from[i], to[i]) of bigint side by side, i < nfuncs.
M_FN plan_node *m_series(base_arena *a, uint32_t *id, const plan_node *input, uint32_t nfuncs,
                         const plan_expr *const *from, const plan_expr *const *to,
                         bool ordinality) {
    uint32_t n = input->ncolumns, added = nfuncs + ordinality;
    plan_node *node = m_plan(a, PLAN_NODE_TABLE_FUNC, id, n + added, 1, &input);
    for (uint32_t i = 0; i < n; i++) m_type(node, i, input->columns[i].type);
    for (uint32_t i = 0; i < added; i++) m_type(node, n + i, col_type_of(COL_INT8));
    const col_func *named[16];
    size_t found = col_set_find(BASE_STR("generate_series"), named, 16), at = 0;
    while (at < found && (named[at]->nargs != 2 || named[at]->ret != COL_INT8)) at++;
    must(at < found);
    plan_table_func *funcs = base_arena_array(a, plan_table_func, nfuncs);
    node->exprs = base_arena_array(a, const plan_expr *, 2 * nfuncs);
    for (uint32_t i = 0; i < nfuncs; i++) {
        funcs[i] = (plan_table_func){col_set_of(named[at]), 2, 1};
        node->exprs[node->nexprs++] = from[i];
        node->exprs[node->nexprs++] = to[i];
    }
    node->nfuncs = nfuncs;
    node->funcs = funcs;
    node->ordinality = ordinality;
    return node;
}

M_FN bool m_agg_make(const char *name, const plan_expr *arg, plan_agg *out) {
    const plan_agg_def *defs;
    size_t n = plan_agg_find(base_str_of(name), &defs);
    for (size_t i = 0; i < n; i++) {
        if (defs[i].nargs != (arg != NULL)) continue;
        if (arg != NULL && defs[i].arg != COL_UNKNOWN && defs[i].arg != arg->type.kind) continue;
        *out = (plan_agg){.def = &defs[i], .arg = arg};
        out->type = defs[i].ret == COL_UNKNOWN ? arg->type : col_type_of(defs[i].ret);
        return true;
    }
    return false;
}

M_FN plan_node *m_aggregate(base_arena *a, uint32_t *id, const plan_node *input, uint32_t nexprs,
                            const plan_expr **exprs, uint32_t naggs, const plan_agg *aggs) {
    plan_node *node = m_plan(a, PLAN_NODE_AGGREGATE, id, nexprs + naggs, 1, &input);
    node->nexprs = nexprs;
    node->exprs = exprs;
    node->naggs = naggs;
    node->aggs = aggs;
    for (uint32_t i = 0; i < nexprs; i++) m_type(node, i, exprs[i]->type);
    for (uint32_t i = 0; i < naggs; i++) m_type(node, nexprs + i, aggs[i].type);
    return node;
}

M_FN plan_node *m_join(base_arena *a, uint32_t *id, plan_join_kind kind, const plan_node *left,
                       const plan_node *right, uint32_t nequi, const uint32_t *left_keys,
                       const uint32_t *right_keys, const plan_expr *residual) {
    const plan_node *inputs[2] = {left, right};
    bool pairs = kind <= PLAN_JOIN_FULL;
    uint32_t more = pairs ? right->ncolumns : kind == PLAN_JOIN_MARK;
    plan_node *node = m_plan(a, PLAN_NODE_JOIN, id, left->ncolumns + more, 2, inputs);
    for (uint32_t i = 0; i < left->ncolumns; i++) m_type(node, i, left->columns[i].type);
    for (uint32_t i = 0; pairs && i < right->ncolumns; i++) {
        m_type(node, left->ncolumns + i, right->columns[i].type);
    }
    if (kind == PLAN_JOIN_MARK) m_type(node, left->ncolumns, col_type_of(COL_BOOL));
    node->join = kind;
    node->nequi = nequi;
    node->left_keys = left_keys;
    node->right_keys = right_keys;
    node->predicate = residual;
    return node;
}

M_FN plan_node *m_asof(base_arena *a, uint32_t *id, plan_join_kind kind, plan_asof asof,
                       const plan_node *left, const plan_node *right, uint32_t nequi,
                       const uint32_t *left_keys, const uint32_t *right_keys, uint32_t left_time,
                       uint32_t right_time) {
    plan_node *node = m_join(a, id, kind, left, right, nequi, left_keys, right_keys, NULL);
    node->kind = PLAN_NODE_ASOF;
    node->asof = asof;
    node->left_time = left_time;
    node->right_time = right_time;
    return node;
}

// ------------------------------------------------------------------------------------ reference

typedef struct ref_cell {
    col_kind kind;
    bool null;
    int64_t i;      // bools, integers, times
    base_decimal d; // NUMERIC
    base_str s;     // text
} ref_cell;

typedef struct ref_row {
    ref_cell *cells;
} ref_row;

typedef struct ref_rows { // a multiset: a row as often as it is there
    uint32_t ncols, n, cap;
    ref_row *rows;
} ref_rows;

static void ref_add(base_arena *a, ref_rows *rows, ref_cell *cells) {
    if (rows->n == rows->cap) {
        uint32_t cap = rows->cap == 0 ? 16 : rows->cap * 2;
        ref_row *bigger = base_arena_array(a, ref_row, cap);
        if (rows->n > 0) memcpy(bigger, rows->rows, sizeof(ref_row) * rows->n);
        rows->rows = bigger;
        rows->cap = cap;
    }
    rows->rows[rows->n++].cells = cells;
}

M_FN ref_cell ref_read(const col_vec *vec, uint32_t row) {
    ref_cell c = {.kind = vec->type.kind, .null = col_is_null(vec, row)};
    if (c.null) return c;
    switch (c.kind) {
    case COL_BOOL:
        c.i = col_u8(vec)[row];
        break;
    case COL_INT4:
        c.i = col_i32(vec)[row];
        break;
    case COL_INT8:
    case COL_TIMESTAMPTZ:
        c.i = col_i64(vec)[row];
        break;
    case COL_INTERVAL: // of constants: a fixed length
        c.i = col_interval(vec)[row].us;
        break;
    case COL_NUMERIC:
        c.d = col_dec(vec)[row];
        break;
    case COL_TEXT:
        c.s = col_str(vec)[row];
        break;
    case COL_FLOAT8: // shares: nine digits tell them apart
        c.i = (int64_t)(col_f64(vec)[row] * 1e9 + 0.5);
        break;
    default:
        abort();
    }
    return c;
}

M_FN void ref_write(col_vec *vec, uint32_t row, const ref_cell *c, base_arena *a) {
    if (c->null) {
        col_vec_set_null(vec, a, row);
        return;
    }
    switch (c->kind) {
    case COL_BOOL:
        col_u8(vec)[row] = c->i != 0;
        break;
    case COL_INT4:
        col_i32(vec)[row] = (int32_t)c->i;
        break;
    case COL_INT8:
    case COL_TIMESTAMPTZ:
        col_i64(vec)[row] = c->i;
        break;
    case COL_NUMERIC:
        col_dec(vec)[row] = c->d;
        break;
    case COL_TEXT:
        col_str(vec)[row] = c->s;
        break;
    default:
        abort();
    }
}

#ifndef FLOW_SPELLED
#define FLOW_SPELLED 0 // 1: of equal NUMERIC values it matters how they are written
#endif

// Of rows that are equal: which is written in the least way.
M_FN int ref_spelling_cmp(const ref_cell *x, const ref_cell *y, uint32_t n) {
    for (uint32_t c = 0; FLOW_SPELLED && c < n; c++) {
        if (x[c].kind != COL_NUMERIC || x[c].null || x[c].d.scale == y[c].d.scale) continue;
        return x[c].d.scale < y[c].d.scale ? -1 : 1;
    }
    return 0;
}

static int ref_cmp(const ref_cell *a, const ref_cell *b) { // nulls last
    if (a->null || b->null) return a->null - b->null;
    if (a->kind == COL_NUMERIC) return base_decimal_cmp(a->d, b->d);
    if (a->kind == COL_TEXT) return base_str_cmp(a->s, b->s);
    return (a->i > b->i) - (a->i < b->i);
}

static ref_cell ref_bool(int v) { // -1: null
    return (ref_cell){.kind = COL_BOOL, .null = v<0, .i = v> 0};
}

// false: the row fails.
M_FN bool ref_eval(const plan_expr *e, const ref_cell *row, ref_cell *out) {
    ref_cell x = {0}, y = {0};
    *out = (ref_cell){.kind = e->type.kind};
    switch (e->kind) {
    case PLAN_EXPR_COLUMN:
        *out = row[e->index];
        return true;
    case PLAN_EXPR_CONST:
        *out = ref_read(e->constant, 0);
        return true;
    case PLAN_EXPR_IS_NULL:
        if (!ref_eval(e->args[0], row, &x)) return false;
        out->i = x.null;
        return true;
    case PLAN_EXPR_NOT:
        if (!ref_eval(e->args[0], row, &x)) return false;
        *out = ref_bool(x.null ? -1 : !x.i);
        return true;
    case PLAN_EXPR_AND:
    case PLAN_EXPR_OR: {
        int decisive = e->kind == PLAN_EXPR_OR, result = !decisive;
        for (uint32_t i = 0; i < e->nargs; i++) {
            if (!ref_eval(e->args[i], row, &x)) return false;
            if (!x.null && x.i == decisive) {
                result = decisive;
                break;
            }
            if (x.null) result = -1;
        }
        *out = ref_bool(result);
        return true;
    }
    case PLAN_EXPR_CASE:
        for (uint32_t i = 0; i + 1 < e->nargs; i += 2) {
            if (!ref_eval(e->args[i], row, &x)) return false;
            if (!x.null && x.i) return ref_eval(e->args[i + 1], row, out);
        }
        return ref_eval(e->args[e->nargs - 1], row, out);
    case PLAN_EXPR_COALESCE:
        for (uint32_t i = 0; i < e->nargs; i++) {
            if (!ref_eval(e->args[i], row, out)) return false;
            if (!out->null) return true;
        }
        return true;
    case PLAN_EXPR_CALL:
        if (!ref_eval(e->args[0], row, &x) || !ref_eval(e->args[1], row, &y)) return false;
        out->null = x.null || y.null;
        if (out->null) return true;
        if (strcmp(e->func->name, "<") == 0) {
            out->i = ref_cmp(&x, &y) < 0;
        } else if (strcmp(e->func->name, "<=") == 0) {
            out->i = ref_cmp(&x, &y) <= 0;
        } else if (strcmp(e->func->name, ">") == 0) {
            out->i = ref_cmp(&x, &y) > 0;
        } else if (strcmp(e->func->name, ">=") == 0) {
            out->i = ref_cmp(&x, &y) >= 0;
        } else if (strcmp(e->func->name, "-") == 0) {
            out->i = x.i - y.i;
        } else if (strcmp(e->func->name, "=") == 0) {
            out->i = ref_cmp(&x, &y) == 0;
        } else if (strcmp(e->func->name, "+") == 0) {
            out->i = x.i + y.i;
        } else if (strcmp(e->func->name, "/") == 0) {
            if (y.i == 0) return false;
            out->i = x.i / y.i;
        } else {
            abort();
        }
        return true;
    default:
        abort();
    }
}

M_FN void ref_plan(base_arena *a, const plan_node *node,
                   const ref_rows *(*input)(const plan_object *object), ref_rows *out);

static void ref_mark(const plan_expr *e, bool *used) {
    if (e->kind == PLAN_EXPR_COLUMN) used[e->index] = true;
    for (uint32_t i = 0; i < e->nargs; i++) ref_mark(e->args[i], used);
}

// Which columns of its input a node reads: an expression that nobody reads is not evaluated, so it
// cannot fail.
static bool *ref_needs(base_arena *a, const plan_node *node, const bool *needed) {
    uint32_t n = node->inputs[0]->ncolumns;
    bool *needs = base_arena_array(a, bool, n + PLAN_WINDOW_COLUMNS);
    if (node->kind == PLAN_NODE_FILTER || node->kind == PLAN_NODE_WINDOW ||
        node->kind == PLAN_NODE_UNION_ALL) {
        memcpy(needs, needed, n);
        if (node->kind == PLAN_NODE_FILTER) ref_mark(node->predicate, needs);
        if (node->kind == PLAN_NODE_WINDOW) needs[node->time_column] = true;
    } else if (node->kind == PLAN_NODE_TABLE_FUNC) {
        memcpy(needs, needed, n);
        for (uint32_t i = 0; i < node->nexprs; i++) ref_mark(node->exprs[i], needs);
        bool *both = base_arena_array(a, bool, node->ncolumns + 1u);
        if (node->predicate != NULL) ref_mark(node->predicate, both);
        for (uint32_t i = 0; i < n; i++) needs[i] = needs[i] || both[i];
    } else if (node->kind == PLAN_NODE_PROJECT || node->kind == PLAN_NODE_AGGREGATE) {
        for (uint32_t i = 0; i < node->nexprs; i++) {
            if (node->kind == PLAN_NODE_AGGREGATE || needed[i]) ref_mark(node->exprs[i], needs);
        }
        for (uint32_t i = 0; i < node->naggs; i++) {
            if (node->aggs[i].arg != NULL) ref_mark(node->aggs[i].arg, needs);
            if (node->aggs[i].filter != NULL) ref_mark(node->aggs[i].filter, needs);
        }
    } else {
        memset(needs, 1, n);
    }
    return needs;
}

// 1: the rows match, 0: they do not, -1: the mark is null.
static int ref_match(base_arena *a, const plan_node *node, const ref_rows *left, uint32_t l,
                     const ref_rows *right, uint32_t r, ref_cell **cells) {
    const ref_cell *x = left->rows[l].cells, *y = right->rows[r].cells;
    for (uint32_t k = 0; k < node->nequi; k++) {
        const ref_cell *xk = &x[node->left_keys[k]], *yk = &y[node->right_keys[k]];
        bool safe = node->null_safe != NULL && node->null_safe[k];
        if (xk->null || yk->null) {
            if (!safe || !xk->null || !yk->null) return 0;
        } else if (ref_cmp(xk, yk) != 0) {
            return 0;
        }
    }
    *cells = base_arena_array(a, ref_cell, left->ncols + right->ncols + 1u);
    memcpy(*cells, x, sizeof(ref_cell) * left->ncols);
    memcpy(*cells + left->ncols, y, sizeof(ref_cell) * right->ncols);
    ref_cell keep = {.i = 1};
    if (node->predicate != NULL && !ref_eval(node->predicate, *cells, &keep)) return 0;
    if (keep.null || !keep.i) return 0;
    if (node->mark != NULL && !ref_eval(node->mark, *cells, &keep)) return 0;
    return keep.null ? -1 : keep.i != 0;
}

static void ref_alone(base_arena *a, const plan_node *node, uint32_t first, const ref_row *row,
                      uint32_t n, ref_rows *out) {
    ref_cell *cells = base_arena_array(a, ref_cell, node->ncolumns + 1u);
    for (uint32_t c = 0; c < node->ncolumns; c++) {
        cells[c] = (ref_cell){.kind = node->columns[c].type.kind, .null = true};
    }
    memcpy(cells + first, row->cells, sizeof(ref_cell) * n);
    ref_add(a, out, cells);
}

static void ref_join(base_arena *a, const plan_node *node, const ref_rows *left,
                     const ref_rows *right, ref_rows *out) {
    plan_join_kind kind = node->join;
    bool *right_matched = base_arena_array(a, bool, right->n + 1u);
    for (uint32_t l = 0; l < left->n; l++) {
        bool matched = false, maybe = false;
        for (uint32_t r = 0; r < right->n; r++) {
            ref_cell *cells;
            int match = ref_match(a, node, left, l, right, r, &cells);
            maybe |= match < 0;
            if (match <= 0) continue;
            matched = right_matched[r] = true;
            if (kind <= PLAN_JOIN_FULL) ref_add(a, out, cells);
        }
        bool outer = kind == PLAN_JOIN_LEFT || kind == PLAN_JOIN_FULL || kind == PLAN_JOIN_ANTI;
        if (kind == PLAN_JOIN_SEMI ? matched : outer && !matched) {
            ref_alone(a, node, 0, &left->rows[l], left->ncols, out);
        }
        if (kind == PLAN_JOIN_MARK) {
            ref_alone(a, node, 0, &left->rows[l], left->ncols, out);
            ref_cell *mark = &out->rows[out->n - 1].cells[left->ncols];
            mark->null = !matched && maybe;
            mark->i = matched;
        }
    }
    for (uint32_t r = 0; r < right->n; r++) {
        if (right_matched[r] || (kind != PLAN_JOIN_RIGHT && kind != PLAN_JOIN_FULL)) continue;
        ref_alone(a, node, left->ncols, &right->rows[r], right->ncols, out);
    }
}

// Whether right row x is a better match than y: its time is nearer, else it comes first by the
// order of rows of one time, else its columns are greater.
static bool ref_nearer(const plan_node *node, const ref_cell *x, const ref_cell *y) {
    int order = ref_cmp(&x[node->right_time], &y[node->right_time]);
    if (node->asof == PLAN_ASOF_LE || node->asof == PLAN_ASOF_LT) order = -order;
    for (uint32_t i = 0; i < node->nsort && order == 0; i++) {
        order = ref_cmp(&x[node->sort[i].column], &y[node->sort[i].column]);
        if (!node->sort[i].descending) order = -order;
    }
    for (uint32_t c = 0; c < node->inputs[1]->ncolumns && order == 0; c++)
        order = ref_cmp(&x[c], &y[c]);
    return order > 0;
}

static void ref_asof(base_arena *a, const plan_node *node, const ref_rows *left,
                     const ref_rows *right, ref_rows *out) {
    for (uint32_t l = 0; l < left->n; l++) {
        const ref_cell *x = left->rows[l].cells, *best = NULL;
        for (uint32_t r = 0; r < right->n; r++) {
            const ref_cell *y = right->rows[r].cells;
            const ref_cell *own = &x[node->left_time], *time = &y[node->right_time];
            bool fits = !own->null && !time->null;
            for (uint32_t k = 0; k < node->nequi; k++) {
                const ref_cell *p = &x[node->left_keys[k]], *q = &y[node->right_keys[k]];
                fits = fits && !p->null && !q->null && ref_cmp(p, q) == 0;
            }
            int order = fits ? ref_cmp(own, time) : 0;
            fits = fits && (node->asof == PLAN_ASOF_GE   ? order >= 0
                            : node->asof == PLAN_ASOF_GT ? order > 0
                            : node->asof == PLAN_ASOF_LE ? order <= 0
                                                         : order < 0);
            if (fits && (best == NULL || ref_nearer(node, y, best))) best = y;
        }
        if (best == NULL && node->join == PLAN_JOIN_INNER) continue;
        ref_alone(a, node, 0, &left->rows[l], left->ncols, out);
        if (best != NULL)
            memcpy(out->rows[out->n - 1].cells + left->ncols, best, sizeof *best * right->ncols);
    }
}

// One aggregate over the values of a group (rows x naggs, computed before).
static ref_cell ref_aggregate(base_arena *a, const plan_agg *agg, uint32_t n,
                              ref_cell *const *values, uint32_t which) {
    ref_cell *kept = base_arena_array(a, ref_cell, n + 1u);
    uint32_t m = 0;
    for (uint32_t i = 0; i < n; i++) {
        ref_cell v = values[i][which];
        bool seen = v.null, extreme = agg->def->id == PLAN_AGG_MIN || agg->def->id == PLAN_AGG_MAX;
        for (uint32_t k = 0; agg->distinct && !extreme && k < m && !seen; k++)
            seen = ref_cmp(&kept[k], &v) == 0;
        if (!seen) kept[m++] = v;
    }
    ref_cell out = {.kind = agg->type.kind, .null = m == 0};
    plan_agg_id id = agg->def->id;
    if (id == PLAN_AGG_COUNT_STAR || id == PLAN_AGG_COUNT) {
        out.null = false;
        out.i = m;
        return out;
    }
    if (m == 0) return out;
    base_error err;
    base_decimal sum = base_decimal_from_i64(0);
    int64_t whole = 0, yes = 0;
    ref_cell best = kept[0];
    for (uint32_t k = 0; k < m; k++) {
        base_decimal v = kept[k].kind == COL_NUMERIC ? kept[k].d : base_decimal_from_i64(kept[k].i);
        must(base_decimal_add(sum, v, &sum, &err) == BASE_OK);
        whole += kept[k].i;
        yes += kept[k].i != 0;
        int order = ref_cmp(&kept[k], &best);
        if (order == 0) order = ref_spelling_cmp(&kept[k], &best, 1);
        if (id == PLAN_AGG_MIN ? order < 0 : order > 0) best = kept[k];
    }
    switch (id) {
    case PLAN_AGG_SUM:
        out.d = sum;
        out.i = whole;
        return out;
    case PLAN_AGG_AVG:
        must(base_decimal_div(sum, base_decimal_from_i64(m), &out.d, &err) == BASE_OK);
        return out;
    case PLAN_AGG_BOOL_AND:
        out.i = yes == (int64_t)m;
        return out;
    case PLAN_AGG_BOOL_OR:
        out.i = yes > 0;
        return out;
    default:
        best.kind = agg->type.kind;
        return best;
    }
}

static void ref_group(base_arena *a, const plan_node *node, const ref_rows *in, ref_rows *out) {
    // Keys and values of each row that does not fail; a row's group is that of the first like it.
    uint32_t n = 0, width = node->nexprs + node->naggs;
    ref_cell **rows = base_arena_array(a, ref_cell *, in->n + 1u);
    for (uint32_t i = 0; i < in->n; i++) {
        ref_cell *cells = base_arena_array(a, ref_cell, width + 1u), filter;
        bool ok = true;
        for (uint32_t k = 0; k < node->nexprs && ok; k++) {
            ok = ref_eval(node->exprs[k], in->rows[i].cells, &cells[k]);
        }
        for (uint32_t g = 0; g < node->naggs && ok; g++) {
            ref_cell *value = &cells[node->nexprs + g];
            *value = (ref_cell){.kind = COL_BOOL, .i = 1};
            if (node->aggs[g].filter != NULL) {
                ok = ref_eval(node->aggs[g].filter, in->rows[i].cells, &filter);
                if (!ok) break;
                if (filter.null || !filter.i) {
                    value->null = true;
                    continue;
                }
            }
            if (node->aggs[g].arg != NULL) {
                ok = ref_eval(node->aggs[g].arg, in->rows[i].cells, value);
            }
        }
        if (ok) rows[n++] = cells;
    }
    bool *done = base_arena_array(a, bool, n + 1u);
    for (uint32_t i = 0; i < n || (i == 0 && node->nexprs == 0); i++) {
        if (i < n && done[i]) continue;
        ref_cell **values = base_arena_array(a, ref_cell *, n + 1u);
        uint32_t m = 0;
        const ref_cell *least = rows[i];
        for (uint32_t k = i; k < n; k++) {
            bool same = !done[k];
            for (uint32_t c = 0; c < node->nexprs && same; c++) {
                same = ref_cmp(&rows[i][c], &rows[k][c]) == 0;
            }
            if (!same) continue;
            done[k] = true;
            if (ref_spelling_cmp(rows[k], least, node->nexprs) < 0) least = rows[k];
            values[m++] = rows[k] + node->nexprs;
        }
        ref_cell *cells = base_arena_array(a, ref_cell, width + 1u);
        if (i < n) memcpy(cells, least, sizeof(ref_cell) * node->nexprs);
        for (uint32_t g = 0; g < node->naggs; g++) {
            cells[node->nexprs + g] = ref_aggregate(a, &node->aggs[g], m, values, g);
        }
        ref_add(a, out, cells);
    }
}

static const plan_node *ref_sort_node;
static int ref_sort_cmp(const void *pa, const void *pb) {
    const ref_row *x = pa, *y = pb;
    for (uint32_t i = 0; i < ref_sort_node->nsort; i++) {
        const plan_sort_key *key = &ref_sort_node->sort[i];
        const ref_cell *a = &x->cells[key->column], *b = &y->cells[key->column];
        if (a->null && b->null) continue;
        if (a->null || b->null) return (a->null ? -1 : 1) * (key->nulls_first ? 1 : -1);
        int order = ref_cmp(a, b);
        if (order != 0) return key->descending ? -order : order;
    }
    return 0;
}

#include "flow_model_over.h"

static bool ref_same_row(const ref_rows *rows, uint32_t i, uint32_t k) {
    for (uint32_t c = 0; c < rows->ncols; c++) {
        if (ref_cmp(&rows->rows[i].cells[c], &rows->rows[k].cells[c]) != 0) return false;
    }
    return true;
}

static void ref_in_window(base_arena *a, const plan_node *node, const ref_cell *row, int64_t start,
                          int64_t end, ref_rows *out) {
    uint32_t n = node->ncolumns - PLAN_WINDOW_COLUMNS;
    ref_cell *cells = base_arena_array(a, ref_cell, node->ncolumns);
    memcpy(cells, row, sizeof(ref_cell) * n);
    for (uint32_t c = n; c < node->ncolumns; c++) cells[c] = row[node->time_column];
    if (!cells[n].null) {
        cells[n].i = start;
        cells[n + 1].i = end;
        cells[n + 2].i = end - 1000;
    }
    ref_add(a, out, cells);
}

// By looking at every window near the row.
static void ref_window(base_arena *a, const plan_node *node, const ref_cell *row, ref_rows *out) {
    const plan_window *w = node->window;
    const ref_cell *time = &row[node->time_column];
    if (time->null) {
        ref_in_window(a, node, row, 0, 0, out);
        return;
    }
    bool hop = w->form == PLAN_WINDOW_HOP, cumulate = w->form == PLAN_WINDOW_CUMULATE;
    int64_t every = hop ? w->step.n : w->size.n, origin = w->offset_us - BASE_UNIX_EPOCH_US;
    int64_t least = (time->i - origin) / every - w->size.n / every - 2;
    for (int64_t k = least; origin + k * every <= time->i; k++) {
        int64_t start = origin + k * every, longest = start + w->size.n;
        for (int64_t end = cumulate ? start + w->step.n : longest; end <= longest; end += w->step.n)
            if (time->i < end) ref_in_window(a, node, row, start, end, out);
    }
}

static bool ref_rows_equal(const ref_cell *x, const ref_cell *y, uint32_t n) {
    for (uint32_t c = 0; c < n; c++) {
        if (ref_cmp(&x[c], &y[c]) != 0) return false;
    }
    return true;
}

// The row of those equal to row i that is written in the least way.
static ref_cell *ref_least(const ref_rows *rows, uint32_t i) {
    ref_cell *least = rows->rows[i].cells;
    for (uint32_t k = 0; k < rows->n; k++) {
        ref_cell *other = rows->rows[k].cells;
        if (!ref_rows_equal(other, least, rows->ncols)) continue;
        if (ref_spelling_cmp(other, least, rows->ncols) < 0) least = other;
    }
    return least;
}

static void ref_setop(base_arena *a, const plan_node *node, const ref_rows *in, ref_rows *out) {
    bool except = node->set_op == PLAN_SET_EXCEPT;
    for (uint32_t i = 0; i < in[0].n; i++) {
        const ref_cell *row = in[0].rows[i].cells;
        uint32_t before = 0, there = 0;
        for (uint32_t k = 0; k < i; k++) {
            before += ref_rows_equal(row, in[0].rows[k].cells, in[0].ncols);
        }
        for (uint32_t k = 0; k < in[1].n; k++) {
            there += ref_rows_equal(row, in[1].rows[k].cells, in[0].ncols);
        }
        bool in_right = node->set_all ? before < there : there > 0;
        if (!node->set_all && before > 0) continue;
        if (in_right != except) ref_add(a, out, ref_least(&in[0], i));
    }
}

// Only what m_series makes.
static void ref_series(base_arena *a, const plan_node *node, const ref_cell *row, ref_rows *out) {
    uint32_t n = node->inputs[0]->ncolumns;
    int64_t from[4], count[4], most = 0;
    for (uint32_t f = 0; f < node->nfuncs; f++) {
        ref_cell x, y;
        if (!ref_eval(node->exprs[2 * f], row, &x) || !ref_eval(node->exprs[2 * f + 1], row, &y))
            return;
        from[f] = x.i;
        count[f] = x.null || y.null || y.i < x.i ? 0 : y.i - x.i + 1;
        if (count[f] > most) most = count[f];
    }
    bool matched = false, left = node->join == PLAN_JOIN_LEFT;
    for (int64_t k = 0; k <= most; k++) {
        bool nulls = k == most;
        if (nulls && (!left || matched)) return;
        ref_cell *cells = base_arena_array(a, ref_cell, node->ncolumns + 1u);
        memcpy(cells, row, sizeof(ref_cell) * n);
        for (uint32_t f = 0; f < node->nfuncs; f++)
            cells[n + f] = (ref_cell){
                .kind = COL_INT8, .null = nulls || k >= count[f], .i = nulls ? 0 : from[f] + k};
        if (node->ordinality)
            cells[n + node->nfuncs] = (ref_cell){.kind = COL_INT8, .null = nulls, .i = k + 1};
        ref_cell keep = {.i = 1};
        if (!nulls && node->predicate != NULL && !ref_eval(node->predicate, cells, &keep)) continue;
        if (keep.null || !keep.i) continue;
        matched = true;
        ref_add(a, out, cells);
    }
}

// By widening from the row until no other row of its partition is less than a gap away.
static void ref_session(base_arena *a, const plan_node *node, const ref_rows *rows, uint32_t of,
                        ref_rows *out) {
    const plan_window *w = node->window;
    const ref_cell *own = rows->rows[of].cells;
    int64_t low = own[node->time_column].i, high = low;
    bool wider = !own[node->time_column].null;
    while (wider) {
        wider = false;
        for (uint32_t i = 0; i < rows->n; i++) {
            const ref_cell *other = rows->rows[i].cells, *time = &other[node->time_column];
            bool same = !time->null;
            for (uint32_t k = 0; k < w->npartition && same; k++)
                same = ref_cmp(&own[w->partition[k]], &other[w->partition[k]]) == 0;
            if (!same || (time->i >= low && time->i <= high)) continue;
            if (time->i > high + w->size.n - 1 || time->i < low - w->size.n + 1) continue;
            if (time->i < low) low = time->i;
            if (time->i > high) high = time->i;
            wider = true;
        }
    }
    ref_in_window(a, node, own, low, high + w->size.n, out);
}

static void ref_node(base_arena *a, const plan_node *node, const bool *needed,
                     const ref_rows *(*input)(const plan_object *object), ref_rows *out) {
    ref_rows in[2];
    for (uint32_t i = 0; i < node->ninputs; i++) {
        bool two = node->kind == PLAN_NODE_JOIN || node->kind == PLAN_NODE_SETOP ||
                   node->kind == PLAN_NODE_ASOF || node->kind == PLAN_NODE_LOOKUP;
        bool *needs = i == 1 && two ? NULL : ref_needs(a, node, needed);
        if (needs == NULL) {
            needs = base_arena_array(a, bool, node->inputs[i]->ncolumns + 1u);
            memset(needs, 1, node->inputs[i]->ncolumns);
        }
        ref_node(a, node->inputs[i], needs, input, &in[i]);
    }
    *out = (ref_rows){.ncols = node->ncolumns};
    switch (node->kind) {
    case PLAN_NODE_MATCH:
        must(!"the model has no patterns");
        return;
    case PLAN_NODE_EXPAND:
        must(!"the model has no grouping sets");
        return;
    case PLAN_NODE_SCAN: {
        const ref_rows *all = input(node->object);
        for (uint32_t i = 0; i < all->n; i++) {
            ref_cell *cells = base_arena_array(a, ref_cell, node->ncolumns + 1u);
            for (uint32_t c = 0; c < node->ncolumns; c++) {
                cells[c] = all->rows[i].cells[node->indexes[c]];
            }
            ref_add(a, out, cells);
        }
        return;
    }
    case PLAN_NODE_VALUES:
        for (uint32_t r = 0; r < node->nexprs / node->ncolumns; r++) {
            ref_cell *cells = base_arena_array(a, ref_cell, node->ncolumns);
            bool ok = true;
            for (uint32_t c = 0; c < node->ncolumns && ok; c++) {
                ok = ref_eval(node->exprs[r * node->ncolumns + c], NULL, &cells[c]);
            }
            if (ok) ref_add(a, out, cells);
        }
        return;
    case PLAN_NODE_FILTER:
        for (uint32_t i = 0; i < in[0].n; i++) {
            ref_cell keep;
            if (!ref_eval(node->predicate, in[0].rows[i].cells, &keep)) continue;
            if (!keep.null && keep.i) ref_add(a, out, in[0].rows[i].cells);
        }
        return;
    case PLAN_NODE_PROJECT:
        for (uint32_t i = 0; i < in[0].n; i++) {
            ref_cell *cells = base_arena_array(a, ref_cell, node->ncolumns);
            bool ok = true;
            for (uint32_t c = 0; c < node->ncolumns && ok; c++) {
                if (needed[c]) ok = ref_eval(node->exprs[c], in[0].rows[i].cells, &cells[c]);
            }
            if (ok) ref_add(a, out, cells);
        }
        return;
    case PLAN_NODE_RECURSIVE: // of queries that run once
        must(false);
    case PLAN_NODE_WINDOW:
        for (uint32_t i = 0; i < in[0].n; i++) ref_window(a, node, in[0].rows[i].cells, out);
        return;
    case PLAN_NODE_AGGREGATE:
        ref_group(a, node, &in[0], out);
        return;
    case PLAN_NODE_LOOKUP: // of a query that runs once; of a view: test_flow_lookup.c
    case PLAN_NODE_JOIN:
        ref_join(a, node, &in[0], &in[1], out);
        return;
    case PLAN_NODE_ASOF:
        ref_asof(a, node, &in[0], &in[1], out);
        return;
    case PLAN_NODE_DISTINCT:
        for (uint32_t i = 0; i < in[0].n; i++) {
            bool seen = false;
            for (uint32_t k = 0; k < i && !seen; k++) seen = ref_same_row(&in[0], i, k);
            if (!seen) ref_add(a, out, ref_least(&in[0], i));
        }
        return;
    case PLAN_NODE_SETOP:
        ref_setop(a, node, in, out);
        return;
    case PLAN_NODE_UNION_ALL:
        for (uint32_t k = 0; k < 2; k++) {
            for (uint32_t i = 0; i < in[k].n; i++) ref_add(a, out, in[k].rows[i].cells);
        }
        return;
    case PLAN_NODE_SESSION:
        for (uint32_t i = 0; i < in[0].n; i++) ref_session(a, node, &in[0], i, out);
        return;
    case PLAN_NODE_TEMPORAL:
    case PLAN_NODE_EMIT: // not among the random plans: test_engine_time.c
        return;
    case PLAN_NODE_OVER:
    case PLAN_NODE_TOP:
        ref_over(a, node, &in[0], out);
        return;
    case PLAN_NODE_TABLE_FUNC:
        for (uint32_t i = 0; i < in[0].n; i++) ref_series(a, node, in[0].rows[i].cells, out);
        return;
    case PLAN_NODE_SORT:
        ref_sort_node = node;
        if (in[0].n > 1) qsort(in[0].rows, in[0].n, sizeof(ref_row), ref_sort_cmp);
        for (uint32_t i = 0; i < in[0].n; i++) {
            if (i < node->offset || (node->limit >= 0 && i >= node->offset + node->limit)) continue;
            ref_add(a, out, in[0].rows[i].cells);
        }
        return;
    }
}

M_FN void ref_plan(base_arena *a, const plan_node *node,
                   const ref_rows *(*input)(const plan_object *object), ref_rows *out) {
    bool *needed = base_arena_array(a, bool, node->ncolumns + 1u);
    memset(needed, 1, node->ncolumns);
    ref_node(a, node, needed, input, out);
}

// ------------------------------------------------------------------------------------ comparison

static int ref_line_cmp(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void ref_format(const ref_cell *c, base_buf *buf) {
    if (c->null) {
        base_buf_add_cstr(buf, "\\N|");
    } else if (c->kind == COL_NUMERIC) {
        char text[BASE_DECIMAL_TEXT_MAX];
        base_decimal_format(FLOW_SPELLED ? c->d : base_decimal_normalize(c->d), text);
        base_buf_printf(buf, "%s|", text);
    } else if (c->kind == COL_TEXT) {
        base_buf_printf(buf, "%.*s|", BASE_STR_ARG(c->s));
    } else {
        base_buf_printf(buf, "%lld|", (long long)c->i);
    }
}

static const char *ref_line(base_arena *a, const ref_cell *cells, uint32_t n) {
    base_buf buf = {0};
    for (uint32_t c = 0; c < n; c++) ref_format(&cells[c], &buf);
    const char *line = base_arena_strdup(a, base_buf_cstr(&buf));
    base_buf_deinit(&buf);
    return line;
}

// A view as it runs: rows as text with their summed weights.
typedef struct ref_view {
    uint32_t n, cap;
    struct {
        char *line;
        int64_t weight;
    } * rows;
} ref_view;

M_FN void ref_view_clear(ref_view *view) {
    for (uint32_t i = 0; i < view->n; i++) free(view->rows[i].line);
    free(view->rows);
    *view = (ref_view){0};
}

M_FN void ref_view_copy(ref_view *to, const ref_view *from) {
    ref_view_clear(to);
    to->rows = malloc(sizeof *to->rows * (from->n + 1));
    to->cap = to->n = from->n;
    for (uint32_t i = 0; i < from->n; i++) {
        to->rows[i].line = strdup(from->rows[i].line);
        to->rows[i].weight = from->rows[i].weight;
    }
}

M_FN void ref_view_apply(base_arena *a, ref_view *view, const col_batch *delta) {
    for (uint32_t r = 0; delta != NULL && r < delta->nrows; r++) {
        ref_cell *cells = base_arena_array(a, ref_cell, delta->ncols + 1u);
        for (uint32_t c = 0; c < delta->ncols; c++) cells[c] = ref_read(&delta->cols[c], r);
        const char *line = ref_line(a, cells, delta->ncols);
        uint32_t i = 0;
        while (i < view->n && strcmp(view->rows[i].line, line) != 0) i++;
        if (i == view->n) {
            if (view->n == view->cap) {
                view->cap = view->cap == 0 ? 16 : view->cap * 2;
                view->rows = realloc(view->rows, sizeof *view->rows * view->cap);
            }
            view->rows[view->n].line = strdup(line);
            view->rows[view->n++].weight = 0;
        }
        view->rows[i].weight += col_weight(delta, r);
        if (view->rows[i].weight == 0) {
            free(view->rows[i].line);
            view->rows[i] = view->rows[--view->n];
        }
    }
}

// Whether the view holds just these rows; says how it does not.
M_FN bool ref_view_equals(base_arena *a, const ref_view *view, const ref_rows *rows) {
    uint64_t n = 0;
    bool negative = false;
    for (uint32_t i = 0; i < view->n; i++) {
        negative |= view->rows[i].weight < 0;
        n += (uint64_t)(view->rows[i].weight < 0 ? 0 : view->rows[i].weight);
    }
    const char **got = base_arena_array(a, const char *, n + 1u);
    const char **want = base_arena_array(a, const char *, rows->n + 1u);
    uint64_t at = 0;
    for (uint32_t i = 0; i < view->n; i++) {
        for (int64_t k = 0; k < view->rows[i].weight; k++) got[at++] = view->rows[i].line;
    }
    for (uint32_t i = 0; i < rows->n; i++) want[i] = ref_line(a, rows->rows[i].cells, rows->ncols);
    if (n > 1) qsort(got, n, sizeof *got, ref_line_cmp);
    if (rows->n > 1) qsort(want, rows->n, sizeof *want, ref_line_cmp);
    bool same = !negative && n == rows->n;
    for (uint32_t i = 0; i < rows->n && same; i++) same = strcmp(got[i], want[i]) == 0;
    if (same) return true;
    fprintf(stderr, "the view has %llu rows%s, the reference %u\n", (unsigned long long)n,
            negative ? " (some with negative weight)" : "", rows->n);
    for (uint64_t i = 0, k = 0; i < n || k < rows->n;) {
        int order = i == n ? 1 : k == rows->n ? -1 : strcmp(got[i], want[k]);
        if (order < 0) fprintf(stderr, "  view only: %s\n", got[i]);
        if (order > 0) fprintf(stderr, "  reference only: %s\n", want[k]);
        i += order <= 0;
        k += order >= 0;
    }
    return false;
}

#endif
