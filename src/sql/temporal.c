// temporal.c - now() in the conditions of a view: a comparison of what a row's columns give with
// the clock says from when, or until when, the row is in the view. Such conditions leave their
// filter (or inner join) and become the bounds of a temporal filter over it.
//
// The clock's side is now(), CURRENT_DATE and the like with whatever never falls as time rises:
// constant intervals added or taken, casts between dates and times, date_trunc and date_bin. Where
// it is now() plus a constant, the moment is computed from the row's value; else it is searched
// for. now() anywhere else is refused, with its position. Entry point: sql_temporal.
#include "plan/match.h"
#include "sql/sql_int.h"

#include "base/must.h"

bool sql_is_clock(const col_func *func) {
    static const char *const names[] = {"now",
                                        "current_timestamp",
                                        "transaction_timestamp",
                                        "statement_timestamp",
                                        "localtimestamp",
                                        "current_date"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (func->nargs == 0 && strcmp(func->name, names[i]) == 0) return true;
    return false;
}

static bool is_clock(const plan_expr *expr, void *arg) {
    (void)arg;
    return expr->kind == PLAN_EXPR_CALL && sql_is_clock(expr->func);
}
static bool is_column(const plan_expr *expr, void *arg) {
    (void)arg;
    return expr->kind == PLAN_EXPR_COLUMN;
}
static bool has_clock(const plan_expr *expr) {
    return expr != NULL && plan_expr_any(expr, is_clock, NULL);
}

static bool is_time(col_kind kind) {
    return kind == COL_TIMESTAMP || kind == COL_TIMESTAMPTZ;
}

static bool called(const plan_expr *expr, const char *name, uint32_t nargs) {
    return expr->kind == PLAN_EXPR_CALL && expr->nargs == nargs &&
           strcmp(expr->func->name, name) == 0;
}

static bool is_constant(const plan_expr *expr) {
    return expr->kind == PLAN_EXPR_CONST && !sql_const_is_null(expr);
}

// ---- the clock's side ------------------------------------------------------------------------

// +-us if expr is x + interval, interval + x or x - interval with a constant interval; *x is set.
static bool plus_interval(const plan_expr *expr, const plan_expr **x, base_interval *interval) {
    bool plus = called(expr, "+", 2), minus = called(expr, "-", 2);
    if (!plus && !minus) return false;
    uint32_t at = plus && expr->args[0]->type.kind == COL_INTERVAL ? 0 : 1;
    const plan_expr *constant = expr->args[at];
    if (constant->type.kind != COL_INTERVAL || !is_constant(constant)) return false;
    *interval = col_interval(constant->constant)[0];
    if (minus) {
        interval->us = -interval->us;
        interval->days = -interval->days;
        interval->months = -interval->months;
    }
    *x = expr->args[1 - at];
    return true;
}

static bool is_cast(const plan_expr *expr, const plan_expr **x) {
    if (expr->kind != PLAN_EXPR_CALL || expr->nargs != 1) return false;
    *x = expr->args[0];
    col_kind from = (*x)->type.kind, to = expr->type.kind;
    return (is_time(from) || from == COL_DATE) && (is_time(to) || to == COL_DATE);
}

// now() plus a constant. Views are computed in UTC: a day has 24 hours, and times with and without
// a zone are the same numbers.
static bool is_shift(const plan_expr *expr, int64_t *shift_us) {
    const plan_expr *x;
    base_interval interval;
    base_error err;
    int64_t us;
    if (is_clock(expr, NULL)) {
        *shift_us = 0;
        return is_time(expr->type.kind);
    }
    if (is_cast(expr, &x)) return is_time(expr->type.kind) && is_shift(x, shift_us);
    return plus_interval(expr, &x, &interval) && interval.months == 0 && is_shift(x, shift_us) &&
           base_interval_total_us(&interval, &us, &err) == BASE_OK &&
           !__builtin_add_overflow(*shift_us, us, shift_us);
}

// What is known of an expression of the clock that never falls.
typedef struct rising {
    bool midnight; // whole days of UTC or of no zone, so that adding months does not fall either
    bool local;    // the time of a zone, which falls when the clock is put back
} rising;

static bool is_rising(const plan_expr *expr, rising *r);

static bool is_rising_trunc(const plan_expr *expr, rising *r) {
    base_time_field field;
    base_error err;
    if (!is_constant(expr->args[0]) || !is_rising(expr->args[1], r) ||
        base_time_field_find(col_str(expr->args[0]->constant)[0], &field, &err) != BASE_OK)
        return false;
    bool days = field >= BASE_FIELD_DAY && field <= BASE_FIELD_MILLENNIUM;
    if (expr->nargs == 3) {
        r->midnight = false;
        return is_constant(expr->args[2]) && !r->local;
    }
    if (days) r->local = false;
    r->midnight = days;
    return true;
}

static bool is_rising(const plan_expr *expr, rising *r) {
    const plan_expr *x;
    base_interval interval;
    if (is_clock(expr, NULL)) {
        *r = (rising){.midnight = expr->type.kind == COL_DATE};
        return true;
    }
    if (is_cast(expr, &x)) {
        if (!is_rising(x, r)) return false;
        if (expr->type.kind == COL_DATE) *r = (rising){.midnight = true};
        return true;
    }
    if (plus_interval(expr, &x, &interval)) {
        if (!is_rising(x, r) || (interval.months != 0 && !r->midnight)) return false;
        r->midnight = r->midnight && interval.us == 0;
        return true;
    }
    if ((called(expr, "+", 2) || called(expr, "-", 2)) && expr->type.kind == COL_DATE)
        return is_constant(expr->args[1]) && is_rising(expr->args[0], r);
    if (called(expr, "date_trunc", 2) || called(expr, "date_trunc", 3))
        return is_rising_trunc(expr, r);
    if (called(expr, "date_bin", 3)) {
        if (!is_constant(expr->args[0]) || !is_constant(expr->args[2])) return false;
        bool is = is_rising(expr->args[1], r) && !r->local;
        r->midnight = false;
        return is;
    }
    if (called(expr, "timezone", 2) && expr->type.kind == COL_TIMESTAMP) {
        if (!is_constant(expr->args[0]) || !is_rising(expr->args[1], r)) return false;
        r->local = true;
        return true;
    }
    return false;
}

// The clock's calls become column 0, of type TIMESTAMPTZ.
static base_rc over_column(sql_ctx *ctx, const plan_expr *expr, const plan_expr **out) {
    if (is_clock(expr, NULL)) {
        const plan_expr *now = plan_expr_column(ctx->arena, 0, col_type_of(COL_TIMESTAMPTZ));
        if (expr->type.kind == COL_TIMESTAMPTZ) {
            *out = now;
            return BASE_OK;
        }
        return sql_coerce(ctx, now, expr->type, COL_CAST_EXPLICIT, out);
    }
    plan_expr *copy = base_arena_new(ctx->arena, plan_expr);
    *copy = *expr;
    copy->args = base_arena_array(ctx->arena, const plan_expr *, expr->nargs);
    for (uint32_t i = 0; i < expr->nargs; i++)
        SQL_TRY(over_column(ctx, expr->args[i], &copy->args[i]));
    *out = copy;
    return BASE_OK;
}

static base_rc as_time(sql_ctx *ctx, const plan_expr *expr, const plan_expr **out) {
    *out = expr;
    if (is_time(expr->type.kind)) return BASE_OK;
    return sql_coerce(ctx, expr, col_type_of(COL_TIMESTAMP), COL_CAST_EXPLICIT, out);
}

// ---- comparisons -----------------------------------------------------------------------------

typedef enum order { LESS, LESS_EQUAL, GREATER, GREATER_EQUAL, EQUAL, ORDERS } order;

static order order_of(const plan_expr *expr) {
    static const char *const names[] = {"<", "<=", ">", ">=", "="};
    for (uint32_t i = 0; i < ORDERS; i++)
        if (called(expr, names[i], 2)) return (order)i;
    return ORDERS;
}

static order mirrored(order o) {
    static const order mirrors[] = {GREATER, GREATER_EQUAL, LESS, LESS_EQUAL, EQUAL};
    return mirrors[o];
}

static order negated(order o) {
    static const order opposites[] = {GREATER_EQUAL, GREATER, LESS_EQUAL, LESS, ORDERS};
    return opposites[o];
}

// clock `order` value, which a comparison has been brought to.
typedef struct comparison {
    const plan_expr *clock, *value;
    order order;
    int64_t more_us; // to be added to the clock
} comparison;

// now() - ts < INTERVAL '5 minutes', and ts - now() likewise: `difference` order `limit`.
static bool from_difference(const plan_expr *difference, const plan_expr *limit, order o,
                            comparison *out) {
    base_interval interval;
    base_error err;
    int64_t us;
    if (!called(difference, "-", 2) || !is_constant(limit) || limit->type.kind != COL_INTERVAL)
        return false;
    interval = col_interval(limit->constant)[0];
    if (base_interval_total_us(&interval, &us, &err) != BASE_OK || us == INT64_MIN) return false;
    const plan_expr *a = difference->args[0], *b = difference->args[1];
    if (!is_time(a->type.kind) || !is_time(b->type.kind)) return false;
    bool first = has_clock(a);
    *out = (comparison){.clock = first ? a : b,
                        .value = first ? b : a,
                        .order = first ? o : mirrored(o),
                        .more_us = first ? -us : us};
    return true;
}

static bool read_comparison(const plan_expr *expr, comparison *out) {
    bool not = expr->kind == PLAN_EXPR_NOT;
    if (not ) expr = expr->args[0];
    order o = order_of(expr);
    if (o != ORDERS && not ) o = negated(o);
    if (o == ORDERS) return false;
    bool first = has_clock(expr->args[0]);
    const plan_expr *a = expr->args[first ? 0 : 1], *b = expr->args[first ? 1 : 0];
    if (!first) o = mirrored(o);
    *out = (comparison){.clock = a, .value = b, .order = o};
    if (a->type.kind == COL_INTERVAL && !from_difference(a, b, o, out)) return false;
    return !has_clock(out->value) && !plan_expr_any(out->clock, is_column, NULL);
}

typedef struct bounds {
    sql_exprs values;
    uint32_t n, cap;
    plan_bound *items;
} bounds;

static void add_bound(sql_ctx *ctx, bounds *list, const plan_expr *value, plan_bound bound) {
    if (list->n == list->cap) {
        list->cap = list->cap == 0 ? 4 : list->cap * 2;
        plan_bound *items = base_arena_array(ctx->arena, plan_bound, list->cap);
        if (list->n > 0) memcpy(items, list->items, list->n * sizeof *items);
        list->items = items;
    }
    list->items[list->n++] = bound;
    sql_exprs_add(ctx, &list->values, value);
}

// *taken: the condition became bounds.
static base_rc take_condition(sql_ctx *ctx, const plan_expr *expr, bounds *list, bool *taken) {
    comparison c;
    rising r;
    plan_bound bound = {0};
    *taken = false;
    if (!read_comparison(expr, &c)) return BASE_OK;
    bool shift = is_shift(c.clock, &bound.shift_us) &&
                 !__builtin_add_overflow(bound.shift_us, c.more_us, &bound.shift_us);
    if (!shift && (c.more_us != 0 || !is_rising(c.clock, &r) || r.local)) return BASE_OK;
    const plan_expr *value, *clock;
    SQL_TRY(as_time(ctx, c.value, &value));
    if (!shift) {
        SQL_TRY(as_time(ctx, c.clock, &clock));
        SQL_TRY(over_column(ctx, clock, &bound.clock));
    }
    // The clock is less until it has reached the value, and greater once it has passed it.
    if (c.order == LESS || c.order == LESS_EQUAL || c.order == EQUAL) {
        bound.until = true;
        bound.after = c.order != LESS;
        add_bound(ctx, list, value, bound);
    }
    if (c.order == GREATER || c.order == GREATER_EQUAL || c.order == EQUAL) {
        bound.until = false;
        bound.after = c.order == GREATER;
        add_bound(ctx, list, value, bound);
    }
    *taken = true;
    return BASE_OK;
}

static base_rc split(sql_ctx *ctx, const plan_expr *predicate, bounds *list, sql_exprs *rest) {
    sql_exprs all = {0};
    sql_conjuncts(ctx, predicate, &all);
    for (uint32_t i = 0; i < all.n; i++) {
        bool taken = false;
        if (has_clock(all.items[i])) SQL_TRY(take_condition(ctx, all.items[i], list, &taken));
        if (!taken) sql_exprs_add(ctx, rest, all.items[i]);
    }
    return BASE_OK;
}

// ---- the plan --------------------------------------------------------------------------------

static plan_node *with_bounds(sql_ctx *ctx, plan_node *input, const bounds *list) {
    if (list->n == 0) return input;
    plan_node *node = sql_node(ctx, PLAN_NODE_TEMPORAL, input->ncolumns, 1, input, NULL);
    if (input->ncolumns > 0)
        memcpy(sql_columns(node), input->columns, input->ncolumns * sizeof *input->columns);
    node->nexprs = list->n;
    node->exprs = list->values.items;
    node->bounds = list->items;
    return node;
}

static base_rc rewrite(sql_ctx *ctx, const plan_node *node, plan_node **out) {
    SQL_TRY(sql_enter(ctx, 0));
    plan_node *copy = base_arena_new(ctx->arena, plan_node);
    *copy = *node;
    copy->inputs = base_arena_array(ctx->arena, const plan_node *, node->ninputs);
    for (uint32_t i = 0; i < node->ninputs; i++) {
        plan_node *input;
        SQL_TRY(rewrite(ctx, node->inputs[i], &input));
        copy->inputs[i] = input;
    }
    *out = copy;
    bool inner = node->kind == PLAN_NODE_JOIN && node->join == PLAN_JOIN_INNER;
    if ((node->kind == PLAN_NODE_FILTER || inner) && has_clock(node->predicate)) {
        bounds list = {0};
        sql_exprs rest = {0};
        SQL_TRY(split(ctx, node->predicate, &list, &rest));
        copy->predicate = sql_conjunction(ctx, &rest);
        if (copy->predicate == NULL && !inner) copy = (plan_node *)(uintptr_t)copy->inputs[0];
        *out = with_bounds(ctx, copy, &list);
    }
    sql_leave(ctx);
    return BASE_OK;
}

static bool find_clock(const plan_expr *expr, void *arg) {
    if (!is_clock(expr, NULL)) return false;
    *(const plan_expr **)arg = expr;
    return true;
}

static void find_in_match(const plan_node *node, const plan_expr **found) {
    const plan_match *match = node->match;
    for (uint32_t i = 0; i < match->nvariables && *found == NULL; i++)
        if (match->define[i] != NULL) plan_expr_any(match->define[i], find_clock, found);
    for (uint32_t i = 0; i < node->ncolumns && *found == NULL; i++)
        plan_expr_any(match->outputs[i], find_clock, found);
    for (uint32_t i = 0; i < match->nslots && *found == NULL; i++) {
        const plan_agg *agg = match->slots[i].agg;
        if (match->slots[i].kind != PLAN_MATCH_AGGREGATE) continue;
        if (agg->arg != NULL) plan_expr_any(agg->arg, find_clock, found);
        if (agg->filter != NULL && *found == NULL) plan_expr_any(agg->filter, find_clock, found);
    }
}

static const plan_expr *left_over(const plan_node *node) {
    const plan_expr *found = NULL;
    if (node->kind == PLAN_NODE_MATCH) find_in_match(node, &found);
    if (node->predicate != NULL) plan_expr_any(node->predicate, find_clock, &found);
    for (uint32_t i = 0; i < node->nexprs && found == NULL; i++)
        plan_expr_any(node->exprs[i], find_clock, &found);
    for (uint32_t i = 0; i < node->naggs && found == NULL; i++) {
        if (node->aggs[i].arg != NULL) plan_expr_any(node->aggs[i].arg, find_clock, &found);
        if (node->aggs[i].filter != NULL && found == NULL)
            plan_expr_any(node->aggs[i].filter, find_clock, &found);
    }
    for (uint32_t i = 0; i < node->ninputs && found == NULL; i++)
        found = left_over(node->inputs[i]);
    return found;
}

base_rc sql_temporal(sql_ctx *ctx, const plan_node *node, plan_node **out) {
    SQL_TRY(rewrite(ctx, node, out));
    const plan_expr *clock = left_over(*out);
    if (clock == NULL) return BASE_OK;
    sql_unsupported(ctx, clock->position, "function %s() is not allowed here in a %s",
                    clock->func->name, ctx->view_word);
    base_error_hint(
        ctx->err,
        "It may stand in WHERE, in a comparison with what a row's columns give, joined to "
        "others by AND: WHERE at > now() - INTERVAL '5 minutes'. Intervals of months "
        "need a day: CURRENT_DATE - INTERVAL '1 month'.");
    return ctx->err->code;
}
