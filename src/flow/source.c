// source.c - where an input enters the graph: rows as they come, streams with a business key
// (deduplication), tables with a key (upserts and deletes become deltas).
//
// Delta rules, for rows in order of push:
//  - as they come: out = in (views, system rows, objects without a key, rows without an origin).
//  - deduplication: a row goes on if its key is unknown, or known from this very place in the log
//    (a replay); else it is a duplicate, reported with the place of its original.
//  - upsert: with S the map from key to row, a row r of key k gives -S[k] (if there) +r, and S[k] =
//  r;
//    a delete gives -S[k] (if there).
//  - retractable: as deduplication, with S of the upsert: an event of key k gives +r if S has no
//    event of k, else it is a duplicate; what takes k back gives -S[k]. S remembers that it was
//    taken back: to take it back again is reported as a duplicate, to take back what never came as
//    unmatched. An event of k may follow.
//
// State, read in sorted batches a push and written in sorted batches at save:
//  - "s<id>.keys": key -> partition, offset, event time (dedup).
//  - "s<id>.times": event-time bucket ++ first key -> the keys that a step added in the bucket,
//  when
//    the contract sets a horizon: what is older than the low watermark less the horizon is
//    forgotten, a bounded number of keys a step.
//  - "s<id>.rows": key -> row (upsert).
//  - "s<id>.events": key -> partition, offset, event time, and the row unless it was taken back
//    (retractable).
// Keys are ordered encodings (see flow_keys_encode), so that ascending business keys stay together
// in the tree; and a key above the greatest of the table is known to be new without a look.
// Entry points: flow_source_create, flow_source_push.
#include "flow/flow_int.h"
#include "flow/keymap.h"

#define TIMES_BLOB_BYTES 16000u
#define TRIM_BLOBS_MAX   64u

typedef struct origin_row { // disk format of "keys"
    uint64_t offset;
    int64_t event_us; // INT64_MAX: none
    uint32_t partition;
    uint32_t taken_back; // of "events": 1, and no row follows
} origin_row;
_Static_assert(sizeof(origin_row) == 24, "origin_row is a disk format");

typedef struct seen_key {
    origin_row origin;
    bool known; // origin is filled
    bool fresh; // not in the store
} seen_key;

typedef struct current_row {
    const col_batch *batch; // NULL: no row of this key
    uint32_t row;
    bool dirty;
    bool known; // retractable: an event of the key has come, from origin
    origin_row origin;
} current_row;

typedef struct source_op {
    flow_op op;
    const plan_object *object;
    bool dedup, upsert;       // upsert: current rows by key
    bool retractable;         // an upsert whose first event of a key counts, until it is taken back
    uint32_t input;           // index in graph->inputs
    state_table table, times; // keys or rows; times with a horizon
    int64_t horizon_us;       // 0: for ever
    flow_keymap map;          // of the step; live if map.arena != NULL
    seen_key *seen;           // parallel to map.keys (dedup)
    current_row *current;     // parallel to map.keys (upsert)
    uint32_t cap;             // of seen or current
    uint32_t expected;        // keys of the last step
    bool max_known;           // max_key is read
    base_buf max_key;         // greatest key of the table or above; empty: the table is empty
    uint32_t *columns;        // 0, 1, 2, ... for row encodings
    uint32_t ncolumns;
} source_op;

// ------------------------------------------------------------------------------------ the step's
// map

static void reserve_entries(source_op *source, base_arena *arena) {
    if (source->cap >= source->map.cap) return;
    size_t size = source->dedup ? sizeof(seen_key) : sizeof(current_row);
    void *bigger = base_arena_zalloc_array(arena, size, source->map.cap);
    void *old = source->dedup ? (void *)source->seen : (void *)source->current;
    if (source->cap > 0) memcpy(bigger, old, size * source->cap);
    if (source->dedup) {
        source->seen = bigger;
    } else {
        source->current = bigger;
    }
    source->cap = source->map.cap;
}

static void key_positions(const source_op *source, uint32_t *keys) {
    const flow_input *input = &source->op.graph->inputs[source->input];
    for (uint32_t k = 0; k < source->object->nkey; k++) {
        uint32_t at = 0;
        while (at < input->ncolumns && input->columns[at] != source->object->key[k]) at++;
        must(at < input->ncolumns);
        keys[k] = at;
    }
}

// Numbers the keys of a batch; new ones are listed in `fresh`. Entries of new keys are zero.
static uint32_t *number_keys(source_op *source, flow_ctx *ctx, const col_batch *batch,
                             uint32_t *fresh, uint32_t *nfresh) {
    base_arena *arena = ctx->arena, *step_arena = flow_step_arena(ctx);
    if (source->map.arena == NULL) {
        flow_keymap_init(&source->map, step_arena, source->expected);
        source->cap = 0;
    }
    uint32_t *positions = base_arena_array(arena, uint32_t, source->object->nkey + 1u);
    key_positions(source, positions);
    base_str *keys = base_arena_alloc(arena, sizeof(base_str) * batch->nrows);
    flow_keys_encode_divided(ctx->workers, step_arena, batch, source->object->nkey, positions,
                             keys);
    uint32_t *numbers = base_arena_alloc(arena, sizeof(uint32_t) * batch->nrows);
    flow_keymap_put(&source->map, arena, batch->nrows, keys, numbers, fresh, nfresh);
    reserve_entries(source, step_arena);
    return numbers;
}

static base_rc read_max_key(source_op *source, flow_ctx *ctx, base_error *err) {
    if (source->max_known) return BASE_OK;
    state_cursor *cursor;
    base_rc rc = state_cursor_open(ctx->txn, source->table, &cursor, err);
    if (rc != BASE_OK) return rc;
    base_str key, value;
    bool end;
    rc = state_cursor_last(cursor, &key, &value, &end, err);
    if (rc == BASE_OK) {
        base_buf_clear(&source->max_key);
        if (!end) base_buf_add_str(&source->max_key, key);
        source->max_known = true;
    }
    state_cursor_close(cursor);
    return rc;
}

// Reads the stored values of keys fresh[0..n): values[i] for the key order[i] of the sorted list.
// Values of keys that are absent, or above the greatest, are NULL. *sorted: key numbers in order.
static base_rc read_fresh(source_op *source, flow_ctx *ctx, const uint32_t *fresh, uint32_t n,
                          uint32_t **sorted, base_str **values, base_error *err) {
    base_arena *arena = ctx->arena;
    base_str *keys = base_arena_alloc(arena, sizeof(base_str) * (n + 1u));
    for (uint32_t i = 0; i < n; i++) keys[i] = source->map.keys[fresh[i]];
    uint32_t *order = col_keys_sort(ctx->workers, arena, n, keys);
    base_str *in_order = base_arena_alloc(arena, sizeof(base_str) * (n + 1u));
    for (uint32_t i = 0; i < n; i++) {
        in_order[i] = keys[order[i]];
        order[i] = fresh[order[i]];
    }
    *sorted = order;
    *values = base_arena_array(arena, base_str, n + 1u);
    if (ctx->txn == NULL) return BASE_OK;
    base_rc rc = read_max_key(source, ctx, err);
    if (rc != BASE_OK) return rc;
    uint32_t below = n; // keys that may be in the table
    base_str max = base_buf_str(&source->max_key);
    while (below > 0 && base_str_cmp(in_order[below - 1], max) > 0) below--;
    return state_get_batch(ctx->txn, source->table, below, in_order, *values, err);
}

// Puts pairs of a sorted list and remembers the greatest key.
static base_rc write_sorted(source_op *source, flow_ctx *ctx, uint32_t n, const base_str *keys,
                            const base_str *values, base_error *err) {
    if (n == 0) return BASE_OK;
    base_rc rc = state_put_batch(ctx->txn, source->table, n, keys, values, err);
    if (rc == BASE_OK && source->max_known &&
        base_str_cmp(keys[n - 1], base_buf_str(&source->max_key)) > 0) {
        base_buf_clear(&source->max_key);
        base_buf_add_str(&source->max_key, keys[n - 1]);
    }
    return rc;
}

// ------------------------------------------------------------------------------------
// deduplication

static base_rc load_origins(source_op *source, flow_ctx *ctx, const uint32_t *fresh, uint32_t n,
                            base_error *err) {
    uint32_t *sorted;
    base_str *values;
    base_rc rc = read_fresh(source, ctx, fresh, n, &sorted, &values, err);
    for (uint32_t i = 0; rc == BASE_OK && i < n; i++) {
        if (values[i].p == NULL) continue;
        seen_key *seen = &source->seen[sorted[i]];
        if (values[i].n != sizeof seen->origin) {
            return base_fail(err, BASE_E_CORRUPT, NULL,
                             "stream \"%s.%s\": a deduplication row has %zu bytes",
                             source->object->schema, source->object->name, values[i].n);
        }
        memcpy(&seen->origin, values[i].p, sizeof seen->origin);
        seen->known = true;
    }
    return rc;
}

static base_rc dedup_push(source_op *source, flow_ctx *ctx, const col_batch *batch,
                          const flow_origin *origin, base_error *err) {
    uint32_t *fresh = base_arena_alloc(ctx->arena, sizeof(uint32_t) * batch->nrows), nfresh;
    const uint32_t *numbers = number_keys(source, ctx, batch, fresh, &nfresh);
    base_rc rc = load_origins(source, ctx, fresh, nfresh, err);
    if (rc != BASE_OK) return rc;
    uint32_t *sel = fresh; // no longer needed
    uint32_t n = 0;
    for (uint32_t i = 0; i < batch->nrows; i++) {
        seen_key *seen = &source->seen[numbers[i]];
        if (!seen->known) {
            seen->origin = (origin_row){origin->offsets[i],
                                        origin->event_us == NULL ? INT64_MAX : origin->event_us[i],
                                        origin->partition, 0};
            seen->known = seen->fresh = true;
        } else if (seen->origin.partition != origin->partition ||
                   seen->origin.offset != origin->offsets[i]) {
            source->op.stats.duplicates++;
            if (ctx->hooks != NULL && ctx->hooks->duplicate != NULL) {
                ctx->hooks->duplicate(ctx->hooks->self, source->object, origin->partition,
                                      origin->offsets[i], seen->origin.partition,
                                      seen->origin.offset);
            }
            continue;
        }
        if (origin->hidden == NULL || !origin->hidden[i]) sel[n++] = i;
    }
    if (n == batch->nrows) return flow_emit(&source->op.out, ctx, batch, err);
    return flow_emit(&source->op.out, ctx, col_batch_gather(ctx->arena, batch, sel, n), err);
}

static int64_t bucket_width(const source_op *source) {
    return source->horizon_us / 32 + 1;
}

static void add_bucket(base_buf *buf, int64_t bucket) {
    base_buf_add_u64be(buf, (uint64_t)bucket ^ (1ull << 63));
}

static int64_t floor_div(int64_t a, int64_t b) {
    return a / b - (a % b < 0);
}

// Writes lists of the step's new keys by event-time bucket: a list a few pages long, its key the
// bucket and its first member, which no other list can have.
static base_rc save_times(source_op *source, flow_ctx *ctx, const uint32_t *fresh, uint32_t n,
                          base_error *err) {
    base_buf buf = {0}, blob = {0}, key = {0};
    base_str *named = base_arena_alloc(ctx->arena, sizeof(base_str) * (n + 1u));
    uint32_t count = 0;
    for (uint32_t i = 0; i < n; i++) {
        int64_t event_us = source->seen[fresh[i]].origin.event_us;
        if (event_us == INT64_MAX) continue;
        base_str own = source->map.keys[fresh[i]];
        base_buf_clear(&buf);
        add_bucket(&buf, floor_div(event_us, bucket_width(source)));
        base_buf_add_str(&buf, own);
        named[count++] = (base_str){base_arena_memdup(ctx->arena, buf.p, buf.n), buf.n};
    }
    const uint32_t *order = col_keys_sort(ctx->workers, ctx->arena, count, named);
    base_rc rc = BASE_OK;
    for (uint32_t i = 0; i < count && rc == BASE_OK; i++) {
        base_str one = named[order[i]];
        if (key.n == 0) base_buf_add_str(&key, one);
        base_buf_add_byte(&blob, (uint8_t)(one.n - 8));
        base_buf_add(&blob, one.p + 8, one.n - 8);
        bool last = i + 1 == count || blob.n > TIMES_BLOB_BYTES ||
                    memcmp(named[order[i + 1]].p, key.p, 8) != 0;
        if (!last) continue;
        rc = state_put(ctx->txn, source->times, base_buf_str(&key), base_buf_str(&blob), err);
        base_buf_clear(&key);
        base_buf_clear(&blob);
    }
    base_buf_deinit(&buf);
    base_buf_deinit(&blob);
    base_buf_deinit(&key);
    return rc;
}

static base_rc forget_list(source_op *source, flow_ctx *ctx, base_str blob, base_error *err) {
    uint32_t n = 0, cap = (uint32_t)blob.n / 2 + 1;
    base_str *keys = base_arena_alloc(ctx->arena, sizeof(base_str) * cap);
    for (size_t at = 0; at < blob.n;) {
        size_t bytes = (uint8_t)blob.p[at++];
        if (bytes == 0 || bytes > blob.n - at) {
            return base_fail(err, BASE_E_CORRUPT, NULL,
                             "stream \"%s.%s\": a list of keys by time is damaged",
                             source->object->schema, source->object->name);
        }
        keys[n++] = (base_str){blob.p + at, bytes};
        at += bytes;
    }
    // The list was written in order of bucket and key, and has one bucket.
    base_str *none = base_arena_array(ctx->arena, base_str, n + 1u);
    return state_put_batch(ctx->txn, source->table, n, keys, none, err);
}

static base_rc trim(source_op *source, flow_ctx *ctx, base_error *err) {
    int64_t cutoff;
    if (__builtin_sub_overflow(ctx->low_watermark_us, source->horizon_us, &cutoff)) return BASE_OK;
    state_cursor *cursor;
    base_rc rc = state_cursor_open(ctx->txn, source->times, &cursor, err);
    if (rc != BASE_OK) return rc;
    for (uint32_t i = 0; i < TRIM_BLOBS_MAX && rc == BASE_OK; i++) {
        base_str key, value;
        bool end;
        rc = state_cursor_next(cursor, &key, &value, &end, err);
        if (rc != BASE_OK || end || key.n < 8) break;
        uint64_t biased;
        memcpy(&biased, key.p, 8);
        int64_t bucket = (int64_t)(__builtin_bswap64(biased) ^ (1ull << 63)), until;
        if (__builtin_mul_overflow(bucket + 1, bucket_width(source), &until) || until > cutoff) {
            break;
        }
        base_str list = {base_arena_memdup(ctx->arena, value.p, value.n), value.n};
        base_str name = {base_arena_memdup(ctx->arena, key.p, key.n), key.n};
        bool found;
        rc = forget_list(source, ctx, list, err);
        if (rc == BASE_OK) rc = state_delete(ctx->txn, source->times, name, &found, err);
    }
    state_cursor_close(cursor);
    return rc;
}

static base_rc dedup_save(source_op *source, flow_ctx *ctx, base_error *err) {
    base_arena *arena = ctx->arena;
    uint32_t total = source->map.arena == NULL ? 0 : source->map.n, n = 0;
    uint32_t *fresh = base_arena_alloc(arena, sizeof(uint32_t) * (total + 1u));
    base_str *keys = base_arena_alloc(arena, sizeof(base_str) * (total + 1u));
    for (uint32_t i = 0; i < total; i++) {
        if (!source->seen[i].fresh) continue;
        keys[n] = source->map.keys[i];
        fresh[n++] = i;
    }
    const uint32_t *order = col_keys_sort(ctx->workers, arena, n, keys);
    base_str *in_order = base_arena_alloc(arena, sizeof(base_str) * (n + 1u));
    base_str *values = base_arena_alloc(arena, sizeof(base_str) * (n + 1u));
    for (uint32_t i = 0; i < n; i++) {
        in_order[i] = keys[order[i]];
        values[i] =
            (base_str){(const char *)&source->seen[fresh[order[i]]].origin, sizeof(origin_row)};
    }
    base_rc rc = write_sorted(source, ctx, n, in_order, values, err);
    if (rc == BASE_OK && source->horizon_us > 0) rc = save_times(source, ctx, fresh, n, err);
    if (rc == BASE_OK && source->horizon_us > 0) rc = trim(source, ctx, err);
    return rc;
}

// ------------------------------------------------------------------------------------ upsert

static const col_type *input_types(const source_op *source, base_arena *arena) {
    const flow_input *input = &source->op.graph->inputs[source->input];
    col_type *types = base_arena_array(arena, col_type, input->ncolumns + 1u);
    for (uint32_t i = 0; i < input->ncolumns; i++) {
        types[i] = source->object->columns[input->columns[i]].type;
    }
    return types;
}

static const uint32_t *all_columns(source_op *source) {
    uint32_t n = source->op.graph->inputs[source->input].ncolumns;
    if (source->ncolumns < n) {
        source->columns = base_arena_array(&source->op.graph->arena, uint32_t, n);
        for (uint32_t i = 0; i < n; i++) source->columns[i] = i;
        source->ncolumns = n;
    }
    return source->columns;
}

static base_rc decode_row(source_op *source, flow_ctx *ctx, base_str bytes, col_batch *into,
                          uint32_t row, base_error *err) {
    // The transaction's pages move when it writes: rows that go on are of the step's arena.
    base_str own = {base_arena_memdup(ctx->arena, bytes.p, bytes.n), bytes.n};
    size_t at = 0;
    base_rc rc =
        col_row_decode(own, &at, into, row, into->ncols, all_columns(source), ctx->arena, err);
    if (rc != BASE_OK) {
        base_error_prefix(err, "table \"%s.%s\"", source->object->schema, source->object->name);
    }
    return rc;
}

// What a value of "events" begins with; *bytes: the row after it.
static base_rc cut_origin(const source_op *source, base_str *bytes, origin_row *origin,
                          base_error *err) {
    if (bytes->n < sizeof *origin) {
        return base_fail(err, BASE_E_CORRUPT, NULL, "stream \"%s.%s\": an event has %zu bytes",
                         source->object->schema, source->object->name, bytes->n);
    }
    memcpy(origin, bytes->p, sizeof *origin);
    *bytes = (base_str){bytes->p + sizeof *origin, bytes->n - sizeof *origin};
    return BASE_OK;
}

static base_rc load_rows(source_op *source, flow_ctx *ctx, const uint32_t *fresh, uint32_t n,
                         base_error *err) {
    uint32_t *sorted;
    base_str *values;
    base_rc rc = read_fresh(source, ctx, fresh, n, &sorted, &values, err);
    if (rc != BASE_OK) return rc;
    uint32_t found = 0;
    for (uint32_t i = 0; i < n; i++) found += values[i].p != NULL;
    if (found == 0) return BASE_OK;
    uint32_t ncols = source->op.graph->inputs[source->input].ncolumns, at = 0;
    col_batch *rows = col_batch_create(ctx->arena, ncols, input_types(source, ctx->arena), found);
    for (uint32_t i = 0; i < n && rc == BASE_OK; i++) {
        if (values[i].p == NULL) continue;
        current_row now = {.batch = rows, .row = at};
        if (source->retractable) {
            rc = cut_origin(source, &values[i], &now.origin, err);
            now.known = true;
        }
        if (now.origin.taken_back)
            now.batch = NULL;
        else if (rc == BASE_OK)
            rc = decode_row(source, ctx, values[i], rows, at++, err);
        source->current[sorted[i]] = now;
    }
    return rc;
}

static void say_duplicate(source_op *source, flow_ctx *ctx, const flow_origin *origin, uint32_t i,
                          const origin_row *of) {
    source->op.stats.duplicates++;
    if (ctx->hooks != NULL && ctx->hooks->duplicate != NULL) {
        ctx->hooks->duplicate(ctx->hooks->self, source->object, origin->partition,
                              origin->offsets[i], of->partition, of->offset);
    }
}

// Row i takes back the event of its key.
static void take_back(source_op *source, flow_ctx *ctx, const flow_origin *origin, uint32_t i,
                      current_row *now, col_builder *out) {
    if (now->batch != NULL) {
        col_builder_add_row(out, now->batch, now->row, -1);
        now->batch = NULL;
        now->origin.taken_back = 1;
        now->dirty = true;
    } else if (now->known) {
        say_duplicate(source, ctx, origin, i, &now->origin);
    } else if (ctx->hooks != NULL && ctx->hooks->unmatched != NULL) {
        ctx->hooks->unmatched(ctx->hooks->self, source->object, origin->partition,
                              origin->offsets[i]);
    }
}

static base_rc retractable_push(source_op *source, flow_ctx *ctx, const col_batch *batch,
                                const flow_origin *origin, base_error *err) {
    uint32_t *fresh = base_arena_alloc(ctx->arena, sizeof(uint32_t) * batch->nrows), nfresh;
    const uint32_t *numbers = number_keys(source, ctx, batch, fresh, &nfresh);
    base_rc rc = load_rows(source, ctx, fresh, nfresh, err);
    if (rc != BASE_OK) return rc;
    col_builder *out =
        col_builder_create(ctx->arena, batch->ncols, input_types(source, ctx->arena));
    for (uint32_t i = 0; i < batch->nrows; i++) {
        current_row *now = &source->current[numbers[i]];
        if (origin->deletes != NULL && origin->deletes[i]) {
            take_back(source, ctx, origin, i, now, out);
        } else if (now->batch != NULL) {
            say_duplicate(source, ctx, origin, i, &now->origin);
        } else {
            col_builder_add_row(out, batch, i, 1);
            origin_row place = {origin->offsets[i],
                                origin->event_us == NULL ? INT64_MAX : origin->event_us[i],
                                origin->partition, 0};
            *now = (current_row){batch, i, true, true, place};
        }
    }
    if (source->op.graph->store == NULL) return BASE_OK; // as of an upsert
    return flow_emit(&source->op.out, ctx, col_builder_finish(out), err);
}

static base_rc upsert_push(source_op *source, flow_ctx *ctx, const col_batch *batch,
                           const flow_origin *origin, base_error *err) {
    uint32_t *fresh = base_arena_alloc(ctx->arena, sizeof(uint32_t) * batch->nrows), nfresh;
    const uint32_t *numbers = number_keys(source, ctx, batch, fresh, &nfresh);
    base_rc rc = load_rows(source, ctx, fresh, nfresh, err);
    if (rc != BASE_OK) return rc;
    col_builder *out =
        col_builder_create(ctx->arena, batch->ncols, input_types(source, ctx->arena));
    for (uint32_t i = 0; i < batch->nrows; i++) {
        current_row *now = &source->current[numbers[i]];
        bool deleted = origin->deletes != NULL && origin->deletes[i];
        if (deleted && now->batch == NULL) continue;
        if (!deleted && now->batch != NULL && col_rows_same(now->batch, now->row, batch, i)) {
            continue;
        }
        if (now->batch != NULL) col_builder_add_row(out, now->batch, now->row, -1);
        if (!deleted) col_builder_add_row(out, batch, i, 1);
        *now = (current_row){.batch = deleted ? NULL : batch, .row = i, .dirty = true};
    }
    // Without a store there is one step, and what it ends with goes on at flush: no retractions.
    if (source->op.graph->store == NULL) return BASE_OK;
    return flow_emit(&source->op.out, ctx, col_builder_finish(out), err);
}

static base_rc emit_current(source_op *source, flow_ctx *ctx, base_error *err) {
    if (source->map.arena == NULL) return BASE_OK;
    uint32_t ncols = source->op.graph->inputs[source->input].ncolumns;
    col_builder *out = col_builder_create(ctx->arena, ncols, input_types(source, ctx->arena));
    for (uint32_t i = 0; i < source->map.n; i++) {
        const current_row *now = &source->current[i];
        if (now->batch != NULL) col_builder_add_row(out, now->batch, now->row, 1);
    }
    return flow_emit(&source->op.out, ctx, col_builder_finish(out), err);
}

static base_rc upsert_save(source_op *source, flow_ctx *ctx, base_error *err) {
    base_arena *arena = ctx->arena;
    uint32_t total = source->map.arena == NULL ? 0 : source->map.n, n = 0;
    uint32_t *dirty = base_arena_alloc(arena, sizeof(uint32_t) * (total + 1u));
    base_str *keys = base_arena_alloc(arena, sizeof(base_str) * (total + 1u));
    for (uint32_t i = 0; i < total; i++) {
        if (!source->current[i].dirty) continue;
        keys[n] = source->map.keys[i];
        dirty[n++] = i;
    }
    const uint32_t *order = col_keys_sort(ctx->workers, arena, n, keys);
    base_str *in_order = base_arena_alloc(arena, sizeof(base_str) * (n + 1u));
    base_str *values = base_arena_array(arena, base_str, n + 1u);
    base_buf buf = {0};
    for (uint32_t i = 0; i < n; i++) {
        const current_row *now = &source->current[dirty[order[i]]];
        in_order[i] = keys[order[i]];
        if (now->batch == NULL && !source->retractable) continue;
        base_buf_clear(&buf);
        if (source->retractable) base_buf_add(&buf, (const char *)&now->origin, sizeof now->origin);
        if (now->batch != NULL)
            col_row_encode(&buf, now->batch, now->row, now->batch->ncols, all_columns(source));
        values[i] = (base_str){base_arena_memdup(arena, buf.p, buf.n), buf.n};
    }
    base_buf_deinit(&buf);
    return write_sorted(source, ctx, n, in_order, values, err);
}

// All rows of the table as they stand, to the view that is being filled.
base_rc flow_source_fill(flow_op *op, flow_ctx *ctx, base_error *err) {
    source_op *source = (source_op *)op;
    if (!source->upsert || ctx->txn == NULL) {
        return base_fail(err, BASE_E_INTERNAL, NULL, "only a table with a key can be filled from");
    }
    base_rc rc = emit_current(source, ctx, err);
    state_cursor *cursor = NULL;
    if (rc == BASE_OK) rc = state_cursor_open(ctx->txn, source->table, &cursor, err);
    if (rc != BASE_OK) return rc;
    uint32_t ncols = op->graph->inputs[source->input].ncolumns;
    const col_type *types = input_types(source, ctx->arena);
    bool end = false;
    while (!end && rc == BASE_OK) {
        uint32_t n = 0, most = op->graph->batch_rows;
        col_batch *rows = col_batch_create(ctx->arena, ncols, types, most);
        while (n < most && rc == BASE_OK) {
            base_str key, value;
            rc = state_cursor_next(cursor, &key, &value, &end, err);
            if (rc != BASE_OK || end) break;
            if (flow_keymap_find(&source->map, key) != UINT32_MAX) continue; // given already
            origin_row place = {0};
            if (source->retractable) rc = cut_origin(source, &value, &place, err);
            if (rc != BASE_OK || place.taken_back) continue;
            rc = decode_row(source, ctx, value, rows, n++, err);
        }
        if (rc == BASE_OK) {
            rc = flow_emit(&op->out, ctx, col_batch_slice(ctx->arena, rows, 0, n), err);
        }
    }
    state_cursor_close(cursor);
    return rc;
}

// ------------------------------------------------------------------------------------ the operator

base_rc flow_source_push(flow_op *op, flow_ctx *ctx, const col_batch *batch,
                         const flow_origin *origin, base_error *err) {
    source_op *source = (source_op *)op;
    op->stats.rows_in += batch->nrows;
    if (origin != NULL && source->dedup) return dedup_push(source, ctx, batch, origin, err);
    if (origin != NULL && source->retractable)
        return retractable_push(source, ctx, batch, origin, err);
    if (origin != NULL && source->upsert) return upsert_push(source, ctx, batch, origin, err);
    return flow_emit(&op->out, ctx, batch, err);
}

static base_rc source_push(flow_op *op, flow_ctx *ctx, uint32_t port, const col_batch *batch,
                           flow_out *out, base_error *err) {
    (void)port, (void)out;
    return flow_source_push(op, ctx, batch, NULL, err);
}

static base_rc source_flush(flow_op *op, flow_ctx *ctx, flow_out *out, base_error *err) {
    (void)out;
    source_op *source = (source_op *)op;
    if (!source->upsert || op->graph->store != NULL) return BASE_OK;
    return emit_current(source, ctx, err);
}

static base_rc source_save(flow_op *op, flow_ctx *ctx, base_error *err) {
    source_op *source = (source_op *)op;
    base_rc rc = BASE_OK;
    if (source->dedup) rc = dedup_save(source, ctx, err);
    if (source->upsert) rc = upsert_save(source, ctx, err);
    source->expected = source->map.n;
    source->map = (flow_keymap){0};
    return rc;
}

static void source_reset(flow_op *op) {
    source_op *source = (source_op *)op;
    source->map = (flow_keymap){0};
    source->max_known = false;
}

static base_rc source_verify(flow_op *op, flow_ctx *ctx, base_error *err) {
    source_op *source = (source_op *)op;
    if (!source->dedup && !source->upsert) return BASE_OK;
    state_cursor *cursor;
    base_rc rc = state_cursor_open(ctx->txn, source->table, &cursor, err);
    if (rc != BASE_OK) return rc;
    uint32_t ncols = op->graph->inputs[source->input].ncolumns;
    col_batch *row = col_batch_create(ctx->arena, ncols, input_types(source, ctx->arena), 1);
    bool end = false;
    while (rc == BASE_OK) {
        base_str key, value;
        rc = state_cursor_next(cursor, &key, &value, &end, err);
        if (rc != BASE_OK || end) break;
        if (source->upsert) {
            origin_row place = {0};
            if (source->retractable) rc = cut_origin(source, &value, &place, err);
            if (rc == BASE_OK && !place.taken_back)
                rc = decode_row(source, ctx, value, row, 0, err);
        } else if (value.n != sizeof(origin_row)) {
            rc = base_fail(err, BASE_E_CORRUPT, NULL,
                           "stream \"%s.%s\": a deduplication row has %zu bytes",
                           source->object->schema, source->object->name, value.n);
        }
    }
    state_cursor_close(cursor);
    return rc;
}

static void source_stats(flow_op *op, flow_op_stats *stats) {
    *stats = op->stats;
}

static void source_close(flow_op *op) {
    base_buf_deinit(&((source_op *)op)->max_key);
}

static void source_describe(const flow_op *op, base_buf *buf) {
    const source_op *source = (const source_op *)op;
    base_buf_add_cstr(buf, source->dedup         ? "keys"
                           : source->retractable ? "events"
                           : source->upsert      ? "rows"
                                                 : "nothing");
}

base_rc flow_source_create(flow_graph *graph, const plan_object *object, flow_op **out,
                           base_error *err) {
    static const flow_op_class class = {.name = "source",
                                        .layout = 1,
                                        .describe = source_describe,
                                        .push = source_push,
                                        .flush = source_flush,
                                        .save = source_save,
                                        .reset = source_reset,
                                        .verify = source_verify,
                                        .stats = source_stats,
                                        .close = source_close};
    source_op *source = base_arena_new(&graph->arena, source_op);
    FLOW_OP_INIT(&source->op, &class, graph, 0, (const plan_node *)NULL);
    source->op.node_id = object->id;
    source->object = object;
    source->input = graph->ninputs;
    bool stream = object->kind == PLAN_OBJECT_STREAM, table = object->kind == PLAN_OBJECT_TABLE;
    source->retractable = stream && object->retractable;
    source->dedup = stream && !object->retractable && object->nkey > 0 && !graph->dedup_off;
    source->upsert = (table && object->nkey > 0) || source->retractable;
    // The present row of a key is one of a batch.
    source->op.hold = source->upsert ? FLOW_HOLD_STEP : FLOW_HOLD_PASS;
    if (source->dedup && object->event_time >= 0) source->horizon_us = object->dedup_horizon_us;
    *out = &source->op;
    if (graph->store == NULL || (!source->dedup && !source->upsert)) return BASE_OK;
    base_rc rc = flow_table_open(graph, true, object->id, 0,
                                 source->dedup         ? "keys"
                                 : source->retractable ? "events"
                                                       : "rows",
                                 &source->table, err);
    if (rc == BASE_OK && source->horizon_us > 0) {
        rc = flow_table_open(graph, true, object->id, 0, "times", &source->times, err);
    }
    return rc;
}
