// http_watermark.c - POST /v1/streams/SCHEMA.NAME/watermark: a heartbeat of a source. The answer is
// sent when the log has it on disk. Entry point: http_watermark.

#include <string.h>

#include "server/http_int.h"
#include "wire/json.h"

enum { TO, PARTITION, EVENTS, SOURCE, NFIELDS };

// {"to": "2026-03-30T04:00:00Z", "partition": 0, "events": 1234, "source": "shop 7"}
static base_rc read_body(http_request *request, const plan_object *stream, engine_heartbeat *out,
                         base_error *err) {
    const wire_json_field fields[NFIELDS] = {
        [TO] = {"to", col_type_of(COL_TEXT), true},
        [PARTITION] = {"partition", col_type_of(COL_INT4), false},
        [EVENTS] = {"events", col_type_of(COL_INT8), false},
        [SOURCE] = {"source", col_type_of(COL_TEXT), false},
    };
    base_buf_reserve(&request->body, WIRE_JSON_PADDING);
    memset(request->body.p + request->body.n, 0, WIRE_JSON_PADDING);
    uint32_t end = (uint32_t)request->body.n, nfaults;
    wire_json_decoder *decoder = wire_json_decoder_create(NFIELDS, fields, WIRE_JSON_UNKNOWN_FAULT);
    col_batch *batch;
    wire_json_fault *faults;
    wire_json_decode(decoder, request->body.p, request->body.n, &end, 0, 1, &request->arena, &batch,
                     NULL, &faults, &nfaults);
    wire_json_decoder_destroy(decoder);
    if (nfaults > 0)
        return base_fail(err, BASE_E_INVALID, faults[0].sqlstate, "%s", faults[0].message);
    const col_vec *c = batch->cols;
    *out = (engine_heartbeat){.partition = -1, .source = base_str_of(request->source)};
    if (!col_is_null(&c[PARTITION], 0)) out->partition = col_i32(&c[PARTITION])[0];
    if (!col_is_null(&c[SOURCE], 0)) out->source = col_str(&c[SOURCE])[0];
    out->has_events = !col_is_null(&c[EVENTS], 0);
    int64_t events = out->has_events ? col_i64(&c[EVENTS])[0] : 0;
    if (events < 0 || out->partition < -1)
        return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER,
                         "\"events\" and \"partition\" are numbers from 0");
    out->events = (uint64_t)events;
    return engine_heartbeat_time(stream, col_str(&c[TO])[0], NULL, &out->to_us, err);
}

void http_watermark(http_request *request) {
    engine *e = request->http->server->engine;
    base_error err = {0};
    const plan_object *stream = engine_find(e, request->name);
    if (stream == NULL) {
        http_fail_with(request, MHD_HTTP_NOT_FOUND, BASE_E_NOT_FOUND, BASE_SQLSTATE_UNDEFINED_TABLE,
                       "stream \"%.*s\" does not exist", BASE_STR_ARG(request->name));
        return;
    }
    engine_heartbeat beat;
    base_rc rc = read_body(request, stream, &beat, &err);
    if (rc == BASE_OK) rc = engine_advance(e, stream, &beat, &err);
    if (rc != BASE_OK) {
        http_fail(request, &err);
        return;
    }
    base_buf_add_cstr(&request->out, "{\"advanced\":true}\n");
    http_answer(request, MHD_HTTP_OK, "application/json");
}
