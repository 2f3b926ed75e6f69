// schedule.c - what is done once a second beside the steps: retention of logs and ledgers, limits
// of sinks, and reconciliations whose time has come.
//
// Retention never takes a record that a flow has still to read: the least cursor of all flows that
// read the stream bounds it (a flow that has stopped therefore holds its streams' records, and the
// disk's growth says so). A flow whose store could not be opened holds all records of its streams:
// what it has read is not known, and it may have to read all of it again. When a reconciliation ran
// last is kept in the catalogue's settings, so that a restart neither repeats nor skips one; beside
// it, that it has begun and not ended, so that one that a crash has cut short is run again, once: a
// run that itself ends the process must not do so at each start. Entry point: engine_schedules_run.

#include <stdio.h>
#include <string.h>

#include "base/must.h"
#include "engine/catalog_int.h"
#include "engine/history/ledger.h"
#include "engine/recon/remedy.h"
#include "engine/system_int.h"

#define RETENTION_EVERY_US (10 * BASE_US_PER_SECOND)
#define LAST_RUN           "last_run"  // settings: key.id -> when, as int64
#define RUN_BEGUN          "run_begun" // how often it began without an end, a byte
#define RUNS_BEGUN_MAX     2

static void visit_scan(void *arg, const plan_node *scan) {
    uint32_t *id = arg;
    if (*id == scan->object->id) *id = UINT32_MAX;
}

static bool reads(const plan_object *view, uint32_t object_id) {
    uint32_t id = object_id;
    plan_node_scans(view->plan, visit_scan, &id);
    return id == UINT32_MAX;
}

// The first record of a partition that some flow has still to read: of every view that reads the
// stream, the cursor of its flow; all records if that has none yet. ddl_lock held.
static base_rc keep_from(engine *e, const plan_object *object, uint32_t partition, uint64_t *out,
                         base_error *err) {
    *out = UINT64_MAX;
    // A version may read what is newer than its view.
    for (uint32_t id = ENGINE_FIRST_USER_ID; id < e->next_id; id++) {
        const plan_object *view = engine_catalog_by_id(e, id);
        if (view == NULL || view->kind != PLAN_OBJECT_VIEW || !reads(view, object->id)) continue;
        engine_flow *flow = engine_flow_of_view(e, id);
        must(flow != NULL);
        if (flow->store == NULL) { // what it has read is not known
            *out = 0;
            return BASE_OK;
        }
        state_txn *txn;
        base_rc rc = engine_flow_begin_read(flow, &txn, err);
        if (rc != BASE_OK) return rc;
        engine_cursor cursor = {0};
        bool found;
        rc = engine_cursor_read(txn, flow->t_cursor, object->id, partition, &cursor, &found, err);
        state_abort(txn);
        if (rc != BASE_OK) return rc;
        if (cursor.next < *out) *out = cursor.next;
    }
    return BASE_OK;
}

static void retain_stream(engine *e, const plan_object *object) {
    if (object->retention_us == 0 && object->retention_bytes == 0) return;
    engine_stream *stream = engine_stream_of(e, object);
    if (stream == NULL) return;
    int64_t now_us = plat_wall_us(e->plat);
    for (uint32_t p = 0; p < log_stream_partitions(stream->log); p++) {
        base_error err;
        uint64_t from;
        uint32_t deleted = 0;
        base_rc rc = keep_from(e, object, p, &from, &err);
        if (rc == BASE_OK) rc = log_retain(stream->log, p, now_us, from, &deleted, &err);
        if (rc != BASE_OK)
            engine_say(e, ENGINE_WARNING, "retention of %s.%s, partition %u: %s", object->schema,
                       object->name, p, err.message);
        if (deleted > 0)
            engine_say(e, ENGINE_INFO, "retention of %s.%s, partition %u: %u segments deleted",
                       object->schema, object->name, p, deleted);
    }
}

static base_str run_key(char out[32], const char *what, const plan_object *object) {
    int n = snprintf(out, 32, "%s.%u", what, object->id);
    return (base_str){out, (size_t)n};
}

base_rc engine_reconcile_last_run(engine *e, const plan_object *object, int64_t *us, bool *found,
                                  base_error *err) {
    state_txn *txn;
    base_rc rc = state_begin_read(e->meta, &txn, err);
    if (rc != BASE_OK) return rc;
    char key[32];
    base_str value;
    rc = state_get(txn, e->t_settings, run_key(key, LAST_RUN, object), &value, found, err);
    if (rc == BASE_OK && *found && value.n == sizeof *us) memcpy(us, value.p, sizeof *us);
    state_abort(txn);
    return rc;
}

// How often the last run began without coming to its end; 0: it ended.
static base_rc runs_cut_short(engine *e, const plan_object *object, uint8_t *times,
                              base_error *err) {
    *times = 0;
    state_txn *txn;
    base_rc rc = state_begin_read(e->meta, &txn, err);
    if (rc != BASE_OK) return rc;
    char key[32];
    base_str value;
    bool found;
    rc = state_get(txn, e->t_settings, run_key(key, RUN_BEGUN, object), &value, &found, err);
    if (rc == BASE_OK && found && value.n == 1) *times = (uint8_t)value.p[0];
    state_abort(txn);
    return rc;
}

static base_rc note_run(engine *e, const plan_object *object, int64_t us, uint8_t begun,
                        base_error *err) {
    state_txn *txn;
    base_rc rc = state_begin_write(e->meta, &txn, err);
    if (rc != BASE_OK) return rc;
    char key[32];
    rc = state_put(txn, e->t_settings, run_key(key, LAST_RUN, object),
                   (base_str){(const char *)&us, sizeof us}, err);
    if (rc == BASE_OK)
        rc = state_put(txn, e->t_settings, run_key(key, RUN_BEGUN, object),
                       (base_str){(const char *)&begun, 1}, err);
    if (rc == BASE_OK) return state_commit(txn, err);
    state_abort(txn);
    return rc;
}

// When a reconciliation that ran at last_us is due again; every_us: engine_recon_every_us.
static int64_t due_after(const plan_object *object, int64_t every_us, int64_t last_us) {
    if (!object->daily.by_calendar) return last_us + every_us;
    int64_t us = plan_close_from(&object->daily, last_us + 1);
    // What is pending is looked at again sooner.
    return every_us < object->every_us && last_us + every_us < us ? last_us + every_us : us;
}

base_rc engine_reconcile_next(engine *e, const plan_object *object, int64_t *us, bool *known,
                              base_error *err) {
    int64_t last_us, every_us;
    *known = false;
    if (object->every_us <= 0) return BASE_OK;
    base_rc rc = engine_reconcile_last_run(e, object, &last_us, known, err);
    if (rc == BASE_OK && *known) rc = engine_recon_every_us(e, object, &every_us, err);
    if (rc == BASE_OK && *known) *us = due_after(object, every_us, last_us);
    return rc;
}

// Whether it is to be run now, which is noted first: a run that fails is not tried again every
// second. One by the calendar that has never run waits for its time of day: as if it had run now.
// One that goes on already, by RECONCILE, is waited for.
static base_rc begin_run(engine *e, const plan_object *object, bool *now, base_error *err) {
    int64_t now_us = plat_wall_us(e->plat), last_us = 0, every_us = object->every_us;
    bool found;
    uint8_t begun = 0;
    *now = false;
    base_rc rc = engine_reconcile_last_run(e, object, &last_us, &found, err);
    if (rc == BASE_OK) rc = engine_recon_every_us(e, object, &every_us, err);
    if (rc == BASE_OK) rc = runs_cut_short(e, object, &begun, err);
    if (rc != BASE_OK) return rc;
    bool again = begun > 0 && begun < RUNS_BEGUN_MAX;
    bool set_back = now_us < last_us; // the clock: what it says of the last run is worth nothing
    if (found && !again && !set_back && now_us < due_after(object, every_us, last_us))
        return BASE_OK;
    if (object->remedy != NULL) {
        if (!engine_remedy_try(e, object)) return BASE_OK;
        engine_remedy_end(e, object);
    }
    *now = found || !object->daily.by_calendar;
    return note_run(e, object, now_us, *now ? (uint8_t)(again ? begun + 1 : 1) : 0, err);
}

static void say_failure(engine *e, const plan_object *object, const base_error *err) {
    engine_say(e, ENGINE_WARNING, "reconciliation %s.%s: %s", object->schema, object->name,
               err->message);
}

bool engine_reconcile_due(engine *e, const plan_object *object) {
    if (object->every_us <= 0) return false;
    base_error err;
    bool now;
    base_rc rc = begin_run(e, object, &now, &err);
    if (rc != BASE_OK) say_failure(e, object, &err);
    return rc == BASE_OK && now;
}

void engine_reconcile_now(engine *e, const plan_object *object) {
    engine_reconcile_result result;
    base_error err;
    base_rc rc = engine_reconcile(e, object, &result, &err);
    if (rc != BASE_OK)
        say_failure(e, object, &err);
    else if (result.missing + result.unexpected + result.differing + result.duplicate > 0)
        engine_say(e, ENGINE_WARNING,
                   "reconciliation %s.%s: %llu rows match, %llu missing, %llu unexpected, %llu "
                   "differing, %llu duplicate",
                   object->schema, object->name, (unsigned long long)result.matched,
                   (unsigned long long)result.missing, (unsigned long long)result.unexpected,
                   (unsigned long long)result.differing, (unsigned long long)result.duplicate);
    // An end by a stop of the engine is none: it is run again at the next start.
    if (e->closing) return;
    int64_t last_us = 0;
    bool found;
    rc = engine_reconcile_last_run(e, object, &last_us, &found, &err);
    if (rc == BASE_OK && found) rc = note_run(e, object, last_us, 0, &err);
    if (rc != BASE_OK) say_failure(e, object, &err);
}

void engine_schedules_run(engine *e) {
    engine_flows_retry(e, false);
    // The clock only moves forward here: a jump back makes the next retention come sooner, not
    // later.
    int64_t now_us = plat_wall_us(e->plat);
    engine_sinks_check(e);
    engine_ledgers_trim(e);
    bool retain = now_us - e->retained_us >= RETENTION_EVERY_US || now_us < e->retained_us;
    if (retain) e->retained_us = now_us;
    bool resume = atomic_exchange(&e->remedies_due, false);
    for (uint32_t id = ENGINE_FIRST_USER_ID; id < ENGINE_OBJECTS_MAX; id++) {
        const plan_object *object = engine_catalog_by_id(e, id);
        if (object == NULL) {
            if (id >= e->next_id) break;
            continue;
        }
        bool has_log = object->kind == PLAN_OBJECT_STREAM || object->kind == PLAN_OBJECT_TABLE;
        if (has_log && retain) {
            plat_mutex_lock(&e->ddl_lock); // or a DROP could take the log away meanwhile
            if (engine_catalog_by_id(e, id) == object) retain_stream(e, object);
            plat_mutex_unlock(&e->ddl_lock);
        }
        if (object->kind == PLAN_OBJECT_RECONCILIATION) engine_recon_attend(e, object, resume);
    }
}
