// run.c - `weir run`: a file of SQL over files of events, without a server. The engine runs without
// threads in a directory of its own (removed at the end) or in --data; files are fed in chunks,
// each followed by steps, so that memory is bounded; at the end the views are printed or written.
//
// Invariants: every record read is accepted or in quarantine, and the summary says how many of
// each; a file named twice is read twice. Entry point: cli_run.

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/must.h"
#include "cli/run.h"
#include "connect/connect.h"

#define TICK_BYTES   (16u << 20) // fed between steps
#define TABLE_ROWS   20
#define VIEWS_MAX    4096
#define PROGRESS_TTY 0.2 // seconds
#define PROGRESS_LOG 2.0

typedef struct run {
    const char *sql_path, *data, *format_name, *null_text, *input_format, *delimiter;
    cli_list inputs_given, outputs, shows, queries;
    bool until_end, quiet, standing, strict;
    uint64_t table_rows;
    cli_format format;
    cli_engine_options limits;

    engine *engine;
    connect_hub *hub;
    char *dir; // own directory; NULL: --data
    size_t ninputs;
    run_input inputs[CLI_LIST_MAX];
    double begin, said; // seconds
    double fed_seconds;
} run;

// ---- the engine ---------------------------------------------------------------------------------

static base_rc make_dir(run *r, base_error *err) {
    if (r->data != NULL) return BASE_OK;
    const char *tmp = getenv("TMPDIR");
    base_buf path = {0};
    base_buf_printf(&path, "%s/weir-run-XXXXXX", tmp != NULL && tmp[0] != '\0' ? tmp : "/tmp");
    r->dir = strdup(base_buf_cstr(&path));
    base_buf_deinit(&path);
    must(r->dir != NULL);
    if (mkdtemp(r->dir) != NULL) return BASE_OK;
    base_fail_errno(err, errno, "cannot make a directory \"%s\"", r->dir);
    free(r->dir);
    r->dir = NULL;
    return err->code;
}

static int start(run *r) {
    base_error err = {0};
    if (make_dir(r, &err) != BASE_OK) return cli_error(&err);
    engine_config config = {.dir = r->data != NULL ? r->data : r->dir,
                            .state_no_sync = r->data == NULL,
                            .message = cli_quiet_message};
    cli_engine_config(&config, &r->limits);
    if (engine_open(plat_os(), &config, &r->engine, &err) != BASE_OK) return cli_error(&err);
    if (connect_open(r->engine, &r->hub, &err) != BASE_OK) return cli_error(&err);
    cli_sql sql = {0};
    base_buf report = {0};
    base_rc rc = cli_sql_add(&sql, r->sql_path, &err);
    if (rc == BASE_OK) {
        engine_session session;
        engine_session_init(&session, r->engine);
        rc = engine_apply(&session, base_buf_str(&sql.text), &report, &err);
    }
    int code = rc == BASE_OK ? CLI_OK : cli_sql_error(&sql, &err);
    if (rc == BASE_OK && r->data != NULL && !r->quiet)
        fprintf(stderr, "%.*s", (int)report.n, report.p);
    base_buf_deinit(&report);
    cli_sql_deinit(&sql);
    return code;
}

static int finish(run *r, int code) {
    for (size_t i = 0; i < r->ninputs; i++) run_input_close(&r->inputs[i]);
    if (r->hub != NULL) connect_stop(r->hub);
    engine_close(r->engine);
    base_error err = {0};
    if (r->dir != NULL && plat_remove_tree(plat_os(), r->dir, &err) != BASE_OK) cli_error(&err);
    free(r->dir);
    return code;
}

// ---- progress -----------------------------------------------------------------------------------

static bool on_terminal(void) {
    return isatty(STDERR_FILENO) == 1;
}

static void clear_progress(const run *r) {
    if (!r->quiet && on_terminal()) fprintf(stderr, "\r\033[K");
}

static void show_progress(run *r, const run_input *input) {
    double now = cli_seconds();
    bool terminal = on_terminal();
    if (r->quiet || now - r->said < (terminal ? PROGRESS_TTY : PROGRESS_LOG)) return;
    r->said = now;
    uint64_t records = 0;
    for (size_t i = 0; i < r->ninputs; i++)
        records += r->inputs[i].accepted + r->inputs[i].quarantined;
    double rate = (double)records / (now - r->begin);
    char percent[16] = "";
    if (input->file_bytes > 0)
        snprintf(percent, sizeof percent, " %.0f %%",
                 100.0 * (double)input->read_bytes / (double)input->file_bytes);
    fprintf(stderr, "%s%s:%s, %s records, %s records/s%s", terminal ? "\r\033[K" : "", input->path,
            percent, cli_number(records), cli_number((uint64_t)rate), terminal ? "" : "\n");
}

// ---- feeding ------------------------------------------------------------------------------------

static base_rc tick(run *r, base_error *err) {
    bool progressed;
    base_rc rc = engine_tick(r->engine, true, &progressed, err);
    if (rc == BASE_OK) rc = connect_pump(r->hub, &progressed, err);
    return rc;
}

static base_rc feed(run *r, run_input *input, base_error *err) {
    uint64_t since_tick = 0;
    bool end = false;
    base_rc rc = BASE_OK;
    while (rc == BASE_OK && !end) {
        if (cli_interrupted) return base_fail(err, BASE_E_CANCELLED, NULL, "stopped by a signal");
        uint64_t fed;
        rc = run_input_feed(input, r->engine, &end, &fed, err);
        since_tick += fed;
        if (rc == BASE_OK && since_tick >= TICK_BYTES) {
            rc = tick(r, err);
            since_tick = 0;
        }
        show_progress(r, input);
    }
    return rc;
}

// All that was fed through all views; with --until-end all windows are closed; sinks deliver.
static base_rc settle(run *r, base_error *err) {
    base_rc rc = engine_flush(r->engine, 0, &cli_interrupted, err);
    if (rc == BASE_OK && r->until_end) rc = engine_finish_windows(r->engine, err);
    if (rc == BASE_OK) rc = engine_flush(r->engine, 0, &cli_interrupted, err);
    if (rc == BASE_OK) rc = connect_flush(r->hub, 60 * BASE_US_PER_SECOND, err);
    return rc;
}

static int feed_all(run *r) {
    base_error err = {0};
    base_rc rc = BASE_OK;
    for (size_t i = 0; rc == BASE_OK && i < r->ninputs; i++)
        rc = run_input_open(&r->inputs[i], r->engine, &err);
    r->begin = r->said = cli_seconds();
    for (size_t i = 0; rc == BASE_OK && i < r->ninputs; i++) rc = feed(r, &r->inputs[i], &err);
    if (rc == BASE_OK) rc = settle(r, &err);
    r->fed_seconds = cli_seconds() - r->begin;
    clear_progress(r);
    return rc == BASE_OK ? CLI_OK : cli_error(&err);
}

// ---- the summary --------------------------------------------------------------------------------

// Duplicates and late records of a stream, from weir.streams.
static bool stream_counts(run *r, const run_input *input, uint64_t *duplicates, uint64_t *late) {
    base_arena arena;
    base_arena_init(&arena, 1 << 14);
    base_buf text = {0};
    base_buf_add_cstr(&text, "SELECT duplicates, late FROM weir.streams WHERE schema = '");
    const char *names[] = {input->object->schema, input->object->name};
    for (int k = 0; k < 2; k++) {
        if (k == 1) base_buf_add_cstr(&text, "' AND name = '");
        for (const char *p = names[k]; *p != '\0'; p++) {
            if (*p == '\'') base_buf_add_byte(&text, '\'');
            base_buf_add_byte(&text, (uint8_t)*p);
        }
    }
    base_buf_add_cstr(&text, "'");
    engine_session session;
    engine_session_init(&session, r->engine);
    engine_result result;
    base_error err = {0};
    bool found = engine_run_sql(&session, base_buf_str(&text), &arena, &result, &err) == BASE_OK &&
                 result.has_rows && result.rows->nrows == 1 && result.ncolumns == 2 &&
                 result.types[0].kind == COL_INT8 && result.types[1].kind == COL_INT8;
    if (found) {
        *duplicates = (uint64_t)col_i64(&result.rows->cols[0])[0];
        *late = (uint64_t)col_i64(&result.rows->cols[1])[0];
    }
    base_buf_deinit(&text);
    base_arena_deinit(&arena);
    return found;
}

static void print_summary(run *r) {
    uint64_t records = 0;
    for (size_t i = 0; i < r->ninputs; i++) {
        const run_input *input = &r->inputs[i];
        uint64_t n = input->accepted + input->quarantined;
        records += n;
        fprintf(stderr, "%s: %s records from %s: %s accepted, %s quarantined\n", input->stream,
                cli_number(n), input->path, cli_number(input->accepted),
                cli_number(input->quarantined));
        for (size_t k = 0; k < input->nfaults; k++)
            fprintf(stderr, "  line %llu: %s (%s)\n", (unsigned long long)input->faults[k].line,
                    input->faults[k].message, input->faults[k].sqlstate);
        if (input->quarantined > input->nfaults && input->nfaults > 0)
            fprintf(stderr, "  and %s more\n", cli_number(input->quarantined - input->nfaults));
    }
    for (size_t i = 0; i < r->ninputs; i++) {
        uint64_t duplicates, late;
        bool again = false;
        for (size_t k = 0; k < i; k++) again |= r->inputs[k].object == r->inputs[i].object;
        if (!again && stream_counts(r, &r->inputs[i], &duplicates, &late))
            fprintf(stderr, "%s: %s duplicates, %s late\n", r->inputs[i].stream,
                    cli_number(duplicates), cli_number(late));
    }
    if (r->ninputs > 0)
        fprintf(stderr, "%s records in %.2f s, %s records/s\n", cli_number(records), r->fed_seconds,
                cli_number((uint64_t)((double)records / r->fed_seconds)));
}

// ---- views out ----------------------------------------------------------------------------------

static base_rc add_rows(void *arg, const col_batch *rows, base_error *err) {
    if (cli_interrupted) return base_fail(err, BASE_E_CANCELLED, NULL, "stopped by a signal");
    cli_rows_add(arg, rows);
    return BASE_OK;
}

// A view's declared columns, and its standing if asked for.
static int write_view(run *r, const plan_object *view, FILE *to, cli_format format,
                      uint64_t limit) {
    const char **names = calloc(view->ncolumns + 4, sizeof *names);
    must(names != NULL);
    uint32_t n = 0;
    for (uint32_t i = 0; i < view->ncolumns; i++)
        if (!view->columns[i].hidden) names[n++] = view->columns[i].name;
    if (r->standing) {
        names[n++] = "_status";
        names[n++] = "_revision";
        names[n++] = "_updated_at";
    }
    cli_rows rows;
    base_error err = {0};
    cli_rows_begin(&rows, to, format, r->null_text, limit, n, names);
    free(names);
    base_arena arena;
    base_arena_init(&arena, 1 << 16);
    base_rc rc = engine_view_scan(r->engine, view, &arena, NULL, add_rows, &rows, &err);
    base_arena_deinit(&arena);
    bool good = cli_rows_end(&rows);
    if (rc != BASE_OK) return cli_error(&err);
    return good ? CLI_OK : cli_fail("view %s.%s could not be written", view->schema, view->name);
}

typedef struct view_list {
    size_t n;
    const plan_object *views[VIEWS_MAX];
} view_list;

static void collect_view(void *arg, const plan_object *object) {
    view_list *list = arg;
    if (object->kind == PLAN_OBJECT_VIEW && list->n < VIEWS_MAX) list->views[list->n++] = object;
}

static const plan_object *find_view(run *r, const char *name, const char *option) {
    const plan_object *view = engine_find(r->engine, base_str_of(name));
    if (view != NULL && view->kind == PLAN_OBJECT_VIEW) return view;
    view_list *list = calloc(1, sizeof *list);
    must(list != NULL);
    engine_objects(r->engine, collect_view, list);
    const char **names = calloc(list->n + 1, sizeof *names);
    must(names != NULL);
    base_arena arena;
    base_arena_init(&arena, 4096);
    for (size_t i = 0; i < list->n; i++)
        names[i] = base_arena_printf(&arena, "%s.%s", list->views[i]->schema, list->views[i]->name);
    const char *nearest = cli_nearest(name, list->n, names);
    if (nearest != NULL)
        cli_fail("--%s %s: there is no such view; did you mean %s?", option, name, nearest);
    else
        cli_fail("--%s %s: there is no such view", option, name);
    base_arena_deinit(&arena);
    free(names);
    free(list);
    return NULL;
}

// "view=file.csv", "view=file.ndjson", "view=-".
static int write_output(run *r, const char *text) {
    const char *path = strchr(text, '=') + 1;
    char *name = strndup(text, (size_t)(path - 1 - text));
    must(name != NULL);
    const plan_object *view = find_view(r, name, "output");
    free(name);
    if (view == NULL) return CLI_FAILED;
    if (strcmp(path, "-") == 0) {
        cli_format format = r->format_name == NULL ? CLI_FORMAT_CSV : r->format;
        return write_view(r, view, stdout, format, 0);
    }
    size_t n = strlen(path);
    bool json = n > 7 && strcmp(path + n - 7, ".ndjson") == 0;
    cli_format format = r->format_name != NULL ? r->format
                        : json                 ? CLI_FORMAT_NDJSON
                                               : CLI_FORMAT_CSV;
    FILE *to = fopen(path, "wb");
    if (to == NULL) return cli_fail("cannot write \"%s\": %s", path, strerror(errno));
    int code = write_view(r, view, to, format, 0);
    if (fclose(to) != 0 && code == CLI_OK)
        code = cli_fail("cannot write \"%s\": %s", path, strerror(errno));
    return code;
}

static int print_view(run *r, const plan_object *view, bool title) {
    if (title) printf("%s.%s\n", view->schema, view->name);
    int code = write_view(r, view, stdout, r->format, r->table_rows);
    if (title) printf("\n");
    return code;
}

static int print_query(run *r, const char *text) {
    base_arena arena;
    base_arena_init(&arena, 1 << 16);
    engine_session session;
    engine_session_init(&session, r->engine);
    engine_result result;
    base_error err = {0};
    int code = CLI_OK;
    if (engine_run_sql(&session, base_str_of(text), &arena, &result, &err) != BASE_OK) {
        code = cli_error(&err);
    } else if (result.has_rows) {
        cli_rows rows;
        cli_rows_begin(&rows, stdout, r->format, r->null_text, r->table_rows, result.ncolumns,
                       result.names);
        cli_rows_add(&rows, result.rows);
        if (!cli_rows_end(&rows)) code = cli_fail("standard output could not be written");
    } else {
        printf("%s\n", result.tag);
    }
    base_arena_deinit(&arena);
    return code;
}

static int print_all(run *r) {
    int code = CLI_OK;
    for (size_t i = 0; code == CLI_OK && i < r->outputs.n; i++)
        code = write_output(r, r->outputs.items[i]);
    for (size_t i = 0; code == CLI_OK && i < r->shows.n; i++) {
        const plan_object *view = find_view(r, r->shows.items[i], "show");
        code = view == NULL ? CLI_FAILED
                            : print_view(r, view, r->shows.n > 1 && r->format == CLI_FORMAT_TABLE);
    }
    for (size_t i = 0; code == CLI_OK && i < r->queries.n; i++)
        code = print_query(r, r->queries.items[i]);
    if (r->outputs.n + r->shows.n + r->queries.n > 0) return code;
    view_list *list = calloc(1, sizeof *list);
    must(list != NULL);
    engine_objects(r->engine, collect_view, list);
    for (size_t i = 0; code == CLI_OK && i < list->n; i++)
        code = print_view(r, list->views[i], r->format == CLI_FORMAT_TABLE || list->n > 1);
    free(list);
    return code;
}

// ---- the command --------------------------------------------------------------------------------

static int check_arguments(run *r) {
    if (r->format_name != NULL && !cli_format_find(r->format_name, &r->format))
        return cli_usage_error("weir run", "--format is table, csv or ndjson, not \"%s\"",
                               r->format_name);
    if (r->input_format != NULL && strcmp(r->input_format, "csv") != 0 &&
        strcmp(r->input_format, "ndjson") != 0)
        return cli_usage_error("weir run", "--input-format is csv or ndjson, not \"%s\"",
                               r->input_format);
    char delimiter = '\0';
    if (r->delimiter != NULL) {
        delimiter = strcmp(r->delimiter, "\\t") == 0 ? '\t' : r->delimiter[0];
        bool one = r->delimiter[0] != '\0' && (r->delimiter[1] == '\0' || delimiter == '\t');
        if (!one || delimiter == '"' || delimiter == '\n' || delimiter == '\r')
            return cli_usage_error("weir run", "--delimiter is one character, not \"%s\"",
                                   r->delimiter);
    }
    for (size_t i = 0; i < r->outputs.n; i++) {
        const char *equals = strchr(r->outputs.items[i], '=');
        if (equals == NULL || equals == r->outputs.items[i] || equals[1] == '\0')
            return cli_usage_error("weir run", "--output takes VIEW=FILE, not \"%s\"",
                                   r->outputs.items[i]);
    }
    for (size_t i = 0; i < r->inputs_given.n; i++) {
        int code =
            run_input_parse(r->inputs_given.items[i], r->input_format, delimiter, &r->inputs[i]);
        if (code != CLI_GO) return code;
        r->ninputs++;
    }
    return CLI_GO;
}

static int run_main(run *r) {
    cli_catch_interrupt();
    int code = start(r);
    if (code == CLI_OK) code = feed_all(r);
    if (code == CLI_OK && !r->quiet) print_summary(r);
    if (code == CLI_OK) code = cli_flush_stdout(print_all(r));
    if (code == CLI_OK && r->strict)
        for (size_t i = 0; i < r->ninputs; i++)
            if (r->inputs[i].quarantined > 0) code = CLI_FAILED;
    return finish(r, code);
}

int cli_run(int argc, char **argv) {
    run *r = calloc(1, sizeof *r);
    must(r != NULL);
    r->null_text = "";
    r->table_rows = TABLE_ROWS;
    cli_option options[] = {
        {"input", CLI_LIST, &r->inputs_given, "STREAM=FILE",
         "events for a stream or table: .ndjson, .json, .csv or .tsv,\n"
         "also .gz or .zst; - is standard input; may be repeated,\n"
         "files are read in the order given",
         0, 0},
        {"until-end", CLI_FLAG, &r->until_end, NULL,
         "the input is complete: close every window at the end", 0, 0},
        {"data", CLI_TEXT, &r->data, "DIR", "keep (or go on with) a data directory", 0, 0},
        {"input-format", CLI_TEXT, &r->input_format, "FORMAT",
         "csv or ndjson, whatever the files are called", 0, 0},
        {"delimiter", CLI_TEXT, &r->delimiter, "CHAR", "of CSV files; \\t for a tab", 0, 0},
        {"strict", CLI_FLAG, &r->strict, NULL, "exit code 1 if a record went to quarantine", 0, 0},
        {"quiet", CLI_FLAG, &r->quiet, NULL, "no progress, no summary", 0, 0},
        {NULL, CLI_SECTION, NULL, NULL, "Output (without any: every view as a table)", 0, 0},
        {"output", CLI_LIST, &r->outputs, "VIEW=FILE",
         "write a whole view to a .csv or .ndjson file; - is standard\n"
         "output; may be repeated",
         0, 0},
        {"show", CLI_LIST, &r->shows, "VIEW", "print this view; may be repeated", 0, 0},
        {"query", CLI_LIST, &r->queries, "SQL", "print the answer; may be repeated", 0, 0},
        {"format", CLI_TEXT, &r->format_name, "FORMAT", "table, csv or ndjson", 0, 0},
        {"rows", CLI_U64, &r->table_rows, "N", "rows of a table (20); 0: all", 0, 0},
        {"null", CLI_TEXT, &r->null_text, "TEXT", "what stands for null in tables and CSV", 0, 0},
        {"standing", CLI_FLAG, &r->standing, NULL,
         "also _status (provisional, final, corrected), _revision\n"
         "and _updated_at of each row",
         0, 0},
        CLI_ENGINE_OPTIONS(&r->limits),
    };
    cli_usage usage = {
        .command = "weir run",
        .synopsis = "FILE.sql --input STREAM=FILE... --until-end [options]",
        .about =
            "Runs files of events through the views of a file of SQL, without a server, and\n"
            "prints or writes the views: the same engine, contracts and results as weir serve.\n"
            "Memory is bounded whatever the size of the files. Records that break their contract\n"
            "go to quarantine, are counted and named by line; the rest goes on.\n\n"
            "A CSV file's header names the columns (InvoiceNo fits invoice_no); an unquoted empty\n"
            "field is null.",
        .examples =
            "  weir run books.sql --input sales.lines=lines.csv.zst --until-end\n"
            "  weir run books.sql --input sales.orders=orders.ndjson --until-end \\\n"
            "      --output sales.revenue_1d=revenue.csv\n"
            "  zcat lines.gz | weir run books.sql --input sales.lines=- --until-end \\\n"
            "      --query 'SELECT country, revenue FROM sales.by_country ORDER BY 2 DESC'\n",
        .noptions = sizeof options / sizeof options[0],
        .options = options,
        .operands_min = 1,
        .operands_max = 1,
    };
    cli_list operands;
    int code = cli_parse(&usage, argc, argv, &operands);
    if (code == CLI_GO) {
        r->sql_path = operands.items[0];
        code = check_arguments(r);
    }
    if (code == CLI_GO) code = run_main(r);
    free(r);
    return code;
}
