// engine_int.h - the engine's own structures, for the files of src/engine only.
//
// Locks, in the order in which they may be taken:
//   ddl_lock      one change of the catalogue at a time
//   flow->lock    held for a whole step; DDL holds it while it changes the flow's graph
//   catalog_lock  names -> objects; short
//   flows_lock    the list of flows and the flags that wake them; short
// A query takes none of them but catalog_lock for look-ups: it reads snapshots of the stores.
//
// A flow without a store has failed (reopen.c): it could not be opened, and `error` says why. It
// takes no steps and its views answer with that error. A flow never gains or loses its store while
// others can see it: another engine_flow takes its slot in engine->flows, under ddl_lock, and the
// old one lives until close, so that whoever reads a snapshot of it goes on undisturbed.
#ifndef WEIR_ENGINE_ENGINE_INT_H
#define WEIR_ENGINE_ENGINE_INT_H

#include <stdatomic.h>

#include "base/map.h"
#include "col/codec.h"
#include "engine/engine.h"
#include "engine/finality/disorder.h"
#include "flow/graph.h"
#include "log/log.h"
#include "plat/thread.h"
#include "plat/workers.h"
#include "sql/sql.h"
#include "wire/json.h"

typedef struct engine_stream engine_stream;
typedef struct engine_flow engine_flow;
typedef struct engine_ahead engine_ahead; // ahead.h
typedef struct engine_contract engine_contract;

#define ENGINE_OBJECTS_MAX  65536
#define ENGINE_FLOWS_MAX    512
#define ENGINE_NO_WATERMARK INT64_MIN
#define ENGINE_END_OF_TIME  INT64_MAX // watermark of a finished input
// Log bytes of a step unless told otherwise. The more, the less a step that catches up writes again
// to groups that it meets in each; a tenth of a second or two at full speed.
#define ENGINE_STEP_BYTES         (128ull << 20)
#define ENGINE_STEP_MEMORY_BYTES  (48ull << 20) // a view, of
#define ENGINE_STEP_MEMORY_SHARES 8u            // at most so many
#define ENGINE_IDLE_US            (10 * BASE_US_PER_SECOND)

// ---- streams: a stream or table object with its log (stream.c, ingest.c) -----------------------

struct engine_stream {
    engine *engine;
    const plan_object *object; // newest version
    log_stream *log;
    plat_mutex lock;          // quarantine, pool
    log_stream *quarantine;   // created with the first bad record
    engine_contract *pool[8]; // edge decoders not in use
    uint32_t npool;
    atomic_uint_fast64_t accepted, quarantined, bytes; // since open
    atomic_uint_fast64_t next_partition;               // for records without a key
    uint32_t holds;                                    // under catalog_lock
    engine_stream *next_retired;                       // dropped, freed at close
};

// A contract check: bytes to columns or to a cause, for chosen columns of an object (contract.c).
struct engine_contract {
    const plan_object *object;
    bool strict; // the edge: all columns, unknown fields refused, checks run
    uint32_t ncolumns;
    uint32_t *columns; // of the object, ascending
    uint32_t nfields;  // declared columns among them
    wire_json_field *fields;
    wire_json_decoder *decoder;
    const plan_expr **checks;   // over the batch; strict only
    const plan_expr *watermark; // over the batch; NULL: none
    int32_t event_time;         // position in the batch; -1
    const log_batch *reading;   // whose headers say the records' origins; NULL: they have none
    uint32_t reading_first;     // the record of it that is the first decoded
    base_arena arena;           // of this struct's parts
};

// The outcome for n records: a batch of the rows that keep the contract and their places, and the
// faults of the others. All in the arena.
typedef struct engine_rule engine_rule; // finality/rules.h
typedef struct engine_decoded {
    col_batch *batch;
    uint32_t nrows;
    const uint32_t *doc;         // record index of each row
    const int64_t *event_us;     // a row each; NULL without event time; INT64_MIN: null
    const int64_t *watermark_us; // a row each; NULL without a watermark
    const engine_rule *rule;     // that it is by; NULL: by the object
    const uint8_t *ours;         // a row each: it has an origin, no producer sent it; NULL: none
    const uint8_t *deletes;      // tables and retractable streams; NULL: none
    uint32_t nfaults;
    const wire_json_fault *faults;
} engine_decoded;

engine_contract *engine_contract_create(const plan_object *object, bool strict, uint32_t ncolumns,
                                        const uint32_t *columns);
void engine_contract_destroy(engine_contract *contract);
// Documents as wire_json_decode takes them. first_offset and partition fill the hidden columns.
void engine_contract_decode(engine_contract *contract, const char *text, size_t text_bytes,
                            const uint32_t *ends, uint32_t first, uint32_t n, uint64_t first_offset,
                            uint32_t partition, int64_t ingested_us, base_arena *arena,
                            engine_decoded *out);
// The same for records [first, first + n) of a batch of the log, with their origins; none of a
// control batch.
void engine_contract_decode_batch(engine_contract *contract, const log_batch *batch, uint32_t first,
                                  uint32_t n, uint32_t partition, base_arena *arena,
                                  engine_decoded *out);
uint32_t engine_declared_columns(const plan_object *object);
// Whether a record of it may take back what another said ("_op": "delete").
bool engine_takes_deletes(const plan_object *object);

// {"_op":"delete", key}: the record that deletes a row, or takes an event back (ingest.c). keys:
// the object's key columns.
void engine_delete_doc(const plan_object *object, const col_batch *keys, uint32_t row,
                       base_buf *buf);

// ---- origins: who appended a record and why (origin.c) ------------------------------------------

#define ENGINE_HEADER_ORIGIN    "origin" // of a record in the log
#define ENGINE_ORIGIN_BYTES_MAX 1000u

// Texts of a step's origins, without repetition; more: there were others. In the step's arena.
#define ENGINE_ORIGINS_STEP 8u
typedef struct engine_origins {
    uint32_t n;
    bool more;
    uint64_t records; // of the step that had an origin
    base_str of[ENGINE_ORIGINS_STEP];
} engine_origins;
// The origin that the headers of record i say; false: none.
bool engine_origin_of(const log_batch *batch, uint32_t i, base_str *origin);
// Notes the origins of records [first, first + n).
void engine_origins_add(engine_origins *origins, base_arena *arena, const log_batch *batch,
                        uint32_t first, uint32_t n);
// "reconciliation sales.r run 12, sql user ann"; nothing if there are none.
void engine_origins_print(const engine_origins *origins, base_buf *buf);

// ---- control records (control.c)

// A flag of log_batch_info: the records are no events.
#define ENGINE_BATCH_CONTROL 1u
static inline bool engine_batch_is_control(const log_batch *batch) {
    return (batch->info.flags & ENGINE_BATCH_CONTROL) != 0;
}
// False: it is no heartbeat, and is skipped. source is borrowed from the batch.
bool engine_control_read(const log_batch *batch, uint32_t record, engine_heartbeat *out);

// ---- catalogue (catalog.c, ddl.c)
// -----------------------------------------------------------------

BASE_MUST_USE base_rc engine_catalog_open(engine *e, base_error *err);
void engine_catalog_close(engine *e);
plan_catalog engine_plan_catalog(engine *e);
const plan_object *engine_catalog_find(engine *e, const char *schema, const char *name);
// The same for a materialized view; else an error that says that there is none.
BASE_MUST_USE base_rc engine_catalog_find_view(engine *e, const char *schema, const char *name,
                                               const plan_object **view, base_error *err);
const plan_object *engine_catalog_by_id(engine *e, uint32_t id);
// The stream of an object, or NULL if it is not a stream or table (any more). _of: for flows, whose
// views keep the stream from being dropped, and under ddl_lock; all others hold it while they use
// its log: a DROP waits for them.
engine_stream *engine_stream_of(engine *e, const plan_object *object);
engine_stream *engine_stream_hold(engine *e, const plan_object *object);
void engine_stream_release(engine_stream *stream); // NULL is allowed
// Executes a bound DDL statement. Takes ddl_lock.
BASE_MUST_USE base_rc engine_ddl(engine_session *session, sql_statement *statement,
                                 engine_result *out, base_arena *arena, base_error *err);

// Records that were in quarantine: those that keep the contract now are appended to the stream,
// and noted in was_good (ndocs); the others stay where they are (ingest.c).
BASE_MUST_USE base_rc engine_ingest_again(engine *e, const plan_object *object, size_t ndocs,
                                          const base_str *docs, const base_str *headers,
                                          bool *was_good, base_error *err);

// ---- flows (flow.c, input.c, step.c, view.c, fill.c)
// ----------------------------------------------

typedef struct engine_partition {
    log_reader *reader;
    uint64_t next;             // offset to read next
    uint64_t step_from;        // the same when the step began
    int64_t watermark_us;      // ENGINE_NO_WATERMARK: none yet
    int64_t max_event_us;      // INT64_MIN: none yet
    int64_t active_us;         // processing time of the last record
    uint64_t active_ns;        // monotonic: when it was read, or this process began to read
    engine_disorder *disorder; // NULL: it is not measured
    int64_t append_us; // when the last record was appended; INT64_MIN: none read since loading
    uint64_t records, late, faults, duplicates;
    uint64_t noted_next; // in the last moment (moment.c)
    int64_t noted_watermark_us;
} engine_partition;

// What the store says of a partition's cursor (input.c); for a view of another flow, partition 0,
// next is the last step taken over.
typedef struct engine_cursor {
    bool started; // of a view of another flow: its rows have been taken
    uint64_t next;
    int64_t watermark_us, max_event_us, active_us;
    uint64_t records, late, faults, duplicates;
} engine_cursor;

// How far a flow has read one of its inputs, for others to see (FLUSH). next: as in engine_cursor,
// but a step of an upstream view that had nothing for the flow counts as taken over.
typedef struct engine_position {
    uint32_t object_id, partition;
    uint64_t next;
} engine_position;

// A record that a source knew already, and its original.
typedef struct engine_duplicate {
    uint32_t object_id, partition, original_partition, zero;
    uint64_t offset, original_offset;
    int64_t at_us;
} engine_duplicate;
_Static_assert(sizeof(engine_duplicate) == 40, "engine_duplicate is a disk format");
#define ENGINE_DUPLICATES_STEP 1024u  // named one by one, of a step: the last ones
#define ENGINE_DUPLICATES_KEPT 10000u // and of a flow

typedef struct engine_input {
    const plan_object *object;
    size_t graph_input;        // index for flow_graph_push
    engine_contract *contract; // streams and tables
    engine_ahead *ahead;       // decodes on other threads; NULL: there are none, or not needed yet
    engine_stream *stream;
    uint32_t npartitions;
    engine_partition *partitions;
    engine_flow *_Atomic *upstream; // views of another flow: its slot
    uint64_t upstream_step;         // last step taken over
    uint64_t upstream_seen;         // steps up to this one had nothing to take over; in memory only
    bool started;                   // upstream: the snapshot has been taken
    bool first; // rows of others are looked up in it: it is read to its end before them
    uint32_t ncolumns;
    const uint32_t *columns;
    int64_t watermark_us;               // of the whole input
    uint64_t step_rows;                 // taken in this step
    uint64_t step_from;                 // upstream_step when it began
    struct engine_sequences *sequences; // NULL: the object has no SEQUENCE
    struct engine_rates *rates;         // NULL: it has no event time
} engine_input;

typedef struct engine_view {
    const plan_object *object;
    state_table rows, changes;
    int64_t watermark_us;
    uint64_t changed_step; // last step with a delta
    uint64_t trimmed_step; // changes up to here are gone
    uint64_t history_step; // the first step that the view can be read as of
    int64_t trim_due_us;   // when trimming is looked at, of a view with a history
    uint64_t nrows, corrections;
    bool appended;              // kept as batches in the order of steps (view_append.c)
    uint32_t fill_seq;          // records of the fill in progress, for an appended view
    bool filling;               // its history is being written: no change log
    bool is_new;                // has no history yet: needs its first step and perhaps a fill
    bool unfilled;              // has none of the history that its flow has read: no step counts it
    int64_t final_before_us;    // its clock before this step: what was final then
    int64_t noted_watermark_us; // in the last moment
} engine_view;

// The flow's own row in table "engine.flow", key "step": written by step.c, read by view.c in
// snapshots.
typedef struct engine_flow_row {
    uint64_t step;
    int64_t now_us;
} engine_flow_row;
_Static_assert(sizeof(engine_flow_row) == 16, "engine_flow_row is a disk format");

// Up to where a shadow (shadow.h) reads its inputs, and from where: a partition of a log by offset,
// a view of another flow (partition 0) by step.
typedef struct engine_bound {
    uint32_t object_id, partition;
    uint64_t from, upto;
    uint64_t unread; // below upto, of what the flow whose bound it is has never read itself
} engine_bound;

typedef struct engine_bounds {
    uint32_t n;
    engine_bound *all;
    int64_t now_us;      // the clock reading of every step
    int64_t closed_us;   // what the flow's closing clock does not pass; ENGINE_NO_WATERMARK: none
    uint64_t step_bytes; // of the log, a step; 0: as other flows
    // Takes rows out of what was decoded; NULL: none. The watermark has seen them.
    void (*select)(void *arg, const engine_input *input, base_arena *arena, engine_decoded *d);
    // Whether select would take out all of a batch; NULL: not known.
    bool (*passes)(void *arg, const engine_input *input, const log_batch_info *info);
    // After a view's watermark was worked out: may move it on; NULL: not.
    void (*watermark)(void *arg, engine_view *view);
    void *arg;
} engine_bounds;
// NULL: without a bound.
static inline const engine_bound *engine_bound_of(const engine_bounds *bounds, uint32_t object_id,
                                                  uint32_t partition) {
    for (uint32_t i = 0; bounds != NULL && i < bounds->n; i++)
        if (bounds->all[i].object_id == object_id && bounds->all[i].partition == partition)
            return &bounds->all[i];
    return NULL;
}

struct engine_flow {
    engine *engine;
    engine_bounds *bounds; // of a shadow: it serves nobody, and nobody knows of it; else NULL
    bool scratch;          // its store need not outlive a crash
    bool alone;            // no other thread helps it
    uint32_t slot;         // in engine->flows
    char name[192];        // "sales@immediate", "sales@5s"
    char schema[128];
    int64_t refresh_us; // 0: immediate
    char *dir;
    state_store *store; // NULL: failed
    state_table t_flow, t_cursor, t_view, t_layout, t_ledger, t_ledger_key, t_quarantine,
        t_duplicate, t_moment, t_version;
    state_table t_disorder, t_expect;
    flow_graph *graph;
    uint32_t nviews;
    engine_view *views; // by id
    uint32_t ninputs;
    engine_input *inputs;
    base_arena graph_arena; // inputs, views: reset when the graph is rebuilt
    base_arena step_arena;
    base_arena push_arena; // of one push, where the graph retains nothing of it

    plat_mutex lock;        // a step, or DDL on this flow
    uint64_t step;          // last committed
    int64_t now_us;         // its clock reading
    int64_t closed_us;      // the clock of views that close by it (closing.c)
    bool cut_short;         // the last step stopped at its limit of bytes before the end of a log
    bool backlog;           // another step is to follow at once
    bool reload;            // facts must be read from the store before the next step
    bool broken;            // graph, inputs and views must be built again before the next step
    bool retake;            // so must views whose upstream was made anew
    uint64_t first_step;    // the step before its store's first; not 0 if a store before was lost
    uint64_t reserved_step; // steps up to this one are noted in the catalogue as given out
    uint32_t nwanted;       // of these views, ascending by id; ours
    const plan_object **wanted;
    bool moment_noted;     // what the last moment says is in noted_*
    uint64_t moments_from; // the first step that has a moment; 0: not known
    bool initial;          // a new view wants a step even without input
    bool finish;           // watermarks go to the end of time in the next step
    // A step in progress (step.c).
    flow_ctx ctx;
    state_txn *txn;
    uint32_t quarantine_seq;
    // Why it changes what it changes, for the ledger. Cause: set for one step by whoever makes it
    // ("replay of version 3"), NULL: its inputs are, and the origins of the records that it reads.
    const char *step_cause;
    bool small_step; // it writes little, although it does not read the inputs
    engine_origins step_origins;
    engine_duplicate *duplicates_seen; // in the step arena: a ring of ENGINE_DUPLICATES_STEP
    uint64_t nduplicates_seen;
    uint64_t duplicate_seq;         // number of the next row of t_duplicate; 0: not read yet
    const log_batch *reading;       // of the records being pushed, and the input and partition
    const engine_input *reading_of; // that they are of
    uint32_t reading_partition;

    // Under engine->flows_lock.
    plat_cond wake;
    bool dirty; // something to read may have come
    bool force; // step now whatever the refresh
    bool stop;
    bool running;             // its thread lives
    bool in_pass;             // steps are being taken, or looked for
    int64_t pending_since_us; // processing time of the oldest unread record; 0: caught up
    int64_t next_due_us;      // monotonic
    int64_t time_due_us;      // processing time at which time alone changes a view; own thread
    base_error error;         // of the last step, or of opening it; code BASE_OK: none
    uint64_t failures;
    int64_t reopen_due_us; // monotonic; of a failed flow
    bool published;        // what follows is of the views and inputs that the flow has now
    uint32_t npositions, positions_cap;
    engine_position *positions; // how far it has read, as committed; partitions in order
    uint64_t positions_step;    // the step that had read so far
    plat_thread thread;
    // Published after commit, read without locks.
    atomic_uint_fast64_t committed_step;
    atomic_int_fast64_t committed_us;
    atomic_uint_fast64_t rows_in, steps, step_ns_total, commit_ns_total, duplicates, late, faults;
    atomic_uint_fast64_t step_ns_buckets[40]; // power-of-two histogram of step times
    engine_flow *next_retired;                // its slot is another's; freed at close
};

// A flow that has no store yet, in no slot yet (flow.c).
engine_flow *engine_flow_create(engine *e, const char *schema, int64_t refresh_us);
BASE_MUST_USE base_rc engine_flow_open_store(engine_flow *flow, base_error *err);
// Takes its graph and its store from it. Only while nobody else can see it.
void engine_flow_close_store(engine_flow *flow);
// Finds or opens the flow of a view (flow.c). ddl_lock held.
BASE_MUST_USE base_rc engine_flow_for(engine *e, const char *schema, int64_t refresh_us,
                                      engine_flow **out, base_error *err);
engine_flow *engine_flow_of_view(engine *e, uint32_t view_id);
// Whether views of this schema with this refresh are the flow's.
bool engine_flow_takes(const engine_flow *flow, const char *schema, int64_t refresh_us);
// Adds / removes views and rebuilds the graph. ddl_lock held; takes flow->lock.
BASE_MUST_USE base_rc engine_flow_add_view(engine_flow *flow, const plan_object *view,
                                           base_error *err);
BASE_MUST_USE base_rc engine_flow_add_view_locked(engine_flow *flow, const plan_object *view,
                                                  base_error *err); // flow->lock held
BASE_MUST_USE base_rc engine_flow_drop_view(engine_flow *flow, const plan_object *view,
                                            base_error *err);
// At start: all views of the flow at once, ascending by id.
BASE_MUST_USE base_rc engine_flow_open_views(engine_flow *flow, uint32_t n,
                                             const plan_object *const *views, base_error *err);
BASE_MUST_USE base_rc engine_flow_open_views_locked(engine_flow *flow, uint32_t n,
                                                    const plan_object *const *views,
                                                    base_error *err); // flow->lock held
// Up to where a view's changes have gone. Of one that only grows none do: its history ends there.
static inline uint64_t engine_view_trimmed_upto(const engine_view *view) {
    return view->appended ? view->history_step : view->trimmed_step;
}
// Gives a new view its history: what its inputs had already given to the flow (fill.c). flow->lock
// held.
BASE_MUST_USE base_rc engine_flow_fill(engine_flow *flow, const plan_object *view, base_error *err);
// Builds the graph of a broken flow; views whose upstream was made anew are made again. flow->lock
// held.
BASE_MUST_USE base_rc engine_flow_mend(engine_flow *flow, base_error *err);
void engine_flow_close(engine_flow *flow);
// A snapshot of the flow's store; of a failed flow, the error that says why there is none.
BASE_MUST_USE base_rc engine_flow_begin_read(engine_flow *flow, state_txn **out, base_error *err);
// Before a step: its number is noted in the catalogue as given out.
BASE_MUST_USE base_rc engine_flow_reserve_step(engine_flow *flow, base_error *err);
void engine_flow_wake_all(engine *e); // something durable came
engine_view *engine_flow_view(engine_flow *flow, uint32_t view_id);
// The views of the catalogue that are the flow's, ascending by id; the caller frees the list.
const plan_object **engine_flow_views(engine *e, const engine_flow *flow, uint32_t *n);

// Whether this program reads what the views and sources of the flow's graph have in the store, and
// notes how it keeps those that are new (layout.c). Outside of a transaction.
BASE_MUST_USE base_rc engine_layouts_check(engine_flow *flow, base_error *err);
// With the state of a view, or of a source.
BASE_MUST_USE base_rc engine_layout_drop(engine_flow *flow, state_txn *txn, bool view, uint32_t id,
                                         base_error *err);

// Flows that could not be opened (reopen.c).
BASE_MUST_USE base_rc engine_flows_open(engine *e, base_error *err); // at start
// Tries to open those whose time has come; all: every failed one. Takes ddl_lock.
void engine_flows_retry(engine *e, bool all);
// REBUILD FLOW: sets the store aside, under the name that *aside gets, and makes the flow anew.
BASE_MUST_USE base_rc engine_rebuild_flow(engine *e, const char *name, base_buf *aside,
                                          base_error *err);
// To an error that says that the flow's store is damaged, the remedy by the flow's name.
void engine_flow_hint(const engine_flow *flow, base_error *err);
// The error of a flow without a store, as whoever asks for one of its views gets it.
base_rc engine_flow_unavailable(engine_flow *flow, base_error *err);
int64_t engine_retry_pause_us(uint64_t failures); // runner.c

// The catalogue's memory of which steps a flow may have given out (catalog.c): a flow whose store
// is lost begins after them, so that a step's number never means two things to who reads changes.
BASE_MUST_USE base_rc engine_catalog_steps(engine *e, const char *flow, uint64_t *step,
                                           base_error *err);
BASE_MUST_USE base_rc engine_catalog_reserve_steps(engine *e, const char *flow, uint64_t step,
                                                   base_error *err);

// Reads step, cursors and the views' facts from the store. flow->lock held.
BASE_MUST_USE base_rc engine_flow_reload(engine_flow *flow, base_error *err);
// The stages of a step with another first stage than reading the inputs. flow->lock held.
BASE_MUST_USE base_rc engine_step_with(engine_flow *flow,
                                       base_rc (*gather)(engine_flow *flow, void *arg,
                                                         uint64_t *rows, base_error *err),
                                       void *arg, bool *progressed, base_error *err);
// One step; *progressed: something was committed. Takes flow->lock.
BASE_MUST_USE base_rc engine_flow_step(engine_flow *flow, bool *progressed, base_error *err);
// The processing time at which a view changes even without input; INT64_MAX: none does. flow->lock
// held, or for the flow's own thread.
int64_t engine_flow_due_us(engine_flow *flow);

// ---- the clock of a partition, and records that come too late (late.c)

typedef struct engine_clock {
    int64_t watermark_us;      // ENGINE_NO_WATERMARK: none yet
    int64_t max_event_us;      // INT64_MIN: none yet
    uint64_t late;             // taken below the watermark
    engine_disorder *disorder; // NULL: not measured; of a learnt watermark it must be
} engine_clock;
// For reading a partition from its first record; disorder is measured only if it must be.
void engine_clock_init(engine_clock *clock, const plan_object *object);
void engine_clock_deinit(engine_clock *clock);
// Goes over what was decoded, in the order of the log, and takes the rows out of d that their
// stream refuses as too late; returns how many, and their records in *docs.
uint32_t engine_clock_run(const plan_object *object, engine_clock *clock, base_arena *arena,
                          engine_decoded *d, const uint32_t **docs);
// One row with an event time, the first of d: whether it is refused; else the clock has moved on.
bool engine_clock_refuses(const plan_object *object, engine_clock *clock, const engine_decoded *d);
// The same for whoever only reads the events: nothing is done if none is ever refused.
void engine_clock_skip(const plan_object *object, engine_clock *clock, base_arena *arena,
                       engine_decoded *d);
// Leaves the rows `kept` of d, in their order.
void engine_decoded_keep(engine_decoded *d, base_arena *arena, uint32_t n, const uint32_t *kept);
void engine_clock_advance(engine_clock *clock, const log_batch *batch, uint32_t record); // control
// A step has come to a control record, the only one of its batch.
BASE_MUST_USE base_rc engine_control_take(engine_flow *flow, engine_input *input, uint32_t p,
                                          const log_batch *batch, uint32_t record, base_error *err);
void engine_late_message(const plan_object *object, base_buf *buf); // the cause
// No row below it will be taken from the input any more; ENGINE_NO_WATERMARK: nothing is known.
int64_t engine_frontier(const engine_input *input);

// ---- when windows close (closing.c)

// What the windows of a view are measured against (plan_final_at): its watermark, or the clock.
int64_t engine_final_clock(const plan_object *view, int64_t watermark_us, int64_t closed_us);
int64_t engine_view_final_us(const engine_flow *flow, const engine_view *view); // the same, now
// The watermark of a view for those that read it: rows that wait for a window to close are there
// when the view's own clock has passed it.
int64_t engine_shown_watermark(const plan_object *view, int64_t watermark_us, int64_t final_us);
// After the inputs were gathered: the flow's clock for its views that close by it moves on.
void engine_closing_move(engine_flow *flow);
// When the next window of a view closes by the clock; INT64_MAX: none does.
int64_t engine_closing_due_us(const engine_flow *flow);
int64_t engine_closed_us(const engine_flow *flow, state_txn *txn); // as stored
bool engine_any_by_clock(const engine_flow *flow);                 // whether a view closes by it
BASE_MUST_USE base_rc engine_closing_save(engine_flow *flow, base_error *err);

// input.c: flow->lock held.
BASE_MUST_USE base_rc engine_inputs_build(engine_flow *flow,
                                          base_error *err); // from the graph's inputs
BASE_MUST_USE base_rc engine_inputs_load(engine_flow *flow, state_txn *txn,
                                         base_error *err); // cursors
void engine_inputs_close(engine_flow *flow);
// flow_hooks.unmatched: the record goes to the flow's quarantine.
void engine_input_unmatched(void *flow, const plan_object *object, uint32_t partition,
                            uint64_t offset);
bool engine_inputs_ready(engine_flow *flow); // anything to read, or a watermark that may move
// Only of what rows are looked up in, and of that only what `wanted` says.
BASE_MUST_USE base_rc engine_inputs_gather_first(engine_flow *flow, const bool *wanted,
                                                 uint64_t *rows, base_error *err);
BASE_MUST_USE base_rc engine_inputs_gather(engine_flow *flow, uint64_t *rows, base_error *err);
BASE_MUST_USE base_rc engine_inputs_save(engine_flow *flow, base_error *err);
BASE_MUST_USE base_rc engine_cursor_read(state_txn *txn, state_table t_cursor, uint32_t object_id,
                                         uint32_t partition, engine_cursor *out, bool *found,
                                         base_error *err);
void engine_inputs_watermarks(engine_flow *flow); // each input's, and each view's
void engine_inputs_release(engine_flow *flow);
// What the store has of a partition's disorder; *found false: nothing was measured yet.
BASE_MUST_USE base_rc engine_disorder_read(const engine_flow *flow, state_txn *txn,
                                           uint32_t object_id, uint32_t p, engine_disorder *out,
                                           bool *found, base_error *err);
// After a step, or when there was nothing to step for: says how far the flow is. Unpublish: it has
// something to do first, whatever it has read. Both take flows_lock.
void engine_inputs_publish(engine_flow *flow);
void engine_inputs_unpublish(engine_flow *flow);

// view.c
BASE_MUST_USE base_rc engine_view_open(engine_flow *flow, engine_view *view, base_error *err);
BASE_MUST_USE base_rc engine_view_load(engine_flow *flow, engine_view *view, state_txn *txn,
                                       base_error *err);
// Makes what the flow's graph has for the view part of the view.
BASE_MUST_USE base_rc engine_view_apply(engine_flow *flow, engine_view *view, base_error *err);
// What a snapshot of the flow's store says of the view's watermark.
BASE_MUST_USE base_rc engine_view_watermark_in(const engine_flow *flow, state_txn *txn,
                                               uint32_t view_id, int64_t *us, base_error *err);
// A delta that does not come from the view's operators; its state is to be changed along.
BASE_MUST_USE base_rc engine_view_apply_delta(engine_flow *flow, engine_view *view,
                                              const col_batch *delta, base_error *err);
// Facts of a view whose rows were put into the store by other means than a step: from the facts of
// another store, as of `step`.
BASE_MUST_USE base_rc engine_view_adopt(const engine_flow *from, state_txn *from_txn,
                                        engine_flow *flow, state_txn *txn, uint32_t view_id,
                                        uint64_t step, base_error *err);
base_rc engine_view_rows(void *self, uint32_t view_id, state_txn *txn, size_t n,
                         const base_str *keys, base_str *rows, base_error *err);
BASE_MUST_USE base_rc engine_view_save(engine_flow *flow, engine_view *view, base_error *err);
// Whether the store has all that a view of the flow should have: its facts, as of the flow's step.
// *step: the flow's.
BASE_MUST_USE base_rc engine_view_complete(engine_flow *flow, const plan_object *view,
                                           uint64_t *step, bool *complete, base_error *err);
BASE_MUST_USE base_rc engine_view_trim(engine_flow *flow, engine_view *view, base_error *err);
// Declared columns plus the three system columns, from a snapshot: used by queries and fills.
// visit gets batches of at most batch_rows rows, in a scratch arena that is reset between calls.
// final_us: the snapshot's.
BASE_MUST_USE base_rc engine_view_scan_txn(
    const plan_object *object, bool appended, state_table rows, state_txn *txn, int64_t final_us,
    uint32_t batch_rows, base_rc (*visit)(void *arg, const col_batch *rows, base_error *err),
    void *arg, base_error *err);
// view_append.c: the same for views that only grow.
BASE_MUST_USE base_rc engine_append_apply(engine_flow *flow, engine_view *view, uint32_t n,
                                          const col_batch *const *parts, base_error *err);
// Whether a key is of a further part of `step`'s delta, which follow its first.
bool engine_append_is_part(base_str key, uint64_t step);
BASE_MUST_USE base_rc engine_append_scan(const plan_object *object, state_table rows,
                                         state_txn *txn, uint32_t batch_rows,
                                         base_rc (*visit)(void *arg, const col_batch *rows,
                                                          base_error *err),
                                         void *arg, base_error *err);
// Of its steps up to `upto` only.
BASE_MUST_USE base_rc engine_append_scan_upto(const plan_object *object, state_table rows,
                                              state_txn *txn, uint64_t upto, uint32_t batch_rows,
                                              base_rc (*visit)(void *arg, const col_batch *rows,
                                                               base_error *err),
                                              void *arg, base_error *err);
// A consistent look at a view: opens a snapshot of its flow and reads the view's facts in it.
typedef struct engine_view_snapshot {
    engine_flow *flow;
    state_txn *txn;
    state_table rows, changes;
    bool appended;
    uint64_t step;
    int64_t now_us;
    int64_t watermark_us;
    int64_t final_us; // what plan_final_at is compared with
    uint64_t nrows, corrections, changed_step, trimmed_step, history_step;
} engine_view_snapshot;
// BASE_E_BUSY: the view is being made, its rows are not whole yet.
BASE_MUST_USE base_rc engine_view_snapshot_open(engine *e, const plan_object *view,
                                                engine_view_snapshot *out, base_error *err);
void engine_view_snapshot_close(engine_view_snapshot *snapshot);
// The row of one key, of a view that is not appended; its declared columns, in the arena. Its
// weight: how many equal rows there are.
BASE_MUST_USE base_rc engine_view_get(const plan_object *view, const engine_view_snapshot *snapshot,
                                      base_str key, base_arena *arena, bool *there,
                                      const col_batch **row, uint32_t *revision, base_error *err);
// The changes of steps after `after` up to `upto` in the view's change log, counted; of the first
// `most` steps that have any.
typedef struct engine_change_counts {
    uint64_t steps, rows, bytes;
    uint64_t first_step, last_step;
    int64_t first_us; // processing time of the first step
} engine_change_counts;
BASE_MUST_USE base_rc engine_changes_count(const engine_view_snapshot *snapshot, uint64_t after,
                                           uint64_t upto, uint64_t most, engine_change_counts *out,
                                           base_error *err);
// sinkstate.c: whether undelivered changes are kept for the sink; not if a limit has been passed.
bool engine_sink_is_kept_for(engine *e, const plan_object *sink);
uint64_t engine_changes_keep_steps(const engine *e); // view.c
#define ENGINE_VIEW_SYSTEM_COLUMNS 3 // _status text, _revision bigint, _updated_at timestamptz

// ---- threads (runner.c)
// ---------------------------------------------------------------------------

void engine_runner_start_flow(engine_flow *flow);
void engine_runner_stop_flow(engine_flow *flow);
void engine_runner_start(engine *e); // schedules: retention, reconciliations
void engine_runner_stop(engine *e);
void engine_schedules_run(engine *e);     // once a second (schedule.c)
void engine_recon_counts_free(engine *e); // remedy_count.c
// recon_due.c: waits for the reconciliations that it began; the engine is closing, no more begin.
void engine_recon_jobs_stop(engine *e);
BASE_MUST_USE base_rc engine_reconcile_last_run(engine *e, const plan_object *object, int64_t *us,
                                                bool *found, base_error *err);
// When it is due again by its schedule; *known false: it has none, or has not run by it yet.
BASE_MUST_USE base_rc engine_reconcile_next(engine *e, const plan_object *object, int64_t *us,
                                            bool *known, base_error *err);

// ---- the whole
// --------------------------------------------------------------------------------------

typedef struct engine_listener {
    uint32_t id;
    void (*notify)(void *arg);
    void *arg;
} engine_listener;

#define ENGINE_REMEDIES_BUSY 16u

struct engine {
    plat *plat;
    engine_config config;
    char *dir;
    plat_file *lock_file;
    plat_workers *workers; // help flows; NULL: one core

    plat_mutex ddl_lock;
    plat_mutex catalog_lock;
    base_arena catalog_arena; // objects: until close
    base_map *names;          // "schema.name" -> plan_object
    base_map *schemas;        // name -> (char *)comment or ""
    plan_object **by_id;      // ENGINE_OBJECTS_MAX slots; replaced objects stay allocated
    _Atomic uint32_t next_id; // written under ddl_lock
    atomic_uint_fast64_t version;
    state_store *meta; // catalogue, sink cursors, reconciliation results
    uint64_t identity; // of the catalogue: flows made under another one have other object ids
    state_table t_objects, t_schemas, t_settings, t_sinks, t_recon, t_replays;

    log_store *log;
    base_map *streams;         // "schema.name" -> engine_stream (under catalog_lock)
    plat_cond stream_released; // with catalog_lock
    engine_stream *retired;    // handles of dropped streams

    plat_mutex flows_lock;
    plat_cond flow_passed; // a flow has ended a step or a pass
    engine_flow *_Atomic flows[ENGINE_FLOWS_MAX];
    uint32_t nflows;
    engine_flow *retired_flows; // under ddl_lock
    atomic_bool closing;

    plat_mutex listeners_lock;
    engine_listener *listeners;
    uint32_t nlisteners, next_listener;

    plat_mutex sinks_lock;
    const struct engine_book_ops *books[8]; // registered (book.c), under sinks_lock
    uint32_t nbooks;
    atomic_uint_fast64_t next_scratch; // names of scratch files (recon_sort.c)
    plat_mutex remedies_lock;          // remedy.c: reconciliations of which a run or a decision
    plat_cond remedy_ended;            // is under way, by id; 0: none
    uint32_t remedies_busy[ENGINE_REMEDIES_BUSY];
    struct engine_recon_counters *recon_counters; // remedy_count.c, under remedies_lock
    atomic_bool remedies_due;                     // perhaps one is to be gone on with
    base_map *sink_reports;                       // by id, as text
    plat_mutex sink_counts_lock;          // before catalog_lock; held while changes are counted
    base_map *sink_counts;                // by id, as text (sinklag.c)
    struct engine_replays *replays;       // replay.c
    struct engine_recon_jobs *recon_jobs; // recon_due.c
    plat_thread schedule_thread;
    plat_cond schedule_wake; // with flows_lock
    bool schedule_running;
    int64_t started_us;
    int64_t retained_us; // schedule.c: when retention ran last
};

// Who helps the steps of a flow; NULL: nobody.
static inline plat_workers *engine_flow_workers(const engine_flow *flow) {
    return flow->alone ? NULL : flow->engine->workers;
}

void engine_say(engine *e, engine_level level, const char *fmt, ...) BASE_PRINTF(3, 4);
void engine_notify_commit(engine_flow *flow);
void engine_notify_listeners(engine *e); // that there is something new to read
// The state configuration of a directory of this engine.
state_config engine_state_config(engine *e, const char *dir);

#endif
