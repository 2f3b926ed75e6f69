// over_eval.c - window functions over one side of a segment, a function at a time.
//
// Aggregates keep one accumulator and the part [begin, end) of the partition that is in it: a frame
// that begins where the last one did takes in what it has more; one that begins later gives back
// what it has left behind, if the accumulator can do that exactly, and is summed anew if not. So a
// result depends on the rows of its frame and their order alone, never on the way it was reached:
// what is retracted is what was given. Extremes of sliding frames keep the row numbers that can
// still become the extreme, in order. Entry points: over_side_init, over_eval.
#include "flow/over.h"

void over_side_init(over_side *side, base_arena *arena, const flow_segment *segment,
                    const col_batch *rows, bool after, uint32_t origin_row) {
    uint64_t total = 0;
    for (uint32_t r = 0; r < segment->n; r++)
        total += (uint64_t)(after ? segment->rows[r].is : segment->rows[r].was);
    must(total < UINT32_MAX);
    uint32_t n = (uint32_t)total, at = 0;
    *side = (over_side){.segment = segment, .rows = rows, .n = n};
    side->row = base_arena_alloc(arena, sizeof(uint32_t) * (n + 1u));
    side->begin = base_arena_alloc(arena, sizeof(uint32_t) * (segment->n + 1u));
    side->group = base_arena_alloc(arena, sizeof(uint32_t) * (n + 1u));
    side->group_begin = base_arena_alloc(arena, sizeof(uint32_t) * (n + 1u));
    side->failed = base_arena_zalloc(arena, n + 1u);
    base_error_clear(&side->failure);
    const flow_partition_row *last = NULL;
    for (uint32_t r = 0; r < segment->n; r++) {
        const flow_partition_row *row = &segment->rows[r];
        int64_t weight = after ? row->is : row->was;
        side->begin[r] = at;
        if (r == origin_row) side->origin = at;
        if (weight == 0) continue;
        if (last == NULL || !flow_partition_peers(last, row))
            side->group_begin[side->ngroups++] = at;
        last = row;
        for (int64_t k = 0; k < weight; k++) {
            side->row[at] = r;
            side->group[at++] = side->ngroups - 1;
        }
    }
    side->begin[segment->n] = at;
    if (origin_row == segment->n) side->origin = at;
    side->group_begin[side->ngroups] = at;
}

typedef struct eval {
    const over_plan *plan;
    over_side *side;
    base_arena *arena;
    uint32_t number; // of the function
    const over_func *func;
    const col_vec *args[PLAN_OVER_ARGS_MAX]; // NULL: not given
    col_vec *out;
    base_error *err;
} eval;

static void fail_row(eval *e, uint32_t i, const base_error *cause) {
    if (e->side->failure.code == BASE_OK) e->side->failure = *cause;
    e->side->failed[i] = 1;
}

static void set_null(eval *e, uint32_t i) {
    col_vec_set_null(e->out, e->arena, i);
}

// The column of an argument; a constant is one of as many rows.
static const col_vec *argument(eval *e, const plan_expr *expr) {
    if (expr == NULL) return NULL;
    if (expr->kind == PLAN_EXPR_COLUMN) return &e->side->rows->cols[expr->index];
    must(expr->kind == PLAN_EXPR_CONST);
    uint32_t n = e->side->rows->nrows, *sel = base_arena_array(e->arena, uint32_t, n);
    return col_vec_gather(e->arena, expr->constant, sel, n);
}

static void copy_cell(eval *e, uint32_t to, const col_vec *from, uint32_t row) {
    col_vec_copy_cell(e->out, to, from, row, e->arena);
}

// ------------------------------------------------------------------------------------ ranks

static void eval_ranks(eval *e) {
    over_side *side = e->side;
    int64_t rows = side->state == NULL ? 0 : side->state->rows;
    int64_t groups = side->state == NULL ? 0 : side->state->groups;
    uint32_t first = side->origin < side->n ? side->group[side->origin] : side->ngroups;
    for (uint32_t i = side->origin; i < side->n; i++) {
        uint32_t begin = side->group_begin[side->group[i]];
        int64_t v = e->func->def->id == PLAN_OVER_ROW_NUMBER ? rows + i - side->origin
                    : e->func->def->id == PLAN_OVER_RANK     ? rows + begin - side->origin
                                                             : groups + side->group[i] - first;
        col_i64(e->out)[i] = v + 1;
    }
}

// Over the whole partition.
static void eval_shares(eval *e) {
    over_side *side = e->side;
    for (uint32_t i = 0; i < side->n; i++) {
        uint32_t group = side->group[i];
        if (e->func->def->id == PLAN_OVER_CUME_DIST) {
            col_f64(e->out)[i] = (double)side->group_begin[group + 1] / side->n;
        } else {
            col_f64(e->out)[i] = side->n < 2 ? 0 : (double)side->group_begin[group] / (side->n - 1);
        }
    }
}

// The number of tiles is that of the partition's first row.
static void eval_ntile(eval *e) {
    over_side *side = e->side;
    if (side->n == 0) return;
    const col_vec *arg = e->args[0];
    uint32_t first = side->row[0];
    bool null = col_is_null(arg, first);
    int64_t tiles = null ? 1 : col_i32(arg)[first];
    if (tiles <= 0) {
        base_error cause;
        (void)!base_fail(&cause, BASE_E_INVALID, "22014",
                         "argument of ntile must be greater than zero");
        for (uint32_t i = 0; i < side->n; i++) fail_row(e, i, &cause);
        return;
    }
    int64_t small = side->n / tiles, larger = side->n % tiles; // the first `larger` have one more
    for (uint32_t i = 0; i < side->n; i++) {
        if (null) {
            set_null(e, i);
            continue;
        }
        int64_t in_larger = larger * (small + 1);
        int64_t tile = i < in_larger ? i / (small + 1) : larger + (i - in_larger) / small;
        col_i32(e->out)[i] = (int32_t)(tile + 1);
    }
}

// ------------------------------------------------------------------------------------ values

static void eval_shift(eval *e) {
    over_side *side = e->side;
    for (uint32_t i = 0; i < side->n; i++) {
        uint32_t row = side->row[i];
        int64_t by = 1;
        if (e->args[1] != NULL) {
            if (col_is_null(e->args[1], row)) {
                set_null(e, i);
                continue;
            }
            by = col_i32(e->args[1])[row];
        }
        int64_t at = e->func->def->id == PLAN_OVER_LAG ? i - by : i + by;
        if (at >= 0 && at < (int64_t)side->n) {
            copy_cell(e, i, e->args[0], side->row[at]);
        } else if (e->args[2] != NULL) {
            copy_cell(e, i, e->args[2], row);
        } else {
            set_null(e, i);
        }
    }
}

// The nth row of a frame (from its end, if n < 0); UINT32_MAX: it has none.
static uint32_t nth_of(const over_pieces *pieces, int64_t n) {
    for (uint32_t k = 0; k < pieces->n && n > 0; k++) {
        uint32_t size = pieces->end[k] - pieces->begin[k];
        if (n <= size) return pieces->begin[k] + (uint32_t)n - 1;
        n -= size;
    }
    if (n < 0 && pieces->n > 0) return pieces->end[pieces->n - 1] - 1;
    return UINT32_MAX;
}

static void eval_value(eval *e) {
    over_side *side = e->side;
    const plan_over *def = e->func->def;
    base_error cause;
    over_frames frames;
    if (over_frames_make(e->plan, side, &def->frame, e->arena, &frames, &cause) != BASE_OK) return;
    const col_vec *first = NULL;
    if (def->id == PLAN_OVER_FIRST_VALUE && e->plan->running && side->state != NULL &&
        def->frame.start == PLAN_BOUND_UNBOUNDED_PRECEDING && side->state->firsts[e->number].n > 0)
        first = &side->state->firsts[e->number];
    for (uint32_t i = side->origin; i < side->n; i++) {
        int64_t n = def->id == PLAN_OVER_FIRST_VALUE ? 1 : -1;
        if (def->id == PLAN_OVER_NTH_VALUE) {
            if (col_is_null(e->args[1], side->row[i])) {
                set_null(e, i);
                continue;
            }
            n = col_i32(e->args[1])[side->row[i]];
            if (n <= 0) {
                (void)!base_fail(&cause, BASE_E_INVALID, "22016",
                                 "argument of nth_value must be greater than zero");
                fail_row(e, i, &cause);
                continue;
            }
        }
        if (first != NULL) {
            copy_cell(e, i, first, 0);
            continue;
        }
        over_pieces pieces = over_frame_pieces(side, &frames, def->frame.exclude, i);
        uint32_t at = nth_of(&pieces, n);
        if (at == UINT32_MAX) {
            set_null(e, i);
        } else {
            copy_cell(e, i, e->args[0], side->row[at]);
        }
    }
    if (def->id != PLAN_OVER_FIRST_VALUE) return;
    for (uint32_t k = 0; k < side->nsnaps; k++) {
        col_vec own = {.n = 0};
        uint32_t here = side->begin[side->snap[k] + 1];
        if (first != NULL) {
            own = *first;
        } else if (here > side->origin) {
            own = *col_vec_gather(e->arena, e->out, (const uint32_t[]){here - 1}, 1);
        }
        over_state_copy_func(e->plan, e->number, &side->snaps[k], NULL, &own, e->arena);
    }
}

// ------------------------------------------------------------------------------------ aggregates

typedef struct running {
    eval *e;
    const col_vec *args[2]; // of as many as the accumulator takes
    const col_vec *filter;  // or NULL
    char *block;
    uint32_t begin, end; // what is in the block
} running;

// The arguments of a row; false: one is null.
static bool row_values(const running *r, uint32_t row, col_vec *values) {
    for (uint32_t k = 0; k < r->e->func->spec.nargs; k++) {
        if (col_is_null(r->args[k], row)) return false;
        values[k] = *r->args[k];
        values[k].n = 1;
        values[k].data = (char *)values[k].data + col_kind_width(values[k].type.kind) * row;
        values[k].nulls = NULL;
    }
    return true;
}

// Takes rows [from, to) into the block, or with weight -1 out of it.
static base_rc take(running *r, uint32_t from, uint32_t to, int64_t weight, char *block) {
    eval *e = r->e;
    const over_side *side = e->side;
    const acc_spec *spec = &e->func->spec;
    const uint32_t zero = 0;
    for (uint32_t i = from; i < to; i++) {
        uint32_t row = side->row[i];
        if (r->filter != NULL && (col_is_null(r->filter, row) || !col_u8(r->filter)[row])) continue;
        acc_update_weights(block, e->func->block_size, &zero, 1, &weight);
        if (spec->kind == ACC_WEIGHT) continue;
        col_vec values[2];
        if (!row_values(r, row, values)) continue;
        base_rc rc = acc_update(spec, block, e->func->block_size, &zero, values,
                                weight == 1 ? NULL : &weight, e->arena, e->err);
        if (rc != BASE_OK) return rc;
    }
    return BASE_OK;
}

static void give(running *r, const char *block, uint32_t i) {
    eval *e = r->e;
    base_error cause;
    if (acc_result(&e->func->spec, block, e->out, i, e->arena, &cause) != BASE_OK) {
        fail_row(e, i, &cause);
        set_null(e, i);
    }
}

// The block becomes that of [start, end).
static base_rc slide(running *r, uint32_t start, uint32_t end) {
    const over_func *func = r->e->func;
    bool anew = start != r->begin || end < r->end;
    if (anew && func->retracts && start < r->end && start >= r->begin && end >= r->end &&
        start - r->begin < end - start) {
        base_rc rc = take(r, r->begin, start, -1, r->block);
        if (rc != BASE_OK) return rc;
    } else if (anew) {
        memset(r->block, 0, func->block_size);
        r->end = start;
    }
    r->begin = start;
    base_rc rc = take(r, r->end, end, 1, r->block);
    r->end = end;
    return rc;
}

// A frame with something left out of its middle.
static base_rc give_pieces(running *r, const over_pieces *pieces, uint32_t start, uint32_t end,
                           uint32_t i) {
    const over_func *func = r->e->func;
    char *own = base_arena_zalloc(r->e->arena, func->block_size);
    base_rc rc = BASE_OK;
    if (func->retracts) {
        rc = slide(r, start, end);
        memcpy(own, r->block, func->block_size);
        uint32_t at = start;
        for (uint32_t k = 0; k < pieces->n && rc == BASE_OK; k++) {
            rc = take(r, at, pieces->begin[k], -1, own);
            at = pieces->end[k];
        }
        if (rc == BASE_OK) rc = take(r, at, end, -1, own);
    } else {
        for (uint32_t k = 0; k < pieces->n && rc == BASE_OK; k++)
            rc = take(r, pieces->begin[k], pieces->end[k], 1, own);
    }
    if (rc == BASE_OK) give(r, own, i);
    return rc;
}

// min and max of frames that slide: the rows that can still be the extreme, best first.
static base_rc eval_extreme(running *r, const over_frames *frames) {
    eval *e = r->e;
    const over_side *side = e->side;
    uint32_t *queue = base_arena_alloc(e->arena, sizeof(uint32_t) * (side->n + 1u));
    uint32_t head = 0, tail = 0, end = 0;
    int sign = e->func->spec.id == PLAN_AGG_MAX ? 1 : -1;
    for (uint32_t i = side->origin; i < side->n; i++) {
        if (frames->start[i] > end) end = frames->start[i];
        for (; end < frames->end[i]; end++) {
            uint32_t row = side->row[end];
            bool out =
                r->filter != NULL && (col_is_null(r->filter, row) || !col_u8(r->filter)[row]);
            if (out || col_is_null(r->args[0], row)) continue;
            while (tail > head && sign * col_cells_compare(r->args[0], row, r->args[0],
                                                           side->row[queue[tail - 1]]) >=
                                      0)
                tail--;
            queue[tail++] = end;
        }
        while (head < tail && queue[head] < frames->start[i]) head++;
        if (head == tail) {
            set_null(e, i);
        } else {
            copy_cell(e, i, r->args[0], side->row[queue[head]]);
        }
    }
    return BASE_OK;
}

static base_rc eval_aggregate(eval *e) {
    over_side *side = e->side;
    const plan_frame *frame = &e->func->def->frame;
    const plan_agg *agg = &e->func->def->agg;
    const col_vec *second = agg->nmore > 0 ? argument(e, agg->more[0]) : NULL;
    running r = {.e = e,
                 .args = {argument(e, e->func->def->agg.arg), second},
                 .filter = argument(e, e->func->def->agg.filter),
                 .block = base_arena_zalloc(e->arena, e->func->block_size)};
    over_frames frames;
    base_rc rc = over_frames_make(e->plan, side, frame, e->arena, &frames, e->err);
    if (rc != BASE_OK) return rc;
    bool from_start = frame->start == PLAN_BOUND_UNBOUNDED_PRECEDING;
    bool plain = frame->exclude == PLAN_EXCLUDE_NONE;
    if (e->func->spec.kind == ACC_EXTREME && plain && !from_start) return eval_extreme(&r, &frames);
    if (from_start && side->state != NULL) {
        memcpy(r.block, side->state->blocks + e->func->block_at, e->func->block_size);
        r.end = side->origin;
    }
    uint32_t snap = 0;
    for (uint32_t i = side->origin; i <= side->n && rc == BASE_OK; i++) {
        // A state is wanted once all rows before i are in: snaps end groups of peers.
        for (; snap < side->nsnaps && side->begin[side->snap[snap] + 1] <= i; snap++)
            over_state_copy_func(e->plan, e->number, &side->snaps[snap], r.block, NULL, e->arena);
        if (i == side->n) break;
        uint32_t start = frames.start[i], end = frames.end[i];
        if (!plain) {
            over_pieces pieces = over_frame_pieces(side, &frames, frame->exclude, i);
            rc = give_pieces(&r, &pieces, start, end, i);
            continue;
        }
        bool same = i > side->origin && start == r.begin && end == r.end && !side->failed[i - 1] &&
                    frames.start[i - 1] == start && frames.end[i - 1] == end;
        if (same) {
            copy_cell(e, i, e->out, i - 1);
            continue;
        }
        rc = slide(&r, start, end);
        if (rc == BASE_OK) give(&r, r.block, i);
    }
    return rc;
}

// ------------------------------------------------------------------------------------ entry

static void snap_counts(over_side *side) {
    int64_t rows = side->state == NULL ? 0 : side->state->rows;
    int64_t groups = side->state == NULL ? 0 : side->state->groups;
    uint32_t first = side->origin < side->n ? side->group[side->origin] : side->ngroups;
    for (uint32_t k = 0; k < side->nsnaps; k++) {
        uint32_t here = side->begin[side->snap[k] + 1];
        side->snaps[k].rows = rows + here - side->origin;
        side->snaps[k].groups = groups;
        if (here > side->origin) side->snaps[k].groups += side->group[here - 1] - first + 1;
    }
}

base_rc over_eval(const over_plan *plan, over_side *side, base_arena *arena, base_error *err) {
    side->results = base_arena_array(arena, col_vec, plan->nfuncs + 1u);
    side->snaps = base_arena_array(arena, over_state, side->nsnaps + 1u);
    for (uint32_t k = 0; k < side->nsnaps; k++) over_state_init(plan, arena, &side->snaps[k]);
    snap_counts(side);
    base_rc rc = BASE_OK;
    for (uint32_t i = 0; i < plan->nfuncs && rc == BASE_OK; i++) {
        const over_func *func = &plan->funcs[i];
        col_vec_init(&side->results[i], arena, func->def->type, side->n);
        eval e = {plan, side, arena, i, func, {NULL}, &side->results[i], err};
        for (uint32_t k = 0; k < func->def->nargs; k++)
            e.args[k] = argument(&e, func->def->args[k]);
        switch (func->def->id) {
        case PLAN_OVER_ROW_NUMBER:
        case PLAN_OVER_RANK:
        case PLAN_OVER_DENSE_RANK:
            eval_ranks(&e);
            break;
        case PLAN_OVER_PERCENT_RANK:
        case PLAN_OVER_CUME_DIST:
            eval_shares(&e);
            break;
        case PLAN_OVER_NTILE:
            eval_ntile(&e);
            break;
        case PLAN_OVER_LAG:
        case PLAN_OVER_LEAD:
            eval_shift(&e);
            break;
        case PLAN_OVER_FIRST_VALUE:
        case PLAN_OVER_LAST_VALUE:
        case PLAN_OVER_NTH_VALUE:
            eval_value(&e);
            break;
        case PLAN_OVER_AGGREGATE:
            rc = over_is_list(&func->spec) ? over_eval_list(plan, side, i, arena, err)
                                           : eval_aggregate(&e);
            break;
        }
    }
    return rc;
}
