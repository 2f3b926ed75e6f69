// state.h - keyed tables with ordered keys, transactions and snapshots: LMDB on disk, or a twin in
// memory that behaves alike (for simulations, ad-hoc queries and tests).
//
// A store is one environment (a directory). One write transaction at a time, any number of snapshot
// reads, each of which sees the last commit at its begin. A commit is durable and atomic. Keys are
// bytes ordered by memcmp, 1 to STATE_KEY_BYTES_MAX; keys above 495 bytes (LMDB takes 511) are
// stored as their first 495 and a 128-bit hash with the whole key beside the value: such keys are
// found exactly, and order among those that share the prefix is by hash, not by bytes. Threads: a
// transaction and its cursors belong to one thread; a store may be used by many. Borrowed results
// (keys, values) live until the next write in, or the end of, their transaction; so what a write is
// given may not be borrowed from the same transaction (keys of a delete may). Errors: a write that
// fails for another reason than its arguments leaves the transaction unusable: later writes and the
// commit return the same error. A damaged row is BASE_E_CORRUPT when it is read; if it was a page
// of the tree, so is every later read of that transaction. One process, one open store a directory
// (LMDB's locks); other processes may open it beside.
#ifndef WEIR_STATE_STATE_H
#define WEIR_STATE_STATE_H

#include "base/arena.h"
#include "base/error.h"
#include "base/str.h"
#include "plat/plat.h"

typedef struct state_store state_store;
typedef struct state_txn state_txn; // a write transaction or a read snapshot
typedef struct state_cursor state_cursor;
typedef struct state_memory state_memory;

#define STATE_KEY_BYTES_MAX (64u << 10)
#define STATE_TABLES_MAX    4096

typedef uint32_t state_table; // handle; valid for the life of the store

#define STATE_JOURNAL_BYTES ((uint64_t)64 << 20)

typedef struct state_config {
    bool in_memory;       // the twin
    state_memory *memory; // with in_memory: where committed data lives across close; NULL: private
    uint64_t map_bytes; // limit of size; 0: 256 GiB, halved until the system grants it (twin: none)
    bool no_sync;       // commits are atomic but not durable (bench and scratch only)
    bool journal; // small commits go to a journal, a sequential write, and to LMDB many at a time
    uint64_t journal_bytes; // of the journal when its commits go to LMDB; 0: STATE_JOURNAL_BYTES
} state_config;

BASE_MUST_USE base_rc state_store_open(plat *plat, const char *dir, const state_config *config,
                                       state_store **out, base_error *err);
void state_store_close(state_store *store); // no transaction may be open

// Opens or creates a named table, outside of any transaction of this thread. Idempotent. Names have
// 1 to 255 bytes and do not begin with '!'. A snapshot older than the table reads it as empty. The
// handle of a dropped table is BASE_E_NOT_FOUND everywhere, also in older snapshots.
BASE_MUST_USE base_rc state_table_open(state_store *store, const char *name, state_table *out,
                                       base_error *err);
// Deletes the table and all its rows, in a transaction of its own. Unknown: BASE_OK.
BASE_MUST_USE base_rc state_table_drop(state_store *store, const char *name, base_error *err);
// Calls visit for each table name, sorted.
BASE_MUST_USE base_rc state_table_list(state_store *store,
                                       base_rc (*visit)(void *arg, const char *name), void *arg,
                                       base_error *err);

BASE_MUST_USE base_rc state_begin_write(state_store *store, state_txn **out, base_error *err);
// For a transaction that writes much: straight to LMDB, whatever the store does with small ones.
BASE_MUST_USE base_rc state_begin_write_large(state_store *store, state_txn **out, base_error *err);
BASE_MUST_USE base_rc state_begin_read(state_store *store, state_txn **out, base_error *err);
// Before a table is made or dropped, or a large transaction, while others write: what the journal
// has goes to LMDB beside them, so that they need not wait for it then. Waits; outside of any
// transaction of this thread. It may fail to do all of it, which then is done as ever.
BASE_MUST_USE base_rc state_store_settle(state_store *store, base_error *err);
// Tells of what is written from now on, on the writer's thread, whether or not it is committed
// then: a row of a table (to NULL), or all rows that it has in a range, [*from, *to), as in
// state_delete_range. NULL: no more. Between write transactions.
typedef void (*state_watch)(void *arg, state_table table, base_str from, const base_str *to);
void state_store_watch(state_store *store, state_watch watch, void *arg);
// Ends the transaction whatever it returns. BASE_E_FULL: disk or map full, nothing was committed.
BASE_MUST_USE base_rc state_commit(state_txn *txn, base_error *err);
void state_abort(state_txn *txn); // also ends a read

BASE_MUST_USE base_rc state_get(state_txn *txn, state_table table, base_str key, base_str *value,
                                bool *found, base_error *err);
BASE_MUST_USE base_rc state_put(state_txn *txn, state_table table, base_str key, base_str value,
                                base_error *err);
// Key must be above every key of the table, else BASE_E_EXISTS and nothing is written: the fast
// path for sequences. Long keys are put in the ordinary way.
BASE_MUST_USE base_rc state_append(state_txn *txn, state_table table, base_str key, base_str value,
                                   base_error *err);
BASE_MUST_USE base_rc state_delete(state_txn *txn, state_table table, base_str key, bool *found,
                                   base_error *err);
BASE_MUST_USE base_rc state_clear(state_txn *txn, state_table table, base_error *err);

// Batches: keys in ascending order (checked in debug; for put without equal ones); walks one cursor
// forward. A put batch that fails midway, for whatever reason, leaves the transaction unusable.
// get: values[i].p is NULL where absent (an empty value has n 0 and p not NULL).
BASE_MUST_USE base_rc state_get_batch(state_txn *txn, state_table table, size_t n,
                                      const base_str *keys, base_str *values, base_error *err);
// put: a value whose p is NULL deletes the key.
BASE_MUST_USE base_rc state_put_batch(state_txn *txn, state_table table, size_t n,
                                      const base_str *keys, const base_str *values,
                                      base_error *err);

// A cursor may stay open over writes of its transaction: it keeps its place by key and sees them.
// Before the first move, next goes to the first row and prev to the last. Past the end (or before
// the start) it stays there, and turns back with prev (next). The end of the transaction closes its
// cursors.
BASE_MUST_USE base_rc state_cursor_open(state_txn *txn, state_table table, state_cursor **out,
                                        base_error *err);
void state_cursor_close(state_cursor *cursor);
// Positions at the first key at or above `from` (empty: the first of all); *end if none.
BASE_MUST_USE base_rc state_cursor_seek(state_cursor *cursor, base_str from, base_str *key,
                                        base_str *value, bool *end, base_error *err);
BASE_MUST_USE base_rc state_cursor_next(state_cursor *cursor, base_str *key, base_str *value,
                                        bool *end, base_error *err);
BASE_MUST_USE base_rc state_cursor_last(state_cursor *cursor, base_str *key, base_str *value,
                                        bool *end, base_error *err);
BASE_MUST_USE base_rc state_cursor_prev(state_cursor *cursor, base_str *key, base_str *value,
                                        bool *end, base_error *err);
// Deletes keys in [from, to) ; to empty: to the end. Returns how many.
BASE_MUST_USE base_rc state_delete_range(state_txn *txn, state_table table, base_str from,
                                         base_str to, uint64_t *deleted, base_error *err);

typedef struct state_stats {
    uint64_t bytes_used; // pages in use, in bytes (the twin: keys and values)
    uint64_t bytes_map;
    uint64_t commits;
    uint64_t journal_bytes; // that a start would have to read, about
    bool checkpointing;     // a thread is writing to LMDB
} state_stats;
void state_store_stats(state_store *store, state_stats *stats);
BASE_MUST_USE base_rc state_table_count(state_txn *txn, state_table table, uint64_t *rows,
                                        base_error *err);
// Rows and bytes of a table, at once and about: what lies in memory over LMDB's pages counts in
// full, also where it replaces a row.
BASE_MUST_USE base_rc state_table_size(state_txn *txn, state_table table, uint64_t *rows,
                                       uint64_t *bytes, base_error *err);
// Reads every page reachable from the roots, checks key order, counts and each row's checksum;
// BASE_E_CORRUPT names the table and the page. Open does the same for stores of up to 64 MiB; of
// larger ones it reads the headers and the inner pages only.
BASE_MUST_USE base_rc state_verify(state_store *store, base_error *err);

// The twin's disk: committed tables by directory, which outlive the stores opened on it.
state_memory *state_memory_create(void);
void state_memory_destroy(state_memory *memory);
// Asked before each fallible operation of the twin (op: "begin", "get", "put", "commit", ...); what
// it returns other than BASE_OK fails the operation. For "commit" the twin asks again as
// "committed" after the data is in place: a failure there is a commit whose outcome the caller
// cannot know.
void state_memory_set_fault(state_memory *memory,
                            base_rc (*fault)(void *arg, const char *op, base_error *err),
                            void *arg);

#endif
