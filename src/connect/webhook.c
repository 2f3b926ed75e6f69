// webhook.c - the connector 'webhook': a step's changes as one or more POST requests, by libcurl's
// multi interface, so that a receiver that hangs keeps only its own sink waiting.
//
// Invariants: a sink has at most one request under way, and its next one begins after the answer to
// this one: order. The cursor moves when the last request of a step was answered with 2xx (or
// parked). A request that is tried again has the same bytes and the same key.
// Entry points: connect_webhook_send, connect_webhook_done.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "col/func.h"
#include "connect/connect_int.h"

// ---- signing
// ---------------------------------------------------------------------------------------------

#define SHA256_BLOCK 64

// By the function library's sha256(bytea).
static bool sha256(base_str bytes, uint8_t out[32]) {
    const col_func *const *functions;
    size_t n = col_func_find(BASE_STR("sha256"), &functions);
    if (n == 0 || functions[0]->nargs != 1 || functions[0]->args[0] != COL_BYTEA) return false;
    base_arena arena;
    base_arena_init(&arena, 1024);
    base_error err;
    col_func_ctx ctx = {.arena = &arena, .err = &err};
    col_vec arg, result;
    col_vec_init(&arg, &arena, col_type_of(COL_BYTEA), 1);
    col_vec_init(&result, &arena, col_type_of(COL_BYTEA), 1);
    col_str(&arg)[0] = bytes;
    const col_vec *args[] = {&arg};
    bool done =
        functions[0]->kernel(&ctx, 1, 1, args, &result) == BASE_OK && col_str(&result)[0].n == 32;
    if (done) memcpy(out, col_str(&result)[0].p, 32);
    base_arena_deinit(&arena);
    return done;
}

// RFC 2104.
static bool hmac_sha256(base_str key, base_str text, uint8_t out[32]) {
    uint8_t block[SHA256_BLOCK] = {0};
    if (key.n > sizeof block) {
        if (!sha256(key, block)) return false;
    } else if (key.n > 0) {
        memcpy(block, key.p, key.n);
    }
    base_buf buf = {0};
    for (size_t i = 0; i < sizeof block; i++) base_buf_add_byte(&buf, block[i] ^ 0x36);
    base_buf_add_str(&buf, text);
    uint8_t inner[32];
    bool done = sha256(base_buf_str(&buf), inner);
    base_buf_clear(&buf);
    for (size_t i = 0; i < sizeof block; i++) base_buf_add_byte(&buf, block[i] ^ 0x5c);
    base_buf_add(&buf, inner, sizeof inner);
    done = done && sha256(base_buf_str(&buf), out);
    base_buf_deinit(&buf);
    return done;
}

// ---- opening
// ---------------------------------------------------------------------------------------------

static bool header_is_safe(base_str header) {
    for (size_t i = 0; i < header.n; i++)
        if ((unsigned char)header.p[i] < ' ' && header.p[i] != '\t') return false;
    const char *colon = memchr(header.p, ':', header.n);
    return colon != NULL && colon > header.p;
}

// Lines, or parted by ';' if there is only one line.
base_rc connect_headers(base_str text, struct curl_slist **headers, base_error *err) {
    char separator = memchr(text.p, '\n', text.n) != NULL ? '\n' : ';';
    for (size_t at = 0; at < text.n;) {
        const char *next = memchr(text.p + at, separator, text.n - at);
        size_t end = next == NULL ? text.n : (size_t)(next - text.p);
        base_str header = base_str_trim((base_str){text.p + at, end - at});
        at = end + 1;
        if (header.n == 0) continue;
        if (!header_is_safe(header))
            return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER,
                             "\"%.*s\" in option headers is no header of the form Name: value",
                             BASE_STR_ARG(header));
        char *copy = strndup(header.p, header.n);
        must(copy != NULL);
        *headers = curl_slist_append(*headers, copy);
        must(*headers != NULL);
        free(copy);
    }
    return BASE_OK;
}

static size_t take_answer(char *bytes, size_t size, size_t n, void *arg) {
    connect_sink *sink = arg;
    size_t room = CONNECT_RESPONSE_BYTES - sink->answer.n;
    base_buf_add(&sink->answer, bytes, size * n < room ? size * n : room);
    return size * n; // what is beyond is read and dropped
}

// Whom it is sent to, for messages: what stands before '@' and after the host may be a secret (the
// path too: many receivers know their senders by it).
static char *shown_url(const char *url) {
    const char *host = strstr(url, "://");
    host = host == NULL ? url : host + 3;
    size_t n = strcspn(host, "/?#"), skipped = 0;
    for (size_t i = 0; i < n; i++)
        if (host[i] == '@') skipped = i + 1;
    base_buf buf = {0};
    base_buf_printf(&buf, "%.*s%.*s", (int)(host - url), url, (int)(n - skipped), host + skipped);
    base_buf_cstr(&buf);
    return buf.p; // now the caller's
}

base_rc connect_webhook_open(connect_sink *sink, base_error *err) {
    sink->url = plan_option_get(sink->object, "url");
    sink->secret = plan_option_get(sink->object, "secret");
    if (sink->url == NULL)
        return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER,
                         "connector 'webhook' needs the option \"url\"");
    if (strncmp(sink->url, "http://", 7) != 0 && strncmp(sink->url, "https://", 8) != 0)
        return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER,
                         "option \"url\" must begin with http:// or https://");
    sink->shown = shown_url(sink->url);
    const char *headers = plan_option_get(sink->object, "headers");
    base_rc rc =
        headers == NULL ? BASE_OK : connect_headers(base_str_of(headers), &sink->headers, err);
    if (rc != BASE_OK) return rc;
    sink->easy = curl_easy_init();
    must(sink->easy != NULL);
    return BASE_OK;
}

static void end_request(connect_sink *sink) {
    if (sink->under_way) curl_multi_remove_handle(sink->hub->multi, sink->easy);
    sink->under_way = false;
    curl_slist_free_all(sink->request_headers);
    sink->request_headers = NULL;
}

void connect_webhook_close(connect_sink *sink) {
    end_request(sink);
    if (sink->easy != NULL) curl_easy_cleanup(sink->easy);
    curl_slist_free_all(sink->headers);
    free(sink->shown);
    sink->shown = NULL;
    sink->easy = NULL;
    sink->headers = NULL;
}

// ---- sending
// ---------------------------------------------------------------------------------------------

static void add_header(connect_sink *sink, base_buf *line) {
    sink->request_headers = curl_slist_append(sink->request_headers, base_buf_cstr(line));
    must(sink->request_headers != NULL);
    base_buf_clear(line);
}

static void make_headers(connect_sink *sink) {
    base_buf line = {0};
    base_buf_add_cstr(&line, "Content-Type: application/json");
    add_header(sink, &line);
    base_buf_add_cstr(&line, "Expect:"); // no waiting for 100 Continue
    add_header(sink, &line);
    base_buf_add_cstr(&line, "Idempotency-Key: ");
    connect_write_key(&line, sink->token, &sink->changes, sink->seq);
    add_header(sink, &line);
    uint8_t mac[32];
    if (sink->secret != NULL &&
        hmac_sha256(base_str_of(sink->secret), base_buf_str(&sink->body), mac)) {
        base_buf_add_cstr(&line, "X-Weir-Signature: sha256=");
        for (size_t i = 0; i < sizeof mac; i++) base_buf_printf(&line, "%02x", mac[i]);
        add_header(sink, &line);
    }
    for (const struct curl_slist *h = sink->headers; h != NULL; h = h->next) {
        base_buf_add_cstr(&line, h->data);
        add_header(sink, &line);
    }
    base_buf_deinit(&line);
}

static base_rc start_request(connect_sink *sink, base_error *err) {
    CURL *easy = sink->easy;
    long timeout_ms = (long)((sink->timeout_us + 999) / 1000);
    curl_easy_reset(easy); // options; connections are kept
    sink->curl_error[0] = '\0';
    base_buf_clear(&sink->answer);
    CURLcode code = curl_easy_setopt(easy, CURLOPT_URL, sink->url);
    if (code == CURLE_OK) code = curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    if (code == CURLE_OK) code = curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    if (code == CURLE_OK) code = curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, timeout_ms);
    if (code == CURLE_OK) code = curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, timeout_ms);
    if (code == CURLE_OK) code = curl_easy_setopt(easy, CURLOPT_USERAGENT, "weir/" WEIR_VERSION);
    if (code == CURLE_OK) code = curl_easy_setopt(easy, CURLOPT_HTTPHEADER, sink->request_headers);
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)sink->body.n);
    if (code == CURLE_OK) code = curl_easy_setopt(easy, CURLOPT_POSTFIELDS, sink->body.p);
    if (code == CURLE_OK) code = curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_answer);
    if (code == CURLE_OK) code = curl_easy_setopt(easy, CURLOPT_WRITEDATA, sink);
    if (code == CURLE_OK) code = curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, sink->curl_error);
    if (code == CURLE_OK) code = curl_easy_setopt(easy, CURLOPT_PRIVATE, sink);
    if (code != CURLE_OK)
        return base_fail(err, BASE_E_INTERNAL, NULL, "%s: %s", sink->shown,
                         curl_easy_strerror(code));
    CURLMcode added = curl_multi_add_handle(sink->hub->multi, easy);
    if (added != CURLM_OK)
        return base_fail(err, BASE_E_INTERNAL, NULL, "%s: %s", sink->shown,
                         curl_multi_strerror(added));
    sink->under_way = true;
    return BASE_OK;
}

base_rc connect_webhook_send(connect_sink *sink, base_error *err) {
    must(!sink->under_way);
    bool found;
    base_rc rc = connect_sink_load(sink, &found, err);
    if (rc == BASE_OK && !found) return connect_sink_idle(sink, err);
    if (rc != BASE_OK) return rc;
    const connect_changes *changes = &sink->changes;
    must(sink->next_item <= changes->nitems);
    uint32_t left = changes->nitems - sink->next_item;
    sink->in_request = left < sink->batch_rows ? left : sink->batch_rows;
    base_buf_clear(&sink->body);
    connect_write_request(&sink->body, sink->token, sink->name, changes, sink->seq, sink->next_item,
                          sink->in_request);
    make_headers(sink);
    rc = start_request(sink, err);
    if (rc != BASE_OK) end_request(sink);
    return rc;
}

// ---- answers
// ---------------------------------------------------------------------------------------------

// The answer on one line, for messages.
static const char *answer_text(connect_sink *sink) {
    for (size_t i = 0; i < sink->answer.n; i++)
        if ((unsigned char)sink->answer.p[i] < ' ' || sink->answer.p[i] == 0x7f)
            sink->answer.p[i] = ' ';
    sink->answer.n = base_utf8_valid_prefix(base_buf_str(&sink->answer));
    return base_buf_cstr(&sink->answer);
}

// This request is done with: on to the rest of the step, or past it.
static base_rc request_passed(connect_sink *sink, base_error *err) {
    sink->next_item += sink->in_request;
    sink->seq++;
    sink->refusals = 0;
    if (sink->next_item < sink->changes.nitems) return BASE_OK;
    connect_sink_pass(sink);
    return connect_sink_ack(sink, err);
}

static base_rc park(connect_sink *sink, long status, base_error *err) {
    base_buf path = {0}, line = {0};
    plat *p = sink->hub->plat;
    base_buf_printf(&path, "%s/sinks", engine_dir(sink->hub->engine));
    base_rc rc = p->ops->make_dir(p, base_buf_cstr(&path), err);
    base_buf_printf(&path, "/%s.parked.ndjson", sink->name);
    char at[BASE_TIME_TEXT_MAX];
    base_rfc3339_format(plat_wall_us(p), at);
    base_buf_printf(&line, "{\"parked_at\":\"%s\",\"status\":%ld,\"answer\":", at, status);
    base_buf_add_json_string(&line, base_str_of(answer_text(sink)));
    base_buf_add_cstr(&line, ",\"request\":");
    base_buf_add_str(&line, base_buf_str(&sink->body));
    base_buf_add_cstr(&line, "}\n");
    if (rc == BASE_OK)
        rc =
            connect_append(p, base_buf_cstr(&path), base_buf_str(&line), CONNECT_PARKED_BYTES, err);
    base_buf_deinit(&path);
    base_buf_deinit(&line);
    return rc;
}

static void refused(connect_sink *sink, long status, bool *progressed) {
    base_error err;
    sink->refusals++;
    base_fail(&err, BASE_E_INVALID, NULL, "%s answered %ld: %s", sink->shown, status,
              answer_text(sink));
    if (sink->refusals < sink->max_attempts) {
        connect_sink_failed(sink, 0, &err);
        return;
    }
    base_error parking;
    base_rc rc = park(sink, status, &parking);
    if (rc == BASE_OK) rc = request_passed(sink, &parking);
    if (rc != BASE_OK) {
        sink->refusals--; // still to be parked
        connect_sink_failed(sink, 0, &parking);
        return;
    }
    base_error_prefix(&err, "parked after %u attempts", sink->max_attempts);
    sink->failures = 0;
    sink->due_ns = 0;
    engine_sink_report(sink->hub->engine, sink->object, 0, 1, err.message);
    *progressed = true;
}

static bool is_passing(long status) {
    return status == 408 || status == 425 || status == 429 || status >= 500;
}

void connect_webhook_done(connect_sink *sink, CURLcode code, bool *progressed) {
    long status = 0;
    curl_off_t retry_after = 0;
    curl_easy_getinfo(sink->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(sink->easy, CURLINFO_RETRY_AFTER, &retry_after);
    end_request(sink);
    base_error err;
    if (code != CURLE_OK) {
        base_fail(&err, BASE_E_IO, NULL, "%s: %s", sink->shown,
                  sink->curl_error[0] != '\0' ? sink->curl_error : curl_easy_strerror(code));
        connect_sink_failed(sink, 0, &err);
    } else if (status >= 200 && status < 300) {
        uint64_t delivered = sink->in_request;
        base_rc rc = request_passed(sink, &err);
        if (rc == BASE_OK)
            connect_sink_succeeded(sink, delivered);
        else
            connect_sink_failed(sink, 0, &err);
        *progressed = rc == BASE_OK || *progressed;
    } else if (is_passing(status)) {
        base_fail(&err, BASE_E_BUSY, NULL, "%s answered %ld: %s", sink->shown, status,
                  answer_text(sink));
        int64_t least_us =
            retry_after > 0 && retry_after < 3600 ? (int64_t)retry_after * BASE_US_PER_SECOND : 0;
        connect_sink_failed(sink, least_us < sink->pause_max_us ? least_us : sink->pause_max_us,
                            &err);
    } else {
        refused(sink, status, progressed);
    }
}
