// test_cli_option.c - options, names that are nearly right, numbers for people, latencies.
#include "test.h"

#include <stdlib.h>

#include "cli/bench.h"
#include "cli/cli.h"

typedef struct parsed {
    bool flag;
    const char *text;
    uint32_t port;
    uint64_t bytes;
    cli_list list;
} parsed;

// Parses the words of a line.
static int parse(parsed *out, cli_list *operands, const char *line) {
    static char words[512];
    char *argv[32];
    int argc = 0;
    snprintf(words, sizeof words, "cmd %s", line);
    for (char *word = strtok(words, " "); word != NULL; word = strtok(NULL, " "))
        argv[argc++] = word;
    memset(out, 0, sizeof *out);
    cli_option options[] = {
        {"flag", CLI_FLAG, &out->flag, NULL, "a flag", 0, 0},
        {"text", CLI_TEXT, &out->text, "TEXT", "a text", 0, 0},
        {NULL, CLI_SECTION, NULL, NULL, "More", 0, 0},
        {"port", CLI_U32, &out->port, "PORT", "a port", 1, 65535},
        {"cache-mb", CLI_MIB, &out->bytes, "MB", "bytes", 1, 0},
        {"item", CLI_LIST, &out->list, "ITEM", "items", 0, 0},
    };
    cli_usage usage = {.command = "weir test",
                       .synopsis = "",
                       .about = "",
                       .noptions = sizeof options / sizeof options[0],
                       .options = options,
                       .operands_min = 1,
                       .operands_max = 2};
    return cli_parse(&usage, argc, argv, operands);
}

TEST(good_lines) {
    parsed p;
    cli_list operands;
    EXPECT_EQ_INT(parse(&p, &operands, "a --flag --text=x=y b --port 8432"), CLI_GO);
    EXPECT(p.flag);
    EXPECT_EQ_STR(p.text, "x=y");
    EXPECT_EQ_INT(p.port, 8432);
    EXPECT_EQ_INT(operands.n, 2);
    EXPECT_EQ_STR(operands.items[1], "b");
    EXPECT_EQ_INT(parse(&p, &operands, "--item 1 --item=2 --cache-mb 3 -- --flag"), CLI_GO);
    EXPECT_EQ_INT(p.list.n, 2);
    EXPECT_EQ_INT(p.bytes, 3 << 20);
    EXPECT_EQ_STR(operands.items[0], "--flag");
    EXPECT(!p.flag);
    EXPECT_EQ_INT(parse(&p, &operands, "-"), CLI_GO);
}

TEST(bad_lines) {
    static const char *const lines[] = {
        "",
        "a b c",
        "a --flg",
        "a --port",
        "a --port x",
        "a -f",
        "a --port 0",
        "a --port 65536",
        "a --port -1",
        "a --port 99999999999999999999",
        "a --fla",
        "a --flag=1",
        "a --cache-mb 0",
        "a --port 1x",
        "a --cache-mb 18446744073709551615",
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        parsed p;
        cli_list operands;
        int code = parse(&p, &operands, lines[i]);
        if (code != CLI_USAGE) fprintf(stderr, "line \"%s\"\n", lines[i]);
        EXPECT_EQ_INT(code, CLI_USAGE);
    }
}

TEST(nearest_names) {
    static const char *const names[] = {"serve", "check", "run", "log", "bench"};
    EXPECT_EQ_STR(cli_nearest("serv", 5, names), "serve");
    EXPECT_EQ_STR(cli_nearest("chekc", 5, names), "check");
    EXPECT_EQ_STR(cli_nearest("rnu", 5, names), "run");
    EXPECT_EQ_STR(cli_nearest("benches", 5, names), "bench");
    EXPECT(cli_nearest("dashboard", 5, names) == NULL);
    EXPECT(cli_nearest("", 5, names) == NULL);
    char longer[300];
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    EXPECT(cli_nearest(longer, 5, names) == NULL);
}

TEST(numbers) {
    EXPECT_EQ_STR(cli_number(0), "0");
    EXPECT_EQ_STR(cli_number(999), "999");
    EXPECT_EQ_STR(cli_number(1000), "1,000");
    EXPECT_EQ_STR(cli_number(1234567), "1,234,567");
    EXPECT_EQ_STR(cli_number(UINT64_MAX), "18,446,744,073,709,551,615");
    EXPECT_EQ_STR(cli_bytes(999), "999 bytes");
    EXPECT_EQ_STR(cli_bytes(1500000), "1.50 MB");
}

// A share of a histogram is within its error of the exact one, whatever the values.
TEST(histogram) {
    static bench_histogram h;
    for (uint64_t us = 0; us < 100000; us++) bench_histogram_add(&h, us, 1);
    EXPECT_EQ_INT(h.n, 100000);
    static const double shares[] = {0.0001, 0.01, 0.5, 0.9, 0.99, 0.999};
    for (size_t i = 0; i < 6; i++) {
        double exact = shares[i] * 100000, got = (double)bench_histogram_at(&h, shares[i]);
        EXPECT(got >= exact && got <= exact * 1.016 + 1);
    }
    EXPECT_EQ_INT(bench_histogram_at(&h, 1), 99999);
    bench_histogram_add(&h, UINT64_MAX, 1);
    EXPECT(bench_histogram_at(&h, 1) == UINT64_MAX);
}

// Events are valid for what reads them: of the asked size, different, keys in range.
TEST(events) {
    char a[4096], b[4096];
    size_t n = bench_event(7, 10, 0, 231, a);
    EXPECT_EQ_INT(n, 231);
    EXPECT(a[0] == '{' && a[230] == '}' && memchr(a, '\n', n) == NULL);
    a[n] = '\0';
    EXPECT(strstr(a, "\"placed_at\":\"2000-01-01T00:00:00.000000Z\"") != NULL);
    EXPECT(strtol(strstr(a, "store_id\":") + 10, NULL, 10) < 10);
    EXPECT_EQ_INT(bench_event(7, 10, 0, 231, b), 231);
    EXPECT(memcmp(a, b, 231) == 0);
    EXPECT_EQ_INT(bench_event(8, 10, 0, 2048, b), 2048);
    EXPECT(memcmp(a, b, 100) != 0);
    double v[] = {3, 1, 2, 10};
    EXPECT(bench_median(v, 4) == 2.5);
}

TEST_MAIN(TEST_ENTRY(good_lines), TEST_ENTRY(bad_lines), TEST_ENTRY(nearest_names),
          TEST_ENTRY(numbers), TEST_ENTRY(histogram), TEST_ENTRY(events))
