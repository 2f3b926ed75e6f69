// test_flow_source.c - sources: duplicates by business key within a batch, a step and across steps
// and restarts; replays of the same place; the horizon; upserts and deletes; filling a new view;
// graphs without a store; limits and cancellation.
#include "test.h"

#include "flow_model.h"

typedef struct fixture {
    state_memory *memory;
    state_store *store;
    flow_graph *graph;
    base_arena arena; // plans
    base_arena step;
    plan_object object, view;
    plan_column columns[3];
    uint32_t key[1];
    plan_node *plan;
    flow_ctx ctx;
    flow_hooks hooks;
    state_txn *txn;
    uint64_t duplicates, last_original;
    ref_view rows;
    base_error err;
} fixture;

static void on_duplicate(void *self, const plan_object *object, uint32_t partition, uint64_t offset,
                         uint32_t original_partition, uint64_t original_offset) {
    fixture *f = self;
    (void)object, (void)partition, (void)offset, (void)original_partition;
    f->duplicates++;
    f->last_original = original_offset;
}

static void on_failed(void *self, uint32_t node_id, const col_batch *batch, uint32_t row,
                      const base_error *err) {
    (void)self, (void)node_id, (void)batch, (void)row, (void)err;
}

static bool open_all(fixture *f) {
    state_config config = {.in_memory = true, .memory = f->memory};
    if (state_store_open(plat_os(), "t", &config, &f->store, &f->err) != BASE_OK) return false;
    flow_graph_config graph = {.store = f->store};
    return flow_graph_create(&graph, &f->graph, &f->err) == BASE_OK &&
           flow_graph_add(f->graph, &f->view, f->plan, &f->err) == BASE_OK;
}

// Columns: key bigint, ts timestamptz, v integer. The view is all of them.
static bool fixture_init(fixture *f, plan_object_kind kind, int64_t horizon_us) {
    memset(f, 0, sizeof *f);
    f->memory = state_memory_create();
    base_arena_init(&f->arena, 4096);
    base_arena_init(&f->step, 4096);
    static const col_kind kinds[3] = {COL_INT8, COL_TIMESTAMPTZ, COL_INT4};
    for (int i = 0; i < 3; i++)
        f->columns[i] = (plan_column){.name = "c", .type = col_type_of(kinds[i])};
    f->object = (plan_object){.kind = kind,
                              .id = 1,
                              .schema = "s",
                              .name = "o",
                              .ncolumns = 3,
                              .columns = f->columns,
                              .nkey = 1,
                              .key = f->key,
                              .event_time = kind == PLAN_OBJECT_STREAM ? 1 : -1,
                              .dedup_horizon_us = horizon_us};
    static const uint32_t indexes[3] = {0, 1, 2};
    uint32_t id = 0;
    f->plan = m_scan(&f->arena, &id, &f->object, 3, indexes);
    f->view = (plan_object){.kind = PLAN_OBJECT_VIEW, .id = 5, .event_time = -1};
    f->hooks = (flow_hooks){.self = f, .row_failed = on_failed, .duplicate = on_duplicate};
    return open_all(f);
}

static void close_all(fixture *f) {
    flow_graph_destroy(f->graph);
    if (f->store != NULL) state_store_close(f->store);
}

static void fixture_deinit(fixture *f) {
    close_all(f);
    state_memory_destroy(f->memory);
    ref_view_clear(&f->rows);
    base_arena_deinit(&f->arena);
    base_arena_deinit(&f->step);
}

static base_rc begin(fixture *f, int64_t low_watermark_us) {
    base_arena_reset(&f->step);
    base_rc rc = state_begin_write(f->store, &f->txn, &f->err);
    if (rc != BASE_OK) return rc;
    f->ctx = (flow_ctx){
        .arena = &f->step, .txn = f->txn, .hooks = &f->hooks, .low_watermark_us = low_watermark_us};
    flow_graph_begin(f->graph, &f->ctx);
    return BASE_OK;
}

typedef struct event {
    int64_t key, ts;
    int32_t v;
    uint64_t offset;
    bool deletes;
} event;

static base_rc push(fixture *f, uint32_t partition, uint32_t n, const event *events) {
    col_type types[3];
    for (int i = 0; i < 3; i++) types[i] = f->columns[i].type;
    col_batch *batch = col_batch_create(&f->step, 3, types, n);
    uint64_t *offsets = base_arena_array(&f->step, uint64_t, n);
    uint8_t *deletes = base_arena_array(&f->step, uint8_t, n);
    for (uint32_t i = 0; i < n; i++) {
        col_i64(&batch->cols[0])[i] = events[i].key;
        col_i64(&batch->cols[1])[i] = events[i].ts;
        col_i32(&batch->cols[2])[i] = events[i].v;
        offsets[i] = events[i].offset;
        deletes[i] = events[i].deletes;
    }
    flow_origin origin = {partition, offsets, col_i64(&batch->cols[1]),
                          f->object.kind == PLAN_OBJECT_TABLE ? deletes : NULL, NULL};
    return flow_graph_push(f->graph, 0, batch, &origin, &f->err);
}

static base_rc finish(fixture *f) {
    base_rc rc = flow_graph_flush(f->graph, &f->err);
    if (rc == BASE_OK) ref_view_apply(&f->step, &f->rows, flow_graph_output(f->graph, 5));
    if (rc == BASE_OK) rc = flow_graph_save(f->graph, &f->err);
    if (rc != BASE_OK) {
        state_abort(f->txn);
        return rc;
    }
    rc = state_commit(f->txn, &f->err);
    flow_graph_end(f->graph);
    return rc;
}

static int64_t weight_of(const fixture *f, const char *line) {
    for (uint32_t i = 0; i < f->rows.n; i++) {
        if (strcmp(f->rows.rows[i].line, line) == 0) return f->rows.rows[i].weight;
    }
    return 0;
}

static uint64_t table_rows(fixture *f, const char *name) {
    state_table table;
    state_txn *txn;
    uint64_t n = UINT64_MAX;
    if (state_table_open(f->store, name, &table, &f->err) != BASE_OK) return n;
    if (state_begin_read(f->store, &txn, &f->err) != BASE_OK) return n;
    if (state_table_count(txn, table, &n, &f->err) != BASE_OK) n = UINT64_MAX;
    state_abort(txn);
    return n;
}

TEST(duplicates) {
    fixture f;
    base_error err;
    REQUIRE(fixture_init(&f, PLAN_OBJECT_STREAM, 0));
    const flow_input *inputs;
    EXPECT_EQ_INT(flow_graph_inputs(f.graph, &inputs), 1);
    EXPECT(inputs[0].dedup && !inputs[0].upsert && inputs[0].ncolumns == 3);
    // In one batch, in another batch of the step, from another partition.
    const event first[] = {{7, 100, 1, 0, false}, {8, 100, 2, 1, false}, {7, 100, 3, 2, false}};
    const event again[] = {{8, 100, 4, 3, false}, {9, 100, 5, 4, false}};
    REQUIRE_OK(begin(&f, INT64_MIN));
    REQUIRE_OK(push(&f, 0, 3, first));
    REQUIRE_OK(push(&f, 0, 2, again));
    REQUIRE_OK(push(&f, 1, 1, &(event){9, 100, 6, 4, false}));
    REQUIRE_OK(finish(&f));
    EXPECT_EQ_INT(f.duplicates, 3);
    EXPECT_EQ_INT(f.last_original, 4);
    EXPECT_EQ_INT(f.rows.n, 3);
    EXPECT_EQ_INT(weight_of(&f, "7|100|1|"), 1);
    EXPECT_EQ_INT(weight_of(&f, "9|100|5|"), 1);
    // After a restart; a key below and one above the greatest; the same place again is a replay.
    close_all(&f);
    REQUIRE(open_all(&f));
    const event later[] = {{8, 100, 7, 9, false}, {1, 100, 8, 10, false}, {50, 100, 9, 11, false}};
    REQUIRE_OK(begin(&f, INT64_MIN));
    REQUIRE_OK(push(&f, 0, 3, later));
    REQUIRE_OK(push(&f, 0, 1, &first[1]));
    REQUIRE_OK(finish(&f));
    EXPECT_EQ_INT(f.duplicates, 4);
    EXPECT_EQ_INT(f.last_original, 1);
    EXPECT_EQ_INT(weight_of(&f, "8|100|2|"), 2);
    EXPECT_EQ_INT(weight_of(&f, "1|100|8|"), 1);
    EXPECT_EQ_INT(weight_of(&f, "8|100|7|"), 0);
    EXPECT_EQ_INT(table_rows(&f, "s1.keys"), 5);
    fixture_deinit(&f);
}

TEST(aborted_step_forgets_keys) {
    fixture f;
    base_error err;
    REQUIRE(fixture_init(&f, PLAN_OBJECT_STREAM, 0));
    for (int round = 0; round < 3; round++) {
        REQUIRE_OK(begin(&f, INT64_MIN));
        REQUIRE_OK(push(&f, 0, 1, &(event){7, 0, round, (uint64_t)round, false}));
        if (round == 2) break;
        if (round == 1) REQUIRE_OK(flow_graph_flush(f.graph, &f.err));
        if (round == 1) REQUIRE_OK(flow_graph_save(f.graph, &f.err));
        state_abort(f.txn);
        flow_graph_reset(f.graph);
    }
    REQUIRE_OK(finish(&f));
    EXPECT_EQ_INT(f.duplicates, 0);
    EXPECT_EQ_INT(weight_of(&f, "7|0|2|"), 1);
    fixture_deinit(&f);
}

TEST(horizon) {
    fixture f;
    base_error err;
    REQUIRE(fixture_init(&f, PLAN_OBJECT_STREAM, 1000));
    event events[100];
    for (int i = 0; i < 100; i++) events[i] = (event){i, 10 * i, i, (uint64_t)i, false};
    REQUIRE_OK(begin(&f, 0));
    REQUIRE_OK(push(&f, 0, 100, events));
    REQUIRE_OK(finish(&f));
    EXPECT_EQ_INT(table_rows(&f, "s1.keys"), 100);
    // Watermark 1500: what happened before 500 is forgotten (a bucket's width late at most).
    REQUIRE_OK(begin(&f, 1500));
    REQUIRE_OK(finish(&f));
    uint64_t left = table_rows(&f, "s1.keys");
    EXPECT(left >= 50 && left <= 54);
    // A forgotten key is new again, one within the horizon is not.
    REQUIRE_OK(begin(&f, 1500));
    REQUIRE_OK(push(&f, 0, 1, &(event){3, 30, 1000, 200, false}));
    REQUIRE_OK(push(&f, 0, 1, &(event){90, 900, 1000, 201, false}));
    REQUIRE_OK(finish(&f));
    EXPECT_EQ_INT(weight_of(&f, "3|30|1000|"), 1);
    EXPECT_EQ_INT(weight_of(&f, "90|900|1000|"), 0);
    EXPECT_EQ_INT(f.duplicates, 1);
    // At last everything goes, also the lists by time.
    for (int i = 0; i < 3; i++) {
        REQUIRE_OK(begin(&f, 100000));
        REQUIRE_OK(finish(&f));
    }
    EXPECT_EQ_INT(table_rows(&f, "s1.keys"), 0);
    EXPECT_EQ_INT(table_rows(&f, "s1.times"), 0);
    fixture_deinit(&f);
}

TEST(upserts) {
    fixture f;
    base_error err;
    REQUIRE(fixture_init(&f, PLAN_OBJECT_TABLE, 0));
    const event first[] = {{1, 0, 10, 0, false}, {2, 0, 20, 1, false}, {1, 0, 11, 2, false}};
    REQUIRE_OK(begin(&f, INT64_MIN));
    REQUIRE_OK(push(&f, 0, 3, first));
    REQUIRE_OK(finish(&f));
    EXPECT_EQ_INT(f.rows.n, 2);
    EXPECT_EQ_INT(weight_of(&f, "1|0|11|"), 1);
    close_all(&f);
    REQUIRE(open_all(&f));
    // Update, delete, delete of what is not there, delete and insert again, the same row again.
    const event second[] = {{1, 0, 12, 3, false}, {2, 0, 0, 4, true},   {9, 0, 0, 5, true},
                            {1, 0, 0, 6, true},   {1, 0, 12, 7, false}, {1, 0, 12, 8, false}};
    REQUIRE_OK(begin(&f, INT64_MIN));
    REQUIRE_OK(push(&f, 0, 2, second));
    REQUIRE_OK(push(&f, 0, 4, second + 2));
    REQUIRE_OK(finish(&f));
    EXPECT_EQ_INT(f.rows.n, 1);
    EXPECT_EQ_INT(weight_of(&f, "1|0|12|"), 1);
    EXPECT_EQ_INT(table_rows(&f, "s1.rows"), 1);
    REQUIRE_OK(begin(&f, INT64_MIN));
    REQUIRE_OK(flow_graph_verify(f.graph, &f.ctx, &f.err));
    REQUIRE_OK(finish(&f));
    fixture_deinit(&f);
}

TEST(fill_a_new_view) {
    fixture f;
    base_error err;
    REQUIRE(fixture_init(&f, PLAN_OBJECT_TABLE, 0));
    const event first[] = {{1, 0, 10, 0, false}, {2, 0, 20, 1, false}};
    REQUIRE_OK(begin(&f, INT64_MIN));
    REQUIRE_OK(push(&f, 0, 2, first));
    REQUIRE_OK(finish(&f));
    // A second view of the table, and a view of the first view.
    static const uint32_t value_only[1] = {2}, all[3] = {0, 1, 2};
    uint32_t id = 10;
    plan_object second = f.view, third = f.view;
    second.id = 6;
    third.id = 7;
    plan_node *plan = m_scan(&f.arena, &id, &f.object, 1, value_only);
    f.view.ncolumns = 3;
    f.view.columns = f.columns;
    plan_node *of_view = m_scan(&f.arena, &id, &f.view, 3, all);
    REQUIRE_OK(flow_graph_add(f.graph, &second, plan, &f.err));
    REQUIRE_OK(flow_graph_add(f.graph, &third, of_view, &f.err));
    REQUIRE_OK(begin(&f, INT64_MIN));
    REQUIRE_OK(flow_graph_fill(f.graph, 0, 6, &f.err));
    col_type types[3] = {f.columns[0].type, f.columns[1].type, f.columns[2].type};
    col_batch *batch = col_batch_create(&f.step, 3, types, 2);
    REQUIRE_OK(flow_graph_push_view(f.graph, 5, 7, batch, &f.err));
    REQUIRE_OK(flow_graph_flush(f.graph, &f.err));
    EXPECT(flow_graph_output(f.graph, 5) == NULL);
    const col_batch *filled = flow_graph_output(f.graph, 6);
    REQUIRE(filled != NULL && filled->nrows == 2 && filled->ncols == 1);
    EXPECT_EQ_INT(col_i32(&filled->cols[0])[0] + col_i32(&filled->cols[0])[1], 30);
    filled = flow_graph_output(f.graph, 7);
    REQUIRE(filled != NULL && filled->nrows == 1 && col_weight(filled, 0) == 2);
    REQUIRE_OK(finish(&f));
    // From now on all three follow.
    REQUIRE_OK(begin(&f, INT64_MIN));
    REQUIRE_OK(push(&f, 0, 1, &(event){2, 0, 21, 5, false}));
    REQUIRE_OK(flow_graph_flush(f.graph, &f.err));
    for (uint32_t v = 5; v < 8; v++) {
        const col_batch *delta = flow_graph_output(f.graph, v);
        EXPECT(delta != NULL && delta->nrows == 2);
    }
    REQUIRE_OK(finish(&f));
    close_all(&f);
    state_config config = {.in_memory = true, .memory = f.memory};
    REQUIRE_OK(state_store_open(plat_os(), "t", &config, &f.store, &f.err));
    f.graph = NULL;
    REQUIRE_OK(flow_source_drop(f.store, 1, &f.err));
    EXPECT_EQ_INT(table_rows(&f, "s1.rows"), 0);
    fixture_deinit(&f);
}

static bool always(void *arg) {
    (void)arg;
    return true;
}

// Count by v over three columns, without a store.
static base_rc run_adhoc(fixture *f, const plan_node *plan, uint32_t n, uint64_t limit, bool cancel,
                         const col_batch **out) {
    flow_graph_destroy(f->graph);
    flow_graph_config config = {.memory_limit_bytes = limit};
    base_rc rc = flow_graph_create(&config, &f->graph, &f->err);
    if (rc == BASE_OK) rc = flow_graph_add(f->graph, NULL, plan, &f->err);
    if (rc != BASE_OK) return rc;
    base_arena_reset(&f->step);
    f->ctx = (flow_ctx){.arena = &f->step, .cancelled = cancel ? always : NULL};
    flow_graph_begin(f->graph, &f->ctx);
    event *events = calloc(n, sizeof *events);
    for (uint32_t i = 0; i < n; i++) events[i] = (event){i, 0, (int32_t)(i % 10), i, false};
    if (rc == BASE_OK && n > 0) rc = push(f, 0, n, events);
    free(events);
    if (rc == BASE_OK) rc = flow_graph_flush(f->graph, &f->err);
    if (rc == BASE_OK) *out = flow_graph_output(f->graph, 0);
    return rc;
}

TEST(without_a_store) {
    fixture f;
    base_error err;
    REQUIRE(fixture_init(&f, PLAN_OBJECT_TABLE, 0));
    uint32_t id = 0;
    static const uint32_t all[3] = {0, 1, 2};
    plan_node *scan = m_scan(&f.arena, &id, &f.object, 3, all);
    const plan_expr *by[1] = {m_column(&f.arena, scan, 2)};
    plan_agg aggs[2];
    REQUIRE(m_agg_make("count", NULL, &aggs[0]));
    REQUIRE(m_agg_make("max", m_column(&f.arena, scan, 0), &aggs[1]));
    plan_node *group = m_aggregate(&f.arena, &id, scan, 1, by, 2, aggs);
    const plan_node *input = group;
    plan_node *sort = m_same(&f.arena, PLAN_NODE_SORT, &id, 1, &input);
    plan_sort_key key = {0, true, false};
    sort->nsort = 1;
    sort->sort = &key;
    sort->limit = 3;
    const col_batch *out;
    REQUIRE_OK(run_adhoc(&f, sort, 100, 0, false, &out));
    REQUIRE(out != NULL && out->nrows == 3);
    EXPECT_EQ_INT(col_i32(&out->cols[0])[0], 9);
    EXPECT_EQ_INT(col_i32(&out->cols[0])[2], 7);
    EXPECT_EQ_INT(col_i64(&out->cols[1])[0], 10);
    EXPECT_EQ_INT(col_i64(&out->cols[2])[0], 99);
    // A second step is refused; so are too much memory and a cancelled query.
    flow_graph_begin(f.graph, &f.ctx);
    EXPECT_EQ_INT(flow_graph_flush(f.graph, &f.err), BASE_E_UNSUPPORTED);
    EXPECT_EQ_INT(run_adhoc(&f, group, 10000, 1000, false, &out), BASE_E_LIMIT);
    EXPECT_EQ_STR(f.err.sqlstate, "53200");
    EXPECT_EQ_INT(run_adhoc(&f, group, 10, 0, true, &out), BASE_E_CANCELLED);
    EXPECT_EQ_STR(f.err.sqlstate, "57014");
    // A row that fails fails an ad-hoc query.
    const plan_expr *bad[1] = {m_call2(&f.arena, "/", m_int(&f.arena, COL_INT4, 1), by[0])};
    plan_node *project = m_project(&f.arena, &id, scan, 1, bad);
    EXPECT_EQ_INT(run_adhoc(&f, project, 10, 0, false, &out), BASE_E_INVALID);
    EXPECT_EQ_STR(f.err.sqlstate, "22012");
    EXPECT_EQ_INT(f.err.position, 7);
    fixture_deinit(&f);
}

// An aggregate without GROUP BY has its row from the first step on, without input.
TEST(global_aggregate) {
    fixture f;
    base_error err;
    REQUIRE(fixture_init(&f, PLAN_OBJECT_STREAM, 0));
    static const uint32_t all[3] = {0, 1, 2};
    uint32_t id = 20;
    plan_node *scan = m_scan(&f.arena, &id, &f.object, 3, all);
    plan_agg aggs[2];
    REQUIRE(m_agg_make("count", NULL, &aggs[0]));
    REQUIRE(m_agg_make("sum", m_column(&f.arena, scan, 2), &aggs[1]));
    f.plan = m_aggregate(&f.arena, &id, scan, 0, NULL, 2, aggs);
    close_all(&f);
    f.view.id = 5;
    REQUIRE(open_all(&f));
    for (int round = 0; round < 2; round++) {
        REQUIRE_OK(begin(&f, INT64_MIN));
        REQUIRE_OK(finish(&f));
        EXPECT_EQ_INT(weight_of(&f, "0|\\N|"), 1);
        close_all(&f);
        REQUIRE(open_all(&f));
    }
    REQUIRE_OK(begin(&f, INT64_MIN));
    REQUIRE_OK(push(&f, 0, 1, &(event){1, 0, 42, 0, false}));
    REQUIRE_OK(finish(&f));
    EXPECT_EQ_INT(f.rows.n, 1);
    EXPECT_EQ_INT(weight_of(&f, "1|42|"), 1);
    fixture_deinit(&f);
}

TEST_MAIN(TEST_ENTRY(duplicates), TEST_ENTRY(aborted_step_forgets_keys), TEST_ENTRY(horizon),
          TEST_ENTRY(upserts), TEST_ENTRY(fill_a_new_view), TEST_ENTRY(without_a_store),
          TEST_ENTRY(global_aggregate))
