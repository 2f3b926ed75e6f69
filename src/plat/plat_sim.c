// plat_sim.c - see sim.h. The disk is a tree of nodes. A file node has two images: live (what calls
// see) and durable (what a crash goes back to); a directory node has two maps of names likewise.
// Changes of names wait in one list, in order, until sync_dir or a crash decides on them.
// Invariants:
// - live bytes past size and durable bytes past durable_size are zero;
// - outside [dirty_from, dirty_to) a crash finds the durable bytes;
// - a buffer that is mapped is never freed or moved: a file that must grow gets a new one, and
// writes go
//   to all of its buffers;
// - nodes are freed only by collect(), which keeps what the tree, the list, handles and maps reach.
// Entry points: plat_sim_create(), plat_sim_crash().
#include "plat/sim.h"

#include <errno.h>
#include <stdlib.h>

#include "base/calendar.h"
#include "base/map.h"
#include "base/must.h"
#include "base/random.h"

#define SECTOR_BYTES   512
#define FILE_BYTES_MAX (1ull << 32)
#define NAME_MAX_BYTES 255
#define START_DAYS     9132 // 2025-01-01

typedef struct sim_node sim_node;

// Contents of a file; the node's newest buffer is its live image.
typedef struct sim_buffer {
    struct sim_buffer *next; // in sim->mapped
    char *bytes;
    size_t cap;
    uint32_t maps;
    sim_node *node; // NULL once its contents no longer follow a file (a crash, the file's end)
} sim_buffer;

struct sim_node {
    sim_node *next; // in sim->nodes
    bool is_dir, marked;
    bool linked;  // has a name in the live tree
    bool counted; // its size is in sim->used
    uint32_t handles;
    base_map *live_names, *durable_names; // directories: name -> sim_node
    sim_buffer *live;                     // files; NULL while nothing was stored
    uint64_t size, durable_size;
    char *durable;
    size_t durable_cap;
    uint64_t dirty_from, dirty_to; // bytes that sync would write
};

typedef struct sim_file {
    plat_file base;
    struct sim_file *next; // in sim->files
    sim_node *node;
    uint64_t generation; // stale if not the simulation's
    bool writable;
    char path[];
} sim_file;

// One change of names that is not durable yet: unlink (to is NULL), link (from is NULL) or rename.
typedef struct sim_change {
    sim_node *from, *to;
    char *from_name, *to_name;
    sim_node *node;
} sim_change;

struct plat_sim {
    plat base;
    base_random values, faults, crashes; // separate, so that one does not move the others
    int64_t wall_us;
    uint64_t monotonic_ns;
    uint64_t generation;
    uint64_t calls, fail_at; // fail_at counts down
    uint64_t dead_from;      // number of the first call that finds the machine gone; 0: none
    uint32_t fault_per_million;
    uint64_t capacity, used;
    sim_node *root, *nodes;
    size_t node_count, collect_at;
    sim_buffer *mapped; // every buffer with maps that is no node's live one
    sim_file *files;
    sim_change *changes;
    size_t change_count, change_cap;
};

static plat_sim *sim_of(plat *p) {
    return (plat_sim *)p;
}

static void *allocate(size_t n) {
    void *p = calloc(1, n);
    must(p != NULL);
    return p;
}

// ---------------------------------------------------------------------------------------------------
// Nodes

static sim_node *add_node(plat_sim *sim, bool is_dir) {
    sim_node *node = allocate(sizeof *node);
    node->is_dir = is_dir;
    node->counted = !is_dir;
    if (is_dir) {
        node->live_names = base_map_create();
        node->durable_names = base_map_create();
    }
    node->next = sim->nodes;
    sim->nodes = node;
    sim->node_count++;
    return node;
}

static void free_buffer(sim_buffer *buffer) {
    free(buffer->bytes);
    free(buffer);
}

// A node's live buffer leaves it: freed, or kept for its maps.
static void release_buffer(plat_sim *sim, sim_node *node, bool follows) {
    sim_buffer *buffer = node->live;
    node->live = NULL;
    if (buffer == NULL) return;
    if (buffer->maps == 0) {
        free_buffer(buffer);
        return;
    }
    if (!follows) buffer->node = NULL;
    buffer->next = sim->mapped;
    sim->mapped = buffer;
}

static void free_node(plat_sim *sim, sim_node *node) {
    if (node->is_dir) {
        base_map_destroy(node->live_names);
        base_map_destroy(node->durable_names);
    }
    release_buffer(sim, node, false);
    free(node->durable);
    free(node);
}

static void mark(sim_node *node);

static void mark_names(const base_map *names) {
    void *child;
    for (size_t i = 0; base_map_at(names, &i, NULL, &child);) mark(child);
}

static void mark(sim_node *node) {
    if (node == NULL || node->marked) return;
    node->marked = true;
    if (!node->is_dir) return;
    mark_names(node->live_names);
    mark_names(node->durable_names);
}

static void collect(plat_sim *sim) {
    mark(sim->root);
    for (sim_file *file = sim->files; file != NULL; file = file->next) mark(file->node);
    for (sim_buffer *buffer = sim->mapped; buffer != NULL; buffer = buffer->next)
        mark(buffer->node);
    for (size_t i = 0; i < sim->change_count; i++) {
        mark(sim->changes[i].from);
        mark(sim->changes[i].to);
        mark(sim->changes[i].node);
    }
    sim_node **at = &sim->nodes;
    while (*at != NULL) {
        sim_node *node = *at;
        // A file that is mapped but otherwise gone gives its buffer to the list.
        if (node->marked) {
            node->marked = false;
            at = &node->next;
        } else {
            *at = node->next;
            free_node(sim, node);
            sim->node_count--;
        }
    }
    sim->collect_at = sim->node_count * 2 + 64;
}

// Space is given back when the last name and the last handle are gone.
static void settle_space(plat_sim *sim, sim_node *node) {
    if (!node->counted || node->linked || node->handles > 0) return;
    sim->used -= node->size; // the bytes stay: a crash may undo the removal
    node->counted = false;
}

static base_rc grow_live(plat_sim *sim, sim_node *node, uint64_t size) {
    uint64_t cap = node->live == NULL ? 0 : node->live->cap;
    if (size <= cap) return BASE_OK;
    if (cap != 0 && size < cap + cap / 2) size = cap + cap / 2;
    if (size < 4096) size = 4096;
    sim_buffer *buffer = allocate(sizeof *buffer);
    buffer->bytes = allocate(size);
    buffer->cap = size;
    buffer->node = node;
    if (node->live != NULL) memcpy(buffer->bytes, node->live->bytes, cap);
    release_buffer(sim, node, true);
    node->live = buffer;
    return BASE_OK;
}

// Writes into the live image and every mapped buffer that follows it.
static void write_live(plat_sim *sim, sim_node *node, const void *from, size_t n, uint64_t offset) {
    if (n == 0) return;
    memcpy(node->live->bytes + offset, from, n);
    for (sim_buffer *buffer = sim->mapped; buffer != NULL; buffer = buffer->next) {
        if (buffer->node != node || offset >= buffer->cap) continue;
        size_t room = buffer->cap - offset;
        memcpy(buffer->bytes + offset, from, n < room ? n : room);
    }
    if (node->dirty_from == node->dirty_to) {
        node->dirty_from = offset;
        node->dirty_to = offset + n;
    } else {
        if (offset < node->dirty_from) node->dirty_from = offset;
        if (offset + n > node->dirty_to) node->dirty_to = offset + n;
    }
}

// Room for size bytes in all, counted against the disk; the new bytes are zero.
static base_rc set_size(plat_sim *sim, sim_node *node, uint64_t size, const char *path,
                        base_error *err) {
    if (size > node->size) {
        uint64_t more = size - node->size;
        if (size > FILE_BYTES_MAX) return base_fail_errno(err, EFBIG, "file \"%s\"", path);
        if (sim->used > sim->capacity || sim->capacity - sim->used < more) {
            return base_fail_errno(err, ENOSPC, "could not write file \"%s\"", path);
        }
        base_rc rc = grow_live(sim, node, size);
        if (rc != BASE_OK) return rc;
        sim->used += more;
    } else if (size < node->size) {
        static const char zeros[4096];
        for (uint64_t at = size; at < node->size; at += sizeof zeros) {
            uint64_t n = node->size - at;
            write_live(sim, node, zeros, n < sizeof zeros ? n : sizeof zeros, at);
        }
        sim->used -= node->size - size;
    }
    node->size = size;
    return BASE_OK;
}

static void grow_durable(sim_node *node, uint64_t size) {
    if (size <= node->durable_cap) return;
    uint64_t cap = node->durable_cap + node->durable_cap / 2;
    if (cap < size) cap = size;
    char *bytes = allocate(cap);
    if (node->durable != NULL) memcpy(bytes, node->durable, node->durable_cap);
    free(node->durable);
    node->durable = bytes;
    node->durable_cap = cap;
}

static void make_durable(sim_node *node) {
    grow_durable(node, node->size);
    uint64_t to = node->dirty_to < node->size ? node->dirty_to : node->size;
    if (node->dirty_from < to) {
        memcpy(node->durable + node->dirty_from, node->live->bytes + node->dirty_from,
               to - node->dirty_from);
    }
    if (node->size < node->durable_size) {
        memset(node->durable + node->size, 0, node->durable_size - node->size);
    }
    node->durable_size = node->size;
    node->dirty_from = node->dirty_to = 0;
}

// ---------------------------------------------------------------------------------------------------
// Faults

typedef enum fault_kind {
    FAULT_IO,
    FAULT_SPACE, // a call that may also fail for want of space
} fault_kind;

// Counts a call that can fail, and fails it if that is its turn.
static base_rc enter(plat_sim *sim, fault_kind kind, const char *what, const char *path,
                     base_error *err) {
    sim->calls++;
    int error = 0;
    if (sim->fail_at > 0 && --sim->fail_at == 0) error = EIO;
    if (plat_sim_is_dead(sim)) error = EIO;
    if (error == 0 && sim->fault_per_million > 0 &&
        base_random_below(&sim->faults, 1000000) < sim->fault_per_million) {
        bool full = kind == FAULT_SPACE && base_random_below(&sim->faults, 2) == 0;
        error = full ? ENOSPC : EIO;
    }
    if (error == 0) return BASE_OK;
    return base_fail_errno(err, error, "could not %s \"%s\" (simulated)", what, path);
}

static base_rc enter_file(plat_file *handle, fault_kind kind, const char *what, base_error *err) {
    sim_file *file = (sim_file *)handle;
    plat_sim *sim = sim_of(handle->plat);
    if (file->generation != sim->generation) {
        sim->calls++;
        return base_fail_errno(err, EIO, "could not %s \"%s\": opened before the crash", what,
                               file->path);
    }
    return enter(sim, kind, what, file->path, err);
}

// ---------------------------------------------------------------------------------------------------
// Paths

// Takes the next part of a path; n is 0 at its end. Empty parts and "." stand for nothing.
static base_str next_part(const char **path) {
    for (;;) {
        while (**path == '/') (*path)++;
        const char *from = *path;
        while (**path != '\0' && **path != '/') (*path)++;
        base_str part = {from, (size_t)(*path - from)};
        if (!base_str_eq(part, BASE_STR("."))) return part;
    }
}

static base_rc fail_path(int error, const char *path, base_error *err) {
    return base_fail_errno(err, error, "could not find \"%s\"", path);
}

// The directory that holds (or would hold) the last part of path, which goes to *name; the root
// itself has an empty name.
static base_rc find_parent(plat_sim *sim, const char *path, sim_node **parent, base_str *name,
                           base_error *err) {
    sim_node *dir = sim->root;
    const char *at = path;
    base_str part = next_part(&at);
    for (;;) {
        if (part.n > NAME_MAX_BYTES || base_str_eq(part, BASE_STR(".."))) {
            return fail_path(part.n > NAME_MAX_BYTES ? ENAMETOOLONG : EINVAL, path, err);
        }
        base_str after = next_part(&at);
        if (after.n == 0) break;
        sim_node *child = base_map_get(dir->live_names, part);
        if (child == NULL) return fail_path(ENOENT, path, err);
        if (!child->is_dir) return fail_path(ENOTDIR, path, err);
        dir = child;
        part = after;
    }
    *parent = dir;
    *name = part;
    return BASE_OK;
}

// *node is NULL if the last part is absent.
static base_rc find_node(plat_sim *sim, const char *path, sim_node **node, sim_node **parent,
                         base_str *name, base_error *err) {
    base_rc rc = find_parent(sim, path, parent, name, err);
    if (rc != BASE_OK) return rc;
    *node = name->n == 0 ? sim->root : base_map_get((*parent)->live_names, *name);
    return BASE_OK;
}

static base_rc find_dir(plat_sim *sim, const char *path, sim_node **dir, base_error *err) {
    sim_node *parent;
    base_str name;
    base_rc rc = find_node(sim, path, dir, &parent, &name, err);
    if (rc != BASE_OK) return rc;
    if (*dir == NULL) return fail_path(ENOENT, path, err);
    return (*dir)->is_dir ? BASE_OK : fail_path(ENOTDIR, path, err);
}

static char *name_copy(base_str name) {
    char *copy = allocate(name.n + 1);
    memcpy(copy, name.p, name.n);
    return copy;
}

static void add_change(plat_sim *sim, sim_change change) {
    if (sim->change_count == sim->change_cap) {
        sim->change_cap = sim->change_cap == 0 ? 16 : sim->change_cap * 2;
        sim->changes = realloc(sim->changes, sim->change_cap * sizeof *sim->changes);
        must(sim->changes != NULL);
    }
    sim->changes[sim->change_count++] = change;
}

static void free_change(sim_change *change) {
    free(change->from_name);
    free(change->to_name);
}

static void apply_change(const sim_change *change) {
    if (change->from != NULL) {
        base_str name = base_str_of(change->from_name);
        // Not if another change to the name became durable before this one.
        if (base_map_get(change->from->durable_names, name) == change->node) {
            base_map_remove(change->from->durable_names, name);
        }
    }
    if (change->to != NULL) {
        base_map_put(change->to->durable_names, base_str_of(change->to_name), change->node);
    }
}

static void link_node(plat_sim *sim, sim_node *dir, base_str name, sim_node *node) {
    base_map_put(dir->live_names, name, node);
    node->linked = true;
    add_change(sim, (sim_change){.to = dir, .to_name = name_copy(name), .node = node});
}

static void unlink_node(plat_sim *sim, sim_node *dir, base_str name, sim_node *node) {
    base_map_remove(dir->live_names, name);
    node->linked = false;
    add_change(sim, (sim_change){.from = dir, .from_name = name_copy(name), .node = node});
    settle_space(sim, node);
    if (sim->node_count >= sim->collect_at) collect(sim);
}

// ---------------------------------------------------------------------------------------------------
// Files

static base_rc sim_open(plat *p, const char *path, int flags, plat_file **out, base_error *err) {
    plat_sim *sim = sim_of(p);
    must((flags & (PLAT_OPEN_READ | PLAT_OPEN_WRITE)) != 0);
    bool create = (flags & PLAT_OPEN_CREATE) != 0;
    base_rc rc = enter(sim, create ? FAULT_SPACE : FAULT_IO, "open file", path, err);
    if (rc != BASE_OK) return rc;
    sim_node *node, *parent;
    base_str name;
    rc = find_node(sim, path, &node, &parent, &name, err);
    if (rc != BASE_OK) return rc;
    if (node == NULL && !create) {
        return base_fail_errno(err, ENOENT, "could not open file \"%s\"", path);
    }
    if (node != NULL && create && (flags & PLAT_OPEN_EXCLUSIVE) != 0) {
        return base_fail_errno(err, EEXIST, "could not open file \"%s\"", path);
    }
    if (node != NULL && node->is_dir) {
        return base_fail_errno(err, EISDIR, "could not open file \"%s\"", path);
    }
    if (node == NULL) {
        node = add_node(sim, false);
        link_node(sim, parent, name, node);
    } else if ((flags & PLAT_OPEN_TRUNCATE) != 0) {
        rc = set_size(sim, node, 0, path, err);
        must(rc == BASE_OK);
    }
    size_t n = strlen(path) + 1;
    sim_file *file = allocate(sizeof *file + n);
    file->base.plat = p;
    file->node = node;
    file->generation = sim->generation;
    file->writable = (flags & PLAT_OPEN_WRITE) != 0;
    memcpy(file->path, path, n);
    file->next = sim->files;
    sim->files = file;
    node->handles++;
    *out = &file->base;
    return BASE_OK;
}

static void sim_close(plat_file *handle) {
    sim_file *file = (sim_file *)handle;
    plat_sim *sim = sim_of(handle->plat);
    sim_file **at = &sim->files;
    while (*at != file) at = &(*at)->next;
    *at = file->next;
    if (file->generation == sim->generation) {
        file->node->handles--;
        settle_space(sim, file->node);
    }
    free(file);
}

static base_rc sim_read_at(plat_file *handle, void *to, size_t n, uint64_t offset, size_t *got,
                           base_error *err) {
    base_rc rc = enter_file(handle, FAULT_IO, "read file", err);
    if (rc != BASE_OK) return rc;
    const sim_node *node = ((sim_file *)handle)->node;
    *got = 0;
    if (offset >= node->size) return BASE_OK;
    if (n > node->size - offset) n = node->size - offset;
    if (n > 0) memcpy(to, node->live->bytes + offset, n);
    *got = n;
    return BASE_OK;
}

static base_rc check_writable(const sim_file *file, base_error *err) {
    if (file->writable) return BASE_OK;
    return base_fail_errno(err, EBADF, "could not write file \"%s\"", file->path);
}

static base_rc sim_write_at(plat_file *handle, const void *from, size_t n, uint64_t offset,
                            base_error *err) {
    sim_file *file = (sim_file *)handle;
    plat_sim *sim = sim_of(handle->plat);
    sim_node *node = file->node;
    base_rc rc = check_writable(file, err);
    if (rc != BASE_OK) return rc;
    base_rc fault = enter_file(handle, FAULT_SPACE, "write file", err);
    if (file->generation != sim->generation) return fault;
    // A write that fails may have written its beginning.
    if (fault != BASE_OK && n > 0) n = base_random_below(&sim->faults, n);
    if (n > FILE_BYTES_MAX || offset > FILE_BYTES_MAX) {
        return base_fail_errno(err, EFBIG, "could not write file \"%s\"", file->path);
    }
    if (n > 0 && offset + n > node->size) {
        rc = set_size(sim, node, offset + n, file->path, fault == BASE_OK ? err : NULL);
        if (rc != BASE_OK) return fault == BASE_OK ? rc : fault;
    }
    write_live(sim, node, from, n, offset);
    return fault;
}

static base_rc sim_sync(plat_file *handle, base_error *err) {
    sim_file *file = (sim_file *)handle;
    plat_sim *sim = sim_of(handle->plat);
    base_rc rc = enter_file(handle, FAULT_SPACE, "sync file", err);
    if (file->generation != sim->generation) return rc;
    if (rc != BASE_OK) {
        // As on Linux: what could not be written counts as clean, and no later sync brings it back.
        file->node->dirty_from = file->node->dirty_to = 0;
        return rc;
    }
    make_durable(file->node);
    return BASE_OK;
}

static base_rc sim_allocate(plat_file *handle, uint64_t size, base_error *err) {
    sim_file *file = (sim_file *)handle;
    base_rc rc = check_writable(file, err);
    if (rc == BASE_OK) rc = enter_file(handle, FAULT_SPACE, "reserve space for file", err);
    if (rc != BASE_OK || size <= file->node->size) return rc;
    return set_size(sim_of(handle->plat), file->node, size, file->path, err);
}

static base_rc sim_truncate(plat_file *handle, uint64_t size, base_error *err) {
    sim_file *file = (sim_file *)handle;
    base_rc rc = check_writable(file, err);
    if (rc == BASE_OK) rc = enter_file(handle, FAULT_IO, "set the size of file", err);
    if (rc != BASE_OK) return rc;
    return set_size(sim_of(handle->plat), file->node, size, file->path, err);
}

static base_rc sim_size(plat_file *handle, uint64_t *size, base_error *err) {
    base_rc rc = enter_file(handle, FAULT_IO, "stat file", err);
    if (rc == BASE_OK) *size = ((sim_file *)handle)->node->size;
    return rc;
}

static base_rc sim_map(plat_file *handle, size_t n, const char **out, base_error *err) {
    base_rc rc = enter_file(handle, FAULT_IO, "map file", err);
    if (rc != BASE_OK) return rc;
    sim_node *node = ((sim_file *)handle)->node;
    must(n > 0 && n <= node->size);
    node->live->maps++;
    *out = node->live->bytes;
    return BASE_OK;
}

static void sim_unmap(plat *p, const char *mapped, size_t n) {
    (void)n;
    plat_sim *sim = sim_of(p);
    for (sim_buffer **at = &sim->mapped; *at != NULL; at = &(*at)->next) {
        sim_buffer *buffer = *at;
        if (buffer->bytes != mapped) continue;
        if (--buffer->maps == 0) {
            *at = buffer->next;
            free_buffer(buffer);
        }
        return;
    }
    for (sim_node *node = sim->nodes; node != NULL; node = node->next) {
        if (node->live == NULL || node->live->bytes != mapped) continue;
        must(node->live->maps > 0);
        node->live->maps--;
        return;
    }
    must(!"unmap of what is mapped");
}

// ---------------------------------------------------------------------------------------------------
// Names

// Whether `node` is `dir` or lies under it.
static bool is_under(const sim_node *node, const sim_node *dir) {
    if (node == dir) return true;
    if (!dir->is_dir) return false;
    void *child;
    for (size_t i = 0; base_map_at(dir->live_names, &i, NULL, &child);) {
        if (is_under(node, child)) return true;
    }
    return false;
}

static base_rc sim_rename(plat *p, const char *from, const char *to, base_error *err) {
    plat_sim *sim = sim_of(p);
    base_rc rc = enter(sim, FAULT_SPACE, "rename", from, err);
    if (rc != BASE_OK) return rc;
    sim_node *node, *from_dir, *old, *to_dir;
    base_str from_name, to_name;
    rc = find_node(sim, from, &node, &from_dir, &from_name, err);
    if (rc == BASE_OK) rc = find_node(sim, to, &old, &to_dir, &to_name, err);
    if (rc != BASE_OK) return rc;
    int error = 0;
    if (node == NULL) {
        error = ENOENT;
    } else if (from_name.n == 0 || to_name.n == 0 || is_under(to_dir, node)) {
        error = EINVAL;
    } else if (old != NULL && old != node && old->is_dir != node->is_dir) {
        error = old->is_dir ? EISDIR : ENOTDIR;
    } else if (old != NULL && old != node && old->is_dir && base_map_count(old->live_names) > 0) {
        error = ENOTEMPTY;
    }
    if (error != 0) {
        return base_fail_errno(err, error, "could not rename \"%s\" to \"%s\"", from, to);
    }
    if (old == node) return BASE_OK;
    base_map_remove(from_dir->live_names, from_name);
    base_map_put(to_dir->live_names, to_name, node);
    add_change(sim, (sim_change){from_dir, to_dir, name_copy(from_name), name_copy(to_name), node});
    if (old != NULL) {
        old->linked = false;
        settle_space(sim, old);
    }
    return BASE_OK;
}

static base_rc remove_kind(plat *p, const char *path, bool dir, base_error *err) {
    plat_sim *sim = sim_of(p);
    const char *what = dir ? "remove directory" : "remove file";
    base_rc rc = enter(sim, FAULT_IO, what, path, err);
    if (rc != BASE_OK) return rc;
    sim_node *node, *parent;
    base_str name;
    rc = find_node(sim, path, &node, &parent, &name, err);
    if (rc != BASE_OK) return rc;
    int error = 0;
    if (node == NULL) {
        error = ENOENT;
    } else if (node->is_dir != dir) {
        error = dir ? ENOTDIR : EISDIR;
    } else if (dir && (name.n == 0 || base_map_count(node->live_names) > 0)) {
        error = name.n == 0 ? EBUSY : ENOTEMPTY;
    }
    if (error != 0) return base_fail_errno(err, error, "could not %s \"%s\"", what, path);
    unlink_node(sim, parent, name, node);
    return BASE_OK;
}

static base_rc sim_remove(plat *p, const char *path, base_error *err) {
    return remove_kind(p, path, false, err);
}

static base_rc sim_remove_dir(plat *p, const char *path, base_error *err) {
    return remove_kind(p, path, true, err);
}

static base_rc sim_make_dir(plat *p, const char *path, base_error *err) {
    plat_sim *sim = sim_of(p);
    base_rc rc = enter(sim, FAULT_SPACE, "make directory", path, err);
    if (rc != BASE_OK) return rc;
    sim_node *dir = sim->root;
    const char *at = path;
    for (base_str part = next_part(&at); part.n > 0; part = next_part(&at)) {
        if (part.n > NAME_MAX_BYTES || base_str_eq(part, BASE_STR(".."))) {
            return fail_path(part.n > NAME_MAX_BYTES ? ENAMETOOLONG : EINVAL, path, err);
        }
        sim_node *child = base_map_get(dir->live_names, part);
        if (child == NULL) {
            child = add_node(sim, true);
            link_node(sim, dir, part, child);
        } else if (!child->is_dir) {
            return base_fail_errno(err, EEXIST, "could not make directory \"%s\"", path);
        }
        dir = child;
    }
    return BASE_OK;
}

// Makes change `at` durable, and before it what is older about the same node: a renamed file must
// not come back under the name that it was created with. Done changes lose their node.
static void settle_change(plat_sim *sim, size_t at) {
    sim_node *node = sim->changes[at].node;
    for (size_t i = 0; i <= at; i++) {
        sim_change *change = &sim->changes[i];
        if (change->node != node) continue;
        apply_change(change);
        change->node = NULL;
    }
}

static base_rc sim_sync_dir(plat *p, const char *path, base_error *err) {
    plat_sim *sim = sim_of(p);
    base_rc rc = enter(sim, FAULT_SPACE, "sync directory", path, err);
    sim_node *dir;
    if (rc == BASE_OK) rc = find_dir(sim, path, &dir, err);
    if (rc != BASE_OK) return rc;
    for (size_t i = 0; i < sim->change_count; i++) {
        const sim_change *change = &sim->changes[i];
        if (change->node != NULL && (change->from == dir || change->to == dir))
            settle_change(sim, i);
    }
    size_t kept = 0;
    for (size_t i = 0; i < sim->change_count; i++) {
        if (sim->changes[i].node == NULL) {
            free_change(&sim->changes[i]);
        } else {
            sim->changes[kept++] = sim->changes[i];
        }
    }
    sim->change_count = kept;
    return BASE_OK;
}

typedef struct listed_entry {
    char *name;
    bool is_dir;
} listed_entry;

static int entry_cmp(const void *a, const void *b) {
    return strcmp(((const listed_entry *)a)->name, ((const listed_entry *)b)->name);
}

static base_rc sim_list_dir(plat *p, const char *path,
                            base_rc (*visit)(void *arg, const plat_dir_entry *entry), void *arg,
                            base_error *err) {
    plat_sim *sim = sim_of(p);
    base_rc rc = enter(sim, FAULT_IO, "open directory", path, err);
    sim_node *dir;
    if (rc == BASE_OK) rc = find_dir(sim, path, &dir, err);
    if (rc != BASE_OK) return rc;
    size_t count = base_map_count(dir->live_names), n = 0;
    listed_entry *all = allocate((count + 1) * sizeof *all);
    base_str name;
    void *child;
    for (size_t i = 0; base_map_at(dir->live_names, &i, &name, &child);) {
        all[n++] = (listed_entry){name_copy(name), ((sim_node *)child)->is_dir};
    }
    qsort(all, n, sizeof *all, entry_cmp);
    for (size_t i = 0; i < n; i++) {
        plat_dir_entry shown = {all[i].name, all[i].is_dir};
        if (rc == BASE_OK) rc = visit(arg, &shown);
        free(all[i].name);
    }
    free(all);
    return rc;
}

static base_rc sim_exists(plat *p, const char *path, bool *exists, bool *is_dir, base_error *err) {
    plat_sim *sim = sim_of(p);
    *exists = false;
    if (is_dir != NULL) *is_dir = false;
    base_rc rc = enter(sim, FAULT_IO, "stat", path, err);
    if (rc != BASE_OK) return rc;
    sim_node *node, *parent;
    base_str name;
    // A missing parent, or one that is a file, is absence and no error.
    if (find_node(sim, path, &node, &parent, &name, NULL) != BASE_OK) return BASE_OK;
    *exists = node != NULL;
    if (is_dir != NULL) *is_dir = node != NULL && node->is_dir;
    return BASE_OK;
}

static base_rc sim_disk_free(plat *p, const char *path, uint64_t *bytes, base_error *err) {
    plat_sim *sim = sim_of(p);
    base_rc rc = enter(sim, FAULT_IO, "ask the free space of", path, err);
    if (rc == BASE_OK) *bytes = sim->used > sim->capacity ? 0 : sim->capacity - sim->used;
    return rc;
}

// One process in a simulation: nobody else holds the lock.
static base_rc sim_lock_file(plat *p, const char *path, plat_file **out, base_error *err) {
    return sim_open(p, path, PLAT_OPEN_READ | PLAT_OPEN_WRITE | PLAT_OPEN_CREATE, out, err);
}

static int64_t sim_wall_us(plat *p) {
    return sim_of(p)->wall_us;
}

static uint64_t sim_monotonic_ns(plat *p) {
    return sim_of(p)->monotonic_ns;
}

static uint64_t sim_random_u64(plat *p) {
    return base_random_u64(&sim_of(p)->values);
}

// ---------------------------------------------------------------------------------------------------
// The crash

typedef enum crash_mode {
    CRASH_ALL_LOST,
    CRASH_ALL_KEPT,
    CRASH_MIXED,
    CRASH_MODES,
} crash_mode;

// Merges the unsynced bytes of one sector into the durable image.
static void crash_sector(plat_sim *sim, sim_node *node, uint64_t from, uint64_t to,
                         crash_mode mode) {
    uint64_t n = to - from;
    if (mode == CRASH_MIXED) {
        switch (base_random_below(&sim->crashes, 3)) {
        case 0: // lost
            return;
        case 1: { // torn: its first or its last bytes
            uint64_t cut = base_random_below(&sim->crashes, n + 1);
            if (base_random_below(&sim->crashes, 2) == 0) {
                from += cut;
                n -= cut;
            } else {
                n = cut;
            }
            break;
        }
        default:
            break;
        }
    }
    memcpy(node->durable + from, node->live->bytes + from, n);
}

static void crash_file(plat_sim *sim, sim_node *node, crash_mode mode) {
    uint64_t size = node->durable_size;
    if (node->size != node->durable_size && mode != CRASH_ALL_LOST) {
        bool kept = mode == CRASH_ALL_KEPT || base_random_below(&sim->crashes, 2) == 0;
        if (kept) size = node->size;
    }
    uint64_t top = node->size > node->durable_size ? node->size : node->durable_size;
    grow_durable(node, top);
    uint64_t end = node->dirty_to < top ? node->dirty_to : top;
    if (size > node->size && end > node->size) end = node->size; // a truncation undone
    for (uint64_t at = node->dirty_from; mode != CRASH_ALL_LOST && at < end;) {
        uint64_t next = (at / SECTOR_BYTES + 1) * SECTOR_BYTES;
        if (next > end) next = end;
        crash_sector(sim, node, at, next, mode);
        at = next;
    }
    if (node->durable_cap > size) memset(node->durable + size, 0, node->durable_cap - size);
    node->durable_size = node->size = size;
    node->dirty_from = node->dirty_to = 0;
    // Maps of the time before keep what they showed; the file goes on in a new buffer.
    release_buffer(sim, node, false);
    if (size > 0) {
        (void)grow_live(sim, node, size);
        memcpy(node->live->bytes, node->durable, size);
    }
}

// The live names become the durable ones, from dir downwards; every file is merged. In insertion
// order, which is the same for the same calls.
static void crash_dir(plat_sim *sim, sim_node *dir, crash_mode mode) {
    base_map_destroy(dir->live_names);
    dir->live_names = base_map_create();
    base_str name;
    void *value;
    for (size_t i = 0; base_map_at(dir->durable_names, &i, &name, &value);) {
        sim_node *node = value;
        base_map_put(dir->live_names, name, node);
        node->linked = true;
        if (node->is_dir) {
            crash_dir(sim, node, mode);
        } else {
            crash_file(sim, node, mode);
            node->counted = true;
            sim->used += node->size;
        }
    }
}

void plat_sim_crash(plat_sim *sim) {
    sim->generation++;
    crash_mode mode = (crash_mode)base_random_below(&sim->crashes, CRASH_MODES);
    // The journal of a file system keeps the order of changes: some of the first survive.
    size_t survive = sim->change_count;
    if (mode == CRASH_ALL_LOST) survive = 0;
    if (mode == CRASH_MIXED) survive = base_random_below(&sim->crashes, sim->change_count + 1);
    for (size_t i = 0; i < sim->change_count; i++) {
        if (i < survive) apply_change(&sim->changes[i]);
        free_change(&sim->changes[i]);
    }
    sim->change_count = 0;
    for (sim_node *node = sim->nodes; node != NULL; node = node->next) {
        node->linked = false;
        node->counted = false;
        node->handles = 0;
    }
    for (sim_buffer *buffer = sim->mapped; buffer != NULL; buffer = buffer->next) {
        buffer->node = NULL;
    }
    sim->used = 0;
    sim->root->linked = true;
    crash_dir(sim, sim->root, mode);
    collect(sim);
}

// ---------------------------------------------------------------------------------------------------
// The simulation

plat_sim *plat_sim_create(uint64_t seed) {
    static const plat_ops ops = {
        .open = sim_open,
        .close = sim_close,
        .read_at = sim_read_at,
        .write_at = sim_write_at,
        .sync = sim_sync,
        .allocate = sim_allocate,
        .truncate = sim_truncate,
        .size = sim_size,
        .map = sim_map,
        .unmap = sim_unmap,
        .rename = sim_rename,
        .remove = sim_remove,
        .remove_dir = sim_remove_dir,
        .make_dir = sim_make_dir,
        .sync_dir = sim_sync_dir,
        .list_dir = sim_list_dir,
        .exists = sim_exists,
        .disk_free = sim_disk_free,
        .lock_file = sim_lock_file,
        .wall_us = sim_wall_us,
        .monotonic_ns = sim_monotonic_ns,
        .random_u64 = sim_random_u64,
    };
    plat_sim *sim = allocate(sizeof *sim);
    sim->base.ops = &ops;
    base_random_seed(&sim->values, seed);
    base_random_seed(&sim->faults, seed ^ 0x6661756c7473ull);
    base_random_seed(&sim->crashes, seed ^ 0x63726173686573ull);
    sim->wall_us = START_DAYS * BASE_US_PER_DAY;
    sim->monotonic_ns = 1000000000;
    sim->capacity = UINT64_MAX;
    sim->root = add_node(sim, true);
    sim->root->linked = true;
    sim->collect_at = 64;
    return sim;
}

void plat_sim_destroy(plat_sim *sim) {
    if (sim == NULL) return;
    while (sim->files != NULL) { // of an owner that died in a crash without closing
        sim_file *file = sim->files;
        sim->files = file->next;
        free(file);
    }
    while (sim->nodes != NULL) {
        sim_node *node = sim->nodes;
        sim->nodes = node->next;
        free_node(sim, node);
    }
    while (sim->mapped != NULL) {
        sim_buffer *buffer = sim->mapped;
        sim->mapped = buffer->next;
        free_buffer(buffer);
    }
    for (size_t i = 0; i < sim->change_count; i++) free_change(&sim->changes[i]);
    free(sim->changes);
    free(sim);
}

plat *plat_sim_plat(plat_sim *sim) {
    return &sim->base;
}

void plat_sim_advance_us(plat_sim *sim, int64_t us) {
    must(us >= 0);
    sim->wall_us += us;
    sim->monotonic_ns += (uint64_t)us * 1000;
}

void plat_sim_jump_wall_us(plat_sim *sim, int64_t us) {
    sim->wall_us += us;
}

void plat_sim_set_disk_bytes(plat_sim *sim, uint64_t capacity) {
    sim->capacity = capacity;
}

void plat_sim_fail_from(plat_sim *sim, uint64_t n) {
    sim->dead_from = n == 0 ? 0 : sim->calls + n;
}

bool plat_sim_is_dead(const plat_sim *sim) {
    return sim->dead_from > 0 && sim->calls >= sim->dead_from;
}

void plat_sim_fail_call(plat_sim *sim, uint64_t n) {
    sim->fail_at = n;
}

void plat_sim_set_fault_rate(plat_sim *sim, uint32_t per_million) {
    sim->fault_per_million = per_million;
}

uint64_t plat_sim_call_count(const plat_sim *sim) {
    return sim->calls;
}

void plat_sim_flip_bit(plat_sim *sim, const char *path, uint64_t bit) {
    sim_node *node, *parent;
    base_str name;
    must(find_node(sim, path, &node, &parent, &name, NULL) == BASE_OK);
    must(node != NULL && !node->is_dir && bit / 8 < node->size);
    uint64_t at = bit / 8;
    char mask = (char)(1 << (bit % 8));
    node->live->bytes[at] ^= mask;
    for (sim_buffer *buffer = sim->mapped; buffer != NULL; buffer = buffer->next) {
        if (buffer->node == node && at < buffer->cap) buffer->bytes[at] ^= mask;
    }
    if (at < node->durable_size) node->durable[at] ^= mask;
}
