// The simulated platform: the same file semantics as the operating system's, and what a test asks
// of it besides: crashes, faults, a full disk, its clocks, and one run for one seed.
#include <stdlib.h>

#include "base/random.h"
#include "plat/sim.h"
#include "test.h"

static base_error err;
static const int create = PLAT_OPEN_READ | PLAT_OPEN_WRITE | PLAT_OPEN_CREATE;

static bool exists(plat *p, const char *path) {
    bool yes = false;
    EXPECT(p->ops->exists(p, path, &yes, NULL, &err) == BASE_OK);
    return yes;
}

TEST(files_and_maps) {
    plat_sim *sim = plat_sim_create(1);
    plat *p = plat_sim_plat(sim);
    plat_file *file;
    REQUIRE_OK(p->ops->make_dir(p, "/data/log", &err));
    EXPECT(plat_open(p, "/data/none/x", create, &file, &err) == BASE_E_NOT_FOUND);
    REQUIRE_OK(plat_open(p, "/data/log/a", create, &file, &err));
    REQUIRE_OK(plat_allocate(file, 10000, &err));
    const char *map, *map2;
    REQUIRE_OK(plat_map(file, 10000, &map, &err));
    REQUIRE_OK(plat_write_at(file, "hello", 5, 9000, &err));
    EXPECT(memcmp(map + 9000, "hello", 5) == 0);
    // The file outgrows its buffer: the old map stays and goes on seeing writes in its range.
    REQUIRE_OK(plat_write_at(file, "far", 3, 5000000, &err));
    REQUIRE_OK(plat_write_at(file, "HE", 2, 9000, &err));
    EXPECT(memcmp(map + 9000, "HEllo", 5) == 0);
    REQUIRE_OK(plat_map(file, 5000003, &map2, &err));
    EXPECT(memcmp(map2 + 9000, "HEllo", 5) == 0 && memcmp(map2 + 5000000, "far", 3) == 0);
    char got[8];
    size_t n;
    REQUIRE_OK(plat_read_at(file, got, 8, 5000000, &n, &err));
    EXPECT_EQ_INT(n, 3);
    REQUIRE_OK(plat_truncate(file, 9002, &err));
    REQUIRE_OK(plat_allocate(file, 9004, &err));
    REQUIRE_OK(plat_read_at(file, got, 8, 9000, &n, &err));
    EXPECT(n == 4 && memcmp(got, "HE\0\0", 4) == 0);
    plat_close(file);
    REQUIRE_OK(p->ops->remove(p, "/data/log/a", &err));
    EXPECT(memcmp(map2 + 9000, "HE", 2) == 0);
    p->ops->unmap(p, map, 10000);
    p->ops->unmap(p, map2, 5000003);
    plat_sim_destroy(sim);
}

static base_rc note_entry(void *arg, const plat_dir_entry *entry) {
    base_buf_printf(arg, "%s%s ", entry->name, entry->is_dir ? "/" : "");
    return BASE_OK;
}

TEST(names) {
    plat_sim *sim = plat_sim_create(1);
    plat *p = plat_sim_plat(sim);
    REQUIRE_OK(p->ops->make_dir(p, "d/e", &err));
    REQUIRE_OK(plat_replace_file(p, "d/z", BASE_STR("one"), &err));
    REQUIRE_OK(plat_replace_file(p, "d/b", BASE_STR("two"), &err));
    base_buf text = {0};
    REQUIRE_OK(p->ops->list_dir(p, "d", note_entry, &text, &err));
    EXPECT_EQ_STR(base_buf_cstr(&text), "b e/ z ");
    REQUIRE_OK(p->ops->rename(p, "d/b", "d/z", &err));
    base_buf_clear(&text);
    REQUIRE_OK(plat_read_file(p, "./d//z", 100, &text, &err));
    EXPECT_EQ_STR(base_buf_cstr(&text), "two");
    base_buf_deinit(&text);
    EXPECT(p->ops->rename(p, "d/b", "d/q", &err) == BASE_E_NOT_FOUND);
    EXPECT(p->ops->rename(p, "d", "d/e/x", &err) == BASE_E_IO);
    EXPECT(p->ops->remove_dir(p, "d", &err) == BASE_E_IO);
    EXPECT(p->ops->remove(p, "d/e", &err) == BASE_E_IO);
    EXPECT(p->ops->make_dir(p, "d/z", &err) == BASE_E_EXISTS);
    EXPECT(p->ops->make_dir(p, "d/../e", &err) == BASE_E_IO);
    REQUIRE_OK(p->ops->rename(p, "d", "moved", &err));
    EXPECT(exists(p, "moved/z") && !exists(p, "d/z") && !exists(p, "moved/z/x"));
    REQUIRE_OK(plat_remove_tree(p, "moved", &err));
    EXPECT(!exists(p, "moved"));
    plat_sim_destroy(sim);
}

// What was synced survives every crash; what was not is old, new or torn, sector by sector.
TEST(crash_keeps_what_was_synced) {
    int lost = 0, kept = 0, mixed = 0, grown = 0;
    for (uint64_t seed = 0; seed < 300; seed++) {
        plat_sim *sim = plat_sim_create(seed);
        plat *p = plat_sim_plat(sim);
        plat_file *file;
        char bytes[8192], got[8192 + 100];
        REQUIRE_OK(plat_open(p, "f", create, &file, &err));
        memset(bytes, 'a', sizeof bytes);
        REQUIRE_OK(plat_write_at(file, bytes, sizeof bytes, 0, &err));
        REQUIRE_OK(plat_sync(file, &err));
        REQUIRE_OK(p->ops->sync_dir(p, "/", &err));
        memset(bytes, 'b', sizeof bytes);
        REQUIRE_OK(plat_write_at(file, bytes, 4096, 2048, &err));
        REQUIRE_OK(plat_write_at(file, bytes, 100, 8192, &err));
        const char *map;
        REQUIRE_OK(plat_map(file, 8292, &map, &err));
        plat_sim_crash(sim);
        EXPECT(map[2048] == 'b'); // a map of before shows what it showed
        p->ops->unmap(p, map, 8292);
        size_t n = 0;
        EXPECT(plat_read_at(file, got, 1, 0, &n, &err) == BASE_E_IO); // stale
        EXPECT(plat_write_at(file, got, 1, 0, &err) == BASE_E_IO);
        EXPECT(plat_sync(file, &err) == BASE_E_IO);
        plat_close(file);
        REQUIRE_OK(plat_open(p, "f", PLAT_OPEN_READ, &file, &err));
        REQUIRE_OK(plat_read_at(file, got, sizeof got, 0, &n, &err));
        EXPECT(n == 8192 || n == 8292);
        int b = 0;
        for (size_t i = 0; i < 8192; i++) {
            bool changed = i >= 2048 && i < 6144;
            EXPECT(got[i] == 'a' || (changed && got[i] == 'b'));
            b += got[i] == 'b';
        }
        for (size_t i = 8192; i < n; i++) EXPECT(got[i] == 'b' || got[i] == 0);
        lost += b == 0;
        kept += b == 4096;
        mixed += b > 0 && b < 4096;
        grown += n == 8292;
        plat_close(file);
        plat_sim_destroy(sim);
    }
    EXPECT(lost > 50 && kept > 50 && mixed > 50 && grown > 50);
}

TEST(crash_may_undo_names) {
    int undone_create = 0, undone_rename = 0, undone_remove = 0;
    for (uint64_t seed = 0; seed < 200; seed++) {
        plat_sim *sim = plat_sim_create(seed);
        plat *p = plat_sim_plat(sim);
        REQUIRE_OK(p->ops->make_dir(p, "d", &err));
        REQUIRE_OK(p->ops->sync_dir(p, "/", &err));
        REQUIRE_OK(plat_replace_file(p, "d/safe", BASE_STR("old"), &err)); // syncs d
        REQUIRE_OK(plat_replace_file(p, "d/gone", BASE_STR("here"), &err));
        plat_file *file;
        REQUIRE_OK(plat_open(p, "d/new", create, &file, &err));
        REQUIRE_OK(plat_write_at(file, "new", 3, 0, &err));
        REQUIRE_OK(plat_sync(file, &err));
        plat_close(file);
        REQUIRE_OK(p->ops->rename(p, "d/new", "d/safe", &err));
        REQUIRE_OK(p->ops->remove(p, "d/gone", &err));
        plat_sim_crash(sim);
        // The rename is whole or undone: there is always a file of that name with one of the
        // contents.
        base_buf text = {0};
        REQUIRE_OK(plat_read_file(p, "d/safe", 10, &text, &err));
        bool is_new = base_str_eq(base_buf_str(&text), BASE_STR("new"));
        EXPECT(is_new || base_str_eq(base_buf_str(&text), BASE_STR("old")));
        undone_rename += !is_new;
        undone_create += !is_new && !exists(p, "d/new");
        if (is_new) EXPECT(!exists(p, "d/new"));
        if (exists(p, "d/gone")) {
            undone_remove++;
            base_buf_clear(&text);
            REQUIRE_OK(plat_read_file(p, "d/gone", 10, &text, &err));
            EXPECT(base_str_eq(base_buf_str(&text), BASE_STR("here")));
        } else {
            EXPECT(is_new); // later changes do not survive earlier ones
        }
        base_buf_deinit(&text);
        plat_sim_destroy(sim);
    }
    EXPECT(undone_create > 20 && undone_rename > undone_create && undone_remove > undone_rename);
    EXPECT(undone_remove < 180);
}

TEST(synced_names_survive) {
    for (uint64_t seed = 0; seed < 50; seed++) {
        plat_sim *sim = plat_sim_create(seed);
        plat *p = plat_sim_plat(sim);
        REQUIRE_OK(p->ops->make_dir(p, "a/b", &err));
        REQUIRE_OK(plat_replace_file(p, "a/b/f", BASE_STR("x"), &err));
        REQUIRE_OK(p->ops->sync_dir(p, "a", &err));
        REQUIRE_OK(p->ops->sync_dir(p, "/", &err));
        REQUIRE_OK(p->ops->rename(p, "a/b/f", "a/g", &err));
        REQUIRE_OK(p->ops->sync_dir(p, "a", &err));
        plat_sim_crash(sim);
        EXPECT(exists(p, "a/g") && !exists(p, "a/b/f"));
        plat_sim_destroy(sim);
    }
}

// A sync that failed has lost its pages: a later sync that succeeds does not bring them back.
TEST(failed_sync) {
    bool seen_lost = false;
    for (uint64_t seed = 0; seed < 20; seed++) {
        plat_sim *sim = plat_sim_create(seed);
        plat *p = plat_sim_plat(sim);
        plat_file *file;
        REQUIRE_OK(plat_open(p, "f", create, &file, &err));
        REQUIRE_OK(p->ops->sync_dir(p, "/", &err));
        REQUIRE_OK(plat_write_at(file, "first", 5, 0, &err));
        plat_sim_fail_call(sim, 1);
        EXPECT(plat_sync(file, &err) == BASE_E_IO);
        REQUIRE_OK(plat_write_at(file, "second", 6, 600, &err));
        REQUIRE_OK(plat_sync(file, &err));
        plat_close(file);
        plat_sim_crash(sim);
        base_buf text = {0};
        REQUIRE_OK(plat_read_file(p, "f", 10000, &text, &err));
        EXPECT(text.n == 606 && memcmp(text.p + 600, "second", 6) == 0);
        seen_lost |= memcmp(text.p, "first", 5) != 0;
        base_buf_deinit(&text);
        plat_sim_destroy(sim);
    }
    EXPECT(seen_lost);
}

TEST(full_disk) {
    plat_sim *sim = plat_sim_create(1);
    plat *p = plat_sim_plat(sim);
    plat_file *file;
    uint64_t bytes;
    plat_sim_set_disk_bytes(sim, 100000);
    REQUIRE_OK(plat_open(p, "f", create, &file, &err));
    REQUIRE_OK(plat_allocate(file, 90000, &err));
    EXPECT(plat_write_at(file, "0123456789", 10, 99995, &err) == BASE_E_FULL);
    EXPECT_EQ_STR(err.sqlstate, "53100");
    REQUIRE_OK(p->ops->disk_free(p, "/", &bytes, &err));
    EXPECT_EQ_INT(bytes, 10000);
    REQUIRE_OK(p->ops->remove(p, "f", &err));
    REQUIRE_OK(p->ops->disk_free(p, "/", &bytes, &err));
    EXPECT_EQ_INT(bytes, 10000); // still open
    plat_close(file);
    REQUIRE_OK(p->ops->disk_free(p, "/", &bytes, &err));
    EXPECT_EQ_INT(bytes, 100000);
    plat_sim_destroy(sim);
}

// The n-th call fails, for every n of a small program, and the program says so.
TEST(every_call_can_fail) {
    for (uint64_t n = 1; n < 100; n++) {
        plat_sim *sim = plat_sim_create(n);
        plat *p = plat_sim_plat(sim);
        plat_sim_fail_call(sim, n);
        base_error_clear(&err);
        base_rc rc = p->ops->make_dir(p, "d", &err);
        if (rc == BASE_OK) rc = plat_replace_file(p, "d/f", BASE_STR("text"), &err);
        base_buf text = {0};
        if (rc == BASE_OK) rc = plat_read_file(p, "d/f", 100, &text, &err);
        if (rc == BASE_OK) rc = plat_remove_tree(p, "d", &err);
        base_buf_deinit(&text);
        uint64_t calls = plat_sim_call_count(sim);
        plat_sim_destroy(sim);
        if (n > calls) {
            EXPECT(rc == BASE_OK && n > 10);
            return;
        }
        EXPECT(rc == BASE_E_IO && err.code == rc && err.message[0] != '\0');
    }
    EXPECT(!"the program has fewer calls");
}

TEST(clocks) {
    plat_sim *sim = plat_sim_create(9);
    plat *p = plat_sim_plat(sim);
    int64_t wall = plat_wall_us(p);
    uint64_t monotonic = plat_monotonic_ns(p);
    EXPECT_EQ_INT(plat_wall_us(p), wall);
    plat_sim_advance_us(sim, 1500);
    plat_sim_jump_wall_us(sim, -1000000);
    EXPECT_EQ_INT(plat_wall_us(p) - wall, 1500 - 1000000);
    EXPECT_EQ_INT(plat_monotonic_ns(p) - monotonic, 1500000);
    plat_sim_destroy(sim);
}

TEST(flip_bit) {
    plat_sim *sim = plat_sim_create(9);
    plat *p = plat_sim_plat(sim);
    REQUIRE_OK(plat_replace_file(p, "f", BASE_STR("aaa"), &err));
    plat_sim_flip_bit(sim, "f", 9);
    plat_sim_crash(sim);
    base_buf text = {0};
    REQUIRE_OK(plat_read_file(p, "f", 10, &text, &err));
    EXPECT_EQ_STR(base_buf_cstr(&text), "aca");
    base_buf_deinit(&text);
    plat_sim_destroy(sim);
}

// A random program with faults and crashes; returns a sum over all that it saw.
static uint64_t random_run(uint64_t seed) {
    plat_sim *sim = plat_sim_create(seed);
    plat *p = plat_sim_plat(sim);
    base_random random;
    base_random_seed(&random, seed);
    uint64_t sum = 0;
    plat_file *open[4] = {0};
    plat_sim_set_fault_rate(sim, 20000);
    plat_sim_set_disk_bytes(sim, 300000);
    for (int i = 0; i < 3000; i++) {
        static const char *const paths[] = {"a", "d/b", "d/c", "d/e/f", "d/e", "d"};
        const char *path = paths[base_random_below(&random, 6)];
        plat_file **file = &open[base_random_below(&random, 4)];
        uint64_t at = base_random_below(&random, 50000);
        char bytes[3000];
        size_t n = base_random_below(&random, sizeof bytes), got = 0;
        memset(bytes, (int)i, sizeof bytes);
        base_rc rc = BASE_OK;
        switch (base_random_below(&random, 12)) {
        case 0:
            plat_close(*file);
            *file = NULL;
            rc = plat_open(p, path, create, file, &err);
            if (rc != BASE_OK) *file = NULL;
            break;
        case 1:
        case 2:
        case 3:
            if (*file != NULL) rc = plat_write_at(*file, bytes, n, at, &err);
            break;
        case 4:
            if (*file != NULL) rc = plat_read_at(*file, bytes, n, at, &got, &err);
            for (size_t k = 0; k < got; k++) sum = sum * 31 + (uint8_t)bytes[k];
            break;
        case 5:
            if (*file != NULL) rc = plat_sync(*file, &err);
            break;
        case 6:
            rc = p->ops->make_dir(p, path, &err);
            break;
        case 7:
            rc = p->ops->rename(p, path, paths[base_random_below(&random, 6)], &err);
            break;
        case 8:
            rc = p->ops->remove(p, path, &err);
            break;
        case 9:
            rc = p->ops->sync_dir(p, base_random_below(&random, 2) ? "/" : "d", &err);
            break;
        case 10:
            if (*file != NULL) rc = plat_truncate(*file, at, &err);
            break;
        default:
            if (base_random_below(&random, 20) == 0) plat_sim_crash(sim);
        }
        sum = sum * 1000003 + (uint64_t)rc;
    }
    for (int i = 0; i < 3; i++) plat_close(open[i]); // one stays open: destroy frees it
    sum ^= plat_sim_call_count(sim) ^ p->ops->random_u64(p);
    plat_sim_destroy(sim);
    return sum;
}

TEST(one_seed_one_run) {
    uint64_t first = random_run(1);
    for (uint64_t seed = 1; seed <= 40; seed++) {
        uint64_t sum = random_run(seed);
        EXPECT(sum == random_run(seed));
        EXPECT((seed == 1) == (sum == first));
    }
}

TEST_MAIN(TEST_ENTRY(files_and_maps), TEST_ENTRY(names), TEST_ENTRY(crash_keeps_what_was_synced),
          TEST_ENTRY(crash_may_undo_names), TEST_ENTRY(synced_names_survive),
          TEST_ENTRY(failed_sync), TEST_ENTRY(full_disk), TEST_ENTRY(every_call_can_fail),
          TEST_ENTRY(clocks), TEST_ENTRY(flip_bit), TEST_ENTRY(one_seed_one_run))
