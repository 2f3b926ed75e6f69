// test_flow_spine.c - a spine's runs in the store: lookups over many runs, keys with very many
// rows, large rows, deletions that meet their rows in other runs, merging, restarts, letting go by
// time, damage.
#include "test.h"

#include <stdlib.h>

#include "flow/spine_int.h"

static const col_type types[3] = {
    {COL_INT8, 0, 0, 0, NULL}, {COL_TIMESTAMP, 0, 0, 0, NULL}, {COL_TEXT, 0, 0, 0, NULL}};
static const uint32_t key = 0, all[3] = {0, 1, 2};

typedef struct rig {
    flow_graph graph;
    flow_op op;
    plan_node node;
    flow_spine spine;
    state_memory *memory;
    base_arena arena;
    flow_ctx ctx;
    base_error err;
} rig;

static void rig_open(rig *r, bool cancels, int32_t time_column) {
    memset(&r->graph, 0, sizeof r->graph);
    const state_config config = {.in_memory = true, .memory = r->memory};
    must(state_store_open(plat_os(), "spine", &config, &r->graph.store, &r->err) == BASE_OK);
    r->op = (flow_op){.graph = &r->graph, .view_id = 7, .node = &r->node};
    r->node.id = 3;
    r->spine = (flow_spine){.op = &r->op,
                            .ncolumns = 3,
                            .nkeys = 1,
                            .types = types,
                            .keys = &key,
                            .cancels = cancels,
                            .time_column = time_column};
    must(flow_spine_open(&r->spine, "left", &r->err) == BASE_OK);
}

static void rig_init(rig *r, bool cancels, int32_t time_column) {
    memset(r, 0, sizeof *r);
    r->memory = state_memory_create();
    base_arena_init(&r->arena, 1 << 16);
    rig_open(r, cancels, time_column);
}

static void rig_close(rig *r) {
    flow_spine_deinit(&r->spine);
    state_store_close(r->graph.store);
}

static void rig_deinit(rig *r) {
    rig_close(r);
    state_memory_destroy(r->memory);
    base_arena_deinit(&r->arena);
}

static void begin(rig *r) {
    base_arena_reset(&r->arena);
    r->ctx = (flow_ctx){.arena = &r->arena};
    must(state_begin_write(r->graph.store, &r->ctx.txn, &r->err) == BASE_OK);
}

static void commit(rig *r) {
    must(state_commit(r->ctx.txn, &r->err) == BASE_OK);
}

// Rows (keys[i], i-th time, text) of a weight, put in the order that a spine takes.
static void add(rig *r, uint32_t n, const int64_t *keys, int64_t time, const char *text,
                int64_t weight, int64_t bound_us) {
    col_batch *batch = col_batch_create(&r->arena, 3, types, n);
    for (uint32_t i = 0; i < n; i++) {
        col_i64(&batch->cols[0])[i] = keys[i];
        col_i64(&batch->cols[1])[i] = time + i;
        col_str(&batch->cols[2])[i] = base_str_of(text);
    }
    uint64_t *hashes = base_arena_array(&r->arena, uint64_t, n + 1u);
    uint64_t *ids = base_arena_array(&r->arena, uint64_t, n + 1u);
    col_hash(batch, 1, &key, hashes);
    col_hash(batch, 3, all, ids);
    uint32_t *rows = base_arena_array(&r->arena, uint32_t, n + 1u);
    uint64_t *h = base_arena_array(&r->arena, uint64_t, n + 1u);
    uint64_t *d = base_arena_array(&r->arena, uint64_t, n + 1u);
    int64_t *w = base_arena_array(&r->arena, int64_t, n + 1u);
    base_str *order = base_arena_array(&r->arena, base_str, n + 1u);
    for (uint32_t i = 0; i < n; i++) {
        uint64_t be[2] = {__builtin_bswap64(hashes[i]), __builtin_bswap64(ids[i])};
        order[i] = (base_str){base_arena_memdup(&r->arena, be, 16), 16};
    }
    const uint32_t *sorted = flow_keys_sort(&r->arena, n, order);
    for (uint32_t i = 0; i < n; i++) {
        rows[i] = sorted[i];
        h[i] = hashes[sorted[i]];
        d[i] = ids[sorted[i]];
        w[i] = weight;
    }
    flow_spine_rows added = {batch, n, rows, h, r->spine.cancels ? d : NULL, w};
    EXPECT_EQ_INT(flow_spine_add(&r->spine, &r->ctx, &added, bound_us, &r->err), BASE_OK);
}

// What is found of some keys: rows, their summed weight, the sum of their keys times weight.
typedef struct found {
    uint64_t rows;
    int64_t weight, keys;
} found;

static found find(rig *r, uint32_t n, const int64_t *keys, uint32_t cap) {
    found f = {0};
    col_batch *batch = col_batch_create(&r->arena, 1, types, n);
    for (uint32_t i = 0; i < n; i++) col_i64(&batch->cols[0])[i] = keys[i];
    uint64_t *hashes = base_arena_array(&r->arena, uint64_t, n + 1u);
    col_hash(batch, 1, &key, hashes);
    for (uint32_t i = 1; i < n; i++) { // ascending
        for (uint32_t k = i; k > 0 && hashes[k - 1] > hashes[k]; k--) {
            uint64_t swap = hashes[k];
            hashes[k] = hashes[k - 1];
            hashes[k - 1] = swap;
        }
    }
    flow_spine_reader reader;
    base_rc rc = flow_spine_read_begin(&reader, &r->spine, &r->ctx, n, hashes, cap, &r->err);
    while (rc == BASE_OK) {
        rc = flow_spine_read(&reader, &r->err);
        if (rc != BASE_OK || reader.nrefs == 0) break;
        const col_batch *rows;
        rc = flow_spine_decode(&reader, NULL, &rows, &r->err);
        for (uint32_t i = 0; rc == BASE_OK && i < reader.nrefs; i++) {
            f.rows++;
            f.weight += reader.refs[i].weight;
            f.keys += reader.refs[i].weight * col_i64(&rows->cols[0])[i];
        }
    }
    flow_spine_read_end(&reader);
    EXPECT_EQ_INT(rc, BASE_OK);
    return f;
}

static int64_t *sequence(rig *r, int64_t from, uint32_t n) {
    int64_t *keys = base_arena_array(&r->arena, int64_t, n + 1u);
    for (uint32_t i = 0; i < n; i++) keys[i] = from + i;
    return keys;
}

TEST(many_small_runs_become_few) {
    rig r;
    rig_init(&r, false, -1);
    for (int64_t step = 0; step < 2000; step++) {
        begin(&r);
        add(&r, 3, sequence(&r, step, 3), step, "row", 1, INT64_MIN);
        commit(&r);
        if (step % 500 == 250) { // the list of runs comes back
            rig_close(&r);
            rig_open(&r, false, -1);
        }
    }
    EXPECT(r.spine.nruns < 24);
    EXPECT_EQ_INT((int64_t)flow_spine_count(&r.spine), 6000);
    begin(&r);
    EXPECT_EQ_INT(flow_spine_verify(&r.spine, &r.ctx, &r.err), BASE_OK);
    const int64_t keys[4] = {-5, 0, 1000, 2001};
    found f = find(&r, 4, keys, 2);
    EXPECT_EQ_INT((int64_t)f.rows, 1 + 3 + 1);
    EXPECT_EQ_INT(f.keys, 3000 + 2001);
    f = find(&r, 2002, sequence(&r, 0, 2002), 100);
    EXPECT_EQ_INT((int64_t)f.rows, 6000);
    state_abort(r.ctx.txn);
    rig_deinit(&r);
}

TEST(a_key_with_very_many_rows) {
    rig r;
    rig_init(&r, true, -1);
    begin(&r);
    int64_t *keys = base_arena_array(&r.arena, int64_t, 100000);
    for (uint32_t i = 0; i < 100000; i++) keys[i] = i % 10 == 0 ? (int64_t)i : -1;
    add(&r, 100000, keys, 0, "one of many", 1, INT64_MIN);
    commit(&r);
    begin(&r);
    const int64_t wanted[3] = {-1, 10, 99990};
    found f = find(&r, 3, wanted, 1000);
    EXPECT_EQ_INT((int64_t)f.rows, 90000 + 2);
    EXPECT_EQ_INT(f.keys, -90000 + 10 + 99990);
    // Half of them go again, in a run of their own.
    keys = base_arena_array(&r.arena, int64_t, 50000);
    for (uint32_t i = 0; i < 50000; i++) keys[i] = i % 10 == 0 ? (int64_t)i : -1;
    add(&r, 50000, keys, 0, "one of many", -1, INT64_MIN);
    f = find(&r, 3, wanted, 1000);
    EXPECT_EQ_INT((int64_t)f.rows, 45000 + 1);
    EXPECT_EQ_INT(f.weight, 45000 + 1);
    EXPECT_EQ_INT(flow_spine_verify(&r.spine, &r.ctx, &r.err), BASE_OK);
    commit(&r);
    rig_deinit(&r);
}

TEST(rows_that_come_and_go_leave_nothing) {
    rig r;
    rig_init(&r, true, -1);
    for (int64_t step = 0; step < 400; step++) {
        begin(&r);
        add(&r, 5, sequence(&r, step % 7, 5), 3, "there", step % 2 == 0 ? 1 : -1, INT64_MIN);
        if (step % 2 == 0) add(&r, 5, sequence(&r, step % 7, 5), 3, "there", -1, INT64_MIN);
        if (step % 2 == 1) add(&r, 5, sequence(&r, step % 7, 5), 3, "there", 1, INT64_MIN);
        found f = find(&r, 20, sequence(&r, -2, 20), 3);
        EXPECT_EQ_INT((int64_t)f.rows, 0);
        commit(&r);
    }
    EXPECT(flow_spine_count(&r.spine) < 100);
    rig_deinit(&r);
}

TEST(large_rows) {
    rig r;
    rig_init(&r, true, -1);
    char *text = malloc(300001);
    memset(text, 'x', 300000);
    text[300000] = 0;
    for (int64_t step = 0; step < 20; step++) {
        begin(&r);
        add(&r, 4, sequence(&r, 0, 4), step * 10, text, 1, INT64_MIN);
        commit(&r);
    }
    begin(&r);
    found f = find(&r, 1, sequence(&r, 2, 1), 7);
    EXPECT_EQ_INT((int64_t)f.rows, 20);
    EXPECT_EQ_INT(flow_spine_verify(&r.spine, &r.ctx, &r.err), BASE_OK);
    state_abort(r.ctx.txn);
    free(text);
    rig_deinit(&r);
}

TEST(what_is_below_the_bound_goes) {
    rig r;
    rig_init(&r, false, 1);
    for (int64_t step = 0; step < 300; step++) {
        begin(&r);
        // Times step * 1000 .. + 9; what is older than 20 steps need not be kept.
        add(&r, 10, sequence(&r, 0, 10), step * 1000, "t", 1, (step - 20) * 1000);
        commit(&r);
    }
    uint64_t kept = flow_spine_count(&r.spine);
    EXPECT(kept >= 200 && kept < 1000);
    begin(&r);
    found f = find(&r, 1, sequence(&r, 4, 1), 16);
    EXPECT(f.rows >= 20 && f.rows < 100);
    EXPECT_EQ_INT(flow_spine_tidy(&r.spine, &r.ctx, 300 * 1000, &r.err), BASE_OK);
    EXPECT_EQ_INT((int64_t)r.spine.nruns, 0);
    // Of what is added, only what is in time.
    add(&r, 10, sequence(&r, 0, 10), 1000000, "t", 1, 1000004);
    EXPECT_EQ_INT((int64_t)flow_spine_count(&r.spine), 6);
    commit(&r);
    rig_close(&r);
    rig_open(&r, false, 1);
    begin(&r);
    f = find(&r, 10, sequence(&r, 0, 10), 16);
    EXPECT_EQ_INT((int64_t)f.rows, 6);
    EXPECT_EQ_INT(f.keys, 4 + 5 + 6 + 7 + 8 + 9);
    state_abort(r.ctx.txn);
    rig_deinit(&r);
}

TEST(large_runs_are_merged_when_lookups_have_paid) {
    rig r;
    rig_init(&r, false, -1);
    for (int64_t step = 0; step < 6; step++) {
        begin(&r);
        add(&r, 40000, sequence(&r, step * 7, 40000), 0, "r", 1, INT64_MIN);
        commit(&r);
    }
    EXPECT_EQ_INT((int64_t)r.spine.nruns, 6);
    for (int64_t i = 0; i < 40; i++) {
        begin(&r);
        found f = find(&r, 2000, sequence(&r, 100 + i, 2000), 1 << 16);
        EXPECT_EQ_INT((int64_t)f.rows, 12000);
        EXPECT_EQ_INT(flow_spine_tidy(&r.spine, &r.ctx, INT64_MIN, &r.err), BASE_OK);
        commit(&r);
    }
    EXPECT(r.spine.nruns < 6);
    begin(&r);
    EXPECT_EQ_INT(flow_spine_verify(&r.spine, &r.ctx, &r.err), BASE_OK);
    state_abort(r.ctx.txn);
    rig_deinit(&r);
}

TEST(damaged_blocks_are_errors) {
    rig r;
    rig_init(&r, true, -1);
    begin(&r);
    add(&r, 50, sequence(&r, 0, 50), 0, "text", 1, INT64_MIN);
    commit(&r);
    for (uint64_t i = 0; i < 400; i++) {
        begin(&r);
        state_cursor *cursor;
        base_str at, value;
        bool end;
        must(state_cursor_open(r.ctx.txn, r.spine.table, &cursor, &r.err) == BASE_OK);
        must(state_cursor_last(cursor, &at, &value, &end, &r.err) == BASE_OK && !end);
        char *own = base_arena_memdup(&r.arena, at.p, at.n);
        size_t n = i % 3 == 0 ? (i * 7) % value.n : value.n;
        char *bytes = base_arena_memdup(&r.arena, value.p, value.n);
        if (n == value.n) bytes[i * 13 % n] ^= (char)(1 << i % 8);
        must(state_put(r.ctx.txn, r.spine.table, (base_str){own, at.n}, (base_str){bytes, n},
                       &r.err) == BASE_OK);
        state_cursor_close(cursor);
        // An error, or other values; never what lies beyond.
        flow_spine_reset(&r.spine);
        (void)!flow_spine_verify(&r.spine, &r.ctx, &r.err);
        state_abort(r.ctx.txn);
    }
    flow_spine_reset(&r.spine);
    begin(&r);
    EXPECT_EQ_INT(flow_spine_verify(&r.spine, &r.ctx, &r.err), BASE_OK);
    state_abort(r.ctx.txn);
    rig_deinit(&r);
}

TEST_MAIN(TEST_ENTRY(many_small_runs_become_few), TEST_ENTRY(a_key_with_very_many_rows),
          TEST_ENTRY(rows_that_come_and_go_leave_nothing), TEST_ENTRY(large_rows),
          TEST_ENTRY(what_is_below_the_bound_goes),
          TEST_ENTRY(large_runs_are_merged_when_lookups_have_paid),
          TEST_ENTRY(damaged_blocks_are_errors))
