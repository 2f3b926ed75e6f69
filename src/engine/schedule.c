// schedule.c - what is done once a second beside the steps: retention of logs and ledgers, limits
// of sinks, and reconciliations whose time has come.
//
// Retention never takes a record that a flow has still to read: the least cursor of all flows that
// read the stream bounds it (a flow that has stopped therefore holds its streams' records, and the
// disk's growth says so). A flow whose store could not be opened holds all records of its streams:
// what it has read is not known, and it may have to read all of it again. When a reconciliation ran
// last is kept in the catalogue's settings, so that a restart neither repeats nor skips one. Entry
// point: engine_schedules_run.

#include <stdio.h>
#include <string.h>

#include "base/must.h"
#include "engine/catalog_int.h"
#include "engine/history/ledger.h"
#include "engine/recon/remedy.h"
#include "engine/system_int.h"

#define RETENTION_EVERY_US (10 * BASE_US_PER_SECOND)

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

static base_str last_run_key(char out[32], const plan_object *object) {
    int n = snprintf(out, 32, "last_run.%u", object->id);
    return (base_str){out, (size_t)n};
}

base_rc engine_reconcile_last_run(engine *e, const plan_object *object, int64_t *us, bool *found,
                                  base_error *err) {
    state_txn *txn;
    base_rc rc = state_begin_read(e->meta, &txn, err);
    if (rc != BASE_OK) return rc;
    char key[32];
    base_str value;
    rc = state_get(txn, e->t_settings, last_run_key(key, object), &value, found, err);
    if (rc == BASE_OK && *found && value.n == sizeof *us) memcpy(us, value.p, sizeof *us);
    state_abort(txn);
    return rc;
}

static base_rc note_run(engine *e, const plan_object *object, int64_t us, base_error *err) {
    state_txn *txn;
    base_rc rc = state_begin_write(e->meta, &txn, err);
    if (rc != BASE_OK) return rc;
    char key[32];
    rc = state_put(txn, e->t_settings, last_run_key(key, object),
                   (base_str){(const char *)&us, sizeof us}, err);
    if (rc == BASE_OK) return state_commit(txn, err);
    state_abort(txn);
    return rc;
}

// Whether the time of a reconciliation has come since it ran last. One by the calendar that has
// never run waits for its time of day: as if it had run now.
static bool is_due(const plan_object *object, int64_t every_us, int64_t now_us, int64_t last_us) {
    if (now_us < last_us) return true; // the clock was set back
    if (!object->daily.by_calendar) return now_us - last_us >= every_us;
    // What is pending is looked at again sooner.
    if (every_us < object->every_us && now_us - last_us >= every_us) return true;
    return last_us < plan_close_upto(&object->daily, now_us);
}

static void say_failure(engine *e, const plan_object *object, const base_error *err) {
    engine_say(e, ENGINE_WARNING, "reconciliation %s.%s: %s", object->schema, object->name,
               err->message);
}

bool engine_reconcile_due(engine *e, const plan_object *object) {
    if (object->every_us <= 0) return false;
    int64_t now_us = plat_wall_us(e->plat), last_us = 0;
    bool found;
    base_error err;
    base_rc rc = engine_reconcile_last_run(e, object, &last_us, &found, &err);
    int64_t every_us = object->every_us;
    if (rc == BASE_OK) rc = engine_recon_every_us(e, object, &every_us, &err);
    if (rc == BASE_OK && found && !is_due(object, every_us, now_us, last_us)) return false;
    // Noted first: a run that fails is not tried again every second.
    if (rc == BASE_OK) rc = note_run(e, object, now_us, &err);
    if (rc != BASE_OK) say_failure(e, object, &err);
    return rc == BASE_OK && (found || !object->daily.by_calendar);
}

void engine_reconcile_now(engine *e, const plan_object *object) {
    engine_reconcile_result result;
    base_error err;
    base_rc rc = engine_reconcile(e, object, &result, &err);
    if (rc != BASE_OK)
        say_failure(e, object, &err);
    else if (result.missing + result.unexpected + result.differing > 0)
        engine_say(e, ENGINE_WARNING,
                   "reconciliation %s.%s: %llu rows match, %llu missing, %llu unexpected, %llu "
                   "differing",
                   object->schema, object->name, (unsigned long long)result.matched,
                   (unsigned long long)result.missing, (unsigned long long)result.unexpected,
                   (unsigned long long)result.differing);
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
