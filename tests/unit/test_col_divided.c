// Work that is divided: helpers, arenas that take in others, keys encoded and sorted by several.

#include <stdatomic.h>
#include <stdlib.h>

#include "base/random.h"
#include "col/codec.h"
#include "col_random.h"
#include "plat/thread.h"
#include "plat/workers.h"
#include "test.h"

typedef struct counting {
    atomic_uint calls[1000];
    uint32_t n;
} counting;

static void count_call(void *arg, uint32_t i) {
    counting *c = arg;
    atomic_fetch_add(&c->calls[i % 1000], i < c->n ? 1 : 1000);
}

TEST(each_part_runs_once) {
    plat_workers *workers = plat_workers_create(3);
    for (uint32_t n = 0; n < 1000; n += n < 10 ? 1 : 97) {
        counting c = {.n = n};
        plat_workers_each(workers, n, count_call, &c);
        for (uint32_t i = 0; i < 1000; i++) EXPECT_EQ_INT(atomic_load(&c.calls[i]), i < n);
        counting alone = {.n = n};
        plat_workers_each(NULL, n, count_call, &alone);
        for (uint32_t i = 0; i < n; i++) EXPECT_EQ_INT(atomic_load(&alone.calls[i]), 1);
    }
    plat_workers_destroy(workers);
}

TEST(parts_cover_all) {
    plat_workers *workers = plat_workers_create(3);
    EXPECT_EQ_INT(plat_workers_parts(NULL, 1u << 30, 1), 1);
    EXPECT_EQ_INT(plat_workers_parts(workers, 199, 100), 1);
    EXPECT_EQ_INT(plat_workers_parts(workers, 200, 100), 2);
    EXPECT_EQ_INT(plat_workers_parts(workers, 1u << 30, 100), 16);
    for (uint32_t parts = 1; parts <= PLAT_PARTS_MAX; parts++) {
        for (uint64_t n = 0; n < 300; n += 7) {
            EXPECT_EQ_INT(plat_part_begin(n, parts, 0), 0);
            EXPECT_EQ_INT(plat_part_begin(n, parts, parts), n);
            for (uint32_t i = 0; i < parts; i++) {
                uint64_t size = plat_part_begin(n, parts, i + 1) - plat_part_begin(n, parts, i);
                EXPECT(size == n / parts || size == n / parts + 1);
            }
        }
    }
    plat_workers_set_least(workers, 1);
    EXPECT_EQ_INT(plat_workers_parts(workers, 3, 100), 3);
    plat_workers_destroy(workers);
}

typedef struct shared {
    plat_workers *workers;
    atomic_uint sum;
} shared;

static void add_number(void *arg, uint32_t i) {
    atomic_fetch_add((atomic_uint *)arg, i);
}

static void *divide_much(void *arg) {
    shared *s = arg;
    for (int round = 0; round < 200; round++)
        plat_workers_each(s->workers, 10, add_number, &s->sum);
    return NULL;
}

static void one_more(void *arg) {
    atomic_fetch_add((atomic_uint *)arg, 1);
}

// Several threads share the helpers, which have tasks of the other kind, too.
TEST(many_divide_at_once) {
    shared s = {.workers = plat_workers_create(2)};
    plat_thread threads[3];
    atomic_uint tasks_run = 0;
    plat_task tasks[50];
    for (int i = 0; i < 3; i++) plat_thread_start(&threads[i], "divides", divide_much, &s);
    for (int i = 0; i < 50; i++) {
        tasks[i] = (plat_task){.run = one_more, .arg = &tasks_run};
        plat_workers_add(s.workers, &tasks[i]);
    }
    for (int i = 0; i < 50; i++) plat_workers_wait(s.workers, &tasks[i]);
    for (int i = 0; i < 3; i++) plat_thread_join(threads[i]);
    EXPECT_EQ_INT(atomic_load(&tasks_run), 50);
    EXPECT_EQ_INT(atomic_load(&s.sum), 3 * 200 * 45);
    plat_workers_destroy(s.workers);
}

TEST(an_arena_takes_in_others) {
    base_arena into, from;
    base_arena_init(&into, 1 << 10);
    base_arena_init(&from, 1 << 10);
    char *own = base_arena_memdup(&into, "own", 3);
    for (int round = 0; round < 3; round++) {
        char *first = base_arena_memdup(&from, "first", 5);
        char *large = base_arena_zalloc(&from, 1 << 16);
        size_t bytes = into.total_bytes + from.total_bytes;
        base_arena_absorb(&into, &from);
        EXPECT_EQ_INT(into.total_bytes, bytes);
        EXPECT_EQ_INT(from.total_bytes, 0);
        EXPECT_EQ_STR(first, "first");
        EXPECT_EQ_INT(large[(1 << 16) - 1], 0);
        // What was made of another is used again, and the arena goes on in its own block.
        EXPECT_EQ_STR(base_arena_memdup(&from, "again", 5), "again");
    }
    EXPECT_EQ_STR(own, "own");
    size_t held = into.total_bytes;
    base_arena_reset(&into);
    EXPECT(into.total_bytes < held);
    EXPECT_EQ_INT(into.total_bytes, 1 << 10); // its own block stays
    base_arena_absorb(&into, &from);
    base_arena_deinit(&into);
    EXPECT_EQ_INT(into.total_bytes, 0);
    base_arena_deinit(&from);
}

static const base_str *sorted_keys;

static int by_key(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    int order = base_str_cmp(sorted_keys[x], sorted_keys[y]);
    return order != 0 ? order : (x > y) - (x < y);
}

// Random bytes of few values, so that prefixes and whole keys meet; kinds of input that the bounds
// of the stretches do not divide well.
static void make_keys(base_random *random, base_arena *arena, int kind, uint32_t n,
                      base_str *keys) {
    for (uint32_t i = 0; i < n; i++) {
        uint32_t length = (uint32_t)base_random_below(random, kind == 0 ? 40 : 20);
        char *p = base_arena_zalloc(arena, length + 32);
        uint32_t prefix = kind == 2 ? 24 : 0;
        memset(p, 'x', prefix);
        for (uint32_t b = 0; b < length; b++)
            p[prefix + b] = (char)base_random_below(random, kind == 1 ? 2 : 256);
        if (kind == 3 && i % 4 != 0) memcpy(p, "the same", length = 8);
        keys[i] = (base_str){p, prefix + length};
    }
    for (uint32_t i = 0; kind == 4 && i < n; i++) // in order already
        keys[i] = (base_str){base_arena_printf(arena, "%08u", i / 3), 8};
}

TEST(keys_sort_alike) {
    plat_workers *workers = plat_workers_create(3);
    plat_workers_set_least(workers, 2);
    base_arena arena;
    base_arena_init(&arena, 1 << 16);
    base_random random;
    base_random_seed(&random, 11);
    for (int round = 0; round < 200; round++) {
        base_arena_reset(&arena);
        uint32_t n = (uint32_t)base_random_below(&random, round % 10 == 0 ? 5000 : 60);
        base_str *keys = base_arena_array(&arena, base_str, n + 1);
        make_keys(&random, &arena, round % 5, n, keys);
        uint32_t *expected = base_arena_array(&arena, uint32_t, n + 1);
        for (uint32_t i = 0; i < n; i++) expected[i] = i;
        sorted_keys = keys;
        qsort(expected, n, sizeof *expected, by_key);
        const uint32_t *alone = col_keys_sort(NULL, &arena, n, keys);
        const uint32_t *divided = col_keys_sort(workers, &arena, n, keys);
        EXPECT(memcmp(alone, expected, n * sizeof *expected) == 0);
        EXPECT(memcmp(divided, expected, n * sizeof *expected) == 0);
    }
    base_arena_deinit(&arena);
    plat_workers_destroy(workers);
}

TEST(keys_encode_alike) {
    plat_workers *workers = plat_workers_create(2);
    plat_workers_set_least(workers, 3);
    base_arena arena;
    base_arena_init(&arena, 1 << 16);
    base_random random;
    base_random_seed(&random, 12);
    const uint32_t n = 500;
    uint32_t columns[COL_RANDOM_TYPES];
    for (uint32_t i = 0; i < COL_RANDOM_TYPES; i++) columns[i] = i;
    const col_batch *batch =
        col_random_batch(&random, &arena, COL_RANDOM_TYPES, col_random_types, n);
    base_str *alone = base_arena_array(&arena, base_str, n);
    base_str *divided = base_arena_array(&arena, base_str, n);
    col_keys_encode(NULL, &arena, batch, COL_RANDOM_TYPES, columns, alone);
    col_keys_encode(workers, &arena, batch, COL_RANDOM_TYPES, columns, divided);
    for (uint32_t i = 0; i < n; i++) EXPECT(base_str_eq(alone[i], divided[i]));
    base_arena_deinit(&arena);
    plat_workers_destroy(workers);
}

TEST_MAIN(TEST_ENTRY(each_part_runs_once), TEST_ENTRY(parts_cover_all),
          TEST_ENTRY(many_divide_at_once), TEST_ENTRY(an_arena_takes_in_others),
          TEST_ENTRY(keys_sort_alike), TEST_ENTRY(keys_encode_alike))
