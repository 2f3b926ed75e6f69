// pginfo.c - information_schema. Materialised views are listed with the views, unlike in
// PostgreSQL, whose information_schema does not know them: tools that browse by it (Grafana,
// Metabase) would otherwise not see what weir is about.

#include "engine/pgcatalog/pgcat_int.h"

#include <string.h>

static const char *yes_no(bool v) {
    return v ? "YES" : "NO";
}

base_rc system_catalog_name(system_rows *r, base_error *err) {
    (void)err;
    system_row(r);
    system_text(r, "catalog_name", r->session->database);
    return BASE_OK;
}

base_rc system_enabled_roles(system_rows *r, base_error *err) {
    (void)err;
    system_row(r);
    system_text(r, "role_name", r->session->user);
    return BASE_OK;
}

static void schema_row(system_rows *r, const char *name, const char *comment) {
    (void)comment;
    system_row(r);
    system_text(r, "catalog_name", r->session->database);
    system_text(r, "schema_name", name);
    system_text(r, "schema_owner", r->session->user);
}

base_rc system_schemata(system_rows *r, base_error *err) {
    (void)err;
    pgcat_schemas(r, schema_row);
    return BASE_OK;
}

base_rc system_info_tables(system_rows *r, base_error *err) {
    (void)err;
    uint32_t n;
    const plan_object **objects = pgcat_relations(r, &n);
    for (uint32_t i = 0; i < n; i++) {
        bool is_table = pgcat_relkind(objects[i]) == 'r';
        system_row(r);
        system_text(r, "table_catalog", r->session->database);
        system_text(r, "table_schema", objects[i]->schema);
        system_text(r, "table_name", objects[i]->name);
        system_text(r, "table_type", is_table ? "BASE TABLE" : "VIEW");
        system_text(r, "is_insertable_into",
                    yes_no(is_table && objects[i]->kind != PLAN_OBJECT_SYSTEM));
        system_text(r, "is_typed", "NO");
    }
    return BASE_OK;
}

base_rc system_info_views(system_rows *r, base_error *err) {
    (void)err;
    uint32_t n;
    const plan_object **objects = pgcat_relations(r, &n);
    for (uint32_t i = 0; i < n; i++) {
        if (pgcat_relkind(objects[i]) == 'r') continue;
        system_row(r);
        system_text(r, "table_catalog", r->session->database);
        system_text(r, "table_schema", objects[i]->schema);
        system_text(r, "table_name", objects[i]->name);
        system_text(r, "view_definition",
                    objects[i]->query != NULL ? objects[i]->query : objects[i]->definition);
        system_text(r, "check_option", "NONE");
        system_text(r, "is_updatable", "NO");
        system_text(r, "is_insertable_into", "NO");
    }
    return BASE_OK;
}

static const char *udt_name(col_kind kind) {
    switch (kind) {
    case COL_BOOL:
        return "bool";
    case COL_INT2:
        return "int2";
    case COL_INT4:
        return "int4";
    case COL_INT8:
        return "int8";
    case COL_FLOAT4:
        return "float4";
    case COL_FLOAT8:
        return "float8";
    case COL_VARCHAR:
        return "varchar";
    case COL_TIME:
        return "time";
    case COL_TIMESTAMP:
        return "timestamp";
    case COL_TIMESTAMPTZ:
        return "timestamptz";
    case COL_STRUCT:
        return "jsonb";
    case COL_CHAR:
        return "char";
    default:
        return col_kind_name(kind);
    }
}

static void number_cells(system_rows *r, const col_type *type) {
    int precision = 0;
    switch (type->kind) {
    case COL_INT2:
        precision = 16;
        break;
    case COL_INT4:
        precision = 32;
        break;
    case COL_INT8:
        precision = 64;
        break;
    case COL_FLOAT4:
        precision = 24;
        break;
    case COL_FLOAT8:
        precision = 53;
        break;
    case COL_NUMERIC:
        system_i64(r, "numeric_precision_radix", 10);
        if (type->precision == 0) return;
        system_i64(r, "numeric_precision", type->precision);
        system_i64(r, "numeric_scale", type->scale);
        return;
    default:
        return;
    }
    system_i64(r, "numeric_precision", precision);
    system_i64(r, "numeric_precision_radix", 2);
    if (type->kind != COL_FLOAT4 && type->kind != COL_FLOAT8) system_i64(r, "numeric_scale", 0);
}

static void column_row(system_rows *r, const plan_object *object, uint32_t i, base_buf *text) {
    const plan_column *column = &object->columns[i];
    const col_type *type = &column->type;
    system_row(r);
    system_text(r, "table_catalog", r->session->database);
    system_text(r, "table_schema", object->schema);
    system_text(r, "table_name", object->name);
    system_text(r, "column_name", column->name);
    system_i64(r, "ordinal_position", i + 1);
    if (column->default_value != NULL) {
        base_buf_clear(text);
        plan_expr_print(column->default_value, NULL, text);
        system_copy(r, "column_default", base_buf_str(text));
    }
    system_text(r, "is_nullable", yes_no(!column->not_null));
    system_text(r, "data_type",
                col_kind_is_array(type->kind) ? "ARRAY"
                : type->kind == COL_STRUCT    ? "jsonb"
                                              : col_kind_name(type->kind));
    if (type->kind == COL_VARCHAR && type->precision > 0)
        system_i64(r, "character_maximum_length", type->precision);
    number_cells(r, type);
    if (type->kind == COL_TIME || type->kind == COL_TIMESTAMP || type->kind == COL_TIMESTAMPTZ ||
        type->kind == COL_INTERVAL)
        system_i64(r, "datetime_precision", 6);
    if (type->kind == COL_DATE) system_i64(r, "datetime_precision", 0);
    system_text(r, "udt_catalog", r->session->database);
    system_text(r, "udt_schema", "pg_catalog");
    system_printf(r, "udt_name", "%s%s", col_kind_is_array(type->kind) ? "_" : "",
                  udt_name(col_kind_element(type->kind)));
    system_printf(r, "dtd_identifier", "%u", i + 1);
    system_text(r, "is_self_referencing", "NO");
    system_text(r, "is_identity", "NO");
    system_text(r, "identity_cycle", "NO");
    system_text(r, "is_generated", "NEVER");
    system_text(r, "is_updatable", "NO");
}

base_rc system_info_columns(system_rows *r, base_error *err) {
    (void)err;
    uint32_t n;
    const plan_object **objects = pgcat_relations(r, &n);
    base_buf text = {0};
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t c = 0; c < pgcat_shown_columns(objects[i]); c++)
            column_row(r, objects[i], c, &text);
    base_buf_deinit(&text);
    return BASE_OK;
}

// ---- constraints --------------------------------------------------------------------------------

static void constraint_cells(system_rows *r, const plan_object *object, const char *check) {
    system_row(r);
    system_text(r, "constraint_catalog", r->session->database);
    system_text(r, "constraint_schema", object->schema);
    if (check != NULL)
        system_text(r, "constraint_name", check);
    else
        system_printf(r, "constraint_name", "%s_pkey", object->name);
}

static void table_cells(system_rows *r, const plan_object *object) {
    system_text(r, "table_catalog", r->session->database);
    system_text(r, "table_schema", object->schema);
    system_text(r, "table_name", object->name);
}

static void table_constraint(system_rows *r, const plan_object *object, const char *check) {
    constraint_cells(r, object, check);
    table_cells(r, object);
    system_text(r, "constraint_type", check != NULL ? "CHECK" : "PRIMARY KEY");
    system_text(r, "is_deferrable", "NO");
    system_text(r, "initially_deferred", "NO");
    system_text(r, "enforced", "YES");
    if (check == NULL) system_text(r, "nulls_distinct", "YES");
}

base_rc system_table_constraints(system_rows *r, base_error *err) {
    (void)err;
    uint32_t n;
    const plan_object **objects = pgcat_relations(r, &n);
    for (uint32_t i = 0; i < n; i++) {
        if (pgcat_has_key(objects[i])) table_constraint(r, objects[i], NULL);
        for (uint32_t c = 0; c < objects[i]->nchecks; c++)
            table_constraint(r, objects[i], objects[i]->checks[c].name);
    }
    return BASE_OK;
}

base_rc system_key_usage(system_rows *r, base_error *err) {
    (void)err;
    uint32_t n;
    const plan_object **objects = pgcat_relations(r, &n);
    for (uint32_t i = 0; i < n; i++) {
        for (uint32_t k = 0; pgcat_has_key(objects[i]) && k < objects[i]->nkey; k++) {
            constraint_cells(r, objects[i], NULL);
            table_cells(r, objects[i]);
            system_text(r, "column_name", objects[i]->columns[objects[i]->key[k]].name);
            system_i64(r, "ordinal_position", k + 1);
        }
    }
    return BASE_OK;
}

base_rc system_constraint_usage(system_rows *r, base_error *err) {
    (void)err;
    uint32_t n;
    const plan_object **objects = pgcat_relations(r, &n);
    for (uint32_t i = 0; i < n; i++) {
        for (uint32_t k = 0; pgcat_has_key(objects[i]) && k < objects[i]->nkey; k++) {
            constraint_cells(r, objects[i], NULL);
            table_cells(r, objects[i]);
            system_text(r, "column_name", objects[i]->columns[objects[i]->key[k]].name);
        }
    }
    return BASE_OK;
}

base_rc system_check_constraints(system_rows *r, base_error *err) {
    (void)err;
    uint32_t n;
    const plan_object **objects = pgcat_relations(r, &n);
    for (uint32_t i = 0; i < n; i++) {
        for (uint32_t c = 0; c < objects[i]->nchecks; c++) {
            constraint_cells(r, objects[i], objects[i]->checks[c].name);
            system_text(r, "check_clause", objects[i]->checks[c].text);
        }
    }
    return BASE_OK;
}
