// plat.h - the platform: files, clock, randomness, behind small tables of functions, so that a
// whole engine runs either on the operating system (plat_os.c) or in a simulation from a seed
// (plat_sim.c). No other code calls the operating system for these. Threads and locks: thread.h.
// Paths are plain strings with '/' and are relative to the process or absolute.
// Errors: BASE_E_IO with the errno text and the path; BASE_E_FULL (53100) for ENOSPC/EDQUOT/EFBIG;
// BASE_E_NOT_FOUND for ENOENT; BASE_E_EXISTS for EEXIST.
#ifndef WEIR_PLAT_PLAT_H
#define WEIR_PLAT_PLAT_H

#include "base/error.h"
#include "base/str.h"

typedef struct plat plat;
typedef struct plat_file plat_file;

enum {
    PLAT_OPEN_READ = 1,
    PLAT_OPEN_WRITE = 2,
    PLAT_OPEN_CREATE = 4,    // create if absent
    PLAT_OPEN_EXCLUSIVE = 8, // with CREATE: fail with BASE_E_EXISTS if present
    PLAT_OPEN_TRUNCATE = 16,
};

typedef struct plat_dir_entry {
    const char *name; // without the directory
    bool is_dir;
} plat_dir_entry;

typedef struct plat_ops {
    // Files. Offsets and sizes in bytes. read_at returns fewer bytes only at the end of file.
    base_rc (*open)(plat *plat, const char *path, int flags, plat_file **out, base_error *err);
    void (*close)(plat_file *file);
    base_rc (*read_at)(plat_file *file, void *to, size_t n, uint64_t offset, size_t *got,
                       base_error *err);
    base_rc (*write_at)(plat_file *file, const void *from, size_t n, uint64_t offset,
                        base_error *err);
    base_rc (*sync)(plat_file *file,
                    base_error *err); // fdatasync: data and the size needed to read it
    base_rc (*allocate)(plat_file *file, uint64_t size,
                        base_error *err); // reserve space, zero filled
    base_rc (*truncate)(plat_file *file, uint64_t size, base_error *err);
    base_rc (*size)(plat_file *file, uint64_t *size, base_error *err);
    // Read-only mapping of [0, n); sees later write_at calls on the same file. n may not exceed the
    // allocated size. Released by unmap, which may come after close.
    base_rc (*map)(plat_file *file, size_t n, const char **out, base_error *err);
    void (*unmap)(plat *plat, const char *mapped, size_t n);

    base_rc (*rename)(plat *plat, const char *from, const char *to, base_error *err);
    base_rc (*remove)(plat *plat, const char *path, base_error *err);     // a file
    base_rc (*remove_dir)(plat *plat, const char *path, base_error *err); // an empty directory
    base_rc (*make_dir)(plat *plat, const char *path, base_error *err); // parents too; exists is OK
    base_rc (*sync_dir)(plat *plat, const char *path, base_error *err); // makes names durable
    // Calls visit for each entry, sorted by name; a non-OK return stops and is returned. The
    // entries are read before the first call, so visit may change the directory. Links are not
    // followed.
    base_rc (*list_dir)(plat *plat, const char *path,
                        base_rc (*visit)(void *arg, const plat_dir_entry *entry), void *arg,
                        base_error *err);
    base_rc (*exists)(plat *plat, const char *path, bool *exists, bool *is_dir, base_error *err);
    base_rc (*disk_free)(plat *plat, const char *path, uint64_t *bytes, base_error *err);
    // Creates the file if need be and locks it for this process until it is closed; another holder
    // is BASE_E_BUSY, naming its process id.
    base_rc (*lock_file)(plat *plat, const char *path, plat_file **out, base_error *err);

    // Clocks. wall: microseconds since 2000-01-01 00:00:00 UTC (as base/calendar.h); it may jump.
    // monotonic: nanoseconds from an arbitrary start; never goes back.
    int64_t (*wall_us)(plat *plat);
    uint64_t (*monotonic_ns)(plat *plat);
    uint64_t (*random_u64)(plat *plat); // from the system, or from the simulation's seed
} plat_ops;

struct plat {
    const plat_ops *ops;
};
struct plat_file {
    plat *plat;
};

plat *plat_os(void); // the operating system's; one for the process, any thread

static inline base_rc plat_open(plat *p, const char *path, int flags, plat_file **out,
                                base_error *err) {
    return p->ops->open(p, path, flags, out, err);
}
static inline void plat_close(plat_file *file) {
    if (file != NULL) file->plat->ops->close(file);
}
static inline base_rc plat_read_at(plat_file *file, void *to, size_t n, uint64_t offset,
                                   size_t *got, base_error *err) {
    return file->plat->ops->read_at(file, to, n, offset, got, err);
}
static inline base_rc plat_write_at(plat_file *file, const void *from, size_t n, uint64_t offset,
                                    base_error *err) {
    return file->plat->ops->write_at(file, from, n, offset, err);
}
static inline base_rc plat_sync(plat_file *file, base_error *err) {
    return file->plat->ops->sync(file, err);
}
static inline base_rc plat_allocate(plat_file *file, uint64_t size, base_error *err) {
    return file->plat->ops->allocate(file, size, err);
}
static inline base_rc plat_truncate(plat_file *file, uint64_t size, base_error *err) {
    return file->plat->ops->truncate(file, size, err);
}
static inline base_rc plat_size(plat_file *file, uint64_t *size, base_error *err) {
    return file->plat->ops->size(file, size, err);
}
static inline base_rc plat_map(plat_file *file, size_t n, const char **out, base_error *err) {
    return file->plat->ops->map(file, n, out, err);
}
static inline base_rc plat_lock_file(plat *p, const char *path, plat_file **out, base_error *err) {
    return p->ops->lock_file(p, path, out, err);
}
static inline int64_t plat_wall_us(plat *p) {
    return p->ops->wall_us(p);
}
static inline uint64_t plat_monotonic_ns(plat *p) {
    return p->ops->monotonic_ns(p);
}

// Helpers over the table (plat.c).
// Whole file into buf (appended); more than limit bytes is BASE_E_LIMIT.
BASE_MUST_USE base_rc plat_read_file(plat *p, const char *path, size_t limit, base_buf *buf,
                                     base_error *err);
// Atomically replaces a file: temporary, sync, rename, sync of the directory.
BASE_MUST_USE base_rc plat_replace_file(plat *p, const char *path, base_str content,
                                        base_error *err);
BASE_MUST_USE base_rc plat_remove_tree(plat *p, const char *path, base_error *err);

#endif
