// whytab.c - weir.why and weir.lineage: the story of one row, and its events, as tables. They have
// rows only where a query says which row it asks for: FROM weir.why('view', key...), which the
// binder makes conditions of (src/sql/bind_row_call.c), or conditions on view and key. Entry
// points: system_fill_why, system_fill_lineage.

#include <stdlib.h>
#include <string.h>

#include "engine/history/ledger.h"
#include "engine/history/why.h"
#include "engine/system_int.h"

typedef struct asked {
    const plan_object *view;
    base_str name; // as it was given
    base_str call; // the arguments, as JSON; p NULL: key was asked for
    engine_view_key key;
} asked;

static base_rc find_asked(system_rows *r, asked *out, bool *found, base_error *err) {
    const col_vec *name = engine_wanted_get(r->wanted, r->object, "view");
    const col_vec *call = engine_wanted_get(r->wanted, r->object, "call");
    const col_vec *key = call != NULL ? call : engine_wanted_get(r->wanted, r->object, "key");
    *found = name != NULL && key != NULL && !col_is_null(name, 0) && !col_is_null(key, 0);
    if (!*found) return BASE_OK;
    out->name = col_str(name)[0];
    out->call = call != NULL ? col_str(call)[0] : (base_str){NULL, 0};
    out->view = engine_find(r->engine, out->name);
    if (out->view != NULL && out->view->kind != PLAN_OBJECT_VIEW)
        return base_fail(
            err, BASE_E_INVALID, "42809", "\"%.*s\" is a %s: weir.%s() reads materialized views",
            BASE_STR_ARG(out->name), plan_object_kind_name(out->view->kind), r->object->name);
    if (out->view == NULL)
        return base_fail(err, BASE_E_NOT_FOUND, BASE_SQLSTATE_UNDEFINED_TABLE,
                         "materialized view \"%.*s\" does not exist", BASE_STR_ARG(out->name));
    return engine_view_key_of_json(out->view, col_str(key)[0], r->session->zone, r->arena,
                                   &out->key, err);
}

static base_rc add_json(system_rows *r, const char *column, const base_buf *text, base_error *err) {
    base_str canonical;
    base_rc rc = col_jsonb_canonical(base_buf_str(text), r->arena, &canonical, err);
    if (rc == BASE_OK) system_str(r, column, canonical);
    return rc;
}

static base_rc add_asked(system_rows *r, const asked *a, base_error *err) {
    base_buf text = {0};
    system_copy(r, "view", a->name);
    engine_ledger_row_json(a->view, a->key.row, 0, a->key.n, a->key.columns, &text);
    base_rc rc = add_json(r, "key", &text, err);
    if (a->call.p != NULL) system_copy(r, "call", a->call);
    base_buf_deinit(&text);
    return rc;
}

// ---- events as JSON -----------------------------------------------------------------------------

static void add_time(base_buf *buf, base_arena *arena, const char *name, int64_t us) {
    if (us == INT64_MIN) return;
    col_vec vec;
    col_vec_init(&vec, arena, col_type_of(COL_TIMESTAMPTZ), 1);
    col_i64(&vec)[0] = us;
    base_buf_printf(buf, ", \"%s\": ", name);
    col_json_format(&vec, 0, buf);
}

// The duplicates of a story's events, in order of their originals.
typedef struct duplicates {
    uint32_t n;
    const engine_lineage_event **items;
} duplicates;

static int by_original(const engine_lineage_event *a, uint32_t object_id, uint32_t partition,
                       uint64_t offset) {
    if (a->object->id != object_id) return a->object->id < object_id ? -1 : 1;
    if (a->original_partition != partition) return a->original_partition < partition ? -1 : 1;
    return (a->original_offset > offset) - (a->original_offset < offset);
}

static int compare_originals(const void *x, const void *y) {
    const engine_lineage_event *a = *(const engine_lineage_event *const *)x;
    const engine_lineage_event *b = *(const engine_lineage_event *const *)y;
    int order = by_original(a, b->object->id, b->original_partition, b->original_offset);
    if (order != 0) return order;
    if (a->partition != b->partition) return a->partition < b->partition ? -1 : 1;
    return (a->offset > b->offset) - (a->offset < b->offset);
}

static duplicates find_duplicates(const engine_lineage *lineage, base_arena *arena) {
    duplicates d = {0, base_arena_array(arena, const engine_lineage_event *, lineage->n + 1)};
    for (uint32_t i = 0; i < lineage->n; i++)
        if (lineage->events[i].duplicate) d.items[d.n++] = &lineage->events[i];
    if (d.n > 1) qsort(d.items, d.n, sizeof *d.items, compare_originals);
    return d;
}

static uint32_t first_duplicate(const duplicates *d, const engine_lineage_event *event) {
    uint32_t low = 0, high = d->n;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (by_original(d->items[middle], event->object->id, event->partition, event->offset) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void add_event(system_rows *r, const duplicates *duplicates,
                      const engine_lineage_event *event, bool left, base_buf *buf) {
    base_buf name = {0};
    base_buf_printf(&name, "%s.%s", event->object->schema, event->object->name);
    base_buf_add_cstr(buf, "{\"object\": ");
    base_buf_add_json_string(buf, base_buf_str(&name));
    base_buf_deinit(&name);
    base_buf_printf(buf, ", \"partition\": %u, \"offset\": %llu", event->partition,
                    (unsigned long long)event->offset);
    add_time(buf, r->arena, "event_time", event->event_us);
    add_time(buf, r->arena, "appended_at", event->ingested_us);
    if (left) base_buf_add_cstr(buf, ", \"left\": true");
    uint32_t n = 0;
    for (uint32_t i = first_duplicate(duplicates, event); i < duplicates->n; i++) {
        const engine_lineage_event *d = duplicates->items[i];
        if (by_original(d, event->object->id, event->partition, event->offset) != 0) break;
        base_buf_printf(buf, "%s{\"partition\": %u, \"offset\": %llu}",
                        n++ == 0 ? ", \"duplicates\": [" : ", ", d->partition,
                        (unsigned long long)d->offset);
    }
    if (n > 0) base_buf_add_byte(buf, ']');
    if (event->raw.n > 0) {
        base_buf_add_cstr(buf, ", \"event\": ");
        base_buf_add_str(buf, event->raw);
    }
    base_buf_add_byte(buf, '}');
}

static base_rc add_events(system_rows *r, const duplicates *duplicates, const engine_why_change *c,
                          base_error *err) {
    base_buf text = {0};
    base_buf_add_byte(&text, '[');
    for (uint32_t i = 0; i < c->nevents + c->nleft; i++) {
        bool left = i >= c->nevents;
        if (i > 0) base_buf_add_byte(&text, ',');
        add_event(r, duplicates, left ? c->left[i - c->nevents] : c->events[i], left, &text);
    }
    base_buf_add_byte(&text, ']');
    base_rc rc = add_json(r, "events", &text, err);
    base_buf_deinit(&text);
    return rc;
}

// ---- weir.why -----------------------------------------------------------------------------------

static void add_note(base_buf *buf, bool holds, const char *note) {
    if (!holds) return;
    if (buf->n > 0) base_buf_add_cstr(buf, "; ");
    base_buf_add_cstr(buf, note);
}

static void note_of(const engine_why *why, const engine_why_change *c, base_buf *buf) {
    add_note(buf, c->note != NULL, c->note);
    add_note(buf, why->lineage.truncated, "there are more events than are shown");
    add_note(buf, why->lineage.whole && c->nevents > 0,
             "all events of the partition, of which some may not count");
    add_note(buf, why->lineage.cut && c->step == 0, "retention has taken the beginning of a log");
}

static base_rc change_row(system_rows *r, const asked *a, const engine_why *why,
                          const duplicates *duplicates, const engine_why_change *c,
                          base_error *err) {
    system_row(r);
    base_rc rc = add_asked(r, a, err);
    if (c->step > 0) system_i64(r, "step", (int64_t)c->step);
    system_time(r, "at", c->at_us, INT64_MIN);
    system_text(r, "standing", c->standing);
    if (c->revision > 0) system_i64(r, "revision", c->revision);
    if (c->cause.n > 0) system_copy(r, "cause", c->cause);
    base_buf text = {0};
    uint32_t n = engine_declared_columns(a->view);
    for (uint32_t i = 0; rc == BASE_OK && i < 2; i++) {
        if (i == 0 ? !c->has_old : !c->has_new) continue;
        base_buf_clear(&text);
        engine_ledger_row_json(a->view, c->row, i, n, NULL, &text);
        rc = add_json(r, i == 0 ? "old" : "new", &text, err);
    }
    if (rc == BASE_OK) rc = add_events(r, duplicates, c, err);
    base_buf_clear(&text);
    note_of(why, c, &text);
    if (text.n > 0) system_copy(r, "note", base_buf_str(&text));
    base_buf_deinit(&text);
    return rc;
}

base_rc system_fill_why(system_rows *r, base_error *err) {
    asked a;
    bool found;
    base_rc rc = find_asked(r, &a, &found, err);
    if (rc != BASE_OK || !found) return rc;
    engine_why why;
    rc = engine_why_of(r->session, a.view, &a.key, r->arena, &why, err);
    if (rc != BASE_OK) return rc;
    duplicates d = find_duplicates(&why.lineage, r->arena);
    for (uint32_t i = 0; rc == BASE_OK && i < why.n; i++)
        rc = change_row(r, &a, &why, &d, &why.changes[i], err);
    return rc;
}

// ---- weir.lineage -------------------------------------------------------------------------------

static base_rc event_row(system_rows *r, const asked *a, const engine_lineage_event *event,
                         base_error *err) {
    system_row(r);
    base_rc rc = add_asked(r, a, err);
    system_printf(r, "object", "%s.%s", event->object->schema, event->object->name);
    system_i64(r, "partition", event->partition);
    system_i64(r, "log_offset", (int64_t)event->offset);
    system_time(r, "event_time", event->event_us, INT64_MIN);
    system_time(r, "appended_at", event->ingested_us, INT64_MIN);
    if (event->duplicate) {
        system_i64(r, "original_partition", event->original_partition);
        system_i64(r, "original_offset", (int64_t)event->original_offset);
    }
    if (rc != BASE_OK || event->raw.n == 0) return rc;
    base_str canonical;
    rc = col_jsonb_canonical(event->raw, r->arena, &canonical, err);
    if (rc == BASE_OK) system_str(r, "event", canonical);
    return rc;
}

base_rc system_fill_lineage(system_rows *r, base_error *err) {
    asked a;
    bool found;
    base_rc rc = find_asked(r, &a, &found, err);
    if (rc != BASE_OK || !found) return rc;
    engine_lineage lineage;
    engine_lineage_at now = {0};
    rc = engine_lineage_of(r->session, a.view, &a.key, &now, ENGINE_LINEAGE_EVENTS_MAX, true,
                           r->arena, &lineage, err);
    if (rc == BASE_OK && lineage.truncated)
        return base_fail(err, BASE_E_LIMIT, BASE_SQLSTATE_OUT_OF_MEMORY,
                         "more than %u events make up the row", ENGINE_LINEAGE_EVENTS_MAX);
    for (uint32_t i = 0; rc == BASE_OK && i < lineage.n; i++)
        rc = event_row(r, &a, &lineage.events[i], err);
    return rc;
}
