// test_plan_eval.c - the evaluator: three-valued logic by truth table, guarded arguments that would
// fail, tolerant mode, strictness, structs, constants, and random expressions against a row-by-row
// reference (tests/flow_model.h).
#include "test.h"

#include "flow_model.h"

static const plan_expr *boolean(base_arena *a, int v) { // -1: null
    return v < 0 ? m_null(a, col_type_of(COL_BOOL)) : m_int(a, COL_BOOL, v);
}

static int value_at(const col_vec *vec, uint32_t row) {
    return col_is_null(vec, row) ? -1 : col_u8(vec)[row];
}

static int eval_one(base_arena *a, const plan_expr *e) {
    base_error err;
    col_func_ctx ctx = {.arena = a, .err = &err};
    col_batch one = {0, 1, NULL, NULL};
    const col_vec *out;
    if (plan_eval(e, &one, &ctx, &out) != BASE_OK) return -9;
    return value_at(out, 0);
}

TEST(three_values) {
    base_arena a;
    base_arena_init(&a, 4096);
    col_type type = col_type_of(COL_BOOL);
    for (int x = -1; x <= 1; x++) {
        for (int y = -1; y <= 1; y++) {
            const plan_expr *args[2] = {boolean(&a, x), boolean(&a, y)};
            int both = x == 0 || y == 0 ? 0 : x < 0 || y < 0 ? -1 : 1;
            int either = x == 1 || y == 1 ? 1 : x < 0 || y < 0 ? -1 : 0;
            EXPECT_EQ_INT(eval_one(&a, m_node(&a, PLAN_EXPR_AND, type, 2, args)), both);
            EXPECT_EQ_INT(eval_one(&a, m_node(&a, PLAN_EXPR_OR, type, 2, args)), either);
            EXPECT_EQ_INT(eval_one(&a, m_node(&a, PLAN_EXPR_IS_DISTINCT, type, 2, args)), x != y);
        }
        const plan_expr *arg[1] = {boolean(&a, x)};
        EXPECT_EQ_INT(eval_one(&a, m_node(&a, PLAN_EXPR_NOT, type, 1, arg)), x < 0 ? -1 : !x);
        EXPECT_EQ_INT(eval_one(&a, m_node(&a, PLAN_EXPR_IS_NULL, type, 1, arg)), x < 0);
        EXPECT_EQ_INT(eval_one(&a, m_node(&a, PLAN_EXPR_IS_NOT_NULL, type, 1, arg)), x >= 0);
        EXPECT_EQ_INT(eval_one(&a, m_node(&a, PLAN_EXPR_IS_TRUE, type, 1, arg)), x == 1);
    }
    base_arena_deinit(&a);
}

TEST(in_lists) {
    base_arena a;
    base_arena_init(&a, 4096);
    col_type type = col_type_of(COL_BOOL);
    const plan_expr *one = m_int(&a, COL_INT4, 1), *two = m_int(&a, COL_INT4, 2);
    const plan_expr *null = m_null(&a, col_type_of(COL_INT4));
    const plan_expr *found[3] = {one, two, one}, *absent[2] = {one, two};
    const plan_expr *unknown[3] = {one, two, null}, *sure[3] = {one, null, one};
    const plan_expr *of_null[2] = {null, one};
    EXPECT_EQ_INT(eval_one(&a, m_node(&a, PLAN_EXPR_IN, type, 3, found)), 1);
    EXPECT_EQ_INT(eval_one(&a, m_node(&a, PLAN_EXPR_IN, type, 2, absent)), 0);
    EXPECT_EQ_INT(eval_one(&a, m_node(&a, PLAN_EXPR_IN, type, 3, unknown)), -1);
    EXPECT_EQ_INT(eval_one(&a, m_node(&a, PLAN_EXPR_IN, type, 3, sure)), 1);
    EXPECT_EQ_INT(eval_one(&a, m_node(&a, PLAN_EXPR_IN, type, 2, of_null)), -1);
    const plan_expr *texts[3] = {m_text(&a, "b"), m_text(&a, "a"), m_text(&a, "b")};
    EXPECT_EQ_INT(eval_one(&a, m_node(&a, PLAN_EXPR_IN, type, 3, texts)), 1);
    base_arena_deinit(&a);
}

// A column x of 0, 1, 2, ..., n-1 with nulls where x % 5 is 4.
static col_batch *numbers(base_arena *a, uint32_t n, plan_node *node) {
    col_type type = col_type_of(COL_INT8);
    col_batch *batch = col_batch_create(a, 1, &type, n);
    for (uint32_t i = 0; i < n; i++) {
        col_i64(&batch->cols[0])[i] = i;
        if (i % 5 == 4) col_vec_set_null(&batch->cols[0], a, i);
    }
    static plan_column column;
    column.type = type;
    *node = (plan_node){.ncolumns = 1, .columns = &column};
    return batch;
}

TEST(guards) {
    base_arena a;
    base_error err;
    base_arena_init(&a, 4096);
    plan_node node;
    col_batch *batch = numbers(&a, 20, &node);
    const plan_expr *x = m_column(&a, &node, 0), *zero = m_int(&a, COL_INT8, 0);
    const plan_expr *hundred = m_int(&a, COL_INT8, 100);
    const plan_expr *quotient = m_call2(&a, "/", hundred, x);
    const plan_expr *positive = m_call2(&a, "<", zero, x);
    col_func_ctx ctx = {.arena = &a, .err = &err};
    const col_vec *out;
    base_error_clear(&err);
    EXPECT_EQ_INT(plan_eval(quotient, batch, &ctx, &out), BASE_E_INVALID);
    EXPECT_EQ_STR(err.sqlstate, "22012");
    EXPECT_EQ_INT(err.position, 7);
    base_error_clear(&err);
    // x > 0 AND 100 / x > 20; NOT x > 0 OR ...; CASE; COALESCE(x, 100 / 0) fails on nulls only.
    const plan_expr *both[2] = {positive, m_call2(&a, "<", m_int(&a, COL_INT8, 20), quotient)};
    const plan_expr *and = m_node(&a, PLAN_EXPR_AND, col_type_of(COL_BOOL), 2, both);
    REQUIRE_OK(plan_eval(and, batch, &ctx, &out));
    EXPECT_EQ_INT(value_at(out, 0), 0);
    EXPECT_EQ_INT(value_at(out, 2), 1);
    EXPECT_EQ_INT(value_at(out, 4), -1);
    EXPECT_EQ_INT(value_at(out, 10), 0);
    const plan_expr *not_positive = m_node(&a, PLAN_EXPR_NOT, col_type_of(COL_BOOL), 1, &positive);
    const plan_expr *either[2] = {not_positive, both[1]};
    REQUIRE_OK(
        plan_eval(m_node(&a, PLAN_EXPR_OR, col_type_of(COL_BOOL), 2, either), batch, &ctx, &out));
    EXPECT_EQ_INT(value_at(out, 0), 1);
    EXPECT_EQ_INT(value_at(out, 3), 1);
    const plan_expr *choice[3] = {positive, quotient, m_int(&a, COL_INT8, -1)};
    REQUIRE_OK(
        plan_eval(m_node(&a, PLAN_EXPR_CASE, col_type_of(COL_INT8), 3, choice), batch, &ctx, &out));
    EXPECT_EQ_INT(col_i64(out)[0], -1);
    EXPECT_EQ_INT(col_i64(out)[4], -1); // null > 0 is not true
    EXPECT_EQ_INT(col_i64(out)[3], 33);
    const plan_expr *first[2] = {x, m_call2(&a, "/", hundred, zero)};
    const plan_expr *coalesce = m_node(&a, PLAN_EXPR_COALESCE, col_type_of(COL_INT8), 2, first);
    EXPECT_EQ_INT(plan_eval(coalesce, batch, &ctx, &out), BASE_E_INVALID);
    base_error_clear(&err);
    REQUIRE_OK(plan_eval(coalesce, col_batch_slice(&a, batch, 0, 4), &ctx, &out));
    EXPECT_EQ_INT(col_i64(out)[3], 3);
    uint32_t sel[20], nsel;
    REQUIRE_OK(plan_eval_filter(and, batch, &ctx, sel, &nsel));
    EXPECT_EQ_INT(nsel, 3); // 1, 2, 3: 100/4 is a null row
    EXPECT_EQ_INT(sel[2], 3);
    base_arena_deinit(&a);
}

TEST(tolerant) {
    base_arena a;
    base_error err;
    base_arena_init(&a, 4096);
    plan_node node;
    col_batch *batch = numbers(&a, 20, &node);
    const plan_expr *x = m_column(&a, &node, 0);
    // 100 / x + 1, and within a guard: only the rows that were needed fail.
    const plan_expr *quotient = m_call2(&a, "/", m_int(&a, COL_INT8, 100), x);
    const plan_expr *sum = m_call2(&a, "+", quotient, m_int(&a, COL_INT8, 1));
    uint8_t failed[20] = {0};
    base_error_clear(&err);
    col_func_ctx ctx = {.arena = &a, .err = &err, .failed = failed};
    const col_vec *out;
    REQUIRE_OK(plan_eval(sum, batch, &ctx, &out));
    EXPECT_EQ_STR(err.sqlstate, "22012");
    EXPECT_EQ_INT(err.position, 7);
    for (uint32_t i = 0; i < 20; i++) EXPECT_EQ_INT(failed[i], i == 0);
    EXPECT(col_is_null(out, 0) && col_i64(out)[3] == 34);
    memset(failed, 0, sizeof failed);
    const plan_expr *small = m_call2(&a, "<", x, m_int(&a, COL_INT8, 3));
    const plan_expr *minus = m_call2(&a, "+", x, m_int(&a, COL_INT8, -2));
    const plan_expr *choice[3] = {small, m_call2(&a, "/", m_int(&a, COL_INT8, 6), minus),
                                  m_int(&a, COL_INT8, 0)};
    REQUIRE_OK(
        plan_eval(m_node(&a, PLAN_EXPR_CASE, col_type_of(COL_INT8), 3, choice), batch, &ctx, &out));
    for (uint32_t i = 0; i < 20; i++) EXPECT_EQ_INT(failed[i], i == 2);
    EXPECT_EQ_INT(col_i64(out)[1], -6);
    base_arena_deinit(&a);
}

TEST(structs_and_constants) {
    base_arena a;
    base_error err;
    base_arena_init(&a, 4096);
    plan_node node;
    col_batch *batch = numbers(&a, 7, &node);
    static const col_field fields[2] = {{"x", {.kind = COL_INT8}}, {"t", {.kind = COL_TEXT}}};
    col_type type = {.kind = COL_STRUCT, .nfields = 2, .fields = fields};
    const plan_expr *args[2] = {m_column(&a, &node, 0), m_text(&a, "hello")};
    const plan_expr *record = m_node(&a, PLAN_EXPR_ROW, type, 2, args);
    plan_expr *field =
        (plan_expr *)(uintptr_t)m_node(&a, PLAN_EXPR_FIELD, fields[1].type, 1, &record);
    field->index = 1;
    col_func_ctx ctx = {.arena = &a, .err = &err};
    const col_vec *out;
    REQUIRE_OK(plan_eval(field, batch, &ctx, &out));
    for (uint32_t i = 0; i < 7; i++) EXPECT(base_str_eq(col_str(out)[i], BASE_STR("hello")));
    REQUIRE_OK(plan_eval(record, batch, &ctx, &out));
    EXPECT_EQ_INT(col_i64(&out->children[0])[6], 6);
    EXPECT(col_is_null(&out->children[0], 4));
    // A choice between records goes through scatter.
    const plan_expr *choice[3] = {
        m_call2(&a, "<", args[0], m_int(&a, COL_INT8, 3)), record,
        m_node(&a, PLAN_EXPR_ROW, type, 2,
               (const plan_expr *const[]){m_int(&a, COL_INT8, 77), m_text(&a, "no")})};
    REQUIRE_OK(plan_eval(m_node(&a, PLAN_EXPR_CASE, type, 3, choice), batch, &ctx, &out));
    EXPECT_EQ_INT(col_i64(&out->children[0])[2], 2);
    EXPECT_EQ_INT(col_i64(&out->children[0])[6], 77);
    EXPECT(base_str_eq(col_str(&out->children[1])[6], BASE_STR("no")));
    // No rows, and a parameter that nobody bound.
    REQUIRE_OK(plan_eval(field, col_batch_slice(&a, batch, 0, 0), &ctx, &out));
    EXPECT_EQ_INT(out->n, 0);
    const plan_expr *param = m_node(&a, PLAN_EXPR_PARAM, fields[0].type, 0, NULL);
    EXPECT_EQ_INT(plan_eval(param, batch, &ctx, &out), BASE_E_INVALID);
    EXPECT_EQ_STR(err.sqlstate, "42P02");
    base_arena_deinit(&a);
}

// ------------------------------------------------------------------------------------ random

static const plan_expr *gen(base_arena *a, base_random *r, const plan_node *node, bool boolean_kind,
                            int depth) {
    col_type type = col_type_of(boolean_kind ? COL_BOOL : COL_INT8);
    uint32_t choice = (uint32_t)base_random_below(r, depth <= 0 ? 2 : 8);
    const plan_expr *args[5];
    if (choice == 0)
        return boolean_kind ? m_column(a, node, 2)
                            : m_column(a, node, (uint32_t)base_random_below(r, 2));
    if (choice == 1) {
        if (base_random_below(r, 4) == 0) return m_null(a, type);
        return m_int(a, type.kind, (int64_t)base_random_below(r, boolean_kind ? 2 : 4));
    }
    if (choice == 2) {
        for (int i = 0; i < 5; i++)
            args[i] = gen(a, r, node, i % 2 == 0 && i < 4 ? true : boolean_kind, depth - 1);
        return m_node(a, PLAN_EXPR_CASE, type, 5, args);
    }
    if (choice == 3) {
        for (int i = 0; i < 3; i++) args[i] = gen(a, r, node, boolean_kind, depth - 1);
        return m_node(a, PLAN_EXPR_COALESCE, type, 3, args);
    }
    if (!boolean_kind) {
        args[0] = gen(a, r, node, false, depth - 1);
        args[1] = gen(a, r, node, false, depth - 1);
        return m_call2(a, choice < 6 ? "/" : "+", args[0], args[1]);
    }
    if (choice < 6) {
        for (int i = 0; i < 3; i++) args[i] = gen(a, r, node, true, depth - 1);
        return m_node(a, choice == 4 ? PLAN_EXPR_AND : PLAN_EXPR_OR, type, 3, args);
    }
    args[0] = gen(a, r, node, choice == 7, depth - 1);
    if (choice == 7) return m_node(a, PLAN_EXPR_NOT, type, 1, args);
    return m_call2(a, "<", args[0], gen(a, r, node, false, depth - 1));
}

TEST(random_expressions) {
    static const col_kind kinds[3] = {COL_INT8, COL_INT8, COL_BOOL};
    for (uint64_t seed = 1; seed <= 3000; seed++) {
        base_arena a;
        base_arena_init(&a, 1 << 14);
        base_random random;
        base_random_seed(&random, seed);
        uint32_t n = (uint32_t)base_random_below(&random, 40);
        col_type types[3];
        plan_column columns[3];
        for (int c = 0; c < 3; c++) columns[c].type = types[c] = col_type_of(kinds[c]);
        plan_node node = {.ncolumns = 3, .columns = columns};
        col_batch *batch = col_batch_create(&a, 3, types, n);
        ref_cell *cells = base_arena_array(&a, ref_cell, 3 * n + 1);
        for (uint32_t i = 0; i < 3 * n; i++) {
            cells[i] = (ref_cell){.kind = kinds[i % 3], .null = base_random_below(&random, 4) == 0};
            cells[i].i = (int64_t)base_random_below(&random, i % 3 == 2 ? 2 : 4);
            ref_write(&batch->cols[i % 3], i / 3, &cells[i], &a);
        }
        const plan_expr *e = gen(&a, &random, &node, base_random_below(&random, 2) != 0, 5);
        uint8_t *failed = base_arena_array(&a, uint8_t, n + 1);
        base_error err;
        base_error_clear(&err);
        col_func_ctx ctx = {.arena = &a, .err = &err, .failed = failed};
        const col_vec *out;
        REQUIRE_OK(plan_eval(e, batch, &ctx, &out));
        bool same = true;
        for (uint32_t i = 0; i < n; i++) {
            ref_cell want;
            bool ok = ref_eval(e, cells + 3 * i, &want);
            same = same && ok == !failed[i];
            if (!ok || failed[i]) continue;
            ref_cell got = ref_read(out, i);
            same = same && got.null == want.null && (got.null || got.i == want.i);
        }
        if (!same) fprintf(stderr, "seed %llu\n", (unsigned long long)seed);
        EXPECT(same);
        base_arena_deinit(&a);
    }
}

TEST_MAIN(TEST_ENTRY(three_values), TEST_ENTRY(in_lists), TEST_ENTRY(guards), TEST_ENTRY(tolerant),
          TEST_ENTRY(structs_and_constants), TEST_ENTRY(random_expressions))
