// journal.c - the journal of a store with a layer (layer.c): to it each small commit is one
// sequential write and one sync. Two files take turns, DIR/journal.0 and DIR/journal.1: while what
// one holds goes to LMDB, commits go to the other; then it is free to be written again from its
// first byte.
//
// A record is a head and the commit's operations (the layer's business), padded to 8 bytes. Commits
// are numbered; a record's checksum takes in its number. So what is left of an earlier turn of a
// file is told from what follows: a file ends where the next record is not whole or does not bear
// the next number. A record that was being written when the power went is not whole: it was not
// acknowledged. If later ones that are whole lie behind it, it was damaged. docs/formats.md
// describes the bytes. Entry points: state_journal_open, state_journal_append. Threads: the
// writer's.
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

typedef struct journal_file {
    plat_file *file;
    uint64_t position; // where the next record goes
    uint64_t allocated;
    uint64_t last; // number of the last record; 0: nothing in it is needed
} journal_file;

struct state_journal {
    state_store *store;
    journal_file files[2];
    int current;
    base_buf out;
    uint64_t failed; // the record whose write or sync failed: it may be on the disk; 0: none
    _Atomic uint64_t replay_bytes;
};

static uint64_t record_hash(uint64_t seq, base_str ops) {
    return base_hash64_seed(ops.p == NULL ? "" : ops.p, ops.n, base_mix64(seq) ^ ops.n);
}

static uint64_t padded(uint64_t n) {
    return (n + 7) & ~(uint64_t)7;
}

static void journal_path(const state_store *store, int number, char *path, size_t n) {
    snprintf(path, n, "%s/journal.%d", store->dir, number);
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

typedef struct replay_to {
    base_rc (*replay)(void *arg, uint64_t seq, base_str redo, base_error *err);
    void *arg;
    uint64_t after, done; // commits up to `after` are in LMDB; up to `done` they are replayed
} replay_to;

static base_rc fail_damaged(const state_journal *journal, int number, uint64_t at,
                            base_error *err) {
    base_fail(err, BASE_E_CORRUPT, BASE_SQLSTATE_CORRUPT,
              "the state in \"%s\" is damaged: journal.%d at byte %" PRIu64, journal->store->dir,
              number, at);
    base_error_hint(err, "State is derived from the log: REBUILD FLOW makes it again. Check the "
                         "disk.");
    return BASE_E_CORRUPT;
}

// Whether a record of a later commit lies behind: then what is at `at` is no end, but damage.
static bool goes_on(base_str bytes, uint64_t at, uint64_t last) {
    uint64_t seq;
    base_str ops;
    for (at = padded(at); at + sizeof(journal_head) <= bytes.n; at += 8) {
        uint32_t magic;
        uint64_t next = at;
        memcpy(&magic, bytes.p + at, sizeof magic);
        if (magic == JOURNAL_MAGIC && record_next(bytes, &next, &seq, &ops) && seq > last)
            return true;
    }
    return false;
}

static base_rc replay_file(state_journal *journal, int number, base_str bytes, replay_to *to,
                           base_error *err) {
    uint64_t at = 0, seq, last = 0;
    base_str ops;
    for (;;) {
        uint64_t next = at;
        if (!record_next(bytes, &next, &seq, &ops)) break;
        if (last != 0 && seq != last + 1) break; // of an earlier turn
        if (seq > to->after && seq != to->done + 1) {
            return base_fail(err, BASE_E_CORRUPT, BASE_SQLSTATE_CORRUPT,
                             "the journal of the state in \"%s\" goes on with commit %" PRIu64
                             " where %" PRIu64 " was to come",
                             journal->store->dir, seq, to->done + 1);
        }
        if (seq > to->after) {
            base_rc rc = to->replay(to->arg, seq, ops, err);
            if (rc != BASE_OK) return rc;
            to->done = seq;
        }
        last = seq;
        at = next;
    }
    if (goes_on(bytes, at, last > to->done ? last : to->done))
        return fail_damaged(journal, number, at, err);
    if (last <= to->after) return BASE_OK; // nothing of it is needed: it begins anew
    journal->files[number].position = at;
    journal->files[number].last = last;
    journal->current = number;
    return BASE_OK;
}

static uint64_t first_seq(base_str bytes) {
    uint64_t at = 0, seq;
    base_str ops;
    return record_next(bytes, &at, &seq, &ops) ? seq : 0;
}

static base_rc replay_files(state_journal *journal, bool used, replay_to *to, base_error *err) {
    base_buf bytes[2] = {{0}, {0}};
    base_rc rc = BASE_OK;
    for (int i = 0; i < 2 && rc == BASE_OK; i++) {
        char path[4200];
        journal_path(journal->store, i, path, sizeof path);
        rc = plat_read_file(journal->store->plat, path, JOURNAL_BYTES_MAX * 2, &bytes[i], err);
    }
    uint64_t begin[2] = {first_seq(base_buf_str(&bytes[0])), first_seq(base_buf_str(&bytes[1]))};
    if (rc == BASE_OK && used && begin[0] == 0 && begin[1] == 0)
        rc = fail_damaged(journal, 0, 0, err);
    int first = begin[0] <= begin[1] ? 0 : 1;
    for (int turn = 0; turn < 2 && rc == BASE_OK; turn++) {
        int number = turn == 0 ? first : 1 - first;
        rc = replay_file(journal, number, base_buf_str(&bytes[number]), to, err);
    }
    base_buf_deinit(&bytes[0]);
    base_buf_deinit(&bytes[1]);
    return rc;
}

static void count_replay(state_journal *journal) {
    uint64_t bytes = 0;
    for (int i = 0; i < 2; i++) {
        if (journal->files[i].last != 0) bytes += journal->files[i].position;
    }
    atomic_store_explicit(&journal->replay_bytes, bytes, memory_order_relaxed);
}

static base_rc open_file(state_journal *journal, int number, base_error *err) {
    char path[4200];
    journal_path(journal->store, number, path, sizeof path);
    int flags = PLAT_OPEN_READ | PLAT_OPEN_WRITE | PLAT_OPEN_CREATE;
    journal_file *file = &journal->files[number];
    base_rc rc = plat_open(journal->store->plat, path, flags, &file->file, err);
    return rc == BASE_OK ? plat_size(file->file, &file->allocated, err) : rc;
}

base_rc state_journal_open(state_store *store, uint64_t after, bool create, bool used,
                           base_rc (*replay)(void *arg, uint64_t seq, base_str redo,
                                             base_error *err),
                           void *arg, state_journal **out, base_error *err) {
    bool exists = false;
    *out = NULL;
    for (int i = 0; i < 2; i++) {
        char path[4200];
        bool one, is_dir;
        journal_path(store, i, path, sizeof path);
        base_rc rc = store->plat->ops->exists(store->plat, path, &one, &is_dir, err);
        if (rc != BASE_OK) return rc;
        exists |= one;
    }
    if (!exists && !create && !used) return BASE_OK;
    state_journal *journal = state_alloc(sizeof *journal);
    *journal = (state_journal){.store = store};
    base_rc rc = open_file(journal, 0, err);
    if (rc == BASE_OK) rc = open_file(journal, 1, err);
    if (rc == BASE_OK && !store->no_sync) {
        rc = store->plat->ops->sync_dir(store->plat, store->dir, err);
    }
    replay_to to = {replay, arg, after, after};
    if (rc == BASE_OK) rc = replay_files(journal, used, &to, err);
    count_replay(journal);
    if (rc != BASE_OK) {
        state_journal_close(journal);
        return rc;
    }
    *out = journal;
    return BASE_OK;
}

void state_journal_close(state_journal *journal) {
    if (journal == NULL) return;
    for (int i = 0; i < 2; i++) plat_close(journal->files[i].file);
    base_buf_deinit(&journal->out);
    free(journal);
}

base_rc state_journal_remove(state_journal *journal, base_error *err) {
    state_store *store = journal->store;
    state_journal_close(journal);
    base_rc rc = BASE_OK;
    for (int i = 0; i < 2 && rc == BASE_OK; i++) {
        char path[4200];
        journal_path(store, i, path, sizeof path);
        rc = store->plat->ops->remove(store->plat, path, err);
    }
    return rc;
}

static base_rc make_room(journal_file *file, uint64_t need, base_error *err) {
    if (need <= file->allocated) return BASE_OK;
    uint64_t want = (need + ALLOCATE_STEP - 1) / ALLOCATE_STEP * ALLOCATE_STEP;
    base_rc rc = plat_allocate(file->file, want, err);
    if (rc == BASE_OK) file->allocated = want;
    return rc;
}

base_rc state_journal_append(state_journal *journal, uint64_t seq, base_str redo, base_error *err) {
    const char *dir = journal->store->dir;
    journal_file *file = &journal->files[journal->current];
    uint64_t total = sizeof(journal_head) + padded(redo.n);
    if (journal->failed != 0 || file->position + total > JOURNAL_BYTES_MAX) {
        return base_fail(err, BASE_E_FULL, BASE_SQLSTATE_DISK_FULL,
                         "the journal of the state in \"%s\" takes no more", dir);
    }
    base_rc rc = make_room(file, file->position + total, err);
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
    rc = plat_write_at(file->file, out->p, out->n, file->position, err);
    if (rc == BASE_OK && !journal->store->no_sync) rc = plat_sync(file->file, err);
    if (rc != BASE_OK) {
        journal->failed = seq;
        base_error_prefix(err, "the journal of the state in \"%s\"", dir);
        return rc;
    }
    file->position += total;
    file->last = seq;
    count_replay(journal);
    return BASE_OK;
}

void state_journal_switch(state_journal *journal) {
    journal_file *other = &journal->files[1 - journal->current];
    if (other->last != 0) return; // still needed: this one goes on
    other->position = 0;
    journal->current = 1 - journal->current;
}

// What a failed write has left may be a whole record, which a start would replay: its number is not
// given to another record, also not in the other file, but goes to LMDB.
void state_journal_forget(state_journal *journal, uint64_t upto) {
    for (int i = 0; i < 2; i++) {
        journal_file *file = &journal->files[i];
        if (file->last > upto) continue;
        file->position = 0;
        file->last = 0;
    }
    if (journal->failed <= upto) journal->failed = 0;
    count_replay(journal);
}

uint64_t state_journal_replay_bytes(const state_journal *journal) {
    return atomic_load_explicit(&journal->replay_bytes, memory_order_relaxed);
}

uint64_t state_journal_bytes(const state_journal *journal) {
    return journal->failed != 0 ? UINT64_MAX : journal->files[journal->current].position;
}
