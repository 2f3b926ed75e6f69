// Keys, rows and batches as bytes: round trips, order, and damaged bytes.
#include <stdlib.h>

#include "base/hash.h"
#include "col/codec.h"
#include "col/kernel.h"
#include "col_random.h"
#include "test.h"

static base_arena arena;
static base_random random_state;
static base_error err;

static void start(uint64_t seed) {
    base_arena_deinit(&arena);
    base_arena_init(&arena, 1 << 16);
    base_random_seed(&random_state, seed);
}

TEST(keys_keep_order) {
    for (size_t t = 0; t < COL_RANDOM_TYPES; t++) {
        start(100 + t);
        const uint32_t n = 300, key = 0;
        col_batch *batch = col_random_batch(&random_state, &arena, 1, &col_random_types[t], n);
        const col_vec *vec = &batch->cols[0];
        base_str keys[300];
        col_key_encode_batch(&arena, batch, 1, &key, keys);
        int bad = 0;
        for (uint32_t i = 0; i < n; i++) {
            for (uint32_t j = 0; j < n; j++) {
                int c = base_str_cmp(keys[i], keys[j]);
                if ((c > 0) - (c < 0) != col_cells_compare(vec, i, vec, j)) bad++;
                // Self-delimiting: no key is a prefix of another.
                if (c != 0 && base_str_starts(keys[j], keys[i])) bad++;
            }
        }
        if (bad != 0) fprintf(stderr, "%s\n", col_kind_name(vec->type.kind));
        EXPECT_EQ_INT(bad, 0);
    }
}

TEST(keys_of_rows_keep_order_and_come_back) {
    for (uint64_t seed = 1; seed <= 30; seed++) {
        start(200 + seed);
        const uint32_t n = 50;
        col_batch *batch =
            col_random_batch(&random_state, &arena, COL_RANDOM_TYPES, col_random_types, n);
        uint32_t keys[3];
        col_type types[3];
        for (int k = 0; k < 3; k++) {
            keys[k] = (uint32_t)base_random_below(&random_state, COL_RANDOM_TYPES);
            types[k] = col_random_types[keys[k]];
        }
        base_str bytes[50];
        col_key_encode_batch(&arena, batch, 3, keys, bytes);
        col_batch *back = col_batch_create(&arena, 3, types, n);
        base_buf buf;
        base_buf_init(&buf);
        for (uint32_t i = 0; i < n; i++) {
            base_buf_clear(&buf);
            col_key_encode_row(&buf, batch, i, 3, keys);
            EXPECT(base_str_eq(base_buf_str(&buf), bytes[i]));
            size_t at = 0;
            for (uint32_t k = 0; k < 3; k++) {
                REQUIRE_OK(col_key_decode(bytes[i], &at, &back->cols[k], i, &arena, &err));
                EXPECT(col_cells_equal(&batch->cols[keys[k]], i, &back->cols[k], i));
            }
            EXPECT_EQ_INT(at, bytes[i].n);
            for (uint32_t j = 0; j < i; j++) {
                int expected = 0;
                for (int k = 0; expected == 0 && k < 3; k++) {
                    const col_vec *vec = &batch->cols[keys[k]];
                    expected = col_cells_compare(vec, i, vec, j);
                }
                int c = base_str_cmp(bytes[i], bytes[j]);
                EXPECT_EQ_INT((c > 0) - (c < 0), expected);
            }
        }
        base_buf_deinit(&buf);
    }
}

static void expect_key(const col_vec *vec, const char *hex) {
    base_buf buf;
    base_buf_init(&buf);
    col_key_encode(&buf, vec, 0);
    char text[128] = "";
    for (size_t i = 0; i < buf.n && i < 60; i++) {
        snprintf(text + 2 * i, 3, "%02x", (unsigned char)buf.p[i]);
    }
    EXPECT_EQ_STR(text, hex);
    base_buf_deinit(&buf);
}

// The bytes are a disk format: they may not change.
TEST(keys_are_fixed_bytes) {
    start(1);
    col_vec vec;
    col_vec_init(&vec, &arena, col_type_of(COL_INT4), 1);
    col_i32(&vec)[0] = -2;
    expect_key(&vec, "017ffffffe");
    col_vec_set_null(&vec, &arena, 0);
    expect_key(&vec, "02");
    col_vec_init(&vec, &arena, col_type_of(COL_INT8), 1);
    col_i64(&vec)[0] = 1;
    expect_key(&vec, "018000000000000001");
    col_vec_init(&vec, &arena, col_type_of(COL_TEXT), 1);
    col_str(&vec)[0] = (base_str){"a\0b", 3};
    expect_key(&vec, "016100ff620000");
    col_vec_init(&vec, &arena, col_type_of(COL_NUMERIC), 1);
    expect_key(&vec, "0180");
    col_dec(&vec)[0] = base_decimal_make(1250, 2); // 12.50 is 0.125 x 10^2
    expect_key(&vec, "01a90d3300");
    col_dec(&vec)[0] = base_decimal_make(-1250, 2);
    expect_key(&vec, "0156f2ccff");
    col_vec_init(&vec, &arena, col_type_of(COL_FLOAT8), 1);
    col_f64(&vec)[0] = -0.0;
    expect_key(&vec, "018000000000000000");
    col_vec_init(&vec, &arena, col_type_of(COL_INTERVAL), 1);
    col_interval(&vec)[0] = (base_interval){-1, 0, 0};
    expect_key(&vec, "017fffffffffffffffffff");
}

TEST(hashes_are_fixed) {
    start(1);
    const uint32_t key = 0;
    uint64_t hash;
    col_type type = col_type_of(COL_INT8);
    col_batch *batch = col_batch_create(&arena, 1, &type, 1);
    col_i64(&batch->cols[0])[0] = 42;
    col_hash(batch, 1, &key, &hash);
    EXPECT(hash == base_mix64(0x9ae16a3b2f90404full * 0x9e3779b97f4a7c15ull + 42));
}

TEST(rows_come_back) {
    for (uint64_t seed = 1; seed <= 30; seed++) {
        start(300 + seed);
        const uint32_t n = 40;
        col_batch *batch =
            col_random_batch(&random_state, &arena, COL_RANDOM_TYPES, col_random_types, n);
        col_batch *back = col_batch_create(&arena, COL_RANDOM_TYPES, col_random_types, n);
        uint32_t cols[COL_RANDOM_TYPES];
        for (uint32_t c = 0; c < COL_RANDOM_TYPES; c++) cols[c] = COL_RANDOM_TYPES - 1 - c;
        base_buf buf;
        base_buf_init(&buf);
        for (uint32_t i = 0; i < n; i++) {
            base_buf_clear(&buf);
            col_row_encode(&buf, batch, i, COL_RANDOM_TYPES, cols);
            // A copy of the exact size, so that reading past it is seen by the sanitizer.
            base_str bytes = {base_arena_memdup(&arena, buf.p, buf.n), buf.n};
            size_t at = 0;
            REQUIRE_OK(col_row_decode(bytes, &at, back, i, COL_RANDOM_TYPES, cols, &arena, &err));
            EXPECT_EQ_INT(at, buf.n);
            for (uint32_t c = 0; c < COL_RANDOM_TYPES; c++) {
                EXPECT(col_same_cell(&batch->cols[c], i, &back->cols[c], i));
            }
            // Every cut is an error.
            for (size_t cut = 0; cut < bytes.n; cut++) {
                at = 0;

                EXPECT_EQ_INT(col_row_decode((base_str){bytes.p, cut}, &at, back, i,
                                             COL_RANDOM_TYPES, cols, &arena, &err),
                              BASE_E_CORRUPT);
            }
        }
        base_buf_deinit(&buf);
    }
}

TEST(rows_are_small) {
    start(1);
    const col_type types[] = {col_type_of(COL_INT8),
                              col_type_of(COL_BOOL),
                              {COL_NUMERIC, 12, 2, 0, NULL},
                              col_type_of(COL_TEXT)};
    col_batch *batch = col_batch_create(&arena, 4, types, 1);
    col_i64(&batch->cols[0])[0] = -100;
    col_u8(&batch->cols[1])[0] = 1;
    col_dec(&batch->cols[2])[0] = base_decimal_make(1999, 2);
    col_str(&batch->cols[3])[0] = BASE_STR("store");
    base_buf buf;
    base_buf_init(&buf);
    const uint32_t cols[] = {0, 1, 2, 3};
    col_row_encode(&buf, batch, 0, 4, cols);
    EXPECT_EQ_INT(buf.n, 1 + 1 + 1 + 3 + 6);
    base_buf_deinit(&buf);
}

TEST(keys_cut_short_are_errors) {
    start(7);
    col_batch *batch =
        col_random_batch(&random_state, &arena, COL_RANDOM_TYPES, col_random_types, 30);
    col_batch *back = col_batch_create(&arena, COL_RANDOM_TYPES, col_random_types, 1);
    base_buf buf;
    base_buf_init(&buf);
    for (uint32_t i = 0; i < 30; i++) {
        for (uint32_t c = 0; c < COL_RANDOM_TYPES; c++) {
            base_buf_clear(&buf);
            col_key_encode(&buf, &batch->cols[c], i);
            for (size_t cut = 0; cut < buf.n; cut++) {
                size_t at = 0;
                base_str bytes = {base_arena_memdup(&arena, buf.p, cut), cut};
                EXPECT_EQ_INT(col_key_decode(bytes, &at, &back->cols[c], 0, &arena, &err),
                              BASE_E_CORRUPT);
            }
        }
    }
    base_buf_deinit(&buf);
}

TEST(batches_come_back) {
    for (uint64_t seed = 1; seed <= 20; seed++) {
        start(400 + seed);
        uint32_t n = (uint32_t)base_random_below(&random_state, 100);
        col_batch *batch =
            col_random_batch(&random_state, &arena, COL_RANDOM_TYPES, col_random_types, n);
        int64_t *weights = base_arena_array(&arena, int64_t, n);
        for (uint32_t i = 0; i < n; i++) weights[i] = (int64_t)i - 3;
        if (seed % 2 == 0) batch->weights = weights;
        base_buf buf;
        base_buf_init(&buf);
        col_batch_encode(&buf, batch);
        base_str bytes = {base_arena_memdup(&arena, buf.p, buf.n), buf.n};
        col_batch *back = NULL;
        REQUIRE_OK(
            col_batch_decode(bytes, &arena, COL_RANDOM_TYPES, col_random_types, &back, &err));
        EXPECT_EQ_INT(back->nrows, n);
        for (uint32_t i = 0; i < n; i++) {
            EXPECT_EQ_INT(col_weight(back, i), col_weight(batch, i));
            for (uint32_t c = 0; c < COL_RANDOM_TYPES; c++) {
                EXPECT(col_same_cell(&batch->cols[c], i, &back->cols[c], i));
            }
        }
        // Any flipped bit is noticed.
        for (int i = 0; i < 200; i++) {
            size_t bit = base_random_below(&random_state, buf.n * 8);
            char *damaged = base_arena_memdup(&arena, buf.p, buf.n);
            damaged[bit / 8] ^= (char)(1 << (bit % 8));
            EXPECT_EQ_INT(col_batch_decode((base_str){damaged, buf.n}, &arena, COL_RANDOM_TYPES,
                                           col_random_types, &back, &err),
                          BASE_E_CORRUPT);
        }
        base_buf_deinit(&buf);
    }
}

static void check_block(const col_batch *batch, const uint32_t *rows, uint32_t n, base_str bytes) {
    col_block block;
    EXPECT_EQ_INT(col_block_open(bytes, &arena, COL_RANDOM_TYPES, col_random_types, &block, &err),
                  BASE_OK);
    EXPECT_EQ_INT(block.nrows, n);
    uint32_t some[64], nsome = 0; // rows of the block, in any order
    while (n > 0 && nsome < 40) some[nsome++] = (uint32_t)base_random_below(&random_state, n);
    for (uint32_t c = 0; c < COL_RANDOM_TYPES; c++) {
        col_vec vec;
        col_vec_init(&vec, &arena, col_random_types[c], 64);
        for (int copy = 0; copy < 2; copy++) {
            EXPECT_EQ_INT(col_block_take(&block, c, some, nsome, &vec, 3, &arena, copy != 0, &err),
                          BASE_OK);
            for (uint32_t i = 0; i < nsome; i++)
                EXPECT(col_same_cell(&batch->cols[c], rows[some[i]], &vec, 3 + i));
        }
    }
}

TEST(blocks_give_single_rows) {
    for (uint64_t seed = 1; seed <= 60; seed++) {
        start(700 + seed);
        col_batch *batch =
            col_random_batch(&random_state, &arena, COL_RANDOM_TYPES, col_random_types, 300);
        uint32_t rows[COL_BLOCK_ROWS_MAX];
        uint32_t n = seed == 1 ? 0 : seed == 2 ? COL_BLOCK_ROWS_MAX : 1 + (uint32_t)seed * 7;
        for (uint32_t i = 0; i < n; i++) rows[i] = (uint32_t)base_random_below(&random_state, 300);
        base_buf buf = {0};
        col_block_encode(&buf, batch, rows, n);
        check_block(batch, rows, n, base_buf_str(&buf));
        // Damaged bytes are an error or other values, and nothing beyond them is read.
        for (int i = 0; i < 300 && n > 0; i++) {
            size_t size = i < 100 ? base_random_below(&random_state, buf.n) : buf.n;
            char *damaged = malloc(size + (size == 0)); // so that the sanitiser sees its end
            memcpy(damaged, buf.p, size);
            if (i >= 100)
                damaged[base_random_below(&random_state, size)] ^=
                    (char)(1 << base_random_below(&random_state, 8));
            col_block block;
            base_rc rc = col_block_open((base_str){damaged, size}, &arena, COL_RANDOM_TYPES,
                                        col_random_types, &block, &err);
            EXPECT(rc != BASE_OK || size == buf.n);
            for (uint32_t c = 0; rc == BASE_OK && block.nrows == n && c < COL_RANDOM_TYPES; c++) {
                const uint32_t last = n - 1;
                col_vec vec;
                col_vec_init(&vec, &arena, col_random_types[c], 1);
                (void)!col_block_take(&block, c, &last, 1, &vec, 0, &arena, true, &err);
            }
            free(damaged);
        }
        base_buf_deinit(&buf);
    }
}

TEST(blocks_are_small) {
    start(8);
    const col_type types[] = {{COL_INT8, 0, 0, 0, NULL},
                              {COL_TIMESTAMP, 0, 0, 0, NULL},
                              {COL_NUMERIC, 12, 2, 0, NULL},
                              {COL_INT4, 0, 0, 0, NULL}};
    col_batch *batch = col_batch_create(&arena, 4, types, 1000);
    uint32_t rows[1000];
    for (uint32_t i = 0; i < 1000; i++) {
        rows[i] = i;
        col_i64(&batch->cols[0])[i] = INT64_MIN + i % 200;           // a byte
        col_i64(&batch->cols[1])[i] = 1000000000000ll + i * 10;      // two
        col_dec(&batch->cols[2])[i] = base_decimal_make(100 * i, 2); // four
        col_i32(&batch->cols[3])[i] = -7;                            // none
    }
    base_buf buf = {0};
    col_block_encode(&buf, batch, rows, 1000);
    EXPECT(buf.n < 7100);
    col_block block;
    EXPECT_EQ_INT(col_block_open(base_buf_str(&buf), &arena, 4, types, &block, &err), BASE_OK);
    for (uint32_t c = 0; c < 4; c++) {
        col_vec vec;
        col_vec_init(&vec, &arena, types[c], 1000);
        EXPECT_EQ_INT(col_block_take(&block, c, rows, 1000, &vec, 0, &arena, false, &err), BASE_OK);
        for (uint32_t i = 0; i < 1000; i++) EXPECT(col_same_cell(&batch->cols[c], i, &vec, i));
    }
    base_buf_deinit(&buf);
}

TEST(batches_of_other_types_are_refused) {
    start(9);
    col_type type = col_type_of(COL_INT8), other = col_type_of(COL_TIMESTAMP);
    col_type two[] = {type, type};
    col_batch *batch = col_batch_create(&arena, 1, &type, 3), *back;
    base_buf buf;
    base_buf_init(&buf);
    col_batch_encode(&buf, batch);
    EXPECT_EQ_INT(col_batch_decode(base_buf_str(&buf), &arena, 1, &other, &back, &err),
                  BASE_E_CORRUPT);
    EXPECT_EQ_INT(col_batch_decode(base_buf_str(&buf), &arena, 2, two, &back, &err),
                  BASE_E_CORRUPT);
    EXPECT_EQ_INT(col_batch_decode(base_buf_str(&buf), &arena, 1, &type, &back, &err), BASE_OK);
    base_buf_deinit(&buf);
}

TEST_MAIN(TEST_ENTRY(keys_keep_order), TEST_ENTRY(keys_of_rows_keep_order_and_come_back),
          TEST_ENTRY(keys_are_fixed_bytes), TEST_ENTRY(hashes_are_fixed),
          TEST_ENTRY(rows_come_back), TEST_ENTRY(rows_are_small),
          TEST_ENTRY(keys_cut_short_are_errors), TEST_ENTRY(batches_come_back),
          TEST_ENTRY(batches_of_other_types_are_refused), TEST_ENTRY(blocks_give_single_rows),
          TEST_ENTRY(blocks_are_small))
