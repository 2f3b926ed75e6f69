// past.c - views as they were: see past.h.
//
// A record of the change log (cN): change_head, undo, the delta as a batch (col_batch_encode). The
// undo has for each key of the delta that had a row before the step, as varints: the row of the
// delta that it was, flags, revision, how long before the step it had been written (folded), and
// its weight. About 9 bytes. Invariant: a key of the delta that is not in the undo had no row.
// A record without undo, of a view that keeps no history or of a program that had none yet, has no
// magic: nothing before it can be asked for (history_step).
//
// Read is the log from the step on, forwards: of each key the first change says how it was. Keys
// are in a hash map while they fit the memory given; else in an external sort, and merged with the
// view's rows, which are in the order of their keys. Entry points: engine_change_encode,
// engine_past_open.

#include "engine/history/past.h"

#include <stdlib.h>

#include "base/be.h"
#include "base/must.h"
#include "engine/recon/recon_sort.h"
#include "flow/keymap.h"

#define CHANGE_MAGIC 0x31554357u // "WCU1"

// Heads a record of cN. A disk format.
typedef struct change_head {
    int64_t at_us, watermark_us;
    uint32_t magic;
    uint32_t undo_bytes;
} change_head;
_Static_assert(sizeof(change_head) == 24, "change_head is a disk format");
#define SORT_SHARE       4u  // the sort's part of the memory of the map that it relieves
#define PLAIN_HEAD_BYTES 16u // of a record without undo: at_us, watermark_us

static void add_number(base_buf *buf, uint64_t v) {
    for (; v >= 0x80; v >>= 7) base_buf_add_byte(buf, (uint8_t)(v | 0x80));
    base_buf_add_byte(buf, (uint8_t)v);
}

void engine_undo_add(base_buf *undo, uint32_t row, const engine_row_head *was, int64_t now_us) {
    uint64_t age = (uint64_t)now_us - (uint64_t)was->updated_us;
    add_number(undo, row);
    base_buf_add_byte(undo, was->flags);
    add_number(undo, was->revision);
    add_number(undo, age << 1 ^ (0 - (age >> 63)));
    add_number(undo, (uint64_t)was->weight);
}

void engine_change_encode(base_buf *out, int64_t at_us, int64_t watermark_us, base_str undo,
                          const col_batch *delta) {
    must(undo.n <= UINT32_MAX);
    change_head head = {at_us, watermark_us, CHANGE_MAGIC, (uint32_t)undo.n};
    base_buf_add(out, &head, sizeof head);
    base_buf_add_str(out, undo);
    col_batch_encode(out, delta);
}

void engine_change_encode_plain(base_buf *out, int64_t at_us, int64_t watermark_us,
                                const col_batch *delta) {
    base_buf_add_u64le(out, (uint64_t)at_us);
    base_buf_add_u64le(out, (uint64_t)watermark_us);
    col_batch_encode(out, delta);
}

base_rc engine_change_parts(base_str value, base_str *undo, base_str *delta, base_error *err) {
    uint32_t magic = 0;
    if (value.n >= PLAIN_HEAD_BYTES + sizeof magic)
        memcpy(&magic, value.p + PLAIN_HEAD_BYTES, sizeof magic);
    *undo = (base_str){NULL, 0};
    if (magic != CHANGE_MAGIC) {
        if (value.n < PLAIN_HEAD_BYTES)
            return base_fail(err, BASE_E_CORRUPT, NULL, "a stored change is damaged");
        *delta = (base_str){value.p + PLAIN_HEAD_BYTES, value.n - PLAIN_HEAD_BYTES};
        return BASE_OK;
    }
    change_head head;
    if (value.n >= sizeof head) memcpy(&head, value.p, sizeof head);
    if (value.n < sizeof head || head.undo_bytes > value.n - sizeof head)
        return base_fail(err, BASE_E_CORRUPT, NULL, "a stored change is damaged");
    *undo = (base_str){value.p + sizeof head, head.undo_bytes};
    size_t before = sizeof head + head.undo_bytes;
    *delta = (base_str){value.p + before, value.n - before};
    return BASE_OK;
}

void engine_view_keys(const plan_object *view, plat_workers *workers, base_arena *arena,
                      const col_batch *rows, base_str *out) {
    if (view->nview_key > 0) {
        col_keys_encode(workers, arena, rows, view->nview_key, view->view_key, out);
        return;
    }
    uint32_t *columns = base_arena_array(arena, uint32_t, rows->ncols + 1);
    col_type *types = base_arena_array(arena, col_type, rows->ncols + 1);
    for (uint32_t i = 0; i < rows->ncols; i++) {
        columns[i] = i;
        types[i] = view->columns[i].type;
    }
    col_keys_encode_exact(workers, arena, rows, rows->ncols, columns, types, out);
}

// ---- reading
// -------------------------------------------------------------------------------------

struct engine_past {
    engine *e;
    const plan_object *view;
    uint64_t memory_bytes;
    base_arena kept, scratch; // the map and the rows; one record
    flow_keymap map;          // keys that have changed since
    uint32_t cap;
    base_str *values; // by their numbers: as they were
    bool *met;        // the snapshot has the key
    uint32_t gone_at;
    recon_sorter *sorter; // of what did not fit: key -> row, empty: none; NULL: all did
    bool sorted_end;
    base_str sorted_key, sorted_value; // its next entry
    base_buf key, value;               // the one given last
    uint32_t ncols;
    uint32_t *columns; // 0, 1, 2, ...
    col_type *types;
};

static bool take_number(const uint8_t **p, const uint8_t *end, uint64_t *out) {
    *out = 0;
    for (unsigned shift = 0; shift < 64 && *p < end; shift += 7) {
        uint8_t byte = *(*p)++;
        *out |= (uint64_t)(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0) return true;
    }
    return false;
}

static base_rc damaged(const engine_past *past, base_error *err) {
    return base_fail(err, BASE_E_CORRUPT, BASE_SQLSTATE_CORRUPT,
                     "the change log of \"%s.%s\" is damaged", past->view->schema,
                     past->view->name);
}

static void reserve(engine_past *past) {
    if (past->map.cap <= past->cap) return;
    base_str *values = base_arena_array(&past->kept, base_str, past->map.cap);
    bool *met = base_arena_array(&past->kept, bool, past->map.cap);
    if (past->cap > 0) {
        memcpy(values, past->values, past->cap * sizeof *values);
        memcpy(met, past->met, past->cap * sizeof *met);
    }
    past->values = values;
    past->met = met;
    past->cap = past->map.cap;
}

// Numbers the keys of a delta that no record before had; the numbers of the others are UINT32_MAX.
// Returns how many are new.
static uint32_t new_keys(engine_past *past, const col_batch *delta, uint32_t *numbers) {
    base_arena *scratch = &past->scratch;
    flow_keymap *map = &past->map;
    base_str *keys = base_arena_array(scratch, base_str, delta->nrows + 1);
    engine_view_keys(past->view, NULL, scratch, delta, keys);
    uint32_t *fresh = base_arena_array(scratch, uint32_t, delta->nrows + 1);
    uint32_t nfresh, before = map->n;
    flow_keymap_put(map, scratch, delta->nrows, keys, numbers, fresh, &nfresh);
    for (uint32_t i = 0; i < nfresh; i++) {
        base_str *key = &map->keys[fresh[i]];
        key->p = base_arena_memdup(&past->kept, key->p, key->n);
    }
    for (uint32_t i = 0; i < delta->nrows; i++)
        if (numbers[i] < before) numbers[i] = UINT32_MAX;
    reserve(past);
    return nfresh;
}

static base_rc take_undo(engine_past *past, const col_batch *delta, const uint32_t *numbers,
                         base_str undo, int64_t at_us, base_error *err) {
    const uint8_t *p = (const uint8_t *)undo.p, *end = p + undo.n;
    base_buf value = {0};
    base_rc rc = BASE_OK;
    while (rc == BASE_OK && p < end) {
        uint64_t row, revision, age, weight;
        uint8_t flags = 0;
        bool good = take_number(&p, end, &row) && p < end;
        if (good) flags = *p++;
        good = good && take_number(&p, end, &revision) && take_number(&p, end, &age) &&
               take_number(&p, end, &weight);
        if (!good || row >= delta->nrows) {
            rc = damaged(past, err);
        } else if (numbers[row] != UINT32_MAX) {
            int64_t since = (int64_t)(age >> 1 ^ (0 - (age & 1)));
            engine_row_head head = {
                1, flags, 0, (uint32_t)revision, at_us - since, (int64_t)weight};
            base_buf_clear(&value);
            base_buf_add(&value, &head, sizeof head);
            col_row_encode(&value, delta, (uint32_t)row, past->ncols, past->columns);
            past->values[numbers[row]] =
                (base_str){base_arena_memdup(&past->kept, value.p, value.n), value.n};
        }
    }
    base_buf_deinit(&value);
    return rc;
}

static base_rc take_record(engine_past *past, base_str key, base_str value, base_error *err) {
    base_str undo, bytes;
    if (key.n != 8) return damaged(past, err);
    base_rc rc = engine_change_parts(value, &undo, &bytes, err);
    if (rc != BASE_OK) return rc;
    if (undo.p == NULL) return damaged(past, err); // history_step does not reach so far
    int64_t at_us;
    memcpy(&at_us, value.p, sizeof at_us);
    base_arena_reset(&past->scratch);
    col_batch *delta;
    rc = col_batch_decode(bytes, &past->scratch, past->ncols, past->types, &delta, err);
    if (rc != BASE_OK) return rc;
    uint32_t *numbers = base_arena_array(&past->scratch, uint32_t, delta->nrows + 1);
    if (new_keys(past, delta, numbers) == 0) return BASE_OK;
    return take_undo(past, delta, numbers, undo, at_us, err);
}

static void begin_map(engine_past *past) {
    base_arena_reset(&past->kept);
    past->cap = 0;
    flow_keymap_init(&past->map, &past->kept, 64);
    reserve(past);
}

// What the map has goes to the sorter. Of a key that comes again later the first row counts, and
// the sorter keeps that order.
static base_rc spill(engine_past *past, base_error *err) {
    if (past->sorter == NULL)
        past->sorter = recon_sorter_create(past->e, "past", past->memory_bytes / SORT_SHARE);
    for (uint32_t i = 0; i < past->map.n; i++) {
        base_str value = past->values[i];
        if (value.p == NULL) value = (base_str){"", 0};
        base_rc rc = recon_sorter_add(past->sorter, past->map.keys[i], value, err);
        if (rc != BASE_OK) return rc;
    }
    begin_map(past);
    return BASE_OK;
}

static base_rc read_log(engine_past *past, const engine_view_snapshot *snapshot, uint64_t step,
                        engine_past_check *may_go_on, void *arg, base_error *err) {
    state_cursor *cursor;
    base_rc rc = state_cursor_open(snapshot->txn, snapshot->changes, &cursor, err);
    if (rc != BASE_OK) return rc;
    char from[8];
    base_be_put(from, step + 1, 8);
    base_str key, value;
    bool end;
    rc = state_cursor_seek(cursor, (base_str){from, 8}, &key, &value, &end, err);
    while (rc == BASE_OK && !end) {
        rc = take_record(past, key, value, err);
        if (rc == BASE_OK && base_arena_used(&past->kept) > past->memory_bytes)
            rc = spill(past, err);
        if (rc == BASE_OK && may_go_on != NULL) rc = may_go_on(arg, err);
        if (rc == BASE_OK) rc = state_cursor_next(cursor, &key, &value, &end, err);
    }
    state_cursor_close(cursor);
    if (rc != BASE_OK || past->sorter == NULL) return rc;
    rc = spill(past, err);
    if (rc == BASE_OK) rc = recon_sorter_finish(past->sorter, err);
    if (rc == BASE_OK)
        rc = recon_sorter_next(past->sorter, &past->sorted_key, &past->sorted_value,
                               &past->sorted_end, err);
    return rc;
}

base_rc engine_past_open(engine *e, const plan_object *view, const engine_view_snapshot *snapshot,
                         uint64_t step, uint64_t memory_bytes, engine_past_check *may_go_on,
                         void *arg, engine_past **out, base_error *err) {
    must(!snapshot->appended);
    engine_past *past = calloc(1, sizeof *past);
    must(past != NULL);
    past->e = e;
    past->view = view;
    past->memory_bytes = memory_bytes;
    base_arena_init(&past->kept, 1 << 14);
    base_arena_init(&past->scratch, 1 << 16);
    past->ncols = engine_declared_columns(view);
    past->columns = malloc((past->ncols + 1) * sizeof *past->columns);
    past->types = malloc((past->ncols + 1) * sizeof *past->types);
    must(past->columns != NULL && past->types != NULL);
    for (uint32_t i = 0; i < past->ncols; i++) {
        past->columns[i] = i;
        past->types[i] = view->columns[i].type;
    }
    begin_map(past);
    base_rc rc = read_log(past, snapshot, step, may_go_on, arg, err);
    if (rc == BASE_OK)
        *out = past;
    else
        engine_past_close(past);
    return rc;
}

void engine_past_close(engine_past *past) {
    if (past == NULL) return;
    recon_sorter_destroy(past->sorter);
    base_arena_deinit(&past->kept);
    base_arena_deinit(&past->scratch);
    base_buf_deinit(&past->key);
    base_buf_deinit(&past->value);
    free(past->columns);
    free(past->types);
    free(past);
}

// The sorter's next entry, for all of its key; p NULL: there was no row.
static base_rc take_sorted(engine_past *past, base_str *value, base_error *err) {
    base_buf_clear(&past->key);
    base_buf_clear(&past->value);
    base_buf_add_str(&past->key, past->sorted_key);
    base_buf_add_str(&past->value, past->sorted_value);
    bool none = past->sorted_value.n == 0;
    base_rc rc = BASE_OK;
    while (rc == BASE_OK && !past->sorted_end &&
           base_str_eq(past->sorted_key, base_buf_str(&past->key)))
        rc = recon_sorter_next(past->sorter, &past->sorted_key, &past->sorted_value,
                               &past->sorted_end, err);
    *value = none ? (base_str){NULL, 0} : base_buf_str(&past->value);
    return rc;
}

base_rc engine_past_row(engine_past *past, base_str key, base_str *value, bool *other,
                        base_error *err) {
    if (past->sorter != NULL) {
        *other = !past->sorted_end && base_str_eq(past->sorted_key, key);
        return *other ? take_sorted(past, value, err) : BASE_OK;
    }
    uint32_t number = flow_keymap_find(&past->map, key);
    *other = number != UINT32_MAX;
    if (!*other) return BASE_OK;
    past->met[number] = true;
    *value = past->values[number];
    return BASE_OK;
}

base_rc engine_past_gone(engine_past *past, const base_str *key, base_str *value, bool *found,
                         base_error *err) {
    *found = false;
    if (past->sorter != NULL) {
        base_rc rc = BASE_OK;
        while (rc == BASE_OK && !*found && !past->sorted_end &&
               (key == NULL || base_str_cmp(past->sorted_key, *key) < 0)) {
            rc = take_sorted(past, value, err);
            *found = rc == BASE_OK && value->p != NULL;
        }
        return rc;
    }
    if (key != NULL) return BASE_OK; // in no order: after all that are there
    for (; !*found && past->gone_at < past->map.n; past->gone_at++) {
        if (past->met[past->gone_at] || past->values[past->gone_at].p == NULL) continue;
        *value = past->values[past->gone_at];
        *found = true;
    }
    return BASE_OK;
}
