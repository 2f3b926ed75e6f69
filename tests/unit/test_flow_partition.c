// test_flow_partition.c - ordered partitions against a model: random signed rows, among them equal
// rows, nulls in keys and rows retracted before they come, over partitions that are cached and such
// as are read by cursors, with aborted steps and restarts. Segments drawn by neighbours, whole, and
// from a mark on must show the model's rows before and after.
#include "flow/partition.h"

#include <stdlib.h>

#include "base/random.h"
#include "test.h"

enum { ROWS_MAX = 4000, PARTITIONS = 4 };

typedef struct model_row {
    int32_t p, o; // -1: null
    int64_t id;
    int64_t was, is;
} model_row;

typedef struct rig {
    base_random random;
    base_arena arena, step;
    state_store *store;
    state_memory *memory;
    flow_graph *graph;
    flow_partition *part;
    flow_op op;
    uint32_t n;
    model_row rows[ROWS_MAX];
    base_error err;
    bool descending, nulls_first;
    bool forward, whole;
    uint64_t cache_bytes;
} rig;

static uint32_t marks_met, cursor_segments; // that the runs have seen what they are for

static uint32_t below(rig *r, uint32_t n) {
    return (uint32_t)base_random_below(&r->random, n);
}

static bool rig_open(rig *r) {
    static const uint32_t keys[1] = {0};
    static col_type types[3];
    types[0] = types[1] = col_type_of(COL_INT4);
    types[2] = col_type_of(COL_INT8);
    static plan_sort_key order[1];
    order[0] = (plan_sort_key){1, r->descending, r->nulls_first};
    state_config config = {.in_memory = true, .memory = r->memory, .no_sync = true};
    if (state_store_open(plat_os(), "twin", &config, &r->store, &r->err) != BASE_OK) return false;
    flow_graph_config graph = {.store = r->store, .cache_bytes = r->cache_bytes};
    if (flow_graph_create(&graph, &r->graph, &r->err) != BASE_OK) return false;
    r->op = (flow_op){.graph = r->graph, .view_id = 7, .node_id = 3};
    flow_partition_config part = {.op = &r->op,
                                  .suffix = "rows",
                                  .ncolumns = 3,
                                  .types = types,
                                  .nkeys = 1,
                                  .keys = keys,
                                  .norder = 1,
                                  .order = order,
                                  .marks = true};
    return flow_partition_open(&part, &r->part, &r->err) == BASE_OK;
}

static void rig_close(rig *r) {
    flow_partition_close(r->part);
    flow_graph_destroy(r->graph);
    state_store_close(r->store);
}

static model_row *model_find(rig *r, int32_t p, int32_t o, int64_t id) {
    for (uint32_t i = 0; i < r->n; i++)
        if (r->rows[i].p == p && r->rows[i].o == o && r->rows[i].id == id) return &r->rows[i];
    must(r->n < ROWS_MAX);
    r->rows[r->n] = (model_row){p, o, id, 0, 0};
    return &r->rows[r->n++];
}

static int64_t seen(int64_t weight) {
    return weight > 0 ? weight : 0;
}

static int compare(const rig *r, int32_t a, int32_t b) {
    if (a < 0 || b < 0) return a < 0 && b < 0 ? 0 : (a < 0) == r->nulls_first ? -1 : 1;
    int order = (a > b) - (a < b);
    return r->descending ? -order : order;
}

// The step's rows: mostly into partition 0, so that it grows beyond what is cached.
static col_batch *make_delta(rig *r) {
    uint32_t n = 1 + below(r, below(r, 4) == 0 ? 120 : 6);
    col_type types[3] = {col_type_of(COL_INT4), col_type_of(COL_INT4), col_type_of(COL_INT8)};
    col_batch *batch = col_batch_create(&r->step, 3, types, n);
    int64_t *weights = base_arena_array(&r->step, int64_t, n);
    for (uint32_t i = 0; i < n; i++) {
        int32_t p = below(r, 3) ? 0 : (int32_t)below(r, PARTITIONS) - 1;
        int32_t o = (int32_t)below(r, 200) - 1;
        int64_t id = below(r, 4), weight = below(r, 3) ? 1 : below(r, 8) ? -1 : 3;
        model_row *row = model_find(r, p, o, id);
        if (below(r, 3) == 0 && r->n > 0) row = &r->rows[below(r, r->n)];
        row->is += weight;
        col_i32(&batch->cols[0])[i] = row->p;
        col_i32(&batch->cols[1])[i] = row->o;
        col_i64(&batch->cols[2])[i] = row->id;
        if (row->p < 0) col_vec_set_null(&batch->cols[0], &r->step, i);
        if (row->o < 0) col_vec_set_null(&batch->cols[1], &r->step, i);
        weights[i] = weight;
    }
    batch->weights = weights;
    return batch;
}

typedef struct totals {
    int64_t n, sum;
} totals;

static void add(totals *t, int64_t weight, int64_t id) {
    t->n += weight;
    t->sum += weight * (id + 1);
}

static totals model_totals(const rig *r, int32_t p, bool after) {
    totals t = {0};
    for (uint32_t i = 0; i < r->n; i++)
        if (r->rows[i].p == p) add(&t, seen(after ? r->rows[i].is : r->rows[i].was), r->rows[i].id);
    return t;
}

// Rows of the model, there before or after, whose order is strictly between.
static uint32_t model_between(const rig *r, int32_t p, int32_t from, int32_t to) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < r->n; i++) {
        const model_row *row = &r->rows[i];
        n += row->p == p && (seen(row->was) || seen(row->is)) && compare(r, from, row->o) < 0 &&
             compare(r, row->o, to) < 0;
    }
    return n;
}

static int32_t cell(const col_vec *vec, uint32_t row) {
    return col_is_null(vec, row) ? -1 : col_i32(vec)[row];
}

// Checks a segment and sums it up; *p is its partition.
static void check_segment(rig *r, flow_segment *s, int32_t *p, totals *was, totals *is) {
    col_batch *batch;
    base_error err;
    REQUIRE_OK(flow_segment_batch(s, &r->step, 0, s->n, below(r, 2) != 0, &batch, &err));
    *p = cell(&batch->cols[0], 0);
    uint32_t between = 0;
    int32_t first = cell(&batch->cols[1], 0), last = cell(&batch->cols[1], s->n - 1);
    for (uint32_t i = 0; i < s->n; i++) {
        int32_t o = cell(&batch->cols[1], i);
        int64_t id = col_i64(&batch->cols[2])[i];
        EXPECT_EQ_INT(cell(&batch->cols[0], i), *p);
        EXPECT(i == 0 || compare(r, cell(&batch->cols[1], i - 1), o) <= 0);
        EXPECT(i == 0 || base_str_cmp(s->rows[i - 1].key, s->rows[i].key) < 0);
        const model_row *row = model_find(r, *p, o, id);
        EXPECT_EQ_INT(s->rows[i].is, seen(row->is));
        if (i >= s->first_changed) EXPECT_EQ_INT(s->rows[i].was, seen(row->was));
        bool changed = s->rows[i].was != s->rows[i].is;
        EXPECT(!changed || (i >= s->first_changed && i <= s->last_changed));
        between += compare(r, first, o) < 0 && compare(r, o, last) < 0;
        add(was, s->rows[i].was, id);
        add(is, s->rows[i].is, id);
    }
    cursor_segments += flow_segment_wants_marks(s);
    EXPECT(s->rows[s->first_changed].was != s->rows[s->first_changed].is);
    EXPECT(s->rows[s->last_changed].was != s->rows[s->last_changed].is);
    EXPECT(between <= model_between(r, *p, first, last));
    // Rows in front that are no more are not shown.
    if (s->first_changed == 0) EXPECT_EQ_INT(between, model_between(r, *p, first, last));
}

static void near_segment(rig *r, flow_segment *s) {
    base_error err;
    uint32_t before = below(r, 5), after = below(r, 5);
    if (r->whole) before = after = FLOW_ALL_ROWS;
    REQUIRE_OK(flow_segment_before(s, before, &err));
    REQUIRE_OK(flow_segment_after(s, after, &err));
    EXPECT(s->at_start || s->first_changed >= before);
    EXPECT(s->at_end || s->n - 1 - s->last_changed >= after);
    int32_t p;
    totals was = {0}, is = {0};
    check_segment(r, s, &p, &was, &is);
    if (!r->whole) return;
    totals old = model_totals(r, p, false), new = model_totals(r, p, true);
    EXPECT(memcmp(&was, &old, sizeof old) == 0 && memcmp(&is, &new, sizeof new) == 0);
}

// From a mark to the end of the partition, marks set anew.
static void forward_segment(rig *r, flow_segment *s) {
    base_error err;
    base_str state;
    REQUIRE_OK(flow_segment_before(s, below(r, 3), &err));
    REQUIRE_OK(flow_segment_to_mark(s, false, &state, &err));
    REQUIRE_OK(flow_segment_after(s, FLOW_ALL_ROWS, &err));
    totals was = {0}, is = {0}, running;
    if (state.n == sizeof was) memcpy(&was, state.p, sizeof was);
    EXPECT(state.n == sizeof was || s->at_start);
    marks_met += state.n > 0;
    running = is = was;
    int32_t p;
    check_segment(r, s, &p, &was, &is);
    totals old = model_totals(r, p, false), new = model_totals(r, p, true);
    EXPECT(memcmp(&was, &old, sizeof old) == 0 && memcmp(&is, &new, sizeof new) == 0);
    if (!flow_segment_wants_marks(s)) return;
    col_batch *batch;
    REQUIRE_OK(flow_segment_batch(s, &r->step, 0, s->n, true, &batch, &err));
    for (uint32_t i = 0; i < s->n; i++) {
        add(&running, s->rows[i].is, col_i64(&batch->cols[2])[i]);
        base_str bytes = {(const char *)&running, sizeof running};
        if (i >= s->first_changed && i % 16 == 15) flow_segment_mark(s, i, bytes);
    }
}

static base_rc run_step(rig *r, const col_batch *delta, bool abort) {
    base_error *err = &r->err;
    state_txn *txn;
    base_rc rc = state_begin_write(r->store, &txn, err);
    if (rc != BASE_OK) return rc;
    flow_ctx ctx = {.arena = &r->step, .txn = txn};
    rc = flow_partition_begin(r->part, &ctx, delta, err);
    while (rc == BASE_OK) {
        flow_segment *segment;
        rc = flow_partition_next(r->part, &segment, err);
        if (rc != BASE_OK || segment == NULL) break;
        if (r->forward) {
            forward_segment(r, segment);
        } else {
            near_segment(r, segment);
        }
    }
    if (rc == BASE_OK) rc = flow_partition_finish(r->part, err);
    if (rc == BASE_OK) rc = flow_partition_verify(r->part, &ctx, err);
    if (rc != BASE_OK || abort) {
        state_abort(txn);
        flow_partition_reset(r->part);
        return rc;
    }
    flow_partition_trim(r->part);
    return state_commit(txn, err);
}

static void run_seed(uint64_t seed) {
    rig *r = calloc(1, sizeof *r);
    base_random_seed(&r->random, seed);
    base_arena_init(&r->arena, 1 << 16);
    base_arena_init(&r->step, 1 << 16);
    r->memory = state_memory_create();
    r->descending = below(r, 2) != 0;
    r->nulls_first = below(r, 2) != 0;
    r->forward = below(r, 2) != 0;
    r->whole = below(r, 3) == 0;
    r->cache_bytes = below(r, 3) ? 1 << below(r, 22) : 1 << 28;
    int failures = test_failures;
    EXPECT(rig_open(r));
    for (int step = 0; step < 100 && test_failures == failures; step++) {
        base_arena_reset(&r->step);
        const col_batch *delta = make_delta(r);
        while (below(r, 8) == 0) EXPECT(run_step(r, delta, true) == BASE_OK);
        if (below(r, 8) == 0) {
            rig_close(r);
            EXPECT(rig_open(r));
        }
        EXPECT(run_step(r, delta, false) == BASE_OK);
        for (uint32_t i = 0; i < r->n; i++) r->rows[i].was = r->rows[i].is;
    }
    if (test_failures != failures) fprintf(stderr, "seed %" PRIu64 ": %s\n", seed, r->err.message);
    rig_close(r);
    state_memory_destroy(r->memory);
    base_arena_deinit(&r->arena);
    base_arena_deinit(&r->step);
    free(r);
}

TEST(random_deltas) {
    for (uint64_t seed = 1; seed <= 150; seed++) run_seed(seed);
    EXPECT(marks_met > 1000 && cursor_segments > 1000);
}

TEST_MAIN(TEST_ENTRY(random_deltas))
