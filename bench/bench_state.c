// bench_state - how fast a store takes sorted batches of upserts with a commit each, and gives rows
// back by batch and by scan; on disk (without sync, and with) and in the twin.
// Usage: bench_state [rows [batch [directory]]]; the directory is made and removed.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/must.h"
#include "base/random.h"
#include "state/state.h"

enum { KEY_BYTES = 16, VALUE_BYTES = 64 };

typedef struct rows {
    size_t n;
    uint64_t *numbers;
    char (*keys)[KEY_BYTES];
    base_str *key_strs, *values;
} rows;

static base_error err;

static void must_ok(base_rc rc) {
    if (rc == BASE_OK) return;
    fprintf(stderr, "bench_state: %s\n", err.message);
    exit(1);
}

static int number_compare(const void *a, const void *b) {
    uint64_t x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return (x > y) - (x < y);
}

static void rows_init(rows *r, size_t n) {
    r->numbers = malloc(n * sizeof *r->numbers);
    r->keys = malloc(n * sizeof *r->keys);
    r->key_strs = malloc(n * sizeof *r->key_strs);
    r->values = malloc(n * sizeof *r->values);
    must(r->numbers != NULL && r->keys != NULL && r->key_strs != NULL && r->values != NULL);
}

static void rows_deinit(rows *r) {
    free(r->numbers);
    free(r->keys);
    free(r->key_strs);
    free(r->values);
}

// n random keys of `space`, sorted, without doubles.
static void rows_draw(rows *r, size_t n, uint64_t space, base_random *random, const char *value) {
    for (size_t i = 0; i < n; i++) r->numbers[i] = base_random_below(random, space);
    qsort(r->numbers, n, sizeof *r->numbers, number_compare);
    r->n = 0;
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && r->numbers[i] == r->numbers[i - 1]) continue;
        uint64_t number = __builtin_bswap64(r->numbers[i]); // ascending as bytes
        memset(r->keys[r->n], 'k', KEY_BYTES);
        memcpy(r->keys[r->n] + KEY_BYTES - 8, &number, 8);
        r->key_strs[r->n] = (base_str){r->keys[r->n], KEY_BYTES};
        r->values[r->n++] = (base_str){value, VALUE_BYTES};
    }
}

static void report(const char *what, uint64_t n, uint64_t ns) {
    printf("  %-22s %9" PRIu64 " rows  %8.2f ms  %8.2f million rows/s\n", what, n, (double)ns / 1e6,
           (double)n * 1e3 / (double)ns);
}

static uint64_t scan(state_store *store, state_table table, bool back) {
    state_txn *txn;
    state_cursor *cursor;
    base_str key, value;
    bool end;
    uint64_t n = 0, bytes = 0;
    must_ok(state_begin_read(store, &txn, &err));
    must_ok(state_cursor_open(txn, table, &cursor, &err));
    for (;;) {
        must_ok(back ? state_cursor_prev(cursor, &key, &value, &end, &err)
                     : state_cursor_next(cursor, &key, &value, &end, &err));
        if (end) break;
        n++;
        bytes += (uint8_t)value.p[0];
    }
    must(bytes > 0);
    state_abort(txn);
    return n;
}

static void run(const char *name, const char *dir, const state_config *config, size_t total,
                size_t batch) {
    static const char value[VALUE_BYTES] =
        "a value of sixty-four bytes, as a group's partial sums might be";
    plat *os = plat_os();
    state_store *store;
    state_table table;
    state_txn *txn;
    rows r;
    base_random random;
    base_random_seed(&random, 1);
    rows_init(&r, batch);
    must_ok(state_store_open(os, dir, config, &store, &err));
    must_ok(state_table_open(store, "bench", &table, &err));
    printf("%s: %zu rows in batches of %zu\n", name, total, batch);
    for (int pass = 0; pass < 2; pass++) { // the second finds most of the keys
        uint64_t ns = 0, n = 0;
        for (size_t done = 0; done < total; done += batch) {
            rows_draw(&r, batch, total, &random, value);
            uint64_t start = plat_monotonic_ns(os);
            must_ok(state_begin_write(store, &txn, &err));
            must_ok(state_put_batch(txn, table, r.n, r.key_strs, r.values, &err));
            must_ok(state_commit(txn, &err));
            ns += plat_monotonic_ns(os) - start;
            n += r.n;
        }
        report(pass == 0 ? "upsert, commit" : "upsert again, commit", n, ns);
    }
    uint64_t ns = 0, n = 0;
    base_str *values = malloc(batch * sizeof *values);
    must(values != NULL);
    for (size_t done = 0; done < total; done += batch) {
        rows_draw(&r, batch, total, &random, value);
        uint64_t start = plat_monotonic_ns(os);
        must_ok(state_begin_read(store, &txn, &err));
        must_ok(state_get_batch(txn, table, r.n, r.key_strs, values, &err));
        state_abort(txn);
        ns += plat_monotonic_ns(os) - start;
        n += r.n;
    }
    free(values);
    report("get", n, ns);
    for (int back = 0; back < 2; back++) {
        uint64_t start = plat_monotonic_ns(os);
        uint64_t seen = scan(store, table, back == 1);
        report(back ? "scan backward" : "scan", seen, plat_monotonic_ns(os) - start);
    }
    uint64_t start = plat_monotonic_ns(os);
    must_ok(state_verify(store, &err));
    report("verify", total, plat_monotonic_ns(os) - start);
    state_store_close(store);
    rows_deinit(&r);
}

int main(int argc, char **argv) {
    size_t total = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000000;
    size_t batch = argc > 2 ? strtoull(argv[2], NULL, 10) : 50000;
    const char *dir = argc > 3 ? argv[3] : "bench_state.tmp";
    if (total == 0 || batch == 0) {
        fprintf(stderr, "usage: bench_state [rows [batch [directory]]]\n");
        return 2;
    }
    run("LMDB, no sync", dir, &(state_config){.no_sync = true}, total, batch);
    must_ok(plat_remove_tree(plat_os(), dir, &err));
    run("LMDB, durable", dir, &(state_config){0}, total, batch);
    must_ok(plat_remove_tree(plat_os(), dir, &err));
    run("twin in memory", dir, &(state_config){.in_memory = true}, total, batch);
    return 0;
}
