// Reconciliation of a stream by digests of ranges, against a book of the test's own: random sets of
// keys against a comparison of all keys, books that fail at each call, events taken back; and the
// external sort.

#include "base/random.h"
#include "engine/recon/canon.h"
#include "engine/recon/recon_int.h"
#include "engine_rig.h"

// ---- a book in memory ---------------------------------------------------------------------------

typedef struct book_row {
    int64_t key, value;
} book_row;

static struct {
    bool by_value;
    uint32_t n;
    book_row rows[20000];
    uint32_t calls, fail_at; // 0: none fails
    uint32_t rows_read;
    rig *dropper; // another session that drops the reconciliation when the book is asked
} memory;

static void drop_it(rig *b) {
    engine_session other;
    engine_session_init(&other, b->e);
    base_arena arena;
    base_arena_init(&arena, 4096);
    engine_result result;
    base_error err;
    EXPECT(engine_run_sql(&other, BASE_STR("DROP RECONCILIATION r"), &arena, &result, &err) ==
           BASE_OK);
    base_arena_deinit(&arena);
}

static base_rc count_call(base_error *err) {
    if (++memory.calls != memory.fail_at) return BASE_OK;
    return base_fail(err, BASE_E_IO, "08006", "book: call %u fails", memory.calls);
}

static base_rc memory_open(const engine_book_spec *spec, base_arena *arena, engine_book **out,
                           base_error *err) {
    base_rc rc = count_call(err);
    if (rc != BASE_OK) return rc;
    engine_book *book = base_arena_new(arena, engine_book);
    static const engine_book_ops *ops;
    extern const engine_book_ops memory_book;
    ops = &memory_book;
    *book = (engine_book){.ops = ops, .spec = spec, .digests = true, .name = "memory"};
    book->by_value = memory.by_value;
    book->has = base_arena_array(arena, bool, spec->nfields + 1);
    for (uint32_t i = 0; i < spec->nfields; i++) book->has[i] = i < 2;
    *out = book;
    return BASE_OK;
}

static col_batch *batch_of(const engine_book_spec *spec, base_arena *arena, const book_row *row) {
    col_type *types = base_arena_array(arena, col_type, spec->nfields);
    for (uint32_t i = 0; i < spec->nfields; i++) types[i] = spec->fields[i].type;
    col_batch *batch = col_batch_create(arena, spec->nfields, types, 1);
    col_i64(&batch->cols[0])[0] = row->key;
    col_dec(&batch->cols[1])[0] = base_decimal_from_i64(row->value);
    for (uint32_t i = 2; i < spec->nfields; i++) col_vec_set_null(&batch->cols[i], arena, 0);
    return batch;
}

static int64_t position_of(const engine_book_spec *spec, base_arena *arena, const book_row *row) {
    if (memory.by_value) return row->key;
    const uint32_t key[] = {0};
    base_buf text = {0};
    engine_canon_add(&text, batch_of(spec, arena, row), 0, 1, key);
    int64_t pos = (int64_t)engine_canon_digest(base_buf_str(&text), NULL);
    base_buf_deinit(&text);
    return pos;
}

static int range_of(uint32_t n, const engine_book_range *ranges, int64_t pos) {
    for (uint32_t i = 0; i < n; i++)
        if (pos >= ranges[i].from && pos <= ranges[i].to) return (int)i;
    return -1;
}

static base_rc memory_read(engine_book *book, uint32_t nranges, const engine_book_range *ranges,
                           engine_book_visit *visit, void *arg, base_error *err) {
    base_rc rc = count_call(err);
    base_arena arena;
    base_arena_init(&arena, 4096);
    for (uint32_t i = memory.n; rc == BASE_OK && i-- > 0;) { // in no order that helps
        base_arena_reset(&arena);
        int64_t pos = position_of(book->spec, &arena, &memory.rows[i]);
        if (nranges > 0 && range_of(nranges, ranges, pos) < 0) continue;
        memory.rows_read++;
        rc = visit(arg, batch_of(book->spec, &arena, &memory.rows[i]), NULL, err);
    }
    base_arena_deinit(&arena);
    return rc;
}

static base_rc memory_digest(engine_book *book, uint32_t nranges, const engine_book_range *ranges,
                             int64_t settled_us, engine_book_digest *out, base_error *err) {
    (void)settled_us;
    base_rc rc = count_call(err);
    if (rc != BASE_OK) return rc;
    if (memory.dropper != NULL) drop_it(memory.dropper);
    memory.dropper = NULL;
    for (uint32_t i = 1; i < nranges; i++) EXPECT(ranges[i].from > ranges[i - 1].to);
    base_arena arena;
    base_arena_init(&arena, 4096);
    for (uint32_t i = 0; i < memory.n; i++) {
        base_arena_reset(&arena);
        int at = range_of(nranges, ranges, position_of(book->spec, &arena, &memory.rows[i]));
        if (at < 0) continue;
        const uint32_t both[] = {0, 1};
        base_buf text = {0};
        engine_canon_add(&text, batch_of(book->spec, &arena, &memory.rows[i]), 0, 2, both);
        out[at].rows++;
        out[at].sum += engine_canon_digest(base_buf_str(&text), NULL);
        base_buf_deinit(&text);
    }
    base_arena_deinit(&arena);
    return BASE_OK;
}

static void memory_close(engine_book *book) {
    (void)book;
}

// In the place of the connector that src/connect has, which is not linked here.
extern const engine_book_ops memory_book;
const engine_book_ops memory_book = {"postgres", memory_open, memory_read, memory_digest,
                                     memory_close};

static uint64_t query_memory_bytes; // 0: so much that nothing goes to files

static bool start(rig *b, const char *options) {
    if (!rig_start(b)) return false;
    engine_close(b->e);
    b->config.query_memory_bytes = query_memory_bytes;
    if (!rig_open(b)) return false;
    engine_book_register(b->e, &memory_book);
    memset(&memory, 0, sizeof memory);
    char sql[512];
    snprintf(sql, sizeof sql,
             "CREATE STREAM s (event INT NOT NULL, k BIGINT NOT NULL, v INT, PRIMARY KEY (%s)) %s",
             options[0] == '\0' ? "event" : "k", options);
    EXPECT_EQ_STR(ask(b, sql), "CREATE STREAM");
    EXPECT_EQ_STR(ask(b, "CREATE RECONCILIATION r ON STREAM s AGAINST (connector = 'postgres', "
                         "conninfo = '', query = '') KEY (k) COMPARE (v)"),
                  "CREATE RECONCILIATION");
    return true;
}

#define RUN                                                                                        \
    "SELECT matched, missing, unexpected, differing, duplicate, error FROM "                       \
    "weir.reconciliation_runs ORDER BY run DESC LIMIT 1"

// ---- random sets --------------------------------------------------------------------------------

static int by_row(const void *a, const void *b) {
    const book_row *x = a, *y = b;
    if (x->key != y->key) return x->key < y->key ? -1 : 1;
    return (x->value > y->value) - (x->value < y->value);
}

// What comparing all keys says.
static void compare_all(uint32_t n, book_row *ours, char out[128]) {
    static book_row theirs[20000];
    memcpy(theirs, memory.rows, memory.n * sizeof *theirs);
    qsort(theirs, memory.n, sizeof *theirs, by_row);
    qsort(ours, n, sizeof *ours, by_row);
    unsigned matched = 0, missing = 0, unexpected = 0, differing = 0, duplicate = 0;
    for (uint32_t i = 0, k = 0; i < n || k < memory.n;) {
        int64_t key =
            k == memory.n || (i < n && ours[i].key < theirs[k].key) ? ours[i].key : theirs[k].key;
        uint32_t a = i, b = k;
        while (i < n && ours[i].key == key) i++;
        while (k < memory.n && theirs[k].key == key) k++;
        if (i - a > 1 || k - b > 1)
            duplicate++;
        else if (i == a)
            missing++;
        else if (k == b)
            unexpected++;
        else if (ours[a].value == theirs[b].value)
            matched++;
        else
            differing++;
    }
    snprintf(out, 128, "%u|%u|%u|%u|%u|null", matched, missing, unexpected, differing, duplicate);
}

static int64_t random_key(base_random *random, uint32_t spread) {
    static const int64_t edges[] = {INT64_MIN, INT64_MIN + 1, -1, 0, 1, INT64_MAX - 1, INT64_MAX};
    switch (spread) {
    case 0:
        return (int64_t)base_random_below(random, 3000);
    case 1:
        return (int64_t)base_random_u64(random);
    case 2: // clusters far apart
        return ((int64_t)base_random_below(random, 5) - 2) * (1ll << 60) +
               (int64_t)base_random_below(random, 500);
    default:
        return edges[base_random_below(random, 7)];
    }
}

// The same rows on both sides but for a few.
static uint32_t make_sets(base_random *random, book_row *ours) {
    uint32_t n = (uint32_t)base_random_below(random, 3000), mine = 0;
    uint32_t spread = (uint32_t)base_random_below(random, 3);
    uint32_t odds = base_random_below(random, 4) == 0 ? 3 : 400; // one in so many is not right
    memory.n = 0;
    for (uint32_t i = 0; i < n; i++) {
        book_row row = {random_key(random, base_random_below(random, 100) == 0 ? 3 : spread),
                        (int64_t)base_random_below(random, 10)};
        uint32_t fault =
            base_random_below(random, odds) == 0 ? 1 + (uint32_t)base_random_below(random, 4) : 0;
        if (fault != 1) ours[mine++] = row;
        if (fault == 3) ours[mine++] = row;
        if (fault == 4) row.value++;
        if (fault != 2) memory.rows[memory.n++] = row;
    }
    return mine;
}

TEST(random_sets_by_value_and_by_hash) {
    base_random random;
    base_random_seed(&random, 2027);
    static book_row ours[20000];
    for (int round = 0; round < 40; round++) {
        rig b;
        query_memory_bytes = round % 2 == 0 ? 0 : 600 << 10;
        if (!start(&b, "")) return;
        uint32_t n = make_sets(&random, ours);
        base_buf text = {0};
        for (uint32_t i = 0; i < n; i++)
            base_buf_printf(&text, "{\"event\":%u,\"k\":%lld,\"v\":%lld}\n", i,
                            (long long)ours[i].key, (long long)ours[i].value);
        if (n > 0) ingest(&b, "s", base_buf_cstr(&text));
        base_buf_deinit(&text);
        char expected[128];
        compare_all(n, ours, expected);
        for (int by_value = 0; by_value < 2; by_value++) {
            memory.by_value = by_value;
            EXPECT(strstr(ask(&b, "RECONCILE r"), "ERROR") == NULL);
            EXPECT_EQ_STR(ask(&b, RUN), expected);
        }
        rig_stop(&b);
        if (test_failures > 0) {
            fprintf(stderr, "round %d\n", round);
            return;
        }
    }
    query_memory_bytes = 0;
}

TEST(little_is_read_of_what_agrees) {
    rig b;
    if (!start(&b, "")) return;
    base_buf text = {0};
    for (int i = 0; i < 10000; i++) {
        base_buf_printf(&text, "{\"event\":%d,\"k\":%d,\"v\":1}\n", i, i * 3);
        memory.rows[memory.n++] = (book_row){i * 3, i == 5000 ? 2 : 1};
    }
    ingest(&b, "s", base_buf_cstr(&text));
    base_buf_deinit(&text);
    for (int by_value = 0; by_value < 2; by_value++) {
        memory.by_value = by_value;
        memory.rows_read = 0;
        ask(&b, "RECONCILE r");
        EXPECT_EQ_STR(ask(&b, RUN), "9999|0|0|1|0|null");
        EXPECT(memory.rows_read <= 128);
    }
    rig_stop(&b);
}

// ---- what may go wrong --------------------------------------------------------------------------

TEST(a_book_that_fails_at_each_call) {
    rig b;
    if (!start(&b, "")) return;
    base_buf text = {0};
    for (int i = 0; i < 1000; i++) {
        base_buf_printf(&text, "{\"event\":%d,\"k\":%d,\"v\":1}\n", i, i);
        memory.rows[memory.n++] = (book_row){i, i % 300 == 7 ? 2 : 1};
    }
    ingest(&b, "s", base_buf_cstr(&text));
    base_buf_deinit(&text);
    for (uint32_t n = 1; n < 20; n++) {
        memory.calls = 0;
        memory.fail_at = n;
        const char *answer = ask(&b, "RECONCILE r");
        bool failed = strstr(answer, "ERROR 08006") == answer;
        EXPECT(failed || memory.calls < n);
        char expected[64];
        snprintf(expected, sizeof expected, "0|0|0|0|0|book: call %u fails", n);
        EXPECT_EQ_STR(ask(&b, RUN), failed ? expected : "996|0|0|4|0|null");
        if (!failed) break;
        EXPECT(n < 19);
    }
    memory.fail_at = 0;
    // Files, too: a run with an error, and the next one is whole.
    for (uint64_t n = 1; n <= 16; n++) {
        plat_sim_fail_call(b.sim, n);
        const char *answer = ask(&b, "RECONCILE r");
        EXPECT(strstr(answer, "ERROR") == answer || strstr(answer, "|996|0|0|4") != NULL);
        plat_sim_fail_call(b.sim, 0);
        EXPECT(strstr(ask(&b, "RECONCILE r"), "|996|0|0|4") != NULL);
    }
    rig_stop(&b);
}

TEST(what_is_pending_outlives_a_run_that_fails) {
    rig b;
    if (!start(&b, "")) return;
    EXPECT_EQ_STR(ask(&b, "CREATE RECONCILIATION p ON STREAM s AGAINST (connector = 'postgres', "
                          "conninfo = '', query = '') KEY (k) COMPARE (v) SETTLE '1 second'"),
                  "CREATE RECONCILIATION");
    memory.rows[memory.n++] = (book_row){1, 1};
    EXPECT_EQ_STR(ask(&b, "RECONCILE p"), "1|0|0|0|0");
    memory.calls = 0;
    memory.fail_at = 2;
    EXPECT(strstr(ask(&b, "RECONCILE p"), "ERROR") != NULL);
    memory.fail_at = 0;
    plat_sim_advance_us(b.sim, 1100000);
    EXPECT_EQ_STR(ask(&b, "RECONCILE p"), "3|0|1|0|0");
    // Another value of the same key is another finding.
    memory.rows[0].value = 2;
    EXPECT_EQ_STR(ask(&b, "RECONCILE p"), "4|0|0|0|0");
    EXPECT_EQ_STR(ask(&b, "SELECT pending FROM weir.reconciliation_runs ORDER BY run DESC LIMIT 1"),
                  "1");
    rig_stop(&b);
}

TEST(events_that_were_taken_back_do_not_count) {
    rig b;
    if (!start(&b, "WITH (retractions = 'on')")) return;
    ingest(&b, "s",
           "{\"event\":1,\"k\":1,\"v\":1}\n{\"event\":2,\"k\":2,\"v\":1}\n"
           "{\"event\":3,\"k\":2,\"v\":5}\n{\"event\":4,\"k\":3,\"v\":1}\n");
    ingest(&b, "s",
           "{\"_op\":\"delete\",\"k\":1}\n{\"_op\":\"delete\",\"k\":3}\n"
           "{\"event\":5,\"k\":3,\"v\":7}\n");
    memory.rows[memory.n++] = (book_row){2, 1};
    memory.rows[memory.n++] = (book_row){3, 7};
    EXPECT_EQ_STR(ask(&b, "RECONCILE r"), "1|2|0|0|0");
    // What stands is what a query says stands.
    EXPECT_EQ_STR(ask(&b, "SELECT k, v FROM s ORDER BY k"), "2|1\n3|7");
    memory.rows[memory.n++] = (book_row){1, 1};
    EXPECT_EQ_STR(ask(&b, "RECONCILE r"), "2|2|1|0|0");
    rig_stop(&b);
}

TEST(dropped_while_it_runs) {
    rig b;
    if (!start(&b, "")) return;
    ingest(&b, "s", "{\"event\":1,\"k\":1,\"v\":1}\n");
    memory.dropper = &b;
    EXPECT_EQ_STR(ask(&b, "RECONCILE r"),
                  "ERROR 42704: reconciliation \"public.r\" was dropped while it ran");
    uint64_t rows = 1;
    base_error err;
    state_txn *txn;
    REQUIRE_OK(state_begin_read(b.e->meta, &txn, &err));
    REQUIRE_OK(state_table_count(txn, b.e->t_recon, &rows, &err));
    state_abort(txn);
    EXPECT_EQ_INT(rows, 0);
    rig_stop(&b);
}

// What takes an event back names its PRIMARY KEY, not the KEY that is compared.
TEST(events_are_taken_back_by_another_key) {
    rig b;
    if (!rig_start(&b)) return;
    engine_book_register(b.e, &memory_book);
    memset(&memory, 0, sizeof memory);
    EXPECT_EQ_STR(ask(&b, "CREATE STREAM s (event INT NOT NULL, k BIGINT NOT NULL, v INT, "
                          "PRIMARY KEY (event)) WITH (retractions = 'on')"),
                  "CREATE STREAM");
    EXPECT_EQ_STR(ask(&b, "CREATE RECONCILIATION r ON STREAM s AGAINST (connector = 'postgres', "
                          "conninfo = '', query = '') KEY (k) COMPARE (v)"),
                  "CREATE RECONCILIATION");
    ingest(&b, "s",
           "{\"event\":1,\"k\":7,\"v\":1}\n{\"event\":2,\"k\":7,\"v\":1}\n"
           "{\"event\":3,\"k\":8,\"v\":1}\n");
    memory.rows[memory.n++] = (book_row){7, 1};
    for (int by_value = 0; by_value < 2; by_value++) {
        memory.by_value = by_value;
        ask(&b, "RECONCILE r");
        EXPECT_EQ_STR(ask(&b, RUN), "0|0|1|0|1|null");
    }
    ingest(&b, "s", "{\"_op\":\"delete\",\"event\":2}\n{\"_op\":\"delete\",\"event\":3}\n");
    for (int by_value = 0; by_value < 2; by_value++) {
        memory.by_value = by_value;
        ask(&b, "RECONCILE r");
        EXPECT_EQ_STR(ask(&b, RUN), "1|0|0|0|0|null");
    }
    rig_stop(&b);
}

// ---- sorting ------------------------------------------------------------------------------------

TEST(sorting_in_files) {
    rig b;
    if (!rig_start(&b)) return;
    base_random random;
    base_random_seed(&random, 5);
    base_error err;
    const uint64_t limits[] = {1 << 20, 20000, 300};
    for (size_t l = 0; l < 3; l++) {
        recon_sorter *sorter = recon_sorter_create(b.e, "test", limits[l]);
        uint64_t sum = 0;
        const uint32_t n = 3000;
        for (uint32_t i = 0; i < n; i++) {
            char key[40], value[40];
            snprintf(key, sizeof key, "%.*s%u", (int)base_random_below(&random, 10), "aaaaaaaaaa",
                     (unsigned)base_random_below(&random, 500));
            snprintf(value, sizeof value, "%s.%06u", key, i);
            sum += i;
            REQUIRE_OK(recon_sorter_add(sorter, base_str_of(key), base_str_of(value), &err));
        }
        REQUIRE_OK(recon_sorter_finish(sorter, &err));
        char before[80] = "";
        uint32_t got = 0;
        for (bool end = false; !end; got += !end) {
            base_str key, value;
            REQUIRE_OK(recon_sorter_next(sorter, &key, &value, &end, &err));
            if (end) break;
            char now[80]; // a byte below all others between key and number: equal keys by adding
            snprintf(now, sizeof now, "%.*s\x01%.*s", BASE_STR_ARG(key), 6, value.p + value.n - 6);
            EXPECT(strcmp(before, now) < 0);
            EXPECT(base_str_starts(value, key));
            sum -= (uint64_t)atoi(strchr(now, 1) + 1);
            memcpy(before, now, sizeof before);
        }
        EXPECT_EQ_INT(got, n);
        EXPECT_EQ_INT(sum, 0);
        recon_sorter_destroy(sorter);
    }
    // What a crash leaves is gone after the next start.
    plat_file *file;
    char *path;
    REQUIRE_OK(recon_scratch_open(b.e, "left", &file, &path, &err));
    plat_close(file);
    if (!rig_reopen(&b)) return;
    bool exists, is_dir;
    REQUIRE_OK(b.plat->ops->exists(b.plat, path, &exists, &is_dir, &err));
    EXPECT(!exists);
    free(path);
    rig_stop(&b);
}

TEST_MAIN(TEST_ENTRY(random_sets_by_value_and_by_hash), TEST_ENTRY(little_is_read_of_what_agrees),
          TEST_ENTRY(a_book_that_fails_at_each_call),
          TEST_ENTRY(what_is_pending_outlives_a_run_that_fails),
          TEST_ENTRY(events_that_were_taken_back_do_not_count),
          TEST_ENTRY(events_are_taken_back_by_another_key), TEST_ENTRY(dropped_while_it_runs),
          TEST_ENTRY(sorting_in_files))
