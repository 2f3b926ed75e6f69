// journal.c - the journal of a store with a layer (layer.c): one file, DIR/journal, to which each
// small commit is one sequential write and one sync, and which begins anew, from its first byte,
// when what it holds has gone to LMDB.
//
// A record is a head and the commit's operations (the layer's business), padded to 8 bytes. Commits
// are numbered; a record's checksum takes in its number. So what is left of an earlier turn of the
// file is told from what follows: the journal ends where the next record is not whole or does not
// bear the next number. A record that was being written when the power went is not whole: it was
// not acknowledged. docs/formats.md describes the bytes. Entry points: state_journal_open,
// state_journal_append. Threads: the writer's.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "state/state_int.h"

#define JOURNAL_MAGIC     0x4e524a57u // "WJRN"
#define JOURNAL_VERSION   1u
#define JOURNAL_BYTES_MAX ((uint64_t)256 << 20)
#define ALLOCATE_STEP     ((uint64_t)4 << 20)

typedef struct journal_head {
    uint32_t magic;
    uint32_t version;
    uint64_t seq;
    uint64_t bytes; // of the operations that follow
    uint64_t hash;  // of seq, bytes and the operations
} journal_head;
_Static_assert(sizeof(journal_head) == 32, "journal_head is a disk format");

struct state_journal {
    state_store *store;
    plat_file *file;
    uint64_t position, allocated;
    base_buf out;
    bool failed; // a write or sync failed: nobody knows what is on the disk
};

static uint64_t record_hash(uint64_t seq, base_str ops) {
    return base_hash64_seed(ops.p == NULL ? "" : ops.p, ops.n, base_mix64(seq) ^ ops.n);
}

static uint64_t padded(uint64_t n) {
    return (n + 7) & ~(uint64_t)7;
}

static void journal_path(const state_store *store, char *path, size_t n) {
    snprintf(path, n, "%s/journal", store->dir);
}

// The record at *at, which moves behind it; false: there is none.
static bool record_next(base_str bytes, uint64_t *at, uint64_t *seq, base_str *ops) {
    journal_head head;
    if (*at > bytes.n || bytes.n - *at < sizeof head) return false;
    memcpy(&head, bytes.p + *at, sizeof head);
    uint64_t left = bytes.n - *at - sizeof head;
    if (head.magic != JOURNAL_MAGIC || head.version != JOURNAL_VERSION || head.bytes > left) {
        return false;
    }
    *ops = (base_str){bytes.p + *at + sizeof head, (size_t)head.bytes};
    if (record_hash(head.seq, *ops) != head.hash) return false;
    *seq = head.seq;
    *at += sizeof head + padded(head.bytes);
    return true;
}

static base_rc replay_all(state_journal *journal, base_str bytes, uint64_t after,
                          base_rc (*replay)(void *arg, uint64_t seq, base_str redo,
                                            base_error *err),
                          void *arg, base_error *err) {
    uint64_t at = 0, seq, last = 0, done = after;
    base_str ops;
    for (;;) {
        uint64_t next = at;
        if (!record_next(bytes, &next, &seq, &ops)) break;
        if (last != 0 && seq != last + 1) break; // of an earlier turn
        if (seq > after && seq != done + 1) {
            return base_fail(err, BASE_E_CORRUPT, BASE_SQLSTATE_CORRUPT,
                             "the journal of the state in \"%s\" goes on with commit %" PRIu64
                             " where %" PRIu64 " was to come",
                             journal->store->dir, seq, done + 1);
        }
        if (seq > after) {
            base_rc rc = replay(arg, seq, ops, err);
            if (rc != BASE_OK) return rc;
            done = seq;
        }
        last = seq;
        at = next;
    }
    // Nothing of it is needed: begin anew, so that the file does not grow from start to start.
    journal->position = done == after ? 0 : at;
    return BASE_OK;
}

base_rc state_journal_open(state_store *store, uint64_t after, bool create,
                           base_rc (*replay)(void *arg, uint64_t seq, base_str redo,
                                             base_error *err),
                           void *arg, state_journal **out, base_error *err) {
    char path[4200];
    journal_path(store, path, sizeof path);
    bool exists, is_dir;
    *out = NULL;
    base_rc rc = store->plat->ops->exists(store->plat, path, &exists, &is_dir, err);
    if (rc != BASE_OK || (!exists && !create)) return rc;
    state_journal *journal = state_alloc(sizeof *journal);
    *journal = (state_journal){.store = store};
    int flags = PLAT_OPEN_READ | PLAT_OPEN_WRITE | PLAT_OPEN_CREATE;
    rc = plat_open(store->plat, path, flags, &journal->file, err);
    if (rc == BASE_OK && !exists && !store->no_sync) {
        rc = store->plat->ops->sync_dir(store->plat, store->dir, err);
    }
    if (rc == BASE_OK) rc = plat_size(journal->file, &journal->allocated, err);
    if (rc == BASE_OK && exists) {
        base_buf bytes = {0};
        rc = plat_read_file(store->plat, path, JOURNAL_BYTES_MAX * 2, &bytes, err);
        if (rc == BASE_OK) rc = replay_all(journal, base_buf_str(&bytes), after, replay, arg, err);
        base_buf_deinit(&bytes);
    }
    if (rc != BASE_OK) {
        state_journal_close(journal);
        return rc;
    }
    *out = journal;
    return BASE_OK;
}

void state_journal_close(state_journal *journal) {
    if (journal == NULL) return;
    plat_close(journal->file);
    base_buf_deinit(&journal->out);
    free(journal);
}

base_rc state_journal_remove(state_journal *journal, base_error *err) {
    char path[4200];
    state_store *store = journal->store;
    journal_path(store, path, sizeof path);
    state_journal_close(journal);
    return store->plat->ops->remove(store->plat, path, err);
}

static base_rc make_room(state_journal *journal, uint64_t need, base_error *err) {
    if (need <= journal->allocated) return BASE_OK;
    uint64_t want = (need + ALLOCATE_STEP - 1) / ALLOCATE_STEP * ALLOCATE_STEP;
    base_rc rc = plat_allocate(journal->file, want, err);
    if (rc == BASE_OK) journal->allocated = want;
    return rc;
}

base_rc state_journal_append(state_journal *journal, uint64_t seq, base_str redo, base_error *err) {
    const char *dir = journal->store->dir;
    uint64_t total = sizeof(journal_head) + padded(redo.n);
    if (journal->failed || journal->position + total > JOURNAL_BYTES_MAX) {
        return base_fail(err, BASE_E_FULL, BASE_SQLSTATE_DISK_FULL,
                         "the journal of the state in \"%s\" takes no more", dir);
    }
    base_rc rc = make_room(journal, journal->position + total, err);
    if (rc != BASE_OK) {
        base_error_prefix(err, "the journal of the state in \"%s\"", dir);
        return rc;
    }
    journal_head head = {JOURNAL_MAGIC, JOURNAL_VERSION, seq, redo.n, record_hash(seq, redo)};
    base_buf *out = &journal->out;
    base_buf_clear(out);
    base_buf_add(out, &head, sizeof head);
    base_buf_add_str(out, redo);
    while (out->n < total) base_buf_add_byte(out, 0);
    rc = plat_write_at(journal->file, out->p, out->n, journal->position, err);
    if (rc == BASE_OK && !journal->store->no_sync) rc = plat_sync(journal->file, err);
    if (rc != BASE_OK) {
        journal->failed = true;
        base_error_prefix(err, "the journal of the state in \"%s\"", dir);
        return rc;
    }
    journal->position += total;
    return BASE_OK;
}

// What a failed write has left is of a number that LMDB has by now.
void state_journal_restart(state_journal *journal) {
    journal->position = 0;
    journal->failed = false;
}

uint64_t state_journal_bytes(const state_journal *journal) {
    return journal->failed ? UINT64_MAX : journal->position;
}
