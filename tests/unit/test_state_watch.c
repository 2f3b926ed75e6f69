// What a store tells of its writes is enough to keep a copy of it; and settling empties the journal
// beside a writer, and loses nothing.
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "state/state.h"
#include "test.h"

enum { ROWS = 300 };

typedef struct copy {
    state_store *store;
    state_table table, other;
    bool touched[ROWS];
    int others;
    char values[ROWS][8]; // as they were copied; empty: no such row
} copy;

static base_error err;

static base_str key_of(char room[8], int i) {
    return (base_str){room, (size_t)snprintf(room, 8, "k%05d", i)};
}

static void note(void *arg, state_table table, base_str from, const base_str *to) {
    copy *c = arg;
    if (table != c->table) {
        c->others++;
        return;
    }
    for (int i = 0; i < ROWS; i++) {
        char room[8];
        base_str key = key_of(room, i);
        bool in = to == NULL
                      ? base_str_eq(key, from)
                      : base_str_cmp(key, from) >= 0 && (to->n == 0 || base_str_cmp(key, *to) < 0);
        if (in) c->touched[i] = true;
    }
}

static base_rc write_some(state_txn *txn, copy *c, base_random *random) {
    char a[8], b[8], text[8];
    int i = (int)base_random_below(random, ROWS), j = (int)base_random_below(random, ROWS);
    base_str key = key_of(a, i < j ? i : j), to = key_of(b, i < j ? j : i);
    base_str value = {text, (size_t)snprintf(text, sizeof text, "%u",
                                             (unsigned)base_random_below(random, 99999))};
    bool found;
    uint64_t deleted;
    switch (base_random_below(random, 12)) {
    case 0:
        return state_delete_range(txn, c->table, key, to, &deleted, &err);
    case 1:
        return i % 10 == 0 ? state_clear(txn, c->table, &err) : BASE_OK;
    case 2:
        return state_delete(txn, c->table, key, &found, &err);
    case 3:
    case 4: {
        base_str keys[] = {key, to}, values[] = {value, {NULL, 0}};
        return i == j ? BASE_OK : state_put_batch(txn, c->table, 2, keys, values, &err);
    }
    case 5:
        return state_put(txn, c->other, key, value, &err);
    case 6: { // above all others
        base_rc rc = state_append(txn, c->table, key, value, &err);
        return rc == BASE_E_EXISTS ? BASE_OK : rc;
    }
    default:
        return state_put(txn, c->table, key, value, &err);
    }
}

static void check_copy(copy *c) {
    state_txn *txn;
    REQUIRE_OK(state_begin_read(c->store, &txn, &err));
    for (int i = 0; i < ROWS; i++) {
        char room[8];
        base_str value;
        bool found;
        REQUIRE_OK(state_get(txn, c->table, key_of(room, i), &value, &found, &err));
        char text[8] = "";
        if (found) memcpy(text, value.p, value.n);
        if (c->touched[i]) memcpy(c->values[i], text, sizeof text);
        EXPECT_EQ_STR(c->values[i], text);
    }
    memset(c->touched, 0, sizeof c->touched);
    state_abort(txn);
}

static void run(bool in_memory, bool journal) {
    char dir[] = "/tmp/test_state_watch_XXXXXX";
    REQUIRE(mkdtemp(dir) != NULL);
    state_config config = {
        .in_memory = in_memory, .map_bytes = 64u << 20, .no_sync = true, .journal = journal};
    copy *c = calloc(1, sizeof *c);
    base_random random;
    base_random_seed(&random, 5);
    REQUIRE_OK(state_store_open(plat_os(), dir, &config, &c->store, &err));
    REQUIRE_OK(state_table_open(c->store, "t", &c->table, &err));
    REQUIRE_OK(state_table_open(c->store, "other", &c->other, &err));
    state_store_watch(c->store, note, c);
    for (int i = 0; i < 200; i++) {
        state_txn *txn;
        bool large = base_random_below(&random, 4) == 0;
        REQUIRE_OK(large ? state_begin_write_large(c->store, &txn, &err)
                         : state_begin_write(c->store, &txn, &err));
        for (uint64_t n = base_random_below(&random, 20); n > 0; n--)
            REQUIRE_OK(write_some(txn, c, &random));
        if (base_random_below(&random, 5) == 0)
            state_abort(txn);
        else
            REQUIRE_OK(state_commit(txn, &err));
        if (i % 7 == 0) REQUIRE_OK(state_store_settle(c->store, &err));
        check_copy(c);
    }
    EXPECT(c->others > 0);
    state_store_watch(c->store, NULL, NULL);
    int others = c->others;
    state_txn *txn;
    REQUIRE_OK(state_begin_write(c->store, &txn, &err));
    REQUIRE_OK(state_put(txn, c->other, BASE_STR("x"), BASE_STR("y"), &err));
    REQUIRE_OK(state_commit(txn, &err));
    EXPECT_EQ_INT(c->others, others);
    // Settled: the journal has nothing that a start would need, and once more is nothing to do.
    state_stats stats;
    for (int i = 0; i < 2; i++) {
        REQUIRE_OK(state_store_settle(c->store, &err));
        state_store_stats(c->store, &stats);
        EXPECT_EQ_INT(stats.journal_bytes, 0);
        EXPECT(!stats.checkpointing);
    }
    check_copy(c);
    if (!in_memory) {
        state_store_close(c->store);
        REQUIRE_OK(state_store_open(plat_os(), dir, &config, &c->store, &err));
        REQUIRE_OK(state_table_open(c->store, "t", &c->table, &err));
        check_copy(c);
    }
    REQUIRE_OK(state_verify(c->store, &err));
    state_store_close(c->store);
    REQUIRE_OK(plat_remove_tree(plat_os(), dir, &err));
    free(c);
}

TEST(in_the_twin) {
    run(true, false);
}
TEST(on_disk) {
    run(false, false);
}
TEST(under_a_layer) {
    run(false, true);
}

TEST_MAIN(TEST_ENTRY(in_the_twin), TEST_ENTRY(on_disk), TEST_ENTRY(under_a_layer))
