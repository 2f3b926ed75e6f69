// Hash, compare, sort, group, consolidate against what is plainly right but slow.
#include "col/codec.h"
#include "col/kernel.h"
#include "col_random.h"
#include "test.h"

static base_arena arena;
static base_random random_state;

static void start(uint64_t seed) {
    base_arena_deinit(&arena);
    base_arena_init(&arena, 1 << 16);
    base_random_seed(&random_state, seed);
}

static int order_of(const col_batch *batch, uint32_t a, uint32_t b, uint32_t nkeys,
                    const col_sort_key *keys) {
    for (uint32_t k = 0; k < nkeys; k++) {
        const col_vec *vec = &batch->cols[keys[k].col];
        bool a_null = col_is_null(vec, a), b_null = col_is_null(vec, b);
        int c = col_cells_compare(vec, a, vec, b);
        if (a_null != b_null) {
            if (keys[k].nulls_first) c = -c;
        } else if (keys[k].descending) {
            c = -c;
        }
        if (c != 0) return c;
    }
    return 0;
}

TEST(compare_is_an_order) {
    for (size_t t = 0; t < COL_RANDOM_TYPES; t++) {
        start(100 + t);
        const uint32_t n = 60, key = 0;
        col_batch *batch = col_random_batch(&random_state, &arena, 1, &col_random_types[t], n);
        const col_vec *vec = &batch->cols[0];
        uint64_t hashes[60];
        col_hash(batch, 1, &key, hashes);
        for (uint32_t i = 0; i < n; i++) {
            for (uint32_t j = 0; j < n; j++) {
                int c = col_cells_compare(vec, i, vec, j);
                EXPECT_EQ_INT(col_cells_compare(vec, j, vec, i), -c);
                EXPECT((c == 0) == col_cells_equal(vec, i, vec, j));
                if (c == 0) EXPECT(hashes[i] == hashes[j]);
                for (uint32_t k = 0; c <= 0 && k < n; k++) {
                    if (col_cells_compare(vec, j, vec, k) <= 0) {
                        EXPECT(col_cells_compare(vec, i, vec, k) <= 0);
                    }
                }
            }
        }
    }
}

TEST(known_orders) {
    start(1);
    col_type type = col_type_of(COL_FLOAT8);
    col_batch *floats = col_batch_create(&arena, 1, &type, 4);
    double values[] = {NAN, INFINITY, -0.0, 0.0};
    memcpy(floats->cols[0].data, values, sizeof values);
    EXPECT_EQ_INT(col_cells_compare(&floats->cols[0], 0, &floats->cols[0], 1), 1);
    EXPECT(col_cells_equal(&floats->cols[0], 0, &floats->cols[0], 0));
    EXPECT(col_cells_equal(&floats->cols[0], 2, &floats->cols[0], 3));
    type = col_type_of(COL_NUMERIC);
    col_batch *decimals = col_batch_create(&arena, 1, &type, 2);
    col_dec(&decimals->cols[0])[0] = base_decimal_make(10, 1);
    col_dec(&decimals->cols[0])[1] = base_decimal_make(100, 2);
    EXPECT(col_cells_equal(&decimals->cols[0], 0, &decimals->cols[0], 1));
    type = col_type_of(COL_INTERVAL);
    col_batch *intervals = col_batch_create(&arena, 1, &type, 2);
    col_interval(&intervals->cols[0])[0] = (base_interval){0, 0, 1};
    col_interval(&intervals->cols[0])[1] = (base_interval){0, 30, 0};
    EXPECT(col_cells_equal(&intervals->cols[0], 0, &intervals->cols[0], 1));
    type = col_type_of(COL_CHAR);
    col_batch *chars = col_batch_create(&arena, 1, &type, 2);
    col_u8(&chars->cols[0])[0] = 200;
    col_u8(&chars->cols[0])[1] = 'a';
    EXPECT_EQ_INT(col_cells_compare(&chars->cols[0], 0, &chars->cols[0], 1), 1);
}

// sort_is_right(): in order, stable, a permutation.
static void sort_is_right(const col_batch *batch, uint32_t nkeys, const col_sort_key *keys) {
    const uint32_t *perm = col_sort(&arena, batch, nkeys, keys);
    uint8_t *seen = base_arena_zalloc(&arena, batch->nrows);
    int bad = 0;
    for (uint32_t i = 0; i < batch->nrows; i++) {
        if (perm[i] >= batch->nrows || seen[perm[i]]++ != 0) bad++;
        if (i == 0) continue;
        int c = order_of(batch, perm[i - 1], perm[i], nkeys, keys);
        if (c > 0 || (c == 0 && perm[i - 1] > perm[i])) bad++;
    }
    if (bad != 0) {
        fprintf(stderr, "%d places out of order, first key %s, %u rows\n", bad,
                col_kind_name(batch->cols[keys[0].col].type.kind), batch->nrows);
        test_failures++;
    }
}

TEST(sort_by_each_kind) {
    for (size_t t = 0; t < COL_RANDOM_TYPES; t++) {
        static const uint32_t sizes[] = {0, 1, 2, 17, 100, 700};
        for (size_t s = 0; s < 6; s++) {
            start(200 + t * 10 + s);
            col_batch *batch =
                col_random_batch(&random_state, &arena, 1, &col_random_types[t], sizes[s]);
            for (int flags = 0; flags < 4; flags++) {
                col_sort_key key = {0, (flags & 1) != 0, (flags & 2) != 0};
                sort_is_right(batch, 1, &key);
            }
        }
    }
}

TEST(sort_by_several_keys) {
    for (uint64_t seed = 1; seed <= 60; seed++) {
        start(1000 + seed);
        uint32_t n = (uint32_t)base_random_below(&random_state, 900);
        col_batch *batch =
            col_random_batch(&random_state, &arena, COL_RANDOM_TYPES, col_random_types, n);
        col_sort_key keys[4];
        for (int k = 0; k < 4; k++) {
            keys[k] = (col_sort_key){(uint32_t)base_random_below(&random_state, COL_RANDOM_TYPES),
                                     base_random_below(&random_state, 2) == 0,
                                     base_random_below(&random_state, 2) == 0};
        }
        keys[0].col = seed % 2 == 0 ? 0 : keys[0].col; // booleans: long runs
        sort_is_right(batch, 4, keys);
    }
}

TEST(sort_of_money) {
    start(3);
    col_type type = {COL_NUMERIC, 12, 2, 0, NULL};
    col_batch *batch = col_batch_create(&arena, 1, &type, 2000);
    for (uint32_t i = 0; i < 2000; i++) {
        int64_t cents = (int64_t)base_random_below(&random_state, 100000) - 50000;
        col_dec(&batch->cols[0])[i] = base_decimal_make(cents, 2);
    }
    col_sort_key key = {0, true, false};
    sort_is_right(batch, 1, &key);
}

// Long common beginnings, zero bytes at the end, ends inside and at the limits of a prefix.
TEST(sort_of_long_strings) {
    start(4);
    col_type type = col_type_of(COL_BYTEA);
    col_batch *batch = col_batch_create(&arena, 1, &type, 1500);
    char *zeros = base_arena_zalloc(&arena, 200), *letters = base_arena_alloc(&arena, 200);
    memset(letters, 'a', 200);
    for (uint32_t i = 0; i < 1500; i++) {
        size_t head = base_random_below(&random_state, 3) * 40, tail = head + 20;
        char *p = base_arena_memdup(&arena, letters, head);
        char *text =
            base_arena_printf(&arena, "%s%08u", p, (unsigned)base_random_below(&random_state, 30));
        base_str s = {text, head + base_random_below(&random_state, 9)};
        if (i % 3 == 0) {
            char *padded = base_arena_memdup(&arena, zeros, tail);
            memcpy(padded, s.p, s.n);
            s = (base_str){padded, s.n + base_random_below(&random_state, 12)};
        }
        col_str(&batch->cols[0])[i] = s;
    }
    for (int descending = 0; descending < 2; descending++) {
        col_sort_key key = {0, descending == 1, false};
        sort_is_right(batch, 1, &key);
    }
}

static void group_is_right(const col_batch *batch, uint32_t nkeys, const uint32_t *keys) {
    uint32_t n = batch->nrows, ngroups, *first_row;
    uint32_t *group_of = base_arena_array(&arena, uint32_t, n);
    col_group(&arena, batch, nkeys, keys, group_of, &first_row, &ngroups);
    uint32_t expected = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t j = 0;
        while (!col_rows_equal(batch, i, batch, j, nkeys, keys, keys)) j++;
        if (j == i) {
            EXPECT_EQ_INT(group_of[i], expected);
            EXPECT_EQ_INT(first_row[expected], i);
            expected++;
        } else {
            EXPECT_EQ_INT(group_of[i], group_of[j]);
        }
    }
    EXPECT_EQ_INT(ngroups, expected);
}

TEST(group_by_each_kind) {
    for (uint32_t t = 0; t < COL_RANDOM_TYPES; t++) {
        start(300 + t);
        col_batch *batch = col_random_batch(&random_state, &arena, 1, &col_random_types[t], 400);
        const uint32_t key = 0;
        group_is_right(batch, 1, &key);
        // Without nulls, which takes other paths.
        uint32_t *sel = base_arena_array(&arena, uint32_t, 400), n = 0;
        for (uint32_t i = 0; i < 400; i++) {
            if (!col_is_null(&batch->cols[0], i)) sel[n++] = i;
        }
        col_batch *full = col_batch_gather(&arena, batch, sel, n);
        EXPECT(full->cols[0].nulls == NULL);
        group_is_right(full, 1, &key);
    }
}

TEST(group_by_several_keys_and_none) {
    for (uint64_t seed = 1; seed <= 20; seed++) {
        start(400 + seed);
        uint32_t n = (uint32_t)base_random_below(&random_state, 300);
        col_batch *batch =
            col_random_batch(&random_state, &arena, COL_RANDOM_TYPES, col_random_types, n);
        uint32_t keys[3];
        for (int k = 0; k < 3; k++) {
            keys[k] = (uint32_t)base_random_below(&random_state, COL_RANDOM_TYPES);
        }
        group_is_right(batch, 3, keys);
        group_is_right(batch, 0, keys);
    }
}

TEST(group_grows) {
    start(5);
    col_type type = col_type_of(COL_INT8);
    const uint32_t n = 100000, key = 0;
    col_batch *batch = col_batch_create(&arena, 1, &type, n);
    for (uint32_t i = 0; i < n; i++) col_i64(&batch->cols[0])[i] = (int64_t)(i % 70001) * 4096;
    uint32_t *group_of = base_arena_array(&arena, uint32_t, n), *first_row, ngroups;
    col_group(&arena, batch, 1, &key, group_of, &first_row, &ngroups);
    EXPECT_EQ_INT(ngroups, 70001);
    int bad = 0;
    for (uint32_t i = 0; i < n; i++) bad += group_of[i] != i % 70001;
    for (uint32_t g = 0; g < ngroups; g++) bad += first_row[g] != g;
    EXPECT_EQ_INT(bad, 0);
}

// A null's hash is a constant that some integer has too: they must still be two groups.
TEST(group_survives_hash_collision) {
    start(6);
    col_type type = col_type_of(COL_INT8);
    col_batch *batch = col_batch_create(&arena, 1, &type, 4);
    col_i64(&batch->cols[0])[0] = (int64_t)0xc3a5c85c97cb3127ull;
    col_i64(&batch->cols[0])[2] = (int64_t)0xc3a5c85c97cb3127ull;
    col_vec_set_null(&batch->cols[0], &arena, 1);
    col_vec_set_null(&batch->cols[0], &arena, 3);
    uint64_t hashes[4];
    const uint32_t key = 0;
    col_hash(batch, 1, &key, hashes);
    EXPECT(hashes[0] == hashes[1]); // else this test tests nothing
    group_is_right(batch, 1, &key);
}

TEST(consolidate_adds_up) {
    for (uint64_t seed = 1; seed <= 40; seed++) {
        start(500 + seed);
        uint32_t n = (uint32_t)base_random_below(&random_state, 200);
        const col_type types[] = {col_random_types[seed % COL_RANDOM_TYPES], col_type_of(COL_BOOL)};
        col_batch *batch = col_random_batch(&random_state, &arena, 2, types, n);
        int64_t *weights = base_arena_array(&arena, int64_t, n);
        for (uint32_t i = 0; i < n; i++) {
            weights[i] = (int64_t)base_random_below(&random_state, 5) - 2;
        }
        if (seed % 4 != 0) batch->weights = weights;
        col_batch *out = col_consolidate(&arena, batch);
        uint32_t at = 0;
        for (uint32_t i = 0; i < n; i++) {
            bool first = true;
            int64_t sum = 0;
            for (uint32_t j = 0; j < n; j++) {
                if (!col_rows_same(batch, i, batch, j)) continue;
                first &= j >= i;
                sum += col_weight(batch, j);
            }
            if (!first || sum == 0) continue;
            REQUIRE(at < out->nrows);
            EXPECT(col_rows_same(batch, i, out, at));
            EXPECT_EQ_INT(col_weight(out, at), sum);
            at++;
        }
        EXPECT_EQ_INT(out->nrows, at);
    }
}

static base_str exact_bytes(const col_batch *batch, uint32_t row) {
    const uint32_t all[] = {0, 1};
    base_buf buf = {0};
    col_row_encode(&buf, batch, row, batch->ncols, all);
    base_str bytes = {base_arena_memdup(&arena, buf.p, buf.n), buf.n};
    base_buf_deinit(&buf);
    return bytes;
}

// Rows are the same if and only if their exact encodings are; so their exact keys, whose order is
// that of the values.
TEST(tags_tell_rows_apart) {
    for (size_t t = 0; t < COL_RANDOM_TYPES; t++) {
        start(900 + t);
        const uint32_t n = 80, all[] = {0, 1};
        const col_type types[] = {col_random_types[t], col_type_of(COL_NUMERIC)};
        col_batch *batch = col_random_batch(&random_state, &arena, 2, types, n);
        base_str keys[80];
        col_key_encode_exact(&arena, batch, 2, all, types, keys);
        for (uint32_t i = 0; i < n; i++) {
            for (uint32_t j = 0; j < n; j++) {
                bool same = base_str_eq(exact_bytes(batch, i), exact_bytes(batch, j));
                EXPECT_EQ_INT(col_rows_same(batch, i, batch, j), same);
                EXPECT_EQ_INT(base_str_eq(keys[i], keys[j]), same);
                int order = col_cells_compare(&batch->cols[0], i, &batch->cols[0], j);
                if (order != 0) EXPECT((base_str_cmp(keys[i], keys[j]) < 0) == (order < 0));
            }
        }
    }
}

TEST(spellings_in_order) {
    start(1);
    const char *const texts[] = {"1", "1.0", "1.00"};
    col_vec vec;
    col_vec_init(&vec, &arena, col_type_of(COL_NUMERIC), 3);
    base_error err;
    for (uint32_t i = 0; i < 3; i++) {
        REQUIRE(base_decimal_parse(base_str_of(texts[i]), &col_dec(&vec)[i], &err) == BASE_OK);
    }
    EXPECT(col_spelling(&vec, 0) < col_spelling(&vec, 1));
    EXPECT(col_spelling(&vec, 1) < col_spelling(&vec, 2));
    const col_type plain = {COL_NUMERIC, 8, 2, 0, NULL}, free_scale = col_type_of(COL_NUMERIC);
    EXPECT(col_one_spelling(&plain) && !col_one_spelling(&free_scale));
}

TEST(select_rows) {
    const uint8_t keep[] = {0, 1, 255, 0, 0, 2, 0};
    uint32_t sel[7];
    EXPECT_EQ_INT(col_select(keep, 7, sel), 3);
    EXPECT(sel[0] == 1 && sel[1] == 2 && sel[2] == 5);
    EXPECT_EQ_INT(col_select(keep, 0, sel), 0);
}

TEST_MAIN(TEST_ENTRY(compare_is_an_order), TEST_ENTRY(known_orders), TEST_ENTRY(sort_by_each_kind),
          TEST_ENTRY(sort_by_several_keys), TEST_ENTRY(sort_of_money),
          TEST_ENTRY(sort_of_long_strings), TEST_ENTRY(group_by_each_kind),
          TEST_ENTRY(group_by_several_keys_and_none), TEST_ENTRY(group_grows),
          TEST_ENTRY(group_survives_hash_collision), TEST_ENTRY(consolidate_adds_up),
          TEST_ENTRY(tags_tell_rows_apart), TEST_ENTRY(spellings_in_order), TEST_ENTRY(select_rows))
