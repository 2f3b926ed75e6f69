// CSV: RFC 4180's cases, records that come in pieces, and writing back.
#include "base/random.h"
#include "test.h"
#include "wire/csv.h"

#include <stdlib.h>

// Reads all of text: fields joined by '|' ("~" for null), records by '/'; an error as "!SQLSTATE".
static void read_all(base_str text, char delimiter, base_buf *out) {
    base_arena arena;
    base_arena_init(&arena, 256);
    base_error err;
    for (size_t at = 0;;) {
        wire_csv_field *fields;
        size_t n;
        bool end, incomplete;
        if (wire_csv_read(text, true, delimiter, &at, &arena, &fields, &n, &end, &incomplete,
                          &err) != BASE_OK) {
            base_buf_printf(out, "!%s %s", err.sqlstate, err.message);
            break;
        }
        EXPECT(!incomplete);
        if (end) break;
        for (size_t i = 0; i < n; i++) {
            if (i > 0) base_buf_add_byte(out, '|');
            if (!fields[i].quoted && fields[i].text.n == 0) base_buf_add_byte(out, '~');
            base_buf_add_str(out, fields[i].text);
        }
        base_buf_add_byte(out, '/');
    }
    base_arena_deinit(&arena);
}

static void expect_csv(const char *text, char delimiter, const char *expected, int line) {
    base_buf out = {0};
    read_all(base_str_of(text), delimiter, &out);
    if (strcmp(base_buf_cstr(&out), expected) != 0) {
        fprintf(stderr, "%s:%d: got <%s>, expected <%s>\n", __FILE__, line, base_buf_cstr(&out),
                expected);
        test_failures++;
    }
    base_buf_deinit(&out);
}
#define CSV(text, expected) expect_csv(text, ',', expected, __LINE__)

TEST(records) {
    CSV("", "");
    CSV("a,b\nc,d", "a|b/c|d/");
    CSV("a,b\r\nc,d\r\n", "a|b/c|d/");
    CSV("a,,\"\"\n", "a|~|/");
    CSV("\n", "~/");
    CSV(",", "~|~/");
    CSV("\"a,b\",\"c\"\"d\",\"e\nf\"\n", "a,b|c\"d|e\nf/");
    CSV("\"\"\"\"\n", "\"/");
    CSV("a\"b,c\n", "a\"b|c/");
    CSV("a\rb,c\r", "a\rb|c/");
    CSV(" a , b \n", " a | b /");
    expect_csv("a;\"b;c\";d,e\n", ';', "a|b;c|d,e/", __LINE__);
    expect_csv("a\t\tc\n", '\t', "a|~|c/", __LINE__);
}

TEST(damage) {
    CSV("a\n\"b\n", "a/!22P02 malformed CSV in line 2: a quoted field is not closed");
    CSV("\"a\"b\n",
        "!22P02 malformed CSV in line 1: after a closing quote a delimiter is expected");
    CSV("x\n\"a\n\" \n",
        "x/!22P02 malformed CSV in line 3: after a closing quote a delimiter is expected");
}

// A text given up to any byte says "incomplete" or gives the records that are whole, and never a
// record that the whole text does not have.
TEST(pieces) {
    const char *text = "a,\"b\"\"c\",\r\n\"x\ny\",,z\r\n\"\"\nlast\n";
    base_str all = base_str_of(text);
    base_arena arena;
    base_arena_init(&arena, 256);
    for (size_t cut = 0; cut <= all.n; cut++) {
        size_t at = 0, records = 0;
        base_error err = {0};
        for (;;) {
            wire_csv_field *fields;
            size_t n, before = at;
            bool end, incomplete;
            REQUIRE_OK(wire_csv_read((base_str){all.p, cut}, false, ',', &at, &arena, &fields, &n,
                                     &end, &incomplete, &err));
            EXPECT(!end);
            if (incomplete) {
                EXPECT_EQ_INT(at, before);
                break;
            }
            static const size_t expected[] = {3, 3, 1, 1};
            REQUIRE(records < 4);
            EXPECT_EQ_INT(n, expected[records]);
            records++;
        }
        EXPECT_EQ_INT(records, cut == all.n ? 4 : cut >= 24 ? 3 : cut >= 21 ? 2 : cut >= 11);
    }
    base_arena_deinit(&arena);
}

TEST(round_trip) {
    base_random random;
    base_random_seed(&random, 5);
    static const char *const bits[] = {"a", "\"", ",", "\n", "\r", " ", "\\.", "\xc3\xa9"};
    base_arena arena;
    base_arena_init(&arena, 1024);
    for (int round = 0; round < 500; round++) {
        enum { nfields = 4 };
        base_buf fields[nfields], text = {0};
        bool nulls[nfields];
        for (int i = 0; i < nfields; i++) {
            fields[i] = (base_buf){0};
            nulls[i] = base_random_below(&random, 4) == 0;
            uint64_t n = nulls[i] ? 0 : base_random_below(&random, 5);
            for (uint64_t k = 0; k < n; k++) {
                base_buf_add_cstr(&fields[i], bits[base_random_below(&random, 8)]);
            }
            if (i > 0) base_buf_add_byte(&text, ',');
            wire_csv_write_field(&text, base_buf_str(&fields[i]), nulls[i], ',');
        }
        base_buf_add_byte(&text, '\n');
        size_t at = 0, n;
        wire_csv_field *got;
        bool end, incomplete;
        base_error err = {0};
        REQUIRE_OK(wire_csv_read(base_buf_str(&text), true, ',', &at, &arena, &got, &n, &end,
                                 &incomplete, &err));
        EXPECT_EQ_INT(n, nfields);
        EXPECT_EQ_INT(at, text.n);
        for (size_t i = 0; i < n && i < nfields; i++) {
            EXPECT(base_str_eq(got[i].text, base_buf_str(&fields[i])));
            EXPECT_EQ_INT(!got[i].quoted && got[i].text.n == 0, nulls[i]);
        }
        for (int i = 0; i < nfields; i++) base_buf_deinit(&fields[i]);
        base_buf_deinit(&text);
        base_arena_reset(&arena);
    }
    base_arena_deinit(&arena);
}

TEST_MAIN(TEST_ENTRY(records), TEST_ENTRY(damage), TEST_ENTRY(pieces), TEST_ENTRY(round_trip))
