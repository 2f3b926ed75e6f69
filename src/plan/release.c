// release.c - bounds of event time through a plan, and what they let go of a join's state.
//
// A floor is followed from a scan upwards through what keeps a time as it is, shifts it by a
// constant or puts it into a window. A node whose later changes may concern rows of any time (an
// outer join, a top-N, conditions on now()) has none, but in columns by which it keeps rows apart:
// a group changes only with a row of its own. Entry points: plan_floor_of, plan_join_release.
#include "plan/release.h"

#include "plan/window.h"

static bool is_time(const plan_node *node, uint32_t column) {
    col_kind kind = node->columns[column].type.kind;
    return kind == COL_TIMESTAMP || kind == COL_TIMESTAMPTZ;
}

static bool shift(plan_floor *floor, int64_t us) {
    for (uint32_t i = 0; i < floor->n; i++) {
        if (__builtin_add_overflow(floor->of[i].shift_us, us, &floor->of[i].shift_us)) return false;
    }
    return true;
}

// Both hold: the least of either.
static bool least_of(plan_floor *floor, const plan_floor *other) {
    for (uint32_t i = 0; i < other->n; i++) {
        uint32_t k = 0;
        while (k < floor->n && floor->of[k].object != other->of[i].object) k++;
        if (k == PLAN_FLOOR_MAX) return false;
        if (k == floor->n) {
            floor->of[floor->n++] = other->of[i];
        } else if (other->of[i].shift_us < floor->of[k].shift_us) {
            floor->of[k].shift_us = other->of[i].shift_us;
        }
    }
    return true;
}

// ------------------------------------------------------------------------------------ expressions

// A constant interval of fixed length: days are 24 hours of a TIMESTAMP, but not of an instant.
static bool fixed_interval(const plan_expr *expr, col_kind of, int64_t *us) {
    if (expr->kind != PLAN_EXPR_CONST || expr->type.kind != COL_INTERVAL ||
        col_is_null(expr->constant, 0))
        return false;
    base_interval interval = col_interval(expr->constant)[0];
    if (interval.months != 0 || (interval.days != 0 && of != COL_TIMESTAMP)) return false;
    base_error err;
    return base_interval_total_us(&interval, us, &err) == BASE_OK && *us != INT64_MIN;
}

static bool called(const plan_expr *expr, const char *name) {
    return expr->kind == PLAN_EXPR_CALL && expr->nargs == 2 && strcmp(expr->func->name, name) == 0;
}

// column + us.
static bool shifted_column(const plan_expr *expr, uint32_t *column, int64_t *us) {
    if (expr->type.kind != COL_TIMESTAMP && expr->type.kind != COL_TIMESTAMPTZ) return false;
    if (expr->kind == PLAN_EXPR_COLUMN) {
        *column = expr->index;
        *us = 0;
        return true;
    }
    bool plus = called(expr, "+"), minus = called(expr, "-");
    if (!plus && !minus) return false;
    const plan_expr *time = expr->args[0], *length = expr->args[1];
    if (plus && time->type.kind == COL_INTERVAL) {
        time = expr->args[1];
        length = expr->args[0];
    }
    int64_t by;
    if (time->type.kind != expr->type.kind || !fixed_interval(length, time->type.kind, &by))
        return false;
    if (!shifted_column(time, column, us)) return false;
    return minus ? !__builtin_sub_overflow(*us, by, us) : !__builtin_add_overflow(*us, by, us);
}

// How far before an instant the start of a window may lie that holds it.
static bool longest_us(const plan_window *window, int64_t *us) {
    int64_t unit = window->size.unit == PLAN_UNIT_US     ? 1
                   : window->size.unit == PLAN_UNIT_DAYS ? BASE_US_PER_DAY
                                                         : 31 * BASE_US_PER_DAY;
    if (window->form == PLAN_WINDOW_SESSION || __builtin_mul_overflow(window->size.n, unit, us))
        return false;
    bool calendar = window->zone != NULL || window->size.unit != PLAN_UNIT_US;
    return !__builtin_add_overflow(*us, calendar ? BASE_US_PER_DAY : 0, us);
}

// The column is the start or the end of the window that holds `time`, a column of input.
static bool floor_of_window(const plan_node *input, uint32_t time, const plan_column *column,
                            plan_floor *out) {
    int64_t us;
    if (column->window == NULL || !longest_us(column->window, &us)) return false;
    if (!plan_floor_of(input, time, out)) return false;
    if (column->time_role == PLAN_TIME_WINDOW_END) return true;
    return column->time_role == PLAN_TIME_WINDOW_START && shift(out, -us);
}

static bool only_column(const plan_expr *expr, const plan_node *input, uint32_t *column) {
    bool used[1024] = {false};
    if (input->ncolumns > 1024) return false;
    plan_expr_columns(expr, used);
    uint32_t n = 0;
    for (uint32_t c = 0; c < input->ncolumns; c++) {
        if (!used[c]) continue;
        *column = c;
        n++;
    }
    return n == 1;
}

static bool floor_of_expr(const plan_node *node, uint32_t c, plan_floor *out) {
    const plan_node *input = node->inputs[0];
    uint32_t column;
    int64_t us;
    if (shifted_column(node->exprs[c], &column, &us))
        return plan_floor_of(input, column, out) && shift(out, us);
    return only_column(node->exprs[c], input, &column) && // date_trunc and the like
           floor_of_window(input, column, &node->columns[c], out);
}

// ------------------------------------------------------------------------------------ nodes

static bool floor_of_scan(const plan_node *node, uint32_t column, plan_floor *out) {
    const plan_object *object = node->object;
    if (object->kind != PLAN_OBJECT_STREAM || object->retractable || object->watermark == NULL ||
        !object->limits_lateness || object->event_time < 0 ||
        node->indexes[column] != (uint32_t)object->event_time)
        return false;
    *out = (plan_floor){.n = 1};
    out->of[0].object = object;
    return true;
}

static bool floor_of_window_node(const plan_node *node, uint32_t column, plan_floor *out) {
    uint32_t n = node->inputs[0]->ncolumns;
    if (column < n) return plan_floor_of(node->inputs[0], column, out);
    if (column < n + 2)
        return floor_of_window(node->inputs[0], node->time_column, &node->columns[column], out);
    return plan_floor_of(node->inputs[0], node->time_column, out) && shift(out, -1000);
}

static bool within(uint32_t column, uint32_t n, const uint32_t *columns) {
    for (uint32_t i = 0; i < n; i++) {
        if (columns[i] == column) return true;
    }
    return false;
}

// A pair comes or goes with a row of either side: what the sides have equal is as late as each.
static bool floor_of_join(const plan_node *node, uint32_t column, plan_floor *out) {
    bool pairs = node->join == PLAN_JOIN_INNER;
    if (!pairs && node->join != PLAN_JOIN_SEMI) return false;
    uint32_t nleft = node->inputs[0]->ncolumns;
    for (uint32_t k = 0; k < node->nequi; k++) {
        uint32_t left = node->left_keys[k], right = node->right_keys[k];
        if (column != left && (!pairs || column != nleft + right)) continue;
        plan_floor other;
        return plan_floor_of(node->inputs[0], left, out) &&
               plan_floor_of(node->inputs[1], right, &other) && least_of(out, &other);
    }
    return false;
}

bool plan_floor_of(const plan_node *node, uint32_t column, plan_floor *out) {
    if (column >= node->ncolumns || !is_time(node, column)) return false;
    plan_floor other;
    switch (node->kind) {
    case PLAN_NODE_SCAN:
        return floor_of_scan(node, column, out);
    case PLAN_NODE_FILTER:
    case PLAN_NODE_DISTINCT:
        return plan_floor_of(node->inputs[0], column, out);
    case PLAN_NODE_PROJECT:
        return floor_of_expr(node, column, out);
    case PLAN_NODE_AGGREGATE:
        return column < node->nexprs && node->expand == NULL && floor_of_expr(node, column, out);
    case PLAN_NODE_WINDOW:
        return floor_of_window_node(node, column, out);
    case PLAN_NODE_OVER:
    case PLAN_NODE_TOP: // a partition's rows change with a row of its own
        return within(column, node->npartition, node->partition) &&
               plan_floor_of(node->inputs[0], column, out);
    case PLAN_NODE_JOIN:
        return floor_of_join(node, column, out);
    case PLAN_NODE_UNION_ALL:
        return plan_floor_of(node->inputs[0], column, out) &&
               plan_floor_of(node->inputs[1], column, &other) && least_of(out, &other);
    default:
        return false;
    }
}

// ------------------------------------------------------------------------------------ joins

// own >= other + us is a condition of the join; `own` is a column of the side.
typedef struct bound {
    const plan_node *join;
    uint32_t side;
    bool found;
    plan_release release;
} bound;

// Whether it matters to rows of the other side how many of this one match.
static bool is_counted_by(plan_join_kind join, uint32_t side) {
    if (side == 0) return join == PLAN_JOIN_RIGHT || join == PLAN_JOIN_FULL;
    return join != PLAN_JOIN_INNER && join != PLAN_JOIN_RIGHT;
}

static void use(bound *b, uint32_t own, uint32_t other, int64_t us) {
    plan_release release = {.column = own};
    if (b->found || !is_time(b->join->inputs[b->side], own)) return;
    if (!plan_floor_of(b->join->inputs[1 - b->side], other, &release.floor) ||
        !shift(&release.floor, us))
        return;
    // How many there were is asked for as long as more of them may come.
    plan_floor later;
    if (is_counted_by(b->join->join, b->side) &&
        !(plan_floor_of(b->join->inputs[b->side], own, &later) && least_of(&release.floor, &later)))
        return;
    b->release = release;
    b->found = true;
}

// x >= y, both a column plus a constant.
static void use_least(bound *b, const plan_expr *x, const plan_expr *y) {
    uint32_t own, other, nleft = b->join->inputs[0]->ncolumns;
    int64_t own_us, other_us, us;
    if (!shifted_column(x, &own, &own_us) || !shifted_column(y, &other, &other_us)) return;
    if (x->type.kind != y->type.kind || __builtin_sub_overflow(other_us, own_us, &us)) return;
    bool own_right = own >= nleft, other_right = other >= nleft;
    if (own_right == other_right || own_right != (b->side == 1)) return;
    use(b, own_right ? own - nleft : own, other_right ? other - nleft : other, us);
}

static void use_condition(bound *b, const plan_expr *expr) {
    if (expr->kind == PLAN_EXPR_AND) {
        for (uint32_t i = 0; i < expr->nargs; i++) use_condition(b, expr->args[i]);
        return;
    }
    bool equal = called(expr, "=");
    if (equal || called(expr, ">=") || called(expr, ">"))
        use_least(b, expr->args[0], expr->args[1]);
    if (equal || called(expr, "<=") || called(expr, "<"))
        use_least(b, expr->args[1], expr->args[0]);
}

bool plan_join_release(const plan_node *join, uint32_t side, plan_release *out) {
    bound b = {.join = join, .side = side};
    bool inner = join->join == PLAN_JOIN_INNER;
    // Counts by row (flow/join_store.c) stay with their rows.
    if (!inner && (join->predicate != NULL || join->mark != NULL)) return false;
    for (uint32_t k = 0; k < join->nequi; k++) {
        if (join->null_safe != NULL && join->null_safe[k]) continue;
        uint32_t left = join->left_keys[k], right = join->right_keys[k];
        use(&b, side == 0 ? left : right, side == 0 ? right : left, 0);
    }
    if (inner && join->predicate != NULL) use_condition(&b, join->predicate);
    *out = b.release;
    return b.found;
}

void plan_floor_print(const plan_floor *floor, base_buf *buf) {
    for (uint32_t i = 0; i < floor->n; i++) {
        const plan_object *object = floor->of[i].object;
        int64_t us = floor->of[i].shift_us - object->max_lateness_us;
        char text[BASE_INTERVAL_TEXT_MAX];
        base_interval interval = {.us = us < 0 ? -us : us};
        base_interval_format(&interval, text);
        base_buf_printf(buf, "%swatermark of %s.%s", i > 0 ? " and " : "", object->schema,
                        object->name);
        if (us != 0) base_buf_printf(buf, " %c %s", us < 0 ? '-' : '+', text);
    }
}
