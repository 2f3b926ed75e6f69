// connect_int.h - the hub, its sinks and their connectors, for the files of src/connect only.
//
// All of it belongs to whoever holds hub->lock: the hub's thread during a turn, or the caller of
// connect_pump. Nothing here is called from a flow's thread but the wake-up.
#ifndef WEIR_CONNECT_CONNECT_INT_H
#define WEIR_CONNECT_CONNECT_INT_H

#include <curl/curl.h>
#include <stdatomic.h>

#include "connect/connect.h"
#include "engine/recon/alert.h"
#include "plat/thread.h"

#define CONNECT_PAUSE_FIRST_US (200 * 1000ll)
#define CONNECT_IDLE_ACK_STEPS 1000u // steps without changes after which the cursor moves anyway
#define CONNECT_IDLE_ACK_NS    (10ull * 1000 * 1000 * 1000) // and the same after changes passed over
#define CONNECT_FILE_STEPS     64u                          // steps written before one sync
#define CONNECT_FILE_BYTES     (4u << 20)
#define CONNECT_PARKED_BYTES   (1ull << 30) // of one sink's parked requests
#define CONNECT_RESPONSE_BYTES 300u         // of an answer, for messages

// ---- delivery.c: a step's changes as items -----------------------------------------------------

// UPSERT: of sinks that are told final rows only.
typedef enum connect_op {
    CONNECT_INSERT,
    CONNECT_DELETE,
    CONNECT_UPDATE,
    CONNECT_UPSERT
} connect_op;

// What a sink is told: emit = 'changes', 'inserts' or 'final'; of a reconciliation 'alerts', 'all'.
typedef enum connect_emit {
    CONNECT_CHANGES,
    CONNECT_INSERTS,
    CONNECT_FINAL,
    CONNECT_ALERTS,
    CONNECT_ALL
} connect_emit;

typedef struct connect_item {
    connect_op op;
    uint32_t row;    // of the batch
    uint32_t before; // UPDATE
    int64_t count;   // how many equal rows came or went; at least 1
} connect_item;

typedef struct connect_changes {
    uint64_t step;
    int64_t at_us, watermark_us;
    const uint8_t *final; // by row: its window is; NULL: the view has no windows
    const plan_object *view;
    const col_batch *batch;
    uint32_t nitems;
    const connect_item *items;
    const engine_alert *alert; // a reconciliation's run, the step: one item, and no rows
} connect_changes;

void connect_changes_build(base_arena *arena, const plan_object *view, const engine_change *change,
                           connect_emit emit, connect_changes *out);
// "id", "sink", ... of a file's line, with '\n'.
void connect_write_line(base_buf *buf, const char *token, const char *sink,
                        const connect_changes *changes, uint32_t item);
// A request's body of items [first, first + n), the seq-th of its step.
void connect_write_request(base_buf *buf, const char *token, const char *sink,
                           const connect_changes *changes, uint32_t seq, uint32_t first,
                           uint32_t n);
// "<token>-<step>-<seq>"; of a run "<token>-<run>".
void connect_write_key(base_buf *buf, const char *token, const connect_changes *changes,
                       uint32_t seq);

// ---- sinks -------------------------------------------------------------------------------------

typedef struct connect_sink {
    struct connect_sink *next;
    connect_hub *hub;
    const plan_object *object;
    char *name;  // "schema.name"
    char *token; // "schema.name.id": begins its idempotency keys, also after DROP and CREATE
    bool is_file;
    connect_emit emit;
    bool seen;           // in the walk over the catalogue
    const char *refused; // why it can never run (its options), or NULL
    bool lost;           // what comes after `at` is gone

    bool cursor_known;
    uint64_t acked;   // the durable cursor
    uint64_t at;      // everything up to this step was delivered (or had nothing to deliver)
    bool passed_over; // since acked, changes that are none for this sink
    uint64_t acked_ns;
    bool loaded; // changes holds the step being delivered
    connect_changes changes;
    base_arena arena; // of changes

    uint32_t failures;    // in a row
    uint64_t due_ns;      // not before
    int64_t pause_max_us; // max_retry_interval

    // Webhooks.
    const char *url;
    char *shown;                // of the url, what messages may say
    struct curl_slist *headers; // fixed ones
    struct curl_slist *request_headers;
    const char *secret;
    int64_t timeout_us;
    uint32_t batch_rows, max_attempts;
    uint32_t seq, next_item; // of the step being delivered
    uint32_t in_request;     // items of the request under way
    uint32_t refusals;       // of this request
    CURL *easy;
    bool under_way;
    base_buf body, answer;
    char curl_error[CURL_ERROR_SIZE];

    // Files.
    bool file_checked; // what is behind the cursor has been cut off, and the name is durable
    bool made_dirs;    // directories for it, whose names are not durable yet
    uint64_t file_end;
} connect_sink;

struct connect_hub {
    engine *engine;
    plat *plat;
    plat_mutex lock;
    CURLM *multi;
    connect_sink *sinks;
    uint64_t catalog_version;
    bool catalog_known;
    uint32_t listener;
    bool threaded;
    atomic_bool stop;
    plat_thread thread;
};

static inline bool connect_is_told_runs(const connect_sink *sink) {
    return sink->object->from->kind == PLAN_OBJECT_RECONCILIATION;
}

static inline uint64_t connect_now_ns(const connect_hub *hub) {
    return plat_monotonic_ns(hub->plat);
}

// sink.c. load: the next step with something to deliver; *found false: nothing yet.
BASE_MUST_USE base_rc connect_sink_load(connect_sink *sink, bool *found, base_error *err);
// When load finds nothing and all that it gave before is delivered: steps with nothing for this
// sink must not look undelivered for long, so the cursor moves over them now and then.
BASE_MUST_USE base_rc connect_sink_idle(connect_sink *sink, base_error *err);
void connect_sink_unload(connect_sink *sink); // back to the log: frees the memory
// All of the loaded step is delivered; the next load goes on after it.
void connect_sink_pass(connect_sink *sink);
BASE_MUST_USE base_rc connect_sink_ack(connect_sink *sink, base_error *err);
// A failed attempt: reported, unloaded, and due again after a growing pause of at least least_us.
void connect_sink_failed(connect_sink *sink, int64_t least_us, const base_error *err);
void connect_sink_succeeded(connect_sink *sink, uint64_t changes);
connect_sink *connect_sink_create(connect_hub *hub, const plan_object *object);
void connect_sink_destroy(connect_sink *sink);
bool connect_sink_is_behind(connect_sink *sink);

// webhook.c
BASE_MUST_USE base_rc connect_webhook_open(connect_sink *sink, base_error *err);
void connect_webhook_close(connect_sink *sink);
// Puts the next request under way, if there is one.
BASE_MUST_USE base_rc connect_webhook_send(connect_sink *sink, base_error *err);
// The headers of an option, which the caller frees: lines "Name: value", or parted by ';' if there
// is only one line. The error names none of their values but the bad one.
BASE_MUST_USE base_rc connect_headers(base_str text, struct curl_slist **headers, base_error *err);
// A request has ended.
void connect_webhook_done(connect_sink *sink, CURLcode code, bool *progressed);

// file.c: writes what there is, syncs, acknowledges.
BASE_MUST_USE base_rc connect_file_deliver(connect_sink *sink, bool *progressed, base_error *err);
// Appends to a file that is made if absent, durable on return. limit 0: none.
BASE_MUST_USE base_rc connect_append(plat *p, const char *path, base_str text, uint64_t limit,
                                     base_error *err);

#endif
