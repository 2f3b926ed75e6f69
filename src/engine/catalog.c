// catalog.c - the catalogue: names to objects, kept as the text of their statements.
//
// What is stored of an object is its id, its schema and the SQL that made it; opening binds the
// texts again in the order of their ids, which is an order of dependency. Objects are never changed
// in place and never freed before close: a plan may borrow one for as long as the engine lives.
// Table "objects": id (4 bytes, big endian) -> named values (log_headers): schema, name,
// definition, comment, column:NAME for the comment of a column, and rule for each watermark that
// records of a stream go by (finality/rules.c). Table "schemas": name ->
// comment. Entry points: engine_catalog_open, engine_catalog_find; changes come through ddl.c.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/be.h"
#include "base/must.h"
#include "engine/catalog_int.h"
#include "engine/finality/rules.h"

static base_str id_key(char out[4], uint32_t id) {
    base_be_put(out, id, 4);
    return (base_str){out, 4};
}

static void full_name(base_buf *buf, const char *schema, const char *name) {
    base_buf_clear(buf);
    base_buf_printf(buf, "%s.%s", schema, name);
}

// ---- look-ups
// ----------------------------------------------------------------------------------------

const plan_object *engine_catalog_find(engine *e, const char *schema, const char *name) {
    static const char *const path[] = {"public", "pg_catalog", "weir"};
    base_buf key = {0};
    plan_object *object = NULL;
    plat_mutex_lock(&e->catalog_lock);
    if (schema != NULL) {
        full_name(&key, schema, name);
        object = base_map_get(e->names, base_buf_str(&key));
    }
    for (size_t i = 0; schema == NULL && object == NULL && i < sizeof path / sizeof *path; i++) {
        full_name(&key, path[i], name);
        object = base_map_get(e->names, base_buf_str(&key));
    }
    // Behind the path stand all other schemas, for names that only one of them has.
    bool ambiguous = false;
    for (uint32_t id = ENGINE_FIRST_USER_ID; schema == NULL && id < e->next_id; id++) {
        plan_object *other = e->by_id[id];
        if (other == NULL || strcmp(other->name, name) != 0) continue;
        if (object == NULL)
            object = other;
        else if (object->id >= ENGINE_FIRST_USER_ID && strcmp(object->schema, "public") != 0)
            ambiguous = true;
    }
    plat_mutex_unlock(&e->catalog_lock);
    base_buf_deinit(&key);
    return ambiguous ? NULL : object;
}

base_rc engine_catalog_find_view(engine *e, const char *schema, const char *name,
                                 const plan_object **view, base_error *err) {
    *view = engine_catalog_find(e, schema, name);
    if (*view != NULL && (*view)->kind == PLAN_OBJECT_VIEW) return BASE_OK;
    return base_fail(err, BASE_E_NOT_FOUND, BASE_SQLSTATE_UNDEFINED_TABLE,
                     "materialized view \"%s%s%s\" does not exist", schema != NULL ? schema : "",
                     schema != NULL ? "." : "", name);
}

const plan_object *engine_catalog_by_id(engine *e, uint32_t id) {
    if (id >= ENGINE_OBJECTS_MAX) return NULL;
    plat_mutex_lock(&e->catalog_lock);
    const plan_object *object = e->by_id[id];
    plat_mutex_unlock(&e->catalog_lock);
    return object;
}

static const plan_object *find_for_binder(void *self, const char *schema, const char *name) {
    return engine_catalog_find(self, schema, name);
}

static bool schema_for_binder(void *self, const char *schema) {
    engine *e = self;
    plat_mutex_lock(&e->catalog_lock);
    bool exists = base_map_get(e->schemas, base_str_of(schema)) != NULL;
    plat_mutex_unlock(&e->catalog_lock);
    return exists;
}

plan_catalog engine_plan_catalog(engine *e) {
    return (plan_catalog){e, find_for_binder, schema_for_binder};
}

const plan_object *engine_find(engine *e, base_str name) {
    const char *dot = name.n == 0 ? NULL : memchr(name.p, '.', name.n);
    char schema[128], object[256];
    if (dot == NULL) {
        if (name.n >= sizeof object) return NULL;
        memcpy(object, name.p, name.n);
        object[name.n] = 0;
        return engine_catalog_find(e, NULL, object);
    }
    size_t n = (size_t)(dot - name.p);
    if (n >= sizeof schema || name.n - n - 1 >= sizeof object) return NULL;
    memcpy(schema, name.p, n);
    schema[n] = 0;
    memcpy(object, dot + 1, name.n - n - 1);
    object[name.n - n - 1] = 0;
    return engine_catalog_find(e, schema, object);
}

void engine_objects(engine *e, void (*visit)(void *arg, const plan_object *object), void *arg) {
    // Taken at one moment; visit may look things up itself.
    uint32_t n = 0, end = e->next_id;
    const plan_object **objects = calloc(end, sizeof *objects);
    must(objects != NULL);
    plat_mutex_lock(&e->catalog_lock);
    for (uint32_t id = 0; id < end; id++)
        if (e->by_id[id] != NULL) objects[n++] = e->by_id[id];
    plat_mutex_unlock(&e->catalog_lock);
    for (uint32_t i = 0; i < n; i++) visit(arg, objects[i]);
    free(objects);
}

uint64_t engine_catalog_version(engine *e) {
    return atomic_load(&e->version);
}

// ---- changes in memory
// -------------------------------------------------------------------------------

void engine_catalog_put(engine *e, plan_object *object) {
    must(object->id < ENGINE_OBJECTS_MAX);
    base_buf key = {0};
    full_name(&key, object->schema, object->name);
    engine_rules_attach(e, object, e->by_id[object->id]);
    plat_mutex_lock(&e->catalog_lock);
    base_map_put(e->names, base_buf_str(&key), object);
    e->by_id[object->id] = object;
    plat_mutex_unlock(&e->catalog_lock);
    base_buf_deinit(&key);
    atomic_fetch_add(&e->version, 1);
}

void engine_catalog_remove(engine *e, const plan_object *object) {
    base_buf key = {0};
    full_name(&key, object->schema, object->name);
    plat_mutex_lock(&e->catalog_lock);
    base_map_remove(e->names, base_buf_str(&key));
    e->by_id[object->id] = NULL;
    plat_mutex_unlock(&e->catalog_lock);
    base_buf_deinit(&key);
    atomic_fetch_add(&e->version, 1);
}

void engine_catalog_put_schema(engine *e, const char *name, const char *comment) {
    plat_mutex_lock(&e->catalog_lock);
    base_map_put(e->schemas, base_str_of(name), base_arena_strdup(&e->catalog_arena, comment));
    plat_mutex_unlock(&e->catalog_lock);
    atomic_fetch_add(&e->version, 1);
}

void engine_catalog_remove_schema(engine *e, const char *name) {
    plat_mutex_lock(&e->catalog_lock);
    base_map_remove(e->schemas, base_str_of(name));
    plat_mutex_unlock(&e->catalog_lock);
    atomic_fetch_add(&e->version, 1);
}

// ---- stored form
// -------------------------------------------------------------------------------------

// A row of this key says that the object was dropped and its log is no longer wanted. A log that
// the catalogue does not know and that has no such row is what a lost catalogue left: it is kept.
static void dropping_key(const plan_object *object, base_buf *out) {
    base_buf_clear(out);
    base_buf_printf(out, "dropping:%s.%s", object->schema, object->name);
}

static void add_number(base_buf *value, const char *name, uint64_t n) {
    char text[24];
    if (n == 0) return;
    snprintf(text, sizeof text, "%llu", (unsigned long long)n);
    log_headers_add(value, base_str_of(name), base_str_of(text));
}

static void stored_form(const plan_object *object, base_buf *value) {
    base_buf name = {0};
    log_headers_add(value, BASE_STR("schema"), base_str_of(object->schema));
    log_headers_add(value, BASE_STR("name"), base_str_of(object->name));
    log_headers_add(value, BASE_STR("definition"), base_str_of(object->definition));
    if (object->comment != NULL)
        log_headers_add(value, BASE_STR("comment"), base_str_of(object->comment));
    for (uint32_t i = 0; i < object->ncolumns; i++) {
        if (object->columns[i].comment == NULL) continue;
        base_buf_clear(&name);
        base_buf_printf(&name, "column:%s", object->columns[i].name);
        log_headers_add(value, base_buf_str(&name), base_str_of(object->columns[i].comment));
    }
    if (object->kind == PLAN_OBJECT_VIEW && object->version > 1)
        add_number(value, "version", object->version);
    add_number(value, "state_id", object->state_id);
    add_number(value, "version_of", object->version_of);
    add_number(value, "former_version", object->former_version);
    add_number(value, "history_lost", object->history_lost);
    add_number(value, "is_replay", object->is_replay);
    engine_rules_put(object, value);
    base_buf_deinit(&name);
}

static base_rc put_object(engine *e, state_txn *txn, const plan_object *object, base_error *err) {
    char key[4], next[4];
    bool found;
    base_buf value = {0}, name = {0};
    stored_form(object, &value);
    base_rc rc = state_put(txn, e->t_objects, id_key(key, object->id), base_buf_str(&value), err);
    if (rc == BASE_OK)
        rc = state_put(txn, e->t_settings, BASE_STR("next_id"), id_key(next, e->next_id), err);
    dropping_key(object, &name);
    if (rc == BASE_OK) rc = state_delete(txn, e->t_settings, base_buf_str(&name), &found, err);
    base_buf_deinit(&value);
    base_buf_deinit(&name);
    return rc;
}

base_rc engine_catalog_store_two(engine *e, const plan_object *a, const plan_object *b,
                                 base_error *err) {
    state_txn *txn;
    base_rc rc = state_begin_write(e->meta, &txn, err);
    if (rc != BASE_OK) return rc;
    rc = put_object(e, txn, a, err);
    if (rc == BASE_OK && b != NULL) rc = put_object(e, txn, b, err);
    if (rc == BASE_OK) return state_commit(txn, err);
    state_abort(txn);
    return rc;
}

base_rc engine_catalog_store(engine *e, const plan_object *object, base_error *err) {
    return engine_catalog_store_two(e, object, NULL, err);
}

static base_rc write_row(engine *e, state_table table, base_str key, const base_str *value,
                         base_error *err) {
    state_txn *txn;
    base_rc rc = state_begin_write(e->meta, &txn, err);
    if (rc != BASE_OK) return rc;
    bool found;
    rc = value != NULL ? state_put(txn, table, key, *value, err)
                       : state_delete(txn, table, key, &found, err);
    if (rc == BASE_OK) return state_commit(txn, err);
    state_abort(txn);
    return rc;
}

base_rc engine_catalog_erase(engine *e, uint32_t id, base_error *err) {
    const plan_object *object = engine_catalog_by_id(e, id);
    char key[4];
    state_txn *txn;
    base_rc rc = state_begin_write(e->meta, &txn, err);
    if (rc != BASE_OK) return rc;
    bool found;
    rc = state_delete(txn, e->t_objects, id_key(key, id), &found, err);
    if (rc == BASE_OK && object != NULL &&
        (object->kind == PLAN_OBJECT_STREAM || object->kind == PLAN_OBJECT_TABLE)) {
        base_buf name = {0};
        dropping_key(object, &name);
        rc = state_put(txn, e->t_settings, base_buf_str(&name), BASE_STR("1"), err);
        base_buf_deinit(&name);
    }
    if (rc == BASE_OK) return state_commit(txn, err);
    state_abort(txn);
    return rc;
}

base_rc engine_catalog_store_schema(engine *e, const char *name, const char *comment,
                                    base_error *err) {
    base_str value = base_str_of(comment);
    return write_row(e, e->t_schemas, base_str_of(name), &value, err);
}

base_rc engine_catalog_erase_schema(engine *e, const char *name, base_error *err) {
    return write_row(e, e->t_schemas, base_str_of(name), NULL, err);
}

// ---- binding
// -----------------------------------------------------------------------------------------

base_rc engine_catalog_bind(engine *e, const char *schema, base_str definition, sql_statement **out,
                            base_error *err) {
    plan_catalog catalog = engine_plan_catalog(e);
    sql_session session = {&catalog, schema, plat_wall_us(e->plat), 0};
    return sql_bind(&e->catalog_arena, &session, definition, 0, 0, NULL, out, err);
}

plan_object *engine_object_with_comment(engine *e, const plan_object *object, const char *column,
                                        const char *comment) {
    plan_object *copy = base_arena_new(&e->catalog_arena, plan_object);
    *copy = *object;
    const char *text = comment == NULL ? NULL : base_arena_strdup(&e->catalog_arena, comment);
    if (column == NULL) {
        copy->comment = text;
        return copy;
    }
    plan_column *columns = base_arena_array(&e->catalog_arena, plan_column, object->ncolumns);
    memcpy(columns, object->columns, object->ncolumns * sizeof *columns);
    int32_t i = plan_column_find(object, column);
    must(i >= 0);
    columns[i].comment = text;
    copy->columns = columns;
    return copy;
}

void engine_object_keep_version(plan_object *object, const plan_object *from) {
    if (from->kind != PLAN_OBJECT_VIEW) return;
    if (from->version_of != 0) object->name = from->name;
    object->version = from->version;
    object->state_id = from->state_id;
    object->version_of = from->version_of;
    object->former_version = from->former_version;
    object->history_lost = from->history_lost;
    object->is_replay = from->is_replay;
}

static uint64_t read_number(base_str text) {
    uint64_t n = 0;
    for (size_t i = 0; i < text.n && text.p[i] >= '0' && text.p[i] <= '9'; i++)
        n = n * 10 + (uint64_t)(text.p[i] - '0');
    return n;
}

static void read_version(engine *e, base_str value, plan_object *object) {
    base_str name, text, own = {NULL, 0};
    for (size_t at = 0; log_headers_next(value, &at, &name, &text);) {
        if (base_str_eq(name, BASE_STR("name"))) own = text;
        if (base_str_eq(name, BASE_STR("version"))) object->version = (uint32_t)read_number(text);
        if (base_str_eq(name, BASE_STR("state_id"))) object->state_id = (uint32_t)read_number(text);
        if (base_str_eq(name, BASE_STR("version_of")))
            object->version_of = (uint32_t)read_number(text);
        if (base_str_eq(name, BASE_STR("former_version")))
            object->former_version = (uint32_t)read_number(text);
        if (base_str_eq(name, BASE_STR("history_lost"))) object->history_lost = read_number(text);
        if (base_str_eq(name, BASE_STR("is_replay"))) object->is_replay = read_number(text) != 0;
    }
    if (object->version_of != 0) object->name = base_arena_memdup(&e->catalog_arena, own.p, own.n);
}

// A stored object bound again.
static base_rc bind_stored(engine *e, uint32_t id, base_str value, plan_object **out,
                           base_error *err) {
    base_str name, text, schema = {NULL, 0}, object_name = {NULL, 0}, definition = {NULL, 0};
    for (size_t at = 0; log_headers_next(value, &at, &name, &text);) {
        if (base_str_eq(name, BASE_STR("schema"))) schema = text;
        if (base_str_eq(name, BASE_STR("name"))) object_name = text;
        if (base_str_eq(name, BASE_STR("definition"))) definition = text;
    }
    if (definition.n == 0)
        return base_fail(err, BASE_E_CORRUPT, NULL, "catalogue: object %u has no definition", id);
    char *kept = base_arena_memdup(&e->catalog_arena, definition.p, definition.n);
    char *schema_kept = base_arena_memdup(&e->catalog_arena, schema.p, schema.n);
    sql_statement *statement;
    base_rc rc =
        engine_catalog_bind(e, schema_kept, (base_str){kept, definition.n}, &statement, err);
    if (rc == BASE_OK && statement->object == NULL)
        rc = base_fail(err, BASE_E_CORRUPT, NULL, "the stored statement makes no object");
    if (rc != BASE_OK) {
        base_error_prefix(err, "catalogue: \"%.*s.%.*s\"", BASE_STR_ARG(schema),
                          BASE_STR_ARG(object_name));
        return rc;
    }
    plan_object *object = statement->object;
    object->id = id;
    object->definition = kept;
    if (object->kind == PLAN_OBJECT_VIEW) read_version(e, value, object);
    if (object->kind == PLAN_OBJECT_STREAM) rc = engine_rules_load(e, object, value, err);
    if (rc != BASE_OK) return rc;
    for (size_t at = 0; log_headers_next(value, &at, &name, &text);) {
        char *comment = base_arena_memdup(&e->catalog_arena, text.p, text.n);
        if (base_str_eq(name, BASE_STR("comment")))
            object = engine_object_with_comment(e, object, NULL, comment);
        if (!base_str_starts(name, BASE_STR("column:"))) continue;
        char *column = base_arena_memdup(&e->catalog_arena, name.p + 7, name.n - 7);
        if (plan_column_find(object, column) >= 0)
            object = engine_object_with_comment(e, object, column, comment);
    }
    *out = object;
    return BASE_OK;
}

log_stream_config engine_log_config(const plan_object *object) {
    const char *codec = plan_option_get(object, "compression");
    return (log_stream_config){
        .partitions = object->partitions > 0 ? object->partitions : 1,
        .codec = codec == NULL                ? LOG_CODEC_NONE
                 : strcmp(codec, "zstd") == 0 ? LOG_CODEC_ZSTD
                 : strcmp(codec, "lz4") == 0  ? LOG_CODEC_LZ4
                                              : LOG_CODEC_NONE,
        .retention_us = object->retention_us,
        .retention_bytes = object->retention_bytes,
    };
}

static base_rc is_dropping(engine *e, const plan_object *object, bool *dropping, base_error *err) {
    base_buf name = {0};
    dropping_key(object, &name);
    state_txn *txn;
    base_str value;
    base_rc rc = state_begin_read(e->meta, &txn, err);
    if (rc == BASE_OK) {
        rc = state_get(txn, e->t_settings, base_buf_str(&name), &value, dropping, err);
        state_abort(txn);
    }
    base_buf_deinit(&name);
    return rc;
}

static bool has_records(log_stream *log) {
    for (uint32_t p = 0; p < log_stream_partitions(log); p++)
        if (log_end(log, p) > 0) return true;
    return false;
}

// A log is there that no object of the catalogue stands behind. What a crash left of an unfinished
// CREATE or DROP goes; records that nobody dropped are the truth, and are taken over (*keep).
static base_rc meet_orphan(engine *e, const plan_object *object, base_str name, bool *keep,
                           base_error *err) {
    bool dropping;
    log_stream *log;
    *keep = false;
    base_rc rc = is_dropping(e, object, &dropping, err);
    if (rc == BASE_OK && !dropping) {
        log_stream_config any = {0};
        rc = log_stream_open(e->log, name, &any, NULL, &log, err);
        if (rc == BASE_OK) *keep = has_records(log);
    }
    if (rc != BASE_OK) return rc;
    if (*keep) {
        engine_say(e, ENGINE_WARNING,
                   "stream %.*s: the catalogue did not know it, but its log holds records: they "
                   "are kept and read",
                   BASE_STR_ARG(name));
        return BASE_OK;
    }
    engine_say(e, ENGINE_WARNING, "stream %.*s: an orphaned log was removed", BASE_STR_ARG(name));
    return log_stream_drop(e->log, name, err);
}

base_rc engine_stream_open(engine *e, const plan_object *object, bool create, base_error *err) {
    base_buf name = {0};
    full_name(&name, object->schema, object->name);
    log_stream_config config = engine_log_config(object);
    config.segment_bytes = e->config.segment_bytes;
    log_stream *log = NULL;
    bool exists;
    base_rc rc = log_stream_exists(e->log, base_buf_str(&name), &exists, err);
    bool keep = false;
    if (rc == BASE_OK && exists && create) {
        rc = meet_orphan(e, object, base_buf_str(&name), &keep, err);
        exists = keep;
    }
    log_open_report *reports = calloc(config.partitions, sizeof *reports);
    must(reports != NULL);
    if (rc == BASE_OK && exists)
        rc = log_stream_open(e->log, base_buf_str(&name), &config, reports, &log, err);
    else if (rc == BASE_OK)
        rc = log_stream_create(e->log, base_buf_str(&name), &config, &log, err);
    for (uint32_t p = 0; rc == BASE_OK && p < config.partitions; p++)
        if (reports[p].text[0] != 0)
            engine_say(e, ENGINE_WARNING, "stream %s, partition %u: %s", base_buf_cstr(&name), p,
                       reports[p].text);
    free(reports);
    if (rc == BASE_OK) {
        engine_stream *stream = calloc(1, sizeof *stream);
        must(stream != NULL);
        stream->engine = e;
        stream->object = object;
        stream->log = log;
        plat_mutex_init(&stream->lock);
        base_buf quarantine = {0};
        base_buf_printf(&quarantine, "%s!quarantine", base_buf_cstr(&name));
        rc = log_stream_exists(e->log, base_buf_str(&quarantine), &exists, err);
        if (rc == BASE_OK && exists && create && !keep)
            rc = log_stream_drop(e->log, base_buf_str(&quarantine), err);
        if (rc == BASE_OK && exists && (!create || keep)) {
            log_stream_config bad = {
                .partitions = 1, .segment_bytes = 8u << 20, .codec = LOG_CODEC_ZSTD};
            rc = log_stream_open(e->log, base_buf_str(&quarantine), &bad, NULL, &stream->quarantine,
                                 err);
        }
        base_buf_deinit(&quarantine);
        plat_mutex_lock(&e->catalog_lock);
        base_map_put(e->streams, base_buf_str(&name), stream);
        plat_mutex_unlock(&e->catalog_lock);
    }
    base_buf_deinit(&name);
    return rc;
}

static void free_stream(engine_stream *stream) {
    for (uint32_t i = 0; i < stream->npool; i++) engine_contract_destroy(stream->pool[i]);
    plat_mutex_deinit(&stream->lock);
    free(stream);
}

base_rc engine_stream_drop(engine *e, const plan_object *object, bool keep_records,
                           base_error *err) {
    base_buf name = {0};
    full_name(&name, object->schema, object->name);
    plat_mutex_lock(&e->catalog_lock);
    engine_stream *stream = base_map_remove(e->streams, base_buf_str(&name));
    while (stream != NULL && stream->holds > 0)
        plat_cond_wait(&e->stream_released, &e->catalog_lock);
    if (stream != NULL) {
        // A flow that stands still may have its address yet.
        stream->next_retired = e->retired;
        e->retired = stream;
    }
    plat_mutex_unlock(&e->catalog_lock);
    base_rc rc = BASE_OK;
    if (stream != NULL && !(keep_records && has_records(stream->log))) {
        bool has_quarantine = stream->quarantine != NULL;
        rc = log_stream_drop(e->log, base_buf_str(&name), err);
        if (rc == BASE_OK && has_quarantine) {
            base_buf_add_cstr(&name, "!quarantine");
            rc = log_stream_drop(e->log, base_buf_str(&name), err);
        }
    }
    base_buf_deinit(&name);
    return rc;
}

// ---- opening
// -----------------------------------------------------------------------------------------

static base_rc load_schemas(engine *e, state_txn *txn, base_error *err) {
    state_cursor *cursor;
    base_rc rc = state_cursor_open(txn, e->t_schemas, &cursor, err);
    if (rc != BASE_OK) return rc;
    base_str key, value;
    bool end;
    rc = state_cursor_seek(cursor, (base_str){NULL, 0}, &key, &value, &end, err);
    while (rc == BASE_OK && !end) {
        char *name = base_arena_memdup(&e->catalog_arena, key.p, key.n);
        char *comment = base_arena_memdup(&e->catalog_arena, value.p, value.n);
        engine_catalog_put_schema(e, name, comment);
        rc = state_cursor_next(cursor, &key, &value, &end, err);
    }
    state_cursor_close(cursor);
    return rc;
}

static base_rc load_object(engine *e, base_str key, base_str value, base_error *err) {
    uint32_t id = 0;
    for (size_t i = 0; i < key.n; i++) id = id << 8 | (uint8_t)key.p[i];
    if (key.n != 4 || id >= ENGINE_OBJECTS_MAX)
        return base_fail(err, BASE_E_CORRUPT, NULL, "catalogue: a key has %zu bytes", key.n);
    plan_object *object;
    base_rc rc = bind_stored(e, id, value, &object, err);
    if (rc != BASE_OK) return rc;
    engine_catalog_put(e, object);
    if (id >= e->next_id) e->next_id = id + 1;
    if (object->kind == PLAN_OBJECT_STREAM || object->kind == PLAN_OBJECT_TABLE)
        return engine_stream_open(e, object, false, err);
    return BASE_OK;
}

static bool is_loaded(engine *e, base_str key) {
    uint32_t id = 0;
    for (size_t i = 0; i < key.n; i++) id = id << 8 | (uint8_t)key.p[i];
    return id < ENGINE_OBJECTS_MAX && e->by_id[id] != NULL;
}

// One pass over those that are not there yet, by id; *missing: some stand on what comes later. The
// first error of these is left in err.
static base_rc load_pass(engine *e, state_txn *txn, bool *progress, bool *missing,
                         base_error *err) {
    *progress = *missing = false;
    state_cursor *cursor;
    base_rc rc = state_cursor_open(txn, e->t_objects, &cursor, err);
    if (rc != BASE_OK) return rc;
    base_str key, value;
    bool end;
    rc = state_cursor_seek(cursor, (base_str){NULL, 0}, &key, &value, &end, err);
    while (rc == BASE_OK && !end) {
        base_error one = {0};
        if (!is_loaded(e, key)) {
            rc = load_object(e, key, value, &one);
            if (rc == BASE_OK) *progress = true;
            if (rc != BASE_OK && (!*missing || rc != BASE_E_NOT_FOUND)) *err = one;
            if (rc == BASE_E_NOT_FOUND) *missing = true, rc = BASE_OK;
        }
        if (rc == BASE_OK) rc = state_cursor_next(cursor, &key, &value, &end, err);
    }
    state_cursor_close(cursor);
    return rc;
}

// An object stands on older ones, but a version of a view that was promoted has the view's id and
// may stand on newer ones.
static base_rc load_objects(engine *e, state_txn *txn, base_error *err) {
    base_rc rc;
    bool progress, missing;
    do {
        rc = load_pass(e, txn, &progress, &missing, err);
    } while (rc == BASE_OK && missing && progress);
    if (rc == BASE_OK && missing) rc = err->code;
    if (rc != BASE_OK) return rc;
    bool found;
    base_str value;
    rc = state_get(txn, e->t_settings, BASE_STR("next_id"), &value, &found, err);
    if (rc == BASE_OK && found && value.n == 4) {
        uint32_t next = 0;
        for (size_t i = 0; i < 4; i++) next = next << 8 | (uint8_t)value.p[i];
        if (next > e->next_id) e->next_id = next;
    }
    return rc;
}

// ---- steps of flows ----

// Setting "flow_steps.NAME": steps up to it may have been given out.
static void steps_key(const char *flow, base_buf *out) {
    base_buf_clear(out);
    base_buf_printf(out, "flow_steps.%s", flow);
}

base_rc engine_catalog_steps(engine *e, const char *flow, uint64_t *step, base_error *err) {
    *step = 0;
    state_txn *txn;
    base_rc rc = state_begin_read(e->meta, &txn, err);
    if (rc != BASE_OK) return rc;
    base_buf key = {0};
    base_str value;
    bool found;
    steps_key(flow, &key);
    rc = state_get(txn, e->t_settings, base_buf_str(&key), &value, &found, err);
    if (rc == BASE_OK && found && value.n == sizeof *step) memcpy(step, value.p, sizeof *step);
    base_buf_deinit(&key);
    state_abort(txn);
    return rc;
}

base_rc engine_catalog_reserve_steps(engine *e, const char *flow, uint64_t step, base_error *err) {
    base_buf key = {0};
    steps_key(flow, &key);
    base_str value = {(const char *)&step, sizeof step};
    base_rc rc = write_row(e, e->t_settings, base_buf_str(&key), &value, err);
    base_buf_deinit(&key);
    return rc;
}

static base_rc load_identity(engine *e, base_error *err) {
    state_txn *txn;
    base_str value;
    bool found;
    base_rc rc = state_begin_read(e->meta, &txn, err);
    if (rc != BASE_OK) return rc;
    rc = state_get(txn, e->t_settings, BASE_STR("identity"), &value, &found, err);
    if (rc == BASE_OK && found && value.n == sizeof e->identity)
        memcpy(&e->identity, value.p, sizeof e->identity);
    state_abort(txn);
    if (rc != BASE_OK || found) return rc;
    e->identity = e->plat->ops->random_u64(e->plat);
    value = (base_str){(const char *)&e->identity, sizeof e->identity};
    return write_row(e, e->t_settings, BASE_STR("identity"), &value, err);
}

base_rc engine_catalog_open(engine *e, base_error *err) {
    static const struct {
        const char *name;
        size_t offset;
    } tables[] = {
        {"objects", offsetof(engine, t_objects)},      {"schemas", offsetof(engine, t_schemas)},
        {"settings", offsetof(engine, t_settings)},    {"sinks", offsetof(engine, t_sinks)},
        {"reconciliation", offsetof(engine, t_recon)}, {"replays", offsetof(engine, t_replays)}};
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        base_rc rc = state_table_open(e->meta, tables[i].name,
                                      (state_table *)((char *)e + tables[i].offset), err);
        if (rc != BASE_OK) return rc;
    }
    e->next_id = ENGINE_FIRST_USER_ID;
    engine_catalog_put_schema(e, "public", "");
    engine_catalog_put_schema(e, "weir", "what weir knows about itself");
    engine_catalog_put_schema(e, "pg_catalog", "system catalogue, as PostgreSQL has it");
    engine_catalog_put_schema(e, "information_schema", "");
    engine_system_objects(e);
    state_txn *txn;
    base_rc rc = state_begin_read(e->meta, &txn, err);
    if (rc != BASE_OK) return rc;
    rc = load_schemas(e, txn, err);
    if (rc == BASE_OK) rc = load_objects(e, txn, err);
    state_abort(txn);
    return rc == BASE_OK ? load_identity(e, err) : rc;
}

void engine_catalog_close(engine *e) {
    base_str name;
    void *stream;
    for (size_t i = 0; base_map_at(e->streams, &i, &name, &stream);) free_stream(stream);
    while (e->retired != NULL) {
        engine_stream *next = e->retired->next_retired;
        free_stream(e->retired);
        e->retired = next;
    }
}
