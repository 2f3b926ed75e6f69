// What goes wrong below a store: the twin's n-th call fails, the disk or the map is full, the file
// is cut or its bytes are damaged. Nothing that was committed is lost, no wrong number is read, and
// the process lives.
#include "state/state.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/random.h"
#include "test.h"

static base_error err;

static base_str text_of(char *room, size_t room_n, const char *fmt, int number) {
    int n = snprintf(room, room_n, fmt, number);
    return (base_str){room, (size_t)n};
}

static bool dir_make(char dir[64]) {
    strcpy(dir, "/tmp/test_state_fault_XXXXXX");
    return mkdtemp(dir) != NULL;
}

static void dir_remove(const char *dir) {
    if (plat_remove_tree(plat_os(), dir, &err) != BASE_OK) test_failures++;
}

// --- the n-th call of the twin fails

typedef struct fault {
    uint64_t calls, fail_at;
    char failed_op[32];
} fault;

static base_rc fault_hook(void *arg, const char *op, base_error *e) {
    fault *f = arg;
    if (++f->calls != f->fail_at) return BASE_OK;
    snprintf(f->failed_op, sizeof f->failed_op, "%s", op);
    return base_fail(e, BASE_E_IO, NULL, "injected at %s", op);
}

enum { STEPS = 4, STEP_ROWS = 12 };

// One step rewrites all rows, in several ways, and says which step it was.
static base_rc step_write(state_txn *txn, state_table table, int step) {
    char keys[STEP_ROWS][16], value_room[16], dup[16];
    base_str key_list[STEP_ROWS], values[STEP_ROWS], key,
        value = text_of(value_room, 16, "%d", step);
    bool found, end;
    uint64_t deleted;
    for (int i = 0; i < STEP_ROWS; i++) {
        key_list[i] = text_of(keys[i], 16, "row%02d", i);
        values[i] = value;
    }
    base_rc rc = state_delete_range(txn, table, BASE_STR("row"), BASE_STR("row06"), &deleted, &err);
    if (rc == BASE_OK) rc = state_delete(txn, table, key_list[7], &found, &err);
    if (rc == BASE_OK) rc = state_put_batch(txn, table, STEP_ROWS - 2, key_list, values, &err);
    if (rc == BASE_OK) rc = state_put(txn, table, key_list[STEP_ROWS - 2], value, &err);
    if (rc == BASE_OK) rc = state_put(txn, table, key_list[STEP_ROWS - 1], value, &err);
    if (rc != BASE_OK) return rc;
    state_cursor *cursor;
    base_str got;
    rc = state_cursor_open(txn, table, &cursor, &err);
    if (rc != BASE_OK) return rc;
    rc = state_cursor_seek(cursor, BASE_STR("row"), &key, &got, &end, &err);
    if (rc == BASE_OK) rc = state_cursor_next(cursor, &key, &got, &end, &err);
    if (rc == BASE_OK) rc = state_cursor_last(cursor, &key, &got, &end, &err);
    if (rc == BASE_OK) rc = state_cursor_prev(cursor, &key, &got, &end, &err);
    if (rc == BASE_OK) rc = state_get(txn, table, key_list[3], &got, &found, &err);
    if (rc == BASE_OK)
        rc = state_put(txn, table, BASE_STR("step"), text_of(dup, 16, "%d", step), &err);
    return rc;
}

// *committed: the last step that was said to be in.
static base_rc workload(state_memory *memory, int *committed) {
    state_config config = {.in_memory = true, .memory = memory};
    state_store *store;
    base_rc rc = state_store_open(plat_os(), "dir", &config, &store, &err);
    if (rc != BASE_OK) return rc;
    state_table table, scratch;
    rc = state_table_open(store, "t", &table, &err);
    for (int step = 1; step <= STEPS && rc == BASE_OK; step++) {
        state_txn *txn;
        rc = state_begin_write(store, &txn, &err);
        if (rc != BASE_OK) break;
        rc = step_write(txn, table, step);
        if (rc != BASE_OK) {
            state_abort(txn);
            break;
        }
        rc = state_commit(txn, &err);
        if (rc == BASE_OK) *committed = step;
    }
    if (rc == BASE_OK) rc = state_table_open(store, "scratch", &scratch, &err);
    if (rc == BASE_OK) rc = state_table_drop(store, "scratch", &err);
    if (rc == BASE_OK) rc = state_verify(store, &err);
    state_store_close(store);
    return rc;
}

// The step that a store holds, whole; -1: it is not whole.
static int step_read(state_store *store) {
    state_table table;
    state_txn *txn;
    base_str value, step;
    bool found;
    uint64_t rows;
    if (state_table_open(store, "t", &table, &err) != BASE_OK) return -1;
    if (state_begin_read(store, &txn, &err) != BASE_OK) return -1;
    int result = -1;
    if (state_table_count(txn, table, &rows, &err) != BASE_OK) goto out;
    if (state_get(txn, table, BASE_STR("step"), &step, &found, &err) != BASE_OK) goto out;
    if (!found) {
        result = rows == 0 ? 0 : -1;
        goto out;
    }
    if (rows != STEP_ROWS + 1) goto out;
    for (int i = 0; i < STEP_ROWS; i++) {
        char room[16];
        if (state_get(txn, table, text_of(room, 16, "row%02d", i), &value, &found, &err) !=
                BASE_OK ||
            !found || !base_str_eq(value, step)) {
            goto out;
        }
    }
    result = step.p[0] - '0';
out:
    state_abort(txn);
    return result;
}

TEST(every_call_of_the_twin_fails_once) {
    uint64_t n = 1;
    int unknown_commits = 0;
    for (;; n++) {
        fault f = {.fail_at = n};
        state_memory *memory = state_memory_create();
        state_memory_set_fault(memory, fault_hook, &f);
        int committed = 0;
        base_error_clear(&err);
        base_rc rc = workload(memory, &committed);
        state_memory_set_fault(memory, NULL, NULL);
        if (f.failed_op[0] == 0) {
            EXPECT(rc == BASE_OK && committed == STEPS);
            state_memory_destroy(memory);
            break;
        }
        EXPECT(rc == BASE_E_IO && err.code == BASE_E_IO && strstr(err.message, "injected") != NULL);
        state_config config = {.in_memory = true, .memory = memory};
        state_store *store;
        REQUIRE_OK(state_store_open(plat_os(), "dir", &config, &store, &err));
        int step = step_read(store);
        if (strcmp(f.failed_op, "committed") == 0 && committed < STEPS) {
            EXPECT(step == committed || step == committed + 1);
            unknown_commits++;
        } else {
            EXPECT_EQ_INT(step, committed);
        }
        REQUIRE_OK(state_verify(store, &err));
        state_store_close(store);
        int again = 0; // and it works again
        EXPECT(workload(memory, &again) == BASE_OK && again == STEPS);
        state_memory_destroy(memory);
    }
    EXPECT(n > 100);
    EXPECT(unknown_commits >= STEPS);
}

static void failed_write_spoils(bool in_memory) {
    char dir[64];
    REQUIRE(dir_make(dir));
    state_config config = {.in_memory = in_memory, .map_bytes = 1u << 20, .no_sync = true};
    state_store *store;
    state_table table;
    state_txn *txn;
    static char large[3u << 20];
    base_str value;
    bool found;
    REQUIRE_OK(state_store_open(plat_os(), dir, &config, &store, &err));
    REQUIRE_OK(state_table_open(store, "t", &table, &err));
    REQUIRE_OK(state_begin_write(store, &txn, &err));
    REQUIRE_OK(state_put(txn, table, BASE_STR("a"), BASE_STR("1"), &err));
    EXPECT(state_put(txn, table, BASE_STR("b"), (base_str){large, sizeof large}, &err) ==
           BASE_E_FULL);
    EXPECT_EQ_STR(err.sqlstate, "53100");
    EXPECT(state_put(txn, table, BASE_STR("c"), BASE_STR("1"), &err) == BASE_E_FULL);
    EXPECT(state_put_batch(txn, table, 1, &BASE_STR("c"), &BASE_STR("1"), &err) == BASE_E_FULL);
    EXPECT(state_commit(txn, &err) == BASE_E_FULL);
    EXPECT_EQ_STR(err.sqlstate, "53100");
    REQUIRE_OK(state_begin_read(store, &txn, &err));
    REQUIRE_OK(state_get(txn, table, BASE_STR("a"), &value, &found, &err));
    EXPECT(!found);
    state_abort(txn);
    state_store_close(store);
    dir_remove(dir);
}

TEST(a_failed_write_spoils_its_transaction) {
    failed_write_spoils(true);
    failed_write_spoils(false);
}

// --- full

// Commits rows of 1 KB, ten at a time, until it fails; returns how many are in.
static int fill(state_store *store, state_table table, int from, base_rc *rc) {
    static char value[1000];
    for (int rows = from;; rows += 10) {
        state_txn *txn;
        *rc = state_begin_write(store, &txn, &err);
        if (*rc != BASE_OK) return rows;
        for (int i = rows; i < rows + 10 && *rc == BASE_OK; i++) {
            char key[16];
            *rc = state_put(txn, table, text_of(key, 16, "%08d", i),
                            (base_str){value, sizeof value}, &err);
        }
        base_rc committed = state_commit(txn, &err);
        if (*rc == BASE_OK) *rc = committed;
        if (*rc != BASE_OK || rows > 100000) return rows;
    }
}

static uint64_t count(state_store *store, state_table table) {
    state_txn *txn;
    uint64_t rows = UINT64_MAX;
    if (state_begin_read(store, &txn, &err) != BASE_OK) return UINT64_MAX;
    if (state_table_count(txn, table, &rows, &err) != BASE_OK) rows = UINT64_MAX;
    state_abort(txn);
    return rows;
}

static void map_full(bool in_memory) {
    char dir[64];
    REQUIRE(dir_make(dir));
    state_memory *memory = in_memory ? state_memory_create() : NULL;
    state_config config = {
        .in_memory = in_memory, .memory = memory, .map_bytes = 1u << 20, .no_sync = true};
    state_store *store;
    state_table table;
    REQUIRE_OK(state_store_open(plat_os(), dir, &config, &store, &err));
    REQUIRE_OK(state_table_open(store, "t", &table, &err));
    base_rc rc;
    int rows = fill(store, table, 0, &rc);
    EXPECT(rc == BASE_E_FULL);
    EXPECT_EQ_STR(err.sqlstate, "53100");
    EXPECT(rows > 300 && rows < 1100);
    EXPECT_EQ_INT(count(store, table), rows);
    REQUIRE_OK(state_verify(store, &err));
    // Space returns when rows go ...
    state_txn *txn;
    uint64_t deleted;
    REQUIRE_OK(state_begin_write(store, &txn, &err));
    REQUIRE_OK(state_delete_range(txn, table, (base_str){0}, BASE_STR("00000200"), &deleted, &err));
    EXPECT_EQ_INT(deleted, 200);
    REQUIRE_OK(state_commit(txn, &err));
    int more = fill(store, table, rows, &rc);
    EXPECT(rc == BASE_E_FULL && more > rows + 50);
    EXPECT_EQ_INT(count(store, table), more - 200);
    // ... or when the limit is raised.
    state_store_close(store);
    config.map_bytes = 8u << 20;
    REQUIRE_OK(state_store_open(plat_os(), dir, &config, &store, &err));
    REQUIRE_OK(state_table_open(store, "t", &table, &err));
    EXPECT_EQ_INT(count(store, table), more - 200);
    EXPECT(fill(store, table, more, &rc) > more + 2000 && rc == BASE_E_FULL);
    REQUIRE_OK(state_verify(store, &err));
    state_store_close(store);
    state_memory_destroy(memory);
    dir_remove(dir);
}

TEST(a_full_map_loses_nothing) {
    map_full(false);
    map_full(true);
}

TEST(a_full_disk_loses_nothing) {
    char dir[64];
    REQUIRE(dir_make(dir));
    state_config config = {.map_bytes = 64u << 20};
    state_store *store;
    state_table table;
    REQUIRE_OK(state_store_open(plat_os(), dir, &config, &store, &err));
    REQUIRE_OK(state_table_open(store, "t", &table, &err));
    struct rlimit before, small;
    REQUIRE(getrlimit(RLIMIT_FSIZE, &before) == 0);
    signal(SIGXFSZ, SIG_IGN);
    small = before;
    small.rlim_cur = 600u << 10; // writes beyond fail as on a full disk
    REQUIRE(setrlimit(RLIMIT_FSIZE, &small) == 0);
    base_rc rc;
    int rows = fill(store, table, 0, &rc);
    REQUIRE(setrlimit(RLIMIT_FSIZE, &before) == 0);
    EXPECT(rc == BASE_E_FULL ||
           rc == BASE_E_IO); // a write that was cut short looks like the latter
    EXPECT(rows > 100 && rows < 700);
    EXPECT_EQ_INT(count(store, table), rows);
    REQUIRE_OK(state_verify(store, &err));
    state_txn *txn;
    REQUIRE_OK(state_begin_write(store, &txn, &err));
    REQUIRE_OK(state_put(txn, table, BASE_STR("x"), BASE_STR("y"), &err));
    REQUIRE_OK(state_commit(txn, &err));
    state_store_close(store);
    REQUIRE_OK(state_store_open(plat_os(), dir, &config, &store, &err));
    REQUIRE_OK(state_table_open(store, "t", &table, &err));
    EXPECT_EQ_INT(count(store, table), rows + 1);
    REQUIRE_OK(state_verify(store, &err));
    state_store_close(store);
    dir_remove(dir);
}

// --- damage

enum { DAMAGE_ROWS = 700, BIG_BYTES = 9000 };
static const state_config damage_config = {.map_bytes = 32u << 20, .no_sync = true};

static base_str damage_key(char room[600], int i) {
    size_t n = (size_t)snprintf(room, 600, "key-%d-%d", i * 37 % 1000, i);
    if (i % 97 == 0) {
        memset(room + n, 'l', 560 - n);
        n = 560;
    }
    return (base_str){room, n};
}

static base_str damage_value(char room[BIG_BYTES], int i) {
    size_t n = i % 61 == 0 ? BIG_BYTES : (size_t)(i % 50);
    memset(room, 'a' + i % 26, n);
    return (base_str){room, n};
}

static base_rc damage_build(const char *dir) {
    state_store *store;
    state_table tables[2];
    base_rc rc = state_store_open(plat_os(), dir, &damage_config, &store, &err);
    if (rc != BASE_OK) return rc;
    rc = state_table_open(store, "first", &tables[0], &err);
    if (rc == BASE_OK) rc = state_table_open(store, "second", &tables[1], &err);
    for (int from = 0; from < DAMAGE_ROWS && rc == BASE_OK; from += 100) {
        state_txn *txn;
        rc = state_begin_write(store, &txn, &err);
        if (rc != BASE_OK) break;
        for (int i = from; i < from + 100 && rc == BASE_OK; i++) {
            char key[600], value[BIG_BYTES];
            for (int t = 0; t < 2 && rc == BASE_OK; t++) {
                rc = state_put(txn, tables[t], damage_key(key, i), damage_value(value, i), &err);
            }
        }
        base_rc committed = state_commit(txn, &err);
        if (rc == BASE_OK) rc = committed;
    }
    state_txn *txn; // a last commit that a reader does not miss
    if (rc == BASE_OK) rc = state_begin_write(store, &txn, &err);
    if (rc == BASE_OK) {
        bool found;
        rc = state_delete(txn, tables[0], BASE_STR("key-0-0"), &found, &err);
        if (rc == BASE_OK) rc = state_put(txn, tables[1], BASE_STR("zz"), BASE_STR("last"), &err);
        base_rc committed = state_commit(txn, &err);
        if (rc == BASE_OK) rc = committed;
    }
    state_store_close(store);
    return rc;
}

// BASE_OK: every row of both tables was found as it was put, by get and by scan.
static base_rc damage_read_all(state_store *store, bool *right) {
    *right = false;
    state_table tables[2];
    base_rc rc = state_table_open(store, "first", &tables[0], &err);
    if (rc == BASE_OK) rc = state_table_open(store, "second", &tables[1], &err);
    if (rc != BASE_OK) return rc;
    state_txn *txn;
    rc = state_begin_read(store, &txn, &err);
    if (rc != BASE_OK) return rc;
    bool same = true;
    for (int t = 0; t < 2 && rc == BASE_OK; t++) {
        int seen = 0;
        for (int i = 0; i < DAMAGE_ROWS && rc == BASE_OK; i++) {
            char key[600], room[BIG_BYTES];
            base_str value;
            bool found;
            rc = state_get(txn, tables[t], damage_key(key, i), &value, &found, &err);
            if (rc == BASE_OK) same = same && found && base_str_eq(value, damage_value(room, i));
        }
        state_cursor *cursor;
        if (rc == BASE_OK) rc = state_cursor_open(txn, tables[t], &cursor, &err);
        bool end = false;
        while (rc == BASE_OK && !end) {
            base_str key, value;
            rc = state_cursor_next(cursor, &key, &value, &end, &err);
            if (rc == BASE_OK && !end && key.p[0] == 'k') seen++;
        }
        same = same && seen == DAMAGE_ROWS;
    }
    state_abort(txn);
    *right = same;
    return rc;
}

static bool file_write(const char *dir, const char *bytes, size_t n) {
    char path[96];
    snprintf(path, sizeof path, "%s/data.mdb", dir);
    FILE *file = fopen(path, "w");
    if (file == NULL) return false;
    bool all = fwrite(bytes, 1, n, file) == n;
    return fclose(file) == 0 && all;
}

typedef struct damage {
    char dir[64];
    base_buf good;
    int corrupt, fine;
} damage;

static bool damage_init(damage *d) {
    *d = (damage){0};
    if (!dir_make(d->dir) || damage_build(d->dir) != BASE_OK) return false;
    char path[96];
    snprintf(path, sizeof path, "%s/data.mdb", d->dir);
    return plat_read_file(plat_os(), path, 64u << 20, &d->good, &err) == BASE_OK;
}

// Opens the bytes: either it is said to be damaged, or all is as it was.
static void damage_try(damage *d, const char *bytes, size_t n, const char *what, size_t at) {
    REQUIRE(file_write(d->dir, bytes, n));
    state_store *store;
    bool right = false;
    base_error_clear(&err);
    base_rc rc = state_store_open(plat_os(), d->dir, &damage_config, &store, &err);
    if (rc == BASE_OK) {
        rc = damage_read_all(store, &right);
        if (rc == BASE_OK && right) rc = state_verify(store, &err);
        state_store_close(store);
    }
    if (rc == BASE_E_CORRUPT) {
        d->corrupt++;
        EXPECT_EQ_STR(err.sqlstate, "XX001");
        EXPECT(strstr(err.message, d->dir) != NULL && err.hint[0] != 0);
        return;
    }
    d->fine++;
    if (rc == BASE_OK && right) return;
    fprintf(stderr, "%s at %zu: rc %d, right %d, %s\n", what, at, rc, right, err.message);
    test_failures++;
}

static void damage_deinit(damage *d) {
    base_buf_deinit(&d->good);
    dir_remove(d->dir);
}

TEST(a_cut_file_is_corrupt) {
    damage d;
    REQUIRE(damage_init(&d));
    damage_try(&d, d.good.p, d.good.n, "whole", d.good.n);
    EXPECT_EQ_INT(d.fine, 1);
    for (size_t n = 1; n < d.good.n; n += n < 9000 ? 613 : 4096 + 1021) {
        damage_try(&d, d.good.p, n, "cut", n);
    }
    damage_try(&d, d.good.p, d.good.n - 1, "cut", d.good.n - 1);
    EXPECT(d.corrupt > 20);
    damage_deinit(&d);
}

TEST(damaged_headers_are_corrupt) {
    damage d;
    REQUIRE(damage_init(&d));
    for (size_t page = 0; page < 2; page++) {
        for (size_t i = 0; i < 16 + 136; i++) {
            static const uint8_t masks[] = {1, 2, 0x80, 0xff};
            for (size_t m = 0; m < sizeof masks; m++) {
                size_t at = page * 4096 + i;
                d.good.p[at] = (char)((uint8_t)d.good.p[at] ^ masks[m]);
                damage_try(&d, d.good.p, d.good.n, "header", at);
                d.good.p[at] = (char)((uint8_t)d.good.p[at] ^ masks[m]);
            }
        }
    }
    EXPECT(d.corrupt > 200);
    damage_deinit(&d);
}

TEST(damaged_pages_are_corrupt) {
    damage d;
    REQUIRE(damage_init(&d));
    base_random random;
    base_random_seed(&random, 20);
    for (int trial = 0; trial < 1500; trial++) {
        size_t page = 2 + base_random_below(&random, d.good.n / 4096 - 2);
        // Where it hurts most often: the page's head and its offsets, and anywhere.
        size_t in_page = base_random_below(&random, trial % 2 == 0 ? 64 : 4096);
        size_t at = page * 4096 + in_page;
        uint8_t mask = (uint8_t)(1 + base_random_below(&random, 255));
        d.good.p[at] = (char)((uint8_t)d.good.p[at] ^ mask);
        damage_try(&d, d.good.p, d.good.n, "page", at);
        d.good.p[at] = (char)((uint8_t)d.good.p[at] ^ mask);
    }
    // Whole pages of noise, of zeros, and of other pages.
    char noise[4096], kept[4096];
    for (size_t page = 2; page < d.good.n / 4096; page++) {
        char *at = d.good.p + page * 4096;
        memcpy(kept, at, sizeof kept);
        for (int kind = 0; kind < 3; kind++) {
            for (size_t i = 0; i < sizeof noise; i++) noise[i] = (char)base_random_u64(&random);
            if (kind == 1) memset(noise, 0, sizeof noise);
            if (kind == 2) memcpy(noise, d.good.p + 2 * 4096, sizeof noise);
            memcpy(at, noise, sizeof noise);
            damage_try(&d, d.good.p, d.good.n, "whole page", page);
            memcpy(at, kept, sizeof kept);
        }
    }
    EXPECT(d.corrupt > 800);
    damage_deinit(&d);
}

TEST(a_row_damaged_while_open_is_corrupt) {
    char dir[64];
    REQUIRE(dir_make(dir));
    state_store *store;
    state_table table;
    state_txn *txn;
    base_str value;
    bool found;
    REQUIRE_OK(state_store_open(plat_os(), dir, &damage_config, &store, &err));
    REQUIRE_OK(state_table_open(store, "accounts", &table, &err));
    REQUIRE_OK(state_begin_write(store, &txn, &err));
    REQUIRE_OK(state_put(txn, table, BASE_STR("a"), BASE_STR("the-amount-is-100"), &err));
    REQUIRE_OK(state_put(txn, table, BASE_STR("b"), BASE_STR("1"), &err));
    REQUIRE_OK(state_commit(txn, &err));
    char path[96];
    snprintf(path, sizeof path, "%s/data.mdb", dir);
    base_buf bytes = {0};
    REQUIRE_OK(plat_read_file(plat_os(), path, 64u << 20, &bytes, &err));
    const char *at = memmem(bytes.p, bytes.n, "the-amount-is-100", 17);
    REQUIRE(at != NULL);
    int fd = open(path, O_WRONLY);
    REQUIRE(pwrite(fd, "9", 1, (off_t)(at - bytes.p) + 14) == 1);
    close(fd);
    REQUIRE_OK(state_begin_read(store, &txn, &err));
    EXPECT(state_get(txn, table, BASE_STR("a"), &value, &found, &err) == BASE_E_CORRUPT);
    EXPECT(strstr(err.message, "accounts") != NULL && strstr(err.message, dir) != NULL);
    REQUIRE_OK(state_get(txn, table, BASE_STR("b"), &value, &found, &err));
    EXPECT(found);
    state_abort(txn);
    EXPECT(state_verify(store, &err) == BASE_E_CORRUPT);
    EXPECT(strstr(err.message, "\"accounts\"") != NULL);
    state_store_close(store);
    EXPECT(state_store_open(plat_os(), dir, &damage_config, &store, &err) == BASE_E_CORRUPT);
    base_buf_deinit(&bytes);
    dir_remove(dir);
}

// Of a store above 64 MiB the leaves are not read at open; what is damaged there is found by who
// reads it, and by the verification.
// Keys that are changed in the file while the store is open: no other key counts as absent for it.
TEST(a_damaged_key_hides_no_other) {
    char dir[64], room[32];
    REQUIRE(dir_make(dir));
    state_store *store;
    state_table table;
    state_txn *txn;
    base_str value;
    bool found;
    enum { KEYS = 2000 };
    REQUIRE_OK(state_store_open(plat_os(), dir, &damage_config, &store, &err));
    REQUIRE_OK(state_table_open(store, "accounts", &table, &err));
    REQUIRE_OK(state_begin_write(store, &txn, &err));
    for (int i = 0; i < KEYS; i++)
        REQUIRE_OK(state_put(txn, table, text_of(room, sizeof room, "account-%06d", 2 * i),
                             BASE_STR("value"), &err));
    REQUIRE_OK(state_commit(txn, &err));
    char path[96];
    snprintf(path, sizeof path, "%s/data.mdb", dir);
    base_buf bytes = {0};
    REQUIRE_OK(plat_read_file(plat_os(), path, 64u << 20, &bytes, &err));
    int fd = open(path, O_WRONLY), hidden = 0, wrong = 0;
    for (int round = 0; round < 200; round++) { // one digit of one key, each round another
        const char *at = memmem(bytes.p, bytes.n, room,
                                text_of(room, sizeof room, "account-%06d", 2 * (round * 9 + 5)).n);
        REQUIRE(at != NULL);
        off_t place = (off_t)(at - bytes.p) + 8 + round % 6;
        char digit = (char)(bytes.p[place] ^ (1 << round % 4));
        REQUIRE(pwrite(fd, &digit, 1, place) == 1);
        REQUIRE_OK(state_begin_read(store, &txn, &err));
        for (int i = 0; i < KEYS; i++) {
            base_str key = text_of(room, sizeof room, "account-%06d", 2 * i);
            base_rc rc = i % 2 == 0 ? state_get(txn, table, key, &value, &found, &err)
                                    : state_get_batch(txn, table, 1, &key, &value, &err);
            if (rc == BASE_OK && (i % 2 == 0 ? !found : value.p == NULL)) wrong++;
            hidden += rc == BASE_E_CORRUPT;
        }
        state_abort(txn);
        REQUIRE(pwrite(fd, bytes.p + place, 1, place) == 1);
    }
    EXPECT_EQ_INT(wrong, 0);
    EXPECT(hidden >= 200);
    close(fd);
    base_buf_deinit(&bytes);
    state_store_close(store);
    dir_remove(dir);
}

static const state_config large_config = {.map_bytes = 256u << 20, .no_sync = true};
enum { LARGE_ROWS = 90000 };

static base_rc large_build(const char *dir) {
    state_store *store;
    state_table table;
    state_txn *txn;
    static char value[900];
    base_rc rc = state_store_open(plat_os(), dir, &large_config, &store, &err);
    if (rc != BASE_OK) return rc;
    rc = state_table_open(store, "large", &table, &err);
    if (rc == BASE_OK) rc = state_begin_write(store, &txn, &err);
    if (rc == BASE_OK) {
        for (int i = 0; i < LARGE_ROWS && rc == BASE_OK; i++) {
            char key[16];
            snprintf(value, sizeof value, "value of %d", i);
            rc = state_append(txn, table, text_of(key, 16, "%08d", i),
                              (base_str){value, sizeof value}, &err);
        }
        base_rc committed = state_commit(txn, &err);
        if (rc == BASE_OK) rc = committed;
    }
    state_store_close(store);
    return rc;
}

// Writes n bytes over every page that holds `text`; returns how many did.
static int pages_overwrite(const char *dir, const char *text, const char *bytes, size_t n) {
    char path[96];
    snprintf(path, sizeof path, "%s/data.mdb", dir);
    base_buf all = {0};
    if (plat_read_file(plat_os(), path, 512u << 20, &all, &err) != BASE_OK) return -1;
    int fd = open(path, O_WRONLY), hits = 0;
    for (size_t page = 2; page < all.n / 4096; page++) {
        if (memmem(all.p + page * 4096, 4096, text, strlen(text)) == NULL) continue;
        if (pwrite(fd, bytes, n, (off_t)page * 4096) == (ssize_t)n) hits++;
    }
    close(fd);
    base_buf_deinit(&all);
    return hits;
}

TEST(a_large_store_is_checked_where_it_matters) {
    char dir[64];
    REQUIRE(dir_make(dir));
    REQUIRE_OK(large_build(dir));
    state_store *store;
    state_table table;
    state_txn *txn;
    base_str value;
    bool found;
    REQUIRE_OK(state_store_open(plat_os(), dir, &large_config, &store, &err));
    state_stats stats;
    state_store_stats(store, &stats);
    EXPECT(stats.bytes_used > (66u << 20));
    REQUIRE_OK(state_verify(store, &err));
    state_store_close(store);
    static const char zeros[4096];
    EXPECT_EQ_INT(pages_overwrite(dir, "value of 50000", zeros, sizeof zeros), 1);
    REQUIRE_OK(state_store_open(plat_os(), dir, &large_config, &store, &err));
    REQUIRE_OK(state_table_open(store, "large", &table, &err));
    REQUIRE_OK(state_begin_read(store, &txn, &err));
    EXPECT(state_get(txn, table, BASE_STR("00050000"), &value, &found, &err) == BASE_E_CORRUPT);
    EXPECT(state_get(txn, table, BASE_STR("00020000"), &value, &found, &err) == BASE_E_CORRUPT);
    state_abort(txn); // it takes another snapshot to go on
    REQUIRE_OK(state_begin_read(store, &txn, &err));
    REQUIRE_OK(state_get(txn, table, BASE_STR("00020000"), &value, &found, &err));
    EXPECT(found);
    state_abort(txn);
    EXPECT(state_verify(store, &err) == BASE_E_CORRUPT);
    EXPECT(strstr(err.message, "\"large\"") != NULL);
    state_store_close(store);
    // The page that names the table is an inner one.
    EXPECT(pages_overwrite(dir, "large", "\1\2\3", 3) >= 1);
    EXPECT(state_store_open(plat_os(), dir, &large_config, &store, &err) == BASE_E_CORRUPT);
    dir_remove(dir);
}

TEST(other_files_are_not_taken_for_a_state) {
    char dir[64], path[96];
    REQUIRE(dir_make(dir));
    state_store *store;
    static char noise[20000];
    base_random random;
    base_random_seed(&random, 3);
    for (size_t i = 0; i < sizeof noise; i++) noise[i] = (char)base_random_u64(&random);
    REQUIRE(file_write(dir, noise, sizeof noise));
    EXPECT(state_store_open(plat_os(), dir, &damage_config, &store, &err) == BASE_E_CORRUPT);
    snprintf(path, sizeof path, "%s/file", dir);
    REQUIRE_OK(plat_replace_file(plat_os(), path, BASE_STR("x"), &err));
    base_rc rc = state_store_open(plat_os(), path, &damage_config, &store, &err); // not a directory
    EXPECT(rc != BASE_OK && err.message[0] != 0);
    dir_remove(dir);
}

TEST_MAIN(TEST_ENTRY(every_call_of_the_twin_fails_once),
          TEST_ENTRY(a_failed_write_spoils_its_transaction), TEST_ENTRY(a_full_map_loses_nothing),
          TEST_ENTRY(a_full_disk_loses_nothing), TEST_ENTRY(a_cut_file_is_corrupt),
          TEST_ENTRY(damaged_headers_are_corrupt), TEST_ENTRY(damaged_pages_are_corrupt),
          TEST_ENTRY(a_row_damaged_while_open_is_corrupt), TEST_ENTRY(a_damaged_key_hides_no_other),
          TEST_ENTRY(a_large_store_is_checked_where_it_matters),
          TEST_ENTRY(other_files_are_not_taken_for_a_state))
