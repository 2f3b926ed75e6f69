// agg.c - GROUP BY and aggregates.
//
// Delta rule: a group's accumulators are linear, so acc(A + dA) = acc(A) + acc(dA). The step's rows
// are first summed to a partial per group in a flat table; at flush each touched group meets its
// stored block once: out = -row(old) + row(new), for groups whose row changed.
//  - A group is there while its weight (rows, with sign) is positive. Without GROUP BY there is one
//    group, which is always there, from the first flush on; so are those of grouping sets without
//    keys.
//  - What a sum cannot keep stands on sets of values with their counts (agg_set.h). DISTINCT: a
//  value
//    that comes (count 0 to positive) or goes feeds the accumulator. MIN and MAX of an input that
//    may retract: likewise, but when a value went the next one is read from the set, which is in
//    order. Ordered aggregates: the block holds the present result, and a group whose values
//    changed is read as a whole and worked out anew (agg_whole.c).
//
//  - Keys that are equal but written differently (1.0 and 1.00) are one group, whose row shows the
//    least spelling of those that are there (spellings.h).
//
// State: "v<view>.<node>.groups": group key -> visible, block (see cache.h); ".values": the sets.
// The cache in front persists across steps and is bounded; save writes what is dirty, sorted.
// Entry point: flow_agg_create.
#include <stdlib.h>

#include "base/hash.h"
#include "flow/agg_int.h"

#define CHUNK_GROUPS 65536u
#define RUN_ROWS     256u // blocks of so many rows stay in the innermost cache

static void *grow(void *p, size_t bytes) {
    void *q = realloc(p, bytes);
    must(q != NULL);
    return q;
}

static bool has_store(const agg_op *agg) {
    return agg->op.graph->store != NULL;
}

// ------------------------------------------------------------------------------------ push

static void reserve_scratch(agg_op *agg, uint32_t n) {
    if (n <= agg->scratch_cap) return;
    agg->scratch_groups = grow(agg->scratch_groups, sizeof(uint32_t) * n);
    agg->scratch_hashes = grow(agg->scratch_hashes, sizeof(uint64_t) * n);
    agg->scratch_cap = n;
}

static void reserve_partials(agg_op *agg, uint32_t n) {
    if (n > agg->partials_cap) {
        uint32_t cap = agg->partials_cap == 0 ? 64 : agg->partials_cap;
        while (cap < n) cap *= 2;
        // By cache lines: a block of up to 64 bytes is then in one or two.
        char *bigger = aligned_alloc(64, (agg->stride * cap + 63) & ~(size_t)63);
        must(bigger != NULL);
        if (agg->partials_n > 0) memcpy(bigger, agg->partials, agg->stride * agg->partials_n);
        free(agg->partials);
        agg->partials = bigger;
        agg->partials_cap = cap;
    }
    if (n > agg->partials_n) {
        memset(agg->partials + agg->stride * agg->partials_n, 0,
               agg->stride * (n - agg->partials_n));
        agg->partials_n = n;
    }
}

static void count_step_memory(agg_op *agg) {
    uint64_t bytes = flow_groups_bytes(&agg->groups) + flow_spellings_bytes(&agg->spellings) +
                     agg->stride * agg->partials_cap;
    for (uint32_t i = 0; i < agg->nsets; i++) bytes += agg_set_bytes(&agg->sets[i]);
    flow_heap_add(&agg->op, (int64_t)(bytes - agg->step_counted));
    agg->step_counted = agg->op.step_bytes = bytes;
}

void agg_group_rows(agg_op *agg, flow_ctx *ctx, const col_vec *const *keys, uint32_t n,
                    const int64_t *weights) {
    reserve_scratch(agg, n);
    if (agg->global) {
        memset(agg->scratch_groups, 0, sizeof(uint32_t) * n);
        reserve_partials(agg, 1);
        return;
    }
    col_batch batch = {agg->nkeys, n, base_arena_array(ctx->arena, col_vec, agg->nkeys), NULL};
    uint32_t *all = base_arena_array(ctx->arena, uint32_t, agg->nkeys);
    for (uint32_t k = 0; k < agg->nkeys; k++) {
        batch.cols[k] = *keys[k];
        all[k] = k;
    }
    col_hash(&batch, agg->nkeys, all, agg->scratch_hashes);
    flow_groups_find(&agg->groups, ctx->arena, flow_step_arena(ctx), &batch, agg->scratch_hashes,
                     agg->scratch_groups);
    flow_spellings_add(&agg->spellings, ctx, agg->scratch_groups, batch.cols, n, weights);
    reserve_partials(agg, agg->groups.n);
}

// A byte a row: 1 where the filter is true.
static const uint8_t *mask_bytes(base_arena *arena, const col_vec *filter) {
    if (filter->nulls == NULL) return col_u8(filter);
    uint8_t *mask = base_arena_alloc(arena, filter->n + 1u);
    const uint8_t *yes = col_u8(filter);
    for (uint32_t i = 0; i < filter->n; i++) mask[i] = yes[i] & !filter->nulls[i];
    return mask;
}

// The nulls of a view: where an argument is null or the filter is not true.
static uint8_t *view_nulls(base_arena *arena, const agg_view *view, uint32_t n,
                           const col_vec *const *slots, const uint8_t *const *masks) {
    const uint8_t *mask = view->mask == AGG_NONE ? NULL : masks[view->mask];
    const uint8_t *first = view->nargs > 0 ? slots[view->slots[0]]->nulls : NULL;
    const uint8_t *second = view->nargs > 1 ? slots[view->slots[1]]->nulls : NULL;
    if (mask == NULL && second == NULL) return (uint8_t *)(uintptr_t)first;
    uint8_t *nulls = base_arena_zalloc(arena, n + 1u);
    for (uint32_t i = 0; mask != NULL && i < n; i++) nulls[i] = !mask[i];
    for (uint32_t i = 0; first != NULL && i < n; i++) nulls[i] |= first[i];
    for (uint32_t i = 0; second != NULL && i < n; i++) nulls[i] |= second[i];
    return nulls;
}

typedef struct view_vecs {
    col_vec args[AGG_ARGS_MAX];
} view_vecs;

static view_vecs *make_views(agg_op *agg, base_arena *arena, uint32_t n,
                             const col_vec *const *slots, const uint8_t *const *masks) {
    view_vecs *out = base_arena_array(arena, view_vecs, agg->nviews + 1u);
    for (uint32_t v = 0; v < agg->nviews; v++) {
        const agg_view *view = &agg->views[v];
        uint8_t *nulls = view_nulls(arena, view, n, slots, masks);
        if (view->nargs == 0) out[v].args[0] = (col_vec){.type = col_type_of(COL_BOOL), .n = n};
        for (uint32_t i = 0; i < view->nargs; i++) out[v].args[i] = *slots[view->slots[i]];
        for (uint32_t i = 0; i < AGG_ARGS_MAX; i++) out[v].args[i].nulls = nulls;
    }
    return out;
}

// Rows [begin, begin + n) into their blocks: a short run, so that a block that one aggregate has
// touched is still in cache for the next.
static base_rc update_run(agg_op *agg, flow_ctx *ctx, const view_vecs *views,
                          const int64_t *weights, uint32_t begin, uint32_t n, base_error *err) {
    const uint32_t *group_of = agg->scratch_groups + begin;
    if (weights != NULL) weights += begin;
    acc_update_weights(agg->partials, agg->stride, group_of, n, weights);
    base_rc rc = BASE_OK;
    for (uint32_t i = 0; i < agg->nspecs && rc == BASE_OK; i++) {
        const acc_spec *spec = &agg->specs[i];
        if (agg->view_of[i] == AGG_NONE) continue;
        col_vec run[AGG_ARGS_MAX];
        for (uint32_t k = 0; k < spec->nargs; k++) {
            run[k] = views[agg->view_of[i]].args[k]; // its children, if any, are not looked at
            run[k].n = n;
            if (run[k].data != NULL) {
                run[k].data = (char *)run[k].data + col_kind_width(run[k].type.kind) * begin;
            }
            if (run[k].nulls != NULL) run[k].nulls += begin;
        }
        rc = acc_update(spec, agg->partials, agg->stride, group_of, run, weights,
                        flow_step_arena(ctx), err);
    }
    return rc;
}

static base_rc agg_push(flow_op *op, flow_ctx *ctx, uint32_t port, const col_batch *batch,
                        flow_out *out, base_error *err) {
    (void)port, (void)out;
    agg_op *agg = (agg_op *)op;
    op->stats.rows_in += batch->nrows;
    uint32_t nexprs = agg->nkeys + agg->nslots;
    const col_vec **values = base_arena_array(ctx->arena, const col_vec *, nexprs + 1u);
    const col_batch *rows;
    base_rc rc = flow_eval(op, ctx, batch, nexprs, agg->exprs, NULL, &rows, values, err);
    if (rc != BASE_OK || rows->nrows == 0) return rc;
    uint32_t n = rows->nrows;
    agg->touched = true;
    agg_group_rows(agg, ctx, values, n, rows->weights);
    const col_vec *const *slots = values + agg->nkeys;
    const uint8_t **masks = base_arena_array(ctx->arena, const uint8_t *, agg->nslots + 1u);
    for (uint32_t s = 0; s < agg->nslots; s++) {
        if (agg->is_mask[s]) masks[s] = mask_bytes(ctx->arena, slots[s]);
    }
    const view_vecs *views = make_views(agg, ctx->arena, n, slots, masks);
    for (uint32_t begin = 0; begin < n && rc == BASE_OK; begin += RUN_ROWS) {
        uint32_t m = n - begin < RUN_ROWS ? n - begin : RUN_ROWS;
        rc = update_run(agg, ctx, views, rows->weights, begin, m, err);
    }
    for (uint32_t i = 0; i < agg->nsets && rc == BASE_OK; i++) {
        agg_set_add(&agg->sets[i], ctx, agg->scratch_groups, n, slots, masks, rows->weights);
    }
    count_step_memory(agg);
    return rc == BASE_OK ? flow_poll(op->graph, ctx, err) : rc;
}

// ------------------------------------------------------------------------------------ sets

// Argument i of an aggregate for the pairs given.
static col_vec moved_argument(const agg_use *use, const agg_set *set, base_arena *arena, uint32_t i,
                              const uint32_t *pairs, uint32_t n) {
    if (use->args[i] != AGG_NONE) {
        col_vec column = *agg_set_column(set, use->args[i]);
        column.n = set->pairs.n;
        return *col_vec_gather(arena, &column, pairs, n);
    }
    uint32_t *zeros = base_arena_array(arena, uint32_t, n + 1u);
    return *col_vec_gather(arena, use->constants[i], zeros, n);
}

// Values that came and went, into the partials of an aggregate that stands on them. An extreme
// takes those that came.
static base_rc feed_moves(agg_op *agg, flow_ctx *ctx, uint32_t s, const agg_moves *moves,
                          base_error *err) {
    base_arena *arena = ctx->arena;
    const acc_spec *spec = &agg->specs[s];
    const agg_use *use = &agg->uses[s];
    const agg_set *set = &agg->sets[use->set];
    const agg_moves *fed = moves;
    agg_moves came = {0};
    if (spec->feed == ACC_FEED_EXTREME) {
        came.pairs = base_arena_alloc(arena, sizeof(uint32_t) * (moves->n + 1u));
        came.groups = base_arena_alloc(arena, sizeof(uint32_t) * (moves->n + 1u));
        for (uint32_t i = 0; i < moves->n; i++) {
            came.pairs[came.n] = moves->pairs[i];
            came.groups[came.n] = moves->groups[i];
            came.n += moves->signs[i] > 0;
        }
        fed = &came;
    }
    if (fed->n == 0) return BASE_OK;
    col_vec values[AGG_ARGS_MAX] = {{.type = spec->arg, .n = fed->n}};
    for (uint32_t i = 0; spec->kind != ACC_COUNT && i < spec->nargs; i++) {
        values[i] = moved_argument(use, set, arena, i, fed->pairs, fed->n);
    }
    return acc_update(spec, agg->partials, agg->stride, fed->groups, values, fed->signs, arena,
                      err);
}

static base_rc feed_sets(agg_op *agg, flow_ctx *ctx, uint32_t set, const agg_moves *moves,
                         base_error *err) {
    base_rc rc = BASE_OK;
    for (uint32_t s = 0; s < agg->nspecs && rc == BASE_OK; s++) {
        if (agg->uses[s].set != set || agg->specs[s].feed == ACC_FEED_WHOLE) continue;
        rc = feed_moves(agg, ctx, s, &moves[agg->uses[s].filter], err);
    }
    return rc;
}

// Puts a value, or null, or a failure into a block; a record owns its strings.
static void set_held(agg_op *agg, uint32_t s, char *block, flow_record *record,
                     const col_vec *value, const char *failed) {
    const acc_spec *spec = &agg->specs[s];
    base_str before = {NULL, 0};
    if (spec->string && acc_has(spec, block)) before = *acc_string(spec, block);
    if (failed != NULL) {
        acc_set_failed(spec, block, failed);
    } else {
        acc_set_extreme(spec, block, value, 0);
    }
    if (spec->string && record != NULL) flow_cache_own_string(&agg->cache, spec, record, before);
}

// Of rows, or of ranks.
static base_rc work_out(agg_op *agg, uint32_t s, base_arena *arena, const agg_rows *rows,
                        agg_ranks *ranks, char *block, flow_record *record, base_error *err) {
    const acc_spec *spec = &agg->specs[s];
    col_vec value;
    const char *failed;
    col_vec_init(&value, arena, spec->type, 1);
    const agg_use *use = &agg->uses[s];
    base_rc rc = ranks != NULL ? agg_whole_ranked(use, spec, ranks, arena, &value, &failed, err)
                               : agg_whole(use, spec, rows, arena, &value, &failed, err);
    if (rc == BASE_OK) set_held(agg, s, block, record, &value, failed);
    return rc;
}

// What must be read anew of a group after a step: 0, or AGG_SET_WENT, AGG_SET_CHANGED.
static bool is_stale(const agg_op *agg, uint32_t s, uint32_t group, bool fresh) {
    const agg_use *use = &agg->uses[s];
    const agg_set *set = &agg->sets[use->set];
    uint8_t changed = set->changed[(size_t)group * set->nfilters + use->filter];
    if (agg->specs[s].feed == ACC_FEED_EXTREME) return (changed & AGG_SET_WENT) != 0;
    if (agg->specs[s].feed != ACC_FEED_WHOLE) return false;
    return changed != 0 || (fresh && agg_whole_of_nothing(agg->specs[s].id));
}

typedef struct refreshing { // of a set, in a step
    agg_op *agg;
    flow_ctx *ctx;
    agg_set *set;
    state_cursor *values, *blocks; // blocks: of a ranked set
    agg_writes writes;
} refreshing;

static base_rc refresh_group(refreshing *r, base_str group_key, uint32_t group, flow_record *record,
                             base_error *err) {
    agg_op *agg = r->agg;
    const agg_set *set = r->set;
    char *block = flow_record_block(record);
    agg_rows rows;
    agg_ranks ranks;
    bool have_rows = false;
    base_rc rc = BASE_OK;
    base_arena_reset(&agg->whole);
    if (set->ranked)
        rc = agg_rank_group(set, r->ctx, &agg->whole, r->values, r->blocks, group_key, &ranks,
                            &r->writes, err);
    for (uint32_t s = 0; s < agg->nspecs && rc == BASE_OK; s++) {
        if (agg->uses[s].set != set->number || !is_stale(agg, s, group, !record->visible)) continue;
        if (agg->specs[s].feed == ACC_FEED_EXTREME) {
            const col_vec *value = NULL;
            rc = agg_set_extreme(set, &agg->whole, r->values, group_key,
                                 agg->specs[s].id == PLAN_AGG_MAX, &value, err);
            if (rc == BASE_OK) set_held(agg, s, block, record, value, NULL);
            continue;
        }
        if (!have_rows && !set->ranked)
            rc = agg_set_read(set, &agg->whole, r->values, group_key, &rows, err);
        have_rows = true;
        if (rc == BASE_OK)
            rc = work_out(agg, s, &agg->whole, &rows, set->ranked ? &ranks : NULL, block, record,
                          err);
    }
    return rc;
}

static bool is_touched(const agg_set *set, uint32_t group) {
    for (uint32_t f = 0; f < set->nfilters; f++)
        if (set->changed[(size_t)group * set->nfilters + f] != 0) return true;
    return false;
}

static bool stands_on(const agg_op *agg, uint32_t set) {
    for (uint32_t s = 0; s < agg->nspecs; s++) {
        if (agg->uses[s].set == set && agg->specs[s].feed != ACC_FEED_DISTINCT) return true;
    }
    return false;
}

static base_rc refresh_set(refreshing *r, const base_str *keys, const uint32_t *groups, uint32_t n,
                           flow_record **records, base_error *err) {
    const agg_op *agg = r->agg;
    base_rc rc = BASE_OK;
    for (uint32_t g = 0; g < n && rc == BASE_OK; g++) {
        // Groups of nothing may have results too, but not of a ranked set.
        if (r->set->ranked && !is_touched(r->set, groups[g])) continue;
        rc = refresh_group(r, keys[groups[g]], groups[g], records[g], err);
        if (rc == BASE_OK && g % 256 == 255) rc = flow_poll(agg->op.graph, r->ctx, err);
    }
    return rc;
}

// Reads anew what the step's changes of values leave unknown in n groups.
static base_rc refresh(agg_op *agg, flow_ctx *ctx, const base_str *keys, const uint32_t *groups,
                       uint32_t n, flow_record **records, base_error *err) {
    base_rc rc = BASE_OK;
    for (uint32_t i = 0; i < agg->nsets && rc == BASE_OK; i++) {
        if (!stands_on(agg, i)) continue;
        refreshing r = {.agg = agg, .ctx = ctx, .set = &agg->sets[i]};
        rc = state_cursor_open(ctx->txn, agg->values, &r.values, err);
        if (rc == BASE_OK && r.set->ranked)
            rc = state_cursor_open(ctx->txn, agg->ranks, &r.blocks, err);
        if (rc == BASE_OK) rc = refresh_set(&r, keys, groups, n, records, err);
        if (r.values != NULL) state_cursor_close(r.values);
        if (r.blocks != NULL) state_cursor_close(r.blocks);
        if (rc == BASE_OK) rc = agg_rank_write(ctx, agg->ranks, &r.writes, err);
    }
    return rc;
}

// Without a store: the values of the step are all there are.
static base_rc work_out_memory(agg_op *agg, flow_ctx *ctx, uint32_t i, uint32_t n,
                               base_error *err) {
    agg_set *set = &agg->sets[i];
    agg_rows rows;
    uint32_t *starts;
    if (!stands_on(agg, i)) return BASE_OK;
    agg_set_sort(set, ctx, n, &rows, &starts);
    base_rc rc = BASE_OK;
    for (uint32_t g = 0; g < n && rc == BASE_OK; g++) {
        rows.begin = starts[g];
        rows.n = starts[g + 1] - starts[g];
        char *block = agg->partials + agg->stride * g;
        for (uint32_t s = 0; s < agg->nspecs && rc == BASE_OK; s++) {
            if (agg->uses[s].set != i || agg->specs[s].feed != ACC_FEED_WHOLE) continue;
            if (is_stale(agg, s, g, true)) {
                rc = work_out(agg, s, ctx->arena, &rows, NULL, block, NULL, err);
            }
        }
        if (rc == BASE_OK && g % 256 == 255) rc = flow_poll(agg->op.graph, ctx, err);
    }
    return rc;
}

// ------------------------------------------------------------------------------------ records

base_rc agg_load_records(agg_op *agg, flow_ctx *ctx, const base_str *keys, const uint32_t *groups,
                         uint32_t n, flow_record **records, base_error *err) {
    base_arena *arena = ctx->arena;
    uint32_t *missing = base_arena_alloc(arena, sizeof(uint32_t) * (n + 1u)), nmissing = 0;
    base_str *wanted = base_arena_alloc(arena, sizeof(base_str) * (n + 1u));
    for (uint32_t i = 0; i < n; i++) {
        base_str key = keys[groups[i]];
        uint64_t hash = agg->global ? 0 : agg->groups.hashes[groups[i]];
        records[i] = flow_cache_find(&agg->cache, key, hash);
        if (records[i] != NULL) continue;
        wanted[nmissing] = key;
        missing[nmissing++] = i;
    }
    if (nmissing == 0) return BASE_OK;
    base_str *values = base_arena_array(arena, base_str, nmissing);
    base_rc rc = state_get_batch(ctx->txn, agg->table, nmissing, wanted, values, err);
    for (uint32_t i = 0; i < nmissing && rc == BASE_OK; i++) {
        uint32_t at = missing[i];
        uint64_t hash = agg->global ? 0 : agg->groups.hashes[groups[at]];
        records[at] = flow_cache_add(&agg->cache, wanted[i], hash);
        if (values[i].p != NULL) {
            rc = flow_record_decode(&agg->cache, records[at], values[i], err);
        }
    }
    return rc;
}

// Adds a group's partial to its record.
static void merge_record(agg_op *agg, flow_record *record, const char *partial) {
    char *block = flow_record_block(record);
    *acc_weight(block) += *(const int64_t *)(const void *)partial;
    for (uint32_t i = 0; i < agg->nspecs; i++) {
        const acc_spec *spec = &agg->specs[i];
        if (!spec->string) {
            acc_merge(spec, block, partial);
            continue;
        }
        base_str before = acc_has(spec, block) ? *acc_string(spec, block) : (base_str){NULL, 0};
        if (acc_merge(spec, block, partial)) {
            flow_cache_own_string(&agg->cache, spec, record, before);
        }
    }
    flow_cache_mark(&agg->cache, record);
}

// ------------------------------------------------------------------------------------ flush

// Keys of m groups: as they are now, and, where equal keys may be written differently, as they were
// before the step followed by as they are.
typedef struct step_keys {
    const col_batch *rows, *both;
} step_keys;

static step_keys keys_of(const agg_op *agg, base_arena *arena, const uint32_t *groups, uint32_t m) {
    step_keys keys = {0};
    if (agg->global) {
        col_batch *none = base_arena_new(arena, col_batch);
        none->nrows = m;
        keys.rows = none;
    } else if (agg->is == NULL) {
        const col_batch *all = flow_groups_batch(&agg->groups, arena, 0, agg->groups.n);
        keys.rows = col_batch_gather(arena, all, groups, m);
    } else {
        const col_batch *parts[2] = {col_batch_gather(arena, agg->was, groups, m),
                                     col_batch_gather(arena, agg->is, groups, m)};
        keys.rows = parts[1];
        keys.both = col_batch_concat(arena, agg->nkeys, agg->spellings.types, 2, parts);
    }
    return keys;
}

// Results of m blocks into rows [at, at + m) of the aggregates' columns; shown[at + i] says whether
// block i has a row. With report, groups whose result fails are reported.
static base_rc give_results(agg_op *agg, flow_ctx *ctx, col_vec *results, uint8_t *shown,
                            uint32_t at, uint32_t m, char *const *blocks, const col_batch *keys,
                            bool report, base_error *err) {
    bool tolerant = ctx->hooks != NULL && ctx->hooks->row_failed != NULL;
    base_error own;
    for (uint32_t i = 0; i < m; i++) {
        if (!shown[at + i]) continue;
        for (uint32_t s = 0; s < agg->nspecs; s++) {
            base_rc rc = acc_result(&agg->specs[s], blocks[i], &results[s], at + i, ctx->arena,
                                    tolerant ? &own : err);
            if (rc == BASE_OK) continue;
            if (!tolerant) return rc;
            if (report) ctx->hooks->row_failed(ctx->hooks->self, agg->op.node_id, keys, i, &own);
            shown[at + i] = 0;
            break;
        }
    }
    return BASE_OK;
}

static bool row_stays(const agg_op *agg, const step_keys *keys, const col_vec *results, uint32_t i,
                      uint32_t m) {
    if (keys->both != NULL && !col_rows_same(keys->both, i, keys->both, m + i)) return false;
    for (uint32_t s = 0; s < agg->nspecs; s++) {
        if (!col_cells_same(&results[s], i, &results[s], m + i)) return false;
    }
    return true;
}

// Emits -old +new of m groups: results hold the old rows, then the new ones.
static base_rc emit_changes(agg_op *agg, flow_ctx *ctx, flow_out *out, const step_keys *keys,
                            col_vec *results, const uint8_t *shown, uint32_t m, base_error *err) {
    base_arena *arena = ctx->arena;
    uint32_t *row = base_arena_alloc(arena, sizeof(uint32_t) * (2u * m + 1u));
    uint32_t *group = base_arena_alloc(arena, sizeof(uint32_t) * (2u * m + 1u));
    int64_t *weights = base_arena_alloc(arena, sizeof(int64_t) * (2u * m + 1u));
    uint32_t n = 0;
    bool retracts = false;
    for (uint32_t i = 0; i < m; i++) {
        bool was = shown[i], is = shown[m + i];
        if (was && is && row_stays(agg, keys, results, i, m)) continue;
        if (was) {
            row[n] = group[n] = i;
            weights[n++] = -1;
            retracts = true;
        }
        if (is) {
            row[n] = m + i;
            group[n] = i;
            weights[n++] = 1;
        }
    }
    if (n == 0) return BASE_OK;
    col_batch *batch = base_arena_new(arena, col_batch);
    *batch = (col_batch){agg->nkeys + agg->nspecs, n,
                         base_arena_array(arena, col_vec, agg->nkeys + agg->nspecs + 1u),
                         retracts ? weights : NULL};
    for (uint32_t k = 0; k < agg->nkeys; k++) {
        batch->cols[k] = keys->both != NULL
                             ? *col_vec_gather(arena, &keys->both->cols[k], row, n)
                             : *col_vec_gather(arena, &keys->rows->cols[k], group, n);
    }
    for (uint32_t s = 0; s < agg->nspecs; s++) {
        batch->cols[agg->nkeys + s] = *col_vec_gather(arena, &results[s], row, n);
    }
    uint32_t most = agg->op.graph->batch_rows;
    base_rc rc = BASE_OK;
    for (uint32_t at = 0; at < n && rc == BASE_OK; at += most) {
        uint32_t part = n - at < most ? n - at : most;
        rc = flow_emit(out, ctx, part == n ? batch : col_batch_slice(arena, batch, at, part), err);
    }
    return rc;
}

static col_vec *make_results(agg_op *agg, base_arena *arena, uint32_t n) {
    col_vec *results = base_arena_array(arena, col_vec, agg->nspecs + 1u);
    for (uint32_t s = 0; s < agg->nspecs; s++) {
        col_vec_init(&results[s], arena, agg->specs[s].type, n);
    }
    return results;
}

// Strings in old results point into records, which the merge frees.
static void keep_old_strings(agg_op *agg, base_arena *arena, col_vec *results, const uint8_t *shown,
                             uint32_t m) {
    for (uint32_t s = 0; s < agg->nspecs; s++) {
        if (!agg->specs[s].string) continue;
        for (uint32_t i = 0; i < m; i++) {
            if (!shown[i] || col_is_null(&results[s], i)) continue;
            base_str *str = &col_str(&results[s])[i];
            str->p = base_arena_memdup(arena, str->p, str->n);
        }
    }
}

// Groups that are there without rows enter the step that first looks for them.
static void add_always(agg_op *agg, flow_ctx *ctx) {
    uint32_t n = agg->nalways, *all = base_arena_array(ctx->arena, uint32_t, agg->nkeys);
    uint64_t *hashes = base_arena_array(ctx->arena, uint64_t, n);
    uint32_t *groups = base_arena_array(ctx->arena, uint32_t, n);
    for (uint32_t k = 0; k < agg->nkeys; k++) all[k] = k;
    col_hash(agg->always, agg->nkeys, all, hashes);
    flow_groups_find(&agg->groups, ctx->arena, flow_step_arena(ctx), agg->always, hashes, groups);
    reserve_partials(agg, agg->groups.n);
}

// Which of n groups are there without rows, by the number of their set; NULL: none.
static uint8_t *find_always(const agg_op *agg, base_arena *arena, const col_batch *keys) {
    uint32_t n = keys->nrows;
    if (!agg->global && agg->nalways == 0) return NULL;
    uint8_t *always = base_arena_zalloc(arena, n + 1u);
    if (agg->global) {
        memset(always, 1, n);
        return always;
    }
    const plan_expand *expand = agg->op.node->expand;
    const col_vec *sets = &keys->cols[expand->nkeys];
    for (uint32_t i = 0; i < n; i++) {
        uint32_t set = (uint32_t)col_i32(sets)[i];
        always[i] = !plan_expand_keeps(expand, set);
    }
    return always;
}

// m groups with a store behind, whose keys are in order.
static base_rc flush_chunk(agg_op *agg, flow_ctx *ctx, flow_out *out, const base_str *keys,
                           const uint32_t *groups, uint32_t m, base_error *err) {
    base_arena *arena = ctx->arena;
    flow_record **records = base_arena_array(arena, flow_record *, m);
    char **blocks = base_arena_array(arena, char *, m);
    step_keys chunk_keys = keys_of(agg, arena, groups, m);
    const col_batch *key_rows = chunk_keys.rows;
    base_rc rc = agg_load_records(agg, ctx, keys, groups, m, records, err);
    if (rc != BASE_OK) return rc;
    col_vec *results = make_results(agg, arena, 2 * m);
    uint8_t *shown = base_arena_array(arena, uint8_t, 2 * m);
    const uint8_t *always = find_always(agg, arena, key_rows);
    for (uint32_t i = 0; i < m; i++) {
        blocks[i] = flow_record_block(records[i]);
        shown[i] = records[i]->visible;
        records[i]->always = always != NULL && always[i];
    }
    rc = give_results(agg, ctx, results, shown, 0, m, blocks, key_rows, false, err);
    if (rc != BASE_OK) return rc;
    keep_old_strings(agg, arena, results, shown, m);
    for (uint32_t i = 0; i < m; i++) {
        agg_leave(agg, groups[i], records[i]);
        merge_record(agg, records[i], agg->partials + agg->stride * groups[i]);
    }
    rc = refresh(agg, ctx, keys, groups, m, records, err);
    if (rc != BASE_OK) return rc;
    for (uint32_t i = 0; i < m; i++) {
        shown[m + i] = records[i]->always || *acc_weight(blocks[i]) > 0;
    }
    rc = give_results(agg, ctx, results, shown, m, m, blocks, key_rows, true, err);
    if (rc != BASE_OK) return rc;
    for (uint32_t i = 0; i < m; i++) records[i]->visible = shown[m + i];
    // New strings too: the record may go with the next batch that downstream keeps for the step.
    keep_old_strings(agg, arena, results, shown, 2 * m);
    return emit_changes(agg, ctx, out, &chunk_keys, results, shown, m, err);
}

static base_rc flush_store(agg_op *agg, flow_ctx *ctx, flow_out *out, uint32_t n, base_error *err) {
    base_arena *arena = ctx->arena;
    base_str *keys = base_arena_alloc(arena, sizeof(base_str) * n);
    if (agg->global) {
        keys[0] = BASE_STR("\0");
    } else {
        uint32_t *all = base_arena_array(arena, uint32_t, agg->nkeys);
        for (uint32_t k = 0; k < agg->nkeys; k++) all[k] = k;
        flow_keys_encode_divided(ctx->workers, arena, flow_groups_batch(&agg->groups, arena, 0, n),
                                 agg->nkeys, all, keys);
    }
    base_rc rc = BASE_OK;
    if (agg->spellings.ncols > 0) {
        col_batch *was, *is;
        rc = flow_spellings_merge(&agg->spellings, ctx, &agg->groups, keys, &was, &is, err);
        if (rc == BASE_OK) agg->was = was, agg->is = is;
    }
    for (uint32_t i = 0; i < agg->nsets && rc == BASE_OK; i++) {
        agg_moves moves[AGG_SET_FILTERS];
        rc = agg_set_merge(&agg->sets[i], ctx, agg->values, keys, n, moves, err);
        if (rc == BASE_OK) rc = feed_sets(agg, ctx, i, moves, err);
    }
    if (rc == BASE_OK) rc = agg_move_groups(agg, ctx, keys, err);
    // One sort serves the reads, the order of what is given downstream, and the writes of save.
    const uint32_t *order = col_keys_sort(ctx->workers, arena, n, keys);
    for (uint32_t begin = 0; begin < n && rc == BASE_OK; begin += CHUNK_GROUPS) {
        uint32_t m = n - begin < CHUNK_GROUPS ? n - begin : CHUNK_GROUPS;
        rc = flow_poll(agg->op.graph, ctx, err);
        if (rc == BASE_OK) rc = flush_chunk(agg, ctx, out, keys, order + begin, m, err);
    }
    return rc;
}

// One step is all there is: the partials are the groups.
static base_rc flush_memory(agg_op *agg, flow_ctx *ctx, flow_out *out, uint32_t n,
                            base_error *err) {
    base_arena *arena = ctx->arena;
    base_rc rc = BASE_OK;
    for (uint32_t i = 0; i < agg->nsets && rc == BASE_OK; i++) {
        agg_moves moves[AGG_SET_FILTERS];
        agg_set_take(&agg->sets[i], ctx, n, moves);
        rc = feed_sets(agg, ctx, i, moves, err);
        if (rc == BASE_OK) rc = work_out_memory(agg, ctx, i, n, err);
    }
    const col_batch *all = flow_groups_batch(&agg->groups, arena, 0, agg->groups.n);
    if (agg->spellings.ncols > 0) {
        col_batch *is;
        flow_spellings_take(&agg->spellings, arena, &agg->groups, &is);
        all = is;
    }
    for (uint32_t begin = 0; begin < n && rc == BASE_OK; begin += CHUNK_GROUPS) {
        uint32_t m = n - begin < CHUNK_GROUPS ? n - begin : CHUNK_GROUPS;
        char **blocks = base_arena_array(arena, char *, m);
        col_batch *keys =
            agg->global ? base_arena_new(arena, col_batch) : col_batch_slice(arena, all, begin, m);
        keys->nrows = m;
        col_vec *results = make_results(agg, arena, 2 * m);
        uint8_t *shown = base_arena_array(arena, uint8_t, 2 * m);
        const uint8_t *always = find_always(agg, arena, keys);
        for (uint32_t i = 0; i < m; i++) {
            blocks[i] = agg->partials + agg->stride * (begin + i);
            shown[m + i] = (always != NULL && always[i]) || *acc_weight(blocks[i]) > 0;
        }
        rc = give_results(agg, ctx, results, shown, m, m, blocks, keys, true, err);
        const step_keys given = {keys, NULL};
        if (rc == BASE_OK) rc = emit_changes(agg, ctx, out, &given, results, shown, m, err);
    }
    return rc;
}

static void clear_step(agg_op *agg) {
    flow_groups_clear(&agg->groups);
    flow_spellings_clear(&agg->spellings);
    agg->was = agg->is = NULL;
    for (uint32_t i = 0; i < agg->nsets; i++) agg_set_clear(&agg->sets[i]);
    // After a step of very many groups the room is given back.
    if (agg->partials_cap > 65536 && agg->partials_n < agg->partials_cap / 16) {
        free(agg->partials);
        agg->partials = NULL;
        agg->partials_cap = 0;
    }
    agg->partials_n = 0;
    agg->moved = (agg_moved){0};
    agg->touched = false;
    count_step_memory(agg);
}

static base_rc agg_flush(flow_op *op, flow_ctx *ctx, flow_out *out, base_error *err) {
    agg_op *agg = (agg_op *)op;
    uint32_t n = agg->groups.n;
    if (agg->global) {
        // Its row is there without input too; after the first look only input changes it.
        if (agg->always_known && !agg->touched) return BASE_OK;
        reserve_partials(agg, 1);
        n = 1;
    } else if (agg->nalways > 0 && !agg->always_known) {
        add_always(agg, ctx);
        n = agg->groups.n;
    }
    if (n == 0) return BASE_OK;
    base_rc rc =
        has_store(agg) ? flush_store(agg, ctx, out, n, err) : flush_memory(agg, ctx, out, n, err);
    agg->always_known = true;
    // The emitted keys share the groups' memory, which the next step reuses: not this one.
    if (rc == BASE_OK) clear_step(agg);
    return rc;
}

// ------------------------------------------------------------------------------------ save

static uint64_t cache_budget(const agg_op *agg) {
    return agg->op.graph->cache_bytes / (agg->op.graph->ncaches == 0 ? 1 : agg->op.graph->ncaches);
}

static base_rc agg_save(flow_op *op, flow_ctx *ctx, base_error *err) {
    agg_op *agg = (agg_op *)op;
    flow_cache *cache = &agg->cache;
    uint32_t n = cache->ndirty;
    base_arena *arena = ctx->arena;
    base_str *keys = base_arena_alloc(arena, sizeof(base_str) * (n + 1u));
    for (uint32_t i = 0; i < n; i++) keys[i] = flow_record_key(cache->dirty[i]);
    const uint32_t *order = col_keys_sort(ctx->workers, arena, n, keys);
    base_str *in_order = base_arena_alloc(arena, sizeof(base_str) * (n + 1u));
    base_str *values = base_arena_array(arena, base_str, n + 1u);
    base_buf buf = {0};
    for (uint32_t i = 0; i < n; i++) {
        flow_record *record = cache->dirty[order[i]];
        in_order[i] = keys[order[i]];
        if (*acc_weight(flow_record_block(record)) == 0 && !record->always) continue;
        base_buf_clear(&buf);
        flow_record_encode(cache, record, &buf);
        values[i] = (base_str){base_arena_memdup(arena, buf.p, buf.n), buf.n};
    }
    base_buf_deinit(&buf);
    base_rc rc = n == 0 ? BASE_OK : state_put_batch(ctx->txn, agg->table, n, in_order, values, err);
    if (rc != BASE_OK) return rc;
    cache->ndirty = 0;
    for (uint32_t i = 0; i < n; i++) cache->dirty[i]->dirty = 0;
    for (uint32_t i = 0; i < n; i++) {
        flow_record *record = cache->dirty[i];
        bool gone = *acc_weight(flow_record_block(record)) == 0 && !record->always;
        record->stored = !gone;
        if (gone) flow_cache_remove(cache, record);
    }
    flow_cache_trim(cache, cache_budget(agg));
    uint64_t bytes = flow_cache_bytes(cache);
    flow_heap_add(op, (int64_t)(bytes - agg->cache_counted));
    agg->cache_counted = bytes;
    return BASE_OK;
}

static void agg_reset(flow_op *op) {
    agg_op *agg = (agg_op *)op;
    clear_step(agg);
    flow_cache_deinit(&agg->cache);
    agg->always_known = false;
}

// Every stored group decodes, is not empty, and no count exceeds its weight.
static base_rc agg_verify(flow_op *op, flow_ctx *ctx, base_error *err) {
    agg_op *agg = (agg_op *)op;
    state_cursor *cursor;
    base_rc rc = state_cursor_open(ctx->txn, agg->table, &cursor, err);
    if (rc != BASE_OK) return rc;
    flow_cache one;
    flow_cache_init(&one, agg->specs, agg->nspecs, agg->stride);
    while (rc == BASE_OK) {
        base_str key, value;
        bool end;
        rc = state_cursor_next(cursor, &key, &value, &end, err);
        if (rc != BASE_OK || end) break;
        flow_record *record = flow_cache_add(&one, key, 0);
        rc = flow_record_decode(&one, record, value, err);
        bool may_be_empty = agg->global || agg->nalways > 0;
        if (rc == BASE_OK && !may_be_empty && *acc_weight(flow_record_block(record)) == 0) {
            rc = base_fail(err, BASE_E_CORRUPT, NULL, "view %u, node %u: an empty group is stored",
                           op->view_id, op->node_id);
        }
        flow_cache_remove(&one, record);
    }
    flow_cache_deinit(&one);
    state_cursor_close(cursor);
    return rc;
}

static void agg_stats(flow_op *op, flow_op_stats *stats) {
    agg_op *agg = (agg_op *)op;
    *stats = op->stats;
    stats->state_rows = agg->cache.n;
    stats->cache_bytes = flow_cache_bytes(&agg->cache);
}

static void agg_close(flow_op *op) {
    agg_op *agg = (agg_op *)op;
    flow_groups_deinit(&agg->groups);
    flow_spellings_deinit(&agg->spellings);
    for (uint32_t i = 0; i < agg->nsets; i++) agg_set_deinit(&agg->sets[i]);
    base_arena_deinit(&agg->whole);
    flow_cache_deinit(&agg->cache);
    free(agg->partials);
    free(agg->scratch_groups);
    free(agg->scratch_hashes);
}

// ------------------------------------------------------------------------------------ making

// The keys of the groups of sets without keys: nulls, then the set's constants.
static void list_always(agg_op *agg, const plan_expand *expand, const col_type *types) {
    base_arena *arena = &agg->op.graph->arena;
    must(agg->nkeys == expand->nkeys + expand->nconstants);
    for (uint32_t s = 0; s < expand->nsets; s++) agg->nalways += !plan_expand_keeps(expand, s);
    agg->always = col_batch_create(arena, agg->nkeys, types, agg->nalways);
    uint32_t row = 0;
    for (uint32_t s = 0; s < expand->nsets; s++) {
        if (plan_expand_keeps(expand, s)) continue;
        for (uint32_t k = 0; k < expand->nkeys; k++) {
            col_vec_set_null(&agg->always->cols[k], arena, row);
        }
        for (uint32_t c = 0; c < expand->nconstants; c++) {
            col_i32(&agg->always->cols[expand->nkeys + c])[row] =
                expand->constants[(size_t)s * expand->nconstants + c];
        }
        row++;
    }
}

// The accumulators of a block and the sets of values.
static void agg_describe(const flow_op *op, base_buf *buf) {
    const agg_op *agg = (const agg_op *)op;
    base_buf_printf(buf, "blocks of %zu", agg->stride);
    for (uint32_t s = 0; s < agg->nspecs; s++) {
        const acc_spec *spec = &agg->specs[s];
        base_buf_printf(buf, ", %d.%d.%u", (int)spec->kind, (int)spec->feed, spec->size);
    }
    for (uint32_t i = 0; i < agg->nsets; i++) {
        const agg_set *set = &agg->sets[i];
        base_buf_printf(buf, "; set of %u columns, %u filters%s%s", set->ncols, set->nfilters,
                        set->tagged ? ", tagged" : "", set->cells ? ", with cells" : "");
        if (set->coding != AGG_AS_IT_IS) base_buf_printf(buf, ", coded %d", (int)set->coding);
    }
    if (agg->spellings.ncols > 0) base_buf_add_cstr(buf, "; spellings");
}

base_rc flow_agg_create(flow_graph *graph, uint32_t view_id, const plan_node *node,
                        bool append_only, flow_op **out, base_error *err) {
    static const flow_op_class class = {.name = "aggregate",
                                        .layout = 1,
                                        .describe = agg_describe,
                                        .push = agg_push,
                                        .flush = agg_flush,
                                        .save = agg_save,
                                        .reset = agg_reset,
                                        .verify = agg_verify,
                                        .stats = agg_stats,
                                        .close = agg_close};
    base_arena *arena = &graph->arena;
    if (node->naggs > 250) {
        return base_fail(err, BASE_E_LIMIT, BASE_SQLSTATE_LIMIT,
                         "a query can have at most 250 aggregates");
    }
    agg_op *agg = base_arena_new(arena, agg_op);
    FLOW_OP_INIT(&agg->op, &class, graph, view_id, node);
    agg->op.hold = FLOW_HOLD_NONE;
    agg->nkeys = node->nexprs;
    agg->nspecs = node->naggs;
    agg->global = node->nexprs == 0;
    base_arena_init(&agg->whole, 4096);
    col_type *types = base_arena_array(arena, col_type, agg->nkeys + 1u);
    for (uint32_t k = 0; k < agg->nkeys; k++) types[k] = node->exprs[k]->type;
    *out = &agg->op;
    base_rc rc = agg_plan(agg, node, append_only, err);
    if (rc != BASE_OK) return rc;
    flow_groups_init(&agg->groups, arena, agg->nkeys, types);
    if (node->expand != NULL) list_always(agg, node->expand, types);
    flow_cache_init(&agg->cache, agg->specs, agg->nspecs, agg->stride);
    graph->ncaches++;
    rc = flow_spellings_open(&agg->spellings, &agg->op, agg->nkeys, types, err);
    if (rc != BASE_OK || graph->store == NULL) return rc;
    rc = flow_table_open(graph, false, view_id, node->id, "groups", &agg->table, err);
    if (rc == BASE_OK && agg->nsets > 0) {
        rc = flow_table_open(graph, false, view_id, node->id, "values", &agg->values, err);
    }
    bool ranked = false;
    for (uint32_t i = 0; i < agg->nsets; i++) ranked |= agg->sets[i].ranked;
    if (rc == BASE_OK && ranked)
        rc = flow_table_open(graph, false, view_id, node->id, "ranks", &agg->ranks, err);
    return rc;
}
