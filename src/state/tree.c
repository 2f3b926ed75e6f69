// tree.c - the copy-on-write B+tree of the twin. See tree_int.h for who owns what.
//
// Invariants: keys ascend within a node; the keys below kids[i] are at or above keys[i] (i > 0) and
// below keys[i + 1]; all leaves are at one depth; no node is empty; an inner root has two kids or
// more. Nodes may be sparse: two neighbours join when one falls under a quarter and both fit in
// three. Entry points: state_tree_put, state_tree_delete, state_tree_seek.
#include "state/tree_int.h"

#include <stdlib.h>

enum { ROWS_AHEAD = 8 }; // a scan's rows lie apart in memory: it asks for them early

typedef state_tree_node node;
typedef state_tree_row row;

typedef struct trail { // the owned nodes from the root to a leaf
    uint32_t depth;
    node *nodes[STATE_TREE_DEPTH_MAX];
    uint32_t at[STATE_TREE_DEPTH_MAX];
} trail;

static uint64_t key_head(base_str key) {
    uint64_t head = 0;
    if (key.n >= 8) {
        memcpy(&head, key.p, 8);
    } else if (key.n > 0) {
        memcpy(&head, key.p, key.n);
    }
    return __builtin_bswap64(head);
}

static int key_compare(uint64_t head, base_str key, const node *in, uint32_t i) {
    if (head != in->heads[i]) return head < in->heads[i] ? -1 : 1;
    const row *other = in->keys[i];
    size_t n = key.n < other->skey_n ? key.n : other->skey_n;
    int order = n == 0 ? 0 : memcmp(key.p, other->bytes, n);
    if (order != 0) return order;
    return key.n < other->skey_n ? -1 : key.n > other->skey_n;
}

// Leaf: the first key at or above; n if none.
static uint32_t leaf_lower(const node *leaf, base_str key, bool *equal) {
    uint64_t head = key_head(key);
    uint32_t low = 0, high = leaf->n;
    *equal = false;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        int order = key_compare(head, key, leaf, middle);
        if (order == 0) {
            *equal = true;
            return middle;
        }
        if (order < 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

// Inner: the kid under which the key belongs.
static uint32_t inner_child(const node *inner, base_str key) {
    uint64_t head = key_head(key);
    uint32_t low = 1, high = inner->n;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (key_compare(head, key, inner, middle) < 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low - 1;
}

static size_t node_bytes(bool is_leaf) {
    return sizeof(node) + (is_leaf ? 0 : STATE_TREE_FANOUT * sizeof(node *));
}

static node *node_create(uint64_t txn, bool is_leaf) {
    node *made = state_alloc(node_bytes(is_leaf));
    made->txn = txn;
    made->n = 0;
    made->is_leaf = is_leaf;
    return made;
}

static void drop(const state_tree_edit *edit, void *item, uint64_t item_txn) {
    if (item_txn == edit->txn) {
        free(item);
        return;
    }
    state_tree_garbage *garbage = edit->garbage;
    if (garbage->n == garbage->cap) {
        garbage->cap = garbage->cap == 0 ? 64 : garbage->cap * 2;
        garbage->items = realloc(garbage->items, garbage->cap * sizeof(void *));
        must(garbage->items != NULL);
    }
    garbage->items[garbage->n++] = item;
}

static node *own(const state_tree_edit *edit, node *of) {
    if (of->txn == edit->txn) return of;
    node *copy = node_create(edit->txn, of->is_leaf);
    copy->n = of->n;
    memcpy(copy->heads, of->heads, of->n * sizeof of->heads[0]);
    memcpy(copy->keys, of->keys, of->n * sizeof of->keys[0]);
    if (!of->is_leaf) memcpy(copy->kids, of->kids, of->n * sizeof of->kids[0]);
    drop(edit, of, of->txn);
    return copy;
}

static row *row_create(uint64_t txn, const state_put_row *put) {
    row *made = state_alloc(sizeof(row) + put->skey.n + put->whole.n + put->value.n);
    made->txn = txn;
    made->skey_n = (uint32_t)put->skey.n;
    made->whole_n = (uint32_t)put->whole.n;
    made->value_n = (uint32_t)put->value.n;
    made->gone = put->gone;
    char *to = made->bytes;
    memcpy(to, put->skey.p, put->skey.n);
    to += put->skey.n;
    if (put->whole.n > 0) memcpy(to, put->whole.p, put->whole.n);
    to += put->whole.n;
    if (put->value.n > 0) memcpy(to, put->value.p, put->value.n);
    return made;
}

static uint64_t row_bytes(const row *of) {
    return (uint64_t)of->skey_n + of->whole_n + of->value_n;
}

// The shortest key above `below` and not above `above`.
static row *separator_create(uint64_t txn, const row *below, const row *above) {
    uint32_t n = 0;
    while (n < below->skey_n && n < above->skey_n && below->bytes[n] == above->bytes[n]) n++;
    must(n < above->skey_n);
    state_put_row put = {.skey = {above->bytes, n + 1}};
    return row_create(txn, &put);
}

static void entry_insert(node *in, uint32_t at, row *key, node *kid) {
    uint32_t after = in->n - at;
    memmove(in->heads + at + 1, in->heads + at, after * sizeof in->heads[0]);
    memmove(in->keys + at + 1, in->keys + at, after * sizeof in->keys[0]);
    in->heads[at] = key == NULL ? 0 : key_head(state_tree_row_skey(key));
    in->keys[at] = key;
    if (!in->is_leaf) {
        memmove(in->kids + at + 1, in->kids + at, after * sizeof in->kids[0]);
        in->kids[at] = kid;
    }
    in->n++;
}

static void entry_remove(node *in, uint32_t at) {
    uint32_t after = in->n - at - 1;
    memmove(in->heads + at, in->heads + at + 1, after * sizeof in->heads[0]);
    memmove(in->keys + at, in->keys + at + 1, after * sizeof in->keys[0]);
    if (!in->is_leaf) memmove(in->kids + at, in->kids + at + 1, after * sizeof in->kids[0]);
    in->n--;
}

// Appends entries [from, n) of `of` to `to`.
static void entries_move(node *to, node *of, uint32_t from) {
    uint32_t count = of->n - from;
    must(to->n + count <= STATE_TREE_FANOUT);
    memcpy(to->heads + to->n, of->heads + from, count * sizeof of->heads[0]);
    memcpy(to->keys + to->n, of->keys + from, count * sizeof of->keys[0]);
    if (!of->is_leaf) memcpy(to->kids + to->n, of->kids + from, count * sizeof of->kids[0]);
    to->n += count;
    of->n = from;
}

// Inserts into a node that may be full; returns the new right neighbour, or NULL, and its
// separator.
static node *insert_split(const state_tree_edit *edit, node *in, uint32_t at, row *key, node *kid,
                          row **separator) {
    if (in->n < STATE_TREE_FANOUT) {
        entry_insert(in, at, key, kid);
        return NULL;
    }
    node *right = node_create(edit->txn, in->is_leaf);
    uint32_t middle = STATE_TREE_FANOUT / 2;
    if (at == in->n) { // ascending inserts leave full nodes behind
        entry_insert(right, 0, key, kid);
    } else {
        entries_move(right, in, middle);
        if (at <= middle) {
            entry_insert(in, at, key, kid);
        } else {
            entry_insert(right, at - middle, key, kid);
        }
    }
    if (in->is_leaf) {
        *separator = separator_create(edit->txn, in->keys[in->n - 1], right->keys[0]);
    } else {
        *separator = right->keys[0];
        right->keys[0] = NULL;
        right->heads[0] = 0;
    }
    return right;
}

// Owns the nodes on the way to the key's leaf.
static void descend(state_tree *tree, const state_tree_edit *edit, base_str key, trail *way) {
    node *at = tree->root = own(edit, tree->root);
    way->depth = 0;
    for (;;) {
        must(way->depth < STATE_TREE_DEPTH_MAX);
        way->nodes[way->depth] = at;
        if (at->is_leaf) {
            way->depth++;
            return;
        }
        uint32_t i = inner_child(at, key);
        way->at[way->depth++] = i;
        at = at->kids[i] = own(edit, at->kids[i]);
    }
}

void state_tree_put(state_tree *tree, const state_tree_edit *edit, const state_put_row *put) {
    row *made = row_create(edit->txn, put); // before anything is freed: put may point into a row
    tree->bytes += row_bytes(made);
    if (tree->root == NULL) tree->root = node_create(edit->txn, true);
    trail way;
    descend(tree, edit, state_tree_row_skey(made), &way);
    uint32_t level = way.depth - 1;
    node *leaf = way.nodes[level];
    bool equal;
    uint32_t at = leaf_lower(leaf, state_tree_row_skey(made), &equal);
    if (equal) {
        tree->bytes -= row_bytes(leaf->keys[at]);
        drop(edit, leaf->keys[at], leaf->keys[at]->txn);
        leaf->keys[at] = made;
        return;
    }
    tree->rows++;
    row *key = made;
    node *kid = NULL;
    for (;;) {
        row *separator = NULL;
        node *right = insert_split(edit, way.nodes[level], at, key, kid, &separator);
        if (right == NULL) return;
        key = separator;
        kid = right;
        if (level == 0) break;
        level--;
        at = way.at[level] + 1;
    }
    node *root = node_create(edit->txn, false);
    entry_insert(root, 0, NULL, tree->root);
    entry_insert(root, 1, key, kid);
    tree->root = root;
}

// Takes kid i out of an owned inner node; what separates its neighbours stays right.
static void kid_remove(const state_tree_edit *edit, node *in, uint32_t i) {
    uint32_t key = i == 0 ? 1 : i; // the new first kid needs no separator
    if (key < in->n) drop(edit, in->keys[key], in->keys[key]->txn);
    entry_remove(in, i);
    if (i == 0 && in->n > 0) {
        in->keys[0] = NULL;
        in->heads[0] = 0;
    }
}

// Joins kids i and i + 1 if both fit in three quarters of a node.
static bool kids_join(const state_tree_edit *edit, node *in, uint32_t i) {
    if (i + 1 >= in->n) return false;
    if (in->kids[i]->n + in->kids[i + 1]->n > STATE_TREE_FANOUT * 3 / 4) return false;
    node *left = in->kids[i] = own(edit, in->kids[i]);
    node *right = in->kids[i + 1] = own(edit, in->kids[i + 1]);
    row *separator = in->keys[i + 1];
    if (right->is_leaf) {
        drop(edit, separator, separator->txn);
    } else {
        right->keys[0] = separator;
        right->heads[0] = in->heads[i + 1];
    }
    entries_move(left, right, 0);
    free(right);
    entry_remove(in, i + 1);
    return true;
}

static void rebalance(state_tree *tree, const state_tree_edit *edit, const trail *way) {
    for (uint32_t level = way->depth - 1; level > 0; level--) {
        node *child = way->nodes[level], *parent = way->nodes[level - 1];
        uint32_t i = way->at[level - 1];
        if (child->n == 0) {
            free(child);
            kid_remove(edit, parent, i);
        } else if (child->n < STATE_TREE_FANOUT / 4) {
            if (!kids_join(edit, parent, i) && i > 0) (void)kids_join(edit, parent, i - 1);
        } else {
            break;
        }
    }
    while (tree->root != NULL) {
        node *root = tree->root;
        if (root->n == 0) {
            drop(edit, root, root->txn);
            tree->root = NULL;
        } else if (!root->is_leaf && root->n == 1) {
            tree->root = root->kids[0];
            drop(edit, root, root->txn);
        } else {
            break;
        }
    }
}

bool state_tree_delete(state_tree *tree, const state_tree_edit *edit, base_str skey) {
    if (state_tree_find(tree, skey) == NULL) return false;
    trail way;
    descend(tree, edit, skey, &way);
    node *leaf = way.nodes[way.depth - 1];
    bool equal;
    uint32_t at = leaf_lower(leaf, skey, &equal);
    must(equal);
    row *gone = leaf->keys[at];
    tree->bytes -= row_bytes(gone);
    tree->rows--;
    entry_remove(leaf, at);
    rebalance(tree, edit, &way);
    drop(edit, gone, gone->txn); // last: skey may point into it
    return true;
}

static void clear_node(const state_tree_edit *edit, node *of) {
    for (uint32_t i = 0; i < of->n; i++) {
        if (of->keys[i] != NULL) drop(edit, of->keys[i], of->keys[i]->txn);
        if (!of->is_leaf) clear_node(edit, of->kids[i]);
    }
    drop(edit, of, of->txn);
}

void state_tree_clear(state_tree *tree, const state_tree_edit *edit) {
    if (tree->root != NULL) clear_node(edit, tree->root);
    *tree = (state_tree){0};
}

static void discard_node(node *of, uint64_t txn) {
    if (of->txn != txn) return; // and so nothing below is of this transaction
    for (uint32_t i = 0; i < of->n; i++) {
        if (of->keys[i] != NULL && of->keys[i]->txn == txn) free(of->keys[i]);
        if (!of->is_leaf) discard_node(of->kids[i], txn);
    }
    free(of);
}

void state_tree_discard(state_tree *tree, uint64_t txn) {
    if (tree->root != NULL) discard_node(tree->root, txn);
    *tree = (state_tree){0};
}

static void destroy_node(node *of) {
    for (uint32_t i = 0; i < of->n; i++) {
        free(of->keys[i]);
        if (!of->is_leaf) destroy_node(of->kids[i]);
    }
    free(of);
}

void state_tree_destroy(state_tree *tree) {
    if (tree->root != NULL) destroy_node(tree->root);
    *tree = (state_tree){0};
}

const state_tree_row *state_tree_find(const state_tree *tree, base_str skey) {
    const node *at = tree->root;
    if (at == NULL) return NULL;
    while (!at->is_leaf) at = at->kids[inner_child(at, skey)];
    bool equal;
    uint32_t i = leaf_lower(at, skey, &equal);
    return equal ? at->keys[i] : NULL;
}

// Goes down from the last step of path along the first or the last kids.
static const row *path_down(state_tree_path *path, const node *at, bool to_last) {
    for (;;) {
        must(path->depth < STATE_TREE_DEPTH_MAX);
        uint32_t i = to_last ? at->n - 1 : 0;
        path->steps[path->depth].node = at;
        path->steps[path->depth++].i = i;
        if (at->is_leaf) return at->keys[i];
        at = at->kids[i];
    }
}

const state_tree_row *state_tree_first(const state_tree *tree, state_tree_path *path) {
    path->depth = 0;
    return tree->root == NULL ? NULL : path_down(path, tree->root, false);
}

const state_tree_row *state_tree_last(const state_tree *tree, state_tree_path *path) {
    path->depth = 0;
    return tree->root == NULL ? NULL : path_down(path, tree->root, true);
}

const state_tree_row *state_tree_next(state_tree_path *path) {
    uint32_t top = path->depth - 1;
    const node *leaf = path->steps[top].node;
    uint32_t i = ++path->steps[top].i;
    if (i + ROWS_AHEAD < leaf->n) __builtin_prefetch(leaf->keys[i + ROWS_AHEAD]);
    if (i < leaf->n) return leaf->keys[i];
    while (path->depth > 1) {
        path->depth--;
        uint32_t up = path->depth - 1;
        const node *inner = path->steps[up].node;
        if (++path->steps[up].i < inner->n) {
            return path_down(path, inner->kids[path->steps[up].i], false);
        }
    }
    path->depth = 0;
    return NULL;
}

const state_tree_row *state_tree_prev(state_tree_path *path) {
    uint32_t top = path->depth - 1;
    if (path->steps[top].i > 0) return path->steps[top].node->keys[--path->steps[top].i];
    while (path->depth > 1) {
        path->depth--;
        uint32_t up = path->depth - 1;
        if (path->steps[up].i > 0) {
            return path_down(path, path->steps[up].node->kids[--path->steps[up].i], true);
        }
    }
    path->depth = 0;
    return NULL;
}

const state_tree_row *state_tree_seek(const state_tree *tree, state_tree_path *path,
                                      base_str skey) {
    path->depth = 0;
    const node *at = tree->root;
    if (at == NULL) return NULL;
    while (!at->is_leaf) {
        must(path->depth < STATE_TREE_DEPTH_MAX - 1);
        uint32_t i = inner_child(at, skey);
        path->steps[path->depth].node = at;
        path->steps[path->depth++].i = i;
        at = at->kids[i];
    }
    bool equal;
    uint32_t i = leaf_lower(at, skey, &equal);
    path->steps[path->depth].node = at;
    path->steps[path->depth++].i = i;
    if (i < at->n) return at->keys[i];
    path->steps[path->depth - 1].i = at->n - 1;
    return state_tree_next(path);
}

typedef struct verify_sums {
    uint64_t rows, bytes;
    uint32_t leaf_depth;
} verify_sums;

static const char *verify_node(const node *of, uint32_t depth, base_str low, base_str high,
                               verify_sums *sums) {
    if (depth >= STATE_TREE_DEPTH_MAX) return "the tree is too deep";
    if (of->n == 0 || of->n > STATE_TREE_FANOUT)
        return "a node has an impossible number of entries";
    for (uint32_t i = of->is_leaf ? 0 : 1; i < of->n; i++) {
        base_str key = state_tree_row_skey(of->keys[i]);
        if (of->heads[i] != key_head(key)) return "a key's head differs from the key";
        if (i > (of->is_leaf ? 0u : 1u) &&
            base_str_cmp(state_tree_row_skey(of->keys[i - 1]), key) >= 0) {
            return "keys are out of order";
        }
        if (base_str_cmp(key, low) < 0) return "a key is below its node's bound";
        if (high.p != NULL && base_str_cmp(key, high) >= 0)
            return "a key is above its node's bound";
    }
    if (of->is_leaf) {
        if (sums->leaf_depth != 0 && sums->leaf_depth != depth) return "leaves at two depths";
        sums->leaf_depth = depth;
        sums->rows += of->n;
        for (uint32_t i = 0; i < of->n; i++) sums->bytes += row_bytes(of->keys[i]);
        return NULL;
    }
    for (uint32_t i = 0; i < of->n; i++) {
        base_str kid_low = i == 0 ? low : state_tree_row_skey(of->keys[i]);
        base_str kid_high = i + 1 == of->n ? high : state_tree_row_skey(of->keys[i + 1]);
        const char *wrong = verify_node(of->kids[i], depth + 1, kid_low, kid_high, sums);
        if (wrong != NULL) return wrong;
    }
    return NULL;
}

const char *state_tree_verify(const state_tree *tree) {
    verify_sums sums = {0};
    if (tree->root != NULL) {
        const char *wrong = verify_node(tree->root, 1, (base_str){0}, (base_str){0}, &sums);
        if (wrong != NULL) return wrong;
    }
    if (sums.rows != tree->rows) return "the count of rows differs from the rows";
    if (sums.bytes != tree->bytes) return "the count of bytes differs from the rows";
    return NULL;
}

void state_tree_subtract(state_tree *tree, const state_tree_edit *edit, uint64_t upto_txn) {
    state_tree kept = {0};
    state_tree_path path;
    const row *of = state_tree_first(tree, &path);
    for (; of != NULL; of = state_tree_next(&path)) {
        if (of->txn <= upto_txn) continue;
        const char *rest = of->bytes + of->skey_n;
        state_put_row put = {.skey = state_tree_row_skey(of),
                             .whole = {rest, of->whole_n},
                             .value = {rest + of->whole_n, of->value_n},
                             .gone = of->gone};
        state_tree_put(&kept, edit, &put);
    }
    state_tree_clear(tree, edit);
    *tree = kept;
}
