// state_int.h - what the files of state/ share. state.c owns handles, key encoding, cursors and the
// rules that both backends obey; lmdb.c and memory.c each supply the primitives listed here.
//
// Rows inside: a stored key (skey) of 1 to 511 bytes, and a value. A key of up to STATE_PLAIN_BYTES
// is its own skey; a longer one becomes its first STATE_PLAIN_BYTES bytes and its 128-bit hash,
// which is always 511 bytes, so the two forms cannot be mistaken for each other; the whole key is
// kept in the row.
#ifndef WEIR_STATE_STATE_INT_H
#define WEIR_STATE_STATE_INT_H

#include <lmdb.h>
#include <stdatomic.h>

#include "base/must.h"
#include "plat/guard.h"
#include "plat/thread.h"
#include "state/state.h"

enum {
    STATE_SKEY_BYTES_MAX = 511, // what LMDB takes
    STATE_PLAIN_BYTES = 495,    // and what is left of it beside the hash
    STATE_NAME_BYTES_MAX = 255,
    STATE_FORMAT_VERSION = 1,
    STATE_SLOT_BITS = 12, // handle: generation above, slot below
};
_Static_assert(1 << STATE_SLOT_BITS == STATE_TABLES_MAX, "a handle addresses every slot");
_Static_assert(STATE_PLAIN_BYTES + 16 == STATE_SKEY_BYTES_MAX,
               "prefix and hash fill the stored key");

#define STATE_META_TABLE      "!meta" // names that begin with '!' belong to the store
#define STATE_VALUE_BYTES_MAX ((uint64_t)1 << 31)

typedef struct state_row {
    base_str skey;  // as stored
    base_str key;   // as the caller knows it
    base_str value; // p is never NULL
    bool gone;      // of a layer: a mark that there is no such row
} state_row;

typedef struct state_slot {
    _Atomic uint32_t generation; // the handle's; 0: not in use
    char *name;
    uint64_t seq;   // transactions that began at an earlier handle_seq do not have this table
    uint32_t id;    // LMDB: MDB_dbi
    uint32_t place; // twin, layer: in the version's tables
    uint64_t memory_id;
} state_slot;

typedef struct state_lmdb state_lmdb;           // lmdb.c
typedef struct state_memory_db state_memory_db; // memory.c: one directory of a state_memory
typedef struct state_memory_txn state_memory_txn;
typedef struct state_memory_cursor state_memory_cursor;
typedef struct state_layer_cursor state_layer_cursor;
typedef struct state_journal state_journal;       // journal.c
typedef struct state_checkpoint state_checkpoint; // checkpoint.c

struct state_store {
    plat *plat;
    char *dir;
    state_lmdb *lmdb;       // NULL: the twin
    state_memory_db *db;    // the twin, or the layer over LMDB; NULL: LMDB alone
    state_journal *journal; // of the layer
    state_checkpoint *checkpoint;
    bool journal_used; // LMDB says so
    state_memory *memory;
    bool owns_memory;
    uint64_t map_bytes;
    uint64_t journal_bytes;
    bool no_sync;

    plat_mutex names; // guards the filling of slots; never held while waiting for the writer
    plat_mutex ddl;   // one table is opened or dropped at a time
    state_slot slots[STATE_TABLES_MAX];
    uint32_t generations[STATE_TABLES_MAX]; // last given out, by slot
    _Atomic uint64_t handle_seq;
    _Atomic uint64_t open_txns;
    _Atomic uint64_t commits;
    _Atomic bool writing;
    _Atomic(uintptr_t) writer; // the thread of the write transaction, while writing
    state_watch watch;         // the writer's
    void *watch_arg;
};

struct state_txn {
    state_store *store;
    bool writable;
    base_rc broken; // the first failed write; commit then refuses with it
    base_error *broken_error;
    uint64_t handle_seq;
    state_cursor *cursors;
    MDB_txn *mdb;
    uint64_t extent_bytes; // LMDB: the mapped bytes that this transaction may point into
    state_memory_txn *mem;
    state_txn *base;    // through the layer: the snapshot of LMDB below it; else NULL
    base_buf redo;      // what a write through the layer did (journal.c)
    uint32_t redo_slot; // of its last operation, + 1
};

typedef enum state_place {
    STATE_PLACE_NONE, // not positioned yet
    STATE_PLACE_ROW,
    STATE_PLACE_SAVED, // a write came between: the place is the key in saved
    STATE_PLACE_BEFORE,
    STATE_PLACE_AFTER,
} state_place;

struct state_cursor {
    state_txn *txn;
    const state_slot *slot; // NULL: the snapshot does not have the table, which reads as empty
    state_cursor *next, *prev;
    state_place place;
    base_str skey; // with ROW: of the row, borrowed
    char saved[STATE_SKEY_BYTES_MAX];
    size_t saved_n;
    MDB_cursor *mdb;
    state_memory_cursor *mem;
    state_layer_cursor *layer;
};

typedef enum state_move {
    STATE_MOVE_FIRST,
    STATE_MOVE_LAST,
    STATE_MOVE_SEEK, // first at or above skey
    STATE_MOVE_NEXT, // only from a row
    STATE_MOVE_PREV,
} state_move;

// What is put: whole is the key when it is long, else empty.
typedef struct state_put_row {
    base_str skey;
    base_str whole;
    base_str value;
    bool gone; // in a layer: mark the row as not there
} state_put_row;

// --- lmdb.c
base_rc state_lmdb_open(state_store *store, base_error *err);
void state_lmdb_close(state_store *store);
base_rc state_lmdb_begin(state_txn *txn, base_error *err);
base_rc state_lmdb_commit(state_txn *txn, base_error *err);
void state_lmdb_abort(state_txn *txn);
// After the end of a write transaction: is_full, it failed for want of space. Makes LMDB give out
// again what was freed.
void state_lmdb_made_room(state_store *store, bool is_full);
base_rc state_lmdb_table_create(state_txn *txn, const char *name, state_slot *slot,
                                base_error *err);
// Drops inside txn. The handle is closed with it: after a failed commit, table_reopen.
base_rc state_lmdb_table_drop(state_txn *txn, const state_slot *slot, base_error *err);
base_rc state_lmdb_table_reopen(state_store *store, state_slot *slot, base_error *err);
base_rc state_lmdb_table_names(state_txn *txn, base_rc (*visit)(void *arg, const char *name),
                               void *arg, base_error *err);
base_rc state_lmdb_get(state_txn *txn, const state_slot *slot, base_str skey, state_row *row,
                       bool *found, base_error *err);
base_rc state_lmdb_put(state_txn *txn, const state_slot *slot, const state_put_row *put,
                       bool append, base_error *err);
base_rc state_lmdb_delete(state_txn *txn, const state_slot *slot, base_str skey, bool *found,
                          base_error *err);
base_rc state_lmdb_clear(state_txn *txn, const state_slot *slot, base_error *err);
base_rc state_lmdb_delete_range(state_txn *txn, const state_slot *slot, base_str from, base_str to,
                                uint64_t *deleted, base_error *err);
base_rc state_lmdb_cursor_open(state_cursor *cursor, base_error *err);
void state_lmdb_cursor_close(state_cursor *cursor);
base_rc state_lmdb_cursor_move(state_cursor *cursor, state_move move, base_str skey, state_row *row,
                               bool *found, base_error *err);
// For a cursor that stays on one table: as get and put, from the cursor's page where possible.
base_rc state_lmdb_cursor_get(state_cursor *cursor, base_str skey, state_row *row, bool *found,
                              base_error *err);
// append: the key is above all of the table's, which fills pages instead of splitting them.
base_rc state_lmdb_cursor_put(state_cursor *cursor, const state_put_row *put, bool append,
                              base_error *err);
base_rc state_lmdb_cursor_delete(state_cursor *cursor, base_str skey, base_error *err);
base_rc state_lmdb_size(state_txn *txn, const state_slot *slot, uint64_t *rows, uint64_t *bytes,
                        base_error *err);
base_rc state_lmdb_count(state_txn *txn, const state_slot *slot, uint64_t *rows, base_error *err);
// The number of the last commit of the layer above that is in here; 0: none.
base_rc state_lmdb_mark_get(state_txn *txn, uint64_t *seq, base_error *err);
base_rc state_lmdb_mark_set(state_txn *txn, uint64_t seq, base_error *err);
// Whether commits have gone to a journal: then there must be one.
base_rc state_lmdb_journal_used(state_txn *txn, bool *used, base_error *err);
base_rc state_lmdb_journal_use(state_txn *txn, bool used, base_error *err);
void state_lmdb_stats(state_store *store, state_stats *stats);
base_rc state_lmdb_verify(state_store *store, base_error *err);
// Names the store in what a fault in its file says, and leaves the mark there.
plat_guard *state_lmdb_guard(const char *dir);
// Takes a stored value apart and tests its checksum; false: damaged.
bool state_lmdb_row_split(base_str skey, base_str stored, state_row *row);

// --- lmdb_check.c: reads data.mdb without LMDB, trusting no byte of it.
typedef struct state_lmdb_file {
    bool exists;
    bool is_short; // ends before its last page: only unused pages may be missing
    uint64_t bytes;
    uint64_t bytes_needed;
    uint32_t page_bytes;
} state_lmdb_file;
// Before LMDB touches the file: the two header pages.
base_rc state_lmdb_check_header(plat *plat, const char *dir, state_lmdb_file *file,
                                base_error *err);
// The number of rows that a table's record in LMDB's table of tables gives; false: it is none.
bool state_lmdb_record_rows(base_str record, uint64_t *rows);
// Reads all of the file, as bytes: a sector that cannot be read is an error here, and in a map the
// end of the process.
base_rc state_lmdb_check_reads(plat *plat, const char *dir, base_error *err);
// Walks the snapshot txn_id. pages_max: a store of at most so many pages is walked in full, of a
// larger one only the inner pages, at most so many; 0: in full always. *raced: the header moved on
// twice since the snapshot was taken (another process commits), nothing was checked.
base_rc state_lmdb_check_pages(plat *plat, const char *dir, uint64_t txn_id, uint64_t pages_max,
                               bool *raced, base_error *err);
base_rc state_corrupt(base_error *err, const char *dir, const char *fmt, ...) BASE_PRINTF(3, 4);

// --- memory.c
base_rc state_mem_open(state_store *store, base_error *err);
void state_mem_close(state_store *store);
base_rc state_mem_ask(state_memory *memory, const char *op, base_error *err);
base_rc state_mem_begin(state_txn *txn, base_error *err);
base_rc state_mem_commit(state_txn *txn, base_error *err);
void state_mem_abort(state_txn *txn);
base_rc state_mem_table_create(state_txn *txn, const char *name, state_slot *slot, base_error *err);
base_rc state_mem_table_drop(state_txn *txn, const state_slot *slot, base_error *err);
base_rc state_mem_table_names(state_txn *txn, base_rc (*visit)(void *arg, const char *name),
                              void *arg, base_error *err);
base_rc state_mem_get(state_txn *txn, const state_slot *slot, base_str skey, state_row *row,
                      bool *found, base_error *err);
base_rc state_mem_put(state_txn *txn, const state_slot *slot, const state_put_row *put, bool append,
                      base_error *err);
base_rc state_mem_delete(state_txn *txn, const state_slot *slot, base_str skey, bool *found,
                         base_error *err);
base_rc state_mem_clear(state_txn *txn, const state_slot *slot, base_error *err);
base_rc state_mem_delete_range(state_txn *txn, const state_slot *slot, base_str from, base_str to,
                               uint64_t *deleted, base_error *err);
base_rc state_mem_cursor_open(state_cursor *cursor, base_error *err);
void state_mem_cursor_close(state_cursor *cursor);
base_rc state_mem_cursor_move(state_cursor *cursor, state_move move, base_str skey, state_row *row,
                              bool *found, base_error *err);
base_rc state_mem_size(state_txn *txn, const state_slot *slot, uint64_t *rows, uint64_t *bytes,
                       base_error *err);
base_rc state_mem_count(state_txn *txn, const state_slot *slot, uint64_t *rows, base_error *err);
void state_mem_stats(state_store *store, state_stats *stats);
base_rc state_mem_verify(state_txn *txn, base_error *err);

// Lets go of what the twin's write transaction has in its tables and a version (of a read
// transaction) has too.
void state_mem_subtract(state_txn *txn, const state_txn *version);
// The owner's number of the version that the transaction began with, and of the one that it makes
// (which it makes then even if nothing changed).
uint64_t state_mem_tag(const state_txn *txn);
void state_mem_tag_set(state_txn *txn, uint64_t tag);
uint64_t state_mem_rows(const state_txn *txn, uint64_t *bytes); // of all tables
// A table as the transaction has it; NULL: it does not have it.
const struct state_tree *state_mem_tree(const state_txn *txn, const state_slot *slot);

// --- layer.c
static inline bool state_is_twin(const state_store *store) {
    return store->lmdb == NULL;
}
// After LMDB is open and its tables have slots: puts the layer over it, with what the journal has.
base_rc state_layer_open(state_store *store, bool wanted, base_error *err);
void state_layer_close(state_store *store);
// The operations of a record of the journal, into the twin's tables of arg, a store.
base_rc state_layer_replay(void *arg, uint64_t seq, base_str redo, base_error *err);
base_rc state_layer_table_add(state_store *store, state_slot *slot, const char *name,
                              base_error *err);
base_rc state_layer_settle(state_store *store, base_error *err); // state_store_settle
base_rc state_layer_begin(state_txn *txn, base_error *err);
base_rc state_layer_begin_direct(state_txn *txn, base_error *err);
base_rc state_layer_commit(state_txn *txn, base_error *err);
base_rc state_layer_commit_direct(state_txn *txn, base_error *err);
void state_layer_abort(state_txn *txn);
base_rc state_layer_get(state_txn *txn, const state_slot *slot, base_str skey, state_row *row,
                        bool *found, base_error *err);
base_rc state_layer_put(state_txn *txn, const state_slot *slot, const state_put_row *put,
                        bool append, base_error *err);
base_rc state_layer_delete(state_txn *txn, const state_slot *slot, base_str skey, bool *found,
                           base_error *err);
base_rc state_layer_delete_range(state_txn *txn, const state_slot *slot, base_str from, base_str to,
                                 uint64_t *deleted, base_error *err);
base_rc state_layer_cursor_open(state_cursor *cursor, base_error *err);
void state_layer_cursor_close(state_cursor *cursor);
base_rc state_layer_cursor_move(state_cursor *cursor, state_move move, base_str skey,
                                state_row *row, bool *found, base_error *err);
base_rc state_layer_size(state_txn *txn, const state_slot *slot, uint64_t *rows, uint64_t *bytes,
                         base_error *err);
base_rc state_layer_count(state_txn *txn, const state_slot *slot, uint64_t *rows, base_error *err);

// --- checkpoint.c: the layer's rows go to LMDB
// All of the layer as txn, the twin's write transaction, has it, at once: LMDB is then at commit
// `seq`, and txn's layer is empty.
base_rc state_checkpoint_now(state_txn *txn, uint64_t seq, base_error *err);
void state_checkpoint_open(state_store *store);
// Ends one that has come to its end, and begins one beside the writer if it is due. txn is the
// twin's write transaction, whose record is not in the journal yet.
void state_checkpoint_drive(state_txn *txn);
// Waits for one that is under way: txn is the twin's write transaction.
void state_checkpoint_wait(state_txn *txn);
// Begins one beside the writer, once, and says whether there is something to wait for. *changed:
// the transaction is to be committed.
bool state_checkpoint_ask(state_txn *txn, bool *begun, bool *changed);
void state_checkpoint_close(state_store *store);
bool state_checkpoint_is_busy(const state_store *store); // any thread

// --- journal.c
// Opens or creates the journal of a store and gives its commits above `after`, in order, to replay:
// the bytes that were appended. used: it has been written to, so that one without any record is
// damaged. BASE_E_CORRUPT: records are missing, or damaged before others that are whole; of one
// that was cut, or damaged at its last record, that cannot be told from a crash.
base_rc state_journal_open(state_store *store, uint64_t after, bool create, bool used,
                           base_rc (*replay)(void *arg, uint64_t seq, base_str redo,
                                             base_error *err),
                           void *arg, state_journal **out, base_error *err);
void state_journal_close(state_journal *journal);
base_rc state_journal_remove(state_journal *journal, base_error *err); // and closes it
// Durable when it returns. BASE_E_FULL: there is no room left in the journal or on the disk.
base_rc state_journal_append(state_journal *journal, uint64_t seq, base_str redo, base_error *err);
// From here on the other file, if it is free.
void state_journal_switch(state_journal *journal);
// Commits up to here are in LMDB: files that hold no others are free.
void state_journal_forget(state_journal *journal, uint64_t upto);
uint64_t state_journal_bytes(const state_journal *journal); // of the file that is written now
uint64_t state_journal_replay_bytes(const state_journal *journal); // any thread

void *state_alloc(size_t bytes); // never NULL (must)

#endif
