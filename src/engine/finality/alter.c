// alter.c - ALTER STREAM name ALTER WATERMARK FOR ...: the stream's own text with another clause in
// place of its WATERMARK, taken over as if a file with that text had been applied (evolve.c). The
// stored text is the new one: a file that has the former clause, applied later, changes it back.
// Entry point: engine_alter_stream.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "engine/apply_int.h"
#include "engine/finality/rules.h"

static base_rc find_stream(engine_session *session, const sql_statement *statement,
                           const plan_object **out, base_error *err) {
    const char *schema = statement->schema != NULL ? statement->schema : session->schema;
    const plan_object *there = engine_catalog_find(session->engine, schema, statement->name);
    if (there == NULL || there->kind != PLAN_OBJECT_STREAM)
        return base_fail(err, BASE_E_NOT_FOUND, BASE_SQLSTATE_UNDEFINED_TABLE,
                         "stream \"%s.%s\" does not exist", schema, statement->name);
    if (there->watermark == NULL)
        return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER,
                         "stream \"%s.%s\" has no WATERMARK to alter", schema, statement->name);
    *out = there;
    return BASE_OK;
}

// The text with the clause in place of the present one, bound in the catalogue's arena.
static base_rc bind_altered(engine *e, const plan_object *there, const char *clause,
                            plan_object **out, base_error *err) {
    base_buf text = {0};
    base_buf_printf(&text, "%.*s%s%s", (int)there->watermark_at, there->definition, clause,
                    there->definition + there->watermark_to);
    const char *kept = base_arena_strdup(&e->catalog_arena, base_buf_cstr(&text));
    base_buf_deinit(&text);
    sql_statement *bound;
    base_rc rc = engine_catalog_bind(e, there->schema, base_str_of(kept), &bound, err);
    if (rc != BASE_OK) {
        err->position = 0; // of a text that nobody wrote
        return rc;
    }
    bound->object->definition = kept;
    *out = bound->object;
    return BASE_OK;
}

static base_rc take_over(engine_session *session, const plan_object *there, plan_object *wanted,
                         base_arena *arena, engine_result *out, base_error *err) {
    base_buf report = {0};
    apply a = {.session = session,
               .engine = session->engine,
               .logs = session->engine,
               .arena = arena,
               .report = &report};
    a.seen = calloc(ENGINE_OBJECTS_MAX, sizeof *a.seen);
    a.created = calloc(ENGINE_OBJECTS_MAX, sizeof *a.created);
    a.lost = calloc(ENGINE_OBJECTS_MAX, sizeof *a.lost);
    must(a.seen != NULL && a.created != NULL && a.lost != NULL);
    base_rc rc = apply_evolve(&a, there, wanted, err);
    base_error second = {0};
    base_rc restored = apply_restore(&a, &second);
    if (rc == BASE_OK && restored != BASE_OK) {
        *err = second;
        rc = restored;
    }
    if (rc == BASE_OK) {
        const char **notice = base_arena_array(arena, const char *, 1);
        notice[0] = base_arena_memdup(arena, report.p, report.n > 0 ? report.n - 1 : 0);
        out->notices = notice;
        out->nnotices = 1;
    }
    free(a.seen);
    free(a.created);
    free(a.lost);
    base_buf_deinit(&report);
    return rc;
}

base_rc engine_alter_stream(engine_session *session, const sql_statement *statement,
                            base_arena *arena, engine_result *out, base_error *err) {
    engine *e = session->engine;
    snprintf(out->tag, sizeof out->tag, "ALTER STREAM");
    plat_mutex_lock(&e->ddl_lock);
    const plan_object *there;
    plan_object *wanted;
    base_rc rc = find_stream(session, statement, &there, err);
    if (rc == BASE_OK) rc = bind_altered(e, there, statement->value, &wanted, err);
    if (rc == BASE_OK && engine_rules_differ(there, wanted))
        rc = take_over(session, there, wanted, arena, out, err);
    plat_mutex_unlock(&e->ddl_lock);
    return rc;
}
