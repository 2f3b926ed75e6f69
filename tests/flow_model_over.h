// flow_model_over.h - window functions in the reference of flow_model.h: each row's frame is found
// by looking at every row of its partition. Included there.
#ifndef WEIR_TESTS_FLOW_MODEL_OVER_H
#define WEIR_TESTS_FLOW_MODEL_OVER_H

#include "plan/over.h"

typedef struct ref_ordered {
    base_arena *a;
    const plan_node *node;
    uint32_t n;
    ref_row *rows; // of a partition, in order
} ref_ordered;

static bool ref_peers(const ref_ordered *w, uint32_t i, uint32_t k) {
    ref_sort_node = w->node;
    return ref_sort_cmp(&w->rows[i], &w->rows[k]) == 0;
}

static int64_t ref_group_number(const ref_ordered *w, uint32_t i) {
    int64_t n = 0;
    for (uint32_t k = 1; k <= i; k++) n += !ref_peers(w, k - 1, k);
    return n;
}

static ref_cell ref_const(const plan_expr *expr, const ref_ordered *w, uint32_t i) {
    ref_cell cell;
    must(ref_eval(expr, w->rows[i].cells, &cell));
    return cell;
}

// Whether row k lies on the right side of one bound of row i's RANGE frame with an offset.
static bool ref_in_range(const ref_ordered *w, const plan_frame *frame, bool end, uint32_t i,
                         uint32_t k) {
    const plan_sort_key *key = &w->node->sort[0];
    const plan_expr *offset = end ? frame->end_offset : frame->start_offset;
    const ref_cell *mine = &w->rows[i].cells[key->column], *other = &w->rows[k].cells[key->column];
    if (mine->null || other->null) {
        if (mine->null && other->null) return true;
        // A null stands before (after) everything.
        bool before = other->null == key->nulls_first;
        return end ? before : !before;
    }
    bool preceding = (end ? frame->end : frame->start) == PLAN_BOUND_PRECEDING;
    int sign = preceding == key->descending ? 1 : -1, order;
    if (mine->kind == COL_NUMERIC) {
        base_error err;
        base_decimal bound, by = col_dec(offset->constant)[0];
        if (sign < 0) by = base_decimal_neg(by);
        must(base_decimal_add(mine->d, by, &bound, &err) == BASE_OK);
        order = base_decimal_cmp(other->d, bound);
    } else {
        int64_t by = offset->type.kind == COL_INTERVAL
                         ? col_interval(offset->constant)[0].us +
                               col_interval(offset->constant)[0].days * BASE_US_PER_DAY
                         : col_i64(offset->constant)[0];
        int64_t bound = mine->i + sign * by;
        order = (other->i > bound) - (other->i < bound);
    }
    if (key->descending) order = -order;
    return end ? order <= 0 : order >= 0;
}

static bool ref_bound(const ref_ordered *w, const plan_frame *frame, bool end, uint32_t i,
                      uint32_t k) {
    plan_frame_bound bound = end ? frame->end : frame->start;
    const plan_expr *offset = end ? frame->end_offset : frame->start_offset;
    if (bound == PLAN_BOUND_UNBOUNDED_PRECEDING) return !end;
    if (bound == PLAN_BOUND_UNBOUNDED_FOLLOWING) return end;
    if (frame->mode == PLAN_FRAME_RANGE && offset != NULL) return ref_in_range(w, frame, end, i, k);
    int64_t by = offset == NULL ? 0 : col_i64(offset->constant)[0];
    if (bound == PLAN_BOUND_PRECEDING) by = -by;
    int64_t mine = i, other = k;
    if (frame->mode != PLAN_FRAME_ROWS) {
        mine = ref_group_number(w, i);
        other = ref_group_number(w, k);
    }
    return end ? other <= mine + by : other >= mine + by;
}

static bool ref_in_frame(const ref_ordered *w, const plan_frame *frame, uint32_t i, uint32_t k) {
    if (!ref_bound(w, frame, false, i, k) || !ref_bound(w, frame, true, i, k)) return false;
    switch (frame->exclude) {
    case PLAN_EXCLUDE_CURRENT:
        return i != k;
    case PLAN_EXCLUDE_GROUP:
        return !ref_peers(w, i, k);
    case PLAN_EXCLUDE_TIES:
        return i == k || !ref_peers(w, i, k);
    default:
        return true;
    }
}

static ref_cell ref_over_aggregate(const ref_ordered *w, const plan_over *over,
                                   const uint32_t *frame, uint32_t n) {
    ref_cell **values = base_arena_array(w->a, ref_cell *, n + 1u);
    for (uint32_t k = 0; k < n; k++) {
        values[k] = base_arena_array(w->a, ref_cell, 1);
        *values[k] = (ref_cell){.kind = COL_BOOL, .i = 1};
        if (over->agg.arg != NULL) *values[k] = ref_const(over->agg.arg, w, frame[k]);
        if (over->agg.filter == NULL) continue;
        ref_cell keep = ref_const(over->agg.filter, w, frame[k]);
        if (keep.null || !keep.i) values[k]->null = true;
    }
    // count(*) counts what is not null in place of rows.
    uint32_t kept = 0;
    for (uint32_t k = 0; k < n; k++)
        if (!values[k]->null) values[kept++] = values[k];
    return ref_aggregate(w->a, &over->agg, kept, values, 0);
}

static ref_cell ref_framed(const ref_ordered *w, const plan_over *over, uint32_t i) {
    uint32_t *frame = base_arena_array(w->a, uint32_t, w->n + 1u), n = 0;
    for (uint32_t k = 0; k < w->n; k++)
        if (ref_in_frame(w, &over->frame, i, k)) frame[n++] = k;
    if (over->id == PLAN_OVER_AGGREGATE) return ref_over_aggregate(w, over, frame, n);
    uint32_t at = over->id == PLAN_OVER_LAST_VALUE ? n - 1 : 0;
    if (over->id == PLAN_OVER_NTH_VALUE) at = (uint32_t)ref_const(over->args[1], w, i).i - 1;
    ref_cell none = {.kind = over->type.kind, .null = true};
    return at < n ? ref_const(over->args[0], w, frame[at]) : none;
}

static ref_cell ref_shifted(const ref_ordered *w, const plan_over *over, uint32_t i) {
    ref_cell none = {.kind = over->type.kind, .null = true};
    int64_t by = 1;
    if (over->nargs > 1) {
        ref_cell offset = ref_const(over->args[1], w, i);
        if (offset.null) return none;
        by = offset.i;
    }
    int64_t at = over->id == PLAN_OVER_LAG ? i - by : i + by;
    if (at >= 0 && at < (int64_t)w->n) return ref_const(over->args[0], w, (uint32_t)at);
    return over->nargs > 2 ? ref_const(over->args[2], w, i) : none;
}

static ref_cell ref_over_value(const ref_ordered *w, const plan_over *over, uint32_t i) {
    ref_cell out = {.kind = over->type.kind};
    uint32_t first = i, last = i;
    while (first > 0 && ref_peers(w, first - 1, i)) first--;
    while (last + 1 < w->n && ref_peers(w, last + 1, i)) last++;
    switch (over->id) {
    case PLAN_OVER_ROW_NUMBER:
        out.i = i + 1;
        return out;
    case PLAN_OVER_RANK:
        out.i = first + 1;
        return out;
    case PLAN_OVER_DENSE_RANK:
        out.i = ref_group_number(w, i) + 1;
        return out;
    case PLAN_OVER_PERCENT_RANK:
        out.i = w->n < 2 ? 0 : (int64_t)((double)first / (w->n - 1) * 1e9 + 0.5);
        return out;
    case PLAN_OVER_CUME_DIST:
        out.i = (int64_t)((double)(last + 1) / w->n * 1e9 + 0.5);
        return out;
    case PLAN_OVER_NTILE: {
        ref_cell arg = ref_const(over->args[0], w, 0);
        int64_t tile = 0, taken = 0;
        out.null = arg.null;
        while (!arg.null && taken <= i) taken += w->n / arg.i + (tile++ < w->n % arg.i);
        out.i = tile;
        return out;
    }
    case PLAN_OVER_LAG:
    case PLAN_OVER_LEAD:
        return ref_shifted(w, over, i);
    default:
        return ref_framed(w, over, i);
    }
}

static void ref_over(base_arena *a, const plan_node *node, const ref_rows *in, ref_rows *out) {
    uint32_t ncols = node->inputs[0]->ncolumns;
    bool *done = base_arena_array(a, bool, in->n + 1u);
    for (uint32_t i = 0; i < in->n; i++) {
        if (done[i]) continue;
        ref_ordered w = {a, node, 0, base_arena_array(a, ref_row, in->n)};
        for (uint32_t k = i; k < in->n; k++) {
            bool same = !done[k];
            for (uint32_t p = 0; p < node->npartition && same; p++)
                same = ref_cmp(&in->rows[i].cells[node->partition[p]],
                               &in->rows[k].cells[node->partition[p]]) == 0;
            if (!same) continue;
            done[k] = true;
            w.rows[w.n++] = in->rows[k];
        }
        ref_sort_node = node;
        if (w.n > 1) qsort(w.rows, w.n, sizeof(ref_row), ref_sort_cmp);
        for (uint32_t k = 0; k < w.n; k++) {
            ref_cell *cells = base_arena_array(a, ref_cell, node->ncolumns + 1u);
            memcpy(cells, w.rows[k].cells, sizeof(ref_cell) * ncols);
            bool top = node->kind == PLAN_NODE_TOP;
            if (top && ref_over_value(&w, &node->overs[0], k).i > node->limit) continue;
            for (uint32_t f = 0; f < node->nover && (!top || node->with_rank); f++)
                cells[ncols + f] = ref_over_value(&w, &node->overs[f], k);
            ref_add(a, out, cells);
        }
    }
}

#endif
