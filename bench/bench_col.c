// bench_col.c - rows a second of the column kernels, one thread: what an aggregation over a step's
// batch is made of. Usage: bench_col [rows]
#include <stdio.h>
#include <stdlib.h>

#include "base/must.h"
#include "base/random.h"
#include "col/codec.h"
#include "col/kernel.h"
#include "plat/plat.h"

#define ROUNDS 20

static base_arena arena;
static plat *platform;

typedef struct bench {
    const col_batch *batch;
    uint32_t nkeys;
    uint32_t keys[2];
} bench;

static void run_hash(const bench *b) {
    uint64_t *hashes = base_arena_alloc(&arena, 8 * (size_t)b->batch->nrows);
    col_hash(b->batch, b->nkeys, b->keys, hashes);
}

static void run_group(const bench *b) {
    uint32_t *group_of = base_arena_alloc(&arena, 4 * (size_t)b->batch->nrows);
    uint32_t *first_row, ngroups;
    col_group(&arena, b->batch, b->nkeys, b->keys, group_of, &first_row, &ngroups);
}

static void run_sort(const bench *b) {
    col_sort_key keys[2] = {{b->keys[0], false, false}, {b->keys[1], false, false}};
    col_sort(&arena, b->batch, b->nkeys, keys);
}

static void run_keys(const bench *b) {
    base_str *out = base_arena_alloc(&arena, sizeof *out * (size_t)b->batch->nrows);
    col_key_encode_batch(&arena, b->batch, b->nkeys, b->keys, out);
}

static void run_gather(const bench *b) {
    uint32_t *sel = base_arena_alloc(&arena, 4 * (size_t)b->batch->nrows);
    for (uint32_t i = 0; i < b->batch->nrows; i++) sel[i] = (i * 7919u) % b->batch->nrows;
    col_batch_gather(&arena, b->batch, sel, b->batch->nrows);
}

static void run_consolidate(const bench *b) {
    col_consolidate(&arena, b->batch);
}

static void run_rows(const bench *b) {
    base_buf buf = {0};
    for (uint32_t i = 0; i < b->batch->nrows; i++) {
        base_buf_clear(&buf);
        col_row_encode(&buf, b->batch, i, b->nkeys, b->keys);
    }
    base_buf_deinit(&buf);
}

static void measure(const char *name, void (*run)(const bench *), const bench *b) {
    uint64_t best = UINT64_MAX;
    for (int round = 0; round < ROUNDS; round++) {
        base_arena_reset(&arena);
        uint64_t begin = plat_monotonic_ns(platform);
        run(b);
        uint64_t ns = plat_monotonic_ns(platform) - begin;
        if (ns < best) best = ns;
    }
    if (best < 1) best = 1;
    printf("%-32s %8.1f million rows/s\n", name, (double)b->batch->nrows * 1000 / (double)best);
}

static col_batch *make_batch(base_arena *own, uint32_t n) {
    const col_type types[] = {col_type_of(COL_INT8),
                              col_type_of(COL_TEXT),
                              col_type_of(COL_TIMESTAMP),
                              {COL_NUMERIC, 12, 2, 0, NULL},
                              col_type_of(COL_INT8)};
    base_random random;
    base_random_seed(&random, 1);
    col_batch *batch = col_batch_create(own, 5, types, n);
    for (uint32_t i = 0; i < n; i++) {
        uint64_t key = base_random_below(&random, 10000);
        col_i64(&batch->cols[0])[i] = (int64_t)key;
        char *text = base_arena_printf(own, "store-%04u", (unsigned)key);
        col_str(&batch->cols[1])[i] = (base_str){text, 10};
        col_i64(&batch->cols[2])[i] = (int64_t)base_random_below(&random, 4) * BASE_US_PER_MINUTE;
        col_dec(&batch->cols[3])[i] =
            base_decimal_make((base_i128)base_random_below(&random, 100000), 2);
        col_i64(&batch->cols[4])[i] = (int64_t)base_random_u64(&random);
    }
    return batch;
}

int main(int argc, char **argv) {
    uint32_t n = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 100000;
    if (n == 0 || n > COL_BATCH_ROWS_MAX) {
        fprintf(stderr, "usage: bench_col [rows]\n");
        return 2;
    }
    base_arena own;
    base_arena_init(&own, 1 << 20);
    base_arena_init(&arena, 1 << 20);
    arena.retain_bytes = 1u << 30;
    platform = plat_os();
    col_batch *batch = make_batch(&own, n);
    const bench by_int = {batch, 1, {0, 0}}, by_text = {batch, 1, {1, 0}};
    const bench by_int_time = {batch, 2, {0, 2}}, by_decimal = {batch, 1, {3, 0}};
    const bench by_distinct = {batch, 1, {4, 0}};
    measure("hash int8", run_hash, &by_int);
    measure("hash text", run_hash, &by_text);
    measure("hash numeric", run_hash, &by_decimal);
    measure("group int8", run_group, &by_int);
    measure("group int8, all distinct", run_group, &by_distinct);
    measure("group text", run_group, &by_text);
    measure("group int8, timestamp", run_group, &by_int_time);
    measure("sort int8", run_sort, &by_int);
    measure("sort int8, all distinct", run_sort, &by_distinct);
    measure("sort text", run_sort, &by_text);
    measure("sort numeric", run_sort, &by_decimal);
    measure("sort int8, timestamp", run_sort, &by_int_time);
    measure("encode keys int8, timestamp", run_keys, &by_int_time);
    measure("encode keys text", run_keys, &by_text);
    measure("encode keys numeric", run_keys, &by_decimal);
    measure("encode rows int8, timestamp", run_rows, &by_int_time);
    measure("gather 5 columns", run_gather, &by_int);
    measure("consolidate 5 columns", run_consolidate, &by_int);
    base_arena_deinit(&arena);
    base_arena_deinit(&own);
    return 0;
}
