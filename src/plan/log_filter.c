// log_filter.c - see log_filter.h. Each scan of the object has the conditions of a filter right
// above it; a record matters if those of any scan are true. Conjuncts that hold the event time to a
// constant bound its range. Entry point: plan_log_filter_of.

#include "plan/log_filter.h"

#include <string.h>

typedef struct search {
    base_arena *arena;
    const plan_object *object;
    uint32_t n;
    const plan_expr *predicates[PLAN_LOG_FILTER_SCANS_MAX];
    bool all; // a scan has no condition, or there are too many
} search;

static const plan_expr *all_or_any(base_arena *arena, plan_expr_kind kind, uint32_t n,
                                   const plan_expr *const *items) {
    if (n == 1) return items[0];
    plan_expr *expr = base_arena_new(arena, plan_expr);
    *expr = (plan_expr){.kind = kind,
                        .type = col_type_of(COL_BOOL),
                        .nargs = n,
                        .args = base_arena_array(arena, const plan_expr *, n)};
    memcpy(expr->args, items, n * sizeof *items);
    return expr;
}

static void add_scan(search *s, const plan_node *scan, const plan_expr *predicate) {
    if (predicate == NULL || s->n == PLAN_LOG_FILTER_SCANS_MAX) {
        s->all = true;
        return;
    }
    const plan_expr **map = base_arena_array(s->arena, const plan_expr *, scan->ncolumns + 1);
    for (uint32_t i = 0; i < scan->ncolumns; i++)
        map[i] = plan_expr_column(s->arena, scan->indexes[i], scan->columns[i].type);
    predicate = plan_expr_substitute(s->arena, predicate, map);
    for (uint32_t i = 0; i < s->n; i++)
        if (plan_expr_equal(s->predicates[i], predicate)) return;
    s->predicates[s->n++] = predicate;
}

static void find_scans(search *s, const plan_node *node, const plan_expr *predicate) {
    if (s->all) return;
    if (node->kind == PLAN_NODE_SCAN) {
        if (node->object->id == s->object->id) add_scan(s, node, predicate);
        return;
    }
    bool filters = node->kind == PLAN_NODE_FILTER && !plan_expr_is_volatile(node->predicate);
    for (uint32_t i = 0; i < node->ninputs; i++)
        find_scans(s, node->inputs[i], filters ? node->predicate : NULL);
}

// ---- the range of event time --------------------------------------------------------------------

typedef struct time_range {
    int64_t from_us, to_us;
} time_range;

static bool constant_time(const plan_expr *expr, col_kind kind, int64_t *us) {
    if (expr->kind != PLAN_EXPR_CONST || expr->type.kind != kind || col_is_null(expr->constant, 0))
        return false;
    *us = col_i64(expr->constant)[0];
    return *us != INT64_MIN && *us != INT64_MAX;
}

static time_range range_of(const search *s, const plan_expr *expr) {
    time_range r = {INT64_MIN, INT64_MAX};
    const plan_expr *compared = expr;
    const char *op = NULL;
    if (expr->kind == PLAN_EXPR_NOT && expr->args[0]->kind == PLAN_EXPR_IS_DISTINCT) {
        compared = expr->args[0];
        op = "=";
    } else if (expr->kind == PLAN_EXPR_CALL && expr->nargs == 2) {
        op = expr->func->name;
    }
    int64_t us;
    if (op != NULL && compared->args[0]->kind == PLAN_EXPR_COLUMN &&
        (int32_t)compared->args[0]->index == s->object->event_time &&
        constant_time(compared->args[1], compared->args[0]->type.kind, &us)) {
        if (strcmp(op, "=") == 0) r = (time_range){us, us + 1};
        if (strcmp(op, ">") == 0 || strcmp(op, ">=") == 0) r.from_us = us;
        if (strcmp(op, "<") == 0) r.to_us = us;
        if (strcmp(op, "<=") == 0) r.to_us = us + 1;
    }
    for (uint32_t i = 0; expr->kind == PLAN_EXPR_AND && i < expr->nargs; i++) {
        time_range one = range_of(s, expr->args[i]);
        if (one.from_us > r.from_us) r.from_us = one.from_us;
        if (one.to_us < r.to_us) r.to_us = one.to_us;
    }
    return r;
}

void plan_log_filter_of(base_arena *arena, const plan_node *plan, const plan_object *object,
                        plan_log_filter *out) {
    *out = (plan_log_filter){NULL, INT64_MIN, INT64_MAX};
    search s = {.arena = arena, .object = object};
    find_scans(&s, plan, NULL);
    if (s.all || s.n == 0) return;
    out->predicate = all_or_any(arena, PLAN_EXPR_OR, s.n, s.predicates);
    if (object->event_time < 0) return;
    col_kind kind = object->columns[object->event_time].type.kind;
    if (kind != COL_TIMESTAMP && kind != COL_TIMESTAMPTZ) return;
    time_range all = {INT64_MAX, INT64_MIN};
    for (uint32_t i = 0; i < s.n; i++) {
        time_range one = range_of(&s, s.predicates[i]);
        if (one.from_us < all.from_us) all.from_us = one.from_us;
        if (one.to_us > all.to_us) all.to_us = one.to_us;
    }
    out->from_us = all.from_us;
    out->to_us = all.to_us;
}
