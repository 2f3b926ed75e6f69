// metrics.c - what Prometheus asks: counters of streams, flows, views and sinks, as text exposition
// format 0.0.4. Each family is written as a whole (the format wants it so), so the walk over flows
// or objects repeats for each. Entry point: engine_metrics.

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "engine/recon/remedy.h"
#include "engine/system_int.h"

static void family(base_buf *buf, const char *name, const char *type, const char *help) {
    base_buf_printf(buf, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void label(base_buf *buf, const char *key, const char *value) {
    base_buf_printf(buf, "%s=\"", key);
    for (const char *p = value; *p != 0; p++) {
        if (*p == '\\' || *p == '"') base_buf_add_byte(buf, '\\');
        if (*p == '\n')
            base_buf_add_cstr(buf, "\\n");
        else
            base_buf_add_byte(buf, (uint8_t)*p);
    }
    base_buf_add_byte(buf, '"');
}

static void object_label(base_buf *buf, const char *key, const plan_object *object) {
    base_buf name = {0};
    base_buf_printf(&name, "%s.%s", object->schema, object->name);
    label(buf, key, base_buf_cstr(&name));
    base_buf_deinit(&name);
}

static double unix_seconds(int64_t us) {
    return ((double)us + (double)BASE_UNIX_EPOCH_US) / 1e6;
}

// ---- flows --------------------------------------------------------------------------------------

typedef struct flow_facts {
    const engine_flow *flow;
    int64_t lag_us;
    bool failing;
} flow_facts;

static uint32_t take_flows(engine *e, flow_facts *out) {
    int64_t now_us = plat_wall_us(e->plat);
    plat_mutex_lock(&e->flows_lock);
    uint32_t n = e->nflows;
    for (uint32_t i = 0; i < n; i++) {
        int64_t since_us = e->flows[i]->pending_since_us;
        out[i] =
            (flow_facts){e->flows[i], since_us > 0 && now_us > since_us ? now_us - since_us : 0,
                         e->flows[i]->error.code != BASE_OK};
    }
    plat_mutex_unlock(&e->flows_lock);
    return n;
}

static void flow_value(base_buf *buf, const char *name, const engine_flow *flow, double value) {
    base_buf_printf(buf, "%s{", name);
    label(buf, "flow", flow->name);
    base_buf_printf(buf, "} %.17g\n", value);
}

static void step_histogram(base_buf *buf, const engine_flow *flow) {
    uint64_t seen = 0;
    for (unsigned b = 0; b < 40; b++) {
        seen += atomic_load(&flow->step_ns_buckets[b]);
        if (b < 4 || b > 26) continue; // 16 us to 67 s
        base_buf_add_cstr(buf, "weir_flow_step_seconds_bucket{");
        label(buf, "flow", flow->name);
        base_buf_printf(buf, ",le=\"%.9g\"} %llu\n", (double)(1ull << b) / 1e6,
                        (unsigned long long)seen);
    }
    base_buf_add_cstr(buf, "weir_flow_step_seconds_bucket{");
    label(buf, "flow", flow->name);
    base_buf_printf(buf, ",le=\"+Inf\"} %llu\n", (unsigned long long)seen);
    flow_value(buf, "weir_flow_step_seconds_sum", flow,
               (double)atomic_load(&flow->step_ns_total) / 1e9);
    flow_value(buf, "weir_flow_step_seconds_count", flow, (double)seen);
}

typedef struct flow_counter {
    const char *name, *type, *help;
    size_t offset;
    double unit;
} flow_counter;

static void flow_metrics(engine *e, base_buf *buf) {
    static const flow_counter counters[] = {
        {"weir_flow_step", "gauge", "Number of the last committed step.",
         offsetof(engine_flow, committed_step), 1},
        {"weir_flow_rows_total", "counter", "Rows that steps have read since the start.",
         offsetof(engine_flow, rows_in), 1},
        {"weir_flow_commit_seconds_total", "counter", "Time spent in commits.",
         offsetof(engine_flow, commit_ns_total), 1e-9},
        {"weir_flow_duplicates_total", "counter", "Duplicates by business key.",
         offsetof(engine_flow, duplicates), 1},
        {"weir_flow_late_total", "counter", "Events below their partition's watermark.",
         offsetof(engine_flow, late), 1},
        {"weir_flow_faults_total", "counter", "Rows that an expression failed for.",
         offsetof(engine_flow, faults), 1},
    };
    flow_facts *flows = calloc(ENGINE_FLOWS_MAX, sizeof *flows);
    must(flows != NULL);
    uint32_t n = take_flows(e, flows);
    for (size_t c = 0; c < sizeof counters / sizeof *counters; c++) {
        family(buf, counters[c].name, counters[c].type, counters[c].help);
        for (uint32_t i = 0; i < n; i++) {
            const void *at = (const char *)flows[i].flow + counters[c].offset;
            flow_value(buf, counters[c].name, flows[i].flow,
                       (double)atomic_load((const atomic_uint_fast64_t *)at) * counters[c].unit);
        }
    }
    family(buf, "weir_flow_step_seconds", "histogram", "Time of a step, commit included.");
    for (uint32_t i = 0; i < n; i++) step_histogram(buf, flows[i].flow);
    family(buf, "weir_flow_lag_seconds", "gauge", "How long the oldest unread record has waited.");
    for (uint32_t i = 0; i < n; i++)
        flow_value(buf, "weir_flow_lag_seconds", flows[i].flow, (double)flows[i].lag_us / 1e6);
    family(buf, "weir_flow_failing", "gauge",
           "1 while the flow's last step failed, or its store cannot be opened.");
    for (uint32_t i = 0; i < n; i++)
        flow_value(buf, "weir_flow_failing", flows[i].flow, flows[i].failing);
    family(buf, "weir_flow_last_commit_timestamp_seconds", "gauge",
           "When the last step committed.");
    for (uint32_t i = 0; i < n; i++)
        flow_value(buf, "weir_flow_last_commit_timestamp_seconds", flows[i].flow,
                   unix_seconds(atomic_load(&flows[i].flow->committed_us)));
    family(buf, "weir_state_bytes", "gauge", "Bytes of a flow's store in use.");
    for (uint32_t i = 0; i < n; i++) {
        state_stats stats;
        if (flows[i].flow->store == NULL) continue; // not known
        state_store_stats(flows[i].flow->store, &stats);
        flow_value(buf, "weir_state_bytes", flows[i].flow, (double)stats.bytes_used);
    }
    free(flows);
}

// ---- streams, views, sinks ----------------------------------------------------------------------

typedef struct object_list {
    const plan_object **objects;
    uint32_t n;
} object_list;

static void collect(void *arg, const plan_object *object) {
    object_list *list = arg;
    if (object->kind == PLAN_OBJECT_SYSTEM) return;
    if ((list->n & (list->n - 1)) == 0) { // full at powers of two
        uint32_t cap = list->n == 0 ? 1 : list->n * 2;
        list->objects = realloc(list->objects, cap * sizeof(plan_object *));
        must(list->objects != NULL);
    }
    list->objects[list->n++] = object;
}

static void object_value(base_buf *buf, const char *name, const char *key,
                         const plan_object *object, double value) {
    base_buf_printf(buf, "%s{", name);
    object_label(buf, key, object);
    base_buf_printf(buf, "} %.17g\n", value);
}

static void stream_metrics(engine *e, const object_list *list, base_buf *buf) {
    static const struct {
        const char *name, *type, *help;
    } families[] = {
        {"weir_stream_records_total", "counter", "Records ever acknowledged."},
        {"weir_stream_retained_records", "gauge", "Records in the log now."},
        {"weir_stream_bytes", "gauge", "Bytes of the log on disk."},
        {"weir_stream_quarantined_total", "counter", "Records refused by the contract."},
    };
    for (size_t f = 0; f < sizeof families / sizeof *families; f++) {
        family(buf, families[f].name, families[f].type, families[f].help);
        for (uint32_t i = 0; i < list->n; i++) {
            engine_stream *stream = engine_stream_hold(e, list->objects[i]);
            if (stream == NULL) continue;
            uint64_t values[4] = {0};
            for (uint32_t p = 0; p < log_stream_partitions(stream->log); p++) {
                values[0] += log_end(stream->log, p);
                values[1] += log_end(stream->log, p) - log_begin(stream->log, p);
                values[2] += log_bytes(stream->log, p);
            }
            plat_mutex_lock(&stream->lock);
            if (stream->quarantine != NULL) values[3] = log_end(stream->quarantine, 0);
            plat_mutex_unlock(&stream->lock);
            engine_stream_release(stream);
            object_value(buf, families[f].name, "stream", list->objects[i], (double)values[f]);
        }
    }
}

typedef struct view_facts {
    const plan_object *object;
    engine_standing standing;
    uint64_t rows, corrections;
} view_facts;

static uint32_t take_views(engine *e, const object_list *list, view_facts *out) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < list->n; i++) {
        if (list->objects[i]->kind != PLAN_OBJECT_VIEW) continue;
        base_error err;
        engine_view_snapshot snapshot;
        view_facts facts = {.object = list->objects[i]};
        if (engine_view_standing(e, facts.object, &facts.standing, &err) != BASE_OK) continue;
        if (engine_view_snapshot_open(e, facts.object, &snapshot, &err) != BASE_OK) continue;
        facts.rows = snapshot.nrows;
        facts.corrections = snapshot.corrections;
        engine_view_snapshot_close(&snapshot);
        out[n++] = facts;
    }
    return n;
}

static void view_metrics(engine *e, const object_list *list, base_buf *buf) {
    view_facts *views = calloc(list->n + 1, sizeof *views);
    must(views != NULL);
    uint32_t n = take_views(e, list, views);
    family(buf, "weir_view_rows", "gauge", "Rows of the view.");
    for (uint32_t i = 0; i < n; i++)
        object_value(buf, "weir_view_rows", "view", views[i].object, (double)views[i].rows);
    family(buf, "weir_view_corrections_total", "counter", "Changes to rows that were final.");
    for (uint32_t i = 0; i < n; i++)
        object_value(buf, "weir_view_corrections_total", "view", views[i].object,
                     (double)views[i].corrections);
    family(buf, "weir_view_lag_seconds", "gauge", "Wait of the oldest record not yet in the view.");
    for (uint32_t i = 0; i < n; i++)
        object_value(buf, "weir_view_lag_seconds", "view", views[i].object,
                     (double)views[i].standing.lag_us / 1e6);
    family(buf, "weir_view_fresh", "gauge", "1 if the view is within its freshness objective.");
    for (uint32_t i = 0; i < n; i++)
        object_value(buf, "weir_view_fresh", "view", views[i].object, views[i].standing.fresh);
    family(buf, "weir_view_watermark_timestamp_seconds", "gauge", "Event time known complete.");
    for (uint32_t i = 0; i < n; i++) {
        int64_t us = views[i].standing.watermark_us;
        if (us == ENGINE_NO_WATERMARK || us == ENGINE_END_OF_TIME) continue;
        object_value(buf, "weir_view_watermark_timestamp_seconds", "view", views[i].object,
                     unix_seconds(us));
    }
    free(views);
}

typedef struct sink_facts {
    const plan_object *object;
    engine_sink_status status;
    engine_sink_lag lag;
} sink_facts;

static double sink_value(const sink_facts *sink, size_t family) {
    switch (family) {
    case 0:
        return (double)sink->status.delivered;
    case 1:
        return (double)sink->status.failed;
    case 2:
        return (double)sink->lag.steps;
    case 3:
        return (double)sink->lag.rows;
    case 4:
        return (double)sink->lag.bytes;
    case 5:
        return (double)sink->lag.us / 1e6;
    case 6:
        return sink->lag.state == ENGINE_SINK_EXTENDED;
    case 7:
        return sink->lag.state == ENGINE_SINK_UNRESERVED;
    default:
        return sink->lag.state == ENGINE_SINK_LOST;
    }
}

static void sink_metrics(engine *e, const object_list *list, base_buf *buf) {
    static const struct {
        const char *name, *type, *help;
    } families[] = {
        {"weir_sink_delivered_total", "counter", "Rows delivered."},
        {"weir_sink_failed_total", "counter", "Deliveries that failed."},
        {"weir_sink_behind_steps", "gauge", "Steps with changes not yet delivered."},
        {"weir_sink_behind_rows", "gauge", "Changed rows not yet delivered."},
        {"weir_sink_behind_bytes", "gauge", "Bytes of changes not yet delivered."},
        {"weir_sink_behind_seconds", "gauge", "Age of the oldest change not yet delivered."},
        {"weir_sink_extended", "gauge", "1 if changes are kept longer for the sink's sake."},
        {"weir_sink_unreserved", "gauge", "1 if a limit of what is kept for the sink is passed."},
        {"weir_sink_lost", "gauge", "1 if changes not delivered are gone; the sink has stopped."},
    };
    sink_facts *sinks = calloc(list->n + 1, sizeof *sinks);
    must(sinks != NULL);
    uint32_t n = 0;
    for (uint32_t i = 0; i < list->n; i++) {
        if (list->objects[i]->kind != PLAN_OBJECT_SINK) continue;
        sink_facts *sink = &sinks[n];
        uint64_t step;
        base_error err;
        sink->object = list->objects[i];
        if (engine_sink_status_of(e, sink->object, &step, &sink->status, &err) == BASE_OK &&
            engine_sink_lag_of(e, sink->object, &sink->lag, &err) == BASE_OK)
            n++;
    }
    for (size_t f = 0; f < sizeof families / sizeof *families; f++) {
        family(buf, families[f].name, families[f].type, families[f].help);
        for (uint32_t i = 0; i < n; i++)
            object_value(buf, families[f].name, "sink", sinks[i].object, sink_value(&sinks[i], f));
    }
    free(sinks);
}

// Of each reconciliation's last run, from the columns of weir.reconciliations.
static void recon_metrics(engine *e, base_buf *buf) {
    enum { SCHEMA = 0, NAME = 1, RUN = 8, STARTED = 9, ERROR = 16 };
    static const struct {
        const char *name, *type, *help;
        uint32_t column;
    } families[] = {
        {"weir_reconciliation_runs_total", "counter", "Runs, also those that failed.", RUN},
        {"weir_reconciliation_started_timestamp_seconds", "gauge", "When the last run began.",
         STARTED},
        {"weir_reconciliation_failed", "gauge", "1 if the last run failed.", ERROR},
        {"weir_reconciliation_matched", "gauge", "Keys that agree, in the last run.", 11},
        {"weir_reconciliation_missing", "gauge", "Keys in the book alone.", 12},
        {"weir_reconciliation_unexpected", "gauge", "Keys in weir alone.", 13},
        {"weir_reconciliation_differing", "gauge", "Keys whose values differ.", 14},
        {"weir_reconciliation_duplicate", "gauge", "Keys that are not single.", 15},
        {"weir_reconciliation_pending", "gauge", "Keys that have to be seen again.", 19},
    };
    base_arena arena;
    base_arena_init(&arena, 1 << 14);
    const col_batch *rows = NULL;
    base_error err;
    uint32_t n = engine_recon_rows(e, &arena, &rows, &err) == BASE_OK ? rows->nrows : 0;
    for (size_t f = 0; n > 0 && f < sizeof families / sizeof *families; f++) {
        uint32_t column = families[f].column;
        family(buf, families[f].name, families[f].type, families[f].help);
        for (uint32_t i = 0; i < n; i++) {
            const col_vec *vec = &rows->cols[column];
            bool is_null = col_is_null(vec, i);
            if (col_is_null(&rows->cols[RUN], i) || (is_null && column != ERROR)) continue;
            plan_object named = {.schema =
                                     base_arena_memdup(&arena, col_str(&rows->cols[SCHEMA])[i].p,
                                                       col_str(&rows->cols[SCHEMA])[i].n),
                                 .name = base_arena_memdup(&arena, col_str(&rows->cols[NAME])[i].p,
                                                           col_str(&rows->cols[NAME])[i].n)};
            object_value(buf, families[f].name, "reconciliation", &named,
                         column == ERROR     ? !is_null
                         : column == STARTED ? unix_seconds(col_i64(vec)[i])
                                             : (double)col_i64(vec)[i]);
        }
    }
    base_arena_deinit(&arena);
}

// ---- remedies -----------------------------------------------------------------------------------

typedef struct remedy_facts {
    const plan_object *object;
    engine_recon_counts counts;
    engine_remedy_plan plan; // of the newest run that has one; state 0: none
    int64_t due_us;
    bool due_known;
} remedy_facts;

static void labelled(base_buf *buf, const char *name, const plan_object *object, const char *key,
                     const char *value, double number) {
    base_buf_printf(buf, "%s{", name);
    object_label(buf, "reconciliation", object);
    base_buf_add_byte(buf, ',');
    label(buf, key, value);
    base_buf_printf(buf, "} %.17g\n", number);
}

// Since the start: counters.
static void remedy_counters(const remedy_facts *facts, uint32_t n, base_buf *buf) {
    static const engine_remedy_state states[] = {ENGINE_REMEDY_WAITING, ENGINE_REMEDY_APPROVED,
                                                 ENGINE_REMEDY_APPLIED, ENGINE_REMEDY_REJECTED,
                                                 ENGINE_REMEDY_SUPERSEDED};
    static const char *const actions[] = {"appended", "retracted", "refused"};
    family(buf, "weir_reconciliation_failed_runs_total", "counter", "Runs that failed.");
    for (uint32_t i = 0; i < n; i++)
        object_value(buf, "weir_reconciliation_failed_runs_total", "reconciliation",
                     facts[i].object, (double)facts[i].counts.failed);
    family(buf, "weir_reconciliation_remedies_total", "counter",
           "Remedies by what became of them.");
    for (uint32_t i = 0; i < n; i++)
        for (size_t s = 0; s < sizeof states / sizeof *states; s++)
            labelled(buf, "weir_reconciliation_remedies_total", facts[i].object, "state",
                     engine_remedy_state_name(states[s]),
                     (double)facts[i].counts.remedies[states[s]]);
    family(buf, "weir_reconciliation_actions_total", "counter", "Records of remedies.");
    for (uint32_t i = 0; i < n; i++) {
        const engine_recon_counts *counts = &facts[i].counts;
        const uint64_t numbers[] = {counts->appended, counts->retracted, counts->refused};
        for (size_t k = 0; k < 3; k++)
            labelled(buf, "weir_reconciliation_actions_total", facts[i].object, "action",
                     actions[k], (double)numbers[k]);
    }
}

// As it is now: of the newest remedy, and of the schedule. NAN: nothing to say.
static double remedy_value(const remedy_facts *facts, size_t family) {
    const engine_remedy_plan *plan = &facts->plan;
    bool waits = plan->state == ENGINE_REMEDY_WAITING;
    switch (family) {
    case 0:
        return waits;
    case 1:
        return waits ? (double)plan->keys : 0;
    case 2:
        return plan->state == ENGINE_REMEDY_APPROVED || plan->state == ENGINE_REMEDY_APPENDED;
    case 3:
        return (double)plan->unresolved;
    case 4:
        return facts->counts.run_us > 0 ? (double)facts->counts.run_us / 1e6 : NAN;
    default:
        return facts->due_known ? unix_seconds(facts->due_us) : NAN;
    }
}

static void remedy_metrics(engine *e, const object_list *list, base_buf *buf) {
    static const struct {
        const char *name, *help;
        bool acts; // of those that act only
    } families[] = {
        {"weir_reconciliation_remedy_waiting", "1 while a remedy waits for a person.", true},
        {"weir_reconciliation_remedy_waiting_keys", "Findings that it would act on.", true},
        {"weir_reconciliation_remedy_unfinished", "1 while one is not in every view yet.", true},
        {"weir_reconciliation_remedy_unresolved", "Findings that nothing is done about.", true},
        {"weir_reconciliation_run_seconds", "Duration of the last run since the start.", false},
        {"weir_reconciliation_due_timestamp_seconds", "When it is due again by EVERY.", false},
    };
    remedy_facts *facts = calloc(list->n + 1, sizeof *facts);
    must(facts != NULL);
    base_arena arena;
    base_arena_init(&arena, 1 << 14);
    uint32_t n = 0;
    for (uint32_t i = 0; i < list->n; i++) {
        if (list->objects[i]->kind != PLAN_OBJECT_RECONCILIATION) continue;
        remedy_facts *f = &facts[n++];
        engine_remedy_plan *plan = NULL;
        base_error ignored; // then it says nothing of it
        f->object = list->objects[i];
        f->counts = engine_recon_counts_of(e, f->object->id);
        if (engine_remedy_newest(e, f->object->id, false, &arena, &plan, &ignored) == BASE_OK &&
            plan != NULL)
            f->plan = *plan;
        if (engine_reconcile_next(e, f->object, &f->due_us, &f->due_known, &ignored) != BASE_OK)
            f->due_known = false;
    }
    if (n > 0) remedy_counters(facts, n, buf);
    for (size_t k = 0; n > 0 && k < sizeof families / sizeof *families; k++) {
        family(buf, families[k].name, "gauge", families[k].help);
        for (uint32_t i = 0; i < n; i++) {
            double value = remedy_value(&facts[i], k);
            if (isnan(value) || (families[k].acts && facts[i].object->remedy == NULL)) continue;
            object_value(buf, families[k].name, "reconciliation", facts[i].object, value);
        }
    }
    base_arena_deinit(&arena);
    free(facts);
}

void engine_metrics(engine *e, base_buf *buf) {
    family(buf, "weir_build_info", "gauge", "The version that runs.");
    base_buf_printf(buf, "weir_build_info{version=\"%s\"} 1\n", WEIR_VERSION);
    family(buf, "weir_uptime_seconds", "gauge", "Seconds since the directory was opened.");
    base_buf_printf(buf, "weir_uptime_seconds %.6f\n",
                    (double)(plat_wall_us(e->plat) - e->started_us) / 1e6);
    object_list list = {0};
    engine_objects(e, collect, &list);
    stream_metrics(e, &list, buf);
    flow_metrics(e, buf);
    view_metrics(e, &list, buf);
    engine_completeness_metrics(e, buf);
    sink_metrics(e, &list, buf);
    recon_metrics(e, buf);
    remedy_metrics(e, &list, buf);
    state_stats stats;
    state_store_stats(e->meta, &stats);
    family(buf, "weir_catalog_bytes", "gauge", "Bytes of the catalogue's store in use.");
    base_buf_printf(buf, "weir_catalog_bytes %llu\n", (unsigned long long)stats.bytes_used);
    free(list.objects);
}
