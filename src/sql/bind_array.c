// bind_array.c - array constructors, subscripts, || and comparisons with ANY and ALL. Arrays have
// one dimension here; what would make further ones is refused by name. Entry points:
// sql_bind_array, sql_bind_subscript, sql_quantify.
#include "sql/sql_int.h"

#include "base/must.h"

static base_rc too_many_dimensions(sql_ctx *ctx, int32_t position) {
    return sql_unsupported(ctx, position, "arrays of more than one dimension are not supported");
}

// The function of a name that only the binder can write.
static const col_func *internal_function(const char *name) {
    const col_func *const *funcs;
    size_t n = col_func_find(base_str_of(name), &funcs);
    must(n == 1);
    return funcs[0];
}

base_rc sql_bind_array(sql_binder *binder, const sql_tree *body, const col_type *element,
                       const plan_expr **out) {
    sql_ctx *ctx = binder->ctx;
    int32_t position = sql_tree_position(ctx, body);
    const sql_tree *elements = sql_get(body, "elements");
    uint32_t n = sql_tree_count(elements), i = 0;
    if (n == 0 && element == NULL) {
        sql_fail(ctx, position, BASE_E_INVALID, "42P18", "cannot determine type of empty array");
        base_error_hint(ctx->err, "Explicitly cast to the desired type, for example "
                                  "ARRAY[]::integer[].");
        return ctx->err->code;
    }
    plan_expr *call = sql_expr(ctx, PLAN_EXPR_CALL, col_type_of(COL_UNKNOWN), n, position);
    call->func = internal_function("array[]");
    for (const sql_tree *item = n == 0 ? NULL : elements->child; item != NULL; item = item->next) {
        if (sql_is(item, "A_ArrayExpr"))
            return too_many_dimensions(ctx, sql_tree_position(ctx, sql_body(item)));
        SQL_TRY(sql_bind_expr(binder, item, &call->args[i]));
        if (col_kind_is_array(call->args[i]->type.kind)) return too_many_dimensions(ctx, position);
        i++;
    }
    col_type type;
    if (element != NULL) {
        type = *element;
        for (i = 0; i < n; i++) {
            if (!sql_can_coerce(call->args[i], type.kind, COL_CAST_EXPLICIT))
                return sql_fail(ctx, call->args[i]->position, BASE_E_INVALID, "42846",
                                "cannot cast type %s to %s",
                                sql_type_name(ctx, &call->args[i]->type),
                                sql_type_name(ctx, &type));
            SQL_TRY(sql_coerce(ctx, call->args[i], type, COL_CAST_EXPLICIT, &call->args[i]));
        }
    } else {
        SQL_TRY(sql_common_type(ctx, "ARRAY", n, call->args, &type));
    }
    if (!col_kind_has_array(type.kind))
        return sql_fail(ctx, position, BASE_E_NOT_FOUND, BASE_SQLSTATE_UNDEFINED_OBJECT,
                        "could not find array type for data type %s", sql_type_name(ctx, &type));
    call->type = col_type_array_of(&type);
    return sql_fold(ctx, call, out);
}

// ---- subscripts

// A bound of a slice; one that is left out reaches as far as there is something.
static base_rc bind_bound(sql_binder *binder, const sql_tree *bound, int32_t otherwise,
                          int32_t position, const plan_expr **out) {
    if (bound == NULL) {
        *out = sql_i64_const(binder->ctx, otherwise, COL_INT4, position);
        return BASE_OK;
    }
    SQL_TRY(sql_bind_expr(binder, bound, out));
    return sql_coerce(binder->ctx, *out, col_type_of(COL_INT4), COL_CAST_ASSIGNMENT, out);
}

base_rc sql_bind_subscript(sql_binder *binder, const sql_tree *part, const plan_expr *array,
                           const plan_expr **out) {
    sql_ctx *ctx = binder->ctx;
    const sql_tree *body = sql_body(part);
    bool is_slice = sql_get_bool(body, "is_slice");
    if (array->type.kind == COL_JSONB && !is_slice) { // a member or an element, as -> gives it
        const plan_expr *index;
        SQL_TRY(sql_bind_expr(binder, sql_get(body, "uidx"), &index));
        return sql_operator(ctx, "->", array, index, array->position, out);
    }
    if (!col_kind_is_array(array->type.kind))
        return sql_fail(ctx, array->position, BASE_E_INVALID, BASE_SQLSTATE_DATATYPE_MISMATCH,
                        "cannot subscript type %s because it does not support subscripting",
                        sql_type_name(ctx, &array->type));
    if (sql_is(part->next, "A_Indices")) return too_many_dimensions(ctx, array->position);
    uint32_t nargs = is_slice ? 3 : 2;
    plan_expr *call =
        sql_expr(ctx, PLAN_EXPR_CALL, is_slice ? array->type : col_type_element(&array->type),
                 nargs, array->position);
    call->func = internal_function(is_slice ? "[:]" : "[]");
    call->args[0] = array;
    if (is_slice)
        SQL_TRY(bind_bound(binder, sql_get(body, "lidx"), 1, array->position, &call->args[1]));
    SQL_TRY(bind_bound(binder, sql_get(body, "uidx"), INT32_MAX, array->position,
                       &call->args[nargs - 1]));
    return sql_fold(ctx, call, out);
}

// ---- ||

base_rc sql_array_concat(sql_ctx *ctx, const plan_expr *left, const plan_expr *right,
                         int32_t position, const plan_expr **out) {
    // A literal without a type is taken to be of the other side's, as for any operator.
    bool append = !col_kind_is_array(right->type.kind) && !sql_is_unknown(right);
    bool prepend = !col_kind_is_array(left->type.kind) && !sql_is_unknown(left);
    const plan_expr *args[] = {left, right};
    const char *name = append ? "array_append" : prepend ? "array_prepend" : "array_cat";
    return sql_call(ctx, name, 2, args, position, out);
}

// ---- ANY and ALL

// Stands for an element while the operator is looked for.
#define ELEMENT_COLUMN (SQL_AGG_BASE - 1)

static bool is_element(const plan_expr *expr) {
    return expr->kind == PLAN_EXPR_COLUMN && expr->index == ELEMENT_COLUMN;
}

base_rc sql_quantify(sql_ctx *ctx, const char *op, bool any, const plan_expr *left,
                     const plan_expr *array, int32_t position, const plan_expr **out) {
    if (sql_is_unknown(array)) {
        SQL_TRY(sql_settle(ctx, &left));
        SQL_TRY(sql_coerce(ctx, array, col_type_of(col_kind_array_of(left->type.kind)),
                           COL_CAST_IMPLICIT, &array));
    }
    if (!col_kind_is_array(array->type.kind))
        return sql_fail(ctx, position, BASE_E_INVALID, "42809",
                        "op ANY/ALL (array) requires array on right side");
    const plan_expr *found,
        *element = plan_expr_column(ctx->arena, ELEMENT_COLUMN, col_type_element(&array->type));
    SQL_TRY(sql_operator(ctx, op, left, element, position, &found));
    // x !~ ALL (a) is NOT x ~ ANY (a).
    bool negated = found->kind == PLAN_EXPR_NOT;
    if (negated) found = found->args[0];
    if (found->type.kind != COL_BOOL)
        return sql_fail(ctx, position, BASE_E_INVALID, "42809",
                        "op ANY/ALL (array) requires operator to yield boolean");
    if (found->kind != PLAN_EXPR_CALL || found->nargs != 2)
        return sql_unsupported(ctx, position, "%s ANY/ALL (array) is not supported", op);
    const plan_expr *right = found->args[1];
    if (right->kind == PLAN_EXPR_CALL && right->nargs == 1 && is_element(right->args[0])) {
        SQL_TRY(sql_coerce(ctx, array, col_type_of(col_kind_array_of(right->type.kind)),
                           COL_CAST_IMPLICIT, &array));
    } else if (!is_element(right)) {
        return sql_unsupported(ctx, position, "%s ANY/ALL (array) is not supported", op);
    }
    plan_expr *expr = sql_expr(ctx, any != negated ? PLAN_EXPR_ANY : PLAN_EXPR_ALL,
                               col_type_of(COL_BOOL), 2, position);
    expr->func = found->func;
    expr->args[0] = found->args[0];
    expr->args[1] = array;
    *out = expr;
    if (!negated) return BASE_OK;
    plan_expr *negation = sql_expr(ctx, PLAN_EXPR_NOT, col_type_of(COL_BOOL), 1, position);
    negation->args[0] = expr;
    *out = negation;
    return BASE_OK;
}
