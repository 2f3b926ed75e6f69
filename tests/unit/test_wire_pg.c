// PostgreSQL's protocol, byte by byte. The golden bytes of values are what PostgreSQL 15's send
// functions give (SELECT int4send(...), numeric_send(...), ...).
#include "base/random.h"
#include "test.h"
#include "wire/pg.h"

#include <stdlib.h>

static const char *hex(base_arena *arena, base_str bytes) {
    char *out = base_arena_zalloc(arena, bytes.n * 2 + 1);
    for (size_t i = 0; i < bytes.n; i++) sprintf(out + 2 * i, "%02x", (uint8_t)bytes.p[i]);
    return out;
}

static base_str unhex(base_arena *arena, const char *text) {
    size_t n = strlen(text) / 2;
    char *out = base_arena_zalloc(arena, n + 1);
    for (size_t i = 0; i < n; i++) {
        unsigned v;
        if (sscanf(text + 2 * i, "%2x", &v) != 1) abort();
        out[i] = (char)v;
    }
    return (base_str){out, n};
}

static bool text_is(base_str s, const char *text) {
    return base_str_eq(s, base_str_of(text));
}

// ---- values ----

static col_type typed(col_kind kind, int precision, int scale) {
    col_type type = col_type_of(kind);
    type.precision = (int16_t)precision;
    type.scale = (int16_t)scale;
    return type;
}

// SQL text -> binary (golden) -> back to the same text.
static void expect_binary(col_type type, const char *text, const char *golden, int line) {
    base_arena arena;
    base_arena_init(&arena, 1024);
    base_error err = {0};
    col_vec vec, back;
    col_vec_init(&vec, &arena, type, 1);
    col_vec_init(&back, &arena, type, 1);
    base_buf buf = {0}, out = {0};
    if (wire_pg_param(base_str_of(text), 0, 0, &vec, 0, &arena, &err) != BASE_OK) {
        fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, line, text, err.message);
        test_failures++;
        goto done;
    }
    wire_pg_send_binary(&buf, &vec, 0);
    const char *got = hex(&arena, base_buf_str(&buf));
    if (strcmp(got, golden) != 0) {
        fprintf(stderr, "%s:%d: %s %s is %s, expected %s\n", __FILE__, line,
                col_kind_name(type.kind), text, got, golden);
        test_failures++;
    }
    if (wire_pg_param(unhex(&arena, golden), 1, 0, &back, 0, &arena, &err) != BASE_OK) {
        fprintf(stderr, "%s:%d: %s back: %s\n", __FILE__, line, text, err.message);
        test_failures++;
        goto done;
    }
    col_text_format(&back, 0, 0, &out);
    if (strcmp(base_buf_cstr(&out), text) != 0) {
        fprintf(stderr, "%s:%d: %s came back as %s\n", __FILE__, line, text, base_buf_cstr(&out));
        test_failures++;
    }
done:
    base_buf_deinit(&buf);
    base_buf_deinit(&out);
    base_arena_deinit(&arena);
}
#define BINARY(kind, text, golden) expect_binary(col_type_of(kind), text, golden, __LINE__)

TEST(binary_values) {
    BINARY(COL_BOOL, "t", "01");
    BINARY(COL_BOOL, "f", "00");
    BINARY(COL_INT2, "-2", "fffe");
    BINARY(COL_INT4, "305419896", "12345678");
    BINARY(COL_INT8, "-1", "ffffffffffffffff");
    BINARY(COL_OID, "4294967295", "ffffffff");
    BINARY(COL_FLOAT4, "1.5", "3fc00000");
    BINARY(COL_FLOAT8, "-2.5", "c004000000000000");
    BINARY(COL_TEXT, "h\xc3\xa9", "68c3a9");
    BINARY(COL_NAME, "pg_class", "70675f636c617373");
    BINARY(COL_CHAR, "r", "72");
    BINARY(COL_BYTEA, "\\x00ff", "00ff");
    BINARY(COL_DATE, "2000-01-02", "00000001");
    BINARY(COL_DATE, "1999-12-31", "ffffffff");
    BINARY(COL_DATE, "infinity", "7fffffff");
    BINARY(COL_TIME, "00:00:01.5", "000000000016e360");
    BINARY(COL_TIMESTAMP, "2000-01-01 00:00:01", "00000000000f4240");
    BINARY(COL_TIMESTAMPTZ, "1999-12-31 23:59:59+00", "fffffffffff0bdc0");
    BINARY(COL_TIMESTAMPTZ, "infinity", "7fffffffffffffff");
    BINARY(COL_INTERVAL, "1 mon 2 days 00:00:03", "00000000002dc6c00000000200000001");
    BINARY(COL_UUID, "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "a0eebc999c0b4ef8bb6d6bb9bd380a11");
    BINARY(COL_JSONB, "{\"a\": 1}", "017b2261223a20317d");
}

TEST(binary_numerics) {
    BINARY(COL_NUMERIC, "0", "0000000000000000");
    BINARY(COL_NUMERIC, "0.00", "0000000000000002");
    BINARY(COL_NUMERIC, "1", "00010000000000000001");
    BINARY(COL_NUMERIC, "-1", "00010000400000000001");
    BINARY(COL_NUMERIC, "10000", "00010001000000000001");
    BINARY(COL_NUMERIC, "12345.678", "0003000100000003000109291a7c");
    BINARY(COL_NUMERIC, "0.1", "0001ffff0000000103e8");
    BINARY(COL_NUMERIC, "0.00001", "0001fffe0000000503e8");
    BINARY(COL_NUMERIC, "1.50",
           "0002000000000002000"
           "11388");
    BINARY(COL_NUMERIC, "-0.05", "0001ffff4000000201f4");
    BINARY(COL_NUMERIC, "99999999999999999999999999999999999999",
           "000a000900000000"
           "0063"
           "270f270f270f270f270f270f270f270f270f");
    BINARY(COL_NUMERIC, "0.00000000000000000000000000000000000001",
           "0001fff600000026"
           "0064");
}

TEST(binary_arrays) {
    BINARY(COL_ARRAY | COL_INT4, "{-1,70000}",
           "0000000100000000000000170000000200000001"
           "00000004ffffffff"
           "0000000400011170");
    BINARY(COL_ARRAY | COL_INT2, "{-32768,NULL}",
           "0000000100000001000000150000000200000001"
           "000000028000"
           "ffffffff");
    BINARY(COL_ARRAY | COL_NUMERIC, "{1.50}",
           "0000000100000000000006a40000000100000001"
           "0000000c0002000000000002000"
           "11388");
    BINARY(COL_ARRAY | COL_FLOAT8, "{}", "0000000000000000000002bd");
    BINARY(COL_ARRAY | COL_UUID, "{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}",
           "000000010000000000000b860000000100000001"
           "00000010a0eebc999c0b4ef8bb6d6bb9bd380a11");
}

TEST(binary_text_arrays) {
    BINARY(COL_TEXT_ARRAY, "{}", "000000000000000000000019");
    BINARY(COL_TEXT_ARRAY, "{a,NULL,\"b c\",\"\"}",
           "00000001"
           "00000001"
           "00000019"
           "00000004"
           "00000001"
           "00000001"
           "61"
           "ffffffff"
           "00000003"
           "622063"
           "00000000");
}

static void expect_refused(col_type type, const char *bytes, const char *sqlstate, int line) {
    base_arena arena;
    base_arena_init(&arena, 1024);
    base_error err = {0};
    col_vec vec;
    col_vec_init(&vec, &arena, type, 1);
    base_rc rc = wire_pg_param(unhex(&arena, bytes), 1, 0, &vec, 0, &arena, &err);
    if (rc == BASE_OK || strcmp(err.sqlstate, sqlstate) != 0) {
        fprintf(stderr, "%s:%d: %s of %s gave %d %s, expected %s\n", __FILE__, line, bytes,
                col_kind_name(type.kind), (int)rc, err.sqlstate, sqlstate);
        test_failures++;
    }
    base_arena_deinit(&arena);
}
#define REFUSED(kind, bytes, sqlstate) expect_refused(col_type_of(kind), bytes, sqlstate, __LINE__)

TEST(binary_refusals) {
    REFUSED(COL_INT4, "010203", "22P03");
    REFUSED(COL_INT4, "0102030405", "22P03");
    REFUSED(COL_BOOL, "", "22P03");
    REFUSED(COL_UUID, "00", "22P03");
    REFUSED(COL_INTERVAL, "0000000000000000", "22P03");
    REFUSED(COL_TEXT, "ff", "22021");
    REFUSED(COL_TEXT, "610062", "22021");
    REFUSED(COL_JSONB, "027b7d", "22P03");
    REFUSED(COL_JSONB, "", "22P03");
    REFUSED(COL_JSONB, "017b", "22P02");
    REFUSED(COL_DATE, "80000001", "22008");
    REFUSED(COL_TIME, "ffffffffffffffff", "22008");
    REFUSED(COL_TIMESTAMPTZ, "7ffffffffffffffe", "22008");
    REFUSED(COL_NUMERIC, "0001", "22P03");
    REFUSED(COL_NUMERIC,
            "0002000000000000"
            "0001",
            "22P03");
    REFUSED(COL_NUMERIC,
            "0001000000000000"
            "2710",
            "22P03");
    REFUSED(COL_NUMERIC, "0000000012340000", "0A000");
    REFUSED(COL_NUMERIC, "00000000c0000000", "0A000");
    REFUSED(COL_NUMERIC, "0001000a000000000001", "22003");
    REFUSED(COL_NUMERIC, "000100000000ffff0001", "22003");
    REFUSED(COL_TEXT_ARRAY, "00000001000000000000001900ffffff00000001", "22P03");
    REFUSED(COL_TEXT_ARRAY, // of double precision
            "0000000100000000000002bd00000000"
            "00000001",
            "42804");
    REFUSED(COL_ARRAY | COL_INT4, // an integer of three bytes
            "00000001000000000000001700000001"
            "0000000100000003010203",
            "22P03");
    REFUSED(COL_TEXT_ARRAY, "000000020000000000000019", "0A000");
    REFUSED(COL_TEXT_ARRAY, // begins at 0
            "00000001000000000000001900000001"
            "000000000000000161",
            "0A000");
    REFUSED(COL_TEXT_ARRAY, // more bytes than elements
            "00000001000000000000001900000001"
            "00000001000000016161",
            "22P03");
    expect_refused(typed(COL_NUMERIC, 3, 1), "00010000000000002710", "22P03", __LINE__);
    expect_refused(typed(COL_NUMERIC, 3, 1), "000100000000000003e8", "22003", __LINE__);
}

// ---- messages to the client ----

static col_batch *sample(base_arena *arena, uint32_t ncols, const col_kind *kinds,
                         const char *const *texts) {
    col_type types[8];
    for (uint32_t i = 0; i < ncols; i++) types[i] = col_type_of(kinds[i]);
    col_batch *batch = col_batch_create(arena, ncols, types, 1);
    for (uint32_t i = 0; i < ncols; i++) {
        base_error err = {0};
        if (texts[i] == NULL) {
            col_vec_set_null(&batch->cols[i], arena, 0);
        } else if (col_text_parse(base_str_of(texts[i]), 0, &batch->cols[i], 0, arena, &err) !=
                   BASE_OK) {
            fprintf(stderr, "%s: %s\n", texts[i], err.message);
            test_failures++;
        }
    }
    return batch;
}

static void expect_bytes(base_buf *buf, const char *golden, int line) {
    base_arena arena;
    base_arena_init(&arena, 1024);
    const char *got = hex(&arena, base_buf_str(buf));
    if (strcmp(got, golden) != 0) {
        fprintf(stderr, "%s:%d: %s, expected %s\n", __FILE__, line, got, golden);
        test_failures++;
    }
    base_buf_clear(buf);
    base_arena_deinit(&arena);
}
#define BYTES(buf, golden) expect_bytes(buf, golden, __LINE__)

TEST(short_messages) {
    base_buf buf = {0};
    wire_pg_auth_ok(&buf);
    BYTES(&buf, "520000000800000000");
    wire_pg_parameter_status(&buf, "a", "bc");
    BYTES(&buf, "5300000009"
                "6100"
                "626300");
    wire_pg_backend_key(&buf, 1, 0xdeadbeef);
    BYTES(&buf, "4b0000000c00000001deadbeef");
    wire_pg_ready(&buf, 'I');
    BYTES(&buf, "5a0000000549");
    wire_pg_command_complete(&buf, "SELECT 1");
    BYTES(&buf, "430000000d53454c454354203100");
    wire_pg_empty_query(&buf);
    BYTES(&buf, "4900000004");
    wire_pg_parse_complete(&buf);
    BYTES(&buf, "3100000004");
    wire_pg_bind_complete(&buf);
    BYTES(&buf, "3200000004");
    wire_pg_close_complete(&buf);
    BYTES(&buf, "3300000004");
    wire_pg_no_data(&buf);
    BYTES(&buf, "6e00000004");
    wire_pg_portal_suspended(&buf);
    BYTES(&buf, "7300000004");
    const uint32_t oids[] = {20, 25};
    wire_pg_parameter_description(&buf, 2, oids);
    BYTES(&buf, "740000000e00020000001400000019");
    wire_pg_copy_out_response(&buf, 2, false);
    BYTES(&buf, "480000000b00000200000000");
    wire_pg_copy_data(&buf, BASE_STR("x\n"));
    BYTES(&buf, "6400000006780a");
    wire_pg_copy_done(&buf);
    BYTES(&buf, "6300000004");
    base_buf_deinit(&buf);
}

TEST(errors) {
    base_buf buf = {0};
    base_error err = {0};
    (void)base_fail(&err, BASE_E_INVALID, "42601", "no");
    base_error_detail(&err, "d");
    base_error_hint(&err, "h");
    err.position = 12;
    wire_pg_error(&buf, &err, false);
    BYTES(&buf, "4500000028"
                "534552524f5200"
                "564552524f5200"
                "43343236303100"
                "4d6e6f00"
                "446400"
                "486800"
                "50313200"
                "00");
    wire_pg_notice(&buf, "NOTICE", "00000", "hi");
    BYTES(&buf, "4e00000020"
                "534e4f5449434500"
                "564e4f5449434500"
                "43303030303000"
                "4d686900"
                "00");
    base_buf_deinit(&buf);
}

TEST(rows) {
    base_arena arena;
    base_arena_init(&arena, 1024);
    base_buf buf = {0};
    const col_type types[] = {col_type_of(COL_INT4), typed(COL_NUMERIC, 12, 2)};
    const char *const names[] = {"id", "n"};
    const int16_t formats[] = {1, 0};
    wire_pg_row_description(&buf, 2, names, types, formats);
    BYTES(&buf, "540000002f0002"
                "696400"
                "00000000"
                "0000"
                "00000017"
                "0004"
                "ffffffff"
                "0001"
                "6e00"
                "00000000"
                "0000"
                "000006a4"
                "ffff"
                "000c0006"
                "0000");
    const col_kind kinds[] = {COL_INT4, COL_NUMERIC, COL_TEXT, COL_TEXT};
    const char *const texts[] = {"7", "1.50", NULL, ""};
    col_batch *batch = sample(&arena, 4, kinds, texts);
    wire_pg_data_row(&buf, batch, 0, 4, NULL, 0);
    BYTES(&buf, "440000001b0004"
                "0000000137"
                "00000004312e3530"
                "ffffffff"
                "00000000");
    const int16_t binary[] = {1, 1, 1, 1};
    wire_pg_data_row(&buf, batch, 0, 4, binary, 0);
    BYTES(&buf, "44000000260004"
                "0000000400000007"
                "0000000c"
                "000200000000000200011388"
                "ffffffff"
                "00000000");
    const col_kind times[] = {COL_TIMESTAMPTZ};
    const char *const instants[] = {"2024-01-01 00:00:00+00"};
    const base_zone *zone;
    REQUIRE(base_zone_find(BASE_STR("Africa/Maputo"), &zone, NULL) == BASE_OK);
    wire_pg_data_row(&buf, sample(&arena, 1, times, instants), 0, 1, NULL, zone);
    EXPECT(memmem(buf.p, buf.n, "2024-01-01 02:00:00+02", 22) != NULL);
    base_buf_deinit(&buf);
    base_arena_deinit(&arena);
}

TEST(copy_text) {
    base_arena arena;
    base_arena_init(&arena, 1024);
    base_buf buf = {0};
    const col_kind kinds[] = {COL_TEXT, COL_TEXT, COL_INT4, COL_BYTEA};
    const char *const texts[] = {"a\tb\\c\nd,e", NULL, "5", "\\x01"};
    col_batch *batch = sample(&arena, 4, kinds, texts);
    wire_pg_copy_text_row(&buf, batch, 0, 4, '\t', "\\N", 0);
    EXPECT_EQ_STR(base_buf_cstr(&buf), "a\\tb\\\\c\\nd,e\t\\N\t5\t\\\\x01\n");
    base_buf_clear(&buf);
    wire_pg_copy_text_row(&buf, batch, 0, 4, ',', "", 0);
    EXPECT_EQ_STR(base_buf_cstr(&buf), "a\\tb\\\\c\\nd\\,e,,5,\\\\x01\n");
    base_buf_deinit(&buf);
    base_arena_deinit(&arena);
}

// ---- messages from the client ----

// Reads one message; at every shorter length it must say "not all there yet".
static base_rc read_whole(base_arena *arena, const char *bytes, bool startup, wire_pg_message *out,
                          base_error *err) {
    base_str all = unhex(arena, bytes);
    size_t used;
    for (size_t n = 0; n < all.n; n++) {
        char *copy = base_arena_memdup(arena, all.p, n);
        base_rc rc = wire_pg_read((base_str){copy, n}, startup, arena, out, &used, err);
        if (rc != BASE_OK) return rc;
        EXPECT_EQ_INT(used, 0);
    }
    base_rc rc = wire_pg_read(all, startup, arena, out, &used, err);
    if (rc == BASE_OK) EXPECT_EQ_INT(used, all.n);
    return rc;
}

TEST(first_packets) {
    base_arena arena;
    base_arena_init(&arena, 1024);
    wire_pg_message m;
    base_error err = {0};
    REQUIRE_OK(read_whole(&arena, "0000000804d2162f", true, &m, &err));
    EXPECT_EQ_INT(m.kind, WIRE_PG_SSL_REQUEST);
    REQUIRE_OK(read_whole(&arena, "0000000804d21630", true, &m, &err));
    EXPECT_EQ_INT(m.kind, WIRE_PG_GSS_REQUEST);
    REQUIRE_OK(read_whole(&arena, "0000001004d2162e0000000700000009", true, &m, &err));
    EXPECT_EQ_INT(m.kind, WIRE_PG_CANCEL);
    EXPECT_EQ_INT(m.cancel_pid, 7);
    EXPECT_EQ_INT(m.cancel_key, 9);
    REQUIRE_OK(read_whole(&arena,
                          "0000001600030000"
                          "7573657200"
                          "626f6200"
                          "6100"
                          "6200"
                          "00",
                          true, &m, &err));
    EXPECT_EQ_INT(m.kind, WIRE_PG_STARTUP);
    EXPECT_EQ_INT(m.protocol, 196608);
    REQUIRE(m.noptions == 2);
    EXPECT(text_is(m.option_names[0], "user") && text_is(m.option_values[0], "bob"));
    EXPECT(text_is(m.option_names[1], "a") && text_is(m.option_values[1], "b"));
    // "GET " and other rubbish is not waited for.
    EXPECT(read_whole(&arena, "474554202f20485454502f312e310d0a", true, &m, &err) != BASE_OK);
    EXPECT_EQ_STR(err.sqlstate, "08P01");
    EXPECT(read_whole(&arena, "0000000800020000", true, &m, &err) != BASE_OK);
    EXPECT(read_whole(&arena, "0000000d000300007573657200", true, &m, &err) != BASE_OK);
    EXPECT(read_whole(&arena, "0000000a000300000000", true, &m, &err) != BASE_OK);
    base_arena_deinit(&arena);
}

TEST(queries) {
    base_arena arena;
    base_arena_init(&arena, 1024);
    wire_pg_message m;
    base_error err = {0};
    REQUIRE_OK(read_whole(&arena, "510000000d53454c454354203100", false, &m, &err));
    EXPECT(m.kind == WIRE_PG_QUERY && text_is(m.text, "SELECT 1"));
    REQUIRE_OK(read_whole(&arena,
                          "5000000014"
                          "733100"
                          "782000"
                          "0002"
                          "0000001400000000",
                          false, &m, &err));
    EXPECT(m.kind == WIRE_PG_PARSE && text_is(m.statement, "s1") && text_is(m.text, "x "));
    EXPECT(m.nparams == 2 && m.param_oids[0] == 20 && m.param_oids[1] == 0);
    // Two formats for three parameters.
    EXPECT_EQ_INT(read_whole(&arena,
                             "4200000022"
                             "7000"
                             "733100"
                             "00020000"
                             "0001"
                             "0003"
                             "0000000137"
                             "ffffffff"
                             "00000000"
                             "0001"
                             "0001",
                             false, &m, &err),
                  BASE_E_INVALID);
    REQUIRE_OK(read_whole(&arena,
                          "4200000020"
                          "7000"
                          "733100"
                          "00010001"
                          "0003"
                          "0000000137"
                          "ffffffff"
                          "00000000"
                          "0001"
                          "0001",
                          false, &m, &err));
    EXPECT(m.kind == WIRE_PG_BIND && text_is(m.portal, "p") && text_is(m.statement, "s1"));
    EXPECT(m.nparam_formats == 1 && m.param_formats[0] == 1);
    REQUIRE(m.nparams == 3);
    EXPECT(text_is(m.params[0], "7") && m.params[1].p == NULL);
    EXPECT(m.params[2].p != NULL && m.params[2].n == 0);
    EXPECT(m.nresult_formats == 1 && m.result_formats[0] == 1);
    REQUIRE_OK(read_whole(&arena,
                          "4400000008"
                          "53733100",
                          false, &m, &err));
    EXPECT(m.kind == WIRE_PG_DESCRIBE && m.target == 'S' && text_is(m.statement, "s1"));
    REQUIRE_OK(read_whole(&arena,
                          "4300000006"
                          "5000",
                          false, &m, &err));
    EXPECT(m.kind == WIRE_PG_CLOSE && m.target == 'P' && m.portal.n == 0);
    REQUIRE_OK(read_whole(&arena,
                          "4500000009"
                          "00"
                          "0000000a",
                          false, &m, &err));
    EXPECT(m.kind == WIRE_PG_EXECUTE && m.max_rows == 10);
    REQUIRE_OK(read_whole(&arena, "5300000004", false, &m, &err));
    EXPECT_EQ_INT(m.kind, WIRE_PG_SYNC);
    REQUIRE_OK(read_whole(&arena,
                          "6400000006"
                          "0001",
                          false, &m, &err));
    EXPECT(m.kind == WIRE_PG_COPY_DATA && m.text.n == 2);
    REQUIRE_OK(read_whole(&arena, "5800000004", false, &m, &err));
    EXPECT_EQ_INT(m.kind, WIRE_PG_TERMINATE);
    base_arena_deinit(&arena);
}

TEST(malformed_messages) {
    static const char *const bytes[] = {
        "0000000004", // no such type
        "7a00000004", // nor this
        "5100000003", // shorter than its own length
        "51ffffffff", // longer than the limit
        "5100000004", // Query without text
        "510000000653"
        "20", // text without its end
        "510000000700"
        "2000",                       // bytes after the text
        "50000000080000ffff",         // 65535 parameter types in no bytes
        "420000000a0000ffff0000",     // 65535 formats
        "420000000c00000000ffff0000", // 65535 parameters
        "42000000100000"
        "0000"
        "0001"
        "fffffffe"
        "0000", // a length of -2
        "42000000100000"
        "0000"
        "0001"
        "7fffffff"
        "0000", // more than there is
        "420000000e0000"
        "0001"
        "0002"
        "0000"
        "0000", // format 2
        "440000000658"
        "00",           // describes neither S nor P
        "450000000500", // Execute without its count
        "530000000500", // Sync with a body
    };
    for (size_t i = 0; i < sizeof bytes / sizeof bytes[0]; i++) {
        base_arena arena;
        base_arena_init(&arena, 1024);
        wire_pg_message m;
        base_error err = {0};
        size_t used;
        base_rc rc = wire_pg_read(unhex(&arena, bytes[i]), false, &arena, &m, &used, &err);
        if (rc == BASE_OK) fprintf(stderr, "accepted: %s\n", bytes[i]);
        EXPECT_EQ_INT(rc, BASE_E_INVALID);
        EXPECT_EQ_STR(err.sqlstate, "08P01");
        EXPECT(arena.total_bytes < 100000);
        base_arena_deinit(&arena);
    }
}

TEST_MAIN(TEST_ENTRY(binary_values), TEST_ENTRY(binary_numerics), TEST_ENTRY(binary_arrays),
          TEST_ENTRY(binary_text_arrays), TEST_ENTRY(binary_refusals), TEST_ENTRY(short_messages),
          TEST_ENTRY(errors), TEST_ENTRY(rows), TEST_ENTRY(copy_text), TEST_ENTRY(first_packets),
          TEST_ENTRY(queries), TEST_ENTRY(malformed_messages))
