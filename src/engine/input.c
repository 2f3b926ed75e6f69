// input.c - what a step reads: partitions of logs from their cursors, and the changes of views of
// other flows from their steps. Also watermarks: of a partition, of an input, of a view.
//
// Watermark of a partition: see late.c. Of an input: the least over its partitions, without those
// that are idle (nothing unread, and nothing came for the contract's idle timeout, by the monotonic
// clock of this process: neither an outage nor a clock that is set makes a partition idle). Of a
// view: the least over its inputs.
// None ever goes back. A record is late if its event time is below its partition's watermark when
// it is read, in the order of the log: so counts do not depend on how the log is cut into steps.
// Cursors and watermarks are rows of the flow's store and move in the step's commit.
// Entry points: engine_inputs_build, engine_inputs_gather, engine_inputs_save.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/be.h"
#include "base/must.h"
#include "engine/ahead.h"
#include "engine/finality/expect.h"
#include "engine/finality/rate.h"

// The stored form of a cursor; key: object id and partition, big endian. A disk format.
typedef struct cursor_row {
    uint32_t version; // 1
    uint32_t started;
    uint64_t next;
    int64_t watermark_us;
    int64_t max_event_us;
    int64_t active_us;
    uint64_t records, late, faults, duplicates;
} cursor_row;
_Static_assert(sizeof(cursor_row) == 72, "cursor_row is a disk format");

static base_str cursor_key(char out[8], uint32_t object_id, uint32_t partition) {
    base_be_put(out, object_id, 4);
    base_be_put(out + 4, partition, 4);
    return (base_str){out, 8};
}

static bool is_log_object(const plan_object *object) {
    return object->kind == PLAN_OBJECT_STREAM || object->kind == PLAN_OBJECT_TABLE;
}

// Records that are decoded and pushed at once: few, where their columns then stay in cache; many,
// where they are kept anyway.
#define CHUNK_ROWS          8192u
#define CHUNK_ROWS_RETAINED 65536u

// ---- building
// ----------------------------------------------------------------------------------------

static base_rc build_log_input(engine_flow *flow, engine_input *input, base_error *err) {
    input->stream = engine_stream_of(flow->engine, input->object);
    if (input->stream == NULL)
        return base_fail(err, BASE_E_INTERNAL, NULL, "\"%s.%s\" has no log", input->object->schema,
                         input->object->name);
    input->npartitions = log_stream_partitions(input->stream->log);
    input->contract = engine_contract_create(input->object, false, input->ncolumns, input->columns);
    input->sequences = engine_sequences_create(input);
    input->rates = engine_rates_create(input);
    if (input->object->watermark != NULL && input->contract->watermark == NULL)
        return base_fail(err, BASE_E_UNSUPPORTED, NULL,
                         "the watermark of \"%s.%s\" uses more than its event-time column",
                         input->object->schema, input->object->name);
    return BASE_OK;
}

// Of what others are looked up in (FOR SYSTEM_TIME AS OF PROCTIME()), also through views of the
// flow.
static void mark_first(void *arg, const plan_node *scan) {
    engine_flow *flow = arg;
    const engine_view *inner =
        scan->object->kind == PLAN_OBJECT_VIEW ? engine_flow_view(flow, scan->object->id) : NULL;
    if (inner != NULL) plan_node_scans(inner->object->plan, mark_first, flow);
    for (uint32_t i = 0; i < flow->ninputs; i++)
        if (flow->inputs[i].object->id == scan->object->id) flow->inputs[i].first = true;
}

base_rc engine_inputs_build(engine_flow *flow, base_error *err) {
    const flow_input *found;
    size_t n = flow_graph_inputs(flow->graph, &found);
    flow->ninputs = (uint32_t)n;
    flow->inputs = base_arena_array(&flow->graph_arena, engine_input, n + 1);
    for (size_t i = 0; i < n; i++) {
        engine_input *input = &flow->inputs[i];
        input->object = found[i].object;
        input->graph_input = i;
        input->ncolumns = found[i].ncolumns;
        input->columns = found[i].columns;
        input->watermark_us = ENGINE_NO_WATERMARK;
        input->npartitions = 1;
        if (is_log_object(input->object)) {
            base_rc rc = build_log_input(flow, input, err);
            if (rc != BASE_OK) return rc;
        } else {
            engine_flow *upstream = engine_flow_of_view(flow->engine, input->object->id);
            if (upstream != NULL) input->upstream = &flow->engine->flows[upstream->slot];
            if (upstream == NULL || strcmp(upstream->name, flow->name) == 0)
                return base_fail(err, BASE_E_INTERNAL, NULL,
                                 "view \"%s.%s\" has no flow to read from", input->object->schema,
                                 input->object->name);
        }
        input->partitions =
            base_arena_array(&flow->graph_arena, engine_partition, input->npartitions);
        for (uint32_t p = 0; is_log_object(input->object) && p < input->npartitions; p++)
            if (input->contract->watermark != NULL)
                input->partitions[p].disorder = base_arena_new(&flow->graph_arena, engine_disorder);
    }
    for (uint32_t i = 0; i < flow->nviews; i++)
        plan_node_lookup_scans(flow->views[i].object->plan, mark_first, flow);
    return BASE_OK;
}

void engine_inputs_close(engine_flow *flow) {
    engine_inputs_unpublish(flow);
    for (uint32_t i = 0; i < flow->ninputs; i++) {
        engine_input *input = &flow->inputs[i];
        for (uint32_t p = 0; input->partitions != NULL && p < input->npartitions; p++)
            if (input->partitions[p].reader != NULL) log_reader_close(input->partitions[p].reader);
        engine_ahead_destroy(input->ahead);
        engine_sequences_destroy(input->sequences);
        engine_rates_destroy(input->rates);
        engine_contract_destroy(input->contract);
    }
    flow->ninputs = 0;
    flow->inputs = NULL;
}

// Where reading ends: the durable end, or what the flow is bounded to.
static uint64_t read_end(const engine_flow *flow, const engine_input *input, uint32_t p) {
    uint64_t end = log_end(input->stream->log, p);
    const engine_bound *bound = engine_bound_of(flow->bounds, input->object->id, p);
    return bound != NULL && bound->upto < end ? bound->upto : end;
}

static uint64_t read_begin(const engine_flow *flow, const engine_input *input, uint32_t p) {
    uint64_t begin = log_begin(input->stream->log, p);
    const engine_bound *bound = engine_bound_of(flow->bounds, input->object->id, p);
    return bound != NULL && bound->from > begin ? bound->from : begin;
}

static base_rc load_disorder(engine_flow *flow, state_txn *txn, uint32_t object_id, uint32_t p,
                             engine_disorder *out, base_error *err) {
    if (out == NULL) return BASE_OK;
    bool found;
    base_rc rc = engine_disorder_read(flow, txn, object_id, p, out, &found, err);
    if (rc == BASE_OK && !found) memset(out, 0, sizeof *out);
    return rc;
}

static base_rc save_disorder(engine_flow *flow, uint32_t object_id, uint32_t p, engine_disorder *d,
                             base_error *err) {
    if (d == NULL || !d->changed) return BASE_OK;
    char key[8];
    base_buf bytes = {0};
    engine_disorder_encode(d, &bytes);
    base_rc rc = state_put(flow->txn, flow->t_disorder, cursor_key(key, object_id, p),
                           base_buf_str(&bytes), err);
    base_buf_deinit(&bytes);
    d->changed = false;
    return rc;
}

base_rc engine_disorder_read(const engine_flow *flow, state_txn *txn, uint32_t object_id,
                             uint32_t p, engine_disorder *out, bool *found, base_error *err) {
    char key[8];
    base_str value;
    base_rc rc =
        state_get(txn, flow->t_disorder, cursor_key(key, object_id, p), &value, found, err);
    if (rc != BASE_OK || !*found) return rc;
    if (!engine_disorder_decode(out, value))
        return base_fail(err, BASE_E_CORRUPT, NULL,
                         "what is known of the disorder of object %u, "
                         "partition %u, is damaged",
                         object_id, p);
    return BASE_OK;
}

// Takes cursors from the store; what has none begins at the first retained record.
base_rc engine_inputs_load(engine_flow *flow, state_txn *txn, base_error *err) {
    for (uint32_t i = 0; i < flow->ninputs; i++) {
        engine_input *input = &flow->inputs[i];
        // What a step that failed had reached is to be reached again.
        input->watermark_us = ENGINE_NO_WATERMARK;
        engine_sequences_reset(input->sequences);
        base_rc rates = engine_rates_load(input->rates, flow, txn, err);
        if (rates != BASE_OK) return rates;
        for (uint32_t p = 0; p < input->npartitions; p++) {
            engine_partition *part = &input->partitions[p];
            char key[8];
            base_str value;
            bool found;
            base_rc rc = state_get(txn, flow->t_cursor, cursor_key(key, input->object->id, p),
                                   &value, &found, err);
            if (rc != BASE_OK) return rc;
            if (part->reader != NULL) log_reader_close(part->reader);
            engine_disorder *disorder = part->disorder;
            uint64_t active_ns = part->active_ns;
            memset(part, 0, sizeof *part);
            part->disorder = disorder;
            part->active_ns = active_ns > 0 ? active_ns : plat_monotonic_ns(flow->engine->plat);
            rc = load_disorder(flow, txn, input->object->id, p, disorder, err);
            if (rc != BASE_OK) return rc;
            part->watermark_us = ENGINE_NO_WATERMARK;
            part->max_event_us = part->append_us = INT64_MIN;
            input->started = false;
            if (found) {
                cursor_row row;
                if (value.n != sizeof row)
                    return base_fail(err, BASE_E_CORRUPT, NULL,
                                     "flow \"%s\": a cursor has %zu bytes", flow->name, value.n);
                memcpy(&row, value.p, sizeof row);
                part->next = row.next;
                part->watermark_us = row.watermark_us;
                part->max_event_us = row.max_event_us;
                part->active_us = row.active_us;
                part->records = row.records;
                part->late = row.late;
                part->faults = row.faults;
                part->duplicates = row.duplicates;
                input->started = row.started != 0;
                input->upstream_step = row.next;
                input->upstream_seen = 0;
            } else if (input->stream != NULL) {
                part->next = read_begin(flow, input, p);
            }
        }
    }
    return BASE_OK;
}

base_rc engine_inputs_save(engine_flow *flow, base_error *err) {
    for (uint32_t i = 0; i < flow->ninputs; i++) {
        engine_input *input = &flow->inputs[i];
        for (uint32_t p = 0; p < input->npartitions; p++) {
            const engine_partition *part = &input->partitions[p];
            cursor_row row = {1,
                              input->started,
                              input->upstream != NULL ? input->upstream_step : part->next,
                              part->watermark_us,
                              part->max_event_us,
                              part->active_us,
                              part->records,
                              part->late,
                              part->faults,
                              part->duplicates};
            char key[8];
            base_rc rc = state_put(flow->txn, flow->t_cursor, cursor_key(key, input->object->id, p),
                                   (base_str){(const char *)&row, sizeof row}, err);
            if (rc == BASE_OK) rc = save_disorder(flow, input->object->id, p, part->disorder, err);
            if (rc != BASE_OK) return rc;
        }
        base_rc rc = engine_sequences_save(input->sequences, flow, err);
        if (rc == BASE_OK) rc = engine_rates_save(input->rates, flow, err);
        if (rc != BASE_OK) return rc;
    }
    return BASE_OK;
}

base_rc engine_cursor_read(state_txn *txn, state_table t_cursor, uint32_t object_id,
                           uint32_t partition, engine_cursor *out, bool *found, base_error *err) {
    char key[8];
    base_str value;
    base_rc rc =
        state_get(txn, t_cursor, cursor_key(key, object_id, partition), &value, found, err);
    if (rc != BASE_OK || !*found) return rc;
    cursor_row row;
    if (value.n != sizeof row)
        return base_fail(err, BASE_E_CORRUPT, NULL, "a cursor of object %u has %zu bytes",
                         object_id, value.n);
    memcpy(&row, value.p, sizeof row);
    *out = (engine_cursor){.started = row.started != 0,
                           .next = row.next,
                           .watermark_us = row.watermark_us,
                           .max_event_us = row.max_event_us,
                           .active_us = row.active_us,
                           .records = row.records,
                           .late = row.late,
                           .faults = row.faults,
                           .duplicates = row.duplicates};
    return BASE_OK;
}

void engine_inputs_release(engine_flow *flow) {
    for (uint32_t i = 0; i < flow->ninputs; i++) engine_ahead_release(flow->inputs[i].ahead);
    for (uint32_t i = 0; i < flow->ninputs; i++)
        for (uint32_t p = 0; p < flow->inputs[i].npartitions; p++)
            if (flow->inputs[i].partitions[p].reader != NULL)
                log_reader_release(flow->inputs[i].partitions[p].reader);
}

// ---- how far the flow is
// -----------------------------------------------------------------------------

void engine_inputs_publish(engine_flow *flow) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < flow->ninputs; i++) n += flow->inputs[i].npartitions;
    plat_mutex_lock(&flow->engine->flows_lock);
    if (n > flow->positions_cap) {
        flow->positions = realloc(flow->positions, n * sizeof *flow->positions);
        must(flow->positions != NULL);
        flow->positions_cap = n;
    }
    flow->npositions = 0;
    for (uint32_t i = 0; i < flow->ninputs; i++) {
        const engine_input *input = &flow->inputs[i];
        uint64_t taken = input->upstream_step > input->upstream_seen ? input->upstream_step
                                                                     : input->upstream_seen;
        for (uint32_t p = 0; p < input->npartitions; p++)
            flow->positions[flow->npositions++] = (engine_position){
                input->object->id, p, input->upstream != NULL ? taken : input->partitions[p].next};
    }
    flow->positions_step = flow->step;
    flow->published = true;
    plat_cond_broadcast(&flow->engine->flow_passed);
    plat_mutex_unlock(&flow->engine->flows_lock);
}

void engine_inputs_unpublish(engine_flow *flow) {
    plat_mutex_lock(&flow->engine->flows_lock);
    flow->published = false;
    plat_mutex_unlock(&flow->engine->flows_lock);
}

// ---- watermarks
// --------------------------------------------------------------------------------------

static bool is_idle(const engine_flow *flow, const engine_input *input, uint32_t p) {
    const engine_partition *part = &input->partitions[p];
    if (part->next < read_end(flow, input, p)) return false;
    int64_t timeout =
        input->object->idle_timeout_us > 0 ? input->object->idle_timeout_us : ENGINE_IDLE_US;
    if (part->records == 0 && part->watermark_us == ENGINE_NO_WATERMARK) return true;
    uint64_t now_ns = plat_monotonic_ns(flow->engine->plat);
    return now_ns > part->active_ns && (now_ns - part->active_ns) / 1000 > (uint64_t)timeout;
}

static int64_t log_input_watermark(const engine_flow *flow, const engine_input *input) {
    int64_t least_active = INT64_MAX, greatest = ENGINE_NO_WATERMARK;
    bool any_active = false;
    for (uint32_t p = 0; p < input->npartitions; p++) {
        int64_t wm = input->partitions[p].watermark_us;
        if (wm > greatest) greatest = wm;
        if (is_idle(flow, input, p)) continue;
        any_active = true;
        if (wm < least_active) least_active = wm;
    }
    return any_active ? least_active : greatest;
}

// A table, or a stream without a watermark, holds nobody back.
static bool has_watermark(const engine_input *input) {
    return input->upstream != NULL || input->contract->watermark != NULL;
}

static const engine_input *input_of(const engine_flow *flow, const plan_object *object) {
    for (uint32_t i = 0; i < flow->ninputs; i++)
        if (flow->inputs[i].object->id == object->id) return &flow->inputs[i];
    return NULL;
}

typedef struct least_watermark {
    engine_flow *flow;
    int64_t us;
    bool any;
} least_watermark;

static void visit_scan(void *arg, const plan_node *scan) {
    least_watermark *least = arg;
    int64_t us;
    const engine_view *view = NULL;
    if (scan->object->kind == PLAN_OBJECT_VIEW)
        view = engine_flow_view(least->flow, scan->object->id);
    if (view != NULL) {
        us = engine_shown_watermark(view->object, view->watermark_us,
                                    engine_view_final_us(least->flow, view));
    } else {
        const engine_input *input = input_of(least->flow, scan->object);
        if (input == NULL || !has_watermark(input)) return;
        us = input->watermark_us;
    }
    if (!least->any || us < least->us) least->us = us;
    least->any = true;
}

void engine_inputs_watermarks(engine_flow *flow) {
    for (uint32_t i = 0; i < flow->ninputs; i++) {
        engine_input *input = &flow->inputs[i];
        if (input->stream == NULL || input->contract->watermark == NULL) continue;
        if (flow->finish) {
            for (uint32_t p = 0; p < input->npartitions; p++)
                input->partitions[p].watermark_us = ENGINE_END_OF_TIME;
        }
        int64_t us = log_input_watermark(flow, input);
        if (us > input->watermark_us) input->watermark_us = us;
    }
    // Views stand in the order of their ids, so a view comes after those of this flow that it
    // reads.
    for (uint32_t i = 0; i < flow->nviews; i++) {
        least_watermark least = {flow, 0, false};
        plan_node_driving_scans(flow->views[i].object->plan, visit_scan, &least);
        if (least.any && least.us > flow->views[i].watermark_us)
            flow->views[i].watermark_us = least.us;
        if (flow->bounds != NULL && flow->bounds->watermark != NULL)
            flow->bounds->watermark(flow->bounds->arg, &flow->views[i]);
    }
}

// ---- reading
// -----------------------------------------------------------------------------------------

static bool log_input_ready(const engine_flow *flow, const engine_input *input) {
    for (uint32_t p = 0; p < input->npartitions; p++)
        if (input->partitions[p].next < read_end(flow, input, p)) return true;
    return false;
}

// A view of another flow has something for us if it changed or its watermark moved since the step
// that we took over. That its flow has stepped is not enough: flows whose views read each other's
// would give each other empty steps for ever.
static bool upstream_ready(engine_flow *flow, engine_input *input) {
    const engine_flow *upstream = *input->upstream;
    if (upstream->store == NULL) return false; // failed: this flow goes on with its other inputs
    uint64_t committed = atomic_load(&upstream->committed_step);
    if (input->started && (committed <= input->upstream_step || committed <= input->upstream_seen))
        return false;
    engine_view_snapshot snapshot;
    base_error err;
    base_rc rc = engine_view_snapshot_open(flow->engine, input->object, &snapshot, &err);
    if (rc != BASE_OK) return rc != BASE_E_BUSY; // the step meets the error and reports it
    bool ready = !input->started || snapshot.changed_step > input->upstream_step ||
                 engine_shown_watermark(input->object, snapshot.watermark_us, snapshot.final_us) >
                     input->watermark_us;
    if (!ready) input->upstream_seen = snapshot.step;
    engine_view_snapshot_close(&snapshot);
    return ready;
}

bool engine_inputs_ready(engine_flow *flow) {
    if (flow->initial || flow->finish) return true;
    for (uint32_t i = 0; i < flow->ninputs; i++) {
        engine_input *input = &flow->inputs[i];
        if (input->stream != NULL) {
            if (log_input_ready(flow, input)) return true;
            // A partition that has fallen idle may let the watermark go on.
            if (input->npartitions > 1 && input->contract->watermark != NULL &&
                log_input_watermark(flow, input) > input->watermark_us)
                return true;
        } else if (upstream_ready(flow, input)) {
            return true;
        }
    }
    return false;
}

// Moves the partition's clock on, a row at a time in the order of the log; see engine_clock_run.
static uint32_t follow_event_time(const plan_object *object, engine_partition *part,
                                  base_arena *arena, engine_decoded *d, const uint32_t **docs) {
    engine_clock clock = {part->watermark_us, part->max_event_us, part->late, part->disorder};
    uint32_t nrefused = engine_clock_run(object, &clock, arena, d, docs);
    part->watermark_us = clock.watermark_us;
    part->max_event_us = clock.max_event_us;
    part->late = clock.late;
    return nrefused;
}

// A record that the step refuses goes to the flow's quarantine, under its place in the log.
static base_rc quarantine_record(engine_flow *flow, const engine_input *input, uint32_t p,
                                 const log_batch *batch, uint32_t record, const char *sqlstate,
                                 const char *cause, base_error *err) {
    base_buf key = {0}, value = {0};
    base_buf_add_u32be(&key, input->object->id);
    base_buf_add_u32be(&key, p);
    base_buf_add_u64be(&key, batch->base_offset + record);
    log_headers_add(&value, BASE_STR("sqlstate"), base_str_of(sqlstate));
    log_headers_add(&value, BASE_STR("cause"), base_str_of(cause));
    char at[32];
    snprintf(at, sizeof at, "%lld", (long long)batch->info.append_us);
    log_headers_add(&value, BASE_STR("at"), base_str_of(at));
    log_headers_add(&value, BASE_STR("raw"), log_batch_record(batch, record));
    base_str origin;
    if (engine_origin_of(batch, record, &origin))
        log_headers_add(&value, BASE_STR(ENGINE_HEADER_ORIGIN), origin);
    base_rc rc =
        state_put(flow->txn, flow->t_quarantine, base_buf_str(&key), base_buf_str(&value), err);
    base_buf_deinit(&key);
    base_buf_deinit(&value);
    return rc;
}

// What the step's decoder refuses: it was logged before a rule existed, or by other means than the
// edge.
static base_rc quarantine_logged(engine_flow *flow, engine_input *input, uint32_t p,
                                 const log_batch *batch, uint32_t first, const engine_decoded *d,
                                 base_error *err) {
    for (uint32_t i = 0; i < d->nfaults; i++) {
        base_rc rc = quarantine_record(flow, input, p, batch, first + d->faults[i].doc,
                                       d->faults[i].sqlstate, d->faults[i].message, err);
        if (rc != BASE_OK) return rc;
    }
    input->partitions[p].faults += d->nfaults;
    return BASE_OK;
}

static base_rc quarantine_late(engine_flow *flow, engine_input *input, uint32_t p,
                               const log_batch *batch, uint32_t first, uint32_t n,
                               const uint32_t *docs, base_error *err) {
    if (n == 0) return BASE_OK;
    base_buf cause = {0};
    engine_late_message(input->object, &cause);
    base_rc rc = BASE_OK;
    for (uint32_t i = 0; i < n && rc == BASE_OK; i++)
        rc = quarantine_record(flow, input, p, batch, first + docs[i], "23514",
                               base_buf_cstr(&cause), err);
    base_buf_deinit(&cause);
    input->partitions[p].late += n;
    input->partitions[p].faults += n;
    return rc;
}

static base_rc push_decoded(engine_flow *flow, engine_input *input, uint32_t p,
                            uint64_t first_offset, const engine_decoded *d, base_error *err) {
    if (d->nrows == 0) return BASE_OK;
    uint64_t *offsets = base_arena_alloc(flow->ctx.arena, d->nrows * sizeof *offsets);
    for (uint32_t row = 0; row < d->nrows; row++) offsets[row] = first_offset + d->doc[row];
    flow_origin origin = {p, offsets, d->event_us, d->deletes, NULL};
    return flow_graph_push(flow->graph, input->graph_input, d->batch, &origin, err);
}

void engine_input_unmatched(void *self, const plan_object *object, uint32_t partition,
                            uint64_t offset) {
    engine_flow *flow = self;
    const log_batch *batch = flow->reading;
    if (batch == NULL || flow->reading_of->object != object) return;
    must(offset >= batch->base_offset && offset < batch->base_offset + batch->count);
    base_buf cause = {0};
    base_buf_printf(&cause,
                    "record for \"%s.%s\" takes an event back that has not come: there is none of "
                    "this key",
                    object->schema, object->name);
    base_error err;
    // A failure to note it fails the commit that follows just as well; no other answer here.
    if (quarantine_record(flow, flow->reading_of, partition, batch,
                          (uint32_t)(offset - batch->base_offset), "02000", base_buf_cstr(&cause),
                          &err) != BASE_OK)
        engine_say(flow->engine, ENGINE_ERROR, "flow %s: a retraction could not be noted: %s",
                   flow->name, err.message);
    flow->reading_of->partitions[partition].faults++;
    base_buf_deinit(&cause);
}

// What was decoded of records [at, ...) of a batch goes on. Where no operator retains what is
// pushed, all that is made of it lives in `arena`: the same memory serves the next portion, while
// it is in cache.
static base_rc take_decoded(engine_flow *flow, engine_input *input, uint32_t p,
                            const log_batch *batch, uint32_t at, const engine_decoded *decoded,
                            base_arena *arena, base_error *err) {
    if (engine_batch_is_control(batch)) return engine_control_take(flow, input, p, batch, at, err);
    flow->ctx.arena = arena;
    engine_decoded d = *decoded;
    const uint32_t *late;
    base_rc rc = engine_sequences_see(input->sequences, flow, arena, &d, err);
    uint32_t nlate = follow_event_time(input->object, &input->partitions[p], arena, &d, &late);
    engine_rates_count(input->rates, p, &d, batch->info.append_us);
    if (flow->bounds != NULL && flow->bounds->select != NULL)
        flow->bounds->select(flow->bounds->arg, input, arena, &d);
    if (rc == BASE_OK) rc = quarantine_logged(flow, input, p, batch, at, &d, err);
    if (rc == BASE_OK) rc = quarantine_late(flow, input, p, batch, at, nlate, late, err);
    flow->reading = batch;
    flow->reading_of = input;
    flow->reading_partition = p;
    if (rc == BASE_OK) rc = push_decoded(flow, input, p, batch->base_offset + at, &d, err);
    flow->reading = NULL;
    flow->ctx.arena = &flow->step_arena;
    return rc;
}

// A step that has come to hold this much goes no further: keys and groups that differ from record
// to record gain nothing from a larger one. Views share the records of a step but not what they
// make of them: were the limit one for all, ten views would take ten steps for the records of one,
// and each would write its groups ten times.
static bool step_is_full(const engine_flow *flow) {
    uint64_t bytes = base_arena_used(&flow->step_arena) + flow_graph_step_bytes(flow->graph);
    for (uint32_t i = 0; i < flow->ninputs; i++)
        bytes += engine_ahead_kept_bytes(flow->inputs[i].ahead);
    uint32_t shares = flow->nviews < 1 ? 1 : flow->nviews;
    if (shares > ENGINE_STEP_MEMORY_SHARES) shares = ENGINE_STEP_MEMORY_SHARES;
    return bytes > ENGINE_STEP_MEMORY_BYTES * shares;
}

// A partition's records in portions, from where the last step ended.
typedef struct portions {
    engine_flow *flow;
    engine_input *input;
    engine_partition *part;
    uint32_t p, size; // records of a portion at most
    uint64_t upto;    // reading ends here
    bool retains;
    uint64_t *budget, *rows;
    log_batch batch; // the one being read; count 0: none
    uint32_t at;     // its next record
    bool end;        // of the log, for this step
} portions;

// A batch of which nothing is selected need not be decoded. Not where helpers hold earlier portions
// yet, nor where what it says of the watermark decides what is taken.
static bool pass_over(portions *s) {
    const engine_bounds *bounds = s->flow->bounds;
    uint64_t end = s->batch.base_offset + s->batch.count;
    if (bounds == NULL || bounds->passes == NULL || !s->flow->alone || end > s->upto ||
        s->input->object->limits_lateness || !bounds->passes(bounds->arg, s->input, &s->batch.info))
        return false;
    s->part->records += s->batch.count - s->at;
    s->part->next = end;
    s->at = s->batch.count;
    return true;
}

// The next portion's batch, first record and size; n 0: there is none.
static base_rc next_portion(portions *s, uint32_t *first, uint32_t *n, base_error *err) {
    *n = 0;
    while (s->at == s->batch.count) {
        if (s->end || *s->budget == 0) return BASE_OK;
        base_rc rc = log_reader_next(s->part->reader, &s->batch, &s->end, err);
        if (rc != BASE_OK) return rc;
        if (s->end) {
            s->batch.count = s->at = 0;
            return BASE_OK;
        }
        uint64_t next = s->part->next, base = s->batch.base_offset;
        s->at = next > base ? (uint32_t)(next - base) : 0;
        if (s->at > s->batch.count) s->at = s->batch.count;
        if (pass_over(s)) continue;
        uint64_t bytes = s->batch.payload_bytes;
        *s->budget -= bytes < *s->budget ? bytes : *s->budget;
    }
    uint32_t left = s->batch.count - s->at;
    uint64_t next = s->batch.base_offset + s->at;
    if (next + left > s->upto) left = next < s->upto ? (uint32_t)(s->upto - next) : 0;
    if (left == 0) return BASE_OK; // the bound lies within the batch
    *n = left < s->size ? left : s->size;
    *first = s->at;
    s->at += *n;
    return BASE_OK;
}

static void portion_is_done(portions *s, const log_batch *batch, uint32_t first, uint32_t n) {
    *s->rows += n;
    if (!engine_batch_is_control(batch)) {
        s->input->step_rows += n;
        s->part->records += n;
    }
    s->part->next = batch->base_offset + first + n;
    s->part->active_us = s->flow->now_us;
    s->part->active_ns = plat_monotonic_ns(s->flow->engine->plat);
    s->part->append_us = batch->info.append_us;
    if (batch->headers != NULL)
        engine_origins_add(&s->flow->step_origins, &s->flow->step_arena, batch, first, n);
    // Only between batches: a step's end is a batch's end.
    if (first + n == batch->count && step_is_full(s->flow)) *s->budget = 0;
}

static base_rc gather_here(portions *s, base_error *err) {
    engine_flow *flow = s->flow;
    base_arena *arena = s->retains ? &flow->step_arena : &flow->push_arena;
    uint32_t first, n;
    base_rc rc = next_portion(s, &first, &n, err);
    while (rc == BASE_OK && n > 0) {
        engine_decoded d;
        const log_batch *batch = &s->batch;
        engine_contract_decode_batch(s->input->contract, batch, first, n, s->p, arena, &d);
        rc = take_decoded(flow, s->input, s->p, batch, first, &d, arena, err);
        if (!s->retains) base_arena_reset(arena);
        if (rc != BASE_OK) break;
        portion_is_done(s, batch, first, n);
        rc = next_portion(s, &first, &n, err);
    }
    return rc;
}

// The same with the next portions decoded by others meanwhile. When the step is full, what has been
// handed out is still taken.
static base_rc gather_ahead(portions *s, base_error *err) {
    engine_flow *flow = s->flow;
    engine_ahead *ahead = s->input->ahead;
    bool more = true;
    base_rc rc = BASE_OK;
    for (;;) {
        while (rc == BASE_OK && more && engine_ahead_has_room(ahead)) {
            uint32_t first, n;
            rc = next_portion(s, &first, &n, err);
            more = n > 0;
            if (rc == BASE_OK && more) engine_ahead_add(ahead, &s->batch, s->p, first, n);
        }
        engine_portion *portion = rc == BASE_OK ? engine_ahead_take(ahead) : NULL;
        if (portion == NULL) break;
        base_arena *arena = s->retains ? &flow->step_arena : &flow->push_arena;
        rc = take_decoded(flow, s->input, s->p, &portion->batch, portion->first, &portion->decoded,
                          arena, err);
        if (!s->retains) base_arena_reset(arena);
        log_batch batch = portion->batch;
        uint32_t first = portion->first, n = portion->n;
        engine_ahead_done(ahead, s->retains);
        if (rc == BASE_OK) portion_is_done(s, &batch, first, n);
    }
    engine_ahead_drop(ahead);
    return rc;
}

// With little to read nobody else needs to be woken.
static bool is_worth_helpers(const portions *s) {
    return plat_workers_count(engine_flow_workers(s->flow)) > 0 &&
           log_end(s->input->stream->log, s->p) - s->part->next > s->size;
}

static base_rc gather_partition(engine_flow *flow, engine_input *input, uint32_t p,
                                uint64_t *budget, uint64_t *rows, base_error *err) {
    engine_partition *part = &input->partitions[p];
    log_stream *log = input->stream->log;
    uint64_t upto = read_end(flow, input, p);
    if (part->next >= upto) return BASE_OK;
    base_rc rc;
    if (part->reader != NULL && log_reader_offset(part->reader) > part->next) {
        log_reader_close(part->reader); // a bound, since moved, lay within its last batch
        part->reader = NULL;
    }
    if (part->reader == NULL) {
        uint64_t begin = log_begin(log, p);
        if (part->next < begin) part->next = begin; // retention went past us
        if (part->next >= upto) return BASE_OK;
        rc = log_reader_open(log, p, part->next, &part->reader, err);
        if (rc != BASE_OK) return rc;
    }
    portions s = {.flow = flow,
                  .input = input,
                  .part = part,
                  .p = p,
                  .upto = upto,
                  .retains = flow_graph_retains(flow->graph, input->graph_input),
                  .budget = budget,
                  .rows = rows};
    s.size = s.retains ? CHUNK_ROWS_RETAINED : CHUNK_ROWS;
    if (flow->engine->config.batch_rows > 0) s.size = flow->engine->config.batch_rows;
    bool helped = is_worth_helpers(&s);
    if (helped && input->ahead == NULL)
        input->ahead = engine_ahead_create(engine_flow_workers(flow), input);
    rc = helped ? gather_ahead(&s, err) : gather_here(&s, err);
    if (rc == BASE_OK && part->next < upto && *budget == 0) flow->cut_short = true;
    return rc;
}

// ---- views of other flows
// ----------------------------------------------------------------------------

typedef struct snapshot_push {
    engine_flow *flow;
    engine_input *input;
    uint64_t rows;
} snapshot_push;

static base_rc push_upstream(engine_flow *flow, engine_input *input, const col_batch *rows,
                             base_error *err) {
    col_batch *batch = col_batch_project(&flow->step_arena, rows, input->ncolumns, input->columns);
    input->step_rows += batch->nrows;
    return flow_graph_push(flow->graph, input->graph_input, batch, NULL, err);
}

static base_rc push_snapshot_rows(void *arg, const col_batch *rows, base_error *err) {
    snapshot_push *push = arg;
    push->rows += rows->nrows;
    // The scan's scratch is reused: what operators keep for the step must be ours.
    return push_upstream(push->flow, push->input, col_batch_copy(&push->flow->step_arena, rows),
                         err);
}

// The snapshot is later than what is wanted: its changes since are taken back, in the same step.
static base_rc take_back(engine_flow *flow, engine_input *input, uint64_t after, uint64_t upto,
                         uint64_t *rows, base_error *err) {
    for (uint64_t at = after; at < upto;) {
        engine_change change;
        bool found;
        base_rc rc = engine_change_next(flow->engine, input->object, at, &flow->step_arena, &change,
                                        &found, err);
        if (rc != BASE_OK) return rc;
        if (!found || change.step > upto) break;
        at = change.step;
        *rows += change.delta->nrows;
        rc = push_upstream(flow, input, col_batch_negate(&flow->step_arena, change.delta), err);
        if (rc != BASE_OK) return rc;
    }
    return BASE_OK;
}

static base_rc gather_snapshot(engine_flow *flow, engine_input *input,
                               engine_view_snapshot *snapshot, uint64_t upto, uint64_t *rows,
                               base_error *err) {
    snapshot_push push = {flow, input, 0};
    base_rc rc;
    if (snapshot->appended)
        rc = engine_append_scan_upto(input->object, snapshot->rows, snapshot->txn, upto, 65536,
                                     push_snapshot_rows, &push, err);
    else
        rc = engine_view_scan_txn(input->object, false, snapshot->rows, snapshot->txn,
                                  snapshot->final_us, 65536, push_snapshot_rows, &push, err);
    if (rc == BASE_OK && !snapshot->appended && upto < snapshot->step)
        rc = take_back(flow, input, upto, snapshot->step, &push.rows, err);
    if (rc != BASE_OK) return rc;
    input->started = true;
    input->upstream_step = upto;
    input->watermark_us =
        engine_shown_watermark(input->object, snapshot->watermark_us, snapshot->final_us);
    *rows += push.rows + 1; // taking the snapshot is progress even if it is empty
    return BASE_OK;
}

static base_rc gather_upstream(engine_flow *flow, engine_input *input, uint64_t *rows,
                               base_error *err) {
    engine *e = flow->engine;
    if ((*input->upstream)->store == NULL) return BASE_OK; // failed: nothing comes from it now
    engine_view_snapshot snapshot;
    base_rc rc = engine_view_snapshot_open(e, input->object, &snapshot, err);
    if (rc == BASE_E_BUSY) return BASE_OK; // it is being made: its commit wakes us
    if (rc != BASE_OK) return rc;
    uint64_t upto = snapshot.step;
    const engine_bound *bound = engine_bound_of(flow->bounds, input->object->id, 0);
    if (bound != NULL && bound->upto < upto) upto = bound->upto;
    int64_t watermark_us =
        engine_shown_watermark(input->object, snapshot.watermark_us, snapshot.final_us);
    bool take = !input->started;
    if (take) rc = gather_snapshot(flow, input, &snapshot, upto, rows, err);
    flow->retake = !take && snapshot.trimmed_step > input->upstream_step;
    engine_view_snapshot_close(&snapshot);
    if (rc != BASE_OK || take) return rc;
    if (flow->retake)
        return base_fail(err, BASE_E_BUSY, BASE_SQLSTATE_NOT_IN_STATE,
                         "it was made anew after step %llu, which this flow had taken over",
                         (unsigned long long)input->upstream_step);
    while (input->upstream_step < upto) {
        engine_change change;
        bool found;
        rc = engine_change_next(e, input->object, input->upstream_step, &flow->step_arena, &change,
                                &found, err);
        if (rc != BASE_OK) return rc;
        if (!found || change.step > upto) {
            input->upstream_step = upto;
            *rows += 1;
            break;
        }
        rc = push_upstream(flow, input, change.delta, err);
        if (rc != BASE_OK) return rc;
        input->upstream_step = change.step;
        *rows += change.delta->nrows;
    }
    if (watermark_us > input->watermark_us) input->watermark_us = watermark_us;
    return BASE_OK;
}

// Each partition may take its share of the budget, so that none starves the others.
static base_rc gather_input(engine_flow *flow, engine_input *input, uint64_t budget, uint64_t *rows,
                            base_error *err) {
    base_rc rc = BASE_OK;
    if (input->upstream != NULL) rc = gather_upstream(flow, input, rows, err);
    uint64_t share = budget / input->npartitions + 1;
    for (uint32_t p = 0; input->upstream == NULL && rc == BASE_OK && p < input->npartitions; p++) {
        uint64_t left = share;
        rc = gather_partition(flow, input, p, &left, rows, err);
    }
    if (rc != BASE_OK)
        base_error_prefix(err, "flow \"%s\", input \"%s.%s\"", flow->name, input->object->schema,
                          input->object->name);
    return rc;
}

static uint64_t begin_gathering(engine_flow *flow, uint64_t *rows) {
    *rows = 0;
    flow->cut_short = false;
    for (uint32_t i = 0; i < flow->ninputs; i++) {
        engine_input *input = &flow->inputs[i];
        input->step_rows = 0;
        input->step_from = input->upstream_step;
        for (uint32_t p = 0; p < input->npartitions; p++)
            if (input->partitions != NULL)
                input->partitions[p].step_from = input->partitions[p].next;
    }
    if (flow->bounds != NULL && flow->bounds->step_bytes > 0) return flow->bounds->step_bytes;
    return flow->engine->config.step_bytes > 0 ? flow->engine->config.step_bytes
                                               : ENGINE_STEP_BYTES;
}

base_rc engine_inputs_gather_first(engine_flow *flow, const bool *wanted, uint64_t *rows,
                                   base_error *err) {
    uint64_t budget = begin_gathering(flow, rows);
    base_rc rc = BASE_OK;
    for (uint32_t i = 0; rc == BASE_OK && i < flow->ninputs; i++) {
        if (!flow->inputs[i].first || !wanted[i]) continue;
        rc = gather_input(flow, &flow->inputs[i], budget / flow->ninputs, rows, err);
    }
    return rc;
}

base_rc engine_inputs_gather(engine_flow *flow, uint64_t *rows, base_error *err) {
    uint64_t budget = begin_gathering(flow, rows);
    // What others are looked up in comes first; they wait until it has been read to its end.
    for (int first = 1; first >= 0 && !flow->cut_short; first--) {
        for (uint32_t i = 0; i < flow->ninputs; i++) {
            if (flow->inputs[i].first != first) continue;
            base_rc rc = gather_input(flow, &flow->inputs[i], budget / flow->ninputs, rows, err);
            if (rc != BASE_OK) return rc;
        }
    }
    return BASE_OK;
}
