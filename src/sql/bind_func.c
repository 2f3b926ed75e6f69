// bind_func.c - functions and operators by PostgreSQL's resolution: an exact match; else candidates
// whose arguments coerce implicitly, ranked by exact arguments, preferred types and, for untyped
// literals, categories. Candidates that take "any" stand behind typed ones. Source: PostgreSQL 15
// documentation, chapter 10 "Type Conversion". Entry points: sql_call, sql_operator, sql_resolve.
#include "sql/sql_int.h"

#include <stdio.h>

#include "base/must.h"
#include "col/set.h"

#define CANDIDATES_MAX 256
#define CALL_ARGS_MAX  100u

typedef struct ranking {
    const sql_candidates *list;
    uint32_t nargs;
    const plan_expr *const *args;
    bool alive[CANDIDATES_MAX];
    size_t n; // alive
} ranking;

static void keep_best(ranking *r, const int *scores) {
    int best = -1;
    for (size_t i = 0; i < r->list->n; i++)
        if (r->alive[i] && scores[i] > best) best = scores[i];
    r->n = 0;
    for (size_t i = 0; i < r->list->n; i++) {
        r->alive[i] = r->alive[i] && scores[i] == best;
        r->n += r->alive[i];
    }
}

static size_t first_alive(const ranking *r) {
    for (size_t i = 0; i < r->list->n; i++)
        if (r->alive[i]) return i;
    return 0;
}

static bool find_exact(const ranking *r, const col_kind *kinds, size_t *chosen) {
    for (size_t c = 0; c < r->list->n; c++) {
        if (!r->list->takes(r->list, c, r->nargs)) continue;
        uint32_t i = 0;
        while (i < r->nargs && kinds[i] != COL_UNKNOWN && r->list->arg(r->list, c, i) == kinds[i])
            i++;
        if (i < r->nargs) continue;
        *chosen = c;
        return true;
    }
    return false;
}

static void find_applicable(ranking *r, bool polymorphic) {
    r->n = 0;
    for (size_t c = 0; c < r->list->n; c++) {
        r->alive[c] = false;
        if (!r->list->takes(r->list, c, r->nargs) ||
            r->list->polymorphic(r->list, c) != polymorphic)
            continue;
        uint32_t i = 0;
        for (; i < r->nargs; i++) {
            col_kind kind = r->list->arg(r->list, c, i);
            if (kind == COL_ARRAY) {
                if (!sql_is_unknown(r->args[i]) && !col_kind_is_array(r->args[i]->type.kind)) break;
                continue;
            }
            if (kind != COL_UNKNOWN && !sql_can_coerce(r->args[i], kind, COL_CAST_IMPLICIT)) break;
        }
        r->alive[c] = i == r->nargs;
        r->n += r->alive[c];
    }
}

// Scores: arguments that match exactly; with preferred, or whose type is a preferred one.
static void rank_known(ranking *r, bool preferred) {
    int scores[CANDIDATES_MAX] = {0};
    for (size_t c = 0; c < r->list->n; c++) {
        for (uint32_t i = 0; r->alive[c] && i < r->nargs; i++) {
            if (sql_is_unknown(r->args[i])) continue;
            col_kind kind = r->list->arg(r->list, c, i);
            scores[c] += kind == r->args[i]->type.kind ||
                         (preferred && kind != COL_UNKNOWN && col_kind_preferred(kind));
        }
    }
    keep_best(r, scores);
}

// Untyped literals: string if some candidate takes a string there, else the category all agree on.
static void rank_unknown(ranking *r) {
    for (uint32_t i = 0; i < r->nargs && r->n > 1; i++) {
        if (!sql_is_unknown(r->args[i])) continue;
        char category = '\0';
        bool agree = true, has_preferred = false;
        for (size_t c = 0; c < r->list->n; c++) {
            if (!r->alive[c]) continue;
            char mine = col_kind_category(r->list->arg(r->list, c, i));
            if (mine == 'S' || category == 'S') {
                category = 'S';
                agree = true;
            } else {
                agree &= category == '\0' || category == mine;
                category = mine;
            }
        }
        if (!agree) continue;
        for (size_t c = 0; c < r->list->n; c++) {
            col_kind kind = r->alive[c] ? r->list->arg(r->list, c, i) : COL_UNKNOWN;
            has_preferred |=
                r->alive[c] && col_kind_category(kind) == category && col_kind_preferred(kind);
        }
        int scores[CANDIDATES_MAX] = {0};
        for (size_t c = 0; c < r->list->n; c++) {
            if (!r->alive[c]) continue;
            col_kind kind = r->list->arg(r->list, c, i);
            scores[c] =
                col_kind_category(kind) == category && (!has_preferred || col_kind_preferred(kind));
        }
        keep_best(r, scores);
    }
}

// The last resort: untyped literals are of the one type of the others.
static void rank_same(ranking *r) {
    col_kind known = COL_UNKNOWN;
    bool unknown = false;
    for (uint32_t i = 0; i < r->nargs; i++) {
        col_kind kind = r->args[i]->type.kind;
        if (kind == COL_UNKNOWN) {
            unknown = true;
        } else if (known == COL_UNKNOWN) {
            known = kind;
        } else if (known != kind) {
            return;
        }
    }
    if (known == COL_UNKNOWN || !unknown) return;
    int scores[CANDIDATES_MAX] = {0};
    for (size_t c = 0; c < r->list->n; c++) {
        uint32_t i = 0;
        while (r->alive[c] && i < r->nargs && r->list->arg(r->list, c, i) == known) i++;
        scores[c] = r->alive[c] && i == r->nargs;
    }
    keep_best(r, scores);
}

sql_resolution sql_resolve(const sql_candidates *list, uint32_t nargs, const plan_expr *const *args,
                           bool is_operator, size_t *chosen) {
    must(list->n <= CANDIDATES_MAX);
    ranking r = {.list = list, .nargs = nargs, .args = args};
    col_kind kinds[CALL_ARGS_MAX];
    for (uint32_t i = 0; i < nargs; i++) kinds[i] = args[i]->type.kind;
    if (is_operator && nargs == 2) { // one untyped operand is taken to be of the other's type
        if (kinds[0] == COL_UNKNOWN) kinds[0] = kinds[1];
        if (kinds[1] == COL_UNKNOWN) kinds[1] = kinds[0];
    }
    if (find_exact(&r, kinds, chosen)) return SQL_RESOLVED;
    find_applicable(&r, false);
    if (r.n > 1) rank_known(&r, false);
    if (r.n > 1) rank_known(&r, true);
    if (r.n > 1) rank_unknown(&r);
    if (r.n > 1) rank_same(&r);
    if (r.n == 0) {
        find_applicable(&r, true);
        if (r.n > 1) rank_known(&r, false);
    }
    *chosen = first_alive(&r);
    return r.n == 0 ? SQL_NONE : r.n == 1 ? SQL_RESOLVED : SQL_AMBIGUOUS;
}

// ---- functions -------------------------------------------------------------------------------

static const col_func *func_at(const sql_candidates *list, size_t candidate) {
    return ((const col_func *const *)list->self)[candidate];
}
static col_kind func_arg(const sql_candidates *list, size_t candidate, uint32_t i) {
    const col_func *func = func_at(list, candidate);
    if (i >= func->nargs) i = func->nargs == 0 ? 0 : (uint32_t)func->nargs - 1;
    return func->args[i];
}
static bool func_takes(const sql_candidates *list, size_t candidate, uint32_t nargs) {
    const col_func *func = func_at(list, candidate);
    return func->nargs == nargs || ((func->flags & COL_FUNC_VARIADIC) && nargs >= func->nargs);
}
static bool func_polymorphic(const sql_candidates *list, size_t candidate) {
    const col_func *func = func_at(list, candidate);
    for (uint32_t i = 0; i < func->nargs; i++)
        if (func->args[i] == COL_UNKNOWN || func->args[i] == COL_ARRAY) return true;
    return false;
}

static const char *arg_types(sql_ctx *ctx, uint32_t nargs, const plan_expr *const *args) {
    char *text = base_arena_strdup(ctx->arena, "");
    for (uint32_t i = 0; i < nargs && i < 16; i++)
        text = base_arena_printf(ctx->arena, "%s%s%s", text, i > 0 ? ", " : "",
                                 sql_type_name(ctx, &args[i]->type));
    return text;
}

// Functions of PostgreSQL that people look for and that are not here: their names are no mistake.
static bool is_missing(const char *name) {
    static const char names[] =
        " generate_series generate_subscripts unnest string_to_table regexp_matches setseed "
        "pg_sleep"
        " normalize is_normalized jsonb_path_query jsonb_populate_record jsonb_populate_recordset"
        " jsonb_to_record jsonb_to_recordset json_populate_record json_populate_recordset"
        " json_to_record json_to_recordset nextval currval setval lastval to_tsvector to_tsquery"
        " plainto_tsquery timeofday txid_current pg_advisory_lock pg_notify int4range int8range"
        " numrange tsrange tstzrange daterange ";
    char word[64];
    int n = snprintf(word, sizeof word, " %s ", name);
    return n > 2 && (size_t)n < sizeof word && strstr(names, word) != NULL;
}

base_rc sql_func_failed(sql_ctx *ctx, const char *name, uint32_t nargs,
                        const plan_expr *const *args, int32_t position, bool ambiguous) {
    const col_func *const *funcs, *set;
    bool is_set = col_set_find(base_str_of(name), &set, 1) > 0;
    if (!is_set && col_func_find(base_str_of(name), &funcs) == 0 && is_missing(name)) {
        sql_unsupported(ctx, position, "function %s is not supported", name);
        base_error_hint(ctx->err, "docs/functions.md lists what there is.");
        return ctx->err->code;
    }
    sql_fail(ctx, position, BASE_E_NOT_FOUND,
             ambiguous ? BASE_SQLSTATE_AMBIGUOUS_FUNCTION : BASE_SQLSTATE_UNDEFINED_FUNCTION,
             ambiguous ? "function %s(%s) is not unique" : "function %s(%s) does not exist", name,
             arg_types(ctx, nargs, args));
    base_error_hint(ctx->err, "%s You might need to add explicit type casts.",
                    ambiguous ? "Could not choose a best candidate function."
                              : "No function matches the given name and argument types.");
    return ctx->err->code;
}

static base_rc operator_failed(sql_ctx *ctx, const char *name, uint32_t nargs,
                               const plan_expr *const *args, int32_t position, bool ambiguous) {
    const char *what = ambiguous ? "operator is not unique" : "operator does not exist";
    const char *state =
        ambiguous ? BASE_SQLSTATE_AMBIGUOUS_FUNCTION : BASE_SQLSTATE_UNDEFINED_FUNCTION;
    const char *last = sql_type_name(ctx, &args[nargs - 1]->type);
    if (nargs == 1) {
        sql_fail(ctx, position, BASE_E_NOT_FOUND, state, "%s: %s %s", what, name, last);
    } else {
        sql_fail(ctx, position, BASE_E_NOT_FOUND, state, "%s: %s %s %s", what,
                 sql_type_name(ctx, &args[0]->type), name, last);
    }
    base_error_hint(ctx->err, "%s You might need to add %s.",
                    ambiguous    ? "Could not choose a best candidate operator."
                    : nargs == 1 ? "No operator matches the given name and argument type."
                                 : "No operator matches the given name and argument types.",
                    nargs == 1 && !ambiguous ? "an explicit type cast" : "explicit type casts");
    return ctx->err->code;
}

// A view's functions must give the same for the same events, always. What depends on the session's
// time zone only is well defined there, because views, checks and watermarks run in UTC; the clock,
// the user and the catalogue are not. age(x) reads the clock though it takes a time.
bool sql_is_repeatable(const col_func *func) {
    if (func->flags & COL_FUNC_HOST) return false;
    if (!(func->flags & COL_FUNC_STABLE)) return true;
    if (strcmp(func->name, "age") == 0 && func->nargs == 1) return false;
    bool zoned = func->ret == COL_TIMESTAMPTZ;
    for (uint32_t i = 0; i < func->nargs; i++) zoned |= func->args[i] == COL_TIMESTAMPTZ;
    return zoned && func->nargs > 0;
}

static col_kind declared(const col_func *func, uint32_t i) {
    return func->args[i < func->nargs ? i : (uint32_t)func->nargs - 1];
}

// The type that "any" stands for, of arrays that of their elements; COL_UNKNOWN if there is none.
// Where all are to be of one type they are coerced to it.
static base_rc find_any(sql_ctx *ctx, const col_func *func, uint32_t nargs, const plan_expr **args,
                        int32_t position, col_type *any) {
    const plan_expr *items[CALL_ARGS_MAX];
    uint32_t n = 0;
    bool arrays = false;
    for (uint32_t i = 0; i < nargs; i++) {
        const plan_expr *arg = args[i];
        col_kind kind = declared(func, i);
        arrays |= kind == COL_ARRAY;
        if (kind == COL_ARRAY && !sql_is_unknown(arg))
            items[n++] = plan_expr_column(ctx->arena, 0, col_type_element(&arg->type));
        if (kind == COL_UNKNOWN) items[n++] = arg;
    }
    *any = col_type_of(COL_UNKNOWN);
    if (arrays) {
        uint32_t known = 0;
        while (known < n && sql_is_unknown(items[known])) known++;
        if (known == n)
            return sql_fail(ctx, position, BASE_E_INVALID, BASE_SQLSTATE_DATATYPE_MISMATCH,
                            "could not determine polymorphic type because input has type unknown");
        *any = items[known]->type;
    }
    if (n == 0 || !(func->flags & COL_FUNC_ANY_SAME)) return BASE_OK;
    if (!arrays) {
        SQL_TRY(sql_common_type(ctx, func->name, n, items, any));
        for (uint32_t i = 0, taken = 0; i < nargs; i++)
            if (declared(func, i) == COL_UNKNOWN) args[i] = items[taken++];
        return BASE_OK;
    }
    SQL_TRY(sql_common_type_find(ctx, func->name, n, items, any));
    *any = col_type_of(any->kind);
    for (uint32_t i = 0; i < nargs; i++) {
        col_kind kind = declared(func, i);
        if (kind == COL_UNKNOWN)
            SQL_TRY(sql_coerce(ctx, args[i], *any, COL_CAST_IMPLICIT, &args[i]));
        if (kind == COL_ARRAY)
            SQL_TRY(sql_coerce(ctx, args[i], col_type_array_of(any), COL_CAST_IMPLICIT, &args[i]));
    }
    return BASE_OK;
}

// Coerces the arguments to what the function takes; *type is what it gives.
static base_rc coerce_args(sql_ctx *ctx, const col_func *func, uint32_t nargs,
                           const plan_expr **args, int32_t position, col_type *type) {
    col_type any;
    SQL_TRY(find_any(ctx, func, nargs, args, position, &any));
    col_type types[CALL_ARGS_MAX];
    for (uint32_t i = 0; i < nargs; i++) {
        col_kind kind = declared(func, i);
        if (kind == COL_UNKNOWN) {
            SQL_TRY(sql_settle(ctx, &args[i]));
            if (any.kind == COL_UNKNOWN) any = args[i]->type;
        } else if (kind == COL_ARRAY) {
            if (sql_is_unknown(args[i]))
                SQL_TRY(
                    sql_coerce(ctx, args[i], col_type_array_of(&any), COL_CAST_IMPLICIT, &args[i]));
        } else if (kind != COL_STRUCT || args[i]->type.kind != COL_STRUCT) { // any row is one
            SQL_TRY(sql_coerce(ctx, args[i], col_type_of(kind), COL_CAST_IMPLICIT, &args[i]));
        }
        types[i] = args[i]->type;
    }
    if (func->ret == COL_ARRAY && !col_kind_has_array(any.kind))
        return sql_fail(ctx, position, BASE_E_NOT_FOUND, BASE_SQLSTATE_UNDEFINED_OBJECT,
                        "could not find array type for data type %s", sql_type_name(ctx, &any));
    *type = col_type_of(func->ret);
    if (func->ret_type != NULL) {
        func->ret_type(nargs, types, type);
    } else if (func->ret == COL_UNKNOWN) {
        *type = any;
    } else if (func->ret == COL_ARRAY) {
        *type = col_type_array_of(&any);
    }
    if ((func->flags & COL_FUNC_VOLATILE) && ctx->is_stored)
        return sql_unsupported(ctx, position, "function %s() is for queries only", func->name);
    bool clock = ctx->clock_allowed && sql_is_clock(func);
    ctx->uses_clock |= clock;
    if (ctx->in_view && !clock && !sql_is_repeatable(func)) {
        sql_unsupported(ctx, position, "function %s() is not allowed in a %s", func->name,
                        ctx->view_word);
        if (func->flags & COL_FUNC_VOLATILE)
            base_error_hint(ctx->err, "A view follows from its events alone; an id or a number by "
                                      "chance belongs into the event.");
        else
            base_error_hint(ctx->err,
                            "What it gives depends on when, where or by whom it is asked; "
                            "use the event's own time, or filter when you query the view.");
        return ctx->err->code;
    }
    return BASE_OK;
}

static base_rc make_call(sql_ctx *ctx, const col_func *func, uint32_t nargs, const plan_expr **args,
                         int32_t position, const plan_expr **out) {
    plan_expr *call = sql_expr(ctx, PLAN_EXPR_CALL, col_type_of(func->ret), nargs, position);
    call->func = func;
    if (nargs > 0) memcpy(call->args, args, nargs * sizeof *args);
    SQL_TRY(coerce_args(ctx, func, nargs, call->args, position, &call->type));
    return sql_fold(ctx, call, out);
}

base_rc sql_choose(sql_ctx *ctx, const char *name, size_t n, const col_func *const *funcs,
                   uint32_t nargs, const plan_expr **args, int32_t position,
                   const col_func **chosen, col_type *type) {
    sql_candidates list = {.n = n,
                           .self = funcs,
                           .arg = func_arg,
                           .takes = func_takes,
                           .polymorphic = func_polymorphic};
    size_t which;
    sql_resolution result = SQL_NONE;
    if (nargs <= CALL_ARGS_MAX) result = sql_resolve(&list, nargs, args, false, &which);
    if (result != SQL_RESOLVED)
        return sql_func_failed(ctx, name, nargs, args, position, result == SQL_AMBIGUOUS);
    *chosen = funcs[which];
    return coerce_args(ctx, *chosen, nargs, args, position, type);
}

// name(x) where name is a type is a cast.
static bool is_type_cast(const char *name, uint32_t nargs, col_kind *kind) {
    return nargs == 1 && col_kind_from_name(base_str_of(name), kind) && *kind != COL_STRUCT &&
           *kind != COL_UNKNOWN;
}

base_rc sql_call(sql_ctx *ctx, const char *name, uint32_t nargs, const plan_expr **args,
                 int32_t position, const plan_expr **out) {
    if (nargs > CALL_ARGS_MAX)
        return sql_fail(ctx, position, BASE_E_LIMIT, "54023",
                        "cannot pass more than %u arguments to a function", CALL_ARGS_MAX);
    const col_func *const *funcs = NULL;
    sql_candidates list = {.arg = func_arg, .takes = func_takes, .polymorphic = func_polymorphic};
    list.n = col_func_find(base_str_of(name), &funcs);
    list.self = funcs;
    size_t chosen;
    sql_resolution result = sql_resolve(&list, nargs, args, false, &chosen);
    if (result == SQL_RESOLVED) return make_call(ctx, funcs[chosen], nargs, args, position, out);
    col_kind kind;
    if (result == SQL_NONE && is_type_cast(name, nargs, &kind) &&
        sql_can_coerce(args[0], kind, COL_CAST_EXPLICIT))
        return sql_coerce(ctx, args[0], col_type_of(kind), COL_CAST_EXPLICIT, out);
    return sql_func_failed(ctx, name, nargs, args, position, result == SQL_AMBIGUOUS);
}

base_rc sql_operator(sql_ctx *ctx, const char *name, const plan_expr *left, const plan_expr *right,
                     int32_t position, const plan_expr **out) {
    const plan_expr *args[2] = {left == NULL ? right : left, right};
    uint32_t nargs = left == NULL ? 1 : 2;
    if (strcmp(name, "!=") == 0) name = "<>";
    if (strcmp(name, "||") == 0 && left != NULL &&
        (col_kind_is_array(left->type.kind) || col_kind_is_array(right->type.kind)))
        return sql_array_concat(ctx, left, right, position, out);
    const col_func *const *funcs = NULL;
    sql_candidates list = {.arg = func_arg, .takes = func_takes, .polymorphic = func_polymorphic};
    list.n = col_func_find(base_str_of(name), &funcs);
    list.self = funcs;
    size_t chosen;
    sql_resolution result = sql_resolve(&list, nargs, args, true, &chosen);
    // "any" operands must find one type, or there is no such operator.
    col_type common;
    if (result == SQL_RESOLVED && func_polymorphic(&list, chosen) && nargs == 2 &&
        (funcs[chosen]->flags & COL_FUNC_ANY_SAME)) {
        base_error *err = ctx->err, ignored;
        ctx->err = &ignored;
        base_rc rc = sql_common_type_find(ctx, name, nargs, args, &common);
        ctx->err = err;
        if (rc != BASE_OK) result = SQL_NONE;
        for (uint32_t i = 0; i < nargs && result != SQL_NONE; i++)
            if (!sql_can_coerce(args[i], common.kind, COL_CAST_IMPLICIT)) result = SQL_NONE;
        // As in PostgreSQL, arrays are compared with arrays of the very type only.
        if (nargs == 2 && col_kind_is_array(args[0]->type.kind) &&
            col_kind_is_array(args[1]->type.kind) && args[0]->type.kind != args[1]->type.kind)
            result = SQL_NONE;
    }
    if (result == SQL_RESOLVED) return make_call(ctx, funcs[chosen], nargs, args, position, out);
    if (list.n == 0 && name[0] == '!' && name[1] != '\0' && nargs == 2) { // !~ is NOT ~
        SQL_TRY(sql_operator(ctx, name + 1, left, right, position, out));
        plan_expr *negated = sql_expr(ctx, PLAN_EXPR_NOT, col_type_of(COL_BOOL), 1, position);
        negated->args[0] = *out;
        *out = negated;
        return BASE_OK;
    }
    return operator_failed(ctx, name, nargs, args, position, result == SQL_AMBIGUOUS);
}

// Functions whose arguments may be named, and what those are where they are left out. A default of
// NULL: the argument must be given.
static const struct {
    const char *name;
    const char *args[7][2];
} named[] = {
    {"make_interval",
     {{"years", "0"},
      {"months", "0"},
      {"weeks", "0"},
      {"days", "0"},
      {"hours", "0"},
      {"mins", "0"},
      {"secs", "0"}}},
    {"make_date", {{"year", NULL}, {"month", NULL}, {"day", NULL}}},
    {"make_time", {{"hour", NULL}, {"min", NULL}, {"sec", NULL}}},
    {"make_timestamp",
     {{"year", NULL},
      {"month", NULL},
      {"mday", NULL},
      {"hour", NULL},
      {"min", NULL},
      {"sec", NULL}}},
    {"make_timestamptz",
     {{"year", NULL},
      {"month", NULL},
      {"mday", NULL},
      {"hour", NULL},
      {"min", NULL},
      {"sec", NULL},
      {"timezone", NULL}}},
    {"jsonb_set",
     {{"jsonb_in", NULL}, {"path", NULL}, {"replacement", NULL}, {"create_if_missing", "true"}}},
    {"jsonb_insert",
     {{"jsonb_in", NULL}, {"path", NULL}, {"replacement", NULL}, {"insert_after", "false"}}},
    {"parse_ident", {{"str", NULL}, {"strict", "true"}}},
    {"jsonb_path_exists", {{"target", NULL}, {"path", NULL}, {"vars", "{}"}, {"silent", "false"}}},
    {"jsonb_path_match", {{"target", NULL}, {"path", NULL}, {"vars", "{}"}, {"silent", "false"}}},
    {"jsonb_path_query_array",
     {{"target", NULL}, {"path", NULL}, {"vars", "{}"}, {"silent", "false"}}},
    {"jsonb_path_query_first",
     {{"target", NULL}, {"path", NULL}, {"vars", "{}"}, {"silent", "false"}}},
};
#define NAMED_MAX (sizeof named[0].args / sizeof named[0].args[0])

// Arguments by name, from the first named one on (`first` come before it by their places).
static base_rc bind_named(sql_binder *binder, const char *name, const sql_tree *arg,
                          uint32_t *nargs, uint32_t first, const plan_expr ***args,
                          int32_t position) {
    sql_ctx *ctx = binder->ctx;
    size_t f = 0, last = first;
    while (f < sizeof named / sizeof named[0] && strcmp(named[f].name, name) != 0) f++;
    if (f == sizeof named / sizeof named[0] || first > NAMED_MAX)
        return sql_unsupported(ctx, position, "named arguments of %s are not supported", name);
    const plan_expr **all = base_arena_array(ctx->arena, const plan_expr *, NAMED_MAX + 1);
    memcpy(all, *args, first * sizeof *all);
    for (; arg != NULL; arg = arg->next) {
        if (!sql_is(arg, "NamedArgExpr"))
            return SQL_SYNTAX(ctx, position, "positional argument cannot follow named argument");
        const char *word = sql_get_text(sql_body(arg), "name");
        size_t i = 0;
        while (i < NAMED_MAX && named[f].args[i][0] != NULL &&
               strcmp(named[f].args[i][0], word) != 0)
            i++;
        if (i == NAMED_MAX || named[f].args[i][0] == NULL)
            return sql_fail(ctx, position, BASE_E_NOT_FOUND, BASE_SQLSTATE_UNDEFINED_FUNCTION,
                            "function %s has no argument named \"%s\"", name, word);
        if (all[i] != NULL)
            return SQL_SYNTAX(ctx, position, "argument name \"%s\" used more than once", word);
        SQL_TRY(sql_bind_expr(binder, sql_get(sql_body(arg), "arg"), &all[i]));
        if (i + 1 > last) last = i + 1;
    }
    for (size_t i = 0; i < last; i++) {
        if (all[i] != NULL) continue;
        if (named[f].args[i][1] == NULL)
            return sql_fail(ctx, position, BASE_E_NOT_FOUND, BASE_SQLSTATE_UNDEFINED_FUNCTION,
                            "function %s needs its argument \"%s\"", name, named[f].args[i][0]);
        all[i] = sql_text_const(ctx, named[f].args[i][1], COL_UNKNOWN, position);
    }
    *args = all;
    *nargs = (uint32_t)last;
    return BASE_OK;
}

// f(a, VARIADIC array): an array that is written out gives its elements; where the array is only
// known when the query runs, another function does the same.
static base_rc bind_variadic(sql_binder *binder, const char *name, const sql_tree *arg_list,
                             uint32_t nargs, const plan_expr **args, int32_t position,
                             const plan_expr **out) {
    static const struct {
        const char *name, *other;
        uint32_t nargs;
        bool is_operator;
    } others[] = {
        {"jsonb_extract_path", "#>", 2, true},      {"jsonb_extract_path_text", "#>>", 2, true},
        {"json_extract_path", "#>", 2, true},       {"json_extract_path_text", "#>>", 2, true},
        {"concat_ws", "array_to_string", 2, false}, {"concat", "array_to_string", 1, false},
    };
    sql_ctx *ctx = binder->ctx;
    uint32_t i = 0;
    for (const sql_tree *arg = arg_list->child; arg != NULL; arg = arg->next) {
        if (arg->next != NULL || !sql_is(arg, "A_ArrayExpr")) {
            SQL_TRY(sql_bind_expr(binder, arg, &args[i++]));
            continue;
        }
        const sql_tree *items = sql_get(sql_body(arg), "elements");
        uint32_t n = sql_tree_count(items);
        const plan_expr **all = base_arena_array(ctx->arena, const plan_expr *, i + n + 1);
        memcpy(all, args, i * sizeof *all);
        for (const sql_tree *item = items == NULL ? NULL : items->child; item != NULL;
             item = item->next)
            SQL_TRY(sql_bind_expr(binder, item, &all[i++]));
        return sql_call(ctx, name, i, all, position, out);
    }
    for (size_t k = 0; k < sizeof others / sizeof others[0]; k++) {
        if (others[k].nargs != nargs || strcmp(others[k].name, name) != 0) continue;
        if (others[k].is_operator)
            return sql_operator(ctx, others[k].other, args[0], args[1], position, out);
        const plan_expr *separator =
            nargs == 2 ? args[0] : sql_text_const(ctx, "", COL_UNKNOWN, position);
        const plan_expr *turned[] = {args[nargs - 1], separator};
        return sql_call(ctx, others[k].other, 2, turned, position, out);
    }
    return sql_unsupported(ctx, position, "VARIADIC arguments of %s are not supported", name);
}

base_rc sql_bind_func_call(sql_binder *binder, const sql_tree *body, const plan_expr **out) {
    sql_ctx *ctx = binder->ctx;
    int32_t position = sql_tree_position(ctx, body);
    const sql_tree *names = sql_get(body, "funcname"), *last = names->child;
    const char *schema = NULL;
    if (last->next != NULL) {
        schema = sql_string(last);
        last = last->next;
    }
    const char *name = sql_string(last);
    if (binder->matching != NULL) {
        bool is_call;
        SQL_TRY(sql_match_call(binder, schema, name, body, &is_call, out));
        if (is_call) return BASE_OK;
    }
    if (schema != NULL && strcmp(schema, "pg_catalog") != 0)
        return sql_fail(ctx, position, BASE_E_NOT_FOUND, BASE_SQLSTATE_UNDEFINED_FUNCTION,
                        "function %s.%s does not exist", schema, name);
    if (sql_get(body, "over") != NULL ||
        (sql_over_exists(name) && !sql_get_bool(body, "agg_within_group")))
        return sql_bind_over_call(binder, name, body, out);
    if (sql_agg_exists(name) || sql_get_bool(body, "agg_within_group"))
        return sql_bind_agg_call(binder, name, body, out);
    if (sql_agg_exists(name)) return sql_bind_agg_call(binder, name, body, out);
    if (sql_get(body, "agg_filter") != NULL || sql_get_bool(body, "agg_distinct"))
        return sql_fail(ctx, position, BASE_E_INVALID, "42809",
                        "%s specified, but %s is not an aggregate function",
                        sql_get_bool(body, "agg_distinct") ? "DISTINCT" : "FILTER", name);
    const sql_tree *arg_list = sql_get(body, "args");
    uint32_t nargs = sql_tree_count(arg_list), i = 0;
    const plan_expr **args = base_arena_array(ctx->arena, const plan_expr *, nargs + 1);
    if (sql_get_bool(body, "func_variadic"))
        return bind_variadic(binder, name, arg_list, nargs, args, position, out);
    for (const sql_tree *arg = arg_list == NULL ? NULL : arg_list->child; arg != NULL;
         arg = arg->next) {
        if (sql_is(arg, "NamedArgExpr")) {
            SQL_TRY(bind_named(binder, name, arg, &nargs, i, &args, position));
            break;
        }
        SQL_TRY(sql_bind_expr(binder, arg, &args[i++]));
    }
    if (strcmp(name, "overlaps") == 0 && nargs == 4) SQL_TRY(sql_period_ends(ctx, args, position));
    const col_func *set;
    if (col_set_find(base_str_of(name), &set, 1) > 0)
        return sql_bind_set_call(binder, name, nargs, args, position, out);
    return sql_call(ctx, name, nargs, args, position, out);
}
