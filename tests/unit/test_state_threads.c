// Threads on one store, for each backend: a writer moves amounts between rows, readers add them up
// and must always come to the same sum, while another thread opens and drops tables.
#include "state/state.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/random.h"
#include "plat/thread.h"
#include "test.h"

enum { ACCOUNTS = 200, TOTAL = ACCOUNTS * 1000, TRANSFERS = 400, READERS = 2 };

typedef struct shared {
    state_store *store;
    state_table table;
    atomic_bool done;
    atomic_int wrong, reads;
} shared;

static base_str account_key(char room[16], int i) {
    return (base_str){room, (size_t)snprintf(room, 16, "account%05d", i)};
}

static bool put_amount(state_txn *txn, state_table table, int i, int64_t amount) {
    char room[16];
    base_error err;
    return state_put(txn, table, account_key(room, i), (base_str){(char *)&amount, sizeof amount},
                     &err) == BASE_OK;
}

static bool get_amount(state_txn *txn, state_table table, int i, int64_t *amount) {
    char room[16];
    base_str value;
    base_error err;
    bool found;
    if (state_get(txn, table, account_key(room, i), &value, &found, &err) != BASE_OK) return false;
    if (!found || value.n != sizeof *amount) return false;
    memcpy(amount, value.p, sizeof *amount);
    return true;
}

static void *write_run(void *arg) {
    shared *s = arg;
    base_random random;
    base_random_seed(&random, 11);
    for (int i = 0; i < TRANSFERS; i++) {
        state_txn *txn;
        base_error err;
        if (state_begin_write(s->store, &txn, &err) != BASE_OK) {
            s->wrong++;
            continue;
        }
        for (int j = 0; j < 10; j++) {
            int from = (int)base_random_below(&random, ACCOUNTS);
            int to = (from + 1 + (int)base_random_below(&random, ACCOUNTS - 1)) % ACCOUNTS;
            int64_t a, b;
            if (!get_amount(txn, s->table, from, &a) || !get_amount(txn, s->table, to, &b))
                s->wrong++;
            if (!put_amount(txn, s->table, from, a - j) || !put_amount(txn, s->table, to, b + j)) {
                s->wrong++;
            }
        }
        if (i % 3 == 0) {
            state_abort(txn);
        } else if (state_commit(txn, &err) != BASE_OK) {
            s->wrong++;
        }
    }
    s->done = true;
    return NULL;
}

static int64_t read_sum(state_txn *txn, state_table table) {
    state_cursor *cursor;
    base_error err;
    base_str key, value;
    bool end = false;
    int64_t sum = 0, amount;
    if (state_cursor_open(txn, table, &cursor, &err) != BASE_OK) return -1;
    for (;;) {
        if (state_cursor_next(cursor, &key, &value, &end, &err) != BASE_OK) return -1;
        if (end) return sum; // the transaction's end closes the cursor
        memcpy(&amount, value.p, sizeof amount);
        sum += amount;
    }
}

static void *read_run(void *arg) {
    shared *s = arg;
    do {
        state_txn *txn;
        base_error err;
        if (state_begin_read(s->store, &txn, &err) != BASE_OK) {
            s->wrong++;
            continue;
        }
        for (int i = 0; i < 2; i++) {
            if (read_sum(txn, s->table) != TOTAL) s->wrong++;
        }
        state_abort(txn);
        s->reads++;
    } while (!s->done);
    return NULL;
}

static void *tables_run(void *arg) {
    shared *s = arg;
    for (int i = 0; !s->done; i++) {
        char name[16];
        state_table table;
        state_txn *txn;
        base_error err;
        base_str value;
        bool found;
        snprintf(name, sizeof name, "view%d", i % 7);
        if (state_table_open(s->store, name, &table, &err) != BASE_OK) s->wrong++;
        if (state_begin_write(s->store, &txn, &err) != BASE_OK) s->wrong++;
        if (!put_amount(txn, table, 1, i)) s->wrong++;
        if (state_commit(txn, &err) != BASE_OK) s->wrong++;
        if (state_begin_read(s->store, &txn, &err) != BASE_OK) s->wrong++;
        if (state_get(txn, table, BASE_STR("account00001"), &value, &found, &err) != BASE_OK ||
            !found) {
            s->wrong++;
        }
        state_abort(txn);
        if (i % 3 == 0 && state_store_settle(s->store, &err) != BASE_OK) s->wrong++;
        if (i % 2 == 1 && state_table_drop(s->store, name, &err) != BASE_OK) s->wrong++;
    }
    return NULL;
}

static void run(bool in_memory, bool journal, uint64_t journal_bytes) {
    char dir[] = "/tmp/test_state_threads_XXXXXX";
    REQUIRE(mkdtemp(dir) != NULL);
    state_config config = {.in_memory = in_memory,
                           .map_bytes = 64u << 20,
                           .no_sync = true,
                           .journal = journal,
                           .journal_bytes = journal_bytes};
    base_error err;
    shared s = {0};
    REQUIRE_OK(state_store_open(plat_os(), dir, &config, &s.store, &err));
    REQUIRE_OK(state_table_open(s.store, "accounts", &s.table, &err));
    state_txn *txn;
    REQUIRE_OK(state_begin_write(s.store, &txn, &err));
    for (int i = 0; i < ACCOUNTS; i++) REQUIRE(put_amount(txn, s.table, i, TOTAL / ACCOUNTS));
    REQUIRE_OK(state_commit(txn, &err));
    plat_thread writer, tables, readers[READERS];
    plat_thread_start(&writer, "write", write_run, &s);
    plat_thread_start(&tables, "tables", tables_run, &s);
    for (int i = 0; i < READERS; i++) plat_thread_start(&readers[i], "read", read_run, &s);
    plat_thread_join(writer);
    plat_thread_join(tables);
    for (int i = 0; i < READERS; i++) plat_thread_join(readers[i]);
    EXPECT_EQ_INT(s.wrong, 0);
    EXPECT(s.reads >= READERS);
    REQUIRE_OK(state_verify(s.store, &err));
    state_store_close(s.store);
    REQUIRE_OK(plat_remove_tree(plat_os(), dir, &err));
}

TEST(sums_hold_in_the_twin) {
    run(true, false, 0);
}
TEST(sums_hold_on_disk) {
    run(false, false, 0);
}

TEST(sums_hold_under_a_layer) {
    run(false, true, 1);
}

// Only settling, and tables that come and go, bring it to LMDB.
TEST(sums_hold_under_a_layer_that_is_settled) {
    run(false, true, STATE_JOURNAL_BYTES);
}

TEST_MAIN(TEST_ENTRY(sums_hold_under_a_layer), TEST_ENTRY(sums_hold_under_a_layer_that_is_settled),
          TEST_ENTRY(sums_hold_in_the_twin), TEST_ENTRY(sums_hold_on_disk))
