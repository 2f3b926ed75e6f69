// join_memory.c - a join of one step without a store: the right side is hashed, the left side looks
// its rows up. Entry point: join_memory.
#include "flow/join_int.h"

// head[g] and next[row]: the rows of each group of right keys, as lists of row + 1 in order.
// totals[g]: their summed weight.
typedef struct chains {
    flow_groups groups;
    uint32_t *head, *next;
    int64_t *totals;
} chains;

static void key_batch(const join_op *join, const join_side *side, base_arena *arena,
                      const col_batch *batch, col_batch *keys, uint64_t *hashes) {
    *keys = *col_batch_project(arena, batch, join->nkeys, side->keys);
    uint32_t *all = base_arena_array(arena, uint32_t, join->nkeys + 1u);
    for (uint32_t k = 0; k < join->nkeys; k++) all[k] = k;
    col_hash(keys, join->nkeys, all, hashes);
}

static void chain_rows(join_op *join, base_arena *arena, const col_batch *right, chains *c) {
    const join_side *side = &join->sides[1];
    col_type *types = base_arena_array(arena, col_type, join->nkeys + 1u);
    for (uint32_t k = 0; k < join->nkeys; k++) types[k] = side->types[side->keys[k]];
    flow_groups_init(&c->groups, arena, join->nkeys, types);
    uint32_t n = right->nrows;
    uint64_t *hashes = base_arena_alloc(arena, sizeof(uint64_t) * (n + 1u));
    uint32_t *group_of = base_arena_alloc(arena, sizeof(uint32_t) * (n + 1u));
    col_batch keys;
    key_batch(join, side, arena, right, &keys, hashes);
    flow_groups_find(&c->groups, arena, arena, &keys, hashes, group_of);
    c->head = base_arena_array(arena, uint32_t, c->groups.n + 1u);
    c->next = base_arena_array(arena, uint32_t, n + 1u);
    c->totals = base_arena_array(arena, int64_t, c->groups.n + 1u);
    for (uint32_t i = n; i-- > 0;) { // backwards: each list ends up in order
        if (join_null_key(join, side, right, i)) continue;
        c->next[i] = c->head[group_of[i]];
        c->head[group_of[i]] = i + 1;
        c->totals[group_of[i]] += col_weight(right, i);
    }
}

static base_rc probe(join_pairs *p, const chains *c, base_error *err) {
    const join_op *join = p->join;
    base_arena *arena = p->ctx->arena;
    const col_batch *left = p->left;
    uint64_t *hashes = base_arena_alloc(arena, sizeof(uint64_t) * (left->nrows + 1u));
    uint32_t *group_of = base_arena_alloc(arena, sizeof(uint32_t) * (left->nrows + 1u));
    col_batch keys;
    key_batch(join, &join->sides[0], arena, left, &keys, hashes);
    flow_groups_probe(&c->groups, &keys, hashes, group_of);
    base_rc rc = BASE_OK;
    for (uint32_t l = 0; l < left->nrows && rc == BASE_OK; l++) {
        if (group_of[l] == UINT32_MAX || join_null_key(join, &join->sides[0], left, l)) continue;
        if (!join->gives_pairs && !join->tests_pairs) { // how many is all there is to know
            p->left_counts.yes[l] = c->totals[group_of[l]];
            continue;
        }
        for (uint32_t r = c->head[group_of[l]]; r != 0 && rc == BASE_OK; r = c->next[r - 1]) {
            rc = join_pairs_add(p, l, r - 1, err);
        }
    }
    return rc == BASE_OK ? join_pairs_flush(p, err) : rc;
}

static base_rc emit_edges(join_op *join, flow_ctx *ctx, flow_out *out, uint32_t which,
                          const col_batch *batch, const join_counts *counts, base_error *err) {
    if (!join->sides[which].counted) return BASE_OK;
    join_edges edges;
    join_edges_init(&edges, ctx->arena, batch->nrows);
    for (uint32_t i = 0; i < batch->nrows; i++) {
        int64_t maybe = counts->maybe == NULL ? 0 : counts->maybe[i];
        join_edges_add(&edges, i, col_weight(batch, i), join_edge_of(join, counts->yes[i], maybe));
    }
    return join_emit_edges(join, ctx, out, which, batch, &edges, err);
}

base_rc join_memory(join_op *join, flow_ctx *ctx, flow_out *out, base_error *err) {
    base_arena *arena = ctx->arena;
    join_pairs p = {.join = join, .ctx = ctx, .out = out};
    p.left = flow_pile_concat(&join->sides[0].pile, arena, join->sides[0].node);
    p.right = flow_pile_concat(&join->sides[1].pile, arena, join->sides[1].node);
    p.left_weights = p.left->weights;
    p.right_weights = p.right->weights;
    if (join->sides[0].counted) join_counts_init(join, &p.left_counts, arena, p.left->nrows);
    if (join->sides[1].counted) join_counts_init(join, &p.right_counts, arena, p.right->nrows);
    chains c;
    chain_rows(join, arena, p.right, &c);
    join_pairs_init(&p, join->op.graph->batch_rows);
    base_rc rc = probe(&p, &c, err);
    flow_groups_deinit(&c.groups);
    if (rc == BASE_OK) rc = emit_edges(join, ctx, out, 0, p.left, &p.left_counts, err);
    if (rc == BASE_OK) rc = emit_edges(join, ctx, out, 1, p.right, &p.right_counts, err);
    return rc;
}
