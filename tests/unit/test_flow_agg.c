// test_flow_agg.c - accumulators against what PostgreSQL gives: types, display scales, nulls,
// overflow, float specials and rounding, retraction to nothing, long strings and keys.
#include "test.h"

#include <math.h>

#include "flow/acc.h"
#include "flow_model.h"

typedef struct bench_acc {
    base_arena arena;
    acc_spec spec;
    char block[256];
    plan_agg agg;
    plan_expr arg;
} bench_acc;

static bool acc_begin(bench_acc *b, const char *name, col_type type, bool append_only) {
    memset(b, 0, sizeof *b);
    base_arena_init(&b->arena, 4096);
    b->arg = (plan_expr){.kind = PLAN_EXPR_COLUMN, .type = type};
    base_error err;
    if (!m_agg_make(name, &b->arg, &b->agg)) return false;
    if (acc_spec_init(&b->spec, &b->agg, append_only, &err) != BASE_OK) return false;
    b->spec.offset = 8;
    return true;
}

// Adds a value given as text (NULL: null) with a weight.
static void acc_add(bench_acc *b, const char *text, int64_t weight) {
    base_error err;
    col_vec vec;
    col_vec_init(&vec, &b->arena, b->arg.type, 1);
    if (text == NULL) {
        col_vec_set_null(&vec, &b->arena, 0);
    } else if (col_text_parse(base_str_of(text), 0, &vec, 0, &b->arena, &err) != BASE_OK) {
        fprintf(stderr, "%s\n", err.message);
        test_failures++;
    }
    const uint32_t zero = 0;
    *acc_weight(b->block) += weight;
    EXPECT(acc_update(&b->spec, b->block, sizeof b->block, &zero, &vec, &weight, &b->arena, &err) ==
           BASE_OK);
}

// The result as text, "NULL", or the SQLSTATE of its failure.
static const char *acc_text(bench_acc *b) {
    base_error err;
    col_vec vec;
    col_vec_init(&vec, &b->arena, b->agg.type, 1);
    if (acc_result(&b->spec, b->block, &vec, 0, &b->arena, &err) != BASE_OK) {
        return base_arena_strdup(&b->arena, err.sqlstate);
    }
    if (col_is_null(&vec, 0)) return "NULL";
    base_buf buf = {0};
    col_text_format(&vec, 0, 0, &buf);
    const char *text = base_arena_strdup(&b->arena, base_buf_cstr(&buf));
    base_buf_deinit(&buf);
    return text;
}

TEST(integers) {
    bench_acc b;
    REQUIRE(acc_begin(&b, "sum", col_type_of(COL_INT4), false));
    EXPECT_EQ_STR(acc_text(&b), "NULL");
    acc_add(&b, NULL, 5);
    EXPECT_EQ_STR(acc_text(&b), "NULL");
    acc_add(&b, "2147483647", 3);
    EXPECT_EQ_STR(acc_text(&b), "6442450941");
    acc_add(&b, "2147483647", -3);
    EXPECT_EQ_STR(acc_text(&b), "NULL");
    acc_add(&b, "2147483647", INT64_MAX / 2147483647 + 10); // beyond bigint, and back
    EXPECT_EQ_STR(acc_text(&b), "22003");
    acc_add(&b, "2147483647", -20);
    EXPECT_EQ_STR(acc_text(&b), "9223372015379939336");
    base_arena_deinit(&b.arena);
    REQUIRE(acc_begin(&b, "sum", col_type_of(COL_INT8), false));
    acc_add(&b, "9223372036854775807", 4);
    EXPECT_EQ_STR(acc_text(&b), "36893488147419103228");
    base_arena_deinit(&b.arena);
    REQUIRE(acc_begin(&b, "avg", col_type_of(COL_INT4), false));
    acc_add(&b, "1", 1);
    acc_add(&b, "2", 2);
    EXPECT_EQ_STR(acc_text(&b), "1.6666666666666667");
    acc_add(&b, "1", -1);
    EXPECT_EQ_STR(acc_text(&b), "2.0000000000000000");
    base_arena_deinit(&b.arena);
}

TEST(decimals) {
    bench_acc b;
    REQUIRE(acc_begin(&b, "sum", (col_type){COL_NUMERIC, 12, 2, 0, NULL}, false));
    acc_add(&b, "10.10", 2);
    acc_add(&b, "-0.20", 1);
    EXPECT_EQ_STR(acc_text(&b), "20.00");
    acc_add(&b, "10.10", -2);
    EXPECT_EQ_STR(acc_text(&b), "-0.20");
    base_arena_deinit(&b.arena);
    // Without a declared scale the greatest that is there is shown, also after it has gone.
    REQUIRE(acc_begin(&b, "sum", col_type_of(COL_NUMERIC), false));
    acc_add(&b, "1", 1);
    acc_add(&b, "2.5000", 1);
    EXPECT_EQ_STR(acc_text(&b), "3.5000");
    acc_add(&b, "0.25", 1);
    acc_add(&b, "2.5000", -1);
    EXPECT_EQ_STR(acc_text(&b), "1.25");
    acc_add(&b, "0.25", -1);
    EXPECT_EQ_STR(acc_text(&b), "1");
    base_arena_deinit(&b.arena);
    REQUIRE(acc_begin(&b, "sum", col_type_of(COL_NUMERIC), true));
    acc_add(&b, "99999999999999999999999999999999999999", 2);
    EXPECT_EQ_STR(acc_text(&b), "22003");
    base_arena_deinit(&b.arena);
    REQUIRE(acc_begin(&b, "avg", (col_type){COL_NUMERIC, 12, 2, 0, NULL}, false));
    acc_add(&b, "1.00", 1);
    acc_add(&b, "2.00", 2);
    EXPECT_EQ_STR(acc_text(&b), "1.6666666666666667");
    base_arena_deinit(&b.arena);
}

TEST(floats) {
    bench_acc b;
    REQUIRE(acc_begin(&b, "sum", col_type_of(COL_FLOAT8), false));
    acc_add(&b, "1e100", 1);
    acc_add(&b, "1", 1);
    acc_add(&b, "1e100", -1);
    EXPECT_EQ_STR(acc_text(&b), "1"); // what is lost in one double is kept in two
    acc_add(&b, "NaN", 1);
    EXPECT_EQ_STR(acc_text(&b), "NaN");
    acc_add(&b, "NaN", -1);
    acc_add(&b, "Infinity", 2);
    EXPECT_EQ_STR(acc_text(&b), "Infinity");
    acc_add(&b, "-Infinity", 1);
    EXPECT_EQ_STR(acc_text(&b), "NaN");
    acc_add(&b, "Infinity", -2);
    EXPECT_EQ_STR(acc_text(&b), "-Infinity");
    acc_add(&b, "-Infinity", -1);
    EXPECT_EQ_STR(acc_text(&b), "1");
    acc_add(&b, "0.1", 10);
    acc_add(&b, "1", -1);
    EXPECT_EQ_STR(acc_text(&b), "1");
    base_arena_deinit(&b.arena);
    REQUIRE(acc_begin(&b, "sum", col_type_of(COL_FLOAT8), false));
    acc_add(&b, "1e308", 1);
    acc_add(&b, "1.7e308", 1);
    EXPECT_EQ_STR(acc_text(&b), "22003");
    base_arena_deinit(&b.arena);
    REQUIRE(acc_begin(&b, "avg", col_type_of(COL_FLOAT4), false));
    acc_add(&b, "1.5", 1);
    acc_add(&b, "2.5", 1);
    EXPECT_EQ_STR(acc_text(&b), "2");
    base_arena_deinit(&b.arena);
}

TEST(extremes) {
    bench_acc b;
    REQUIRE(acc_begin(&b, "max", col_type_of(COL_FLOAT8), true));
    acc_add(&b, "1", 1);
    acc_add(&b, "NaN", 1);
    acc_add(&b, "Infinity", 1);
    EXPECT_EQ_STR(acc_text(&b), "NaN"); // the greatest of all
    base_arena_deinit(&b.arena);
    REQUIRE(acc_begin(&b, "min", col_type_of(COL_TEXT), true));
    acc_add(&b, "b", 1);
    acc_add(&b, NULL, 1);
    acc_add(&b, "ab", 1);
    acc_add(&b, "c", 1);
    EXPECT_EQ_STR(acc_text(&b), "ab");
    base_arena_deinit(&b.arena);
    REQUIRE(acc_begin(&b, "min", col_type_of(COL_DATE), true));
    acc_add(&b, "2021-03-04", 1);
    acc_add(&b, "2020-12-31", 1);
    EXPECT_EQ_STR(acc_text(&b), "2020-12-31");
    base_arena_deinit(&b.arena);
    // An input that only grows must not retract.
    REQUIRE(acc_begin(&b, "max", col_type_of(COL_INT4), true));
    base_error err;
    col_vec vec;
    col_vec_init(&vec, &b.arena, b.arg.type, 1);
    const uint32_t zero = 0;
    const int64_t minus = -1;
    EXPECT_EQ_INT(acc_update(&b.spec, b.block, 256, &zero, &vec, &minus, &b.arena, &err),
                  BASE_E_INTERNAL);
    base_arena_deinit(&b.arena);
}

TEST(booleans_and_merge) {
    bench_acc b;
    REQUIRE(acc_begin(&b, "bool_and", col_type_of(COL_BOOL), false));
    acc_add(&b, "true", 2);
    EXPECT_EQ_STR(acc_text(&b), "t");
    acc_add(&b, "false", 1);
    EXPECT_EQ_STR(acc_text(&b), "f");
    acc_add(&b, "false", -1);
    EXPECT_EQ_STR(acc_text(&b), "t");
    base_arena_deinit(&b.arena);
    // The partial of a step, with values that leave, merges into what was there.
    REQUIRE(acc_begin(&b, "sum", col_type_of(COL_NUMERIC), false));
    acc_add(&b, "1.5", 2);
    acc_add(&b, "7", 1);
    char stored[256];
    memcpy(stored, b.block, sizeof stored);
    memset(b.block, 0, sizeof b.block);
    acc_add(&b, "1.5", -2);
    acc_add(&b, "3", 1);
    EXPECT(!acc_merge(&b.spec, stored, b.block));
    memcpy(b.block, stored, sizeof stored);
    EXPECT_EQ_STR(acc_text(&b), "10");
    base_arena_deinit(&b.arena);
}

TEST_MAIN(TEST_ENTRY(integers), TEST_ENTRY(decimals), TEST_ENTRY(floats), TEST_ENTRY(extremes),
          TEST_ENTRY(booleans_and_merge))
