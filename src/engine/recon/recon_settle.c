// recon_settle.c - which findings are confirmed.
//
// The two sides are two systems: a fact that is written to both is in one of them first. So with a
// settling time, a finding is confirmed only if a later run sees the same one (the same key, kind
// and values), and that run began at least the settling time after both snapshots of the first one
// had been taken. Of a view that is behind, "began" is up to when it has what came: its own lag
// confirms nothing. docs/decisions.md has the proof that then no writer who carries each fact over
// within the settling time can cause one. What a run has found it therefore keeps, by digest, with
// the instant at which it was first seen; what it does not find again is forgotten.
//
// Invariants: a run that fails keeps what was kept before it; at most ENGINE_FINDINGS_MAX digests.
// Entry point: recon_settle.

#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "engine/recon/recon_int.h"

enum { KEPT_DIGEST, KEPT_TAKEN, KEPT_COLUMNS };

typedef struct kept {
    uint64_t digest;
    int64_t taken_us;
} kept;

static int by_digest(const void *a, const void *b) {
    const kept *x = a, *y = b;
    return (x->digest > y->digest) - (x->digest < y->digest);
}

static base_rc load(engine_recon *x, const col_type *types, kept **out, size_t *n,
                    base_error *err) {
    const col_batch *rows;
    base_rc rc = engine_recon_kept(x->engine, x->r->id, x->arena, KEPT_COLUMNS, types, &rows, err);
    if (rc != BASE_OK) return rc;
    *n = rows == NULL ? 0 : rows->nrows;
    *out = base_arena_array(x->arena, kept, *n + 1);
    for (size_t i = 0; i < *n; i++)
        (*out)[i] = (kept){(uint64_t)col_i64(&rows->cols[KEPT_DIGEST])[i],
                           col_i64(&rows->cols[KEPT_TAKEN])[i]};
    if (*n > 1) qsort(*out, *n, sizeof **out, by_digest);
    return BASE_OK;
}

static uint64_t *count_of(engine_recon_run *run, engine_finding_kind kind) {
    switch (kind) {
    case ENGINE_FINDING_MISSING:
        return &run->missing;
    case ENGINE_FINDING_UNEXPECTED:
        return &run->unexpected;
    case ENGINE_FINDING_DIFFERING:
        return &run->differing;
    default:
        return &run->duplicate;
    }
}

base_rc recon_settle(engine_recon *x, base_error *err) {
    if (x->r->settle_us == 0) return BASE_OK;
    engine_recon_run *run = x->run;
    const col_type types[KEPT_COLUMNS] = {col_type_of(COL_INT8), col_type_of(COL_INT8)};
    kept *before = NULL;
    size_t nbefore = 0;
    base_rc rc = load(x, types, &before, &nbefore, err);
    if (rc != BASE_OK) return rc;
    // What is found beyond the limit is not kept, so it can never be confirmed: the counts of the
    // kinds are made again from what is.
    run->missing = run->unexpected = run->differing = run->duplicate = 0;
    run->pending = run->findings.unlisted;
    int64_t since_us = run->fed_us < run->started_us ? run->fed_us : run->started_us;
    col_builder *after = col_builder_create(x->arena, KEPT_COLUMNS, types);
    for (uint32_t i = 0; i < run->findings.n; i++) {
        engine_finding *f = &run->findings.items[i];
        kept wanted = {.digest = f->digest};
        const kept *seen = bsearch(&wanted, before, nbefore, sizeof wanted, by_digest);
        int64_t taken_us = seen != NULL ? seen->taken_us : run->taken_us;
        f->first_seen_us = taken_us;
        // The clock may have been put back: then it has to be waited for again.
        f->pending = seen == NULL || since_us - taken_us < x->r->settle_us;
        ++*(f->pending ? &run->pending : count_of(run, f->kind));
        col_builder_new_row(after, 1);
        col_builder_set_i64(after, KEPT_DIGEST, (int64_t)f->digest);
        col_builder_set_i64(after, KEPT_TAKEN, taken_us);
    }
    run->kept = col_builder_finish(after);
    return BASE_OK;
}
