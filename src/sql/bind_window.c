// bind_window.c - windows of time in FROM: TUMBLE, HOP, CUMULATE, SESSION over a table, a view, a
// WITH query or a sub-query, in the forms of RisingWave, HOP(t, ts, slide, size), and of Flink,
// TABLE(HOP(TABLE t, DESCRIPTOR(ts), slide, size)), also with Flink's named arguments. A length of
// days or months in a time zone makes calendar windows. Entry point: sql_bind_window.
#include "sql/sql_int.h"

#include "base/must.h"

typedef enum window_arg {
    ARG_DATA,
    ARG_TIME,
    ARG_SLIDE, // HOP: slide, CUMULATE: step
    ARG_SIZE,  // of a window, CUMULATE: the longest
    ARG_ZONE,
    ARG_OFFSET,
    ARG_COUNT
} window_arg;

typedef struct window_def {
    const char *name; // as called
    const char *word;
    plan_window_form form;
    uint32_t nrequired;
    window_arg order[ARG_COUNT]; // of those without a name, required first
    const char *takes, *example;
} window_def;

static const window_def window_defs[] = {
    {"tumble",
     "TUMBLE",
     PLAN_WINDOW_TUMBLE,
     3,
     {ARG_DATA, ARG_TIME, ARG_SIZE},
     "a table, a time column, an interval and, optionally, a time zone and an offset",
     "TUMBLE(sales.orders, placed_at, INTERVAL '1 minute')"},
    {"hop",
     "HOP",
     PLAN_WINDOW_HOP,
     4,
     {ARG_DATA, ARG_TIME, ARG_SLIDE, ARG_SIZE},
     "a table, a time column, the slide, the size and, optionally, a time zone and an offset",
     "HOP(sales.orders, placed_at, INTERVAL '1 minute', INTERVAL '1 hour')"},
    {"cumulate",
     "CUMULATE",
     PLAN_WINDOW_CUMULATE,
     4,
     {ARG_DATA, ARG_TIME, ARG_SLIDE, ARG_SIZE},
     "a table, a time column, the step, the longest size and, optionally, a time zone and an "
     "offset",
     "CUMULATE(sales.orders, placed_at, INTERVAL '1 hour', INTERVAL '1 day')"},
    {"session",
     "SESSION",
     PLAN_WINDOW_SESSION,
     3,
     {ARG_DATA, ARG_TIME, ARG_SIZE},
     "a table, optionally with PARTITION BY columns, a time column and the gap",
     "SESSION(web.clicks PARTITION BY user_id, clicked_at, INTERVAL '30 minutes')"},
};

static const struct {
    const char *name;
    window_arg arg;
} arg_names[] = {
    {"data", ARG_DATA},   {"timecol", ARG_TIME},
    {"slide", ARG_SLIDE}, {"step", ARG_SLIDE},
    {"gap", ARG_SIZE},    {"size", ARG_SIZE},
    {"zone", ARG_ZONE},   {SQL_WINDOW_OFFSET, ARG_OFFSET},
};

typedef struct windowing {
    sql_binder *binder;
    const window_def *def;
    const sql_tree *args[ARG_COUNT]; // NULL: not given
    const sql_tree *partition;       // a ROW of columns (see flink.c), or NULL
    int32_t position;
} windowing;

static const window_def *find_def(base_str name) {
    for (size_t i = 0; i < sizeof window_defs / sizeof window_defs[0]; i++)
        if (base_str_eq_nocase(name, base_str_of(window_defs[i].name))) return &window_defs[i];
    return NULL;
}

bool sql_is_window_function(base_str name) {
    return find_def(name) != NULL;
}

// ---- arguments -------------------------------------------------------------------------------

static base_rc arguments_wrong(windowing *w) {
    sql_ctx *ctx = w->binder->ctx;
    sql_fail(ctx, w->position, BASE_E_INVALID, BASE_SQLSTATE_UNDEFINED_FUNCTION, "%s takes %s",
             w->def->word, w->def->takes);
    base_error_hint(ctx->err, "For example, %s.", w->def->example);
    return ctx->err->code;
}

static base_rc take_named(windowing *w, const sql_tree *body) {
    sql_ctx *ctx = w->binder->ctx;
    const char *name = sql_get_text(body, "name");
    for (size_t i = 0; i < sizeof arg_names / sizeof arg_names[0]; i++) {
        if (strcmp(arg_names[i].name, name) != 0) continue;
        window_arg arg = arg_names[i].arg;
        if (w->args[arg] != NULL)
            return sql_fail(ctx, w->position, BASE_E_INVALID, BASE_SQLSTATE_UNDEFINED_FUNCTION,
                            "argument \"%s\" of %s is given twice", name, w->def->word);
        w->args[arg] = sql_get(body, "arg")->child == NULL ? NULL : sql_get(body, "arg");
        return BASE_OK;
    }
    sql_fail(ctx, w->position, BASE_E_INVALID, BASE_SQLSTATE_UNDEFINED_FUNCTION,
             "%s has no argument named \"%s\"", w->def->word, name);
    base_error_hint(ctx->err, "Its arguments are data, timecol, %ssize, zone, offset.",
                    w->def->form == PLAN_WINDOW_HOP        ? "slide, "
                    : w->def->form == PLAN_WINDOW_CUMULATE ? "step, "
                                                           : "");
    return ctx->err->code;
}

// What follows the required arguments: the zone is a string, the offset an interval.
static bool is_string(const sql_tree *arg) {
    return sql_is(arg, "A_Const") && sql_get(sql_body(arg), "sval") != NULL;
}

static base_rc take_arguments(windowing *w, const sql_tree *call) {
    const sql_tree *args = sql_get(call, "args");
    uint32_t n = 0;
    for (const sql_tree *arg = args == NULL ? NULL : args->child; arg != NULL; arg = arg->next) {
        if (sql_is(arg, "NamedArgExpr")) {
            SQL_TRY(take_named(w, sql_body(arg)));
            continue;
        }
        if (sql_is(arg, "RowExpr") && w->def->form == PLAN_WINDOW_SESSION && w->partition == NULL) {
            w->partition = sql_body(arg);
            continue;
        }
        window_arg to = n < w->def->nrequired ? w->def->order[n]
                        : is_string(arg)      ? ARG_ZONE
                                              : ARG_OFFSET;
        n++;
        if (w->args[to] != NULL) return arguments_wrong(w);
        w->args[to] = arg;
    }
    for (uint32_t i = 0; i < w->def->nrequired; i++)
        if (w->args[w->def->order[i]] == NULL) return arguments_wrong(w);
    bool session = w->def->form == PLAN_WINDOW_SESSION;
    bool steps = w->def->form == PLAN_WINDOW_HOP || w->def->form == PLAN_WINDOW_CUMULATE;
    if (!steps && w->args[ARG_SLIDE] != NULL) return arguments_wrong(w);
    if (session && (w->args[ARG_ZONE] != NULL || w->args[ARG_OFFSET] != NULL))
        return arguments_wrong(w);
    return BASE_OK;
}

static base_rc bind_table(windowing *w, plan_node **node, sql_rel *rel) {
    sql_ctx *ctx = w->binder->ctx;
    const sql_tree *arg = w->args[ARG_DATA];
    if (sql_is(arg, "SubLink")) {
        rel->name = w->def->name;
        return sql_bind_query(ctx, sql_body(sql_get(sql_body(arg), "subselect")), w->binder->outer,
                              w->binder->ctes, node);
    }
    const char *parts[2] = {NULL, NULL};
    uint32_t n = 0;
    const sql_tree *fields = sql_is(arg, "ColumnRef") ? sql_get(sql_body(arg), "fields") : NULL;
    const sql_tree *part = fields == NULL ? NULL : fields->child;
    for (; part != NULL && n < 2 && sql_string(part) != NULL; part = part->next)
        parts[n++] = sql_string(part);
    if (n == 0 || part != NULL)
        return SQL_SYNTAX(ctx, w->position, "the first argument of %s must be a table",
                          w->def->word);
    // Bound as any table is, so that it may be a WITH query as well.
    sql_tree names[3] = {
        {.name = "relname", .text = parts[n - 1]},
        {.name = "location", .number = sql_get_number(sql_body(arg), "location", 0)},
        {.name = "schemaname", .text = parts[0]}};
    names[0].next = &names[1];
    if (n == 2) names[1].next = &names[2];
    sql_tree body = {.child = &names[0]};
    return sql_bind_named_table(w->binder, &body, node, rel);
}

// The column that an argument names.
static base_rc find_column(windowing *w, const sql_tree *arg, const plan_node *node,
                           uint32_t *index) {
    sql_ctx *ctx = w->binder->ctx;
    const sql_tree *fields = sql_is(arg, "ColumnRef") ? sql_get(sql_body(arg), "fields") : NULL;
    const char *name = sql_tree_count(fields) == 1 ? sql_string(fields->child) : NULL;
    if (name == NULL)
        return SQL_SYNTAX(ctx, w->position, "PARTITION BY of %s takes columns", w->def->word);
    for (uint32_t i = 0; i < node->ncolumns; i++) {
        if (strcmp(node->columns[i].name, name) != 0) continue;
        *index = i;
        return BASE_OK;
    }
    return sql_fail(ctx, sql_tree_position(ctx, sql_body(arg)), BASE_E_NOT_FOUND,
                    BASE_SQLSTATE_UNDEFINED_COLUMN, "column \"%s\" does not exist", name);
}

static base_rc bind_partition(windowing *w, const plan_node *node, plan_window *window) {
    const sql_tree *columns = w->partition == NULL ? NULL : sql_get(w->partition, "args");
    if (columns == NULL) return BASE_OK;
    uint32_t *partition =
        base_arena_array(w->binder->ctx->arena, uint32_t, sql_tree_count(columns) + 1u);
    for (const sql_tree *arg = columns->child; arg != NULL; arg = arg->next)
        SQL_TRY(find_column(w, arg, node, &partition[window->npartition++]));
    window->partition = partition;
    return BASE_OK;
}

static base_rc bind_column(windowing *w, const plan_node *node, uint32_t *index) {
    sql_ctx *ctx = w->binder->ctx;
    const sql_tree *body = sql_body(w->args[ARG_TIME]);
    const sql_tree *fields = sql_get(body, "fields");
    int32_t position = sql_tree_position(ctx, body);
    if (!sql_is(w->args[ARG_TIME], "ColumnRef") || sql_tree_count(fields) != 1)
        return SQL_SYNTAX(ctx, w->position, "the second argument of %s must be a column",
                          w->def->word);
    const char *name = sql_string(fields->child);
    for (uint32_t i = 0; name != NULL && i < node->ncolumns; i++) {
        if (strcmp(node->columns[i].name, name) != 0) continue;
        col_kind kind = node->columns[i].type.kind;
        if (kind != COL_TIMESTAMP && kind != COL_TIMESTAMPTZ && kind != COL_DATE)
            return sql_fail(ctx, position, BASE_E_INVALID, BASE_SQLSTATE_DATATYPE_MISMATCH,
                            "%s needs a column of type timestamp or date, but \"%s\" is of type %s",
                            w->def->word, name, sql_type_name(ctx, &node->columns[i].type));
        *index = i;
        return BASE_OK;
    }
    return sql_fail(ctx, position, BASE_E_NOT_FOUND, BASE_SQLSTATE_UNDEFINED_COLUMN,
                    "column \"%s\" does not exist", name == NULL ? "*" : name);
}

// A window by a date is one by its midnight: a column of that stands behind the others, unseen.
static base_rc date_as_time(sql_ctx *ctx, plan_node **node, uint32_t *time_column) {
    if ((*node)->columns[*time_column].type.kind != COL_DATE) return BASE_OK;
    sql_exprs exprs = {0};
    uint32_t n = (*node)->ncolumns;
    const char **names = base_arena_array(ctx->arena, const char *, n + 1);
    for (uint32_t i = 0; i < n; i++) {
        sql_exprs_add(ctx, &exprs, sql_column_of(ctx, *node, i));
        names[i] = (*node)->columns[i].name;
    }
    const plan_expr *midnight;
    SQL_TRY(sql_coerce(ctx, exprs.items[*time_column], col_type_of(COL_TIMESTAMP),
                       COL_CAST_EXPLICIT, &midnight));
    sql_exprs_add(ctx, &exprs, midnight);
    names[n] = base_arena_printf(ctx->arena, "%s midnight", names[*time_column]);
    plan_node *project = sql_node_project(ctx, *node, n + 1, exprs.items, names);
    for (uint32_t i = 0; i < n; i++) sql_columns(project)[i].hidden = (*node)->columns[i].hidden;
    sql_columns(project)[n].hidden = true;
    *node = project;
    *time_column = n;
    return BASE_OK;
}

static base_rc constant(windowing *w, window_arg arg, const char *what, col_kind kind,
                        const plan_expr **out) {
    sql_ctx *ctx = w->binder->ctx;
    sql_binder constants = {.ctx = ctx, .place = w->def->word};
    SQL_TRY(sql_bind_expr(&constants, w->args[arg], out));
    SQL_TRY(sql_coerce(ctx, *out, col_type_of(kind), COL_CAST_IMPLICIT, out));
    if ((*out)->kind != PLAN_EXPR_CONST || sql_const_is_null(*out))
        return sql_fail(ctx, w->position, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER,
                        "the %s of %s must be a constant", what, w->def->word);
    return BASE_OK;
}

// ---- what the window is ----------------------------------------------------------------------

static base_rc bind_span(windowing *w, window_arg arg, const char *what, bool zoned,
                         plan_span *out) {
    sql_ctx *ctx = w->binder->ctx;
    const plan_expr *expr;
    SQL_TRY(constant(w, arg, what, COL_INTERVAL, &expr));
    base_interval interval = col_interval(expr->constant)[0];
    int64_t total;
    if (base_interval_total_us(&interval, &total, ctx->err) != BASE_OK) {
        ctx->err->position = expr->position;
        return ctx->err->code;
    }
    // Hours of whole days are days: a day of 24 hours is one by the calendar where there is a zone.
    bool days = zoned && interval.months == 0 && interval.us == 0;
    if (total <= 0)
        return sql_fail(ctx, expr->position, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER,
                        "the %s of %s must be longer than zero", what, w->def->word);
    if (interval.months != 0 && (interval.days != 0 || interval.us != 0))
        return sql_fail(ctx, expr->position, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER,
                        "the %s of %s cannot be of months and days together", what, w->def->word);
    if (interval.months != 0) {
        *out = (plan_span){PLAN_UNIT_MONTHS, interval.months};
    } else if (days) {
        *out = (plan_span){PLAN_UNIT_DAYS, interval.days};
    } else if (zoned && arg == ARG_SIZE) {
        sql_fail(ctx, expr->position, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER,
                 "a window in a time zone must be of days, weeks, months or years");
        base_error_hint(ctx->err, "Leave the zone out; the offset argument shifts window starts.");
        return ctx->err->code;
    } else {
        *out = (plan_span){PLAN_UNIT_US, total};
    }
    return BASE_OK;
}

static base_rc bind_zone(windowing *w, col_kind time_kind, plan_window *window) {
    sql_ctx *ctx = w->binder->ctx;
    if (w->args[ARG_ZONE] == NULL) return BASE_OK;
    const plan_expr *expr;
    SQL_TRY(constant(w, ARG_ZONE, "time zone", COL_TEXT, &expr));
    base_str name = col_str(expr->constant)[0];
    if (time_kind != COL_TIMESTAMPTZ) {
        sql_fail(ctx, expr->position, BASE_E_INVALID, BASE_SQLSTATE_DATATYPE_MISMATCH,
                 "windows in a time zone need a column of type timestamp with time zone");
        base_error_hint(ctx->err,
                        "A timestamp without one is taken as local time: leave the zone out.");
        return ctx->err->code;
    }
    if (base_zone_find_any(name, &window->zone, ctx->err) != BASE_OK) {
        ctx->err->position = expr->position;
        return ctx->err->code;
    }
    window->zone = base_zone_calendar(window->zone);
    window->zone_name =
        base_arena_strdup(ctx->arena, base_arena_memdup(ctx->arena, name.p, name.n));
    return BASE_OK;
}

static base_rc bind_offset(windowing *w, plan_window *window) {
    sql_ctx *ctx = w->binder->ctx;
    if (w->args[ARG_OFFSET] == NULL) return BASE_OK;
    const plan_expr *expr;
    SQL_TRY(constant(w, ARG_OFFSET, "offset", COL_INTERVAL, &expr));
    const base_interval *interval = &col_interval(expr->constant)[0];
    if (interval->months != 0)
        return sql_fail(ctx, expr->position, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER,
                        "the offset of %s cannot be of months: their length varies", w->def->word);
    if (base_interval_total_us(interval, &window->offset_us, ctx->err) != BASE_OK) {
        ctx->err->position = expr->position;
        return ctx->err->code;
    }
    // More than a window is as much less.
    if (window->size.unit == PLAN_UNIT_US) window->offset_us %= window->size.n;
    return BASE_OK;
}

// A cumulating window grows by steps to its longest: the last step ends with it.
static base_rc check_steps(windowing *w, const plan_window *window) {
    sql_ctx *ctx = w->binder->ctx;
    const plan_span *size = &window->size, *step = &window->step;
    if (w->def->form == PLAN_WINDOW_CUMULATE && size->unit == step->unit && size->n % step->n != 0)
        return sql_fail(ctx, w->position, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER,
                        "the longest window of CUMULATE must be a multiple of its step");
    if (w->def->form == PLAN_WINDOW_CUMULATE && step->unit > size->unit)
        return sql_fail(ctx, w->position, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER,
                        "the step of CUMULATE must not be of months if the longest window is not");
    if (plan_windows_max(window) > PLAN_WINDOWS_MAX)
        return sql_fail(ctx, w->position, BASE_E_LIMIT, BASE_SQLSTATE_INVALID_PARAMETER,
                        "a row would be in more than %u windows of %s", PLAN_WINDOWS_MAX,
                        w->def->word);
    return BASE_OK;
}

static base_rc bind_spec(windowing *w, const plan_node *input, uint32_t time_column,
                         const plan_window **out) {
    col_kind time_kind = input->columns[time_column].type.kind;
    plan_window *window = base_arena_new(w->binder->ctx->arena, plan_window);
    window->form = w->def->form;
    bool zoned = w->args[ARG_ZONE] != NULL, steps = w->args[ARG_SLIDE] != NULL;
    SQL_TRY(bind_zone(w, time_kind, window));
    bool session = w->def->form == PLAN_WINDOW_SESSION;
    SQL_TRY(bind_span(w, ARG_SIZE, session ? "gap" : "size", zoned, &window->size));
    if (session && window->size.unit != PLAN_UNIT_US)
        return sql_fail(w->binder->ctx, w->position, BASE_E_INVALID,
                        BASE_SQLSTATE_INVALID_PARAMETER,
                        "the gap of SESSION cannot be of months: their length varies");
    SQL_TRY(bind_partition(w, input, window));
    window->step = window->size;
    if (steps)
        SQL_TRY(bind_span(w, ARG_SLIDE, w->def->form == PLAN_WINDOW_HOP ? "slide" : "step", zoned,
                          &window->step));
    // A slide of hours would count from a midnight that the zone may not have.
    if (zoned && w->def->form == PLAN_WINDOW_HOP && window->step.unit == PLAN_UNIT_US)
        return sql_fail(w->binder->ctx, w->position, BASE_E_INVALID,
                        BASE_SQLSTATE_INVALID_PARAMETER,
                        "the slide of HOP in a time zone must be of days, weeks, months or years");
    SQL_TRY(bind_offset(w, window));
    SQL_TRY(check_steps(w, window));
    *out = window;
    return BASE_OK;
}

base_rc sql_bind_window(sql_binder *binder, const char *name, const sql_tree *call,
                        plan_node **node, sql_rel *rel) {
    sql_ctx *ctx = binder->ctx;
    windowing w = {.binder = binder,
                   .def = find_def(base_str_of(name)),
                   .position = sql_tree_position(ctx, call)};
    must(w.def != NULL);
    *rel = (sql_rel){.position = w.position};
    uint32_t time_column;
    plan_node *input;
    const plan_window *window;
    SQL_TRY(take_arguments(&w, call));
    SQL_TRY(bind_table(&w, &input, rel));
    SQL_TRY(bind_column(&w, input, &time_column));
    SQL_TRY(date_as_time(ctx, &input, &time_column));
    SQL_TRY(bind_spec(&w, input, time_column, &window));
    uint32_t n = input->ncolumns;
    plan_node_kind kind = w.def->form == PLAN_WINDOW_SESSION ? PLAN_NODE_SESSION : PLAN_NODE_WINDOW;
    plan_node *made = sql_node(ctx, kind, n + PLAN_WINDOW_COLUMNS, 1, input, NULL);
    plan_column *columns = sql_columns(made);
    memcpy(columns, input->columns, n * sizeof *columns);
    col_type type = input->columns[time_column].type;
    columns[n] = (plan_column){.name = "window_start", .type = type};
    columns[n + 1] = (plan_column){.name = "window_end", .type = type};
    columns[n + 2] = (plan_column){.name = "window_time", .type = type, .hidden = true};
    made->time_column = time_column;
    made->window = window;
    *node = made;
    return BASE_OK;
}
