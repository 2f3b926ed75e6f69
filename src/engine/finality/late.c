// late.c - the clock of a partition: what its watermark is, a record at a time and in the order of
// the log, and which records come later than their stream's max_lateness allows. It depends on the
// log alone, so that every flow, and a view that is filled later, has the same watermarks and
// refuses the same records.
//
// The watermark is the greatest value so far of the contract's expression or, of a learnt one
// (WATERMARK FOR ts AS PERCENTILE), of the greatest event time less the delay that the asked share
// of the records has kept (disorder.h), within the contract's limits; until enough records have
// been measured, less the upper limit. Which of these, may change at a place in the log (rules.h).
// Heartbeats move it too (control.c). It never goes back.
// Entry point: engine_clock_run.
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "engine/engine_int.h"
#include "engine/finality/rules.h"

#define TOLD_RECORDS 128u // a learnt delay holds for so many records

void engine_clock_init(engine_clock *clock, const plan_object *object) {
    *clock = (engine_clock){.watermark_us = ENGINE_NO_WATERMARK, .max_event_us = INT64_MIN};
    if (!engine_rules_learn(object)) return;
    clock->disorder = calloc(1, sizeof *clock->disorder);
    must(clock->disorder != NULL);
}

void engine_clock_deinit(engine_clock *clock) {
    free(clock->disorder);
    clock->disorder = NULL;
}

// The rule that records go by.
static engine_rule rule_of(const plan_object *object, const engine_decoded *d) {
    if (d->rule != NULL) return *d->rule;
    return (engine_rule){.share = object->watermark_share,
                         .least_us = object->watermark_least_us,
                         .most_us = object->watermark_most_us};
}

// The delay that what was measured so far asks for.
static int64_t learnt_delay(const engine_rule *rule, const engine_disorder *d) {
    if (d->records < ENGINE_DISORDER_STARTUP) return rule->most_us;
    int64_t us = engine_disorder_delay(d, rule->share);
    if (us < rule->least_us) us = rule->least_us;
    return us < rule->most_us ? us : rule->most_us;
}

static void measure(const engine_rule *rule, engine_clock *clock, int64_t us) {
    engine_disorder *d = clock->disorder;
    int64_t behind = 0;
    if (clock->max_event_us != INT64_MIN && us < clock->max_event_us &&
        __builtin_sub_overflow(clock->max_event_us, us, &behind))
        behind = INT64_MAX;
    engine_disorder_add(d, behind);
    if (rule->share == 0) return;
    bool holds = d->rule == rule->number && d->until_told > 0;
    if (holds) d->until_told--;
    if (holds && d->until_told > 0) return;
    d->rule = rule->number;
    d->until_told = TOLD_RECORDS;
    d->delay_us = learnt_delay(rule, d);
}

static bool is_too_late(const plan_object *object, int64_t watermark_us, int64_t us) {
    int64_t least;
    return watermark_us != ENGINE_NO_WATERMARK &&
           !__builtin_sub_overflow(watermark_us, object->max_lateness_us, &least) && us < least;
}

// Of what a reconciliation, a replay or a person has appended nothing is learnt of how late
// producers are.
static bool is_ours(const engine_decoded *d, uint32_t row) {
    return d->ours != NULL && d->ours[row] != 0;
}

// A record that is taken: counts it if it is late, and moves on.
static void follow(const engine_rule *rule, engine_clock *clock, const engine_decoded *d,
                   uint32_t row) {
    int64_t us = d->event_us[row];
    if (us > clock->max_event_us) clock->max_event_us = us;
    if (d->watermark_us == NULL) return;
    if (us < clock->watermark_us && !is_ours(d, row)) clock->late++;
    int64_t watermark_us = d->watermark_us[row];
    // Without measurements: the reader began before the stream had a rule that learns.
    if (rule->share > 0 &&
        (clock->disorder == NULL ||
         __builtin_sub_overflow(clock->max_event_us, clock->disorder->delay_us, &watermark_us)))
        watermark_us = ENGINE_NO_WATERMARK;
    if (watermark_us > clock->watermark_us) clock->watermark_us = watermark_us;
}

static engine_decoded without(const engine_decoded *d, base_arena *arena, uint32_t n,
                              const uint32_t *kept) {
    uint32_t *doc = base_arena_alloc(arena, sizeof *doc * (n + 1u));
    int64_t *event_us =
        d->event_us == NULL ? NULL : base_arena_alloc(arena, sizeof *event_us * (n + 1u));
    int64_t *watermark_us =
        d->watermark_us == NULL ? NULL : base_arena_alloc(arena, sizeof *watermark_us * (n + 1u));
    uint8_t *deletes = d->deletes == NULL ? NULL : base_arena_alloc(arena, n + 1u);
    uint8_t *ours = d->ours == NULL ? NULL : base_arena_alloc(arena, n + 1u);
    for (uint32_t i = 0; i < n; i++) {
        doc[i] = d->doc[kept[i]];
        if (event_us != NULL) event_us[i] = d->event_us[kept[i]];
        if (watermark_us != NULL) watermark_us[i] = d->watermark_us[kept[i]];
        if (deletes != NULL) deletes[i] = d->deletes[kept[i]];
        if (ours != NULL) ours[i] = d->ours[kept[i]];
    }
    engine_decoded out = *d;
    out.batch = col_batch_gather(arena, d->batch, kept, n);
    out.nrows = n;
    out.doc = doc;
    out.event_us = event_us;
    out.watermark_us = watermark_us;
    out.deletes = deletes;
    out.ours = ours;
    return out;
}

void engine_decoded_keep(engine_decoded *d, base_arena *arena, uint32_t n, const uint32_t *kept) {
    *d = without(d, arena, n, kept);
}

bool engine_clock_refuses(const plan_object *object, engine_clock *clock, const engine_decoded *d) {
    int64_t us = d->event_us[0];
    engine_rule rule = rule_of(object, d);
    if (clock->disorder != NULL && d->watermark_us != NULL && !is_ours(d, 0))
        measure(&rule, clock, us);
    if (object->limits_lateness && d->watermark_us != NULL &&
        is_too_late(object, clock->watermark_us, us))
        return true;
    follow(&rule, clock, d, 0);
    return false;
}

uint32_t engine_clock_run(const plan_object *object, engine_clock *clock, base_arena *arena,
                          engine_decoded *d, const uint32_t **docs) {
    *docs = NULL;
    if (d->event_us == NULL || d->nrows == 0) return 0;
    bool measured = clock->disorder != NULL && d->watermark_us != NULL;
    bool limited = object->limits_lateness && d->watermark_us != NULL;
    uint32_t *kept = NULL, *refused = NULL, n = 0, nrefused = 0;
    engine_rule rule = rule_of(object, d);
    if (limited) {
        kept = base_arena_alloc(arena, sizeof *kept * (d->nrows + 1u));
        refused = base_arena_alloc(arena, sizeof *refused * (d->nrows + 1u));
    }
    for (uint32_t row = 0; row < d->nrows; row++) {
        int64_t us = d->event_us[row];
        bool known = us != INT64_MIN;
        if (known && measured && !is_ours(d, row)) measure(&rule, clock, us);
        if (known && limited && is_too_late(object, clock->watermark_us, us)) {
            refused[nrefused++] = d->doc[row];
            continue;
        }
        if (limited) kept[n++] = row;
        if (known) follow(&rule, clock, d, row);
    }
    if (nrefused == 0) return 0;
    *docs = refused;
    *d = without(d, arena, n, kept);
    return nrefused;
}

void engine_clock_skip(const plan_object *object, engine_clock *clock, base_arena *arena,
                       engine_decoded *d) {
    if (!object->limits_lateness) return;
    const uint32_t *docs;
    (void)engine_clock_run(object, clock, arena, d, &docs);
}

void engine_late_message(const plan_object *object, base_buf *buf) {
    base_interval interval = {.us = object->max_lateness_us};
    char text[BASE_INTERVAL_TEXT_MAX];
    base_interval_format(&interval, text);
    base_buf_printf(buf,
                    "record for \"%s.%s\" comes too late: its \"%s\" is more than max_lateness "
                    "(%s) below the watermark",
                    object->schema, object->name, object->columns[object->event_time].name, text);
}

int64_t engine_frontier(const engine_input *input) {
    const plan_object *object = input->object;
    if (input->stream == NULL || input->contract->watermark == NULL || !object->limits_lateness)
        return ENGINE_NO_WATERMARK;
    int64_t least = INT64_MAX;
    for (uint32_t p = 0; p < input->npartitions;
         p++) { // idle ones too: what comes there may be old
        int64_t us = input->partitions[p].watermark_us;
        if (us < least) least = us;
    }
    int64_t us;
    if (least == ENGINE_NO_WATERMARK || least == ENGINE_END_OF_TIME) return least;
    return __builtin_sub_overflow(least, object->max_lateness_us, &us) ? ENGINE_NO_WATERMARK : us;
}
