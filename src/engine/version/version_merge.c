// version_merge.c - what a shadow has made of a view becomes part of its flow's store: the tables
// of its operators and its rows, and the cursors and sources of inputs that the flow did not have.
// At the end both stand at the same positions, so what the flow's own sources know the shadow's
// know, too.
//
// The flow goes on meanwhile. Its store gets the tables in portions, small transactions of a few
// milliseconds with a pause after each, from a snapshot of the shadow's. From that snapshot on the
// shadow's store tells what is written to it (state_store_watch), and what was written is brought
// after its steps, in portions too. Only what the last of them, a small one, have changed is left
// for engine_merge_finish, which is called while the flow stands still and brings the facts with
// it, in one transaction. Nobody reads the tables before: no view of the flow has their names.
//
// A crash leaves tables of a version that the catalogue does not have, or that has no facts. The
// first go when the flow opens (engine_merge_sweep), the second with the fill of a view that is not
// complete. Entry points: engine_merge_open, engine_merge_follow, engine_merge_finish.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/be.h"
#include "base/map.h"
#include "base/must.h"
#include "engine/version/version.h"

#define PORTION_BYTES (256u << 10)
#define PORTION_NS    3000000u // and a transaction begins with its commit, which takes as long
#define PORTION_LOOK  32u      // rows after which the clock is read

typedef struct merge_table {
    char *name;
    state_table from, to;
} merge_table;

typedef struct merge_range {
    struct merge_range *next;
    uint32_t table;
    base_str from, to; // empty `to`: to the end
} merge_range;

struct engine_merge {
    engine_shadow *shadow;
    engine_flow *from, *to;
    const plan_object *version;
    volatile bool *cancel;    // NULL: cannot be cancelled
    uint32_t n, ncopied, cap; // tables; those from ncopied on have not been copied
    merge_table *tables;
    uint32_t nnew, *new_inputs; // objects that the flow does not read; not looked for before inputs
    bool appended;              // the rows of the version
    uint64_t step;              // under which they lie; numbered in the order they came in
    uint32_t seq;
    // What was written since.
    base_map *keys; // number of the table, 2 bytes, and the key -> any
    merge_range *ranges;
    base_arena arena; // of the ranges
    // The portion at hand.
    state_txn *to_txn, *from_txn;
    bool whole; // one transaction, the caller's
    uint64_t begin_ns, bytes;
    uint32_t nrows;
};

// ---- which tables -------------------------------------------------------------------------------

static bool is_new_input(const engine_merge *m, uint32_t object_id) {
    for (uint32_t i = 0; i < m->nnew; i++)
        if (m->new_inputs[i] == object_id) return true;
    return false;
}

// "v<id>", "v<id>.*"; "s<object>.*" of new inputs.
static bool is_wanted(const engine_merge *m, const char *name) {
    unsigned id;
    int end = 0;
    if (sscanf(name, "v%u%n", &id, &end) == 1 && id == m->version->id)
        return name[end] == 0 || name[end] == '.';
    if (sscanf(name, "s%u.%n", &id, &end) == 1 && end > 0) return is_new_input(m, id);
    return false;
}

typedef struct name_list {
    char **names;
    uint32_t n, cap;
} name_list;

static base_rc note_name(void *arg, const char *name) {
    name_list *list = arg;
    if (list->n == list->cap) {
        list->cap = list->cap == 0 ? 64 : list->cap * 2;
        list->names = realloc(list->names, list->cap * sizeof *list->names);
        must(list->names != NULL);
    }
    list->names[list->n] = strdup(name);
    must(list->names[list->n] != NULL);
    list->n++;
    return BASE_OK;
}

static void free_names(name_list *list) {
    for (uint32_t i = 0; i < list->n; i++) free(list->names[i]);
    free(list->names);
}

static bool is_known(const engine_merge *m, const char *name) {
    for (uint32_t i = 0; i < m->n; i++)
        if (strcmp(m->tables[i].name, name) == 0) return true;
    return false;
}

// An empty table of the name in the flow's store, whatever a former attempt has left of it.
static base_rc add_table(engine_merge *m, const char *name, base_error *err) {
    merge_table table = {.name = strdup(name)};
    must(table.name != NULL);
    base_rc rc = state_table_open(m->from->store, name, &table.from, err);
    if (rc == BASE_OK) rc = state_table_drop(m->to->store, name, err);
    if (rc == BASE_OK) rc = state_table_open(m->to->store, name, &table.to, err);
    if (rc != BASE_OK) {
        free(table.name);
        return rc;
    }
    if (m->n == m->cap) {
        m->cap = m->cap == 0 ? 16 : m->cap * 2;
        m->tables = realloc(m->tables, m->cap * sizeof *m->tables);
        must(m->tables != NULL);
    }
    m->tables[m->n++] = table;
    return BASE_OK;
}

static base_rc add_tables(engine_merge *m, base_error *err) {
    name_list list = {0};
    base_rc rc = state_table_list(m->from->store, note_name, &list, err);
    for (uint32_t i = 0; rc == BASE_OK && i < list.n; i++)
        if (is_wanted(m, list.names[i]) && !is_known(m, list.names[i]))
            rc = add_table(m, list.names[i], err);
    free_names(&list);
    return rc;
}

// ---- what is written meanwhile ------------------------------------------------------------------

static void note_write(void *arg, state_table table, base_str from, const base_str *to) {
    engine_merge *m = arg;
    uint32_t i = 0;
    while (i < m->n && m->tables[i].from != table) i++;
    if (i == m->n) return;
    if (to == NULL) {
        base_buf key = {0};
        base_buf_add_byte(&key, (uint8_t)(i >> 8));
        base_buf_add_byte(&key, (uint8_t)i);
        base_buf_add(&key, from.p, from.n);
        base_map_put(m->keys, base_buf_str(&key), m);
        base_buf_deinit(&key);
        return;
    }
    merge_range *range = base_arena_new(&m->arena, merge_range);
    *range = (merge_range){.next = m->ranges, .table = i};
    // The order of very long keys is not that of their bytes: all of the table then.
    bool exact = from.n < 256 && to->n < 256;
    if (exact) {
        range->from = (base_str){base_arena_memdup(&m->arena, from.p, from.n), from.n};
        range->to = (base_str){base_arena_memdup(&m->arena, to->p, to->n), to->n};
    }
    m->ranges = range;
}

static void forget_writes(engine_merge *m) {
    base_map_destroy(m->keys);
    m->keys = base_map_create();
    m->ranges = NULL;
    base_arena_reset(&m->arena);
}

// ---- portions -----------------------------------------------------------------------------------

static base_rc begin_portion(engine_merge *m, base_error *err) {
    m->begin_ns = plat_monotonic_ns(m->to->engine->plat);
    m->bytes = 0;
    m->nrows = 0;
    return state_begin_write(m->to->store, &m->to_txn, err);
}

static base_rc end_portion(engine_merge *m, base_rc rc, base_error *err) {
    state_txn *txn = m->to_txn;
    m->to_txn = NULL;
    if (txn == NULL) return rc;
    if (rc == BASE_OK) return state_commit(txn, err);
    state_abort(txn);
    return rc;
}

// As long as the portion took; and while much is on its way from the journal to its tables.
static void give_way(const engine_merge *m) {
    const engine *e = m->to->engine;
    if (!e->config.threads) return; // nobody to give way to
    uint64_t us = (plat_monotonic_ns(e->plat) - m->begin_ns) / 1000 + 1;
    plat_sleep_us((int64_t)(us < 20000 ? us : 20000));
    for (int i = 0; i < 5000 && (m->cancel == NULL || !*m->cancel); i++) {
        state_stats stats;
        state_store_stats(m->to->store, &stats);
        if (!stats.checkpointing) return;
        plat_sleep_us(2000);
    }
}

static base_rc after_row(engine_merge *m, uint64_t bytes, base_error *err) {
    m->bytes += bytes;
    if (m->whole) return BASE_OK;
    bool full = m->bytes >= PORTION_BYTES;
    if (!full && ++m->nrows % PORTION_LOOK == 0)
        full = plat_monotonic_ns(m->to->engine->plat) - m->begin_ns >= PORTION_NS;
    if (!full) return BASE_OK;
    base_rc rc = end_portion(m, BASE_OK, err);
    if (rc != BASE_OK) return rc;
    give_way(m);
    if (m->cancel != NULL && *m->cancel)
        return base_fail(err, BASE_E_CANCELLED, BASE_SQLSTATE_CANCELLED, "cancelled");
    if (engine_shadow_is_awaited(m->shadow))
        return base_fail(err, BASE_E_NOT_FOUND, BASE_SQLSTATE_UNDEFINED_TABLE,
                         "a stream that \"%s.%s\" reads is being dropped", m->version->schema,
                         m->version->name);
    return begin_portion(m, err);
}

// ---- copying ------------------------------------------------------------------------------------

static bool is_rows(const engine_merge *m, uint32_t i) {
    return strchr(m->tables[i].name, '.') == NULL && m->tables[i].name[0] == 'v';
}

// What has come into the table by a fill lies under a step before the flow's next one.
static base_rc put(engine_merge *m, uint32_t i, base_str key, base_str value, base_error *err) {
    char bytes[12];
    if (m->appended && is_rows(m, i)) {
        base_be_put(bytes, m->step, 8);
        base_be_put(bytes + 8, m->seq++, 4);
        key = (base_str){bytes, sizeof bytes};
    }
    base_rc rc = state_put(m->to_txn, m->tables[i].to, key, value, err);
    return rc == BASE_OK ? after_row(m, key.n + value.n, err) : rc;
}

// Rows of [from, to) that the shadow has.
static base_rc copy_range(engine_merge *m, uint32_t i, base_str from, base_str to,
                          base_error *err) {
    state_cursor *cursor;
    base_rc rc = state_cursor_open(m->from_txn, m->tables[i].from, &cursor, err);
    if (rc != BASE_OK) return rc;
    base_str key, value;
    bool end;
    rc = state_cursor_seek(cursor, from, &key, &value, &end, err);
    while (rc == BASE_OK && !end && (to.n == 0 || base_str_cmp(key, to) < 0)) {
        rc = put(m, i, key, value, err);
        if (rc == BASE_OK) rc = state_cursor_next(cursor, &key, &value, &end, err);
    }
    state_cursor_close(cursor);
    return rc;
}

// Row by row: a portion may end in between.
static base_rc delete_range(engine_merge *m, const merge_range *range, base_error *err) {
    base_buf at = {0}; // the rows below are gone
    base_buf_add(&at, range->from.p, range->from.n);
    base_rc rc = BASE_OK;
    for (bool end = false; rc == BASE_OK && !end;) {
        state_cursor *cursor;
        base_str key, value;
        bool found;
        rc = state_cursor_open(m->to_txn, m->tables[range->table].to, &cursor, err);
        if (rc != BASE_OK) break;
        rc = state_cursor_seek(cursor, base_buf_str(&at), &key, &value, &end, err);
        state_cursor_close(cursor);
        end = end || (range->to.n > 0 && rc == BASE_OK && base_str_cmp(key, range->to) >= 0);
        if (rc != BASE_OK || end) break;
        base_buf_clear(&at);
        base_buf_add(&at, key.p, key.n);
        rc = state_delete(m->to_txn, m->tables[range->table].to, base_buf_str(&at), &found, err);
        if (rc == BASE_OK) rc = after_row(m, at.n, err);
    }
    base_buf_deinit(&at);
    return rc;
}

static base_rc bring_key(engine_merge *m, base_str noted, base_error *err) {
    uint32_t i = (uint32_t)((uint8_t)noted.p[0] << 8 | (uint8_t)noted.p[1]);
    base_str key = {noted.p + 2, noted.n - 2}, value;
    bool found;
    base_rc rc = state_get(m->from_txn, m->tables[i].from, key, &value, &found, err);
    if (rc != BASE_OK) return rc;
    if (found) return put(m, i, key, value, err);
    rc = state_delete(m->to_txn, m->tables[i].to, key, &found, err);
    return rc == BASE_OK ? after_row(m, key.n, err) : rc;
}

// What was written is brought as it is now, so the order in which it was does not matter.
static base_rc bring_writes(engine_merge *m, base_error *err) {
    base_rc rc = BASE_OK;
    for (const merge_range *range = m->ranges; rc == BASE_OK && range != NULL;
         range = range->next) {
        if (m->appended && is_rows(m, range->table))
            return base_fail(err, BASE_E_INTERNAL, NULL, "rows went from a view that only grows");
        rc = delete_range(m, range, err);
        if (rc == BASE_OK) rc = copy_range(m, range->table, range->from, range->to, err);
    }
    base_str noted;
    void *value;
    for (size_t i = 0; rc == BASE_OK && base_map_at(m->keys, &i, &noted, &value);)
        rc = bring_key(m, noted, err);
    if (rc == BASE_OK) forget_writes(m);
    return rc;
}

static base_rc copy_new_tables(engine_merge *m, base_error *err) {
    base_rc rc = BASE_OK;
    for (; rc == BASE_OK && m->ncopied < m->n; m->ncopied++)
        rc = copy_range(m, m->ncopied, (base_str){NULL, 0}, (base_str){NULL, 0}, err);
    return rc;
}

static base_rc in_portions(engine_merge *m, base_rc (*work)(engine_merge *m, base_error *err),
                           base_error *err) {
    base_rc rc = state_begin_read(m->from->store, &m->from_txn, err);
    if (rc != BASE_OK) return rc;
    rc = begin_portion(m, err);
    if (rc == BASE_OK) rc = work(m, err);
    rc = end_portion(m, rc, err);
    state_abort(m->from_txn);
    m->from_txn = NULL;
    return rc;
}

static base_rc copy_in_portions(engine_merge *m, base_error *err) {
    base_rc rc = state_store_settle(m->to->store, err);
    char name[16];
    state_table changes; // so that it need not be made while the flow stands still
    snprintf(name, sizeof name, "c%u", m->version->id);
    if (rc == BASE_OK) rc = state_table_open(m->to->store, name, &changes, err);
    if (rc == BASE_OK) rc = add_tables(m, err);
    return rc == BASE_OK ? in_portions(m, copy_new_tables, err) : rc;
}

// ---- the whole ----------------------------------------------------------------------------------

// After a step of the shadow.
static base_rc on_step(void *arg, base_error *err) {
    engine_merge *m = arg;
    return in_portions(m, bring_writes, err);
}

base_rc engine_merge_open(engine_shadow *shadow, engine_flow *flow, const plan_object *version,
                          volatile bool *cancel, engine_merge **out, base_error *err) {
    engine_merge *m = calloc(1, sizeof *m);
    must(m != NULL);
    *out = m;
    m->shadow = shadow;
    m->from = engine_shadow_flow(shadow);
    m->to = flow;
    m->version = version;
    m->cancel = cancel;
    m->step = atomic_load(&flow->committed_step);
    m->keys = base_map_create();
    base_arena_init(&m->arena, 1 << 12);
    const engine_view *made = engine_flow_view(m->from, version->id);
    must(made != NULL);
    m->appended = made->appended;
    state_store_watch(m->from->store, note_write, m);
    base_rc rc = copy_in_portions(m, err);
    engine_shadow_follow(shadow, on_step, m);
    return rc;
}

base_rc engine_merge_inputs(engine_merge *m, base_error *err) {
    engine_flow *flow = m->to;
    m->new_inputs = calloc(m->from->ninputs + 1, sizeof *m->new_inputs);
    must(m->new_inputs != NULL);
    plat_mutex_lock(&flow->lock); // a step may mend the flow
    bool whole = !flow->broken && !flow->retake && !flow->reload;
    for (uint32_t i = 0; whole && i < m->from->ninputs; i++) {
        uint32_t id = m->from->inputs[i].object->id;
        bool there = false;
        for (uint32_t k = 0; k < flow->ninputs; k++) there |= flow->inputs[k].object->id == id;
        if (!there) m->new_inputs[m->nnew++] = id;
    }
    plat_mutex_unlock(&flow->lock);
    if (!whole)
        return base_fail(err, BASE_E_BUSY, BASE_SQLSTATE_NOT_IN_STATE,
                         "flow %s is not in order just now", flow->name);
    return m->nnew > 0 ? copy_in_portions(m, err) : BASE_OK;
}

static base_str id_key(char out[5], char kind, uint32_t id) {
    out[0] = kind;
    base_be_put(out + 1, id, 4);
    return (base_str){out, 5};
}

static base_rc copy_row(engine_merge *m, state_table from, state_table to, base_str key,
                        base_error *err) {
    base_str value;
    bool found;
    base_rc rc = state_get(m->from_txn, from, key, &value, &found, err);
    return rc == BASE_OK && found ? state_put(m->to_txn, to, key, value, err) : rc;
}

static base_rc copy_inputs(engine_merge *m, base_error *err) {
    base_rc rc = BASE_OK;
    for (uint32_t i = 0; rc == BASE_OK && i < m->from->ninputs; i++) {
        const engine_input *input = &m->from->inputs[i];
        if (!is_new_input(m, input->object->id)) continue;
        char key[9];
        (void)id_key(key, 's', input->object->id);
        rc = copy_row(m, m->from->t_layout, m->to->t_layout, (base_str){key, 5}, err);
        for (uint32_t p = 0; rc == BASE_OK && p < input->npartitions; p++) {
            base_be_put(key + 5, p, 4);
            rc = copy_row(m, m->from->t_cursor, m->to->t_cursor, (base_str){key + 1, 8}, err);
        }
    }
    return rc;
}

static base_rc finish(engine_merge *m, base_error *err) {
    char key[5];
    base_rc rc = copy_new_tables(m, err);
    if (rc == BASE_OK) rc = bring_writes(m, err);
    if (rc == BASE_OK)
        rc = copy_row(m, m->from->t_layout, m->to->t_layout, id_key(key, 'v', m->version->id), err);
    if (rc == BASE_OK) rc = copy_inputs(m, err);
    if (rc == BASE_OK)
        rc = engine_view_adopt(m->from, m->from_txn, m->to, m->to_txn, m->version->id, m->to->step,
                               err);
    return rc;
}

base_rc engine_merge_finish(engine_merge *m, base_error *err) {
    m->whole = true;
    base_rc rc = add_tables(m, err); // none: a graph opens its tables when it is built
    return rc == BASE_OK ? in_portions(m, finish, err) : rc;
}

void engine_merge_close(engine_merge *m, bool done) {
    if (m == NULL) return;
    state_store_watch(m->from->store, NULL, NULL);
    engine_shadow_follow(m->shadow, NULL, NULL);
    char changes[16];
    snprintf(changes, sizeof changes, "c%u", m->version->id);
    base_error err;
    base_rc rc = done ? BASE_OK : state_table_drop(m->to->store, changes, &err);
    for (uint32_t i = 0; i < m->n; i++) {
        if (!done && rc == BASE_OK) rc = state_table_drop(m->to->store, m->tables[i].name, &err);
        free(m->tables[i].name);
    }
    if (rc != BASE_OK) // they go when the flow opens again
        engine_say(m->to->engine, ENGINE_WARNING, "flow %s: %s", m->to->name, err.message);
    free(m->tables);
    free(m->new_inputs);
    base_map_destroy(m->keys);
    base_arena_deinit(&m->arena);
    free(m);
}

// ---- after a crash ------------------------------------------------------------------------------

typedef struct owners {
    unsigned id;
    bool found;
} owners;

static void visit_owner(void *arg, const plan_object *object) {
    owners *o = arg;
    if (object->kind != PLAN_OBJECT_VIEW) return;
    if (object->id == o->id || plan_object_state_id(object) == o->id) o->found = true;
}

// Whether the catalogue, or a cursor, says of the table whose it is.
static base_rc has_owner(engine_flow *flow, const char *name, bool *owned, base_error *err) {
    owners o = {0, false};
    *owned = true;
    if ((name[0] != 'v' && name[0] != 'c' && name[0] != 's') || sscanf(name + 1, "%u", &o.id) != 1)
        return BASE_OK;
    if (name[0] != 's') {
        engine_objects(flow->engine, visit_owner, &o);
        *owned = o.found;
        return BASE_OK;
    }
    char from[4];
    base_be_put(from, o.id, 4);
    state_txn *txn;
    base_rc rc = state_begin_read(flow->store, &txn, err);
    if (rc != BASE_OK) return rc;
    state_cursor *cursor;
    rc = state_cursor_open(txn, flow->t_cursor, &cursor, err);
    if (rc == BASE_OK) {
        base_str key, value;
        bool end;
        rc = state_cursor_seek(cursor, (base_str){from, 4}, &key, &value, &end, err);
        *owned = rc != BASE_OK || (!end && key.n >= 4 && memcmp(key.p, from, 4) == 0);
        state_cursor_close(cursor);
    }
    state_abort(txn);
    return rc;
}

base_rc engine_merge_sweep(engine_flow *flow, base_error *err) {
    name_list list = {0};
    base_rc rc = state_table_list(flow->store, note_name, &list, err);
    for (uint32_t i = 0; rc == BASE_OK && i < list.n; i++) {
        bool owned;
        rc = has_owner(flow, list.names[i], &owned, err);
        if (rc == BASE_OK && !owned) rc = state_table_drop(flow->store, list.names[i], err);
    }
    free_names(&list);
    return rc;
}
