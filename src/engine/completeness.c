// completeness.c - what weir knows of how complete its streams and windows are, as rows of system
// objects: events seen against events expected, late ones, delays against measured disorder, gaps
// of sequences, windows that lack events; and advice on delays. Entry point:
// system_completeness_defs.
#include <string.h>

#include "base/must.h"
#include "engine/advise.h"
#include "engine/expect.h"
#include "engine/system_int.h"

// ---- weir.advise_watermark('stream')

static bool session_goes_on(void *arg, uint64_t done, uint64_t all) {
    (void)done, (void)all;
    const engine_session *session = arg;
    if (session->cancel) return false;
    return session->deadline_us == 0 ||
           (int64_t)(plat_monotonic_ns(session->engine->plat) / 1000) <= session->deadline_us;
}

static base_rc fill_advice(system_rows *r, base_error *err) {
    const char *name = system_argument(r, 0);
    if (name == NULL) return BASE_OK;
    const plan_object *stream = engine_find(r->engine, base_str_of(name));
    if (stream == NULL)
        return base_fail(err, BASE_E_NOT_FOUND, BASE_SQLSTATE_UNDEFINED_TABLE,
                         "stream \"%s\" does not exist", name);
    engine_advice advice;
    base_rc rc =
        engine_advise(r->engine, stream, session_goes_on, r->session, r->arena, &advice, err);
    for (uint32_t i = 0; rc == BASE_OK && i < advice.nrows; i++) {
        const engine_advice_row *row = &advice.rows[i];
        system_row(r);
        if (row->partition >= 0) system_i64(r, "partition", row->partition);
        system_text(r, "target", row->target);
        if (row->delay_us != INT64_MAX) system_us(r, "delay", row->delay_us);
        if (row->delay_us != INT64_MAX) system_f64(r, "delay_seconds", (double)row->delay_us / 1e6);
        system_bool(r, "exact", advice.exact);
        system_i64(r, "records", (int64_t)row->records);
        system_i64(r, "on_time", (int64_t)row->on_time);
        system_i64(r, "late", (int64_t)(row->records - row->on_time));
        system_f64(r, "on_time_share", (double)row->on_time / (double)row->records);
        if (row->has_windows) system_i64(r, "windows", (int64_t)row->windows);
        if (row->has_windows) system_i64(r, "corrected", (int64_t)row->corrected);
        if (row->partition < 0) system_text(r, "views", advice.views);
        system_text(r, "ddl", row->ddl);
    }
    return rc;
}

const system_def system_completeness_defs[] = {
    {15030, "weir", "advise_watermark",
     "(1) partition integer?, target text, delay interval?, delay_seconds double precision?, exact "
     "boolean, records bigint, on_time bigint, late bigint, on_time_share double precision, "
     "windows bigint?, corrected bigint?, views text?, ddl text?",
     fill_advice,
     "what delay of a stream's watermark would have kept records on time, by its log; FROM "
     "weir.advise_watermark('stream')"},
};
const size_t system_completeness_def_count =
    sizeof system_completeness_defs / sizeof system_completeness_defs[0];
