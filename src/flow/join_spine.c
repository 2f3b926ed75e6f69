// join_spine.c - a join's deltas against the spines of its sides: where all that matches is equal
// keys, or nothing is counted.
//
// A delta is sorted by key hash once, for its lookups in the other side's spine and for the run
// that it becomes in its own. Rows are not counted one by one: how many rows of the other side
// match is the same for all rows of a key. Where that matters, a side's summed weights by key are
// looked up in `totals`, a spine of its own, or, if the side has at most one row a key, in its
// rows. Sides whose rows are never output (the right of semi, anti and mark joins) keep totals
// only.
//
// A side that only grows and has at most one row a key settles its keys: a row of the other side
// that has met one need never be looked at again. It is not kept, or taken out when the key comes.
// Such a side's delta is taken first, so that both may come in one step.
//
// Rows below a side's floor (plan/release.h) match nothing that can still come, and are not kept.
// What is added of the side taken first has yet to meet the step's rows of the other, so it is held
// against the floor of the step before.
// Entry points: join_spine_open, join_spine.
#include "flow/join_int.h"

// Rows of a chunk are made whole: a bound on what one takes.
#define CHUNK_ROWS 16384u

// What is known of the groups of a delta.
typedef struct meeting {
    join_op *join;
    flow_ctx *ctx;
    flow_out *out;
    uint32_t side; // of the delta
    join_delta d;
    int64_t bound_us; // rows below it are not kept
    int64_t *weights; // by group
    int64_t *own;     // by group: of the stored rows of its own side, before; or NULL
    int64_t *theirs;  // by group: of the stored rows of the other side
    uint32_t ntaken, taken_cap;
    flow_spine_rows *taken; // stored rows of the other side that are settled now
} meeting;

static uint32_t chunk_rows(const join_op *join) {
    uint32_t most = join->op.graph->batch_rows;
    return most < CHUNK_ROWS ? most : CHUNK_ROWS;
}

// The group of a stored row, which has hash `which`; UINT32_MAX: another key.
static inline uint32_t group_of(const meeting *m, const col_batch *stored, const uint32_t *keys,
                                uint32_t row, uint32_t which) {
    const join_delta *d = &m->d;
    uint32_t g = d->first_group[which], end = d->first_group[which + 1];
    if (m->join->exact) return g;
    for (; g < end; g++) {
        uint32_t own = d->rows[join_delta_member(d, d->begin[g])];
        if (col_rows_equal(stored, row, d->batch, own, m->join->nkeys, keys,
                           m->join->sides[m->side].keys))
            return g;
    }
    return UINT32_MAX;
}

// ------------------------------------------------------------------------------------ totals

// Adds the weights in a spine of `which` side to the groups' sums.
static base_rc sum_spine(meeting *m, flow_spine *spine, int64_t *sums, base_error *err) {
    const join_delta *d = &m->d;
    bool *wanted = base_arena_array(m->ctx->arena, bool, spine->ncolumns + 1u);
    for (uint32_t k = 0; k < spine->nkeys; k++) wanted[spine->keys[k]] = true;
    flow_spine_reader r;
    base_rc rc =
        flow_spine_read_begin(&r, spine, m->ctx, d->nhashes, d->distinct, chunk_rows(m->join), err);
    while (rc == BASE_OK) {
        rc = flow_spine_read(&r, err);
        if (rc != BASE_OK || r.nrefs == 0) break;
        const col_batch *rows = NULL;
        if (!m->join->exact) rc = flow_spine_decode(&r, wanted, &rows, err);
        for (uint32_t i = 0; rc == BASE_OK && i < r.nrefs; i++) {
            uint32_t g = group_of(m, rows, spine->keys, i, r.refs[i].which);
            if (g != UINT32_MAX) sums[g] += r.refs[i].weight;
        }
    }
    flow_spine_read_end(&r);
    return rc;
}

static base_rc sum_side(meeting *m, uint32_t which, int64_t **sums, base_error *err) {
    join_side *side = &m->join->sides[which];
    *sums = base_arena_array(m->ctx->arena, int64_t, m->d.ngroups + 1u);
    if (m->join->settling == (int)which && which == m->side) return BASE_OK; // no key comes twice
    return sum_spine(m, side->has_totals ? &side->totals : &side->rows, *sums, err);
}

static base_rc add_totals(meeting *m, base_error *err) {
    join_side *side = &m->join->sides[m->side];
    base_arena *arena = m->ctx->arena;
    const join_delta *d = &m->d;
    uint32_t n = 0, *rows = base_arena_alloc(arena, sizeof *rows * (d->ngroups + 1u));
    uint64_t *hashes = base_arena_alloc(arena, sizeof *hashes * (d->ngroups + 1u));
    int64_t *weights = base_arena_alloc(arena, sizeof *weights * (d->ngroups + 1u));
    for (uint32_t g = 0; g < d->ngroups; g++) {
        if (m->weights[g] == 0) continue;
        uint32_t first = join_delta_member(d, d->begin[g]);
        rows[n] = d->rows[first];
        hashes[n] = d->hashes[first];
        weights[n++] = m->weights[g];
    }
    if (n == 0) return BASE_OK;
    // The hash of a row of keys alone is that of the key.
    flow_spine_rows all = {.batch = col_batch_project(arena, d->batch, m->join->nkeys, side->keys),
                           .n = n,
                           .rows = rows,
                           .hashes = hashes,
                           .ids = hashes,
                           .weights = weights};
    return flow_spine_add(&side->totals, m->ctx, &all, m->bound_us, err);
}

// ------------------------------------------------------------------------------------ meeting

static join_edge edge_at(const join_op *join, int64_t total) {
    return join_edge_of(join, total, 0);
}

// Whether the delta changes what stands in the output for stored rows of the other side.
static bool flips(const meeting *m, uint32_t g) {
    return edge_at(m->join, m->own[g]) != edge_at(m->join, m->own[g] + m->weights[g]);
}

static base_rc emit_flips(meeting *m, const col_batch *rows, const flow_spine_reader *r,
                          const uint32_t *groups, base_error *err) {
    join_edges edges;
    join_edges_init(&edges, m->ctx->arena, 2 * r->nrefs);
    for (uint32_t i = 0; i < r->nrefs; i++) {
        uint32_t g = groups[i];
        if (g == UINT32_MAX || !flips(m, g)) continue;
        int64_t weight = r->refs[i].weight;
        join_edges_add(&edges, i, -weight, edge_at(m->join, m->own[g]));
        join_edges_add(&edges, i, weight, edge_at(m->join, m->own[g] + m->weights[g]));
    }
    return join_emit_edges(m->join, m->ctx, m->out, 1 - m->side, rows, &edges, err);
}

// Stored rows that the delta settles are noted, with their weights turned.
static void take_out(meeting *m, const col_batch *rows, const flow_spine_reader *r,
                     const uint32_t *groups) {
    base_arena *arena = m->ctx->arena;
    uint32_t n = 0, *which = base_arena_alloc(arena, sizeof *which * (r->nrefs + 1u));
    uint64_t *hashes = base_arena_alloc(arena, sizeof *hashes * (r->nrefs + 1u));
    uint64_t *ids = base_arena_alloc(arena, sizeof *ids * (r->nrefs + 1u));
    int64_t *weights = base_arena_alloc(arena, sizeof *weights * (r->nrefs + 1u));
    for (uint32_t i = 0; i < r->nrefs; i++) {
        if (groups[i] == UINT32_MAX) continue;
        which[n] = i;
        hashes[n] = r->refs[i].hash;
        ids[n] = r->refs[i].id;
        weights[n++] = -r->refs[i].weight;
    }
    if (n == 0) return;
    if (m->ntaken == m->taken_cap) {
        uint32_t cap = m->taken_cap == 0 ? 8 : m->taken_cap * 2;
        flow_spine_rows *taken = base_arena_array(arena, flow_spine_rows, cap);
        if (m->ntaken > 0) memcpy(taken, m->taken, sizeof *taken * m->ntaken);
        m->taken = taken;
        m->taken_cap = cap;
    }
    m->taken[m->ntaken++] = (flow_spine_rows){rows, n, which, hashes, ids, weights};
}

static base_rc emit_pairs(meeting *m, const col_batch *rows, const flow_spine_reader *r,
                          const uint32_t *groups, base_error *err) {
    const join_delta *d = &m->d;
    bool left = m->side == 0; // the delta
    int64_t *weights = NULL;
    uint64_t total = 0;
    for (uint32_t i = 0; i < r->nrefs; i++) {
        if (groups[i] != UINT32_MAX) total += d->begin[groups[i] + 1] - d->begin[groups[i]];
        if (r->refs[i].weight == 1 || weights != NULL) continue;
        weights = base_arena_alloc(m->ctx->arena, sizeof *weights * (r->nrefs + 1u));
        for (uint32_t k = 0; k < r->nrefs; k++) weights[k] = r->refs[k].weight;
    }
    join_pairs p = {.join = m->join,
                    .ctx = m->ctx,
                    .out = m->out,
                    .left = left ? d->batch : rows,
                    .right = left ? rows : d->batch,
                    .left_weights = left ? d->row_weights : weights,
                    .right_weights = left ? weights : d->row_weights};
    join_pairs_init(&p, total);
    base_rc rc = BASE_OK;
    for (uint32_t i = 0; i < r->nrefs; i++) {
        uint32_t g = groups[i];
        if (g == UINT32_MAX) continue;
        for (uint32_t k = d->begin[g]; k < d->begin[g + 1] && rc == BASE_OK; k++) {
            uint32_t own = d->rows[join_delta_member(d, k)];
            rc = left ? join_pairs_add(&p, own, i, err) : join_pairs_add(&p, i, own, err);
        }
    }
    return rc == BASE_OK ? join_pairs_flush(&p, err) : rc;
}

// A chunk of stored rows of the other side.
static base_rc meet_chunk(meeting *m, const flow_spine_reader *r, base_error *err) {
    join_op *join = m->join;
    join_side *other = &join->sides[1 - m->side];
    const col_batch *rows;
    base_rc rc = flow_spine_decode(r, NULL, &rows, err);
    if (rc != BASE_OK) return rc;
    uint32_t *groups = base_arena_alloc(m->ctx->arena, sizeof *groups * (r->nrefs + 1u));
    for (uint32_t i = 0; i < r->nrefs; i++) {
        groups[i] = group_of(m, rows, other->keys, i, r->refs[i].which);
        if (groups[i] != UINT32_MAX) m->theirs[groups[i]] += r->refs[i].weight;
    }
    if (join->gives_pairs) rc = emit_pairs(m, rows, r, groups, err);
    if (rc == BASE_OK && other->counted) rc = emit_flips(m, rows, r, groups, err);
    if (join->settling == (int)m->side) take_out(m, rows, r, groups);
    return rc;
}

// The hashes that are looked up: where no pairs are given, those for which something changes.
static uint32_t wanted_hashes(const meeting *m, uint64_t **hashes, uint32_t **numbers) {
    const join_delta *d = &m->d;
    *hashes = d->distinct;
    *numbers = NULL;
    if (m->join->gives_pairs || m->own == NULL) return d->nhashes;
    *hashes = base_arena_alloc(m->ctx->arena, sizeof **hashes * (d->nhashes + 1u));
    *numbers = base_arena_alloc(m->ctx->arena, sizeof **numbers * (d->nhashes + 1u));
    uint32_t n = 0;
    for (uint32_t h = 0; h < d->nhashes; h++) {
        bool any = false;
        for (uint32_t g = d->first_group[h]; g < d->first_group[h + 1]; g++) any |= flips(m, g);
        if (!any) continue;
        (*hashes)[n] = d->distinct[h];
        (*numbers)[n++] = h;
    }
    return n;
}

static base_rc meet_rows(meeting *m, base_error *err) {
    uint64_t *hashes;
    uint32_t *numbers, n = wanted_hashes(m, &hashes, &numbers);
    flow_spine_reader r;
    base_rc rc = flow_spine_read_begin(&r, &m->join->sides[1 - m->side].rows, m->ctx, n, hashes,
                                       chunk_rows(m->join), err);
    while (rc == BASE_OK) {
        rc = flow_spine_read(&r, err);
        if (rc != BASE_OK || r.nrefs == 0) break;
        for (uint32_t i = 0; numbers != NULL && i < r.nrefs; i++)
            r.refs[i].which = numbers[r.refs[i].which];
        rc = meet_chunk(m, &r, err);
    }
    flow_spine_read_end(&r);
    return rc;
}

// ------------------------------------------------------------------------------------ keeping

// Without rows of groups that have met a settled key.
static flow_spine_rows unsettled(const meeting *m) {
    const join_delta *d = &m->d;
    base_arena *arena = m->ctx->arena;
    uint32_t n = 0, *rows = base_arena_alloc(arena, sizeof *rows * (d->n + 1u));
    uint64_t *hashes = base_arena_alloc(arena, sizeof *hashes * (d->n + 1u));
    uint64_t *ids = d->ids == NULL ? NULL : base_arena_alloc(arena, sizeof *ids * (d->n + 1u));
    int64_t *weights = base_arena_alloc(arena, sizeof *weights * (d->n + 1u));
    bool *settled = base_arena_array(arena, bool, d->n + 1u);
    for (uint32_t g = 0; g < d->ngroups; g++) {
        for (uint32_t k = d->begin[g]; k < d->begin[g + 1]; k++)
            settled[join_delta_member(d, k)] = m->theirs[g] != 0;
    }
    for (uint32_t i = 0; i < d->n; i++) {
        if (settled[i]) continue;
        rows[n] = d->rows[i];
        hashes[n] = d->hashes[i];
        if (ids != NULL) ids[n] = d->ids[i];
        weights[n++] = d->weights == NULL ? 1 : d->weights[i];
    }
    return (flow_spine_rows){d->batch, n, rows, hashes, ids, d->weights == NULL ? NULL : weights};
}

static base_rc keep(meeting *m, base_error *err) {
    join_op *join = m->join;
    const join_delta *d = &m->d;
    join_side *side = &join->sides[m->side], *other = &join->sides[1 - m->side];
    base_rc rc = side->has_totals ? add_totals(m, err) : BASE_OK;
    if (rc == BASE_OK && side->has_rows) {
        flow_spine_rows rows = {d->batch, d->n, d->rows, d->hashes, d->ids, d->weights};
        if (join->settling == 1 - (int)m->side) rows = unsettled(m);
        if (side->rows.cancels && rows.ids == NULL) join_delta_ids(side, m->ctx->arena, &rows);
        rc = flow_spine_add(&side->rows, m->ctx, &rows, m->bound_us, err);
    }
    for (uint32_t i = 0; i < m->ntaken && rc == BASE_OK; i++)
        rc = flow_spine_add(&other->rows, m->ctx, &m->taken[i], INT64_MIN, err);
    return rc;
}

static base_rc check_grows(const join_side *side, const join_delta *d, base_error *err) {
    for (uint32_t i = 0; d->weights != NULL && side->grows && i < d->n; i++) {
        if (d->weights[i] < 0)
            return base_fail(err, BASE_E_INTERNAL, NULL,
                             "a join was given a deletion from an input that only grows");
    }
    return BASE_OK;
}

// Rows of the delta that stand by themselves.
static base_rc emit_own(meeting *m, base_error *err) {
    join_op *join = m->join;
    const join_delta *d = &m->d;
    if (!join->sides[m->side].counted) return BASE_OK;
    join_edges edges;
    join_edges_init(&edges, m->ctx->arena, d->n + d->nnull);
    for (uint32_t i = 0; i < d->nnull; i++)
        join_edges_add(&edges, d->nulls[i], col_weight(d->batch, d->nulls[i]), edge_at(join, 0));
    for (uint32_t g = 0; g < d->ngroups; g++) {
        join_edge edge = edge_at(join, m->theirs[g]);
        for (uint32_t k = d->begin[g]; k < d->begin[g + 1]; k++)
            join_edges_add(&edges, d->rows[join_delta_member(d, k)], join_delta_weight(d, k), edge);
    }
    return join_emit_edges(join, m->ctx, m->out, m->side, d->batch, &edges, err);
}

// Rows with a key that matches nothing, whatever comes, are not stored.
static base_rc take_delta(meeting *m, base_error *err) {
    join_op *join = m->join;
    base_arena *arena = m->ctx->arena;
    join_side *side = &join->sides[m->side], *other = &join->sides[1 - m->side];
    if (side->pile.n == 0) return BASE_OK;
    join_delta *d = &m->d;
    join_delta_make(join, m->side, arena, d);
    base_rc rc = check_grows(side, d, err);
    m->theirs = base_arena_array(arena, int64_t, d->ngroups + 1u);
    m->weights = base_arena_array(arena, int64_t, d->ngroups + 1u);
    for (uint32_t g = 0; g < d->ngroups; g++) {
        for (uint32_t k = d->begin[g]; k < d->begin[g + 1]; k++)
            m->weights[g] += join_delta_weight(d, k);
    }
    if (d->n > 0) {
        if (rc == BASE_OK && other->counted) rc = sum_side(m, m->side, &m->own, err);
        if (rc == BASE_OK)
            rc = other->has_rows ? meet_rows(m, err) : sum_side(m, 1 - m->side, &m->theirs, err);
    }
    if (rc == BASE_OK) rc = emit_own(m, err);
    return rc == BASE_OK && d->n > 0 ? keep(m, err) : rc;
}

// Lets go of what is below the floors as they are now.
base_rc join_spine_idle(join_op *join, flow_ctx *ctx, base_error *err) {
    base_rc rc = BASE_OK;
    for (uint32_t s = 0; s < 2 && rc == BASE_OK; s++) {
        join_side *side = &join->sides[s];
        if (!side->has_release) continue;
        int64_t us = flow_graph_floor(join->op.graph, &side->release.floor);
        if (us == INT64_MIN || us == side->bound_us) continue;
        side->bound_us = us;
        if (side->has_rows) rc = flow_spine_tidy(&side->rows, ctx, us, err);
        if (rc == BASE_OK && side->has_totals) rc = flow_spine_tidy(&side->totals, ctx, us, err);
    }
    return rc;
}

base_rc join_spine(join_op *join, flow_ctx *ctx, flow_out *out, base_error *err) {
    // What the other side meets of a settling side is how it is then; of others, the larger delta
    // comes last, so that of it only what is above the floor is written.
    join_side *sides = join->sides;
    uint32_t first = join->settling >= 0 ? (uint32_t)join->settling
                     : sides[0].has_release || sides[1].has_release
                         ? sides[0].pile.rows > sides[1].pile.rows
                         : 0;
    for (uint32_t i = 0; i < 2; i++) {
        uint32_t s = i == 0 ? first : 1 - first;
        meeting m = {
            .join = join, .ctx = ctx, .out = out, .side = s, .bound_us = sides[s].bound_us};
        if (i == 1 && sides[s].has_release)
            m.bound_us = flow_graph_floor(join->op.graph, &sides[s].release.floor);
        base_rc rc = take_delta(&m, err);
        if (rc != BASE_OK) return rc;
    }
    return join_spine_idle(join, ctx, err);
}

// ------------------------------------------------------------------------------------ opening

static bool is_integer(col_kind kind) {
    switch (kind) {
    case COL_BOOL:
    case COL_INT2:
    case COL_INT4:
    case COL_INT8:
    case COL_DATE:
    case COL_TIME:
    case COL_TIMESTAMP:
    case COL_TIMESTAMPTZ:
    case COL_OID:
        return true;
    default:
        return false;
    }
}

static bool key_within(const plan_node *node, uint32_t nkeys, const uint32_t *keys) {
    for (uint32_t i = 0; i < node->nkey; i++) {
        uint32_t k = 0;
        while (k < nkeys && keys[k] != node->key[i]) k++;
        if (k == nkeys) return false;
    }
    return node->nkey > 0;
}

// A left delta of a join that gives no pairs finds counts, not rows.
static base_rc open_side(join_op *join, uint32_t which, base_error *err) {
    static const char *const rows[2] = {"left", "right"}, *const totals[2] = {"ltotal", "rtotal"};
    join_side *side = &join->sides[which];
    base_arena *arena = &join->op.graph->arena;
    uint32_t nkeys = join->nkeys;
    side->has_rows = join->gives_pairs || which == 0;
    side->has_totals = join->sides[1 - which].counted && !(side->unique && side->has_rows);
    col_type *types = base_arena_array(arena, col_type, nkeys + 1u);
    for (uint32_t k = 0; k < nkeys; k++) types[k] = side->types[side->keys[k]];
    uint32_t *all = base_arena_array(arena, uint32_t, nkeys + 1u);
    for (uint32_t k = 0; k < nkeys; k++) all[k] = k;
    side->bound_us = INT64_MIN;
    side->has_release = plan_join_release(join->op.node, which, &side->release);
    int32_t column = side->has_release ? (int32_t)side->release.column : -1, key_column = -1;
    for (uint32_t k = 0; k < nkeys; k++) {
        if (column >= 0 && side->keys[k] == (uint32_t)column) key_column = (int32_t)k;
    }
    side->rows = (flow_spine){.op = &join->op,
                              .ncolumns = side->ncolumns,
                              .nkeys = nkeys,
                              .types = side->types,
                              .keys = side->keys,
                              .time_column = column,
                              .cancels = !side->grows || join->settling == 1 - (int)which};
    side->totals = (flow_spine){.op = &join->op,
                                .ncolumns = nkeys,
                                .nkeys = nkeys,
                                .types = types,
                                .keys = all,
                                .time_column = key_column,
                                .cancels = true};
    base_rc rc = BASE_OK;
    if (side->has_rows) rc = flow_spine_open(&side->rows, rows[which], err);
    if (rc == BASE_OK && side->has_totals) rc = flow_spine_open(&side->totals, totals[which], err);
    return rc;
}

base_rc join_spine_open(join_op *join, base_error *err) {
    const plan_node *node = join->op.node;
    bool safe = join->nkeys == 1 && join->null_safe != NULL && join->null_safe[0];
    join->exact = join->nkeys == 0 || (join->nkeys == 1 && !safe &&
                                       is_integer(join->sides[0].types[node->left_keys[0]].kind));
    join->settling = -1;
    for (uint32_t s = 0; s < 2; s++) {
        join_side *side = &join->sides[s];
        side->grows = flow_plan_only_grows(side->node);
        side->unique = key_within(side->node, join->nkeys, side->keys);
        // Its own rows must not need to know how many of the other side there were.
        if (side->grows && side->unique && !side->counted) join->settling = (int)s;
    }
    base_rc rc = open_side(join, 0, err);
    return rc == BASE_OK ? open_side(join, 1, err) : rc;
}
