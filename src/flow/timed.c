// timed.c - the table of timed.h. Adding reads and writes its keys in sorted batches; taking scans
// from the start and deletes what it has read as one range. Entry points: flow_timed_add,
// flow_timed_take.
#include "flow/timed.h"

#include "base/hash.h"

#define DUE_BYTES  8u
#define HASH_BYTES 16u

typedef struct timed_head { // of a value; the row's encoding follows
    int64_t weight, tag;
} timed_head;
_Static_assert(sizeof(timed_head) == 16, "timed_head is a disk format");

base_rc flow_timed_open(flow_timed *timed, flow_op *op, const char *suffix, base_error *err) {
    timed->op = op;
    uint32_t n = op->node->ncolumns;
    timed->columns = base_arena_array(&op->graph->arena, uint32_t, n + 1u);
    for (uint32_t c = 0; c < n; c++) timed->columns[c] = c;
    return flow_table_open(op->graph, false, op->view_id, op->node->id, suffix, &timed->table, err);
}

// Due times in the order of their bytes.
static void put_due(char out[DUE_BYTES], int64_t due) {
    uint64_t u = (uint64_t)due ^ (1ull << 63);
    for (unsigned i = 0; i < DUE_BYTES; i++) out[i] = (char)(u >> (56 - 8 * i));
}

static int64_t get_due(const char *p) {
    uint64_t u = 0;
    for (unsigned i = 0; i < DUE_BYTES; i++) u = u << 8 | (uint8_t)p[i];
    return (int64_t)(u ^ (1ull << 63));
}

static base_str timed_key(flow_timed *timed, base_arena *arena, const col_batch *batch,
                          uint32_t row, int64_t due, base_buf *scratch) {
    char *key = base_arena_alloc(arena, DUE_BYTES + HASH_BYTES);
    put_due(key, due);
    base_buf_clear(scratch);
    col_row_encode(scratch, batch, row, batch->ncols, timed->columns);
    uint8_t hash[HASH_BYTES];
    base_hash128(scratch->p == NULL ? "" : scratch->p, scratch->n, hash);
    memcpy(key + DUE_BYTES, hash, HASH_BYTES);
    return (base_str){key, DUE_BYTES + HASH_BYTES};
}

// A key that the delta touches: the sum of its weights, and the row that is stored if there is
// none.
typedef struct touched {
    int64_t weight;
    uint32_t row;
} touched;

static base_rc new_value(flow_timed *timed, base_arena *arena, const col_batch *batch,
                         const touched *t, int64_t tag, base_str *value, base_buf *buf,
                         base_error *err) {
    timed_head head = {0, tag};
    base_str row = {NULL, 0};
    if (value->p != NULL) {
        if (value->n < sizeof head)
            return base_fail(err, BASE_E_CORRUPT, NULL, "a row that waits has %zu bytes", value->n);
        memcpy(&head, value->p, sizeof head);
        row = (base_str){value->p + sizeof head, value->n - sizeof head};
    }
    head.weight += t->weight;
    *value = (base_str){NULL, 0};
    if (head.weight == 0) return BASE_OK;
    base_buf_clear(buf);
    base_buf_add(buf, &head, sizeof head);
    if (row.p != NULL)
        base_buf_add_str(buf, row);
    else
        col_row_encode(buf, batch, t->row, batch->ncols, timed->columns);
    *value = (base_str){base_arena_memdup(arena, buf->p, buf->n), buf->n};
    return BASE_OK;
}

base_rc flow_timed_add(flow_timed *timed, flow_ctx *ctx, const col_batch *batch, uint32_t n,
                       const uint32_t *sel, const int64_t *dues, const int64_t *tags,
                       base_error *err) {
    if (n == 0) return BASE_OK;
    base_arena *arena = ctx->arena;
    base_buf buf = {0};
    base_str *keys = base_arena_alloc(arena, sizeof(base_str) * n);
    for (uint32_t i = 0; i < n; i++)
        keys[i] = timed_key(timed, arena, batch, sel[i], dues[sel[i]], &buf);
    const uint32_t *order = col_keys_sort(ctx->workers, arena, n, keys);
    base_str *sorted = base_arena_alloc(arena, sizeof(base_str) * n);
    base_str *values = base_arena_array(arena, base_str, n);
    touched *all = base_arena_alloc(arena, sizeof(touched) * n);
    uint32_t distinct = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t row = sel[order[i]];
        int64_t weight = col_weight(batch, row);
        if (distinct > 0 && base_str_eq(sorted[distinct - 1], keys[order[i]])) {
            all[distinct - 1].weight += weight;
            continue;
        }
        sorted[distinct] = keys[order[i]];
        all[distinct++] = (touched){weight, row};
    }
    base_rc rc = state_get_batch(ctx->txn, timed->table, distinct, sorted, values, err);
    for (uint32_t i = 0; i < distinct && rc == BASE_OK; i++)
        rc = new_value(timed, arena, batch, &all[i], tags == NULL ? 0 : tags[all[i].row],
                       &values[i], &buf, err);
    base_buf_deinit(&buf);
    if (rc != BASE_OK) return rc;
    return state_put_batch(ctx->txn, timed->table, distinct, sorted, values, err);
}

// Rows being taken out.
typedef struct taking {
    col_batch *rows;
    int64_t *weights, *tags;
    uint32_t n, cap;
    base_str last; // key of the last one
} taking;

static base_rc take_row(flow_timed *timed, base_arena *arena, taking *t, base_str key,
                        base_str value, base_error *err) {
    timed_head head;
    if (value.n < sizeof head)
        return base_fail(err, BASE_E_CORRUPT, NULL, "a row that waits has %zu bytes", value.n);
    memcpy(&head, value.p, sizeof head);
    size_t at = sizeof head;
    base_str own = {base_arena_memdup(arena, value.p, value.n), value.n};
    base_rc rc = col_row_decode(own, &at, t->rows, t->n, timed->op->node->ncolumns, timed->columns,
                                arena, err);
    if (rc != BASE_OK) return rc;
    t->weights[t->n] = head.weight;
    t->tags[t->n++] = head.tag;
    t->last = (base_str){base_arena_memdup(arena, key.p, key.n), key.n};
    return BASE_OK;
}

static base_rc read_due(flow_timed *timed, flow_ctx *ctx, int64_t upto, taking *t,
                        base_error *err) {
    const plan_node *node = timed->op->node;
    state_cursor *cursor;
    base_rc rc = state_cursor_open(ctx->txn, timed->table, &cursor, err);
    if (rc != BASE_OK) return rc;
    base_str key, value;
    bool end;
    rc = state_cursor_next(cursor, &key, &value, &end, err);
    while (rc == BASE_OK && !end && t->n < t->cap && get_due(key.p) <= upto) {
        if (t->rows == NULL) { // most steps have none
            base_arena *arena = ctx->arena;
            t->rows = col_batch_create(arena, node->ncolumns, flow_types(arena, node), t->cap);
            t->weights = base_arena_alloc(arena, sizeof(int64_t) * t->cap);
            t->tags = base_arena_alloc(arena, sizeof(int64_t) * t->cap);
        }
        rc = take_row(timed, ctx->arena, t, key, value, err);
        if (rc == BASE_OK) rc = state_cursor_next(cursor, &key, &value, &end, err);
    }
    state_cursor_close(cursor);
    return rc;
}

base_rc flow_timed_take(flow_timed *timed, flow_ctx *ctx, int64_t upto, const col_batch **out,
                        const int64_t **tags, base_error *err) {
    *out = NULL;
    uint32_t most = timed->op->graph->batch_rows;
    taking t = {.cap = most < 4096 ? most : 4096};
    base_rc rc = read_due(timed, ctx, upto, &t, err);
    if (rc != BASE_OK || t.n == 0) return rc;
    base_buf behind = {0}; // the first key after the last one taken
    base_buf_add_str(&behind, t.last);
    base_buf_add_byte(&behind, 0);
    uint64_t deleted;
    rc = state_delete_range(ctx->txn, timed->table, (base_str){NULL, 0}, base_buf_str(&behind),
                            &deleted, err);
    base_buf_deinit(&behind);
    const col_batch *rows = col_batch_slice(ctx->arena, t.rows, 0, t.n);
    *out = col_batch_with_weights(ctx->arena, rows, t.weights);
    *tags = t.tags;
    return rc;
}

base_rc flow_timed_next(flow_timed *timed, flow_ctx *ctx, int64_t *due, base_error *err) {
    *due = INT64_MAX;
    state_cursor *cursor;
    base_rc rc = state_cursor_open(ctx->txn, timed->table, &cursor, err);
    if (rc != BASE_OK) return rc;
    base_str key, value;
    bool end;
    rc = state_cursor_next(cursor, &key, &value, &end, err);
    if (rc == BASE_OK && !end) *due = get_due(key.p);
    state_cursor_close(cursor);
    return rc;
}
