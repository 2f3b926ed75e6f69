// state.c - the rules that hold for both backends: handles, key encoding, what a failed write
// means, and cursors that keep their place across writes.
//
// A handle is a slot and the slot's generation, so that the handle of a dropped table never means
// another one. A slot bears the handle_seq at which it came to be: a snapshot that began before
// cannot have the table, and reads it as empty. Names are guarded by `names`; whoever creates or
// drops a table holds `ddl` meanwhile, since that waits for the writer. Entry points:
// state_store_open, state_begin_write, state_put_batch, state_cursor_next.
#include <inttypes.h>
#include <stdlib.h>

#include "base/hash.h"
#include "plat/thread.h"
#include "state/state_int.h"

#define SLOT_MASK ((1u << STATE_SLOT_BITS) - 1)

// The primitive of the transaction's backend.
#define BACKEND(txn, name)                                                                         \
    ((txn)->base != NULL           ? state_layer_##name                                            \
     : state_is_twin((txn)->store) ? state_mem_##name                                              \
                                   : state_lmdb_##name)

typedef struct skey_room {
    char bytes[STATE_SKEY_BYTES_MAX];
} skey_room;

static bool key_is_long(base_str key) {
    return key.n > STATE_PLAIN_BYTES;
}

static base_str skey_of(base_str key, skey_room *room) {
    if (!key_is_long(key)) return key;
    memcpy(room->bytes, key.p, STATE_PLAIN_BYTES);
    base_hash128(key.p, key.n, (uint8_t *)room->bytes + STATE_PLAIN_BYTES);
    return (base_str){room->bytes, STATE_SKEY_BYTES_MAX};
}

static base_str skey_copy(base_str key, skey_room *room) {
    if (key_is_long(key)) return skey_of(key, room);
    if (key.n > 0) memcpy(room->bytes, key.p, key.n);
    return (base_str){room->bytes, key.n};
}

static base_rc key_check(base_str key, base_error *err) {
    if (key.n >= 1 && key.n <= STATE_KEY_BYTES_MAX) return BASE_OK;
    base_rc rc =
        base_fail(err, BASE_E_LIMIT, NULL, "a state key of %zu bytes is outside of 1 to %u", key.n,
                  STATE_KEY_BYTES_MAX);
    base_error_hint(err, "Group, join or order by shorter values, for example by a hash of them.");
    return rc;
}

static base_rc ask(state_store *store, const char *op, base_error *err) {
    return state_is_twin(store) ? state_mem_ask(store->memory, op, err) : BASE_OK;
}

// --- tables

static base_rc names_fill(state_store *store, base_error *err);

base_rc state_store_open(plat *plat, const char *dir, const state_config *config, state_store **out,
                         base_error *err) {
    state_store *store = calloc(1, sizeof *store);
    must(store != NULL);
    store->plat = plat;
    store->dir = strdup(dir == NULL ? "" : dir);
    must(store->dir != NULL);
    store->map_bytes = config->map_bytes;
    store->no_sync = config->no_sync;
    store->journal_bytes = config->journal_bytes > 0 ? config->journal_bytes : STATE_JOURNAL_BYTES;
    plat_mutex_init(&store->names);
    plat_mutex_init(&store->ddl);
    base_rc rc;
    if (config->in_memory) {
        store->owns_memory = config->memory == NULL;
        store->memory = store->owns_memory ? state_memory_create() : config->memory;
        rc = state_mem_open(store, err);
    } else {
        rc = state_lmdb_open(store, err);
    }
    if (rc == BASE_OK) rc = names_fill(store, err);
    if (rc == BASE_OK && !config->in_memory) rc = state_layer_open(store, config->journal, err);
    if (rc != BASE_OK) {
        state_store_close(store);
        return rc;
    }
    *out = store;
    return BASE_OK;
}

void state_store_close(state_store *store) {
    if (store == NULL) return;
    must(atomic_load(&store->open_txns) == 0);
    if (store->lmdb != NULL && store->db != NULL) state_layer_close(store);
    if (store->lmdb != NULL) state_lmdb_close(store);
    if (store->db != NULL) state_mem_close(store);
    if (store->owns_memory) state_memory_destroy(store->memory);
    for (size_t i = 0; i < STATE_TABLES_MAX; i++) free(store->slots[i].name);
    plat_mutex_deinit(&store->ddl);
    plat_mutex_deinit(&store->names);
    free(store->dir);
    free(store);
}

static state_table slot_handle(const state_store *store, const state_slot *slot) {
    return (uint32_t)(slot - store->slots) | atomic_load(&slot->generation) << STATE_SLOT_BITS;
}

// Under `names` or `ddl`.
static state_slot *slot_named(state_store *store, const char *name) {
    for (size_t i = 0; i < STATE_TABLES_MAX; i++) {
        state_slot *slot = &store->slots[i];
        if (slot->name != NULL && strcmp(slot->name, name) == 0) return slot;
    }
    return NULL;
}

static state_slot *slot_free(state_store *store) {
    for (size_t i = 0; i < STATE_TABLES_MAX; i++) {
        if (store->slots[i].name == NULL) return &store->slots[i];
    }
    return NULL;
}

// Makes a slot that the backend filled visible under its name.
static void slot_publish(state_store *store, state_slot *slot, const char *name) {
    plat_mutex_lock(&store->names);
    slot->name = strdup(name);
    must(slot->name != NULL);
    slot->seq = atomic_fetch_add(&store->handle_seq, 1) + 1;
    uint32_t *last = &store->generations[slot - store->slots];
    if (++*last >= UINT32_MAX >> STATE_SLOT_BITS) *last = 1;
    atomic_store(&slot->generation, *last);
    plat_mutex_unlock(&store->names);
}

static base_rc name_check(const char *name, base_error *err) {
    size_t n = strlen(name);
    if (n >= 1 && n <= STATE_NAME_BYTES_MAX && name[0] != '!') return BASE_OK;
    return base_fail(err, BASE_E_INVALID, NULL,
                     "a state table's name has 1 to %d bytes and does not begin with \"!\"",
                     STATE_NAME_BYTES_MAX);
}

static base_rc table_create(state_store *store, const char *name, base_error *err) {
    state_slot *slot = slot_free(store);
    if (slot == NULL) {
        return base_fail(err, BASE_E_LIMIT, NULL,
                         "the state store holds %d tables, which is its limit", STATE_TABLES_MAX);
    }
    state_txn *txn;
    base_rc rc = state_begin_write_large(store, &txn, err);
    if (rc != BASE_OK) return rc;
    rc = state_is_twin(store) ? state_mem_table_create(txn, name, slot, err)
                              : state_lmdb_table_create(txn, name, slot, err);
    if (rc != BASE_OK) {
        state_abort(txn);
        return rc;
    }
    rc = state_commit(txn, err);
    if (rc == BASE_OK && store->journal != NULL) {
        rc = state_layer_table_add(store, slot, name, err);
    }
    if (rc == BASE_OK) slot_publish(store, slot, name);
    return rc;
}

base_rc state_table_open(state_store *store, const char *name, state_table *out, base_error *err) {
    base_rc rc = name_check(name, err);
    if (rc == BASE_OK) rc = ask(store, "table_open", err);
    if (rc != BASE_OK) return rc;
    plat_mutex_lock(&store->names);
    state_slot *slot = slot_named(store, name);
    if (slot != NULL) *out = slot_handle(store, slot);
    plat_mutex_unlock(&store->names);
    if (slot != NULL) return BASE_OK;
    plat_mutex_lock(&store->ddl);
    slot = slot_named(store, name);
    if (slot == NULL) rc = table_create(store, name, err);
    if (rc == BASE_OK) *out = slot_handle(store, slot_named(store, name));
    plat_mutex_unlock(&store->ddl);
    return rc;
}

static base_rc table_drop(state_store *store, state_slot *slot, base_error *err) {
    state_txn *txn;
    base_rc rc = state_begin_write_large(store, &txn, err);
    if (rc != BASE_OK) return rc;
    uint32_t generation = atomic_exchange(&slot->generation, 0); // no new use from here on
    rc = store->db != NULL ? state_mem_table_drop(txn, slot, err) : BASE_OK;
    if (rc == BASE_OK && store->lmdb != NULL) rc = state_lmdb_table_drop(txn, slot, err);
    if (rc == BASE_OK) {
        rc = state_commit(txn, err);
    } else {
        state_abort(txn);
    }
    if (rc == BASE_OK) {
        plat_mutex_lock(&store->names);
        free(slot->name);
        slot->name = NULL;
        plat_mutex_unlock(&store->names);
        return BASE_OK;
    }
    if (store->lmdb != NULL && state_lmdb_table_reopen(store, slot, NULL) != BASE_OK) return rc;
    atomic_store(&slot->generation, generation);
    return rc;
}

base_rc state_table_drop(state_store *store, const char *name, base_error *err) {
    base_rc rc = name_check(name, err);
    if (rc == BASE_OK) rc = ask(store, "table_drop", err);
    if (rc != BASE_OK) return rc;
    plat_mutex_lock(&store->ddl);
    state_slot *slot = slot_named(store, name);
    if (slot != NULL) rc = table_drop(store, slot, err);
    plat_mutex_unlock(&store->ddl);
    return rc;
}

typedef struct list_visit {
    base_rc (*visit)(void *arg, const char *name);
    void *arg;
} list_visit;

static base_rc list_one(void *arg, const char *name) {
    list_visit *to = arg;
    return name[0] == '!' ? BASE_OK : to->visit(to->arg, name);
}

static base_rc names_each(state_store *store, list_visit *to, base_error *err) {
    state_txn *txn;
    base_rc rc = state_begin_read(store, &txn, err);
    if (rc != BASE_OK) return rc;
    rc = state_is_twin(store)
             ? state_mem_table_names(txn, list_one, to, err)
             : state_lmdb_table_names(txn->base != NULL ? txn->base : txn, list_one, to, err);
    state_abort(txn);
    return rc;
}

base_rc state_table_list(state_store *store, base_rc (*visit)(void *arg, const char *name),
                         void *arg, base_error *err) {
    base_rc rc = ask(store, "table_list", err);
    if (rc != BASE_OK) return rc;
    list_visit to = {visit, arg};
    return names_each(store, &to, err);
}

typedef struct name_list {
    char **names;
    size_t n;
} name_list;

static base_rc name_collect(void *arg, const char *name) {
    name_list *list = arg;
    if (list->n == STATE_TABLES_MAX) return BASE_E_LIMIT;
    list->names[list->n] = strdup(name);
    must(list->names[list->n] != NULL);
    list->n++;
    return BASE_OK;
}

// Handles for all tables there are: so a handle made later is of a table that no older snapshot
// has.
static base_rc names_fill(state_store *store, base_error *err) {
    name_list list = {calloc(STATE_TABLES_MAX, sizeof(char *)), 0};
    must(list.names != NULL);
    list_visit to = {name_collect, &list};
    base_rc rc = names_each(store, &to, err);
    for (size_t i = 0; i < list.n && rc == BASE_OK; i++) {
        state_slot *slot = &store->slots[i];
        if (state_is_twin(store)) {
            state_txn *txn;
            rc = state_begin_write(store, &txn, err); // finds it; writes nothing
            if (rc != BASE_OK) break;
            rc = state_mem_table_create(txn, list.names[i], slot, err);
            state_abort(txn);
        } else {
            slot->name = strdup(list.names[i]);
            must(slot->name != NULL);
            rc = state_lmdb_table_reopen(store, slot, err);
            free(slot->name);
            slot->name = NULL;
        }
        if (rc == BASE_OK) slot_publish(store, slot, list.names[i]);
    }
    for (size_t i = 0; i < list.n; i++) free(list.names[i]);
    free(list.names);
    return rc;
}

// The slot of a handle; *slot NULL: the snapshot is older than the table.
static base_rc resolve(const state_txn *txn, state_table table, const state_slot **slot,
                       base_error *err) {
    const state_slot *at = &txn->store->slots[table & SLOT_MASK];
    uint32_t generation = atomic_load_explicit(&at->generation, memory_order_acquire);
    if (generation == 0 || generation != table >> STATE_SLOT_BITS) {
        return base_fail(err, BASE_E_NOT_FOUND, NULL, "the state table was dropped");
    }
    *slot = at->seq <= txn->handle_seq ? at : NULL;
    return BASE_OK;
}

// --- transactions

static base_rc backend_begin(state_txn *txn, bool large, base_error *err) {
    const state_store *store = txn->store;
    if (state_is_twin(store)) return state_mem_begin(txn, err);
    if (store->journal == NULL) return state_lmdb_begin(txn, err);
    return large ? state_layer_begin_direct(txn, err) : state_layer_begin(txn, err);
}

static void backend_abort(state_txn *txn) {
    if (state_is_twin(txn->store)) {
        state_mem_abort(txn);
    } else if (txn->mem != NULL) {
        state_layer_abort(txn);
    } else {
        state_lmdb_abort(txn);
    }
}

static base_rc backend_commit(state_txn *txn, base_error *err) {
    if (state_is_twin(txn->store)) return state_mem_commit(txn, err);
    if (txn->base != NULL) return state_layer_commit(txn, err);
    return txn->mem != NULL ? state_layer_commit_direct(txn, err) : state_lmdb_commit(txn, err);
}

// A snapshot between two table openings: all handles up to handle_seq are in it, and those that
// come later were published after it, so it has no rows of theirs.
static base_rc begin_snapshot(state_txn *txn, base_error *err) {
    for (;;) {
        txn->handle_seq = atomic_load(&txn->store->handle_seq);
        base_rc rc = backend_begin(txn, false, err);
        if (rc != BASE_OK || txn->handle_seq == atomic_load(&txn->store->handle_seq)) return rc;
        backend_abort(txn);
    }
}

static base_rc txn_begin(state_store *store, bool writable, bool large, state_txn **out,
                         base_error *err) {
    state_txn *txn = calloc(1, sizeof *txn);
    must(txn != NULL);
    txn->store = store;
    txn->writable = writable;
    base_rc rc;
    if (writable) {
        // Waiting for oneself never ends.
        must(!atomic_load(&store->writing) || atomic_load(&store->writer) != plat_thread_self());
        rc = backend_begin(txn, large, err);
    } else {
        rc = begin_snapshot(txn, err);
    }
    if (rc != BASE_OK) {
        free(txn);
        return rc;
    }
    if (writable) {
        txn->handle_seq = UINT64_MAX; // tables come and go only in write transactions
        atomic_store(&store->writer, plat_thread_self());
        atomic_store(&store->writing, true);
    }
    atomic_fetch_add(&store->open_txns, 1);
    *out = txn;
    return BASE_OK;
}

base_rc state_begin_write(state_store *store, state_txn **out, base_error *err) {
    base_rc rc = ask(store, "begin", err);
    return rc != BASE_OK ? rc : txn_begin(store, true, false, out, err);
}

base_rc state_begin_write_large(state_store *store, state_txn **out, base_error *err) {
    base_rc rc = ask(store, "begin", err);
    return rc != BASE_OK ? rc : txn_begin(store, true, true, out, err);
}

base_rc state_begin_read(state_store *store, state_txn **out, base_error *err) {
    base_rc rc = ask(store, "begin", err);
    return rc != BASE_OK ? rc : txn_begin(store, false, false, out, err);
}

base_rc state_store_settle(state_store *store, base_error *err) {
    return store->journal == NULL ? BASE_OK : state_layer_settle(store, err);
}

void state_store_watch(state_store *store, state_watch watch, void *arg) {
    store->watch = watch;
    store->watch_arg = arg;
}

static void note(const state_txn *txn, state_table table, base_str from, const base_str *to) {
    const state_store *store = txn->store;
    if (store->watch != NULL) store->watch(store->watch_arg, table, from, to);
}

static void txn_close_cursors(state_txn *txn) {
    while (txn->cursors != NULL) state_cursor_close(txn->cursors);
}

void state_abort(state_txn *txn) {
    if (txn == NULL) return;
    state_store *store = txn->store;
    txn_close_cursors(txn);
    if (txn->writable) atomic_store(&store->writing, false);
    backend_abort(txn);
    if (txn->broken == BASE_E_FULL && store->lmdb != NULL) state_lmdb_made_room(store, true);
    free(txn->broken_error);
    free(txn);
    atomic_fetch_sub(&store->open_txns, 1);
}

base_rc state_commit(state_txn *txn, base_error *err) {
    state_store *store = txn->store;
    if (txn->broken != BASE_OK) {
        base_rc rc = txn->broken;
        if (err != NULL) *err = *txn->broken_error;
        base_error_prefix(err, "nothing was committed, since a write before had failed");
        state_abort(txn);
        return rc;
    }
    if (!txn->writable) {
        state_abort(txn);
        return BASE_OK;
    }
    txn_close_cursors(txn);
    atomic_store(&store->writing, false);
    base_rc rc = backend_commit(txn, err);
    free(txn);
    if (store->lmdb != NULL && (rc == BASE_OK || rc == BASE_E_FULL)) {
        state_lmdb_made_room(store, rc == BASE_E_FULL);
    }
    if (rc == BASE_OK) atomic_fetch_add(&store->commits, 1);
    atomic_fetch_sub(&store->open_txns, 1);
    return rc;
}

// A failed write leaves the transaction in no known state: it can only be aborted.
static base_rc write_failed(state_txn *txn, base_rc rc, const base_error *why, base_error *err) {
    if (err != NULL) *err = *why;
    if (txn->broken == BASE_OK) {
        txn->broken = rc;
        txn->broken_error = state_alloc(sizeof *txn->broken_error);
        *txn->broken_error = *why;
    }
    return rc;
}

// --- cursors' places

// Before a write: what a cursor stands on may move, so it keeps its place by key.
static void cursors_detach(state_txn *txn) {
    for (state_cursor *cursor = txn->cursors; cursor != NULL; cursor = cursor->next) {
        if (cursor->place != STATE_PLACE_ROW) continue;
        memcpy(cursor->saved, cursor->skey.p, cursor->skey.n);
        cursor->saved_n = cursor->skey.n;
        cursor->place = STATE_PLACE_SAVED;
    }
}

// --- single rows

static base_rc row_get(state_txn *txn, const state_slot *slot, base_str skey, state_row *row,
                       bool *found, base_error *err) {
    if (txn->base != NULL) return state_layer_get(txn, slot, skey, row, found, err);
    return state_is_twin(txn->store) ? state_mem_get(txn, slot, skey, row, found, err)
                                     : state_lmdb_get(txn, slot, skey, row, found, err);
}

// Two keys with one prefix and one 128-bit hash: never by chance.
static base_rc collision(base_error *err) {
    return base_fail(err, BASE_E_LIMIT, NULL, "two long state keys have the same hash");
}

base_rc state_get(state_txn *txn, state_table table, base_str key, base_str *value, bool *found,
                  base_error *err) {
    const state_slot *slot;
    *found = false;
    base_rc rc = key_check(key, err);
    if (rc == BASE_OK) rc = ask(txn->store, "get", err);
    if (rc == BASE_OK) rc = resolve(txn, table, &slot, err);
    if (rc != BASE_OK || slot == NULL) return rc;
    skey_room room;
    state_row row;
    base_str skey = skey_of(key, &room);
    rc = row_get(txn, slot, skey, &row, found, err);
    if (rc != BASE_OK || !*found) return rc;
    if (key_is_long(key) && !base_str_eq(row.key, key)) {
        *found = false;
        return BASE_OK;
    }
    *value = row.value;
    return BASE_OK;
}

// What every write asks first. On success cursors are detached and the slot is set.
static base_rc write_begin(state_txn *txn, state_table table, const char *op,
                           const state_slot **slot, base_error *err) {
    must(txn->writable);
    base_error why;
    base_rc rc = ask(txn->store, op, &why);
    if (rc != BASE_OK) return write_failed(txn, rc, &why, err);
    if (txn->broken != BASE_OK) {
        if (err != NULL) *err = *txn->broken_error;
        return txn->broken;
    }
    rc = resolve(txn, table, slot, err);
    if (rc == BASE_OK) cursors_detach(txn);
    return rc;
}

static base_rc value_check(base_str value, base_error *err) {
    if (value.n <= STATE_VALUE_BYTES_MAX) return BASE_OK;
    return base_fail(err, BASE_E_LIMIT, NULL,
                     "a state value of %zu bytes is above the limit of %" PRIu64, value.n,
                     STATE_VALUE_BYTES_MAX);
}

// The row of a long key must not replace another's.
static base_rc long_key_check(state_txn *txn, const state_slot *slot, base_str key, base_str skey,
                              base_error *err) {
    state_row row;
    bool found;
    base_rc rc = row_get(txn, slot, skey, &row, &found, err);
    if (rc != BASE_OK || !found || base_str_eq(row.key, key)) return rc;
    return collision(err);
}

static base_rc put_row(state_txn *txn, state_table table, base_str key, base_str value, bool append,
                       base_error *err) {
    const state_slot *slot;
    base_rc rc = key_check(key, err);
    if (rc == BASE_OK) rc = value_check(value, err);
    if (rc == BASE_OK) rc = write_begin(txn, table, append ? "append" : "put", &slot, err);
    if (rc != BASE_OK) return rc;
    note(txn, table, key, NULL);
    skey_room room;
    state_put_row put = {.skey = skey_of(key, &room), .value = value};
    if (key_is_long(key)) {
        put.whole = key;
        append = false; // the order of long keys is by hash
        rc = long_key_check(txn, slot, key, put.skey, err);
        if (rc != BASE_OK) return rc;
    }
    base_error why;
    rc = BACKEND(txn, put)(txn, slot, &put, append, &why);
    if (rc == BASE_OK) return BASE_OK;
    if (rc == BASE_E_EXISTS) { // an append that is out of order: nothing was written
        if (err != NULL) *err = why;
        return rc;
    }
    return write_failed(txn, rc, &why, err);
}

base_rc state_put(state_txn *txn, state_table table, base_str key, base_str value,
                  base_error *err) {
    return put_row(txn, table, key, value, false, err);
}

base_rc state_append(state_txn *txn, state_table table, base_str key, base_str value,
                     base_error *err) {
    return put_row(txn, table, key, value, true, err);
}

base_rc state_delete(state_txn *txn, state_table table, base_str key, bool *found,
                     base_error *err) {
    const state_slot *slot;
    *found = false;
    base_rc rc = key_check(key, err);
    if (rc == BASE_OK) rc = write_begin(txn, table, "delete", &slot, err);
    if (rc != BASE_OK) return rc;
    note(txn, table, key, NULL);
    skey_room room;
    base_str skey = skey_of(key, &room);
    if (key_is_long(key)) {
        rc = long_key_check(txn, slot, key, skey, err);
        if (rc == BASE_E_LIMIT) return BASE_OK; // another key's row
        if (rc != BASE_OK) return rc;
    }
    base_error why;
    rc = BACKEND(txn, delete)(txn, slot, skey, found, &why);
    return rc == BASE_OK ? BASE_OK : write_failed(txn, rc, &why, err);
}

base_rc state_clear(state_txn *txn, state_table table, base_error *err) {
    const state_slot *slot;
    base_rc rc = write_begin(txn, table, "clear", &slot, err);
    if (rc != BASE_OK) return rc;
    base_error why;
    note(txn, table, (base_str){NULL, 0}, &(base_str){NULL, 0});
    uint64_t deleted = 0;
    if (txn->base != NULL) {
        rc = state_layer_delete_range(txn, slot, (base_str){0}, (base_str){0}, &deleted, &why);
    } else {
        rc = state_is_twin(txn->store) ? state_mem_clear(txn, slot, &why)
                                       : state_lmdb_clear(txn, slot, &why);
    }
    return rc == BASE_OK ? BASE_OK : write_failed(txn, rc, &why, err);
}

base_rc state_delete_range(state_txn *txn, state_table table, base_str from, base_str to,
                           uint64_t *deleted, base_error *err) {
    const state_slot *slot;
    *deleted = 0;
    base_rc rc = from.n == 0 ? BASE_OK : key_check(from, err);
    if (rc == BASE_OK && to.n > 0) rc = key_check(to, err);
    if (rc == BASE_OK) rc = write_begin(txn, table, "delete_range", &slot, err);
    if (rc != BASE_OK) return rc;
    note(txn, table, from, &to);
    skey_room from_room, to_room;
    from = skey_copy(from, &from_room); // they may be borrowed from rows that are to go
    to = skey_copy(to, &to_room);
    base_error why;
    rc = BACKEND(txn, delete_range)(txn, slot, from, to, deleted, &why);
    return rc == BASE_OK ? BASE_OK : write_failed(txn, rc, &why, err);
}

// --- batches

static void cursor_init(state_cursor *cursor, state_txn *txn, const state_slot *slot) {
    cursor->txn = txn;
    cursor->slot = slot;
    cursor->place = STATE_PLACE_NONE;
    cursor->mdb = NULL;
    cursor->mem = NULL;
    cursor->layer = NULL;
}

// LMDB alone reads and writes a batch through one cursor.
static bool has_lmdb_cursor(const state_txn *txn) {
    return !state_is_twin(txn->store) && txn->base == NULL;
}

static base_rc get_batch(state_cursor *cursor, size_t n, const base_str *keys, base_str *values,
                         base_error *err) {
    state_txn *txn = cursor->txn;
    for (size_t i = 0; i < n; i++) {
        check(i == 0 || base_str_cmp(keys[i - 1], keys[i]) <= 0);
        base_rc rc = key_check(keys[i], err);
        if (rc == BASE_OK) rc = ask(txn->store, "get", err);
        if (rc != BASE_OK) return rc;
        skey_room room;
        state_row row;
        bool found;
        base_str skey = skey_of(keys[i], &room);
        rc = cursor->mdb != NULL ? state_lmdb_cursor_get(cursor, skey, &row, &found, err)
                                 : row_get(txn, cursor->slot, skey, &row, &found, err);
        if (rc != BASE_OK) return rc;
        if (found && key_is_long(keys[i])) found = base_str_eq(row.key, keys[i]);
        values[i] = found ? row.value : (base_str){0};
    }
    return BASE_OK;
}

base_rc state_get_batch(state_txn *txn, state_table table, size_t n, const base_str *keys,
                        base_str *values, base_error *err) {
    if (n == 0) return BASE_OK;
    state_cursor cursor;
    const state_slot *slot;
    base_rc rc = resolve(txn, table, &slot, err);
    if (rc != BASE_OK) return rc;
    if (slot == NULL) {
        for (size_t i = 0; i < n; i++) values[i] = (base_str){0};
        return BASE_OK;
    }
    cursor_init(&cursor, txn, slot);
    if (has_lmdb_cursor(txn)) {
        rc = state_lmdb_cursor_open(&cursor, err);
        if (rc != BASE_OK) return rc;
    }
    rc = get_batch(&cursor, n, keys, values, err);
    if (cursor.mdb != NULL) state_lmdb_cursor_close(&cursor);
    return rc;
}

// The end of LMDB's table while a batch is put: keys of the batch above it can be appended.
typedef struct table_tail {
    bool known;    // last is the table's last key; false: nothing is appended
    bool is_below; // the table's last key is below the batch's next one
    base_str last;
    skey_room room;
} table_tail;

static void tail_read(state_cursor *cursor, table_tail *tail) {
    state_row row;
    bool found;
    tail->known = tail->is_below = false;
    if (cursor->mdb == NULL || state_lmdb_cursor_move(cursor, STATE_MOVE_LAST, (base_str){0}, &row,
                                                      &found, NULL) != BASE_OK) {
        return;
    }
    tail->known = true;
    tail->is_below = !found;
    if (!found) return;
    memcpy(tail->room.bytes, row.skey.p, row.skey.n);
    tail->last = (base_str){tail->room.bytes, row.skey.n};
}

// Whether a key of the batch is above the table's. Long keys are ordered by hash: with the first
// one it ends.
static bool tail_passed(table_tail *tail, base_str key) {
    if (key_is_long(key)) tail->known = false;
    if (!tail->known) return false;
    if (!tail->is_below) tail->is_below = base_str_cmp(key, tail->last) > 0;
    return tail->is_below;
}

static base_rc put_one(state_cursor *cursor, base_str key, base_str value, bool append,
                       base_error *why) {
    state_txn *txn = cursor->txn;
    base_rc rc = key_check(key, why);
    if (rc == BASE_OK) rc = value_check(value, why);
    if (rc == BASE_OK) rc = ask(txn->store, value.p == NULL ? "delete" : "put", why);
    if (rc != BASE_OK) return rc;
    skey_room room;
    state_put_row put = {.skey = skey_of(key, &room), .value = value};
    if (key_is_long(key)) {
        put.whole = key;
        rc = long_key_check(txn, cursor->slot, key, put.skey, why);
        if (rc == BASE_E_LIMIT && value.p == NULL) return BASE_OK; // another key's row
        if (rc != BASE_OK) return rc;
    }
    if (value.p == NULL) {
        bool found;
        return cursor->mdb != NULL ? state_lmdb_cursor_delete(cursor, put.skey, why)
                                   : BACKEND(txn, delete)(txn, cursor->slot, put.skey, &found, why);
    }
    return cursor->mdb != NULL ? state_lmdb_cursor_put(cursor, &put, append, why)
                               : BACKEND(txn, put)(txn, cursor->slot, &put, false, why);
}

base_rc state_put_batch(state_txn *txn, state_table table, size_t n, const base_str *keys,
                        const base_str *values, base_error *err) {
    must(txn->writable);
    if (n == 0) return BASE_OK;
    if (txn->broken != BASE_OK) {
        if (err != NULL) *err = *txn->broken_error;
        return txn->broken;
    }
    const state_slot *slot;
    base_rc rc = resolve(txn, table, &slot, err);
    if (rc != BASE_OK) return rc;
    cursors_detach(txn);
    state_cursor cursor;
    cursor_init(&cursor, txn, slot);
    base_error why;
    if (has_lmdb_cursor(txn)) {
        rc = state_lmdb_cursor_open(&cursor, &why);
        if (rc != BASE_OK) return write_failed(txn, rc, &why, err);
    }
    table_tail tail;
    tail_read(&cursor, &tail);
    for (size_t i = 0; i < n && rc == BASE_OK; i++) {
        check(i == 0 || base_str_cmp(keys[i - 1], keys[i]) < 0);
        note(txn, table, keys[i], NULL);
        rc = put_one(&cursor, keys[i], values[i], tail_passed(&tail, keys[i]), &why);
    }
    if (cursor.mdb != NULL) state_lmdb_cursor_close(&cursor);
    // A batch that stopped midway is half written, whatever stopped it.
    return rc == BASE_OK ? BASE_OK : write_failed(txn, rc, &why, err);
}

// --- cursors

base_rc state_cursor_open(state_txn *txn, state_table table, state_cursor **out, base_error *err) {
    const state_slot *slot;
    base_rc rc = ask(txn->store, "cursor_open", err);
    if (rc == BASE_OK) rc = resolve(txn, table, &slot, err);
    if (rc != BASE_OK) return rc;
    state_cursor *cursor = state_alloc(sizeof *cursor);
    cursor_init(cursor, txn, slot);
    if (slot != NULL) {
        rc = BACKEND(txn, cursor_open)(cursor, err);
        if (rc != BASE_OK) {
            free(cursor);
            return rc;
        }
    }
    cursor->prev = NULL;
    cursor->next = txn->cursors;
    if (cursor->next != NULL) cursor->next->prev = cursor;
    txn->cursors = cursor;
    *out = cursor;
    return BASE_OK;
}

void state_cursor_close(state_cursor *cursor) {
    if (cursor == NULL) return;
    if (cursor->next != NULL) cursor->next->prev = cursor->prev;
    if (cursor->prev != NULL) {
        cursor->prev->next = cursor->next;
    } else {
        cursor->txn->cursors = cursor->next;
    }
    if (cursor->layer != NULL) state_layer_cursor_close(cursor);
    if (cursor->mem != NULL) state_mem_cursor_close(cursor);
    if (cursor->mdb != NULL) state_lmdb_cursor_close(cursor);
    free(cursor);
}

static base_rc cursor_move(state_cursor *cursor, state_move move, base_str skey, state_row *row,
                           bool *found, base_error *err) {
    return BACKEND(cursor->txn, cursor_move)(cursor, move, skey, row, found, err);
}

// Hands a move's result to the caller and notes the place.
static base_rc cursor_arrive(state_cursor *cursor, const state_row *row, bool found,
                             state_place past, base_str *key, base_str *value, bool *end) {
    *end = !found;
    if (!found) {
        cursor->place = past;
        return BASE_OK;
    }
    cursor->place = STATE_PLACE_ROW;
    cursor->skey = row->skey;
    *key = row->key;
    *value = row->value;
    return BASE_OK;
}

static base_rc cursor_go(state_cursor *cursor, state_move move, base_str skey, state_place past,
                         base_str *key, base_str *value, bool *end, base_error *err) {
    state_row row = {0};
    bool found = false;
    if (cursor->slot != NULL) {
        base_rc rc = cursor_move(cursor, move, skey, &row, &found, err);
        if (rc != BASE_OK) {
            cursor->place = STATE_PLACE_NONE;
            return rc;
        }
    }
    return cursor_arrive(cursor, &row, found, past, key, value, end);
}

base_rc state_cursor_seek(state_cursor *cursor, base_str from, base_str *key, base_str *value,
                          bool *end, base_error *err) {
    base_rc rc = ask(cursor->txn->store, "seek", err);
    if (rc == BASE_OK && from.n > 0) rc = key_check(from, err);
    if (rc != BASE_OK) return rc;
    skey_room room;
    state_move move = from.n == 0 ? STATE_MOVE_FIRST : STATE_MOVE_SEEK;
    return cursor_go(cursor, move, skey_of(from, &room), STATE_PLACE_AFTER, key, value, end, err);
}

base_rc state_cursor_last(state_cursor *cursor, base_str *key, base_str *value, bool *end,
                          base_error *err) {
    base_rc rc = ask(cursor->txn->store, "last", err);
    if (rc != BASE_OK) return rc;
    return cursor_go(cursor, STATE_MOVE_LAST, (base_str){0}, STATE_PLACE_BEFORE, key, value, end,
                     err);
}

base_rc state_cursor_next(state_cursor *cursor, base_str *key, base_str *value, bool *end,
                          base_error *err) {
    base_rc rc = ask(cursor->txn->store, "next", err);
    if (rc != BASE_OK) return rc;
    state_move move = STATE_MOVE_NEXT;
    switch (cursor->place) {
    case STATE_PLACE_AFTER:
        *end = true;
        return BASE_OK;
    case STATE_PLACE_NONE:
    case STATE_PLACE_BEFORE:
        move = STATE_MOVE_FIRST;
        break;
    case STATE_PLACE_SAVED: {
        base_str saved = {cursor->saved, cursor->saved_n};
        rc = cursor_go(cursor, STATE_MOVE_SEEK, saved, STATE_PLACE_AFTER, key, value, end, err);
        if (rc != BASE_OK || *end || !base_str_eq(cursor->skey, saved)) return rc;
        break;
    }
    case STATE_PLACE_ROW:
        break;
    }
    return cursor_go(cursor, move, (base_str){0}, STATE_PLACE_AFTER, key, value, end, err);
}

base_rc state_cursor_prev(state_cursor *cursor, base_str *key, base_str *value, bool *end,
                          base_error *err) {
    base_rc rc = ask(cursor->txn->store, "prev", err);
    if (rc != BASE_OK) return rc;
    state_move move = STATE_MOVE_PREV;
    switch (cursor->place) {
    case STATE_PLACE_BEFORE:
        *end = true;
        return BASE_OK;
    case STATE_PLACE_NONE:
    case STATE_PLACE_AFTER:
        move = STATE_MOVE_LAST;
        break;
    case STATE_PLACE_SAVED: {
        base_str saved = {cursor->saved, cursor->saved_n};
        rc = cursor_go(cursor, STATE_MOVE_SEEK, saved, STATE_PLACE_AFTER, key, value, end, err);
        if (rc != BASE_OK) return rc;
        if (*end) move = STATE_MOVE_LAST;
        break;
    }
    case STATE_PLACE_ROW:
        break;
    }
    return cursor_go(cursor, move, (base_str){0}, STATE_PLACE_BEFORE, key, value, end, err);
}

// --- the rest

base_rc state_table_count(state_txn *txn, state_table table, uint64_t *rows, base_error *err) {
    const state_slot *slot;
    *rows = 0;
    base_rc rc = ask(txn->store, "count", err);
    if (rc == BASE_OK) rc = resolve(txn, table, &slot, err);
    if (rc != BASE_OK || slot == NULL) return rc;
    return BACKEND(txn, count)(txn, slot, rows, err);
}

base_rc state_table_size(state_txn *txn, state_table table, uint64_t *rows, uint64_t *bytes,
                         base_error *err) {
    const state_slot *slot;
    *rows = *bytes = 0;
    base_rc rc = ask(txn->store, "size", err);
    if (rc == BASE_OK) rc = resolve(txn, table, &slot, err);
    if (rc != BASE_OK || slot == NULL) return rc;
    return BACKEND(txn, size)(txn, slot, rows, bytes, err);
}

void state_store_stats(state_store *store, state_stats *stats) {
    *stats = (state_stats){.commits = atomic_load(&store->commits)};
    if (!state_is_twin(store)) state_lmdb_stats(store, stats);
    if (store->db == NULL) return;
    uint64_t map_bytes = stats->bytes_map;
    state_mem_stats(store, stats); // the layer's rows beside LMDB's
    if (state_is_twin(store)) return;
    stats->bytes_map = map_bytes;
    stats->checkpointing = state_checkpoint_is_busy(store);
    if (store->journal != NULL) stats->journal_bytes = state_journal_replay_bytes(store->journal);
}
