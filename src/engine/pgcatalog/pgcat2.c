// pgcat2.c - pg_catalog: keys, checks, defaults, comments, functions, roles, databases, settings
// and the readable views over them. What weir has not (triggers, policies, ...) is empty, in
// pgdefs.c.

#include "engine/pgcatalog/pgcat_int.h"

#include <stdlib.h>
#include <string.h>

#include "engine/setting_int.h"

// ---- keys, checks, defaults ---------------------------------------------------------------------

// Attribute numbers of columns; NULL: zeros.
static void number_array(system_rows *r, const char *column, uint32_t n, const uint32_t *columns) {
    uint32_t *numbers = base_arena_array(r->arena, uint32_t, n + 1);
    for (uint32_t i = 0; i < n && columns != NULL; i++) numbers[i] = columns[i] + 1;
    system_numbers(r, column, n, numbers);
}

base_rc system_index(system_rows *r, base_error *err) {
    (void)err;
    uint32_t n;
    const plan_object **objects = pgcat_relations(r, &n);
    for (uint32_t i = 0; i < n; i++) {
        const plan_object *object = objects[i];
        if (!pgcat_has_key(object)) continue;
        system_row(r);
        system_i64(r, "indexrelid", PG_INDEX_OF(object->id));
        system_i64(r, "indrelid", object->id);
        system_i64(r, "indnatts", object->nkey);
        system_i64(r, "indnkeyatts", object->nkey);
        system_bool(r, "indisunique", true);
        system_bool(r, "indisprimary", true);
        system_bool(r, "indimmediate", true);
        system_bool(r, "indisvalid", true);
        system_bool(r, "indisready", true);
        system_bool(r, "indislive", true);
        number_array(r, "indkey", object->nkey, object->key);
        number_array(r, "indoption", object->nkey, NULL);
    }
    return BASE_OK;
}

static void constraint_row(system_rows *r, const plan_object *object, uint32_t oid, char type) {
    system_row(r);
    system_i64(r, "oid", oid);
    system_i64(r, "connamespace", pgcat_schema_oid(object->schema));
    system_i64(r, "contype", type);
    system_bool(r, "convalidated", true);
    system_i64(r, "conrelid", object->id);
    system_i64(r, "confupdtype", ' ');
    system_i64(r, "confdeltype", ' ');
    system_i64(r, "confmatchtype", ' ');
    system_bool(r, "conislocal", true);
    system_bool(r, "connoinherit", type == 'p');
}

base_rc system_constraint(system_rows *r, base_error *err) {
    (void)err;
    uint32_t n;
    const plan_object **objects = pgcat_relations(r, &n);
    for (uint32_t i = 0; i < n; i++) {
        const plan_object *object = objects[i];
        if (pgcat_has_key(object)) {
            constraint_row(r, object, PG_KEY_CONSTRAINT_OF(object->id), 'p');
            system_printf(r, "conname", "%s_pkey", object->name);
            system_i64(r, "conindid", PG_INDEX_OF(object->id));
            number_array(r, "conkey", object->nkey, object->key);
        }
        for (uint32_t c = 0; c < object->nchecks && c < 256; c++) {
            constraint_row(r, object, PG_CHECK_OF(object->id, c), 'c');
            system_text(r, "conname", object->checks[c].name);
            system_text(r, "conbin", object->checks[c].text);
        }
    }
    return BASE_OK;
}

base_rc system_attrdef(system_rows *r, base_error *err) {
    (void)err;
    uint32_t n;
    const plan_object **objects = pgcat_relations(r, &n);
    base_buf text = {0};
    for (uint32_t i = 0; i < n; i++) {
        for (uint32_t c = 0; c < pgcat_shown_columns(objects[i]); c++) {
            if (objects[i]->columns[c].default_value == NULL) continue;
            base_buf_clear(&text);
            plan_expr_print(objects[i]->columns[c].default_value, NULL, &text);
            system_row(r);
            system_i64(r, "oid", PG_DEFAULT_OF(objects[i]->id, c));
            system_i64(r, "adrelid", objects[i]->id);
            system_i64(r, "adnum", c + 1);
            system_copy(r, "adbin", base_buf_str(&text));
        }
    }
    base_buf_deinit(&text);
    return BASE_OK;
}

base_rc system_indexes(system_rows *r, base_error *err) {
    (void)err;
    uint32_t n;
    const plan_object **objects = pgcat_relations(r, &n);
    base_buf text = {0};
    for (uint32_t i = 0; i < n; i++) {
        if (!pgcat_has_key(objects[i])) continue;
        system_row(r);
        system_text(r, "schemaname", objects[i]->schema);
        system_text(r, "tablename", objects[i]->name);
        system_printf(r, "indexname", "%s_pkey", objects[i]->name);
        base_buf_clear(&text);
        pgcat_index_text(objects[i], &text);
        system_copy(r, "indexdef", base_buf_str(&text));
    }
    base_buf_deinit(&text);
    return BASE_OK;
}

// ---- comments -----------------------------------------------------------------------------------

static void description_row(system_rows *r, uint32_t oid, uint32_t class, int32_t column,
                            const char *text) {
    if (text == NULL || text[0] == 0) return;
    system_row(r);
    system_i64(r, "objoid", oid);
    system_i64(r, "classoid", class);
    system_i64(r, "objsubid", column);
    system_text(r, "description", text);
}

static void schema_description(system_rows *r, const char *name, const char *comment) {
    description_row(r, pgcat_schema_oid(name), PG_OID_NAMESPACE, 0, comment);
}

base_rc system_description(system_rows *r, base_error *err) {
    (void)err;
    uint32_t n;
    const plan_object **objects = pgcat_relations(r, &n);
    for (uint32_t i = 0; i < n; i++) {
        description_row(r, objects[i]->id, PG_OID_CLASS, 0, objects[i]->comment);
        for (uint32_t c = 0; c < pgcat_shown_columns(objects[i]); c++)
            description_row(r, objects[i]->id, PG_OID_CLASS, (int32_t)c + 1,
                            objects[i]->columns[c].comment);
    }
    pgcat_schemas(r, schema_description);
    return BASE_OK;
}

// What a view reads.
typedef struct reads {
    system_rows *r;
    const plan_object *view;
} reads;

static void depend_row(reads *x, uint32_t on) {
    system_row(x->r);
    system_i64(x->r, "classid", PG_OID_CLASS);
    system_i64(x->r, "objid", x->view->id);
    system_i64(x->r, "refclassid", PG_OID_CLASS);
    system_i64(x->r, "refobjid", on);
    system_i64(x->r, "deptype", 'n');
}

static void visit_read(void *arg, const plan_node *scan) {
    depend_row(arg, scan->object->id);
}

base_rc system_depend(system_rows *r, base_error *err) {
    (void)err;
    uint32_t n;
    const plan_object **objects = pgcat_relations(r, &n);
    for (uint32_t i = 0; i < n; i++) {
        reads x = {r, objects[i]};
        if (objects[i]->plan != NULL) plan_node_scans(objects[i]->plan, visit_read, &x);
        for (uint32_t k = 0; k < objects[i]->nuses; k++) depend_row(&x, objects[i]->uses[k]);
    }
    return BASE_OK;
}

// ---- functions ----------------------------------------------------------------------------------

static bool is_operator(const char *name) {
    return strpbrk(name, "+-*/<>=~!@#%^&|`?") != NULL;
}

static uint32_t type_oid(col_kind kind) {
    col_type type = col_type_of(kind);
    return kind == COL_UNKNOWN ? 2283 : col_type_oid(&type); // anyelement
}

base_rc system_proc(system_rows *r, base_error *err) {
    (void)err;
    for (size_t i = 0; i < col_func_count(); i++) {
        const col_func *func = col_func_at(i);
        if (is_operator(func->name)) continue;
        system_row(r);
        system_i64(r, "oid", (int64_t)(COL_FUNC_OID_FIRST + i));
        system_text(r, "proname", func->name);
        system_i64(r, "pronamespace", PG_OID_PG_CATALOG);
        system_i64(r, "proowner", PG_OID_SUPERUSER);
        system_i64(r, "prolang", 12);
        system_f64(r, "procost", 1);
        system_i64(r, "prokind", 'f');
        system_bool(r, "proisstrict", (func->flags & COL_FUNC_STRICT) != 0);
        system_i64(r, "provolatile", (func->flags & COL_FUNC_STABLE) != 0 ? 's' : 'i');
        system_i64(r, "proparallel", 's');
        system_i64(r, "pronargs", func->nargs);
        system_i64(r, "prorettype", type_oid(func->ret));
        uint32_t types[COL_FUNC_ARGS_MAX];
        for (uint8_t a = 0; a < func->nargs; a++) types[a] = type_oid(func->args[a]);
        system_numbers(r, "proargtypes", func->nargs, types);
        system_text(r, "prosrc", func->name);
    }
    return BASE_OK;
}

base_rc system_language(system_rows *r, base_error *err) {
    (void)err;
    static const struct {
        uint32_t oid;
        const char *name;
    } languages[] = {{12, "internal"}, {14, "sql"}};
    for (size_t i = 0; i < sizeof languages / sizeof *languages; i++) {
        system_row(r);
        system_i64(r, "oid", languages[i].oid);
        system_text(r, "lanname", languages[i].name);
        system_i64(r, "lanowner", PG_OID_SUPERUSER);
    }
    return BASE_OK;
}

base_rc system_am(system_rows *r, base_error *err) {
    (void)err;
    static const struct {
        uint32_t oid;
        const char *name;
        char type;
    } methods[] = {{PG_OID_HEAP, "heap", 't'}, {PG_OID_BTREE, "btree", 'i'}};
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        system_row(r);
        system_i64(r, "oid", methods[i].oid);
        system_text(r, "amname", methods[i].name);
        system_i64(r, "amtype", methods[i].type);
    }
    return BASE_OK;
}

base_rc system_collation(system_rows *r, base_error *err) {
    (void)err;
    static const struct {
        uint32_t oid;
        const char *name;
        char provider;
        const char *locale;
    } collations[] = {
        {100, "default", 'd', NULL}, {950, "C", 'c', "C"}, {951, "POSIX", 'c', "POSIX"}};
    for (size_t i = 0; i < sizeof collations / sizeof *collations; i++) {
        system_row(r);
        system_i64(r, "oid", collations[i].oid);
        system_text(r, "collname", collations[i].name);
        system_i64(r, "collnamespace", PG_OID_PG_CATALOG);
        system_i64(r, "collowner", PG_OID_SUPERUSER);
        system_i64(r, "collprovider", collations[i].provider);
        system_bool(r, "collisdeterministic", true);
        system_i64(r, "collencoding", -1);
        system_text(r, "collcollate", collations[i].locale);
        system_text(r, "collctype", collations[i].locale);
    }
    return BASE_OK;
}

// ---- roles and databases ------------------------------------------------------------------------

static void role_cells(system_rows *r) {
    system_row(r);
    system_i64(r, "oid", PG_OID_SUPERUSER);
    system_text(r, "rolname", r->session->user);
    system_bool(r, "rolsuper", true);
    system_bool(r, "rolinherit", true);
    system_bool(r, "rolcreaterole", false);
    system_bool(r, "rolcreatedb", false);
    system_bool(r, "rolcanlogin", true);
    system_bool(r, "rolreplication", false);
    system_bool(r, "rolbypassrls", true);
    system_i64(r, "rolconnlimit", -1);
}

base_rc system_roles(system_rows *r, base_error *err) {
    (void)err;
    role_cells(r);
    system_text(r, "rolpassword", "********");
    return BASE_OK;
}

base_rc system_authid(system_rows *r, base_error *err) {
    (void)err;
    role_cells(r);
    return BASE_OK;
}

base_rc system_user(system_rows *r, base_error *err) {
    (void)err;
    system_row(r);
    system_text(r, "usename", r->session->user);
    system_i64(r, "usesysid", PG_OID_SUPERUSER);
    system_bool(r, "usecreatedb", false);
    system_bool(r, "usesuper", true);
    system_bool(r, "userepl", false);
    system_bool(r, "usebypassrls", true);
    system_text(r, "passwd", "********");
    return BASE_OK;
}

base_rc system_database(system_rows *r, base_error *err) {
    (void)err;
    system_row(r);
    system_i64(r, "oid", PG_OID_DATABASE);
    system_text(r, "datname", r->session->database);
    system_i64(r, "datdba", PG_OID_SUPERUSER);
    system_i64(r, "encoding", 6); // UTF8
    system_i64(r, "datlocprovider", 'c');
    system_bool(r, "datallowconn", true);
    system_i64(r, "datconnlimit", -1);
    system_i64(r, "dattablespace", 1663);
    system_text(r, "datcollate", "C.UTF-8");
    system_text(r, "datctype", "C.UTF-8");
    return BASE_OK;
}

base_rc system_tablespace(system_rows *r, base_error *err) {
    (void)err;
    system_row(r);
    system_i64(r, "oid", 1663);
    system_text(r, "spcname", "pg_default");
    system_i64(r, "spcowner", PG_OID_SUPERUSER);
    return BASE_OK;
}

// ---- settings and the views for people ----------------------------------------------------------

base_rc system_settings(system_rows *r, base_error *err) {
    (void)err;
    for (size_t i = 0; i < engine_setting_count(); i++) {
        const char *name, *description;
        base_str value;
        engine_setting_at(r->session, i, r->arena, &name, &value, &description);
        system_row(r);
        system_text(r, "name", name);
        system_str(r, "setting", value);
        system_text(r, "category", "Session");
        system_text(r, "short_desc", description);
        system_text(r, "context", "user");
        system_text(r, "vartype", "string");
        system_text(r, "source", "session");
        system_str(r, "reset_val", value);
        system_bool(r, "pending_restart", false);
    }
    return BASE_OK;
}

base_rc system_tables(system_rows *r, base_error *err) {
    (void)err;
    uint32_t n;
    const plan_object **objects = pgcat_relations(r, &n);
    for (uint32_t i = 0; i < n; i++) {
        if (pgcat_relkind(objects[i]) != 'r') continue;
        system_row(r);
        system_text(r, "schemaname", objects[i]->schema);
        system_text(r, "tablename", objects[i]->name);
        system_text(r, "tableowner", r->session->user);
        system_bool(r, "hasindexes", pgcat_has_key(objects[i]));
        system_bool(r, "hasrules", false);
        system_bool(r, "hastriggers", false);
        system_bool(r, "rowsecurity", false);
    }
    return BASE_OK;
}

base_rc system_matviews(system_rows *r, base_error *err) {
    (void)err;
    uint32_t n;
    const plan_object **objects = pgcat_relations(r, &n);
    for (uint32_t i = 0; i < n; i++) {
        if (objects[i]->kind != PLAN_OBJECT_VIEW) continue;
        system_row(r);
        system_text(r, "schemaname", objects[i]->schema);
        system_text(r, "matviewname", objects[i]->name);
        system_text(r, "matviewowner", r->session->user);
        system_bool(r, "hasindexes", false);
        system_bool(r, "ispopulated", true);
        system_text(r, "definition", objects[i]->definition);
    }
    return BASE_OK;
}

base_rc system_views(system_rows *r, base_error *err) {
    (void)err;
    uint32_t n;
    const plan_object **objects = pgcat_relations(r, &n);
    for (uint32_t i = 0; i < n; i++) {
        if (pgcat_relkind(objects[i]) != 'v') continue;
        system_row(r);
        system_text(r, "schemaname", objects[i]->schema);
        system_text(r, "viewname", objects[i]->name);
        system_text(r, "viewowner", r->session->user);
        system_text(r, "definition", objects[i]->query != NULL ? objects[i]->query : "");
    }
    return BASE_OK;
}

base_rc system_stat_tables(system_rows *r, base_error *err) {
    (void)err;
    uint32_t n;
    const plan_object **objects = pgcat_relations(r, &n);
    for (uint32_t i = 0; i < n; i++) {
        if (objects[i]->kind == PLAN_OBJECT_SYSTEM) continue;
        engine_stream *stream = engine_stream_hold(r->engine, objects[i]);
        uint64_t in = 0, live = 0;
        for (uint32_t p = 0; stream != NULL && p < log_stream_partitions(stream->log); p++) {
            in += log_end(stream->log, p);
            live += log_end(stream->log, p) - log_begin(stream->log, p);
        }
        engine_stream_release(stream);
        system_row(r);
        system_i64(r, "relid", objects[i]->id);
        system_text(r, "schemaname", objects[i]->schema);
        system_text(r, "relname", objects[i]->name);
        system_i64(r, "n_tup_ins", (int64_t)in);
        system_i64(r, "n_tup_upd", 0);
        system_i64(r, "n_tup_del", 0);
        system_i64(r, "n_live_tup", (int64_t)live);
        system_i64(r, "n_dead_tup", 0);
    }
    return BASE_OK;
}

// The asking session only: sessions belong to the server, not to the engine.
base_rc system_stat_activity(system_rows *r, base_error *err) {
    (void)err;
    system_row(r);
    system_i64(r, "datid", PG_OID_DATABASE);
    system_text(r, "datname", r->session->database);
    system_i64(r, "pid", (int32_t)r->session->pid);
    system_i64(r, "usesysid", PG_OID_SUPERUSER);
    system_text(r, "usename", r->session->user);
    base_str name;
    if (engine_setting_get(r->session, BASE_STR("application_name"), r->arena, &name))
        system_str(r, "application_name", name);
    system_text(r, "state", "active");
    system_text(r, "backend_type", "client backend");
    return BASE_OK;
}

base_rc system_stat_database(system_rows *r, base_error *err) {
    (void)err;
    system_row(r);
    system_i64(r, "datid", PG_OID_DATABASE);
    system_text(r, "datname", r->session->database);
    return BASE_OK;
}
