// recon_file.c - a file as the book: CSV with a header or NDJSON, also packed (.gz, .zst). It is
// read as a whole when it is opened: that is the snapshot. Entry point: engine_book_file.

#include <string.h>

#include "base/hash.h"
#include "base/must.h"
#include "engine/recon/recon_int.h"
#include "wire/inflate.h"

#define INFLATE_IN (256u << 10)

static bool has_suffix(const char *path, const char *suffix) {
    size_t n = strlen(path), m = strlen(suffix);
    return n > m && strcmp(path + n - m, suffix) == 0;
}

static base_rc unpack(const char *path, wire_coding coding, size_t limit, base_buf *buf,
                      base_error *err) {
    wire_inflate *inflate = wire_inflate_create(coding, limit);
    base_buf out = {0};
    base_rc rc = BASE_OK;
    for (size_t at = 0; rc == BASE_OK && at < buf->n; at += INFLATE_IN) {
        size_t n = buf->n - at < INFLATE_IN ? buf->n - at : INFLATE_IN;
        rc = wire_inflate_feed(inflate, (base_str){buf->p + at, n}, &out, err);
    }
    if (rc == BASE_OK) rc = wire_inflate_finish(inflate, err);
    wire_inflate_destroy(inflate);
    base_buf_deinit(buf);
    *buf = out;
    if (rc != BASE_OK) base_error_prefix(err, "file \"%s\"", path);
    return rc;
}

static base_rc file_open(const engine_book_spec *spec, base_arena *arena, engine_book **out,
                         base_error *err) {
    const plan_object *r = spec->reconciliation;
    engine_text_book *f = base_arena_new(arena, engine_text_book);
    engine_text_book_init(f, &engine_book_file, spec, arena, r->path,
                          base_arena_printf(arena, "file \"%s\"", r->path));
    // Offsets in the text are 32 bits.
    size_t limit = spec->memory_bytes < UINT32_MAX ? (size_t)spec->memory_bytes : UINT32_MAX;
    base_rc rc = plat_read_file(engine_plat(spec->engine), r->path, limit, &f->text, err);
    f->book.bytes = f->text.n;
    // Of the file as it lies there.
    f->book.content_digest = rc == BASE_OK ? base_hash64(f->text.p, f->text.n) : 0;
    wire_coding coding = has_suffix(r->path, ".gz")    ? WIRE_CODING_GZIP
                         : has_suffix(r->path, ".zst") ? WIRE_CODING_ZSTD
                                                       : WIRE_CODING_NONE;
    if (rc == BASE_OK && coding != WIRE_CODING_NONE)
        rc = unpack(r->path, coding, limit, &f->text, err);
    if (rc != BASE_OK) {
        base_buf_deinit(&f->text);
        return rc;
    }
    engine_text_book_finish(f);
    *out = &f->book;
    return BASE_OK;
}

const engine_book_ops engine_book_file = {"file", file_open, engine_text_book_read, NULL,
                                          engine_text_book_close};
