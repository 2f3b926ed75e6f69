// memory.c - the twin's store: versions of a set of tables, each a root of a copy-on-write tree.
//
// A commit makes a new version; a reader holds the version it began with. What a write transaction
// took out of the trees belongs to older versions only: it is freed when the version that the
// commit replaced, and all before it, are held by nobody. Versions are a list from the oldest to
// the newest. Threads: the mutex guards the list, its counts and who writes; trees of versions
// never change. Entry points: state_mem_begin, state_mem_commit.
#include <inttypes.h>
#include <stdlib.h>

#include "state/tree_int.h"

typedef struct table {
    const char *name; // interned by the db; NULL: the place is free
    uint64_t id;      // never used twice
    state_tree tree;
} table;

typedef struct version {
    struct version *newer;
    uint64_t txn;
    uint64_t tag;               // the owner's, given with the commit
    uint64_t holders;           // readers; the newest is also held by the db
    state_tree_garbage garbage; // what this version's commit took out of the one before
    size_t n;
    table tables[];
} version;

struct state_memory_db {
    state_memory_db *next;
    char *dir;
    plat_mutex mutex;
    plat_cond idle; // no writer
    bool writing;
    version *oldest, *newest;
    uint64_t table_ids;
    char **names;
    size_t name_count;
};

struct state_memory {
    state_memory_db *dbs;
    plat_mutex mutex;
    base_rc (*fault)(void *arg, const char *op, base_error *err);
    void *fault_arg;
};

struct state_memory_txn {
    state_memory_db *db;
    version *from;
    // write only: a working copy of the tables
    state_tree_garbage garbage;
    state_tree_edit edit;
    bool changed;
    uint64_t tag;
    size_t n;
    table *tables;
    uint64_t bytes; // of keys and values over all tables
};

struct state_memory_cursor {
    const state_tree *tree;
    state_tree_path path;
};

void *state_alloc(size_t bytes) {
    void *p = malloc(bytes);
    must(p != NULL);
    return p;
}

state_memory *state_memory_create(void) {
    state_memory *memory = state_alloc(sizeof *memory);
    *memory = (state_memory){0};
    plat_mutex_init(&memory->mutex);
    return memory;
}

static void db_destroy(state_memory_db *db) {
    must(!db->writing && db->oldest == db->newest && db->newest->holders == 1);
    for (size_t i = 0; i < db->newest->n; i++) state_tree_destroy(&db->newest->tables[i].tree);
    must(db->newest->garbage.n == 0);
    free(db->newest);
    for (size_t i = 0; i < db->name_count; i++) free(db->names[i]);
    free(db->names);
    plat_cond_deinit(&db->idle);
    plat_mutex_deinit(&db->mutex);
    free(db->dir);
    free(db);
}

void state_memory_destroy(state_memory *memory) {
    if (memory == NULL) return;
    while (memory->dbs != NULL) {
        state_memory_db *db = memory->dbs;
        memory->dbs = db->next;
        db_destroy(db);
    }
    plat_mutex_deinit(&memory->mutex);
    free(memory);
}

void state_memory_set_fault(state_memory *memory,
                            base_rc (*fault)(void *arg, const char *op, base_error *err),
                            void *arg) {
    memory->fault = fault;
    memory->fault_arg = arg;
}

base_rc state_mem_ask(state_memory *memory, const char *op, base_error *err) {
    if (memory->fault == NULL) return BASE_OK;
    base_error_clear(err); // the hook may leave it as it is
    base_rc rc = memory->fault(memory->fault_arg, op, err);
    if (rc != BASE_OK && err != NULL && err->code != rc)
        base_fail(err, rc, NULL, "fault at %s", op);
    return rc;
}

static state_memory_db *db_create(const char *dir) {
    state_memory_db *db = state_alloc(sizeof *db);
    *db = (state_memory_db){0};
    db->dir = strdup(dir);
    must(db->dir != NULL);
    plat_mutex_init(&db->mutex);
    plat_cond_init(&db->idle);
    db->newest = db->oldest = state_alloc(sizeof(version));
    *db->newest = (version){.holders = 1};
    return db;
}

base_rc state_mem_open(state_store *store, base_error *err) {
    base_rc rc = state_mem_ask(store->memory, "open", err);
    if (rc != BASE_OK) return rc;
    state_memory *memory = store->memory;
    plat_mutex_lock(&memory->mutex);
    state_memory_db *db = memory->dbs;
    while (db != NULL && strcmp(db->dir, store->dir) != 0) db = db->next;
    if (db == NULL) {
        db = db_create(store->dir);
        db->next = memory->dbs;
        memory->dbs = db;
    }
    plat_mutex_unlock(&memory->mutex);
    store->db = db;
    return BASE_OK;
}

void state_mem_close(state_store *store) {
    store->db = NULL;
}

static void garbage_free(state_tree_garbage *garbage) {
    for (size_t i = 0; i < garbage->n; i++) free(garbage->items[i]);
    free(garbage->items);
    *garbage = (state_tree_garbage){0};
}

// Gives up one hold; frees the versions at the old end that nobody holds any more.
static void version_release(state_memory_db *db, version *held) {
    plat_mutex_lock(&db->mutex);
    held->holders--;
    version *dead = db->oldest, *end = dead;
    while (end != db->newest && end->holders == 0) {
        // What the next one took out was kept for this one's sake.
        must(end->garbage.n == 0);
        end->garbage = end->newer->garbage;
        end->newer->garbage = (state_tree_garbage){0};
        end = end->newer;
    }
    db->oldest = end;
    plat_mutex_unlock(&db->mutex);
    while (dead != end) {
        version *newer = dead->newer;
        garbage_free(&dead->garbage);
        free(dead);
        dead = newer;
    }
}

base_rc state_mem_begin(state_txn *txn, base_error *err) {
    (void)err;
    state_memory_db *db = txn->store->db;
    state_memory_txn *mem = state_alloc(sizeof *mem);
    *mem = (state_memory_txn){.db = db};
    plat_mutex_lock(&db->mutex);
    if (txn->writable) {
        while (db->writing) plat_cond_wait(&db->idle, &db->mutex);
        db->writing = true;
    }
    mem->from = db->newest;
    mem->from->holders++;
    plat_mutex_unlock(&db->mutex);
    if (txn->writable) {
        mem->n = mem->from->n;
        mem->tables = state_alloc((mem->n + 1) * sizeof(table));
        memcpy(mem->tables, mem->from->tables, mem->n * sizeof(table));
        for (size_t i = 0; i < mem->n; i++) mem->bytes += mem->tables[i].tree.bytes;
        mem->edit = (state_tree_edit){.txn = mem->from->txn + 1, .garbage = &mem->garbage};
        mem->tag = mem->from->tag;
    }
    txn->mem = mem;
    return BASE_OK;
}

static void txn_end(state_txn *txn) {
    state_memory_txn *mem = txn->mem;
    version_release(mem->db, mem->from);
    if (txn->writable) {
        plat_mutex_lock(&mem->db->mutex);
        mem->db->writing = false;
        plat_cond_signal(&mem->db->idle);
        plat_mutex_unlock(&mem->db->mutex);
    }
    free(mem->garbage.items);
    free(mem->tables);
    free(mem);
    txn->mem = NULL;
}

void state_mem_abort(state_txn *txn) {
    state_memory_txn *mem = txn->mem;
    // What was taken out is still in the committed trees; what was made goes.
    for (size_t i = 0; i < mem->n; i++) state_tree_discard(&mem->tables[i].tree, mem->edit.txn);
    txn_end(txn);
}

base_rc state_mem_commit(state_txn *txn, base_error *err) {
    state_memory_txn *mem = txn->mem;
    state_memory_db *db = mem->db;
    base_rc rc = state_mem_ask(txn->store->memory, "commit", err);
    if (rc != BASE_OK || !mem->changed) {
        state_mem_abort(txn);
        return rc;
    }
    version *made = state_alloc(sizeof(version) + mem->n * sizeof(table));
    *made = (version){
        .txn = mem->edit.txn, .tag = mem->tag, .holders = 1, .garbage = mem->garbage, .n = mem->n};
    memcpy(made->tables, mem->tables, mem->n * sizeof(table));
    mem->garbage = (state_tree_garbage){0};
    plat_mutex_lock(&db->mutex);
    version *replaced = db->newest;
    replaced->newer = made;
    db->newest = made;
    plat_mutex_unlock(&db->mutex);
    version_release(db, replaced);
    state_memory *memory = txn->store->memory;
    txn_end(txn);
    return state_mem_ask(memory, "committed", err);
}

uint64_t state_mem_tag(const state_txn *txn) {
    return txn->mem->from->tag;
}

void state_mem_tag_set(state_txn *txn, uint64_t tag) {
    txn->mem->tag = tag;
    txn->mem->changed = true;
}

uint64_t state_mem_rows(const state_txn *txn, uint64_t *bytes) {
    const state_memory_txn *mem = txn->mem;
    size_t n = txn->writable ? mem->n : mem->from->n;
    const table *tables = txn->writable ? mem->tables : mem->from->tables;
    uint64_t rows = 0;
    *bytes = 0;
    for (size_t i = 0; i < n; i++) {
        rows += tables[i].tree.rows;
        *bytes += tables[i].tree.bytes;
    }
    return rows;
}

void state_mem_subtract(state_txn *txn, const state_txn *version) {
    state_memory_txn *mem = txn->mem;
    for (size_t i = 0; i < mem->n; i++) {
        table *at = &mem->tables[i];
        uint64_t bytes = mem->bytes - at->tree.bytes;
        state_tree_subtract(&at->tree, &mem->edit, version->mem->from->txn);
        mem->bytes = bytes + at->tree.bytes;
    }
    mem->changed = true;
}

static const char *name_intern(state_memory_db *db, const char *name) {
    for (size_t i = 0; i < db->name_count; i++) {
        if (strcmp(db->names[i], name) == 0) return db->names[i];
    }
    db->names = realloc(db->names, (db->name_count + 1) * sizeof(char *));
    must(db->names != NULL);
    char *copy = strdup(name);
    must(copy != NULL);
    db->names[db->name_count++] = copy;
    return copy;
}

base_rc state_mem_table_create(state_txn *txn, const char *name, state_slot *slot,
                               base_error *err) {
    state_memory_txn *mem = txn->mem;
    size_t place = mem->n;
    for (size_t i = 0; i < mem->n; i++) {
        if (mem->tables[i].name == NULL) {
            place = i;
        } else if (strcmp(mem->tables[i].name, name) == 0) {
            slot->place = (uint32_t)i;
            slot->memory_id = mem->tables[i].id;
            return BASE_OK;
        }
    }
    if (place >= STATE_TABLES_MAX) {
        return base_fail(err, BASE_E_LIMIT, NULL,
                         "the state store holds %d tables, which is its limit", STATE_TABLES_MAX);
    }
    if (place == mem->n) mem->n++; // begin left room for one
    mem->tables[place] = (table){.name = name_intern(mem->db, name), .id = ++mem->db->table_ids};
    mem->changed = true;
    slot->place = (uint32_t)place;
    slot->memory_id = mem->tables[place].id;
    return BASE_OK;
}

// The table of a slot in the transaction's tables; NULL: not there.
static table *table_of(const state_txn *txn, const state_slot *slot) {
    state_memory_txn *mem = txn->mem;
    size_t n = txn->writable ? mem->n : mem->from->n;
    table *tables = txn->writable ? mem->tables : mem->from->tables;
    if (slot->place >= n || tables[slot->place].id != slot->memory_id) return NULL;
    return &tables[slot->place];
}

const state_tree *state_mem_tree(const state_txn *txn, const state_slot *slot) {
    const table *at = table_of(txn, slot);
    return at == NULL ? NULL : &at->tree;
}

static base_rc table_of_write(const state_txn *txn, const state_slot *slot, table **out,
                              base_error *err) {
    *out = table_of(txn, slot);
    if (*out == NULL) return base_fail(err, BASE_E_NOT_FOUND, NULL, "the state table was dropped");
    txn->mem->changed = true;
    return BASE_OK;
}

base_rc state_mem_table_drop(state_txn *txn, const state_slot *slot, base_error *err) {
    table *at;
    base_rc rc = table_of_write(txn, slot, &at, err);
    if (rc != BASE_OK) return rc;
    txn->mem->bytes -= at->tree.bytes;
    state_tree_clear(&at->tree, &txn->mem->edit);
    *at = (table){0};
    return BASE_OK;
}

static int name_compare(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

base_rc state_mem_table_names(state_txn *txn, base_rc (*visit)(void *arg, const char *name),
                              void *arg, base_error *err) {
    (void)err;
    version *of = txn->mem->from;
    const char **names = state_alloc((of->n + 1) * sizeof *names);
    size_t n = 0;
    for (size_t i = 0; i < of->n; i++) {
        if (of->tables[i].name != NULL) names[n++] = of->tables[i].name;
    }
    qsort(names, n, sizeof *names, name_compare);
    base_rc rc = BASE_OK;
    for (size_t i = 0; i < n && rc == BASE_OK; i++) rc = visit(arg, names[i]);
    free(names);
    return rc;
}

static void row_view(const state_tree_row *from, state_row *row) {
    row->skey = state_tree_row_skey(from);
    row->key =
        from->whole_n == 0 ? row->skey : (base_str){from->bytes + from->skey_n, from->whole_n};
    row->value = (base_str){from->bytes + from->skey_n + from->whole_n, from->value_n};
    row->gone = from->gone;
}

base_rc state_mem_get(state_txn *txn, const state_slot *slot, base_str skey, state_row *row,
                      bool *found, base_error *err) {
    (void)err;
    const table *at = table_of(txn, slot);
    const state_tree_row *from = at == NULL ? NULL : state_tree_find(&at->tree, skey);
    *found = from != NULL;
    if (from != NULL) row_view(from, row);
    return BASE_OK;
}

base_rc state_mem_put(state_txn *txn, const state_slot *slot, const state_put_row *put, bool append,
                      base_error *err) {
    table *at;
    base_rc rc = table_of_write(txn, slot, &at, err);
    if (rc != BASE_OK) return rc;
    if (append) {
        state_tree_path path;
        const state_tree_row *last = state_tree_last(&at->tree, &path);
        if (last != NULL && base_str_cmp(put->skey, state_tree_row_skey(last)) <= 0) {
            return base_fail(err, BASE_E_EXISTS, NULL,
                             "a key to append is not above the table's last");
        }
    }
    state_memory_txn *mem = txn->mem;
    uint64_t bytes = mem->bytes - at->tree.bytes;
    uint64_t limit = state_is_twin(txn->store) ? txn->store->map_bytes : 0;
    uint64_t more = put->skey.n + put->whole.n + put->value.n;
    if (limit != 0 && mem->bytes + more > limit) {
        return base_fail(err, BASE_E_FULL, NULL,
                         "the state in memory is full: its limit is %" PRIu64 " bytes", limit);
    }
    state_tree_put(&at->tree, &mem->edit, put);
    mem->bytes = bytes + at->tree.bytes;
    return BASE_OK;
}

base_rc state_mem_delete(state_txn *txn, const state_slot *slot, base_str skey, bool *found,
                         base_error *err) {
    table *at;
    base_rc rc = table_of_write(txn, slot, &at, err);
    if (rc != BASE_OK) return rc;
    uint64_t bytes = txn->mem->bytes - at->tree.bytes;
    *found = state_tree_delete(&at->tree, &txn->mem->edit, skey);
    txn->mem->bytes = bytes + at->tree.bytes;
    return BASE_OK;
}

base_rc state_mem_clear(state_txn *txn, const state_slot *slot, base_error *err) {
    table *at;
    base_rc rc = table_of_write(txn, slot, &at, err);
    if (rc != BASE_OK) return rc;
    txn->mem->bytes -= at->tree.bytes;
    state_tree_clear(&at->tree, &txn->mem->edit);
    return BASE_OK;
}

base_rc state_mem_delete_range(state_txn *txn, const state_slot *slot, base_str from, base_str to,
                               uint64_t *deleted, base_error *err) {
    table *at;
    base_rc rc = table_of_write(txn, slot, &at, err);
    if (rc != BASE_OK) return rc;
    if (from.n == 0 && to.n == 0) {
        *deleted = at->tree.rows;
        return state_mem_clear(txn, slot, err);
    }
    uint64_t bytes = txn->mem->bytes - at->tree.bytes;
    for (;;) {
        state_tree_path path;
        const state_tree_row *row = state_tree_seek(&at->tree, &path, from);
        if (row == NULL) break;
        base_str skey = state_tree_row_skey(row);
        if (to.n > 0 && base_str_cmp(skey, to) >= 0) break;
        must(state_tree_delete(&at->tree, &txn->mem->edit, skey));
        (*deleted)++;
    }
    txn->mem->bytes = bytes + at->tree.bytes;
    return BASE_OK;
}

base_rc state_mem_cursor_open(state_cursor *cursor, base_error *err) {
    (void)err;
    cursor->mem = state_alloc(sizeof *cursor->mem);
    cursor->mem->path.depth = 0;
    return BASE_OK;
}

void state_mem_cursor_close(state_cursor *cursor) {
    free(cursor->mem);
}

base_rc state_mem_cursor_move(state_cursor *cursor, state_move move, base_str skey, state_row *row,
                              bool *found, base_error *err) {
    (void)err;
    const table *at = table_of(cursor->txn, cursor->slot);
    state_tree_path *path = &cursor->mem->path;
    const state_tree_row *to = NULL;
    if (at != NULL) {
        switch (move) {
        case STATE_MOVE_FIRST:
            to = state_tree_first(&at->tree, path);
            break;
        case STATE_MOVE_LAST:
            to = state_tree_last(&at->tree, path);
            break;
        case STATE_MOVE_SEEK:
            to = state_tree_seek(&at->tree, path, skey);
            break;
        case STATE_MOVE_NEXT:
            to = state_tree_next(path);
            break;
        case STATE_MOVE_PREV:
            to = state_tree_prev(path);
            break;
        }
    }
    *found = to != NULL;
    if (to != NULL) row_view(to, row);
    return BASE_OK;
}

base_rc state_mem_count(state_txn *txn, const state_slot *slot, uint64_t *rows, base_error *err) {
    (void)err;
    const table *at = table_of(txn, slot);
    *rows = at == NULL ? 0 : at->tree.rows;
    return BASE_OK;
}

base_rc state_mem_size(state_txn *txn, const state_slot *slot, uint64_t *rows, uint64_t *bytes,
                       base_error *err) {
    (void)err;
    const table *at = table_of(txn, slot);
    *rows = at == NULL ? 0 : at->tree.rows;
    *bytes = at == NULL ? 0 : at->tree.bytes;
    return BASE_OK;
}

void state_mem_stats(state_store *store, state_stats *stats) {
    state_memory_db *db = store->db;
    plat_mutex_lock(&db->mutex);
    for (size_t i = 0; i < db->newest->n; i++)
        stats->bytes_used += db->newest->tables[i].tree.bytes;
    plat_mutex_unlock(&db->mutex);
    stats->bytes_map = store->map_bytes;
}

base_rc state_mem_verify(state_txn *txn, base_error *err) {
    version *of = txn->mem->from;
    for (size_t i = 0; i < of->n; i++) {
        const char *wrong =
            of->tables[i].name == NULL ? NULL : state_tree_verify(&of->tables[i].tree);
        if (wrong != NULL) {
            return base_fail(err, BASE_E_CORRUPT, NULL, "state table \"%s\" in memory: %s",
                             of->tables[i].name, wrong);
        }
    }
    return BASE_OK;
}
