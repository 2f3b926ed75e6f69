// tree_int.h - the twin's table: a copy-on-write B+tree of rows, so that a root, once committed,
// never changes and a reader may walk it without a lock.
//
// Each node and row bears the write transaction that made it. A writer changes in place what bears
// its own number and copies the rest; what it takes out of the tree is freed at once if its own,
// else goes to the garbage of its edit, to be freed when no older root is read any more. Threads:
// one writer a tree; readers of committed roots at will.
#ifndef WEIR_STATE_TREE_INT_H
#define WEIR_STATE_TREE_INT_H

#include "state/state_int.h"

enum { STATE_TREE_FANOUT = 64, STATE_TREE_DEPTH_MAX = 16 };

typedef struct state_tree_row {
    uint64_t txn;
    uint32_t value_n;
    uint32_t whole_n; // 0: the key is the skey
    uint32_t skey_n;
    bool gone;    // a mark that the row is not there, over whatever lies below (layer.c)
    char bytes[]; // skey, whole key, value
} state_tree_row;

typedef struct state_tree_node {
    uint64_t txn;
    uint32_t n;
    bool is_leaf;
    uint64_t heads[STATE_TREE_FANOUT];       // first 8 bytes of each key, big-endian, zero padded
    state_tree_row *keys[STATE_TREE_FANOUT]; // leaf: the rows; inner: separators, [0] is NULL
    struct state_tree_node *kids[];          // inner only
} state_tree_node;

typedef struct state_tree {
    state_tree_node *root; // NULL: empty
    uint64_t rows;
    uint64_t bytes; // of keys and values
} state_tree;

typedef struct state_tree_garbage {
    void **items;
    size_t n, cap;
} state_tree_garbage;

typedef struct state_tree_edit {
    uint64_t txn;
    state_tree_garbage *garbage;
} state_tree_edit;

typedef struct state_tree_path {
    uint32_t depth; // number of steps; 0: at no row
    struct {
        const state_tree_node *node;
        uint32_t i;
    } steps[STATE_TREE_DEPTH_MAX];
} state_tree_path;

const state_tree_row *state_tree_find(const state_tree *tree, base_str skey);
void state_tree_put(state_tree *tree, const state_tree_edit *edit, const state_put_row *put);
bool state_tree_delete(state_tree *tree, const state_tree_edit *edit, base_str skey);
void state_tree_clear(state_tree *tree, const state_tree_edit *edit);
// Rows that were made up to a transaction go; the others stay.
void state_tree_subtract(state_tree *tree, const state_tree_edit *edit, uint64_t upto_txn);
// Frees what the transaction made, reachable from a root that was not committed.
void state_tree_discard(state_tree *tree, uint64_t txn);
void state_tree_destroy(state_tree *tree); // frees all; nobody else may hold a root

const state_tree_row *state_tree_first(const state_tree *tree, state_tree_path *path);
const state_tree_row *state_tree_last(const state_tree *tree, state_tree_path *path);
const state_tree_row *state_tree_seek(const state_tree *tree, state_tree_path *path, base_str skey);
const state_tree_row *state_tree_next(state_tree_path *path);
const state_tree_row *state_tree_prev(state_tree_path *path);

static inline base_str state_tree_row_skey(const state_tree_row *row) {
    return (base_str){row->bytes, row->skey_n};
}
// NULL, or what is wrong with the tree.
const char *state_tree_verify(const state_tree *tree);

#endif
