// Random operations on a store against a sorted array, for the twin, LMDB, and LMDB under a layer
// with a journal: the same answers at every step, snapshots that stay as they were, aborts without
// trace, everything there after a reopen; and of a journal that was cut or damaged a commit that
// there was.
#include "state/state.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/must.h"
#include "base/random.h"
#include "test.h"

enum { TABLES = 3, LONG_BYTES = 495 };

typedef enum backend { TWIN, DISK, LAYER } backend;
static const char *const backend_names[] = {"twin", "LMDB", "layer"};

typedef struct entry {
    char *skey; // what it is ordered by
    size_t skey_n;
    base_str key, value; // owned
} entry;

typedef struct model_table {
    entry *rows;
    size_t n, cap;
} model_table;

typedef struct model {
    model_table tables[TABLES];
} model;

static base_str dup_str(base_str s) {
    char *p = malloc(s.n + 1);
    if (s.n > 0) memcpy(p, s.p, s.n);
    return (base_str){p, s.n};
}

// The header's order: bytes, and by hash beyond the first 495.
static size_t order_key(base_str key, char *out) {
    if (key.n <= LONG_BYTES) {
        memcpy(out, key.p, key.n);
        return key.n;
    }
    memcpy(out, key.p, LONG_BYTES);
    base_hash128(key.p, key.n, (uint8_t *)out + LONG_BYTES);
    return LONG_BYTES + 16;
}

static size_t model_lower(const model_table *t, base_str key, bool *equal) {
    char room[600];
    base_str skey = {room, order_key(key, room)};
    *equal = false;
    size_t low = 0, high = t->n;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = base_str_cmp((base_str){t->rows[middle].skey, t->rows[middle].skey_n}, skey);
        if (order == 0) *equal = true;
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static void entry_free(entry *e) {
    free(e->skey);
    free((char *)(uintptr_t)e->key.p);
    free((char *)(uintptr_t)e->value.p);
}

static bool model_delete(model_table *t, base_str key) {
    bool equal;
    size_t at = model_lower(t, key, &equal);
    if (!equal) return false;
    entry_free(&t->rows[at]);
    memmove(t->rows + at, t->rows + at + 1, (t->n - at - 1) * sizeof *t->rows);
    t->n--;
    return true;
}

static void model_put(model_table *t, base_str key, base_str value) {
    (void)model_delete(t, key);
    bool equal;
    size_t at = model_lower(t, key, &equal);
    if (t->n == t->cap) {
        t->cap = t->cap == 0 ? 16 : t->cap * 2;
        t->rows = realloc(t->rows, t->cap * sizeof *t->rows);
    }
    memmove(t->rows + at + 1, t->rows + at, (t->n - at) * sizeof *t->rows);
    char room[600];
    size_t n = order_key(key, room);
    base_str skey = dup_str((base_str){room, n});
    t->rows[at] = (entry){(char *)(uintptr_t)skey.p, n, dup_str(key), dup_str(value)};
    t->n++;
}

static void model_clear(model_table *t) {
    for (size_t i = 0; i < t->n; i++) entry_free(&t->rows[i]);
    free(t->rows);
    *t = (model_table){0};
}

static void model_free(model *m) {
    for (int i = 0; i < TABLES; i++) model_clear(&m->tables[i]);
}

static model model_copy(const model *m) {
    model copy = {0};
    for (int i = 0; i < TABLES; i++) {
        for (size_t j = 0; j < m->tables[i].n; j++) {
            model_put(&copy.tables[i], m->tables[i].rows[j].key, m->tables[i].rows[j].value);
        }
    }
    return copy;
}

// --- the world under test

typedef struct world {
    char dir[64];
    backend kind;
    state_memory *memory;
    state_store *store;
    state_table tables[TABLES];
    base_random random;
    uint32_t key_space;
    model committed;
} world;

static base_error err;

static bool world_open(world *w) {
    state_config config = {.in_memory = w->memory != NULL,
                           .memory = w->memory,
                           .no_sync = true,
                           .map_bytes = 256u << 20,
                           .journal = w->kind == LAYER,
                           .journal_bytes = 30000};
    if (state_store_open(plat_os(), w->dir, &config, &w->store, &err) != BASE_OK) return false;
    for (int i = 0; i < TABLES; i++) {
        char name[16];
        snprintf(name, sizeof name, "t%d", i);
        if (state_table_open(w->store, name, &w->tables[i], &err) != BASE_OK) return false;
    }
    return true;
}

static bool world_init(world *w, backend kind, uint64_t seed) {
    *w = (world){.key_space = 40, .kind = kind};
    strcpy(w->dir, "/tmp/test_state_XXXXXX");
    if (mkdtemp(w->dir) == NULL) return false;
    if (kind == TWIN) w->memory = state_memory_create();
    base_random_seed(&w->random, seed);
    return world_open(w);
}

static void world_deinit(world *w) {
    state_store_close(w->store);
    state_memory_destroy(w->memory);
    model_free(&w->committed);
    if (plat_remove_tree(plat_os(), w->dir, &err) != BASE_OK) test_failures++;
}

static uint64_t below(world *w, uint64_t n) {
    return base_random_below(&w->random, n);
}

static char key_room[2000], value_room[20000];

static base_str random_key(world *w) {
    uint64_t number = below(w, w->key_space);
    size_t n = (size_t)snprintf(key_room, sizeof key_room, "%02d-%d", (int)(number * 7919 % 100),
                                (int)number);
    uint64_t kind = number % 8;
    if (kind == 0) { // around the bound of long keys, and long ones that share a prefix
        size_t to = number % 3 == 0 ? 494 + number % 19 : 600 + number % 1300;
        if (number % 5 == 0) n = 0; // nothing but the filler before the end
        memset(key_room + n, 'x', to - n);
        memcpy(key_room + to - 4, key_room, 4);
        if (number % 5 == 0) key_room[to - 1] = (char)('a' + number % 26);
        n = to;
    }
    return (base_str){key_room, n};
}

static base_str random_value(world *w) {
    uint64_t kind = below(w, 100);
    size_t n = kind < 10 ? 0 : kind < 95 ? below(w, 100) : below(w, sizeof value_room);
    memset(value_room, 'a' + (int)below(w, 26), n);
    return (base_str){value_room, n};
}

// The snapshot or transaction has just what the model has, whichever way it is read.
static bool same_table(state_txn *txn, state_table table, const model_table *t) {
    uint64_t rows = 0;
    if (state_table_count(txn, table, &rows, &err) != BASE_OK || rows != t->n) return false;
    state_cursor *cursor;
    if (state_cursor_open(txn, table, &cursor, &err) != BASE_OK) return false;
    base_str key, value;
    bool end, same = true;
    for (size_t i = 0; i <= t->n && same; i++) {
        if (state_cursor_next(cursor, &key, &value, &end, &err) != BASE_OK) return false;
        same = i == t->n ? end
                         : !end && base_str_eq(key, t->rows[i].key) &&
                               base_str_eq(value, t->rows[i].value) && value.p != NULL;
    }
    for (size_t i = t->n; same; i--) { // and back from past the end
        if (state_cursor_prev(cursor, &key, &value, &end, &err) != BASE_OK) return false;
        same = i == 0 ? end : !end && base_str_eq(key, t->rows[i - 1].key);
        if (i == 0) break;
    }
    if (same && t->n > 0) {
        if (state_cursor_next(cursor, &key, &value, &end, &err) != BASE_OK) return false;
        same = !end && base_str_eq(key, t->rows[0].key);
    }
    state_cursor_close(cursor);
    return same;
}

static bool same_world(world *w, state_txn *txn, const model *m) {
    for (int i = 0; i < TABLES; i++) {
        if (!same_table(txn, w->tables[i], &m->tables[i])) return false;
    }
    return true;
}

static bool one_get(world *w, state_txn *txn, int t, const model_table *table) {
    base_str key = random_key(w), value;
    bool found, equal;
    if (state_get(txn, w->tables[t], key, &value, &found, &err) != BASE_OK) return false;
    size_t at = model_lower(table, key, &equal);
    return found == equal && (!found || base_str_eq(value, table->rows[at].value));
}

static bool one_seek(world *w, state_txn *txn, int t, const model_table *table) {
    state_cursor *cursor;
    if (state_cursor_open(txn, w->tables[t], &cursor, &err) != BASE_OK) return false;
    base_str from = random_key(w), key, value;
    bool end, equal;
    size_t at = model_lower(table, from, &equal);
    bool same = state_cursor_seek(cursor, from, &key, &value, &end, &err) == BASE_OK &&
                end == (at == table->n) && (end || base_str_eq(key, table->rows[at].key));
    for (int step = 0; step < 6 && same; step++) {
        if (below(w, 2) == 0) {
            if (state_cursor_next(cursor, &key, &value, &end, &err) != BASE_OK) same = false;
            if (at < table->n || (at == SIZE_MAX)) at++;
            same = same && end == (at == table->n);
        } else {
            if (state_cursor_prev(cursor, &key, &value, &end, &err) != BASE_OK) same = false;
            if (at != SIZE_MAX) at--; // SIZE_MAX: before the first
            same = same && end == (at == SIZE_MAX);
        }
        same = same && (end || base_str_eq(key, table->rows[at].key));
    }
    if (same && state_cursor_last(cursor, &key, &value, &end, &err) == BASE_OK) {
        same = end == (table->n == 0) && (end || base_str_eq(key, table->rows[table->n - 1].key));
    }
    state_cursor_close(cursor);
    return same;
}

typedef struct batch {
    size_t n;
    base_str keys[64], values[64];
} batch;

// Ascending and without equal keys: as bytes, which is how callers sort.
static void batch_make(world *w, batch *b) {
    size_t want = 1 + below(w, 60);
    b->n = 0;
    for (size_t i = 0; i < want; i++) {
        base_str key = random_key(w);
        size_t at = 0;
        while (at < b->n && base_str_cmp(b->keys[at], key) < 0) at++;
        if (at < b->n && base_str_eq(b->keys[at], key)) continue;
        memmove(b->keys + at + 1, b->keys + at, (b->n - at) * sizeof(base_str));
        b->keys[at] = dup_str(key);
        b->n++;
    }
    for (size_t i = 0; i < b->n; i++) {
        b->values[i] = below(w, 3) == 0 ? (base_str){0} : dup_str(random_value(w));
    }
}

static void batch_free(batch *b) {
    for (size_t i = 0; i < b->n; i++) {
        free((char *)(uintptr_t)b->keys[i].p);
        free((char *)(uintptr_t)b->values[i].p);
    }
}

static bool one_batch(world *w, state_txn *txn, int t, model_table *table, bool put) {
    batch b;
    batch_make(w, &b);
    base_str got[64];
    bool same = true;
    if (put) {
        same = state_put_batch(txn, w->tables[t], b.n, b.keys, b.values, &err) == BASE_OK;
        for (size_t i = 0; i < b.n; i++) {
            if (b.values[i].p == NULL) {
                (void)model_delete(table, b.keys[i]);
            } else {
                model_put(table, b.keys[i], b.values[i]);
            }
        }
    } else {
        same = state_get_batch(txn, w->tables[t], b.n, b.keys, got, &err) == BASE_OK;
        for (size_t i = 0; i < b.n && same; i++) {
            bool equal;
            size_t at = model_lower(table, b.keys[i], &equal);
            same = equal ? got[i].p != NULL && base_str_eq(got[i], table->rows[at].value)
                         : got[i].p == NULL;
        }
    }
    batch_free(&b);
    return same;
}

static bool one_range(world *w, state_txn *txn, int t, model_table *table) {
    base_str from = dup_str(random_key(w)), to = dup_str(random_key(w));
    bool equal;
    size_t low = model_lower(table, from, &equal), high = model_lower(table, to, &equal);
    base_str from_arg = from, to_arg = to;
    uint64_t kind = below(w, 20);
    if (kind < 2) {
        from_arg = (base_str){0};
        low = 0;
    }
    if (kind < 1 || kind > 17) {
        to_arg = (base_str){0};
        high = table->n;
    }
    uint64_t want = high > low ? high - low : 0, deleted = 0;
    bool same =
        state_delete_range(txn, w->tables[t], from_arg, to_arg, &deleted, &err) == BASE_OK &&
        deleted == want;
    for (uint64_t i = 0; i < want; i++) {
        base_str key = dup_str(table->rows[low].key);
        (void)model_delete(table, key);
        free((char *)(uintptr_t)key.p);
    }
    free((char *)(uintptr_t)from.p);
    free((char *)(uintptr_t)to.p);
    return same;
}

static bool one_append(world *w, state_txn *txn, int t, model_table *table) {
    base_str key = random_key(w), value = random_value(w);
    if (key.n > LONG_BYTES) return true;
    bool equal;
    bool is_last = model_lower(table, key, &equal) == table->n && !equal;
    base_rc rc = state_append(txn, w->tables[t], key, value, &err);
    if (is_last) model_put(table, key, value);
    return rc == (is_last ? BASE_OK : BASE_E_EXISTS);
}

static bool one_operation(world *w, state_txn *txn, model *m) {
    int t = (int)below(w, TABLES);
    model_table *table = &m->tables[t];
    uint64_t kind = below(w, 100);
    if (kind < 30) {
        base_str key = random_key(w), value = random_value(w);
        model_put(table, key, value);
        return state_put(txn, w->tables[t], key, value, &err) == BASE_OK;
    }
    if (kind < 45) {
        base_str key = random_key(w);
        bool found, had = model_delete(table, key);
        return state_delete(txn, w->tables[t], key, &found, &err) == BASE_OK && found == had;
    }
    if (kind < 60) return one_get(w, txn, t, table);
    if (kind < 75) return one_seek(w, txn, t, table);
    if (kind < 83) return one_batch(w, txn, t, table, true);
    if (kind < 90) return one_batch(w, txn, t, table, false);
    if (kind < 94) return one_append(w, txn, t, table);
    if (kind < 99) return one_range(w, txn, t, table);
    if (below(w, 4) != 0) return true;
    model_clear(table);
    return state_clear(txn, w->tables[t], &err) == BASE_OK;
}

static bool one_transaction(world *w, int operations) {
    state_txn *txn;
    bool large = below(w, 5) == 0;
    base_rc rc = large ? state_begin_write_large(w->store, &txn, &err)
                       : state_begin_write(w->store, &txn, &err);
    if (rc != BASE_OK) return false;
    model changed = model_copy(&w->committed);
    bool same = true;
    for (int i = 0; i < operations && same; i++) same = one_operation(w, txn, &changed);
    same = same && same_world(w, txn, &changed);
    if (!same || below(w, 3) == 0) {
        state_abort(txn);
        model_free(&changed);
        return same;
    }
    model_free(&w->committed);
    w->committed = changed;
    return state_commit(txn, &err) == BASE_OK;
}

static bool run_seed(backend kind, uint64_t seed, int transactions, int operations, uint32_t keys) {
    world w;
    if (!world_init(&w, kind, seed)) return false;
    w.key_space = keys;
    bool same = true;
    for (int i = 0; i < transactions && same; i++) {
        // A snapshot from before the transaction stays as it was, during and after it.
        state_txn *before;
        same = state_begin_read(w.store, &before, &err) == BASE_OK;
        if (!same) break;
        model then = model_copy(&w.committed);
        same = one_transaction(&w, 1 + (int)below(&w, (uint64_t)operations));
        same = same && same_world(&w, before, &then);
        state_abort(before);
        model_free(&then);
        state_txn *after;
        same = same && state_begin_read(w.store, &after, &err) == BASE_OK;
        if (!same) break;
        same = same_world(&w, after, &w.committed);
        state_abort(after);
        if (same && below(&w, 5) == 0) same = state_verify(w.store, &err) == BASE_OK;
        if (same && below(&w, 8) == 0) {
            state_store_close(w.store);
            same = world_open(&w);
        }
    }
    world_deinit(&w);
    return same;
}

static void run_seeds(backend kind, uint64_t first, int count, int transactions, int operations,
                      uint32_t keys) {
    if (getenv("WEIR_TEST_FEW_SEEDS") != NULL) count = (count + 2) / 3; // under a sanitizer
    for (uint64_t seed = first; seed < first + (uint64_t)count; seed++) {
        base_error_clear(&err);
        if (run_seed(kind, seed, transactions, operations, keys)) continue;
        fprintf(stderr, "seed %" PRIu64 " (%s) differs: %s\n", seed, backend_names[kind],
                err.message);
        test_failures++;
        return;
    }
}

TEST(model_twin_small) {
    run_seeds(TWIN, 1, 60, 30, 40, 60);
}
TEST(model_twin_large) {
    run_seeds(TWIN, 1000, 4, 30, 400, 3000);
}
TEST(model_lmdb_small) {
    run_seeds(DISK, 1, 30, 30, 40, 60);
}
TEST(model_lmdb_large) {
    run_seeds(DISK, 1000, 3, 30, 400, 3000);
}

TEST(model_layer_small) {
    run_seeds(LAYER, 1, 60, 40, 40, 60);
}
TEST(model_layer_large) {
    run_seeds(LAYER, 1000, 4, 40, 400, 3000);
}

// --- crashes: the files as they lie, with the journal's end not written, or not as it was meant

enum { COMMITS_MAX = 60 };

typedef struct history {
    model commits[COMMITS_MAX + 1]; // [i]: after i commits
    int n;
} history;

static void copy_file(const char *from_dir, const char *to_dir, const char *name) {
    char path[128];
    base_buf bytes = {0};
    snprintf(path, sizeof path, "%s/%s", from_dir, name);
    must(plat_read_file(plat_os(), path, 1u << 30, &bytes, &err) == BASE_OK);
    snprintf(path, sizeof path, "%s/%s", to_dir, name);
    must(plat_replace_file(plat_os(), path, base_buf_str(&bytes), &err) == BASE_OK);
    base_buf_deinit(&bytes);
}

// Cuts the journal at a random byte, or changes one; nothing if it is empty.
static void spoil_journal(world *w, const char *dir) {
    char path[128];
    snprintf(path, sizeof path, "%s/journal.%d", dir, (int)below(w, 2));
    base_buf bytes = {0};
    must(plat_read_file(plat_os(), path, 1u << 30, &bytes, &err) == BASE_OK);
    // Mostly where it has been written: the rest is room that was allocated ahead.
    uint64_t at = below(w, below(w, 4) == 0 ? bytes.n + 1 : 60000);
    if (at < bytes.n && below(w, 2) == 0) {
        bytes.p[at] ^= (char)(1 + below(w, 255));
    } else if (at < bytes.n) {
        bytes.n = at;
    }
    must(plat_replace_file(plat_os(), path, base_buf_str(&bytes), &err) == BASE_OK);
    base_buf_deinit(&bytes);
}

// Opens a copy of the files and says which commit it is at; -1: none that there was. A journal that
// is seen to be damaged may be refused: -2.
static int commit_of_copy(world *w, history *h, bool spoil) {
    world copy = {.kind = LAYER, .key_space = w->key_space};
    strcpy(copy.dir, "/tmp/test_state_XXXXXX");
    must(mkdtemp(copy.dir) != NULL);
    state_stats stats; // a copy of a file that is being written is no state that it ever had
    do {
        state_store_stats(w->store, &stats);
    } while (stats.checkpointing);
    copy_file(w->dir, copy.dir, "data.mdb");
    copy_file(w->dir, copy.dir, "journal.0");
    copy_file(w->dir, copy.dir, "journal.1");
    if (spoil) spoil_journal(w, copy.dir);
    int found = -1;
    state_txn *txn = NULL;
    if (!world_open(&copy)) {
        found = spoil && err.code == BASE_E_CORRUPT ? -2 : -1;
    } else if (state_begin_read(copy.store, &txn, &err) == BASE_OK) {
        for (int i = h->n; i >= 0 && found == -1; i--) {
            if (same_world(&copy, txn, &h->commits[i])) found = i;
        }
    }
    state_abort(txn);
    world_deinit(&copy);
    return found;
}

static bool run_crashes(uint64_t seed) {
    world w;
    static history h;
    h.n = 0;
    h.commits[0] = (model){0};
    if (!world_init(&w, LAYER, seed)) return false;
    bool good = true;
    while (h.n < COMMITS_MAX && good) {
        model before = model_copy(&w.committed);
        uint64_t commits, now;
        state_stats stats;
        state_store_stats(w.store, &stats);
        commits = stats.commits;
        good = one_transaction(&w, 30);
        state_store_stats(w.store, &stats);
        now = stats.commits;
        model_free(&before);
        if (now == commits) continue;
        h.commits[++h.n] = model_copy(&w.committed);
        if (below(&w, 3) != 0) continue;
        // As after kill -9: nothing that was committed is lost.
        good = good && commit_of_copy(&w, &h, false) == h.n;
        // As after the power went: some commit, whole.
        good = good && commit_of_copy(&w, &h, true) != -1;
    }
    for (int i = 1; i <= h.n; i++) model_free(&h.commits[i]);
    world_deinit(&w);
    return good;
}

TEST(a_spoilt_journal_gives_a_commit_that_there_was) {
    for (uint64_t seed = 1; seed <= 12; seed++) {
        base_error_clear(&err);
        if (run_crashes(seed)) continue;
        fprintf(stderr, "seed %" PRIu64 ": %s\n", seed, err.message);
        test_failures++;
    }
}

// A store that is opened without a layer takes what a journal has left.
TEST(a_journal_outlives_the_wish_for_it) {
    world w;
    REQUIRE(world_init(&w, LAYER, 5));
    for (int i = 0; i < 20; i++) REQUIRE(one_transaction(&w, 30));
    char dir[64] = "/tmp/test_state_XXXXXX";
    REQUIRE(mkdtemp(dir) != NULL);
    copy_file(w.dir, dir, "data.mdb");
    copy_file(w.dir, dir, "journal.0");
    copy_file(w.dir, dir, "journal.1");
    world plain = {.kind = DISK, .key_space = w.key_space};
    strcpy(plain.dir, dir);
    for (int i = 0; i < 2; i++) {
        REQUIRE(world_open(&plain));
        state_txn *txn;
        REQUIRE_OK(state_begin_read(plain.store, &txn, &err));
        EXPECT(same_world(&plain, txn, &w.committed));
        state_abort(txn);
        state_store_close(plain.store);
    }
    char path[128];
    bool exists, is_dir;
    snprintf(path, sizeof path, "%s/journal.0", dir);
    REQUIRE_OK(plat_os()->ops->exists(plat_os(), path, &exists, &is_dir, &err));
    EXPECT(!exists);
    REQUIRE_OK(plat_remove_tree(plat_os(), dir, &err));
    world_deinit(&w);
}

// --- what the model does not reach

static void cursor_over_writes(backend kind) {
    world w;
    REQUIRE(world_init(&w, kind, 7));
    state_txn *txn;
    REQUIRE_OK(state_begin_write(w.store, &txn, &err));
    char text[16];
    for (int i = 0; i < 1000; i++) {
        snprintf(text, sizeof text, "%04d", i);
        REQUIRE_OK(state_put(txn, w.tables[0], base_str_of(text), BASE_STR("v"), &err));
    }
    // Deletes every second row under the cursor, and puts rows before and after its place.
    state_cursor *cursor;
    REQUIRE_OK(state_cursor_open(txn, w.tables[0], &cursor, &err));
    base_str key, value;
    bool end, found;
    int seen = 0;
    for (;;) {
        REQUIRE_OK(state_cursor_next(cursor, &key, &value, &end, &err));
        if (end) break;
        if (key.n > 4) continue; // one that was put below, after the place
        EXPECT_EQ_INT(atoi(key.p), seen);
        memcpy(text, key.p, 4);
        text[4] = 0;
        if (seen % 2 == 0) {
            REQUIRE_OK(state_delete(txn, w.tables[0], (base_str){text, 4}, &found, &err));
            EXPECT(found);
        }
        if (seen % 50 == 0) {
            char more[20];
            snprintf(more, sizeof more, "%s+", text);
            REQUIRE_OK(state_put(txn, w.tables[0], base_str_of(more), BASE_STR("w"), &err));
        }
        seen++;
    }
    EXPECT_EQ_INT(seen, 1000);
    uint64_t rows;
    REQUIRE_OK(state_table_count(txn, w.tables[0], &rows, &err));
    EXPECT_EQ_INT(rows, 520);
    state_abort(txn); // closes the cursor
    world_deinit(&w);
}

TEST(cursor_keeps_its_place_over_writes) {
    for (backend kind = TWIN; kind <= LAYER; kind++) cursor_over_writes(kind);
}

static void tables_come_and_go(backend kind) {
    world w;
    REQUIRE(world_init(&w, kind, 7));
    state_txn *old, *txn;
    state_table table, again;
    base_str value;
    bool found;
    uint64_t rows;
    REQUIRE_OK(state_begin_read(w.store, &old, &err));
    REQUIRE_OK(state_table_open(w.store, "late", &table, &err));
    REQUIRE_OK(state_table_open(w.store, "late", &again, &err));
    EXPECT(table == again);
    REQUIRE_OK(state_begin_write(w.store, &txn, &err));
    REQUIRE_OK(state_put(txn, table, BASE_STR("k"), BASE_STR(""), &err));
    REQUIRE_OK(state_get(txn, table, BASE_STR("k"), &value, &found, &err));
    EXPECT(found && value.n == 0 && value.p != NULL);
    REQUIRE_OK(state_commit(txn, &err));
    // The older snapshot has no such table: it is empty there.
    REQUIRE_OK(state_get(old, table, BASE_STR("k"), &value, &found, &err));
    EXPECT(!found);
    REQUIRE_OK(state_table_count(old, table, &rows, &err));
    EXPECT_EQ_INT(rows, 0);
    state_cursor *cursor;
    base_str key;
    bool end;
    REQUIRE_OK(state_cursor_open(old, table, &cursor, &err));
    REQUIRE_OK(state_cursor_seek(cursor, BASE_STR("a"), &key, &value, &end, &err));
    EXPECT(end);
    REQUIRE_OK(state_get_batch(old, table, 1, &BASE_STR("k"), &value, &err));
    EXPECT(value.p == NULL);
    // A dropped table's handle is good for nothing, even when its place is taken again.
    REQUIRE_OK(state_table_drop(w.store, "late", &err));
    REQUIRE_OK(state_table_drop(w.store, "never", &err));
    EXPECT(state_get(old, table, BASE_STR("k"), &value, &found, &err) == BASE_E_NOT_FOUND);
    REQUIRE_OK(state_table_open(w.store, "late", &again, &err));
    EXPECT(table != again);
    EXPECT(state_get(old, table, BASE_STR("k"), &value, &found, &err) == BASE_E_NOT_FOUND);
    state_abort(old);
    REQUIRE_OK(state_begin_write(w.store, &txn, &err));
    EXPECT(state_put(txn, table, BASE_STR("k"), BASE_STR("v"), &err) == BASE_E_NOT_FOUND);
    REQUIRE_OK(state_get(txn, again, BASE_STR("k"), &value, &found, &err));
    EXPECT(!found);
    REQUIRE_OK(state_commit(txn, &err)); // a wrong handle does not spoil the transaction
    state_table wrong;
    EXPECT(state_table_open(w.store, "", &wrong, &err) == BASE_E_INVALID);
    EXPECT(state_table_open(w.store, "!meta", &wrong, &err) == BASE_E_INVALID);
    for (int i = 0; i < 3000; i++) { // places and handles are used again
        REQUIRE_OK(state_table_open(w.store, "temporary", &wrong, &err));
        REQUIRE_OK(state_table_drop(w.store, "temporary", &err));
        if (kind != TWIN && i > 100) break;
    }
    world_deinit(&w);
}

TEST(tables_of_both) {
    for (backend kind = TWIN; kind <= LAYER; kind++) tables_come_and_go(kind);
}

static base_rc note_name(void *arg, const char *name) {
    strcat(arg, name);
    strcat(arg, " ");
    return BASE_OK;
}

static void limits_and_names(backend kind) {
    world w;
    REQUIRE(world_init(&w, kind, 7));
    char names[64] = "";
    REQUIRE_OK(state_table_list(w.store, note_name, names, &err));
    EXPECT_EQ_STR(names, "t0 t1 t2 ");
    state_txn *txn;
    REQUIRE_OK(state_begin_write(w.store, &txn, &err));
    static char big[STATE_KEY_BYTES_MAX + 1];
    base_str value;
    bool found;
    memset(big, 'k', sizeof big);
    EXPECT(state_put(txn, w.tables[0], (base_str){0}, BASE_STR("v"), &err) == BASE_E_LIMIT);
    EXPECT(state_put(txn, w.tables[0], (base_str){big, sizeof big}, BASE_STR("v"), &err) ==
           BASE_E_LIMIT);
    REQUIRE_OK(
        state_put(txn, w.tables[0], (base_str){big, STATE_KEY_BYTES_MAX}, BASE_STR("v"), &err));
    REQUIRE_OK(state_get(txn, w.tables[0], (base_str){big, STATE_KEY_BYTES_MAX - 1}, &value, &found,
                         &err));
    EXPECT(!found);
    REQUIRE_OK(
        state_get(txn, w.tables[0], (base_str){big, STATE_KEY_BYTES_MAX}, &value, &found, &err));
    EXPECT(found && base_str_eq(value, BASE_STR("v")));
    REQUIRE_OK(state_commit(txn, &err));
    state_stats stats;
    state_store_stats(w.store, &stats);
    EXPECT(stats.commits >= 4 && stats.bytes_used > STATE_KEY_BYTES_MAX);
    world_deinit(&w);
}

TEST(limits_of_both) {
    for (backend kind = TWIN; kind <= LAYER; kind++) limits_and_names(kind);
}

TEST(stores_without_a_memory_are_private) {
    state_config config = {.in_memory = true};
    state_store *a, *b;
    state_table table;
    char names[64] = "";
    REQUIRE_OK(state_store_open(NULL, "same", &config, &a, &err));
    REQUIRE_OK(state_store_open(NULL, "same", &config, &b, &err));
    REQUIRE_OK(state_table_open(a, "x", &table, &err));
    REQUIRE_OK(state_table_list(b, note_name, names, &err));
    EXPECT_EQ_STR(names, "");
    state_store_close(a);
    state_store_close(b);
}

static base_rc put_one_row(world *w, const char *key, size_t bytes) {
    state_txn *txn;
    base_rc rc = state_begin_write(w->store, &txn, &err);
    if (rc != BASE_OK) return rc;
    memset(value_room, 'v', bytes);
    rc = state_put(txn, w->tables[0], base_str_of(key), (base_str){value_room, bytes}, &err);
    if (rc == BASE_OK) return state_commit(txn, &err);
    state_abort(txn);
    return rc;
}

// Checkpoints that fail are tried ever less often; when there is room again they are as before.
TEST(checkpoints_go_on_after_a_full_store) {
    world w;
    REQUIRE(world_init(&w, LAYER, 7));
    state_store_close(w.store);
    state_config config = {
        .no_sync = true, .map_bytes = 1u << 20, .journal = true, .journal_bytes = 30000};
    REQUIRE_OK(state_store_open(plat_os(), w.dir, &config, &w.store, &err));
    REQUIRE_OK(state_table_open(w.store, "t0", &w.tables[0], &err));
    char key[16];
    for (int i = 0; i < 600; i++) { // more than the map takes
        snprintf(key, sizeof key, "%04d", i);
        REQUIRE_OK(put_one_row(&w, key, 10000));
    }
    state_txn *txn;
    EXPECT(state_begin_write_large(w.store, &txn, &err) == BASE_E_FULL);
    REQUIRE_OK(state_begin_write(w.store, &txn, &err));
    REQUIRE_OK(state_clear(txn, w.tables[0], &err));
    REQUIRE_OK(state_commit(txn, &err));
    REQUIRE_OK(state_begin_write_large(w.store, &txn, &err)); // a checkpoint at once
    state_abort(txn);
    uint64_t before = 0;
    bool shrank = false;
    for (int i = 0; i < 200 && !shrank; i++) {
        REQUIRE_OK(put_one_row(&w, "same", 10000));
        state_stats stats;
        state_store_stats(w.store, &stats);
        while (stats.checkpointing) state_store_stats(w.store, &stats);
        shrank = stats.journal_bytes < before;
        before = stats.journal_bytes;
    }
    EXPECT(shrank);
    world_deinit(&w);
}

TEST_MAIN(TEST_ENTRY(model_twin_small), TEST_ENTRY(model_twin_large), TEST_ENTRY(model_lmdb_small),
          TEST_ENTRY(model_lmdb_large), TEST_ENTRY(model_layer_small),
          TEST_ENTRY(model_layer_large), TEST_ENTRY(a_spoilt_journal_gives_a_commit_that_there_was),
          TEST_ENTRY(a_journal_outlives_the_wish_for_it),
          TEST_ENTRY(cursor_keeps_its_place_over_writes), TEST_ENTRY(tables_of_both),
          TEST_ENTRY(limits_of_both), TEST_ENTRY(stores_without_a_memory_are_private),
          TEST_ENTRY(checkpoints_go_on_after_a_full_store))
