// delivery.c - what sinks deliver: a step's delta as inserts, deletes and updates, in JSON.
//
// In a view with a key, the row that left and the row that came of one key are one update with both
// its sides. A request of a webhook:
//   {"sink":"sales.alerts","view":"sales.stockouts","step":812,"seq":0,
//    "idempotency_key":"sales.alerts.16390-812-0","at":"2025-01-01T10:00:00Z","watermark":null,
//    "changes":[{"op":"update","status":"final","before":{...},"row":{...}}, ...]}
// "status" stands in changes of views with windows: whether the row's window is final.
// A line of a file is one change with the same names and "id", which is made of the step and the
// change's place in it. "count" stands with a change of more than one equal row. Of a
// reconciliation's run, a request and a line are the members that engine/recon/alert.c makes, after
// "sink" and the key.
//
// Invariant: the same step gives the same items in the same order, whenever it is read.
// Entry points: connect_changes_build, connect_write_line, connect_write_request.

#include "base/must.h"
#include "col/codec.h"
#include "col/kernel.h"
#include "connect/connect_int.h"

// What happened to one key in the step.
typedef struct key_change {
    uint32_t came, left; // rows of the batch
    uint32_t ncame, nleft;
    bool single; // each of weight 1
} key_change;

typedef struct building {
    base_arena *arena;
    const col_batch *batch;
    connect_emit emit;
    const uint8_t *final; // by row; NULL: there are no windows
    connect_item *items;
    uint32_t n;
} building;

static void add_row(building *b, uint32_t row) {
    int64_t weight = col_weight(b->batch, row);
    if (weight == 0 || (b->emit == CONNECT_INSERTS && weight < 0)) return;
    if (b->emit == CONNECT_FINAL && !b->final[row]) return;
    connect_op came = b->emit == CONNECT_FINAL ? CONNECT_UPSERT : CONNECT_INSERT;
    b->items[b->n++] =
        (connect_item){weight > 0 ? came : CONNECT_DELETE, row, 0, weight > 0 ? weight : -weight};
}

static void add_keyed(building *b, uint32_t nkey, const uint32_t *key) {
    uint32_t n = b->batch->nrows, ngroups;
    uint32_t *group_of = base_arena_array(b->arena, uint32_t, n + 1), *first;
    col_group(b->arena, b->batch, nkey, key, group_of, &first, &ngroups);
    key_change *changes = base_arena_array(b->arena, key_change, ngroups + 1);
    for (uint32_t i = 0; i < n; i++) {
        key_change *c = &changes[group_of[i]];
        int64_t weight = col_weight(b->batch, i);
        if (c->ncame + c->nleft == 0) c->single = true;
        if (weight > 0 && c->ncame++ == 0) c->came = i;
        if (weight < 0 && c->nleft++ == 0) c->left = i;
        if (weight != 1 && weight != -1) c->single = false;
    }
    for (uint32_t i = 0; i < n; i++) {
        const key_change *c = &changes[group_of[i]];
        bool update = c->single && c->ncame == 1 && c->nleft == 1;
        if (!update) {
            add_row(b, i);
        } else if (i == first[group_of[i]] && b->emit == CONNECT_FINAL) {
            add_row(b, c->came); // what was there before may never have been told
        } else if (i == first[group_of[i]] && b->emit == CONNECT_CHANGES) {
            b->items[b->n++] = (connect_item){CONNECT_UPDATE, c->came, c->left, 1};
        }
    }
}

static const uint8_t *final_rows(base_arena *arena, const plan_object *view,
                                 const engine_change *change) {
    if (view->window_column < 0) return NULL;
    uint8_t *final = base_arena_zalloc(arena, change->delta->nrows + 1u);
    for (uint32_t i = 0; i < change->delta->nrows; i++)
        final[i] = engine_change_is_final(view, change, i);
    return final;
}

void connect_changes_build(base_arena *arena, const plan_object *view, const engine_change *change,
                           connect_emit emit, connect_changes *out) {
    building b = {arena, change->delta, emit, final_rows(arena, view, change), NULL, 0};
    must(emit != CONNECT_FINAL || b.final != NULL);
    b.items = base_arena_array(arena, connect_item, change->delta->nrows + 1);
    if (view->nview_key > 0 && view->nview_key < change->delta->ncols)
        add_keyed(&b, view->nview_key, view->view_key);
    else
        for (uint32_t i = 0; i < change->delta->nrows; i++) add_row(&b, i);
    *out = (connect_changes){.step = change->step,
                             .at_us = change->at_us,
                             .watermark_us = change->watermark_us,
                             .final = b.final,
                             .view = view,
                             .batch = change->delta,
                             .nitems = b.n,
                             .items = b.items};
}

// ---- JSON
// ------------------------------------------------------------------------------------------------

static void write_row(base_buf *buf, const connect_changes *changes, uint32_t row) {
    base_buf_add_byte(buf, '{');
    for (uint32_t i = 0; i < changes->batch->ncols; i++) {
        if (i > 0) base_buf_add_byte(buf, ',');
        base_buf_add_json_string(buf, base_str_of(changes->view->columns[i].name));
        base_buf_add_byte(buf, ':');
        col_json_format(&changes->batch->cols[i], row, buf);
    }
    base_buf_add_byte(buf, '}');
}

static void write_change(base_buf *buf, const connect_changes *changes, const connect_item *item) {
    static const char *const ops[] = {"insert", "delete", "update", "upsert"};
    base_buf_printf(buf, "\"op\":\"%s\",", ops[item->op]);
    if (changes->final != NULL)
        base_buf_printf(buf, "\"status\":\"%s\",",
                        changes->final[item->row] ? "final" : "provisional");
    if (item->count != 1) base_buf_printf(buf, "\"count\":%lld,", (long long)item->count);
    if (item->op == CONNECT_UPDATE) {
        base_buf_add_cstr(buf, "\"before\":");
        write_row(buf, changes, item->before);
        base_buf_add_byte(buf, ',');
    }
    base_buf_add_cstr(buf, "\"row\":");
    write_row(buf, changes, item->row);
}

static void write_member(base_buf *buf, const char *name, const char *text) {
    base_buf_printf(buf, "\"%s\":", name);
    base_buf_add_json_string(buf, base_str_of(text));
    base_buf_add_byte(buf, ',');
}

static void write_time(base_buf *buf, const char *name, int64_t us) {
    char text[BASE_TIME_TEXT_MAX] = "";
    if (us != INT64_MIN && us != INT64_MAX) base_rfc3339_format(us, text);
    if (us == INT64_MIN)
        base_buf_printf(buf, "\"%s\":null,", name);
    else
        base_buf_printf(buf, "\"%s\":\"%s\",", name, us == INT64_MAX ? "infinity" : text);
}

void connect_write_key(base_buf *buf, const char *token, const connect_changes *changes,
                       uint32_t seq) {
    if (changes->alert != NULL) {
        base_buf_printf(buf, "%s-%llu", token, (unsigned long long)changes->step);
        return;
    }
    base_buf_printf(buf, "%s-%llu-%u", token, (unsigned long long)changes->step, seq);
}

static void write_key_member(base_buf *buf, const char *name, const char *token,
                             const connect_changes *changes, uint32_t seq) {
    base_buf key = {0};
    connect_write_key(&key, token, changes, seq);
    write_member(buf, name, base_buf_cstr(&key));
    base_buf_deinit(&key);
}

static void write_head(base_buf *buf, const char *sink, const connect_changes *changes) {
    write_member(buf, "sink", sink);
    base_buf view = {0};
    base_buf_printf(&view, "%s.%s", changes->view->schema, changes->view->name);
    write_member(buf, "view", base_buf_cstr(&view));
    base_buf_deinit(&view);
    base_buf_printf(buf, "\"step\":%llu,", (unsigned long long)changes->step);
}

// The id comes first: file.c knows its own lines by it.
void connect_write_line(base_buf *buf, const char *token, const char *sink,
                        const connect_changes *changes, uint32_t item) {
    base_buf_add_byte(buf, '{');
    write_key_member(buf, "id", token, changes, item);
    if (changes->alert != NULL) {
        write_member(buf, "sink", sink);
        base_buf_add_str(buf, changes->alert->members);
        base_buf_add_cstr(buf, "}\n");
        return;
    }
    write_head(buf, sink, changes);
    write_time(buf, "at", changes->at_us);
    write_change(buf, changes, &changes->items[item]);
    base_buf_add_cstr(buf, "}\n");
}

void connect_write_request(base_buf *buf, const char *token, const char *sink,
                           const connect_changes *changes, uint32_t seq, uint32_t first,
                           uint32_t n) {
    must(first + n <= changes->nitems);
    base_buf_add_byte(buf, '{');
    if (changes->alert != NULL) {
        write_member(buf, "sink", sink);
        write_key_member(buf, "idempotency_key", token, changes, seq);
        base_buf_add_str(buf, changes->alert->members);
        base_buf_add_byte(buf, '}');
        return;
    }
    write_head(buf, sink, changes);
    base_buf_printf(buf, "\"seq\":%u,", seq);
    write_key_member(buf, "idempotency_key", token, changes, seq);
    write_time(buf, "at", changes->at_us);
    write_time(buf, "watermark", changes->watermark_us);
    base_buf_add_cstr(buf, "\"changes\":[");
    for (uint32_t i = first; i < first + n; i++) {
        base_buf_add_cstr(buf, i > first ? ",{" : "{");
        write_change(buf, changes, &changes->items[i]);
        base_buf_add_byte(buf, '}');
    }
    base_buf_add_cstr(buf, "]}");
}
