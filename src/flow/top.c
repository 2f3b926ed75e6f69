// top.c - the first n rows of each partition: row_number() (rank(), dense_rank()) OVER (...) <= n.
//
// Delta rule: out = first n of (A + dA) - first n of A, a partition at a time. Of a partition only
// its beginning is read, up to where rows rank beyond n before and after the step; a change with
// enough rows in front of it is written to the state and nothing else. Without the rank in the
// output, a row that only changes its rank is no change.
// State: "v<view>.<node>.rows" (partition.h). Entry point: flow_top_create.
#include "flow/over.h"
#include "flow/partition_op.h"

typedef struct top_op {
    flow_partition_op base;
    plan_over_id rank;
    int64_t limit;
} top_op;

// ------------------------------------------------------------------------------------ ranks

// One side of the step, walked row by row from the start of the partition.
typedef struct walk {
    int64_t rows;        // before the present one
    int64_t group_first; // rows before the group of peers
    int64_t groups;      // with the present one
    const flow_partition_row *last;
} walk;

// The next row, there `weight` times: the rank of the first of it, and how many rank within limit.
static int64_t step_walk(const top_op *top, walk *w, const flow_partition_row *row, int64_t weight,
                         int64_t *rank) {
    *rank = 0;
    if (weight == 0) return 0;
    if (w->last == NULL || !flow_partition_peers(w->last, row)) {
        w->group_first = w->rows;
        w->groups++;
    }
    w->last = row;
    *rank = top->rank == PLAN_OVER_ROW_NUMBER ? w->rows + 1
            : top->rank == PLAN_OVER_RANK     ? w->group_first + 1
                                              : w->groups;
    w->rows += weight;
    if (*rank > top->limit) return 0;
    int64_t room = top->limit - *rank + 1;
    return top->rank == PLAN_OVER_ROW_NUMBER && weight > room ? room : weight;
}

// ------------------------------------------------------------------------------------ reading

// Draws in the rows in front of the change, as many as decide whether it can rank within limit:
// *beyond says that it cannot.
static base_rc draw_front(top_op *top, flow_segment *segment, bool *beyond, base_error *err) {
    // Counted back from the change: rows in front of its peers, groups of peers.
    uint32_t at = segment->first_changed;
    int64_t rows = 0, groups = 0;
    bool peers = top->rank != PLAN_OVER_ROW_NUMBER;
    *beyond = top->limit == 0;
    while (!*beyond) {
        if (at == 0) {
            uint32_t had = segment->n;
            base_rc rc = flow_segment_grow_front(segment, err);
            if (rc != BASE_OK) return rc;
            if (segment->n == had) return BASE_OK;
            at = 1;
        }
        const flow_partition_row *row = &segment->rows[--at];
        bool same = flow_partition_peers(row, row + 1);
        peers = peers && same;
        groups += !same;
        if (!peers) rows += row->is;
        *beyond = top->rank == PLAN_OVER_DENSE_RANK ? groups >= top->limit : rows >= top->limit;
    }
    return BASE_OK;
}

// Draws in what follows until rows rank beyond the limit on both sides.
static base_rc draw_end(top_op *top, flow_segment *segment, base_error *err) {
    walk old = {0}, new = {0};
    for (uint32_t at = 0;; at++) {
        if (at == segment->n) {
            uint32_t had = segment->n;
            base_rc rc = flow_segment_grow_end(segment, err);
            if (rc != BASE_OK || segment->n == had) return rc;
            // The rows may have moved; peers are compared with one of them.
            old.last = old.last == NULL ? NULL : &segment->rows[at - 1];
            new.last = new.last == NULL ? NULL : &segment->rows[at - 1];
        }
        int64_t a, b;
        step_walk(top, &old, &segment->rows[at], segment->rows[at].was, &a);
        step_walk(top, &new, &segment->rows[at], segment->rows[at].is, &b);
        int64_t next_old = top->rank == PLAN_OVER_DENSE_RANK ? old.groups : old.group_first + 1;
        int64_t next_new = top->rank == PLAN_OVER_DENSE_RANK ? new.groups : new.group_first + 1;
        if (top->rank == PLAN_OVER_ROW_NUMBER) {
            next_old = old.rows + 1;
            next_new = new.rows + 1;
        }
        if (next_old > top->limit && next_new > top->limit && at >= segment->first_changed)
            return BASE_OK;
    }
}

// ------------------------------------------------------------------------------------ output

// The ranks of a row that was (is) there: row numbers go on, ranks are one for all.
static void give_ranked(top_op *top, flow_changes *changes, uint32_t row, int64_t rank, int64_t n,
                        int64_t sign) {
    bool numbers = top->rank == PLAN_OVER_ROW_NUMBER;
    for (int64_t k = 0; k < (numbers ? n : n > 0); k++)
        flow_changes_add(&top->base, changes, row, numbers ? sign : sign * n, rank + k);
}

static void compare(top_op *top, const flow_segment *segment, flow_changes *changes) {
    walk old = {0}, new = {0};
    for (uint32_t r = 0; r < segment->n; r++) {
        const flow_partition_row *row = &segment->rows[r];
        int64_t a, b;
        int64_t was = step_walk(top, &old, row, row->was, &a);
        int64_t is = step_walk(top, &new, row, row->is, &b);
        if (!top->base.op.node->with_rank) {
            if (was != is) flow_changes_add(&top->base, changes, r, is - was, 0);
        } else if (was != is || (was > 0 && a != b)) {
            give_ranked(top, changes, r, a, was, -1);
            give_ranked(top, changes, r, b, is, 1);
        }
    }
}

static base_rc top_segment(flow_partition_op *op, flow_ctx *ctx, flow_segment *segment,
                           base_error *err) {
    top_op *top = (top_op *)op;
    bool beyond;
    base_rc rc = draw_front(top, segment, &beyond, err);
    if (rc != BASE_OK || beyond) return rc;
    rc = draw_end(top, segment, err);
    if (rc != BASE_OK) return rc;
    flow_changes changes = {0};
    compare(top, segment, &changes);
    col_vec ranks;
    col_vec_init(&ranks, ctx->arena, col_type_of(COL_INT8), changes.n);
    if (changes.n > 0) memcpy(ranks.data, changes.tags, sizeof(int64_t) * changes.n);
    return flow_changes_give(op, ctx, segment, &changes, &ranks, err);
}

base_rc flow_top_create(flow_graph *graph, uint32_t view_id, const plan_node *node, flow_op **out,
                        base_error *err) {
    static const flow_partition_class class = {FLOW_PARTITION_LIFE("top"), .segment = top_segment};
    top_op *top = base_arena_new(&graph->arena, top_op);
    flow_partition_op_init(&top->base, &class, graph, view_id, node);
    *out = &top->base.op;
    top->rank = node->overs[0].id;
    top->limit = node->limit;
    const flow_partition_by by = {.nkeys = node->npartition,
                                  .keys = node->partition,
                                  .norder = node->nsort,
                                  .order = node->sort};
    return flow_partition_op_open(&top->base, &by, err);
}
