// sinkstate.c - durable cursors of sinks, and what is told of them.
//
// A sink's row in the catalogue's table "sinks", by the sink's id, is the last step that was
// delivered whole and counts of what was delivered. The outbox itself is the change log of the
// sink's view, so an acknowledgement is one small write. Reports of failures are kept in memory: a
// restart begins with a clean record, the counts go on. Entry points: engine_sink_cursor,
// engine_sink_ack.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/be.h"
#include "base/must.h"
#include "engine/system_int.h"

// A disk format.
typedef struct sink_row {
    uint32_t version; // 1
    uint32_t zero;
    uint64_t step;
    uint64_t delivered;
    uint64_t failed;
} sink_row;
_Static_assert(sizeof(sink_row) == 32, "sink_row is a disk format");

static base_str sink_key(char out[4], uint32_t id) {
    base_be_put(out, id, 4);
    return (base_str){out, 4};
}

static base_rc find_row(engine *e, state_txn *txn, const plan_object *sink, sink_row *out,
                        bool *found, base_error *err) {
    char key[4];
    base_str value;
    memset(out, 0, sizeof *out);
    base_rc rc = state_get(txn, e->t_sinks, sink_key(key, sink->id), &value, found, err);
    if (rc != BASE_OK || !*found) return rc;
    if (value.n != sizeof *out)
        return base_fail(err, BASE_E_CORRUPT, NULL, "the cursor of sink \"%s.%s\" has %zu bytes",
                         sink->schema, sink->name, value.n);
    memcpy(out, value.p, sizeof *out);
    return BASE_OK;
}

static base_rc read_row(engine *e, state_txn *txn, const plan_object *sink, sink_row *out,
                        base_error *err) {
    bool found;
    return find_row(e, txn, sink, out, &found, err);
}

base_rc engine_sink_find_cursor(engine *e, const plan_object *sink, uint64_t *step, bool *found,
                                base_error *err) {
    state_txn *txn;
    base_rc rc = state_begin_read(e->meta, &txn, err);
    if (rc != BASE_OK) return rc;
    sink_row row;
    rc = find_row(e, txn, sink, &row, found, err);
    state_abort(txn);
    *step = row.step;
    return rc;
}

base_rc engine_sink_cursor(engine *e, const plan_object *sink, uint64_t *step, base_error *err) {
    bool found;
    return engine_sink_find_cursor(e, sink, step, &found, err);
}

// The report of a sink, made if it is not there. sinks_lock held.
static engine_sink_status *status_of(engine *e, const plan_object *sink) {
    char name[16];
    snprintf(name, sizeof name, "%u", sink->id);
    engine_sink_status *status = base_map_get(e->sink_reports, base_str_of(name));
    if (status == NULL) {
        status = calloc(1, sizeof *status);
        must(status != NULL);
        base_map_put(e->sink_reports, base_str_of(name), status);
    }
    return status;
}

base_rc engine_sink_ack(engine *e, const plan_object *sink, uint64_t step, base_error *err) {
    engine_sink_count_off(e, sink, step);
    plat_mutex_lock(&e->sinks_lock);
    engine_sink_status *status = status_of(e, sink);
    uint64_t delivered = status->delivered - status->delivered_stored;
    uint64_t failed = status->failed - status->failed_stored;
    plat_mutex_unlock(&e->sinks_lock);
    state_txn *txn;
    base_rc rc = state_begin_write(e->meta, &txn, err);
    if (rc != BASE_OK) return rc;
    sink_row row;
    rc = read_row(e, txn, sink, &row, err);
    row.version = 1;
    row.step = step;
    row.delivered += delivered;
    row.failed += failed;
    char key[4];
    if (rc == BASE_OK)
        rc = state_put(txn, e->t_sinks, sink_key(key, sink->id),
                       (base_str){(const char *)&row, sizeof row}, err);
    if (rc != BASE_OK) {
        state_abort(txn);
        return rc;
    }
    rc = state_commit(txn, err);
    if (rc != BASE_OK) return rc;
    plat_mutex_lock(&e->sinks_lock);
    status->delivered_stored += delivered;
    status->failed_stored += failed;
    plat_mutex_unlock(&e->sinks_lock);
    return BASE_OK;
}

base_rc engine_sink_forget(engine *e, const plan_object *sink, base_error *err) {
    state_txn *txn;
    base_rc rc = state_begin_write(e->meta, &txn, err);
    if (rc != BASE_OK) return rc;
    char key[4];
    bool found;
    rc = state_delete(txn, e->t_sinks, sink_key(key, sink->id), &found, err);
    if (rc == BASE_OK) return state_commit(txn, err);
    state_abort(txn);
    return rc;
}

void engine_sink_report(engine *e, const plan_object *sink, uint64_t delivered, uint64_t failed,
                        const char *last_error) {
    plat_mutex_lock(&e->sinks_lock);
    engine_sink_status *status = status_of(e, sink);
    status->delivered += delivered;
    status->failed += failed;
    status->reported_us = plat_wall_us(e->plat);
    snprintf(status->last_error, sizeof status->last_error, "%s", last_error);
    plat_mutex_unlock(&e->sinks_lock);
}

void engine_sink_keep_for(engine *e, const plan_object *sink, bool keep) {
    plat_mutex_lock(&e->sinks_lock);
    status_of(e, sink)->past_limit = !keep;
    plat_mutex_unlock(&e->sinks_lock);
}

bool engine_sink_is_kept_for(engine *e, const plan_object *sink) {
    plat_mutex_lock(&e->sinks_lock);
    bool keep = !status_of(e, sink)->past_limit;
    plat_mutex_unlock(&e->sinks_lock);
    return keep;
}

base_rc engine_sink_status_of(engine *e, const plan_object *sink, uint64_t *step,
                              engine_sink_status *out, base_error *err) {
    memset(out, 0, sizeof *out);
    state_txn *txn;
    base_rc rc = state_begin_read(e->meta, &txn, err);
    if (rc != BASE_OK) return rc;
    sink_row row;
    rc = read_row(e, txn, sink, &row, err);
    state_abort(txn);
    if (rc != BASE_OK) return rc;
    plat_mutex_lock(&e->sinks_lock);
    *out = *status_of(e, sink);
    plat_mutex_unlock(&e->sinks_lock);
    out->delivered = out->delivered - out->delivered_stored + row.delivered;
    out->failed = out->failed - out->failed_stored + row.failed;
    *step = row.step;
    return BASE_OK;
}
