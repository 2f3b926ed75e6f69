// Arbitrary bytes as the journal of a store: as they are, and as the operations of a record that is
// whole. What is read must be read the same again, and be good for tables that verify.
#include "base/must.h"
#include "plat/sim.h"
#include "state/state_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_file(plat *p, const char *path, base_str bytes) {
    plat_file *file;
    base_error err;
    must(plat_open(p, path, PLAT_OPEN_WRITE | PLAT_OPEN_CREATE | PLAT_OPEN_TRUNCATE, &file, &err) ==
         BASE_OK);
    must(plat_write_at(file, bytes.p, bytes.n, 0, &err) == BASE_OK);
    plat_close(file);
}

// Replays into a store of the twin and gives back how many rows that makes; UINT64_MAX: refused.
static uint64_t replay_rows(plat *p) {
    state_config config = {.in_memory = true};
    state_store *store;
    state_table table;
    base_error err;
    must(state_store_open(p, "d", &config, &store, &err) == BASE_OK);
    must(state_table_open(store, "t", &table, &err) == BASE_OK);
    must(state_table_open(store, "u", &table, &err) == BASE_OK);
    store->no_sync = true;
    state_journal *journal;
    base_rc rc =
        state_journal_open(store, 0, true, false, state_layer_replay, store, &journal, &err);
    uint64_t rows = UINT64_MAX, bytes;
    if (rc == BASE_OK) {
        state_txn txn = {.store = store};
        must(state_mem_begin(&txn, &err) == BASE_OK);
        rows = state_mem_rows(&txn, &bytes);
        state_mem_abort(&txn);
        // The next commit finds its place.
        must(state_journal_append(journal, 1u << 20, BASE_STR(""), &err) == BASE_OK);
        state_journal_close(journal);
    }
    must(state_verify(store, &err) == BASE_OK);
    state_store_close(store);
    return rows;
}

// The bytes as the operations of commit 1.
static void wrap(plat *p, base_str ops) {
    state_store store = {.plat = p, .dir = "d", .no_sync = true};
    state_journal *journal;
    base_error err;
    must(state_journal_open(&store, 0, true, false, state_layer_replay, &store, &journal, &err) ==
         BASE_OK);
    must(state_journal_append(journal, 1, ops, &err) == BASE_OK);
    state_journal_close(journal);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 1) return 0;
    base_str bytes = {(const char *)data + 1, size - 1};
    plat_sim *sim = plat_sim_create(1);
    plat *p = plat_sim_plat(sim);
    base_error err;
    must(p->ops->make_dir(p, "d", &err) == BASE_OK);
    if ((data[0] & 1) == 0) {
        size_t half = (data[0] & 2) == 0 ? bytes.n : bytes.n / 2;
        write_file(p, "d/journal.0", (base_str){bytes.p, half});
        write_file(p, "d/journal.1", (base_str){bytes.p + half, bytes.n - half});
    } else {
        wrap(p, bytes);
    }
    uint64_t rows = replay_rows(p), again = replay_rows(p);
    must(rows == again || (rows != UINT64_MAX && again == UINT64_MAX)); // the append left a gap
    plat_sim_destroy(sim);
    return 0;
}
