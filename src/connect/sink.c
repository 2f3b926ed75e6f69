// sink.c - one sink's place in the change log: what to deliver next, what has been, and when to try
// again.
//
// Invariants: acked <= at; a step is passed only when all of it was delivered (or parked, or there
// was nothing in it to deliver); the cursor moves to `at` only after that. Whatever fails, the step
// is read again from the log, so a pause holds no memory.
// Entry points: connect_sink_load, connect_sink_pass, connect_sink_ack.

#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "connect/connect_int.h"

// ---- reading
// ---------------------------------------------------------------------------------------------

static bool is_trimmed(const base_error *err) {
    return err->code == BASE_E_NOT_FOUND &&
           strcmp(err->sqlstate, BASE_SQLSTATE_INVALID_PARAMETER) == 0;
}

// Nothing is delivered from here on: the receiver would not know what it lacks.
static base_rc say_lost(connect_sink *sink, base_error *err) {
    sink->lost = true;
    return base_fail(err, BASE_E_NOT_FOUND, NULL,
                     "lost: changes of \"%s.%s\" after step %llu were not delivered before its "
                     "max_keep_time or max_keep_size was passed or its view was made anew, and are "
                     "no longer kept. DROP SINK and CREATE SINK begin anew",
                     sink->object->from->schema, sink->object->from->name,
                     (unsigned long long)sink->at);
}

static base_rc know_cursor(connect_sink *sink, base_error *err) {
    if (sink->cursor_known) return BASE_OK;
    base_rc rc = engine_sink_cursor(sink->hub->engine, sink->object, &sink->acked, err);
    if (rc != BASE_OK) return rc;
    sink->at = sink->acked;
    sink->acked_ns = connect_now_ns(sink->hub);
    sink->seq = sink->next_item = sink->refusals = 0;
    sink->cursor_known = true;
    return BASE_OK;
}

// The same of a reconciliation's runs, which are there no more.
static base_rc say_runs_lost(connect_sink *sink, base_error *err) {
    sink->lost = true;
    return base_fail(
        err, BASE_E_NOT_FOUND, NULL,
        "lost: messages of \"%s.%s\" after number %llu were not delivered before newer "
        "ones took their place. DROP SINK and CREATE SINK begin anew",
        sink->object->from->schema, sink->object->from->name, (unsigned long long)sink->at);
}

static base_rc load_run(connect_sink *sink, bool *found, base_error *err) {
    *found = false;
    for (bool any = true; any && !*found;) {
        base_arena_reset(&sink->arena);
        engine_alert *alert = base_arena_new(&sink->arena, engine_alert);
        base_rc rc = engine_alert_next(sink->hub->engine, sink->object->from, sink->at,
                                       &sink->arena, alert, &any, err);
        if (rc != BASE_OK && is_trimmed(err)) return say_runs_lost(sink, err);
        if (rc != BASE_OK) return rc;
        if (!any) break;
        *found = sink->emit == CONNECT_ALL || alert->status != ENGINE_ALERT_CLEAN;
        if (*found)
            sink->changes = (connect_changes){.step = alert->number, .nitems = 1, .alert = alert};
        else
            sink->at = alert->number;
    }
    return BASE_OK;
}

static base_rc load_next(connect_sink *sink, bool *found, base_error *err) {
    if (connect_is_told_runs(sink)) return load_run(sink, found, err);
    engine *e = sink->hub->engine;
    const plan_object *view = sink->object->from;
    *found = false;
    // Read before the changes: when there are none after `at`, there are none up to this step.
    uint64_t step;
    base_rc rc = engine_view_step(e, view, &step, err);
    while (rc == BASE_OK && !*found) {
        engine_change change;
        bool any;
        base_arena_reset(&sink->arena);
        rc = engine_change_next(e, view, sink->at, &sink->arena, &change, &any, err);
        if (rc != BASE_OK && is_trimmed(err)) return say_lost(sink, err);
        if (rc != BASE_OK) return rc;
        if (!any) {
            if (step > sink->at) sink->at = step;
            return BASE_OK;
        }
        connect_changes_build(&sink->arena, view, &change, sink->emit, &sink->changes);
        *found = sink->changes.nitems > 0;
        if (!*found) {
            sink->at = change.step;
            sink->passed_over = true;
        }
    }
    return rc;
}

base_rc connect_sink_load(connect_sink *sink, bool *found, base_error *err) {
    *found = sink->loaded;
    if (sink->loaded) return BASE_OK;
    base_rc rc = know_cursor(sink, err);
    if (rc == BASE_OK) rc = load_next(sink, found, err);
    if (rc != BASE_OK) return rc;
    sink->loaded = *found;
    if (!*found) base_arena_reset(&sink->arena);
    return BASE_OK;
}

base_rc connect_sink_idle(connect_sink *sink, base_error *err) {
    must(!sink->loaded && !sink->under_way);
    bool stale =
        sink->passed_over && connect_now_ns(sink->hub) - sink->acked_ns >= CONNECT_IDLE_ACK_NS;
    bool many = sink->at - sink->acked >= CONNECT_IDLE_ACK_STEPS;
    bool run = connect_is_told_runs(sink); // they are rare
    return stale || many || run ? connect_sink_ack(sink, err) : BASE_OK;
}

void connect_sink_unload(connect_sink *sink) {
    sink->loaded = false;
    base_arena_reset(&sink->arena);
}

void connect_sink_pass(connect_sink *sink) {
    must(sink->loaded && sink->changes.step >= sink->at);
    sink->at = sink->changes.step;
    sink->seq = sink->next_item = sink->refusals = 0;
    connect_sink_unload(sink);
}

base_rc connect_sink_ack(connect_sink *sink, base_error *err) {
    if (sink->at == sink->acked) return BASE_OK;
    base_rc rc = engine_sink_ack(sink->hub->engine, sink->object, sink->at, err);
    if (rc == BASE_OK) {
        sink->acked = sink->at;
        sink->acked_ns = connect_now_ns(sink->hub);
        sink->passed_over = false;
    } else {
        sink->cursor_known = false; // it may have been stored all the same
    }
    return rc;
}

// ---- outcomes
// --------------------------------------------------------------------------------------------

void connect_sink_failed(connect_sink *sink, int64_t least_us, const base_error *err) {
    connect_sink_unload(sink);
    uint32_t doublings = sink->failures < 20 ? sink->failures : 20;
    sink->failures++;
    int64_t pause_us = CONNECT_PAUSE_FIRST_US << doublings;
    if (pause_us > sink->pause_max_us) pause_us = sink->pause_max_us;
    if (pause_us < least_us) pause_us = least_us;
    // Half to the whole of it, so that sinks which failed together do not come back together.
    uint64_t half = (uint64_t)pause_us / 2;
    uint64_t random = sink->hub->plat->ops->random_u64(sink->hub->plat);
    pause_us = (int64_t)(half + random % (half + 1));
    if (pause_us < least_us) pause_us = least_us;
    sink->due_ns = connect_now_ns(sink->hub) + (uint64_t)pause_us * 1000;
    engine_sink_report(sink->hub->engine, sink->object, 0, 1, err->message);
}

void connect_sink_succeeded(connect_sink *sink, uint64_t changes) {
    sink->failures = 0;
    sink->due_ns = 0;
    engine_sink_report(sink->hub->engine, sink->object, changes, 0, "");
}

bool connect_sink_is_behind(connect_sink *sink) {
    if (sink->refused != NULL || sink->lost) return false; // never will it; weir.sinks says why
    uint64_t step;
    base_error err;
    if (engine_sink_newest(sink->hub->engine, sink->object, &step, &err) != BASE_OK) return false;
    return !sink->cursor_known || sink->loaded || sink->under_way || sink->at < step;
}

// ---- making
// ----------------------------------------------------------------------------------------------

static char *joined(const char *a, const char *b, uint32_t id) {
    base_buf buf = {0};
    base_buf_printf(&buf, "%s.%s", a, b);
    if (id > 0) base_buf_printf(&buf, ".%u", id);
    base_buf_cstr(&buf);
    return buf.p; // now the caller's
}

static int64_t interval_option(const plan_object *object, const char *name, int64_t otherwise) {
    const char *text = plan_option_get(object, name);
    base_interval interval;
    int64_t us;
    base_error err;
    if (text == NULL || base_interval_parse(base_str_of(text), &interval, &err) != BASE_OK ||
        base_interval_total_us(&interval, &us, &err) != BASE_OK || us <= 0)
        return otherwise;
    return us < BASE_US_PER_DAY ? us : BASE_US_PER_DAY;
}

static uint32_t count_option(const plan_object *object, const char *name, uint32_t otherwise) {
    const char *text = plan_option_get(object, name);
    int n = text == NULL ? 0 : atoi(text); // checked when the sink was made
    return n > 0 ? (uint32_t)n : otherwise;
}

connect_sink *connect_sink_create(connect_hub *hub, const plan_object *object) {
    connect_sink *sink = calloc(1, sizeof *sink);
    must(sink != NULL);
    sink->hub = hub;
    sink->object = object;
    sink->name = joined(object->schema, object->name, 0);
    sink->token = joined(object->schema, object->name, object->id);
    sink->is_file = strcmp(object->connector, "file") == 0;
    const char *emit = plan_option_get(object, "emit");
    if (emit != NULL && strcmp(emit, "inserts") == 0) sink->emit = CONNECT_INSERTS;
    if (emit != NULL && strcmp(emit, "final") == 0) sink->emit = CONNECT_FINAL;
    if (connect_is_told_runs(sink)) sink->emit = CONNECT_ALERTS;
    if (emit != NULL && strcmp(emit, "all") == 0) sink->emit = CONNECT_ALL;
    sink->pause_max_us = interval_option(object, "max_retry_interval", BASE_US_PER_MINUTE);
    sink->timeout_us = interval_option(object, "timeout", 10 * BASE_US_PER_SECOND);
    sink->batch_rows = count_option(object, "batch_rows", 500);
    sink->max_attempts = count_option(object, "max_attempts", 10);
    base_arena_init(&sink->arena, 4096);
    sink->arena.retain_bytes = 1u << 20;
    base_error err = {0};
    base_rc rc = BASE_OK;
    if (!sink->is_file && strcmp(object->connector, "webhook") != 0)
        rc = base_fail(&err, BASE_E_UNSUPPORTED, NULL, "unknown connector '%s'", object->connector);
    else if (!sink->is_file)
        rc = connect_webhook_open(sink, &err);
    if (rc != BASE_OK) {
        sink->refused = base_arena_strdup(&sink->arena, err.message);
        engine_sink_report(hub->engine, object, 0, 1, err.message);
    }
    return sink;
}

void connect_sink_destroy(connect_sink *sink) {
    if (!sink->is_file) connect_webhook_close(sink);
    base_arena_deinit(&sink->arena);
    base_buf_deinit(&sink->body);
    base_buf_deinit(&sink->answer);
    free(sink->name);
    free(sink->token);
    free(sink);
}
