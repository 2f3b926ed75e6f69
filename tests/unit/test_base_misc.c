// Errors, arenas, strings, buffers, hashes, maps and random numbers.
#include <errno.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/map.h"
#include "base/random.h"
#include "base/str.h"
#include "test.h"

TEST(errors) {
    base_error err;
    EXPECT(base_fail(&err, BASE_E_INVALID, BASE_SQLSTATE_SYNTAX, "bad %s", "thing") ==
           BASE_E_INVALID);
    EXPECT_EQ_STR(err.message, "bad thing");
    EXPECT_EQ_STR(err.sqlstate, "42601");
    base_error_detail(&err, "%d", 7);
    base_error_hint(&err, "try");
    base_error_prefix(&err, "file \"%s\"", "a");
    EXPECT_EQ_STR(err.message, "file \"a\": bad thing");
    EXPECT_EQ_STR(err.detail, "7");
    EXPECT(base_fail(NULL, BASE_E_LIMIT, NULL, "x") == BASE_E_LIMIT);
    EXPECT(base_fail_errno(&err, ENOSPC, "write") == BASE_E_FULL);
    EXPECT_EQ_STR(err.sqlstate, "53100");
    EXPECT_EQ_STR(err.detail, "");
    EXPECT(base_fail_errno(&err, ENOENT, "open") == BASE_E_NOT_FOUND);
    EXPECT(base_fail_errno(&err, EEXIST, "open") == BASE_E_EXISTS);
    EXPECT(base_fail_errno(&err, EIO, "open") == BASE_E_IO);
    EXPECT_EQ_STR(err.message, "open: Input/output error");
    for (int code = BASE_E_INVALID; code <= BASE_E_INTERNAL; code++) {
        EXPECT(strlen(base_default_sqlstate((base_rc)code)) == 5);
        EXPECT(strcmp(base_rc_name((base_rc)code), "unknown") != 0);
    }
    base_error_clear(&err);
    EXPECT(err.code == BASE_OK && err.message[0] == '\0');
}

TEST(error_cut_between_characters) {
    base_error err;
    char text[2000];
    for (size_t shift = 0; shift < 3; shift++) {
        memset(text, 'x', shift);
        for (size_t i = shift; i + 3 < sizeof text; i += 3) memcpy(text + i, "\xe2\x82\xac", 4);
        base_fail(&err, BASE_E_INVALID, NULL, "%s", text);
        size_t n = strlen(err.message);
        EXPECT(n < sizeof err.message && n > sizeof err.message - 5);
        EXPECT_EQ_INT(base_utf8_valid_prefix(base_str_of(err.message)), n);
        base_error_prefix(&err, "p%zu", shift);
        n = strlen(err.message);
        EXPECT(n < sizeof err.message && err.message[0] == 'p');
        EXPECT_EQ_INT(base_utf8_valid_prefix(base_str_of(err.message)), n);
    }
}

TEST(arenas) {
    base_arena arena;
    base_arena_init(&arena, 300);
    base_random random;
    base_random_seed(&random, 1);
    for (int round = 0; round < 5; round++) {
        uint8_t *all[400];
        size_t sizes[400];
        for (size_t i = 0; i < 400; i++) {
            sizes[i] = base_random_below(&random, i % 50 == 0 ? 20000 : 100);
            size_t align = 1u << base_random_below(&random, 8);
            all[i] = base_arena_alloc_aligned(&arena, sizes[i], align);
            EXPECT((uintptr_t)all[i] % align == 0);
            memset(all[i], (int)(i & 255), sizes[i]);
        }
        bool intact = true;
        for (size_t i = 0; i < 400; i++) {
            for (size_t k = 0; k < sizes[i]; k++) intact &= all[i][k] == (i & 255);
        }
        EXPECT(intact);
        base_arena_reset(&arena);
        EXPECT(arena.total_bytes <= arena.retain_bytes);
    }
    // After some rounds of the same use one block serves all.
    size_t held = arena.total_bytes;
    (void)base_arena_alloc(&arena, 1000);
    EXPECT(held > 0 && arena.total_bytes == held);
    int *zeros = base_arena_array(&arena, int, 100);
    EXPECT(zeros[0] == 0 && zeros[99] == 0);
    EXPECT_EQ_STR(base_arena_printf(&arena, "%d-%s", 12, "x"), "12-x");
    EXPECT_EQ_STR(base_arena_strdup(&arena, "copy"), "copy");
    EXPECT_EQ_STR(base_arena_memdup(&arena, "copy", 2), "co");
    arena.retain_bytes = 0;
    base_arena_reset(&arena);
    EXPECT_EQ_INT(arena.total_bytes, 0);
    base_arena_deinit(&arena);
}

TEST(strings) {
    EXPECT(base_str_eq_nocase(BASE_STR("Europe"), BASE_STR("eUROPE")));
    EXPECT(!base_str_eq_nocase(BASE_STR("[a"), BASE_STR("{a")));
    EXPECT(base_str_cmp(BASE_STR("ab"), BASE_STR("abc")) < 0);
    EXPECT(base_str_cmp(BASE_STR("\xff"), BASE_STR("a")) > 0);
    EXPECT(base_str_cmp((base_str){NULL, 0}, BASE_STR("")) == 0);
    EXPECT(base_str_starts(BASE_STR("abc"), BASE_STR("ab")));
    EXPECT(!base_str_starts(BASE_STR("a"), BASE_STR("ab")));
    EXPECT(base_str_eq(base_str_trim(BASE_STR(" \t a b\r\n")), BASE_STR("a b")));
    EXPECT_EQ_INT(base_str_trim(BASE_STR("  ")).n, 0);
}

TEST(utf8) {
    static const struct {
        const char *text;
        size_t valid;
    } rows[] = {
        {"plain ascii text of some length", 31},
        {"\xc3\xa9\xe2\x82\xac\xf0\x9f\x8c\x8a", 9},
        {"12345678\x80", 8},
        {"\xc0\xaf", 0},     // overlong
        {"\xe0\x9f\xbf", 0}, // overlong
        {"\xed\xa0\x80", 0}, // surrogate
        {"\xed\x9f\xbf", 3},
        {"\xf4\x8f\xbf\xbf", 4}, // U+10FFFF
        {"\xf4\x90\x80\x80", 0}, // above
        {"\xf0\x8f\xbf\xbf", 0}, // overlong
        {"a\xe2\x82", 1},        // cut
        {"\xff", 0},
        {"\xe2\x28\xa1", 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        EXPECT_EQ_INT(base_utf8_valid_prefix(base_str_of(rows[i].text)), rows[i].valid);
    }
}

TEST(buffers) {
    base_buf buf = {0};
    base_buf_add_u16be(&buf, 0x0102);
    base_buf_add_u32be(&buf, 0x03040506);
    base_buf_add_u64be(&buf, 0x0708090a0b0c0d0eull);
    base_buf_add_u32le(&buf, 0x01020304);
    base_buf_add_u64le(&buf, 0x0102030405060708ull);
    static const uint8_t expected[] = {1,  2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13,
                                       14, 4, 3, 2, 1, 8, 7, 6, 5, 4,  3,  2,  1};
    EXPECT(buf.n == sizeof expected && memcmp(buf.p, expected, sizeof expected) == 0);
    base_buf_clear(&buf);
    char longer[500];
    memset(longer, 'y', sizeof longer);
    longer[499] = '\0';
    base_buf_printf(&buf, "%s|%d", longer, 5);
    EXPECT_EQ_INT(buf.n, 501);
    EXPECT_EQ_STR(base_buf_cstr(&buf) + 499, "|5");
    base_buf_clear(&buf);
    base_buf_add_json_string(&buf, BASE_STR("a\"b\\c\n\x01\t\xc3\xa9/"));
    EXPECT_EQ_STR(base_buf_cstr(&buf), "\"a\\\"b\\\\c\\n\\u0001\\t\xc3\xa9/\"");
    base_buf_deinit(&buf);
    EXPECT(buf.p == NULL && buf.cap == 0);
}

TEST(hashes) {
    // The published check value of CRC-32C, and RFC 3720 B.4's 32 bytes of zeros.
    EXPECT_EQ_INT(base_crc32c(0, "123456789", 9), 0xe3069283);
    static const uint8_t zeros[32];
    EXPECT_EQ_INT(base_crc32c(0, zeros, 32), 0x8a9136aa);
    uint8_t bytes[300];
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)(i * 7);
    for (size_t n = 0; n < sizeof bytes; n++) {
        uint32_t whole = base_crc32c(0, bytes, n);
        EXPECT_EQ_INT(base_crc32c_portable(0, bytes, n), whole);
        EXPECT_EQ_INT(base_crc32c(base_crc32c(0, bytes, n / 3), bytes + n / 3, n - n / 3), whole);
    }
    // XXH3 of nothing with seed 0, by its specification; part of the formats on disk.
    EXPECT(base_hash64("", 0) == 0x2d06800538d394c2ull);
    EXPECT(base_hash64_seed("abc", 3, 0) == base_hash64("abc", 3));
    EXPECT(base_hash64_seed("abc", 3, 1) != base_hash64("abc", 3));
    uint8_t h[16];
    base_hash128("", 0, h);
    static const uint8_t nothing[16] = {0x99, 0xaa, 0x06, 0xd3, 0x01, 0x47, 0x98, 0xd8,
                                        0x60, 0x01, 0xc3, 0x24, 0x46, 0x8d, 0x49, 0x7f};
    EXPECT(memcmp(h, nothing, 16) == 0);
}

// Against a plain array, with many keys of few names so that put, get and remove meet.
TEST(maps) {
    base_map *map = base_map_create();
    void *expected[500] = {0};
    size_t count = 0;
    base_random random;
    base_random_seed(&random, 2);
    EXPECT(base_map_get(map, BASE_STR("x")) == NULL && base_map_remove(map, BASE_STR("x")) == NULL);
    for (int i = 0; i < 50000; i++) {
        size_t k = base_random_below(&random, 500);
        char name[16];
        base_str key = {name, (size_t)snprintf(name, sizeof name, "key%zu", k)};
        void *value = &expected[base_random_below(&random, 500)], *old;
        switch (base_random_below(&random, 3)) {
        case 0:
            old = base_map_put(map, key, value);
            EXPECT(old == expected[k]);
            count += expected[k] == NULL;
            expected[k] = value;
            break;
        case 1:
            EXPECT(base_map_remove(map, key) == expected[k]);
            count -= expected[k] != NULL;
            expected[k] = NULL;
            break;
        default:
            EXPECT(base_map_get(map, key) == expected[k]);
        }
        EXPECT_EQ_INT(base_map_count(map), count);
    }
    size_t seen = 0;
    base_str key;
    void *value;
    for (size_t i = 0; base_map_at(map, &i, &key, &value);) {
        EXPECT(expected[atoi(key.p + 3)] == value);
        seen++;
    }
    EXPECT_EQ_INT(seen, count);
    EXPECT(base_map_put(map, (base_str){NULL, 0}, map) == NULL);
    EXPECT(base_map_get(map, BASE_STR("")) == map);
    base_map_destroy(map);

    map = base_map_create();
    for (int i = 0; i < 100; i++) {
        char name[16];
        base_str name_str = {name, (size_t)snprintf(name, sizeof name, "%d", i)};
        base_map_put(map, name_str, map);
    }
    int next = 0;
    for (size_t i = 0; base_map_at(map, &i, &key, NULL); next++) EXPECT_EQ_INT(atoi(key.p), next);
    EXPECT_EQ_INT(next, 100);
    base_map_destroy(map);
}

TEST(random_numbers) {
    base_random a, b;
    base_random_seed(&a, 42);
    base_random_seed(&b, 42);
    for (int i = 0; i < 100; i++) EXPECT(base_random_u64(&a) == base_random_u64(&b));
    base_random_seed(&b, 43);
    EXPECT(base_random_u64(&a) != base_random_u64(&b));
    size_t counts[7] = {0};
    for (int i = 0; i < 70000; i++) {
        counts[base_random_below(&a, 7)]++;
        double unit = base_random_unit(&a);
        EXPECT(unit >= 0 && unit < 1);
    }
    for (int i = 0; i < 7; i++) EXPECT(counts[i] > 9500 && counts[i] < 10500);
    for (int i = 0; i < 100; i++) EXPECT_EQ_INT(base_random_below(&a, 1), 0);
}

TEST_MAIN(TEST_ENTRY(errors), TEST_ENTRY(error_cut_between_characters), TEST_ENTRY(arenas),
          TEST_ENTRY(strings), TEST_ENTRY(utf8), TEST_ENTRY(buffers), TEST_ENTRY(hashes),
          TEST_ENTRY(maps), TEST_ENTRY(random_numbers))
