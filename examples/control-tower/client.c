// client.c - see client.h. One connection, kept open. Entry point: client_post.
#include "client.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/must.h"
#include "plat/thread.h"

#define WAIT_FIRST_US 100000
#define WAIT_MOST_US  5000000
#define ANSWER_MAX    (1u << 20)

struct client {
    CURL *curl;
    struct curl_slist *headers;
    char *url;
    const volatile sig_atomic_t *stop;
    base_buf answer;
    client_counts counts;
};

static size_t on_answer(char *bytes, size_t size, size_t n, void *arg) {
    client *c = arg;
    if (c->answer.n + size * n <= ANSWER_MAX) base_buf_add(&c->answer, bytes, size * n);
    return size * n;
}

client *client_create(const char *url, const volatile sig_atomic_t *stop) {
    client *c = calloc(1, sizeof *c);
    must(c != NULL);
    must(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
    c->url = strdup(url);
    must(c->url != NULL);
    size_t n = strlen(c->url);
    while (n > 0 && c->url[n - 1] == '/') c->url[--n] = '\0';
    c->stop = stop;
    c->curl = curl_easy_init();
    must(c->curl != NULL);
    c->headers = curl_slist_append(NULL, "Content-Type: application/x-ndjson");
    c->headers = curl_slist_append(c->headers, "Expect:");
    curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, c->headers);
    curl_easy_setopt(c->curl, CURLOPT_WRITEFUNCTION, on_answer);
    curl_easy_setopt(c->curl, CURLOPT_WRITEDATA, c);
    curl_easy_setopt(c->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c->curl, CURLOPT_CONNECTTIMEOUT, 5L);
    curl_easy_setopt(c->curl, CURLOPT_TIMEOUT, 60L);
    return c;
}

void client_destroy(client *c) {
    curl_easy_cleanup(c->curl);
    curl_slist_free_all(c->headers);
    curl_global_cleanup();
    base_buf_deinit(&c->answer);
    free(c->url);
    free(c);
}

const client_counts *client_counted(const client *c) {
    return &c->counts;
}

static uint64_t number_after(const char *text, const char *name) {
    const char *at = strstr(text, name);
    return at == NULL ? 0 : strtoull(at + strlen(name), NULL, 10);
}

// Whether to try again.
static bool passes(CURLcode code, long status) {
    return code != CURLE_OK || status == 429 || status >= 500;
}

base_rc client_post(client *c, const char *stream, base_str records, base_error *err) {
    char url[512];
    snprintf(url, sizeof url, "%s/v1/streams/%s", c->url, stream);
    curl_easy_setopt(c->curl, CURLOPT_URL, url);
    curl_easy_setopt(c->curl, CURLOPT_POSTFIELDS, records.p);
    curl_easy_setopt(c->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)records.n);
    for (int64_t wait_us = WAIT_FIRST_US;; wait_us *= 2) {
        long status = 0;
        base_buf_clear(&c->answer);
        CURLcode code = curl_easy_perform(c->curl);
        curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &status);
        c->counts.requests++;
        const char *answer = base_buf_cstr(&c->answer);
        if (!passes(code, status)) {
            if (status != 200)
                return base_fail(err, BASE_E_INVALID, NULL, "%s: HTTP %ld: %.300s", stream, status,
                                 answer);
            c->counts.accepted += number_after(answer, "\"accepted\":");
            c->counts.quarantined += number_after(answer, "\"quarantined\":");
            return BASE_OK;
        }
        if (*c->stop)
            return base_fail(err, BASE_E_CANCELLED, NULL, "%s: stopped before weir had them",
                             stream);
        if (c->counts.retries++ % 20 == 0)
            fprintf(stderr, "control-tower: %s, trying again\n",
                    code != CURLE_OK ? curl_easy_strerror(code) : "weir is busy");
        if (wait_us > WAIT_MOST_US) wait_us = WAIT_MOST_US;
        for (int64_t slept = 0; slept < wait_us && !*c->stop; slept += 50000) plat_sleep_us(50000);
    }
}
