// lmdb.c - the store on disk: one LMDB environment, a named database a table.
//
// A stored value is [whole key, if long] value [u32 bytes of the whole key, if long] u32 checksum,
// so that a damaged row is an error and not a wrong number. LMDB itself trusts its pages: what it
// maps is checked at open by lmdb_check.c, and pointers that it returns are held against the end of
// the file. Rows are written by MDB_RESERVE, straight into the page. Sizes and checksums are
// little-endian, as LMDB's own files are those of the machine. Entry points: state_lmdb_open,
// state_lmdb_begin, state_lmdb_cursor_move.
//
// A page that is damaged while the store is open may make LMDB assert, or leave the map. Then the
// process ends with a message that names the store and leaves the file "damaged" in its directory
// (plat/guard.h): the next open reads and tests all of the file, however large, and takes the mark
// away if it is whole. A file that was cut is noticed when a transaction begins.
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "state/state_int.h"

enum {
    READERS_MAX = 1022,
    OPEN_CHECK_PAGES = 16384, // 64 MiB of 4 KiB pages: tens of milliseconds
    VALUE_FOOT_BYTES = 4,     // checksum
    LONG_FOOT_BYTES = 8,      // size of the whole key, checksum
};
#define MAP_BYTES_DEFAULT ((uint64_t)256 << 30)
#define MAP_BYTES_LEAST   ((uint64_t)128 << 10)
#define DISK_FULL_BYTES   ((uint64_t)1 << 20) // with less free, a short write is a full disk

struct state_lmdb {
    MDB_env *env;
    plat_guard *guard;
    plat_file *data;        // data.mdb once more, for its size
    _Atomic uint64_t bytes; // the greatest size that it was seen to have
    MDB_dbi meta;
    MDB_dbi root;     // LMDB's table of tables
    const char *base; // where the file is mapped; NULL: not known
    uint64_t map_bytes;
    uint32_t page_bytes;
    _Atomic bool was_full;
};

// LMDB's calls, with the store to blame for what they run into.
#define GUARDED(store, call) (plat_guard_enter((store)->lmdb->guard), plat_guard_leave(call))
#define GUARDED_VOID(store, call)                                                                  \
    (plat_guard_enter((store)->lmdb->guard), (call), (void)plat_guard_leave(0))

base_rc state_corrupt(base_error *err, const char *dir, const char *fmt, ...) {
    char what[256];
    va_list args;
    va_start(args, fmt);
    vsnprintf(what, sizeof what, fmt, args);
    va_end(args);
    base_fail(err, BASE_E_CORRUPT, BASE_SQLSTATE_CORRUPT, "the state in \"%s\" is damaged: %s", dir,
              what);
    base_error_hint(
        err,
        "State is derived from the log: REBUILD FLOW makes it again; or stop the program, move "
        "this directory away and start. Check the disk.");
    return BASE_E_CORRUPT;
}

static base_rc fail_full(const state_store *store, const char *what, base_error *err) {
    base_rc rc =
        base_fail(err, BASE_E_FULL, BASE_SQLSTATE_DISK_FULL,
                  "the disk of the state in \"%s\" is full: could not %s", store->dir, what);
    base_error_hint(err, "Free space on the disk; nothing that was committed is lost.");
    return rc;
}

static base_rc fail(const state_store *store, int code, const char *what, base_error *err) {
    base_rc rc;
    switch (code) {
    case MDB_MAP_FULL:
        rc = base_fail(err, BASE_E_FULL, BASE_SQLSTATE_DISK_FULL,
                       "the state in \"%s\" is full: could not %s within its limit of %" PRIu64
                       " bytes",
                       store->dir, what, store->lmdb->map_bytes);
        base_error_hint(err,
                        "Raise the limit of the state's size, or drop views that are not needed.");
        return rc;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return fail_full(store, what, err);
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_VERSION_MISMATCH:
    case MDB_INVALID:
    case MDB_PAGE_FULL: // these four cannot be in a file that is whole
    case MDB_CURSOR_FULL:
    case MDB_MAP_RESIZED:
    case MDB_INCOMPATIBLE:
        return state_corrupt(err, store->dir, "could not %s: %s", what, mdb_strerror(code));
    case MDB_BAD_TXN: // failed writes are kept by state.c, so what came before was a damaged page
        return state_corrupt(err, store->dir, "could not %s: this transaction met a damaged page",
                             what);
    case MDB_READERS_FULL:
    case MDB_DBS_FULL:
    case MDB_TXN_FULL:
        return base_fail(err, BASE_E_LIMIT, NULL, "state in \"%s\": could not %s: %s", store->dir,
                         what, mdb_strerror(code));
    case ENOMEM:
        return base_fail(err, BASE_E_LIMIT, BASE_SQLSTATE_OUT_OF_MEMORY,
                         "state in \"%s\": could not %s: out of memory", store->dir, what);
    case MDB_PANIC:
        rc = base_fail(err, BASE_E_IO, NULL,
                       "state in \"%s\": could not %s: an earlier write of its header failed",
                       store->dir, what);
        base_error_hint(err, "Check the disk, then restart the program.");
        return rc;
    case EIO: {
        uint64_t bytes = UINT64_MAX;
        plat *plat = store->plat;
        if (plat->ops->disk_free(plat, store->dir, &bytes, NULL) == BASE_OK &&
            bytes < DISK_FULL_BYTES) {
            return fail_full(store, what, err);
        }
        return base_fail_errno(err, code, "state in \"%s\": could not %s", store->dir, what);
    }
    default:
        break;
    }
    if (code > 0)
        return base_fail_errno(err, code, "state in \"%s\": could not %s", store->dir, what);
    return base_fail(err, BASE_E_INTERNAL, NULL, "state in \"%s\": could not %s: %s", store->dir,
                     what, mdb_strerror(code));
}

// LMDB found a page that cannot be, and would abort after this returns.
static void asserted(MDB_env *env, const char *text) {
    const state_store *store = mdb_env_get_userctx(env);
    plat_guard_end(store->lmdb->guard, text);
}

// --- rows

// Multiplies and folds eight bytes at a time: keys are short, and no change of one word goes
// unseen.
static uint64_t key_sum(base_str skey) {
    uint64_t sum = skey.n, word;
    size_t at = 0;
    for (; at + sizeof word <= skey.n; at += sizeof word) {
        memcpy(&word, skey.p + at, sizeof word);
        sum = (sum ^ word) * 0x9e3779b97f4a7c15ull;
        sum ^= sum >> 32;
    }
    word = 0;
    memcpy(&word, skey.p + at, skey.n - at);
    sum = (sum ^ word) * 0x9e3779b97f4a7c15ull;
    return sum ^ sum >> 32;
}

static uint32_t row_sum(base_str skey, base_str whole_and_value) {
    return (uint32_t)(base_mix64(key_sum(skey)) +
                      base_hash64(whole_and_value.p, whole_and_value.n));
}

bool state_lmdb_row_split(base_str skey, base_str stored, state_row *row) {
    bool is_long = skey.n == STATE_SKEY_BYTES_MAX;
    size_t foot = is_long ? LONG_FOOT_BYTES : VALUE_FOOT_BYTES;
    if (skey.n == 0 || stored.n < foot) return false;
    uint32_t sum, whole_n = 0;
    memcpy(&sum, stored.p + stored.n - sizeof sum, sizeof sum);
    if (sum != row_sum(skey, (base_str){stored.p, stored.n - sizeof sum})) return false;
    row->skey = row->key = skey;
    if (is_long) {
        memcpy(&whole_n, stored.p + stored.n - foot, sizeof whole_n);
        if (whole_n <= STATE_PLAIN_BYTES || whole_n > stored.n - foot) return false;
        row->key = (base_str){stored.p, whole_n};
    }
    row->value = (base_str){stored.p + whole_n, stored.n - foot - whole_n};
    return true;
}

// Whether LMDB's pointer is to be believed. What a write transaction has changed is outside of the
// map, but for pages that a large one has put into the file already, which grows by them.
static bool within(state_txn *txn, const char *p, size_t n) {
    const state_lmdb *lmdb = txn->store->lmdb;
    if (lmdb->base == NULL || p < lmdb->base || p >= lmdb->base + lmdb->map_bytes) return true;
    uint64_t at = (uint64_t)(p - lmdb->base);
    if (at <= txn->extent_bytes && n <= txn->extent_bytes - at) return true;
    if (!txn->writable || lmdb->data == NULL) return false;
    uint64_t bytes;
    if (plat_size(lmdb->data, &bytes, NULL) != BASE_OK) return false;
    if (bytes > txn->extent_bytes) txn->extent_bytes = bytes;
    return at <= txn->extent_bytes && n <= txn->extent_bytes - at;
}

static base_rc row_take(state_txn *txn, const state_slot *slot, base_str skey, MDB_val data,
                        state_row *row, base_error *err) {
    base_str stored = {data.mv_data, data.mv_size};
    if (within(txn, skey.p, skey.n) && within(txn, stored.p, stored.n) &&
        state_lmdb_row_split(skey, stored, row)) {
        return BASE_OK;
    }
    return state_corrupt(err, txn->store->dir, "a row of table \"%s\" fails its checksum",
                         slot->name == NULL ? STATE_META_TABLE : slot->name);
}

static base_rc out_of_order(const state_txn *txn, const state_slot *slot, base_error *err) {
    return state_corrupt(err, txn->store->dir, "the keys of table \"%s\" are out of order",
                         slot->name == NULL ? STATE_META_TABLE : slot->name);
}

static size_t stored_bytes(const state_put_row *put) {
    return put->whole.n + put->value.n + (put->whole.n > 0 ? LONG_FOOT_BYTES : VALUE_FOOT_BYTES);
}

// Writes the row into the room that LMDB made for it.
static void row_store(const state_put_row *put, MDB_val room) {
    char *start = room.mv_data, *to = start;
    if (put->whole.n > 0) memcpy(to, put->whole.p, put->whole.n);
    to += put->whole.n;
    if (put->value.n > 0) memcpy(to, put->value.p, put->value.n);
    to += put->value.n;
    if (put->whole.n > 0) {
        uint32_t whole_n = (uint32_t)put->whole.n;
        memcpy(to, &whole_n, sizeof whole_n);
        to += sizeof whole_n;
    }
    uint32_t sum = row_sum(put->skey, (base_str){start, (size_t)(to - start)});
    memcpy(to, &sum, sizeof sum);
}

static MDB_val val_of(base_str s) {
    return (MDB_val){s.n, (void *)(uintptr_t)s.p};
}

static base_str str_of(MDB_val v) {
    return (base_str){v.mv_data, v.mv_size};
}

// --- open and close

static base_rc env_open(state_store *store, base_error *err) {
    state_lmdb *lmdb = store->lmdb;
    uint64_t bytes = store->map_bytes == 0 ? MAP_BYTES_DEFAULT : store->map_bytes;
    if (bytes < MAP_BYTES_LEAST) bytes = MAP_BYTES_LEAST;
    unsigned flags = MDB_NOTLS | MDB_NOMEMINIT;
    if (store->no_sync) flags |= MDB_NOSYNC;
    for (;; bytes /= 2) {
        lmdb->map_bytes = bytes &= ~(uint64_t)0xffff;
        int code = mdb_env_create(&lmdb->env);
        if (code != 0) {
            lmdb->env = NULL;
            return fail(store, code, "create an environment", err);
        }
        mdb_env_set_userctx(lmdb->env, store);
        mdb_env_set_assert(lmdb->env, asserted);
        code = mdb_env_set_maxdbs(lmdb->env, STATE_TABLES_MAX + 1);
        if (code == 0) code = mdb_env_set_maxreaders(lmdb->env, READERS_MAX);
        if (code == 0) code = mdb_env_set_mapsize(lmdb->env, bytes);
        if (code == 0) code = mdb_env_open(lmdb->env, store->dir, flags, 0600);
        if (code == 0) break;
        mdb_env_close(lmdb->env);
        lmdb->env = NULL;
        bool is_too_large = code == ENOMEM || code == EINVAL || code == EOVERFLOW;
        if (store->map_bytes != 0 || !is_too_large || bytes / 2 < MAP_BYTES_LEAST) {
            return fail(store, code, "open it", err);
        }
    }
    int dead = 0;
    int code = mdb_reader_check(lmdb->env, &dead);
    if (code != 0) return fail(store, code, "clear its stale readers", err);
    MDB_envinfo info;
    mdb_env_info(lmdb->env, &info);
    lmdb->map_bytes = info.me_mapsize; // more than asked, if the file is larger
    MDB_stat stat;
    mdb_env_stat(lmdb->env, &stat);
    lmdb->page_bytes = stat.ms_psize;
    return BASE_OK;
}

// Only unused pages were found to be missing: the file gets its length, so that no access can be
// beyond its end.
static base_rc file_extend(state_store *store, const state_lmdb_file *file, base_error *err) {
    char path[4096];
    snprintf(path, sizeof path, "%s/data.mdb", store->dir);
    plat_file *data;
    base_rc rc = plat_open(store->plat, path, PLAT_OPEN_READ | PLAT_OPEN_WRITE, &data, err);
    if (rc != BASE_OK) return rc;
    uint64_t bytes;
    rc = plat_size(data, &bytes, err);
    if (rc == BASE_OK && bytes < file->bytes_needed)
        rc = plat_truncate(data, file->bytes_needed, err);
    plat_close(data);
    return rc;
}

static base_rc pages_check(state_store *store, uint64_t pages_max, base_error *err) {
    for (int attempt = 0; attempt < 8; attempt++) {
        MDB_txn *txn;
        int code = GUARDED(store, mdb_txn_begin(store->lmdb->env, NULL, MDB_RDONLY, &txn));
        if (code != 0) return fail(store, code, "begin a read", err);
        bool raced = false;
        base_rc rc = state_lmdb_check_pages(store->plat, store->dir, mdb_txn_id(txn), pages_max,
                                            &raced, err);
        GUARDED_VOID(store, mdb_txn_abort(txn));
        if (rc != BASE_OK || !raced) return rc;
    }
    return base_fail(err, BASE_E_BUSY, NULL, "the state in \"%s\" changes too fast to be checked",
                     store->dir);
}

static base_rc meta_create(state_store *store, base_error *err) {
    state_lmdb *lmdb = store->lmdb;
    MDB_txn *mdb;
    int code = GUARDED(store, mdb_txn_begin(lmdb->env, NULL, 0, &mdb));
    if (code != 0) return fail(store, code, "begin its first transaction", err);
    code = GUARDED(store, mdb_dbi_open(mdb, STATE_META_TABLE, MDB_CREATE, &lmdb->meta));
    if (code != 0) {
        GUARDED_VOID(store, mdb_txn_abort(mdb));
        return fail(store, code, "create its first table", err);
    }
    uint32_t version = STATE_FORMAT_VERSION;
    state_put_row put = {.skey = BASE_STR("format"),
                         .value = {(const char *)&version, sizeof version}};
    MDB_val key = val_of(put.skey), room = {stored_bytes(&put), NULL};
    code = GUARDED(store, mdb_put(mdb, lmdb->meta, &key, &room, MDB_RESERVE));
    if (code != 0) {
        GUARDED_VOID(store, mdb_txn_abort(mdb));
        return fail(store, code, "write its first row", err);
    }
    GUARDED_VOID(store, row_store(&put, room));
    code = GUARDED(store, mdb_txn_commit(mdb));
    return code == 0 ? BASE_OK : fail(store, code, "commit its first transaction", err);
}

// Where the file is mapped, from a row that a read has found in it: a page knows its number.
static const char *base_find(const state_lmdb *lmdb, const char *in_page) {
    if (lmdb->page_bytes > 4096) return NULL; // the map is aligned to the system's pages only
    uintptr_t page = (uintptr_t)in_page & ~(uintptr_t)(lmdb->page_bytes - 1);
    uint64_t number;
    memcpy(&number, (const char *)page, sizeof number);
    return (const char *)(page - number * lmdb->page_bytes);
}

// *found false: there is no meta table yet.
static base_rc meta_read(state_store *store, bool *found, base_error *err) {
    state_lmdb *lmdb = store->lmdb;
    state_txn txn = {.store = store};
    base_rc rc = state_lmdb_begin(&txn, err);
    if (rc != BASE_OK) return rc;
    int code = GUARDED(store, mdb_dbi_open(txn.mdb, NULL, 0, &lmdb->root));
    if (code == 0) code = GUARDED(store, mdb_dbi_open(txn.mdb, STATE_META_TABLE, 0, &lmdb->meta));
    *found = code == 0;
    state_row row = {0};
    uint32_t version = 0;
    if (code == MDB_NOTFOUND) {
        MDB_stat stat;
        code = GUARDED(store, mdb_stat(txn.mdb, lmdb->root, &stat));
        if (code == 0 && stat.ms_entries > 0) {
            rc = state_corrupt(err, store->dir, "it has tables but no format version");
        }
    } else if (code == 0) {
        state_slot slot = {.id = lmdb->meta};
        bool has_row;
        rc = state_lmdb_get(&txn, &slot, BASE_STR("format"), &row, &has_row, err);
        if (rc == BASE_OK && (!has_row || row.value.n != sizeof version)) {
            rc = state_corrupt(err, store->dir, "its format version is missing");
        }
        if (rc == BASE_OK) {
            memcpy(&version, row.value.p, sizeof version);
            lmdb->base = base_find(lmdb, row.value.p);
        }
    }
    if (rc == BASE_OK && code != 0) rc = fail(store, code, "read its format version", err);
    if (rc == BASE_OK) {
        code = GUARDED(store, mdb_txn_commit(txn.mdb)); // keeps the handles
        return code == 0 ? BASE_OK : fail(store, code, "read its format version", err);
    }
    GUARDED_VOID(store, mdb_txn_abort(txn.mdb));
    return rc;
}

// The file of the guard's mark.
static void mark_path(char *path, size_t n, const char *dir) {
    snprintf(path, n, "%s/damaged", dir);
}

plat_guard *state_lmdb_guard(const char *dir) {
    char what[4200], path[4200];
    snprintf(what, sizeof what, "the state in \"%s\"", dir);
    mark_path(path, sizeof path, dir);
    return plat_guard_create(what, "data.mdb", path);
}

// From here on the file is known not to shrink, and a fault in the map to be the store's.
static base_rc watch(state_store *store, base_error *err) {
    state_lmdb *lmdb = store->lmdb;
    char path[4200];
    snprintf(path, sizeof path, "%s/data.mdb", store->dir);
    plat_guard_cover(lmdb->guard, lmdb->base, lmdb->map_bytes, lmdb->page_bytes);
    uint64_t bytes = 0;
    base_rc rc = plat_open(store->plat, path, PLAT_OPEN_READ, &lmdb->data, err);
    if (rc == BASE_OK) rc = plat_size(lmdb->data, &bytes, err);
    atomic_store(&lmdb->bytes, bytes);
    return rc;
}

// Reading a map beyond the end of its file would end the process.
static base_rc size_check(state_store *store, base_error *err) {
    state_lmdb *lmdb = store->lmdb;
    if (lmdb->data == NULL) return BASE_OK; // it is being opened
    uint64_t bytes, known = atomic_load(&lmdb->bytes);
    base_rc rc = plat_size(lmdb->data, &bytes, err);
    if (rc != BASE_OK) return rc;
    if (bytes < known)
        return state_corrupt(err, store->dir,
                             "data.mdb was cut from %" PRIu64 " to %" PRIu64
                             " bytes while it was open",
                             known, bytes);
    while (bytes > known && !atomic_compare_exchange_weak(&lmdb->bytes, &known, bytes)) continue;
    return BASE_OK;
}

static base_rc meta_check(state_store *store, base_error *err) {
    bool found;
    base_rc rc = meta_read(store, &found, err);
    if (rc == BASE_OK && !found) {
        rc = meta_create(store, err);
        if (rc == BASE_OK) rc = meta_read(store, &found, err);
    }
    if (rc != BASE_OK) return rc;
    must(found);
    MDB_txn *mdb;
    int code = GUARDED(store, mdb_txn_begin(store->lmdb->env, NULL, MDB_RDONLY, &mdb));
    if (code != 0) return fail(store, code, "begin a read", err);
    MDB_val key = val_of(BASE_STR("format")), data;
    code = GUARDED(store, mdb_get(mdb, store->lmdb->meta, &key, &data));
    uint32_t version = 0;
    if (code == 0) memcpy(&version, data.mv_data, sizeof version);
    GUARDED_VOID(store, mdb_txn_abort(mdb));
    if (code != 0) return fail(store, code, "read its format version", err);
    if (version == STATE_FORMAT_VERSION) return BASE_OK;
    rc = base_fail(err, BASE_E_UNSUPPORTED, NULL,
                   "the state in \"%s\" has format version %" PRIu32 ", this program knows %d",
                   store->dir, version, STATE_FORMAT_VERSION);
    base_error_hint(err,
                    "Start the program that wrote it, or move this directory away: it is rebuilt "
                    "from the log.");
    return rc;
}

base_rc state_lmdb_open(state_store *store, base_error *err) {
    plat *plat = store->plat;
    base_rc rc = plat->ops->make_dir(plat, store->dir, err);
    if (rc != BASE_OK) return rc;
    char mark[4200];
    mark_path(mark, sizeof mark, store->dir);
    bool marked, is_dir;
    rc = plat->ops->exists(plat, mark, &marked, &is_dir, err);
    if (rc != BASE_OK) return rc;
    state_lmdb_file file;
    rc = state_lmdb_check_header(plat, store->dir, &file, err);
    if (rc == BASE_OK && file.exists && marked) rc = state_lmdb_check_reads(plat, store->dir, err);
    if (rc != BASE_OK) return rc;
    store->lmdb = calloc(1, sizeof *store->lmdb);
    must(store->lmdb != NULL);
    store->lmdb->guard = state_lmdb_guard(store->dir);
    rc = env_open(store, err);
    if (rc == BASE_OK && file.exists) {
        rc = pages_check(store, file.is_short || marked ? 0 : OPEN_CHECK_PAGES, err);
        if (rc == BASE_OK && file.is_short) rc = file_extend(store, &file, err);
    }
    if (rc == BASE_OK) rc = meta_check(store, err);
    if (rc == BASE_OK && marked) rc = plat->ops->remove(plat, mark, err);
    if (rc == BASE_OK) rc = watch(store, err);
    if (rc == BASE_OK && !file.exists && !store->no_sync) {
        rc = plat->ops->sync_dir(plat, store->dir, err);
    }
    return rc; // the caller closes the store
}

void state_lmdb_close(state_store *store) {
    if (store->lmdb->env != NULL) mdb_env_close(store->lmdb->env);
    plat_close(store->lmdb->data);
    plat_guard_destroy(store->lmdb->guard);
    free(store->lmdb);
    store->lmdb = NULL;
}

// --- transactions

base_rc state_lmdb_begin(state_txn *txn, base_error *err) {
    state_lmdb *lmdb = txn->store->lmdb;
    base_rc rc = size_check(txn->store, err);
    if (rc != BASE_OK) return rc;
    int code = GUARDED(txn->store,
                       mdb_txn_begin(lmdb->env, NULL, txn->writable ? 0 : MDB_RDONLY, &txn->mdb));
    if (code != 0) {
        return fail(txn->store, code, txn->writable ? "begin a transaction" : "begin a read", err);
    }
    txn->extent_bytes = atomic_load(&lmdb->bytes);
    if (!txn->writable) {
        MDB_envinfo info;
        mdb_env_info(lmdb->env, &info);
        txn->extent_bytes = (info.me_last_pgno + 1) * lmdb->page_bytes;
    }
    return BASE_OK;
}

// Commits next to nothing. LMDB hands out the pages that a commit freed only after one more commit,
// so that in a full map the first transaction after a delete would fail, and for ever the same one.
static void turn(state_store *store) {
    state_lmdb *lmdb = store->lmdb;
    MDB_txn *mdb;
    if (GUARDED(store, mdb_txn_begin(lmdb->env, NULL, 0, &mdb)) != 0) return;
    uint64_t number = mdb_txn_id(mdb);
    state_put_row put = {.skey = BASE_STR("turn"), .value = {(const char *)&number, sizeof number}};
    MDB_val key = val_of(put.skey), room = {stored_bytes(&put), NULL};
    if (GUARDED(store, mdb_put(mdb, lmdb->meta, &key, &room, MDB_RESERVE)) != 0) {
        GUARDED_VOID(store, mdb_txn_abort(mdb));
        return;
    }
    GUARDED_VOID(store, row_store(&put, room));
    (void)GUARDED(store, mdb_txn_commit(mdb)); // as good as it goes: the next commit tells
}

void state_lmdb_made_room(state_store *store, bool is_full) {
    bool was_full = atomic_exchange(&store->lmdb->was_full, is_full);
    if (is_full || was_full) turn(store);
}

base_rc state_lmdb_commit(state_txn *txn, base_error *err) {
    int code = GUARDED(txn->store, mdb_txn_commit(txn->mdb));
    return code == 0 ? BASE_OK : fail(txn->store, code, "commit", err);
}

void state_lmdb_abort(state_txn *txn) {
    GUARDED_VOID(txn->store, mdb_txn_abort(txn->mdb));
}

// --- tables

base_rc state_lmdb_table_create(state_txn *txn, const char *name, state_slot *slot,
                                base_error *err) {
    MDB_dbi dbi;
    int code = GUARDED(txn->store, mdb_dbi_open(txn->mdb, name, MDB_CREATE, &dbi));
    if (code != 0) return fail(txn->store, code, "create a table", err);
    slot->id = dbi;
    return BASE_OK;
}

base_rc state_lmdb_table_drop(state_txn *txn, const state_slot *slot, base_error *err) {
    int code = GUARDED(txn->store, mdb_drop(txn->mdb, slot->id, 1));
    return code == 0 ? BASE_OK : fail(txn->store, code, "drop a table", err);
}

base_rc state_lmdb_table_reopen(state_store *store, state_slot *slot, base_error *err) {
    MDB_txn *mdb;
    int code = GUARDED(store, mdb_txn_begin(store->lmdb->env, NULL, MDB_RDONLY, &mdb));
    if (code != 0) return fail(store, code, "begin a read", err);
    MDB_dbi dbi;
    code = GUARDED(store, mdb_dbi_open(mdb, slot->name, 0, &dbi));
    if (code != 0) {
        GUARDED_VOID(store, mdb_txn_abort(mdb));
        return fail(store, code, "open a table", err);
    }
    code = GUARDED(store, mdb_txn_commit(mdb));
    if (code != 0) return fail(store, code, "open a table", err);
    slot->id = dbi;
    return BASE_OK;
}

base_rc state_lmdb_table_names(state_txn *txn, base_rc (*visit)(void *arg, const char *name),
                               void *arg, base_error *err) {
    MDB_cursor *cursor;
    int code = GUARDED(txn->store, mdb_cursor_open(txn->mdb, txn->store->lmdb->root, &cursor));
    if (code != 0) return fail(txn->store, code, "list its tables", err);
    base_rc rc = BASE_OK;
    MDB_val key, data;
    for (;;) {
        code = GUARDED(txn->store, mdb_cursor_get(cursor, &key, &data, MDB_NEXT));
        if (code != 0) break;
        char name[STATE_NAME_BYTES_MAX + 1];
        if (key.mv_size > STATE_NAME_BYTES_MAX || memchr(key.mv_data, 0, key.mv_size) != NULL) {
            rc = state_corrupt(err, txn->store->dir, "a table's name is not one of ours");
            break;
        }
        memcpy(name, key.mv_data, key.mv_size);
        name[key.mv_size] = 0;
        rc = visit(arg, name);
        if (rc != BASE_OK) break;
    }
    GUARDED_VOID(txn->store, mdb_cursor_close(cursor));
    if (rc == BASE_OK && code != MDB_NOTFOUND) rc = fail(txn->store, code, "list its tables", err);
    return rc;
}

// --- rows of a table

// LMDB takes a table for empty if it does not find the table's record. seems_empty: the whole table
// does, not only what was asked for.
static base_rc table_check(state_txn *txn, const state_slot *slot, bool seems_empty,
                           base_error *err) {
    const char *name = slot->name == NULL ? STATE_META_TABLE : slot->name;
    MDB_val key = val_of(base_str_of(name)), data;
    int code = GUARDED(txn->store, mdb_get(txn->mdb, txn->store->lmdb->root, &key, &data));
    if (code != 0 && code != MDB_NOTFOUND) return fail(txn->store, code, "find a table", err);
    uint64_t rows = 0;
    bool found = code == 0 && within(txn, data.mv_data, data.mv_size) &&
                 state_lmdb_record_rows(str_of(data), &rows);
    // What a write transaction has changed stands in the record after its commit.
    if (found && (!seems_empty || rows == 0 || txn->writable)) return BASE_OK;
    return state_corrupt(err, txn->store->dir, "table \"%s\" is not found", name);
}

// A key that a damaged one hides from LMDB's search must not count as absent. The search ends
// between two rows that it has compared with; if both are whole, and the key lies between them, it
// is not there. On entry the cursor stands on the first row above skey, or `last`: there is none.
static base_rc absence_check(state_txn *txn, const state_slot *slot, MDB_cursor *cursor,
                             base_str skey, bool last, MDB_val key, MDB_val data, base_error *err) {
    state_row row;
    base_rc rc;
    if (!last) {
        rc = row_take(txn, slot, str_of(key), data, &row, err);
        if (rc != BASE_OK) return rc;
        if (base_str_cmp(str_of(key), skey) <= 0) return out_of_order(txn, slot, err);
    }
    int code = GUARDED(txn->store, mdb_cursor_get(cursor, &key, &data, last ? MDB_LAST : MDB_PREV));
    if (code == MDB_NOTFOUND) return last ? table_check(txn, slot, true, err) : BASE_OK;
    if (code != 0) return fail(txn->store, code, "get a row", err);
    rc = row_take(txn, slot, str_of(key), data, &row, err);
    if (rc == BASE_OK && base_str_cmp(str_of(key), skey) >= 0) rc = out_of_order(txn, slot, err);
    return rc;
}

static base_rc cursor_find(state_txn *txn, const state_slot *slot, MDB_cursor *cursor,
                           base_str skey, state_row *row, bool *found, base_error *err) {
    MDB_val key = val_of(skey), data;
    int code = GUARDED(txn->store, mdb_cursor_get(cursor, &key, &data, MDB_SET_RANGE));
    *found = code == 0 && base_str_eq(str_of(key), skey);
    if (*found) return row_take(txn, slot, skey, data, row, err);
    if (code != 0 && code != MDB_NOTFOUND) return fail(txn->store, code, "get a row", err);
    return absence_check(txn, slot, cursor, skey, code == MDB_NOTFOUND, key, data, err);
}

// The slow way, for a key that the quick one did not find.
static base_rc find_again(state_txn *txn, const state_slot *slot, base_str skey, state_row *row,
                          bool *found, base_error *err) {
    MDB_cursor *cursor;
    int code = GUARDED(txn->store, mdb_cursor_open(txn->mdb, slot->id, &cursor));
    if (code != 0) return fail(txn->store, code, "open a cursor", err);
    base_rc rc = cursor_find(txn, slot, cursor, skey, row, found, err);
    GUARDED_VOID(txn->store, mdb_cursor_close(cursor));
    return rc;
}

base_rc state_lmdb_get(state_txn *txn, const state_slot *slot, base_str skey, state_row *row,
                       bool *found, base_error *err) {
    MDB_val key = val_of(skey), data;
    int code = GUARDED(txn->store, mdb_get(txn->mdb, slot->id, &key, &data));
    *found = code == 0;
    if (code == 0) return row_take(txn, slot, skey, data, row, err);
    if (code == MDB_NOTFOUND) return find_again(txn, slot, skey, row, found, err);
    return fail(txn->store, code, "get a row", err);
}

base_rc state_lmdb_put(state_txn *txn, const state_slot *slot, const state_put_row *put,
                       bool append, base_error *err) {
    MDB_val key = val_of(put->skey), room = {stored_bytes(put), NULL};
    int code = GUARDED(txn->store, mdb_put(txn->mdb, slot->id, &key, &room,
                                           MDB_RESERVE | (append ? MDB_APPEND : 0)));
    if (code == MDB_KEYEXIST && append) {
        return base_fail(err, BASE_E_EXISTS, NULL, "a key to append is not above the table's last");
    }
    if (code != 0) return fail(txn->store, code, "put a row", err);
    GUARDED_VOID(txn->store, row_store(put, room));
    return BASE_OK;
}

base_rc state_lmdb_delete(state_txn *txn, const state_slot *slot, base_str skey, bool *found,
                          base_error *err) {
    MDB_val key = val_of(skey);
    int code = GUARDED(txn->store, mdb_del(txn->mdb, slot->id, &key, NULL));
    *found = code == 0;
    if (code == 0 || code == MDB_NOTFOUND) return BASE_OK;
    return fail(txn->store, code, "delete a row", err);
}

base_rc state_lmdb_clear(state_txn *txn, const state_slot *slot, base_error *err) {
    int code = GUARDED(txn->store, mdb_drop(txn->mdb, slot->id, 0));
    return code == 0 ? BASE_OK : fail(txn->store, code, "clear a table", err);
}

base_rc state_lmdb_delete_range(state_txn *txn, const state_slot *slot, base_str from, base_str to,
                                uint64_t *deleted, base_error *err) {
    if (from.n == 0 && to.n == 0) {
        base_rc rc = state_lmdb_count(txn, slot, deleted, err);
        return rc != BASE_OK ? rc : state_lmdb_clear(txn, slot, err);
    }
    MDB_cursor *cursor;
    int code = GUARDED(txn->store, mdb_cursor_open(txn->mdb, slot->id, &cursor));
    if (code != 0) return fail(txn->store, code, "delete rows", err);
    MDB_val key = val_of(from), data;
    code = GUARDED(txn->store,
                   mdb_cursor_get(cursor, &key, &data, from.n == 0 ? MDB_FIRST : MDB_SET_RANGE));
    while (code == 0 && (to.n == 0 || base_str_cmp(str_of(key), to) < 0)) {
        code = GUARDED(txn->store, mdb_cursor_del(cursor, 0));
        if (code != 0) break;
        (*deleted)++;
        code = GUARDED(txn->store,
                       mdb_cursor_get(cursor, &key, &data,
                                      MDB_NEXT)); // the row that took the deleted one's place
    }
    GUARDED_VOID(txn->store, mdb_cursor_close(cursor));
    return code == 0 || code == MDB_NOTFOUND ? BASE_OK : fail(txn->store, code, "delete rows", err);
}

// --- cursors

base_rc state_lmdb_cursor_open(state_cursor *cursor, base_error *err) {
    int code = GUARDED(cursor->txn->store,
                       mdb_cursor_open(cursor->txn->mdb, cursor->slot->id, &cursor->mdb));
    if (code == 0) return BASE_OK;
    cursor->mdb = NULL;
    return fail(cursor->txn->store, code, "open a cursor", err);
}

void state_lmdb_cursor_close(state_cursor *cursor) {
    GUARDED_VOID(cursor->txn->store, mdb_cursor_close(cursor->mdb));
    cursor->mdb = NULL;
}

base_rc state_lmdb_cursor_move(state_cursor *cursor, state_move move, base_str skey, state_row *row,
                               bool *found, base_error *err) {
    static const MDB_cursor_op ops[] = {
        [STATE_MOVE_FIRST] = MDB_FIRST,    [STATE_MOVE_LAST] = MDB_LAST,
        [STATE_MOVE_SEEK] = MDB_SET_RANGE, [STATE_MOVE_NEXT] = MDB_NEXT,
        [STATE_MOVE_PREV] = MDB_PREV,
    };
    MDB_val key = val_of(skey), data;
    int code = GUARDED(cursor->txn->store, mdb_cursor_get(cursor->mdb, &key, &data, ops[move]));
    *found = code == 0;
    if (code == 0) return row_take(cursor->txn, cursor->slot, str_of(key), data, row, err);
    if (code != MDB_NOTFOUND) return fail(cursor->txn->store, code, "read a row", err);
    if (move == STATE_MOVE_NEXT || move == STATE_MOVE_PREV) return BASE_OK;
    return table_check(cursor->txn, cursor->slot, move != STATE_MOVE_SEEK, err);
}

base_rc state_lmdb_cursor_get(state_cursor *cursor, base_str skey, state_row *row, bool *found,
                              base_error *err) {
    return cursor_find(cursor->txn, cursor->slot, cursor->mdb, skey, row, found, err);
}

base_rc state_lmdb_cursor_put(state_cursor *cursor, const state_put_row *put, bool append,
                              base_error *err) {
    MDB_val key = val_of(put->skey), room = {stored_bytes(put), NULL};
    unsigned flags = MDB_RESERVE | (append ? MDB_APPEND : 0);
    int code = GUARDED(cursor->txn->store, mdb_cursor_put(cursor->mdb, &key, &room, flags));
    if (code != 0) return fail(cursor->txn->store, code, "put a row", err);
    GUARDED_VOID(cursor->txn->store, row_store(put, room));
    return BASE_OK;
}

base_rc state_lmdb_cursor_delete(state_cursor *cursor, base_str skey, base_error *err) {
    state_row row;
    bool found;
    base_rc rc = cursor_find(cursor->txn, cursor->slot, cursor->mdb, skey, &row, &found, err);
    if (rc != BASE_OK || !found) return rc;
    int code = GUARDED(cursor->txn->store, mdb_cursor_del(cursor->mdb, 0));
    return code == 0 ? BASE_OK : fail(cursor->txn->store, code, "delete a row", err);
}

base_rc state_lmdb_count(state_txn *txn, const state_slot *slot, uint64_t *rows, base_error *err) {
    MDB_stat stat;
    int code = GUARDED(txn->store, mdb_stat(txn->mdb, slot->id, &stat));
    if (code != 0) return fail(txn->store, code, "count rows", err);
    *rows = stat.ms_entries;
    return BASE_OK;
}

base_rc state_lmdb_size(state_txn *txn, const state_slot *slot, uint64_t *rows, uint64_t *bytes,
                        base_error *err) {
    MDB_stat stat;
    int code = GUARDED(txn->store, mdb_stat(txn->mdb, slot->id, &stat));
    if (code != 0) return fail(txn->store, code, "measure a table", err);
    *rows = stat.ms_entries;
    *bytes = (uint64_t)stat.ms_psize *
             (stat.ms_branch_pages + stat.ms_leaf_pages + stat.ms_overflow_pages);
    return BASE_OK;
}

#define MARK_KEY BASE_STR("journal")

base_rc state_lmdb_mark_get(state_txn *txn, uint64_t *seq, base_error *err) {
    state_slot meta = {.id = txn->store->lmdb->meta};
    state_row row;
    bool found;
    *seq = 0;
    base_rc rc = state_lmdb_get(txn, &meta, MARK_KEY, &row, &found, err);
    if (rc != BASE_OK || !found) return rc;
    if (row.value.n != sizeof *seq) {
        return state_corrupt(err, txn->store->dir, "the mark of its journal has %zu bytes",
                             row.value.n);
    }
    memcpy(seq, row.value.p, sizeof *seq);
    return BASE_OK;
}

base_rc state_lmdb_mark_set(state_txn *txn, uint64_t seq, base_error *err) {
    state_slot meta = {.id = txn->store->lmdb->meta};
    state_put_row put = {.skey = MARK_KEY, .value = {(const char *)&seq, sizeof seq}};
    return state_lmdb_put(txn, &meta, &put, false, err);
}

#define USED_KEY BASE_STR("journal used")

base_rc state_lmdb_journal_used(state_txn *txn, bool *used, base_error *err) {
    state_slot meta = {.id = txn->store->lmdb->meta};
    state_row row;
    return state_lmdb_get(txn, &meta, USED_KEY, &row, used, err);
}

base_rc state_lmdb_journal_use(state_txn *txn, bool used, base_error *err) {
    state_slot meta = {.id = txn->store->lmdb->meta};
    bool found;
    if (!used) return state_lmdb_delete(txn, &meta, USED_KEY, &found, err);
    state_put_row put = {.skey = USED_KEY, .value = BASE_STR("1")};
    return state_lmdb_put(txn, &meta, &put, false, err);
}

void state_lmdb_stats(state_store *store, state_stats *stats) {
    MDB_envinfo info;
    mdb_env_info(store->lmdb->env, &info);
    stats->bytes_used = (info.me_last_pgno + 1) * store->lmdb->page_bytes;
    stats->bytes_map = store->lmdb->map_bytes;
}

base_rc state_lmdb_verify(state_store *store, base_error *err) {
    return pages_check(store, 0, err);
}
