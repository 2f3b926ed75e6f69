// Types, vectors, batches and the builder.
#include "col_random.h"
#include "test.h"

static base_arena arena;
static base_random random_state;

static void start(uint64_t seed) {
    base_arena_deinit(&arena);
    base_arena_init(&arena, 1 << 16);
    base_random_seed(&random_state, seed);
}

static col_batch *all_kinds(uint32_t nrows) {
    return col_random_batch(&random_state, &arena, COL_RANDOM_TYPES, col_random_types, nrows);
}

static void expect_row(const col_batch *a, uint32_t i, const col_batch *b, uint32_t j) {
    for (uint32_t c = 0; c < a->ncols; c++) {
        if (!col_same_cell(&a->cols[c], i, &b->cols[c], j)) {
            fprintf(stderr, "row %u and %u differ in %s\n", i, j,
                    col_kind_name(a->cols[c].type.kind));
            test_failures++;
        }
    }
}

TEST(type_names_and_oids) {
    static const struct {
        const char *name;
        col_kind kind;
    } names[] = {{"int8", COL_INT8},
                 {"BIGINT", COL_INT8},
                 {"timestamp with time zone", COL_TIMESTAMPTZ},
                 {"timestamptz", COL_TIMESTAMPTZ},
                 {"pg_catalog.int4", COL_INT4},
                 {"varchar", COL_VARCHAR},
                 {"character varying", COL_VARCHAR},
                 {"decimal", COL_NUMERIC},
                 {"\"char\"", COL_CHAR}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        col_kind kind = COL_UNKNOWN;
        EXPECT(col_kind_from_name(base_str_of(names[i].name), &kind));
        EXPECT_EQ_INT(kind, names[i].kind);
    }
    col_kind kind;
    EXPECT(!col_kind_from_name(BASE_STR("box"), &kind));
    EXPECT(!col_kind_from_name(BASE_STR(""), &kind));
    for (size_t i = 0; i < COL_RANDOM_TYPES - 1; i++) {
        EXPECT(col_kind_from_oid(col_type_oid(&col_random_types[i]), &kind));
        EXPECT_EQ_INT(kind, col_random_types[i].kind);
    }
    EXPECT(!col_kind_from_oid(600, &kind));
}

TEST(type_format_and_typmod) {
    start(1);
    base_buf buf;
    base_buf_init(&buf);
    col_type money = {COL_NUMERIC, 12, 2, 0, NULL};
    col_type_format(&money, &buf);
    EXPECT_EQ_STR(base_buf_cstr(&buf), "numeric(12,2)");
    EXPECT_EQ_INT(col_type_pg_typmod(&money), 786438); // as pg_attribute has it
    base_buf_clear(&buf);
    col_type word = {COL_VARCHAR, 10, 0, 0, NULL};
    col_type_format(&word, &buf);
    EXPECT_EQ_STR(base_buf_cstr(&buf), "character varying(10)");
    EXPECT_EQ_INT(col_type_pg_typmod(&word), 14);
    base_buf_clear(&buf);
    col_type nested = col_type_copy(&arena, &col_random_types[COL_RANDOM_TYPES - 1]);
    col_type_format(&nested, &buf);
    EXPECT_EQ_STR(base_buf_cstr(&buf), "STRUCT<a numeric, b STRUCT<x integer, y text>>");
    EXPECT(col_type_eq(&nested, &col_random_types[COL_RANDOM_TYPES - 1]));
    EXPECT(nested.fields != col_random_fields);
    EXPECT(!col_type_eq(&money, &word));
    col_type plain = col_type_of(COL_NUMERIC);
    EXPECT(!col_type_eq(&money, &plain));
    base_buf_deinit(&buf);
}

TEST(copy_gather_slice_concat_agree) {
    for (uint64_t seed = 1; seed <= 20; seed++) {
        start(seed);
        uint32_t n = (uint32_t)base_random_below(&random_state, 200);
        col_batch *batch = all_kinds(n);
        int64_t *weights = base_arena_array(&arena, int64_t, n);
        for (uint32_t i = 0; i < n; i++) weights[i] = (int64_t)base_random_below(&random_state, 5);
        batch->weights = weights;
        col_batch *copy = col_batch_copy(&arena, batch);
        for (uint32_t i = 0; i < n; i++) expect_row(batch, i, copy, i);
        uint32_t m = n == 0 ? 0 : (uint32_t)base_random_below(&random_state, 300);
        uint32_t *sel = base_arena_array(&arena, uint32_t, m);
        for (uint32_t i = 0; i < m; i++) sel[i] = (uint32_t)base_random_below(&random_state, n);
        col_batch *gathered = col_batch_gather(&arena, batch, sel, m);
        EXPECT_EQ_INT(gathered->nrows, m);
        for (uint32_t i = 0; i < m; i++) {
            expect_row(batch, sel[i], gathered, i);
            EXPECT_EQ_INT(col_weight(gathered, i), weights[sel[i]]);
        }
        uint32_t cut = n / 3;
        const col_batch *parts[] = {col_batch_slice(&arena, batch, 0, cut),
                                    col_batch_slice(&arena, batch, cut, n - cut),
                                    col_batch_slice(&arena, batch, n, 0), gathered};
        col_batch *whole = col_batch_concat(&arena, batch->ncols, col_random_types, 4, parts);
        EXPECT_EQ_INT(whole->nrows, n + m);
        for (uint32_t i = 0; i < n; i++) {
            expect_row(batch, i, whole, i);
            EXPECT_EQ_INT(col_weight(whole, i), weights[i]);
        }
        for (uint32_t i = 0; i < m; i++) expect_row(gathered, i, whole, n + i);
    }
}

TEST(copy_owns_its_strings) {
    start(2);
    char text[] = "before";
    col_type type = col_type_of(COL_TEXT);
    col_batch *batch = col_batch_create(&arena, 1, &type, 1);
    col_str(&batch->cols[0])[0] = base_str_of(text);
    col_batch *copy = col_batch_copy(&arena, batch);
    memcpy(text, "after ", 6);
    EXPECT(base_str_eq(col_str(&copy->cols[0])[0], BASE_STR("before")));
}

TEST(gather_outer_makes_nulls) {
    start(3);
    col_batch *batch = all_kinds(5);
    uint32_t sel[] = {4, COL_NO_ROW, 0, COL_NO_ROW};
    for (uint32_t c = 0; c < batch->ncols; c++) {
        col_vec *out = col_vec_gather_outer(&arena, &batch->cols[c], sel, 4);
        EXPECT(col_same_cell(&batch->cols[c], 4, out, 0));
        EXPECT(col_same_cell(&batch->cols[c], 0, out, 2));
        EXPECT(col_is_null(out, 1) && col_is_null(out, 3));
        for (uint16_t f = 0; f < out->type.nfields; f++) EXPECT(col_is_null(&out->children[f], 1));
        col_vec empty;
        col_vec_init(&empty, &arena, batch->cols[c].type, 0);
        uint32_t none[] = {COL_NO_ROW, COL_NO_ROW};
        col_vec *nulls = col_vec_gather_outer(&arena, &empty, none, 2);
        EXPECT(col_is_null(nulls, 0) && col_is_null(nulls, 1));
    }
}

TEST(negate_and_project) {
    start(4);
    col_batch *batch = all_kinds(3);
    col_batch *negated = col_batch_negate(&arena, batch);
    EXPECT_EQ_INT(col_weight(negated, 2), -1);
    EXPECT_EQ_INT(col_weight(col_batch_negate(&arena, negated), 2), 1);
    uint32_t indexes[] = {3, 0, 3};
    col_batch *projected = col_batch_project(&arena, negated, 3, indexes);
    EXPECT(projected->cols[0].data == batch->cols[3].data);
    EXPECT(projected->cols[1].data == batch->cols[0].data);
    EXPECT_EQ_INT(col_weight(projected, 0), -1);
}

TEST(concat_of_nothing) {
    start(5);
    col_batch *batch = col_batch_concat(&arena, COL_RANDOM_TYPES, col_random_types, 0, NULL);
    EXPECT_EQ_INT(batch->nrows, 0);
    EXPECT_EQ_INT(batch->ncols, COL_RANDOM_TYPES);
}

TEST(concat_takes_untyped_nulls) {
    start(9);
    col_type untyped[COL_RANDOM_TYPES];
    for (size_t t = 0; t < COL_RANDOM_TYPES; t++) untyped[t] = col_type_of(COL_UNKNOWN);
    const col_batch *parts[] = {all_kinds(4),
                                col_batch_create(&arena, COL_RANDOM_TYPES, untyped, 3)};
    col_batch *both = col_batch_concat(&arena, COL_RANDOM_TYPES, col_random_types, 2, parts);
    col_batch *nulls = col_batch_concat(&arena, COL_RANDOM_TYPES, col_random_types, 1, parts + 1);
    for (uint32_t i = 0; i < 4; i++) expect_row(parts[0], i, both, i);
    for (uint32_t c = 0; c < both->ncols; c++) {
        EXPECT_EQ_INT(nulls->cols[c].type.kind, col_random_types[c].kind);
        for (uint32_t i = 0; i < 3; i++) {
            EXPECT(col_is_null(&both->cols[c], 4 + i));
            EXPECT(col_is_null(&nulls->cols[c], i));
        }
    }
}

TEST(builder_keeps_rows) {
    start(6);
    col_batch *batch = all_kinds(500);
    col_builder *builder = col_builder_create(&arena, COL_RANDOM_TYPES, col_random_types);
    for (uint32_t i = 0; i < batch->nrows; i++) {
        if (i % 2 == 0) {
            col_builder_add_row(builder, batch, i, 1);
            continue;
        }
        col_builder_new_row(builder, i % 5 == 0 ? -1 : 1);
        for (uint32_t c = 0; c < batch->ncols; c++) col_builder_set(builder, c, &batch->cols[c], i);
    }
    EXPECT_EQ_INT(col_builder_rows(builder), 500);
    col_batch *built = col_builder_finish(builder);
    EXPECT_EQ_INT(built->nrows, 500);
    EXPECT_EQ_INT(col_weight(built, 5), -1);
    EXPECT_EQ_INT(col_weight(built, 6), 1);
    for (uint32_t i = 0; i < built->nrows; i++) expect_row(batch, i, built, i);
}

TEST(builder_typed_setters) {
    start(7);
    col_type types[] = {{COL_INT2, 0, 0, 0, NULL},   {COL_TIMESTAMP, 0, 0, 0, NULL},
                        {COL_FLOAT4, 0, 0, 0, NULL}, {COL_NUMERIC, 0, 0, 0, NULL},
                        {COL_TEXT, 0, 0, 0, NULL},   {COL_BOOL, 0, 0, 0, NULL}};
    col_builder *builder = col_builder_create(&arena, 6, types);
    for (int i = 0; i < 100; i++) {
        col_builder_new_row(builder, 1);
        col_builder_set_i64(builder, 0, -i);
        col_builder_set_i64(builder, 1, i * 1000000ll);
        col_builder_set_f64(builder, 2, i * 0.5);
        col_builder_set_decimal(builder, 3, base_decimal_make(i, 2));
        if (i != 50) col_builder_set_str(builder, 4, BASE_STR("text"));
        col_builder_set_bool(builder, 5, i % 2 == 1);
    }
    col_batch *batch = col_builder_finish(builder);
    EXPECT(batch->weights == NULL);
    EXPECT(batch->cols[0].nulls == NULL);
    EXPECT_EQ_INT(col_i16(&batch->cols[0])[99], -99);
    EXPECT_EQ_INT(col_i64(&batch->cols[1])[99], 99000000);
    EXPECT(col_f32(&batch->cols[2])[3] == 1.5f);
    EXPECT_EQ_INT(col_dec(&batch->cols[3])[42].lo, 42);
    EXPECT(col_is_null(&batch->cols[4], 50) && !col_is_null(&batch->cols[4], 51));
    EXPECT_EQ_INT(col_u8(&batch->cols[5])[7], 1);
}

TEST(null_structs_are_null_within) {
    start(8);
    col_vec vec;
    col_vec_init(&vec, &arena, col_random_types[COL_RANDOM_TYPES - 1], 3);
    col_vec_set_null(&vec, &arena, 1);
    EXPECT(!col_is_null(&vec, 0) && col_is_null(&vec, 1));
    EXPECT(col_is_null(&vec.children[1].children[0], 1));
    EXPECT(!col_is_null(&vec.children[1].children[0], 2));
    col_vec_copy_cell(&vec, 1, &vec, 0, &arena);
    EXPECT(!col_is_null(&vec, 1) && !col_is_null(&vec.children[0], 1));
}

TEST_MAIN(TEST_ENTRY(type_names_and_oids), TEST_ENTRY(type_format_and_typmod),
          TEST_ENTRY(copy_gather_slice_concat_agree), TEST_ENTRY(copy_owns_its_strings),
          TEST_ENTRY(gather_outer_makes_nulls), TEST_ENTRY(negate_and_project),
          TEST_ENTRY(concat_of_nothing), TEST_ENTRY(concat_takes_untyped_nulls),
          TEST_ENTRY(builder_keeps_rows), TEST_ENTRY(builder_typed_setters),
          TEST_ENTRY(null_structs_are_null_within))
