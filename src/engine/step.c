// step.c - the step: the only code that advances a flow. Its stages, in one visible order:
//
//   gather inputs -> fix the clock reading -> push and flush -> stage state, views, changes,
//   ledger, cursors -> commit -> publish -> trim
//
// Invariants: everything a step writes goes into one transaction; nothing outside sees a step
// before its commit; if a stage fails, the transaction is aborted, every cache is dropped and the
// cursors are read back, so that the next step starts from exactly what the store says. Recovery
// after a crash is the same: a flow opens where its last commit left it. Entry point:
// engine_flow_step.

#include <stdio.h>
#include <string.h>

#include "base/be.h"
#include "base/must.h"
#include "engine/history/moment.h"

#define LARGE_STEP_RECORDS 20000u // from here on a commit of pages costs less than a record of rows

// ---- hooks: what operators report
// --------------------------------------------------------------------

// A row that a view's expression cannot be computed for: noted in the flow's quarantine, once for
// each time that it comes. When it is retracted it fails again, but that is no news.
static void on_row_failed(void *self, uint32_t node_id, const col_batch *batch, uint32_t row,
                          const base_error *failure) {
    engine_flow *flow = self;
    if (col_weight(batch, row) <= 0) return;
    base_buf value = {0}, text = {0};
    base_buf_printf(&text, "node %u of a view of flow %s", node_id, flow->name);
    log_headers_add(&value, BASE_STR("sqlstate"), base_str_of(failure->sqlstate));
    log_headers_add(&value, BASE_STR("cause"), base_str_of(failure->message));
    log_headers_add(&value, BASE_STR("field"), base_buf_str(&text));
    base_buf_clear(&text);
    base_buf_printf(&text, "%lld", (long long)flow->now_us);
    log_headers_add(&value, BASE_STR("at"), base_buf_str(&text));
    base_buf_clear(&text);
    base_buf_add_byte(&text, '[');
    for (uint32_t i = 0; i < batch->ncols; i++) {
        if (i > 0) base_buf_add_byte(&text, ',');
        if (col_is_null(&batch->cols[i], row))
            base_buf_add_cstr(&text, "null");
        else
            col_json_format(&batch->cols[i], row, &text);
    }
    base_buf_add_byte(&text, ']');
    log_headers_add(&value, BASE_STR("raw"), base_buf_str(&text));
    base_buf key = {0};
    base_buf_add_u32be(&key,
                       UINT32_MAX); // after the places in logs, whose keys begin with object ids
    base_buf_add_u32be(&key, node_id);
    base_buf_add_u64be(&key, flow->step + 1);
    base_buf_add_u32be(&key, flow->quarantine_seq++);
    base_error err;
    // A failure to note the row fails the commit that follows just as well; no other answer here.
    if (state_put(flow->txn, flow->t_quarantine, base_buf_str(&key), base_buf_str(&value), &err) !=
        BASE_OK)
        engine_say(flow->engine, ENGINE_ERROR, "flow %s: a failed row could not be noted: %s",
                   flow->name, err.message);
    atomic_fetch_add(&flow->faults, 1);
    base_buf_deinit(&text);
    base_buf_deinit(&key);
    base_buf_deinit(&value);
}

static void on_duplicate(void *self, const plan_object *object, uint32_t partition, uint64_t offset,
                         uint32_t original_partition, uint64_t original_offset) {
    engine_flow *flow = self;
    for (uint32_t i = 0; i < flow->ninputs; i++) {
        engine_input *input = &flow->inputs[i];
        if (input->object->id == object->id && partition < input->npartitions)
            input->partitions[partition].duplicates++;
    }
    if (flow->duplicates_seen == NULL)
        flow->duplicates_seen =
            base_arena_array(&flow->step_arena, engine_duplicate, ENGINE_DUPLICATES_STEP);
    flow->duplicates_seen[flow->nduplicates_seen++ % ENGINE_DUPLICATES_STEP] = (engine_duplicate){
        object->id, partition, original_partition, 0, offset, original_offset, flow->now_us};
}

// The duplicates of the step become rows of "engine.duplicate", key: a running number; the oldest
// rows go.
static base_rc stage_duplicates(engine_flow *flow, base_error *err) {
    uint64_t n = flow->nduplicates_seen;
    if (n == 0) return BASE_OK;
    char bytes[8];
    base_str key, value;
    base_rc rc = BASE_OK;
    if (flow->duplicate_seq == 0) {
        state_cursor *cursor;
        bool end;
        rc = state_cursor_open(flow->txn, flow->t_duplicate, &cursor, err);
        if (rc != BASE_OK) return rc;
        rc = state_cursor_last(cursor, &key, &value, &end, err);
        flow->duplicate_seq = 1;
        for (size_t i = 0; rc == BASE_OK && !end && key.n == 8 && i < 8; i++)
            flow->duplicate_seq = (i == 0 ? 0 : flow->duplicate_seq) << 8 | (uint8_t)key.p[i];
        if (rc == BASE_OK && !end) flow->duplicate_seq++;
        state_cursor_close(cursor);
    }
    uint64_t first = n > ENGINE_DUPLICATES_STEP ? n - ENGINE_DUPLICATES_STEP : 0;
    for (uint64_t i = first; rc == BASE_OK && i < n; i++) {
        uint64_t seq = flow->duplicate_seq++;
        base_be_put(bytes, seq, 8);
        value = (base_str){(char *)&flow->duplicates_seen[i % ENGINE_DUPLICATES_STEP],
                           sizeof(engine_duplicate)};
        rc = state_append(flow->txn, flow->t_duplicate, (base_str){bytes, 8}, value, err);
    }
    if (rc != BASE_OK || flow->duplicate_seq <= ENGINE_DUPLICATES_KEPT + 1) return rc;
    uint64_t keep = flow->duplicate_seq - ENGINE_DUPLICATES_KEPT, deleted;
    base_be_put(bytes, keep, 8);
    return state_delete_range(flow->txn, flow->t_duplicate, (base_str){NULL, 0},
                              (base_str){bytes, 8}, &deleted, err);
}

// ---- stages
// ------------------------------------------------------------------------------------------

static void fix_clock(engine_flow *flow) {
    int64_t wall = flow->bounds != NULL ? flow->bounds->now_us : plat_wall_us(flow->engine->plat);
    // A wall clock that jumps back does not take the flow's time back.
    if (wall > flow->now_us) flow->now_us = wall;
}

static int64_t low_watermark(const engine_flow *flow) {
    int64_t low = INT64_MAX;
    for (uint32_t i = 0; i < flow->ninputs; i++) {
        const engine_input *input = &flow->inputs[i];
        if (input->stream == NULL || input->contract->watermark == NULL) continue;
        if (input->watermark_us < low) low = input->watermark_us;
    }
    return low == INT64_MAX ? ENGINE_NO_WATERMARK : low;
}

static base_rc stage_views(engine_flow *flow, base_error *err) {
    for (uint32_t i = 0; i < flow->nviews; i++) {
        engine_view *view = &flow->views[i];
        base_rc rc = engine_view_apply(flow, view, err);
        if (rc == BASE_OK) rc = engine_view_trim(flow, view, err);
        if (rc == BASE_OK) rc = engine_view_save(flow, view, err);
        if (rc != BASE_OK) return rc;
    }
    return BASE_OK;
}

static base_rc stage_flow(engine_flow *flow, base_error *err) {
    engine_flow_row row = {flow->step + 1, flow->now_us};
    base_rc rc = stage_duplicates(flow, err);
    if (rc == BASE_OK) rc = engine_moment_stage(flow, err);
    if (rc == BASE_OK) rc = engine_moments_trim(flow, err);
    if (rc == BASE_OK) rc = engine_closing_save(flow, err);
    if (rc != BASE_OK) return rc;
    return state_put(flow->txn, flow->t_flow, BASE_STR("step"),
                     (base_str){(const char *)&row, sizeof row}, err);
}

typedef base_rc (*gather_stage)(engine_flow *flow, void *arg, uint64_t *rows, base_error *err);

static base_rc gather_inputs(engine_flow *flow, void *arg, uint64_t *rows, base_error *err) {
    (void)arg;
    return engine_inputs_gather(flow, rows, err);
}

static base_rc run_stages(engine_flow *flow, gather_stage gather, void *arg, uint64_t *rows,
                          base_error *err) {
    static const char *const stage_names[] = {"gather",          "flush",         "stage views",
                                              "stage operators", "stage cursors", "stage step"};
    base_rc rc = gather(flow, arg, rows, err);
    int stage = 0;
    if (rc == BASE_OK) {
        engine_closing_move(flow);
        engine_inputs_watermarks(flow);
        flow->ctx.low_watermark_us = low_watermark(flow);
        for (uint32_t i = 0; i < flow->nviews; i++)
            flow_graph_set_watermark(flow->graph, flow->views[i].object->id,
                                     engine_view_final_us(flow, &flow->views[i]));
        for (uint32_t i = 0; i < flow->ninputs; i++)
            flow_graph_set_frontier(flow->graph, flow->inputs[i].graph_input,
                                    engine_frontier(&flow->inputs[i]));
        stage = 1;
        rc = flow_graph_flush(flow->graph, err);
    }
    if (rc == BASE_OK) stage = 2, rc = stage_views(flow, err);
    if (rc == BASE_OK) stage = 3, rc = flow_graph_save(flow->graph, err);
    if (rc == BASE_OK) stage = 4, rc = engine_inputs_save(flow, err);
    if (rc == BASE_OK) stage = 5, rc = stage_flow(flow, err);
    if (rc != BASE_OK)
        base_error_prefix(err, "flow %s, step %llu (%s)", flow->name,
                          (unsigned long long)(flow->step + 1), stage_names[stage]);
    return rc;
}

static void count_step(engine_flow *flow, uint64_t rows, uint64_t step_ns, uint64_t commit_ns) {
    atomic_fetch_add(&flow->rows_in, rows);
    atomic_fetch_add(&flow->steps, 1);
    atomic_fetch_add(&flow->step_ns_total, step_ns);
    atomic_fetch_add(&flow->commit_ns_total, commit_ns);
    unsigned bucket = 0;
    for (uint64_t us = step_ns / 1000; us > 0 && bucket < 39; us >>= 1) bucket++;
    atomic_fetch_add(&flow->step_ns_buckets[bucket], 1);
}

static void publish_counts(engine_flow *flow) {
    uint64_t late = 0, duplicates = 0;
    for (uint32_t i = 0; i < flow->ninputs; i++) {
        for (uint32_t p = 0; p < flow->inputs[i].npartitions; p++) {
            late += flow->inputs[i].partitions[p].late;
            duplicates += flow->inputs[i].partitions[p].duplicates;
        }
    }
    atomic_store(&flow->late, late);
    atomic_store(&flow->duplicates, duplicates);
}

static void publish(engine_flow *flow) {
    flow->step++;
    flow->initial = false;
    flow->finish = false;
    for (uint32_t i = 0; i < flow->nviews; i++) {
        flow->views[i].is_new = false;
        flow->views[i].final_before_us = engine_view_final_us(flow, &flow->views[i]);
    }
    publish_counts(flow);
    atomic_store(&flow->committed_us, flow->now_us);
    atomic_store(&flow->committed_step, flow->step);
}

// After a failed step: back to what the store says. A commit may have failed after its data was in
// place, so not even the step number is known until it is read back.
static void roll_back(engine_flow *flow) {
    flow_graph_reset(flow->graph);
    flow->duplicate_seq = 0;
    flow->reload = true; // before the next step; the store may not be readable just now
}

// Whether a step will write much: one that fills a view or catches up.
static bool step_is_large(const engine_flow *flow, gather_stage gather) {
    if (flow->small_step) return false;
    if (gather != gather_inputs || flow->initial) return true;
    uint64_t records = 0;
    for (uint32_t i = 0; i < flow->ninputs; i++) {
        const engine_input *input = &flow->inputs[i];
        for (uint32_t p = 0; input->stream != NULL && p < input->npartitions; p++) {
            uint64_t end = log_end(input->stream->log, p), next = input->partitions[p].next;
            if (end > next) records += end - next;
        }
    }
    return records > LARGE_STEP_RECORDS;
}

static base_rc begin_step(engine_flow *flow, gather_stage gather, base_error *err) {
    return step_is_large(flow, gather) ? state_begin_write_large(flow->store, &flow->txn, err)
                                       : state_begin_write(flow->store, &flow->txn, err);
}

base_rc engine_step_with(engine_flow *flow, gather_stage gather, void *arg, bool *progressed,
                         base_error *err) {
    *progressed = false;
    uint64_t begin_ns = plat_monotonic_ns(flow->engine->plat);
    base_arena_reset(&flow->step_arena);
    base_rc rc = engine_flow_reserve_step(flow, err);
    if (rc == BASE_OK) rc = begin_step(flow, gather, err);
    if (rc != BASE_OK) {
        base_error_prefix(err, "flow %s", flow->name);
        return rc;
    }
    int64_t before_us = flow->now_us;
    fix_clock(flow);
    flow_hooks hooks = {flow, on_row_failed, on_duplicate, engine_input_unmatched};
    flow->ctx = (flow_ctx){.arena = &flow->step_arena,
                           .step_arena = &flow->step_arena,
                           .txn = flow->txn,
                           .step = flow->step + 1,
                           .now_us = flow->now_us,
                           .low_watermark_us = ENGINE_NO_WATERMARK,
                           .hooks = &hooks,
                           .workers = engine_flow_workers(flow)};
    flow->quarantine_seq = 0;
    flow->duplicates_seen = NULL;
    flow->nduplicates_seen = 0;
    flow->step_origins = (engine_origins){0};
    flow_graph_begin(flow->graph, &flow->ctx);
    uint64_t rows = 0, commit_ns = 0;
    rc = run_stages(flow, gather, arg, &rows, err);
    if (rc == BASE_OK) {
        uint64_t at_ns = plat_monotonic_ns(flow->engine->plat);
        rc = state_commit(flow->txn, err);
        commit_ns = plat_monotonic_ns(flow->engine->plat) - at_ns;
        if (rc != BASE_OK)
            base_error_prefix(err, "flow %s, commit of step %llu", flow->name,
                              (unsigned long long)(flow->step + 1));
    } else {
        state_abort(flow->txn);
    }
    flow->txn = NULL;
    engine_inputs_release(flow);
    if (rc != BASE_OK) {
        flow->now_us = before_us;
        roll_back(flow);
        return rc;
    }
    flow_graph_end(flow->graph);
    publish(flow);
    count_step(flow, rows, plat_monotonic_ns(flow->engine->plat) - begin_ns, commit_ns);
    *progressed = true;
    return BASE_OK;
}

// The log may have lost its end (a damaged tail, a missing file) while this flow has read it. New
// records must not get the offsets of the lost ones: the flow would take them for read.
static base_rc keep_offsets_apart(engine_flow *flow, base_error *err) {
    for (uint32_t i = 0; i < flow->ninputs; i++) {
        const engine_input *input = &flow->inputs[i];
        for (uint32_t p = 0; input->stream != NULL && p < input->npartitions; p++) {
            uint64_t end = log_end(input->stream->log, p), next = input->partitions[p].next;
            if (next <= end) continue;
            engine_say(flow->engine, ENGINE_ERROR,
                       "the log of %s.%s, partition %u, ends at offset %llu, but flow %s has read "
                       "up to %llu: acknowledged records were lost from the log. They stay in the "
                       "flow's views; new records begin at offset %llu",
                       input->object->schema, input->object->name, p, (unsigned long long)end,
                       flow->name, (unsigned long long)next, (unsigned long long)next);
            base_rc rc = log_skip_to(input->stream->log, p, next, err);
            if (rc != BASE_OK) return rc;
        }
    }
    return BASE_OK;
}

static base_rc reload(engine_flow *flow, base_error *err) {
    state_txn *txn;
    base_rc rc = state_begin_read(flow->store, &txn, err);
    if (rc != BASE_OK) return rc;
    base_str value;
    bool found;
    rc = state_get(txn, flow->t_flow, BASE_STR("step"), &value, &found, err);
    if (rc == BASE_OK && found && value.n == sizeof(engine_flow_row)) {
        engine_flow_row row;
        memcpy(&row, value.p, sizeof row);
        flow->step = row.step;
        if (row.now_us > flow->now_us) flow->now_us = row.now_us;
    }
    if (rc == BASE_OK) flow->closed_us = engine_closed_us(flow, txn);
    if (rc == BASE_OK) rc = engine_inputs_load(flow, txn, err);
    if (rc == BASE_OK) rc = keep_offsets_apart(flow, err);
    flow->initial = false;
    for (uint32_t i = 0; rc == BASE_OK && i < flow->nviews; i++) {
        rc = engine_view_load(flow, &flow->views[i], txn, err);
        if (flow->views[i].is_new) flow->initial = true;
    }
    if (rc == BASE_OK) rc = engine_moment_load(flow, txn, err);
    state_abort(txn);
    if (rc != BASE_OK) return rc;
    flow->reload = false;
    publish_counts(flow);
    atomic_store(&flow->committed_step, flow->step);
    atomic_store(&flow->committed_us, flow->now_us);
    return BASE_OK;
}

base_rc engine_flow_reload(engine_flow *flow, base_error *err) {
    base_rc rc = reload(flow, err);
    if (rc != BASE_OK) base_error_prefix(err, "flow %s", flow->name);
    return rc;
}

int64_t engine_flow_due_us(engine_flow *flow) {
    bool steps = flow->graph != NULL && flow->nviews > 0;
    int64_t graph_us = steps ? flow_graph_due_us(flow->graph) : INT64_MAX;
    int64_t closing_us = steps ? engine_closing_due_us(flow) : INT64_MAX;
    return graph_us < closing_us ? graph_us : closing_us;
}

// Whether time alone changes a view. The clock that counts is the one that a step would fix.
static bool is_due(engine_flow *flow) {
    int64_t wall = plat_wall_us(flow->engine->plat);
    return engine_flow_due_us(flow) <= (wall > flow->now_us ? wall : flow->now_us);
}

static base_rc step_once(engine_flow *flow, bool *progressed, base_error *err) {
    base_rc rc = BASE_OK;
    if ((flow->broken || flow->retake) && flow->nwanted > 0) rc = engine_flow_mend(flow, err);
    if (rc == BASE_OK && flow->reload) rc = engine_flow_reload(flow, err);
    if (rc == BASE_OK && flow->graph != NULL && flow->nviews > 0 &&
        (engine_inputs_ready(flow) || is_due(flow)))
        rc = engine_step_with(flow, gather_inputs, NULL, progressed, err);
    return rc;
}

base_rc engine_flow_step(engine_flow *flow, bool *progressed, base_error *err) {
    *progressed = false;
    plat_mutex_lock(&flow->lock);
    base_rc rc = step_once(flow, progressed, err);
    // A view of another flow was made anew: those that read it are, and the step is taken then.
    if (rc != BASE_OK && flow->retake) rc = step_once(flow, progressed, err);
    if (rc == BASE_OK) engine_inputs_publish(flow);
    // What came during the step is for the next beat if the flow keeps one; or a flow with a long
    // interval would step on and on under load.
    flow->backlog = rc == BASE_OK && *progressed &&
                    (flow->refresh_us > 0 ? flow->cut_short : engine_inputs_ready(flow));
    flow->time_due_us = engine_flow_due_us(flow);
    plat_mutex_unlock(&flow->lock);
    if (*progressed) engine_notify_commit(flow);
    return rc;
}
