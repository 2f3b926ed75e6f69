// bench_flow.c - what the operators cost, apart from decoding and the log: prepared batches through
// source, tumble and aggregate (count, sum, max by a key of 10,000 values and one-minute windows);
// the same with a business key; and the memory of a million groups. LMDB without sync in a scratch
// directory, which is removed. Usage: bench_flow [events [part of a name]]
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/must.h"
#include "base/random.h"
#include "flow/graph.h"
#include "plan/agg.h"

enum { BATCH = 65536, STEP_BATCHES = 8, KEYS = 10000 };

static plan_expr column_expr(col_kind kind, uint32_t index) {
    return (plan_expr){.kind = PLAN_EXPR_COLUMN, .type = col_type_of(kind), .index = index};
}

static plan_agg aggregate(const char *name, const plan_expr *arg) {
    const plan_agg_def *defs;
    size_t n = plan_agg_find(base_str_of(name), &defs);
    for (size_t i = 0; i < n; i++) {
        bool fits = arg == NULL ? defs[i].nargs == 0
                                : defs[i].nargs == 1 && (defs[i].arg == arg->type.kind);
        if (!fits) continue;
        plan_agg agg = {.def = &defs[i], .arg = arg};
        agg.type = defs[i].ret == COL_UNKNOWN ? arg->type : col_type_of(defs[i].ret);
        return agg;
    }
    must(false);
    return (plan_agg){0};
}

typedef struct bench_plan {
    plan_column columns[4];
    plan_column out[6];
    plan_object stream, view;
    uint32_t key[1], indexes[3];
    plan_expr exprs[3];
    const plan_expr *groups[2];
    plan_agg aggs[3];
    plan_node scan, tumble, aggregate;
    const plan_node *inputs[2];
} bench_plan;

// id bigint (business key), ts timestamptz, key text, amount integer.
static void make_plan(bench_plan *p, bool windows) {
    memset(p, 0, sizeof *p);
    static const col_kind kinds[4] = {COL_INT8, COL_TIMESTAMPTZ, COL_TEXT, COL_INT4};
    for (int i = 0; i < 4; i++)
        p->columns[i] = (plan_column){.name = "c", .type = col_type_of(kinds[i])};
    p->stream = (plan_object){.kind = PLAN_OBJECT_STREAM,
                              .id = 1,
                              .schema = "b",
                              .name = "s",
                              .ncolumns = 4,
                              .columns = p->columns,
                              .nkey = 1,
                              .key = p->key,
                              .event_time = 1};
    for (uint32_t i = 0; i < 3; i++) p->indexes[i] = i + 1;
    for (int i = 0; i < 3; i++) p->out[i].type = p->columns[i + 1].type;
    p->out[3].type = p->out[4].type = p->out[5].type = p->columns[1].type;
    p->scan = (plan_node){.kind = PLAN_NODE_SCAN,
                          .id = 1,
                          .ncolumns = 3,
                          .columns = p->out,
                          .object = &p->stream,
                          .indexes = p->indexes};
    p->inputs[0] = &p->scan;
    static const plan_window minute = {.form = PLAN_WINDOW_TUMBLE,
                                       .size = {PLAN_UNIT_US, BASE_US_PER_MINUTE},
                                       .step = {PLAN_UNIT_US, BASE_US_PER_MINUTE}};
    p->tumble = (plan_node){.kind = PLAN_NODE_WINDOW,
                            .id = 2,
                            .ncolumns = 3 + PLAN_WINDOW_COLUMNS,
                            .columns = p->out,
                            .ninputs = 1,
                            .inputs = &p->inputs[0],
                            .time_column = 0,
                            .window = &minute};
    p->inputs[1] = &p->tumble;
    p->exprs[0] = column_expr(COL_TIMESTAMPTZ, windows ? 3 : 0);
    p->exprs[1] = column_expr(COL_TEXT, 1);
    p->exprs[2] = column_expr(COL_INT4, 2);
    p->groups[0] = &p->exprs[0];
    p->groups[1] = &p->exprs[1];
    p->aggs[0] = aggregate("count", NULL);
    p->aggs[1] = aggregate("sum", &p->exprs[2]);
    p->aggs[2] = aggregate("max", &p->exprs[2]);
    static plan_column made[5];
    made[0].type = p->exprs[0].type;
    made[1].type = p->exprs[1].type;
    for (int i = 0; i < 3; i++) made[2 + i].type = p->aggs[i].type;
    p->aggregate = (plan_node){.kind = PLAN_NODE_AGGREGATE,
                               .id = 3,
                               .ncolumns = 5,
                               .columns = made,
                               .ninputs = 1,
                               .inputs = &p->inputs[1],
                               .nexprs = 2,
                               .exprs = p->groups,
                               .naggs = 3,
                               .aggs = p->aggs};
    p->view = (plan_object){.kind = PLAN_OBJECT_VIEW,
                            .id = 2,
                            .ncolumns = 5,
                            .columns = made,
                            .plan = &p->aggregate,
                            .event_time = -1};
}

// Events in order of time, `per_second` of them a second; ids shuffled within the batch when
// random.
static col_batch *make_batch(base_arena *arena, base_random *random, uint64_t first, uint64_t keys,
                             uint64_t per_second, bool random_ids, bool reuse_window) {
    static const col_kind kinds[4] = {COL_INT8, COL_TIMESTAMPTZ, COL_TEXT, COL_INT4};
    col_type types[4];
    for (int i = 0; i < 4; i++) types[i] = col_type_of(kinds[i]);
    col_batch *batch = col_batch_create(arena, 4, types, BATCH);
    for (uint32_t i = 0; i < BATCH; i++) {
        uint64_t at = reuse_window ? i : first + i;
        col_i64(&batch->cols[0])[i] =
            random_ids ? (int64_t)(base_random_u64(random) >> 1) : (int64_t)(first + i);
        col_i64(&batch->cols[1])[i] = (int64_t)(at * 1000000 / per_second);
        char *text = base_arena_printf(arena, "key-%llu",
                                       (unsigned long long)base_random_below(random, keys));
        col_str(&batch->cols[2])[i] = base_str_of(text);
        col_i32(&batch->cols[3])[i] = (int32_t)base_random_below(random, 1000);
    }
    return batch;
}

typedef struct bench_run {
    const char *name;
    bool dedup, random_ids, windows, store;
    uint64_t keys;
} bench_run;

// Time of this thread: the machine may be shared.
static uint64_t cpu_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void fail(const char *what, const base_error *err) {
    fprintf(stderr, "%s: %s\n", what, err->message);
    exit(1);
}

static void count_cache(void *arg, uint32_t view_id, uint32_t node_id, const char *op,
                        const flow_op_stats *stats) {
    (void)view_id, (void)node_id, (void)op;
    uint64_t *totals = arg;
    totals[0] += stats->cache_bytes;
    totals[1] += stats->state_rows;
}

static void run(const bench_run *b, uint64_t events) {
    base_error err;
    char dir[] = "/tmp/weir-bench-flow-XXXXXX";
    state_store *store = NULL;
    if (b->store) {
        if (mkdtemp(dir) == NULL) exit(1);
        state_config config = {.no_sync = true};
        if (state_store_open(plat_os(), dir, &config, &store, &err) != BASE_OK) fail("open", &err);
    }
    bench_plan plan;
    make_plan(&plan, b->windows);
    flow_graph *graph;
    flow_graph_config config = {.store = store, .dedup_off = !b->dedup, .cache_bytes = 2ull << 30};
    if (flow_graph_create(&config, &graph, &err) != BASE_OK) fail("create", &err);
    if (flow_graph_add(graph, &plan.view, &plan.aggregate, &err) != BASE_OK) fail("add", &err);
    base_arena data, arena;
    base_arena_init(&data, 1 << 20);
    base_arena_init(&arena, 1 << 20);
    arena.retain_bytes = 1u << 30;
    base_random random;
    base_random_seed(&random, 7);
    uint64_t total = 0, flow_ns = 0, flush_ns = 0, save_ns = 0, commit_ns = 0;
    uint64_t *offsets = calloc(BATCH, sizeof *offsets);
    while (total < events) {
        base_arena_reset(&data);
        base_arena_reset(&arena);
        const col_batch *batches[STEP_BATCHES];
        for (int i = 0; i < STEP_BATCHES; i++) {
            batches[i] = make_batch(&data, &random, total + (uint64_t)i * BATCH, b->keys, 10000,
                                    b->random_ids, !b->windows);
        }
        state_txn *txn = NULL;
        if (b->store && state_begin_write(store, &txn, &err) != BASE_OK) fail("begin", &err);
        flow_ctx ctx = {.arena = &arena, .txn = txn, .low_watermark_us = INT64_MIN};
        uint64_t t0 = cpu_ns();
        flow_graph_begin(graph, &ctx);
        for (int i = 0; i < STEP_BATCHES; i++) {
            for (uint32_t k = 0; k < BATCH; k++) offsets[k] = total + (uint64_t)i * BATCH + k;
            flow_origin origin = {0, offsets, col_i64(&batches[i]->cols[1]), NULL, NULL};
            const flow_input *inputs;
            flow_graph_inputs(graph, &inputs);
            const col_batch *pushed =
                col_batch_project(&arena, batches[i], inputs[0].ncolumns, inputs[0].columns);
            if (flow_graph_push(graph, 0, pushed, &origin, &err) != BASE_OK) fail("push", &err);
        }
        uint64_t t1 = cpu_ns();
        if (flow_graph_flush(graph, &err) != BASE_OK) fail("flush", &err);
        uint64_t t2 = cpu_ns();
        if (flow_graph_save(graph, &err) != BASE_OK) fail("save", &err);
        uint64_t t3 = cpu_ns();
        if (b->store && state_commit(txn, &err) != BASE_OK) fail("commit", &err);
        uint64_t t4 = cpu_ns();
        flow_graph_end(graph);
        flow_ns += t1 - t0;
        flush_ns += t2 - t1;
        save_ns += t3 - t2;
        commit_ns += t4 - t3;
        total += (uint64_t)STEP_BATCHES * BATCH;
        if (!b->store) break;
    }
    double n = (double)total;
    uint64_t totals[2] = {0, 0};
    flow_graph_stats(graph, count_cache, totals);
    printf("%-34s push %6.1f flush %6.1f save %6.1f commit %6.1f: %7.1f ns/event", b->name,
           (double)flow_ns / n, (double)flush_ns / n, (double)save_ns / n, (double)commit_ns / n,
           (double)(flow_ns + flush_ns + save_ns + commit_ns) / n);
    if (totals[1] > 0) {
        printf(", %llu groups of %llu bytes", (unsigned long long)totals[1],
               (unsigned long long)(totals[0] / totals[1]));
    }
    printf("\n");
    flow_graph_destroy(graph);
    if (store != NULL) {
        state_store_close(store);
        if (plat_remove_tree(plat_os(), dir, &err) != BASE_OK) fail("remove", &err);
    }
    base_arena_deinit(&data);
    base_arena_deinit(&arena);
    free(offsets);
}

int main(int argc, char **argv) {
    uint64_t events = argc > 1 ? strtoull(argv[1], NULL, 10) : 4u << 20;
    static const bench_run runs[] = {
        {"tumble 1 min, 10,000 keys", false, false, true, true, KEYS},
        {"the same, without a store", false, false, true, false, KEYS},
        {"deduplicated, ascending ids", true, false, true, true, KEYS},
        {"deduplicated, random ids", true, true, true, true, KEYS},
        {"a million groups", false, false, false, true, 100},
    };
    for (size_t i = 0; i < sizeof runs / sizeof runs[0]; i++) {
        if (argc > 2 && strstr(runs[i].name, argv[2]) == NULL) continue;
        run(&runs[i], events);
    }
    return 0;
}
