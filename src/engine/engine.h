// engine.h - weir as a library: a data directory with its catalogue, log, flows and views;
// statements in, events in, rows and changes out. The listeners (server/), connectors (connect/)
// and commands (cli/) stand on this header alone.
//
// Two ways to run: with threads (engine_config.threads: each flow steps on its own thread, as a
// server does) or without (the caller drives engine_tick; `weir run` and simulations do). Threads:
// every function may be called from any thread unless it says otherwise.
#ifndef WEIR_ENGINE_ENGINE_H
#define WEIR_ENGINE_ENGINE_H

#include "base/arena.h"
#include "base/error.h"
#include "col/batch.h"
#include "plan/catalog.h"
#include "plat/plat.h"
#include "state/state.h"

typedef struct engine engine;

typedef enum engine_level { ENGINE_INFO, ENGINE_WARNING, ENGINE_ERROR } engine_level;

typedef struct engine_config {
    const char *dir;             // the data directory; created if absent
    bool threads;                // run flows and schedules on own threads
    uint32_t cores;              // that a flow's step may use; 0: all with threads, else one
    uint32_t part_rows;          // that are worth a core's help; 0: by the work (tests: few)
    bool state_no_sync;          // commits without fsync (bench only)
    bool dedup_off;              // bench only
    uint64_t cache_bytes;        // a flow's operator caches; 0: 256 MiB
    uint32_t batch_rows;         // 0: 65,536
    uint64_t step_bytes;         // log bytes a step takes at most; 0: 128 MiB
    uint64_t journal_bytes;      // of a flow, at a checkpoint; 0: 64 MiB, half of it if the
                                 // flow has an interval
    uint64_t segment_bytes;      // of a stream's log files; 0: log's default
    uint64_t query_memory_bytes; // an ad-hoc query; 0: 1 GiB
    uint64_t changes_keep_steps; // change log a view keeps beyond what its readers need; 0: 100,000
    // Simulations: where the state of a directory lives; NULL: LMDB on disk.
    state_memory *(*memory_for)(void *arg, const char *dir);
    void *memory_arg;
    // Operator's messages, one line each; NULL: standard error. Any thread.
    void (*message)(void *arg, engine_level level, const char *text);
    void *message_arg;
} engine_config;

// Opens (and recovers) a data directory; one process at a time (a lock file says who). A flow whose
// store cannot be opened fails alone: its views answer with its error until it can be, or until
// REBUILD FLOW makes it anew.
BASE_MUST_USE base_rc engine_open(plat *plat, const engine_config *config, engine **out,
                                  base_error *err);
void engine_close(engine *e); // stops threads at a step boundary

// ---- Statements -------------------------------------------------------------------------------

#define ENGINE_SESSION_SETTINGS 40

// What differs from the defaults, by the setting's number (setting.c).
typedef struct engine_settings {
    const base_zone *zone;
    char schema_name[128]; // of search_path; "": public
    bool has_effective;    // weir.effective_as_of is set:
    int64_t effective_us;  // what is effective after it does not count
    char values[ENGINE_SESSION_SETTINGS][64];
    uint64_t made; // bit i: values[i] counts
} engine_settings;

typedef struct engine_session {
    engine *engine;
    const char *user, *database,
        *schema; // schema: default "public"; owned by whoever made the session
    const base_zone *zone;
    uint32_t pid;         // shown by pg_backend_pid()
    volatile bool cancel; // set by another thread to stop the running statement
    int64_t deadline_us;  // monotonic microseconds; 0: none
    // Settings. The session may not be moved once one was made: schema may point into it.
    engine_settings settings;
    engine_settings at_start;               // what RESET goes back to
    bool in_transaction;                    // the next two count
    engine_settings before;                 // what a ROLLBACK goes back to
    engine_settings after_commit;           // without what SET LOCAL said
    char told[ENGINE_SESSION_SETTINGS][64]; // what the client has been told
    bool told_once;
} engine_session;
void engine_session_init(engine_session *session, engine *e);
// The present settings are those that RESET goes back to.
void engine_settings_start(engine_session *session);
// A transaction begins and ends: its SET LOCAL ends with it, a rollback undoes its SET too.
void engine_settings_begin(engine_session *session);
void engine_settings_end(engine_session *session, bool commit);
// What a savepoint keeps, and ROLLBACK TO goes back to.
typedef struct engine_settings_kept {
    engine_settings settings, after_commit;
} engine_settings_kept;
void engine_settings_keep(const engine_session *session, engine_settings_kept *out);
void engine_settings_back(engine_session *session, const engine_settings_kept *kept);
// Visits each setting that clients are told of whose value is not what was told last.
void engine_settings_tell(engine_session *session,
                          void (*visit)(void *arg, const char *name, const char *value), void *arg);
// As SET weir.as_of: the session's queries read what was shown at the instant, given as text.
// BASE_E_INVALID.
BASE_MUST_USE base_rc engine_session_as_of(engine_session *session, base_str instant,
                                           base_error *err);
// As SET weir.effective_as_of. BASE_E_INVALID.
BASE_MUST_USE base_rc engine_session_effective_as_of(engine_session *session, base_str instant,
                                                     base_error *err);
// Microseconds; 0: no limit. The server makes a deadline of it for each statement.
int64_t engine_setting_statement_timeout_us(const engine_session *session);

// How fresh and how final an answer over views is; the oldest and the least of the views it read.
typedef struct engine_standing {
    bool known;           // the answer read at least one view
    uint64_t step;        // of the flow (of the first view read)
    int64_t as_of_us;     // processing time of the oldest step read, microseconds since 2000 UTC
    int64_t watermark_us; // least watermark; INT64_MIN: none yet
    int64_t final_us;     // of one view: windows that end at or before are final; INT64_MIN: none
    int64_t lag_us;       // how long the oldest unread record has waited; 0: caught up;
                          // ENGINE_LAG_UNKNOWN: of an earlier instant, and what was unread is gone
    bool fresh;           // within every freshness objective
} engine_standing;
#define ENGINE_LAG_UNKNOWN (-1)

typedef struct engine_prepared
    engine_prepared; // a bound statement; rebinds itself when the catalogue changed

typedef struct engine_result {
    bool has_rows; // a row description is due, even for no rows
    uint32_t ncolumns;
    const char *const *names;
    const col_type *types;
    const col_batch *rows; // never NULL if has_rows; weights all +1
    char tag[96];          // CommandComplete: "SELECT 3", "INSERT 0 2", "CREATE STREAM"
    bool is_copy;          // COPY ... TO STDOUT: rows in this form
    bool copy_csv, copy_header;
    char copy_delimiter;
    const char *copy_null;
    char savepoint[64]; // after SAVEPOINT, RELEASE, ROLLBACK TO; else empty
    size_t nnotices;
    const char *const *notices;
    engine_standing standing;
} engine_result;

// Cuts a text into statements (sql_split).
BASE_MUST_USE base_rc engine_split(base_arena *arena, base_str text, size_t *n,
                                   base_str **statements, base_error *err);
// text_offset: characters before text in the client's whole text, for error positions.
BASE_MUST_USE base_rc engine_prepare(engine_session *session, base_arena *arena, base_str text,
                                     int32_t text_offset, size_t nparam_types,
                                     const col_type *param_types, engine_prepared **out,
                                     base_error *err);
// Describe: parameter types, and result columns (has_rows, ncolumns, names, types of *out; rows
// NULL).
void engine_prepared_describe(const engine_prepared *prepared, size_t *nparams,
                              const col_type **params, engine_result *out);
bool engine_prepared_is_empty(const engine_prepared *prepared);
// params: a batch of one row with the described types, or NULL. Results live in arena.
BASE_MUST_USE base_rc engine_execute(engine_session *session, engine_prepared *prepared,
                                     const col_batch *params, base_arena *arena, engine_result *out,
                                     base_error *err);
// Prepare and execute one statement.
BASE_MUST_USE base_rc engine_run_sql(engine_session *session, base_str text, base_arena *arena,
                                     engine_result *out, base_error *err);

// Applies a text of DDL as the wanted state of the catalogue ("weir serve FILE.sql"): creates what
// is new, replaces views whose text changed, takes comments and options over, refuses what would
// lose events, leaves what is equal. A text with a mistake in it changes nothing. report gets a
// line for each thing done. Objects in the directory that the text does not mention are left and
// reported.
BASE_MUST_USE base_rc engine_apply(engine_session *session, base_str text, base_buf *report,
                                   base_error *err);
// Binds a text against an empty catalogue (weir check): every error is reported, not only the
// first; what engine_apply would refuse is one. warn: also what of the state of views and streams
// would grow for ever, as "warning" (with each row) and "note" (more slowly).
BASE_MUST_USE base_rc engine_check(base_str text, const char *file, bool warn, base_buf *report,
                                   size_t *nerrors, base_error *err);

// ---- Events in ----------------------------------------------------------------------------------

typedef struct engine_ingest_fault {
    uint64_t record; // index in the request, from 0
    const char *sqlstate;
    const char *message;
} engine_ingest_fault;

#define ENGINE_INGEST_FAULTS_MAX 20 // reported one by one; all are counted and quarantined

typedef struct engine_ingest_result {
    uint64_t accepted;    // durable in the stream
    uint64_t quarantined; // durable in quarantine
    bool truncated;       // the body ends before its last document or its array does
    size_t nfaults;
    engine_ingest_fault faults[ENGINE_INGEST_FAULTS_MAX]; // texts in the arena
} engine_ingest_result;

// One request: a JSON object, an array, or NDJSON (wire_json_cut). Returns once all of it is
// durable: records that keep the contract in the stream, the others in quarantine. body must have
// WIRE_JSON_PADDING readable bytes after it. source names the sender for quarantine
// ("http 10.0.0.1"). On error nothing of the request is acknowledged (some of it may be in the log:
// the client retries, the business key makes that safe).
BASE_MUST_USE base_rc engine_ingest(engine *e, base_str stream, base_str body, const char *source,
                                    base_arena *arena, engine_ingest_result *out, base_error *err);
// Rows of a batch whose columns are the object's declared ones at `columns` (INSERT, CSV input).
BASE_MUST_USE base_rc engine_ingest_rows(engine *e, const plan_object *object, uint32_t ncolumns,
                                         const uint32_t *columns, const col_batch *rows,
                                         const char *source, base_arena *arena,
                                         engine_ingest_result *out, base_error *err);
// Documents as they stand, to a stream or table; headers: of each record in the log
// (log_headers_add), or NULL. Those that break the contract go to quarantine with their headers.
BASE_MUST_USE base_rc engine_ingest_docs(engine *e, const plan_object *object, size_t ndocs,
                                         const base_str *docs, const base_str *headers,
                                         const char *source, base_arena *arena,
                                         engine_ingest_result *out, base_error *err);
// For each row of keys (the object's key columns) a record that deletes the row of a table, or
// takes an event of a stream back. origin: who says so, and why.
BASE_MUST_USE base_rc engine_ingest_deletes(engine *e, const plan_object *object,
                                            const col_batch *keys, const char *source,
                                            base_str origin, base_arena *arena,
                                            engine_ingest_result *out, base_error *err);
// A record known to be bad before it is JSON (a CSV line that does not parse): straight to
// quarantine.
BASE_MUST_USE base_rc engine_quarantine(engine *e, base_str stream, base_str raw,
                                        const char *source, const char *sqlstate, const char *cause,
                                        base_error *err);

// A heartbeat: no event before an instant will come any more. Kept in the log, in its order.
typedef struct engine_heartbeat {
    int64_t to_us;     // of the event-time column: an instant, or a local time
    int32_t partition; // -1: all
    bool has_events;
    uint64_t events; // that the source has sent since its beginning, to the partition or to all
    base_str source; // who says so; borrowed
} engine_heartbeat;
#define ENGINE_SOURCE_BYTES_MAX 255u
// Returns once it is durable. The watermark of a partition never goes back: a heartbeat before it
// is kept, and moves nothing.
BASE_MUST_USE base_rc engine_advance(engine *e, const plan_object *stream,
                                     const engine_heartbeat *beat, base_error *err);
// An instant's text, as the stream's event time has it; zone: of texts without one.
BASE_MUST_USE base_rc engine_heartbeat_time(const plan_object *stream, base_str text,
                                            const base_zone *zone, int64_t *us, base_error *err);

// ---- Steps --------------------------------------------------------------------------------------

// Without threads: steps every flow that has something to do, once; *progressed if any did. force:
// also flows whose refresh is not due.
BASE_MUST_USE base_rc engine_tick(engine *e, bool force, bool *progressed, base_error *err);
// Waits until all that was acknowledged before the call is visible in every view; not for what
// comes meanwhile. Without threads it steps. timeout_us 0: no limit. A failing flow that has not
// got so far is an error that names it, once the others have.
BASE_MUST_USE base_rc engine_flush(engine *e, int64_t timeout_us, volatile bool *cancel,
                                   base_error *err);
// End of input: moves every stream's watermark to the end of its event time, so that all windows
// are final.
BASE_MUST_USE base_rc engine_finish_windows(engine *e, base_error *err);

// ---- Changes out --------------------------------------------------------------------------------

// A view's delta of one step. Rows with weight < 0 left, > 0 came.
typedef struct engine_change {
    uint64_t step;
    int64_t at_us;          // processing time of the step
    int64_t watermark_us;   // the view's, after the step
    const col_batch *delta; // the view's declared columns
} engine_change;

// Whether a row of the delta is of a window that was final after the step; false if the view has no
// windows. With close_by = 'processing time', by the step's clock.
bool engine_change_is_final(const plan_object *view, const engine_change *change, uint32_t row);

// The first change after step `after`; *found false: none yet. BASE_E_NOT_FOUND: trimmed (the
// message names the oldest step kept): the reader starts again from a snapshot.
BASE_MUST_USE base_rc engine_change_next(engine *e, const plan_object *view, uint64_t after,
                                         base_arena *arena, engine_change *out, bool *found,
                                         base_error *err);
// Step of the last commit of the view's flow.
BASE_MUST_USE base_rc engine_view_step(engine *e, const plan_object *view, uint64_t *step,
                                       base_error *err);
// Registers a callback, called after each commit of any flow on the flow's thread; it must be
// quick. Returns an id for engine_off_commit.
uint32_t engine_on_commit(engine *e, void (*notify)(void *arg), void *arg);
void engine_off_commit(engine *e, uint32_t id);

// A snapshot of a view, row by row batches of its declared columns followed by _status, _revision,
// _updated_at: visit is called until it fails. step (may be NULL) gets the snapshot's step.
BASE_MUST_USE base_rc engine_view_scan(engine *e, const plan_object *view, base_arena *arena,
                                       uint64_t *step,
                                       base_rc (*visit)(void *arg, const col_batch *rows,
                                                        base_error *err),
                                       void *arg, base_error *err);
BASE_MUST_USE base_rc engine_view_standing(engine *e, const plan_object *view, engine_standing *out,
                                           base_error *err);

// Sinks: durable cursors of readers of changes (step delivered).
BASE_MUST_USE base_rc engine_sink_cursor(engine *e, const plan_object *sink, uint64_t *step,
                                         base_error *err);
BASE_MUST_USE base_rc engine_sink_ack(engine *e, const plan_object *sink, uint64_t step,
                                      base_error *err);
// What happened at a sink, for weir.sinks: delivered rows, failures and the last error ("" if
// none).
void engine_sink_report(engine *e, const plan_object *sink, uint64_t delivered, uint64_t failed,
                        const char *last_error);

// ---- Looking ------------------------------------------------------------------------------------

// schema.name or name (schema "public"); NULL if absent. Objects live until engine_close.
const plan_object *engine_find(engine *e, base_str name);
// Calls visit for each object, by id.
void engine_objects(engine *e, void (*visit)(void *arg, const plan_object *object), void *arg);
uint64_t engine_catalog_version(engine *e);
// Prometheus text exposition format 0.0.4.
void engine_metrics(engine *e, base_buf *buf);
// Healthy: no flow fails. text says what is wrong (a line each).
bool engine_healthy(engine *e, base_buf *text);
plat *engine_plat(engine *e);
const char *engine_dir(engine *e);

// ---- Verification (verify.c) --------------------------------------------------------------------

typedef enum engine_verdict {
    ENGINE_VERIFY_EQUAL,
    ENGINE_VERIFY_DIFFERS,
    ENGINE_VERIFY_PARTIAL,     // differs, and the log has lost its beginning to retention
    ENGINE_VERIFY_NOT_POSSIBLE // the view is no function of the log; see reason
} engine_verdict;
const char *engine_verdict_name(engine_verdict verdict);

#define ENGINE_VERIFY_LISTED 100u

typedef struct engine_verify_difference {
    const char *key, *served, *from_log; // JSON; served or from_log NULL: no such row
} engine_verify_difference;

typedef struct engine_verify_result {
    engine_verdict verdict;
    const char *reason; // "" or a sentence
    uint64_t step;      // of the served snapshot
    uint64_t records;   // of logs, read
    uint64_t lost;      // of logs, gone before they could be read
    uint64_t rows, rows_from_log;
    uint64_t missing, unexpected, differing; // keys: from the log only, served only, in both
    uint64_t close; // keys equal but for the last digits of floating-point sums, or 1.0 and 1.00
    char digest[33], digest_from_log[33]; // of the rows, in hexadecimal
    char state_digest[33];                // of the recomputed store: rows, operators, cursors
    uint64_t us;
    uint32_t nlisted;
    const engine_verify_difference *listed;
} engine_verify_result;

// Recomputes a materialized view from its log, up to the positions of a snapshot of it, and
// compares. Steps go on meanwhile. Texts in the arena. cancel may be NULL.
BASE_MUST_USE base_rc engine_verify(engine *e, const plan_object *view, base_arena *arena,
                                    volatile bool *cancel, engine_verify_result *out,
                                    base_error *err);

// ---- Reconciliation -----------------------------------------------------------------------------

typedef struct engine_reconcile_result {
    uint64_t run;
    uint64_t matched, missing, unexpected, differing; // rows, by key
    uint64_t duplicate, skipped; // keys that are not single; rows of the book out of scope
    uint64_t pending;            // keys that do not agree and have to be seen again (SETTLE)
    int64_t as_of_us;            // the instant of the snapshot compared
    uint64_t step;
} engine_reconcile_result;
BASE_MUST_USE base_rc engine_reconcile(engine *e, const plan_object *reconciliation,
                                       engine_reconcile_result *out, base_error *err);
// The same for a session, which may cancel it.
BASE_MUST_USE base_rc engine_reconcile_for(const engine_session *session,
                                           const plan_object *reconciliation,
                                           engine_reconcile_result *out, base_error *err);

#endif
