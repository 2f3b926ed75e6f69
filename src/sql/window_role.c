// window_role.c - windows that PostgreSQL's own functions make of an event's time: date_trunc,
// date_bin and casts to a date, also by the local time of a zone. A column of such values is the
// start of a window, so that rows grouped by it have a standing like those of TUMBLE. Entry point:
// sql_window_role.
#include "sql/sql_int.h"

static bool called(const plan_expr *expr, const char *name, uint32_t nargs) {
    return expr->kind == PLAN_EXPR_CALL && expr->nargs == nargs &&
           strcmp(expr->func->name, name) == 0;
}

static bool is_constant(const plan_expr *expr) {
    return expr->kind == PLAN_EXPR_CONST && !sql_const_is_null(expr);
}

// The instants that a window is made of: the event's time, as it is or by the clock of a zone.
typedef struct event_time {
    const base_zone *zone; // of a TIMESTAMP that is local time; NULL: none
    const char *zone_name;
} event_time;

static bool read_zone(sql_ctx *ctx, const plan_expr *expr, event_time *out) {
    base_error err;
    if (!is_constant(expr) || !col_kind_is_string(expr->type.kind)) return false;
    base_str name = col_str(expr->constant)[0];
    if (base_zone_find_any(name, &out->zone, &err) != BASE_OK) return false;
    char *copy = base_arena_zalloc(ctx->arena, name.n + 1);
    memcpy(copy, name.p, name.n);
    out->zone_name = copy;
    return true;
}

static bool read_event_time(sql_ctx *ctx, const plan_expr *expr, const plan_node *input,
                            event_time *out) {
    *out = (event_time){0};
    if (called(expr, "timezone", 2) && expr->type.kind == COL_TIMESTAMP)
        return read_event_time(ctx, expr->args[1], input, out) && out->zone == NULL &&
               read_zone(ctx, expr->args[0], out);
    return expr->kind == PLAN_EXPR_COLUMN &&
           input->columns[expr->index].time_role == PLAN_TIME_EVENT;
}

static bool span_of(base_str field_name, plan_span *span) {
    base_time_field field;
    base_error err;
    if (base_time_field_find(field_name, &field, &err) != BASE_OK) return false;
    switch (field) {
    case BASE_FIELD_SECOND:
        *span = (plan_span){PLAN_UNIT_US, BASE_US_PER_SECOND};
        return true;
    case BASE_FIELD_MINUTE:
        *span = (plan_span){PLAN_UNIT_US, BASE_US_PER_MINUTE};
        return true;
    case BASE_FIELD_HOUR:
        *span = (plan_span){PLAN_UNIT_US, BASE_US_PER_HOUR};
        return true;
    case BASE_FIELD_DAY:
        *span = (plan_span){PLAN_UNIT_DAYS, 1};
        return true;
    case BASE_FIELD_WEEK:
        *span = (plan_span){PLAN_UNIT_DAYS, 7};
        return true;
    case BASE_FIELD_MONTH:
        *span = (plan_span){PLAN_UNIT_MONTHS, 1};
        return true;
    case BASE_FIELD_QUARTER:
        *span = (plan_span){PLAN_UNIT_MONTHS, 3};
        return true;
    case BASE_FIELD_YEAR:
        *span = (plan_span){PLAN_UNIT_MONTHS, 12};
        return true;
    case BASE_FIELD_DECADE:
        *span = (plan_span){PLAN_UNIT_MONTHS, 120};
        return true;
    default: // shorter ones are no windows that anybody waits for; centuries begin with year 1
        return false;
    }
}

static bool role_of(sql_ctx *ctx, const plan_expr *expr, const plan_node *input, plan_window *out);

static bool role_of_trunc(sql_ctx *ctx, const plan_expr *expr, const plan_node *input,
                          plan_window *out) {
    event_time time;
    if (!is_constant(expr->args[0]) || !read_event_time(ctx, expr->args[1], input, &time) ||
        !span_of(col_str(expr->args[0]->constant)[0], &out->size))
        return false;
    if (expr->nargs == 3 && (time.zone != NULL || !read_zone(ctx, expr->args[2], &time)))
        return false;
    out->zone = expr->nargs == 3 ? base_zone_calendar(time.zone) : time.zone;
    out->zone_name = time.zone_name;
    return true;
}

static bool role_of_bin(sql_ctx *ctx, const plan_expr *expr, const plan_node *input,
                        plan_window *out) {
    event_time time;
    base_error err;
    int64_t size;
    if (!is_constant(expr->args[0]) || !is_constant(expr->args[2]) ||
        !read_event_time(ctx, expr->args[1], input, &time))
        return false;
    const base_interval *stride = &col_interval(expr->args[0]->constant)[0];
    int64_t origin = col_i64(expr->args[2]->constant)[0];
    if (stride->months != 0 || base_interval_total_us(stride, &size, &err) != BASE_OK ||
        size <= 0 || origin == INT64_MIN || origin == INT64_MAX)
        return false;
    out->size = (plan_span){PLAN_UNIT_US, size};
    out->offset_us = (int64_t)(((__int128)origin + BASE_UNIX_EPOCH_US) % size);
    out->zone = time.zone;
    out->zone_name = time.zone_name;
    return true;
}

// x::date, of the event's time or of a window of whole days that is told by the same clock.
static bool role_of_date(sql_ctx *ctx, const plan_expr *x, const plan_node *input,
                         plan_window *out) {
    event_time time;
    if (read_event_time(ctx, x, input, &time)) {
        out->size = (plan_span){PLAN_UNIT_DAYS, 1};
        out->zone = time.zone;
        out->zone_name = time.zone_name;
        return true;
    }
    return role_of(ctx, x, input, out) && out->size.unit != PLAN_UNIT_US &&
           (out->zone == NULL || x->type.kind == COL_TIMESTAMP);
}

static bool role_of(sql_ctx *ctx, const plan_expr *expr, const plan_node *input, plan_window *out) {
    if (called(expr, "date_trunc", 2) || called(expr, "date_trunc", 3))
        return role_of_trunc(ctx, expr, input, out);
    if (called(expr, "date_bin", 3)) return role_of_bin(ctx, expr, input, out);
    if (called(expr, "timezone", 2) && expr->type.kind == COL_TIMESTAMPTZ) {
        // date_trunc('day', at AT TIME ZONE z) AT TIME ZONE z
        event_time back;
        return expr->args[1]->type.kind == COL_TIMESTAMP &&
               role_of(ctx, expr->args[1], input, out) && read_zone(ctx, expr->args[0], &back) &&
               back.zone == out->zone;
    }
    bool cast = expr->kind == PLAN_EXPR_CALL && expr->nargs == 1 && expr->type.kind == COL_DATE;
    return cast && role_of_date(ctx, expr->args[0], input, out);
}

bool sql_window_role(sql_ctx *ctx, const plan_expr *expr, const plan_node *input,
                     plan_column *column) {
    plan_window window = {.form = PLAN_WINDOW_TUMBLE, .derived = true};
    if (expr->kind != PLAN_EXPR_CALL || !role_of(ctx, expr, input, &window)) return false;
    plan_window *copy = base_arena_new(ctx->arena, plan_window);
    window.step = window.size;
    *copy = window;
    column->time_role = PLAN_TIME_WINDOW_START;
    column->window = copy;
    return true;
}
