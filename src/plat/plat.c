// plat.c - helpers over the table of plat.h that hold for every platform.
// Entry points: plat_replace_file(), the only way to change a small file so that a crash leaves
// either the old or the new one; plat_remove_tree().
#include "plat/plat.h"

#include <stdio.h>

base_rc plat_read_file(plat *p, const char *path, size_t limit, base_buf *buf, base_error *err) {
    plat_file *file;
    base_rc rc = plat_open(p, path, PLAT_OPEN_READ, &file, err);
    if (rc != BASE_OK) return rc;
    uint64_t size = 0, offset = 0;
    size_t start = buf->n;
    rc = plat_size(file, &size, err);
    while (rc == BASE_OK) {
        if (size > limit || offset > limit) {
            rc = base_fail(err, BASE_E_LIMIT, NULL, "file \"%s\" is larger than %zu bytes", path,
                           limit);
            break;
        }
        // One byte more than expected, to notice the end (or growth) without asking again.
        size_t want = size > offset ? (size_t)(size - offset) + 1 : 4096;
        size_t got = 0;
        base_buf_reserve(buf, want);
        rc = plat_read_at(file, buf->p + buf->n, want, offset, &got, err);
        if (rc != BASE_OK) break;
        buf->n += got;
        offset += got;
        if (got < want) {
            if (offset <= limit) break; // the end of the file
            size = offset;              // it grew over the limit: fail above
        }
    }
    plat_close(file);
    if (rc != BASE_OK) buf->n = start;
    return rc;
}

// The directory of path, "." if it names none.
static void add_parent(base_buf *buf, const char *path) {
    const char *slash = strrchr(path, '/');
    if (slash == NULL) {
        base_buf_add_cstr(buf, ".");
    } else if (slash == path) {
        base_buf_add_cstr(buf, "/");
    } else {
        base_buf_add(buf, path, (size_t)(slash - path));
    }
}

base_rc plat_replace_file(plat *p, const char *path, base_str content, base_error *err) {
    base_buf temporary = {0}, parent = {0};
    base_buf_printf(&temporary, "%s.tmp", path);
    add_parent(&parent, path);
    const char *temporary_path = base_buf_cstr(&temporary);
    plat_file *file;
    base_rc rc = plat_open(p, temporary_path,
                           PLAT_OPEN_READ | PLAT_OPEN_WRITE | PLAT_OPEN_CREATE | PLAT_OPEN_TRUNCATE,
                           &file, err);
    if (rc == BASE_OK) {
        rc = plat_write_at(file, content.p, content.n, 0, err);
        if (rc == BASE_OK) rc = plat_sync(file, err);
        plat_close(file);
        if (rc == BASE_OK) rc = p->ops->rename(p, temporary_path, path, err);
        if (rc == BASE_OK) {
            rc = p->ops->sync_dir(p, base_buf_cstr(&parent), err);
        } else {
            (void)p->ops->remove(p, temporary_path, NULL); // best effort; the first error counts
        }
    }
    base_buf_deinit(&temporary);
    base_buf_deinit(&parent);
    return rc;
}

#define TREE_DEPTH_MAX 64

typedef struct tree_walk {
    plat *platform;
    const char *path;
    int depth;
    base_error *err;
} tree_walk;

static base_rc remove_tree_at(plat *p, const char *path, int depth, base_error *err);

static base_rc remove_entry(void *arg, const plat_dir_entry *entry) {
    const tree_walk *walk = arg;
    base_buf path = {0};
    base_buf_printf(&path, "%s/%s", walk->path, entry->name);
    const char *child = base_buf_cstr(&path);
    base_rc rc = entry->is_dir ? remove_tree_at(walk->platform, child, walk->depth + 1, walk->err)
                               : walk->platform->ops->remove(walk->platform, child, walk->err);
    base_buf_deinit(&path);
    return rc;
}

static base_rc remove_tree_at(plat *p, const char *path, int depth, base_error *err) {
    if (depth > TREE_DEPTH_MAX) {
        return base_fail(err, BASE_E_LIMIT, NULL, "directory \"%s\" is nested too deeply", path);
    }
    tree_walk walk = {p, path, depth, err};
    base_rc rc = p->ops->list_dir(p, path, remove_entry, &walk, err);
    if (rc != BASE_OK) return rc;
    return p->ops->remove_dir(p, path, err);
}

base_rc plat_remove_tree(plat *p, const char *path, base_error *err) {
    return remove_tree_at(p, path, 0, err);
}
