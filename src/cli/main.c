// main.c - chooses the command. Entry point: cli_main.

#include <string.h>

#include "cli/cli.h"

static const struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *summary;
} commands[] = {
    {"serve", cli_serve, "run the server: events in, views out"},
    {"check", cli_check, "check a file of SQL and report every error"},
    {"run", cli_run, "no server: files through the views of a file of SQL, and print them"},
    {"reconcile", cli_reconcile, "list, run, approve or reject reconciliations"},
    {"diff", cli_diff, "how the versions of a view differ from it"},
    {"verify", cli_verify, "recompute views from the log and compare"},
    {"log", cli_log, "look into the log of a data directory"},
    {"advise", cli_advise, "what delay a stream's watermark should have, by its log"},
    {"functions", cli_functions, "print the page of all functions of SQL"},
    {"bench", cli_bench, "measure this machine: throughput, commit cost, memory, latency"},
};
#define NCOMMANDS (sizeof commands / sizeof commands[0])

static void print_help(void) {
    printf("usage: weir COMMAND [arguments]\n\n"
           "weir takes business events in, keeps them in a durable log, and turns them into SQL\n"
           "views that stay current; it serves them over the PostgreSQL wire, HTTP and live\n"
           "streams, checks them against the books, and can say why any number changed.\n\n"
           "Commands:\n");
    for (size_t i = 0; i < NCOMMANDS; i++)
        printf("  %-11s%s\n", commands[i].name, commands[i].summary);
    printf("\nweir COMMAND --help describes a command; weir --version names the version.\n"
           "Exit codes: 0 done, 1 the work failed, 2 wrong arguments.\n");
}

static int unknown_command(const char *name) {
    const char *names[NCOMMANDS];
    for (size_t i = 0; i < NCOMMANDS; i++) names[i] = commands[i].name;
    const char *nearest = cli_nearest(name, NCOMMANDS, names);
    const char *what = name[0] == '-' ? "option" : "command";
    if (nearest != NULL)
        return cli_usage_error("weir", "unknown %s \"%s\"; did you mean %s?", what, name, nearest);
    return cli_usage_error("weir", "unknown %s \"%s\"", what, name);
}

int cli_main(int argc, char **argv) {
    cli_ignore_signals();
    if (argc < 2) {
        print_help();
        return cli_flush_stdout(CLI_USAGE);
    }
    const char *name = argv[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 ||
        (strcmp(name, "help") == 0 && argc == 2)) {
        print_help();
        return cli_flush_stdout(CLI_OK);
    }
    if (strcmp(name, "--version") == 0 || strcmp(name, "version") == 0) {
        printf("weir %s\n", WEIR_VERSION);
        return cli_flush_stdout(CLI_OK);
    }
    char *help_argv[] = {argv[0], argv[1], (char *)"--help", NULL};
    if (strcmp(name, "help") == 0) {
        name = help_argv[1] = argv[2];
        argc = 3;
        argv = help_argv;
    }
    for (size_t i = 0; i < NCOMMANDS; i++)
        if (strcmp(name, commands[i].name) == 0) return commands[i].run(argc - 1, argv + 1);
    return unknown_command(name);
}
