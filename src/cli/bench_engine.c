// bench_engine.c - engines that are measured: in a temporary directory, without threads of their
// own, so that everything runs on the one core of the caller, unless --cores asks for helpers.
// Entry points: bench_open, bench_fill, bench_steps.

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/must.h"
#include "cli/bench.h"
#include "wire/json.h"

#define FILL_BYTES (1u << 20) // as a client that posts large requests

base_rc bench_open(bench_engine *b, const bench_options *options, base_error *err) {
    memset(b, 0, sizeof *b);
    b->options = options;
    const char *tmp = options->dir != NULL ? options->dir : getenv("TMPDIR");
    base_buf path = {0};
    base_buf_printf(&path, "%s/weir-bench-XXXXXX", tmp != NULL && tmp[0] != '\0' ? tmp : "/tmp");
    b->dir = strdup(base_buf_cstr(&path));
    base_buf_deinit(&path);
    must(b->dir != NULL);
    if (mkdtemp(b->dir) == NULL) {
        base_fail_errno(err, errno, "cannot make a directory \"%s\"", b->dir);
        free(b->dir);
        b->dir = NULL;
        return err->code;
    }
    b->config =
        (engine_config){.dir = b->dir, .message = cli_quiet_message, .cores = options->cores};
    return engine_open(plat_os(), &b->config, &b->engine, err);
}

base_rc bench_reopen(bench_engine *b, uint64_t step_bytes, bool no_sync, uint64_t cache_bytes,
                     base_error *err) {
    engine_close(b->engine);
    b->engine = NULL;
    b->config.step_bytes = step_bytes;
    b->config.state_no_sync = no_sync;
    b->config.cache_bytes = cache_bytes;
    return engine_open(plat_os(), &b->config, &b->engine, err);
}

void bench_close(bench_engine *b) {
    engine_close(b->engine);
    base_error err = {0};
    if (b->dir != NULL && plat_remove_tree(plat_os(), b->dir, &err) != BASE_OK) cli_error(&err);
    free(b->dir);
}

uint64_t bench_close_flows(bench_engine *b) {
    base_buf path = {0};
    base_buf_printf(&path, "%s/flow", b->dir == NULL ? "" : b->dir);
    engine_close(b->engine); // what lies in memory goes to the disk
    b->engine = NULL;
    uint64_t bytes = bench_tree_bytes(base_buf_cstr(&path));
    base_buf_deinit(&path);
    bench_close(b);
    return bytes;
}

base_rc bench_sql(bench_engine *b, const char *text, base_error *err) {
    base_arena arena;
    base_arena_init(&arena, 1 << 14);
    engine_session session;
    engine_session_init(&session, b->engine);
    engine_result result;
    base_rc rc = engine_run_sql(&session, base_str_of(text), &arena, &result, err);
    base_arena_deinit(&arena);
    return rc;
}

static int compare_doubles(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double bench_median(double *values, size_t n) {
    must(n > 0);
    qsort(values, n, sizeof *values, compare_doubles);
    return n % 2 == 1 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

bench_time bench_now(void) {
    struct timespec cpu;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
    return (bench_time){cli_seconds(), (double)cpu.tv_sec + (double)cpu.tv_nsec / 1e9};
}

bench_time bench_since(bench_time begin) {
    bench_time now = bench_now();
    return (bench_time){now.wall - begin.wall, now.cpu - begin.cpu};
}

bench_time bench_median_time(const bench_time *times, size_t n) {
    double wall[BENCH_ROUNDS_MAX], cpu[BENCH_ROUNDS_MAX];
    must(n <= BENCH_ROUNDS_MAX);
    for (size_t i = 0; i < n; i++) wall[i] = times[i].wall, cpu[i] = times[i].cpu;
    return (bench_time){bench_median(wall, n), bench_median(cpu, n)};
}

static base_rc scan_mapping(int fd, const char *path, uint64_t events, bench_time *time,
                            base_error *err) {
    struct stat st;
    if (fstat(fd, &st) != 0) return base_fail_errno(err, errno, "cannot look at \"%s\"", path);
    size_t n = (size_t)st.st_size;
    must(n > WIRE_JSON_PADDING); // the file ends with so many blanks
    char *text = mmap(NULL, n, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
    if (text == MAP_FAILED) return base_fail_errno(err, errno, "cannot map \"%s\"", path);
    double sum = 0;
    bench_time begin = bench_now();
    uint64_t found =
        wire_json_scan(text, n - WIRE_JSON_PADDING, "store_id", "net_amount", "placed_at", &sum);
    *time = bench_since(begin);
    munmap(text, n);
    if (found == events) return BASE_OK;
    return base_fail(err, BASE_E_INTERNAL, NULL, "simdjson read %llu of %llu events",
                     (unsigned long long)found, (unsigned long long)events);
}

base_rc bench_scan(const char *path, uint64_t events, bench_time *time, base_error *err) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return base_fail_errno(err, errno, "cannot open \"%s\"", path);
    base_rc rc = scan_mapping(fd, path, events, time, err);
    close(fd);
    return rc;
}

base_rc bench_stream(bench_engine *b, const char *stream, bool with_key, base_error *err) {
    base_buf sql = {0};
    base_rc rc = bench_sql(b, "CREATE SCHEMA bench", err);
    bench_stream_ddl(&sql, stream, with_key);
    if (rc == BASE_OK) rc = bench_sql(b, base_buf_cstr(&sql), err);
    base_buf_deinit(&sql);
    return rc;
}

bool bench_wants(const char *list, const char *name) {
    if (list == NULL) return true;
    size_t n = strlen(name);
    for (const char *p = list; (p = strstr(p, name)) != NULL; p += n)
        if ((p == list || p[-1] == ',') && (p[n] == '\0' || p[n] == ',')) return true;
    return false;
}

static base_rc write_copy(FILE *copy, const char *path, const char *bytes, size_t n,
                          base_error *err) {
    if (copy == NULL || fwrite(bytes, 1, n, copy) == n) return BASE_OK;
    return base_fail_errno(err, errno, "cannot write \"%s\"", path);
}

static base_rc fill(bench_engine *b, const char *stream, uint64_t first, uint64_t events,
                    FILE *copy, const char *path, base_error *err) {
    const bench_options *o = b->options;
    base_buf text = {0};
    base_arena arena;
    base_arena_init(&arena, 1 << 20);
    base_rc rc = BASE_OK;
    int64_t begin_us = 24ll * 366 * BASE_US_PER_DAY; // some day of 2024
    for (uint64_t i = first, end = first + events; rc == BASE_OK && i < end;) {
        base_buf_clear(&text);
        uint64_t begin = i;
        for (; i < end && text.n < FILL_BYTES; i++) {
            base_buf_reserve(&text, o->event_bytes + 64);
            int64_t at_us = begin_us + (int64_t)(i * (1000000ull / o->per_second));
            text.n += bench_event(i, o->keys, at_us, o->event_bytes, text.p + text.n);
            base_buf_add_byte(&text, '\n');
        }
        rc = write_copy(copy, path, text.p, text.n, err);
        if (rc != BASE_OK) break;
        base_arena_reset(&arena);
        engine_ingest_result result;
        rc = engine_ingest(b->engine, base_str_of(stream), base_buf_str(&text), "bench", &arena,
                           &result, err);
        if (rc == BASE_OK && result.accepted != i - begin)
            rc = base_fail(err, BASE_E_INTERNAL, NULL, "%llu events were refused: %s",
                           (unsigned long long)result.quarantined,
                           result.nfaults > 0 ? result.faults[0].message : "");
        if (rc == BASE_OK && cli_interrupted)
            rc = base_fail(err, BASE_E_CANCELLED, NULL, "stopped by a signal");
    }
    base_arena_deinit(&arena);
    base_buf_deinit(&text);
    return rc;
}

base_rc bench_fill(bench_engine *b, const char *stream, uint64_t first, uint64_t events,
                   const char *copy, base_error *err) {
    if (copy == NULL) return fill(b, stream, first, events, NULL, NULL, err);
    FILE *file = fopen(copy, "wb");
    if (file == NULL) return base_fail_errno(err, errno, "cannot make \"%s\"", copy);
    base_rc rc = fill(b, stream, first, events, file, copy, err);
    char blanks[WIRE_JSON_PADDING];
    memset(blanks, ' ', sizeof blanks);
    if (rc == BASE_OK) rc = write_copy(file, copy, blanks, sizeof blanks, err);
    if (fclose(file) != 0 && rc == BASE_OK)
        rc = base_fail_errno(err, errno, "cannot write \"%s\"", copy);
    return rc;
}

base_rc bench_steps(bench_engine *b, bench_time *time, uint64_t *steps, base_error *err) {
    bench_time begin = bench_now();
    *steps = 0;
    bool progressed = true;
    while (progressed) {
        base_rc rc = engine_tick(b->engine, true, &progressed, err);
        if (rc != BASE_OK) return rc;
        *steps += progressed;
        if (cli_interrupted) return base_fail(err, BASE_E_CANCELLED, NULL, "stopped by a signal");
    }
    *time = bench_since(begin);
    return BASE_OK;
}

base_rc bench_number(bench_engine *b, const char *sql, uint64_t *out, base_error *err) {
    base_arena arena;
    base_arena_init(&arena, 1 << 16);
    engine_session session;
    engine_session_init(&session, b->engine);
    engine_result result;
    base_rc rc = engine_run_sql(&session, base_str_of(sql), &arena, &result, err);
    if (rc == BASE_OK) *out = (uint64_t)col_i64(&result.rows->cols[0])[0];
    base_arena_deinit(&arena);
    return rc;
}

static base_rc count_orders(bench_engine *b, const char *view, uint64_t *orders, base_error *err) {
    base_arena arena;
    base_arena_init(&arena, 1 << 16);
    base_buf sql = {0};
    base_buf_printf(&sql, "SELECT sum(orders)::bigint FROM %s", view);
    engine_session session;
    engine_session_init(&session, b->engine);
    engine_result result;
    base_rc rc = engine_run_sql(&session, base_buf_str(&sql), &arena, &result, err);
    *orders = 0;
    if (rc == BASE_OK && result.rows->nrows == 1 && !col_is_null(&result.rows->cols[0], 0))
        *orders = (uint64_t)col_i64(&result.rows->cols[0])[0];
    base_buf_deinit(&sql);
    base_arena_deinit(&arena);
    return rc;
}

base_rc bench_view_round(bench_engine *b, const char *stream, uint64_t events, bench_time *time,
                         uint64_t *steps, base_error *err) {
    static unsigned number;
    char schema[32], view[64];
    snprintf(schema, sizeof schema, "round%u", ++number);
    snprintf(view, sizeof view, "%s.revenue_1m", schema);
    base_buf sql = {0};
    base_buf_printf(&sql, "CREATE SCHEMA %s", schema);
    base_rc rc = bench_sql(b, base_buf_cstr(&sql), err);
    base_buf_clear(&sql);
    bench_view_ddl(&sql, view, stream, "1 second");
    if (rc == BASE_OK) rc = bench_sql(b, base_buf_cstr(&sql), err);
    if (rc == BASE_OK) rc = bench_steps(b, time, steps, err);
    uint64_t orders;
    if (rc == BASE_OK) rc = count_orders(b, view, &orders, err);
    if (rc == BASE_OK && orders != events)
        rc = base_fail(err, BASE_E_INTERNAL, NULL, "the view counts %llu of %llu events",
                       (unsigned long long)orders, (unsigned long long)events);
    base_buf_clear(&sql);
    base_buf_printf(&sql, "DROP SCHEMA %s CASCADE", schema);
    if (rc == BASE_OK) rc = bench_sql(b, base_buf_cstr(&sql), err);
    base_buf_deinit(&sql);
    return rc;
}

// ---- sizes --------------------------------------------------------------------------------------

static uint64_t bytes_below(const char *path, int depth) {
    uint64_t bytes = 0;
    DIR *dir = opendir(path);
    if (dir == NULL) return 0;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        base_buf child = {0};
        base_buf_printf(&child, "%s/%s", path, entry->d_name);
        struct stat st;
        if (lstat(base_buf_cstr(&child), &st) == 0) {
            if (S_ISDIR(st.st_mode) && depth > 0)
                bytes += bytes_below(base_buf_cstr(&child), depth - 1);
            else
                bytes += (uint64_t)st.st_blocks * 512;
        }
        base_buf_deinit(&child);
    }
    closedir(dir);
    return bytes;
}

uint64_t bench_tree_bytes(const char *path) {
    return bytes_below(path, 16);
}

// "5" makes the kernel count the peak of the resident set anew (proc(5), clear_refs).
void bench_peak_reset(void) {
    FILE *file = fopen("/proc/self/clear_refs", "w");
    if (file == NULL) return;
    fputs("5", file);
    fclose(file);
}

uint64_t bench_peak_bytes(void) {
    FILE *file = fopen("/proc/self/status", "r");
    if (file == NULL) return 0;
    char line[256];
    unsigned long long kb = 0;
    while (fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, "VmHWM: %llu kB", &kb) == 1) break;
    fclose(file);
    return kb * 1024;
}
