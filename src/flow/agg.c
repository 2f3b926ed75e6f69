// agg.c - GROUP BY and aggregates.
//
// Delta rule: a group's accumulators are linear, so acc(A + dA) = acc(A) + acc(dA). The step's rows
// are first summed to a partial per group in a flat table; at flush each touched group meets its
// stored block once: out = -row(old) + row(new), for groups whose row changed.
//  - A group is there while its weight (rows, with sign) is positive. Without GROUP BY there is one
//    group, which is always there, from the first flush on.
//  - DISTINCT, and MIN and MAX of an input that may retract, stand on a table of distinct values
//  with
//    their counts: a value that comes (count 0 to positive) or goes feeds the accumulator; when an
//    extreme's value went, the next one is read from the table, which is in order.
//
// State: "v<view>.<node>.groups": group key -> visible, block (see cache.h);
// "v<view>.<node>.values": group key ++ aggregate number ++ value key -> count, the value's cell.
// The cache in front persists across steps and is bounded; save writes what is dirty, sorted.
// Entry point: flow_agg_create.
#include <stdlib.h>

#include "base/hash.h"
#include "flow/cache.h"
#include "flow/flow_int.h"

#define CHUNK_GROUPS 65536u
#define RUN_ROWS     256u // blocks of so many rows stay in the innermost cache

// The step's distinct values of one aggregate: (group number, value) -> weight.
typedef struct value_set {
    flow_groups pairs;
    int64_t *weights;
    uint32_t cap;
    uint8_t *recheck; // a group each, in the step's arena: an extreme's value went; or NULL
} value_set;

typedef struct agg_op {
    flow_op op;
    uint32_t nkeys, nspecs;
    bool global;             // no GROUP BY
    const plan_expr **exprs; // keys, then arguments (with filters folded in; NULL where none)
    bool *skip;
    acc_spec *specs;
    value_set *sets; // parallel to specs; used where specs[i].values
    size_t stride;   // of a block

    flow_groups groups; // of the step
    char *partials;     // groups.n blocks (one if global)
    uint32_t partials_n, partials_cap;
    bool touched; // rows came in this step

    uint32_t *scratch_groups; // of a batch
    uint64_t *scratch_hashes;
    uint32_t scratch_cap;

    flow_cache cache;
    state_table table, values;
    bool global_known; // the global group's record has been looked for
    uint64_t cache_counted, step_counted;
} agg_op;

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
    uint64_t bytes = flow_groups_bytes(&agg->groups) + agg->stride * agg->partials_cap;
    for (uint32_t i = 0; i < agg->nspecs; i++) {
        if (!agg->specs[i].values) continue;
        bytes += flow_groups_bytes(&agg->sets[i].pairs) + sizeof(int64_t) * agg->sets[i].cap;
    }
    flow_heap_add(&agg->op, (int64_t)(bytes - agg->step_counted));
    agg->step_counted = agg->op.step_bytes = bytes;
}

// Adds a batch's values to a set: (group, value) pairs with their weights. Nulls are no values.
static void add_values(flow_ctx *ctx, value_set *set, const uint32_t *group_of,
                       const col_vec *values, const int64_t *weights) {
    base_arena *arena = ctx->arena;
    uint32_t n = values->n;
    if (values->nulls != NULL) {
        uint32_t *sel = base_arena_alloc(arena, sizeof(uint32_t) * (n + 1u)), kept = 0;
        for (uint32_t i = 0; i < n; i++) {
            sel[kept] = i;
            kept += !values->nulls[i];
        }
        uint32_t *groups = base_arena_alloc(arena, sizeof(uint32_t) * (kept + 1u));
        int64_t *own = base_arena_alloc(arena, sizeof(int64_t) * (kept + 1u));
        for (uint32_t i = 0; i < kept; i++) {
            groups[i] = group_of[sel[i]];
            own[i] = weights == NULL ? 1 : weights[sel[i]];
        }
        values = col_vec_gather(arena, values, sel, kept);
        group_of = groups;
        weights = own;
        n = kept;
    }
    if (n == 0) return;
    col_vec cols[2] = {{.type = col_type_of(COL_INT8), .n = n}, *values};
    cols[0].data = base_arena_alloc(arena, sizeof(int64_t) * n);
    cols[1].nulls = NULL;
    for (uint32_t i = 0; i < n; i++) col_i64(&cols[0])[i] = group_of[i];
    col_batch pairs = {2, n, cols, NULL};
    const uint32_t both[2] = {0, 1};
    uint64_t *hashes = base_arena_alloc(arena, sizeof(uint64_t) * n);
    uint32_t *pair_of = base_arena_alloc(arena, sizeof(uint32_t) * n);
    col_hash(&pairs, 2, both, hashes);
    uint32_t before = set->pairs.n;
    flow_groups_find(&set->pairs, arena, flow_step_arena(ctx), &pairs, hashes, pair_of);
    if (set->pairs.cap > set->cap) {
        set->weights = grow(set->weights, sizeof(int64_t) * set->pairs.cap);
        set->cap = set->pairs.cap;
    }
    memset(set->weights + before, 0, sizeof(int64_t) * (set->pairs.n - before));
    for (uint32_t i = 0; i < n; i++) set->weights[pair_of[i]] += weights == NULL ? 1 : weights[i];
}

static void group_rows(agg_op *agg, flow_ctx *ctx, const col_vec *const *keys, uint32_t n) {
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
    reserve_partials(agg, agg->groups.n);
}

// Rows [begin, begin + n) into their blocks: a short run, so that a block that one aggregate has
// touched is still in cache for the next.
static base_rc update_run(agg_op *agg, flow_ctx *ctx, const col_vec *const *values,
                          const int64_t *weights, uint32_t begin, uint32_t n, base_error *err) {
    const uint32_t *group_of = agg->scratch_groups + begin;
    if (weights != NULL) weights += begin;
    acc_update_weights(agg->partials, agg->stride, group_of, n, weights);
    base_rc rc = BASE_OK;
    for (uint32_t i = 0; i < agg->nspecs && rc == BASE_OK; i++) {
        const acc_spec *spec = &agg->specs[i];
        if (spec->values || spec->kind == ACC_WEIGHT) continue;
        col_vec run = *values[i]; // its children, if any, are not looked at
        run.n = n;
        if (run.data != NULL) {
            run.data = (char *)run.data + col_kind_width(run.type.kind) * begin;
        }
        if (run.nulls != NULL) run.nulls += begin;
        rc = acc_update(spec, agg->partials, agg->stride, group_of, &run, weights,
                        flow_step_arena(ctx), err);
    }
    return rc;
}

static base_rc agg_push(flow_op *op, flow_ctx *ctx, uint32_t port, const col_batch *batch,
                        flow_out *out, base_error *err) {
    (void)port, (void)out;
    agg_op *agg = (agg_op *)op;
    op->stats.rows_in += batch->nrows;
    uint32_t nexprs = agg->nkeys + agg->nspecs;
    const col_vec **values = base_arena_array(ctx->arena, const col_vec *, nexprs + 1u);
    const col_batch *rows;
    base_rc rc = flow_eval(op, ctx, batch, nexprs, agg->exprs, agg->skip, &rows, values, err);
    if (rc != BASE_OK || rows->nrows == 0) return rc;
    uint32_t n = rows->nrows;
    agg->touched = true;
    group_rows(agg, ctx, values, n);
    for (uint32_t begin = 0; begin < n && rc == BASE_OK; begin += RUN_ROWS) {
        uint32_t m = n - begin < RUN_ROWS ? n - begin : RUN_ROWS;
        rc = update_run(agg, ctx, values + agg->nkeys, rows->weights, begin, m, err);
    }
    for (uint32_t i = 0; i < agg->nspecs && rc == BASE_OK; i++) {
        if (!agg->specs[i].values) continue;
        add_values(ctx, &agg->sets[i], agg->scratch_groups, values[agg->nkeys + i], rows->weights);
    }
    count_step_memory(agg);
    return rc == BASE_OK ? flow_poll(op->graph, ctx, err) : rc;
}

// ------------------------------------------------------------------------------------ values

// The state key of a pair: group key ++ aggregate number ++ value. Values of a DISTINCT need only
// be found again, so long ones are hashed; those of an extreme keep their order.
static base_str value_key(base_arena *arena, const acc_spec *spec, uint32_t number,
                          base_str group_key, const col_vec *values, uint32_t row, base_buf *buf) {
    base_buf_clear(buf);
    base_buf_add_str(buf, group_key);
    base_buf_add_byte(buf, (uint8_t)number);
    size_t begin = buf->n;
    col_key_encode(buf, values, row);
    if (spec->kind != ACC_EXTREME && buf->n - begin > FLOW_KEY_INLINE) {
        uint8_t hash[16];
        base_hash128(buf->p + begin, buf->n - begin, hash);
        buf->n = begin;
        base_buf_add_byte(buf, 0xff); // no encoding begins so
        base_buf_add(buf, hash, sizeof hash);
    }
    return (base_str){base_arena_memdup(arena, buf->p, buf->n), buf->n};
}

// One value comes (+1) or goes (-1).
static base_rc value_changed(agg_op *agg, base_arena *arena, uint32_t number, uint32_t group,
                             const col_vec *value, uint32_t row, int64_t sign, base_error *err) {
    const acc_spec *spec = &agg->specs[number];
    value_set *set = &agg->sets[number];
    if (spec->kind == ACC_EXTREME && sign < 0) {
        set->recheck[group] = 1;
        return BASE_OK;
    }
    col_vec one = *value;
    size_t width = col_kind_width(value->type.kind);
    one.n = 1;
    one.data = (char *)value->data + width * row;
    one.nulls = NULL;
    const uint32_t zero = 0;
    return acc_update(spec, agg->partials + agg->stride * group, agg->stride, &zero, &one, &sign,
                      arena, err);
}

typedef struct count_cell { // head of a value's row in the store
    int64_t count;
} count_cell;

static base_rc merge_values(agg_op *agg, flow_ctx *ctx, uint32_t number, const base_str *group_keys,
                            base_error *err) {
    base_arena *arena = ctx->arena;
    const acc_spec *spec = &agg->specs[number];
    value_set *set = &agg->sets[number];
    uint32_t n = 0, npairs = set->pairs.n;
    uint32_t *pairs = base_arena_alloc(arena, sizeof(uint32_t) * (npairs + 1u));
    base_str *keys = base_arena_alloc(arena, sizeof(base_str) * (npairs + 1u));
    const int64_t *group_of = col_i64(&set->pairs.keys[0]);
    const col_vec *values = &set->pairs.keys[1];
    base_buf buf = {0};
    for (uint32_t i = 0; i < npairs; i++) {
        if (set->weights[i] == 0) continue;
        keys[n] = value_key(arena, spec, number, group_keys[group_of[i]], values, i, &buf);
        pairs[n++] = i;
    }
    const uint32_t *order = flow_keys_sort(arena, n, keys);
    base_str *in_order = base_arena_alloc(arena, sizeof(base_str) * (n + 1u));
    base_str *stored = base_arena_array(arena, base_str, n + 1u);
    for (uint32_t i = 0; i < n; i++) in_order[i] = keys[order[i]];
    base_rc rc = state_get_batch(ctx->txn, agg->values, n, in_order, stored, err);
    for (uint32_t i = 0; i < n && rc == BASE_OK; i++) {
        uint32_t pair = pairs[order[i]];
        count_cell before = {0};
        if (stored[i].p != NULL) {
            if (stored[i].n < sizeof before) {
                rc = base_fail(err, BASE_E_CORRUPT, NULL, "a counted value has %zu bytes",
                               stored[i].n);
                break;
            }
            memcpy(&before, stored[i].p, sizeof before);
        }
        count_cell after = {before.count + set->weights[pair]};
        int64_t sign = (after.count > 0) - (before.count > 0);
        if (sign != 0) {
            rc = value_changed(agg, arena, number, (uint32_t)group_of[pair], values, pair, sign,
                               err);
        }
        base_buf_clear(&buf);
        base_buf_add(&buf, &after, sizeof after);
        if (spec->kind == ACC_EXTREME) col_cell_encode(&buf, values, pair);
        stored[i] = after.count == 0 ? (base_str){NULL, 0}
                                     : (base_str){base_arena_memdup(arena, buf.p, buf.n), buf.n};
    }
    base_buf_deinit(&buf);
    return rc == BASE_OK ? state_put_batch(ctx->txn, agg->values, n, in_order, stored, err) : rc;
}

// Without a store the set is all there is.
static base_rc take_values(agg_op *agg, base_arena *arena, uint32_t number, base_error *err) {
    value_set *set = &agg->sets[number];
    base_rc rc = BASE_OK;
    for (uint32_t i = 0; i < set->pairs.n && rc == BASE_OK; i++) {
        if (set->weights[i] <= 0) continue;
        rc = value_changed(agg, arena, number, (uint32_t)col_i64(&set->pairs.keys[0])[i],
                           &set->pairs.keys[1], i, 1, err);
    }
    return rc;
}

// Reads the first (or last) value with a positive count of a group.
static base_rc read_extreme(agg_op *agg, flow_ctx *ctx, uint32_t number, base_str group_key,
                            state_cursor *cursor, flow_record *record, base_error *err) {
    const acc_spec *spec = &agg->specs[number];
    bool max = spec->id == PLAN_AGG_MAX;
    base_buf prefix = {0};
    base_buf_add_str(&prefix, group_key);
    base_buf_add_byte(&prefix, (uint8_t)(number + (max ? 1 : 0)));
    base_str key, value, own = {prefix.p, group_key.n + 1};
    bool end;
    base_rc rc = state_cursor_seek(cursor, base_buf_str(&prefix), &key, &value, &end, err);
    if (rc == BASE_OK && max) {
        rc = end ? state_cursor_last(cursor, &key, &value, &end, err)
                 : state_cursor_prev(cursor, &key, &value, &end, err);
    }
    prefix.p[prefix.n - 1] = (char)number;
    acc_set_extreme(spec, flow_record_block(record), NULL, 0);
    while (rc == BASE_OK && !end && base_str_starts(key, own)) {
        count_cell count = {0};
        if (value.n >= sizeof count) memcpy(&count, value.p, sizeof count);
        if (count.count > 0) {
            col_vec *cell = base_arena_new(ctx->arena, col_vec);
            col_vec_init(cell, ctx->arena, spec->arg, 1);
            base_str bytes = {base_arena_memdup(ctx->arena, value.p, value.n), value.n};
            size_t at = sizeof count;
            rc = col_cell_decode(bytes, &at, cell, 0, ctx->arena, err);
            if (rc == BASE_OK) acc_set_extreme(spec, flow_record_block(record), cell, 0);
            break;
        }
        rc = max ? state_cursor_prev(cursor, &key, &value, &end, err)
                 : state_cursor_next(cursor, &key, &value, &end, err);
    }
    base_buf_deinit(&prefix);
    return rc;
}

// ------------------------------------------------------------------------------------ records

// Finds or reads the records of n groups, whose keys are in order.
static base_rc load_records(agg_op *agg, flow_ctx *ctx, const base_str *keys,
                            const uint32_t *groups, uint32_t n, flow_record **records,
                            base_error *err) {
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

static base_rc recheck_extremes(agg_op *agg, flow_ctx *ctx, const base_str *keys,
                                const uint32_t *groups, uint32_t n, flow_record **records,
                                base_error *err) {
    base_rc rc = BASE_OK;
    for (uint32_t s = 0; s < agg->nspecs && rc == BASE_OK; s++) {
        const acc_spec *spec = &agg->specs[s];
        if (!spec->values || spec->kind != ACC_EXTREME) continue;
        state_cursor *cursor = NULL;
        for (uint32_t i = 0; i < n && rc == BASE_OK; i++) {
            if (!agg->sets[s].recheck[groups[i]]) continue;
            if (cursor == NULL) rc = state_cursor_open(ctx->txn, agg->values, &cursor, err);
            if (rc != BASE_OK) break;
            char *block = flow_record_block(records[i]);
            base_str before = {NULL, 0};
            if (spec->string && acc_has(spec, block)) before = *acc_string(spec, block);
            // The record's own string is let go first, whatever comes of the read.
            acc_set_extreme(spec, block, NULL, 0);
            rc = read_extreme(agg, ctx, s, keys[groups[i]], cursor, records[i], err);
            if (spec->string) flow_cache_own_string(&agg->cache, spec, records[i], before);
        }
        if (cursor != NULL) state_cursor_close(cursor);
    }
    return rc;
}

// ------------------------------------------------------------------------------------ flush

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

// Emits -old +new of m groups: results hold the old rows, then the new ones.
static base_rc emit_changes(agg_op *agg, flow_ctx *ctx, flow_out *out, const col_batch *keys,
                            col_vec *results, const uint8_t *shown, uint32_t m, base_error *err) {
    base_arena *arena = ctx->arena;
    uint32_t *row = base_arena_alloc(arena, sizeof(uint32_t) * (2u * m + 1u));
    uint32_t *group = base_arena_alloc(arena, sizeof(uint32_t) * (2u * m + 1u));
    int64_t *weights = base_arena_alloc(arena, sizeof(int64_t) * (2u * m + 1u));
    uint32_t n = 0;
    bool retracts = false;
    for (uint32_t i = 0; i < m; i++) {
        bool was = shown[i], is = shown[m + i], same = was && is;
        for (uint32_t s = 0; s < agg->nspecs && same; s++) {
            same = col_cells_equal(&results[s], i, &results[s], m + i);
        }
        if (same) continue;
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
        batch->cols[k] = *col_vec_gather(arena, &keys->cols[k], group, n);
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

// m groups with a store behind, whose keys are in order.
static base_rc flush_chunk(agg_op *agg, flow_ctx *ctx, flow_out *out, const base_str *keys,
                           const uint32_t *groups, uint32_t m, base_error *err) {
    base_arena *arena = ctx->arena;
    flow_record **records = base_arena_array(arena, flow_record *, m);
    char **blocks = base_arena_array(arena, char *, m);
    const col_batch *key_rows = &(col_batch){.nrows = m};
    if (!agg->global) {
        const col_batch *all = flow_groups_batch(&agg->groups, arena, 0, agg->groups.n);
        key_rows = col_batch_gather(arena, all, groups, m);
    }
    base_rc rc = load_records(agg, ctx, keys, groups, m, records, err);
    if (rc != BASE_OK) return rc;
    col_vec *results = make_results(agg, arena, 2 * m);
    uint8_t *shown = base_arena_array(arena, uint8_t, 2 * m);
    for (uint32_t i = 0; i < m; i++) {
        blocks[i] = flow_record_block(records[i]);
        shown[i] = records[i]->visible;
    }
    rc = give_results(agg, ctx, results, shown, 0, m, blocks, key_rows, false, err);
    if (rc != BASE_OK) return rc;
    keep_old_strings(agg, arena, results, shown, m);
    for (uint32_t i = 0; i < m; i++) {
        merge_record(agg, records[i], agg->partials + agg->stride * groups[i]);
    }
    rc = recheck_extremes(agg, ctx, keys, groups, m, records, err);
    if (rc != BASE_OK) return rc;
    for (uint32_t i = 0; i < m; i++) {
        shown[m + i] = agg->global || *acc_weight(blocks[i]) > 0;
    }
    rc = give_results(agg, ctx, results, shown, m, m, blocks, key_rows, true, err);
    if (rc != BASE_OK) return rc;
    for (uint32_t i = 0; i < m; i++) records[i]->visible = shown[m + i];
    // New strings too: the record may go with the next batch that downstream keeps for the step.
    keep_old_strings(agg, arena, results, shown, 2 * m);
    return emit_changes(agg, ctx, out, key_rows, results, shown, m, err);
}

static base_rc flush_store(agg_op *agg, flow_ctx *ctx, flow_out *out, uint32_t n, base_error *err) {
    base_arena *arena = ctx->arena;
    base_str *keys = base_arena_alloc(arena, sizeof(base_str) * n);
    if (agg->global) {
        keys[0] = BASE_STR("\0");
    } else {
        uint32_t *all = base_arena_array(arena, uint32_t, agg->nkeys);
        for (uint32_t k = 0; k < agg->nkeys; k++) all[k] = k;
        flow_keys_encode(arena, flow_groups_batch(&agg->groups, arena, 0, n), agg->nkeys, all,
                         keys);
    }
    base_rc rc = BASE_OK;
    for (uint32_t s = 0; s < agg->nspecs && rc == BASE_OK; s++) {
        if (!agg->specs[s].values) continue;
        agg->sets[s].recheck = base_arena_array(arena, uint8_t, n);
        rc = merge_values(agg, ctx, s, keys, err);
    }
    // One sort serves the reads, the order of what is given downstream, and the writes of save.
    const uint32_t *order = flow_keys_sort(arena, n, keys);
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
    for (uint32_t s = 0; s < agg->nspecs && rc == BASE_OK; s++) {
        if (agg->specs[s].values) rc = take_values(agg, arena, s, err);
    }
    for (uint32_t begin = 0; begin < n && rc == BASE_OK; begin += CHUNK_GROUPS) {
        uint32_t m = n - begin < CHUNK_GROUPS ? n - begin : CHUNK_GROUPS;
        char **blocks = base_arena_array(arena, char *, m);
        col_batch *keys = agg->global ? base_arena_new(arena, col_batch)
                                      : flow_groups_batch(&agg->groups, arena, begin, m);
        keys->nrows = m;
        col_vec *results = make_results(agg, arena, 2 * m);
        uint8_t *shown = base_arena_array(arena, uint8_t, 2 * m);
        for (uint32_t i = 0; i < m; i++) {
            blocks[i] = agg->partials + agg->stride * (begin + i);
            shown[m + i] = agg->global || *acc_weight(blocks[i]) > 0;
        }
        rc = give_results(agg, ctx, results, shown, m, m, blocks, keys, true, err);
        if (rc == BASE_OK) rc = emit_changes(agg, ctx, out, keys, results, shown, m, err);
    }
    return rc;
}

static void clear_step(agg_op *agg) {
    flow_groups_clear(&agg->groups);
    for (uint32_t s = 0; s < agg->nspecs; s++) {
        if (agg->specs[s].values) flow_groups_clear(&agg->sets[s].pairs);
    }
    // After a step of very many groups the room is given back.
    if (agg->partials_cap > 65536 && agg->partials_n < agg->partials_cap / 16) {
        free(agg->partials);
        agg->partials = NULL;
        agg->partials_cap = 0;
    }
    agg->partials_n = 0;
    agg->touched = false;
    count_step_memory(agg);
}

static base_rc agg_flush(flow_op *op, flow_ctx *ctx, flow_out *out, base_error *err) {
    agg_op *agg = (agg_op *)op;
    uint32_t n = agg->groups.n;
    if (agg->global) {
        // Its row is there without input too; after the first look only input changes it.
        if (agg->global_known && !agg->touched) return BASE_OK;
        reserve_partials(agg, 1);
        n = 1;
    }
    if (n == 0) return BASE_OK;
    base_rc rc =
        has_store(agg) ? flush_store(agg, ctx, out, n, err) : flush_memory(agg, ctx, out, n, err);
    agg->global_known = true;
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
    const uint32_t *order = flow_keys_sort(arena, n, keys);
    base_str *in_order = base_arena_alloc(arena, sizeof(base_str) * (n + 1u));
    base_str *values = base_arena_array(arena, base_str, n + 1u);
    base_buf buf = {0};
    for (uint32_t i = 0; i < n; i++) {
        flow_record *record = cache->dirty[order[i]];
        in_order[i] = keys[order[i]];
        if (*acc_weight(flow_record_block(record)) == 0 && !agg->global) continue;
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
        bool gone = *acc_weight(flow_record_block(record)) == 0 && !agg->global;
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
    agg->global_known = false;
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
        if (rc == BASE_OK && !agg->global && *acc_weight(flow_record_block(record)) == 0) {
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
    for (uint32_t s = 0; agg->sets != NULL && s < agg->nspecs; s++) {
        if (!agg->specs[s].values) continue;
        flow_groups_deinit(&agg->sets[s].pairs);
        free(agg->sets[s].weights);
    }
    flow_cache_deinit(&agg->cache);
    free(agg->partials);
    free(agg->scratch_groups);
    free(agg->scratch_hashes);
}

// ------------------------------------------------------------------------------------ making

// An aggregate's argument with its filter folded in: every aggregate passes nulls over, so
// agg(x) FILTER (WHERE f) = agg(CASE WHEN f THEN x ELSE NULL END), and x is evaluated only where f
// holds. count(*) counts true in place of x.
static const plan_expr *filtered_argument(base_arena *arena, const plan_agg *agg) {
    if (agg->filter == NULL) return agg->arg;
    const plan_expr *value = agg->arg;
    if (value == NULL) {
        col_vec *yes = base_arena_new(arena, col_vec);
        col_vec_init(yes, arena, col_type_of(COL_BOOL), 1);
        col_u8(yes)[0] = 1;
        plan_expr *constant = base_arena_new(arena, plan_expr);
        *constant = (plan_expr){.kind = PLAN_EXPR_CONST, .type = yes->type, .constant = yes};
        value = constant;
    }
    col_vec *null = base_arena_new(arena, col_vec);
    col_vec_init(null, arena, value->type, 1);
    col_vec_set_null(null, arena, 0);
    plan_expr *otherwise = base_arena_new(arena, plan_expr);
    *otherwise = (plan_expr){.kind = PLAN_EXPR_CONST, .type = value->type, .constant = null};
    plan_expr *choice = base_arena_new(arena, plan_expr);
    *choice = (plan_expr){.kind = PLAN_EXPR_CASE,
                          .type = value->type,
                          .nargs = 3,
                          .args = base_arena_array(arena, const plan_expr *, 3),
                          .position = agg->filter->position};
    choice->args[0] = agg->filter;
    choice->args[1] = value;
    choice->args[2] = otherwise;
    return choice;
}

static base_rc init_specs(agg_op *agg, const plan_node *node, bool append_only, base_error *err) {
    base_arena *arena = &agg->op.graph->arena;
    size_t stride = sizeof(int64_t);
    for (uint32_t s = 0; s < agg->nspecs; s++) {
        base_rc rc = acc_spec_init(&agg->specs[s], &node->aggs[s], append_only, err);
        if (rc != BASE_OK) return rc;
        agg->specs[s].offset = (uint32_t)stride;
        stride += agg->specs[s].size;
        const plan_expr *argument = filtered_argument(arena, &node->aggs[s]);
        agg->exprs[agg->nkeys + s] = argument;
        agg->skip[agg->nkeys + s] = argument == NULL;
        if (!agg->specs[s].values) continue;
        const col_type types[2] = {col_type_of(COL_INT8), argument->type};
        flow_groups_init(&agg->sets[s].pairs, arena, 2, types);
    }
    agg->stride = (stride + 7) & ~(size_t)7;
    return BASE_OK;
}

base_rc flow_agg_create(flow_graph *graph, uint32_t view_id, const plan_node *node,
                        bool append_only, flow_op **out, base_error *err) {
    static const flow_op_class class = {.name = "aggregate",
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
    agg->exprs = base_arena_array(arena, const plan_expr *, agg->nkeys + agg->nspecs + 1u);
    agg->skip = base_arena_array(arena, bool, agg->nkeys + agg->nspecs + 1u);
    agg->specs = base_arena_array(arena, acc_spec, agg->nspecs + 1u);
    agg->sets = base_arena_array(arena, value_set, agg->nspecs + 1u);
    col_type *types = base_arena_array(arena, col_type, agg->nkeys + 1u);
    for (uint32_t k = 0; k < agg->nkeys; k++) {
        agg->exprs[k] = node->exprs[k];
        types[k] = node->exprs[k]->type;
    }
    *out = &agg->op;
    base_rc rc = init_specs(agg, node, append_only, err);
    if (rc != BASE_OK) return rc;
    flow_groups_init(&agg->groups, arena, agg->nkeys, types);
    flow_cache_init(&agg->cache, agg->specs, agg->nspecs, agg->stride);
    graph->ncaches++;
    if (graph->store == NULL) return BASE_OK;
    rc = flow_table_open(graph, false, view_id, node->id, "groups", &agg->table, err);
    bool values = false;
    for (uint32_t s = 0; s < agg->nspecs; s++) values |= agg->specs[s].values;
    if (rc == BASE_OK && values) {
        rc = flow_table_open(graph, false, view_id, node->id, "values", &agg->values, err);
    }
    return rc;
}
