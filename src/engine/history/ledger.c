// ledger.c - the revision ledger in a flow's store: entries, their index by key, upkeep.
//
// Tables, keys big endian:
//   engine.revision      view id, step, 0      -> step_head, cause, positions: of the step, once
//   engine.revision      view id, step, i > 0  -> entry_head, row key, old row, new row
//   engine.revision_key  view id, hash of the row key, step, i -> nothing
// The index has a hash in place of the key, since keys are as long as rows of a view without a key;
// whoever reads compares the key itself. Invariants: an entry has its index row and its step's
// head; entries of a step are numbered from 1 without a gap. Entry points: engine_ledger_write,
// engine_ledger_scan.

#include "engine/history/ledger.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/be.h"
#include "base/hash.h"
#include "base/must.h"
#include "engine/catalog_int.h"
#include "engine/history/lineage.h"

#define TRIM_ENTRIES_MAX 20000u // in one transaction

// Disk formats.
typedef struct step_head {
    uint32_t version; // 1
    uint32_t cause_bytes;
    int64_t at_us;
} step_head;
_Static_assert(sizeof(step_head) == 16, "step_head is a disk format");

typedef struct entry_head {
    uint32_t version; // 1
    uint32_t has;     // 1: an old row, 2: a new row
    uint32_t revision;
    uint32_t key_bytes;
} entry_head;
_Static_assert(sizeof(entry_head) == 16, "entry_head is a disk format");

#define HAS_OLD 1u
#define HAS_NEW 2u

#define ENTRY_KEY_BYTES 16
#define INDEX_KEY_BYTES 24

static base_str entry_key(char out[ENTRY_KEY_BYTES], uint32_t view_id, uint64_t step, uint32_t i) {
    base_be_put(out, view_id, 4);
    base_be_put(out + 4, step, 8);
    base_be_put(out + 12, i, 4);
    return (base_str){out, ENTRY_KEY_BYTES};
}

static base_str index_key(char out[INDEX_KEY_BYTES], uint32_t view_id, uint64_t hash, uint64_t step,
                          uint32_t i) {
    base_be_put(out, view_id, 4);
    base_be_put(out + 4, hash, 8);
    base_be_put(out + 12, step, 8);
    base_be_put(out + 20, i, 4);
    return (base_str){out, INDEX_KEY_BYTES};
}

base_rc engine_ledger_open(engine_flow *flow, base_error *err) {
    base_rc rc = state_table_open(flow->store, "engine.revision", &flow->t_ledger, err);
    if (rc != BASE_OK) return rc;
    return state_table_open(flow->store, "engine.revision_key", &flow->t_ledger_key, err);
}

// ---- rows and keys ------------------------------------------------------------------------------

void engine_ledger_row_json(const plan_object *view, const col_batch *rows, uint32_t row,
                            uint32_t ncolumns, const uint32_t *columns, base_buf *buf) {
    base_buf_add_byte(buf, '{');
    for (uint32_t i = 0; i < ncolumns; i++) {
        uint32_t c = columns == NULL ? i : columns[i];
        if (i > 0) base_buf_add_byte(buf, ',');
        base_buf_add_json_string(buf, base_str_of(view->columns[c].name));
        base_buf_add_byte(buf, ':');
        if (col_is_null(&rows->cols[c], row))
            base_buf_add_cstr(buf, "null");
        else
            col_json_format(&rows->cols[c], row, buf);
    }
    base_buf_add_byte(buf, '}');
}

static uint32_t *all_columns(base_arena *arena, uint32_t n) {
    uint32_t *columns = base_arena_array(arena, uint32_t, n + 1);
    for (uint32_t i = 0; i < n; i++) columns[i] = i;
    return columns;
}

const uint32_t *engine_ledger_key_columns(const plan_object *view, base_arena *arena, uint32_t *n) {
    if (view->nview_key > 0) {
        *n = view->nview_key;
        return view->view_key;
    }
    *n = engine_declared_columns(view);
    return all_columns(arena, *n);
}

base_str engine_ledger_key(const plan_object *view, const col_batch *rows, uint32_t row,
                           base_arena *arena) {
    base_str key;
    engine_ledger_keys(view, col_batch_slice(arena, rows, row, 1), arena, &key);
    return key;
}

void engine_ledger_keys(const plan_object *view, const col_batch *rows, base_arena *arena,
                        base_str *keys) {
    uint32_t n = engine_declared_columns(view);
    if (view->nview_key > 0) {
        col_keys_encode(NULL, arena, rows, view->nview_key, view->view_key, keys);
        return;
    }
    col_type *types = base_arena_array(arena, col_type, n + 1);
    for (uint32_t i = 0; i < n; i++) types[i] = view->columns[i].type;
    col_keys_encode_exact(NULL, arena, rows, n, all_columns(arena, n), types, keys);
}

// ---- why a step changes what it changes ---------------------------------------------------------

// Which kinds of input of a view had rows in this step: the finest cause that a step can tell.
typedef struct cause_search {
    engine_flow *flow;
    bool event, table;
    base_buf upstream; // names of views, ", " between them
} cause_search;

static void add_upstream(cause_search *cause, const plan_object *view) {
    base_buf name = {0};
    base_buf_printf(&name, "%s.%s", view->schema, view->name);
    // Whole names: one may be a part of another.
    bool there = false;
    const char *text = cause->upstream.n > 0 ? base_buf_cstr(&cause->upstream) : NULL;
    const char *at = text;
    while (at != NULL && !there && (at = strstr(at, base_buf_cstr(&name))) != NULL) {
        const char *end = at + name.n;
        there = (at == text || (at - text >= 2 && memcmp(at - 2, ", ", 2) == 0)) &&
                (*end == 0 || memcmp(end, ", ", 2) == 0);
        at = end;
    }
    if (!there) {
        if (cause->upstream.n > 0) base_buf_add_cstr(&cause->upstream, ", ");
        base_buf_add_str(&cause->upstream, base_buf_str(&name));
    }
    base_buf_deinit(&name);
}

static void visit_cause(void *arg, const plan_node *scan) {
    cause_search *cause = arg;
    const plan_object *object = scan->object;
    if (object->kind == PLAN_OBJECT_VIEW) {
        engine_view *inner = engine_flow_view(cause->flow, object->id);
        if (inner != NULL) {
            if (inner->changed_step == cause->flow->step + 1) add_upstream(cause, object);
            return;
        }
    }
    for (uint32_t i = 0; i < cause->flow->ninputs; i++) {
        const engine_input *input = &cause->flow->inputs[i];
        if (input->object->id != object->id || input->step_rows == 0) continue;
        if (object->kind == PLAN_OBJECT_STREAM) cause->event = true;
        if (object->kind == PLAN_OBJECT_TABLE) cause->table = true;
        if (object->kind == PLAN_OBJECT_VIEW) add_upstream(cause, object);
    }
}

bool engine_ledger_is_moved(engine_flow *flow, const plan_object *view) {
    cause_search cause = {.flow = flow};
    plan_node_scans(view->plan, visit_cause, &cause);
    bool moved = cause.event || cause.table || cause.upstream.n > 0;
    base_buf_deinit(&cause.upstream);
    return moved;
}

static void add_cause(base_buf *buf, const char *text) {
    if (buf->n > 0) base_buf_add_cstr(buf, ", ");
    base_buf_add_cstr(buf, text);
}

static void cause_text(engine_flow *flow, const plan_object *view, base_buf *buf) {
    if (flow->step_cause != NULL) {
        base_buf_add_cstr(buf, flow->step_cause);
        return;
    }
    cause_search cause = {.flow = flow};
    plan_node_scans(view->plan, visit_cause, &cause);
    uint64_t records = 0;
    for (uint32_t i = 0; i < flow->ninputs; i++)
        if (flow->inputs[i].stream != NULL) records += flow->inputs[i].step_rows;
    engine_origins_print(&flow->step_origins, buf);
    bool plain = flow->step_origins.records < records; // some came in the ordinary way
    if (cause.event && plain) add_cause(buf, "late event");
    if (cause.table && plain) add_cause(buf, "table change");
    if (cause.upstream.n > 0) {
        add_cause(buf, "upstream correction of ");
        base_buf_add_str(buf, base_buf_str(&cause.upstream));
    }
    if (buf->n == 0) base_buf_add_cstr(buf, "unknown");
    base_buf_deinit(&cause.upstream);
}

// Where in their logs the rows are that the step has read for a view.
typedef struct position_search {
    engine_flow *flow;
    bool *seen; // by input
    base_buf *buf;
} position_search;

static void add_range(base_buf *buf, const plan_object *object, uint32_t partition, uint64_t from,
                      uint64_t next) {
    if (next <= from) return;
    base_buf name = {0};
    base_buf_printf(&name, "%s.%s", object->schema, object->name);
    base_buf_add_cstr(buf, buf->n == 0 ? "[{\"object\": " : ", {\"object\": ");
    base_buf_add_json_string(buf, base_buf_str(&name));
    base_buf_deinit(&name);
    if (object->kind == PLAN_OBJECT_VIEW)
        base_buf_printf(buf, ", \"from_step\": %llu, \"to_step\": %llu}", (unsigned long long)from,
                        (unsigned long long)(next - 1));
    else
        base_buf_printf(buf, ", \"partition\": %u, \"from\": %llu, \"to\": %llu}", partition,
                        (unsigned long long)from, (unsigned long long)(next - 1));
}

// What the steps of another flow that were taken over had read: that flow's moments say so now, and
// are not kept as long as the ledger. Where they do not, its steps must do.
static void add_upstream_ranges(position_search *s, const engine_input *input) {
    engine *e = s->flow->engine;
    base_arena *arena = &s->flow->step_arena;
    uint32_t nto = 0, nfrom = 0;
    engine_upto *to = NULL, *from = NULL;
    bool exact = true, exact_from = true;
    base_error err;
    base_rc rc = engine_lineage_places(e, input->object, input->upstream_step, arena, &nto, &to,
                                       &exact, &err);
    if (rc == BASE_OK && input->step_from > 0)
        rc = engine_lineage_places(e, input->object, input->step_from, arena, &nfrom, &from,
                                   &exact_from, &err);
    if (rc != BASE_OK || !exact || !exact_from) return;
    for (uint32_t i = 0; i < nto; i++) {
        uint64_t begin = 0;
        for (uint32_t k = 0; k < nfrom; k++)
            if (from[k].object_id == to[i].object_id && from[k].partition == to[i].partition)
                begin = from[k].next;
        const plan_object *object = engine_catalog_by_id(e, to[i].object_id);
        if (object != NULL) add_range(s->buf, object, to[i].partition, begin, to[i].next);
    }
}

static void add_positions(position_search *s, const engine_input *input) {
    if (input->upstream != NULL) {
        add_range(s->buf, input->object, 0, input->step_from + 1, input->upstream_step + 1);
        add_upstream_ranges(s, input);
        return;
    }
    for (uint32_t p = 0; p < input->npartitions; p++)
        add_range(s->buf, input->object, p, input->partitions[p].step_from,
                  input->partitions[p].next);
}

static void visit_positions(void *arg, const plan_node *scan) {
    position_search *s = arg;
    const plan_object *object = scan->object;
    engine_view *inner =
        object->kind == PLAN_OBJECT_VIEW ? engine_flow_view(s->flow, object->id) : NULL;
    if (inner != NULL) plan_node_scans(inner->object->plan, visit_positions, s);
    for (uint32_t i = 0; inner == NULL && i < s->flow->ninputs; i++) {
        const engine_input *input = &s->flow->inputs[i];
        if (input->object->id != object->id || input->step_rows == 0 || s->seen[i]) continue;
        s->seen[i] = true;
        add_positions(s, input);
    }
}

static void positions_text(engine_flow *flow, const plan_object *view, base_buf *buf) {
    position_search s = {flow, base_arena_zalloc(&flow->step_arena, flow->ninputs + 1), buf};
    plan_node_scans(view->plan, visit_positions, &s);
    base_buf_add_cstr(buf, buf->n == 0 ? "[]" : "]");
}

// ---- writing ------------------------------------------------------------------------------------

static base_rc write_head(engine_flow *flow, const plan_object *view, base_error *err) {
    base_buf cause = {0}, positions = {0}, value = {0};
    cause_text(flow, view, &cause);
    positions_text(flow, view, &positions);
    step_head head = {1, (uint32_t)cause.n, flow->now_us};
    base_buf_add(&value, &head, sizeof head);
    base_buf_add_str(&value, base_buf_str(&cause));
    base_buf_add_str(&value, base_buf_str(&positions));
    char key[ENTRY_KEY_BYTES];
    base_rc rc = state_put(flow->txn, flow->t_ledger, entry_key(key, view->id, flow->step + 1, 0),
                           base_buf_str(&value), err);
    base_buf_deinit(&cause);
    base_buf_deinit(&positions);
    base_buf_deinit(&value);
    return rc;
}

static base_str encode_entry(const engine_ledger_change *c, const uint32_t *columns,
                             base_buf *scratch, base_arena *arena) {
    entry_head head = {1, (c->old_rows != NULL ? HAS_OLD : 0) | (c->new_rows != NULL ? HAS_NEW : 0),
                       c->revision, (uint32_t)c->key.n};
    base_buf_clear(scratch);
    base_buf_add(scratch, &head, sizeof head);
    base_buf_add_str(scratch, c->key);
    if (c->old_rows != NULL)
        col_row_encode(scratch, c->old_rows, c->old_row, c->old_rows->ncols, columns);
    if (c->new_rows != NULL)
        col_row_encode(scratch, c->new_rows, c->new_row, c->new_rows->ncols, columns);
    return (base_str){base_arena_memdup(arena, scratch->p, scratch->n), scratch->n};
}

base_rc engine_ledger_write(engine_flow *flow, const plan_object *view, uint32_t n,
                            const engine_ledger_change *changes, base_error *err) {
    // The option may be another since the flow's graph was made.
    const plan_object *now = engine_catalog_by_id(flow->engine, view->id);
    if (n == 0 || (now != NULL && now->ledger_us < 0)) return BASE_OK;
    base_rc rc = write_head(flow, view, err);
    if (rc != BASE_OK) return rc;
    base_arena *arena = &flow->step_arena;
    const uint32_t *columns = all_columns(arena, engine_declared_columns(view));
    base_str *keys = base_arena_array(arena, base_str, n);
    base_str *values = base_arena_array(arena, base_str, n);
    base_str *index = base_arena_array(arena, base_str, n);
    char *bytes = base_arena_alloc(arena, (size_t)n * (ENTRY_KEY_BYTES + INDEX_KEY_BYTES));
    base_buf scratch = {0};
    for (uint32_t i = 0; i < n; i++) {
        uint64_t hash = base_hash64(changes[i].key.p, changes[i].key.n);
        keys[i] = entry_key(bytes, view->id, flow->step + 1, i + 1);
        index[i] = index_key(bytes + ENTRY_KEY_BYTES, view->id, hash, flow->step + 1, i + 1);
        bytes += ENTRY_KEY_BYTES + INDEX_KEY_BYTES;
        values[i] = encode_entry(&changes[i], columns, &scratch, arena);
    }
    base_buf_deinit(&scratch);
    rc = state_put_batch(flow->txn, flow->t_ledger, n, keys, values, err);
    if (rc != BASE_OK) return rc;
    uint32_t *order = col_keys_sort(flow->engine->workers, arena, n, index);
    for (uint32_t i = 0; i < n; i++) {
        keys[i] = index[order[i]];
        values[i] = (base_str){"", 0};
    }
    return state_put_batch(flow->txn, flow->t_ledger_key, n, keys, values, err);
}

// ---- reading ------------------------------------------------------------------------------------

typedef struct scan {
    engine_flow *flow;
    state_txn *txn;
    const plan_object *view;
    uint32_t ncolumns;
    const uint32_t *columns;
    const col_type *types;
    base_arena arena, scratch; // of the scan; of an entry
    base_str wanted;           // key; p NULL: all
    base_buf head;             // of the step being read: cause, then positions
    uint64_t head_step;
    step_head head_fields;
    base_rc (*visit)(void *arg, const engine_ledger_entry *entry, base_error *err);
    void *arg;
} scan;

static base_rc damaged(const scan *s, base_error *err) {
    return base_fail(err, BASE_E_CORRUPT, NULL, "the ledger of view \"%s.%s\" is damaged",
                     s->view->schema, s->view->name);
}

static base_rc take_head(scan *s, uint64_t step, base_str value, base_error *err) {
    if (value.n < sizeof s->head_fields) return damaged(s, err);
    memcpy(&s->head_fields, value.p, sizeof s->head_fields);
    size_t rest = value.n - sizeof s->head_fields;
    if (s->head_fields.version != 1 || s->head_fields.cause_bytes > rest) return damaged(s, err);
    base_buf_clear(&s->head);
    base_buf_add(&s->head, value.p + sizeof s->head_fields, rest);
    s->head_step = step;
    return BASE_OK;
}

static base_rc take_entry(scan *s, uint64_t step, base_str value, base_error *err) {
    entry_head head;
    if (value.n < sizeof head || s->head_step != step) return damaged(s, err);
    memcpy(&head, value.p, sizeof head);
    if (head.version != 1 || head.key_bytes > value.n - sizeof head) return damaged(s, err);
    base_str key = {value.p + sizeof head, head.key_bytes};
    if (s->wanted.p != NULL && !base_str_eq(key, s->wanted)) return BASE_OK; // of the same hash
    base_arena_reset(&s->scratch);
    col_batch *row = col_batch_create(&s->scratch, s->ncolumns, s->types, 2);
    base_str rows = {key.p + key.n, value.n - sizeof head - key.n};
    size_t at = 0;
    base_rc rc = BASE_OK;
    for (uint32_t i = 0; i < 2 && rc == BASE_OK; i++)
        if ((head.has & (i == 0 ? HAS_OLD : HAS_NEW)) != 0)
            rc = col_row_decode(rows, &at, row, i, s->ncolumns, s->columns, &s->scratch, err);
    if (rc != BASE_OK) return rc;
    uint32_t cause = s->head_fields.cause_bytes;
    engine_ledger_entry entry = {.view = s->view,
                                 .step = step,
                                 .at_us = s->head_fields.at_us,
                                 .revision = head.revision,
                                 .key = key,
                                 .cause = {s->head.p, cause},
                                 .positions = {s->head.p + cause, s->head.n - cause},
                                 .row = row,
                                 .has_old = (head.has & HAS_OLD) != 0,
                                 .has_new = (head.has & HAS_NEW) != 0};
    return s->visit(s->arg, &entry, err);
}

static bool is_of(base_str key, size_t bytes, uint32_t view_id) {
    return key.n == bytes && base_be_get(key.p, 4) == view_id;
}

static base_rc scan_all(scan *s, base_error *err) {
    state_cursor *cursor;
    base_rc rc = state_cursor_open(s->txn, s->flow->t_ledger, &cursor, err);
    if (rc != BASE_OK) return rc;
    char from[ENTRY_KEY_BYTES];
    base_str key, value;
    bool end;
    rc = state_cursor_seek(cursor, entry_key(from, s->view->id, 0, 0), &key, &value, &end, err);
    while (rc == BASE_OK && !end && is_of(key, ENTRY_KEY_BYTES, s->view->id)) {
        uint64_t step = base_be_get(key.p + 4, 8);
        rc = base_be_get(key.p + 12, 4) == 0 ? take_head(s, step, value, err)
                                             : take_entry(s, step, value, err);
        if (rc == BASE_OK) rc = state_cursor_next(cursor, &key, &value, &end, err);
    }
    state_cursor_close(cursor);
    return rc;
}

static base_rc get_entry(scan *s, uint64_t step, uint32_t i, base_error *err) {
    char bytes[ENTRY_KEY_BYTES];
    base_str value;
    bool found = true;
    base_rc rc = BASE_OK;
    if (s->head_step != step) {
        rc = state_get(s->txn, s->flow->t_ledger, entry_key(bytes, s->view->id, step, 0), &value,
                       &found, err);
        if (rc == BASE_OK && found) rc = take_head(s, step, value, err);
    }
    if (rc == BASE_OK && found)
        rc = state_get(s->txn, s->flow->t_ledger, entry_key(bytes, s->view->id, step, i), &value,
                       &found, err);
    if (rc != BASE_OK) return rc;
    return found ? take_entry(s, step, value, err) : damaged(s, err);
}

static base_rc scan_key(scan *s, base_error *err) {
    state_cursor *cursor;
    base_rc rc = state_cursor_open(s->txn, s->flow->t_ledger_key, &cursor, err);
    if (rc != BASE_OK) return rc;
    uint64_t hash = base_hash64(s->wanted.p, s->wanted.n);
    char from[INDEX_KEY_BYTES];
    base_str key, value;
    bool end;
    rc = state_cursor_seek(cursor, index_key(from, s->view->id, hash, 0, 0), &key, &value, &end,
                           err);
    while (rc == BASE_OK && !end && is_of(key, INDEX_KEY_BYTES, s->view->id) &&
           base_be_get(key.p + 4, 8) == hash) {
        rc = get_entry(s, base_be_get(key.p + 12, 8), (uint32_t)base_be_get(key.p + 20, 4), err);
        if (rc == BASE_OK) rc = state_cursor_next(cursor, &key, &value, &end, err);
    }
    state_cursor_close(cursor);
    return rc;
}

base_rc engine_ledger_scan(engine_flow *flow, state_txn *txn, const plan_object *view, base_str key,
                           base_rc (*visit)(void *arg, const engine_ledger_entry *entry,
                                            base_error *err),
                           void *arg, base_error *err) {
    scan s = {.flow = flow,
              .txn = txn,
              .view = view,
              .ncolumns = engine_declared_columns(view),
              .wanted = key,
              .visit = visit,
              .arg = arg};
    base_arena_init(&s.arena, 1 << 12);
    base_arena_init(&s.scratch, 1 << 14);
    s.columns = all_columns(&s.arena, s.ncolumns);
    col_type *types = base_arena_array(&s.arena, col_type, s.ncolumns + 1);
    for (uint32_t i = 0; i < s.ncolumns; i++) types[i] = view->columns[i].type;
    s.types = types;
    base_rc rc = key.p == NULL ? scan_all(&s, err) : scan_key(&s, err);
    base_buf_deinit(&s.head);
    base_arena_deinit(&s.arena);
    base_arena_deinit(&s.scratch);
    return rc;
}

// ---- upkeep -------------------------------------------------------------------------------------

base_rc engine_ledger_drop(engine_flow *flow, state_txn *txn, uint32_t view_id, base_error *err) {
    char from[4], to[4];
    uint64_t deleted;
    base_be_put(from, view_id, 4);
    base_be_put(to, (uint64_t)view_id + 1, 4);
    base_rc rc = state_delete_range(txn, flow->t_ledger, (base_str){from, 4}, (base_str){to, 4},
                                    &deleted, err);
    if (rc != BASE_OK) return rc;
    return state_delete_range(txn, flow->t_ledger_key, (base_str){from, 4}, (base_str){to, 4},
                              &deleted, err);
}

// Whether the oldest entry of a view is from before a moment.
static base_rc oldest_is_before(engine_flow *flow, state_txn *txn, uint32_t view_id, int64_t us,
                                bool *before, base_error *err) {
    *before = false;
    state_cursor *cursor;
    base_rc rc = state_cursor_open(txn, flow->t_ledger, &cursor, err);
    if (rc != BASE_OK) return rc;
    char from[ENTRY_KEY_BYTES];
    base_str key, value;
    bool end;
    rc = state_cursor_seek(cursor, entry_key(from, view_id, 0, 0), &key, &value, &end, err);
    step_head head;
    if (rc == BASE_OK && !end && is_of(key, ENTRY_KEY_BYTES, view_id) && value.n >= sizeof head) {
        memcpy(&head, value.p, sizeof head);
        *before = head.at_us < us;
    }
    state_cursor_close(cursor);
    return rc;
}

// The entries from before a moment, whole steps: the first key that stays, and their index rows.
typedef struct old_entries {
    char upto[ENTRY_KEY_BYTES];
    uint32_t n, cap;
    char (*index)[INDEX_KEY_BYTES];
} old_entries;

static void add_old(old_entries *old, uint32_t view_id, base_str key, base_str value) {
    entry_head head;
    if (value.n < sizeof head) return;
    memcpy(&head, value.p, sizeof head);
    if (head.key_bytes > value.n - sizeof head) return;
    if (old->n == old->cap) {
        old->cap = old->cap == 0 ? 256 : old->cap * 2;
        old->index = realloc(old->index, old->cap * sizeof *old->index);
        must(old->index != NULL);
    }
    uint64_t hash = base_hash64(value.p + sizeof head, head.key_bytes);
    index_key(old->index[old->n++], view_id, hash, base_be_get(key.p + 4, 8),
              (uint32_t)base_be_get(key.p + 12, 4));
}

static base_rc find_old(engine_flow *flow, state_txn *txn, uint32_t view_id, int64_t us,
                        old_entries *old, base_error *err) {
    state_cursor *cursor;
    base_rc rc = state_cursor_open(txn, flow->t_ledger, &cursor, err);
    if (rc != BASE_OK) return rc;
    char from[ENTRY_KEY_BYTES];
    base_str key, value;
    bool end;
    entry_key(old->upto, view_id + 1, 0, 0);
    rc = state_cursor_seek(cursor, entry_key(from, view_id, 0, 0), &key, &value, &end, err);
    while (rc == BASE_OK && !end && is_of(key, ENTRY_KEY_BYTES, view_id)) {
        step_head head = {0};
        bool is_head = base_be_get(key.p + 12, 4) == 0;
        if (is_head && value.n >= sizeof head) memcpy(&head, value.p, sizeof head);
        if (is_head && (head.at_us >= us || old->n >= TRIM_ENTRIES_MAX)) {
            memcpy(old->upto, key.p, ENTRY_KEY_BYTES);
            break;
        }
        if (!is_head) add_old(old, view_id, key, value);
        rc = state_cursor_next(cursor, &key, &value, &end, err);
    }
    state_cursor_close(cursor);
    return rc;
}

static base_rc delete_old(engine_flow *flow, state_txn *txn, uint32_t view_id,
                          const old_entries *old, base_error *err) {
    char from[ENTRY_KEY_BYTES];
    bool found;
    uint64_t deleted;
    base_rc rc = BASE_OK;
    for (uint32_t i = 0; i < old->n && rc == BASE_OK; i++)
        rc = state_delete(txn, flow->t_ledger_key, (base_str){old->index[i], INDEX_KEY_BYTES},
                          &found, err);
    if (rc != BASE_OK) return rc;
    return state_delete_range(txn, flow->t_ledger, entry_key(from, view_id, 0, 0),
                              (base_str){old->upto, ENTRY_KEY_BYTES}, &deleted, err);
}

static base_rc trim_view(engine_flow *flow, const plan_object *view, int64_t before_us,
                         base_error *err) {
    state_txn *txn;
    bool any;
    base_rc rc = state_begin_read(flow->store, &txn, err);
    if (rc != BASE_OK) return rc;
    rc = oldest_is_before(flow, txn, view->id, before_us, &any, err);
    state_abort(txn);
    if (rc != BASE_OK || !any) return rc;
    rc = state_begin_write(flow->store, &txn, err);
    if (rc != BASE_OK) return rc;
    old_entries old = {0};
    rc = find_old(flow, txn, view->id, before_us, &old, err);
    if (rc == BASE_OK) rc = delete_old(flow, txn, view->id, &old, err);
    free(old.index);
    if (rc == BASE_OK) return state_commit(txn, err);
    state_abort(txn);
    return rc;
}

void engine_ledgers_trim(engine *e) {
    int64_t now_us = plat_wall_us(e->plat);
    for (uint32_t id = ENGINE_FIRST_USER_ID; id < e->next_id; id++) {
        const plan_object *view = engine_catalog_by_id(e, id);
        if (view == NULL || view->kind != PLAN_OBJECT_VIEW || view->ledger_us <= 0) continue;
        engine_flow *flow = engine_flow_of_view(e, id);
        if (flow == NULL) continue;
        base_error err;
        plat_mutex_lock(&flow->lock);
        base_rc rc =
            flow->store == NULL ? BASE_OK : trim_view(flow, view, now_us - view->ledger_us, &err);
        plat_mutex_unlock(&flow->lock);
        if (rc != BASE_OK)
            engine_say(e, ENGINE_WARNING, "the ledger of view %s.%s could not be trimmed: %s",
                       view->schema, view->name, err.message);
    }
}
