// pgcat.c - pg_catalog: namespaces, relations, columns, and what system functions ask of the
// catalogue (col_func_host).
//
// Streams and tables show as ordinary tables ('r'), views as materialised views ('m'), system
// objects as views ('v'). A business key shows as a primary key with an index. Numbers of schemas,
// indexes and constraints follow from names and ids, so that they are the same in every query.
// Entry points: the fills named in pgdefs.c, engine_func_host.

#include "engine/pgcatalog/pgcat_int.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/must.h"
#include "engine/catalog_int.h"
#include "engine/setting_int.h"

// ---- shared -------------------------------------------------------------------------------------

uint32_t pgcat_schema_oid(const char *name) {
    if (strcmp(name, "pg_catalog") == 0) return PG_OID_PG_CATALOG;
    if (strcmp(name, "public") == 0) return PG_OID_PUBLIC;
    return 0x40000000u | (uint32_t)(base_hash64(name, strlen(name)) & 0x3fffffffu);
}

typedef struct relation_list {
    const plan_object **objects;
    uint32_t n, cap;
} relation_list;

static void visit_relation(void *arg, const plan_object *object) {
    relation_list *list = arg;
    if (object->kind == PLAN_OBJECT_SINK || object->kind == PLAN_OBJECT_RECONCILIATION) return;
    if (list->n == list->cap) {
        list->cap = list->cap == 0 ? 256 : list->cap * 2;
        list->objects = realloc(list->objects, list->cap * sizeof(plan_object *));
        must(list->objects != NULL);
    }
    list->objects[list->n++] = object;
}

const plan_object **pgcat_relations(system_rows *r, uint32_t *n) {
    relation_list list = {0};
    engine_objects(r->engine, visit_relation, &list);
    const plan_object **objects = base_arena_array(r->arena, const plan_object *, list.n + 1);
    if (list.n > 0) memcpy(objects, list.objects, list.n * sizeof *objects);
    free(list.objects);
    *n = list.n;
    return objects;
}

char pgcat_relkind(const plan_object *object) {
    switch (object->kind) {
    case PLAN_OBJECT_VIEW:
        return 'm';
    case PLAN_OBJECT_PLAIN_VIEW:
        return 'v';
    case PLAN_OBJECT_SYSTEM:
        return object->id < PG_OID_DATABASE && strcmp(object->schema, "pg_catalog") == 0 &&
                       object->id < 10000
                   ? 'r'
                   : 'v';
    default:
        return 'r';
    }
}

bool pgcat_has_key(const plan_object *object) {
    return (object->kind == PLAN_OBJECT_STREAM || object->kind == PLAN_OBJECT_TABLE) &&
           object->nkey > 0;
}

void pgcat_quote(base_buf *out, const char *name) {
    bool plain = islower((unsigned char)name[0]) || name[0] == '_';
    for (const char *p = name; *p != 0 && plain; p++)
        plain = islower((unsigned char)*p) || isdigit((unsigned char)*p) || *p == '_';
    if (plain) {
        base_buf_add_cstr(out, name);
        return;
    }
    base_buf_add_byte(out, '"');
    for (const char *p = name; *p != 0; p++) {
        if (*p == '"') base_buf_add_byte(out, '"');
        base_buf_add_byte(out, (uint8_t)*p);
    }
    base_buf_add_byte(out, '"');
}

static void key_columns(const plan_object *object, base_buf *out) {
    base_buf_add_byte(out, '(');
    for (uint32_t k = 0; k < object->nkey; k++) {
        if (k > 0) base_buf_add_cstr(out, ", ");
        pgcat_quote(out, object->columns[object->key[k]].name);
    }
    base_buf_add_byte(out, ')');
}

void pgcat_index_text(const plan_object *object, base_buf *out) {
    base_buf name = {0};
    base_buf_printf(&name, "%s_pkey", object->name);
    base_buf_add_cstr(out, "CREATE UNIQUE INDEX ");
    pgcat_quote(out, base_buf_cstr(&name));
    base_buf_add_cstr(out, " ON ");
    pgcat_quote(out, object->schema);
    base_buf_add_byte(out, '.');
    pgcat_quote(out, object->name);
    base_buf_add_cstr(out, " USING btree ");
    key_columns(object, out);
    base_buf_deinit(&name);
}

void pgcat_key_text(const plan_object *object, base_buf *out) {
    base_buf_add_cstr(out, "PRIMARY KEY ");
    key_columns(object, out);
}

uint32_t pgcat_shown_columns(const plan_object *object) {
    return engine_declared_columns(object);
}

void pgcat_schemas(system_rows *r, pgcat_schema_visit visit) {
    engine *e = r->engine;
    base_str names[1024];
    const char *comments[1024];
    uint32_t n = 0;
    plat_mutex_lock(&e->catalog_lock);
    base_str name;
    void *comment;
    for (size_t i = 0; n < 1024 && base_map_at(e->schemas, &i, &name, &comment);) {
        names[n] = (base_str){base_arena_memdup(r->arena, name.p, name.n), name.n};
        comments[n++] = comment;
    }
    plat_mutex_unlock(&e->catalog_lock);
    for (uint32_t i = 0; i < n; i++) visit(r, names[i].p, comments[i]);
}

// ---- pg_namespace, pg_class, pg_attribute -------------------------------------------------------

static void namespace_row(system_rows *r, const char *name, const char *comment) {
    (void)comment;
    system_row(r);
    system_i64(r, "oid", pgcat_schema_oid(name));
    system_text(r, "nspname", name);
    system_i64(r, "nspowner", PG_OID_SUPERUSER);
}

base_rc system_namespace(system_rows *r, base_error *err) {
    (void)err;
    pgcat_schemas(r, namespace_row);
    return BASE_OK;
}

static double row_estimate(system_rows *r, const plan_object *object) {
    if (object->kind == PLAN_OBJECT_VIEW) {
        engine_view_snapshot snapshot;
        base_error err;
        if (engine_view_snapshot_open(r->engine, object, &snapshot, &err) != BASE_OK) return -1;
        double rows = (double)snapshot.nrows;
        engine_view_snapshot_close(&snapshot);
        return rows;
    }
    engine_stream *stream = engine_stream_hold(r->engine, object);
    if (stream == NULL) return -1;
    uint64_t rows = 0;
    for (uint32_t p = 0; p < log_stream_partitions(stream->log); p++)
        rows += log_end(stream->log, p) - log_begin(stream->log, p);
    engine_stream_release(stream);
    return (double)rows;
}

static void class_row(system_rows *r, const plan_object *object) {
    system_row(r);
    system_i64(r, "oid", object->id);
    system_text(r, "relname", object->name);
    system_i64(r, "relnamespace", pgcat_schema_oid(object->schema));
    system_i64(r, "relowner", PG_OID_SUPERUSER);
    char kind = pgcat_relkind(object);
    if (kind != 'v') system_i64(r, "relam", PG_OID_HEAP);
    if (kind != 'v') system_i64(r, "relfilenode", object->id);
    if (object->kind != PLAN_OBJECT_SYSTEM && kind != 'v')
        system_f64(r, "reltuples", row_estimate(r, object));
    system_bool(r, "relhasindex", pgcat_has_key(object));
    system_i64(r, "relpersistence", 'p');
    system_i64(r, "relkind", kind);
    system_i64(r, "relnatts", pgcat_shown_columns(object));
    system_i64(r, "relchecks", object->nchecks);
    system_bool(r, "relhasrules", kind == 'v' || kind == 'm');
    system_bool(r, "relispopulated", true);
    system_i64(r, "relreplident", kind == 'r' ? 'd' : 'n');
}

static void index_class_row(system_rows *r, const plan_object *object) {
    system_row(r);
    system_i64(r, "oid", PG_INDEX_OF(object->id));
    system_printf(r, "relname", "%s_pkey", object->name);
    system_i64(r, "relnamespace", pgcat_schema_oid(object->schema));
    system_i64(r, "relowner", PG_OID_SUPERUSER);
    system_i64(r, "relam", PG_OID_BTREE);
    system_i64(r, "relfilenode", PG_INDEX_OF(object->id));
    system_i64(r, "relpersistence", 'p');
    system_i64(r, "relkind", 'i');
    system_i64(r, "relnatts", object->nkey);
    system_bool(r, "relispopulated", true);
    system_i64(r, "relreplident", 'n');
}

base_rc system_class(system_rows *r, base_error *err) {
    (void)err;
    uint32_t n;
    const plan_object **objects = pgcat_relations(r, &n);
    for (uint32_t i = 0; i < n; i++) class_row(r, objects[i]);
    for (uint32_t i = 0; i < n; i++)
        if (pgcat_has_key(objects[i])) index_class_row(r, objects[i]);
    return BASE_OK;
}

static bool by_value(const col_type *type) {
    int16_t size = col_type_pg_size(type);
    return size == 1 || size == 2 || size == 4 || size == 8;
}

static void attribute_row(system_rows *r, uint32_t relation, uint32_t number,
                          const plan_column *column) {
    system_row(r);
    system_i64(r, "attrelid", relation);
    system_text(r, "attname", column->name);
    system_i64(r, "atttypid", col_type_oid(&column->type));
    system_i64(r, "attstattarget", -1);
    int16_t size = col_type_pg_size(&column->type);
    system_i64(r, "attlen", size);
    system_i64(r, "attnum", number);
    if (col_kind_is_array(column->type.kind)) system_i64(r, "attndims", 1);
    system_i64(r, "attcacheoff", -1);
    system_i64(r, "atttypmod", col_type_pg_typmod(&column->type));
    system_bool(r, "attbyval", by_value(&column->type));
    system_i64(r, "attalign", size == 1 ? 'c' : size == 2 ? 's' : size == 8 ? 'd' : 'i');
    system_i64(r, "attstorage", size >= 0 ? 'p' : column->type.kind == COL_NUMERIC ? 'm' : 'x');
    system_bool(r, "attnotnull", column->not_null);
    system_bool(r, "atthasdef", column->default_value != NULL);
    system_bool(r, "attislocal", true);
    col_kind element = col_kind_element(column->type.kind);
    bool collates = element == COL_TEXT || element == COL_VARCHAR;
    if (collates) system_i64(r, "attcollation", PG_OID_DEFAULT_COLLATION);
}

base_rc system_attribute(system_rows *r, base_error *err) {
    (void)err;
    uint32_t n;
    const plan_object **objects = pgcat_relations(r, &n);
    for (uint32_t i = 0; i < n; i++) {
        const plan_object *object = objects[i];
        uint32_t shown = pgcat_shown_columns(object);
        for (uint32_t c = 0; c < shown; c++)
            attribute_row(r, object->id, c + 1, &object->columns[c]);
        for (uint32_t k = 0; pgcat_has_key(object) && k < object->nkey; k++)
            attribute_row(r, PG_INDEX_OF(object->id), k + 1, &object->columns[object->key[k]]);
    }
    return BASE_OK;
}

// ---- the host of system functions ---------------------------------------------------------------

static const plan_object *relation_by_oid(engine *e, uint32_t oid) {
    const plan_object *object = engine_catalog_by_id(e, oid);
    if (object == NULL || object->kind == PLAN_OBJECT_SINK ||
        object->kind == PLAN_OBJECT_RECONCILIATION)
        return NULL;
    return object;
}

static const plan_object *find_relation(engine_session *session, const char *schema,
                                        const char *name) {
    engine *e = session->engine;
    const plan_object *object = NULL;
    if (schema == NULL) {
        object = engine_catalog_find(e, session->schema, name);
        if (object == NULL) object = engine_catalog_find(e, NULL, name);
    } else {
        object = engine_catalog_find(e, schema, name);
    }
    return object == NULL ? NULL : relation_by_oid(e, object->id);
}

// The object whose index (or key constraint) a number is.
static const plan_object *owner_of(engine *e, uint32_t oid, uint32_t base) {
    if (oid < base || oid - base >= ENGINE_OBJECTS_MAX) return NULL;
    const plan_object *object = relation_by_oid(e, oid - base);
    return object != NULL && pgcat_has_key(object) ? object : NULL;
}

static bool host_relation_oid(void *self, base_str schema, base_str name, uint32_t *oid) {
    engine_session *session = self;
    char schema_text[256], name_text[256];
    if (schema.n >= sizeof schema_text || name.n >= sizeof name_text) return false;
    memcpy(schema_text, schema.p, schema.n);
    schema_text[schema.n] = 0;
    memcpy(name_text, name.p, name.n);
    name_text[name.n] = 0;
    const plan_object *object =
        find_relation(session, schema.n > 0 ? schema_text : NULL, name_text);
    if (object != NULL) {
        *oid = object->id;
        return true;
    }
    if (name.n > 5 && strcmp(name_text + name.n - 5, "_pkey") == 0) {
        name_text[name.n - 5] = 0;
        object = find_relation(session, schema.n > 0 ? schema_text : NULL, name_text);
        if (object == NULL || !pgcat_has_key(object)) return false;
        *oid = PG_INDEX_OF(object->id);
        return true;
    }
    return false;
}

static bool host_relation_name(void *self, uint32_t oid, base_arena *arena, base_str *schema,
                               base_str *name, bool *visible) {
    engine_session *session = self;
    const plan_object *object = relation_by_oid(session->engine, oid);
    const plan_object *indexed = owner_of(session->engine, oid, PG_INDEX_OF(0));
    if (object == NULL && indexed == NULL) return false;
    const plan_object *owner = object != NULL ? object : indexed;
    *schema = base_str_of(owner->schema);
    *name = base_str_of(object != NULL ? object->name
                                       : base_arena_printf(arena, "%s_pkey", indexed->name));
    *visible =
        find_relation(session, NULL, owner->name) == owner && strcmp(owner->schema, "weir") != 0;
    return true;
}

// Users' objects are all listed by \d, also where two schemas have one name.
static bool host_relation_listed(void *self, uint32_t oid) {
    engine_session *session = self;
    return oid >= ENGINE_FIRST_USER_ID && relation_by_oid(session->engine, oid) != NULL;
}

static int64_t log_size(engine *e, const plan_object *object) {
    engine_stream *stream = engine_stream_hold(e, object);
    int64_t bytes = 0;
    for (uint32_t p = 0; stream != NULL && p < log_stream_partitions(stream->log); p++)
        bytes += (int64_t)log_bytes(stream->log, p);
    engine_stream_release(stream);
    return bytes;
}

static bool host_relation_bytes(void *self, uint32_t oid, int64_t *bytes) {
    engine *e = ((engine_session *)self)->engine;
    if (oid != 0) {
        const plan_object *object = relation_by_oid(e, oid);
        if (object == NULL) return false;
        *bytes = log_size(e, object); // of a view: not known apart from its flow's
        return true;
    }
    *bytes = 0;
    for (uint32_t id = ENGINE_FIRST_USER_ID; id < e->next_id; id++) {
        const plan_object *object = engine_catalog_by_id(e, id);
        if (object != NULL) *bytes += log_size(e, object);
    }
    for (uint32_t f = 0; f < e->nflows; f++) {
        state_stats stats;
        if (e->flows[f]->store == NULL) continue; // not known
        state_store_stats(e->flows[f]->store, &stats);
        *bytes += (int64_t)stats.bytes_used;
    }
    return true;
}

static bool host_type_name(void *self, uint32_t oid, base_arena *arena, base_str *name) {
    (void)self, (void)oid, (void)arena, (void)name;
    return false; // there are no types of users
}

static bool host_user_name(void *self, uint32_t oid, base_arena *arena, base_str *name) {
    engine_session *session = self;
    if (oid != PG_OID_SUPERUSER) return false;
    *name = base_str_of(base_arena_strdup(arena, session->user));
    return true;
}

static bool host_view_definition(void *self, uint32_t oid, base_arena *arena, base_str *out) {
    engine_session *session = self;
    const plan_object *object = relation_by_oid(session->engine, oid);
    if (object == NULL || object->plan == NULL) return false;
    *out = base_str_of(
        base_arena_strdup(arena, object->query != NULL ? object->query : object->definition));
    return true;
}

static base_str take_text(base_buf *text, base_arena *arena) {
    base_str out = {base_arena_memdup(arena, text->p, text->n), text->n};
    base_buf_deinit(text);
    return out;
}

static bool host_index_definition(void *self, uint32_t oid, base_arena *arena, base_str *out) {
    engine_session *session = self;
    const plan_object *object = owner_of(session->engine, oid, PG_INDEX_OF(0));
    if (object == NULL) return false;
    base_buf text = {0};
    pgcat_index_text(object, &text);
    *out = take_text(&text, arena);
    return true;
}

static bool host_constraint_definition(void *self, uint32_t oid, base_arena *arena, base_str *out) {
    engine_session *session = self;
    base_buf text = {0};
    const plan_object *object = owner_of(session->engine, oid, PG_KEY_CONSTRAINT_OF(0));
    if (object != NULL) {
        pgcat_key_text(object, &text);
    } else if (oid >= PG_CHECK_OF(0, 0) && oid < PG_CHECK_OF(ENGINE_OBJECTS_MAX, 0)) {
        uint32_t at = oid - PG_CHECK_OF(0, 0);
        object = relation_by_oid(session->engine, at / 256);
        if (object == NULL || at % 256 >= object->nchecks) return false;
        const char *check = object->checks[at % 256].text;
        base_buf_printf(&text, "CHECK (%s)", check == NULL ? "" : check);
    } else {
        return false;
    }
    *out = take_text(&text, arena);
    return true;
}

static bool schema_comment(engine_session *session, uint32_t oid, const char **out) {
    engine *e = session->engine;
    bool found = false;
    base_str name;
    void *comment;
    plat_mutex_lock(&e->catalog_lock);
    for (size_t i = 0; !found && base_map_at(e->schemas, &i, &name, &comment);) {
        char text[256];
        if (name.n >= sizeof text) continue;
        memcpy(text, name.p, name.n);
        text[name.n] = 0;
        if (pgcat_schema_oid(text) != oid) continue;
        found = true;
        *out = comment; // in the catalogue's arena
    }
    plat_mutex_unlock(&e->catalog_lock);
    return found && **out != 0;
}

static bool host_comment(void *self, uint32_t oid, base_str catalogue, int32_t column,
                         base_arena *arena, base_str *out) {
    engine_session *session = self;
    (void)arena;
    const char *comment = NULL;
    if (base_str_eq(catalogue, BASE_STR("pg_namespace"))) {
        if (!schema_comment(session, oid, &comment)) return false;
    } else if (base_str_eq(catalogue, BASE_STR("pg_class"))) {
        const plan_object *object = relation_by_oid(session->engine, oid);
        if (object == NULL) return false;
        if (column == 0)
            comment = object->comment;
        else if (column > 0 && (uint32_t)column <= pgcat_shown_columns(object))
            comment = object->columns[column - 1].comment;
    }
    if (comment == NULL) return false;
    *out = base_str_of(comment);
    return true;
}

static bool host_setting_get(void *self, base_str name, base_arena *arena, base_str *out) {
    return engine_setting_get(self, name, arena, out);
}

static base_rc host_setting_set(void *self, base_str name, base_str value, bool is_local,
                                base_error *err) {
    char name_text[128], value_text[512];
    if (name.n >= sizeof name_text || value.n >= sizeof value_text)
        return base_fail(err, BASE_E_LIMIT, BASE_SQLSTATE_INVALID_PARAMETER,
                         "a setting's name or value is too long");
    memcpy(name_text, name.p, name.n);
    name_text[name.n] = 0;
    memcpy(value_text, value.p, value.n);
    value_text[value.n] = 0;
    return engine_setting_set(self, name_text, value_text, is_local, err);
}

col_func_host engine_func_host(engine_session *session) {
    return (col_func_host){
        .self = session,
        .relation_oid = host_relation_oid,
        .relation_name = host_relation_name,
        .type_name = host_type_name,
        .user_name = host_user_name,
        .view_definition = host_view_definition,
        .index_definition = host_index_definition,
        .constraint_definition = host_constraint_definition,
        .comment = host_comment,
        .relation_bytes = host_relation_bytes,
        .relation_listed = host_relation_listed,
        .setting_get = host_setting_get,
        .setting_set = host_setting_set,
        .schema = session->schema,
        .backend_pid = (int32_t)session->pid,
    };
}
