// test_cli_run.c - `weir run`, `weir check` and `weir log` as a user calls them: files in, files
// out, exit codes. The commands run in this process.
#include "test.h"

#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

#include "cli/cli.h"

static char dir[64];
static base_error err;

static const char *sql_text =
    "CREATE SCHEMA s;\n"
    "CREATE STREAM s.line (id BIGINT NOT NULL, item TEXT, net NUMERIC(10,2), ok BOOLEAN,\n"
    "  at TIMESTAMPTZ, PRIMARY KEY (id), WATERMARK FOR at AS at - INTERVAL '1 minute');\n"
    "CREATE MATERIALIZED VIEW s.by_item AS SELECT item, count(*) AS n, sum(net) AS total\n"
    "  FROM s.line GROUP BY item;\n"
    "CREATE MATERIALIZED VIEW s.by_hour AS SELECT window_start, count(*) AS n\n"
    "  FROM TUMBLE(s.line, at, INTERVAL '1 hour') GROUP BY window_start;\n";

static const char *path(const char *name) {
    static char paths[8][160];
    static unsigned at;
    char *p = paths[at++ % 8];
    snprintf(p, sizeof paths[0], "%s/%s", dir, name);
    return p;
}

static void write_file(const char *name, const char *text, size_t n) {
    FILE *file = fopen(path(name), "wb");
    EXPECT(file != NULL && fwrite(text, 1, n, file) == n && fclose(file) == 0);
}

static const char *read_text(const char *name) {
    static base_buf buf;
    base_buf_clear(&buf);
    if (plat_read_file(plat_os(), path(name), 1 << 20, &buf, &err) != BASE_OK) return "";
    return base_buf_cstr(&buf);
}

static void begin(void) {
    strcpy(dir, "/tmp/weir-test-cli-XXXXXX");
    EXPECT(mkdtemp(dir) != NULL);
    write_file("s.sql", sql_text, strlen(sql_text));
}

static void end(void) {
    EXPECT(plat_remove_tree(plat_os(), dir, &err) == BASE_OK);
}

// Runs a command; standard output and error go to files.
static int command(int argc, const char *const *argv) {
    fflush(stdout);
    fflush(stderr);
    int saved_out = dup(1), saved_err = dup(2);
    EXPECT(freopen(path("stdout"), "wb", stdout) != NULL);
    EXPECT(freopen(path("stderr"), "wb", stderr) != NULL);
    int code = cli_main(argc, (char **)(uintptr_t)argv);
    fflush(stdout);
    fflush(stderr);
    dup2(saved_out, 1);
    dup2(saved_err, 2);
    close(saved_out);
    close(saved_err);
    return code;
}
#define COMMAND(...)                                                                               \
    command((int)(sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)),                    \
            (const char *const[]){__VA_ARGS__})

static const char *named(const char *prefix, const char *file) {
    static char texts[8][200];
    static unsigned at;
    char *p = texts[at++ % 8];
    snprintf(p, sizeof texts[0], "%s=%s", prefix, path(file));
    return p;
}

TEST(csv_in_csv_out) {
    begin();
    static const char csv[] = "\xef\xbb\xbfID,Item,extra,Net,ok,at\r\n"
                              "1,apple,x,1.50,yes,2024-01-01 10:00:00Z\r\n"
                              "2,\"pear, \"\"big\"\"\",x,007.25,0,2024-01-01 10:30:00Z\r\n"
                              "\r\n"
                              "3,,x,,,2024-01-01 12:00:00Z\r\n"
                              "4,\"\",x,+2,t,\r\n"
                              "1,apple,x,1.50,yes,2024-01-01 10:00:00Z\r\n"
                              "5,apple,x\r\n"
                              "6,\"a\"b,x,1,t,\r\n"
                              "x,apple,x,1,t,\r\n"
                              "7,\"two\r\nlines\",x,1,t,\r\n"
                              "8,apple,x,1,perhaps,";
    write_file("in.csv", csv, sizeof csv - 1);
    EXPECT_EQ_INT(COMMAND("weir", "run", path("s.sql"), "--input", named("s.line", "in.csv"),
                          "--until-end", "--output", named("s.by_item", "item.csv"), "--output",
                          named("s.by_hour", "hour.ndjson"), "--null", "NIL"),
                  0);
    EXPECT_EQ_STR(read_text("item.csv"), "item,n,total\n"
                                         "\"\",1,2.00\n"
                                         "apple,1,1.50\n"
                                         "\"pear, \"\"big\"\"\",1,7.25\n"
                                         "\"two\r\nlines\",1,1.00\n"
                                         "NIL,1,NIL\n");
    EXPECT(strstr(read_text("hour.ndjson"),
                  "{\"window_start\":\"2024-01-01T10:00:00Z\",\"n\":2}\n") != NULL);
    const char *said = read_text("stderr");
    EXPECT(strstr(said, "10 records from") != NULL);
    EXPECT(strstr(said, "6 accepted, 4 quarantined") != NULL);
    EXPECT(strstr(said, "line 8: 3 fields, and the header has 6 (22P04)") != NULL);
    EXPECT(strstr(said, "line 9: after a closing quote") != NULL);
    EXPECT(strstr(said, "line 10: field \"id\"") != NULL);
    EXPECT(strstr(said, "line 13: field \"ok\"") != NULL);
    EXPECT(strstr(said, "1 duplicates") != NULL);
    EXPECT(strstr(said, "left out: extra") != NULL);
    EXPECT_EQ_INT(COMMAND("weir", "run", path("s.sql"), "--input", named("s.line", "in.csv"),
                          "--strict", "--quiet"),
                  1);
    end();
}

// The same events give the same views however they are stored; a cut archive is an error.
TEST(ndjson_array_gzip) {
    begin();
    base_buf lines = {0}, array = {0};
    for (int i = 0; i < 1000; i++) {
        char one[128];
        snprintf(one, sizeof one, "{\"id\":%d,\"item\":\"i%d\",\"net\":\"%d.25\"}", i, i % 3, i);
        base_buf_printf(&lines, "%s\n", one);
        base_buf_printf(&array, "%s%s", i == 0 ? "[" : ",\n", one);
    }
    base_buf_add_cstr(&array, "]");
    write_file("a.ndjson", lines.p, lines.n);
    write_file("a.json", array.p, array.n);
    gzFile gz = gzopen(path("a.ndjson.gz"), "wb");
    EXPECT(gzwrite(gz, lines.p, (unsigned)lines.n) == (int)lines.n);
    gzclose(gz);
    static const char *const files[] = {"a.ndjson", "a.json", "a.ndjson.gz"};
    for (int i = 0; i < 3; i++) {
        EXPECT_EQ_INT(COMMAND("weir", "run", path("s.sql"), "--input", named("s.line", files[i]),
                              "--output", named("s.by_item", "out.csv")),
                      0);
        EXPECT_EQ_STR(read_text("out.csv"), "item,n,total\n"
                                            "i0,334,166916.50\n"
                                            "i1,333,166250.25\n"
                                            "i2,333,166583.25\n");
    }
    base_buf cut = {0};
    REQUIRE_OK(plat_read_file(plat_os(), path("a.ndjson.gz"), 1 << 20, &cut, &err));
    write_file("cut.ndjson.gz", cut.p, cut.n - 20);
    EXPECT_EQ_INT(
        COMMAND("weir", "run", path("s.sql"), "--input", named("s.line", "cut.ndjson.gz")), 1);
    EXPECT(strstr(read_text("stderr"), "truncated") != NULL);
    base_buf_deinit(&cut);
    base_buf_deinit(&lines);
    base_buf_deinit(&array);
    end();
}

// A line that no record may be is refused, in bounded memory, and the lines around it are taken.
TEST(a_line_without_measure) {
    begin();
    base_buf text = {0};
    base_buf_add_cstr(&text, "{\"id\":1}\n{\"id\":2,\"item\":\"");
    for (int i = 0; i < 34 << 10; i++) base_buf_printf(&text, "%01024d", i);
    base_buf_add_cstr(&text, "\"}\n{\"id\":3}\n\n{\"id\":4");
    write_file("a.ndjson", text.p, text.n);
    base_buf_deinit(&text);
    EXPECT_EQ_INT(COMMAND("weir", "run", path("s.sql"), "--input", named("s.line", "a.ndjson"),
                          "--query", "SELECT count(*) AS n FROM s.line", "--format", "csv"),
                  0);
    EXPECT_EQ_STR(read_text("stdout"), "n\n2\n");
    const char *said = read_text("stderr");
    EXPECT(strstr(said, "2 accepted, 2 quarantined") != NULL);
    EXPECT(strstr(said, "line 2: longer than") != NULL);
    EXPECT(strstr(said, "line 5: malformed JSON") != NULL);
    end();
}

// Two runs over one data directory are one history; its log can be looked into.
TEST(data_directory) {
    begin();
    static const char one[] = "{\"id\":1,\"item\":\"a\"}\n{\"id\":2,\"item\":\"a\"}\nbad\n";
    write_file("a.ndjson", one, sizeof one - 1);
    for (int i = 0; i < 2; i++)
        EXPECT_EQ_INT(COMMAND("weir", "run", path("s.sql"), "--data", path("data"), "--input",
                              named("s.line", "a.ndjson"), "--show", "s.by_item", "--format",
                              "ndjson"),
                      0);
    EXPECT_EQ_STR(read_text("stdout"), "{\"item\":\"a\",\"n\":2,\"total\":null}\n");
    EXPECT_EQ_INT(
        COMMAND("weir", "log", "dump", path("data"), "s.line", "--raw", "--from", "1", "--to", "3"),
        0);
    EXPECT_EQ_STR(read_text("stdout"), "{\"id\":2,\"item\":\"a\"}\n{\"id\":1,\"item\":\"a\"}\n");
    EXPECT_EQ_INT(COMMAND("weir", "log", "list", path("data")), 0);
    EXPECT(strstr(read_text("stdout"), "s.line!quarantine") != NULL);
    EXPECT_EQ_INT(COMMAND("weir", "log", "dump", path("data"), "s.none"), 1);
    EXPECT_EQ_INT(COMMAND("weir", "log", "dump", path("nothing"), "s.line"), 1);
    EXPECT_EQ_INT(COMMAND("weir", "log", "dump", path("data")), 2);
    end();
}

TEST(checking) {
    begin();
    EXPECT_EQ_INT(COMMAND("weir", "check", path("s.sql")), 0);
    EXPECT(strstr(read_text("stdout"), "s.sql:2:1: warning: stream s.line keeps") != NULL);
    static const char more[] =
        "-- d\xc3\xa9j\xc3\xa0 vu\n"
        "/* \xc3\xa9 */ CREATE MATERIALIZED VIEW s.x AS SELECT nix FROM s.line;\n"
        "CREATE MATERIALIZED VIEW s.y AS SELECT id FROM s.none;";
    write_file("t.sql", more, sizeof more - 1);
    EXPECT_EQ_INT(COMMAND("weir", "check", "--quiet", dir), 1);
    const char *said = read_text("stdout");
    EXPECT(strstr(said, "/t.sql:2:48: ") != NULL);
    EXPECT(strstr(said, "/t.sql:3:48: ") != NULL);
    EXPECT(strstr(said, "nix") != NULL && strstr(said, "s.sql") == NULL);
    EXPECT_EQ_INT(COMMAND("weir", "run", dir), 1);
    EXPECT(strstr(read_text("stderr"), "/t.sql:2:48: error: column \"nix\"") != NULL);
    EXPECT_EQ_INT(COMMAND("weir", "check", path("none.sql")), 1);
    write_file("bad.sql", "SELECT \xff", 8);
    EXPECT_EQ_INT(COMMAND("weir", "check", path("bad.sql")), 1);
    EXPECT_EQ_INT(COMMAND("weir", "check"), 2);
    end();
}

TEST(wrong_calls) {
    begin();
    write_file("a.csv", "item\na\n", 7);
    write_file("b.csv", "id,ID\n1,2\n", 10);
    write_file("empty.csv", "", 0);
    EXPECT_EQ_INT(COMMAND("weir"), 2);
    EXPECT_EQ_INT(COMMAND("weir", "--version"), 0);
    EXPECT_EQ_INT(COMMAND("weir", "help"), 0);
    EXPECT_EQ_INT(COMMAND("weir", "help", "run"), 0);
    EXPECT(strstr(read_text("stdout"), "--until-end") != NULL);
    EXPECT_EQ_INT(COMMAND("weir", "nothing"), 2);
    EXPECT_EQ_INT(COMMAND("weir", "run", path("s.sql"), "--input", "s.line"), 2);
    EXPECT_EQ_INT(COMMAND("weir", "run", path("s.sql"), "--format", "xml"), 2);
    EXPECT_EQ_INT(COMMAND("weir", "run", path("s.sql"), "--output", "s.by_item"), 2);
    EXPECT_EQ_INT(COMMAND("weir", "run", path("s.sql"), "--delimiter", "ab"), 2);
    EXPECT_EQ_INT(COMMAND("weir", "run", path("s.sql"), "--show", "s.by_itm"), 1);
    EXPECT(strstr(read_text("stderr"), "did you mean s.by_item?") != NULL);
    EXPECT_EQ_INT(COMMAND("weir", "run", path("s.sql"), "--input", named("s.lin", "a.csv")), 1);
    EXPECT_EQ_INT(COMMAND("weir", "run", path("s.sql"), "--input", named("s.by_item", "a.csv")), 1);
    EXPECT_EQ_INT(COMMAND("weir", "run", path("s.sql"), "--input", named("s.line", "a.csv")), 1);
    EXPECT(strstr(read_text("stderr"), "NOT NULL") != NULL);
    EXPECT_EQ_INT(COMMAND("weir", "run", path("s.sql"), "--input", named("s.line", "b.csv")), 1);
    EXPECT_EQ_INT(COMMAND("weir", "run", path("s.sql"), "--input", named("s.line", "empty.csv")),
                  1);
    EXPECT_EQ_INT(COMMAND("weir", "run", path("s.sql"), "--input", named("s.line", "none.csv")), 1);
    EXPECT_EQ_INT(COMMAND("weir", "bench", "speed"), 2);
    end();
}

TEST_MAIN(TEST_ENTRY(csv_in_csv_out), TEST_ENTRY(ndjson_array_gzip),
          TEST_ENTRY(a_line_without_measure), TEST_ENTRY(data_directory), TEST_ENTRY(checking),
          TEST_ENTRY(wrong_calls))
