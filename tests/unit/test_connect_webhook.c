// The connector 'webhook' against a small server on loopback that answers as each test says: with
// errors, late, not at all, with half an answer.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "connect/connect.h"
#include "engine_rig.h"
#include "plat/thread.h"

// ---- the receiver -------------------------------------------------------------------------------

typedef enum answer {
    ANSWER_OK,
    ANSWER_500,
    ANSWER_429, // with Retry-After: 1
    ANSWER_400,
    ANSWER_REDIRECT,
    ANSWER_HANG,    // reads the request and never answers
    ANSWER_CLOSE,   // reads half of the request and closes
    ANSWER_HALF,    // takes the request, sends half an answer and closes
    ANSWER_GARBAGE, // no HTTP
    ANSWER_LONG,    // 200 with a body of a megabyte
} answer;

#define REQUESTS_MAX 4096

typedef struct receiver {
    int listener;
    uint16_t port;
    plat_thread thread;
    plat_mutex lock;
    atomic_bool stop;
    answer script[64]; // for the first requests; then ANSWER_OK
    int nscript;
    answer always;
    int hanging[64];
    int nhanging;
    int n; // requests read
    base_buf text[REQUESTS_MAX];
    answer given[REQUESTS_MAX];
} receiver;

static bool read_request(receiver *r, int fd, base_buf *out) {
    char chunk[65536];
    size_t want = SIZE_MAX;
    while (out->n < want) {
        struct pollfd p = {fd, POLLIN, 0};
        if (poll(&p, 1, 50) <= 0) {
            if (r->stop) return false;
            continue;
        }
        ssize_t n = recv(fd, chunk, sizeof chunk, 0);
        if (n <= 0) return false;
        base_buf_add(out, chunk, (size_t)n);
        const char *head_end = strstr(base_buf_cstr(out), "\r\n\r\n");
        const char *length = strstr(out->p, "Content-Length: ");
        if (head_end != NULL && length != NULL)
            want = (size_t)(head_end - out->p) + 4 + (size_t)atol(length + 16);
    }
    return true;
}

static void reply(int fd, const char *text) {
    ssize_t sent = send(fd, text, strlen(text), MSG_NOSIGNAL);
    (void)sent;
}

static void serve(receiver *r, int fd) {
    base_buf request = {0};
    while (read_request(r, fd, &request)) {
        plat_mutex_lock(&r->lock);
        answer a = r->n < r->nscript ? r->script[r->n] : r->always;
        must(r->n < REQUESTS_MAX);
        r->given[r->n] = a;
        base_buf_add_str(&r->text[r->n++], base_buf_str(&request));
        plat_mutex_unlock(&r->lock);
        base_buf_clear(&request);
        base_buf body = {0};
        switch (a) {
        case ANSWER_OK:
            reply(fd, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
            break;
        case ANSWER_500:
            reply(fd, "HTTP/1.1 500 Oops\r\nContent-Length: 4\r\n\r\nbusy");
            break;
        case ANSWER_429:
            reply(fd, "HTTP/1.1 429 Slow\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n");
            break;
        case ANSWER_400:
            reply(fd, "HTTP/1.1 400 Bad\r\nContent-Length: 11\r\n\r\nno \"thanks\"");
            break;
        case ANSWER_REDIRECT:
            reply(fd,
                  "HTTP/1.1 302 Go\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n");
            break;
        case ANSWER_HALF:
            reply(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
            break;
        case ANSWER_GARBAGE:
            reply(fd, "\x01\x02\x03 what is this\r\n\r\n");
            break;
        case ANSWER_LONG:
            base_buf_add_cstr(&body, "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n");
            for (int i = 0; i < 1000000; i++) base_buf_add_byte(&body, '\x01');
            reply(fd, base_buf_cstr(&body));
            break;
        case ANSWER_HANG:
        case ANSWER_CLOSE:
            break;
        }
        base_buf_deinit(&body);
        if (a == ANSWER_HANG) { // kept open until the end, without holding up other connections
            must(r->nhanging < 64);
            r->hanging[r->nhanging++] = fd;
            base_buf_deinit(&request);
            return;
        }
        if (a == ANSWER_CLOSE || a == ANSWER_HALF || a == ANSWER_GARBAGE) break;
    }
    base_buf_deinit(&request);
    close(fd);
}

// One connection at a time is enough, but for those that hang: each gets its own thread.
typedef struct connection {
    receiver *r;
    int fd;
    plat_thread thread;
} connection;

static void *run_connection(void *arg) {
    connection *c = arg;
    serve(c->r, c->fd);
    return NULL;
}

static void *run_receiver(void *arg) {
    receiver *r = arg;
    static connection connections[1024];
    int n = 0;
    while (!r->stop) {
        struct pollfd p = {r->listener, POLLIN, 0};
        if (poll(&p, 1, 20) <= 0) continue;
        int fd = accept(r->listener, NULL, NULL);
        if (fd < 0) continue;
        must(n < 1024);
        connections[n] = (connection){.r = r, .fd = fd};
        plat_thread_start(&connections[n].thread, "test-hook", run_connection, &connections[n]);
        n++;
    }
    for (int i = 0; i < n; i++) plat_thread_join(connections[i].thread);
    return NULL;
}

static void receiver_start(receiver *r) {
    memset(r, 0, sizeof *r);
    plat_mutex_init(&r->lock);
    r->listener = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof at;
    must(bind(r->listener, (struct sockaddr *)&at, n) == 0);
    must(listen(r->listener, 64) == 0);
    must(getsockname(r->listener, (struct sockaddr *)&at, &n) == 0);
    r->port = ntohs(at.sin_port);
    plat_thread_start(&r->thread, "test-hooks", run_receiver, r);
}

static void receiver_stop(receiver *r) {
    r->stop = true;
    plat_thread_join(r->thread);
    for (int i = 0; i < r->nhanging; i++) close(r->hanging[i]);
    for (int i = 0; i < r->n; i++) base_buf_deinit(&r->text[i]);
    close(r->listener);
    plat_mutex_deinit(&r->lock);
}

static void script(receiver *r, int n, const answer *answers) {
    memcpy(r->script, answers, (size_t)n * sizeof *answers);
    r->nscript = n;
}

// Header value of request i.
static const char *header(receiver *r, int i, const char *name, char out[160]) {
    const char *at = strstr(base_buf_cstr(&r->text[i]), name);
    snprintf(out, 160, "%s", "");
    if (at != NULL) {
        at += strlen(name);
        snprintf(out, 160, "%.*s", (int)strcspn(at, "\r"), at);
    }
    return out;
}

static const char *body(receiver *r, int i) {
    const char *at = strstr(base_buf_cstr(&r->text[i]), "\r\n\r\n");
    return at == NULL ? "" : at + 4;
}

// ---- an engine with a sink ----------------------------------------------------------------------

typedef struct world {
    rig b;
    receiver r;
    connect_hub *hub;
    char dir[64];
} world;

static void make_sink(world *w, const char *name, const char *options) {
    char sql[512];
    snprintf(sql, sizeof sql,
             "CREATE SINK s.%s FROM s.v WITH (connector = 'webhook', url = "
             "'http://127.0.0.1:%u/hook', max_retry_interval = '300 milliseconds'%s)",
             name, w->r.port, options);
    EXPECT_EQ_STR(ask(&w->b, sql), "CREATE SINK");
}

static bool world_start(world *w, bool threads, const char *options) {
    setenv("no_proxy", "127.0.0.1", 1);
    receiver_start(&w->r);
    snprintf(w->dir, sizeof w->dir, "/tmp/weir_hook_XXXXXX");
    must(mkdtemp(w->dir) != NULL);
    if (!rig_start_in(&w->b, w->dir, threads)) return false;
    EXPECT_EQ_STR(ask(&w->b, "CREATE SCHEMA s"), "CREATE SCHEMA");
    EXPECT_EQ_STR(ask(&w->b, "CREATE TABLE s.t (k INT NOT NULL, v INT NOT NULL, PRIMARY KEY (k))"),
                  "CREATE TABLE");
    EXPECT_EQ_STR(ask(&w->b, "CREATE MATERIALIZED VIEW s.v WITH (refresh = 'immediate') AS SELECT "
                             "k, sum(v) AS total FROM s.t GROUP BY k"),
                  "CREATE MATERIALIZED VIEW");
    make_sink(w, "hook", options);
    base_error err = {0};
    base_rc rc =
        threads ? connect_start(w->b.e, &w->hub, &err) : connect_open(w->b.e, &w->hub, &err);
    if (rc == BASE_OK) return true;
    fprintf(stderr, "connect: %s\n", err.message);
    test_failures++;
    return false;
}

static void world_stop(world *w) {
    connect_stop(w->hub);
    rig_stop(&w->b);
    receiver_stop(&w->r);
    base_error err;
    EXPECT_EQ_INT(plat_remove_tree(plat_os(), w->dir, &err), BASE_OK);
}

static void put(world *w, int k, int v) {
    char json[64];
    snprintf(json, sizeof json, "{\"k\":%d,\"v\":%d}", k, v);
    EXPECT_EQ_INT(ingest(&w->b, "s.t", json).accepted, 1);
    flush(&w->b);
}

static void deliver(world *w) {
    base_error err = {0};
    if (connect_flush(w->hub, 20 * 1000000ll, &err) == BASE_OK) return;
    fprintf(stderr, "deliver: %s\n", err.message);
    test_failures++;
}

static int requests(world *w) {
    plat_mutex_lock(&w->r.lock);
    int n = w->r.n;
    plat_mutex_unlock(&w->r.lock);
    return n;
}

TEST(what_a_request_says) {
    world w;
    if (!world_start(&w, true,
                     ", headers = 'Authorization: Bearer xyz; X-Team: a', secret = 'key'"))
        return;
    char value[160];
    put(&w, 1, 5);
    deliver(&w);
    put(&w, 1, 7);
    deliver(&w);
    REQUIRE(requests(&w) == 2);
    receiver *r = &w.r;
    EXPECT(strncmp(r->text[0].p, "POST /hook HTTP/1.1\r\n", 21) == 0);
    EXPECT_EQ_STR(header(r, 0, "Content-Type: ", value), "application/json");
    EXPECT_EQ_STR(header(r, 0, "Authorization: ", value), "Bearer xyz");
    EXPECT_EQ_STR(header(r, 0, "X-Team: ", value), "a");
    const char *key = header(r, 0, "Idempotency-Key: ", value);
    EXPECT(strncmp(key, "s.hook.", 7) == 0 && strcmp(key + strlen(key) - 2, "-0") == 0);
    char member[256];
    snprintf(member, sizeof member, "\"seq\":0,\"idempotency_key\":\"%s\",\"at\":\"20", key);
    EXPECT(strstr(body(r, 0), member) != NULL);
    EXPECT(strncmp(body(r, 0), "{\"sink\":\"s.hook\",\"view\":\"s.v\",\"step\":", 37) == 0);
    EXPECT(strstr(body(r, 0), "\"watermark\":null,\"changes\":[{\"op\":\"insert\",\"row\":{\"k\":1,"
                              "\"total\":5}}]}") != NULL);
    EXPECT(strstr(body(r, 1), "\"changes\":[{\"op\":\"update\",\"before\":{\"k\":1,\"total\":5},"
                              "\"row\":{\"k\":1,\"total\":7}}]}") != NULL);
    EXPECT_EQ_INT(strlen(header(r, 0, "X-Weir-Signature: sha256=", value)), 64);
    EXPECT(strcmp(header(r, 0, "Idempotency-Key: ", value),
                  header(r, 1, "Idempotency-Key: ", member)) != 0);
    world_stop(&w);
}

// The signature is that of RFC 4231's test cases: key and text as there.
TEST(signatures) {
    world w;
    if (!world_start(&w, false, ", secret = 'Jefe'")) return;
    put(&w, 1, 1);
    deliver(&w);
    REQUIRE(requests(&w) == 1);
    // The receiver computes it anew with the library's own means.
    char sql[4096], value[160], ipad[130] = "", opad[130] = "";
    const char *key = "Jefe";
    for (int i = 0; i < 64; i++) {
        unsigned c = i < 4 ? (unsigned char)key[i] : 0;
        snprintf(ipad + 2 * i, 3, "%02x", c ^ 0x36);
        snprintf(opad + 2 * i, 3, "%02x", c ^ 0x5c);
    }
    base_buf hex = {0};
    for (const char *p = body(&w.r, 0); *p != '\0'; p++)
        base_buf_printf(&hex, "%02x", (unsigned char)*p);
    snprintf(sql, sizeof sql,
             "SELECT encode(sha256(decode('%s' || encode(sha256(decode('%s%s', 'hex')), 'hex'), "
             "'hex')), 'hex')",
             opad, ipad, base_buf_cstr(&hex));
    EXPECT_EQ_STR(ask(&w.b, sql), header(&w.r, 0, "X-Weir-Signature: sha256=", value));
    base_buf_deinit(&hex);
    world_stop(&w);
}

TEST(failures_are_tried_again_in_order) {
    world w;
    if (!world_start(&w, true, ", timeout = '400 milliseconds'")) return;
    const answer answers[] = {ANSWER_500,     ANSWER_HANG, ANSWER_CLOSE, ANSWER_HALF,
                              ANSWER_GARBAGE, ANSWER_OK,   ANSWER_500,   ANSWER_LONG};
    script(&w.r, 8, answers);
    put(&w, 1, 1);
    put(&w, 2, 2);
    put(&w, 3, 3);
    deliver(&w);
    REQUIRE(requests(&w) >= 9);
    char first[160], other[160];
    header(&w.r, 0, "Idempotency-Key: ", first);
    for (int i = 1; i <= 5; i++) { // one delivery, the same bytes each time
        EXPECT_EQ_STR(header(&w.r, i, "Idempotency-Key: ", other), first);
        EXPECT_EQ_STR(body(&w.r, i), body(&w.r, 0));
    }
    EXPECT_EQ_STR(header(&w.r, 6, "Idempotency-Key: ", first),
                  header(&w.r, 7, "Idempotency-Key: ", other));
    EXPECT(strstr(body(&w.r, 5), "\"k\":1") != NULL);
    EXPECT(strstr(body(&w.r, 7), "\"k\":2") != NULL);
    EXPECT(strstr(body(&w.r, 8), "\"k\":3") != NULL);
    EXPECT_EQ_STR(ask(&w.b, "SELECT delivered, failed, last_error FROM weir.sinks"), "3|6|null");
    world_stop(&w);
}

// A reconciliation of s.v, which is empty, with a book that has a row; and a sink in place of
// s.hook.
static bool make_pager(world *w) {
    char sql[512], path[128];
    snprintf(path, sizeof path, "%s/books.csv", w->dir);
    FILE *books = fopen(path, "w");
    if (books == NULL) return false;
    fputs("k,total\n1,5\n", books);
    fclose(books);
    snprintf(sql, sizeof sql,
             "CREATE RECONCILIATION s.books ON s.v AGAINST (connector = 'file', path = '%s') KEY "
             "(k) COMPARE (total)",
             path);
    EXPECT_EQ_STR(ask(&w->b, sql), "CREATE RECONCILIATION");
    EXPECT_EQ_STR(ask(&w->b, "DROP SINK s.hook"), "DROP SINK");
    snprintf(sql, sizeof sql,
             "CREATE SINK s.pager FROM RECONCILIATION s.books WITH (connector = 'webhook', url = "
             "'http://127.0.0.1:%u/hook', headers = 'Authorization: Bearer xyz', secret = 'key', "
             "max_retry_interval = '300 milliseconds')",
             w->r.port);
    EXPECT_EQ_STR(ask(&w->b, sql), "CREATE SINK");
    return true;
}

// Of a reconciliation a request a run that is not clean, and one when it is again.
TEST(alerts_of_a_reconciliation) {
    world w;
    if (!world_start(&w, true, "")) return;
    REQUIRE(make_pager(&w));
    char key[160], other[160], want[400];
    const answer answers[] = {ANSWER_500, ANSWER_HALF};
    script(&w.r, 2, answers);
    ask(&w.b, "RECONCILE s.books"); // run 1: missing
    put(&w, 1, 5);
    ask(&w.b, "RECONCILE s.books"); // run 2: recovered
    ask(&w.b, "RECONCILE s.books"); // run 3: nothing to tell
    deliver(&w);
    REQUIRE(requests(&w) == 4);
    header(&w.r, 0, "Idempotency-Key: ", key);
    EXPECT(strncmp(key, "s.pager.", 8) == 0 && strcmp(key + strlen(key) - 2, "-1") == 0);
    for (int i = 1; i <= 2; i++) {
        EXPECT_EQ_STR(header(&w.r, i, "Idempotency-Key: ", other), key);
        EXPECT_EQ_STR(body(&w.r, i), body(&w.r, 0));
    }
    snprintf(want, sizeof want,
             "{\"sink\":\"s.pager\",\"idempotency_key\":\"%s\",\"reconciliation\":\"s.books\","
             "\"run\":1,\"status\":\"alert\",\"at\":\"20",
             key);
    EXPECT(strncmp(body(&w.r, 0), want, strlen(want)) == 0);
    EXPECT(strstr(body(&w.r, 0), "\"findings\":[{\"kind\":\"missing\",\"key\":{\"k\":1},"
                                 "\"column_name\":\"total\",\"view_value\":null,") != NULL);
    EXPECT(strstr(body(&w.r, 3), "\"run\":2,\"status\":\"recovered\"") != NULL);
    EXPECT_EQ_STR(header(&w.r, 0, "Authorization: ", other), "Bearer xyz");
    EXPECT_EQ_INT(strlen(header(&w.r, 0, "X-Weir-Signature: sha256=", other)), 64);
    EXPECT_EQ_STR(ask(&w.b, "SELECT reconciliation, view, step, delivered, failed FROM weir.sinks"),
                  "s.books|null|3|2|2");
    world_stop(&w);
}

// Runs are kept for a sink whose receiver is away, more than are kept else, and told in order.
TEST(alerts_outlive_the_runs_that_are_kept) {
    world w;
    if (!world_start(&w, true, "")) return;
    REQUIRE(make_pager(&w));
    plat_mutex_lock(&w.r.lock);
    w.r.always = ANSWER_500;
    plat_mutex_unlock(&w.r.lock);
    for (int i = 0; i < 110; i++) ask(&w.b, "RECONCILE s.books");
    EXPECT_EQ_STR(ask(&w.b, "SELECT step, behind_steps, status FROM weir.sinks"), "0|110|extended");
    EXPECT_EQ_STR(ask(&w.b, "SELECT count(*), min(run) FROM weir.reconciliation_runs"), "110|1");
    plat_mutex_lock(&w.r.lock);
    w.r.always = ANSWER_OK;
    plat_mutex_unlock(&w.r.lock);
    deliver(&w);
    char member[64];
    int n = requests(&w), run = 1;
    for (int i = 0; i < n; i++) {
        if (w.r.given[i] != ANSWER_OK) continue;
        snprintf(member, sizeof member, "\"run\":%d,\"status\":\"alert\"", run++);
        EXPECT(strstr(body(&w.r, i), member) != NULL);
        EXPECT(run <= 11 || strstr(body(&w.r, i), "\"kind\":\"missing\"") != NULL);
    }
    EXPECT_EQ_INT(run, 111);
    EXPECT_EQ_STR(ask(&w.b, "SELECT step, behind_steps, status FROM weir.sinks"), "110|0|reserved");
    ask(&w.b, "RECONCILE s.books"); // and then they go
    EXPECT_EQ_STR(ask(&w.b, "SELECT count(*), max(run) FROM weir.reconciliation_runs"), "100|111");
    deliver(&w);
    world_stop(&w);
}

// What stands before '@', in the path and after '?' may be how a receiver knows us.
TEST(messages_keep_the_url_to_themselves) {
    world w;
    if (!world_start(&w, true, "")) return;
    char sql[400], want[100];
    snprintf(sql, sizeof sql,
             "CREATE SINK s.told FROM s.v WITH (connector = 'webhook', url = "
             "'http://ops:geheim@127.0.0.1:%u/T01/B02?token=xyz', max_attempts = 1)",
             w.r.port);
    EXPECT_EQ_STR(ask(&w.b, "DROP SINK s.hook"), "DROP SINK");
    EXPECT_EQ_STR(ask(&w.b, sql), "CREATE SINK");
    const answer answers[] = {ANSWER_400};
    script(&w.r, 1, answers);
    put(&w, 1, 1);
    deliver(&w);
    snprintf(want, sizeof want,
             "parked after 1 attempts: http://127.0.0.1:%u answered 400: ", w.r.port);
    EXPECT(strncmp(ask(&w.b, "SELECT last_error FROM weir.sinks"), want, strlen(want)) == 0);
    world_stop(&w);
}

TEST(refusals_are_parked) {
    world w;
    if (!world_start(&w, true, ", max_attempts = 3")) return;
    const answer answers[] = {ANSWER_400, ANSWER_REDIRECT, ANSWER_400};
    script(&w.r, 3, answers);
    put(&w, 1, 1);
    put(&w, 2, 2);
    deliver(&w);
    REQUIRE(requests(&w) == 4);
    EXPECT(strstr(body(&w.r, 3), "\"k\":2") != NULL);
    base_buf path = {0}, parked = {0};
    base_error err = {0};
    base_buf_printf(&path, "%s/sinks/s.hook.parked.ndjson", w.dir);
    REQUIRE_OK(plat_read_file(plat_os(), base_buf_cstr(&path), 1 << 20, &parked, &err));
    const char *line = base_buf_cstr(&parked);
    EXPECT(strncmp(line, "{\"parked_at\":\"20", 16) == 0);
    EXPECT(strstr(line, "\"status\":400,\"answer\":\"no \\\"thanks\\\"\",\"request\":{\"sink\":") !=
           NULL);
    EXPECT(strstr(line, body(&w.r, 0)) != NULL);
    EXPECT(strchr(line, '\n') == line + parked.n - 1);
    EXPECT_EQ_STR(ask(&w.b, "SELECT delivered, failed FROM weir.sinks"), "1|3");
    base_buf_deinit(&path);
    base_buf_deinit(&parked);
    world_stop(&w);
}

TEST(steps_are_cut_into_requests) {
    world w;
    if (!world_start(&w, false, ", batch_rows = 40")) return;
    const answer answers[] = {ANSWER_OK, ANSWER_500};
    script(&w.r, 2, answers);
    base_buf json = {0};
    for (int i = 0; i < 100; i++) base_buf_printf(&json, "{\"k\":%d,\"v\":1}\n", i);
    EXPECT_EQ_INT(ingest(&w.b, "s.t", base_buf_cstr(&json)).accepted, 100);
    flush(&w.b);
    deliver(&w);
    REQUIRE(requests(&w) == 4);
    char a[160], b[160];
    const char *keys[4];
    for (int i = 0; i < 4; i++) keys[i] = strdup(header(&w.r, i, "Idempotency-Key: ", a));
    EXPECT_EQ_STR(keys[1], keys[2]);
    EXPECT_EQ_STR(keys[0] + strlen(keys[0]) - 2, "-0");
    EXPECT_EQ_STR(keys[2] + strlen(keys[2]) - 2, "-1");
    EXPECT_EQ_STR(keys[3] + strlen(keys[3]) - 2, "-2");
    EXPECT(strstr(body(&w.r, 3), "\"seq\":2,") != NULL);
    int rows = 0;
    for (int i = 0; i < 4; i++)
        if (i != 1)
            for (const char *p = body(&w.r, i); (p = strstr(p, "\"op\":")) != NULL; p++) rows++;
    EXPECT_EQ_INT(rows, 100);
    (void)b;
    for (int i = 0; i < 4; i++) free((char *)(uintptr_t)keys[i]);
    base_buf_deinit(&json);
    world_stop(&w);
}

TEST(keys_outlive_a_restart) {
    world w;
    if (!world_start(&w, false, "")) return;
    w.r.always = ANSWER_500;
    put(&w, 1, 1);
    bool progressed;
    base_error err;
    EXPECT_EQ_INT(connect_pump(w.hub, &progressed, &err), BASE_OK);
    EXPECT(!progressed);
    REQUIRE(requests(&w) == 1);
    connect_stop(w.hub);
    if (!rig_reopen(&w.b)) return;
    w.r.always = ANSWER_OK;
    REQUIRE_OK(connect_open(w.b.e, &w.hub, &err));
    deliver(&w);
    REQUIRE(requests(&w) == 2);
    EXPECT_EQ_STR(body(&w.r, 0), body(&w.r, 1));
    // And what was acknowledged is not sent again.
    connect_stop(w.hub);
    if (!rig_reopen(&w.b)) return;
    REQUIRE_OK(connect_open(w.b.e, &w.hub, &err));
    deliver(&w);
    EXPECT_EQ_INT(requests(&w), 2);
    world_stop(&w);
}

static int64_t now_ms(void) {
    return (int64_t)(plat_monotonic_ns(plat_os()) / 1000000);
}

TEST(one_that_hangs_holds_up_no_other) {
    world w;
    if (!world_start(&w, true, ", timeout = '30 seconds'")) return;
    w.r.always = ANSWER_HANG; // the first sink's request hangs for the whole test
    put(&w, 1, 1);
    for (int i = 0; i < 500 && requests(&w) == 0; i++) plat_sleep_us(10000);
    REQUIRE(requests(&w) == 1);
    w.r.always = ANSWER_OK;
    make_sink(&w, "second", "");
    int64_t began = now_ms();
    put(&w, 2, 2);
    for (int i = 0; i < 500 && requests(&w) == 1; i++) plat_sleep_us(10000);
    EXPECT_EQ_INT(requests(&w), 2);
    EXPECT(strstr(body(&w.r, 1), "\"sink\":\"s.second\"") != NULL);
    EXPECT(now_ms() - began < 4000);
    began = now_ms(); // stopping does not wait for it either
    connect_stop(w.hub);
    w.hub = NULL;
    EXPECT(now_ms() - began < 2000);
    world_stop(&w);
}

TEST(retry_after_is_kept) {
    world w;
    if (!world_start(&w, true, "")) return;
    EXPECT_EQ_STR(ask(&w.b, "DROP SINK s.hook"), "DROP SINK");
    char sql[256];
    snprintf(sql, sizeof sql,
             "CREATE SINK s.hook FROM s.v WITH (connector = 'webhook', url = "
             "'http://127.0.0.1:%u/hook')",
             w.r.port);
    EXPECT_EQ_STR(ask(&w.b, sql), "CREATE SINK");
    const answer answers[] = {ANSWER_429};
    script(&w.r, 1, answers);
    int64_t began = now_ms();
    put(&w, 1, 1);
    deliver(&w);
    EXPECT_EQ_INT(requests(&w), 2);
    EXPECT(now_ms() - began >= 1000);
    world_stop(&w);
}

TEST(options_that_cannot_work) {
    world w;
    if (!world_start(&w, false, "")) return;
    EXPECT_EQ_STR(ask(&w.b, "CREATE SINK s.a FROM s.v WITH (connector = 'webhook', url = "
                            "'file:///etc/passwd')"),
                  "ERROR 22023: option \"url\" must begin with http:// or https://");
    EXPECT_EQ_STR(ask(&w.b, "CREATE SINK s.b FROM s.v WITH (connector = 'webhook', url = "
                            "'http://127.0.0.1:1/', headers = 'no header')"),
                  "CREATE SINK");
    EXPECT(
        strstr(ask(&w.b, "CREATE SINK s.c FROM s.v WITH (connector = 'webhook', url = 'http://x', "
                         "batch_rows = 0)"),
               "ERROR 22023") != NULL);
    EXPECT(
        strstr(ask(&w.b, "CREATE SINK s.c FROM s.v WITH (connector = 'webhook', url = 'http://x', "
                         "timeout = 'soon')"),
               "ERROR") != NULL);
    put(&w, 1, 1);
    deliver(&w); // the good one delivers
    EXPECT_EQ_INT(requests(&w), 1);
    EXPECT_EQ_STR(ask(&w.b, "SELECT name, delivered, last_error FROM weir.sinks ORDER BY name"),
                  "b|0|\"no header\" in option headers is no header of the form Name: value\n"
                  "hook|1|null");
    world_stop(&w);
}

TEST_MAIN(TEST_ENTRY(what_a_request_says), TEST_ENTRY(signatures),
          TEST_ENTRY(failures_are_tried_again_in_order), TEST_ENTRY(alerts_of_a_reconciliation),
          TEST_ENTRY(alerts_outlive_the_runs_that_are_kept),
          TEST_ENTRY(messages_keep_the_url_to_themselves), TEST_ENTRY(refusals_are_parked),
          TEST_ENTRY(steps_are_cut_into_requests), TEST_ENTRY(keys_outlive_a_restart),
          TEST_ENTRY(one_that_hangs_holds_up_no_other), TEST_ENTRY(retry_after_is_kept),
          TEST_ENTRY(options_that_cannot_work))
