// pg_read.c - the frontend's messages. Lengths are checked before anything is allocated: an array
// can have no more items than its message has bytes for.
// Entry point: wire_pg_read.
#include "base/must.h"
#include "wire/pg_int.h"

#define PROTOCOL_3     196608
#define REQUEST_CANCEL 80877102
#define REQUEST_SSL    80877103
#define REQUEST_GSS    80877104
#define SQLSTATE_WIRE  "08P01"

static base_str get_cstr(pg_reader *reader) {
    const uint8_t *nul = NULL;
    if (!reader->failed && reader->p < reader->end) {
        nul = memchr(reader->p, 0, (size_t)(reader->end - reader->p));
    }
    if (nul == NULL) {
        reader->failed = true;
        return (base_str){"", 0};
    }
    base_str text = {(const char *)reader->p, (size_t)(nul - reader->p)};
    reader->p = nul + 1;
    return text;
}

static base_rc fail_malformed(const char *what, base_error *err) {
    return base_fail(err, BASE_E_INVALID, SQLSTATE_WIRE, "malformed %s message", what);
}

// ---- the first packet ----

static base_rc read_options(pg_reader *reader, base_arena *arena, wire_pg_message *out,
                            base_error *err) {
    size_t most = 0;
    for (const uint8_t *p = reader->p; p < reader->end; p++) most += *p == 0;
    most = most / 2 + 1;
    out->option_names = base_arena_array(arena, base_str, most);
    out->option_values = base_arena_array(arena, base_str, most);
    for (;;) {
        base_str name = get_cstr(reader);
        if (reader->failed) return fail_malformed("startup", err);
        if (name.n == 0) break;
        must(out->noptions < most);
        out->option_names[out->noptions] = name;
        out->option_values[out->noptions] = get_cstr(reader);
        if (reader->failed) return fail_malformed("startup", err);
        out->noptions++;
    }
    return reader->p == reader->end ? BASE_OK : fail_malformed("startup", err);
}

static base_rc read_startup(pg_reader *reader, base_arena *arena, wire_pg_message *out,
                            base_error *err) {
    uint32_t code = pg_get_u32(reader);
    switch (code) {
    case REQUEST_SSL:
    case REQUEST_GSS:
        out->kind = code == REQUEST_SSL ? WIRE_PG_SSL_REQUEST : WIRE_PG_GSS_REQUEST;
        return reader->p == reader->end ? BASE_OK : fail_malformed("encryption request", err);
    case REQUEST_CANCEL:
        out->kind = WIRE_PG_CANCEL;
        out->cancel_pid = pg_get_u32(reader);
        out->cancel_key = pg_get_u32(reader);
        return !reader->failed && reader->p == reader->end ? BASE_OK
                                                           : fail_malformed("cancel", err);
    default:
        break;
    }
    out->kind = WIRE_PG_STARTUP;
    out->protocol = code;
    if (code >> 16 != PROTOCOL_3 >> 16) {
        base_rc rc = base_fail(err, BASE_E_INVALID, SQLSTATE_WIRE,
                               "unsupported frontend protocol %u.%u: the server supports 3.0",
                               code >> 16, code & 0xffff);
        base_error_hint(err, "This port speaks PostgreSQL's protocol; HTTP has a port of its own.");
        return rc;
    }
    return read_options(reader, arena, out, err);
}

// ---- the others ----

static int16_t *get_formats(pg_reader *reader, base_arena *arena, uint16_t *n) {
    *n = pg_get_u16(reader);
    if (!pg_need(reader, (size_t)*n * 2)) *n = 0;
    int16_t *formats = base_arena_array(arena, int16_t, *n);
    for (uint16_t i = 0; i < *n; i++) formats[i] = (int16_t)pg_get_u16(reader);
    return formats;
}

static void read_parse(pg_reader *reader, base_arena *arena, wire_pg_message *out) {
    out->statement = get_cstr(reader);
    out->text = get_cstr(reader);
    uint16_t n = pg_get_u16(reader);
    if (!pg_need(reader, (size_t)n * 4)) return;
    out->nparams = n;
    out->param_oids = base_arena_array(arena, uint32_t, n);
    for (uint16_t i = 0; i < n; i++) out->param_oids[i] = pg_get_u32(reader);
}

static void read_bind(pg_reader *reader, base_arena *arena, wire_pg_message *out) {
    out->portal = get_cstr(reader);
    out->statement = get_cstr(reader);
    out->param_formats = get_formats(reader, arena, &out->nparam_formats);
    uint16_t n = pg_get_u16(reader);
    if (!pg_need(reader, (size_t)n * 4)) return;
    out->nparams = n;
    out->params = base_arena_array(arena, base_str, n);
    for (uint16_t i = 0; i < n; i++) {
        int32_t length = (int32_t)pg_get_u32(reader);
        if (length == -1) continue; // null
        if (length < 0) reader->failed = true;
        base_str value = pg_get_bytes(reader, (size_t)(uint32_t)length);
        out->params[i] = value;
    }
    out->result_formats = get_formats(reader, arena, &out->nresult_formats);
}

static bool formats_valid(const int16_t *formats, uint16_t n) {
    for (uint16_t i = 0; i < n; i++) {
        if (formats[i] != 0 && formats[i] != 1) return false;
    }
    return true;
}

static base_rc check_bind(const wire_pg_message *message, base_error *err) {
    if (!formats_valid(message->param_formats, message->nparam_formats) ||
        !formats_valid(message->result_formats, message->nresult_formats)) {
        return base_fail(err, BASE_E_INVALID, SQLSTATE_WIRE,
                         "Bind: a format must be 0 (text) or 1 (binary)");
    }
    if (message->nparam_formats > 1 && message->nparam_formats != message->nparams) {
        return base_fail(err, BASE_E_INVALID, SQLSTATE_WIRE, "Bind: %d formats for %d parameters",
                         message->nparam_formats, message->nparams);
    }
    return BASE_OK;
}

static void read_target(pg_reader *reader, wire_pg_message *out) {
    out->target = (char)pg_get_u8(reader);
    base_str name = get_cstr(reader);
    if (out->target == 'S')
        out->statement = name;
    else if (out->target == 'P')
        out->portal = name;
    else
        reader->failed = true;
}

typedef struct message_type {
    char byte;
    wire_pg_kind kind;
    const char *name;
} message_type;

static const message_type message_types[] = {
    {'Q', WIRE_PG_QUERY, "Query"},         {'P', WIRE_PG_PARSE, "Parse"},
    {'B', WIRE_PG_BIND, "Bind"},           {'D', WIRE_PG_DESCRIBE, "Describe"},
    {'E', WIRE_PG_EXECUTE, "Execute"},     {'C', WIRE_PG_CLOSE, "Close"},
    {'H', WIRE_PG_FLUSH, "Flush"},         {'S', WIRE_PG_SYNC, "Sync"},
    {'X', WIRE_PG_TERMINATE, "Terminate"}, {'p', WIRE_PG_PASSWORD, "Password"},
    {'d', WIRE_PG_COPY_DATA, "CopyData"},  {'c', WIRE_PG_COPY_DONE, "CopyDone"},
    {'f', WIRE_PG_COPY_FAIL, "CopyFail"},  {'F', WIRE_PG_FUNCTION_CALL, "FunctionCall"},
};

static const message_type *find_type(char byte) {
    for (size_t i = 0; i < sizeof message_types / sizeof message_types[0]; i++) {
        if (message_types[i].byte == byte) return &message_types[i];
    }
    return NULL;
}

static base_rc read_body(const message_type *type, pg_reader *reader, base_arena *arena,
                         wire_pg_message *out, base_error *err) {
    switch (out->kind) {
    case WIRE_PG_QUERY:
    case WIRE_PG_COPY_FAIL:
        out->text = get_cstr(reader);
        break;
    case WIRE_PG_PARSE:
        read_parse(reader, arena, out);
        break;
    case WIRE_PG_BIND:
        read_bind(reader, arena, out);
        break;
    case WIRE_PG_DESCRIBE:
    case WIRE_PG_CLOSE:
        read_target(reader, out);
        break;
    case WIRE_PG_EXECUTE:
        out->portal = get_cstr(reader);
        out->max_rows = (int32_t)pg_get_u32(reader);
        break;
    case WIRE_PG_PASSWORD: // also SASL's messages: bytes
    case WIRE_PG_COPY_DATA:
    case WIRE_PG_FUNCTION_CALL:
        out->text = pg_get_bytes(reader, (size_t)(reader->end - reader->p));
        break;
    default: // no body
        break;
    }
    if (reader->failed || reader->p != reader->end) return fail_malformed(type->name, err);
    return out->kind == WIRE_PG_BIND ? check_bind(out, err) : BASE_OK;
}

base_rc wire_pg_read(base_str input, bool startup, base_arena *arena, wire_pg_message *out,
                     size_t *used, base_error *err) {
    memset(out, 0, sizeof *out);
    *used = 0;
    size_t head = startup ? 0 : 1;
    if (input.n == 0) return BASE_OK;
    const message_type *type = startup ? NULL : find_type(input.p[0]);
    if (!startup && type == NULL) {
        return base_fail(err, BASE_E_INVALID, SQLSTATE_WIRE, "invalid frontend message type %d",
                         (uint8_t)input.p[0]);
    }
    if (input.n < head + 4) return BASE_OK;
    pg_reader reader = {(const uint8_t *)input.p + head, (const uint8_t *)input.p + input.n, false};
    uint32_t length = pg_get_u32(&reader); // counts itself
    uint32_t least = startup ? 8 : 4;
    uint32_t most = startup ? WIRE_PG_STARTUP_BYTES_MAX : WIRE_PG_MESSAGE_BYTES_MAX;
    if (length < least || length > most) {
        return base_fail(err, BASE_E_INVALID, SQLSTATE_WIRE,
                         "invalid length %u of a %s message (at most %u bytes)", length,
                         startup ? "startup" : type->name, most);
    }
    if (input.n - head < length) return BASE_OK;
    reader.end = (const uint8_t *)input.p + head + length;
    base_rc rc;
    if (startup) {
        rc = read_startup(&reader, arena, out, err);
    } else {
        out->kind = type->kind;
        rc = read_body(type, &reader, arena, out, err);
    }
    if (rc == BASE_OK) *used = head + length;
    return rc;
}
