// coerce.c - literals, casts and common types by PostgreSQL's rules. An untyped literal is a
// constant whose expression type is COL_UNKNOWN and whose vector is text; it becomes typed by
// sql_coerce. Source: PostgreSQL 15 documentation, "Type Conversion". Entry points: sql_coerce,
// sql_common_type, sql_type_from_tree, sql_fold.
#include "sql/sql_int.h"

#include <stdlib.h>

#include "base/must.h"
#include "col/codec.h"

plan_expr *sql_expr(sql_ctx *ctx, plan_expr_kind kind, col_type type, uint32_t nargs,
                    int32_t position) {
    plan_expr *expr = base_arena_new(ctx->arena, plan_expr);
    expr->kind = kind;
    expr->type = type;
    expr->nargs = nargs;
    expr->args = nargs == 0 ? NULL : base_arena_array(ctx->arena, const plan_expr *, nargs);
    expr->position = position;
    return expr;
}

static plan_expr *const_expr(sql_ctx *ctx, col_type type, col_vec **vec, int32_t position) {
    *vec = base_arena_new(ctx->arena, col_vec);
    col_vec_init(*vec, ctx->arena, type, 1);
    plan_expr *expr = sql_expr(ctx, PLAN_EXPR_CONST, type, 0, position);
    expr->constant = *vec;
    return expr;
}

const plan_expr *sql_text_const(sql_ctx *ctx, const char *text, col_kind kind, int32_t position) {
    col_vec *vec;
    plan_expr *expr = const_expr(ctx, col_type_of(COL_TEXT), &vec, position);
    if (text == NULL) {
        col_vec_set_null(vec, ctx->arena, 0);
    } else {
        col_str(vec)[0] = base_str_of(text);
    }
    expr->type = col_type_of(kind);
    return expr;
}

const plan_expr *sql_i64_const(sql_ctx *ctx, int64_t value, col_kind kind, int32_t position) {
    col_vec *vec;
    plan_expr *expr = const_expr(ctx, col_type_of(kind), &vec, position);
    switch (kind) {
    case COL_INT4:
        col_i32(vec)[0] = (int32_t)value;
        break;
    case COL_OID:
    case COL_REGCLASS:
        col_u32(vec)[0] = (uint32_t)value;
        break;
    default:
        must(kind == COL_INT8);
        col_i64(vec)[0] = value;
    }
    return expr;
}

const plan_expr *sql_bool_const(sql_ctx *ctx, bool value) {
    col_vec *vec;
    plan_expr *expr = const_expr(ctx, col_type_of(COL_BOOL), &vec, 0);
    col_u8(vec)[0] = value;
    return expr;
}

bool sql_const_is_null(const plan_expr *expr) {
    return expr->kind == PLAN_EXPR_CONST && col_is_null(expr->constant, 0);
}

bool sql_is_true(const plan_expr *expr) {
    return expr->kind == PLAN_EXPR_CONST && !sql_const_is_null(expr) &&
           expr->type.kind == COL_BOOL && col_u8(expr->constant)[0] != 0;
}

bool sql_is_unknown(const plan_expr *expr) {
    return expr->type.kind == COL_UNKNOWN;
}

const char *sql_type_name(sql_ctx *ctx, const col_type *type) {
    if (type->kind == COL_UNKNOWN) return "unknown";
    if (type->kind != COL_STRUCT) return col_kind_name(type->kind);
    base_buf buf;
    base_buf_init(&buf);
    col_type_format(type, &buf);
    const char *name = base_arena_memdup(ctx->arena, buf.p, buf.n);
    base_buf_deinit(&buf);
    return name;
}

bool sql_can_coerce(const plan_expr *expr, col_kind kind, col_cast_context context) {
    return sql_is_unknown(expr) || expr->type.kind == kind ||
           col_cast_find(expr->type.kind, kind, context) != NULL;
}

// 'schema.name' or a number, as regclass reads it.
static base_rc coerce_regclass(sql_ctx *ctx, const plan_expr *expr, const plan_expr **out) {
    base_str text = col_str(expr->constant)[0];
    const char *source = base_arena_memdup(ctx->arena, text.p, text.n);
    char *end;
    unsigned long long number = strtoull(source, &end, 10);
    if (end != source && *end == '\0') {
        *out = sql_i64_const(ctx, (int64_t)number, COL_REGCLASS, expr->position);
        return BASE_OK;
    }
    const char *parts[3] = {NULL};
    int n = 0;
    size_t at = 0;
    for (;;) {
        sql_token token = sql_token_next(text, &at, ctx->arena);
        if (token.value == NULL || n == 3) break;
        parts[n++] = token.value;
        token = sql_token_next(text, &at, ctx->arena);
        if (token.kind == SQL_TOKEN_END || token.text.p[0] != '.') break;
    }
    const plan_object *object = NULL;
    if (n == 1 || n == 2)
        object = ctx->session->catalog->find(ctx->session->catalog->self, n == 2 ? parts[0] : NULL,
                                             parts[n - 1]);
    if (object == NULL)
        return sql_fail(ctx, expr->position, BASE_E_NOT_FOUND, BASE_SQLSTATE_UNDEFINED_TABLE,
                        "relation \"%s\" does not exist", source);
    *out = sql_i64_const(ctx, object->id, COL_REGCLASS, expr->position);
    return BASE_OK;
}

static base_rc coerce_literal(sql_ctx *ctx, const plan_expr *expr, col_type type,
                              const plan_expr **out) {
    if (type.kind == COL_UNKNOWN) {
        *out = expr;
        return BASE_OK;
    }
    if (sql_const_is_null(expr)) {
        plan_expr *null = base_arena_new(ctx->arena, plan_expr);
        *null = *plan_expr_null(ctx->arena, type);
        null->position = expr->position;
        *out = null;
        return BASE_OK;
    }
    if (type.kind == COL_REGCLASS) return coerce_regclass(ctx, expr, out);
    col_vec *vec;
    plan_expr *typed = const_expr(ctx, type, &vec, expr->position);
    if (col_text_parse(col_str(expr->constant)[0], ctx->session->zone, vec, 0, ctx->arena,
                       ctx->err) != BASE_OK) {
        ctx->err->position = expr->position;
        return ctx->err->code;
    }
    *out = typed;
    return BASE_OK;
}

static base_rc coerce_param(sql_ctx *ctx, const plan_expr *expr, col_type type,
                            col_cast_context context, const plan_expr **out) {
    if (ctx->params[expr->index].kind == COL_UNKNOWN) {
        if (type.kind == COL_UNKNOWN) {
            *out = expr;
            return BASE_OK;
        }
        // The name of a relation is looked up when the statement runs.
        col_kind kind = type.kind == COL_REGCLASS ? COL_TEXT : type.kind;
        ctx->params[expr->index] = kind == COL_STRUCT ? type : col_type_of(kind);
    }
    plan_expr *typed = base_arena_new(ctx->arena, plan_expr);
    *typed = *expr;
    typed->type = ctx->params[expr->index];
    return sql_coerce(ctx, typed, type, context, out);
}

static base_rc cast_failed(sql_ctx *ctx, const plan_expr *expr, col_type type,
                           col_cast_context context) {
    return sql_fail(ctx, expr->position, BASE_E_INVALID,
                    context == COL_CAST_EXPLICIT ? "42846" : BASE_SQLSTATE_DATATYPE_MISMATCH,
                    "cannot cast type %s to %s", sql_type_name(ctx, &expr->type),
                    sql_type_name(ctx, &type));
}

static base_rc coerce_row(sql_ctx *ctx, const plan_expr *expr, col_type type,
                          col_cast_context context, const plan_expr **out) {
    if (expr->nargs != type.nfields) return cast_failed(ctx, expr, type, context);
    plan_expr *row = sql_expr(ctx, PLAN_EXPR_ROW, type, expr->nargs, expr->position);
    for (uint32_t i = 0; i < expr->nargs; i++)
        SQL_TRY(sql_coerce(ctx, expr->args[i], type.fields[i].type, context, &row->args[i]));
    *out = row;
    return BASE_OK;
}

base_rc sql_coerce(sql_ctx *ctx, const plan_expr *expr, col_type type, col_cast_context context,
                   const plan_expr **out) {
    if (sql_is_unknown(expr)) {
        if (expr->kind == PLAN_EXPR_PARAM) return coerce_param(ctx, expr, type, context, out);
        must(expr->kind == PLAN_EXPR_CONST);
        // An explicit cast to varchar(n) cuts; input refuses what is longer.
        if (!(context == COL_CAST_EXPLICIT && col_kind_element(type.kind) == COL_VARCHAR &&
              type.precision > 0 && !sql_const_is_null(expr)))
            return coerce_literal(ctx, expr, type, out);
        SQL_TRY(coerce_literal(ctx, expr, col_type_of(type.kind), &expr));
    }
    bool same_kind = expr->type.kind == type.kind;
    if (same_kind && type.kind != COL_STRUCT &&
        (type.precision == 0 ||
         (type.precision == expr->type.precision && type.scale == expr->type.scale))) {
        *out = expr;
        return BASE_OK;
    }
    if (same_kind && col_type_eq(&expr->type, &type)) {
        *out = expr;
        return BASE_OK;
    }
    if (expr->kind == PLAN_EXPR_ROW && type.kind == COL_STRUCT)
        return coerce_row(ctx, expr, type, context, out);
    const col_func *cast = col_cast_find(expr->type.kind, type.kind, context);
    if (cast == NULL) return cast_failed(ctx, expr, type, context);
    plan_expr *call = sql_expr(ctx, PLAN_EXPR_CALL, type, 1, expr->position);
    call->func = cast;
    call->args[0] = expr;
    return sql_fold(ctx, call, out);
}

base_rc sql_settle(sql_ctx *ctx, const plan_expr **expr) {
    if (!sql_is_unknown(*expr)) return BASE_OK;
    return sql_coerce(ctx, *expr, col_type_of(COL_TEXT), COL_CAST_IMPLICIT, expr);
}

base_rc sql_common_type_find(sql_ctx *ctx, const char *what, uint32_t n,
                             const plan_expr *const *items, col_type *type) {
    const plan_expr *best = NULL;
    bool same = true;
    for (uint32_t i = 0; i < n; i++) {
        const plan_expr *item = items[i];
        if (sql_is_unknown(item)) continue;
        if (best == NULL) {
            best = item;
            continue;
        }
        if (item->type.kind == best->type.kind) {
            same &= col_type_eq(&item->type, &best->type);
            continue;
        }
        same = false;
        col_kind have = best->type.kind, other = item->type.kind;
        if (col_kind_category(have) != col_kind_category(other))
            return sql_fail(ctx, item->position, BASE_E_INVALID, BASE_SQLSTATE_DATATYPE_MISMATCH,
                            "%s types %s and %s cannot be matched", what,
                            sql_type_name(ctx, &best->type), sql_type_name(ctx, &item->type));
        if (!col_kind_preferred(have) && col_cast_find(have, other, COL_CAST_IMPLICIT) != NULL &&
            col_cast_find(other, have, COL_CAST_IMPLICIT) == NULL)
            best = item;
    }
    if (best == NULL) {
        *type = col_type_of(COL_TEXT);
        return BASE_OK;
    }
    *type = best->type;
    if (!same && best->type.kind != COL_STRUCT) *type = col_type_of(best->type.kind);
    return BASE_OK;
}

base_rc sql_common_type(sql_ctx *ctx, const char *what, uint32_t n, const plan_expr **items,
                        col_type *type) {
    SQL_TRY(sql_common_type_find(ctx, what, n, items, type));
    for (uint32_t i = 0; i < n; i++) {
        if (!sql_can_coerce(items[i], type->kind, COL_CAST_IMPLICIT))
            return sql_fail(ctx, items[i]->position, BASE_E_INVALID, "42846",
                            "%s could not convert type %s to %s", what,
                            sql_type_name(ctx, &items[i]->type), sql_type_name(ctx, type));
        // A literal takes the bare type: its own digits count.
        col_type to = type->kind == COL_STRUCT ? *type : col_type_of(type->kind);
        SQL_TRY(sql_coerce(ctx, items[i], to, COL_CAST_IMPLICIT, &items[i]));
        if (!col_type_eq(&items[i]->type, type) && type->kind != COL_STRUCT)
            *type = col_type_of(type->kind);
    }
    return BASE_OK;
}

bool sql_of_one_kind(sql_ctx *ctx, const plan_expr *pair[2]) {
    if (pair[0]->type.kind == pair[1]->type.kind) return true;
    col_type type;
    base_error *err = ctx->err, ignored;
    ctx->err = &ignored;
    base_rc rc = sql_common_type(ctx, "=", 2, pair, &type);
    ctx->err = err;
    return rc == BASE_OK;
}

// ---- type names ------------------------------------------------------------------------------

static base_rc apply_typmods(sql_ctx *ctx, const sql_tree *mods, int32_t position, col_type *type) {
    int64_t first = 0, second = 0;
    if (mods == NULL || mods->child == NULL) return BASE_OK;
    if (type->kind == COL_NUMERIC) {
        if (!sql_get_int(ctx, sql_body(mods->child), &first) || first < 1 ||
            first > BASE_DECIMAL_DIGITS_MAX)
            return sql_fail(ctx, position, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER,
                            "NUMERIC precision %lld must be between 1 and %d", (long long)first,
                            BASE_DECIMAL_DIGITS_MAX);
        if (mods->child->next != NULL && (!sql_get_int(ctx, sql_body(mods->child->next), &second) ||
                                          second < 0 || second > first))
            return sql_fail(ctx, position, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER,
                            "NUMERIC scale %lld must be between 0 and precision %lld",
                            (long long)second, (long long)first);
        type->precision = (int16_t)first;
        type->scale = (int16_t)second;
    } else if (type->kind == COL_VARCHAR) {
        if (!sql_get_int(ctx, sql_body(mods->child), &first) || first < 1 || first > INT16_MAX)
            return sql_fail(ctx, position, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER,
                            "length for type varchar must be between 1 and %d", INT16_MAX);
        type->precision = (int16_t)first;
    } else if (type->kind != COL_INTERVAL && type->kind != COL_TIME &&
               type->kind != COL_TIMESTAMP && type->kind != COL_TIMESTAMPTZ) {
        return SQL_SYNTAX(ctx, position, "type modifier is not allowed for type \"%s\"",
                          col_kind_name(type->kind));
    }
    return BASE_OK;
}

// Object identifier types that show as plain numbers here.
static bool is_oid_alias(const char *name) {
    static const char *const names[] = {"regtype",   "regproc", "regprocedure", "regnamespace",
                                        "regrole",   "regoper", "regoperator",  "regcollation",
                                        "regconfig", "xid",     "cid"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(names[i], name) == 0) return true;
    return false;
}

base_rc sql_type_from_tree(sql_ctx *ctx, const sql_tree *type_name, col_type *type) {
    const sql_tree *names = sql_get(type_name, "names"), *last = names->child;
    int32_t position = sql_tree_position(ctx, type_name);
    while (last->next != NULL) last = last->next;
    const char *name = sql_string(last);
    bool is_array = sql_get(type_name, "arrayBounds") != NULL;
    *type = col_type_of(COL_UNKNOWN);
    if (name[0] == '_') {
        is_array = true;
        name++;
    }
    bool known = true;
    if (strcmp(name, "char") == 0) {
        type->kind = COL_CHAR;
    } else if (is_oid_alias(name)) {
        type->kind = COL_OID;
    } else if (strcmp(name, "unknown") == 0 || strcmp(name, "aclitem") == 0) {
        type->kind = COL_TEXT;
    } else {
        known = col_kind_from_name(base_str_of(name), &type->kind) && type->kind != COL_STRUCT &&
                !(is_array && col_kind_is_array(type->kind));
    }
    if (!known && strcmp(name, "bpchar") == 0) {
        sql_unsupported(ctx, position, "type character(n) is not supported");
        base_error_hint(ctx->err, "Use TEXT or VARCHAR(n).");
        return ctx->err->code;
    }
    if (!known)
        return sql_fail(ctx, position, BASE_E_NOT_FOUND, BASE_SQLSTATE_UNDEFINED_OBJECT,
                        "type \"%s\" does not exist", name);
    SQL_TRY(apply_typmods(ctx, sql_get(type_name, "typmods"), position, type));
    if (is_array) *type = col_type_array_of(type);
    return BASE_OK;
}

// ---- folding ---------------------------------------------------------------------------------

base_rc sql_fold(sql_ctx *ctx, const plan_expr *expr, const plan_expr **out) {
    *out = expr;
    if (expr->kind != PLAN_EXPR_CALL || (expr->func->flags & (COL_FUNC_STABLE | COL_FUNC_HOST)))
        return BASE_OK;
    for (uint32_t i = 0; i < expr->nargs; i++)
        if (expr->args[i]->kind != PLAN_EXPR_CONST || sql_is_unknown(expr->args[i])) return BASE_OK;
    col_batch row = {.nrows = 1};
    base_error error = {0};
    col_func_ctx func_ctx = {.arena = ctx->arena,
                             .err = &error,
                             .now_us = ctx->session->now_us,
                             .zone = ctx->session->zone};
    const col_vec *value;
    // What fails is left for the run: it may stand in a branch that is never taken.
    if (plan_eval(expr, &row, &func_ctx, &value) != BASE_OK) return BASE_OK;
    plan_expr *constant = base_arena_new(ctx->arena, plan_expr);
    *constant = *plan_expr_const(ctx->arena, value);
    constant->type = expr->type;
    constant->position = expr->position;
    *out = constant;
    return BASE_OK;
}
