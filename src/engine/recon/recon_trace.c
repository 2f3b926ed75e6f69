// recon_trace.c - EXPLAIN EVENTS: the events that make up each figure that does not agree, as of
// the step that was compared (lineage.h). A look-up reads the logs, so it is done for the first
// FIGURES_MAX figures of a run that weir has, and no new one is begun after TIME_MAX_NS.
//
// Invariants: a look-up that fails, or a view whose key is not the reconciliation's, leaves the
// figure without events. Entry point: recon_trace.

#include "base/must.h"
#include "engine/history/lineage.h"
#include "engine/recon/recon_int.h"

#define FIGURES_MAX 20u
#define TIME_MAX_NS 10000000000ull

static void trace_one(engine_recon *x, engine_session *session, uint32_t i, base_arena *arena) {
    const plan_object *view = x->r->from;
    engine_view_key key;
    engine_lineage_at at = {.step = x->run->step};
    engine_lineage lineage;
    base_error err;
    base_str text = recon_key_text(x, i);
    if (engine_view_key_of_json(view, text, NULL, arena, &key, &err) != BASE_OK ||
        engine_lineage_of(session, view, &key, &at, ENGINE_FINDING_PLACES, false, arena, &lineage,
                          &err) != BASE_OK)
        return;
    base_buf buf = {0};
    for (uint32_t k = 0; k < lineage.n; k++)
        if (!lineage.events[k].duplicate)
            base_buf_printf(&buf, "%s%s %u/%llu", buf.n > 0 ? ", " : "",
                            lineage.events[k].object->name, lineage.events[k].partition,
                            (unsigned long long)lineage.events[k].offset);
    if (lineage.truncated) base_buf_add_cstr(&buf, " and more");
    if (buf.n > 0) x->run->findings.items[i].events = base_arena_memdup(x->arena, buf.p, buf.n);
    base_buf_deinit(&buf);
}

void recon_trace(engine_recon *x) {
    if (!x->r->explain_events) return;
    engine_session session;
    engine_session_init(&session, x->engine);
    base_arena arena;
    base_arena_init(&arena, 1 << 16);
    uint64_t began_ns = plat_monotonic_ns(x->engine->plat);
    session.deadline_us = (int64_t)((began_ns + TIME_MAX_NS) / 1000);
    uint32_t traced = 0;
    for (uint32_t i = 0; i < x->run->findings.n && traced < FIGURES_MAX; i++) {
        if (x->run->findings.items[i].weir_count == 0) continue;
        if (plat_monotonic_ns(x->engine->plat) - began_ns > TIME_MAX_NS) break;
        if (engine_book_stopped(&x->spec)) break;
        base_arena_reset(&arena);
        trace_one(x, &session, i, &arena);
        traced++;
    }
    base_arena_deinit(&arena);
}
