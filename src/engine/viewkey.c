// viewkey.c - reads the key of one row of a view from JSON. Entry point: engine_view_key_of_json.

#include "engine/viewkey.h"

#include "col/codec.h"
#include "col/json_tree.h"
#include "engine/history/ledger.h"

static base_rc refuse(const plan_object *view, const engine_view_key *key, const char *what,
                      base_error *err) {
    base_buf names = {0};
    for (uint32_t i = 0; i < key->n; i++) {
        if (i > 0) base_buf_add_cstr(&names, ", ");
        base_buf_add_cstr(&names, view->columns[key->columns[i]].name);
    }
    base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER,
              "the key of a row of \"%s.%s\" is (%s), and %s", view->schema, view->name,
              base_buf_cstr(&names), what);
    base_buf_deinit(&names);
    return err->code;
}

static const col_json *value_of(const plan_object *view, const engine_view_key *key,
                                const col_json *json, uint32_t i) {
    if (json->kind == COL_JSON_OBJECT && json->n == key->n)
        return col_json_member(json, base_str_of(view->columns[key->columns[i]].name));
    if (json->kind == COL_JSON_ARRAY && json->n == key->n) return json->items[i];
    bool whole = key->n == 1 && json->kind != COL_JSON_OBJECT && json->kind != COL_JSON_ARRAY;
    return whole ? json : NULL;
}

static base_rc refuse_values(const plan_object *view, const engine_view_key *key,
                             const col_json *json, base_error *err) {
    bool many = json->kind == COL_JSON_OBJECT || json->kind == COL_JSON_ARRAY;
    uint32_t n = many ? (uint32_t)json->n : 1;
    if (n == key->n) return refuse(view, key, "these values are not one for each", err);
    base_buf what = {0};
    base_buf_printf(&what, "%u value%s given", n, n == 1 ? " is" : "s are");
    (void)refuse(view, key, base_buf_cstr(&what), err);
    base_buf_deinit(&what);
    return err->code;
}

static base_rc parse_value(const col_json *value, const base_zone *zone, col_vec *vec,
                           base_arena *arena, base_error *err) {
    base_str text;
    if (value->kind == COL_JSON_NULL) {
        col_vec_set_null(vec, arena, 0);
        return BASE_OK;
    }
    if (value->kind == COL_JSON_STRING && vec->type.kind != COL_JSONB) {
        text = value->text;
    } else {
        base_rc rc = col_json_print(value, arena, &text, err);
        if (rc != BASE_OK) return rc;
    }
    return col_text_parse(text, zone, vec, 0, arena, err);
}

base_rc engine_view_key_of_json(const plan_object *view, base_str json, const base_zone *zone,
                                base_arena *arena, engine_view_key *out, base_error *err) {
    uint32_t n = engine_declared_columns(view);
    out->columns = engine_ledger_key_columns(view, arena, &out->n);
    col_json *tree;
    base_rc rc = col_json_parse(json, arena, &tree, err);
    if (rc != BASE_OK) return rc;
    col_type *types = base_arena_array(arena, col_type, n + 1);
    for (uint32_t i = 0; i < n; i++) types[i] = view->columns[i].type;
    col_batch *row = col_batch_create(arena, n, types, 1);
    row->nrows = 1;
    for (uint32_t i = 0; i < out->n; i++) {
        const col_json *value = value_of(view, out, tree, i);
        if (value == NULL) return refuse_values(view, out, tree, err);
        const plan_column *column = &view->columns[out->columns[i]];
        rc = parse_value(value, zone, &row->cols[out->columns[i]], arena, err);
        if (rc != BASE_OK) {
            base_error_prefix(err, "key column \"%s\" of \"%s.%s\"", column->name, view->schema,
                              view->name);
            return rc;
        }
    }
    out->row = row;
    out->bytes = engine_ledger_key(view, row, 0, arena);
    return BASE_OK;
}
