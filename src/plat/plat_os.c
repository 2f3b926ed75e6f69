// plat_os.c - the operating system's platform (Linux, POSIX). Invariants: reads and writes go on
// after EINTR and short transfers, so callers see all, the end of file, or an error; descriptors
// are closed on exec. A failed sync is never tried again here: after it the kernel may have dropped
// the dirty pages, so only the caller can say what is still true. Entry point: plat_os().
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "base/calendar.h"
#include "base/must.h"
#include "plat/plat.h"

typedef struct os_file {
    plat_file base;
    int fd;
    char path[]; // for messages
} os_file;

#define IO_BYTES_MAX ((size_t)1 << 30) // Linux moves at most 2 GB a call

static base_rc os_open(plat *p, const char *path, int flags, plat_file **out, base_error *err) {
    int os_flags = O_CLOEXEC | O_NONBLOCK; // of a pipe, do not wait for who writes it
    bool read = (flags & PLAT_OPEN_READ) != 0, write = (flags & PLAT_OPEN_WRITE) != 0;
    must(read || write);
    // Mapping a file wants it readable, so a writer may always read.
    os_flags |= write ? O_RDWR : O_RDONLY;
    if (flags & PLAT_OPEN_CREATE) os_flags |= O_CREAT;
    if (flags & PLAT_OPEN_EXCLUSIVE) os_flags |= O_EXCL;
    if (flags & PLAT_OPEN_TRUNCATE) os_flags |= O_TRUNC;
    int fd;
    do {
        fd = open(path, os_flags, 0640);
    } while (fd < 0 && errno == EINTR);
    if (fd < 0) return base_fail_errno(err, errno, "could not open file \"%s\"", path);
    size_t n = strlen(path) + 1;
    os_file *file = malloc(sizeof *file + n);
    must(file != NULL);
    file->base.plat = p;
    file->fd = fd;
    memcpy(file->path, path, n);
    *out = &file->base;
    return BASE_OK;
}

static void os_close(plat_file *handle) {
    os_file *file = (os_file *)handle;
    close(file->fd); // what must last was synced before
    free(file);
}

static base_rc os_read_at(plat_file *handle, void *to, size_t n, uint64_t offset, size_t *got,
                          base_error *err) {
    os_file *file = (os_file *)handle;
    size_t done = 0;
    while (done < n) {
        size_t want = n - done < IO_BYTES_MAX ? n - done : IO_BYTES_MAX;
        ssize_t r = pread(file->fd, (char *)to + done, want, (off_t)(offset + done));
        if (r < 0 && errno == EINTR) continue;
        if (r < 0) {
            return base_fail_errno(err, errno, "could not read file \"%s\" at %llu", file->path,
                                   (unsigned long long)(offset + done));
        }
        if (r == 0) break;
        done += (size_t)r;
    }
    *got = done;
    return BASE_OK;
}

static base_rc os_write_at(plat_file *handle, const void *from, size_t n, uint64_t offset,
                           base_error *err) {
    os_file *file = (os_file *)handle;
    size_t done = 0;
    while (done < n) {
        size_t want = n - done < IO_BYTES_MAX ? n - done : IO_BYTES_MAX;
        ssize_t r = pwrite(file->fd, (const char *)from + done, want, (off_t)(offset + done));
        if (r < 0 && errno == EINTR) continue;
        if (r <= 0) {
            // A write that moves nothing without an error is what a full device does.
            return base_fail_errno(err, r < 0 ? errno : ENOSPC,
                                   "could not write file \"%s\" at %llu", file->path,
                                   (unsigned long long)(offset + done));
        }
        done += (size_t)r;
    }
    return BASE_OK;
}

static base_rc os_sync(plat_file *handle, base_error *err) {
    os_file *file = (os_file *)handle;
    int r;
    do {
        r = fdatasync(file->fd);
    } while (r < 0 && errno == EINTR);
    if (r < 0) return base_fail_errno(err, errno, "could not sync file \"%s\"", file->path);
    return BASE_OK;
}

static base_rc os_size(plat_file *handle, uint64_t *size, base_error *err) {
    os_file *file = (os_file *)handle;
    struct stat st;
    if (fstat(file->fd, &st) < 0) {
        return base_fail_errno(err, errno, "could not stat file \"%s\"", file->path);
    }
    *size = (uint64_t)st.st_size;
    return BASE_OK;
}

static base_rc os_truncate(plat_file *handle, uint64_t size, base_error *err) {
    os_file *file = (os_file *)handle;
    int r;
    do {
        r = ftruncate(file->fd, (off_t)size);
    } while (r < 0 && errno == EINTR);
    if (r < 0) {
        return base_fail_errno(err, errno, "could not set the size of file \"%s\" to %llu",
                               file->path, (unsigned long long)size);
    }
    return BASE_OK;
}

static base_rc os_allocate(plat_file *handle, uint64_t size, base_error *err) {
    os_file *file = (os_file *)handle;
    if (size == 0) return BASE_OK;
    // fallocate() and not posix_fallocate(): where the file system cannot, the latter writes a byte
    // into every block, which is far too slow; there the size alone is set.
    int r;
    do {
        r = fallocate(file->fd, 0, 0, (off_t)size);
    } while (r < 0 && errno == EINTR);
    if (r == 0) return BASE_OK;
    int saved_errno = errno;
    if (saved_errno != EOPNOTSUPP && saved_errno != ENOSYS) {
        return base_fail_errno(err, saved_errno, "could not reserve %llu bytes for file \"%s\"",
                               (unsigned long long)size, file->path);
    }
    uint64_t now;
    base_rc rc = os_size(handle, &now, err);
    if (rc != BASE_OK) return rc;
    return now >= size ? BASE_OK : os_truncate(handle, size, err);
}

static base_rc os_map(plat_file *handle, size_t n, const char **out, base_error *err) {
    os_file *file = (os_file *)handle;
    must(n > 0);
    void *p = mmap(NULL, n, PROT_READ, MAP_SHARED, file->fd, 0);
    if (p == MAP_FAILED) {
        return base_fail_errno(err, errno, "could not map %zu bytes of file \"%s\"", n, file->path);
    }
    *out = p;
    return BASE_OK;
}

static void os_unmap(plat *p, const char *mapped, size_t n) {
    (void)p;
    must(munmap((void *)(uintptr_t)mapped, n) == 0);
}

static base_rc os_rename(plat *p, const char *from, const char *to, base_error *err) {
    (void)p;
    if (rename(from, to) == 0) return BASE_OK;
    return base_fail_errno(err, errno, "could not rename \"%s\" to \"%s\"", from, to);
}

static base_rc os_remove(plat *p, const char *path, base_error *err) {
    (void)p;
    if (unlink(path) == 0) return BASE_OK;
    return base_fail_errno(err, errno, "could not remove file \"%s\"", path);
}

static base_rc os_remove_dir(plat *p, const char *path, base_error *err) {
    (void)p;
    if (rmdir(path) == 0) return BASE_OK;
    return base_fail_errno(err, errno, "could not remove directory \"%s\"", path);
}

static base_rc make_one_dir(const char *path, base_error *err) {
    if (mkdir(path, 0750) == 0) return BASE_OK;
    int saved_errno = errno;
    struct stat st;
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) return BASE_OK;
    return base_fail_errno(err, saved_errno, "could not make directory \"%s\"", path);
}

static base_rc os_make_dir(plat *p, const char *path, base_error *err) {
    (void)p;
    base_buf buf = {0};
    base_buf_add(&buf, path, strlen(path) + 1);
    base_rc rc = BASE_OK;
    for (char *at = buf.p + 1; rc == BASE_OK && buf.n > 1 && *at != '\0'; at++) {
        if (*at != '/') continue;
        *at = '\0';
        rc = make_one_dir(buf.p, err);
        *at = '/';
    }
    if (rc == BASE_OK) rc = make_one_dir(path, err);
    base_buf_deinit(&buf);
    return rc;
}

static base_rc os_sync_dir(plat *p, const char *path, base_error *err) {
    (void)p;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return base_fail_errno(err, errno, "could not open directory \"%s\"", path);
    int r;
    do {
        r = fsync(fd);
    } while (r < 0 && errno == EINTR);
    int saved_errno = errno;
    close(fd);
    // Some file systems have no sync for directories and say EINVAL.
    if (r < 0 && saved_errno != EINVAL) {
        return base_fail_errno(err, saved_errno, "could not sync directory \"%s\"", path);
    }
    return BASE_OK;
}

typedef struct os_entry {
    char *name;
    bool is_dir;
} os_entry;

static int entry_cmp(const void *a, const void *b) {
    return strcmp(((const os_entry *)a)->name, ((const os_entry *)b)->name);
}

static bool entry_is_dir(DIR *dir, const struct dirent *entry) {
    if (entry->d_type != DT_UNKNOWN) return entry->d_type == DT_DIR;
    struct stat st;
    return fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

static base_rc os_list_dir(plat *p, const char *path,
                           base_rc (*visit)(void *arg, const plat_dir_entry *entry), void *arg,
                           base_error *err) {
    (void)p;
    DIR *dir = opendir(path);
    if (dir == NULL) return base_fail_errno(err, errno, "could not open directory \"%s\"", path);
    base_buf entries = {0};
    base_rc rc = BASE_OK;
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(dir);
        if (entry == NULL) {
            if (errno != 0) {
                rc = base_fail_errno(err, errno, "could not read directory \"%s\"", path);
            }
            break;
        }
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        os_entry copy = {strdup(entry->d_name), entry_is_dir(dir, entry)};
        must(copy.name != NULL);
        base_buf_add(&entries, &copy, sizeof copy);
    }
    closedir(dir);
    os_entry *all = (os_entry *)(void *)entries.p;
    size_t count = entries.n / sizeof *all;
    if (count > 0) qsort(all, count, sizeof *all, entry_cmp);
    for (size_t i = 0; i < count; i++) {
        plat_dir_entry shown = {all[i].name, all[i].is_dir};
        if (rc == BASE_OK) rc = visit(arg, &shown);
        free(all[i].name);
    }
    base_buf_deinit(&entries);
    return rc;
}

static base_rc os_exists(plat *p, const char *path, bool *exists, bool *is_dir, base_error *err) {
    (void)p;
    struct stat st;
    *exists = false;
    if (is_dir != NULL) *is_dir = false;
    if (stat(path, &st) < 0) {
        if (errno == ENOENT || errno == ENOTDIR) return BASE_OK;
        return base_fail_errno(err, errno, "could not stat \"%s\"", path);
    }
    *exists = true;
    if (is_dir != NULL) *is_dir = S_ISDIR(st.st_mode);
    return BASE_OK;
}

static base_rc os_lock_file(plat *p, const char *path, plat_file **out, base_error *err) {
    base_rc rc = os_open(p, path, PLAT_OPEN_READ | PLAT_OPEN_WRITE | PLAT_OPEN_CREATE, out, err);
    if (rc != BASE_OK) return rc;
    os_file *file = (os_file *)*out;
    if (flock(file->fd, LOCK_EX | LOCK_NB) < 0) {
        int saved = errno;
        char holder[32] = "";
        ssize_t n = pread(file->fd, holder, sizeof holder - 1, 0);
        holder[n > 0 ? n : 0] = 0;
        holder[strcspn(holder, "\n")] = 0;
        plat_close(*out);
        *out = NULL;
        if (saved != EWOULDBLOCK)
            return base_fail_errno(err, saved, "could not lock file \"%s\"", path);
        return base_fail(err, BASE_E_BUSY, NULL, "\"%s\" is held by another process%s%s", path,
                         holder[0] != 0 ? ", number " : "", holder);
    }
    char text[32];
    int n = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    rc = os_truncate(*out, 0, err);
    if (rc == BASE_OK) rc = os_write_at(*out, text, (size_t)n, 0, err);
    if (rc != BASE_OK) {
        plat_close(*out);
        *out = NULL;
    }
    return rc;
}

static base_rc os_disk_free(plat *p, const char *path, uint64_t *bytes, base_error *err) {
    (void)p;
    struct statvfs st;
    if (statvfs(path, &st) < 0) {
        return base_fail_errno(err, errno, "could not ask the free space of \"%s\"", path);
    }
    *bytes = (uint64_t)st.f_bavail * st.f_frsize;
    return BASE_OK;
}

static int64_t os_wall_us(plat *p) {
    (void)p;
    struct timespec now;
    must(clock_gettime(CLOCK_REALTIME, &now) == 0);
    return (int64_t)now.tv_sec * BASE_US_PER_SECOND + now.tv_nsec / 1000 - BASE_UNIX_EPOCH_US;
}

static uint64_t os_monotonic_ns(plat *p) {
    (void)p;
    struct timespec now;
    must(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint64_t os_random_u64(plat *p) {
    (void)p;
    uint64_t v;
    ssize_t n;
    do {
        n = getrandom(&v, sizeof v, 0);
    } while (n < 0 && errno == EINTR);
    must(n == (ssize_t)sizeof v); // up to 256 bytes never come short
    return v;
}

plat *plat_os(void) {
    static const plat_ops ops = {
        .open = os_open,
        .close = os_close,
        .read_at = os_read_at,
        .write_at = os_write_at,
        .sync = os_sync,
        .allocate = os_allocate,
        .truncate = os_truncate,
        .size = os_size,
        .map = os_map,
        .unmap = os_unmap,
        .rename = os_rename,
        .remove = os_remove,
        .remove_dir = os_remove_dir,
        .make_dir = os_make_dir,
        .sync_dir = os_sync_dir,
        .list_dir = os_list_dir,
        .exists = os_exists,
        .disk_free = os_disk_free,
        .lock_file = os_lock_file,
        .wall_us = os_wall_us,
        .monotonic_ns = os_monotonic_ns,
        .random_u64 = os_random_u64,
    };
    static plat os = {&ops};
    return &os;
}
