// replay.c - replays: jobs that read the log again beside live flows; see replay.h.
//
// A replay makes a version of a view (version.h) from the view's own definition, by a durable
// shadow on a thread of its own, which gives way to others, is helped by none of the flows' helpers
// and may have a limit of records a second. Into a version: what the selection says is read, and
// the version stays beside the view. Into the view: all of the log is read, whatever the selection
// names, since what operators keep of a group is made of all its records; then the version takes
// the view's place in one step, whose differences are corrections with the cause "replay n", and
// what was the view goes. So nothing is counted twice, and a view that was right is not changed.
//
// Table "replays" of the catalogue's store: number (4 bytes, big endian) -> named values. A row is
// written before a replay begins, with the id of its version, which names the tables of its shadow;
// a replay whose row says "running" when the engine opens goes on: from the shadow's cursors, or,
// if its version is in the catalogue already, from there. Locks: replays->lock, after all others.
// Entry points: engine_replay, engine_replays_open.
#include "engine/version/replay.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/be.h"
#include "base/must.h"
#include "engine/version/version.h"

typedef enum replay_state { RUNNING, DONE, FAILED, CANCELLED } replay_state;
static const char *const state_names[] = {"running", "done", "failed", "cancelled"};

typedef struct replay {
    engine *engine;
    uint32_t number, view_id, version_id, version;
    bool into_version, quarantine;
    engine_selection selection; // texts of the key are the replay's
    uint64_t rate;
    char what[160]; // the selection, as text
    replay_state state;
    uint64_t records, total, differing, left_out;
    int64_t started_us, finished_us;
    char error[512];
    // Running.
    plat_thread thread;
    bool has_thread;
    volatile bool cancel; // stops the shadow
    bool cancelled;       // by a person; else the engine closes
    engine_shadow *shadow;
    uint64_t began_ns, before; // of the run at hand: for the rate that is shown
    struct replay *next;
} replay;

struct engine_replays {
    plat_mutex lock;
    replay *all; // by number, descending
    uint32_t next;
};

// ---- stored form --------------------------------------------------------------------------------

static void add_number(base_buf *value, const char *name, uint64_t n) {
    char text[24];
    snprintf(text, sizeof text, "%llu", (unsigned long long)n);
    log_headers_add(value, base_str_of(name), base_str_of(text));
}

static uint64_t number_of(base_str text) {
    char digits[24] = {0};
    memcpy(digits, text.p, text.n < sizeof digits - 1 ? text.n : sizeof digits - 1);
    return strtoull(digits, NULL, 10);
}

static void stored_form(const replay *r, base_buf *value) {
    const engine_selection *s = &r->selection;
    const struct {
        const char *name;
        uint64_t n;
    } numbers[] = {{"view", r->view_id},
                   {"version_id", r->version_id},
                   {"version", r->version},
                   {"into_version", r->into_version},
                   {"quarantine", r->quarantine},
                   {"kind", s->kind},
                   {"has_partition", s->has_partition},
                   {"partition", s->partition},
                   {"from", s->from},
                   {"upto", s->upto},
                   {"from_us", (uint64_t)s->from_us},
                   {"upto_us", (uint64_t)s->upto_us},
                   {"rate", r->rate},
                   {"state", r->state},
                   {"records", r->records},
                   {"total", r->total},
                   {"differing", r->differing},
                   {"left_out", r->left_out},
                   {"started", (uint64_t)r->started_us},
                   {"finished", (uint64_t)r->finished_us}};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        add_number(value, numbers[i].name, numbers[i].n);
    for (uint32_t i = 0; i < s->nkey; i++)
        log_headers_add(value, BASE_STR("key"), base_str_of(s->key[i]));
    log_headers_add(value, BASE_STR("what"), base_str_of(r->what));
    log_headers_add(value, BASE_STR("error"), base_str_of(r->error));
}

static void copy_text(char *to, size_t size, base_str from) {
    size_t n = from.n < size - 1 ? from.n : size - 1;
    memcpy(to, from.p, n);
    to[n] = 0;
}

static void read_value(replay *r, base_str name, base_str text) {
    engine_selection *s = &r->selection;
    uint64_t n = number_of(text);
    if (base_str_eq(name, BASE_STR("view"))) r->view_id = (uint32_t)n;
    if (base_str_eq(name, BASE_STR("version_id"))) r->version_id = (uint32_t)n;
    if (base_str_eq(name, BASE_STR("version"))) r->version = (uint32_t)n;
    if (base_str_eq(name, BASE_STR("into_version"))) r->into_version = n != 0;
    if (base_str_eq(name, BASE_STR("quarantine"))) r->quarantine = n != 0;
    if (base_str_eq(name, BASE_STR("kind"))) s->kind = (engine_select)n;
    if (base_str_eq(name, BASE_STR("has_partition"))) s->has_partition = n != 0;
    if (base_str_eq(name, BASE_STR("partition"))) s->partition = (uint32_t)n;
    if (base_str_eq(name, BASE_STR("from"))) s->from = n;
    if (base_str_eq(name, BASE_STR("upto"))) s->upto = n;
    if (base_str_eq(name, BASE_STR("from_us"))) s->from_us = (int64_t)n;
    if (base_str_eq(name, BASE_STR("upto_us"))) s->upto_us = (int64_t)n;
    if (base_str_eq(name, BASE_STR("rate"))) r->rate = n;
    if (base_str_eq(name, BASE_STR("state"))) r->state = n <= CANCELLED ? (replay_state)n : FAILED;
    if (base_str_eq(name, BASE_STR("records"))) r->records = n;
    if (base_str_eq(name, BASE_STR("total"))) r->total = n;
    if (base_str_eq(name, BASE_STR("differing"))) r->differing = n;
    if (base_str_eq(name, BASE_STR("left_out"))) r->left_out = n;
    if (base_str_eq(name, BASE_STR("started"))) r->started_us = (int64_t)n;
    if (base_str_eq(name, BASE_STR("finished"))) r->finished_us = (int64_t)n;
    if (base_str_eq(name, BASE_STR("what"))) copy_text(r->what, sizeof r->what, text);
    if (base_str_eq(name, BASE_STR("error"))) copy_text(r->error, sizeof r->error, text);
    if (base_str_eq(name, BASE_STR("key")) && s->nkey < ENGINE_SELECT_KEYS_MAX) {
        char *key = base_arena_memdup(&r->engine->catalog_arena, text.p, text.n);
        s->key[s->nkey++] = key;
    }
}

static base_str row_key(char out[4], uint32_t number) {
    base_be_put(out, number, 4);
    return (base_str){out, 4};
}

// The row, and that its version's id has been given out.
static base_rc store(replay *r, base_error *err) {
    engine *e = r->engine;
    char key[4], next[4];
    base_buf value = {0};
    state_txn *txn;
    bool found;
    base_rc rc = state_begin_write(e->meta, &txn, err);
    if (rc != BASE_OK) return rc;
    stored_form(r, &value);
    rc = state_put(txn, e->t_replays, row_key(key, r->number), base_buf_str(&value), err);
    uint32_t next_id = e->next_id;
    if (rc == BASE_OK)
        rc = state_put(txn, e->t_settings, BASE_STR("next_id"), row_key(next, next_id), err);
    if (rc == BASE_OK && r->number > ENGINE_REPLAYS_KEPT)
        rc = state_delete(txn, e->t_replays, row_key(key, r->number - ENGINE_REPLAYS_KEPT), &found,
                          err);
    if (rc == BASE_OK)
        rc = state_commit(txn, err);
    else
        state_abort(txn);
    base_buf_deinit(&value);
    return rc;
}

static void note_end(replay *r, replay_state state, const char *error) {
    engine *e = r->engine;
    base_error err;
    plat_mutex_lock(&e->replays->lock);
    r->state = state;
    r->finished_us = plat_wall_us(e->plat);
    snprintf(r->error, sizeof r->error, "%s", error);
    plat_mutex_unlock(&e->replays->lock);
    if (store(r, &err) != BASE_OK) engine_say(e, ENGINE_ERROR, "%s", err.message);
    engine_say(e, state == FAILED ? ENGINE_WARNING : ENGINE_INFO, "replay %u: %s%s%s", r->number,
               state_names[state], error[0] != 0 ? ": " : "", error);
}

// ---- one replay ---------------------------------------------------------------------------------

static void note_shadow(void *arg, engine_shadow *shadow) {
    replay *r = arg;
    plat_mutex_lock(&r->engine->replays->lock);
    if (shadow == NULL && r->shadow != NULL) {
        engine_shadow_progress p = engine_shadow_progress_of(r->shadow);
        r->records = p.read;
        r->total = p.total;
    }
    r->shadow = shadow;
    if (shadow != NULL) {
        r->began_ns = plat_monotonic_ns(r->engine->plat);
        r->before = engine_shadow_progress_of(shadow).read;
    }
    plat_mutex_unlock(&r->engine->replays->lock);
}

// The view's own definition as a version of it, under the id that the row names.
static base_rc make_object(replay *r, const plan_object *view, plan_object **out, base_error *err) {
    engine *e = r->engine;
    sql_statement *bound;
    base_rc rc = engine_catalog_bind(e, view->schema, base_str_of(view->definition), &bound, err);
    if (rc != BASE_OK) return rc;
    plan_object *version = bound->object;
    version->definition = view->definition;
    version->schema = view->schema;
    version->id = r->version_id;
    version->version_of = view->id;
    version->version = r->into_version ? r->version : view->version;
    version->is_replay = !r->into_version;
    version->name =
        r->into_version
            ? base_arena_printf(&e->catalog_arena, "%s@%u", view->name, r->version)
            : base_arena_printf(&e->catalog_arena, "%s@replay%u", view->name, r->number);
    *out = version;
    return BASE_OK;
}

// ddl_lock held; given away while the log is read.
static base_rc make_version(replay *r, const plan_object *view, base_error *err) {
    plan_object *version;
    base_rc rc = make_object(r, view, &version, err);
    if (rc != BASE_OK) return rc;
    char name[64];
    snprintf(name, sizeof name, "replay.%u", r->number);
    engine_version_build how = {.shadow = {.name = name,
                                           .durable = true,
                                           .selection = r->into_version ? &r->selection : NULL,
                                           .rate = r->rate,
                                           .alone = true},
                                .left_out = r->left_out,
                                .cancel = &r->cancel,
                                .opened = note_shadow,
                                .arg = r};
    rc = engine_version_make(r->engine, view, version, &how, err);
    plat_mutex_lock(&r->engine->replays->lock);
    if (rc == BASE_OK && r->into_version) r->version = version->version;
    plat_mutex_unlock(&r->engine->replays->lock);
    return rc;
}

// The version becomes the view, and what was the view goes.
static base_rc take_place(replay *r, base_error *err) {
    engine *e = r->engine;
    const plan_object *view = engine_catalog_by_id(e, r->view_id);
    const plan_object *version = engine_catalog_by_id(e, r->version_id);
    char cause[40];
    base_rc rc = BASE_OK;
    snprintf(cause, sizeof cause, "replay %u", r->number);
    if (version == NULL || plan_object_state_id(view) == r->version_id)
        ; // a crash came after
    else if (version->history_lost > 0)
        rc =
            base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_NOT_IN_STATE,
                      "retention has removed %llu records that the view was made of: what it shows "
                      "of them would go. Replay into a version",
                      (unsigned long long)version->history_lost);
    else
        rc = engine_version_exchange(e, view, version, true, cause, &r->cancel, &r->differing, err);
    if (rc == BASE_E_CANCELLED && !r->cancelled) return rc; // the engine closes: it goes on later
    version = engine_catalog_by_id(e, r->version_id);
    base_error second;
    base_rc dropped =
        version == NULL ? BASE_OK : engine_drop_object(e, version, true, NULL, &second);
    if (rc == BASE_OK && dropped != BASE_OK) {
        *err = second;
        rc = dropped;
    }
    return rc;
}

// ddl_lock held: no stream is dropped meanwhile.
static base_rc put_back(replay *r, const plan_object *view, base_error *err) {
    base_rc rc = engine_replay_quarantine(r->engine, view, r->number, &r->cancel, &r->total,
                                          &r->records, err);
    engine_flow_wake_all(r->engine);
    return rc;
}

static base_rc run_locked(replay *r, base_error *err) {
    engine *e = r->engine;
    const plan_object *view = engine_catalog_by_id(e, r->view_id);
    if (view == NULL)
        return base_fail(err, BASE_E_NOT_FOUND, BASE_SQLSTATE_UNDEFINED_TABLE,
                         "the view has been dropped");
    base_rc rc = BASE_OK;
    if (r->quarantine) return put_back(r, view, err);
    bool placed = !r->into_version && plan_object_state_id(view) == r->version_id;
    const plan_object *version = engine_catalog_by_id(e, r->version_id);
    if (version != NULL && r->into_version) { // a crash came after
        plat_mutex_lock(&e->replays->lock);
        r->version = version->version;
        plat_mutex_unlock(&e->replays->lock);
    }
    if (!placed && version == NULL) rc = make_version(r, view, err);
    if (rc == BASE_OK && !r->into_version) rc = take_place(r, err);
    return rc;
}

static void run(replay *r) {
    engine *e = r->engine;
    base_error err = {0};
    plat_mutex_lock(&e->ddl_lock);
    base_rc rc = run_locked(r, &err);
    plat_mutex_unlock(&e->ddl_lock);
    if (rc == BASE_E_CANCELLED && !r->cancelled) return; // the engine closes: it goes on later
    if (rc == BASE_OK) {
        note_end(r, DONE, "");
    } else if (rc == BASE_E_CANCELLED) {
        base_buf dir = {0};
        base_error ignored;
        base_buf_printf(&dir, "%s/shadow/replay.%u", e->dir, r->number);
        if (e->config.memory_for == NULL &&
            plat_remove_tree(e->plat, base_buf_cstr(&dir), &ignored) != BASE_OK)
            engine_say(e, ENGINE_WARNING, "%s", ignored.message);
        base_buf_deinit(&dir);
        note_end(r, CANCELLED, "");
    } else {
        note_end(r, FAILED, err.message);
    }
}

static void *run_on_thread(void *arg) {
    plat_thread_nice(10);
    run(arg);
    return NULL;
}

static void start(replay *r) {
    if (!r->engine->config.threads) {
        run(r);
        return;
    }
    plat_mutex_lock(&r->engine->replays->lock); // before its end can be noted
    r->has_thread = true;
    plat_thread_start(&r->thread, "replay", run_on_thread, r);
    plat_mutex_unlock(&r->engine->replays->lock);
}

// ---- statements ---------------------------------------------------------------------------------

static base_rc read_time(engine_session *session, base_arena *arena, const char *text, int64_t *us,
                         base_error *err) {
    col_type type = col_type_of(COL_TIMESTAMPTZ);
    col_batch *batch = col_batch_create(arena, 1, &type, 1);
    base_rc rc = col_text_parse(base_str_of(text), session->zone, &batch->cols[0], 0, arena, err);
    if (rc == BASE_OK) *us = col_i64(&batch->cols[0])[0];
    return rc;
}

static const engine_select selects[] = {
    [SQL_REPLAY_ALL] = ENGINE_SELECT_ALL,
    [SQL_REPLAY_PARTITION] = ENGINE_SELECT_PARTITION,
    [SQL_REPLAY_OFFSETS] = ENGINE_SELECT_OFFSETS,
    [SQL_REPLAY_TIME] = ENGINE_SELECT_EVENT_TIME,
    [SQL_REPLAY_APPEND_TIME] = ENGINE_SELECT_APPEND_TIME,
    [SQL_REPLAY_KEY] = ENGINE_SELECT_KEY,
    [SQL_REPLAY_QUARANTINE] = ENGINE_SELECT_ALL,
};

static void describe(const sql_replay *s, char *out, size_t n) {
    char partition[32] = "";
    if (s->has_partition) snprintf(partition, sizeof partition, " PARTITION %u", s->partition);
    switch (s->kind) {
    case SQL_REPLAY_ALL:
        snprintf(out, n, "ALL");
        break;
    case SQL_REPLAY_QUARANTINE:
        snprintf(out, n, "QUARANTINE");
        break;
    case SQL_REPLAY_PARTITION:
        snprintf(out, n, "PARTITION %u", s->partition);
        break;
    case SQL_REPLAY_OFFSETS:
        snprintf(out, n, "OFFSETS %llu TO %llu%s", (unsigned long long)s->from,
                 (unsigned long long)s->upto, partition);
        break;
    case SQL_REPLAY_TIME:
    case SQL_REPLAY_APPEND_TIME:
        snprintf(out, n, "FROM '%.50s' TO '%.50s'%s", s->from_time, s->upto_time,
                 s->kind == SQL_REPLAY_TIME ? "" : " BY APPEND TIME");
        break;
    case SQL_REPLAY_KEY:
        snprintf(out, n, "KEY ('%.100s'%s)", s->key[0], s->nkey > 1 ? ", ..." : "");
        break;
    }
}

static base_rc read_selection(engine_session *session, const sql_replay *from, replay *r,
                              base_error *err) {
    engine_selection *s = &r->selection;
    base_arena *kept = &session->engine->catalog_arena;
    *s = (engine_selection){.kind = selects[from->kind],
                            .has_partition = from->has_partition,
                            .partition = from->partition,
                            .from = from->from,
                            .upto = from->upto,
                            .nkey = from->nkey};
    describe(from, r->what, sizeof r->what);
    for (uint32_t i = 0; i < from->nkey; i++) s->key[i] = base_arena_strdup(kept, from->key[i]);
    base_arena arena;
    base_arena_init(&arena, 1024);
    base_rc rc = BASE_OK;
    if (from->from_time != NULL) {
        rc = read_time(session, &arena, from->from_time, &s->from_us, err);
        if (rc == BASE_OK) rc = read_time(session, &arena, from->upto_time, &s->upto_us, err);
        if (rc == BASE_OK && s->upto_us <= s->from_us)
            rc = base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER,
                           "the end of the time is not after its beginning");
    }
    base_arena_deinit(&arena);
    if (rc == BASE_OK && s->kind == ENGINE_SELECT_OFFSETS && s->upto <= s->from)
        rc = base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER,
                       "the last offset is not after the first");
    return rc;
}

typedef struct reading {
    engine *engine;
    const engine_selection *selection;
    bool fits;        // a stream that the selection says something of
    uint64_t records; // of all streams
} reading;

static void visit_stream(void *arg, const plan_node *scan) {
    reading *x = arg;
    const plan_object *object = scan->object;
    engine_stream *stream = engine_stream_of(x->engine, object);
    if (stream == NULL || object->kind != PLAN_OBJECT_STREAM) return;
    const engine_selection *s = x->selection;
    bool fits = s->kind != ENGINE_SELECT_KEY || object->nkey == s->nkey;
    if (s->kind == ENGINE_SELECT_EVENT_TIME) fits = object->event_time >= 0;
    if (s->kind == ENGINE_SELECT_PARTITION || s->has_partition)
        fits = s->partition < log_stream_partitions(stream->log);
    x->fits = x->fits || fits;
    for (uint32_t p = 0; p < log_stream_partitions(stream->log); p++)
        x->records += log_end(stream->log, p) - log_begin(stream->log, p);
}

static base_rc check_selection(engine *e, const plan_object *view, replay *r, base_error *err) {
    reading x = {e, &r->selection, false, 0};
    plan_node_scans(view->plan, visit_stream, &x);
    if (r->selection.kind == ENGINE_SELECT_ALL) return BASE_OK;
    if (!x.fits)
        return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER,
                         "%s selects nothing of what \"%s.%s\" reads: no stream has such a "
                         "partition, key or event time",
                         r->what, view->schema, view->name);
    // The version lacks what is not selected: it is promoted with FORCE only.
    r->left_out = r->into_version ? (x.records > 0 ? x.records : 1) : 0;
    return BASE_OK;
}

static void add_to_list(engine *e, replay *r) {
    struct engine_replays *replays = e->replays;
    plat_mutex_lock(&replays->lock);
    r->next = replays->all;
    replays->all = r;
    plat_mutex_unlock(&replays->lock);
}

// Threads of replays that have ended are joined; those that the store has forgotten (see store) go.
static void reap(engine *e) {
    struct engine_replays *replays = e->replays;
    replay *gone = NULL;
    plat_mutex_lock(&replays->lock);
    for (replay **at = &replays->all; *at != NULL;) {
        replay *r = *at;
        bool ended = r->state != RUNNING;
        if (ended && r->has_thread) { // it has noted its end, and takes the lock no more
            plat_thread_join(r->thread);
            r->has_thread = false;
        }
        if (ended && r->number + ENGINE_REPLAYS_KEPT < replays->next) {
            *at = r->next;
            r->next = gone;
            gone = r;
        } else {
            at = &r->next;
        }
    }
    plat_mutex_unlock(&replays->lock);
    for (replay *next; gone != NULL; gone = next) {
        next = gone->next;
        free(gone);
    }
}

uint32_t engine_replay_version_greatest(engine *e, uint32_t view_id) {
    uint32_t greatest = 0;
    if (e->replays == NULL) return 0;
    plat_mutex_lock(&e->replays->lock);
    for (const replay *r = e->replays->all; r != NULL; r = r->next)
        if (r->state == RUNNING && r->into_version && r->view_id == view_id &&
            r->version > greatest)
            greatest = r->version;
    plat_mutex_unlock(&e->replays->lock);
    return greatest;
}

static uint32_t running(engine *e) {
    uint32_t n = 0;
    plat_mutex_lock(&e->replays->lock);
    for (const replay *r = e->replays->all; r != NULL; r = r->next) n += r->state == RUNNING;
    plat_mutex_unlock(&e->replays->lock);
    return n;
}

// ddl_lock held.
static base_rc prepare(engine_session *session, const sql_statement *s, const plan_object *view,
                       replay *r, base_error *err) {
    engine *e = session->engine;
    r->engine = e;
    r->view_id = view->id;
    r->into_version = s->replay.into_version;
    r->rate = s->replay.rate;
    r->started_us = plat_wall_us(e->plat);
    base_rc rc = read_selection(session, &s->replay, r, err);
    if (rc == BASE_OK) rc = check_selection(e, view, r, err);
    r->quarantine = s->replay.kind == SQL_REPLAY_QUARANTINE;
    if (rc == BASE_OK && r->quarantine && r->into_version)
        rc = base_fail(err, BASE_E_UNSUPPORTED, BASE_SQLSTATE_UNSUPPORTED,
                       "what is in quarantine is put back into its streams, and so reaches every "
                       "view and version");
    if (rc == BASE_OK) rc = engine_version_check(e, view, view, err);
    if (rc != BASE_OK) return rc;
    if (running(e) >= ENGINE_REPLAYS_RUNNING_MAX)
        return base_fail(err, BASE_E_LIMIT, NULL, "%u replays are running already",
                         ENGINE_REPLAYS_RUNNING_MAX);
    plan_object named = {.schema = view->schema};
    rc = engine_version_name(e, view, &named, err);
    r->version_id = named.id;
    r->version = named.version;
    r->number = e->replays->next++;
    return rc == BASE_OK ? store(r, err) : rc;
}

base_rc engine_replay(engine_session *session, const sql_statement *s, engine_result *out,
                      base_error *err) {
    engine *e = session->engine;
    replay *r = calloc(1, sizeof *r);
    must(r != NULL);
    plat_mutex_lock(&e->ddl_lock);
    const plan_object *view;
    base_rc rc = engine_catalog_find_view(e, s->schema, s->name, &view, err);
    if (rc == BASE_OK) rc = prepare(session, s, view, r, err);
    if (rc == BASE_OK) add_to_list(e, r); // so that its version's number is taken
    plat_mutex_unlock(&e->ddl_lock);
    if (rc != BASE_OK) {
        free(r);
        return rc;
    }
    const char **notices = base_arena_array(&e->catalog_arena, const char *, 1);
    notices[0] = base_arena_printf(&e->catalog_arena, "replay %u: see weir.replays%s", r->number,
                                   !r->into_version && r->selection.kind != ENGINE_SELECT_ALL
                                       ? "; into the view itself all of the log is read"
                                       : "");
    out->notices = notices;
    out->nnotices = 1;
    snprintf(out->tag, sizeof out->tag, "REPLAY %u", r->number);
    reap(e);
    start(r);
    if (e->config.threads || r->state != FAILED) return BASE_OK;
    return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_NOT_IN_STATE, "%s", r->error);
}

base_rc engine_replay_cancel(engine_session *session, const sql_statement *s, engine_result *out,
                             base_error *err) {
    engine *e = session->engine;
    bool found = false, there = false;
    plat_mutex_lock(&e->replays->lock);
    for (replay *r = e->replays->all; r != NULL; r = r->next) {
        there |= r->number == s->version;
        if (r->number != s->version || r->state != RUNNING) continue;
        r->cancelled = r->cancel = found = true;
    }
    plat_mutex_unlock(&e->replays->lock);
    snprintf(out->tag, sizeof out->tag, "CANCEL REPLAY");
    if (found) return BASE_OK;
    return base_fail(err, BASE_E_NOT_FOUND, BASE_SQLSTATE_UNDEFINED_OBJECT,
                     there ? "replay %u is not running" : "replay %u does not exist", s->version);
}

// ---- opening and closing ------------------------------------------------------------------------

static base_rc load(engine *e, base_error *err) {
    state_txn *txn;
    state_cursor *cursor;
    base_rc rc = state_begin_read(e->meta, &txn, err);
    if (rc != BASE_OK) return rc;
    rc = state_cursor_open(txn, e->t_replays, &cursor, err);
    if (rc == BASE_OK) {
        base_str key, value, name, text;
        bool end;
        rc = state_cursor_seek(cursor, (base_str){NULL, 0}, &key, &value, &end, err);
        while (rc == BASE_OK && !end) {
            if (key.n != 4) { // of replay_quarantine.c
                rc = state_cursor_next(cursor, &key, &value, &end, err);
                continue;
            }
            replay *r = calloc(1, sizeof *r);
            must(r != NULL);
            r->engine = e;
            for (size_t i = 0; i < key.n; i++) r->number = r->number << 8 | (uint8_t)key.p[i];
            for (size_t at = 0; log_headers_next(value, &at, &name, &text);)
                read_value(r, name, text);
            if (r->number >= e->replays->next) e->replays->next = r->number + 1;
            add_to_list(e, r);
            rc = state_cursor_next(cursor, &key, &value, &end, err);
        }
        state_cursor_close(cursor);
    }
    state_abort(txn);
    return rc;
}

typedef struct leftovers {
    engine *engine;
    base_error *err;
} leftovers;

// What a crash left of a verification, of a version's making, or of a replay that has ended.
static base_rc visit_shadow(void *arg, const plat_dir_entry *entry) {
    leftovers *l = arg;
    engine *e = l->engine;
    uint32_t number = 0;
    if (strncmp(entry->name, "replay.", 7) == 0)
        number = (uint32_t)strtoul(entry->name + 7, NULL, 10);
    for (const replay *r = e->replays->all; r != NULL; r = r->next)
        if (r->number == number && r->state == RUNNING) return BASE_OK;
    base_buf path = {0};
    base_buf_printf(&path, "%s/shadow/%s", e->dir, entry->name);
    base_rc rc = plat_remove_tree(e->plat, base_buf_cstr(&path), l->err);
    base_buf_deinit(&path);
    return rc;
}

static base_rc remove_leftovers(engine *e, base_error *err) {
    if (e->config.memory_for != NULL) return BASE_OK; // its stores have no files
    base_buf path = {0};
    base_buf_printf(&path, "%s/shadow", e->dir);
    bool exists, is_dir;
    leftovers l = {e, err};
    base_rc rc = e->plat->ops->exists(e->plat, base_buf_cstr(&path), &exists, &is_dir, err);
    if (rc == BASE_OK && exists)
        rc = e->plat->ops->list_dir(e->plat, base_buf_cstr(&path), visit_shadow, &l, err);
    base_buf_deinit(&path);
    return rc;
}

base_rc engine_replays_open(engine *e, base_error *err) {
    e->replays = calloc(1, sizeof *e->replays);
    must(e->replays != NULL);
    plat_mutex_init(&e->replays->lock);
    e->replays->next = 1;
    base_rc rc = load(e, err);
    base_error ignored;
    if (rc == BASE_OK && remove_leftovers(e, &ignored) != BASE_OK)
        engine_say(e, ENGINE_WARNING, "%s", ignored.message);
    // A directory that is looked at without threads is left as it is.
    for (replay *r = e->replays->all; rc == BASE_OK && e->config.threads && r != NULL; r = r->next)
        if (r->state == RUNNING) start(r);
    return rc;
}

void engine_replays_close(engine *e) {
    if (e->replays == NULL) return;
    for (replay *r = e->replays->all; r != NULL; r = r->next) r->cancel = true;
    for (replay *r = e->replays->all, *next; r != NULL; r = next) {
        next = r->next;
        if (r->has_thread) plat_thread_join(r->thread);
        free(r);
    }
    plat_mutex_deinit(&e->replays->lock);
    free(e->replays);
    e->replays = NULL;
}

// ---- weir.replays -------------------------------------------------------------------------------

static void fill_row(system_rows *rows, const replay *r) {
    engine *e = r->engine;
    const plan_object *view = engine_catalog_by_id(e, r->view_id);
    uint64_t records = r->records, total = r->total;
    system_row(rows);
    system_i64(rows, "replay", r->number);
    system_printf(rows, "view", "%s%s%s", view != NULL ? view->schema : "", view != NULL ? "." : "",
                  view != NULL ? view->name : "(dropped)");
    if (r->into_version) system_i64(rows, "version", r->version);
    system_copy(rows, "selection", base_str_of(r->what));
    system_text(rows, "status", state_names[r->state]);
    if (r->shadow != NULL) {
        engine_shadow_progress p = engine_shadow_progress_of(r->shadow);
        records = p.read;
        total = p.total;
        double seconds = (double)(plat_monotonic_ns(e->plat) - r->began_ns) / 1e9;
        if (seconds > 0)
            system_i64(rows, "records_per_second",
                       (int64_t)((double)(p.read - r->before) / seconds));
    } else if (r->finished_us > r->started_us) {
        double seconds = (double)(r->finished_us - r->started_us) / 1e6;
        system_i64(rows, "records_per_second", (int64_t)((double)records / seconds));
    }
    system_i64(rows, "records", (int64_t)records);
    system_i64(rows, "total", (int64_t)total);
    if (r->state == DONE && !r->into_version && !r->quarantine)
        system_i64(rows, "corrected", (int64_t)r->differing);
    system_time(rows, "started_at", r->started_us, 0);
    system_time(rows, "finished_at", r->finished_us, 0);
    if (r->error[0] != 0) system_copy(rows, "error", base_str_of(r->error));
}

base_rc system_fill_replays(system_rows *rows, base_error *err) {
    (void)err;
    struct engine_replays *replays = rows->engine->replays;
    plat_mutex_lock(&replays->lock);
    for (const replay *r = replays->all; r != NULL; r = r->next) fill_row(rows, r);
    plat_mutex_unlock(&replays->lock);
    return BASE_OK;
}
