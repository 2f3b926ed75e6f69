// query.c - ad-hoc queries: the operators of a view, run for one step over a snapshot.
//
// Each view is read from one LMDB snapshot of its flow, opened before the first row is taken;
// streams and tables are read from their logs, from the first retained record to the durable end at
// that moment, through the same source operators as in a flow (duplicates left out, upserts by
// key); system objects make their rows on demand. Results are copied: nothing of a result is
// borrowed from a store or a log. Entry point: engine_query.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "engine/history/effective.h"
#include "engine/history/fresh.h"
#include "engine/history/instant.h"
#include "engine/history/narrow.h"
#include "engine/query_int.h"
#include "engine/setting_int.h"

#define QUERY_BATCH_ROWS 16384u

typedef struct query {
    engine_session *session;
    engine *engine;
    flow_graph *graph;
    flow_ctx ctx;
    base_arena scratch; // of the query
    base_arena push;    // of one push, where the graph retains nothing of it
    uint64_t memory_limit;
    size_t nreaders, readers_cap;
    log_reader **readers;
    engine_contract **contracts;
    size_t ncontracts;
    engine_stream **streams;
    size_t nstreams;
    bool past; // all is read as of as_of_us
    int64_t as_of_us;
    engine_standing standing;
    const flow_input *input; // being pushed
    size_t input_index;
    uint32_t *projected;   // the input's columns in decoded batches, if `effective` is
    int32_t effective;     // column of the decoded batches that says from when they count; -1
    engine_clock clock;    // of the partition being read
    engine_narrow *narrow; // of the log being read; NULL: all of it is
    engine_wanted wanted;  // of system objects
    const engine_query_options *options;
} query;

static bool session_cancelled(void *arg) {
    const engine_session *session = arg;
    if (session->cancel) return true;
    return session->deadline_us > 0 &&
           (int64_t)(plat_monotonic_ns(session->engine->plat) / 1000) > session->deadline_us;
}

static base_rc check_limits(query *q, base_error *err) {
    if (session_cancelled(q->session))
        return base_fail(err, BASE_E_CANCELLED, NULL, "canceling statement due to %s",
                         q->session->cancel ? "user request" : "statement timeout");
    if (q->scratch.total_bytes > q->memory_limit) {
        base_fail(err, BASE_E_LIMIT, BASE_SQLSTATE_OUT_OF_MEMORY,
                  "the query needs more than %llu MB of memory",
                  (unsigned long long)(q->memory_limit >> 20));
        base_error_hint(err, "Narrow it, or keep its result as a materialized view.");
        return err->code;
    }
    return BASE_OK;
}

// ---- streams and tables
// ------------------------------------------------------------------------------

// Records that are not effective yet do not count. An event of a key is its original all the same:
// the source is told of it. Of what is kept by key, the last record that counts is the row.
static void take_effective(query *q, engine_decoded *d, uint64_t *offsets, flow_origin *origin) {
    base_arena *arena = q->ctx.arena;
    const uint8_t *hidden =
        engine_effective_hidden(d->batch, (uint32_t)q->effective, d->deletes,
                                q->options->effective_us, q->session->zone, arena);
    d->batch = col_batch_project(arena, d->batch, q->input->ncolumns, q->projected);
    if (hidden == NULL) return;
    if (q->input->dedup) {
        origin->hidden = hidden;
        return;
    }
    uint32_t *sel = base_arena_array(arena, uint32_t, d->nrows + 1), n = 0;
    int64_t *event_us = base_arena_array(arena, int64_t, d->nrows + 1);
    uint8_t *deletes = base_arena_zalloc(arena, d->nrows + 1);
    for (uint32_t i = 0; i < d->nrows; i++) {
        if (hidden[i]) continue;
        offsets[n] = offsets[i];
        if (d->event_us != NULL) event_us[n] = d->event_us[i];
        if (d->deletes != NULL) deletes[n] = d->deletes[i];
        sel[n++] = i;
    }
    if (d->event_us != NULL) origin->event_us = event_us;
    if (d->deletes != NULL) origin->deletes = deletes;
    d->batch = col_batch_gather(arena, d->batch, sel, n);
    d->nrows = n;
}

// Records of a batch below the offset `upto`.
static base_rc push_log_batch(query *q, engine_contract *contract, uint32_t p,
                              const log_batch *batch, uint64_t upto, base_error *err) {
    bool retains = flow_graph_retains(q->graph, q->input_index);
    uint32_t count = batch->count;
    if (upto - batch->base_offset < count) count = (uint32_t)(upto - batch->base_offset);
    for (uint32_t at = 0; at < count;) {
        uint32_t n = count - at < QUERY_BATCH_ROWS ? count - at : QUERY_BATCH_ROWS;
        q->ctx.arena = retains ? &q->scratch : &q->push;
        engine_decoded d;
        if (q->narrow != NULL) { // few of many: the batch of the log is not held for them
            uint32_t *sel = base_arena_array(&q->push, uint32_t, n);
            uint32_t nsel = engine_narrow_select(q->narrow, p, batch, at, n, sel);
            engine_narrow_decode(contract, batch, at, n, sel, nsel, p, &q->push, &d);
            if (retains && d.nrows > 0) d.batch = col_batch_copy(&q->scratch, d.batch);
        } else {
            engine_contract_decode_batch(contract, batch, at, n, p, q->ctx.arena, &d);
        }
        if (engine_batch_is_control(batch)) engine_clock_advance(&q->clock, batch, at);
        engine_clock_skip(contract->object, &q->clock, q->ctx.arena, &d);
        uint64_t *offsets = base_arena_alloc(q->ctx.arena, (d.nrows + 1) * sizeof *offsets);
        for (uint32_t i = 0; i < d.nrows; i++) offsets[i] = batch->base_offset + at + d.doc[i];
        flow_origin origin = {p, offsets, d.event_us, d.deletes, NULL};
        if (q->effective >= 0 && d.nrows > 0) take_effective(q, &d, offsets, &origin);
        base_rc rc = BASE_OK;
        if (d.nrows > 0) rc = flow_graph_push(q->graph, q->input_index, d.batch, &origin, err);
        q->ctx.arena = &q->scratch;
        base_arena_reset(&q->push);
        if (rc == BASE_OK) rc = check_limits(q, err);
        if (rc != BASE_OK) return rc;
        at += n;
    }
    return BASE_OK;
}

// Records of a partition that count lie below *upto.
static base_rc find_upto(const query *q, engine_stream *stream, uint32_t p, uint64_t *upto,
                         base_error *err) {
    *upto = log_end(stream->log, p);
    for (uint32_t i = 0; i < q->options->nupto; i++) {
        const engine_upto *limit = &q->options->upto[i];
        if (limit->object_id == q->input->object->id && limit->partition == p &&
            limit->next < *upto)
            *upto = limit->next;
    }
    if (!q->past) return BASE_OK;
    uint64_t later;
    base_rc rc = log_find_time(stream->log, p, q->as_of_us + 1, &later, err);
    if (rc == BASE_OK && later < *upto) *upto = later;
    return rc;
}

typedef base_rc take_batch(query *q, engine_contract *contract, uint32_t p, const log_batch *batch,
                           uint64_t upto, base_error *err);

static base_rc read_partition(query *q, engine_stream *stream, engine_contract *contract,
                              uint32_t p, take_batch *take, base_error *err) {
    uint64_t upto;
    base_rc rc = find_upto(q, stream, p, &upto, err);
    if (rc != BASE_OK || log_begin(stream->log, p) >= upto) return rc;
    log_reader *reader;
    rc = log_reader_open(stream->log, p, log_begin(stream->log, p), &reader, err);
    if (rc != BASE_OK) return rc;
    if (q->nreaders == q->readers_cap) {
        q->readers_cap = q->readers_cap == 0 ? 16 : q->readers_cap * 2;
        q->readers = realloc(q->readers, q->readers_cap * sizeof(log_reader *));
        must(q->readers != NULL);
    }
    engine_clock_deinit(&q->clock);
    engine_clock_init(&q->clock, contract->object);
    q->readers[q->nreaders++] = reader; // closed with the query: rows borrow strings from it
    while (log_reader_offset(reader) < upto) {
        log_batch batch;
        bool end;
        rc = log_reader_next(reader, &batch, &end, err);
        if (rc != BASE_OK) return rc;
        if (end) break;
        rc = take(q, contract, p, &batch, upto, err);
        if (rc != BASE_OK) return rc;
        if (q->narrow != NULL) log_reader_release(reader);
    }
    return BASE_OK;
}

static base_rc note_log_batch(query *q, engine_contract *contract, uint32_t p,
                              const log_batch *batch, uint64_t upto, base_error *err) {
    (void)contract;
    uint32_t count = batch->count;
    if (upto - batch->base_offset < count) count = (uint32_t)(upto - batch->base_offset);
    for (uint32_t at = 0; at < count; at += QUERY_BATCH_ROWS)
        engine_narrow_note(q->narrow, p, batch, at,
                           count - at < QUERY_BATCH_ROWS ? count - at : QUERY_BATCH_ROWS);
    return check_limits(q, err);
}

// Decodes the input's columns and, if it counts, the one of the effective time.
static engine_contract *contract_for(query *q, const plan_object *object) {
    const flow_input *input = q->input;
    q->effective = -1;
    if (!q->options->by_effective || object->effective_time < 0)
        return engine_contract_create(object, false, input->ncolumns, input->columns);
    uint32_t *columns = base_arena_array(&q->scratch, uint32_t, input->ncolumns + 1), n = 0;
    q->projected = base_arena_array(&q->scratch, uint32_t, input->ncolumns + 1);
    for (uint32_t i = 0; i < input->ncolumns; i++) {
        uint32_t column = input->columns[i];
        if (q->effective < 0 && column >= (uint32_t)object->effective_time) {
            q->effective = (int32_t)n;
            if (column > (uint32_t)object->effective_time)
                columns[n++] = (uint32_t)object->effective_time;
        }
        q->projected[i] = n;
        columns[n++] = column;
    }
    if (q->effective < 0) {
        q->effective = (int32_t)n;
        columns[n++] = (uint32_t)object->effective_time;
    }
    return engine_contract_create(object, false, n, columns);
}

static base_rc push_log(query *q, base_error *err) {
    const plan_object *object = q->input->object;
    engine_stream *stream = engine_stream_hold(q->engine, object);
    if (stream == NULL)
        return base_fail(err, BASE_E_NOT_FOUND, BASE_SQLSTATE_UNDEFINED_TABLE,
                         "relation \"%s.%s\" does not exist", object->schema, object->name);
    q->streams[q->nstreams++] = stream; // released with the query, after its readers
    engine_contract *contract = contract_for(q, object);
    q->contracts[q->ncontracts++] = contract;
    uint32_t n = log_stream_partitions(stream->log);
    q->narrow = q->options->narrow == NULL || q->effective >= 0
                    ? NULL
                    : q->options->narrow(q->options->narrow_arg, object, &q->scratch);
    base_rc rc = BASE_OK;
    if (q->narrow != NULL && engine_narrow_two_passes(q->narrow))
        for (uint32_t p = 0; rc == BASE_OK && p < n; p++)
            rc = read_partition(q, stream, contract, p, note_log_batch, err);
    for (uint32_t p = 0; rc == BASE_OK && p < n; p++)
        rc = read_partition(q, stream, contract, p, push_log_batch, err);
    engine_narrow_close(q->narrow);
    q->narrow = NULL;
    return rc;
}

// ---- views
// -------------------------------------------------------------------------------------------

static base_rc push_view_rows(void *arg, const col_batch *rows, base_error *err) {
    query *q = arg;
    col_batch *batch = col_batch_project(&q->scratch, rows, q->input->ncolumns, q->input->columns);
    // The scan's scratch is used again.
    batch = col_batch_copy(&q->scratch, batch);
    base_rc rc = flow_graph_push(q->graph, q->input_index, batch, NULL, err);
    return rc == BASE_OK ? check_limits(q, err) : rc;
}

static base_rc may_go_on(void *arg, base_error *err) {
    return check_limits(arg, err);
}

// A view's changes since an instant may take this part of the query's memory.
#define PAST_SHARE 2u

// The view that an input reads: the scan of weir.as_of() has a number of its own.
static const plan_object *view_of(const query *q, const plan_object *object) {
    if (object->narguments == 0) return object;
    const plan_object *view = engine_catalog_by_id(q->engine, object->id % PLAN_CALL_ID_STEP);
    return view != NULL ? view : object; // dropped just now: opening it says so
}

// When an input is read: by the session's settings, or by the arguments of weir.as_of().
typedef struct reading {
    bool past; // as of as_of_us
    int64_t as_of_us;
    bool by_effective; // only what is effective up to effective_us counts
    int64_t effective_us;
} reading;

static reading reading_of(const query *q, const plan_object *object) {
    reading r = {q->past, q->as_of_us, q->options->by_effective, q->options->effective_us};
    if (object->narguments > 0) {
        const char *text = object->arguments[0];
        r.past = *text != 0;
        r.as_of_us = strtoll(text, NULL, 10);
    }
    if (object->narguments > 1) {
        const char *text = object->arguments[1];
        r.by_effective = *text != 0;
        r.effective_us = strtoll(text, NULL, 10);
    }
    return r;
}

static base_rc find_past(query *q, const plan_object *view, engine_view_snapshot *snapshot,
                         const reading *r, base_error *err) {
    if (r->as_of_us > plat_wall_us(q->engine->plat))
        return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER,
                         "materialized view \"%s.%s\" cannot be read as of the future",
                         view->schema, view->name);
    return r->by_effective ? engine_instant_find_moment(view, snapshot, r->as_of_us, err)
                           : engine_instant_find(view, snapshot, r->as_of_us, err);
}

static base_rc push_given(query *q, const col_batch *rows, base_error *err);

// A view's rows by effective time, as known at the snapshot's step.
static base_rc push_effective(query *q, const plan_object *view,
                              const engine_view_snapshot *snapshot, const reading *r,
                              base_error *err) {
    const col_batch *rows;
    base_rc rc = engine_effective_rows(q->session, view, snapshot->step, !r->past, r->effective_us,
                                       &q->scratch, &rows, err);
    if (rc == BASE_OK) rc = check_limits(q, err);
    return rc == BASE_OK ? push_given(q, rows, err) : rc;
}

static base_rc push_view(query *q, engine_view_snapshot *snapshot, base_error *err) {
    const plan_object *view = view_of(q, q->input->object);
    reading r = reading_of(q, q->input->object);
    if (r.by_effective) return push_effective(q, view, snapshot, &r, err);
    base_rc rc =
        r.past ? engine_instant_scan(q->engine, view, snapshot, q->memory_limit / PAST_SHARE,
                                     QUERY_BATCH_ROWS, may_go_on, push_view_rows, q, err)
               : engine_view_scan_txn(view, snapshot->appended, snapshot->rows, snapshot->txn,
                                      snapshot->final_us, QUERY_BATCH_ROWS, push_view_rows, q, err);
    if (rc != BASE_OK) engine_flow_hint(snapshot->flow, err);
    return rc;
}

static void widen_standing(engine_standing *all, const engine_standing *one) {
    if (!all->known) {
        *all = *one;
        return;
    }
    if (one->as_of_us < all->as_of_us) all->as_of_us = one->as_of_us;
    if (one->watermark_us < all->watermark_us) all->watermark_us = one->watermark_us;
    if (all->lag_us != ENGINE_LAG_UNKNOWN &&
        (one->lag_us > all->lag_us || one->lag_us == ENGINE_LAG_UNKNOWN))
        all->lag_us = one->lag_us;
    all->fresh = all->fresh && one->fresh;
}

static void snapshot_final(const plan_object *view, const engine_view_snapshot *snapshot,
                           engine_standing *out) {
    if (view->window_column >= 0 && snapshot->final_us != ENGINE_NO_WATERMARK)
        out->final_us = plan_final_end(&view->finality, snapshot->final_us);
}

static void snapshot_standing(engine *e, const plan_object *view,
                              const engine_view_snapshot *snapshot, engine_standing *out) {
    *out = (engine_standing){.known = true,
                             .step = snapshot->step,
                             .as_of_us = snapshot->now_us,
                             .watermark_us = snapshot->watermark_us,
                             .final_us = INT64_MIN};
    snapshot_final(view, snapshot, out);
    plat_mutex_lock(&e->flows_lock);
    int64_t since = snapshot->flow->pending_since_us;
    plat_mutex_unlock(&e->flows_lock);
    int64_t now = plat_wall_us(e->plat);
    out->lag_us = since > 0 && now > since ? now - since : 0;
    out->fresh = view->freshness_us == 0 || out->lag_us <= view->freshness_us;
}

// Of an instant: how far behind the answer was then.
static void past_standing(engine *e, const plan_object *view, const engine_view_snapshot *snapshot,
                          int64_t us, engine_standing *out) {
    *out = (engine_standing){.known = true,
                             .step = snapshot->step,
                             .as_of_us = snapshot->now_us,
                             .watermark_us = snapshot->watermark_us,
                             .final_us = INT64_MIN};
    snapshot_final(view, snapshot, out);
    out->lag_us = engine_lag_then(e, view, snapshot->step, us);
    out->fresh = view->freshness_us == 0 ||
                 (out->lag_us != ENGINE_LAG_UNKNOWN && out->lag_us <= view->freshness_us);
}

base_rc engine_view_standing(engine *e, const plan_object *view, engine_standing *out,
                             base_error *err) {
    engine_view_snapshot snapshot;
    base_rc rc = engine_view_snapshot_open(e, view, &snapshot, err);
    if (rc != BASE_OK) return rc;
    snapshot_standing(e, view, &snapshot, out);
    engine_view_snapshot_close(&snapshot);
    return BASE_OK;
}

// ---- the whole
// ---------------------------------------------------------------------------------------

static base_rc push_system(query *q, base_error *err) {
    const col_batch *rows;
    base_rc rc =
        engine_system_rows(q->session, q->input->object, &q->wanted, &q->scratch, &rows, err);
    if (rc != BASE_OK) return rc;
    return flow_graph_push(
        q->graph, q->input_index,
        col_batch_project(&q->scratch, rows, q->input->ncolumns, q->input->columns), NULL, err);
}

// The rows that were given in the object's place, or NULL.
static const col_batch *given_rows(const query *q, const plan_object *object) {
    for (uint32_t i = 0; i < q->options->ngiven; i++)
        if (q->options->given[i].object->id == object->id) return q->options->given[i].rows;
    return NULL;
}

static base_rc push_given(query *q, const col_batch *rows, base_error *err) {
    for (uint32_t i = 0; i < q->input->ncolumns; i++)
        if (q->input->columns[i] >= rows->ncols)
            return base_fail(err, BASE_E_UNSUPPORTED, NULL, "a column of \"%s\" is not given",
                             q->input->object->name);
    return flow_graph_push(
        q->graph, q->input_index,
        col_batch_project(&q->scratch, rows, q->input->ncolumns, q->input->columns), NULL, err);
}

static base_rc open_view(query *q, const flow_input *input, engine_view_snapshot *snapshot,
                         base_error *err) {
    const plan_object *view = view_of(q, input->object);
    base_rc rc = engine_view_snapshot_open(q->engine, view, snapshot, err);
    if (rc != BASE_OK) return rc;
    reading r = reading_of(q, input->object);
    engine_standing one;
    if (!r.past) {
        snapshot_standing(q->engine, view, snapshot, &one);
    } else {
        rc = find_past(q, view, snapshot, &r, err);
        if (rc != BASE_OK) return rc;
        past_standing(q->engine, view, snapshot, r.as_of_us, &one);
    }
    widen_standing(&q->standing, &one);
    return BASE_OK;
}

static base_rc push_inputs(query *q, base_error *err) {
    const flow_input *inputs;
    size_t n = flow_graph_inputs(q->graph, &inputs);
    engine_view_snapshot *snapshots = calloc(n + 1, sizeof *snapshots);
    q->contracts = calloc(n + 1, sizeof(engine_contract *));
    q->streams = calloc(n + 1, sizeof(engine_stream *));
    must(snapshots != NULL && q->contracts != NULL && q->streams != NULL);
    base_rc rc = BASE_OK;
    // All snapshots first: views of one flow then show one instant.
    for (size_t i = 0; rc == BASE_OK && i < n; i++) {
        if (inputs[i].object->kind != PLAN_OBJECT_VIEW) continue;
        if (given_rows(q, inputs[i].object) == NULL)
            rc = open_view(q, &inputs[i], &snapshots[i], err);
    }
    for (size_t i = 0; rc == BASE_OK && i < n; i++) {
        q->input = &inputs[i];
        q->input_index = i;
        const col_batch *given = given_rows(q, inputs[i].object);
        if (given != NULL) {
            rc = push_given(q, given, err);
            continue;
        }
        switch (inputs[i].object->kind) {
        case PLAN_OBJECT_VIEW:
            rc = push_view(q, &snapshots[i], err);
            break;
        case PLAN_OBJECT_SYSTEM:
            rc = push_system(q, err);
            break;
        default:
            rc = push_log(q, err);
            break;
        }
    }
    for (size_t i = 0; i < n; i++) engine_view_snapshot_close(&snapshots[i]);
    free(snapshots);
    return rc;
}

// Rows by weight, each once, in the result's arena.
static base_rc finish_rows(const col_batch *output, base_arena *arena, const col_batch **out,
                           base_error *err) {
    uint64_t total = 0;
    bool plain = true;
    for (uint32_t i = 0; i < output->nrows; i++) {
        int64_t w = col_weight(output, i);
        if (w != 1) plain = false;
        if (w < 0)
            return base_fail(err, BASE_E_INTERNAL, NULL, "a query's row has weight %lld",
                             (long long)w);
        total += (uint64_t)w;
    }
    if (total > COL_BATCH_ROWS_MAX)
        return base_fail(err, BASE_E_LIMIT, BASE_SQLSTATE_OUT_OF_MEMORY,
                         "the result has %llu rows, more than %u", (unsigned long long)total,
                         COL_BATCH_ROWS_MAX);
    if (plain) {
        *out = col_batch_with_weights(arena, col_batch_copy(arena, output), NULL);
        return BASE_OK;
    }
    uint32_t *sel = base_arena_alloc(arena, (total + 1) * sizeof *sel);
    uint32_t n = 0;
    for (uint32_t i = 0; i < output->nrows; i++)
        for (int64_t w = col_weight(output, i); w > 0; w--) sel[n++] = i;
    col_batch *copy = col_batch_copy(arena, output);
    *out = col_batch_with_weights(arena, col_batch_gather(arena, copy, sel, n), NULL);
    return BASE_OK;
}

// What the session says of effective time (SET weir.effective_as_of).
static void by_session(const engine_session *session, engine_query_options *options) {
    options->by_effective = session->settings.has_effective;
    options->effective_us = session->settings.effective_us;
}

base_rc engine_query(engine_session *session, const plan_node *plan, base_arena *arena,
                     const col_batch **rows, engine_standing *standing, base_error *err) {
    return engine_query_timed(session, plan, arena, rows, standing, NULL, err);
}

base_rc engine_query_timed(engine_session *session, const plan_node *plan, base_arena *arena,
                           const col_batch **rows, engine_standing *standing,
                           engine_operators *figures, base_error *err) {
    engine_query_options options = {.figures = figures};
    by_session(session, &options);
    return engine_query_with(session, plan, &options, arena, rows, standing, err);
}

base_rc engine_query_over(engine_session *session, const plan_node *plan, uint32_t n,
                          const engine_query_given *given, base_arena *arena,
                          const col_batch **rows, engine_standing *standing, base_error *err) {
    engine_query_options options = {.ngiven = n, .given = given, .exact = true};
    return engine_query_with(session, plan, &options, arena, rows, standing, err);
}

base_rc engine_query_with(engine_session *session, const plan_node *plan,
                          const engine_query_options *options, base_arena *arena,
                          const col_batch **rows, engine_standing *standing, base_error *err) {
    engine *e = session->engine;
    engine_operators *figures = options->figures;
    query q = {.session = session, .engine = e, .options = options};
    q.past = !options->exact && engine_setting_as_of(session, &q.as_of_us);
    q.memory_limit = e->config.query_memory_bytes > 0 ? e->config.query_memory_bytes : 1ull << 30;
    base_arena_init(&q.scratch, 1 << 16);
    base_arena_init(&q.push, 1 << 16);
    flow_graph_config config = {.memory_limit_bytes = q.memory_limit,
                                .clock = figures != NULL ? e->plat : NULL};
    base_rc rc = flow_graph_create(&config, &q.graph, err);
    if (rc == BASE_OK) rc = flow_graph_add(q.graph, NULL, plan, err);
    if (rc == BASE_OK) {
        col_func_host host = engine_func_host(session);
        base_random random;
        base_random_seed(&random, e->plat->ops->random_u64(e->plat));
        q.ctx = (flow_ctx){.arena = &q.scratch,
                           .step_arena = &q.scratch,
                           .now_us = options->now_us != 0 ? options->now_us : plat_wall_us(e->plat),
                           .hooks = options->hooks,
                           .low_watermark_us = ENGINE_NO_WATERMARK,
                           .zone = options->as_views ? NULL : session->zone,
                           .random = &random,
                           .host = &host,
                           .user = session->user,
                           .database = session->database,
                           .cancelled = session_cancelled,
                           .cancel_arg = session,
                           .workers = e->workers};
        col_func_ctx values = {.arena = &q.scratch,
                               .now_us = q.ctx.now_us,
                               .zone = session->zone,
                               .user = session->user,
                               .database = session->database,
                               .host = &host};
        engine_wanted_find(plan, &values, &q.wanted);
        flow_graph_begin(q.graph, &q.ctx);
        rc = push_inputs(&q, err);
        if (rc == BASE_OK) rc = flow_graph_flush(q.graph, err);
        if (rc == BASE_OK) {
            const col_batch *output = flow_graph_output(q.graph, 0);
            if (output == NULL) {
                col_type *types = base_arena_array(arena, col_type, plan->ncolumns + 1);
                for (uint32_t i = 0; i < plan->ncolumns; i++) types[i] = plan->columns[i].type;
                *rows = col_batch_create(arena, plan->ncolumns, types, 0);
            } else {
                rc = finish_rows(output, arena, rows, err);
            }
        }
    }
    *standing = q.standing;
    if (rc == BASE_OK && figures != NULL) flow_graph_stats(q.graph, engine_operators_note, figures);
    flow_graph_destroy(q.graph);
    engine_clock_deinit(&q.clock);
    for (size_t i = 0; i < q.nreaders; i++) log_reader_close(q.readers[i]);
    for (size_t i = 0; i < q.ncontracts; i++) engine_contract_destroy(q.contracts[i]);
    free(q.readers);
    for (size_t i = 0; i < q.nstreams; i++) engine_stream_release(q.streams[i]);
    free(q.contracts);
    free(q.streams);
    base_arena_deinit(&q.scratch);
    base_arena_deinit(&q.push);
    return rc;
}
