// set_json.c - set-returning functions that take jsonb apart. Entry point: set_json_table.
#include "base/must.h"
#include "col/array_int.h"
#include "col/codec.h"
#include "col/set_int.h"

static base_rc parse(const col_vec *vec, uint32_t row, col_set *set, col_json **node,
                     base_error *err) {
    return col_json_parse(col_str(vec)[row], &set->scratch, node, err);
}

static const char *shape_of(const col_json *node) {
    return node->kind == COL_JSON_ARRAY    ? "an array"
           : node->kind == COL_JSON_OBJECT ? "an object"
                                           : "a scalar";
}

// The value in column col of the row added last, as JSON or as text.
static base_rc put(col_set *set, uint32_t col, const col_json *node, base_error *err) {
    col_vec *vec = &set->cols[col];
    uint32_t row = set->n - 1;
    if (vec->type.kind == COL_TEXT && node->kind == COL_JSON_NULL) {
        col_vec_set_null(vec, set->arena, row);
        return BASE_OK;
    }
    if (vec->type.kind == COL_TEXT && node->kind == COL_JSON_STRING) {
        col_str(vec)[row] =
            (base_str){base_arena_memdup(set->arena, node->text.p, node->text.n), node->text.n};
        return BASE_OK;
    }
    return col_json_print(node, set->arena, &col_str(vec)[row], err);
}

SET_GIVE(array_elements) {
    SET_UNUSED;
    col_json *node;
    SET_TRY(parse(args[0], row, set, &node, err));
    if (node->kind != COL_JSON_ARRAY) {
        return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER,
                         "cannot extract elements from %s", shape_of(node));
    }
    for (uint32_t i = 0; i < node->n; i++) {
        SET_TRY(col_set_add(set, err));
        SET_TRY(put(set, 0, node->items[i], err));
    }
    return BASE_OK;
}

static base_rc give_members(const col_vec *vec, uint32_t row, const char *name, col_set *set,
                            base_error *err) {
    col_json *node;
    SET_TRY(parse(vec, row, set, &node, err));
    if (node->kind != COL_JSON_OBJECT) {
        return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER,
                         "cannot call %s on %s", name,
                         set->ncols == 1 ? shape_of(node) : "a non-object");
    }
    for (uint32_t i = 0; i < node->n; i++) {
        SET_TRY(col_set_add(set, err));
        base_str key = node->items[i]->key;
        col_str(&set->cols[0])[set->n - 1] =
            (base_str){base_arena_memdup(set->arena, key.p, key.n), key.n};
        if (set->ncols == 2) SET_TRY(put(set, 1, node->items[i], err));
    }
    return BASE_OK;
}

SET_GIVE(each) {
    SET_UNUSED;
    return give_members(args[0], row, "jsonb_each", set, err);
}
SET_GIVE(each_text) {
    SET_UNUSED;
    return give_members(args[0], row, "jsonb_each_text", set, err);
}
SET_GIVE(object_keys) {
    SET_UNUSED;
    return give_members(args[0], row, "jsonb_object_keys", set, err);
}

#define S COL_FUNC_STRICT
#define J COL_JSONB
#define T COL_TEXT
#define PAIRS(name, kind, give_)                                                                   \
    {                                                                                              \
        .sig = {name, 1, {J}, T, S, NULL, NULL}, .ncols = 2,                                       \
        .cols = {{"key", T}, {"value", kind}}, .give = give_                                       \
    }
#define VALUES(name_, kind_, give_)                                                                \
    {                                                                                              \
        .sig = {name_, 1, {J}, kind_, S, NULL, NULL}, .ncols = 1, .cols = {{"value", kind_}},      \
        .give = give_                                                                              \
    }

static const col_set_func rows[] = {
    VALUES("jsonb_array_elements", J, array_elements),
    VALUES("jsonb_array_elements_text", T, array_elements),
    PAIRS("jsonb_each", J, each),
    PAIRS("jsonb_each_text", T, each_text),
    SET_ONE("jsonb_object_keys", 1, T, S, object_keys, J),
    // There is no type json: these take jsonb.
    VALUES("json_array_elements", J, array_elements),
    VALUES("json_array_elements_text", T, array_elements),
    PAIRS("json_each", J, each),
    PAIRS("json_each_text", T, each_text),
    SET_ONE("json_object_keys", 1, T, S, object_keys, J),
};
SET_TABLE(set_json_table, rows);
