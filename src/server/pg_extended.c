// pg_extended.c - the extended protocol: statements and portals, named or not.
//
// Invariants: a statement lives as long as its name or a portal made from it; portals end with the
// transaction (at Sync outside a block). After an error everything up to Sync is skipped. Entry
// point: server_pg_extended.

#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "server/pg_int.h"

// ---- lifetimes ----

static void statement_release(server_pg_statement *statement) {
    if (--statement->refs > 0) return;
    base_arena_deinit(&statement->arena);
    free(statement);
}

static void portal_destroy(server_pg_session *session, server_pg_portal *portal) {
    if (session->emit.portal == portal) session->emit.active = false;
    statement_release(portal->statement);
    base_arena_deinit(&portal->arena);
    free(portal);
}

void server_pg_statement_close(server_pg_session *session, base_str name) {
    server_pg_statement *statement = base_map_remove(session->statements, name);
    if (statement != NULL) statement_release(statement);
}

void server_pg_portal_close(server_pg_session *session, base_str name) {
    server_pg_portal *portal = base_map_remove(session->portals, name);
    if (portal != NULL) portal_destroy(session, portal);
}

void server_pg_portals_drop(server_pg_session *session) {
    if (base_map_count(session->portals) == 0) return;
    base_str name;
    void *value;
    for (size_t i = 0; base_map_at(session->portals, &i, &name, &value);)
        portal_destroy(session, value);
    base_map_destroy(session->portals);
    session->portals = base_map_create();
}

void server_pg_statements_drop(server_pg_session *session) {
    base_str name;
    void *value;
    for (size_t i = 0; base_map_at(session->statements, &i, &name, &value);)
        statement_release(value);
    base_map_destroy(session->statements);
    session->statements = base_map_create();
}

// ---- Parse ----

// Arrays whose elements have one spelling, which is what = ANY compares by.
// Types that clients name though weir has none of that name; text conveys them.
static base_rc param_type(uint32_t oid, uint16_t i, col_type *out, base_error *err) {
    col_kind kind;
    if (oid == 0 || oid == 705) { // not given, or "unknown"
        *out = col_type_of(COL_UNKNOWN);
    } else if (col_kind_from_oid(oid, &kind)) {
        *out = col_type_of(kind);
    } else if (oid == 1042) { // character(n)
        *out = col_type_of(COL_TEXT);
    } else if (oid == 114) { // json
        *out = col_type_of(COL_JSONB);
    } else if (oid == 1014) { // character(n)[]
        *out = col_type_of(COL_TEXT_ARRAY);
    } else if (oid == 199) { // json[]
        *out = col_type_of(COL_ARRAY | COL_JSONB);
    } else {
        return base_fail(err, BASE_E_UNSUPPORTED, NULL,
                         "parameter $%u has a type (oid %u) that "
                         "is not supported",
                         i + 1u, oid);
    }
    return BASE_OK;
}

static base_rc parse(server_pg_session *session, const wire_pg_message *message, base_error *err) {
    base_rc rc = server_pg_session_utf8(message->text, err);
    if (rc == BASE_OK) rc = server_pg_session_utf8(message->statement, err);
    if (rc == BASE_OK) rc = server_pg_session_allow(session, message->text, err);
    if (rc != BASE_OK) return rc;
    if (message->statement.n == 0)
        server_pg_statement_close(session, message->statement);
    else if (base_map_get(session->statements, message->statement) != NULL)
        return base_fail(err, BASE_E_EXISTS, "42P05", "prepared statement \"%.*s\" already exists",
                         BASE_STR_ARG(message->statement));
    if (base_map_count(session->statements) >= SERVER_PG_STATEMENTS_MAX)
        return base_fail(err, BASE_E_LIMIT, BASE_SQLSTATE_LIMIT,
                         "this connection has %d prepared statements: close some",
                         SERVER_PG_STATEMENTS_MAX);
    size_t n;
    base_str *parts;
    rc = engine_split(&session->arena, message->text, &n, &parts, err);
    if (rc != BASE_OK) return rc;
    if (n > 1)
        return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_SYNTAX,
                         "cannot insert multiple commands into a prepared statement");
    col_type *types = base_arena_array(&session->arena, col_type, message->nparams + 1u);
    for (uint16_t i = 0; i < message->nparams; i++) {
        rc = param_type(message->param_oids[i], i, &types[i], err);
        if (rc != BASE_OK) return rc;
    }
    server_pg_statement *statement = calloc(1, sizeof *statement);
    must(statement != NULL);
    base_arena_init(&statement->arena, 2048);
    statement->refs = 1;
    statement->text = (base_str){
        base_arena_memdup(&statement->arena, message->text.p, message->text.n), message->text.n};
    base_str whole = statement->text;
    if (n == 1) { // without the semicolon; what is before it stays, for positions
        size_t end = (size_t)(parts[0].p - message->text.p) + parts[0].n;
        if (end <= whole.n) whole.n = end;
    }
    rc = engine_prepare(&session->engine, &statement->arena, whole, 0, message->nparams, types,
                        &statement->prepared, err);
    if (rc != BASE_OK) {
        statement_release(statement);
        return rc;
    }
    const col_type *params;
    engine_prepared_describe(statement->prepared, &statement->nparams, &params, &statement->shape);
    statement->params = base_arena_array(&statement->arena, col_type, statement->nparams + 1);
    for (size_t i = 0; i < statement->nparams; i++) {
        statement->params[i] = params[i];
        if (params[i].kind == COL_UNKNOWN) statement->params[i] = col_type_of(COL_TEXT);
    }
    if (statement->shape.ncolumns > SERVER_PG_COLUMNS_MAX) {
        statement_release(statement);
        return base_fail(err, BASE_E_LIMIT, "54011", "the result has more than %d columns",
                         SERVER_PG_COLUMNS_MAX);
    }
    base_map_put(session->statements, message->statement, statement);
    wire_pg_parse_complete(&session->out);
    return BASE_OK;
}

// ---- Bind ----

static base_rc find_statement(server_pg_session *session, base_str name, server_pg_statement **out,
                              base_error *err) {
    *out = base_map_get(session->statements, name);
    if (*out != NULL) return BASE_OK;
    if (name.n == 0)
        return base_fail(err, BASE_E_NOT_FOUND, "26000",
                         "unnamed prepared statement does not "
                         "exist");
    return base_fail(err, BASE_E_NOT_FOUND, "26000", "prepared statement \"%.*s\" does not exist",
                     BASE_STR_ARG(name));
}

static base_rc bind_params(server_pg_session *session, const wire_pg_message *message,
                           server_pg_portal *portal, base_error *err) {
    const server_pg_statement *statement = portal->statement;
    if (message->nparams != statement->nparams)
        return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_PROTOCOL,
                         "bind message supplies %u parameters, but the prepared statement "
                         "requires %zu",
                         message->nparams, statement->nparams);
    if (statement->nparams == 0) return BASE_OK;
    base_arena *arena = &portal->arena;
    col_batch *batch = col_batch_create(arena, (uint32_t)statement->nparams, statement->params, 1);
    for (uint16_t i = 0; i < message->nparams; i++) {
        if (message->params[i].p == NULL) {
            col_vec_set_null(&batch->cols[i], arena, 0);
            continue;
        }
        int16_t format = 0;
        if (message->nparam_formats == 1) format = message->param_formats[0];
        if (message->nparam_formats > 1) format = message->param_formats[i];
        base_str bytes = {base_arena_memdup(arena, message->params[i].p, message->params[i].n),
                          message->params[i].n};
        base_rc rc =
            wire_pg_param(bytes, format, session->engine.zone, &batch->cols[i], 0, arena, err);
        if (rc != BASE_OK) {
            base_error_detail(err, "This is the value of parameter $%u.", i + 1u);
            return rc;
        }
    }
    portal->params = batch;
    return BASE_OK;
}

static base_rc bind_formats(const wire_pg_message *message, server_pg_portal *portal,
                            base_error *err) {
    uint32_t ncolumns = portal->statement->shape.ncolumns;
    int16_t *formats = base_arena_array(&portal->arena, int16_t, ncolumns + 1);
    uint16_t n = message->nresult_formats;
    if (n > 1 && n != ncolumns)
        return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_PROTOCOL,
                         "bind message has %u result formats but query has %u columns", n,
                         ncolumns);
    for (uint32_t i = 0; i < ncolumns && n > 0; i++)
        formats[i] = message->result_formats[n == 1 ? 0 : i];
    portal->formats = formats;
    return BASE_OK;
}

static base_rc bind(server_pg_session *session, const wire_pg_message *message, base_error *err) {
    server_pg_statement *statement;
    base_rc rc = server_pg_session_utf8(message->portal, err);
    if (rc == BASE_OK) rc = find_statement(session, message->statement, &statement, err);
    if (rc == BASE_OK) rc = server_pg_session_allow(session, statement->text, err);
    if (rc != BASE_OK) return rc;
    if (message->portal.n == 0)
        server_pg_portal_close(session, message->portal);
    else if (base_map_get(session->portals, message->portal) != NULL)
        return base_fail(err, BASE_E_EXISTS, "42P03", "portal \"%.*s\" already exists",
                         BASE_STR_ARG(message->portal));
    if (base_map_count(session->portals) >= SERVER_PG_PORTALS_MAX)
        return base_fail(err, BASE_E_LIMIT, BASE_SQLSTATE_LIMIT,
                         "this connection has %d portals: close some", SERVER_PG_PORTALS_MAX);
    server_pg_portal *portal = calloc(1, sizeof *portal);
    must(portal != NULL);
    base_arena_init(&portal->arena, 1024);
    portal->statement = statement;
    statement->refs++;
    rc = bind_params(session, message, portal, err);
    if (rc == BASE_OK) rc = bind_formats(message, portal, err);
    if (rc != BASE_OK) {
        portal_destroy(session, portal);
        return rc;
    }
    base_map_put(session->portals, message->portal, portal);
    wire_pg_bind_complete(&session->out);
    return BASE_OK;
}

// ---- Describe, Execute, Close ----

static base_rc find_portal(server_pg_session *session, base_str name, server_pg_portal **out,
                           base_error *err) {
    *out = base_map_get(session->portals, name);
    if (*out != NULL) return BASE_OK;
    return base_fail(err, BASE_E_NOT_FOUND, "34000", "portal \"%.*s\" does not exist",
                     BASE_STR_ARG(name));
}

static void describe_shape(server_pg_session *session, const engine_result *shape,
                           const int16_t *formats) {
    if (shape->has_rows)
        wire_pg_row_description(&session->out, shape->ncolumns, shape->names, shape->types,
                                formats);
    else
        wire_pg_no_data(&session->out);
}

static base_rc describe(server_pg_session *session, const wire_pg_message *message,
                        base_error *err) {
    if (message->target == 'P') {
        server_pg_portal *portal;
        base_rc rc = find_portal(session, message->portal, &portal, err);
        if (rc == BASE_OK) describe_shape(session, &portal->statement->shape, portal->formats);
        return rc;
    }
    server_pg_statement *statement;
    base_rc rc = find_statement(session, message->statement, &statement, err);
    if (rc != BASE_OK) return rc;
    uint32_t *oids = base_arena_array(&session->arena, uint32_t, statement->nparams + 1);
    for (size_t i = 0; i < statement->nparams; i++) oids[i] = col_type_oid(&statement->params[i]);
    wire_pg_parameter_description(&session->out, (uint16_t)statement->nparams, oids);
    describe_shape(session, &statement->shape, NULL);
    return BASE_OK;
}

static base_rc execute(server_pg_session *session, const wire_pg_message *message,
                       base_error *err) {
    server_pg_portal *portal;
    base_rc rc = find_portal(session, message->portal, &portal, err);
    if (rc != BASE_OK) return rc;
    server_pg_statement *statement = portal->statement;
    if (engine_prepared_is_empty(statement->prepared)) {
        wire_pg_empty_query(&session->out);
        return BASE_OK;
    }
    rc = server_pg_session_allow(session, statement->text, err);
    if (rc != BASE_OK) return rc;
    server_pg_session_arm(session);
    if (!portal->executed) {
        // DEALLOCATE and the end of a transaction may drop what this runs from.
        statement->refs++;
        rc = server_pg_session_run(session, statement->text, statement->prepared, portal->params,
                                   &portal->arena, &portal->result, err);
        statement_release(statement);
        if (rc != BASE_OK) return rc;
        portal->executed = true;
    } else if (!portal->result.has_rows || portal->result.is_copy) {
        return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_NOT_IN_STATE,
                         "portal \"%.*s\" cannot be run again", BASE_STR_ARG(message->portal));
    }
    uint32_t max_rows = message->max_rows > 0 ? (uint32_t)message->max_rows : 0;
    server_pg_emit_begin(session, &portal->result, portal->formats, portal, portal->next_row,
                         max_rows);
    return BASE_OK;
}

static void close_target(server_pg_session *session, const wire_pg_message *message) {
    if (message->target == 'P')
        server_pg_portal_close(session, message->portal);
    else
        server_pg_statement_close(session, message->statement);
    wire_pg_close_complete(&session->out);
}

void server_pg_extended(server_pg_session *session, const wire_pg_message *message) {
    base_error err = {0};
    base_rc rc = BASE_OK;
    switch (message->kind) {
    case WIRE_PG_PARSE:
        rc = parse(session, message, &err);
        break;
    case WIRE_PG_BIND:
        rc = bind(session, message, &err);
        break;
    case WIRE_PG_DESCRIBE:
        rc = describe(session, message, &err);
        break;
    case WIRE_PG_EXECUTE:
        rc = execute(session, message, &err);
        break;
    default:
        close_target(session, message);
        break;
    }
    if (rc == BASE_OK) return;
    server_pg_session_fail(session, &err);
    session->skip_till_sync = true;
}
