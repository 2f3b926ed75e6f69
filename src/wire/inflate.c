// inflate.c - gzip (zlib) and zstd, in steps. Output grows by chunks and is limited before each, so
// a bomb costs at most one chunk more than its limit.
// Invariant: between feeds, `open` tells whether a member or frame is unfinished; what follows a
// finished one must begin another.
// Entry point: wire_inflate_feed.
#include "wire/inflate.h"
#include "base/must.h"

#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

#define CHUNK_BYTES     (64u << 10)
#define ZSTD_WINDOW_LOG 27 // 128 MB: the most memory that a frame may ask for

// Here "inflate" is still zlib's.
static int gzip_step(z_stream *z) {
    return inflate(z, Z_NO_FLUSH);
}

struct wire_inflate {
    wire_coding coding;
    bool open;        // inside a member or frame
    uint64_t in_all;  // bytes taken, for messages
    uint64_t out_all; // bytes given
    uint64_t limit_bytes;
    z_stream gzip;
    ZSTD_DCtx *zstd;
};

wire_inflate *wire_inflate_create(wire_coding coding, uint64_t limit_bytes) {
    wire_inflate *inflate = calloc(1, sizeof *inflate);
    must(inflate != NULL);
    inflate->coding = coding;
    inflate->limit_bytes = limit_bytes;
    if (coding == WIRE_CODING_GZIP) {
        must(inflateInit2(&inflate->gzip, 15 + 16) == Z_OK); // 16: a gzip header, and no other
    } else if (coding == WIRE_CODING_ZSTD) {
        inflate->zstd = ZSTD_createDCtx();
        must(inflate->zstd != NULL);
        size_t rc = ZSTD_DCtx_setParameter(inflate->zstd, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG);
        must(!ZSTD_isError(rc));
    }
    return inflate;
}

void wire_inflate_destroy(wire_inflate *inflate) {
    if (inflate == NULL) return;
    if (inflate->coding == WIRE_CODING_GZIP) inflateEnd(&inflate->gzip);
    if (inflate->zstd != NULL) ZSTD_freeDCtx(inflate->zstd);
    free(inflate);
}

static base_rc fail_limit(const wire_inflate *inflate, base_error *err) {
    base_rc rc = base_fail(err, BASE_E_LIMIT, BASE_SQLSTATE_LIMIT,
                           "the uncompressed body is larger than the limit of %llu bytes",
                           (unsigned long long)inflate->limit_bytes);
    base_error_hint(err, "Send it in several smaller requests.");
    return rc;
}

static base_rc fail_damaged(const wire_inflate *inflate, const char *what, const char *why,
                            base_error *err) {
    return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_INVALID_TEXT,
                     "damaged %s data near byte %llu: %s", what,
                     (unsigned long long)inflate->in_all, why == NULL ? "not the format" : why);
}

// Room for one chunk; one byte more than the limit shows that it is passed.
static size_t next_room(const wire_inflate *inflate, base_buf *out) {
    uint64_t given = inflate->out_all, limit = inflate->limit_bytes;
    uint64_t left = given < limit ? limit - given : 0;
    size_t room = left < CHUNK_BYTES ? (size_t)left + 1 : CHUNK_BYTES;
    base_buf_reserve(out, room);
    return room;
}

static base_rc feed_none(wire_inflate *inflate, base_str in, base_buf *out, base_error *err) {
    inflate->out_all += in.n;
    if (inflate->out_all > inflate->limit_bytes) return fail_limit(inflate, err);
    base_buf_add_str(out, in);
    inflate->in_all += in.n;
    return BASE_OK;
}

static base_rc feed_gzip(wire_inflate *inflate, base_str in, base_buf *out, base_error *err) {
    z_stream *z = &inflate->gzip;
    size_t used = 0, made, room;
    do {
        if (!inflate->open) { // another member
            if (used == in.n) break;
            must(inflateReset(z) == Z_OK);
            inflate->open = true;
        }
        room = next_room(inflate, out);
        size_t left = in.n - used;
        uInt give = left > (1u << 30) ? (1u << 30) : (uInt)left;
        z->next_in = (Bytef *)(uintptr_t)(in.p + used); // zlib does not write to it
        z->avail_in = give;
        z->next_out = (Bytef *)out->p + out->n;
        z->avail_out = (uInt)room;
        int rc = gzip_step(z);
        made = room - z->avail_out;
        used += give - z->avail_in;
        inflate->in_all += give - z->avail_in;
        inflate->out_all += made;
        out->n += made;
        if (inflate->out_all > inflate->limit_bytes) return fail_limit(inflate, err);
        if (rc == Z_STREAM_END) {
            inflate->open = false;
        } else if (rc != Z_OK && rc != Z_BUF_ERROR) { // BUF_ERROR: no progress without more input
            return fail_damaged(inflate, "gzip", z->msg, err);
        }
    } while (used < in.n || made == room);
    return BASE_OK;
}

static base_rc feed_zstd(wire_inflate *inflate, base_str in, base_buf *out, base_error *err) {
    ZSTD_inBuffer from = {in.p, in.n, 0};
    ZSTD_outBuffer to;
    do {
        size_t taken = from.pos;
        to = (ZSTD_outBuffer){NULL, next_room(inflate, out), 0};
        to.dst = out->p + out->n;
        size_t rc = ZSTD_decompressStream(inflate->zstd, &to, &from);
        taken = from.pos - taken;
        inflate->in_all += taken;
        inflate->out_all += to.pos;
        out->n += to.pos;
        if (ZSTD_isError(rc)) return fail_damaged(inflate, "zstd", ZSTD_getErrorName(rc), err);
        if (inflate->out_all > inflate->limit_bytes) return fail_limit(inflate, err);
        if (taken > 0 || to.pos > 0) inflate->open = rc != 0;
    } while (from.pos < from.size || to.pos == to.size);
    return BASE_OK;
}

base_rc wire_inflate_feed(wire_inflate *inflate, base_str in, base_buf *out, base_error *err) {
    if (in.n == 0) return BASE_OK;
    switch (inflate->coding) {
    case WIRE_CODING_GZIP:
        return feed_gzip(inflate, in, out, err);
    case WIRE_CODING_ZSTD:
        return feed_zstd(inflate, in, out, err);
    default:
        return feed_none(inflate, in, out, err);
    }
}

base_rc wire_inflate_finish(wire_inflate *inflate, base_error *err) {
    bool none = inflate->coding == WIRE_CODING_NONE;
    if (none || (!inflate->open && inflate->in_all > 0)) return BASE_OK;
    return base_fail(
        err, BASE_E_INVALID, BASE_SQLSTATE_INVALID_TEXT, "the %s data is truncated after byte %llu",
        inflate->coding == WIRE_CODING_GZIP ? "gzip" : "zstd", (unsigned long long)inflate->in_all);
}
