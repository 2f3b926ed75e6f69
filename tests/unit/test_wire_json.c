// The contract check's decoder: every type, every cause of refusal, documents that spoil their
// neighbours, and the cutting of bodies.
#include "base/random.h"
#include "test.h"
#include "wire/json.h"

#include <stdlib.h>

typedef struct run {
    base_arena arena;
    base_buf text;
    uint32_t *ends;
    col_batch *batch;
    uint8_t *deleted;
    wire_json_fault *faults;
    uint32_t nfaults;
} run;

static void run_deinit(run *r) {
    base_buf_deinit(&r->text);
    free(r->ends);
    free(r->deleted);
    base_arena_deinit(&r->arena);
}

static void decode_with(run *r, wire_json_decoder *decoder, size_t ndocs, const base_str *docs,
                        bool ops) {
    memset(r, 0, sizeof *r);
    base_arena_init(&r->arena, 1024);
    r->ends = malloc((ndocs + 1) * sizeof *r->ends);
    r->deleted = malloc(ndocs + 1);
    for (size_t i = 0; i < ndocs; i++) {
        base_buf_add_str(&r->text, docs[i]);
        r->ends[i] = (uint32_t)r->text.n;
        base_buf_add_byte(&r->text, '\n');
    }
    size_t bytes = r->text.n;
    for (int i = 0; i < WIRE_JSON_PADDING; i++) base_buf_add_byte(&r->text, i % 2 ? '"' : '{');
    wire_json_decode(decoder, r->text.p, bytes, r->ends, 0, (uint32_t)ndocs, &r->arena, &r->batch,
                     ops ? r->deleted : NULL, &r->faults, &r->nfaults);
}

static void decode(run *r, size_t nfields, const wire_json_field *fields, wire_json_unknown unknown,
                   size_t ndocs, const char *const *texts, bool ops) {
    wire_json_decoder *decoder = wire_json_decoder_create(nfields, fields, unknown);
    base_str *docs = malloc((ndocs + 1) * sizeof *docs);
    for (size_t i = 0; i < ndocs; i++) docs[i] = base_str_of(texts[i]);
    decode_with(r, decoder, ndocs, docs, ops);
    free(docs);
    wire_json_decoder_destroy(decoder);
}

// The cell as SQL text, or "NULL".
static const char *cell(run *r, uint32_t col, uint32_t row) {
    if (col_is_null(&r->batch->cols[col], row)) return "NULL";
    base_buf buf = {0};
    col_text_format(&r->batch->cols[col], row, 0, &buf);
    const char *text = base_arena_strdup(&r->arena, base_buf_cstr(&buf));
    base_buf_deinit(&buf);
    return text;
}

static col_type numeric(int precision, int scale) {
    col_type type = col_type_of(COL_NUMERIC);
    type.precision = (int16_t)precision;
    type.scale = (int16_t)scale;
    return type;
}

static col_type varchar(int most) {
    col_type type = col_type_of(COL_VARCHAR);
    type.precision = (int16_t)most;
    return type;
}

// One field "v" of a type, one value: the cell's text, or the SQLSTATE of its refusal.
static void expect_value(col_type type, const char *value, const char *expected, int line) {
    wire_json_field field = {"v", type, false};
    char doc[700];
    snprintf(doc, sizeof doc, "{\"v\": %s }", value);
    const char *docs[] = {doc, "{\"v\":null}"};
    run r;
    decode(&r, 1, &field, WIRE_JSON_UNKNOWN_FAULT, 2, docs, false);
    const char *got = r.nfaults > 0 ? r.faults[0].sqlstate : cell(&r, 0, 0);
    if (strcmp(got, expected) != 0) {
        fprintf(stderr, "%s:%d: %s %s gave %s, expected %s (%s)\n", __FILE__, line,
                col_kind_name(type.kind), value, got, expected,
                r.nfaults > 0 ? r.faults[0].message : "");
        test_failures++;
    }
    if (r.nfaults > 0) {
        EXPECT_EQ_STR(cell(&r, 0, 0), "NULL");
        EXPECT(strstr(r.faults[0].message, "\"v\"") != NULL || r.faults[0].field == -1);
    }
    EXPECT_EQ_STR(cell(&r, 0, 1), "NULL");
    run_deinit(&r);
}

#define VALUE(kind, value, expected) expect_value(col_type_of(kind), value, expected, __LINE__)
#define TYPED(type, value, expected) expect_value(type, value, expected, __LINE__)

TEST(integers) {
    VALUE(COL_INT4, "7", "7");
    VALUE(COL_INT4, "-0", "0");
    VALUE(COL_INT4, "2147483647", "2147483647");
    VALUE(COL_INT4, "-2147483648", "-2147483648");
    VALUE(COL_INT4, "2147483648", "22003");
    VALUE(COL_INT2, "-32768", "-32768");
    VALUE(COL_INT2, "32768", "22003");
    VALUE(COL_INT8, "9223372036854775807", "9223372036854775807");
    VALUE(COL_INT8, "-9223372036854775808", "-9223372036854775808");
    VALUE(COL_INT8, "9223372036854775808", "22003");
    VALUE(COL_INT8, "1e3", "1000");
    VALUE(COL_INT8, "12.0", "12");
    VALUE(COL_INT8, "12.5", "22P02");
    VALUE(COL_INT8, "1e400", "22003");
    VALUE(COL_INT8, "\"12\"", "22P02");
    VALUE(COL_INT8, "true", "22P02");
    VALUE(COL_INT8, "[1]", "22P02");
    VALUE(COL_INT8, "01", "22P02");
    VALUE(COL_INT8, "+1", "22P02");
    VALUE(COL_INT8, "1.", "22P02");
    VALUE(COL_INT8, ".5", "22P02");
    VALUE(COL_INT8, "-", "22P02");
    VALUE(COL_INT8, "1x", "22P02");
    VALUE(COL_INT8, "1\"x\"", "22P02");
    VALUE(COL_INT8, "nul", "22P02");
}

TEST(numerics) {
    VALUE(COL_NUMERIC, "12.340", "12.340");
    VALUE(COL_NUMERIC, "\"12.340\"", "12.340");
    VALUE(COL_NUMERIC, "-0.5", "-0.5");
    VALUE(COL_NUMERIC, "123456789012345678", "123456789012345678");
    VALUE(COL_NUMERIC, "1234567890123456789.5", "1234567890123456789.5");
    VALUE(COL_NUMERIC, "99999999999999999999999999999999999999",
          "99999999999999999999999999999999999999");
    VALUE(COL_NUMERIC, "100000000000000000000000000000000000000", "22003");
    VALUE(COL_NUMERIC, "1e2", "100");
    VALUE(COL_NUMERIC, "1.", "22P02");
    VALUE(COL_NUMERIC, "\"x\"", "22P02");
    TYPED(numeric(12, 2), "12.3", "12.30");
    TYPED(numeric(12, 2), "12", "12.00");
    TYPED(numeric(12, 2), "12.345", "12.35");
    TYPED(numeric(12, 2), "-12.345", "-12.35");
    TYPED(numeric(12, 2), "9999999999.99", "9999999999.99");
    TYPED(numeric(12, 2), "9999999999.995", "22003");
    TYPED(numeric(12, 2), "10000000000", "22003");
    TYPED(numeric(18, 17), "1.5", "1.50000000000000000");
    TYPED(numeric(18, 17), "10.5", "22003");
    TYPED(numeric(38, 20), "123456789012345678", "123456789012345678.00000000000000000000");
}

TEST(floats_and_booleans) {
    VALUE(COL_FLOAT8, "1.5", "1.5");
    VALUE(COL_FLOAT8, "0.1", "0.1");
    VALUE(COL_FLOAT8, "-0.000123", "-0.000123");
    VALUE(COL_FLOAT8, "123456789.123456789", "123456789.12345679");
    VALUE(COL_FLOAT8, "1e308", "1e+308");
    VALUE(COL_FLOAT8, "1e309", "22003");
    VALUE(COL_FLOAT8, "\"NaN\"", "NaN");
    VALUE(COL_FLOAT8, "\"-Infinity\"", "-Infinity");
    VALUE(COL_FLOAT8, "NaN", "22P02");
    VALUE(COL_FLOAT8, "\"1\"", "22P02");
    VALUE(COL_FLOAT4, "0.1", "0.1");
    VALUE(COL_FLOAT4, "1e39", "22003");
    VALUE(COL_BOOL, "true", "t");
    VALUE(COL_BOOL, "false", "f");
    VALUE(COL_BOOL, "1", "22P02");
    VALUE(COL_BOOL, "\"true\"", "22P02");
    VALUE(COL_BOOL, "tru", "22P02");
}

TEST(strings) {
    VALUE(COL_TEXT, "\"\"", "");
    VALUE(COL_TEXT, "\"a b\"", "a b");
    VALUE(COL_TEXT, "\"sixteen bytes ok, and more of it than that\"",
          "sixteen bytes ok, and more of it than that");
    VALUE(COL_TEXT, "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t");
    VALUE(COL_TEXT, "\"\\u00e9\\u20AC\\ud83d\\ude00x\"", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80x");
    VALUE(COL_TEXT, "\"a\\u0000b\"", "22P05");
    VALUE(COL_TEXT, "\"\\ud83d\"", "22P02");
    VALUE(COL_TEXT, "\"\\ud83dx\"", "22P02");
    VALUE(COL_TEXT, "\"\\ude00\"", "22P02");
    VALUE(COL_TEXT, "\"\\u12g4\"", "22P02");
    VALUE(COL_TEXT, "\"\\x41\"", "22P02");
    VALUE(COL_TEXT, "12", "22P02");
    VALUE(COL_TEXT, "{}", "22P02");
    VALUE(COL_TEXT, "\"\xff\"", "22021");
    VALUE(COL_TEXT, "\"\xed\xa0\x80\"", "22021");
    VALUE(COL_TEXT, "\"a\nb\"", "22P02");
    VALUE(COL_TEXT, "\"open", "22P02");
    TYPED(varchar(3), "\"abc\"", "abc");
    TYPED(varchar(3), "\"\xc3\xa9\xc3\xa9\xc3\xa9\"", "\xc3\xa9\xc3\xa9\xc3\xa9");
    TYPED(varchar(3), "\"abcd\"", "22001");
    TYPED(varchar(3), "\"abc  \"", "abc");
    VALUE(COL_BYTEA, "\"\\\\x00ff\"", "\\x00ff");
    VALUE(COL_BYTEA, "\"\\\\x0\"", "22P02");
    VALUE(COL_BYTEA, "\"AP8=\"", "\\x00ff");
    VALUE(COL_BYTEA, "\"AP8\"", "\\x00ff");
    VALUE(COL_BYTEA, "\"A\"", "22P02");
    VALUE(COL_BYTEA, "\"!!!!\"", "22P02");
    VALUE(COL_UUID, "\"A0EEBC99-9c0b-4ef8-bb6d-6bb9bd380a11\"",
          "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11");
    VALUE(COL_UUID, "\"a0eebc99\"", "22P02");
}

TEST(times) {
    VALUE(COL_TIMESTAMPTZ, "\"2024-05-17T10:11:12Z\"", "2024-05-17 10:11:12+00");
    VALUE(COL_TIMESTAMPTZ, "\"2024-05-17T10:11:12.5Z\"", "2024-05-17 10:11:12.5+00");
    VALUE(COL_TIMESTAMPTZ, "\"2024-05-17 10:11:12.123456Z\"", "2024-05-17 10:11:12.123456+00");
    VALUE(COL_TIMESTAMPTZ, "\"2024-05-17T10:11:12.123+02:00\"", "2024-05-17 08:11:12.123+00");
    VALUE(COL_TIMESTAMPTZ, "\"2024-05-17T10:11:12\"", "2024-05-17 10:11:12+00");
    VALUE(COL_TIMESTAMPTZ, "\"1969-12-31T23:59:59.999999Z\"", "1969-12-31 23:59:59.999999+00");
    VALUE(COL_TIMESTAMPTZ, "\"2024-02-30T10:11:12Z\"", "22008");
    VALUE(COL_TIMESTAMPTZ, "\"yesterdayish\"", "22007");
    VALUE(COL_TIMESTAMPTZ, "1715940672", "22P02");
    VALUE(COL_TIMESTAMPTZ, "\"2024-05-17T10:11:12\\u005a\"", "2024-05-17 10:11:12+00");
    VALUE(COL_TIMESTAMP, "\"2024-05-17T10:11:12\"", "2024-05-17 10:11:12");
    VALUE(COL_DATE, "\"2024-05-17\"", "2024-05-17");
    VALUE(COL_DATE, "\"2023-02-29\"", "22008");
    VALUE(COL_TIME, "\"10:11:12.5\"", "10:11:12.5");
    VALUE(COL_INTERVAL, "\"1 day 02:00:00\"", "1 day 02:00:00");
    VALUE(COL_INTERVAL, "\"PT5S\"", "00:00:05");
}

TEST(time_cache_across_days) {
    wire_json_field field = {"t", col_type_of(COL_TIMESTAMPTZ), true};
    const char *docs[] = {"{\"t\":\"2024-02-28T23:59:59Z\"}", "{\"t\":\"2024-02-29T00:00:00.25Z\"}",
                          "{\"t\":\"2024-02-29T23:59:59Z\"}", "{\"t\":\"2024-02-30T00:00:00Z\"}",
                          "{\"t\":\"2024-02-29T24:00:00Z\"}", "{\"t\":\"2024-02-29T01:00:00Z\"}",
                          "{\"t\":\"2024-02-29T01:60:00Z\"}", "{\"t\":\"2024-03-01T01:00:0:Z\"}"};
    run r;
    decode(&r, 1, &field, WIRE_JSON_UNKNOWN_FAULT, 8, docs, false);
    EXPECT_EQ_STR(cell(&r, 0, 0), "2024-02-28 23:59:59+00");
    EXPECT_EQ_STR(cell(&r, 0, 1), "2024-02-29 00:00:00.25+00");
    EXPECT_EQ_STR(cell(&r, 0, 2), "2024-02-29 23:59:59+00");
    EXPECT_EQ_STR(cell(&r, 0, 3), "NULL");
    EXPECT_EQ_STR(cell(&r, 0, 4), "2024-03-01 00:00:00+00");
    EXPECT_EQ_STR(cell(&r, 0, 5), "2024-02-29 01:00:00+00");
    EXPECT_EQ_STR(cell(&r, 0, 6), "NULL");
    EXPECT_EQ_STR(cell(&r, 0, 7), "NULL");
    EXPECT_EQ_INT(r.nfaults, 3);
    run_deinit(&r);
}

TEST(jsonb_and_structs) {
    VALUE(COL_JSONB, "{\"bb\":1,\"a\":[1, 2,{}],\"a\":null}", "{\"a\": null, \"bb\": 1}");
    VALUE(COL_JSONB, "\"x\"", "\"x\"");
    VALUE(COL_JSONB, "12.50", "12.50");
    VALUE(COL_JSONB, "true", "true");
    VALUE(COL_JSONB, "{\"a\":tru}", "22P02");
    VALUE(COL_JSONB, "[1,]", "22P02");
    VALUE(COL_JSONB, "[1}", "22P02");
    VALUE(COL_JSONB, "\"\\u0000\"", "22P05");

    col_field inner[] = {{"city", col_type_of(COL_TEXT)}, {"zip", col_type_of(COL_INT4)}};
    col_type address = {COL_STRUCT, 0, 0, 2, inner};
    wire_json_field fields[] = {{"id", col_type_of(COL_INT8), true}, {"address", address, false}};
    const char *docs[] = {
        "{\"id\":1,\"address\":{\"city\":\"Bonn\",\"zip\":53111}}",
        "{\"id\":2,\"address\":{\"zip\":1}}",
        "{\"id\":3,\"address\":null}",
        "{\"id\":4,\"address\":{}}",
        "{\"id\":5,\"address\":{\"city\":null},\"address\":{\"city\":\"Ulm\",\"zip\":2}}",
        "{\"id\":6,\"address\":{\"city\":7}}",
        "{\"id\":7,\"address\":{\"street\":\"x\"}}",
        "{\"id\":8,\"address\":\"x\"}",
    };
    run r;
    decode(&r, 2, fields, WIRE_JSON_UNKNOWN_FAULT, 8, docs, false);
    const col_vec *vec = &r.batch->cols[1];
    EXPECT(base_str_eq(col_str(&vec->children[0])[0], BASE_STR("Bonn")));
    EXPECT_EQ_INT(col_i32(&vec->children[1])[0], 53111);
    EXPECT(!col_is_null(vec, 1) && col_is_null(&vec->children[0], 1));
    EXPECT(col_is_null(vec, 2) && col_is_null(&vec->children[0], 2));
    EXPECT(!col_is_null(vec, 3) && col_is_null(&vec->children[1], 3));
    REQUIRE(r.nfaults == 4);
    EXPECT_EQ_INT(r.faults[0].doc, 4);
    EXPECT_EQ_STR(r.faults[0].sqlstate, "22030");
    EXPECT_EQ_INT(r.faults[1].doc, 5);
    EXPECT_EQ_INT(r.faults[1].field, 1);
    EXPECT_EQ_STR(r.faults[1].message, "field \"address.city\": expected text, found 7");
    EXPECT_EQ_STR(r.faults[2].sqlstate, "42703");
    EXPECT_EQ_INT(r.faults[3].doc, 7);
    run_deinit(&r);
    // Where names that are not wanted are passed over, the last of two equal ones wins.
    decode(&r, 2, fields, WIRE_JSON_UNKNOWN_IGNORE, 5, docs, false);
    vec = &r.batch->cols[1];
    EXPECT_EQ_INT(r.nfaults, 0);
    EXPECT(!col_is_null(vec, 4) && !col_is_null(&vec->children[0], 4));
    EXPECT(base_str_eq(col_str(&vec->children[0])[4], BASE_STR("Ulm")));
    run_deinit(&r);
}

TEST(names) {
    wire_json_field fields[] = {{"a", col_type_of(COL_INT4), false},
                                {"a_name_longer_than_sixteen_bytes", col_type_of(COL_INT4), false},
                                {"quo\"te", col_type_of(COL_INT4), false},
                                {"\\n", col_type_of(COL_INT4), false}};
    const char *docs[] = {
        "{\"a\":1,\"a_name_longer_than_sixteen_bytes\":2,\"quo\\\"te\":3,\"\\\\n\":4}",
        " { \"a_name_longer_than_sixteen_bytes\" : 2 , \"a\" : 1 } ",
        "{\"\\u0061\":5}",
        "{\"a\":1,\"a\":2}",
        "{\"a\":1,\"a\":null}",
        "{\"a\":null,\"a\":3}",
        "{}",
        "{\"a_name_longer_than_sixteen_bytez\":2}",
        "{\"\\n\":1}",
        "{\"A\":1}",
    };
    run r;
    decode(&r, 4, fields, WIRE_JSON_UNKNOWN_FAULT, 10, docs, false);
    EXPECT_EQ_STR(cell(&r, 0, 0), "1");
    EXPECT_EQ_STR(cell(&r, 1, 0), "2");
    EXPECT_EQ_STR(cell(&r, 2, 0), "3");
    EXPECT_EQ_STR(cell(&r, 3, 0), "4");
    EXPECT_EQ_STR(cell(&r, 0, 1), "1");
    EXPECT_EQ_STR(cell(&r, 1, 1), "2");
    EXPECT_EQ_STR(cell(&r, 0, 2), "5");
    EXPECT_EQ_STR(cell(&r, 0, 6), "NULL");
    REQUIRE(r.nfaults == 6);
    for (uint32_t i = 0; i < 3; i++) {
        EXPECT_EQ_INT(r.faults[i].doc, 3 + i);
        EXPECT_EQ_STR(r.faults[i].sqlstate, "22030");
        EXPECT_EQ_STR(r.faults[i].message, "field \"a\": the name stands twice in its object");
        EXPECT_EQ_INT(r.faults[i].byte, i < 2 ? 7 : 10);
    }
    EXPECT_EQ_INT(r.faults[3].doc, 7);
    EXPECT_EQ_STR(r.faults[3].message, "unknown field \"a_name_longer_than_sixteen_bytez\"");
    EXPECT_EQ_INT(r.faults[4].doc, 8);
    EXPECT_EQ_INT(r.faults[5].byte, 1);
    run_deinit(&r);
    decode(&r, 4, fields, WIRE_JSON_UNKNOWN_IGNORE, 6, docs, false);
    EXPECT_EQ_INT(r.nfaults, 0);
    EXPECT_EQ_STR(cell(&r, 0, 3), "2");
    EXPECT_EQ_STR(cell(&r, 0, 4), "NULL");
    EXPECT_EQ_STR(cell(&r, 0, 5), "3");
    run_deinit(&r);
}

// A random object without equal names: wanted names k0 to k3 and others, in an order that mostly
// stays; values of many kinds, some with the wanted names inside.
static void random_object(base_random *random, base_buf *text, int shape) {
    static const char *const values[] = {"7",          "-12.50",           "1234567.25", "null",
                                         "\"x\"",      "\"a,b:{}\"",       "{}",         "[]",
                                         "{\"k0\":1}", "[{\"k1\":2},[3]]", "true",       "\"k2\"",
                                         "0.5",        "99999999",         "123456789.5"};
    int names[8] = {0, 1, 2, 3, 4, 5, 6, 7};
    for (int i = 7; i > 0; i--) { // the shape's order, and sometimes another
        int k = (shape * 7 + i * i) % (i + 1);
        if (base_random_below(random, 200) == 0)
            k = (int)base_random_below(random, (uint64_t)i + 1);
        int swap = names[i];
        names[i] = names[k];
        names[k] = swap;
    }
    const char *space = base_random_below(random, 20) == 0 ? " \n" : "";
    bool any = false;
    base_buf_printf(text, "{%s", space);
    for (int i = 0; i < 8; i++) {
        if (base_random_below(random, 60) == 0) continue; // absent
        const char *escape = names[i] < 4 && base_random_below(random, 100) == 0 ? "\\u006b" : "k";
        base_buf_printf(text, "%s\"%s%d\"%s:%s", any ? "," : "", escape, names[i], space, space);
        any = true;
        bool wild = base_random_below(random, names[i] < 4 ? 50 : 2) == 0;
        if (names[i] == 3 && !wild) {
            base_buf_printf(text, "\"2024-05-%02dT09:30:10.%dZ\"", 1 + shape % 28, shape);
        } else if (wild) {
            base_buf_add_cstr(text, values[base_random_below(random, 15)]);
        } else {
            base_buf_printf(text, "%d", (int)base_random_below(random, 100000));
        }
        base_buf_add_cstr(text, space);
    }
    base_buf_add_byte(text, '}');
}

// Documents that the edge would let pass give the same cells when they are read by the places of
// their wanted fields as when they are walked. Types that refuse some of the values refuse them
// either way.
TEST(checked_documents_as_walked) {
    wire_json_field fields[] = {{"k0", col_type_of(COL_INT4), false},
                                {"k1", col_type_of(COL_NUMERIC), false},
                                {"k2", col_type_of(COL_FLOAT8), false},
                                {"k3", col_type_of(COL_TIMESTAMPTZ), false}};
    base_random random;
    base_random_seed(&random, 23);
    enum { ndocs = 400 };
    for (int round = 0; round < 60; round++) {
        base_buf texts[ndocs];
        base_str docs[ndocs];
        memset(texts, 0, sizeof texts);
        for (int i = 0; i < ndocs; i++) {
            random_object(&random, &texts[i], round);
            docs[i] = base_buf_str(&texts[i]);
        }
        uint32_t nfields = 1 + (uint32_t)round % 4;
        run walked, checked;
        wire_json_decoder *decoder =
            wire_json_decoder_create(nfields, fields, WIRE_JSON_UNKNOWN_IGNORE);
        decode_with(&walked, decoder, ndocs, docs, false);
        wire_json_decoder_destroy(decoder);
        decoder = wire_json_decoder_create(nfields, fields, WIRE_JSON_UNKNOWN_CHECKED);
        decode_with(&checked, decoder, ndocs, docs, false);
        wire_json_decoder_destroy(decoder);
        EXPECT_EQ_INT(checked.nfaults, walked.nfaults);
        for (uint32_t i = 0; i < walked.nfaults && i < checked.nfaults; i++) {
            EXPECT_EQ_INT(checked.faults[i].doc, walked.faults[i].doc);
            EXPECT_EQ_STR(checked.faults[i].message, walked.faults[i].message);
        }
        for (uint32_t i = 0; i < ndocs; i++) {
            for (uint32_t k = 0; k < nfields; k++) {
                EXPECT_EQ_STR(cell(&checked, k, i), cell(&walked, k, i));
            }
        }
        run_deinit(&walked);
        run_deinit(&checked);
        for (int i = 0; i < ndocs; i++) base_buf_deinit(&texts[i]);
    }
}

TEST(required_and_op) {
    wire_json_field fields[] = {{"id", col_type_of(COL_INT8), true},
                                {"name", col_type_of(COL_TEXT), true}};
    const char *docs[] = {"{\"id\":1}",
                          "{\"id\":1,\"name\":null}",
                          "{\"id\":1,\"_op\":\"delete\"}",
                          "{\"_op\":\"upsert\",\"id\":1,\"name\":\"x\"}",
                          "{\"id\":1,\"name\":\"x\",\"_op\":\"truncate\"}",
                          "{\"id\":1,\"name\":\"x\",\"_op\":{}}",
                          "{\"_op\":\"insert\",\"id\":1,\"name\":\"x\",\"_op\":\"delete\"}"};
    run r;
    decode(&r, 2, fields, WIRE_JSON_UNKNOWN_FAULT, 7, docs, true);
    REQUIRE(r.nfaults == 5);
    EXPECT_EQ_INT(r.faults[4].doc, 6);
    EXPECT_EQ_STR(r.faults[4].sqlstate, "22030");
    EXPECT_EQ_STR(r.faults[0].sqlstate, "23502");
    EXPECT_EQ_INT(r.faults[0].field, 1);
    EXPECT_EQ_STR(r.faults[1].sqlstate, "23502");
    EXPECT_EQ_STR(r.faults[2].sqlstate, "22023");
    EXPECT_EQ_INT(r.deleted[2], 1);
    EXPECT_EQ_INT(r.deleted[3], 0);
    EXPECT_EQ_INT(r.deleted[4], 0);
    EXPECT_EQ_STR(cell(&r, 0, 2), "1");
    run_deinit(&r);
    decode(&r, 2, fields, WIRE_JSON_UNKNOWN_FAULT, 6, docs, false);
    REQUIRE(r.nfaults == 6);
    EXPECT_EQ_STR(r.faults[3].sqlstate, "42703");
    run_deinit(&r);
}

// Each is refused, and what stands around it is not.
static const char *const broken[] = {
    "",
    "   ",
    "7",
    "\"{\"",
    "[]",
    "nonsense",
    "{",
    "}",
    "{\"a\"",
    "{\"a\":",
    "{\"a\":1",
    "{\"a\":1,",
    "{\"a\":1,}",
    "{\"a\" 1}",
    "{\"a\":1 \"s\":\"x\"}",
    "{a:1}",
    "{,}",
    "{\"a\":1}}",
    "{\"a\":1}{\"a\":1}",
    "{\"a\":1} x",
    "{\"a\":1]",
    "{\"a\"::1}",
    "{\"a\":,\"s\":\"x\"}",
    "{\"a\":},\"s\":1}",
    "{\"s\":\"x}",
    "{\"s\":\"x\\\"}",
    "{\"s\":\"x\"\"}",
    "{\"s\":\"\",\"}",
    "{\"s\":\"",
    "{\"s\":\"a\tb\"}",
    "{\"s\":\"\xc3\"}",
    "\xff\xfe",
    "{\"j\":{\"x\":[}",
    "{\"j\":{\"x\":\"}}",
    "{\"a\" x:1}",
    "\\",
    "{\"s\":\"x\"\\",
};

TEST(one_bad_document_refuses_only_itself) {
    wire_json_field fields[] = {{"a", col_type_of(COL_INT4), false},
                                {"s", col_type_of(COL_TEXT), false},
                                {"j", col_type_of(COL_JSONB), false}};
    enum { nbroken = sizeof broken / sizeof broken[0] };
    for (int mode = 0; mode < 2; mode++) {
        const char *docs[3 * nbroken];
        for (int i = 0; i < nbroken; i++) {
            docs[3 * i] = "{\"a\":1,\"s\":\"good\"}";
            docs[3 * i + 1] = broken[i];
            docs[3 * i + 2] = "{\"s\":\"{\\\"a\\\":1}\",\"j\":{\"a\":\"b\"}}";
        }
        run r;
        decode(&r, 3, fields, mode == 0 ? WIRE_JSON_UNKNOWN_FAULT : WIRE_JSON_UNKNOWN_IGNORE,
               3 * nbroken, docs, false);
        EXPECT_EQ_INT(r.nfaults, nbroken);
        for (uint32_t i = 0; i < r.nfaults; i++) {
            EXPECT_EQ_INT(r.faults[i].doc, 3 * i + 1);
            if (r.faults[i].doc != 3 * i + 1) {
                fprintf(stderr, "  %s: %s\n", docs[r.faults[i].doc], r.faults[i].message);
                break;
            }
            EXPECT(strlen(r.faults[i].sqlstate) == 5 && r.faults[i].message[0] != 0);
            EXPECT(r.faults[i].byte == UINT32_MAX ||
                   r.faults[i].byte <= strlen(docs[r.faults[i].doc]));
        }
        for (uint32_t i = 0; i < nbroken; i++) {
            EXPECT_EQ_STR(cell(&r, 1, 3 * i), "good");
            EXPECT_EQ_STR(cell(&r, 1, 3 * i + 2), "{\"a\":1}");
            EXPECT_EQ_STR(cell(&r, 1, 3 * i + 1), "NULL");
        }
        run_deinit(&r);
    }
}

// The verdict on a document and its values do not depend on its neighbours or on the call's cut.
TEST(alone_as_in_company) {
    wire_json_field fields[] = {{"a", col_type_of(COL_INT4), false},
                                {"s", col_type_of(COL_TEXT), false},
                                {"t", col_type_of(COL_TIMESTAMPTZ), false}};
    static const char *const pieces[] = {
        "{",     "}",       "\"a\"", ":",  "1",  ",",    "\"s\"", "\"x\"",     "\"",
        "\\",    "null",    "[",     "]",  " ",  "\n",   "u",     "{\"a\":1}", "{\"s\":\"y\",",
        "\"t\"", "\"z\":2", "1.5",   "-3", "\t", "\xc3", "\xa9",  "{\"u\":{}}"};
    base_random random;
    base_random_seed(&random, 7);
    for (int round = 0; round < 150; round++) {
        enum { ndocs = 40 };
        char texts[ndocs][256];
        const char *docs[ndocs];
        for (int i = 0; i < ndocs; i++) {
            docs[i] = texts[i];
            texts[i][0] = 0;
            uint64_t n = base_random_below(&random, 10);
            if (base_random_below(&random, 2) == 0) {
                snprintf(texts[i], sizeof texts[i], "{\"a\":%d,\"s\":\"v\"}", i);
                continue;
            }
            for (uint64_t k = 0; k < n; k++) {
                strcat(texts[i],
                       pieces[base_random_below(&random, sizeof pieces / sizeof pieces[0])]);
            }
        }
        run all;
        decode(&all, 3, fields, WIRE_JSON_UNKNOWN_IGNORE, ndocs, docs, false);
        uint32_t fault = 0;
        for (uint32_t i = 0; i < ndocs; i++) {
            run one;
            decode(&one, 3, fields, WIRE_JSON_UNKNOWN_IGNORE, 1, &docs[i], false);
            bool refused = fault < all.nfaults && all.faults[fault].doc == i;
            EXPECT_EQ_INT(refused, one.nfaults);
            if (refused != (one.nfaults == 1)) fprintf(stderr, "  document <%s>\n", docs[i]);
            if (refused && one.nfaults == 1) {
                EXPECT_EQ_STR(all.faults[fault].message, one.faults[0].message);
                EXPECT_EQ_INT(all.faults[fault].byte, one.faults[0].byte);
            }
            fault += refused;
            for (uint32_t col = 0; col < 3; col++) {
                EXPECT_EQ_STR(cell(&all, col, i), cell(&one, col, 0));
            }
            run_deinit(&one);
        }
        run_deinit(&all);
    }
}

TEST(depth_and_size) {
    wire_json_field fields[] = {{"a", col_type_of(COL_INT4), false},
                                {"j", col_type_of(COL_JSONB), false}};
    base_buf deep = {0}, fine = {0}, large = {0};
    base_buf_add_cstr(&deep, "{\"j\":");
    base_buf_add_cstr(&fine, "{\"j\":");
    for (int i = 0; i < 1000; i++) base_buf_add_byte(&deep, '[');
    for (int i = 0; i < 1000; i++) base_buf_add_byte(&deep, ']');
    for (int i = 0; i < 100; i++) base_buf_add_byte(&fine, '[');
    for (int i = 0; i < 100; i++) base_buf_add_byte(&fine, ']');
    base_buf_add_byte(&deep, '}');
    base_buf_add_byte(&fine, '}');
    base_buf_add_cstr(&large, "{\"a\":5,\"x\":\"");
    for (int i = 0; i < 3000000; i++) base_buf_add_byte(&large, 'y');
    base_buf_add_cstr(&large, "\"}");
    base_str docs[] = {base_buf_str(&deep), base_buf_str(&fine), base_buf_str(&large),
                       BASE_STR("{\"a\":6}")};
    wire_json_decoder *decoder = wire_json_decoder_create(2, fields, WIRE_JSON_UNKNOWN_IGNORE);
    run r;
    decode_with(&r, decoder, 4, docs, false);
    REQUIRE(r.nfaults == 1);
    EXPECT_EQ_INT(r.faults[0].doc, 0);
    EXPECT_EQ_STR(r.faults[0].sqlstate, "54000");
    EXPECT(!col_is_null(&r.batch->cols[1], 1));
    EXPECT_EQ_STR(cell(&r, 0, 2), "5");
    EXPECT_EQ_STR(cell(&r, 0, 3), "6");
    run_deinit(&r);
    wire_json_decoder_destroy(decoder);
    base_buf_deinit(&deep);
    base_buf_deinit(&fine);
    base_buf_deinit(&large);
}

// A decoder over many batches of changing documents: unknown names come and go, fields change
// places, and a batch may begin anywhere.
TEST(changing_shapes) {
    wire_json_field fields[] = {{"k0", col_type_of(COL_INT4), false},
                                {"k1", col_type_of(COL_INT4), false},
                                {"k2", col_type_of(COL_INT4), false}};
    wire_json_decoder *decoder = wire_json_decoder_create(3, fields, WIRE_JSON_UNKNOWN_IGNORE);
    base_random random;
    base_random_seed(&random, 11);
    enum { ndocs = 500 };
    static int expected[ndocs][3];
    base_buf text = {0};
    uint32_t ends[ndocs];
    for (int i = 0; i < ndocs; i++) {
        for (int k = 0; k < 3; k++) expected[i][k] = -1;
        base_buf_add_byte(&text, '{');
        int n = (int)base_random_below(&random, 6);
        for (int k = 0; k < n; k++) {
            int name = (int)base_random_below(&random, i % 7 == 0 ? 400 : 5);
            int value = (int)base_random_below(&random, 1000);
            if (name < 3) expected[i][name] = value;
            base_buf_printf(&text, "%s\"k%d\":%d", k > 0 ? "," : "", name, value);
        }
        base_buf_add_byte(&text, '}');
        ends[i] = (uint32_t)text.n;
        base_buf_add_byte(&text, '\n');
    }
    size_t bytes = text.n;
    base_buf_reserve(&text, WIRE_JSON_PADDING);
    memset(text.p + text.n, 0, WIRE_JSON_PADDING);
    base_arena arena;
    base_arena_init(&arena, 1024);
    for (uint32_t first = 0; first < ndocs;) {
        uint32_t n = 1 + (uint32_t)base_random_below(&random, 60);
        if (n > ndocs - first) n = ndocs - first;
        col_batch *batch;
        wire_json_fault *faults;
        uint32_t nfaults;
        wire_json_decode(decoder, text.p, bytes, ends, first, n, &arena, &batch, NULL, &faults,
                         &nfaults);
        EXPECT_EQ_INT(nfaults, 0);
        for (uint32_t i = 0; i < n; i++) {
            for (int k = 0; k < 3; k++) {
                bool is_null = col_is_null(&batch->cols[k], i);
                EXPECT_EQ_INT(is_null ? -1 : col_i32(&batch->cols[k])[i], expected[first + i][k]);
            }
        }
        first += n;
        base_arena_reset(&arena);
    }
    base_arena_deinit(&arena);
    base_buf_deinit(&text);
    wire_json_decoder_destroy(decoder);
}

TEST(messages_shorten_values) {
    wire_json_field field = {"qty", col_type_of(COL_INT4), true};
    const char *docs[] = {
        "{\"qty\":\"0123456789012345678901234567890123456789012345678901234567\"}",
        "{\"qty\":\"abc\"}"};
    run r;
    decode(&r, 1, &field, WIRE_JSON_UNKNOWN_FAULT, 2, docs, false);
    REQUIRE(r.nfaults == 2);
    EXPECT_EQ_STR(r.faults[0].message, "field \"qty\": expected integer, found "
                                       "\"01234567890123456789012345678901234567890123456...");
    EXPECT_EQ_STR(r.faults[1].message, "field \"qty\": expected integer, found \"abc\"");
    EXPECT_EQ_INT(r.faults[1].byte, 7);
    run_deinit(&r);
}

TEST(encode_round_trip) {
    wire_json_field fields[] = {
        {"i", col_type_of(COL_INT8), false},   {"n", numeric(20, 4), false},
        {"s", col_type_of(COL_TEXT), false},   {"t", col_type_of(COL_TIMESTAMPTZ), false},
        {"b", col_type_of(COL_BYTEA), false},  {"j", col_type_of(COL_JSONB), false},
        {"f", col_type_of(COL_FLOAT8), false}, {"d", col_type_of(COL_INTERVAL), false}};
    const char *docs[] = {
        "{\"i\":-7,\"n\":1.5,\"s\":\"a\\\"\\n\\u0001\",\"t\":\"2024-01-02T03:04:05.6Z\","
        "\"b\":\"\\\\x00ff\",\"j\":{\"x\":[1]},\"f\":\"NaN\",\"d\":\"1 mon 2 days\"}",
        "{\"i\":1}"};
    run first, second;
    decode(&first, 8, fields, WIRE_JSON_UNKNOWN_FAULT, 2, docs, false);
    REQUIRE(first.nfaults == 0);
    base_buf texts[2] = {{0}, {0}};
    const char *again[2];
    for (uint32_t i = 0; i < 2; i++) {
        wire_json_encode_row(8, fields, first.batch, i, &texts[i]);
        again[i] = base_buf_cstr(&texts[i]);
    }
    EXPECT_EQ_STR(again[1], "{\"i\":1}");
    decode(&second, 8, fields, WIRE_JSON_UNKNOWN_FAULT, 2, again, false);
    if (second.nfaults > 0) fprintf(stderr, "%s: %s\n", again[0], second.faults[0].message);
    EXPECT_EQ_INT(second.nfaults, 0);
    for (uint32_t row = 0; row < 2; row++) {
        for (uint32_t col = 0; col < 8; col++) {
            EXPECT_EQ_STR(cell(&second, col, row), cell(&first, col, row));
        }
    }
    run_deinit(&first);
    run_deinit(&second);
    base_buf_deinit(&texts[0]);
    base_buf_deinit(&texts[1]);
}

// ---- cutting ----

// expected: the documents joined by '|', and '~' at the end if truncated.
static void expect_cut(const char *body, const char *expected, int line) {
    base_arena arena;
    base_arena_init(&arena, 1024);
    base_str *docs;
    size_t n;
    bool truncated;
    wire_json_cut(base_str_of(body), &arena, &docs, &n, &truncated);
    base_buf buf = {0};
    for (size_t i = 0; i < n; i++) {
        if (i > 0) base_buf_add_byte(&buf, '|');
        base_buf_add_str(&buf, docs[i]);
    }
    if (truncated) base_buf_add_byte(&buf, '~');
    if (strcmp(base_buf_cstr(&buf), expected) != 0) {
        fprintf(stderr, "%s:%d: <%s> cut to <%s>, expected <%s>\n", __FILE__, line, body,
                base_buf_cstr(&buf), expected);
        test_failures++;
    }
    base_buf_deinit(&buf);
    base_arena_deinit(&arena);
}
#define CUT(body, expected) expect_cut(body, expected, __LINE__)

TEST(cut_whole_bodies) {
    CUT("", "");
    CUT(" \r\n\t ", "");
    CUT("{}", "{}");
    CUT("  {\"a\":1}  ", "{\"a\":1}");
    CUT("\xef\xbb\xbf{\"a\":1}", "{\"a\":1}");
    CUT("{\"a\":1}\n{\"a\":2}\r\n\n{\"a\":3}\n", "{\"a\":1}|{\"a\":2}|{\"a\":3}");
    CUT("{\"a\":1}{\"a\":2} {\"a\":3}", "{\"a\":1}|{\"a\":2}|{\"a\":3}");
    CUT("{\n  \"a\": {\n \"b\": [1,\n{}]\n}\n}\n{\"c\":1}",
        "{\n  \"a\": {\n \"b\": [1,\n{}]\n}\n}|{\"c\":1}");
    CUT("{\"a\":\"}{\\\"\"}\n{\"b\":\"\\\\\"}", "{\"a\":\"}{\\\"\"}|{\"b\":\"\\\\\"}");
    CUT("{\"items\": [\n{\"a\":1},\n{\"a\":2}\n]\n}\n{\"b\":1}",
        "{\"items\": [\n{\"a\":1},\n{\"a\":2}\n]\n}|{\"b\":1}");
}

TEST(cut_damaged_lines) {
    CUT("{\"a\":\n{\"b\":1}\n{\"c\":1}\n", "{\"a\":|{\"b\":1}|{\"c\":1}");
    CUT("{\"a\":1\n{\"b\":1}\n{\"c\":1}", "{\"a\":1|{\"b\":1}|{\"c\":1}");
    CUT("{\"a\":\"x\n{\"b\":1}\n{\"c\":1}", "{\"a\":\"x|{\"b\":1}|{\"c\":1}");
    CUT("{\"a\":\"x\\\n{\"b\":1}", "{\"a\":\"x\\|{\"b\":1}");
    CUT("{\"a\":[\n{\"b\":1},\n{\"c\":1}\n{\"d\":1}\n", "{\"a\":[|{\"b\":1},|{\"c\":1}|{\"d\":1}");
    CUT("{\"a\":1}}\n{\"b\":1}", "{\"a\":1}}|{\"b\":1}");
    CUT("{\"a\":1},\n{\"b\":1}", "{\"a\":1},|{\"b\":1}");
    CUT("garbage\n{\"b\":1}\nmore garbage\n", "garbage|{\"b\":1}|more garbage");
    CUT("1\n2\n", "1|2");
    CUT("{\"a\":1}\n]\n{\"b\":1}", "{\"a\":1}|]|{\"b\":1}");
    CUT("{\"a\":1}\n{\"b\":", "{\"a\":1}|{\"b\":~");
    CUT("{\"a\":1}\n{\"b\":\"x", "{\"a\":1}|{\"b\":\"x~");
    CUT("{\n\"a\": \"x\n\"b\": 1\n}\n{\"c\":1}", "{\n\"a\": \"x\n\"b\": 1\n}|{\"c\":1}");
}

TEST(cut_arrays) {
    CUT("[]", "");
    CUT(" [ ] ", "");
    CUT("[{\"a\":1},{\"a\":2}]", "{\"a\":1}|{\"a\":2}");
    CUT("[\n {\"a\":[1,2]} ,\n {\"a\":\"],[\"}\n]\n", "{\"a\":[1,2]}|{\"a\":\"],[\"}");
    CUT("[1,\"a,b]\",null]", "1|\"a,b]\"|null");
    CUT("[[1,2],3]", "[1,2]|3");
    CUT("[{\"a\":1},,{\"a\":2}]", "{\"a\":1}||{\"a\":2}");
    CUT("[{\"a\":1},{\"a\":", "{\"a\":1}|{\"a\":~");
    CUT("[{\"a\":1}", "{\"a\":1}~");
    CUT("[{\"a\":1},", "{\"a\":1}~");
    CUT("[", "~");
    CUT("[{\"a\":1} {\"b\":1},{\"c\":1}]", "{\"a\":1} {\"b\":1},{\"c\":1}]");
    CUT("[{\"a\":1},{\"b\":1}},{\"c\":1}]", "{\"a\":1}|{\"b\":1}},{\"c\":1}]");
    CUT("[{\"a\":1}] x", "{\"a\":1}|x");
    CUT("[{\"a\":\"x\n\"},{\"b\":1}]", "{\"a\":\"x\n\"},{\"b\":1}]");
}

// Every document of a good body comes out whatever the blocks' borders, and damage to one line
// costs that line only.
TEST(cut_random_bodies) {
    base_random random;
    base_random_seed(&random, 3);
    for (int round = 0; round < 400; round++) {
        base_buf body = {0};
        enum { ndocs = 12 };
        base_buf lines[ndocs];
        memset(lines, 0, sizeof lines);
        for (int i = 0; i < ndocs; i++) {
            base_buf_add_cstr(&lines[i], "{\"s\":\"");
            for (uint64_t n = base_random_below(&random, 90); n > 0; n--) {
                static const char *const bits[] = {"x", "{", "}", "[", "\\\\", "\\\"", " ", ","};
                base_buf_add_cstr(&lines[i], bits[base_random_below(&random, 8)]);
            }
            base_buf_add_cstr(&lines[i], "\",\"o\":{\"a\":[1,{}]}}");
            if (round % 2 == 1 && i % 3 == 1) { // cut short, anywhere after the brace
                lines[i].n = 1 + base_random_below(&random, lines[i].n - 1);
                while (lines[i].p[lines[i].n - 1] == ' ') lines[i].n--;
            }
            base_buf_add_str(&body, base_buf_str(&lines[i]));
            base_buf_add_byte(&body, '\n');
        }
        base_arena arena;
        base_arena_init(&arena, 1024);
        base_str *docs;
        size_t n;
        bool truncated;
        wire_json_cut(base_buf_str(&body), &arena, &docs, &n, &truncated);
        EXPECT_EQ_INT(n, ndocs);
        EXPECT(!truncated);
        for (size_t i = 0; i < n && i < ndocs; i++) {
            EXPECT(base_str_eq(docs[i], base_buf_str(&lines[i])));
        }
        for (int i = 0; i < ndocs; i++) base_buf_deinit(&lines[i]);
        base_buf_deinit(&body);
        base_arena_deinit(&arena);
    }
}

// 2 MB in the shapes that could make the cutter go over it again and again.
TEST(cut_is_linear) {
    static const char *const lines[] = {"{\"a\":[\n", "{\"a\":\"x\n",           "{\"a\":1},\n",
                                        "{\n",        "{\"a\":[\n{\"b\":1},\n", "\\\n",
                                        "\"\n"};
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        base_buf body = {0};
        base_buf_add_cstr(&body, "{\"first\":[\n");
        size_t n = strlen(lines[i]);
        while (body.n < (2u << 20)) base_buf_add(&body, lines[i], n);
        base_arena arena;
        base_arena_init(&arena, 1024);
        base_str *docs;
        size_t ndocs;
        bool truncated;
        wire_json_cut(base_buf_str(&body), &arena, &docs, &ndocs, &truncated);
        EXPECT(ndocs > 0);
        base_buf_deinit(&body);
        base_arena_deinit(&arena);
    }
}

TEST_MAIN(TEST_ENTRY(integers), TEST_ENTRY(numerics), TEST_ENTRY(floats_and_booleans),
          TEST_ENTRY(strings), TEST_ENTRY(times), TEST_ENTRY(time_cache_across_days),
          TEST_ENTRY(jsonb_and_structs), TEST_ENTRY(names), TEST_ENTRY(required_and_op),
          TEST_ENTRY(one_bad_document_refuses_only_itself), TEST_ENTRY(alone_as_in_company),
          TEST_ENTRY(depth_and_size), TEST_ENTRY(changing_shapes),
          TEST_ENTRY(checked_documents_as_walked), TEST_ENTRY(messages_shorten_values),
          TEST_ENTRY(encode_round_trip), TEST_ENTRY(cut_whole_bodies),
          TEST_ENTRY(cut_damaged_lines), TEST_ENTRY(cut_arrays), TEST_ENTRY(cut_random_bodies),
          TEST_ENTRY(cut_is_linear))
