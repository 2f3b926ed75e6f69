// run_csv.c - CSV files as events: the header names the columns of the stream, each record becomes
// a JSON object by the types of its columns, and meets the contract like any other event.
//
// Invariants: an unquoted empty field is null, a quoted one is an empty text; a record that is no
// CSV or has another number of fields goes to quarantine with its own bytes and its line; header
// names are matched exactly, else without regard to case, else by letters and digits alone
// (InvoiceNo is invoice_no). Entry points: run_csv_header, run_csv_feed.

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "cli/run.h"
#include "log/log.h"
#include "wire/json.h"

#define SQLSTATE_BAD_COPY "22P04"
#define RUN_HEADER_BYTES  (1u << 20)

// ---- the header ---------------------------------------------------------------------------------

static bool same_letters(base_str a, const char *b) {
    size_t i = 0;
    for (;;) {
        while (i < a.n && !isalnum((unsigned char)a.p[i])) i++;
        while (*b != '\0' && !isalnum((unsigned char)*b)) b++;
        if (i == a.n || *b == '\0') return i == a.n && *b == '\0';
        if (tolower((unsigned char)a.p[i++]) != tolower((unsigned char)*b++)) return false;
    }
}

static int32_t find_column(const plan_object *object, base_str name) {
    for (int pass = 0; pass < 3; pass++)
        for (uint32_t i = 0; i < object->ncolumns; i++) {
            const char *column = object->columns[i].name;
            if (object->columns[i].hidden) continue;
            if (pass == 0 && base_str_eq(name, base_str_of(column))) return (int32_t)i;
            if (pass == 1 && base_str_eq_nocase(name, base_str_of(column))) return (int32_t)i;
            if (pass == 2 && name.n > 0 && same_letters(name, column)) return (int32_t)i;
        }
    return -1;
}

static base_rc check_columns(const run_input *input, base_error *err) {
    const plan_object *object = input->object;
    for (uint32_t c = 0; c < object->ncolumns; c++) {
        const plan_column *column = &object->columns[c];
        uint32_t times = 0;
        for (uint32_t f = 0; f < input->nfields; f++) times += input->columns[f] == (int32_t)c;
        if (times > 1)
            return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_DUPLICATE_COLUMN,
                             "%s: two columns of the header are \"%s\"", input->path, column->name);
        if (times == 0 && column->not_null && !column->hidden && column->default_value == NULL) {
            base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_NOT_NULL,
                      "%s: no column of the header is \"%s\", which %s says is NOT NULL",
                      input->path, column->name, input->stream);
            base_error_hint(err, "The first line of a CSV file names its columns.");
            return BASE_E_INVALID;
        }
    }
    return BASE_OK;
}

static void take_header(run_input *input, const wire_csv_field *fields, size_t nfields) {
    input->nfields = (uint32_t)nfields;
    input->columns = calloc(nfields + 1, sizeof *input->columns);
    input->keys = calloc(nfields + 1, sizeof *input->keys);
    must(input->columns != NULL && input->keys != NULL);
    base_buf ignored = {0};
    for (size_t i = 0; i < nfields; i++) {
        base_str name = base_str_trim(fields[i].text);
        input->columns[i] = find_column(input->object, name);
        if (input->columns[i] < 0) {
            base_buf_printf(&ignored, "%s%.*s", ignored.n > 0 ? ", " : "", BASE_STR_ARG(name));
            continue;
        }
        base_buf key = {0};
        base_buf_add_json_string(&key, base_str_of(input->object->columns[input->columns[i]].name));
        base_buf_add_byte(&key, ':');
        input->keys[i] = base_buf_str(&key); // owned by keys from here on
    }
    if (ignored.n > 0)
        fprintf(stderr, "weir: %s: columns that %s does not have are left out: %.*s\n", input->path,
                input->stream, (int)ignored.n, ignored.p);
    base_buf_deinit(&ignored);
}

base_rc run_csv_header(run_input *input, base_error *err) {
    base_rc rc = run_input_fill(input, RUN_HEADER_BYTES, err);
    if (rc != BASE_OK) return rc;
    if (base_str_starts(base_buf_str(&input->text), BASE_STR("\xef\xbb\xbf"))) {
        memmove(input->text.p, input->text.p + 3, input->text.n - 3); // a byte order mark
        input->text.n -= 3;
    }
    wire_csv_field *fields;
    size_t nfields, at = 0;
    bool end, incomplete;
    rc = wire_csv_read(base_buf_str(&input->text), input->eof, input->delimiter, &at, &input->arena,
                       &fields, &nfields, &end, &incomplete, err);
    if (rc == BASE_OK && (end || incomplete || nfields == 0))
        return base_fail(err, BASE_E_INVALID, SQLSTATE_BAD_COPY,
                         "%s: the first line should name the columns", input->path);
    if (rc != BASE_OK) {
        base_error_prefix(err, "%s", input->path);
        return rc;
    }
    take_header(input, fields, nfields);
    run_input_consume(input, at);
    return check_columns(input, err);
}

// ---- values -------------------------------------------------------------------------------------

// RFC 8259's number, nothing before or behind it.
static bool is_json_number(base_str s) {
    size_t i = 0;
    if (i < s.n && s.p[i] == '-') i++;
    size_t begin = i;
    while (i < s.n && isdigit((unsigned char)s.p[i])) i++;
    if (i == begin || (s.p[begin] == '0' && i - begin > 1)) return false;
    if (i < s.n && s.p[i] == '.') {
        begin = ++i;
        while (i < s.n && isdigit((unsigned char)s.p[i])) i++;
        if (i == begin) return false;
    }
    if (i < s.n && (s.p[i] == 'e' || s.p[i] == 'E')) {
        i++;
        if (i < s.n && (s.p[i] == '+' || s.p[i] == '-')) i++;
        begin = i;
        while (i < s.n && isdigit((unsigned char)s.p[i])) i++;
        if (i == begin) return false;
    }
    return i == s.n;
}

// "+5" and "007" are numbers in CSV, not in JSON.
static base_str plain_number(base_str s, base_arena *arena) {
    if (is_json_number(s)) return s;
    size_t i = 0;
    bool negative = s.n > 0 && s.p[0] == '-';
    if (s.n > 0 && (s.p[0] == '-' || s.p[0] == '+')) i++;
    while (i + 1 < s.n && s.p[i] == '0' && isdigit((unsigned char)s.p[i + 1])) i++;
    char *out = base_arena_alloc(arena, s.n + 2);
    size_t n = 0;
    if (negative) out[n++] = '-';
    if (i < s.n && s.p[i] == '.') out[n++] = '0';
    memcpy(out + n, s.p + i, s.n - i);
    base_str number = {out, n + s.n - i};
    return is_json_number(number) ? number : s;
}

static const char *boolean(base_str s) {
    static const char *const yes[] = {"true", "t", "yes", "y", "on", "1"};
    static const char *const no[] = {"false", "f", "no", "n", "off", "0"};
    for (int i = 0; i < 6; i++) {
        if (base_str_eq_nocase(s, base_str_of(yes[i]))) return "true";
        if (base_str_eq_nocase(s, base_str_of(no[i]))) return "false";
    }
    return NULL;
}

// Whatever does not fit its type is passed on as a text, which the contract then refuses with its
// own words.
void run_csv_value(const col_type *type, base_str text, base_arena *arena, base_buf *out) {
    base_str trimmed = base_str_trim(text);
    switch (type->kind) {
    case COL_INT2:
    case COL_INT4:
    case COL_INT8:
    case COL_OID:
    case COL_FLOAT4:
    case COL_FLOAT8: {
        base_str number = plain_number(trimmed, arena);
        if (is_json_number(number))
            base_buf_add_str(out, number);
        else
            base_buf_add_json_string(out, trimmed);
        return;
    }
    case COL_BOOL: {
        const char *value = boolean(trimmed);
        if (value != NULL)
            base_buf_add_cstr(out, value);
        else
            base_buf_add_json_string(out, trimmed);
        return;
    }
    case COL_JSONB:
    case COL_STRUCT: // the field is JSON itself; line breaks would cut the record
        for (size_t i = 0; i < trimmed.n; i++) {
            char c = trimmed.p[i];
            base_buf_add_byte(out, c == '\n' || c == '\r' ? ' ' : (uint8_t)c);
        }
        return;
    case COL_TEXT:
    case COL_VARCHAR:
    case COL_NAME:
    case COL_BYTEA:
        base_buf_add_json_string(out, text);
        return;
    default: // NUMERIC, times, UUID, INTERVAL
        base_buf_add_json_string(out, trimmed);
        return;
    }
}

// ---- records ------------------------------------------------------------------------------------

static void add_record(run_input *input, const wire_csv_field *fields, uint64_t line) {
    base_buf *body = &input->body;
    bool first = true;
    base_buf_add_byte(body, '{');
    for (uint32_t i = 0; i < input->nfields; i++) {
        if (input->columns[i] < 0 || (fields[i].text.n == 0 && !fields[i].quoted)) continue;
        if (!first) base_buf_add_byte(body, ',');
        first = false;
        base_buf_add_str(body, input->keys[i]);
        run_csv_value(&input->object->columns[input->columns[i]].type, fields[i].text,
                      &input->arena, body);
    }
    base_buf_add_cstr(body, "}\n");
    if (input->nbody == input->body_cap) {
        input->body_cap = input->body_cap == 0 ? 4096 : input->body_cap * 2;
        input->body_lines = realloc(input->body_lines, input->body_cap * sizeof(uint64_t));
        must(input->body_lines != NULL);
    }
    input->body_lines[input->nbody++] = line;
}

static base_rc refuse_record(run_input *input, engine *e, base_str raw, uint64_t line,
                             const char *cause, base_error *err) {
    char message[300];
    snprintf(message, sizeof message, "line %llu: %s", (unsigned long long)line, cause);
    run_input_fault(input, line, SQLSTATE_BAD_COPY, cause);
    snprintf(input->source, sizeof input->source, "%s line %llu", input->path,
             (unsigned long long)line);
    if (raw.n > LOG_RECORD_BYTES_MAX / 2) raw.n = 4096;
    base_rc rc = engine_quarantine(e, base_str_of(input->stream), raw, input->source,
                                   SQLSTATE_BAD_COPY, message, err);
    if (rc == BASE_OK) input->quarantined++;
    return rc;
}

// Gives the records gathered so far to the engine.
static base_rc flush_body(run_input *input, engine *e, uint64_t *fed, base_error *err) {
    if (input->nbody == 0) return BASE_OK;
    snprintf(input->source, sizeof input->source, "%s from line %llu", input->path,
             (unsigned long long)input->body_lines[0]);
    base_buf_reserve(&input->body, WIRE_JSON_PADDING);
    memset(input->body.p + input->body.n, 0, WIRE_JSON_PADDING);
    engine_ingest_result result;
    base_rc rc = engine_ingest(e, base_str_of(input->stream), base_buf_str(&input->body),
                               input->source, &input->arena, &result, err);
    if (rc != BASE_OK) return rc;
    input->accepted += result.accepted;
    input->quarantined += result.quarantined;
    for (size_t i = 0; i < result.nfaults; i++) {
        const engine_ingest_fault *fault = &result.faults[i];
        if (fault->record < input->nbody)
            run_input_fault(input, input->body_lines[fault->record], fault->sqlstate,
                            fault->message);
    }
    *fed += input->body.n;
    base_buf_clear(&input->body);
    input->nbody = 0;
    return BASE_OK;
}

static uint64_t count_lines(const char *p, size_t n) {
    uint64_t lines = 0;
    for (const char *end = p + n; p < end && (p = memchr(p, '\n', (size_t)(end - p))); p++) lines++;
    return lines;
}

// One record at *at: to the body or to quarantine. *more: the text holds no further whole record.
static base_rc take_record(run_input *input, engine *e, size_t *at, uint64_t *line, bool *more,
                           base_error *err) {
    base_str text = base_buf_str(&input->text);
    wire_csv_field *fields;
    size_t nfields, begin = *at;
    bool end, incomplete;
    base_error bad = {0};
    base_rc rc = wire_csv_read(text, input->eof, input->delimiter, at, &input->arena, &fields,
                               &nfields, &end, &incomplete, &bad);
    if (rc != BASE_OK) { // this line alone is refused; the next one may be well again
        const char *stop = memchr(text.p + begin, '\n', text.n - begin);
        size_t n = stop == NULL ? text.n - begin : (size_t)(stop - text.p) - begin;
        *at = begin + n + (stop != NULL);
        const char *cause = strstr(bad.message, ": ");
        rc = refuse_record(input, e, (base_str){text.p + begin, n}, *line,
                           cause == NULL ? bad.message : cause + 2, err);
        *line += stop != NULL;
        return rc;
    }
    *more = end || incomplete;
    if (*more) return BASE_OK;
    uint64_t this_line = *line;
    *line += count_lines(text.p + begin, *at - begin);
    if (nfields == 1 && fields[0].text.n == 0 && !fields[0].quoted && input->nfields > 1)
        return BASE_OK; // a blank line
    if (nfields == input->nfields) {
        add_record(input, fields, this_line);
        return BASE_OK;
    }
    char cause[96];
    snprintf(cause, sizeof cause, "%zu fields, and the header has %u", nfields, input->nfields);
    base_str raw = {text.p + begin, *at - begin};
    while (raw.n > 0 && (raw.p[raw.n - 1] == '\n' || raw.p[raw.n - 1] == '\r')) raw.n--;
    return refuse_record(input, e, raw, this_line, cause, err);
}

base_rc run_csv_feed(run_input *input, engine *e, bool *end, uint64_t *fed, base_error *err) {
    base_rc rc = run_input_fill(input, RUN_CHUNK_BYTES, err);
    if (rc != BASE_OK) return rc;
    base_arena_reset(&input->arena);
    size_t at = 0;
    uint64_t line = input->line;
    bool more = false;
    while (rc == BASE_OK && !more) {
        rc = take_record(input, e, &at, &line, &more, err);
        if (rc == BASE_OK && input->body.n >= RUN_CHUNK_BYTES) break;
    }
    if (rc == BASE_OK) rc = flush_body(input, e, fed, err);
    if (rc != BASE_OK) return rc;
    bool stuck = at == 0 && !input->eof && input->text.n >= RUN_CHUNK_BYTES;
    run_input_consume(input, at);
    must(input->line == line);
    *end = input->eof && input->text.n == 0;
    // No record ends within a whole chunk: a quote that is never closed. Its line is refused.
    if (!stuck) return BASE_OK;
    const char *stop = memchr(input->text.p, '\n', input->text.n);
    size_t n = stop == NULL ? input->text.n : (size_t)(stop - input->text.p);
    rc = refuse_record(input, e, (base_str){input->text.p, n}, line,
                       "a record without an end: a quoted field is not closed", err);
    run_input_consume(input, n + (stop != NULL));
    return rc;
}
