// Any bytes as a compressed body: the same in one piece as in many, and never beyond the limit.
#include "base/must.h"
#include "wire/inflate.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

#define LIMIT_BYTES 100000

static base_rc unpack(wire_coding coding, base_str in, size_t piece, base_buf *out) {
    wire_inflate *inflate = wire_inflate_create(coding, LIMIT_BYTES);
    base_error err;
    base_rc rc = BASE_OK;
    for (size_t at = 0; at < in.n && rc == BASE_OK; at += piece) {
        size_t left = in.n - at;
        rc = wire_inflate_feed(inflate, (base_str){in.p + at, left < piece ? left : piece}, out,
                               &err);
    }
    if (rc == BASE_OK) rc = wire_inflate_finish(inflate, &err);
    wire_inflate_destroy(inflate);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    if (n < 2) return 0;
    wire_coding coding = bytes[0] % 2 == 0 ? WIRE_CODING_GZIP : WIRE_CODING_ZSTD;
    size_t piece = 1u + bytes[1];
    char *copy = malloc(n - 2 + 1);
    memcpy(copy, bytes + 2, n - 2);
    base_str in = {copy, n - 2};
    base_buf whole = {0}, pieces = {0};
    base_rc rc = unpack(coding, in, SIZE_MAX / 2, &whole);
    base_rc in_pieces = unpack(coding, in, piece, &pieces);
    // libzstd refuses a false content size of an empty frame only if it sees the frame at once.
    if (coding == WIRE_CODING_GZIP) must(in_pieces == rc);
    must(whole.n <= LIMIT_BYTES + 1 && pieces.n <= LIMIT_BYTES + 1);
    if (rc == BASE_OK && in_pieces == BASE_OK)
        must(base_str_eq(base_buf_str(&whole), base_buf_str(&pieces)));
    base_buf_deinit(&whole);
    base_buf_deinit(&pieces);
    free(copy);
    return 0;
}
