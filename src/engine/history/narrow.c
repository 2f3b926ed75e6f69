// narrow.c - see narrow.h. Invariant: what is left out either fails the conditions above every scan
// of the object, and is of a key that no record of which keeps them, or is a duplicate that is
// known. Entry points: engine_narrow_open, engine_narrow_select.

#include "engine/history/narrow.h"

#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "col/codec.h"
#include "flow/keymap.h"

// Below one in so many, records are decoded one by one.
#define SPARSE 8u

struct engine_narrow {
    const plan_object *object;
    plan_log_filter filter; // over columns of the decoded batch
    bool two_passes;
    bool leaves_known;
    bool all;                   // too many keys
    engine_contract *contract;  // columns of the conditions, and of the key in a first pass
    engine_contract *keys_only; // of the second pass
    uint32_t *key;              // positions in the contract's batches; of keys_only: 0, 1, ...
    uint32_t *key_only;
    flow_keymap seen;
    uint32_t nknown;
    const engine_known_duplicate *known;
    base_arena arena, scratch; // of the object; of one call
};

static void mark_columns(const plan_object *object, const plan_expr *predicate, bool keys,
                         bool *used) {
    if (predicate != NULL) plan_expr_columns(predicate, used);
    for (uint32_t k = 0; keys && k < object->nkey; k++) used[object->key[k]] = true;
}

static uint32_t list_columns(const plan_object *object, const bool *used, uint32_t *columns,
                             uint32_t *position) {
    uint32_t n = 0;
    for (uint32_t c = 0; c < object->ncolumns; c++) {
        position[c] = n;
        if (used[c]) columns[n++] = c;
    }
    return n;
}

static engine_contract *contract_of(engine_narrow *w, const plan_expr *predicate, bool keys,
                                    uint32_t **key, const plan_expr **over) {
    const plan_object *object = w->object;
    bool *used = base_arena_array(&w->arena, bool, object->ncolumns + 1);
    uint32_t *columns = base_arena_array(&w->arena, uint32_t, object->ncolumns + 1);
    uint32_t *position = base_arena_array(&w->arena, uint32_t, object->ncolumns + 1);
    mark_columns(object, predicate, keys, used);
    uint32_t n = list_columns(object, used, columns, position);
    *key = base_arena_array(&w->arena, uint32_t, object->nkey + 1u);
    for (uint32_t k = 0; keys && k < object->nkey; k++) (*key)[k] = position[object->key[k]];
    if (over != NULL) {
        const plan_expr **map =
            base_arena_array(&w->arena, const plan_expr *, object->ncolumns + 1);
        for (uint32_t c = 0; c < object->ncolumns; c++)
            map[c] = plan_expr_column(&w->arena, position[c], object->columns[c].type);
        *over = plan_expr_substitute(&w->arena, predicate, map);
    }
    return engine_contract_create(object, false, n, columns);
}

static bool is_on_key(const plan_object *object, const plan_expr *predicate, base_arena *arena) {
    bool *used = base_arena_array(arena, bool, object->ncolumns + 1), other = false;
    plan_expr_columns(predicate, used);
    for (uint32_t k = 0; k < object->nkey; k++) used[object->key[k]] = false;
    for (uint32_t c = 0; c < object->ncolumns; c++) other |= used[c];
    return !other;
}

engine_narrow *engine_narrow_open(const plan_object *object, const plan_log_filter *filter,
                                  bool known_all, uint32_t nknown,
                                  const engine_known_duplicate *known, base_arena *arena) {
    // Which records come too late to count is found by reading them all.
    if (filter->predicate == NULL || object->limits_lateness) return NULL;
    engine_narrow *w = base_arena_new(arena, engine_narrow);
    *w = (engine_narrow){.object = object, .filter = *filter};
    base_arena_init(&w->arena, 1 << 14);
    base_arena_init(&w->scratch, 1 << 18);
    w->scratch.retain_bytes = 4u << 20;
    bool keyed = object->nkey > 0 && !is_on_key(object, filter->predicate, &w->arena);
    bool deduplicates = object->kind == PLAN_OBJECT_STREAM && !object->retractable;
    w->two_passes = keyed && !(deduplicates && known_all);
    w->leaves_known = keyed && !w->two_passes;
    if (w->leaves_known) w->nknown = nknown, w->known = known;
    // Whoever has the key alone in its conditions has all records of a key; but not of all times.
    if (object->nkey > 0 && !keyed) w->filter.from_us = INT64_MIN, w->filter.to_us = INT64_MAX;
    w->contract = contract_of(w, filter->predicate, w->two_passes, &w->key, &w->filter.predicate);
    if (w->two_passes) {
        w->keys_only = contract_of(w, NULL, true, &w->key_only, NULL);
        flow_keymap_init(&w->seen, &w->arena, 64);
    }
    return w;
}

void engine_narrow_close(engine_narrow *w) {
    if (w == NULL) return;
    engine_contract_destroy(w->contract);
    if (w->keys_only != NULL) engine_contract_destroy(w->keys_only);
    base_arena_deinit(&w->arena);
    base_arena_deinit(&w->scratch);
}

bool engine_narrow_two_passes(const engine_narrow *w) {
    return w->two_passes;
}

bool engine_narrow_leaves_known(const engine_narrow *w) {
    return w->leaves_known;
}

static bool is_of_other_times(const engine_narrow *w, const log_batch *batch) {
    const log_batch_info *info = &batch->info;
    if (info->event_us_min == INT64_MIN) return false; // not known
    return info->event_us_max < w->filter.from_us || info->event_us_min >= w->filter.to_us;
}

// Rows of decoded records that keep the conditions.
static uint32_t keep(engine_narrow *w, const engine_decoded *d, uint32_t *rows) {
    base_error err = {0};
    col_func_ctx ctx = {.arena = &w->scratch, .err = &err};
    ctx.failed = base_arena_zalloc(&w->scratch, d->nrows + 1);
    uint32_t n = 0;
    if (plan_eval_filter(w->filter.predicate, d->batch, &ctx, rows, &n) == BASE_OK) return n;
    for (n = 0; n < d->nrows; n++) rows[n] = n; // the plan decides
    return n;
}

static void decode(engine_narrow *w, engine_contract *contract, uint32_t partition,
                   const log_batch *batch, uint32_t first, uint32_t n, engine_decoded *d) {
    base_arena_reset(&w->scratch);
    engine_contract_decode_batch(contract, batch, first, n, partition, &w->scratch, d);
}

void engine_narrow_note(engine_narrow *w, uint32_t partition, const log_batch *batch,
                        uint32_t first, uint32_t n) {
    if (w->all || engine_batch_is_control(batch) || is_of_other_times(w, batch)) return;
    engine_decoded d;
    decode(w, w->contract, partition, batch, first, n, &d);
    uint32_t *rows = base_arena_array(&w->scratch, uint32_t, d.nrows + 1);
    uint32_t nrows = keep(w, &d, rows), nfresh;
    if (nrows == 0) return;
    const col_batch *kept = col_batch_gather(&w->scratch, d.batch, rows, nrows);
    base_str *keys = base_arena_array(&w->scratch, base_str, nrows);
    col_key_encode_batch(&w->arena, kept, w->object->nkey, w->key, keys);
    uint32_t *numbers = base_arena_array(&w->scratch, uint32_t, nrows);
    uint32_t *fresh = base_arena_array(&w->scratch, uint32_t, nrows);
    flow_keymap_put(&w->seen, &w->scratch, nrows, keys, numbers, fresh, &nfresh);
    w->all = w->seen.n > ENGINE_NARROW_KEYS_MAX;
}

static uint32_t select_by_key(engine_narrow *w, uint32_t partition, const log_batch *batch,
                              uint32_t first, uint32_t n, uint32_t *sel) {
    engine_decoded d;
    if (w->seen.n == 0) return 0;
    decode(w, w->keys_only, partition, batch, first, n, &d);
    base_str *keys = base_arena_array(&w->scratch, base_str, d.nrows + 1);
    col_key_encode_batch(&w->scratch, d.batch, w->object->nkey, w->key_only, keys);
    uint32_t nsel = 0;
    for (uint32_t i = 0; i < d.nrows; i++)
        if (flow_keymap_find(&w->seen, keys[i]) != UINT32_MAX) sel[nsel++] = d.doc[i];
    return nsel;
}

static bool is_known(const engine_narrow *w, uint32_t partition, uint64_t offset) {
    uint32_t low = 0, high = w->nknown;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const engine_known_duplicate *k = &w->known[middle];
        if (k->partition < partition || (k->partition == partition && k->offset < offset))
            low = middle + 1;
        else
            high = middle;
    }
    return low < w->nknown && w->known[low].partition == partition &&
           w->known[low].offset == offset;
}

uint32_t engine_narrow_select(engine_narrow *w, uint32_t partition, const log_batch *batch,
                              uint32_t first, uint32_t n, uint32_t *sel) {
    if (engine_batch_is_control(batch)) return 0;
    if (w->all) {
        for (uint32_t i = 0; i < n; i++) sel[i] = i;
        return n;
    }
    if (w->two_passes) return select_by_key(w, partition, batch, first, n, sel);
    if (is_of_other_times(w, batch)) return 0;
    engine_decoded d;
    decode(w, w->contract, partition, batch, first, n, &d);
    uint32_t *rows = base_arena_array(&w->scratch, uint32_t, d.nrows + 1);
    uint32_t nrows = keep(w, &d, rows), nsel = 0;
    for (uint32_t i = 0; i < nrows; i++) {
        uint32_t doc = d.doc[rows[i]];
        if (!is_known(w, partition, batch->base_offset + first + doc)) sel[nsel++] = doc;
    }
    return nsel;
}

// ---- decoding what was selected -----------------------------------------------------------------

static const int64_t *gather_times(base_arena *arena, const int64_t *times, const uint32_t *rows,
                                   uint32_t n) {
    if (times == NULL) return NULL;
    int64_t *out = base_arena_array(arena, int64_t, n + 1);
    for (uint32_t i = 0; i < n; i++) out[i] = times[rows[i]];
    return out;
}

static void decode_all(engine_contract *contract, const log_batch *batch, uint32_t first,
                       uint32_t n, const uint32_t *sel, uint32_t nsel, uint32_t partition,
                       base_arena *arena, engine_decoded *out) {
    engine_decoded d;
    engine_contract_decode_batch(contract, batch, first, n, partition, arena, &d);
    uint32_t *rows = base_arena_array(arena, uint32_t, nsel + 1), nrows = 0;
    for (uint32_t i = 0, k = 0; i < d.nrows && k < nsel; i++) {
        while (k < nsel && sel[k] < d.doc[i]) k++;
        if (k < nsel && sel[k] == d.doc[i]) rows[nrows++] = i;
    }
    *out = (engine_decoded){.nrows = nrows};
    out->batch = col_batch_gather(arena, d.batch, rows, nrows);
    uint32_t *doc = base_arena_array(arena, uint32_t, nrows + 1);
    uint8_t *deletes = d.deletes == NULL ? NULL : base_arena_zalloc(arena, nrows + 1);
    for (uint32_t i = 0; i < nrows; i++) {
        doc[i] = d.doc[rows[i]];
        if (deletes != NULL) deletes[i] = d.deletes[rows[i]];
    }
    out->doc = doc;
    out->deletes = deletes;
    out->event_us = gather_times(arena, d.event_us, rows, nrows);
}

static void decode_each(engine_contract *contract, const log_batch *batch, uint32_t first,
                        const uint32_t *sel, uint32_t nsel, uint32_t partition, base_arena *arena,
                        engine_decoded *out) {
    const col_batch **parts = base_arena_array(arena, const col_batch *, nsel);
    uint32_t *doc = base_arena_array(arena, uint32_t, nsel), n = 0;
    int64_t *event_us = base_arena_array(arena, int64_t, nsel);
    uint8_t *deletes = base_arena_zalloc(arena, nsel);
    bool has_times = false, has_deletes = false;
    for (uint32_t i = 0; i < nsel; i++) {
        engine_decoded d;
        engine_contract_decode_batch(contract, batch, first + sel[i], 1, partition, arena, &d);
        if (d.nrows == 0) continue;
        has_times |= d.event_us != NULL;
        has_deletes |= d.deletes != NULL;
        event_us[n] = d.event_us != NULL ? d.event_us[0] : INT64_MIN;
        deletes[n] = d.deletes != NULL && d.deletes[0];
        doc[n] = sel[i];
        parts[n++] = d.batch;
    }
    *out = (engine_decoded){.nrows = n, .doc = doc};
    if (n == 0) return;
    col_type *types = base_arena_array(arena, col_type, parts[0]->ncols + 1);
    for (uint32_t c = 0; c < parts[0]->ncols; c++) types[c] = parts[0]->cols[c].type;
    out->batch = col_batch_concat(arena, parts[0]->ncols, types, n, parts);
    if (has_times) out->event_us = event_us;
    if (has_deletes) out->deletes = deletes;
}

void engine_narrow_decode(engine_contract *contract, const log_batch *batch, uint32_t first,
                          uint32_t n, const uint32_t *sel, uint32_t nsel, uint32_t partition,
                          base_arena *arena, engine_decoded *out) {
    if (nsel == 0) {
        *out = (engine_decoded){0};
    } else if (nsel > n / SPARSE) {
        decode_all(contract, batch, first, n, sel, nsel, partition, arena, out);
    } else {
        decode_each(contract, batch, first, sel, nsel, partition, arena, out);
    }
}
