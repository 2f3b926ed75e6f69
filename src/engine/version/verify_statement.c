// verify_statement.c - the answer of VERIFY; see verify_statement.h.
#include "engine/version/verify_statement.h"

#include <stdio.h>

#include "base/must.h"

#define TEXT                                                                                       \
    { COL_TEXT, 0, 0, 0, NULL }
#define INT8                                                                                       \
    { COL_INT8, 0, 0, 0, NULL }
#define VERIFY_NOTICES 20u

static const plan_column verify_columns[] = {
    {.name = "view", .type = TEXT},
    {.name = "verdict", .type = TEXT},
    {.name = "rows", .type = INT8},
    {.name = "rows_from_log", .type = INT8},
    {.name = "missing", .type = INT8},
    {.name = "unexpected", .type = INT8},
    {.name = "differing", .type = INT8},
    {.name = "records", .type = INT8},
    {.name = "step", .type = INT8},
    {.name = "digest", .type = TEXT},
    {.name = "digest_from_log", .type = TEXT},
    {.name = "reason", .type = TEXT},
};

const plan_column *engine_verify_columns(uint32_t *n) {
    *n = sizeof verify_columns / sizeof *verify_columns;
    return verify_columns;
}

typedef struct all_views {
    const plan_object **items; // ENGINE_OBJECTS_MAX
    uint32_t n;
} all_views;

static void add_view(void *arg, const plan_object *object) {
    all_views *all = arg;
    if (object->kind == PLAN_OBJECT_VIEW) all->items[all->n++] = object;
}

static void add_row(col_builder *builder, base_arena *arena, const plan_object *view,
                    const engine_verify_result *r) {
    col_builder_new_row(builder, 1);
    col_builder_set_str(builder, 0,
                        base_str_of(base_arena_printf(arena, "%s.%s", view->schema, view->name)));
    col_builder_set_str(builder, 1, base_str_of(engine_verdict_name(r->verdict)));
    const uint64_t numbers[] = {r->rows,      r->rows_from_log, r->missing, r->unexpected,
                                r->differing, r->records,       r->step};
    for (uint32_t i = 0; i < 7; i++) col_builder_set_i64(builder, 2 + i, (int64_t)numbers[i]);
    const char *texts[] = {r->digest, r->digest_from_log, r->reason};
    for (uint32_t i = 0; i < 3; i++)
        col_builder_set_str(builder, 9 + i, base_str_of(base_arena_strdup(arena, texts[i])));
}

static void add_notices(const plan_object *view, const engine_verify_result *r, base_arena *arena,
                        const char **notices, size_t *n) {
    for (uint32_t i = 0; i < r->nlisted && *n < VERIFY_NOTICES; i++) {
        const engine_verify_difference *d = &r->listed[i];
        notices[(*n)++] = base_arena_printf(
            arena, "%s.%s %s: served %s, from the log %s", view->schema, view->name, d->key,
            d->served != NULL ? d->served : "no row", d->from_log != NULL ? d->from_log : "no row");
    }
}

static base_rc find_views(engine_session *session, const sql_statement *statement, all_views *all,
                          base_error *err) {
    engine *e = session->engine;
    if (statement->name == NULL) {
        engine_objects(e, add_view, all);
        return BASE_OK;
    }
    return engine_catalog_find_view(e, statement->schema, statement->name, &all->items[all->n++],
                                    err);
}

base_rc engine_verify_statement(engine_session *session, const sql_statement *statement,
                                const col_type *types, base_arena *arena, engine_result *out,
                                const col_batch **rows, base_error *err) {
    all_views all = {base_arena_array(arena, const plan_object *, ENGINE_OBJECTS_MAX), 0};
    base_rc rc = find_views(session, statement, &all, err);
    if (rc != BASE_OK) return rc;
    uint32_t ncolumns;
    (void)engine_verify_columns(&ncolumns);
    col_builder *builder = col_builder_create(arena, ncolumns, types);
    const char **notices = base_arena_array(arena, const char *, VERIFY_NOTICES);
    size_t nnotices = 0;
    for (uint32_t i = 0; rc == BASE_OK && i < all.n; i++) {
        engine_verify_result result;
        rc = engine_verify(session->engine, all.items[i], arena, &session->cancel, &result, err);
        if (rc != BASE_OK) return rc;
        add_row(builder, arena, all.items[i], &result);
        add_notices(all.items[i], &result, arena, notices, &nnotices);
    }
    out->notices = notices;
    out->nnotices = nnotices;
    *rows = col_builder_finish(builder);
    snprintf(out->tag, sizeof out->tag, "VERIFY %u", all.n);
    return BASE_OK;
}
