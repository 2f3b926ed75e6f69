// agg_move.c - groups that move: all rows of one group become rows of another, as those of a
// session do when it grows or meets another. A group's block is moved instead of each row: the
// partial of where it goes takes it in, and what the group was is emptied before its own partial,
// if it has one, is added. What goes out is as if the rows had moved: -old of both, +new of both.
//
// Invariant: a group that rows move to in a step is none that they move from. Entry points:
// flow_agg_move (in a step), agg_move_groups and agg_leave (at its flush).
#include "flow/agg_int.h"

static void find_groups(agg_op *agg, flow_ctx *ctx, const col_batch *keys, uint32_t *out) {
    const col_vec **columns = base_arena_array(ctx->arena, const col_vec *, agg->nkeys);
    for (uint32_t k = 0; k < agg->nkeys; k++) columns[k] = &keys->cols[k];
    agg_group_rows(agg, ctx, columns, keys->nrows, NULL);
    memcpy(out, agg->scratch_groups, sizeof *out * keys->nrows);
}

void flow_agg_move(flow_op *op, flow_ctx *ctx, const col_batch *from, const col_batch *to) {
    agg_op *agg = (agg_op *)op;
    agg_moved *moved = &agg->moved;
    uint32_t n = from->nrows;
    must(to->nrows == n && agg->nsets == 0 && !agg->global); // as plan_session_moves has it
    if (n == 0) return;
    if (moved->n + n > moved->cap) {
        base_arena *step = flow_step_arena(ctx);
        uint32_t cap = (moved->n + n) * 2;
        uint32_t *both[2] = {base_arena_alloc(step, sizeof **both * cap),
                             base_arena_alloc(step, sizeof **both * cap)};
        if (moved->n > 0) {
            memcpy(both[0], moved->from, sizeof **both * moved->n);
            memcpy(both[1], moved->to, sizeof **both * moved->n);
        }
        moved->from = both[0];
        moved->to = both[1];
        moved->cap = cap;
    }
    find_groups(agg, ctx, from, moved->from + moved->n);
    find_groups(agg, ctx, to, moved->to + moved->n);
    moved->n += n;
    agg->touched = true;
}

// A stored block into a partial, which must not point into the record that it leaves.
static void take_block(agg_op *agg, base_arena *step, char *partial, const char *block) {
    *acc_weight(partial) += *(const int64_t *)(const void *)block;
    for (uint32_t i = 0; i < agg->nspecs; i++) {
        const acc_spec *spec = &agg->specs[i];
        if (!acc_merge(spec, partial, block) || !spec->string) continue;
        base_str *s = acc_string(spec, partial);
        s->p = base_arena_memdup(step, s->p, s->n);
    }
}

base_rc agg_move_groups(agg_op *agg, flow_ctx *ctx, const base_str *keys, base_error *err) {
    agg_moved *moved = &agg->moved;
    base_arena *arena = ctx->arena;
    uint32_t n = moved->n;
    if (n == 0) return BASE_OK;
    base_str *wanted = base_arena_alloc(arena, sizeof *wanted * n);
    uint32_t *groups = base_arena_alloc(arena, sizeof *groups * n);
    flow_record **records = base_arena_array(arena, flow_record *, n);
    for (uint32_t i = 0; i < n; i++) wanted[i] = keys[moved->from[i]];
    const uint32_t *order = col_keys_sort(ctx->workers, arena, n, wanted);
    for (uint32_t i = 0; i < n; i++) groups[i] = moved->from[order[i]];
    base_rc rc = agg_load_records(agg, ctx, keys, groups, n, records, err);
    if (rc != BASE_OK) return rc;
    moved->left = base_arena_zalloc(arena, agg->groups.n + 1u);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t from = groups[i], to = moved->to[order[i]];
        if (from == to) continue; // what has changed of the session is no key
        must(!moved->left[from]);
        moved->left[from] = 1;
        take_block(agg, flow_step_arena(ctx), agg->partials + agg->stride * to,
                   flow_record_block(records[i]));
    }
    return BASE_OK;
}

void agg_leave(agg_op *agg, uint32_t group, flow_record *record) {
    if (agg->moved.left == NULL || !agg->moved.left[group]) return;
    char *block = flow_record_block(record);
    for (uint32_t i = 0; i < agg->nspecs; i++) {
        const acc_spec *spec = &agg->specs[i];
        if (!spec->string || !acc_has(spec, block)) continue;
        base_str before = *acc_string(spec, block);
        acc_set_extreme(spec, block, NULL, 0);
        flow_cache_own_string(&agg->cache, spec, record, before);
    }
    memset(block, 0, agg->stride);
}
