// book_http.c - what an HTTP endpoint answers to GET as the book: one JSON array of objects,
// NDJSON, or CSV with a header. It is fetched as a whole when the book is opened: that is the
// snapshot. Options: url, headers (lines "Name: value", or several parted by ';'; not shown),
// format, timeout (of the whole request, 1 minute), max_size (64 MB at most half of a query's
// memory).
//
// Redirects are not followed: headers may carry a secret that is meant for one place.
// Entry point: connect_book_http.

#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "connect/book_sql.h"
#include "connect/connect_int.h"

#define TIMEOUT_MS (60 * 1000)
#define SIZE_BYTES (64u << 20)

typedef struct http_book {
    engine_text_book of;
    size_t limit;
    bool too_large;
} http_book;

static size_t take(char *bytes, size_t size, size_t n, void *arg) {
    http_book *h = arg;
    h->too_large = h->too_large || size * n > h->limit - h->of.text.n;
    if (h->too_large) return 0; // ends the transfer
    base_buf_add(&h->of.text, bytes, size * n);
    return size * n;
}

static int go_on(void *arg, curl_off_t total, curl_off_t now, curl_off_t up_total, curl_off_t up) {
    (void)total, (void)now, (void)up_total, (void)up;
    return engine_book_stopped(((http_book *)arg)->of.book.spec); // about once a second
}

// The address without what may stand before '@' and after '?'.
static const char *shown_url(base_arena *arena, const char *url) {
    const char *host = strstr(url, "://");
    host = host == NULL ? url : host + 3;
    size_t n = strcspn(host, "?#");
    const char *at = NULL;
    for (size_t i = 0; i < n && host[i] != '/'; i++)
        if (host[i] == '@') at = host + i + 1;
    size_t skipped = at == NULL ? 0 : (size_t)(at - host);
    return base_arena_printf(arena, "%.*s%.*s", (int)(host - url), url, (int)(n - skipped),
                             host + skipped);
}

static base_rc set_options(http_book *h, CURL *easy, struct curl_slist *headers, char *message,
                           base_error *err) {
    const plan_object *r = h->of.book.spec->reconciliation;
    long timeout_ms = (long)connect_timeout_ms(r, TIMEOUT_MS);
    CURLcode code = curl_easy_setopt(easy, CURLOPT_URL, plan_option_get(r, "url"));
    if (code == CURLE_OK) code = curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    if (code == CURLE_OK) code = curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    if (code == CURLE_OK) code = curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, timeout_ms);
    if (code == CURLE_OK) code = curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, timeout_ms);
    if (code == CURLE_OK) code = curl_easy_setopt(easy, CURLOPT_USERAGENT, "weir/" WEIR_VERSION);
    if (code == CURLE_OK) code = curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    if (code == CURLE_OK) code = curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take);
    if (code == CURLE_OK) code = curl_easy_setopt(easy, CURLOPT_WRITEDATA, h);
    if (code == CURLE_OK) code = curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, go_on);
    if (code == CURLE_OK) code = curl_easy_setopt(easy, CURLOPT_XFERINFODATA, h);
    if (code == CURLE_OK) code = curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
    if (code == CURLE_OK) code = curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, message);
    if (code == CURLE_OK) return BASE_OK;
    return base_fail(err, BASE_E_INTERNAL, NULL, "%s: %s", h->of.book.name,
                     curl_easy_strerror(code));
}

static base_rc judge(http_book *h, CURL *easy, CURLcode code, const char *message,
                     base_error *err) {
    long status = 0;
    curl_off_t sent = 0;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    long request = 0, head = 0;
    curl_easy_getinfo(easy, CURLINFO_REQUEST_SIZE, &request);
    curl_easy_getinfo(easy, CURLINFO_HEADER_SIZE, &head);
    curl_easy_getinfo(easy, CURLINFO_SIZE_DOWNLOAD_T, &sent);
    h->of.book.bytes = (uint64_t)sent + (uint64_t)request + (uint64_t)head;
    if (h->too_large)
        return base_fail(err, BASE_E_LIMIT, NULL, "%s answers more than %zu bytes", h->of.book.name,
                         h->limit);
    if (code == CURLE_ABORTED_BY_CALLBACK)
        return base_fail(err, BASE_E_CANCELLED, NULL, "%s: canceled", h->of.book.name);
    if (code == CURLE_OPERATION_TIMEDOUT)
        return base_fail(err, BASE_E_CANCELLED, "57014", "%s: no answer within the timeout",
                         h->of.book.name);
    if (code != CURLE_OK)
        return base_fail(err, BASE_E_IO, "08006", "%s: %s", h->of.book.name,
                         message[0] != '\0' ? message : curl_easy_strerror(code));
    if (status != 200)
        return base_fail(err, BASE_E_IO, "08006", "%s answered %ld", h->of.book.name, status);
    return BASE_OK;
}

static base_rc fetch(http_book *h, base_error *err) {
    const char *text = plan_option_get(h->of.book.spec->reconciliation, "headers");
    struct curl_slist *headers = NULL;
    base_rc rc = text == NULL ? BASE_OK : connect_headers(base_str_of(text), &headers, err);
    CURL *easy = rc == BASE_OK ? curl_easy_init() : NULL;
    if (rc == BASE_OK) {
        must(easy != NULL);
        char message[CURL_ERROR_SIZE] = "";
        rc = set_options(h, easy, headers, message, err);
        if (rc == BASE_OK) rc = judge(h, easy, curl_easy_perform(easy), message, err);
        curl_easy_cleanup(easy);
    }
    curl_slist_free_all(headers);
    return rc;
}

static base_rc http_open(const engine_book_spec *spec, base_arena *arena, engine_book **out,
                         base_error *err) {
    const plan_object *r = spec->reconciliation;
    const char *url = plan_option_get(r, "url"), *size = plan_option_get(r, "max_size");
    http_book *h = base_arena_new(arena, http_book);
    const char *name = shown_url(arena, url);
    engine_text_book_init(&h->of, &connect_book_http, spec, arena, name, name);
    h->of.book.statements = 1;
    h->limit = spec->memory_bytes < SIZE_BYTES ? (size_t)spec->memory_bytes : SIZE_BYTES;
    if (size != NULL) {
        char *end;
        unsigned long long mb = strtoull(size, &end, 10);
        if (end == size || strcmp(base_str_trim(base_str_of(end)).p, "MB") != 0 || mb == 0 ||
            mb << 20 > spec->memory_bytes || mb > 4095)
            return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER,
                             "option \"max_size\" must be a number of MB such as '100 MB', up to "
                             "half of a query's memory, not '%s'",
                             size);
        h->limit = (size_t)mb << 20;
    }
    base_rc rc = fetch(h, err);
    if (rc != BASE_OK) {
        base_buf_deinit(&h->of.text);
        return rc;
    }
    engine_text_book_finish(&h->of);
    *out = &h->of.book;
    return BASE_OK;
}

const engine_book_ops connect_book_http = {"http", http_open, engine_text_book_read, NULL,
                                           engine_text_book_close};
