// advise.c - `weir advise watermark`: what delay a stream's watermark should have, by its log.
// Opens the data directory without taking a step, or asks a server (advise_served.c). Entry point:
// cli_advise.

#include <stdlib.h>
#include <string.h>

#include "cli/advise.h"
#include "plat/plat.h"

#define PROGRESS_US 500000

typedef struct progress {
    bool shown;
    int64_t next_us;
} progress;

static bool keep_going(void *arg, uint64_t done, uint64_t all) {
    progress *p = arg;
    int64_t now_us = (int64_t)(plat_monotonic_ns(plat_os()) / 1000);
    if (now_us >= p->next_us && all > 0) {
        if (p->next_us > 0) { // not at once: a small log is read by then
            fprintf(stderr, "\r%3llu %% of %llu records", (unsigned long long)(done * 100 / all),
                    (unsigned long long)all);
            fflush(stderr);
            p->shown = true;
        }
        p->next_us = now_us + PROGRESS_US;
    }
    return !cli_interrupted;
}

static void delay_text(int64_t us, char *out, size_t n) {
    char text[BASE_INTERVAL_TEXT_MAX];
    base_interval interval = {.us = us};
    base_interval_format(&interval, text);
    snprintf(out, n, "%s", us == INT64_MAX ? "-" : text);
}

void cli_print_advice(const char *stream, const engine_advice *a) {
    printf("%s\n\n", stream);
    printf("  %-9s %-9s %-18s %14s %12s %11s %10s\n", "partition", "target", "delay = wait",
           "on time", "late", "share", "corrected");
    for (uint32_t i = 0; i < a->nrows; i++) {
        const engine_advice_row *row = &a->rows[i];
        char partition[16] = "all", delay[64], corrected[48] = "";
        if (row->partition >= 0) snprintf(partition, sizeof partition, "%d", row->partition);
        delay_text(row->delay_us, delay, sizeof delay);
        if (row->has_windows)
            snprintf(corrected, sizeof corrected, "%llu/%llu", (unsigned long long)row->corrected,
                     (unsigned long long)row->windows);
        printf("  %-9s %-9s %-18s %14llu %12llu %10.4f%% %10s\n", partition, row->target, delay,
               (unsigned long long)row->on_time, (unsigned long long)(row->records - row->on_time),
               100.0 * (double)row->on_time / (double)row->records, corrected);
    }
    printf("\nDelays are %s. Each window is final so much after its end.\n",
           a->exact ? "exact" : "rounded up by at most 1/2048");
    if (a->views[0] != '\0') printf("Windows are those of %s.\n", a->views);
    if (a->left_out[0] != '\0') printf("Not counted: windows of %s.\n", a->left_out);
    printf("\n");
    for (uint32_t i = 0; i < a->nrows; i++)
        if (a->rows[i].ddl != NULL) printf("  %-9s %s\n", a->rows[i].target, a->rows[i].ddl);
}

static int advise(engine *e, const char *name, bool quiet) {
    const plan_object *stream = engine_find(e, base_str_of(name));
    if (stream == NULL) return cli_fail("there is no stream \"%s\"", name);
    base_arena arena;
    base_arena_init(&arena, 1 << 16);
    base_error err = {0};
    engine_advice advice;
    progress p = {.next_us = quiet ? INT64_MAX : 0};
    base_rc rc = engine_advise(e, stream, keep_going, &p, &arena, &advice, &err);
    if (p.shown) fprintf(stderr, "\r%40s\r", "");
    int code = CLI_OK;
    if (rc != BASE_OK)
        code = cli_error(&err);
    else if (advice.nrows == 0)
        code = cli_fail("the log of %s has no records with an event time", name);
    else
        cli_print_advice(base_arena_printf(&arena, "%s.%s", stream->schema, stream->name), &advice);
    base_arena_deinit(&arena);
    return cli_flush_stdout(code);
}

static base_rc open_directory(const char *dir, engine **out, base_error *err) {
    bool exists = false, is_dir = false;
    plat *plat = plat_os();
    base_rc rc = plat->ops->exists(plat, dir, &exists, &is_dir, err);
    if (rc == BASE_OK && !is_dir)
        rc = base_fail(err, BASE_E_NOT_FOUND, NULL, "there is no directory \"%s\"", dir);
    engine_config config = {.dir = dir, .message = cli_quiet_message};
    return rc == BASE_OK ? engine_open(plat, &config, out, err) : rc;
}

static int watermark(int argc, char **argv) {
    bool quiet = false;
    cli_option options[] = {
        {"quiet", CLI_FLAG, &quiet, NULL, "say nothing of the progress", 0, 0},
    };
    cli_usage usage = {
        .command = "weir advise watermark",
        .synopsis = "DIR|URL STREAM [options]",
        .about =
            "Reads the log of a stream and says what delay of its watermark would have kept 50,\n"
            "90, 99, 99.9, 99.99 % and all of the records on time, what the present one keeps,\n"
            "and how many windows of views would have been corrected. No server may have the\n"
            "directory open; a server is asked by its URL, postgres://HOST:PORT, and reads its\n"
            "own log, as SELECT * FROM weir.advise_watermark('STREAM') does.",
        .examples = "  weir advise watermark /var/lib/weir sales.order_placed\n"
                    "  weir advise watermark postgres://localhost:8432 sales.order_placed\n",
        .noptions = sizeof options / sizeof *options,
        .options = options,
        .operands_min = 2,
        .operands_max = 2,
    };
    cli_list operands;
    int code = cli_parse(&usage, argc, argv, &operands);
    if (code != CLI_GO) return code;
    if (cli_is_server(operands.items[0]))
        return cli_advise_served(operands.items[0], operands.items[1], quiet);
    base_error err = {0};
    engine *e;
    if (open_directory(operands.items[0], &e, &err) != BASE_OK) return cli_error(&err);
    code = advise(e, operands.items[1], quiet);
    engine_close(e);
    return code;
}

int cli_advise(int argc, char **argv) {
    cli_catch_interrupt();
    if (argc >= 2 && strcmp(argv[1], "watermark") == 0) return watermark(argc - 1, argv + 1);
    bool help = argc >= 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0);
    if (!help) return cli_usage_error("weir advise", "what to advise on is missing: watermark");
    printf("usage: weir advise watermark DIR|URL STREAM [options]\n\n"
           "Advice by what is in a data directory, or a server's. weir advise watermark --help "
           "describes it.\n");
    return cli_flush_stdout(CLI_OK);
}
