// sim.h - the whole engine in simulation: one seed is one run of an engine on a simulated disk and
// clock, with clients behind a simulated network, faults and crashes; and what must hold at its
// end. All that a run does comes from its seed, so that a seed that fails can be run again.
//
// world.c      the disk, the engine on it, faults, crashes, restarts
// schema.c     streams, tables and views: what there is, what the seed chooses, DDL under faults
// client.c     requests and what the network does to them; what was acknowledged
// reference.c  views computed row by row from the log: no code of the engine but the log's reader
// check.c      views against the reference, the log against what was acknowledged, the counts
// main.c       the command and the course of a run
#ifndef WEIR_TESTS_SIM_H
#define WEIR_TESTS_SIM_H

#include <setjmp.h>

#include "base/map.h"
#include "base/must.h"
#include "base/random.h"
#include "connect/connect.h"
#include "engine/engine_int.h"
#include "plat/sim.h"

#define SIM_STREAMS      3 // ev0, ev1, dim
#define SIM_DIM          2
#define SIM_VIEWS_MAX    24
#define SIM_REQUESTS_MAX 400
#define SIM_RECORDS_MAX  50
#define SIM_QUEUE_MAX    12
#define SIM_STORES_MAX   32

// ---- reference tables -----------------------------------------------------------------------

typedef enum ref_kind { REF_INT, REF_CENTS, REF_TEXT, REF_TIME } ref_kind;

typedef struct ref_cell {
    bool null;
    int64_t i;     // integers, hundredths, microseconds
    const char *s; // texts
} ref_cell;

#define REF_COLUMNS_MAX 8

typedef struct ref_table {
    uint32_t ncols;
    ref_kind kinds[REF_COLUMNS_MAX];
    uint32_t nrows, cap;
    ref_cell (*rows)[REF_COLUMNS_MAX];
} ref_table;

// A record of ev0, ev1 or dim as the reference reads it.
typedef struct ref_event {
    int64_t id, n, k, qty, cents, at_us;
    const char *note, *name, *region; // NULL: null
    bool deletes;
} ref_event;

typedef struct ref_stream {
    uint32_t n, cap; // records as they stand in the log, partition by partition
    ref_event *events;
    uint32_t nlive, live_cap; // what counts: without duplicates; of dim, its present rows
    ref_event *live;
} ref_stream;

// ---- what the seed chooses -------------------------------------------------------------------

typedef enum view_kind {
    VIEW_TOTALS,
    VIEW_TUMBLE,
    VIEW_FILTER,
    VIEW_JOIN,
    VIEW_LEFT_JOIN,
    VIEW_DISTINCT,
    VIEW_HAVING,
    VIEW_DIM,
    VIEW_GLOBAL,
    VIEW_TUMBLE_JOIN,
    VIEW_SUBSELECT,
    VIEW_FAILING,
    VIEW_OVER_TOTALS,
    VIEW_OVER_TUMBLE,
    VIEW_OVER_FILTER,
    VIEW_KINDS
} view_kind;

typedef enum view_state {
    VIEW_ABSENT,
    VIEW_PRESENT,
    VIEW_UNSURE, // its DDL failed: may be either
} view_state;

typedef struct sim_view {
    view_kind kind;
    view_state state;
    uint32_t stream; // 0 or 1
    int32_t over;    // index of the view below, or -1
    uint32_t uses;   // views above that are not absent
    int64_t lateness_us;
    char schema[2], refresh[16], name[8];
    // A reader of changes, that goes on after restarts where it was.
    bool follows;
    uint64_t followed_step;
    base_map *followed; // line -> weight + FOLLOW_BIAS
    bool has_sink;
    base_map *sunk; // row as JSON -> weight + bias, as it was when the sink began
} sim_view;

typedef struct sim_request {
    uint32_t stream;
    base_buf body;
    uint32_t nrecords;
    uint32_t first_n; // records bear numbers first_n, first_n + 1, ...
    bool bad[SIM_RECORDS_MAX];
    uint32_t deliveries; // that reached the engine
    uint32_t done;       // that the engine acknowledged
    bool acknowledged;   // and the client knows
    uint32_t queued;     // copies under way
} sim_request;

typedef struct sim_store {
    char *dir;
    state_memory *memory;
} sim_store;

typedef struct world {
    uint64_t seed;
    bool verbose;
    base_random random;
    jmp_buf failed;
    plat_sim *disk;
    plat *plat;
    sim_store stores[SIM_STORES_MAX];
    uint32_t nstores;
    engine *engine;
    engine_session session;
    connect_hub *hub;
    engine_config config;
    base_arena arena;     // of an action
    base_arena reference; // of a check
    // Faults.
    base_random faults;
    uint32_t memory_fault_per_million;
    uint64_t memory_calls, memory_fail_at;
    bool dying;      // all calls fail from a chosen one on, until the crash
    bool calm;       // no faults now
    uint32_t stormy; // actions until calm
    uint32_t refusals;
    uint64_t disk_bytes;
    // What there is.
    bool has_key[SIM_STREAMS];
    uint32_t partitions[SIM_STREAMS];
    uint32_t watermark_s;
    sim_view views[SIM_VIEWS_MAX];
    uint32_t nviews;
    // Clients.
    sim_request *requests;
    uint32_t nrequests;
    uint32_t queue[SIM_QUEUE_MAX], nqueue;
    uint32_t next_n;
    int64_t event_us; // about where events are in event time
    uint32_t ids, keys;
    // Counts for the trace.
    uint32_t actions, crashes, restarts, failures, checks, steps;
    uint64_t digest;
    ref_stream streams[SIM_STREAMS];
} world;

static inline uint64_t pick(world *w, uint64_t bound) {
    return base_random_below(&w->random, bound);
}
static inline bool chance(world *w, uint32_t percent) {
    return base_random_below(&w->random, 100) < percent;
}

// world.c
void world_init(world *w, uint64_t seed, bool verbose);
void world_deinit(world *w);
void world_open(world *w); // until it opens; gives up faults if it must
void world_close(world *w);
void world_crash(world *w);
void world_after_failure(world *w, const char *what, const base_error *err);
void world_storm(world *w); // some kind of trouble begins
void world_calm(world *w);
void world_forget_flows(world *w); // all state of flows is gone: they begin at the log's beginning
base_rc world_sql(world *w, const char *sql, engine_result *out, base_error *err);
const char *world_object(const world *w, const sim_view *view); // "a.v1"
void world_trace(world *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
_Noreturn void world_fail(world *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void world_digest(world *w, const void *bytes, size_t n);

// schema.c
extern const char *const sim_stream_names[SIM_STREAMS];
void schema_choose(world *w);
void schema_create(world *w);
void schema_change(world *w);  // a view more or less
void schema_resolve(world *w); // after a restart: which of the unsure objects are there
bool schema_view_sql(world *w, const sim_view *view, base_buf *sql);

// client.c
void client_new_request(world *w);
void client_deliver(world *w);
void client_retry_all(world *w); // until everything is acknowledged; no faults

// reference.c
void reference_read(world *w, log_stream *log, uint32_t stream); // all records of the log
void reference_settle(world *w, uint32_t stream);                // duplicates, upserts
void reference_view(world *w, const sim_view *view, ref_table *out);
int64_t reference_number(base_str record, const char *field, bool *found);

// check.c
void check_views(world *w, const char *when);
void check_log(world *w);
void check_counts(world *w);
void check_standing(world *w);
void check_follow(world *w, sim_view *view, bool to_end);
void check_sink_begin(world *w, sim_view *view);
void check_sinks(world *w);

#endif
