// spine.c - a spine's runs and blocks in the store: the list of runs, adding one, taking blocks
// apart.
//
// Invariants: runs have ascending ids, so a run is appended to the table; a run's blocks are in
// order of their last hash, and rows in a block in order of (hash, id); the head of a run says how
// many rows and bytes its blocks have. Entry points: flow_spine_add, spine_writer_add.
#include <stdlib.h>

#include "flow/spine_int.h"

#define PENDING_BYTES (1u << 20)

struct spine_pending {
    uint64_t last;
    uint32_t number;
    size_t begin, end;
};

base_rc spine_corrupt(base_error *err, const char *what) {
    return base_fail(err, BASE_E_CORRUPT, NULL, "stored rows of a join are damaged: %s", what);
}

// ------------------------------------------------------------------------------------ keys

static void put_be(char *out, uint64_t v) {
    v = __builtin_bswap64(v);
    memcpy(out, &v, 8);
}

void spine_put_key(char *out, uint64_t run, uint64_t hash, uint32_t number) {
    put_be(out, run);
    put_be(out + 8, hash);
    number = __builtin_bswap32(number);
    memcpy(out + 16, &number, 4);
}

base_str spine_run_key(char out[SPINE_RUN_KEY_BYTES], uint64_t run) {
    put_be(out, run);
    return (base_str){out, SPINE_RUN_KEY_BYTES};
}

// ------------------------------------------------------------------------------------ life

base_rc flow_spine_open(flow_spine *spine, const char *suffix, base_error *err) {
    flow_op *op = spine->op;
    return flow_table_open(op->graph, false, op->view_id, op->node->id, suffix, &spine->table, err);
}

void flow_spine_reset(flow_spine *spine) {
    spine->loaded = false;
    spine->nruns = 0;
    spine->debt = 0;
}

void flow_spine_deinit(flow_spine *spine) {
    flow_heap_add(spine->op, -(int64_t)(sizeof *spine->runs * spine->cap));
    free(spine->runs);
    spine->runs = NULL;
    spine->nruns = spine->cap = 0;
}

uint64_t flow_spine_count(const flow_spine *spine) {
    uint64_t rows = 0;
    for (uint32_t i = 0; i < spine->nruns; i++) rows += spine->runs[i].rows;
    return rows;
}

static void runs_add(flow_spine *spine, const flow_spine_run *run) {
    if (spine->nruns == spine->cap) {
        uint32_t cap = spine->cap == 0 ? 16 : spine->cap * 2;
        flow_heap_add(spine->op, (int64_t)(sizeof *spine->runs * (cap - spine->cap)));
        spine->runs = realloc(spine->runs, sizeof *spine->runs * cap);
        must(spine->runs != NULL);
        spine->cap = cap;
    }
    spine->runs[spine->nruns++] = *run;
    if (run->id >= spine->next_id) spine->next_id = run->id + 1;
}

base_rc spine_load(flow_spine *spine, flow_ctx *ctx, base_error *err) {
    if (spine->loaded) return BASE_OK;
    spine->nruns = 0;
    spine->next_id = 1;
    state_cursor *cursor;
    base_rc rc = state_cursor_open(ctx->txn, spine->table, &cursor, err);
    if (rc != BASE_OK) return rc;
    base_str key, value;
    bool end;
    char next[SPINE_RUN_KEY_BYTES];
    rc = state_cursor_next(cursor, &key, &value, &end, err);
    while (rc == BASE_OK && !end) {
        spine_run_head head;
        if (key.n != SPINE_RUN_KEY_BYTES || value.n != sizeof head) {
            rc = spine_corrupt(err, "a run without a head");
            break;
        }
        memcpy(&head, value.p, sizeof head);
        if (head.version != 1 || (head.cancels != 0) != spine->cancels) {
            rc = spine_corrupt(err, "a run of another layout");
            break;
        }
        flow_spine_run run = {spine_get_be(key.p), head.rows, head.bytes, head.time_max};
        runs_add(spine, &run);
        rc = state_cursor_seek(cursor, spine_run_key(next, run.id + 1), &key, &value, &end, err);
    }
    state_cursor_close(cursor);
    spine->loaded = rc == BASE_OK;
    return rc;
}

base_rc spine_delete_run(flow_spine *spine, flow_ctx *ctx, uint32_t which, base_error *err) {
    char from[SPINE_RUN_KEY_BYTES], to[SPINE_RUN_KEY_BYTES];
    uint64_t deleted, id = spine->runs[which].id;
    base_rc rc = state_delete_range(ctx->txn, spine->table, spine_run_key(from, id),
                                    spine_run_key(to, id + 1), &deleted, err);
    spine->nruns--;
    memmove(&spine->runs[which], &spine->runs[which + 1],
            sizeof *spine->runs * (spine->nruns - which));
    return rc;
}

// ------------------------------------------------------------------------------------ blocks

base_rc spine_block_parse(const flow_spine *spine, base_str value, spine_block *out,
                          base_error *err) {
    spine_block_head head;
    if (value.n < sizeof head) return spine_corrupt(err, "a block ends early");
    memcpy(&head, value.p, sizeof head);
    bool ids = (head.flags & SPINE_BLOCK_IDS) != 0,
         weights = (head.flags & SPINE_BLOCK_WEIGHTS) != 0;
    size_t need = 8 * (size_t)head.nrows * (1u + ids + weights);
    if (head.version != 1 || head.nrows == 0 || head.nrows > COL_BLOCK_ROWS_MAX ||
        ids != spine->cancels || need > value.n - sizeof head)
        return spine_corrupt(err, "the head of a block");
    const char *p = value.p + sizeof head;
    *out = (spine_block){.n = head.nrows, .hashes = p};
    p += 8 * (size_t)head.nrows;
    if (ids) {
        out->ids = p;
        p += 8 * (size_t)head.nrows;
    }
    if (weights) {
        out->weights = p;
        p += 8 * (size_t)head.nrows;
    }
    out->bytes = (base_str){p, (size_t)(value.p + value.n - p)};
    return BASE_OK;
}

// ------------------------------------------------------------------------------------ writing

void spine_writer_begin(spine_writer *writer, flow_spine *spine, flow_ctx *ctx, bool deferred) {
    *writer = (spine_writer){.spine = spine, .ctx = ctx, .deferred = deferred};
    writer->run = (flow_spine_run){.id = spine->next_id, .time_max = INT64_MIN};
}

void spine_writer_deinit(spine_writer *writer) {
    base_buf_deinit(&writer->bytes);
    free(writer->pending);
    writer->pending = NULL;
}

// Bytes of strings of a row, those in structs too.
static size_t string_bytes(const col_vec *vec, uint32_t row) {
    if (vec->type.kind == COL_STRUCT) {
        size_t n = 0;
        for (uint16_t i = 0; i < vec->type.nfields; i++) n += string_bytes(&vec->children[i], row);
        return n;
    }
    return col_kind_is_string(vec->type.kind) && !col_is_null(vec, row) ? col_str(vec)[row].n + 2
                                                                        : 0;
}

static size_t fixed_bytes(const col_type *type) {
    if (type->kind == COL_STRUCT) {
        size_t n = 0;
        for (uint16_t i = 0; i < type->nfields; i++) n += fixed_bytes(&type->fields[i].type);
        return n;
    }
    return col_kind_is_string(type->kind) ? 0 : col_kind_width(type->kind);
}

// Bytes of strings in each row that is written; NULL: no column has any.
static const size_t *all_string_bytes(const flow_spine *spine, base_arena *arena,
                                      const flow_spine_rows *rows) {
    size_t *bytes = NULL;
    for (uint32_t c = 0; c < spine->ncolumns; c++) {
        const col_vec *vec = &rows->batch->cols[c];
        bool is_struct = vec->type.kind == COL_STRUCT;
        if (!is_struct && !col_kind_is_string(vec->type.kind)) continue;
        if (bytes == NULL) bytes = base_arena_array(arena, size_t, rows->n + 1u);
        if (is_struct || vec->nulls != NULL) {
            for (uint32_t i = 0; i < rows->n; i++) bytes[i] += string_bytes(vec, rows->rows[i]);
        } else {
            for (uint32_t i = 0; i < rows->n; i++) bytes[i] += col_str(vec)[rows->rows[i]].n + 2;
        }
    }
    return bytes;
}

// Of rows [begin, ...) those that make the next block.
static uint32_t block_rows(const flow_spine_rows *rows, uint32_t begin, size_t fixed,
                           const size_t *strings) {
    uint32_t most = rows->n - begin < COL_BLOCK_ROWS_MAX ? rows->n - begin : COL_BLOCK_ROWS_MAX;
    size_t bytes = 0;
    for (uint32_t i = 0; i < most; i++) {
        bytes += fixed + (strings == NULL ? 0 : strings[begin + i]);
        if (bytes > SPINE_BLOCK_BYTES && i > 0) return i;
    }
    return most;
}

static bool all_one(const int64_t *weights, uint32_t n) {
    for (uint32_t i = 0; weights != NULL && i < n; i++) {
        if (weights[i] != 1) return false;
    }
    return true;
}

static void encode_block(base_buf *buf, const flow_spine_rows *rows, uint32_t begin, uint32_t n) {
    const int64_t *weights = rows->weights == NULL ? NULL : rows->weights + begin;
    bool weighted = !all_one(weights, n);
    spine_block_head head = {.version = 1,
                             .flags = (uint8_t)((rows->ids != NULL ? SPINE_BLOCK_IDS : 0) |
                                                (weighted ? SPINE_BLOCK_WEIGHTS : 0)),
                             .nrows = n};
    base_buf_add(buf, &head, sizeof head);
    base_buf_add(buf, rows->hashes + begin, 8 * (size_t)n);
    if (rows->ids != NULL) base_buf_add(buf, rows->ids + begin, 8 * (size_t)n);
    if (weighted) base_buf_add(buf, weights, 8 * (size_t)n);
    col_block_encode(buf, rows->batch, rows->rows + begin, n);
}

static base_rc put_pending(spine_writer *writer, base_error *err) {
    uint32_t n = writer->npending;
    if (n == 0) return BASE_OK;
    base_arena *arena = writer->ctx->arena;
    char *bytes = base_arena_alloc_aligned(arena, (size_t)SPINE_BLOCK_KEY_BYTES * n, 1);
    base_str *keys = base_arena_alloc(arena, sizeof *keys * n);
    base_str *values = base_arena_alloc(arena, sizeof *values * n);
    for (uint32_t i = 0; i < n; i++) {
        const struct spine_pending *p = &writer->pending[i];
        char *key = bytes + (size_t)SPINE_BLOCK_KEY_BYTES * i;
        spine_put_key(key, writer->run.id, p->last, p->number);
        keys[i] = (base_str){key, SPINE_BLOCK_KEY_BYTES};
        values[i] = (base_str){writer->bytes.p + p->begin, p->end - p->begin};
    }
    base_rc rc = state_put_batch(writer->ctx->txn, writer->spine->table, n, keys, values, err);
    writer->npending = 0;
    base_buf_clear(&writer->bytes);
    return rc;
}

static struct spine_pending *pending_new(spine_writer *writer) {
    if (writer->npending == writer->pending_cap) {
        writer->pending_cap = writer->pending_cap == 0 ? 64 : writer->pending_cap * 2;
        writer->pending = realloc(writer->pending, sizeof *writer->pending * writer->pending_cap);
        must(writer->pending != NULL);
    }
    return &writer->pending[writer->npending++];
}

static void note_times(spine_writer *writer, const flow_spine_rows *rows) {
    flow_spine_run *run = &writer->run;
    if (writer->spine->time_column < 0) {
        run->time_max = INT64_MAX;
        return;
    }
    const col_vec *times = &rows->batch->cols[writer->spine->time_column];
    for (uint32_t i = 0; i < rows->n; i++) {
        uint32_t row = rows->rows[i];
        int64_t us = col_is_null(times, row) ? INT64_MAX : col_i64(times)[row];
        if (us > run->time_max) run->time_max = us;
    }
}

base_rc spine_writer_add(spine_writer *writer, const flow_spine_rows *rows, base_error *err) {
    const flow_spine *spine = writer->spine;
    must((rows->ids != NULL) == spine->cancels);
    note_times(writer, rows);
    const size_t *strings = all_string_bytes(spine, writer->ctx->arena, rows);
    size_t fixed = 8u * (1u + spine->cancels + (rows->weights != NULL));
    for (uint32_t c = 0; c < spine->ncolumns; c++) fixed += fixed_bytes(&spine->types[c]);
    base_rc rc = BASE_OK;
    for (uint32_t at = 0, n; at < rows->n && rc == BASE_OK; at += n) {
        n = block_rows(rows, at, fixed, strings);
        size_t begin = writer->bytes.n;
        encode_block(&writer->bytes, rows, at, n);
        *pending_new(writer) = (struct spine_pending){rows->hashes[at + n - 1], writer->number++,
                                                      begin, writer->bytes.n};
        writer->run.rows += n;
        writer->run.bytes += writer->bytes.n - begin;
        if (!writer->deferred && writer->bytes.n >= PENDING_BYTES) rc = put_pending(writer, err);
    }
    return rc;
}

base_rc spine_writer_end(spine_writer *writer, base_error *err) {
    flow_spine *spine = writer->spine;
    if (writer->run.rows == 0) return BASE_OK;
    base_rc rc = put_pending(writer, err);
    if (rc != BASE_OK) return rc;
    spine_run_head head = {.version = 1,
                           .cancels = spine->cancels,
                           .rows = writer->run.rows,
                           .bytes = writer->run.bytes,
                           .time_max = writer->run.time_max};
    char key[SPINE_RUN_KEY_BYTES];
    rc = state_put(writer->ctx->txn, spine->table, spine_run_key(key, writer->run.id),
                   (base_str){(const char *)&head, sizeof head}, err);
    if (rc == BASE_OK) runs_add(spine, &writer->run);
    return rc;
}

base_rc flow_spine_add(flow_spine *spine, flow_ctx *ctx, const flow_spine_rows *rows,
                       int64_t bound_us, base_error *err) {
    base_rc rc = spine_load(spine, ctx, err);
    if (rc != BASE_OK) return rc;
    spine_writer writer;
    spine_writer_begin(&writer, spine, ctx, false);
    rc = spine_writer_add(&writer, spine_in_time(spine, ctx->arena, rows, bound_us), err);
    if (rc == BASE_OK) rc = spine_writer_end(&writer, err);
    spine_writer_deinit(&writer);
    return rc == BASE_OK ? spine_tidy(spine, ctx, bound_us, err) : rc;
}

base_rc flow_spine_tidy(flow_spine *spine, flow_ctx *ctx, int64_t bound_us, base_error *err) {
    base_rc rc = spine_load(spine, ctx, err);
    return rc == BASE_OK ? spine_tidy(spine, ctx, bound_us, err) : rc;
}
