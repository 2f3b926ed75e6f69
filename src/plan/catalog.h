// catalog.h - catalogue objects as the binder and the engine know them: read-only once made. An
// object is owned by its catalogue version; plans borrow it. Instances are kept by engine/catalog.
#ifndef WEIR_PLAN_CATALOG_H
#define WEIR_PLAN_CATALOG_H

#include "plan/expr.h"
#include "plan/final.h"
#include "plan/window.h"

typedef enum plan_object_kind {
    PLAN_OBJECT_STREAM,
    PLAN_OBJECT_TABLE,
    PLAN_OBJECT_VIEW, // materialised
    PLAN_OBJECT_SINK,
    PLAN_OBJECT_RECONCILIATION,
    PLAN_OBJECT_PLAIN_VIEW, // a name for a query, which takes its place
    PLAN_OBJECT_SYSTEM,     // weir.* and pg_catalog.*: rows made on demand by the engine
} plan_object_kind;

// What a column means to time; carried through projections so that a view knows its windows.
typedef enum plan_time_role {
    PLAN_TIME_NONE = 0,
    PLAN_TIME_EVENT,        // the watermark column of a stream
    PLAN_TIME_WINDOW_START, // of a window; window says which
    PLAN_TIME_WINDOW_END,
} plan_time_role;

typedef struct plan_column {
    const char *name;
    col_type type;
    bool not_null;
    bool always_null;               // SYSTEM: null in every row; the binder may rely on it
    bool hidden;                    // not shown by *: _status, _revision, _updated_at, ...
    const char *comment;            // or NULL
    const plan_expr *default_value; // streams and tables; or NULL
    plan_time_role time_role;
    const plan_window *window; // with WINDOW_START / WINDOW_END
} plan_column;

// When the window of a row ends (an instant), by the row's value of a column with a role;
// INT64_MAX: null, or the value does not say.
int64_t plan_column_window_end(const plan_column *column, const col_vec *values, uint32_t row);

typedef struct plan_check {
    const char *name;      // "order_placed_qty_check", as PostgreSQL would name it
    const plan_expr *expr; // over the object's columns; fails only if false
    const char *text;      // SQL text of the expression
} plan_check;

typedef struct plan_option {
    const char *name; // lower case
    const char *value;
} plan_option;

typedef struct plan_node plan_node;

typedef struct plan_object {
    plan_object_kind kind;
    uint32_t id;                 // unique for ever in a data directory; also its OID in pg_catalog
#define PLAN_CALL_ID_STEP 65536u // an object that is called in FROM: its id and so many a call
    const char *schema;
    const char *name;
    const char *comment;    // or NULL
    const char *definition; // the SQL text of the statement that made it
    uint32_t ncolumns;
    const plan_column *columns;
    uint32_t noptions;
    const plan_option *options; // WITH (...), as given

    // SYSTEM: texts that it is called with, FROM weir.name('a', 'b'); given only where it is
    // called. VIEW: the instants that it is read as of by weir.as_of() (query.c).
    uint32_t narguments;
    const char *const *arguments;

    bool always_empty; // SYSTEM: never has a row, e.g. pg_policy; the binder may rely on it

    // Streams and tables.
    uint32_t nkey;
    const uint32_t *key; // business key: column indexes; nkey 0: none
    uint32_t nchecks;
    const plan_check *checks;
    int32_t event_time;         // column of the watermark, or -1
    const plan_expr *watermark; // over the columns, of the event_time column's type; or NULL
    double watermark_share; // PERCENTILE: of the records that are to be on time; 0: none is learnt
    int64_t watermark_least_us; // limits of a learnt delay
    int64_t watermark_most_us;
    uint32_t watermark_at, watermark_to; // WATERMARK FOR ... in the definition, bytes
    struct engine_rules *rules; // of its records, by their place in the log; NULL: not in the
                                // catalogue (engine/finality/rules.h)
    bool has_sequence;          // SEQUENCE (source, number): a producer's numbers have no gaps
    int32_t sequence_source;    // column, or -1: there is one producer
    int32_t sequence_number;    // column
    int32_t effective_time;     // column, or -1
    const char *owner;          // or NULL
    uint32_t version;           // of the contract, or of a materialised view; from 1
    uint32_t partitions;        // from 1
    int64_t retention_us;       // 0: for ever
    uint64_t retention_bytes;   // 0: no limit
    int64_t dedup_horizon_us;   // by event time; 0: for ever
    bool limits_lateness;       // records later than max_lateness_us are refused (max_lateness)
    int64_t max_lateness_us;    // below the watermark of their partition
    bool limits_ahead;          // records whose event time is more than max_ahead_us after their
    int64_t max_ahead_us;       // arrival are refused there (max_ahead)
    int64_t idle_timeout_us;    // a partition silent so long holds no watermark back
    bool retractable;           // stream: records may take earlier events back (retractions)

    // Views of both kinds.
    const plan_node *plan; // output columns = columns; of a plain view: as bound, not optimised
    uint32_t nuses;        // objects that the query names, beside those that the plan scans
    const uint32_t *uses;  // ids: plain views, and what the plan needs not read
    const char *query;     // plain view: its text

    // Materialised views.
    uint32_t state_id;       // names the tables of its operators' state; 0: its id
    uint32_t version_of;     // a version beside the view of this id; 0: a view itself
    bool is_replay;          // a version that a replay makes, to become the view and go
    uint32_t former_version; // the version that it replaced; 0: none
    uint64_t history_lost;   // records that retention had taken when the version was made
    uint32_t nview_key;
    const uint32_t *view_key; // columns that identify a row; 0: the whole row is its identity
    int32_t window_column;    // column whose value says when the row's window ends, or -1
    int64_t refresh_us;       // 0: immediate
    int64_t lateness_us;
    int64_t freshness_us;     // objective; 0: none
    int64_t history_us;       // how far back it can be read as of; 0: as the configuration keeps
#define PLAN_HISTORY_OFF (-1) // not before its last change
    int64_t ledger_us;        // how long its revisions are kept; 0: for ever, -1: none is
    bool emit_on_close;       // EMIT ON WINDOW CLOSE
    plan_finality finality;   // when its windows are final: lateness_us and the calendar
    int64_t early_us;         // emit_on_close: rows also come before, at this cadence; 0: they wait

    // Sinks and reconciliations: `from` is the view they stand on; a reconciliation's may be a
    // stream.
    const struct plan_object *from;
    const char *connector; // sink: 'webhook', 'file'; reconciliation: a book (engine/recon/book.h)
    int64_t max_keep_us;   // sink: how long undelivered changes are kept for it; 0: for ever
    uint64_t max_keep_bytes; // and how many of them; 0: no limit
    const char *path;        // reconciliation: file of record
    const char *format;      // 'csv' or 'ndjson'
    uint32_t nrecon_key;
    const uint32_t *recon_key; // columns of `from`
    uint32_t ncompare;
    const struct plan_compare *compare;
    int64_t every_us;    // 0: on demand only
    plan_finality daily; // reconciliation, by_calendar: not each interval, but at this time of day
    const plan_expr *filter; // optional WHERE over `from`'s columns; or NULL
    int64_t settle_us;       // what is younger is not judged, findings are seen twice; 0: at once
    bool settles;            // SETTLE was said, if only of nothing
    int32_t settle_column;   // of `from`: how old a row is, on both sides; -1: not asked
    const struct plan_object *book;       // another view as the book; or NULL
    const struct plan_object *explain_by; // a reconciliation of a stream; or NULL
    bool explain_events;                  // the events that make up a figure are looked up
    const struct plan_remedy *remedy;     // what it does about what it finds; NULL: it reports
} plan_object;

// ON MISMATCH BACKFILL | CORRECT (plan/remedy.h says what the expressions stand on).
typedef struct plan_remedy {
    bool corrects;                  // else it only appends what is missing
    const struct plan_object *into; // the stream or table that it appends to
    uint32_t nset;
    const uint32_t *set_columns; // of `into`
    const plan_expr *const *set;
    // What is more than any of these waits for a person; negative: no such limit.
    int64_t limit_rows;
    base_decimal limit_percent; // of the keys that were compared
    base_decimal limit_total;   // sum of the absolute differences
} plan_remedy;

typedef struct plan_compare {
    uint32_t column;        // of `from`
    base_decimal tolerance; // 0: exact
    bool percent;           // of the book's value, which tolerance then is; else absolute
} plan_compare;

// How the binder asks for objects. schema NULL: search path (the session's schema, then public,
// then pg_catalog). NULL: not there.
typedef struct plan_catalog {
    void *self;
    const plan_object *(*find)(void *self, const char *schema, const char *name);
    bool (*schema_exists)(void *self, const char *schema);
} plan_catalog;

// Which tables of a flow's store are its operators'.
static inline uint32_t plan_object_state_id(const plan_object *view) {
    return view->state_id != 0 ? view->state_id : view->id;
}

const char *
plan_object_kind_name(plan_object_kind kind); // "stream", "table", "materialized view", ...
// Whether two scans read the same rows: of one object, called with the same arguments if any.
bool plan_object_same(const plan_object *a, const plan_object *b);
const char *plan_option_get(const plan_object *object, const char *name); // or NULL
// Whether it reads object `id`, names it or is made from it.
bool plan_object_stands_on(const plan_object *object, uint32_t id);
int32_t plan_column_find(const plan_object *object, const char *name); // -1: none

#endif
