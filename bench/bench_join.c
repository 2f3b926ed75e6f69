// bench_join.c - what a join costs a row, apart from decoding and the log, by the rows of a step:
// facts and a table that stands still; facts and a stream of unique keys; two streams that grow,
// each row of which looks the other side up. LMDB without sync, with a journal for small commits,
// in a scratch directory, which is removed. Usage: bench_join [rows [part of a name]]
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/must.h"
#include "base/random.h"
#include "flow/graph.h"

enum { DIMS = 10000, COLUMNS = 3 };

typedef struct bench_run {
    const char *name;
    plan_object_kind right;
    bool unique;   // right: one row a key
    bool both;     // rows come on both sides
    uint64_t keys; // of the left rows
    uint32_t step_rows;
} bench_run;

typedef struct bench_plan {
    plan_column columns[2 * COLUMNS];
    plan_object left, right, view;
    uint32_t indexes[COLUMNS], keys[1], unique[1];
    plan_node scans[2], join;
    const plan_node *inputs[2];
} bench_plan;

// k bigint, v bigint, t text.
static void make_plan(bench_plan *p, const bench_run *b) {
    static const col_kind kinds[COLUMNS] = {COL_INT8, COL_INT8, COL_TEXT};
    memset(p, 0, sizeof *p);
    for (uint32_t c = 0; c < 2 * COLUMNS; c++)
        p->columns[c] = (plan_column){.name = "c", .type = col_type_of(kinds[c % COLUMNS])};
    for (uint32_t c = 0; c < COLUMNS; c++) p->indexes[c] = c;
    p->left = (plan_object){.kind = PLAN_OBJECT_STREAM,
                            .id = 1,
                            .schema = "b",
                            .name = "l",
                            .ncolumns = COLUMNS,
                            .columns = p->columns,
                            .event_time = -1};
    p->right = p->left;
    p->right.kind = b->right;
    p->right.id = 2;
    for (uint32_t s = 0; s < 2; s++) {
        p->scans[s] = (plan_node){.kind = PLAN_NODE_SCAN,
                                  .id = s + 1,
                                  .ncolumns = COLUMNS,
                                  .columns = p->columns,
                                  .object = s == 0 ? &p->left : &p->right,
                                  .indexes = p->indexes};
        p->inputs[s] = &p->scans[s];
    }
    if (b->unique) {
        p->scans[1].nkey = 1;
        p->scans[1].key = p->unique;
    }
    p->join = (plan_node){.kind = PLAN_NODE_JOIN,
                          .id = 3,
                          .ncolumns = 2 * COLUMNS,
                          .columns = p->columns,
                          .ninputs = 2,
                          .inputs = p->inputs,
                          .join = PLAN_JOIN_INNER,
                          .nequi = 1,
                          .left_keys = p->keys,
                          .right_keys = p->keys};
    p->view = (plan_object){.kind = PLAN_OBJECT_VIEW,
                            .id = 3,
                            .ncolumns = 2 * COLUMNS,
                            .columns = p->columns,
                            .plan = &p->join,
                            .event_time = -1};
}

// keys 0: each row its own, from `first` on.
static col_batch *make_batch(base_arena *arena, base_random *random, uint32_t n, uint64_t first,
                             uint64_t keys) {
    static const char text[] = "a text of about forty bytes, as events have";
    const col_type types[COLUMNS] = {col_type_of(COL_INT8), col_type_of(COL_INT8),
                                     col_type_of(COL_TEXT)};
    col_batch *batch = col_batch_create(arena, COLUMNS, types, n);
    for (uint32_t i = 0; i < n; i++) {
        col_i64(&batch->cols[0])[i] =
            (int64_t)(keys == 0 ? first + i : base_random_below(random, keys));
        col_i64(&batch->cols[1])[i] = (int64_t)(first + i);
        col_str(&batch->cols[2])[i] = (base_str){text, sizeof text - 1};
    }
    return batch;
}

static uint64_t cpu_ns(void) { // of this thread: the machine may be shared
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void fail(const char *what, const base_error *err) {
    fprintf(stderr, "%s: %s\n", what, err->message);
    exit(1);
}

static void step(flow_graph *graph, state_store *store, base_arena *arena, const col_batch *left,
                 const col_batch *right, uint64_t *out) {
    base_error err;
    state_txn *txn;
    uint32_t rows = (left == NULL ? 0 : left->nrows) + (right == NULL ? 0 : right->nrows);
    base_rc rc = rows > 20000 ? state_begin_write_large(store, &txn, &err)
                              : state_begin_write(store, &txn, &err);
    if (rc != BASE_OK) fail("begin", &err);
    flow_ctx ctx = {.arena = arena, .txn = txn, .low_watermark_us = INT64_MIN};
    flow_graph_begin(graph, &ctx);
    if (left != NULL && flow_graph_push(graph, 0, left, NULL, &err) != BASE_OK) fail("push", &err);
    if (right != NULL && flow_graph_push(graph, 1, right, NULL, &err) != BASE_OK)
        fail("push", &err);
    if (flow_graph_flush(graph, &err) != BASE_OK) fail("flush", &err);
    const col_batch *pairs = flow_graph_output(graph, 3);
    *out += pairs == NULL ? 0 : pairs->nrows;
    if (flow_graph_save(graph, &err) != BASE_OK) fail("save", &err);
    if (state_commit(txn, &err) != BASE_OK) fail("commit", &err);
    flow_graph_end(graph);
}

static void run(const bench_run *b, uint64_t rows) {
    base_error err;
    char dir[] = "/tmp/weir-bench-join-XXXXXX";
    if (mkdtemp(dir) == NULL) exit(1);
    state_store *store;
    const state_config config = {.no_sync = true, .journal = true};
    if (state_store_open(plat_os(), dir, &config, &store, &err) != BASE_OK) fail("open", &err);
    bench_plan plan;
    make_plan(&plan, b);
    const flow_graph_config graph_config = {.store = store};
    flow_graph *graph;
    if (flow_graph_create(&graph_config, &graph, &err) != BASE_OK) fail("create", &err);
    if (flow_graph_add(graph, &plan.view, &plan.join, &err) != BASE_OK) fail("add", &err);
    base_arena data, arena;
    base_arena_init(&data, 1 << 20);
    base_arena_init(&arena, 1 << 20);
    arena.retain_bytes = 1u << 28;
    base_random random;
    base_random_seed(&random, 7);
    uint64_t out = 0, spent = 0, total = 0;
    if (!b->both) step(graph, store, &arena, NULL, make_batch(&data, &random, DIMS, 0, 0), &out);
    while (total < rows) {
        base_arena_reset(&data);
        base_arena_reset(&arena);
        col_batch *left = make_batch(&data, &random, b->step_rows, total, b->keys);
        col_batch *right =
            b->both ? make_batch(&data, &random, b->step_rows, total, b->unique ? 0 : b->keys)
                    : NULL;
        uint64_t began = cpu_ns();
        step(graph, store, &arena, left, right, &out);
        spent += cpu_ns() - began;
        total += b->step_rows * (b->both ? 2u : 1u);
    }
    printf("%-46s %7u rows a step: %7.0f ns a row, %llu pairs\n", b->name, b->step_rows,
           (double)spent / (double)total, (unsigned long long)out);
    fflush(stdout);
    flow_graph_destroy(graph);
    state_store_close(store);
    if (plat_remove_tree(plat_os(), dir, &err) != BASE_OK) fail("remove", &err);
    base_arena_deinit(&data);
    base_arena_deinit(&arena);
}

int main(int argc, char **argv) {
    uint64_t rows = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000000;
    static const uint32_t step_rows[] = {10, 1000, 100000};
    static const bench_run runs[] = {
        {"facts and a table that stands still", PLAN_OBJECT_VIEW, true, false, DIMS, 0},
        {"facts and a stream of unique keys", PLAN_OBJECT_STREAM, true, false, DIMS, 0},
        {"two streams, of few pairs", PLAN_OBJECT_STREAM, false, true, 1000000, 0},
        {"facts and their unique keys come together", PLAN_OBJECT_STREAM, true, true, 1000000, 0},
    };
    for (size_t i = 0; i < sizeof runs / sizeof runs[0]; i++) {
        for (size_t s = 0; s < sizeof step_rows / sizeof step_rows[0]; s++) {
            bench_run one = runs[i];
            one.step_rows = step_rows[s];
            if (argc > 2 && strstr(one.name, argv[2]) == NULL) continue;
            run(&one, one.step_rows < 100 ? rows / 10 : rows);
        }
    }
    return 0;
}
