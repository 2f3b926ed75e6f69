// pg_simple.c - the simple protocol: one text, its statements one after the other, until one fails.
//
// Invariant: each Query message is answered by exactly one ReadyForQuery, at its end. Entry points:
// server_pg_simple_begin, server_pg_simple_next.

#include <string.h>

#include "server/pg_int.h"

static void finish(server_pg_session *session) {
    session->simple.active = false;
    memset(&session->simple.result, 0, sizeof session->simple.result);
    base_arena_reset(&session->simple.statement_arena);
    base_arena_reset(&session->simple.arena);
    wire_pg_ready(&session->out, session->transaction);
}

static void fail(server_pg_session *session, const base_error *err) {
    server_pg_session_fail(session, err);
    finish(session);
}

void server_pg_simple_begin(server_pg_session *session, base_str text) {
    server_pg_simple *simple = &session->simple;
    // As PostgreSQL: a simple query makes an end of the unnamed statement and portal.
    server_pg_portal_close(session, BASE_STR(""));
    server_pg_statement_close(session, BASE_STR(""));
    base_arena_reset(&simple->arena);
    simple->active = true;
    simple->next = simple->n = simple->ran = 0;
    simple->counted_bytes = 0;
    simple->counted_characters = 0;
    simple->text = (base_str){base_arena_memdup(&simple->arena, text.p, text.n), text.n};
    base_error err = {0};
    base_rc rc = server_pg_session_utf8(simple->text, &err);
    if (rc == BASE_OK)
        rc = engine_split(&simple->arena, simple->text, &simple->n, &simple->statements, &err);
    if (rc != BASE_OK) fail(session, &err);
}

// Characters of the whole text before this statement, for positions in errors.
static int32_t characters_before(server_pg_simple *simple, base_str statement) {
    size_t begin = (size_t)(statement.p - simple->text.p);
    if (statement.p < simple->text.p || begin > simple->text.n) return 0;
    for (; simple->counted_bytes < begin; simple->counted_bytes++)
        simple->counted_characters += (simple->text.p[simple->counted_bytes] & 0xc0) != 0x80;
    return simple->counted_characters;
}

void server_pg_simple_next(server_pg_session *session) {
    server_pg_simple *simple = &session->simple;
    if (simple->next == simple->n) {
        if (simple->ran == 0) wire_pg_empty_query(&session->out);
        finish(session);
        return;
    }
    base_str text = simple->statements[simple->next++];
    base_arena *arena = &simple->statement_arena;
    base_arena_reset(arena);
    server_pg_session_arm(session);
    base_error err = {0};
    base_rc rc = server_pg_session_allow(session, text, &err);
    engine_prepared *prepared = NULL;
    if (rc == BASE_OK)
        rc = engine_prepare(&session->engine, arena, text, characters_before(simple, text), 0, NULL,
                            &prepared, &err);
    if (rc == BASE_OK && engine_prepared_is_empty(prepared)) return;
    if (rc == BASE_OK) {
        size_t nparams;
        const col_type *params;
        engine_result shape;
        engine_prepared_describe(prepared, &nparams, &params, &shape);
        if (nparams > 0) // there is nobody to give them
            rc = base_fail(&err, BASE_E_INVALID, "42P02", "there is no parameter $%zu", nparams);
    }
    if (rc == BASE_OK)
        rc = server_pg_session_run(session, text, prepared, NULL, arena, &simple->result, &err);
    if (rc != BASE_OK) {
        fail(session, &err);
        return;
    }
    simple->ran++;
    server_pg_emit_begin(session, &simple->result, NULL, NULL, 0, 0);
}
