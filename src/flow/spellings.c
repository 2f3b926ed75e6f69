// spellings.c - how the rows of a group are written; see spellings.h.
//
// Invariants: a row is in the table while its count is not 0 (negative: it was taken back before it
// came); keys of one group stand together, in the order of their tags.
// Entry points: flow_spellings_add, flow_spellings_merge.
#include "flow/spellings.h"

#include <stdlib.h>

#define TAG_BYTES 8u

base_rc flow_spellings_open(flow_spellings *spellings, flow_op *op, uint32_t ncols,
                            const col_type *types, base_error *err) {
    *spellings = (flow_spellings){0};
    if (!col_has_tags(ncols, types)) return BASE_OK;
    base_arena *arena = &op->graph->arena;
    col_type *all = base_arena_array(arena, col_type, ncols + 2u);
    all[0] = all[ncols + 1] = col_type_of(COL_INT8);
    memcpy(all + 1, types, sizeof *types * ncols);
    *spellings = (flow_spellings){
        .ncols = ncols, .types = all + 1, .columns = base_arena_array(arena, uint32_t, ncols)};
    for (uint32_t c = 0; c < ncols; c++) spellings->columns[c] = c;
    flow_groups_init(&spellings->rows, arena, ncols + 2, all);
    if (op->graph->store == NULL) return BASE_OK;
    return flow_table_open(op->graph, false, op->view_id, op->node_id, "spellings",
                           &spellings->table, err);
}

void flow_spellings_deinit(flow_spellings *spellings) {
    if (spellings->ncols == 0) return;
    flow_groups_deinit(&spellings->rows);
    free(spellings->weights);
    spellings->weights = NULL;
    spellings->cap = 0;
}

void flow_spellings_clear(flow_spellings *spellings) {
    if (spellings->ncols == 0) return;
    flow_groups_clear(&spellings->rows);
    if (spellings->cap > 65536 && spellings->rows.cap < spellings->cap / 16) {
        free(spellings->weights);
        spellings->weights = NULL;
        spellings->cap = 0;
    }
}

size_t flow_spellings_bytes(const flow_spellings *spellings) {
    return flow_groups_bytes(&spellings->rows) + sizeof(int64_t) * spellings->cap;
}

void flow_spellings_add(flow_spellings *spellings, flow_ctx *ctx, const uint32_t *group_of,
                        const col_vec *columns, uint32_t n, const int64_t *weights) {
    base_arena *arena = ctx->arena;
    uint32_t ncols = spellings->ncols;
    if (ncols == 0 || n == 0) return;
    col_batch rows = {ncols + 2, n, base_arena_array(arena, col_vec, ncols + 2u), NULL};
    int64_t *numbers = base_arena_alloc(arena, sizeof(int64_t) * n);
    for (uint32_t i = 0; i < n; i++) numbers[i] = group_of[i];
    rows.cols[0] = (col_vec){.type = col_type_of(COL_INT8), .n = n, .data = numbers};
    memcpy(rows.cols + 1, columns, sizeof *columns * ncols);
    const col_batch given = {ncols, n, rows.cols + 1, NULL};
    rows.cols[ncols + 1] = *col_tags(arena, &given, ncols, spellings->columns, spellings->types);
    // The group and the tag say it all: its columns are equal.
    const uint32_t told[2] = {0, ncols + 1};
    uint64_t *hashes = base_arena_alloc(arena, sizeof(uint64_t) * n);
    uint32_t *row_of = base_arena_alloc(arena, sizeof(uint32_t) * n);
    col_hash(&rows, 2, told, hashes);
    uint32_t before = spellings->rows.n;
    flow_groups_find(&spellings->rows, arena, flow_step_arena(ctx), &rows, hashes, row_of);
    if (spellings->rows.cap > spellings->cap) {
        spellings->weights = realloc(spellings->weights, sizeof(int64_t) * spellings->rows.cap);
        must(spellings->weights != NULL);
        spellings->cap = spellings->rows.cap;
    }
    memset(spellings->weights + before, 0, sizeof(int64_t) * (spellings->rows.n - before));
    for (uint32_t i = 0; i < n; i++) {
        spellings->weights[row_of[i]] += weights == NULL ? 1 : weights[i];
    }
}

// ------------------------------------------------------------------------------------ rows

static int64_t tag_of(const flow_spellings *spellings, uint32_t row) {
    return col_i64(&spellings->rows.keys[spellings->ncols + 1])[row];
}

static uint32_t group_of(const flow_spellings *spellings, uint32_t row) {
    return (uint32_t)col_i64(&spellings->rows.keys[0])[row];
}

static const col_batch *step_rows(const flow_spellings *spellings, base_arena *arena) {
    col_batch *all = flow_groups_batch(&spellings->rows, arena, 0, spellings->rows.n);
    all->ncols = spellings->ncols;
    all->cols++;
    return all;
}

// The groups' rows as they are in `groups`, in memory of their own.
static col_batch *plain_rows(const flow_spellings *spellings, base_arena *arena,
                             const flow_groups *groups) {
    const col_batch *shared = flow_groups_batch(groups, arena, 0, groups->n);
    col_batch *rows = col_batch_create(arena, spellings->ncols, spellings->types, groups->n);
    for (uint32_t c = 0; c < spellings->ncols; c++) {
        for (uint32_t i = 0; i < groups->n; i++) {
            col_vec_copy_cell(&rows->cols[c], i, &shared->cols[c], i, arena);
        }
    }
    return rows;
}

static void copy_row(col_batch *to, uint32_t to_row, const col_batch *from, uint32_t from_row,
                     base_arena *arena) {
    for (uint32_t c = 0; c < to->ncols; c++) {
        col_vec_copy_cell(&to->cols[c], to_row, &from->cols[c], from_row, arena);
    }
}

// ------------------------------------------------------------------------------------ a store

static base_str row_key(base_arena *arena, base_str group_key, int64_t tag) {
    char *p = base_arena_alloc_aligned(arena, group_key.n + TAG_BYTES, 1);
    uint64_t bits = __builtin_bswap64((uint64_t)tag ^ 1ull << 63);
    memcpy(p, group_key.p, group_key.n);
    memcpy(p + group_key.n, &bits, TAG_BYTES);
    return (base_str){p, group_key.n + TAG_BYTES};
}

static base_rc read_count(base_str value, int64_t *count, base_error *err) {
    *count = 0;
    if (value.p == NULL) return BASE_OK;
    if (value.n < sizeof *count) {
        return base_fail(err, BASE_E_CORRUPT, NULL, "the spelling of a row has %zu bytes", value.n);
    }
    memcpy(count, value.p, sizeof *count);
    return BASE_OK;
}

// The least spelling of a group that is there, into row g of `rows`, if there is one.
static base_rc read_least(const flow_spellings *spellings, base_arena *arena, state_cursor *cursor,
                          base_str group_key, col_batch *rows, uint32_t g, base_error *err) {
    base_str key, value;
    bool end;
    base_rc rc = state_cursor_seek(cursor, group_key, &key, &value, &end, err);
    while (rc == BASE_OK && !end && base_str_starts(key, group_key)) {
        int64_t count;
        rc = read_count(value, &count, err);
        if (rc == BASE_OK && count > 0) {
            size_t at = sizeof count;
            base_str own = {base_arena_memdup(arena, value.p, value.n), value.n};
            return col_row_decode(own, &at, rows, g, spellings->ncols, spellings->columns, arena,
                                  err);
        }
        if (rc == BASE_OK) rc = state_cursor_next(cursor, &key, &value, &end, err);
    }
    return rc;
}

// The rows of the groups for which wanted[g] is set; all of them if it is NULL.
static base_rc read_groups(const flow_spellings *spellings, flow_ctx *ctx,
                           const flow_groups *groups, const base_str *group_keys,
                           const uint32_t *order, const uint8_t *wanted, col_batch *rows,
                           base_error *err) {
    state_cursor *cursor;
    base_rc rc = state_cursor_open(ctx->txn, spellings->table, &cursor, err);
    if (rc != BASE_OK) return rc;
    for (uint32_t i = 0; i < groups->n && rc == BASE_OK; i++) {
        uint32_t g = order[i];
        if (wanted != NULL && !wanted[g]) continue;
        rc = read_least(spellings, ctx->arena, cursor, group_keys[g], rows, g, err);
    }
    state_cursor_close(cursor);
    return rc;
}

// Adds the step's weights to the counts; changed[g] is set where some are.
static base_rc write_counts(flow_spellings *spellings, flow_ctx *ctx, const base_str *group_keys,
                            uint8_t *changed, base_error *err) {
    base_arena *arena = ctx->arena;
    uint32_t n = 0, total = spellings->rows.n;
    const col_batch *rows = step_rows(spellings, arena);
    uint32_t *sel = base_arena_alloc(arena, sizeof(uint32_t) * (total + 1u));
    base_str *keys = base_arena_alloc(arena, sizeof(base_str) * (total + 1u));
    for (uint32_t i = 0; i < total; i++) {
        if (spellings->weights[i] == 0) continue;
        uint32_t g = group_of(spellings, i);
        changed[g] = 1;
        keys[n] = row_key(arena, group_keys[g], tag_of(spellings, i));
        sel[n++] = i;
    }
    if (n == 0) return BASE_OK;
    const uint32_t *order = flow_keys_sort(arena, n, keys);
    base_str *in_order = base_arena_alloc(arena, sizeof(base_str) * n);
    base_str *values = base_arena_array(arena, base_str, n);
    for (uint32_t i = 0; i < n; i++) in_order[i] = keys[order[i]];
    base_rc rc = state_get_batch(ctx->txn, spellings->table, n, in_order, values, err);
    base_buf buf = {0};
    for (uint32_t i = 0; i < n && rc == BASE_OK; i++) {
        uint32_t row = sel[order[i]];
        int64_t count;
        rc = read_count(values[i], &count, err);
        values[i] = (base_str){NULL, 0};
        count += spellings->weights[row];
        if (count == 0 || rc != BASE_OK) continue;
        base_buf_clear(&buf);
        base_buf_add(&buf, &count, sizeof count);
        col_row_encode(&buf, rows, row, spellings->ncols, spellings->columns);
        values[i] = (base_str){base_arena_memdup(arena, buf.p, buf.n), buf.n};
    }
    base_buf_deinit(&buf);
    return rc == BASE_OK ? state_put_batch(ctx->txn, spellings->table, n, in_order, values, err)
                         : rc;
}

base_rc flow_spellings_merge(flow_spellings *spellings, flow_ctx *ctx, const flow_groups *groups,
                             const base_str *group_keys, col_batch **before, col_batch **after,
                             base_error *err) {
    base_arena *arena = ctx->arena;
    const uint32_t *order = flow_keys_sort(arena, groups->n, group_keys);
    uint8_t *changed = base_arena_zalloc(arena, groups->n + 1u);
    *before = plain_rows(spellings, arena, groups);
    *after = plain_rows(spellings, arena, groups);
    base_rc rc = read_groups(spellings, ctx, groups, group_keys, order, NULL, *before, err);
    if (rc == BASE_OK) rc = write_counts(spellings, ctx, group_keys, changed, err);
    if (rc == BASE_OK) {
        rc = read_groups(spellings, ctx, groups, group_keys, order, changed, *after, err);
    }
    for (uint32_t g = 0; g < groups->n && rc == BASE_OK; g++) {
        if (!changed[g]) copy_row(*after, g, *before, g, arena);
    }
    return rc;
}

// ------------------------------------------------------------------------------------ one step

void flow_spellings_take(flow_spellings *spellings, base_arena *arena, const flow_groups *groups,
                         col_batch **after) {
    const col_batch *rows = step_rows(spellings, arena);
    uint32_t *best = base_arena_alloc(arena, sizeof(uint32_t) * (groups->n + 1u));
    for (uint32_t g = 0; g < groups->n; g++) best[g] = UINT32_MAX;
    for (uint32_t i = 0; i < rows->nrows; i++) {
        uint32_t g = group_of(spellings, i);
        if (spellings->weights[i] <= 0) continue;
        if (best[g] == UINT32_MAX || tag_of(spellings, i) < tag_of(spellings, best[g])) best[g] = i;
    }
    *after = plain_rows(spellings, arena, groups);
    for (uint32_t g = 0; g < groups->n; g++) {
        if (best[g] != UINT32_MAX) copy_row(*after, g, rows, best[g], arena);
    }
}
