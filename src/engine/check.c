// check.c - a file of statements against an empty catalogue ("weir check"): every error, not only
// the first.
//
// The statements run in an engine of their own, in memory: nothing is read from or written to disk,
// and what one statement makes the next may use. INSERTs are bound, not run. What may not stand in
// a file that is applied is an error here too. Entry point: engine_check.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/apply_int.h"

// Line and column, from 1, of a character (from 1) of the text.
static void place_of(base_str text, int32_t position, uint32_t *line, uint32_t *column) {
    *line = *column = 1;
    int32_t n = 0;
    for (size_t i = 0; i < text.n; i++) {
        bool begins = ((unsigned char)text.p[i] & 0xc0) != 0x80;
        if (begins && ++n >= position) return;
        if (text.p[i] == '\n') {
            (*line)++;
            *column = 1;
        } else {
            *column += begins;
        }
    }
}

static int32_t characters_before(base_str text, const char *p) {
    int32_t n = 0;
    for (const char *q = text.p; q < p; q++) n += ((unsigned char)*q & 0xc0) != 0x80;
    return n;
}

static void report_error(base_buf *report, base_str text, const char *file, int32_t position,
                         const base_error *err) {
    uint32_t line, column;
    place_of(text, position, &line, &column);
    base_buf_printf(report, "%s:%u:%u: error: %s [%s]\n", file, line, column, err->message,
                    err->sqlstate);
    if (err->detail[0] != 0) base_buf_printf(report, "    detail: %s\n", err->detail);
    if (err->hint[0] != 0) base_buf_printf(report, "    hint: %s\n", err->hint);
}

static base_rc check_statement(engine_session *session, base_str statement, int32_t offset,
                               base_arena *arena, base_error *err) {
    plan_catalog catalog = engine_plan_catalog(session->engine);
    sql_session bind_session = {&catalog, session->schema, plat_wall_us(session->engine->plat),
                                session->zone_offset_seconds};
    sql_statement *bound;
    base_rc rc = sql_bind(arena, &bind_session, statement, offset, 0, NULL, &bound, err);
    if (rc != BASE_OK) return rc;
    engine_prepared *prepared;
    rc = engine_prepare(session, arena, statement, offset, 0, NULL, &prepared, err);
    if (rc == BASE_OK) rc = apply_allows(bound->kind, err);
    if (rc != BASE_OK) return rc;
    switch (bound->kind) {
    case SQL_CREATE_SCHEMA:
    case SQL_CREATE_STREAM:
    case SQL_CREATE_TABLE:
    case SQL_CREATE_VIEW:
    case SQL_CREATE_SINK:
    case SQL_CREATE_RECONCILIATION:
    case SQL_COMMENT:
    case SQL_SET:
    case SQL_RESET: {
        engine_result result;
        return engine_execute(session, prepared, NULL, arena, &result, err);
    }
    default:
        return BASE_OK;
    }
}

// Where the statement's first word stands, after blanks and comments: for errors without a place.
static int32_t first_character(base_str text, base_str statement) {
    size_t i = 0;
    while (i < statement.n) {
        if (statement.p[i] == ' ' || (statement.p[i] >= '\t' && statement.p[i] <= '\r')) {
            i++;
        } else if (i + 1 < statement.n && statement.p[i] == '-' && statement.p[i + 1] == '-') {
            while (i < statement.n && statement.p[i] != '\n') i++;
        } else {
            break;
        }
    }
    return characters_before(text, statement.p + i) + 1;
}

static base_rc check_text(engine *e, base_str text, const char *file, base_buf *report,
                          size_t *nerrors, base_error *err) {
    engine_session session;
    engine_session_init(&session, e);
    base_arena arena, scratch;
    base_arena_init(&arena, 1 << 14);
    base_arena_init(&scratch, 1 << 16);
    base_str *statements;
    size_t n;
    base_error one = {0};
    if (engine_split(&arena, text, &n, &statements, &one) != BASE_OK) {
        report_error(report, text, file, one.position, &one);
        (*nerrors)++;
        n = 0;
    }
    for (size_t i = 0; i < n; i++) {
        base_arena_reset(&scratch);
        base_error_clear(&one);
        if (check_statement(&session, statements[i], characters_before(text, statements[i].p),
                            &scratch, &one) == BASE_OK)
            continue;
        int32_t position = one.position > 0 ? one.position : first_character(text, statements[i]);
        report_error(report, text, file, position, &one);
        (*nerrors)++;
    }
    base_arena_deinit(&arena);
    base_arena_deinit(&scratch);
    (void)err;
    return BASE_OK;
}

base_rc engine_check(base_str text, const char *file, base_buf *report, size_t *nerrors,
                     base_error *err) {
    *nerrors = 0;
    engine_scratch scratch;
    base_rc rc = engine_scratch_open(&scratch, err);
    if (rc == BASE_OK) rc = check_text(scratch.engine, text, file, report, nerrors, err);
    engine_scratch_close(&scratch);
    return rc;
}
