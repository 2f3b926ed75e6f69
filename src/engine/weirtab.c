// weirtab.c - schema weir: streams, views, flows, quarantine, revisions and the rest of what weir
// knows about itself, as rows.
//
// Everything is read where it lives: counts of a stream from its log and from the cursors of the
// flows that read it, facts of a view from a snapshot of its flow, quarantine from its logs. Where
// several flows read a stream, each has counted the same log; the one that is furthest counts. A
// flow that has failed has nothing to tell: its views stand here without numbers, and weir.flows
// has its error. Entry point: system_weir_defs.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/be.h"
#include "base/must.h"
#include "engine/history/instant.h"
#include "engine/recon/decision.h"
#include "engine/setting_int.h"
#include "engine/system_int.h"
#include "engine/version/diff.h"
#include "engine/version/replay.h"

#define RAW_BYTES_SHOWN 4096u // of a quarantined record

static bool has_log(const plan_object *object) {
    return object->kind == PLAN_OBJECT_STREAM || object->kind == PLAN_OBJECT_TABLE;
}

static uint32_t flow_count(engine *e) {
    plat_mutex_lock(&e->flows_lock);
    uint32_t n = e->nflows; // flows are added, never removed
    plat_mutex_unlock(&e->flows_lock);
    return n;
}

static base_rc check_memory(system_rows *r, base_error *err) {
    uint64_t limit = r->engine->config.query_memory_bytes;
    if (limit == 0) limit = 1ull << 30;
    if (r->session->cancel)
        return base_fail(err, BASE_E_CANCELLED, NULL, "canceling statement due to user request");
    if (r->arena->total_bytes <= limit) return BASE_OK;
    return base_fail(err, BASE_E_LIMIT, BASE_SQLSTATE_OUT_OF_MEMORY,
                     "the rows need more than %llu MB of memory",
                     (unsigned long long)(limit >> 20));
}

uint64_t system_step_quantile_us(const engine_flow *flow, double share) {
    uint64_t total = 0, seen = 0;
    for (unsigned b = 0; b < 40; b++) total += atomic_load(&flow->step_ns_buckets[b]);
    if (total == 0) return 0;
    for (unsigned b = 0; b < 40; b++) {
        seen += atomic_load(&flow->step_ns_buckets[b]);
        if ((double)seen >= share * (double)total) return 1ull << b;
    }
    return 1ull << 39;
}

static void refresh_text(system_rows *r, const char *column, int64_t refresh_us) {
    if (refresh_us == 0) {
        system_text(r, column, "immediate");
        return;
    }
    char text[BASE_INTERVAL_TEXT_MAX];
    base_interval interval = {refresh_us, 0, 0};
    int n = base_interval_format(&interval, text);
    system_copy(r, column, (base_str){text, (size_t)n});
}

// ---- streams and tables -------------------------------------------------------------------------

// What the flow that has read most of a partition says of it.
static base_rc furthest_cursor(engine *e, const plan_object *object, uint32_t partition,
                               engine_cursor *out, bool *any, base_error *err) {
    *any = false;
    for (uint32_t f = 0; f < flow_count(e); f++) {
        engine_flow *flow = e->flows[f];
        state_txn *txn;
        if (flow->store == NULL) continue;
        base_rc rc = engine_flow_begin_read(flow, &txn, err);
        if (rc != BASE_OK) return rc;
        engine_cursor cursor;
        bool found;
        rc = engine_cursor_read(txn, flow->t_cursor, object->id, partition, &cursor, &found, err);
        state_abort(txn);
        if (rc != BASE_OK) return rc;
        if (found && (!*any || cursor.next > out->next)) *out = cursor;
        *any = *any || found;
    }
    return BASE_OK;
}

static base_rc log_row(system_rows *r, engine_stream *stream, const plan_object *object,
                       base_error *err) {
    uint64_t records = 0, accepted = 0, bytes = 0, late = 0, duplicates = 0, faults = 0;
    int64_t watermark_us = INT64_MAX, newest_us = INT64_MIN;
    bool has_watermark = false;
    uint32_t partitions = log_stream_partitions(stream->log);
    for (uint32_t p = 0; p < partitions; p++) {
        accepted += log_end(stream->log, p);
        records += log_end(stream->log, p) - log_begin(stream->log, p);
        bytes += log_bytes(stream->log, p);
        engine_cursor cursor;
        bool any;
        base_rc rc = furthest_cursor(r->engine, object, p, &cursor, &any, err);
        if (rc != BASE_OK) return rc;
        if (!any) continue;
        late += cursor.late;
        duplicates += cursor.duplicates;
        faults += cursor.faults;
        if (cursor.max_event_us > newest_us) newest_us = cursor.max_event_us;
        if (cursor.watermark_us != ENGINE_NO_WATERMARK && cursor.watermark_us < watermark_us) {
            watermark_us = cursor.watermark_us;
            has_watermark = true;
        }
    }
    plat_mutex_lock(&stream->lock);
    log_stream *quarantine = stream->quarantine;
    plat_mutex_unlock(&stream->lock);
    uint64_t quarantined = quarantine != NULL ? log_end(quarantine, 0) : 0;
    system_row(r);
    system_text(r, "schema", object->schema);
    system_text(r, "name", object->name);
    system_text(r, "owner", object->owner);
    system_i64(r, "version", object->version);
    system_i64(r, "partitions", partitions);
    system_i64(r, "records", (int64_t)records);
    system_i64(r, "bytes", (int64_t)bytes);
    system_i64(r, "accepted", (int64_t)accepted);
    system_i64(r, "quarantined", (int64_t)(quarantined + faults));
    system_i64(r, "late", (int64_t)late);
    system_i64(r, "duplicates", (int64_t)duplicates);
    if (has_watermark) system_i64(r, "watermark", watermark_us);
    system_time(r, "newest_event", newest_us, INT64_MIN);
    if (object->retention_us > 0) system_us(r, "retention", object->retention_us);
    if (object->retention_bytes > 0)
        system_i64(r, "retention_bytes", (int64_t)object->retention_bytes);
    system_text(r, "compatibility", plan_option_get(object, "compatibility"));
    system_text(r, "comment", object->comment);
    return BASE_OK;
}

static base_rc fill_logs(system_rows *r, plan_object_kind kind, base_error *err) {
    uint32_t n;
    const plan_object **objects = system_objects(r, &n);
    for (uint32_t i = 0; i < n; i++) {
        if (objects[i]->kind != kind) continue;
        engine_stream *stream = engine_stream_hold(r->engine, objects[i]);
        base_rc rc = stream != NULL ? log_row(r, stream, objects[i], err) : BASE_OK;
        engine_stream_release(stream);
        if (rc != BASE_OK) return rc;
    }
    return BASE_OK;
}

static base_rc fill_streams(system_rows *r, base_error *err) {
    return fill_logs(r, PLAN_OBJECT_STREAM, err);
}

static base_rc fill_tables(system_rows *r, base_error *err) {
    return fill_logs(r, PLAN_OBJECT_TABLE, err);
}

static base_rc partition_row(system_rows *r, engine_flow *flow, const plan_object *object,
                             uint32_t p, state_txn *txn, base_error *err) {
    engine_cursor cursor;
    bool found;
    base_rc rc = engine_cursor_read(txn, flow->t_cursor, object->id, p, &cursor, &found, err);
    if (rc != BASE_OK || !found) return rc;
    engine_stream *stream = engine_stream_hold(r->engine, object);
    if (stream == NULL) return BASE_OK;
    uint64_t begin = log_begin(stream->log, p), end = log_end(stream->log, p);
    engine_stream_release(stream);
    system_row(r);
    system_text(r, "flow", flow->name);
    system_text(r, "schema", object->schema);
    system_text(r, "name", object->name);
    system_i64(r, "partition", p);
    system_i64(r, "cursor", (int64_t)cursor.next);
    system_i64(r, "log_begin", (int64_t)begin);
    system_i64(r, "log_end", (int64_t)end);
    system_i64(r, "lag", end > cursor.next ? (int64_t)(end - cursor.next) : 0);
    system_time(r, "watermark", cursor.watermark_us, ENGINE_NO_WATERMARK);
    system_time(r, "newest_event", cursor.max_event_us, INT64_MIN);
    system_i64(r, "records", (int64_t)cursor.records);
    system_i64(r, "late", (int64_t)cursor.late);
    system_i64(r, "duplicates", (int64_t)cursor.duplicates);
    system_i64(r, "faults", (int64_t)cursor.faults);
    if (cursor.records > 0) system_i64(r, "last_read", cursor.active_us);
    return BASE_OK;
}

static base_rc fill_partitions(system_rows *r, base_error *err) {
    uint32_t n;
    const plan_object **objects = system_objects(r, &n);
    for (uint32_t f = 0; f < flow_count(r->engine); f++) {
        engine_flow *flow = r->engine->flows[f];
        state_txn *txn;
        if (flow->store == NULL) continue;
        base_rc rc = engine_flow_begin_read(flow, &txn, err);
        if (rc != BASE_OK) return rc;
        for (uint32_t i = 0; rc == BASE_OK && i < n; i++) {
            uint32_t partitions = has_log(objects[i]) && objects[i]->partitions > 0
                                      ? objects[i]->partitions
                                      : (uint32_t)has_log(objects[i]);
            for (uint32_t p = 0; rc == BASE_OK && p < partitions; p++)
                rc = partition_row(r, flow, objects[i], p, txn, err);
        }
        state_abort(txn);
        if (rc != BASE_OK) return rc;
    }
    return BASE_OK;
}

// ---- views and flows ----------------------------------------------------------------------------

static void standing_cells(system_rows *r, const engine_standing *standing) {
    system_i64(r, "step", (int64_t)standing->step);
    if (standing->step > 0) system_i64(r, "as_of", standing->as_of_us);
    system_time(r, "watermark", standing->watermark_us, ENGINE_NO_WATERMARK);
    system_us(r, "lag", standing->lag_us);
    system_bool(r, "fresh", standing->fresh);
}

static base_rc view_row(system_rows *r, const plan_object *view, base_error *err) {
    engine_flow *flow = engine_flow_of_view(r->engine, view->id);
    if (flow == NULL) return BASE_OK; // dropped just now
    engine_standing standing;
    engine_view_snapshot snapshot;
    base_rc rc = engine_view_standing(r->engine, view, &standing, err);
    if (rc == BASE_OK) rc = engine_view_snapshot_open(r->engine, view, &snapshot, err);
    if (rc == BASE_E_NOT_FOUND) return BASE_OK;
    system_row(r);
    system_text(r, "schema", view->schema);
    system_text(r, "name", view->name);
    system_text(r, "flow", flow->name);
    refresh_text(r, "refresh", view->refresh_us);
    system_us(r, "lateness", view->lateness_us);
    system_text(r, "close", plan_option_get(view, "close"));
    system_text(r, "close_by", plan_option_get(view, "close_by"));
    if (view->early_us > 0) system_us(r, "early", view->early_us);
    if (view->freshness_us > 0) system_us(r, "freshness", view->freshness_us);
    if (view->history_us != 0)
        system_us(r, "history", view->history_us == PLAN_HISTORY_OFF ? 0 : view->history_us);
    system_text(r, "definition", view->definition);
    system_text(r, "comment", view->comment);
    if (rc != BASE_OK) return BASE_OK; // not to be read now
    system_i64(r, "rows", (int64_t)snapshot.nrows);
    system_i64(r, "corrections", (int64_t)snapshot.corrections);
    standing_cells(r, &standing);
    int64_t from_us;
    bool from;
    rc = engine_instant_first(&snapshot, &from_us, &from, err);
    if (rc == BASE_OK && from) system_i64(r, "history_from", from_us);
    engine_view_snapshot_close(&snapshot);
    return rc;
}

static base_rc fill_views(system_rows *r, base_error *err) {
    uint32_t n;
    const plan_object **objects = system_objects(r, &n);
    for (uint32_t i = 0; i < n; i++) {
        if (objects[i]->kind != PLAN_OBJECT_VIEW) continue;
        base_rc rc = view_row(r, objects[i], err);
        if (rc != BASE_OK) return rc;
    }
    return BASE_OK;
}

static base_rc fill_standing(system_rows *r, base_error *err) {
    uint32_t n;
    const plan_object **objects = system_objects(r, &n);
    for (uint32_t i = 0; i < n; i++) {
        if (objects[i]->kind != PLAN_OBJECT_VIEW) continue;
        engine_standing standing;
        base_rc rc = engine_view_standing(r->engine, objects[i], &standing, err);
        if (rc == BASE_E_NOT_FOUND) continue;
        system_row(r);
        system_text(r, "schema", objects[i]->schema);
        system_text(r, "view", objects[i]->name);
        if (rc != BASE_OK) continue; // not to be read now
        standing_cells(r, &standing);
        system_time(r, "final_until", standing.final_us, INT64_MIN);
    }
    return BASE_OK;
}

static uint32_t count_views(const plan_object **objects, uint32_t n, const engine_flow *flow) {
    uint32_t views = 0;
    for (uint32_t i = 0; i < n; i++)
        if (objects[i]->kind == PLAN_OBJECT_VIEW &&
            engine_flow_takes(flow, objects[i]->schema, objects[i]->refresh_us))
            views++;
    return views;
}

static base_rc fill_flows(system_rows *r, base_error *err) {
    (void)err;
    engine *e = r->engine;
    uint32_t n;
    const plan_object **objects = system_objects(r, &n);
    int64_t now_us = plat_wall_us(e->plat);
    for (uint32_t f = 0; f < flow_count(e); f++) {
        engine_flow *flow = e->flows[f];
        uint32_t views = count_views(objects, n, flow);
        if (views == 0) continue; // its last one was dropped: nothing runs in it
        plat_mutex_lock(&e->flows_lock);
        int64_t since_us = flow->pending_since_us;
        base_error error = flow->error;
        uint64_t failures = flow->failures;
        plat_mutex_unlock(&e->flows_lock);
        uint64_t step = atomic_load(&flow->committed_step), steps = atomic_load(&flow->steps);
        system_row(r);
        system_text(r, "name", flow->name);
        system_text(r, "schema", flow->schema);
        refresh_text(r, "refresh", flow->refresh_us);
        system_i64(r, "views", views);
        system_i64(r, "step", (int64_t)step);
        if (step > 0) system_i64(r, "last_commit", atomic_load(&flow->committed_us));
        system_i64(r, "rows_in", (int64_t)atomic_load(&flow->rows_in));
        system_i64(r, "steps", (int64_t)steps);
        if (steps > 0) {
            system_us(r, "step_p50", (int64_t)system_step_quantile_us(flow, 0.5));
            system_us(r, "step_p99", (int64_t)system_step_quantile_us(flow, 0.99));
            system_us(r, "commit_mean",
                      (int64_t)(atomic_load(&flow->commit_ns_total) / steps / 1000));
        }
        system_us(r, "lag", since_us > 0 && now_us > since_us ? now_us - since_us : 0);
        system_i64(r, "duplicates", (int64_t)atomic_load(&flow->duplicates));
        system_i64(r, "late", (int64_t)atomic_load(&flow->late));
        system_i64(r, "faults", (int64_t)atomic_load(&flow->faults));
        system_i64(r, "failures", (int64_t)failures);
        if (error.code != BASE_OK) system_copy(r, "error", base_str_of(error.message));
    }
    return BASE_OK;
}

// ---- sinks and reconciliations ------------------------------------------------------------------

static void sink_lag_cells(system_rows *r, const engine_sink_lag *lag) {
    system_text(r, "status", engine_sink_state_name(lag->state));
    system_i64(r, "view_step", (int64_t)lag->view_step);
    if (lag->state == ENGINE_SINK_LOST) return;
    system_i64(r, "behind_steps", (int64_t)lag->steps);
    system_i64(r, "behind_rows", (int64_t)lag->rows);
    system_i64(r, "behind_bytes", (int64_t)lag->bytes);
    system_us(r, "behind", lag->us);
}

static base_rc fill_sinks(system_rows *r, base_error *err) {
    uint32_t n;
    const plan_object **objects = system_objects(r, &n);
    for (uint32_t i = 0; i < n; i++) {
        const plan_object *sink = objects[i];
        if (sink->kind != PLAN_OBJECT_SINK) continue;
        uint64_t step;
        engine_sink_status status;
        engine_sink_lag lag;
        base_rc rc = engine_sink_status_of(r->engine, sink, &step, &status, err);
        if (rc != BASE_OK) return rc;
        rc = engine_sink_lag_of(r->engine, sink, &lag, err);
        if (rc == BASE_E_NOT_FOUND) continue;
        system_row(r);
        system_text(r, "schema", sink->schema);
        system_text(r, "name", sink->name);
        bool alerts = sink->from->kind == PLAN_OBJECT_RECONCILIATION;
        system_printf(r, alerts ? "reconciliation" : "view", "%s.%s", sink->from->schema,
                      sink->from->name);
        system_text(r, "connector", sink->connector);
        system_i64(r, "step", (int64_t)step);
        if (rc == BASE_OK) sink_lag_cells(r, &lag); // else its view cannot be read now
        if (sink->max_keep_us > 0) system_us(r, "max_keep_time", sink->max_keep_us);
        if (sink->max_keep_bytes > 0) system_i64(r, "max_keep_size", (int64_t)sink->max_keep_bytes);
        system_i64(r, "delivered", (int64_t)status.delivered);
        system_i64(r, "failed", (int64_t)status.failed);
        if (status.last_error[0] != 0) system_copy(r, "last_error", base_str_of(status.last_error));
        if (status.reported_us > 0) system_i64(r, "last_report", status.reported_us);
    }
    return BASE_OK;
}

// Rows of recon_store.c, which are this object's columns in order.
static base_rc copy_recon_rows(system_rows *r,
                               base_rc (*rows_of)(engine *e, base_arena *arena,
                                                  const col_batch **rows, base_error *err),
                               base_error *err) {
    const col_batch *rows;
    base_rc rc = rows_of(r->engine, r->arena, &rows, err);
    for (uint32_t row = 0; rc == BASE_OK && row < rows->nrows; row++) {
        must(rows->ncols + 1 == r->object->ncolumns); // and tableoid
        system_row(r);
        for (uint32_t i = 0; i < rows->ncols; i++)
            col_builder_set(r->builder, i, &rows->cols[i], row);
    }
    return rc;
}

static base_rc fill_reconciliations(system_rows *r, base_error *err) {
    return copy_recon_rows(r, engine_recon_rows, err);
}

static base_rc fill_reconciliation_runs(system_rows *r, base_error *err) {
    return copy_recon_rows(r, engine_recon_runs_rows, err);
}

static base_rc fill_reconciliation_result(system_rows *r, base_error *err) {
    return copy_recon_rows(r, engine_recon_result_rows, err);
}

static base_rc fill_reconciliation_trend(system_rows *r, base_error *err) {
    return copy_recon_rows(r, engine_trend_rows, err);
}

static base_rc fill_reconciliation_remedy(system_rows *r, base_error *err) {
    return copy_recon_rows(r, engine_remedy_rows, err);
}

static base_rc fill_reconciliation_decisions(system_rows *r, base_error *err) {
    return copy_recon_rows(r, engine_decision_rows, err);
}

// ---- quarantine ---------------------------------------------------------------------------------

// Bytes as text: what is not UTF-8 becomes \xNN, and a long record is cut.
static void raw_text(system_rows *r, const char *column, base_str raw) {
    size_t shown = raw.n > RAW_BYTES_SHOWN ? RAW_BYTES_SHOWN : raw.n;
    base_buf text = {0};
    for (size_t at = 0; at < shown;) {
        size_t good = base_utf8_valid_prefix((base_str){raw.p + at, shown - at});
        base_buf_add(&text, raw.p + at, good);
        at += good;
        if (at >= shown) break;
        if (shown < raw.n && shown - at < 4) break; // a character cut in two by the limit
        base_buf_printf(&text, "\\x%02x", (unsigned char)raw.p[at++]);
    }
    // A NUL is UTF-8, but no text of PostgreSQL's.
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] == 0) text.p[i] = ' ';
    if (shown < raw.n) base_buf_printf(&text, "... (%zu bytes)", raw.n);
    system_copy(r, column, base_buf_str(&text));
    base_buf_deinit(&text);
}

static int64_t number_of(base_str text) {
    int64_t v = 0;
    bool negative = text.n > 0 && text.p[0] == '-';
    for (size_t i = negative; i < text.n && text.p[i] >= '0' && text.p[i] <= '9'; i++)
        v = v * 10 + (text.p[i] - '0');
    return negative ? -v : v;
}

static void fault_cells(system_rows *r, base_str headers) {
    base_str name, value;
    for (size_t at = 0; log_headers_next(headers, &at, &name, &value);) {
        if (base_str_eq(name, BASE_STR("sqlstate"))) system_copy(r, "sqlstate", value);
        if (base_str_eq(name, BASE_STR("cause"))) raw_text(r, "cause", value);
        if (base_str_eq(name, BASE_STR("field"))) system_copy(r, "field", value);
        if (base_str_eq(name, BASE_STR("source"))) raw_text(r, "source", value);
        if (base_str_eq(name, BASE_STR("record"))) system_i64(r, "record", number_of(value));
        if (base_str_eq(name, BASE_STR("byte"))) system_i64(r, "byte", number_of(value));
        if (base_str_eq(name, BASE_STR("at"))) system_i64(r, "received_at", number_of(value));
        if (base_str_eq(name, BASE_STR("raw"))) raw_text(r, "raw", value);
        if (base_str_eq(name, BASE_STR(ENGINE_HEADER_ORIGIN))) raw_text(r, "origin", value);
    }
}

static base_rc edge_rows(system_rows *r, engine_stream *stream, const plan_object *object,
                         base_error *err) {
    plat_mutex_lock(&stream->lock);
    log_stream *log = stream->quarantine;
    plat_mutex_unlock(&stream->lock);
    if (log == NULL || log_begin(log, 0) >= log_end(log, 0)) return BASE_OK;
    log_reader *reader;
    base_rc rc = log_reader_open(log, 0, log_begin(log, 0), &reader, err);
    while (rc == BASE_OK) {
        log_batch batch;
        bool end;
        rc = log_reader_next(reader, &batch, &end, err);
        if (rc != BASE_OK || end) break;
        for (uint32_t i = 0; i < batch.count; i++) {
            uint64_t offset = batch.base_offset + i;
            system_row(r);
            system_printf(r, "id", "%u/edge/%llu", object->id, (unsigned long long)offset);
            system_printf(r, "stream", "%s.%s", object->schema, object->name);
            system_i64(r, "log_offset", (int64_t)offset);
            system_text(r, "stage", "edge");
            system_i64(r, "received_at", batch.info.append_us);
            fault_cells(r, log_batch_headers(&batch, i));
            raw_text(r, "raw", log_batch_record(&batch, i));
        }
        log_reader_release(reader);
        rc = check_memory(r, err);
    }
    log_reader_close(reader);
    return rc;
}

// A row of a flow's quarantine: of a record (object, partition, offset) or of a view's row.
static void flow_fault_row(system_rows *r, const engine_flow *flow, base_str key, base_str value) {
    system_row(r);
    system_text(r, "flow", flow->name);
    if (key.n == 16) {
        uint32_t id = (uint32_t)base_be_get(key.p, 4),
                 partition = (uint32_t)base_be_get(key.p + 4, 4);
        uint64_t offset = base_be_get(key.p + 8, 8);
        const plan_object *object = engine_catalog_by_id(r->engine, id);
        system_printf(r, "id", "%u/%s/%u/%llu", id, flow->name, partition,
                      (unsigned long long)offset);
        if (object != NULL) system_printf(r, "stream", "%s.%s", object->schema, object->name);
        system_i64(r, "partition", partition);
        system_i64(r, "log_offset", (int64_t)offset);
        system_text(r, "stage", "step");
    } else if (key.n == 20) {
        system_printf(r, "id", "view/%s/%llu/%u", flow->name,
                      (unsigned long long)base_be_get(key.p + 8, 8),
                      (uint32_t)base_be_get(key.p + 16, 4));
        system_text(r, "stage", "view");
    }
    fault_cells(r, value);
}

static base_rc flow_fault_rows(system_rows *r, engine_flow *flow, base_error *err) {
    if (flow->store == NULL) return BASE_OK;
    state_txn *txn;
    base_rc rc = engine_flow_begin_read(flow, &txn, err);
    if (rc != BASE_OK) return rc;
    state_cursor *cursor;
    rc = state_cursor_open(txn, flow->t_quarantine, &cursor, err);
    if (rc == BASE_OK) {
        base_str key, value;
        bool end;
        rc = state_cursor_seek(cursor, (base_str){NULL, 0}, &key, &value, &end, err);
        while (rc == BASE_OK && !end) {
            flow_fault_row(r, flow, key, value);
            rc = check_memory(r, err);
            if (rc == BASE_OK) rc = state_cursor_next(cursor, &key, &value, &end, err);
        }
        state_cursor_close(cursor);
    }
    state_abort(txn);
    return rc;
}

static base_rc fill_quarantine(system_rows *r, base_error *err) {
    uint32_t n;
    const plan_object **objects = system_objects(r, &n);
    base_rc rc = BASE_OK;
    for (uint32_t i = 0; rc == BASE_OK && i < n; i++) {
        engine_stream *stream = engine_stream_hold(r->engine, objects[i]);
        if (stream != NULL) rc = edge_rows(r, stream, objects[i], err);
        engine_stream_release(stream);
    }
    for (uint32_t f = 0; rc == BASE_OK && f < flow_count(r->engine); f++)
        rc = flow_fault_rows(r, r->engine->flows[f], err);
    return rc;
}

// ---- duplicates and revisions -------------------------------------------------------------------

typedef void (*table_row)(system_rows *r, const engine_flow *flow, base_str key, base_str value);

// A row of the result for each row of a flow's table.
static base_rc walk_flows(system_rows *r, size_t table_offset, table_row row, base_error *err) {
    for (uint32_t f = 0; f < flow_count(r->engine); f++) {
        engine_flow *flow = r->engine->flows[f];
        state_table table = *(state_table *)((char *)flow + table_offset);
        state_txn *txn;
        if (flow->store == NULL) continue;
        base_rc rc = engine_flow_begin_read(flow, &txn, err);
        if (rc != BASE_OK) return rc;
        state_cursor *cursor;
        rc = state_cursor_open(txn, table, &cursor, err);
        if (rc == BASE_OK) {
            base_str key, value;
            bool end;
            rc = state_cursor_seek(cursor, (base_str){NULL, 0}, &key, &value, &end, err);
            while (rc == BASE_OK && !end) {
                row(r, flow, key, value);
                rc = check_memory(r, err);
                if (rc == BASE_OK) rc = state_cursor_next(cursor, &key, &value, &end, err);
            }
            state_cursor_close(cursor);
        }
        state_abort(txn);
        if (rc != BASE_OK) return rc;
    }
    return BASE_OK;
}

static void duplicate_row(system_rows *r, const engine_flow *flow, base_str key, base_str value) {
    engine_duplicate d;
    (void)key;
    if (value.n != sizeof d) return;
    memcpy(&d, value.p, sizeof d);
    const plan_object *object = engine_catalog_by_id(r->engine, d.object_id);
    system_row(r);
    system_text(r, "flow", flow->name);
    if (object != NULL) system_printf(r, "stream", "%s.%s", object->schema, object->name);
    system_i64(r, "partition", d.partition);
    system_i64(r, "log_offset", (int64_t)d.offset);
    system_i64(r, "original_partition", d.original_partition);
    system_i64(r, "original_offset", (int64_t)d.original_offset);
    system_i64(r, "seen_at", d.at_us);
}

static base_rc fill_duplicates(system_rows *r, base_error *err) {
    return walk_flows(r, offsetof(engine_flow, t_duplicate), duplicate_row, err);
}

// ---- contracts and settings ---------------------------------------------------------------------

static bool is_key(const plan_object *object, uint32_t column) {
    for (uint32_t k = 0; k < object->nkey; k++)
        if (object->key[k] == column) return true;
    for (uint32_t k = 0; object->kind == PLAN_OBJECT_VIEW && k < object->nview_key; k++)
        if (object->view_key[k] == column) return true;
    return false;
}

static const char *time_role(const plan_object *object, uint32_t column) {
    if ((int32_t)column == object->event_time) return "event time";
    if ((int32_t)column == object->effective_time) return "effective time";
    switch (object->columns[column].time_role) {
    case PLAN_TIME_EVENT:
        return "event time";
    case PLAN_TIME_WINDOW_START:
        return "window start";
    case PLAN_TIME_WINDOW_END:
        return "window end";
    default:
        return NULL;
    }
}

static base_rc fill_contracts(system_rows *r, base_error *err) {
    (void)err;
    uint32_t n;
    const plan_object **objects = system_objects(r, &n);
    base_buf text = {0};
    for (uint32_t i = 0; i < n; i++) {
        const plan_object *object = objects[i];
        if (!has_log(object) && object->kind != PLAN_OBJECT_VIEW) continue;
        for (uint32_t c = 0; c < object->ncolumns; c++) {
            const plan_column *column = &object->columns[c];
            if (column->hidden) continue;
            system_row(r);
            system_text(r, "schema", object->schema);
            system_text(r, "object", object->name);
            system_text(r, "kind", plan_object_kind_name(object->kind));
            system_text(r, "column_name", column->name);
            system_i64(r, "position", c + 1);
            base_buf_clear(&text);
            col_type_format(&column->type, &text);
            system_copy(r, "type", base_buf_str(&text));
            system_bool(r, "not_null", column->not_null);
            system_bool(r, "is_key", is_key(object, c));
            system_text(r, "time_role", time_role(object, c));
            if (column->default_value != NULL) {
                base_buf_clear(&text);
                plan_expr_print(column->default_value, NULL, &text);
                system_copy(r, "default_value", base_buf_str(&text));
            }
            system_text(r, "comment", column->comment);
        }
    }
    base_buf_deinit(&text);
    return BASE_OK;
}

static base_rc fill_checks(system_rows *r, base_error *err) {
    (void)err;
    uint32_t n;
    const plan_object **objects = system_objects(r, &n);
    for (uint32_t i = 0; i < n; i++) {
        for (uint32_t c = 0; c < objects[i]->nchecks; c++) {
            system_row(r);
            system_text(r, "schema", objects[i]->schema);
            system_text(r, "object", objects[i]->name);
            system_text(r, "name", objects[i]->checks[c].name);
            system_text(r, "expression", objects[i]->checks[c].text);
        }
    }
    return BASE_OK;
}

static base_rc fill_settings(system_rows *r, base_error *err) {
    (void)err;
    const engine_config *config = &r->engine->config;
    const struct {
        const char *name, *description;
        uint64_t value;
    } numbers[] = {
        {"cache_bytes", "operator caches of a flow",
         config->cache_bytes > 0 ? config->cache_bytes : 256ull << 20},
        {"batch_rows", "rows of a batch", config->batch_rows > 0 ? config->batch_rows : 65536},
        {"step_bytes", "log bytes that a step takes at most",
         config->step_bytes > 0 ? config->step_bytes : ENGINE_STEP_BYTES},
        {"journal_bytes",
         "journal of a flow before a checkpoint; by default half as much with an interval",
         config->journal_bytes > 0 ? config->journal_bytes : STATE_JOURNAL_BYTES},
        {"query_memory_bytes", "memory of an ad-hoc query",
         config->query_memory_bytes > 0 ? config->query_memory_bytes : 1ull << 30},
        {"changes_keep_steps", "steps of a view's changes that are kept",
         config->changes_keep_steps > 0 ? config->changes_keep_steps : 100000},
    };
    system_row(r);
    system_text(r, "name", "version");
    system_text(r, "value", WEIR_VERSION);
    system_text(r, "description", "version of weir");
    system_row(r);
    system_text(r, "name", "data_directory");
    system_text(r, "value", r->engine->dir);
    system_text(r, "description", "where the log, the state and the catalogue are");
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        system_row(r);
        system_text(r, "name", numbers[i].name);
        system_printf(r, "value", "%llu", (unsigned long long)numbers[i].value);
        system_text(r, "description", numbers[i].description);
    }
    for (size_t i = 0; i < engine_setting_count(); i++) {
        const char *name, *description;
        base_str value;
        engine_setting_at(r->session, i, r->arena, &name, &value, &description);
        system_row(r);
        system_text(r, "name", name);
        system_str(r, "value", value);
        system_text(r, "description", description);
    }
    return BASE_OK;
}

// ---- all ----------------------------------------------------------------------------------------

#define LOG_COLUMNS                                                                                \
    "schema name, name name, owner text?, version integer, partitions integer, records bigint, "   \
    "bytes bigint, accepted bigint, quarantined bigint, late bigint, duplicates bigint, "          \
    "watermark timestamptz?, newest_event timestamptz?, retention interval?, "                     \
    "retention_bytes bigint?, compatibility text?, comment text?"

#define REVISION_COLUMNS                                                                           \
    "view text, key jsonb?, revision bigint, at timestamptz, cause text, old jsonb?, new jsonb?, " \
    "positions jsonb?, step bigint, flow text"

const system_def system_weir_defs[] = {
    {15001, "weir", "streams", LOG_COLUMNS, fill_streams, "streams of events, and what came in"},
    {15002, "weir", "tables", LOG_COLUMNS, fill_tables, "tables of keyed rows, and what came in"},
    {15003, "weir", "partitions",
     "flow text, schema name, name name, partition integer, cursor bigint, log_begin bigint, "
     "log_end bigint, lag bigint, watermark timestamptz?, newest_event timestamptz?, "
     "records bigint, late bigint, duplicates bigint, faults bigint, last_read timestamptz?",
     fill_partitions, "how far each flow has read each partition"},
    {15004, "weir", "views",
     "schema name, name name, flow text, refresh text, lateness interval?, close text?, close_by "
     "text?, early interval?, freshness interval?, "
     "history interval?, history_from timestamptz?, "
     "rows bigint?, corrections bigint?, step bigint?, as_of timestamptz?, watermark "
     "timestamptz?, lag interval?, fresh boolean, definition text, comment text?",
     fill_views, "materialized views and how they stand"},
    {15005, "weir", "flows",
     "name text, schema name, refresh text, views integer, step bigint, last_commit timestamptz?, "
     "rows_in bigint, steps bigint, step_p50 interval?, step_p99 interval?, commit_mean interval?, "
     "lag interval?, duplicates bigint, late bigint, faults bigint, failures bigint, error text?",
     fill_flows, "flows: views of one schema and one refresh"},
    {15017, "weir", "operators",
     "schema name, view name, node integer, operator text, rows_in bigint, rows_out bigint, "
     "time interval?, state_rows bigint, state_bytes bigint, cache_bytes bigint, growth text?",
     system_fill_operators, "what the operators of each view have done since its flow was made"},
    {15040, "weir", "versions",
     "schema name, view name, name name, version integer, status text, rows bigint?, "
     "history_lost bigint, definition text",
     system_fill_versions, "views that have versions, and these"},
    {15041, "weir", "diff",
     "schema name, view name, version integer, day date?, change text, key jsonb, old jsonb?, "
     "new jsonb?, difference jsonb?",
     system_fill_diff, "how versions differ from their views, row by row"},
    {15042, "weir", "diff_by_day",
     "schema name, view name, version integer, day date?, rows bigint, added bigint, "
     "removed bigint, changed bigint, verdict text, difference jsonb?",
     system_fill_diff_by_day, "how versions differ from their views, a verdict a day"},
    {15043, "weir", "replays",
     "replay integer, view text, version integer?, selection text, status text, records bigint, "
     "total bigint, records_per_second bigint?, corrected bigint?, started_at timestamptz?, "
     "finished_at timestamptz?, error text?",
     system_fill_replays, "replays, the newest first"},
    {15006, "weir", "sinks",
     "schema name, name name, view text?, connector text?, status text?, step bigint, "
     "view_step bigint?, behind_steps bigint?, behind_rows bigint?, behind_bytes bigint?, "
     "behind interval?, max_keep_time interval?, max_keep_size bigint?, "
     "delivered bigint, failed bigint, last_error text?, last_report timestamptz?, "
     "reconciliation text?",
     fill_sinks, "sinks and how far they have delivered"},
    {15007, "weir", "reconciliations",
     "schema text, name text, view text, path text, format text, every interval?, key text, "
     "compare text, run bigint?, started_at timestamptz?, as_of timestamptz?, matched bigint?, "
     "missing bigint?, unexpected bigint?, differing bigint?, duplicate bigint?, error text?, "
     "connector text, settle interval?, pending bigint?",
     fill_reconciliations, "reconciliations and their last run"},
    {15008, "weir", "quarantine",
     "id text, stream text?, flow text?, partition integer?, log_offset bigint?, stage text, "
     "received_at timestamptz?, sqlstate text?, cause text?, field text?, source text?, "
     "record bigint?, byte bigint?, raw text?, origin text?",
     fill_quarantine, "records and rows that break a rule, with their cause"},
    {15009, "weir", "duplicates",
     "flow text, stream text?, partition integer, log_offset bigint, original_partition integer, "
     "original_offset bigint, seen_at timestamptz",
     fill_duplicates, "the newest duplicates by business key, and their originals"},
    {15010, "weir", "revision", REVISION_COLUMNS, system_fill_revision,
     "the ledger: changes to rows that were final"},
    {15060, "weir", "why",
     "view text, key jsonb?, step bigint?, at timestamptz?, standing text, revision integer?, "
     "cause text?, old jsonb?, new jsonb?, events jsonb?, note text?, call jsonb?",
     system_fill_why, "the story of one row of a view: FROM weir.why('view', key...)"},
    {15061, "weir", "lineage",
     "view text, key jsonb?, object text, partition integer, log_offset bigint, "
     "event_time timestamptz?, appended_at timestamptz?, original_partition integer?, "
     "original_offset bigint?, event jsonb?, call jsonb?",
     system_fill_lineage,
     "the events that make up a row of a view: FROM weir.lineage('view', "
     "key...)"},
    {15018, "weir", "revisions", REVISION_COLUMNS, system_fill_revision,
     "the same as weir.revision"},
    {15011, "weir", "contracts",
     "schema name, object name, kind text, column_name name, position integer, type text, "
     "not_null boolean, is_key boolean, time_role text?, default_value text?, comment text?",
     fill_contracts, "columns of streams, tables and views"},
    {15012, "weir", "checks", "schema name, object name, name name, expression text?", fill_checks,
     "CHECK constraints of contracts"},
    {15013, "weir", "settings", "name text, value text, description text", fill_settings,
     "settings of the engine and of the session"},
    {15014, "weir", "standing",
     "schema name, view name, step bigint?, as_of timestamptz?, watermark timestamptz?, "
     "lag interval?, fresh boolean, final_until timestamptz?",
     fill_standing, "how fresh and how final each view is"},
    {15015, "weir", "reconciliation_runs",
     "schema text, name text, run bigint, started_at timestamptz, as_of timestamptz?, step bigint, "
     "watermark timestamptz?, record_rows bigint, view_rows bigint, matched bigint, "
     "missing bigint, unexpected bigint, differing bigint, duplicate bigint, skipped bigint, "
     "path text, file_bytes bigint, file_digest text?, error text?, pending bigint?, "
     "young bigint?, settled_at timestamptz?, bytes_moved bigint?, statements bigint?, "
     "remedy text?, appended bigint?, retracted bigint?, refused bigint?, unresolved bigint?, "
     "waits_for text?, decided_by text?, decided_at timestamptz?, applied_at timestamptz?, "
     "remedy_keys bigint?, remedy_records bigint?, remedy_total double precision?",
     fill_reconciliation_runs, "each run of a reconciliation that is kept"},
    {15016, "weir", "reconciliation_result",
     "schema text, name text, run bigint, as_of timestamptz?, kind text, rows bigint, key text?, "
     "column_name text?, view_value text?, record_value text?, difference text?, status text?, "
     "events text?, reason text?, first_seen timestamptz?",
     fill_reconciliation_result,
     "what the runs found: rows by kind, and each row that does not match"},
    {15050, "weir", "reconciliation_remedy",
     "schema text, name text, run bigint, state text, number bigint, action text, kind text, "
     "key text, into_object text?, record text?, outcome text?",
     fill_reconciliation_remedy, "what is or was to be done about what the runs found"},
    {15051, "weir", "reconciliation_trend",
     "schema text, name text, run bigint, started_at timestamptz, as_of timestamptz?, "
     "matched bigint?, missing bigint?, unexpected bigint?, differing bigint?, duplicate bigint?, "
     "pending bigint?, error text?, column_name text?, difference numeric?, "
     "absolute_difference numeric?",
     fill_reconciliation_trend, "how far weir and the book are apart, run by run"},
    {15098, "weir", "reconciliation_decisions",
     "schema text, name text, run bigint, decision text, decided_by text?, at timestamptz, "
     "waited_for text?, keys bigint, records bigint, total double precision, left_out bigint?, "
     "appended bigint?, retracted bigint?, refused bigint?",
     fill_reconciliation_decisions, "who approved or rejected what a run would do, and when"},
};
const size_t system_weir_def_count = sizeof system_weir_defs / sizeof *system_weir_defs;
