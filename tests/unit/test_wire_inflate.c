// gzip and zstd streams: in any pieces, several in a row, damaged, truncated, and bombs.
#include "base/random.h"
#include "test.h"
#include "wire/inflate.h"

#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

static void pack_gzip(base_str in, base_buf *out) {
    z_stream z;
    memset(&z, 0, sizeof z);
    if (deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) abort();
    size_t bound = deflateBound(&z, in.n);
    base_buf_reserve(out, bound);
    z.next_in = (Bytef *)(uintptr_t)in.p;
    z.avail_in = (uInt)in.n;
    z.next_out = (Bytef *)out->p + out->n;
    z.avail_out = (uInt)bound;
    if (deflate(&z, Z_FINISH) != Z_STREAM_END) abort();
    out->n += z.total_out;
    deflateEnd(&z);
}

static void pack(wire_coding coding, base_str in, base_buf *out) {
    if (coding == WIRE_CODING_GZIP) {
        pack_gzip(in, out);
    } else if (coding == WIRE_CODING_ZSTD) {
        size_t bound = ZSTD_compressBound(in.n);
        base_buf_reserve(out, bound);
        size_t n = ZSTD_compress(out->p + out->n, bound, in.p, in.n, 3);
        if (ZSTD_isError(n)) abort();
        out->n += n;
    } else {
        base_buf_add_str(out, in);
    }
}

static base_rc unpack(wire_coding coding, base_str in, size_t piece, uint64_t limit, base_buf *out,
                      base_error *err) {
    wire_inflate *inflate = wire_inflate_create(coding, limit);
    base_rc rc = BASE_OK;
    for (size_t at = 0; at < in.n && rc == BASE_OK; at += piece) {
        size_t n = in.n - at < piece ? in.n - at : piece;
        rc = wire_inflate_feed(inflate, (base_str){in.p + at, n}, out, err);
    }
    if (rc == BASE_OK) rc = wire_inflate_finish(inflate, err);
    wire_inflate_destroy(inflate);
    return rc;
}

static void make_text(base_buf *text, size_t n) {
    base_random random;
    base_random_seed(&random, 9);
    while (text->n < n) base_buf_printf(text, "{\"v\":%u}\n", (unsigned)base_random_u64(&random));
    text->n = n;
}

static const wire_coding codings[] = {WIRE_CODING_NONE, WIRE_CODING_GZIP, WIRE_CODING_ZSTD};

TEST(round_trip_in_pieces) {
    // Around the chunk's size, where a full room means that more may come.
    static const size_t sizes[] = {1, 1000, 65535, 65536, 65537, 131072, 300000};
    static const size_t pieces[] = {1, 7, 4096, 1 << 20};
    for (size_t c = 0; c < 3; c++) {
        for (size_t s = 0; s < 7; s++) {
            base_buf text = {0}, packed = {0};
            make_text(&text, sizes[s]);
            pack(codings[c], base_buf_str(&text), &packed);
            for (size_t p = 0; p < 4; p++) {
                base_buf out = {0};
                base_error err = {0};
                base_rc rc =
                    unpack(codings[c], base_buf_str(&packed), pieces[p], sizes[s], &out, &err);
                if (rc != BASE_OK) fprintf(stderr, "%zu %zu: %s\n", s, p, err.message);
                EXPECT_EQ_INT(rc, BASE_OK);
                EXPECT(base_str_eq(base_buf_str(&out), base_buf_str(&text)));
                base_buf_deinit(&out);
            }
            base_buf_deinit(&text);
            base_buf_deinit(&packed);
        }
    }
}

TEST(members_in_a_row) {
    for (size_t c = 1; c < 3; c++) {
        base_buf packed = {0}, out = {0};
        base_error err = {0};
        pack(codings[c], BASE_STR("one "), &packed);
        pack(codings[c], BASE_STR(""), &packed);
        pack(codings[c], BASE_STR("two"), &packed);
        EXPECT_EQ_INT(unpack(codings[c], base_buf_str(&packed), 5, 100, &out, &err), BASE_OK);
        EXPECT_EQ_STR(base_buf_cstr(&out), "one two");
        base_buf_deinit(&packed);
        base_buf_deinit(&out);
    }
}

TEST(truncation_at_every_byte) {
    for (size_t c = 1; c < 3; c++) {
        base_buf text = {0}, packed = {0};
        make_text(&text, 2000);
        pack(codings[c], base_buf_str(&text), &packed);
        for (size_t n = 0; n < packed.n; n++) {
            base_buf out = {0};
            base_error err = {0};
            EXPECT_EQ_INT(unpack(codings[c], (base_str){packed.p, n}, 100, 1 << 20, &out, &err),
                          BASE_E_INVALID);
            EXPECT(strstr(err.message, "truncated") != NULL);
            EXPECT_EQ_STR(err.sqlstate, "22P02");
            base_buf_deinit(&out);
        }
        base_buf_deinit(&text);
        base_buf_deinit(&packed);
    }
}

TEST(damage_is_found) {
    for (size_t c = 1; c < 3; c++) {
        base_buf text = {0}, packed = {0};
        make_text(&text, 2000);
        pack(codings[c], base_buf_str(&text), &packed);
        // gzip has a checksum; zstd's block content is checked by its structure only.
        packed.p[packed.n / 2] ^= 0x55;
        base_buf out = {0};
        base_error err = {0};
        base_rc rc = unpack(codings[c], base_buf_str(&packed), 64, 1 << 20, &out, &err);
        EXPECT(rc != BASE_OK || !base_str_eq(base_buf_str(&out), base_buf_str(&text)));
        if (codings[c] == WIRE_CODING_GZIP) {
            EXPECT_EQ_INT(rc, BASE_E_INVALID);
            EXPECT(strstr(err.message, "damaged gzip data near byte") != NULL);
        }
        base_buf_clear(&out);
        EXPECT_EQ_INT(unpack(codings[c], BASE_STR("this is no such stream"), 64, 100, &out, &err),
                      BASE_E_INVALID);
        packed.n = 0;
        pack(codings[c], BASE_STR("good"), &packed);
        base_buf_add_cstr(&packed, "rubbish after the end");
        EXPECT_EQ_INT(unpack(codings[c], base_buf_str(&packed), 64, 100, &out, &err),
                      BASE_E_INVALID);
        base_buf_deinit(&text);
        base_buf_deinit(&packed);
        base_buf_deinit(&out);
    }
}

TEST(bombs_stop_at_the_limit) {
    base_buf zeros = {0};
    base_buf_reserve(&zeros, 64u << 20);
    memset(zeros.p, 0, 64u << 20);
    zeros.n = 64u << 20;
    for (size_t c = 0; c < 3; c++) {
        base_buf packed = {0}, out = {0};
        base_error err = {0};
        pack(codings[c], base_buf_str(&zeros), &packed);
        EXPECT_EQ_INT(unpack(codings[c], base_buf_str(&packed), 4096, 1 << 20, &out, &err),
                      BASE_E_LIMIT);
        EXPECT_EQ_STR(err.sqlstate, "54000");
        EXPECT(out.n <= (1u << 20) + 1);
        base_buf_deinit(&packed);
        base_buf_deinit(&out);
    }
    base_buf_deinit(&zeros);
}

TEST_MAIN(TEST_ENTRY(round_trip_in_pieces), TEST_ENTRY(members_in_a_row),
          TEST_ENTRY(truncation_at_every_byte), TEST_ENTRY(damage_is_found),
          TEST_ENTRY(bombs_stop_at_the_limit))
