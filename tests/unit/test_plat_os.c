// The operating system's platform, on a temporary directory; threads, conditions, sleep.
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/calendar.h"
#include "plat/plat.h"
#include "plat/thread.h"
#include "test.h"

static base_error err;
static char root[64];

static const char *path_of(const char *name) {
    static char paths[4][128];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", root, name);
    return path;
}

TEST(files) {
    plat *p = plat_os();
    plat_file *file, *second;
    const int create = PLAT_OPEN_READ | PLAT_OPEN_WRITE | PLAT_OPEN_CREATE;
    EXPECT(plat_open(p, path_of("none"), PLAT_OPEN_READ, &file, &err) == BASE_E_NOT_FOUND);
    EXPECT(strstr(err.message, "none") != NULL);
    REQUIRE_OK(plat_open(p, path_of("a"), create | PLAT_OPEN_EXCLUSIVE, &file, &err));
    EXPECT(plat_open(p, path_of("a"), create | PLAT_OPEN_EXCLUSIVE, &second, &err) ==
           BASE_E_EXISTS);
    REQUIRE_OK(plat_allocate(file, 1 << 20, &err));
    uint64_t size = 0;
    REQUIRE_OK(plat_size(file, &size, &err));
    EXPECT_EQ_INT(size, 1 << 20);
    REQUIRE_OK(plat_allocate(file, 100, &err)); // never shrinks
    REQUIRE_OK(plat_size(file, &size, &err));
    EXPECT_EQ_INT(size, 1 << 20);
    const char *map;
    REQUIRE_OK(plat_map(file, 1 << 20, &map, &err));
    EXPECT(map[5000] == 0);
    REQUIRE_OK(plat_write_at(file, "hello", 5, 5000, &err));
    EXPECT(memcmp(map + 5000, "hello", 5) == 0);
    REQUIRE_OK(plat_sync(file, &err));
    char got[16] = "";
    size_t n = 0;
    REQUIRE_OK(plat_read_at(file, got, 10, 4998, &n, &err));
    EXPECT(n == 10 && memcmp(got, "\0\0hello\0\0\0", 10) == 0);
    REQUIRE_OK(plat_truncate(file, 5003, &err));
    REQUIRE_OK(plat_read_at(file, got, 10, 5000, &n, &err));
    EXPECT(n == 3 && memcmp(got, "hel", 3) == 0);
    REQUIRE_OK(plat_read_at(file, got, 10, 6000, &n, &err));
    EXPECT_EQ_INT(n, 0);
    plat_close(file);
    EXPECT(memcmp(map + 5000, "hel", 3) == 0); // a map outlives its file's handle
    p->ops->unmap(p, map, 1 << 20);
    REQUIRE_OK(plat_open(p, path_of("a"), PLAT_OPEN_READ, &file, &err));
    EXPECT(plat_write_at(file, "x", 1, 0, &err) == BASE_E_IO);
    EXPECT_EQ_STR(err.sqlstate, "58030");
    plat_close(file);
    REQUIRE_OK(plat_open(p, path_of("a"), PLAT_OPEN_WRITE | PLAT_OPEN_TRUNCATE, &file, &err));
    REQUIRE_OK(plat_size(file, &size, &err));
    EXPECT_EQ_INT(size, 0);
    plat_close(file);
    plat_close(NULL);
}

TEST(full_device) {
    plat *p = plat_os();
    plat_file *file;
    if (plat_open(p, "/dev/full", PLAT_OPEN_WRITE, &file, &err) != BASE_OK) return; // not on Linux
    EXPECT(plat_write_at(file, "x", 1, 0, &err) == BASE_E_FULL);
    EXPECT_EQ_STR(err.sqlstate, "53100");
    plat_close(file);
}

typedef struct listing {
    base_buf names;
    base_rc stop_with;
} listing;

static base_rc note_entry(void *arg, const plat_dir_entry *entry) {
    listing *l = arg;
    base_buf_printf(&l->names, "%s%s ", entry->name, entry->is_dir ? "/" : "");
    return l->stop_with;
}

TEST(directories) {
    plat *p = plat_os();
    bool exists, is_dir;
    REQUIRE_OK(p->ops->make_dir(p, path_of("d/e/f"), &err));
    REQUIRE_OK(p->ops->make_dir(p, path_of("d/e/f"), &err));
    REQUIRE_OK(plat_replace_file(p, path_of("d/z"), BASE_STR("one"), &err));
    REQUIRE_OK(plat_replace_file(p, path_of("d/b"), BASE_STR("two"), &err));
    REQUIRE_OK(plat_replace_file(p, path_of("d/b"), BASE_STR("three"), &err));
    EXPECT(p->ops->make_dir(p, path_of("d/b"), &err) == BASE_E_EXISTS);
    listing l = {{0}, BASE_OK};
    REQUIRE_OK(p->ops->list_dir(p, path_of("d"), note_entry, &l, &err));
    EXPECT_EQ_STR(base_buf_cstr(&l.names), "b e/ z ");
    l.stop_with = BASE_E_CANCELLED;
    base_buf_clear(&l.names);
    EXPECT(p->ops->list_dir(p, path_of("d"), note_entry, &l, &err) == BASE_E_CANCELLED);
    EXPECT_EQ_STR(base_buf_cstr(&l.names), "b ");
    base_buf_deinit(&l.names);
    base_buf text = {0};
    REQUIRE_OK(plat_read_file(p, path_of("d/b"), 5, &text, &err));
    EXPECT_EQ_STR(base_buf_cstr(&text), "three");
    EXPECT(plat_read_file(p, path_of("d/b"), 4, &text, &err) == BASE_E_LIMIT);
    EXPECT_EQ_INT(text.n, 5);
    base_buf_deinit(&text);
    REQUIRE_OK(p->ops->rename(p, path_of("d/b"), path_of("d/c"), &err));
    REQUIRE_OK(p->ops->sync_dir(p, path_of("d"), &err));
    REQUIRE_OK(p->ops->exists(p, path_of("d/b"), &exists, &is_dir, &err));
    EXPECT(!exists);
    REQUIRE_OK(p->ops->exists(p, path_of("d/c/x"), &exists, NULL, &err));
    EXPECT(!exists);
    REQUIRE_OK(p->ops->exists(p, path_of("d"), &exists, &is_dir, &err));
    EXPECT(exists && is_dir);
    EXPECT(p->ops->remove_dir(p, path_of("d"), &err) == BASE_E_IO ||
           err.code == BASE_E_EXISTS); // not empty
    EXPECT(p->ops->remove(p, path_of("d/none"), &err) == BASE_E_NOT_FOUND);
    // A link out of the tree is removed, not followed.
    REQUIRE(symlink("/", path_of("d/link")) == 0);
    REQUIRE_OK(plat_remove_tree(p, path_of("d"), &err));
    REQUIRE_OK(p->ops->exists(p, path_of("d"), &exists, &is_dir, &err));
    EXPECT(!exists);
    uint64_t bytes = 0;
    REQUIRE_OK(p->ops->disk_free(p, root, &bytes, &err));
    EXPECT(bytes > 0);
}

TEST(clocks_and_random) {
    plat *p = plat_os();
    int64_t unix_seconds = (int64_t)time(NULL);
    int64_t wall = plat_wall_us(p);
    EXPECT(llabs((wall + BASE_UNIX_EPOCH_US) / BASE_US_PER_SECOND - unix_seconds) <= 2);
    uint64_t before = plat_monotonic_ns(p);
    plat_sleep_us(3000);
    EXPECT(plat_monotonic_ns(p) - before >= 3000000);
    EXPECT(p->ops->random_u64(p) != p->ops->random_u64(p));
}

typedef struct meeting {
    plat_mutex mutex;
    plat_cond cond;
    int turns;
} meeting;

static void *take_turns(void *arg) {
    meeting *m = arg;
    plat_mutex_lock(&m->mutex);
    for (int i = 0; i < 1000; i++) {
        while (m->turns % 2 == 0) plat_cond_wait(&m->cond, &m->mutex);
        m->turns++;
        plat_cond_signal(&m->cond);
    }
    plat_mutex_unlock(&m->mutex);
    return arg;
}

TEST(threads) {
    meeting m = {.turns = 0};
    plat_mutex_init(&m.mutex);
    plat_cond_init(&m.cond);
    plat_mutex_lock(&m.mutex);
    uint64_t before = plat_monotonic_ns(plat_os());
    while (plat_cond_wait_for(&m.cond, &m.mutex, 5000)) continue; // nobody signals
    EXPECT(plat_monotonic_ns(plat_os()) - before >= 5000000);
    plat_thread thread;
    plat_thread_start(&thread, "a name longer than the kernel takes", take_turns, &m);
    for (int i = 0; i < 1000; i++) {
        while (m.turns % 2 == 1) EXPECT(plat_cond_wait_for(&m.cond, &m.mutex, 20000000));
        m.turns++;
        plat_cond_broadcast(&m.cond);
    }
    plat_mutex_unlock(&m.mutex);
    plat_thread_join(thread);
    EXPECT_EQ_INT(m.turns, 2000);
    plat_cond_deinit(&m.cond);
    plat_mutex_deinit(&m.mutex);
}

static void make_root(void) {
    snprintf(root, sizeof root, "/tmp/weir_test_plat_XXXXXX");
    if (mkdtemp(root) == NULL) abort();
}

TEST(setup) {
    make_root();
    EXPECT(root[0] == '/');
}

TEST(teardown) {
    REQUIRE_OK(plat_remove_tree(plat_os(), root, &err));
}

// setup and teardown are tests so that the harness runs them; a filter must name them too.
TEST_MAIN(TEST_ENTRY(setup), TEST_ENTRY(files), TEST_ENTRY(full_device), TEST_ENTRY(directories),
          TEST_ENTRY(clocks_and_random), TEST_ENTRY(threads), TEST_ENTRY(teardown))
