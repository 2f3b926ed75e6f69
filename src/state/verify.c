// verify.c - walks everything that a store's last commit reaches. The disk's pages are read by
// lmdb_check.c, not by LMDB, which trusts what it maps; the twin's trees by tree.c.
#include "state/state_int.h"

base_rc state_verify(state_store *store, base_error *err) {
    if (!state_is_twin(store)) return state_lmdb_verify(store, err);
    base_rc rc = state_mem_ask(store->memory, "verify", err);
    state_txn *txn;
    if (rc == BASE_OK) rc = state_begin_read(store, &txn, err);
    if (rc != BASE_OK) return rc;
    rc = state_mem_verify(txn, err);
    state_abort(txn);
    return rc;
}
