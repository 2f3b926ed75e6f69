// why.c - tells the story of one row: see why.h.
//
// Changes come from the ledger, which is kept longest, and from the view's change log for what was
// not final yet. What a step had read is in the ledger's entry, or in the step's moment; the events
// of the row that lie within are those behind the change. That is exact where an event that makes
// up the row does so for good (plan_lineage.only_grows); elsewhere the row is traced as of before
// and after the step, and what differs is what came and what left. What is older than all that is
// kept is told as one change, from the log. Entry point: engine_why_of.

#include "engine/history/why.h"

#include <stdlib.h>
#include <string.h>

#include "base/be.h"
#include "base/must.h"
#include "col/json_tree.h"
#include "col/kernel.h"
#include "engine/history/ledger.h"
#include "engine/history/moment.h"
#include "engine/history/past.h"

typedef struct story {
    engine_session *session;
    const plan_object *view;
    const engine_view_key *key;
    base_arena *arena;
    uint32_t n, cap;
    engine_why_change *changes;
    uint32_t ncolumns;
    col_type *types;
    int64_t final_us;    // when the row is final, by the view's clock; INT64_MAX: never
    uint32_t nnoted;     // the first changes: of the ledger, by step
    uint64_t kept_after; // changes of steps up to this one are in the ledger at most
    bool appended;       // the view only grows: its rows are not kept by key
    bool has_gap;        // between changes that are kept there were others
} story;

static engine_why_change *add_change(story *s) {
    if (s->n == s->cap) {
        uint32_t cap = s->cap == 0 ? 16 : s->cap * 2;
        engine_why_change *more = base_arena_array(s->arena, engine_why_change, cap);
        if (s->n > 0) memcpy(more, s->changes, s->n * sizeof *more);
        s->changes = more, s->cap = cap;
    }
    s->changes[s->n] = (engine_why_change){.at_us = INT64_MIN};
    return &s->changes[s->n++];
}

static base_rc within_limits(const story *s, base_error *err) {
    if (s->session->cancel)
        return base_fail(err, BASE_E_CANCELLED, NULL, "canceling statement due to user request");
    if (s->n < ENGINE_WHY_CHANGES_MAX) return BASE_OK;
    return base_fail(err, BASE_E_LIMIT, BASE_SQLSTATE_OUT_OF_MEMORY,
                     "the row has more than %u changes: ask weir.revision for a part of them",
                     ENGINE_WHY_CHANGES_MAX);
}

static base_str copy_str(base_arena *arena, base_str s) {
    return (base_str){base_arena_memdup(arena, s.p, s.n), s.n};
}

static void note_final(story *s, const col_batch *rows, uint32_t row) {
    if (s->view->window_column < 0) return;
    const plan_column *column = &s->view->columns[s->view->window_column];
    int64_t end = plan_column_window_end(column, &rows->cols[s->view->window_column], row);
    s->final_us = plan_final_at(&s->view->finality, end);
}

static bool is_final(const story *s, int64_t watermark_us, int64_t at_us) {
    int64_t clock_us = engine_final_clock(s->view, watermark_us, at_us);
    return clock_us != ENGINE_NO_WATERMARK && clock_us >= s->final_us;
}

// ---- what is in the ledger ----------------------------------------------------------------------

static uint64_t number_of(const col_json *object, const char *name) {
    const col_json *value = col_json_member(object, base_str_of(name));
    uint64_t n = 0;
    for (size_t i = 0; value != NULL && value->kind == COL_JSON_NUMBER && i < value->text.n; i++)
        if (value->text.p[i] >= '0' && value->text.p[i] <= '9')
            n = n * 10 + (uint64_t)(value->text.p[i] - '0');
    return n;
}

static base_rc take_positions(story *s, base_str json, engine_why_change *c, base_error *err) {
    col_json *list;
    base_rc rc = col_json_parse(json, s->arena, &list, err);
    if (rc != BASE_OK) return rc;
    engine_why_range *ranges = base_arena_array(s->arena, engine_why_range, list->n + 1);
    for (uint32_t i = 0; i < list->n && list->kind == COL_JSON_ARRAY; i++) {
        const col_json *name = col_json_member(list->items[i], BASE_STR("object"));
        if (name == NULL || col_json_member(list->items[i], BASE_STR("to")) == NULL) continue;
        const plan_object *object = engine_find(s->session->engine, name->text);
        if (object == NULL) continue; // dropped since
        ranges[c->nranges++] = (engine_why_range){
            object->id, (uint32_t)number_of(list->items[i], "partition"),
            number_of(list->items[i], "from"), number_of(list->items[i], "to") + 1};
    }
    c->ranges = ranges;
    return BASE_OK;
}

static base_rc take_entry(void *arg, const engine_ledger_entry *entry, base_error *err) {
    story *s = arg;
    base_rc rc = within_limits(s, err);
    if (rc != BASE_OK) return rc;
    engine_why_change *c = add_change(s);
    c->step = entry->step;
    c->at_us = entry->at_us;
    c->revision = entry->revision;
    c->cause = copy_str(s->arena, entry->cause);
    c->has_old = entry->has_old, c->has_new = entry->has_new;
    c->row = col_batch_copy(s->arena, entry->row);
    c->noted = true;
    c->standing = entry->has_new ? "corrected" : "removed";
    note_final(s, c->row, entry->has_new ? 1 : 0);
    return take_positions(s, copy_str(s->arena, entry->positions), c, err);
}

// ---- what is in the change log ------------------------------------------------------------------

static engine_why_change *find_noted(const story *s, uint64_t step) {
    uint32_t low = 0, high = s->nnoted;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (s->changes[middle].step < step)
            low = middle + 1;
        else
            high = middle;
    }
    return low < s->nnoted && s->changes[low].step == step ? &s->changes[low] : NULL;
}

// The rows of one record of the change log.
typedef struct logged {
    uint64_t step;
    int64_t at_us, watermark_us;
    const col_batch *delta;
} logged;

static void take_delta(story *s, const logged *change, base_arena *scratch) {
    const col_batch *delta = change->delta;
    uint32_t old = UINT32_MAX, new = UINT32_MAX;
    int64_t weight = 0;
    base_str *keys = base_arena_array(scratch, base_str, delta->nrows + 1);
    engine_ledger_keys(s->view, delta, scratch, keys);
    for (uint32_t i = 0; i < delta->nrows; i++) {
        if (!base_str_eq(keys[i], s->key->bytes)) continue;
        weight += col_weight(delta, i);
        if (col_weight(delta, i) > 0) new = i;
        if (col_weight(delta, i) < 0) old = i;
    }
    if (old == UINT32_MAX && new == UINT32_MAX) return;
    uint32_t sel[2] = {old != UINT32_MAX ? old : new, new != UINT32_MAX ? new : old};
    const col_batch *rows = col_batch_gather(s->arena, delta, sel, 2);
    note_final(s, rows, 1);
    engine_why_change *c = find_noted(s, change->step);
    if (c != NULL) c->weight = weight;
    if (c != NULL || (s->view->nview_key == 0 && weight == 0)) return;
    c = add_change(s);
    c->weight = weight;
    c->step = change->step;
    c->at_us = change->at_us;
    c->has_old = old != UINT32_MAX, c->has_new = new != UINT32_MAX;
    c->row = col_batch_copy(s->arena, rows);
    c->standing = !c->has_new                                        ? "removed"
                  : s->view->window_column < 0                       ? "current"
                  : is_final(s, change->watermark_us, change->at_us) ? "final"
                                                                     : "provisional";
}

static base_rc take_record(story *s, const col_type *types, uint64_t step, base_str value,
                           base_arena *scratch, base_error *err) {
    logged change = {.step = step};
    base_str undo, bytes;
    base_rc rc = engine_change_parts(value, &undo, &bytes, err);
    if (rc != BASE_OK) return rc;
    memcpy(&change.at_us, value.p, 8); // every record begins with both
    memcpy(&change.watermark_us, value.p + 8, 8);
    col_batch *delta;
    rc = col_batch_decode(bytes, scratch, s->ncolumns, types, &delta, err);
    if (rc != BASE_OK) return rc;
    change.delta = delta;
    take_delta(s, &change, scratch);
    return within_limits(s, err);
}

// In one snapshot: what is trimmed meanwhile is there.
static base_rc take_changes(story *s, const engine_view_snapshot *snapshot, base_error *err) {
    state_cursor *cursor;
    base_rc rc = state_cursor_open(snapshot->txn, snapshot->changes, &cursor, err);
    if (rc != BASE_OK) return rc;
    base_arena scratch;
    base_arena_init(&scratch, 1 << 16);
    scratch.retain_bytes = 1u << 20;
    col_type *types = base_arena_array(s->arena, col_type, s->ncolumns + 1);
    for (uint32_t i = 0; i < s->ncolumns; i++) types[i] = s->view->columns[i].type;
    char from[8];
    base_be_put(from, snapshot->trimmed_step + 1, 8);
    base_str key, value;
    bool end;
    rc = state_cursor_seek(cursor, (base_str){from, 8}, &key, &value, &end, err);
    while (rc == BASE_OK && !end) {
        if (key.n < 8)
            rc = base_fail(err, BASE_E_CORRUPT, NULL, "the change log of \"%s.%s\" is damaged",
                           s->view->schema, s->view->name);
        if (rc == BASE_OK) rc = take_record(s, types, base_be_get(key.p, 8), value, &scratch, err);
        base_arena_reset(&scratch);
        if (rc == BASE_OK) rc = state_cursor_next(cursor, &key, &value, &end, err);
    }
    state_cursor_close(cursor);
    base_arena_deinit(&scratch);
    return rc;
}

// ---- the row as it is ---------------------------------------------------------------------------

typedef struct present {
    bool there;
    uint32_t revision;
    const col_batch *row; // one row
    uint64_t step;        // of the view
    int64_t final_us;     // what it is measured against
} present;

static base_rc read_present(story *s, engine_view_snapshot *snapshot, present *out,
                            base_error *err) {
    out->step = snapshot->step;
    out->final_us = snapshot->final_us;
    base_rc rc = BASE_OK;
    if (!snapshot->appended)
        rc = engine_view_get(s->view, snapshot, s->key->bytes, s->arena, &out->there, &out->row,
                             &out->revision, err);
    if (rc == BASE_OK && out->there) note_final(s, out->row, 0);
    return rc;
}

static int by_step(const void *x, const void *y) {
    const engine_why_change *a = x, *b = y;
    return (a->step > b->step) - (a->step < b->step);
}

static bool is_unchanged(const engine_why_change *c) {
    return strcmp(c->standing, "unchanged") == 0;
}

// By step; of one step what changed before what only became final; events without effect last.
static int in_order(const void *x, const void *y) {
    const engine_why_change *a = x, *b = y;
    if (is_unchanged(a) != is_unchanged(b)) return is_unchanged(a) - is_unchanged(b);
    if (a->step != b->step) return by_step(x, y);
    return (int)(strcmp(a->standing, "final") == 0) - (int)(strcmp(b->standing, "final") == 0);
}

// A view without a key may have equal rows: one that comes or goes is not the first or the last.
// Their number is known now, and so it was before each change; of a view that only grows, those
// are counted whose coming is kept.
static void count_equal(story *s, const present *now) {
    if (s->view->nview_key > 0 || (now->row == NULL && now->there)) return;
    int64_t n = now->there ? col_weight(now->row, 0) : 0;
    for (uint32_t i = 0; s->appended && i < s->n; i++) n += s->changes[i].weight;
    for (uint32_t i = s->n; i-- > 0;) {
        engine_why_change *c = &s->changes[i];
        int64_t before = n - c->weight;
        if (!c->noted) {
            c->has_old = before > 0, c->has_new = n > 0;
            if (c->has_new && strcmp(c->standing, "removed") == 0)
                c->standing = s->view->window_column < 0 ? "current" : "provisional";
        }
        if (before > 0 && n > 0)
            c->note = base_arena_printf(s->arena, "of equal rows there are %lld, and were %lld",
                                        (long long)n, (long long)before);
        n = before;
    }
}

// Before all that is kept there was a value: one change stands for what made it.
static void add_beginning(story *s, const present *now) {
    const engine_why_change *first = s->n > 0 ? &s->changes[0] : NULL;
    if (first == NULL ? !now->there : !first->has_old) return;
    engine_why_change *c = add_change(s);
    first = s->n > 1 ? &s->changes[0] : NULL;
    uint32_t sel[2] = {0, 0};
    c->row = col_batch_gather(s->arena, first == NULL ? now->row : first->row, sel, 2);
    c->has_new = true;
    c->standing = s->view->window_column < 0 ? "current" : "provisional";
}

static bool same_value(const story *s, const col_batch *a, uint32_t i, const col_batch *b,
                       uint32_t k) {
    for (uint32_t c = 0; c < s->ncolumns; c++)
        if (!col_cells_same(&a->cols[c], i, &b->cols[c], k)) return false;
    return true;
}

// Says what is not told: how many changes before the first value that is kept.
static void note_beginning(const story *s, engine_why_change *c) {
    base_buf note = {0};
    base_buf_add_cstr(&note, "not kept: ");
    if (c->revision > 0)
        base_buf_printf(&note, "%u change%s", c->revision, c->revision == 1 ? "" : "s");
    else
        base_buf_add_cstr(&note, "the changes");
    if (s->kept_after > 0)
        base_buf_printf(&note, " up to step %llu", (unsigned long long)s->kept_after);
    base_buf_add_cstr(&note, ", which came to this value; its events are from the log");
    c->note = base_arena_strdup(s->arena, base_buf_cstr(&note));
    base_buf_deinit(&note);
}

// And that there were changes between those that are kept.
static void note_gaps(story *s) {
    for (uint32_t i = 0; i < s->n; i++) {
        engine_why_change *c = &s->changes[i];
        const engine_why_change *before = i > 0 ? &s->changes[i - 1] : NULL;
        if (c->step == 0) note_beginning(s, c);
        if (before == NULL || (before->has_new == c->has_old &&
                               (!c->has_old || same_value(s, before->row, 1, c->row, 0))))
            continue;
        c->note = base_arena_printf(s->arena, "not kept: changes between step %llu and this one",
                                    (unsigned long long)before->step);
        s->has_gap = true;
    }
}

// Of a change of a step that had read nothing.
static const char *without_events(const engine_why_change *c) {
    if (!c->noted) return "where the step had read is no longer kept";
    if (c->cause.n >= 7 && memcmp(c->cause.p, "version", 7) == 0)
        return "the view's definition changed: its events are those before";
    if (c->cause.n >= 6 && memcmp(c->cause.p, "replay", 6) == 0)
        return "the row was computed anew from the log: its events are those before";
    return "the step had read no event: its events are those before";
}

// The first step after which the row was final; 0: not known.
static base_rc find_final(story *s, uint64_t from, uint64_t to, engine_moment *out,
                          base_error *err) {
    engine_flow *flow = engine_flow_of_view(s->session->engine, s->view->id);
    state_txn *txn;
    base_rc rc = engine_flow_begin_read(flow, &txn, err);
    if (rc != BASE_OK) return rc;
    out->step = 0;
    while (rc == BASE_OK && from < to) {
        uint64_t middle = from + (to - from) / 2;
        engine_moment moment;
        bool found;
        rc = engine_moment_at_step(txn, flow->t_moment, middle, s->arena, &moment, &found, err);
        const engine_moment_view *view =
            rc == BASE_OK && found ? engine_moment_find_view(&moment, s->view->id) : NULL;
        if (view != NULL && is_final(s, view->watermark_us, moment.at_us))
            to = middle;
        else
            from = middle + 1;
    }
    bool found = false;
    if (rc == BASE_OK)
        rc = engine_moment_at_step(txn, flow->t_moment, to, s->arena, out, &found, err);
    if (!found || out->step != to) out->step = 0;
    state_abort(txn);
    return rc;
}

// That a row has become final is told too, though nothing changes then.
static base_rc add_final(story *s, const present *now, base_error *err) {
    uint32_t last = UINT32_MAX;
    if (now->final_us == ENGINE_NO_WATERMARK || now->final_us < s->final_us) return BASE_OK;
    for (uint32_t i = 0; i < s->n && !s->changes[i].noted; i++) {
        if (strcmp(s->changes[i].standing, "final") == 0) return BASE_OK;
        last = i;
    }
    if (last == UINT32_MAX || !s->changes[last].has_new) return BASE_OK;
    uint64_t to = last + 1 < s->n ? s->changes[last + 1].step - 1 : now->step;
    engine_moment moment = {0};
    if (s->changes[last].step == 0) { // what it was before all that is kept was final
        if (last + 1 < s->n) s->changes[last].standing = "final";
        return BASE_OK;
    }
    base_rc rc = find_final(s, s->changes[last].step, to, &moment, err);
    if (rc != BASE_OK || moment.step == 0) return rc;
    engine_why_change *c = add_change(s);
    engine_why_change *before = &s->changes[last];
    c->step = moment.step;
    c->at_us = moment.at_us;
    c->revision = before->revision;
    uint32_t sel[2] = {1, 1};
    c->row = col_batch_gather(s->arena, before->row, sel, 2);
    c->has_old = c->has_new = true;
    c->standing = "final";
    return BASE_OK;
}

// Revisions count from 1 whenever a row comes, and end where the row is now.
static void number(story *s, const present *now) {
    uint32_t next = now->there ? now->revision : 0;
    for (uint32_t i = s->n; i-- > 0;) {
        engine_why_change *c = &s->changes[i];
        if (c->revision == 0 && c->has_new) c->revision = next;
        next = c->revision > 1 && c->has_old ? c->revision - 1 : 0;
    }
    for (uint32_t i = 0; i < s->n; i++)
        if (s->changes[i].revision == 0 && s->changes[i].has_old && i > 0 &&
            s->changes[i - 1].revision > 0)
            s->changes[i].revision = s->changes[i - 1].revision + 1;
}

// ---- where a step had read ----------------------------------------------------------------------

static base_rc ranges_of_step(story *s, engine_why_change *c, base_error *err) {
    if (c->nranges > 0 || c->step == 0) return BASE_OK;
    uint32_t nto, nfrom = 0;
    engine_upto *to, *from = NULL;
    bool exact_to, exact_from = true;
    engine *e = s->session->engine;
    base_rc rc = engine_lineage_places(e, s->view, c->step, s->arena, &nto, &to, &exact_to, err);
    if (rc == BASE_OK && c->step > 1)
        rc = engine_lineage_places(e, s->view, c->step - 1, s->arena, &nfrom, &from, &exact_from,
                                   err);
    // Without a moment before it the step is the first that the flow knows of; if the row was there
    // before, that is not where its events begin.
    bool begins = s->changes[0].step != 0;
    if (rc != BASE_OK || !exact_to || (!exact_from && !begins)) return rc;
    engine_why_range *ranges = base_arena_array(s->arena, engine_why_range, nto + 1);
    for (uint32_t i = 0; i < nto; i++) {
        uint64_t begin = 0;
        for (uint32_t k = 0; exact_from && k < nfrom; k++)
            if (from[k].object_id == to[i].object_id && from[k].partition == to[i].partition)
                begin = from[k].next;
        if (to[i].next > begin)
            ranges[c->nranges++] =
                (engine_why_range){to[i].object_id, to[i].partition, begin, to[i].next};
    }
    c->ranges = ranges;
    return BASE_OK;
}

// ---- events -------------------------------------------------------------------------------------

static int by_address(const void *x, const void *y) { // of one array: as they were ordered there
    const engine_lineage_event *const *a = x, *const *b = y;
    return (*a > *b) - (*a < *b);
}

// Those of the events, in order of place, that a step had read and no earlier change has.
static void give_to(story *s, engine_why_change *c, uint32_t n,
                    const engine_lineage_event *const *events, bool *given) {
    for (uint32_t pass = 0, count = 0; pass < 2; pass++) { // counts, then gives
        if (pass == 1 && count == 0) return;
        if (pass == 1) c->events = base_arena_array(s->arena, const engine_lineage_event *, count);
        for (uint32_t i = 0; i < c->nranges; i++) {
            const engine_why_range *r = &c->ranges[i];
            uint32_t k = engine_lineage_seek(events, n, r->object_id, r->partition, r->from);
            for (; k < n && events[k]->object->id == r->object_id &&
                   events[k]->partition == r->partition && events[k]->offset < r->next;
                 k++) {
                if (given[k]) continue;
                if (pass == 0) {
                    count++;
                } else {
                    given[k] = true;
                    c->events[c->nevents++] = events[k];
                }
            }
        }
    }
    qsort(c->events, c->nevents, sizeof *c->events, by_address);
}

static void hand_out(story *s, const engine_lineage *lineage) {
    uint32_t n, rest = 0;
    const engine_lineage_event **events = engine_lineage_by_place(lineage, s->arena, &n);
    bool *given = base_arena_array(s->arena, bool, n + 1);
    for (uint32_t i = 0; i < s->n; i++) {
        engine_why_change *c = &s->changes[i];
        give_to(s, c, n, events, given);
        if (c->step > 0 && c->nranges == 0 && c->note == NULL) c->note = without_events(c);
    }
    for (uint32_t k = 0; k < n; k++) rest += !given[k];
    if (rest == 0) return;
    engine_why_change *first = s->n > 0 && s->changes[0].step == 0 ? &s->changes[0] : NULL;
    if (first == NULL) { // events that have changed nothing
        first = add_change(s);
        first->standing = "unchanged";
        first->note = s->has_gap ? "these events are of the row; with which change they came is "
                                   "not kept"
                                 : "these events are of the row and have not changed its value";
    }
    first->events = base_arena_array(s->arena, const engine_lineage_event *, rest);
    first->nevents = 0;
    for (uint32_t k = 0; k < n; k++)
        if (!given[k]) first->events[first->nevents++] = events[k];
    qsort(first->events, first->nevents, sizeof *first->events, by_address);
}

static void keep_other(story *s, const engine_lineage *of, const engine_lineage *not_of,
                       uint32_t *n, const engine_lineage_event ***out) {
    uint32_t nothers;
    const engine_lineage_event **others = engine_lineage_by_place(not_of, s->arena, &nothers);
    *out = base_arena_array(s->arena, const engine_lineage_event *, of->n + 1);
    for (uint32_t i = 0; i < of->n; i++) {
        const engine_lineage_event *event = &of->events[i];
        if (event->duplicate) continue;
        uint32_t at = engine_lineage_seek(others, nothers, event->object->id, event->partition,
                                          event->offset);
        if (at == nothers || others[at]->object->id != event->object->id ||
            others[at]->partition != event->partition || others[at]->offset != event->offset)
            (*out)[(*n)++] = event;
    }
}

// Places before or after a step, from its ranges: other partitions as they are read now.
static engine_upto *places_at(story *s, const engine_why_change *c, bool after, uint32_t nnow,
                              const engine_upto *now) {
    engine_upto *out = base_arena_array(s->arena, engine_upto, nnow + 1);
    if (nnow > 0) memcpy(out, now, nnow * sizeof *out);
    for (uint32_t i = 0; i < nnow; i++)
        for (uint32_t k = 0; k < c->nranges; k++)
            if (c->ranges[k].object_id == out[i].object_id &&
                c->ranges[k].partition == out[i].partition)
                out[i].next = after ? c->ranges[k].next : c->ranges[k].from;
    return out;
}

// Fetches events of which the places are known; the change's own are those.
static base_rc fetch_events(story *s, uint32_t n, const engine_lineage_event **events,
                            base_error *err) {
    engine_lineage some = {.n = n};
    some.events = base_arena_array(s->arena, engine_lineage_event, n + 1);
    for (uint32_t i = 0; i < n; i++) some.events[i] = *events[i];
    base_rc rc = engine_lineage_fetch(s->session, true, s->arena, &some, err);
    for (uint32_t i = 0; i < n; i++) events[i] = &some.events[i];
    return rc;
}

// The row as of before and after a step: what differs has come, or has left.
static base_rc trace_step(story *s, engine_why_change *c, base_error *err) {
    uint32_t n;
    engine_upto *now;
    bool exact;
    base_rc rc = engine_lineage_places(s->session->engine, s->view, c->step, s->arena, &n, &now,
                                       &exact, err);
    engine_lineage *sides = base_arena_array(s->arena, engine_lineage, 2);
    for (uint32_t i = 0; rc == BASE_OK && i < 2; i++) {
        engine_lineage_at at = {.nupto = n, .now_us = c->at_us, .places_only = true};
        at.upto = places_at(s, c, i == 1, n, now);
        rc = engine_lineage_of(s->session, s->view, s->key, &at, ENGINE_WHY_EVENTS_MAX, false,
                               s->arena, &sides[i], err);
    }
    if (rc != BASE_OK) return rc;
    keep_other(s, &sides[1], &sides[0], &c->nevents, &c->events);
    keep_other(s, &sides[0], &sides[1], &c->nleft, &c->left);
    rc = fetch_events(s, c->nevents, c->events, err);
    return rc == BASE_OK ? fetch_events(s, c->nleft, c->left, err) : rc;
}

// What has come and gone without a change of the value, so that the story's events are the row's.
typedef struct told {
    const engine_lineage_event *event;
    uint32_t at; // the how manyeth change
    bool left;
} told;

static int by_place_and_change(const void *x, const void *y) {
    const told *a = x, *b = y;
    const engine_lineage_event *e = a->event, *f = b->event;
    if (e->object->id != f->object->id) return e->object->id < f->object->id ? -1 : 1;
    if (e->partition != f->partition) return e->partition < f->partition ? -1 : 1;
    if (e->offset != f->offset) return e->offset < f->offset ? -1 : 1;
    return (a->at > b->at) - (a->at < b->at);
}

static bool same_place(const engine_lineage_event *a, const engine_lineage_event *b) {
    return a->object->id == b->object->id && a->partition == b->partition && a->offset == b->offset;
}

// The events that were told to come and not to leave, as a lineage.
static engine_lineage events_told(story *s) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < s->n; i++) n += s->changes[i].nevents + s->changes[i].nleft;
    told *all = base_arena_array(s->arena, told, n + 1);
    n = 0;
    for (uint32_t i = 0; i < s->n; i++) {
        const engine_why_change *c = &s->changes[i];
        for (uint32_t k = 0; k < c->nevents + c->nleft; k++) {
            bool left = k >= c->nevents;
            all[n++] = (told){left ? c->left[k - c->nevents] : c->events[k], i, left};
        }
    }
    if (n > 1) qsort(all, n, sizeof *all, by_place_and_change);
    engine_lineage out = {.events = base_arena_array(s->arena, engine_lineage_event, n + 1)};
    for (uint32_t i = 0; i < n; i++)
        if (!all[i].left && (i + 1 == n || !same_place(all[i].event, all[i + 1].event)))
            out.events[out.n++] = *all[i].event;
    return out;
}

static void add_unchanged(story *s, const engine_lineage *now) {
    engine_lineage told = events_told(s);
    engine_why_change rest = {.at_us = INT64_MIN, .standing = "unchanged"};
    keep_other(s, now, &told, &rest.nevents, &rest.events);
    keep_other(s, &told, now, &rest.nleft, &rest.left);
    if (s->n == 0 || rest.nevents + rest.nleft == 0) return;
    rest.note = s->has_gap
                    ? "these events are of the row, or have left it; with which change is not "
                      "kept"
                    : "these events are of the row, or have left it, and have not changed "
                      "its value";
    *add_change(s) = rest;
}

static base_rc trace_steps(story *s, const engine_lineage *now, base_error *err) {
    base_rc rc = BASE_OK;
    uint32_t traced = 0;
    for (uint32_t i = s->n; i-- > 0 && rc == BASE_OK;) { // the newest first
        engine_why_change *c = &s->changes[i];
        if (c->step == 0 && i == 0) {
            engine_lineage none = {0};
            if (s->n == 1) keep_other(s, now, &none, &c->nevents, &c->events);
        } else if (c->nranges == 0) {
            if (c->note == NULL) c->note = without_events(c);
        } else if (traced++ == ENGINE_WHY_TRACED_MAX) {
            c->note = "not traced: there are many later changes";
        } else if (traced < ENGINE_WHY_TRACED_MAX) {
            rc = trace_step(s, c, err);
        }
        bool traced_it = c->step == 0 || (c->nranges > 0 && traced < ENGINE_WHY_TRACED_MAX);
        s->has_gap |= !traced_it;
    }
    if (rc == BASE_OK) add_unchanged(s, now);
    return rc;
}

static void sort_changes(story *s, int (*compare)(const void *, const void *)) {
    if (s->n > 1) qsort(s->changes, s->n, sizeof *s->changes, compare); // none: there is no array
}

typedef struct row_search {
    story *story;
    present *found;
} row_search;

static base_rc visit_rows(void *arg, const col_batch *rows, base_error *err) {
    row_search *search = arg;
    story *s = search->story;
    base_arena scratch;
    base_arena_init(&scratch, 1 << 16);
    base_str *keys = base_arena_array(&scratch, base_str, rows->nrows + 1);
    engine_ledger_keys(s->view, rows, &scratch, keys);
    for (uint32_t i = 0; i < rows->nrows && !search->found->there; i++) {
        if (!base_str_eq(keys[i], s->key->bytes)) continue;
        search->found->there = true;
        search->found->revision = 1;
        search->found->row = col_batch_copy(s->arena, col_batch_gather(&scratch, rows, &i, 1));
    }
    base_arena_deinit(&scratch);
    return within_limits(s, err);
}

// A view that only grows does not keep its rows by key.
static base_rc find_appended(story *s, const engine_view_snapshot *snapshot, present *now,
                             base_error *err) {
    row_search search = {s, now};
    base_rc rc = engine_view_scan_txn(s->view, true, snapshot->rows, snapshot->txn,
                                      snapshot->final_us, 8192, visit_rows, &search, err);
    if (rc == BASE_OK && now->there) note_final(s, now->row, 0);
    return rc;
}

// All that is kept of the row, at one step of its flow.
static base_rc read_kept(story *s, present *now, base_error *err) {
    engine_view_snapshot snapshot;
    base_rc rc = engine_view_snapshot_open(s->session->engine, s->view, &snapshot, err);
    if (rc != BASE_OK) return rc;
    s->kept_after = snapshot.trimmed_step;
    s->appended = snapshot.appended;
    rc = read_present(s, &snapshot, now, err);
    if (rc == BASE_OK)
        rc = engine_ledger_scan(snapshot.flow, snapshot.txn, s->view, s->key->bytes, take_entry, s,
                                err);
    sort_changes(s, by_step);
    s->nnoted = s->n;
    if (rc == BASE_OK) rc = take_changes(s, &snapshot, err);
    if (rc == BASE_OK && snapshot.appended && s->n == 0) rc = find_appended(s, &snapshot, now, err);
    engine_view_snapshot_close(&snapshot);
    return rc;
}

base_rc engine_why_of(engine_session *session, const plan_object *view, const engine_view_key *key,
                      base_arena *arena, engine_why *out, base_error *err) {
    story s = {.session = session,
               .view = view,
               .key = key,
               .arena = arena,
               .ncolumns = engine_declared_columns(view),
               .final_us = INT64_MAX};
    *out = (engine_why){.view = view, .key = *key};
    present now = {0};
    base_rc rc = read_kept(&s, &now, err);
    if (rc != BASE_OK) return rc;
    sort_changes(&s, by_step);
    count_equal(&s, &now);
    add_beginning(&s, &now);
    sort_changes(&s, by_step);
    number(&s, &now);
    note_gaps(&s);
    for (uint32_t i = 0; rc == BASE_OK && i < s.n; i++) rc = ranges_of_step(&s, &s.changes[i], err);
    engine_lineage_at at = {.step = now.step};
    if (rc == BASE_OK)
        rc = engine_lineage_of(session, view, key, &at, ENGINE_WHY_EVENTS_MAX, true, arena,
                               &out->lineage, err);
    if (rc == BASE_OK && out->lineage.only_grows)
        hand_out(&s, &out->lineage);
    else if (rc == BASE_OK)
        rc = trace_steps(&s, &out->lineage, err);
    if (rc == BASE_OK) rc = add_final(&s, &now, err);
    sort_changes(&s, in_order);
    out->n = s.n;
    out->changes = s.changes;
    return rc;
}
