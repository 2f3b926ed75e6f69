// pg.h - PostgreSQL's frontend/backend protocol 3.0: bytes to messages and back, no sockets.
// Source: PostgreSQL 15 documentation, chapter 55. Threads: pure functions over the caller's
// buffers.
#ifndef WEIR_WIRE_PG_H
#define WEIR_WIRE_PG_H

#include "base/arena.h"
#include "col/batch.h"
#include "col/codec.h"

#define WIRE_PG_MESSAGE_BYTES_MAX (64u << 20)
#define WIRE_PG_STARTUP_BYTES_MAX 10000

typedef enum wire_pg_kind {
    WIRE_PG_STARTUP,
    WIRE_PG_SSL_REQUEST,
    WIRE_PG_GSS_REQUEST,
    WIRE_PG_CANCEL,
    WIRE_PG_QUERY,
    WIRE_PG_PARSE,
    WIRE_PG_BIND,
    WIRE_PG_DESCRIBE,
    WIRE_PG_EXECUTE,
    WIRE_PG_CLOSE,
    WIRE_PG_FLUSH,
    WIRE_PG_SYNC,
    WIRE_PG_TERMINATE,
    WIRE_PG_PASSWORD,
    WIRE_PG_COPY_DATA,
    WIRE_PG_COPY_DONE,
    WIRE_PG_COPY_FAIL,
    WIRE_PG_FUNCTION_CALL
} wire_pg_kind;

// All strings are borrowed from the input; arrays from the arena.
typedef struct wire_pg_message {
    wire_pg_kind kind;
    base_str text;      // QUERY, PARSE: SQL. PASSWORD, COPY_DATA: bytes. COPY_FAIL: reason
    base_str statement; // PARSE, BIND, DESCRIBE, CLOSE
    base_str portal;    // BIND, DESCRIBE, EXECUTE, CLOSE
    char target;        // DESCRIBE, CLOSE: 'S' or 'P'
    int32_t max_rows;   // EXECUTE
    uint16_t nparams;   // PARSE: type oids; BIND: values
    uint32_t *param_oids;
    base_str *params;        // p NULL: SQL null
    uint16_t nparam_formats; // BIND
    int16_t *param_formats;
    uint16_t nresult_formats; // BIND
    int16_t *result_formats;
    uint32_t protocol; // STARTUP
    size_t noptions;   // STARTUP: name/value pairs
    base_str *option_names, *option_values;
    uint32_t cancel_pid, cancel_key;
} wire_pg_message;

// Takes one message from the front of input. *used 0: not all there yet. startup: the first packet
// has no type byte. BASE_E_INVALID 08P01: not this protocol, malformed, or too long.
BASE_MUST_USE base_rc wire_pg_read(base_str input, bool startup, base_arena *arena,
                                   wire_pg_message *out, size_t *used, base_error *err);

void wire_pg_auth_ok(base_buf *buf);
void wire_pg_parameter_status(base_buf *buf, const char *name, const char *value);
void wire_pg_backend_key(base_buf *buf, uint32_t pid, uint32_t key);
void wire_pg_ready(base_buf *buf, char state); // 'I', 'T', 'E'
void wire_pg_row_description(base_buf *buf, uint32_t n, const char *const *names,
                             const col_type *types,
                             const int16_t *formats); // formats NULL: all text
void wire_pg_data_row(base_buf *buf, const col_batch *batch, uint32_t row, uint32_t ncols,
                      const int16_t *formats, const base_zone *zone);
void wire_pg_command_complete(base_buf *buf, const char *tag);
void wire_pg_error(base_buf *buf, const base_error *err, bool fatal);
void wire_pg_notice(base_buf *buf, const char *severity, const char *sqlstate, const char *message);
void wire_pg_empty_query(base_buf *buf);
void wire_pg_parse_complete(base_buf *buf);
void wire_pg_bind_complete(base_buf *buf);
void wire_pg_close_complete(base_buf *buf);
void wire_pg_no_data(base_buf *buf);
void wire_pg_portal_suspended(base_buf *buf);
void wire_pg_parameter_description(base_buf *buf, uint16_t n, const uint32_t *oids);
void wire_pg_copy_out_response(base_buf *buf, uint16_t ncols, bool binary);
void wire_pg_copy_data(base_buf *buf, base_str bytes);
void wire_pg_copy_done(base_buf *buf);

// A parameter's bytes (format 0 text, 1 binary) into vec[row].
BASE_MUST_USE base_rc wire_pg_param(base_str bytes, int16_t format, const base_zone *zone,
                                    col_vec *vec, uint32_t row, base_arena *arena, base_error *err);
// PostgreSQL's binary send format of one cell that is not null, without the length.
void wire_pg_send_binary(base_buf *buf, const col_vec *vec, uint32_t row);
// One row of COPY ... TO STDOUT (text format; CSV goes through csv.h).
void wire_pg_copy_text_row(base_buf *buf, const col_batch *batch, uint32_t row, uint32_t ncols,
                           char delimiter, const char *null_text, const base_zone *zone);

#endif
