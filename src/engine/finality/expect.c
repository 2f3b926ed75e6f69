// expect.c - the bookkeeping of expect.h. Rows of "engine.expect": 'H', object, partition -> the
// newest heartbeat with a count; 'S', object, producer's key -> a producer's numbers as ranges;
// 'R': see rate.c.
//
// Producers are read from the store when they are first met, kept in memory while the flow runs,
// and written in the step that has changed them. A set of numbers does not depend on their order,
// so it is the same whatever the order in which partitions are read. Entry points:
// engine_expect_count, engine_sequences_see.
#include "engine/finality/expect.h"

#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "col/codec.h"

static void add_key(base_buf *key, char kind, uint32_t object_id) {
    base_buf_add_byte(key, (uint8_t)kind);
    base_buf_add_u32be(key, object_id);
}

// ---- counts of heartbeats -----------------------------------------------------------------------

typedef struct expected_row {
    uint32_t version; // 1
    uint32_t whole;
    uint64_t expected, seen;
    int64_t to_us, at_us;
} expected_row;
_Static_assert(sizeof(expected_row) == 40, "expected_row is a disk format");

base_rc engine_expect_count(engine_flow *flow, uint32_t object_id, uint32_t p,
                            const engine_heartbeat *beat, uint64_t seen, int64_t at_us,
                            base_error *err) {
    expected_row row = {1, beat->partition < 0, beat->events, seen, beat->to_us, at_us};
    base_buf key = {0};
    add_key(&key, 'H', object_id);
    base_buf_add_u32be(&key, p);
    base_rc rc = state_put(flow->txn, flow->t_expect, base_buf_str(&key),
                           (base_str){(const char *)&row, sizeof row}, err);
    base_buf_deinit(&key);
    return rc;
}

base_rc engine_expect_read(const engine_flow *flow, state_txn *txn, uint32_t object_id, uint32_t p,
                           engine_expected *out, bool *found, base_error *err) {
    base_buf key = {0};
    base_str value;
    add_key(&key, 'H', object_id);
    base_buf_add_u32be(&key, p);
    base_rc rc = state_get(txn, flow->t_expect, base_buf_str(&key), &value, found, err);
    base_buf_deinit(&key);
    if (rc != BASE_OK || !*found) return rc;
    expected_row row;
    if (value.n != sizeof row)
        return base_fail(err, BASE_E_CORRUPT, NULL, "a heartbeat's row has %zu bytes", value.n);
    memcpy(&row, value.p, sizeof row);
    *out = (engine_expected){row.whole != 0, row.expected, row.seen, row.to_us, row.at_us};
    return BASE_OK;
}

base_rc engine_expect_drop(engine_flow *flow, state_txn *txn, uint32_t object_id, base_error *err) {
    base_rc rc = BASE_OK;
    for (const char *kind = "HSR"; rc == BASE_OK && *kind != '\0'; kind++) {
        base_buf from = {0}, to = {0};
        uint64_t deleted;
        add_key(&from, *kind, object_id);
        add_key(&to, *kind, object_id + 1);
        rc = state_delete_range(txn, flow->t_expect, base_buf_str(&from), base_buf_str(&to),
                                &deleted, err);
        base_buf_deinit(&from);
        base_buf_deinit(&to);
    }
    return rc;
}

// ---- one producer -------------------------------------------------------------------------------

typedef struct sequence_head {
    uint32_t version; // 1; the ranges follow
    uint32_t nranges;
    uint64_t seen, again, given_up;
} sequence_head;
_Static_assert(sizeof(sequence_head) == 32, "sequence_head is a disk format");

typedef struct producer {
    base_str key; // owned
    uint64_t seen, again, given_up;
    uint32_t nranges, cap;
    engine_sequence_range *ranges;
    bool changed;
} producer;

static void insert_range(producer *one, uint32_t at, int64_t n, int64_t us) {
    if (one->nranges == one->cap) {
        one->cap = one->cap == 0 ? 2 : one->cap * 2;
        one->ranges = realloc(one->ranges, one->cap * sizeof *one->ranges);
        must(one->ranges != NULL);
    }
    memmove(one->ranges + at + 1, one->ranges + at, (one->nranges - at) * sizeof *one->ranges);
    one->ranges[at] = (engine_sequence_range){n, n, us, us};
    one->nranges++;
}

static void join_with_next(producer *one, uint32_t at) {
    one->ranges[at].last = one->ranges[at + 1].last;
    one->ranges[at].last_us = one->ranges[at + 1].last_us;
    memmove(one->ranges + at + 1, one->ranges + at + 2,
            (one->nranges - at - 2) * sizeof *one->ranges);
    one->nranges--;
}

static void see(producer *one, int64_t n, int64_t us) {
    engine_sequence_range *ranges = one->ranges;
    uint32_t low = 0, high = one->nranges;                   // the first range that begins after n
    if (high > 0 && ranges[high - 1].first <= n) low = high; // most often at the end
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (ranges[mid].first <= n)
            low = mid + 1;
        else
            high = mid;
    }
    if (low > 0 && n <= ranges[low - 1].last) {
        one->again++;
        return;
    }
    one->seen++;
    bool after = low > 0 && ranges[low - 1].last == n - 1;
    bool before = low < one->nranges && ranges[low].first == n + 1;
    if (after) {
        ranges[low - 1].last = n;
        ranges[low - 1].last_us = us;
        if (before) join_with_next(one, low - 1);
    } else if (before) {
        ranges[low].first = n;
        ranges[low].first_us = us;
    } else {
        insert_range(one, low, n, us);
    }
    if (one->nranges <= ENGINE_SEQUENCE_RANGES) return;
    uint64_t gap = (uint64_t)one->ranges[1].first - (uint64_t)one->ranges[0].last - 1;
    if (__builtin_add_overflow(one->given_up, gap, &one->given_up)) one->given_up = UINT64_MAX;
    join_with_next(one, 0);
}

uint64_t engine_sequence_missing(const engine_sequence *one) {
    uint64_t n = one->given_up;
    for (uint32_t i = 1; i < one->nranges; i++) {
        uint64_t gap = (uint64_t)one->ranges[i].first - (uint64_t)one->ranges[i - 1].last - 1;
        if (__builtin_add_overflow(n, gap, &n)) return UINT64_MAX;
    }
    return n;
}

static bool read_head(base_str value, sequence_head *head) {
    if (value.n < sizeof *head) return false;
    memcpy(head, value.p, sizeof *head);
    return head->version == 1 && head->nranges <= ENGINE_SEQUENCE_RANGES &&
           value.n == sizeof *head + head->nranges * sizeof(engine_sequence_range);
}

// ---- all of a stream ----------------------------------------------------------------------------

struct engine_sequences {
    const plan_object *object;
    int32_t source, number; // columns of the decoded batch; source -1: there is one producer
    base_map *producers;    // by key
    bool counted;           // how many there are, these and those in the store
    uint32_t nproducers;
    uint32_t nchanged, changed_cap;
    producer **changed; // in this step
};

engine_sequences *engine_sequences_create(const engine_input *input) {
    const plan_object *object = input->object;
    if (!object->has_sequence) return NULL;
    engine_sequences *s = calloc(1, sizeof *s);
    must(s != NULL);
    *s = (engine_sequences){.object = object, .source = -1, .number = -1};
    for (uint32_t i = 0; i < input->ncolumns; i++) {
        if ((int32_t)input->columns[i] == object->sequence_source) s->source = (int32_t)i;
        if ((int32_t)input->columns[i] == object->sequence_number) s->number = (int32_t)i;
    }
    must(s->number >= 0);
    s->producers = base_map_create();
    return s;
}

static void free_producer(producer *one) {
    free((char *)(uintptr_t)one->key.p);
    free(one->ranges);
    free(one);
}

static void free_producers(engine_sequences *s) {
    base_str key;
    void *value;
    for (size_t i = 0; base_map_at(s->producers, &i, &key, &value);) free_producer(value);
    base_map_destroy(s->producers);
    s->nchanged = 0;
    s->counted = false;
}

void engine_sequences_reset(engine_sequences *s) {
    if (s == NULL) return;
    free_producers(s);
    s->producers = base_map_create();
}

void engine_sequences_destroy(engine_sequences *s) {
    if (s == NULL) return;
    free_producers(s);
    free(s->changed);
    free(s);
}

static void row_key(const engine_sequences *s, base_str producer_key, base_buf *key) {
    add_key(key, 'S', s->object->id);
    base_buf_add(key, producer_key.p, producer_key.n);
}

static base_rc count_stored(engine_sequences *s, engine_flow *flow, base_error *err) {
    base_buf prefix = {0};
    add_key(&prefix, 'S', s->object->id);
    state_cursor *cursor;
    base_str key, value;
    bool end;
    s->nproducers = 0;
    base_rc rc = state_cursor_open(flow->txn, flow->t_expect, &cursor, err);
    if (rc == BASE_OK) {
        rc = state_cursor_seek(cursor, base_buf_str(&prefix), &key, &value, &end, err);
        while (rc == BASE_OK && !end && base_str_starts(key, base_buf_str(&prefix))) {
            s->nproducers++;
            rc = state_cursor_next(cursor, &key, &value, &end, err);
        }
        state_cursor_close(cursor);
    }
    base_buf_deinit(&prefix);
    s->counted = rc == BASE_OK;
    return rc;
}

// One that is not in the store. *room false: there are as many as are followed. Producers that are
// new are counted when they come, those stored before the first new one since loading.
static base_rc take_new(engine_sequences *s, engine_flow *flow, bool *room, base_error *err) {
    base_rc rc = s->counted ? BASE_OK : count_stored(s, flow, err);
    if (rc != BASE_OK) return rc;
    *room = s->nproducers < ENGINE_SEQUENCE_PRODUCERS;
    if (*room) s->nproducers++;
    return BASE_OK;
}

// All that are followed are in memory: there need be no look into the store for another.
static bool is_full(const engine_sequences *s) {
    return s->counted && s->nproducers >= ENGINE_SEQUENCE_PRODUCERS &&
           base_map_count(s->producers) >= s->nproducers;
}

// *out NULL: it is one too many.
static base_rc load(engine_sequences *s, engine_flow *flow, base_str key, producer **out,
                    base_error *err) {
    producer *one = calloc(1, sizeof *one);
    must(one != NULL);
    char *copy = malloc(key.n + 1);
    must(copy != NULL);
    if (key.n > 0) memcpy(copy, key.p, key.n);
    one->key = (base_str){copy, key.n};
    base_buf stored_key = {0};
    base_str value;
    bool found;
    row_key(s, key, &stored_key);
    base_rc rc =
        state_get(flow->txn, flow->t_expect, base_buf_str(&stored_key), &value, &found, err);
    base_buf_deinit(&stored_key);
    sequence_head head;
    if (rc == BASE_OK && found && !read_head(value, &head))
        rc = base_fail(err, BASE_E_CORRUPT, NULL, "the numbers of a producer are damaged");
    bool room = true;
    *out = NULL;
    if (rc == BASE_OK && !found) rc = take_new(s, flow, &room, err);
    if (rc != BASE_OK || !room) {
        free_producer(one);
        return rc;
    }
    if (found) {
        one->seen = head.seen;
        one->again = head.again;
        one->given_up = head.given_up;
        one->nranges = one->cap = head.nranges;
        one->ranges = malloc((head.nranges + 1) * sizeof *one->ranges);
        must(one->ranges != NULL);
        memcpy(one->ranges, value.p + sizeof head, head.nranges * sizeof *one->ranges);
    }
    base_map_put(s->producers, one->key, one);
    *out = one;
    return BASE_OK;
}

static int64_t number_at(const col_vec *vec, uint32_t row) {
    if (vec->type.kind == COL_INT2) return col_i16(vec)[row];
    return vec->type.kind == COL_INT4 ? col_i32(vec)[row] : col_i64(vec)[row];
}

static void note_changed(engine_sequences *s, producer *one) {
    if (s->nchanged == s->changed_cap) {
        s->changed_cap = s->changed_cap == 0 ? 16 : s->changed_cap * 2;
        s->changed = realloc(s->changed, s->changed_cap * sizeof(producer *));
        must(s->changed != NULL);
    }
    s->changed[s->nchanged++] = one;
    one->changed = true;
}

base_rc engine_sequences_see(engine_sequences *s, engine_flow *flow, base_arena *arena,
                             const engine_decoded *d, base_error *err) {
    if (s == NULL || d->nrows == 0) return BASE_OK;
    base_str *keys = NULL;
    uint32_t source = (uint32_t)s->source;
    if (s->source >= 0) {
        keys = base_arena_array(arena, base_str, d->nrows + 1);
        col_key_encode_batch(arena, d->batch, 1, &source, keys);
    }
    const col_vec *numbers = &d->batch->cols[s->number];
    producer *one = NULL;
    for (uint32_t row = 0; row < d->nrows; row++) {
        if (col_is_null(numbers, row) || (d->deletes != NULL && d->deletes[row])) continue;
        base_str key = keys != NULL ? keys[row] : (base_str){"", 0};
        if (one == NULL || !base_str_eq(one->key, key)) {
            one = base_map_get(s->producers, key);
            if (one == NULL && is_full(s)) continue;
            base_rc rc = one != NULL ? BASE_OK : load(s, flow, key, &one, err);
            if (rc != BASE_OK) return rc;
            if (one == NULL) continue;
        }
        if (!one->changed) note_changed(s, one);
        see(one, number_at(numbers, row), d->event_us != NULL ? d->event_us[row] : INT64_MIN);
    }
    return BASE_OK;
}

static base_rc save_one(const engine_sequences *s, engine_flow *flow, const producer *one,
                        base_error *err) {
    sequence_head head = {1, one->nranges, one->seen, one->again, one->given_up};
    base_buf key = {0}, row = {0};
    row_key(s, one->key, &key);
    base_buf_add(&row, &head, sizeof head);
    base_buf_add(&row, one->ranges, one->nranges * sizeof *one->ranges);
    base_rc rc = state_put(flow->txn, flow->t_expect, base_buf_str(&key), base_buf_str(&row), err);
    base_buf_deinit(&key);
    base_buf_deinit(&row);
    return rc;
}

base_rc engine_sequences_save(engine_sequences *s, engine_flow *flow, base_error *err) {
    base_rc rc = BASE_OK;
    for (uint32_t i = 0; s != NULL && rc == BASE_OK && i < s->nchanged; i++) {
        rc = save_one(s, flow, s->changed[i], err);
        s->changed[i]->changed = false;
    }
    if (s != NULL) s->nchanged = 0; // after a failure all is forgotten
    return rc;
}

base_rc engine_sequences_each(const engine_flow *flow, state_txn *txn, uint32_t object_id,
                              base_rc (*visit)(void *arg, const engine_sequence *one,
                                               base_error *err),
                              void *arg, base_error *err) {
    base_buf prefix = {0};
    add_key(&prefix, 'S', object_id);
    state_cursor *cursor;
    base_str key, value;
    bool end;
    base_rc rc = state_cursor_open(txn, flow->t_expect, &cursor, err);
    if (rc == BASE_OK) {
        rc = state_cursor_seek(cursor, base_buf_str(&prefix), &key, &value, &end, err);
        while (rc == BASE_OK && !end && base_str_starts(key, base_buf_str(&prefix))) {
            sequence_head head;
            if (!read_head(value, &head)) {
                rc = base_fail(err, BASE_E_CORRUPT, NULL, "the numbers of a producer are damaged");
                break;
            }
            engine_sequence_range *ranges = malloc((head.nranges + 1) * sizeof *ranges);
            must(ranges != NULL); // the row may lie anywhere: a copy is aligned
            memcpy(ranges, value.p + sizeof head, head.nranges * sizeof *ranges);
            engine_sequence one = {{key.p + prefix.n, key.n - prefix.n},
                                   head.seen,
                                   head.again,
                                   head.given_up,
                                   head.nranges,
                                   ranges};
            rc = visit(arg, &one, err);
            free(ranges);
            if (rc == BASE_OK) rc = state_cursor_next(cursor, &key, &value, &end, err);
        }
        state_cursor_close(cursor);
    }
    base_buf_deinit(&prefix);
    return rc;
}
