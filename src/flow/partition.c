// partition.c - rows of partitions in order; see partition.h for the method and the state.
//
// Invariants:
//  - The step's delta is sorted by (partition, order, row) and summed before any partition is seen;
//    changes [d_lo, d_hi) of it are in the segment in progress, those before d_lo were in earlier
//    ones, and those from d_hi on are still to come. So a segment drawn backward meets only changes
//    that are settled, one drawn forward only such as are not.
//  - Nothing is written before flow_partition_finish: rows borrowed from the transaction hold.
//  - A partition is held whole, or (`large`) read by two cursors, one for each way.
// Entry points: flow_partition_begin, flow_partition_next, flow_partition_finish.
#include "flow/partition.h"

#include <stdio.h>

#include "base/hash.h"
#include "flow/partition_cache.h"

typedef struct change {
    base_str key;         // partition key ++ order key ++ row hash
    uint32_t partition_n; // bytes of the partition key
    uint32_t row;         // of the delta
    int64_t weight;
    int64_t after;  // the stored weight with it
    base_str value; // what is stored, once it is made
} change;

// A stored row, or the end of the partition in that direction.
typedef struct stored {
    bool known, end;
    base_str key, bytes;
    int64_t weight;
} stored;

typedef struct mark {
    base_str key; // partition key ++ row key
    base_str state;
} mark;

typedef struct mark_range { // marks that a segment drops
    base_str from, to;
} mark_range;

typedef struct segment_room { // rows of a segment, growing both ways
    flow_partition_row *rows;
    uint32_t begin, cap;
} segment_room;

struct flow_partition {
    flow_partition_config config;
    uint32_t *columns; // 0, 1, ...
    uint32_t few;      // rows of a partition that is cached
    state_table rows, marks;
    partition_cache cache;
    uint64_t counted;

    // Of the flush in progress.
    flow_ctx *ctx;
    const col_batch *delta;
    uint32_t nchanges;
    change *changes;
    base_arena scratch; // of a partition
    state_cursor *cursors[2];
    uint32_t nmarks, marks_cap, nranges, ranges_cap;
    mark *new_marks;
    mark_range *ranges;

    // Of the partition in progress.
    uint32_t begin, end; // its changes
    uint64_t hash;
    bool whole, in_cache;
    held_row *held;
    uint32_t nheld;
    flow_segment segment;
    segment_room room;
    uint32_t d_lo, d_hi, h_lo, h_hi; // changes and held rows in the segment
    stored ahead, behind;
};

// ------------------------------------------------------------------------------------ life

base_rc flow_partition_open(const flow_partition_config *config, flow_partition **out,
                            base_error *err) {
    flow_graph *graph = config->op->graph;
    flow_partition *part = base_arena_new(&graph->arena, flow_partition);
    part->config = *config;
    part->columns = base_arena_array(&graph->arena, uint32_t, config->ncolumns + 1u);
    for (uint32_t c = 0; c < config->ncolumns; c++) part->columns[c] = c;
    part->few = graph->cache_bytes <= 1 << 20 ? 4 : FLOW_PARTITION_FEW;
    base_arena_init(&part->scratch, 16 << 10);
    *out = part;
    graph->ncaches++;
    if (graph->store == NULL) return BASE_OK;
    const flow_op *op = config->op;
    base_rc rc =
        flow_table_open(graph, false, op->view_id, op->node_id, config->suffix, &part->rows, err);
    if (rc != BASE_OK || !config->marks) return rc;
    char name[32];
    snprintf(name, sizeof name, "%s.marks", config->suffix);
    return flow_table_open(graph, false, op->view_id, op->node_id, name, &part->marks, err);
}

void flow_partition_close(flow_partition *part) {
    if (part == NULL) return;
    partition_cache_deinit(&part->cache);
    base_arena_deinit(&part->scratch);
}

static void count_cache(flow_partition *part) {
    flow_heap_add(part->config.op, (int64_t)(part->cache.bytes - part->counted));
    part->counted = part->cache.bytes;
}

static void end_step(flow_partition *part) {
    part->ctx = NULL;
    part->delta = NULL;
    part->nchanges = part->nmarks = part->marks_cap = part->nranges = part->ranges_cap = 0;
    part->begin = part->end = part->d_hi = 0;
    part->segment.n = 0;
    part->cursors[0] = part->cursors[1] = NULL; // closed by the owner or with the transaction
    base_arena_reset(&part->scratch);
}

void flow_partition_reset(flow_partition *part) {
    end_step(part);
    partition_cache_deinit(&part->cache);
    count_cache(part);
}

void flow_partition_trim(flow_partition *part) {
    const flow_graph *graph = part->config.op->graph;
    partition_cache_trim(&part->cache,
                         graph->cache_bytes / (graph->ncaches == 0 ? 1 : graph->ncaches));
    count_cache(part);
}

void flow_partition_stats(const flow_partition *part, flow_op_stats *stats) {
    stats->cache_bytes = part->cache.bytes;
    stats->state_rows = part->cache.n;
}

const col_batch *flow_partition_delta(const flow_partition *part) {
    return part->delta;
}

static bool has_store(const flow_partition *part) {
    return part->config.op->graph->store != NULL;
}

// ------------------------------------------------------------------------------------ keys

// Order keys: the encoding of each column, inverted where it is descending; the marker of nulls
// moves to the end that the key asks for.
static void encode_order(const flow_partition_config *config, base_arena *arena,
                         const col_batch *rows, base_str *out) {
    uint32_t n = rows->nrows, norder = config->norder;
    base_str *parts = base_arena_alloc(arena, sizeof(base_str) * ((size_t)n * norder + 1));
    for (uint32_t k = 0; k < norder; k++) {
        const plan_sort_key *key = &config->order[k];
        base_str *own = parts + (size_t)k * n;
        col_key_encode_batch(arena, rows, 1, &key->column, own);
        for (uint32_t i = 0; i < n && (key->descending || key->nulls_first); i++) {
            char *p = (char *)(uintptr_t)own[i].p; // made for us just now
            bool null = col_is_null(&rows->cols[key->column], i);
            for (size_t b = 0; key->descending && b < own[i].n; b++) p[b] = (char)~p[b];
            if (null) p[0] = (char)(key->nulls_first ? 0 : 0xff);
        }
    }
    for (uint32_t i = 0; i < n; i++) {
        if (norder == 1) {
            out[i] = parts[i];
            continue;
        }
        size_t total = 0;
        for (uint32_t k = 0; k < norder; k++) total += parts[(size_t)k * n + i].n;
        char *p = base_arena_alloc_aligned(arena, total + 1, 1);
        out[i] = (base_str){p, total};
        for (uint32_t k = 0; k < norder; k++) {
            base_str s = parts[(size_t)k * n + i];
            memcpy(p, s.p, s.n);
            p += s.n;
        }
    }
}

void flow_partition_encode(const flow_partition_config *config, base_arena *arena,
                           const col_batch *rows, base_str *partitions, base_str *orders) {
    flow_keys_encode(arena, rows, config->nkeys, config->keys, partitions);
    encode_order(config, arena, rows, orders);
    for (uint32_t i = 0; i < rows->nrows; i++) {
        size_t room = FLOW_PARTITION_KEY - FLOW_PARTITION_HASH - partitions[i].n;
        if (orders[i].n <= room) continue;
        char *p = base_arena_memdup(arena, orders[i].p, room);
        base_hash128(orders[i].p, orders[i].n, (uint8_t *)p + room - 16);
        orders[i] = (base_str){p, room};
    }
}

// What each row's key in the table is, and how much of it names the partition.
static void encode_keys(const flow_partition *part, base_arena *arena, const col_batch *rows,
                        base_str *keys, uint32_t *partition_n) {
    uint32_t n = rows->nrows;
    base_str *partitions = base_arena_alloc(arena, sizeof(base_str) * (n + 1u));
    base_str *orders = base_arena_alloc(arena, sizeof(base_str) * (n + 1u));
    base_str *whole = base_arena_alloc(arena, sizeof(base_str) * (n + 1u));
    flow_partition_encode(&part->config, arena, rows, partitions, orders);
    col_key_encode_exact(arena, rows, rows->ncols, part->columns, part->config.types, whole);
    size_t total = 0;
    for (uint32_t i = 0; i < n; i++) total += partitions[i].n + orders[i].n;
    total += (size_t)n * FLOW_PARTITION_HASH;
    char *p = base_arena_alloc_aligned(arena, total + 1, 1);
    for (uint32_t i = 0; i < n; i++) {
        char *begin = p;
        partition_n[i] = (uint32_t)partitions[i].n;
        memcpy(p, partitions[i].p, partitions[i].n);
        p += partitions[i].n;
        if (orders[i].n > 0) memcpy(p, orders[i].p, orders[i].n);
        p += orders[i].n;
        base_hash128(whole[i].n == 0 ? "" : whole[i].p, whole[i].n, (uint8_t *)p);
        p += FLOW_PARTITION_HASH;
        keys[i] = (base_str){begin, (size_t)(p - begin)};
    }
}

#define PART_ROWS 2048u // fewer are not worth a thread's waking up

typedef struct encoding {
    const flow_partition *part;
    const col_batch *rows;
    uint32_t parts;
    base_str *keys;
    uint32_t *partition_n;
} encoding;

static void encode_part(void *arg, uint32_t i, base_arena *arena) {
    const encoding *e = arg;
    uint32_t begin;
    const col_batch *rows = col_batch_part(arena, e->rows, e->parts, i, &begin);
    encode_keys(e->part, arena, rows, e->keys + begin, e->partition_n + begin);
}

base_rc flow_partition_begin(flow_partition *part, flow_ctx *ctx, const col_batch *rows,
                             base_error *err) {
    base_arena *arena = ctx->arena;
    uint32_t n = rows->nrows, kept = 0;
    end_step(part);
    part->ctx = ctx;
    part->delta = rows;
    base_str *keys = base_arena_alloc(arena, sizeof(base_str) * (n + 1u));
    uint32_t *partition_n = base_arena_alloc(arena, sizeof(uint32_t) * (n + 1u));
    encoding e = {part, rows, plat_workers_parts(ctx->workers, n, PART_ROWS), keys, partition_n};
    plat_workers_each_in(ctx->workers, arena, e.parts, encode_part, &e);
    const uint32_t *order = col_keys_sort(ctx->workers, arena, n, keys);
    part->changes = base_arena_alloc(arena, sizeof(change) * (n + 1u));
    for (uint32_t i = 0; i < n; i++) {
        uint32_t row = order[i];
        change *last = kept == 0 ? NULL : &part->changes[kept - 1];
        if (last != NULL && base_str_eq(last->key, keys[row])) {
            last->weight += col_weight(rows, row);
            last->row = row; // the latest of equal rows is the one shown
            continue;
        }
        if (last != NULL && last->weight == 0) kept--;
        part->changes[kept++] =
            (change){keys[row], partition_n[row], row, col_weight(rows, row), 0, {NULL, 0}};
    }
    if (kept > 0 && part->changes[kept - 1].weight == 0) kept--;
    part->nchanges = kept;
    if (!has_store(part)) return BASE_OK;
    for (int i = 0; i < 2; i++) {
        base_rc rc = state_cursor_open(ctx->txn, part->rows, &part->cursors[i], err);
        if (rc != BASE_OK) return rc;
    }
    return BASE_OK;
}

#define GROW(array, n, cap, type)                                                                  \
    do {                                                                                           \
        if ((n) < (cap)) break;                                                                    \
        uint32_t more_ = (cap) == 0 ? 16 : (cap)*2;                                                \
        type *bigger_ = base_arena_alloc(part->ctx->arena, sizeof(type) * more_);                  \
        if ((n) > 0) memcpy(bigger_, (array), sizeof(type) * (n));                                 \
        (array) = bigger_;                                                                         \
        (cap) = more_;                                                                             \
    } while (0)

static base_str joined(base_arena *arena, base_str a, base_str b) {
    char *p = base_arena_alloc_aligned(arena, a.n + b.n + 1, 1);
    memcpy(p, a.p, a.n);
    if (b.n > 0) memcpy(p + a.n, b.p, b.n);
    return (base_str){p, a.n + b.n};
}

// The least key above all that begin with prefix; empty: there is none.
static base_str successor(base_arena *arena, base_str prefix) {
    char *p = base_arena_memdup(arena, prefix.p, prefix.n);
    size_t n = prefix.n;
    while (n > 0 && (uint8_t)p[n - 1] == 0xff) n--;
    if (n > 0) p[n - 1] = (char)((uint8_t)p[n - 1] + 1);
    return (base_str){p, n};
}

static void drop_range(flow_partition *part, base_str from, base_str to) {
    GROW(part->ranges, part->nranges, part->ranges_cap, mark_range);
    part->ranges[part->nranges++] = (mark_range){from, to};
}

// ------------------------------------------------------------------------------------ stored rows

static base_rc read_row(const flow_partition *part, base_str key, base_str value, bool end,
                        stored *out, base_error *err) {
    base_str own = part->segment.partition;
    *out = (stored){.known = true, .end = end || !base_str_starts(key, own)};
    if (out->end) return BASE_OK;
    if (value.n < sizeof out->weight || key.n < own.n + FLOW_PARTITION_HASH) {
        return base_fail(err, BASE_E_CORRUPT, NULL, "a row of a partition has %zu bytes", value.n);
    }
    memcpy(&out->weight, value.p, sizeof out->weight);
    out->key = (base_str){key.p + own.n, key.n - own.n};
    out->bytes = (base_str){value.p + sizeof out->weight, value.n - sizeof out->weight};
    return BASE_OK;
}

static stored of_held(const held_row *row) {
    return (stored){.known = true,
                    .key = {row->key, row->key_n},
                    .bytes = {row->bytes, row->bytes_n},
                    .weight = row->weight};
}

// Reads the partition whole, if it has few rows; else it is `large`.
static base_rc load_partition(flow_partition *part, base_error *err) {
    base_str own = part->segment.partition;
    held_partition *held = partition_cache_find(&part->cache, own, part->hash);
    part->in_cache = held != NULL;
    part->whole = !has_store(part) || (held != NULL && !held->large);
    part->held = held == NULL ? NULL : held->rows;
    part->nheld = held == NULL ? 0 : held->n;
    if (held != NULL || !has_store(part)) return BASE_OK;
    held_row *rows = base_arena_alloc(&part->scratch, sizeof(held_row) * part->few);
    uint32_t n = 0;
    stored at;
    base_str key, value;
    bool end;
    base_rc rc = state_cursor_seek(part->cursors[0], own, &key, &value, &end, err);
    for (;;) {
        if (rc == BASE_OK) rc = read_row(part, key, value, end, &at, err);
        if (rc != BASE_OK || at.end || n == part->few) break;
        rows[n++] =
            (held_row){at.key.p, at.bytes.p, (uint32_t)at.key.n, (uint32_t)at.bytes.n, at.weight};
        rc = state_cursor_next(part->cursors[0], &key, &value, &end, err);
    }
    if (rc != BASE_OK) return rc;
    part->whole = at.end;
    part->held = rows;
    part->nheld = n;
    if (!part->whole) partition_cache_put(&part->cache, own, part->hash, 0, NULL, true);
    // Marks of when it was large, perhaps to a server with smaller caches, are not kept up from
    // here.
    if (part->whole && n > 0 && part->config.marks) {
        drop_range(part, own, successor(part->ctx->arena, own));
    }
    return BASE_OK;
}

// The stored row that follows the segment, and the one before it.
static base_rc peek_ahead(flow_partition *part, base_error *err) {
    if (part->ahead.known) return BASE_OK;
    if (part->whole) {
        part->ahead = part->h_hi == part->nheld ? (stored){.known = true, .end = true}
                                                : of_held(&part->held[part->h_hi]);
        return BASE_OK;
    }
    base_str key, value;
    bool end;
    base_rc rc = state_cursor_next(part->cursors[1], &key, &value, &end, err);
    return rc == BASE_OK ? read_row(part, key, value, end, &part->ahead, err) : rc;
}

static base_rc peek_behind(flow_partition *part, base_error *err) {
    if (part->behind.known) return BASE_OK;
    if (part->whole) {
        part->behind = part->h_lo == 0 ? (stored){.known = true, .end = true}
                                       : of_held(&part->held[part->h_lo - 1]);
        return BASE_OK;
    }
    base_str key, value;
    bool end;
    base_rc rc = state_cursor_prev(part->cursors[0], &key, &value, &end, err);
    return rc == BASE_OK ? read_row(part, key, value, end, &part->behind, err) : rc;
}

// Puts both cursors at a row of the partition.
static base_rc place_cursors(flow_partition *part, base_str key, base_error *err) {
    base_str row_key = {key.p + part->segment.partition.n, key.n - part->segment.partition.n};
    part->ahead = part->behind = (stored){0};
    if (part->whole) {
        uint32_t lo = 0, hi = part->nheld;
        while (lo < hi) {
            uint32_t middle = (lo + hi) / 2;
            base_str at = {part->held[middle].key, part->held[middle].key_n};
            if (base_str_cmp(at, row_key) < 0) {
                lo = middle + 1;
            } else {
                hi = middle;
            }
        }
        part->h_lo = part->h_hi = lo;
        return BASE_OK;
    }
    base_str found, value;
    bool end;
    base_rc rc = state_cursor_seek(part->cursors[1], key, &found, &value, &end, err);
    if (rc == BASE_OK) rc = read_row(part, found, value, end, &part->ahead, err);
    if (rc == BASE_OK) rc = state_cursor_seek(part->cursors[0], key, &found, &value, &end, err);
    return rc;
}

// ------------------------------------------------------------------------------------ segments

static base_str change_key(const flow_partition *part, uint32_t i) {
    const change *c = &part->changes[i];
    return (base_str){c->key.p + c->partition_n, c->key.n - c->partition_n};
}

static flow_partition_row *add_row(flow_partition *part, bool front) {
    segment_room *room = &part->room;
    flow_segment *segment = &part->segment;
    bool full = front ? room->begin == 0 : room->begin + segment->n == room->cap;
    if (full) {
        uint32_t cap = room->cap < 32 ? 64 : room->cap * 2;
        uint32_t begin = front ? cap - room->cap + room->begin : room->begin;
        flow_partition_row *rows =
            base_arena_alloc(&part->scratch, sizeof(flow_partition_row) * cap);
        if (segment->n > 0)
            memcpy(rows + begin, segment->rows, sizeof(flow_partition_row) * segment->n);
        *room = (segment_room){rows, begin, cap};
    }
    if (front) room->begin--;
    segment->n++;
    segment->rows = room->rows + room->begin;
    if (!front) return &segment->rows[segment->n - 1];
    if (segment->first_changed != UINT32_MAX) {
        segment->first_changed++;
        segment->last_changed++;
    }
    return &segment->rows[0];
}

static int64_t present(int64_t weight) {
    return weight > 0 ? weight : 0;
}

// Takes in one row behind the segment's end; rows that neither were nor are there are passed over.
static base_rc take_ahead(flow_partition *part, bool *got, base_error *err) {
    flow_segment *segment = &part->segment;
    for (*got = false; !*got;) {
        base_rc rc = peek_ahead(part, err);
        if (rc != BASE_OK) return rc;
        bool delta = part->d_hi < part->end, old = !part->ahead.end;
        segment->at_end = !delta && !old;
        if (segment->at_end) return BASE_OK;
        int order = !delta ? -1
                    : !old ? 1
                           : base_str_cmp(part->ahead.key, change_key(part, part->d_hi));
        flow_partition_row row = {.source = FLOW_NO_SOURCE};
        if (order <= 0) {
            row.key = part->ahead.key;
            row.bytes = part->ahead.bytes;
            row.was = row.is = part->ahead.weight;
            part->ahead.known = false;
            part->h_hi++;
        }
        if (order >= 0) {
            change *c = &part->changes[part->d_hi];
            row.key = change_key(part, part->d_hi++);
            row.source = c->row;
            row.is += c->weight;
            c->after = row.is;
        }
        row.was = present(row.was);
        row.is = present(row.is);
        *got = row.was + row.is > 0;
        if (!*got) continue;
        *add_row(part, false) = row;
        if (row.was == row.is) continue;
        segment->last_changed = segment->n - 1;
        if (segment->first_changed == UINT32_MAX) segment->first_changed = segment->n - 1;
    }
    return BASE_OK;
}

// Takes in one row in front of the segment, as it is after the step.
static base_rc take_behind(flow_partition *part, base_str limit, bool *got, base_error *err) {
    flow_segment *segment = &part->segment;
    for (*got = false; !*got;) {
        base_rc rc = peek_behind(part, err);
        if (rc != BASE_OK) return rc;
        bool delta = part->d_lo > part->begin, old = !part->behind.end;
        segment->at_start = !delta && !old;
        if (segment->at_start) return BASE_OK;
        int order = !delta ? 1
                    : !old ? -1
                           : base_str_cmp(part->behind.key, change_key(part, part->d_lo - 1));
        base_str key = order >= 0 ? part->behind.key : change_key(part, part->d_lo - 1);
        if (limit.p != NULL && base_str_cmp(key, limit) <= 0) return BASE_OK;
        flow_partition_row row = {.key = key, .source = FLOW_NO_SOURCE};
        int64_t weight = 0;
        if (order >= 0) {
            row.bytes = part->behind.bytes;
            weight = part->behind.weight;
            part->behind.known = false;
            part->h_lo--;
        }
        if (order <= 0) {
            const change *c = &part->changes[--part->d_lo];
            row.source = c->row;
            weight = c->after;
        }
        row.was = row.is = present(weight);
        *got = row.is > 0;
        if (*got) *add_row(part, true) = row;
    }
    return BASE_OK;
}

base_rc flow_segment_grow_front(flow_segment *segment, base_error *err) {
    bool got;
    return take_behind(segment->part, (base_str){NULL, 0}, &got, err);
}

base_rc flow_segment_grow_end(flow_segment *segment, base_error *err) {
    bool got;
    return take_ahead(segment->part, &got, err);
}

base_rc flow_segment_before(flow_segment *segment, uint32_t n, base_error *err) {
    base_rc rc = BASE_OK;
    while (rc == BASE_OK && !segment->at_start && segment->first_changed < n) {
        rc = flow_segment_grow_front(segment, err);
    }
    return rc;
}

base_rc flow_segment_after(flow_segment *segment, uint32_t n, base_error *err) {
    base_rc rc = BASE_OK;
    while (rc == BASE_OK && !segment->at_end && segment->n - 1 - segment->last_changed < n) {
        rc = flow_segment_grow_end(segment, err);
    }
    return rc;
}

// ------------------------------------------------------------------------------------ marks
// dropped

// The marks within a segment that is done with, from its first change on.
static void leave_segment(flow_partition *part) {
    flow_segment *segment = &part->segment;
    if (segment->n > 0 && flow_segment_wants_marks(segment)) {
        base_arena *arena = part->ctx->arena;
        base_str own = segment->partition, last = segment->rows[segment->n - 1].key;
        base_str to = segment->at_end ? successor(arena, own)
                                      : joined(arena, joined(arena, own, last), BASE_STR("\0"));
        drop_range(part, joined(arena, own, segment->rows[segment->first_changed].key), to);
    }
    segment->n = 0;
}

// ------------------------------------------------------------------------------------ walking

static bool same_partition(const flow_partition *part, uint32_t i) {
    const change *c = &part->changes[i];
    return base_str_eq((base_str){c->key.p, c->partition_n}, part->segment.partition);
}

static base_rc begin_partition(flow_partition *part, base_error *err) {
    const change *first = &part->changes[part->end];
    part->begin = part->d_hi = part->end;
    part->segment.partition = (base_str){first->key.p, first->partition_n};
    part->hash = base_hash64(first->key.p, first->partition_n);
    while (part->end < part->nchanges && same_partition(part, part->end)) part->end++;
    return load_partition(part, err);
}

// The value that is stored for a change whose weight is known: the weight, then the row.
static base_str value_of(flow_partition *part, change *c, base_buf *buf) {
    if (c->value.p != NULL) return c->value;
    base_buf_clear(buf);
    base_buf_add(buf, &c->after, sizeof c->after);
    col_row_encode(buf, part->delta, c->row, part->config.ncolumns, part->columns);
    c->value = (base_str){base_arena_memdup(part->ctx->arena, buf->p, buf->n), buf->n};
    return c->value;
}

// The cached partition becomes what it is after the step.
static void refresh_cache(flow_partition *part) {
    uint32_t nchanges = part->end - part->begin, n = 0;
    held_row *rows =
        base_arena_alloc(&part->scratch, sizeof(held_row) * (part->nheld + nchanges + 1u));
    base_buf buf = {0};
    for (uint32_t h = 0, d = part->begin; h < part->nheld || d < part->end;) {
        int order = d == part->end ? -1
                    : h == part->nheld
                        ? 1
                        : base_str_cmp((base_str){part->held[h].key, part->held[h].key_n},
                                       change_key(part, d));
        if (order < 0) {
            rows[n++] = part->held[h++];
            continue;
        }
        if (order == 0) h++;
        change *c = &part->changes[d++];
        if (c->after == 0) continue;
        base_str value = value_of(part, c, &buf);
        rows[n++] = (held_row){c->key.p + c->partition_n, value.p + sizeof c->after,
                               (uint32_t)(c->key.n - c->partition_n),
                               (uint32_t)(value.n - sizeof c->after), c->after};
    }
    base_buf_deinit(&buf);
    bool large = n > part->few;
    // Of when it was large before there may be marks, which nobody has kept.
    if (large && part->config.marks) {
        base_str own = part->segment.partition;
        drop_range(part, own, successor(part->ctx->arena, own));
    }
    partition_cache_put(&part->cache, part->segment.partition, part->hash, large ? 0 : n, rows,
                        large);
}

base_rc flow_partition_next(flow_partition *part, flow_segment **out, base_error *err) {
    flow_segment *segment = &part->segment;
    *out = NULL;
    leave_segment(part);
    for (;;) {
        if (part->d_hi == part->end || part->end == 0) {
            if (part->end > part->begin && part->whole && has_store(part)) refresh_cache(part);
            if (part->end == part->nchanges) return BASE_OK;
            base_arena_reset(&part->scratch);
            base_rc rc = begin_partition(part, err);
            if (rc != BASE_OK) return rc;
        }
        segment->part = part;
        segment->rows = NULL;
        segment->n = 0;
        segment->first_changed = segment->last_changed = UINT32_MAX;
        segment->at_start = segment->at_end = false;
        part->room = (segment_room){0};
        part->d_lo = part->d_hi;
        base_rc rc = place_cursors(part, part->changes[part->d_hi].key, err);
        // Changes that leave a row as it was (a weight below 1) make no segment; stored rows
        // between them are passed over with them.
        while (rc == BASE_OK && segment->first_changed == UINT32_MAX && part->d_hi < part->end) {
            rc = flow_segment_grow_end(segment, err);
        }
        if (rc != BASE_OK) return rc;
        if (segment->first_changed == UINT32_MAX) continue;
        *out = segment;
        return BASE_OK;
    }
}

// ------------------------------------------------------------------------------------ columns

static base_rc decode_rows(flow_segment *segment, base_arena *arena, const uint32_t *rows,
                           uint32_t first, uint32_t n, bool keep, col_batch **out,
                           base_error *err) {
    flow_partition *part = segment->part;
    uint32_t ncols = part->config.ncolumns, *sel = base_arena_alloc(arena, sizeof *sel * (n + 1u));
    bool all = true;
    for (uint32_t i = 0; i < n; i++) {
        sel[i] = segment->rows[rows == NULL ? first + i : rows[i]].source;
        all = all && sel[i] != FLOW_NO_SOURCE;
    }
    if (all) {
        *out = col_batch_gather(arena, part->delta, sel, n);
        (*out)->weights = NULL;
        return BASE_OK;
    }
    *out = col_batch_create(arena, ncols, part->config.types, n);
    base_rc rc = BASE_OK;
    for (uint32_t i = 0; i < n && rc == BASE_OK; i++) {
        if (sel[i] != FLOW_NO_SOURCE) {
            for (uint32_t c = 0; c < ncols; c++)
                col_vec_copy_cell(&(*out)->cols[c], i, &part->delta->cols[c], sel[i], arena);
            continue;
        }
        base_str bytes = segment->rows[rows == NULL ? first + i : rows[i]].bytes;
        if (keep) bytes.p = base_arena_memdup(arena, bytes.p, bytes.n);
        size_t at = 0;
        rc = col_row_decode(bytes, &at, *out, i, ncols, part->columns, arena, err);
    }
    return rc;
}

base_rc flow_segment_batch(flow_segment *segment, base_arena *arena, uint32_t first, uint32_t n,
                           bool keep, col_batch **out, base_error *err) {
    return decode_rows(segment, arena, NULL, first, n, keep, out, err);
}

base_rc flow_segment_gather(flow_segment *segment, base_arena *arena, const uint32_t *rows,
                            uint32_t n, col_batch **out, base_error *err) {
    return decode_rows(segment, arena, rows, 0, n, true, out, err);
}

// ------------------------------------------------------------------------------------ marks

uint32_t flow_segment_mark_every(const flow_segment *segment) {
    return segment->part->few;
}

bool flow_segment_wants_marks(const flow_segment *segment) {
    return segment->part->config.marks && !segment->part->whole;
}

// The last mark before the segment: one set in this step, or a stored one.
static base_rc find_mark(flow_segment *segment, bool peers, mark *found, base_error *err) {
    flow_partition *part = segment->part;
    base_arena *arena = &part->scratch;
    base_str own = segment->partition, first = segment->rows[0].key;
    if (peers) first.n -= FLOW_PARTITION_HASH;
    base_str front = joined(arena, own, first);
    *found = (mark){0};
    if (part->nmarks > 0) {
        const mark *last = &part->new_marks[part->nmarks - 1];
        if (base_str_starts(last->key, own) && base_str_cmp(last->key, front) < 0) {
            *found = *last;
            return BASE_OK;
        }
    }
    state_cursor *cursor;
    base_str key, value;
    bool end;
    base_rc rc = state_cursor_open(part->ctx->txn, part->marks, &cursor, err);
    if (rc != BASE_OK) return rc;
    rc = state_cursor_seek(cursor, front, &key, &value, &end, err);
    if (rc == BASE_OK) {
        rc = end ? state_cursor_last(cursor, &key, &value, &end, err)
                 : state_cursor_prev(cursor, &key, &value, &end, err);
    }
    if (rc == BASE_OK && !end && base_str_starts(key, own)) {
        found->key = (base_str){base_arena_memdup(arena, key.p, key.n), key.n};
        found->state = (base_str){base_arena_memdup(arena, value.p, value.n), value.n};
    }
    state_cursor_close(cursor);
    return rc;
}

base_rc flow_segment_to_mark(flow_segment *segment, bool peers, base_str *state, base_error *err) {
    flow_partition *part = segment->part;
    mark found = {0};
    base_rc rc = BASE_OK;
    if (flow_segment_wants_marks(segment)) rc = find_mark(segment, peers, &found, err);
    base_str limit = {NULL, 0};
    if (found.key.p != NULL) {
        limit = (base_str){found.key.p + segment->partition.n, found.key.n - segment->partition.n};
    }
    for (bool got = true; rc == BASE_OK && got;) rc = take_behind(part, limit, &got, err);
    *state = found.state;
    return rc;
}

void flow_segment_mark(flow_segment *segment, uint32_t row, base_str state) {
    flow_partition *part = segment->part;
    base_arena *arena = part->ctx->arena;
    GROW(part->new_marks, part->nmarks, part->marks_cap, mark);
    part->new_marks[part->nmarks++] =
        (mark){joined(arena, segment->partition, segment->rows[row].key),
               {base_arena_memdup(arena, state.p, state.n), state.n}};
}

// ------------------------------------------------------------------------------------ writing

static base_rc write_marks(flow_partition *part, base_error *err) {
    base_arena *arena = part->ctx->arena;
    base_rc rc = BASE_OK;
    for (uint32_t i = 0; i < part->nranges && rc == BASE_OK; i++) {
        uint64_t deleted;
        rc = state_delete_range(part->ctx->txn, part->marks, part->ranges[i].from,
                                part->ranges[i].to, &deleted, err);
    }
    if (rc != BASE_OK || part->nmarks == 0) return rc;
    base_str *keys = base_arena_alloc(arena, sizeof(base_str) * part->nmarks);
    base_str *values = base_arena_alloc(arena, sizeof(base_str) * part->nmarks);
    for (uint32_t i = 0; i < part->nmarks; i++) {
        keys[i] = part->new_marks[i].key;
        values[i] = part->new_marks[i].state;
    }
    return state_put_batch(part->ctx->txn, part->marks, part->nmarks, keys, values, err);
}

base_rc flow_partition_finish(flow_partition *part, base_error *err) {
    must(part->ctx != NULL);
    if (!has_store(part)) {
        end_step(part);
        return BASE_OK;
    }
    for (int i = 0; i < 2; i++) state_cursor_close(part->cursors[i]);
    base_arena *arena = part->ctx->arena;
    uint32_t n = part->nchanges;
    base_str *keys = base_arena_alloc(arena, sizeof(base_str) * (n + 1u));
    base_str *values = base_arena_array(arena, base_str, n + 1u);
    base_buf buf = {0};
    for (uint32_t i = 0; i < n; i++) {
        change *c = &part->changes[i];
        keys[i] = c->key;
        if (c->after != 0) values[i] = value_of(part, c, &buf);
    }
    base_buf_deinit(&buf);
    base_rc rc = state_put_batch(part->ctx->txn, part->rows, n, keys, values, err);
    if (rc == BASE_OK) rc = write_marks(part, err);
    end_step(part);
    count_cache(part);
    return rc;
}

// Every stored row decodes, has a weight, and marks stand only where they may.
base_rc flow_partition_verify(flow_partition *part, flow_ctx *ctx, base_error *err) {
    state_cursor *cursor;
    base_rc rc = state_cursor_open(ctx->txn, part->rows, &cursor, err);
    if (rc != BASE_OK) return rc;
    for (;;) {
        base_str key, value;
        bool end;
        int64_t weight = 0;
        rc = state_cursor_next(cursor, &key, &value, &end, err);
        if (rc != BASE_OK || end) break;
        if (value.n >= sizeof weight) memcpy(&weight, value.p, sizeof weight);
        if (weight == 0 || key.n < FLOW_PARTITION_HASH) {
            rc = base_fail(err, BASE_E_CORRUPT, NULL,
                           "view %u, node %u: a row of a partition is stored without weight",
                           part->config.op->view_id, part->config.op->node_id);
            break;
        }
    }
    state_cursor_close(cursor);
    return rc;
}
