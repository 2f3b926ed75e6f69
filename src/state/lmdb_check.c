// lmdb_check.c - reads data.mdb as bytes and tests it, so that LMDB, which trusts its pages, does
// not follow a damaged one out of the file.
//
// The layout is LMDB 0.9's on a little-endian 64-bit machine (lmdb.h, MDB_DATA_VERSION 1): two
// header pages, of which the one with the higher transaction number counts; B+trees of pages that
// begin with their own number. The walk holds no pointer that it has not compared with the file's
// end, goes no deeper than LMDB would, and comes to each page once. Entry points:
// state_lmdb_check_header, state_lmdb_check_pages.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "state/state_int.h"

enum {
    FILE_MAGIC = (int)0xBEEFC0DE,
    FILE_VERSION = 1,
    PAGE_HEAD_BYTES = 16,
    NODE_HEAD_BYTES = 8,
    PAGE_BYTES_MIN = 512,
    PAGE_BYTES_MAX = 32768,
    DEPTH_MAX = 32,
    PAGE_BRANCH = 1,
    PAGE_LEAF = 2,
    PAGE_OVERFLOW = 4,
    PAGE_HEADER = 8,
    PAGE_KINDS = 0x6f,    // all but the flags of pages in memory
    NODE_BIG = 1,         // the value is in overflow pages
    NODE_TABLE = 2,       // the value is a table_record
    FREE_TABLE_FLAGS = 8, // integer keys; of the first table, LMDB also keeps its own settings here
    ROW_TABLE_FLAGS = 0,
};
#define SHORT_BYTES_MAX ((uint64_t)1 << 30) // of pages at the end that were taken and never written
#define NO_PAGE         UINT64_MAX

typedef struct table_record {
    uint32_t page_bytes; // of the first table in the header
    uint16_t flags;
    uint16_t depth;
    uint64_t branch_pages, leaf_pages, overflow_pages;
    uint64_t entries;
    uint64_t root;
} table_record;
_Static_assert(sizeof(table_record) == 48, "LMDB's record of a table");

typedef struct header {
    uint32_t magic, version;
    uint64_t address, map_bytes;
    table_record free_table, root_table;
    uint64_t last_page, txn_id;
} header;
_Static_assert(sizeof(header) == 136, "LMDB's header page");

typedef struct page_head {
    uint64_t number;
    uint16_t pad, flags;
    uint16_t lower, upper; // overflow: together the number of pages
} page_head;
_Static_assert(sizeof(page_head) == PAGE_HEAD_BYTES, "LMDB's page header");

typedef struct node_head {
    uint16_t low, high, flags, key_n;
} node_head;
_Static_assert(sizeof(node_head) == NODE_HEAD_BYTES, "LMDB's node header");

typedef enum table_kind { TABLE_FREE, TABLE_ROOT, TABLE_ROWS } table_kind;

typedef struct walk {
    const char *dir;
    const char *map;
    uint64_t bytes; // of the map
    uint32_t page_bytes;
    uint64_t last_page;
    bool leaves;         // else only the pages above them
    uint64_t pages_left; // budget
    uint8_t *seen;       // a bit a page
    base_error *err;
    // of the table at hand
    table_kind kind;
    char table[STATE_NAME_BYTES_MAX + 1];
    uint32_t depth;
    uint64_t entries;
} walk;

static void data_path(char *path, size_t n, const char *dir) {
    snprintf(path, n, "%s/data.mdb", dir);
}

static base_rc damaged(walk *w, uint64_t page, const char *what) {
    if (w->table[0] == 0) {
        return state_corrupt(w->err, w->dir, "data.mdb, page %" PRIu64 ": %s", page, what);
    }
    return state_corrupt(w->err, w->dir, "data.mdb, table \"%s\", page %" PRIu64 ": %s", w->table,
                         page, what);
}

// --- the header pages

static const char *header_wrong(const header *head, const page_head *page) {
    if ((page->flags & PAGE_HEADER) == 0) return "it is not a header page";
    if (head->magic != (uint32_t)FILE_MAGIC) return "the file's mark is wrong";
    if (head->version != FILE_VERSION) return "the file's version is not known";
    uint32_t n = head->free_table.page_bytes;
    if (n < PAGE_BYTES_MIN || n > PAGE_BYTES_MAX || (n & (n - 1)) != 0)
        return "the page size is impossible";
    if (head->last_page < 1 || head->last_page > UINT64_MAX / PAGE_BYTES_MAX) {
        return "the number of pages is impossible";
    }
    return NULL;
}

static base_rc header_read(plat_file *file, const char *dir, uint64_t offset, uint64_t number,
                           header *head, base_error *err) {
    char bytes[PAGE_HEAD_BYTES + sizeof(header)];
    size_t got;
    base_rc rc = plat_read_at(file, bytes, sizeof bytes, offset, &got, err);
    if (rc != BASE_OK) return rc;
    if (got < sizeof bytes) return state_corrupt(err, dir, "data.mdb ends within its header");
    page_head page;
    memcpy(&page, bytes, sizeof page);
    memcpy(head, bytes + PAGE_HEAD_BYTES, sizeof *head);
    const char *wrong = header_wrong(head, &page);
    if (wrong == NULL) return BASE_OK;
    return state_corrupt(err, dir, "data.mdb, header page %" PRIu64 ": %s", number, wrong);
}

static base_rc headers_read(plat_file *file, const char *dir, header heads[2], base_error *err) {
    base_rc rc = header_read(file, dir, 0, 0, &heads[0], err);
    if (rc != BASE_OK) return rc;
    rc = header_read(file, dir, heads[0].free_table.page_bytes, 1, &heads[1], err);
    if (rc != BASE_OK) return rc;
    if (heads[0].free_table.page_bytes == heads[1].free_table.page_bytes) return BASE_OK;
    return state_corrupt(err, dir, "data.mdb, header page 1: the page size differs from page 0's");
}

base_rc state_lmdb_check_header(plat *plat, const char *dir, state_lmdb_file *file,
                                base_error *err) {
    char path[4096];
    data_path(path, sizeof path, dir);
    *file = (state_lmdb_file){0};
    bool is_dir = false;
    base_rc rc = plat->ops->exists(plat, path, &file->exists, &is_dir, err);
    if (rc != BASE_OK || !file->exists) return rc;
    if (is_dir) return state_corrupt(err, dir, "data.mdb is a directory");
    plat_file *data;
    rc = plat_open(plat, path, PLAT_OPEN_READ, &data, err);
    if (rc != BASE_OK) return rc;
    header heads[2];
    rc = plat_size(data, &file->bytes, err);
    if (rc == BASE_OK && file->bytes == 0) {
        file->exists = false; // LMDB begins anew, as after a crash before its first write
        plat_close(data);
        return BASE_OK;
    }
    if (rc == BASE_OK) rc = headers_read(data, dir, heads, err);
    plat_close(data);
    if (rc != BASE_OK) return rc;
    const header *head = heads[0].txn_id > heads[1].txn_id ? &heads[0] : &heads[1];
    file->page_bytes = head->free_table.page_bytes;
    file->bytes_needed = (head->last_page + 1) * file->page_bytes;
    file->is_short = file->bytes < file->bytes_needed;
    if (file->is_short && file->bytes_needed - file->bytes > SHORT_BYTES_MAX) {
        return state_corrupt(err, dir,
                             "data.mdb has %" PRIu64 " bytes, its header asks for %" PRIu64,
                             file->bytes, file->bytes_needed);
    }
    return BASE_OK;
}

bool state_lmdb_record_rows(base_str record, uint64_t *rows) {
    table_record table;
    if (record.n != sizeof table) return false;
    memcpy(&table, record.p, sizeof table);
    *rows = table.entries;
    return true;
}

base_rc state_lmdb_check_reads(plat *plat, const char *dir, base_error *err) {
    enum { CHUNK_BYTES = 1 << 20 };
    char path[4096];
    data_path(path, sizeof path, dir);
    plat_file *file;
    base_rc rc = plat_open(plat, path, PLAT_OPEN_READ, &file, err);
    if (rc != BASE_OK) return rc;
    char *chunk = state_alloc(CHUNK_BYTES);
    size_t got = CHUNK_BYTES;
    for (uint64_t at = 0; rc == BASE_OK && got == CHUNK_BYTES; at += got) {
        base_error why;
        if (plat_read_at(file, chunk, CHUNK_BYTES, at, &got, &why) != BASE_OK)
            rc = state_corrupt(err, dir, "%s (from byte %" PRIu64 ")", why.message, at);
    }
    free(chunk);
    plat_close(file);
    return rc;
}

// --- the trees

static base_rc walk_page(walk *w, uint64_t number, uint32_t level, base_str low, base_str high);

static bool page_mark(walk *w, uint64_t number) {
    uint8_t bit = (uint8_t)(1u << (number & 7));
    if ((w->seen[number >> 3] & bit) != 0) return false;
    w->seen[number >> 3] |= bit;
    return true;
}

// A page that a tree reaches: inside of the file, bearing its own number, and come to once.
static base_rc page_take(walk *w, uint64_t number, page_head *head, const char **page) {
    if (number < 2 || number > w->last_page) return damaged(w, number, "there is no such page");
    uint64_t at = number * w->page_bytes;
    if (at > w->bytes || w->page_bytes > w->bytes - at) {
        return damaged(w, number, "it is beyond the end of the file, which was cut short");
    }
    if (!page_mark(w, number)) return damaged(w, number, "it is in use twice");
    *page = w->map + at;
    memcpy(head, *page, sizeof *head);
    if (head->number != number) return damaged(w, number, "it does not bear its own number");
    return BASE_OK;
}

static base_rc overflow_take(walk *w, uint64_t number, uint64_t value_n, base_str *value) {
    page_head head;
    const char *page;
    base_rc rc = page_take(w, number, &head, &page);
    if (rc != BASE_OK) return rc;
    if ((head.flags & PAGE_KINDS) != PAGE_OVERFLOW) return damaged(w, number, "it holds no value");
    uint64_t pages = head.lower | (uint64_t)head.upper << 16;
    uint64_t needed = (PAGE_HEAD_BYTES + value_n + w->page_bytes - 1) / w->page_bytes;
    if (pages < needed || pages > w->last_page - number + 1) {
        return damaged(w, number, "its number of pages is impossible");
    }
    if ((number + needed) * w->page_bytes > w->bytes) {
        return damaged(w, number, "its value is beyond the end of the file, which was cut short");
    }
    for (uint64_t i = 1; i < pages; i++) {
        if (!page_mark(w, number + i)) return damaged(w, number + i, "it is in use twice");
    }
    *value = (base_str){page + PAGE_HEAD_BYTES, value_n};
    return BASE_OK;
}

// A list of unused pages: a count, then numbers that fall.
static base_rc free_list_check(walk *w, uint64_t page, base_str list) {
    uint64_t n;
    if (list.n < sizeof n) return damaged(w, page, "a list of unused pages is cut");
    memcpy(&n, list.p, sizeof n);
    if (n > list.n / sizeof n - 1) return damaged(w, page, "a list of unused pages is cut");
    uint64_t above = w->last_page + 1;
    for (uint64_t i = 1; i <= n; i++) {
        uint64_t number;
        memcpy(&number, list.p + i * sizeof number, sizeof number);
        if (number < 2 || number >= above)
            return damaged(w, page, "a list of unused pages is out of order");
        if (!page_mark(w, number))
            return damaged(w, number, "it is in use and on the list of unused pages");
        above = number;
    }
    return BASE_OK;
}

static base_rc walk_table(walk *w, const table_record *record);

static base_rc table_enter(walk *w, uint64_t page, base_str key, base_str value, uint16_t flags) {
    if (flags != NODE_TABLE || value.n != sizeof(table_record) || key.n > STATE_NAME_BYTES_MAX) {
        return damaged(w, page, "an entry is not a table");
    }
    walk outer = *w;
    memcpy(w->table, key.p, key.n);
    w->table[key.n] = 0;
    w->kind = TABLE_ROWS;
    table_record record;
    memcpy(&record, value.p, sizeof record);
    base_rc rc = walk_table(w, &record);
    outer.pages_left = w->pages_left;
    *w = outer;
    return rc;
}

static base_rc leaf_node(walk *w, uint64_t page, const node_head *node, base_str key,
                         const char *rest, uint64_t room) {
    uint64_t value_n = node->low | (uint64_t)node->high << 16;
    base_str value = {rest, value_n};
    if ((node->flags & NODE_BIG) != 0) {
        uint64_t number;
        if (room < sizeof number) return damaged(w, page, "a value lies outside of it");
        memcpy(&number, rest, sizeof number);
        base_rc rc = overflow_take(w, number, value_n, &value);
        if (rc != BASE_OK) return rc;
    } else if (value_n > room) {
        return damaged(w, page, "a value lies outside of it");
    }
    w->entries++;
    uint16_t flags = node->flags & (uint16_t)~NODE_BIG;
    if (w->kind == TABLE_ROOT) return table_enter(w, page, key, value, flags);
    if (flags != 0) return damaged(w, page, "an entry is not a row");
    if (w->kind == TABLE_FREE) return free_list_check(w, page, value);
    state_row row;
    if (!state_lmdb_row_split(key, value, &row))
        return damaged(w, page, "a row fails its checksum");
    return BASE_OK;
}

static bool keys_ascend(const walk *w, base_str a, base_str b) {
    if (w->kind != TABLE_FREE) return base_str_cmp(a, b) < 0;
    uint64_t x, y;
    memcpy(&x, a.p, sizeof x);
    memcpy(&y, b.p, sizeof y);
    return x < y;
}

// The node at i of a page: its head and its key, inside of the page.
static const char *node_take(const walk *w, const char *page, const page_head *head, uint32_t i,
                             node_head *node, base_str *key, const char **rest, uint64_t *room) {
    uint16_t at;
    memcpy(&at, page + PAGE_HEAD_BYTES + i * sizeof at, sizeof at);
    if (at < head->upper || at > w->page_bytes - NODE_HEAD_BYTES)
        return "an entry lies outside of it";
    memcpy(node, page + at, sizeof *node);
    uint32_t left = w->page_bytes - at - NODE_HEAD_BYTES;
    if (node->key_n > left) return "a key lies outside of it";
    *key = (base_str){page + at + NODE_HEAD_BYTES, node->key_n};
    *rest = key->p + key->n;
    *room = left - node->key_n;
    bool is_first_of_branch = (head->flags & PAGE_BRANCH) != 0 && i == 0;
    if (is_first_of_branch) return NULL; // its key is not used
    if (w->kind == TABLE_FREE && key->n != sizeof(uint64_t)) return "a key has a wrong size";
    if (key->n == 0 || key->n > STATE_SKEY_BYTES_MAX) return "a key has a wrong size";
    return NULL;
}

static base_rc walk_branch(walk *w, uint64_t number, const char *page, const page_head *head,
                           uint32_t n, uint32_t level, base_str low, base_str high) {
    base_str kid_low = low;
    uint64_t kid = NO_PAGE;
    for (uint32_t i = 0; i <= n; i++) { // a kid is entered when its upper bound is known
        node_head node = {0};
        base_str key = high;
        if (i < n) {
            const char *rest;
            uint64_t room;
            const char *wrong = node_take(w, page, head, i, &node, &key, &rest, &room);
            if (wrong != NULL) return damaged(w, number, wrong);
            if (i > 0 && kid_low.p != NULL && i > 1 && !keys_ascend(w, kid_low, key)) {
                return damaged(w, number, "its keys are out of order");
            }
            if (i > 0 && high.p != NULL && !keys_ascend(w, key, high)) {
                return damaged(w, number, "a key is above what its parent allows");
            }
            if (i > 0 && low.p != NULL && keys_ascend(w, key, low)) {
                return damaged(w, number, "a key is below what its parent allows");
            }
        }
        if (i > 0) {
            base_rc rc = walk_page(w, kid, level + 1, kid_low, key);
            if (rc != BASE_OK) return rc;
            kid_low = key;
        }
        kid = node.low | (uint64_t)node.high << 16 | (uint64_t)node.flags << 32;
    }
    return BASE_OK;
}

static base_rc walk_leaf(walk *w, uint64_t number, const char *page, const page_head *head,
                         uint32_t n, base_str low, base_str high) {
    base_str last = {0};
    for (uint32_t i = 0; i < n; i++) {
        node_head node;
        base_str key;
        const char *rest;
        uint64_t room;
        const char *wrong = node_take(w, page, head, i, &node, &key, &rest, &room);
        if (wrong != NULL) return damaged(w, number, wrong);
        if (i > 0 && !keys_ascend(w, last, key))
            return damaged(w, number, "its keys are out of order");
        if (low.p != NULL && keys_ascend(w, key, low)) {
            return damaged(w, number, "a key is below what its parent allows");
        }
        if (high.p != NULL && !keys_ascend(w, key, high)) {
            return damaged(w, number, "a key is above what its parent allows");
        }
        base_rc rc = leaf_node(w, number, &node, key, rest, room);
        if (rc != BASE_OK) return rc;
        last = key;
    }
    return BASE_OK;
}

static base_rc walk_page(walk *w, uint64_t number, uint32_t level, base_str low, base_str high) {
    bool is_leaf = level + 1 == w->depth;
    if (is_leaf && !w->leaves && w->kind == TABLE_ROWS) return BASE_OK;
    if (w->pages_left == 0) return BASE_OK;
    w->pages_left--;
    page_head head;
    const char *page;
    base_rc rc = page_take(w, number, &head, &page);
    if (rc != BASE_OK) return rc;
    if ((head.flags & PAGE_KINDS) != (is_leaf ? PAGE_LEAF : PAGE_BRANCH)) {
        return damaged(w, number, "its kind is not what its place in the tree asks for");
    }
    if (head.lower < PAGE_HEAD_BYTES || head.lower > head.upper || head.upper > w->page_bytes ||
        (head.lower & 1) != 0) {
        return damaged(w, number, "its bounds are impossible");
    }
    uint32_t n = (head.lower - PAGE_HEAD_BYTES) / 2u;
    // LMDB asserts that a branch of a table with rows has two kids.
    if (n < (is_leaf || w->kind == TABLE_FREE ? 1u : 2u))
        return damaged(w, number, "it has no entries");
    return is_leaf ? walk_leaf(w, number, page, &head, n, low, high)
                   : walk_branch(w, number, page, &head, n, level, low, high);
}

static base_rc walk_table(walk *w, const table_record *record) {
    w->depth = record->depth;
    w->entries = 0;
    if (record->flags != (w->kind == TABLE_FREE ? FREE_TABLE_FLAGS : ROW_TABLE_FLAGS)) {
        return damaged(w, 0, "a table has settings that are not ours");
    }
    if (record->root == NO_PAGE) {
        if (record->entries == 0) return BASE_OK;
        return damaged(w, 0, "a table has rows but no root");
    }
    if (record->depth == 0 || record->depth > DEPTH_MAX) {
        return damaged(w, record->root, "the depth of the tree is impossible");
    }
    base_rc rc = walk_page(w, record->root, 0, (base_str){0}, (base_str){0});
    if (rc != BASE_OK) return rc;
    bool is_whole = w->pages_left > 0 && (w->leaves || w->kind != TABLE_ROWS);
    if (is_whole && w->entries != record->entries) {
        return damaged(w, record->root, "the number of rows differs from the count of them");
    }
    return BASE_OK;
}

static base_rc walk_file(walk *w, const header *head, uint64_t pages_max) {
    w->page_bytes = head->free_table.page_bytes;
    w->last_page = head->last_page;
    w->leaves = pages_max == 0 || head->last_page < pages_max;
    w->pages_left = w->leaves ? UINT64_MAX : pages_max;
    w->seen = calloc(head->last_page / 8 + 1, 1);
    must(w->seen != NULL);
    w->kind = TABLE_ROOT;
    base_rc rc = walk_table(w, &head->root_table);
    if (rc == BASE_OK) {
        w->kind = TABLE_FREE;
        rc = walk_table(w, &head->free_table);
    }
    free(w->seen);
    return rc;
}

base_rc state_lmdb_check_pages(plat *plat, const char *dir, uint64_t txn_id, uint64_t pages_max,
                               bool *raced, base_error *err) {
    char path[4096];
    data_path(path, sizeof path, dir);
    plat_file *file;
    *raced = false;
    base_rc rc = plat_open(plat, path, PLAT_OPEN_READ, &file, err);
    if (rc != BASE_OK) return rc;
    walk w = {.dir = dir, .err = err};
    header heads[2];
    const header *head = NULL;
    rc = plat_size(file, &w.bytes, err);
    if (rc == BASE_OK) rc = headers_read(file, dir, heads, err);
    if (rc == BASE_OK) {
        for (int i = 0; i < 2; i++) {
            if (heads[i].txn_id == txn_id) head = &heads[i];
        }
        *raced = head == NULL;
    }
    if (rc == BASE_OK && head != NULL) {
        rc = plat_map(file, w.bytes, &w.map, err);
        if (rc == BASE_OK) {
            plat_guard *guard = state_lmdb_guard(dir);
            plat_guard_cover(guard, w.map, w.bytes, head->free_table.page_bytes);
            rc = walk_file(&w, head, pages_max);
            plat->ops->unmap(plat, w.map, w.bytes);
            plat_guard_destroy(guard);
        }
    }
    plat_close(file);
    return rc;
}
