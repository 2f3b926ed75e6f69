// over_frame.c - frames: which rows of the partition a row's function looks at.
//
// Both ends of a frame move forward only, as the offsets are the same for all rows, so one pass
// finds them all. RANGE with an offset compares values of the one order column: nulls are peers of
// each other and infinitely far from values; NaN likewise stands at the end of the floats. Times
// add intervals in UTC. Entry points: over_frames_make, over_frame_pieces.
#include "flow/over.h"

#include <math.h>

// ------------------------------------------------------------------------------------ values

// A value of the order column, or where an offset from one leads.
typedef struct range_value {
    int infinite; // -1, 1: before, after everything
    base_i128 i;  // integers; times in microseconds
    double d;
    base_decimal dec;
} range_value;

static bool is_float(col_kind kind) {
    return kind == COL_FLOAT4 || kind == COL_FLOAT8;
}

static base_i128 interval_us(const base_interval *v) {
    return (base_i128)v->us + ((base_i128)v->months * 30 + v->days) * BASE_US_PER_DAY;
}

static range_value read_value(const col_vec *vec, uint32_t row) {
    range_value v = {0};
    switch (vec->type.kind) {
    case COL_INT2:
        v.i = col_i16(vec)[row];
        break;
    case COL_INT4:
        v.i = col_i32(vec)[row];
        break;
    case COL_DATE:
        v.i = (base_i128)col_i32(vec)[row] * BASE_US_PER_DAY;
        break;
    case COL_FLOAT4:
        v.d = (double)col_f32(vec)[row];
        break;
    case COL_FLOAT8:
        v.d = col_f64(vec)[row];
        break;
    case COL_NUMERIC:
        v.dec = col_dec(vec)[row];
        break;
    case COL_INTERVAL:
        v.i = interval_us(&col_interval(vec)[row]);
        break;
    default:
        v.i = col_i64(vec)[row];
    }
    return v;
}

static int compare_doubles(double a, double b) {
    if (a != a || b != b) return (a != a) - (b != b);
    return (a > b) - (a < b);
}

static int compare_values(col_kind kind, const range_value *a, const range_value *b) {
    if (a->infinite != b->infinite) return a->infinite < b->infinite ? -1 : 1;
    if (kind == COL_NUMERIC) return base_decimal_cmp(a->dec, b->dec);
    if (is_float(kind)) return compare_doubles(a->d, b->d);
    return (a->i > b->i) - (a->i < b->i);
}

// v + sign * offset.
static range_value move(col_kind kind, range_value v, const plan_expr *offset, int sign) {
    if (v.infinite != 0) return v;
    const col_vec *by = offset->constant;
    if (kind == COL_NUMERIC) {
        base_error ignored;
        base_decimal step = col_dec(by)[0], sum;
        if (sign < 0) step = base_decimal_neg(step);
        if (base_decimal_add(v.dec, step, &sum, &ignored) != BASE_OK) {
            v.infinite = sign;
        } else {
            v.dec = sum;
        }
    } else if (is_float(kind)) {
        double sum = v.d + sign * col_f64(by)[0];
        if (sum != sum && v.d == v.d) sum = sign > 0 ? INFINITY : -INFINITY;
        v.d = sum;
    } else if (kind == COL_INTERVAL || kind == COL_TIME) {
        v.i += sign * interval_us(&col_interval(by)[0]);
    } else if (offset->type.kind == COL_INTERVAL) {
        base_interval step = col_interval(by)[0];
        if (sign < 0) step = (base_interval){-step.us, -step.days, -step.months};
        int64_t moved;
        base_error ignored;
        if (v.i == INT64_MAX || v.i == INT64_MIN) return v; // infinity and its opposite
        if (v.i > INT64_MAX || v.i < INT64_MIN ||
            base_timestamp_add((int64_t)v.i, &step, &moved, &ignored) != BASE_OK) {
            v.infinite = sign;
        } else {
            v.i = moved;
        }
    } else {
        v.i += sign * (base_i128)col_i64(by)[0];
    }
    return v;
}

// ------------------------------------------------------------------------------------ RANGE

typedef struct range_scan {
    const col_vec *vec; // the order column
    const uint32_t *row;
    uint32_t n, first, end; // positions of values; those before and after are null
    bool nulls_first;
    int sign; // -1: descending
} range_scan;

static bool null_at(const range_scan *scan, uint32_t i) {
    return col_is_null(scan->vec, scan->row[i]);
}

// The first position at or behind `at` whose value is not before (ends: is after) the bound.
static uint32_t advance(const range_scan *scan, uint32_t at, const range_value *bound, bool ends) {
    col_kind kind = scan->vec->type.kind;
    for (; at < scan->end; at++) {
        range_value v = read_value(scan->vec, scan->row[at]);
        int order = scan->sign * compare_values(kind, &v, bound);
        if (ends ? order > 0 : order >= 0) break;
    }
    return at;
}

static void range_bounds(const over_side *side, const range_scan *scan, bool ends,
                         plan_frame_bound bound, const plan_expr *offset, uint32_t *out) {
    int sign = scan->sign * (bound == PLAN_BOUND_PRECEDING ? -1 : 1);
    uint32_t at = scan->first;
    for (uint32_t i = 0; i < side->n; i++) {
        if (i > 0 && side->group[i] == side->group[i - 1]) {
            out[i] = out[i - 1];
        } else if (null_at(scan, i)) {
            bool front = scan->nulls_first;
            out[i] = ends ? (front ? scan->first : scan->n) : (front ? 0 : scan->end);
        } else {
            range_value value = read_value(scan->vec, scan->row[i]);
            value = move(scan->vec->type.kind, value, offset, sign);
            out[i] = at = advance(scan, at, &value, ends);
        }
    }
}

static range_scan scan_of(const over_plan *plan, const over_side *side) {
    const plan_sort_key *key = &plan->node->sort[0];
    range_scan scan = {.vec = &side->rows->cols[key->column],
                       .row = side->row,
                       .n = side->n,
                       .nulls_first = key->nulls_first,
                       .sign = key->descending ? -1 : 1};
    scan.end = side->n;
    while (scan.first < scan.n && scan.nulls_first && null_at(&scan, scan.first)) scan.first++;
    while (scan.end > scan.first && !scan.nulls_first && null_at(&scan, scan.end - 1)) scan.end--;
    return scan;
}

// ------------------------------------------------------------------------------------ frames

static uint32_t clip(int64_t v, uint32_t n) {
    return v < 0 ? 0 : v > (int64_t)n ? n : (uint32_t)v;
}

static int64_t offset_of(plan_frame_bound bound, const plan_expr *offset) {
    if (offset == NULL) return 0;
    int64_t v = col_i64(offset->constant)[0];
    if (v > UINT32_MAX) v = UINT32_MAX;
    return bound == PLAN_BOUND_PRECEDING ? -v : v;
}

static void make_bounds(const over_plan *plan, const over_side *side, const plan_frame *frame,
                        bool ends, uint32_t *out) {
    plan_frame_bound bound = ends ? frame->end : frame->start;
    const plan_expr *offset = ends ? frame->end_offset : frame->start_offset;
    uint32_t n = side->n;
    if (bound == PLAN_BOUND_UNBOUNDED_PRECEDING || bound == PLAN_BOUND_UNBOUNDED_FOLLOWING) {
        for (uint32_t i = 0; i < n; i++) out[i] = bound == PLAN_BOUND_UNBOUNDED_FOLLOWING ? n : 0;
    } else if (frame->mode == PLAN_FRAME_ROWS) {
        int64_t by = offset_of(bound, offset) + ends;
        for (uint32_t i = 0; i < n; i++) out[i] = clip(i + by, n);
    } else if (frame->mode == PLAN_FRAME_RANGE && offset != NULL) {
        range_scan scan = scan_of(plan, side);
        range_bounds(side, &scan, ends, bound, offset, out);
    } else {
        int64_t by = offset_of(bound, offset) + ends;
        for (uint32_t i = 0; i < n; i++)
            out[i] = side->group_begin[clip(side->group[i] + by, side->ngroups)];
    }
}

base_rc over_frames_make(const over_plan *plan, const over_side *side, const plan_frame *frame,
                         base_arena *arena, over_frames *out, base_error *err) {
    (void)err;
    uint32_t n = side->n;
    out->start = base_arena_alloc(arena, sizeof(uint32_t) * (n + 1u));
    out->end = base_arena_alloc(arena, sizeof(uint32_t) * (n + 1u));
    make_bounds(plan, side, frame, false, out->start);
    make_bounds(plan, side, frame, true, out->end);
    for (uint32_t i = 0; i < n; i++)
        if (out->end[i] < out->start[i]) out->end[i] = out->start[i];
    return BASE_OK;
}

static void add_piece(over_pieces *pieces, uint32_t begin, uint32_t end) {
    if (begin >= end) return;
    pieces->begin[pieces->n] = begin;
    pieces->end[pieces->n++] = end;
}

static uint32_t least(uint32_t a, uint32_t b) {
    return a < b ? a : b;
}
static uint32_t greatest(uint32_t a, uint32_t b) {
    return a > b ? a : b;
}

over_pieces over_frame_pieces(const over_side *side, const over_frames *frames,
                              plan_frame_exclude exclude, uint32_t i) {
    over_pieces pieces = {0};
    uint32_t start = frames->start[i], end = frames->end[i];
    if (exclude == PLAN_EXCLUDE_NONE) {
        add_piece(&pieces, start, end);
        return pieces;
    }
    uint32_t out_begin = i, out_end = i + 1;
    if (exclude != PLAN_EXCLUDE_CURRENT) {
        out_begin = side->group_begin[side->group[i]];
        out_end = side->group_begin[side->group[i] + 1];
    }
    add_piece(&pieces, start, least(end, out_begin));
    if (exclude == PLAN_EXCLUDE_TIES) add_piece(&pieces, greatest(start, i), least(end, i + 1));
    add_piece(&pieces, greatest(start, out_end), end);
    return pieces;
}

// ------------------------------------------------------------------------------------ reach

// What months may be off by when they are taken back: the days by which their lengths differ.
#define MONTH_SLACK_US (4 * (base_i128)BASE_US_PER_DAY)

static range_value move_far(const over_plan *plan, col_kind kind, range_value v, int sign,
                            uint32_t times) {
    for (uint32_t f = 0; f < plan->nfuncs; f++) {
        const plan_frame *frame = &plan->funcs[f].def->frame;
        const plan_expr *offsets[2] = {frame->start_offset, frame->end_offset};
        for (int k = 0; k < 2; k++) {
            for (uint32_t t = 0; t < times && offsets[k] != NULL; t++) {
                v = move(kind, v, offsets[k], sign);
                bool months = offsets[k]->type.kind == COL_INTERVAL && kind != COL_INTERVAL &&
                              col_interval(offsets[k]->constant)[0].months != 0;
                if (months && v.infinite == 0) v.i += sign * MONTH_SLACK_US;
            }
        }
    }
    return v;
}

// Writes v into a cell of vec; false: it is beyond the type.
static bool write_value(col_vec *vec, const range_value *v, int sign) {
    base_i128 low = INT64_MIN, high = INT64_MAX, i = v->i;
    if (v->infinite != 0) return false;
    switch (vec->type.kind) {
    case COL_NUMERIC:
        col_dec(vec)[0] = v->dec;
        return true;
    case COL_FLOAT4: {
        // Rounded outward.
        float f = (float)v->d;
        if (sign < 0 ? (double)f > v->d : (double)f < v->d)
            f = nextafterf(f, sign < 0 ? -INFINITY : INFINITY);
        col_f32(vec)[0] = f;
        return true;
    }
    case COL_FLOAT8:
        col_f64(vec)[0] = v->d;
        return true;
    case COL_INT2:
        low = INT16_MIN, high = INT16_MAX;
        break;
    case COL_INT4:
        low = INT32_MIN, high = INT32_MAX;
        break;
    case COL_DATE:
        i = i / BASE_US_PER_DAY + sign;
        low = INT32_MIN, high = INT32_MAX;
        break;
    default:
        break;
    }
    if (i < low || i > high) return false;
    if (vec->type.kind == COL_INT2) {
        col_i16(vec)[0] = (int16_t)i;
    } else if (vec->type.kind == COL_INT4 || vec->type.kind == COL_DATE) {
        col_i32(vec)[0] = (int32_t)i;
    } else if (vec->type.kind == COL_INTERVAL) {
        base_i128 days = i / BASE_US_PER_DAY;
        if (days > INT32_MAX || days < INT32_MIN) return false;
        col_interval(vec)[0] = (base_interval){(int64_t)(i % BASE_US_PER_DAY), (int32_t)days, 0};
    } else {
        col_i64(vec)[0] = (int64_t)i;
    }
    return true;
}

base_rc over_bound_key(const over_plan *plan, const col_batch *row, uint32_t i, bool before,
                       uint32_t times, base_buf *buf, bool *bounded, base_error *err) {
    (void)err;
    const plan_sort_key *key = &plan->node->sort[0];
    const col_vec *vec = &row->cols[key->column];
    int sign = before == key->descending ? 1 : -1;
    range_value v = read_value(vec, i);
    v = move_far(plan, vec->type.kind, v, sign, times);
    uint64_t room[3] = {0}; // of the widest kind
    col_vec cell = {.type = vec->type, .n = 1, .data = room};
    base_buf_clear(buf);
    *bounded = write_value(&cell, &v, sign);
    if (!*bounded) return BASE_OK;
    col_key_encode(buf, &cell, 0);
    for (size_t b = 0; key->descending && b < buf->n; b++) buf->p[b] = (char)~buf->p[b];
    return BASE_OK;
}
