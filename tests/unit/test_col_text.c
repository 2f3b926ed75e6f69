// Text, JSON and jsonb. The expected texts are what PostgreSQL 15 prints.
#include "base/arena.h"
#include "col/codec.h"
#include "col/kernel.h"
#include "col_random.h"
#include "test.h"

static base_arena arena;
static base_error err;

static void start(void) {
    base_arena_deinit(&arena);
    base_arena_init(&arena, 1 << 16);
}

// Reads and prints.
static void io(col_type type, const char *in, const char *out) {
    col_vec vec;
    col_vec_init(&vec, &arena, type, 1);
    base_rc rc = col_text_parse(base_str_of(in), 0, &vec, 0, &arena, &err);
    if (rc != BASE_OK) {
        fprintf(stderr, "%s \"%s\": %s\n", col_kind_name(type.kind), in, err.message);
        test_failures++;
        return;
    }
    base_buf buf;
    base_buf_init(&buf);
    col_text_format(&vec, 0, 0, &buf);
    EXPECT_EQ_STR(base_buf_cstr(&buf), out);
    base_buf_deinit(&buf);
}

static void bad_n(col_type type, base_str in, const char *sqlstate, const char *message) {
    col_vec vec;
    col_vec_init(&vec, &arena, type, 1);
    base_error_clear(&err);
    // A copy of the exact size, so that reading past it is seen by the sanitizer.
    base_arena own;
    base_arena_init(&own, 256);
    base_str text = {base_arena_memdup(&own, in.p, in.n), in.n};
    EXPECT(col_text_parse(text, 0, &vec, 0, &arena, &err) != BASE_OK);
    EXPECT_EQ_STR(err.sqlstate, sqlstate);
    if (message != NULL) EXPECT_EQ_STR(err.message, message);
    base_arena_deinit(&own);
}

static void bad(col_kind kind, const char *in, const char *sqlstate, const char *message) {
    bad_n(col_type_of(kind), base_str_of(in), sqlstate, message);
}

TEST(booleans) {
    start();
    static const char *const yes[] = {"t", "TRUE", "tru", "y", "yes", "on", " ON ", "1"};
    static const char *const no[] = {"f", "False", "n", "no", "of", "off", "0"};
    for (int i = 0; i < 8; i++) io(col_type_of(COL_BOOL), yes[i], "t");
    for (int i = 0; i < 7; i++) io(col_type_of(COL_BOOL), no[i], "f");
    bad(COL_BOOL, "o", "22P02", "invalid input syntax for type boolean: \"o\"");
    bad(COL_BOOL, "", "22P02", NULL);
    bad(COL_BOOL, "truee", "22P02", NULL);
    bad(COL_BOOL, "10", "22P02", NULL);
}

TEST(integers) {
    start();
    io(col_type_of(COL_INT2), "-32768", "-32768");
    io(col_type_of(COL_INT4), "  +42\n", "42");
    io(col_type_of(COL_INT8), "-9223372036854775808", "-9223372036854775808");
    io(col_type_of(COL_INT8), "9223372036854775807", "9223372036854775807");
    io(col_type_of(COL_OID), "4294967295", "4294967295");
    io(col_type_of(COL_OID), "-1", "4294967295");
    io(col_type_of(COL_REGCLASS), "16384", "16384");
    io(col_type_of(COL_REGCLASS), "-", "-");
    bad(COL_INT2, "32768", "22003", "value \"32768\" is out of range for type smallint");
    bad(COL_INT4, "2147483648", "22003", "value \"2147483648\" is out of range for type integer");
    bad(COL_INT8, "9223372036854775808", "22003", NULL);
    bad(COL_INT8, "-9223372036854775809", "22003", NULL);
    bad(COL_INT8, "99999999999999999999999999999999999999", "22003", NULL);
    bad(COL_INT4, "1.5", "22P02", "invalid input syntax for type integer: \"1.5\"");
    bad(COL_INT4, "", "22P02", NULL);
    bad(COL_INT4, "-", "22P02", NULL);
    bad(COL_INT4, "1 2", "22P02", NULL);
    bad(COL_REGCLASS, "pg_class", "0A000", NULL);
}

TEST(floats) {
    start();
    static const char *const doubles[][2] = {
        {"1e23", "9.999999999999999e+22"},
        {"9007199254740993", "9.007199254740992e+15"},
        {"5e-324", "5e-324"},
        {"1e15", "1e+15"},
        {"1e14", "100000000000000"},
        {"123456789012345678", "1.2345678901234568e+17"},
        {"0.0001", "0.0001"},
        {"0.00001", "1e-05"},
        {"-0", "-0"},
        {"1e300", "1e+300"},
        {"0.1", "0.1"},
        {"100000.5", "100000.5"},
        {"-12345.678", "-12345.678"},
        {"2.2250738585072014e-308", "2.2250738585072014e-308"},
        {"5.6843418860808015e-14", "5.684341886080802e-14"}, // 2^-44: not the nearest of 16 digits
        {"-1.7140209552325562e-11", "-1.714020955232556e-11"},
        {" inf ", "Infinity"},
        {"-Infinity", "-Infinity"},
        {"nan", "NaN"},
    };
    for (size_t i = 0; i < sizeof doubles / sizeof doubles[0]; i++) {
        io(col_type_of(COL_FLOAT8), doubles[i][0], doubles[i][1]);
    }
    static const char *const singles[][2] = {{"1e5", "100000"},
                                             {"1e6", "1e+06"},
                                             {"1234567", "1.234567e+06"},
                                             {"0.1", "0.1"},
                                             {"3.4028235e38", "3.4028235e+38"},
                                             {"1e-45", "1e-45"},
                                             {"16777216", "1.6777216e+07"},
                                             {"99999.5", "99999.5"},
                                             {"1.1754944e-38", "1.1754944e-38"}};
    for (size_t i = 0; i < sizeof singles / sizeof singles[0]; i++) {
        io(col_type_of(COL_FLOAT4), singles[i][0], singles[i][1]);
    }
    bad(COL_FLOAT8, "1e400", "22003", "\"1e400\" is out of range for type double precision");
    bad(COL_FLOAT8, "1e-400", "22003", NULL);
    bad(COL_FLOAT4, "1e39", "22003", "\"1e39\" is out of range for type real");
    bad(COL_FLOAT8, "1.5x", "22P02", "invalid input syntax for type double precision: \"1.5x\"");
    bad(COL_FLOAT8, "", "22P02", NULL);
    bad_n(col_type_of(COL_FLOAT8), (base_str){"1\0", 2}, "22P02", NULL);
}

TEST(numerics) {
    start();
    io(col_type_of(COL_NUMERIC), "12.50", "12.50");
    io(col_type_of(COL_NUMERIC), "-0.00", "0.00");
    io(col_type_of(COL_NUMERIC), " 1e3 ", "1000");
    io((col_type){COL_NUMERIC, 12, 2, 0, NULL}, "1.005", "1.01");
    io((col_type){COL_NUMERIC, 12, 2, 0, NULL}, "7", "7.00");
    bad_n((col_type){COL_NUMERIC, 4, 2, 0, NULL}, BASE_STR("100"), "22003",
          "numeric field overflow");
    bad(COL_NUMERIC, "abc", "22P02", "invalid input syntax for type numeric: \"abc\"");
}

TEST(strings) {
    start();
    io(col_type_of(COL_TEXT), "h\xc3\xa9 ", "h\xc3\xa9 ");
    io(col_type_of(COL_TEXT), "", "");
    io((col_type){COL_VARCHAR, 3, 0, 0, NULL}, "h\xc3\xa9l  ", "h\xc3\xa9l");
    bad_n((col_type){COL_VARCHAR, 3, 0, 0, NULL}, BASE_STR("h\xc3\xa9ll"), "22001",
          "value too long for type character varying(3)");
    bad(COL_TEXT, "a\xff", "22021", "invalid byte sequence for encoding \"UTF8\": 0xff");
    bad_n(col_type_of(COL_TEXT), (base_str){"a\0b", 3}, "22021",
          "invalid byte sequence for encoding \"UTF8\": 0x00");
    io(col_type_of(COL_BYTEA), "\\x 01 fF", "\\x01ff");
    io(col_type_of(COL_BYTEA), "a\\\\b\\001", "\\x615c6201");
    bad(COL_BYTEA, "\\x0", "22023", "invalid hexadecimal data: odd number of digits");
    bad(COL_BYTEA, "\\x0g", "22023", NULL);
    bad(COL_BYTEA, "\\9", "22P02", "invalid input syntax for type bytea");
    bad(COL_BYTEA, "\\", "22P02", NULL);
    io(col_type_of(COL_CHAR), "abc", "a");
    io(col_type_of(COL_CHAR), "", "");
    io(col_type_of(COL_TEXT_ARRAY), "{a,\"b c\",\"}\"}", "{a,\"b c\",\"}\"}");
    io(col_type_of(COL_TEXT_ARRAY), " { a b , NuLL ,\"null\",\"\", \\ x} ",
       "{\"a b\",NULL,\"null\",\"\",\" x\"}");
    io(col_type_of(COL_TEXT_ARRAY), "{\"a\\\"b\\\\\",a\\,b}", "{\"a\\\"b\\\\\",\"a,b\"}");
    io(col_type_of(COL_TEXT_ARRAY), "[1:2]={a,b}", "{a,b}");
    io(col_type_of(COL_TEXT_ARRAY), "{ }", "{}");
    io(col_type_of(COL_ARRAY | COL_INT4), "{1,-2,NULL,3}", "{1,-2,NULL,3}");
    io(col_type_of(COL_ARRAY | COL_NUMERIC), "{1.0,1.00,-0.5}", "{1.0,1.00,-0.5}");
    io(col_type_of(COL_ARRAY | COL_FLOAT8), "{-0,NaN,Infinity,1e30}", "{-0,NaN,Infinity,1e+30}");
    io(col_type_of(COL_ARRAY | COL_INTERVAL), "{1 mon,30 days}", "{\"1 mon\",\"30 days\"}");
    io(col_type_of(COL_ARRAY | COL_BYTEA), "{\"\\\\x00ff\"}", "{\"\\\\x00ff\"}");
    io(col_type_of(COL_ARRAY | COL_JSONB), "{\"{\\\"a\\\":1}\"}", "{\"{\\\"a\\\": 1}\"}");
    io(col_type_of(COL_ARRAY | COL_BOOL), "{true,f}", "{t,f}");
    static const char *const broken[] = {"",         "{",     "}",         "{1",       "{1,}",
                                         "{,1}",     "{1}x",  "{1}}",      "{\"1\"x}", "{a\"b\"}",
                                         "{a{b}",    "{1\\",  "[1:3]={1}", "[1={1}",   "[]={1}",
                                         "[1:0]={}", "{\"a\\"};
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        bad(COL_TEXT_ARRAY, broken[i], "22P02", NULL);
    }
    bad(COL_ARRAY | COL_INT4, "{{1},{2}}", "0A000", NULL);
    bad(COL_ARRAY | COL_INT4, "[0:1]={1,2}", "0A000", NULL);
    bad(COL_ARRAY | COL_INT4, "{1,x}", "22P02", "invalid input syntax for type integer: \"x\"");
    bad(COL_TEXT_ARRAY, "a,b", "22P02", "malformed array literal: \"a,b\"");
    bad(COL_TEXT_ARRAY, "{\"a}", "22P02", NULL);
    char name[80];
    memset(name, 'n', 79);
    name[79] = '\0';
    col_vec vec;
    col_vec_init(&vec, &arena, col_type_of(COL_NAME), 1);
    REQUIRE_OK(col_text_parse(base_str_of(name), 0, &vec, 0, &arena, &err));
    EXPECT_EQ_INT(col_str(&vec)[0].n, 63);
}

TEST(uuids) {
    start();
    const char *plain = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11";
    io(col_type_of(COL_UUID), plain, plain);
    io(col_type_of(COL_UUID), "{A0EEBC99-9c0b4ef8-bb6d6bb9bd380a11}", plain);
    io(col_type_of(COL_UUID), "a0ee-bc99-9c0b-4ef8-bb6d-6bb9-bd38-0a11", plain);
    bad(COL_UUID, "a0eebc99", "22P02", "invalid input syntax for type uuid: \"a0eebc99\"");
    bad(COL_UUID, "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11-", "22P02", NULL);
    bad(COL_UUID, "{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "22P02", NULL);
    bad(COL_UUID, "{", "22P02", NULL);
}

TEST(times) {
    start();
    io(col_type_of(COL_DATE), "2011-12-09", "2011-12-09");
    io(col_type_of(COL_TIME), "04:05:06.5", "04:05:06.5");
    io(col_type_of(COL_TIMESTAMP), "2011-12-09T12:50:00", "2011-12-09 12:50:00");
    io(col_type_of(COL_TIMESTAMPTZ), "2011-12-09 12:50:00.123+01:30", "2011-12-09 11:20:00.123+00");
    io(col_type_of(COL_INTERVAL), "1 day 02:03:04", "1 day 02:03:04");
    bad(COL_TIMESTAMP, "yesterdayish", "22007", NULL);
    const base_zone *zone;
    REQUIRE_OK(base_zone_find(BASE_STR("Europe/Berlin"), &zone, &err));
    col_vec vec;
    col_vec_init(&vec, &arena, col_type_of(COL_TIMESTAMPTZ), 1);
    REQUIRE_OK(col_text_parse(BASE_STR("2020-01-01 00:00:00"), zone, &vec, 0, &arena, &err));
    base_buf buf;
    base_buf_init(&buf);
    col_text_format(&vec, 0, 0, &buf);
    EXPECT_EQ_STR(base_buf_cstr(&buf), "2019-12-31 23:00:00+00");
    base_buf_clear(&buf);
    col_text_format(&vec, 0, zone, &buf);
    EXPECT_EQ_STR(base_buf_cstr(&buf), "2020-01-01 00:00:00+01");
    base_buf_clear(&buf);
    col_json_format(&vec, 0, &buf);
    EXPECT_EQ_STR(base_buf_cstr(&buf), "\"2019-12-31T23:00:00Z\"");
    base_buf_deinit(&buf);
}

TEST(jsonb) {
    start();
    static const char *const texts[][2] = {
        {"-0", "0"},
        {"-0.0", "0.0"},
        {"1e2", "100"},
        {"1.50e1", "15.0"},
        {"1.5e-3", "0.0015"},
        {"0e5", "0"},
        {"0.001e5", "100"},
        {"1E+2", "100"},
        {"-1.0e-2", "-0.010"},
        {"100e-1", "10.0"},
        {"0.10", "0.10"},
        {"12e-1", "1.2"},
        {"{\"b\":1,\"a\":2,\"aa\":3,\"b\":4,\"\":5}", "{\"\": 5, \"a\": 2, \"b\": 4, \"aa\": 3}"},
        {"\"\\u00e9\\ud83d\\ude00\\u001f\\b\\/\"", "\"\xc3\xa9\xf0\x9f\x98\x80\\u001f\\b/\""},
        {" [ ] ", "[]"},
        {"{ }", "{}"},
        {"[1,{\"a\":[]} ,null,true]", "[1, {\"a\": []}, null, true]"},
        {"\"a\\\"\\\\\\n\\r\\t\\f\"", "\"a\\\"\\\\\\n\\r\\t\\f\""},
        {"false", "false"},
        {"\"\"", "\"\""},
        {"{\"a\":{\"a\":1,\"a\":2},\"a\":[{\"z\":1,\"y\":2}]}", "{\"a\": [{\"y\": 2, \"z\": 1}]}"},
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        io(col_type_of(COL_JSONB), texts[i][0], texts[i][1]);
        io(col_type_of(COL_JSONB), texts[i][1], texts[i][1]);
    }
    static const char *const wrong[] = {"",
                                        " ",
                                        "{",
                                        "[1,]",
                                        "{\"a\":1,}",
                                        "{\"a\"}",
                                        "{a:1}",
                                        "01",
                                        "1.",
                                        ".5",
                                        "+1",
                                        "-",
                                        "1e",
                                        "1e+",
                                        "nul",
                                        "nulls",
                                        "true1",
                                        "\"a",
                                        "\"\\x\"",
                                        "\"\\u12\"",
                                        "\"\\ud800\"",
                                        "\"\\ud800\\u0041\"",
                                        "\"\\udc00\"",
                                        "\"\n\"",
                                        "[1 2]",
                                        "1 2",
                                        "\"a\\\"",
                                        "\"a\\",
                                        "]",
                                        "}",
                                        "{\"a\":}",
                                        "[,]",
                                        "'a'"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        bad(COL_JSONB, wrong[i], "22P02", "invalid input syntax for type json");
    }
    bad(COL_JSONB, "\"\\u0000\"", "22P05", NULL);
    bad(COL_JSONB, "\"\xff\"", "22021", NULL);
    bad(COL_JSONB, "1e200000", "22003", "value overflows numeric format");
    bad(COL_JSONB, "1e-200000", "22003", NULL);
    bad(COL_JSONB, "1e99999999999999999999", "22003", NULL);
}

TEST(jsonb_limits) {
    start();
    base_buf buf;
    base_buf_init(&buf);
    for (int i = 0; i < 100000; i++) base_buf_add_byte(&buf, '[');
    bad_n(col_type_of(COL_JSONB), base_buf_str(&buf), "54000", NULL);
    base_buf_clear(&buf);
    for (int i = 0; i < 512; i++) base_buf_add_byte(&buf, '[');
    for (int i = 0; i < 512; i++) base_buf_add_byte(&buf, ']');
    base_str out;
    EXPECT_EQ_INT(col_jsonb_canonical(base_buf_str(&buf), &arena, &out, &err), BASE_OK);
    // Short numbers that would print long: refused, not printed.
    base_buf_clear(&buf);
    base_buf_add_byte(&buf, '[');
    for (int i = 0; i < 600; i++) base_buf_add_cstr(&buf, i == 0 ? "1e131071" : ",1e131071");
    base_buf_add_byte(&buf, ']');
    EXPECT_EQ_INT(col_jsonb_canonical(base_buf_str(&buf), &arena, &out, &err), BASE_E_LIMIT);
    base_buf_deinit(&buf);
}

TEST(jsonb_many_members) {
    start();
    base_buf buf;
    base_buf_init(&buf);
    base_buf_add_byte(&buf, '{');
    for (int i = 0; i < 3000; i++) {
        base_buf_printf(&buf, "%s\"k%d\": %d", i == 0 ? "" : ", ", (i * 7919) % 1000, i);
    }
    base_buf_add_byte(&buf, '}');
    base_str out;
    REQUIRE_OK(col_jsonb_canonical(base_buf_str(&buf), &arena, &out, &err));
    const char *text = base_arena_memdup(&arena, out.p, out.n);
    EXPECT(strncmp(text, "{\"k0\": 2000, \"k1\": 2679, ", 25) == 0);
    EXPECT(strstr(text, "\"k9\": ") < strstr(text, "\"k10\": "));
    int members = 0;
    for (const char *p = text; (p = strstr(p, "\"k")) != NULL; p++) members++;
    EXPECT_EQ_INT(members, 1000);
    base_buf_deinit(&buf);
}

TEST(structs) {
    start();
    col_type type = col_random_types[COL_RANDOM_TYPES - 1];
    io(type, "{\"a\": 1.50, \"b\": {\"y\": \"q\\\"\", \"x\": \"7\"}}",
       "{\"a\":1.50,\"b\":{\"x\":7,\"y\":\"q\\\"\"}}");
    io(type, "{\"b\": null}", "{\"a\":null,\"b\":null}");
    bad_n(type, BASE_STR("[1]"), "22P02", "a value of a struct type must be a JSON object");
    bad_n(type, BASE_STR("{\"c\": 1}"), "22P02", "struct has no field \"c\"");
    bad_n(type, BASE_STR("{\"b\": {\"x\": [1]}}"), "22P02",
          "field \"b\": field \"x\": invalid input syntax for type integer: \"[1]\"");
}

static void json(col_type type, const char *in, const char *out) {
    col_vec vec;
    col_vec_init(&vec, &arena, type, 1);
    REQUIRE_OK(col_text_parse(base_str_of(in), 0, &vec, 0, &arena, &err));
    base_buf buf;
    base_buf_init(&buf);
    col_json_format(&vec, 0, &buf);
    EXPECT_EQ_STR(base_buf_cstr(&buf), out);
    base_buf_clear(&buf);
    col_vec_set_null(&vec, &arena, 0);
    col_json_format(&vec, 0, &buf);
    EXPECT_EQ_STR(base_buf_cstr(&buf), "null");
    base_buf_deinit(&buf);
}

TEST(json_values) {
    start();
    json(col_type_of(COL_BOOL), "t", "true");
    json(col_type_of(COL_INT8), "-5", "-5");
    json(col_type_of(COL_NUMERIC), "1.50", "1.50");
    json(col_type_of(COL_FLOAT8), "nan", "\"NaN\"");
    json(col_type_of(COL_FLOAT8), "-inf", "\"-Infinity\"");
    json(col_type_of(COL_FLOAT8), "1e20", "1e+20");
    json(col_type_of(COL_TEXT), "a\"\\\n\x01\xc3\xa9", "\"a\\\"\\\\\\n\\u0001\xc3\xa9\"");
    json(col_type_of(COL_BYTEA), "\\x00ff", "\"\\\\x00ff\"");
    json(col_type_of(COL_DATE), "2020-02-29", "\"2020-02-29\"");
    json(col_type_of(COL_TIMESTAMP), "2020-02-29 01:02:03.5", "\"2020-02-29T01:02:03.5\"");
    json(col_type_of(COL_TIMESTAMPTZ), "infinity", "\"infinity\"");
    json(col_type_of(COL_INTERVAL), "1 mon", "\"1 mon\"");
    json(col_type_of(COL_JSONB), "{\"a\":[1,2]}", "{\"a\": [1, 2]}");
}

// What is printed reads back as the same value, for random values of every kind.
TEST(text_comes_back) {
    base_random random_state;
    for (size_t t = 0; t < COL_RANDOM_TYPES; t++) {
        start();
        base_random_seed(&random_state, 77 + t);
        col_kind kind = col_random_types[t].kind;
        // Random bytes are no JSON, and a byte over 127 prints as an escape; of times in arrays not
        // all can be read.
        if (kind == COL_JSONB || kind == COL_CHAR || kind == (COL_ARRAY | COL_JSONB) ||
            kind == (COL_ARRAY | COL_TIMESTAMPTZ) || kind == (COL_ARRAY | COL_INTERVAL)) {
            continue;
        }
        col_batch *batch = col_random_batch(&random_state, &arena, 1, &col_random_types[t], 300);
        col_vec back;
        col_vec_init(&back, &arena, col_random_types[t], 300);
        for (uint32_t i = 0; i < 300; i++) {
            col_vec *vec = &batch->cols[0];
            if (col_is_null(vec, i)) continue;
            if (kind == COL_DATE) col_i32(vec)[i] %= 1000000;
            if (kind == COL_TIMESTAMP || kind == COL_TIMESTAMPTZ) {
                col_i64(vec)[i] %= 1000000 * BASE_US_PER_DAY;
            }
            if (kind == COL_TIME) {
                col_i64(vec)[i] = (int64_t)((uint64_t)col_i64(vec)[i] % BASE_US_PER_DAY);
            }
            if (kind == COL_INTERVAL) {
                // Text reads with fields of moderate size.
                base_interval *interval = &col_interval(vec)[i];
                interval->us %= 1000 * BASE_US_PER_DAY;
                interval->days %= 100000;
                interval->months %= 100000;
            }
            base_buf buf;
            base_buf_init(&buf);
            col_text_format(vec, i, 0, &buf);
            base_str text = {base_arena_memdup(&arena, buf.p, buf.n), buf.n};
            base_rc rc = col_text_parse(text, 0, &back, i, &arena, &err);
            if (rc != BASE_OK || !col_cells_equal(vec, i, &back, i)) {
                fprintf(stderr, "%s: \"%s\" does not come back: %s\n", col_kind_name(kind),
                        base_buf_cstr(&buf), rc != BASE_OK ? err.message : "other value");
                test_failures++;
            }
            base_buf_deinit(&buf);
        }
    }
}

TEST_MAIN(TEST_ENTRY(booleans), TEST_ENTRY(integers), TEST_ENTRY(floats), TEST_ENTRY(numerics),
          TEST_ENTRY(strings), TEST_ENTRY(uuids), TEST_ENTRY(times), TEST_ENTRY(jsonb),
          TEST_ENTRY(jsonb_limits), TEST_ENTRY(jsonb_many_members), TEST_ENTRY(structs),
          TEST_ENTRY(json_values), TEST_ENTRY(text_comes_back))
