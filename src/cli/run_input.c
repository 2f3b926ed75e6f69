// run_input.c - the files that `weir run` reads: NDJSON (or one JSON array), plain, gzip or zstd,
// in chunks of whole lines, so that memory is bounded whatever the size of the file.
//
// Invariants: every line ends up in the engine or in its quarantine; text holds the decoded bytes
// that are not fed yet and `line` is the number of its first one. Files are read through stdio
// because pipes and standard input are files too. Entry points: run_input_open, run_input_feed.

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/must.h"
#include "cli/run.h"
#include "log/log.h"
#include "wire/json.h"

#define PIECE_BYTES       (64u << 10)
#define ARRAY_BYTES_MAX   (256u << 20) // a JSON array is read whole
#define OVERSIZE_KEPT     4096         // bytes of an oversized line that quarantine gets
#define INFLATE_BYTES_MAX (1ull << 60) // local files: as large as they are

static bool ends_with(const char *text, size_t *n, const char *suffix) {
    size_t m = strlen(suffix);
    if (*n < m || strncmp(text + *n - m, suffix, m) != 0) return false;
    *n -= m;
    return true;
}

int run_input_parse(const char *text, const char *format, char delimiter, run_input *input) {
    const char *equals = strchr(text, '=');
    if (equals == NULL || equals == text || equals[1] == '\0')
        return cli_usage_error("weir run", "--input takes STREAM=FILE, not \"%s\"", text);
    memset(input, 0, sizeof *input);
    char *stream = strndup(text, (size_t)(equals - text));
    must(stream != NULL);
    input->stream = stream;
    input->path = equals + 1;
    input->delimiter = delimiter;
    size_t n = strlen(input->path);
    if (ends_with(input->path, &n, ".gz"))
        input->coding = WIRE_CODING_GZIP;
    else if (ends_with(input->path, &n, ".zst"))
        input->coding = WIRE_CODING_ZSTD;
    bool tsv = ends_with(input->path, &n, ".tsv");
    input->csv = tsv || ends_with(input->path, &n, ".csv");
    if (format != NULL) input->csv = strcmp(format, "csv") == 0;
    if (input->delimiter == '\0') input->delimiter = tsv ? '\t' : ',';
    return CLI_GO;
}

base_rc run_input_open(run_input *input, engine *e, base_error *err) {
    input->object = engine_find(e, base_str_of(input->stream));
    if (input->object == NULL)
        return base_fail(err, BASE_E_NOT_FOUND, BASE_SQLSTATE_UNDEFINED_TABLE,
                         "--input %s=%s: there is no stream or table \"%s\"", input->stream,
                         input->path, input->stream);
    if (input->object->kind != PLAN_OBJECT_STREAM && input->object->kind != PLAN_OBJECT_TABLE)
        return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_DATATYPE_MISMATCH,
                         "--input %s=%s: \"%s\" is a %s: events go to streams and tables",
                         input->stream, input->path, input->stream,
                         plan_object_kind_name(input->object->kind));
    bool standard = strcmp(input->path, "-") == 0;
    input->file = standard ? stdin : fopen(input->path, "rb");
    if (input->file == NULL) return base_fail_errno(err, errno, "cannot open \"%s\"", input->path);
    struct stat st;
    if (fstat(fileno(input->file), &st) == 0) {
        if (S_ISDIR(st.st_mode))
            return base_fail(err, BASE_E_INVALID, NULL, "\"%s\" is a directory", input->path);
        if (S_ISREG(st.st_mode)) input->file_bytes = (uint64_t)st.st_size;
    }
    if (input->coding != WIRE_CODING_NONE)
        input->inflate = wire_inflate_create(input->coding, INFLATE_BYTES_MAX);
    input->line = 1;
    base_arena_init(&input->arena, 1 << 16);
    return input->csv ? run_csv_header(input, err) : BASE_OK;
}

void run_input_close(run_input *input) {
    if (input->file != NULL && input->file != stdin) fclose(input->file);
    wire_inflate_destroy(input->inflate);
    base_buf_deinit(&input->text);
    base_buf_deinit(&input->body);
    base_arena_deinit(&input->arena);
    free(input->columns);
    for (uint32_t i = 0; i < input->nfields; i++) free((char *)input->keys[i].p);
    free(input->keys);
    free(input->body_lines);
    free((char *)input->stream);
}

base_rc run_input_fill(run_input *input, size_t want, base_error *err) {
    base_rc rc = BASE_OK;
    while (rc == BASE_OK && !input->eof && input->text.n < want) {
        char piece[PIECE_BYTES];
        // A small piece of a compressed file may hold very much.
        size_t n =
            fread(piece, 1, input->inflate != NULL ? sizeof piece / 4 : sizeof piece, input->file);
        input->read_bytes += n;
        if (n == 0 && ferror(input->file))
            return base_fail_errno(err, errno, "cannot read \"%s\"", input->path);
        if (input->inflate == NULL) {
            base_buf_add(&input->text, piece, n);
            input->eof = n == 0;
            continue;
        }
        if (n > 0)
            rc = wire_inflate_feed(input->inflate, (base_str){piece, n}, &input->text, err);
        else
            rc = wire_inflate_finish(input->inflate, err);
        input->eof = n == 0;
    }
    if (rc != BASE_OK) base_error_prefix(err, "%s", input->path);
    return rc;
}

void run_input_consume(run_input *input, size_t n) {
    must(n <= input->text.n);
    const char *p = input->text.p, *end = p + n;
    for (; p < end && (p = memchr(p, '\n', (size_t)(end - p))) != NULL; p++) input->line++;
    memmove(input->text.p, input->text.p + n, input->text.n - n);
    input->text.n -= n;
}

void run_input_fault(run_input *input, uint64_t line, const char *sqlstate, const char *message) {
    if (input->nfaults == RUN_FAULTS_MAX) return;
    run_fault *fault = &input->faults[input->nfaults++];
    fault->line = line;
    snprintf(fault->sqlstate, sizeof fault->sqlstate, "%s", sqlstate);
    snprintf(fault->message, sizeof fault->message, "%s", message);
}

// ---- NDJSON -------------------------------------------------------------------------------------

static bool is_blank(const char *p, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (p[i] != ' ' && p[i] != '\t' && p[i] != '\r' && p[i] != '\n') return false;
    return true;
}

// The line of record `record` of a body of lines: blank lines are no records.
static uint64_t line_of(const run_input *input, base_str body, uint64_t record) {
    uint64_t line = input->line, at = 0;
    for (size_t i = 0; i < body.n; line++) {
        const char *end = memchr(body.p + i, '\n', body.n - i);
        size_t n = end == NULL ? body.n - i : (size_t)(end - body.p) - i;
        if (!is_blank(body.p + i, n) && at++ == record) break;
        i += n + 1;
    }
    return line;
}

// The next `n` bytes of text, which are whole records.
static base_rc feed_bytes(run_input *input, engine *e, size_t n, bool lines, base_error *err) {
    snprintf(input->source, sizeof input->source, "%s from line %llu", input->path,
             (unsigned long long)input->line);
    base_buf_reserve(&input->text, WIRE_JSON_PADDING);
    memset(input->text.p + input->text.n, 0, WIRE_JSON_PADDING);
    base_arena_reset(&input->arena);
    base_str body = {input->text.p, n};
    engine_ingest_result result;
    base_rc rc = engine_ingest(e, base_str_of(input->stream), body, input->source, &input->arena,
                               &result, err);
    if (rc != BASE_OK) return rc;
    input->accepted += result.accepted;
    input->quarantined += result.quarantined;
    for (size_t i = 0; i < result.nfaults && input->nfaults < RUN_FAULTS_MAX; i++) {
        const engine_ingest_fault *fault = &result.faults[i];
        uint64_t line = lines ? line_of(input, body, fault->record) : fault->record + 1;
        run_input_fault(input, line, fault->sqlstate, fault->message);
    }
    run_input_consume(input, n);
    return BASE_OK;
}

// A line that the log cannot hold: its beginning goes to quarantine, the rest is passed over.
static base_rc refuse_line(run_input *input, engine *e, base_error *err) {
    char message[128];
    snprintf(message, sizeof message, "longer than the %u bytes that a record may have",
             LOG_RECORD_BYTES_MAX);
    run_input_fault(input, input->line, BASE_SQLSTATE_LIMIT, message);
    snprintf(input->source, sizeof input->source, "%s line %llu", input->path,
             (unsigned long long)input->line);
    base_str raw = {input->text.p, OVERSIZE_KEPT};
    base_rc rc = engine_quarantine(e, base_str_of(input->stream), raw, input->source,
                                   BASE_SQLSTATE_LIMIT, message, err);
    if (rc == BASE_OK) input->quarantined++, input->skip_line = true;
    return rc;
}

// Drops text up to the end of the line that is being skipped.
static void skip_line(run_input *input) {
    const char *end = input->text.n == 0 ? NULL : memchr(input->text.p, '\n', input->text.n);
    run_input_consume(input, end == NULL ? input->text.n : (size_t)(end - input->text.p) + 1);
    if (end != NULL) input->skip_line = false;
}

// An array is one value: read whole, and cut by the engine.
static base_rc feed_array(run_input *input, engine *e, uint64_t *fed, base_error *err) {
    base_rc rc = run_input_fill(input, ARRAY_BYTES_MAX + 1, err);
    if (rc != BASE_OK) return rc;
    if (input->text.n > ARRAY_BYTES_MAX)
        return base_fail(err, BASE_E_LIMIT, BASE_SQLSTATE_LIMIT,
                         "%s: a JSON array of more than %u MiB; give it as NDJSON, a line a record",
                         input->path, ARRAY_BYTES_MAX >> 20);
    *fed = input->text.n;
    return feed_bytes(input, e, input->text.n, false, err);
}

static base_rc feed_lines(run_input *input, engine *e, bool *end, uint64_t *fed, base_error *err) {
    size_t want = RUN_CHUNK_BYTES;
    for (;;) {
        base_rc rc = run_input_fill(input, want, err);
        if (rc != BASE_OK) return rc;
        if (input->skip_line) {
            skip_line(input);
            *end = input->eof && input->text.n == 0;
            return BASE_OK;
        }
        const char *first = input->text.n == 0 ? NULL : memchr(input->text.p, '\n', input->text.n);
        size_t line_bytes = first == NULL ? input->text.n : (size_t)(first - input->text.p);
        if (line_bytes > LOG_RECORD_BYTES_MAX) return refuse_line(input, e, err);
        const char *last = memrchr(input->text.p, '\n', input->text.n);
        size_t n = input->eof     ? input->text.n
                   : last == NULL ? 0
                                  : (size_t)(last - input->text.p) + 1;
        if (n == 0 && !input->eof) {
            want += RUN_CHUNK_BYTES;
            continue;
        }
        *end = input->eof;
        if (is_blank(input->text.p, n)) {
            run_input_consume(input, n);
            return BASE_OK;
        }
        *fed = n;
        return feed_bytes(input, e, n, true, err);
    }
}

base_rc run_input_feed(run_input *input, engine *e, bool *end, uint64_t *fed, base_error *err) {
    *end = false;
    *fed = 0;
    base_rc rc;
    if (input->csv) {
        rc = run_csv_feed(input, e, end, fed, err);
    } else {
        rc = run_input_fill(input, RUN_CHUNK_BYTES, err);
        size_t i = 0;
        while (i < input->text.n && is_blank(input->text.p + i, 1)) i++;
        bool array = input->line == 1 && i < input->text.n && input->text.p[i] == '[';
        if (rc == BASE_OK && array)
            rc = feed_array(input, e, fed, err), *end = true;
        else if (rc == BASE_OK)
            rc = feed_lines(input, e, end, fed, err);
    }
    return rc;
}
