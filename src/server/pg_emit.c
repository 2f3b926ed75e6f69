// pg_emit.c - an answer to the client, as much at a time as the output may hold: rows, or the lines
// of COPY ... TO STDOUT.
//
// Invariant: between two calls the answer's place is in session->emit alone, so a slow reader costs
// one result and one buffer. Entry points: server_pg_emit_begin, server_pg_emit_some.

#include <stdio.h>
#include <string.h>

#include "server/pg_int.h"
#include "wire/csv.h"

// ---- limits ----

static uint64_t cell_bytes(const col_vec *vec, uint32_t row) {
    if (col_is_null(vec, row)) return 0;
    if (col_kind_is_string(vec->type.kind)) return col_str(vec)[row].n;
    uint64_t bytes = 0;
    for (uint16_t i = 0; vec->type.kind == COL_STRUCT && i < vec->type.nfields; i++)
        bytes += cell_bytes(&vec->children[i], row);
    return bytes;
}

// The protocol counts in 31 bits, and many columns may share one large value.
static base_rc check_row(const engine_result *result, uint32_t row, base_error *err) {
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < result->ncolumns; i++)
        bytes += cell_bytes(&result->rows->cols[i], row);
    if (bytes <= SERVER_PG_ROW_BYTES_MAX) return BASE_OK;
    return base_fail(err, BASE_E_LIMIT, BASE_SQLSTATE_LIMIT,
                     "row %u of the result has %llu bytes, more than %u", row + 1,
                     (unsigned long long)bytes, SERVER_PG_ROW_BYTES_MAX);
}

// ---- COPY ----

static void copy_line(server_pg_session *session, base_buf *line) {
    wire_pg_copy_data(&session->out, base_buf_str(line));
    base_buf_clear(line);
}

static void copy_header(server_pg_session *session, const engine_result *result) {
    base_buf line = {0};
    for (uint32_t i = 0; i < result->ncolumns; i++) {
        if (i > 0) base_buf_add_byte(&line, (uint8_t)result->copy_delimiter);
        if (result->copy_csv)
            wire_csv_write_field(&line, base_str_of(result->names[i]), false,
                                 result->copy_delimiter);
        else
            base_buf_add_cstr(&line, result->names[i]);
    }
    base_buf_add_byte(&line, '\n');
    copy_line(session, &line);
    base_buf_deinit(&line);
}

static void csv_row(const engine_result *result, uint32_t row, const base_zone *zone,
                    base_buf *cell, base_buf *line) {
    base_str null_text = base_str_of(result->copy_null == NULL ? "" : result->copy_null);
    for (uint32_t i = 0; i < result->ncolumns; i++) {
        if (i > 0) base_buf_add_byte(line, (uint8_t)result->copy_delimiter);
        const col_vec *vec = &result->rows->cols[i];
        if (col_is_null(vec, row)) {
            base_buf_add_str(line, null_text);
            continue;
        }
        base_buf_clear(cell);
        col_text_format(vec, row, zone, cell);
        base_str text = base_buf_str(cell);
        // A value that looks like the null text is quoted, so that it is not read back as null.
        if (text.n > 0 && base_str_eq(text, null_text)) {
            base_buf_add_byte(line, '"');
            base_buf_add_str(line, text);
            base_buf_add_byte(line, '"');
        } else {
            wire_csv_write_field(line, text, false, result->copy_delimiter);
        }
    }
    base_buf_add_byte(line, '\n');
}

static void copy_row(server_pg_session *session, const engine_result *result, uint32_t row,
                     base_buf *cell, base_buf *line) {
    const base_zone *zone = session->engine.zone;
    if (result->copy_csv)
        csv_row(result, row, zone, cell, line);
    else
        wire_pg_copy_text_row(line, result->rows, row, result->ncolumns, result->copy_delimiter,
                              result->copy_null == NULL ? "\\N" : result->copy_null, zone);
    copy_line(session, line);
}

// ---- rows ----

void server_pg_emit_begin(server_pg_session *session, const engine_result *result,
                          const int16_t *formats, server_pg_portal *portal, uint32_t row,
                          uint32_t max_rows) {
    uint32_t nrows = result->rows == NULL ? 0 : result->rows->nrows;
    uint32_t left = nrows - row;
    if (result->is_copy) max_rows = 0; // COPY is sent whole
    session->emit =
        (server_pg_emit){.active = true,
                         .result = result,
                         .formats = formats,
                         .row = row,
                         .end = max_rows > 0 && max_rows < left ? row + max_rows : nrows,
                         .portal = portal};
    if (result->is_copy) {
        wire_pg_copy_out_response(&session->out, (uint16_t)result->ncolumns, false);
        if (result->copy_header) copy_header(session, result);
    } else if (result->has_rows && portal == NULL) {
        wire_pg_row_description(&session->out, result->ncolumns, result->names, result->types,
                                NULL);
    }
}

static void finish(server_pg_session *session) {
    server_pg_emit *emit = &session->emit;
    const engine_result *result = emit->result;
    emit->active = false;
    atomic_fetch_add_explicit(&session->server->counters.pg_rows, emit->sent, memory_order_relaxed);
    if (result->is_copy) wire_pg_copy_done(&session->out);
    server_pg_portal *portal = emit->portal;
    if (portal != NULL) {
        bool part = portal->next_row > 0;
        portal->next_row = emit->row;
        if (result->rows != NULL && emit->row < result->rows->nrows) {
            wire_pg_portal_suspended(&session->out);
            return;
        }
        if (part && strncmp(result->tag, "SELECT ", 7) == 0) {
            char tag[32];
            snprintf(tag, sizeof tag, "SELECT %u", emit->sent);
            wire_pg_command_complete(&session->out, tag);
            return;
        }
    }
    wire_pg_command_complete(&session->out, result->tag);
}

static void fail(server_pg_session *session, const base_error *err) {
    session->emit.active = false;
    server_pg_session_fail(session, err);
    if (session->emit.portal != NULL)
        session->skip_till_sync = true;
    else
        session->simple.next = session->simple.n; // no statement after this one
}

void server_pg_emit_some(server_pg_session *session) {
    server_pg_emit *emit = &session->emit;
    const engine_result *result = emit->result;
    base_error err = {0};
    base_buf cell = {0}, line = {0};
    base_rc rc = BASE_OK;
    while (emit->row < emit->end && session->out.n < SERVER_PG_OUT_BYTES) {
        if (server_cancel_get(&session->engine))
            rc = base_fail(&err, BASE_E_CANCELLED, NULL, "canceling statement due to user request");
        if (rc == BASE_OK) rc = check_row(result, emit->row, &err);
        if (rc != BASE_OK) break;
        if (result->is_copy)
            copy_row(session, result, emit->row, &cell, &line);
        else
            wire_pg_data_row(&session->out, result->rows, emit->row, result->ncolumns,
                             emit->formats, session->engine.zone);
        emit->row++;
        emit->sent++;
    }
    base_buf_deinit(&cell);
    base_buf_deinit(&line);
    if (rc != BASE_OK)
        fail(session, &err);
    else if (emit->row == emit->end)
        finish(session);
}
