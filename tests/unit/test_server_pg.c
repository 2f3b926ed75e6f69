// test_server_pg.c - the PostgreSQL listener from the outside, over plain sockets: both protocols,
// cancelling, limits, slow and rude clients.
#include "server_fixture.h"

typedef struct pg_client {
    int fd;
    base_buf in, out;
    size_t at; // consumed of in
    uint32_t pid, key;
    // The last message.
    char type;
    const char *body;
    size_t n;
} pg_client;

static void begin_message(base_buf *buf, char type) {
    base_buf_add_byte(buf, (uint8_t)type);
    base_buf_add_u32be(buf, 0);
}
static void end_message(pg_client *c, size_t from) {
    uint32_t n = (uint32_t)(c->out.n - from - 1);
    for (int i = 0; i < 4; i++) c->out.p[from + 1 + (size_t)i] = (char)(n >> (24 - 8 * i));
}
static void add_cstr(base_buf *buf, const char *text) {
    base_buf_add(buf, text, strlen(text) + 1);
}
static bool flush_out(pg_client *c) {
    bool sent = client_send(c->fd, c->out.p, c->out.n);
    base_buf_clear(&c->out);
    return sent;
}

static void send_query(pg_client *c, const char *sql) {
    size_t from = c->out.n;
    begin_message(&c->out, 'Q');
    add_cstr(&c->out, sql);
    end_message(c, from);
    flush_out(c);
}

static void send_parse(pg_client *c, const char *name, const char *sql, uint32_t oid) {
    size_t from = c->out.n;
    begin_message(&c->out, 'P');
    add_cstr(&c->out, name);
    add_cstr(&c->out, sql);
    base_buf_add_u16be(&c->out, oid != 0);
    if (oid != 0) base_buf_add_u32be(&c->out, oid);
    end_message(c, from);
}

// One text parameter, or none (value NULL); binary results if asked.
static void send_bind(pg_client *c, const char *portal, const char *name, const char *value,
                      bool binary) {
    size_t from = c->out.n;
    begin_message(&c->out, 'B');
    add_cstr(&c->out, portal);
    add_cstr(&c->out, name);
    base_buf_add_u16be(&c->out, 0);
    base_buf_add_u16be(&c->out, value != NULL);
    if (value != NULL) {
        base_buf_add_u32be(&c->out, (uint32_t)strlen(value));
        base_buf_add_cstr(&c->out, value);
    }
    base_buf_add_u16be(&c->out, 1);
    base_buf_add_u16be(&c->out, binary);
    end_message(c, from);
}

static void send_execute(pg_client *c, const char *portal, uint32_t max_rows) {
    size_t from = c->out.n;
    begin_message(&c->out, 'E');
    add_cstr(&c->out, portal);
    base_buf_add_u32be(&c->out, max_rows);
    end_message(c, from);
}

static void send_target(pg_client *c, char type, char kind, const char *name) {
    size_t from = c->out.n;
    begin_message(&c->out, type);
    base_buf_add_byte(&c->out, (uint8_t)kind);
    add_cstr(&c->out, name);
    end_message(c, from);
}

static void send_sync(pg_client *c) {
    size_t from = c->out.n;
    begin_message(&c->out, 'S');
    end_message(c, from);
    flush_out(c);
}

// The next message; 0: the connection has ended.
static char next(pg_client *c) {
    char part[65536];
    if (c->at > (1u << 20)) { // what was read is forgotten
        memmove(c->in.p, c->in.p + c->at, c->in.n - c->at);
        c->in.n -= c->at;
        c->at = 0;
    }
    for (;;) {
        size_t left = c->in.n - c->at;
        if (left >= 5) {
            const uint8_t *p = (const uint8_t *)c->in.p + c->at;
            size_t n = (size_t)p[1] << 24 | (size_t)p[2] << 16 | (size_t)p[3] << 8 | p[4];
            if (left >= n + 1) {
                c->type = (char)p[0];
                c->body = (const char *)p + 5;
                c->n = n - 4;
                c->at += n + 1;
                return c->type;
            }
        }
        ssize_t n = client_receive(c->fd, part, sizeof part, FIXTURE_WAIT_MS);
        if (n <= 0) {
            EXPECT(n == 0); // not a time-out
            c->type = 0;
            return 0;
        }
        base_buf_add(&c->in, part, (size_t)n);
    }
}

// A field of the last error or notice; "" if it is not there.
static const char *field(const pg_client *c, char code) {
    for (const char *p = c->body; p < c->body + c->n && *p != 0;) {
        if (*p == code) return p + 1;
        p += strlen(p) + 1;
    }
    return "";
}

// The types of the messages up to ReadyForQuery (or the end), without ParameterStatus, DataRows
// counted once in a row: "TDCZ". The state of ReadyForQuery is put behind it: "TDCZI".
static const char *answer(pg_client *c) {
    static char text[256];
    size_t n = 0;
    for (;;) {
        char type = next(c);
        if (type == 0) break;
        if (type == 'S' || (type == 'D' && n > 0 && text[n - 1] == 'D')) continue;
        if (type == 'd' && n > 0 && text[n - 1] == 'd') continue;
        if (n < sizeof text - 3) text[n++] = type;
        if (type == 'Z') {
            text[n++] = c->body[0];
            break;
        }
    }
    text[n] = 0;
    return text;
}

static void send_startup(pg_client *c) {
    base_buf_add_u32be(&c->out, 0);
    base_buf_add_u32be(&c->out, 196608);
    add_cstr(&c->out, "user");
    add_cstr(&c->out, "tester");
    add_cstr(&c->out, "database");
    add_cstr(&c->out, "weir");
    base_buf_add_byte(&c->out, 0);
    c->out.p[3] = (char)c->out.n;
    flush_out(c);
}

static bool pg_open(pg_client *c, fixture *f) {
    memset(c, 0, sizeof *c);
    c->fd = client_connect(server_pg_port(f->server));
    if (c->fd < 0) return false;
    send_startup(c);
    for (char type = next(c); type != 'Z'; type = next(c)) {
        if (type == 0 || type == 'E') return false;
        if (type != 'K') continue;
        const uint8_t *p = (const uint8_t *)c->body;
        c->pid = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
        c->key = (uint32_t)p[4] << 24 | (uint32_t)p[5] << 16 | (uint32_t)p[6] << 8 | p[7];
    }
    return true;
}

static void pg_close(pg_client *c) {
    if (c->fd >= 0) close(c->fd);
    base_buf_deinit(&c->in);
    base_buf_deinit(&c->out);
}

static void load(fixture *f, uint32_t rows, uint32_t note_bytes) {
    base_buf body = {0};
    for (uint32_t i = 0; i < rows; i++) {
        base_buf_printf(&body, "{\"id\":%u,\"k\":%u,\"v\":1.25,\"note\":\"", i, i % 3);
        for (uint32_t k = 0; k < note_bytes; k++) base_buf_add_byte(&body, (uint8_t)('a' + k % 26));
        base_buf_add_cstr(&body, "\"}\n");
    }
    base_buf_reserve(&body, 64);
    memset(body.p + body.n, 0, 64);
    base_arena arena;
    base_arena_init(&arena, 4096);
    engine_ingest_result result;
    base_error err = {0};
    EXPECT(engine_ingest(f->engine, BASE_STR("t.s"), base_buf_str(&body), "test", &arena, &result,
                         &err) == BASE_OK);
    EXPECT_EQ_INT(result.accepted, rows);
    EXPECT(engine_flush(f->engine, 10 * BASE_US_PER_SECOND, NULL, &err) == BASE_OK);
    base_arena_deinit(&arena);
    base_buf_deinit(&body);
}

TEST(encryption_is_declined_and_startup_answered) {
    fixture f;
    REQUIRE(fixture_open(&f, NULL));
    pg_client c = {0};
    c.fd = client_connect(server_pg_port(f.server));
    const uint8_t ssl[8] = {0, 0, 0, 8, 4, 210, 22, 47}, gss[8] = {0, 0, 0, 8, 4, 210, 22, 48};
    char byte = 0;
    client_send(c.fd, ssl, 8);
    EXPECT(client_receive(c.fd, &byte, 1, FIXTURE_WAIT_MS) == 1 && byte == 'N');
    client_send(c.fd, gss, 8);
    EXPECT(client_receive(c.fd, &byte, 1, FIXTURE_WAIT_MS) == 1 && byte == 'N');
    send_startup(&c);
    EXPECT_EQ_INT(next(&c), 'R');
    bool version = false, encoding = false;
    while (next(&c) == 'S') {
        version = version || strncmp(c.body,
                                     "server_version\0"
                                     "15.",
                                     18) == 0;
        encoding = encoding || memcmp(c.body, "client_encoding\0UTF8", 21) == 0;
    }
    EXPECT(version);
    EXPECT(encoding);
    EXPECT_EQ_INT(c.type, 'K');
    EXPECT_EQ_STR(answer(&c), "ZI");
    pg_close(&c);
    fixture_close(&f);
}

TEST(simple_queries_stop_at_the_first_error) {
    fixture f;
    REQUIRE(fixture_open(&f, NULL));
    pg_client c;
    REQUIRE(pg_open(&c, &f));
    send_query(&c, "SELECT 1; SELECT 2, 'x';;");
    EXPECT_EQ_STR(answer(&c), "TDCTDCZI");
    send_query(&c, "");
    EXPECT_EQ_STR(answer(&c), "IZI");
    send_query(&c, " ; -- nothing\n");
    EXPECT_EQ_STR(answer(&c), "IZI");
    // Positions count characters over the whole text: the first statement has a two-byte one.
    send_query(&c, "SELECT '\xc3\xa4'; SELECT nope; SELECT 3");
    EXPECT_EQ_INT(next(&c), 'T');
    EXPECT_EQ_INT(next(&c), 'D');
    EXPECT_EQ_INT(next(&c), 'C');
    EXPECT_EQ_INT(next(&c), 'E');
    EXPECT_EQ_STR(field(&c, 'C'), "42703");
    EXPECT_EQ_STR(field(&c, 'P'), "20");
    EXPECT_EQ_STR(answer(&c), "ZI");
    send_query(&c, "SELECT '\xff'");
    EXPECT_EQ_INT(next(&c), 'E');
    EXPECT_EQ_STR(field(&c, 'C'), "22021");
    EXPECT_EQ_STR(answer(&c), "ZI");
    send_query(&c, "SELECT $1");
    EXPECT_EQ_STR(answer(&c), "EZI");
    send_query(&c, "SELEC 1");
    EXPECT_EQ_INT(next(&c), 'E');
    EXPECT_EQ_STR(field(&c, 'C'), "42601");
    EXPECT_EQ_STR(answer(&c), "ZI");
    pg_close(&c);
    fixture_close(&f);
}

TEST(a_broken_transaction_takes_only_its_end) {
    fixture f;
    REQUIRE(fixture_open(&f, NULL));
    pg_client c;
    REQUIRE(pg_open(&c, &f));
    send_query(&c, "BEGIN");
    EXPECT_EQ_STR(answer(&c), "CZT");
    send_query(&c, "BEGIN");
    EXPECT_EQ_STR(answer(&c), "NCZT");
    send_query(&c, "SELECT nope");
    EXPECT_EQ_STR(answer(&c), "EZE");
    send_query(&c, "/* a /* b */ */ SELECT 1");
    EXPECT_EQ_INT(next(&c), 'E');
    EXPECT_EQ_STR(field(&c, 'C'), "25P02");
    EXPECT_EQ_STR(answer(&c), "ZE");
    send_parse(&c, "", "SELECT 1", 0);
    send_sync(&c);
    EXPECT_EQ_STR(answer(&c), "EZE");
    send_query(&c, "COMMIT");
    EXPECT_EQ_INT(next(&c), 'C');
    EXPECT_EQ_STR(c.body, "ROLLBACK");
    EXPECT_EQ_STR(answer(&c), "ZI");
    send_query(&c, "COMMIT");
    EXPECT_EQ_INT(next(&c), 'N');
    EXPECT_EQ_STR(field(&c, 'C'), "25P01");
    EXPECT_EQ_STR(answer(&c), "CZI");
    pg_close(&c);
    fixture_close(&f);
}

TEST(extended_protocol) {
    fixture f;
    REQUIRE(fixture_open(&f, NULL));
    pg_client c;
    REQUIRE(pg_open(&c, &f));
    send_parse(&c, "add", "SELECT $1::int + 1 AS x", 0);
    send_target(&c, 'D', 'S', "add");
    send_bind(&c, "", "add", "41", true);
    send_target(&c, 'D', 'P', "");
    send_execute(&c, "", 0);
    send_sync(&c);
    EXPECT_EQ_INT(next(&c), '1');
    EXPECT_EQ_INT(next(&c), 't');
    EXPECT(c.n == 6 && memcmp(c.body, "\0\1\0\0\0\27", 6) == 0); // one int4
    EXPECT_EQ_INT(next(&c), 'T');
    EXPECT_EQ_INT(next(&c), '2');
    EXPECT_EQ_INT(next(&c), 'T');
    EXPECT_EQ_INT(next(&c), 'D');
    EXPECT(c.n == 10 && memcmp(c.body, "\0\1\0\0\0\4\0\0\0\52", 10) == 0);
    EXPECT_EQ_STR(answer(&c), "CZI");
    // A value that does not fit its type; what follows is skipped up to Sync.
    send_bind(&c, "", "add", "x", false);
    send_execute(&c, "", 0);
    send_sync(&c);
    EXPECT_EQ_INT(next(&c), 'E');
    EXPECT_EQ_STR(field(&c, 'C'), "22P02");
    EXPECT_EQ_STR(answer(&c), "ZI");
    // Too few parameters; a statement, a portal that are not there; a name twice.
    send_bind(&c, "", "add", NULL, false);
    send_sync(&c);
    EXPECT_EQ_INT(next(&c), 'E');
    EXPECT_EQ_STR(field(&c, 'C'), "08P01");
    EXPECT_EQ_STR(answer(&c), "ZI");
    send_bind(&c, "", "nope", NULL, false);
    send_sync(&c);
    EXPECT_EQ_INT(next(&c), 'E');
    EXPECT_EQ_STR(field(&c, 'C'), "26000");
    EXPECT_EQ_STR(answer(&c), "ZI");
    send_execute(&c, "gone", 0);
    send_sync(&c);
    EXPECT_EQ_INT(next(&c), 'E');
    EXPECT_EQ_STR(field(&c, 'C'), "34000");
    EXPECT_EQ_STR(answer(&c), "ZI");
    send_parse(&c, "add", "SELECT 1", 0);
    send_sync(&c);
    EXPECT_EQ_INT(next(&c), 'E');
    EXPECT_EQ_STR(field(&c, 'C'), "42P05");
    EXPECT_EQ_STR(answer(&c), "ZI");
    send_parse(&c, "", "SELECT 1; SELECT 2", 0);
    send_sync(&c);
    EXPECT_EQ_STR(answer(&c), "EZI");
    send_parse(&c, "", "", 0);
    send_bind(&c, "", "", NULL, false);
    send_target(&c, 'D', 'P', "");
    send_execute(&c, "", 0);
    send_sync(&c);
    EXPECT_EQ_STR(answer(&c), "12nIZI");
    send_target(&c, 'C', 'S', "add");
    send_target(&c, 'C', 'S', "never was");
    send_bind(&c, "", "add", "1", false);
    send_sync(&c);
    EXPECT_EQ_STR(answer(&c), "33EZI");
    // DDL makes the statement bind again.
    send_parse(&c, "again", "SELECT count(*) FROM t.s", 0);
    send_sync(&c);
    EXPECT_EQ_STR(answer(&c), "1ZI");
    fixture_sql(&f, "CREATE STREAM t.other (a INT)");
    send_bind(&c, "", "again", NULL, false);
    send_execute(&c, "", 0);
    send_sync(&c);
    EXPECT_EQ_STR(answer(&c), "2DCZI");
    send_query(&c, "DEALLOCATE again");
    EXPECT_EQ_STR(answer(&c), "CZI");
    send_bind(&c, "", "again", NULL, false);
    send_sync(&c);
    EXPECT_EQ_STR(answer(&c), "EZI");
    pg_close(&c);
    fixture_close(&f);
}

TEST(portals_are_suspended_and_go_on) {
    fixture f;
    REQUIRE(fixture_open(&f, NULL));
    load(&f, 5, 1);
    pg_client c;
    REQUIRE(pg_open(&c, &f));
    send_query(&c, "BEGIN");
    EXPECT_EQ_STR(answer(&c), "CZT");
    send_parse(&c, "", "SELECT id FROM t.s ORDER BY id", 0);
    send_bind(&c, "p", "", NULL, false);
    send_execute(&c, "p", 2);
    send_execute(&c, "p", 2);
    send_sync(&c);
    EXPECT_EQ_STR(answer(&c), "12DsDsZT");
    send_execute(&c, "p", 0);
    send_execute(&c, "p", 0);
    send_sync(&c);
    EXPECT_EQ_INT(next(&c), 'D');
    EXPECT(c.n == 7 && c.body[6] == '4');
    EXPECT_EQ_INT(next(&c), 'C');
    EXPECT_EQ_STR(c.body, "SELECT 1");
    EXPECT_EQ_INT(next(&c), 'C');
    EXPECT_EQ_STR(c.body, "SELECT 0");
    EXPECT_EQ_STR(answer(&c), "ZT");
    send_query(&c, "COMMIT");
    EXPECT_EQ_STR(answer(&c), "CZI");
    // Outside a transaction a portal ends at Sync.
    send_bind(&c, "q", "", NULL, false);
    send_sync(&c);
    EXPECT_EQ_STR(answer(&c), "EZI"); // the simple query has ended the unnamed statement
    send_parse(&c, "s", "SELECT 1", 0);
    send_bind(&c, "q", "s", NULL, false);
    send_sync(&c);
    EXPECT_EQ_STR(answer(&c), "12ZI");
    send_execute(&c, "q", 0);
    send_sync(&c);
    EXPECT_EQ_STR(answer(&c), "EZI");
    pg_close(&c);
    fixture_close(&f);
}

TEST(copy_out_and_freshness) {
    fixture f;
    REQUIRE(fixture_open(&f, NULL));
    load(&f, 4, 2);
    pg_client c;
    REQUIRE(pg_open(&c, &f));
    send_query(&c, "COPY (SELECT k, n, NULL AS x, E'a\\tb' AS y FROM t.w ORDER BY k) TO STDOUT");
    bool fresh = false;
    while (next(&c) == 'S') fresh = fresh || strncmp(c.body, "weir.freshness", 15) == 0;
    EXPECT(fresh);
    EXPECT_EQ_INT(c.type, 'H');
    EXPECT_EQ_INT(next(&c), 'd');
    EXPECT(c.n == 12 && memcmp(c.body, "0\t2\t\\N\ta\\tb\n", 12) == 0);
    EXPECT_EQ_STR(answer(&c), "dcCZI");
    send_query(&c, "COPY (SELECT k, 'a,\"b' AS y, NULL AS z FROM t.w ORDER BY k) TO STDOUT "
                   "WITH (FORMAT csv, HEADER)");
    do next(&c);
    while (c.type == 'S' || c.type == 'H');
    EXPECT(c.type == 'd' && c.n == 6 && memcmp(c.body, "k,y,z\n", 6) == 0);
    EXPECT_EQ_INT(next(&c), 'd');
    EXPECT(c.n == 11 && memcmp(c.body, "0,\"a,\"\"b\",\n", 11) == 0);
    EXPECT_EQ_STR(answer(&c), "dcCZI");
    pg_close(&c);
    fixture_close(&f);
}

static void send_cancel(fixture *f, uint32_t pid, uint32_t key) {
    base_buf out = {0};
    base_buf_add_u32be(&out, 16);
    base_buf_add_u32be(&out, 80877102);
    base_buf_add_u32be(&out, pid);
    base_buf_add_u32be(&out, key);
    int fd = client_connect(server_pg_port(f->server));
    EXPECT(client_send(fd, out.p, out.n));
    char byte;
    EXPECT(client_receive(fd, &byte, 1, FIXTURE_WAIT_MS) == 0); // closed without a word
    close(fd);
    base_buf_deinit(&out);
}

TEST(slow_readers_get_all_and_can_be_cancelled) {
    fixture f;
    REQUIRE(fixture_open(&f, NULL));
    load(&f, 50000, 400);
    pg_client c, other;
    REQUIRE(pg_open(&c, &f));
    REQUIRE(pg_open(&other, &f));
    send_query(&c, "SELECT id, note FROM t.s");
    plat_sleep_us(300000); // the socket is full, the rest waits
    send_query(&other, "SELECT 1");
    EXPECT_EQ_STR(answer(&other), "TDCZI");
    uint32_t rows = 0;
    while (next(&c) != 'Z' && c.type != 0 && c.type != 'E') rows += c.type == 'D';
    EXPECT_EQ_INT(rows, 50000);
    // A wrong key does nothing, the right one stops it.
    send_query(&c, "SELECT id, note FROM t.s");
    EXPECT_EQ_INT(next(&c), 'T');
    send_cancel(&f, c.pid, c.key + 1);
    send_cancel(&f, c.pid, c.key);
    rows = 0;
    while (next(&c) != 'E' && c.type != 0 && c.type != 'Z') rows += c.type == 'D';
    EXPECT_EQ_INT(c.type, 'E');
    EXPECT_EQ_STR(field(&c, 'C'), "57014");
    EXPECT(rows < 50000);
    EXPECT_EQ_STR(answer(&c), "ZI");
    send_query(&c, "SELECT 1");
    EXPECT_EQ_STR(answer(&c), "TDCZI");
    // One that hangs up in the middle is cleaned up, and the server goes on.
    send_query(&c, "SELECT id, note FROM t.s");
    EXPECT_EQ_INT(next(&c), 'T');
    pg_close(&c);
    send_query(&other, "SELECT 2");
    EXPECT_EQ_STR(answer(&other), "TDCZI");
    pg_close(&other);
    fixture_close(&f);
}

static void expect_refused(fixture *f, const void *bytes, size_t n, const char *sqlstate) {
    pg_client c = {0};
    c.fd = client_connect(server_pg_port(f->server));
    EXPECT(client_send(c.fd, bytes, n));
    EXPECT_EQ_INT(next(&c), 'E');
    if (c.type == 'E') EXPECT_EQ_STR(field(&c, 'C'), sqlstate);
    if (c.type == 'E') EXPECT_EQ_STR(field(&c, 'S'), "FATAL");
    EXPECT_EQ_INT(next(&c), 0);
    pg_close(&c);
}

TEST(garbage_is_refused_with_a_reason) {
    fixture f;
    server_config config;
    server_config_init(&config);
    config.startup_timeout_us = 300000;
    REQUIRE(fixture_open(&f, &config));
    expect_refused(&f, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27, "08P01");
    expect_refused(&f, "\xff\xfe\xfd\xfc\xfb\xfa\xf9\xf8", 8, "08P01");
    expect_refused(&f, "\0\0\0\0\0\0\0\0", 8, "08P01");
    expect_refused(&f, "\0\0\0\x09\0\3\0\0\0", 9, "28000");    // no user
    expect_refused(&f, "\0\0\0\x0c\0\3\0\0user", 12, "08P01"); // not ended
    expect_refused(&f, "\0\0\0\x08\0\2\0\0", 8, "08P01");      // protocol 2
    expect_refused(&f, "\0\0\0\x50\0\3\0\0", 8, "08P01");      // never goes on: time is up
    pg_client c;
    REQUIRE(pg_open(&c, &f));
    client_send(c.fd, "\x01\x02\x03garbage", 10);
    EXPECT_EQ_INT(next(&c), 'E');
    EXPECT_EQ_STR(field(&c, 'C'), "08P01");
    EXPECT_EQ_INT(next(&c), 0);
    pg_close(&c);
    REQUIRE(pg_open(&c, &f)); // a message that is longer than the limit
    client_send(c.fd, "Q\x06\x40\x00\x00SELECT", 11);
    EXPECT_EQ_INT(next(&c), 'E');
    EXPECT_EQ_STR(field(&c, 'C'), "54000");
    EXPECT_EQ_INT(next(&c), 0);
    pg_close(&c);
    REQUIRE(pg_open(&c, &f)); // a message that lies about its inside
    client_send(c.fd, "B\0\0\0\x0a\0\0\x7f\xff\x7f\xff", 11);
    EXPECT_EQ_STR(answer(&c), "E");
    pg_close(&c);
    REQUIRE(pg_open(&c, &f)); // half a message, and gone
    client_send(c.fd, "Q\0\0\0\x20SELE", 9);
    pg_close(&c);
    REQUIRE(pg_open(&c, &f)); // the fast-path call
    client_send(c.fd, "F\0\0\0\x04", 5);
    EXPECT_EQ_STR(answer(&c), "EZI");
    pg_close(&c);
    fixture_close(&f);
}

TEST(a_long_statement_is_read) {
    fixture f;
    REQUIRE(fixture_open(&f, NULL));
    pg_client c;
    REQUIRE(pg_open(&c, &f));
    base_buf sql = {0};
    base_buf_add_cstr(&sql, "SELECT length('");
    for (int i = 0; i < 3000000; i++) base_buf_add_byte(&sql, 'x');
    base_buf_add_cstr(&sql, "')");
    send_query(&c, base_buf_cstr(&sql));
    EXPECT_EQ_INT(next(&c), 'T');
    EXPECT_EQ_INT(next(&c), 'D');
    EXPECT(c.n == 13 && memcmp(c.body + 6, "3000000", 7) == 0);
    EXPECT_EQ_STR(answer(&c), "CZI");
    base_buf_deinit(&sql);
    pg_close(&c);
    fixture_close(&f);
}

TEST(connections_have_a_limit) {
    fixture f;
    server_config config;
    server_config_init(&config);
    config.pg_connections_max = 2;
    REQUIRE(fixture_open(&f, &config));
    pg_client a, b, c;
    REQUIRE(pg_open(&a, &f));
    REQUIRE(pg_open(&b, &f));
    EXPECT(!pg_open(&c, &f));
    EXPECT_EQ_STR(field(&c, 'C'), "53300");
    pg_close(&c);
    pg_close(&a);
    bool again = false;
    for (int i = 0; i < 100 && !again; i++) { // the end of one is noticed soon
        plat_sleep_us(20000);
        again = pg_open(&c, &f);
        if (!again) pg_close(&c);
    }
    EXPECT(again);
    pg_close(&b);
    if (again) pg_close(&c);
    fixture_close(&f);
}

TEST(stopping_ends_idle_and_busy_connections) {
    fixture f;
    REQUIRE(fixture_open(&f, NULL));
    load(&f, 50000, 400);
    pg_client idle, busy;
    REQUIRE(pg_open(&idle, &f));
    REQUIRE(pg_open(&busy, &f));
    send_query(&busy, "SELECT id, note FROM t.s");
    EXPECT_EQ_INT(next(&busy), 'T');
    fixture_close(&f);
    EXPECT_EQ_INT(next(&idle), 'E');
    EXPECT_EQ_STR(field(&idle, 'C'), "57P01");
    EXPECT_EQ_INT(next(&idle), 0);
    pg_close(&idle);
    pg_close(&busy);
}

TEST_MAIN(TEST_ENTRY(encryption_is_declined_and_startup_answered),
          TEST_ENTRY(simple_queries_stop_at_the_first_error),
          TEST_ENTRY(a_broken_transaction_takes_only_its_end), TEST_ENTRY(extended_protocol),
          TEST_ENTRY(portals_are_suspended_and_go_on), TEST_ENTRY(copy_out_and_freshness),
          TEST_ENTRY(slow_readers_get_all_and_can_be_cancelled),
          TEST_ENTRY(garbage_is_refused_with_a_reason), TEST_ENTRY(a_long_statement_is_read),
          TEST_ENTRY(connections_have_a_limit), TEST_ENTRY(stopping_ends_idle_and_busy_connections))
