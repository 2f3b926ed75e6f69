// cli.h - the commands of the program `weir` and what they share: options, SQL files, rows on a
// terminal, signals. Every command is a function from arguments to an exit code:
// CLI_OK 0 done, CLI_FAILED 1 the work failed (a message says what), CLI_USAGE 2 wrong arguments.
// Threads: all of this runs on the main thread unless it says otherwise.
#ifndef WEIR_CLI_CLI_H
#define WEIR_CLI_CLI_H

#include <signal.h>
#include <stdio.h>

#include "engine/engine.h"

enum { CLI_OK = 0, CLI_FAILED = 1, CLI_USAGE = 2, CLI_GO = -1 };

// The whole program: argv as given to main.
int cli_main(int argc, char **argv);

int cli_serve(int argc, char **argv); // argv[0] is the command's name
int cli_check(int argc, char **argv);
int cli_run(int argc, char **argv);
int cli_log(int argc, char **argv);
int cli_diff(int argc, char **argv);
int cli_reconcile(int argc, char **argv);
int cli_verify(int argc, char **argv);
int cli_functions(int argc, char **argv);
int cli_advise(int argc, char **argv);
int cli_bench(int argc, char **argv);

// ---- options (option.c) -------------------------------------------------------------------------

#define CLI_LIST_MAX 256
typedef struct cli_list {
    size_t n;
    const char *items[CLI_LIST_MAX]; // borrowed from argv
} cli_list;

typedef enum cli_option_kind {
    CLI_FLAG,   // bool
    CLI_TEXT,   // const char *
    CLI_LIST,   // cli_list: may be given again
    CLI_U32,    // uint32_t within [min, max]
    CLI_U64,    // uint64_t
    CLI_MIB,    // uint64_t: given in MiB, kept in bytes
    CLI_SECTION // no option: a heading in the help
} cli_option_kind;

typedef struct cli_option {
    const char *name; // "data" for --data
    cli_option_kind kind;
    void *to;
    const char *value; // what help calls its value, "DIR"; NULL for flags
    const char *help;  // '\n' between lines
    uint64_t min, max; // of numbers; max 0: no limit
} cli_option;

typedef struct cli_usage {
    const char *command;  // "weir serve"
    const char *synopsis; // "[FILE.sql|DIR] [options]"
    const char *about;    // a paragraph or two
    const char *examples; // or NULL
    size_t noptions;
    const cli_option *options;
    size_t operands_min, operands_max;
} cli_usage;

// Options may stand anywhere, "--name value" or "--name=value"; "--" ends them; "-" is an operand.
// Prints the help, or one line that says what is wrong, and returns the exit code; else CLI_GO.
int cli_parse(const cli_usage *usage, int argc, char **argv, cli_list *operands);
// The name nearest to text among n names that is near enough to be meant, or NULL.
const char *cli_nearest(const char *text, size_t n, const char *const *names);
// "weir run: message" and a pointer to --help; returns CLI_USAGE.
int cli_usage_error(const char *command, const char *fmt, ...) BASE_PRINTF(2, 3);

// ---- messages (message.c) -----------------------------------------------------------------------

// "weir: error: ..." with SQLSTATE, detail and hint, to standard error. Returns CLI_FAILED.
int cli_error(const base_error *err);
int cli_fail(const char *fmt, ...) BASE_PRINTF(1, 2);
// A line with the time, to standard error; any thread.
void cli_log_line(engine_level level, const char *fmt, ...) BASE_PRINTF(2, 3);
void cli_log_message(void *arg, engine_level level, const char *text); // engine_config.message
// As above, warnings and errors only: for commands whose output is something else.
void cli_quiet_message(void *arg, engine_level level, const char *text);
// 1234567 -> "1,234,567"; into one of a few static buffers.
const char *cli_number(uint64_t n);
const char *cli_bytes(uint64_t bytes); // "12.3 MB"
double cli_seconds(void);              // monotonic
// Flushes standard output; a failure to write (a full disk) is an error to be told.
int cli_flush_stdout(int code);
// SIGPIPE and SIGXFSZ become errors of calls. Called once by cli_main.
void cli_ignore_signals(void);
// Set by SIGINT and SIGTERM after cli_catch_interrupt(); a second signal ends the process.
extern volatile bool cli_interrupted;
void cli_catch_interrupt(void);

// ---- files of SQL (sqltext.c) -------------------------------------------------------------------

typedef struct cli_sql_file {
    char *path;
    size_t begin, end; // bytes in text
} cli_sql_file;

// One or several files as one text; positions in it lead back to file, line and column.
typedef struct cli_sql {
    base_buf text;
    size_t nfiles;
    cli_sql_file *files;
} cli_sql;

// A file, or all *.sql of a directory in the order of their names. May be called again to add.
BASE_MUST_USE base_rc cli_sql_add(cli_sql *sql, const char *path, base_error *err);
void cli_sql_deinit(cli_sql *sql);
// "file.sql:12:3" of a 1-based character position in the text; false if position is none.
bool cli_sql_place(const cli_sql *sql, int32_t position, base_buf *out);
// The same of a line (from 1) of the text.
bool cli_sql_place_line(const cli_sql *sql, size_t line, const char **path, size_t *file_line);
// "file.sql:12:3: error: ..." with the line and a caret; returns CLI_FAILED.
int cli_sql_error(const cli_sql *sql, const base_error *err);

// A data directory that must be there, without a server (verify.c).
BASE_MUST_USE base_rc cli_engine_open(const engine_config *config, engine **out, base_error *err);

// ---- engine options, shared by serve and run (message.c) ----------------------------------------

typedef struct cli_engine_options {
    uint64_t cache_bytes, step_bytes, query_bytes, keep_steps, journal_kb;
    uint32_t batch_rows, part_rows, cores;
} cli_engine_options;

#define CLI_ENGINE_OPTIONS(o)                                                                        \
    {NULL, CLI_SECTION, NULL, NULL, "Limits", 0, 0},                                                 \
        {"cores", CLI_U32, &(o)->cores, "N", "that a step may use (all)", 1, 1024},                  \
        {"cache-mb", CLI_MIB, &(o)->cache_bytes, "MB", "operator caches of a flow (256)", 1, 0},     \
        {"step-mb",                                                                                  \
         CLI_MIB,                                                                                    \
         &(o)->step_bytes,                                                                           \
         "MB",                                                                                       \
         "bytes of log that one step takes at most (128)",                                           \
         1,                                                                                          \
         4096},                                                                                      \
        {"query-mb", CLI_MIB, &(o)->query_bytes, "MB", "memory of an ad-hoc query (1024)", 1, 0},    \
        {"part-rows", CLI_U32, &(o)->part_rows, "N", "rows that are worth a core's help; for tests", \
         1,           1u << 30},                                                                     \
        {"batch-rows", CLI_U32, &(o)->batch_rows, "N", "rows of a batch (65536); 1 is for tests", 1, \
         1u << 20},                                                                                  \
        {"journal-kb",                                                                               \
         CLI_U64,                                                                                    \
         &(o)->journal_kb,                                                                           \
         "KB",                                                                                       \
         "journal of a flow, before its commits go to the pages of its\n"                            \
         "store (65536, half of it for a flow with an interval)",                                    \
         1,                                                                                          \
         131072},                                                                                    \
    {                                                                                                \
        "keep-steps", CLI_U64, &(o)->keep_steps, "N",                                                \
            "steps whose changes a view keeps for its followers (100000)", 1, 0                      \
    }

void cli_engine_config(engine_config *config, const cli_engine_options *options);

// ---- rows (rows.c) ------------------------------------------------------------------------------

typedef enum cli_format { CLI_FORMAT_TABLE, CLI_FORMAT_CSV, CLI_FORMAT_NDJSON } cli_format;

typedef struct cli_rows {
    FILE *to;
    cli_format format;
    const char *null_text;
    uint64_t limit;       // rows of a table; 0: all
    uint32_t ncolumns;    // columns shown, of those of the batches
    const char **names;   // ncolumns
    uint64_t count;       // rows seen
    base_arena arena;     // rows kept for a table
    col_batch **kept;     // batches
    size_t nkept, nshown; // rows kept
    base_buf line;
} cli_rows;

bool cli_format_find(const char *name, cli_format *format); // "table", "csv", "ndjson"
void cli_rows_begin(cli_rows *rows, FILE *to, cli_format format, const char *null_text,
                    uint64_t limit, uint32_t ncolumns, const char *const *names);
void cli_rows_add(cli_rows *rows, const col_batch *batch);
// Prints what is still kept. Returns false if writing failed.
bool cli_rows_end(cli_rows *rows);

#endif
