// statement.c - statements from text to answer: prepare, describe, execute.
//
// A prepared statement keeps its text and binds itself again when the catalogue has changed since.
// DDL goes to ddl.c, queries to query.c, INSERT to ingest.c; what is small is answered here. Entry
// points: engine_prepare, engine_execute, engine_run_sql.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "engine/finality/rules.h"
#include "engine/query_int.h"
#include "engine/recon/remedy.h"
#include "engine/setting_int.h"
#include "engine/version/replay.h"
#include "engine/version/verify_statement.h"
#include "engine/version/version.h"

struct engine_prepared {
    engine_session *session;
    base_arena *arena;
    base_str text;
    int32_t text_offset;
    size_t nparam_types;
    const col_type *param_types;
    sql_statement *statement;
    uint64_t version;
    // What a description says: fixed by the first binding.
    uint32_t ncolumns;
    const char **names;
    col_type *types;
    bool has_rows;
};

void engine_session_init(engine_session *session, engine *e) {
    memset(session, 0, sizeof *session);
    session->engine = e;
    session->user = "weir";
    session->database = "weir";
    session->schema = "public";
}

base_rc engine_split(base_arena *arena, base_str text, size_t *n, base_str **statements,
                     base_error *err) {
    return sql_split(arena, text, n, statements, err);
}

// ---- prepare
// -----------------------------------------------------------------------------------------

// SHOW of a list is a query over schema weir; NULL: a setting.
static const char *show_query(const char *name) {
    static const struct {
        const char *name, *query;
    } lists[] = {
        {"streams", "SELECT * FROM weir.streams ORDER BY 1, 2"},
        {"tables", "SELECT * FROM weir.tables ORDER BY 1, 2"},
        {"views", "SELECT * FROM weir.views ORDER BY 1, 2"},
        {"materialized views", "SELECT * FROM weir.views ORDER BY 1, 2"},
        {"flows", "SELECT * FROM weir.flows ORDER BY 1"},
        {"sinks", "SELECT * FROM weir.sinks ORDER BY 1, 2"},
        {"reconciliations", "SELECT * FROM weir.reconciliations ORDER BY 1, 2"},
        {"schemas", "SELECT nspname AS schema FROM pg_catalog.pg_namespace ORDER BY 1"},
        {"quarantine", "SELECT * FROM weir.quarantine ORDER BY 1, 2, 3"},
        {"all",
         "SELECT name, setting, short_desc AS description FROM pg_catalog.pg_settings ORDER BY 1"},
    };
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        if (strcmp(name, lists[i].name) == 0) return lists[i].query;
    return NULL;
}

static void one_text_column(engine_prepared *p, const char *name) {
    p->has_rows = true;
    p->ncolumns = 1;
    p->names = base_arena_array(p->arena, const char *, 1);
    p->types = base_arena_array(p->arena, col_type, 1);
    p->names[0] = name;
    p->types[0] = col_type_of(COL_TEXT);
}

static void describe_plan(engine_prepared *p, const plan_node *plan) {
    p->has_rows = true;
    p->ncolumns = plan->ncolumns;
    p->names = base_arena_array(p->arena, const char *, plan->ncolumns + 1);
    p->types = base_arena_array(p->arena, col_type, plan->ncolumns + 1);
    for (uint32_t i = 0; i < plan->ncolumns; i++) {
        p->names[i] = plan->columns[i].name;
        p->types[i] = plan->columns[i].type;
    }
}

static const char *const reconcile_columns[] = {"run", "matched", "missing", "unexpected",
                                                "differing"};

static void describe_statement(engine_prepared *p) {
    const sql_statement *s = p->statement;
    p->has_rows = false;
    p->ncolumns = 0;
    switch (s->kind) {
    case SQL_SELECT:
    case SQL_COPY_OUT:
        describe_plan(p, s->plan);
        break;
    case SQL_EXPLAIN:
        one_text_column(p, "QUERY PLAN");
        break;
    case SQL_SHOW:
        one_text_column(p, s->name);
        break;
    case SQL_RECONCILE:
        p->has_rows = true;
        p->ncolumns = 5;
        p->names = base_arena_array(p->arena, const char *, 5);
        p->types = base_arena_array(p->arena, col_type, 5);
        for (uint32_t i = 0; i < 5; i++) {
            p->names[i] = reconcile_columns[i];
            p->types[i] = col_type_of(COL_INT8);
        }
        break;
    case SQL_VERIFY: {
        uint32_t n;
        const plan_column *columns = engine_verify_columns(&n);
        p->has_rows = true;
        p->ncolumns = n;
        p->names = base_arena_array(p->arena, const char *, n);
        p->types = base_arena_array(p->arena, col_type, n);
        for (uint32_t i = 0; i < n; i++) {
            p->names[i] = columns[i].name;
            p->types[i] = columns[i].type;
        }
        break;
    }
    default:
        break;
    }
}

static base_rc bind(engine_prepared *p, base_error *err) {
    engine *e = p->session->engine;
    plan_catalog catalog = engine_plan_catalog(e);
    sql_session session = {&catalog, p->session->schema, plat_wall_us(e->plat), p->session->zone};
    p->version = engine_catalog_version(e);
    base_rc rc = sql_bind(p->arena, &session, p->text, p->text_offset, p->nparam_types,
                          p->param_types, &p->statement, err);
    if (rc != BASE_OK || p->statement->kind != SQL_SHOW || p->statement->name == NULL) return rc;
    const char *query = show_query(p->statement->name);
    if (query == NULL) return BASE_OK;
    return sql_bind(p->arena, &session, base_str_of(query), 0, 0, NULL, &p->statement, err);
}

base_rc engine_prepare(engine_session *session, base_arena *arena, base_str text,
                       int32_t text_offset, size_t nparam_types, const col_type *param_types,
                       engine_prepared **out, base_error *err) {
    engine_prepared *p = base_arena_new(arena, engine_prepared);
    p->session = session;
    p->arena = arena;
    p->text = (base_str){base_arena_memdup(arena, text.p, text.n), text.n};
    p->text_offset = text_offset;
    p->nparam_types = nparam_types;
    col_type *types = base_arena_array(arena, col_type, nparam_types + 1);
    if (nparam_types > 0) memcpy(types, param_types, nparam_types * sizeof *types);
    p->param_types = types;
    base_rc rc = bind(p, err);
    if (rc != BASE_OK) return rc;
    describe_statement(p);
    *out = p;
    return BASE_OK;
}

void engine_prepared_describe(const engine_prepared *prepared, size_t *nparams,
                              const col_type **params, engine_result *out) {
    memset(out, 0, sizeof *out);
    *nparams = prepared->statement->nparams;
    *params = prepared->statement->params;
    out->has_rows = prepared->has_rows && prepared->statement->kind != SQL_COPY_OUT;
    out->is_copy = prepared->statement->kind == SQL_COPY_OUT;
    out->ncolumns = prepared->ncolumns;
    out->names = prepared->names;
    out->types = prepared->types;
}

bool engine_prepared_is_empty(const engine_prepared *prepared) {
    return prepared->statement->kind == SQL_EMPTY;
}

// The catalogue has changed: bind again, in memory of its own, since arena belongs to this
// execution.
static base_rc rebind(engine_prepared *p, base_arena *arena, engine_prepared *copy,
                      base_error *err) {
    *copy = *p;
    copy->arena = arena;
    base_rc rc = bind(copy, err);
    if (rc != BASE_OK) return rc;
    describe_statement(copy);
    bool same = copy->ncolumns == p->ncolumns && copy->statement->nparams == p->statement->nparams;
    for (uint32_t i = 0; same && i < p->ncolumns; i++)
        same = copy->types[i].kind == p->types[i].kind;
    if (!same)
        return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_UNSUPPORTED,
                         "cached plan must not change result type");
    return BASE_OK;
}

// ---- execute
// -----------------------------------------------------------------------------------------

typedef struct execution {
    engine_session *session;
    engine_prepared *prepared;
    const sql_statement *statement;
    const col_batch *params;
    base_arena *arena;
    engine_result *out;
    base_error *err;
} execution;

static void set_rows(execution *x, const col_batch *rows) {
    x->out->has_rows = true;
    x->out->ncolumns = x->prepared->ncolumns;
    x->out->names = x->prepared->names;
    x->out->types = x->prepared->types;
    x->out->rows = rows;
}

static const plan_node *bound_plan(execution *x) {
    if (x->params == NULL || x->statement->nparams == 0) return x->statement->plan;
    return plan_node_bind_params(x->arena, x->statement->plan, x->params);
}

static base_rc do_select(execution *x) {
    const col_batch *rows;
    base_rc rc =
        engine_query(x->session, bound_plan(x), x->arena, &rows, &x->out->standing, x->err);
    if (rc != BASE_OK) return rc;
    set_rows(x, rows);
    snprintf(x->out->tag, sizeof x->out->tag, "SELECT %u", rows->nrows);
    if (x->statement->kind == SQL_COPY_OUT) {
        x->out->is_copy = true;
        x->out->copy_csv = x->statement->copy.csv;
        x->out->copy_header = x->statement->copy.header;
        x->out->copy_delimiter = x->statement->copy.delimiter;
        x->out->copy_null = x->statement->copy.null_text;
        snprintf(x->out->tag, sizeof x->out->tag, "COPY %u", rows->nrows);
    }
    return BASE_OK;
}

static base_rc text_rows(execution *x, base_str text) {
    col_type type = col_type_of(COL_TEXT);
    col_builder *builder = col_builder_create(x->arena, 1, &type);
    for (size_t at = 0; at < text.n;) {
        const char *newline = memchr(text.p + at, '\n', text.n - at);
        size_t n = newline == NULL ? text.n - at : (size_t)(newline - (text.p + at));
        col_builder_new_row(builder, 1);
        col_builder_set_str(builder, 0, (base_str){base_arena_memdup(x->arena, text.p + at, n), n});
        at += n + 1;
    }
    set_rows(x, col_builder_finish(builder));
    return BASE_OK;
}

static base_rc do_explain(execution *x) {
    base_buf text = {0};
    base_rc rc =
        engine_explain(x->session, x->statement, x->arena, &x->out->standing, &text, x->err);
    if (rc == BASE_OK) rc = text_rows(x, base_buf_str(&text));
    base_buf_deinit(&text);
    snprintf(x->out->tag, sizeof x->out->tag, "EXPLAIN");
    return rc;
}

static base_rc do_insert(execution *x) {
    const col_batch *rows;
    base_rc rc =
        engine_query(x->session, bound_plan(x), x->arena, &rows, &x->out->standing, x->err);
    if (rc != BASE_OK) return rc;
    memset(&x->out->standing, 0, sizeof x->out->standing);
    engine_ingest_result result;
    rc = engine_ingest_rows(x->session->engine, x->statement->target, x->statement->ntarget_columns,
                            x->statement->target_columns, rows, "sql", x->arena, &result, x->err);
    if (rc != BASE_OK) return rc;
    snprintf(x->out->tag, sizeof x->out->tag, "INSERT 0 %llu", (unsigned long long)result.accepted);
    if (result.quarantined == 0) return BASE_OK;
    // SQL clients expect a broken rule to be an error; what happened to the rows is said with it.
    base_fail(x->err, BASE_E_INVALID, result.faults[0].sqlstate, "%s", result.faults[0].message);
    base_error_detail(x->err, "%llu of %u rows were stored; %llu are in weir.quarantine.",
                      (unsigned long long)result.accepted, rows->nrows,
                      (unsigned long long)result.quarantined);
    return x->err->code;
}

static base_rc do_delete(execution *x) {
    engine_session *session = x->session;
    const col_batch *keys;
    base_rc rc = engine_query(session, bound_plan(x), x->arena, &keys, &x->out->standing, x->err);
    if (rc != BASE_OK) return rc;
    memset(&x->out->standing, 0, sizeof x->out->standing);
    char *origin = base_arena_printf(x->arena, "sql user %s", session->user);
    engine_ingest_result result;
    rc = engine_ingest_deletes(session->engine, x->statement->target, keys, "sql",
                               base_str_of(origin), x->arena, &result, x->err);
    if (rc != BASE_OK) return rc;
    snprintf(x->out->tag, sizeof x->out->tag, "DELETE %llu", (unsigned long long)result.accepted);
    return BASE_OK;
}

// What the columns of RECONCILE do not say.
static void tell_reconciled(execution *x, const engine_reconcile_result *result) {
    if (result->pending == 0 && result->duplicate == 0) return;
    const char **notices = base_arena_array(x->arena, const char *, 2);
    x->out->notices = notices;
    unsigned long long single = result->duplicate, pending = result->pending;
    if (single > 0)
        notices[x->out->nnotices++] = base_arena_printf(x->arena, "%llu %s not single", single,
                                                        single == 1 ? "key is" : "keys are");
    if (pending > 0)
        notices[x->out->nnotices++] = base_arena_printf(
            x->arena, "%llu %s not agree yet: pending until seen again after the settling time",
            pending, pending == 1 ? "key does" : "keys do");
}

static base_rc find_reconciliation(execution *x, const plan_object **out) {
    const char *schema = x->statement->schema != NULL ? x->statement->schema : x->session->schema;
    *out = engine_catalog_find(x->session->engine, schema, x->statement->name);
    if (*out != NULL && (*out)->kind == PLAN_OBJECT_RECONCILIATION) return BASE_OK;
    return base_fail(x->err, BASE_E_NOT_FOUND, BASE_SQLSTATE_UNDEFINED_OBJECT,
                     "reconciliation \"%s.%s\" does not exist", schema, x->statement->name);
}

static base_rc do_decide(execution *x) {
    const plan_object *object;
    base_rc rc = find_reconciliation(x, &object);
    if (rc != BASE_OK) return rc;
    snprintf(x->out->tag, sizeof x->out->tag, "%s RECONCILIATION",
             x->statement->approve ? "APPROVE" : "REJECT");
    return engine_remedy_decide(x->session, object, x->statement->run, x->statement->approve,
                                x->err);
}

static base_rc do_reconcile(execution *x) {
    const plan_object *object;
    base_rc rc = find_reconciliation(x, &object);
    if (rc != BASE_OK) return rc;
    engine_reconcile_result result;
    rc = engine_reconcile_for(x->session, object, &result, x->err);
    if (rc != BASE_OK) return rc;
    col_builder *builder = col_builder_create(x->arena, 5, x->prepared->types);
    const uint64_t values[] = {result.run, result.matched, result.missing, result.unexpected,
                               result.differing};
    col_builder_new_row(builder, 1);
    for (uint32_t i = 0; i < 5; i++) col_builder_set_i64(builder, i, (int64_t)values[i]);
    set_rows(x, col_builder_finish(builder));
    tell_reconciled(x, &result);
    snprintf(x->out->tag, sizeof x->out->tag, "RECONCILE");
    return BASE_OK;
}

static base_rc do_advance(execution *x) {
    const sql_advance *a = &x->statement->advance;
    const plan_object *stream = x->statement->target;
    char user[ENGINE_SOURCE_BYTES_MAX + 1];
    snprintf(user, sizeof user, "sql %s", x->session->user);
    engine_heartbeat beat = {.partition = a->partition,
                             .has_events = a->has_events,
                             .events = a->events,
                             .source = base_str_of(a->source != NULL ? a->source : user)};
    base_rc rc =
        engine_heartbeat_time(stream, base_str_of(a->to), x->session->zone, &beat.to_us, x->err);
    if (rc == BASE_OK) rc = engine_advance(x->session->engine, stream, &beat, x->err);
    snprintf(x->out->tag, sizeof x->out->tag, "ADVANCE WATERMARK");
    return rc;
}

static base_rc do_rebuild(execution *x) {
    base_buf aside = {0};
    base_rc rc = engine_rebuild_flow(x->session->engine, x->statement->name, &aside, x->err);
    if (aside.n > 0) {
        const char **notice = base_arena_array(x->arena, const char *, 1);
        *notice = base_arena_printf(x->arena, "the flow's former store is kept in \"%s\"",
                                    base_buf_cstr(&aside));
        x->out->notices = notice;
        x->out->nnotices = 1;
    }
    base_buf_deinit(&aside);
    snprintf(x->out->tag, sizeof x->out->tag, "REBUILD FLOW");
    return rc;
}

static base_rc do_verify(execution *x) {
    const col_batch *rows;
    base_rc rc = engine_verify_statement(x->session, x->statement, x->prepared->types, x->arena,
                                         x->out, &rows, x->err);
    if (rc == BASE_OK) set_rows(x, rows);
    return rc;
}

static base_rc do_show(execution *x) {
    base_str value;
    if (!engine_setting_get(x->session, base_str_of(x->statement->name), x->arena, &value))
        return base_fail(x->err, BASE_E_NOT_FOUND, BASE_SQLSTATE_UNDEFINED_OBJECT,
                         "unrecognized configuration parameter \"%s\"", x->statement->name);
    base_rc rc = text_rows(x, value);
    if (rc == BASE_OK && x->out->rows->nrows == 0) rc = text_rows(x, BASE_STR("\n"));
    snprintf(x->out->tag, sizeof x->out->tag, "SHOW");
    return rc;
}

static base_rc do_set(execution *x) {
    const sql_statement *s = x->statement;
    bool reset = s->kind == SQL_RESET;
    snprintf(x->out->tag, sizeof x->out->tag, reset ? "RESET" : "SET");
    if (s->name == NULL) {
        engine_settings_reset(x->session);
        return BASE_OK;
    }
    static const char *const local[] = {"SET LOCAL can only be used in transaction blocks"};
    if (s->is_local && !x->session->in_transaction) {
        x->out->nnotices = 1;
        x->out->notices = local;
    }
    return engine_setting_set(x->session, s->name, reset ? NULL : s->value, s->is_local, x->err);
}

// In a session that reads the past: what it shows cannot be changed.
static base_rc check_may_write(execution *x) {
    int64_t us;
    switch (x->statement->kind) {
    case SQL_CREATE_SCHEMA:
    case SQL_CREATE_STREAM:
    case SQL_CREATE_TABLE:
    case SQL_CREATE_VIEW:
    case SQL_CREATE_SINK:
    case SQL_CREATE_RECONCILIATION:
    case SQL_DROP:
    case SQL_DROP_SCHEMA:
    case SQL_COMMENT:
    case SQL_INSERT:
    case SQL_DELETE:
    case SQL_RECONCILE:
    case SQL_DECIDE:
    case SQL_REBUILD_FLOW:
    case SQL_REPLAY:
    case SQL_CANCEL_REPLAY:
    case SQL_ALTER_VIEW:
    case SQL_ALTER_STREAM:
    case SQL_ADVANCE:
        break;
    default:
        return BASE_OK;
    }
    const char *name = engine_setting_as_of(x->session, &us) ? "weir.as_of"
                       : x->session->settings.has_effective  ? "weir.effective_as_of"
                                                             : NULL;
    if (name == NULL) return BASE_OK;
    base_fail(x->err, BASE_E_INVALID, "25006", "cannot execute %s while %s is set",
              sql_command_tag(x->statement), name);
    base_error_hint(x->err, "RESET %s goes back to the present.", name);
    return x->err->code;
}

static base_rc execute(execution *x) {
    engine *e = x->session->engine;
    base_rc rc = check_may_write(x);
    if (rc != BASE_OK) return rc;
    switch (x->statement->kind) {
    case SQL_EMPTY:
        return BASE_OK;
    case SQL_CREATE_SCHEMA:
    case SQL_CREATE_STREAM:
    case SQL_CREATE_TABLE:
    case SQL_CREATE_VIEW:
    case SQL_CREATE_SINK:
    case SQL_CREATE_RECONCILIATION:
    case SQL_DROP:
    case SQL_DROP_SCHEMA:
    case SQL_COMMENT:
        return engine_ddl(x->session, x->prepared->statement, x->out, x->arena, x->err);
    case SQL_SELECT:
    case SQL_COPY_OUT:
        return do_select(x);
    case SQL_EXPLAIN:
        return do_explain(x);
    case SQL_INSERT:
        return do_insert(x);
    case SQL_DELETE:
        return do_delete(x);
    case SQL_SHOW:
        return do_show(x);
    case SQL_SET:
    case SQL_RESET:
        return do_set(x);
    case SQL_RECONCILE:
        return do_reconcile(x);
    case SQL_DECIDE:
        return do_decide(x);
    case SQL_REBUILD_FLOW:
        return do_rebuild(x);
    case SQL_VERIFY:
        return do_verify(x);
    case SQL_REPLAY:
        return engine_replay(x->session, x->statement, x->out, x->err);
    case SQL_CANCEL_REPLAY:
        return engine_replay_cancel(x->session, x->statement, x->out, x->err);
    case SQL_ALTER_VIEW:
        return engine_version_alter(x->session, x->statement, x->out, x->err);
    case SQL_ALTER_STREAM:
        return engine_alter_stream(x->session, x->statement, x->arena, x->out, x->err);
    case SQL_ADVANCE:
        return do_advance(x);
    case SQL_FLUSH: {
        int64_t timeout = 0;
        if (x->session->deadline_us > 0)
            timeout = x->session->deadline_us - (int64_t)(plat_monotonic_ns(e->plat) / 1000);
        snprintf(x->out->tag, sizeof x->out->tag, "FLUSH");
        return engine_flush(e, timeout < 0 ? 1 : timeout, &x->session->cancel, x->err);
    }
    case SQL_SAVEPOINT:
    case SQL_RELEASE:
    case SQL_ROLLBACK_TO:
        snprintf(x->out->savepoint, sizeof x->out->savepoint, "%s", x->statement->name);
        break;
    case SQL_DISCARD:
        engine_settings_reset(x->session);
        break;
    default:
        break;
    }
    snprintf(x->out->tag, sizeof x->out->tag, "%s", sql_command_tag(x->statement));
    return BASE_OK;
}

// An operator that is stopped does not know by what.
static base_rc stopped(const engine_session *session, base_rc rc, base_error *err) {
    int64_t now_us = (int64_t)(plat_monotonic_ns(session->engine->plat) / 1000);
    if (rc != BASE_E_CANCELLED || session->cancel || session->deadline_us == 0 ||
        now_us < session->deadline_us)
        return rc;
    return base_fail(err, BASE_E_CANCELLED, BASE_SQLSTATE_CANCELLED,
                     "canceling statement due to statement timeout");
}

base_rc engine_execute(engine_session *session, engine_prepared *prepared, const col_batch *params,
                       base_arena *arena, engine_result *out, base_error *err) {
    memset(out, 0, sizeof *out);
    engine_prepared fresh;
    if (prepared->version != engine_catalog_version(session->engine) &&
        prepared->statement->kind != SQL_EMPTY) {
        base_rc rc = rebind(prepared, arena, &fresh, err);
        if (rc != BASE_OK) return rc;
        prepared = &fresh;
    }
    execution x = {session, prepared, prepared->statement, params, arena, out, err};
    return stopped(session, execute(&x), err);
}

base_rc engine_run_sql(engine_session *session, base_str text, base_arena *arena,
                       engine_result *out, base_error *err) {
    memset(out, 0, sizeof *out);
    engine_prepared *prepared;
    base_rc rc = engine_prepare(session, arena, text, 0, 0, NULL, &prepared, err);
    if (rc != BASE_OK) return rc;
    return engine_execute(session, prepared, NULL, arena, out, err);
}
