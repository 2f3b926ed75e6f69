// sql_fixture.h - an in-memory catalogue for tests of src/sql: what CREATE statements make is kept,
// and the tables of pg_catalog that psql asks for are there. For test_sql_*.c.
#ifndef WEIR_TESTS_SQL_FIXTURE_H
#define WEIR_TESTS_SQL_FIXTURE_H

#include <stdlib.h>

#include "../test.h"
#include "base/must.h"
#include "sql/sql.h"

#define FIXTURE_OBJECTS_MAX 128

typedef struct fixture {
    base_arena arena;
    plan_catalog catalog;
    sql_session session;
    uint32_t nobjects;
    const plan_object *objects[FIXTURE_OBJECTS_MAX];
    uint32_t nschemas;
    const char *schemas[16];
    base_error err;
    sql_statement *statement; // of the last fixture_bind
} fixture;

// "name type, name type?, ...": ? may be null. [] is an array. A ! says that a table
// never has a row, or that a column is always null.
static const char *const fixture_system[][2] = {
    {"pg_class",
     "oid oid, relname name, relnamespace oid, reltype oid, reloftype oid, relowner oid, relam oid,"
     "relfilenode oid, reltablespace oid, relpages int4, reltuples float4, reltoastrelid oid,"
     "relhasindex bool, relisshared bool, relpersistence char, relkind char, relnatts int2,"
     "relchecks int2, relhasrules bool, relhastriggers bool, relhassubclass bool,"
     "relrowsecurity bool, relforcerowsecurity bool, relispopulated bool, relreplident char,"
     "relispartition bool, relacl text[]?, reloptions text[]!?, relpartbound text?"},
    {"pg_namespace", "oid oid, nspname name, nspowner oid, nspacl text[]?"},
    {"pg_attribute",
     "attrelid oid, attname name, atttypid oid, attstattarget int4, attlen int2, attnum int2,"
     "attndims int4, atttypmod int4, attbyval bool, attstorage char, attcompression char,"
     "attnotnull bool, atthasdef bool, attidentity char, attgenerated char, attisdropped bool,"
     "attcollation oid, attacl text[]?"},
    {"pg_attrdef", "oid oid, adrelid oid, adnum int2, adbin text"},
    {"pg_collation!", "oid oid, collname name"},
    {"pg_type",
     "oid oid, typname name, typnamespace oid, typowner oid, typlen int2, typtype char,"
     "typcategory char, typrelid oid, typelem oid, typarray oid, typcollation oid, typbasetype oid,"
     "typtypmod int4, typnotnull bool"},
    {"pg_am", "oid oid, amname name, amtype char"},
    {"pg_index!",
     "indexrelid oid, indrelid oid, indisprimary bool, indisunique bool, indisclustered bool,"
     "indisvalid bool, indisreplident bool"},
    {"pg_constraint",
     "oid oid, conname name, contype char, condeferrable bool, condeferred bool, conrelid oid,"
     "conindid oid, confrelid oid, conparentid oid"},
    {"pg_policy!",
     "oid oid, polname name, polrelid oid, polcmd char, polpermissive bool, polroles text[],"
     "polqual text?, polwithcheck text?"},
    {"pg_rewrite!", "oid oid, rulename name, ev_class oid, ev_enabled char"},
    {"pg_roles", "oid oid, rolname name"},
    {"pg_statistic_ext!",
     "oid oid, stxrelid oid, stxname name, stxnamespace oid, stxkind text[], stxstattarget int4"},
    {"pg_publication!", "oid oid, pubname name, puballtables bool"},
    {"pg_publication_namespace!", "oid oid, pnpubid oid, pnnspid oid"},
    {"pg_publication_rel!", "oid oid, prpubid oid, prrelid oid, prqual text?, prattrs text[]?"},
    {"pg_inherits!", "inhrelid oid, inhparent oid, inhseqno int4, inhdetachpending bool"},
};

static void fixture_add_system(fixture *f, const char *name, const char *columns) {
    plan_object *object = base_arena_new(&f->arena, plan_object);
    plan_column *out = base_arena_array(&f->arena, plan_column, 64);
    char *name_copy = base_arena_strdup(&f->arena, name);
    char *text = base_arena_strdup(&f->arena, columns), *save = NULL;
    object->kind = PLAN_OBJECT_SYSTEM;
    object->always_empty = strchr(name, '!') != NULL;
    name_copy[strcspn(name_copy, "!")] = '\0';
    object->schema = "pg_catalog";
    object->name = name_copy;
    object->id = 1000 + f->nobjects;
    for (char *part = strtok_r(text, ",", &save); part != NULL; part = strtok_r(NULL, ",", &save)) {
        while (*part == ' ') part++;
        char *type = strchr(part, ' ');
        must(type != NULL && object->ncolumns < 64);
        *type++ = '\0';
        plan_column *column = &out[object->ncolumns++];
        column->name = part;
        column->not_null = strchr(type, '?') == NULL;
        column->always_null = strchr(type, '!') != NULL;
        type[strcspn(type, "?!")] = '\0';
        col_kind kind = COL_CHAR;
        if (strcmp(type, "char") != 0) must(col_kind_from_name(base_str_of(type), &kind));
        column->type = col_type_of(kind);
    }
    object->columns = out;
    object->event_time = object->effective_time = object->window_column = -1;
    f->objects[f->nobjects++] = object;
}

static const plan_object *fixture_find(void *self, const char *schema, const char *name) {
    fixture *f = self;
    const char *const path[] = {schema != NULL ? schema : "public",
                                schema != NULL ? NULL : "pg_catalog"};
    for (int p = 0; p < 2; p++)
        for (uint32_t i = 0; path[p] != NULL && i < f->nobjects; i++)
            if (strcmp(f->objects[i]->schema, path[p]) == 0 &&
                strcmp(f->objects[i]->name, name) == 0)
                return f->objects[i];
    return NULL;
}

static bool fixture_schema_exists(void *self, const char *schema) {
    fixture *f = self;
    for (uint32_t i = 0; i < f->nschemas; i++)
        if (strcmp(f->schemas[i], schema) == 0) return true;
    return false;
}

static void fixture_init(fixture *f) {
    *f = (fixture){.nschemas = 1, .schemas = {"public"}};
    base_arena_init(&f->arena, 1 << 16);
    f->catalog = (plan_catalog){f, fixture_find, fixture_schema_exists};
    f->session = (sql_session){.catalog = &f->catalog, .default_schema = "public"};
    for (size_t i = 0; i < sizeof fixture_system / sizeof fixture_system[0]; i++)
        fixture_add_system(f, fixture_system[i][0], fixture_system[i][1]);
}

__attribute__((unused)) static void fixture_deinit(fixture *f) {
    base_arena_deinit(&f->arena);
}

// Binds one statement; what it creates is kept. The statement is in f->statement.
static base_rc fixture_bind(fixture *f, base_str text) {
    f->statement = NULL;
    base_error_clear(&f->err);
    base_rc rc = sql_bind(&f->arena, &f->session, text, 0, 0, NULL, &f->statement, &f->err);
    if (rc != BASE_OK) return rc;
    sql_statement *s = f->statement;
    if (s->kind == SQL_CREATE_SCHEMA) {
        must(f->nschemas < 16);
        f->schemas[f->nschemas++] = s->name;
    } else if (s->object != NULL && s->kind != SQL_EXPLAIN) {
        must(f->nobjects < FIXTURE_OBJECTS_MAX);
        s->object->id = 16384 + f->nobjects;
        f->objects[f->nobjects++] = s->object;
    }
    return BASE_OK;
}

// Binds all statements of a text; the first failure is reported and ends it.
__attribute__((unused)) static bool fixture_run(fixture *f, const char *text) {
    size_t n;
    base_str *statements;
    if (sql_split(&f->arena, base_str_of(text), &n, &statements, &f->err) != BASE_OK) return false;
    for (size_t i = 0; i < n; i++)
        if (fixture_bind(f, statements[i]) != BASE_OK) {
            fprintf(stderr, "%.*s\n  %s\n", BASE_STR_ARG(statements[i]), f->err.message);
            return false;
        }
    return true;
}

#endif
