// delta.c - a step's rows by place, summed, and their merge into a table of weighted rows. Entry
// points: delta.h.
#include "flow/delta.h"

void flow_delta_make(flow_delta *d, base_arena *arena, const col_batch *batch,
                     const base_str *places, const uint32_t *key_n) {
    uint32_t total = batch->nrows, n = 0;
    *d = (flow_delta){.batch = batch};
    d->nulls = base_arena_alloc(arena, sizeof(uint32_t) * (total + 1u));
    d->rows = base_arena_alloc(arena, sizeof(uint32_t) * (total + 1u));
    d->places = base_arena_alloc(arena, sizeof(base_str) * (total + 1u));
    d->key_n = base_arena_alloc(arena, sizeof(uint32_t) * (total + 1u));
    d->weights = base_arena_alloc(arena, sizeof(int64_t) * (total + 1u));
    uint32_t *sel = base_arena_alloc(arena, sizeof(uint32_t) * (total + 1u));
    base_str *placed = base_arena_alloc(arena, sizeof(base_str) * (total + 1u));
    for (uint32_t i = 0; i < total; i++) {
        if (places[i].p == NULL) {
            d->nulls[d->nnull++] = i;
            continue;
        }
        placed[n] = places[i];
        sel[n++] = i;
    }
    const uint32_t *order = flow_keys_sort(arena, n, placed);
    for (uint32_t i = 0; i < n; i++) {
        base_str place = placed[order[i]];
        uint32_t row = sel[order[i]];
        if (d->n > 0 && base_str_eq(d->places[d->n - 1], place)) {
            d->weights[d->n - 1] += col_weight(batch, row);
            continue;
        }
        if (d->n > 0 && d->weights[d->n - 1] == 0) d->n--;
        d->rows[d->n] = row;
        d->places[d->n] = place;
        d->key_n[d->n] = key_n[row];
        d->weights[d->n++] = col_weight(batch, row);
    }
    if (d->n > 0 && d->weights[d->n - 1] == 0) d->n--;
}

base_rc flow_delta_weight(base_str value, int64_t *weight, base_error *err) {
    if (value.n < FLOW_DELTA_HEAD) {
        return base_fail(err, BASE_E_CORRUPT, NULL, "a stored row has %zu bytes", value.n);
    }
    memcpy(weight, value.p, FLOW_DELTA_HEAD);
    return BASE_OK;
}

base_rc flow_delta_read(flow_delta *d, flow_ctx *ctx, state_table table, base_error *err) {
    base_arena *arena = ctx->arena;
    uint32_t ncolumns = d->batch->ncols;
    uint32_t *columns = base_arena_array(arena, uint32_t, ncolumns + 1u);
    for (uint32_t c = 0; c < ncolumns; c++) columns[c] = c;
    d->stored = base_arena_array(arena, base_str, d->n + 1u);
    d->values = base_arena_array(arena, base_str, d->n + 1u);
    base_rc rc = state_get_batch(ctx->txn, table, d->n, d->places, d->stored, err);
    base_buf buf = {0};
    for (uint32_t i = 0; i < d->n && rc == BASE_OK; i++) {
        int64_t weight = 0;
        if (d->stored[i].p != NULL) {
            d->stored[i] = flow_kept(arena, d->stored[i]);
            rc = flow_delta_weight(d->stored[i], &weight, err);
        }
        weight += d->weights[i];
        if (weight == 0) continue;
        base_buf_clear(&buf);
        base_buf_add(&buf, &weight, FLOW_DELTA_HEAD);
        col_row_encode(&buf, d->batch, d->rows[i], ncolumns, columns);
        d->values[i] = flow_kept(arena, base_buf_str(&buf));
    }
    base_buf_deinit(&buf);
    return rc;
}

base_rc flow_delta_write(const flow_delta *d, flow_ctx *ctx, state_table table, base_error *err) {
    return state_put_batch(ctx->txn, table, d->n, d->places, d->values, err);
}
