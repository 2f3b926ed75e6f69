// test_server_http.c - the HTTP listener from the outside, over plain sockets: events in, views and
// their changes out, queries, files, and what clients do wrong.
#include <zlib.h>

#include "server_fixture.h"

typedef struct reply {
    int status;
    base_buf all;
    const char *body; // in all; chunked bodies are put together
    size_t n;
} reply;

static void reply_free(reply *r) {
    base_buf_deinit(&r->all);
}

// Puts the chunks of a body together, in place.
static void join_chunks(reply *r) {
    char *to = r->all.p + (r->body - r->all.p), *from = to, *end = r->all.p + r->all.n;
    r->n = 0;
    for (;;) {
        char *after;
        size_t n = strtoul(from, &after, 16);
        if (n == 0 || after + 2 + n > end) break;
        memmove(to + r->n, after + 2, n);
        r->n += n;
        from = after + 2 + n + 2;
    }
    to[r->n] = 0;
}

static void parse_reply(reply *r) {
    const char *text = base_buf_cstr(&r->all);
    const char *blank = strstr(text, "\r\n\r\n");
    if (blank == NULL || sscanf(text, "HTTP/1.1 %d", &r->status) != 1) return;
    r->body = blank + 4;
    r->n = r->all.n - (size_t)(r->body - text);
    const char *chunked = strstr(text, "Transfer-Encoding: chunked");
    if (chunked != NULL && chunked < blank) join_chunks(r);
}

static bool has(const reply *r, const char *text) {
    return r->all.p != NULL && strstr(r->all.p, text) != NULL;
}

// One request on a connection of its own. headers: lines with \r\n each.
static reply ask(fixture *f, const char *method, const char *path, const char *headers,
                 const void *body, size_t n) {
    reply r = {0};
    base_buf out = {0};
    base_buf_printf(&out,
                    "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n%s"
                    "Content-Length: %zu\r\n\r\n",
                    method, path, headers, n);
    base_buf_add(&out, body, n);
    int fd = client_connect(server_http_port(f->server));
    EXPECT(client_send(fd, out.p, out.n));
    client_drain(fd, &r.all);
    close(fd);
    base_buf_deinit(&out);
    parse_reply(&r);
    return r;
}

static reply post(fixture *f, const char *path, const char *body) {
    return ask(f, "POST", path, "", body, strlen(body));
}

static reply get(fixture *f, const char *path) {
    return ask(f, "GET", path, "", "", 0);
}

#define EXPECT_REPLY(call, code, text)                                                             \
    do {                                                                                           \
        reply reply_ = (call);                                                                     \
        EXPECT_EQ_INT(reply_.status, (code));                                                      \
        if (!has(&reply_, (text))) {                                                               \
            fprintf(stderr, "%s:%d: \"%s\" is not in: %s\n", __FILE__, __LINE__, (text),           \
                    reply_.all.p == NULL ? "" : reply_.all.p);                                     \
            test_failures++;                                                                       \
        }                                                                                          \
        reply_free(&reply_);                                                                       \
    } while (0)

#define EVENT(id, k, v) "{\"id\":" #id ",\"k\":" #k ",\"v\":" #v "}"

static void flush_views(fixture *f) {
    base_error err = {0};
    EXPECT(engine_flush(f->engine, 10 * BASE_US_PER_SECOND, NULL, &err) == BASE_OK);
}

TEST(events_are_taken_in_three_forms) {
    fixture f;
    REQUIRE(fixture_open(&f, NULL));
    EXPECT_REPLY(post(&f, "/v1/streams/t.s", EVENT(1, 1, 1.50)), 200,
                 "{\"accepted\":1,\"quarantined\":0,\"errors\":[]}");
    EXPECT_REPLY(post(&f, "/v1/streams/t.s", "[" EVENT(2, 1, 2) "," EVENT(3, 2, 0.25) "]"), 200,
                 "\"accepted\":2");
    EXPECT_REPLY(
        post(&f, "/v1/streams/t.s", EVENT(4, 1, 2) "\n{\"id\":5}\nnot json\n" EVENT(6, 2, 1) "\n"),
        200, "{\"accepted\":2,\"quarantined\":2,\"errors\":[{\"record\":1,\"sqlstate\":\"23502\"");
    EXPECT_REPLY(post(&f, "/v1/streams/t.nope", EVENT(1, 1, 1)), 404, "\"sqlstate\":\"42P01\"");
    EXPECT_REPLY(post(&f, "/v1/streams/t.w", EVENT(1, 1, 1)), 400, "materialized view");
    EXPECT_REPLY(post(&f, "/v1/streams/t.s", " \n"), 400, "empty");
    EXPECT_REPLY(get(&f, "/v1/streams/t.s"), 405, "Allow: POST");
    EXPECT_REPLY(ask(&f, "POST", "/v1/streams/t.s", "Content-Type: text/csv\r\n", "1,2", 3), 415,
                 "text/csv");
    EXPECT_REPLY(ask(&f, "POST", "/v1/streams/t.s", "Content-Encoding: br\r\n", "xx", 2), 415,
                 "br");
    flush_views(&f);
    EXPECT_REPLY(get(&f, "/v1/views/t.w?k=1"), 200, "{\"k\":1,\"n\":3,\"total\":5.50,");
    fixture_close(&f);
}

static void gzip(const void *bytes, size_t n, base_buf *out) {
    z_stream z = {0};
    EXPECT(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    base_buf_reserve(out, deflateBound(&z, n) + 64);
    z.next_in = (Bytef *)(uintptr_t)bytes;
    z.avail_in = (uInt)n;
    z.next_out = (Bytef *)out->p;
    z.avail_out = (uInt)out->cap;
    EXPECT(deflate(&z, Z_FINISH) == Z_STREAM_END);
    out->n = z.total_out;
    deflateEnd(&z);
}

TEST(heartbeats_move_watermarks) {
    fixture f;
    REQUIRE(fixture_open(&f, NULL));
    fixture_sql(&f,
                "CREATE STREAM beat (id INT NOT NULL, at TIMESTAMPTZ NOT NULL, PRIMARY KEY (id), "
                "WATERMARK FOR at AS at); CREATE TABLE keyed (id INT NOT NULL, PRIMARY KEY (id)); "
                "CREATE MATERIALIZED VIEW beats WITH (refresh = 'immediate') AS SELECT "
                "window_start, count(*) AS n FROM TUMBLE(beat, at, INTERVAL '1 minute') GROUP BY "
                "window_start");
    const char *path = "/v1/streams/beat/watermark";
    EXPECT_REPLY(post(&f, "/v1/streams/beat", "{\"id\":1,\"at\":\"2026-01-01T00:00:00Z\"}"), 200,
                 "\"accepted\":1");
    EXPECT_REPLY(post(&f, path, "{\"to\":\"2026-01-01T00:01:00Z\",\"events\":1,\"source\":\"x\"}"),
                 200, "advanced");
    fixture_sql(&f, "FLUSH");
    EXPECT_REPLY(get(&f, "/v1/views/beats"), 200, "\"_status\":\"final\"");
    EXPECT_REPLY(post(&f, path, ""), 400, "error");
    EXPECT_REPLY(post(&f, path, "{}"), 400, "23502");
    EXPECT_REPLY(post(&f, path, "[]"), 400, "error");
    EXPECT_REPLY(post(&f, path, "{\"to\":\"noon\"}"), 400, "22007");
    EXPECT_REPLY(post(&f, path, "{\"to\":\"2026-01-01\",\"from\":1}"), 400, "42703");
    EXPECT_REPLY(post(&f, path, "{\"to\":\"2026-01-01\",\"events\":-1}"), 400, "22023");
    EXPECT_REPLY(post(&f, path, "{\"to\":\"2026-01-01\",\"partition\":1}"), 400, "22023");
    EXPECT_REPLY(post(&f, "/v1/streams/none/watermark", "{\"to\":\"2026-01-01\"}"), 404, "42P01");
    EXPECT_REPLY(post(&f, "/v1/streams/keyed/watermark", "{\"to\":\"2026-01-01\"}"), 400, "22023");
    EXPECT_REPLY(get(&f, path), 405, "does not take");
    fixture_close(&f);
}

TEST(bodies_are_unpacked_within_limits) {
    fixture f;
    server_config config;
    server_config_init(&config);
    config.body_bytes_max = 1 << 20;
    REQUIRE(fixture_open(&f, &config));
    const char *events = EVENT(1, 1, 1) "\n" EVENT(2, 2, 2);
    const char *gzip_header = "Content-Encoding: gzip\r\n", *path = "/v1/streams/t.s";
    base_buf packed = {0}, bomb = {0}, large = {0};
    gzip(events, strlen(events), &packed);
    EXPECT_REPLY(ask(&f, "POST", path, gzip_header, packed.p, packed.n), 200, "\"accepted\":2");
    EXPECT_REPLY(ask(&f, "POST", path, gzip_header, packed.p, packed.n - 9), 400, "truncated");
    EXPECT_REPLY(ask(&f, "POST", path, gzip_header, events, strlen(events)), 400, "damaged");
    EXPECT_REPLY(ask(&f, "POST", path, "Content-Encoding: zstd\r\n", events, strlen(events)), 400,
                 "damaged");
    for (int i = 0; i < 3 << 20; i++) base_buf_add_byte(&large, ' ');
    gzip(large.p, large.n, &bomb);
    EXPECT(bomb.n < 10000);
    EXPECT_REPLY(ask(&f, "POST", path, gzip_header, bomb.p, bomb.n), 413, "\"54000\"");
    EXPECT_REPLY(ask(&f, "POST", path, "", large.p, large.n), 413, "\"54000\"");
    // A client that waits to hear is refused before it sends the body.
    base_buf head = {0}, refusal = {0};
    base_buf_printf(&head,
                    "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 104857600\r\n"
                    "Expect: 100-continue\r\n\r\n",
                    path);
    int waiting = client_connect(server_http_port(f.server));
    EXPECT(client_send(waiting, head.p, head.n));
    EXPECT(client_wait_for(waiting, &refusal, "\"54000\""));
    EXPECT(strncmp(refusal.p, "HTTP/1.1 413", 12) == 0);
    close(waiting);
    base_buf_deinit(&refusal);
    base_buf_clear(&head);
    // A line without an end: 100 MB are announced, and are cut off; the server goes on.
    int fd = client_connect(server_http_port(f.server));
    base_buf_printf(&head, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 104857600\r\n\r\n",
                    path);
    client_send(fd, head.p, head.n);
    for (int i = 0; i < 33 && client_send(fd, large.p, large.n); i++) {
    }
    close(fd);
    EXPECT_REPLY(post(&f, path, EVENT(9, 9, 9)), 200, "\"accepted\":1");
    base_buf_deinit(&packed);
    base_buf_deinit(&bomb);
    base_buf_deinit(&large);
    base_buf_deinit(&head);
    fixture_close(&f);
}

TEST(views_are_filtered_sorted_and_cut) {
    fixture f;
    REQUIRE(fixture_open(&f, NULL));
    EXPECT_REPLY(post(&f, "/v1/streams/t.s",
                      EVENT(1, 1, 1.5) EVENT(2, 1, 2) EVENT(3, 2, 7) EVENT(4, 3, 10.25)),
                 200, "\"accepted\":4");
    flush_views(&f);
    reply r = get(&f, "/v1/views/t.w?order=k.desc&limit=2");
    EXPECT_EQ_INT(r.status, 200);
    EXPECT(has(&r, "\"rows\":[\n{\"k\":3,") && has(&r, "{\"k\":2,") && !has(&r, "{\"k\":1,"));
    EXPECT(has(&r, "Weir-Step: ") && has(&r, "Weir-As-Of: 2") && has(&r, "Weir-Fresh: true"));
    EXPECT(has(&r, "{\"view\":\"t.w\",\"standing\":{\"step\":"));
    EXPECT(has(&r, "\"_status\":\"current\"") && has(&r, "\"_updated_at\":\"2"));
    reply_free(&r);
    EXPECT_REPLY(get(&f, "/v1/views/t.w?total=gt.3.505&total=lt.10&select=k"), 200,
                 "\"rows\":[\n{\"k\":2}]}");
    EXPECT_REPLY(get(&f, "/v1/views/t.w?k=ne.1&order=k&format=csv&select=k,total"), 200,
                 "k,total\r\n2,7.00\r\n3,10.25\r\n");
    EXPECT_REPLY(
        ask(&f, "GET", "/v1/views/t.w?select=k&offset=2&order=k", "Accept: text/csv\r\n", "", 0),
        200, "Content-Type: text/csv");
    EXPECT_REPLY(get(&f, "/v1/views/t.w?total=is.null"), 200, "\"rows\":[]}");
    EXPECT_REPLY(get(&f, "/v1/views/t.w?total=is.notnull&k=3&select=k"), 200, "[\n{\"k\":3}]");
    // What is not a value or a column is an error, never SQL.
    EXPECT_REPLY(get(&f, "/v1/views/t.w?k=1%20OR%201%3D1"), 400, "\"22P02\"");
    EXPECT_REPLY(get(&f, "/v1/views/t.w?k%22%3D1=1"), 400, "\"42703\"");
    EXPECT_REPLY(get(&f, "/v1/views/t.w?order=k;drop"), 400, "\"42703\"");
    EXPECT_REPLY(get(&f, "/v1/views/t.w?select=k,"), 200, "{\"k\":1}");
    EXPECT_REPLY(get(&f, "/v1/views/t.w?limit=-1"), 400, "limit must be");
    EXPECT_REPLY(get(&f, "/v1/views/t.w?format=xml"), 400, "json or csv");
    EXPECT_REPLY(get(&f, "/v1/views/t.s"), 404, "is a stream, not a materialized view");
    EXPECT_REPLY(get(&f, "/v1/views/%ff%00"), 404, "no view");
    EXPECT_REPLY(get(&f, "/v1/views/t.w/x"), 404, "nothing at this path");
    EXPECT_REPLY(ask(&f, "HEAD", "/v1/views/t.w", "", "", 0), 200, "Weir-Step");
    EXPECT_REPLY(post(&f, "/v1/views/t.w", "x"), 405, "Allow: GET, HEAD");
    fixture_close(&f);
}

// ---- changes ----

static int subscribe(fixture *f, const char *path, const char *headers) {
    base_buf out = {0};
    base_buf_printf(&out, "GET %s HTTP/1.1\r\nHost: x\r\n%s\r\n", path, headers);
    int fd = client_connect(server_http_port(f->server));
    EXPECT(client_send(fd, out.p, out.n));
    base_buf_deinit(&out);
    return fd;
}

static uint64_t last_id(const base_buf *text) {
    uint64_t id = 0;
    for (const char *p = text->p; (p = strstr(p, "\nid: ")) != NULL; p++)
        id = strtoull(p + 5, NULL, 10);
    return id;
}

TEST(a_row_tells_why) {
    fixture f;
    REQUIRE(fixture_open(&f, NULL));
    fixture_sql(&f, "CREATE STREAM sale (id INT NOT NULL, shop TEXT NOT NULL, n INT, PRIMARY KEY "
                    "(id)) WITH (partitions = 1); CREATE MATERIALIZED VIEW sold WITH (refresh = "
                    "'immediate') AS SELECT shop, sum(n) AS n FROM sale GROUP BY shop");
    EXPECT_REPLY(post(&f, "/v1/streams/sale", "[{\"id\":1,\"shop\":\"a&b\",\"n\":3}]"), 200,
                 "\"accepted\":1");
    fixture_sql(&f, "FLUSH");
    EXPECT_REPLY(get(&f, "/v1/views/sold/why?shop=a%26b"), 200,
                 "\"standing\":\"current\",\"revision\":1,\"cause\":null,\"old\":null,"
                 "\"new\":{\"n\": 3, \"shop\": \"a&b\"},\"events\":[{\"event\": {\"n\": 3, "
                 "\"id\": 1, \"shop\": \"a&b\"}, \"object\": \"public.sale\", \"offset\": 0, ");
    EXPECT_REPLY(get(&f, "/v1/views/sold/why?key=%22a%26b%22"), 200, "\"revision\":1");
    EXPECT_REPLY(get(&f, "/v1/views/sold/why?key={%22shop%22:%22x%22}"), 200, "\"changes\":[]}");
    EXPECT_REPLY(get(&f, "/v1/views/sold/why?shop=is.null"), 200, "\"changes\":[]}");
    EXPECT_REPLY(get(&f, "/v1/views/sold/why"), 400, "the key of a row");
    EXPECT_REPLY(get(&f, "/v1/views/sold/why?key={"), 400, "\"22P02\"");
    EXPECT_REPLY(get(&f, "/v1/views/sold/why?n=1"), 400, "\"22023\"");
    EXPECT_REPLY(get(&f, "/v1/views/sale/why?id=1"), 404, "is a stream");
    EXPECT_REPLY(get(&f, "/v1/views/nothing/why?id=1"), 404, "no view");
    fixture_close(&f);
}

TEST(changes_follow_a_snapshot_and_resume) {
    fixture f;
    REQUIRE(fixture_open(&f, NULL));
    EXPECT_REPLY(post(&f, "/v1/streams/t.s", EVENT(1, 1, 1.5)), 200, "\"accepted\":1");
    flush_views(&f);
    base_buf text = {0}, again = {0};
    int fd = subscribe(&f, "/v1/views/t.w/changes", "");
    EXPECT(client_wait_for(fd, &text, "\"more\":false"));
    EXPECT(strstr(text.p, "Content-Type: text/event-stream") != NULL);
    EXPECT(strstr(text.p, "event: snapshot\ndata: {\"view\":\"t.w\",\"rows\":[{\"k\":1,\"n\":1,"
                          "\"total\":1.50,\"_status\":") != NULL);
    EXPECT(client_wait_for(fd, &text, "\nid: "));
    uint64_t step = last_id(&text);
    EXPECT(step > 0);
    EXPECT_REPLY(post(&f, "/v1/streams/t.s", EVENT(2, 1, 1)), 200, "\"accepted\":1");
    EXPECT(client_wait_for(fd, &text,
                           "\"insert\":[{\"k\":1,\"n\":2,\"total\":2.50}],"
                           "\"delete\":[{\"k\":1,\"n\":1,\"total\":1.50}]}"));
    close(fd);
    // Back after a while: what was missed comes, without a snapshot.
    EXPECT_REPLY(post(&f, "/v1/streams/t.s", EVENT(3, 2, 4)), 200, "\"accepted\":1");
    flush_views(&f);
    char header[64];
    snprintf(header, sizeof header, "Last-Event-ID: %llu\r\n", (unsigned long long)step);
    fd = subscribe(&f, "/v1/views/t.w/changes?after=999999", header);
    EXPECT(
        client_wait_for(fd, &again, "\"insert\":[{\"k\":2,\"n\":1,\"total\":4.00}],\"delete\":[]"));
    EXPECT(strstr(again.p, "\"n\":2,\"total\":2.50") != NULL);
    EXPECT(strstr(again.p, "snapshot") == NULL);
    close(fd);
    // A step that is not reached (another data directory): reset, and a snapshot.
    base_buf_clear(&again);
    fd = subscribe(&f, "/v1/views/t.w/changes?after=999999", "");
    EXPECT(client_wait_for(fd, &again, "\"more\":false"));
    EXPECT(strstr(again.p, "event: reset\n") != NULL);
    close(fd);
    EXPECT_REPLY(get(&f, "/v1/views/t.w/changes?after=x"), 400, "\"22023\"");
    EXPECT_REPLY(get(&f, "/v1/views/t.s/changes"), 404, "not a materialized view");
    base_buf_deinit(&text);
    base_buf_deinit(&again);
    fixture_close(&f);
}

TEST(subscribers_that_hang_up_are_released) {
    fixture f;
    server_config config;
    server_config_init(&config);
    config.subscribers_max = 2;
    REQUIRE(fixture_open(&f, &config));
    int fds[2];
    base_buf text = {0};
    for (int i = 0; i < 2; i++) {
        base_buf_clear(&text);
        fds[i] = subscribe(&f, "/v1/views/t.w/changes", "");
        EXPECT(client_wait_for(fds[i], &text, "\"more\":false"));
    }
    EXPECT_REPLY(get(&f, "/v1/views/t.w/changes"), 429, "Retry-After");
    EXPECT_REPLY(get(&f, "/metrics"), 200, "\nweir_http_subscribers 2\n");
    close(fds[0]);
    bool released = false;
    for (int i = 0; i < 100 && !released; i++) { // looked at each second
        plat_sleep_us(50000);
        reply r = get(&f, "/metrics");
        released = has(&r, "\nweir_http_subscribers 1\n");
        reply_free(&r);
    }
    EXPECT(released);
    // The view goes: the subscriber is told, and the stream ends.
    base_buf_clear(&text);
    fixture_sql(&f, "DROP MATERIALIZED VIEW t.w");
    EXPECT_REPLY(post(&f, "/v1/streams/t.s", EVENT(1, 1, 1)), 200, "\"accepted\":1");
    fixture_sql(&f, "CREATE MATERIALIZED VIEW t.w WITH (refresh = 'immediate') AS "
                    "SELECT count(*) AS c FROM t.s");
    flush_views(&f);
    EXPECT(client_wait_for(fds[1], &text, "event: "));
    EXPECT(strstr(base_buf_cstr(&text), "event: error\n") != NULL ||
           strstr(base_buf_cstr(&text), "event: reset\n") != NULL);
    close(fds[1]);
    base_buf_deinit(&text);
    fixture_close(&f);
}

TEST(stopping_ends_subscribers) {
    fixture f;
    REQUIRE(fixture_open(&f, NULL));
    base_buf text = {0};
    int fd = subscribe(&f, "/v1/views/t.w/changes", "");
    EXPECT(client_wait_for(fd, &text, "\"more\":false"));
    fixture_close(&f);
    client_drain(fd, &text);
    close(fd);
    base_buf_deinit(&text);
}

TEST(a_large_snapshot_goes_to_a_slow_reader) {
    fixture f;
    REQUIRE(fixture_open(&f, NULL));
    base_buf body = {0}, text = {0};
    for (int i = 0; i < 60000; i++) base_buf_printf(&body, "{\"id\":%d,\"k\":%d,\"v\":1}\n", i, i);
    reply r = ask(&f, "POST", "/v1/streams/t.s", "", body.p, body.n);
    EXPECT_EQ_INT(r.status, 200);
    reply_free(&r);
    flush_views(&f);
    int fd = subscribe(&f, "/v1/views/t.w/changes", "");
    plat_sleep_us(300000);
    EXPECT(client_wait_for(fd, &text, "\"more\":false"));
    size_t rows = 0;
    const char *end = text.p + text.n;
    for (const char *p = text.p; (p = memmem(p, (size_t)(end - p), "\"_status\":", 10)) != NULL;
         p++)
        rows++;
    EXPECT(rows > 59000); // a chunk's border may cut a name in two
    EXPECT_REPLY(post(&f, "/v1/streams/t.s", EVENT(70000, 70000, 1)), 200, "\"accepted\":1");
    EXPECT(client_wait_for(fd, &text, "event: change"));
    close(fd);
    // The whole view as rows, made while it is sent.
    r = get(&f, "/v1/views/t.w?select=k&order=k.desc");
    EXPECT_EQ_INT(r.status, 200);
    EXPECT(r.n > 12 && strcmp(r.body + r.n - 12, ",\n{\"k\":0}]}\n") == 0);
    reply_free(&r);
    base_buf_deinit(&body);
    base_buf_deinit(&text);
    fixture_close(&f);
}

// ---- queries, files, garbage ----

TEST(queries_read_and_insert) {
    fixture f;
    REQUIRE(fixture_open(&f, NULL));
    EXPECT_REPLY(post(&f, "/v1/query", "{\"sql\":\"INSERT INTO t.s (id, k, v) VALUES (1, 1, 2)\"}"),
                 200, "\"tag\":\"INSERT 0 1\"");
    EXPECT_REPLY(post(&f, "/v1/query", "{\"sql\":\"FLUSH\"}"), 200, "\"tag\":\"FLUSH\"");
    EXPECT_REPLY(post(&f, "/v1/query", "{\"sql\":\"/* x */ SELECT k, 'a' AS b FROM t.w;\"}"), 200,
                 "{\"columns\":[{\"name\":\"k\",\"type\":\"integer\"},{\"name\":\"b\",\"type\":"
                 "\"text\"}],\"rows\":[\n[1,\"a\"]],\n\"row_count\":1,\"truncated\":false");
    EXPECT_REPLY(post(&f, "/v1/query", "{\"sql\":\"VALUES (1),(2),(3)\",\"limit\":2}"), 200,
                 "\"row_count\":2,\"truncated\":true");
    EXPECT_REPLY(post(&f, "/v1/query", "{\"sql\":\"SELECT nope\"}"), 400, "\"position\":8}");
    EXPECT_REPLY(post(&f, "/v1/query", "{\"sql\":\"DROP SCHEMA t\"}"), 400, "\"25006\"");
    EXPECT_REPLY(post(&f, "/v1/query", "{\"sql\":\"SELECT 1; DROP SCHEMA t\"}"), 400, "\"42601\"");
    EXPECT_REPLY(post(&f, "/v1/query", "{\"sql\":\"SELECT $1\"}"), 400, "\"error\"");
    EXPECT_REPLY(post(&f, "/v1/query", "{\"sql\":\"\"}"), 400, "one statement");
    EXPECT_REPLY(post(&f, "/v1/query", "SELECT 1"), 400, "\"hint\":\"The body is");
    EXPECT_REPLY(post(&f, "/v1/query", "{\"sql\":\"SELECT '\xff'\"}"), 400, "\"error\"");
    EXPECT_REPLY(post(&f, "/v1/query", ""), 400, "\"error\"");
    fixture_close(&f);
}

TEST(files_are_served_from_their_directory_only) {
    fixture f;
    char dir[] = "/tmp/weir-test-console-XXXXXX";
    REQUIRE(mkdtemp(dir) != NULL);
    base_error err = {0};
    base_buf path = {0};
    base_buf_printf(&path, "%s/sub", dir);
    EXPECT(plat_os()->ops->make_dir(plat_os(), base_buf_cstr(&path), &err) == BASE_OK);
    base_buf_add_cstr(&path, "/app.js");
    EXPECT(plat_replace_file(plat_os(), base_buf_cstr(&path), BASE_STR("let a"), &err) == BASE_OK);
    base_buf_clear(&path);
    base_buf_printf(&path, "%s/index.html", dir);
    EXPECT(plat_replace_file(plat_os(), base_buf_cstr(&path), BASE_STR("<p>hi"), &err) == BASE_OK);
    base_buf_clear(&path);
    base_buf_printf(&path, "%s/.hidden", dir);
    EXPECT(plat_replace_file(plat_os(), base_buf_cstr(&path), BASE_STR("no"), &err) == BASE_OK);
    base_buf_clear(&path);
    base_buf_printf(&path, "%s/sub", dir);
    const char *libs[] = {"/nonexistent", base_buf_cstr(&path)};
    server_config config;
    server_config_init(&config);
    config.console_dir = dir;
    config.lib_dirs = libs;
    config.nlib_dirs = 2;
    REQUIRE(fixture_open(&f, &config));
    EXPECT_REPLY(get(&f, "/"), 200, "<p>hi");
    EXPECT_REPLY(get(&f, "/console/"), 200, "Content-Type: text/html");
    EXPECT_REPLY(get(&f, "/console"), 301, "Location: /console/");
    EXPECT_REPLY(get(&f, "/console/sub/app.js"), 200, "Content-Type: text/javascript");
    EXPECT_REPLY(get(&f, "/lib/app.js"), 200, "let a");
    static const char *const bad[] = {
        "/console/../index.html",
        "/console/%2e%2e/%2e%2e/etc/passwd",
        "/console/sub/../index.html",
        "/console/.hidden",
        "/console//index.html",
        "/console/sub",
        "/console/sub/",
        "/console/..%2findex.html",
        "/console/%5c..%5cx",
        "/lib/../index.html",
        "/lib/",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        reply r = get(&f, bad[i]);
        if (r.status != 404) fprintf(stderr, "%s: %d\n", bad[i], r.status);
        EXPECT_EQ_INT(r.status, 404);
        reply_free(&r);
    }
    reply r = get(&f, "/");
    const char *etag = strstr(r.all.p, "ETag: ");
    REQUIRE(etag != NULL);
    char header[64];
    snprintf(header, sizeof header, "If-None-Match: %.18s\r\n", etag + 6);
    EXPECT_REPLY(ask(&f, "GET", "/", header, "", 0), 304, "ETag");
    reply_free(&r);
    fixture_close(&f);
    EXPECT(plat_remove_tree(plat_os(), dir, &err) == BASE_OK);
    base_buf_deinit(&path);
}

static void send_raw(fixture *f, const void *bytes, size_t n) {
    int fd = client_connect(server_http_port(f->server));
    client_send(fd, bytes, n);
    shutdown(fd, SHUT_WR);
    base_buf text = {0};
    client_drain(fd, &text);
    if (text.n > 0) EXPECT(strncmp(base_buf_cstr(&text), "HTTP/1.1 4", 10) == 0);
    base_buf_deinit(&text);
    close(fd);
}

static void send_text(fixture *f, const char *text) {
    send_raw(f, text, strlen(text));
}

TEST(garbage_harms_nobody) {
    fixture f;
    REQUIRE(fixture_open(&f, NULL));
    send_raw(&f, "\0\0\0\x08\x04\xd2\x16\x2f", 8); // a PostgreSQL client
    send_raw(&f, "\xff\xfe\xfd\r\n\r\n", 7);
    send_text(&f, "GARBAGE\r\n\r\n");
    send_text(&f, "POST /v1/query HTTP/1.1\r\nContent-Length: -5\r\n\r\n");
    send_text(&f,
              "POST /v1/query HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n");
    send_text(
        &f,
        "POST /v1/streams/t.s HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{\"id\""); // and
                                                                                           // gone
    base_buf head = {0};
    base_buf_add_cstr(&head, "GET /");
    for (int i = 0; i < 200000; i++) base_buf_add_byte(&head, 'a');
    base_buf_add_cstr(&head, " HTTP/1.1\r\nHost: x\r\n\r\n");
    int fd = client_connect(server_http_port(f.server));
    client_send(fd, head.p, head.n);
    close(fd);
    base_buf_deinit(&head);
    EXPECT_REPLY(get(&f, "/healthz"), 200, "ok\n");
    EXPECT_REPLY(get(&f, "/metrics"), 200, "# TYPE weir_http_requests_total counter");
    EXPECT_REPLY(get(&f, "/nothing"), 404, "{\"error\":{\"sqlstate\":");
    EXPECT_REPLY(ask(&f, "BREW", "/healthz", "", "", 0), 405, "BREW");
    fixture_close(&f);
}

TEST(a_port_in_use_is_said) {
    fixture f;
    REQUIRE(fixture_open(&f, NULL));
    server_config config;
    server_config_init(&config);
    config.pg_port = server_pg_port(f.server);
    config.http_port = 0;
    server *second = NULL;
    base_error err = {0};
    EXPECT(server_start(f.engine, &config, &second, &err) == BASE_E_IO);
    EXPECT(strstr(err.message, "address already in use") != NULL);
    config.pg_port = 0;
    config.http_port = server_http_port(f.server);
    EXPECT(server_start(f.engine, &config, &second, &err) == BASE_E_IO);
    EXPECT(strstr(err.hint, "--http-port") != NULL);
    config.http_port = 0;
    config.http_host = "no.such.host.invalid";
    EXPECT(server_start(f.engine, &config, &second, &err) == BASE_E_IO);
    fixture_close(&f);
}

TEST_MAIN(TEST_ENTRY(events_are_taken_in_three_forms), TEST_ENTRY(heartbeats_move_watermarks),
          TEST_ENTRY(bodies_are_unpacked_within_limits),
          TEST_ENTRY(views_are_filtered_sorted_and_cut), TEST_ENTRY(a_row_tells_why),
          TEST_ENTRY(changes_follow_a_snapshot_and_resume),
          TEST_ENTRY(subscribers_that_hang_up_are_released), TEST_ENTRY(stopping_ends_subscribers),
          TEST_ENTRY(a_large_snapshot_goes_to_a_slow_reader), TEST_ENTRY(queries_read_and_insert),
          TEST_ENTRY(files_are_served_from_their_directory_only), TEST_ENTRY(garbage_harms_nobody),
          TEST_ENTRY(a_port_in_use_is_said))
