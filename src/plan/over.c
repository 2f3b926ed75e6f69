// over.c - the reach of window functions, their printer and walks over them. Entry points: the
// functions of over.h.
#include "plan/over.h"

#include "plan/agg.h"

#define REACH_ROWS_MAX 100000 // beyond it the whole partition is as good

static const plan_reach whole = {.unit = PLAN_REACH_WHOLE};

static bool constant_i64(const plan_expr *expr, int64_t *value) {
    if (expr == NULL || expr->kind != PLAN_EXPR_CONST || col_is_null(expr->constant, 0))
        return false;
    if (expr->type.kind == COL_INT8) {
        *value = col_i64(expr->constant)[0];
    } else if (expr->type.kind == COL_INT4) {
        *value = col_i32(expr->constant)[0];
    } else {
        return false;
    }
    return true;
}

// lag and lead: the row `by` rows on, 1 unless a constant says otherwise.
static plan_reach reach_shift(const plan_over *over) {
    int64_t by = 1;
    if (over->nargs > 1 && !constant_i64(over->args[1], &by)) return whole;
    if (over->id == PLAN_OVER_LAG) by = -by;
    if (by < -REACH_ROWS_MAX || by > REACH_ROWS_MAX) return whole;
    plan_reach reach = {.unit = PLAN_REACH_ROWS};
    if (by < 0) reach.affected_after = reach.context_before = (uint32_t)-by;
    if (by > 0) reach.affected_before = reach.context_after = (uint32_t)by;
    return reach;
}

// Where a bound lies, in rows or groups from the current one; false: nowhere that is known.
static bool bound_place(plan_frame_bound bound, const plan_expr *offset, int64_t *place) {
    *place = 0;
    if (bound == PLAN_BOUND_CURRENT) return true;
    if (bound != PLAN_BOUND_PRECEDING && bound != PLAN_BOUND_FOLLOWING) return false;
    if (!constant_i64(offset, place) || *place > REACH_ROWS_MAX) return false;
    if (bound == PLAN_BOUND_PRECEDING) *place = -*place;
    return true;
}

static plan_reach reach_frame(const plan_over *over) {
    const plan_frame *frame = &over->frame;
    bool to_current = frame->end == PLAN_BOUND_CURRENT;
    bool by_peers = frame->exclude == PLAN_EXCLUDE_GROUP || frame->exclude == PLAN_EXCLUDE_TIES;
    if (frame->start == PLAN_BOUND_UNBOUNDED_PRECEDING) {
        bool runs = to_current && frame->exclude == PLAN_EXCLUDE_NONE &&
                    (over->id == PLAN_OVER_AGGREGATE || over->id == PLAN_OVER_FIRST_VALUE ||
                     over->id == PLAN_OVER_LAST_VALUE);
        return runs ? (plan_reach){.unit = PLAN_REACH_ROWS, .forward = true} : whole;
    }
    if (frame->mode == PLAN_FRAME_RANGE && (frame->start_offset || frame->end_offset)) {
        return frame->end == PLAN_BOUND_UNBOUNDED_FOLLOWING
                   ? whole
                   : (plan_reach){.unit = PLAN_REACH_VALUES};
    }
    int64_t start, end;
    if (!bound_place(frame->start, frame->start_offset, &start) ||
        !bound_place(frame->end, frame->end_offset, &end))
        return whole;
    if (frame->mode == PLAN_FRAME_ROWS && by_peers) return whole;
    plan_reach reach = {.unit =
                            frame->mode == PLAN_FRAME_ROWS ? PLAN_REACH_ROWS : PLAN_REACH_GROUPS};
    if (start < 0) reach.affected_after = reach.context_before = (uint32_t)-start;
    if (end > 0) reach.affected_before = reach.context_after = (uint32_t)end;
    return reach;
}

plan_reach plan_over_reach(const plan_over *over) {
    switch (over->id) {
    case PLAN_OVER_ROW_NUMBER:
    case PLAN_OVER_RANK:
    case PLAN_OVER_DENSE_RANK:
        return (plan_reach){.unit = PLAN_REACH_ROWS, .forward = true};
    case PLAN_OVER_LAG:
    case PLAN_OVER_LEAD:
        return reach_shift(over);
    case PLAN_OVER_AGGREGATE:
    case PLAN_OVER_FIRST_VALUE:
    case PLAN_OVER_LAST_VALUE:
    case PLAN_OVER_NTH_VALUE:
        return reach_frame(over);
    default:
        return whole;
    }
}

static uint32_t most(uint32_t a, uint32_t b) {
    return a > b ? a : b;
}

plan_reach plan_over_reach_all(const plan_over *overs, uint32_t n) {
    plan_reach all = plan_over_reach(&overs[0]);
    for (uint32_t i = 1; i < n; i++) {
        plan_reach one = plan_over_reach(&overs[i]);
        if (one.unit != all.unit) return whole;
        all.forward |= one.forward;
        all.affected_before = most(all.affected_before, one.affected_before);
        all.affected_after = most(all.affected_after, one.affected_after);
        all.context_before = most(all.context_before, one.context_before);
        all.context_after = most(all.context_after, one.context_after);
    }
    return all;
}

plan_over plan_over_map(base_arena *arena, const plan_over *over,
                        const plan_expr *(*visit)(void *arg, const plan_expr *expr), void *arg) {
    plan_over copy = *over;
    const plan_expr **places[] = {&copy.args[0], &copy.args[1], &copy.args[2],
                                  &copy.frame.start_offset, &copy.frame.end_offset};
    plan_agg_map(arena, &copy.agg, visit, arg);
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
        if (*places[i] != NULL) *places[i] = visit(arg, *places[i]);
    return copy;
}

static bool negative(const plan_expr *offset) {
    const col_vec *v = offset->constant;
    switch (offset->type.kind) {
    case COL_INT8:
        return col_i64(v)[0] < 0;
    case COL_FLOAT8:
        return col_f64(v)[0] < 0 || col_f64(v)[0] != col_f64(v)[0];
    case COL_NUMERIC:
        return base_decimal_sign(col_dec(v)[0]) < 0;
    case COL_INTERVAL: {
        static const base_interval zero = {0, 0, 0};
        return base_interval_cmp(&col_interval(v)[0], &zero) < 0;
    }
    default:
        return false;
    }
}

base_rc plan_frame_check(const plan_frame *frame, base_error *err) {
    const plan_expr *offsets[2] = {frame->start_offset, frame->end_offset};
    for (int k = 0; k < 2; k++) {
        if (offsets[k] == NULL || offsets[k]->kind != PLAN_EXPR_CONST) continue;
        const char *which = k == 0 ? "starting" : "ending";
        if (col_is_null(offsets[k]->constant, 0)) {
            return base_fail(err, BASE_E_INVALID, "22004", "frame %s offset must not be null",
                             which);
        }
        if (!negative(offsets[k])) continue;
        if (frame->mode == PLAN_FRAME_RANGE) {
            return base_fail(err, BASE_E_INVALID, "22013",
                             "invalid preceding or following size in window function");
        }
        return base_fail(err, BASE_E_INVALID, "22013", "frame %s offset must not be negative",
                         which);
    }
    return BASE_OK;
}

// ---- printing --------------------------------------------------------------------------------

static void print_bound(plan_frame_bound bound, const plan_expr *offset, base_buf *buf) {
    static const char *const names[] = {"unbounded preceding", " preceding", "current row",
                                        " following", "unbounded following"};
    if (offset != NULL) plan_expr_print(offset, NULL, buf);
    base_buf_add_cstr(buf, names[bound]);
}

static void print_frame(const plan_frame *frame, base_buf *buf) {
    static const char *const modes[] = {"range", "rows", "groups"};
    static const char *const excludes[] = {"", " exclude current row", " exclude group",
                                           " exclude ties"};
    if (frame->mode == PLAN_FRAME_RANGE && frame->start == PLAN_BOUND_UNBOUNDED_PRECEDING &&
        frame->end == PLAN_BOUND_CURRENT && frame->exclude == PLAN_EXCLUDE_NONE)
        return; // the default
    base_buf_printf(buf, " %s ", modes[frame->mode]);
    print_bound(frame->start, frame->start_offset, buf);
    base_buf_add_cstr(buf, "..");
    print_bound(frame->end, frame->end_offset, buf);
    base_buf_add_cstr(buf, excludes[frame->exclude]);
}

static bool has_frame(plan_over_id id) {
    return id == PLAN_OVER_AGGREGATE || id == PLAN_OVER_FIRST_VALUE || id == PLAN_OVER_LAST_VALUE ||
           id == PLAN_OVER_NTH_VALUE;
}

void plan_over_print(const plan_over *over, const char *const *names, base_buf *buf) {
    base_buf_printf(buf, "%s(", over->name);
    if (over->id == PLAN_OVER_AGGREGATE) {
        if (over->agg.arg == NULL) {
            base_buf_add_byte(buf, '*');
        } else {
            plan_expr_print(over->agg.arg, names, buf);
        }
    }
    for (uint32_t i = 0; i < over->nargs; i++) {
        if (i > 0) base_buf_add_cstr(buf, ", ");
        plan_expr_print(over->args[i], names, buf);
    }
    base_buf_add_byte(buf, ')');
    if (over->agg.filter != NULL) {
        base_buf_add_cstr(buf, " FILTER ");
        plan_expr_print(over->agg.filter, names, buf);
    }
    if (has_frame(over->id)) print_frame(&over->frame, buf);
}
