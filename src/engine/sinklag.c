// sinklag.c - how far sinks are behind, what is kept for them, and when that ends.
//
// A view keeps the changes that a sink has not delivered, however many: that is the sink's promise.
// A receiver that is gone for good would so hold all of them for ever; max_keep_time and
// max_keep_size say where the promise ends. States, named as PostgreSQL names a replication slot's:
//
//   reserved     what the sink has to deliver is kept by the view anyway (changes_keep_steps)
//   extended     more is kept, for the sink's sake
//   unreserved   a limit is passed: nothing is kept for it any more, but what it needs is still
//                there; if it catches up before that is trimmed, it is as if nothing had been
//   lost         changes that it had not delivered are gone. It delivers no more; DROP and CREATE
//                begin anew
//
// Without threads nobody checks, and nothing ends: `weir run` delivers all it makes.
//
// Invariants: lost is what the stores say (the change log begins after the sink's cursor), so that
// it is as durable as the trim itself; the rest is counted, in memory, and follows from the log and
// the clock. Counts grow with the log and shrink with acknowledgements; whatever does not fit
// together is counted anew. Entry points: engine_sink_lag_of, engine_sinks_check.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "engine/catalog_int.h"
#include "engine/system_int.h"

#define BEHIND_WARN_US  BASE_US_PER_MINUTE
#define COUNT_STEPS_MAX 100000u // at once; a larger backlog is counted over several looks

// What the operator has been told of a sink, from good to bad.
typedef enum told { TOLD_WELL, TOLD_BEHIND, TOLD_EXTENDED, TOLD_UNRESERVED, TOLD_LOST } told;

// The changes in (from, upto], under sink_counts_lock.
typedef struct sink_count {
    bool known;
    uint64_t from, upto;
    uint64_t steps, rows, bytes;
    told told;
} sink_count;

const char *engine_sink_state_name(engine_sink_state state) {
    static const char *const names[] = {"reserved", "extended", "unreserved", "lost"};
    return names[state];
}

// sink_counts_lock held.
static sink_count *count_of(engine *e, const plan_object *sink) {
    char id[16];
    snprintf(id, sizeof id, "%u", sink->id);
    sink_count *count = base_map_get(e->sink_counts, base_str_of(id));
    if (count == NULL) {
        count = calloc(1, sizeof *count);
        must(count != NULL);
        base_map_put(e->sink_counts, base_str_of(id), count);
    }
    return count;
}

// ---- counting
// ------------------------------------------------------------------------------------------

// The cursor has moved to `step`: what lies before it counts no more.
static base_rc count_off(sink_count *count, const engine_view_snapshot *snapshot, uint64_t step,
                         base_error *err) {
    engine_change_counts gone = {0};
    base_rc rc = BASE_OK;
    bool anew = !count->known || step < count->from || step >= count->upto ||
                count->from < snapshot->trimmed_step;
    if (!anew && step > count->from)
        rc = engine_changes_count(snapshot, count->from, step, UINT64_MAX, &gone, err);
    if (anew || rc != BASE_OK || gone.steps > count->steps || gone.rows > count->rows ||
        gone.bytes > count->bytes) {
        *count = (sink_count){.known = true, .from = step, .upto = step, .told = count->told};
        return rc;
    }
    count->from = step;
    count->steps -= gone.steps;
    count->rows -= gone.rows;
    count->bytes -= gone.bytes;
    return BASE_OK;
}

static base_rc count_on(sink_count *count, const engine_view_snapshot *snapshot, base_error *err) {
    if (snapshot->step <= count->upto) return BASE_OK;
    engine_change_counts more;
    base_rc rc =
        engine_changes_count(snapshot, count->upto, snapshot->step, COUNT_STEPS_MAX, &more, err);
    if (rc != BASE_OK) return rc;
    count->upto = more.steps == COUNT_STEPS_MAX ? more.last_step : snapshot->step;
    count->steps += more.steps;
    count->rows += more.rows;
    count->bytes += more.bytes;
    return BASE_OK;
}

void engine_sink_count_off(engine *e, const plan_object *sink, uint64_t step) {
    base_error err;
    plat_mutex_lock(&e->sink_counts_lock);
    sink_count *count = count_of(e, sink);
    engine_view_snapshot snapshot;
    // Nobody has asked yet, or the view is gone: then there is nothing to keep up.
    if (count->known && engine_view_snapshot_open(e, sink->from, &snapshot, &err) == BASE_OK) {
        if (count_off(count, &snapshot, step, &err) != BASE_OK) count->known = false;
        engine_view_snapshot_close(&snapshot);
    }
    plat_mutex_unlock(&e->sink_counts_lock);
}

// ---- standing
// ------------------------------------------------------------------------------------------

static base_rc judge(engine *e, const plan_object *sink, const engine_view_snapshot *snapshot,
                     engine_sink_lag *lag, base_error *err) {
    if (lag->step < snapshot->trimmed_step) {
        lag->state = ENGINE_SINK_LOST;
        return BASE_OK;
    }
    if (lag->steps == 0) return BASE_OK;
    engine_change_counts first;
    base_rc rc = engine_changes_count(snapshot, lag->step, UINT64_MAX, 1, &first, err);
    if (rc != BASE_OK || first.steps == 0) return rc;
    int64_t now_us = plat_wall_us(e->plat);
    if (now_us > first.first_us) lag->us = now_us - first.first_us;
    bool passed = (sink->max_keep_us > 0 && lag->us > sink->max_keep_us) ||
                  (sink->max_keep_bytes > 0 && lag->bytes > sink->max_keep_bytes);
    if (passed)
        lag->state = ENGINE_SINK_UNRESERVED;
    else if (snapshot->step - first.first_step >= engine_changes_keep_steps(e))
        lag->state = ENGINE_SINK_EXTENDED;
    return BASE_OK;
}

// sink_counts_lock held. The snapshot comes before the cursor: a cursor that is behind what was
// trimmed in it was so then, too.
static base_rc look(engine *e, const plan_object *sink, sink_count *count, engine_sink_lag *lag,
                    base_error *err) {
    if (sink->from->kind == PLAN_OBJECT_RECONCILIATION) return engine_alert_lag(e, sink, lag, err);
    *lag = (engine_sink_lag){0};
    engine_view_snapshot snapshot;
    bool found;
    base_rc rc = engine_view_snapshot_open(e, sink->from, &snapshot, err);
    if (rc != BASE_OK) return rc;
    rc = engine_sink_find_cursor(e, sink, &lag->step, &found, err);
    if (rc == BASE_OK && !found)
        rc = base_fail(err, BASE_E_NOT_FOUND, NULL, "sink \"%s.%s\" does not exist", sink->schema,
                       sink->name);
    if (rc == BASE_OK && lag->step >= snapshot.trimmed_step) {
        rc = count_off(count, &snapshot, lag->step, err);
        if (rc == BASE_OK) rc = count_on(count, &snapshot, err);
        lag->steps = count->steps;
        lag->rows = count->rows;
        lag->bytes = count->bytes;
    }
    lag->view_step = snapshot.step;
    lag->trimmed_step = snapshot.trimmed_step;
    if (rc == BASE_OK) rc = judge(e, sink, &snapshot, lag, err);
    engine_view_snapshot_close(&snapshot);
    if (rc != BASE_OK) count->known = false;
    return rc;
}

base_rc engine_sink_lag_of(engine *e, const plan_object *sink, engine_sink_lag *out,
                           base_error *err) {
    plat_mutex_lock(&e->sink_counts_lock);
    base_rc rc = look(e, sink, count_of(e, sink), out, err);
    plat_mutex_unlock(&e->sink_counts_lock);
    return rc;
}

// ---- once a second
// -------------------------------------------------------------------------------------

static told what_to_tell(const engine_sink_lag *lag) {
    switch (lag->state) {
    case ENGINE_SINK_LOST:
        return TOLD_LOST;
    case ENGINE_SINK_UNRESERVED:
        return TOLD_UNRESERVED;
    case ENGINE_SINK_EXTENDED:
        return TOLD_EXTENDED;
    case ENGINE_SINK_RESERVED:
        break;
    }
    return lag->us >= BEHIND_WARN_US ? TOLD_BEHIND : TOLD_WELL;
}

static void say_lost(engine *e, const plan_object *sink, const engine_sink_lag *lag) {
    if (sink->from->kind == PLAN_OBJECT_RECONCILIATION) {
        engine_say(e, ENGINE_ERROR,
                   "sink %s.%s is lost: it had delivered up to run %llu of %s.%s, and runs up to "
                   "%llu are no longer kept. It delivers no more; DROP SINK and CREATE SINK begin "
                   "anew",
                   sink->schema, sink->name, (unsigned long long)lag->step, sink->from->schema,
                   sink->from->name, (unsigned long long)lag->trimmed_step);
        return;
    }
    engine_say(e, ENGINE_ERROR,
               "sink %s.%s is lost: it had delivered up to step %llu, and the changes of %s.%s up "
               "to step %llu are no longer kept, for its max_keep_time or max_keep_size was "
               "passed or its view was made anew. It delivers no more; DROP SINK and CREATE SINK "
               "begin anew, and the view "
               "has what it missed",
               sink->schema, sink->name, (unsigned long long)lag->step, sink->from->schema,
               sink->from->name, (unsigned long long)lag->trimmed_step);
}

static void say_behind(engine *e, const plan_object *sink, const engine_sink_lag *lag, told what) {
    static const char *const then[] = {
        [TOLD_BEHIND] = "",
        [TOLD_EXTENDED] = ". They are kept for it, on disk, until they are delivered or the sink "
                          "is dropped; its max_keep_size or max_keep_time sets a limit",
        [TOLD_UNRESERVED] = ". Its max_keep_time or max_keep_size is passed: they are kept for it "
                            "no longer, and it is lost when the first of them is trimmed",
    };
    engine_sink_status status;
    uint64_t step;
    base_error err;
    if (engine_sink_status_of(e, sink, &step, &status, &err) != BASE_OK)
        status.last_error[0] = '\0';
    engine_say(e, ENGINE_WARNING,
               "sink %s.%s is %lld seconds behind %s.%s: %llu steps, %llu rows, %llu bytes%s%s%s",
               sink->schema, sink->name, (long long)(lag->us / BASE_US_PER_SECOND),
               sink->from->schema, sink->from->name, (unsigned long long)lag->steps,
               (unsigned long long)lag->rows, (unsigned long long)lag->bytes, then[what],
               status.last_error[0] != '\0' ? "; the last error: " : "", status.last_error);
}

static void check_sink(engine *e, const plan_object *sink) {
    engine_sink_lag lag;
    base_error err;
    plat_mutex_lock(&e->sink_counts_lock);
    sink_count *count = count_of(e, sink);
    base_rc rc = look(e, sink, count, &lag, &err);
    told before = count->told, now = rc == BASE_OK ? what_to_tell(&lag) : before;
    count->told = now;
    plat_mutex_unlock(&e->sink_counts_lock);
    if (rc != BASE_OK) return; // dropped meanwhile, or its flow says what is wrong
    engine_sink_keep_for(e, sink, lag.state != ENGINE_SINK_UNRESERVED);
    if (now > before && now == TOLD_LOST)
        say_lost(e, sink, &lag);
    else if (now > before)
        say_behind(e, sink, &lag, now);
    else if (now == TOLD_WELL && before != TOLD_WELL)
        engine_say(e, ENGINE_INFO, "sink %s.%s has caught up", sink->schema, sink->name);
}

void engine_sinks_check(engine *e) {
    for (uint32_t id = ENGINE_FIRST_USER_ID; id < e->next_id; id++) {
        const plan_object *object = engine_catalog_by_id(e, id);
        if (object != NULL && object->kind == PLAN_OBJECT_SINK) check_sink(e, object);
    }
}
