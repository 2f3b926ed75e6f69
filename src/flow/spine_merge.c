// spine_merge.c - what keeps a spine small: runs below the bound of time go whole, runs of like
// size become one.
//
// A run's class is the logarithm of its rows. Small runs are merged as soon as there are enough of
// a class, so that each row is rewritten a few times while its run is small; large ones once
// lookups have visited about as many blocks as the merge would save. A merge is bounded, so that no
// step waits for long; runs beyond its bound stay as they are. Entry points: spine_tidy.
#include "flow/spine_int.h"

#define CLASS_ROWS      256u // runs below are of class 0
#define CLASS_SMALL     3u   // classes up to this, of less than 16 Ki rows, are merged at once
#define MERGE_SMALLEST  8u   // runs of class 0 that make a merge
#define MERGE_RUNS      4u   // of other classes
#define MERGE_ROWS_MAX  (2u << 20)
#define MERGE_BYTES_MAX ((uint64_t)64 << 20)
#define ROWS_A_BLOCK    16u // rows merged for what visiting a block costs
#define SLICE_ROWS      4096u
#define CLASSES         40u

static uint32_t class_of(const flow_spine_run *run) {
    uint32_t class = 0;
    for (uint64_t rows = run->rows; rows >= CLASS_ROWS; rows /= 4) class ++;
    return class < CLASSES ? class : CLASSES - 1;
}

bool spine_run_is_large(const flow_spine_run *run) {
    return class_of(run) > CLASS_SMALL;
}

// ------------------------------------------------------------------------------------ time

static bool below(const col_vec *times, uint32_t row, int64_t bound_us) {
    return !col_is_null(times, row) && col_i64(times)[row] < bound_us;
}

const flow_spine_rows *spine_in_time(const flow_spine *spine, base_arena *arena,
                                     const flow_spine_rows *rows, int64_t bound_us) {
    if (spine->time_column < 0 || bound_us == INT64_MIN) return rows;
    const col_vec *times = &rows->batch->cols[spine->time_column];
    uint32_t n = 0, total = rows->n;
    while (n < total && !below(times, rows->rows[n], bound_us)) n++;
    if (n == total) return rows;
    uint32_t *kept = base_arena_alloc(arena, sizeof *kept * (total + 1u));
    uint64_t *hashes = base_arena_alloc(arena, sizeof *hashes * (total + 1u));
    uint64_t *ids = rows->ids == NULL ? NULL : base_arena_alloc(arena, sizeof *ids * (total + 1u));
    int64_t *weights =
        rows->weights == NULL ? NULL : base_arena_alloc(arena, sizeof *weights * (total + 1u));
    n = 0;
    for (uint32_t i = 0; i < total; i++) {
        if (below(times, rows->rows[i], bound_us)) continue;
        kept[n] = rows->rows[i];
        hashes[n] = rows->hashes[i];
        if (ids != NULL) ids[n] = rows->ids[i];
        if (weights != NULL) weights[n] = rows->weights[i];
        n++;
    }
    flow_spine_rows *out = base_arena_new(arena, flow_spine_rows);
    *out = (flow_spine_rows){rows->batch, n, kept, hashes, ids, weights};
    return out;
}

static base_rc drop_old(flow_spine *spine, flow_ctx *ctx, int64_t bound_us, base_error *err) {
    base_rc rc = BASE_OK;
    for (uint32_t i = spine->nruns; i-- > 0 && rc == BASE_OK;) {
        if (spine->runs[i].time_max < bound_us) rc = spine_delete_run(spine, ctx, i, err);
    }
    return rc;
}

// ------------------------------------------------------------------------------------ merging

// What the reader has found goes to the writer.
static base_rc write_refs(spine_writer *writer, const flow_spine_reader *r, base_arena *arena,
                          int64_t bound_us, base_error *err) {
    uint32_t n = r->nrefs;
    flow_spine_rows rows = {.n = n};
    base_rc rc = spine_decode(r, arena, r->refs, n, NULL, false, &rows.batch, err);
    if (rc != BASE_OK) return rc;
    uint32_t *all = base_arena_alloc(arena, sizeof *all * (n + 1u));
    uint64_t *hashes = base_arena_alloc(arena, sizeof *hashes * (n + 1u));
    uint64_t *ids = base_arena_alloc(arena, sizeof *ids * (n + 1u));
    int64_t *weights = base_arena_alloc(arena, sizeof *weights * (n + 1u));
    for (uint32_t i = 0; i < n; i++) {
        all[i] = i;
        hashes[i] = r->refs[i].hash;
        ids[i] = r->refs[i].id;
        weights[i] = r->refs[i].weight;
    }
    rows.rows = all;
    rows.hashes = hashes;
    rows.ids = r->spine->cancels ? ids : NULL;
    rows.weights = weights;
    return spine_writer_add(writer, spine_in_time(r->spine, arena, &rows, bound_us), err);
}

static base_rc read_all(spine_writer *writer, flow_spine *spine, flow_ctx *ctx, uint32_t n,
                        const uint32_t *which, int64_t bound_us, base_error *err) {
    base_arena blocks, slice; // of the merge; of a slice of rows
    base_arena_init(&blocks, 1 << 16);
    base_arena_init(&slice, 1 << 18);
    flow_spine_reader r;
    base_rc rc = spine_read_runs(&r, spine, ctx, &blocks, n, which, SLICE_ROWS, err);
    while (rc == BASE_OK) {
        rc = flow_spine_read(&r, err);
        if (rc != BASE_OK || r.nrefs == 0) break;
        base_arena_reset(&slice);
        rc = write_refs(writer, &r, &slice, bound_us, err);
    }
    flow_spine_read_end(&r);
    base_arena_deinit(&slice);
    base_arena_deinit(&blocks);
    return rc;
}

// Runs which[0..n), ascending, become one. Nothing is put before all are read.
static base_rc merge(flow_spine *spine, flow_ctx *ctx, uint32_t n, const uint32_t *which,
                     int64_t bound_us, base_error *err) {
    spine_writer writer;
    spine_writer_begin(&writer, spine, ctx, true);
    base_rc rc = read_all(&writer, spine, ctx, n, which, bound_us, err);
    for (uint32_t i = n; i-- > 0 && rc == BASE_OK;)
        rc = spine_delete_run(spine, ctx, which[i], err);
    if (rc == BASE_OK) rc = spine_writer_end(&writer, err);
    spine_writer_deinit(&writer);
    return rc;
}

// The first runs of a class, as many as a merge may take.
static uint32_t runs_of(const flow_spine *spine, uint32_t class, uint32_t *which, uint64_t *rows) {
    uint32_t n = 0;
    uint64_t bytes = 0;
    *rows = 0;
    for (uint32_t i = 0; i < spine->nruns && n < MERGE_SMALLEST; i++) {
        const flow_spine_run *run = &spine->runs[i];
        if (class_of(run) != class) continue;
        if (*rows + run->rows > MERGE_ROWS_MAX || bytes + run->bytes > MERGE_BYTES_MAX) continue;
        which[n++] = i;
        *rows += run->rows;
        bytes += run->bytes;
    }
    return n;
}

base_rc spine_tidy(flow_spine *spine, flow_ctx *ctx, int64_t bound_us, base_error *err) {
    base_rc rc = spine->time_column < 0 ? BASE_OK : drop_old(spine, ctx, bound_us, err);
    uint32_t counts[CLASSES] = {0};
    for (uint32_t i = 0; i < spine->nruns; i++) counts[class_of(&spine->runs[i])]++;
    for (uint32_t class = 0; class < CLASSES && rc == BASE_OK; class ++) {
        uint32_t enough = class == 0 ? MERGE_SMALLEST : MERGE_RUNS;
        if (counts[class] < enough) continue;
        uint32_t which[MERGE_SMALLEST];
        uint64_t rows;
        uint32_t n = runs_of(spine, class, which, &rows);
        bool large = class > CLASS_SMALL;
        if (n < enough || (large && spine->debt < rows / ROWS_A_BLOCK)) continue;
        uint32_t before = spine->nruns;
        rc = merge(spine, ctx, n, which, bound_us, err);
        if (large) spine->debt = 0;
        if (spine->nruns > before - n) counts[class_of(&spine->runs[spine->nruns - 1])]++;
    }
    return rc;
}

// ------------------------------------------------------------------------------------ checking

// Whether the rows of a run are what its head says, in order, and of the hashes they are under.
static base_rc verify_run(flow_spine *spine, flow_ctx *ctx, uint32_t which, base_error *err) {
    base_arena arena;
    base_arena_init(&arena, 1 << 16);
    flow_spine_reader r;
    base_rc rc = spine_read_runs(&r, spine, ctx, &arena, 1, &which, SLICE_ROWS, err);
    uint64_t rows = 0, last = 0, last_id = 0;
    while (rc == BASE_OK) {
        rc = flow_spine_read(&r, err);
        if (rc != BASE_OK || r.nrefs == 0) break;
        const col_batch *batch;
        rc = spine_decode(&r, &arena, r.refs, r.nrefs, NULL, false, &batch, err);
        if (rc != BASE_OK) break;
        uint64_t *hashes = base_arena_array(&arena, uint64_t, r.nrefs + 1u);
        col_hash(batch, spine->nkeys, spine->keys, hashes);
        for (uint32_t i = 0; i < r.nrefs && rc == BASE_OK; i++) {
            const flow_spine_ref *ref = &r.refs[i];
            if (ref->hash != hashes[i]) rc = spine_corrupt(err, "a row under another hash");
            if (ref->hash < last || (ref->hash == last && ref->id < last_id))
                rc = spine_corrupt(err, "rows out of order");
            last = ref->hash;
            last_id = ref->id;
        }
        rows += r.nrefs;
    }
    flow_spine_read_end(&r);
    base_arena_deinit(&arena);
    if (rc == BASE_OK && rows != spine->runs[which].rows) rc = spine_corrupt(err, "rows of a run");
    return rc;
}

base_rc flow_spine_verify(flow_spine *spine, flow_ctx *ctx, base_error *err) {
    base_rc rc = spine_load(spine, ctx, err);
    for (uint32_t i = 0; i < spine->nruns && rc == BASE_OK; i++)
        rc = verify_run(spine, ctx, i, err);
    return rc;
}
