// book.h - the other side of a reconciliation: a book that weir's rows or events are compared with.
// A connector is a small table of functions. The engine has two itself (a file, another view); the
// others stand in src/connect and are registered with the engine when it is connected.
//
// A run opens the book once, reads, and closes it. What it reads between is one snapshot of the
// book, where the book has such a thing. Rows may come in any order: whoever compares sorts them by
// weir's own encoding of their key, so that no collation matters.
//
// Digests, for books that can compute: rows are counted, and the first 60 bits of the MD5 of their
// canonical text (canon.h) added up, by range of *positions*. The position of a row is its key, if
// that is a single integer on both sides (`by_value`; of NULL the least integer), else the first 60
// bits of the MD5 of the key's canonical text. So both sides cut the keys into the same ranges, and
// a range whose count and sum agree need not be read. Sums of 60-bit pieces: two sets of rows that
// differ have the same sum with a chance of 2^-60.
//
// Owner: whoever opened it, with one thread. Errors name the book (never a password) and carry the
// book's own words; sqlstate is 08006 if it cannot be reached, 57014 after a timeout.
#ifndef WEIR_ENGINE_BOOK_H
#define WEIR_ENGINE_BOOK_H

#include "engine/engine.h"

typedef struct engine_book engine_book;

typedef struct engine_book_field {
    const char *name;
    col_type type; // in which the book's value is wanted
    bool needed;   // else it is taken if the book has it
} engine_book_field;

typedef struct engine_book_range {
    int64_t from, to; // positions, both inside
} engine_book_range;
#define ENGINE_BOOK_RANGES_MAX 4096u // asked for at once

typedef struct engine_book_digest {
    uint64_t rows;
    unsigned __int128 sum;
} engine_book_digest;

// What a run wants of a book; outlives it. Fields: the key's, the compared ones, then others.
typedef struct engine_book_spec {
    engine *engine;
    const engine_session *session;     // whose statement it is; NULL: nobody waits
    const plan_object *reconciliation; // connector, options
    uint32_t nkey, ncompare, nfields;
    const engine_book_field *fields;
    int32_t settle_field;  // how old a row is; -1: not asked
    uint64_t memory_bytes; // that it may take
} engine_book_spec;

// At most 8,192 rows, columns as the fields; those that the book has not are null. The batch and
// its strings end with the call. lines (may be NULL): where each row stands, for messages.
typedef base_rc engine_book_visit(void *arg, const col_batch *rows, const uint32_t *lines,
                                  base_error *err);

typedef struct engine_book_ops {
    const char *connector;
    // Takes the snapshot. On error nothing is left open.
    base_rc (*open)(const engine_book_spec *spec, base_arena *arena, engine_book **out,
                    base_error *err);
    // Rows whose positions are in the ranges, which are disjoint and ascend; nranges 0: all rows.
    // Ranges are only asked of a book that digests.
    base_rc (*read)(engine_book *book, uint32_t nranges, const engine_book_range *ranges,
                    engine_book_visit *visit, void *arg, base_error *err);
    // Of each range, of rows that are not younger than settled_us (INT64_MAX: of all). NULL:
    // cannot.
    base_rc (*digest)(engine_book *book, uint32_t nranges, const engine_book_range *ranges,
                      int64_t settled_us, engine_book_digest *out, base_error *err);
    void (*close)(engine_book *book);
} engine_book_ops;

struct engine_book {
    const engine_book_ops *ops;
    const engine_book_spec *spec;
    bool *has;               // a field each; in the arena of open
    bool digests;            // digest may be asked
    bool by_value;           // what positions are
    const char *name;        // for the history: a path, an address; no password
    uint64_t bytes;          // that went over the wire, both ways, as far as the library says
    uint64_t statements;     // or requests
    uint64_t content_digest; // XXH3 of what was read, if it is one text; else 0
    int64_t fed_us;          // of a view: what came before it is in its rows; else 0
};

// Whether the run is to end now: the engine closes, or the statement was cancelled or is out of
// time. To be asked at least once a second; then reading fails with BASE_E_CANCELLED.
bool engine_book_stopped(const engine_book_spec *spec);

// Before the first run. ops outlive the engine.
void engine_book_register(engine *e, const engine_book_ops *ops);
#define ENGINE_BOOK_CONNECTORS_MAX 8u

// A book that is one text of rows: CSV with a header, NDJSON, or one JSON array, as the option
// format says. Whoever opens it fills in the text; it is read as often as is asked, and freed by
// close.
typedef struct engine_text_book {
    engine_book book;
    base_buf text;
    const char *label; // for messages: what the text is
    base_arena *arena;
} engine_text_book;
// name: book.name; arena: of open.
void engine_text_book_init(engine_text_book *t, const engine_book_ops *ops,
                           const engine_book_spec *spec, base_arena *arena, const char *name,
                           const char *label);
// After the last byte of the text: its digest, unless it has one, and room that readers need.
void engine_text_book_finish(engine_text_book *t);
base_rc engine_text_book_read(engine_book *book, uint32_t nranges, const engine_book_range *ranges,
                              engine_book_visit *visit, void *arg, base_error *err);
void engine_text_book_close(engine_book *book);

#endif
