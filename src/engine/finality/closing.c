// closing.c - the clocks by which windows close. A view's windows are measured against its
// watermark, or, where the books close by the wall clock (close_by = 'processing time'), against
// the flow's reading of that clock, closed_us.
//
// closed_us is the step's clock once the flow has read all there is. While it is behind, it is the
// time at which the last record read was appended, the least over the partitions that have more:
// what came before the books closed counts as that also when it is read later, after an outage or
// from the start of the log. It never goes back; it is a row of the flow's store, "closed" in
// "engine.flow", which is there only if a view needs it. Views of other flows that the flow reads
// count as read. Which step closed a window is not in the log, but up to when windows are closed is
// in the store: a shadow that recomputes a view (VERIFY, a replay, a version) ends with the clock
// of the step that it is aimed at, and so shows the same windows. Entry point: engine_closing_move.
#include <string.h>

#include "base/must.h"
#include "engine/engine_int.h"

// The stored form: version 1.
typedef struct closed_row {
    uint32_t version;
    uint32_t zero;
    int64_t closed_us;
} closed_row;
_Static_assert(sizeof(closed_row) == 16, "closed_row is a disk format");

int64_t engine_final_clock(const plan_object *view, int64_t watermark_us, int64_t closed_us) {
    // At the end of all input all windows are final.
    if (watermark_us == ENGINE_END_OF_TIME) return watermark_us;
    return view->finality.by_clock ? closed_us : watermark_us;
}

int64_t engine_view_final_us(const engine_flow *flow, const engine_view *view) {
    return engine_final_clock(view->object, view->watermark_us, flow->closed_us);
}

int64_t engine_shown_watermark(const plan_object *view, int64_t watermark_us, int64_t final_us) {
    return view->emit_on_close ? plan_final_end(&view->finality, final_us) : watermark_us;
}

bool engine_any_by_clock(const engine_flow *flow) {
    for (uint32_t i = 0; i < flow->nviews; i++)
        if (flow->views[i].object->finality.by_clock) return true;
    return false;
}

void engine_closing_move(engine_flow *flow) {
    if (!engine_any_by_clock(flow)) return;
    int64_t us = flow->now_us;
    const engine_bounds *bounds = flow->bounds;
    if (bounds != NULL && bounds->closed_us != ENGINE_NO_WATERMARK && bounds->closed_us < us)
        us = bounds->closed_us;
    for (uint32_t i = 0; i < flow->ninputs; i++) {
        const engine_input *input = &flow->inputs[i];
        for (uint32_t p = 0; input->stream != NULL && p < input->npartitions; p++) {
            const engine_partition *part = &input->partitions[p];
            const engine_bound *bound = engine_bound_of(bounds, input->object->id, p);
            uint64_t end = log_end(input->stream->log, p);
            if (bound != NULL && bound->upto < end) end = bound->upto;
            if (part->next < end && part->append_us < us) us = part->append_us;
        }
    }
    if (us > flow->closed_us) flow->closed_us = us;
}

int64_t engine_closing_due_us(const engine_flow *flow) {
    int64_t due_us = INT64_MAX;
    for (uint32_t i = 0; i < flow->nviews; i++) {
        const plan_finality *f = &flow->views[i].object->finality;
        if (!f->by_clock) continue;
        // A flow that is behind gets on by reading, not by waking up.
        int64_t us = flow->closed_us > flow->now_us ? flow->closed_us : flow->now_us;
        int64_t close_us = plan_close_from(f, us + 1);
        if (close_us < due_us) due_us = close_us;
    }
    return due_us;
}

int64_t engine_closed_us(const engine_flow *flow, state_txn *txn) {
    base_str value;
    bool found;
    base_error err;
    closed_row row;
    if (state_get(txn, flow->t_flow, BASE_STR("closed"), &value, &found, &err) != BASE_OK ||
        !found || value.n != sizeof row)
        return ENGINE_NO_WATERMARK;
    memcpy(&row, value.p, sizeof row);
    return row.version == 1 ? row.closed_us : ENGINE_NO_WATERMARK;
}

base_rc engine_closing_save(engine_flow *flow, base_error *err) {
    if (!engine_any_by_clock(flow)) return BASE_OK;
    closed_row row = {1, 0, flow->closed_us};
    return state_put(flow->txn, flow->t_flow, BASE_STR("closed"),
                     (base_str){(const char *)&row, sizeof row}, err);
}
