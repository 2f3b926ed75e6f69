// finding.h - what a run of a reconciliation has found: for each key that does not agree, what kind
// of disagreement it is, the values of both sides, and where weir's events stand in the log. This
// is all that listing (recon_list.c), explaining and remedies need; nothing here refers to the
// book, which is closed by then.
//
// Owner: the run's arena. Threads: the run's.
#ifndef WEIR_ENGINE_FINDING_H
#define WEIR_ENGINE_FINDING_H

#include "engine/engine_int.h"

typedef enum engine_finding_kind {
    ENGINE_FINDING_MISSING = 1,        // in the book, not in weir
    ENGINE_FINDING_UNEXPECTED,         // in weir, not in the book
    ENGINE_FINDING_DIFFERING,          // once on each side, and a compared column does not agree
    ENGINE_FINDING_DUPLICATED,         // more than once in weir: there is nothing to compare with
    ENGINE_FINDING_DUPLICATED_IN_BOOK, // more than once in the book
} engine_finding_kind;

// One event in the log of the stream that the reconciliation stands on.
typedef struct engine_finding_place {
    uint32_t partition;
    uint32_t zero;
    uint64_t offset;
} engine_finding_place;

typedef struct engine_finding {
    engine_finding_kind kind;
    // Not judged yet: it has to be seen again after the settling time. Never act on these.
    bool pending;
    uint64_t digest; // of kind and values: the same finding in another run has the same
    int64_t weir_count, book_count; // rows of the key on each side
    int64_t first_seen_us;          // the instant of the run that saw it first, as it is
    // Events of the key in the log, by partition and offset; none for a view, or if missing. Of
    // more than ENGINE_FINDING_PLACES the first.
    uint32_t nplaces;
    const engine_finding_place *places;
    // Of a view with EXPLAIN EVENTS: "orders 0/12, orders 0/17"; or NULL.
    const char *events;
    const char *status; // the view's row: "final", "provisional", ...; NULL: none
    // Why, where the run could say: "order 4711 is missing (19.90)"; or NULL.
    const char *reason;
} engine_finding;
#define ENGINE_FINDING_PLACES 16u

// The findings in the order of their keys' encodings. Row i of each batch belongs to items[i]; the
// cells of a side that has no such row are null (weir_count, book_count say so).
typedef struct engine_findings {
    uint32_t n;
    engine_finding *items;
    const col_batch *keys; // the KEY columns, types of the view's or stream's
    const col_batch *weir; // the COMPARE columns, types of the view's or stream's; of duplicated
                           // rows the first
    const col_batch *book; // columns book_columns[] of the view or stream, in the types in which
                           // the book is read (engine_recon_record_type): KEY, COMPARE, then what
                           // more the book gives under the name of a column of the stream
    uint32_t nbook_columns;
    const uint32_t *book_columns; // of reconciliation->from
    uint64_t unlisted;            // found beyond ENGINE_FINDINGS_MAX, counted in the run by kind
} engine_findings;
#define ENGINE_FINDINGS_MAX 100000u // kept of a run, confirmed and pending together

const char *engine_finding_kind_name(engine_finding_kind kind); // "missing", ...

#endif
