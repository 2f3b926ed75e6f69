// revision.c - weir.revision: the ledgers as a table. A query for one view reads that view's ledger
// alone, one for a row's key that row's entries alone (wanted.h). Entry point:
// system_fill_revision.

#include <string.h>

#include "base/must.h"
#include "engine/history/ledger.h"
#include "engine/system_int.h"
#include "engine/viewkey.h"

#define REVISION_BYTES_MAX (1ull << 30) // of the rows of one answer

typedef struct revisions {
    system_rows *r;
    const engine_flow *flow;
    uint32_t nkey;
    const uint32_t *key;
    base_buf text;
} revisions;

static base_rc add_json(revisions *v, const char *column, base_str json, base_error *err) {
    base_str canonical;
    base_rc rc = col_jsonb_canonical(json, v->r->arena, &canonical, err);
    if (rc == BASE_OK) system_str(v->r, column, canonical);
    return rc;
}

static base_rc add_row(revisions *v, const char *column, const engine_ledger_entry *entry,
                       uint32_t row, uint32_t n, const uint32_t *columns, base_error *err) {
    base_buf_clear(&v->text);
    engine_ledger_row_json(entry->view, entry->row, row, n, columns, &v->text);
    return add_json(v, column, base_buf_str(&v->text), err);
}

static base_rc visit_entry(void *arg, const engine_ledger_entry *entry, base_error *err) {
    revisions *v = arg;
    system_rows *r = v->r;
    if (r->session->cancel)
        return base_fail(err, BASE_E_CANCELLED, NULL, "canceling statement due to user request");
    if (r->arena->total_bytes > REVISION_BYTES_MAX) {
        base_fail(err, BASE_E_LIMIT, BASE_SQLSTATE_OUT_OF_MEMORY,
                  "the revisions need more than %llu MB of memory", REVISION_BYTES_MAX >> 20);
        base_error_hint(err, "Ask for those of one view, or of one key: WHERE view = ... AND key = "
                             "...");
        return err->code;
    }
    const plan_object *view = entry->view;
    uint32_t n = entry->row->ncols;
    system_row(r);
    system_printf(r, "view", "%s.%s", view->schema, view->name);
    base_rc rc = add_row(v, "key", entry, entry->has_new ? 1 : 0, v->nkey, v->key, err);
    system_i64(r, "revision", entry->revision);
    system_i64(r, "at", entry->at_us);
    system_copy(r, "cause", entry->cause);
    if (rc == BASE_OK && entry->has_old) rc = add_row(v, "old", entry, 0, n, NULL, err);
    if (rc == BASE_OK && entry->has_new) rc = add_row(v, "new", entry, 1, n, NULL, err);
    if (rc == BASE_OK) rc = add_json(v, "positions", entry->positions, err);
    system_i64(r, "step", (int64_t)entry->step);
    system_text(r, "flow", v->flow->name);
    return rc;
}

static base_rc view_rows(system_rows *r, const plan_object *view, const col_vec *key,
                         base_error *err) {
    engine_flow *flow = engine_flow_of_view(r->engine, view->id);
    if (flow == NULL || flow->store == NULL) return BASE_OK;
    engine_view_key wanted = {0};
    base_error no_key; // a key that is none of this view's: then no row has it
    if (key != NULL && engine_view_key_of_json(view, col_str(key)[0], r->session->zone, r->arena,
                                               &wanted, &no_key) != BASE_OK)
        return BASE_OK;
    revisions v = {.r = r, .flow = flow};
    v.key = engine_ledger_key_columns(view, r->arena, &v.nkey);
    state_txn *txn;
    base_rc rc = engine_flow_begin_read(flow, &txn, err);
    if (rc != BASE_OK) return rc;
    rc = engine_ledger_scan(flow, txn, view, wanted.bytes, visit_entry, &v, err);
    state_abort(txn);
    base_buf_deinit(&v.text);
    return rc;
}

base_rc system_fill_revision(system_rows *r, base_error *err) {
    const col_vec *name = engine_wanted_get(r->wanted, r->object, "view");
    const col_vec *key = engine_wanted_get(r->wanted, r->object, "key");
    if ((name != NULL && col_is_null(name, 0)) || (key != NULL && col_is_null(key, 0)))
        return BASE_OK;
    uint32_t n;
    const plan_object **objects = system_objects(r, &n);
    base_rc rc = BASE_OK;
    for (uint32_t i = 0; rc == BASE_OK && i < n; i++) {
        const plan_object *view = objects[i];
        if (view->kind != PLAN_OBJECT_VIEW) continue;
        if (name != NULL) {
            base_buf text = {0};
            base_buf_printf(&text, "%s.%s", view->schema, view->name);
            bool same = base_str_eq(base_buf_str(&text), col_str(name)[0]);
            base_buf_deinit(&text);
            if (!same) continue;
        }
        rc = view_rows(r, view, key, err);
    }
    return rc;
}
