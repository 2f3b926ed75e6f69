// bind_over.c - window functions: f(...) OVER (...). While the expressions of a SELECT are bound, a
// call becomes a marker (column SQL_OVER_BASE + number); over what FROM, WHERE, GROUP BY and HAVING
// give, sql_overs_build then makes the nodes that compute them. Functions over the same partition
// and order share one, unless how far they look differs in kind (plan/over.h): a moving average
// must not be made to read the whole partition by its neighbour. Ranks alone in their node come
// last, where a condition on them makes a top-N of it. Entry points: sql_bind_over_call,
// sql_overs_build.
#include "plan/agg.h"
#include "plan/over.h"

#include "base/must.h"
#include "sql/sql_int.h"

typedef struct window_def {
    uint32_t npartition, norder;
    const plan_expr **partition, **order;
    bool *descending, *nulls_first;
    plan_frame frame;
} window_def;

struct sql_query_over {
    plan_over over;
    window_def window;
    int32_t position;
    uint32_t column; // of the node that is made
};

// ---- functions -------------------------------------------------------------------------------

static const struct {
    const char *name;
    plan_over_id id;
    uint8_t least, most; // arguments
    col_kind type;       // COL_UNKNOWN: of the first argument
} over_functions[] = {
    {"row_number", PLAN_OVER_ROW_NUMBER, 0, 0, COL_INT8},
    {"rank", PLAN_OVER_RANK, 0, 0, COL_INT8},
    {"dense_rank", PLAN_OVER_DENSE_RANK, 0, 0, COL_INT8},
    {"percent_rank", PLAN_OVER_PERCENT_RANK, 0, 0, COL_FLOAT8},
    {"cume_dist", PLAN_OVER_CUME_DIST, 0, 0, COL_FLOAT8},
    {"ntile", PLAN_OVER_NTILE, 1, 1, COL_INT4},
    {"lag", PLAN_OVER_LAG, 1, 3, COL_UNKNOWN},
    {"lead", PLAN_OVER_LEAD, 1, 3, COL_UNKNOWN},
    {"first_value", PLAN_OVER_FIRST_VALUE, 1, 1, COL_UNKNOWN},
    {"last_value", PLAN_OVER_LAST_VALUE, 1, 1, COL_UNKNOWN},
    {"nth_value", PLAN_OVER_NTH_VALUE, 2, 2, COL_UNKNOWN},
};

static int find_function(const char *name) {
    for (size_t i = 0; i < sizeof over_functions / sizeof over_functions[0]; i++)
        if (strcmp(over_functions[i].name, name) == 0) return (int)i;
    return -1;
}

const char *sql_window_function_at(size_t i) {
    return i < sizeof over_functions / sizeof over_functions[0] ? over_functions[i].name : NULL;
}

bool sql_over_exists(const char *name) {
    return find_function(name) >= 0;
}

static base_rc bind_args(sql_binder *binder, const sql_tree *body, uint32_t *n,
                         const plan_expr **args) {
    const sql_tree *list = sql_get(body, "args");
    *n = sql_tree_count(list);
    if (*n > PLAN_OVER_ARGS_MAX) return BASE_OK;
    uint32_t i = 0;
    for (const sql_tree *arg = list == NULL ? NULL : list->child; arg != NULL; arg = arg->next)
        SQL_TRY(sql_bind_expr(binder, arg, &args[i++]));
    return BASE_OK;
}

// Which argument is an integer: that of ntile, the second of the others.
static bool is_count(plan_over_id id, uint32_t i) {
    return id == PLAN_OVER_NTILE || i == 1;
}

static base_rc bind_function(sql_binder *binder, const char *name, const sql_tree *body,
                             plan_over *over) {
    sql_ctx *ctx = binder->ctx;
    int32_t position = sql_tree_position(ctx, body);
    int at = find_function(name);
    over->id = over_functions[at].id;
    if (sql_get(body, "agg_filter") != NULL)
        return sql_unsupported(ctx, position,
                               "FILTER is not implemented for non-aggregate window functions");
    if (sql_get_bool(body, "agg_star"))
        return sql_fail(ctx, position, BASE_E_INVALID, "42809",
                        "%s(*) specified, but %s is not an aggregate function", name, name);
    SQL_TRY(bind_args(binder, body, &over->nargs, over->args));
    bool fits = over->nargs >= over_functions[at].least && over->nargs <= over_functions[at].most;
    for (uint32_t i = 0; i < over->nargs && fits; i++)
        if (is_count(over->id, i))
            fits = sql_can_coerce(over->args[i], COL_INT4, COL_CAST_IMPLICIT);
    if (!fits)
        return sql_func_failed(ctx, name, over->nargs > PLAN_OVER_ARGS_MAX ? 0 : over->nargs,
                               over->args, position, false);
    for (uint32_t i = 0; i < over->nargs; i++) {
        if (is_count(over->id, i)) {
            SQL_TRY(sql_coerce(ctx, over->args[i], col_type_of(COL_INT4), COL_CAST_IMPLICIT,
                               &over->args[i]));
        } else {
            SQL_TRY(sql_settle(ctx, &over->args[i]));
        }
    }
    if (over->nargs == 3) { // value and default are brought to one type
        const plan_expr *both[2] = {over->args[0], over->args[2]};
        col_type type;
        SQL_TRY(sql_common_type(ctx, name, 2, both, &type));
        over->args[0] = both[0];
        over->args[2] = both[1];
        over->type = type;
        return BASE_OK;
    }
    over->type = over_functions[at].type == COL_UNKNOWN ? over->args[0]->type
                                                        : col_type_of(over_functions[at].type);
    return BASE_OK;
}

static base_rc bind_aggregate(sql_binder *binder, const char *name, const sql_tree *body,
                              plan_over *over) {
    sql_ctx *ctx = binder->ctx;
    int32_t position = sql_tree_position(ctx, body);
    if (sql_get_bool(body, "agg_distinct"))
        return sql_unsupported(ctx, position, "DISTINCT is not implemented for window functions");
    if (sql_get_bool(body, "agg_within_group"))
        return sql_unsupported(ctx, position, "OVER is not supported for ordered-set aggregate %s",
                               name);
    if (sql_get(body, "agg_order") != NULL)
        return sql_unsupported(ctx, position,
                               "aggregate ORDER BY is not implemented for window functions");
    over->id = PLAN_OVER_AGGREGATE;
    SQL_TRY(sql_agg_arguments(binder, name, body, position, &over->agg));
    if (over->agg.def->form == PLAN_AGG_ORDERED) { // in the order of the frame
        over->agg.nsort = 0;
        over->agg.nmore = over->agg.def->nargs - 1u;
    }
    sql_agg_guard(ctx, &over->agg);
    over->type = over->agg.type;
    return BASE_OK;
}

// ---- windows ---------------------------------------------------------------------------------

enum { // of frameOptions
    FRAME_SET = 0x1,
    FRAME_ROWS = 0x4,
    FRAME_GROUPS = 0x8,
    FRAME_END_UNBOUNDED = 0x100,
    FRAME_START_CURRENT = 0x200,
    FRAME_END_CURRENT = 0x400,
    FRAME_START_PRECEDING = 0x800,
    FRAME_END_PRECEDING = 0x1000,
    FRAME_START_FOLLOWING = 0x2000,
    FRAME_END_FOLLOWING = 0x4000,
    FRAME_EXCLUDE_CURRENT = 0x8000,
    FRAME_EXCLUDE_GROUP = 0x10000,
    FRAME_EXCLUDE_TIES = 0x20000,
};

static base_rc windowing_error(sql_ctx *ctx, int32_t position, const char *text, const char *name) {
    return sql_fail(ctx, position, BASE_E_INVALID, "42P20", text, name);
}

static bool has_column(const plan_expr *expr, void *arg) {
    (void)arg;
    return expr->kind == PLAN_EXPR_COLUMN || expr->kind == PLAN_EXPR_SUBQUERY;
}

// The type of a RANGE offset; false: there is none for the column.
static bool range_offset_type(col_kind column, col_type *type) {
    switch (column) {
    case COL_INT2:
    case COL_INT4:
    case COL_INT8:
        *type = col_type_of(COL_INT8);
        return true;
    case COL_NUMERIC:
        *type = col_type_of(COL_NUMERIC);
        return true;
    case COL_FLOAT4:
    case COL_FLOAT8:
        *type = col_type_of(COL_FLOAT8);
        return true;
    case COL_DATE:
    case COL_TIME:
    case COL_TIMESTAMP:
    case COL_TIMESTAMPTZ:
    case COL_INTERVAL:
        *type = col_type_of(COL_INTERVAL);
        return true;
    default:
        return false;
    }
}

static base_rc offset_type(sql_ctx *ctx, const window_def *window, const plan_expr *offset,
                           int32_t position, col_type *type) {
    static const char *const modes[] = {"RANGE", "ROWS", "GROUPS"};
    plan_frame_mode mode = window->frame.mode;
    *type = col_type_of(COL_INT8);
    if (mode != PLAN_FRAME_RANGE) {
        if (sql_can_coerce(offset, COL_INT8, COL_CAST_ASSIGNMENT)) return BASE_OK;
        return sql_fail(ctx, position, BASE_E_INVALID, "42804",
                        "argument of %s must be type bigint, not type %s", modes[mode],
                        sql_type_name(ctx, &offset->type));
    }
    const col_type *column = &window->order[0]->type;
    if (!range_offset_type(column->kind, type))
        return sql_unsupported(ctx, position,
                               "RANGE with offset PRECEDING/FOLLOWING is not supported for column "
                               "type %s",
                               sql_type_name(ctx, column));
    if (sql_can_coerce(offset, type->kind, COL_CAST_IMPLICIT)) return BASE_OK;
    sql_unsupported(ctx, position,
                    "RANGE with offset PRECEDING/FOLLOWING is not supported for column type %s and "
                    "offset type %s",
                    sql_type_name(ctx, column), sql_type_name(ctx, &offset->type));
    base_error_hint(ctx->err, "Cast the offset value to an appropriate type.");
    return ctx->err->code;
}

static base_rc bind_offset(sql_binder *binder, const window_def *window, const sql_tree *tree,
                           const plan_expr **out) {
    sql_ctx *ctx = binder->ctx;
    static const char *const places[] = {"RANGE", "ROWS", "GROUPS"};
    const char *place = binder->place;
    binder->place = places[window->frame.mode];
    SQL_TRY(sql_bind_expr(binder, tree, out));
    int32_t position = (*out)->position;
    if (plan_expr_any(*out, has_column, NULL))
        return sql_fail(ctx, position, BASE_E_INVALID, "42P10",
                        "argument of %s must not contain variables", binder->place);
    binder->place = place;
    col_type type;
    SQL_TRY(offset_type(ctx, window, *out, position, &type));
    SQL_TRY(sql_coerce(ctx, *out, type, COL_CAST_ASSIGNMENT, out));
    if ((*out)->kind != PLAN_EXPR_CONST && (*out)->kind != PLAN_EXPR_PARAM)
        return sql_unsupported(ctx, position, "a frame's offset must be a constant or a parameter");
    return BASE_OK;
}

static base_rc bind_frame(sql_binder *binder, const sql_tree *def, window_def *window) {
    sql_ctx *ctx = binder->ctx;
    int32_t position = sql_tree_position(ctx, def);
    int64_t options = sql_get_number(def, "frameOptions", 0);
    plan_frame *frame = &window->frame;
    *frame = (plan_frame){.end = PLAN_BOUND_CURRENT};
    if (options & FRAME_ROWS) frame->mode = PLAN_FRAME_ROWS;
    if (options & FRAME_GROUPS) frame->mode = PLAN_FRAME_GROUPS;
    if (options & FRAME_START_CURRENT) frame->start = PLAN_BOUND_CURRENT;
    if (options & FRAME_START_PRECEDING) frame->start = PLAN_BOUND_PRECEDING;
    if (options & FRAME_START_FOLLOWING) frame->start = PLAN_BOUND_FOLLOWING;
    if (options & FRAME_END_PRECEDING) frame->end = PLAN_BOUND_PRECEDING;
    if (options & FRAME_END_FOLLOWING) frame->end = PLAN_BOUND_FOLLOWING;
    if (options & FRAME_END_UNBOUNDED) frame->end = PLAN_BOUND_UNBOUNDED_FOLLOWING;
    if (options & FRAME_EXCLUDE_CURRENT) frame->exclude = PLAN_EXCLUDE_CURRENT;
    if (options & FRAME_EXCLUDE_GROUP) frame->exclude = PLAN_EXCLUDE_GROUP;
    if (options & FRAME_EXCLUDE_TIES) frame->exclude = PLAN_EXCLUDE_TIES;
    const sql_tree *start = sql_get(def, "startOffset"), *end = sql_get(def, "endOffset");
    if (frame->mode == PLAN_FRAME_GROUPS && window->norder == 0)
        return windowing_error(ctx, position, "GROUPS mode requires an ORDER BY clause", "");
    if (frame->mode == PLAN_FRAME_RANGE && (start != NULL || end != NULL) && window->norder != 1)
        return windowing_error(ctx, position,
                               "RANGE with offset PRECEDING/FOLLOWING requires exactly one ORDER "
                               "BY column",
                               "");
    if (start != NULL) SQL_TRY(bind_offset(binder, window, start, &frame->start_offset));
    if (end != NULL) SQL_TRY(bind_offset(binder, window, end, &frame->end_offset));
    base_error cause;
    base_error_clear(&cause);
    if (plan_frame_check(frame, &cause) == BASE_OK) return BASE_OK;
    return sql_fail(ctx, position, BASE_E_INVALID, cause.sqlstate, "%s", cause.message);
}

static base_rc bind_partition(sql_binder *binder, const sql_tree *list, window_def *window) {
    window->npartition = 0;
    window->partition =
        base_arena_array(binder->ctx->arena, const plan_expr *, sql_tree_count(list));
    for (const sql_tree *item = list->child; item != NULL; item = item->next) {
        const plan_expr **expr = &window->partition[window->npartition++];
        SQL_TRY(sql_bind_expr(binder, item, expr));
        SQL_TRY(sql_settle(binder->ctx, expr));
    }
    return BASE_OK;
}

static base_rc bind_order(sql_binder *binder, const sql_tree *list, window_def *window) {
    base_arena *arena = binder->ctx->arena;
    uint32_t n = sql_tree_count(list), i = 0;
    window->norder = n;
    window->order = base_arena_array(arena, const plan_expr *, n);
    window->descending = base_arena_array(arena, bool, n);
    window->nulls_first = base_arena_array(arena, bool, n);
    for (const sql_tree *item = list->child; item != NULL; item = item->next, i++) {
        const sql_tree *sort_by = sql_body(item);
        SQL_TRY(sql_sort_directions(binder->ctx, sort_by, &window->descending[i],
                                    &window->nulls_first[i]));
        SQL_TRY(sql_bind_expr(binder, sql_get(sort_by, "node"), &window->order[i]));
        SQL_TRY(sql_settle(binder->ctx, &window->order[i]));
    }
    return BASE_OK;
}

static base_rc bind_window(sql_binder *binder, const sql_tree *def, const sql_tree *before,
                           window_def *window);

// The window of that name among those of the WINDOW clause before `before` (NULL: all).
static base_rc find_window(sql_binder *binder, const char *name, const sql_tree *before,
                           int32_t position, window_def *window, bool *framed) {
    const sql_tree *list = binder->windows;
    for (const sql_tree *item = list == NULL ? NULL : list->child; item != NULL && item != before;
         item = item->next) {
        const sql_tree *def = sql_body(item);
        const char *own = sql_get_text(def, "name");
        if (own == NULL || strcmp(own, name) != 0) continue;
        *framed = (sql_get_number(def, "frameOptions", 0) & FRAME_SET) != 0;
        return bind_window(binder, def, item, window);
    }
    return sql_fail(binder->ctx, position, BASE_E_NOT_FOUND, "42704",
                    "window \"%s\" does not exist", name);
}

static base_rc bind_window(sql_binder *binder, const sql_tree *def, const sql_tree *before,
                           window_def *window) {
    sql_ctx *ctx = binder->ctx;
    int32_t position = sql_tree_position(ctx, def);
    const char *base = sql_get_text(def, "refname");
    const sql_tree *partition = sql_get(def, "partitionClause"),
                   *order = sql_get(def, "orderClause");
    *window = (window_def){0};
    if (base != NULL) {
        bool framed = false;
        SQL_TRY(find_window(binder, base, before, position, window, &framed));
        if (partition != NULL)
            return windowing_error(ctx, position,
                                   "cannot override PARTITION BY clause of window \"%s\"", base);
        if (order != NULL && window->norder > 0)
            return windowing_error(ctx, position,
                                   "cannot override ORDER BY clause of window \"%s\"", base);
        if (framed)
            return windowing_error(ctx, position,
                                   "cannot copy window \"%s\" because it has a frame clause", base);
    }
    if (partition != NULL) SQL_TRY(bind_partition(binder, partition, window));
    if (order != NULL) SQL_TRY(bind_order(binder, order, window));
    return bind_frame(binder, def, window);
}

base_rc sql_check_windows(sql_binder *binder) {
    const sql_tree *list = binder->windows;
    for (const sql_tree *item = list == NULL ? NULL : list->child; item != NULL;
         item = item->next) {
        const sql_tree *def = sql_body(item);
        const char *name = sql_get_text(def, "name");
        for (const sql_tree *other = list->child; other != item; other = other->next)
            if (strcmp(sql_get_text(sql_body(other), "name"), name) == 0)
                return windowing_error(binder->ctx, sql_tree_position(binder->ctx, def),
                                       "window \"%s\" is already defined", name);
        // Also one that is not used must be right.
        window_def ignored;
        bool in_over = binder->in_over;
        binder->in_over = true;
        SQL_TRY(bind_window(binder, def, item, &ignored));
        binder->in_over = in_over;
    }
    return BASE_OK;
}

// ---- calls -----------------------------------------------------------------------------------

static base_rc check_place(const sql_binder *binder, int32_t position) {
    const char *place = binder->place == NULL ? "this place" : binder->place;
    if (binder->in_agg)
        return sql_fail(binder->ctx, position, BASE_E_INVALID, BASE_SQLSTATE_GROUPING,
                        "aggregate function calls cannot contain window function calls");
    if (binder->in_over)
        return sql_fail(binder->ctx, position, BASE_E_INVALID, "42P20",
                        "window function calls cannot be nested");
    if (!binder->overs_allowed)
        return sql_fail(binder->ctx, position, BASE_E_INVALID, "42P20",
                        "window functions are not allowed in %s", place);
    return BASE_OK;
}

static bool same_exprs(uint32_t n, const plan_expr *const *a, uint32_t m,
                       const plan_expr *const *b) {
    bool same = n == m;
    for (uint32_t i = 0; i < n && same; i++) same = plan_expr_equal(a[i], b[i]);
    return same;
}

static bool same_order(const window_def *a, const window_def *b) {
    if (!same_exprs(a->npartition, a->partition, b->npartition, b->partition) ||
        !same_exprs(a->norder, a->order, b->norder, b->order))
        return false;
    for (uint32_t i = 0; i < a->norder; i++)
        if (a->descending[i] != b->descending[i] || a->nulls_first[i] != b->nulls_first[i])
            return false;
    return true;
}

static bool same_over(const plan_over *a, const plan_over *b) {
    return a->id == b->id && plan_agg_equal(&a->agg, &b->agg) &&
           same_exprs(a->nargs, a->args, b->nargs, b->args) && a->frame.mode == b->frame.mode &&
           a->frame.start == b->frame.start && a->frame.end == b->frame.end &&
           a->frame.exclude == b->frame.exclude &&
           plan_expr_equal(a->frame.start_offset, b->frame.start_offset) &&
           plan_expr_equal(a->frame.end_offset, b->frame.end_offset);
}

static uint32_t add_over(sql_binder *binder, const sql_query_over *over) {
    for (uint32_t i = 0; i < binder->novers; i++)
        if (same_over(&binder->overs[i].over, &over->over) &&
            same_order(&binder->overs[i].window, &over->window))
            return i;
    if (binder->novers == binder->overs_cap) {
        uint32_t cap = binder->overs_cap == 0 ? 8 : binder->overs_cap * 2;
        sql_query_over *more = base_arena_array(binder->ctx->arena, sql_query_over, cap);
        if (binder->novers > 0) memcpy(more, binder->overs, binder->novers * sizeof *more);
        binder->overs = more;
        binder->overs_cap = cap;
    }
    binder->overs[binder->novers] = *over;
    return binder->novers++;
}

base_rc sql_bind_over_call(sql_binder *binder, const char *name, const sql_tree *body,
                           const plan_expr **out) {
    sql_ctx *ctx = binder->ctx;
    int32_t position = sql_tree_position(ctx, body);
    const sql_tree *def = sql_get(body, "over");
    if (def == NULL)
        return sql_fail(ctx, position, BASE_E_INVALID, "42809",
                        "window function %s requires an OVER clause", name);
    SQL_TRY(check_place(binder, position));
    sql_query_over over = {.over = {.name = base_arena_strdup(ctx->arena, name)},
                           .position = position};
    binder->in_over = true;
    if (sql_over_exists(name)) {
        SQL_TRY(bind_function(binder, name, body, &over.over));
    } else if (sql_agg_exists(name)) {
        SQL_TRY(bind_aggregate(binder, name, body, &over.over));
    } else {
        return sql_fail(ctx, position, BASE_E_INVALID, "42809",
                        "OVER specified, but %s is not a window function nor an aggregate "
                        "function",
                        name);
    }
    const char *window = sql_get_text(def, "name");
    bool framed;
    if (window != NULL) {
        SQL_TRY(
            find_window(binder, window, NULL, sql_tree_position(ctx, def), &over.window, &framed));
    } else {
        SQL_TRY(bind_window(binder, def, NULL, &over.window));
    }
    binder->in_over = false;
    over.over.frame = over.window.frame;
    plan_expr *marker = sql_expr(ctx, PLAN_EXPR_COLUMN, over.over.type, 0, position);
    marker->index = SQL_OVER_BASE + add_over(binder, &over);
    *out = marker;
    return BASE_OK;
}

// ---- the plan --------------------------------------------------------------------------------

// Visits the expressions of all window functions in a fixed order.
typedef const plan_expr *(*visit_fn)(void *arg, const plan_expr *expr);

static void visit_all(sql_binder *binder, visit_fn visit, void *arg) {
    for (uint32_t i = 0; i < binder->novers; i++) {
        sql_query_over *over = &binder->overs[i];
        plan_frame frame = over->over.frame;
        over->over = plan_over_map(binder->ctx->arena, &over->over, visit, arg);
        over->over.frame = frame; // constants stay
        window_def *window = &over->window;
        for (uint32_t k = 0; k < window->npartition; k++)
            window->partition[k] = visit(arg, window->partition[k]);
        for (uint32_t k = 0; k < window->norder; k++)
            window->order[k] = visit(arg, window->order[k]);
    }
}

typedef struct visiting {
    sql_ctx *ctx;
    sql_exprs *list;
    uint32_t at;
    const plan_node *node; // columns of which more are wanted
    sql_exprs added;
} visiting;

static const plan_expr *put_out(void *arg, const plan_expr *expr) {
    visiting *v = arg;
    sql_exprs_add(v->ctx, v->list, expr);
    return expr;
}

static const plan_expr *take_back(void *arg, const plan_expr *expr) {
    visiting *v = arg;
    (void)expr;
    return v->list->items[v->at++];
}

// A column of the input; constants stay.
static const plan_expr *as_column(void *arg, const plan_expr *expr) {
    visiting *v = arg;
    if (expr->kind == PLAN_EXPR_COLUMN || expr->kind == PLAN_EXPR_CONST ||
        expr->kind == PLAN_EXPR_PARAM)
        return expr;
    uint32_t i = 0;
    while (i < v->added.n && !plan_expr_equal(v->added.items[i], expr)) i++;
    if (i == v->added.n) sql_exprs_add(v->ctx, &v->added, expr);
    return plan_expr_column(v->ctx->arena, v->node->ncolumns + i, expr->type);
}

// Keys are columns, constants too.
static uint32_t key_column(visiting *v, const plan_expr *expr) {
    if (expr->kind == PLAN_EXPR_COLUMN) return expr->index;
    uint32_t i = 0;
    while (i < v->added.n && !plan_expr_equal(v->added.items[i], expr)) i++;
    if (i == v->added.n) sql_exprs_add(v->ctx, &v->added, expr);
    return v->node->ncolumns + i;
}

void sql_overs_put(sql_binder *binder, sql_exprs *list) {
    visiting v = {.ctx = binder->ctx, .list = list};
    visit_all(binder, put_out, &v);
}

static bool is_rank(const plan_over *over) {
    return over->id == PLAN_OVER_ROW_NUMBER || over->id == PLAN_OVER_RANK ||
           over->id == PLAN_OVER_DENSE_RANK;
}

// The unit that function i's node is for: that of the function, unless one over the same order
// reads all of the partition anyway.
static plan_reach_unit unit_of(const sql_binder *binder, uint32_t i) {
    plan_reach_unit unit = plan_over_reach(&binder->overs[i].over).unit;
    for (uint32_t k = 0; k < binder->novers; k++)
        if (same_order(&binder->overs[i].window, &binder->overs[k].window) &&
            plan_over_reach(&binder->overs[k].over).unit == PLAN_REACH_WHOLE)
            unit = PLAN_REACH_WHOLE;
    return unit;
}

static plan_node *make_node(sql_binder *binder, const plan_node *input, const uint32_t *members,
                            uint32_t n, visiting *keys) {
    sql_ctx *ctx = binder->ctx;
    plan_node *node = sql_node(ctx, PLAN_NODE_OVER, input->ncolumns + n, 1, input, NULL);
    memcpy(sql_columns(node), input->columns, input->ncolumns * sizeof(plan_column));
    plan_over *overs = base_arena_array(ctx->arena, plan_over, n);
    for (uint32_t i = 0; i < n; i++) {
        sql_query_over *over = &binder->overs[members[i]];
        overs[i] = over->over;
        over->column = input->ncolumns + i;
        sql_columns(node)[over->column] =
            (plan_column){.name = over->over.name, .type = over->over.type};
    }
    node->nover = n;
    node->overs = overs;
    const window_def *window = &binder->overs[members[0]].window;
    uint32_t *partition = base_arena_array(ctx->arena, uint32_t, window->npartition);
    plan_sort_key *order = base_arena_array(ctx->arena, plan_sort_key, window->norder);
    for (uint32_t i = 0; i < window->npartition; i++)
        partition[i] = key_column(keys, window->partition[i]);
    for (uint32_t i = 0; i < window->norder; i++)
        order[i] = (plan_sort_key){key_column(keys, window->order[i]), window->descending[i],
                                   window->nulls_first[i]};
    node->npartition = window->npartition;
    node->partition = partition;
    node->nsort = window->norder;
    node->sort = order;
    return node;
}

// The functions that share a node with function `first`.
static uint32_t gather(const sql_binder *binder, uint32_t first, const bool *done,
                       uint32_t *members, bool *ranks) {
    uint32_t n = 0;
    *ranks = true;
    for (uint32_t k = first; k < binder->novers; k++) {
        if (done[k] || unit_of(binder, k) != unit_of(binder, first) ||
            !same_order(&binder->overs[k].window, &binder->overs[first].window))
            continue;
        *ranks &= is_rank(&binder->overs[k].over);
        members[n++] = k;
    }
    return n;
}

static const plan_expr *place_marker(base_arena *arena, const plan_expr *leaf, const void *arg) {
    const sql_binder *binder = arg;
    if (leaf->kind != PLAN_EXPR_COLUMN || leaf->index < SQL_OVER_BASE ||
        leaf->index >= SQL_SET_BASE)
        return NULL;
    return plan_expr_column(arena, binder->overs[leaf->index - SQL_OVER_BASE].column, leaf->type);
}

base_rc sql_overs_build(sql_binder *binder, sql_exprs *list, uint32_t first, plan_node **node) {
    sql_ctx *ctx = binder->ctx;
    SQL_TRY(sql_place(ctx, node, list->items + first, list->n - first));
    visiting v = {.ctx = ctx, .list = list, .at = first};
    visit_all(binder, take_back, &v);
    list->n = first;
    v.node = *node;
    visit_all(binder, as_column, &v);
    bool *done = base_arena_array(ctx->arena, bool, binder->novers);
    uint32_t *members = base_arena_array(ctx->arena, uint32_t, binder->novers);
    for (uint32_t i = 0; i < binder->novers; i++) {
        window_def *window = &binder->overs[i].window;
        for (uint32_t k = 0; k < window->npartition; k++)
            window->partition[k] = plan_expr_column(
                ctx->arena, key_column(&v, window->partition[k]), window->partition[k]->type);
        for (uint32_t k = 0; k < window->norder; k++)
            window->order[k] = plan_expr_column(ctx->arena, key_column(&v, window->order[k]),
                                                window->order[k]->type);
    }
    *node = sql_project_more(ctx, *node, &v.added);
    for (int pass = 0; pass < 2; pass++) { // ranks last
        for (uint32_t i = 0; i < binder->novers; i++) {
            bool ranks;
            if (done[i]) continue;
            uint32_t n = gather(binder, i, done, members, &ranks);
            if (ranks && pass == 0) continue;
            *node = make_node(binder, *node, members, n, &v);
            for (uint32_t k = 0; k < n; k++) done[members[k]] = true;
        }
    }
    for (uint32_t i = 0; i < list->n; i++)
        list->items[i] = plan_expr_rewrite(ctx->arena, list->items[i], place_marker, binder);
    return BASE_OK;
}

plan_node *sql_node_top(sql_ctx *ctx, const plan_node *input, bool ties, uint32_t npartition,
                        const uint32_t *partition, uint32_t nsort, const plan_sort_key *sort,
                        int64_t limit) {
    plan_node *node = sql_node(ctx, PLAN_NODE_TOP, input->ncolumns, 1, input, NULL);
    memcpy(sql_columns(node), input->columns, input->ncolumns * sizeof(plan_column));
    plan_over *over = base_arena_new(ctx->arena, plan_over);
    *over = (plan_over){.id = ties ? PLAN_OVER_RANK : PLAN_OVER_ROW_NUMBER,
                        .name = ties ? "rank" : "row_number",
                        .type = col_type_of(COL_INT8)};
    node->nover = 1;
    node->overs = over;
    node->npartition = npartition;
    node->partition = partition;
    node->nsort = nsort;
    node->sort = sort;
    node->limit = limit;
    return node;
}
