// bind_agg_args.c - what stands in the parentheses of an aggregate, and behind them: arguments,
// DISTINCT, ORDER BY, WITHIN GROUP, FILTER. ORDER BY is kept only where it matters to the result.
// jsonb_agg and jsonb_object_agg take to_jsonb of their arguments, in the order of the arguments
// themselves. Entry point: sql_agg_arguments.
#include "sql/sql_int.h"

#include "base/must.h"
#include "col/array.h"

#define AGG_ARGS_MAX 32u

typedef struct agg_call {
    sql_binder *binder;
    const char *name;
    int32_t position;
    bool within;
    uint32_t nargs, norder; // args: what is in the parentheses, then what ORDER BY names
    const plan_expr *args[2 * AGG_ARGS_MAX];
    plan_agg_sort sort[AGG_ARGS_MAX]; // of ORDER BY item i; expr is found at the end
} agg_call;

// ---- reading ---------------------------------------------------------------------------------

static base_rc too_many(const agg_call *call) {
    return sql_fail(call->binder->ctx, call->position, BASE_E_LIMIT, "54023",
                    "cannot pass more than %u arguments to an aggregate", AGG_ARGS_MAX);
}

static base_rc bind_order(agg_call *call, const sql_tree *list) {
    for (const sql_tree *item = list == NULL ? NULL : list->child; item != NULL;
         item = item->next) {
        const sql_tree *sort_by = sql_body(item);
        if (call->norder == AGG_ARGS_MAX) return too_many(call);
        plan_agg_sort *sort = &call->sort[call->norder];
        SQL_TRY(
            sql_sort_directions(call->binder->ctx, sort_by, &sort->descending, &sort->nulls_first));
        SQL_TRY(sql_bind_expr(call->binder, sql_get(sort_by, "node"),
                              &call->args[call->nargs + call->norder]));
        call->norder++;
    }
    return BASE_OK;
}

static base_rc bind_all(agg_call *call, const sql_tree *body, plan_agg *agg) {
    sql_binder *binder = call->binder;
    const char *place = binder->place;
    binder->in_agg = !binder->in_over; // a window's aggregate may take an aggregate
    const sql_tree *list = sql_get(body, "args");
    for (const sql_tree *arg = list == NULL ? NULL : list->child; arg != NULL; arg = arg->next) {
        if (call->nargs == AGG_ARGS_MAX) return too_many(call);
        SQL_TRY(sql_bind_expr(binder, arg, &call->args[call->nargs++]));
    }
    SQL_TRY(bind_order(call, sql_get(body, "agg_order")));
    if (sql_get(body, "agg_filter") != NULL)
        SQL_TRY(sql_bind_condition(binder, sql_get(body, "agg_filter"), "FILTER", &agg->filter));
    binder->in_agg = false;
    binder->place = place;
    return BASE_OK;
}

// ---- resolution ------------------------------------------------------------------------------

static const plan_agg_def *def_at(const sql_candidates *list, size_t candidate) {
    return &((const plan_agg_def *)list->self)[candidate];
}
static col_kind agg_arg(const sql_candidates *list, size_t candidate, uint32_t i) {
    return i == 0 ? def_at(list, candidate)->arg : def_at(list, candidate)->arg2;
}
static bool agg_takes(const sql_candidates *list, size_t candidate, uint32_t nargs) {
    return def_at(list, candidate)->nargs == nargs ||
           def_at(list, candidate)->form == PLAN_AGG_HYPOTHETICAL;
}
static bool agg_polymorphic(const sql_candidates *list, size_t candidate) {
    const plan_agg_def *def = def_at(list, candidate);
    return def->nargs > 0 && (def->arg == COL_UNKNOWN || def->arg == COL_ARRAY ||
                              (def->nargs > 1 && def->arg2 == COL_UNKNOWN));
}

static base_rc check_form(const agg_call *call, const plan_agg_def *def) {
    sql_ctx *ctx = call->binder->ctx;
    bool needs = def->form == PLAN_AGG_ORDERED_SET || def->form == PLAN_AGG_HYPOTHETICAL;
    if (call->within && !needs)
        return sql_fail(ctx, call->position, BASE_E_INVALID, "42809",
                        "%s is not an ordered-set aggregate, so it cannot have WITHIN GROUP",
                        call->name);
    if (!call->within && needs)
        return sql_fail(ctx, call->position, BASE_E_INVALID, "42809",
                        "WITHIN GROUP is required for ordered-set aggregate %s", call->name);
    if (def->form != PLAN_AGG_HYPOTHETICAL || call->nargs == call->norder) return BASE_OK;
    sql_fail(ctx, call->position, BASE_E_NOT_FOUND, BASE_SQLSTATE_UNDEFINED_FUNCTION,
             "function %s does not exist with these arguments", call->name);
    base_error_hint(ctx->err,
                    "To use the hypothetical-set aggregate %s, the number of hypothetical direct "
                    "arguments (here %u) must match the number of ordering columns (here %u).",
                    call->name, call->nargs, call->norder);
    return ctx->err->code;
}

static base_rc resolve(agg_call *call, const plan_agg_def **def) {
    sql_ctx *ctx = call->binder->ctx;
    const plan_agg_def *defs = NULL;
    size_t chosen;
    sql_candidates list = {.n = plan_agg_find(base_str_of(call->name), &defs),
                           .arg = agg_arg,
                           .takes = agg_takes,
                           .polymorphic = agg_polymorphic};
    list.self = defs;
    if (list.n == 0)
        return sql_fail(ctx, call->position, BASE_E_INVALID, "42809",
                        "WITHIN GROUP specified, but %s is not an aggregate function", call->name);
    SQL_TRY(check_form(call, &defs[0]));
    if (defs[0].form == PLAN_AGG_HYPOTHETICAL) {
        *def = &defs[0];
        return BASE_OK;
    }
    uint32_t n = call->nargs + (call->within ? call->norder : 0);
    sql_resolution result = sql_resolve(&list, n, call->args, false, &chosen);
    if (result != SQL_RESOLVED)
        return sql_func_failed(ctx, call->name, n, call->args, call->position,
                               result == SQL_AMBIGUOUS);
    *def = &defs[chosen];
    return BASE_OK;
}

// ---- arguments -------------------------------------------------------------------------------

static base_rc coerce_to(const agg_call *call, const plan_expr **arg, col_kind kind) {
    sql_ctx *ctx = call->binder->ctx;
    if (kind == COL_UNKNOWN || kind == COL_ARRAY) return sql_settle(ctx, arg);
    return sql_coerce(ctx, *arg, col_type_of(kind), COL_CAST_IMPLICIT, arg);
}

static void add_more(sql_ctx *ctx, plan_agg *agg, const plan_expr *expr) {
    const plan_expr **more = base_arena_array(ctx->arena, const plan_expr *, agg->nmore + 1u);
    if (agg->nmore > 0) memcpy(more, agg->more, agg->nmore * sizeof *more);
    more[agg->nmore++] = expr;
    agg->more = more;
}

// The number of an expression among those of the aggregate, from `first` on; a new one is added.
static uint32_t number_of(sql_ctx *ctx, plan_agg *agg, const plan_expr *expr, uint32_t first) {
    if (first == 0 && plan_expr_equal(agg->arg, expr)) return 0;
    for (uint32_t i = first == 0 ? 0 : first - 1; i < agg->nmore; i++)
        if (plan_expr_equal(agg->more[i], expr)) return i + 1;
    add_more(ctx, agg, expr);
    return agg->nmore;
}

static base_rc need_constant(const agg_call *call, const plan_expr **expr) {
    sql_ctx *ctx = call->binder->ctx;
    SQL_TRY(sql_fold(ctx, *expr, expr));
    if ((*expr)->kind == PLAN_EXPR_CONST || (*expr)->kind == PLAN_EXPR_PARAM) return BASE_OK;
    return sql_unsupported(ctx, (*expr)->position,
                           "a direct argument of %s must be a constant or a parameter", call->name);
}

static base_rc check_fractions(sql_ctx *ctx, const plan_expr *p) {
    col_vec fractions;
    if (p->kind != PLAN_EXPR_CONST || sql_const_is_null(p)) return BASE_OK;
    fractions = *p->constant;
    if (col_kind_is_array(p->type.kind)) {
        col_lists lists;
        col_array_flatten(ctx->arena, p->constant, &lists);
        fractions = lists.elements;
    }
    for (uint32_t i = 0; i < fractions.n; i++) {
        double v = col_is_null(&fractions, i) ? 0 : col_f64(&fractions)[i];
        if (!(v >= 0 && v <= 1))
            return sql_fail(ctx, p->position, BASE_E_INVALID, BASE_SQLSTATE_NUMERIC_RANGE,
                            "percentile value %g is not between 0 and 1", v);
    }
    return BASE_OK;
}

static base_rc check_error(sql_ctx *ctx, const plan_expr *error) {
    if (error->kind != PLAN_EXPR_CONST || sql_const_is_null(error)) return BASE_OK;
    double v = col_f64(error->constant)[0];
    if (v >= PLAN_APPROX_ERROR_LEAST && v <= PLAN_APPROX_ERROR_MOST) return BASE_OK;
    return sql_fail(ctx, error->position, BASE_E_INVALID, BASE_SQLSTATE_NUMERIC_RANGE,
                    "relative error %g is not between %g and %g", v, PLAN_APPROX_ERROR_LEAST,
                    PLAN_APPROX_ERROR_MOST);
}

// percentile_cont(0.5) WITHIN GROUP (ORDER BY x), mode() ...
static base_rc ordered_set(agg_call *call, plan_agg *agg) {
    sql_ctx *ctx = call->binder->ctx;
    uint32_t direct = agg->def->nargs - 1u;
    for (uint32_t i = 0; i < direct; i++) {
        SQL_TRY(coerce_to(call, &call->args[i], i == 0 ? agg->def->arg : agg->def->arg2));
        SQL_TRY(need_constant(call, &call->args[i]));
        add_more(ctx, agg, call->args[i]);
        SQL_TRY(i == 0 ? check_fractions(ctx, call->args[i]) : check_error(ctx, call->args[i]));
    }
    SQL_TRY(coerce_to(call, &call->args[direct], direct == 0 ? agg->def->arg : agg->def->arg2));
    agg->arg = call->args[direct];
    plan_agg_sort *sort = base_arena_array(ctx->arena, plan_agg_sort, 1);
    sort[0] = call->sort[0];
    agg->nsort = 1;
    agg->sort = sort;
    return BASE_OK;
}

// rank(1, 'a') WITHIN GROUP (ORDER BY x, y)
static base_rc hypothetical_set(agg_call *call, plan_agg *agg) {
    sql_ctx *ctx = call->binder->ctx;
    uint32_t n = call->norder;
    plan_agg_sort *sort = base_arena_array(ctx->arena, plan_agg_sort, n);
    for (uint32_t i = 0; i < n; i++) {
        const plan_expr *pair[2] = {call->args[i], call->args[n + i]};
        col_type type;
        SQL_TRY(sql_common_type(ctx, "WITHIN GROUP", 2, pair, &type));
        call->args[i] = pair[0];
        call->args[n + i] = pair[1];
        SQL_TRY(need_constant(call, &call->args[i]));
        add_more(ctx, agg, call->args[i]);
    }
    agg->arg = call->args[n];
    for (uint32_t i = 0; i < n; i++) {
        sort[i] = call->sort[i];
        if (i > 0) add_more(ctx, agg, call->args[n + i]);
        sort[i].expr = i == 0 ? 0 : agg->nmore;
    }
    agg->nsort = n;
    agg->sort = sort;
    return BASE_OK;
}

static base_rc to_jsonb(sql_ctx *ctx, const plan_expr **arg, int32_t position) {
    if ((*arg)->type.kind == COL_JSONB) return BASE_OK;
    const plan_expr *args[1] = {*arg};
    return sql_call(ctx, "to_jsonb", 1, args, position, arg);
}

// ORDER BY in the parentheses, then (jsonb) the arguments as they were.
static void order_by(agg_call *call, plan_agg *agg, const plan_expr *const *raw) {
    sql_ctx *ctx = call->binder->ctx;
    plan_agg_sort *sort =
        base_arena_array(ctx->arena, plan_agg_sort, call->norder + call->nargs + 1u);
    uint32_t n = 0;
    for (uint32_t i = 0; i < call->norder; i++) {
        sort[n] = call->sort[i];
        sort[n++].expr = number_of(ctx, agg, call->args[call->nargs + i], 0);
    }
    for (uint32_t i = 0; raw != NULL && i < call->nargs; i++) {
        uint32_t expr = number_of(ctx, agg, raw[i], 0);
        bool there = false;
        for (uint32_t k = 0; k < n; k++) there |= sort[k].expr == expr;
        if (!there) sort[n++] = (plan_agg_sort){.expr = expr};
    }
    agg->nsort = n;
    agg->sort = sort;
}

static base_rc check_distinct(const agg_call *call) {
    for (uint32_t i = 0; i < call->norder; i++) {
        const plan_expr *expr = call->args[call->nargs + i];
        bool found = false;
        for (uint32_t a = 0; a < call->nargs; a++) found |= plan_expr_equal(expr, call->args[a]);
        if (!found)
            return sql_fail(call->binder->ctx, expr->position, BASE_E_INVALID, "42P10",
                            "in an aggregate with DISTINCT, ORDER BY expressions must appear in "
                            "argument list");
    }
    return BASE_OK;
}

static base_rc plain(agg_call *call, plan_agg *agg) {
    sql_ctx *ctx = call->binder->ctx;
    const plan_agg_def *def = agg->def;
    bool json = def->id == PLAN_AGG_JSONB_AGG || def->id == PLAN_AGG_JSONB_OBJECT_AGG;
    const plan_expr *raw[2] = {NULL};
    for (uint32_t i = 0; i < call->nargs; i++)
        SQL_TRY(coerce_to(call, &call->args[i], i == 0 ? def->arg : def->arg2));
    for (uint32_t i = 0; i < call->norder; i++)
        SQL_TRY(sql_settle(ctx, &call->args[call->nargs + i]));
    if (agg->distinct) SQL_TRY(check_distinct(call));
    for (uint32_t i = 0; i < call->nargs; i++) {
        const plan_expr *arg = call->args[i];
        if (json) {
            raw[i] = arg;
            if (def->id == PLAN_AGG_JSONB_OBJECT_AGG && i == 0)
                SQL_TRY(sql_coerce(ctx, arg, col_type_of(COL_TEXT), COL_CAST_EXPLICIT, &arg));
            else
                SQL_TRY(to_jsonb(ctx, &arg, call->position));
        }
        if (i == 0)
            agg->arg = arg;
        else
            add_more(ctx, agg, arg);
    }
    if (def->form == PLAN_AGG_ORDERED) order_by(call, agg, json ? raw : NULL);
    return BASE_OK;
}

// approx_percentile(fraction, value [, error]) as (fraction [, error]) WITHIN GROUP (ORDER BY
// value)
static base_rc within_group(agg_call *call, bool distinct) {
    if (distinct || call->norder > 0)
        return sql_unsupported(call->binder->ctx, call->position,
                               "%s takes neither DISTINCT nor ORDER BY", call->name);
    if (call->nargs < 2 || call->nargs > 3) return BASE_OK;
    const plan_expr *value = call->args[1];
    call->args[1] = call->args[call->nargs - 1];
    call->args[call->nargs - 1] = value;
    call->nargs--;
    call->norder = 1;
    call->within = true;
    return BASE_OK;
}

// ---- entry -----------------------------------------------------------------------------------

base_rc sql_agg_arguments(sql_binder *binder, const char *name, const sql_tree *body,
                          int32_t position, plan_agg *agg) {
    sql_ctx *ctx = binder->ctx;
    agg_call *call = base_arena_new(ctx->arena, agg_call);
    *call = (agg_call){.binder = binder,
                       .name = name,
                       .position = position,
                       .within = sql_get_bool(body, "agg_within_group")};
    *agg = (plan_agg){.distinct = sql_get_bool(body, "agg_distinct")};
    if (sql_get(body, "args") == NULL && !sql_get_bool(body, "agg_star") &&
        strcmp(name, "count") == 0)
        return sql_fail(ctx, position, BASE_E_NOT_FOUND, "42809",
                        "%s(*) must be used to call a parameterless aggregate function", name);
    SQL_TRY(bind_all(call, body, agg));
    if (strcmp(name, "approx_percentile") == 0 && !call->within)
        SQL_TRY(within_group(call, agg->distinct));
    SQL_TRY(resolve(call, &agg->def));
    if (agg->def->form == PLAN_AGG_ORDERED_SET)
        SQL_TRY(ordered_set(call, agg));
    else if (agg->def->form == PLAN_AGG_HYPOTHETICAL)
        SQL_TRY(hypothetical_set(call, agg));
    else
        SQL_TRY(plain(call, agg));
    agg->type = col_type_of(agg->def->ret);
    if (agg->def->ret == COL_UNKNOWN) agg->type = agg->arg->type;
    if (agg->def->ret != COL_ARRAY) return BASE_OK;
    if (!col_kind_has_array(agg->arg->type.kind))
        return sql_unsupported(ctx, position, "there are no arrays of %s",
                               col_kind_name(agg->arg->type.kind));
    agg->type = col_type_array_of(&agg->arg->type);
    return BASE_OK;
}

typedef struct guarding {
    sql_ctx *ctx;
    const plan_expr *filter;
} guarding;

// What may fail is worked out only for rows that the filter lets through.
static const plan_expr *guard(void *self, const plan_expr *expr) {
    const guarding *g = self;
    if (expr == g->filter || expr->kind == PLAN_EXPR_COLUMN || expr->kind == PLAN_EXPR_CONST ||
        expr->kind == PLAN_EXPR_PARAM)
        return expr;
    plan_expr *choice = sql_expr(g->ctx, PLAN_EXPR_CASE, expr->type, 3, expr->position);
    choice->args[0] = g->filter;
    choice->args[1] = expr;
    choice->args[2] = plan_expr_null(g->ctx->arena, expr->type);
    return choice;
}

void sql_agg_guard(sql_ctx *ctx, plan_agg *agg) {
    guarding g = {ctx, agg->filter};
    if (agg->filter != NULL) plan_agg_map(ctx->arena, agg, guard, &g);
}
