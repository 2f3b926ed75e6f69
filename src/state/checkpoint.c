// checkpoint.c - the rows of a layer (layer.c) go to LMDB, in one commit there, and leave the
// layer.
//
// Beside the writer: a version of the layer is frozen (a read transaction of the twin holds it),
// the journal goes on in its other file, and a thread writes the version's rows. When LMDB has
// them, what the layer has had since the freeze is all that stays in it, and the journal's first
// file is free. So the writer, and who waits for its commits, does not wait for LMDB. At once:
// before a transaction that writes to LMDB itself, when the journal takes no more, and at the end.
//
// Invariants: one checkpoint at a time; LMDB is written by it or by a direct transaction, which
// waits for it; tables come and go in direct transactions only, so those that the thread was given
// stay. Entry points: state_checkpoint_drive, state_checkpoint_now.
#include <stdlib.h>

#include "state/tree_int.h"

#define LAYER_ROWS_MAX 200000u

struct state_checkpoint {
    bool running;
    _Atomic bool busy;  // the thread is at work
    _Atomic bool ended; // it has done what it could
    plat_thread thread;
    state_store *store;
    state_txn frozen; // of the twin: the version that is written
    base_rc rc;
    uint64_t retry_bytes; // of the journal, when the last one failed; 0: it did not
    uint32_t nslots;
    const state_slot *slots[STATE_TABLES_MAX];
};

// ------------------------------------------------------------------------------------ writing

static base_rc write_table(state_txn *to, const state_slot *slot, const state_tree *tree,
                           base_error *err) {
    if (tree == NULL || tree->rows == 0) return BASE_OK;
    state_cursor cursor = {.txn = to, .slot = slot};
    base_rc rc = state_lmdb_cursor_open(&cursor, err);
    if (rc != BASE_OK) return rc;
    state_tree_path path;
    const state_tree_row *row = state_tree_first(tree, &path);
    for (; row != NULL && rc == BASE_OK; row = state_tree_next(&path)) {
        base_str skey = state_tree_row_skey(row);
        const char *rest = row->bytes + row->skey_n;
        if (row->gone) {
            rc = state_lmdb_cursor_delete(&cursor, skey, err);
            continue;
        }
        state_put_row put = {.skey = skey,
                             .whole = {rest, row->whole_n},
                             .value = {rest + row->whole_n, row->value_n}};
        rc = state_lmdb_cursor_put(&cursor, &put, false, err);
    }
    state_lmdb_cursor_close(&cursor);
    return rc;
}

// The layer as a transaction of the twin has it, into LMDB, which is at commit seq then.
static base_rc write_layer(const state_txn *layer, uint32_t n, const state_slot *const *slots,
                           uint64_t seq, base_error *err) {
    state_store *store = layer->store;
    state_txn to = {.store = store, .writable = true};
    base_rc rc = state_lmdb_begin(&to, err);
    if (rc != BASE_OK) return rc;
    for (uint32_t i = 0; i < n && rc == BASE_OK; i++) {
        rc = write_table(&to, slots[i], state_mem_tree(layer, slots[i]), err);
    }
    if (rc == BASE_OK) rc = state_lmdb_mark_set(&to, seq, err);
    if (rc != BASE_OK) {
        state_lmdb_abort(&to);
        if (rc == BASE_E_FULL) state_lmdb_made_room(store, true);
        return rc;
    }
    rc = state_lmdb_commit(&to, err);
    if (rc == BASE_OK || rc == BASE_E_FULL) state_lmdb_made_room(store, rc == BASE_E_FULL);
    return rc;
}

static uint32_t used_slots(state_store *store, const state_slot **slots) {
    uint32_t n = 0;
    plat_mutex_lock(&store->names);
    for (size_t i = 0; i < STATE_TABLES_MAX; i++) {
        const state_slot *slot = &store->slots[i];
        if (slot->name != NULL && atomic_load(&slot->generation) != 0) slots[n++] = slot;
    }
    plat_mutex_unlock(&store->names);
    return n;
}

// ------------------------------------------------------------------------------------ beside

static void *run(void *arg) {
    state_checkpoint *c = arg;
    base_error err; // it is met again, and told, by the commit that finds no other way
    c->rc = write_layer(&c->frozen, c->nslots, c->slots, state_mem_tag(&c->frozen), &err);
    atomic_store(&c->busy, false);
    atomic_store(&c->ended, true);
    return NULL;
}

// The thread has ended, or is waited for: what LMDB has now leaves the layer of txn.
static void settle(state_checkpoint *c, state_txn *txn) {
    plat_thread_join(c->thread);
    c->running = false;
    if (c->rc == BASE_OK) {
        state_mem_subtract(txn, &c->frozen);
        state_journal_forget(c->store->journal, state_mem_tag(&c->frozen));
        c->retry_bytes = 0;
    } else {
        c->retry_bytes = state_journal_bytes(c->store->journal) + c->store->journal_bytes / 4;
    }
    state_mem_abort(&c->frozen);
}

// By the journal's length, or by rows: marks of deleted rows are short there, but each costs memory
// here, and is passed by whoever reads over it.
static bool is_due(const state_checkpoint *c, const state_txn *txn) {
    uint64_t bytes = state_journal_bytes(c->store->journal), layer_bytes;
    if (c->retry_bytes > 0) return bytes > c->retry_bytes;
    return bytes > c->store->journal_bytes || state_mem_rows(txn, &layer_bytes) > LAYER_ROWS_MAX;
}

// The version that the transaction began with, all of whose records are in the journal's file: the
// transaction's own goes to the next.
static void begin(state_checkpoint *c) {
    c->frozen = (state_txn){.store = c->store};
    if (state_mem_begin(&c->frozen, NULL) != BASE_OK) return;
    c->nslots = used_slots(c->store, c->slots);
    state_journal_switch(c->store->journal);
    c->running = true;
    atomic_store(&c->ended, false);
    atomic_store(&c->busy, true);
    plat_thread_start(&c->thread, "checkpoint", run, c);
}

void state_checkpoint_open(state_store *store) {
    store->checkpoint = calloc(1, sizeof *store->checkpoint);
    must(store->checkpoint != NULL);
    store->checkpoint->store = store;
}

bool state_checkpoint_is_busy(const state_store *store) {
    return store->checkpoint != NULL && atomic_load(&store->checkpoint->busy);
}

void state_checkpoint_drive(state_txn *txn) {
    state_checkpoint *c = txn->store->checkpoint;
    if (c->running && atomic_load(&c->ended)) settle(c, txn);
    if (!c->running && is_due(c, txn)) begin(c);
}

bool state_checkpoint_ask(state_txn *txn, bool *begun, bool *changed) {
    state_checkpoint *c = txn->store->checkpoint;
    uint64_t bytes;
    *changed = c->running && atomic_load(&c->ended);
    if (*changed) {
        settle(c, txn);
        return true;
    }
    if (c->running) return true;
    if (*begun || state_mem_rows(txn, &bytes) == 0) return false;
    begin(c);
    *begun = true;
    return c->running;
}

void state_checkpoint_wait(state_txn *txn) {
    state_checkpoint *c = txn->store->checkpoint;
    if (c->running) settle(c, txn);
}

// ------------------------------------------------------------------------------------ at once

base_rc state_checkpoint_now(state_txn *txn, uint64_t seq, base_error *err) {
    state_checkpoint_wait(txn);
    const state_slot *slots[STATE_TABLES_MAX];
    uint32_t n = used_slots(txn->store, slots);
    base_rc rc = write_layer(txn, n, slots, seq, err);
    for (uint32_t i = 0; i < n && rc == BASE_OK; i++) {
        if (state_mem_tree(txn, slots[i]) != NULL) rc = state_mem_clear(txn, slots[i], err);
    }
    if (rc != BASE_OK) return rc;
    state_journal_forget(txn->store->journal, seq);
    txn->store->checkpoint->retry_bytes = 0;
    return BASE_OK;
}

void state_checkpoint_close(state_store *store) {
    state_txn txn = {.store = store, .writable = true};
    if (store->journal == NULL || state_mem_begin(&txn, NULL) != BASE_OK) return;
    uint64_t bytes, tag = state_mem_tag(&txn);
    state_checkpoint_wait(&txn);
    // Where the disk does not take it, the journal has it.
    if (state_mem_rows(&txn, &bytes) > 0) (void)state_checkpoint_now(&txn, tag, NULL);
    state_mem_abort(&txn);
}
