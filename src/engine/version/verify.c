// verify.c - whether a view shows what the log says: it is recomputed in a shadow (shadow.h) up to
// the positions of a snapshot, and the rows of both are compared (compare.h).
//
// What is a function of the log. A view's rows are one of the records that its flow has read, the
// views of other flows as of the steps that it has taken over, the moment of its last step (now()
// in conditions), its watermark and its closing clock (which windows have closed). All of these are
// taken from the snapshot. Not one of them is what a row was joined to when it came (FOR
// SYSTEM_TIME AS OF PROCTIME()): such views cannot be recomputed, and are said to be so. Revisions,
// times of change and the mark `corrected` say when a flow saw what, and are not compared. Entry
// point: engine_verify.
#include <stdio.h>
#include <string.h>

#include "base/must.h"
#include "engine/version/compare.h"
#include "engine/version/shadow.h"

const char *engine_verdict_name(engine_verdict verdict) {
    static const char *const names[] = {"equal", "differs", "partial", "not verifiable"};
    return names[verdict];
}

static bool looks_up(const plan_node *node) {
    bool found = node->kind == PLAN_NODE_LOOKUP;
    for (uint32_t i = 0; i < node->ninputs && !found; i++) found = looks_up(node->inputs[i]);
    return found;
}

typedef struct lookup_search {
    engine *engine;
    const plan_object *found;
} lookup_search;

// Also through views of the same flow, which a shadow recomputes along.
static void visit_scan(void *arg, const plan_node *scan) {
    lookup_search *s = arg;
    const plan_object *object = scan->object;
    if (object->kind != PLAN_OBJECT_VIEW || s->found != NULL) return;
    if (looks_up(object->plan))
        s->found = object;
    else
        plan_node_scans(object->plan, visit_scan, s);
}

static bool emits_early(const plan_object *view) {
    return view->emit_on_close && view->early_us > 0;
}

static void visit_shown(void *arg, const plan_node *scan) {
    if (scan->object->kind != PLAN_OBJECT_VIEW) return;
    if (emits_early(scan->object))
        *(bool *)arg = true;
    else
        plan_node_scans(scan->object->plan, visit_shown, arg);
}

// Rows shown before their window closes, at a cadence of the flow; also in what the view reads.
static bool shows_early(const plan_object *view) {
    bool found = emits_early(view);
    plan_node_scans(view->plan, visit_shown, &found);
    return found;
}

static const plan_object *view_with_lookup(engine *e, const plan_object *view) {
    lookup_search s = {e, looks_up(view->plan) ? view : NULL};
    if (s.found == NULL) plan_node_scans(view->plan, visit_scan, &s);
    return s.found;
}

typedef struct verifying {
    engine *engine;
    const plan_object *view;
    base_arena *arena;
    engine_verify_result *out;
    engine_verify_difference *listed;
} verifying;

static const char *json_of(verifying *v, const col_batch *row) {
    if (row == NULL) return NULL;
    base_buf buf = {0};
    engine_row_json(v->view, row, 0, &buf);
    const char *text = base_arena_strdup(v->arena, base_buf_cstr(&buf));
    base_buf_deinit(&buf);
    return text;
}

static base_rc list_difference(void *arg, const engine_difference *d, base_error *err) {
    (void)err;
    verifying *v = arg;
    if (v->out->nlisted == ENGINE_VERIFY_LISTED) return BASE_OK;
    base_buf key = {0};
    engine_key_json(v->view, d->a != NULL ? d->a : d->b, 0, &key);
    v->listed[v->out->nlisted++] = (engine_verify_difference){
        base_arena_strdup(v->arena, base_buf_cstr(&key)), json_of(v, d->a), json_of(v, d->b)};
    base_buf_deinit(&key);
    return BASE_OK;
}

static void hex(const uint8_t bytes[16], char out[33]) {
    for (int i = 0; i < 16; i++) snprintf(out + 2 * i, 3, "%02x", bytes[15 - i]);
}

static void judge(verifying *v, const engine_shadow *shadow) {
    engine_verify_result *out = v->out;
    out->lost = engine_shadow_lost(shadow);
    out->records = engine_shadow_progress_of(shadow).read;
    bool equal = out->missing == 0 && out->unexpected == 0 && out->differing == 0;
    out->verdict = equal ? ENGINE_VERIFY_EQUAL : ENGINE_VERIFY_DIFFERS;
    if (equal || out->lost + v->view->history_lost == 0) return;
    out->verdict = ENGINE_VERIFY_PARTIAL;
    if (out->lost == 0) {
        out->reason = "its history is not whole: it was made of a selection of the log, or of a "
                      "log that retention had cut. The keys that differ may be due to that, the "
                      "others are verified";
        return;
    }
    out->reason = base_arena_printf(
        v->arena,
        "retention has removed %llu records that the view was made of: the keys that differ may be "
        "due to them, the others are verified",
        (unsigned long long)out->lost);
}

static base_rc compare(verifying *v, engine_shadow *shadow, const engine_view_snapshot *served,
                       volatile bool *cancel, base_error *err) {
    engine_flow *flow = engine_shadow_flow(shadow);
    const engine_view *made = engine_flow_view(flow, v->view->id);
    must(made != NULL);
    state_txn *txn;
    base_rc rc = engine_flow_begin_read(flow, &txn, err);
    if (rc != BASE_OK) return rc;
    engine_side a = engine_side_of(v->view, served);
    engine_side b = {v->view, made->appended, made->rows, txn, false};
    engine_compare_result result;
    rc = engine_compare(&a, &b, list_difference, NULL, v, cancel, &result, err);
    state_abort(txn);
    if (rc != BASE_OK) return rc;
    engine_verify_result *out = v->out;
    out->step = served->step;
    out->rows = result.a_rows;
    out->rows_from_log = result.b_rows;
    out->missing = result.only_b;
    out->unexpected = result.only_a;
    out->differing = result.differing;
    out->close = result.close;
    hex(result.a_digest, out->digest);
    hex(result.b_digest, out->digest_from_log);
    judge(v, shadow);
    uint8_t digest[16];
    rc = engine_shadow_digest(shadow, digest, err);
    if (rc == BASE_OK) hex(digest, out->state_digest);
    return rc;
}

// Twice: what the first run needs long for the second finds done, so that the snapshot that is
// compared is open for a short time only (an open snapshot keeps the store's pages from use).
static base_rc recompute(verifying *v, engine_shadow *shadow, volatile bool *cancel,
                         base_error *err) {
    engine_view_snapshot served = {0};
    base_rc rc = BASE_OK;
    for (int final = 0; rc == BASE_OK && final < 2; final++) {
        rc = engine_view_snapshot_open(v->engine, v->view, &served, err);
        if (rc != BASE_OK) return rc;
        rc = engine_shadow_aim(shadow, served.txn, err);
        if (!final) engine_view_snapshot_close(&served);
        if (rc == BASE_OK) rc = engine_shadow_run(shadow, final, cancel, err);
    }
    if (rc == BASE_OK) rc = compare(v, shadow, &served, cancel, err);
    engine_view_snapshot_close(&served);
    return rc;
}

base_rc engine_verify(engine *e, const plan_object *view, base_arena *arena, volatile bool *cancel,
                      engine_verify_result *out, base_error *err) {
    memset(out, 0, sizeof *out);
    out->reason = "";
    uint64_t begin_ns = plat_monotonic_ns(e->plat);
    verifying v = {e, view, arena, out,
                   base_arena_array(arena, engine_verify_difference, ENGINE_VERIFY_LISTED)};
    out->listed = v.listed;
    const plan_object *lookup = view_with_lookup(e, view);
    if (lookup != NULL) {
        out->verdict = ENGINE_VERIFY_NOT_POSSIBLE;
        out->reason = base_arena_printf(
            arena,
            "\"%s.%s\" looks rows up as they are when an event comes (FOR SYSTEM_TIME AS OF "
            "PROCTIME()), which the log does not say",
            lookup->schema, lookup->name);
        return BASE_OK;
    }
    if (shows_early(view)) {
        out->verdict = ENGINE_VERIFY_NOT_POSSIBLE;
        out->reason = "which of its rows are shown early depends on when its flow stepped, which "
                      "the log does not say";
        return BASE_OK;
    }
    engine_view_snapshot served; // an error of the view's is met before any work is done
    base_rc rc = engine_view_snapshot_open(e, view, &served, err);
    if (rc != BASE_OK) return rc;
    const engine_flow *flow = served.flow;
    engine_view_snapshot_close(&served);
    char name[64];
    snprintf(name, sizeof name, "verify.%u.%llx", view->id,
             (unsigned long long)e->plat->ops->random_u64(e->plat));
    engine_shadow_config config = {.name = name};
    engine_shadow *shadow;
    rc = engine_shadow_open(e, flow, view, &config, &shadow, err);
    if (rc != BASE_OK) return rc;
    rc = recompute(&v, shadow, cancel, err);
    engine_shadow_close(shadow, true);
    out->us = (plat_monotonic_ns(e->plat) - begin_ns) / 1000;
    if (rc != BASE_OK)
        base_error_prefix(err, "verification of \"%s.%s\"", view->schema, view->name);
    return rc;
}
