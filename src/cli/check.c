// check.c - `weir check`: every error of a file of SQL, with its place. Several files (or a
// directory) are one text, in the order given, as `weir serve` takes them. Entry point: cli_check.

#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

// engine_check names the text by this byte, so that its lines can be told from others and led back
// to the file they came from.
#define MARK "\x01"

// "\x01:12:3: message" -> "file.sql:2:3: message".
static void print_report(const cli_sql *sql, const base_buf *report) {
    for (size_t at = 0; at < report->n;) {
        const char *line = report->p + at, *end = memchr(line, '\n', report->n - at);
        size_t n = end == NULL ? report->n - at : (size_t)(end - line);
        at += n + 1;
        const char *path;
        size_t file_line;
        if (n > 2 && line[0] == MARK[0] && line[1] == ':') {
            char *rest;
            size_t number = strtoul(line + 2, &rest, 10);
            if (number > 0 && cli_sql_place_line(sql, number, &path, &file_line)) {
                printf("%s:%zu%.*s\n", path, file_line, (int)(line + n - rest), rest);
                continue;
            }
            line++, n--;
        }
        printf("%.*s\n", (int)n, line);
    }
}

int cli_check(int argc, char **argv) {
    bool quiet = false;
    cli_option options[] = {
        {"quiet", CLI_FLAG, &quiet, NULL, "print errors only, no warnings", 0, 0},
    };
    cli_usage usage = {
        .command = "weir check",
        .synopsis = "FILE.sql|DIR... [options]",
        .about =
            "Binds every statement against an empty catalogue and reports every error as\n"
            "file:line:column: message, and as warnings and notes what state of views and\n"
            "streams would grow for ever. Several files, or the *.sql files of a directory by\n"
            "name, are checked as one text, as weir serve would apply them. Nothing is\n"
            "created. Exit code 1 if there is an error.",
        .examples = "  weir check sales.sql\n  weir check contracts.sql views.sql\n",
        .noptions = 1,
        .options = options,
        .operands_min = 1,
        .operands_max = CLI_LIST_MAX,
    };
    cli_list files;
    int code = cli_parse(&usage, argc, argv, &files);
    if (code != CLI_GO) return code;
    cli_sql sql = {0};
    base_buf report = {0};
    base_error err = {0};
    base_rc rc = BASE_OK;
    for (size_t i = 0; rc == BASE_OK && i < files.n; i++)
        rc = cli_sql_add(&sql, files.items[i], &err);
    size_t nerrors = 0;
    if (rc == BASE_OK)
        rc = engine_check(base_buf_str(&sql.text), MARK, !quiet, &report, &nerrors, &err);
    if (rc != BASE_OK) {
        code = cli_sql_error(&sql, &err);
    } else {
        print_report(&sql, &report);
        if (nerrors == 0 && !quiet) printf("ok\n");
        code = cli_flush_stdout(nerrors == 0 ? CLI_OK : CLI_FAILED);
        if (nerrors > 0) fprintf(stderr, "%zu error%s\n", nerrors, nerrors == 1 ? "" : "s");
    }
    base_buf_deinit(&report);
    cli_sql_deinit(&sql);
    return code;
}
