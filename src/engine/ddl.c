// ddl.c - statements that change the catalogue: CREATE, DROP, COMMENT, for schemas, streams,
// tables, views, sinks and reconciliations.
//
// Invariants: under ddl_lock; the stored catalogue is written before memory shows a new object to
// others and before the files of a dropped one go; an object that others stand on is dropped only
// with CASCADE. A failed statement leaves the catalogue as it was. Entry point: engine_ddl.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "engine/catalog_int.h"
#include "engine/recon/alert.h"
#include "engine/recon/recon_int.h"
#include "engine/system_int.h"
#include "engine/version/version.h"

static base_rc exists_error(const plan_object *object, base_error *err) {
    return base_fail(err, BASE_E_EXISTS, BASE_SQLSTATE_DUPLICATE_TABLE,
                     "%s \"%s.%s\" already exists", plan_object_kind_name(object->kind),
                     object->schema, object->name);
}

static bool is_system_schema(const char *schema) {
    return strcmp(schema, "pg_catalog") == 0 || strcmp(schema, "information_schema") == 0 ||
           strcmp(schema, "weir") == 0;
}

// IF NOT EXISTS and IF EXISTS: done, with a notice as PostgreSQL gives one.
static base_rc skip(engine_result *out, bool exists) {
    static const char *const texts[][1] = {{"does not exist, skipping"},
                                           {"already exists, skipping"}};
    out->nnotices = 1;
    out->notices = texts[exists];
    return BASE_OK;
}

// ---- create
// ------------------------------------------------------------------------------------------

static base_rc create_schema(engine *e, const sql_statement *statement, engine_result *out,
                             base_error *err) {
    plan_catalog catalog = engine_plan_catalog(e);
    snprintf(out->tag, sizeof out->tag, "CREATE SCHEMA");
    if (catalog.schema_exists(e, statement->name)) {
        if (statement->if_not_exists) return skip(out, true);
        return base_fail(err, BASE_E_EXISTS, BASE_SQLSTATE_DUPLICATE_SCHEMA,
                         "schema \"%s\" already exists", statement->name);
    }
    base_rc rc = engine_catalog_store_schema(e, statement->name, "", err);
    if (rc == BASE_OK)
        engine_catalog_put_schema(e, base_arena_strdup(&e->catalog_arena, statement->name), "");
    return rc;
}

// What acts on two snapshots that were not taken at one instant needs a promise about what lies
// between them. Not the parser's: a catalogue of an earlier program may have none, and is read.
static base_rc check_settles(const plan_object *object, base_error *err) {
    if (object->kind != PLAN_OBJECT_RECONCILIATION || object->remedy == NULL || object->settles)
        return BASE_OK;
    base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_INVALID_DEFINITION,
              "ON MISMATCH %s needs SETTLE: what is on its way from one system to the other would "
              "be taken for a fault",
              object->remedy->corrects ? "CORRECT" : "BACKFILL");
    base_error_hint(err, "SETTLE '5 minutes' says that a fact is in both systems within that time; "
                         "SETTLE '0 seconds' that both are at rest while it runs.");
    return err->code;
}

static base_rc check_target(engine *e, const plan_object *object, base_error *err) {
    plan_catalog catalog = engine_plan_catalog(e);
    if (!catalog.schema_exists(e, object->schema))
        return base_fail(err, BASE_E_NOT_FOUND, BASE_SQLSTATE_INVALID_SCHEMA,
                         "schema \"%s\" does not exist", object->schema);
    if (is_system_schema(object->schema))
        return base_fail(err, BASE_E_INVALID, "42501", "schema \"%s\" is for the system",
                         object->schema);
    if (engine_stands_on_version(e, object))
        return base_fail(err, BASE_E_UNSUPPORTED, BASE_SQLSTATE_UNSUPPORTED,
                         "\"%s.%s\" would stand on a version of a view, which may take another's "
                         "place at any time; a reconciliation may",
                         object->schema, object->name);
    if (e->next_id >= ENGINE_OBJECTS_MAX)
        return base_fail(err, BASE_E_LIMIT, NULL, "the catalogue has given out all %u object ids",
                         ENGINE_OBJECTS_MAX);
    return check_settles(object, err);
}

// In a flow that has failed the view is noted, and made with the others when the flow is there
// again: who applies a file of objects must not lose one to a damaged store.
static base_rc start_view(engine *e, const plan_object *view, engine_result *out, base_error *err) {
    engine_flow *flow;
    base_rc rc = engine_flow_for(e, view->schema, view->refresh_us, &flow, err);
    if (rc == BASE_OK) rc = engine_flow_add_view(flow, view, err);
    if (rc != BASE_OK) return rc;
    if (flow->store == NULL) {
        const char **notice = base_arena_array(&e->catalog_arena, const char *, 1);
        *notice = base_arena_printf(&e->catalog_arena,
                                    "flow %s has failed: the view is made when the flow is there "
                                    "again",
                                    flow->name);
        out->notices = notice;
        out->nnotices = 1;
    }
    engine_flow_wake_all(e);
    return BASE_OK;
}

// A sink begins with the changes, or the runs, that come after it.
static base_rc start_sink(engine *e, const plan_object *sink, base_error *err) {
    uint64_t step;
    base_rc rc = engine_sink_newest(e, sink, &step, err);
    return rc == BASE_OK ? engine_sink_ack(e, sink, step, err) : rc;
}

static base_rc create_object(engine *e, plan_object *object, engine_result *out, bool if_not_exists,
                             base_error *err) {
    base_buf tag = {0};
    base_buf_printf(&tag, "CREATE %s", plan_object_kind_name(object->kind));
    for (size_t i = 0; i < tag.n; i++)
        if (tag.p[i] >= 'a' && tag.p[i] <= 'z') tag.p[i] -= 32;
    snprintf(out->tag, sizeof out->tag, "%s", base_buf_cstr(&tag));
    base_buf_deinit(&tag);
    const plan_object *there = engine_catalog_find(e, object->schema, object->name);
    if (there != NULL) return if_not_exists ? skip(out, true) : exists_error(there, err);
    base_rc rc = check_target(e, object, err);
    if (rc != BASE_OK) return rc;
    object->id = e->next_id++;
    bool has_log = object->kind == PLAN_OBJECT_STREAM || object->kind == PLAN_OBJECT_TABLE;
    if (has_log) rc = engine_stream_open(e, object, true, err);
    // The cursor before the sink itself: who sees the sink must not deliver what was before it.
    if (object->kind == PLAN_OBJECT_SINK) rc = start_sink(e, object, err);
    if (rc == BASE_OK) rc = engine_catalog_store(e, object, err);
    if (rc != BASE_OK) {
        base_error second;
        if (has_log && engine_stream_drop(e, object, true, &second) != BASE_OK)
            engine_say(e, ENGINE_WARNING, "%s", second.message);
        return rc;
    }
    engine_catalog_put(e, object);
    if (object->kind == PLAN_OBJECT_VIEW) rc = start_view(e, object, out, err);
    if (rc != BASE_OK) { // it never was
        base_error second;
        engine_catalog_remove(e, object);
        if (engine_catalog_erase(e, object->id, &second) != BASE_OK)
            engine_say(e, ENGINE_ERROR, "%s", second.message);
    }
    return rc;
}

// ---- drop
// --------------------------------------------------------------------------------------------

typedef struct dependents {
    const plan_object *on;
    const plan_object *found[256];
    uint32_t n;
} dependents;

static void visit_dependent(void *arg, const plan_object *object) {
    dependents *d = arg;
    if (plan_object_stands_on(object, d->on->id) && d->n < 256) d->found[d->n++] = object;
}

static base_rc refuse_dependents(const dependents *d, base_error *err) {
    base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_DEPENDENT_OBJECTS,
              "cannot drop %s %s.%s because other objects depend on it",
              plan_object_kind_name(d->on->kind), d->on->schema, d->on->name);
    base_buf list = {0};
    for (uint32_t i = 0; i < d->n; i++)
        base_buf_printf(&list, "%s%s %s.%s depends on it", i > 0 ? "; " : "",
                        plan_object_kind_name(d->found[i]->kind), d->found[i]->schema,
                        d->found[i]->name);
    base_error_detail(err, "%s", base_buf_cstr(&list));
    base_error_hint(err, "Use DROP ... CASCADE to drop the dependent objects too.");
    base_buf_deinit(&list);
    return err->code;
}

base_rc engine_drop_object(engine *e, const plan_object *object, bool cascade, base_buf *report,
                           base_error *err) {
    dependents d = {.on = object};
    engine_objects(e, visit_dependent, &d);
    if (d.n > 0 && !cascade) return refuse_dependents(&d, err);
    for (uint32_t i = 0; i < d.n; i++) {
        // An earlier one of the list may have taken it along.
        if (engine_catalog_by_id(e, d.found[i]->id) == NULL) continue;
        base_rc rc = engine_drop_object(e, d.found[i], true, report, err);
        if (rc != BASE_OK) return rc;
    }
    base_rc rc = engine_versions_drop(e, object, err);
    if (rc == BASE_OK) rc = engine_catalog_erase(e, object->id, err);
    if (rc != BASE_OK) return rc;
    if (object->kind == PLAN_OBJECT_VIEW) {
        engine_flow *flow = engine_flow_of_view(e, object->id);
        engine_catalog_remove(e, object);
        if (flow != NULL) rc = engine_flow_drop_view(flow, object, err);
    } else {
        engine_catalog_remove(e, object);
        if (object->kind == PLAN_OBJECT_STREAM || object->kind == PLAN_OBJECT_TABLE)
            rc = engine_stream_drop(e, object, false, err);
        if (object->kind == PLAN_OBJECT_SINK) rc = engine_sink_forget(e, object, err);
        if (object->kind == PLAN_OBJECT_RECONCILIATION)
            rc = engine_recon_forget(e, object->id, err);
    }
    if (report != NULL)
        base_buf_printf(report, "dropped %s %s.%s\n", plan_object_kind_name(object->kind),
                        object->schema, object->name);
    return rc;
}

// OR REPLACE of a plain view: the columns that it has stay, as PostgreSQL demands. What stands on
// it has taken its query in, and would have to be made again: that is left to DROP and CREATE.
static base_rc replace_view(engine *e, const plan_object *view, base_error *err) {
    const plan_object *there = engine_catalog_find(e, view->schema, view->name);
    if (there == NULL || there->kind != PLAN_OBJECT_PLAIN_VIEW) return BASE_OK;
    if (view->ncolumns < there->ncolumns)
        return base_fail(err, BASE_E_INVALID, "42P16", "cannot drop columns from view");
    for (uint32_t i = 0; i < there->ncolumns; i++) {
        const plan_column *old = &there->columns[i], *new = &view->columns[i];
        if (strcmp(old->name, new->name) != 0)
            return base_fail(err, BASE_E_INVALID, "42P16",
                             "cannot change name of view column \"%s\" to \"%s\"", old->name,
                             new->name);
        if (!col_type_eq(&old->type, &new->type))
            return base_fail(err, BASE_E_INVALID, "42P16",
                             "cannot change data type of view column \"%s\" from %s to %s",
                             old->name, col_kind_name(old->type.kind),
                             col_kind_name(new->type.kind));
    }
    dependents d = {.on = there};
    engine_objects(e, visit_dependent, &d);
    if (d.n > 0) {
        refuse_dependents(&d, err);
        base_error_hint(err, "OR REPLACE replaces a view that nothing stands on. DROP it CASCADE, "
                             "or change it in the file that weir serve applies.");
        return err->code;
    }
    return engine_drop_object(e, there, false, NULL, err);
}

static base_rc drop_object(engine_session *session, const sql_statement *statement,
                           engine_result *out, base_error *err) {
    engine *e = session->engine;
    const char *schema = statement->schema != NULL ? statement->schema : session->schema;
    base_buf tag = {0};
    base_buf_printf(&tag, "DROP %s", plan_object_kind_name(statement->drop_kind));
    for (size_t i = 0; i < tag.n; i++)
        if (tag.p[i] >= 'a' && tag.p[i] <= 'z') tag.p[i] -= 32;
    snprintf(out->tag, sizeof out->tag, "%s", base_buf_cstr(&tag));
    base_buf_deinit(&tag);
    const plan_object *object = engine_catalog_find(e, schema, statement->name);
    if (object == NULL) {
        if (statement->if_exists) return skip(out, false);
        base_fail(err, BASE_E_NOT_FOUND, BASE_SQLSTATE_UNDEFINED_TABLE,
                  "%s \"%s.%s\" does not exist", plan_object_kind_name(statement->drop_kind),
                  schema, statement->name);
        object = statement->schema == NULL ? engine_catalog_find(e, NULL, statement->name) : NULL;
        if (object != NULL)
            base_error_hint(err, "There is a %s \"%s.%s\": DROP wants the schema named.",
                            plan_object_kind_name(object->kind), object->schema, object->name);
        return err->code;
    }
    // DROP VIEW takes a materialized one, too.
    bool view = object->kind == PLAN_OBJECT_VIEW && statement->drop_kind == PLAN_OBJECT_PLAIN_VIEW;
    if (object->kind != statement->drop_kind && !view) {
        base_fail(err, BASE_E_INVALID, "42809", "\"%s.%s\" is a %s, not a %s", schema,
                  statement->name, plan_object_kind_name(object->kind),
                  plan_object_kind_name(statement->drop_kind));
        return err->code;
    }
    return engine_drop_object(e, object, statement->cascade, NULL, err);
}

typedef struct schema_members {
    const char *schema;
    const plan_object *first;
} schema_members;

static void visit_member(void *arg, const plan_object *object) {
    schema_members *members = arg;
    if (members->first == NULL && strcmp(object->schema, members->schema) == 0)
        members->first = object;
}

static base_rc drop_schema(engine *e, const sql_statement *statement, engine_result *out,
                           base_error *err) {
    snprintf(out->tag, sizeof out->tag, "DROP SCHEMA");
    plan_catalog catalog = engine_plan_catalog(e);
    if (!catalog.schema_exists(e, statement->name)) {
        if (statement->if_exists) return skip(out, false);
        return base_fail(err, BASE_E_NOT_FOUND, BASE_SQLSTATE_INVALID_SCHEMA,
                         "schema \"%s\" does not exist", statement->name);
    }
    if (is_system_schema(statement->name) || strcmp(statement->name, "public") == 0)
        return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_DEPENDENT_OBJECTS,
                         "cannot drop schema %s because the system needs it", statement->name);
    for (;;) {
        schema_members members = {statement->name, NULL};
        engine_objects(e, visit_member, &members);
        if (members.first == NULL) break;
        if (!statement->cascade) {
            base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_DEPENDENT_OBJECTS,
                      "cannot drop schema %s because other objects depend on it", statement->name);
            base_error_detail(err, "%s %s.%s is in it", plan_object_kind_name(members.first->kind),
                              members.first->schema, members.first->name);
            base_error_hint(err, "Use DROP ... CASCADE to drop the dependent objects too.");
            return err->code;
        }
        base_rc rc = engine_drop_object(e, members.first, true, NULL, err);
        if (rc != BASE_OK) return rc;
    }
    base_rc rc = engine_catalog_erase_schema(e, statement->name, err);
    if (rc == BASE_OK) engine_catalog_remove_schema(e, statement->name);
    return rc;
}

// ---- comment
// -----------------------------------------------------------------------------------------

static base_rc comment(engine_session *session, const sql_statement *statement, engine_result *out,
                       base_error *err) {
    engine *e = session->engine;
    snprintf(out->tag, sizeof out->tag, "COMMENT");
    if (statement->name == NULL) { // on a schema
        plan_catalog catalog = engine_plan_catalog(e);
        if (!catalog.schema_exists(e, statement->schema))
            return base_fail(err, BASE_E_NOT_FOUND, BASE_SQLSTATE_INVALID_SCHEMA,
                             "schema \"%s\" does not exist", statement->schema);
        const char *text = statement->value == NULL ? "" : statement->value;
        base_rc rc = engine_catalog_store_schema(e, statement->schema, text, err);
        if (rc == BASE_OK) engine_catalog_put_schema(e, statement->schema, text);
        return rc;
    }
    const char *schema = statement->schema != NULL ? statement->schema : session->schema;
    const plan_object *object = engine_catalog_find(e, schema, statement->name);
    if (object == NULL || object->kind == PLAN_OBJECT_SYSTEM)
        return base_fail(err, BASE_E_NOT_FOUND, BASE_SQLSTATE_UNDEFINED_TABLE,
                         "relation \"%s.%s\" does not exist", schema, statement->name);
    if (statement->column != NULL && plan_column_find(object, statement->column) < 0)
        return base_fail(err, BASE_E_NOT_FOUND, BASE_SQLSTATE_UNDEFINED_COLUMN,
                         "column \"%s\" of relation \"%s\" does not exist", statement->column,
                         statement->name);
    plan_object *changed =
        engine_object_with_comment(e, object, statement->column, statement->value);
    base_rc rc = engine_catalog_store(e, changed, err);
    if (rc == BASE_OK) engine_catalog_put(e, changed);
    return rc;
}

// ---- all
// ---------------------------------------------------------------------------------------------

// ddl_lock held. The statement is bound again in the catalogue's arena: what it makes lives on.
base_rc engine_ddl_locked(engine_session *session, const sql_statement *asked, engine_result *out,
                          base_error *err) {
    engine *e = session->engine;
    char *text = base_arena_memdup(&e->catalog_arena, asked->text.p, asked->text.n);
    sql_statement *statement;
    const char *schema = base_arena_strdup(&e->catalog_arena, session->schema);
    base_rc rc = engine_catalog_bind(e, schema, (base_str){text, asked->text.n}, &statement, err);
    if (rc != BASE_OK) {
        if (err->position > 0) err->position += asked->text_offset;
        return rc;
    }
    switch (statement->kind) {
    case SQL_CREATE_SCHEMA:
        return create_schema(e, statement, out, err);
    case SQL_CREATE_STREAM:
    case SQL_CREATE_TABLE:
    case SQL_CREATE_VIEW:
    case SQL_CREATE_SINK:
    case SQL_CREATE_RECONCILIATION:
        if (statement->object->definition == NULL) statement->object->definition = text;
        if (statement->or_replace && statement->object->kind == PLAN_OBJECT_PLAIN_VIEW) {
            rc = replace_view(e, statement->object, err);
            if (rc != BASE_OK) return rc;
        }
        if (statement->or_replace && statement->object->kind == PLAN_OBJECT_VIEW) {
            const plan_object *there =
                engine_catalog_find(e, statement->object->schema, statement->object->name);
            if (there != NULL && there->kind == PLAN_OBJECT_VIEW)
                return engine_version_create(session, there, statement->object, out, err);
        }
        return create_object(e, statement->object, out, statement->if_not_exists, err);
    case SQL_DROP:
        return drop_object(session, statement, out, err);
    case SQL_DROP_SCHEMA:
        return drop_schema(e, statement, out, err);
    case SQL_COMMENT:
        return comment(session, statement, out, err);
    default:
        must(!"not a DDL statement");
        return BASE_E_INTERNAL;
    }
}

base_rc engine_ddl(engine_session *session, sql_statement *statement, engine_result *out,
                   base_arena *arena, base_error *err) {
    (void)arena;
    plat_mutex_lock(&session->engine->ddl_lock);
    base_rc rc = engine_ddl_locked(session, statement, out, err);
    plat_mutex_unlock(&session->engine->ddl_lock);
    return rc;
}
