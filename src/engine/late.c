// late.c - records that come later than their stream's max_lateness allows: which they are, and
// what is left of a decoded portion without them. It depends on the order of the log alone, so that
// every flow, and a view that is filled later, refuses the same ones. Entry point:
// engine_late_refuse.
#include <string.h>

#include "base/must.h"
#include "engine/engine_int.h"

// The rows that are not too late, in the order of the log: each may move the watermark on.
static uint32_t find_kept(const plan_object *object, int64_t watermark_us, const engine_decoded *d,
                          uint32_t *kept) {
    uint32_t n = 0;
    for (uint32_t row = 0; row < d->nrows; row++) {
        int64_t us = d->event_us[row], least;
        if (us != INT64_MIN && watermark_us != ENGINE_NO_WATERMARK &&
            !__builtin_sub_overflow(watermark_us, object->max_lateness_us, &least) && us < least)
            continue;
        if (us != INT64_MIN && d->watermark_us[row] > watermark_us)
            watermark_us = d->watermark_us[row];
        kept[n++] = row;
    }
    return n;
}

static engine_decoded without(const engine_decoded *d, base_arena *arena, uint32_t n,
                              const uint32_t *kept) {
    uint32_t *doc = base_arena_alloc(arena, sizeof *doc * (n + 1u));
    int64_t *event_us =
        d->event_us == NULL ? NULL : base_arena_alloc(arena, sizeof *event_us * (n + 1u));
    int64_t *watermark_us =
        d->watermark_us == NULL ? NULL : base_arena_alloc(arena, sizeof *watermark_us * (n + 1u));
    uint8_t *deletes = d->deletes == NULL ? NULL : base_arena_alloc(arena, n + 1u);
    for (uint32_t i = 0; i < n; i++) {
        doc[i] = d->doc[kept[i]];
        if (event_us != NULL) event_us[i] = d->event_us[kept[i]];
        if (watermark_us != NULL) watermark_us[i] = d->watermark_us[kept[i]];
        if (deletes != NULL) deletes[i] = d->deletes[kept[i]];
    }
    engine_decoded out = *d;
    out.batch = col_batch_gather(arena, d->batch, kept, n);
    out.nrows = n;
    out.doc = doc;
    out.event_us = event_us;
    out.watermark_us = watermark_us;
    out.deletes = deletes;
    return out;
}

void engine_decoded_keep(engine_decoded *d, base_arena *arena, uint32_t n, const uint32_t *kept) {
    *d = without(d, arena, n, kept);
}

uint32_t engine_late_refuse(const plan_object *object, int64_t watermark_us, base_arena *arena,
                            engine_decoded *d, const uint32_t **docs) {
    *docs = NULL;
    if (!object->limits_lateness || d->event_us == NULL || d->watermark_us == NULL) return 0;
    uint32_t *kept = base_arena_alloc(arena, sizeof *kept * (d->nrows + 1u));
    uint32_t n = find_kept(object, watermark_us, d, kept), nrefused = 0;
    if (n == d->nrows) return 0;
    uint32_t *refused = base_arena_alloc(arena, sizeof *refused * (d->nrows - n));
    for (uint32_t row = 0, k = 0; row < d->nrows; row++) {
        if (k < n && kept[k] == row)
            k++;
        else
            refused[nrefused++] = d->doc[row];
    }
    *docs = refused;
    *d = without(d, arena, n, kept);
    return nrefused;
}

void engine_late_skip(const engine_contract *contract, int64_t *watermark_us, base_arena *arena,
                      engine_decoded *d) {
    if (!contract->object->limits_lateness) return;
    const uint32_t *docs;
    (void)engine_late_refuse(contract->object, *watermark_us, arena, d, &docs);
    for (uint32_t row = 0; d->watermark_us != NULL && row < d->nrows; row++)
        if (d->event_us[row] != INT64_MIN && d->watermark_us[row] > *watermark_us)
            *watermark_us = d->watermark_us[row];
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
