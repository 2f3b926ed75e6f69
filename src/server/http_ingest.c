// http_ingest.c - POST /v1/streams/SCHEMA.NAME: events in. The answer is sent when the log has them
// on disk. Entry point: http_ingest.

#include <string.h>
#include <strings.h>

#include "server/http_int.h"
#include "wire/inflate.h"
#include "wire/json.h"

// What a body may call itself. curl's -d says it sends a form: let it.
static bool type_is_json(const char *type) {
    static const char *const refused[] = {"multipart/",
                                          "text/csv",
                                          "text/html",
                                          "image/",
                                          "audio/",
                                          "video/",
                                          "application/avro",
                                          "application/xml",
                                          "text/xml",
                                          "application/x-protobuf",
                                          "application/protobuf"};
    for (size_t i = 0; type != NULL && i < sizeof refused / sizeof *refused; i++)
        if (strncasecmp(type, refused[i], strlen(refused[i])) == 0) return false;
    return true;
}

static bool find_coding(const char *text, wire_coding *out) {
    static const struct {
        const char *name;
        wire_coding coding;
    } codings[] = {{"identity", WIRE_CODING_NONE},
                   {"gzip", WIRE_CODING_GZIP},
                   {"x-gzip", WIRE_CODING_GZIP},
                   {"zstd", WIRE_CODING_ZSTD}};
    *out = WIRE_CODING_NONE;
    if (text == NULL) return true;
    base_str name = base_str_trim(base_str_of(text));
    for (size_t i = 0; i < sizeof codings / sizeof *codings; i++)
        if (base_str_eq_nocase(name, base_str_of(codings[i].name))) {
            *out = codings[i].coding;
            return true;
        }
    return name.n == 0;
}

static base_rc unpack(http_request *request, wire_coding coding, base_error *err) {
    wire_inflate *inflate =
        wire_inflate_create(coding, request->http->server->config.body_bytes_max);
    base_buf out = {0};
    base_rc rc = wire_inflate_feed(inflate, base_buf_str(&request->body), &out, err);
    if (rc == BASE_OK) rc = wire_inflate_finish(inflate, err);
    wire_inflate_destroy(inflate);
    if (rc != BASE_OK) {
        base_buf_deinit(&out);
        return rc;
    }
    base_buf_deinit(&request->body);
    request->body = out;
    return BASE_OK;
}

static void write_answer(http_request *request, const engine_ingest_result *result) {
    base_buf *out = &request->out;
    base_buf_printf(out, "{\"accepted\":%llu,\"quarantined\":%llu,\"errors\":[",
                    (unsigned long long)result->accepted, (unsigned long long)result->quarantined);
    for (size_t i = 0; i < result->nfaults; i++) {
        const engine_ingest_fault *fault = &result->faults[i];
        base_buf_printf(out, "%s{\"record\":%llu,\"sqlstate\":", i > 0 ? "," : "",
                        (unsigned long long)fault->record);
        http_json_text(out, base_str_of(fault->sqlstate));
        base_buf_add_cstr(out, ",\"message\":");
        http_json_text(out, base_str_of(fault->message));
        base_buf_add_byte(out, '}');
    }
    base_buf_add_byte(out, ']');
    if (result->truncated)
        base_buf_add_cstr(out, ",\"warning\":\"the body ends before its last document or its array "
                               "does: some of it may not have been sent\"");
    base_buf_add_cstr(out, "}\n");
    http_answer(request, MHD_HTTP_OK, "application/json");
}

// What a packed body begins with, which no JSON does (RFC 1952, RFC 8878); NULL: it is not packed.
static const char *packed_as(base_str body) {
    if (base_str_starts(body, BASE_STR("\x1f\x8b"))) return "gzip";
    return base_str_starts(body, BASE_STR("\x28\xb5\x2f\xfd")) ? "zstd" : NULL;
}

static void ingest(http_request *request) {
    base_error err = {0};
    wire_coding coding;
    if (!type_is_json(request->content_type)) {
        http_fail_with(request, MHD_HTTP_UNSUPPORTED_MEDIA_TYPE, BASE_E_UNSUPPORTED, NULL,
                       "events are sent as JSON or NDJSON, not as %.100s", request->content_type);
        return;
    }
    if (!find_coding(request->content_encoding, &coding)) {
        http_fail_with(request, MHD_HTTP_UNSUPPORTED_MEDIA_TYPE, BASE_E_UNSUPPORTED, NULL,
                       "content encoding %.100s is not known: gzip, zstd and identity are",
                       request->content_encoding);
        return;
    }
    if (coding != WIRE_CODING_NONE && unpack(request, coding, &err) != BASE_OK) {
        http_fail(request, &err);
        return;
    }
    base_str body = base_buf_str(&request->body);
    const char *packed = packed_as(body);
    if (packed != NULL) {
        http_fail_with(request, MHD_HTTP_UNSUPPORTED_MEDIA_TYPE, BASE_E_UNSUPPORTED, NULL,
                       "the body is packed with %s: send the header Content-Encoding: %s", packed,
                       packed);
        return;
    }
    if (base_str_trim(body).n == 0) {
        http_fail_with(request, MHD_HTTP_BAD_REQUEST, BASE_E_INVALID, NULL, "the body is empty");
        return;
    }
    base_buf_reserve(&request->body, WIRE_JSON_PADDING);
    memset(request->body.p + request->body.n, 0, WIRE_JSON_PADDING);
    body = base_buf_str(&request->body);
    engine_ingest_result result;
    if (engine_ingest(request->http->server->engine, request->name, body, request->source,
                      &request->arena, &result, &err) != BASE_OK)
        http_fail(request, &err);
    else
        write_answer(request, &result);
    base_buf_deinit(&request->body); // the answer may wait for a slow client
}

void http_ingest(http_request *request) {
    server *s = request->http->server;
    int64_t began = server_now_us(s);
    ingest(request);
    atomic_fetch_add(&s->counters.ingest_requests, 1);
    atomic_fetch_add(&s->counters.ingest_us, (uint64_t)(server_now_us(s) - began));
}
