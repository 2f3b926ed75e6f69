// layer.c - small commits without LMDB's price: a layer in memory over LMDB, and a journal.
//
// LMDB writes every page that a commit touches, and syncs twice: a commit of a few hundred rows
// that are spread over a table costs megabytes and milliseconds. So a store may have a layer: its
// small write transactions change a table of the twin (memory.c) that lies over LMDB's, and their
// commit is one record in the journal, one sequential write and one sync. A row in the layer stands
// for LMDB's row of the same key; a row that is `gone` hides it. When the journal has grown, the
// layer's rows go to LMDB in one commit there (a checkpoint), and layer and journal begin anew.
// What is written in bulk (state_begin_write_large, tables made and dropped) goes straight to LMDB,
// after a checkpoint.
//
// Invariants:
//  - Commits are numbered. LMDB's mark says up to which it has them; the layer's version bears the
//    number of its last one (its tag). The layer has at least what lies between the two.
//  - Layer rows are absolute: laid over an LMDB that has some or all of them already they give the
//    same. So a snapshot is one if its layer is not older than its LMDB: it takes the layer's
//    version first, then LMDB's, and tries again if a checkpoint has come between.
//  - One writer: who holds the twin's write transaction. LMDB is written under it, or by the one
//    checkpoint, for which others that would write there wait.
//  - A commit is true when its record or LMDB's commit is durable, and seen from then on.
// Opening the store replays the records above LMDB's mark, so a crash loses nothing committed.
// Entry points: state_layer_open, state_layer_begin, state_layer_commit, state_layer_cursor_move.
#include <inttypes.h>
#include <stdlib.h>

#include "state/tree_int.h"

#define COMMIT_BYTES_MAX ((size_t)4 << 20) // more goes to LMDB at once

// ------------------------------------------------------------------------------------ redo records

static void redo_table(state_txn *txn, const state_slot *slot) {
    uint32_t number = (uint32_t)(slot - txn->store->slots) + 1;
    if (txn->redo_slot == number) return;
    txn->redo_slot = number;
    size_t n = strlen(slot->name);
    base_buf_add_byte(&txn->redo, 'T');
    base_buf_add_byte(&txn->redo, (uint8_t)n);
    base_buf_add(&txn->redo, slot->name, n);
}

static void redo_put(state_txn *txn, const state_slot *slot, const state_put_row *put) {
    redo_table(txn, slot);
    base_buf_add_byte(&txn->redo, 'P');
    base_buf_add_u32le(&txn->redo, (uint32_t)put->skey.n);
    base_buf_add_u32le(&txn->redo, (uint32_t)put->whole.n);
    base_buf_add_u32le(&txn->redo, (uint32_t)put->value.n);
    base_buf_add_str(&txn->redo, put->skey);
    base_buf_add_str(&txn->redo, put->whole);
    base_buf_add_str(&txn->redo, put->value);
}

static void redo_delete(state_txn *txn, const state_slot *slot, base_str skey) {
    redo_table(txn, slot);
    base_buf_add_byte(&txn->redo, 'D');
    base_buf_add_u32le(&txn->redo, (uint32_t)skey.n);
    base_buf_add_str(&txn->redo, skey);
}

typedef struct redo_reader {
    const char *p, *end;
    bool bad;
} redo_reader;

static uint32_t take_u32(redo_reader *r) {
    uint32_t v = 0;
    if ((size_t)(r->end - r->p) < sizeof v) {
        r->bad = true;
        return 0;
    }
    memcpy(&v, r->p, sizeof v);
    r->p += sizeof v;
    return v;
}

static base_str take_bytes(redo_reader *r, size_t n) {
    if (r->bad || (size_t)(r->end - r->p) < n) {
        r->bad = true;
        return (base_str){"", 0};
    }
    base_str bytes = {r->p, n};
    r->p += n;
    return bytes;
}

static const state_slot *slot_of_name(const state_store *store, base_str name) {
    for (size_t i = 0; i < STATE_TABLES_MAX; i++) {
        const state_slot *slot = &store->slots[i];
        if (slot->name != NULL && base_str_eq(base_str_of(slot->name), name)) return slot;
    }
    return NULL;
}

// One operation of a record into the layer. false: the record is damaged.
static base_rc replay_one(state_txn *txn, redo_reader *r, const state_slot **slot,
                          base_error *err) {
    char op = *r->p++;
    state_put_row put = {.gone = op == 'D'};
    if (op == 'T') {
        uint8_t n = r->p < r->end ? (uint8_t)*r->p++ : 0;
        *slot = slot_of_name(txn->store, take_bytes(r, n));
        if (*slot == NULL) r->bad = true;
        return BASE_OK;
    }
    uint32_t skey_n = take_u32(r), whole_n = 0, value_n = 0;
    if (op == 'P') {
        whole_n = take_u32(r);
        value_n = take_u32(r);
    }
    put.skey = take_bytes(r, skey_n);
    put.whole = take_bytes(r, whole_n);
    put.value = take_bytes(r, value_n);
    bool known = (op == 'P' || op == 'D') && *slot != NULL;
    if (!known || put.skey.n == 0 || put.skey.n > STATE_SKEY_BYTES_MAX) r->bad = true;
    return r->bad ? BASE_OK : state_mem_put(txn, *slot, &put, false, err);
}

base_rc state_layer_replay(void *arg, uint64_t seq, base_str redo, base_error *err) {
    state_store *store = arg;
    state_txn txn = {.store = store, .writable = true};
    base_rc rc = state_mem_begin(&txn, err);
    if (rc != BASE_OK) return rc;
    redo_reader r = {redo.p, redo.p + redo.n, false};
    const state_slot *slot = NULL;
    while (rc == BASE_OK && !r.bad && r.p < r.end) rc = replay_one(&txn, &r, &slot, err);
    if (rc == BASE_OK && r.bad) {
        rc = base_fail(err, BASE_E_CORRUPT, BASE_SQLSTATE_CORRUPT,
                       "the journal of the state in \"%s\" is damaged: commit %" PRIu64
                       " cannot be read",
                       store->dir, seq);
    }
    if (rc != BASE_OK) {
        state_mem_abort(&txn);
        return rc;
    }
    state_mem_tag_set(&txn, seq);
    return state_mem_commit(&txn, err);
}

// ------------------------------------------------------------------------------------ open

base_rc state_layer_table_add(state_store *store, state_slot *slot, const char *name,
                              base_error *err) {
    state_txn txn = {.store = store, .writable = true};
    base_rc rc = state_mem_begin(&txn, err);
    if (rc != BASE_OK) return rc;
    rc = state_mem_table_create(&txn, name, slot, err);
    if (rc != BASE_OK) {
        state_mem_abort(&txn);
        return rc;
    }
    return state_mem_commit(&txn, err);
}

static base_rc mark_read(state_store *store, uint64_t *seq, bool *used, base_error *err) {
    state_txn txn = {.store = store};
    base_rc rc = state_lmdb_begin(&txn, err);
    if (rc != BASE_OK) return rc;
    rc = state_lmdb_mark_get(&txn, seq, err);
    if (rc == BASE_OK) rc = state_lmdb_journal_used(&txn, used, err);
    state_lmdb_abort(&txn);
    return rc;
}

static base_rc layer_create(state_store *store, uint64_t seq, base_error *err) {
    store->memory = state_memory_create();
    store->owns_memory = true;
    state_checkpoint_open(store);
    base_rc rc = state_mem_open(store, err);
    for (size_t i = 0; i < STATE_TABLES_MAX && rc == BASE_OK; i++) {
        state_slot *slot = &store->slots[i];
        if (slot->name != NULL) rc = state_layer_table_add(store, slot, slot->name, err);
    }
    state_txn txn = {.store = store, .writable = true};
    if (rc == BASE_OK) rc = state_mem_begin(&txn, err);
    if (rc != BASE_OK) return rc;
    state_mem_tag_set(&txn, seq);
    return state_mem_commit(&txn, err);
}

static void layer_destroy(state_store *store) {
    free(store->checkpoint);
    store->checkpoint = NULL;
    if (store->db != NULL) state_mem_close(store);
    if (store->owns_memory) state_memory_destroy(store->memory);
    store->owns_memory = false;
    store->memory = NULL;
}

// Once in the life of a store, before the first record; and when the journal is given up.
static base_rc journal_use(state_store *store, bool used, base_error *err) {
    state_txn to = {.store = store, .writable = true};
    base_rc rc = state_lmdb_begin(&to, err);
    if (rc != BASE_OK) return rc;
    rc = state_lmdb_journal_use(&to, used, err);
    if (rc != BASE_OK) {
        state_lmdb_abort(&to);
        return rc;
    }
    rc = state_lmdb_commit(&to, err);
    if (rc == BASE_OK) store->journal_used = used;
    return rc;
}

static base_rc journal_drain(state_store *store, base_error *err) {
    state_txn txn = {.store = store, .writable = true};
    base_rc rc = state_mem_begin(&txn, err);
    if (rc != BASE_OK) return rc;
    rc = state_checkpoint_now(&txn, state_mem_tag(&txn), err);
    state_mem_abort(&txn);
    return rc;
}

base_rc state_layer_open(state_store *store, bool wanted, base_error *err) {
    uint64_t seq;
    base_rc rc = mark_read(store, &seq, &store->journal_used, err);
    if (rc == BASE_OK) rc = layer_create(store, seq, err);
    if (rc == BASE_OK) {
        rc = state_journal_open(store, seq, wanted, store->journal_used, state_layer_replay, store,
                                &store->journal, err);
    }
    if (rc != BASE_OK || wanted) return rc;
    // A journal that a store opened otherwise has left: what it holds goes to LMDB.
    if (store->journal != NULL) {
        rc = journal_drain(store, err);
        if (rc == BASE_OK) rc = journal_use(store, false, err);
        if (rc != BASE_OK) return rc;
        rc = state_journal_remove(store->journal, err);
        store->journal = NULL;
    }
    layer_destroy(store);
    return rc;
}

// A clean end leaves the journal empty, where the disk allows it.
void state_layer_close(state_store *store) {
    state_checkpoint_close(store);
    state_journal_close(store->journal);
    store->journal = NULL;
    layer_destroy(store);
}

// ------------------------------------------------------------------------------------ transactions

static base_rc base_begin(state_txn *txn, base_error *err) {
    txn->base = state_alloc(sizeof *txn->base);
    *txn->base = (state_txn){.store = txn->store, .handle_seq = txn->handle_seq};
    base_rc rc = state_lmdb_begin(txn->base, err);
    if (rc == BASE_OK) return BASE_OK;
    free(txn->base);
    txn->base = NULL;
    return rc;
}

static void base_end(state_txn *txn) {
    if (txn->base == NULL) return;
    state_lmdb_abort(txn->base);
    free(txn->base);
    txn->base = NULL;
}

base_rc state_layer_begin(state_txn *txn, base_error *err) {
    for (;;) {
        base_rc rc = state_mem_begin(txn, err);
        if (rc != BASE_OK) return rc;
        rc = base_begin(txn, err);
        uint64_t mark = 0, bytes;
        if (rc == BASE_OK) rc = state_lmdb_mark_get(txn->base, &mark, err);
        if (rc == BASE_OK && (mark <= state_mem_tag(txn) || state_mem_rows(txn, &bytes) == 0)) {
            return BASE_OK;
        }
        base_end(txn);
        state_mem_abort(txn);
        if (rc != BASE_OK) return rc;
    }
}

base_rc state_layer_settle(state_store *store, base_error *err) {
    bool begun = false;
    for (;;) {
        state_txn txn = {.store = store, .writable = true};
        base_rc rc = state_mem_begin(&txn, err);
        if (rc != BASE_OK) return rc;
        uint64_t tag = state_mem_tag(&txn);
        bool changed, more = state_checkpoint_ask(&txn, &begun, &changed);
        if (changed) {
            state_mem_tag_set(&txn, tag);
            rc = state_mem_commit(&txn, err);
        } else {
            state_mem_abort(&txn);
        }
        if (rc != BASE_OK || !more) return rc;
        if (!changed) plat_sleep_us(1000);
    }
}

base_rc state_layer_begin_direct(state_txn *txn, base_error *err) {
    for (;;) {
        base_rc rc = state_mem_begin(txn, err);
        if (rc != BASE_OK) return rc;
        uint64_t bytes, tag = state_mem_tag(txn);
        state_checkpoint_wait(txn);
        if (state_mem_rows(txn, &bytes) == 0) break;
        rc = state_checkpoint_now(txn, tag, err);
        if (rc != BASE_OK) {
            state_mem_abort(txn);
            return rc;
        }
        state_mem_tag_set(txn, tag);
        rc = state_mem_commit(txn, err); // another writer may come now
        if (rc != BASE_OK) return rc;
    }
    base_rc rc = state_lmdb_begin(txn, err);
    if (rc != BASE_OK) state_mem_abort(txn);
    return rc;
}

base_rc state_layer_commit_direct(state_txn *txn, base_error *err) {
    uint64_t seq = state_mem_tag(txn) + 1;
    base_rc rc = state_lmdb_mark_set(txn, seq, err);
    if (rc != BASE_OK) {
        state_layer_abort(txn);
        return rc;
    }
    rc = state_lmdb_commit(txn, err);
    if (rc != BASE_OK) {
        state_mem_abort(txn);
        return rc;
    }
    state_journal_forget(txn->store->journal, seq);
    state_mem_tag_set(txn, seq);
    return state_mem_commit(txn, err);
}

base_rc state_layer_commit(state_txn *txn, base_error *err) {
    state_store *store = txn->store;
    uint64_t seq = state_mem_tag(txn) + 1;
    base_end(txn);
    if (txn->redo.n == 0) {
        state_layer_abort(txn);
        return BASE_OK;
    }
    state_checkpoint_drive(txn);
    base_rc rc = BASE_E_FULL;
    bool small = txn->redo.n <= COMMIT_BYTES_MAX;
    if (small && !store->journal_used) small = journal_use(store, true, err) == BASE_OK;
    if (small) rc = state_journal_append(store->journal, seq, base_buf_str(&txn->redo), err);
    if (rc != BASE_OK) rc = state_checkpoint_now(txn, seq, err); // too much for it, or it fails
    if (rc != BASE_OK) {
        state_layer_abort(txn);
        return rc;
    }
    base_buf_deinit(&txn->redo);
    state_mem_tag_set(txn, seq);
    return state_mem_commit(txn, err);
}

void state_layer_abort(state_txn *txn) {
    if (txn->mdb != NULL) state_lmdb_abort(txn);
    base_end(txn);
    state_mem_abort(txn);
    base_buf_deinit(&txn->redo);
}

// ------------------------------------------------------------------------------------ rows

base_rc state_layer_get(state_txn *txn, const state_slot *slot, base_str skey, state_row *row,
                        bool *found, base_error *err) {
    base_rc rc = state_mem_get(txn, slot, skey, row, found, err);
    if (rc != BASE_OK || *found) {
        *found = *found && !row->gone;
        return rc;
    }
    return state_lmdb_get(txn->base, slot, skey, row, found, err);
}

base_rc state_layer_put(state_txn *txn, const state_slot *slot, const state_put_row *put,
                        bool append, base_error *err) {
    if (append) {
        state_cursor last = {.txn = txn, .slot = slot};
        state_row row;
        bool found = false;
        base_rc rc = state_layer_cursor_open(&last, err);
        if (rc == BASE_OK) {
            rc = state_layer_cursor_move(&last, STATE_MOVE_LAST, (base_str){0}, &row, &found, err);
            bool above = !found || base_str_cmp(put->skey, row.skey) > 0;
            state_layer_cursor_close(&last);
            if (rc == BASE_OK && !above) {
                return base_fail(err, BASE_E_EXISTS, NULL,
                                 "a key to append is not above the table's last");
            }
        }
        if (rc != BASE_OK) return rc;
    }
    redo_put(txn, slot, put); // before: put may be borrowed from a row that goes
    return state_mem_put(txn, slot, put, false, err);
}

base_rc state_layer_delete(state_txn *txn, const state_slot *slot, base_str skey, bool *found,
                           base_error *err) {
    state_row row;
    base_rc rc = state_layer_get(txn, slot, skey, &row, found, err);
    if (rc != BASE_OK || !*found) return rc;
    redo_delete(txn, slot, skey);
    // Also where LMDB does not have the row: a checkpoint may be about to put it there.
    state_put_row mark = {.skey = skey, .gone = true};
    return state_mem_put(txn, slot, &mark, false, err);
}

base_rc state_layer_delete_range(state_txn *txn, const state_slot *slot, base_str from, base_str to,
                                 uint64_t *deleted, base_error *err) {
    state_cursor cursor = {.txn = txn, .slot = slot};
    base_rc rc = state_layer_cursor_open(&cursor, err);
    if (rc != BASE_OK) return rc;
    char at[STATE_SKEY_BYTES_MAX];
    base_str skey = from;
    for (;;) {
        state_row row;
        bool found;
        state_move move = skey.n == 0 ? STATE_MOVE_FIRST : STATE_MOVE_SEEK;
        rc = state_layer_cursor_move(&cursor, move, skey, &row, &found, err);
        if (rc != BASE_OK || !found) break;
        if (to.n > 0 && base_str_cmp(row.skey, to) >= 0) break;
        memcpy(at, row.skey.p, row.skey.n);
        skey = (base_str){at, row.skey.n};
        rc = state_layer_delete(txn, slot, skey, &found, err);
        if (rc != BASE_OK) break;
        (*deleted)++;
    }
    state_layer_cursor_close(&cursor);
    return rc;
}

base_rc state_layer_count(state_txn *txn, const state_slot *slot, uint64_t *rows, base_error *err) {
    base_rc rc = state_lmdb_count(txn->base, slot, rows, err);
    const state_tree *tree = rc == BASE_OK ? state_mem_tree(txn, slot) : NULL;
    if (tree == NULL) return rc;
    state_tree_path path;
    const state_tree_row *row = state_tree_first(tree, &path);
    for (; row != NULL && rc == BASE_OK; row = state_tree_next(&path)) {
        state_row below;
        bool found;
        rc = state_lmdb_get(txn->base, slot, state_tree_row_skey(row), &below, &found, err);
        if (found && row->gone) (*rows)--;
        if (!found && !row->gone) (*rows)++;
    }
    return rc;
}

base_rc state_layer_size(state_txn *txn, const state_slot *slot, uint64_t *rows, uint64_t *bytes,
                         base_error *err) {
    base_rc rc = state_lmdb_size(txn->base, slot, rows, bytes, err);
    const state_tree *tree = rc == BASE_OK ? state_mem_tree(txn, slot) : NULL;
    if (tree == NULL) return rc;
    *rows += tree->rows;
    *bytes += tree->bytes;
    return BASE_OK;
}

// ------------------------------------------------------------------------------------ cursors

enum { SIDE_LAYER, SIDE_BASE };

// Going forward, each side stands on its first row at or after the place, or has none; going
// backward, on its last at or before it. The row at the place is the nearer one; of two with one
// key the layer's.
struct state_layer_cursor {
    state_cursor sides[2];
    state_row rows[2];
    bool has[2];
    bool backward;
    size_t place_n;
    char place[STATE_SKEY_BYTES_MAX];
};

base_rc state_layer_cursor_open(state_cursor *cursor, base_error *err) {
    state_layer_cursor *layer = state_alloc(sizeof *layer);
    memset(layer, 0, offsetof(state_layer_cursor, place));
    layer->sides[SIDE_LAYER] = (state_cursor){.txn = cursor->txn, .slot = cursor->slot};
    layer->sides[SIDE_BASE] = (state_cursor){.txn = cursor->txn->base, .slot = cursor->slot};
    base_rc rc = state_lmdb_cursor_open(&layer->sides[SIDE_BASE], err);
    if (rc == BASE_OK) rc = state_mem_cursor_open(&layer->sides[SIDE_LAYER], err);
    if (rc != BASE_OK) {
        free(layer);
        return rc;
    }
    cursor->layer = layer;
    return BASE_OK;
}

void state_layer_cursor_close(state_cursor *cursor) {
    state_lmdb_cursor_close(&cursor->layer->sides[SIDE_BASE]);
    state_mem_cursor_close(&cursor->layer->sides[SIDE_LAYER]);
    free(cursor->layer);
    cursor->layer = NULL;
}

static base_rc side_move(state_layer_cursor *layer, int side, state_move move, base_str skey,
                         base_error *err) {
    state_cursor *cursor = &layer->sides[side];
    return side == SIDE_LAYER ? state_mem_cursor_move(cursor, move, skey, &layer->rows[side],
                                                      &layer->has[side], err)
                              : state_lmdb_cursor_move(cursor, move, skey, &layer->rows[side],
                                                       &layer->has[side], err);
}

static base_rc both_move(state_layer_cursor *layer, state_move move, base_str skey,
                         base_error *err) {
    base_rc rc = side_move(layer, SIDE_LAYER, move, skey, err);
    return rc == BASE_OK ? side_move(layer, SIDE_BASE, move, skey, err) : rc;
}

// A side onto its last row below the place.
static base_rc side_below(state_layer_cursor *layer, int side, base_str place, base_error *err) {
    base_rc rc = side_move(layer, side, STATE_MOVE_SEEK, place, err);
    if (rc != BASE_OK) return rc;
    return side_move(layer, side, layer->has[side] ? STATE_MOVE_PREV : STATE_MOVE_LAST,
                     (base_str){0}, err);
}

// A step away from the place, in the direction that both sides already have.
static base_rc leave_place(state_layer_cursor *layer, base_str place, base_error *err) {
    state_move move = layer->backward ? STATE_MOVE_PREV : STATE_MOVE_NEXT;
    base_rc rc = BASE_OK;
    for (int side = 0; side < 2 && rc == BASE_OK; side++) {
        if (!layer->has[side] || !base_str_eq(layer->rows[side].skey, place)) continue;
        rc = side_move(layer, side, move, (base_str){0}, err);
    }
    return rc;
}

// The row at the place; marks of rows that are gone are passed, with the rows that they hide.
static base_rc arrive(state_layer_cursor *layer, state_row *row, bool *found, base_error *err) {
    for (;;) {
        *found = layer->has[SIDE_LAYER] || layer->has[SIDE_BASE];
        if (!*found) return BASE_OK;
        int side = layer->has[SIDE_LAYER] ? SIDE_LAYER : SIDE_BASE;
        if (layer->has[SIDE_LAYER] && layer->has[SIDE_BASE]) {
            int order = base_str_cmp(layer->rows[SIDE_LAYER].skey, layer->rows[SIDE_BASE].skey);
            if (layer->backward) order = -order;
            side = order <= 0 ? SIDE_LAYER : SIDE_BASE;
        }
        *row = layer->rows[side];
        layer->place_n = row->skey.n;
        memcpy(layer->place, row->skey.p, row->skey.n);
        if (side == SIDE_BASE || !row->gone) return BASE_OK;
        base_rc rc = leave_place(layer, (base_str){layer->place, layer->place_n}, err);
        if (rc != BASE_OK) return rc;
    }
}

base_rc state_layer_cursor_move(state_cursor *cursor, state_move move, base_str skey,
                                state_row *row, bool *found, base_error *err) {
    state_layer_cursor *layer = cursor->layer;
    base_str place = {layer->place, layer->place_n};
    base_rc rc = BASE_OK;
    switch (move) {
    case STATE_MOVE_FIRST:
    case STATE_MOVE_SEEK:
        layer->backward = false;
        rc = both_move(layer, move, skey, err);
        break;
    case STATE_MOVE_LAST:
        layer->backward = true;
        rc = both_move(layer, move, skey, err);
        break;
    case STATE_MOVE_NEXT:
        if (layer->backward) rc = both_move(layer, STATE_MOVE_SEEK, place, err);
        layer->backward = false;
        if (rc == BASE_OK) rc = leave_place(layer, place, err);
        break;
    case STATE_MOVE_PREV:
        if (layer->backward) {
            rc = leave_place(layer, place, err);
        } else {
            rc = side_below(layer, SIDE_LAYER, place, err);
            if (rc == BASE_OK) rc = side_below(layer, SIDE_BASE, place, err);
        }
        layer->backward = true;
        break;
    }
    *found = false;
    return rc == BASE_OK ? arrive(layer, row, found, err) : rc;
}
