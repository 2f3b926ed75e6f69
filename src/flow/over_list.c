// over_list.c - window functions that are made of all values of a frame: lists (string_agg,
// array_agg, jsonb_agg, jsonb_object_agg), in the order of the frame, and the approximate
// aggregates.
//
// A list is written anew for each frame that is not the one before: that is as much work as its
// result is long. The approximate ones keep the codes (agg_sketch.h) of the frame in a tree of
// counts (Fenwick, "A new data structure for cumulative frequency tables", 1994), which takes in
// and gives back rows as the frame slides. Both depend on the frame's rows alone. Entry points:
// over_is_list, over_eval_list.
#include <math.h>
#include <stdlib.h>

#include "flow/agg_sketch.h"
#include "flow/agg_whole.h"
#include "flow/over.h"

#define LISTS_BYTES_MAX ((size_t)256 << 20) // of all results of a partition in a step

typedef struct list_eval {
    over_side *side;
    const over_func *func;
    base_arena *arena;
    col_vec *out;
    agg_use use;
    over_frames frames;
    agg_rows rows; // by position: the arguments; how often each counts, 0 or 1
    int64_t *counts;
    size_t bytes;
} list_eval;

bool over_is_list(const acc_spec *spec) {
    return spec->kind == ACC_HELD || spec->id == PLAN_AGG_APPROX_COUNT_DISTINCT;
}

static bool is_approximate(const list_eval *e) {
    return e->func->spec.id == PLAN_AGG_APPROX_COUNT_DISTINCT ||
           e->func->spec.id == PLAN_AGG_APPROX_PERCENTILE;
}

static void fail(list_eval *e, uint32_t i, const char *sqlstate) {
    const acc_spec *spec = &e->func->spec;
    char *block = base_arena_zalloc(e->arena, e->func->block_size);
    base_error cause;
    acc_set_failed(spec, block, sqlstate);
    if (acc_result(spec, block, e->out, i, e->arena, &cause) == BASE_OK) return;
    if (e->side->failure.code == BASE_OK) e->side->failure = cause;
    e->side->failed[i] = 1;
    col_vec_set_null(e->out, e->arena, i);
}

// ------------------------------------------------------------------------------------ rows

static col_vec by_position(const list_eval *e, const plan_expr *expr) {
    const over_side *side = e->side;
    if (expr->kind == PLAN_EXPR_COLUMN)
        return *col_vec_gather(e->arena, &side->rows->cols[expr->index], side->row, side->n);
    must(expr->kind == PLAN_EXPR_CONST);
    uint32_t *zeros = base_arena_array(e->arena, uint32_t, side->n + 1u);
    return *col_vec_gather(e->arena, expr->constant, zeros, side->n);
}

static bool passes_nulls_over(plan_agg_id id) {
    return id != PLAN_AGG_ARRAY_AGG && id != PLAN_AGG_JSONB_AGG && id != PLAN_AGG_JSONB_OBJECT_AGG;
}

static void make_rows(list_eval *e) {
    const plan_agg *agg = &e->func->def->agg;
    uint32_t n = e->side->n;
    bool ordered_set = agg->def->form == PLAN_AGG_ORDERED_SET;
    e->use.nargs = ordered_set ? 1 : agg->def->nargs;
    col_batch *batch = base_arena_new(e->arena, col_batch);
    *batch = (col_batch){e->use.nargs, n, base_arena_array(e->arena, col_vec, AGG_ARGS_MAX), NULL};
    for (uint32_t k = 0; k < e->use.nargs; k++) {
        e->use.args[k] = k;
        batch->cols[k] = by_position(e, k == 0 ? agg->arg : agg->more[k - 1]);
    }
    e->counts = base_arena_alloc(e->arena, sizeof(int64_t) * (n + 1u));
    bool strict = passes_nulls_over(agg->def->id);
    for (uint32_t i = 0; i < n; i++) e->counts[i] = !(strict && col_is_null(&batch->cols[0], i));
    if (agg->filter != NULL) {
        col_vec filter = by_position(e, agg->filter);
        for (uint32_t i = 0; i < n; i++)
            e->counts[i] &= !col_is_null(&filter, i) && col_u8(&filter)[i];
    }
    e->rows = (agg_rows){.rows = batch, .counts = e->counts, .nfilters = 1};
}

// The positions of a frame that EXCLUDE leaves out.
static over_pieces left_out(const over_pieces *kept, uint32_t start, uint32_t end) {
    over_pieces out = {0};
    uint32_t at = start;
    for (uint32_t k = 0; k <= kept->n; k++) {
        uint32_t to = k == kept->n ? end : kept->begin[k];
        if (to > at) {
            out.begin[out.n] = at;
            out.end[out.n++] = to;
        }
        if (k < kept->n) at = kept->end[k];
    }
    return out;
}

// ------------------------------------------------------------------------------------ lists

static base_rc give_list(list_eval *e, uint32_t i, base_error *err) {
    col_vec value;
    const char *failed;
    col_vec_init(&value, e->arena, e->func->spec.type, 1);
    base_rc rc = agg_whole(&e->use, &e->func->spec, &e->rows, e->arena, &value, &failed, err);
    if (rc != BASE_OK) return rc;
    if (failed == NULL && !col_is_null(&value, 0)) e->bytes += col_str(&value)[0].n;
    if (e->bytes > LISTS_BYTES_MAX) failed = BASE_SQLSTATE_LIMIT;
    if (failed != NULL) {
        fail(e, i, failed);
    } else if (col_is_null(&value, 0)) {
        col_vec_set_null(e->out, e->arena, i);
    } else {
        col_str(e->out)[i] = col_str(&value)[0]; // in the arena
    }
    return BASE_OK;
}

static base_rc lists(list_eval *e, base_error *err) {
    over_side *side = e->side;
    plan_frame_exclude exclude = e->func->def->frame.exclude;
    base_rc rc = BASE_OK;
    for (uint32_t i = side->origin; i < side->n && rc == BASE_OK; i++) {
        uint32_t start = e->frames.start[i], end = e->frames.end[i];
        bool same = i > side->origin && exclude == PLAN_EXCLUDE_NONE && !side->failed[i - 1] &&
                    e->frames.start[i - 1] == start && e->frames.end[i - 1] == end;
        if (same && !col_is_null(e->out, i - 1)) {
            col_str(e->out)[i] = col_str(e->out)[i - 1];
            continue;
        }
        over_pieces kept = over_frame_pieces(side, &e->frames, exclude, i);
        over_pieces out = left_out(&kept, start, end);
        int64_t *hidden = NULL;
        if (out.n > 0) {
            hidden = base_arena_alloc(e->arena, sizeof *hidden * (end - start));
            memcpy(hidden, e->counts + start, sizeof *hidden * (end - start));
            for (uint32_t k = 0; k < out.n; k++)
                memset(e->counts + out.begin[k], 0, sizeof *hidden * (out.end[k] - out.begin[k]));
        }
        e->rows.begin = start;
        e->rows.n = end - start;
        rc = give_list(e, i, err);
        if (hidden != NULL) memcpy(e->counts + start, hidden, sizeof *hidden * (end - start));
    }
    return rc;
}

// ------------------------------------------------------------------------------------ codes

typedef struct code_counts { // of the frame, by number of the code among the different ones
    uint32_t n, top;         // codes; the greatest power of two that is not above n
    int32_t *codes;
    uint32_t *number; // by position
    int64_t *each;
    const uint32_t *prints; // of marks, by position, else NULL
    int64_t *print_sums;
    int64_t *sums; // Fenwick's tree, from 1
    int64_t total, levels;
} code_counts;

static int compare_codes(const void *a, const void *b) {
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

static void number_codes(const list_eval *e, const col_vec *codes, const uint32_t *prints,
                         code_counts *counts) {
    uint32_t n = e->side->n, m = 0;
    int32_t *sorted = base_arena_alloc(e->arena, sizeof(int32_t) * (n + 1u));
    memcpy(sorted, col_i32(codes), sizeof(int32_t) * n);
    qsort(sorted, n, sizeof *sorted, compare_codes);
    for (uint32_t i = 0; i < n; i++)
        if (i == 0 || sorted[i] != sorted[m - 1]) sorted[m++] = sorted[i];
    *counts = (code_counts){.n = m, .codes = sorted, .top = 1, .prints = prints};
    while (counts->top * 2 <= m) counts->top *= 2;
    counts->number = base_arena_alloc(e->arena, sizeof(uint32_t) * (n + 1u));
    for (uint32_t i = 0; i < n; i++) {
        const int32_t *at = bsearch(&col_i32(codes)[i], sorted, m, sizeof *sorted, compare_codes);
        counts->number[i] = (uint32_t)(at - sorted);
    }
    counts->each = base_arena_array(e->arena, int64_t, m + 1u);
    counts->print_sums = base_arena_array(e->arena, int64_t, m + 1u);
    counts->sums = base_arena_array(e->arena, int64_t, m + 2u);
}

// A row into the marks' levels, or with by -1 out of them.
static void take_mark(code_counts *counts, uint32_t i, int64_t by) {
    uint32_t number = counts->number[i];
    int before = agg_mark_level(counts->each[number], counts->print_sums[number]);
    counts->each[number] += by;
    counts->print_sums[number] += by * counts->prints[i];
    counts->levels += agg_mark_level(counts->each[number], counts->print_sums[number]) - before;
}

// Rows [from, to) into the counts, or with by -1 out of them.
static void take(const list_eval *e, code_counts *counts, uint32_t from, uint32_t to, int64_t by) {
    for (uint32_t i = from; i < to; i++) {
        if (e->counts[i] == 0) continue;
        if (counts->prints != NULL) {
            take_mark(counts, i, by);
            continue;
        }
        counts->total += by;
        for (uint32_t k = counts->number[i] + 1; k <= counts->n; k += k & (0u - k))
            counts->sums[k] += by;
    }
}

// The number of the code at a place, counted from 0.
static uint32_t code_at(const code_counts *counts, int64_t place) {
    uint32_t at = 0;
    for (uint32_t step = counts->top; step > 0; step /= 2) {
        if (at + step > counts->n || counts->sums[at + step] > place) continue;
        at += step;
        place -= counts->sums[at];
    }
    return at;
}

static base_rc give_codes(list_eval *e, const code_counts *counts, uint32_t i, base_error *err) {
    const acc_spec *spec = &e->func->spec;
    if (spec->id == PLAN_AGG_APPROX_COUNT_DISTINCT) {
        col_i64(e->out)[i] = agg_marks_estimate(counts->levels);
        return BASE_OK;
    }
    // A row for each fraction, so that the aggregate finds it in the place where it looks.
    const col_vec *fractions;
    col_vec values;
    uint32_t n;
    if (counts->total == 0 || !agg_whole_fractions(&e->use, e->arena, &fractions, &n)) {
        col_vec_set_null(e->out, e->arena, i);
        return BASE_OK;
    }
    double error = agg_whole_error(e->use.agg);
    col_vec_init(&values, e->arena, col_type_of(COL_FLOAT8), n);
    for (uint32_t k = 0; k < n; k++) {
        if (col_is_null(fractions, k)) {
            col_vec_set_null(&values, e->arena, k);
            continue;
        }
        int64_t place = agg_whole_place(counts->total, col_f64(fractions)[k]);
        col_f64(&values)[k] = agg_bucket_value(counts->codes[code_at(counts, place)], error);
    }
    agg_whole_give(spec, &values, e->arena, e->out, i);
    (void)err;
    return BASE_OK;
}

static base_rc approximate(list_eval *e, base_error *err) {
    over_side *side = e->side;
    const col_vec *values = &e->rows.rows->cols[0];
    col_vec codes;
    const uint32_t *prints = NULL;
    if (e->func->spec.id == PLAN_AGG_APPROX_COUNT_DISTINCT) {
        agg_marks_of(e->arena, values, &codes, &prints);
    } else {
        agg_buckets_of(e->arena, values, agg_whole_error(e->use.agg), &codes);
    }
    code_counts counts;
    number_codes(e, &codes, prints, &counts);
    uint32_t begin = 0, end = 0;
    base_rc rc = BASE_OK;
    for (uint32_t i = side->origin; i < side->n && rc == BASE_OK; i++) {
        uint32_t start = e->frames.start[i], stop = e->frames.end[i];
        if (start >= end) { // nothing of the frame before
            take(e, &counts, begin, end, -1);
            begin = end = start;
        }
        take(e, &counts, begin, start, -1);
        take(e, &counts, end, stop, 1);
        begin = start;
        end = stop;
        over_pieces kept = over_frame_pieces(side, &e->frames, e->func->def->frame.exclude, i);
        over_pieces out = left_out(&kept, start, stop);
        for (uint32_t k = 0; k < out.n; k++) take(e, &counts, out.begin[k], out.end[k], -1);
        rc = give_codes(e, &counts, i, err);
        for (uint32_t k = 0; k < out.n; k++) take(e, &counts, out.begin[k], out.end[k], 1);
    }
    return rc;
}

// ------------------------------------------------------------------------------------ entry

base_rc over_eval_list(const over_plan *plan, over_side *side, uint32_t number, base_arena *arena,
                       base_error *err) {
    const over_func *func = &plan->funcs[number];
    list_eval e = {.side = side,
                   .func = func,
                   .arena = arena,
                   .out = &side->results[number],
                   .use = {.agg = &func->def->agg, .set = AGG_NONE}};
    if (side->n == 0) return BASE_OK;
    base_rc rc =
        func->spec.kind == ACC_HELD ? agg_whole_init(&e.use, &func->spec, arena, err) : BASE_OK;
    if (rc == BASE_OK) {
        rc = over_frames_make(plan, side, &func->def->frame, arena, &e.frames, err);
    }
    if (rc != BASE_OK) return rc;
    make_rows(&e);
    return is_approximate(&e) ? approximate(&e, err) : lists(&e, err);
}
