// message.c - what commands say and how they are stopped: errors, log lines with the time, numbers
// for people, signals. Invariant: a line of the log is written with one call, so that lines of
// several threads do not mix. Entry points: cli_error, cli_log_line.

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"
#include "plat/thread.h"

int cli_error(const base_error *err) {
    fprintf(stderr, "weir: error: %s", err->message);
    if (err->sqlstate[0] != '\0') fprintf(stderr, " (%s)", err->sqlstate);
    fprintf(stderr, "\n");
    if (err->detail[0] != '\0') fprintf(stderr, "  detail: %s\n", err->detail);
    if (err->hint[0] != '\0') fprintf(stderr, "  hint: %s\n", err->hint);
    return CLI_FAILED;
}

int cli_fail(const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    fprintf(stderr, "weir: error: ");
    vfprintf(stderr, fmt, args);
    fprintf(stderr, "\n");
    va_end(args);
    return CLI_FAILED;
}

void cli_log_message(void *arg, engine_level level, const char *text) {
    (void)arg;
    static const char *const names[] = {"info ", "warn ", "error"};
    base_civil c = base_civil_from_us(plat_wall_us(plat_os()));
    base_buf line = {0};
    base_buf_printf(&line, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ %s %s\n", c.year, c.month, c.day,
                    c.hour, c.minute, c.second, c.us / 1000, names[level], text);
    fwrite(line.p, 1, line.n, stderr);
    base_buf_deinit(&line);
}

void cli_quiet_message(void *arg, engine_level level, const char *text) {
    (void)arg;
    if (level == ENGINE_INFO) return;
    fprintf(stderr, "weir: %s: %s\n", level == ENGINE_ERROR ? "error" : "warning", text);
}

void cli_log_line(engine_level level, const char *fmt, ...) {
    char text[2048];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    cli_log_message(NULL, level, text);
}

static char *next_text(void) {
    static _Thread_local char texts[8][40];
    static _Thread_local unsigned at;
    return texts[at++ % 8];
}

const char *cli_number(uint64_t n) {
    char digits[24], *text = next_text(), *to = text;
    int count = snprintf(digits, sizeof digits, "%llu", (unsigned long long)n);
    for (int i = 0; i < count; i++) {
        if (i > 0 && (count - i) % 3 == 0) *to++ = ',';
        *to++ = digits[i];
    }
    *to = '\0';
    return text;
}

const char *cli_bytes(uint64_t bytes) {
    static const char *const units[] = {"bytes", "kB", "MB", "GB", "TB"};
    double v = (double)bytes;
    size_t unit = 0;
    while (v >= 1000 && unit < 4) v /= 1000, unit++;
    char *text = next_text();
    snprintf(text, 40, unit == 0 ? "%.0f %s" : v < 10 ? "%.2f %s" : "%.1f %s", v, units[unit]);
    return text;
}

double cli_seconds(void) {
    return (double)plat_monotonic_ns(plat_os()) / 1e9;
}

int cli_flush_stdout(int code) {
    if (fflush(stdout) != 0 || ferror(stdout))
        return cli_fail("standard output could not be written: %s", strerror(errno));
    return code;
}

// ---- signals ------------------------------------------------------------------------------------

volatile bool cli_interrupted;

static void interrupt(int number) {
    cli_interrupted = true;
    signal(number, SIG_DFL); // the second one ends the process
}

void cli_catch_interrupt(void) {
    struct sigaction action = {.sa_handler = interrupt};
    sigemptyset(&action.sa_mask);
    action.sa_flags = SA_RESTART;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

void cli_ignore_signals(void) {
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
}

void cli_engine_config(engine_config *config, const cli_engine_options *options) {
    config->cache_bytes = options->cache_bytes;
    config->step_bytes = options->step_bytes;
    config->query_memory_bytes = options->query_bytes;
    config->changes_keep_steps = options->keep_steps;
    config->batch_rows = options->batch_rows;
    config->part_rows = options->part_rows;
    config->cores = options->cores > 0 ? options->cores : plat_cpu_count();
    config->journal_bytes = options->journal_kb << 10;
}
